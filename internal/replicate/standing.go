package replicate

import (
	"context"
	"slices"
	"time"

	"twinbucket/bucket"
	"twinbucket/internal/ledger"
)

// Standing is where a lane stands.
type Standing struct {
	ledger.Entry
	// Latency is how far the destination is behind: how long what is first in
	// the lane has waited. 0 if nothing waits.
	Latency time.Duration `json:"-"`
}

// Standings returns where the lanes of a source bucket stand, or those of all
// buckets if it is "", in order. There is one for each rule and destination of
// the configurations as they are now, and one for what is in no configuration
// any more for as long as something waits or is FAILED there.
func (e *Engine) Standings(ctx context.Context, source string) ([]Standing, error) {
	current := e.ruled(source)
	var out []Standing
	for _, have := range e.store.Lanes(source) {
		if current[have.Lane] || have.Pending > 0 || have.Failed > 0 {
			out = append(out, Standing{Entry: have})
			delete(current, have.Lane)
		}
	}
	for lane := range current {
		out = append(out, Standing{Entry: ledger.Entry{Lane: lane}})
	}
	slices.SortFunc(out, func(a, b Standing) int { return a.Compare(b.Lane) })
	now := e.now()
	for i := range out {
		s := &out[i]
		if s.Pending == 0 {
			continue
		}
		since, err := e.store.Waiting(ctx, s.Lane)
		if err != nil {
			return nil, err
		}
		if !since.IsZero() { // what waited may have been settled meanwhile
			s.Latency = max(0, now.Sub(since))
		}
	}
	return out, nil
}

// ruled returns the lanes that the configurations name. One that cannot be read
// names none.
func (e *Engine) ruled(source string) map[ledger.Lane]bool {
	lanes := make(map[ledger.Lane]bool)
	note := func(b *bucket.Bucket) {
		set, err := e.rules.Of(b)
		if err != nil || set == nil {
			return
		}
		for i := range set.Rules {
			r := &set.Rules[i]
			lanes[ledger.Lane{Source: b.Name, Destination: r.Destination.BucketName(), Rule: r.ID}] = true
		}
	}
	if source == "" {
		for _, b := range e.store.Buckets() {
			note(b)
		}
	} else if b, err := e.store.Bucket(source); err == nil {
		note(b)
	}
	return lanes
}

// InFlight is how many tasks of live replication are on their way or being
// worked on.
func (e *Engine) InFlight() int {
	f := e.feeder
	f.mu.Lock()
	defer f.mu.Unlock()
	sum := 0
	for _, n := range f.flying {
		sum += n
	}
	return sum
}
