package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"twinbucket/fault"
	"twinbucket/internal/fields"
	"twinbucket/internal/journal"
	"twinbucket/internal/layout"
)

// AnyRevision as a record's revision means whatever is there, or nothing.
const AnyRevision = ^uint64(0)

// Record is a small named record: a role, a job, a stack.
type Record struct {
	Name     string
	Value    []byte
	Revision uint64
}

// Record returns a record; fault.NotFound if there is none.
func (s *Store) Record(kind, name string) (Record, error) {
	v, closer, err := s.db.Get(layout.Record(kind, name))
	if errors.Is(err, pebble.ErrNotFound) {
		return Record{}, &fault.Error{Op: "store.record", Kind: fault.NotFound, Thing: kind + " " + name}
	}
	if err != nil {
		return Record{}, fault.Wrap("store.record", name, err)
	}
	revision, n := binary.Uvarint(v)
	r := Record{Name: name, Value: bytes.Clone(v[max(n, 0):]), Revision: revision}
	return r, closer.Close()
}

// Records returns the records of a kind whose names begin with prefix and sort
// behind after, at most max, and whether there are more.
func (s *Store) Records(kind, prefix, behind string, max int) ([]Record, bool, error) {
	lower := layout.Record(kind, prefix)
	upper := layout.After(lower)
	if behind != "" && behind >= prefix {
		lower = append(layout.Record(kind, behind), 0)
	}
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return nil, false, fault.Wrap("store.records", kind, err)
	}
	var out []Record
	for ok := it.First(); ok && len(out) <= max; ok = it.Next() {
		revision, n := binary.Uvarint(it.Value())
		out = append(out, Record{
			Name:     strings.TrimPrefix(string(it.Key()), string(layout.Record(kind, ""))),
			Value:    bytes.Clone(it.Value()[n:]),
			Revision: revision,
		})
	}
	if err := errors.Join(it.Error(), it.Close()); err != nil {
		return nil, false, fault.Wrap("store.records", kind, err)
	}
	if len(out) > max {
		return out[:max], true, nil
	}
	return out, false, nil
}

// PutRecord stores a record and returns its new revision. revision is what the
// caller last saw: 0 means that there must be none; fault.Conflict if another
// change came in between.
func (s *Store) PutRecord(ctx context.Context, kind, name string, value []byte, revision uint64) (uint64, error) {
	c := &recordCommand{kind: kind, name: name, value: value, revision: revision}
	err := s.do(ctx, c, nil)
	return c.made, err
}

// DeleteRecord removes a record. What is not there is deleted already, unless
// revision names one.
func (s *Store) DeleteRecord(ctx context.Context, kind, name string, revision uint64) error {
	return s.do(ctx, &recordCommand{kind: kind, name: name, remove: true, revision: revision}, nil)
}

// RecordChange is one of the changes that ChangeRecords makes.
type RecordChange struct {
	Kind, Name string
	Value      []byte
	Remove     bool   // the record; Value is not looked at
	Revision   uint64 // that the record has to have, as for PutRecord
}

// ChangeRecords makes changes, each of another record, all or none:
// fault.Conflict if one of the records has another revision.
func (s *Store) ChangeRecords(ctx context.Context, changes []RecordChange) error {
	c := &recordsCommand{all: make([]recordCommand, len(changes))}
	for i, ch := range changes {
		c.all[i] = recordCommand{kind: ch.Kind, name: ch.Name, value: ch.Value, remove: ch.Remove, revision: ch.Revision}
	}
	return s.do(ctx, c, nil)
}

// recordCommand puts or removes a record.
type recordCommand struct {
	kind, name string
	value      []byte
	revision   uint64
	remove     bool
	made       uint64
}

func (c *recordCommand) number() byte { return cmdRecord }

func (c *recordCommand) encode(w *fields.Writer) {
	w.Text(fKind, c.kind)
	w.Text(fName, c.name)
	w.Uint(fRevision, c.revision)
	w.Bool(fRemove, c.remove)
	w.Bytes(fValue, c.value)
}

func (c *recordCommand) decode(f fields.Field) error {
	switch f.Number {
	case fKind:
		c.kind = f.Text()
	case fName:
		c.name = f.Text()
	case fRevision:
		c.revision = f.Uint
	case fRemove:
		c.remove = f.Bool()
	case fValue:
		c.value = bytes.Clone(f.Bytes)
	}
	return nil
}

func (c *recordCommand) apply(a *applier, at, _ journal.Position) error {
	if err := c.check(a); err != nil {
		return err
	}
	c.change(a, at)
	return a.broken
}

// check reports whether the record has the revision that it has to have.
func (c *recordCommand) check(a *applier) error {
	var have uint64
	v, closer, err := a.b.Get(layout.Record(c.kind, c.name))
	switch {
	case err == nil:
		have, _ = binary.Uvarint(v)
		_ = a.fail(closer.Close())
	case !errors.Is(err, pebble.ErrNotFound):
		return a.fail(err)
	}
	if c.revision != AnyRevision && c.revision != have {
		return errRevision
	}
	return a.broken
}

func (c *recordCommand) change(a *applier, at journal.Position) {
	row := layout.Record(c.kind, c.name)
	if c.remove {
		a.del(row)
		return
	}
	c.made = uint64(at)
	a.set(row, append(binary.AppendUvarint(nil, c.made), c.value...))
}

// recordsCommand changes several records, all or none.
type recordsCommand struct{ all []recordCommand }

func (c *recordsCommand) number() byte { return cmdRecords }

func (c *recordsCommand) encode(w *fields.Writer) {
	for i := range c.all {
		w.Message(fChange, c.all[i].encode)
	}
}

func (c *recordsCommand) decode(f fields.Field) error {
	if f.Number != fChange {
		return nil
	}
	var one recordCommand
	err := fields.Each(f.Bytes, one.decode)
	c.all = append(c.all, one)
	return err
}

func (c *recordsCommand) apply(a *applier, at, _ journal.Position) error {
	for i := range c.all {
		if err := c.all[i].check(a); err != nil {
			return err
		}
	}
	for i := range c.all {
		c.all[i].change(a, at)
	}
	return a.broken
}
