package store

import (
	"bytes"
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/vfs"
	"twinbucket/object"
)

// TestCloseOnAFullDisk closes a store whose index finds no room.
func TestCloseOnAFullDisk(t *testing.T) {
	t.Parallel()
	mem := vfs.Memory()
	faults := &vfs.Faults{Under: "/data/", Err: syscall.ENOSPC}
	var log bytes.Buffer
	s, err := Open(faults.Wrap(mem), "/data", Options{Log: slog.New(slog.NewTextHandler(&log, nil)), CacheSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	makeBucket(t, s, "bkt", bucket.Enabled)
	o := put(t, s, "bkt", "k", "body")
	faults.FailFrom(1)
	defer faults.Heal() // what waits for room ends
	if _, err := s.Put(t.Context(), Put{Version: object.Version{Bucket: "bkt", Key: "full"}, Body: strings.NewReader("x"), Size: 1}); !errors.Is(err, fault.NoSpace) || fault.HintOf(err) == "" {
		t.Errorf("put: %v", err)
	}
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it does not close")
	}
	if lines := strings.Count(log.String(), "\n"); lines > 5 || !strings.Contains(log.String(), "the disk is full") {
		t.Errorf("it logged %d lines: %.1000s", lines, log.String())
	}
	if _, err := Open(faults.Wrap(mem.Crash(100, rand.New(rand.NewPCG(1, 2)))), "/data", Options{Log: quiet}); !vfs.IsFull(err) || fault.HintOf(err) != vfs.FullHint {
		t.Errorf("start: %v, hint %q", err, fault.HintOf(err))
	}
	s = open(t, mem.Crash(0, nil))
	if got := read(t, s, o); got != "body" {
		t.Errorf("%q", got)
	}
	closeStore(t, s)
}

func TestUnusableDirectories(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	used := t.TempDir()
	s, err := Open(vfs.OS(), used, Options{Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, s)
	for dir, want := range map[string]string{
		file:                       "can be written to",
		filepath.Join(file, "dir"): "can be written to",
		used:                       "another twinbucket",
	} {
		s, err := Open(vfs.OS(), dir, Options{Log: quiet})
		if err == nil || !strings.Contains(fault.HintOf(err), want) {
			t.Errorf("%s: %v, %v, hint %q", dir, s, err, fault.HintOf(err))
		}
		if conflict := errors.Is(err, fault.Conflict); conflict != (dir == used) {
			t.Errorf("%s: conflict %v", dir, conflict)
		}
	}
}
