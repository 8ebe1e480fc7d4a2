// Package outbox is the part of the store's index with the events that their
// targets were not told yet. A row is written in the batch of the command that
// made the event happen, and goes in that of the command that says that it was
// told: so events are neither lost nor made up, whatever is cut short.
package outbox

import (
	"context"
	"encoding/binary"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"twinbucket/internal/event"
	"twinbucket/internal/fields"
	"twinbucket/internal/layout"
	"twinbucket/internal/scan"
)

// Box says how it stands with what a target is to be told.
type Box struct {
	Target  string // ARN
	Waiting uint64 // events that it was not told yet
	Told    uint64 // ever
	Dropped uint64 // ever: given up
}

func (x *Box) read(b []byte) error {
	return fields.Each(b, func(f fields.Field) error {
		switch f.Number {
		case 1:
			x.Waiting = f.Uint
		case 2:
			x.Told = f.Uint
		case 3:
			x.Dropped = f.Uint
		}
		return nil
	})
}

// Add puts an event into the box of its target, at its place.
func Add(b *pebble.Batch, e *event.Event) error {
	err := b.Set(layout.Event(e.Target, e.Place), e.Encode(), nil)
	return errors.Join(err, tally(b, e.Target, func(x *Box) { x.Waiting++ }))
}

// tally changes what is counted of a box.
func tally(b *pebble.Batch, target string, change func(*Box)) error {
	row := layout.Outbox(target)
	var x Box
	v, closer, err := b.Get(row)
	if err == nil {
		err = errors.Join(x.read(v), closer.Close())
	}
	if err != nil && !errors.Is(err, pebble.ErrNotFound) {
		return err
	}
	change(&x)
	w := fields.Sized(32)
	w.Uint(1, x.Waiting)
	w.Uint(2, x.Told)
	w.Uint(3, x.Dropped)
	return b.Set(row, w.Encoded(), nil)
}

// Boxes returns the boxes of all targets that ever were to be told of something,
// by their ARNs.
func Boxes(r pebble.Reader) (out []Box, err error) {
	err = scan.Each(context.Background(), r, []byte{layout.KindOutbox}, func(row, value []byte) error {
		out = append(out, Box{Target: string(row[1:])})
		return out[len(out)-1].read(value)
	})
	return out, err
}

// Events returns what a target is to be told next, in the order in which it
// happened: at most max events.
func Events(r pebble.Reader, target string, max int) (out []event.Event, err error) {
	lower := layout.Events(target)
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: layout.After(lower)})
	if err != nil {
		return nil, err
	}
	for ok := it.First(); ok && err == nil && len(out) < max; ok = it.Next() {
		var e event.Event
		e, err = event.Read(it.Value())
		e.Target, e.Place = target, binary.BigEndian.Uint64(it.Key()[len(lower):])
		out = append(out, e)
	}
	return out, errors.Join(err, it.Error(), it.Close())
}

// Told is a change that takes events out of a target's box.
type Told struct {
	Target      string
	First, Last uint64 // places, both included
	Dropped     bool   // they were given up
}

// Fields of a change.
const (
	fTarget fields.Number = iota + 1
	fFirst
	fLast
	fDropped
)

// Encode writes the change.
func (t *Told) Encode(w *fields.Writer) {
	w.Text(fTarget, t.Target)
	w.Uint(fFirst, t.First)
	w.Uint(fLast, t.Last)
	w.Bool(fDropped, t.Dropped)
}

// Read takes one field of what Encode wrote.
func (t *Told) Read(f fields.Field) {
	switch f.Number {
	case fTarget:
		t.Target = f.Text()
	case fFirst:
		t.First = f.Uint
	case fLast:
		t.Last = f.Uint
	case fDropped:
		t.Dropped = f.Bool()
	}
}

// Apply makes the change.
func (t *Told) Apply(b *pebble.Batch) error {
	it, err := b.NewIter(&pebble.IterOptions{LowerBound: layout.Event(t.Target, t.First), UpperBound: append(layout.Event(t.Target, t.Last), 0)})
	if err != nil {
		return err
	}
	var rows [][]byte
	for ok := it.First(); ok; ok = it.Next() {
		rows = append(rows, append([]byte(nil), it.Key()...))
	}
	err = errors.Join(it.Error(), it.Close())
	for _, row := range rows {
		err = errors.Join(err, b.Delete(row, nil))
	}
	n := uint64(len(rows))
	return errors.Join(err, tally(b, t.Target, func(x *Box) {
		x.Waiting -= n
		if t.Dropped {
			x.Dropped += n
		} else {
			x.Told += n
		}
	}))
}

// Missed is a change that notes that a delivery waits for too long.
type Missed struct {
	Bucket, Key, ID string
	Destination     string
	Origin          *event.Origin
}

// Fields of a missed delivery; those of a version stand beside them.
const (
	fDestination fields.Number = 117
	fOrigin      fields.Number = 180
)

// Encode writes the change.
func (m *Missed) Encode(w *fields.Writer) {
	w.Text(fields.Bucket, m.Bucket)
	w.Text(fields.Key, m.Key)
	w.Text(fields.ID, m.ID)
	w.Text(fDestination, m.Destination)
	m.Origin.Encode(w, fOrigin)
}

// Read takes one field of what Encode wrote.
func (m *Missed) Read(f fields.Field) (err error) {
	switch f.Number {
	case fields.Bucket:
		m.Bucket = f.Text()
	case fields.Key:
		m.Key = f.Text()
	case fields.ID:
		m.ID = f.Text()
	case fDestination:
		m.Destination = f.Text()
	case fOrigin:
		m.Origin, err = event.ReadOrigin(f.Bytes)
	}
	return err
}
