package replicate_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"twinbucket/acl"
	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/store"
	"twinbucket/internal/testenv"
	"twinbucket/object"
)

// way is a rule between two buckets; both says that it carries changes of
// replicas too.
type way struct {
	from, to string
	both     bool
}

// ways makes the replication configurations of buckets of one account, which
// leave ACLs to the writers of objects and have Object Lock.
func ways(e *testenv.Env, names []string, ways ...way) {
	e.T.Helper()
	const head = `<ReplicationConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Role>` + testenv.ReplRole + `</Role>`
	e.Role("repl", "s3.amazonaws.com", "s3:* *")
	docs := map[string]string{}
	for i, w := range ways {
		modifications := ""
		if w.both {
			modifications = "<SourceSelectionCriteria><ReplicaModifications><Status>Enabled</Status></ReplicaModifications></SourceSelectionCriteria>"
		}
		docs[w.from] += fmt.Sprintf("<Rule><ID>to %s</ID><Priority>%d</Priority><Filter/><Status>Enabled</Status>%s<DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication><Destination><Bucket>arn:aws:s3:::%s</Bucket></Destination></Rule>", w.to, i, modifications, w.to)
	}
	for _, name := range names {
		e.Bucket(name, testenv.Source)
		e.Document(name, bucket.OwnershipControls, "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>")
		locking(e, name, "")
		if docs[name] != "" {
			e.Document(name, bucket.Replication, head+docs[name]+"</ReplicationConfiguration>")
		}
	}
}

// failer is a test, or one run of a property.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// same compares a version in two buckets, but for what says where it is.
func same(t failer, a, b *store.Object) {
	t.Helper()
	if diff := cmp.Diff(a.Version, b.Version, cmpopts.IgnoreFields(object.Version{}, "Bucket", "Status", "Deliveries", "Changes")); diff != "" {
		t.Fatalf("%s and %s: %s", a.Bucket, b.Bucket, diff)
	}
}

// change changes everything that can be changed of a version.
func change(e *testenv.Env, o *store.Object, what string) {
	e.T.Helper()
	ctx := e.T.Context()
	_, err := e.Store.SetTags(ctx, o.Bucket, o.Key, o.ID, []object.Tag{{Key: "what", Value: what}})
	e.Must(err)
	_, err = e.Store.SetACL(ctx, o.Bucket, o.Key, o.ID, acl.List{{ID: what, Permission: acl.Read}})
	e.Must(err)
	_, err = e.Store.SetRetention(ctx, o.Bucket, o.Key, o.ID, store.Retention{Mode: object.Governance, Until: o.Modified.Add(time.Duration(len(what)) * time.Hour), Bypass: true})
	e.Must(err)
	_, err = e.Store.SetLegalHold(ctx, o.Bucket, o.Key, o.ID, what == "hold")
	e.Must(err)
}

// idle reports whether nothing waits.
func idle(e *testenv.Env) bool {
	e.T.Helper()
	for _, l := range e.Store.Lanes("") {
		if l.Pending != 0 {
			return false
		}
	}
	return true
}

// TestChangesOfReplicas: they change the source, if a rule of the replica's
// bucket says so. The source keeps its status.
func TestChangesOfReplicas(t *testing.T) {
	t.Parallel()
	for _, back := range []bool{true, false} {
		t.Run(fmt.Sprint("ReplicaModifications ", back), func(t *testing.T) {
			t.Parallel()
			e := testenv.New(t)
			ways(e, []string{"aaa", "bbb"}, way{"aaa", "bbb", back}, way{"bbb", "aaa", back})
			e.Start()
			o := e.Settled(e.Put("aaa", "k", "x"))
			change(e, e.Head("bbb", "k", o.ID), "hold")
			r := testenv.Wait(t, func() (*store.Object, bool) {
				r := e.Head("bbb", "k", o.ID)
				return r, r.Status == object.Replica && idle(e)
			})
			now := e.Head("aaa", "k", o.ID)
			if now.Status != object.Completed || now.Modified != o.Modified || now.ETag != o.ETag {
				t.Errorf("the source: %+v", now.Version)
			}
			if !back {
				if now.Changes != 0 || len(r.Deliveries) != 0 {
					t.Errorf("it went back: %+v, %+v", now.Version, r.Version)
				}
				return
			}
			same(t, now, r)
			if len(now.Tags) != 1 || !now.Lock.Hold || now.Lock.Mode != object.Governance || len(now.ACL) != 1 {
				t.Errorf("%+v", now.Version)
			}
			// And the other way.
			change(e, now, "second")
			now = e.Settled(now)
			if r = e.Head("bbb", "k", o.ID); now.Status != object.Completed || r.Status != object.Replica {
				t.Errorf("%s, %s", now.Status, r.Status)
			}
			same(t, now, r)
			if now.Tags[0].Value != "second" || now.Lock.Hold {
				t.Errorf("%+v", now.Version)
			}
		})
	}
}

