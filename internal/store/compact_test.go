package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/journal"
	"twinbucket/internal/vfs"
	"twinbucket/object"
)

// churn puts objects of which some stay and most are replaced, and returns
// those that stay.
func churn(t testing.TB, s *Store, bkt string) (stay []*Object) {
	t.Helper()
	for n := range 20 {
		stay = append(stay, put(t, s, bkt, fmt.Sprint("stays", n), strings.Repeat("s", 100+n)))
		put(t, s, bkt, "replaced", strings.Repeat("x", 3000+n))
	}
	return stay
}

func journalSize(s *Store) (size int64) {
	for _, seg := range s.journal.Segments() {
		size += seg.Size()
	}
	return size
}

// withoutIndex closes the store and opens it again with its index thrown away.
func withoutIndex(t testing.TB, s *Store, fs vfs.FS) *Store {
	t.Helper()
	closeStore(t, s)
	if err := fs.RemoveAll("/data/index"); err != nil {
		t.Fatal(err)
	}
	return openInline(t, fs, fewInline)
}

// TestCompactionFreesWhatIsNotUsed: the journal shrinks to what is used, which
// is read back as it was, also by a copy, after a restart, and when the index
// is rebuilt; and what is dropped once stays so.
func TestCompactionFreesWhatIsNotUsed(t *testing.T) {
	t.Parallel()
	fs := vfs.Memory()
	s := openInline(t, fs, fewInline)
	makeBucket(t, s, "bkt", bucket.Unversioned)
	stay := churn(t, s, "bkt")
	copied, err := s.Copy(t.Context(), stay[0], Put{Version: object.Version{Bucket: "bkt", Key: "copy"}})
	if err != nil {
		t.Fatal(err)
	}
	id, err := s.CreateUpload(t.Context(), object.Version{Bucket: "bkt", Key: "upload"}, "")
	if err != nil {
		t.Fatal(err)
	}
	part, err := s.CopyPart(t.Context(), PartPut{Bucket: "bkt", Key: "upload", Upload: id, Number: 1}, stay[1], 10, 50)
	if err != nil {
		t.Fatal(err)
	}
	before := journalSize(s)
	done := compact(t, s)
	after := journalSize(s)
	if done.Segments < 10 || before-after < done.Freed/2 || after > before/2 {
		t.Fatalf("%+v: %d bytes, then %d", done, before, after)
	}
	live := sealedSize(3019) // the last body of the key that is replaced
	for _, o := range stay {
		live += sealedSize(o.Size)
	}
	if done.Moved > live {
		t.Errorf("%d bytes were moved of %d: a shared body more than once?", done.Moved, live)
	}
	check(t, s, fs)
	if again := compact(t, s); again.Segments > 2 {
		t.Errorf("again %+v", again)
	}
	want := rows(t, s)
	s = withoutIndex(t, s, fs)
	if diff := cmp.Diff(readable(want), readable(rows(t, s))); diff != "" {
		t.Errorf("live, and rebuilt: %s", diff)
	}
	check(t, s, fs)
	for n, o := range append(stay, copied) { // as they were looked up long ago
		if got := read(t, s, o); int64(len(got)) != o.Size {
			t.Errorf("%d: %d bytes", n, len(got))
		}
	}
	if _, err := s.CompleteUpload(t.Context(), "bkt", "upload", id, []Chosen{{1, part.ETag}}, nil, object.Condition{}); err != nil {
		t.Error(err)
	}
	check(t, s, fs)
	closeStore(t, s)
}

