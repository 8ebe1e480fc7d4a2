package iam

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"twinbucket/arn"
	"twinbucket/fault"
	"twinbucket/policy"
	"twinbucket/role"
)

func noRole(name string) *fault.Error {
	return fault.Newf(fault.NotFound, "NoSuchEntity", "The role with name %s cannot be found.", name).On(name)
}

// CreateRole makes a role. Account, Name and Trust are needed; ID and Created
// are given by the service; Path "" means "/" and MaxSession 0 an hour. The
// role may come with policies and tags. Errors: those of Role.Validate,
// EntityAlreadyExists, MalformedPolicyDocument for a principal that does not
// exist, NoSuchEntity for a managed policy that does not exist.
func (s *Service) CreateRole(ctx context.Context, r role.Role) (*role.Role, error) {
	made := r.Clone()
	made.ID, made.Created = newID("AROA", 17), s.now().UTC()
	if made.Path == "" {
		made.Path = "/"
	}
	if made.MaxSession == 0 {
		made.MaxSession = role.DefaultSession
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.roleByName(made.Account, made.Name) != nil {
		return nil, fault.Newf(fault.Exists, "EntityAlreadyExists", "Role with name %s already exists.", made.Name).On(made.Name)
	}
	if err := s.saveRole(ctx, made, nil); err != nil {
		return nil, err
	}
	return made, nil
}

// saveRole checks a role that is new (old is nil) or changed, stores it, and
// puts it into memory. The caller holds s.writing.
func (s *Service) saveRole(ctx context.Context, r, old *role.Role) error {
	if err := r.Validate(); err != nil {
		return err
	}
	if old == nil || string(r.Trust) != string(old.Trust) {
		trust, err := policy.Parse(r.Trust, policy.Trust)
		if err != nil {
			return err
		}
		if err := s.CheckPrincipals(trust); err != nil {
			return err
		}
	}
	for _, name := range r.Attached {
		if s.policyByARN(name, r.Account) == nil {
			return fault.Newf(fault.NotFound, "NoSuchEntity", "Policy %s does not exist or is not attachable.", name).On(name).
				WithHint("%s", attachable(r.Account))
		}
	}
	if r.Boundary != "" && s.policyByARN(r.Boundary, r.Account) == nil {
		return fault.Newf(fault.NotFound, "NoSuchEntity", "Scope ARN: %s does not exist or is not attachable.", r.Boundary).On(r.Boundary).
			WithHint("%s", attachable(r.Account))
	}
	key := nameKey(r.Account, r.Name)
	var err error
	if old == nil {
		_, err = s.roles.Put(ctx, key, *r, 0)
	} else {
		err = s.roles.Update(ctx, key, func(stored *role.Role) error {
			*stored = *r
			return nil
		})
	}
	if err != nil {
		return fault.Wrap("iam.role", r.ARN(), err)
	}
	return s.knowRole(r)
}

// attachable says which managed policies there are.
func attachable(account string) string {
	names := make([]string, len(awsManaged))
	for i := range awsManaged {
		names[i] = awsManaged[i].ARN()
	}
	return "policies of account " + account + " can be attached, and " + strings.Join(names, ", ")
}

// knowRole compiles a role and puts it into memory.
func (s *Service) knowRole(r *role.Role) error {
	trust, err := policy.Parse(r.Trust, policy.Trust)
	if err != nil {
		return err
	}
	k := &knownRole{role: r, arn: r.ARN()}
	k.trust = policy.Source{Kind: policy.TrustPolicy, Name: "the trust policy of role " + r.Name, Account: r.Account, Document: trust}
	for _, name := range r.Policies() {
		document, err := policy.Parse(r.Inline[name], policy.Identity)
		if err != nil {
			return err
		}
		k.identity = append(k.identity, policy.Source{
			Kind: policy.IdentityPolicy, Account: r.Account, Document: document,
			Name: fmt.Sprintf("inline policy %q of role %s", name, r.Name),
		})
	}
	for _, name := range r.Attached {
		k.identity = append(k.identity, s.attached(policy.IdentityPolicy, name, r))
	}
	if r.Boundary != "" {
		k.boundary = []policy.Source{s.attached(policy.Boundary, r.Boundary, r)}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.byName[nameKey(r.Account, r.Name)]; old != nil {
		delete(s.byARN, old.arn)
	}
	s.byName[nameKey(r.Account, r.Name)], s.byARN[k.arn] = k, k
	s.revision.Add(1)
	return nil
}

// attached returns a managed policy of role r as a source. If it is gone the
// source has no document, which allows nothing.
func (s *Service) attached(kind policy.SourceKind, name string, r *role.Role) policy.Source {
	src := policy.Source{Kind: kind, Account: r.Account, Name: fmt.Sprintf("managed policy %s of role %s", name, r.Name)}
	if p := s.policyByARN(name, r.Account); p != nil {
		src.Document = p.document
	}
	return src
}

func (s *Service) roleByName(account, name string) *knownRole {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.byName[nameKey(account, name)]
}

func (s *Service) roleByARN(name string) *knownRole {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.byARN[name]
}

// GetRole returns a role, which the caller must not change; NoSuchEntity if
// there is none.
func (s *Service) GetRole(account, name string) (*role.Role, error) {
	if k := s.roleByName(account, name); k != nil {
		return k.role, nil
	}
	return nil, noRole(name)
}

// ListRoles returns the roles of an account whose path begins with pathPrefix
// and whose name sorts behind after, at most max of them by name, and whether
// there are more.
func (s *Service) ListRoles(account, pathPrefix, after string, max int) ([]*role.Role, bool) {
	s.mu.RLock()
	var all []*role.Role
	for _, k := range s.byName {
		if k.role.Account == account && strings.HasPrefix(k.role.Path, pathPrefix) && k.role.Name > after {
			all = append(all, k.role)
		}
	}
	s.mu.RUnlock()
	slices.SortFunc(all, func(a, b *role.Role) int { return strings.Compare(a.Name, b.Name) })
	if len(all) > max {
		return all[:max], true
	}
	return all, false
}

// UpdateRole changes a role: change gets a clone, whose account, path, name,
// id and time of creation it must leave alone. Errors: those of change and of
// CreateRole, NoSuchEntity.
func (s *Service) UpdateRole(ctx context.Context, account, name string, change func(*role.Role) error) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	k := s.roleByName(account, name)
	if k == nil {
		return noRole(name)
	}
	r := k.role.Clone()
	if err := change(r); err != nil {
		return err
	}
	return s.saveRole(ctx, r, k.role)
}

// DeleteRole removes a role; DeleteConflict while it has policies,
// NoSuchEntity if there is none.
func (s *Service) DeleteRole(ctx context.Context, account, name string) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	k := s.roleByName(account, name)
	conflict := func(message string) error {
		return fault.New(fault.Conflict, "DeleteConflict", message).On(k.arn)
	}
	switch {
	case k == nil:
		return noRole(name)
	case len(k.role.Attached) > 0:
		return conflict("Cannot delete entity, must detach all policies first.")
	case len(k.role.Inline) > 0:
		return conflict("Cannot delete entity, must delete policies first.")
	}
	key := nameKey(account, name)
	if err := s.roles.Delete(ctx, key, anyRevision); err != nil && !errors.Is(err, fault.NotFound) {
		return fault.Wrap("iam.role", k.arn, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byName, key)
	delete(s.byARN, k.arn)
	s.revision.Add(1)
	return nil
}

// PutRolePolicy adds or replaces an inline policy.
func (s *Service) PutRolePolicy(ctx context.Context, account, name, policyName string, document []byte) error {
	return s.UpdateRole(ctx, account, name, func(r *role.Role) error {
		if r.Inline == nil {
			r.Inline = map[string][]byte{}
		}
		r.Inline[policyName] = document
		return nil
	})
}

// GetRolePolicy returns an inline policy as it was put.
func (s *Service) GetRolePolicy(account, name, policyName string) ([]byte, error) {
	r, err := s.GetRole(account, name)
	if err != nil {
		return nil, err
	}
	if document, ok := r.Inline[policyName]; ok {
		return document, nil
	}
	return nil, noInline(policyName)
}

func noInline(name string) error {
	return fault.Newf(fault.NotFound, "NoSuchEntity", "The role policy with name %s cannot be found.", name).On(name)
}

// DeleteRolePolicy removes an inline policy.
func (s *Service) DeleteRolePolicy(ctx context.Context, account, name, policyName string) error {
	return s.UpdateRole(ctx, account, name, func(r *role.Role) error {
		if _, ok := r.Inline[policyName]; !ok {
			return noInline(policyName)
		}
		delete(r.Inline, policyName)
		return nil
	})
}

// AttachRolePolicy attaches a managed policy; attaching it again does nothing.
func (s *Service) AttachRolePolicy(ctx context.Context, account, name, policyARN string) error {
	return s.UpdateRole(ctx, account, name, func(r *role.Role) error {
		if !slices.Contains(r.Attached, policyARN) {
			r.Attached = append(r.Attached, policyARN)
		}
		return nil
	})
}

// DetachRolePolicy detaches a managed policy; NoSuchEntity if it is not
// attached.
func (s *Service) DetachRolePolicy(ctx context.Context, account, name, policyARN string) error {
	return s.UpdateRole(ctx, account, name, func(r *role.Role) error {
		i := slices.Index(r.Attached, policyARN)
		if i < 0 {
			return noPolicy(policyARN)
		}
		r.Attached = slices.Delete(r.Attached, i, i+1)
		return nil
	})
}

// PassRole reports whether c may hand a role to a service: fault.Denied
// AccessDenied if the role belongs to another account or iam:PassRole is not
// allowed on it.
func (s *Service) PassRole(c *Caller, roleARN string) error {
	account, _, _, err := arn.RoleParts(roleARN)
	if err != nil {
		return err
	}
	if account != c.Account {
		return fault.New(fault.Denied, "AccessDenied", "Cross-account pass role is not allowed.").On(roleARN).
			WithHint("use a role of account %s", c.Account)
	}
	return s.Authorize(c, Access{Action: "iam:PassRole", Resource: roleARN, ResourceAccount: account})
}
