package batch_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/store"
	"twinbucket/internal/testenv"
	"twinbucket/job"
	"twinbucket/manifest"
	"twinbucket/object"
	"twinbucket/report"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// spec asks for a job over what was never replicated, with a report.
func spec(change ...func(*job.Spec)) job.Job {
	yes := true
	s := job.Spec{
		Token: "t", Operation: job.ReplicateObject, Priority: 1, RoleARN: testenv.BatchRole,
		Report: job.Report{Enabled: true, Bucket: arn.Bucket(testenv.Reports), Format: report.Format, Prefix: "p", Scope: job.AllTasks},
		Generator: &job.Generator{
			SourceBucket: arn.Bucket(testenv.SrcBucket),
			Filter:       &job.Filter{EligibleForReplication: &yes, ObjectReplicationStatuses: []string{"NONE", "FAILED"}},
		},
	}
	for _, c := range change {
		c(&s)
	}
	return job.Job{Account: testenv.Source, Region: testenv.Region, Spec: s}
}

// existing makes the scenario with n objects older than the configuration.
func existing(t *testing.T, n int) *testenv.Env {
	t.Helper()
	e := testenv.New(t)
	e.Scenario()
	for i := range n {
		e.Put(testenv.SrcBucket, fmt.Sprintf("old/%05d", i), fmt.Sprint(i))
	}
	e.Document(testenv.SrcBucket, bucket.Replication, testenv.Config)
	return e
}

func create(t *testing.T, e *testenv.Env, j job.Job) job.Job {
	t.Helper()
	j, err := e.Batch.Create(t.Context(), j)
	e.Must(err)
	return j
}

// reached waits for a state; it fails the test if the job ends in another.
func reached(t *testing.T, e *testenv.Env, id string, want job.State) job.Job {
	t.Helper()
	j := testenv.Wait(t, func() (job.Job, bool) {
		details, err := e.Batch.Details(t.Context(), testenv.Source, id)
		e.Must(err)
		if o, p := details.Outcome, details.Job.Progress; o.Succeeded != p.Succeeded || o.Failed != p.Failed {
			t.Errorf("%+v, but %+v", o, p)
		}
		j := details.Job
		return j, j.State == want || j.State.Terminal()
	})
	if j.State != want {
		t.Fatalf("job ended %s, want %s: %+v", j.State, want, j.Failures)
	}
	return j
}

func readObject(t *testing.T, e *testenv.Env, bkt, key string) string {
	t.Helper()
	o := e.Head(bkt, key, "")
	r, err := e.Store.Open(t.Context(), o, 0, -1)
	e.Must(err)
	b, err := io.ReadAll(r)
	e.Must(errors.Join(err, r.Close()))
	return string(b)
}

// lines reads a job's report: of each key the line about it.
func lines(t *testing.T, e *testenv.Env, id string) map[string]report.Row {
	t.Helper()
	summary, err := report.ParseSummary([]byte(readObject(t, e, testenv.Reports, report.SummaryKey("p", id))))
	e.Must(err)
	out := map[string]report.Row{}
	for _, f := range summary.Results {
		r := report.NewReader(strings.NewReader(readObject(t, e, testenv.Reports, f.Key)))
		for {
			row, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			e.Must(err)
			if _, twice := out[row.Key+row.VersionID]; twice {
				t.Errorf("%s has two lines", row.Key)
			}
			out[row.Key+row.VersionID] = row
		}
	}
	return out
}

