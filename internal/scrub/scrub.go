// Package scrub reads everything that is stored, slowly and again and again,
// and says what is not as it was written: damage is found while there is still
// a replica or a copy to heal it from.
package scrub

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"twinbucket/fault"
	"twinbucket/internal/catalog"
	"twinbucket/internal/store"
	"twinbucket/internal/wake"
)

// Rate is how many bytes per second a pass reads.
const Rate = 32 << 20

// Config is what the engine needs.
type Config struct {
	Store  Store
	Passes Passes
	// Every is how long after one pass the next begins; there is none if it is 0.
	Every time.Duration
	// Yield, if not nil, is called between the steps of a pass, which wait for it.
	Yield func(context.Context) error
	Log   *slog.Logger     // nil: slog.Default()
	Now   func() time.Time // nil: time.Now
}

// Store is what is scrubbed.
type Store interface {
	Check(context.Context, store.CheckOptions) (store.Checked, error)
}

// Passes remembers the last pass that came to its end.
type Passes interface {
	// Last is fault.NotFound if there was none.
	Last() (Pass, error)
	Note(context.Context, Pass) error
}

// Engine scrubs.
type Engine struct{ Config }

// Pass is one time through everything.
type Pass struct {
	Began    time.Time     `json:"began"`
	Finished time.Time     `json:"finished"`
	Checked  store.Checked `json:"checked"`
}

// Noted returns passes that a catalog remembers.
func Noted(c *catalog.Catalog) Passes { return noted{catalog.Of[Pass](c, "scrub")} }

type noted struct{ table *catalog.Table[Pass] }

func (n noted) Last() (Pass, error) {
	p, _, err := n.table.Get("last")
	return p, err
}

func (n noted) Note(ctx context.Context, p Pass) error {
	_, err := n.table.Put(ctx, "last", p, catalog.Any)
	return err
}

// New returns an engine; Run has it work.
func New(c Config) *Engine {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Engine{c}
}

// Run makes a pass whenever one is due. One that a stop cuts short begins anew.
func (e *Engine) Run(soft, _ context.Context) error {
	if e.Every <= 0 {
		<-soft.Done()
		return nil
	}
	for {
		due, err := e.due()
		if err != nil {
			return err
		}
		if err := wake.Sleep(soft, due.Sub(e.Now())); err != nil {
			return nil
		}
		switch err := e.pass(soft); {
		case soft.Err() != nil:
			return nil
		case errors.Is(err, fault.NoSpace): // not a matter of what is stored
			e.Log.Warn("what scrubbing found cannot be noted", "error", err)
			if wake.Sleep(soft, e.Every) != nil {
				return nil
			}
		case err != nil:
			return err
		}
	}
}

// due says when the next pass begins. The first begins only after a while: a
// store that is new is as it was written.
func (e *Engine) due() (time.Time, error) {
	p, err := e.Passes.Last()
	if errors.Is(err, fault.NotFound) {
		return e.Now().Add(min(e.Every, time.Hour)), nil
	}
	return p.Finished.Add(e.Every), err
}

func (e *Engine) pass(ctx context.Context) error {
	p := Pass{Began: e.Now().UTC()}
	read := int64(0)
	var err error
	p.Checked, err = e.Store.Check(ctx, store.CheckOptions{
		Found: func(p store.Problem) { e.Log.Error("stored data is damaged", "problem", p.String()) },
		Pace: func(ctx context.Context, bytes int) error {
			if e.Yield != nil {
				if err := e.Yield(ctx); err != nil {
					return err
				}
			}
			read += int64(bytes)
			ahead := time.Duration(float64(read)/Rate*float64(time.Second)) - e.Now().Sub(p.Began)
			return wake.Sleep(ctx, ahead)
		},
	})
	if err != nil {
		return err
	}
	p.Finished = e.Now().UTC()
	e.Log.Info("scrubbed", "versions", p.Checked.Versions, "files", p.Checked.Files, "bytes", p.Checked.Bytes, "problems", p.Checked.Problems, "took", p.Finished.Sub(p.Began))
	return e.Passes.Note(ctx, p)
}
