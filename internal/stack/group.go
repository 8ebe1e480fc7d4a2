package stack

import (
	"context"
	"errors"

	"twinbucket/fault"
	"twinbucket/identity"
)

// groupKind is AWS::IAM::Group; its physical id is the group's name.
var groupKind = kind{
	replace:    []string{"GroupName"},
	attributes: []string{"Arn"},
	name:       nameIdentity(identity.GroupKind),
	create:     createGroup,
	update:     updateGroup,
	delete:     deleteGroup,
}

// wantGroup reads the properties of a group.
func wantGroup(a *action, props map[string]any) (*identity.Group, error) {
	p := read(a.typ, props)
	g := &identity.Group{Identity: wantIdentity(a, identity.GroupKind, p, nil)}
	if err := p.done(); err != nil {
		return nil, err
	}
	return g, g.Validate()
}

func groupAttributes(g *identity.Group) map[string]string { return map[string]string{"Arn": g.ARN()} }

func createGroup(ctx context.Context, a *action) (map[string]string, error) {
	g, err := wantGroup(a, a.props)
	if err != nil {
		return nil, err
	}
	if err := a.allowIdentity(identity.GroupKind, &identity.Identity{}, &g.Identity, "iam:CreateGroup"); err != nil {
		return nil, err
	}
	made, err := a.IAM.CreateGroup(ctx, *g)
	if errors.Is(err, fault.Exists) {
		have, herr := a.IAM.GetGroup(g.Account, g.Name)
		if a.resumed && herr == nil && have.Path == g.Path && !have.Created.Before(a.since) {
			return groupAttributes(have), nil
		}
		return nil, alreadyExists(g.Name)
	}
	if err != nil {
		return nil, err
	}
	return groupAttributes(made), nil
}

func updateGroup(ctx context.Context, a *action) (map[string]string, error) {
	to, err := wantGroup(a, a.props)
	if err != nil {
		return nil, err
	}
	from, err := wantGroup(a, a.old)
	if err != nil {
		return nil, err
	}
	if err := a.allowMove(identity.GroupKind, &from.Identity, &to.Identity); err != nil {
		return nil, err
	}
	if err := a.allowIdentity(identity.GroupKind, &from.Identity, &to.Identity); err != nil {
		return nil, err
	}
	err = a.IAM.UpdateGroup(ctx, to.Account, to.Name, func(g *identity.Group) error {
		change(&g.Identity, &from.Identity, &to.Identity)
		return nil
	})
	return groupAttributes(to), err
}

func deleteGroup(ctx context.Context, a *action) error {
	have, err := a.IAM.GetGroup(a.stack.Account, a.physical)
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	want, err := wantGroup(a, a.props)
	if err != nil {
		return err
	}
	if err := a.allowDelete(identity.GroupKind, &have.Identity, &want.Identity); err != nil {
		return err
	}
	if members, _ := a.IAM.Members(have.Account, have.Name, "", 1); len(members) > 0 {
		return inUse(identity.GroupKind, &have.Identity, "Cannot delete entity, must remove users from group first.", "the user "+members[0].Name)
	}
	err = a.IAM.UpdateGroup(ctx, have.Account, have.Name, func(g *identity.Group) error {
		g.Inline, g.Attached = nil, nil
		return nil
	})
	if err == nil {
		err = a.IAM.DeleteGroup(ctx, have.Account, have.Name)
	}
	if isNotFound(err) {
		return nil
	}
	return err
}

// additionKind is AWS::IAM::UserToGroupAddition: users in a group.
var additionKind = kind{
	attributes: []string{"Id"},
	name:       func(a *action) (string, error) { return a.generated(64, false), nil },
	create:     createAddition,
	update:     updateAddition,
	delete:     deleteAddition,
}

// addition is what a template wants of an addition.
type addition struct {
	group string
	users []string
}

func wantAddition(a *action, props map[string]any) (*addition, error) {
	p := read(a.typ, props)
	w := &addition{group: p.need("GroupName"), users: p.texts("Users")}
	if len(w.users) == 0 {
		p.fail("Property Users cannot be empty.")
	}
	return w, p.done()
}

// join puts the users into the group. If one fails, those that were not in it
// are taken out again; they are returned if none fails. What an earlier process
// put in for the same resource was not in it.
func (a *action) join(ctx context.Context, w *addition) (joined *addition, err error) {
	if err := a.allowMember(w.group, "iam:AddUserToGroup"); err != nil {
		return nil, err
	}
	joined = &addition{group: w.group}
	for _, name := range w.users {
		u, err := a.IAM.GetUser(a.stack.Account, name)
		if err == nil {
			if a.resumed || !u.In(w.group) {
				joined.users = append(joined.users, name)
			}
			err = a.IAM.Join(ctx, a.stack.Account, name, w.group)
		}
		if err != nil {
			return nil, errors.Join(err, a.takeOut(ctx, joined))
		}
	}
	return joined, nil
}

// takeOut takes the users out of the group; who or what is gone is no error.
func (a *action) takeOut(ctx context.Context, w *addition) error {
	for _, name := range w.users {
		if err := a.IAM.Leave(ctx, a.stack.Account, name, w.group); err != nil && !isNotFound(err) {
			return err
		}
	}
	return nil
}

// leave is takeOut for the caller, who may not be allowed to.
func (a *action) leave(ctx context.Context, w *addition) error {
	err := a.allowMember(w.group, "iam:RemoveUserFromGroup")
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return a.takeOut(ctx, w)
}

func createAddition(ctx context.Context, a *action) (map[string]string, error) {
	w, err := wantAddition(a, a.props)
	if err == nil {
		_, err = a.join(ctx, w)
	}
	return map[string]string{"Id": a.physical}, err
}

func updateAddition(ctx context.Context, a *action) (map[string]string, error) {
	to, err := wantAddition(a, a.props)
	if err != nil {
		return nil, err
	}
	from, err := wantAddition(a, a.old)
	if err != nil {
		return nil, err
	}
	joined, err := a.join(ctx, to)
	if err != nil {
		return nil, err
	}
	if from.group == to.group {
		from.users = without(from.users, to.users)
	}
	if len(from.users) > 0 {
		if err := a.leave(ctx, from); err != nil {
			return nil, errors.Join(err, a.takeOut(ctx, joined))
		}
	}
	return map[string]string{"Id": a.physical}, nil
}

func deleteAddition(ctx context.Context, a *action) error {
	w, err := wantAddition(a, a.props)
	if err != nil {
		return err
	}
	return a.leave(ctx, w)
}
