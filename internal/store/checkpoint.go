package store

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"twinbucket/internal/checkpoint"
	"twinbucket/internal/layout"
	"twinbucket/internal/ledger"
)

// older reads rows of older checkpoints.
func older(format uint32, each checkpoint.Each) (checkpoint.Each, func() error, bool) {
	f := &filer{each, ledger.New()}
	return f.row, f.end, format == 2
}

// restore fills an empty index from the checkpoint, if there is one. The row
// that says how far the index is comes last: one that was cut off is known by it.
func (s *Store) restore() error {
	var applied []byte
	b := s.db.NewBatch()
	rows, err := s.copies.Newest(func(key, value []byte) error {
		if bytes.Equal(key, layout.Applied) {
			applied = bytes.Clone(value)
			return nil
		}
		if err := b.Set(key, value, nil); err != nil || b.Len() < replayBatch {
			return err
		}
		err := errors.Join(b.Commit(pebble.NoSync), b.Close())
		b = s.db.NewBatch()
		return err
	})
	if err == nil {
		err = b.Commit(pebble.NoSync)
	}
	if err = errors.Join(err, b.Close()); err != nil || rows == 0 {
		return s.copies.Err(err)
	}
	if err = s.db.Flush(); err == nil {
		err = s.db.Set(layout.Applied, applied, pebble.NoSync)
	}
	if err == nil {
		err = s.db.Flush()
	}
	if err == nil {
		at, _ := binary.Uvarint(applied)
		s.opt.Log.Info("the index was filled from its checkpoint", "position", at, "rows", rows)
	}
	return s.copies.Err(err)
}
