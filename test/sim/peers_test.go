package sim

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"twinbucket/internal/queue"
	"twinbucket/internal/replicate"
	"twinbucket/internal/store"
	"twinbucket/object"
)

// What follows are histories in which other systems that replicate lost, brought
// back or held up objects.

var many = flag.Int("many", 4_000, "how many objects fail in TestManyThatFailHoldNothingUp")

// trying runs a test of buckets of a shape in a bubble of time, with an engine
// that works when it likes. In the end the store has to be sound.
func trying(t *testing.T, shape string, test func(t *testing.T, r *run)) {
	synctest.Test(t, func(t *testing.T) {
		s, edges := shaped(shape)
		r := newRun(s, edges, 4, true)
		if err := r.begin(); err != nil {
			t.Fatal(err)
		}
		test(t, r)
		synctest.Wait()
		r.halt()
		if err := r.check(r.ctx); err != nil {
			t.Error(err)
		}
		if err := r.close(); err != nil {
			t.Error(err)
		}
	})
}

func shaped(name string) (*settings, map[string][]string) {
	for _, s := range shapes {
		if s.name == name {
			return s.settings(false, false), s.edges
		}
	}
	panic("no shape " + name)
}

func (r *run) mustPut(t *testing.T, name, key, body string) *store.Object {
	t.Helper()
	o, err := r.store.Put(r.ctx, store.Put{Version: object.Version{Bucket: name, Key: key, Owner: r.model.buckets[name].owner}, Body: strings.NewReader(body), Size: int64(len(body))})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func (r *run) mustDelete(t *testing.T, name, key, id string) {
	t.Helper()
	if _, err := r.store.Delete(r.ctx, name, key, id, r.model.buckets[name].owner); err != nil {
		t.Fatal(err)
	}
}

// stack lists the versions of a bucket, the newest of each key first.
func (r *run) stack(t *testing.T, name string) (out []string) {
	t.Helper()
	page, err := r.store.ListVersions(r.ctx, name, store.VersionsOptions{Max: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range page.Versions {
		out = append(out, fmt.Sprintf("%s %s marker=%v latest=%v %s", v.Key, v.ID, v.Marker, v.Latest, v.ETag))
		if v.Status == object.Pending || v.Status == object.Failed {
			t.Errorf("%s/%s %s is %s: %+v", name, v.Key, v.ID, v.Status, v.Deliveries)
		}
	}
	return out
}

func (r *run) same(t *testing.T, a, b string) {
	t.Helper()
	one, two := r.stack(t, a), r.stack(t, b)
	if x, y := strings.Join(one, "\n"), strings.Join(two, "\n"); x != y {
		t.Errorf("%s has %d versions:\n%s\n%s has %d:\n%s", a, len(one), x, b, len(two), y)
	}
}

// TestTwoWritersOfOneKey: two clients put and delete one key a thousand times.
// Its stack is the same at both ends, marker by marker.
func TestTwoWritersOfOneKey(t *testing.T) {
	t.Parallel()
	trying(t, "one way", func(t *testing.T, r *run) {
		var writers sync.WaitGroup
		for w := range 2 {
			writers.Go(func() {
				for n := range 500 {
					if (n+w)%3 == 0 {
						r.mustDelete(t, "src", "k", "")
					} else {
						r.mustPut(t, "src", "k", fmt.Sprint(w, n))
					}
				}
			})
		}
		writers.Wait()
		synctest.Wait()
		if n := len(r.stack(t, "src")); n != 1000 {
			t.Errorf("there are %d versions", n)
		}
		r.same(t, "src", "dst")
	})
}

// TestDeletesOnBothSides: where buckets replicate to each other, delete markers
// too, each delete is one marker at both ends, also after all was sent again
// from both, and nothing comes back.
func TestDeletesOnBothSides(t *testing.T) {
	t.Parallel()
	trying(t, "two-way", func(t *testing.T, r *run) {
		for _, key := range []string{"a", "b"} {
			r.mustPut(t, "here", key, "h")
			r.mustPut(t, "there", key, "t")
		}
		synctest.Wait()
		for range 3 {
			r.mustDelete(t, "here", "a", "")
			r.mustDelete(t, "there", "a", "")
		}
		synctest.Wait()
		for range 2 {
			for _, name := range []string{"here", "there"} {
				b, err := r.store.Bucket(name)
				if err != nil {
					t.Fatal(err)
				}
				page, err := r.store.ListVersions(r.ctx, name, store.VersionsOptions{Max: 1000})
				if err != nil {
					t.Fatal(err)
				}
				var all []*store.Object
				for _, v := range page.Versions {
					all = append(all, v.Object)
				}
				if _, err := r.engine.Replicate(r.ctx, b, all); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
		}
		r.same(t, "here", "there")
		if n := len(r.stack(t, "here")); n != 4+6 {
			t.Errorf("there are %d versions", n)
		}
		for _, name := range []string{"here", "there"} {
			if o, err := r.store.Head(r.ctx, name, "a", ""); err != nil || !o.Marker {
				t.Errorf("%s/a came back: %+v, %v", name, o, err)
			}
		}
	})
}

// TestAnHourWithoutReplication: for an hour nothing is carried, and the process
// dies in the middle of it. The source notices nothing of it, what waits is
// counted all the time, and then it is carried; what was deleted meanwhile is not.
func TestAnHourWithoutReplication(t *testing.T) {
	t.Parallel()
	trying(t, "one way", func(t *testing.T, r *run) {
		before := r.mustPut(t, "src", "before", "1")
		synctest.Wait()
		r.halt()
		bytes, wait, deleted := int64(0), 0, map[string]string{}
		counted := func(when string) {
			t.Helper()
			pending, size := int64(0), int64(0)
			for _, l := range r.store.Lanes("src") {
				pending, size = pending+l.Pending, size+l.PendingBytes
			}
			if pending != int64(wait) || size != bytes {
				t.Errorf("%s %d operations of %d bytes are counted, not %d of %d", when, pending, size, wait, bytes)
			}
		}
		for minute := range 60 {
			r.skew += time.Minute
			o := r.mustPut(t, "src", fmt.Sprint("k", minute%7), strings.Repeat("x", minute))
			if minute%5 == 4 {
				r.mustDelete(t, "src", o.Key, o.ID)
				deleted[o.ID] = o.Key
			} else {
				wait, bytes = wait+1, bytes+o.Size
			}
			if minute == 30 {
				r.mustDelete(t, "src", "before", before.ID)
				if err := r.crash(r.ctx, crash{}); err != nil {
					t.Fatal(err)
				}
			}
			counted(fmt.Sprint("after minute ", minute))
		}
		r.start(r.ctx)
		synctest.Wait()
		wait, bytes = 0, 0
		counted("in the end")
		if src, dst := r.stack(t, "src"), r.stack(t, "dst"); len(dst) != len(src)+1 { // before was there already
			t.Errorf("%d versions, and %d replicas", len(src), len(dst))
		}
		for id, key := range deleted {
			if _, err := r.store.Head(r.ctx, "dst", key, id); err == nil {
				t.Errorf("%s was deleted before it was carried, and is there", id)
			}
		}
	})
}

// counting counts the tasks of one destination that are handed out until one of
// another is. It has happens happen when it hands the first one out.
type counting struct {
	queue.Queue[replicate.Task]
	slow    string // the destination
	refuse  bool   // its tasks come back, however often they are handed out
	happens func()
	before  atomic.Int64
	seen    atomic.Bool
}

func (q *counting) Receive(ctx context.Context) (*queue.Delivery[replicate.Task], error) {
	for {
		d, err := q.Queue.Receive(ctx)
		if err != nil {
			return nil, err
		}
		if d.Task.Lane.Destination != q.slow {
			q.seen.Store(true)
			return d, nil
		}
		if !q.seen.Load() && q.before.Add(1) == 1 {
			q.happens()
		}
		if !q.refuse {
			return d, nil
		}
		d.Retry(time.Minute)
	}
}

// TestManyThatFailHoldNothingUp: however many objects fail, or come back again
// and again, what goes another way waits for a few tasks of theirs at most.
func TestManyThatFailHoldNothingUp(t *testing.T) {
	t.Parallel()
	for name, refuse := range map[string]bool{"fail": false, "come back": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			trying(t, "fan-out", func(t *testing.T, r *run) {
				r.halt()
				must := func(err error) {
					t.Helper()
					if err != nil {
						t.Fatal(err)
					}
				}
				must(r.set("dst-a", func(b *bucketSettings) {
					b.missing = append(b.missing, grant{action: "s3:ReplicateObject", bucket: "dst-a"})
				}))
				must(r.set("src", func(b *bucketSettings) {
					b.rules = []ruleSettings{
						{id: "fails", prefix: "a/", on: true, to: "dst-a"},
						{id: "works", prefix: "b/", on: true, to: "dst-b"},
					}
				}))
				var clients sync.WaitGroup
				for c := range 16 {
					clients.Go(func() {
						for n := range *many / 16 {
							r.mustPut(t, "src", fmt.Sprintf("a/%d/%d", c, n), "x")
						}
					})
				}
				clients.Wait()
				q := &counting{Queue: queue.Memory[replicate.Task](64), slow: "dst-a", refuse: refuse}
				q.happens = func() { r.mustPut(t, "src", "b/healthy", "x") }
				r.startWith(r.ctx, q)
				synctest.Wait()
				if now, err := r.store.Head(r.ctx, "src", "b/healthy", ""); err != nil || now.Status != object.Completed {
					t.Errorf("%+v, %v", now, err)
				}
				if n := q.before.Load(); n > 8 {
					t.Errorf("it waited for %d tasks", n)
				}
				failed := int64(0)
				for _, l := range r.store.Lanes("src") {
					failed += l.Failed
				}
				if want := int64(*many / 16 * 16); !refuse && failed != want {
					t.Errorf("%d failed, of %d", failed, want)
				}
			})
		})
	}
}
