// Package sweep ends what lifecycle configurations say has ended: versions,
// delete markers and unfinished uploads.
//
// A pass goes through the buckets that have a configuration, page by page,
// under the prefixes that rules are about, and hands what is due to the store,
// many in one step. The store ends a version only if it and its place are
// still as they were listed, and Object Lock allows it. So a pass needs no lock
// and leaves nothing behind: one that is cut short simply begins again.
//
// There is a pass at the start, at each midnight in UTC, when days end, and
// one over a bucket when its configuration has changed. Between pages a pass
// rests as long as the page took, so that clients have the greater share.
package sweep

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"time"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/store"
	"twinbucket/internal/wake"
	"twinbucket/lifecycle"
)

// Config is what an engine is made of.
type Config struct {
	Store *store.Store
	Log   *slog.Logger     // slog.Default if nil
	Now   func() time.Time // time.Now if nil
	// Interval is the longest time between two passes; a day if 0.
	Interval time.Duration
	// Day is how long a day of the rules lasts; lifecycle.Day if 0. A shorter
	// one is for tests of clients, and makes passes more frequent.
	Day time.Duration
	// Wait returns after d, or when wake is closed or ctx done; a timer if nil.
	Wait func(ctx context.Context, d time.Duration, wake <-chan struct{})
}

// Engine sweeps the buckets of one store. Make it with New.
type Engine struct {
	Config
	page, batch int
	swept       map[string]state // what passes have been made over
}

// state tells whether a bucket's configuration has changed.
type state struct {
	created time.Time
	sum     [sha256.Size]byte
}

const (
	// pageSize is how many versions are looked at between two rests.
	pageSize = 500
	// batchSize is how many versions end in one step: enough to share a disk
	// sync, few enough that a client's write behind them does not wait long.
	batchSize = 128
	// longest is how long the engine looks away from the clock, which may be set.
	longest = 10 * time.Minute
)

// New returns an engine; Run makes it work.
func New(c Config) *Engine {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Interval == 0 {
		c.Interval = lifecycle.Day
	}
	if c.Day == 0 {
		c.Day = lifecycle.Day
	}
	if c.Day != lifecycle.Day {
		c.Interval = min(c.Interval, c.Day/5)
	}
	if c.Wait == nil {
		c.Wait = wake.Pause
	}
	return &Engine{Config: c, page: pageSize, batch: batchSize, swept: map[string]state{}}
}

// Run makes passes until soft is done. What is under way then is cut short.
func (e *Engine) Run(soft, _ context.Context) error {
	next := e.Now() // at once
	for soft.Err() == nil {
		changed := e.Store.BucketsChanged()
		full := !e.Now().Before(next)
		if full {
			next = e.next(e.Now())
		}
		if err := e.pass(soft, full); err != nil && soft.Err() == nil {
			e.Log.Warn("lifecycle pass failed and will be tried again", "cause", err, "hint", fault.HintOf(err))
			next = e.Now().Add(min(longest, e.Interval))
		}
		e.Wait(soft, min(longest, max(0, next.Sub(e.Now()))), changed)
		select {
		case <-changed:
			// Changes come together, and some are mistakes that are mended.
			e.Wait(soft, min(time.Minute, e.Day/5), nil)
		default:
		}
	}
	return nil
}

// next returns when the pass after one at now is to begin.
func (e *Engine) next(now time.Time) time.Time {
	midnight := now.UTC().Truncate(lifecycle.Day).Add(lifecycle.Day)
	if next := now.Add(e.Interval); next.Before(midnight) {
		return next
	}
	return midnight
}

// pass goes over the buckets that have a configuration; if it is not full,
// over those whose configuration no pass has seen.
func (e *Engine) pass(ctx context.Context, full bool) error {
	began := e.Now()
	var n counts
	var errs []error
	swept := make(map[string]state, len(e.swept))
	for _, b := range e.Store.Buckets() {
		doc := b.Documents[bucket.Lifecycle]
		if doc == nil {
			continue
		}
		is := state{b.Created, sha256.Sum256(doc)}
		was, known := e.swept[b.Name]
		if known && was == is && !full {
			swept[b.Name] = is
			continue
		}
		n.buckets++
		err := e.sweep(ctx, b, &n)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, fault.NotFound), errors.Is(err, errReplaced): // the next change tells
		case err != nil:
			errs = append(errs, err)
		default:
			swept[b.Name] = is
		}
	}
	e.swept = swept
	if n.buckets > 0 {
		e.Log.Info("lifecycle pass", "buckets", n.buckets, "versions", n.versions, "expired", n.expired, "removed", n.removed,
			"aborted", n.aborted, "held", n.held, "changed", n.changed, "took", e.Now().Sub(began))
	}
	return errors.Join(errs...)
}

// counts is what a pass did.
type counts struct {
	buckets  int // that have a configuration
	versions int // that were looked at
	expired  int // that got a delete marker over them
	removed  int // that are gone for good
	aborted  int // uploads
	held     int // that are due, and locked or waiting for replication
	changed  int // that were due, and changed meanwhile
}

// rest lets clients have the store, as long as the sweep had it.
func (e *Engine) rest(ctx context.Context, since time.Time) {
	if d := e.Now().Sub(since); d > 0 {
		e.Wait(ctx, d, nil)
	}
}
