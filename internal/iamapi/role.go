package iamapi

import (
	"maps"
	"slices"
	"strings"

	"twinbucket/arn"
	"twinbucket/fault"
	"twinbucket/role"
)

// theRole reads RoleName, asks for permission to do action to that role, and
// returns it.
func (c *call) theRole(action string) (*role.Role, error) {
	name, err := c.need("RoleName")
	if err != nil {
		return nil, err
	}
	if err := role.CheckName("roleName", name, 64); err != nil {
		return nil, err
	}
	r, missing := c.iam.GetRole(c.caller.Account, name)
	resource := arn.Role(c.caller.Account, "/", name)
	if missing == nil {
		resource = r.ARN()
		for key, value := range r.Tags {
			c.know("aws:resourcetag/"+strings.ToLower(key), value)
			c.know("iam:resourcetag/"+strings.ToLower(key), value)
		}
	}
	if err := c.allow(action, resource); err != nil {
		return nil, err
	}
	return r, missing
}

func (c *call) createRole() error {
	name, err := c.need("RoleName")
	if err != nil {
		return err
	}
	trust, err := c.need("AssumeRolePolicyDocument")
	if err != nil {
		return err
	}
	r := role.Role{
		Account: c.caller.Account, Path: c.form.Get("Path"), Name: name, Description: c.form.Get("Description"),
		Trust: []byte(trust), Boundary: c.form.Get("PermissionsBoundary"),
	}
	if r.MaxSession, err = c.seconds("MaxSessionDuration"); err != nil {
		return err
	}
	if r.Tags, err = c.tags("Tags"); err != nil {
		return err
	}
	c.know("iam:permissionsboundary", r.Boundary)
	if err := c.allow("CreateRole", r.ARN()); err != nil {
		return err
	}
	if len(r.Tags) > 0 {
		if err := c.allow("TagRole", r.ARN()); err != nil {
			return err
		}
	}
	made, err := c.iam.CreateRole(c.r.Context(), r)
	if err == nil {
		c.writeRole("Role", made, true)
	}
	return err
}

// writeRole writes a role; listings leave some of it out.
func (c *call) writeRole(element string, r *role.Role, whole bool) {
	c.out.Open(element)
	c.out.Text("Path", r.Path)
	c.out.Text("RoleName", r.Name)
	c.out.Text("RoleId", r.ID)
	c.out.Text("Arn", r.ARN())
	c.time("CreateDate", r.Created)
	c.document("AssumeRolePolicyDocument", r.Trust)
	c.out.Optional("Description", r.Description)
	c.out.Int("MaxSessionDuration", int64(r.MaxSession.Seconds()))
	if whole {
		if r.Boundary != "" {
			c.out.Open("PermissionsBoundary")
			c.out.Text("PermissionsBoundaryType", "Policy")
			c.out.Text("PermissionsBoundaryArn", r.Boundary)
			c.out.Close("PermissionsBoundary")
		}
		if len(r.Tags) > 0 {
			c.writeTags("Tags", r.Tags, slices.Sorted(maps.Keys(r.Tags)))
		}
		c.out.Text("RoleLastUsed", "")
	}
	c.out.Close(element)
}

func (c *call) getRole() error {
	r, err := c.theRole("GetRole")
	if err == nil {
		c.writeRole("Role", r, true)
	}
	return err
}

func (c *call) listRoles() error {
	p, err := c.page()
	if err != nil {
		return err
	}
	if err := c.allow("ListRoles", "arn:aws:iam::"+c.caller.Account+":role"+c.pathPrefix()); err != nil {
		return err
	}
	roles, more := c.iam.ListRoles(c.caller.Account, c.pathPrefix(), p.after, p.max)
	last := ""
	c.out.Open("Roles")
	for _, r := range roles {
		c.writeRole("member", r, false)
		last = r.Name
	}
	c.out.Close("Roles")
	c.truncated(more, last)
	return nil
}

func (c *call) deleteRole() error {
	r, err := c.theRole("DeleteRole")
	if err != nil {
		return err
	}
	return c.iam.DeleteRole(c.r.Context(), r.Account, r.Name)
}

// change changes the role of the request after permission for action.
func (c *call) change(action string, change func(*role.Role) error) error {
	r, err := c.theRole(action)
	if err != nil {
		return err
	}
	return c.iam.UpdateRole(c.r.Context(), r.Account, r.Name, change)
}

