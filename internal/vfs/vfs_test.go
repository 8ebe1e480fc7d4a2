package vfs

import (
	"errors"
	"fmt"
	"syscall"
	"testing"
)

func write(t *testing.T, fs FS, name, content string, sync bool) {
	t.Helper()
	f, err := Create(fs, name)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write([]byte(content))
	if sync {
		err = errors.Join(err, f.Sync())
	}
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestCrashLosesWhatWasNotSynced(t *testing.T) {
	t.Parallel()
	m := Memory()
	if err := MkdirSynced(m, "/a/b"); err != nil {
		t.Fatal(err)
	}
	write(t, m, "/a/b/kept", "x", true)
	if err := SyncDir(m, "/a/b"); err != nil {
		t.Fatal(err)
	}
	write(t, m, "/a/b/nameless", "x", true)
	c := m.Crash(0, nil)
	if data, err := ReadFile(c, "/a/b/kept"); string(data) != "x" || err != nil {
		t.Errorf("%q, %v", data, err)
	}
	if _, err := c.Stat("/a/b/nameless"); err == nil {
		t.Error("a name that was not synced is there after a crash")
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	f := &Faults{Under: "/x", Err: syscall.ENOSPC}
	m := Memory()
	fs := f.Wrap(m)
	create := func(name string) error {
		file, err := Create(fs, name)
		if err != nil {
			return err
		}
		return file.Close()
	}
	f.FailOnce(2)
	var got []bool
	for i := range 4 {
		err := create(fmt.Sprintf("/x%d", i))
		got = append(got, err == nil)
		if err != nil && !IsFull(err) {
			t.Error(err)
		}
	}
	f.FailFrom(1)
	got = append(got, create("/x9") == nil, create("/y") == nil, create("/x9") == nil)
	f.Heal()
	got = append(got, create("/x9") == nil)
	if fmt.Sprint(got) != "[true false true true false true false true]" || f.Count() != 7 {
		t.Errorf("%v after %d operations", got, f.Count())
	}
	other := &Faults{}
	other.FailFrom(1)
	if _, err := Create(other.Wrap(m), "/z"); !errors.Is(err, ErrInjected) || IsFull(err) {
		t.Error(err)
	}
}
