package check

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/client"
	"twinbucket/fault"
	"twinbucket/identity"
	"twinbucket/policy"
	"twinbucket/role"
)

// checker gathers what it needs once, and reports.
type checker struct {
	accounts []*account // the source's first
	now      time.Time
	buckets  map[string]*place
	roles    map[string]*actor // by ARN
	you      *actor            // who the credentials of the source belong to, once it is read
	report   Report
}

// account is an account whose credentials we have, in a region.
type account struct {
	*client.Client
	id        client.Identity
	elsewhere map[string]*account    // the same in other regions
	all       []client.StackResource // of its stacks, once they are listed
	listed    bool
}

// begin finds out whose credentials the clients have, and reads the source
// bucket.
func begin(ctx context.Context, name string, source *client.Client, others []*client.Client) (*checker, *place, error) {
	c := &checker{now: time.Now(), buckets: map[string]*place{}, roles: map[string]*actor{}}
	for _, cl := range append([]*client.Client{source}, others...) {
		id, err := cl.GetCallerIdentity(ctx)
		if err != nil {
			return nil, nil, err
		}
		c.accounts = append(c.accounts, &account{Client: cl, id: id})
	}
	src, err := c.source(ctx, name)
	return c, src, err
}

// account returns the account with an id, nil if we have no credentials of it.
func (c *checker) account(id string) *account {
	for _, a := range c.accounts {
		if a.id.Account == id {
			return a
		}
	}
	return nil
}

// place is a bucket as far as it can be read.
type place struct {
	bucket.Bucket
	reader *client.Client // of its owner, in its region; nil if that is not known
	gone   bool           // there is no such bucket
	// unread holds why a document, or who owns the bucket ("owner"), is not known.
	unread   map[bucket.Document]error
	compiled *policy.Document // the bucket policy; nil if there is none, or none that is known
}

// neverVersioned reports whether the bucket is known to have no versions.
func (p *place) neverVersioned() bool {
	return !p.gone && p.unread[versioning] == nil && p.unread[owner] == nil && p.Versioning == bucket.Unversioned
}

// The things of a bucket that may not be known, beside its documents.
const (
	owner      bucket.Document = "owner"
	versioning bucket.Document = "versioning"
)

// documents are the settings that matter to replication.
var documents = []bucket.Document{
	bucket.Policy, bucket.PublicAccessBlock, bucket.OwnershipControls, bucket.ObjectLock, bucket.Encryption, bucket.RequestPayment, bucket.Replication,
}

// bucket reads a bucket through the account that owns it.
func (c *checker) bucket(ctx context.Context, name string) (*place, error) {
	if p, ok := c.buckets[name]; ok {
		return p, nil
	}
	p := &place{Bucket: bucket.Bucket{Name: name, Documents: map[bucket.Document][]byte{}}, unread: map[bucket.Document]error{}}
	c.buckets[name] = p
	a, err := c.ownerOf(ctx, name)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if errors.Is(err, fault.NotFound) {
			p.gone = true
			return p, nil
		}
		for _, d := range append([]bucket.Document{owner, versioning}, documents...) {
			p.unread[d] = err
		}
		return p, nil
	}
	p.Owner, p.Region, p.reader = a.id.Account, a.Region(), a.Client
	if p.Versioning, err = p.reader.GetBucketVersioning(ctx, name); err != nil {
		p.unread[versioning] = err
	}
	for _, d := range documents {
		data, err := p.reader.GetBucketDocument(ctx, name, d)
		switch {
		case err == nil:
			p.Documents[d] = data
		case errors.Is(err, fault.NotFound):
			if d == bucket.OwnershipControls {
				p.Documents[d] = nil // without the setting, ACLs are on
			}
		case ctx.Err() != nil:
			return nil, ctx.Err()
		default:
			p.unread[d] = err
		}
	}
	if data := p.Documents[bucket.Policy]; len(data) > 0 {
		if p.compiled, err = policy.Parse(data, policy.Resource); err != nil {
			p.unread[bucket.Policy] = fmt.Errorf("%s: %w", policyOf(p.Name), err)
		}
	}
	return p, nil
}

// policyOf names a bucket's policy for people.
func policyOf(bucket string) string { return "the bucket policy of " + bucket }

