package store

import (
	"context"
	"errors"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/object"
)

// Deletion is what is to be deleted.
type Deletion struct {
	Bucket, Key string
	ID          string // of a version, which goes for good; "": the key, as its bucket's versioning has it
	Owner       string // the account that a delete marker belongs to
	Bypass      bool   // delete although the version is retained in governance mode
	// If is what is required of the version named or, without an ID, of the
	// current one. With a condition, what is not there is an error.
	If object.Condition
}

// Deleted says what a delete did.
type Deleted struct {
	ID     string // the delete marker that was made, or the version that was removed
	Marker bool   // ID is a delete marker's
}

// Delete is DeleteWith without the bypass and without a condition.
func (s *Store) Delete(ctx context.Context, name, key, id, owner string) (Deleted, error) {
	return s.DeleteWith(ctx, Deletion{Bucket: name, Key: key, ID: id, Owner: owner})
}

// DeleteWith deletes a key: in a bucket with versioning it makes a delete
// marker, in one without it removes the object. With an id it removes that
// version for good. What is not there is deleted already: no error. A version
// that Object Lock protects stays: fault.Denied.
func (s *Store) DeleteWith(ctx context.Context, d Deletion) (Deleted, error) {
	b, err := s.bucket(d.Bucket)
	if err != nil {
		return Deleted{}, err
	}
	if err := object.CheckKey(d.Key); err != nil {
		return Deleted{}, err
	}
	if d.ID == "" && b.Versioning != bucket.Unversioned {
		o := &Object{Version: object.Version{Bucket: d.Bucket, Key: d.Key, Marker: true, Owner: d.Owner}}
		if err := s.stamp(b, &o.Version, nil); err != nil {
			return Deleted{}, err
		}
		return Deleted{ID: o.ID, Marker: true}, s.do(ctx, &putCommand{o: o, cond: d.If, origin: s.origin(ctx, b)}, nil)
	}
	version := d.ID
	if version == "" {
		version = object.NullID
	}
	if _, err := lookup(s.db, d.Bucket, d.Key, version); err != nil {
		if errors.Is(err, fault.NotFound) {
			return Deleted{ID: d.ID}, d.If.CheckDeletion(nil, d.ID)
		}
		return Deleted{}, err
	}
	c := &deleteCommand{bucket: d.Bucket, key: d.Key, id: version, now: s.opt.Now().UTC(), bypass: d.Bypass, match: d.If.Match, origin: s.origin(ctx, b)}
	if err := s.do(ctx, c, nil); err != nil {
		return Deleted{}, err
	}
	return Deleted{ID: d.ID, Marker: c.found != nil && c.found.Marker}, nil
}
