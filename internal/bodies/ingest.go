package bodies

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"hash"
	"hash/crc32"
	"io"
	"sync"

	"twinbucket/fault"
	"twinbucket/internal/keyring"
	"twinbucket/internal/vfs"
	"twinbucket/object"
)

// Ingested is a body that has been read and sealed: in memory, or synced in a
// file.
type Ingested struct {
	inline []byte  // as it is stored
	room   int     // which of the rooms pooled came from
	pooled *[]byte // nil: given back
	extent Extent  // if not inline
	seal   *Seal
	size   int64 // of the body
	md5    [md5.Size]byte
}

// Size returns the size of the body, in bytes.
func (in *Ingested) Size() int64 { return in.size }

// ETag returns the body's MD5, in hex.
func (in *Ingested) ETag() string { return hex.EncodeToString(in.md5[:]) }

// Release gives the memory back once the body is journaled.
func (in *Ingested) Release() {
	if in.pooled != nil {
		rooms[in.room].Put(in.pooled)
		in.pooled, in.inline = nil, nil
	}
}

// Body returns where the body is, if it is in a file.
func (in *Ingested) Body() Body {
	if in.extent.File == 0 {
		return nil
	}
	e := in.extent
	e.Seal = in.seal
	return Body{e}
}

// Inline returns the body as it is to be stored in the journal; nil if it is in
// a file. It is valid until Release.
func (in *Ingested) Inline() []byte { return in.inline }

// Behind returns what a command has to say of the body that stands behind it.
func (in *Ingested) Behind() (size int64, crc uint32, s *Seal) {
	if len(in.inline) == 0 {
		return 0, 0, nil
	}
	return int64(len(in.inline)), crc32.Checksum(in.inline, castagnoli), in.seal
}

// roomSizes are the sizes of the buffers that small bodies are read into, in
// bytes, with room for the tags of their chunks. A body moves to the next one
// when it has filled its own: what a client merely announces takes no memory.
var roomSizes = [...]int{8<<10 + tagSize, storedChunk, 8 * storedChunk, InlineMax / chunkSize * storedChunk}

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
func (in *Ingested) grow() {
	next := 0
	if in.pooled != nil {
		next = in.room + 1
	}
	larger := rooms[next].Get().(*[]byte)
	copy(*larger, in.inline)
	n := len(in.inline)
	in.Release()
	in.room, in.pooled, in.inline = next, larger, (*larger)[:n]
}

var hashers = sync.Pool{New: func() any { return md5.New() }}

// Ingest reads a body of size bytes, or of unknown size if that is -1, hashes
// and seals it on the way, and puts it into a file if it is large. e says what
// wraps its key; customer is the key of 32 bytes that e may name.
func (d *Disk) Ingest(ctx context.Context, body io.Reader, size int64, e object.Encryption, customer []byte) (*Ingested, error) {
	key := keyring.NewDataKey()
	seal, err := d.wrap(key, e, customer)
	if err != nil {
		return nil, err
	}
	if body == nil {
		body = eofReader{}
	}
	h := hashers.Get().(hash.Hash)
	h.Reset()
	defer hashers.Put(h)
	in := &Ingested{seal: seal}
	c := &chunker{from: body, expect: size, hash: h, sealer: sealer{gcm: keyring.NewGCM(key)}}
	err = d.readInline(in, c)
	if err == nil && (!c.done || c.read > int64(d.opt.Inline)) {
		err = d.spill(ctx, in, c)
	}
	if err != nil {
		in.Release()
		return nil, err
	}
	in.size = c.read
	h.Sum(in.md5[:0])
	if size >= 0 && in.size != size {
		d.Discard(in)
		return nil, fault.New(fault.Invalid, "IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header")
	}
	return in, nil
}

// readInline reads a body into memory, up to the chunk with which it is too
// large for the journal or has ended.
func (d *Disk) readInline(in *Ingested, c *chunker) error {
	limit := (d.opt.Inline + chunkSize - 1) / chunkSize * storedChunk
	for !c.done && len(in.inline) < limit {
		if in.pooled == nil || len(in.inline)+tagSize >= len(*in.pooled) {
			in.grow()
		}
		n, err := c.fill((*in.pooled)[:min(len(*in.pooled), limit)], len(in.inline)-c.open)
		in.inline = (*in.pooled)[:n+c.open]
		if err != nil {
			return err
		}
	}
	return nil
}

