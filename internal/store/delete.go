package store

import (
	"context"
	"errors"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/object"
)

// Deleted says what a delete did.
type Deleted struct {
	ID     string // the delete marker that was made, or the version that was removed
	Marker bool   // ID is a delete marker's
}

// Delete deletes a key: in a bucket with versioning it makes a delete marker,
// in one without it removes the object. With an id it removes that version for
// good. What is not there is deleted already: no error. owner is the account
// that a marker belongs to.
func (s *Store) Delete(ctx context.Context, name, key, id, owner string) (Deleted, error) {
	b, err := s.bucket(name)
	if err != nil {
		return Deleted{}, err
	}
	if err := object.CheckKey(key); err != nil {
		return Deleted{}, err
	}
	if id == "" && b.Versioning != bucket.Unversioned {
		o := &Object{Version: object.Version{Bucket: name, Key: key, Marker: true, Owner: owner}}
		if err := s.stamp(b, &o.Version); err != nil {
			return Deleted{}, err
		}
		return Deleted{ID: o.ID, Marker: true}, s.do(ctx, &putCommand{o: o}, nil)
	}
	version := id
	if id == "" {
		version = object.NullID
	}
	o, err := lookup(s.db, name, key, version)
	if errors.Is(err, fault.NotFound) {
		return Deleted{ID: id}, nil
	}
	if err != nil {
		return Deleted{}, err
	}
	if err := checkLock(&o.Version, s.opt.Now()); err != nil {
		return Deleted{}, err
	}
	c := &deleteCommand{bucket: name, key: key, id: version}
	if err := s.do(ctx, c, nil); err != nil {
		return Deleted{}, err
	}
	return Deleted{ID: id, Marker: c.found != nil && c.found.Marker}, nil
}
