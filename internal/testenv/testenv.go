// Package testenv puts a store, its identities and its engines together for
// tests, in memory, without a door: two accounts, a source bucket that
// replicates to a destination in the other account, and the roles for it.
package testenv

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/identity"
	"twinbucket/internal/batch"
	"twinbucket/internal/catalog"
	"twinbucket/internal/iam"
	"twinbucket/internal/keyring"
	"twinbucket/internal/replicate"
	"twinbucket/internal/s3api"
	"twinbucket/internal/store"
	"twinbucket/internal/vfs"
	"twinbucket/object"
	"twinbucket/role"
)

// The accounts and names that tests use.
const (
	Source      = "111111111111"
	Destination = "222222222222"
	Region      = "us-east-1"

	SrcBucket = "src-bucket"
	DstBucket = "dst-bucket"
	Reports   = "reports"
	ReplRole  = "arn:aws:iam::111111111111:role/repl"
	BatchRole = "arn:aws:iam::111111111111:role/batch"

	// Keys of KMS, the last of which is disabled.
	SrcKey      = "arn:aws:kms:us-east-1:111111111111:key/source"
	DstKey      = "arn:aws:kms:us-east-1:222222222222:key/destination" // and alias/replicas
	DisabledKey = "arn:aws:kms:us-east-1:222222222222:key/disabled"
)

var keys = []keyring.Key{
	{Account: Source, ID: "source"},
	{Account: Destination, ID: "destination", Alias: "replicas"},
	{Account: Destination, ID: "disabled", Disabled: true},
}

// Env is one store with its engines. Its parts are replaced by Reopen.
type Env struct {
	T         testing.TB
	FS        vfs.Mem
	Store     *store.Store
	Catalog   *catalog.Catalog
	IAM       *iam.Service
	Rules     *replicate.Rules
	Replicate *replicate.Engine
	S3        *s3api.Door
	Batch     *batch.Engine

	// Mend is the engine's option, and Now the clock of sessions, both as of the
	// next Crash.
	Mend bool
	Now  func() time.Time

	keys   []keyring.Key
	faults *vfs.Faults
	stop   func()
}

