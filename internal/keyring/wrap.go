package keyring

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
)

// wrapper wraps keys by AES Key Wrap (RFC 3394, NIST SP 800-38F KW): made for
// keys, without a nonce that could come twice however many are wrapped, and
// small: a wrapped key has eight bytes more.
type wrapper struct {
	key   [32]byte
	block cipher.Block
}

const (
	semiblock   = 8
	semiblocks  = len(DataKey{}) / semiblock
	wrappedSize = len(DataKey{}) + semiblock
	rounds      = 6
)

// integrity is what a key that was unwrapped rightly begins with.
var integrity = [semiblock]byte{0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6}

// newWrapper returns the wrapper of a key of 32 bytes.
func newWrapper(key []byte) *wrapper {
	w := new(wrapper)
	if copy(w.key[:], key) != len(key) || len(key) != len(w.key) {
		panic("keyring: a key of another size") // which is checked where it comes in
	}
	w.block = newAES(&w.key)
	return w
}

func newAES(key *[32]byte) cipher.Block {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic("keyring: " + err.Error()) // 32 bytes are a size of it
	}
	return block
}

// NewGCM returns AES-256-GCM under a key.
func NewGCM(key *DataKey) cipher.AEAD {
	gcm, err := cipher.NewGCM(newAES((*[32]byte)(key)))
	if err != nil {
		panic("keyring: " + err.Error()) // AES is never refused
	}
	return gcm
}

// within returns the cipher for keys that are bound to a context.
func (w *wrapper) within(context string) cipher.Block {
	if context == "" {
		return w.block
	}
	var key [32]byte
	h := hmac.New(sha256.New, w.key[:])
	h.Write([]byte(context))
	h.Sum(key[:0])
	return newAES(&key)
}

func (w *wrapper) wrap(context string, key *DataKey) []byte {
	block := w.within(context)
	out := make([]byte, wrappedSize)
	copy(out[semiblock:], key[:])
	b := make([]byte, aes.BlockSize)
	copy(b, integrity[:])
	for t := range uint64(rounds * semiblocks) {
		r := out[(int(t)%semiblocks+1)*semiblock:][:semiblock]
		copy(b[semiblock:], r)
		block.Encrypt(b, b)
		binary.BigEndian.PutUint64(b, binary.BigEndian.Uint64(b)^(t+1))
		copy(r, b[semiblock:])
	}
	copy(out, b[:semiblock])
	return out
}

func (w *wrapper) unwrap(context string, wrapped []byte) (*DataKey, bool) {
	if len(wrapped) != wrappedSize {
		return nil, false
	}
	block := w.within(context)
	key := new(DataKey)
	copy(key[:], wrapped[semiblock:])
	b := make([]byte, aes.BlockSize)
	copy(b, wrapped[:semiblock])
	for t := uint64(rounds * semiblocks); t > 0; t-- {
		r := key[int(t-1)%semiblocks*semiblock:][:semiblock]
		binary.BigEndian.PutUint64(b, binary.BigEndian.Uint64(b)^t)
		copy(b[semiblock:], r)
		block.Decrypt(b, b)
		copy(r, b[semiblock:])
	}
	return key, subtle.ConstantTimeCompare(b[:semiblock], integrity[:]) == 1
}
