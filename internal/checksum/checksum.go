// Package checksum is the additional checksums of S3: the Algorithms, how the
// CRCs of parts become that of the whole, and what a request says of its payload
// in Content-MD5, x-amz-checksum-*, x-amz-trailer and x-amz-sdk-checksum-algorithm.
package checksum

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"hash"
	"hash/crc32"
	"net/http"
	"strings"
	"sync"

	"github.com/cespare/xxhash/v2"
	"github.com/minio/crc64nvme"
	"github.com/zeebo/xxh3"

	"twinbucket/fault"
	"twinbucket/object"
)

// Algorithm is one of the additional checksums. All but the CRCs have, of an
// object uploaded in parts, a checksum of the parts' checksums only.
type Algorithm struct {
	Name   string // "CRC32C"
	Header string // "x-amz-checksum-crc32c"
	crc    *crc   // nil: of its parts it has a composite only
	only   bool   // full object only
	size   int    // bytes
	pool   sync.Pool
}

var algorithms = [...]*Algorithm{
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

// Default is the algorithm of objects for which the client asks none, as on
// AWS.
var Default = algorithms[2]

func newAlgorithm(name string, c *crc, fresh func() hash.Hash) *Algorithm {
	lower := strings.ToLower(name)
	return &Algorithm{
		Name: name, Header: "x-amz-checksum-" + lower, crc: c, only: name == "CRC64NVME", size: fresh().Size(),
		pool: sync.Pool{New: func() any { return fresh() }},
	}
}

// New returns an empty hash; Free takes it back.
func (a *Algorithm) New() hash.Hash {
	h := a.pool.Get().(hash.Hash)
	h.Reset()
	return h
}

// Free takes a hash back.
func (a *Algorithm) Free(h hash.Hash) { a.pool.Put(h) }

// Find finds an algorithm by its name in any case; nil if there is none.
func Find(name string) *Algorithm {
	for _, a := range algorithms {
		if strings.EqualFold(a.Name, name) {
			return a
		}
	}
	return nil
}

// Unsupported is AWS's complaint of an algorithm that it does not know.
func Unsupported(name string) error {
	return fault.New(fault.Invalid, "InvalidRequest",
		"Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, MD5, SHA1, SHA256, SHA512, XXHASH128, XXHASH3, XXHASH64]").On(name)
}

// Decode reads a checksum's base64 form.
func (a *Algorithm) Decode(value string) ([]byte, error) {
	b, err := base64.StdEncoding.DecodeString(value)
	if err != nil || len(b) != a.size {
		return nil, a.Invalid()
	}
	return b, nil
}

// Invalid is AWS's complaint of a checksum that is none.
func (a *Algorithm) Invalid() error {
	return fault.Newf(fault.Invalid, "InvalidRequest", "Value for %s header is invalid.", a.Header).
		WithHint("it is the base64 form of %d bytes", a.size)
}

// Given returns the checksum among the headers, as it stands there; nil
// if there is none.
func Given(h http.Header) (found *Algorithm, value string, err error) {
	for name, v := range h {
		sum, ok := strings.CutPrefix(name, "X-Amz-Checksum-")
		if !ok || sum == "Algorithm" || sum == "Type" || sum == "Mode" {
			continue
		}
		a := Find(sum)
		switch {
		case a == nil:
			return nil, "", fault.New(fault.Invalid, "InvalidRequest", "The algorithm type you specified in x-amz-checksum- header is invalid.").On(name)
		case found != nil || len(v) > 1:
			return nil, "", many()
		}
		found, value = a, v[0]
	}
	return found, value, nil
}

func many() error {
	return fault.New(fault.Invalid, "InvalidRequest",
		"Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
}

// Type returns AWS's word for how the checksum of an object came about.
func Type(s *object.Checksum) string {
	if s.Composite {
		return "COMPOSITE"
	}
	return "FULL_OBJECT"
}
