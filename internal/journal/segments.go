package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"sort"
	"sync/atomic"

	"twinbucket/fault"
	"twinbucket/internal/vfs"
)

// ErrDropped is the failure of a read from a segment that was dropped: what
// was wanted of it stands elsewhere by now.
var ErrDropped = errors.New("the segment of the journal was dropped")

// segment is a file of the log, open for reading.
type segment struct {
	start Position
	file  vfs.File
	users atomic.Int64 // reads under way, and one while it is in the log
}

func newSegment(start Position, file vfs.File) *segment {
	s := &segment{start: start, file: file}
	s.users.Store(1)
	return s
}

// leave ends one use; the last one closes the file.
func (s *segment) leave() error {
	if s.users.Add(-1) == 0 {
		return s.file.Close()
	}
	return nil
}

// Segment is a piece of the log, from Start up to End.
type Segment struct{ Start, End Position }

// Size returns the segment's size in bytes.
func (s Segment) Size() int64 { return int64(s.End - s.Start) }

// Segments lists the segments, by position. The last one is being written.
func (j *Journal) Segments() []Segment {
	j.segMu.RLock()
	defer j.segMu.RUnlock()
	end := j.End() // not before the lock: a segment may have been begun behind it
	out := make([]Segment, len(j.segments))
	for i, s := range j.segments {
		out[i] = Segment{s.start, j.endOf(i, end)}
	}
	return out
}

// endOf returns where a segment ends: where the next one started when the log
// was whole, which the names of the files no longer tell once it was dropped.
func (j *Journal) endOf(i int, end Position) Position {
	if i == len(j.segments)-1 {
		return end
	}
	next := j.segments[i+1].start
	k := sort.Search(len(j.gaps), func(k int) bool { return j.gaps[k].Start > j.segments[i].start })
	if k < len(j.gaps) {
		next = min(next, j.gaps[k].Start)
	}
	return next
}

// Drop removes the segments that lie within span for good. The caller keeps
// what it still wants of them, and will never ask to replay them. A read that
// is under way ends first; later ones fail with ErrDropped. The segment that is
// being written is never dropped.
func (j *Journal) Drop(span Segment) error {
	j.segMu.Lock()
	end := j.End()
	var dropped, kept []*segment
	for i, s := range j.segments {
		if i < len(j.segments)-1 && span.Start <= s.start && j.endOf(i, end) <= span.End {
			dropped = append(dropped, s)
		} else {
			kept = append(kept, s)
		}
	}
	j.segments = kept
	j.addGap(span)
	j.segMu.Unlock()
	var errs []error
	for _, s := range dropped {
		errs = append(errs, s.leave(), j.remove(s.start))
	}
	if len(dropped) > 0 {
		errs = append(errs, vfs.SyncDir(j.fs, j.dir))
	}
	return fault.Wrap("journal.drop", j.dir, errors.Join(errs...))
}

// remove removes a segment's file; one that is gone is removed already.
func (j *Journal) remove(start Position) error {
	if err := j.fs.Remove(j.path(start)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// addGap remembers a span that was dropped; the caller holds segMu.
func (j *Journal) addGap(span Segment) {
	j.gaps = append(j.gaps, span)
	slices.SortFunc(j.gaps, func(a, b Segment) int {
		switch {
		case a.Start < b.Start:
			return -1
		case a.Start > b.Start:
			return 1
		}
		return 0
	})
}

// inGap reports whether pos was dropped; the caller holds segMu.
func (j *Journal) inGap(pos Position) bool {
	k := sort.Search(len(j.gaps), func(k int) bool { return j.gaps[k].Start > pos })
	return k > 0 && pos < j.gaps[k-1].End
}

// ReadAt fills p with the log's bytes from pos on. Callers read within one
// record, whose position the committer gave.
func (j *Journal) ReadAt(p []byte, pos Position) error {
	j.segMu.RLock()
	i := sort.Search(len(j.segments), func(i int) bool { return j.segments[i].start > pos })
	if i == 0 || j.inGap(pos) {
		closed, gap := len(j.segments) == 0, j.inGap(pos)
		j.segMu.RUnlock()
		switch {
		case closed:
			return &fault.Error{Op: "journal.read", Kind: fault.Closed}
		case gap:
			return &fault.Error{Op: "journal.read", Kind: fault.NotFound, Thing: fmt.Sprintf("position %d", pos), Err: ErrDropped}
		}
		return lost(pos, "a segment of the journal is missing")
	}
	s := j.segments[i-1]
	s.users.Add(1)
	j.segMu.RUnlock()
	_, err := s.file.ReadAt(p, int64(pos-s.start))
	if errors.Is(err, io.EOF) {
		// Not passed on: a reader would take it for the end of what it reads.
		err = lost(pos, "a segment of the journal is shorter than it was")
	}
	return fault.Wrap("journal.read", fmt.Sprintf("position %d", pos), errors.Join(err, s.leave()))
}

// unreadable is what a disk that cannot be read is for who looks for damage.
func unreadable(at Position, err error) error {
	return &fault.Error{Kind: fault.Damaged, Thing: fmt.Sprintf("position %d", at), Message: "cannot be read: " + err.Error()}
}

func lost(pos Position, hint string) error {
	return &fault.Error{Op: "journal.read", Kind: fault.Damaged, Thing: fmt.Sprintf("position %d", pos), Hint: hint}
}

// Verify reads every frame of a segment and compares it with its checksum. The
// error, of kind fault.Damaged, names the position of the first that differs or
// cannot be read.
// read is called after each frame with the bytes that it has; its error ends it.
func (j *Journal) Verify(ctx context.Context, seg Segment, read func(bytes int) error) error {
	f, err := j.fs.Open(j.path(seg.Start))
	if err != nil {
		return fault.Wrap("journal.verify", j.path(seg.Start), err)
	}
	err = j.verify(ctx, f, seg, read)
	return fault.Wrap("journal.verify", j.path(seg.Start), errors.Join(err, f.Close()))
}

func (j *Journal) verify(ctx context.Context, f vfs.File, seg Segment, read func(bytes int) error) error {
	format, err := formatOf(f, seg.Start)
	if err != nil {
		return unreadable(seg.Start, err)
	}
	if format == nil {
		return damaged(j.path(seg.Start), seg.Start, "the segment's header is wrong")
	}
	at := seg.Start + headerSize
	r := sectionReader(f, int64(at-seg.Start))
	var payload []byte
	for at < seg.End {
		if err := ctx.Err(); err != nil {
			return err
		}
		_, err := format.read(r, at, &payload)
		if errors.Is(err, errBadFrame) {
			return damaged(j.path(seg.Start), at, "a record fails its checksum")
		}
		if err != nil {
			return unreadable(at, err)
		}
		size := format.frameSize() + len(payload)
		at += Position(size)
		if err := read(size); err != nil {
			return err
		}
	}
	return nil
}