// New returns an empty store with the two accounts. It is closed with the test.
func New(t testing.TB) *Env {
	t.Helper()
	e := &Env{T: t, FS: vfs.Memory(), Now: time.Now, keys: keys}
	e.open()
	t.Cleanup(func() { e.close() })
	for name, id := range map[string]string{"source": Source, "destination": Destination} {
		if _, err := e.IAM.EnsureAccount(t.Context(), name, id); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

func (e *Env) open() {
	e.T.Helper()
	log := slog.New(slog.DiscardHandler)
	e.Rules = new(replicate.Rules)
	var fs vfs.FS = e.FS
	if e.faults != nil {
		fs = e.faults.Wrap(fs)
	}
	var err error
	if e.Store, err = store.Open(fs, "/data", store.Options{Select: e.Rules.Select, SelectChanges: e.Rules.SelectChanges, Log: log, CacheSize: 1 << 20, Keys: e.keys}); err != nil {
		e.T.Fatal(err)
	}
	e.Catalog = catalog.New(e.Store)
	if e.IAM, err = iam.New(e.Catalog, e.Now); err != nil {
		e.T.Fatal(err)
	}
	e.Replicate = replicate.New(replicate.Config{Store: e.Store, IAM: e.IAM, Rules: e.Rules, Log: log, Now: e.Now, Mend: e.Mend})
	e.S3 = s3api.New(s3api.Config{Store: e.Store, IAM: e.IAM, Region: Region, Log: log})
	e.Batch = batch.New(batch.Config{Store: e.Store, Catalog: e.Catalog, IAM: e.IAM, Replicate: e.Replicate, S3: e.S3, Log: log})
}

func (e *Env) close() {
	if e.stop != nil {
		e.stop()
	}
	if err := e.Store.Close(); err != nil && e.faults == nil {
		e.T.Error(err)
	}
}

// Copy returns an environment over a copy of what is on the disk of this one,
// to be closed by Close. Its engines are not running.
func (e *Env) Copy() *Env {
	e.T.Helper()
	c := &Env{T: e.T, FS: e.FS.Crash(0, nil), Mend: e.Mend, Now: e.Now, keys: e.keys}
	c.open()
	return c
}

// Close ends a Copy.
func (e *Env) Close() { e.close() }

// Start runs the engines until the test ends or Reopen is called.
func (e *Env) Start() {
	ctx, cancel := context.WithCancel(context.WithoutCancel(e.T.Context()))
	var wg sync.WaitGroup
	for _, run := range []func(soft, hard context.Context) error{e.Replicate.Run, e.Batch.Run} {
		wg.Go(func() {
			if err := run(ctx, ctx); err != nil && ctx.Err() == nil && e.faults == nil {
				e.T.Error(err)
			}
		})
	}
	e.stop = func() {
		cancel()
		wg.Wait()
		e.stop = nil
	}
}

// Crash stops everything as a power failure does, what was not synced being
// lost, and opens the store again. The engines are not running afterwards.
func (e *Env) Crash() {
	e.T.Helper()
	crashed := e.FS.Crash(0, nil)
	e.close()
	e.FS, e.faults = crashed, nil
	e.open()
}

// DieAt opens the store again over a disk whose journal takes nothing more from
// its k-th operation on, until Crash. It returns a function that tells whether
// it has come to that. The engines are not running afterwards.
func (e *Env) DieAt(k int64) (dead func() bool) {
	e.T.Helper()
	e.close()
	faults := &vfs.Faults{Under: "journal"}
	e.faults = faults
	e.open()
	from := faults.Count() + k
	faults.FailFrom(k)
	return func() bool { return faults.Count() >= from }
}

// Forget opens the store again without one of its keys of KMS. The engines are
// not running afterwards.
func (e *Env) Forget(key string) {
	e.T.Helper()
	e.close()
	e.keys = slices.DeleteFunc(slices.Clone(e.keys), func(k keyring.Key) bool { return strings.HasSuffix(key, k.Account+":key/"+k.ID) })
	e.open()
}

// Must ends the test if err is not nil.
func (e *Env) Must(err error) {
	e.T.Helper()
	if err != nil {
		e.T.Fatal(err)
	}
}

// Bucket makes a bucket with versioning.
func (e *Env) Bucket(name, owner string) {
	e.T.Helper()
	e.Must(e.Store.CreateBucket(e.T.Context(), &bucket.Bucket{Name: name, Owner: owner, Region: Region, Versioning: bucket.Enabled}))
}

// Document sets or, with "", removes a document of a bucket.
func (e *Env) Document(name string, d bucket.Document, content string) {
	e.T.Helper()
	e.Must(e.Store.UpdateBucket(e.T.Context(), name, func(b *bucket.Bucket) error {
		if content == "" {
			delete(b.Documents, d)
		} else {
			b.Documents[d] = []byte(content)
		}
		return nil
	}))
}

// Versioning sets a bucket's versioning state.
func (e *Env) Versioning(name string, v bucket.Versioning) {
	e.T.Helper()
	e.Must(e.Store.UpdateBucket(e.T.Context(), name, func(b *bucket.Bucket) error { b.Versioning = v; return nil }))
}

// Role makes a role in the source account, or replaces it: service may assume
// it, and it may do what the statements say. A statement is "Action,Action
// Resource" or, for a Deny, the same behind "!".
func (e *Env) Role(name, service string, statements ...string) {
	e.T.Helper()
	ctx := e.T.Context()
	r := role.Role{
		Identity: identity.Identity{Account: Source, Name: name, Inline: map[string][]byte{"p": []byte(Policy("", statements...))}},
		Trust:    fmt.Appendf(nil, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":%q},"Action":"sts:AssumeRole"}]}`, service),
	}
	if _, err := e.IAM.GetRole(Source, name); err == nil {
		e.Must(e.IAM.UpdateRole(ctx, Source, name, func(have *role.Role) error {
			have.Trust, have.Inline = r.Trust, r.Inline
			return nil
		}))
		return
	}
	_, err := e.IAM.CreateRole(ctx, r)
	e.Must(err)
}

// Policy writes a policy document. principal is an ARN, or "" for an identity
// policy; statements are as for Role.
func Policy(principal string, statements ...string) string {
	var out []string
	for _, s := range statements {
		effect := "Allow"
		if rest, deny := strings.CutPrefix(s, "!"); deny {
			effect, s = "Deny", rest
		}
		actions, resource, _ := strings.Cut(s, " ")
		who := ""
		if principal != "" {
			who = fmt.Sprintf(`"Principal":{"AWS":%q},`, principal)
		}
		out = append(out, fmt.Sprintf(`{"Effect":%q,%s"Action":["%s"],"Resource":%q}`, effect, who, strings.ReplaceAll(actions, ",", `","`), resource))
	}
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[%s]}`, strings.Join(out, ","))
}

// What the roles of the scenario need, as Role and Policy take it.
var (
	ReplGrants = []string{
		"s3:GetReplicationConfiguration,s3:ListBucket " + arn.Bucket(SrcBucket),
		"s3:GetObjectVersionForReplication,s3:GetObjectVersionAcl,s3:GetObjectVersionTagging " + arn.Object(SrcBucket, "*"),
		"s3:ReplicateObject,s3:ReplicateDelete,s3:ReplicateTags " + arn.Object(DstBucket, "*"),
	}
	DstGrants   = []string{"s3:ReplicateObject,s3:ReplicateDelete,s3:ReplicateTags " + arn.Object(DstBucket, "*")}
	BatchGrants = []string{
		"s3:InitiateReplication " + arn.Object(SrcBucket, "*"),
		"s3:GetReplicationConfiguration,s3:PutInventoryConfiguration " + arn.Bucket(SrcBucket),
		"s3:GetObject,s3:GetObjectVersion,s3:PutObject " + arn.Object(Reports, "*"),
	}
)

// Config is the scenario's replication configuration: every key, and delete
// markers too.
const Config = `<ReplicationConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Role>` + ReplRole + `</Role>` +
	`<Rule><ID>all</ID><Priority>1</Priority><Filter/><Status>Enabled</Status>` +
	`<DeleteMarkerReplication><Status>Enabled</Status></DeleteMarkerReplication>` +
	`<Destination><Bucket>arn:aws:s3:::` + DstBucket + `</Bucket><Account>` + Destination + `</Account></Destination></Rule></ReplicationConfiguration>`

// Scenario makes the buckets, roles and policies of cross-account replication.
// The source bucket has no replication configuration yet.
func (e *Env) Scenario() {
	e.T.Helper()
	e.Bucket(SrcBucket, Source)
	e.Bucket(DstBucket, Destination)
	e.Bucket(Reports, Source)
	e.Role("repl", "s3.amazonaws.com", ReplGrants...)
	e.Role("batch", "batchoperations.s3.amazonaws.com", BatchGrants...)
	e.Document(DstBucket, bucket.Policy, Policy(ReplRole, DstGrants...))
}

// Put stores an object.
func (e *Env) Put(name, key, body string, tags ...object.Tag) *store.Object {
	e.T.Helper()
	o, err := e.Store.Put(e.T.Context(), store.Put{
		Version: object.Version{Bucket: name, Key: key, Owner: Source, Tags: tags},
		Body:    strings.NewReader(body), Size: int64(len(body)),
	})
	e.Must(err)
	return o
}

// Head looks a version up.
func (e *Env) Head(name, key, id string) *store.Object {
	e.T.Helper()
	o, err := e.Store.Head(e.T.Context(), name, key, id)
	e.Must(err)
	return o
}

// Settled waits until a version is no longer pending and returns it.
func (e *Env) Settled(o *store.Object) *store.Object {
	e.T.Helper()
	return Wait(e.T, func() (*store.Object, bool) {
		now := e.Head(o.Bucket, o.Key, o.ID)
		return now, now.Status != object.Pending
	})
}

// Wait asks again and again until look says that it is done; it ends the test
// after a minute, which is long enough for a machine that does much besides.
func Wait[T any](t testing.TB, look func() (T, bool)) T {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	end := time.NewTimer(time.Minute)
	defer end.Stop()
	for {
		v, done := look()
		if done {
			return v
		}
		select {
		case <-tick.C:
		case <-end.C:
			t.Fatalf("still waiting: %+v", v)
		}
	}
}
