package s3control_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"twinbucket/fault"
	"twinbucket/internal/iam"
	"twinbucket/internal/s3control"
	"twinbucket/internal/sigv4"
	"twinbucket/job"
	"twinbucket/manifest"
	"twinbucket/policy"
)

const (
	account = "111122223333"
	xmlns   = `xmlns="http://awss3control.amazonaws.com/doc/2018-08-20/"`
)

var _ s3control.Identities = (*iam.Service)(nil)

// engine is a batch engine that keeps its jobs in a list and runs none.
type engine struct{ jobs []job.Job }

func (e *engine) Create(_ context.Context, j job.Job) (job.Job, error) {
	for _, old := range e.jobs {
		if old.Spec.Token == j.Spec.Token {
			if !cmp.Equal(old.Spec, j.Spec) {
				return job.Job{}, fault.New(fault.Conflict, "IdempotencyException", "The token was used for another job.")
			}
			return old, nil
		}
	}
	j.ID = fmt.Sprintf("job-%04d", len(e.jobs))
	j.State, j.Created = job.New, time.Date(2024, 1, 2, 3, 4, len(e.jobs), 0, time.UTC)
	e.jobs = append(e.jobs, j)
	return j, nil
}

func (e *engine) find(account, id string) (*job.Job, error) {
	for i := range e.jobs {
		if e.jobs[i].ID == id && e.jobs[i].Account == account {
			return &e.jobs[i], nil
		}
	}
	return nil, job.NoSuchJob(id)
}

func (e *engine) Get(account, id string) (job.Job, error) {
	j, err := e.find(account, id)
	if err != nil {
		return job.Job{}, err
	}
	return *j, nil
}

func (e *engine) List(account string, states []job.State, after string, limit int) ([]job.Job, string, error) {
	var out []job.Job
	seen := after == ""
	for _, j := range slices.Backward(e.jobs) {
		switch {
		case !seen:
			seen = j.ID == after
		case j.Account != account || len(states) > 0 && !slices.Contains(states, j.State):
		case len(out) == limit:
			return out, out[limit-1].ID, nil
		default:
			out = append(out, j)
		}
	}
	if !seen {
		return nil, "", fault.New(fault.Invalid, "InvalidNextTokenException", "The token is not known.")
	}
	return out, "", nil
}

func (e *engine) SetStatus(_ context.Context, account, id string, want job.State, reason string) (job.Job, error) {
	j, err := e.find(account, id)
	if err != nil {
		return job.Job{}, err
	}
	event, err := job.Requested(want)
	if err != nil {
		return job.Job{}, err
	}
	if j.State, err = job.Next(j.State, event); err != nil {
		return job.Job{}, err
	}
	j.StatusReason = reason
	return *j, nil
}

func (e *engine) SetPriority(_ context.Context, account, id string, priority int) (job.Job, error) {
	j, err := e.find(account, id)
	if err != nil {
		return job.Job{}, err
	}
	j.Spec.Priority = priority
	return *j, nil
}

func (e *engine) SetTags(_ context.Context, account, id string, tags map[string]string) error {
	j, err := e.find(account, id)
	if err == nil {
		j.Tags = tags
	}
	return err
}

// identities takes the Test-Account header for the caller and remembers what
// was asked.
type identities struct {
	deny  string // an action that is denied
	asked []iam.Access
}

func (i *identities) Authenticate(r *http.Request, service string) (*iam.Caller, error) {
	if service != "s3" {
		return nil, fault.New(fault.Unknown, "InvalidAccessKeyId", "wrong service "+service)
	}
	v, err := sigv4.Anonymous(r)
	if err == nil {
		v.Version = 4
	}
	return &iam.Caller{Principal: policy.Principal{Account: r.Header.Get("Test-Account")}, Verified: v}, err
}

func (i *identities) Authorize(_ *iam.Caller, a iam.Access) error {
	i.asked = append(i.asked, a)
	if a.Action == i.deny {
		return fault.New(fault.Denied, "AccessDenied", "not authorized to perform: "+a.Action)
	}
	return nil
}

func (i *identities) PassRole(c *iam.Caller, roleARN, service string, facts map[string][]string) error {
	return i.Authorize(c, iam.Access{Action: "iam:PassRole", Resource: roleARN + " to " + service, Context: facts})
}

// door is the door under test with what stands behind it.
type door struct {
	engine  *engine
	ids     *identities
	handler http.Handler
}

