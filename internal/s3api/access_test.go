package s3api_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"twinbucket/arn"
	"twinbucket/identity"
	"twinbucket/internal/iam"
	"twinbucket/internal/sigv4"
	"twinbucket/policy"
	"twinbucket/role"
)

// hire makes the role worker in account source, without rights, and a session
// of it.
func (w *world) hire() {
	w.t.Helper()
	ctx := context.Background()
	r, err := w.iam.CreateRole(ctx, role.Role{
		Identity: identity.Identity{Account: "111111111111", Name: "worker"},
		Trust:    []byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"sts:AssumeRole"}]}`),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	root := &iam.Caller{Principal: policy.Principal{Type: policy.RootUser, Account: "111111111111", ARN: arn.Root("111111111111"), UserID: "111111111111"}}
	s, err := w.iam.AssumeRole(ctx, root, iam.AssumeRole{RoleARN: r.ARN(), Name: "shift"})
	if err != nil {
		w.t.Fatal(err)
	}
	w.keys[worker] = sigv4.Credentials{AccessKey: s.AccessKey, Secret: s.Secret, Token: s.Token}
}

// grant sets the rights of the role worker.
func (w *world) grant(document string) {
	w.t.Helper()
	if err := w.iam.PutInline(context.Background(), identity.RoleKind, "111111111111", "worker", "p", []byte(document)); err != nil {
		w.t.Fatal(err)
	}
}

// allowing is a policy that allows actions on everything.
func allowing(actions ...string) string {
	a, err := json.Marshal(actions)
	if err != nil {
		panic(err)
	}
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":` + string(a) + `,"Resource":"*"}]}`
}

