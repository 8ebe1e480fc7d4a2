package cli

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"twinbucket/fault"
	"twinbucket/job"
)

// described is an answer to DescribeJob.
func described(state job.State, done int) string {
	return fmt.Sprintf("<DescribeJobResult><Job><JobId>id-12</JobId><Status>%s</Status><Operation><S3ReplicateObject/></Operation><ProgressSummary><TotalNumberOfTasks>4</TotalNumberOfTasks>"+
		"<NumberOfTasksSucceeded>%d</NumberOfTasksSucceeded></ProgressSummary></Job></DescribeJobResult>", state, done)
}

func refusal(code string) string {
	return "<ErrorResponse><Error><Code>" + code + "</Code><Message>m</Message></Error></ErrorResponse>"
}

// TestWatchGoesOn: a watch outlasts a server that is away for a while and
// credentials that expire, and tells each state once.
func TestWatchGoesOn(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_CONFIG_FILE", t.TempDir()+"/none")
	type answer struct {
		status int
		body   string
	}
	answers := []answer{
		{200, described(job.Preparing, 0)},
		{200, described(job.Active, 1)},
		{400, refusal("ExpiredToken")},
		{200, described(job.Active, 2)},
		{503, refusal("ServiceUnavailable")}, // which the client repeats by itself
		{503, refusal("ServiceUnavailable")},
		{503, refusal("ServiceUnavailable")},
		{503, refusal("ServiceUnavailable")},
		{503, refusal("ServiceUnavailable")},
		{200, described(job.Complete, 4)},
	}
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/_twinbucket/") { // another server than ours
			w.WriteHeader(http.StatusNotFound)
			return
		}
		a := answers[min(int(asked.Add(1)), len(answers))-1]
		if asked.Load() == 4 && !strings.Contains(r.Header.Get("Authorization"), "AKIANEW") {
			a = answer{400, refusal("ExpiredToken")}
		}
		if asked.Load() == 3 {
			t.Setenv("AWS_ACCESS_KEY_ID", "AKIANEW")
		}
		w.WriteHeader(a.status)
		_, _ = w.Write([]byte(a.body))
	}))
	defer server.Close()
	var out bytes.Buffer
	code := Run(t.Context(), []string{"job", "watch", "id-12", "--account", "111122223333", "--endpoint-url", server.URL}, &out, &out)
	want := "  Preparing\n  Active\n  no answer, trying on: m\n  done: 4 of 4\nComplete: 4 succeeded, 0 failed\n"
	if out.String() != want || code != exitOK || int(asked.Load()) != len(answers) {
		t.Errorf("exit code %d after %d requests, %q", code, asked.Load(), out.String())
	}
}

// TestRunUnseen: of a job that may be confirmed and not seen nothing is told
// that is not known.
func TestRunUnseen(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_CONFIG_FILE", t.TempDir()+"/none")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(refusal("AccessDenied")))
			return
		}
		_, _ = w.Write([]byte("<UpdateJobStatusResult><JobId>id-12</JobId><Status>Ready</Status></UpdateJobStatusResult>"))
	}))
	defer server.Close()
	var out bytes.Buffer
	code := Run(t.Context(), []string{"job", "run", "id-12", "--account", "111122223333", "--endpoint-url", server.URL}, &out, &out)
	if out.String() != "id-12 is confirmed\n" || code != exitOK {
		t.Errorf("exit code %d, %q", code, out.String())
	}
}

// TestNotSuspended: what is advised about a job that awaits no confirmation.
func TestNotSuspended(t *testing.T) {
	t.Setenv("AWS_PROFILE", "")
	src := &job.Generator{SourceBucket: "arn:aws:s3:::src"}
	failed := job.Progress{Total: 2, Succeeded: 1, Failed: 1}
	const other = "1 succeeded, 1 failed; a new job that takes the same objects"
	for _, tt := range []struct {
		job  job.Job
		want string
	}{
		{job.Job{State: job.Complete, Progress: job.Progress{Succeeded: 2}, Spec: job.Spec{Operation: job.ReplicateObject, Generator: src}}, "it has ended, 2 succeeded, 0 failed"},
		{
			job.Job{State: job.Complete, Progress: failed, Spec: job.Spec{Operation: job.ReplicateObject, Generator: src, RoleARN: "arn:aws:iam::111122223333:role/batch"}},
			"tried again by twinbucket job create s3://src --role arn:aws:iam::111122223333:role/batch --status FAILED --region eu-west-1",
		},
		{job.Job{State: job.Complete, Progress: failed, Spec: job.Spec{Operation: job.ReplicateObject, Generator: &job.Generator{Filter: &job.Filter{KeyName: &job.KeyNameConstraint{}}}}}, other},
		{job.Job{State: job.Complete, Progress: failed, Spec: job.Spec{Operation: job.PutObjectTagging, Generator: src}}, other},
		{job.Job{State: job.Complete, Progress: failed, Spec: job.Spec{Operation: job.ReplicateObject, Manifest: &job.Manifest{}}}, other},
		{job.Job{State: job.Active, Spec: job.Spec{Operation: job.PutObjectTagging, Generator: src}}, "it runs by itself (S3PutObjectTagging of s3://src, every version): twinbucket job watch id-12"},
	} {
		tt.job.ID = "id-12"
		err := (&jobs{flags: &jobFlags{Region: "eu-west-1"}}).notSuspended(&tt.job)
		if hint := fault.HintOf(err); !strings.Contains(hint, tt.want) || tt.job.Progress.Failed == 0 && strings.Contains(hint, "again") {
			t.Errorf("%q, want %q", hint, tt.want)
		}
	}
}

func TestAge(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-time.Second: "0s ago", 59 * time.Second: "59s ago", time.Minute: "1m ago", 59 * time.Minute: "59m ago",
		time.Hour: "1h ago", 47 * time.Hour: "47h ago", 48 * time.Hour: "2d ago", 90 * 24 * time.Hour: "90d ago",
	} {
		if got := age(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

func TestTasks(t *testing.T) {
	t.Parallel()
	for want, p := range map[string]job.Progress{
		"":                                   {},
		"11,480":                             {Total: 11480},
		"3 of 11,480: 2 succeeded, 1 failed": {Total: 11480, Succeeded: 2, Failed: 1},
		"9 of 9: 9 succeeded, 0 failed, in 1m30s, 0.1 objects/s": {Total: 9, Succeeded: 9, ActiveSeconds: 90},
	} {
		if got := tasks(&job.Job{Progress: p}); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestCommand: what is advised can be typed as it stands.
func TestCommand(t *testing.T) {
	t.Setenv("AWS_PROFILE", "mine")
	t.Setenv("AWS_ENDPOINT_URL", "")
	t.Setenv("AWS_REGION", "")
	a := &jobs{flags: &jobFlags{Profile: "mine", Region: "eu-west-1"}}
	if got := a.command("job", "list"); got != "twinbucket job list --region eu-west-1" {
		t.Error(got)
	}
	a.flags.Profile, a.flags.Endpoint = "other", "http://127.0.0.1:9000"
	if got := a.command("job", "list"); got != "twinbucket job list --profile other --endpoint-url http://127.0.0.1:9000 --region eu-west-1" {
		t.Error(got)
	}
}
