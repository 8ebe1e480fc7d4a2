package store

import (
	"encoding/binary"
	"errors"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"twinbucket/fault"
	"twinbucket/internal/bodies"
	"twinbucket/internal/fields"
	"twinbucket/internal/journal"
	"twinbucket/internal/layout"
	"twinbucket/internal/span"
	"twinbucket/object"
)

// Compaction drops segments of the journal after the inline bodies in them
// that are still used were appended again. Like everything it is commands:
//
//	begin    the segments are closing: bodies in them begin to move
//	move     one reference to one body now points to where the body is now
//	retire   the segments are closed: no new reference to them is taken
//	drop     nothing points to them any more: their files may go
//
// A crash leaves them closing or retired, and compaction begins with them
// again. Copies and replicas are made from a version that was read before; so
// a reference into a closing segment may still come in (see adopt).
const (
	stageBegin = iota + 1
	stageRetire
	stageDrop
)

// Fields of the commands of compaction.
const (
	fStage fields.Number = iota + 121
	fSpan
	fRow
	fFrom
)

// loadSpans reads the row of spans.
func (s *Store) loadSpans() error {
	c := new(span.Set)
	v, closer, err := s.db.Get(layout.Spans)
	if err == nil {
		err = errors.Join(c.Read(v), closer.Close())
	} else if errors.Is(err, pebble.ErrNotFound) {
		err = nil
	}
	s.spans.Store(c)
	return fault.Wrap("store.open", s.dir, err)
}

// stageCommand takes compaction of some segments one stage on.
type stageCommand struct {
	stage int
	spans []journal.Segment
}

func (c *stageCommand) number() byte { return cmdStage }

func (c *stageCommand) encode(w *fields.Writer) {
	w.Uint(fStage, uint64(c.stage))
	for _, s := range c.spans {
		span.Write(w, fSpan, s)
	}
}

func (c *stageCommand) decode(f fields.Field) error {
	switch f.Number {
	case fStage:
		c.stage = int(f.Uint)
	case fSpan:
		s, err := span.Read(f.Bytes)
		c.spans = append(c.spans, s)
		return err
	}
	return nil
}

func (c *stageCommand) apply(a *applier, _, _ journal.Position) error {
	next := *a.s.spans.Load()
	switch c.stage {
	case stageBegin:
		next.Closing = c.spans
		a.forgetMoves()
		a.s.late.take()
	case stageRetire:
		next.Closing, next.Retired = nil, span.Join(next.Retired, c.spans...)
	case stageDrop:
		next.Dropped = span.Join(next.Dropped, c.spans...)
		a.forgetMoves()
	}
	a.set(layout.Spans, next.Encode())
	// Only commands look at it, which come one after the other, and compaction,
	// which waits for this one.
	a.s.spans.Store(&next)
	return a.broken
}

func (a *applier) forgetMoves() {
	_ = a.fail(a.b.DeleteRange([]byte{layout.KindMoved}, []byte{layout.KindMoved + 1}, nil))
}

// moveCommand makes a row point to where a body is now: behind the command, or
// where an earlier move put it.
type moveCommand struct {
	row    []byte
	from   journal.Position
	inline int64
}

func (c *moveCommand) number() byte { return cmdMove }

func (c *moveCommand) encode(w *fields.Writer) {
	w.Bytes(fRow, c.row)
	w.Uint(fFrom, uint64(c.from))
	w.Uint(fInline, uint64(c.inline))
}

func (c *moveCommand) decode(f fields.Field) error {
	switch f.Number {
	case fRow:
		c.row = slices.Clone(f.Bytes)
	case fFrom:
		c.from = journal.Position(f.Uint)
	case fInline:
		c.inline = int64(f.Uint)
	}
	return nil
}

