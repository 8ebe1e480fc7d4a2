package store

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/vfs"
	"twinbucket/object"
)

// listed returns what a lifecycle rule sees of a key, newest first.
func listed(t testing.TB, s *Store, bkt, key string) (out []Expiry) {
	t.Helper()
	p, err := s.ListVersions(t.Context(), bkt, VersionsOptions{Prefix: key, Max: 100})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range p.Versions {
		if v.Key == key {
			out = append(out, Expiry{Object: v.Object, Latest: v.Latest})
		}
	}
	if len(out) == 1 {
		out[0].Alone = true
	}
	return out
}

func expire(t testing.TB, s *Store, bkt string, es ...Expiry) []error {
	t.Helper()
	b, err := s.Bucket(bkt)
	if err != nil {
		t.Fatal(err)
	}
	errs, err := s.Expire(t.Context(), b, es)
	if err != nil {
		t.Fatal(err)
	}
	return errs
}

func TestExpire(t *testing.T) {
	t.Parallel()
	fs := vfs.Memory()
	s := open(t, fs)
	states := map[string]bucket.Versioning{"plain": bucket.Unversioned, "versioned": bucket.Enabled, "suspended": bucket.Suspended}
	for name, v := range states {
		makeBucket(t, s, name, v)
		put(t, s, name, "k", "old")
		put(t, s, name, "k", "new")
		if errs := expire(t, s, name, listed(t, s, name, "k")[0]); errs[0] != nil {
			t.Fatalf("%s: %v", name, errs[0])
		}
	}
	if got := listed(t, s, "plain", "k"); got != nil {
		t.Errorf("without versioning the object stays: %v", got)
	}
	got := listed(t, s, "versioned", "k")
	if len(got) != 3 || !got[0].Object.Marker || !got[0].Object.ByLifecycle || got[0].Object.Owner != owner || got[1].Object.Marker {
		t.Fatalf("with versioning: %+v", got)
	}
	null := listed(t, s, "suspended", "k")
	if len(null) != 1 || !null[0].Object.Marker || null[0].Object.ID != object.NullID {
		t.Fatalf("with versioning suspended: %+v", null)
	}

	// What is noncurrent goes for good, and then the marker that is alone.
	if errs := expire(t, s, "versioned", got[1], got[2]); errs[0] != nil || errs[1] != nil {
		t.Fatal(errs)
	}
	if errs := expire(t, s, "versioned", listed(t, s, "versioned", "k")...); errs[0] != nil {
		t.Fatal(errs)
	}
	if got := listed(t, s, "versioned", "k"); got != nil {
		t.Errorf("a marker that was alone stays: %v", got)
	}

	// The outcome of a replay is the same.
	want := dump(t, s, "suspended", 10)
	closeStore(t, s)
	if err := fs.RemoveAll("/data/index"); err != nil {
		t.Fatal(err)
	}
	s = open(t, fs)
	defer closeStore(t, s)
	for name := range states {
		if name == "suspended" {
			if diff := cmp.Diff(want, dump(t, s, name, 10)); diff != "" {
				t.Error(diff)
			}
		} else if got := dump(t, s, name, 10); got != nil {
			t.Errorf("%s came back: %v", name, got)
		}
	}
	if o := listed(t, s, "suspended", "k")[0].Object; !o.ByLifecycle {
		t.Error("who made the marker was forgotten")
	}
}

