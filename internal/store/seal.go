package store

import (
	"bytes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"google.golang.org/protobuf/encoding/protowire"

	"twinbucket/fault"
	"twinbucket/internal/journal"
	"twinbucket/internal/keyring"
	"twinbucket/object"
)

// A body is sealed before it is stored: cut into chunks of chunkSize bytes,
// the last one shorter, and each encrypted by AES-256-GCM under the body's own
// key. A chunk's nonce is its number and whether it is the last one, so a
// chunk that is changed, missing, or in another's place is noticed, and a
// range is read without the rest.
//
//	stored: (chunk(chunkSize) tag(16))... chunk(1 to chunkSize) tag(16)
//	nonce:  number(11) last(1)
//
// Nothing in it depends on where the body stands or whose it is. So it can be
// moved and shared as it is: who shares it has the same key, wrapped anew
// where another key has to wrap it.
const (
	chunkSize   = 64 << 10
	tagSize     = 16
	storedChunk = chunkSize + tagSize
)

// seal is what a stored body is encrypted with. A body without one stands as
// it was sent: it was stored before bodies were sealed.
type seal struct {
	kek     string // what wraps the key: an ARN, byCustomer, or "" for SSE-S3's
	context string // that the key was wrapped with
	wrapped []byte
	key     *keyring.DataKey // once a customer's key has unlocked it
}

// Fields about seals: of a version, and of commands from 140 on.
const (
	fEncryption protowire.Number = 29
	fInlineSeal protowire.Number = 140
	fKeyringID  protowire.Number = 141
)

// byCustomer is the kek of a key that a customer's wraps.
const byCustomer = "customer"

// sealedSize returns how many bytes a body of n bytes has when it is sealed.
func sealedSize(n int64) int64 { return n + (n+chunkSize-1)/chunkSize*tagSize }

// inlineExtent is a body of n stored bytes in the journal.
func inlineExtent(at journal.Position, n int64, crc uint32, s *seal) extent {
	e := extent{pos: at, size: n, whole: n, crc: crc, seal: s}
	if s != nil {
		e.size -= (n + storedChunk - 1) / storedChunk * tagSize
	}
	return e
}

// sealer seals the chunks of one body, one after the other.
type sealer struct {
	gcm  cipher.AEAD
	next uint64
}

// seal encrypts a chunk in place and returns it with its tag, which stands
// behind it in the same memory.
func (s *sealer) seal(chunk []byte, last bool) []byte {
	nonce := chunkNonce(s.next, last)
	s.next++
	return s.gcm.Seal(chunk[:0], nonce[:], chunk, nil)
}

func chunkNonce(number uint64, last bool) (n [12]byte) {
	binary.BigEndian.PutUint64(n[3:11], number)
	if last {
		n[11] = 1
	}
	return n
}

// encrypted makes sure that a new version says how it is encrypted.
func encrypted(v *object.Version) {
	if v.Encryption == (object.Encryption{}) {
		v.Encryption.Algorithm = object.AES256
	}
}

// newSeal returns a key for a new body, and its seal.
func (s *Store) newSeal(e object.Encryption, customer []byte) (*keyring.DataKey, *seal, error) {
	key := keyring.NewDataKey()
	sl, err := s.wrap(key, e, customer)
	return key, sl, err
}

// wrap returns the seal of a body's key under what e names.
func (s *Store) wrap(key *keyring.DataKey, e object.Encryption, customer []byte) (*seal, error) {
	if e.Customer() {
		if len(customer) != len(key) {
			return nil, errLocked
		}
		return &seal{kek: byCustomer, wrapped: keyring.WrapWith(customer, key)}, nil
	}
	wrapped, err := s.keys.Wrap(e.KeyARN, e.Context, key)
	return &seal{kek: e.KeyARN, context: e.Context, wrapped: wrapped}, err
}

// errLocked is AWS's answer for an object that is read without its customer's key.
var errLocked = fault.New(fault.Invalid, "InvalidRequest", "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object.").
	WithHint("send the x-amz-server-side-encryption-customer-* headers that it was stored with")

