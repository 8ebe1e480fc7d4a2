package form

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"twinbucket/fault"
)

const contentType = "multipart/form-data; boundary=b"

// trickle gives a body's bytes in the order and the amounts that it likes, and
// has an end only when it was given one.
type trickle struct {
	r    io.Reader
	n    int // bytes given
	most int // asked for at once
}

func (r *trickle) Read(p []byte) (int, error) {
	r.most = max(r.most, len(p))
	n, err := r.r.Read(p[:min(len(p), 1000)])
	r.n += n
	return n, err
}

// TestStreams: the fields are known, and checked, before the file has come; it
// passes through a small buffer.
func TestStreams(t *testing.T) {
	t.Parallel()
	head := "--b\r\nContent-Disposition: form-data; name=\"Key\"\r\n\r\nk\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n"
	const size = 20 << 20
	broken := errors.New("the line is cut")
	body := &trickle{r: io.MultiReader(strings.NewReader(head), io.LimitReader(zeroes{}, size), iotest.ErrReader(broken))}
	f, err := Read(body, contentType, size+1000)
	if err != nil {
		t.Fatal(err)
	}
	if key, err := f.Key(); key != "k" || err != nil || body.n > len(head)+8<<10 {
		t.Errorf("%q, %v, after %d bytes", key, err, body.n)
	}
	n, err := io.Copy(struct{ io.Writer }{io.Discard}, f.File())
	if n < size-8<<10 || n > size || fault.CodeOf(err) != "MalformedPOSTRequest" {
		t.Errorf("%d bytes, %v", n, err)
	}
	if body.most > 64<<10 {
		t.Errorf("%d bytes at once", body.most)
	}
	// A fault of the body stays what it is.
	cut := fault.New(fault.Invalid, "IncompleteBody", "")
	f, err = Read(io.MultiReader(strings.NewReader(head), iotest.ErrReader(cut)), contentType, size)
	if err == nil {
		_, err = io.ReadAll(f.File())
	}
	if fault.CodeOf(err) != "IncompleteBody" {
		t.Errorf("cut: %v", err)
	}
}

type zeroes struct{}

func (zeroes) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// TestTooLargeIsSeenEarly: a file larger than the policy allows is not stored
// first.
func TestTooLargeIsSeenEarly(t *testing.T) {
	t.Parallel()
	head := "--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n"
	body := &trickle{r: io.MultiReader(strings.NewReader(head), zeroes{})}
	f, err := Read(body, contentType, MaxFile)
	if err != nil {
		t.Fatal(err)
	}
	f.file.most, f.file.limited = 1<<20, true
	n, err := io.Copy(io.Discard, f.File())
	if n > 1<<20 || fault.CodeOf(err) != "EntityTooLarge" || body.n > maxCounted+4<<20 {
		t.Errorf("%d bytes given of %d read, %v", n, body.n, err)
	}
	if _, err := Read(body, contentType, MaxFile+maxBehind+1); fault.CodeOf(err) != "EntityTooLarge" {
		t.Errorf("announced: %v", err)
	}
}

// FuzzRead: a form reads the same however its body arrives.
func FuzzRead(f *testing.F) {
	f.Add("--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\n${filename}\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a/f\"\r\n\r\nbody\r\n--b--\r\n")
	f.Add("--b\nContent-Disposition: form-data; name=\"file\"\n\n--b--")
	f.Fuzz(func(t *testing.T, body string) {
		read := func(r io.Reader) (key, content, code string) {
			form, err := Read(r, contentType, int64(len(body)))
			if err != nil {
				return "", "", fault.CodeOf(err)
			}
			_ = form.Check("bkt", time.Time{})
			key, _ = form.Key()
			data, err := io.ReadAll(form.File())
			if err != nil {
				return key, "", fault.CodeOf(err)
			}
			return key, string(data), ""
		}
		key, content, code := read(strings.NewReader(body))
		key1, content1, code1 := read(iotest.OneByteReader(strings.NewReader(body)))
		if key != key1 || content != content1 || code != code1 {
			t.Errorf("%q: %q %q %q, and byte by byte %q %q %q", body, key, content, code, key1, content1, code1)
		}
	})
}