func newDoor() *door {
	d := &door{engine: &engine{}, ids: &identities{}}
	d.handler = s3control.New(s3control.Config{
		Engine: d.engine, IAM: d.ids, Region: "us-east-1", Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	return d
}

// do sends a request and returns the status and the body.
func (d *door) do(t *testing.T, method, target, body string, edit ...func(*http.Request)) (int, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	r.Host = account + ".tb.local"
	r.Header.Set("X-Amz-Account-Id", account)
	r.Header.Set("Test-Account", account)
	for _, f := range edit {
		f(r)
	}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	return w.Code, strings.TrimPrefix(w.Body.String(), `<?xml version="1.0" encoding="UTF-8"?>`+"\n")
}

// want sends a request and compares the answer's body.
func (d *door) want(t *testing.T, method, target, body, want string) {
	t.Helper()
	if status, got := d.do(t, method, target, body); status != http.StatusOK || got != flat(want) {
		t.Errorf("%s %s: %d\n%s", method, target, status, cmp.Diff(flat(want), got))
	}
}

// refused sends a request that must fail with status and code.
func (d *door) refused(t *testing.T, method, target, body string, status int, code string, edit ...func(*http.Request)) {
	t.Helper()
	got, text := d.do(t, method, target, body, edit...)
	if got != status || !strings.HasPrefix(text, "<ErrorResponse><Error><Code>"+code+"</Code><Message>") {
		t.Errorf("%s %s: %d, want %d %s\n%s", method, target, got, status, code, text)
	}
}

// flat removes the white space between lines.
func flat(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.Join(lines, "")
}

// encryptionFilter is the filter of generated.
const encryptionFilter = "<SSE-KMS><KmsKeyArn>arn:aws:kms:us-east-1:111122223333:key/k</KmsKeyArn><BucketKeyEnabled>false</BucketKeyEnabled></SSE-KMS>"

// generated is a request as aws cli 1.45 sends it.
const generated = `<CreateJobRequest xmlns="http://awss3control.amazonaws.com/doc/2018-08-20/">
 <ConfirmationRequired>false</ConfirmationRequired>
 <Operation><S3ReplicateObject /></Operation>
 <Report><Bucket>arn:aws:s3:::reports</Bucket><Format>Report_CSV_20180820</Format><Enabled>true</Enabled><Prefix>p</Prefix><ReportScope>AllTasks</ReportScope></Report>
 <Description>d</Description><Priority>1</Priority><RoleArn>arn:aws:iam::111122223333:role/batch</RoleArn>
 <Tags><member><Key>Team</Key><Value>b</Value></member></Tags>
 <ManifestGenerator><S3JobManifestGenerator>
   <ExpectedBucketOwner>111122223333</ExpectedBucketOwner><SourceBucket>arn:aws:s3:::src</SourceBucket>
   <EnableManifestOutput>true</EnableManifestOutput>
   <ManifestOutputLocation><Bucket>arn:aws:s3:::mf</Bucket><ManifestPrefix>m</ManifestPrefix><ManifestEncryption><SSE-KMS><KeyId>arn:aws:kms:us-east-1:111122223333:key/k</KeyId></SSE-KMS></ManifestEncryption><ManifestFormat>S3InventoryReport_CSV_20211130</ManifestFormat></ManifestOutputLocation>
   <Filter><EligibleForReplication>true</EligibleForReplication><CreatedAfter>2024-01-01T00:00:00Z</CreatedAfter>
     <ObjectReplicationStatuses><member>NONE</member><member>FAILED</member></ObjectReplicationStatuses>
     <KeyNameConstraint><MatchAnyPrefix><member>a/</member></MatchAnyPrefix></KeyNameConstraint>
     <ObjectSizeLessThanBytes>5</ObjectSizeLessThanBytes>
     <MatchAnyStorageClass><member>STANDARD</member></MatchAnyStorageClass>
     <MatchAnyObjectEncryption><ObjectEncryption>` + encryptionFilter + `</ObjectEncryption></MatchAnyObjectEncryption></Filter>
 </S3JobManifestGenerator></ManifestGenerator>
 <ClientRequestToken>5a1c</ClientRequestToken>
</CreateJobRequest>`

// listed is one with the user's own manifest, as an SDK sends it: in another
// order, without name space and without ConfirmationRequired.
const listed = `<CreateJobRequest><ClientRequestToken>other</ClientRequestToken>
 <Manifest><Location><ETag>"60e4"</ETag><ObjectArn>arn:aws:s3:::mf/list.csv</ObjectArn></Location>
  <Spec><Fields><member>Bucket</member><member>Key</member><member>VersionId</member></Fields><Format>S3BatchOperations_CSV_20180820</Format></Spec></Manifest>
 <Operation><S3ReplicateObject></S3ReplicateObject></Operation><Priority>0</Priority>
 <Report><Enabled>false</Enabled></Report><RoleArn>arn:aws:iam::111122223333:role/batch</RoleArn></CreateJobRequest>`

func (d *door) create(t *testing.T, body string) {
	t.Helper()
	if status, text := d.do(t, "POST", "/v20180820/jobs", body); status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
}

func TestCreate(t *testing.T) {
	t.Parallel()
	d := newDoor()
	d.want(t, "POST", "/v20180820/jobs", generated, `<CreateJobResult `+xmlns+`><JobId>job-0000</JobId></CreateJobResult>`)
	after, size := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), int64(5)
	eligible := true
	want := job.Spec{
		Token: "5a1c", Description: "d", Operation: job.ReplicateObject, Priority: 1,
		RoleARN: "arn:aws:iam::111122223333:role/batch", Tags: map[string]string{"Team": "b"},
		Report: job.Report{Enabled: true, Bucket: "arn:aws:s3:::reports", Format: "Report_CSV_20180820", Prefix: "p", Scope: job.AllTasks},
		Generator: &job.Generator{
			SourceBucket: "arn:aws:s3:::src", ExpectedBucketOwner: account, EnableOutput: true,
			Output: &job.Output{Bucket: "arn:aws:s3:::mf", Prefix: "m", Format: manifest.Generated, Encryption: "SSE-KMS", KeyID: "arn:aws:kms:us-east-1:111122223333:key/k"},
			Filter: &job.Filter{
				EligibleForReplication: &eligible, CreatedAfter: &after, ObjectReplicationStatuses: []string{"NONE", "FAILED"},
				KeyName: &job.KeyNameConstraint{Prefixes: []string{"a/"}}, SizeLessThan: &size, StorageClasses: []string{"STANDARD"},
				ObjectEncryption: []job.EncryptionFilter{{Kind: "SSE-KMS", KeyARN: "arn:aws:kms:us-east-1:111122223333:key/k", BucketKey: new(bool)}},
			},
		},
	}
	if diff := cmp.Diff(want, d.engine.jobs[0].Spec); diff != "" {
		t.Errorf("spec (-want +got)\n%s", diff)
	}
	d.create(t, listed)
	want = job.Spec{
		Token: "other", Operation: job.ReplicateObject, RoleARN: "arn:aws:iam::111122223333:role/batch",
		Manifest: &job.Manifest{
			Format: manifest.CSV, Fields: []manifest.Field{"Bucket", "Key", "VersionId"},
			Location: job.Location{ObjectARN: "arn:aws:s3:::mf/list.csv", ETag: "60e4"},
		},
	}
	got := d.engine.jobs[1]
	if diff := cmp.Diff(want, got.Spec); diff != "" {
		t.Errorf("spec (-want +got)\n%s", diff)
	}
	if got.Account != account || got.Region != "us-east-1" || len(got.Tags) != 0 || d.engine.jobs[0].Tags["Team"] != "b" {
		t.Errorf("job %+v", got)
	}
}

func TestCreateAsks(t *testing.T) {
	t.Parallel()
	d := newDoor()
	d.create(t, generated)
	var got []string
	for _, a := range d.ids.asked {
		got = append(got, a.Action+" "+a.Resource)
	}
	want := []string{
		"s3:CreateJob *",
		"s3:PutJobTagging arn:aws:s3:us-east-1:111122223333:job/*",
		"iam:PassRole arn:aws:iam::111122223333:role/batch to ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("asked (-want +got)\n%s", diff)
	}
	context := d.ids.asked[0].Context
	for key, want := range map[string]string{
		"s3:requestjoboperation": "S3ReplicateObject", "s3:requestjobpriority": "1",
		"aws:requesttag/team": "b", "aws:tagkeys": "Team", "aws:requestedregion": "us-east-1",
		"s3:authtype": "REST-HEADER", "aws:viaawsservice": "false",
	} {
		if got := context[key]; len(got) != 1 || got[0] != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	for _, action := range []string{"s3:CreateJob", "s3:PutJobTagging", "iam:PassRole"} {
		d := newDoor()
		d.ids.deny = action
		d.refused(t, "POST", "/v20180820/jobs", generated, 403, "AccessDenied")
		if len(d.engine.jobs) != 0 {
			t.Errorf("%s is denied and the job was made", action)
		}
	}
	d = newDoor()
	d.create(t, listed)
	if len(d.ids.asked) != 2 {
		t.Errorf("without tags %d questions, want 2", len(d.ids.asked))
	}
}

// TestConditionKeys: what the Service Authorization Reference has for each
// operation, and no more.
func TestConditionKeys(t *testing.T) {
	t.Parallel()
	const path = "/v20180820/jobs/job-0000"
	existing := map[string]string{
		"s3:existingjoboperation": "S3ReplicateObject", "s3:existingjobpriority": "1",
		"s3:jobsuspendedcause": "AWAITING_CONFIRMATION", "aws:resourcetag/team": "b",
	}
	with := func(more map[string]string) map[string]string {
		more = maps.Clone(more)
		maps.Copy(more, existing)
		return more
	}
	for _, c := range []struct {
		method, target, body, action, resource string
		want                                   map[string]string
	}{
		{"POST", "/v20180820/jobs", generated, "s3:CreateJob", "*", map[string]string{
			"s3:requestjoboperation": "S3ReplicateObject", "s3:requestjobpriority": "1", "aws:requesttag/team": "b", "aws:tagkeys": "Team",
		}},
		{"GET", "/v20180820/jobs", "", "s3:ListJobs", "*", nil},
		{"GET", path, "", "s3:DescribeJob", "job", existing},
		{"POST", path + "/priority?priority=007", "", "s3:UpdateJobPriority", "job", with(map[string]string{"s3:requestjobpriority": "7"})},
		{"POST", path + "/status?requestedJobStatus=Ready", "", "s3:UpdateJobStatus", "job", existing},
		{"GET", path + "/tagging", "", "s3:GetJobTagging", "job", existing},
		{"DELETE", path + "/tagging", "", "s3:DeleteJobTagging", "job", existing},
		{
			"PUT", path + "/tagging", "<PutJobTaggingRequest><Tags><member><Key>New</Key><Value>1</Value></member></Tags></PutJobTaggingRequest>",
			"s3:PutJobTagging", "job", with(map[string]string{"aws:requesttag/new": "1", "aws:tagkeys": "New"}),
		},
	} {
		d := newDoor()
		d.create(t, generated)
		d.engine.jobs[0].State, d.engine.jobs[0].SuspendedCause = job.Suspended, job.AwaitingConfirmation
		d.ids.asked = nil
		if status, text := d.do(t, c.method, c.target, c.body); status != http.StatusOK {
			t.Fatalf("%s: %d %s", c.action, status, text)
		}
		asked := d.ids.asked[0]
		if resource := strings.ReplaceAll(c.resource, "job", "arn:aws:s3:us-east-1:111122223333:job/job-0000"); asked.Action != c.action || asked.Resource != resource {
			t.Errorf("asked for %s on %s, want %s on %s", asked.Action, asked.Resource, c.action, resource)
		}
		got := map[string]string{}
		for key, values := range asked.Context {
			if strings.Contains(key, "job") || strings.Contains(key, "tag") {
				got[key] = strings.Join(values, ",")
			}
		}
		if diff := cmp.Diff(c.want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got)\n%s", c.action, diff)
		}
	}
}

func TestCreateRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body, old, new string
		status         int
		code           string
	}{
		"not XML":            {generated, generated, "x", 400, "MalformedXML"},
		"other root":         {generated, "CreateJobRequest", "Other", 400, "MalformedXML"},
		"unknown element":    {generated, "<Description>", "<Colour/><Description>", 400, "MalformedXML"},
		"unknown in filter":  {generated, "<CreatedAfter>", "<Colour/><CreatedAfter>", 400, "MalformedXML"},
		"unknown in names":   {generated, "<MatchAnyPrefix>", "<MatchNone/><MatchAnyPrefix>", 400, "MalformedXML"},
		"inside operation":   {generated, "<S3ReplicateObject />", "<S3ReplicateObject><x/></S3ReplicateObject>", 400, "MalformedXML"},
		"two operations":     {generated, "<S3ReplicateObject />", "<S3ReplicateObject /><S3PutObjectCopy/>", 400, "BadRequestException"},
		"text beside it":     {generated, "<S3ReplicateObject />", "x<S3ReplicateObject />", 400, "MalformedXML"},
		"no such operation":  {generated, "<S3ReplicateObject />", "<Colour />", 400, "MalformedXML"},
		"no operation":       {generated, "<S3ReplicateObject />", "", 400, "BadRequestException"},
		"no priority":        {generated, "<Priority>1</Priority>", "", 400, "BadRequestException"},
		"no report":          {listed, "<Report><Enabled>false</Enabled></Report>", "", 400, "BadRequestException"},
		"no enabled":         {listed, "<Enabled>false</Enabled>", "", 400, "BadRequestException"},
		"no output switch":   {generated, "<EnableManifestOutput>true</EnableManifestOutput>", "", 400, "BadRequestException"},
		"time":               {generated, "2024-01-01T00:00:00Z", "yesterday", 400, "BadRequestException"},
		"empty time":         {generated, "2024-01-01T00:00:00Z", "", 400, "BadRequestException"},
		"element twice":      {generated, "<Priority>1</Priority>", "<Priority>1</Priority><Priority>1</Priority>", 400, "MalformedXML"},
		"empty number":       {generated, "<Priority>1</Priority>", "<Priority/>", 400, "MalformedXML"},
		"nested number":      {generated, "<Priority>1</Priority>", "<Priority><n>1</n></Priority>", 400, "MalformedXML"},
		"empty truth":        {generated, "<Enabled>true</Enabled>", "<Enabled/>", 400, "MalformedXML"},
		"odd truth":          {generated, "<Enabled>true</Enabled>", "<Enabled>yes</Enabled>", 400, "MalformedXML"},
		"nested member":      {generated, "<member>NONE</member>", "<member><x/></member>", 400, "MalformedXML"},
		"stray text":         {generated, "<Description>", "stray<Description>", 400, "MalformedXML"},
		"empty owner":        {generated, "<ExpectedBucketOwner>111122223333<", "<ExpectedBucketOwner><", 400, "BadRequestException"},
		"empty version":      {listed, "<ObjectArn>", "<ObjectVersionId/><ObjectArn>", 400, "BadRequestException"},
		"no encryption":      {generated, "<SSE-KMS><KeyId>arn:aws:kms:us-east-1:111122223333:key/k</KeyId></SSE-KMS>", "", 400, "BadRequestException"},
		"two encryptions":    {generated, "<ManifestEncryption>", "<ManifestEncryption><SSE-S3 />", 400, "BadRequestException"},
		"no generator":       {listed, "</Manifest>", "</Manifest><ManifestGenerator/>", 400, "BadRequestException"},
		"other generator":    {generated, "S3JobManifestGenerator", "Other", 400, "MalformedXML"},
		"role":               {generated, "arn:aws:iam::111122223333:role/batch", "batch", 400, "BadRequestException"},
		"fields":             {listed, "<member>Key</member>", "", 400, "BadRequestException"},
		"empty description":  {generated, "<Description>d</Description>", "<Description/>", 400, "BadRequestException"},
		"same tag twice":     {generated, "</Tags>", "<member><Key>Team</Key><Value/></member></Tags>", 400, "BadRequestException"},
		"no filter":          {generated, encryptionFilter, "", 400, "BadRequestException"},
		"empty filter":       {generated, "<ObjectEncryption>" + encryptionFilter + "</ObjectEncryption>", "", 400, "BadRequestException"},
		"two filters":        {generated, encryptionFilter, encryptionFilter + "<SSE-C/>", 400, "BadRequestException"},
		"two lists":          {generated, encryptionFilter, encryptionFilter + "</ObjectEncryption><ObjectEncryption><SSE-C/>", 400, "BadRequestException"},
		"other encryption":   {generated, encryptionFilter, "<SSE-X/>", 400, "MalformedXML"},
		"key of none":        {generated, encryptionFilter, "<SSE-C><KmsKeyArn>k</KmsKeyArn></SSE-C>", 400, "MalformedXML"},
		"bucket key of none": {generated, encryptionFilter, "<DSSE-KMS><BucketKeyEnabled>true</BucketKeyEnabled></DSSE-KMS>", 400, "MalformedXML"},
		"alias":              {generated, encryptionFilter, "<DSSE-KMS><KmsKeyArn>arn:aws:kms:us-east-1:111122223333:alias/k</KmsKeyArn></DSSE-KMS>", 400, "BadRequestException"},
		"empty key":          {generated, "arn:aws:kms:us-east-1:111122223333:key/k", "", 400, "BadRequestException"},
		"too large":          {generated, "<Description>d", "<Description>" + strings.Repeat("d", 1<<20), 400, "MaxMessageLengthExceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDoor()
			d.refused(t, "POST", "/v20180820/jobs", strings.ReplaceAll(c.body, c.old, c.new), c.status, c.code)
			if len(d.engine.jobs) != 0 {
				t.Error("a job was made")
			}
		})
	}
}

