package store

import (
	"context"
	"errors"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"twinbucket/fault"
	"twinbucket/internal/bodies"
	"twinbucket/internal/checkpoint"
	"twinbucket/internal/journal"
	"twinbucket/internal/layout"
	"twinbucket/internal/scan"
	"twinbucket/internal/span"
)

const (
	// compactEvery is how many bytes are journaled, or lose their last use, before
	// compaction looks at the journal again; a quarter of the journal if that is more.
	compactEvery = 1 << 30
	// mostMoved bounds the bytes of bodies that one compaction moves.
	mostMoved = 1 << 30
	// moveTogether is how many bytes of bodies are moved in one append. Clients'
	// records wait behind it.
	moveTogether = 1 << 20
	// maxCells bounds the memory in which measure tells shared bodies, in bits.
	maxCells = 256 << 20
)

// Compacted says what a compaction did.
type Compacted struct {
	Segments int   // that were dropped
	Freed    int64 // bytes of the journal
	Moved    int64 // bytes of bodies that were appended again
}

func (s *Store) startCompaction() {
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.planCompaction()
	if len(s.leftSpans()) > 0 || len(s.spans.Load().Closing) > 0 {
		s.wakeCompaction() // a crash cut one off
	}
	s.background.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-s.compactWake:
			}
			done, err := s.Compact(ctx)
			switch {
			case ctx.Err() != nil:
			case err != nil:
				s.opt.Log.Error("compaction of the journal failed; nothing was lost, it will be tried again", "dir", s.dir, "cause", err)
			case done.Segments > 0:
				s.opt.Log.Info("compacted the journal", "segments", done.Segments, "freed", done.Freed, "moved", done.Moved)
			}
		}
	})
}

// wakeCompaction has compaction look at the journal.
func (s *Store) wakeCompaction() {
	select {
	case s.compactWake <- struct{}{}:
	default: // it is awake
	}
}

// planCompaction says when the next one is due.
func (s *Store) planCompaction() {
	size := int64(0)
	for _, seg := range s.journal.Segments() {
		size += seg.Size()
	}
	s.compactAt.Store(max(s.opt.compactEvery, size/4))
}

// Compact drops the segments of the journal of which more than half is no
// longer used, after moving what is. It runs by itself when enough was written
// or deleted; clients are served meanwhile.
func (s *Store) Compact(ctx context.Context) (Compacted, error) {
	s.compactMu.Lock()
	defer s.compactMu.Unlock()
	defer s.planCompaction()
	c := &compaction{s: s, moving: make(map[journal.Position]bool)}
	err := c.run(ctx)
	return c.done, fault.Wrap("store.compact", s.dir, err)
}

// compaction is one run.
type compaction struct {
	s       *Store
	snap    *pebble.Snapshot
	at      journal.Position // of snap
	rows    int64            // bytes of the rows of snap
	victims []journal.Segment
	done    Compacted
	whole   bool // drop segments however much of them is used

	moves    []*journal.Record         // to be appended together
	moving   map[journal.Position]bool // bodies in moves
	moveSize int64
}

func (c *compaction) run(ctx context.Context) error {
	s := c.s
	c.snap = s.db.NewSnapshot()
	defer func() { _ = c.snap.Close() }() // of memory
	at, err := scan.Uint(c.snap, layout.Applied)
	if err != nil {
		return err
	}
	c.at = journal.Position(at)
	// What is to be dropped must not be wanted again by a start after a crash.
	if err := s.flushIndex(ctx); err != nil {
		return err
	}
	if err := c.choose(ctx); err != nil {
		return err
	}
	if err := c.checkpoint(ctx); err != nil {
		return err
	}
	if len(c.victims) == 0 && len(s.spans.Load().Closing) == 0 {
		return nil
	}
	if err := c.stage(ctx, stageBegin); err != nil || len(c.victims) == 0 {
		return err
	}
	// What points to them now; what comes to do so later is late.
	now := s.db.NewSnapshot()
	defer func() { _ = now.Close() }()
	for _, kind := range []byte{layout.KindPart, layout.KindVersion, layout.KindDetail} {
		if err := scan.Each(ctx, now, []byte{kind}, func(row, value []byte) error { return c.move(ctx, row, value) }); err != nil {
			return err
		}
	}
	if err := c.moveLate(ctx); err != nil {
		return err
	}
	if err := c.stage(ctx, stageRetire); err != nil {
		return err
	}
	if err := c.moveLate(ctx); err != nil {
		return err
	}
	// Only an index that is on the disk points to nothing in them.
	if err := s.flushIndex(ctx); err != nil {
		return err
	}
	if err := c.stage(ctx, stageDrop); err != nil {
		return err
	}
	for _, v := range c.victims {
		if err := s.journal.Drop(v); err != nil {
			return err
		}
		c.done.Segments++
		c.done.Freed += v.Size()
	}
	return nil
}

