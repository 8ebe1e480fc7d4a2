package client

import (
	"encoding/xml"
	"strings"
	"testing"
	"time"

	"twinbucket/job"
	"twinbucket/object"
)

// operated are the operations with all that they can be given.
func operated() []job.Spec {
	at := time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC)
	grants := []job.Grant{{Type: "id", Identifier: "c0", DisplayName: "n", Permission: "READ"}}
	return []job.Spec{
		{Operation: job.PutObjectCopy, Parameters: job.Parameters{Copy: &job.Copy{
			Target: "arn:aws:s3:::dst", KeyPrefix: "p", StorageClass: "GLACIER_IR", MetadataDirective: "REPLACE",
			Metadata: &job.Metadata{
				CacheControl: "a", ContentDisposition: "b", ContentEncoding: "c", ContentLanguage: "d", ContentType: "e",
				Expires: &at, User: map[string]string{"k": "v", "l": ""}, SSEAlgorithm: "KMS",
			},
			Tagging: []object.Tag{{Key: "t", Value: "u"}}, Grants: grants, ModifiedSince: &at, UnmodifiedSince: &at,
			KMSKeyID: "alias/k", BucketKeyEnabled: ptr(false), ChecksumAlgorithm: "CRC64NVME", LegalHold: "OFF",
			LockMode: "COMPLIANCE", RetainUntil: &at, RedirectLocation: "/x", RequesterPays: ptr(true),
		}}},
		{Operation: job.PutObjectCopy, Parameters: job.Parameters{Copy: &job.Copy{Target: "arn:aws:s3:::dst", CannedACL: "private", Tagging: []object.Tag{}}}},
		{Operation: job.PutObjectTagging, Parameters: job.Parameters{Tagging: []object.Tag{{Key: "t", Value: "u"}}}},
		{Operation: job.DeleteObjectTagging},
		{Operation: job.PutObjectACL, Parameters: job.Parameters{ACL: &job.ACL{Owner: "c0", OwnerName: "n", Grants: grants}}},
		{Operation: job.PutObjectACL, Parameters: job.Parameters{ACL: &job.ACL{Canned: "private"}}},
		{Operation: job.PutObjectLegalHold, Parameters: job.Parameters{LegalHold: "ON"}},
		{Operation: job.PutObjectRetention, Parameters: job.Parameters{Retention: &job.Retention{Mode: "GOVERNANCE", Until: &at, Bypass: ptr(true)}}},
		{Operation: job.PutObjectRetention, Parameters: job.Parameters{Retention: &job.Retention{}}},
		{Operation: "LambdaInvoke"},
	}
}

func TestOperationXML(t *testing.T) {
	t.Parallel()
	for i, want := range map[int]string{
		1: `<S3PutObjectCopy><TargetResource>arn:aws:s3:::dst</TargetResource><CannedAccessControlList>private</CannedAccessControlList><NewObjectTagging></NewObjectTagging></S3PutObjectCopy>`,
		2: `<S3PutObjectTagging><TagSet><member><Key>t</Key><Value>u</Value></member></TagSet></S3PutObjectTagging>`,
		3: `<S3DeleteObjectTagging></S3DeleteObjectTagging>`,
		4: `<S3PutObjectAcl><AccessControlPolicy><AccessControlList><Owner><ID>c0</ID><DisplayName>n</DisplayName></Owner><Grants><member><Grantee><TypeIdentifier>id</TypeIdentifier><Identifier>c0</Identifier><DisplayName>n</DisplayName></Grantee><Permission>READ</Permission></member></Grants></AccessControlList></AccessControlPolicy></S3PutObjectAcl>`,
		6: `<S3PutObjectLegalHold><LegalHold><Status>ON</Status></LegalHold></S3PutObjectLegalHold>`,
		7: `<S3PutObjectRetention><BypassGovernanceRetention>true</BypassGovernanceRetention><Retention><RetainUntilDate>2031-01-01T00:00:00Z</RetainUntilDate><Mode>GOVERNANCE</Mode></Retention></S3PutObjectRetention>`,
	} {
		spec := listed
		spec.Operation, spec.Parameters = operated()[i].Operation, operated()[i].Parameters
		data, err := xml.Marshal(jobRequestOf(&spec))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(data), "<Operation>"+want+"</Operation>") {
			t.Errorf("no %s in\n%s", want, data)
		}
	}
}
