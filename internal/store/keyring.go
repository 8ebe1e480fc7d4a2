package store

import (
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"twinbucket/fault"
	"twinbucket/internal/bodies"
	"twinbucket/internal/fields"
	"twinbucket/internal/journal"
	"twinbucket/internal/keyring"
	"twinbucket/internal/layout"
	"twinbucket/object"
)

// encrypted makes sure that a new version says how it is encrypted.
func encrypted(v *object.Version) {
	if v.Encryption == (object.Encryption{}) {
		v.Encryption.Algorithm = object.AES256
	}
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
	if !o.body.Unlock(customer) {
		return ErrWrongKey
	}
	return nil
}

// ErrWrongKey is AWS's answer for an object that is read with another
// customer's key than it was stored with.
var ErrWrongKey = fault.New(fault.Denied, "AccessDenied", "Requests specifying Server Side Encryption with Customer provided keys must provide the correct secret key.").
	WithHint("the key is another one than the object was stored with")

// resealed returns the seals that the body of a version has under another
// encryption; nil if it has that already, or is gone.
func (s *Store) resealed(o *Object, e object.Encryption) ([]*bodies.Seal, error) {
	if e == o.Encryption {
		return nil, nil
	}
	w, err := s.whole(o)
	if errors.Is(err, fault.NotFound) || errors.Is(err, fault.Busy) {
		return nil, nil // which who delivers it will see
	}
	if err != nil {
		return nil, err
	}
	body, err := s.bodies.Reseal(w.body, e, nil)
	return body.Seals(), err
}

// Keys returns the ring with the keys that wrap the bodies' keys.
func (s *Store) Keys() *keyring.Ring { return s.keys }

// openKeys opens the key ring, and makes one for a store that has none yet; it
// is to be recorded then, before a body is sealed with it.
func (s *Store) openKeys() (made bool, err error) {
	want := ""
	v, closer, err := s.db.Get(layout.Keyring)
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

const fKeyringID fields.Number = 141

// keyringCommand records which key ring the bodies are sealed with.
type keyringCommand struct{ id string }

func (c *keyringCommand) number() byte            { return cmdKeyring }
func (c *keyringCommand) encode(w *fields.Writer) { w.Text(fKeyringID, c.id) }

func (c *keyringCommand) decode(f fields.Field) error {
	if f.Number == fKeyringID {
		c.id = f.Text()
	}
	return nil
}

func (c *keyringCommand) apply(a *applier, _, _ journal.Position) error {
	a.set(layout.Keyring, []byte(c.id))
	return a.broken
}
