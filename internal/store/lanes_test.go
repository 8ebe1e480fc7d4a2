package store

import (
	"encoding/binary"
	"testing"

	"github.com/google/go-cmp/cmp"

	"twinbucket/bucket"
	"twinbucket/internal/layout"
	"twinbucket/internal/ledger"
	"twinbucket/internal/vfs"
	"twinbucket/object"
)

// fanned has a bucket that replicates to two others.
func fanned(t *testing.T, fs vfs.FS) *Store {
	t.Helper()
	rules := func(b *bucket.Bucket, _ *object.Version) []object.Delivery {
		if b.Name != "src" {
			return nil
		}
		return []object.Delivery{{Bucket: "dst", Rule: "r", Status: object.Pending}, {Bucket: "dst2", Rule: "r2", Status: object.Pending}}
	}
	s, err := Open(fs, "data", Options{Select: rules, SelectChanges: rules})
	if err != nil {
		t.Fatal(err)
	}
	makeBucket(t, s, "src", bucket.Enabled)
	makeBucket(t, s, "dst", bucket.Enabled)
	makeBucket(t, s, "dst2", bucket.Enabled)
	return s
}

var lane2 = ledger.Lane{Source: "src", Destination: "dst2", Rule: "r2"}

// settle ends one delivery of a version.
func settle(t *testing.T, s *Store, o *Object, l ledger.Lane, status object.Status) {
	t.Helper()
	d := Delivery{Source: o, Outcome: object.Delivery{Bucket: l.Destination, Rule: l.Rule, Status: status}}
	if status == object.Completed {
		r := o.Version
		r.Bucket = l.Destination
		d.Replica = &r
	}
	if _, err := s.Deliver(t.Context(), []Delivery{d}); err != nil {
		t.Fatal(err)
	}
}

// TestLanesAreCounted follows two versions on two ways each.
func TestLanesAreCounted(t *testing.T) {
	t.Parallel()
	fs := vfs.Memory()
	s := fanned(t, fs)
	want := map[ledger.Lane]ledger.Counts{}
	hold := func(step string) {
		t.Helper()
		check(t, s, fs)
		for _, e := range s.Lanes("src") {
			have := e.Counts
			have.Last = 0
			if diff := cmp.Diff(want[e.Lane], have); diff != "" {
				t.Errorf("%s: %v: %s", step, e.Lane, diff)
			}
			ps, err := s.Pending(t.Context(), e.Lane, 0, 0, 100)
			if err != nil || int64(len(ps)) != e.Pending {
				t.Errorf("%s: %v: %d wait, %v", step, e.Lane, len(ps), err)
			}
		}
	}
	a := put(t, s, "src", "a", "12345")
	b := put(t, s, "src", "b", "123")
	want[lane], want[lane2] = ledger.Counts{Pending: 2, PendingBytes: 8}, ledger.Counts{Pending: 2, PendingBytes: 8}
	hold("two are put")
	settle(t, s, a, lane, object.Completed)
	want[lane] = ledger.Counts{Pending: 1, PendingBytes: 3, Completed: 1, CompletedBytes: 5}
	hold("one is carried one way")
	settle(t, s, a, lane, object.Completed)
	hold("and once more, by a task that came twice")
	ps, err := s.Pending(t.Context(), lane2, 0, 0, 100)
	if err != nil || len(ps) != 2 || ps[0].Object.Key != "a" || ps[0].Delivery.Bucket != "dst2" {
		t.Fatalf("the other way it keeps its place: %+v, %v", ps, err)
	}
	settle(t, s, a, lane2, object.Failed)
	want[lane2] = ledger.Counts{Pending: 1, PendingBytes: 3, Failed: 1, Failures: 1}
	hold("one has failed the other way")
	if _, err := s.SetTags(t.Context(), "src", "a", a.ID, []object.Tag{{Key: "k", Value: "v"}}); err != nil {
		t.Fatal(err)
	}
	want[lane] = ledger.Counts{Pending: 2, PendingBytes: 3, Completed: 1, CompletedBytes: 5}
	hold("tags are no bytes")
	if since, err := s.Waiting(t.Context(), lane); err != nil || !since.Equal(b.Deliveries[0].Time) {
		t.Errorf("waits since %v, %v", since, err)
	}
	if _, err := s.Delete(t.Context(), "src", "b", b.ID, owner); err != nil {
		t.Fatal(err)
	}
	want[lane] = ledger.Counts{Pending: 1, Completed: 1, CompletedBytes: 5}
	want[lane2] = ledger.Counts{Failed: 1, Failures: 1}
	hold("what waits is deleted")
	crashed := fs.Crash(0, nil)
	closeStore(t, s)
	s, fs = open(t, crashed), crashed
	hold("the power fails")
	if _, err := s.Delete(t.Context(), "src", "a", a.ID, owner); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteBucket(t.Context(), "src"); err != nil {
		t.Fatal(err)
	}
	if got := s.Lanes(""); len(got) != 0 {
		t.Errorf("lanes of a deleted bucket: %v", got)
	}
	closeStore(t, s)
}