func TestJobReplicatesWhatWasThere(t *testing.T) {
	t.Parallel()
	e := existing(t, 2500)
	_, err := e.Store.Delete(t.Context(), testenv.SrcBucket, "old/00000", "", testenv.Source)
	e.Must(err)
	e.Start()
	j := create(t, e, spec(func(s *job.Spec) { s.ConfirmationRequired = true }))
	if j.State != job.New || j.ID == "" {
		t.Errorf("%+v", j)
	}
	s := reached(t, e, j.ID, job.Suspended)
	if s.Progress.Total != 2500 || s.SuspendedCause != job.AwaitingConfirmation || s.Suspended.IsZero() {
		t.Errorf("%+v", s)
	}
	if e.Head(testenv.SrcBucket, "old/00001", "").Status != object.None {
		t.Error("it did not wait for confirmation")
	}
	_, err = e.Batch.SetStatus(t.Context(), testenv.Source, j.ID, job.Ready, "")
	e.Must(err)
	done := reached(t, e, j.ID, job.Complete)
	if done.Progress.Succeeded != 2500 || done.Progress.Failed != 0 || done.Ended.IsZero() {
		t.Errorf("%+v", done.Progress)
	}
	got := lines(t, e, j.ID)
	page, err := e.Store.List(t.Context(), testenv.DstBucket, store.ListOptions{Max: 10000})
	e.Must(err)
	// The first object's key has a marker now, which live replication carried.
	if len(got) != 2500 || len(page.Objects) != 2499 {
		t.Errorf("%d lines, %d replicas", len(got), len(page.Objects))
	}
	for k, row := range got {
		if !row.Succeeded || row.HTTPStatus != 200 {
			t.Errorf("%s: %+v", k, row)
		}
	}
	for _, o := range page.Objects {
		if src := e.Head(testenv.SrcBucket, o.Key, o.ID); src.Status != object.Completed || o.Status != object.Replica || !src.Modified.Equal(o.Modified) {
			t.Fatalf("%+v, %+v", src.Version, o.Version)
		}
	}
}

func TestJobsFailAsOnAWS(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*testenv.Env, *job.Spec)
		reason string
		hint   string
	}{
		{
			"the replication role in place of the batch role", func(_ *testenv.Env, s *job.Spec) { s.RoleARN = testenv.ReplRole },
			"Error occurred when preparing manifest: Failed to assume role.", "batchoperations.s3.amazonaws.com",
		},
		{
			"no such role", func(_ *testenv.Env, s *job.Spec) { s.RoleARN += "x" },
			"Error occurred when preparing manifest: Failed to assume role.", "batchx",
		},
		{
			"nothing to do", func(_ *testenv.Env, s *job.Spec) { s.Generator.Filter.ObjectReplicationStatuses = []string{"REPLICA"} },
			"Manifest generation found no keys matching the filter criteria.", "src-bucket",
		},
		{
			"no configuration", func(e *testenv.Env, _ *job.Spec) { e.Document(testenv.SrcBucket, bucket.Replication, "") },
			"Error occurred when preparing manifest: The source bucket has no replication configuration.", "src-bucket",
		},
		{"may not read the configuration", func(e *testenv.Env, _ *job.Spec) {
			e.Role("batch", "batchoperations.s3.amazonaws.com", testenv.BatchGrants[0])
		}, "Error occurred when preparing manifest: Access denied: s3:GetReplicationConfiguration.", "batch"},
		{"may not write the report", func(e *testenv.Env, _ *job.Spec) {
			e.Role("batch", "batchoperations.s3.amazonaws.com", testenv.BatchGrants[:2]...)
		}, "The job report could not be written to your report bucket. Please check your permissions.", "s3:PutObject"},
		{"the report would be retained", func(e *testenv.Env, _ *job.Spec) {
			e.Document(testenv.Reports, bucket.ObjectLock, `<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>`)
		}, "The job report could not be written to your report bucket. Please check your permissions.", "GOVERNANCE"},
		{"may not write the manifest", func(e *testenv.Env, s *job.Spec) {
			e.Role("batch", "batchoperations.s3.amazonaws.com", testenv.BatchGrants[:2]...)
			s.Generator.EnableOutput = true
			s.Generator.Output = &job.Output{Bucket: arn.Bucket(testenv.Reports), Format: manifest.Generated}
		}, "Error occurred when preparing manifest: Failed to write manifest", "s3:PutObject"},
		{
			"another account's bucket", func(_ *testenv.Env, s *job.Spec) { s.Generator.ExpectedBucketOwner = testenv.Destination },
			"Error occurred when preparing manifest: The source bucket does not belong to the expected account.", testenv.Destination,
		},
		{
			"more than half of the tasks fail", func(e *testenv.Env, _ *job.Spec) { e.Document(testenv.DstBucket, bucket.Policy, "") },
			"More than 50 percent of the job's tasks failed.", "",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := existing(t, 1500)
			j := spec()
			tt.change(e, &j.Spec)
			e.Start()
			j = reached(t, e, create(t, e, j).ID, job.Failed)
			if len(j.Failures) == 0 || j.Failures[0].Reason != tt.reason {
				t.Fatalf("%+v, want %q", j.Failures, tt.reason)
			}
			all := fmt.Sprint(j.Failures)
			if !strings.Contains(all, tt.hint) || len(j.Failures[len(j.Failures)-1].Reason) > 256 {
				t.Errorf("%s does not mention %s", all, tt.hint)
			}
		})
	}
}

