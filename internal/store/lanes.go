package store

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"twinbucket/fault"
	"twinbucket/internal/journal"
	"twinbucket/internal/layout"
	"twinbucket/internal/ledger"
	"twinbucket/internal/scan"
	"twinbucket/object"
)

// Lanes returns what replication has to do and has done, by source bucket,
// destination and rule; source "" means every bucket.
func (s *Store) Lanes(source string) []ledger.Entry { return s.ledger.Entries(source) }

// EachLane calls each for every lane, in no order.
func (s *Store) EachLane(each func(ledger.Lane, ledger.Counts)) { s.ledger.Each(each) }

// Waiting returns since when the first operation of a lane has waited; zero if
// none waits.
func (s *Store) Waiting(ctx context.Context, l ledger.Lane) (time.Time, error) {
	ps, err := s.Pending(ctx, l, 0, 0, 1)
	if err != nil || len(ps) == 0 {
		return time.Time{}, err
	}
	return ps[0].Delivery.Time, nil
}

// lane is the lane of one of a version's deliveries.
func (o *Object) lane(d *object.Delivery) ledger.Lane {
	return ledger.Lane{Source: o.Bucket, Destination: d.Bucket, Rule: d.Rule}
}

// pendingRow is the row of one of a version's deliveries that waits.
func (o *Object) pendingRow(d *object.Delivery) []byte {
	return layout.Pending(o.Bucket, d.Bucket, d.Rule, o.pendingAt)
}

// standing is what a delivery counts as for as long as it is as it is.
func (o *Object) standing(d *object.Delivery) (c ledger.Counts) {
	switch d.Status {
	case object.Pending:
		c.Pending = 1
		if d.Changed == 0 {
			c.PendingBytes = o.Size
		}
	case object.Failed:
		c.Failed = 1
	}
	return c
}

// stay reports whether what waited as before waits in the same lane as now.
func stay(before, now *object.Delivery) bool {
	return before.Status == object.Pending && now.Status == object.Pending && before.Bucket == now.Bucket && before.Rule == now.Rule
}

// refile brings the feed and the ledger from a version's deliveries as they
// were to what they are now. Those that begin to wait, or to wait for something
// newer, have their place in the feed at at; with at 0 the version keeps its place.
func (a *applier) refile(o *Object, before []object.Delivery, at journal.Position) {
	was := o.pendingAt
	if waits := object.Sum(o.Deliveries) == object.Pending; !waits {
		o.pendingAt = 0
	} else if at != 0 {
		o.pendingAt = at
	}
	for i := range before {
		d := &before[i]
		change := o.standing(d)
		change.Pending, change.PendingBytes, change.Failed = -change.Pending, -change.PendingBytes, -change.Failed
		a.s.ledger.Add(o.lane(d), change)
		same := func(now object.Delivery) bool { return stay(d, &now) }
		if d.Status == object.Pending && (was != o.pendingAt || !slices.ContainsFunc(o.Deliveries, same)) {
			a.del(layout.Pending(o.Bucket, d.Bucket, d.Rule, was))
		}
	}
	for i := range o.Deliveries {
		d := &o.Deliveries[i]
		change := o.standing(d)
		same := func(old object.Delivery) bool { return stay(&old, d) }
		if d.Status == object.Pending && (was != o.pendingAt || !slices.ContainsFunc(before, same)) {
			a.set(o.pendingRow(d), o.row())
			a.pending, change.Last = true, int64(o.pendingAt)
		}
		a.s.ledger.Add(o.lane(d), change)
	}
}

// restate sums up a version's deliveries, which were as before until now.
func (a *applier) restate(o *Object, before []object.Delivery, at journal.Position) {
	a.refile(o, before, at)
	o.SumUp()
}

// loadLanes reads the ledger from the index.
func (s *Store) loadLanes() error {
	return fault.Wrap("store.open", s.dir, scan.Each(context.Background(), s.db, []byte{layout.KindLane}, s.ledger.Load))
}

// filer gives the rows of an index without lanes to each, with lanes made from
// its versions: their counts begin there.
type filer struct {
	each   func(key, value []byte) error
	ledger *ledger.Ledger
}

func (f *filer) row(key, value []byte) error {
	switch key[0] {
	case layout.KindPending:
		return nil
	case layout.KindVersion:
		o, err := readObject(value)
		if err != nil {
			return err
		}
		for i := range o.Deliveries {
			d := &o.Deliveries[i]
			count := o.standing(d)
			if d.Status == object.Pending {
				count.Last = int64(o.pendingAt)
				err = errors.Join(err, f.each(o.pendingRow(d), o.row()))
			}
			f.ledger.Add(o.lane(d), count)
		}
		if err != nil {
			return err
		}
	}
	return f.each(key, value)
}

func (f *filer) end() (err error) {
	f.ledger.Rows(func(row, value []byte) { err = errors.Join(err, f.each(row, value)) }, func([]byte) {})
	return err
}

// pendingRows iterates over a lane behind place after, up to until.
func (s *Store) pendingRows(l ledger.Lane, after, until uint64) (*pebble.Iterator, error) {
	row := func(pos uint64) []byte {
		return layout.Pending(l.Source, l.Destination, l.Rule, journal.Position(pos))
	}
	if until == 0 {
		until = 1<<63 - 1
	}
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: row(after + 1), UpperBound: row(until + 1)})
	return it, fault.Wrap("store.pending", s.dir, err)
}

// place is where a pending row stands.
func place(row []byte) uint64 { return binary.BigEndian.Uint64(row[len(row)-8:]) }
