package store

import (
	"io"
	"strings"
	"testing"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/bodies"
	"twinbucket/internal/vfs"
	"twinbucket/object"
)

// TestADeletedVersionIsReadToItsEnd: who has begun to read goes on, whatever
// becomes of the version; its files go with the last reader.
func TestADeletedVersionIsReadToItsEnd(t *testing.T) {
	t.Parallel()
	fs := vfs.Memory()
	s := open(t, fs)
	makeBucket(t, s, "bkt", bucket.Enabled)
	id, err := s.CreateUpload(t.Context(), object.Version{Bucket: "bkt", Key: "k"}, "")
	if err != nil {
		t.Fatal(err)
	}
	want := ""
	var chosen []Chosen
	for i := range 3 {
		body := strings.Repeat(string(rune('a'+i)), minPart)
		p, err := s.PutPart(t.Context(), "bkt", "k", id, i+1, strings.NewReader(body), -1, nil)
		if err != nil {
			t.Fatal(err)
		}
		want += body
		chosen = append(chosen, Chosen{p.Number, p.ETag})
	}
	o, err := s.CompleteUpload(t.Context(), "bkt", "k", id, chosen, nil, object.Condition{})
	if err != nil {
		t.Fatal(err)
	}
	open := func(off, n int64) io.ReadCloser {
		r, err := s.Open(t.Context(), o, off, n)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	all, last, first := open(0, -1), open(2*minPart+1, 10), open(0, 1)
	if _, err := s.Delete(t.Context(), "bkt", "k", o.ID, owner); err != nil {
		t.Fatal(err)
	}
	finish := func(r io.ReadCloser, want string, files int) {
		t.Helper()
		s.bodies.Wait()
		data, err := io.ReadAll(r)
		if err != nil || string(data) != want {
			t.Errorf("%d bytes, %v", len(data), err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		s.bodies.Wait()
		if n := countFiles(t, fs); n != files {
			t.Errorf("%d files, want %d", n, files)
		}
	}
	finish(first, "a", 3)
	finish(all, want, 1) // the last part's is read by another
	if _, err := s.Open(t.Context(), o, 0, -1); fault.CodeOf(err) != "NoSuchVersion" {
		t.Errorf("%v", err)
	}
	finish(last, strings.Repeat("c", 10), 0)
	check(t, s, fs)

	// What a crash leaves of it goes at the next start.
	o = put(t, s, "bkt", "large", strings.Repeat("x", bodies.InlineMax+1))
	r := open(0, -1)
	if _, err := s.Delete(t.Context(), "bkt", "large", o.ID, owner); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	s.bodies.Wait()
	s = openInline(t, fs, bodies.InlineMax)
	check(t, s, fs)
	closeStore(t, s)
}
