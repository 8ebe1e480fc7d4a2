package replicate_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/identity"
	"twinbucket/internal/replicate"
	"twinbucket/internal/store"
	"twinbucket/internal/testenv"
	"twinbucket/object"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// replicaOf compares a version with its replica, but for what the destination
// decides.
func replicaOf(t *testing.T, e *testenv.Env, src *store.Object) {
	t.Helper()
	r := e.Head(testenv.DstBucket, src.Key, src.ID)
	ignore := cmpopts.IgnoreFields(object.Version{}, "Bucket", "Owner", "Status", "Deliveries", "Changes")
	if diff := cmp.Diff(src.Version, r.Version, ignore); diff != "" {
		t.Errorf("replica of %s: %s", src.Key, diff)
	}
	if r.Status != object.Replica || r.Owner != testenv.Destination {
		t.Errorf("replica of %s: status %s, owner %s", src.Key, r.Status, r.Owner)
	}
}

func TestLiveReplication(t *testing.T) {
	t.Parallel()
	e := testenv.New(t)
	e.Scenario()
	before := e.Put(testenv.SrcBucket, "before", "old")
	e.Document(testenv.SrcBucket, bucket.Replication, testenv.Config)
	e.Start()
	a := e.Put(testenv.SrcBucket, "a", "one", object.Tag{Key: "k", Value: "v"})
	b := e.Put(testenv.SrcBucket, "a", "two")
	if a.Status != object.Pending {
		t.Errorf("status %q when it was put", a.Status)
	}
	d, err := e.Store.Delete(t.Context(), testenv.SrcBucket, "a", "", testenv.Source)
	e.Must(err)
	for _, o := range []*store.Object{a, b, e.Head(testenv.SrcBucket, "a", d.ID)} {
		if now := e.Settled(o); now.Status != object.Completed {
			t.Errorf("%s %s: %s, %+v", o.Key, o.ID, now.Status, now.Deliveries)
		}
		replicaOf(t, e, o)
	}
	if cur := e.Head(testenv.DstBucket, "a", ""); !cur.Marker {
		t.Error("the delete marker is not current at the destination")
	}
	if now := e.Head(testenv.SrcBucket, "before", before.ID); now.Status != object.None {
		t.Errorf("what was put before the rule has status %s", now.Status)
	}
	// A change of tags travels without the rule selecting the version anew.
	_, err = e.Store.SetTags(t.Context(), testenv.SrcBucket, "a", a.ID, []object.Tag{{Key: "new", Value: "1"}})
	e.Must(err)
	replicaOf(t, e, e.Settled(a))
	// Deleting a version deletes nothing at the destination.
	_, err = e.Store.Delete(t.Context(), testenv.SrcBucket, "a", b.ID, testenv.Source)
	e.Must(err)
	e.Head(testenv.DstBucket, "a", b.ID)
}

func TestWhatWasPendingAtACrashIsReplicated(t *testing.T) {
	t.Parallel()
	e := testenv.New(t)
	e.Scenario()
	e.Document(testenv.SrcBucket, bucket.Replication, testenv.Config)
	var puts []*store.Object
	for i := range 700 {
		puts = append(puts, e.Put(testenv.SrcBucket, fmt.Sprintf("k%d", i), "x"))
	}
	e.Crash()
	e.Start()
	for _, o := range puts {
		if now := e.Settled(o); now.Status != object.Completed {
			t.Fatalf("%s: %+v", o.Key, now)
		}
	}
	for _, l := range e.Store.Lanes("") {
		if l.Pending != 0 {
			t.Fatalf("%+v", l)
		}
	}
}

