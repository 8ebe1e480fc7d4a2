package replicate_test

import (
	"fmt"
	"testing"
	"time"

	"twinbucket/bucket"
	"twinbucket/internal/iam"
	"twinbucket/internal/replicate"
	"twinbucket/internal/store"
	"twinbucket/internal/testenv"
	"twinbucket/object"
	"twinbucket/role"
)

// TestTrustIsAskedAgain: what the role's trust policy says may depend on the time.
func TestTrustIsAskedAgain(t *testing.T) {
	t.Parallel()
	e := testenv.New(t)
	e.Scenario()
	var objects []*store.Object
	for i := range 3 {
		objects = append(objects, e.Put(testenv.SrcBucket, fmt.Sprint(i), "x"))
	}
	e.Document(testenv.SrcBucket, bucket.Replication, testenv.Config)
	now := time.Now()
	const layout = "2006-01-02T15:04:05Z"
	e.Must(e.IAM.UpdateRole(t.Context(), testenv.Source, "repl", func(r *role.Role) error {
		r.Trust = fmt.Appendf(nil, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"sts:AssumeRole",
			"Condition":{"DateGreaterThan":{"aws:CurrentTime":%q},"DateLessThan":{"aws:CurrentTime":%q}}}]}`,
			now.Add(time.Hour).UTC().Format(layout), now.Add(3*time.Hour).UTC().Format(layout))
		return nil
	}))
	clock := func() time.Time { return now }
	service, err := iam.New(e.Catalog, clock)
	e.Must(err)
	engine := replicate.New(replicate.Config{Store: e.Store, IAM: service, Rules: e.Rules, Now: clock})
	src, err := e.Store.Bucket(testenv.SrcBucket)
	e.Must(err)
	for i, want := range []string{"AssumeRoleNotPermitted", "", "AssumeRoleNotPermitted"} {
		out, err := engine.Replicate(t.Context(), src, objects[i:i+1])
		e.Must(err)
		if out[0].Code != want {
			t.Errorf("after %d hours: %+v, want %q", 2*i, out[0], want)
		}
		now = now.Add(2 * time.Hour)
	}
}

// TestAJobMendsTags: a destination has the version already, but not its tags.
func TestAJobMendsTags(t *testing.T) {
	t.Parallel()
	e := testenv.New(t)
	e.Scenario()
	e.Document(testenv.SrcBucket, bucket.Replication, testenv.Config)
	e.Start()
	o := e.Settled(e.Put(testenv.SrcBucket, "k", "x"))
	e.Role("repl", "s3.amazonaws.com", append([]string{"!s3:ReplicateTags *"}, testenv.ReplGrants...)...)
	_, err := e.Store.SetTags(t.Context(), testenv.SrcBucket, "k", o.ID, []object.Tag{{Key: "new", Value: "1"}})
	e.Must(err)
	if o = e.Settled(o); o.Status != object.Failed {
		t.Fatalf("%+v", o.Version)
	}
	e.Role("repl", "s3.amazonaws.com", testenv.ReplGrants...)
	src, err := e.Store.Bucket(testenv.SrcBucket)
	e.Must(err)
	out, err := e.Replicate.Replicate(t.Context(), src, []*store.Object{o})
	e.Must(err)
	if out[0].Status != 200 {
		t.Errorf("%+v", out)
	}
	replicaOf(t, e, e.Head(testenv.SrcBucket, "k", o.ID))
}

// TestTagsOfWhatNoRuleTakes: a change of a version that is not replicated any
// more changes nothing about what was.
func TestTagsOfWhatNoRuleTakes(t *testing.T) {
	t.Parallel()
	e := testenv.New(t)
	e.Scenario()
	e.Document(testenv.SrcBucket, bucket.Replication, testenv.Config)
	e.Start()
	o := e.Settled(e.Put(testenv.SrcBucket, "k", "x"))
	e.Document(testenv.SrcBucket, bucket.Replication, "")
	_, err := e.Store.SetTags(t.Context(), testenv.SrcBucket, "k", o.ID, []object.Tag{{Key: "new", Value: "1"}})
	e.Must(err)
	if now := e.Settled(o); now.Status != object.Completed {
		t.Errorf("%s, %+v", now.Status, now.Deliveries)
	}
}

// TestAReplicaChangesWhileAJobSendsItOn: the job has counted it as delivered,
// and the change follows.
func TestAReplicaChangesWhileAJobSendsItOn(t *testing.T) {
	t.Parallel()
	e := testenv.New(t)
	e.Scenario()
	e.Document(testenv.SrcBucket, bucket.Replication, testenv.Config)
	o := e.Put(testenv.SrcBucket, "k", "x")
	// It came from elsewhere.
	v := o.Version
	v.Key = "replica"
	_, err := e.Store.Deliver(t.Context(), []store.Delivery{{Source: o, Replica: &v, Outcome: object.Delivery{Bucket: "elsewhere", Status: object.Completed}}})
	e.Must(err)
	seen := e.Head(testenv.SrcBucket, "replica", o.ID)
	_, err = e.Store.SetTags(t.Context(), testenv.SrcBucket, "replica", o.ID, []object.Tag{{Key: "new", Value: "1"}})
	e.Must(err)
	src, err := e.Store.Bucket(testenv.SrcBucket)
	e.Must(err)
	out, err := e.Replicate.Replicate(t.Context(), src, []*store.Object{seen})
	e.Must(err)
	if out[0].Status != 200 {
		t.Errorf("%+v", out)
	}
	e.Start()
	now := testenv.Wait(t, func() (*store.Object, bool) {
		now := e.Head(testenv.SrcBucket, "replica", o.ID)
		return now, object.Sum(now.Deliveries) != object.Pending
	})
	if object.Sum(now.Deliveries) != object.Completed || now.Status != object.Replica {
		t.Errorf("%+v", now.Version)
	}
	replicaOf(t, e, now)
}
