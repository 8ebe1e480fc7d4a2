package iam

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"twinbucket/fault"
	"twinbucket/identity"
	"twinbucket/policy"
	"twinbucket/role"
)

// documents are the policies of an identity, compiled. They do not change.
type documents struct {
	identity []policy.Source
	boundary []policy.Source // one, or none
}

// stored compiles a document that was checked when it was put. A program before
// this one may have taken what is refused today: such a document denies
// everything, as a bucket policy that cannot be read does.
func stored(text []byte, kind policy.Kind) *policy.Document {
	d, err := policy.Parse(text, kind)
	switch {
	case err == nil:
		return d
	case kind == policy.Trust:
		return denyTrust
	}
	return denyIdentity
}

// compile compiles the policies of an identity.
func (s *Service) compile(k identity.Kind, i *identity.Identity) (d documents) {
	for _, name := range i.Policies() {
		d.identity = append(d.identity, policy.Source{
			Kind: policy.IdentityPolicy, Account: i.Account, Document: stored(i.Inline[name], policy.Identity), ID: name,
			Name: fmt.Sprintf("inline policy %q of %s %s", name, k, i.Name),
		})
	}
	for _, name := range i.Attached {
		d.identity = append(d.identity, s.attached(policy.IdentityPolicy, name, k, i))
	}
	if i.Boundary != "" {
		d.boundary = []policy.Source{s.attached(policy.Boundary, i.Boundary, k, i)}
	}
	return d
}

// attached returns a managed policy of an identity as a source. If it is gone
// the source has no document, which allows nothing.
func (s *Service) attached(kind policy.SourceKind, name string, k identity.Kind, i *identity.Identity) policy.Source {
	src := policy.Source{
		Kind: kind, Account: i.Account, Name: fmt.Sprintf("managed policy %s of %s %s", name, k, i.Name),
		ID: name[strings.LastIndexByte(name, '/')+1:],
	}
	if p := s.policyByARN(name, i.Account); p != nil {
		src.Document = p.document
	}
	return src
}

// with returns the documents with that of a policy replaced by a newer one.
func (d documents) with(old, document *policy.Document) documents {
	for _, list := range []*[]policy.Source{&d.identity, &d.boundary} {
		*list = slices.Clone(*list)
		for i := range *list {
			if (*list)[i].Document == old {
				(*list)[i].Document = document
			}
		}
	}
	return d
}

// uses reports whether an identity has a managed policy, and whether that is
// its boundary.
func uses(i *identity.Identity, name string) (attached, boundary bool) {
	return slices.Contains(i.Attached, name), i.Boundary == name
}

// checkAttached reports whether the managed policies of an identity exist:
// NoSuchEntity.
func (s *Service) checkAttached(i *identity.Identity) error {
	for _, name := range i.Attached {
		if s.policyByARN(name, i.Account) == nil {
			return fault.Newf(fault.NotFound, "NoSuchEntity", "Policy %s does not exist or is not attachable.", name).On(name).
				WithHint("%s", attachable(i.Account))
		}
	}
	if i.Boundary != "" && s.policyByARN(i.Boundary, i.Account) == nil {
		return fault.Newf(fault.NotFound, "NoSuchEntity", "Scope ARN: %s does not exist or is not attachable.", i.Boundary).On(i.Boundary).
			WithHint("%s", attachable(i.Account))
	}
	return nil
}

// attachable says which managed policies there are.
func attachable(account string) string {
	names := make([]string, len(awsManaged))
	for i := range awsManaged {
		names[i] = awsManaged[i].ARN()
	}
	return "policies of account " + account + " can be attached, and " + strings.Join(names, ", ")
}

// bare reports whether an identity has no policies, so that it can be deleted:
// DeleteConflict.
func bare(i *identity.Identity, arn string) error {
	message := ""
	switch {
	case len(i.Attached) > 0:
		message = "Cannot delete entity, must detach all policies first."
	case len(i.Inline) > 0:
		message = "Cannot delete entity, must delete policies first."
	default:
		return nil
	}
	return fault.New(fault.Conflict, "DeleteConflict", message).On(arn)
}

// Identity returns what an identity of any kind is, which the caller must not
// change; NoSuchEntity if there is none.
func (s *Service) Identity(k identity.Kind, account, name string) (*identity.Identity, error) {
	switch k {
	case identity.UserKind:
		u, err := s.GetUser(account, name)
		if err != nil {
			return nil, err
		}
		return &u.Identity, nil
	case identity.GroupKind:
		g, err := s.GetGroup(account, name)
		if err != nil {
			return nil, err
		}
		return &g.Identity, nil
	}
	r, err := s.GetRole(account, name)
	if err != nil {
		return nil, err
	}
	return &r.Identity, nil
}

// UpdateIdentity changes an identity of any kind, as UpdateRole does a role.
func (s *Service) UpdateIdentity(ctx context.Context, k identity.Kind, account, name string, change func(*identity.Identity) error) error {
	switch k {
	case identity.UserKind:
		return s.UpdateUser(ctx, account, name, func(u *identity.User) error { return change(&u.Identity) })
	case identity.GroupKind:
		return s.UpdateGroup(ctx, account, name, func(g *identity.Group) error { return change(&g.Identity) })
	}
	return s.UpdateRole(ctx, account, name, func(r *role.Role) error { return change(&r.Identity) })
}

// PutInline adds or replaces an inline policy.
func (s *Service) PutInline(ctx context.Context, k identity.Kind, account, name, policyName string, document []byte) error {
	return s.UpdateIdentity(ctx, k, account, name, func(i *identity.Identity) error {
		if i.Inline == nil {
			i.Inline = map[string][]byte{}
		}
		i.Inline[policyName] = document
		return nil
	})
}

// GetInline returns an inline policy as it was put.
func (s *Service) GetInline(k identity.Kind, account, name, policyName string) ([]byte, error) {
	i, err := s.Identity(k, account, name)
	if err != nil {
		return nil, err
	}
	if document, ok := i.Inline[policyName]; ok {
		return document, nil
	}
	return nil, noInline(k, policyName)
}

func noInline(k identity.Kind, name string) error {
	return fault.Newf(fault.NotFound, "NoSuchEntity", "The %s policy with name %s cannot be found.", k, name).On(name)
}

// DeleteInline removes an inline policy.
func (s *Service) DeleteInline(ctx context.Context, k identity.Kind, account, name, policyName string) error {
	return s.UpdateIdentity(ctx, k, account, name, func(i *identity.Identity) error {
		if _, ok := i.Inline[policyName]; !ok {
			return noInline(k, policyName)
		}
		delete(i.Inline, policyName)
		return nil
	})
}

// Attach attaches a managed policy; attaching it again does nothing.
func (s *Service) Attach(ctx context.Context, k identity.Kind, account, name, policyARN string) error {
	return s.UpdateIdentity(ctx, k, account, name, func(i *identity.Identity) error {
		if !slices.Contains(i.Attached, policyARN) {
			i.Attached = append(i.Attached, policyARN)
		}
		return nil
	})
}

// Detach detaches a managed policy; NoSuchEntity if it is not attached.
func (s *Service) Detach(ctx context.Context, k identity.Kind, account, name, policyARN string) error {
	return s.UpdateIdentity(ctx, k, account, name, func(i *identity.Identity) error {
		at := slices.Index(i.Attached, policyARN)
		if at < 0 {
			return noPolicy(policyARN)
		}
		i.Attached = slices.Delete(i.Attached, at, at+1)
		return nil
	})
}
