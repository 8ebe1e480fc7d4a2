package client

import (
	"encoding/xml"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"twinbucket/fault"
	"twinbucket/job"
	"twinbucket/manifest"
	"twinbucket/report"
)

func ptr[T any](v T) *T { return &v }

// generated is a job with everything that a request can say.
var generated = job.Spec{
	Token: "5a1c", Description: "d & e", Operation: job.ReplicateObject, Priority: 1, RoleARN: "arn:aws:iam::111122223333:role/batch",
	ConfirmationRequired: true, Tags: map[string]string{"a": "b"},
	Report: job.Report{Enabled: true, Bucket: "arn:aws:s3:::reports", Format: report.Format, Prefix: "p", Scope: job.AllTasks, ExpectedBucketOwner: "111122223333"},
	Generator: &job.Generator{
		SourceBucket: "arn:aws:s3:::src", ExpectedBucketOwner: "111122223333", EnableOutput: true,
		Output: &job.Output{Bucket: "arn:aws:s3:::mf", Prefix: "m", Format: manifest.Generated, Encryption: "SSE-S3", ExpectedOwner: "111122223333"},
		Filter: &job.Filter{
			EligibleForReplication: ptr(true), CreatedAfter: ptr(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)), CreatedBefore: ptr(time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)),
			ObjectReplicationStatuses: []string{"NONE", "FAILED"}, SizeGreaterThan: ptr(int64(0)), SizeLessThan: ptr(int64(9)),
			KeyName:        &job.KeyNameConstraint{Prefixes: []string{"a"}, Suffixes: []string{"b"}, Substrings: []string{"c"}},
			StorageClasses: []string{"STANDARD"}, ObjectEncryption: []job.EncryptionFilter{{Kind: "SSE-KMS", KeyARN: "arn:aws:kms:us-east-1:111122223333:key/k", BucketKey: ptr(false)}},
		},
	},
}

var listed = job.Spec{
	Token: "5a1c", Operation: job.ReplicateObject, RoleARN: "arn:aws:iam::111122223333:role/batch",
	Manifest: &job.Manifest{
		Format: manifest.CSV, Fields: []manifest.Field{manifest.Bucket, manifest.Key, manifest.VersionID},
		Location: job.Location{ObjectARN: "arn:aws:s3:::mf/list.csv", VersionID: "v", ETag: "60e4"},
	},
}

const listedXML = `<CreateJobRequest xmlns="http://awss3control.amazonaws.com/doc/2018-08-20/"><ConfirmationRequired>false</ConfirmationRequired>` +
	`<Operation><S3ReplicateObject></S3ReplicateObject></Operation><Report><Enabled>false</Enabled></Report><ClientRequestToken>5a1c</ClientRequestToken>` +
	`<Manifest><Spec><Format>S3BatchOperations_CSV_20180820</Format><Fields><member>Bucket</member><member>Key</member><member>VersionId</member></Fields></Spec>` +
	`<Location><ObjectArn>arn:aws:s3:::mf/list.csv</ObjectArn><ObjectVersionId>v</ObjectVersionId><ETag>60e4</ETag></Location></Manifest>` +
	`<Priority>0</Priority><RoleArn>arn:aws:iam::111122223333:role/batch</RoleArn></CreateJobRequest>`

func TestCreateJob(t *testing.T) {
	t.Parallel()
	c := serve(t, exchange{
		request: "POST /v20180820/jobs", body: listedXML, header: map[string]string{"X-Amz-Account-Id": "111122223333"},
		answer: `<CreateJobResult xmlns="http://awss3control.amazonaws.com/doc/2018-08-20/"><JobId>id-1</JobId></CreateJobResult>`,
	})
	id, err := c.CreateJob(t.Context(), "111122223333", &listed)
	if id != "id-1" || err != nil {
		t.Errorf("%q, %v", id, err)
	}
}