// TestActions checks for each operation that the actions listed, and nothing
// less, let it pass.
func TestActions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hire()
	w.versioned("bkt")
	w.versioned("dst")
	id := w.call(200, "PUT", "/bkt/k", "body", "x-amz-tagging", "a=1").header.Get("x-amz-version-id")
	upload := w.begin("mp")
	w.call(200, "PUT", "/bkt/mp?partNumber=1&uploadId="+upload, "x")
	w.grant(allowing("s3:None"))
	tagDoc := "<Tagging><TagSet></TagSet></Tagging>"
	replication := `<ReplicationConfiguration><Role>arn:aws:iam::111111111111:role/worker</Role><Rule><Status>Enabled</Status><Priority>1</Priority>` +
		`<Filter></Filter><DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication><Destination><Bucket>arn:aws:s3:::dst</Bucket></Destination></Rule></ReplicationConfiguration>`
	bucketPolicy := `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":{"AWS":"222222222222"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::bkt/*"}]}`
	until, hold := retention("GOVERNANCE", start.AddDate(1, 0, 0)), "<LegalHold><Status>ON</Status></LegalHold>"
	del := "<Delete><Object><Key>none</Key></Object></Delete>"
	for _, c := range []struct {
		actions string
		request
	}{
		{"ListAllMyBuckets", request{method: "GET", path: "/"}},
		{"CreateBucket", request{method: "PUT", path: "/fresh"}},
		{"CreateBucket TagResource", request{method: "PUT", path: "/tagged", body: "<CreateBucketConfiguration><Tags><Tag><Key>a</Key><Value>1</Value></Tag></Tags></CreateBucketConfiguration>"}},
		{"CreateBucket PutBucketObjectLockConfiguration PutBucketVersioning", request{method: "PUT", path: "/lock", header: map[string]string{"x-amz-bucket-object-lock-enabled": "true"}}},
		{"PutBucketObjectLockConfiguration", request{method: "PUT", path: "/lock", query: "object-lock", body: lockConfig(""), header: map[string]string{"Content-MD5": md5Of(lockConfig(""))}}},
		{"GetBucketObjectLockConfiguration", request{method: "GET", path: "/lock", query: "object-lock"}},
		{"PutObject", request{method: "PUT", path: "/lock/k"}},
		{"PutObjectRetention", request{method: "PUT", path: "/lock/k", query: "retention", body: until, header: map[string]string{"Content-MD5": md5Of(until)}}},
		{"GetObjectRetention", request{method: "GET", path: "/lock/k", query: "retention"}},
		{"PutObjectLegalHold", request{method: "PUT", path: "/lock/k", query: "legal-hold", body: hold, header: map[string]string{"Content-MD5": md5Of(hold)}}},
		{"GetObjectLegalHold", request{method: "GET", path: "/lock/k", query: "legal-hold"}},
		{"ListBucket", request{method: "HEAD", path: "/bkt"}},
		{"ListBucket", request{method: "GET", path: "/bkt"}},
		{"ListBucket", request{method: "GET", path: "/bkt", query: "list-type=2"}},
		{"ListBucketVersions", request{method: "GET", path: "/bkt", query: "versions"}},
		{"ListBucketMultipartUploads", request{method: "GET", path: "/bkt", query: "uploads"}},
		{"GetBucketLocation", request{method: "GET", path: "/bkt", query: "location"}},
		{"GetBucketVersioning", request{method: "GET", path: "/bkt", query: "versioning"}},
		{"PutBucketVersioning", request{method: "PUT", path: "/bkt", query: "versioning", body: enabled}},
		{"PutReplicationConfiguration iam:PassRole", request{method: "PUT", path: "/bkt", query: "replication", body: replication, header: map[string]string{"Content-MD5": md5Of(replication)}}},
		{"GetReplicationConfiguration", request{method: "GET", path: "/bkt", query: "replication"}},
		{"PutReplicationConfiguration", request{method: "DELETE", path: "/bkt", query: "replication"}},
		{"PutBucketPolicy", request{method: "PUT", path: "/bkt", query: "policy", body: bucketPolicy}},
		{"GetBucketPolicy", request{method: "GET", path: "/bkt", query: "policy"}},
		{"GetBucketPolicyStatus", request{method: "GET", path: "/bkt", query: "policyStatus"}},
		{"DeleteBucketPolicy", request{method: "DELETE", path: "/bkt", query: "policy"}},
		{"PutBucketTagging", request{method: "PUT", path: "/bkt", query: "tagging", body: tagDoc}},
		{"GetBucketTagging", request{method: "GET", path: "/bkt", query: "tagging"}},
		{"PutBucketTagging", request{method: "DELETE", path: "/bkt", query: "tagging"}},
		{"GetEncryptionConfiguration", request{method: "GET", path: "/bkt", query: "encryption"}},
		{"GetBucketOwnershipControls", request{method: "GET", path: "/bkt", query: "ownershipControls"}},
		{"PutBucketPublicAccessBlock", request{method: "PUT", path: "/bkt", query: "publicAccessBlock", body: "<PublicAccessBlockConfiguration/>"}},
		{"GetBucketPublicAccessBlock", request{method: "GET", path: "/bkt", query: "publicAccessBlock"}},
		{"GetBucketAcl", request{method: "GET", path: "/bkt", query: "acl"}},
		{"PutBucketAcl", request{method: "PUT", path: "/bkt", query: "acl", header: map[string]string{"x-amz-acl": "bucket-owner-full-control"}}},
		{"PutObjectAcl", request{method: "PUT", path: "/bkt/k", query: "acl", header: map[string]string{"x-amz-acl": "bucket-owner-full-control"}}},
		{"PutObjectVersionAcl", request{method: "PUT", path: "/bkt/k", query: "acl&versionId=" + id, header: map[string]string{"x-amz-acl": "bucket-owner-full-control"}}},
		{"CreateBucket PutBucketOwnershipControls PutBucketAcl", request{method: "PUT", path: "/open", header: map[string]string{"x-amz-acl": "public-read", "x-amz-object-ownership": "ObjectWriter"}}},
		{"PutBucketNotification", request{method: "PUT", path: "/bkt", query: "notification", body: "<NotificationConfiguration/>"}},
		{"GetBucketNotification", request{method: "GET", path: "/bkt", query: "notification"}},
		{"PutBucketLogging", request{method: "PUT", path: "/bkt", query: "logging", body: "<BucketLoggingStatus/>"}},
		{"GetBucketLogging", request{method: "GET", path: "/bkt", query: "logging"}},
		{"PutAccelerateConfiguration", request{method: "PUT", path: "/bkt", query: "accelerate", body: "<AccelerateConfiguration><Status>Enabled</Status></AccelerateConfiguration>"}},
		{"GetAccelerateConfiguration", request{method: "GET", path: "/bkt", query: "accelerate"}},
		{"PutBucketRequestPayment", request{method: "PUT", path: "/bkt", query: "requestPayment", body: "<RequestPaymentConfiguration><Payer>BucketOwner</Payer></RequestPaymentConfiguration>"}},
		{"GetBucketRequestPayment", request{method: "GET", path: "/bkt", query: "requestPayment"}},
		{"PutBucketCORS", request{method: "PUT", path: "/bkt", query: "cors", body: corsRules, header: map[string]string{"Content-MD5": md5Of(corsRules)}}},
		{"GetBucketCORS", request{method: "GET", path: "/bkt", query: "cors"}},
		{"PutBucketCORS", request{method: "DELETE", path: "/bkt", query: "cors"}},
		{"PutBucketWebsite", request{method: "PUT", path: "/bkt", query: "website", body: "<WebsiteConfiguration><IndexDocument><Suffix>i</Suffix></IndexDocument></WebsiteConfiguration>"}},
		{"GetBucketWebsite", request{method: "GET", path: "/bkt", query: "website"}},
		{"DeleteBucketWebsite", request{method: "DELETE", path: "/bkt", query: "website"}},
		{"PutInventoryConfiguration", request{method: "PUT", path: "/bkt", query: "inventory&id=i", body: inventory("i")}},
		{"GetInventoryConfiguration", request{method: "GET", path: "/bkt", query: "inventory&id=i"}},
		{"GetInventoryConfiguration", request{method: "GET", path: "/bkt", query: "inventory"}},
		{"PutInventoryConfiguration", request{method: "DELETE", path: "/bkt", query: "inventory&id=i"}},
		{"PutAnalyticsConfiguration", request{method: "PUT", path: "/bkt", query: "analytics&id=i", body: "<AnalyticsConfiguration><Id>i</Id><StorageClassAnalysis/></AnalyticsConfiguration>"}},
		{"GetAnalyticsConfiguration", request{method: "GET", path: "/bkt", query: "analytics&id=i"}},
		{"PutMetricsConfiguration", request{method: "PUT", path: "/bkt", query: "metrics&id=i", body: "<MetricsConfiguration><Id>i</Id></MetricsConfiguration>"}},
		{"GetMetricsConfiguration", request{method: "GET", path: "/bkt", query: "metrics"}},
		{"PutIntelligentTieringConfiguration", request{method: "PUT", path: "/bkt", query: "intelligent-tiering&id=i", body: "<IntelligentTieringConfiguration><Id>i</Id><Status>Enabled</Status><Tiering><Days>90</Days><AccessTier>ARCHIVE_ACCESS</AccessTier></Tiering></IntelligentTieringConfiguration>"}},
		{"GetIntelligentTieringConfiguration", request{method: "GET", path: "/bkt", query: "intelligent-tiering&id=i"}},
		{"PutLifecycleConfiguration", request{method: "PUT", path: "/bkt", query: "lifecycle", body: expiring}},
		{"GetLifecycleConfiguration", request{method: "GET", path: "/bkt", query: "lifecycle"}},
		{"PutLifecycleConfiguration", request{method: "DELETE", path: "/bkt", query: "lifecycle"}},
		{"GetObject", request{method: "GET", path: "/bkt/k"}},
		{"GetObject", request{method: "HEAD", path: "/bkt/k"}},
		{"GetObjectVersion", request{method: "GET", path: "/bkt/k", query: "versionId=" + id}},
		{"GetObjectAcl", request{method: "GET", path: "/bkt/k", query: "acl"}},
		{"GetObjectVersionAcl", request{method: "GET", path: "/bkt/k", query: "acl&versionId=" + id}},
		{"GetObject GetObjectAttributes", request{method: "GET", path: "/bkt/k", query: "attributes", header: map[string]string{"x-amz-object-attributes": "ETag"}}},
		{"GetObjectVersion GetObjectVersionAttributes", request{method: "GET", path: "/bkt/k", query: "attributes&versionId=" + id, header: map[string]string{"x-amz-object-attributes": "ETag"}}},
		{"GetObjectTagging", request{method: "GET", path: "/bkt/k", query: "tagging"}},
		{"GetObjectVersionTagging", request{method: "GET", path: "/bkt/k", query: "tagging&versionId=" + id}},
		{"PutObject", request{method: "PUT", path: "/bkt/new"}},
		{"PutObject PutObjectTagging", request{method: "PUT", path: "/bkt/new", header: map[string]string{"x-amz-tagging": "a=1"}}},
		{"GetObject GetObjectTagging PutObject PutObjectTagging", request{method: "PUT", path: "/dst/c", header: map[string]string{"x-amz-copy-source": "bkt/k"}}},
		{"GetObject PutObject", request{method: "PUT", path: "/dst/c", header: map[string]string{"x-amz-copy-source": "bkt/k", "x-amz-tagging-directive": "REPLACE"}}},
		{"GetObjectVersion GetObjectVersionTagging PutObject PutObjectTagging", request{method: "PUT", path: "/dst/c", header: map[string]string{"x-amz-copy-source": "bkt/k?versionId=" + id}}},
		{"PutObject", request{method: "POST", path: "/bkt/up", query: "uploads"}},
		{"PutObject", request{method: "PUT", path: "/bkt/mp", query: "partNumber=2&uploadId=" + upload, body: "x"}},
		{"GetObject PutObject", request{method: "PUT", path: "/bkt/mp", query: "partNumber=3&uploadId=" + upload, header: map[string]string{"x-amz-copy-source": "bkt/k"}}},
		{"ListMultipartUploadParts", request{method: "GET", path: "/bkt/mp", query: "uploadId=" + upload}},
		{"AbortMultipartUpload", request{method: "DELETE", path: "/bkt/mp", query: "uploadId=" + upload}},
		{"PutObjectTagging", request{method: "PUT", path: "/bkt/k", query: "tagging", body: tagDoc}},
		{"PutObjectVersionTagging", request{method: "PUT", path: "/bkt/k", query: "tagging&versionId=" + id, body: tagDoc}},
		{"DeleteObjectTagging", request{method: "DELETE", path: "/bkt/k", query: "tagging"}},
		{"DeleteObject", request{method: "POST", path: "/bkt", query: "delete", body: del, header: map[string]string{"Content-MD5": md5Of(del)}}},
		{"DeleteObject", request{method: "DELETE", path: "/bkt/k"}},
		{"DeleteObjectVersion", request{method: "DELETE", path: "/bkt/k", query: "versionId=" + id}},
		{"DeleteBucket", request{method: "DELETE", path: "/fresh"}},
	} {
		c.as = worker
		var actions []string
		for a := range strings.FieldsSeq(c.actions) {
			if !strings.Contains(a, ":") {
				a = "s3:" + a
			}
			actions = append(actions, a)
		}
		refused := func(got reply) bool {
			return got.status == 403 || strings.Contains(got.body, "<Code>AccessDenied</Code>")
		}
		for i := range actions {
			less := append(append([]string{"s3:None"}, actions[:i]...), actions[i+1:]...)
			w.grant(allowing(less...))
			if got := w.do(c.request); !refused(got) {
				t.Errorf("%s %s?%s passes without %s: %d %s", c.method, c.path, c.query, actions[i], got.status, got.body)
			}
		}
		w.grant(allowing(actions...))
		if got := w.do(c.request); got.status > 299 || refused(got) {
			t.Errorf("%s %s?%s with %s: %d %s", c.method, c.path, c.query, c.actions, got.status, got.body)
		}
	}
}

