package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"twinbucket/bucket"
	"twinbucket/internal/layout"
	"twinbucket/internal/vfs"
	"twinbucket/object"
)

// inspect checks a store that nobody else uses and returns what was found.
func inspect(t testing.TB, s *Store) (found []Problem) {
	t.Helper()
	done, err := s.Check(t.Context(), CheckOptions{Alone: true, Found: func(p Problem) { found = append(found, p) }})
	if err != nil {
		t.Fatal(err)
	}
	if int(done.Problems) != len(found) {
		t.Errorf("%+v, and %d found", done, len(found))
	}
	return found
}

// TestCheckFindsDamage breaks one thing at a time.
func TestCheckFindsDamage(t *testing.T) {
	t.Parallel()
	build := func(t *testing.T) (*Store, vfs.Mem, *Object, *Object) {
		fs := vfs.Memory()
		s := replicate(t, openInline(t, fs, fewInline))
		makeBucket(t, s, "plain", bucket.Unversioned)
		churn(t, s, "plain")
		compact(t, s)
		small := put(t, s, "src", "small", strings.Repeat("s", 500))
		large := put(t, s, "src", "large", strings.Repeat("l", fewInline+1))
		if _, err := s.Copy(t.Context(), large, Put{Version: object.Version{Bucket: "dst", Key: "copy"}}); err != nil {
			t.Fatal(err)
		}
		if large, err := s.whole(large); err != nil || len(large.body) != 1 {
			t.Fatal(err)
		}
		if found := inspect(t, s); len(found) > 0 {
			t.Fatalf("of a store that is whole: %v", found)
		}
		return s, fs, small, large
	}
	whole := func(t *testing.T, s *Store, o *Object) *Object {
		o, err := s.whole(o)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	for name, tt := range map[string]struct {
		harm func(t *testing.T, s *Store, fs vfs.Mem, small, large *Object)
		want []string // found, in any order; one may stand for several
	}{
		"a small body": {func(t *testing.T, s *Store, fs vfs.Mem, small, _ *Object) {
			flip(t, fs, s, small.body[0].Pos)
		}, []string{"a record fails its checksum", "s3://src/small (version "}},
		"a large body": {func(t *testing.T, s *Store, fs vfs.Mem, _, large *Object) {
			writeFile(t, fs, s.bodies.Path(whole(t, s, large).body[0].File), []byte(strings.Repeat("x", fewInline+1)))
		}, []string{"s3://src/large (version ", "s3://dst/copy (version "}},
		"a file that is cut": {func(t *testing.T, s *Store, fs vfs.Mem, _, large *Object) {
			writeFile(t, fs, s.bodies.Path(whole(t, s, large).body[0].File), []byte("short"))
		}, []string{"the file has 5 bytes", "the file has 5 bytes"}},
		"a file that is gone": {func(t *testing.T, s *Store, fs vfs.Mem, _, large *Object) {
			if err := fs.Remove(s.bodies.Path(whole(t, s, large).body[0].File)); err != nil {
				t.Fatal(err)
			}
		}, []string{"the file is missing", "the file is missing"}},
		"a stray file": {func(t *testing.T, s *Store, fs vfs.Mem, _, _ *Object) {
			if err := s.fs.MkdirAll(s.fs.PathDir(s.bodies.Path(1)), 0o755); err != nil {
				t.Fatal(err)
			}
			writeFile(t, fs, s.bodies.Path(1), []byte("stray"))
		}, []string{"no version has this file"}},
		"the checkpoint": {func(t *testing.T, s *Store, fs vfs.Mem, _, _ *Object) {
			all, err := s.copies.All()
			if err != nil || len(all) != 1 {
				t.Fatal(all, err)
			}
			writeFile(t, fs, s.copies.File(all[0]), []byte("checkpoint"))
		}, []string{"the copy of the index fails its checksum"}},
		"the feed": {func(t *testing.T, s *Store, _ vfs.Mem, small, _ *Object) {
			if err := errors.Join(s.db.Delete(layout.Pending("src", "dst", "r", small.pendingAt), pebble.NoSync), s.db.Set(layout.Pending("src", "dst", "r", 1), []byte("v"), pebble.NoSync)); err != nil {
				t.Fatal(err)
			}
		}, []string{"the feed has a version at 1 that is not there", "is not what the feed says"}},
		"a count": {func(t *testing.T, s *Store, _ vfs.Mem, _, large *Object) {
			if err := s.db.Set(layout.File(whole(t, s, large).body[0].File), []byte{7}, pebble.NoSync); err != nil {
				t.Fatal(err)
			}
		}, []string{"used 2 times, the index counts 7"}},
		"a row": {func(t *testing.T, s *Store, _ vfs.Mem, small, _ *Object) {
			if err := s.db.Set(small.row(), []byte{0xff}, pebble.NoSync); err != nil {
				t.Fatal(err)
			}
		}, []string{"a row cannot be read"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, fs, small, large := build(t)
			current, err := s.Head(t.Context(), "src", "small", "")
			if err != nil {
				t.Fatal(err)
			}
			small.pendingAt = current.pendingAt
			tt.harm(t, s, fs, small, large)
			found := inspect(t, s)
			for _, want := range tt.want {
				if !strings.Contains(fmt.Sprint(found), want) {
					t.Errorf("no %q in %v", want, found)
				}
			}
			if len(found) > len(tt.want)+1 {
				t.Errorf("found %v", found)
			}
			closeStore(t, s)
		})
	}
}

// TestCheckOfAStoreInUse finds nothing, whatever clients do meanwhile.
func TestCheckOfAStoreInUse(t *testing.T) {
	t.Parallel()
	fs := vfs.Memory()
	s := openInline(t, fs, fewInline)
	makeBucket(t, s, "bkt", bucket.Unversioned)
	churn(t, s, "bkt")
	n := 0
	_, err := s.Check(t.Context(), CheckOptions{
		Pace: func(ctx context.Context, _ int) error {
			if n++; n%7 == 0 {
				put(t, s, "bkt", "replaced", strings.Repeat("y", 100+n%3*fewInline))
			}
			if n == 20 {
				compact(t, s)
			}
			return ctx.Err()
		},
		Found: func(p Problem) { t.Error(p) },
	})
	if err != nil {
		t.Error(err)
	}
	closeStore(t, s)
}

func TestStats(t *testing.T) {
	t.Parallel()
	fs := vfs.Memory()
	s := replicate(t, openInline(t, fs, fewInline))
	makeBucket(t, s, "plain", bucket.Unversioned)
	churn(t, s, "plain")
	compact(t, s)
	put(t, s, "src", "large", strings.Repeat("l", fewInline+1))
	if _, err := s.Delete(t.Context(), "src", "large", "", owner); err != nil {
		t.Fatal(err)
	}
	st, err := s.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if st.Buckets != 3 || st.Versions != 22 || st.Markers != 1 || st.Pending != 1 || st.Bodies.Files != 1 || st.Bodies.Bytes < fewInline+1 { // sealed, they are longer
		t.Errorf("%+v", st)
	}
	if st.Journal.Bytes != journalSize(s) || st.Journal.Used == 0 || st.Checkpoint.Position == 0 || st.Checkpoint.Bytes == 0 || st.Index.Format != indexFormat {
		t.Errorf("%+v", st)
	}
	closeStore(t, s)
}

// TestCheckGoesOnWhereTheDiskCannotBeRead: what cannot be read is a problem like
// any other, and the rest is looked at.
func TestCheckGoesOnWhereTheDiskCannotBeRead(t *testing.T) {
	t.Parallel()
	for _, under := range []string{"/journal/", "/bodies/", "/checkpoint/"} {
		t.Run(under, func(t *testing.T) {
			t.Parallel()
			faults := &vfs.Faults{Under: under, Reads: true}
			s := openInline(t, faults.Wrap(vfs.Memory()), fewInline)
			makeBucket(t, s, "bkt", bucket.Unversioned)
			churn(t, s, "bkt")
			compact(t, s)
			put(t, s, "bkt", "large", strings.Repeat("l", fewInline+1))
			put(t, s, "bkt", "small", "s")
			faults.FailFrom(1)
			found := fmt.Sprint(inspect(t, s))
			if !strings.Contains(found, "cannot be read") || strings.Contains(found, "s3://bkt/small ") != (under == "/journal/") {
				t.Error(found)
			}
			closeStore(t, s)
		})
	}
}
