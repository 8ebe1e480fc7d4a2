// Package fields writes what the store keeps as protocol buffer fields, so that
// a field can be added without a new format and an unknown one is skipped. There
// is no schema file: the numbers are the schema, and never change meaning.
//
// It knows how versions and what they consist of are written (version.go); what
// else stands beside them in a row or record is its owner's.
package fields

import (
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"twinbucket/fault"
)

// Number says what a field of a message is.
type Number = protowire.Number

// Writer appends fields to a message; empty values are left out.
type Writer struct{ b []byte }

// Sized returns a writer with room for so many bytes; it grows if it must.
func Sized(bytes int) Writer { return Writer{make([]byte, 0, bytes)} }

// Encoded returns the message that was written.
func (w *Writer) Encoded() []byte { return w.b }

// Uint writes a number.
func (w *Writer) Uint(n Number, v uint64) {
	if v != 0 {
		w.b = protowire.AppendTag(w.b, n, protowire.VarintType)
		w.b = protowire.AppendVarint(w.b, v)
	}
}

// Bool writes true, and leaves false out.
func (w *Writer) Bool(n Number, v bool) {
	if v {
		w.Uint(n, 1)
	}
}

// Text writes a string.
func (w *Writer) Text(n Number, v string) {
	if v != "" {
		w.b = protowire.AppendTag(w.b, n, protowire.BytesType)
		w.b = protowire.AppendString(w.b, v)
	}
}

// Bytes writes bytes, also if there are none.
func (w *Writer) Bytes(n Number, v []byte) {
	w.b = protowire.AppendTag(w.b, n, protowire.BytesType)
	w.b = protowire.AppendBytes(w.b, v)
}

// Time writes a time, in nanoseconds; one before 1678 or after 2262, for which
// they are too many, as bytes: its seconds and the nanoseconds behind them.
func (w *Writer) Time(n Number, t time.Time) {
	nanos := t.UnixNano()
	switch {
	case t.IsZero():
	case time.Unix(0, nanos).Equal(t):
		w.Uint(n, uint64(nanos))
	default:
		b := protowire.AppendVarint(nil, uint64(t.Unix()))
		w.Bytes(n, protowire.AppendVarint(b, uint64(t.Nanosecond())))
	}
}

// Message writes a nested message, also if it is empty.
func (w *Writer) Message(n Number, fill func(*Writer)) {
	w.b = protowire.AppendTag(w.b, n, protowire.BytesType)
	at := len(w.b)
	w.b = append(w.b, 0) // most are so short that their length takes a byte
	fill(w)
	size := uint64(len(w.b) - at - 1)
	if more := protowire.SizeVarint(size) - 1; more > 0 {
		w.b = append(w.b, make([]byte, more)...)
		copy(w.b[at+1+more:], w.b[at+1:])
	}
	protowire.AppendVarint(w.b[:at], size)
}

// Field is one field read back: what it was written as says which of its
// values is meant.
type Field struct {
	Number Number
	Uint   uint64
	Bytes  []byte // of the message that is read, not a copy
}

// Bool returns what Writer.Bool wrote.
func (f Field) Bool() bool { return f.Uint == 1 }

// Text returns what Writer.Text wrote.
func (f Field) Text() string { return string(f.Bytes) }

// Time returns what Writer.Time wrote, in UTC.
func (f Field) Time() time.Time {
	if f.Bytes == nil {
		return time.Unix(0, int64(f.Uint)).UTC()
	}
	seconds, n := protowire.ConsumeVarint(f.Bytes)
	nanos, _ := protowire.ConsumeVarint(f.Bytes[max(n, 0):])
	return time.Unix(int64(seconds), int64(nanos)).UTC()
}

// ErrEncoding says that a message is none that a Writer wrote.
var ErrEncoding = &fault.Error{Op: "store.decode", Kind: fault.Damaged, Message: "a record is not in the store's format"}

// Each calls each for every field of a message, in order; an error from it ends
// the reading.
func Each(message []byte, each func(Field) error) error {
	for len(message) > 0 {
		num, typ, n := protowire.ConsumeTag(message)
		if n < 0 {
			return ErrEncoding
		}
		message = message[n:]
		f := Field{Number: num}
		switch typ {
		case protowire.VarintType:
			f.Uint, n = protowire.ConsumeVarint(message)
		case protowire.BytesType:
			f.Bytes, n = protowire.ConsumeBytes(message)
		default:
			n = protowire.ConsumeFieldValue(num, typ, message)
		}
		if n < 0 {
			return ErrEncoding
		}
		message = message[n:]
		if err := each(f); err != nil {
			return err
		}
	}
	return nil
}
