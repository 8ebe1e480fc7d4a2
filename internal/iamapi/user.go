package iamapi

import (
	"maps"
	"slices"
	"strings"

	"twinbucket/arn"
	"twinbucket/fault"
	"twinbucket/identity"
	"twinbucket/policy"
)

func (c *call) createUser() error {
	name, err := c.need("UserName")
	if err != nil {
		return err
	}
	u := identity.User{Identity: identity.Identity{
		Account: c.caller.Account, Path: c.path(), Name: name, Boundary: c.form.Get("PermissionsBoundary"),
	}}
	if u.Tags, err = c.tags("Tags"); err != nil {
		return err
	}
	c.know("iam:permissionsboundary", u.Boundary)
	if err := c.allowCreate("User", u.ARN(), u.Tags); err != nil {
		return err
	}
	made, err := c.iam.CreateUser(c.r.Context(), u)
	if err == nil {
		c.writeUser("User", made, true)
	}
	return err
}

// path returns Path, "/" if it is not there.
func (c *call) path() string {
	if p := c.form.Get("Path"); p != "" {
		return p
	}
	return "/"
}

// writeUser writes a user; listings leave some of it out.
func (c *call) writeUser(element string, u *identity.User, whole bool) {
	c.out.Open(element)
	c.out.Text("Path", u.Path)
	c.out.Text("UserName", u.Name)
	c.out.Text("UserId", u.ID)
	c.out.Text("Arn", u.ARN())
	c.time("CreateDate", u.Created)
	if whole {
		c.writeBoundary(&u.Identity)
		c.writeOwnTags(&u.Identity)
	}
	c.out.Close(element)
}

// ownName puts the caller's own name into UserName, if it is a user and the
// request names none.
func (c *call) ownName() {
	if c.form.Get("UserName") == "" && c.caller.Type == policy.User {
		c.form.Set("UserName", c.caller.UserName())
	}
}

// theUser reads UserName, asks for permission to do action to that user, and
// returns it.
func (c *call) theUser(action string) (*identity.User, error) {
	i, err := c.theIdentity(identity.UserKind, action)
	if err != nil {
		return nil, err
	}
	return c.iam.GetUser(i.Account, i.Name)
}

