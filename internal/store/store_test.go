package store

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/bodies"
	"twinbucket/internal/event"
	"twinbucket/internal/keyring"
	"twinbucket/internal/vfs"
	"twinbucket/object"
)

const owner = "111111111111"

var quiet = slog.New(slog.DiscardHandler)

func open(t testing.TB, fs vfs.FS) *Store {
	t.Helper()
	return openInline(t, fs, bodies.InlineMax)
}

// fewInline has bodies in files that are small, for tests that make many.
const fewInline = 8 << 10

// openInline opens a store that keeps bodies up to inline bytes in its journal.
// If that is few, every version with parts or with a body in a file has a
// detail.
func openInline(t testing.TB, fs vfs.FS, inline int) *Store {
	t.Helper()
	opt := Options{Log: quiet, CacheSize: 1 << 20, Select: selectAll, SelectChanges: selectAll, Tell: tellAll, Keys: []keyring.Key{{ID: "key"}}, SegmentSize: 4 << 10, inline: inline}
	if inline < bodies.InlineMax {
		opt.few = -1
	}
	s, err := Open(fs, "/data", opt)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// selectAll replicates what is put into a bucket that has a replication
// document to the bucket that it names.
func selectAll(b *bucket.Bucket, v *object.Version) []object.Delivery {
	dst := b.Documents[bucket.Replication]
	if dst == nil || v.Marker {
		return nil
	}
	return []object.Delivery{{Bucket: string(dst), Rule: "r", Status: object.Pending, Time: v.Modified}}
}

// tellAll tells of all that happens in a bucket with a notification document
// the target that it names.
func tellAll(b *bucket.Bucket, e *event.Event) bool {
	e.Target, e.Configuration = string(b.Documents[bucket.Notification]), "all"
	return e.Target != ""
}

func closeStore(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func makeBucket(t testing.TB, s *Store, name string, v bucket.Versioning) {
	t.Helper()
	if err := s.CreateBucket(t.Context(), &bucket.Bucket{Name: name, Owner: owner, Region: "us-east-1", Versioning: v}); err != nil {
		t.Fatal(err)
	}
}

func put(t testing.TB, s *Store, bucket, key, body string) *Object {
	t.Helper()
	o, err := s.Put(t.Context(), Put{Version: object.Version{Bucket: bucket, Key: key, Owner: owner}, Body: strings.NewReader(body), Size: int64(len(body))})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func compact(t testing.TB, s *Store) Compacted {
	t.Helper()
	done, err := s.Compact(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func read(t testing.TB, s *Store, o *Object) string {
	t.Helper()
	r, err := s.Open(t.Context(), o, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func wantCode(t testing.TB, err error, code string) {
	t.Helper()
	if fault.CodeOf(err) != code {
		t.Fatalf("error %v, want code %s", err, code)
	}
}

func TestVersionsLiveThroughRestart(t *testing.T) {
	t.Parallel()
	fs := vfs.Memory()
	s := open(t, fs)
	makeBucket(t, s, "plain", bucket.Unversioned)
	makeBucket(t, s, "versioned", bucket.Enabled)
	put(t, s, "plain", "k", "one")
	null := put(t, s, "plain", "k", "two")
	a := put(t, s, "versioned", "k", "one")
	b := put(t, s, "versioned", "k", "two")
	d, err := s.Delete(t.Context(), "versioned", "k", "", owner)
	if err != nil || !d.Marker {
		t.Fatalf("%+v, %v", d, err)
	}
	for _, restart := range []bool{false, true} {
		if restart {
			closeStore(t, s)
			s = open(t, fs)
		}
		if o, err := s.Head(t.Context(), "plain", "k", ""); err != nil || o.ID != object.NullID || read(t, s, o) != "two" {
			t.Fatalf("plain: %+v, %v", o, err)
		}
		for _, want := range []*Object{null, a, b} {
			got, err := s.Head(t.Context(), want.Bucket, "k", want.ID)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want.Version, got.Version); diff != "" {
				t.Fatalf("restart %v: %s", restart, diff)
			}
		}
		if cur, err := s.Head(t.Context(), "versioned", "k", ""); err != nil || !cur.Marker || cur.ID != d.ID {
			t.Fatalf("current: %+v, %v", cur, err)
		}
		if got := read(t, s, a); got != "one" {
			t.Fatalf("old version: %q", got)
		}
	}
	if _, err := s.Delete(t.Context(), "versioned", "k", d.ID, owner); err != nil {
		t.Fatal(err)
	}
	if cur, err := s.Head(t.Context(), "versioned", "k", ""); err != nil || cur.ID != b.ID {
		t.Fatalf("after the marker was removed: %+v, %v", cur, err)
	}
	if _, err := s.Delete(t.Context(), "versioned", "k", b.ID, owner); err != nil {
		t.Fatal(err)
	}
	_, err = s.Head(t.Context(), "versioned", "k", b.ID)
	wantCode(t, err, "NoSuchVersion")
	_, err = s.Head(t.Context(), "versioned", "none", "")
	wantCode(t, err, "NoSuchKey")
	_, err = s.Head(t.Context(), "absent", "k", "")
	wantCode(t, err, "NoSuchBucket")
	closeStore(t, s)
}

func TestSuspendedVersioning(t *testing.T) {
	t.Parallel()
	s := open(t, vfs.Memory())
	defer closeStore(t, s)
	makeBucket(t, s, "bkt", bucket.Enabled)
	v1 := put(t, s, "bkt", "k", "v1")
	err := s.UpdateBucket(t.Context(), "bkt", func(b *bucket.Bucket) error { b.Versioning = bucket.Suspended; return nil })
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, "bkt", "k", "n1")
	put(t, s, "bkt", "k", "n2")
	ids := func() (out []string) {
		p, err := s.ListVersions(t.Context(), "bkt", VersionsOptions{Max: 10})
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range p.Versions {
			out = append(out, fmt.Sprint(v.ID == object.NullID, v.Marker, v.Latest))
		}
		return out
	}
	if diff := cmp.Diff([]string{"true false true", "false false false"}, ids()); diff != "" {
		t.Fatal(diff)
	}
	if _, err := s.Delete(t.Context(), "bkt", "k", "", owner); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"true true true", "false false false"}, ids()); diff != "" {
		t.Fatal(diff)
	}
	if got := read(t, s, v1); got != "v1" {
		t.Fatal(got)
	}
}

// sizes are around every limit of a body's path: in a piece, inline, in a file.
var sizes = []int{0, 1, pieceSize - 1, pieceSize, pieceSize + 1, bodies.InlineMax - 1, bodies.InlineMax, bodies.InlineMax + 1, bodies.InlineMax + pieceSize + 7}

func TestBodiesOfEverySize(t *testing.T) {
	t.Parallel()
	fs := vfs.Memory()
	s := open(t, fs)
	makeBucket(t, s, "bkt", bucket.Unversioned)
	body := bytes.Repeat([]byte("0123456789abcdef"), (bodies.InlineMax+pieceSize+16)/16)
	for _, known := range []bool{true, false} {
		for _, n := range sizes {
			key := fmt.Sprintf("%v-%d", known, n)
			size := int64(-1)
			if known {
				size = int64(n)
			}
			o, err := s.Put(t.Context(), Put{Version: object.Version{Bucket: "bkt", Key: key}, Body: bytes.NewReader(body[:n]), Size: size})
			if err != nil {
				t.Fatal(err)
			}
			sum := md5.Sum(body[:n])
			if o.Size != int64(n) || o.ETag != hex.EncodeToString(sum[:]) {
				t.Fatalf("%s: size %d, etag %s", key, o.Size, o.ETag)
			}
		}
	}
	closeStore(t, s)
	s = open(t, fs)
	defer closeStore(t, s)
	for _, n := range sizes {
		o, err := s.Head(t.Context(), "bkt", fmt.Sprintf("true-%d", n), "")
		if err != nil {
			t.Fatal(err)
		}
		if got := read(t, s, o); got != string(body[:n]) {
			t.Fatalf("size %d: read %d bytes", n, len(got))
		}
		for _, r := range [][2]int64{{0, 0}, {0, 1}, {int64(n) / 2, int64(n) / 3}, {int64(n), 0}} {
			if r[0]+r[1] > int64(n) {
				continue
			}
			rd, err := s.Open(t.Context(), o, r[0], r[1])
			if err != nil {
				t.Fatal(err)
			}
			var buf bytes.Buffer
			if _, err := io.Copy(&buf, rd); err != nil || buf.String() != string(body[r[0]:r[0]+r[1]]) {
				t.Fatalf("size %d, range %v: %d bytes, %v", n, r, buf.Len(), err)
			}
			if err := rd.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Open(t.Context(), o, 1, int64(n)); fault.CodeOf(err) != "InvalidRange" {
			t.Fatalf("range past the end: %v", err)
		}
	}
}

func TestBadBodiesLeaveNothing(t *testing.T) {
	t.Parallel()
	fs := vfs.Memory()
	s := open(t, fs)
	makeBucket(t, s, "bkt", bucket.Unversioned)
	broken := fault.New(fault.Invalid, "BadDigest", "no")
	for _, n := range []int{10, bodies.InlineMax + 10} {
		body := bytes.Repeat([]byte("x"), n)
		for name, p := range map[string]Put{
			"short":  {Body: bytes.NewReader(body), Size: int64(n) + 1},
			"long":   {Body: bytes.NewReader(body), Size: int64(n) - 1},
			"finish": {Body: bytes.NewReader(body), Size: int64(n), Finish: func(*object.Version) error { return broken }},
			"cut":    {Body: io.MultiReader(bytes.NewReader(body), failing{broken}), Size: -1},
			"eof":    {Body: io.MultiReader(bytes.NewReader(body), failing{io.ErrUnexpectedEOF}), Size: int64(n) + 5},
		} {
			p.Version = object.Version{Bucket: "bkt", Key: "k"}
			if _, err := s.Put(t.Context(), p); err == nil {
				t.Errorf("%s, %d bytes: stored", name, n)
			}
		}
	}
	if p, err := s.List(t.Context(), "bkt", ListOptions{Max: 10}); err != nil || len(p.Objects) != 0 {
		t.Fatalf("%+v, %v", p, err)
	}
	closeStore(t, s)
	if n := countFiles(t, fs); n != 0 {
		t.Fatalf("%d files were left", n)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func countFiles(t testing.TB, fs vfs.FS) int {
	t.Helper()
	n := 0
	dirs, err := fs.List("/data/bodies")
	if err != nil {
		return 0
	}
	for _, d := range dirs {
		names, err := fs.List("/data/bodies/" + d)
		if err != nil {
			t.Fatal(err)
		}
		n += len(names)
	}
	return n
}

func TestFilesGoWithTheirLastUser(t *testing.T) {
	t.Parallel()
	fs := vfs.Memory()
	s := open(t, fs)
	makeBucket(t, s, "bkt", bucket.Unversioned)
	big := strings.Repeat("x", bodies.InlineMax+1)
	a := put(t, s, "bkt", "a", big)
	b, err := s.Copy(t.Context(), a, Put{Version: object.Version{Bucket: "bkt", Key: "b"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Copy(t.Context(), a, Put{Version: object.Version{Bucket: "bkt", Key: "a"}}); err != nil {
		t.Fatal(err) // onto itself
	}
	if _, err := s.Delete(t.Context(), "bkt", "a", "", owner); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	s = open(t, fs)
	if got := read(t, s, b); got != big || countFiles(t, fs) != 1 {
		t.Fatalf("%d bytes in %d files", len(got), countFiles(t, fs))
	}
	if _, err := s.Delete(t.Context(), "bkt", "b", "", owner); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Copy(t.Context(), b, Put{Version: object.Version{Bucket: "bkt", Key: "c"}}); fault.KindOf(err) != fault.NotFound {
		t.Fatalf("a copy of what was deleted meanwhile: %v", err)
	}
	closeStore(t, s)
	if n := countFiles(t, fs); n != 0 {
		t.Fatalf("%d files were left", n)
	}
}

func TestConditions(t *testing.T) {
	t.Parallel()
	s := open(t, vfs.Memory())
	defer closeStore(t, s)
	makeBucket(t, s, "bkt", bucket.Enabled)
	try := func(key string, c object.Condition) error {
		_, err := s.Put(t.Context(), Put{Version: object.Version{Bucket: "bkt", Key: key}, Body: strings.NewReader("x"), Size: 1, If: c})
		return err
	}
	if err := try("k", object.Condition{NoneMatch: "*"}); err != nil {
		t.Fatal(err)
	}
	wantCode(t, try("k", object.Condition{NoneMatch: "*"}), "PreconditionFailed")
	wantCode(t, try("k", object.Condition{Match: "other"}), "PreconditionFailed")
	wantCode(t, try("none", object.Condition{Match: "*"}), "NoSuchKey")
	sum := md5.Sum([]byte("x"))
	if err := try("k", object.Condition{Match: hex.EncodeToString(sum[:])}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Delete(t.Context(), "bkt", "k", "", owner); err != nil {
		t.Fatal(err)
	}
	if err := try("k", object.Condition{NoneMatch: "*"}); err != nil {
		t.Fatalf("over a delete marker: %v", err)
	}
	// Of many that want the key for the first time one gets it.
	won := make(chan error, 16)
	for range cap(won) {
		go func() { won <- try("race", object.Condition{NoneMatch: "*"}) }()
	}
	n := 0
	for range cap(won) {
		if err := <-won; err == nil {
			n++
		}
	}
	if n != 1 {
		t.Fatalf("%d conditional puts succeeded", n)
	}
}

func TestBucketsAreDeletedEmpty(t *testing.T) {
	t.Parallel()
	fs := vfs.Memory()
	s := open(t, fs)
	makeBucket(t, s, "bkt", bucket.Enabled)
	wantCode(t, s.CreateBucket(t.Context(), &bucket.Bucket{Name: "bkt"}), "BucketAlreadyExists")
	wantCode(t, s.CreateBucket(t.Context(), &bucket.Bucket{Name: "Bad_Name"}), "InvalidBucketName")
	o := put(t, s, "bkt", "k", "x")
	wantCode(t, s.DeleteBucket(t.Context(), "bkt"), "BucketNotEmpty")
	if _, err := s.Delete(t.Context(), "bkt", "k", o.ID, owner); err != nil {
		t.Fatal(err)
	}
	id, err := s.CreateUpload(t.Context(), object.Version{Bucket: "bkt", Key: "big"}, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.PutPart(t.Context(), "bkt", "big", id, 1, strings.NewReader(strings.Repeat("x", bodies.InlineMax+1)), -1, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteBucket(t.Context(), "bkt"); err != nil {
		t.Fatal(err)
	}
	wantCode(t, s.DeleteBucket(t.Context(), "bkt"), "NoSuchBucket")
	makeBucket(t, s, "bkt", bucket.Enabled)
	if ups, _, err := s.Uploads(t.Context(), "bkt", "", "", "", 10); err != nil || len(ups) != 0 {
		t.Fatalf("%v, %v", ups, err)
	}
	closeStore(t, s)
	if n := countFiles(t, fs); n != 0 {
		t.Fatalf("%d files were left", n)
	}
}

func TestMultipart(t *testing.T) {
	t.Parallel()
	fs := vfs.Memory()
	s := open(t, fs)
	makeBucket(t, s, "bkt", bucket.Enabled)
	id, err := s.CreateUpload(t.Context(), object.Version{Bucket: "bkt", Key: "k", Headers: object.Headers{ContentType: "a/b"}}, "arn:aws:iam::111111111111:root")
	if err != nil {
		t.Fatal(err)
	}
	one, two := strings.Repeat("1", minPart), strings.Repeat("2", 100)
	part := func(n int, body string) Chosen {
		p, err := s.PutPart(t.Context(), "bkt", "k", id, n, strings.NewReader(body), int64(len(body)), nil)
		if err != nil {
			t.Fatal(err)
		}
		return Chosen{n, p.ETag}
	}
	part(3, "replaced")
	a, b := part(1, one), part(3, two)
	closeStore(t, s)
	s = open(t, fs)
	complete := func(c ...Chosen) (*Object, error) {
		return s.CompleteUpload(t.Context(), "bkt", "k", id, c, nil, object.Condition{})
	}
	_, err = complete(b, a)
	wantCode(t, err, "InvalidPartOrder")
	_, err = complete(a, Chosen{3, "0"})
	wantCode(t, err, "InvalidPart")
	small := part(2, "small")
	_, err = complete(small, b)
	wantCode(t, err, "EntityTooSmall")
	u, parts, more, err := s.Parts(t.Context(), "bkt", "k", id, 1, 1)
	if err != nil || u.Initiator != "arn:aws:iam::111111111111:root" || len(parts) != 1 || parts[0].Number != 2 || !more {
		t.Fatalf("%+v %+v %v %v", u, parts, more, err)
	}
	o, err := complete(a, b)
	if err != nil {
		t.Fatal(err)
	}
	sums := md5.New()
	for _, p := range []string{one, two} {
		m := md5.Sum([]byte(p))
		sums.Write(m[:])
	}
	if want := hex.EncodeToString(sums.Sum(nil)) + "-2"; o.ETag != want || o.ContentType() != "a/b" || len(o.Parts) != 2 {
		t.Fatalf("%+v, want etag %s", o.Version, want)
	}
	_, err = complete(a, b)
	wantCode(t, err, "NoSuchUpload")
	closeStore(t, s)
	s = open(t, fs)
	defer closeStore(t, s)
	o, err = s.Head(t.Context(), "bkt", "k", "")
	if err != nil || read(t, s, o) != one+two {
		t.Fatalf("%v", err)
	}
	rd, err := s.Open(t.Context(), o, minPart-3, 6)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(rd); string(got) != "111222" {
		t.Fatalf("across parts: %q, %v", got, err)
	}
	id, err = s.CreateUpload(t.Context(), object.Version{Bucket: "bkt", Key: "copy"}, "")
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.CopyPart(t.Context(), PartPut{Bucket: "bkt", Key: "copy", Upload: id, Number: 1}, o, minPart-3, 6)
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.CompleteUpload(t.Context(), "bkt", "copy", id, []Chosen{{1, p.ETag}}, nil, object.Condition{})
	if err != nil || read(t, s, c) != "111222" {
		t.Fatalf("%v", err)
	}
	if err := s.AbortUpload(t.Context(), "bkt", "k", "none"); fault.CodeOf(err) != "NoSuchUpload" {
		t.Fatalf("%v", err)
	}
	if n := countFiles(t, fs); n != 1 {
		t.Fatalf("%d files", n)
	}
}

// ContentType is here for the test above to read well.
func (o *Object) ContentType() string { return o.Headers.ContentType }

func TestDamageIsSeen(t *testing.T) {
	t.Parallel()
	fs := vfs.Memory()
	s := open(t, fs)
	defer closeStore(t, s)
	makeBucket(t, s, "bkt", bucket.Unversioned)
	small := put(t, s, "bkt", "small", "some bytes that will be changed")
	large := put(t, s, "bkt", "large", strings.Repeat("y", 3*bodies.InlineMax))
	flip := func(name string, off int64) {
		f, err := fs.OpenReadWrite(name, "")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		b := make([]byte, 1)
		if _, err := f.ReadAt(b, off); err != nil {
			t.Fatal(err)
		}
		b[0]++
		if _, err := f.WriteAt(b, off); err != nil {
			t.Fatal(err)
		}
	}
	flip("/data/journal/00000000000000000000.seg", int64(small.body[0].Pos)+3)
	flip(s.bodies.Path(large.body[0].File), 2*bodies.InlineMax)
	if _, err := s.Open(t.Context(), small, 0, -1); !errors.Is(err, fault.Damaged) || fault.HintOf(err) == "" {
		t.Errorf("small: %v", err)
	}
	r, err := s.Open(t.Context(), large, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, r)
	if !errors.Is(err, fault.Damaged) || n >= large.Size {
		t.Errorf("large: %d bytes, %v", n, err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestSecondOpenIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := Open(vfs.OS(), dir, Options{Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(vfs.OS(), dir, Options{Log: quiet}); !errors.Is(err, fault.Conflict) || fault.HintOf(err) == "" {
		t.Errorf("%v", err)
	}
	closeStore(t, s)
}

func TestRecords(t *testing.T) {
	t.Parallel()
	fs := vfs.Memory()
	s := open(t, fs)
	r1, err := s.PutRecord(t.Context(), "role", "a/1", []byte("x"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.PutRecord(t.Context(), "role", "a/1", []byte("y"), 0); !errors.Is(err, fault.Conflict) {
		t.Fatalf("%v", err)
	}
	r2, err := s.PutRecord(t.Context(), "role", "a/1", []byte("y"), r1)
	if err != nil || r2 <= r1 {
		t.Fatalf("%d, %v", r2, err)
	}
	for _, n := range []string{"a/2", "a/3", "b/1"} {
		if _, err := s.PutRecord(t.Context(), "role", n, []byte(n), AnyRevision); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.DeleteRecord(t.Context(), "role", "a/2", 1); !errors.Is(err, fault.Conflict) {
		t.Fatalf("%v", err)
	}
	closeStore(t, s)
	s = open(t, fs)
	defer closeStore(t, s)
	rs, more, err := s.Records("role", "a/", "a/1", 1)
	if err != nil || len(rs) != 1 || rs[0].Name != "a/2" || !more {
		t.Fatalf("%+v %v %v", rs, more, err)
	}
	got, err := s.Record("role", "a/1")
	if err != nil || string(got.Value) != "y" || got.Revision != r2 {
		t.Fatalf("%+v, %v", got, err)
	}
	if err := s.DeleteRecord(context.Background(), "role", "a/1", r2); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Record("role", "a/1"); !errors.Is(err, fault.NotFound) {
		t.Fatalf("%v", err)
	}
}

// TestChangedTogether: several records are changed, or none of them.
func TestChangedTogether(t *testing.T) {
	t.Parallel()
	fs := vfs.Memory()
	s := open(t, fs)
	defer func() { closeStore(t, s) }()
	for _, n := range []string{"a", "b"} {
		if _, err := s.PutRecord(t.Context(), "user", n, []byte(n), 0); err != nil {
			t.Fatal(err)
		}
	}
	names := func() (out string) {
		t.Helper()
		rs, _, err := s.Records("user", "", "", 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rs {
			out += r.Name + "=" + string(r.Value) + " "
		}
		return out
	}
	rename := func(from, to string) error {
		return s.ChangeRecords(t.Context(), []RecordChange{
			{Kind: "user", Name: from, Remove: true, Revision: AnyRevision},
			{Kind: "user", Name: to, Value: []byte(from), Revision: 0},
		})
	}
	if err := rename("a", "b"); !errors.Is(err, fault.Conflict) || names() != "a=a b=b " {
		t.Errorf("to a name that is taken: %v, and there is %s", err, names())
	}
	if err := rename("a", "c"); err != nil || names() != "b=b c=a " {
		t.Errorf("%v, and there is %s", err, names())
	}
	closeStore(t, s)
	if err := fs.RemoveAll("/data/index"); err != nil {
		t.Fatal(err)
	}
	s = open(t, fs)
	if names() != "b=b c=a " {
		t.Errorf("after replay there is %s", names())
	}
}

func TestInternalBucketsAreHidden(t *testing.T) {
	t.Parallel()
	s := open(t, vfs.Memory())
	defer closeStore(t, s)
	if err := s.CreateBucket(t.Context(), &bucket.Bucket{Name: ".own", Owner: "internal"}); err != nil {
		t.Fatal(err)
	}
	o := put(t, s, ".own", "k", "x")
	if got := read(t, s, o); got != "x" || len(s.Buckets()) != 0 {
		t.Errorf("%q, %v", got, s.Buckets())
	}
	_, err := s.Bucket(".own")
	wantCode(t, err, "NoSuchBucket")
}
