package s3control_test

import (
	"net/http"
	"strings"
	"testing"
)

// Operations with all that they can be given, in the order in which they are
// described.
const (
	copied = `<S3PutObjectCopy><TargetResource>arn:aws:s3:::dst</TargetResource>
 <AccessControlGrants><member><Grantee><TypeIdentifier>id</TypeIdentifier><Identifier>c0</Identifier><DisplayName>n</DisplayName></Grantee><Permission>READ</Permission></member></AccessControlGrants>
 <MetadataDirective>REPLACE</MetadataDirective><ModifiedSinceConstraint>2024-01-01T00:00:00.000Z</ModifiedSinceConstraint>
 <NewObjectMetadata><CacheControl>a</CacheControl><ContentDisposition>b</ContentDisposition><ContentEncoding>c</ContentEncoding><ContentLanguage>d</ContentLanguage>
  <UserMetadata><entry><key>k</key><value>v &amp; w</value></entry><entry><key>l</key><value></value></entry></UserMetadata>
  <ContentType>e</ContentType><HttpExpiresDate>2030-01-01T00:00:00.000Z</HttpExpiresDate><SSEAlgorithm>KMS</SSEAlgorithm></NewObjectMetadata>
 <NewObjectTagging><member><Key>t</Key><Value>u</Value></member></NewObjectTagging>
 <RedirectLocation>/there</RedirectLocation><RequesterPays>true</RequesterPays><StorageClass>STANDARD_IA</StorageClass>
 <UnModifiedSinceConstraint>2029-01-01T00:00:00.000Z</UnModifiedSinceConstraint><SSEAwsKmsKeyId>alias/k</SSEAwsKmsKeyId><TargetKeyPrefix>p</TargetKeyPrefix>
 <ObjectLockLegalHoldStatus>ON</ObjectLockLegalHoldStatus><ObjectLockMode>GOVERNANCE</ObjectLockMode><ObjectLockRetainUntilDate>2031-01-01T00:00:00.000Z</ObjectLockRetainUntilDate>
 <BucketKeyEnabled>false</BucketKeyEnabled><ChecksumAlgorithm>SHA256</ChecksumAlgorithm></S3PutObjectCopy>`
	plainCopy = `<S3PutObjectCopy><TargetResource>arn:aws:s3:::dst</TargetResource><CannedAccessControlList>private</CannedAccessControlList><NewObjectTagging></NewObjectTagging></S3PutObjectCopy>`
	tagged    = `<S3PutObjectTagging><TagSet><member><Key>a</Key><Value>b</Value></member></TagSet></S3PutObjectTagging>`
	untagged  = `<S3DeleteObjectTagging></S3DeleteObjectTagging>`
	listedACL = `<S3PutObjectAcl><AccessControlPolicy><AccessControlList><Owner><ID>c0</ID><DisplayName>n</DisplayName></Owner>
 <Grants><member><Grantee><TypeIdentifier>uri</TypeIdentifier><Identifier>http://acs.amazonaws.com/groups/global/AllUsers</Identifier></Grantee><Permission>READ</Permission></member></Grants>
 </AccessControlList></AccessControlPolicy></S3PutObjectAcl>`
	cannedACL = `<S3PutObjectAcl><AccessControlPolicy><CannedAccessControlList>public-read</CannedAccessControlList></AccessControlPolicy></S3PutObjectAcl>`
	held      = `<S3PutObjectLegalHold><LegalHold><Status>ON</Status></LegalHold></S3PutObjectLegalHold>`
	retained  = `<S3PutObjectRetention><BypassGovernanceRetention>true</BypassGovernanceRetention><Retention><RetainUntilDate>2031-01-01T00:00:00.000Z</RetainUntilDate><Mode>COMPLIANCE</Mode></Retention></S3PutObjectRetention>`
	released  = `<S3PutObjectRetention><Retention></Retention></S3PutObjectRetention>`
)

func TestOperationsAreDescribedAsGiven(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{copied, plainCopy, tagged, untagged, listedACL, cannedACL, held, retained, released} {
		d := newDoor()
		d.create(t, strings.Replace(listed, "<S3ReplicateObject></S3ReplicateObject>", operation, 1))
		status, got := d.do(t, "GET", "/v20180820/jobs/job-0000", "")
		if want := "<Operation>" + flat(operation) + "</Operation>"; status != http.StatusOK || !strings.Contains(got, want) {
			t.Errorf("%s\nis not in\n%s", want, got)
		}
		name, _, _ := strings.Cut(operation[1:], ">")
		if _, got := d.do(t, "GET", "/v20180820/jobs", ""); !strings.Contains(got, "<Operation>"+name+"</Operation>") {
			t.Errorf("%s is not in\n%s", name, got)
		}
	}
}