// updateRole changes what is in the request and leaves the rest.
func (c *call) updateRole() error {
	d, err := c.seconds("MaxSessionDuration")
	if err != nil {
		return err
	}
	return c.change("UpdateRole", func(r *role.Role) error {
		if d > 0 {
			r.MaxSession = d
		}
		if c.form.Has("Description") {
			r.Description = c.form.Get("Description")
		}
		return nil
	})
}

func (c *call) updateRoleDescription() error {
	description, err := c.need("Description")
	if err != nil {
		return err
	}
	var changed *role.Role
	err = c.change("UpdateRoleDescription", func(r *role.Role) error {
		r.Description = description
		changed = r
		return nil
	})
	if err == nil {
		c.writeRole("Role", changed, true)
	}
	return err
}

func (c *call) updateAssumeRolePolicy() error {
	trust, err := c.need("PolicyDocument")
	if err != nil {
		return err
	}
	return c.change("UpdateAssumeRolePolicy", func(r *role.Role) error {
		r.Trust = []byte(trust)
		return nil
	})
}

func (c *call) putBoundary() error {
	boundary, err := c.policyARN("PermissionsBoundary")
	if err != nil {
		return err
	}
	c.know("iam:permissionsboundary", boundary)
	return c.change("PutRolePermissionsBoundary", func(r *role.Role) error {
		r.Boundary = boundary
		return nil
	})
}

func (c *call) deleteBoundary() error {
	return c.change("DeleteRolePermissionsBoundary", func(r *role.Role) error {
		if r.Boundary == "" {
			return fault.Newf(fault.NotFound, "NoSuchEntity", "Role %s does not have a permissions boundary.", r.Name).On(r.Name)
		}
		r.Boundary = ""
		return nil
	})
}

func (c *call) tagRole() error {
	tags, err := c.tags("Tags")
	if err != nil {
		return err
	}
	if tags == nil {
		return constraint("Tags", "Member must not be null")
	}
	return c.change("TagRole", func(r *role.Role) error { return r.AddTags(tags) })
}

func (c *call) untagRole() error {
	keys := members(c, "TagKeys")
	if len(keys) == 0 {
		return constraint("TagKeys", "Member must not be null")
	}
	if err := role.CheckTagKeys(keys); err != nil {
		return err
	}
	c.know("aws:tagkeys", keys...)
	return c.change("UntagRole", func(r *role.Role) error {
		maps.DeleteFunc(r.Tags, func(key, _ string) bool {
			return slices.ContainsFunc(keys, func(k string) bool { return strings.EqualFold(k, key) })
		})
		return nil
	})
}

func (c *call) listRoleTags() error {
	p, err := c.page()
	if err != nil {
		return err
	}
	r, err := c.theRole("ListRoleTags")
	if err != nil {
		return err
	}
	keys, more := p.cut(slices.Sorted(maps.Keys(r.Tags)))
	c.writeTags("Tags", r.Tags, keys)
	c.truncated(more, lastOf(keys))
	return nil
}

func lastOf(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return names[len(names)-1]
}

// listInstanceProfiles lists none: there are no instances here, but Terraform
// asks before it deletes a role.
func (c *call) listInstanceProfiles() error {
	if _, err := c.theRole("ListInstanceProfilesForRole"); err != nil {
		return err
	}
	c.out.Text("InstanceProfiles", "")
	c.truncated(false, "")
	return nil
}

// getUser returns the root user; there are no others.
func (c *call) getUser() error {
	if name := c.form.Get("UserName"); name != "" {
		if err := c.allow("GetUser", "arn:aws:iam::"+c.caller.Account+":user/"+name); err != nil {
			return err
		}
		return fault.Newf(fault.NotFound, "NoSuchEntity", "The user with name %s cannot be found.", name).On(name).
			WithHint("there are no IAM users here: use root keys and roles")
	}
	for _, a := range c.iam.Accounts() {
		if c.caller.UserID == a.ID {
			c.out.Open("User")
			c.out.Text("UserId", a.ID)
			c.out.Text("Arn", c.caller.ARN)
			c.time("CreateDate", a.Created)
			c.out.Close("User")
			return nil
		}
	}
	return fault.New(fault.Invalid, "ValidationError", "Must specify userName when calling with non-User credentials")
}
