// Package stack makes and keeps CloudFormation stacks: it takes templates,
// works out what has to change, and creates, updates and deletes the
// resources they describe, with AWS's statuses, events and texts.
//
// A call that starts work records what is to be done and returns; a goroutine
// of the engine does it, one resource after the other, and records each step
// before and after. So whoever reads a stack sees how far it is, and a stack
// that was being worked on when the process ended is taken up by the next
// Start where it stood.
//
// Resources are made on behalf of the caller of the operation: every action
// is authorized for that caller as if it had been asked for directly.
package stack

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/catalog"
	"twinbucket/internal/iam"
	"twinbucket/internal/store"
)

// Deps is what the engine works with.
type Deps struct {
	Store   *store.Store
	Catalog *catalog.Catalog
	IAM     *iam.Service
	Region  string // where stacks and buckets are, such as "us-east-1"
	// Ownership is the setting of new buckets that name none;
	// BucketOwnerEnforced if empty.
	Ownership bucket.Ownership
	Now       func() time.Time // nil: time.Now
	Random    io.Reader        // for names and ids; nil: crypto/rand
	Log       *slog.Logger     // nil: slog.Default()
}

// Engine keeps the stacks of every account. Its methods may be called from any
// goroutine.
type Engine struct {
	Deps
	stacks *catalog.Table[Stack]
	sets   *catalog.Table[ChangeSet]
	events *catalog.Table[Event]

	work sync.WaitGroup

	mu      sync.Mutex // no lock is taken and nothing is awaited while it is held
	claims  map[string]*claim
	stopped bool
	random  sync.Mutex // guards Deps.Random
}

// claim is the exclusive right to change the stacks of one name.
type claim struct {
	done   chan struct{} // closed when the claim ends
	work   bool          // held by a goroutine that works on the stack
	cancel context.CancelFunc
}

// New returns an engine. It takes work at once; Start takes up what an earlier
// process left.
func New(d Deps) *Engine {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Random == nil {
		d.Random = rand.Reader
	}
	if d.Log == nil {
		d.Log = slog.Default()
	}
	return &Engine{
		Deps:   d,
		stacks: catalog.Of[Stack](d.Catalog, "stack"),
		sets:   catalog.Of[ChangeSet](d.Catalog, "changeset"),
		events: catalog.Of[Event](d.Catalog, "stackevent"),
		claims: map[string]*claim{},
	}
}

// Start takes up the stacks that were being worked on when the last process
// ended.
func (e *Engine) Start(ctx context.Context) error {
	after := ""
	for {
		records, more, err := e.stacks.List("", after, pageSize)
		if err != nil {
			return fault.Wrap("stack.start", "", err)
		}
		for _, r := range records {
			after = r.Name
			if r.Value.Op == nil {
				continue
			}
			c, err := e.claim(ctx, r.Value.claimName())
			if err != nil {
				return err
			}
			if c == nil {
				continue // a call of this process has begun work on it
			}
			e.launch(c, r.Value.claimName(), r.Name)
		}
		if !more {
			return nil
		}
	}
}

// Stop interrupts what is being done and waits for it. Interrupted stacks stay
// as they are until the next Start.
func (e *Engine) Stop() {
	e.mu.Lock()
	e.stopped = true
	for _, c := range e.claims {
		if c.cancel != nil {
			c.cancel()
		}
	}
	e.mu.Unlock()
	e.work.Wait()
}

// Run is Start, and Stop when soft is done.
func (e *Engine) Run(soft, _ context.Context) error {
	defer e.Stop()
	if err := e.Start(soft); err != nil {
		return err
	}
	<-soft.Done()
	return nil
}

// Wait waits until nothing is being done to a stack and returns it. Name is
// the stack's name or its ARN.
func (e *Engine) Wait(ctx context.Context, account, name string) (*Stack, error) {
	for {
		s, err := e.Stack(account, name)
		if err != nil {
			return nil, err
		}
		if err := e.settled(ctx, s.claimName()); err != nil {
			return nil, err
		}
		if s, err = e.Stack(account, s.ID); err != nil || s.Op == nil || !e.working(s.claimName()) {
			return s, err
		}
	}
}

