package store

import (
	"context"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/object"
)

// Expiry is a version or delete marker that a lifecycle rule ends, as it was
// listed.
type Expiry struct {
	Object *Object
	Latest bool // it was the current version of its key
	Alone  bool // it was the only version of its key
}

// Expire ends versions of one bucket, many in one step, as its versioning has
// it when b was read: the current version gets a delete marker of the bucket's
// owner over it where there is versioning, and goes for good where there is
// none; noncurrent versions and delete markers go for good. It returns one
// error for each: fault.Conflict if the version or its place among the others
// is not as it was listed, fault.Denied if Object Lock protects it; these are
// left alone. The last result is for trouble of the store.
func (s *Store) Expire(ctx context.Context, b *bucket.Bucket, es []Expiry) ([]error, error) {
	now := s.opt.Now().UTC()
	cs := make([]command, len(es))
	for i, e := range es {
		o := e.Object
		w := &sight{id: o.ID, modified: o.Modified, changes: o.Changes, latest: e.Latest, alone: e.Alone, versioning: b.Versioning}
		if e.Latest && !o.Marker && b.Versioning != bucket.Unversioned {
			m := &Object{Version: object.Version{Bucket: b.Name, Key: o.Key, Marker: true, ByLifecycle: true, Owner: b.Owner}}
			if err := s.stamp(b, &m.Version); err != nil {
				return nil, err
			}
			cs[i] = &putCommand{o: m, sight: w}
			continue
		}
		cs[i] = &deleteCommand{bucket: b.Name, key: o.Key, id: o.ID, now: now, sight: w}
	}
	return s.doAll(ctx, cs)
}

// AbortUploads is AbortUpload for many uploads in one step. It returns one
// error for each, and one for trouble of the store.
func (s *Store) AbortUploads(ctx context.Context, us []*Upload) ([]error, error) {
	cs := make([]command, len(us))
	for i, u := range us {
		cs[i] = &abortCommand{bucket: u.Bucket, key: u.Key, id: u.ID}
	}
	return s.doAll(ctx, cs)
}

// BucketsChanged returns a channel that is closed by the next change of any
// bucket's settings, and when the store is closed.
func (s *Store) BucketsChanged() <-chan struct{} { return s.settings.wait() }

// sight is a version as somebody saw it: the condition of a command that acts
// on what was seen and on nothing else.
type sight struct {
	id         string
	modified   time.Time
	changes    uint64
	latest     bool
	alone      bool
	versioning bucket.Versioning
}

// Fields of commands about lifecycle; from 160 on.
const fSight protowire.Number = 160

func (w *writer) sight(s *sight) {
	if s == nil {
		return
	}
	w.msg(fSight, func(w *writer) {
		w.str(1, s.id)
		w.time(2, s.modified)
		w.uint(3, s.changes)
		w.bool(4, s.latest)
		w.bool(5, s.alone)
		w.str(6, string(s.versioning))
	})
}

func readSight(b []byte) (*sight, error) {
	s := new(sight)
	return s, fields(b, func(f field) error {
		switch f.n {
		case 1:
			s.id = f.str()
		case 2:
			s.modified = f.time()
		case 3:
			s.changes = f.u
		case 4:
			s.latest = f.u == 1
		case 5:
			s.alone = f.u == 1
		case 6:
			s.versioning = bucket.Versioning(f.str())
		}
		return nil
	})
}

// sees reports whether a version of a key, and its place, are as w has them.
func (a *applier) sees(bucket, key string, w *sight) bool {
	if b := a.bucket(bucket); b == nil || b.Versioning != w.versioning {
		return false
	}
	o := a.find(bucket, key, w.id)
	if o == nil || !o.Modified.Equal(w.modified) || o.Changes != w.changes {
		return false
	}
	latest := a.find(bucket, key, "")
	if latest == nil || (latest.ID == o.ID) != w.latest {
		return false
	}
	return !w.alone || !a.hasOlder(o)
}

// hasOlder reports whether there is an older version of o's key.
func (a *applier) hasOlder(o *Object) bool {
	row := versionRow(o.Bucket, o.Key, o.ID, o.Modified.UnixNano())
	found, err := anyBetween(a.b, append(row, 0), after(keyPrefix(nil, rowVersion, o.Bucket, o.Key)))
	return a.fail(err) != nil || found
}

func changedMeanwhile(key string) error {
	return fault.New(fault.Conflict, "OperationAborted", "A conflicting conditional operation is currently in progress against this resource. Please try again.").On(key)
}
