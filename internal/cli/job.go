package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"twinbucket/arn"
	"twinbucket/client"
	"twinbucket/fault"
	"twinbucket/internal/profile"
	"twinbucket/internal/progress"
	"twinbucket/internal/verify"
	"twinbucket/job"
)

// errTasks ends a command with exitDifference, errEnded with exitEnded; what
// failed has been reported.
var (
	errTasks = errors.New("tasks of the job failed")
	errEnded = errors.New("the job failed or was cancelled")
)

type jobCommand struct {
	Create jobCreateCommand `cmd:"" help:"Make a job that replicates the objects that are there already."`
	List   jobListCommand   `cmd:"" help:"List the jobs of an account, and say which wait for you."`
	Show   jobShowCommand   `cmd:"" help:"Say all about a job: what it was asked for, how far it is, why it failed."`
	Run    jobRunCommand    `cmd:"" help:"Confirm a job that awaits it, so that it runs."`
	Cancel jobCancelCommand `cmd:"" help:"Cancel a job; what it has done stays done."`
	Watch  jobWatchCommand  `cmd:"" help:"Watch a job to its end."`
	Plan   jobPlanCommand   `cmd:"" help:"Say what a job would do: objects, bytes, calls, time, what is excluded and what would fail. Nothing is made."`
	Report jobReportCommand `cmd:"" help:"Print what came of each object of a job, from its completion report."`
}

// Help says what the commands have in common.
func (jobCommand) Help() string {
	return `Jobs are those of S3 Batch Operations, through the API of S3 Control: the commands work against AWS as they do against a Twinbucket server.

Exit codes: 0 done, and of a job that is watched: all succeeded; 1 failed; 2 wrong command line; 3 the job is complete and objects failed; 6 the job had not ended in time (--timeout); 7 the job failed or was cancelled; 130 interrupted, and the job goes on.`
}

// jobFlags are those of each command.
type jobFlags struct {
	Profile  string `env:"AWS_PROFILE" placeholder:"NAME" help:"AWS profile of the account whose jobs they are."`
	Endpoint string `name:"endpoint-url" env:"AWS_ENDPOINT_URL" placeholder:"URL" help:"Where the APIs are, such as http://127.0.0.1:9000; without it, the profile's endpoint_url, or AWS."`
	Region   string `env:"AWS_REGION" placeholder:"REGION" help:"The jobs' region, which is that of their source bucket; without it, the profile's."`
	Account  string `aliases:"account-id" env:"-" placeholder:"ID" help:"The account whose jobs they are; without it, that of the profile."`
	JSON     bool   `name:"json" help:"Print JSON."`
}

// jobs is an account's jobs.
type jobs struct {
	*client.Client
	account string
	flags   *jobFlags
}

// open returns the account's jobs.
func (f *jobFlags) open(ctx context.Context) (*jobs, error) {
	a := &jobs{account: f.Account, flags: f}
	if f.Account != "" && !arn.ValidAccount(f.Account) {
		return nil, fault.Newf(fault.Invalid, "", "%q is not an account id", f.Account).WithHint("an account id has 12 digits")
	}
	if err := a.renew(ctx); err != nil {
		return nil, err
	}
	if a.account == "" {
		id, err := a.GetCallerIdentity(ctx)
		if err != nil {
			return nil, err
		}
		a.account = id.Account
	}
	return a, nil
}

// renew takes the profile's credentials anew: temporary ones expire, and jobs
// may take longer.
func (a *jobs) renew(ctx context.Context) error {
	c, err := profile.Client(ctx, profile.Options{Name: a.flags.Profile, Endpoint: a.flags.Endpoint, Region: a.flags.Region})
	if err == nil && a.Client != nil {
		c = c.In(a.Region())
	}
	if err == nil {
		a.Client = c
	}
	return err
}

// command returns the words of a twinbucket command about the same account as
// someone would type them: with the flags that were given, and not what the
// environment says.
func (a *jobs) command(words ...string) string {
	words = append([]string{"twinbucket"}, words...)
	for _, f := range []struct{ flag, value, env string }{
		{"--profile", a.flags.Profile, "AWS_PROFILE"},
		{"--endpoint-url", a.flags.Endpoint, "AWS_ENDPOINT_URL"},
		{"--region", a.flags.Region, "AWS_REGION"},
	} {
		if f.value != "" && f.value != os.Getenv(f.env) {
			words = append(words, f.flag, f.value)
		}
	}
	return strings.Join(words, " ")
}

