package replapi

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/client"
	"twinbucket/fault"
	"twinbucket/identity"
	"twinbucket/internal/testenv"
	"twinbucket/job"
	"twinbucket/report"
)

// jobsDoor is the door of a store with two objects that no rule has taken.
func jobsDoor(t *testing.T) *door {
	t.Helper()
	e := testenv.New(t)
	e.Scenario()
	for i := range 2 {
		e.Put(testenv.SrcBucket, fmt.Sprintf("old/%d", i), "12345")
	}
	e.Document(testenv.SrcBucket, bucket.Replication, testenv.Config)
	e.Start()
	s := httptest.NewServer(New(Config{Engine: e.Replicate, Jobs: e.Batch, Store: e.Store, IAM: e.IAM, Region: testenv.Region}))
	t.Cleanup(s.Close)
	return &door{e, s.URL, s.Client()}
}

func everything(change ...func(*job.Spec)) *job.Spec {
	s := &job.Spec{
		Operation: job.ReplicateObject, Priority: 1, RoleARN: testenv.BatchRole,
		Report:    job.Report{Enabled: true, Bucket: arn.Bucket(testenv.Reports), Format: report.Format, Prefix: "p", Scope: job.AllTasks},
		Generator: &job.Generator{SourceBucket: arn.Bucket(testenv.SrcBucket)},
	}
	for _, c := range change {
		c(s)
	}
	return s
}

// ended makes a job and waits for its end.
func (d *door) ended(spec *job.Spec) job.Job {
	d.T.Helper()
	spec.Token = "t"
	j, err := d.Batch.Create(d.T.Context(), job.Job{Account: testenv.Source, Region: testenv.Region, Spec: *spec})
	d.Must(err)
	return d.end(j.ID)
}

// end waits for the end of a job.
func (d *door) end(id string) job.Job {
	d.T.Helper()
	return testenv.Wait(d.T, func() (job.Job, bool) {
		j, err := d.Batch.Get(testenv.Source, id)
		d.Must(err)
		return j, j.State.Terminal()
	})
}

func (d *door) rows(id, status string) string {
	d.T.Helper()
	body, err := d.as(testenv.Source).JobRows(d.T.Context(), id, status)
	d.Must(err)
	data, err := io.ReadAll(body)
	d.Must(err)
	d.Must(body.Close())
	return string(data)
}

// TestPlanAndDetails: what a job will do is what it did.
func TestPlanAndDetails(t *testing.T) {
	t.Parallel()
	d := jobsDoor(t)
	c := d.as(testenv.Source)
	plan, err := c.PlanJob(t.Context(), everything())
	d.Must(err)
	if plan.Tasks != 2 || plan.Objects.Bytes != 10 || len(plan.Foreseen.Destinations) != 1 || plan.Foreseen.Destinations[0].Carried.Versions != 2 {
		t.Errorf("%+v", plan)
	}
	j := d.ended(everything())
	got, err := c.JobDetails(t.Context(), j.ID)
	d.Must(err)
	if got.State != job.Complete || got.Plan == nil || got.Plan.Tasks != 2 || got.Outcome.Succeeded != 2 ||
		len(got.Outcome.Destinations) != 1 || got.Outcome.Destinations[0] != plan.Foreseen.Destinations[0] {
		t.Errorf("%+v, planned %+v", got, plan)
	}
	if r := got.Report; r.State != job.ReportDelivered || r.Bucket != testenv.Reports || r.Key != report.SummaryKey("p", j.ID) || r.KeptUntil.Sub(got.Ended) != job.KeptFor {
		t.Errorf("%+v", r)
	}
	if rows := d.rows(j.ID, ""); strings.Count(rows, "\n") != 2 || d.rows(j.ID, report.Succeeded) != rows || d.rows(j.ID, report.Failed) != "" {
		t.Errorf("%s", rows)
	}
	again, err := c.PlanJob(t.Context(), everything())
	d.Must(err)
	if f := again.Foreseen.Destinations[0]; f.There.Versions != 2 || f.There.Bytes != 10 || f.Carried.Versions != 0 {
		t.Errorf("%+v", f)
	}
}

