package stack

import (
	"bytes"
	"context"
	"errors"

	"twinbucket/fault"
	"twinbucket/identity"
	"twinbucket/policy"
)

// policyKind is AWS::IAM::Policy: one inline policy on several identities.
var policyKind = kind{
	attributes: []string{"Id"},
	name:       func(a *action) (string, error) { return a.generated(64, false), nil },
	create:     createPolicy,
	update:     updatePolicy,
	delete:     deletePolicy,
}

// holder is an identity that has a policy.
type holder struct {
	kind identity.Kind
	name string
}

// holders reads the properties that list identities.
func holders(p *properties) []holder {
	var out []holder
	for _, k := range []identity.Kind{identity.GroupKind, identity.RoleKind, identity.UserKind} {
		for _, name := range p.texts(k.Word() + "s") {
			out = append(out, holder{k, name})
		}
	}
	return out
}

// held returns what a holder is; NoSuchEntity if there is none.
func (a *action) held(h holder) (*identity.Identity, error) {
	return a.IAM.Identity(h.kind, a.stack.Account, h.name)
}

// inline is what a template wants of an inline policy.
type inline struct {
	name     string
	document []byte
	holders  []holder
}

func wantInline(a *action, props map[string]any) (*inline, error) {
	p := read(a.typ, props)
	w := &inline{name: p.need("PolicyName"), document: p.needDocument("PolicyDocument"), holders: holders(p)}
	if err := p.done(); err != nil {
		return nil, err
	}
	if len(w.holders) == 0 {
		return nil, fault.New(fault.Invalid, "ValidationError", "At least one of [Groups,Roles,Users] must be non-empty.").On(w.name)
	}
	return w, w.check()
}

func (w *inline) check() error {
	if err := identity.CheckName("policyName", w.name, 128); err != nil {
		return err
	}
	_, err := policy.Parse(w.document, policy.Identity)
	return err
}

// putInline puts the policy on its holders. If one fails, the others get back
// what they had.
func (a *action) putInline(ctx context.Context, w *inline) error {
	had := map[holder][]byte{}
	for _, h := range w.holders {
		i, err := a.held(h)
		if err == nil {
			err = a.allowOn(h.kind, i, "iam:Put"+h.kind.Word()+"Policy", nil)
		}
		if err == nil {
			err = a.IAM.PutInline(ctx, h.kind, i.Account, i.Name, w.name, w.document)
		}
		if err != nil {
			return errors.Join(err, a.restoreInline(ctx, w.name, had))
		}
		if had[h] = i.Inline[w.name]; a.resumed && bytes.Equal(had[h], w.document) {
			had[h] = nil // an earlier process put it
		}
	}
	return nil
}

// restoreInline gives holders the inline policies they had; nil means none.
func (a *action) restoreInline(ctx context.Context, policyName string, had map[holder][]byte) error {
	var errs []error
	for h, document := range had {
		if document == nil {
			errs = append(errs, a.IAM.DeleteInline(ctx, h.kind, a.stack.Account, h.name, policyName))
		} else {
			errs = append(errs, a.IAM.PutInline(ctx, h.kind, a.stack.Account, h.name, policyName, document))
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
		from.holders = without(from.holders, to.holders)
	}
	return map[string]string{"Id": a.physical}, a.dropInline(ctx, from)
}

// dropInline takes the policy off its holders; what is gone is no error.
func (a *action) dropInline(ctx context.Context, w *inline) error {
	for _, h := range w.holders {
		i, err := a.held(h)
		if isNotFound(err) || err == nil && i.Inline[w.name] == nil {
			continue
		}
		if err != nil {
			return err
		}
		if err := a.allowOn(h.kind, i, "iam:Delete"+h.kind.Word()+"Policy", nil); err != nil {
			return err
		}
		if err := a.IAM.DeleteInline(ctx, h.kind, i.Account, i.Name, w.name); err != nil && !isNotFound(err) {
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

// ownPolicyKind is AWS::IAM::UserPolicy, GroupPolicy or RolePolicy: one inline
// policy of one identity of kind k.
func ownPolicyKind(k identity.Kind) kind {
	want := func(a *action) (*inline, error) {
		p := read(a.typ, a.props)
		w := &inline{
			name: p.need("PolicyName"), document: p.needDocument("PolicyDocument"),
			holders: []holder{{k, p.need(k.Word() + "Name")}},
		}
		if err := p.done(); err != nil {
			return nil, err
		}
		return w, w.check()
	}
	put := func(ctx context.Context, a *action) (map[string]string, error) {
		w, err := want(a)
		if err != nil {
			return nil, err
		}
		return nil, a.putInline(ctx, w)
	}
	return kind{
		replace: []string{"PolicyName", k.Word() + "Name"},
		name: func(a *action) (string, error) {
			w, err := want(a)
			if err != nil {
				return "", err
			}
			return w.name + "|" + w.holders[0].name, nil
		},
		create: func(ctx context.Context, a *action) (map[string]string, error) {
			w, err := want(a)
			if err != nil {
				return nil, err
			}
			return nil, a.newInline(ctx, w)
		},
		update: put,
		delete: func(ctx context.Context, a *action) error {
			w, err := want(a)
			if err != nil {
				return err
			}
			return a.dropInline(ctx, w)
		},
	}
}

// newInline is putInline of a policy that its holder must not have yet, unless
// an earlier process put it.
func (a *action) newInline(ctx context.Context, w *inline) error {
	h := w.holders[0]
	i, err := a.held(h)
	if err != nil {
		return err
	}
	if err := a.allowOn(h.kind, i, "iam:Put"+h.kind.Word()+"Policy", nil); err != nil {
		return err
	}
	if have := i.Inline[w.name]; have != nil && !(a.resumed && bytes.Equal(have, w.document)) {
		return alreadyExists(a.physical)
	}
	return a.putInline(ctx, w)
}