// ownerOf finds the account that owns a bucket, and returns it with a client in
// the bucket's region. Error: NotFound if there is no such bucket.
func (c *checker) ownerOf(ctx context.Context, name string) (*account, error) {
	region, err := c.accounts[0].BucketRegion(ctx, name)
	if errors.Is(err, fault.NotFound) {
		return nil, err
	}
	accounts := make([]*account, len(c.accounts))
	for i, a := range c.accounts {
		accounts[i] = a.in(region)
		if owns, err := accounts[i].OwnsBucket(ctx, name); err == nil && owns {
			return accounts[i], nil
		}
	}
	// Who may not list buckets may still look at one.
	ids := make([]string, len(accounts))
	for i, a := range accounts {
		if a.HeadBucketOf(ctx, name, a.id.Account) == nil {
			return a, nil
		}
		ids[i] = a.id.Account
	}
	return nil, fault.Newf(fault.Denied, "", "no credentials were given that may look at it (there are some of account %s)", strings.Join(slices.Compact(ids), ", ")).
		On(name).WithHint("add a profile of the account that owns %s with --dest-profile", name)
}

// actor is a principal with the policies that bear on what it does, as far as
// they can be read.
type actor struct {
	policy.Principal
	kind    identity.Kind
	name    string // of the identity
	sources []policy.Source
	targets map[string]target // of the documents, by the sources' names
	inline  []string          // names of the inline policies
	trust   policy.Source     // roles
	gone    bool              // there is no such role
	meant   string            // gone: the ARN of the role of that name
	unread  []error
}

// role reads a role. An account without credentials makes it unread.
func (c *checker) role(ctx context.Context, roleARN string) (*actor, error) {
	if a, ok := c.roles[roleARN]; ok {
		return a, nil
	}
	id, name, err := roleParts(roleARN)
	if err != nil {
		return nil, err
	}
	_, path, _, _ := arn.RoleParts(roleARN)
	r := role.Role{Identity: identity.Identity{Account: id, Path: path, Name: name, ID: "AROA-UNKNOWN"}}
	who := &actor{kind: identity.RoleKind, name: name, targets: map[string]target{}}
	who.trust = policy.Source{Kind: policy.TrustPolicy, Name: "the trust policy of role " + name, Account: id}
	who.targets[who.trust.Name] = target{account: id, kind: trustDocument, name: name}
	c.roles[roleARN] = who
	defer func() {
		who.Principal = r.Session("s3-replication")
		who.Facts = policy.ServiceFacts(c.accounts[0].Region())
	}()
	a := c.account(id)
	if a == nil {
		who.unread = append(who.unread, fault.Newf(fault.Denied, "", "no credentials of account %s were given", id))
		return who, nil
	}
	found, err := a.GetRole(ctx, name)
	switch {
	case errors.Is(err, fault.NotFound):
		who.gone = true
		return who, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		who.unread = append(who.unread, err)
		return who, nil
	}
	if found.ARN != roleARN {
		who.gone, who.meant = true, found.ARN
		return who, nil
	}
	r.ID, r.Tags, r.Boundary = found.ID, found.Tags, found.Boundary
	who.trust.Document = who.parse(found.Trust, policy.Trust, who.trust.Name)
	who.targets[who.trust.Name] = target{account: id, kind: trustDocument, name: name, text: found.Trust}
	return who, c.identity(ctx, a, who, &r.Identity)
}

// identity reads the policies of a role or user.
func (c *checker) identity(ctx context.Context, a *account, who *actor, i *identity.Identity) error {
	if err := c.policies(ctx, a, who, who.kind, i.Name); err != nil {
		return err
	}
	if who.kind == identity.UserKind {
		groups, err := a.ListGroupsForUser(ctx, i.Name)
		if err != nil {
			who.unread = append(who.unread, err)
		}
		for _, g := range groups {
			if err := c.policies(ctx, a, who, identity.GroupKind, g); err != nil {
				return err
			}
		}
	}
	if i.Boundary == "" {
		return ctx.Err()
	}
	name := fmt.Sprintf("managed policy %s of %s %s", i.Boundary, who.kind, i.Name)
	t := target{account: a.id.Account, kind: managedDocument, identity: who.kind, name: i.Name, policy: i.Boundary, boundary: true}
	return c.managed(ctx, a, who, policy.Boundary, name, t)
}

