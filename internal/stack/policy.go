package stack

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"twinbucket/fault"
	"twinbucket/identity"
	"twinbucket/internal/iam"
	"twinbucket/policy"
)

// policyKind is AWS::IAM::Policy: one inline policy on several roles.
var policyKind = kind{
	attributes: []string{"Id"},
	name:       func(a *action) (string, error) { return a.generated(64, false), nil },
	create:     createPolicy,
	update:     updatePolicy,
	delete:     deletePolicy,
}

// inline is what a template wants of an inline policy.
type inline struct {
	name     string
	document []byte
	roles    []string
}

// noPrincipals are the properties for users and groups, of which there are none.
var noPrincipals = []string{"Groups", "Users"}

func wantInline(a *action, props map[string]any) (*inline, error) {
	p := read(a.typ, props)
	w := &inline{name: p.need("PolicyName"), document: p.document("PolicyDocument"), roles: p.texts("Roles")}
	if w.document == nil {
		p.fail("Property PolicyDocument cannot be empty.")
	}
	unsupported := emptied(p, noPrincipals)
	if err := p.done(unsupported...); err != nil {
		return nil, err
	}
	if len(w.roles) == 0 {
		return nil, fault.New(fault.Invalid, "ValidationError", "At least one of [Groups,Roles,Users] must be non-empty.").On(w.name)
	}
	if err := identity.CheckName("policyName", w.name, 128); err != nil {
		return nil, err
	}
	_, err := policy.Parse(w.document, policy.Identity)
	return w, err
}

// emptied returns those of names that are not empty lists.
func emptied(p *properties, names []string) []string {
	var out []string
	for _, name := range names {
		if len(p.list(name)) > 0 {
			out = append(out, p.unseen(name))
		}
	}
	return out
}

// putInline puts the policy on its roles. If one fails, the others get back
// what they had.
func (a *action) putInline(ctx context.Context, w *inline) error {
	had := map[string][]byte{}
	for _, name := range w.roles {
		r, err := a.IAM.GetRole(a.stack.Account, name)
		if err == nil {
			err = a.allow("iam:PutRolePolicy", r.ARN())
		}
		if err == nil {
			err = a.IAM.PutInline(ctx, identity.RoleKind, a.stack.Account, name, w.name, w.document)
		}
		if err != nil {
			return errors.Join(err, a.restoreInline(ctx, w.name, had))
		}
		had[name] = r.Inline[w.name]
	}
	return nil
}

// restoreInline gives roles the inline policies they had; nil means none.
func (a *action) restoreInline(ctx context.Context, policyName string, had map[string][]byte) error {
	var errs []error
	for name, document := range had {
		if document == nil {
			errs = append(errs, a.IAM.DeleteInline(ctx, identity.RoleKind, a.stack.Account, name, policyName))
		} else {
			errs = append(errs, a.IAM.PutInline(ctx, identity.RoleKind, a.stack.Account, name, policyName, document))
		}
	}
	return errors.Join(errs...)
}

func createPolicy(ctx context.Context, a *action) (map[string]string, error) {
	w, err := wantInline(a, a.props)
	if err != nil {
		return nil, err
	}
	return map[string]string{"Id": a.physical}, a.putInline(ctx, w)
}

func updatePolicy(ctx context.Context, a *action) (map[string]string, error) {
	to, err := wantInline(a, a.props)
	if err != nil {
		return nil, err
	}
	from, err := wantInline(a, a.old)
	if err != nil {
		return nil, err
	}
	if err := a.putInline(ctx, to); err != nil {
		return nil, err
	}
	if from.name == to.name {
		from.roles = slices.DeleteFunc(from.roles, func(r string) bool { return slices.Contains(to.roles, r) })
	}
	return map[string]string{"Id": a.physical}, a.dropInline(ctx, from)
}

// dropInline takes the policy off its roles; what is gone is no error.
func (a *action) dropInline(ctx context.Context, w *inline) error {
	for _, name := range w.roles {
		r, err := a.IAM.GetRole(a.stack.Account, name)
		if isNotFound(err) || err == nil && r.Inline[w.name] == nil {
			continue
		}
		if err != nil {
			return err
		}
		if err := a.allow("iam:DeleteRolePolicy", r.ARN()); err != nil {
			return err
		}
		if err := a.IAM.DeleteInline(ctx, identity.RoleKind, a.stack.Account, name, w.name); err != nil && !isNotFound(err) {
			return err
		}
	}
	return nil
}

func deletePolicy(ctx context.Context, a *action) error {
	w, err := wantInline(a, a.props)
	if err != nil {
		return err
	}
	return a.dropInline(ctx, w)
}

// managedPolicyKind is AWS::IAM::ManagedPolicy; its physical id is its ARN.
var managedPolicyKind = kind{
	replace:    []string{"ManagedPolicyName", "Path", "Description"},
	attributes: []string{"PolicyArn", "PolicyId"},
	name:       nameManaged,
	create:     createManaged,
	update:     updateManaged,
	delete:     deleteManaged,
}

func wantManaged(a *action, props map[string]any) (*iam.Policy, []string, error) {
	p := read(a.typ, props)
	w := &iam.Policy{
		Account: a.stack.Account, Name: p.text("ManagedPolicyName"), Path: p.text("Path"),
		Description: p.text("Description"), Document: p.document("PolicyDocument"),
	}
	if w.Path == "" {
		w.Path = "/"
	}
	if w.Document == nil {
		p.fail("Property PolicyDocument cannot be empty.")
	}
	roles := p.texts("Roles")
	if err := p.done(emptied(p, noPrincipals)...); err != nil {
		return nil, nil, err
	}
	return w, roles, iam.CheckDocument(w.Document)
}

