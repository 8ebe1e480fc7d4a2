package policy

import (
	"fmt"
	"slices"
	"strings"
)

// What IAM says against documents that its grammar has but its older parser
// cannot read.
const legacy = "The policy failed legacy parsing"

// iamKinds are how the resources of IAM begin.
var iamKinds = []string{
	"user/", "federated-user/", "role/", "group/", "instance-profile/", "mfa/", "server-certificate/", "policy/",
	"sms-mfa/", "saml-provider/", "oidc-provider/", "report/", "access-report/",
}

// actionComplaint returns what IAM says against an action of an identity
// policy, "" if nothing. Whether the action exists is not asked.
func actionComplaint(text string) string {
	vendor, name, ok := strings.Cut(text, ":")
	switch {
	case text == "*":
		return ""
	case !ok:
		return "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
	case strings.Contains(name, ":"):
		return "Actions/Condition can contain only one colon."
	case vendor != "*" && (vendor == "" || strings.ContainsFunc(strings.ReplaceAll(strings.ToLower(vendor), ".", ""), notInName)):
		return "Vendor " + vendor + " is not valid"
	}
	return ""
}

// resourceComplaint returns what IAM says against a resource of an identity
// policy, "" if nothing. Fewer than six parts are completed with wildcards,
// unless one of them is empty.
func resourceComplaint(text string) string {
	parts := strings.SplitN(text, ":", arnParts)
	switch {
	case text == "*":
		return ""
	case len(parts) == 1:
		return "Resource " + text + ` must be in ARN format or "*".`
	case parts[1] != "aws" && !strings.ContainsAny(parts[1], "*?"):
		missing := slices.Repeat([]string{"*"}, arnParts-len(parts))
		return fmt.Sprintf(`Partition "%s" is not valid for resource "arn:%s".`,
			parts[1], strings.Join(append(parts[1:], missing...), ":"))
	case parts[0] != "arn":
		return "Resource " + text + ` must be in ARN format or "*".`
	case len(parts) == 2 || strings.ContainsAny(parts[2], "*?"):
		return "Resource vendor must be fully qualified and cannot contain regexes."
	case parts[2] == "" || len(parts) < arnParts && strings.Contains(text, "::"):
		return legacy
	case len(parts) < arnParts:
		return ""
	}
	vendor, region, account, resource := parts[2], parts[3], parts[4], parts[5]
	begins := func(kind string) bool { return strings.HasPrefix(resource, kind) }
	switch {
	case vendor == "iam" && region != "":
		return "IAM resource " + text + " cannot contain region information."
	case vendor == "iam" && resource != "*" && resource != "root" && !slices.ContainsFunc(iamKinds, begins):
		return `IAM resource path must either be "*" or start with ` + strings.Join(iamKinds, ", ") + "."
	case vendor == "s3" && region != "" && account == "": // with both it is an access point or a job
		return "Resource " + text + " can not contain region information."
	}
	return ""
}
