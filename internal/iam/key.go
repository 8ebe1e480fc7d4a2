package iam

import (
	"context"
	"slices"

	"twinbucket/identity"
)

// NewKeyID returns the id of an access key that is yet to be made.
func NewKeyID() string { return newID("AKIA", 16) }

// newKey makes an access key.
func (s *Service) newKey() identity.Key {
	return identity.Key{AccessKey: NewKeyID(), Secret: newSecret(), Created: s.now().UTC()}
}

// Keys returns the access keys of a user, with user "" those of the account's
// root user. The caller must not change them. NoSuchEntity if there is no such
// user.
func (s *Service) Keys(account, user string) (identity.Keys, error) {
	if user != "" {
		u, err := s.GetUser(account, user)
		if err != nil {
			return nil, err
		}
		return u.Keys, nil
	}
	a, err := s.account(account)
	if err != nil {
		return nil, err
	}
	return a.Keys, nil
}

// UpdateKeys changes the access keys of a user, with user "" of the root user:
// change gets a copy. Errors: those of change, LimitExceeded, NoSuchEntity.
func (s *Service) UpdateKeys(ctx context.Context, account, user string, change func(*identity.Keys) error) error {
	if user != "" {
		return s.UpdateUser(ctx, account, user, func(u *identity.User) error { return change(&u.Keys) })
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	old, err := s.account(account)
	if err != nil {
		return err
	}
	a := *old
	a.Keys = slices.Clone(old.Keys)
	if err := change(&a.Keys); err != nil {
		return err
	}
	return s.saveAccount(ctx, &a, old)
}

// CreateKey gives a user, with user "" the root user, another access key:
// LimitExceeded if it has two.
func (s *Service) CreateKey(ctx context.Context, account, user string) (identity.Key, error) {
	key := s.newKey()
	return key, s.UpdateKeys(ctx, account, user, func(k *identity.Keys) error {
		*k = append(*k, key)
		return nil
	})
}

// AddKey gives a user an access key with the id and state of k, and a secret of
// its own. Of a key that the user has already nothing changes, so that whoever
// chose the id may ask again. Errors: those of CreateKey.
func (s *Service) AddKey(ctx context.Context, account, user string, k identity.Key) (identity.Key, error) {
	k.Secret, k.Created = newSecret(), s.now().UTC()
	err := s.UpdateKeys(ctx, account, user, func(keys *identity.Keys) error {
		if i, err := keys.Find(k.AccessKey); err == nil {
			k = (*keys)[i]
			return nil
		}
		*keys = append(*keys, k)
		return nil
	})
	return k, err
}

// KeyOwner returns whose a long-lived access key is: an account and the name of
// the user in it, which is "" for the root user.
func (s *Service) KeyOwner(accessKey string) (account, user string, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if a := s.byKey[accessKey]; a != nil {
		return a.ID, "", true
	}
	if k := s.userKey[accessKey]; k != nil {
		return k.user.Account, k.user.Name, true
	}
	return "", "", false
}
