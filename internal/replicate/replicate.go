// Package replicate carries versions from the buckets that have a replication
// configuration to the destinations that its rules name.
//
// The store's feed says what is unfinished, lane by lane: a lane is a source
// bucket, a destination and a rule. The feeder (feed.go) cuts the lanes into
// tasks, ranges of places, and workers take each version in a range through
// the same steps: which rules take it (rules.go), whether the configured role
// may do what that needs (permit.go), and the replica itself, stored together
// with the source's new status in one step (copy.go). A batch job runs its
// versions through the same copier.
//
// Nothing is lost with the queue or the process: what is not settled is still
// in the feed, and at the next start the feed is read from its beginning.
package replicate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/iam"
	"twinbucket/internal/ledger"
	"twinbucket/internal/queue"
	"twinbucket/internal/store"
	"twinbucket/object"
	"twinbucket/rule"
)

// Config is what an engine is made of.
type Config struct {
	Store *store.Store
	IAM   *iam.Service
	Rules *Rules
	Log   *slog.Logger     // slog.Default if nil
	Now   func() time.Time // time.Now if nil
	// Workers is how many tasks are worked on at a time; 2 if 0.
	Workers int
	// Mend has what failed tried again when its cause is gone. On AWS, and without
	// it, what failed stays so until somebody has it tried again.
	Mend bool
	// Queue carries the tasks to the workers; one in memory if nil.
	Queue queue.Queue[Task]
}

// Engine is the live replication of one store. Make it with New.
type Engine struct {
	store   *store.Store
	rules   *Rules
	roles   sessions
	log     *slog.Logger
	now     func() time.Time
	workers int
	mends   bool
	queue   queue.Queue[Task]
	feeder  *feeder
}

// Task is a range of a lane: what waits in it behind After up to Until.
type Task struct {
	Lane         ledger.Lane
	After, Until uint64
}

const (
	// taskSize is how many versions a task has at most: enough for one disk
	// sync to be shared, few enough to spread over the workers.
	taskSize = 256
	// queueSize bounds the tasks in flight, and so the memory.
	queueSize = 64
	// share is how many tasks of one lane are in flight at most: the others'
	// wait for no more than that.
	share = 4
)

// New returns an engine; Run makes it work.
func New(c Config) *Engine {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Workers == 0 {
		c.Workers = 2
	}
	if c.Queue == nil {
		c.Queue = queue.Memory[Task](queueSize)
	}
	return &Engine{
		store: c.Store, rules: c.Rules, roles: sessions{iam: c.IAM, keys: c.Store.Keys(), now: c.Now}, log: c.Log, now: c.Now,
		workers: c.Workers, mends: c.Mend, queue: c.Queue, feeder: newFeeder(c.Store, c.Queue),
	}
}

// Run replicates until soft is done; what it has begun it ends, unless hard is
// done too.
func (e *Engine) Run(soft, hard context.Context) error {
	g, ctx := errgroup.WithContext(hard)
	intake, stop := context.WithCancel(ctx)
	defer stop()
	context.AfterFunc(soft, stop)
	// An end that was asked for is no error, which would cut the others short.
	asked := func(err error) error {
		if soft.Err() != nil && errors.Is(err, context.Canceled) {
			return nil
		}
		return err
	}
	g.Go(func() error { return asked(e.feeder.run(intake)) })
	if e.mends {
		g.Go(func() error { return asked(e.mend(intake)) })
	}
	for range e.workers {
		g.Go(func() error { return asked(e.work(intake, ctx)) })
	}
	return g.Wait()
}

// work takes tasks until intake is done.
func (e *Engine) work(intake, ctx context.Context) error {
	for {
		d, err := e.queue.Receive(intake)
		if err != nil {
			return err
		}
		if err := e.settle(ctx, d.Task); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			delay := backoff(d.Attempt)
			e.log.Warn("replication will be tried again", "after", delay, "cause", err, "hint", fault.HintOf(err))
			d.Retry(delay)
			continue
		}
		d.Ack()
		e.feeder.done(d.Task.Lane)
	}
}

// backoff is how long to wait after the given attempt: 100 ms, doubling, at
// most a minute.
func backoff(attempt int) time.Duration {
	return min(100*time.Millisecond<<min(attempt-1, 20), time.Minute)
}

