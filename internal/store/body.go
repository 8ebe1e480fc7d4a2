package store

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"io/fs"
	"sync"

	"twinbucket/fault"
	"twinbucket/internal/journal"
	"twinbucket/internal/vfs"
)

const (
	// inlineMax is the largest body that stands in the journal, in bytes.
	inlineMax = 1 << 20
	// pieceSize is how much is read, hashed and written at a time.
	pieceSize = 256 << 10
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// extent is a run of bytes of a body: in the journal at pos, or in a file of
// bodies/. off and size say which part of the whole is meant; crc is the
// CRC32C of all whole bytes.
type extent struct {
	file  uint64 // 0: in the journal
	pos   journal.Position
	off   int64
	size  int64
	whole int64
	crc   uint32
}

// cut returns the extents of n bytes from off on.
func cut(body []extent, off, n int64) []extent {
	var out []extent
	for _, e := range body {
		if n <= 0 {
			break
		}
		if off >= e.size {
			off -= e.size
			continue
		}
		e.off += off
		e.size = min(e.size-off, n)
		off = 0
		n -= e.size
		out = append(out, e)
	}
	return out
}

// ingested is a body that has been read: in memory, or synced in a file.
type ingested struct {
	inline []byte
	room   int     // which of the rooms pooled came from
	pooled *[]byte // nil: given back
	extent extent  // if not inline
	size   int64
	md5    [md5.Size]byte
}

func (in *ingested) etag() string { return hex.EncodeToString(in.md5[:]) }

// release gives the memory back once the body is journaled.
func (in *ingested) release() {
	if in.pooled != nil {
		rooms[in.room].Put(in.pooled)
		in.pooled, in.inline = nil, nil
	}
}

// roomSizes are the sizes of the buffers that small bodies are read into, in
// bytes. A body moves to the next one when it has filled its own: what a client
// merely announces takes no memory.
var roomSizes = [...]int{8 << 10, 64 << 10, 512 << 10, inlineMax + 1}

var rooms = func() (r [len(roomSizes)]*sync.Pool) {
	for i, n := range roomSizes {
		r[i] = &sync.Pool{New: func() any { b := make([]byte, n); return &b }}
	}
	return r
}()

// step is the room through which a large body goes to its file: a slow client
// holds it for long.
const step = 1

// grow takes the first buffer, or the next larger one with what was read.
func (in *ingested) grow() {
	next := 0
	if in.pooled != nil {
		next = in.room + 1
	}
	larger := rooms[next].Get().(*[]byte)
	copy(*larger, in.inline)
	n := len(in.inline)
	in.release()
	in.room, in.pooled, in.inline = next, larger, (*larger)[:n]
}

var (
	pieces  = sync.Pool{New: func() any { b := make([]byte, pieceSize); return &b }}
	hashers = sync.Pool{New: func() any { return md5.New() }}
)

// ingest reads a body of size bytes, or of unknown size if that is -1, hashes
// it once, and puts it into a file if it is large.
func (s *Store) ingest(ctx context.Context, body io.Reader, size int64) (*ingested, error) {
	if err := s.admit(); err != nil {
		return nil, err
	}
	if body == nil {
		body = eofReader{}
	}
	h := hashers.Get().(hash.Hash)
	h.Reset()
	defer hashers.Put(h)
	in := &ingested{}
	large, err := s.readInline(in, body, h)
	if err == nil && large {
		err = s.spill(ctx, in, body, h)
	}
	if err != nil {
		in.release()
		return nil, err
	}
	h.Sum(in.md5[:0])
	if size >= 0 && in.size != size {
		s.discard(in)
		return nil, fault.New(fault.Invalid, "IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header")
	}
	return in, nil
}

// readInline reads a body into memory; large is true if there is more of it
// than the journal takes.
func (s *Store) readInline(in *ingested, body io.Reader, h hash.Hash) (large bool, err error) {
	limit := s.opt.inline + 1
	for {
		n := len(in.inline)
		if in.pooled == nil || n == len(*in.pooled) {
			in.grow()
		}
		piece := (*in.pooled)[n:min(len(*in.pooled), n+pieceSize, limit)]
		m, err := readFull(body, piece)
		h.Write(piece[:m])
		in.inline = (*in.pooled)[:n+m]
		in.size = int64(n + m)
		switch {
		case err != nil || m < len(piece):
			return false, err
		case n+m == limit:
			return true, nil
		}
	}
}

// readFull fills p as far as r goes; reaching the end is no error.
func readFull(r io.Reader, p []byte) (int, error) {
	n, err := io.ReadFull(r, p)
	if (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)) && !isBodyError(err) {
		err = nil
	}
	return n, err
}

// isBodyError reports whether an end came from the body's own reader, which
// says by its fault that the body is incomplete.
func isBodyError(err error) bool {
	var f *fault.Error
	return errors.As(err, &f)
}

type eofReader struct{}

func (eofReader) Read([]byte) (int, error) { return 0, io.EOF }