// TestJobRoundTrip: what CreateJob writes DescribeJob reads back, since both
// documents share their parts.
func TestJobRoundTrip(t *testing.T) {
	t.Parallel()
	kms := generated
	generator := *kms.Generator
	generator.Output = &job.Output{Bucket: "arn:aws:s3:::mf", Format: manifest.Generated, Encryption: "SSE-KMS", KeyID: "k"}
	generator.Filter = nil
	kms.Generator = &generator
	specs := []job.Spec{generated, listed, kms}
	for _, o := range operated() {
		spec := listed
		spec.Operation, spec.Parameters = o.Operation, o.Parameters
		specs = append(specs, spec)
	}
	for _, spec := range specs {
		data, err := xml.Marshal(jobRequestOf(&spec))
		if err != nil {
			t.Fatal(err)
		}
		var d jobDocument
		if err := xml.Unmarshal(data, &d); err != nil {
			t.Fatal(err)
		}
		want := spec
		want.Token, want.Tags = "", nil // DescribeJob does not tell
		if diff := cmp.Diff(want, d.job("111122223333", "us-east-1").Spec); diff != "" {
			t.Errorf("%s\n%s", data, diff)
		}
	}
	data, err := xml.Marshal(jobRequestOf(&generated))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		"<Tags><member><Key>a</Key><Value>b</Value></member></Tags>",
		"<ManifestEncryption><SSE-S3></SSE-S3></ManifestEncryption>",
		"<MatchAnyObjectEncryption><ObjectEncryption><SSE-KMS><KmsKeyArn>arn:aws:kms:us-east-1:111122223333:key/k</KmsKeyArn><BucketKeyEnabled>false</BucketKeyEnabled></SSE-KMS></ObjectEncryption></MatchAnyObjectEncryption>",
		"<ObjectReplicationStatuses><member>NONE</member><member>FAILED</member></ObjectReplicationStatuses>",
	} {
		if !strings.Contains(string(data), part) {
			t.Errorf("no %s in %s", part, data)
		}
	}
}