// getUser describes a user, without a name the caller: that may be the root
// user.
func (c *call) getUser() error {
	if c.ownName(); c.form.Get("UserName") != "" {
		u, err := c.theUser("GetUser")
		if err == nil {
			c.writeUser("User", u, true)
		}
		return err
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
	return noUserName()
}

func (c *call) listUsers() error {
	p, err := c.page()
	if err != nil {
		return err
	}
	if err := c.allow("ListUsers", "arn:aws:iam::"+c.caller.Account+":user"+c.pathPrefix()); err != nil {
		return err
	}
	users, more := c.iam.ListUsers(c.caller.Account, c.pathPrefix(), p.after, p.max)
	c.writeUsers(users)
	c.truncated(more, lastUser(users))
	return nil
}

func lastUser(users []*identity.User) string {
	if len(users) == 0 {
		return ""
	}
	return users[len(users)-1].Name
}

func (c *call) writeUsers(users []*identity.User) {
	c.out.Open("Users")
	for _, u := range users {
		c.writeUser("member", u, false)
	}
	c.out.Close("Users")
}

// updateUser gives a user another name or path.
func (c *call) updateUser() error {
	u, err := c.theUser("UpdateUser")
	if err != nil {
		return err
	}
	renamed := u.Clone()
	c.rename(&renamed.Identity)
	if err := c.allow("UpdateUser", renamed.ARN()); err != nil {
		return err
	}
	return c.iam.UpdateUser(c.r.Context(), u.Account, u.Name, func(u *identity.User) error {
		u.Name, u.Path = renamed.Name, renamed.Path
		return nil
	})
}

// rename gives an identity the new name and path of the request.
func (c *call) rename(i *identity.Identity) {
	for _, kind := range []string{"User", "Group"} {
		if name := c.form.Get("New" + kind + "Name"); name != "" {
			i.Name = name
		}
	}
	if path := c.form.Get("NewPath"); path != "" {
		i.Path = path
	}
}

func (c *call) deleteUser() error {
	u, err := c.theUser("DeleteUser")
	if err != nil {
		return err
	}
	return c.iam.DeleteUser(c.r.Context(), u.Account, u.Name)
}

// keysOwner returns whose access keys the request is about, after permission
// for action: the name of a user, or "" for the root user. Without UserName it
// is who owns the key that signed.
func (c *call) keysOwner(action string) (user string, err error) {
	if !c.form.Has("UserName") {
		switch {
		case c.caller.Verified.Token != "":
			return "", noUserName()
		case c.caller.Type == policy.RootUser:
			return "", c.allow(action, c.caller.ARN)
		}
		c.ownName()
	}
	u, err := c.theUser(action)
	if err != nil {
		return "", err
	}
	return u.Name, nil
}

// noUserName refuses a request that has to say which user it is about.
func noUserName() error {
	return fault.New(fault.Invalid, "ValidationError", "Must specify userName when calling with non-User credentials")
}

// writeKey writes the access key of a user, "" for the root user, who has no
// name. Its secret is shown once, when it is made.
func (c *call) writeKey(element, user string, key *identity.Key, made bool) {
	c.out.Open(element)
	c.out.Optional("UserName", user)
	c.out.Text("AccessKeyId", key.AccessKey)
	c.out.Text("Status", key.Status())
	if made {
		c.out.Text("SecretAccessKey", key.Secret)
	}
	c.time("CreateDate", key.Created)
	c.out.Close(element)
}

func (c *call) createAccessKey() error {
	user, err := c.keysOwner("CreateAccessKey")
	if err != nil {
		return err
	}
	key, err := c.iam.CreateKey(c.r.Context(), c.caller.Account, user)
	if err == nil {
		c.writeKey("AccessKey", user, &key, true)
	}
	return err
}

func (c *call) listAccessKeys() error {
	p, err := c.page()
	if err != nil {
		return err
	}
	user, err := c.keysOwner("ListAccessKeys")
	if err != nil {
		return err
	}
	keys, err := c.iam.Keys(c.caller.Account, user)
	if err != nil {
		return err
	}
	if i, err := keys.Find(p.after); err == nil {
		keys = keys[i+1:]
	}
	more, last := len(keys) > p.max, ""
	keys = keys[:min(len(keys), p.max)]
	c.out.Optional("UserName", user)
	c.out.Open("AccessKeyMetadata")
	for i := range keys {
		c.writeKey("member", user, &keys[i], false)
		last = keys[i].AccessKey
	}
	c.out.Close("AccessKeyMetadata")
	c.truncated(more, last)
	return nil
}

// changeKey changes the access key that the request names.
func (c *call) changeKey(action string, change func(keys *identity.Keys, i int)) error {
	id, err := c.need("AccessKeyId")
	if err != nil {
		return err
	}
	user, err := c.keysOwner(action)
	if err != nil {
		return err
	}
	return c.iam.UpdateKeys(c.r.Context(), c.caller.Account, user, func(keys *identity.Keys) error {
		i, err := keys.Find(id)
		if err == nil {
			change(keys, i)
		}
		return err
	})
}

func (c *call) updateAccessKey() error {
	want, err := c.need("Status")
	if err != nil {
		return err
	}
	if want != "Active" && want != "Inactive" {
		return constraint("Status", "Member must satisfy enum value set: [Expired, Active, Inactive]")
	}
	return c.changeKey("UpdateAccessKey", func(keys *identity.Keys, i int) { (*keys)[i].Inactive = want == "Inactive" })
}

func (c *call) deleteAccessKey() error {
	return c.changeKey("DeleteAccessKey", func(keys *identity.Keys, i int) { *keys = slices.Delete(*keys, i, i+1) })
}

// getAccessKeyLastUsed tells whose a key is. When it was used is not noted,
// which is what AWS says of a key that was not used.
func (c *call) getAccessKeyLastUsed() error {
	id, err := c.need("AccessKeyId")
	if err != nil {
		return err
	}
	account, user, ok := c.iam.KeyOwner(id)
	if !ok || account != c.caller.Account {
		return fault.Newf(fault.Denied, "AccessDenied", "User: %s is not authorized to perform: iam:GetAccessKeyLastUsed on resource: access key %s", c.caller.ARN, id).
			WithHint("no user of account %s has this key", c.caller.Account)
	}
	owner := arn.Root(account)
	if user != "" {
		u, err := c.iam.GetUser(account, user)
		if err != nil {
			return err
		}
		owner = u.ARN()
	}
	if err := c.allow("GetAccessKeyLastUsed", owner); err != nil {
		return err
	}
	c.out.Optional("UserName", user)
	c.out.Open("AccessKeyLastUsed")
	c.out.Text("Region", "N/A")
	c.out.Text("ServiceName", "N/A")
	c.out.Close("AccessKeyLastUsed")
	return nil
}

func (c *call) listGroupsForUser() error {
	p, err := c.page()
	if err != nil {
		return err
	}
	u, err := c.theUser("ListGroupsForUser")
	if err != nil {
		return err
	}
	names, more := p.cut(sorted(slices.Clone(u.Groups)))
	c.out.Open("Groups")
	for _, name := range names {
		if g, err := c.iam.GetGroup(u.Account, name); err == nil {
			c.writeGroup("member", g)
		}
	}
	c.out.Close("Groups")
	c.truncated(more, lastOf(names))
	return nil
}

// listEntities lists the groups, users and roles that use a managed policy.
func (c *call) listEntities() error {
	page, err := c.page()
	if err != nil {
		return err
	}
	filter, err := c.oneOf("EntityFilter", "User", "Role", "Group", "LocalManagedPolicy", "AWSManagedPolicy")
	if err != nil {
		return err
	}
	usage, err := c.oneOf("PolicyUsageFilter", "PermissionsPolicy", "PermissionsBoundary")
	if err != nil {
		return err
	}
	p, err := c.thePolicy("ListEntitiesForPolicy")
	if err != nil {
		return err
	}
	attached, boundaries := c.iam.Attachments(c.caller.Account, p.ARN())
	found := map[string]*identity.Identity{} // by kind and name, as markers are
	for use, list := range map[string]map[identity.Kind][]*identity.Identity{"PermissionsPolicy": attached, "PermissionsBoundary": boundaries} {
		for k, identities := range list {
			for _, i := range identities {
				if (usage == "" || usage == use) && (filter == "" || filter == k.Word()) && strings.HasPrefix(i.Path, c.pathPrefix()) {
					found[k.Word()+"/"+i.Name] = i
				}
			}
		}
	}
	keys, more := page.cut(sorted(slices.Collect(maps.Keys(found))))
	for _, k := range []identity.Kind{identity.GroupKind, identity.UserKind, identity.RoleKind} {
		c.out.Open("Policy" + k.Word() + "s")
		for _, key := range keys {
			if strings.HasPrefix(key, k.Word()+"/") {
				c.out.Open("member")
				c.out.Text(k.Word()+"Name", found[key].Name)
				c.out.Text(k.Word()+"Id", found[key].ID)
				c.out.Close("member")
			}
		}
		c.out.Close("Policy" + k.Word() + "s")
	}
	c.truncated(more, lastOf(keys))
	return nil
}