type jobListCommand struct {
	State []job.State `placeholder:"STATE" help:"Only jobs in these states, such as Suspended or Active."`
	jobFlags
}

// Run lists jobs.
func (c *jobListCommand) Run(ctx context.Context, s streams) error {
	for i, state := range c.State {
		at := slices.IndexFunc(job.States(), func(known job.State) bool { return strings.EqualFold(string(known), string(state)) })
		if at < 0 {
			return fault.Newf(fault.Invalid, "", "%q is not a state of jobs", state).WithHint("states are %s", joined(job.States()))
		}
		c.State[i] = job.States()[at]
	}
	a, err := c.open(ctx)
	if err != nil {
		return err
	}
	list, err := a.ListJobs(ctx, a.account, c.State...)
	switch {
	case err != nil:
		return err
	case c.JSON:
		return printJSON(s.out, struct {
			Jobs []listedJob `json:"jobs"`
		}{listed(list)})
	case len(list) == 0:
		_, err = fmt.Fprintln(s.out, "no jobs")
		return err
	}
	if err := writeJobs(s, list, time.Now()); err != nil {
		return err
	}
	for i := range list {
		if list[i].State != job.Suspended {
			continue
		}
		if err := a.remind(s.out, list[i].ID); err != nil {
			return err
		}
	}
	return nil
}

// joined returns words with commas between them.
func joined[T ~string](words []T) string {
	text := make([]string, len(words))
	for i, w := range words {
		text[i] = string(w)
	}
	return strings.Join(text, ", ")
}

// writeJobs writes a table, what matters most first: a narrow terminal cuts
// off the rest.
func writeJobs(s streams, list []job.Job, now time.Time) error {
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tSTATE\tDONE\tFAILED\tCREATED\tOPERATION\tDESCRIPTION")
	for i := range list {
		j := &list[i]
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\t%s\n", j.ID, j.State, done(j.Progress), j.Progress.Failed,
			age(now.Sub(j.Created)), j.Spec.Operation, strings.Join(strings.Fields(j.Spec.Description), " "))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(table.String()) {
		if line = strings.TrimRight(line, " \n"); terminal(s.out) {
			line = progress.Fit(line, progress.Width(s.out))
		}
		if _, err := fmt.Fprintln(s.out, line); err != nil {
			return err
		}
	}
	return nil
}

// done says how many of a job's tasks were run.
func done(p job.Progress) string {
	if p.Total == 0 {
		return "-"
	}
	return fmt.Sprintf("%d/%d", p.Run(), p.Total)
}

// age says how long ago something was, in its largest unit.
func age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds ago", max(int(d.Seconds()), 0))
	case d < time.Hour:
		return fmt.Sprintf("%dm ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh ago", int(d.Hours()))
	}
	return fmt.Sprintf("%dd ago", int(d.Hours())/24)
}

// remind names a job that waits for its user.
func (a *jobs) remind(out io.Writer, id string) error {
	_, err := fmt.Fprintf(out, "%s awaits your confirmation: %s\n", id, a.command("job", "run", id))
	return err
}

// looked is how many of an account's waiting jobs are described to learn what
// they are about.
const looked = 20

// waiting returns the ids of jobs that are about a bucket and wait for their
// user, none if who asks may not see jobs.
func (a *jobs) waiting(ctx context.Context, bucket string) ([]string, error) {
	ids := []string{}
	who, err := a.GetCallerIdentity(ctx)
	if err != nil {
		return nil, err
	}
	list, err := a.ListJobs(ctx, who.Account, job.Suspended)
	for _, one := range list[:min(len(list), looked)] {
		var j *job.Job
		if j, err = a.DescribeJob(ctx, who.Account, one.ID); err != nil {
			break
		}
		if g := j.Spec.Generator; g != nil && g.SourceBucket == arn.Bucket(bucket) {
			ids = append(ids, j.ID)
		}
	}
	if errors.Is(err, fault.Denied) {
		err = nil
	}
	return ids, err
}

