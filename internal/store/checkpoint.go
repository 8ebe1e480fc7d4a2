package store

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"twinbucket/fault"
	"twinbucket/internal/journal"
	"twinbucket/internal/vfs"
)

// A checkpoint is a copy of the index at one position of the journal. With it
// the index is rebuilt without what the journal held before that position,
// which may then be dropped. There is one at a time; its name is the position.
//
//	file:  header frame... end
//	head:  "TWBCKPT1" position(8) indexFormat(4) crc32c(4)
//	frame: length(4) crc32c(4) payload; length > 0
//	rows:  (keyLength(uvarint) key valueLength(uvarint) value)...
//	end:   length 0(4) rows(8) crc32c(4)
const (
	checkpointMagic  = "TWBCKPT1"
	checkpointSuffix = ".ckp"
	checkpointHead   = 24
	checkpointFrame  = 1 << 20 // bytes that a frame is closed at
	checkpointMax    = 1 << 30 // largest frame that is read
)

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
		kind, hint = fault.NoSpace, noSpaceHint
	}
	return &fault.Error{Op: "store.checkpoint", Kind: kind, Thing: s.path("checkpoint"), Hint: hint, Err: err}
}

// copyRows writes a checkpoint's file and syncs it.
func (s *Store) copyRows(ctx context.Context, r pebble.Reader, at journal.Position, name string) error {
	f, err := vfs.Create(s.fs, name)
	if err != nil {
		return err
	}
	w := &checkpointWriter{w: bufio.NewWriterSize(f, checkpointFrame+frameOverhead)}
	err = w.head(at)
	if err == nil {
		err = eachRow(ctx, r, nil, w.row)
	}
	if err == nil {
		err = w.end()
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

const frameOverhead = 8

// checkpointWriter writes rows in frames.
type checkpointWriter struct {
	w    *bufio.Writer
	rows uint64
	buf  []byte
}

func (c *checkpointWriter) head(at journal.Position) error {
	b := append([]byte(nil), checkpointMagic...)
	b = binary.BigEndian.AppendUint64(b, uint64(at))
	b = binary.BigEndian.AppendUint32(b, indexFormat)
	_, err := c.w.Write(binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli)))
	return err
}

func (c *checkpointWriter) row(key, value []byte) error {
	c.buf = binary.AppendUvarint(c.buf, uint64(len(key)))
	c.buf = append(c.buf, key...)
	c.buf = binary.AppendUvarint(c.buf, uint64(len(value)))
	c.buf = append(c.buf, value...)
	c.rows++
	if len(c.buf) < checkpointFrame {
		return nil
	}
	return c.frame()
}

func (c *checkpointWriter) frame() error {
	if len(c.buf) == 0 {
		return nil
	}
	var h [frameOverhead]byte
	binary.BigEndian.PutUint32(h[:], uint32(len(c.buf)))
	binary.BigEndian.PutUint32(h[4:], crc32.Checksum(c.buf, castagnoli))
	_, err := c.w.Write(h[:])
	if err == nil {
		_, err = c.w.Write(c.buf)
	}
	c.buf = c.buf[:0]
	return err
}

func (c *checkpointWriter) end() error {
	if err := c.frame(); err != nil {
		return err
	}
	b := binary.BigEndian.AppendUint64(make([]byte, 4, 16), c.rows)
	if _, err := c.w.Write(binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))); err != nil {
		return err
	}
	return c.w.Flush()
}

// readCheckpoint calls each for every row of a checkpoint's file and returns
// how many there are. Damage is an error of kind fault.Damaged; rows that were
// read before it was met are not to be used.
func (s *Store) readCheckpoint(ctx context.Context, name string, at journal.Position, each func(key, value []byte) error) (uint64, error) {
	f, err := s.fs.Open(name)
	if err != nil {
		return 0, fault.Wrap("store.checkpoint", name, err)
	}
	n, err := readRows(ctx, bufio.NewReaderSize(f, checkpointFrame), at, each)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errCheckpoint
	}
	return n, fault.Wrap("store.checkpoint", name, errors.Join(err, f.Close()))
}

