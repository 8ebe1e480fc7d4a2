package client

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"twinbucket/fault"
	"twinbucket/job"
	"twinbucket/object"
)

// TestParseOperation reads the documents that aws s3control create-job takes.
func TestParseOperation(t *testing.T) {
	t.Parallel()
	at := time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
	for document, want := range map[string]job.Spec{
		`{"S3ReplicateObject":{}}`:     {Operation: job.ReplicateObject},
		`{"S3DeleteObjectTagging":{}}`: {Operation: job.DeleteObjectTagging},
		`{"S3PutObjectTagging":{"TagSet":[{"Key":"a","Value":"1 < 2"},{"Key":"b","Value":""}]}}`: {
			Operation: job.PutObjectTagging, Parameters: job.Parameters{Tagging: []object.Tag{{Key: "a", Value: "1 < 2"}, {Key: "b"}}},
		},
		`{"S3PutObjectTagging":{"TagSet":[]}}`:                   {Operation: job.PutObjectTagging, Parameters: job.Parameters{Tagging: []object.Tag{}}},
		`{"S3PutObjectLegalHold":{"LegalHold":{"Status":"ON"}}}`: {Operation: job.PutObjectLegalHold, Parameters: job.Parameters{LegalHold: "ON"}},
		`{"S3PutObjectRetention":{"BypassGovernanceRetention":true,"Retention":{"RetainUntilDate":"2027-01-02T03:04:05Z","Mode":"GOVERNANCE"}}}`: {
			Operation: job.PutObjectRetention, Parameters: job.Parameters{Retention: &job.Retention{Mode: "GOVERNANCE", Until: &at, Bypass: ptr(true)}},
		},
		`{"S3PutObjectAcl":{"AccessControlPolicy":{"AccessControlList":{"Owner":{"ID":"o"},"Grants":[{"Grantee":{"TypeIdentifier":"id","Identifier":"g"},"Permission":"READ"}]}}}}`: {
			Operation: job.PutObjectACL, Parameters: job.Parameters{ACL: &job.ACL{Owner: "o", Grants: []job.Grant{{Type: "id", Identifier: "g", Permission: "READ"}}}},
		},
		`{"S3PutObjectCopy":{"TargetResource":"arn:aws:s3:::dst","TargetKeyPrefix":"p","StorageClass":"STANDARD_IA","BucketKeyEnabled":false,
		  "NewObjectTagging":[{"Key":"a","Value":"b"}],"NewObjectMetadata":{"ContentType":"text/plain","UserMetadata":{"m":"1","entry":"2"}}}}`: {
			Operation: job.PutObjectCopy, Parameters: job.Parameters{Copy: &job.Copy{
				Target: "arn:aws:s3:::dst", KeyPrefix: "p", StorageClass: "STANDARD_IA", BucketKeyEnabled: ptr(false),
				Tagging: []object.Tag{{Key: "a", Value: "b"}}, Metadata: &job.Metadata{ContentType: "text/plain", User: map[string]string{"m": "1", "entry": "2"}},
			}},
		},
	} {
		var got job.Spec
		if err := ParseOperation([]byte(document), &got); err != nil {
			t.Errorf("%s: %v", document, err)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s\n%s", document, diff)
		}
	}
	for document, want := range map[string]string{
		`S3ReplicateObject`: "no JSON",
		`[]`:                "no JSON",
		`{}`:                "exactly one",
		`{"S3ReplicateObject":{},"S3DeleteObjectTagging":{}}`:                                              "exactly one",
		`{"S3ReplicateObject":{}} {}`:                                                                      "exactly one",
		`{"S3ReplicateObject":{"Fast":true}}`:                                                              "S3ReplicateObject/Fast is not known",
		`{"S3PutObjectTagging":{"TagSet":[{"Key":"a","Value":"b","Note":"c"}]}}`:                           "S3PutObjectTagging/TagSet/member/Note is not known",
		`{"S3PutObjectCopy":{"TargetResource":"arn:aws:s3:::dst","StorageClass":""}}`:                      "S3PutObjectCopy/StorageClass is not known, or empty",
		`{"S3PutObjectRetention":{"Retention":{"RetainUntilDate":"soon","Mode":"GOVERNANCE"}}}`:            "cannot be read",
		`{"S3PutObjectLegalHold":{"LegalHold":"ON"}}`:                                                      "is not known",
		`{"S3ReplicateObject/></Operation>text<Operation":{}}`:                                             "is not known",
		`{"S3ReplicateObject a='b'":{}}`:                                                                   "is not known",
		`{"":{}}`:                                                                                          "is not known",
		`{"S3PutObjectTagging":{"TagSet":[{"/></member></TagSet></S3PutObjectTagging></Operation>":""}]}}`: "is not known",
		`{"S3PutObjectCopy":{"NewObjectMetadata":{"UserMetadata":{"m":{"a><b":"c"}}}}}`:                    "is not known",
	} {
		var got job.Spec
		if err := ParseOperation([]byte(document), &got); !errors.Is(err, fault.Invalid) || !strings.Contains(err.Error(), want) || fault.HintOf(err) == "" {
			t.Errorf("%s: %v, want %s", document, err, want)
		}
	}
}
