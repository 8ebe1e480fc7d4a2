package replicate

import (
	"context"
	"sync"
	"time"

	"twinbucket/internal/ledger"
	"twinbucket/internal/queue"
	"twinbucket/internal/store"
	"twinbucket/internal/wake"
)

// feeder cuts what waits into tasks. Source buckets take turns, and so do the
// lanes of a bucket; a lane that has share tasks in flight is passed over. So a
// lane with a million versions, or one whose tasks come back again and again,
// takes from the others no more than its turn.
type feeder struct {
	store *store.Store
	queue queue.Queue[Task]
	freed chan struct{} // holds something when a lane may be served again

	buckets []*turn
	lanes   map[ledger.Lane]*way

	mu     sync.Mutex
	flying map[ledger.Lane]int // tasks in flight
	idle   chan struct{}       // closed when there is none; nil at first
}

// turn is the lanes of one source bucket, and which of them is next.
type turn struct {
	source string
	ways   []*way
	next   int
}

// way is how far the feeder is in one lane.
type way struct {
	lane ledger.Lane
	at   uint64 // all up to here was made into tasks
	last uint64 // the place of what came last
}

func newFeeder(s *store.Store, q queue.Queue[Task]) *feeder {
	return &feeder{store: s, queue: q, freed: make(chan struct{}, 1), lanes: make(map[ledger.Lane]*way), flying: make(map[ledger.Lane]int)}
}

// run feeds the queue until ctx is done.
func (f *feeder) run(ctx context.Context) error {
	for {
		changed := f.store.Changed()
		for fed := true; fed; {
			fed = false
			f.look() // each round, so that a new lane waits for no more than one
			for _, t := range f.buckets {
				ok, err := f.serve(ctx, t)
				if err != nil {
					return err
				}
				fed = fed || ok
			}
		}
		select {
		case <-changed:
		case <-f.freed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// look takes note of lanes, and of what came last in each.
func (f *feeder) look() {
	f.store.EachLane(func(l ledger.Lane, c ledger.Counts) {
		w := f.lanes[l]
		if w == nil && c.Pending > 0 {
			w = &way{lane: l}
			f.lanes[l] = w
			f.join(w)
		}
		if w != nil {
			w.last = uint64(c.Last)
		}
	})
}

// join gives a lane its turn among those of its bucket.
func (f *feeder) join(w *way) {
	for _, t := range f.buckets {
		if t.source == w.lane.Source {
			t.ways = append(t.ways, w)
			return
		}
	}
	f.buckets = append(f.buckets, &turn{source: w.lane.Source, ways: []*way{w}})
}

// serve makes a task of the next lane of a bucket that has something to do, and
// reports whether there was one.
func (f *feeder) serve(ctx context.Context, t *turn) (bool, error) {
	for range t.ways {
		w := t.ways[t.next%len(t.ways)]
		t.next++
		if !f.may(w) {
			continue
		}
		until, n, err := f.store.PendingRange(w.lane, w.at, taskSize)
		if err != nil {
			return false, err
		}
		if n == 0 {
			w.at = w.last // what came was settled, or deleted, meanwhile
			continue
		}
		f.begin(w.lane)
		if err := f.queue.Publish(ctx, Task{w.lane, w.at, until}); err != nil {
			return false, err
		}
		w.at = until
		return true, nil
	}
	return false, nil
}

// may reports whether a lane has something new and room for it.
func (f *feeder) may(w *way) bool {
	if w.last <= w.at {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.flying[w.lane] < share
}

func (f *feeder) begin(l ledger.Lane) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.flying) == 0 {
		f.idle = make(chan struct{})
	}
	f.flying[l]++
}

// done says that a task of a lane is settled. It may be said twice of one that
// was delivered twice.
func (f *feeder) done(l ledger.Lane) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.flying[l] == 0 {
		return
	}
	if f.flying[l]--; f.flying[l] == 0 {
		delete(f.flying, l)
	}
	if len(f.flying) == 0 {
		close(f.idle)
	}
	select {
	case f.freed <- struct{}{}:
	default:
	}
}

// patience is how long what is less urgent waits for live replication at a time.
const patience = 50 * time.Millisecond

// Yield waits while live replication has something to do. It does not wait for
// long: what calls it between its steps is slowed down and not starved.
func (e *Engine) Yield(ctx context.Context) error {
	f := e.feeder
	f.mu.Lock()
	busy, idle := len(f.flying) > 0, f.idle
	f.mu.Unlock()
	if busy {
		wake.Pause(ctx, patience, idle)
	}
	return ctx.Err()
}
