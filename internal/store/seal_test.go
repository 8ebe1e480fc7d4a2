package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/bodies"
	"twinbucket/internal/keyring"
	"twinbucket/internal/vfs"
	"twinbucket/object"
)

// How bodies are read and stored, in bytes.
const (
	pieceSize   = 256 << 10
	chunkSize   = 64 << 10
	tagSize     = 16
	storedChunk = chunkSize + tagSize
)

// sealedSize is how many bytes are stored of a body of n.
func sealedSize(n int64) int64 { return n + (n+chunkSize-1)/chunkSize*tagSize }

// The encryptions that tests use.
var (
	underS3     = object.Encryption{Algorithm: object.AES256}
	underKMS    = object.Encryption{Algorithm: object.KMS, KeyARN: "arn:aws:kms:us-east-1:111111111111:key/key", Context: "e30="}
	underMine   = object.Encryption{Algorithm: object.AES256, CustomerKeyMD5: "mine"}
	underOthers = object.Encryption{Algorithm: object.AES256, CustomerKeyMD5: "others"}

	customerKeys = map[string][]byte{"mine": bytes.Repeat([]byte{1}, 32), "others": bytes.Repeat([]byte{2}, 32)}
)

func customerKey(e object.Encryption) []byte { return customerKeys[e.CustomerKeyMD5] }

// noise is a body of n bytes that is not found elsewhere.
func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), byte(n >> 16)})
	_, _ = r.Read(b)
	return b
}