// TestStatusOfAChangedReplica: PENDING, then REPLICA or FAILED; a job tries
// what failed again.
func TestStatusOfAChangedReplica(t *testing.T) {
	t.Parallel()
	e := testenv.New(t)
	ways(e, []string{"aaa", "bbb"}, way{"aaa", "bbb", true}, way{"bbb", "aaa", true})
	o := e.Put("aaa", "k", "x")
	carry := func(name string) *store.Object {
		t.Helper()
		_, err := e.Store.Deliver(t.Context(), e.Replicate.Plan(e.Head(name, "k", o.ID)))
		e.Must(err)
		return e.Head(name, "k", o.ID)
	}
	carry("aaa")
	tag := func(name, value string) object.Status {
		t.Helper()
		r, err := e.Store.SetTags(t.Context(), name, "k", o.ID, []object.Tag{{Key: value}})
		e.Must(err)
		return r.Status
	}
	if got := tag("bbb", "denied"); got != object.Pending {
		t.Errorf("when it was changed: %s", got)
	}
	e.Role("repl", "s3.amazonaws.com", "!s3:ReplicateTags *", "s3:* *")
	if r := carry("bbb"); r.Status != object.Failed || !r.IsReplica() || r.Deliveries[0].Code != "DstPutTaggingNotPermitted" {
		t.Errorf("denied: %+v", r.Version)
	}
	e.Role("repl", "s3.amazonaws.com", "s3:* *")
	b, err := e.Store.Bucket("bbb")
	e.Must(err)
	out, err := e.Replicate.Replicate(t.Context(), b, []*store.Object{e.Head("bbb", "k", o.ID)})
	e.Must(err)
	r := e.Head("bbb", "k", o.ID)
	if out[0].Status != 200 || r.Status != object.Replica {
		t.Errorf("by a job: %+v, %+v", out, r.Version)
	}
	same(t, e.Head("aaa", "k", o.ID), r)
	// A deleted source is not made again.
	tag("bbb", "gone")
	_, err = e.Store.Delete(t.Context(), "aaa", "k", o.ID, testenv.Source)
	e.Must(err)
	if r := carry("bbb"); r.Status != object.Failed || r.Deliveries[0].Code != "DstVersionNotFound" {
		t.Errorf("to a deleted source: %+v", r.Version)
	}
	if _, err := e.Store.Head(t.Context(), "aaa", "k", o.ID); !errors.Is(err, fault.NotFound) {
		t.Errorf("it is there again: %v", err)
	}
	// The replica is one all the same: deleted, it is not made again either.
	_, err = e.Store.Delete(t.Context(), "bbb", "k", o.ID, testenv.Source)
	e.Must(err)
	if gone, err := e.Store.HardDeleted("bbb", "k", o.ID); !gone || err != nil {
		t.Errorf("%v, %v", gone, err)
	}
}

