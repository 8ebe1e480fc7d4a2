package store

import (
	"twinbucket/fault"
	"twinbucket/internal/journal"
)

// Broken returns a channel that is closed when the index has failed: what the
// store answers may be out of date from then on, and it takes no more changes.
// The journal has everything; a store that is opened anew replays it.
func (s *Store) Broken() <-chan struct{} { return s.down }

// Err returns why the store is broken, nil if it is not.
func (s *Store) Err() error {
	select {
	case <-s.down:
		return s.why
	default:
		return nil
	}
}

// giveUp notes that the index has failed.
func (s *Store) giveUp(cause error) {
	s.downOnce.Do(func() {
		s.why = &fault.Error{
			Op: "store.index", Thing: s.path("index"), Err: cause, Message: "the index could not be written",
			Hint: "nothing acknowledged is lost; see to the disk and start the server again: it reads the journal anew",
		}
		close(s.down)
		s.opt.Log.Error("the store takes no more changes", "dir", s.dir, "cause", cause)
	})
}

// applyOrGiveUp is apply; after an error the journal takes nothing more.
func (s *Store) applyOrGiveUp(group []*journal.Record, end journal.Position) error {
	err := s.apply(group, end)
	if err != nil {
		s.giveUp(err)
	}
	return err
}
