// Package notify tells the targets of notification configurations what happened
// in buckets.
//
// The store holds for each target what it was not told yet, in order. Each
// target has a lane of its own here, which reads a page of that, sends it, and
// has the store forget what was sent: so a target that is dead delays no other,
// memory is bounded, and what a crash cuts short is sent again. Events of one
// key are sent one after the other; those of different keys at the same time.
package notify

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"twinbucket/fault"
	"twinbucket/internal/event"
	"twinbucket/internal/ledger"
	"twinbucket/internal/outbox"
	"twinbucket/internal/store"
	"twinbucket/internal/wake"
)

// Config is what an engine is made of.
type Config struct {
	Store   *store.Store
	Targets map[string]Target // by ARN
	Region  string
	Log     *slog.Logger     // slog.Default if nil
	Now     func() time.Time // time.Now if nil
	// Keep is how long an event is kept for a target that does not take it; a
	// day if 0.
	Keep time.Duration
	// Most is how many events are kept for one target; a million if 0.
	Most uint64
	// Wait returns after d, or when wake is closed or ctx done; a timer if nil.
	Wait func(ctx context.Context, d time.Duration, wake <-chan struct{})
}

// Engine tells the targets of one store. Make it with New.
type Engine struct {
	Config
	seed   maphash.Seed
	judged map[ledger.Lane]uint64 // places in lanes up to which all that is late is noted

	mu      sync.Mutex
	trouble map[string]Trouble
}

// Trouble is why a target is not told.
type Trouble struct {
	Since time.Time
	Cause string // of the last try
}

const (
	// page is how many events of a target are in memory at a time.
	page = 256
	// width is how many messages are on their way to one target at a time.
	width = 8
	// timeout is how long a target may take for one message.
	timeout = 10 * time.Second
	// looks is how often the engine looks for what is late, and for events that
	// nobody is there to be told of.
	looks = time.Minute
)

// New returns an engine; Run makes it work.
func New(c Config) *Engine {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Keep == 0 {
		c.Keep = 24 * time.Hour
	}
	if c.Most == 0 {
		c.Most = 1_000_000
	}
	if c.Wait == nil {
		c.Wait = wake.Pause
	}
	return &Engine{Config: c, seed: maphash.MakeSeed(), judged: map[ledger.Lane]uint64{}, trouble: map[string]Trouble{}}
}

// Run tells until soft is done; a message that is on its way then arrives,
// unless hard is done too.
func (e *Engine) Run(soft, hard context.Context) error {
	g, ctx := errgroup.WithContext(hard)
	for name, target := range e.Targets {
		g.Go(func() error { e.lane(soft, ctx, name, target); return nil })
	}
	g.Go(func() error {
		for soft.Err() == nil {
			if err := errors.Join(e.late(soft), e.prune(soft)); err != nil && soft.Err() == nil {
				e.Log.Warn("looking after events failed and will be tried again", "cause", err, "hint", fault.HintOf(err))
			}
			e.Wait(soft, looks, nil)
		}
		return nil
	})
	err := g.Wait()
	for _, target := range e.Targets {
		target.Close()
	}
	return err
}

// Troubles returns the targets that are not told, and why.
func (e *Engine) Troubles() map[string]Trouble {
	e.mu.Lock()
	defer e.mu.Unlock()
	return maps.Clone(e.trouble)
}

// note notes the outcome of a try to tell a target, and logs when it changes.
func (e *Engine) note(name string, err error) {
	e.mu.Lock()
	t, was := e.trouble[name]
	switch {
	case err == nil:
		delete(e.trouble, name)
	case was:
		e.trouble[name] = Trouble{t.Since, err.Error()}
	default:
		e.trouble[name] = Trouble{e.Now(), err.Error()}
	}
	e.mu.Unlock()
	switch {
	case err != nil && !was:
		e.Log.Warn("an event target cannot be told; its events are kept and sent again", "target", name, "cause", err)
	case err == nil && was:
		e.Log.Info("an event target is told again", "target", name, "after", e.Now().Sub(t.Since))
	}
}