// TestCompactionCutShort: whatever stage a crash cuts it off at, the next start
// has everything, and compaction can be done with.
func TestCompactionCutShort(t *testing.T) {
	t.Parallel()
	for _, under := range []string{"/journal", "/checkpoint"} {
		for k := int64(1); ; k++ {
			mem := vfs.Memory()
			faults := &vfs.Faults{Under: under}
			s := openInline(t, faults.Wrap(mem), fewInline)
			makeBucket(t, s, "bkt", bucket.Unversioned)
			stay := churn(t, s, "bkt")
			faults.FailFrom(k)
			_, failed := s.Compact(t.Context())
			crashed := mem.Crash(0, nil)
			faults.Heal()
			closeStore(t, s)
			s = openInline(t, crashed, fewInline)
			check(t, s, crashed)
			if k%2 == 0 {
				s = withoutIndex(t, s, crashed)
			}
			for _, o := range stay {
				if got := read(t, s, o); int64(len(got)) != o.Size {
					t.Fatalf("%s, k=%d: %s has %d bytes", under, k, o.Key, len(got))
				}
			}
			compact(t, s)
			if left := s.leftSpans(); len(left) > 0 || len(s.spans.Load().Closing) > 0 || journalSize(s) > 20000 {
				t.Fatalf("%s, k=%d: left %v, journal of %d bytes", under, k, left, journalSize(s))
			}
			check(t, s, crashed)
			s = withoutIndex(t, s, crashed)
			check(t, s, crashed)
			closeStore(t, s)
			if failed == nil {
				if k < 5 {
					t.Fatalf("%s: only %d operations were seen", under, k)
				}
				break
			}
		}
	}
}

// TestReadsGoOnWhileTheJournalIsCompacted: of a body in many pieces the first
// was read before its segment was dropped and the others after.
func TestReadsGoOnWhileTheJournalIsCompacted(t *testing.T) {
	t.Parallel()
	fs := vfs.Memory()
	s := openInline(t, fs, fewInline)
	makeBucket(t, s, "bkt", bucket.Unversioned)
	id, err := s.CreateUpload(t.Context(), object.Version{Bucket: "bkt", Key: "k"}, "")
	if err != nil {
		t.Fatal(err)
	}
	var chosen []Chosen
	var want strings.Builder
	for n, body := range []string{strings.Repeat("a", minPart), strings.Repeat("b", 1000)} { // a file, and the journal
		want.WriteString(body)
		p, err := s.PutPart(t.Context(), "bkt", "k", id, n+1, strings.NewReader(body), -1, nil)
		if err != nil {
			t.Fatal(err)
		}
		chosen = append(chosen, Chosen{n + 1, p.ETag})
	}
	o, err := s.CompleteUpload(t.Context(), "bkt", "k", id, chosen, nil, object.Condition{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Open(t.Context(), o, 7, -1)
	if err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 1000)
	if _, err := io.ReadFull(r, first); err != nil {
		t.Fatal(err)
	}
	churn(t, s, "bkt")
	retireAll(t, s)
	rest, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	if string(first)+string(rest) != want.String()[7:] {
		t.Errorf("%d bytes, not those that were put", len(first)+len(rest))
	}
	// A copy of what was looked up before finds it as well.
	if _, err := s.Copy(t.Context(), o, Put{Version: object.Version{Bucket: "bkt", Key: "copy"}}); err != nil {
		t.Error(err)
	}
	check(t, s, fs)
	closeStore(t, s)
}

// retireAll compacts every segment but the last, however much of it is used.
func retireAll(t testing.TB, s *Store) {
	t.Helper()
	segments := s.journal.Segments()
	c := &compaction{s: s, moving: map[journal.Position]bool{}, whole: true}
	if err := c.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c.done.Segments < len(segments)-1 {
		t.Fatalf("%d segments of %d were dropped", c.done.Segments, len(segments))
	}
}

// TestDamagedBodiesAreNotCompacted: a segment with a body that fails its
// checksum stays, and the others go.
func TestDamagedBodiesAreNotCompacted(t *testing.T) {
	t.Parallel()
	fs := vfs.Memory()
	s := openInline(t, fs, fewInline)
	makeBucket(t, s, "bkt", bucket.Unversioned)
	bad := churn(t, s, "bkt")[5]
	flip(t, fs, s, bad.body[0].Pos)
	done := compact(t, s)
	if done.Segments < 5 {
		t.Errorf("%+v", done)
	}
	if r, err := s.Open(t.Context(), bad, 0, -1); !errors.Is(err, fault.Damaged) {
		t.Errorf("%v, %v", r, err)
	}
	good, err := s.Head(t.Context(), "bkt", "stays6", "")
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, s, good); int64(len(got)) != good.Size {
		t.Errorf("%d bytes", len(got))
	}
	closeStore(t, s)
}

