package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/s3control"
	"github.com/aws/aws-sdk-go-v2/service/s3control/types"
)

// everything is a request with every field of a job whose manifest is made.
func everything(token string) *s3control.CreateJobInput {
	return &s3control.CreateJobInput{
		AccountId: aws.String(source), ClientRequestToken: &token, ConfirmationRequired: aws.Bool(true), Description: aws.String("a <job> & more"),
		Priority: aws.Int32(2147483647), RoleArn: aws.String("arn:aws:iam::" + source + ":role/batch"),
		Operation: &types.JobOperation{S3ReplicateObject: &types.S3ReplicateObjectOperation{}},
		Tags:      []types.S3Tag{{Key: aws.String("é _.:/=+-@"), Value: aws.String("")}},
		Report: &types.JobReport{
			Enabled: true, Bucket: aws.String("arn:aws:s3:::control"), Format: types.JobReportFormatReportCsv20180820, Prefix: aws.String("reports/"),
			ReportScope: types.JobReportScopeFailedTasksOnly, ExpectedBucketOwner: aws.String(source),
		},
		ManifestGenerator: &types.JobManifestGeneratorMemberS3JobManifestGenerator{Value: types.S3JobManifestGenerator{
			SourceBucket: aws.String("arn:aws:s3:::control"), ExpectedBucketOwner: aws.String(source), EnableManifestOutput: true,
			ManifestOutputLocation: &types.S3ManifestOutputLocation{
				Bucket: aws.String("arn:aws:s3:::control"), ManifestPrefix: aws.String("m"), ExpectedManifestBucketOwner: aws.String(source),
				ManifestFormat:     types.GeneratedManifestFormatS3InventoryReportCsv20211130,
				ManifestEncryption: &types.GeneratedManifestEncryption{SSEKMS: &types.SSEKMSEncryption{KeyId: aws.String("arn:aws:kms:us-east-1:" + source + ":key/k")}},
			},
			Filter: &types.JobManifestGeneratorFilter{
				EligibleForReplication: aws.Bool(false), CreatedAfter: aws.Time(time.Unix(1e9, 1e6).UTC()), CreatedBefore: aws.Time(time.Unix(4e9, 0).UTC()),
				ObjectReplicationStatuses: types.ReplicationStatus("").Values(), ObjectSizeGreaterThanBytes: aws.Int64(0), ObjectSizeLessThanBytes: aws.Int64(1 << 40),
				KeyNameConstraint: &types.KeyNameConstraint{
					MatchAnyPrefix: []string{"in/ "}, MatchAnySuffix: []string{strings.Repeat("é", 1024)}, MatchAnySubstring: []string{"<&>"},
				},
				MatchAnyStorageClass: types.S3StorageClass("").Values(),
				MatchAnyObjectEncryption: []types.ObjectEncryptionFilter{
					&types.ObjectEncryptionFilterMemberSSEKMS{Value: types.SSEKMSFilter{KmsKeyArn: aws.String("arn:aws:kms:us-east-1:" + source + ":key/k"), BucketKeyEnabled: aws.Bool(true)}},
				},
			},
		}},
	}
}

// operations are requests for each other operation, with every field it has.
func operations() (all []*s3control.CreateJobInput) {
	word, later := aws.String, aws.Time(time.Unix(4e9, 0).UTC())
	tags := []types.S3Tag{{Key: word("k"), Value: word("v")}}
	grants := []types.S3Grant{{
		Grantee:    &types.S3Grantee{TypeIdentifier: types.S3GranteeTypeIdentifierCanonical, Identifier: word("c0ffee"), DisplayName: word("<n>")},
		Permission: types.S3PermissionWriteAcp,
	}}
	for i, o := range []types.JobOperation{
		{S3PutObjectCopy: &types.S3CopyObjectOperation{
			TargetResource: word("arn:aws:s3:::control"), AccessControlGrants: grants, MetadataDirective: types.S3MetadataDirectiveReplace,
			ModifiedSinceConstraint: later, UnModifiedSinceConstraint: later, NewObjectTagging: tags, RedirectLocation: word("/x"),
			NewObjectMetadata: &types.S3ObjectMetadata{
				CacheControl: word("a"), ContentDisposition: word("b"), ContentEncoding: word("c"), ContentLanguage: word("d"), ContentType: word("e"),
				HttpExpiresDate: later, UserMetadata: map[string]string{"k": "v", "l": ""}, SSEAlgorithm: types.S3SSEAlgorithmKms,
			},
			RequesterPays: true, StorageClass: types.S3StorageClassGlacierIr, SSEAwsKmsKeyId: word("alias/k"), TargetKeyPrefix: word("to/"),
			ObjectLockLegalHoldStatus: types.S3ObjectLockLegalHoldStatusOff, ObjectLockMode: types.S3ObjectLockModeGovernance, ObjectLockRetainUntilDate: later,
			BucketKeyEnabled: true, ChecksumAlgorithm: types.S3ChecksumAlgorithmSha256,
		}},
		{S3PutObjectCopy: &types.S3CopyObjectOperation{TargetResource: word("arn:aws:s3:::control"), CannedAccessControlList: types.S3CannedAccessControlListBucketOwnerRead}},
		{S3PutObjectTagging: &types.S3SetObjectTaggingOperation{TagSet: tags}},
		{S3DeleteObjectTagging: &types.S3DeleteObjectTaggingOperation{}},
		{S3PutObjectAcl: &types.S3SetObjectAclOperation{AccessControlPolicy: &types.S3AccessControlPolicy{
			AccessControlList: &types.S3AccessControlList{Owner: &types.S3ObjectOwner{ID: word("c0ffee"), DisplayName: word("o")}, Grants: grants},
		}}},
		{S3PutObjectAcl: &types.S3SetObjectAclOperation{AccessControlPolicy: &types.S3AccessControlPolicy{CannedAccessControlList: types.S3CannedAccessControlListPrivate}}},
		{S3PutObjectLegalHold: &types.S3SetObjectLegalHoldOperation{LegalHold: &types.S3ObjectLockLegalHold{Status: types.S3ObjectLockLegalHoldStatusOn}}},
		{S3PutObjectRetention: &types.S3SetObjectRetentionOperation{
			BypassGovernanceRetention: aws.Bool(true), Retention: &types.S3Retention{Mode: types.S3ObjectLockRetentionModeCompliance, RetainUntilDate: later},
		}},
	} {
		in := everything(fmt.Sprint("operation ", i))
		in.Operation = &o
		all = append(all, in)
	}
	return all
}

