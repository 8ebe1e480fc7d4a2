// Package vfs is the file system seam: everything that touches a disk does it
// through an FS, so that tests can run on memory, count operations, make the
// k-th one fail, and crash with the unsynced bytes lost.
//
// The interface and the drivers are Pebble's, so the index rests on the same
// file system as the journal.
package vfs

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// FS is a file system and File an open file of one.
type (
	FS   = vfs.FS
	File = vfs.File
)

// Unspecified is the category of writes that nobody tells apart.
const Unspecified = vfs.WriteCategoryUnspecified

// OS returns the operating system's file system.
func OS() FS { return vfs.Default }

// Mem is a file system in memory that remembers what was synced.
type Mem struct{ *vfs.MemFS }

// Memory returns an empty file system in memory.
func Memory() Mem { return Mem{vfs.NewCrashableMem()} }

// Crash returns the file system as a power failure now would leave it. Of the
// data that was not synced, keep percent survives, chosen by rng; with keep 0
// nothing does and rng may be nil.
func (m Mem) Crash(keep int, rng *rand.Rand) Mem {
	return Mem{m.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: keep, RNG: rng})}
}

// Create makes an empty file, or empties the one that is there.
func Create(fs FS, name string) (File, error) {
	return fs.Create(name, Unspecified)
}

// Private lets only the owner of a new file read it. Files in memory have no
// owner.
func Private(f File) error {
	if fd := f.Fd(); fd != vfs.InvalidFd {
		return syscall.Fchmod(int(fd), 0o600)
	}
	return nil
}

// PrivateDir lets only the owner of a directory, if it is there, look into it.
func PrivateDir(fs FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if fd := d.Fd(); fd != vfs.InvalidFd {
		err = syscall.Fchmod(int(fd), 0o700)
	}
	return errors.Join(err, d.Close())
}

// MkdirSynced makes dir and its parents durable: each new directory's parent
// is synced. Those that it makes only their owner can look into.
func MkdirSynced(fs FS, dir string) error {
	if _, err := fs.Stat(dir); err == nil {
		return nil
	}
	parent := fs.PathDir(dir)
	if err := MkdirSynced(fs, parent); err != nil {
		return err
	}
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return SyncDir(fs, parent)
}

// SyncDir makes the names in dir durable.
func SyncDir(fs FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// ReadFile returns a file's content.
func ReadFile(fs FS, name string) ([]byte, error) {
	f, err := fs.Open(name)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(f)
	return data, errors.Join(err, f.Close())
}

// What to do about a disk that takes no more, for who runs the server.
const (
	FullHint     = "free space on the disk that holds the data directory; writing then goes on by itself"
	ReadOnlyHint = "the disk that holds the data directory is read-only, as after an error of the disk: see to it and mount it to be written to"
)

// IsFull reports whether err says that the disk has no room left.
func IsFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// IsReadOnly reports whether err says that the disk can only be read, as Linux
// makes one that fails.
func IsReadOnly(err error) bool { return errors.Is(err, syscall.EROFS) }

// WhenFull returns fs with a call of then whenever a writing operation finds
// the disk full; the operation is tried once more after it. Other writing
// operations wait meanwhile.
func WhenFull(fs FS, then func()) FS { return vfs.OnDiskFull(fs, then) }

// Faults makes chosen operations of a file system fail.
type Faults struct {
	// Under limits the faults to files whose path contains it; "" is all.
	Under string
	// Err is what a failing operation returns; ErrInjected if nil.
	Err error
	// Reads has operations that read files fail, and not those that write.
	Reads bool

	count atomic.Int64
	from  atomic.Int64 // first failing operation, counted from 1; 0: none
	to    atomic.Int64 // last failing operation; 0: all from there on
}

// ErrInjected is the failure that Faults injects by default.
var ErrInjected = errors.New("injected fault")

// hits reports whether an operation is one that may fail.
func (f *Faults) hits(op errorfs.Op) bool {
	if !strings.Contains(op.Path, f.Under) {
		return false
	}
	if f.Reads {
		return op.Kind == errorfs.OpFileRead || op.Kind == errorfs.OpFileReadAt
	}
	return op.Kind.ReadOrWrite() == errorfs.OpIsWrite && op.Kind != errorfs.OpFileClose
}

// Wrap returns fs with the faults applied.
func (f *Faults) Wrap(fs FS) FS {
	return errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if !f.hits(op) {
			return nil
		}
		n := f.count.Add(1)
		from, to := f.from.Load(), f.to.Load()
		if from == 0 || n < from || (to != 0 && n > to) {
			return nil
		}
		err := f.Err
		if err == nil {
			err = ErrInjected
		}
		return fmt.Errorf("operation %d on %s: %w", n, op.Path, err)
	}))
}

// FailOnce makes the k-th operation from now on fail, counted from 1, and no other.
func (f *Faults) FailOnce(k int64) {
	n := f.count.Load()
	f.to.Store(n + k)
	f.from.Store(n + k)
}

// FailFrom makes the k-th operation from now on and all that follow fail.
func (f *Faults) FailFrom(k int64) {
	f.to.Store(0)
	f.from.Store(f.count.Load() + k)
}

// Heal ends the faults.
func (f *Faults) Heal() { f.from.Store(0) }

// Count returns how many operations were seen.
func (f *Faults) Count() int64 { return f.count.Load() }