// lane tells one target until soft is done.
func (e *Engine) lane(soft, hard context.Context, name string, target Target) {
	for attempt := 0; soft.Err() == nil; {
		changed := e.Store.EventsChanged()
		events, err := e.Store.Events(name, page)
		if err == nil && len(events) == 0 {
			select {
			case <-changed:
			case <-soft.Done():
			}
			continue
		}
		if err == nil {
			// What the end cuts short is no trouble of the target's.
			if err = e.tell(soft, hard, target, events); err == nil || soft.Err() == nil {
				e.note(name, err)
			}
		}
		if err == nil {
			attempt = 0
			continue
		}
		attempt++
		e.Wait(soft, backoff(attempt), nil)
		if err := e.pruneBox(soft, name); err != nil && soft.Err() == nil {
			e.Log.Warn("giving events up failed and will be tried again", "target", name, "cause", err, "hint", fault.HintOf(err))
		}
	}
}

// backoff is how long to wait after a number of tries that failed: a second,
// doubling, at most a minute.
func backoff(attempt int) time.Duration {
	return min(time.Second<<min(attempt-1, 10), time.Minute)
}

// tell sends a page of events and has the store forget those that were sent: up
// to the first that was not, and beyond it what was sent all the same.
func (e *Engine) tell(soft, hard context.Context, target Target, events []event.Event) error {
	sent := make([]bool, len(events))
	failed := make([]error, width)
	var wg sync.WaitGroup
	for w := range width {
		wg.Go(func() {
			for i := range events {
				if int(maphash.String(e.seed, events[i].Bucket+"/"+events[i].Key)%width) != w {
					continue
				}
				if soft.Err() != nil {
					failed[w] = soft.Err()
					return
				}
				if failed[w] = e.send(hard, target, &events[i]); failed[w] != nil {
					return
				}
				sent[i] = true
			}
		})
	}
	wg.Wait()
	var errs []error
	for i := 0; i < len(events); i++ {
		if !sent[i] {
			continue
		}
		last := i
		for last+1 < len(events) && sent[last+1] {
			last++
		}
		errs = append(errs, e.Store.Told(hard, outbox.Told{Target: events[i].Target, First: events[i].Place, Last: events[last].Place}))
		i = last
	}
	return errors.Join(slices.Concat(errs, failed)...)
}

// send sends one event.
func (e *Engine) send(ctx context.Context, target Target, v *event.Event) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return target.Send(ctx, fmt.Sprintf("%s/%016X", v.Target, v.Place), v.Message(e.Region))
}

// prune gives up what is too much, and what is too old of what no target stands
// for. What is too old for a target that does not take it its lane gives up.
func (e *Engine) prune(ctx context.Context) error {
	boxes, err := e.Store.Outboxes()
	for _, x := range boxes {
		if _, ours := e.Targets[x.Target]; err == nil && (!ours || x.Waiting > e.Most) {
			err = e.pruneBox(ctx, x.Target)
		}
	}
	return err
}

// pruneBox gives up what is too old of what a target is to be told, and the
// oldest of what is too much.
func (e *Engine) pruneBox(ctx context.Context, name string) error {
	for {
		boxes, err := e.Store.Outboxes()
		if err != nil {
			return err
		}
		i := slices.IndexFunc(boxes, func(x outbox.Box) bool { return x.Target == name })
		if i < 0 || boxes[i].Waiting == 0 {
			return nil
		}
		events, err := e.Store.Events(name, page)
		if err != nil {
			return err
		}
		over := int(min(boxes[i].Waiting-min(boxes[i].Waiting, e.Most), page))
		for over < len(events) && e.Now().Sub(events[over].Origin.Time) > e.Keep {
			over++
		}
		over = min(over, len(events))
		if over == 0 {
			return nil
		}
		if err := e.Store.Told(ctx, outbox.Told{Target: name, First: events[0].Place, Last: events[over-1].Place, Dropped: true}); err != nil {
			return err
		}
		e.Log.Error("events were given up: their target was not told in time", "target", name, "events", over,
			"first", events[0].Origin.Time, "last", events[over-1].Origin.Time, "waiting", boxes[i].Waiting)
	}
}
