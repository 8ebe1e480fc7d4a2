package batch

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/replicate"
	"twinbucket/internal/store"
	"twinbucket/job"
	"twinbucket/manifest"
	"twinbucket/report"
)

// maxBroken is after how many chunks that cannot be run a shift ends.
const maxBroken = 10

// shift is a time in which a job is Active: it works through the chunks that
// have no result yet.
type shift struct {
	e     *Engine
	r     *record
	start time.Time

	mu     sync.Mutex
	tally  *tally
	before time.Duration // for how long the job was Active before
	left   int           // chunks without a result
	broken int           // chunks that could not be run, which holds nobody else up
}

func (e *Engine) begin(ctx context.Context, r *record) (*shift, error) {
	t, err := e.tally(ctx, r)
	if err != nil {
		return nil, err
	}
	return &shift{e: e, r: r, start: e.Now(), tally: t, before: t.active, left: r.Chunks - t.done.count()}, nil
}

func (s *shift) active() time.Duration { return s.before + s.e.Now().Sub(s.start) }

// now is what the results add up to at this moment.
func (s *shift) now() tally {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := *s.tally
	t.outcome, t.active = t.outcome.Clone(), s.active()
	return t
}

// next reports whether chunk n is to be run; more, whether there is any use in
// going on.
func (s *shift) next(n int) (run, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.tally.done.has(n), s.broken < maxBroken && !s.tally.progress().OverThreshold()
}

// run works on one chunk and stores its result.
func (s *shift) run(ctx context.Context, n int) error {
	one, err := s.e.runChunk(ctx, s.r, n, s.active)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.broken++
		return err
	}
	s.tally.add(n, one)
	s.left--
	return nil
}

// work runs the chunks that have no result yet, and moves the job on when all
// have one, when too many tasks have failed, or when its slot is wanted. When
// ctx is done it begins no further chunk.
func (d *driver) work(ctx, hard context.Context, r *record, wanted <-chan struct{}) error {
	s, err := d.e.begin(ctx, r)
	if err != nil {
		return err
	}
	d.show(s.now)
	defer d.show(nil)
	var g errgroup.Group
	g.SetLimit(d.e.Workers)
	preempted := false
	for n := range r.Chunks {
		run, more := s.next(n)
		if more = more && ctx.Err() == nil; more {
			select {
			case <-wanted:
				preempted, more = true, false
			default:
			}
		}
		if !more {
			break
		}
		if run {
			g.Go(func() error { return s.run(hard, n) })
		}
	}
	if preempted {
		d.e.Log.Info("a job is paused for one of higher priority", "job", d.name, "priority", r.Spec.Priority)
		err = d.move(hard, job.Preempt, nil)
	}
	return d.close(hard, s, errors.Join(err, g.Wait(), ctx.Err()), preempted)
}

// close ends a shift: what was done is kept, whatever happens next.
func (d *driver) close(ctx context.Context, s *shift, err error, preempted bool) error {
	switch t := s.now(); {
	case t.progress().OverThreshold():
		return d.move(ctx, job.Fail, func(r *record) {
			t.into(r)
			r.Failures = append(r.Failures, tooMany(&t.outcome).failures()...)
		})
	case s.left == 0:
		return d.move(ctx, job.Finish, t.into)
	case err == nil && preempted:
		return d.move(ctx, job.Yield, t.into)
	default:
		return errors.Join(err, d.e.jobs.Update(ctx, d.name, func(r *record) error {
			t.into(r)
			return nil
		}))
	}
}

// runChunk works on one chunk and stores its result.
func (e *Engine) runChunk(ctx context.Context, r *record, n int, active func() time.Duration) (result, error) {
	entries, err := e.chunk(ctx, r, n)
	if err != nil {
		return result{}, err
	}
	rows, outcome, err := e.tasks(ctx, r, n, entries)
	if err != nil {
		return result{}, err
	}
	return e.keepResult(ctx, r.ID, n, rows, outcome, active())
}