// TestDigests: a body is what the request says of it, in whatever header.
func TestDigests(t *testing.T) {
	t.Parallel()
	d := newDoor()
	for name, c := range map[string][2]string{
		"Content-MD5":                  {"AAAAAAAAAAAAAAAAAAAAAA==", "BadDigest"},
		"X-Amz-Checksum-Crc32":         {"AAAAAA==", "BadDigest"},
		"X-Amz-Checksum-Sha1":          {"x", "InvalidRequest"},
		"X-Amz-Sdk-Checksum-Algorithm": {"CRC32", "InvalidRequest"},
	} {
		d.refused(t, "POST", "/v20180820/jobs", generated, 400, c[1], func(r *http.Request) { r.Header.Set(name, c[0]) })
	}
	if len(d.engine.jobs) != 0 {
		t.Error("a job was made")
	}
}

func TestCreateTwice(t *testing.T) {
	t.Parallel()
	d := newDoor()
	d.create(t, generated)
	d.want(t, "POST", "/v20180820/jobs", generated, `<CreateJobResult `+xmlns+`><JobId>job-0000</JobId></CreateJobResult>`)
	d.refused(t, "POST", "/v20180820/jobs", strings.Replace(generated, "<Priority>1", "<Priority>2", 1), 400, "IdempotencyException")
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	d := newDoor()
	d.create(t, generated)
	at := time.Date(2024, 2, 3, 4, 5, 6, 789e6, time.UTC)
	j := &d.engine.jobs[0]
	j.State, j.Ended, j.Suspended, j.SuspendedCause = job.Failed, at, at, job.AwaitingConfirmation
	j.StatusReason = "a <reason>"
	j.Progress = job.Progress{Total: 30_000_000_000, Succeeded: 2, Failed: 1, ActiveSeconds: 9}
	j.Failures = []job.Failure{{Code: "c", Reason: "r\x01"}}
	j.Generated = &job.Location{ObjectARN: "arn:aws:s3:::mf/m/manifest.json", VersionID: "v", ETag: "e"}
	d.want(t, "GET", "/v20180820/jobs/job-0000", "", `<DescribeJobResult `+xmlns+`><Job>
		<JobId>job-0000</JobId><ConfirmationRequired>false</ConfirmationRequired><Description>d</Description>
		<JobArn>arn:aws:s3:us-east-1:111122223333:job/job-0000</JobArn><Status>Failed</Status>
		<Operation><S3ReplicateObject></S3ReplicateObject></Operation><Priority>1</Priority>
		<ProgressSummary><TotalNumberOfTasks>30000000000</TotalNumberOfTasks><NumberOfTasksSucceeded>2</NumberOfTasksSucceeded><NumberOfTasksFailed>1</NumberOfTasksFailed>
		<Timers><ElapsedTimeInActiveSeconds>9</ElapsedTimeInActiveSeconds></Timers></ProgressSummary>
		<StatusUpdateReason>a &lt;reason&gt;</StatusUpdateReason>
		<FailureReasons><member><FailureCode>c</FailureCode><FailureReason>r�</FailureReason></member></FailureReasons>
		<Report><Bucket>arn:aws:s3:::reports</Bucket><Format>Report_CSV_20180820</Format><Enabled>true</Enabled><Prefix>p</Prefix><ReportScope>AllTasks</ReportScope></Report>
		<CreationTime>2024-01-02T03:04:00.000Z</CreationTime><TerminationDate>2024-02-03T04:05:06.789Z</TerminationDate>
		<RoleArn>arn:aws:iam::111122223333:role/batch</RoleArn>
		<SuspendedDate>2024-02-03T04:05:06.789Z</SuspendedDate><SuspendedCause>AWAITING_CONFIRMATION</SuspendedCause>
		<ManifestGenerator><S3JobManifestGenerator><ExpectedBucketOwner>111122223333</ExpectedBucketOwner><SourceBucket>arn:aws:s3:::src</SourceBucket>
		<ManifestOutputLocation><Bucket>arn:aws:s3:::mf</Bucket><ManifestPrefix>m</ManifestPrefix><ManifestEncryption><SSE-KMS><KeyId>arn:aws:kms:us-east-1:111122223333:key/k</KeyId></SSE-KMS></ManifestEncryption><ManifestFormat>S3InventoryReport_CSV_20211130</ManifestFormat></ManifestOutputLocation>
		<Filter><EligibleForReplication>true</EligibleForReplication><CreatedAfter>2024-01-01T00:00:00.000Z</CreatedAfter>
		<ObjectReplicationStatuses><member>NONE</member><member>FAILED</member></ObjectReplicationStatuses>
		<KeyNameConstraint><MatchAnyPrefix><member>a/</member></MatchAnyPrefix></KeyNameConstraint>
		<ObjectSizeLessThanBytes>5</ObjectSizeLessThanBytes><MatchAnyStorageClass><member>STANDARD</member></MatchAnyStorageClass>
		<MatchAnyObjectEncryption><ObjectEncryption>`+encryptionFilter+`</ObjectEncryption></MatchAnyObjectEncryption></Filter>
		<EnableManifestOutput>true</EnableManifestOutput></S3JobManifestGenerator></ManifestGenerator>
		<GeneratedManifestDescriptor><Format>S3InventoryReport_CSV_20211130</Format><Location><ObjectArn>arn:aws:s3:::mf/m/manifest.json</ObjectArn><ObjectVersionId>v</ObjectVersionId><ETag>e</ETag></Location></GeneratedManifestDescriptor>
		</Job></DescribeJobResult>`)
	asked := d.ids.asked[len(d.ids.asked)-1]
	if asked.Resource != "arn:aws:s3:us-east-1:111122223333:job/job-0000" || asked.Context["s3:existingjobpriority"][0] != "1" ||
		asked.Context["aws:resourcetag/team"][0] != "b" {
		t.Errorf("asked %+v", asked)
	}
}

