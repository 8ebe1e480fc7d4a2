package keyring

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
)

// wrapper wraps keys by XAES-256-GCM (C2SP): AES-256-GCM under a key that is
// derived from half of a nonce of 192 bits. Such a nonce can be random, however
// many keys are wrapped; one of GCM's own 96 bits could not.
//
//	wrapped: nonce(24) key(32) tag(16)
type wrapper struct {
	block cipher.Block
	k1    [aes.BlockSize]byte
}

const (
	nonceSize   = 24
	wrappedSize = nonceSize + len(DataKey{}) + 16
)

// newWrapper returns the wrapper of a key of 32 bytes.
func newWrapper(key []byte) *wrapper {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("keyring: " + err.Error()) // the size of a key is checked where it comes in
	}
	w := &wrapper{block: block}
	block.Encrypt(w.k1[:], w.k1[:])
	var carry byte
	for i := len(w.k1) - 1; i >= 0; i-- {
		next := w.k1[i] >> 7
		w.k1[i] = w.k1[i]<<1 | carry
		carry = next
	}
	w.k1[len(w.k1)-1] ^= carry * 0b10000111
	return w
}

// aead returns the cipher of a nonce's first half.
func (w *wrapper) aead(nonce []byte) cipher.AEAD {
	var key [2 * aes.BlockSize]byte
	for half := range 2 {
		m := key[half*aes.BlockSize:][:aes.BlockSize]
		copy(m, []byte{0, byte(half + 1), 'X', 0})
		copy(m[4:], nonce[:12])
		for i := range m {
			m[i] ^= w.k1[i]
		}
		w.block.Encrypt(m, m)
	}
	return NewGCM((*DataKey)(&key))
}

// NewGCM returns AES-256-GCM under a key.
func NewGCM(key *DataKey) cipher.AEAD {
	block, err := aes.NewCipher(key[:])
	if err == nil {
		var gcm cipher.AEAD
		if gcm, err = cipher.NewGCM(block); err == nil {
			return gcm
		}
	}
	panic("keyring: " + err.Error()) // neither refuses a key of 32 bytes
}

func (w *wrapper) wrap(context string, key *DataKey) []byte {
	out := make([]byte, nonceSize, wrappedSize)
	_, _ = rand.Read(out)
	return w.aead(out).Seal(out, out[12:nonceSize], key[:], []byte(context))
}

func (w *wrapper) unwrap(context string, wrapped []byte) (*DataKey, bool) {
	if len(wrapped) != wrappedSize {
		return nil, false
	}
	key := new(DataKey)
	_, err := w.aead(wrapped).Open(key[:0], wrapped[12:nonceSize], wrapped[nonceSize:], []byte(context))
	return key, err == nil
}
