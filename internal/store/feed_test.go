package store

import (
	"errors"
	"fmt"
	"testing"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/ledger"
	"twinbucket/internal/vfs"
	"twinbucket/object"
)

func replicated(t *testing.T, fs vfs.FS) *Store {
	t.Helper()
	return replicate(t, open(t, fs))
}

// replicate makes the bucket src, which replicates to dst.
func replicate(t *testing.T, s *Store) *Store {
	t.Helper()
	makeBucket(t, s, "dst", bucket.Enabled)
	makeBucket(t, s, "src", bucket.Enabled)
	err := s.UpdateBucket(t.Context(), "src", func(b *bucket.Bucket) error {
		b.Documents[bucket.Replication] = []byte("dst")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// lane is the only one of such a store.
var lane = ledger.Lane{Source: "src", Destination: "dst", Rule: "r"}

// feed lists what is pending, from the start.
func feed(t *testing.T, s *Store) (out []*Object) {
	t.Helper()
	ps, err := s.Pending(t.Context(), lane, 0, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range ps {
		out = append(out, p.Object)
	}
	return out
}

func deliver(t *testing.T, s *Store, src *Object, status object.Status) object.Delivery {
	t.Helper()
	d := Delivery{Source: src, Outcome: object.Delivery{Bucket: "dst", Rule: "r", Status: status}}
	if status == object.Completed {
		r := src.Version
		r.Bucket = "dst"
		d.Replica = &r
	}
	out, err := s.Deliver(t.Context(), []Delivery{d})
	if err != nil {
		t.Fatal(err)
	}
	return out[0]
}

func status(t *testing.T, s *Store, o *Object) object.Status {
	t.Helper()
	got, err := s.Head(t.Context(), o.Bucket, o.Key, o.ID)
	if err != nil {
		t.Fatal(err)
	}
	return got.Status
}

func TestFeedHoldsWhatIsUnfinished(t *testing.T) {
	t.Parallel()
	fs := vfs.Memory()
	s := replicated(t, fs)
	changed := s.Changed()
	a, b, c := put(t, s, "src", "a", "1"), put(t, s, "src", "b", "2"), put(t, s, "src", "c", "3")
	<-changed
	put(t, s, "dst", "elsewhere", "x")
	if got := feed(t, s); len(got) != 3 || got[0].Key != "a" || got[2].Key != "c" {
		t.Fatalf("%v", got)
	}
	if d := deliver(t, s, a, object.Completed); d.Status != object.Completed {
		t.Fatalf("%+v", d)
	}
	if d := deliver(t, s, b, object.Failed); d.Status != object.Failed {
		t.Fatalf("%+v", d)
	}
	// A power failure loses none of it.
	crashed := fs.Crash(0, nil)
	closeStore(t, s)
	s = open(t, crashed)
	if got := feed(t, s); len(got) != 1 || got[0].Key != "c" {
		t.Fatalf("%v", got)
	}
	if until, n, err := s.PendingRange(lane, 0, 10); n != 1 || err != nil || until == 0 {
		t.Fatal(until, n, err)
	}
	for o, want := range map[*Object]object.Status{a: object.Completed, b: object.Failed, c: object.Pending} {
		if got := status(t, s, o); got != want {
			t.Errorf("%s is %s, want %s", o.Key, got, want)
		}
	}
	r, err := s.Head(t.Context(), "dst", "a", a.ID)
	if err != nil || r.Status != object.Replica || !r.Modified.Equal(a.Modified) || read(t, s, r) != "1" {
		t.Fatalf("%+v, %v", r, err)
	}
	// A replica is older than what was put later, whenever it arrives.
	newer := put(t, s, "dst", "c", "newer")
	deliver(t, s, c, object.Completed)
	if cur, err := s.Head(t.Context(), "dst", "c", ""); err != nil || cur.ID != newer.ID {
		t.Fatalf("%+v, %v", cur, err)
	}
	if _, err := s.Delete(t.Context(), "src", "c", c.ID, owner); err != nil {
		t.Fatal(err)
	}
	if got := feed(t, s); len(got) != 0 {
		t.Fatalf("%v", got)
	}
	closeStore(t, s)
}

func TestChangeDuringDeliveryStaysPending(t *testing.T) {
	t.Parallel()
	s := replicated(t, vfs.Memory())
	defer closeStore(t, s)
	a := put(t, s, "src", "a", "1")
	if _, err := s.SetTags(t.Context(), "src", "a", a.ID, []object.Tag{{Key: "k", Value: "v"}}); err != nil {
		t.Fatal(err)
	}
	if d := deliver(t, s, a, object.Completed); d.Status != object.Pending {
		t.Fatalf("%+v", d)
	}
	got := feed(t, s)
	if len(got) != 1 || status(t, s, a) != object.Pending {
		t.Fatalf("%v", got)
	}
	if d := deliver(t, s, got[0], object.Completed); d.Status != object.Completed {
		t.Fatalf("%+v", d)
	}
	r, err := s.Head(t.Context(), "dst", "a", a.ID)
	if err != nil || len(r.Tags) != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	// A later change makes it pending again, also after one that failed; a
	// version that failed itself stays failed.
	b := put(t, s, "src", "b", "1")
	deliver(t, s, b, object.Failed)
	for o, want := range map[*Object]object.Status{a: object.Pending, b: object.Failed} {
		for range 2 {
			o, err := s.SetTags(t.Context(), "src", o.Key, o.ID, nil)
			if err != nil || o.Status != want {
				t.Fatalf("%+v, %v", o, err)
			}
			if want == object.Pending {
				deliver(t, s, o, object.Failed)
			}
		}
	}
}

func TestDestinationIsCheckedWhenItIsWritten(t *testing.T) {
	t.Parallel()
	s := replicated(t, vfs.Memory())
	defer closeStore(t, s)
	a, b, c := put(t, s, "src", "a", "1"), put(t, s, "src", "b", "1"), put(t, s, "src", "c", "1")
	deliver(t, s, a, object.Completed)
	if _, err := s.Delete(t.Context(), "dst", "a", a.ID, owner); err != nil {
		t.Fatal(err)
	}
	if d := deliver(t, s, a, object.Completed); d.Code != "DstObjectHardDeleted" {
		t.Fatalf("%+v", d)
	}
	if gone, err := s.HardDeleted("dst", "a", a.ID); !gone || err != nil {
		t.Fatal(gone, err)
	}
	err := s.UpdateBucket(t.Context(), "dst", func(b *bucket.Bucket) error { b.Versioning = bucket.Suspended; return nil })
	if err != nil {
		t.Fatal(err)
	}
	if d := deliver(t, s, b, object.Completed); d.Status != object.Failed || d.Code != "DstBucketUnversioned" || d.Reason == "" {
		t.Fatalf("%+v", d)
	}
	if err := s.DeleteBucket(t.Context(), "dst"); err != nil {
		t.Fatal(err)
	}
	if d := deliver(t, s, c, object.Completed); d.Code != "DstBucketNotFound" {
		t.Fatalf("%+v", d)
	}
	if _, err := s.Delete(t.Context(), "src", "c", c.ID, owner); err != nil {
		t.Fatal(err)
	}
	if d := deliver(t, s, c, object.Completed); d.Code != "SrcVersionNotFound" {
		t.Fatalf("%+v", d)
	}
}

func TestSeveralDestinationsSumUp(t *testing.T) {
	t.Parallel()
	s := replicated(t, vfs.Memory())
	defer closeStore(t, s)
	makeBucket(t, s, "dst2", bucket.Enabled)
	a := put(t, s, "src", "a", "1")
	other := func(st object.Status) {
		t.Helper()
		if _, err := s.Deliver(t.Context(), []Delivery{{Source: a, Outcome: object.Delivery{Bucket: "dst2", Status: st}}}); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	note := func() { got = append(got, string(status(t, s, a))) }
	other(object.Pending)
	deliver(t, s, a, object.Completed)
	note()
	other(object.Failed)
	note()
	other(object.Completed)
	note()
	if fmt.Sprint(got) != "[PENDING FAILED COMPLETED]" {
		t.Fatal(got)
	}
}

// TestDestinationMadeAnew: a replica does not go to a bucket that was made in
// the name of the one it was allowed for, and none does after a crash.
func TestDestinationMadeAnew(t *testing.T) {
	t.Parallel()
	fs := vfs.Memory()
	s := replicated(t, fs)
	a, b := put(t, s, "src", "a", "1"), put(t, s, "src", "b", "2")
	was, err := s.Bucket("dst")
	if err != nil {
		t.Fatal(err)
	}
	carry := func(o *Object) object.Delivery {
		t.Helper()
		r := o.Version
		r.Bucket = "dst"
		out, err := s.Deliver(t.Context(), []Delivery{{Source: o, Replica: &r, Into: was, Outcome: object.Delivery{Bucket: "dst", Rule: "r", Status: object.Completed}}})
		if err != nil {
			t.Fatal(err)
		}
		return out[0]
	}
	if d := carry(a); d.Status != object.Completed {
		t.Fatalf("into the same: %+v", d)
	}
	if _, err := s.Delete(t.Context(), "dst", "a", a.ID, ""); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteBucket(t.Context(), "dst"); err != nil {
		t.Fatal(err)
	}
	if err := s.CreateBucket(t.Context(), &bucket.Bucket{Name: "dst", Owner: "333333333333", Versioning: bucket.Enabled}); err != nil {
		t.Fatal(err)
	}
	if d := carry(b); d.Status != object.Failed || d.Code != "DstBucketNotFound" {
		t.Errorf("into another: %+v", d)
	}
	crashed := fs.Crash(0, nil)
	closeStore(t, s)
	s = open(t, crashed)
	if _, err := s.Head(t.Context(), "dst", "b", b.ID); !errors.Is(err, fault.NotFound) || status(t, s, b) != object.Failed {
		t.Errorf("after a crash: %v", err)
	}
	closeStore(t, s)
}
