package wire

import (
	"errors"
	"strconv"
	"strings"

	"twinbucket/fault"
)

// Range reads a Range header for a body of size bytes. A header that S3
// does not understand, several ranges among them, asks for the whole: ok is
// false. One that lies outside the body is an InvalidRange fault.
func Range(s string, size int64) (off, n int64, ok bool, err error) {
	spec, found := strings.CutPrefix(s, "bytes=")
	if !found || strings.Contains(spec, ",") {
		return 0, 0, false, nil
	}
	first, last, found := strings.Cut(spec, "-")
	if !found {
		return 0, 0, false, nil
	}
	from, haveFrom, ok1 := BytePosition(first)
	to, haveTo, ok2 := BytePosition(last)
	switch {
	case !ok1 || !ok2 || !haveFrom && !haveTo || haveFrom && haveTo && to < from:
		return 0, 0, false, nil
	case !haveFrom: // the last bytes
		if size == 0 && to > 0 {
			return 0, 0, false, nil // all there is
		}
		n = min(to, size)
		off = size - n
	case haveTo:
		off, n = from, min(to, size-1)-from+1
	default:
		off, n = from, size-from
	}
	if n <= 0 || off >= size {
		return 0, 0, false, fault.New(fault.Invalid, "InvalidRange", "The requested range is not satisfiable").
			WithHint("the range is %s and the object has %d bytes", s, size)
	}
	return off, n, true, nil
}

// BytePosition reads a number of a range, which may be empty.
func BytePosition(s string) (n int64, given, ok bool) {
	if s == "" {
		return 0, false, true
	}
	if s[0] < '0' || s[0] > '9' {
		return 0, false, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	// One beyond all numbers is beyond all bodies.
	return n, true, err == nil || errors.Is(err, strconv.ErrRange)
}
