package stack

import (
	"context"
	"errors"
	"strconv"
	"time"

	"twinbucket/fault"
	"twinbucket/identity"
	"twinbucket/role"
)

// roleKind is AWS::IAM::Role; its physical id is the role's name.
var roleKind = kind{
	replace:    []string{"RoleName", "Path"},
	tagged:     true,
	attributes: []string{"Arn", "RoleId"},
	name:       nameIdentity(identity.RoleKind),
	create:     createRole,
	update:     updateRole,
	delete:     deleteRole,
}

// wantRole reads the properties of a role.
func wantRole(a *action, props map[string]any, stackTags []Tag) (*role.Role, error) {
	p := read(a.typ, props)
	r := &role.Role{
		Identity:    wantIdentity(a, identity.RoleKind, p, stackTags),
		Description: p.text("Description"),
		Trust:       p.needDocument("AssumeRolePolicyDocument"),
		MaxSession:  role.DefaultSession,
	}
	if s := p.text("MaxSessionDuration"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n > 1<<20 {
			p.fail("Value of property MaxSessionDuration must be of type Integer")
		}
		r.MaxSession = time.Duration(n) * time.Second
	}
	if err := p.done(); err != nil {
		return nil, err
	}
	return r, r.Validate()
}

func roleAttributes(r *role.Role) map[string]string {
	return map[string]string{"Arn": r.ARN(), "RoleId": r.ID}
}

func createRole(ctx context.Context, a *action) (map[string]string, error) {
	r, err := wantRole(a, a.props, a.tags)
	if err != nil {
		return nil, err
	}
	if err := a.allowIdentity(identity.RoleKind, &identity.Identity{}, &r.Identity, "iam:CreateRole"); err != nil {
		return nil, err
	}
	made, err := a.IAM.CreateRole(ctx, *r)
	if errors.Is(err, fault.Exists) {
		have, herr := a.IAM.GetRole(r.Account, r.Name)
		if a.resumed && herr == nil && have.Path == r.Path && !have.Created.Before(a.since) {
			return roleAttributes(have), nil
		}
		return nil, alreadyExists(r.Name)
	}
	if err != nil {
		return nil, err
	}
	return roleAttributes(made), nil
}

func updateRole(ctx context.Context, a *action) (map[string]string, error) {
	to, err := wantRole(a, a.props, a.tags)
	if err != nil {
		return nil, err
	}
	from, err := wantRole(a, a.old, a.oldTags)
	if err != nil {
		return nil, err
	}
	var acts []string
	if string(from.Trust) != string(to.Trust) {
		acts = append(acts, "iam:UpdateAssumeRolePolicy")
	}
	if from.Description != to.Description || from.MaxSession != to.MaxSession {
		acts = append(acts, "iam:UpdateRole")
	}
	if err := a.allowIdentity(identity.RoleKind, &from.Identity, &to.Identity, acts...); err != nil {
		return nil, err
	}
	err = a.IAM.UpdateRole(ctx, to.Account, to.Name, func(r *role.Role) error {
		r.Trust, r.Description, r.MaxSession = to.Trust, to.Description, to.MaxSession
		change(&r.Identity, &from.Identity, &to.Identity)
		return nil
	})
	if err != nil {
		return nil, err
	}
	r, err := a.IAM.GetRole(to.Account, to.Name)
	if err != nil {
		return nil, err
	}
	return roleAttributes(r), nil
}

func deleteRole(ctx context.Context, a *action) error {
	have, err := a.IAM.GetRole(a.stack.Account, a.physical)
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	want, err := wantRole(a, a.props, a.tags)
	if err != nil {
		return err
	}
	if err := a.allowDelete(identity.RoleKind, &have.Identity, &want.Identity); err != nil {
		return err
	}
	err = a.IAM.UpdateRole(ctx, have.Account, have.Name, func(r *role.Role) error {
		r.Inline, r.Attached = nil, nil
		return nil
	})
	if err == nil {
		err = a.IAM.DeleteRole(ctx, have.Account, have.Name)
	}
	if isNotFound(err) {
		return nil
	}
	return err
}