// TestReportOnceMore: a report that its bucket refused is there to be fetched,
// and is delivered when the policy is mended.
func TestReportOnceMore(t *testing.T) {
	t.Parallel()
	d := jobsDoor(t)
	c := d.as(testenv.Source)
	d.Document(testenv.Reports, bucket.Policy, `{"Statement":[{"Sid":"no","Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::reports/*"}]}`)
	j := d.ended(everything())
	got, err := c.JobDetails(t.Context(), j.ID)
	d.Must(err)
	if got.State != job.Failed || got.Report.State != job.ReportRefused || len(got.Report.Reasons) < 2 || got.Outcome.Succeeded != 2 {
		t.Errorf("%+v", got)
	}
	if rows := d.rows(j.ID, ""); strings.Count(rows, "\n") != 2 {
		t.Errorf("%q", rows)
	}
	if _, err := c.DeliverReport(t.Context(), j.ID); fault.CodeOf(err) != "AccessDenied" || !strings.Contains(fault.HintOf(err), `"no"`) {
		t.Errorf("%v: %s", err, fault.HintOf(err))
	}
	d.Document(testenv.Reports, bucket.Policy, "")
	delivered, err := c.DeliverReport(t.Context(), j.ID)
	d.Must(err)
	if delivered.State != job.ReportDelivered {
		t.Errorf("%+v", delivered)
	}
	d.Head(testenv.Reports, delivered.Key, "")
	if got, err = c.JobDetails(t.Context(), j.ID); err != nil || got.State != job.Failed || got.Report.State != job.ReportDelivered {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestReportsThatThereAreNot(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*job.Spec)
		state  string
		code   string
	}{
		"unasked": {func(s *job.Spec) { s.Report = job.Report{} }, job.ReportUnasked, "InvalidRequest"},
		"empty": {func(s *job.Spec) {
			s.Generator.Filter = &job.Filter{ObjectReplicationStatuses: []string{"FAILED"}}
		}, job.ReportEmpty, "InvalidRequest"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := jobsDoor(t)
			j := d.ended(everything(c.change))
			got, err := d.as(testenv.Source).JobDetails(t.Context(), j.ID)
			d.Must(err)
			if got.Report.State != c.state {
				t.Errorf("%+v", got.Report)
			}
			if _, err := d.as(testenv.Source).DeliverReport(t.Context(), j.ID); fault.CodeOf(err) != c.code || fault.HintOf(err) == "" {
				t.Errorf("%v", err)
			}
			if rows := strings.Count(d.rows(j.ID, ""), "\n"); rows != int(j.Progress.Run()) {
				t.Errorf("%d rows, %+v", rows, j.Progress)
			}
		})
	}
}

