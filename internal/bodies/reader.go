package bodies

import (
	"crypto/cipher"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"sync"

	"twinbucket/fault"
	"twinbucket/internal/journal"
	"twinbucket/internal/keyring"
	"twinbucket/internal/vfs"
)

// Owner is whose body is read. It may be removed, and its body moved, meanwhile.
type Owner interface {
	// Still returns an error if the owner is gone. While it is there its files
	// are.
	Still() error
	// Body returns where the body is now.
	Body() (Body, error)
}

// Reader reads a range of a body, extent by extent. It holds the files that it
// needs until it is closed.
type Reader struct {
	d       *Disk
	of      Owner
	off     int64 // of the next byte to deliver in the whole body
	extents Body
	skip    int64 // bytes to pass over
	left    int64 // bytes to deliver
	pinned  []uint64

	cur   Extent
	gcm   cipher.AEAD // of cur, if that is sealed
	file  vfs.File    // of cur, if it is in a file
	data  []byte      // what is ready to be delivered
	buf   *[]byte
	seal  []byte // sealed chunks that were read and are to be opened next
	at    int64  // bytes of cur that were read, from cur.Off on
	crc   uint32
	whole bool // cur is read whole, so its checksum is checked
}

var pieces = sync.Pool{New: func() any { b := make([]byte, sealedSize(pieceSize)); return &b }}

// Open begins to read n bytes of a body from off on. The first are read now, so
// that a missing file is an error here and not in the middle of an answer. After
// an error nothing needs to be closed.
func (r *Reader) Open(d *Disk, of Owner, b Body, off, n int64) (err error) {
	*r = Reader{d: d, of: of, off: off, extents: b, skip: off, left: n}
	if n == 0 {
		return nil
	}
	if r.pinned = d.pins.pin(b.Cut(off, n)); len(r.pinned) > 0 {
		err = of.Still() // from now on they stay
	}
	if err == nil {
		err = r.open()
	}
	if err != nil {
		err = errors.Join(err, r.Close())
	}
	return err
}

// open opens the next extent, and once more where it is now if it is no longer
// where its owner had it.
func (r *Reader) open() error {
	err := r.next()
	if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, journal.ErrDropped) {
		return err
	}
	now, gone := r.of.Body()
	if gone != nil {
		return gone
	}
	r.extents, r.skip = now, r.off
	return r.next()
}

// next opens the next extent that has bytes to deliver.
func (r *Reader) next() error {
	for len(r.extents) > 0 && r.skip >= r.extents[0].Size {
		r.skip -= r.extents[0].Size
		r.extents = r.extents[1:]
	}
	if len(r.extents) == 0 {
		return &fault.Error{Op: "store.read", Kind: fault.Damaged, Message: "a body is shorter than its size"}
	}
	r.cur, r.extents = r.extents[0], r.extents[1:]
	r.at, r.crc, r.gcm, r.seal = 0, 0, nil, nil
	if s := r.cur.Seal; s != nil {
		key, err := r.d.dataKey(s)
		if err != nil {
			return err
		}
		r.gcm = keyring.NewGCM(key)
	} else if r.cur.File == 0 {
		return r.readInline()
	}
	if r.cur.File != 0 {
		if err := r.openFile(); err != nil {
			return err
		}
	}
	r.whole = r.skip == 0 && r.cur.Off == 0 && r.cur.Size == r.cur.Whole && r.left >= r.cur.Size
	r.at, r.skip = r.skip, 0
	if r.gcm != nil {
		return r.fillSealed()
	}
	return nil
}

func (r *Reader) openFile() error {
	f, err := r.d.opt.FS.Open(r.d.Path(r.cur.File))
	if err != nil {
		return fault.Wrap("store.read", r.d.Path(r.cur.File), err)
	}
	r.file = f
	return nil
}

