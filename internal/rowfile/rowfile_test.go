package rowfile

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

func write(t rapid.TB, rows [][2]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter(&b, Head{Position: 7, Format: 2})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if err := w.Row([]byte(r[0]), []byte(r[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func read(data []byte) (rows [][2]string, h Head, err error) {
	r, err := NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, Head{}, err
	}
	n, err := r.Each(func(k, v []byte) error {
		rows = append(rows, [2]string{string(k), string(v)})
		return nil
	})
	if err == nil && int(n) != len(rows) {
		err = fmt.Errorf("%d rows, and says %d", len(rows), n)
	}
	return rows, r.Head, err
}

func TestRowsComeBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var rows [][2]string
		for range rapid.IntRange(0, 6).Draw(t, "rows") {
			size := rapid.SampledFrom([]int{0, 1, 200, 300 << 10}).Draw(t, "size")
			rows = append(rows, [2]string{rapid.String().Draw(t, "key"), string(make([]byte, size))})
		}
		got, h, err := read(write(t, rows))
		if err != nil || h != (Head{7, 2}) || fmt.Sprint(got) != fmt.Sprint(rows) {
			t.Fatalf("%d rows of %d, %+v, %v", len(got), len(rows), h, err)
		}
	})
}

// TestDamageIsSeen: of every bit that is flipped, and of every byte that is
// missing at the end.
func TestDamageIsSeen(t *testing.T) {
	t.Parallel()
	whole := write(t, [][2]string{{"a", "1"}, {"bb", ""}, {"", "333"}})
	for cut := range whole {
		if _, _, err := read(whole[:cut]); !errors.Is(err, ErrDamaged) {
			t.Errorf("cut to %d: %v", cut, err)
		}
		for bit := range 8 {
			bad := bytes.Clone(whole)
			bad[cut] ^= 1 << bit
			if _, _, err := read(bad); !errors.Is(err, ErrDamaged) {
				t.Errorf("bit %d of byte %d: %v", bit, cut, err)
			}
		}
	}
}

// TestErrorsOfTheCallerEndIt on both sides.
func TestErrorsOfTheCallerEndIt(t *testing.T) {
	t.Parallel()
	enough := errors.New("enough")
	r, err := NewReader(bytes.NewReader(write(t, [][2]string{{"a", "1"}})))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Each(func(_, _ []byte) error { return enough }); !errors.Is(err, enough) {
		t.Error(err)
	}
	w, err := NewWriter(failing{enough}, Head{})
	for err == nil {
		err = w.Row(nil, make([]byte, fullFrame))
	}
	if !errors.Is(err, enough) {
		t.Error(err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// FuzzRead: whatever is read without an error is what was written.
func FuzzRead(f *testing.F) {
	f.Add(write(f, [][2]string{{"a", "1"}, {"b", string(make([]byte, 100))}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		rows, _, err := read(data)
		if err != nil {
			return
		}
		if again, _, err := read(write(t, rows)); err != nil || fmt.Sprint(again) != fmt.Sprint(rows) {
			t.Errorf("%d rows, again %d, %v", len(rows), len(again), err)
		}
	})
}