// chunker reads a body and seals it chunk by chunk.
type chunker struct {
	from   io.Reader
	expect int64 // size of the body, in bytes; -1 if unknown
	hash   hash.Hash
	sealer sealer

	read  int64 // bytes of the body that were read
	open  int   // how many of them are not sealed yet, for their chunk goes on
	ahead [1]byte
	has   bool // ahead was read and belongs to the next chunk
	done  bool // the last chunk is sealed
}

// fill reads and seals as many chunks as go into buf, of which n bytes are
// sealed and c.open more are read, and returns how many bytes are sealed then.
func (c *chunker) fill(buf []byte, n int) (int, error) {
	for !c.done {
		room := min(chunkSize, len(buf)-n-tagSize)
		if room <= c.open {
			return n, nil
		}
		if err := c.next(buf[n : n+room]); err != nil {
			return n, err
		}
		if c.open == chunkSize || c.done && c.open > 0 {
			n += len(c.sealer.seal(buf[n:n+c.open], c.done))
			c.open = 0
		}
	}
	return n, nil
}

// next reads on in a chunk, of which c.open bytes were read, as far as there is
// room for it; if it is full then, next finds out whether it is the last one.
func (c *chunker) next(chunk []byte) error {
	from := c.open
	if c.has {
		chunk[0], c.has = c.ahead[0], false
		c.open++
	}
	m, err := readFull(c.from, chunk[c.open:])
	c.open += m
	c.hash.Write(chunk[from:c.open])
	c.read += int64(c.open - from)
	if err != nil {
		return err
	}
	if c.open < len(chunk) {
		c.done = true
		return nil
	}
	// The end has to be met, for there the reader checks what it has read.
	if c.open == chunkSize && (c.expect < 0 || c.read >= c.expect) {
		m, err = readFull(c.from, c.ahead[:])
		c.has, c.done = m == 1, m == 0
	}
	return err
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
func (d *Disk) spill(ctx context.Context, in *Ingested, rest *chunker) error {
	id := d.clock.Add(1)
	f, err := d.create(id)
	if err != nil {
		return d.diskError(id, err)
	}
	in.extent, err = writeBody(ctx, f, in, rest)
	if err = errors.Join(err, f.Close()); err == nil {
		err = vfs.SyncDir(d.opt.FS, d.opt.FS.PathDir(d.Path(id)))
	}
	if err != nil {
		d.Remove([]uint64{id})
		return d.diskError(id, err)
	}
	in.extent.File = id
	return nil
}

// writeBody writes to f and syncs it; the extent says how much it was.
func writeBody(ctx context.Context, f vfs.File, in *Ingested, rest *chunker) (e Extent, err error) {
	write := func(p []byte) error {
		e.CRC = crc32.Update(e.CRC, castagnoli, p)
		e.Whole += int64(len(p))
		_, err := f.Write(p)
		return err
	}
	err = write(in.inline)
	in.Release()
	buf := rooms[step].Get().(*[]byte)
	defer rooms[step].Put(buf)
	for err == nil && !rest.done {
		if err = ctx.Err(); err != nil {
			break
		}
		var n int
		if n, err = rest.fill(*buf, 0); err == nil {
			err = write((*buf)[:n])
		}
	}
	if err == nil {
		err = f.Sync()
	}
	e.Size = rest.read
	return e, err
}

// diskError gives a failure of the disk its kind and leaves the caller's own alone.
func (d *Disk) diskError(id uint64, err error) error {
	if err == nil || isBodyError(err) || errors.Is(err, context.Canceled) {
		return err
	}
	kind, hint := fault.Other, ""
	if vfs.IsFull(err) {
		kind, hint = fault.NoSpace, vfs.FullHint
	}
	if vfs.IsReadOnly(err) {
		hint = vfs.ReadOnlyHint
	}
	return &fault.Error{Op: "store.body", Kind: kind, Thing: d.Path(id), Hint: hint, Err: err}
}

// Discard removes the file of a body that was not stored after all.
func (d *Disk) Discard(in *Ingested) {
	if in.extent.File != 0 {
		d.Remove([]uint64{in.extent.File})
	}
	in.Release()
}
