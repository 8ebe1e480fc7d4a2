package fields

import (
	"bytes"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// A message within a message is written in place: its length may take more
// bytes than were left for it.
func TestMessagesOfEveryLength(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 120, 123, 124, 125, 126, 127, 128, 129, 16378, 16379, 16380, 16381, 16382, 16383, 16384, 16385, 1 << 21} {
		value := bytes.Repeat([]byte("x"), size)
		var w Writer
		w.Text(1, "before")
		w.Message(2, func(w *Writer) {
			w.Message(3, func(w *Writer) { w.Bytes(4, value) })
			w.Uint(5, 6)
		})
		w.Text(7, "behind")

		inner := protowire.AppendBytes(protowire.AppendTag(nil, 4, protowire.BytesType), value)
		outer := protowire.AppendBytes(protowire.AppendTag(nil, 3, protowire.BytesType), inner)
		outer = protowire.AppendVarint(protowire.AppendTag(outer, 5, protowire.VarintType), 6)
		want := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "before")
		want = protowire.AppendBytes(protowire.AppendTag(want, 2, protowire.BytesType), outer)
		want = protowire.AppendString(protowire.AppendTag(want, 7, protowire.BytesType), "behind")
		if !bytes.Equal(w.Encoded(), want) {
			t.Errorf("a message of %d bytes is written otherwise", size)
		}
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	for _, want := range []time.Time{
		{},
		time.Unix(0, 1).UTC(),
		time.Date(1677, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(2262, 4, 11, 23, 47, 16, 854775807, time.UTC),
		time.Date(2262, 4, 11, 23, 47, 16, 854775808, time.UTC),
		time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC),
	} {
		var w Writer
		w.Time(1, want)
		var got time.Time
		if err := Each(w.Encoded(), func(f Field) error { got = f.Time(); return nil }); err != nil || got != want {
			t.Errorf("%v, %v, want %v", got, err, want)
		}
	}
}
