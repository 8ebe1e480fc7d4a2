package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"twinbucket/arn"
	"twinbucket/fault"
	"twinbucket/internal/verify"
	"twinbucket/job"
	"twinbucket/report"
)

type jobShowCommand struct {
	ID string `arg:"" name:"ID" help:"Of the job."`
	jobFlags
}

// Run shows a job.
func (c *jobShowCommand) Run(ctx context.Context, s streams) error {
	a, err := c.open(ctx)
	if err != nil {
		return err
	}
	j, err := a.DescribeJob(ctx, a.account, c.ID)
	if err != nil {
		return a.unknown(err, c.ID)
	}
	if err := a.tag(ctx, j); err != nil {
		return err
	}
	d, err := a.details(ctx, j)
	switch {
	case err != nil:
		return err
	case c.JSON:
		return printJSON(s.out, document(d))
	}
	if err := writeJob(s.out, d); err != nil {
		return err
	}
	return a.advise(s.out, d)
}

// details returns all that is known of a job. That is no more than the job
// where the server is AWS's or another's, or hides it.
func (a *jobs) details(ctx context.Context, j *job.Job) (*job.Details, error) {
	none := &job.Details{Job: *j}
	if a.AWS() {
		return none, nil
	}
	d, err := a.JobDetails(ctx, j.ID)
	switch {
	case ctx.Err() != nil || errors.Is(err, fault.Busy):
		return nil, err
	case err != nil:
		return none, nil
	}
	d.Job = *j
	return d, nil
}

// tag adds its tags to a job, unless they are hidden from who may see it.
func (a *jobs) tag(ctx context.Context, j *job.Job) (err error) {
	if j.Tags, err = a.GetJobTagging(ctx, a.account, j.ID); errors.Is(err, fault.Denied) {
		return nil
	}
	return err
}

// writeJob writes all about a job.
func writeJob(out io.Writer, d *job.Details) error {
	j := &d.Job
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name, text string) {
		if text != "" {
			fmt.Fprintf(w, "%s\t%s\n", name, text)
		}
	}
	spec := &j.Spec
	row("job", j.ID)
	row("state", stateOf(j))
	if j.State != job.Suspended { // of which more is said below
		row("waits", d.Waits)
	}
	if spec.Description != selection(spec) {
		row("description", spec.Description)
	}
	row("operation", operationText(spec))
	row("objects", selection(spec))
	row("tasks", tasks(j))
	if p := d.Pace; p != nil {
		row("pace", fmt.Sprintf("%.0f objects/s, %v left", p.TasksPerSecond, time.Duration(p.SecondsLeft)*time.Second))
	}
	if p := d.Plan; p != nil {
		row("planned", planned(p))
	}
	for i := range d.Outcome.Destinations {
		to := &d.Outcome.Destinations[i]
		row("to "+to.Bucket, destinationText(to, "carried", "failed"))
	}
	row("created", moment(j.Created))
	row("suspended", moment(j.Suspended))
	row("ended", moment(j.Ended))
	row("role", spec.RoleARN)
	row("priority", fmt.Sprint(spec.Priority))
	row("report", reportOf(j))
	if r := &d.Report; r.State == job.ReportRefused {
		row("", "which was refused; its rows are kept here until "+moment(r.KeptUntil))
	}
	if g := j.Generated; g != nil {
		row("manifest", urlOf(g))
	} else if g := spec.Generator; g != nil && g.EnableOutput {
		row("manifest", "goes to "+folderURL(g.Output.Bucket, g.Output.Prefix))
	}
	row("note", j.StatusReason)
	for _, k := range slices.Sorted(maps.Keys(j.Tags)) {
		row("tag", k+"="+j.Tags[k])
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := writeCauses(out, "failed with", d.Outcome.Failures); err != nil {
		return err
	}
	return writeFailures(out, j)
}

