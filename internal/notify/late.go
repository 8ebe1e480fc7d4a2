package notify

import (
	"context"
	"errors"

	"twinbucket/bucket"
	"twinbucket/internal/event"
	"twinbucket/internal/ledger"
	"twinbucket/rule"
)

// late notes the operations of replication that have waited for longer than
// event.Threshold, where somebody may want to be told of it. The store notes
// each once, so an engine that starts anew finds those that are noted already.
func (e *Engine) late(ctx context.Context) error {
	var lanes []ledger.Lane
	e.Store.EachLane(func(l ledger.Lane, n ledger.Counts) {
		if n.Pending > 0 {
			lanes = append(lanes, l)
		}
	})
	var errs []error
	for _, l := range lanes {
		if e.timed(l) {
			errs = append(errs, e.lateIn(ctx, l))
		}
	}
	return errors.Join(errs...)
}

// timed reports whether a lane is under Replication Time Control, in a bucket
// that has somebody told of events.
func (e *Engine) timed(l ledger.Lane) bool {
	b, err := e.Store.Bucket(l.Source)
	if err != nil || b.Documents[bucket.Notification] == nil || b.Documents[bucket.Replication] == nil {
		return false
	}
	set, err := rule.Parse(b.Documents[bucket.Replication])
	if err != nil {
		return false
	}
	r := set.ByID(l.Rule)
	return r != nil && r.Destination.ReplicationTime != nil && r.Destination.ReplicationTime.Status == rule.Enabled
}

// lateIn notes what is late in one lane. It goes on where it stood: what comes
// in, or waits anew, stands behind that.
func (e *Engine) lateIn(ctx context.Context, l ledger.Lane) error {
	for {
		waiting, err := e.Store.Pending(ctx, l, e.judged[l], 0, page)
		if err != nil || len(waiting) == 0 {
			return err
		}
		for _, p := range waiting {
			if e.Now().Sub(p.Delivery.Time) <= event.Threshold {
				return nil
			}
			if !p.Delivery.Missed {
				if err := e.Store.Missed(ctx, p.Object, l.Destination); err != nil {
					return err
				}
			}
			e.judged[l] = p.Pos
		}
	}
}
