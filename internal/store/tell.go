package store

import (
	"context"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/event"
	"twinbucket/internal/fields"
	"twinbucket/internal/journal"
	"twinbucket/internal/outbox"
	"twinbucket/object"
)

// A command makes events only if it says who asked for it: those of older
// programs, and of buckets without a notification configuration, do not.
const fOrigin fields.Number = 180

// origin returns what a command on a bucket carries of who asked for it; nil if
// nobody is to be told.
func (s *Store) origin(ctx context.Context, b *bucket.Bucket) *event.Origin {
	if s.opt.Tell == nil || b == nil || b.Documents[bucket.Notification] == nil {
		return nil
	}
	o := event.From(ctx)
	o.Time = s.opt.Now().UTC()
	return &o
}

// deliveryOrigin is origin of a delivery, of which two buckets may want to know.
func (s *Store) deliveryOrigin(ctx context.Context, d *Delivery) *event.Origin {
	all := *s.buckets.Load()
	o := s.origin(ctx, all[d.Source.Bucket])
	if o == nil {
		o = s.origin(ctx, all[d.Outcome.Bucket])
	}
	if o != nil && d.By != "" {
		o.Principal = d.By
	}
	return o
}

// told counts the events of one command.
type told struct {
	any bool // something was added to the outbox
	at  journal.Position
	n   uint64
}

// perCommand is how many events a command makes at most: one, and one for each
// destination that it leaves without an outcome.
const perCommand = 64

// tell puts an event into the outbox if somebody is to be told of it.
func (a *applier) tell(at journal.Position, o *event.Origin, e event.Event) {
	b := a.bucket(e.Bucket)
	if o == nil || b == nil || a.s.opt.Tell == nil {
		return
	}
	e.Origin, e.Owner = *o, b.Owner
	if e.Replication != nil {
		e.Origin.Principal, e.Origin.Address = event.Service, event.Service
	}
	if b.Versioning == bucket.Unversioned {
		e.ID = ""
	}
	if !a.s.opt.Tell(b, &e) {
		return
	}
	if a.told.at != at {
		a.told.at, a.told.n = at, 0
	}
	e.Place = uint64(at)*perCommand + a.told.n
	a.told.n++
	a.told.any = true
	_ = a.fail(outbox.Add(a.b, &e))
}

func (a *applier) tellStored(at journal.Position, c *putCommand) {
	if c.origin == nil {
		return
	}
	how := c.origin.How
	switch {
	case c.upload != "":
		how = event.ByUpload
	case c.shared:
		how = event.ByCopy
	}
	a.tell(at, c.origin, event.Of(event.Stored(&c.o.Version, how), &c.o.Version))
}

func (a *applier) tellDeleted(at journal.Position, c *deleteCommand) {
	for _, e := range event.Deleted(&c.found.Version, c.sight != nil) {
		a.tell(at, c.origin, e)
	}
}

func (a *applier) tellChanged(at journal.Position, c *patchCommand, o *Object, relisted bool) {
	switch {
	case c.tags != nil:
		a.tell(at, c.origin, event.Tagged(&o.Version))
	case relisted:
		a.tell(at, c.origin, event.Of(event.ACLPut, &o.Version))
	}
}

// tellDelivered tells of the end of a delivery at its source, whose deliveries
// are those before it.
func (a *applier) tellDelivered(at journal.Position, c *deliverCommand, src *Object) {
	if e, ok := event.Delivered(&src.Version, c.outcome); ok {
		a.tell(at, c.origin, e)
	}
}

// Missed notes that the delivery of a version to a destination has waited for
// longer than event.Threshold, and has it told, once.
func (s *Store) Missed(ctx context.Context, o *Object, destination string) error {
	b, err := s.bucket(o.Bucket)
	if err != nil {
		return err
	}
	return s.do(ctx, &missedCommand{outbox.Missed{Bucket: o.Bucket, Key: o.Key, ID: o.ID, Destination: destination, Origin: s.origin(ctx, b)}}, nil)
}

type missedCommand struct{ outbox.Missed }

func (c *missedCommand) number() byte                { return cmdMissed }
func (c *missedCommand) encode(w *fields.Writer)     { c.Encode(w) }
func (c *missedCommand) decode(f fields.Field) error { return c.Read(f) }

func (c *missedCommand) apply(a *applier, at, _ journal.Position) error {
	o := a.find(c.Bucket, c.Key, c.ID)
	if o == nil || c.Origin == nil {
		return a.broken
	}
	for i := range o.Deliveries {
		d := &o.Deliveries[i]
		if d.Bucket == c.Destination && d.Status == object.Pending && !d.Missed && c.Origin.Time.Sub(d.Time) > event.Threshold {
			d.Missed = true
			a.write(o)
			a.tell(at, c.Origin, event.OfDelivery(event.ReplicationMissed, &o.Version, *d, d.Time))
		}
	}
	return a.broken
}

// Outboxes says how it stands with each target that ever was to be told of
// something.
func (s *Store) Outboxes() ([]outbox.Box, error) {
	out, err := outbox.Boxes(s.db)
	return out, fault.Wrap("store.outboxes", s.dir, err)
}

// Events returns what a target is to be told next, oldest first, at most max.
func (s *Store) Events(target string, max int) ([]event.Event, error) {
	out, err := outbox.Events(s.db, target, max)
	return out, fault.Wrap("store.events", target, err)
}

// EventsChanged returns a channel that is closed when there are more events,
// and when the store is closed. Take it before looking.
func (s *Store) EventsChanged() <-chan struct{} { return s.told.Wait() }

// Told takes events out of a target's outbox.
func (s *Store) Told(ctx context.Context, t outbox.Told) error {
	return s.do(ctx, &toldCommand{t}, nil)
}

type toldCommand struct{ outbox.Told }

func (c *toldCommand) number() byte                { return cmdTold }
func (c *toldCommand) encode(w *fields.Writer)     { c.Encode(w) }
func (c *toldCommand) decode(f fields.Field) error { c.Read(f); return nil }

func (c *toldCommand) apply(a *applier, _, _ journal.Position) error {
	return a.fail(c.Apply(a.b))
}
