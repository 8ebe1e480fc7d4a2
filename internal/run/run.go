// Package run starts long-lived parts in order and stops them in reverse,
// first softly and then hard.
package run

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Part is something that runs for long.
type Part struct {
	Name string
	// Run works until soft is done and then ends in its own time: it finishes
	// what it has begun. When hard is done it ends at once. An error other
	// than from the contexts ends the whole group.
	Run func(soft, hard context.Context) error
}

// Group is a set of parts that live and end together.
type Group struct {
	parts []Part
	// Grace is how long a part may take to end by itself.
	Grace time.Duration
}

// Add adds a part. Parts are started in the order in which they were added and
// stopped in the reverse order.
func (g *Group) Add(name string, part func(soft, hard context.Context) error) {
	g.parts = append(g.parts, Part{name, part})
}

// Run runs the parts until ctx is done or one of them ends with an error, and
// returns when all have ended. The error is the first part's to fail, nil if
// none did.
func (g *Group) Run(ctx context.Context) error {
	ctx, failed := context.WithCancelCause(ctx)
	defer failed(nil)
	hard, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()

	stops := make([]context.CancelFunc, len(g.parts))
	ends := make([]chan struct{}, len(g.parts))
	var once sync.Once
	var first error
	for i, p := range g.parts {
		soft, stop := context.WithCancel(context.WithoutCancel(ctx))
		stops[i], ends[i] = stop, make(chan struct{})
		go func() {
			defer close(ends[i])
			err := p.Run(soft, hard)
			if err != nil && !errors.Is(err, context.Canceled) {
				once.Do(func() { first = fmt.Errorf("%s: %w", p.Name, err) })
				failed(err)
			}
		}()
	}
	<-ctx.Done()
	timer := time.AfterFunc(g.Grace, kill)
	defer timer.Stop()
	for i := len(g.parts) - 1; i >= 0; i-- {
		stops[i]()
		<-ends[i]
	}
	return first
}
