package store

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/layout"
	"twinbucket/internal/scan"
)

// errRevision says that a record was changed by another since it was read.
var errRevision = &fault.Error{Op: "store.update", Kind: fault.Conflict, Code: "OperationAborted", Message: "A conflicting conditional operation is currently in progress against this resource. Please try again."}

func noSuchBucket(name string) error {
	return fault.New(fault.NotFound, "NoSuchBucket", "The specified bucket does not exist").On(name)
}

// loadBuckets reads the buckets into memory, where they are looked up.
func (s *Store) loadBuckets() error {
	lower := layout.Bucket("")
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: layout.After(lower)})
	if err != nil {
		return fault.Wrap("store.open", s.dir, err)
	}
	all := make(map[string]*bucket.Bucket)
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		v := it.Value()
		revision, n := binary.Uvarint(v)
		b := &bucket.Bucket{Revision: revision}
		if err = json.Unmarshal(v[max(n, 0):], b); err == nil {
			all[b.Name] = b
		}
	}
	s.buckets.Store(&all)
	return fault.Wrap("store.open", s.dir, errors.Join(err, it.Error(), it.Close()))
}

// Bucket returns a bucket, which the caller must not change. Internal buckets
// are not found: who looks a bucket up for a client cannot let one slip.
func (s *Store) Bucket(name string) (*bucket.Bucket, error) {
	if internal(name) {
		return nil, noSuchBucket(name)
	}
	return s.bucket(name)
}

// bucket returns any bucket.
func (s *Store) bucket(name string) (*bucket.Bucket, error) {
	if b := (*s.buckets.Load())[name]; b != nil {
		return b, nil
	}
	return nil, noSuchBucket(name)
}

// Again returns a bucket that was looked up before as it is now; fault.NotFound
// if it is gone, also if another was made in its name.
func (s *Store) Again(before *bucket.Bucket) (*bucket.Bucket, error) {
	b, err := s.bucket(before.Name)
	if err == nil && !b.Same(before) {
		return nil, noSuchBucket(before.Name)
	}
	return b, err
}

// internal reports whether a bucket is the server's own: it is in no list, and
// Bucket does not find it. No valid name begins with a dot.
func internal(name string) bool { return strings.HasPrefix(name, ".") }

// Buckets returns all buckets but internal ones, sorted by name; the caller
// must not change them.
func (s *Store) Buckets() []*bucket.Bucket {
	all := *s.buckets.Load()
	out := make([]*bucket.Bucket, 0, len(all))
	for _, b := range all {
		if !internal(b.Name) {
			out = append(out, b)
		}
	}
	slices.SortFunc(out, func(a, b *bucket.Bucket) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// CreateBucket makes a bucket; fault.Exists if there is one of that name. A
// name that begins with a dot makes an internal bucket.
func (s *Store) CreateBucket(ctx context.Context, b *bucket.Bucket) error {
	if err := bucket.CheckName(b.Name); err != nil && !internal(b.Name) {
		return err
	}
	c := b.Clone()
	if c.Created.IsZero() {
		c.Created = s.opt.Now().UTC()
	}
	return s.do(ctx, &bucketCommand{b: c}, nil)
}

// UpdateBucket changes a bucket: change gets a copy of it and may be called
// again if another change came in between.
func (s *Store) UpdateBucket(ctx context.Context, name string, change func(*bucket.Bucket) error) error {
	b, err := s.bucket(name)
	if err != nil {
		return err
	}
	return s.ChangeBucket(ctx, b, change)
}

// ChangeBucket is UpdateBucket for a bucket that was looked up before, by who
// may change that one: fault.NotFound if it is another by now.
func (s *Store) ChangeBucket(ctx context.Context, before *bucket.Bucket, change func(*bucket.Bucket) error) error {
	for {
		b, err := s.Again(before)
		if err != nil {
			return err
		}
		c := b.Clone()
		if err := change(c); err != nil {
			return err
		}
		err = s.do(ctx, &bucketCommand{b: c, revision: b.Revision}, nil)
		if !errors.Is(err, errRevision) {
			return err
		}
	}
}

// DeleteBucket removes an empty bucket and its unfinished uploads;
// fault.Conflict if it holds a version or a delete marker.
func (s *Store) DeleteBucket(ctx context.Context, name string) error {
	for {
		b, err := s.bucket(name)
		if err != nil {
			return err
		}
		filled, err := scan.Any(s.db, layout.Prefix(layout.KindVersion, name, ""))
		if err != nil {
			return fault.Wrap("store.deletebucket", name, err)
		}
		if filled {
			return notEmpty(b)
		}
		if err := s.abortUploads(ctx, name); err != nil {
			return err
		}
		err = s.do(ctx, &deleteBucketCommand{name: name, few: true}, nil)
		if !errors.Is(err, errUploads) {
			return err
		}
	}
}

// fewUploads is how many uploads a command may remove.
const fewUploads = 16

// errUploads says that a bucket has too many uploads to be removed in one step.
var errUploads = &fault.Error{Op: "store.deletebucket", Kind: fault.Conflict, Code: "OperationAborted", Message: "A conflicting conditional operation is currently in progress against this resource. Please try again."}

func notEmpty(b *bucket.Bucket) error {
	message := "The bucket you tried to delete is not empty"
	if b.Versioning != bucket.Unversioned {
		message += ". You must delete all versions in the bucket."
	}
	return fault.New(fault.Conflict, "BucketNotEmpty", message).On(b.Name).
		WithHint("delete every object, version and delete marker first")
}

// abortUploads forgets the uploads of a bucket but a few. They can be very
// many, and nothing else can be stored while a command is applied: so it takes
// a few at a time.
func (s *Store) abortUploads(ctx context.Context, name string) error {
	for {
		ups, more, err := readUploads(s.db, name, "", "", "", fewUploads)
		if err != nil || !more {
			return err
		}
		cs := make([]command, len(ups))
		for i, u := range ups {
			cs[i] = &abortCommand{bucket: name, key: u.Key, id: u.ID}
		}
		if _, err := s.doAll(ctx, cs); err != nil {
			return err
		}
	}
}
