package cli

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"twinbucket/fault"
	"twinbucket/job"
	"twinbucket/report"
)

// TestRowCount: of rows of one status no others are counted.
func TestRowCount(t *testing.T) {
	t.Parallel()
	rows := string((&report.Row{Bucket: "src", Key: "a", Succeeded: true, HTTPStatus: 200, Message: "success"}).AppendCSV(nil)) +
		string((&report.Row{Bucket: "src", Key: "b", HTTPStatus: 403, Code: "AccessDenied", Message: "m"}).AppendCSV(nil))
	const cause = "  1 failed with AccessDenied, such as b\n    m\n"
	for status, want := range map[string]string{"": "1 succeeded, 1 failed\n" + cause, report.Failed: "1 failed\n" + cause, report.Succeeded: "1 succeeded\n" + cause} {
		w := newRowWriter(io.Discard, "id-12", false)
		if err := w.copy(func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(rows)), nil }); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := w.count(&out, status); err != nil || out.String() != want {
			t.Errorf("%q: %q, %v", status, out.String(), err)
		}
	}
}

// TestReportStatus: what rows there are to be asked for.
func TestReportStatus(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		command jobReportCommand
		scope   string
		aws     bool
		want    string
		err     error
	}{
		{jobReportCommand{}, job.AllTasks, true, "", nil},
		{jobReportCommand{Failed: true}, job.AllTasks, true, report.Failed, nil},
		{jobReportCommand{Succeeded: true}, job.AllTasks, true, report.Succeeded, nil},
		{jobReportCommand{}, job.FailedTasksOnly, true, report.Failed, nil},
		{jobReportCommand{Succeeded: true}, job.FailedTasksOnly, true, "", fault.NotFound},
		{jobReportCommand{}, job.FailedTasksOnly, false, "", nil}, // all rows are kept
		{jobReportCommand{Succeeded: true}, job.FailedTasksOnly, false, report.Succeeded, nil},
	} {
		got, err := tt.command.status(&job.Job{Spec: job.Spec{Report: job.Report{Scope: tt.scope}}}, tt.aws)
		if got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%+v of %s, AWS %v: %q, %v", tt.command, tt.scope, tt.aws, got, err)
		}
	}
}