func TestDescribeListed(t *testing.T) {
	t.Parallel()
	d := newDoor()
	d.create(t, listed)
	_, got := d.do(t, "GET", "/v20180820/jobs/job-0000", "")
	for _, want := range []string{
		"<Manifest><Spec><Format>S3BatchOperations_CSV_20180820</Format><Fields><member>Bucket</member><member>Key</member><member>VersionId</member></Fields></Spec>" +
			"<Location><ObjectArn>arn:aws:s3:::mf/list.csv</ObjectArn><ETag>60e4</ETag></Location></Manifest>",
		"<Report><Enabled>false</Enabled></Report>", "<Status>New</Status>",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s\nis not in\n%s", want, got)
		}
	}
	for _, absent := range []string{"TerminationDate", "Suspended", "FailureReasons", "ManifestGenerator", "GeneratedManifest"} {
		if strings.Contains(got, absent) {
			t.Errorf("%s is in\n%s", absent, got)
		}
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	d := newDoor()
	for i := range 5 {
		d.create(t, strings.Replace(listed, ">other<", fmt.Sprintf(">%d<", i), 1))
	}
	d.engine.jobs[1].State, d.engine.jobs[3].State, d.engine.jobs[4].Account = job.Active, job.Complete, "999999999999"
	d.engine.jobs[3].Ended = time.Date(2024, 2, 3, 4, 5, 6, 0, time.UTC)
	item := func(n int, state, ended string) string {
		return fmt.Sprintf(`<member><JobId>job-%04d</JobId><Operation>S3ReplicateObject</Operation><Priority>0</Priority><Status>%s</Status>
			<CreationTime>2024-01-02T03:04:%02d.000Z</CreationTime>%s<ProgressSummary><TotalNumberOfTasks>0</TotalNumberOfTasks>
			<NumberOfTasksSucceeded>0</NumberOfTasksSucceeded><NumberOfTasksFailed>0</NumberOfTasksFailed>
			<Timers><ElapsedTimeInActiveSeconds>0</ElapsedTimeInActiveSeconds></Timers></ProgressSummary></member>`, n, state, n, ended)
	}
	const ended = "<TerminationDate>2024-02-03T04:05:06.000Z</TerminationDate>"
	result := func(items string) string { return "<ListJobsResult " + xmlns + ">" + items + "</ListJobsResult>" }
	d.want(t, "GET", "/v20180820/jobs?maxResults=2", "",
		result("<NextToken>job-0002</NextToken><Jobs>"+item(3, "Complete", ended)+item(2, "New", "")+"</Jobs>"))
	d.want(t, "GET", "/v20180820/jobs?maxResults=2&nextToken=job-0002", "", result("<Jobs>"+item(1, "Active", "")+item(0, "New", "")+"</Jobs>"))
	d.want(t, "GET", "/v20180820/jobs?jobStatuses=Active&jobStatuses=Complete", "",
		result("<Jobs>"+item(3, "Complete", ended)+item(1, "Active", "")+"</Jobs>"))
	d.want(t, "GET", "/v20180820/jobs?jobStatuses=Failed", "", result("<Jobs></Jobs>"))
	d.refused(t, "GET", "/v20180820/jobs?jobStatuses=Running", "", 400, "InvalidRequestException")
	d.want(t, "GET", "/v20180820/jobs?jobStatuses=Active&maxResults=0", "", result("<Jobs>"+item(1, "Active", "")+"</Jobs>"))
	d.refused(t, "GET", "/v20180820/jobs?maxResults=-1", "", 400, "InvalidRequestException")
	d.refused(t, "GET", "/v20180820/jobs?maxResults=", "", 400, "InvalidRequestException")
	d.refused(t, "GET", "/v20180820/jobs?maxResults=1&maxResults=2", "", 400, "InvalidRequestException")
	d.refused(t, "GET", "/v20180820/jobs?JobStatuses=Active", "", 400, "InvalidRequestException")
	d.refused(t, "GET", "/v20180820/jobs?maxResults=1001", "", 400, "InvalidRequestException")
	d.refused(t, "GET", "/v20180820/jobs?nextToken=x", "", 400, "InvalidNextTokenException")
	d.refused(t, "GET", "/v20180820/jobs?nextToken=", "", 400, "InvalidNextTokenException")
	d.refused(t, "GET", "/v20180820/jobs?%zz", "", 400, "InvalidRequestException")
	d.ids.deny = "s3:ListJobs"
	d.refused(t, "GET", "/v20180820/jobs", "", 403, "AccessDenied")
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	d := newDoor()
	d.create(t, listed)
	const path = "/v20180820/jobs/job-0000"
	d.want(t, "POST", path+"/priority?priority=98", "",
		`<UpdateJobPriorityResult `+xmlns+`><JobId>job-0000</JobId><Priority>98</Priority></UpdateJobPriorityResult>`)
	d.refused(t, "POST", path+"/priority", "", 400, "BadRequestException")
	d.refused(t, "POST", path+"/priority?priority=-1", "", 400, "BadRequestException")
	d.refused(t, "POST", path+"/priority?priority=1&priority=2", "", 400, "BadRequestException")
	d.refused(t, "POST", path+"/priority?Priority=1", "", 400, "BadRequestException")
	d.refused(t, "POST", path+"/status?requestedJobStatus=Ready", "", 400, "JobStatusException")
	d.engine.jobs[0].State, d.engine.jobs[0].SuspendedCause = job.Suspended, job.AwaitingConfirmation
	d.want(t, "POST", path+"/status?requestedJobStatus=Ready", "",
		`<UpdateJobStatusResult `+xmlns+`><JobId>job-0000</JobId><Status>Ready</Status></UpdateJobStatusResult>`)
	if cause := d.ids.asked[len(d.ids.asked)-1].Context["s3:jobsuspendedcause"]; len(cause) != 1 || cause[0] != "AWAITING_CONFIRMATION" {
		t.Errorf("s3:JobSuspendedCause is %q", cause)
	}
	d.want(t, "POST", path+"/status?requestedJobStatus=Cancelled&statusUpdateReason=no+longer%20needed", "",
		`<UpdateJobStatusResult `+xmlns+`><JobId>job-0000</JobId><Status>Cancelling</Status><StatusUpdateReason>no longer needed</StatusUpdateReason></UpdateJobStatusResult>`)
	d.refused(t, "POST", path+"/status?requestedJobStatus=Paused", "", 400, "BadRequestException")
	d.refused(t, "POST", path+"/status", "", 400, "BadRequestException")
	d.refused(t, "POST", path+"/status?requestedJobStatus=Ready&statusUpdateReason="+strings.Repeat("x", 257), "", 400, "BadRequestException")
	for _, reason := range []string{"a%01", "%00", "%EF%BF%BE", "%ff"} {
		d.refused(t, "POST", path+"/status?requestedJobStatus=Cancelled&statusUpdateReason="+reason, "", 400, "BadRequestException")
	}
	for action, target := range map[string]string{
		"s3:UpdateJobStatus": "/status?requestedJobStatus=Cancelled", "s3:UpdateJobPriority": "/priority?priority=1",
	} {
		d.ids.deny = action
		d.refused(t, "POST", path+target, "", 403, "AccessDenied")
	}
}

