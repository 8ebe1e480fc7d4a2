package store

import (
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"twinbucket/internal/vfs"
)

// patience is how long the index waits between looks for room on a full disk.
const patience = 250 * time.Millisecond

// diskFull is called when a write of the index met a full disk, and returns
// when there is room again; the write is then tried once more. Without the
// wait Pebble would try again at once, without end, or give the process up.
func (s *Store) diskFull() {
	if s.giveReserve() && s.reserve.Room() == nil {
		return
	}
	s.full.Store(true)
	s.opt.Log.Error("the disk is full: nothing new can be stored", "dir", s.dir, "hint", vfs.FullHint)
	s.noteFailure()
	look := time.NewTicker(patience)
	defer look.Stop()
	for s.reserve.Room() != nil {
		<-look.C
	}
	s.full.Store(false)
	s.opt.Log.Info("the disk has room again", "dir", s.dir)
}

// noteFailure has a Close that waits for the index give it up.
func (s *Store) noteFailure() {
	select {
	case s.failed <- struct{}{}:
	default: // it is noted
	}
}

// indexEvents takes notice of what the index does in the background.
func (s *Store) indexEvents() *pebble.EventListener {
	return &pebble.EventListener{BackgroundError: func(err error) {
		s.noteFailure()
		if vfs.IsFull(err) {
			s.opt.Log.Error("index: background error", "dir", s.dir, "cause", err)
			return // it tries again
		}
		s.giveUp(err)
	}}
}

// closeIndex puts the index on the disk, so that the next start has nothing to
// replay, and closes it. On a full disk it is left as it is, and what waits in
// it for room is left waiting: the journal has it all.
func (s *Store) closeIndex() error {
	select {
	case <-s.failed: // earlier
	default:
	}
	if !s.full.Load() {
		flushed, err := s.db.AsyncFlush()
		if err != nil {
			return errors.Join(err, s.db.Close())
		}
		select {
		case <-flushed:
			return s.db.Close()
		case <-s.failed:
		}
	}
	s.opt.Log.Warn("the index could not be stored; the next start replays the journal instead", "dir", s.dir)
	if s.full.Load() {
		return nil
	}
	return s.db.Close()
}