// TestOlderIndexesGetLanes reads the rows of an index from before there were
// lanes.
func TestOlderIndexesGetLanes(t *testing.T) {
	t.Parallel()
	fs := vfs.Memory()
	s := fanned(t, fs)
	a := put(t, s, "src", "a", "12345")
	put(t, s, "src", "b", "1")
	settle(t, s, a, lane, object.Failed)
	want := rows(t, s)
	got := map[string]string{}
	f := &filer{func(row, value []byte) error { got[string(row)] = string(value); return nil }, ledger.New()}
	for row, value := range want {
		switch row[0] {
		case layout.KindPending: // as it stood then, once for both ways
			old := binary.BigEndian.AppendUint64([]byte{layout.KindPending}, place([]byte(row)))
			row = string(old)
		case layout.KindLane:
			continue
		}
		if err := f.row([]byte(row), []byte(value)); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.end(); err != nil {
		t.Fatal(err)
	}
	for _, index := range []map[string]string{want, got} {
		for row, value := range index {
			if row[0] != layout.KindLane {
				continue
			}
			l := ledger.New()
			if err := l.Load([]byte(row), []byte(value)); err != nil {
				t.Fatal(err)
			}
			c := l.Entries("")[0].Counts
			index[row] = cmp.Diff(ledger.Counts{}, ledger.Counts{Pending: c.Pending, PendingBytes: c.PendingBytes, Failed: c.Failed, Last: c.Last})
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	closeStore(t, s)
}

// TestRetry has what failed tried again, to the destinations that are named.
func TestRetry(t *testing.T) {
	t.Parallel()
	fs := vfs.Memory()
	s := fanned(t, fs)
	a := put(t, s, "src", "a", "12345")
	b := put(t, s, "src", "b", "1")
	for _, l := range []ledger.Lane{lane, lane2} {
		settle(t, s, a, l, object.Failed)
	}
	settle(t, s, b, lane, object.Completed)
	settle(t, s, b, lane2, object.Failed)
	c := put(t, s, "src", "c", "1") // waits still
	again := func(want int, rs ...Retry) {
		t.Helper()
		if n, err := s.Retry(t.Context(), rs); n != want || err != nil {
			t.Errorf("%d wait again, %v, want %d", n, err, want)
		}
		check(t, s, fs)
	}
	again(2, Retry{a, []string{"dst"}}, Retry{b, []string{"dst", "dst2"}}, Retry{c, []string{"dst"}})
	again(0, Retry{a, []string{"dst", "elsewhere"}})
	again(0)
	now, err := s.Head(t.Context(), "src", "a", "")
	if err != nil || now.Status != object.Pending || now.Deliveries[0].Code != "" || now.Deliveries[1].Status != object.Failed {
		t.Errorf("%+v, %v", now, err)
	}
	// A null version may be another one by now, or gone.
	gone := *a
	gone.Modified = gone.Modified.Add(1)
	again(0, Retry{&gone, []string{"dst2"}})
	gone.ID = "of no version"
	again(0, Retry{&gone, []string{"dst2"}})
	want := rows(t, s)
	crashed := fs.Crash(0, nil)
	closeStore(t, s)
	s = open(t, crashed)
	if diff := cmp.Diff(readable(want), readable(rows(t, s))); diff != "" {
		t.Error(diff)
	}
	closeStore(t, s)
}