// TestGoSDKJobs has the Go SDK ask for jobs with every field there is, and
// compares what it is told of them.
func TestGoSDKJobs(t *testing.T) {
	s := start(t, "--kms-key", source+"/k")
	objects, c := s.sdk(t, "source")
	ctx := t.Context()
	if _, err := objects.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("control")}); err != nil {
		t.Fatal(err)
	}
	if _, err := objects.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{
		Bucket: aws.String("control"), VersioningConfiguration: &s3types.VersioningConfiguration{Status: s3types.BucketVersioningStatusEnabled},
	}); err != nil {
		t.Fatal(err)
	}
	made := everything("made")
	listed := everything("listed")
	listed.ManifestGenerator, listed.ConfirmationRequired, listed.Priority = nil, aws.Bool(false), aws.Int32(0)
	listed.Manifest = &types.JobManifest{
		Spec: &types.JobManifestSpec{Format: types.JobManifestFormatS3BatchOperationsCsv20180820, Fields: []types.JobManifestFieldName{"Ignore", "Bucket", "Key", "VersionId", "Ignore"}},
		Location: &types.JobManifestLocation{
			ObjectArn: aws.String("arn:aws:s3:::control/a list\r\n.csv"), ObjectVersionId: aws.String("null"), ETag: aws.String("60e460c9d1046e73f7dde5043ac3ae85"),
		},
	}
	for _, in := range append(operations(), made, listed) {
		out, err := c.CreateJob(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		again, err := c.CreateJob(ctx, in)
		if err != nil || *again.JobId != *out.JobId {
			t.Errorf("the same request: %v, %v", again, err)
		}
		got, err := c.DescribeJob(ctx, &s3control.DescribeJobInput{AccountId: aws.String(source), JobId: out.JobId})
		if err != nil {
			t.Fatal(err)
		}
		j := got.Job
		for field, pair := range map[string][2]any{
			"ConfirmationRequired": {in.ConfirmationRequired, j.ConfirmationRequired}, "Description": {in.Description, j.Description},
			"Priority": {*in.Priority, j.Priority}, "RoleArn": {in.RoleArn, j.RoleArn}, "Operation": {in.Operation, j.Operation},
			"Report": {in.Report, j.Report}, "Manifest": {in.Manifest, j.Manifest}, "ManifestGenerator": {in.ManifestGenerator, j.ManifestGenerator},
			"JobArn": {"arn:aws:s3:us-east-1:" + source + ":job/" + *out.JobId, *j.JobArn},
		} {
			if !reflect.DeepEqual(pair[0], pair[1]) {
				t.Errorf("%s: %+v, want %+v", field, pair[1], pair[0])
			}
		}
		if since := time.Since(*j.CreationTime); since < 0 || since > patience {
			t.Errorf("made %v ago", since)
		}
		tags, err := c.GetJobTagging(ctx, &s3control.GetJobTaggingInput{AccountId: aws.String(source), JobId: out.JobId})
		if err != nil || !reflect.DeepEqual(tags.Tags, in.Tags) {
			t.Errorf("%+v, %v", tags, err)
		}
	}
}

// is reports whether err is of the type E, by which programs tell errors apart.
func is[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}

