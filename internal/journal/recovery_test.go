package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"twinbucket/fault"
	"twinbucket/internal/vfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestPowerFailsAfterARestart ends the program at every file operation, with
// what it wrote still in the system's memory, starts it again, and then the
// power fails: what the second start has read and what it acknowledged is
// there.
func TestPowerFailsAfterARestart(t *testing.T) {
	t.Parallel()
	for k := int64(1); ; k++ {
		mem := vfs.Memory()
		var faults vfs.Faults
		faults.FailFrom(k)
		var first log
		died := false
		if j, err := first.open(t, faults.Wrap(mem), 150); err == nil {
			for i := range 6 {
				if err := j.Append(t.Context(), rec(fmt.Sprintf("record-%d", i))); err != nil {
					died = true
					break
				}
			}
			_ = j.Close()
		} else {
			died = true
		}
		var second, third log
		j := mustOpen(t, &second, mem, 150)
		if err := j.Append(t.Context(), rec("after")); err != nil {
			t.Fatal(err)
		}
		crashed := mem.Crash(0, nil)
		mustClose(t, j)
		mustClose(t, mustOpen(t, &third, crashed, 150))
		if !slices.Equal(second.records, third.records) {
			t.Fatalf("k=%d: %v after the restart, %v after the power failure", k, second.records, third.records)
		}
		if !died {
			break
		}
	}
}

