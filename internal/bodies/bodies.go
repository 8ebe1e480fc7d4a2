// Package bodies keeps the bytes of objects. A body is read once, from whoever
// sends it: hashed, cut into chunks, each sealed (seal.go), and put into memory,
// for the journal to hold it beside its command, or, if it is large, into a file
// of its own under bodies/, which is synced before anything refers to it.
//
// Bodies never change and are shared. Which are used, by whom, and where one in
// the journal is once it was moved is for the index to know, not for this room:
// who reads a body brings the Owner that it asks.
package bodies

import (
	"hash/crc32"
	"slices"

	"twinbucket/internal/fields"
	"twinbucket/internal/journal"
)

// InlineMax is the largest body that stands in the journal, in bytes.
const InlineMax = 1 << 20

// pieceSize is how much is read, hashed and written at a time.
const pieceSize = 256 << 10

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Extent is a run of bytes of a body: in the journal at Pos, or in a file of
// bodies/. Off and Size say which bytes of the body are meant. Whole is how many
// bytes are stored, tags included if the body is sealed, and CRC is the CRC32C
// of them all.
type Extent struct {
	File  uint64 // 0: in the journal
	Pos   journal.Position
	Off   int64
	Size  int64
	Whole int64
	CRC   uint32
	Seal  *Seal // nil: the body stands there as it was sent
}

// Body is where the bytes of an object are, in their order.
type Body []Extent

// Inline is a body of n stored bytes in the journal.
func Inline(at journal.Position, n int64, crc uint32, s *Seal) Extent {
	e := Extent{Pos: at, Size: n, Whole: n, CRC: crc, Seal: s}
	if s != nil {
		e.Size -= (n + storedChunk - 1) / storedChunk * tagSize
	}
	return e
}

// Cut returns the extents of n bytes from off on.
func (b Body) Cut(off, n int64) Body {
	var out Body
	for _, e := range b {
		if n <= 0 {
			break
		}
		if off >= e.Size {
			off -= e.Size
			continue
		}
		e.Off += off
		e.Size = min(e.Size-off, n)
		off = 0
		n -= e.Size
		out = append(out, e)
	}
	return out
}

// Sealed reports whether all of a body is sealed. What is not has to be read,
// and written anew, where it is to be encrypted.
func (b Body) Sealed() bool {
	return !slices.ContainsFunc(b, func(e Extent) bool { return e.Seal == nil })
}

// Encode writes an extent as a field.
func (e Extent) Encode(w *fields.Writer, n fields.Number) {
	w.Message(n, func(w *fields.Writer) {
		w.Uint(1, e.File)
		w.Uint(2, uint64(e.Pos))
		w.Uint(3, uint64(e.Off))
		w.Uint(4, uint64(e.Size))
		w.Uint(5, uint64(e.CRC))
		w.Uint(6, uint64(e.Whole))
		e.Seal.Encode(w, 7)
	})
}

// ReadExtent reads what Extent.Encode wrote.
func ReadExtent(b []byte) (e Extent, err error) {
	err = fields.Each(b, func(f fields.Field) error {
		switch f.Number {
		case 1:
			e.File = f.Uint
		case 2:
			e.Pos = journal.Position(f.Uint)
		case 3:
			e.Off = int64(f.Uint)
		case 4:
			e.Size = int64(f.Uint)
		case 5:
			e.CRC = uint32(f.Uint)
		case 6:
			e.Whole = int64(f.Uint)
		case 7:
			e.Seal, err = ReadSeal(f.Bytes)
		}
		return err
	})
	return e, err
}
