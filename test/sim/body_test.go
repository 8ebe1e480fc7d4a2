package sim

import (
	"crypto/md5"
	"encoding/hex"
	"math/rand/v2"
)

// body is the bytes of an object, made when they are needed.
type body struct {
	seed uint64
	size int
}

func (b body) bytes() []byte {
	data := make([]byte, b.size)
	src := rand.NewChaCha8([32]byte{byte(b.seed), byte(b.seed >> 8), byte(b.seed >> 16), byte(b.seed >> 24), byte(b.seed >> 32)})
	_, _ = src.Read(data) // never fails
	return data
}

// etag is that of a body that was put in one piece.
func etag(data []byte) string {
	sum := md5.Sum(data)
	return hex.EncodeToString(sum[:])
}

// partsETag is that of a body that was uploaded in one part.
func partsETag(data []byte) string {
	sum := md5.Sum(data)
	return etag(sum[:]) + "-1"
}
