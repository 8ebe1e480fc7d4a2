package stack

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"time"

	"twinbucket/fault"
	"twinbucket/identity"
	"twinbucket/internal/iam"
	"twinbucket/role"
)

// roleKind is AWS::IAM::Role; its physical id is the role's name.
var roleKind = kind{
	replace:    []string{"RoleName", "Path"},
	tagged:     true,
	attributes: []string{"Arn", "RoleId"},
	name: func(a *action) (string, error) {
		if name := read(a.typ, a.props).text("RoleName"); name != "" {
			return name, identity.RoleKind.CheckName(name)
		}
		return a.generated(64, false), nil
	},
	create: createRole,
	update: updateRole,
	delete: deleteRole,
}

// wantRole reads the properties of a role. Tags come from the stack, too, but
// for those that begin with aws:, which roles cannot have.
func wantRole(a *action, props map[string]any, stackTags []Tag) (*role.Role, error) {
	p := read(a.typ, props)
	p.text("RoleName")
	r := &role.Role{
		Identity:    identity.Identity{Account: a.stack.Account, Name: a.physical, Path: p.text("Path"), Boundary: p.text("PermissionsBoundary"), Attached: p.texts("ManagedPolicyArns"), Inline: map[string][]byte{}, Tags: map[string]string{}},
		Description: p.text("Description"),
		Trust:       p.document("AssumeRolePolicyDocument"),
		MaxSession:  role.DefaultSession,
	}
	if r.Path == "" {
		r.Path = "/"
	}
	if r.Trust == nil {
		p.fail("Property AssumeRolePolicyDocument cannot be empty.")
	}
	if s := p.text("MaxSessionDuration"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n > 1<<20 {
			p.fail("Value of property MaxSessionDuration must be of type Integer")
		}
		r.MaxSession = time.Duration(n) * time.Second
	}
	for _, o := range p.objects("Policies") {
		name := o.need("PolicyName")
		if _, twice := r.Inline[name]; twice {
			o.fail("The policy name %s is given twice", name)
		}
		if r.Inline[name] = o.document("PolicyDocument"); r.Inline[name] == nil {
			o.fail("Property PolicyDocument cannot be empty.")
		}
		_ = o.done() // kept
	}
	own := p.tags("Tags")
	if err := p.done(); err != nil {
		return nil, err
	}
	for _, t := range slices.Concat(stackTags, own) {
		r.Tags[t.Key] = t.Value
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
	if err := a.allowRole(&role.Role{}, r, "iam:CreateRole"); err != nil {
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

// allowRole asks whether the caller may change a role from one state to
// another, beside the actions in acts.
func (a *action) allowRole(from, to *role.Role, acts ...string) error {
	resource := to.ARN()
	add := func(differs bool, act string) {
		if differs && !slices.Contains(acts, act) {
			acts = append(acts, act)
		}
	}
	for name, document := range to.Inline {
		add(string(from.Inline[name]) != string(document), "iam:PutRolePolicy")
	}
	for name := range from.Inline {
		_, keep := to.Inline[name]
		add(!keep, "iam:DeleteRolePolicy")
	}
	add(from.Boundary != to.Boundary && to.Boundary != "", "iam:PutRolePermissionsBoundary")
	add(from.Boundary != to.Boundary && to.Boundary == "", "iam:DeleteRolePermissionsBoundary")
	add(!subset(to.Tags, from.Tags), "iam:TagRole")
	for key := range from.Tags {
		_, keep := to.Tags[key]
		add(!keep, "iam:UntagRole")
	}
	for _, act := range acts {
		if err := a.allow(act, resource); err != nil {
			return err
		}
	}
	for _, policy := range to.Attached {
		if !slices.Contains(from.Attached, policy) {
			if err := a.allowAttach("iam:AttachRolePolicy", resource, policy); err != nil {
				return err
			}
		}
	}
	for _, policy := range from.Attached {
		if !slices.Contains(to.Attached, policy) {
			if err := a.allowAttach("iam:DetachRolePolicy", resource, policy); err != nil {
				return err
			}
		}
	}
	return nil
}

// allowAttach asks whether the caller may attach or detach a managed policy.
func (a *action) allowAttach(act, resource, policy string) error {
	return a.IAM.Authorize(a.caller, iam.Access{
		Action: act, Resource: resource, ResourceAccount: a.stack.Account,
		Context: a.via(map[string][]string{"iam:policyarn": {policy}}),
	})
}

// subset reports whether b has everything in a.
func subset(a, b map[string]string) bool {
	for k, v := range a {
		if w, ok := b[k]; !ok || v != w {
			return false
		}
	}
	return true
}

// updateRole changes what the template changed and leaves alone what others
// added: inline policies of AWS::IAM::Policy, policies attached by hand.
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
	if err := a.allowRole(from, to, acts...); err != nil {
		return nil, err
	}
	err = a.IAM.UpdateRole(ctx, to.Account, to.Name, func(r *role.Role) error {
		r.Trust, r.Description, r.MaxSession, r.Boundary = to.Trust, to.Description, to.MaxSession, to.Boundary
		r.Inline = merged(r.Inline, from.Inline, to.Inline)
		r.Tags = merged(r.Tags, from.Tags, to.Tags)
		r.Attached = slices.DeleteFunc(r.Attached, func(p string) bool { return slices.Contains(from.Attached, p) })
		for _, p := range to.Attached {
			if !slices.Contains(r.Attached, p) {
				r.Attached = append(r.Attached, p)
			}
		}
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

// merged returns have without what is in from and with what is in to.
func merged[V any](have, from, to map[string]V) map[string]V {
	out := map[string]V{}
	maps.Copy(out, have)
	maps.DeleteFunc(out, func(k string, _ V) bool { _, ok := from[k]; return ok })
	maps.Copy(out, to)
	return out
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
	bare := &role.Role{Identity: identity.Identity{Account: have.Account, Path: have.Path, Name: have.Name, Boundary: want.Boundary, Tags: want.Tags}}
	if err := a.allowRole(want, bare, "iam:DeleteRole"); err != nil {
		return err
	}
	// Others' policies stop the deletion before ours are taken away.
	for name := range have.Inline {
		if _, ours := want.Inline[name]; !ours {
			return inUse(have, "Cannot delete entity, must delete policies first.", name)
		}
	}
	for _, p := range have.Attached {
		if !slices.Contains(want.Attached, p) {
			return inUse(have, "Cannot delete entity, must detach all policies first.", p)
		}
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

func inUse(r *role.Role, message, policy string) error {
	return fault.New(fault.Conflict, "DeleteConflict", message).On(r.ARN()).
		WithHint("the stack did not make the policy %s of role %s: take it off first", policy, r.Name)
}
