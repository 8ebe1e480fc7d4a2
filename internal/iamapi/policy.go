package iamapi

import (
	"maps"
	"slices"
	"strings"

	"twinbucket/arn"
	"twinbucket/fault"
	"twinbucket/identity"
	"twinbucket/internal/iam"
	"twinbucket/internal/wire"
)

func members(c *call, name string) []string { return wire.Members(c.form, name) }

// pathOf returns the path in the ARN of a managed policy.
func pathOf(policyARN string) string {
	_, rest, _ := strings.Cut(policyARN, ":policy")
	return rest[:strings.LastIndexByte(rest, '/')+1]
}

func (c *call) createPolicy() error {
	name, err := c.need("PolicyName")
	if err != nil {
		return err
	}
	document, err := c.need("PolicyDocument")
	if err != nil {
		return err
	}
	p := iam.Policy{
		Account: c.caller.Account, Path: c.form.Get("Path"), Name: name, Description: c.form.Get("Description"), Document: []byte(document),
	}
	if p.Tags, err = c.tags("Tags"); err != nil {
		return err
	}
	if err := c.allowCreate("Policy", p.ARN(), p.Tags); err != nil {
		return err
	}
	made, err := c.iam.CreatePolicy(c.r.Context(), p)
	if err == nil {
		c.writePolicy("Policy", made, true)
	}
	return err
}

// writePolicy writes a managed policy without its document; listings leave
// some of it out.
func (c *call) writePolicy(element string, p *iam.Policy, whole bool) {
	attached, boundaries := c.iam.Attachments(c.caller.Account, p.ARN())
	c.out.Open(element)
	c.out.Text("PolicyName", p.Name)
	c.out.Text("PolicyId", p.ID)
	c.out.Text("Arn", p.ARN())
	c.out.Text("Path", p.Path)
	c.out.Text("DefaultVersionId", p.Default)
	c.out.Int("AttachmentCount", int64(iam.Count(attached)))
	c.out.Int("PermissionsBoundaryUsageCount", int64(iam.Count(boundaries)))
	c.out.Bool("IsAttachable", true)
	if whole {
		c.out.Optional("Description", p.Description)
	}
	c.time("CreateDate", p.Created)
	c.time("UpdateDate", p.Updated())
	if whole && len(p.Tags) > 0 {
		c.writeTags("Tags", p.Tags, slices.Sorted(maps.Keys(p.Tags)))
	}
	c.out.Close(element)
}

// thePolicy reads PolicyArn, asks for permission to do action to that policy,
// and returns it.
func (c *call) thePolicy(action string) (*iam.Policy, error) {
	policyARN, err := c.policyARN("PolicyArn")
	if err != nil {
		return nil, err
	}
	p, missing := c.iam.GetPolicy(c.caller.Account, policyARN)
	if missing == nil {
		maps.Copy(c.context(), identity.TagFacts(p.Tags))
	}
	if err := c.allow(action, policyARN); err != nil {
		return nil, err
	}
	return p, missing
}

func (c *call) getPolicy() error {
	p, err := c.thePolicy("GetPolicy")
	if err == nil {
		c.writePolicy("Policy", p, true)
	}
	return err
}

// listPolicies lists the account's policies by name and then AWS's. A marker
// names the list and the last name in it.
func (c *call) listPolicies() error {
	p, err := c.page()
	if err != nil {
		return err
	}
	accounts, err := c.scope()
	if err != nil {
		return err
	}
	if usage := c.form.Get("PolicyUsageFilter"); usage != "" {
		return fault.New(fault.Unsupported, "NotImplemented", "PolicyUsageFilter is not offered by this server.")
	}
	if err := c.allow("ListPolicies", arn.Policy(c.caller.Account, c.pathPrefix(), "")); err != nil {
		return err
	}
	all := c.policies(accounts, p)
	more := len(all) > p.max
	last := ""
	c.out.Open("Policies")
	for _, found := range all[:min(len(all), p.max)] {
		c.writePolicy("member", found, false)
		last = found.Account + "/" + found.Name
	}
	c.out.Close("Policies")
	c.truncated(more, last)
	return nil
}

// scope returns whose policies Scope asks for.
func (c *call) scope() ([]string, error) {
	scope, err := c.oneOf("Scope", "All", "AWS", "Local")
	switch scope {
	case "Local":
		return []string{c.caller.Account}, err
	case "AWS":
		return []string{"aws"}, err
	}
	return []string{c.caller.Account, "aws"}, err
}

// policies returns what ListPolicies is to list on a page, and one more if
// there is more.
func (c *call) policies(accounts []string, p page) []*iam.Policy {
	var out []*iam.Policy
	from, name, _ := strings.Cut(p.after, "/")
	if from != "" && slices.Contains(accounts, from) {
		accounts = accounts[slices.Index(accounts, from):]
	}
	for _, account := range accounts {
		after := ""
		if account == from {
			after = name
		}
		for len(out) <= p.max {
			found, more := c.iam.ListPolicies(account, c.pathPrefix(), after, p.max+1)
			for _, f := range found {
				after = f.Name
				if attached, _ := c.iam.Attachments(c.caller.Account, f.ARN()); len(attached) > 0 || c.form.Get("OnlyAttached") != "true" {
					out = append(out, f)
				}
			}
			if !more {
				break
			}
		}
	}
	return out
}

func (c *call) deletePolicy() error {
	p, err := c.thePolicy("DeletePolicy")
	if err != nil {
		return err
	}
	return c.iam.DeletePolicy(c.r.Context(), c.caller.Account, p.ARN())
}