// TestConditionKeys checks what the door tells policies of a request.
func TestConditionKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hire()
	w.versioned("bkt")
	id := w.call(200, "PUT", "/bkt/k", "", "x-amz-tagging", "Team=red&x=y").header.Get("x-amz-version-id")
	upload := w.begin("n")
	for _, c := range []struct {
		condition string
		pass      request
		fail      request
	}{
		{`"StringEquals":{"s3:prefix":"a/"}`, request{method: "GET", path: "/bkt", query: "prefix=a/"}, request{method: "GET", path: "/bkt", query: "prefix=b/"}},
		{`"StringEquals":{"s3:delimiter":"/"}`, request{method: "GET", path: "/bkt", query: "list-type=2&delimiter=/"}, request{method: "GET", path: "/bkt", query: "list-type=2"}},
		{`"NumericLessThanEquals":{"s3:max-keys":"10"}`, request{method: "GET", path: "/bkt", query: "max-keys=10"}, request{method: "GET", path: "/bkt", query: "versions&max-keys=11"}},
		{`"StringEquals":{"s3:VersionId":"` + id + `"}`, request{method: "GET", path: "/bkt/k", query: "versionId=" + id}, request{method: "GET", path: "/bkt/k"}},
		{`"StringEquals":{"s3:ExistingObjectTag/team":"red"}`, request{method: "GET", path: "/bkt/k"}, request{method: "PUT", path: "/bkt/k"}},
		{
			`"StringEquals":{"s3:RequestObjectTag/Team":"blue"},"ForAllValues:StringEquals":{"s3:RequestObjectTagKeys":["Team","b"]}`,
			request{method: "PUT", path: "/bkt/n", header: map[string]string{"x-amz-tagging": "Team=blue&b=1"}},
			request{method: "PUT", path: "/bkt/n", header: map[string]string{"x-amz-tagging": "Team=blue&c=1"}},
		},
		{
			`"StringEquals":{"s3:x-amz-acl":"bucket-owner-full-control"}`,
			request{method: "PUT", path: "/bkt/n", header: map[string]string{"x-amz-acl": "bucket-owner-full-control"}},
			request{method: "PUT", path: "/bkt/n"},
		},
		{
			`"StringEquals":{"s3:x-amz-storage-class":"STANDARD_IA","s3:x-amz-server-side-encryption":"AES256"}`,
			request{method: "PUT", path: "/bkt/n", header: map[string]string{"x-amz-storage-class": "STANDARD_IA", "x-amz-server-side-encryption": "AES256"}},
			request{method: "PUT", path: "/bkt/n", header: map[string]string{"x-amz-storage-class": "STANDARD_IA"}},
		},
		{`"Bool":{"aws:SecureTransport":"false"}`, request{method: "GET", path: "/bkt/k"}, request{}},
		{`"Bool":{"aws:SecureTransport":"true"}`, request{}, request{method: "GET", path: "/bkt/k"}},
		{`"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}`, request{method: "GET", path: "/bkt/k"}, request{}},
		{`"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}`, request{}, request{method: "GET", path: "/bkt/k"}},
		{`"DateLessThan":{"aws:CurrentTime":"2026-01-03T00:00:00Z"}`, request{method: "GET", path: "/bkt/k"}, request{}},
		{`"DateLessThan":{"aws:CurrentTime":"2026-01-01T00:00:00Z"}`, request{}, request{method: "GET", path: "/bkt/k"}},
		{`"StringEquals":{"s3:authType":"REST-HEADER","s3:signatureversion":"AWS4-HMAC-SHA256","aws:RequestedRegion":"us-east-1","s3:ResourceAccount":"111111111111"}`, request{method: "GET", path: "/bkt/k"}, request{}},
		{`"StringEquals":{"s3:LocationConstraint":"eu-west-1"}`, request{method: "PUT", path: "/eubkt", body: "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>"}, request{method: "PUT", path: "/usbkt"}},
		{`"Bool":{"s3:ObjectCreationOperation":"true"}`, request{method: "PUT", path: "/bkt/n"}, request{method: "POST", path: "/bkt/n", query: "uploads"}},
		{`"Bool":{"s3:ObjectCreationOperation":"false"}`, request{method: "POST", path: "/bkt/n", query: "uploads"}, request{method: "PUT", path: "/bkt/n"}},
		{`"Bool":{"s3:ObjectCreationOperation":"false"}`, request{method: "PUT", path: "/bkt/n", query: "partNumber=1&uploadId=" + upload}, request{method: "POST", path: "/bkt/n", query: "uploadId=" + upload}},
		{
			`"StringLike":{"s3:x-amz-copy-source":"bkt/k*"}`,
			request{method: "PUT", path: "/bkt/n", header: map[string]string{"x-amz-copy-source": "/bkt/k"}},
			request{method: "PUT", path: "/bkt/n", header: map[string]string{"x-amz-copy-source": "/bkt/none"}},
		},
		{
			`"StringLike":{"s3:x-amz-copy-source":"bkt/k*"},"StringEqualsIfExists":{"s3:x-amz-metadata-directive":"COPY"}`,
			request{method: "PUT", path: "/bkt/n", header: map[string]string{"x-amz-copy-source": "bkt/%6b?versionId=" + id}},
			request{method: "PUT", path: "/bkt/n", header: map[string]string{"x-amz-copy-source": "bkt/k", "x-amz-metadata-directive": "REPLACE"}},
		},
		{
			`"Bool":{"s3:ObjectCreationOperation":"false"}`,
			request{},
			request{method: "PUT", path: "/bkt/n", header: map[string]string{"x-amz-copy-source": "/bkt/k"}},
		},
		{
			`"StringEquals":{"aws:RequestTag/team":"red"},"ForAllValues:StringEquals":{"aws:TagKeys":"Team"}`,
			request{method: "PUT", path: "/redbkt", body: "<CreateBucketConfiguration><Tags><Tag><Key>Team</Key><Value>red</Value></Tag></Tags></CreateBucketConfiguration>"},
			request{method: "PUT", path: "/otherbkt", body: "<CreateBucketConfiguration><Tags><Tag><Key>Team</Key><Value>red</Value></Tag><Tag><Key>x</Key><Value>y</Value></Tag></Tags></CreateBucketConfiguration>"},
		},
		{
			`"ForAllValues:StringEquals":{"s3:InventoryAccessibleOptionalFields":["Size","ETag"]}`,
			request{method: "PUT", path: "/bkt", query: "inventory&id=i", body: strings.Replace(inventory("i"), "<Schedule>", "<OptionalFields><Field>Size</Field></OptionalFields><Schedule>", 1)},
			request{method: "PUT", path: "/bkt", query: "inventory&id=i", body: strings.Replace(inventory("i"), "<Schedule>", "<OptionalFields><Field>ETag</Field><Field>ObjectOwner</Field></OptionalFields><Schedule>", 1)},
		},
		{`"DateGreaterThanEquals":{"aws:TokenIssueTime":"` + start.Format(time.RFC3339) + `"},"Bool":{"aws:MultiFactorAuthPresent":"false","aws:ViaAWSService":"false"},"Null":{"aws:CalledVia":"true","aws:MultiFactorAuthAge":"true"}`, request{method: "GET", path: "/bkt/k"}, request{}},
		{`"StringEquals":{"aws:UserAgent":"tests"}`, request{method: "GET", path: "/bkt/k", header: map[string]string{"User-Agent": "tests"}}, request{method: "GET", path: "/bkt/k"}},
		{`"StringLike":{"aws:Referer":"https://example.com/*"}`, request{method: "GET", path: "/bkt/k", header: map[string]string{"Referer": "https://example.com/a"}}, request{method: "GET", path: "/bkt/k"}},
	} {
		w.grant(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{` + c.condition + `}}]}`)
		for want, q := range map[int]request{200: c.pass, 403: c.fail} {
			if q.method == "" {
				continue
			}
			q.as = worker
			if got := w.do(q); got.status != want {
				t.Errorf("%s: %s %s?%s: %d, want %d %s", c.condition, q.method, q.path, q.query, got.status, want, got.body)
			}
		}
	}
}

// TestPassedFor: the condition keys of iam:PassRole say for which bucket a role
// is.
func TestPassedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hire()
	w.versioned("bkt")
	w.versioned("dst")
	replication := `<ReplicationConfiguration><Role>arn:aws:iam::111111111111:role/worker</Role><Rule><Status>Enabled</Status><Priority>1</Priority>` +
		`<Filter></Filter><DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication><Destination><Bucket>arn:aws:s3:::dst</Bucket></Destination></Rule></ReplicationConfiguration>`
	for bucket, status := range map[string]int{"bkt": 200, "other": 403} {
		w.grant(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"},{"Effect":"Allow","Action":"iam:PassRole","Resource":"*",` +
			`"Condition":{"StringEquals":{"iam:PassedToService":"s3.amazonaws.com"},"ArnEquals":{"iam:AssociatedResourceArn":"arn:aws:s3:::` + bucket + `"}}}]}`)
		w.callAs(worker, status, "PUT", "/bkt?replication", replication, "Content-MD5", md5Of(replication))
	}
}

