package stack

import (
	"context"
	"errors"
	"slices"

	"twinbucket/fault"
	"twinbucket/identity"
)

// userKind is AWS::IAM::User; its physical id is the user's name.
var userKind = kind{
	replace:    []string{"UserName"},
	tagged:     true,
	attributes: []string{"Arn"},
	name:       nameIdentity(identity.UserKind),
	create:     createUser,
	update:     updateUser,
	delete:     deleteUser,
}

// wantUser reads the properties of a user.
func wantUser(a *action, props map[string]any, stackTags []Tag) (*identity.User, error) {
	p := read(a.typ, props)
	u := &identity.User{Identity: wantIdentity(a, identity.UserKind, p, stackTags)}
	for _, name := range p.texts("Groups") {
		if g, err := a.IAM.GetGroup(u.Account, name); err == nil {
			name = g.Name // as it is written
		}
		if !slices.Contains(u.Groups, name) {
			u.Groups = append(u.Groups, name)
		}
	}
	if err := p.done("LoginProfile"); err != nil {
		return nil, err
	}
	return u, u.Validate()
}

func userAttributes(u *identity.User) map[string]string { return map[string]string{"Arn": u.ARN()} }

func createUser(ctx context.Context, a *action) (map[string]string, error) {
	u, err := wantUser(a, a.props, a.tags)
	if err != nil {
		return nil, err
	}
	if err := a.allowUser(&identity.User{}, u, "iam:CreateUser"); err != nil {
		return nil, err
	}
	made, err := a.IAM.CreateUser(ctx, *u)
	if errors.Is(err, fault.Exists) {
		have, herr := a.IAM.GetUser(u.Account, u.Name)
		if a.resumed && herr == nil && have.Path == u.Path && !have.Created.Before(a.since) {
			return userAttributes(have), nil
		}
		return nil, alreadyExists(u.Name)
	}
	if err != nil {
		return nil, err
	}
	return userAttributes(made), nil
}

// allowUser asks whether the caller may change a user and its groups from one
// state to another, beside the actions in acts.
func (a *action) allowUser(from, to *identity.User, acts ...string) error {
	if err := a.allowIdentity(identity.UserKind, &from.Identity, &to.Identity, acts...); err != nil {
		return err
	}
	for _, name := range without(to.Groups, from.Groups) {
		if err := a.allowMember(name, "iam:AddUserToGroup"); err != nil {
			return err
		}
	}
	for _, name := range without(from.Groups, to.Groups) {
		if err := a.allowMember(name, "iam:RemoveUserFromGroup"); err != nil && !isNotFound(err) {
			return err
		}
	}
	return nil
}

// allowMember asks whether the caller may put users into a group, or take them
// out.
func (a *action) allowMember(group, act string) error {
	g, err := a.IAM.GetGroup(a.stack.Account, group)
	if err != nil {
		return err
	}
	return a.allow(act, g.ARN())
}

func updateUser(ctx context.Context, a *action) (map[string]string, error) {
	to, err := wantUser(a, a.props, a.tags)
	if err != nil {
		return nil, err
	}
	from, err := wantUser(a, a.old, a.oldTags)
	if err != nil {
		return nil, err
	}
	if err := a.allowMove(identity.UserKind, &from.Identity, &to.Identity); err != nil {
		return nil, err
	}
	if err := a.allowUser(from, to); err != nil {
		return nil, err
	}
	err = a.IAM.UpdateUser(ctx, to.Account, to.Name, func(u *identity.User) error {
		change(&u.Identity, &from.Identity, &to.Identity)
		u.Groups = relisted(u.Groups, from.Groups, to.Groups)
		return nil
	})
	return userAttributes(to), err
}

// allowMove asks whether the caller may give a user or group the path it is to
// have, under both its ARNs.
func (a *action) allowMove(k identity.Kind, from, to *identity.Identity) error {
	if from.Path == to.Path {
		return nil
	}
	for _, i := range []*identity.Identity{from, to} {
		if err := a.allowOn(k, i, "iam:Update"+k.Word(), nil); err != nil {
			return err
		}
	}
	return nil
}

func deleteUser(ctx context.Context, a *action) error {
	have, err := a.IAM.GetUser(a.stack.Account, a.physical)
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	want, err := wantUser(a, a.props, a.tags)
	if err != nil {
		return err
	}
	if err := a.allowDelete(identity.UserKind, &have.Identity, &want.Identity); err != nil {
		return err
	}
	if err := a.allowUser(want, &identity.User{Identity: want.Identity}); err != nil {
		return err
	}
	if others := without(have.Groups, want.Groups); len(others) > 0 {
		return inUse(identity.UserKind, &have.Identity, "Cannot delete entity, must remove users from group first.", "the group "+others[0])
	}
	if len(have.Keys) > 0 {
		return inUse(identity.UserKind, &have.Identity, "Cannot delete entity, must delete access keys first.", "the access key "+have.Keys[0].AccessKey)
	}
	err = a.IAM.UpdateUser(ctx, have.Account, have.Name, func(u *identity.User) error {
		u.Inline, u.Attached, u.Groups = nil, nil, nil
		return nil
	})
	if err == nil {
		err = a.IAM.DeleteUser(ctx, have.Account, have.Name)
	}
	if isNotFound(err) {
		return nil
	}
	return err
}
