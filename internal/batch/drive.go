package batch

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"twinbucket/fault"
	"twinbucket/job"
)

// driver takes one job from state to state until it ends or waits for its user.
type driver struct {
	e    *Engine
	name string

	mu    sync.Mutex
	again bool               // the record was changed since it was read
	stop  context.CancelFunc // ends the step that is under way
	now   func() tally       // how far the job is, if the step that is under way knows
}

// Run drives the jobs that have not ended until soft is done. A step that is
// under way is cut short then, to be taken up again at the next start; chunks
// that were begun are ended, unless hard is done too.
func (e *Engine) Run(soft, hard context.Context) error {
	if err := e.ensureBucket(soft); err != nil {
		return err
	}
	all, err := e.all()
	if err != nil {
		return err
	}
	var drivers sync.WaitGroup
	defer drivers.Wait()
	begin := func(name string) {
		if d := e.claim(name); d != nil {
			drivers.Go(func() { d.drive(soft, hard) })
		}
	}
	for _, r := range all {
		if r.State == job.Active { // it goes on, before others begin
			e.slots.try(name(r.Account, r.ID), r.Spec.Priority)
		}
	}
	for _, r := range all {
		if r.State != job.Suspended && !r.State.Terminal() {
			begin(name(r.Account, r.ID))
		}
	}
	hourly := time.NewTicker(time.Hour)
	defer hourly.Stop()
	var looked time.Time
	for {
		if err := e.look(soft, looked); err != nil && soft.Err() == nil {
			e.Log.Warn("cannot look through the jobs", "cause", err)
		}
		looked = e.Now()
		for waiting := true; waiting; {
			for _, name := range e.take() {
				begin(name)
			}
			select {
			case <-e.woken:
			case <-hourly.C:
				waiting = false
			case <-soft.Done():
				return nil
			}
		}
	}
}

// wake has a job's driver look at its record, and starts one if there is none.
func (e *Engine) wake(name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if d := e.drivers[name]; d != nil {
		d.interrupt()
		return
	}
	e.asleep = append(e.asleep, name)
	select {
	case e.woken <- struct{}{}:
	default: // Run is about to look anyway
	}
}

// take returns the jobs that were woken and have no driver.
func (e *Engine) take() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	names := e.asleep
	e.asleep = nil
	return names
}

// claim makes the driver of a job, unless it has one.
func (e *Engine) claim(name string) *driver {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.drivers[name] != nil {
		return nil
	}
	d := &driver{e: e, name: name}
	e.drivers[name] = d
	return d
}

// interrupt has the driver read the record again.
func (d *driver) interrupt() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.again = true
	if d.stop != nil {
		d.stop()
	}
}

// leave ends the driver, unless the record was changed in the meantime.
func (d *driver) leave() bool {
	d.e.mu.Lock()
	defer d.e.mu.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.again {
		return false
	}
	delete(d.e.drivers, d.name)
	return true
}

// drive takes steps until the job has ended or waits for its user.
func (d *driver) drive(ctx, hard context.Context) {
	for attempt := 0; ; {
		step, cancel := context.WithCancel(ctx)
		d.mu.Lock()
		d.again, d.stop = false, cancel
		d.mu.Unlock()
		more, err := d.step(step, hard)
		if err != nil && step.Err() == nil {
			attempt++
			d.pause(step, attempt, err)
		} else {
			attempt = 0
		}
		cancel()
		if ctx.Err() != nil {
			d.mu.Lock()
			d.again = false
			d.mu.Unlock()
			d.leave()
			return
		}
		if err == nil && !more && d.leave() {
			return
		}
	}
}

// pause waits before a step that failed is tried again, unless the driver is
// interrupted.
func (d *driver) pause(step context.Context, attempt int, cause error) {
	delay := min(100*time.Millisecond<<min(attempt, 10), time.Minute)
	d.e.Log.Warn("a job's step will be tried again", "job", d.name, "after", delay, "cause", cause, "hint", fault.HintOf(cause))
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-step.Done():
	}
}

