package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
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
	ID        string `arg:"" name:"ID" help:"Of a job that has ended."`
	Failed    bool   `xor:"kind" help:"Only objects that failed."`
	Succeeded bool   `xor:"kind" help:"Only objects that succeeded."`
	Out       string `placeholder:"FILE" help:"Write the rows there."`
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
	if !j.State.Terminal() {
		return fault.Newf(fault.Conflict, "", "the job is %s; its report comes at its end", j.State).On(j.ID).WithHint("%s", a.command("job", "watch", j.ID))
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
	err = a.rows(ctx, j, func(r *report.Row) error {
		if c.Failed && r.Succeeded || c.Succeeded && !r.Succeeded {
			return nil
		}
		return rows.add(r)
	})
	if err == nil {
		err = rows.end()
	}
	if err := errors.Join(err, end()); err != nil {
		return err
	}
	rows.count(s.err)
	return nil
}

// rows gives the rows of a job's report to each: those of the tasks that
// failed first.
func (a *jobs) rows(ctx context.Context, j *job.Job, each func(*report.Row) error) error {
	r := &j.Spec.Report
	if !r.Enabled {
		return fault.New(fault.NotFound, "", "the job was asked for no report").On(j.ID).WithHint("name a bucket with twinbucket job create --report s3://BUCKET/PREFIX")
	}
	if j.Progress.Run() == 0 {
		return fault.Newf(fault.NotFound, "", "the job is %s, and no object was tried", j.State).On(j.ID).WithHint("why: %s", a.command("job", "show", j.ID))
	}
	name, err := arn.BucketName(r.Bucket)
	if err != nil {
		return err
	}
	from := a.Client
	if region, err := from.BucketRegion(ctx, name); err == nil && region != "" {
		from = from.In(region)
	}
	o, err := from.GetObject(ctx, name, report.SummaryKey(r.Prefix, j.ID), client.Get{})
	if err != nil {
		return err
	}
	data, err := io.ReadAll(io.LimitReader(o.Body, 16<<20))
	if err := errors.Join(err, o.Body.Close()); err != nil {
		return err
	}
	summary, err := report.ParseSummary(data)
	if err != nil {
		return err
	}
	slices.SortStableFunc(summary.Results, func(a, b report.Result) int {
		if a.TaskExecutionStatus == b.TaskExecutionStatus {
			return 0
		}
		if a.TaskExecutionStatus == "failed" {
			return -1
		}
		return 1
	})
	for _, file := range summary.Results {
		if err := resultRows(ctx, from, file, each); err != nil {
			return err
		}
	}
	return nil
}

// resultRows gives the rows of one file of a report to each.
func resultRows(ctx context.Context, from *client.Client, file report.Result, each func(*report.Row) error) error {
	o, err := from.GetObject(ctx, file.Bucket, file.Key, client.Get{})
	if err != nil {
		return err
	}
	defer o.Body.Close()
	for in := report.NewReader(bufio.NewReaderSize(o.Body, 64<<10)); ; {
		row, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = each(&row)
		}
		if err != nil {
			return err
		}
	}
}

// rowWriter writes rows as they are in AWS's files, or as one JSON document.
type rowWriter struct {
	w         *bufio.Writer
	json      bool
	line      []byte
	succeeded int64
	failed    int64
	codes     map[string]int64 // of what failed
}

func newRowWriter(w io.Writer, id string, asJSON bool) *rowWriter {
	out := &rowWriter{w: bufio.NewWriter(w), json: asJSON, codes: map[string]int64{}}
	if asJSON {
		fmt.Fprintf(out.w, `{"job":%q,"rows":[`, id)
	}
	return out
}

func (w *rowWriter) add(r *report.Row) error {
	if w.json {
		if w.succeeded+w.failed > 0 {
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
	if r.Succeeded {
		w.succeeded++
	} else {
		w.failed++
		w.codes[r.Code]++
	}
	_, err := w.w.Write(w.line)
	return err
}

func (w *rowWriter) end() error {
	if w.json {
		fmt.Fprintf(w.w, "\n],\"succeeded\":%d,\"failed\":%d}\n", w.succeeded, w.failed)
	}
	return w.w.Flush()
}

// count says what the rows were.
func (w *rowWriter) count(out io.Writer) {
	fmt.Fprintf(out, "%s succeeded, %s failed\n", verify.Thousands(w.succeeded), verify.Thousands(w.failed))
	for _, code := range slices.SortedFunc(maps.Keys(w.codes), func(a, b string) int { return int(w.codes[b] - w.codes[a]) }) {
		fmt.Fprintf(out, "  %s %s\n", verify.Thousands(w.codes[code]), code)
	}
}