func nameManaged(a *action) (string, error) {
	p := read(a.typ, a.props)
	w := iam.Policy{Account: a.stack.Account, Name: p.text("ManagedPolicyName"), Path: p.text("Path")}
	if w.Path == "" {
		w.Path = "/"
	}
	if w.Name == "" {
		w.Name = a.generated(128, false)
	}
	if err := identity.CheckName("policyName", w.Name, 128); err != nil {
		return "", err
	}
	return w.ARN(), identity.CheckPath(w.Path)
}

func createManaged(ctx context.Context, a *action) (map[string]string, error) {
	w, roles, err := wantManaged(a, a.props)
	if err != nil {
		return nil, err
	}
	w.Name = lastPart(a.physical)
	if err := a.allow("iam:CreatePolicy", a.physical); err != nil {
		return nil, err
	}
	made, err := a.IAM.CreatePolicy(ctx, *w)
	if errors.Is(err, fault.Exists) {
		have, herr := a.IAM.GetPolicy(w.Account, a.physical)
		if !a.resumed || herr != nil || have.Created.Before(a.since) {
			return nil, alreadyExists(a.physical)
		}
		made, err = have, nil
	}
	if err != nil {
		return nil, err
	}
	if err := a.attach(ctx, roles); err != nil {
		return nil, errors.Join(err, a.detach(ctx, roles), a.IAM.DeletePolicy(ctx, w.Account, a.physical))
	}
	return map[string]string{"PolicyArn": a.physical, "PolicyId": made.ID}, nil
}

// attach attaches the managed policy to roles.
func (a *action) attach(ctx context.Context, roles []string) error {
	for _, name := range roles {
		r, err := a.IAM.GetRole(a.stack.Account, name)
		if err != nil {
			return err
		}
		if err := a.allowAttach("iam:AttachRolePolicy", r.ARN(), a.physical); err != nil {
			return err
		}
		if err := a.IAM.Attach(ctx, identity.RoleKind, a.stack.Account, name, a.physical); err != nil {
			return err
		}
	}
	return nil
}

// detach takes the managed policy off roles that have it.
func (a *action) detach(ctx context.Context, roles []string) error {
	for _, name := range roles {
		r, err := a.IAM.GetRole(a.stack.Account, name)
		if isNotFound(err) || err == nil && !slices.Contains(r.Attached, a.physical) {
			continue
		}
		if err != nil {
			return err
		}
		if err := a.allowAttach("iam:DetachRolePolicy", r.ARN(), a.physical); err != nil {
			return err
		}
		if err := a.IAM.Detach(ctx, identity.RoleKind, a.stack.Account, name, a.physical); err != nil && !isNotFound(err) {
			return err
		}
	}
	return nil
}

func updateManaged(ctx context.Context, a *action) (map[string]string, error) {
	to, roles, err := wantManaged(a, a.props)
	if err != nil {
		return nil, err
	}
	from, old, err := wantManaged(a, a.old)
	if err != nil {
		return nil, err
	}
	fresh, gone := without(roles, old), without(old, roles)
	err = a.attach(ctx, roles)
	if err == nil {
		err = a.detach(ctx, gone)
	}
	if err == nil && !bytes.Equal(from.Document, to.Document) {
		err = a.putVersion(ctx, to.Document)
	}
	if err != nil {
		return nil, errors.Join(err, a.detach(ctx, fresh), a.attach(ctx, gone))
	}
	p, err := a.IAM.GetPolicy(a.stack.Account, a.physical)
	if err != nil {
		return nil, err
	}
	return map[string]string{"PolicyArn": a.physical, "PolicyId": p.ID}, nil
}

// without returns those of names that are not in others.
func without(names, others []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return slices.Contains(others, n) })
}

// putVersion makes document the default version of the managed policy, a new
// one. For the sixth the oldest gives way.
func (a *action) putVersion(ctx context.Context, document []byte) error {
	p, err := a.IAM.GetPolicy(a.stack.Account, a.physical)
	if err != nil {
		return err
	}
	if bytes.Equal(p.Document, document) {
		return nil // an earlier process made it
	}
	if err := a.allow("iam:CreatePolicyVersion", a.physical); err != nil {
		return err
	}
	if len(p.Versions) >= iam.MaxVersions {
		if err := a.dropVersion(ctx, p.Spare()); err != nil {
			return err
		}
	}
	_, err = a.IAM.CreatePolicyVersion(ctx, a.stack.Account, a.physical, document, true)
	return err
}

// dropVersion deletes a version of the managed policy; one that is gone is no
// error.
func (a *action) dropVersion(ctx context.Context, id string) error {
	if err := a.allow("iam:DeletePolicyVersion", a.physical); err != nil {
		return err
	}
	err := a.IAM.DeletePolicyVersion(ctx, a.stack.Account, a.physical, id)
	if isNotFound(err) {
		return nil
	}
	return err
}

// dropVersions deletes the versions of the managed policy that are not the
// default.
func (a *action) dropVersions(ctx context.Context) error {
	p, err := a.IAM.GetPolicy(a.stack.Account, a.physical)
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, v := range p.Versions {
		if v.ID == p.Default {
			continue
		}
		if err := a.dropVersion(ctx, v.ID); err != nil {
			return err
		}
	}
	return nil
}

func deleteManaged(ctx context.Context, a *action) error {
	_, roles, err := wantManaged(a, a.props)
	if err != nil {
		return err
	}
	if err := a.allow("iam:DeletePolicy", a.physical); err != nil {
		return err
	}
	if err := a.detach(ctx, roles); err != nil {
		return err
	}
	if err := a.dropVersions(ctx); err != nil {
		return err
	}
	err = a.IAM.DeletePolicy(ctx, a.stack.Account, a.physical)
	if isNotFound(err) {
		return nil
	}
	return err
}
