package store

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/vfs"
	"twinbucket/object"
)

// TestManyAtATime has many clients do random things to few keys, with bodies
// in files that they share, and then looks at what is left and whether a replay
// of the journal makes the same of it. The journal is compacted all the while.
func TestManyAtATime(t *testing.T) {
	t.Parallel()
	fs := vfs.Memory()
	s := replicate(t, openInline(t, fs, 200))
	makeBucket(t, s, "plain", bucket.Unversioned)
	const enough = 10 // segments that are dropped
	var dropped atomic.Int64
	var clients sync.WaitGroup
	for n := range uint64(8) {
		clients.Go(func() {
			c := client{t, s, rand.New(rand.NewPCG(n, 1))}
			c.run(150)
			for round := 0; dropped.Load() < enough && round < 100; round++ {
				c.run(10) // compaction is slower than they are
			}
		})
	}
	over := make(chan struct{})
	var compactor sync.WaitGroup
	compactor.Go(func() {
		for {
			select {
			case <-over:
				return
			default:
				done, err := s.Compact(t.Context())
				if dropped.Add(int64(done.Segments)); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	clients.Wait()
	close(over)
	compactor.Wait()
	if n := dropped.Load(); n < enough {
		t.Errorf("only %d segments were dropped", n)
	}
	check(t, s, fs)
	want := rows(t, s)
	closeStore(t, s)
	if err := fs.RemoveAll("/data/index"); err != nil {
		t.Fatal(err)
	}
	s = openInline(t, fs, 200)
	if diff := cmp.Diff(readable(want), readable(rows(t, s))); diff != "" {
		t.Errorf("live, and replayed: %s", diff)
	}
	closeStore(t, s)
}

type client struct {
	t   *testing.T
	s   *Store
	rng *rand.Rand
}

func (c client) run(steps int) {
	for range steps {
		err := c.step(historyBuckets[c.rng.IntN(3)], fmt.Sprint(c.rng.IntN(3)))
		// What another client was quicker at is refused.
		if fault.CodeOf(err) == "ConditionalRequestConflict" {
			continue
		}
		if k := fault.KindOf(err); err != nil && k != fault.NotFound && k != fault.Precondition && k != fault.Busy && k != fault.Invalid {
			c.t.Error(err)
		}
	}
}

// step does one thing to a key.
func (c client) step(bkt, key string) error {
	ctx, s := c.t.Context(), c.s
	body := strings.Repeat("x", 50+c.rng.IntN(200))
	switch c.rng.IntN(8) {
	case 0, 1:
		_, err := s.Put(ctx, Put{Version: object.Version{Bucket: bkt, Key: key}, Body: strings.NewReader(body), Size: -1})
		return err
	case 2:
		id, err := s.CreateUpload(ctx, object.Version{Bucket: bkt, Key: key}, "")
		if err != nil {
			return err
		}
		p, err := s.PutPart(ctx, bkt, key, id, 1, strings.NewReader(body), -1, nil)
		if err != nil {
			return err
		}
		_, err = s.CompleteUpload(ctx, bkt, key, id, []Chosen{{1, p.ETag}}, nil, object.Condition{NoneMatch: []string{"", "*"}[c.rng.IntN(2)]})
		return err
	case 3:
		ps, err := s.Pending(ctx, lane, 0, 0, 5)
		if err != nil {
			return err
		}
		var ds []Delivery
		for _, p := range ps {
			r := p.Object.Version
			r.Bucket = "dst"
			ds = append(ds, Delivery{Source: p.Object, Replica: &r, Outcome: object.Delivery{Bucket: "dst", Status: object.Completed}})
		}
		_, err = s.Deliver(ctx, ds)
		return err
	}
	o, err := s.Head(ctx, bkt, key, "")
	if err != nil {
		return err
	}
	switch c.rng.IntN(5) {
	case 4:
		r, opened := s.Open(ctx, o, 0, -1)
		if opened != nil {
			return opened
		}
		n, read := io.Copy(io.Discard, r)
		if err = errors.Join(read, r.Close()); err == nil && n != o.Size {
			err = fmt.Errorf("%d bytes of %d", n, o.Size)
		}
	case 0:
		_, err = s.Delete(ctx, bkt, key, o.ID, owner)
	case 1:
		_, err = s.Delete(ctx, bkt, key, "", owner)
	case 2:
		if !o.Marker {
			_, err = s.Copy(ctx, o, Put{Version: object.Version{Bucket: historyBuckets[c.rng.IntN(3)], Key: key}})
		}
	case 3:
		if !o.Marker {
			_, err = s.SetTags(ctx, bkt, key, o.ID, []object.Tag{{Key: body[:1]}})
		}
	}
	return err
}

// TestAConditionHoldsForWhatBecomesCurrent: a conditional put that others have
// overtaken since it got its time would be stored behind them, where nobody sees
// it; who takes a lock with it would have it together with the next one.
func TestAConditionHoldsForWhatBecomesCurrent(t *testing.T) {
	t.Parallel()
	slow := make(chan func(), 1)
	fs := vfs.Memory()
	s, err := Open(fs, "/data", Options{Log: quiet, CacheSize: 1 << 20, Select: func(*bucket.Bucket, *object.Version) []object.Delivery {
		select {
		case meanwhile := <-slow: // the time is given
			meanwhile()
		default:
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	del := func(cond object.Condition) error {
		_, err := s.DeleteWith(t.Context(), Deletion{Bucket: "bkt", Key: "k", Owner: owner, If: cond})
		return err
	}
	write := func(cond object.Condition) error {
		_, err := s.Put(t.Context(), Put{Version: object.Version{Bucket: "bkt", Key: "k"}, If: cond})
		return err
	}
	for _, v := range []bucket.Versioning{bucket.Enabled, bucket.Unversioned} {
		makeBucket(t, s, "bkt", v)
		code := map[bucket.Versioning]string{bucket.Enabled: "ConditionalRequestConflict"}[v]
		slow <- func() {
			if err := errors.Join(write(object.Condition{NoneMatch: "*"}), del(object.Condition{})); err != nil {
				t.Error(err)
			}
		}
		wantCode(t, write(object.Condition{NoneMatch: "*"}), code)
		if v == bucket.Enabled {
			slow <- func() {
				if err := write(object.Condition{}); err != nil {
					t.Error(err)
				}
			}
			wantCode(t, del(object.Condition{Match: "*"}), code)
		}
		if o, err := s.Head(t.Context(), "bkt", "k", ""); err != nil || o.Marker {
			t.Errorf("%+v, %v", o, err)
		}
		page, err := s.ListVersions(t.Context(), "bkt", VersionsOptions{Max: 10})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Versions {
			if _, err := s.Delete(t.Context(), "bkt", "k", o.ID, owner); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.DeleteBucket(t.Context(), "bkt"); err != nil {
			t.Fatal(err)
		}
	}
	closeStore(t, s)
}