// TestJobsRefused: jobs are the account's own, and each operation needs its
// action, without which a user who may do all else is refused.
func TestJobsRefused(t *testing.T) {
	t.Parallel()
	d := jobsDoor(t)
	j := d.ended(everything())
	ctx := t.Context()
	if _, err := d.as(testenv.Destination).JobDetails(ctx, j.ID); fault.KindOf(err) != fault.NotFound {
		t.Errorf("of another account: %v", err)
	}
	for action, ask := range map[string]func(*client.Client) error{
		"s3:CreateJob":          func(c *client.Client) error { _, err := c.PlanJob(ctx, everything()); return err },
		"iam:PassRole":          func(c *client.Client) error { _, err := c.PlanJob(ctx, everything()); return err },
		"s3:ListJobs":           func(c *client.Client) error { _, err := c.JobRecords(ctx); return err },
		"s3:DescribeJob":        func(c *client.Client) error { _, err := c.JobDetails(ctx, j.ID); return err },
		"s3:ListBucketVersions": func(c *client.Client) error { _, err := c.JobRows(ctx, j.ID, ""); return err },
		"s3:UpdateJobStatus":    func(c *client.Client) error { _, err := c.DeliverReport(ctx, j.ID); return err },
	} {
		c := d.allBut(action)
		if err := ask(c); fault.KindOf(err) != fault.Denied || !strings.Contains(fmt.Sprint(err), action) {
			t.Errorf("%s: %v", action, err)
		}
	}
	for name, tt := range map[string]struct {
		ask  func(*client.Client) error
		code string
	}{
		"no operation": {func(c *client.Client) error {
			_, err := c.PlanJob(ctx, everything(func(s *job.Spec) { s.Operation = "" }))
			return err
		}, "BadRequestException"},
		"no such status": {func(c *client.Client) error { _, err := c.JobRows(ctx, j.ID, "lost"); return err }, "InvalidRequest"},
		"no such job":    {func(c *client.Client) error { _, err := c.JobRows(ctx, "none", ""); return err }, "NotFoundException"},
		"no such path":   {func(c *client.Client) error { _, err := c.JobDetails(ctx, j.ID+"/what"); return err }, "NotFound"},
		"no such method": {func(c *client.Client) error { _, err := c.JobDetails(ctx, "plan"); return err }, "MethodNotAllowed"},
	} {
		if err := tt.ask(d.as(testenv.Source)); fault.CodeOf(err) != tt.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	list, err := d.as(testenv.Source).JobRecords(ctx)
	d.Must(err)
	if len(list) != 1 || list[0].ID != j.ID || list[0].Spec.RoleARN != testenv.BatchRole {
		t.Errorf("%+v", list)
	}
	aws, err := client.New(client.Config{})
	d.Must(err)
	if _, err := aws.JobDetails(ctx, j.ID); fault.KindOf(err) != fault.Unsupported {
		t.Errorf("AWS: %v", err)
	}
}

// TestRowsAndHowTheyAreAskedFor: policies see how the request was signed.
func TestRowsAndHowTheyAreAskedFor(t *testing.T) {
	t.Parallel()
	d := jobsDoor(t)
	j := d.ended(everything())
	for key, value := range signed {
		d.Document(testenv.SrcBucket, bucket.Policy, denyIf("s3:ListBucketVersions", arn.Bucket(testenv.SrcBucket), key, value))
		if _, err := d.as(testenv.Source).JobRows(t.Context(), j.ID, ""); fault.KindOf(err) != fault.Denied {
			t.Errorf("%s: %v", key, err)
		}
	}
}

// TestJobsAreShownAsFarAsTheyMayBe: listing jobs, describing them and reading
// their tags are three permissions, each of which may be for some jobs alone.
func TestJobsAreShownAsFarAsTheyMayBe(t *testing.T) {
	t.Parallel()
	d := jobsDoor(t)
	spec := everything(func(s *job.Spec) { s.Tags, s.Description = map[string]string{"team": "a"}, "about" })
	spec.Token = "secret"
	j, err := d.Batch.Create(t.Context(), job.Job{Account: testenv.Source, Region: testenv.Region, Spec: *spec, Tags: spec.Tags})
	d.Must(err)
	j = d.end(j.ID)
	whole := j
	whole.Spec.Token = ""
	untagged := whole
	untagged.Tags, untagged.Spec.Tags = nil, nil
	summary := job.Job{
		ID: j.ID, Account: testenv.Source, Region: testenv.Region, State: job.Complete, Progress: j.Progress, Created: j.Created, Ended: j.Ended,
		Spec: job.Spec{Description: "about", Operation: job.ReplicateObject, Priority: 1},
	}
	for name, c := range map[string]struct {
		deny string
		want job.Job
	}{
		"all":                {`"Action":"s3:PutJobTagging"`, whole},
		"not its tags":       {`"Action":"s3:GetJobTagging"`, untagged},
		"not describe":       {`"Action":"s3:DescribeJob"`, summary},
		"not with this tag":  {`"Action":"s3:DescribeJob","Condition":{"StringEquals":{"aws:ResourceTag/team":"a"}}`, summary},
		"of another tag":     {`"Action":"s3:DescribeJob","Condition":{"StringEquals":{"aws:ResourceTag/team":"b"}}`, whole},
		"not this operation": {`"Action":"s3:DescribeJob","Condition":{"StringEquals":{"s3:ExistingJobOperation":"S3ReplicateObject"}}`, summary},
	} {
		who := d.user(strings.ReplaceAll(name, " ", "-"), `{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny",`+c.deny+`,"Resource":"*"}`)
		list, err := who.JobRecords(t.Context())
		d.Must(err)
		if diff := cmp.Diff([]job.Job{c.want}, list); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
		got, err := who.JobDetails(t.Context(), j.ID)
		if c.want.Spec.RoleARN == "" {
			if fault.KindOf(err) != fault.Denied {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		d.Must(err)
		if diff := cmp.Diff(c.want, got.Job); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

// TestKeysAreForWhoMayListThem: what names versions of the source bucket is told
// with the permission to list them, and all else without it.
func TestKeysAreForWhoMayListThem(t *testing.T) {
	t.Parallel()
	d := jobsDoor(t)
	d.Put(testenv.SrcBucket, "other", "x")
	d.Document(testenv.DstBucket, bucket.Policy, "") // so that every task fails
	old := everything(func(s *job.Spec) {
		s.Generator.Filter = &job.Filter{KeyName: &job.KeyNameConstraint{Prefixes: []string{"old/"}}}
	})
	j := d.ended(old)
	c := d.as(testenv.Source)
	all, err := c.JobDetails(t.Context(), j.ID)
	d.Must(err)
	plan, err := c.PlanJob(t.Context(), old)
	d.Must(err)
	for _, p := range []*job.Plan{all.Plan, plan} {
		if len(p.Excluded) != 1 || p.Excluded[0].Key != "other" || len(p.Foreseen.Failures) != 1 || p.Foreseen.Failures[0].Key == "" {
			t.Fatalf("%+v", p)
		}
	}
	if f := all.Outcome.Failures; len(f) != 1 || f[0].Key == "" || f[0].VersionID == "" || f[0].Reason == "" {
		t.Fatalf("%+v", f)
	}
	c = d.allBut("s3:ListBucketVersions")
	got, err := c.JobDetails(t.Context(), j.ID)
	d.Must(err)
	all.Plan, all.Outcome = all.Plan.WithoutKeys(), all.Outcome.WithoutKeys()
	if diff := cmp.Diff(all, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	again, err := c.PlanJob(t.Context(), old)
	d.Must(err)
	again.Made, again.Estimate = plan.Made, plan.Estimate
	if diff := cmp.Diff(plan.WithoutKeys(), again); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for _, answer := range []any{got, again} {
		text, err := json.Marshal(answer)
		d.Must(err)
		if strings.Contains(string(text), "old/0") || strings.Contains(string(text), "old/1") || strings.Contains(string(text), `"other"`) || !strings.Contains(string(text), "DstPutObjectNotPermitted") {
			t.Errorf("%s", text)
		}
	}
}

// allBut is a client of a user who may do all but one action.
func (d *door) allBut(action string) *client.Client {
	return d.user(strings.ReplaceAll(action, ":", "-"), `{"Effect":"Allow","NotAction":"`+action+`","Resource":"*"}`)
}

// user is a client of a new user with a policy of these statements.
func (d *door) user(name, statements string) *client.Client {
	d.T.Helper()
	ctx := d.T.Context()
	_, err := d.IAM.CreateUser(ctx, identity.User{Identity: identity.Identity{Account: testenv.Source, Path: "/", Name: name}})
	d.Must(err)
	d.Must(d.IAM.PutInline(ctx, identity.UserKind, testenv.Source, name, "p", []byte(`{"Version":"2012-10-17","Statement":[`+statements+`]}`)))
	key, err := d.IAM.CreateKey(ctx, testenv.Source, name)
	d.Must(err)
	c, err := client.New(client.Config{Endpoint: d.url, HTTP: d.http, Credentials: client.Credentials{AccessKey: key.AccessKey, Secret: key.Secret}})
	d.Must(err)
	return c
}

// broken jobs fail after so many rows.
type broken struct {
	Jobs
	rows int
}

func (b *broken) WriteRows(_ context.Context, _, _, _ string, w io.Writer) error {
	row := report.Row{Bucket: "b", Key: strings.Repeat("k", 1000), Succeeded: true, HTTPStatus: 200}
	for range b.rows {
		if _, err := w.Write(row.AppendCSV(nil)); err != nil {
			return err
		}
	}
	return fault.New(fault.Damaged, "InternalError", "We encountered an internal error. Please try again.")
}

// TestRowsCutShort: nobody takes some of the rows for all of them.
func TestRowsCutShort(t *testing.T) {
	t.Parallel()
	d := jobsDoor(t)
	j := d.ended(everything())
	for _, rows := range []int{0, 1000} {
		s := httptest.NewServer(New(Config{Engine: d.Replicate, Jobs: &broken{d.Batch, rows}, Store: d.Store, IAM: d.IAM, Region: testenv.Region, Log: slog.New(slog.DiscardHandler)}))
		t.Cleanup(s.Close)
		body, err := (&door{d.Env, s.URL, s.Client()}).as(testenv.Source).JobRows(t.Context(), j.ID, "")
		if rows == 0 {
			if fault.CodeOf(err) != "InternalError" {
				t.Errorf("%v", err)
			}
			continue
		}
		d.Must(err)
		if _, err := io.ReadAll(body); err == nil {
			t.Error("the rows look whole")
		}
		d.Must(body.Close())
	}
}