func TestOperationsRefused(t *testing.T) {
	t.Parallel()
	const unknown = "<Colour/>"
	for name, c := range map[string]struct {
		operation, old, new string
		status              int
		code                string
	}{
		"no such operation":        {untagged, untagged, "<S3Paint/>", 400, "MalformedXML"},
		"functions":                {untagged, untagged, "<LambdaInvoke><FunctionArn>f</FunctionArn></LambdaInvoke>", 501, "NotImplemented"},
		"restore":                  {untagged, untagged, "<S3InitiateRestoreObject><ExpirationInDays>1</ExpirationInDays></S3InitiateRestoreObject>", 501, "NotImplemented"},
		"checksum":                 {untagged, untagged, "<S3ComputeObjectChecksum/>", 501, "NotImplemented"},
		"encryption":               {untagged, untagged, "<S3UpdateObjectEncryption/>", 501, "NotImplemented"},
		"twice":                    {untagged, untagged, untagged + untagged, 400, "BadRequestException"},
		"unknown in copy":          {copied, "<RequesterPays>", unknown + "<RequesterPays>", 400, "MalformedXML"},
		"unknown in metadata":      {copied, "<CacheControl>", unknown + "<CacheControl>", 400, "MalformedXML"},
		"unknown in user metadata": {copied, "<entry>", unknown + "<entry>", 400, "MalformedXML"},
		"unknown in entry":         {copied, "<key>", unknown + "<key>", 400, "MalformedXML"},
		"unknown in grant":         {copied, "<Permission>", unknown + "<Permission>", 400, "MalformedXML"},
		"unknown in grantee":       {copied, "<Identifier>", unknown + "<Identifier>", 400, "MalformedXML"},
		"unknown in tagging":       {tagged, "<TagSet>", unknown + "<TagSet>", 400, "MalformedXML"},
		"unknown in tag set":       {tagged, "<member>", unknown + "<member>", 400, "MalformedXML"},
		"unknown in tag":           {tagged, "<Key>", unknown + "<Key>", 400, "MalformedXML"},
		"unknown in no tags":       {untagged, "></", ">" + unknown + "</", 400, "MalformedXML"},
		"unknown in ACL":           {cannedACL, "<AccessControlPolicy>", unknown + "<AccessControlPolicy>", 400, "MalformedXML"},
		"unknown in policy":        {cannedACL, "<CannedAccessControlList>", unknown + "<CannedAccessControlList>", 400, "MalformedXML"},
		"unknown in list":          {listedACL, "<Owner>", unknown + "<Owner>", 400, "MalformedXML"},
		"unknown in owner":         {listedACL, "<ID>", unknown + "<ID>", 400, "MalformedXML"},
		"unknown in hold":          {held, "<Status>", unknown + "<Status>", 400, "MalformedXML"},
		"unknown beside hold":      {held, "<LegalHold>", unknown + "<LegalHold>", 400, "MalformedXML"},
		"unknown in retention":     {retained, "<Mode>", unknown + "<Mode>", 400, "MalformedXML"},
		"unknown beside retention": {retained, "<Retention>", unknown + "<Retention>", 400, "MalformedXML"},
		"empty prefix":             {copied, ">p<", "><", 400, "BadRequestException"},
		"empty cache control":      {copied, ">a<", "><", 400, "BadRequestException"},
		"time":                     {copied, "2031-01-01T00:00:00.000Z", "never", 400, "BadRequestException"},
		"entry without value":      {copied, "<value></value>", "", 400, "BadRequestException"},
		"entry twice":              {copied, "<key>l<", "<key>k<", 400, "BadRequestException"},
		"tag without value":        {tagged, "<Value>b</Value>", "", 400, "BadRequestException"},
		"deprecated":               {copied, "<CacheControl>", "<ContentMD5>x</ContentMD5><CacheControl>", 501, "NotImplemented"},
		"directory bucket":         {copied, "arn:aws:s3:::dst", "arn:aws:s3express:us-west-2:1:bucket/b--x-s3", 501, "NotImplemented"},
		"no target":                {copied, "<TargetResource>arn:aws:s3:::dst</TargetResource>", "", 400, "BadRequestException"},
		"no policy":                {cannedACL, cannedACL, "<S3PutObjectAcl/>", 400, "BadRequestException"},
		"no retention":             {released, "<Retention></Retention>", "", 400, "BadRequestException"},
		"half a retention":         {retained, "<Mode>COMPLIANCE</Mode>", "", 400, "BadRequestException"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDoor()
			operation := strings.Replace(c.operation, c.old, c.new, 1)
			if operation == c.operation {
				t.Fatal("nothing is replaced")
			}
			d.refused(t, "POST", "/v20180820/jobs", strings.Replace(listed, "<S3ReplicateObject></S3ReplicateObject>", operation, 1), c.status, c.code)
			if len(d.engine.jobs) != 0 {
				t.Error("a job was made")
			}
		})
	}
}