// readStored reads stored bytes of the extent, from off on.
func (r *Reader) readStored(p []byte, off int64) error {
	if r.cur.File == 0 {
		return r.d.opt.Journal.ReadAt(p, r.cur.Pos+journal.Position(off))
	}
	got, err := r.file.ReadAt(p, off)
	switch {
	case got == len(p):
		return nil
	case err == nil || errors.Is(err, io.EOF):
		return r.d.damaged(r.cur)
	}
	return fault.Wrap("store.read", r.d.Path(r.cur.File), err)
}

// fillSealed opens the next chunk. Several are read at a time, but none that
// is not asked for.
func (r *Reader) fillSealed() error {
	from := r.cur.Off + r.at
	number := from / chunkSize
	begin := number * storedChunk
	if len(r.seal) == 0 {
		last := (from + min(r.cur.Size-r.at, r.left) - 1) / chunkSize
		n := min((last-number+1)*storedChunk, r.cur.Whole-begin, sealedSize(pieceSize))
		if n <= tagSize {
			return r.d.damaged(r.cur)
		}
		buf := r.buffer(n)
		if err := r.readStored(buf, begin); err != nil {
			return err
		}
		r.seal = buf
	}
	chunk := r.seal[:min(storedChunk, len(r.seal))]
	r.seal = r.seal[len(chunk):]
	nonce := chunkNonce(uint64(number), begin+int64(len(chunk)) == r.cur.Whole)
	plain, err := r.gcm.Open(chunk[:0], nonce[:], chunk, nil)
	skip := from - number*chunkSize
	if err != nil || skip >= int64(len(plain)) {
		return r.d.damaged(r.cur)
	}
	r.data = plain[skip:min(int64(len(plain)), skip+r.cur.Size-r.at)]
	r.at += int64(len(r.data))
	return nil
}

// readInline reads and checks a body in the journal; it is small enough.
func (r *Reader) readInline() error {
	buf := r.buffer(r.cur.Whole)
	if err := r.d.opt.Journal.ReadAt(buf, r.cur.Pos); err != nil {
		return err
	}
	if crc32.Checksum(buf, castagnoli) != r.cur.CRC {
		return r.d.damaged(r.cur)
	}
	r.data = buf[r.cur.Off+r.skip : r.cur.Off+r.cur.Size]
	r.at, r.skip = r.cur.Size, 0
	return nil
}

// buffer returns n bytes to read into.
func (r *Reader) buffer(n int64) []byte {
	if n > sealedSize(pieceSize) {
		return make([]byte, n)
	}
	if r.buf == nil {
		r.buf = pieces.Get().(*[]byte)
	}
	return (*r.buf)[:n]
}

// fill makes data ready; it is called with none left and left > 0.
func (r *Reader) fill() error {
	if r.cur.Size == r.at {
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
	n := min(pieceSize, r.cur.Size-r.at, r.left)
	piece := r.buffer(n)
	if err := r.readStored(piece, r.cur.Off+r.at); err != nil {
		return err
	}
	r.at += n
	if r.whole {
		r.crc = crc32.Update(r.crc, castagnoli, piece)
		if r.at == r.cur.Size && r.crc != r.cur.CRC {
			return r.d.damaged(r.cur)
		}
	}
	r.data = piece
	return nil
}

func (r *Reader) Read(p []byte) (int, error) {
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
func (r *Reader) advance(n int) {
	r.data = r.data[n:]
	r.left -= int64(n)
	r.off += int64(n)
}

// WriteTo writes the rest to w without a copy in between.
func (r *Reader) WriteTo(w io.Writer) (int64, error) {
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

func (r *Reader) closeFile() error {
	if r.file == nil {
		return nil
	}
	err := r.file.Close()
	r.file = nil
	return err
}

func (r *Reader) Close() error {
	if r.buf != nil {
		pieces.Put(r.buf)
		r.buf, r.data = nil, nil
	}
	r.left = 0
	err := r.closeFile()
	r.d.Remove(r.d.pins.unpin(r.pinned))
	r.pinned = nil
	return err
}
