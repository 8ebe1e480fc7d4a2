package job_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"twinbucket/fault"
	"twinbucket/job"
	"twinbucket/object"
)

var later = time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC)

// operations are specs with all that each operation can be given.
func operations() map[string]*job.Spec {
	with := func(operation string, p job.Parameters) *job.Spec {
		s := listed()
		s.Operation, s.Parameters = operation, p
		return s
	}
	grants := []job.Grant{{Type: "id", Identifier: "c0", DisplayName: "n", Permission: "READ"}}
	return map[string]*job.Spec{
		"copy": with(job.PutObjectCopy, job.Parameters{Copy: &job.Copy{
			Target: "arn:aws:s3:::dst", KeyPrefix: "p", StorageClass: "GLACIER_IR", MetadataDirective: "REPLACE",
			Metadata: &job.Metadata{
				CacheControl: "a", ContentDisposition: "b", ContentEncoding: "c", ContentLanguage: "d", ContentType: "e",
				Expires: &later, User: map[string]string{"k": "v"}, SSEAlgorithm: "KMS",
			},
			Tagging: []object.Tag{{Key: "t", Value: "u"}}, Grants: grants, ModifiedSince: &later, UnmodifiedSince: &later,
			KMSKeyID: "alias/k", BucketKeyEnabled: ptr(false), ChecksumAlgorithm: "CRC64NVME", LegalHold: "OFF",
			LockMode: "COMPLIANCE", RetainUntil: &later, RedirectLocation: "/x", RequesterPays: ptr(true),
		}}),
		"copy without tags": with(job.PutObjectCopy, job.Parameters{Copy: &job.Copy{Target: "arn:aws:s3:::dst", CannedACL: "private", Tagging: []object.Tag{}}}),
		"tagging":           with(job.PutObjectTagging, job.Parameters{Tagging: []object.Tag{{Key: "t", Value: "u"}}}),
		"empty tagging":     with(job.PutObjectTagging, job.Parameters{Tagging: []object.Tag{}}),
		"delete tagging":    with(job.DeleteObjectTagging, job.Parameters{}),
		"acl":               with(job.PutObjectACL, job.Parameters{ACL: &job.ACL{Owner: "c0", OwnerName: "n", Grants: grants}}),
		"empty acl":         with(job.PutObjectACL, job.Parameters{ACL: &job.ACL{Owner: "c0", Grants: []job.Grant{}}}),
		"canned acl":        with(job.PutObjectACL, job.Parameters{ACL: &job.ACL{Canned: "private"}}),
		"legal hold":        with(job.PutObjectLegalHold, job.Parameters{LegalHold: "ON"}),
		"retention":         with(job.PutObjectRetention, job.Parameters{Retention: &job.Retention{Mode: "GOVERNANCE", Until: &later, Bypass: ptr(true)}}),
		"no retention":      with(job.PutObjectRetention, job.Parameters{Retention: &job.Retention{}}),
	}
}

