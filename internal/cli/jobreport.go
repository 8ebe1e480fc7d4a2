package cli

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"twinbucket/arn"
	"twinbucket/client"
	"twinbucket/fault"
	"twinbucket/internal/verify"
	"twinbucket/job"
	"twinbucket/report"
)

type jobReportCommand struct {
	ID        string `arg:"" name:"ID" help:"Of the job."`
	Failed    bool   `xor:"kind" help:"Only objects that failed."`
	Succeeded bool   `xor:"kind" help:"Only objects that succeeded."`
	Out       string `placeholder:"FILE" help:"Write the rows there."`
	Deliver   bool   `help:"First have a Twinbucket server write the report to its bucket once more, as after its policy was mended."`
	jobFlags
}

// Run prints the rows of a job's report.
func (c *jobReportCommand) Run(ctx context.Context, s streams) error {
	a, err := c.open(ctx)
	if err != nil {
		return err
	}
	j, err := a.DescribeJob(ctx, a.account, c.ID)
	if err != nil {
		return a.unknown(err, c.ID)
	}
	if c.Deliver {
		if _, err := a.DeliverReport(ctx, j.ID); err != nil {
			return err
		}
		fmt.Fprintf(s.err, "report: %s\n", reportOf(j))
	}
	status, err := c.status(j, a.AWS())
	if err != nil {
		return err
	}
	files, err := a.results(ctx, j, status)
	if err != nil {
		return err
	}
	out, end := s.out, func() error { return nil }
	if c.Out != "" {
		f, err := os.Create(c.Out)
		if err != nil {
			return err
		}
		out, end = f, f.Close
	}
	rows := newRowWriter(out, j.ID, c.JSON)
	for _, open := range files {
		if err = rows.copy(open); err != nil {
			break
		}
	}
	if err == nil {
		err = rows.end()
	}
	if err := errors.Join(err, end()); err != nil {
		return err
	}
	return rows.count(s.err, status)
}

// status returns that of the tasks whose rows are wanted, "" for all: of a
// report of failed tasks, which is all that there is at AWS, no more than these.
func (c *jobReportCommand) status(j *job.Job, aws bool) (string, error) {
	failedOnly := aws && j.Spec.Report.Scope == job.FailedTasksOnly
	switch {
	case failedOnly && c.Succeeded:
		return "", fault.New(fault.NotFound, "", "the job's report has only objects that failed").On(j.ID).WithHint("leave --succeeded out")
	case failedOnly || c.Failed:
		return report.Failed, nil
	case c.Succeeded:
		return report.Succeeded, nil
	}
	return "", nil
}

// opener opens a file of rows, which has to be closed.
type opener func() (io.ReadCloser, error)

// results returns the files with a job's rows of a status: those of the report
// in its bucket, or, where there is none, what a Twinbucket server keeps.
func (a *jobs) results(ctx context.Context, j *job.Job, status string) ([]opener, error) {
	r := &j.Spec.Report
	whole := r.Scope == job.AllTasks || status == report.Failed
	var err error
	switch {
	case j.State.Terminal() && j.Progress.Run() == 0:
		return nil, fault.Newf(fault.NotFound, "", "the job is %s, and no object was tried", j.State).On(j.ID).WithHint("why: %s", a.command("job", "show", j.ID))
	case !j.State.Terminal():
		err = fault.Newf(fault.Conflict, "", "the job is %s; its report comes at its end", j.State).On(j.ID).WithHint("%s", a.command("job", "watch", j.ID))
	case !r.Enabled:
		err = fault.New(fault.NotFound, "", "the job was asked for no report").On(j.ID).WithHint("name a bucket with twinbucket job create --report s3://BUCKET/PREFIX")
	case whole || a.AWS():
		var files []opener
		if files, err = a.delivered(ctx, j, status); err == nil {
			return files, nil
		}
	}
	if a.AWS() {
		return nil, err
	}
	return []opener{func() (io.ReadCloser, error) { return a.JobRows(ctx, j.ID, status) }}, nil
}

