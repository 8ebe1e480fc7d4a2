package batch_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/batch"
	"twinbucket/internal/testenv"
	"twinbucket/job"
	"twinbucket/object"
	"twinbucket/report"
)

// TestOutcomeSurvivesCrashes: what failed with which code is counted exactly,
// however often the power fails, and the job's plan stays.
func TestOutcomeSurvivesCrashes(t *testing.T) {
	t.Parallel()
	const n = 3000
	e := existing(t, n)
	// One in ten is refused, and that is no reason for the job to fail.
	e.Document(testenv.DstBucket, bucket.Policy, testenv.Policy(testenv.ReplRole, append(testenv.DstGrants, "!s3:ReplicateObject arn:aws:s3:::"+testenv.DstBucket+"/*7")...))
	small := func(c *batch.Config) { c.ChunkSize = 10 }
	engine(e, small)
	e.Start()
	j := create(t, e, spec())
	for at := int64(500); at < n; at += 900 {
		testenv.Wait(t, func() (job.Job, bool) {
			j, err := e.Batch.Get(testenv.Source, j.ID)
			e.Must(err)
			return j, j.Progress.Run() >= at
		})
		e.Crash()
		engine(e, small)
		if d, err := e.Batch.Details(t.Context(), testenv.Source, j.ID); err != nil || d.Outcome.Succeeded != d.Progress.Succeeded || d.Outcome.Failed != d.Progress.Failed || d.Progress.Run() < at {
			t.Errorf("after a crash at %d: %+v, %+v, %v", at, d.Progress, d.Outcome, err)
		}
		e.Start()
	}
	reached(t, e, j.ID, job.Complete)
	d, err := e.Batch.Details(t.Context(), testenv.Source, j.ID)
	e.Must(err)
	codes := map[string]int64{}
	for _, row := range lines(t, e, j.ID) {
		codes[row.Code]++
	}
	carried, there := d.Outcome.Carried()
	if d.Outcome.Succeeded != codes[""] || len(d.Outcome.Failures) != 1 || d.Outcome.Failures[0].Count != codes["DstPutObjectNotPermitted"] || codes["DstPutObjectNotPermitted"] != n/10 ||
		carried.Versions+there.Versions != n-n/10 || d.Outcome.Destinations[0].Failed.Versions != n/10 {
		t.Errorf("%+v, lines %v", d.Outcome, codes)
	}
	if f := d.Outcome.Failures[0]; !strings.HasSuffix(f.Key, "7") || !strings.Contains(f.Reason, "s3:ReplicateObject") {
		t.Errorf("%+v", f)
	}
	if p := d.Plan; p == nil || p.Tasks != n || p.Objects.Versions != n || d.Pace != nil || d.Waits != "" {
		t.Errorf("%+v", d)
	}
}

