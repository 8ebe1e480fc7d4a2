package iam

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"

	"twinbucket/fault"
	"twinbucket/identity"
	"twinbucket/internal/catalog"
)

// knownGroup is a group with its documents compiled. It does not change.
type knownGroup struct {
	group *identity.Group
	documents
}

func noGroup(name string) *fault.Error {
	return fault.Newf(fault.NotFound, "NoSuchEntity", "The group with name %s cannot be found.", name).On(name)
}

// CreateGroup makes a group, as CreateUser does a user.
func (s *Service) CreateGroup(ctx context.Context, g identity.Group) (*identity.Group, error) {
	made := g.Clone()
	made.ID, made.Created = newID("AGPA", 17), s.now().UTC()
	if made.Path == "" {
		made.Path = "/"
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.groupByName(made.Account, made.Name) != nil {
		return nil, groupExists(made.Name)
	}
	return made, s.saveGroup(ctx, made, 0)
}

func groupExists(name string) error {
	return fault.Newf(fault.Exists, "EntityAlreadyExists", "Group with name %s already exists.", name).On(name)
}

// checkGroup reports what is wrong with a group.
func (s *Service) checkGroup(g *identity.Group) error {
	if err := g.Validate(); err != nil {
		return err
	}
	return s.checkAttached(&g.Identity)
}

// saveGroup checks a group, stores it, and puts it into memory. The caller
// holds s.writing.
func (s *Service) saveGroup(ctx context.Context, g *identity.Group, revision uint64) error {
	if err := s.checkGroup(g); err != nil {
		return err
	}
	if _, err := s.groups.Put(ctx, nameKey(g.Account, g.Name), *g, revision); err != nil {
		return fault.Wrap("iam.group", g.ARN(), err)
	}
	s.knowGroup(g)
	return nil
}

// knowGroup compiles a group and puts it into memory.
func (s *Service) knowGroup(g *identity.Group) {
	d := s.compile(identity.GroupKind, &g.Identity)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.group[nameKey(g.Account, g.Name)] = &knownGroup{g, d}
	s.changed()
}

// forgetGroup takes a group out of memory.
func (s *Service) forgetGroup(k *knownGroup) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.group, nameKey(k.group.Account, k.group.Name))
	s.changed()
}

func (s *Service) groupByName(account, name string) *knownGroup {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.group[nameKey(account, name)]
}

// GetGroup returns a group, which the caller must not change; NoSuchEntity if
// there is none.
func (s *Service) GetGroup(account, name string) (*identity.Group, error) {
	if k := s.groupByName(account, name); k != nil {
		return k.group, nil
	}
	return nil, noGroup(name)
}

// ListGroups returns the groups of an account, as ListUsers does its users.
func (s *Service) ListGroups(account, pathPrefix, after string, max int) ([]*identity.Group, bool) {
	s.mu.RLock()
	var all []*identity.Group
	for _, k := range s.group {
		if k.group.Account == account && strings.HasPrefix(k.group.Path, pathPrefix) {
			all = append(all, k.group)
		}
	}
	s.mu.RUnlock()
	return firstByName(all, after, max, func(g *identity.Group) string { return g.Name })
}

// Members returns the users of a group whose name sorts behind after, at most
// max of them by name, and whether there are more.
func (s *Service) Members(account, group, after string, max int) ([]*identity.User, bool) {
	s.mu.RLock()
	var all []*identity.User
	for _, k := range s.user {
		if k.user.Account == account && k.user.In(group) {
			all = append(all, k.user)
		}
	}
	s.mu.RUnlock()
	return firstByName(all, after, max, func(u *identity.User) string { return u.Name })
}

// checkGroups reports whether the groups of a user exist: NoSuchEntity.
func (s *Service) checkGroups(u *identity.User) error {
	for _, name := range u.Groups {
		if _, err := s.GetGroup(u.Account, name); err != nil {
			return err
		}
	}
	return nil
}

// UpdateGroup changes a group, as UpdateUser does a user; its users follow a
// new name.
func (s *Service) UpdateGroup(ctx context.Context, account, name string, change func(*identity.Group) error) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	k := s.groupByName(account, name)
	if k == nil {
		return noGroup(name)
	}
	g := k.group.Clone()
	if err := change(g); err != nil {
		return err
	}
	if strings.EqualFold(g.Name, k.group.Name) {
		return s.saveGroup(ctx, g, anyRevision)
	}
	if s.groupByName(account, g.Name) != nil {
		return groupExists(g.Name)
	}
	return s.renameGroup(ctx, k, g)
}

// renameGroup stores a group under a new name and tells its users, all at
// once. The caller holds s.writing.
func (s *Service) renameGroup(ctx context.Context, old *knownGroup, g *identity.Group) error {
	if err := s.checkGroup(g); err != nil {
		return err
	}
	put, err := s.groups.Putting(nameKey(g.Account, g.Name), *g, 0)
	if err != nil {
		return err
	}
	changes := []catalog.Change{put, s.groups.Deleting(nameKey(g.Account, old.group.Name), anyRevision)}
	members, _ := s.Members(g.Account, old.group.Name, "", math.MaxInt)
	users := make([]*identity.User, len(members))
	for i, member := range members {
		users[i] = member.Clone()
		for j, name := range users[i].Groups {
			if strings.EqualFold(name, old.group.Name) {
				users[i].Groups[j] = g.Name
			}
		}
		if put, err = s.users.Putting(nameKey(member.Account, member.Name), *users[i], anyRevision); err != nil {
			return err
		}
		changes = append(changes, put)
	}
	if err := s.catalog.Commit(ctx, changes...); err != nil {
		return fault.Wrap("iam.group", g.ARN(), err)
	}
	s.knowGroup(g)
	for i, u := range users {
		s.knowUser(u, members[i])
	}
	s.forgetGroup(old)
	return nil
}

// DeleteGroup removes a group; DeleteConflict while it has users or policies,
// NoSuchEntity if there is none.
func (s *Service) DeleteGroup(ctx context.Context, account, name string) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	k := s.groupByName(account, name)
	if k == nil {
		return noGroup(name)
	}
	if err := bare(&k.group.Identity, k.group.ARN()); err != nil {
		return err
	}
	if members, _ := s.Members(account, name, "", 1); len(members) > 0 {
		return fault.New(fault.Conflict, "DeleteConflict", "Cannot delete entity, must remove users from group first.").On(k.group.ARN())
	}
	if err := s.groups.Delete(ctx, nameKey(account, name), anyRevision); err != nil && !errors.Is(err, fault.NotFound) {
		return fault.Wrap("iam.group", k.group.ARN(), err)
	}
	s.forgetGroup(k)
	return nil
}

// Join puts a user into a group; one that is in it already stays.
func (s *Service) Join(ctx context.Context, account, user, group string) error {
	return s.UpdateUser(ctx, account, user, func(u *identity.User) error {
		g, err := s.GetGroup(account, group)
		if err == nil && !u.In(group) {
			u.Groups = append(u.Groups, g.Name)
		}
		return err
	})
}

// Leave takes a user out of a group; one that is not in it stays out.
func (s *Service) Leave(ctx context.Context, account, user, group string) error {
	if _, err := s.GetGroup(account, group); err != nil {
		return err
	}
	return s.UpdateUser(ctx, account, user, func(u *identity.User) error {
		u.Groups = slices.DeleteFunc(u.Groups, func(name string) bool { return strings.EqualFold(name, group) })
		return nil
	})
}
