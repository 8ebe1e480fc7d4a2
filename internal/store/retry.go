package store

import (
	"context"
	"slices"
	"time"

	"twinbucket/internal/fields"
	"twinbucket/internal/journal"
	"twinbucket/object"
)

// Retry is a version, and the destinations to which it is to be tried again.
type Retry struct {
	Source       *Object
	Destinations []string // buckets
}

// Retry has failed deliveries wait in the feed again, and returns how many do.
// One that is not Failed by then stays as it is.
func (s *Store) Retry(ctx context.Context, rs []Retry) (int, error) {
	cs := make([]command, len(rs))
	now := s.opt.Now().UTC()
	for i, r := range rs {
		o := r.Source
		cs[i] = &retryCommand{bucket: o.Bucket, key: o.Key, id: o.ID, modified: o.Modified, destinations: r.Destinations, now: now}
	}
	errs, err := s.doAll(ctx, cs)
	if err != nil {
		return 0, err
	}
	n := 0
	for i, c := range cs {
		if errs[i] != nil {
			return n, errs[i]
		}
		n += c.(*retryCommand).again
	}
	return n, nil
}

// retryCommand makes failed deliveries of a version Pending.
type retryCommand struct {
	bucket, key, id string
	modified        time.Time // the version's: a null version may be another one by now
	destinations    []string
	now             time.Time
	again           int // deliveries that wait now
}

func (c *retryCommand) number() byte { return cmdRetry }

func (c *retryCommand) encode(w *fields.Writer) {
	w.Text(fields.Bucket, c.bucket)
	w.Text(fields.Key, c.key)
	w.Text(fields.ID, c.id)
	w.Time(fTime, c.modified)
	w.Time(fNow, c.now)
	for _, name := range c.destinations {
		w.Text(fDestination, name)
	}
}

func (c *retryCommand) decode(f fields.Field) error {
	switch f.Number {
	case fields.Bucket:
		c.bucket = f.Text()
	case fields.Key:
		c.key = f.Text()
	case fields.ID:
		c.id = f.Text()
	case fTime:
		c.modified = f.Time()
	case fNow:
		c.now = f.Time()
	case fDestination:
		c.destinations = append(c.destinations, f.Text())
	}
	return nil
}

func (c *retryCommand) apply(a *applier, at, _ journal.Position) error {
	o := a.find(c.bucket, c.key, c.id)
	if o == nil || !o.Modified.Equal(c.modified) {
		return a.broken
	}
	before := slices.Clone(o.Deliveries)
	for i := range o.Deliveries {
		d := &o.Deliveries[i]
		if d.Status == object.Failed && slices.Contains(c.destinations, d.Bucket) {
			d.Status, d.Code, d.Reason, d.Time = object.Pending, "", "", c.now
			c.again++
		}
	}
	if c.again > 0 {
		a.restate(o, before, at)
		a.write(o)
	}
	return a.broken
}
