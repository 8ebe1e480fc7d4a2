package iam

import (
	"bytes"
	"strings"

	"twinbucket/arn"
	"twinbucket/policy"
)

// Access is what a caller wants to do.
type Access struct {
	Action          string              // "s3:GetObject"
	Resource        string              // ARN; "*" for actions without one
	ResourceAccount string              // owner of the resource; "" means the caller
	Policy          []byte              // JSON of the policy of the bucket or key; nil if there is none
	Block           []byte              // XML of the bucket's public access block; nil if there is none
	Context         map[string][]string // condition keys in lower case
	// Policy belongs to another account than the resource, which is an object
	// in that account's bucket: it can deny, and not allow.
	DenyOnly bool
	Granted  Grant // by an access control list
}

// Grant is what an access control list adds to the policies: the action is
// allowed to somebody. The zero Grant adds nothing.
type Grant struct {
	To string // account id, or "*" for everybody
	By string // for people: "the ACL of bucket b, which grants READ to ..."
}

// document is the policy that says what the grant says.
func (g Grant) document() []byte {
	return []byte(`{"Statement":{"Effect":"Allow","Principal":{"AWS":"` + g.To + `"},"Action":"s3:*","Resource":"arn:aws:s3:::*"}}`)
}

// The documents that stand in for what cannot be read or is gone.
var (
	denyIdentity = mustParse(`{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}`, policy.Identity)
	denyTrust    = mustParse(`{"Statement":{"Effect":"Deny","Principal":"*","Action":"sts:*"}}`, policy.Trust)
	denyResource = mustParse(`{"Statement":{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}}`, policy.Key)
)

func mustParse(text string, kind policy.Kind) *policy.Document {
	d, err := policy.Parse([]byte(text), kind)
	if err != nil {
		panic("iam: " + err.Error())
	}
	return d
}

// Authorize returns nil if c may do a, else fault.Denied AccessDenied with
// AWS's text and a hint at what would have to change. It does no I/O.
func (s *Service) Authorize(c *Caller, a Access) error {
	d, req := s.decide(c, a)
	if d.Allowed {
		return nil
	}
	s.name(c, d, a)
	return d.Err(req)
}

// Decide is Authorize with all its reasons.
func (s *Service) Decide(c *Caller, a Access) (policy.Decision, *policy.Request) {
	d, req := s.decide(c, a)
	s.name(c, d, a)
	return d, req
}

func (s *Service) decide(c *Caller, a Access) (policy.Decision, *policy.Request) {
	req := &policy.Request{
		Principal: c.Principal, Action: a.Action, Resource: a.Resource, ResourceAccount: a.ResourceAccount,
		Context: a.Context, Time: s.now(),
	}
	sources := s.identity(c, 2)
	if a.Policy != nil || strings.HasPrefix(a.Action, "s3:") {
		src := policy.Source{Kind: policy.ResourcePolicy, Account: a.ResourceAccount, DenyOnly: a.DenyOnly}
		if !s.restricted(c, a) {
			src.Document = s.resourcePolicy(a.Policy, a.kind())
		}
		sources = append(sources, src)
		if a.Granted.To != "" {
			sources = append(sources, policy.Source{
				Kind: policy.ResourcePolicy, Account: a.ResourceAccount, Name: a.Granted.By, Document: s.resourcePolicy(a.Granted.document(), policy.Resource),
			})
		}
	}
	return policy.Decide(req, sources), req
}

// restricted reports whether the bucket's public access block keeps c out
// whatever its policy says: if that is public, RestrictPublicBuckets lets only
// the owner's account and services in.
func (s *Service) restricted(c *Caller, a Access) bool {
	return c.Type != policy.ServicePrincipal && c.Account != a.ResourceAccount && bytes.Contains(a.Block, []byte("<RestrictPublicBuckets>true<")) &&
		len(a.Policy) > 0 && s.resourcePolicy(a.Policy, policy.Resource).Public()
}

// name gives the source of the bucket policy its name, which takes time that
// decisions without questions do not have.
func (s *Service) name(c *Caller, d policy.Decision, a Access) {
	for _, src := range d.Sources() {
		if src.Kind != policy.ResourcePolicy || src.Name != "" {
			continue
		}
		if a.kind() == policy.Key {
			src.Name = "the policy of key " + a.Resource
			continue
		}
		src.Name = "the bucket policy of " + bucketOf(a.Resource)
		if a.DenyOnly {
			src.Name += " (which allows nothing for an object of account " + a.ResourceAccount + ": that account's policies and the object's ACL do)"
		}
		if s.restricted(c, a) {
			src.Name += " (which is public now, so that RestrictPublicBuckets lets no other account in)"
		}
	}
}

func bucketOf(resource string) string {
	a, err := arn.Parse(resource)
	if err != nil {
		return resource
	}
	bucket, _, _ := strings.Cut(a.Resource, "/")
	return bucket
}

// identity returns the documents that come with a caller, in a list with room
// for more.
func (s *Service) identity(c *Caller, room int) []policy.Source {
	var own, boundary []policy.Source
	switch c.Type {
	case policy.RoleSession:
		k := s.roleByARN(c.Role)
		if k == nil || !isOf(k.role.ID, c.UserID) {
			return gone(c, "role "+c.Role, room)
		}
		own, boundary = k.identity, k.boundary
	case policy.User, policy.FederatedUser:
		if c.Type == policy.FederatedUser && c.Lender == "" { // of the root user
			break
		}
		k := s.userByID(c)
		if k == nil {
			return gone(c, "user "+c.ARN, room)
		}
		own, boundary = s.sources(k), k.boundary
	}
	out := make([]policy.Source, 0, len(own)+len(boundary)+len(c.Session)+room)
	out = append(append(out, own...), boundary...)
	return append(out, c.Session...)
}

// gone is what a caller has that was deleted.
func gone(c *Caller, who string, room int) []policy.Source {
	return append(make([]policy.Source, 0, 1+room), policy.Source{
		Kind: policy.IdentityPolicy, Name: who + ", which was deleted,", Account: c.Account, Document: denyIdentity,
	})
}

// userByID returns the user that a caller is or borrows from, as it is now; nil
// if it was deleted.
func (s *Service) userByID(c *Caller) *knownUser {
	name, id := c.UserName(), c.UserID
	if c.Type == policy.FederatedUser {
		name, id = c.Role[strings.LastIndexByte(c.Role, '/')+1:], c.Lender
	}
	k := s.userByName(c.Account, name)
	if k == nil || k.user.ID != id {
		return nil
	}
	return k
}

// isOf reports whether userID, "AROA...:session", is of the role with id.
func isOf(id, userID string) bool {
	return len(userID) > len(id) && userID[:len(id)] == id && userID[len(id)] == ':'
}

// kind returns the kind of the policy of the resource.
func (a *Access) kind() policy.Kind {
	if strings.HasPrefix(a.Action, "kms:") {
		return policy.Key
	}
	return policy.Resource
}

// resourcePolicy compiles the policy of a bucket or key, once. One that cannot be
// read denies everything.
func (s *Service) resourcePolicy(data []byte, kind policy.Kind) *policy.Document {
	if len(data) == 0 {
		return nil
	}
	if d, ok := s.resourcePolicies.get(data); ok {
		return d
	}
	d, err := policy.Parse(data, kind)
	if err != nil {
		d = denyResource
	}
	s.resourcePolicies.put(data, d)
	return d
}