// replicate settles entries and returns a report line for each, in their order,
// and what became of them together. For a plan, if it is given, it says only how
// they would be settled.
func (e *Engine) replicate(ctx context.Context, r *record, entries []manifest.Entry, plan *chunker) ([]report.Row, *job.Outcome, error) {
	rows, outcome := make([]report.Row, len(entries)), new(job.Outcome)
	objects, of := make([]*store.Object, 0, len(entries)), make([]int, 0, len(entries)) // of each object its index in entries
	var granted []bool
	var src *bucket.Bucket
	role := e.session(r)
	for i := range entries {
		entry := &entries[i]
		rows[i] = report.Row{Bucket: entry.Bucket, Key: entry.Key, VersionID: entry.VersionID}
		b, err := e.Store.Bucket(entry.Bucket)
		if err == nil && b.Owner != r.Account {
			err = fault.New(fault.NotFound, "SrcBucketNotFound", "the bucket belongs to another account than the job").
				WithHint("create the job in account %s", b.Owner)
		}
		switch {
		case entry.Problem != nil:
			fail(&rows[i], 400, entry.Problem)
		case err != nil:
			fail(&rows[i], 404, &fault.Error{Code: "SrcBucketNotFound", Message: fault.MessageOf(err), Hint: fault.HintOf(err)})
		case role.err != nil:
			fail(&rows[i], 403, &fault.Error{Code: "AssumeRoleNotPermitted", Message: fault.MessageOf(role.err), Hint: fault.HintOf(role.err)})
		default:
			src = b
			ask := plan == nil || plan.ask()
			if ask {
				if err := role.allowed("s3:InitiateReplication", arn.Object(b.Name, entry.Key), b); err != nil {
					fail(&rows[i], 403, &fault.Error{Code: "InitiateReplicationNotPermitted", Message: fault.MessageOf(err), Hint: fault.HintOf(err)})
					continue
				}
			}
			o, err := e.Store.Head(ctx, entry.Bucket, entry.Key, entry.VersionID)
			if errors.Is(err, fault.NotFound) {
				fail(&rows[i], 404, e.absent(ctx, entry))
				continue
			}
			if err != nil {
				return nil, nil, err
			}
			objects, of = append(objects, o), append(of, i)
			granted = append(granted, !ask)
		}
	}
	if len(objects) > 0 {
		outcomes, err := e.settle(ctx, src, objects, granted, plan)
		if err != nil {
			return nil, nil, err
		}
		for k, out := range outcomes {
			row := &rows[of[k]]
			row.VersionID = objects[k].ID
			row.Succeeded, row.HTTPStatus, row.Code, row.Message = out.Code == "", out.Status, out.Code, out.Message
			for _, c := range out.Copies {
				outcome.Copy(c.Bucket, c.Rule, objects[k].Size, c.There, c.Code != "")
			}
		}
	}
	count(outcome, rows)
	return rows, outcome, nil
}

// count adds tasks to what became of all.
func count(outcome *job.Outcome, rows []report.Row) {
	for i := range rows {
		outcome.Task(job.Cause{Code: rows[i].Code, Key: rows[i].Key, VersionID: rows[i].VersionID, Reason: rows[i].Message})
	}
}

// settle replicates versions, or, for a plan, looks what would come of it.
func (e *Engine) settle(ctx context.Context, src *bucket.Bucket, versions []*store.Object, granted []bool, plan *chunker) ([]replicate.Existing, error) {
	if plan == nil {
		return e.Replicate.Replicate(ctx, src, versions)
	}
	for _, o := range versions {
		plan.plan.Target(&o.Version)
	}
	return e.Replicate.Foresee(ctx, src, versions, granted)
}

// absent says what an entry names that is not there: the key, or one version
// of it.
func (e *Engine) absent(ctx context.Context, entry *manifest.Entry) *fault.Error {
	const hint = "it was deleted since the manifest was made, or is written in another way there: keys in CSV manifests are percent-encoded"
	if _, err := e.Store.Head(ctx, entry.Bucket, entry.Key, ""); err != nil {
		return &fault.Error{Code: "SrcKeyNotFound", Message: "the key does not exist in " + entry.Bucket, Hint: hint}
	}
	return &fault.Error{Code: "SrcObjectNotFound", Message: "the version does not exist in " + entry.Bucket, Hint: hint}
}

// fail makes a report line one of a failed task.
func fail(row *report.Row, status int, why *fault.Error) {
	row.HTTPStatus, row.Code, row.Message = status, why.Code, why.Message
	if why.Hint != "" {
		row.Message += "; " + why.Hint
	}
}
