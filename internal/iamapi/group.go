package iamapi

import "twinbucket/identity"

func (c *call) createGroup() error {
	name, err := c.need("GroupName")
	if err != nil {
		return err
	}
	g := identity.Group{Identity: identity.Identity{Account: c.caller.Account, Path: c.path(), Name: name}}
	if err := c.allow("CreateGroup", g.ARN()); err != nil {
		return err
	}
	made, err := c.iam.CreateGroup(c.r.Context(), g)
	if err == nil {
		c.writeGroup("Group", made)
	}
	return err
}

func (c *call) writeGroup(element string, g *identity.Group) {
	c.out.Open(element)
	c.out.Text("Path", g.Path)
	c.out.Text("GroupName", g.Name)
	c.out.Text("GroupId", g.ID)
	c.out.Text("Arn", g.ARN())
	c.time("CreateDate", g.Created)
	c.out.Close(element)
}

// theGroup reads GroupName, asks for permission to do action to that group,
// and returns it.
func (c *call) theGroup(action string) (*identity.Group, error) {
	i, err := c.theIdentity(identity.GroupKind, action)
	if err != nil {
		return nil, err
	}
	return c.iam.GetGroup(i.Account, i.Name)
}

// getGroup describes a group and lists its users.
func (c *call) getGroup() error {
	p, err := c.page()
	if err != nil {
		return err
	}
	g, err := c.theGroup("GetGroup")
	if err != nil {
		return err
	}
	users, more := c.iam.Members(g.Account, g.Name, p.after, p.max)
	c.writeGroup("Group", g)
	c.writeUsers(users)
	c.truncated(more, lastUser(users))
	return nil
}

func (c *call) listGroups() error {
	p, err := c.page()
	if err != nil {
		return err
	}
	if err := c.allow("ListGroups", "arn:aws:iam::"+c.caller.Account+":group"+c.pathPrefix()); err != nil {
		return err
	}
	groups, more := c.iam.ListGroups(c.caller.Account, c.pathPrefix(), p.after, p.max)
	last := ""
	c.out.Open("Groups")
	for _, g := range groups {
		c.writeGroup("member", g)
		last = g.Name
	}
	c.out.Close("Groups")
	c.truncated(more, last)
	return nil
}

// updateGroup gives a group another name or path.
func (c *call) updateGroup() error {
	g, err := c.theGroup("UpdateGroup")
	if err != nil {
		return err
	}
	renamed := g.Clone()
	c.rename(&renamed.Identity)
	if err := c.allow("UpdateGroup", renamed.ARN()); err != nil {
		return err
	}
	return c.iam.UpdateGroup(c.r.Context(), g.Account, g.Name, func(g *identity.Group) error {
		g.Name, g.Path = renamed.Name, renamed.Path
		return nil
	})
}

func (c *call) deleteGroup() error {
	g, err := c.theGroup("DeleteGroup")
	if err != nil {
		return err
	}
	return c.iam.DeleteGroup(c.r.Context(), g.Account, g.Name)
}

func (c *call) addUserToGroup() error {
	user, err := c.need("UserName")
	if err != nil {
		return err
	}
	g, err := c.theGroup("AddUserToGroup")
	if err != nil {
		return err
	}
	return c.iam.Join(c.r.Context(), g.Account, user, g.Name)
}

func (c *call) removeUserFromGroup() error {
	user, err := c.need("UserName")
	if err != nil {
		return err
	}
	g, err := c.theGroup("RemoveUserFromGroup")
	if err != nil {
		return err
	}
	return c.iam.Leave(c.r.Context(), g.Account, user, g.Name)
}
