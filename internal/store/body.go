package store

import (
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"twinbucket/fault"
	"twinbucket/internal/journal"
	"twinbucket/internal/keyring"
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
// bodies/. off and size say which bytes of the body are meant. whole is how
// many bytes are stored, tags included if the body is sealed, and crc is the
// CRC32C of them all.
type extent struct {
	file  uint64 // 0: in the journal
	pos   journal.Position
	off   int64
	size  int64
	whole int64
	crc   uint32
	seal  *seal // nil: the body stands there as it was sent
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

var pieces = sync.Pool{New: func() any { b := make([]byte, sealedSize(pieceSize)); return &b }}

func (s *Store) newFile() uint64 {
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

// startFiles sets the clock of files past all that are used, and removes those
// that no body uses, in the background: their command was never journaled, or a
// reader had them when the program ended.
func (s *Store) startFiles() error {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{rowFile}, UpperBound: []byte{rowFile + 1}})
	if err != nil {
		return fault.Wrap("store.open", s.dir, err)
	}
	start := uint64(s.clock.Load())
	if it.Last() {
		start = max(start, binary.BigEndian.Uint64(it.Key()[1:]))
	}
	if err := errors.Join(it.Error(), it.Close()); err != nil {
		return fault.Wrap("store.open", s.dir, err)
	}
	s.fileClock.Store(start) // what is made from now on comes behind
	s.sweep.Go(func() {
		if err := s.dropOrphans(start); err != nil && !errors.Is(err, fault.Closed) {
			s.opt.Log.Warn("cannot look for unused bodies; the next start does", "dir", s.path("bodies"), "cause", err)
		}
	})
	return nil
}

// dropOrphans removes files up to one that no body uses.
func (s *Store) dropOrphans(until uint64) error {
	return s.eachFile(func(id uint64) error {
		if s.closing.Load() {
			return fault.New(fault.Closed, "", "the store is closed")
		}
		if id > until {
			return nil
		}
		users, err := getUint(s.db, fileRow(id))
		if err == nil && users == 0 {
			s.removeFiles([]uint64{id})
		}
		return err
	})
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
	gcm   cipher.AEAD // of cur, if that is sealed
	file  vfs.File    // of cur, if it is in a file
	data  []byte      // what is ready to be delivered
	buf   *[]byte
	seal  []byte // sealed chunks that were read and are to be opened next
	at    int64  // bytes of cur that were read, from cur.off on
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
	r.at, r.crc, r.gcm, r.seal = 0, 0, nil, nil
	if s := r.cur.seal; s != nil {
		key, err := r.s.dataKey(s)
		if err != nil {
			return err
		}
		r.gcm = keyring.NewGCM(key)
	} else if r.cur.file == 0 {
		return r.readInline()
	}
	if r.cur.file != 0 {
		if err := r.openFile(); err != nil {
			return err
		}
	}
	r.whole = r.skip == 0 && r.cur.off == 0 && r.cur.size == r.cur.whole && r.left >= r.cur.size
	r.at, r.skip = r.skip, 0
	if r.gcm != nil {
		return r.fillSealed()
	}
	return nil
}

func (r *bodyReader) openFile() error {
	f, err := r.s.fs.Open(r.s.filePath(r.cur.file))
	if err != nil {
		return fault.Wrap("store.read", r.s.filePath(r.cur.file), err)
	}
	r.file = f
	return nil
}

// readStored reads stored bytes of the extent, from off on.
func (r *bodyReader) readStored(p []byte, off int64) error {
	if r.cur.file == 0 {
		return r.s.journal.ReadAt(p, r.cur.pos+journal.Position(off))
	}
	got, err := r.file.ReadAt(p, off)
	switch {
	case got == len(p):
		return nil
	case err == nil || errors.Is(err, io.EOF):
		return r.damaged()
	}
	return fault.Wrap("store.read", r.s.filePath(r.cur.file), err)
}

// fillSealed opens the next chunk. Several are read at a time, but none that
// is not asked for.
func (r *bodyReader) fillSealed() error {
	from := r.cur.off + r.at
	number := from / chunkSize
	begin := number * storedChunk
	if len(r.seal) == 0 {
		last := (from + min(r.cur.size-r.at, r.left) - 1) / chunkSize
		n := min((last-number+1)*storedChunk, r.cur.whole-begin, sealedSize(pieceSize))
		if n <= tagSize {
			return r.damaged()
		}
		buf := r.buffer(n)
		if err := r.readStored(buf, begin); err != nil {
			return err
		}
		r.seal = buf
	}
	chunk := r.seal[:min(storedChunk, len(r.seal))]
	r.seal = r.seal[len(chunk):]
	nonce := chunkNonce(uint64(number), begin+int64(len(chunk)) == r.cur.whole)
	plain, err := r.gcm.Open(chunk[:0], nonce[:], chunk, nil)
	skip := from - number*chunkSize
	if err != nil || skip >= int64(len(plain)) {
		return r.damaged()
	}
	r.data = plain[skip:min(int64(len(plain)), skip+r.cur.size-r.at)]
	r.at += int64(len(r.data))
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
	if n > sealedSize(pieceSize) {
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
	if r.gcm != nil {
		return r.fillSealed()
	}
	n := min(pieceSize, r.cur.size-r.at, r.left)
	piece := r.buffer(n)
	if err := r.readStored(piece, r.cur.off+r.at); err != nil {
		return err
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
