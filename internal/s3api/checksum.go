package s3api

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"hash/crc32"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/cespare/xxhash/v2"
	"github.com/minio/crc64nvme"
	"github.com/zeebo/xxh3"

	"twinbucket/fault"
	"twinbucket/internal/wire"
	"twinbucket/object"
)

// algorithm is one of the additional checksums. All but the CRCs have, of an
// object uploaded in parts, a checksum of the parts' checksums only.
type algorithm struct {
	name   string // "CRC32C"
	header string // "x-amz-checksum-crc32c"
	canon  string // the header as net/http writes it
	crc    *crc   // nil: of its parts it has a composite only
	only   bool   // full object only
	size   int    // bytes
	pool   sync.Pool
}

var algorithms = [...]*algorithm{
	newAlgorithm("CRC32", &crc{bits: 32, poly: uint64(crc32.IEEE)}, func() hash.Hash { return crc32.NewIEEE() }),
	newAlgorithm("CRC32C", &crc{bits: 32, poly: uint64(crc32.Castagnoli)}, func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) }),
	newAlgorithm("CRC64NVME", &crc{bits: 64, poly: crc64Poly}, func() hash.Hash { return crc64nvme.New() }),
	newAlgorithm("MD5", nil, md5.New),
	newAlgorithm("SHA1", nil, sha1.New),
	newAlgorithm("SHA256", nil, sha256.New),
	newAlgorithm("SHA512", nil, sha512.New),
	newAlgorithm("XXHASH128", nil, func() hash.Hash { return xxh3.New128() }),
	newAlgorithm("XXHASH3", nil, func() hash.Hash { return xxh3.New() }),
	newAlgorithm("XXHASH64", nil, func() hash.Hash { return xxhash.New() }),
}

// preferred is the algorithm of objects for which the client asks none, as on
// AWS.
var preferred = algorithms[2]

func newAlgorithm(name string, c *crc, fresh func() hash.Hash) *algorithm {
	lower := strings.ToLower(name)
	return &algorithm{
		name: name, header: "x-amz-checksum-" + lower, canon: http.CanonicalHeaderKey("x-amz-checksum-" + lower),
		crc: c, only: name == "CRC64NVME", size: fresh().Size(),
		pool: sync.Pool{New: func() any { return fresh() }},
	}
}

func (a *algorithm) get() hash.Hash {
	h := a.pool.Get().(hash.Hash)
	h.Reset()
	return h
}

// algorithmOf finds an algorithm by its name in any case; nil if there is none.
func algorithmOf(name string) *algorithm {
	for _, a := range algorithms {
		if strings.EqualFold(a.name, name) {
			return a
		}
	}
	return nil
}

// badAlgorithm is AWS's complaint of an algorithm that it does not know.
func badAlgorithm(name string) error {
	return fault.New(fault.Invalid, "InvalidRequest",
		"Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, MD5, SHA1, SHA256, SHA512, XXHASH128, XXHASH3, XXHASH64]").On(name)
}

// decode reads a checksum's base64 form.
func (a *algorithm) decode(value string) ([]byte, error) {
	b, err := base64.StdEncoding.DecodeString(value)
	if err != nil || len(b) != a.size {
		return nil, a.invalidValue()
	}
	return b, nil
}

func (a *algorithm) invalidValue() error {
	return fault.Newf(fault.Invalid, "InvalidRequest", "Value for %s header is invalid.", a.header).
		WithHint("it is the base64 form of %d bytes", a.size)
}

// digests is what a request says about its payload, and what the payload
// turns out to be.
type digests struct {
	md5    []byte     // Content-MD5; nil if not given
	alg    *algorithm // nil: none asked for
	want   string     // base64; "" if it comes in the trailer or not at all
	trail  func() http.Header
	inTail bool // want comes in the trailer
	hash   hash.Hash
}

// digests reads Content-MD5, x-amz-checksum-*, x-amz-trailer and
// x-amz-sdk-checksum-algorithm.
func (c *call) digests() (*digests, error) {
	d := &digests{}
	h := c.r.Header
	if err := d.readMD5(h); err != nil {
		return nil, err
	}
	var err error
	if d.alg, d.want, err = givenChecksum(h); err != nil {
		return nil, err
	}
	if d.alg != nil {
		if _, err := d.alg.decode(d.want); err != nil {
			return nil, err
		}
	}
	for name := range h {
		if kind, ok := strings.CutPrefix(name, "X-Amz-Checksum-"); ok && kind != "Mode" && kind != "Type" && kind != "Algorithm" && algorithmOf(kind) == nil {
			return nil, fault.New(fault.Invalid, "InvalidRequest", "The algorithm type you specified in x-amz-checksum- header is invalid.").On(kind)
		}
	}
	if err := d.readTrailer(c); err != nil {
		return nil, err
	}
	return d, d.checkSDK(h)
}

// givenChecksum returns the checksum among the headers, as it stands there; nil
// if there is none.
func givenChecksum(h http.Header) (found *algorithm, value string, err error) {
	for name, v := range h {
		sum, ok := strings.CutPrefix(name, "X-Amz-Checksum-")
		if !ok || sum == "Algorithm" || sum == "Type" || sum == "Mode" {
			continue
		}
		a := algorithmOf(sum)
		switch {
		case a == nil:
			return nil, "", fault.New(fault.Invalid, "InvalidRequest", "The algorithm type you specified in x-amz-checksum- header is invalid.").On(name)
		case found != nil || len(v) > 1:
			return nil, "", manyChecksums()
		}
		found, value = a, v[0]
	}
	return found, value, nil
}

