package cli

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"twinbucket/client"
	"twinbucket/fault"
	"twinbucket/job"
	"twinbucket/report"
)

// TestWatchExpired: credentials that have expired, and of which the profile has
// no others, are an outage.
func TestWatchExpired(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_CONFIG_FILE", t.TempDir()+"/none")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(refusal("ExpiredToken")))
	}))
	defer server.Close()
	a, err := (&jobFlags{Endpoint: server.URL, Account: "111122223333"}).open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := &watch{jobs: a, id: "id-12", out: &out}
	if _, err := w.look(t.Context()); fault.CodeOf(err) != "ExpiredToken" {
		t.Errorf("first look: %v", err)
	}
	w.there = true // as of a job that was just made
	for range 4 {
		if j, err := w.look(t.Context()); j != nil || err != nil {
			t.Fatal(j, err)
		}
	}
	if got := out.String(); got != "  credentials have expired, trying on\n" {
		t.Errorf("%q", got)
	}
	w.quiet = time.Now().Add(-outage - time.Second)
	if _, err := w.look(t.Context()); fault.CodeOf(err) != "ExpiredToken" {
		t.Errorf("after the outage: %v", err)
	}
}

// TestWatchInterrupted: a watch that ends while the server is away says so, and
// a job that was seen to end is told as ended.
func TestWatchInterrupted(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_CONFIG_FILE", t.TempDir()+"/none")
	const goesOn = "id-12 goes on by itself: twinbucket job watch id-12"
	for _, tt := range []struct {
		name    string
		args    []string
		after   string // what is told when the command is interrupted
		last    int    // status of the answers after the first
		want    string
		code    int
		endsRun bool
	}{
		{"timeout", []string{"--timeout", "300ms"}, "never", http.StatusServiceUnavailable, goesOn, exitUnknown, false},
		{"interrupt", nil, "no answer", http.StatusServiceUnavailable, goesOn, exitInterrupt, false},
		{"ended", nil, "Complete", http.StatusOK, "Complete: 4 succeeded, 0 failed\n", exitOK, true},
	} {
		asked := false
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			switch {
			case !asked:
				_, _ = w.Write([]byte(described(job.Active, 1)))
			case tt.last == http.StatusOK:
				_, _ = w.Write([]byte(described(job.Complete, 4)))
			default:
				w.WriteHeader(tt.last)
				_, _ = w.Write([]byte(refusal("ServiceUnavailable")))
			}
			asked = true
		}))
		ctx, cancel := context.WithCancel(t.Context())
		out := &interrupter{at: tt.after, cancel: cancel}
		args := append([]string{"job", "watch", "id-12", "--account", "111122223333", "--endpoint-url", server.URL}, tt.args...)
		code := Run(ctx, args, out, out)
		if got := out.String(); code != tt.code || !strings.Contains(got, tt.want) || tt.endsRun == strings.Contains(got, goesOn) {
			t.Errorf("%s: exit code %d, %q", tt.name, code, got)
		}
		cancel()
		server.Close()
	}
}

// interrupter interrupts a command once it has written something.
type interrupter struct {
	bytes.Buffer
	at     string
	cancel context.CancelFunc
}

func (w *interrupter) Write(p []byte) (int, error) {
	if strings.Contains(string(p), w.at) {
		w.cancel()
	}
	return w.Buffer.Write(p)
}

// TestWatchClose: what is said of a job that has ended is true.
func TestWatchClose(t *testing.T) {
	t.Setenv("AWS_PROFILE", "")
	spec := job.Spec{Operation: job.ReplicateObject, Report: job.Report{Enabled: true, Bucket: "arn:aws:s3:::reports", Prefix: "p", Format: report.Format, Scope: job.AllTasks}}
	const there = "report: s3://reports/p/job-id-12/manifest.json\n"
	for _, tt := range []struct {
		name   string
		state  job.State
		report string
		want   string
	}{
		{"complete, as another server says", job.Complete, "", there},
		{"failed, as another server says", job.Failed, "", "report: twinbucket job report id-12\n"},
		{"failed and delivered", job.Failed, job.ReportDelivered, there},
		{"cancelled and delivered", job.Cancelled, job.ReportDelivered, there},
		{"cancelled and refused", job.Cancelled, job.ReportRefused, "report: refused; its rows: twinbucket job report id-12\n"},
	} {
		c, err := client.New(client.Config{Endpoint: "http://here"})
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		w := &watch{jobs: &jobs{Client: c, flags: &jobFlags{}}, out: &out}
		j := job.Job{ID: "id-12", State: job.Active, Spec: spec, Progress: job.Progress{Total: 1200, Succeeded: 900, Failed: 100}}
		w.tell(&j)
		j.State, j.Progress.ActiveSeconds = tt.state, 10
		if tt.state == job.Complete {
			j.Progress.Succeeded = 1100
		}
		if err := w.close(&job.Details{Job: j, Report: job.Delivery{State: tt.report}}); err != nil {
			t.Fatal(err)
		}
		total := "  done: 1,000 of 1,200, in 10s, 100.0 objects/s\n" + string(tt.state) + ": 900 succeeded, 100 failed, 200 not tried\n"
		if tt.state == job.Complete {
			total = "  done: 1,200 of 1,200, in 10s, 120.0 objects/s\nComplete: 1,100 succeeded, 100 failed\n"
		}
		if got := out.String(); !strings.Contains(got, total+tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, total+tt.want)
		}
	}
}