// operationText names an operation, with what it takes.
func operationText(spec *job.Spec) string {
	takes, err := json.Marshal(spec.Parameters)
	if err != nil || string(takes) == "{}" {
		return spec.Operation
	}
	return spec.Operation + " " + string(takes)
}

// planned says what a job is going to do, in a line.
func planned(p *job.Plan) string {
	carried, there := p.Foreseen.Carried()
	text := fmt.Sprintf("%s objects, %s", verify.Thousands(p.Tasks), bytesText(p.Objects.Bytes))
	if len(p.Foreseen.Destinations) > 0 {
		text += fmt.Sprintf(": %s to be carried", verify.Thousands(carried.Versions))
	}
	if there.Versions > 0 {
		text += fmt.Sprintf(", %s there already", verify.Thousands(there.Versions))
	}
	if p.Foreseen.Failed > 0 {
		text += fmt.Sprintf(", %s would fail", verify.Thousands(p.Foreseen.Failed))
	}
	return text
}

// writeFailures writes why a job itself failed: AWS's reason, and below it what
// explains it.
func writeFailures(out io.Writer, j *job.Job) error {
	for i, f := range j.Failures {
		text := "  " + f.Code + ": " + f.Reason
		if i > 0 && f.Code == j.Failures[i-1].Code {
			text = "    " + f.Reason
		}
		if _, err := fmt.Fprintln(out, text); err != nil {
			return err
		}
	}
	return nil
}

// advise says what to do next about a job.
func (a *jobs) advise(out io.Writer, d *job.Details) error {
	j := &d.Job
	if d.Report.State == job.ReportRefused {
		fmt.Fprintf(out, "Once the report's bucket takes it: %s\n", a.command("job", "report", j.ID, "--deliver"))
	}
	var err error
	switch {
	case j.State == job.Suspended:
		_, err = fmt.Fprintf(out, "It awaits your confirmation, until %s: %s\n", moment(j.Suspended.Add(job.ConfirmWithin)), a.command("job", "run", j.ID))
	case j.State.Terminal() && j.Progress.Failed > 0 && (j.Spec.Report.Enabled || !a.AWS()):
		_, err = fmt.Fprintf(out, "What failed, and why: %s\n", a.command("job", "report", j.ID, "--failed"))
	case j.State.Terminal() && j.Progress.Failed > 0:
		_, err = fmt.Fprintln(out, "What failed is not known, for no report was asked for: --report s3://BUCKET/PREFIX")
	case j.State == job.Failed && checkable(&j.Spec) && !nothingToDo(j.Failures):
		_, err = fmt.Fprintf(out, "What the job needs, and what is refused: %s\n", a.check(&j.Spec))
	}
	return err
}

// nothingToDo reports whether a job failed because its filter takes no object.
func nothingToDo(failures []job.Failure) bool {
	return slices.ContainsFunc(failures, func(f job.Failure) bool { return strings.Contains(f.Reason, "no keys matching") })
}

// checkable reports whether twinbucket check knows what a job needs.
func checkable(spec *job.Spec) bool {
	return spec.Operation == job.ReplicateObject && spec.Generator != nil
}

// check returns the command that says what a checkable job lacks.
func (a *jobs) check(spec *job.Spec) string {
	g := spec.Generator
	words := []string{"check", folderURL(g.SourceBucket, ""), "--job-role", spec.RoleARN}
	if r := &spec.Report; r.Enabled {
		words = append(words, "--report", folderURL(r.Bucket, r.Prefix))
	}
	if g.EnableOutput {
		words = append(words, "--manifest", folderURL(g.Output.Bucket, g.Output.Prefix))
	}
	return a.command(words...)
}

func stateOf(j *job.Job) string {
	switch j.State {
	case job.Suspended:
		return "Suspended, awaits your confirmation"
	case job.Ready:
		return "Ready, waits for its turn"
	case job.Paused:
		return "Paused, for a job of higher priority"
	}
	return string(j.State)
}

