// Package iam keeps the accounts of a server with their root access keys, the
// roles, managed policies and role sessions in them, and answers the two
// questions every request raises: who is it (Authenticate) and may they
// (Authorize).
//
// Everything durable is a record in the catalog. All of it is also in memory,
// compiled, so that a decision does no I/O: records are read at New and
// refreshed by the method that changes them. Role sessions are not kept at
// all; their tokens carry them, sealed with a key from the catalog, and so
// outlive a restart.
//
// One thing is more lenient than AWS: the root user of an account may assume
// roles, so that a server is of use before it has IAM users.
package iam

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"twinbucket/fault"
	"twinbucket/identity"
	"twinbucket/internal/catalog"
	"twinbucket/internal/wake"
	"twinbucket/policy"
	"twinbucket/role"
)

// The kinds of records in the catalog.
const (
	accountKind = "iam-account" // by account id
	roleKind    = "iam-role"    // by ACCOUNT/name in lower case
	userKind    = "iam-user"    // by ACCOUNT/name in lower case
	groupKind   = "iam-group"   // by ACCOUNT/name in lower case
	policyKind  = "iam-policy"  // by ACCOUNT/name in lower case
	secretKind  = "iam-secret"  // one record, sealName
	sealName    = "session-key"
)

// pageSize is how many records New reads at a time.
const pageSize = 1000

// Service answers for the identities of one server. Its methods may be called
// from any goroutine.
type Service struct {
	now      func() time.Time
	catalog  *catalog.Catalog
	accounts *catalog.Table[Account]
	roles    *catalog.Table[role.Role]
	users    *catalog.Table[identity.User]
	groups   *catalog.Table[identity.Group]
	policies *catalog.Table[Policy]
	seal     []byte            // seals session tokens
	region   string            // "" for any
	errands  map[string]string // facts of what this server's services ask for
	publish  func([]Account) error

	writing  sync.Mutex   // held from reading what a change rests on until it is in memory
	mu       sync.RWMutex // guards the maps; held only while looking up or replacing
	byID     map[string]*Account
	byKey    map[string]*Account // by access key
	byName   map[string]*knownRole
	byARN    map[string]*knownRole
	user     map[string]*knownUser   // by nameKey
	userKey  map[string]*knownUser   // by access key
	group    map[string]*knownGroup  // by nameKey
	managed  map[string]*knownPolicy // by ARN
	revision atomic.Uint64
	changes  wake.Signal

	resourcePolicies cache[*policy.Document]
	sessions         cache[*session]
}

// knownRole is a role with its documents compiled. It does not change.
type knownRole struct {
	role  *role.Role
	arn   string
	trust policy.Source
	documents
}

// knownPolicy is a managed policy, compiled. It does not change.
type knownPolicy struct {
	policy   *Policy
	document *policy.Document
}

// New reads the identities from the catalog. now is the clock.
func New(c *catalog.Catalog, now func() time.Time) (*Service, error) {
	s := &Service{
		now:      now,
		errands:  policy.ServiceFacts(""),
		catalog:  c,
		accounts: catalog.Of[Account](c, accountKind),
		roles:    catalog.Of[role.Role](c, roleKind),
		users:    catalog.Of[identity.User](c, userKind),
		groups:   catalog.Of[identity.Group](c, groupKind),
		policies: catalog.Of[Policy](c, policyKind),
		byID:     map[string]*Account{},
		byKey:    map[string]*Account{},
		byName:   map[string]*knownRole{},
		byARN:    map[string]*knownRole{},
		user:     map[string]*knownUser{},
		userKey:  map[string]*knownUser{},
		group:    map[string]*knownGroup{},
		managed:  map[string]*knownPolicy{},
	}
	s.revision.Store(1)
	for _, p := range awsManaged {
		s.knowPolicy(&p)
	}
	load := []func() error{
		func() error { return each(s.accounts, func(a Account) { a.complete(); s.knowAccount(&a, nil) }) },
		func() error { return each(s.policies, func(p Policy) { s.knowPolicy(&p) }) },
		func() error { return each(s.roles, func(r role.Role) { s.knowRole(&r) }) },
		func() error { return each(s.groups, func(g identity.Group) { s.knowGroup(&g) }) },
		func() error { return each(s.users, func(u identity.User) { s.knowUser(&u, nil) }) },
		func() error { return s.loadSeal(c) },
	}
	for _, f := range load {
		if err := f(); err != nil {
			return nil, fault.Wrap("iam.new", "", err)
		}
	}
	return s, nil
}

// each calls f with every value of a table.
func each[T any](t *catalog.Table[T], f func(T)) error {
	after := ""
	for {
		records, more, err := t.List("", after, pageSize)
		if err != nil {
			return err
		}
		for _, r := range records {
			f(r.Value)
			after = r.Name
		}
		if !more {
			return nil
		}
	}
}

// loadSeal reads the key that seals session tokens, and makes it the first
// time.
func (s *Service) loadSeal(c *catalog.Catalog) error {
	secrets := catalog.Of[[]byte](c, secretKind)
	key, _, err := secrets.Get(sealName)
	if errors.Is(err, fault.NotFound) {
		key = randomBytes(32)
		_, err = secrets.Put(context.Background(), sealName, key, 0)
	}
	s.seal = key
	return err
}

// SetRegion makes Authenticate refuse signatures for other regions; the global
// services IAM and STS may also be signed for us-east-1. Without it any region
// will do. Call it before the first request.
func (s *Service) SetRegion(region string) {
	s.region, s.errands = region, policy.ServiceFacts(region)
}

// Revision grows with every change of an identity or a policy; whoever caches
// a decision keys it by this.
func (s *Service) Revision() uint64 { return s.revision.Load() }

// Changed returns a channel that is closed when an identity or a policy changes.
func (s *Service) Changed() <-chan struct{} { return s.changes.Wait() }

// changed says that an identity or a policy changed.
func (s *Service) changed() {
	s.revision.Add(1)
	s.changes.Notify()
}

// randomBytes returns n bytes nobody can guess.
func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand, since Go 1.24
	return b
}

// newID returns prefix and n characters A-Z 2-7, as AWS's unique ids look.
func newID(prefix string, n int) string {
	return prefix + base32.StdEncoding.EncodeToString(randomBytes(n))[:n]
}

// newSecret returns a secret access key: 40 characters.
func newSecret() string { return base64.StdEncoding.EncodeToString(randomBytes(30)) }

// nameKey is the key of what is called name in an account: names differ by
// more than case.
func nameKey(account, name string) string { return account + "/" + strings.ToLower(name) }

// cache keeps derived things by text. When full it forgets everything: what is
// in use comes back at once.
type cache[T any] struct {
	mu   sync.RWMutex
	m    map[string]T
	size int // bytes of keys
}

const (
	cacheEntries = 4096
	cacheBytes   = 16 << 20
)

// get returns what was put for key.
func (c *cache[T]) get(key []byte) (v T, ok bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	v, ok = c.m[string(key)]
	return v, ok
}

func (c *cache[T]) put(key []byte, v T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m == nil || len(c.m) >= cacheEntries || c.size > cacheBytes {
		c.m, c.size = map[string]T{}, 0
	}
	c.m[string(key)] = v
	c.size += len(key)
}
