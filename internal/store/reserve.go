package store

import (
	"context"
	"errors"

	"twinbucket/fault"
	"twinbucket/internal/journal"
	"twinbucket/internal/vfs"
)

// giveReserve gives the reserve up and reports whether there was any.
func (s *Store) giveReserve() bool {
	s.wakeCompaction()
	return s.reserve.Give()
}

// frees reports whether a command makes room, or leads to it.
func frees(c command) bool {
	switch c.(type) {
	case *deleteCommand, *abortCommand, *deleteBucketCommand, *stageCommand, *toldCommand:
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
		if err := s.reserve.Admit(); err != nil {
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