// TestFailures breaks one thing after the other: each ends in AWS's failure
// code, with a reason that names what to mend, and mending it lets the next
// object through.
func TestFailures(t *testing.T) {
	t.Parallel()
	src, dst := arn.Object(testenv.SrcBucket, "*"), arn.Object(testenv.DstBucket, "*")
	without := func(action string) func(*testenv.Env) {
		return func(e *testenv.Env) {
			var left []string
			for _, g := range testenv.ReplGrants {
				left = append(left, strings.NewReplacer(action+",", "", ","+action, "", action, "s3:Nothing").Replace(g))
			}
			e.Role("repl", "s3.amazonaws.com", left...)
		}
	}
	deny := func(action, resource string) func(*testenv.Env) {
		return func(e *testenv.Env) {
			e.Role("repl", "s3.amazonaws.com", append([]string{"!" + action + " " + resource}, testenv.ReplGrants...)...)
		}
	}
	policy := func(statements ...string) func(*testenv.Env) {
		return func(e *testenv.Env) {
			e.Document(testenv.DstBucket, bucket.Policy, testenv.Policy(testenv.ReplRole, statements...))
		}
	}
	tests := []struct {
		name   string
		broken func(*testenv.Env)
		code   string
		reason string // a part of it
		marker bool
		parts  bool                              // the object is uploaded in parts
		after  func(*testenv.Env, *store.Object) // the object is put, and the engines do not run yet
	}{
		{name: "role trusts another service", broken: func(e *testenv.Env) { e.Role("repl", "ec2.amazonaws.com", testenv.ReplGrants...) }, code: "AssumeRoleNotPermitted", reason: "s3.amazonaws.com"},
		{name: "role is gone", broken: func(e *testenv.Env) {
			e.Must(e.IAM.DeleteInline(e.T.Context(), identity.RoleKind, testenv.Source, "repl", "p"))
			e.Must(e.IAM.DeleteRole(e.T.Context(), testenv.Source, "repl"))
		}, code: "AssumeRoleNotPermitted", reason: "repl"},
		{name: "no right to read versions", broken: without("s3:GetObjectVersionForReplication"), code: "SrcGetObjectNotPermitted", reason: "s3:GetObjectVersionForReplication"},
		{name: "no right to read ACLs", broken: without("s3:GetObjectVersionAcl"), code: "SrcGetAclNotPermitted", reason: "s3:GetObjectVersionAcl"},
		{name: "no right to read tags", broken: without("s3:GetObjectVersionTagging"), code: "SrcGetTaggingNotPermitted", reason: "s3:GetObjectVersionTagging"},
		{name: "no right to read the configuration", broken: without("s3:GetReplicationConfiguration"), code: "SrcBucketReplicationConfigMissing", reason: "s3:GetReplicationConfiguration"},
		{name: "no right to write", broken: without("s3:ReplicateObject"), code: "DstPutObjectNotPermitted", reason: "identity-based"},
		{name: "denied to read", broken: deny("s3:GetObjectVersion*", src), code: "SrcGetObjectNotPermitted", reason: "explicit deny"},
		{name: "denied to write tags", broken: deny("s3:ReplicateTags", dst), code: "DstPutTaggingNotPermitted", reason: "explicit deny"},
		{name: "destination has no policy", broken: func(e *testenv.Env) { e.Document(testenv.DstBucket, bucket.Policy, "") }, code: "DstPutObjectNotPermitted", reason: testenv.Destination},
		{name: "destination's policy lacks the right", broken: policy("s3:ReplicateDelete " + dst), code: "DstPutObjectNotPermitted", reason: "s3:ReplicateObject"},
		{name: "destination's policy denies", broken: policy("s3:ReplicateObject "+dst, "!s3:ReplicateObject "+dst), code: "DstPutObjectNotPermitted", reason: "explicit deny"},
		{name: "destination keeps other accounts out", broken: func(e *testenv.Env) {
			e.Document(testenv.DstBucket, bucket.Policy, `{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"`+dst+`"}}`)
			e.Document(testenv.DstBucket, bucket.PublicAccessBlock, "<PublicAccessBlockConfiguration><RestrictPublicBuckets>true</RestrictPublicBuckets></PublicAccessBlockConfiguration>")
		}, code: "DstPutObjectNotPermitted", reason: "RestrictPublicBuckets"},
		{name: "destination has suspended versioning", broken: func(e *testenv.Env) { e.Versioning(testenv.DstBucket, bucket.Suspended) }, code: "DstBucketUnversioned", reason: "enable versioning on dst-bucket"},
		{name: "requesters pay for another account's destination", broken: func(e *testenv.Env) {
			e.Document(testenv.DstBucket, bucket.RequestPayment, "<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>")
		}, code: "DstPutObjectNotPermitted", reason: "requesters pay for the destination bucket dst-bucket"},
		{name: "destination is gone", broken: func(e *testenv.Env) { e.Must(e.Store.DeleteBucket(e.T.Context(), testenv.DstBucket)) }, code: "DstBucketNotFound", reason: "create dst-bucket"},
		{name: "destination is another account's", broken: func(e *testenv.Env) {
			e.Must(e.Store.UpdateBucket(e.T.Context(), testenv.DstBucket, func(b *bucket.Bucket) error { b.Owner = testenv.Source; return nil }))
		}, code: "DstPutObjectNotPermitted", reason: "does not belong"},
		{name: "no right to list, marker", broken: without("s3:ListBucket"), code: "SrcHeadObjectNotPermitted", reason: "s3:ListBucket", marker: true},
		{name: "no right to write, marker", broken: without("s3:ReplicateDelete"), code: "DstDelObjNotPermitted", reason: "s3:ReplicateDelete", marker: true},
		{name: "no Object Lock at the destination", broken: func(e *testenv.Env) { locking(e, testenv.SrcBucket, "") }, code: "DstBucketObjectLockConfigMissing", reason: "enable Object Lock on dst-bucket"},
		{name: "no right to read the retention", broken: func(e *testenv.Env) { lockBoth(e, lockGrants[1]) }, code: "SrcGetRetentionNotPermitted", reason: "s3:GetObjectRetention"},
		{name: "no right to read the legal hold", broken: func(e *testenv.Env) { lockBoth(e, lockGrants[0]) }, code: "SrcGetLegalHoldNotPermitted", reason: "s3:GetObjectLegalHold"},
		{name: "denied to write the retention", broken: func(e *testenv.Env) { lockBoth(e, append(lockGrants, "!s3:PutObjectRetention "+dst)...) }, code: "DstPutRetentionNotPermitted", reason: "explicit deny"},
		{name: "denied to write the legal hold", broken: func(e *testenv.Env) { lockBoth(e, append(lockGrants, "!s3:PutObjectLegalHold "+dst)...) }, after: func(e *testenv.Env, o *store.Object) {
			_, err := e.Store.SetLegalHold(e.T.Context(), o.Bucket, o.Key, o.ID, true)
			e.Must(err)
		}, code: "DstPutLegalHoldNotPermitted", reason: "explicit deny"},
		{name: "no right to write, in parts", broken: without("s3:ReplicateObject"), parts: true, code: "DstMultipartInitNotPermitted", reason: "s3:ReplicateObject"},
		{name: "the configuration is removed", after: func(e *testenv.Env, _ *store.Object) { e.Document(testenv.SrcBucket, bucket.Replication, "") }, code: "SrcBucketReplicationConfigMissing", reason: "put a replication configuration on src-bucket"},
		{name: "the rule is disabled", after: func(e *testenv.Env, _ *store.Object) {
			e.Document(testenv.SrcBucket, bucket.Replication, strings.Replace(testenv.Config, "<Status>Enabled", "<Status>Disabled", 1))
		}, code: "SrcObjectNotEligible", reason: "the configuration was changed"},
		{name: "the version was deleted at the destination", after: func(e *testenv.Env, o *store.Object) {
			e.Must(replicateNow(e, o))
			_, err := e.Store.Delete(e.T.Context(), testenv.DstBucket, o.Key, o.ID, testenv.Destination)
			e.Must(err)
			e.Must(replicateNow(e, o))
		}, code: "DstObjectHardDeleted", reason: "copy the source object onto itself"},
		{name: "the lock needs no right of its own at the destination", broken: func(e *testenv.Env) { lockBoth(e, lockGrants...) }, code: ""},
		{name: "tags need no right of their own", broken: without("s3:ReplicateTags"), code: ""},
		{name: "the right to read versions will do", broken: func(e *testenv.Env) {
			without("s3:GetObjectVersionForReplication")(e)
			e.Role("repl", "s3.amazonaws.com", append([]string{"s3:GetObjectVersion " + src}, testenv.ReplGrants...)...)
		}, code: ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := testenv.New(t)
			e.Scenario()
			e.Document(testenv.SrcBucket, bucket.Replication, testenv.Config)
			if tt.broken != nil {
				tt.broken(e)
			}
			put := func() *store.Object { return e.Put(testenv.SrcBucket, "k", "x", object.Tag{Key: "a", Value: "b"}) }
			if tt.parts {
				put = func() *store.Object { return upload(e) }
			}
			o := put()
			if tt.after != nil {
				tt.after(e, o)
			}
			e.Start()
			if tt.marker {
				e.Settled(o)
				d, err := e.Store.Delete(t.Context(), testenv.SrcBucket, "k", "", testenv.Source)
				e.Must(err)
				o = e.Head(testenv.SrcBucket, "k", d.ID)
			}
			now := e.Settled(o)
			if tt.code == "" {
				if now.Status != object.Completed {
					t.Fatalf("%+v", now.Deliveries)
				}
				return
			}
			if len(now.Deliveries) != 1 || now.Status != object.Failed || now.Deliveries[0].Code != tt.code {
				t.Fatalf("%s: %+v, want %s", now.Status, now.Deliveries, tt.code)
			}
			if r := now.Deliveries[0].Reason; !strings.Contains(r, tt.reason) {
				t.Errorf("reason %q does not mention %q", r, tt.reason)
			}
			if _, err := e.Store.Head(t.Context(), testenv.DstBucket, "k", o.ID); err == nil {
				t.Error("something was copied all the same")
			}
		})
	}
}

