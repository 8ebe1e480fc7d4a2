package iamapi

import (
	"regexp"
	"slices"
	"strings"

	"twinbucket/fault"
	"twinbucket/internal/iam"
)

// versionPattern is what the API Reference has for VersionId.
const versionPattern = `v[1-9][0-9]*(\.[A-Za-z0-9-]*)?`

var versionID = regexp.MustCompile("^" + versionPattern + "$")

// theVersion reads PolicyArn and VersionId, asks for permission to do action
// to that policy, and returns it with the id.
func (c *call) theVersion(action string) (*iam.Policy, string, error) {
	id, err := c.need("VersionId")
	if err != nil {
		return nil, "", err
	}
	if !versionID.MatchString(id) {
		return nil, "", constraint("VersionId", "Member must satisfy regular expression pattern: "+versionPattern).
			On(id).WithHint("versions are called v1, v2 and so on; ListPolicyVersions tells them")
	}
	p, err := c.thePolicy(action)
	return p, id, err
}

func (c *call) createPolicyVersion() error {
	document, err := c.need("PolicyDocument")
	if err != nil {
		return err
	}
	setAsDefault := c.form.Get("SetAsDefault")
	if v := strings.ToLower(setAsDefault); v != "" && v != "true" && v != "false" {
		return fault.New(fault.Invalid, "MalformedInput", "SetAsDefault is not a boolean").On(setAsDefault).
			WithHint("SetAsDefault is true or false")
	}
	p, err := c.thePolicy("CreatePolicyVersion")
	if err != nil {
		return err
	}
	isDefault := strings.EqualFold(setAsDefault, "true")
	made, err := c.iam.CreatePolicyVersion(c.r.Context(), c.caller.Account, p.ARN(), []byte(document), isDefault)
	if err != nil {
		return err
	}
	c.writeVersion("PolicyVersion", made, isDefault, false)
	return nil
}

func (c *call) getPolicyVersion() error {
	p, id, err := c.theVersion("GetPolicyVersion")
	if err != nil {
		return err
	}
	v, err := p.Version(id)
	if err != nil {
		return err
	}
	c.writeVersion("PolicyVersion", v, id == p.Default, true)
	return nil
}

func (c *call) writeVersion(element string, v *iam.Version, isDefault, document bool) {
	c.out.Open(element)
	if document {
		c.document("Document", v.Document)
	}
	c.out.Text("VersionId", v.ID)
	c.out.Bool("IsDefaultVersion", isDefault)
	c.time("CreateDate", v.Created)
	c.out.Close(element)
}

// listPolicyVersions lists the versions of a policy, newest first. A marker
// names the last one before.
func (c *call) listPolicyVersions() error {
	page, err := c.page()
	if err != nil {
		return err
	}
	p, err := c.thePolicy("ListPolicyVersions")
	if err != nil {
		return err
	}
	versions := p.Versions // oldest first
	if i := slices.IndexFunc(versions, func(v iam.Version) bool { return !older(v.ID, page.after) }); i >= 0 && page.after != "" {
		versions = versions[:i]
	}
	rest := max(0, len(versions)-page.max)
	last := ""
	c.out.Open("Versions")
	for i := len(versions) - 1; i >= rest; i-- {
		last = versions[i].ID
		c.writeVersion("member", &versions[i], last == p.Default, false)
	}
	c.out.Close("Versions")
	c.truncated(rest > 0, last)
	return nil
}

// older reports whether version a was made before version b.
func older(a, b string) bool { return len(a) < len(b) || len(a) == len(b) && a < b }

func (c *call) setDefaultPolicyVersion() error {
	p, id, err := c.theVersion("SetDefaultPolicyVersion")
	if err != nil {
		return err
	}
	return c.iam.SetDefaultPolicyVersion(c.r.Context(), c.caller.Account, p.ARN(), id)
}

func (c *call) deletePolicyVersion() error {
	p, id, err := c.theVersion("DeletePolicyVersion")
	if err != nil {
		return err
	}
	return c.iam.DeletePolicyVersion(c.r.Context(), c.caller.Account, p.ARN(), id)
}