// settle replicates what is still pending in a range of a lane.
func (e *Engine) settle(ctx context.Context, t Task) error {
	for after := t.After; ; {
		ps, err := e.store.Pending(ctx, t.Lane, after, t.Until, taskSize)
		if err != nil {
			return err
		}
		if len(ps) == 0 {
			return nil
		}
		todo := make([]store.Delivery, len(ps))
		for i, p := range ps {
			todo[i] = e.deliver(p.Object, p.Delivery)
			after = p.Pos
		}
		if _, err := e.store.Deliver(ctx, todo); err != nil {
			return err
		}
	}
}

// deliver plans one delivery of live replication under the rules as they are now.
func (e *Engine) deliver(o *store.Object, d object.Delivery) store.Delivery {
	src, err := e.store.Bucket(o.Bucket)
	if err != nil {
		return failed(o, d, fault.Newf(fault.NotFound, "SrcBucketNotFound", "the source bucket %s does not exist", o.Bucket).
			WithHint("nothing is left to replicate"))
	}
	set, err := e.rules.Of(src)
	if err != nil {
		return failed(o, d, err)
	}
	if set == nil {
		return failed(o, d, noConfiguration(src))
	}
	// A replica itself is pending only if a job has begun to send it on.
	choices, carry := set.SelectExisting, e.copy
	if d.Changed != 0 {
		choices, carry = set.SelectChanges, e.change
	}
	for _, c := range choices(&o.Version) {
		if c.Destination == d.Bucket {
			d.Rule = c.Rule.ID
			return e.afresh(carry, src, set.Role, c.Rule, o, d)
		}
	}
	return failed(o, d, fault.New(fault.Invalid, "SrcObjectNotEligible", "Object is not eligible for replication").
		WithHint("no enabled rule of %s selects it for %s any more; the configuration was changed since it was put", src.Name, d.Bucket))
}

func noConfiguration(b *bucket.Bucket) error {
	return fault.New(fault.NotFound, "SrcBucketReplicationConfigMissing", "the source bucket has no replication configuration").
		WithHint("put a replication configuration on %s", b.Name)
}

// failed is a delivery that ends with AWS's failure code and a reason.
func failed(o *store.Object, d object.Delivery, err error) store.Delivery {
	d.Status = object.Failed
	d.Code = fault.CodeOf(err)
	d.Reason = reason(err)
	return store.Delivery{Source: o, Outcome: d}
}

// reason is what a person reads: what was wrong and what would mend it.
func reason(err error) string {
	text := fault.MessageOf(err)
	if text == "" {
		text = err.Error()
	}
	if hint := fault.HintOf(err); hint != "" {
		text = fmt.Sprintf("%s; %s", text, hint)
	}
	return text
}

// Existing is the outcome of replicating one version for a batch job.
type Existing struct {
	Status  int    // HTTP status for the report: 200 if delivered everywhere
	Code    string // AWS's failure code; "" if delivered
	Message string
	Copies  []Copy // one for each destination of the version
}

// Copy is what becomes of a version at one destination.
type Copy struct {
	Bucket, Rule string
	There        bool   // it was there before
	Code         string // AWS's failure code; "" if it arrived
}

// Replicate carries versions of one bucket that exist already to where the
// rules of their bucket send them, as a batch job does: replicas are taken
// too, and what a destination has already counts as delivered. The outcomes
// are durable when it returns, one for each version. An error means that some
// may not be settled and all may be tried again.
func (e *Engine) Replicate(ctx context.Context, src *bucket.Bucket, versions []*store.Object) ([]Existing, error) {
	if err := e.Yield(ctx); err != nil {
		return nil, err
	}
	out, todo, err := e.existingAll(ctx, src, versions, nil)
	if err != nil {
		return nil, err
	}
	outcomes, err := e.store.Deliver(ctx, todo)
	if err != nil {
		return nil, err
	}
	ended(out, outcomes)
	return out, nil
}

// Foresee returns what Replicate would, with nothing done: the same decisions, but
// for those about what stands in the way at a destination, such as a null version.
// What the role may do it takes for granted where granted says so, which has a
// word on each version.
func (e *Engine) Foresee(ctx context.Context, src *bucket.Bucket, versions []*store.Object, granted []bool) ([]Existing, error) {
	out, todo, err := e.existingAll(ctx, src, versions, granted)
	if err != nil {
		return nil, err
	}
	outcomes := make([]object.Delivery, len(todo))
	for k := range todo {
		d := &todo[k]
		outcomes[k] = d.Outcome
		if d.Replica == nil || d.Outcome.Changed != 0 {
			continue
		}
		gone, err := e.store.HardDeleted(d.Replica.Bucket, d.Replica.Key, d.Replica.ID)
		if err != nil {
			return nil, err
		}
		if gone {
			outcomes[k].Status, outcomes[k].Code, outcomes[k].Reason = object.Failed, store.HardDeletedCode, store.HardDeletedReason(d.Replica.Bucket)
		}
	}
	ended(out, outcomes)
	return out, nil
}