// upload stores an object in parts.
func upload(e *testenv.Env) *store.Object {
	ctx := e.T.Context()
	id, err := e.Store.CreateUpload(ctx, object.Version{Bucket: testenv.SrcBucket, Key: "k", Owner: testenv.Source}, "")
	e.Must(err)
	p, err := e.Store.PutPart(ctx, testenv.SrcBucket, "k", id, 1, strings.NewReader("x"), 1, nil)
	e.Must(err)
	o, err := e.Store.CompleteUpload(ctx, testenv.SrcBucket, "k", id, []store.Chosen{{Number: 1, ETag: p.ETag}}, nil, object.Condition{})
	e.Must(err)
	return o
}

// replicateNow replicates a version as a job does.
func replicateNow(e *testenv.Env, o *store.Object) error {
	src, err := e.Store.Bucket(o.Bucket)
	if err != nil {
		return err
	}
	_, err = e.Replicate.Replicate(e.T.Context(), src, []*store.Object{o})
	return err
}

// TestFailuresAreDocumented: docs/failures.md tells of every code of AWS, and
// says of those that occur what mends them.
func TestFailuresAreDocumented(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../docs/failures.md")
	if err != nil {
		t.Fatal(err)
	}
	here, never, _ := strings.Cut(string(data), "## Codes that do not occur")
	count := 0
	for line := range strings.Lines(string(data)) {
		if code, _, ok := strings.Cut(strings.TrimPrefix(line, "| `"), "`"); ok && strings.HasPrefix(line, "| `") {
			count++
			if _, given := replicate.Kinds[code]; given != strings.Contains(here, "| `"+code+"` |") || given == strings.Contains(never, "| `"+code+"` |") {
				t.Errorf("%s: is it given or not?", code)
			}
		}
	}
	if count != 34 {
		t.Errorf("%d codes, want AWS's 34", count)
	}
	for code := range replicate.Kinds {
		if !strings.Contains(here, "| `"+code+"` |") {
			t.Errorf("%s is not documented", code)
		}
	}
}