func putUnder(t testing.TB, s *Store, key string, e object.Encryption, body []byte) *Object {
	t.Helper()
	o, err := s.Put(t.Context(), Put{
		Version: object.Version{Bucket: "bkt", Key: key, Owner: owner, Encryption: e}, CustomerKey: customerKey(e),
		Body: bytes.NewReader(body), Size: int64(len(body)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// found returns a version as the index has it, unlocked.
func found(t testing.TB, s *Store, key string) *Object {
	t.Helper()
	o, err := s.Head(t.Context(), "bkt", key, "")
	if err == nil {
		err = s.Unlock(o, customerKey(o.Encryption))
	}
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// stored returns all bytes that are on the disk.
func stored(t testing.TB, fs vfs.FS, dir string) []byte {
	t.Helper()
	var out []byte
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		n = fs.PathJoin(dir, n)
		if info, err := fs.Stat(n); err == nil && info.IsDir() {
			out = append(out, stored(t, fs, n)...)
		} else if b, err := vfs.ReadFile(fs, n); err == nil {
			out = append(out, b...)
		}
	}
	return out
}

func TestSealedBodiesOfEverySize(t *testing.T) {
	t.Parallel()
	for _, inline := range []int{100, chunkSize, chunkSize + 1, bodies.InlineMax} {
		mem := vfs.Memory()
		s := openInline(t, mem, inline)
		makeBucket(t, s, "bkt", bucket.Unversioned)
		rapid.Check(t, func(rt *rapid.T) {
			n := rapid.IntRange(0, 9).Draw(rt, "chunks")*chunkSize + rapid.SampledFrom([]int{-17, -16, -1, 0, 1, 15, 16, 100, chunkSize / 2}).Draw(rt, "rest")
			n = max(n, 0)
			if rapid.IntRange(0, 20).Draw(rt, "large") == 0 {
				n += bodies.InlineMax
			}
			body := noise(n)
			e := rapid.SampledFrom([]object.Encryption{underS3, underKMS, underMine}).Draw(rt, "encryption")
			size := int64(n)
			if rapid.Bool().Draw(rt, "unknown") {
				size = -1
			}
			_, err := s.Put(t.Context(), Put{
				Version: object.Version{Bucket: "bkt", Key: "k", Owner: owner, Encryption: e}, CustomerKey: customerKey(e),
				Body: bytes.NewReader(body), Size: size,
			})
			if err != nil {
				rt.Fatal(err)
			}
			o := found(t, s, "k")
			if o.Encryption != e || o.Size != int64(n) {
				rt.Fatalf("%+v, %d bytes", o.Encryption, o.Size)
			}
			for _, x := range o.body {
				if (x.File == 0) != (n <= inline) || x.Whole != sealedSize(int64(n)) || x.Size != int64(n) {
					rt.Fatalf("%d bytes are stored as %+v", n, x)
				}
			}
			off := rapid.IntRange(0, n).Draw(rt, "from")
			length := rapid.IntRange(0, n-off).Draw(rt, "length")
			for _, r := range [][2]int{{0, n}, {off, length}} {
				rd, err := s.Open(t.Context(), o, int64(r[0]), int64(r[1]))
				if err != nil {
					rt.Fatal(err)
				}
				got, err := io.ReadAll(rd)
				if err := errors.Join(err, rd.Close()); err != nil || !bytes.Equal(got, body[r[0]:r[0]+r[1]]) {
					rt.Fatalf("bytes from %d, %d of them: %v", r[0], r[1], err)
				}
			}
			if n >= 16 && len(o.body) == 1 && o.body[0].File != 0 {
				raw, _ := vfs.ReadFile(mem, s.bodies.Path(o.body[0].File))
				if int64(len(raw)) != o.body[0].Whole || bytes.Contains(raw, body[:16]) {
					rt.Fatal("the file has the body, or another size")
				}
			}
		})
		closeStore(t, s)
	}
}

// TestNothingReadableIsOnTheDisk looks for bodies and keys in all files.
func TestNothingReadableIsOnTheDisk(t *testing.T) {
	t.Parallel()
	mem := vfs.Memory()
	s := open(t, mem)
	makeBucket(t, s, "bkt", bucket.Enabled)
	var secrets [][]byte
	for i, e := range []object.Encryption{underS3, underKMS, underMine} {
		for _, n := range []int{40, 5000, bodies.InlineMax + 1} {
			body := noise(n + i)
			secrets = append(secrets, body[:32], body[len(body)-32:])
			putUnder(t, s, fmt.Sprintf("%d/%d", i, n), e, body)
		}
	}
	secrets = append(secrets, customerKeys["mine"])
	closeStore(t, s)
	disk := stored(t, mem, "/data")
	for i, secret := range secrets {
		if bytes.Contains(disk, secret) {
			t.Errorf("secret %d is on the disk", i)
		}
	}
}

// TestSealsFindTampering changes what is stored in every way, below the
// checksums.
func TestSealsFindTampering(t *testing.T) {
	t.Parallel()
	mem := vfs.Memory()
	s := openInline(t, mem, 200)
	defer closeStore(t, s)
	makeBucket(t, s, "bkt", bucket.Unversioned)
	const n = 3*chunkSize + 1000
	o := putUnder(t, s, "k", underS3, noise(n))
	twin := putUnder(t, s, "twin", underS3, noise(n))
	name := s.bodies.Path(o.body[0].File)
	good, err := vfs.ReadFile(mem, name)
	if err != nil {
		t.Fatal(err)
	}
	other, err := vfs.ReadFile(mem, s.bodies.Path(twin.body[0].File))
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	check := func(t interface{ Fatalf(string, ...any) }, what string, raw []byte, o *Object) {
		if err := write(mem, name, raw); err != nil {
			t.Fatalf("%v", err)
		}
		r, err := s.Open(ctx, o, 0, -1)
		if err == nil {
			_, err = io.Copy(io.Discard, r)
			err = errors.Join(err, r.Close())
		}
		if !errors.Is(err, fault.Damaged) {
			t.Fatalf("%s: %v", what, err)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		bad := bytes.Clone(good)
		at := rapid.IntRange(0, len(bad)-1).Draw(rt, "byte")
		bad[at] ^= 1 << rapid.IntRange(0, 7).Draw(rt, "bit")
		check(rt, "a bit", bad, o)
	})
	chunk := func(raw []byte, i int) []byte { return raw[i*storedChunk : min(len(raw), (i+1)*storedChunk)] }
	check(t, "swapped chunks", bytes.Join([][]byte{chunk(good, 1), chunk(good, 0), chunk(good, 2), chunk(good, 3)}, nil), o)
	check(t, "a chunk twice", bytes.Join([][]byte{chunk(good, 0), chunk(good, 0), chunk(good, 2), chunk(good, 3)}, nil), o)
	check(t, "a chunk of another body", bytes.Join([][]byte{chunk(good, 0), chunk(other, 1), chunk(good, 2), chunk(good, 3)}, nil), o)
	check(t, "another body", other, o)
	check(t, "a cut", good[:len(good)-1], o)
	// Who can change the index too cannot make a body shorter.
	short := *o
	short.body = bodies.Body{o.body[0]}
	short.Size, short.body[0].Size, short.body[0].Whole = 3*chunkSize, 3*chunkSize, 3*storedChunk
	check(t, "a chunk less", good[:3*storedChunk], &short)
	long := *o
	long.body = bodies.Body{o.body[0]}
	long.Size++
	long.body[0].Size++
	check(t, "a byte more", good, &long)
}

// TestSharedBodiesKeepTheirBytes copies between encryptions: the bytes stay
// where they are, and each copy is read with its own key.
func TestSharedBodiesKeepTheirBytes(t *testing.T) {
	t.Parallel()
	mem := vfs.Memory()
	s := openInline(t, mem, 200)
	makeBucket(t, s, "bkt", bucket.Enabled)
	all := []object.Encryption{underS3, underKMS, underMine, underOthers}
	for i, from := range all {
		for _, n := range []int{0, 100, 2*chunkSize + 5} {
			body := noise(n + i)
			putUnder(t, s, "src", from, body)
			src := found(t, s, "src")
			for _, to := range all {
				_, err := s.Copy(t.Context(), src, Put{Version: object.Version{Bucket: "bkt", Key: "copy", Owner: owner, Encryption: to}, CustomerKey: customerKey(to)})
				if err != nil {
					t.Fatalf("%+v to %+v: %v", from, to, err)
				}
				c := found(t, s, "copy")
				if got := read(t, s, c); got != string(body) || c.Encryption != to || c.ETag != src.ETag {
					t.Errorf("%+v to %+v: %d bytes", from, to, len(got))
				}
				for i, e := range c.body {
					if e.File != src.body[i].File || e.Pos != src.body[i].Pos {
						t.Errorf("%+v to %+v moved the body", from, to)
					}
				}
			}
		}
	}
	closeStore(t, s)
	s = openInline(t, mem.Crash(0, nil), 200)
	defer closeStore(t, s)
	locked, err := s.Head(t.Context(), "bkt", "copy", "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Open(t.Context(), locked, 0, -1)
	wantCode(t, err, "InvalidRequest")
	_, err = s.Copy(t.Context(), locked, Put{Version: object.Version{Bucket: "bkt", Key: "stolen"}})
	wantCode(t, err, "InvalidRequest")
	wantCode(t, s.Unlock(locked, customerKeys["mine"]), "AccessDenied")
	_, err = s.Open(t.Context(), locked, 0, -1)
	wantCode(t, err, "InvalidRequest")
	if err := s.Unlock(locked, customerKeys["others"]); err != nil || read(t, s, locked) != string(noise(2*chunkSize+5+3)) {
		t.Errorf("with its key: %v", err)
	}
	_, err = s.Put(t.Context(), Put{Version: object.Version{Bucket: "bkt", Key: "keyless", Encryption: underMine}, Body: strings.NewReader("x"), Size: 1})
	wantCode(t, err, "InvalidRequest")
}

// TestPartsWithKeysOfTheirOwn puts an object together from parts that were
// sent, and copied from bodies under other keys, whole and in pieces.
func TestPartsWithKeysOfTheirOwn(t *testing.T) {
	t.Parallel()
	mem := vfs.Memory()
	s := open(t, mem)
	makeBucket(t, s, "bkt", bucket.Unversioned)
	sources := map[string][]byte{}
	for i, e := range []object.Encryption{underS3, underKMS, underOthers} {
		key := fmt.Sprint("src", i)
		sources[key] = noise(minPart + 3*chunkSize + i)
		putUnder(t, s, key, e, sources[key])
	}
	for _, e := range []object.Encryption{underS3, underKMS, underMine} {
		id, err := s.CreateUpload(t.Context(), object.Version{Bucket: "bkt", Key: "whole", Owner: owner, Encryption: e}, "")
		if err != nil {
			t.Fatal(err)
		}
		var want []byte
		var chosen []Chosen
		part := func() PartPut {
			return PartPut{Bucket: "bkt", Key: "whole", Upload: id, Number: len(chosen) + 1, CustomerKey: customerKey(e)}
		}
		for key, body := range sources {
			off := int64(rand.IntN(2 * chunkSize))
			p, err := s.CopyPart(t.Context(), part(), found(t, s, key), off, minPart+7)
			if err != nil {
				t.Fatal(err)
			}
			chosen = append(chosen, Chosen{p.Number, p.ETag})
			want = append(want, body[off:off+minPart+7]...)
		}
		p := part()
		p.Body, p.Size = strings.NewReader("the end"), -1
		end, err := s.StorePart(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, "the end"...)
		if _, err := s.CompleteUpload(t.Context(), "bkt", "whole", id, append(chosen, Chosen{end.Number, end.ETag}), nil, object.Condition{}); err != nil {
			t.Fatal(err)
		}
		o := found(t, s, "whole")
		if o.Encryption != e || read(t, s, o) != string(want) {
			t.Errorf("%+v: another body, or under %+v", e, o.Encryption)
		}
		for range 50 {
			off := rand.Int64N(o.Size)
			n := rand.Int64N(min(o.Size-off, 3*chunkSize))
			r, err := s.Open(t.Context(), o, off, n)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r)
			if err := errors.Join(err, r.Close()); err != nil || !bytes.Equal(got, want[off:off+n]) {
				t.Fatalf("%d bytes from %d: %v", n, off, err)
			}
		}
	}
	id, err := s.CreateUpload(t.Context(), object.Version{Bucket: "bkt", Key: "whole", Owner: owner, Encryption: underMine}, "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.PutPart(t.Context(), "bkt", "whole", id, 1, strings.NewReader("x"), 1, nil)
	wantCode(t, err, "InvalidRequest")
	closeStore(t, s)
}

// TestBodiesFromBeforeTheyWereSealed opens a store that an earlier version
// wrote.
func TestBodiesFromBeforeTheyWereSealed(t *testing.T) {
	t.Parallel()
	mem := vfs.Memory()
	if err := clone(mem, "testdata/unsealed", "/data"); err != nil {
		t.Fatal(err)
	}
	s := openInline(t, mem, 64)
	makeBucket(t, s, "dst", bucket.Enabled)
	var old *Object
	large := strings.Repeat("stored in a file of its own, before bodies were sealed. ", 3)
	for key, want := range map[string]string{"small": "stored before bodies were sealed", "large": large} {
		o, err := s.Head(t.Context(), "old", key, "")
		if err != nil || read(t, s, o) != want || o.Encryption != (object.Encryption{}) {
			t.Fatalf("%s: %+v, %v", key, o, err)
		}
		old = o
		if _, err := s.Copy(t.Context(), o, Put{Version: object.Version{Bucket: "dst", Key: key, Owner: owner, Encryption: underKMS}}); err != nil {
			t.Fatal(err)
		}
		if c, err := s.Head(t.Context(), "dst", key, ""); err != nil || read(t, s, c) != want || c.Encryption != underKMS || c.body[0].Seal == nil || c.ETag != o.ETag {
			t.Fatalf("copy of %s: %+v, %v", key, c, err)
		}
		// A replica is as its source is.
		r := o.Version
		r.Bucket = "dst"
		if _, err := s.Deliver(t.Context(), []Delivery{{Source: o, Replica: &r, Outcome: object.Delivery{Bucket: "dst", Rule: "r", Status: object.Completed}}}); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Head(t.Context(), "dst", key, o.ID); err != nil || read(t, s, got) != want || got.Encryption != (object.Encryption{}) {
			t.Fatalf("replica of %s: %+v, %v", key, got, err)
		}
	}
	// An upload that was begun then goes on, and can be ended with what it had.
	ups, _, err := s.Uploads(t.Context(), "old", "", "", "", 10)
	if err != nil || len(ups) != 1 {
		t.Fatal(ups, err)
	}
	p := PartPut{Bucket: "old", Key: "upload", Upload: ups[0].ID, Number: 2}
	for _, src := range []*Object{put(t, s, "old", "new", "a new body"), old} {
		var seen strings.Builder
		p.Through = func(r io.Reader) io.Reader { return io.TeeReader(r, &seen) }
		p.Finish = func(part *object.Part) error {
			part.Checksums = []object.Checksum{{Algorithm: "SHA1", Value: seen.String()}}
			return nil
		}
		part, err := s.CopyPart(t.Context(), p, src, 2, 1)
		if want := read(t, s, src)[2:3]; err != nil || len(part.Checksums) != 1 || part.Checksums[0].Value != want {
			t.Fatalf("%+v, %v, want %q", part, err, want)
		}
		p.Number++
	}
	_, parts, _, err := s.Parts(t.Context(), "old", "upload", ups[0].ID, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.CompleteUpload(t.Context(), "old", "upload", ups[0].ID, []Chosen{{1, parts[0].ETag}}, nil, object.Condition{}); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	s = openInline(t, mem, 64)
	defer closeStore(t, s)
	if o, err := s.Head(t.Context(), "old", "upload", ""); err != nil || read(t, s, o) != "a part sent before bodies were sealed" {
		t.Errorf("the old upload: %v", err)
	}
}

// clone copies a directory of the disk into memory.
func clone(to vfs.FS, from, dir string) error {
	return filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := to.PathJoin(dir, filepath.ToSlash(strings.TrimPrefix(name, from)))
		if d.IsDir() {
			return to.MkdirAll(target, 0o755)
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return write(to, target, data)
	})
}

// write makes a file.
func write(to vfs.FS, name string, data []byte) error {
	f, err := vfs.Create(to, name)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

// TestWithoutItsKeyRing: a store whose ring is lost or another one is not
// opened, and nothing is changed; with the ring it is as it was.
func TestWithoutItsKeyRing(t *testing.T) {
	t.Parallel()
	mem := vfs.Memory()
	s := open(t, mem)
	makeBucket(t, s, "bkt", bucket.Unversioned)
	put(t, s, "bkt", "k", "body")
	closeStore(t, s)
	ring, err := vfs.ReadFile(mem, "/data/keys")
	if err != nil {
		t.Fatal(err)
	}
	restore := func() {
		if err := write(mem, "/data/keys", ring); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(what string) {
		t.Helper()
		_, err := Open(mem, "/data", Options{Log: quiet, CacheSize: 1 << 20})
		if !errors.Is(err, fault.Damaged) || !strings.Contains(err.Error(), "key ring") || fault.HintOf(err) == "" {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := mem.Remove("/data/keys"); err != nil {
		t.Fatal(err)
	}
	refused("without a ring")
	if err := mem.RemoveAll("/data/index"); err != nil {
		t.Fatal(err)
	}
	refused("without a ring and an index")
	if _, err := mem.Stat("/data/keys"); err == nil {
		t.Error("a new ring was made")
	}
	if _, err := keyring.Open(mem, "/data/keys", "", keyring.Options{}); err != nil {
		t.Fatal(err)
	}
	refused("with another ring")
	restore()
	s = open(t, mem)
	defer closeStore(t, s)
	if o := found(t, s, "k"); read(t, s, o) != "body" {
		t.Error("another body")
	}
}

// TestACrashWhileTheRingIsMade: the ring may be there before the journal says so.
func TestACrashWhileTheRingIsMade(t *testing.T) {
	t.Parallel()
	mem := vfs.Memory()
	if err := vfs.MkdirSynced(mem, "/data"); err != nil {
		t.Fatal(err)
	}
	ring, err := keyring.Open(mem, "/data/keys", "", keyring.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, mem.Crash(0, nil))
	defer closeStore(t, s)
	if s.Keys().ID() != ring.ID() {
		t.Error("another ring")
	}
}

// TestAKeyOfKMSThatIsGone: what it encrypts can neither be read nor copied
// under another key, and is deleted as ever.
func TestAKeyOfKMSThatIsGone(t *testing.T) {
	t.Parallel()
	mem := vfs.Memory()
	s := open(t, mem)
	makeBucket(t, s, "bkt", bucket.Unversioned)
	putUnder(t, s, "k", underKMS, []byte("body"))
	closeStore(t, s)
	s, err := Open(mem, "/data", Options{Log: quiet, CacheSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, s)
	o := found(t, s, "k")
	_, err = s.Open(t.Context(), o, 0, -1)
	wantCode(t, err, "KMS.NotFoundException")
	_, err = s.Copy(t.Context(), o, Put{Version: object.Version{Bucket: "bkt", Key: "c"}})
	wantCode(t, err, "KMS.NotFoundException")
	if _, err := s.Delete(t.Context(), "bkt", "k", "", owner); err != nil {
		t.Fatal(err)
	}
}

// TestCompactionMovesSealedBodies: one that was unlocked stays so where it is moved to.
func TestCompactionMovesSealedBodies(t *testing.T) {
	t.Parallel()
	fs := vfs.Memory()
	s := openInline(t, fs, fewInline)
	makeBucket(t, s, "bkt", bucket.Unversioned)
	bodies := map[string]object.Encryption{"s3": underS3, "kms": underKMS, "mine": underMine}
	before := map[string]*Object{}
	for key, e := range bodies {
		putUnder(t, s, key, e, noise(3000))
		before[key] = found(t, s, key)
	}
	churn(t, s, "bkt")
	retireAll(t, s)
	for key, o := range before {
		if found(t, s, key).body[0].Pos == o.body[0].Pos {
			t.Errorf("%s was not moved", key)
		}
		// o is of before.
		if got := read(t, s, o); got != string(noise(3000)) {
			t.Errorf("%s: %d other bytes", key, len(got))
		}
		c, err := s.Copy(t.Context(), o, Put{Version: object.Version{Bucket: "bkt", Key: "copy"}})
		if err != nil {
			t.Fatal(err)
		}
		if got := read(t, s, c); got != string(noise(3000)) {
			t.Errorf("copy of %s: %d other bytes", key, len(got))
		}
	}
	closeStore(t, s)
	s = openInline(t, fs, fewInline)
	defer closeStore(t, s)
	for key := range bodies {
		if got := read(t, s, found(t, s, key)); got != string(noise(3000)) {
			t.Errorf("%s after a restart: %d other bytes", key, len(got))
		}
	}
}