func TestTagging(t *testing.T) {
	t.Parallel()
	d := newDoor()
	d.create(t, generated)
	const path = "/v20180820/jobs/job-0000/tagging"
	tags := func(inner string) string {
		return `<GetJobTaggingResult ` + xmlns + `><Tags>` + inner + `</Tags></GetJobTaggingResult>`
	}
	d.want(t, "GET", path, "", tags("<member><Key>Team</Key><Value>b</Value></member>"))
	const put = `<PutJobTaggingRequest><Tags><member><Key>z</Key><Value>1</Value></member><member><Key>a</Key><Value/></member></Tags></PutJobTaggingRequest>`
	d.want(t, "PUT", path, put, "")
	d.want(t, "GET", path, "", tags("<member><Key>a</Key><Value></Value></member><member><Key>z</Key><Value>1</Value></member>"))
	d.refused(t, "PUT", path, "<PutJobTaggingRequest/>", 400, "MalformedXML")
	d.refused(t, "PUT", path, strings.Replace(put, "<Value/>", "", 1), 400, "BadRequestException")
	many := "<PutJobTaggingRequest><Tags>"
	for i := range 51 {
		many += fmt.Sprintf("<member><Key>%d</Key><Value/></member>", i)
	}
	d.refused(t, "PUT", path, many+"</Tags></PutJobTaggingRequest>", 400, "TooManyTagsException")
	d.want(t, "DELETE", path, "", "")
	d.want(t, "GET", path, "", tags(""))
	for method, action := range map[string]string{"GET": "s3:GetJobTagging", "PUT": "s3:PutJobTagging", "DELETE": "s3:DeleteJobTagging"} {
		d.ids.deny = action
		d.refused(t, method, path, put, 403, "AccessDenied")
	}
}