type jobRunCommand struct {
	ID string `arg:"" name:"ID" help:"Of a job in the state Suspended."`
	jobFlags
	Wait bool `help:"Watch the job to its end."`
}

// Run confirms a job.
func (c *jobRunCommand) Run(ctx context.Context, s streams) error {
	a, err := c.open(ctx)
	if err != nil {
		return err
	}
	j, err := a.DescribeJob(ctx, a.account, c.ID)
	hidden := errors.Is(err, fault.Denied) // who may only confirm need not see
	switch {
	case hidden:
		j = &job.Job{ID: c.ID}
	case err != nil:
		return a.unknown(err, c.ID)
	case j.State != job.Suspended:
		return a.notSuspended(j)
	}
	if j.State, err = a.UpdateJobStatus(ctx, a.account, c.ID, job.Ready, ""); err != nil {
		return a.unknown(err, c.ID)
	}
	switch {
	case c.Wait:
		return a.end(ctx, s, &watch{id: c.ID, there: true}, 0)
	case c.JSON:
		return printJSON(s.out, jobState{j.ID, j.State})
	case hidden:
		_, err = fmt.Fprintf(s.out, "%s is confirmed\n", j.ID)
		return err
	}
	_, err = fmt.Fprintf(s.out, "%s is confirmed: %s objects; watch it with %s\n", j.ID, verify.Thousands(j.Progress.Total), a.command("job", "watch", j.ID))
	return err
}

// jobState is the answer of run and cancel as JSON.
type jobState struct {
	ID    string    `json:"id"`
	State job.State `json:"state"`
}

// notSuspended is the error for confirming a job that does not wait for it.
func (a *jobs) notSuspended(j *job.Job) error {
	e := fault.Newf(fault.Conflict, "JobStatusException", "the job is %s and awaits no confirmation", j.State).On(j.ID)
	switch {
	case j.State.Terminal():
		return e.WithHint("it has ended, %s%s", outcome(j.Progress), a.again(j))
	case !j.Spec.ConfirmationRequired:
		return e.WithHint("it runs by itself (%s): %s", doing(&j.Spec), a.command("job", "watch", j.ID))
	case j.State == job.New || j.State == job.Preparing:
		return e.WithHint("its manifest is being made, of %s; once that is done it waits for you: %s", selection(&j.Spec), a.command("job", "watch", j.ID))
	}
	return e.WithHint("it was confirmed already: %s", a.command("job", "watch", j.ID))
}

// again says how what failed in a job that has ended can be tried again.
func (a *jobs) again(j *job.Job) string {
	g := j.Spec.Generator
	switch {
	case j.Progress.Failed == 0:
		return ""
	case j.Spec.Operation != job.ReplicateObject || g == nil || g.Filter != nil && g.Filter.KeyName != nil:
		return "; a new job that takes the same objects tries again what failed"
	}
	return "; what failed is tried again by " + a.command("job", "create", folderURL(g.SourceBucket, ""), "--role", j.Spec.RoleARN, "--status", "FAILED")
}

// unknown adds to an error about a job where its user may look.
func (a *jobs) unknown(err error, id string) error {
	if !errors.Is(err, fault.NotFound) {
		return err
	}
	return &fault.Error{
		Op: "job", Thing: id, Kind: fault.NotFound, Code: fault.CodeOf(err), Message: fmt.Sprintf("account %s has no such job in %s", a.account, a.Region()),
		Hint: a.command("job", "list") + " lists those it has; jobs are forgotten 90 days after their end",
	}
}

type jobCancelCommand struct {
	ID     string `arg:"" name:"ID" help:"Of a job that has not ended."`
	Reason string `placeholder:"TEXT" help:"Why, for those who look at the job."`
	jobFlags
}

// Run cancels a job.
func (c *jobCancelCommand) Run(ctx context.Context, s streams) error {
	a, err := c.open(ctx)
	if err != nil {
		return err
	}
	state, err := a.UpdateJobStatus(ctx, a.account, c.ID, job.Cancelled, c.Reason)
	switch {
	case err != nil:
		return a.unknown(err, c.ID)
	case c.JSON:
		return printJSON(s.out, jobState{c.ID, state})
	}
	_, err = fmt.Fprintf(s.out, "%s is %s; what it has done stays done\n", c.ID, state)
	return err
}
