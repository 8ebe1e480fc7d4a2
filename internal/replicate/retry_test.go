package replicate_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"twinbucket/bucket"
	"twinbucket/internal/ledger"
	"twinbucket/internal/replicate"
	"twinbucket/internal/store"
	"twinbucket/internal/testenv"
	"twinbucket/object"
)

var anyone = func(*store.Object) error { return nil }

// fails puts objects whose replication is refused: half of them for their tags.
func fails(e *testenv.Env, n int) (puts []*store.Object) {
	e.Scenario()
	e.Document(testenv.SrcBucket, bucket.Replication, testenv.Config)
	e.Document(testenv.DstBucket, bucket.Policy, testenv.Policy(testenv.ReplRole, append(testenv.DstGrants, "!s3:ReplicateTags arn:aws:s3:::"+testenv.DstBucket+"/*")...))
	e.Start()
	for i := range n {
		tags := []object.Tag{{Key: "k", Value: "v"}}
		if i%2 > 0 {
			tags = nil
		}
		puts = append(puts, e.Put(testenv.SrcBucket, fmt.Sprintf("%c/%d", 'a'+i%2, i), "x", tags...))
	}
	for _, o := range puts {
		e.Settled(o)
	}
	return puts
}

func TestRetry(t *testing.T) {
	t.Parallel()
	e := testenv.New(t)
	puts := fails(e, 4)
	src := func() *bucket.Bucket {
		b, err := e.Store.Bucket(testenv.SrcBucket)
		e.Must(err)
		return b
	}
	retry := func(which replicate.Failures, dry bool, may func(*store.Object) error) replicate.Retried {
		t.Helper()
		got, err := e.Replicate.Retry(t.Context(), src(), which, replicate.Place{}, dry, may)
		e.Must(err)
		return got
	}
	lane := ledger.Lane{Source: testenv.SrcBucket, Destination: testenv.DstBucket, Rule: "all"}
	cause := replicate.Failure{Lane: lane, Code: "DstPutTaggingNotPermitted", Count: 2, Key: "a/0", VersionID: puts[0].ID}
	for name, tt := range map[string]struct {
		which replicate.Failures
		may   func(*store.Object) error
		want  replicate.Retried
	}{
		"all":             {replicate.Failures{}, anyone, replicate.Retried{Scanned: 4, Failed: 2, Causes: []replicate.Failure{cause}}},
		"what may be":     {replicate.Failures{}, func(*store.Object) error { return errors.New("no") }, replicate.Retried{Scanned: 4, Failed: 2, Refused: 2, Causes: []replicate.Failure{cause}}},
		"a prefix":        {replicate.Failures{Prefix: "b/"}, anyone, replicate.Retried{Scanned: 2}},
		"a code":          {replicate.Failures{Code: "DstPutTaggingNotPermitted"}, anyone, replicate.Retried{Scanned: 4, Failed: 2, Causes: []replicate.Failure{cause}}},
		"another code":    {replicate.Failures{Code: "DstBucketNotFound"}, anyone, replicate.Retried{Scanned: 4}},
		"a rule":          {replicate.Failures{Rule: "all"}, anyone, replicate.Retried{Scanned: 4, Failed: 2, Causes: []replicate.Failure{cause}}},
		"another rule":    {replicate.Failures{Rule: "none"}, anyone, replicate.Retried{Scanned: 4}},
		"another way":     {replicate.Failures{Destination: testenv.SrcBucket}, anyone, replicate.Retried{Scanned: 4}},
		"all that counts": {replicate.Failures{"a/", testenv.DstBucket, "all", "DstPutTaggingNotPermitted"}, anyone, replicate.Retried{Scanned: 2, Failed: 2, Causes: []replicate.Failure{cause}}},
	} {
		got := retry(tt.which, true, tt.may)
		if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreFields(replicate.Failure{}, "Reason")); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if len(got.Causes) > 0 && got.Causes[0].Reason != e.Head(testenv.SrcBucket, "a/0", "").Deliveries[0].Reason {
			t.Errorf("%s: the reason is %q", name, got.Causes[0].Reason)
		}
	}
	if got := e.Head(testenv.SrcBucket, "a/0", ""); got.Status != object.Failed {
		t.Errorf("a dry run has made it %s", got.Status)
	}
	// Nobody has mended it: it fails once more.
	if got := retry(replicate.Failures{}, false, anyone); got.Retried != 2 || got.Next != nil {
		t.Errorf("%+v", got)
	}
	for _, o := range puts {
		want := object.Completed
		if len(o.Tags) > 0 {
			want = object.Failed
		}
		if now := e.Settled(o); now.Status != want {
			t.Errorf("%s is %s, want %s", o.Key, now.Status, want)
		}
	}
	e.Document(testenv.DstBucket, bucket.Policy, testenv.Policy(testenv.ReplRole, testenv.DstGrants...))
	retry(replicate.Failures{}, false, anyone)
	for _, o := range puts {
		if now := e.Settled(o); now.Status != object.Completed || e.Head(testenv.DstBucket, o.Key, o.ID).Status != object.Replica {
			t.Errorf("%s is %s", o.Key, now.Status)
		}
	}
}

// TestMend mends one cause after the other: what it stopped goes on by itself,
// what another stopped does not.
func TestMend(t *testing.T) {
	t.Parallel()
	e := testenv.New(t)
	e.Mend = true
	e.Crash() // the engine anew, with it
	puts := fails(e, 1)
	e.Versioning(testenv.DstBucket, bucket.Suspended)
	unversioned := e.Settled(e.Put(testenv.SrcBucket, "c", "x"))
	e.Versioning(testenv.DstBucket, bucket.Enabled)
	completed := func(o *store.Object) {
		t.Helper()
		testenv.Wait(t, func() (*store.Object, bool) {
			now := e.Head(o.Bucket, o.Key, o.ID)
			return now, now.Status == object.Completed
		})
	}
	completed(unversioned)
	if got := e.Head(testenv.SrcBucket, puts[0].Key, ""); got.Status != object.Failed {
		t.Errorf("%s is %s, and its tags are refused", got.Key, got.Status)
	}
	e.Document(testenv.DstBucket, bucket.Policy, testenv.Policy(testenv.ReplRole, testenv.DstGrants...))
	completed(puts[0])
	// A change of an identity counts as well.
	e.Role("repl", "s3.amazonaws.com", "s3:ListBucket arn:aws:s3:::elsewhere")
	refused := e.Settled(e.Put(testenv.SrcBucket, "d", "x"))
	if refused.Status != object.Failed {
		t.Fatalf("%+v", refused)
	}
	e.Role("repl", "s3.amazonaws.com", testenv.ReplGrants...)
	completed(refused)
}
