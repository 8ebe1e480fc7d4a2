// Package span remembers which parts of the journal its compaction is about.
package span

import (
	"slices"

	"twinbucket/internal/fields"
	"twinbucket/internal/journal"
)

// Set is the parts of the journal that compaction is about.
type Set struct {
	Closing []journal.Segment // begun
	Retired []journal.Segment // retired or dropped, joined
	Dropped []journal.Segment // joined
}

// Within reports whether a position is in one of the spans.
func Within(list []journal.Segment, pos journal.Position) bool {
	for _, s := range list {
		if s.Start <= pos && pos < s.End {
			return true
		}
	}
	return false
}

// Join adds spans to a sorted list, in which none touches the next.
func Join(list []journal.Segment, add ...journal.Segment) []journal.Segment {
	all := slices.Concat(list, add)
	slices.SortFunc(all, func(a, b journal.Segment) int {
		if a.Start < b.Start {
			return -1
		}
		return 1
	})
	var out []journal.Segment
	for _, s := range all {
		if n := len(out); n > 0 && s.Start <= out[n-1].End {
			out[n-1].End = max(out[n-1].End, s.End)
		} else {
			out = append(out, s)
		}
	}
	return out
}

// Fields of a set.
const (
	fClosing fields.Number = iota + 125
	fRetired
	fDropped
)

// Write writes a span as one field.
func Write(w *fields.Writer, n fields.Number, s journal.Segment) {
	w.Message(n, func(w *fields.Writer) { w.Uint(1, uint64(s.Start)); w.Uint(2, uint64(s.End)) })
}

// Read reads what Write wrote.
func Read(b []byte) (s journal.Segment, err error) {
	err = fields.Each(b, func(f fields.Field) error {
		switch f.Number {
		case 1:
			s.Start = journal.Position(f.Uint)
		case 2:
			s.End = journal.Position(f.Uint)
		}
		return nil
	})
	return s, err
}

// Encode returns the set as its row has it.
func (c *Set) Encode() []byte {
	var w fields.Writer
	for _, s := range c.Closing {
		Write(&w, fClosing, s)
	}
	for _, s := range c.Retired {
		Write(&w, fRetired, s)
	}
	for _, s := range c.Dropped {
		Write(&w, fDropped, s)
	}
	return w.Encoded()
}

// Read adds what Encode wrote.
func (c *Set) Read(b []byte) error {
	return fields.Each(b, func(f fields.Field) error {
		s, err := Read(f.Bytes)
		switch f.Number {
		case fClosing:
			c.Closing = append(c.Closing, s)
		case fRetired:
			c.Retired = append(c.Retired, s)
		case fDropped:
			c.Dropped = append(c.Dropped, s)
		}
		return err
	})
}