// TestSignatureAge: the age of a presigned URL is a condition key, and that of
// other signatures is not.
func TestSignatureAge(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call(200, "PUT", "/bkt", "")
	w.call(200, "PUT", "/bkt/k", "x")
	w.call(204, "PUT", "/bkt?policy", `{"Statement":{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::bkt/*","Condition":{"NumericGreaterThan":{"s3:signatureAge":"600000"}}}}`)
	w.call(200, "GET", "/bkt/k", "")
	for age, status := range map[time.Duration]int{0: 200, 10 * time.Minute: 200, 10*time.Minute + time.Second: 403} {
		r := w.build(request{method: "GET", path: "/bkt/k"})
		signed, err := http.NewRequest("GET", sigv4.Presign(r, w.keys[source], "us-east-1", "s3", time.Hour, start.Add(-age)), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := w.send(signed); got.status != status {
			t.Errorf("%v: %d %s", age, got.status, got.body)
		}
	}
}

// TestNotFoundIsForThoseWhoMayList: others learn nothing of what is there.
func TestNotFoundIsForThoseWhoMayList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hire()
	w.versioned("bkt")
	w.grant(allowing("s3:GetObject", "s3:GetObjectVersion"))
	for _, target := range []string{"/bkt/none", "/bkt/none?versionId=" + strings.Repeat("0", 32)} {
		if got := w.callAs(worker, 403, "GET", target, ""); !strings.Contains(got.body, "s3:ListBucket") {
			t.Errorf("%s", got.body)
		}
	}
	w.callAs(worker, 403, "PUT", "/bkt/copy", "", "x-amz-copy-source", "/bkt/none")
	for _, actions := range [][]string{{"s3:GetObject", "s3:ListBucket"}, {"s3:ListBucket"}} {
		w.grant(allowing(actions...))
		w.callAs(worker, 404, "GET", "/bkt/none", "")
	}
	// The key is the prefix that the right to list is asked for.
	w.grant(`{"Statement":{"Effect":"Allow","Action":["s3:GetObject","s3:ListBucket","s3:PutObject"],"Resource":"*","Condition":{"StringLikeIfExists":{"s3:prefix":"public/*"}}}}`)
	for key, status := range map[string]int{"public/none": 404, "private/none": 403} {
		w.callAs(worker, status, "HEAD", "/bkt/"+key, "")
		w.callAs(worker, status, "GET", "/bkt/"+key, "")
		w.callAs(worker, status, "PUT", "/bkt/copy", "", "x-amz-copy-source", "/bkt/"+key)
	}
}