// TestExpireLeavesWhatChanged changes a version, or its place, between the
// look at it and its end.
func TestExpireLeavesWhatChanged(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s := clocked(t, vfs.Memory(), &now)
	defer closeStore(t, s)
	ctx := t.Context()
	for name, tt := range map[string]struct {
		versioning bucket.Versioning
		prepare    func(key string)
		which      int // of the listed ones
		change     func(key string, seen []Expiry) error
		kind       fault.Kind
	}{
		"nothing": {versioning: bucket.Enabled, change: func(string, []Expiry) error { return nil }},
		"put over the current": {versioning: bucket.Enabled, kind: fault.Conflict, change: func(key string, _ []Expiry) error {
			put(t, s, "bkt", key, "newer")
			return nil
		}},
		"put over the null": {versioning: bucket.Suspended, kind: fault.Conflict, change: func(key string, _ []Expiry) error {
			put(t, s, "bkt", key, "newer")
			return nil
		}},
		"tagged": {versioning: bucket.Enabled, kind: fault.Conflict, change: func(key string, seen []Expiry) error {
			_, err := s.SetTags(ctx, "bkt", key, seen[0].Object.ID, []object.Tag{{Key: "keep"}})
			return err
		}},
		"gone": {versioning: bucket.Enabled, kind: fault.Conflict, change: func(key string, seen []Expiry) error {
			_, err := s.Delete(ctx, "bkt", key, seen[0].Object.ID, owner)
			return err
		}},
		"versioning turned on": {versioning: bucket.Unversioned, kind: fault.Conflict, change: func(string, []Expiry) error {
			return s.UpdateBucket(ctx, "bkt", func(b *bucket.Bucket) error { b.Versioning = bucket.Enabled; return nil })
		}},
		"noncurrent became current": {
			versioning: bucket.Enabled, which: 1, kind: fault.Conflict,
			prepare: func(key string) { put(t, s, "bkt", key, "newer") },
			change: func(key string, seen []Expiry) error {
				_, err := s.Delete(ctx, "bkt", key, seen[0].Object.ID, owner)
				return err
			},
		},
		"noncurrent still noncurrent": {
			versioning: bucket.Enabled, which: 1,
			prepare: func(key string) { put(t, s, "bkt", key, "newer") },
			change: func(key string, _ []Expiry) error {
				put(t, s, "bkt", key, "newest")
				return nil
			},
		},
		"noncurrent locked": {
			versioning: bucket.Enabled, which: 1, kind: fault.Denied,
			prepare: func(key string) {
				if _, err := s.SetLegalHold(ctx, "bkt", key, "", true); err != nil {
					t.Fatal(err)
				}
				put(t, s, "bkt", key, "newer")
			},
			change: func(string, []Expiry) error { return nil },
		},
	} {
		makeBucket(t, s, "bkt", tt.versioning)
		put(t, s, "bkt", name, "body")
		if tt.prepare != nil {
			tt.prepare(name)
		}
		b, err := s.Bucket("bkt")
		if err != nil {
			t.Fatal(err)
		}
		seen := listed(t, s, "bkt", name)
		if err := tt.change(name, seen); err != nil {
			t.Fatal(err)
		}
		before := dump(t, s, "bkt", 10)
		errs, err := s.Expire(ctx, b, seen[tt.which:tt.which+1])
		if err != nil {
			t.Fatal(err)
		}
		if fault.KindOf(errs[0]) != tt.kind {
			t.Errorf("%s: %v", name, errs[0])
		}
		if same := cmp.Equal(before, dump(t, s, "bkt", 10)); same != (tt.kind != 0) {
			t.Errorf("%s: nothing changed: %v", name, same)
		}
		for _, v := range listed(t, s, "bkt", name) {
			if _, err := s.SetLegalHold(ctx, "bkt", name, v.Object.ID, false); err != nil && !v.Object.Marker {
				t.Fatal(err)
			}
			if _, err := s.Delete(ctx, "bkt", name, v.Object.ID, owner); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.DeleteBucket(ctx, "bkt"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestExpiredMarkerMustBeAlone(t *testing.T) {
	t.Parallel()
	s := open(t, vfs.Memory())
	defer closeStore(t, s)
	makeBucket(t, s, "bkt", bucket.Enabled)
	put(t, s, "bkt", "k", "body")
	put(t, s, "bkt", "k\x00", "a neighbour")
	if _, err := s.Delete(t.Context(), "bkt", "k", "", owner); err != nil {
		t.Fatal(err)
	}
	m := listed(t, s, "bkt", "k")[0]
	m.Alone = true // or so it is said
	if errs := expire(t, s, "bkt", m); !errors.Is(errs[0], fault.Conflict) {
		t.Fatalf("a marker over a version: %v", errs[0])
	}
	if _, err := s.Delete(t.Context(), "bkt", "k", listed(t, s, "bkt", "k")[1].Object.ID, owner); err != nil {
		t.Fatal(err)
	}
	if errs := expire(t, s, "bkt", m); errs[0] != nil {
		t.Fatalf("a marker alone: %v", errs[0])
	}
}

func TestAbortUploads(t *testing.T) {
	t.Parallel()
	s := open(t, vfs.Memory())
	defer closeStore(t, s)
	makeBucket(t, s, "bkt", bucket.Enabled)
	for range 3 {
		if _, err := s.CreateUpload(t.Context(), object.Version{Bucket: "bkt", Key: "k"}, ""); err != nil {
			t.Fatal(err)
		}
	}
	us, _, err := s.Uploads(t.Context(), "bkt", "", "", "", 10)
	if err != nil {
		t.Fatal(err)
	}
	errs, err := s.AbortUploads(t.Context(), append(us[:2:2], us[1]))
	if err != nil || errs[0] != nil || errs[1] != nil || !errors.Is(errs[2], fault.NotFound) {
		t.Fatalf("%v, %v", errs, err)
	}
	if left, _, err := s.Uploads(t.Context(), "bkt", "", "", "", 10); err != nil || len(left) != 1 || left[0].ID != us[2].ID {
		t.Errorf("%v, %v", left, err)
	}
}

func TestBucketsChanged(t *testing.T) {
	t.Parallel()
	s := open(t, vfs.Memory())
	changed := s.BucketsChanged()
	fired := func() bool {
		select {
		case <-changed:
			return true
		default:
			return false
		}
	}
	if fired() {
		t.Error("changed before anything was")
	}
	makeBucket(t, s, "bkt", bucket.Enabled)
	if !fired() {
		t.Error("a bucket was made")
	}
	changed = s.BucketsChanged()
	closeStore(t, s)
	if !fired() {
		t.Error("the store was closed")
	}
}
