package iamapi

import (
	"twinbucket/identity"
	"twinbucket/role"
)

// theRole reads RoleName, asks for permission to do action to that role, and
// returns it.
func (c *call) theRole(action string) (*role.Role, error) {
	i, err := c.theIdentity(identity.RoleKind, action)
	if err != nil {
		return nil, err
	}
	return c.iam.GetRole(i.Account, i.Name)
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
		Identity:    identity.Identity{Account: c.caller.Account, Path: c.form.Get("Path"), Name: name, Boundary: c.form.Get("PermissionsBoundary")},
		Description: c.form.Get("Description"),
		Trust:       []byte(trust),
	}
	if r.MaxSession, err = c.seconds("MaxSessionDuration"); err != nil {
		return err
	}
	if r.Tags, err = c.tags("Tags"); err != nil {
		return err
	}
	c.know("iam:permissionsboundary", r.Boundary)
	if err := c.allowCreate("Role", r.ARN(), r.Tags); err != nil {
		return err
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
	c.document("AssumeRolePolicyDocument", c.iam.Unbind(r.Trust))
	c.out.Optional("Description", r.Description)
	c.out.Int("MaxSessionDuration", int64(r.MaxSession.Seconds()))
	if whole {
		c.writeBoundary(&r.Identity)
		c.writeOwnTags(&r.Identity)
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