func TestTasksFailWithCodes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*testenv.Env)
		code   string
		status int
	}{
		{"may not initiate", func(e *testenv.Env) {
			e.Role("batch", "batchoperations.s3.amazonaws.com", testenv.BatchGrants[1:]...)
		}, "InitiateReplicationNotPermitted", 403},
		{"replication role is not trusted", func(e *testenv.Env) { e.Role("repl", "ec2.amazonaws.com", testenv.ReplGrants...) }, "AssumeRoleNotPermitted", 403},
		{"replication role may not read", func(e *testenv.Env) { e.Role("repl", "s3.amazonaws.com", testenv.ReplGrants[0], testenv.ReplGrants[2]) }, "SrcGetObjectNotPermitted", 403},
		{"destination refuses", func(e *testenv.Env) { e.Document(testenv.DstBucket, bucket.Policy, "") }, "DstPutObjectNotPermitted", 403},
		{"destination unversioned", func(e *testenv.Env) { e.Versioning(testenv.DstBucket, bucket.Suspended) }, "DstBucketUnversioned", 500},
		{"destination gone", func(e *testenv.Env) { e.Must(e.Store.DeleteBucket(context.Background(), testenv.DstBucket)) }, "DstBucketNotFound", 404},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := existing(t, 3)
			tt.change(e)
			e.Start()
			j := reached(t, e, create(t, e, spec()).ID, job.Complete)
			if j.Progress.Failed != 3 || j.Progress.Succeeded != 0 {
				t.Errorf("%+v", j.Progress)
			}
			for _, row := range lines(t, e, j.ID) {
				if row.Code != tt.code || row.HTTPStatus != tt.status || row.Message == "" {
					t.Errorf("%+v, want %s", row, tt.code)
				}
			}
			if tt.code != "InitiateReplicationNotPermitted" {
				if s := e.Head(testenv.SrcBucket, "old/00000", "").Status; s != object.Failed {
					t.Errorf("source status %q", s)
				}
			}
		})
	}
}

// TestNothingEligible has tasks of which none is delivered anywhere.
func TestNothingEligible(t *testing.T) {
	t.Parallel()
	e := existing(t, 2)
	e.Document(testenv.SrcBucket, bucket.Replication, strings.Replace(testenv.Config, "Enabled", "Disabled", 1))
	e.Start()
	j := reached(t, e, create(t, e, spec(func(s *job.Spec) { s.Generator.Filter = nil })).ID, job.Complete)
	if j.Progress.Failed != 2 || j.Progress.Succeeded != 0 {
		t.Errorf("%+v", j.Progress)
	}
	for _, row := range lines(t, e, j.ID) {
		if row.Code != "SrcObjectNotEligible" || row.HTTPStatus != 500 {
			t.Errorf("%+v", row)
		}
	}
}

