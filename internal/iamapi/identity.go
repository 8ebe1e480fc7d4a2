package iamapi

import (
	"maps"
	"slices"
	"strings"

	"twinbucket/fault"
	"twinbucket/identity"
)

// policyActions are the actions that users, groups and roles have alike, on
// their policies.
func policyActions(k identity.Kind) map[string]action {
	w := k.Word()
	return map[string]action{
		"Put" + w + "Policy":            of(k, (*call).putInline, false),
		"Get" + w + "Policy":            of(k, (*call).getInline, true),
		"List" + w + "Policies":         of(k, (*call).listInline, true),
		"Delete" + w + "Policy":         of(k, (*call).deleteInline, false),
		"Attach" + w + "Policy":         of(k, (*call).attach, false),
		"Detach" + w + "Policy":         of(k, (*call).detach, false),
		"ListAttached" + w + "Policies": of(k, (*call).listAttached, true),
	}
}

// of is an action on an identity of a kind.
func of(k identity.Kind, run func(*call, identity.Kind) error, result bool) action {
	return action{func(c *call) error { return run(c, k) }, result}
}

// tagActions are those that users and roles have alike beside policyActions.
func tagActions(k identity.Kind) map[string]action {
	w := k.Word()
	return map[string]action{
		"Tag" + w:                            of(k, (*call).tag, false),
		"Untag" + w:                          of(k, (*call).untag, false),
		"List" + w + "Tags":                  of(k, (*call).listTags, true),
		"Put" + w + "PermissionsBoundary":    of(k, (*call).putBoundary, false),
		"Delete" + w + "PermissionsBoundary": of(k, (*call).deleteBoundary, false),
	}
}

// theIdentity reads the parameter that names an identity of a kind, asks for
// permission to do action to it, and returns it.
func (c *call) theIdentity(k identity.Kind, action string) (*identity.Identity, error) {
	name, err := c.need(k.Word() + "Name")
	if err != nil {
		return nil, err
	}
	if err := k.CheckName(name); err != nil {
		return nil, err
	}
	i, missing := c.iam.Identity(k, c.caller.Account, name)
	resource := (&identity.Identity{Account: c.caller.Account, Path: "/", Name: name}).ARN(k)
	if missing == nil {
		resource = i.ARN(k)
		maps.Copy(c.context(), identity.TagFacts(i.Tags))
		if c.context()["iam:permissionsboundary"] == nil { // the request gives no other one
			c.know("iam:permissionsboundary", i.Boundary)
		}
	}
	if err := c.allow(action, resource); err != nil {
		return nil, err
	}
	return i, missing
}

// changeIdentity changes the identity of the request after permission for
// action.
func (c *call) changeIdentity(k identity.Kind, action string, change func(*identity.Identity) error) error {
	i, err := c.theIdentity(k, action)
	if err != nil {
		return err
	}
	return c.iam.UpdateIdentity(c.r.Context(), k, i.Account, i.Name, change)
}

func (c *call) putInline(k identity.Kind) error {
	name, err := c.need("PolicyName")
	if err != nil {
		return err
	}
	document, err := c.need("PolicyDocument")
	if err != nil {
		return err
	}
	if err := identity.CheckName("policyName", name, 128); err != nil {
		return err
	}
	i, err := c.theIdentity(k, "Put"+k.Word()+"Policy")
	if err != nil {
		return err
	}
	return c.iam.PutInline(c.r.Context(), k, i.Account, i.Name, name, []byte(document))
}

func (c *call) getInline(k identity.Kind) error {
	name, err := c.need("PolicyName")
	if err != nil {
		return err
	}
	i, err := c.theIdentity(k, "Get"+k.Word()+"Policy")
	if err != nil {
		return err
	}
	document, err := c.iam.GetInline(k, i.Account, i.Name, name)
	if err != nil {
		return err
	}
	c.out.Text(k.Word()+"Name", i.Name)
	c.out.Text("PolicyName", name)
	c.document("PolicyDocument", document)
	return nil
}

func (c *call) listInline(k identity.Kind) error {
	p, err := c.page()
	if err != nil {
		return err
	}
	i, err := c.theIdentity(k, "List"+k.Word()+"Policies")
	if err != nil {
		return err
	}
	names, more := p.cut(sorted(i.Policies()))
	c.out.Open("PolicyNames")
	for _, name := range names {
		c.out.Text("member", name)
	}
	c.out.Close("PolicyNames")
	c.truncated(more, lastOf(names))
	return nil
}

func (c *call) deleteInline(k identity.Kind) error {
	name, err := c.need("PolicyName")
	if err != nil {
		return err
	}
	i, err := c.theIdentity(k, "Delete"+k.Word()+"Policy")
	if err != nil {
		return err
	}
	return c.iam.DeleteInline(c.r.Context(), k, i.Account, i.Name, name)
}

