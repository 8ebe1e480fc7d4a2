package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"twinbucket/fault"
	"twinbucket/internal/progress"
	"twinbucket/internal/verify"
	"twinbucket/job"
)

type jobWatchCommand struct {
	ID      string        `arg:"" name:"ID" help:"Of the job."`
	Timeout time.Duration `placeholder:"TIME" help:"Give up after this long, with exit code 6; without it, watch to the end."`
	jobFlags
}

// Run watches a job to its end.
func (c *jobWatchCommand) Run(ctx context.Context, s streams) error {
	if c.Timeout < 0 {
		return fault.New(fault.Invalid, "", "--timeout is less than nothing").WithHint("name a time such as 2h")
	}
	a, err := c.open(ctx)
	if err != nil {
		return err
	}
	return a.end(ctx, s, &watch{id: c.ID}, c.Timeout)
}

// end watches a job to its end, for at most the timeout, 0 for ever, and ends
// the command by what came of it.
func (a *jobs) end(ctx context.Context, s streams, w *watch, timeout time.Duration) error {
	within, cancel := ctx, context.CancelFunc(func() {})
	if timeout > 0 {
		within, cancel = context.WithTimeout(ctx, timeout)
	}
	defer cancel()
	w.jobs, w.out = a, a.narration(s)
	j, err := w.run(within)
	if w.bar != nil {
		w.bar.Hide()
	}
	if err != nil && within.Err() != nil { // whatever the last request met with
		if w.state == job.Suspended {
			fmt.Fprintf(s.err, "%s still awaits your confirmation: %s\n", w.id, a.command("job", "run", w.id))
		} else {
			fmt.Fprintf(s.err, "%s goes on by itself: %s\n", w.id, a.command("job", "watch", w.id))
		}
		if ctx.Err() == nil {
			return errUnknown
		}
		return ctx.Err()
	}
	if err != nil {
		return a.unknown(err, w.id)
	}
	d, hidden := a.details(ctx, j)
	if hidden != nil { // how it ended is known
		d = &job.Details{Job: *j}
	}
	if err := w.close(d); err != nil {
		return err
	}
	if a.flags.JSON {
		if hidden != nil {
			return hidden
		}
		if err := a.tag(ctx, &d.Job); err != nil {
			return err
		}
		if err := printJSON(s.out, document(d)); err != nil {
			return err
		}
	}
	switch {
	case j.State != job.Complete:
		return errEnded
	case j.Progress.Failed > 0:
		return errTasks
	}
	return nil
}

// narration returns where it is told what happens: standard output, unless that
// is to be JSON.
func (a *jobs) narration(s streams) io.Writer {
	if a.flags.JSON {
		return s.err
	}
	return s.out
}

// How often a watched job is described: soon at first, for jobs that are done
// in a moment, and then in the rhythm that AWS advises, or a quicker one.
const (
	firstLook  = 50 * time.Millisecond
	steadyLook = 2 * time.Second
	steadyAWS  = 30 * time.Second
)

// outage is for how long a server that does not answer, or refuses expired
// credentials, is asked again.
const outage = 10 * time.Minute

// watch is what was seen of a job.
type watch struct {
	*jobs
	id    string
	there bool // the job is known to be there, though it was not seen yet
	out   io.Writer
	bar   *progress.Bar // once tasks run
	state job.State     // that was told last

	quiet   time.Time // since when there is no answer
	why     string    // there is none, as it was told
	renewed bool      // the credentials, since the last answer
}

// run describes the job again and again until it has ended.
func (w *watch) run(ctx context.Context) (*job.Job, error) {
	steady := steadyLook
	if w.AWS() {
		steady = steadyAWS
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for pause := firstLook; ; pause = min(pause*3/2, steady) {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		j, err := w.look(ctx)
		if err != nil {
			return nil, err
		}
		if j != nil {
			w.tell(j)
			if j.State.Terminal() {
				return j, nil
			}
		}
		timer.Reset(pause)
	}
}

// look describes the job. It returns none if that is to be tried again.
func (w *watch) look(ctx context.Context) (*job.Job, error) {
	j, err := w.DescribeJob(ctx, w.account, w.id)
	if err == nil {
		w.quiet, w.why, w.renewed, w.there = time.Time{}, "", false, true
		return j, nil
	}
	code := fault.CodeOf(err)
	expired := code == "ExpiredToken" || code == "ExpiredTokenException"
	switch {
	case !w.there || ctx.Err() != nil || !expired && !errors.Is(err, fault.Busy):
		return nil, err
	case expired && !w.renewed:
		w.renewed = true
		return nil, w.renew(ctx)
	case w.quiet.IsZero():
		w.quiet = time.Now()
	case time.Since(w.quiet) > outage:
		return nil, err
	}
	why := "no answer"
	if expired { // and the profile has no others
		why = "credentials have expired"
	}
	if why != w.why {
		w.why = why
		if !expired {
			why += ", trying on: " + fault.MessageOf(err)
		} else {
			why += ", trying on"
		}
		w.say("  " + why)
	}
	if expired {
		return nil, w.renew(ctx)
	}
	return nil, nil
}

// tell says what is new about the job.
func (w *watch) tell(j *job.Job) {
	if j.State != w.state && !j.State.Terminal() {
		w.say("  " + stateOf(j))
		if j.State == job.Suspended {
			w.say(fmt.Sprintf("  %s objects: look at them with %s, let it run with %s",
				verify.Thousands(j.Progress.Total), w.command("job", "show", w.id), w.command("job", "run", w.id)))
		}
	}
	if j.State == job.Active && w.bar == nil {
		w.bar = progress.New(w.out, terminal(w.out), "done", "objects", j.Progress.Total)
		w.bar.Skip(j.Progress.Run())
	}
	w.state = j.State
	if w.bar != nil {
		w.bar.Set(j.Progress.Run())
	}
}

func (w *watch) say(text string) {
	if w.bar != nil {
		w.bar.Say(text)
		return
	}
	fmt.Fprintln(w.out, text)
}

// close says how the job ended.
func (w *watch) close(d *job.Details) error {
	j := &d.Job
	if w.bar != nil {
		fmt.Fprintf(w.out, "  done: %s of %s%s\n", verify.Thousands(j.Progress.Run()), verify.Thousands(j.Progress.Total), pace(j.Progress))
	}
	text := string(j.State)
	if j.Progress.Total > 0 {
		text += ": " + outcome(j.Progress)
		if left := j.Progress.Total - j.Progress.Run(); left > 0 {
			text += fmt.Sprintf(", %s not tried", verify.Thousands(left))
		}
	}
	if j.StatusReason != "" && j.State == job.Cancelled {
		text += " (" + j.StatusReason + ")"
	}
	fmt.Fprintln(w.out, text)
	if j.Spec.Report.Enabled && j.Progress.Run() > 0 {
		fmt.Fprintf(w.out, "report: %s\n", w.reported(d))
	}
	if err := writeFailures(w.out, j); err != nil {
		return err
	}
	return w.advise(w.out, d)
}

// reported says where the report of a job that has ended is, as far as that is
// known.
func (w *watch) reported(d *job.Details) string {
	j := &d.Job
	switch {
	case d.Report.State == job.ReportRefused:
		return "refused; its rows: " + w.command("job", "report", j.ID)
	case d.Report.State == job.ReportDelivered || j.State == job.Complete: // no job is Complete without its report
		return reportOf(j)
	}
	return w.command("job", "report", j.ID)
}