func TestOperationsSurviveJSON(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for name, want := range operations() {
		if err := want.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		data, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		if other := seen[string(data)]; other != "" {
			t.Errorf("%s and %s are the same: %s", name, other, data)
		}
		seen[string(data)] = name
		var got job.Spec
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(*want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

// TestReplicationStaysAsItWas: records and client tokens of jobs that replicate
// outlive the other operations.
func TestReplicationStaysAsItWas(t *testing.T) {
	t.Parallel()
	data, err := json.Marshal(listed())
	if err != nil {
		t.Fatal(err)
	}
	const before = `{"token":"t","confirmationRequired":true,"description":"d","operation":"S3ReplicateObject","priority":1,"roleArn":"arn:aws:iam::111122223333:role/batch","tags":{"a":"b"},"report":{"enabled":true,"bucket":"arn:aws:s3:::reports","format":"Report_CSV_20180820","prefix":"p","scope":"AllTasks","expectedBucketOwner":"111122223333"},"manifest":{"format":"S3BatchOperations_CSV_20180820","fields":["Bucket","Key","VersionId"],"location":{"objectArn":"arn:aws:s3:::mf/dir/list.csv","etag":"60e4"}}}`
	if diff := cmp.Diff(before, string(data)); diff != "" {
		t.Errorf("(-before +now)\n%s", diff)
	}
}

func TestOperationsRefused(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 1025)
	eleven := make([]object.Tag, 11)
	for i := range eleven {
		eleven[i].Key = fmt.Sprint(i)
	}
	for name, c := range map[string]struct {
		of    string
		spoil func(*job.Spec)
		want  string // part of the message
	}{
		"unknown operation":      {"copy", func(s *job.Spec) { s.Operation = "S3Paint" }, "no such operation"},
		"no copy":                {"copy", func(s *job.Spec) { s.Copy = nil }, "TargetResource"},
		"target":                 {"copy", func(s *job.Spec) { s.Copy.Target = "dst" }, "target bucket ARN"},
		"target is an object":    {"copy", func(s *job.Spec) { s.Copy.Target += "/k" }, "target bucket ARN"},
		"prefix":                 {"copy", func(s *job.Spec) { s.Copy.KeyPrefix = long }, "TargetKeyPrefix"},
		"redirect":               {"copy", func(s *job.Spec) { s.Copy.RedirectLocation = long + long }, "RedirectLocation"},
		"class":                  {"copy", func(s *job.Spec) { s.Copy.StorageClass = "COLD" }, "StorageClass"},
		"directive":              {"copy", func(s *job.Spec) { s.Copy.MetadataDirective = "KEEP" }, "MetadataDirective"},
		"metadata of a copy":     {"copy", func(s *job.Spec) { s.Copy.MetadataDirective = "COPY" }, "NewObjectMetadata cannot"},
		"checksum":               {"copy", func(s *job.Spec) { s.Copy.ChecksumAlgorithm = "CRC16" }, "ChecksumAlgorithm"},
		"canned":                 {"copy without tags", func(s *job.Spec) { s.Copy.CannedACL = "log-delivery-write" }, "CannedAccessControlList"},
		"both lists":             {"copy", func(s *job.Spec) { s.Copy.CannedACL = "private" }, "not both"},
		"grantee type":           {"copy", func(s *job.Spec) { s.Copy.Grants[0].Type = "name" }, "TypeIdentifier"},
		"grantee":                {"copy", func(s *job.Spec) { s.Copy.Grants[0].Identifier = "" }, "Identifier"},
		"long target":            {"copy", func(s *job.Spec) { s.Copy.Target += strings.Repeat("d", 128) }, "target bucket ARN"},
		"long key":               {"copy", func(s *job.Spec) { s.Copy.KMSKeyID = strings.Repeat("k", 2001) }, "SSEAwsKmsKeyId"},
		"long display name":      {"copy", func(s *job.Spec) { s.Copy.Grants[0].DisplayName = strings.Repeat("n", 1025) }, "DisplayName"},
		"grantee with a comma":   {"copy", func(s *job.Spec) { s.Copy.Grants[0].Identifier = `a",id="b` }, "Identifier"},
		"permission":             {"copy", func(s *job.Spec) { s.Copy.Grants[0].Permission = "ALL" }, "Permission"},
		"hold of a copy":         {"copy", func(s *job.Spec) { s.Copy.LegalHold = "on" }, "ObjectLockLegalHoldStatus"},
		"mode of a copy":         {"copy", func(s *job.Spec) { s.Copy.LockMode = "STRICT" }, "mode of a retention"},
		"mode alone":             {"copy", func(s *job.Spec) { s.Copy.RetainUntil = nil }, "together"},
		"date alone":             {"copy", func(s *job.Spec) { s.Copy.LockMode = "" }, "together"},
		"many tags":              {"copy", func(s *job.Spec) { s.Copy.Tagging = eleven }, "10"},
		"long metadata":          {"copy", func(s *job.Spec) { s.Copy.Metadata.ContentType = long }, "NewObjectMetadata"},
		"line break":             {"copy", func(s *job.Spec) { s.Copy.Metadata.ContentType = "a\r\nb" }, "NewObjectMetadata"},
		"user metadata's name":   {"copy", func(s *job.Spec) { s.Copy.Metadata.User = map[string]string{"a b": ""} }, "UserMetadata"},
		"user metadata, no name": {"copy", func(s *job.Spec) { s.Copy.Metadata.User = map[string]string{"": ""} }, "UserMetadata"},
		"user metadata":          {"copy", func(s *job.Spec) { s.Copy.Metadata.User = map[string]string{"a": long} }, "UserMetadata"},
		"encryption":             {"copy", func(s *job.Spec) { s.Copy.Metadata.SSEAlgorithm = "aws:kms" }, "SSEAlgorithm"},
		"key beside AES256":      {"copy", func(s *job.Spec) { s.Copy.Metadata.SSEAlgorithm = "AES256" }, "SSEAwsKmsKeyId"},
		"same tag twice":         {"tagging", func(s *job.Spec) { s.Tagging = append(s.Tagging, s.Tagging[0]) }, "same key"},
		"system tag":             {"tagging", func(s *job.Spec) { s.Tagging[0].Key = "aws:x" }, "ystem tags"},
		"no acl":                 {"acl", func(s *job.Spec) { s.ACL = nil }, "AccessControlPolicy"},
		"both acls":              {"acl", func(s *job.Spec) { s.ACL.Canned = "private" }, "not both"},
		"no owner":               {"acl", func(s *job.Spec) { s.ACL.Owner = "" }, "Owner"},
		"permission in acl":      {"acl", func(s *job.Spec) { s.ACL.Grants[0].Permission = "" }, "Permission"},
		"other canned acl":       {"canned acl", func(s *job.Spec) { s.ACL.Canned = "public" }, "CannedAccessControlList"},
		"hold":                   {"legal hold", func(s *job.Spec) { s.LegalHold = "" }, "LegalHold"},
		"no retention":           {"retention", func(s *job.Spec) { s.Retention = nil }, "Retention"},
		"retention, mode alone":  {"retention", func(s *job.Spec) { s.Retention.Until = nil }, "together"},
		"retention, other mode":  {"retention", func(s *job.Spec) { s.Retention.Mode = "x" }, "mode"},
	} {
		s := operations()[c.of]
		c.spoil(s)
		err := s.Validate()
		if fault.CodeOf(err) != "BadRequestException" || !strings.Contains(fault.MessageOf(err), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	s := operations()["copy"]
	s.Copy.Target = "arn:aws:s3express:us-west-2:111122223333:bucket/b--usw2-az1--x-s3"
	if err := s.Validate(); fault.KindOf(err) != fault.Unsupported {
		t.Errorf("directory bucket: %v", err)
	}
}

func TestCopyReplacesMetadata(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		copy job.Copy
		want bool
	}{
		"nothing said":        {job.Copy{}, false},
		"encryption alone":    {job.Copy{Metadata: &job.Metadata{SSEAlgorithm: "AES256"}}, false},
		"metadata":            {job.Copy{Metadata: &job.Metadata{ContentType: "x"}}, true},
		"replaced by nothing": {job.Copy{MetadataDirective: "REPLACE"}, true},
		"copied":              {job.Copy{MetadataDirective: "COPY", Metadata: &job.Metadata{SSEAlgorithm: "KMS"}}, false},
	} {
		if got := c.copy.Replaces(); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestCopyKey(t *testing.T) {
	t.Parallel()
	for prefix, want := range map[string]string{"": "a/k", "p": "p/a/k", "p/": "p/a/k", "p/q": "p/q/a/k"} {
		if got := (&job.Copy{KeyPrefix: prefix}).Key("a/k"); got != want {
			t.Errorf("%q: %q", prefix, got)
		}
	}
}
