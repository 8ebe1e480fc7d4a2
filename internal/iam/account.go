package iam

import (
	"context"
	"slices"
	"strings"
	"time"

	"twinbucket/arn"
	"twinbucket/fault"
	"twinbucket/identity"
)

// Account is an account with the access keys of its root user.
type Account struct {
	Name    string        `json:"name"`
	ID      string        `json:"id"` // 12 digits
	Created time.Time     `json:"created"`
	Keys    identity.Keys `json:"keys,omitempty"` // the caller must not change them

	// AccessKey and Secret are the first of Keys that works; "" if none does.
	// In records of before there were several they are the only one.
	AccessKey string `json:"accessKey"`
	Secret    string `json:"secret"`
}

// complete makes the list of keys of an account whose record has none.
func (a *Account) complete() {
	if len(a.Keys) == 0 && a.AccessKey != "" {
		a.Keys = identity.Keys{{AccessKey: a.AccessKey, Secret: a.Secret, Created: a.Created}}
	}
}

// choose sets AccessKey and Secret.
func (a *Account) choose() {
	a.AccessKey, a.Secret = "", ""
	if k := a.Keys.Working(); k != nil {
		a.AccessKey, a.Secret = k.AccessKey, k.Secret
	}
}

// SetPublisher has publish called with all accounts whenever one is made or
// its AccessKey changed, before the method that did it returns: with an error
// if publish had one. Call it before the first request.
func (s *Service) SetPublisher(publish func([]Account) error) { s.publish = publish }

// EnsureAccount is AddAccount for whom it does not matter whether the account
// was there.
func (s *Service) EnsureAccount(ctx context.Context, name, id string) (Account, error) {
	a, _, err := s.AddAccount(ctx, name, id)
	return a, err
}

// AddAccount makes an account with the given id and a root access key, unless
// it is there already: made tells which. name is what people call it. Errors:
// fault.Invalid for an id that is not twelve digits or a name that is none,
// fault.Exists if another account has the name or the account another name.
func (s *Service) AddAccount(ctx context.Context, name, id string) (a Account, made bool, err error) {
	if !arn.ValidAccount(id) {
		return Account{}, false, fault.Newf(fault.Invalid, "", "%q is not an account id", id).
			WithHint("an account id is twelve digits, such as 111111111111")
	}
	if name == "" || len(name) > maxAccountName || strings.ContainsFunc(name, notInAccountName) {
		return Account{}, false, fault.Newf(fault.Invalid, "", "%q is not a name for an account", name).
			WithHint("use up to %d letters, digits, '-', '_' and '.': it becomes the name of a profile", maxAccountName)
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	for _, a := range s.Accounts() {
		switch {
		case a.ID == id && a.Name == name:
			return a, false, s.published()
		case a.ID == id:
			return Account{}, false, fault.Newf(fault.Exists, "", "account %s is called %q", id, a.Name).
				WithHint("use that name: %s=%s", a.Name, id)
		case a.Name == name:
			return Account{}, false, fault.Newf(fault.Exists, "", "%q is the name of account %s", name, a.ID).
				WithHint("give account %s another name", id)
		}
	}
	key := s.newKey()
	a = Account{Name: name, ID: id, Created: key.Created, Keys: identity.Keys{key}}
	err = s.saveAccount(ctx, &a, nil)
	return a, err == nil, err
}

// RotateKey gives the root user of the account called name a new access key
// in place of all that it has, which stop working at once. fault.NotFound if
// there is no such account.
func (s *Service) RotateKey(ctx context.Context, name string) (Account, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	all := s.Accounts()
	i := slices.IndexFunc(all, func(a Account) bool { return a.Name == name })
	if i < 0 {
		names := make([]string, len(all))
		for i, a := range all {
			names[i] = a.Name
		}
		return Account{}, fault.Newf(fault.NotFound, "", "there is no account %q", name).
			WithHint("the accounts are: %s", strings.Join(names, ", "))
	}
	a := all[i]
	a.Keys = identity.Keys{s.newKey()}
	err := s.saveAccount(ctx, &a, &all[i])
	return a, err
}

// saveAccount checks an account that is new (old is nil) or has other keys,
// stores it, and puts it into memory. The caller holds s.writing.
func (s *Service) saveAccount(ctx context.Context, a, old *Account) error {
	if err := a.Keys.Validate(); err != nil {
		return err
	}
	a.choose()
	revision := uint64(0)
	if old != nil {
		revision = anyRevision
	}
	if _, err := s.accounts.Put(ctx, a.ID, *a, revision); err != nil {
		return fault.Wrap("iam.account", a.ID, err)
	}
	known := *a
	s.knowAccount(&known, old)
	if old != nil && old.AccessKey == a.AccessKey {
		return nil
	}
	return s.published()
}

// published has the accounts published as they are now. The caller holds
// s.writing.
func (s *Service) published() error {
	if s.publish == nil {
		return nil
	}
	return s.publish(s.Accounts())
}

// maxAccountName is the longest name of an account, in bytes.
const maxAccountName = 64

func notInAccountName(c rune) bool {
	return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-_.", c)
}

// knowAccount puts an account into memory, in place of old if that is not nil.
func (s *Service) knowAccount(a, old *Account) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old != nil {
		for _, k := range old.Keys {
			delete(s.byKey, k.AccessKey)
		}
	}
	s.byID[a.ID] = a
	for _, k := range a.Keys {
		s.byKey[k.AccessKey] = a
	}
	s.changed()
}

// Accounts returns all accounts, sorted by id.
func (s *Service) Accounts() []Account {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]Account, 0, len(s.byID))
	for _, a := range s.byID {
		out = append(out, *a)
	}
	slices.SortFunc(out, func(a, b Account) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// AccountName returns what people call an account, its id if there is none.
func (s *Service) AccountName(id string) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if a := s.byID[id]; a != nil {
		return a.Name
	}
	return id
}

// account returns an account, which the caller must not change; NoSuchEntity
// if there is none.
func (s *Service) account(id string) (*Account, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if a := s.byID[id]; a != nil {
		return a, nil
	}
	return nil, fault.Newf(fault.NotFound, "NoSuchEntity", "The account %s cannot be found.", id).On(id)
}

// hasAccount reports whether there is an account with this id.
func (s *Service) hasAccount(id string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.byID[id] != nil
}