var errCheckpoint = &fault.Error{Op: "store.checkpoint", Kind: fault.Damaged, Message: "the checkpoint of the index is damaged", Hint: "the disk has lost or changed data that was acknowledged; restore the data directory from a copy"}

func readRows(ctx context.Context, r io.Reader, at journal.Position, each func(key, value []byte) error) (uint64, error) {
	var head [checkpointHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, err
	}
	if string(head[:8]) != checkpointMagic || crc32.Checksum(head[:20], castagnoli) != binary.BigEndian.Uint32(head[20:]) ||
		journal.Position(binary.BigEndian.Uint64(head[8:])) != at {
		return 0, errCheckpoint
	}
	if format := binary.BigEndian.Uint32(head[16:]); format != indexFormat {
		return 0, &fault.Error{Op: "store.checkpoint", Kind: fault.Unsupported, Message: fmt.Sprintf("a checkpoint of index format %d, want %d", format, indexFormat), Hint: "the data was written by another version of twinbucket; use that version"}
	}
	var rows uint64
	var buf []byte
	for {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		var h [frameOverhead]byte
		if _, err := io.ReadFull(r, h[:4]); err != nil {
			return 0, err
		}
		n := binary.BigEndian.Uint32(h[:])
		if n == 0 {
			return rows, readEnd(r, rows)
		}
		if n > checkpointMax {
			return 0, errCheckpoint
		}
		if _, err := io.ReadFull(r, h[4:]); err != nil {
			return 0, err
		}
		buf = slices.Grow(buf[:0], int(n))[:n]
		if _, err := io.ReadFull(r, buf); err != nil {
			return 0, err
		}
		if crc32.Checksum(buf, castagnoli) != binary.BigEndian.Uint32(h[4:]) {
			return 0, errCheckpoint
		}
		for b := buf; len(b) > 0; rows++ {
			var key, value []byte
			var ok bool
			if key, b, ok = cutBytes(b); ok {
				value, b, ok = cutBytes(b)
			}
			if !ok {
				return 0, errCheckpoint
			}
			if err := each(key, value); err != nil {
				return 0, err
			}
		}
	}
}

func readEnd(r io.Reader, rows uint64) error {
	var b [16]byte // the length, 0, was read
	if _, err := io.ReadFull(r, b[4:]); err != nil {
		return err
	}
	if crc32.Checksum(b[:12], castagnoli) != binary.BigEndian.Uint32(b[12:]) || binary.BigEndian.Uint64(b[4:]) != rows {
		return errCheckpoint
	}
	return nil
}

// cutBytes takes a byte string that has its length before it off b.
func cutBytes(b []byte) (data, rest []byte, ok bool) {
	n, w := binary.Uvarint(b)
	if w <= 0 || n > uint64(len(b)-w) {
		return nil, nil, false
	}
	return b[w : w+int(n)], b[w+int(n):], true
}

// eachRow calls each for every row of r that begins with prefix, in order. The
// bytes are valid until it returns.
func eachRow(ctx context.Context, r pebble.Reader, prefix []byte, each func(key, value []byte) error) error {
	opt := &pebble.IterOptions{}
	if len(prefix) > 0 {
		opt.LowerBound, opt.UpperBound = prefix, after(prefix)
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

// restore fills an empty index from the checkpoint, if there is one. The row
// that says how far the index is comes last: one that was cut off is known by it.
func (s *Store) restore() error {
	all, err := s.checkpoints()
	if err != nil || len(all) == 0 {
		return s.checkpointError(err)
	}
	var applied []byte
	b := s.db.NewBatch()
	rows, err := s.readCheckpoint(context.Background(), s.checkpointPath(all[0]), all[0], func(key, value []byte) error {
		if bytes.Equal(key, appliedRow) {
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
	if err = errors.Join(err, b.Close()); err == nil {
		err = s.db.Flush()
	}
	if err == nil {
		err = s.db.Set(appliedRow, applied, pebble.NoSync)
	}
	if err == nil {
		err = s.db.Flush()
	}
	if err == nil {
		s.opt.Log.Info("the index was filled from its checkpoint", "position", uint64(all[0]), "rows", rows)
	}
	return s.checkpointError(err)
}