func tasks(j *job.Job) string {
	p := j.Progress
	switch {
	case p.Total == 0:
		return ""
	case p.Run() == 0:
		return verify.Thousands(p.Total)
	}
	return fmt.Sprintf("%s of %s: %s%s", verify.Thousands(p.Run()), verify.Thousands(p.Total), outcome(p), pace(p))
}

// pace says how long a job's tasks took, "" if that was less than a second.
func pace(p job.Progress) string {
	if p.ActiveSeconds == 0 {
		return ""
	}
	return fmt.Sprintf(", in %v, %.1f objects/s", time.Duration(p.ActiveSeconds)*time.Second, float64(p.Run())/float64(p.ActiveSeconds))
}

// outcome counts what came of a job's tasks.
func outcome(p job.Progress) string {
	return fmt.Sprintf("%s succeeded, %s failed", verify.Thousands(p.Succeeded), verify.Thousands(p.Failed))
}

// moment writes a time for people, "" for none.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format(time.DateTime)
}

// selection says which objects a job is about.
func selection(spec *job.Spec) string {
	if m := spec.Manifest; m != nil {
		text := "those listed in " + urlOf(&m.Location)
		if len(m.Fields) > 0 {
			text += " (" + joined(m.Fields) + ")"
		}
		return text
	}
	g := spec.Generator
	if g == nil {
		return ""
	}
	return folderURL(g.SourceBucket, "") + filterText(g.Filter)
}

// filterText says what a filter takes.
func filterText(f *job.Filter) string {
	if f == nil {
		return ", every version"
	}
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if f.EligibleForReplication != nil && *f.EligibleForReplication {
		add("eligible for replication")
	}
	if k := f.KeyName; k != nil {
		for _, c := range []struct {
			name  string
			words []string
		}{{"prefix", k.Prefixes}, {"suffix", k.Suffixes}, {"containing", k.Substrings}} {
			if len(c.words) > 0 {
				add("%s %s", c.name, strings.Join(c.words, " or "))
			}
		}
	}
	if len(f.ObjectReplicationStatuses) > 0 {
		add("status %s", strings.Join(f.ObjectReplicationStatuses, " or "))
	}
	if f.CreatedAfter != nil {
		add("created after %s", f.CreatedAfter.Format(time.RFC3339))
	}
	if f.CreatedBefore != nil {
		add("created before %s", f.CreatedBefore.Format(time.RFC3339))
	}
	if f.SizeGreaterThan != nil {
		add("larger than %d bytes", *f.SizeGreaterThan)
	}
	if f.SizeLessThan != nil {
		add("smaller than %d bytes", *f.SizeLessThan)
	}
	if len(f.StorageClasses) > 0 {
		add("class %s", strings.Join(f.StorageClasses, " or "))
	}
	for i := range f.ObjectEncryption {
		add("encryption %s", f.ObjectEncryption[i].String())
	}
	if len(parts) == 0 {
		return ", every version"
	}
	return ": " + strings.Join(parts, ", ")
}

// reportOf says where a job's report is, or will be.
func reportOf(j *job.Job) string {
	r := &j.Spec.Report
	if !r.Enabled {
		return "none asked for"
	}
	text := folderURL(r.Bucket, report.SummaryKey(r.Prefix, j.ID))
	if r.Scope == job.FailedTasksOnly {
		text += ", failed tasks only"
	}
	return text
}

// folderURL returns the URL of a prefix, or of a key, in the bucket with an ARN.
func folderURL(bucketARN, prefix string) string {
	name, err := arn.BucketName(bucketARN)
	if err != nil {
		return bucketARN
	}
	if prefix == "" {
		return "s3://" + name
	}
	return "s3://" + name + "/" + prefix
}

// urlOf returns the URL of a manifest.
func urlOf(l *job.Location) string {
	name, key, err := l.Object()
	if err != nil {
		return l.ObjectARN
	}
	return "s3://" + name + "/" + key
}