// TestChangesConverge changes one version in several buckets at once, with
// deliveries that were planned at any time made at any later time: in the end
// all have the same, and nothing goes on.
func TestChangesConverge(t *testing.T) {
	t.Parallel()
	for name, rules := range map[string][]way{
		"two ways":           {{"aaa", "bbb", true}, {"bbb", "aaa", true}},
		"back to the source": {{"aaa", "bbb", false}, {"aaa", "ccc", false}, {"bbb", "aaa", true}, {"ccc", "aaa", true}},
		"everybody to everybody": {
			{"aaa", "bbb", true}, {"aaa", "ccc", true}, {"bbb", "aaa", true}, {"bbb", "ccc", true}, {"ccc", "aaa", true}, {"ccc", "bbb", true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := testenv.New(t)
			names := []string{"aaa", "bbb", "ccc"}
			ways(e, names, rules...)
			if len(rules) == 2 {
				names = names[:2]
			}
			n := 0
			rapid.Check(t, func(t *rapid.T) {
				n++
				c := converging{e: e, names: names, key: fmt.Sprint(n)}
				c.id = e.Put("aaa", c.key, "x").ID
				if len(rules) > 4 || rapid.Bool().Draw(t, "delivered") {
					// Who sends a change to where the version has not arrived yet fails.
					c.carry("aaa")
				}
				for range rapid.IntRange(1, 30).Draw(t, "steps") {
					c.step(t)
				}
				c.settle(t)
			})
		})
	}
}

// converging is one version in several buckets, and deliveries on their way.
type converging struct {
	e       *testenv.Env
	names   []string
	key, id string
	planned []store.Delivery
}

// at returns the version in a bucket; nil if it is not there.
func (c *converging) at(name string) *store.Object {
	o, err := c.e.Store.Head(c.e.T.Context(), name, c.key, c.id)
	if err != nil {
		return nil
	}
	return o
}

func (c *converging) deliver(ds ...store.Delivery) {
	_, err := c.e.Store.Deliver(c.e.T.Context(), ds)
	c.e.Must(err)
}

func (c *converging) carry(name string) bool {
	o := c.at(name)
	if o == nil {
		return false
	}
	todo := c.e.Replicate.Plan(o)
	c.deliver(todo...)
	return len(todo) > 0
}

func (c *converging) step(t *rapid.T) {
	ctx, s := c.e.T.Context(), c.e.Store
	o := c.at(rapid.SampledFrom(c.names).Draw(t, "bucket"))
	if o == nil {
		return
	}
	var err error
	text := fmt.Sprint(rapid.IntRange(0, 99).Draw(t, "value"))
	switch rapid.IntRange(0, 7).Draw(t, "step") {
	case 0:
		_, err = s.SetTags(ctx, o.Bucket, c.key, c.id, []object.Tag{{Key: text}})
	case 1:
		_, err = s.SetACL(ctx, o.Bucket, c.key, c.id, acl.List{{ID: testenv.Source, Permission: acl.FullControl}, {ID: text, Permission: acl.Read}})
	case 2:
		_, err = s.SetLegalHold(ctx, o.Bucket, c.key, c.id, rapid.Bool().Draw(t, "hold"))
	case 3:
		r := store.Retention{Mode: rapid.SampledFrom([]string{"", object.Governance, object.Compliance}).Draw(t, "mode"), Bypass: true}
		if r.Mode != "" {
			r.Until = time.Now().UTC().Add(time.Duration(rapid.IntRange(-1, 3).Draw(t, "hours")) * time.Hour)
		}
		if _, err = s.SetRetention(ctx, o.Bucket, c.key, c.id, r); errors.Is(err, fault.Denied) {
			err = nil
		}
	case 4, 5:
		c.planned = append(c.planned, c.e.Replicate.Plan(o)...)
	default:
		if n := len(c.planned); n > 0 {
			i := rapid.IntRange(0, n-1).Draw(t, "planned")
			c.deliver(c.planned[i])
			c.planned[i] = c.planned[n-1]
			c.planned = c.planned[:n-1]
		}
	}
	c.e.Must(err)
}

// settle makes all deliveries, late ones too, until none waits.
func (c *converging) settle(t *rapid.T) {
	c.deliver(c.planned...)
	for round := 0; ; round++ {
		waits := false
		for _, name := range c.names {
			waits = c.carry(name) || waits
		}
		if !waits {
			break
		}
		if round > 10 {
			t.Fatalf("it goes on and on")
		}
	}
	source := c.at("aaa")
	for _, name := range c.names {
		o, want := c.at(name), object.Replica
		if name == "aaa" {
			want = object.Completed
		}
		if o.Status != want {
			t.Fatalf("%s: %s, %+v", name, o.Status, o.Deliveries)
		}
		same(t, source, o)
	}
	if !idle(c.e) {
		t.Fatalf("something waits")
	}
}
