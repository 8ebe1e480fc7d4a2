package store

import (
	"context"
	"time"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/fields"
	"twinbucket/internal/layout"
	"twinbucket/internal/scan"
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
			if err := s.stamp(b, &m.Version, nil); err != nil {
				return nil, err
			}
			cs[i] = &putCommand{o: m, sight: w, origin: s.origin(ctx, b)}
			continue
		}
		cs[i] = &deleteCommand{bucket: b.Name, key: o.Key, id: o.ID, now: now, sight: w, origin: s.origin(ctx, b)}
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
func (s *Store) BucketsChanged() <-chan struct{} { return s.settings.Wait() }

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
const fSight fields.Number = 160

func (s *sight) encode(w *fields.Writer) {
	if s == nil {
		return
	}
	w.Message(fSight, func(w *fields.Writer) {
		w.Text(1, s.id)
		w.Time(2, s.modified)
		w.Uint(3, s.changes)
		w.Bool(4, s.latest)
		w.Bool(5, s.alone)
		w.Text(6, string(s.versioning))
	})
}

func readSight(b []byte) (*sight, error) {
	s := new(sight)
	return s, fields.Each(b, func(f fields.Field) error {
		switch f.Number {
		case 1:
			s.id = f.Text()
		case 2:
			s.modified = f.Time()
		case 3:
			s.changes = f.Uint
		case 4:
			s.latest = f.Bool()
		case 5:
			s.alone = f.Bool()
		case 6:
			s.versioning = bucket.Versioning(f.Text())
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
	row := layout.Version(o.Bucket, o.Key, o.ID, o.Modified.UnixNano())
	found, err := scan.Between(a.b, append(row, 0), layout.After(layout.Key(nil, layout.KindVersion, o.Bucket, o.Key)))
	return a.fail(err) != nil || found
}

func changedMeanwhile(key string) error {
	return fault.New(fault.Conflict, "OperationAborted", "A conflicting conditional operation is currently in progress against this resource. Please try again.").On(key)
}