// settled waits until nobody has a claim on a name.
func (e *Engine) settled(ctx context.Context, name string) error {
	e.mu.Lock()
	c := e.claims[name]
	e.mu.Unlock()
	if c == nil {
		return nil
	}
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
		return canceled(ctx)
	}
}

// working reports whether somebody works on the stack of a name.
func (e *Engine) working(name string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := e.claims[name]
	return c != nil && c.work
}

// claim gives the caller the sole right to change the stacks of a name. It
// waits for other calls, but not for work: then it returns nil.
func (e *Engine) claim(ctx context.Context, name string) (*claim, error) {
	for {
		e.mu.Lock()
		if e.stopped {
			e.mu.Unlock()
			return nil, fault.New(fault.Closed, "ServiceUnavailable", "The server is shutting down.")
		}
		c := e.claims[name]
		if c == nil {
			c = &claim{done: make(chan struct{})}
			e.claims[name] = c
			e.mu.Unlock()
			return c, nil
		}
		working := c.work
		e.mu.Unlock()
		if working {
			return nil, nil
		}
		select {
		case <-c.done:
		case <-ctx.Done():
			return nil, canceled(ctx)
		}
	}
}

// release ends a claim.
func (e *Engine) release(c *claim, name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.claims, name)
	close(c.done)
}

// launch works on the stack under key until it is done, in a goroutine that
// takes over the claim.
func (e *Engine) launch(c *claim, name, key string) {
	ctx, cancel := context.WithCancel(context.Background())
	e.mu.Lock()
	c.work, c.cancel = true, cancel
	if e.stopped {
		cancel()
	}
	e.work.Add(1)
	e.mu.Unlock()
	go func() {
		defer e.work.Done()
		defer e.release(c, name)
		defer cancel()
		if err := e.run(ctx, key); err != nil && ctx.Err() == nil {
			e.Log.Error("a stack could not be worked on", "stack", key, "error", err)
		}
	}()
}

// canceled returns the error of a call whose context ended.
func canceled(ctx context.Context) error {
	return &fault.Error{Op: "stack", Kind: fault.Closed, Code: "RequestTimeout", Message: "The request was given up.", Err: context.Cause(ctx)}
}

// bytes returns n random bytes.
func (e *Engine) bytes(n int) []byte {
	b := make([]byte, n)
	e.random.Lock()
	defer e.random.Unlock()
	if _, err := io.ReadFull(e.Random, b); err != nil {
		panic("stack: no random bytes: " + err.Error())
	}
	return b
}

// uuid returns a random UUID.
func (e *Engine) uuid() string {
	b := e.bytes(16)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	s := hex.EncodeToString(b)
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// suffix returns n random letters and digits, in the given case.
func (e *Engine) suffix(n int, upper bool) string {
	const lowerDigits, upperDigits = "abcdefghijklmnopqrstuvwxyz012345", "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
	digits := lowerDigits
	if upper {
		digits = upperDigits
	}
	b := e.bytes(n)
	for i := range b {
		b[i] = digits[b[i]&31]
	}
	return string(b)
}

// pageSize is how many records are read at a time.
const pageSize = 100

// each calls f for every record whose name begins with prefix, until f says stop.
func each[T any](t *catalog.Table[T], prefix string, f func(catalog.Record[T]) (more bool)) error {
	after := ""
	for {
		records, more, err := t.List(prefix, after, pageSize)
		if err != nil {
			return err
		}
		for _, r := range records {
			if !f(r) {
				return nil
			}
			after = r.Name
		}
		if !more {
			return nil
		}
	}
}

// isNotFound reports whether err says that a thing does not exist.
func isNotFound(err error) bool { return errors.Is(err, fault.NotFound) }
