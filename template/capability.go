package template

import (
	"slices"
	"strings"

	"twinbucket/fault"
)

// The capabilities that a caller acknowledges.
const (
	CapabilityIAM      = "CAPABILITY_IAM"
	CapabilityNamedIAM = "CAPABILITY_NAMED_IAM"
)

// iamTypes are the types that need a capability, with the property that gives
// them a name of the template's choice.
var iamTypes = map[string]string{
	"AWS::IAM::AccessKey":           "",
	"AWS::IAM::Group":               "GroupName",
	"AWS::IAM::GroupPolicy":         "",
	"AWS::IAM::InstanceProfile":     "InstanceProfileName",
	"AWS::IAM::ManagedPolicy":       "ManagedPolicyName",
	"AWS::IAM::Policy":              "",
	"AWS::IAM::Role":                "RoleName",
	"AWS::IAM::RolePolicy":          "",
	"AWS::IAM::User":                "UserName",
	"AWS::IAM::UserPolicy":          "",
	"AWS::IAM::UserToGroupAddition": "",
}

// Capability returns the capability that the template needs, "" if none, and
// CloudFormation's sentence on why.
func (t *Template) Capability() (name, reason string) {
	var types []string
	for _, r := range t.Resources {
		property, iam := iamTypes[r.Type]
		if !iam {
			continue
		}
		if !slices.Contains(types, r.Type) {
			types = append(types, r.Type)
		}
		if name == "" {
			name = CapabilityIAM
		}
		if _, named := r.Properties[property]; named && property != "" {
			name = CapabilityNamedIAM
		}
	}
	if name == "" {
		return "", ""
	}
	slices.Sort(types)
	return name, "The following resource(s) require capabilities: [" + strings.Join(types, ", ") + "]"
}

// Acknowledged reports whether the capabilities given cover what the template
// needs: InsufficientCapabilitiesException if not.
func (t *Template) Acknowledged(given []string) error {
	need, _ := t.Capability()
	if need == "" || slices.Contains(given, need) || slices.Contains(given, CapabilityNamedIAM) {
		return nil
	}
	return fault.Newf(fault.Invalid, "InsufficientCapabilitiesException", "Requires capabilities : [%s]", need).
		WithHint("the template makes IAM resources; if you agree, repeat with --capabilities %s", need)
}
