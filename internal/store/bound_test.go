package store

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"twinbucket/bucket"
	"twinbucket/internal/layout"
	"twinbucket/internal/vfs"
	"twinbucket/object"
)

// TestPagesOverDeletedKeys: a page passes over a bounded number of deleted
// keys, and the listing goes on where it stood.
func TestPagesOverDeletedKeys(t *testing.T) {
	t.Parallel()
	s, err := Open(vfs.Memory(), "/data", Options{Log: quiet, CacheSize: 1 << 20, passed: 10})
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, s)
	makeBucket(t, s, "bkt", bucket.Enabled)
	put(t, s, "bkt", "a", "x")
	put(t, s, "bkt", "z", "x")
	for i := range 25 {
		if _, err := s.Delete(t.Context(), "bkt", fmt.Sprintf("k%02d", i), "", owner); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	pages := 0
	for o := (ListOptions{Max: 5}); ; pages++ {
		p, err := s.List(t.Context(), "bkt", o)
		if err != nil || pages > 5 {
			t.Fatal(pages, err)
		}
		for _, v := range p.Objects {
			got = append(got, v.Key)
		}
		if o.After = p.Next; !p.Truncated {
			break
		}
	}
	if fmt.Sprint(got, pages) != "[a z] 2" {
		t.Error(got, pages)
	}
	if got := list(t, s, "bkt", "", "k", 5); fmt.Sprint(got) != "[a z]" {
		t.Error(got)
	}
}

// doneAfter is a context that is done when it was asked n times.
type doneAfter struct {
	context.Context
	n int
}

func (c *doneAfter) Err() error {
	if c.n--; c.n < 0 {
		return context.Canceled
	}
	return nil
}

// TestAListingEndsWithItsCaller: nobody waits any more for what is in a prefix
// of very many deleted keys.
func TestAListingEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	s := open(t, vfs.Memory())
	defer closeStore(t, s)
	makeBucket(t, s, "bkt", bucket.Enabled)
	var cs []command
	for i := range 2 * lookEvery {
		o := &Object{Version: object.Version{Bucket: "bkt", Key: fmt.Sprint("p/", i), Marker: true, Modified: s.tick()}}
		o.ID = newVersionID(o.Modified)
		cs = append(cs, &putCommand{o: o})
	}
	if _, err := s.doAll(t.Context(), cs); err != nil {
		t.Fatal(err)
	}
	if _, err := s.List(&doneAfter{t.Context(), 1}, "bkt", ListOptions{Delimiter: "/", Max: 5}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// TestBucketsWithManyUploads: the uploads of a bucket go with it, a few at a
// time.
func TestBucketsWithManyUploads(t *testing.T) {
	t.Parallel()
	fs := vfs.Memory()
	s := open(t, fs)
	defer closeStore(t, s)
	makeBucket(t, s, "bkt", bucket.Enabled)
	for i := range 3*fewUploads + 1 {
		if _, err := s.CreateUpload(t.Context(), object.Version{Bucket: "bkt", Key: fmt.Sprint(i)}, ""); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.do(t.Context(), &deleteBucketCommand{name: "bkt", few: true}, nil); !errors.Is(err, errUploads) {
		t.Fatalf("%v", err)
	}
	if err := s.DeleteBucket(t.Context(), "bkt"); err != nil {
		t.Fatal(err)
	}
	for row := range rows(t, s) {
		if row[0] == layout.KindUpload || row[0] == layout.KindPart {
			t.Errorf("%q is left", row)
		}
	}
}
