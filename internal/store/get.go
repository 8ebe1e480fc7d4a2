package store

import (
	"context"
	"encoding/binary"
	"errors"
	"io"

	"github.com/cockroachdb/pebble/v2"

	"twinbucket/fault"
	"twinbucket/internal/bodies"
	"twinbucket/internal/layout"
	"twinbucket/object"
)

func noSuchKey(key string) error {
	return fault.New(fault.NotFound, "NoSuchKey", "The specified key does not exist.").On(key)
}

// Head returns a version of a key; id "" is the current one, which may be a
// delete marker. What is not there is fault.NotFound with AWS's code.
func (s *Store) Head(ctx context.Context, bucket, key, id string) (*Object, error) {
	if err := s.lookAt(ctx, bucket); err != nil {
		return nil, err
	}
	return find(s.db, bucket, key, id)
}

// head is Head without the version's detail.
func (s *Store) head(ctx context.Context, bucket, key, id string) (*Object, error) {
	if err := s.lookAt(ctx, bucket); err != nil {
		return nil, err
	}
	return lookup(s.db, bucket, key, id)
}

func (s *Store) lookAt(ctx context.Context, bucket string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	_, err := s.bucket(bucket)
	return err
}

// lookup looks a version up, without its detail.
func lookup(r pebble.Reader, bucket, key, id string) (*Object, error) {
	if id == "" {
		return current(r, bucket, key)
	}
	nanos, err := timeOf(r, bucket, key, id)
	if err != nil {
		return nil, err
	}
	v, closer, err := r.Get(layout.Version(bucket, key, id, nanos))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, object.NoSuchVersion(id)
	}
	if err != nil {
		return nil, fault.Wrap("store.find", key, err)
	}
	o, err := readObject(v)
	return o, errors.Join(err, closer.Close())
}

// timeOf returns the time of the version with an id, in nanoseconds: it is in
// the id, or else in a row. If there is no such version it may not be found.
func timeOf(r pebble.Reader, bucket, key, id string) (int64, error) {
	if t, ours := object.IDTime(id); ours {
		return t.UnixNano(), nil
	}
	v, closer, err := r.Get(layout.ID(bucket, key, id))
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, object.NoSuchVersion(id)
	}
	if err != nil {
		return 0, fault.Wrap("store.find", key, err)
	}
	nanos, _ := binary.Uvarint(v)
	return int64(nanos), closer.Close()
}

// current looks up the newest version of a key, without its detail.
func current(r pebble.Reader, bucket, key string) (*Object, error) {
	prefix := layout.Key(make([]byte, 0, len(bucket)+len(key)+16), layout.KindVersion, bucket, key)
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: layout.After(prefix)})
	if err != nil {
		return nil, fault.Wrap("store.find", key, err)
	}
	var o *Object
	if it.First() {
		o, err = readObject(it.Value())
	}
	if err := errors.Join(err, it.Error(), it.Close()); err != nil {
		return nil, fault.Wrap("store.find", key, err)
	}
	if o == nil {
		return nil, noSuchKey(key)
	}
	return o, nil
}

// Open returns n bytes of a version's body from off on; n -1 is all that
// follow. The reader ends with fault.Damaged, before the last byte, if the
// stored bytes do not match their checksum; checked is what is read whole.
func (s *Store) Open(ctx context.Context, o *Object, off, n int64) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if n < 0 {
		n = o.Size - off
	}
	if off < 0 || n < 0 || off+n > o.Size {
		return nil, fault.New(fault.Invalid, "InvalidRange", "The requested range is not satisfiable").On(o.Key)
	}
	o, err := s.whole(o)
	if err != nil {
		return nil, err
	}
	r := &reader{s: s, of: o}
	if err := r.Reader.Open(s.bodies, r, o.body, off, n); err != nil {
		return nil, err
	}
	return r, nil
}

// reader reads the body of a version.
type reader struct {
	bodies.Reader
	s  *Store
	of *Object
}

// Still is for bodies.Owner.
func (r *reader) Still() error { return r.s.stillThere(r.of) }

// Body is for bodies.Owner: compaction may have moved the body since the
// version was looked up.
func (r *reader) Body() (bodies.Body, error) {
	now, err := r.s.again(r.of)
	if err != nil {
		return nil, err
	}
	return now.body, nil
}

// stillThere says that a version that was looked up is gone, if it is.
func (s *Store) stillThere(o *Object) error {
	now, err := lookup(s.db, o.Bucket, o.Key, o.ID)
	if err == nil && !now.Modified.Equal(o.Modified) {
		err = errReplaced(o.Key)
	}
	return err
}

func errReplaced(key string) error {
	return fault.New(fault.Busy, "SlowDown", "The object was replaced while it was read. Please try again.").On(key)
}