func TestDeliveredAndHardDeleted(t *testing.T) {
	t.Parallel()
	e := existing(t, 2)
	e.Start()
	reached(t, e, create(t, e, spec()).ID, job.Complete)
	gone := e.Head(testenv.SrcBucket, "old/00001", "")
	_, err := e.Store.Delete(t.Context(), testenv.DstBucket, gone.Key, gone.ID, testenv.Destination)
	e.Must(err)
	j := reached(t, e, create(t, e, spec(func(s *job.Spec) {
		s.Token = "again"
		s.Generator.Filter.ObjectReplicationStatuses = []string{"COMPLETED"}
	})).ID, job.Complete)
	got := lines(t, e, j.ID)
	kept := e.Head(testenv.SrcBucket, "old/00000", "")
	if row := got[kept.Key+kept.ID]; !row.Succeeded {
		t.Errorf("%+v", row)
	}
	if row := got[gone.Key+gone.ID]; row.Code != "DstObjectHardDeleted" {
		t.Errorf("%+v", row)
	}
}

// TestCrashesSkipAndDoubleNothing stops the power in the middle of a job again
// and again.
func TestCrashesSkipAndDoubleNothing(t *testing.T) {
	t.Parallel()
	const n = 6500
	e := existing(t, n)
	e.Start()
	j := create(t, e, spec(func(s *job.Spec) { s.ConfirmationRequired = true }))
	reached(t, e, j.ID, job.Suspended)
	e.Crash()
	e.Start()
	_, err := e.Batch.SetStatus(t.Context(), testenv.Source, j.ID, job.Ready, "go")
	e.Must(err)
	crashes := 0
	for at := int64(1000); at < n; at += 1700 {
		j := testenv.Wait(t, func() (job.Job, bool) {
			j, err := e.Batch.Get(testenv.Source, j.ID)
			e.Must(err)
			return j, j.Progress.Run() >= at
		})
		if j.State.Terminal() {
			break
		}
		crashes++
		e.Crash()
		// Before the job is taken up again its counters say what was done.
		if now, err := e.Batch.Get(testenv.Source, j.ID); err != nil || now.Progress.Run() < at || now.Progress.Total != n {
			t.Errorf("after a crash at %d: %+v, %v", at, now.Progress, err)
		}
		e.Start()
	}
	done := reached(t, e, j.ID, job.Complete)
	if done.Progress.Total != n || done.Progress.Succeeded != n || crashes == 0 {
		t.Errorf("%+v after %d crashes", done.Progress, crashes)
	}
	if got := lines(t, e, j.ID); len(got) != n {
		t.Errorf("%d lines", len(got))
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	e := existing(t, 2)
	e.Start()
	j := create(t, e, spec(func(s *job.Spec) { s.ConfirmationRequired = true }))
	reached(t, e, j.ID, job.Suspended)
	got, err := e.Batch.SetStatus(t.Context(), testenv.Source, j.ID, job.Cancelled, "changed my mind")
	if err != nil || got.State != job.Cancelled || got.StatusReason != "changed my mind" {
		t.Fatalf("%+v, %v", got, err)
	}
	_, err = e.Batch.SetStatus(t.Context(), testenv.Source, j.ID, job.Ready, "")
	if fault.CodeOf(err) != "JobStatusException" || fault.HintOf(err) == "" {
		t.Errorf("%v", err)
	}
	if _, err := e.Batch.SetPriority(t.Context(), testenv.Source, j.ID, 5); fault.CodeOf(err) != "BadRequestException" {
		t.Errorf("%v", err)
	}
}

func TestTokensListsAndStrangers(t *testing.T) {
	t.Parallel()
	e := existing(t, 1)
	a := create(t, e, spec())
	if again := create(t, e, spec()); again.ID != a.ID {
		t.Errorf("the same token made %s and %s", a.ID, again.ID)
	}
	_, err := e.Batch.Create(t.Context(), spec(func(s *job.Spec) { s.Priority = 9 }))
	if fault.CodeOf(err) != "IdempotencyException" {
		t.Errorf("%v", err)
	}
	var want []string
	for i := range 5 {
		want = append([]string{create(t, e, spec(func(s *job.Spec) { s.Token = fmt.Sprint("n", i) })).ID}, want...)
	}
	want = append(want, a.ID)
	var got []string
	for after := ""; ; {
		page, next, err := e.Batch.List(testenv.Source, nil, after, 2)
		e.Must(err)
		for _, j := range page {
			got = append(got, j.ID)
		}
		if after = next; next == "" {
			break
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
	if _, _, err := e.Batch.List(testenv.Source, nil, "none", 2); fault.CodeOf(err) != "InvalidNextTokenException" {
		t.Errorf("%v", err)
	}
	if js, _, err := e.Batch.List(testenv.Destination, nil, "", 10); err != nil || len(js) != 0 {
		t.Errorf("%v, %v", js, err)
	}
	if _, err := e.Batch.Get(testenv.Destination, a.ID); !errors.Is(err, fault.NotFound) {
		t.Errorf("%v", err)
	}
}

func TestManifests(t *testing.T) {
	t.Parallel()
	e := existing(t, 3)
	o := e.Head(testenv.SrcBucket, "old/00000", "")
	csv := strings.Join([]string{
		"src-bucket,old/00000," + o.ID,
		"src-bucket,old/00001,",
		"src-bucket,old%2F00002,null",
		"src-bucket,none," + o.ID,
	}, "\n")
	m := e.Put(testenv.Reports, "list.csv", csv)
	own := func(etag string) job.Job {
		return spec(func(s *job.Spec) {
			s.Token = etag
			s.Generator = nil
			s.Manifest = &job.Manifest{
				Format: manifest.CSV, Fields: []manifest.Field{manifest.Bucket, manifest.Key, manifest.VersionID},
				Location: job.Location{ObjectARN: arn.Object(testenv.Reports, "list.csv"), ETag: etag},
			}
		})
	}
	e.Start()
	bad := reached(t, e, create(t, e, own("wrong")).ID, job.Failed)
	if bad.Failures[0].Code != "InvalidManifestContent" {
		t.Errorf("%+v", bad.Failures)
	}
	j := reached(t, e, create(t, e, own(m.ETag)).ID, job.Complete)
	got := map[string]string{}
	for _, row := range lines(t, e, j.ID) {
		got[row.Key] = row.Code
	}
	want := map[string]string{"old/00000": "", "old/00001": "InvalidRequest", "old/00002": "SrcObjectNotFound", "none": "SrcKeyNotFound"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}

	// A bucket that is not there, and one that is not the account's.
	for _, name := range []string{"no-bucket", testenv.DstBucket} {
		m = e.Put(testenv.Reports, "list.csv", name+",k,"+o.ID)
		j = reached(t, e, create(t, e, own(m.ETag)).ID, job.Complete)
		for _, row := range lines(t, e, j.ID) {
			if row.Code != "SrcBucketNotFound" || row.HTTPStatus != 404 {
				t.Errorf("%s: %+v", name, row)
			}
		}
	}

	// A generated manifest, stored where the job says.
	j = reached(t, e, create(t, e, spec(func(s *job.Spec) {
		s.Token = "generated"
		s.Generator.EnableOutput = true
		s.Generator.Output = &job.Output{Bucket: arn.Bucket(testenv.Reports), Prefix: "mf", Format: manifest.Generated}
	})).ID, job.Complete)
	_, key, err := j.Generated.Object()
	e.Must(err)
	var index manifest.Index
	e.Must(json.Unmarshal([]byte(readObject(t, e, testenv.Reports, key)), &index))
	if rows := strings.Count(readObject(t, e, testenv.Reports, index.Files[0].Key), "\n"); rows != 2 || index.SourceBucket != testenv.SrcBucket {
		t.Errorf("%d rows, %+v", rows, index)
	}
}
