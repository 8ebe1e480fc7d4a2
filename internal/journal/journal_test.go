package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"

	"twinbucket/fault"
	"twinbucket/internal/vfs"
)

// log is an owner that keeps what it was told.
type log struct {
	mu      sync.Mutex
	records []string
	end     Position
}

func (l *log) add(b ...[]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records = append(l.records, string(bytes.Join(b, nil)))
}

func (l *log) open(t testing.TB, fs vfs.FS, segment int64) (*Journal, error) {
	t.Helper()
	return Open(fs, "/j", Options{
		From:        l.end,
		SegmentSize: segment,
		Replay:      func(_ Position, r []byte) error { l.add(r); return nil },
		Replayed:    func(Position) error { return nil },
		Apply: func(group []*Record, end Position) error {
			for _, r := range group {
				l.add(r.Head, r.Body)
			}
			l.end = end
			return nil
		},
	})
}

func mustOpen(t testing.TB, l *log, fs vfs.FS, segment int64) *Journal {
	t.Helper()
	j, err := l.open(t, fs, segment)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func mustClose(t testing.TB, j *Journal) {
	t.Helper()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

func rec(s string) *Record { return &Record{Head: []byte(s[:1]), Body: []byte(s[1:])} }

func TestAppendReplayAndRead(t *testing.T) {
	t.Parallel()
	fs := vfs.Memory()
	var l log
	j := mustOpen(t, &l, fs, 200) // many segments
	var all []*Record
	for i := range 100 {
		r := rec(fmt.Sprintf("record %d", i))
		if err := j.Append(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	if err := j.Append(t.Context()); err != nil {
		t.Fatalf("append of nothing: %v", err)
	}
	check := func(j *Journal) {
		t.Helper()
		for i, r := range all {
			buf := make([]byte, len(r.Head)+len(r.Body))
			if err := j.ReadAt(buf, r.Pos); err != nil || string(buf) != fmt.Sprintf("record %d", i) {
				t.Fatalf("record %d at %d: %q, %v", i, r.Pos, buf, err)
			}
		}
	}
	check(j)
	mustClose(t, j)
	if err := j.Append(t.Context(), rec("late")); !errors.Is(err, fault.Closed) {
		t.Fatalf("append after close: %v", err)
	}

	var fresh log
	j = mustOpen(t, &fresh, fs, 200)
	if got := fmt.Sprint(fresh.records); got != fmt.Sprint(l.records) {
		t.Fatalf("replay gave %s", got)
	}
	check(j)
	mustClose(t, j)

	half := log{end: all[50].Pos - Position(formats[0].frameSize()) - 1}
	j = mustOpen(t, &half, fs, 200)
	if len(half.records) != 50 || half.records[0] != "record 50" {
		t.Fatalf("replay from the middle gave %d records from %q", len(half.records), half.records[0])
	}
	mustClose(t, j)
}

func TestConcurrentAppendsStayWhole(t *testing.T) {
	t.Parallel()
	fs := vfs.Memory()
	var l log
	j := mustOpen(t, &l, fs, 4096)
	var wg sync.WaitGroup
	for w := range 32 {
		wg.Go(func() {
			for i := range 20 {
				a, b := rec(fmt.Sprintf("a %d %d", w, i)), rec(fmt.Sprintf("b %d %d", w, i))
				if err := j.Append(context.Background(), a, b); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	mustClose(t, j)
	var re log
	mustClose(t, mustOpen(t, &re, fs, 4096))
	if len(re.records) != 32*20*2 {
		t.Fatalf("%d records", len(re.records))
	}
	for i := 0; i < len(re.records); i += 2 {
		if re.records[i][0] != 'a' || re.records[i+1] != "b"+re.records[i][1:] {
			t.Fatalf("an append was torn apart: %q then %q", re.records[i], re.records[i+1])
		}
	}
}

// TestCrashKeepsWhatWasAcknowledged crashes after every append, with none,
// some or all of the unsynced bytes kept.
func TestCrashKeepsWhatWasAcknowledged(t *testing.T) {
	t.Parallel()
	for _, keep := range []int{0, 50, 100} {
		rng := rand.New(rand.NewPCG(1, uint64(keep)))
		fs := vfs.Memory()
		var want []string
		for i := range 60 {
			var l log
			j := mustOpen(t, &l, fs, 300)
			if fmt.Sprint(l.records) != fmt.Sprint(want) {
				t.Fatalf("keep %d, round %d: replay gave %v, want %v", keep, i, l.records, want)
			}
			for k := range i % 3 {
				s := fmt.Sprintf("r%d.%d", i, k)
				if err := j.Append(t.Context(), rec(s)); err != nil {
					t.Fatal(err)
				}
				want = append(want, s)
			}
			crashed := fs.Crash(keep, rng)
			mustClose(t, j)
			fs = crashed
		}
	}
}

// TestFaultAtEveryOperation makes the k-th file operation fail, once or for
// good, for every k: what was acknowledged is there afterwards, and the
// journal writes again once the disk does.
func TestFaultAtEveryOperation(t *testing.T) {
	t.Parallel()
	for _, forGood := range []bool{false, true} {
		for k := int64(1); ; k++ {
			mem := vfs.Memory()
			faults := &vfs.Faults{Err: syscall.ENOSPC}
			fs := faults.Wrap(mem)
			if forGood {
				faults.FailFrom(k)
			} else {
				faults.FailOnce(k)
			}
			var acked []string
			failures := 0
			var l log
			j, err := l.open(t, fs, 150)
			if err == nil {
				for i := range 12 {
					s := fmt.Sprintf("record-%d", i)
					switch err := j.Append(t.Context(), rec(s)); {
					case err == nil:
						acked = append(acked, s)
					case errors.Is(err, fault.NoSpace) && fault.HintOf(err) != "":
						failures++
					default:
						t.Fatalf("k=%d: %v", k, err)
					}
				}
				faults.Heal()
				if err := j.Append(t.Context(), rec("healed")); err != nil {
					t.Fatalf("k=%d: after healing: %v", k, err)
				}
				acked = append(acked, "healed")
				if fmt.Sprint(l.records) != fmt.Sprint(acked) {
					t.Fatalf("k=%d: applied %v, acknowledged %v", k, l.records, acked)
				}
				_ = j.Close() // a close may fail too; nothing depends on it
			} else {
				failures++
			}
			var re log
			mustClose(t, mustOpen(t, &re, mem.Crash(0, nil), 150))
			if fmt.Sprint(re.records) != fmt.Sprint(acked) {
				t.Fatalf("k=%d: after the crash %v, acknowledged %v", k, re.records, acked)
			}
			if failures == 0 {
				if k < 20 {
					t.Fatalf("only %d operations were seen", k)
				}
				break
			}
		}
	}
}

// flip changes a bit of the first segment.
func flip(t *testing.T, fs vfs.Mem, pos Position) {
	t.Helper()
	f, err := fs.OpenReadWrite("/j/00000000000000000000.seg", "")
	if err != nil {
		t.Fatal(err)
	}
	var b [1]byte
	if _, err := f.ReadAt(b[:], int64(pos)); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1
	if _, err := f.WriteAt(b[:], int64(pos)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestDamageIsToldFromATornEnd(t *testing.T) {
	t.Parallel()
	build := func() (vfs.Mem, []Position) {
		fs := vfs.Memory()
		var l log
		j := mustOpen(t, &l, fs, 1<<20)
		var at []Position
		for i := range 5 {
			r := rec(fmt.Sprintf("record %d", i))
			if err := j.Append(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			at = append(at, r.Pos)
		}
		mustClose(t, j)
		return fs, at
	}
	fs, at := build()
	flip(t, fs, at[4])
	var l log
	mustClose(t, mustOpen(t, &l, fs, 1<<20))
	if len(l.records) != 4 {
		t.Errorf("a torn end left %d records, want 4", len(l.records))
	}
	for i := range 4 {
		fs, at := build()
		flip(t, fs, at[i])
		var l log
		if _, err := l.open(t, fs, 1<<20); !errors.Is(err, fault.Damaged) || fault.HintOf(err) == "" {
			t.Errorf("flipped bit in record %d: %v, want damage with a hint", i, err)
		}
	}
	fs, _ = build()
	flip(t, fs, 3)
	if _, err := l.open(t, fs, 1<<20); !errors.Is(err, fault.Damaged) {
		t.Errorf("flipped bit in the header: %v", err)
	}
}

func TestIndexAheadOfTheJournalIsRefused(t *testing.T) {
	t.Parallel()
	l := log{end: 1000}
	if _, err := l.open(t, vfs.Memory(), 0); !errors.Is(err, fault.Damaged) {
		t.Fatalf("%v", err)
	}
}

func BenchmarkAppend4K(b *testing.B) {
	var l log
	j, err := Open(vfs.OS(), b.TempDir(), Options{
		Replay:   func(Position, []byte) error { return nil },
		Replayed: func(Position) error { return nil },
		Apply:    func(_ []*Record, end Position) error { l.end = end; return nil },
	})
	if err != nil {
		b.Fatal(err)
	}
	body := make([]byte, 4096)
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := j.Append(context.Background(), &Record{Head: []byte("head"), Body: body}); err != nil {
				b.Error(err)
			}
		}
	})
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
}
