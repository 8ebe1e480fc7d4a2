// Package reserve holds back room on the disk, in a file that does nothing but
// take it, so that what frees space can still be written when the disk is full.
package reserve

import (
	"errors"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"twinbucket/fault"
	"twinbucket/internal/vfs"
)

const (
	// size is how much of the disk is held back, in bytes.
	size = 16 << 20
	// Retake is how long after a try to hold the reserve again there is another.
	Retake = time.Second
	// roomSize is how much room there has to be for a disk not to be full, in bytes.
	roomSize = 256 << 10
)

// Reserve is the room of one directory. It is given up when the disk is full;
// until there is room for it again only what frees space is taken.
type Reserve struct {
	FS  vfs.FS
	Dir string // Files below it are "reserve" and, for a moment, "room"
	Now func() time.Time
	Log *slog.Logger

	mu    sync.Mutex
	out   bool // given up
	tried time.Time
}

func (r *Reserve) path() string { return r.FS.PathJoin(r.Dir, "reserve") }

// hold takes the room, unless it is taken.
func (r *Reserve) hold() error {
	name := r.path()
	if _, err := r.FS.Stat(name); err == nil {
		return nil
	}
	f, err := vfs.Create(r.FS, name)
	if err != nil {
		return err
	}
	if err = f.Preallocate(0, size); err != nil && !vfs.IsFull(err) {
		// This file system cannot; with bytes it can.
		err = nil
		for n, zeros := 0, make([]byte, roomSize); n < size && err == nil; n += len(zeros) {
			_, err = f.Write(zeros)
		}
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		err = errors.Join(err, r.FS.Remove(name))
	}
	return err
}

// Open takes the room. A disk without it is full already.
func (r *Reserve) Open() {
	err := r.hold()
	r.out = vfs.IsFull(err)
	if err != nil {
		r.Log.Warn("there is no room for the reserve: only deletes are taken until there is", "file", r.path(), "cause", err, "hint", vfs.FullHint)
	}
}

// Give gives the room up and reports whether there was any.
func (r *Reserve) Give() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.out, r.tried = true, r.Now()
	err := r.FS.Remove(r.path())
	if err == nil {
		r.Log.Error("the disk is full: only deletes are taken until there is room", "dir", r.Dir, "hint", vfs.FullHint)
	} else if !errors.Is(err, fs.ErrNotExist) {
		r.Log.Error("cannot give the reserve up", "file", r.path(), "cause", err)
	}
	return err == nil
}

// Short reports whether the disk is full.
func (r *Reserve) Short() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.out
}

// Admit refuses what takes space while the reserve is given up.
func (r *Reserve) Admit() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.out {
		return nil
	}
	if now := r.Now(); now.Sub(r.tried) >= Retake {
		r.tried = now
		if r.hold() == nil {
			r.out = false
			r.Log.Info("the disk has room again", "dir", r.Dir)
			return nil
		}
	}
	return &fault.Error{Op: "store.admit", Kind: fault.NoSpace, Thing: r.Dir, Message: "the disk is full", Hint: vfs.FullHint}
}

// Room looks whether a file can be written.
func (r *Reserve) Room() error {
	name := r.FS.PathJoin(r.Dir, "room")
	f, err := vfs.Create(r.FS, name)
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, roomSize))
	return errors.Join(err, f.Close(), r.FS.Remove(name))
}
