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
	return a.end(ctx, s, c.ID, c.Timeout)
}

// end watches a job to its end, for at most the timeout, 0 for ever, and ends
// the command by what came of it.
func (a *jobs) end(ctx context.Context, s streams, id string, timeout time.Duration) error {
	within, cancel := ctx, context.CancelFunc(func() {})
	if timeout > 0 {
		within, cancel = context.WithTimeout(ctx, timeout)
	}
	defer cancel()
	w := &watch{jobs: a, id: id, out: a.narration(s)}
	j, err := w.run(within)
	if err != nil && w.bar != nil {
		w.bar.Hide()
	}
	if within.Err() != nil && (err == nil || errors.Is(err, within.Err())) {
		if w.state == job.Suspended {
			fmt.Fprintf(s.err, "%s still awaits your confirmation: %s\n", id, a.command("job", "run", id))
		} else {
			fmt.Fprintf(s.err, "%s goes on by itself: %s\n", id, a.command("job", "watch", id))
		}
		if ctx.Err() == nil {
			return errUnknown
		}
		return ctx.Err()
	}
	if err != nil {
		return a.unknown(err, id)
	}
	if a.flags.JSON {
		if err := a.tag(ctx, j); err != nil {
			return err
		}
		d, err := a.details(ctx, j)
		if err != nil {
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

// outage is for how long a server that does not answer is asked again.
const outage = 10 * time.Minute

// watch is what was seen of a job.
type watch struct {
	*jobs
	id    string
	out   io.Writer
	bar   *progress.Bar // once tasks run
	state job.State     // that was told last
	quiet time.Time     // since when the server does not answer
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
				return j, w.close(j)
			}
		}
		timer.Reset(pause)
	}
}

// look describes the job. It returns none if that is to be tried again.
func (w *watch) look(ctx context.Context) (*job.Job, error) {
	j, err := w.DescribeJob(ctx, w.account, w.id)
	switch code := fault.CodeOf(err); {
	case err == nil:
		w.quiet = time.Time{}
		return j, nil
	case w.state == "" || ctx.Err() != nil:
		return nil, err
	case code == "ExpiredToken" || code == "ExpiredTokenException":
		return nil, w.renew(ctx)
	case !errors.Is(err, fault.Busy):
		return nil, err
	case w.quiet.IsZero():
		w.quiet = time.Now()
		w.say("  no answer, trying on: " + fault.MessageOf(err))
	case time.Since(w.quiet) > outage:
		return nil, err
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
		what := "done"
		if j.Spec.Operation == job.ReplicateObject {
			what = "replicated"
		}
		w.bar = progress.New(w.out, terminal(w.out), what, "objects", j.Progress.Total)
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
func (w *watch) close(j *job.Job) error {
	if w.bar != nil {
		w.bar.Finish()
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
	if r := &j.Spec.Report; r.Enabled && j.Progress.Run() > 0 && len(j.Failures) == 0 {
		fmt.Fprintf(w.out, "report: %s\n", reportOf(j))
	}
	if err := writeFailures(w.out, j); err != nil {
		return err
	}
	return w.advise(w.out, j)
}
