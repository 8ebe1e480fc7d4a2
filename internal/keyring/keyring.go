// Package keyring keeps the keys that the keys of bodies are wrapped with.
//
// A ring is one file with one random root key, written once. Every other key
// is derived from the root: the one of SSE-S3, and those that stand for keys
// of AWS KMS, one for each account and key id. So the file never changes, and
// a copy of it made on the first day is good for ever. Without the file what
// is encrypted is lost; with it, and the data, everything can be read.
//
// Keys of KMS have no API here. Each account has the one that AWS manages,
// alias/aws/s3; others are there while the server is told of them.
package keyring

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"twinbucket/fault"
	"twinbucket/internal/vfs"
)

// DataKey is the key of one body.
type DataKey [32]byte

// NewDataKey returns a random key.
func NewDataKey() *DataKey {
	k := new(DataKey)
	_, _ = rand.Read(k[:]) // never fails, says its documentation
	return k
}

// Options are what a ring needs to know.
type Options struct {
	Region string // of the ARNs of keys
	Keys   []Key  // that stand for keys of KMS
}

// Ring is an open key ring. Its methods may be called from any goroutine.
type Ring struct {
	root     [32]byte
	id       string
	region   string
	s3       *wrapper
	named    map[named]bool // declared keys
	disabled map[named]bool
	alias    map[named]string // key id by account and alias
	made     sync.Map         // named → *wrapper
}

// named is a key id or an alias in an account.
type named struct{ account, name string }

// magic begins a ring's file; the number is the version of its format.
const magic = "twinbucket keyring 1\n"

const warning = "# Keep a copy of this file in a safe place, apart from the data.\n" +
	"# Without it no object of this server can be read; whoever has it can read them all.\n"

// Open opens the ring in a file. want is the ID of the ring that the data
// around it is encrypted with; if that is "" and there is no file, a new ring
// is made. A file that is missing, damaged or of another ring is an error.
func Open(files vfs.FS, name, want string, opt Options) (*Ring, error) {
	data, err := vfs.ReadFile(files, name)
	var r *Ring
	switch {
	case err == nil:
		r, err = parse(name, data)
	case errors.Is(err, fs.ErrNotExist) && want == "":
		r, err = create(files, name)
	case errors.Is(err, fs.ErrNotExist):
		return nil, &fault.Error{
			Op: "keyring.open", Kind: fault.Damaged, Thing: name, Message: "the key ring is missing, and the objects here are encrypted with it",
			Hint: "copy the file back from your backup; without it they cannot be read",
		}
	}
	if err != nil {
		return nil, fault.Wrap("keyring.open", name, err)
	}
	if want != "" && r.id != want {
		return nil, &fault.Error{
			Op: "keyring.open", Kind: fault.Damaged, Thing: name, Message: "this is another key ring than the one that the objects here are encrypted with",
			Hint: "copy the right file back from your backup: the ring with the id " + want + ", not " + r.id,
		}
	}
	r.configure(opt)
	return r, nil
}

// create makes a new ring, whose file is durable before it is used.
func create(files vfs.FS, name string) (*Ring, error) {
	var root [32]byte
	_, _ = rand.Read(root[:])
	r := newRing(root)
	text := magic + warning + "id " + r.id + "\nroot " + hex.EncodeToString(root[:]) + "\n"
	sum := sha256.Sum256([]byte(text))
	text += "sha256 " + hex.EncodeToString(sum[:]) + "\n"
	part := name + ".new"
	f, err := vfs.Create(files, part)
	if err != nil {
		return nil, err
	}
	if err = vfs.Private(f); err == nil {
		if _, err = f.Write([]byte(text)); err == nil {
			err = f.Sync()
		}
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = files.Rename(part, name)
	}
	if err == nil {
		err = vfs.SyncDir(files, files.PathDir(name))
	}
	return r, err
}

// parse reads a ring's file.
func parse(name string, data []byte) (*Ring, error) {
	damaged := func(what string) error {
		return &fault.Error{
			Op: "keyring.open", Kind: fault.Damaged, Thing: name, Message: "the key ring is damaged: " + what,
			Hint: "copy the file back from your backup",
		}
	}
	text := string(data)
	if !strings.HasPrefix(text, magic) {
		if strings.HasPrefix(text, "twinbucket keyring ") {
			return nil, &fault.Error{Op: "keyring.open", Kind: fault.Unsupported, Thing: name, Message: "the key ring is of a format that this version does not know", Hint: "it was written by a newer twinbucket; use that version or a later one"}
		}
		return nil, damaged("it does not begin as one")
	}
	body, sum, ok := strings.Cut(text, "sha256 ")
	want := sha256.Sum256([]byte(body))
	if !ok || strings.TrimSpace(sum) != hex.EncodeToString(want[:]) {
		return nil, damaged("its checksum does not match")
	}
	for line := range strings.Lines(body) {
		if value, ok := strings.CutPrefix(line, "root "); ok {
			var root [32]byte
			if n, err := hex.Decode(root[:], []byte(strings.TrimSpace(value))); err != nil || n != len(root) {
				return nil, damaged("its root key is not one")
			}
			return newRing(root), nil
		}
	}
	return nil, damaged("it has no root key")
}

func newRing(root [32]byte) *Ring {
	r := &Ring{root: root}
	id := r.derive("id")
	r.id = hex.EncodeToString(id[:16])
	key := r.derive("sse-s3")
	r.s3 = newWrapper(key[:])
	return r
}

// derive returns the key of a purpose.
func (r *Ring) derive(purpose ...string) (out [32]byte) {
	h := hmac.New(sha256.New, r.root[:])
	for _, p := range purpose {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	h.Sum(out[:0])
	return out
}

// ID returns what tells the ring from others; it says nothing about its keys.
func (r *Ring) ID() string { return r.id }

// Wrap wraps a body's key. kek is the ARN of a key of KMS, or "" for the key
// of SSE-S3; context is what has to be given again to unwrap it.
func (r *Ring) Wrap(kek, context string, key *DataKey) ([]byte, error) {
	w, err := r.wrapper(kek)
	if err != nil {
		return nil, err
	}
	return w.wrap(context, key), nil
}

// Unwrap is the reverse of Wrap. A key that is not there, or not there any
// more, is AWS's KMS.NotFoundException.
func (r *Ring) Unwrap(kek, context string, wrapped []byte) (*DataKey, error) {
	w, err := r.wrapper(kek)
	if err != nil {
		return nil, err
	}
	key, ok := w.unwrap(context, wrapped)
	if !ok {
		return nil, &fault.Error{
			Op: "keyring.unwrap", Kind: fault.Damaged, Thing: kek, Message: "the wrapped key of an object is damaged",
			Hint: "the disk changed it, or the object comes from another server; put the object again, or copy it back from a replica",
		}
	}
	return key, nil
}

// WrapWith wraps a body's key with a customer's key, which is not kept.
func WrapWith(customer []byte, key *DataKey) []byte {
	return newWrapper(customer).wrap("", key)
}

// UnwrapWith is the reverse of WrapWith; ok is false if it was another
// customer's key.
func UnwrapWith(customer, wrapped []byte) (key *DataKey, ok bool) {
	return newWrapper(customer).unwrap("", wrapped)
}
