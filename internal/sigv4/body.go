package sigv4

import (
	"bufio"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net/http"
	"strings"

	"twinbucket/fault"
)

// Join gives each x-amz- header of a request without a signature one value, the
// one that would be signed, so that whoever decides by a header and whoever acts
// by it see the same.
func Join(h http.Header) {
	for name, values := range h {
		if len(values) > 1 && strings.HasPrefix(name, "X-Amz-") {
			h[name] = []string{strings.Join(values, ",")}
		}
	}
}

// Anonymous describes the body of a request without a signature, which may
// come in unsigned chunks or with its SHA-256 like any other. Errors:
// InvalidArgument, MissingContentLength, MalformedTrailerError, and
// InvalidRequest for signed chunks.
func Anonymous(r *http.Request) (*Verified, error) {
	v := &Verified{Decoded: -1, Digest: UnsignedPayload}
	if s := r.Header.Get("X-Amz-Content-Sha256"); s != "" {
		v.Digest = s
	}
	if p, _ := payloadOf(v.Digest); p.signed() {
		return nil, fault.New(fault.Invalid, "InvalidRequest", "Anonymous requests don't support this x-amz-content-sha256 value. "+
			"Please use UNSIGNED-PAYLOAD or STREAMING-UNSIGNED-PAYLOAD-TRAILER.")
	}
	return v, v.setPayload(v.Digest, r.Header)
}

// Body returns a reader of the request's body as the client meant it: without
// the aws-chunked encoding, and checked against what was signed. r is the
// body as received and contentLength its announced length, -1 if unknown.
//
// Read returns the last bytes only after everything has been checked, so a
// caller who reads exactly Size bytes without error may trust them; it uses a
// few KiB whatever the sizes are. Errors of Read: XAmzContentSHA256Mismatch,
// SignatureDoesNotMatch (a chunk or the trailer), IncompleteBody,
// InvalidChunkSizeError, MalformedTrailerError.
func (v *Verified) Body(r io.Reader, contentLength int64) io.Reader {
	if r == nil {
		r = http.NoBody
	}
	if v.Payload.Streaming() {
		c := &chunked{v: v, r: bufio.NewReaderSize(r, maxLine), total: v.Decoded, previous: v.seed}
		if v.Payload.signed() {
			c.hash = sha256.New()
		}
		return c
	}
	p := &plain{r: r, left: contentLength}
	if v.Payload == Hashed {
		p.hash, p.want = sha256.New(), v.Digest
	}
	return p
}

// plain reads a body that is sent as it is.
type plain struct {
	r    io.Reader
	hash hash.Hash // nil: the bytes are not signed
	want string
	left int64 // bytes still to come, -1 if unknown
	err  error
}

// Read implements io.Reader.
func (p *plain) Read(b []byte) (int, error) {
	if p.err != nil {
		return 0, p.err
	}
	n, err := p.r.Read(b)
	if p.left >= 0 {
		p.left -= int64(n)
		switch {
		case p.left < 0:
			err = incomplete("the body is longer than its Content-Length")
		case p.left == 0 && err == nil:
			err = io.EOF
		case p.left > 0 && err == io.EOF:
			err = incomplete("the body is shorter than its Content-Length")
		}
	}
	if p.hash != nil {
		p.hash.Write(b[:n])
	}
	switch {
	case err == nil:
		return n, nil
	case err != io.EOF:
		p.err = cut(err)
		return 0, p.err
	}
	if p.err = p.check(); p.err != nil {
		return 0, p.err
	}
	p.err = io.EOF
	return n, io.EOF
}

// check compares the digest of what was read with the one that was signed.
func (p *plain) check() error {
	if p.hash == nil {
		return nil
	}
	var sum [sha256.Size]byte
	var text [2 * sha256.Size]byte
	hex.Encode(text[:], p.hash.Sum(sum[:0]))
	if subtle.ConstantTimeCompare(text[:], []byte(p.want)) != 1 {
		return digestMismatch(p.want, string(text[:]))
	}
	return nil
}

// cut names an error of the connection that a body came from.
func cut(err error) error {
	var fe *fault.Error
	if errors.As(err, &fe) {
		return err
	}
	e := incomplete("the connection broke off in the middle of the body")
	e.Err = err
	return e
}