func TestAccounts(t *testing.T) {
	t.Parallel()
	d := newDoor()
	d.create(t, listed)
	const path = "/v20180820/jobs/job-0000"
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	host := func(h string) func(*http.Request) { return func(r *http.Request) { r.Host = h } }
	for _, h := range []string{account + ".tb.local:9000", "tb.local", "127.0.0.1:9000", account, "[::1]:9000"} {
		if status, text := d.do(t, "GET", path, "", host(h)); status != http.StatusOK {
			t.Errorf("host %s: %d %s", h, status, text)
		}
	}
	d.refused(t, "GET", path, "", 403, "AccessDenied", host("999999999999.tb.local"))
	d.refused(t, "GET", path, "", 403, "AccessDenied", header("X-Amz-Account-Id", "999999999999"))
	d.refused(t, "GET", path, "", 403, "AccessDenied", header("Test-Account", "999999999999"))
	d.refused(t, "GET", path, "", 403, "AccessDenied", header("Test-Account", ""))
	d.refused(t, "GET", path, "", 400, "InvalidRequest", header("X-Amz-Account-Id", ""))
	d.refused(t, "GET", path, "", 400, "InvalidRequest", header("X-Amz-Account-Id", "me"))
	other := func(r *http.Request) {
		for _, name := range []string{"X-Amz-Account-Id", "Test-Account"} {
			r.Header.Set(name, "999999999999")
		}
		r.Host = "999999999999.tb.local"
	}
	d.refused(t, "GET", path, "", 404, "NotFoundException", other)
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	d := newDoor()
	for _, c := range []struct {
		method, path string
		status       int
		code         string
	}{
		{"GET", "/v20180820/jobs/job-9999", 404, "NotFoundException"},
		{"GET", "/v20180820/jobs/x", 404, "NotFoundException"},
		{"GET", "/v20180820/jobs/", 404, "NotFoundException"},
		{"GET", "/v20180820/jobs/job-0000/other", 404, "NotFoundException"},
		{"GET", "/v20180820/jobs/job-0000/tagging/more", 404, "NotFoundException"},
		{"POST", "/v20180820/jobs/job-9999/priority?priority=1", 404, "NotFoundException"},
		{"POST", "/v20180820/jobs/job-9999/status?requestedJobStatus=Ready", 404, "NotFoundException"},
		{"DELETE", "/v20180820/jobs/job-9999/tagging", 404, "NotFoundException"},
		{"DELETE", "/v20180820/jobs", 405, "MethodNotAllowed"},
		{"PUT", "/v20180820/jobs/job-0000", 405, "MethodNotAllowed"},
		{"GET", "/v20180820/configuration/publicAccessBlock", 501, "NotImplemented"},
		{"GET", "/v20180820/jobsearch", 501, "NotImplemented"},
	} {
		d.refused(t, c.method, c.path, "", c.status, c.code)
	}
	// A job that is not there tells nobody so who may not ask.
	d.ids.deny = "s3:DescribeJob"
	d.refused(t, "GET", "/v20180820/jobs/job-9999", "", 403, "AccessDenied")
}

