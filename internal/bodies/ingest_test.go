package bodies

import (
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"twinbucket/internal/journal"
	"twinbucket/internal/keyring"
	"twinbucket/internal/vfs"
	"twinbucket/object"
)

// memory is a journal of one body.
type memory []byte

func (m memory) ReadAt(p []byte, at journal.Position) error {
	copy(p, m[at:])
	return nil
}

// there is an owner that stays.
type there struct{ body Body }

func (there) Still() error          { return nil }
func (o there) Body() (Body, error) { return o.body, nil }

// newDisk opens the bodies of /data, of which the newest file has a number.
func newDisk(t testing.TB, fs vfs.FS, newest uint64) *Disk {
	t.Helper()
	if err := vfs.MkdirSynced(fs, "/data"); err != nil {
		t.Fatal(err)
	}
	keys, err := keyring.Open(fs, "/data/keys", "", keyring.Options{Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	return New(Options{FS: fs, Dir: "/data", Keys: keys, Inline: InlineMax, Newest: newest, Log: slog.New(slog.DiscardHandler)})
}

// read returns a body that was ingested.
func read(t testing.TB, d *Disk, in *Ingested) []byte {
	t.Helper()
	body := in.Body()
	if n, crc, seal := in.Behind(); n > 0 {
		d.opt.Journal = memory(in.Inline())
		body = Body{Inline(0, n, crc, seal)}
	}
	var r Reader
	if err := r.Open(d, there{body}, body, 0, in.Size()); err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(&r)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return data
}

var underS3 = object.Encryption{Algorithm: object.AES256}

// miser is a body that sees how much room there is for it.
type miser struct {
	t          testing.TB
	sent, left int
}

func (m *miser) Read(p []byte) (int, error) {
	if len(p) > 8<<10+8*m.sent {
		m.t.Errorf("after %d bytes there is room for %d more", m.sent, len(p))
	}
	if m.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), m.left, 5000)
	m.sent += n
	m.left -= n
	return n, nil
}

// A body takes memory as it arrives, not as it is announced: a client that
// says a megabyte and sends nothing costs little.
func TestRoomIsMadeAsBytesArrive(t *testing.T) {
	t.Parallel()
	d := newDisk(t, vfs.Memory(), 0)
	for _, announced := range []bool{true, false} {
		for _, n := range []int{0, 1, roomSizes[0], roomSizes[0] + 1, roomSizes[1], roomSizes[2] + 1, InlineMax, InlineMax + 1, 3 * InlineMax} {
			size := int64(-1)
			if announced {
				size = int64(n)
			}
			in, err := d.Ingest(t.Context(), &miser{t: t, left: n}, size, underS3, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := read(t, d, in); len(got) != n {
				t.Errorf("%d bytes came back as %d", n, len(got))
			}
			d.Discard(in)
		}
	}
	d.Wait()
	if err := d.Each(func(file uint64) error { t.Errorf("file %x was not discarded", file); return nil }); err != nil {
		t.Fatal(err)
	}
}

// TestFoldersOfBodiesAreDurable: a folder that a program left behind when it
// died is made durable before a body in it is there.
func TestFoldersOfBodiesAreDurable(t *testing.T) {
	t.Parallel()
	const size = InlineMax + 1
	body := strings.Repeat("x", size)
	for k := int64(1); ; k++ {
		mem := vfs.Memory()
		faults := &vfs.Faults{Under: "/bodies"}
		d := newDisk(t, faults.Wrap(mem), 1<<32)
		faults.FailFrom(k)
		_, failed := d.Ingest(t.Context(), strings.NewReader(body), size, underS3, nil)
		d.Wait()
		d = newDisk(t, mem, 1<<32+256) // the same folder again
		in, err := d.Ingest(t.Context(), strings.NewReader(body), size, underS3, nil)
		if err != nil {
			t.Fatalf("k=%d: %v", k, err)
		}
		d.opt.FS = mem.Crash(0, nil)
		if got := read(t, d, in); string(got) != body {
			t.Fatalf("k=%d: %d bytes", k, len(got))
		}
		if failed == nil {
			return
		}
	}
}

// TestACutIsTheSameBytes cuts bodies of several extents everywhere.
func TestACutIsTheSameBytes(t *testing.T) {
	t.Parallel()
	b := Body{{File: 1, Size: 3, Whole: 3}, {File: 2, Off: 5, Size: 1, Whole: 9}, {File: 3, Size: 4, Whole: 4}}
	bytesOf := func(b Body) (out []string) {
		for _, e := range b {
			for i := range e.Size {
				out = append(out, fmt.Sprint(e.File, e.Off+i))
			}
		}
		return out
	}
	all := bytesOf(b)
	for off := range len(all) + 1 {
		for n := range len(all) - off + 1 {
			if got := bytesOf(b.Cut(int64(off), int64(n))); !slices.Equal(got, all[off:off+n]) {
				t.Errorf("%d bytes from %d: %v, want %v", n, off, got, all[off:off+n])
			}
		}
	}
}
