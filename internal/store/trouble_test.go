package store

import (
	"errors"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/bodies"
	"twinbucket/internal/reserve"
	"twinbucket/internal/vfs"
	"twinbucket/object"
)

// smallDisk is a file system that is full until the reserve is given up.
type smallDisk struct {
	vfs.FS
	mem    vfs.Mem
	faults *vfs.Faults
}

func (d smallDisk) Remove(name string) error {
	if !strings.HasSuffix(name, "/reserve") {
		return d.FS.Remove(name)
	}
	err := d.mem.Remove(name)
	if err == nil {
		d.faults.Heal()
	}
	return err
}

// TestDeletesOnAFullDisk: what frees space is taken on a full disk, and nothing
// else until there is room again.
func TestDeletesOnAFullDisk(t *testing.T) {
	t.Parallel()
	mem := vfs.Memory()
	disk := smallDisk{mem: mem, faults: &vfs.Faults{Under: "/data/", Err: syscall.ENOSPC}}
	disk.FS = disk.faults.Wrap(mem)
	var now atomic.Int64
	now.Store(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixNano())
	start := func() *Store {
		s, err := Open(disk, "/data", Options{Log: quiet, CacheSize: 1 << 20, Now: func() time.Time { return time.Unix(0, now.Load()) }})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := start()
	makeBucket(t, s, "bkt", bucket.Enabled)
	large := strings.Repeat("x", bodies.InlineMax+1)
	o := put(t, s, "bkt", "k", large)
	var ids []string
	for range 3 {
		id, err := s.CreateUpload(t.Context(), object.Version{Bucket: "bkt", Key: "up"}, "")
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	tryPut := func(body string) error {
		_, err := s.Put(t.Context(), Put{Version: object.Version{Bucket: "bkt", Key: "new"}, Body: strings.NewReader(body), Size: -1})
		return err
	}
	refused := func(when string) {
		t.Helper()
		for _, body := range []string{"small", large} {
			if err := tryPut(body); !errors.Is(err, fault.NoSpace) || fault.HintOf(err) == "" {
				t.Errorf("%s: put: %v", when, err)
			}
		}
		if err := s.UpdateBucket(t.Context(), "bkt", func(*bucket.Bucket) error { return nil }); !errors.Is(err, fault.NoSpace) {
			t.Errorf("%s: a setting: %v", when, err)
		}
	}
	disk.faults.FailFrom(1)
	refused("full")
	if err := s.AbortUpload(t.Context(), "bkt", "up", ids[0]); err != nil {
		t.Errorf("abort: %v", err)
	}
	if _, err := s.Delete(t.Context(), "bkt", "k", o.ID, owner); err != nil {
		t.Errorf("delete: %v", err)
	}
	refused("the reserve is given up")
	s.bodies.Wait()
	if n := countFiles(t, mem); n != 0 {
		t.Errorf("%d bodies are left", n)
	}
	closeStore(t, s)

	// A start does without it, too.
	s = start()
	if err := s.AbortUpload(t.Context(), "bkt", "up", ids[1]); err != nil {
		t.Errorf("abort: %v", err)
	}
	disk.faults.FailFrom(1)
	closeStore(t, s)
	s = start() // gives the reserve up, which was taken by the last start
	if err := s.AbortUpload(t.Context(), "bkt", "up", ids[2]); err != nil {
		t.Errorf("abort: %v", err)
	}
	now.Add(int64(reserve.Retake))
	if err := tryPut(large); err != nil {
		t.Errorf("there is room again: %v", err)
	}
	if _, err := mem.Stat("/data/reserve"); err != nil {
		t.Errorf("the reserve: %v", err)
	}
	check(t, s, mem)
	closeStore(t, s)
}

// TestABrokenIndexIsTold: when the index cannot be written the store says so,
// and the next start has everything.
func TestABrokenIndexIsTold(t *testing.T) {
	t.Parallel()
	mem := vfs.Memory()
	faults := &vfs.Faults{Under: "/index"}
	s := open(t, faults.Wrap(mem))
	makeBucket(t, s, "bkt", bucket.Enabled)
	o := put(t, s, "bkt", "k", "body")
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	faults.FailFrom(1)
	if _, err := s.db.AsyncFlush(); err != nil {
		t.Fatal(err)
	}
	<-s.Broken()
	if err := s.Err(); !errors.Is(err, vfs.ErrInjected) || !strings.Contains(fault.HintOf(err), "start the server again") {
		t.Errorf("%v", err)
	}
	if err := s.DeleteBucket(t.Context(), "other"); !errors.Is(err, fault.NotFound) {
		t.Errorf("%v", err)
	}
	if _, err := s.Delete(t.Context(), "bkt", "k", "", owner); !errors.Is(err, vfs.ErrInjected) {
		t.Errorf("a change was taken: %v", err)
	}
	lost := mem.Crash(0, nil)
	faults.Heal()
	closeStore(t, s)
	s = open(t, lost)
	if got := read(t, s, o); got != "body" {
		t.Errorf("%q", got)
	}
	closeStore(t, s)
}

// TestADiskThatIsReadOnly: it is said what is wrong, and reads go on.
func TestADiskThatIsReadOnly(t *testing.T) {
	t.Parallel()
	mem := vfs.Memory()
	faults := &vfs.Faults{Err: syscall.EROFS}
	s := open(t, faults.Wrap(mem))
	makeBucket(t, s, "bkt", bucket.Enabled)
	o := put(t, s, "bkt", "k", "body")
	faults.FailFrom(1)
	for _, body := range []string{"small", strings.Repeat("x", bodies.InlineMax+1)} {
		_, err := s.Put(t.Context(), Put{Version: object.Version{Bucket: "bkt", Key: "new"}, Body: strings.NewReader(body), Size: -1})
		if fault.HintOf(err) != vfs.ReadOnlyHint {
			t.Errorf("%v, hint %q", err, fault.HintOf(err))
		}
	}
	if got := read(t, s, o); got != "body" {
		t.Errorf("%q", got)
	}
	faults.Heal()
	put(t, s, "bkt", "k", "again")
	closeStore(t, s)
}
