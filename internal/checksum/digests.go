package checksum

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"io"
	"net/http"
	"strings"

	"twinbucket/fault"
	"twinbucket/object"
)

// Digests is what a request says about its payload, and what the payload
// turns out to be.
type Digests struct {
	md5    []byte     // Content-MD5; nil if not given
	alg    *Algorithm // nil: none asked for
	want   string     // base64; "" if it comes in the trailer or not at all
	behind Trailers
	inTail bool // want comes in the trailer
	hash   hash.Hash
}

// Trailers has the headers that come behind a body, once it was read.
type Trailers interface{ Trailers() http.Header }

// Read reads what a request's headers say of its payload; behind has those that
// come later.
func Read(h http.Header, behind Trailers) (*Digests, error) {
	d, err := ReadMD5(h)
	if err != nil {
		return nil, err
	}
	if d.alg, d.want, err = Given(h); err != nil {
		return nil, err
	}
	if d.alg != nil {
		if _, err := d.alg.Decode(d.want); err != nil {
			return nil, err
		}
	}
	if err := d.readTrailer(h, behind); err != nil {
		return nil, err
	}
	return d, d.checkSDK(h)
}

// ReadMD5 is Read for a request whose other checksums are not of its payload.
func ReadMD5(h http.Header) (*Digests, error) {
	d := &Digests{}
	v := h["Content-Md5"]
	if len(v) == 0 {
		return d, nil
	}
	var err error
	if d.md5, err = base64.StdEncoding.DecodeString(v[0]); err != nil || len(d.md5) != md5.Size {
		return nil, fault.New(fault.Invalid, "InvalidDigest", "The Content-MD5 you specified was invalid.").
			WithHint("Content-MD5 is the base64 form of the 16 bytes of the body's MD5").With("Content-MD5", v[0])
	}
	return d, nil
}

// By is for a payload of which only the checksum by an algorithm is wanted.
func By(a *Algorithm) *Digests { return &Digests{alg: a} }

// readTrailer reads the announcement of a checksum behind the body.
func (d *Digests) readTrailer(h http.Header, behind Trailers) error {
	for _, line := range h["X-Amz-Trailer"] {
		for name := range strings.SplitSeq(line, ",") {
			name = strings.ToLower(strings.TrimSpace(name))
			if name == "" || name == "x-amz-trailer-signature" {
				continue
			}
			a := Find(strings.TrimPrefix(name, "x-amz-checksum-"))
			if a == nil || a.Header != name {
				return fault.New(fault.Invalid, "InvalidRequest", "The value specified in the x-amz-trailer header is not supported").On(name)
			}
			if d.alg != nil {
				return many()
			}
			d.alg, d.inTail, d.behind = a, true, behind
		}
	}
	return nil
}

// checkSDK compares the header by which SDKs name the algorithm with the
// checksum that was given.
func (d *Digests) checkSDK(h http.Header) error {
	v := h["X-Amz-Sdk-Checksum-Algorithm"]
	if len(v) == 0 || v[0] == "" {
		return nil
	}
	a := Find(v[0])
	switch {
	case a == nil:
		return Unsupported(v[0])
	case d.alg == nil:
		return fault.New(fault.Invalid, "InvalidRequest",
			"x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.")
	case d.alg != a:
		return fault.New(fault.Invalid, "InvalidRequest", "Value for x-amz-sdk-checksum-algorithm header is invalid.").
			WithHint("it says %s and the checksum is a %s", a.Name, d.alg.Name)
	}
	return nil
}

// Reader returns body such that reading it computes the checksum.
func (d *Digests) Reader(body io.Reader) io.Reader {
	if d.alg == nil {
		return body
	}
	d.hash = d.alg.New()
	return &summing{body, d.hash}
}

type summing struct {
	r io.Reader
	h hash.Hash
}

func (s *summing) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.h.Write(p[:n])
	return n, err
}

// Sum returns the checksum of what was read, after comparing it and the MD5
// (hex) with what the request said. Without an algorithm it returns nil.
func (d *Digests) Sum(etag string) ([]object.Checksum, error) {
	if d.md5 != nil && hex.EncodeToString(d.md5) != etag {
		got, _ := hex.DecodeString(etag)
		return nil, fault.New(fault.Invalid, "BadDigest", "The Content-MD5 you specified did not match what we received.").
			With("ExpectedDigest", hex.EncodeToString(d.md5)).
			With("CalculatedDigest", base64.StdEncoding.EncodeToString(got))
	}
	if d.alg == nil {
		return nil, nil
	}
	var room [64]byte
	got := base64.StdEncoding.EncodeToString(d.hash.Sum(room[:0]))
	d.alg.Free(d.hash)
	d.hash = nil
	want := d.want
	if d.inTail {
		if want = d.behind.Trailers().Get(d.alg.Header); want == "" {
			return nil, fault.New(fault.Invalid, "MalformedTrailerError",
				"The request contained trailing data that was not well-formed or did not conform to our published schema.").
				WithHint("x-amz-trailer announces %s, and it did not come", d.alg.Header)
		}
		if _, err := d.alg.Decode(want); err != nil {
			return nil, fault.Newf(fault.Invalid, "InvalidRequest", "Value for %s trailing header is invalid.", d.alg.Header)
		}
	}
	if want != "" && want != got {
		return nil, fault.Newf(fault.Invalid, "BadDigest", "The %s you specified did not match the calculated checksum.", d.alg.Name)
	}
	return []object.Checksum{{Algorithm: d.alg.Name, Value: got}}, nil
}

// Or has the checksum be by an algorithm if the request asks for none.
func (d *Digests) Or(a *Algorithm) {
	if d.alg == nil {
		d.alg = a
	}
}

// CheckDocument is Sum for a document in memory.
func (d *Digests) CheckDocument(data []byte) error {
	etag := ""
	if d.md5 != nil {
		m := md5.Sum(data)
		etag = hex.EncodeToString(m[:])
	}
	_, err := d.Sum(etag)
	return err
}

// Given reports whether the request protects its payload by any digest.
func (d *Digests) Given() bool { return d.md5 != nil || d.alg != nil }

// Expect compares a part's checksum with the one that the upload was created
// with, and chooses one where the part has none.
func (d *Digests) Expect(upload []object.Checksum) error {
	if len(upload) == 0 {
		d.Or(Default)
		return nil
	}
	want := Find(upload[0].Algorithm)
	if d.alg == nil && !upload[0].Composite {
		d.alg = want
	}
	if d.alg == want {
		return nil
	}
	got := "null"
	if d.alg != nil {
		got = strings.ToLower(d.alg.Name)
	}
	return fault.Newf(fault.Invalid, "InvalidRequest",
		"Checksum Type mismatch occurred, expected checksum Type: %s, actual checksum Type: %s", strings.ToLower(want.Name), got)
}