// TestReports has reports written where that is not a matter of course.
func TestReports(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change  func(*testenv.Env, *job.Spec)
		want    job.State
		bucket  string
		prefix  string // with which the keys of the report begin
		objects int
	}{
		"prefix with a slash at its end": {
			func(_ *testenv.Env, s *job.Spec) { s.Report.Prefix = "a/b/" },
			job.Complete, testenv.Reports, "a/b/job-", 2,
		},
		"no prefix": {
			func(_ *testenv.Env, s *job.Spec) { s.Report.Prefix = "" },
			job.Complete, testenv.Reports, "job-", 2,
		},
		"bucket of another account that lets the role in": {
			func(e *testenv.Env, s *job.Spec) {
				e.Role("batch", job.Service, append(testenv.BatchGrants, "s3:PutObject "+arn.Object(testenv.DstBucket, "*"))...)
				e.Document(testenv.DstBucket, bucket.Policy, strings.TrimSuffix(testenv.Policy(testenv.ReplRole, testenv.DstGrants...), "]}")+
					`,{"Effect":"Allow","Principal":{"AWS":"`+testenv.BatchRole+`"},"Action":"s3:PutObject","Resource":"arn:aws:s3:::dst-bucket/*"}]}`)
				s.Report.Bucket, s.Report.ExpectedBucketOwner = arn.Bucket(testenv.DstBucket), testenv.Destination
			},
			job.Complete, testenv.DstBucket, "p/job-", 2,
		},
		"bucket with a default key that the role may not use": {
			func(e *testenv.Env, _ *job.Spec) {
				e.Document(testenv.Reports, bucket.Encryption, `<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>`+testenv.SrcKey+`</KMSMasterKeyID></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>`)
			},
			job.Complete, testenv.Reports, "p/job-", 2,
		},
		"job over its threshold": {
			func(e *testenv.Env, _ *job.Spec) { e.Document(testenv.DstBucket, bucket.Policy, "") },
			job.Failed, testenv.Reports, "p/job-", 4000,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := existing(t, c.objects)
			j := spec()
			c.change(e, &j.Spec)
			e.Start()
			j = reached(t, e, create(t, e, j).ID, c.want)
			d, err := e.Batch.Details(t.Context(), testenv.Source, j.ID)
			e.Must(err)
			if r := d.Report; r.State != job.ReportDelivered || r.Bucket != c.bucket || r.Key != c.prefix+j.ID+"/manifest.json" {
				t.Fatalf("%+v", r)
			}
			summary, err := report.ParseSummary([]byte(readObject(t, e, c.bucket, d.Report.Key)))
			e.Must(err)
			rows := 0
			for _, f := range summary.Results {
				if !strings.HasPrefix(f.Key, c.prefix+j.ID+"/results/") {
					t.Errorf("%+v", f)
				}
				if o := e.Head(c.bucket, f.Key, ""); o.Encryption.Algorithm != object.AES256 {
					t.Errorf("%s is encrypted with %q", f.Key, o.Encryption.Algorithm)
				}
				rows += strings.Count(readObject(t, e, c.bucket, f.Key), "\n")
			}
			// What was not run any more has no line.
			if int64(rows) != j.Progress.Run() || c.want == job.Failed && rows == c.objects {
				t.Errorf("%d lines, %+v", rows, j.Progress)
			}
		})
	}
}

// TestWaits says of jobs that stand still what they wait for.
func TestWaits(t *testing.T) {
	t.Parallel()
	e := existing(t, 2)
	e.Start()
	j := create(t, e, spec(func(s *job.Spec) { s.ConfirmationRequired = true }))
	reached(t, e, j.ID, job.Suspended)
	d, err := e.Batch.Details(t.Context(), testenv.Source, j.ID)
	e.Must(err)
	if until := fmt.Sprint(d.Job.Suspended.Add(job.ConfirmWithin).Format("2006-01-02")); !strings.Contains(d.Waits, "confirm") || !strings.Contains(d.Waits, until) {
		t.Errorf("%q", d.Waits)
	}
	if d.Report.State != job.ReportAwaited || d.Plan == nil || d.Plan.Tasks != 2 {
		t.Errorf("%+v", d)
	}
	if err := e.Batch.WriteRows(t.Context(), testenv.Source, j.ID, "", io.Discard); err != nil {
		t.Error(err)
	}
}

// TestDeliveredStaysDelivered: a report that is in its bucket is there also when
// it may not be written once more.
func TestDeliveredStaysDelivered(t *testing.T) {
	t.Parallel()
	e := existing(t, 2)
	e.Start()
	j := reached(t, e, create(t, e, spec()).ID, job.Complete)
	before, err := e.Batch.Details(t.Context(), testenv.Source, j.ID)
	e.Must(err)
	e.Document(testenv.Reports, bucket.Policy, `{"Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::reports/*"}]}`)
	if _, err := e.Batch.Deliver(t.Context(), testenv.Source, j.ID); fault.KindOf(err) != fault.Denied {
		t.Errorf("%v", err)
	}
	after, err := e.Batch.Details(t.Context(), testenv.Source, j.ID)
	e.Must(err)
	if diff := cmp.Diff(before.Report, after.Report); diff != "" || after.Report.State != job.ReportDelivered {
		t.Errorf("(-before +after)\n%s", diff)
	}
}
