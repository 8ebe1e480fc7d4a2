// Package rowfile keeps the rows of an index in a file: keys and values in
// checksummed frames, with an end that says how many there are, so that a file
// that was cut off or changed is told from a whole one.
//
//	file:  head frame... end
//	head:  "TWBCKPT1" position(8) format(4) crc32c(4)
//	frame: length(4) crc32c(4) payload; length > 0
//	payload: (keyLength(uvarint) key valueLength(uvarint) value)...
//	end:   length 0(4) rows(8) crc32c(4)
package rowfile

import (
	"bufio"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"slices"

	"twinbucket/fault"
)

const (
	magic     = "TWBCKPT1"
	headSize  = 24
	overhead  = 8       // of a frame
	fullFrame = 1 << 20 // bytes that a frame is closed at
	maxFrame  = 1 << 30 // largest frame that is read
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ErrDamaged says that a file is not as it was written.
var ErrDamaged = &fault.Error{Op: "rowfile.read", Kind: fault.Damaged, Message: "a file of rows is damaged or cut off"}

// Head says what a file's rows are.
type Head struct {
	Position uint64 // of the journal, up to which the rows are
	Format   uint32 // of the rows
}

// Writer writes a file.
type Writer struct {
	w    *bufio.Writer
	rows uint64
	buf  []byte
}

// NewWriter begins a file in w.
func NewWriter(w io.Writer, h Head) (*Writer, error) {
	b := append([]byte(nil), magic...)
	b = binary.BigEndian.AppendUint64(b, h.Position)
	b = binary.BigEndian.AppendUint32(b, h.Format)
	f := &Writer{w: bufio.NewWriterSize(w, fullFrame+overhead)}
	_, err := f.w.Write(binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli)))
	return f, err
}

// Row adds a row.
func (f *Writer) Row(key, value []byte) error {
	f.buf = binary.AppendUvarint(f.buf, uint64(len(key)))
	f.buf = append(f.buf, key...)
	f.buf = binary.AppendUvarint(f.buf, uint64(len(value)))
	f.buf = append(f.buf, value...)
	f.rows++
	if len(f.buf) < fullFrame {
		return nil
	}
	return f.frame()
}

func (f *Writer) frame() error {
	if len(f.buf) == 0 {
		return nil
	}
	var h [overhead]byte
	binary.BigEndian.PutUint32(h[:], uint32(len(f.buf)))
	binary.BigEndian.PutUint32(h[4:], crc32.Checksum(f.buf, castagnoli))
	_, err := f.w.Write(h[:])
	if err == nil {
		_, err = f.w.Write(f.buf)
	}
	f.buf = f.buf[:0]
	return err
}

// Close writes the end. It does not close what the file is written to.
func (f *Writer) Close() error {
	if err := f.frame(); err != nil {
		return err
	}
	b := binary.BigEndian.AppendUint64(make([]byte, 4, 16), f.rows)
	if _, err := f.w.Write(binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))); err != nil {
		return err
	}
	return f.w.Flush()
}

// Reader reads a file.
type Reader struct {
	Head
	r    io.Reader
	rows uint64
	buf  []byte
}

// NewReader begins to read a file.
func NewReader(r io.Reader) (*Reader, error) {
	var b [headSize]byte
	r = bufio.NewReaderSize(r, fullFrame)
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return nil, cut(err)
	}
	if string(b[:8]) != magic || crc32.Checksum(b[:20], castagnoli) != binary.BigEndian.Uint32(b[20:]) {
		return nil, ErrDamaged
	}
	return &Reader{Head: Head{binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint32(b[16:])}, r: r}, nil
}

// cut makes an end that comes too early damage.
func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrDamaged
	}
	return err
}

// Each calls each for every row that follows, in order, and returns how many
// there were. Key and value are valid until it returns. After ErrDamaged the
// rows that were read are not to be used.
func (f *Reader) Each(each func(key, value []byte) error) (uint64, error) {
	for {
		last, err := f.frame()
		if err != nil || last {
			return f.rows, cut(err)
		}
		for b := f.buf; len(b) > 0; f.rows++ {
			key, rest, ok := take(b)
			value, rest, whole := take(rest)
			if !ok || !whole {
				return f.rows, ErrDamaged
			}
			if err := each(key, value); err != nil {
				return f.rows, err
			}
			b = rest
		}
	}
}

// frame reads the next frame into buf, or the end.
func (f *Reader) frame() (last bool, err error) {
	var h [16]byte
	if _, err := io.ReadFull(f.r, h[:4]); err != nil {
		return false, err
	}
	n := binary.BigEndian.Uint32(h[:])
	if n == 0 {
		if _, err := io.ReadFull(f.r, h[4:]); err != nil {
			return false, err
		}
		if crc32.Checksum(h[:12], castagnoli) != binary.BigEndian.Uint32(h[12:]) || binary.BigEndian.Uint64(h[4:]) != f.rows {
			return false, ErrDamaged
		}
		return true, nil
	}
	if n > maxFrame {
		return false, ErrDamaged
	}
	if _, err := io.ReadFull(f.r, h[4:8]); err != nil {
		return false, err
	}
	f.buf = slices.Grow(f.buf[:0], int(n))[:n]
	if _, err := io.ReadFull(f.r, f.buf); err != nil {
		return false, err
	}
	if crc32.Checksum(f.buf, castagnoli) != binary.BigEndian.Uint32(h[4:]) {
		return false, ErrDamaged
	}
	return false, nil
}

// take takes a byte string that has its length before it off b.
func take(b []byte) (data, rest []byte, ok bool) {
	n, w := binary.Uvarint(b)
	if w <= 0 || n > uint64(len(b)-w) {
		return nil, nil, false
	}
	return b[w : w+int(n)], b[w+int(n):], true
}
