package iam

import (
	"context"
	"slices"
	"strings"
	"time"

	"twinbucket/arn"
	"twinbucket/fault"
)

// Account is an account with the access key of its root user.
type Account struct {
	Name      string    `json:"name"`
	ID        string    `json:"id"` // 12 digits
	Created   time.Time `json:"created"`
	AccessKey string    `json:"accessKey"`
	Secret    string    `json:"secret"`
}

// EnsureAccount returns the account with the given id and makes it, with a new
// root access key, if there is none; name is what people call it. Errors:
// fault.Invalid for an id that is not twelve digits or an empty name,
// fault.Exists if another account has the name or the account another name.
func (s *Service) EnsureAccount(ctx context.Context, name, id string) (Account, error) {
	if !arn.ValidAccount(id) {
		return Account{}, fault.Newf(fault.Invalid, "", "%q is not an account id", id).
			WithHint("an account id is twelve digits, such as 111111111111")
	}
	if name == "" || strings.ContainsFunc(name, notInAccountName) {
		return Account{}, fault.Newf(fault.Invalid, "", "%q is not a name for an account", name).
			WithHint("use letters, digits, '-', '_' and '.': it becomes the name of a profile")
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	for _, a := range s.Accounts() {
		switch {
		case a.ID == id && a.Name == name:
			return a, nil
		case a.ID == id:
			return Account{}, fault.Newf(fault.Exists, "", "account %s is called %q", id, a.Name).
				WithHint("use that name: %s=%s", a.Name, id)
		case a.Name == name:
			return Account{}, fault.Newf(fault.Exists, "", "%q is the name of account %s", name, a.ID).
				WithHint("give account %s another name", id)
		}
	}
	a := Account{Name: name, ID: id, Created: s.now().UTC(), AccessKey: newID("AKIA", 16), Secret: newSecret()}
	if _, err := s.accounts.Put(ctx, id, a, 0); err != nil {
		return Account{}, fault.Wrap("iam.account", id, err)
	}
	s.knowAccount(&a)
	return a, nil
}

func notInAccountName(c rune) bool {
	return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-_.", c)
}

// knowAccount puts an account into memory.
func (s *Service) knowAccount(a *Account) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byID[a.ID], s.byKey[a.AccessKey] = a, a
	s.revision.Add(1)
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

// hasAccount reports whether there is an account with this id.
func (s *Service) hasAccount(id string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.byID[id] != nil
}