func TestDescribeJob(t *testing.T) {
	t.Parallel()
	c := serve(
		t,
		exchange{request: "GET /v20180820/jobs/id-1", answer: `<DescribeJobResult><Job><JobId>id-1</JobId><Status>Suspended</Status><Operation><S3ReplicateObject/></Operation>
<ProgressSummary><TotalNumberOfTasks>9</TotalNumberOfTasks><NumberOfTasksSucceeded>5</NumberOfTasksSucceeded><NumberOfTasksFailed>4</NumberOfTasksFailed><Timers><ElapsedTimeInActiveSeconds>7</ElapsedTimeInActiveSeconds></Timers></ProgressSummary>
<FailureReasons><member><FailureCode>c</FailureCode><FailureReason>r</FailureReason></member></FailureReasons>
<CreationTime>2024-01-02T03:04:05.678Z</CreationTime><SuspendedDate>2024-01-02T03:04:06Z</SuspendedDate><SuspendedCause>AWAITING_CONFIRMATION</SuspendedCause><StatusUpdateReason>why</StatusUpdateReason>
<GeneratedManifestDescriptor><Format>S3InventoryReport_CSV_20211130</Format><Location><ObjectArn>arn:aws:s3:::mf/m</ObjectArn><ETag>e</ETag></Location></GeneratedManifestDescriptor></Job></DescribeJobResult>`},
		exchange{request: "GET /v20180820/jobs/gone", status: 404, answer: "<ErrorResponse><Error><Code>NotFoundException</Code><Message>No such job</Message></Error></ErrorResponse>"},
	)
	got, err := c.DescribeJob(t.Context(), "111122223333", "id-1")
	if err != nil {
		t.Fatal(err)
	}
	want := &job.Job{
		ID: "id-1", Account: "111122223333", Region: "us-east-1", State: job.Suspended, StatusReason: "why", Spec: job.Spec{Operation: job.ReplicateObject},
		Progress: job.Progress{Total: 9, Succeeded: 5, Failed: 4, ActiveSeconds: 7}, Failures: []job.Failure{{Code: "c", Reason: "r"}},
		Created: time.Date(2024, 1, 2, 3, 4, 5, 678e6, time.UTC), Suspended: time.Date(2024, 1, 2, 3, 4, 6, 0, time.UTC),
		SuspendedCause: job.AwaitingConfirmation, Generated: &job.Location{ObjectARN: "arn:aws:s3:::mf/m", ETag: "e"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := c.DescribeJob(t.Context(), "111122223333", "gone"); !errors.Is(err, fault.NotFound) {
		t.Error(err)
	}
}

func TestListAndUpdateJobs(t *testing.T) {
	t.Parallel()
	const list = "GET /v20180820/jobs?jobStatuses=Active&jobStatuses=Complete&maxResults=1000"
	c := serve(
		t,
		exchange{request: list, answer: "<ListJobsResult><NextToken>t</NextToken><Jobs><member><JobId>1</JobId><Operation>S3ReplicateObject</Operation><Priority>3</Priority><Status>Active</Status></member></Jobs></ListJobsResult>"},
		exchange{request: list + "&nextToken=t", answer: "<ListJobsResult><Jobs><member><JobId>2</JobId><Status>Complete</Status><TerminationDate>2024-01-02T03:04:05Z</TerminationDate></member></Jobs></ListJobsResult>"},
		exchange{request: "POST /v20180820/jobs/1/status?requestedJobStatus=Cancelled&statusUpdateReason=a%20b", answer: "<UpdateJobStatusResult><JobId>1</JobId><Status>Cancelling</Status></UpdateJobStatusResult>"},
		exchange{request: "POST /v20180820/jobs/1/status?requestedJobStatus=Ready", status: 400, answer: "<ErrorResponse><Error><Code>JobStatusException</Code><Message>m</Message></Error></ErrorResponse>"},
		exchange{request: "POST /v20180820/jobs/1/priority?priority=7", answer: "<UpdateJobPriorityResult><JobId>1</JobId><Priority>7</Priority></UpdateJobPriorityResult>"},
	)
	jobs, err := c.ListJobs(t.Context(), "111122223333", job.Active, job.Complete)
	if err != nil || len(jobs) != 2 || jobs[0].Spec.Priority != 3 || jobs[0].State != job.Active || jobs[1].ID != "2" || jobs[1].Ended.IsZero() {
		t.Errorf("%+v, %v", jobs, err)
	}
	if state, err := c.UpdateJobStatus(t.Context(), "111122223333", "1", job.Cancelled, "a b"); state != job.Cancelling || err != nil {
		t.Errorf("%s, %v", state, err)
	}
	if _, err := c.UpdateJobStatus(t.Context(), "111122223333", "1", job.Ready, ""); !errors.Is(err, fault.Conflict) {
		t.Error(err)
	}
	if err := c.UpdateJobPriority(t.Context(), "111122223333", "1", 7); err != nil {
		t.Error(err)
	}
}

func TestJobTagging(t *testing.T) {
	t.Parallel()
	const tagging = " /v20180820/jobs/id-1/tagging"
	c := serve(
		t,
		exchange{request: "PUT" + tagging, body: `<PutJobTaggingRequest xmlns="http://awss3control.amazonaws.com/doc/2018-08-20/"><Tags><member><Key>a</Key><Value>1</Value></member><member><Key>b</Key><Value></Value></member></Tags></PutJobTaggingRequest>`},
		exchange{request: "GET" + tagging, answer: `<GetJobTaggingResult><Tags><member><Key>a</Key><Value>1</Value></member><member><Key>b</Key><Value></Value></member></Tags></GetJobTaggingResult>`},
		exchange{request: "DELETE" + tagging, status: 204},
	)
	want := map[string]string{"b": "", "a": "1"}
	if err := c.PutJobTagging(t.Context(), "111122223333", "id-1", want); err != nil {
		t.Error(err)
	}
	got, err := c.GetJobTagging(t.Context(), "111122223333", "id-1")
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
	if err := c.DeleteJobTagging(t.Context(), "111122223333", "id-1"); err != nil {
		t.Error(err)
	}
}

// TestJobsStopEarly: who has seen enough asks for no further page.
func TestJobsStopEarly(t *testing.T) {
	t.Parallel()
	c := serve(t, exchange{request: "GET /v20180820/jobs?maxResults=1000", answer: "<ListJobsResult><NextToken>t</NextToken><Jobs><member><JobId>1</JobId></member></Jobs></ListJobsResult>"})
	for j, err := range c.Jobs(t.Context(), "111122223333") {
		if j.ID != "1" || err != nil {
			t.Errorf("%v, %v", j, err)
		}
		break
	}
}

// TestControlHost: on AWS each account has a host of its own, also if the
// endpoint of S3 is another one; elsewhere there is one host.
func TestControlHost(t *testing.T) {
	t.Parallel()
	for endpoint, want := range map[string]string{
		"":                           "https://111122223333.s3-control.eu-west-1.amazonaws.com",
		"https://s3.amazonaws.com":   "https://111122223333.s3-control.eu-west-1.amazonaws.com",
		"http://127.0.0.1:9000/base": "http://127.0.0.1:9000/base",
	} {
		c, err := New(Config{Endpoint: endpoint, Region: "eu-west-1"})
		if err != nil {
			t.Fatal(err)
		}
		u, region := c.endpoint(serviceS3, "111122223333")
		if u.String() != want || region != "eu-west-1" || c.AWS() == strings.Contains(want, "127") {
			t.Errorf("%q: %s, %s", endpoint, &u, region)
		}
	}
}

func TestListJobsStuck(t *testing.T) {
	t.Parallel()
	const answer = "<ListJobsResult><NextToken>t</NextToken></ListJobsResult>"
	c := serve(t, exchange{request: "GET /v20180820/jobs?maxResults=1000", answer: answer}, exchange{request: "GET /v20180820/jobs?maxResults=1000&nextToken=t", answer: answer})
	if _, err := c.ListJobs(t.Context(), "111122223333"); !errors.Is(err, fault.Damaged) {
		t.Error(err)
	}
}