// TestGoSDKErrors: every error that AWS's model has is one of the SDK's types.
func TestGoSDKErrors(t *testing.T) {
	_, c := start(t).sdk(t, "source")
	ctx, account := t.Context(), aws.String(source)
	in := everything("t")
	in.ManifestGenerator.(*types.JobManifestGeneratorMemberS3JobManifestGenerator).Value.ManifestOutputLocation.ManifestEncryption = nil
	out, err := c.CreateJob(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	if err := poll(func() (bool, error) {
		got, err := c.DescribeJob(ctx, &s3control.DescribeJobInput{AccountId: account, JobId: out.JobId})
		return err == nil && got.Job.Status == types.JobStatusFailed, err
	}); err != nil {
		t.Fatal(err)
	}
	other := everything("t")
	other.Priority = aws.Int32(1)
	_, err = c.CreateJob(ctx, other)
	if !is[*types.IdempotencyException](err) {
		t.Errorf("the token for another request: %v", err)
	}
	none := everything("u")
	none.Report.ReportScope = ""
	_, err = c.CreateJob(ctx, none)
	if !is[*types.BadRequestException](err) {
		t.Errorf("no scope: %v", err)
	}
	_, err = c.UpdateJobStatus(ctx, &s3control.UpdateJobStatusInput{AccountId: account, JobId: out.JobId, RequestedJobStatus: types.RequestedJobStatusReady})
	if !is[*types.JobStatusException](err) {
		t.Errorf("ready: %v", err)
	}
	_, err = c.UpdateJobPriority(ctx, &s3control.UpdateJobPriorityInput{AccountId: account, JobId: out.JobId, Priority: 1})
	if !is[*types.BadRequestException](err) {
		t.Errorf("priority: %v", err)
	}
	_, err = c.DescribeJob(ctx, &s3control.DescribeJobInput{AccountId: account, JobId: aws.String("00000000-0000-0000-0000-000000000000")})
	if !is[*types.NotFoundException](err) {
		t.Errorf("no job: %v", err)
	}
	var tags []types.S3Tag
	for i := range 51 {
		tags = append(tags, types.S3Tag{Key: aws.String(fmt.Sprint(i)), Value: aws.String("")})
	}
	_, err = c.PutJobTagging(ctx, &s3control.PutJobTaggingInput{AccountId: account, JobId: out.JobId, Tags: tags})
	if !is[*types.TooManyTagsException](err) {
		t.Errorf("51 tags: %v", err)
	}
	_, err = c.ListJobs(ctx, &s3control.ListJobsInput{AccountId: account, NextToken: aws.String("x")})
	if !is[*types.InvalidNextTokenException](err) {
		t.Errorf("token: %v", err)
	}
	_, err = c.ListJobs(ctx, &s3control.ListJobsInput{AccountId: account, MaxResults: aws.Int32(1001)})
	if !is[*types.InvalidRequestException](err) {
		t.Errorf("1,001 results: %v", err)
	}
}

// TestWaysToControl: how clients that put the account id before the host get to
// the server, and see all jobs page by page.
func TestWaysToControl(t *testing.T) {
	s := start(t)
	_, c := s.sdk(t, "source")
	keys, err := s.keys("source")
	if err != nil {
		t.Fatal(err)
	}
	const n = 23
	for i := range n {
		in := everything(fmt.Sprint(i))
		in.ManifestGenerator.(*types.JobManifestGeneratorMemberS3JobManifestGenerator).Value.ManifestOutputLocation.ManifestEncryption = nil
		if _, err := c.CreateJob(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	proxy, err := url.Parse(s.endpoint)
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(s.listen())
	if err != nil {
		t.Fatal(err)
	}
	here := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", s.listen())
	}
	for name, way := range map[string]struct {
		endpoint  string
		transport *http.Transport
	}{
		"as a proxy":        {"http://any.name:1234", &http.Transport{Proxy: http.ProxyURL(proxy)}},
		"ACCOUNT.localhost": {"http://localhost:" + port, &http.Transport{DialContext: here}}, // as systems resolve *.localhost
		"a name for all":    {"http://twinbucket.example:" + port, &http.Transport{DialContext: here}},
		"AWS's own name":    {"http://s3-control.us-east-1.amazonaws.com", &http.Transport{DialContext: here}},
	} {
		t.Cleanup(way.transport.CloseIdleConnections)
		c := s3control.New(s3control.Options{
			Region: region, BaseEndpoint: &way.endpoint, HTTPClient: &http.Client{Transport: way.transport}, RetryMaxAttempts: 1,
			Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return keys, nil }),
		})
		seen := map[string]bool{}
		pages := s3control.NewListJobsPaginator(c, &s3control.ListJobsInput{AccountId: aws.String(source), MaxResults: aws.Int32(5)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for _, j := range page.Jobs {
				seen[*j.JobId] = j.Operation == types.OperationNameS3ReplicateObject && *j.Description == "a <job> & more"
			}
		}
		if len(seen) != n {
			t.Errorf("%s: %d jobs", name, len(seen))
		}
		for id, right := range seen {
			if !right {
				t.Errorf("%s: %s is told wrongly", name, id)
			}
		}
	}
}