// policies reads the inline and managed policies of an identity, which may be
// a user's group.
func (c *checker) policies(ctx context.Context, a *account, who *actor, k identity.Kind, name string) error {
	inline, err := a.InlinePolicies(ctx, k, name)
	if err != nil {
		who.unread = append(who.unread, err)
	}
	if k == who.kind {
		who.inline = inline
	}
	for _, p := range inline {
		label := fmt.Sprintf("inline policy %q of %s %s", p, k, name)
		text, err := a.InlinePolicy(ctx, k, name, p)
		if err != nil {
			who.unread = append(who.unread, err)
			continue
		}
		who.add(policy.IdentityPolicy, label, text, target{account: a.id.Account, kind: inlineDocument, identity: k, name: name, policy: p, text: text})
	}
	attached, err := a.AttachedPolicies(ctx, k, name)
	if err != nil {
		who.unread = append(who.unread, err)
	}
	for _, p := range attached {
		label := fmt.Sprintf("managed policy %s of %s %s", p.Name, k, name)
		t := target{account: a.id.Account, kind: managedDocument, identity: k, name: name, policy: p.ARN}
		if err := c.managed(ctx, a, who, policy.IdentityPolicy, label, t); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// managed reads a managed policy.
func (c *checker) managed(ctx context.Context, a *account, who *actor, kind policy.SourceKind, label string, t target) error {
	text, err := a.ManagedPolicy(ctx, t.policy)
	if err != nil {
		who.unread = append(who.unread, err)
		return ctx.Err()
	}
	t.text = text
	who.add(kind, label, text, t)
	return nil
}

// add adds a document of the identity.
func (who *actor) add(kind policy.SourceKind, label, text string, t target) {
	who.targets[label] = t
	who.sources = append(who.sources, policy.Source{Kind: kind, Name: label, Account: t.account, Document: who.parse(text, policy.Identity, label)})
}

// parse compiles a document; one that cannot be read counts as unread.
func (who *actor) parse(text string, kind policy.Kind, label string) *policy.Document {
	doc, err := policy.Parse([]byte(text), kind)
	if err != nil {
		who.unread = append(who.unread, fmt.Errorf("%s: %w", label, err))
	}
	return doc
}

// caller returns who the credentials of the source belong to.
func (c *checker) caller(ctx context.Context) (who *actor, err error) {
	if c.you == nil {
		c.you, err = c.readCaller(ctx)
	}
	return c.you, err
}

func (c *checker) readCaller(ctx context.Context) (*actor, error) {
	a := c.accounts[0]
	who := &actor{targets: map[string]target{}}
	who.Principal = policy.Principal{Account: a.id.Account, ARN: a.id.ARN, UserID: a.id.UserID}
	parsed, err := arn.Parse(a.id.ARN)
	if err != nil {
		return nil, err
	}
	kind, rest, _ := strings.Cut(parsed.Resource, "/")
	switch kind {
	case "root":
		who.Type = policy.RootUser
		return who, nil
	case "user":
		who.Type, who.kind, who.name = policy.User, identity.UserKind, rest[strings.LastIndexByte(rest, '/')+1:]
		u, err := a.GetUser(ctx, who.name)
		if err != nil {
			who.unread = append(who.unread, err)
			return who, ctx.Err()
		}
		who.Tags = maps.Clone(u.Tags)
		return who, c.identity(ctx, a, who, &identity.Identity{Account: a.id.Account, Name: who.name, Boundary: u.Boundary})
	case "assumed-role":
		name, session, _ := strings.Cut(rest, "/")
		who.Type, who.kind, who.name = policy.RoleSession, identity.RoleKind, name
		r, err := a.GetRole(ctx, name)
		if err != nil {
			who.unread = append(who.unread, err)
			return who, ctx.Err()
		}
		known := role.Role{Identity: identity.Identity{Account: a.id.Account, Path: r.Path, Name: name, ID: r.ID, Tags: r.Tags, Boundary: r.Boundary}}
		who.Principal = known.Session(session)
		return who, c.identity(ctx, a, who, &known.Identity)
	}
	who.unread = append(who.unread, fault.Newf(fault.Unsupported, "", "the policies of %s cannot be read", a.id.ARN))
	return who, nil
}