// spill writes what was read and the rest of the body to a new file.
func (s *Store) spill(ctx context.Context, in *ingested, rest io.Reader, h hash.Hash) error {
	id := s.newFile()
	f, err := s.createFile(id)
	if err != nil {
		return s.diskError(id, err)
	}
	crc, err := writeBody(ctx, f, in, rest, h)
	if err = errors.Join(err, f.Close()); err == nil {
		err = vfs.SyncDir(s.fs, s.fs.PathDir(s.filePath(id)))
	}
	if err != nil {
		s.removeFiles([]uint64{id})
		return s.diskError(id, err)
	}
	in.extent = extent{file: id, size: in.size, whole: in.size, crc: crc}
	return nil
}

// writeBody writes to f and syncs it; it returns the checksum of it all.
func writeBody(ctx context.Context, f vfs.File, in *ingested, rest io.Reader, h hash.Hash) (uint32, error) {
	crc := crc32.Checksum(in.inline, castagnoli)
	_, err := f.Write(in.inline)
	in.release()
	if err != nil {
		return 0, err
	}
	buf := rooms[step].Get().(*[]byte)
	defer rooms[step].Put(buf)
	for n := len(*buf); n == len(*buf); {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		var err error
		if n, err = readFull(rest, *buf); err != nil {
			return 0, err
		}
		piece := (*buf)[:n]
		h.Write(piece)
		crc = crc32.Update(crc, castagnoli, piece)
		in.size += int64(n)
		if _, err := f.Write(piece); err != nil {
			return 0, err
		}
	}
	return crc, f.Sync()
}

// diskError gives a failure of the disk its kind and leaves the caller's own alone.
func (s *Store) diskError(id uint64, err error) error {
	if err == nil || isBodyError(err) || errors.Is(err, context.Canceled) {
		return err
	}
	kind, hint := fault.Other, ""
	if vfs.IsFull(err) {
		kind, hint = fault.NoSpace, noSpaceHint
	}
	if vfs.IsReadOnly(err) {
		hint = readOnlyHint
	}
	return &fault.Error{Op: "store.body", Kind: kind, Thing: s.filePath(id), Hint: hint, Err: err}
}

// body returns the extents of what was ingested, if it is not inline.
func (in *ingested) body() []extent {
	if in.extent.file == 0 {
		return nil
	}
	return []extent{in.extent}
}

func (s *Store) newFile() uint64 {
	s.fileClock.CompareAndSwap(0, uint64(s.tick().UnixNano()))
	return s.fileClock.Add(1)
}

func (s *Store) filePath(id uint64) string {
	name := fmt.Sprintf("%016x", id)
	return s.path("bodies", name[14:], name)
}

func (s *Store) createFile(id uint64) (vfs.File, error) {
	name := s.filePath(id)
	if err := s.ensureFolder(s.fs.PathDir(name)); err != nil {
		return nil, err
	}
	return vfs.Create(s.fs, name)
}

// ensureFolder makes a folder of bodies durable. One that is there may not be:
// it may be new, or a program that died may have left it.
func (s *Store) ensureFolder(dir string) error {
	s.folderMu.Lock()
	defer s.folderMu.Unlock()
	if s.folders[dir] {
		return nil
	}
	if err := s.fs.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := errors.Join(vfs.SyncDir(s.fs, s.path("bodies")), vfs.SyncDir(s.fs, s.dir)); err != nil {
		return err
	}
	s.folders[dir] = true
	return nil
}

// discard removes the file of a body that was not stored after all.
func (s *Store) discard(in *ingested) {
	if in.extent.file != 0 {
		s.removeFiles([]uint64{in.extent.file})
	}
	in.release()
}

// removeFiles removes files that no body uses, in the background; one that is
// being read goes later. What a crash leaves is an orphan at the next start.
func (s *Store) removeFiles(ids []uint64) {
	if ids = s.pins.removable(ids); len(ids) == 0 {
		return
	}
	s.sweep.Go(func() {
		for _, id := range ids {
			if err := s.fs.Remove(s.filePath(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				s.opt.Log.Warn("cannot remove an unused body", "file", s.filePath(id), "cause", err)
			}
		}
	})
}

// dropOrphans removes files that no body uses: their command was never journaled.
func (s *Store) dropOrphans() error {
	var orphans []uint64
	err := s.eachFile(func(id uint64) error {
		s.fileClock.Store(max(s.fileClock.Load(), id))
		users, err := getUint(s.db, fileRow(id))
		if users == 0 {
			orphans = append(orphans, id)
		}
		return err
	})
	if err != nil {
		return fault.Wrap("store.open", s.path("bodies"), err)
	}
	s.removeFiles(orphans)
	return nil
}

// bodyReader reads a range of a body, extent by extent.
type bodyReader struct {
	s       *Store
	of      *Object
	off     int64 // of the next byte to deliver in the whole body
	extents []extent
	skip    int64 // bytes to pass over
	left    int64 // bytes to deliver
	pinned  []uint64

	cur   extent
	file  vfs.File // of cur, if it is in a file
	data  []byte   // what is ready to be delivered
	buf   *[]byte
	at    int64 // bytes of cur that were read, from cur.off on
	crc   uint32
	whole bool // cur is read whole, so its checksum is checked
}

// open opens the next extent, and once more where it is now if it is no longer
// where the version's row said when it was read.
func (r *bodyReader) open() error {
	err := r.next()
	if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, journal.ErrDropped) {
		return err
	}
	now, gone := r.s.again(r.of)
	if gone != nil {
		return gone
	}
	r.extents, r.skip = now.body, r.off
	return r.next()
}

