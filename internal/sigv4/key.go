package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"sync"
)

// maxKeys bounds the cache of signing keys. A server sees one key for each
// access key, day, region and service.
const maxKeys = 4096

// keyID names a signing key.
type keyID struct {
	secret string
	scope  Scope
}

// keyring caches signing keys: deriving one costs four HMACs. When full it
// starts over.
type keyring struct {
	mu   sync.RWMutex
	keys map[keyID][sha256.Size]byte
}

// ring holds keys of valid signatures only, so that nobody without a secret
// can fill it.
var ring keyring

// get returns the signing key of a secret in a scope, and whether it was
// cached.
func (k *keyring) get(id keyID) (key [sha256.Size]byte, cached bool) {
	k.mu.RLock()
	key, cached = k.keys[id]
	k.mu.RUnlock()
	if !cached {
		key = derive(id)
	}
	return key, cached
}

// put caches a key.
func (k *keyring) put(id keyID, key [sha256.Size]byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.keys == nil || len(k.keys) >= maxKeys {
		k.keys = make(map[keyID][sha256.Size]byte)
	}
	k.keys[id] = key
}

// derive computes a signing key.
func derive(id keyID) [sha256.Size]byte {
	k := mac([]byte("AWS4"+id.secret), id.scope.Date)
	k = mac(k[:], id.scope.Region)
	k = mac(k[:], id.scope.Service)
	return mac(k[:], terminator)
}

// mac returns the HMAC-SHA256 of s.
func mac[S string | []byte](key []byte, s S) (sum [sha256.Size]byte) {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(s))
	h.Sum(sum[:0])
	return sum
}

// hexDigest returns the SHA-256 of b in hexadecimal.
func hexDigest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