// sealed reports whether all of a body is sealed. What is not has to be read,
// and written anew, where it is to be encrypted.
func sealed(body []extent) bool {
	return !slices.ContainsFunc(body, func(e extent) bool { return e.seal == nil })
}

// dataKey returns the key of a sealed body.
func (s *Store) dataKey(sl *seal) (*keyring.DataKey, error) {
	switch {
	case sl.key != nil:
		return sl.key, nil
	case sl.kek == byCustomer:
		return nil, errLocked
	}
	return s.keys.Unwrap(sl.kek, sl.context, sl.wrapped)
}

// reseal returns a sealed body as who shares it has it, under the encryption e.
func (s *Store) reseal(body []extent, e object.Encryption, customer []byte) ([]extent, error) {
	if e == (object.Encryption{}) {
		e.Algorithm = object.AES256 // of an upload that is older than encryption
	}
	out := make([]extent, len(body))
	for i, x := range body {
		if e.Customer() || x.seal.kek != e.KeyARN || x.seal.context != e.Context {
			key, err := s.dataKey(x.seal)
			if err != nil {
				return nil, err
			}
			if x.seal, err = s.wrap(key, e, customer); err != nil {
				return nil, err
			}
		}
		out[i] = x
	}
	return out, nil
}

// Unlock makes the body of a version that is encrypted under a customer's key
// readable, through o and as the source of copies. It fails with AWS's
// AccessDenied if it is another key.
func (s *Store) Unlock(o *Object, customer []byte) error {
	if !o.Encryption.Customer() {
		return nil
	}
	w, err := s.whole(o)
	if err != nil {
		return err
	}
	*o = *w
	for i, e := range o.body {
		if e.seal == nil || e.seal.kek != byCustomer || e.seal.key != nil {
			continue
		}
		key, ok := keyring.UnwrapWith(customer, e.seal.wrapped)
		if !ok {
			return ErrWrongKey
		}
		sl := *e.seal
		sl.key = key
		o.body[i].seal = &sl
	}
	return nil
}

// unlockLike unlocks what was unlocked in o, the same version as it was before.
func (o *Object) unlockLike(was *Object) {
	for i, e := range was.body {
		if e.seal != nil && e.seal.key != nil && i < len(o.body) && o.body[i].seal != nil && bytes.Equal(o.body[i].seal.wrapped, e.seal.wrapped) {
			o.body[i].seal = e.seal
		}
	}
}

// ErrWrongKey is AWS's answer for an object that is read with another
// customer's key than it was stored with.
var ErrWrongKey = fault.New(fault.Denied, "AccessDenied", "Requests specifying Server Side Encryption with Customer provided keys must provide the correct secret key.").
	WithHint("the key is another one than the object was stored with")

// Keys returns the ring with the keys that wrap the bodies' keys.
func (s *Store) Keys() *keyring.Ring { return s.keys }

// openKeys opens the key ring, and makes one for a store that has none yet; it
// is to be recorded then, before a body is sealed with it.
func (s *Store) openKeys() (made bool, err error) {
	want := ""
	v, closer, err := s.db.Get(keyringRow)
	if err == nil {
		want = string(v) // before v is given back
		err = closer.Close()
	} else if errors.Is(err, pebble.ErrNotFound) {
		err = nil
	}
	if err != nil {
		return false, fault.Wrap("store.open", s.dir, err)
	}
	s.keys, err = keyring.Open(s.fs, s.path("keys"), want, keyring.Options{Region: s.opt.Region, Keys: s.opt.Keys})
	return want == "", err
}

// keyringCommand records which key ring the bodies are sealed with.
type keyringCommand struct{ id string }

func (c *keyringCommand) number() byte     { return cmdKeyring }
func (c *keyringCommand) encode(w *writer) { w.str(fKeyringID, c.id) }

func (c *keyringCommand) decode(f field) error {
	if f.n == fKeyringID {
		c.id = f.str()
	}
	return nil
}

func (c *keyringCommand) apply(a *applier, _, _ journal.Position) error {
	a.set(keyringRow, []byte(c.id))
	return a.broken
}