// next opens the next extent that has bytes to deliver.
func (r *bodyReader) next() error {
	for len(r.extents) > 0 && r.skip >= r.extents[0].size {
		r.skip -= r.extents[0].size
		r.extents = r.extents[1:]
	}
	if len(r.extents) == 0 {
		return &fault.Error{Op: "store.read", Kind: fault.Damaged, Message: "a body is shorter than its size"}
	}
	r.cur, r.extents = r.extents[0], r.extents[1:]
	r.at, r.crc = 0, 0
	if r.cur.file == 0 {
		return r.readInline()
	}
	f, err := r.s.fs.Open(r.s.filePath(r.cur.file))
	if err != nil {
		return fault.Wrap("store.read", r.s.filePath(r.cur.file), err)
	}
	r.file = f
	r.whole = r.skip == 0 && r.cur.off == 0 && r.cur.size == r.cur.whole && r.left >= r.cur.size
	r.at, r.skip = r.skip, 0
	return nil
}

// readInline reads and checks a body in the journal; it is small enough.
func (r *bodyReader) readInline() error {
	buf := r.buffer(r.cur.whole)
	if err := r.s.journal.ReadAt(buf, r.cur.pos); err != nil {
		return err
	}
	if crc32.Checksum(buf, castagnoli) != r.cur.crc {
		return r.damaged()
	}
	r.data = buf[r.cur.off+r.skip : r.cur.off+r.cur.size]
	r.at, r.skip = r.cur.size, 0
	return nil
}

// buffer returns n bytes to read into.
func (r *bodyReader) buffer(n int64) []byte {
	if n > pieceSize {
		return make([]byte, n)
	}
	if r.buf == nil {
		r.buf = pieces.Get().(*[]byte)
	}
	return (*r.buf)[:n]
}

func (r *bodyReader) damaged() error {
	where := fmt.Sprintf("journal position %d", r.cur.pos)
	if r.cur.file != 0 {
		where = r.s.filePath(r.cur.file)
	}
	return &fault.Error{
		Op: "store.read", Kind: fault.Damaged, Thing: where, Message: "stored bytes do not match their checksum",
		Hint: "the disk changed them; put the object again, or copy it back from a replica",
	}
}

// fill makes data ready; it is called with none left and left > 0.
func (r *bodyReader) fill() error {
	if r.cur.size == r.at {
		if err := r.closeFile(); err != nil {
			return err
		}
		if err := r.open(); err != nil || len(r.data) > 0 {
			return err
		}
	}
	n := min(pieceSize, r.cur.size-r.at, r.left)
	piece := r.buffer(n)
	got, err := r.file.ReadAt(piece, r.cur.off+r.at)
	switch {
	case int64(got) == n:
	case err == nil || errors.Is(err, io.EOF):
		return r.damaged()
	default:
		return fault.Wrap("store.read", r.s.filePath(r.cur.file), err)
	}
	r.at += n
	if r.whole {
		r.crc = crc32.Update(r.crc, castagnoli, piece)
		if r.at == r.cur.size && r.crc != r.cur.crc {
			return r.damaged()
		}
	}
	r.data = piece
	return nil
}

func (r *bodyReader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	if len(r.data) == 0 {
		if err := r.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.data[:min(int64(len(r.data)), r.left)])
	r.advance(n)
	return n, nil
}

// advance notes that n bytes were delivered.
func (r *bodyReader) advance(n int) {
	r.data = r.data[n:]
	r.left -= int64(n)
	r.off += int64(n)
}

// WriteTo writes the rest to w without a copy in between.
func (r *bodyReader) WriteTo(w io.Writer) (int64, error) {
	var total int64
	for r.left > 0 {
		if len(r.data) == 0 {
			if err := r.fill(); err != nil {
				return total, err
			}
		}
		n, err := w.Write(r.data[:min(int64(len(r.data)), r.left)])
		total += int64(n)
		r.advance(n)
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

func (r *bodyReader) closeFile() error {
	if r.file == nil {
		return nil
	}
	err := r.file.Close()
	r.file = nil
	return err
}

func (r *bodyReader) Close() error {
	if r.buf != nil {
		pieces.Put(r.buf)
		r.buf, r.data = nil, nil
	}
	r.left = 0
	err := r.closeFile()
	r.s.removeFiles(r.s.pins.unpin(r.pinned))
	r.pinned = nil
	return err
}
