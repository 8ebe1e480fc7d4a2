package store

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"twinbucket/acl"
	"twinbucket/bucket"
	"twinbucket/internal/vfs"
	"twinbucket/object"
)

// lockWith turns Object Lock of a bucket on, with a default of a day if mode
// is not empty.
func lockWith(mode string) func(*bucket.Bucket) error {
	return func(b *bucket.Bucket) error {
		b.Versioning = bucket.Enabled
		rule := ""
		if mode != "" {
			rule = "<Rule><DefaultRetention><Mode>" + mode + "</Mode><Days>1</Days></DefaultRetention></Rule>"
		}
		b.Documents[bucket.ObjectLock] = []byte("<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>" + rule + "</ObjectLockConfiguration>")
		return nil
	}
}

// clocked opens a store whose clock is *now.
func clocked(t *testing.T, fs vfs.FS, now *time.Time) *Store {
	t.Helper()
	s, err := Open(fs, "/data", Options{Log: quiet, CacheSize: 1 << 20, Select: selectAll, SelectChanges: selectAll, Now: func() time.Time { return *now }})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func update(t *testing.T, s *Store, name string, change func(*bucket.Bucket) error) {
	t.Helper()
	if err := s.UpdateBucket(t.Context(), name, change); err != nil {
		t.Fatal(err)
	}
}

func TestLockedVersionsStay(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	fs := vfs.Memory()
	s := clocked(t, fs, &now)
	defer func() { closeStore(t, s) }()
	makeBucket(t, s, "bkt", bucket.Enabled)
	ctx := t.Context()
	del := func(o *Object, bypass bool, code string) {
		t.Helper()
		_, err := s.DeleteWith(ctx, Deletion{Bucket: "bkt", Key: o.Key, ID: o.ID, Owner: owner, Bypass: bypass})
		wantCode(t, err, code)
		if _, err := s.Head(ctx, "bkt", o.Key, o.ID); (err == nil) != (code != "") {
			t.Errorf("after the delete: %v", err)
		}
	}
	retain := func(o *Object, mode string, until time.Time, bypass bool, code string) {
		t.Helper()
		_, err := s.SetRetention(ctx, "bkt", o.Key, o.ID, Retention{Mode: mode, Until: until, Bypass: bypass})
		wantCode(t, err, code)
	}
	hour := now.Add(time.Hour)
	a, b, c := put(t, s, "bkt", "a", "1"), put(t, s, "bkt", "b", "2"), put(t, s, "bkt", "c", "3")
	retain(a, object.Governance, hour, false, "")
	retain(b, object.Compliance, hour, false, "")
	if got, err := s.SetLegalHold(ctx, "bkt", "c", c.ID, true); err != nil || !got.Lock.Hold || got.Changes != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	// A marker may still hide what is locked, and go again.
	d, err := s.Delete(ctx, "bkt", "a", "", owner)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Delete(ctx, "bkt", "a", d.ID, owner); err != nil {
		t.Fatal(err)
	}
	for _, o := range []*Object{a, b, c} {
		del(o, false, "AccessDenied")
	}
	del(b, true, "AccessDenied")
	del(c, true, "AccessDenied")
	retain(a, object.Governance, now.Add(time.Minute), false, "AccessDenied")
	retain(a, object.Governance, now.Add(time.Minute), true, "")
	retain(b, object.Compliance, now.Add(time.Minute), true, "AccessDenied")
	retain(b, "", time.Time{}, true, "AccessDenied")
	closeStore(t, s)
	s = clocked(t, fs, &now)
	del(a, true, "")
	now = hour
	del(b, false, "")
	if got, err := s.SetLegalHold(ctx, "bkt", "c", c.ID, false); err != nil || got.Lock != (object.Lock{Released: true}) {
		t.Fatalf("%+v, %v", got, err)
	}
	// What was decided at its time is decided the same when it is replayed.
	want := rows(t, s)
	closeStore(t, s)
	if err := fs.RemoveAll("/data/index"); err != nil {
		t.Fatal(err)
	}
	now = now.AddDate(10, 0, 0)
	s = clocked(t, fs, &now)
	if got := rows(t, s); len(got) != len(want) {
		t.Errorf("%d rows after the replay, want %d", len(got), len(want))
	}
	del(c, false, "")
}

func TestDefaultRetention(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s := clocked(t, vfs.Memory(), &now)
	defer closeStore(t, s)
	makeBucket(t, s, "bkt", bucket.Enabled)
	null := func() *Object { return put(t, s, "plain", "k", "x") }
	update(t, s, "bkt", lockWith(object.Governance))
	o := put(t, s, "bkt", "k", "x")
	if o.Lock.Mode != object.Governance || !o.Lock.Until.Equal(o.Modified.AddDate(0, 0, 1)) {
		t.Errorf("%+v", o.Lock)
	}
	own, err := s.Put(t.Context(), Put{Version: object.Version{Bucket: "bkt", Key: "k", Lock: object.Lock{Mode: object.Compliance, Until: now.Add(time.Hour)}}})
	if err != nil || own.Lock.Mode != object.Compliance {
		t.Errorf("%+v, %v", own, err)
	}
	d, err := s.Delete(t.Context(), "bkt", "k", "", owner)
	if err != nil {
		t.Fatal(err)
	}
	if m, err := s.Head(t.Context(), "bkt", "k", d.ID); err != nil || m.Lock != (object.Lock{}) {
		t.Errorf("%+v, %v", m, err)
	}
	// Object Lock is for good, and keeps versioning.
	for _, change := range []func(*bucket.Bucket) error{
		func(b *bucket.Bucket) error { b.Versioning = bucket.Suspended; return nil },
		func(b *bucket.Bucket) error { delete(b.Documents, bucket.ObjectLock); return nil },
	} {
		wantCode(t, s.UpdateBucket(t.Context(), "bkt", change), "InvalidBucketState")
	}
	// A null version from before cannot be replaced any more either.
	makeBucket(t, s, "plain", bucket.Unversioned)
	first := null()
	update(t, s, "plain", lockWith(""))
	if _, err := s.SetLegalHold(t.Context(), "plain", "k", object.NullID, true); err != nil {
		t.Fatal(err)
	}
	if o := null(); o.ID == object.NullID {
		t.Error("a null version in a versioned bucket")
	}
	_, err = s.Delete(t.Context(), "plain", "k", object.NullID, owner)
	wantCode(t, err, "AccessDenied")
	err = s.do(t.Context(), &putCommand{o: first}, nil) // one that was on its way meanwhile
	wantCode(t, err, "AccessDenied")
}

func TestReplicasAreLocked(t *testing.T) {
	t.Parallel()
	s := replicated(t, vfs.Memory())
	defer closeStore(t, s)
	ctx, hour := t.Context(), time.Now().UTC().Add(time.Hour).Truncate(time.Second)
	update(t, s, "src", lockWith(""))
	lock := object.Lock{Mode: object.Compliance, Until: hour, Hold: true}
	o, err := s.Put(ctx, Put{Version: object.Version{Bucket: "src", Key: "k", Lock: lock}})
	if err != nil {
		t.Fatal(err)
	}
	if d := deliver(t, s, o, object.Completed); d.Code != "DstBucketObjectLockConfigMissing" {
		t.Errorf("to a bucket without Object Lock: %+v", d)
	}
	update(t, s, "dst", lockWith(""))
	replica := func() object.Lock {
		t.Helper()
		if d := deliver(t, s, o, object.Completed); d.Status != object.Completed {
			t.Fatalf("%+v", d)
		}
		r, err := s.Head(ctx, "dst", "k", o.ID)
		if err != nil {
			t.Fatal(err)
		}
		return r.Lock
	}
	if got := replica(); got != lock {
		t.Errorf("%+v, want %+v", got, lock)
	}
	// The destination retains longer: a change at the source weakens nothing.
	if _, err := s.SetRetention(ctx, "dst", "k", o.ID, Retention{Mode: object.Compliance, Until: hour.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if o, err = s.SetLegalHold(ctx, "src", "k", o.ID, false); err != nil {
		t.Fatal(err)
	}
	if got, want := replica(), (object.Lock{Mode: object.Compliance, Until: hour.Add(time.Hour), Released: true}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestACL(t *testing.T) {
	t.Parallel()
	fs := vfs.Memory()
	s := replicated(t, fs)
	list := acl.List{{ID: "x", Permission: acl.FullControl}, {Group: acl.AllUsers, Permission: acl.Read}}
	o, err := s.Put(t.Context(), Put{Version: object.Version{Bucket: "src", Key: "k", ACL: list}})
	if err != nil {
		t.Fatal(err)
	}
	deliver(t, s, o, object.Completed)
	for i, want := range []acl.List{list, {}, {{ID: "y", Permission: acl.WriteACP}}, nil} {
		if i > 0 {
			if o, err = s.SetACL(t.Context(), "src", "k", "", want); err != nil || o.Changes != uint64(i) || o.Status != object.Pending {
				t.Fatalf("%+v, %v", o, err)
			}
			deliver(t, s, o, object.Completed)
		}
		closeStore(t, s)
		s = open(t, fs)
		for _, name := range []string{"src", "dst"} {
			got, err := s.Head(t.Context(), name, "k", o.ID)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got.ACL); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
	}
	closeStore(t, s)
}

// TestRetainedForLong: what is retained until a year that does not fit into
// nanoseconds is retained as long as it was said, also after a restart.
func TestRetainedForLong(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	fs := vfs.Memory()
	s := clocked(t, fs, &now)
	makeBucket(t, s, "bkt", bucket.Enabled)
	update(t, s, "bkt", lockWith(""))
	lock := object.Lock{Mode: object.Compliance, Until: time.Date(9999, 12, 31, 23, 59, 59, 1e6, time.UTC)}
	sent, err := s.Put(t.Context(), Put{Version: object.Version{Bucket: "bkt", Key: "sent", Lock: lock}})
	if err != nil {
		t.Fatal(err)
	}
	set := put(t, s, "bkt", "set", "x")
	if _, err := s.SetRetention(t.Context(), "bkt", "set", set.ID, Retention{Mode: lock.Mode, Until: lock.Until}); err != nil {
		t.Fatal(err)
	}
	for _, lost := range []bool{false, true} {
		closeStore(t, s)
		if lost {
			if err := fs.RemoveAll("/data/index"); err != nil {
				t.Fatal(err)
			}
		}
		s = clocked(t, fs, &now)
		for _, o := range []*Object{sent, set} {
			if got, err := s.Head(t.Context(), "bkt", o.Key, o.ID); err != nil || got.Lock != lock {
				t.Errorf("%+v, %v", got, err)
			}
			_, err := s.DeleteWith(t.Context(), Deletion{Bucket: "bkt", Key: o.Key, ID: o.ID, Owner: owner, Bypass: true})
			wantCode(t, err, "AccessDenied")
		}
	}
	closeStore(t, s)
}

// TestReplicasKeepTheLockOfTheirOwner: what the destination's owner locked stays
// so when the source, which says nothing of locks, is changed.
func TestReplicasKeepTheLockOfTheirOwner(t *testing.T) {
	t.Parallel()
	fs := vfs.Memory()
	s := replicated(t, fs)
	update(t, s, "dst", lockWith(object.Governance))
	ctx, now := t.Context(), time.Now().UTC().Truncate(time.Second)
	o := put(t, s, "src", "k", "x")
	send := func(l object.Lock) object.Lock {
		t.Helper()
		d := Delivery{Source: o, Outcome: object.Delivery{Bucket: "dst", Rule: "r", Status: object.Completed}}
		v := o.Version
		v.Bucket, v.Lock = "dst", l
		d.Replica = &v
		if out, err := s.Deliver(ctx, []Delivery{d}); err != nil || out[0].Status != object.Completed {
			t.Fatal(out, err)
		}
		r, err := s.Head(ctx, "dst", "k", o.ID)
		if err != nil {
			t.Fatal(err)
		}
		return r.Lock
	}
	byDefault := object.Lock{Mode: object.Governance, Until: now.Add(time.Hour)} // as the bucket has it
	if got := send(byDefault); got != byDefault {
		t.Errorf("%+v", got)
	}
	if _, err := s.SetLegalHold(ctx, "dst", "k", o.ID, true); err != nil {
		t.Fatal(err)
	}
	want := object.Lock{Mode: object.Governance, Until: now.Add(1000 * time.Hour), Hold: true}
	if _, err := s.SetRetention(ctx, "dst", "k", o.ID, Retention{Mode: want.Mode, Until: want.Until}); err != nil {
		t.Fatal(err)
	}
	var err error
	if o, err = s.SetTags(ctx, "src", "k", o.ID, []object.Tag{{Key: "a", Value: "b"}}); err != nil {
		t.Fatal(err)
	}
	if got := send(byDefault); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	closeStore(t, s)
	if err := fs.RemoveAll("/data/index"); err != nil {
		t.Fatal(err)
	}
	s = open(t, fs)
	if r, err := s.Head(ctx, "dst", "k", o.ID); err != nil || r.Lock != want || len(r.Tags) != 1 {
		t.Errorf("after a replay: %+v, %v", r, err)
	}
	closeStore(t, s)
}