// delivered returns the files of the report in its bucket: those of the tasks
// that failed first.
func (a *jobs) delivered(ctx context.Context, j *job.Job, status string) ([]opener, error) {
	r := &j.Spec.Report
	name, err := arn.BucketName(r.Bucket)
	if err != nil {
		return nil, err
	}
	from := a.Client
	if region, err := from.BucketRegion(ctx, name); err == nil {
		from = from.In(region)
	}
	o, err := from.GetObject(ctx, name, report.SummaryKey(r.Prefix, j.ID), client.Get{})
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(o.Body, 16<<20))
	if err := errors.Join(err, o.Body.Close()); err != nil {
		return nil, err
	}
	summary, err := report.ParseSummary(data)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(summary.Results, func(a, b report.Result) int { return cmp.Compare(a.TaskExecutionStatus, b.TaskExecutionStatus) })
	var files []opener
	for _, file := range summary.Results {
		if status != "" && status != file.TaskExecutionStatus {
			continue
		}
		files = append(files, func() (io.ReadCloser, error) {
			o, err := from.GetObject(ctx, file.Bucket, file.Key, client.Get{})
			if err != nil {
				return nil, err
			}
			return o.Body, nil
		})
	}
	return files, nil
}

// rowWriter writes rows as they are in AWS's files, or as one JSON document.
type rowWriter struct {
	w       *bufio.Writer
	json    bool
	line    []byte
	written job.Outcome
}

func newRowWriter(w io.Writer, id string, asJSON bool) *rowWriter {
	out := &rowWriter{w: bufio.NewWriter(w), json: asJSON}
	if asJSON {
		fmt.Fprintf(out.w, `{"job":%q,"rows":[`, id)
	}
	return out
}

// copy writes the rows of a file.
func (w *rowWriter) copy(open opener) error {
	file, err := open()
	if err != nil {
		return err
	}
	defer file.Close()
	for in := report.NewReader(bufio.NewReaderSize(file, 64<<10)); ; {
		row, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = w.add(&row)
		}
		if err != nil {
			return err
		}
	}
}

func (w *rowWriter) add(r *report.Row) error {
	if w.json {
		if w.written.Succeeded+w.written.Failed > 0 {
			w.w.WriteByte(',')
		}
		w.w.WriteByte('\n')
		data, err := json.Marshal(struct {
			Bucket     string `json:"bucket"`
			Key        string `json:"key"`
			VersionID  string `json:"versionId"`
			Succeeded  bool   `json:"succeeded"`
			HTTPStatus int    `json:"httpStatus"`
			Code       string `json:"code,omitempty"`
			Message    string `json:"message"`
		}(*r))
		if err != nil {
			return err
		}
		w.line = data
	} else {
		w.line = r.AppendCSV(w.line[:0])
	}
	task := job.Cause{Key: r.Key, VersionID: r.VersionID, Reason: r.Message}
	if !r.Succeeded {
		task.Code = cmp.Or(r.Code, "no code")
	}
	w.written.Task(task)
	_, err := w.w.Write(w.line)
	return err
}

func (w *rowWriter) end() error {
	if w.json {
		fmt.Fprintf(w.w, "\n],\"succeeded\":%d,\"failed\":%d}\n", w.written.Succeeded, w.written.Failed)
	}
	return w.w.Flush()
}

// count says what the rows were, which are those of a status: how many tasks
// have another is not known.
func (w *rowWriter) count(out io.Writer, status string) error {
	o := &w.written
	text := outcome(job.Progress{Succeeded: o.Succeeded, Failed: o.Failed})
	switch status {
	case report.Succeeded:
		text = verify.Thousands(o.Succeeded) + " succeeded"
	case report.Failed:
		text = verify.Thousands(o.Failed) + " failed"
	}
	fmt.Fprintln(out, text)
	slices.SortStableFunc(o.Failures, func(a, b job.Cause) int { return cmp.Compare(b.Count, a.Count) })
	return writeCauses(out, "failed with", o.Failures)
}