// existingAll plans the deliveries of versions, those of each one after the
// other, and begins their outcomes.
func (e *Engine) existingAll(ctx context.Context, src *bucket.Bucket, versions []*store.Object, granted []bool) ([]Existing, []store.Delivery, error) {
	set, err := e.rules.Of(src)
	if err != nil {
		return nil, nil, err
	}
	out := make([]Existing, len(versions))
	todo, copies := make([]store.Delivery, 0, len(versions)), make([]Copy, 0, len(versions))
	for i, o := range versions {
		if set == nil {
			out[i] = Existing{Status: 500, Code: "SrcBucketReplicationConfigMissing", Message: reason(noConfiguration(src))}
			continue
		}
		choices := set.SelectExisting(&o.Version)
		if len(choices) == 0 {
			out[i] = Existing{Status: 500, Code: "SrcObjectNotEligible", Message: "Object is not eligible for replication"}
			continue
		}
		begin, plan := len(copies), e.existing
		if granted != nil && granted[i] {
			plan = e.granted
		}
		for _, c := range choices {
			d, there := plan(src, set.Role, c, o), false
			if d.Replica != nil && d.Outcome.Changed == 0 && e.delivered(ctx, o, d.Replica) {
				d.Replica, there = nil, true
			}
			todo, copies = append(todo, d), append(copies, Copy{Bucket: c.Destination, Rule: c.Rule.ID, There: there})
		}
		out[i] = Existing{Status: 200, Copies: copies[begin:len(copies):len(copies)]}
	}
	return out, todo, nil
}

// ended notes in the outcomes of versions how their deliveries ended.
func ended(out []Existing, deliveries []object.Delivery) {
	k := 0
	for i := range out {
		r := &out[i]
		for j := range r.Copies {
			if d := &deliveries[k]; d.Status == object.Failed {
				r.Copies[j].Code, r.Copies[j].There = d.Code, false
				if r.Code == "" {
					r.Status, r.Code, r.Message = statusOf(d.Code), d.Code, d.Reason
				}
			}
			k++
		}
	}
}

// existing plans one delivery of a job. Of a replica that could not send its own
// changes it sends these.
func (e *Engine) existing(src *bucket.Bucket, role string, c rule.Choice, o *store.Object) store.Delivery {
	for _, d := range o.Deliveries {
		if o.IsReplica() && d.Bucket == c.Destination && d.Changed != 0 && c.Rule.ReplicaModifications == rule.Enabled {
			d.Rule = c.Rule.ID
			return e.afresh(e.change, src, role, c.Rule, o, d)
		}
	}
	return e.afresh(e.copy, src, role, c.Rule, o, object.Delivery{Bucket: c.Destination, Rule: c.Rule.ID})
}

// granted is existing where the role may do whatever is needed.
func (e *Engine) granted(src *bucket.Bucket, role string, c rule.Choice, o *store.Object) store.Delivery {
	d := object.Delivery{Bucket: c.Destination, Rule: c.Rule.ID}
	_, dst, err := e.ends(src, role, c.Rule)
	if err != nil {
		return failed(o, d, err)
	}
	return store.Delivery{Source: o, Replica: c.Rule.Replica(&o.Version, src, dst), Outcome: d}
}

// delivered reports whether the destination has the version already, and all
// of it that can change.
func (e *Engine) delivered(ctx context.Context, o *store.Object, r *object.Version) bool {
	have, err := e.store.Head(ctx, r.Bucket, o.Key, o.ID)
	if err != nil || have.ETag != o.ETag || have.Marker != o.Marker {
		return false
	}
	// What is no replica is the version that this one was made from.
	return !have.IsReplica() || slices.Equal(have.Tags, o.Tags) && have.Lock == r.Lock && slices.Equal(have.ACL, r.ACL)
}

// RulesOf returns the replication configuration of a bucket; nil if it has none.
func (e *Engine) RulesOf(src *bucket.Bucket) (*rule.Set, error) { return e.rules.Of(src) }

// statusOf is the HTTP status that a failure code has in a report. AWS shows
// 500 for SrcObjectNotEligible; for the others it is not documented.
func statusOf(code string) int {
	switch {
	case errors.Is(kinds[code], fault.Denied):
		return 403
	case errors.Is(kinds[code], fault.NotFound):
		return 404
	}
	return 500
}