func TestErrorOnTheWire(t *testing.T) {
	t.Parallel()
	d := newDoor()
	_, got := d.do(t, "GET", "/v20180820/jobs/job-9999", "")
	if !strings.HasPrefix(got, "<ErrorResponse><Error><Code>NotFoundException</Code><Message>The specified job does not exist</Message>") ||
		!strings.Contains(got, "</Error><RequestId>") || !strings.Contains(got, "<HostId>") {
		t.Errorf("%s", got)
	}
}

// TestInternalErrorsAreNotTold: a cause stays inside.
func TestInternalErrorsAreNotTold(t *testing.T) {
	t.Parallel()
	d := newDoor()
	h := s3control.New(s3control.Config{Engine: broken{d.engine}, IAM: d.ids, Region: "us-east-1", Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	d.handler = h
	status, got := d.do(t, "GET", "/v20180820/jobs/job-0000", "")
	if status != 500 || strings.Contains(got, "disk") || !strings.Contains(got, "<Code>InternalServiceException</Code><Message>We encountered an internal error") {
		t.Errorf("%d %s", status, got)
	}
}

type broken struct{ *engine }

func (broken) Get(string, string) (job.Job, error) {
	return job.Job{}, fmt.Errorf("the disk is on fire")
}

func FuzzCreate(f *testing.F) {
	f.Add(generated)
	f.Add(listed)
	f.Fuzz(func(t *testing.T, body string) {
		d := newDoor()
		status, text := d.do(t, "POST", "/v20180820/jobs", body)
		if status == http.StatusOK != (len(d.engine.jobs) == 1) || status == http.StatusInternalServerError {
			t.Fatalf("%d %s", status, text)
		}
		if len(d.engine.jobs) == 1 {
			if err := d.engine.jobs[0].Spec.Validate(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
