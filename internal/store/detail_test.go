package store

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"twinbucket/bucket"
	"twinbucket/internal/bodies"
	"twinbucket/internal/vfs"
	"twinbucket/object"
)

// manyParts stores a version with n parts of one byte each, which share a file.
func manyParts(t testing.TB, s *Store, bkt, key string, n int) *Object {
	t.Helper()
	file := put(t, s, bkt, "file", strings.Repeat("x", bodies.InlineMax+1))
	v := object.Version{Bucket: bkt, Key: key, Size: int64(n), ETag: fmt.Sprint("e-", n)}
	o := &Object{Version: v}
	for i := range n {
		e := file.body[0]
		e.Off, e.Size = int64(i), 1
		o.body = append(o.body, e)
		o.Parts = append(o.Parts, object.Part{Number: i + 1, Size: 1, ETag: strings.Repeat("0", 32)})
	}
	b, err := s.bucket(bkt)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.stamp(b, &o.Version, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.do(t.Context(), &putCommand{o: o, shared: true}, nil); err != nil {
		t.Fatal(err)
	}
	return o
}

// TestListingsLeaveOutParts: a page of objects with very many parts is small.
func TestListingsLeaveOutParts(t *testing.T) {
	fs := vfs.Memory()
	s := open(t, fs)
	defer closeStore(t, s)
	makeBucket(t, s, "bkt", bucket.Enabled)
	const objects = 20
	for i := range objects {
		manyParts(t, s, "bkt", fmt.Sprint("k", i), MaxParts)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	p, err := s.List(t.Context(), "bkt", ListOptions{Max: 1000})
	runtime.ReadMemStats(&after)
	if err != nil || len(p.Objects) != objects+1 {
		t.Fatalf("%d objects, %v", len(p.Objects), err)
	}
	// Its parts alone would take twenty times as much.
	if n := after.TotalAlloc - before.TotalAlloc; n > 2<<20 {
		t.Errorf("a page of %d objects took %d bytes", objects, n)
	}
	// What was listed can be read, copied and taken apart all the same.
	o := p.Objects[1]
	if got := read(t, s, o); len(got) != MaxParts {
		t.Errorf("%d bytes of it were read", len(got))
	}
	c, err := s.Copy(t.Context(), o, Put{Version: object.Version{Bucket: "bkt", Key: "copy"}})
	if err != nil || len(c.Parts) != MaxParts {
		t.Fatalf("copy: %d parts, %v", len(c.Parts), err)
	}
	id, err := s.CreateUpload(t.Context(), object.Version{Bucket: "bkt", Key: "up"}, "")
	if err != nil {
		t.Fatal(err)
	}
	if part, err := s.CopyPart(t.Context(), PartPut{Bucket: "bkt", Key: "up", Upload: id, Number: 1}, o, 1, 5); err != nil || part.Size != 5 {
		t.Errorf("part: %+v, %v", part, err)
	}
	if h, err := s.Head(t.Context(), "bkt", o.Key, o.ID); err != nil || len(h.Parts) != MaxParts {
		t.Errorf("head: %d parts, %v", len(h.Parts), err)
	}
}

// TestDetailsGoWithTheirVersions changes, replicates, replaces and deletes
// versions of which the parts stand apart.
func TestDetailsGoWithTheirVersions(t *testing.T) {
	t.Parallel()
	fs := vfs.Memory()
	s := replicated(t, fs)
	a := manyParts(t, s, "src", "k", 20)
	if _, err := s.SetTags(t.Context(), "src", "k", a.ID, []object.Tag{{Key: "a", Value: "b"}}); err != nil {
		t.Fatal(err)
	}
	ps, err := s.Pending(t.Context(), lane, 0, 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range ps {
		deliver(t, s, p.Object, object.Completed)
	}
	check(t, s, fs)
	r, err := s.Head(t.Context(), "dst", "k", a.ID)
	if err != nil || len(r.Parts) != 20 || len(r.body) != 20 || len(r.Tags) != 1 {
		t.Fatalf("replica: %+v, %v", r, err)
	}
	if got := read(t, s, r); len(got) != 20 {
		t.Errorf("%d bytes", len(got))
	}
	if _, err := s.Delete(t.Context(), "src", "k", a.ID, owner); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(t.Context(), ps[len(ps)-1].Object, 0, -1); err == nil {
		t.Error("a deleted version was opened")
	}
	check(t, s, fs)
	setVersioning(t, s, "src", bucket.Suspended)
	manyParts(t, s, "src", "k", 30)
	manyParts(t, s, "src", "k", 5)
	manyParts(t, s, "src", "k", 30)
	check(t, s, fs)
	put(t, s, "src", "k", "small")
	closeStore(t, s)
	s = open(t, fs)
	check(t, s, fs)
	closeStore(t, s)
}

// TestNullVersionsAreFoundAtOnce: a null version is found, or found missing,
// however many versions a key has.
func TestNullVersionsAreFoundAtOnce(t *testing.T) {
	t.Parallel()
	fs := vfs.Memory()
	s := open(t, fs)
	makeBucket(t, s, "bkt", bucket.Unversioned)
	old := put(t, s, "bkt", "k", "old")
	setVersioning(t, s, "bkt", bucket.Enabled)
	for range 3000 {
		if _, err := s.Delete(t.Context(), "bkt", "k", "", owner); err != nil {
			t.Fatal(err)
		}
	}
	if o, err := s.Head(t.Context(), "bkt", "k", object.NullID); err != nil || o.ETag != old.ETag {
		t.Fatalf("%+v, %v", o, err)
	}
	setVersioning(t, s, "bkt", bucket.Suspended)
	put(t, s, "bkt", "k", "new")
	p, err := s.ListVersions(t.Context(), "bkt", VersionsOptions{AfterKey: "k", AfterID: object.NullID, Max: 1})
	if err != nil || len(p.Versions) != 1 || p.Versions[0].ID == object.NullID {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := s.Head(t.Context(), "bkt", "other", object.NullID); err == nil {
		t.Error("found")
	}
	check(t, s, fs)
	closeStore(t, s)
}
