package bodies

import (
	"bytes"
	"crypto/cipher"
	"encoding/binary"
	"slices"

	"twinbucket/fault"
	"twinbucket/internal/fields"
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

// Seal is what a stored body is encrypted with. A body without one stands as
// it was sent: it was stored before bodies were sealed.
type Seal struct {
	kek     string // what wraps the key: an ARN, byCustomer, or "" for SSE-S3's
	context string // that the key was wrapped with
	wrapped []byte
	key     *keyring.DataKey // once a customer's key has unlocked it
}

// byCustomer is the kek of a key that a customer's wraps.
const byCustomer = "customer"

// Encode writes a seal as a field; nil is left out.
func (s *Seal) Encode(w *fields.Writer, n fields.Number) {
	if s != nil {
		w.Message(n, func(w *fields.Writer) { w.Bytes(1, s.wrapped); w.Text(2, s.kek); w.Text(3, s.context) })
	}
}

// ReadSeal reads what Seal.Encode wrote.
func ReadSeal(b []byte) (*Seal, error) {
	s := new(Seal)
	err := fields.Each(b, func(f fields.Field) error {
		switch f.Number {
		case 1:
			s.wrapped = slices.Clone(f.Bytes)
		case 2:
			s.kek = f.Text()
		case 3:
			s.context = f.Text()
		}
		return nil
	})
	return s, err
}

// sealedSize returns how many bytes a body of n bytes has when it is sealed.
func sealedSize(n int64) int64 { return n + (n+chunkSize-1)/chunkSize*tagSize }

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

// wrap returns the seal of a body's key under what e names.
func (d *Disk) wrap(key *keyring.DataKey, e object.Encryption, customer []byte) (*Seal, error) {
	if e.Customer() {
		if len(customer) != len(key) {
			return nil, errLocked
		}
		return &Seal{kek: byCustomer, wrapped: keyring.WrapWith(customer, key)}, nil
	}
	wrapped, err := d.opt.Keys.Wrap(e.KeyARN, e.Context, key)
	return &Seal{kek: e.KeyARN, context: e.Context, wrapped: wrapped}, err
}

// errLocked is AWS's answer for an object that is read without its customer's key.
var errLocked = fault.New(fault.Invalid, "InvalidRequest", "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object.").
	WithHint("send the x-amz-server-side-encryption-customer-* headers that it was stored with")

// dataKey returns the key of a sealed body.
func (d *Disk) dataKey(s *Seal) (*keyring.DataKey, error) {
	switch {
	case s.key != nil:
		return s.key, nil
	case s.kek == byCustomer:
		return nil, errLocked
	}
	return d.opt.Keys.Unwrap(s.kek, s.context, s.wrapped)
}

// Reseal returns a sealed body as who shares it has it, under the encryption e;
// customer is the key of 32 bytes that e may name.
func (d *Disk) Reseal(b Body, e object.Encryption, customer []byte) (Body, error) {
	if e == (object.Encryption{}) {
		e.Algorithm = object.AES256 // of an upload that is older than encryption
	}
	out := make(Body, len(b))
	for i, x := range b {
		if e.Customer() || x.Seal.kek != e.KeyARN || x.Seal.context != e.Context {
			key, err := d.dataKey(x.Seal)
			if err != nil {
				return nil, err
			}
			if x.Seal, err = d.wrap(key, e, customer); err != nil {
				return nil, err
			}
		}
		out[i] = x
	}
	return out, nil
}

// Seals returns the seals of a body's extents.
func (b Body) Seals() []*Seal {
	out := make([]*Seal, len(b))
	for i := range b {
		out[i] = b[i].Seal
	}
	return out
}

// Under returns a body under other seals, one for each extent; false if there
// are not as many.
func (b Body) Under(seals []*Seal) (Body, bool) {
	if len(seals) != len(b) {
		return nil, false
	}
	out := slices.Clone(b)
	for i := range out {
		out[i].Seal = seals[i]
	}
	return out, true
}

// Unlock makes a body that is encrypted under a customer's key readable. It
// reports whether it was that key.
func (b Body) Unlock(customer []byte) bool {
	for i, e := range b {
		if e.Seal == nil || e.Seal.kek != byCustomer || e.Seal.key != nil {
			continue
		}
		key, ok := keyring.UnwrapWith(customer, e.Seal.wrapped)
		if !ok {
			return false
		}
		s := *e.Seal
		s.key = key
		b[i].Seal = &s
	}
	return true
}

// UnlockLike unlocks what was unlocked in the same body, as it was before.
func (b Body) UnlockLike(was Body) {
	for i, e := range was {
		if e.Seal != nil && e.Seal.key != nil && i < len(b) && b[i].Seal != nil && bytes.Equal(b[i].Seal.wrapped, e.Seal.wrapped) {
			b[i].Seal = e.Seal
		}
	}
}
