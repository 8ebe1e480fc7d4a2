package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"twinbucket/client"
	"twinbucket/job"
	"twinbucket/manifest"
	"twinbucket/report"
)

// TestAdvise: what to do next about a job.
func TestAdvise(t *testing.T) {
	t.Setenv("AWS_PROFILE", "")
	const reported = true
	spec := func(report bool) job.Spec {
		s := job.Spec{Operation: job.ReplicateObject, RoleARN: "arn:aws:iam::111122223333:role/batch", Generator: &job.Generator{SourceBucket: "arn:aws:s3:::src"}}
		s.Report = job.Report{Enabled: report, Bucket: "arn:aws:s3:::reports", Prefix: "p"}
		return s
	}
	forbidden := []job.Failure{{Code: "ReportWriteNotPermitted", Reason: "The job report could not be written to your report bucket. Please check your permissions."}}
	nothing := []job.Failure{{Code: "NoKeysFound", Reason: "Manifest generation found no keys matching the filter criteria."}}
	for _, tt := range []struct {
		name, endpoint string
		job            job.Job
		report         string // its state
		want           string
	}{
		{"waits", "http://here", job.Job{State: job.Suspended, Suspended: time.Now()}, "", ": twinbucket job run id-12\n"},
		{"goes on", "http://here", job.Job{State: job.Active}, "", ""},
		{"succeeded", "http://here", job.Job{State: job.Complete, Progress: job.Progress{Total: 1, Succeeded: 1}}, "", ""},
		{"objects failed", "http://here", job.Job{State: job.Complete, Progress: job.Progress{Total: 1, Failed: 1}}, "", "What failed, and why: twinbucket job report id-12 --failed\n"},
		{"reported at AWS", "", job.Job{State: job.Complete, Spec: spec(reported), Progress: job.Progress{Total: 1, Failed: 1}}, "", "What failed, and why: twinbucket job report id-12 --failed\n"},
		{"not reported at AWS", "", job.Job{State: job.Complete, Spec: spec(!reported), Progress: job.Progress{Total: 1, Failed: 1}}, "", "no report was asked for"},
		{"refused", "http://here", job.Job{State: job.Failed, Spec: spec(reported), Failures: forbidden}, job.ReportRefused, "twinbucket check s3://src --job-role arn:aws:iam::111122223333:role/batch --report s3://reports/p\n"},
		{"refused a report", "http://here", job.Job{State: job.Failed, Spec: spec(reported), Failures: forbidden}, job.ReportRefused, "twinbucket job report id-12 --deliver\n"},
		{"another operation", "http://here", job.Job{State: job.Failed, Spec: job.Spec{Operation: job.PutObjectTagging, Generator: &job.Generator{}}}, "", ""},
		{"nothing to do", "http://here", job.Job{State: job.Failed, Spec: spec(reported), Failures: nothing}, "", ""},
		{"delivered since", "http://here", job.Job{State: job.Cancelled, Failures: forbidden}, job.ReportDelivered, ""},
		{"cancelled, and refused a report", "http://here", job.Job{State: job.Cancelled}, job.ReportRefused, "twinbucket job report id-12 --deliver\n"},
	} {
		c, err := client.New(client.Config{Endpoint: tt.endpoint})
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		tt.job.ID = "id-12"
		if err := (&jobs{Client: c, flags: &jobFlags{}}).advise(&out, &job.Details{Job: tt.job, Report: job.Delivery{State: tt.report}}); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); !strings.Contains(got, tt.want) || (got == "") != (tt.want == "") {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestPlanned: what is carried is said of a job that carries.
func TestPlanned(t *testing.T) {
	t.Parallel()
	p := &job.Plan{Tasks: 2, Objects: job.Amount{Versions: 2, Bytes: 9}}
	if got := planned(p); got != "2 objects, 9 bytes" {
		t.Error(got)
	}
	p.Foreseen.Destinations = []job.Destination{{There: job.Amount{Versions: 2}}}
	if got := planned(p); got != "2 objects, 9 bytes: 0 to be carried, 2 there already" {
		t.Error(got)
	}
}

func TestSelection(t *testing.T) {
	t.Parallel()
	eligible, size, at := true, int64(9), time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)
	generator := func(f *job.Filter) job.Spec {
		return job.Spec{Generator: &job.Generator{SourceBucket: "arn:aws:s3:::src", Filter: f}}
	}
	for want, spec := range map[string]job.Spec{
		"":                        {},
		"s3://src, every version": generator(&job.Filter{}),
		"s3://src: eligible for replication, prefix logs/": generator(&job.Filter{EligibleForReplication: &eligible, KeyName: &job.KeyNameConstraint{Prefixes: []string{"logs/"}}}),
		"s3://src: suffix .txt, containing x, status NONE or FAILED, created after 2026-01-31T00:00:00Z, created before 2026-01-31T00:00:00Z, " +
			"larger than 9 bytes, smaller than 9 bytes, class STANDARD or GLACIER, encryption SSE-S3": generator(&job.Filter{
			KeyName:      &job.KeyNameConstraint{Suffixes: []string{".txt"}, Substrings: []string{"x"}},
			CreatedAfter: &at, CreatedBefore: &at, SizeGreaterThan: &size, SizeLessThan: &size, ObjectReplicationStatuses: []string{"NONE", "FAILED"},
			StorageClasses: []string{"STANDARD", "GLACIER"}, ObjectEncryption: []job.EncryptionFilter{{Kind: "SSE-S3"}},
		}),
		"those listed in s3://lists/a b.csv (Bucket, Key)": {Manifest: &job.Manifest{Fields: []manifest.Field{manifest.Bucket, manifest.Key}, Location: job.Location{ObjectARN: "arn:aws:s3:::lists/a b.csv"}}},
	} {
		if got := selection(&spec); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestReportOf(t *testing.T) {
	t.Parallel()
	j := &job.Job{ID: "id-12", Spec: job.Spec{Report: job.Report{Enabled: true, Bucket: "arn:aws:s3:::reports", Prefix: "p", Format: report.Format, Scope: job.FailedTasksOnly}}}
	if got := reportOf(j); got != "s3://reports/p/job-id-12/manifest.json, failed tasks only" {
		t.Error(got)
	}
	j.Spec.Report.Enabled = false
	if got := reportOf(j); got != "none asked for" {
		t.Error(got)
	}
}