// step does what the job's state asks for; more says whether there is more to
// do after it. When ctx is done it begins nothing more; when hard is done it
// also leaves what it began.
func (d *driver) step(ctx, hard context.Context) (more bool, err error) {
	r, _, err := d.e.jobs.Get(d.name)
	if errors.Is(err, fault.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	more, err = d.act(ctx, hard, &r)
	if errors.Is(err, fault.Damaged) && (r.State == job.Preparing || r.State == job.Active) {
		// What the disk has changed does not come back by itself.
		err = d.fail(ctx, refuse("InternalError", "Stored data that the job needs is damaged.", err))
	}
	return more, err
}

// act is step for a record that was read.
func (d *driver) act(ctx, hard context.Context, r *record) (more bool, err error) {
	switch r.State {
	case job.New:
		return true, d.move(ctx, job.Prepare, nil)
	case job.Preparing:
		return true, d.prepare(ctx, r)
	case job.Ready, job.Paused:
		if _, err := d.e.slots.take(ctx, d.name, r.Spec.Priority, r.State == job.Paused); err != nil {
			return true, err
		}
		if err := d.move(ctx, job.Start, nil); err != nil {
			d.e.slots.give(d.name)
			return true, err
		}
		return true, nil
	case job.Active:
		have := d.e.slots.try(d.name, r.Spec.Priority)
		if have == nil { // there are fewer slots than before a restart
			return true, d.move(ctx, job.Preempt, nil)
		}
		defer d.e.slots.give(d.name)
		return true, d.work(ctx, hard, r, have.wanted)
	case job.Pausing: // since before a restart
		t, err := d.e.tally(ctx, r)
		if err != nil {
			return true, err
		}
		return true, d.move(ctx, job.Yield, t.into)
	case job.Suspended:
		d.e.remind(r)
	case job.Completing, job.Cancelling, job.Failing:
		d.e.slots.give(d.name)
		return true, d.finish(ctx, r)
	}
	return false, nil
}

// move takes the job through an event and makes a further change in the same
// step. If the record has moved on meanwhile, as when the user cancels, the
// event may not apply any more; the driver then goes by the record.
func (d *driver) move(ctx context.Context, event job.Event, change func(*record)) error {
	var now record
	err := d.e.jobs.Update(ctx, d.name, func(r *record) error {
		if change != nil {
			change(r)
		}
		err := d.e.move(r, event)
		now = *r
		return err
	})
	if fault.CodeOf(err) == "JobStatusException" {
		return nil
	}
	if err == nil && now.State.Terminal() {
		d.e.ended(&now)
	}
	return err
}

// ended says in the log what came of a job.
func (e *Engine) ended(r *record) {
	level, more := slog.LevelInfo, []any{"job", name(r.Account, r.ID), "state", r.State, "succeeded", r.Progress.Succeeded, "failed", r.Progress.Failed}
	if r.State == job.Failed {
		level = slog.LevelWarn
		for _, f := range r.Failures {
			more = append(more, "cause", f.Reason)
		}
	}
	e.Log.Log(context.Background(), level, "a job has ended", more...)
}

// fail moves the job to Failing.
func (d *driver) fail(ctx context.Context, no *refusal) error {
	return d.move(ctx, job.Fail, func(r *record) { r.Failures = append(r.Failures, no.failures()...) })
}

// show has a step say how far the job is, until it is called with nil.
func (d *driver) show(now func() tally) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now = now
}

// overlay adds to a job what the step under way knows; false: none does.
func (d *driver) overlay(j *job.Job) bool {
	d.mu.Lock()
	now := d.now
	d.mu.Unlock()
	if now == nil {
		return false
	}
	t := now()
	j.Progress = t.progress()
	return true
}

// remindEvery is how often the log names a job that waits for its user.
const remindEvery = 24 * time.Hour

// look goes through the jobs: it reminds of those that wait for their user,
// fails those that nobody confirmed, and forgets those that ended long ago.
// Before is when it looked last.
func (e *Engine) look(ctx context.Context, before time.Time) error {
	all, err := e.all()
	if err != nil {
		return err
	}
	now := e.Now()
	var failed error
	for i := range all {
		var err error
		switch r := &all[i]; {
		case r.State == job.Suspended && now.Sub(r.Job.Suspended) > job.ConfirmWithin:
			d := &driver{e: e, name: name(r.Account, r.ID)}
			err = d.move(ctx, job.Expire, func(r *record) {
				r.Failures = append(r.Failures, job.Failure{Code: "JobExpired", Reason: "The job was not confirmed within 30 days."})
			})
		case r.State == job.Suspended && now.Sub(r.Job.Suspended)/remindEvery > before.Sub(r.Job.Suspended)/remindEvery:
			e.remind(r)
		case r.State.Terminal() && now.Sub(r.Ended) > job.KeptFor:
			err = e.forget(ctx, r)
		}
		failed = errors.Join(failed, err)
	}
	return failed
}

// forget removes what there is of a job, its record last: as long as that is
// there it is tried again.
func (e *Engine) forget(ctx context.Context, r *record) error {
	err := e.dropChunks(ctx, r)
	if err == nil {
		err = e.tokens.Delete(ctx, name(r.Account, r.Spec.Token), anyRevision)
	}
	if err == nil || errors.Is(err, fault.NotFound) {
		err = e.jobs.Delete(ctx, name(r.Account, r.ID), anyRevision)
	}
	return err
}

// remind says in the log that a job waits for its user.
func (e *Engine) remind(r *record) {
	e.Log.Warn("a job awaits the confirmation of its user", "job", name(r.Account, r.ID), "tasks", r.Progress.Total,
		"since", r.Job.Suspended, "fails", r.Job.Suspended.Add(job.ConfirmWithin),
		"hint", "twinbucket job run "+r.ID+", or aws s3control update-job-status with the status Ready or Cancelled")
}