func (c *compaction) stage(ctx context.Context, stage int) error {
	return c.s.do(ctx, &stageCommand{stage: stage, spans: c.victims}, nil)
}

// flushIndex puts the index on the disk.
func (s *Store) flushIndex(ctx context.Context) error {
	flushed, err := s.db.AsyncFlush()
	if err != nil {
		return err
	}
	select {
	case <-flushed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// leftSpans are the segments that a compaction retired before it was cut off.
func (s *Store) leftSpans() []journal.Segment {
	sp := s.spans.Load()
	var out []journal.Segment
	for _, seg := range s.journal.Segments() {
		if span.Within(sp.Retired, seg.Start) && !span.Within(sp.Dropped, seg.Start) {
			out = append(out, seg)
		}
	}
	return out
}

// choose finds the segments to drop: those that a crash left, and as many of
// the emptiest as may be moved at a time.
func (c *compaction) choose(ctx context.Context) error {
	segments := c.s.journal.Segments()
	used, err := c.measure(ctx, segments)
	if err != nil {
		return err
	}
	c.victims = c.s.leftSpans()
	type candidate struct {
		journal.Segment
		used int64
	}
	var all []candidate
	for i, seg := range segments[:max(len(segments)-1, 0)] {
		if seg.End <= c.at && (c.whole || used[i] <= seg.Size()/2) && !slices.Contains(c.victims, seg) {
			all = append(all, candidate{seg, used[i]})
		}
	}
	slices.SortFunc(all, func(a, b candidate) int { return int(min(1, max(-1, a.used-b.used))) })
	moved, most := int64(0), int64(mostMoved)
	if c.s.reserve.Short() {
		most = 0 // moving takes room
	}
	for _, v := range all {
		if moved += v.used; moved > most {
			break
		}
		c.victims = append(c.victims, v.Segment)
	}
	return nil
}

// measure returns how many bytes of each segment are bodies that are used. A
// body that several versions share counts once: cells of the journal in which
// one begins are marked.
func (c *compaction) measure(ctx context.Context, segments []journal.Segment) ([]int64, error) {
	used := make([]int64, len(segments))
	size := int64(0)
	first := make([]int64, len(segments)) // the place of each segment when they are joined
	for i, seg := range segments {
		first[i] = size
		size += seg.Size()
	}
	cell := max(64, size/maxCells+1)
	seen := make([]uint64, size/cell/64+1)
	err := scan.Each(ctx, c.snap, nil, func(row, value []byte) error {
		c.rows += int64(len(row) + len(value))
		body, err := extentsOf(row, value)
		for _, e := range body {
			i, ok := slices.BinarySearchFunc(segments, e.Pos, func(seg journal.Segment, pos journal.Position) int {
				switch {
				case seg.End <= pos:
					return -1
				case seg.Start > pos:
					return 1
				}
				return 0
			})
			if e.File != 0 || !ok {
				continue
			}
			k := (first[i] + int64(e.Pos-segments[i].Start)) / cell
			if seen[k/64]&(1<<(k%64)) == 0 {
				seen[k/64] |= 1 << (k % 64)
				used[i] += e.Whole
			}
		}
		return err
	})
	return used, err
}

// checkpoint makes sure that the index can be rebuilt without the segments that
// are to be dropped. If that costs more than is won, or there is no room for it,
// nothing is dropped but what the last checkpoint covers.
func (c *compaction) checkpoint(ctx context.Context) error {
	all, err := c.s.copies.All()
	if err != nil {
		return err
	}
	covered := journal.Position(0)
	if len(all) > 0 {
		covered = all[0]
	}
	freed := int64(0)
	for _, v := range c.victims {
		if v.End > covered {
			freed += v.Size()
		}
	}
	if freed == 0 {
		return nil
	}
	if freed >= c.rows/2 {
		err := c.s.copies.Write(ctx, c.at, func(each checkpoint.Each) error { return scan.Each(ctx, c.snap, nil, each) })
		if !errors.Is(err, fault.NoSpace) {
			return err
		}
		c.s.opt.Log.Warn("no room for a new checkpoint: less of the journal can be dropped", "cause", err)
	}
	c.victims = slices.DeleteFunc(c.victims, func(v journal.Segment) bool { return v.End > covered })
	return nil
}

// move moves the bodies that a row has in the segments to be dropped.
func (c *compaction) move(ctx context.Context, row, value []byte) error {
	body, err := extentsOf(row, value)
	if err != nil {
		return err
	}
	for _, e := range body {
		if e.File != 0 || !span.Within(c.victims, e.Pos) {
			continue
		}
		err := c.moveBody(&moveCommand{row: slices.Clone(row), from: e.Pos}, e)
		if errors.Is(err, fault.Damaged) {
			c.keep(e.Pos, err)
			continue
		}
		if err != nil {
			return err
		}
	}
	return c.flush(ctx, moveTogether)
}

// keep leaves a segment where it is: it holds a body that is damaged, for which
// there may be other means.
func (c *compaction) keep(pos journal.Position, why error) {
	c.s.opt.Log.Error("a segment of the journal is not compacted", "position", uint64(pos), "cause", why)
	// A copy: the committer looks at the list that the segments were begun with.
	c.victims = slices.DeleteFunc(slices.Clone(c.victims), func(v journal.Segment) bool { return v.Start <= pos && pos < v.End })
}

// moveBody moves one reference; the body itself moves with the first.
func (c *compaction) moveBody(m *moveCommand, e bodies.Extent) error {
	moved, err := scan.Uint(c.s.db, layout.Moved(e.Pos))
	if err != nil {
		return err
	}
	var data []byte
	if moved == 0 && !c.moving[e.Pos] {
		if data, err = c.s.bodies.Stored(e); err != nil {
			return err
		}
		m.inline = e.Whole
		c.done.Moved += e.Whole
		c.moveSize += e.Whole
		c.moving[e.Pos] = true
	}
	c.moves = append(c.moves, record(&pendingCommand{command: m}, data))
	c.moveSize += int64(len(m.row))
	return nil
}

// flush appends the moves that wait if they have at least some bytes.
func (c *compaction) flush(ctx context.Context, atLeast int64) error {
	if len(c.moves) == 0 || c.moveSize < atLeast {
		return nil
	}
	if err := c.s.journal.Append(ctx, c.moves...); err != nil {
		return err
	}
	for _, r := range c.moves {
		if err := r.Owner.(*pendingCommand).err; err != nil {
			return err
		}
	}
	c.moves, c.moveSize = c.moves[:0], 0
	clear(c.moving)
	return nil
}

// moveLate moves what came to point into the segments since they were begun.
func (c *compaction) moveLate(ctx context.Context) error {
	if err := c.flush(ctx, 0); err != nil {
		return err
	}
	for rows := c.s.late.take(); len(rows) > 0; rows = c.s.late.take() {
		for _, row := range withDetails(rows) {
			value, closer, err := c.s.db.Get(row)
			if errors.Is(err, pebble.ErrNotFound) {
				continue
			}
			if err == nil {
				err = errors.Join(c.move(ctx, row, value), closer.Close())
			}
			if err != nil {
				return err
			}
		}
		if err := c.flush(ctx, 0); err != nil {
			return err
		}
	}
	return nil
}

// withDetails adds the rows of the details that versions among rows may have.
func withDetails(rows [][]byte) [][]byte {
	all := slices.Clone(rows)
	for _, row := range rows {
		if row[0] == layout.KindVersion {
			detail := slices.Clone(row)
			detail[0] = layout.KindDetail
			all = append(all, detail)
		}
	}
	return all
}