func (c *call) attach(k identity.Kind) error {
	policyARN, err := c.policyARN("PolicyArn")
	if err != nil {
		return err
	}
	c.know("iam:policyarn", policyARN)
	i, err := c.theIdentity(k, "Attach"+k.Word()+"Policy")
	if err != nil {
		return err
	}
	return c.iam.Attach(c.r.Context(), k, i.Account, i.Name, policyARN)
}

func (c *call) detach(k identity.Kind) error {
	policyARN, err := c.policyARN("PolicyArn")
	if err != nil {
		return err
	}
	c.know("iam:policyarn", policyARN)
	i, err := c.theIdentity(k, "Detach"+k.Word()+"Policy")
	if err != nil {
		return err
	}
	return c.iam.Detach(c.r.Context(), k, i.Account, i.Name, policyARN)
}

func (c *call) listAttached(k identity.Kind) error {
	p, err := c.page()
	if err != nil {
		return err
	}
	i, err := c.theIdentity(k, "ListAttached"+k.Word()+"Policies")
	if err != nil {
		return err
	}
	attached := slices.DeleteFunc(slices.Clone(i.Attached), func(name string) bool {
		return !strings.HasPrefix(pathOf(name), c.pathPrefix())
	})
	attached, more := p.cut(sorted(attached))
	c.out.Open("AttachedPolicies")
	for _, policyARN := range attached {
		c.out.Open("member")
		c.out.Text("PolicyName", policyARN[strings.LastIndexByte(policyARN, '/')+1:])
		c.out.Text("PolicyArn", policyARN)
		c.out.Close("member")
	}
	c.out.Close("AttachedPolicies")
	c.truncated(more, lastOf(attached))
	return nil
}

func (c *call) putBoundary(k identity.Kind) error {
	boundary, err := c.policyARN("PermissionsBoundary")
	if err != nil {
		return err
	}
	c.know("iam:permissionsboundary", boundary)
	return c.changeIdentity(k, "Put"+k.Word()+"PermissionsBoundary", func(i *identity.Identity) error {
		i.Boundary = boundary
		return nil
	})
}

func (c *call) deleteBoundary(k identity.Kind) error {
	return c.changeIdentity(k, "Delete"+k.Word()+"PermissionsBoundary", func(i *identity.Identity) error {
		if i.Boundary == "" {
			return fault.Newf(fault.NotFound, "NoSuchEntity", "%s %s does not have a permissions boundary.", k.Word(), i.Name).On(i.Name)
		}
		i.Boundary = ""
		return nil
	})
}

func (c *call) tag(k identity.Kind) error {
	tags, err := c.tags("Tags")
	if err != nil {
		return err
	}
	if tags == nil {
		return constraint("Tags", "Member must not be null")
	}
	return c.changeIdentity(k, "Tag"+k.Word(), func(i *identity.Identity) error { return i.AddTags(tags) })
}

func (c *call) untag(k identity.Kind) error {
	keys := members(c, "TagKeys")
	if len(keys) == 0 {
		return constraint("TagKeys", "Member must not be null")
	}
	if err := identity.CheckTagKeys(keys); err != nil {
		return err
	}
	c.know("aws:tagkeys", keys...)
	return c.changeIdentity(k, "Untag"+k.Word(), func(i *identity.Identity) error {
		maps.DeleteFunc(i.Tags, func(key, _ string) bool {
			return slices.ContainsFunc(keys, func(k string) bool { return strings.EqualFold(k, key) })
		})
		return nil
	})
}

func (c *call) listTags(k identity.Kind) error {
	p, err := c.page()
	if err != nil {
		return err
	}
	i, err := c.theIdentity(k, "List"+k.Word()+"Tags")
	if err != nil {
		return err
	}
	keys, more := p.cut(sorted(slices.Collect(maps.Keys(i.Tags))))
	c.writeTags("Tags", i.Tags, keys)
	c.truncated(more, lastOf(keys))
	return nil
}

// writeBoundary writes the permissions boundary of an identity, if it has one.
func (c *call) writeBoundary(i *identity.Identity) {
	if i.Boundary != "" {
		c.out.Open("PermissionsBoundary")
		c.out.Text("PermissionsBoundaryType", "Policy")
		c.out.Text("PermissionsBoundaryArn", i.Boundary)
		c.out.Close("PermissionsBoundary")
	}
}

// writeOwnTags writes the tags of an identity, if it has any.
func (c *call) writeOwnTags(i *identity.Identity) {
	if len(i.Tags) > 0 {
		c.writeTags("Tags", i.Tags, slices.Sorted(maps.Keys(i.Tags)))
	}
}

// sorted sorts names as listings have them.
func sorted(names []string) []string {
	slices.SortFunc(names, identity.CompareNames)
	return names
}
