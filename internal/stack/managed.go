package stack

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"twinbucket/fault"
	"twinbucket/identity"
	"twinbucket/internal/iam"
)

// managedPolicyKind is AWS::IAM::ManagedPolicy; its physical id is its ARN.
var managedPolicyKind = kind{
	replace:    []string{"ManagedPolicyName", "Path", "Description"},
	attributes: []string{"PolicyArn", "PolicyId"},
	name:       nameManaged,
	create:     createManaged,
	update:     updateManaged,
	delete:     deleteManaged,
}

func wantManaged(a *action, props map[string]any) (*iam.Policy, []holder, error) {
	p := read(a.typ, props)
	w := &iam.Policy{
		Account: a.stack.Account, Name: p.text("ManagedPolicyName"), Path: p.text("Path"),
		Description: p.text("Description"), Document: p.needDocument("PolicyDocument"),
	}
	if w.Path == "" {
		w.Path = "/"
	}
	holders := holders(p)
	if err := p.done(); err != nil {
		return nil, nil, err
	}
	return w, holders, iam.CheckDocument(w.Document)
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
	w, holders, err := wantManaged(a, a.props)
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
	if err := a.attach(ctx, holders); err != nil {
		return nil, errors.Join(err, a.detach(ctx, holders), a.IAM.DeletePolicy(ctx, w.Account, a.physical))
	}
	return map[string]string{"PolicyArn": a.physical, "PolicyId": made.ID}, nil
}

// attach attaches the managed policy to its holders.
func (a *action) attach(ctx context.Context, holders []holder) error {
	for _, h := range holders {
		i, err := a.held(h)
		if err != nil {
			return err
		}
		if err := a.allowAttach(h.kind, i, "Attach", a.physical); err != nil {
			return err
		}
		if err := a.IAM.Attach(ctx, h.kind, i.Account, i.Name, a.physical); err != nil {
			return err
		}
	}
	return nil
}

// detach takes the managed policy off holders that have it.
func (a *action) detach(ctx context.Context, holders []holder) error {
	for _, h := range holders {
		i, err := a.held(h)
		if isNotFound(err) || err == nil && !slices.Contains(i.Attached, a.physical) {
			continue
		}
		if err != nil {
			return err
		}
		if err := a.allowAttach(h.kind, i, "Detach", a.physical); err != nil {
			return err
		}
		if err := a.IAM.Detach(ctx, h.kind, i.Account, i.Name, a.physical); err != nil && !isNotFound(err) {
			return err
		}
	}
	return nil
}

func updateManaged(ctx context.Context, a *action) (map[string]string, error) {
	to, holders, err := wantManaged(a, a.props)
	if err != nil {
		return nil, err
	}
	from, old, err := wantManaged(a, a.old)
	if err != nil {
		return nil, err
	}
	fresh, gone := without(holders, old), without(old, holders)
	err = a.attach(ctx, holders)
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
	_, holders, err := wantManaged(a, a.props)
	if err != nil {
		return err
	}
	if err := a.allow("iam:DeletePolicy", a.physical); err != nil {
		return err
	}
	if err := a.detach(ctx, holders); err != nil {
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
