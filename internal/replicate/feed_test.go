package replicate

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"twinbucket/bucket"
	"twinbucket/internal/ledger"
	"twinbucket/internal/queue"
	"twinbucket/internal/store"
	"twinbucket/internal/vfs"
	"twinbucket/object"
)

// busy is a store whose buckets "many" and "few" send each object to "dst" under
// the rule that its key begins with.
func busy(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(vfs.Memory(), "data", store.Options{Select: func(b *bucket.Bucket, v *object.Version) []object.Delivery {
		if b.Name == "dst" {
			return nil
		}
		rule, _, _ := strings.Cut(v.Key, "/")
		return []object.Delivery{{Bucket: "dst", Rule: rule, Status: object.Pending}}
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, name := range []string{"many", "few", "dst"} {
		if err := s.CreateBucket(t.Context(), &bucket.Bucket{Name: name, Owner: "111111111111", Versioning: bucket.Enabled}); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func fill(t *testing.T, s *store.Store, name, prefix string, n int) {
	t.Helper()
	for i := range n {
		if _, err := s.Put(t.Context(), store.Put{Version: object.Version{Bucket: name, Key: fmt.Sprintf("%s/%d", prefix, i), Owner: "111111111111"}, Body: strings.NewReader("")}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLanesTakeTurns has many objects wait under one rule of one bucket, and one
// each under another rule and in another bucket.
func TestLanesTakeTurns(t *testing.T) {
	t.Parallel()
	s := busy(t)
	fill(t, s, "many", "a", 6*taskSize)
	fill(t, s, "many", "b", 1)
	fill(t, s, "few", "c", 1)
	q := queue.Memory[Task](queueSize)
	f := newFeeder(s, q)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.run(ctx) }()
	next := func() (*queue.Delivery[Task], string) {
		t.Helper()
		d, err := q.Receive(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return d, d.Task.Lane.Rule
	}
	var rules []string
	var first *queue.Delivery[Task]
	for range share + 2 {
		d, rule := next()
		if first == nil && rule == "a" {
			first = d
		}
		rules = append(rules, rule)
	}
	waits := 0
	for i, rule := range rules {
		switch rule {
		case "a":
			waits++
		case "b", "c":
			if i > 3 {
				t.Errorf("rule %s comes only as task %d: %v", rule, i, rules)
			}
		}
	}
	if waits != share {
		t.Errorf("%d tasks of one lane in flight, want %d: %v", waits, share, rules)
	}
	// A lane that comes back with something new is served though another waits.
	fill(t, s, "few", "c", 1)
	if _, rule := next(); rule != "c" {
		t.Errorf("then %s", rule)
	}
	first.Ack()
	f.done(first.Task.Lane)
	if d, rule := next(); rule != "a" || d.Task.After < first.Task.Until {
		t.Errorf("then %+v", d.Task)
	}
	stop()
	if err := <-ended; ctx.Err() == nil {
		t.Error(err)
	}
}

// TestEmptiedLanesAreLeft has all of a lane be deleted before it is read.
func TestEmptiedLanesAreLeft(t *testing.T) {
	t.Parallel()
	s := busy(t)
	f := newFeeder(s, queue.Memory[Task](queueSize))
	serve := func() int {
		t.Helper()
		f.look()
		n := 0
		for _, turn := range f.buckets {
			for {
				ok, err := f.serve(t.Context(), turn)
				if err != nil {
					t.Fatal(err)
				}
				if !ok {
					break
				}
				n++
			}
		}
		return n
	}
	for range 3 { // of buckets by one name
		fill(t, s, "many", "a", 1)
		if n := serve(); n != 1 {
			t.Fatalf("%d tasks", n)
		}
		f.done(ledger.Lane{Source: "many", Destination: "dst", Rule: "a"})
		if n := serve(); n != 0 {
			t.Fatalf("%d tasks of nothing new", n)
		}
		page, err := s.ListVersions(t.Context(), "many", store.VersionsOptions{Max: 10})
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range page.Versions {
			if _, err := s.Delete(t.Context(), "many", v.Key, v.ID, "111111111111"); err != nil {
				t.Fatal(err)
			}
		}
		if n := serve(); n != 0 {
			t.Fatalf("%d tasks of what is deleted", n)
		}
		if err := s.DeleteBucket(t.Context(), "many"); err != nil {
			t.Fatal(err)
		}
		if err := s.CreateBucket(t.Context(), &bucket.Bucket{Name: "many", Owner: "111111111111", Versioning: bucket.Enabled}); err != nil {
			t.Fatal(err)
		}
	}
	if len(f.lanes) != 1 || len(f.buckets) != 1 {
		t.Errorf("%d lanes, %d buckets", len(f.lanes), len(f.buckets))
	}
}

func TestYield(t *testing.T) {
	t.Parallel()
	e := &Engine{feeder: newFeeder(nil, nil)}
	lane := ledger.Lane{Source: "many"}
	begin := time.Now()
	for range 100 { // nothing is under way
		if err := e.Yield(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if d := time.Since(begin); d > 100*patience/2 {
		t.Errorf("waited %v for nothing", d)
	}
	e.feeder.begin(lane)
	if n := e.InFlight(); n != 1 {
		t.Errorf("%d tasks in flight", n)
	}
	begin = time.Now()
	if err := e.Yield(t.Context()); err != nil || time.Since(begin) < patience {
		t.Errorf("waited %v for what does not end, %v", time.Since(begin), err)
	}
	yielded := make(chan error)
	go func() { yielded <- e.Yield(t.Context()) }()
	e.feeder.done(lane)
	if err := <-yielded; err != nil {
		t.Error(err)
	}
	e.feeder.begin(lane)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if diff := cmp.Diff(context.Canceled.Error(), fmt.Sprint(e.Yield(ctx))); diff != "" {
		t.Error(diff)
	}
}