// readMD5 reads Content-MD5.
func (d *digests) readMD5(h http.Header) error {
	v := h["Content-Md5"]
	if len(v) == 0 {
		return nil
	}
	b, err := base64.StdEncoding.DecodeString(v[0])
	if err != nil || len(b) != md5.Size {
		return fault.New(fault.Invalid, "InvalidDigest", "The Content-MD5 you specified was invalid.").
			WithHint("Content-MD5 is the base64 form of the 16 bytes of the body's MD5")
	}
	d.md5 = b
	return nil
}

func manyChecksums() error {
	return fault.New(fault.Invalid, "InvalidRequest",
		"Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
}

// readTrailer reads the announcement of a checksum behind the body.
func (d *digests) readTrailer(c *call) error {
	for _, line := range c.r.Header["X-Amz-Trailer"] {
		for name := range strings.SplitSeq(line, ",") {
			name = strings.ToLower(strings.TrimSpace(name))
			if name == "" || name == "x-amz-trailer-signature" {
				continue
			}
			a := algorithmOf(strings.TrimPrefix(name, "x-amz-checksum-"))
			if a == nil || a.header != name {
				return fault.New(fault.Invalid, "InvalidRequest", "The value specified in the x-amz-trailer header is not supported").On(name)
			}
			if d.alg != nil {
				return manyChecksums()
			}
			d.alg, d.inTail, d.trail = a, true, c.verified.Trailers
		}
	}
	return nil
}

// checkSDK compares the header by which SDKs name the algorithm with the
// checksum that was given.
func (d *digests) checkSDK(h http.Header) error {
	v := h["X-Amz-Sdk-Checksum-Algorithm"]
	if len(v) == 0 || v[0] == "" {
		return nil
	}
	a := algorithmOf(v[0])
	switch {
	case a == nil:
		return badAlgorithm(v[0])
	case d.alg == nil:
		return fault.New(fault.Invalid, "InvalidRequest",
			"x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.")
	case d.alg != a:
		return fault.New(fault.Invalid, "InvalidRequest", "Value for x-amz-sdk-checksum-algorithm header is invalid.").
			WithHint("it says %s and the checksum is a %s", a.name, d.alg.name)
	}
	return nil
}

// reader returns body such that reading it computes the checksum.
func (d *digests) reader(body io.Reader) io.Reader {
	if d.alg == nil {
		return body
	}
	d.hash = d.alg.get()
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

// sum returns the checksum of what was read, after comparing it and the MD5
// (hex) with what the request said. Without an algorithm it returns nil.
func (d *digests) sum(etag string) ([]object.Checksum, error) {
	if d.md5 != nil && hex.EncodeToString(d.md5) != etag {
		return nil, fault.New(fault.Invalid, "BadDigest", "The Content-MD5 you specified did not match what we received.")
	}
	if d.alg == nil {
		return nil, nil
	}
	var room [64]byte
	got := base64.StdEncoding.EncodeToString(d.hash.Sum(room[:0]))
	d.alg.pool.Put(d.hash)
	d.hash = nil
	want := d.want
	if d.inTail {
		if want = d.trail().Get(d.alg.header); want == "" {
			return nil, fault.New(fault.Invalid, "MalformedTrailerError",
				"The request contained trailing data that was not well-formed or did not conform to our published schema.").
				WithHint("x-amz-trailer announces %s, and it did not come", d.alg.header)
		}
		if _, err := d.alg.decode(want); err != nil {
			return nil, fault.Newf(fault.Invalid, "InvalidRequest", "Value for %s trailing header is invalid.", d.alg.header)
		}
	}
	if want != "" && want != got {
		return nil, fault.Newf(fault.Invalid, "BadDigest", "The %s you specified did not match the calculated checksum.", d.alg.name)
	}
	return []object.Checksum{{Algorithm: d.alg.name, Value: got}}, nil
}

// checkDocument is sum for a document in memory.
func (d *digests) checkDocument(data []byte) error {
	etag := ""
	if d.md5 != nil {
		m := md5.Sum(data)
		etag = hex.EncodeToString(m[:])
	}
	_, err := d.sum(etag)
	return err
}

// given reports whether the request protects its payload by any digest.
func (d *digests) given() bool { return d.md5 != nil || d.alg != nil }

// showChecksums sets the headers for checksums.
func showChecksums(h http.Header, sums []object.Checksum) {
	for i := range sums {
		if a := algorithmOf(sums[i].Algorithm); a != nil {
			wire.Set(h, a.header, sums[i].Value)
			wire.Set(h, "x-amz-checksum-type", sumType(&sums[i]))
		}
	}
}

func sumType(s *object.Checksum) string {
	if s.Composite {
		return "COMPOSITE"
	}
	return "FULL_OBJECT"
}

// writeChecksums writes checksums as elements of a document.
func writeChecksums(x *wire.Document, sums []object.Checksum) {
	for i := range sums {
		x.Text("Checksum"+sums[i].Algorithm, sums[i].Value)
	}
}

// payload is the request's body with its end in S3's words.
type payload struct{ r io.Reader }

func (p payload) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	if err != nil && errors.Is(err, io.ErrUnexpectedEOF) {
		err = fault.New(fault.Invalid, "IncompleteBody",
			"You did not provide the number of bytes specified by the Content-Length HTTP header")
	}
	return n, err
}