func TestPolicyDocument(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call(200, "PUT", "/bkt", "")
	w.call(200, "PUT", "/bkt/k", "body")
	statement := func(principal, more string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":` + principal + `,"Action":"s3:GetObject","Resource":"arn:aws:s3:::bkt/*"` + more + `}]}`
	}
	for _, c := range []struct{ doc, code string }{
		{"", "MissingRequestBodyError"},
		{"{", "MalformedPolicy"},
		{"<x/>", "MalformedPolicy"},
		{strings.ReplaceAll(statement(`"*"`, ""), "bkt", "other"), "MalformedPolicy"},
		{statement(`{"AWS":"333333333333"}`, ""), "MalformedPolicy"},
		{statement(`{"AWS":"arn:aws:iam::111111111111:role/none"}`, ""), "MalformedPolicy"},
		{statement(`"*"`, `,"Sid":"`+strings.Repeat("x", 20<<10)+`"`), "MalformedPolicy"},
	} {
		if got := w.call(400, "PUT", "/bkt?policy", c.doc); got.code != c.code {
			t.Errorf("%.80s: %s, want %s", c.doc, got.code, c.code)
		}
	}
	public := statement(`"*"`, "")
	w.call(204, "PUT", "/bkt?policy", public)
	if got := w.call(200, "GET", "/bkt?policy", ""); got.body != public || got.header.Get("Content-Type") != "application/json" {
		t.Errorf("policy %v %s", got.header, got.body)
	}
	if got := w.call(200, "GET", "/bkt?policyStatus", ""); !strings.Contains(got.body, "<IsPublic>true<") {
		t.Errorf("status %s", got.body)
	}
	for _, as := range []int{nobody, dest} {
		w.callAs(as, 200, "GET", "/bkt/k", "")
		w.callAs(as, 403, "GET", "/bkt", "")
		if got := w.callAs(as, 403, "PUT", "/bkt/k", "x"); !strings.Contains(got.body, "<Message>Access Denied</Message>") {
			t.Errorf("a stranger is told why: %s", got.body)
		}
	}
	w.callAs(nobody, 400, "GET", "/bkt/k?response-expires=0", "")
	w.callAs(nobody, 403, "GET", "/bkt?policy", "")
	w.callAs(dest, 403, "DELETE", "/bkt?policy", "")
	w.call(200, "PUT", "/bkt?publicAccessBlock", "<PublicAccessBlockConfiguration><RestrictPublicBuckets>TRUE</RestrictPublicBuckets><BlockPublicPolicy>true</BlockPublicPolicy></PublicAccessBlockConfiguration>")
	for _, as := range []int{nobody, dest} {
		w.callAs(as, 403, "GET", "/bkt/k", "")
	}
	w.call(200, "GET", "/bkt/k", "")
	w.call(403, "PUT", "/bkt?policy", public)
	w.call(204, "PUT", "/bkt?policy", statement(`{"AWS":"222222222222"}`, ""))
	w.callAs(dest, 200, "GET", "/bkt/k", "")
	w.callAs(nobody, 403, "GET", "/bkt/k", "")
	// Nobody else can, even if the policy lets everybody do everything.
	w.call(204, "DELETE", "/bkt?publicAccessBlock", "")
	open := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::bkt","arn:aws:s3:::bkt/*"]}]}`
	w.call(204, "PUT", "/bkt?policy", open)
	w.callAs(nobody, 200, "GET", "/bkt", "")
	for _, as := range []int{nobody, dest} {
		w.callAs(as, 405, "GET", "/bkt?policy", "")
		w.callAs(as, 405, "PUT", "/bkt?policy", open)
		w.callAs(as, 405, "DELETE", "/bkt?policy", "")
	}
	// Whatever the policy says, its owner's root user can change it.
	w.call(204, "PUT", "/bkt?policy", strings.ReplaceAll(strings.ReplaceAll(statement(`"*"`, ""), "Allow", "Deny"), `"s3:GetObject","Resource":"arn:aws:s3:::bkt/*"`, `"s3:*","Resource":["arn:aws:s3:::bkt","arn:aws:s3:::bkt/*"]`))
	w.call(403, "GET", "/bkt/k", "")
	w.call(403, "GET", "/bkt", "")
	w.call(200, "GET", "/bkt?policy", "")
	w.call(204, "DELETE", "/bkt?policy", "")
	w.call(204, "DELETE", "/bkt?policy", "")
	w.call(200, "GET", "/bkt/k", "")
}

// TestNotAnonymous: what an unsigned request may not do, though the policy lets
// everybody.
func TestNotAnonymous(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call(200, "PUT", "/open", "")
	w.call(200, "PUT", "/open/k", "body")
	w.call(204, "PUT", "/open?policy", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::open","arn:aws:s3:::open/*"]}}`)
	for _, c := range []struct {
		request
		message string
	}{
		{request{method: "PUT", path: "/another"}, "Anonymous users cannot invoke this API.  Please authenticate."},
		{request{method: "PUT", path: "/open", query: "acl", header: map[string]string{"x-amz-acl": "private"}}, "Anonymous users cannot invoke this API.  Please authenticate."},
		{request{method: "PUT", path: "/open/k", query: "acl", header: map[string]string{"x-amz-acl": "private"}}, "Anonymous users cannot invoke this API.  Please authenticate."},
		{request{method: "POST", path: "/open/k", query: "uploads"}, "Anonymous users cannot initiate multipart uploads.  Please authenticate."},
		{request{method: "PUT", path: "/open/c", header: map[string]string{"x-amz-copy-source": "open/k"}}, "Anonymous users cannot copy objects.  Please authenticate."},
		{request{method: "GET", path: "/open", query: "ownershipControls"}, "s3:GetBucketOwnershipControls does not support Anonymous requests!"},
		{request{method: "PUT", path: "/open", query: "ownershipControls"}, "s3:PutBucketOwnershipControls does not support Anonymous requests!"},
		{request{method: "DELETE", path: "/open", query: "ownershipControls"}, "s3:PutBucketOwnershipControls does not support Anonymous requests!"},
		{request{method: "GET", path: "/"}, "Access Denied"},
	} {
		c.as = nobody
		if got := w.do(c.request); got.status != 403 || !strings.Contains(got.body, "<Message>"+c.message+"</Message>") {
			t.Errorf("%s %s?%s: %d %s, want %q", c.method, c.path, c.query, got.status, got.body, c.message)
		}
	}
	chunks := map[string]string{"x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "x-amz-decoded-content-length": "0"}
	got := w.do(request{as: nobody, method: "PUT", path: "/open", query: "cors", header: chunks, body: "0\r\n\r\n"})
	if got.status != 400 || got.code != "InvalidRequest" {
		t.Errorf("a document in chunks: %d %s", got.status, got.body)
	}
}

// TestPoliciesAreBoundToWhoTheyName: a role that is made anew under the same
// name is another, and the policy shows who was meant.
func TestPoliciesAreBoundToWhoTheyName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hire()
	w.versioned("bkt")
	const text = `{ "Version": "2012-10-17", "Statement": [ { "Effect": "Allow", "Principal": { "AWS": [ "arn:aws:iam::111111111111:role/worker" ] },
		"Action": "s3:ListBucket", "Resource": "arn:aws:s3:::bkt", "Condition": { "ArnLike": { "aws:PrincipalArn": "arn:aws:iam::111111111111:role/worker" } } } ] }`
	w.call(204, "PUT", "/bkt?policy", text)
	if got := w.call(200, "GET", "/bkt?policy", "").body; got != text {
		t.Errorf("the policy is shown as %s", got)
	}
	w.callAs(worker, 200, "GET", "/bkt", "")

	if err := w.iam.DeleteRole(t.Context(), "111111111111", "worker"); err != nil {
		t.Fatal(err)
	}
	if got := w.call(200, "GET", "/bkt?policy", "").body; !strings.Contains(got, `"AWS": [ "AROA`) || !strings.Contains(got, `"aws:PrincipalArn": "arn:aws:iam::111111111111:role/worker"`) {
		t.Errorf("without the role it is shown as %s", got)
	}
	w.hire()
	w.callAs(worker, 403, "GET", "/bkt", "")
	w.call(204, "PUT", "/bkt?policy", text)
	w.callAs(worker, 200, "GET", "/bkt", "")
}
