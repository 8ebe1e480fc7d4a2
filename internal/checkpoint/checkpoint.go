// Package checkpoint keeps copies of the store's index in files of rows. With
// one the index is rebuilt without what the journal held before its position,
// which may then be dropped. There is one at a time; its name is the position.
package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"twinbucket/fault"
	"twinbucket/internal/journal"
	"twinbucket/internal/rowfile"
	"twinbucket/internal/vfs"
)

const suffix = ".ckp"

// Each takes one row; the bytes are valid until it returns.
type Each = func(key, value []byte) error

// Dir is the directory of the checkpoints.
type Dir struct {
	FS     vfs.FS
	Path   string
	Format uint32 // of the rows that are written
	// Older, if rows of an older format can be read, returns who takes them and
	// hands them to each as they are now, and what is to be called at their end.
	Older func(format uint32, each Each) (row Each, end func() error, ok bool)
}

// File returns the name of the file of the checkpoint at a position.
func (d *Dir) File(at journal.Position) string {
	return d.FS.PathJoin(d.Path, fmt.Sprintf("%020d%s", uint64(at), suffix))
}

// All lists the positions of the checkpoints, newest first.
func (d *Dir) All() ([]journal.Position, error) {
	names, err := d.FS.List(d.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var out []journal.Position
	for _, n := range names {
		digits, ok := strings.CutSuffix(n, suffix)
		if at, err := strconv.ParseUint(digits, 10, 64); ok && err == nil && len(digits) == 20 {
			out = append(out, journal.Position(at))
		}
	}
	slices.Sort(out)
	slices.Reverse(out)
	return out, err
}

// Write copies the rows that it is given, the index as of position at, reads
// the copy back, and makes it the checkpoint.
func (d *Dir) Write(ctx context.Context, at journal.Position, rows func(Each) error) error {
	if err := vfs.MkdirSynced(d.FS, d.Path); err != nil {
		return d.Err(err)
	}
	part := d.FS.PathJoin(d.Path, "new")
	err := d.copy(at, part, rows)
	if err == nil {
		// What follows from it is that older records are thrown away.
		_, err = d.Read(ctx, part, at, func(_, _ []byte) error { return nil })
	}
	if err == nil {
		err = d.FS.Rename(part, d.File(at))
	}
	if err == nil {
		err = vfs.SyncDir(d.FS, d.Path)
	}
	if err != nil {
		_ = d.FS.Remove(part) // found and overwritten by the next one
		return d.Err(err)
	}
	return d.drop(at)
}

// drop removes all checkpoints but the one at a position.
func (d *Dir) drop(but journal.Position) error {
	all, err := d.All()
	for _, at := range all {
		if at != but && err == nil {
			err = d.FS.Remove(d.File(at))
		}
	}
	return d.Err(err)
}

// Err says of an error that it is about the checkpoints.
func (d *Dir) Err(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	kind, hint := fault.KindOf(err), ""
	if vfs.IsFull(err) {
		kind, hint = fault.NoSpace, vfs.FullHint
	}
	return &fault.Error{Op: "store.checkpoint", Kind: kind, Thing: d.Path, Hint: hint, Err: err}
}

// copy writes a checkpoint's file and syncs it.
func (d *Dir) copy(at journal.Position, name string, rows func(Each) error) error {
	f, err := vfs.Create(d.FS, name)
	if err != nil {
		return err
	}
	w, err := rowfile.NewWriter(f, rowfile.Head{Position: uint64(at), Format: d.Format})
	if err == nil {
		err = rows(w.Row)
	}
	if err == nil {
		err = w.Close()
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// Read calls each for every row of a checkpoint's file and returns how many
// there are. Damage is an error of kind fault.Damaged; rows that were read
// before it was met are not to be used.
func (d *Dir) Read(ctx context.Context, file string, at journal.Position, each Each) (uint64, error) {
	f, err := d.FS.Open(file)
	if err != nil {
		return 0, fault.Wrap("store.checkpoint", file, err)
	}
	var rows uint64
	r, err := rowfile.NewReader(f)
	if err == nil {
		rows, err = d.rows(ctx, r, at, each)
	}
	if err = errors.Join(err, f.Close()); errors.Is(err, fault.Damaged) {
		err = &fault.Error{Op: "store.checkpoint", Kind: fault.Damaged, Thing: file, Hint: "the disk has lost or changed data that was acknowledged; restore the data directory from a copy"}
	}
	return rows, fault.Wrap("store.checkpoint", file, err)
}

func (d *Dir) rows(ctx context.Context, r *rowfile.Reader, at journal.Position, each Each) (uint64, error) {
	if r.Position != uint64(at) {
		return 0, rowfile.ErrDamaged
	}
	row, end, ok := each, func() error { return nil }, true
	if r.Format != d.Format {
		if row, end, ok = d.Older(r.Format, each); !ok {
			return 0, &fault.Error{Op: "store.checkpoint", Kind: fault.Unsupported, Message: fmt.Sprintf("rows of format %d, want %d", r.Format, d.Format), Hint: "the data was written by another version of twinbucket; use that version"}
		}
	}
	n, err := r.Each(func(key, value []byte) error { return errors.Join(ctx.Err(), row(key, value)) })
	if err == nil {
		err = end()
	}
	return n, err
}

// Newest calls each for every row of the newest checkpoint, if there is one,
// and returns how many there are.
func (d *Dir) Newest(each Each) (uint64, error) {
	all, err := d.All()
	if err != nil || len(all) == 0 {
		return 0, d.Err(err)
	}
	return d.Read(context.Background(), d.File(all[0]), all[0], each)
}