func TestRevokedGrantStopsCopiesAtOnce(t *testing.T) {
	t.Parallel()
	e := testenv.New(t)
	e.Scenario()
	e.Document(testenv.SrcBucket, bucket.Replication, testenv.Config)
	e.Start()
	for i, want := range []object.Status{object.Completed, object.Failed, object.Completed} {
		grants := testenv.ReplGrants
		if want == object.Failed {
			grants = grants[:2]
		}
		e.Role("repl", "s3.amazonaws.com", grants...)
		if now := e.Settled(e.Put(testenv.SrcBucket, fmt.Sprint(i), "x")); now.Status != want {
			t.Errorf("round %d: %s, want %s: %+v", i, now.Status, want, now.Deliveries)
		}
	}
}

func TestChainsAreNotFollowed(t *testing.T) {
	t.Parallel()
	e := testenv.New(t)
	e.Scenario()
	e.Document(testenv.SrcBucket, bucket.Replication, testenv.Config)
	back := strings.NewReplacer(testenv.DstBucket, testenv.SrcBucket, testenv.Destination, testenv.Source).Replace(testenv.Config)
	e.Document(testenv.DstBucket, bucket.Replication, back)
	e.Start()
	o := e.Settled(e.Put(testenv.SrcBucket, "k", "x"))
	r := e.Head(testenv.DstBucket, "k", o.ID)
	if o.Status != object.Completed || r.Status != object.Replica || len(r.Deliveries) != 0 {
		t.Fatalf("%+v, %+v", o.Version, r.Version)
	}
}

