// Package catalog keeps small named records with revisions: accounts, roles,
// jobs, stacks. Each kind of record is a Table of one Go type, kept as JSON.
package catalog

import (
	"context"
	"encoding/json"
	"errors"

	"twinbucket/fault"
	"twinbucket/internal/store"
)

// Any as a revision means whatever is there, or nothing.
const Any = store.AnyRevision

// Catalog is the set of tables of one store.
type Catalog struct{ s *store.Store }

// New returns the catalog of a store.
func New(s *store.Store) *Catalog { return &Catalog{s} }

// Change is a change of a record that is made together with others; the tables
// make them.
type Change = store.RecordChange

// Commit makes changes, each of another record, durably, all or none:
// fault.Conflict if one of the records was changed since.
func (c *Catalog) Commit(ctx context.Context, changes ...Change) error {
	return c.s.ChangeRecords(ctx, changes)
}

// Table is the records of one kind.
type Table[T any] struct {
	s    *store.Store
	kind string
}

// Record is one record of a table.
type Record[T any] struct {
	Name     string
	Value    T
	Revision uint64
}

// Of returns the table of a kind; kinds are short words and never change, for
// they are on disk.
func Of[T any](c *Catalog, kind string) *Table[T] { return &Table[T]{c.s, kind} }

func (t *Table[T]) decode(r store.Record) (Record[T], error) {
	out := Record[T]{Name: r.Name, Revision: r.Revision}
	err := json.Unmarshal(r.Value, &out.Value)
	return out, fault.Wrap("catalog.get", t.kind+" "+r.Name, err)
}

// Get returns a record and its revision; fault.NotFound if there is none.
func (t *Table[T]) Get(name string) (T, uint64, error) {
	r, err := t.s.Record(t.kind, name)
	if err != nil {
		var none T
		return none, 0, err
	}
	out, err := t.decode(r)
	return out.Value, out.Revision, err
}

// List returns the records whose names begin with prefix and sort behind
// after, at most max of them in the order of their names, and whether there
// are more.
func (t *Table[T]) List(prefix, after string, max int) ([]Record[T], bool, error) {
	rs, more, err := t.s.Records(t.kind, prefix, after, max)
	if err != nil {
		return nil, false, err
	}
	out := make([]Record[T], len(rs))
	for i, r := range rs {
		if out[i], err = t.decode(r); err != nil {
			return nil, false, err
		}
	}
	return out, more, nil
}

// Put stores a record durably and returns its new revision. revision is the
// one the caller saw last: 0 if there must be none; fault.Conflict if the
// record was changed since.
func (t *Table[T]) Put(ctx context.Context, name string, v T, revision uint64) (uint64, error) {
	c, err := t.Putting(name, v, revision)
	if err != nil {
		return 0, err
	}
	return t.s.PutRecord(ctx, t.kind, name, c.Value, revision)
}

// Putting is the change that Put makes.
func (t *Table[T]) Putting(name string, v T, revision uint64) (Change, error) {
	data, err := json.Marshal(v)
	return Change{Kind: t.kind, Name: name, Value: data, Revision: revision}, fault.Wrap("catalog.put", t.kind+" "+name, err)
}

// Deleting is the change that Delete makes.
func (t *Table[T]) Deleting(name string, revision uint64) Change {
	return Change{Kind: t.kind, Name: name, Remove: true, Revision: revision}
}

// Delete removes a record of the given revision.
func (t *Table[T]) Delete(ctx context.Context, name string, revision uint64) error {
	return t.s.DeleteRecord(ctx, t.kind, name, revision)
}

// Update changes a record: change may be called again if another change came
// in between.
func (t *Table[T]) Update(ctx context.Context, name string, change func(*T) error) error {
	for {
		v, revision, err := t.Get(name)
		if err != nil {
			return err
		}
		if err := change(&v); err != nil {
			return err
		}
		if _, err = t.Put(ctx, name, v, revision); !errors.Is(err, fault.Conflict) {
			return err
		}
	}
}