// TestNothingIsAppliedBehindAFailure: what could not be applied is applied at
// the next start, so nothing may be applied past it before.
func TestNothingIsAppliedBehindAFailure(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan bool, 2), make(chan bool)
	var applied []string
	j, err := Open(vfs.Memory(), "/j", Options{
		Replay:   func(Position, []byte) error { return nil },
		Replayed: func(Position) error { return nil },
		Apply: func(group []*Record, _ Position) error {
			for _, r := range group {
				applied = append(applied, string(r.Body))
			}
			entered <- true
			<-leave
			return io.ErrClosedPipe
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	one, two := rec("-one"), rec("-two")
	errs := make(chan error, 2)
	go func() { errs <- j.Append(context.Background(), one) }()
	<-entered
	go func() { errs <- j.Append(context.Background(), two) }()
	for waits := false; !waits; runtime.Gosched() {
		j.mu.Lock()
		waits = j.first != nil
		j.mu.Unlock()
	}
	close(leave)
	for range 2 {
		var f *fault.Error
		if err := <-errs; !errors.As(err, &f) {
			t.Errorf("%v", err)
		}
	}
	mustClose(t, j)
	if !slices.Equal(applied, []string{"one"}) || !one.InDoubt || two.InDoubt {
		t.Errorf("applied %q; in doubt: %v, %v", applied, one.InDoubt, two.InDoubt)
	}
}

func TestAMissingSegmentIsDamage(t *testing.T) {
	t.Parallel()
	fs := vfs.Memory()
	var l log
	j := mustOpen(t, &l, fs, 100)
	for i := range 5 {
		if err := j.Append(t.Context(), rec(fmt.Sprintf("record %d", i))); err != nil {
			t.Fatal(err)
		}
	}
	mustClose(t, j)
	if err := fs.Remove("/j/00000000000000000000.seg"); err != nil {
		t.Fatal(err)
	}
	var re log
	if _, err := re.open(t, fs, 100); !errors.Is(err, fault.Damaged) {
		t.Errorf("%v, after %q", err, re.records)
	}
}

func TestAnAppendThatCouldNotBeReadBackIsRefused(t *testing.T) {
	t.Parallel()
	var l log
	j := mustOpen(t, &l, vfs.Memory(), 0)
	defer mustClose(t, j)
	part := make([]byte, 1<<20)
	records := make([]*Record, maxFrame/len(part))
	for i := range records {
		records[i] = &Record{Body: part}
	}
	if err := j.Append(t.Context(), records...); !errors.Is(err, fault.TooLarge) {
		t.Errorf("%v", err)
	}
	if err := j.Append(t.Context(), rec("small")); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestReadsBehindTheEndAndAfterClose(t *testing.T) {
	t.Parallel()
	var l log
	j := mustOpen(t, &l, vfs.Memory(), 0)
	if err := j.Append(t.Context(), rec("record")); err != nil {
		t.Fatal(err)
	}
	// io.EOF would be taken for the end of a body.
	if err := j.ReadAt(make([]byte, 10), j.End()); !errors.Is(err, fault.Damaged) || errors.Is(err, io.EOF) {
		t.Errorf("behind the end: %v", err)
	}
	mustClose(t, j)
	if err := j.ReadAt(make([]byte, 1), 60); !errors.Is(err, fault.Closed) {
		t.Errorf("after close: %v", err)
	}
}

// TestReadFaultAtEveryOperation: a disk that fails while the log is read at the
// start says nothing about where its end is. Nothing is cut off, and what is
// damaged does not pass for a torn end.
func TestReadFaultAtEveryOperation(t *testing.T) {
	t.Parallel()
	for n := range 4 {
		damage, forGood := n&1 != 0, n&2 != 0
		for k := int64(1); ; k++ {
			mem := vfs.Memory()
			var l log
			j := mustOpen(t, &l, mem, 0)
			for _, size := range []int{10, 3 << 20, 20} {
				if err := j.Append(t.Context(), &Record{Body: make([]byte, size)}); err != nil {
					t.Fatal(err)
				}
			}
			mustClose(t, j)
			if damage {
				flip(t, mem, 200)
			}
			faults := &vfs.Faults{Reads: true}
			fs := faults.Wrap(mem)
			if faults.FailOnce(k); forGood {
				faults.FailFrom(k)
			}
			var second log
			j, err := second.open(t, fs, 0)
			switch {
			case err == nil && !damage:
				if err := j.Append(t.Context(), rec("more")); err != nil {
					t.Fatal(err)
				}
				mustClose(t, j)
			case !errors.Is(err, vfs.ErrInjected) && !(damage && errors.Is(err, fault.Damaged)):
				t.Fatalf("k=%d, damage %v: opened with %d records, %v", k, damage, len(second.records), err)
			}
			faults.Heal()
			var third log
			j, err = third.open(t, fs, 0)
			if damage && !errors.Is(err, fault.Damaged) || !damage && (err != nil || len(third.records) < 3) {
				t.Fatalf("k=%d, damage %v: afterwards %d records, %v", k, damage, len(third.records), err)
			}
			if err == nil {
				mustClose(t, j)
			}
			if faults.Count() < k {
				break
			}
		}
	}
}

// TestFailedAppendsLeaveOneSegment: a disk that takes no frames for hours must
// not cost a file, and a descriptor, for each try.
func TestFailedAppendsLeaveOneSegment(t *testing.T) {
	t.Parallel()
	mem := vfs.Memory()
	faults := &vfs.Faults{Err: syscall.ENOSPC}
	fs := faults.Wrap(mem)
	var l log
	j := mustOpen(t, &l, fs, 0)
	if err := j.Append(t.Context(), rec("one")); err != nil {
		t.Fatal(err)
	}
	// The segment's file, its header, two syncs, and then the frame or its sync.
	for i, ops := range []int64{1, 5, 6, 5, 6, 5, 6} {
		faults.FailOnce(ops)
		if err := j.Append(t.Context(), rec("two")); !errors.Is(err, fault.NoSpace) {
			t.Fatalf("%d: %v", i, err)
		}
	}
	if names, err := fs.List("/j"); err != nil || len(names) > 2 || len(j.Segments()) > 2 {
		t.Errorf("%v, %v, %v", names, err, j.Segments())
	}
	faults.Heal()
	if err := j.Append(t.Context(), rec("three")); err != nil {
		t.Fatal(err)
	}
	for _, fs := range []vfs.FS{mem.Crash(0, nil), mem} {
		var again log
		mustClose(t, mustOpen(t, &again, fs, 0))
		if !slices.Equal(again.records, []string{"one", "three"}) {
			t.Errorf("%q", again.records)
		}
	}
	mustClose(t, j)
}