func TestReplicationTakesLessThanASecond(t *testing.T) {
	t.Parallel()
	e := testenv.New(t)
	e.Scenario()
	e.Document(testenv.SrcBucket, bucket.Replication, testenv.Config)
	e.Start()
	start := time.Now()
	e.Settled(e.Put(testenv.SrcBucket, "k", "x"))
	if d := time.Since(start); d > time.Second {
		t.Errorf("it took %v", d)
	}
}

// lockGrants are what replicating from a bucket with Object Lock needs beside
// testenv.ReplGrants.
var lockGrants = []string{
	"s3:GetObjectRetention " + arn.Object(testenv.SrcBucket, "*"),
	"s3:GetObjectLegalHold " + arn.Object(testenv.SrcBucket, "*"),
}

// locking turns Object Lock on, with a default retention in mode unless that
// is empty.
func locking(e *testenv.Env, name, mode string) {
	rule := ""
	if mode != "" {
		rule = "<Rule><DefaultRetention><Mode>" + mode + "</Mode><Days>1</Days></DefaultRetention></Rule>"
	}
	e.Document(name, bucket.ObjectLock, "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>"+rule+"</ObjectLockConfiguration>")
}

// lockBoth turns Object Lock on at both ends, with a default at the source,
// and gives the role these rights too.
func lockBoth(e *testenv.Env, grants ...string) {
	locking(e, testenv.SrcBucket, object.Governance)
	locking(e, testenv.DstBucket, "")
	e.Role("repl", "s3.amazonaws.com", append(grants, testenv.ReplGrants...)...)
}

func TestLocksTravel(t *testing.T) {
	t.Parallel()
	e := testenv.New(t)
	e.Scenario()
	e.Document(testenv.SrcBucket, bucket.Replication, testenv.Config)
	lockBoth(e, lockGrants...)
	e.Start()
	o := e.Settled(e.Put(testenv.SrcBucket, "k", "x"))
	replicaOf(t, e, o)
	if o.Lock.Mode != object.Governance {
		t.Fatalf("%+v", o.Lock)
	}
	_, err := e.Store.SetRetention(t.Context(), testenv.SrcBucket, "k", o.ID, store.Retention{Mode: object.Compliance, Until: o.Lock.Until, Bypass: true})
	e.Must(err)
	_, err = e.Store.SetLegalHold(t.Context(), testenv.SrcBucket, "k", o.ID, true)
	e.Must(err)
	o = e.Settled(o)
	replicaOf(t, e, o)
	if o.Lock.Mode != object.Compliance || !o.Lock.Hold {
		t.Fatalf("%+v", o.Lock)
	}
	// What comes without a retention takes the destination's default, which a
	// job takes for delivered.
	locking(e, testenv.SrcBucket, "")
	locking(e, testenv.DstBucket, object.Compliance)
	o = e.Settled(e.Put(testenv.SrcBucket, "plain", "x"))
	r := e.Head(testenv.DstBucket, "plain", o.ID)
	if want := o.Modified.AddDate(0, 0, 1); o.Lock.Mode != "" || r.Lock.Mode != object.Compliance || !r.Lock.Until.Equal(want) {
		t.Fatalf("%+v, replica %+v", o.Lock, r.Lock)
	}
	src, err := e.Store.Bucket(testenv.SrcBucket)
	e.Must(err)
	out, err := e.Replicate.Replicate(t.Context(), src, []*store.Object{o})
	e.Must(err)
	if out[0].Status != 200 || e.Head(testenv.DstBucket, "plain", o.ID).Lock != r.Lock {
		t.Errorf("%+v", out)
	}
}
