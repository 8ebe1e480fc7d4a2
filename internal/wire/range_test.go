package wire

import (
	"testing"

	"twinbucket/fault"
)

func TestRange(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text      string
		size      int64
		off, n    int64
		ok, fault bool
	}{
		{text: "bytes=0-1", size: 10, n: 2, ok: true},
		{text: "bytes=8-99", size: 10, off: 8, n: 2, ok: true},
		{text: "bytes=9-", size: 10, off: 9, n: 1, ok: true},
		{text: "bytes=-3", size: 10, off: 7, n: 3, ok: true},
		{text: "bytes=-99", size: 10, n: 10, ok: true},
		{text: "bytes=-1", size: 0},
		{text: "bytes=-0", size: 0, fault: true},
		{text: "bytes=-0", size: 10, fault: true},
		{text: "bytes=0-0", size: 0, fault: true},
		{text: "bytes=0-", size: 0, fault: true},
		{text: "bytes=10-", size: 10, fault: true},
		{text: "bytes=99999999999999999999-", size: 10, fault: true},
		{text: "bytes=3-2", size: 10},
		{text: "bytes=-", size: 10},
		{text: "bytes=1", size: 10},
		{text: "bytes=a-b", size: 10},
		{text: "bytes=+1-2", size: 10},
		{text: "bytes=0-1,3-4", size: 10},
		{text: "rows=0-1", size: 10},
	} {
		off, n, ok, err := Range(c.text, c.size)
		if off != c.off || n != c.n || ok != c.ok || (fault.CodeOf(err) == "InvalidRange") != c.fault || (err != nil) != c.fault {
			t.Errorf("%s of %d: %d+%d %t, %v", c.text, c.size, off, n, ok, err)
		}
	}
}

func FuzzRange(f *testing.F) {
	f.Add("bytes=0-1", int64(10))
	f.Add("bytes=-5", int64(0))
	f.Add("bytes=9223372036854775807-", int64(1)<<40)
	f.Fuzz(func(t *testing.T, s string, size int64) {
		if size < 0 {
			return
		}
		if off, n, ok, err := Range(s, size); err == nil && ok && (off < 0 || n <= 0 || off+n > size) {
			t.Errorf("%q of %d: %d+%d", s, size, off, n)
		}
	})
}
