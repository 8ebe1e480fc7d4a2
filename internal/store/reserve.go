package store

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"time"

	"twinbucket/fault"
	"twinbucket/internal/journal"
	"twinbucket/internal/vfs"
)

const (
	// reserveSize is how much of the disk is held back, in bytes, so that what
	// frees space can still be journaled when the disk is full.
	reserveSize = 16 << 20
	// retake is how long after a try to hold the reserve again there is another.
	retake = time.Second
)

// reserve is a file that does nothing but take room. It is given up when the
// disk is full; until there is room for it again only what frees space is
// taken.
type reserve struct {
	mu    sync.Mutex
	out   bool // given up
	tried time.Time
}

func (s *Store) reservePath() string { return s.path("reserve") }

// holdReserve takes the room, unless it is taken.
func (s *Store) holdReserve() error {
	name := s.reservePath()
	if _, err := s.fs.Stat(name); err == nil {
		return nil
	}
	f, err := vfs.Create(s.fs, name)
	if err != nil {
		return err
	}
	if err = f.Preallocate(0, reserveSize); err != nil && !vfs.IsFull(err) {
		// This file system cannot; with bytes it can.
		err = nil
		for n, zeros := 0, make([]byte, roomSize); n < reserveSize && err == nil; n += len(zeros) {
			_, err = f.Write(zeros)
		}
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		err = errors.Join(err, s.fs.Remove(name))
	}
	return err
}

// openReserve takes the room when the store is opened. A disk without it is
// full already.
func (s *Store) openReserve() {
	err := s.holdReserve()
	s.reserve.out = vfs.IsFull(err)
	if err != nil {
		s.opt.Log.Warn("there is no room for the reserve: only deletes are taken until there is", "file", s.reservePath(), "cause", err, "hint", vfs.FullHint)
	}
}

// giveReserve gives the room up and reports whether there was any.
func (s *Store) giveReserve() bool {
	s.reserve.mu.Lock()
	defer s.reserve.mu.Unlock()
	s.reserve.out, s.reserve.tried = true, s.opt.Now()
	s.wakeCompaction()
	err := s.fs.Remove(s.reservePath())
	if err == nil {
		s.opt.Log.Error("the disk is full: only deletes are taken until there is room", "dir", s.dir, "hint", vfs.FullHint)
	} else if !errors.Is(err, fs.ErrNotExist) {
		s.opt.Log.Error("cannot give the reserve up", "file", s.reservePath(), "cause", err)
	}
	return err == nil
}

// short reports whether the disk is full.
func (s *Store) short() bool {
	s.reserve.mu.Lock()
	defer s.reserve.mu.Unlock()
	return s.reserve.out
}

// admit refuses what takes space while the reserve is given up.
func (s *Store) admit() error {
	s.reserve.mu.Lock()
	defer s.reserve.mu.Unlock()
	if !s.reserve.out {
		return nil
	}
	if now := s.opt.Now(); now.Sub(s.reserve.tried) >= retake {
		s.reserve.tried = now
		if s.holdReserve() == nil {
			s.reserve.out = false
			s.opt.Log.Info("the disk has room again", "dir", s.dir)
			return nil
		}
	}
	return &fault.Error{Op: "store.admit", Kind: fault.NoSpace, Thing: s.dir, Message: "the disk is full", Hint: vfs.FullHint}
}

// frees reports whether a command makes room, or leads to it.
func frees(c command) bool {
	switch c.(type) {
	case *deleteCommand, *abortCommand, *deleteBucketCommand, *stageCommand:
		return true
	}
	return false
}

// append journals the records of commands; free says that all make room.
func (s *Store) append(ctx context.Context, free bool, records ...*journal.Record) error {
	if err := s.Err(); err != nil {
		return err
	}
	if !free {
		if err := s.admit(); err != nil {
			return err
		}
	}
	err := s.journal.Append(ctx, records...)
	if free && errors.Is(err, fault.NoSpace) && s.giveReserve() {
		// To make the change twice, if the first did get into the journal, is
		// to make it once.
		err = s.journal.Append(ctx, records...)
	}
	if vfs.IsReadOnly(err) {
		err = &fault.Error{Op: "store.append", Thing: s.dir, Hint: vfs.ReadOnlyHint, Err: err}
	}
	return err
}
