package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"twinbucket/fault"
	"twinbucket/internal/journal"
	"twinbucket/internal/layout"
	"twinbucket/internal/ledger"
	"twinbucket/internal/rowfile"
	"twinbucket/internal/vfs"
)

// A checkpoint is a copy of the index at one position of the journal, a file of
// rows. With it the index is rebuilt without what the journal held before that
// position, which may then be dropped. There is one at a time; its name is the
// position.
const checkpointSuffix = ".ckp"

func (s *Store) checkpointPath(at journal.Position) string {
	return s.path("checkpoint", fmt.Sprintf("%020d%s", uint64(at), checkpointSuffix))
}

// checkpoints lists the positions of the checkpoints, newest first.
func (s *Store) checkpoints() ([]journal.Position, error) {
	names, err := s.fs.List(s.path("checkpoint"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var out []journal.Position
	for _, n := range names {
		digits, ok := strings.CutSuffix(n, checkpointSuffix)
		if at, err := strconv.ParseUint(digits, 10, 64); ok && err == nil && len(digits) == 20 {
			out = append(out, journal.Position(at))
		}
	}
	slices.Sort(out)
	slices.Reverse(out)
	return out, err
}

// writeCheckpoint copies the rows of r, the index as of position at, reads the
// copy back, and makes it the checkpoint.
func (s *Store) writeCheckpoint(ctx context.Context, r pebble.Reader, at journal.Position) error {
	dir := s.path("checkpoint")
	if err := vfs.MkdirSynced(s.fs, dir); err != nil {
		return s.checkpointError(err)
	}
	part := s.path("checkpoint", "new")
	err := s.copyRows(ctx, r, at, part)
	if err == nil {
		// What follows from it is that older records are thrown away.
		_, err = s.readCheckpoint(ctx, part, at, func(_, _ []byte) error { return nil })
	}
	if err == nil {
		err = s.fs.Rename(part, s.checkpointPath(at))
	}
	if err == nil {
		err = vfs.SyncDir(s.fs, dir)
	}
	if err != nil {
		_ = s.fs.Remove(part) // found and overwritten by the next one
		return s.checkpointError(err)
	}
	return s.dropCheckpoints(at)
}

// dropCheckpoints removes all checkpoints but the one at a position.
func (s *Store) dropCheckpoints(but journal.Position) error {
	all, err := s.checkpoints()
	for _, at := range all {
		if at != but && err == nil {
			err = s.fs.Remove(s.checkpointPath(at))
		}
	}
	return s.checkpointError(err)
}

func (s *Store) checkpointError(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	kind, hint := fault.KindOf(err), ""
	if vfs.IsFull(err) {
		kind, hint = fault.NoSpace, vfs.FullHint
	}
	return &fault.Error{Op: "store.checkpoint", Kind: kind, Thing: s.path("checkpoint"), Hint: hint, Err: err}
}

// copyRows writes a checkpoint's file and syncs it.
func (s *Store) copyRows(ctx context.Context, r pebble.Reader, at journal.Position, name string) error {
	f, err := vfs.Create(s.fs, name)
	if err != nil {
		return err
	}
	w, err := rowfile.NewWriter(f, rowfile.Head{Position: uint64(at), Format: indexFormat})
	if err == nil {
		err = eachRow(ctx, r, nil, w.Row)
	}
	if err == nil {
		err = w.Close()
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// readCheckpoint calls each for every row of a checkpoint's file and returns
// how many there are. Damage is an error of kind fault.Damaged; rows that were
// read before it was met are not to be used.
func (s *Store) readCheckpoint(ctx context.Context, name string, at journal.Position, each func(key, value []byte) error) (uint64, error) {
	f, err := s.fs.Open(name)
	if err != nil {
		return 0, fault.Wrap("store.checkpoint", name, err)
	}
	var rows uint64
	r, err := rowfile.NewReader(f)
	switch {
	case err != nil:
	case r.Position != uint64(at):
		err = rowfile.ErrDamaged
	case r.Format == 2:
		f := &filer{each, ledger.New()}
		if rows, err = r.Each(func(key, value []byte) error { return errors.Join(ctx.Err(), f.row(key, value)) }); err == nil {
			err = f.end()
		}
	case r.Format != indexFormat:
		err = &fault.Error{Op: "store.checkpoint", Kind: fault.Unsupported, Message: fmt.Sprintf("rows of format %d, want %d", r.Format, indexFormat), Hint: "the data was written by another version of twinbucket; use that version"}
	default:
		rows, err = r.Each(func(key, value []byte) error { return errors.Join(ctx.Err(), each(key, value)) })
	}
	if err = errors.Join(err, f.Close()); errors.Is(err, fault.Damaged) {
		err = &fault.Error{Op: "store.checkpoint", Kind: fault.Damaged, Thing: name, Hint: "the disk has lost or changed data that was acknowledged; restore the data directory from a copy"}
	}
	return rows, fault.Wrap("store.checkpoint", name, err)
}

// eachRow calls each for every row of r that begins with prefix, in order. The
// bytes are valid until it returns.
func eachRow(ctx context.Context, r pebble.Reader, prefix []byte, each func(key, value []byte) error) error {
	opt := &pebble.IterOptions{}
	if len(prefix) > 0 {
		opt.LowerBound, opt.UpperBound = prefix, layout.After(prefix)
	}
	it, err := r.NewIter(opt)
	if err != nil {
		return err
	}
	n := 0
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		if n++; n%1024 == 0 {
			err = ctx.Err()
		}
		if err == nil {
			err = each(it.Key(), it.Value())
		}
	}
	return errors.Join(err, it.Error(), it.Close())
}

// eachOfCheckpoint calls each for every row of the checkpoint, if there is one,
// and returns how many there are.
func (s *Store) eachOfCheckpoint(each func(key, value []byte) error) (uint64, error) {
	all, err := s.checkpoints()
	if err != nil || len(all) == 0 {
		return 0, s.checkpointError(err)
	}
	return s.readCheckpoint(context.Background(), s.checkpointPath(all[0]), all[0], each)
}

// restore fills an empty index from the checkpoint, if there is one. The row
// that says how far the index is comes last: one that was cut off is known by it.
func (s *Store) restore() error {
	var applied []byte
	b := s.db.NewBatch()
	rows, err := s.eachOfCheckpoint(func(key, value []byte) error {
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
		return s.checkpointError(err)
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
	return s.checkpointError(err)
}