// TestWhatClosesStaysAsItWasBegun: the committer goes by the list of segments
// that were begun, also when compaction leaves one of them where it is.
func TestWhatClosesStaysAsItWasBegun(t *testing.T) {
	t.Parallel()
	s := open(t, vfs.Memory())
	begun := []journal.Segment{{Start: 0, End: 10}, {Start: 10, End: 20}}
	c := &compaction{s: s, victims: begun}
	c.keep(5, fault.Damaged)
	if want := []journal.Segment{{Start: 10, End: 20}}; !slices.Equal(c.victims, want) {
		t.Errorf("to be dropped: %v", c.victims)
	}
	if want := []journal.Segment{{Start: 0, End: 10}, {Start: 10, End: 20}}; !slices.Equal(begun, want) {
		t.Errorf("begun: %v", begun)
	}
	closeStore(t, s)
}

// flip changes one byte of the journal.
func flip(t testing.TB, fs vfs.FS, s *Store, pos journal.Position) {
	t.Helper()
	for _, seg := range s.journal.Segments() {
		if pos < seg.Start || pos >= seg.End {
			continue
		}
		f, err := fs.OpenReadWrite(fmt.Sprintf("/data/journal/%020d.seg", uint64(seg.Start)), vfs.Unspecified)
		if err != nil {
			t.Fatal(err)
		}
		b := []byte{0}
		if _, err := f.ReadAt(b, int64(pos-seg.Start)); err != nil {
			t.Fatal(err)
		}
		b[0] ^= 1
		if _, err := f.WriteAt(b, int64(pos-seg.Start)); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCompactionRunsByItself when enough was written, and again later.
func TestCompactionRunsByItself(t *testing.T) {
	t.Parallel()
	fs := vfs.Memory()
	compacted := make(said, 1)
	s, err := Open(fs, "/data", Options{Log: slog.New(compacted), CacheSize: 1 << 20, SegmentSize: 4 << 10, compactEvery: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	makeBucket(t, s, "bkt", bucket.Unversioned)
	for written := 0; len(compacted) == 0; written++ {
		if written == 1<<15 {
			t.Fatal("it does not run")
		}
		put(t, s, "bkt", "replaced", strings.Repeat("x", 3000))
	}
	if s.journal.Segments()[0].Start == 0 {
		t.Error("nothing was dropped")
	}
	closeStore(t, s)
}

// said takes a log; it holds something once compaction has spoken.
type said chan struct{}

func (said) Enabled(context.Context, slog.Level) bool { return true }
func (c said) WithAttrs([]slog.Attr) slog.Handler     { return c }
func (c said) WithGroup(string) slog.Handler          { return c }
func (c said) Handle(_ context.Context, r slog.Record) error {
	if strings.HasPrefix(r.Message, "compacted") {
		select {
		case c <- struct{}{}:
		default:
		}
	}
	return nil
}

// TestDamagedCheckpoint: the index is not rebuilt from a checkpoint that fails
// its checksum, and a store whose index is whole does not need it.
func TestDamagedCheckpoint(t *testing.T) {
	t.Parallel()
	fs := vfs.Memory()
	s := openInline(t, fs, fewInline)
	makeBucket(t, s, "bkt", bucket.Unversioned)
	churn(t, s, "bkt")
	compact(t, s)
	all, err := s.copies.All()
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	name := s.copies.File(all[0])
	closeStore(t, s)
	whole, err := vfs.ReadFile(fs, name)
	if err != nil {
		t.Fatal(err)
	}
	for _, cut := range []int{len(whole) - 1, len(whole) - 16, len(whole) / 2, 10, 0} {
		writeFile(t, fs, name, whole[:cut])
		wantDamaged(t, fs)
	}
	for at := 0; at < len(whole); at += max(1, len(whole)/40) {
		bad := append([]byte(nil), whole...)
		bad[at] ^= 0x10
		writeFile(t, fs, name, bad)
		wantDamaged(t, fs)
	}
	writeFile(t, fs, name, whole)
	s = openInline(t, fs, fewInline)
	check(t, s, fs)
	closeStore(t, s)
}

func wantDamaged(t testing.TB, fs vfs.FS) {
	t.Helper()
	if err := fs.RemoveAll("/data/index"); err != nil {
		t.Fatal(err)
	}
	s, err := Open(fs, "/data", Options{Log: quiet, CacheSize: 1 << 20})
	if err == nil {
		closeStore(t, s)
		t.Fatal("opened")
	}
	if k := fault.KindOf(err); k != fault.Damaged && k != fault.Unsupported {
		t.Fatal(err)
	}
}

func writeFile(t testing.TB, fs vfs.FS, name string, data []byte) {
	t.Helper()
	f, err := vfs.Create(fs, name)
	if err == nil {
		_, err = f.Write(bytes.Clone(data)) // which it may change
		err = errors.Join(err, f.Sync(), f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestCompactionOfAFullDisk drops what needs no room to be dropped.
func TestCompactionOfAFullDisk(t *testing.T) {
	t.Parallel()
	mem := vfs.Memory()
	faults := &vfs.Faults{Under: "/checkpoint", Err: syscall.ENOSPC}
	s := openInline(t, faults.Wrap(mem), fewInline)
	makeBucket(t, s, "bkt", bucket.Unversioned)
	churn(t, s, "bkt")
	compact(t, s)
	for n := range 20 { // what was moved, behind that checkpoint
		if _, err := s.Delete(t.Context(), "bkt", fmt.Sprint("stays", n), "", owner); err != nil {
			t.Fatal(err)
		}
	}
	churn(t, s, "bkt")
	compact(t, s)
	for n := range 20 {
		put(t, s, "bkt", fmt.Sprint("stays", n), "now")
	}
	churn(t, s, "bkt")
	faults.FailFrom(1)
	before := journalSize(s)
	done := compact(t, s)
	if after := journalSize(s); after > before || done.Moved > before/2 {
		t.Errorf("%+v: %d bytes, then %d", done, before, after)
	}
	faults.Heal()
	if done := compact(t, s); done.Segments == 0 {
		t.Error("nothing is dropped when there is room again")
	}
	check(t, s, mem)
	closeStore(t, s)
}

// TestCompactionEndsWithItsContext and the store goes on.
func TestCompactionEndsWithItsContext(t *testing.T) {
	t.Parallel()
	fs := vfs.Memory()
	s := openInline(t, fs, fewInline)
	makeBucket(t, s, "bkt", bucket.Unversioned)
	churn(t, s, "bkt")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Compact(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	put(t, s, "bkt", "after", "x")
	closeStore(t, s)
}

// TestUnreadableBodiesAreNotCompacted: nor do they keep other segments from it.
func TestUnreadableBodiesAreNotCompacted(t *testing.T) {
	t.Parallel()
	faults := &vfs.Faults{Under: "/journal/", Reads: true}
	s := openInline(t, faults.Wrap(vfs.Memory()), fewInline)
	makeBucket(t, s, "bkt", bucket.Unversioned)
	churn(t, s, "bkt")
	faults.FailOnce(1)
	if done := compact(t, s); done.Segments < 5 {
		t.Errorf("%+v", done)
	}
	closeStore(t, s)
}
