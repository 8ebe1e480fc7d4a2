package store

import (
	"testing"

	"twinbucket/bucket"
	"twinbucket/internal/layout"
	"twinbucket/internal/scan"
	"twinbucket/internal/vfs"
	"twinbucket/object"
)

// TestOnce: what is made for one thing is made once, whoever asks and however
// often, across restarts, and anew only when it is gone.
func TestOnce(t *testing.T) {
	t.Parallel()
	fs := vfs.Memory()
	s := open(t, fs)
	makeBucket(t, s, "src", bucket.Unversioned)
	makeBucket(t, s, "bkt", bucket.Enabled)
	makeBucket(t, s, "plain", bucket.Unversioned)
	put(t, s, "src", "k", "body")
	make1 := func(name, once string) *Object {
		t.Helper()
		src, err := s.Head(t.Context(), "src", "k", "")
		if err != nil {
			t.Fatal(err)
		}
		o, err := s.Copy(t.Context(), src, Put{Version: object.Version{Bucket: name, Key: "k", Owner: owner}, Once: once})
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	made := func(name, once string, want *Object) {
		t.Helper()
		o, err := s.Made(t.Context(), name, "k", once)
		switch {
		case want == nil && (o != nil || err != nil):
			t.Errorf("%s: %+v, %v", once, o, err)
		case want != nil && (err != nil || o.ID != want.ID || !o.Modified.Equal(want.Modified)):
			t.Errorf("%s: %+v, %v; want %s", once, o, err, want.ID)
		}
	}
	made("bkt", "a", nil)
	first, second := make1("bkt", "a"), make1("bkt", "b")
	plain := make1("plain", "a")
	if first.ID == second.ID {
		t.Errorf("two things made one version %s", first.ID)
	}
	closeStore(t, s)
	s = open(t, fs)
	for range 2 {
		for once, want := range map[string]*Object{"a": first, "b": second} {
			if o := make1("bkt", once); o.ID != want.ID || !o.Modified.Equal(want.Modified) {
				t.Errorf("%s was made again: %s, %s", once, o.ID, want.ID)
			}
			made("bkt", once, want)
		}
		if o := make1("plain", "a"); !o.Modified.Equal(plain.Modified) {
			t.Errorf("made again at %s", o.Modified)
		}
	}
	versions, err := s.ListVersions(t.Context(), "bkt", VersionsOptions{Max: 10})
	if err != nil || len(versions.Versions) != 2 {
		t.Errorf("%d versions, %v", len(versions.Versions), err)
	}

	if _, err := s.Delete(t.Context(), "bkt", "k", first.ID, owner); err != nil {
		t.Fatal(err)
	}
	made("bkt", "a", nil)
	if o := make1("bkt", "a"); o.ID == first.ID {
		t.Error("a version that is gone was returned")
	}
	put(t, s, "plain", "k", "replaced")
	made("plain", "a", nil)
	err = scan.Each(t.Context(), s.db, layout.Prefix(layout.KindDone, "plain", ""), func(row, _ []byte) error {
		t.Errorf("%q is remembered without its version", row)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	closeStore(t, s)
}
