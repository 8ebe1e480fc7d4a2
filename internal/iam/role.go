package iam

import (
	"context"
	"errors"
	"maps"
	"strings"

	"twinbucket/arn"
	"twinbucket/fault"
	"twinbucket/identity"
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
		if err := s.CheckPrincipals(trust, r.Account); err != nil {
			return err
		}
		r.Trust = s.Bind(r.Trust)
	}
	if err := s.checkAttached(&r.Identity); err != nil {
		return err
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
	s.knowRole(r)
	return nil
}

// knowRole compiles a role and puts it into memory.
func (s *Service) knowRole(r *role.Role) {
	k := &knownRole{role: r, arn: r.ARN(), documents: s.compile(identity.RoleKind, &r.Identity)}
	k.trust = policy.Source{
		Kind: policy.TrustPolicy, Name: "the trust policy of role " + r.Name, Account: r.Account, Document: stored(r.Trust, policy.Trust),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.byName[nameKey(r.Account, r.Name)]; old != nil {
		delete(s.byARN, old.arn)
	}
	s.byName[nameKey(r.Account, r.Name)], s.byARN[k.arn] = k, k
	s.changed()
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
		if k.role.Account == account && strings.HasPrefix(k.role.Path, pathPrefix) {
			all = append(all, k.role)
		}
	}
	s.mu.RUnlock()
	return firstByName(all, after, max, func(r *role.Role) string { return r.Name })
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
	if k == nil {
		return noRole(name)
	}
	if err := bare(&k.role.Identity, k.arn); err != nil {
		return err
	}
	key := nameKey(account, name)
	if err := s.roles.Delete(ctx, key, anyRevision); err != nil && !errors.Is(err, fault.NotFound) {
		return fault.Wrap("iam.role", k.arn, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byName, key)
	delete(s.byARN, k.arn)
	s.changed()
	return nil
}

// PassRole reports whether c may hand a role to a service, such as
// "s3.amazonaws.com", "" if policies are not told to which: fault.Denied AccessDenied if the role belongs to another
// account or iam:PassRole is not allowed on it. facts are condition keys of the
// request.
func (s *Service) PassRole(c *Caller, roleARN, service string, facts map[string][]string) error {
	account, _, _, err := arn.RoleParts(roleARN)
	if err != nil {
		return err
	}
	if account != c.Account {
		return fault.New(fault.Denied, "AccessDenied", "Cross-account pass role is not allowed.").On(roleARN).
			WithHint("use a role of account %s", c.Account)
	}
	context := map[string][]string{}
	maps.Copy(context, facts)
	if service != "" {
		context["iam:passedtoservice"] = []string{service}
	}
	if k := s.roleByARN(roleARN); k != nil {
		maps.Copy(context, identity.TagFacts(k.role.Tags))
	}
	return s.Authorize(c, Access{Action: "iam:PassRole", Resource: roleARN, ResourceAccount: account, Context: context})
}
