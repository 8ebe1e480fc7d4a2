package iam

import (
	"context"
	"errors"
	"slices"
	"sort"
	"strings"

	"twinbucket/fault"
	"twinbucket/identity"
	"twinbucket/policy"
)

// knownUser is a user with its documents compiled. It does not change.
type knownUser struct {
	user *identity.User
	arn  string
	documents
}

func noUser(name string) *fault.Error {
	return fault.Newf(fault.NotFound, "NoSuchEntity", "The user with name %s cannot be found.", name).On(name)
}

// CreateUser makes a user. Account and Name are needed; ID and Created are given
// by the service; Path "" means "/". Errors: those of User.Validate,
// EntityAlreadyExists, NoSuchEntity for a policy that does not exist.
func (s *Service) CreateUser(ctx context.Context, u identity.User) (*identity.User, error) {
	made := u.Clone()
	made.ID, made.Created = newID("AIDA", 17), s.now().UTC()
	if made.Path == "" {
		made.Path = "/"
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.userByName(made.Account, made.Name) != nil {
		return nil, fault.Newf(fault.Exists, "EntityAlreadyExists", "User with name %s already exists.", made.Name).On(made.Name)
	}
	return made, s.saveUser(ctx, made, nil)
}

// saveUser checks a user that is new (old is nil) or changed, stores it, and
// puts it into memory. The caller holds s.writing.
func (s *Service) saveUser(ctx context.Context, u, old *identity.User) error {
	if err := u.Validate(); err != nil {
		return err
	}
	if err := s.checkAttached(&u.Identity); err != nil {
		return err
	}
	if err := s.checkGroups(u); err != nil {
		return err
	}
	key := nameKey(u.Account, u.Name)
	if old != nil && key != nameKey(old.Account, old.Name) {
		put, err := s.users.Putting(key, *u, 0)
		if err == nil {
			err = s.catalog.Commit(ctx, s.users.Deleting(nameKey(old.Account, old.Name), anyRevision), put)
		}
		if err != nil {
			return fault.Wrap("iam.user", u.ARN(), err)
		}
		s.knowUser(u, old)
		return nil
	}
	revision := uint64(0)
	if old != nil {
		revision = anyRevision
	}
	if _, err := s.users.Put(ctx, key, *u, revision); err != nil {
		return fault.Wrap("iam.user", u.ARN(), err)
	}
	s.knowUser(u, old)
	return nil
}

// knowUser compiles a user and puts it into memory, in place of old if that is
// not nil.
func (s *Service) knowUser(u, old *identity.User) {
	k := &knownUser{user: u, arn: u.ARN(), documents: s.compile(identity.UserKind, &u.Identity)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old != nil {
		s.forget(old)
	}
	s.place(k)
	s.changed()
}

// place puts a user into memory; the caller holds s.mu.
func (s *Service) place(k *knownUser) {
	s.user[nameKey(k.user.Account, k.user.Name)] = k
	for _, key := range k.user.Keys {
		s.userKey[key.AccessKey] = k
	}
}

// forget takes a user out of memory; the caller holds s.mu.
func (s *Service) forget(u *identity.User) {
	delete(s.user, nameKey(u.Account, u.Name))
	for _, key := range u.Keys {
		delete(s.userKey, key.AccessKey)
	}
}

func (s *Service) userByName(account, name string) *knownUser {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.user[nameKey(account, name)]
}

// GetUser returns a user, which the caller must not change; NoSuchEntity if
// there is none.
func (s *Service) GetUser(account, name string) (*identity.User, error) {
	if k := s.userByName(account, name); k != nil {
		return k.user, nil
	}
	return nil, noUser(name)
}

// ListUsers returns the users of an account whose path begins with pathPrefix
// and whose name sorts behind after, at most max of them by name, and whether
// there are more.
func (s *Service) ListUsers(account, pathPrefix, after string, max int) ([]*identity.User, bool) {
	s.mu.RLock()
	var all []*identity.User
	for _, k := range s.user {
		if k.user.Account == account && strings.HasPrefix(k.user.Path, pathPrefix) {
			all = append(all, k.user)
		}
	}
	s.mu.RUnlock()
	return firstByName(all, after, max, func(u *identity.User) string { return u.Name })
}

// firstByName sorts a listing by name, whatever the case, and returns at most
// max of what sorts behind after, and whether there are more.
func firstByName[T any](all []T, after string, max int, name func(T) string) ([]T, bool) {
	slices.SortFunc(all, func(a, b T) int { return identity.CompareNames(name(a), name(b)) })
	if after != "" {
		all = all[sort.Search(len(all), func(i int) bool { return identity.CompareNames(name(all[i]), after) > 0 }):]
	}
	if len(all) > max {
		return all[:max], true
	}
	return all, false
}

// UpdateUser changes a user: change gets a clone, whose account, id and time of
// creation it must leave alone. Errors: those of change and of CreateUser,
// NoSuchEntity.
func (s *Service) UpdateUser(ctx context.Context, account, name string, change func(*identity.User) error) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	k := s.userByName(account, name)
	if k == nil {
		return noUser(name)
	}
	u := k.user.Clone()
	if err := change(u); err != nil {
		return err
	}
	if !strings.EqualFold(u.Name, k.user.Name) && s.userByName(account, u.Name) != nil {
		return fault.Newf(fault.Exists, "EntityAlreadyExists", "User with name %s already exists.", u.Name).On(u.Name)
	}
	return s.saveUser(ctx, u, k.user)
}

// DeleteUser removes a user; DeleteConflict while it has keys, policies or
// groups, NoSuchEntity if there is none.
func (s *Service) DeleteUser(ctx context.Context, account, name string) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	k := s.userByName(account, name)
	if k == nil {
		return noUser(name)
	}
	if err := bare(&k.user.Identity, k.arn); err != nil {
		return err
	}
	switch {
	case len(k.user.Groups) > 0:
		return fault.New(fault.Conflict, "DeleteConflict", "Cannot delete entity, must remove users from group first.").On(k.arn)
	case len(k.user.Keys) > 0:
		return fault.New(fault.Conflict, "DeleteConflict", "Cannot delete entity, must delete access keys first.").On(k.arn)
	}
	if err := s.users.Delete(ctx, nameKey(account, name), anyRevision); err != nil && !errors.Is(err, fault.NotFound) {
		return fault.Wrap("iam.user", k.arn, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(k.user)
	s.changed()
	return nil
}

// sources returns the policies of a user and of its groups.
func (s *Service) sources(k *knownUser) []policy.Source {
	out := slices.Clip(k.identity)
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, name := range k.user.Groups {
		if g := s.group[nameKey(k.user.Account, name)]; g != nil {
			out = append(out, g.identity...)
		}
	}
	return out
}
