package iam

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"twinbucket/arn"
	"twinbucket/fault"
	"twinbucket/policy"
	"twinbucket/role"
)

// temporaryPrefix begins the access keys of sessions.
const temporaryPrefix = "ASIA"

// sealed is what a session token holds. New fields must be optional: tokens
// outlive an upgrade.
type sealed struct {
	AccessKey  string            `json:"k"`
	Secret     string            `json:"s"`
	Account    string            `json:"a"`
	User       string            `json:"u,omitempty"` // name of the user whose session it is
	UserID     string            `json:"d,omitempty"`
	Role       string            `json:"r,omitempty"` // name of the role; with User "" too it is a session of the root user
	RoleID     string            `json:"i,omitempty"`
	Name       string            `json:"n,omitempty"` // of the session of a role, or of the federated user
	Issued     time.Time         `json:"t"`
	Expires    time.Time         `json:"e"`
	Policy     []byte            `json:"p,omitempty"`
	PolicyARNs []string          `json:"m,omitempty"`
	Tags       map[string]string `json:"g,omitempty"` // of the session, without the role's
	Transitive []string          `json:"v,omitempty"` // keys of the Tags that sessions begun with this one take over
	Source     string            `json:"o,omitempty"` // source identity
	Federated  bool              `json:"f,omitempty"` // the user, or the root user, lends to another one
}

// session is an opened token.
type session struct {
	sealed
	document *policy.Document // the policy given to AssumeRole; nil if none was
	as       atomic.Pointer[incarnation]
}

// incarnation is the principal of a session as its role was last seen.
type incarnation struct {
	role      *knownRole
	principal policy.Principal
}

// aead returns the cipher that seals tokens.
func (s *Service) aead() cipher.AEAD {
	block, err := aes.NewCipher(s.seal)
	if err != nil {
		panic("iam: the key of session tokens has a wrong length: " + err.Error())
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic("iam: " + err.Error())
	}
	return gcm
}

// close makes the token of a session.
func (s *Service) close(t *sealed) (string, error) {
	data, err := json.Marshal(t)
	if err != nil {
		return "", fault.Wrap("iam.token", t.AccessKey, err)
	}
	gcm := s.aead()
	nonce := randomBytes(gcm.NonceSize())
	return base64.StdEncoding.EncodeToString(gcm.Seal(nonce, nonce, data, nil)), nil
}

// open reads a token: InvalidToken if it was not made here. Whether the
// session has ended is for the caller to check.
func (s *Service) open(token string) (*session, error) {
	key := []byte(token)
	if t, ok := s.sessions.get(key); ok {
		return t, nil
	}
	data, err := base64.StdEncoding.DecodeString(token)
	gcm := s.aead()
	if err != nil || len(data) < gcm.NonceSize() {
		return nil, badToken("the session token is not one of this server")
	}
	plain, err := gcm.Open(nil, data[:gcm.NonceSize()], data[gcm.NonceSize():], nil)
	if err != nil {
		return nil, badToken("the session token is not one of this server")
	}
	t := &session{}
	if err := json.Unmarshal(plain, &t.sealed); err != nil {
		return nil, badToken("the session token was made by another version of this server")
	}
	if t.document, err = t.parse(); err != nil {
		return nil, err
	}
	s.sessions.put(key, t)
	return t, nil
}

// parse compiles the policy given to AssumeRole; nil if none was.
func (t *sealed) parse() (*policy.Document, error) {
	if len(t.Policy) == 0 {
		return nil, nil
	}
	return policy.Parse(t.Policy, policy.Identity)
}

// limits returns the policies that limit a session, the managed ones as they
// are now. One that is gone allows nothing.
func (s *Service) limits(t *session) []policy.Source {
	var out []policy.Source
	action := "AssumeRole"
	if t.Federated {
		action = "GetFederationToken"
	}
	if t.document != nil {
		out = append(out, policy.Source{Kind: policy.SessionPolicy, Name: "the policy given to " + action, Account: t.Account, Document: t.document})
	}
	for _, name := range t.PolicyARNs {
		src := policy.Source{Kind: policy.SessionPolicy, Name: "session policy " + name, Account: t.Account}
		if p := s.policyByARN(name, t.Account); p != nil {
			src.Document = p.document
		}
		out = append(out, src)
	}
	if t.Federated && len(out) == 0 {
		out = append(out, policy.Source{Kind: policy.SessionPolicy, Name: "the policies given to " + action + ", which are none", Account: t.Account})
	}
	return out
}

// principal returns who a session is now: InvalidToken if its role was
// deleted, also if another was made under the same name.
func (s *Service) principal(t *session) (policy.Principal, error) {
	p, err := s.bearer(t)
	if t.Federated && err == nil {
		p = federated(p, t.Name, t.Tags)
	}
	p.SourceIdentity, p.Issued = t.Source, t.Issued
	return p, err
}

// federated returns the principal to whom a user or root user lends.
func federated(lender policy.Principal, name string, tags map[string]string) policy.Principal {
	p := policy.Principal{
		Type: policy.FederatedUser, Account: lender.Account, ARN: arn.FederatedUser(lender.Account, name),
		Role: lender.ARN, UserID: lender.Account + ":" + name, Tags: over(lender.Tags, tags),
	}
	if lender.Type == policy.User {
		p.Lender = lender.UserID
	}
	return p
}

// transitive returns the tags that sessions begun with this one take over.
func (t *sealed) transitive() map[string]string {
	if len(t.Transitive) == 0 {
		return nil
	}
	out := map[string]string{}
	for key, value := range t.Tags {
		if slices.ContainsFunc(t.Transitive, func(k string) bool { return strings.EqualFold(k, key) }) {
			out[key] = value
		}
	}
	return out
}

// bearer returns the identity that a session is of.
func (s *Service) bearer(t *session) (policy.Principal, error) {
	if t.User != "" {
		k := s.userByName(t.Account, t.User)
		if k == nil || k.user.ID != t.UserID {
			return policy.Principal{}, badToken("user %s of account %s was deleted after the session began", t.User, t.Account)
		}
		return k.user.Principal(), nil
	}
	if t.Role == "" {
		s.mu.RLock()
		a := s.byID[t.Account]
		s.mu.RUnlock()
		if a == nil {
			return policy.Principal{}, badToken("account %s does not exist", t.Account)
		}
		return a.root(), nil
	}
	k := s.roleByName(t.Account, t.Role)
	if k == nil || k.role.ID != t.RoleID {
		return policy.Principal{}, badToken("role %s of account %s was deleted after the session began", t.Role, t.Account)
	}
	if as := t.as.Load(); as != nil && as.role == k {
		return as.principal, nil
	}
	as := &incarnation{k, withTags(k.role, t.Name, t.Tags)}
	t.as.Store(as)
	return as.principal, nil
}

// withTags returns a session of a role whose tags are on top of the role's.
func withTags(r *role.Role, name string, tags map[string]string) policy.Principal {
	p := r.Session(name)
	p.Tags = over(p.Tags, tags)
	return p
}

// over returns the tags of an identity with those of a session on top.
func over(own, tags map[string]string) map[string]string {
	if len(tags) == 0 {
		return own
	}
	out := maps.Clone(tags)
	for key, value := range own {
		if !hasFold(tags, key) {
			out[key] = value
		}
	}
	return out
}

// hasFold reports whether there is a tag of that key, whose case does not count.
func hasFold(tags map[string]string, key string) bool {
	for k := range tags {
		if strings.EqualFold(k, key) {
			return true
		}
	}
	return false
}