func (c *moveCommand) apply(a *applier, _, body journal.Position) error {
	to := body
	if c.inline == 0 {
		var moved bool
		if to, moved = a.moved(c.from); !moved {
			return errMoved
		}
	} else {
		a.set(layout.Moved(c.from), binary.AppendUvarint(nil, uint64(to)))
	}
	v, closer, err := a.b.Get(c.row)
	if errors.Is(err, pebble.ErrNotFound) {
		return a.broken // deleted meanwhile
	}
	if a.fail(err) != nil {
		return a.broken
	}
	value, changed, err := pointTo(c.row, v, c.from, to)
	if a.fail(errors.Join(err, closer.Close())) == nil && changed {
		a.set(c.row, value)
	}
	return a.broken
}

// moved returns where the body at from was moved to.
func (a *applier) moved(from journal.Position) (journal.Position, bool) {
	v, closer, err := a.b.Get(layout.Moved(from))
	if err != nil {
		if !errors.Is(err, pebble.ErrNotFound) {
			_ = a.fail(err)
		}
		return 0, false
	}
	to, _ := binary.Uvarint(v)
	_ = a.fail(closer.Close())
	return journal.Position(to), true
}

// errMoved says that a body is no longer where a command's caller found it.
var errMoved = &fault.Error{Op: "store.apply", Kind: fault.Busy, Code: "SlowDown", Message: "The object was moved on the disk while it was copied. Please try again."}

// adopt returns a body that row is to share with other versions. It was looked
// up before the command came here, and may have been deleted or moved since:
// adopt finds where it is now.
func (a *applier) adopt(row []byte, body bodies.Body) (bodies.Body, error) {
	sp := a.s.spans.Load()
	own := false
	for i, e := range body {
		if e.File != 0 {
			if !a.has(layout.File(e.File)) {
				return nil, object.NoSuchVersion("")
			}
			continue
		}
		closing := span.Within(sp.Closing, e.Pos)
		if !closing && !span.Within(sp.Retired, e.Pos) {
			continue
		}
		to, moved := a.moved(e.Pos)
		switch {
		case moved:
			if !own {
				body, own = slices.Clone(body), true // the caller's may be read meanwhile
			}
			body[i].Pos = to
		case closing:
			a.s.late.add(row)
		default:
			return nil, errMoved
		}
	}
	return body, nil
}

// lateRows are rows that came to point into closing segments behind the back
// of compaction.
type lateRows struct {
	mu   sync.Mutex
	rows [][]byte
}

func (l *lateRows) add(row []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rows = append(l.rows, row)
}

// take returns what was added and forgets it.
func (l *lateRows) take() [][]byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	rows := l.rows
	l.rows = nil
	return rows
}

// extentsOf returns the bodies that a row of the index points to.
func extentsOf(row, value []byte) (bodies.Body, error) {
	var out bodies.Body
	if row[0] != layout.KindVersion && row[0] != layout.KindDetail && row[0] != layout.KindPart {
		return nil, nil
	}
	err := fields.Each(value, func(f fields.Field) error {
		if f.Number != fExtent {
			return nil
		}
		e, err := bodies.ReadExtent(f.Bytes)
		out = append(out, e)
		return err
	})
	return out, err
}

// pointTo returns the row's value with the bodies at from pointing to to.
func pointTo(row, value []byte, from, to journal.Position) ([]byte, bool, error) {
	var w fields.Writer
	changed := false
	move := func(body bodies.Body) {
		for i := range body {
			if body[i].File == 0 && body[i].Pos == from {
				body[i].Pos, changed = to, true
			}
		}
	}
	switch row[0] {
	case layout.KindVersion:
		o, err := readObject(value)
		if err != nil {
			return nil, false, err
		}
		move(o.body)
		o.encode(&w)
	case layout.KindDetail:
		o := new(Object)
		if err := fields.Each(value, o.decode); err != nil {
			return nil, false, err
		}
		move(o.body)
		o.encodeDetail(&w)
	case layout.KindPart:
		c := new(partCommand)
		if err := fields.Each(value, c.decode); err != nil {
			return nil, false, err
		}
		move(c.body)
		c.encode(&w)
	}
	return w.Encoded(), changed, nil
}
