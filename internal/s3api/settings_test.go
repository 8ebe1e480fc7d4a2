package s3api_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"twinbucket/bucket"
	"twinbucket/internal/s3api"
)

const ns = ` xmlns="http://s3.amazonaws.com/doc/2006-03-01/"`

func TestSettings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call(200, "PUT", "/bkt", "")
	const aes = `<ServerSideEncryptionConfiguration` + ns + `><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault><BucketKeyEnabled>false</BucketKeyEnabled></Rule></ServerSideEncryptionConfiguration>`
	const grants = "<AccessControlPolicy><Owner><ID>?</ID></Owner><AccessControlList></AccessControlList></AccessControlPolicy>"
	for _, c := range []struct{ sub, first, put, second string }{
		{"encryption", aes, strings.Replace(aes, "false", "true", 1), strings.Replace(aes, "false", "true", 1)},
		{"ownershipControls", `<OwnershipControls` + ns + `><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></OwnershipControls>`, `<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>`, `<OwnershipControls` + ns + `><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>`},
		{"notification", `<NotificationConfiguration` + ns + `></NotificationConfiguration>`, `<NotificationConfiguration/>`, `<NotificationConfiguration` + ns + `></NotificationConfiguration>`},
		{"logging", `<BucketLoggingStatus` + ns + `></BucketLoggingStatus>`, `<BucketLoggingStatus/>`, `<BucketLoggingStatus` + ns + `></BucketLoggingStatus>`},
		{"requestPayment", `<RequestPaymentConfiguration` + ns + `><Payer>BucketOwner</Payer></RequestPaymentConfiguration>`, `<RequestPaymentConfiguration><Payer>BucketOwner</Payer></RequestPaymentConfiguration>`, `<RequestPaymentConfiguration` + ns + `><Payer>BucketOwner</Payer></RequestPaymentConfiguration>`},
		{"versioning", `<VersioningConfiguration` + ns + `></VersioningConfiguration>`, enabled, `<VersioningConfiguration` + ns + `><Status>Enabled</Status></VersioningConfiguration>`},
	} {
		if got := w.call(200, "GET", "/bkt?"+c.sub, "").body; !strings.HasSuffix(got, c.first) {
			t.Errorf("%s: %s", c.sub, got)
		}
		w.call(200, "PUT", "/bkt?"+c.sub, c.put)
		if got := w.call(200, "GET", "/bkt?"+c.sub, "").body; !strings.HasSuffix(got, c.second) {
			t.Errorf("%s after PUT: %s", c.sub, got)
		}
	}
	for _, sub := range []string{"encryption", "ownershipControls", "publicAccessBlock", "lifecycle", "cors", "website", "tagging", "policy", "replication"} {
		w.call(204, "DELETE", "/bkt?"+sub, "")
	}
	if got := w.call(200, "GET", "/bkt?encryption", "").body; !strings.HasSuffix(got, aes) {
		t.Errorf("encryption after DELETE: %s", got)
	}
	w.call(200, "PUT", "/bkt/k", "")
	w.call(200, "PUT", "/bkt?ownershipControls", "<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></OwnershipControls>")
	acl := w.call(200, "GET", "/bkt?acl", "").body
	golden(t, "acl", acl)
	for _, target := range []string{"/bkt?acl", "/bkt/k?acl"} {
		w.call(400, "PUT", target, "", "x-amz-acl", "private")
		w.call(200, "PUT", target, "", "x-amz-acl", "bucket-owner-full-control")
		w.call(200, "PUT", target, acl)
		w.call(400, "PUT", target, strings.Replace(acl, "FULL_CONTROL", "READ", 1))
		w.call(400, "PUT", target, grants)
	}
}

func TestObjectWriterOwnsWhatItWrites(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call(200, "PUT", "/bkt", "", "x-amz-object-ownership", "BucketOwnerPreferred")
	w.call(204, "PUT", "/bkt?policy", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"222222222222"},"Action":"s3:*","Resource":["arn:aws:s3:::bkt","arn:aws:s3:::bkt/*"]}]}`)
	owner := func(as int, headers ...string) string {
		w.callAs(as, 200, "PUT", "/bkt/k", "", headers...)
		o, err := w.store.Head(t.Context(), "bkt", "k", "")
		if err != nil {
			t.Fatal(err)
		}
		return o.Owner
	}
	if got := owner(dest); got != "222222222222" {
		t.Errorf("preferred, no ACL: %s", got)
	}
	if got := owner(dest, "x-amz-acl", "bucket-owner-full-control"); got != "111111111111" {
		t.Errorf("preferred, with the ACL: %s", got)
	}
	w.call(204, "DELETE", "/bkt?ownershipControls", "")
	if got := owner(dest, "x-amz-acl", "bucket-owner-full-control"); got != "222222222222" {
		t.Errorf("none: %s", got)
	}
	if got := w.call(404, "GET", "/bkt?ownershipControls", ""); got.code != "OwnershipControlsNotFoundError" {
		t.Error(got.body)
	}
	w.call(200, "PUT", "/bkt?ownershipControls", "<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></OwnershipControls>")
	if got := owner(dest); got != "111111111111" {
		t.Errorf("enforced: %s", got)
	}
}

func TestDefaultOwnership(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *s3api.Config) { c.Ownership = bucket.ObjectWriter })
	w.call(200, "PUT", "/bkt", "", "x-amz-acl", "public-read")
	w.call(200, "PUT", "/named", "", "x-amz-object-ownership", "BucketOwnerEnforced")
	for name, want := range map[string]string{"bkt": "ObjectWriter", "named": "BucketOwnerEnforced"} {
		if got := w.call(200, "GET", "/"+name+"?ownershipControls", "").body; !strings.Contains(got, "<ObjectOwnership>"+want+"<") {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestCreateBucket(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	location := func(region string) string {
		return "<CreateBucketConfiguration" + ns + "><LocationConstraint>" + region + "</LocationConstraint></CreateBucketConfiguration>"
	}
	got := w.call(200, "PUT", "/bkt", "")
	if got.header.Get("Location") != "/bkt" {
		t.Errorf("location %q", got.header.Get("Location"))
	}
	w.call(200, "PUT", "/bkt", "") // us-east-1 tells its owner that all is well
	w.call(200, "PUT", "/europe", location("EU"))
	for _, c := range []struct{ bucket, region, location string }{
		{"bkt", "us-east-1", `<LocationConstraint` + ns + `></LocationConstraint>`},
		{"europe", "eu-west-1", `<LocationConstraint` + ns + `>eu-west-1</LocationConstraint>`},
	} {
		if got := w.call(200, "HEAD", "/"+c.bucket, ""); got.header.Get("x-amz-bucket-region") != c.region {
			t.Errorf("%s: region %v", c.bucket, got.header)
		}
		if got := w.call(200, "GET", "/"+c.bucket+"?location", ""); !strings.HasSuffix(got.body, c.location) {
			t.Errorf("%s: %s", c.bucket, got.body)
		}
	}
	if got := w.call(409, "PUT", "/europe", location("eu-west-1")); got.code != "BucketAlreadyOwnedByYou" || got.header.Get("Location") != "" {
		t.Errorf("again: %s %v", got.code, got.header)
	}
	if got := w.callAs(dest, 409, "PUT", "/bkt", ""); got.code != "BucketAlreadyExists" {
		t.Errorf("of another account: %s", got.code)
	}
	if got := w.callAs(dest, 403, "HEAD", "/bkt", ""); got.header.Get("x-amz-bucket-region") != "us-east-1" {
		t.Errorf("head of a foreign bucket: %v", got.header)
	}
	w.call(400, "PUT", "/here", location("no where"))
	w.call(204, "DELETE", "/europe", "")
	w.call(404, "HEAD", "/europe", "")
}

func TestReplication(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hire()
	w.call(200, "PUT", "/src", "")
	w.callAs(dest, 200, "PUT", "/dst", "")
	doc := func(role, more string) string {
		return `<ReplicationConfiguration` + ns + `><Role>` + role + `</Role><Rule><ID>r1</ID><Priority>0</Priority><Status>Enabled</Status><Filter><Prefix>in/</Prefix></Filter>` +
			`<DeleteMarkerReplication><Status>Enabled</Status></DeleteMarkerReplication><Destination><Bucket>arn:aws:s3:::dst</Bucket>` + more + `</Destination></Rule></ReplicationConfiguration>`
	}
	const role = "arn:aws:iam::111111111111:role/worker"
	refuse := func(status int, code, body string) {
		t.Helper()
		if got := w.call(status, "PUT", "/src?replication", body, "Content-MD5", md5Of(body)); got.code != code {
			t.Errorf("%s, want %s: %s", got.code, code, got.body)
		}
	}
	refuse(400, "InvalidRequest", doc(role, "")) // the source has no versioning
	w.call(200, "PUT", "/src?versioning", enabled)
	refuse(400, "InvalidRequest", doc(role, "")) // nor has the destination
	w.callAs(dest, 200, "PUT", "/dst?versioning", enabled)
	refuse(400, "MalformedXML", "<ReplicationConfiguration/>")
	refuse(400, "InvalidArgument", doc(role, "<Account>111111111111</Account>"))
	refuse(403, "AccessDenied", doc("arn:aws:iam::222222222222:role/worker", ""))
	good := doc(role, "<Account>222222222222</Account>")
	refuse(400, "MalformedXML", strings.Replace(good, "<Filter>", "<ExistingObjectReplication><Status>Disabled</Status></ExistingObjectReplication><Filter>", 1))
	if got := w.call(400, "PUT", "/src?replication", good); got.code != "InvalidRequest" || !strings.Contains(got.body, "Missing required header for this request: Content-MD5") {
		t.Errorf("no digest: %s", got.body)
	}
	if got := w.do(request{method: "PUT", path: "/src", query: "replication", body: good, header: map[string]string{"Content-MD5": md5Of("x")}}); got.code != "BadDigest" {
		t.Errorf("wrong MD5: %s", got.code)
	}
	w.call(200, "PUT", "/src?replication", good, "x-amz-checksum-crc64nvme", crc64(good))
	got := w.call(200, "GET", "/src?replication", "")
	if strings.Count(got.body, "<ID>r1</ID>") != 1 || !strings.Contains(got.body, "<Priority>0</Priority>") || got.header.Get("Content-Type") != "application/xml" {
		t.Errorf("configuration %s", got.body)
	}
	w.call(200, "PUT", "/src/in/k", "")
	w.call(200, "PUT", "/src/out", "")
	if h := w.call(200, "HEAD", "/src/in/k", "").header; h.Get("x-amz-replication-status") != "PENDING" {
		t.Errorf("status %v", h)
	}
	if h := w.call(200, "HEAD", "/src/out", "").header; h.Get("x-amz-replication-status") != "" {
		t.Errorf("status of what no rule selects %v", h)
	}
	suspended := strings.ReplaceAll(enabled, "Enabled", "Suspended")
	if got := w.call(409, "PUT", "/src?versioning", suspended); got.code != "InvalidBucketState" {
		t.Errorf("suspend: %s", got.code)
	}
	w.call(204, "DELETE", "/src?replication", "")
	w.call(204, "DELETE", "/src?replication", "")
	if got := w.call(404, "GET", "/src?replication", ""); got.code != "ReplicationConfigurationNotFoundError" {
		t.Errorf("after delete: %s", got.code)
	}
	w.call(200, "PUT", "/src?versioning", suspended)
	b, err := w.store.Bucket("src")
	if err != nil || b.Versioning != bucket.Suspended {
		t.Errorf("%v, %v", b, err)
	}
}

// TestTooLarge: a client that sends all of a document before it looks for an
// answer sees that it is too large.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call(200, "PUT", "/src", "")
	body := "<ReplicationConfiguration>" + strings.Repeat(" ", 2<<20) + "</ReplicationConfiguration>"
	r := w.build(request{method: "PUT", path: "/src", query: "replication", body: body, header: map[string]string{"Content-MD5": md5Of(body)}})
	w.sign(r, source)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", r.URL.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := r.Write(conn); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if got, err := io.ReadAll(res.Body); err != nil || res.StatusCode != 400 || !strings.Contains(string(got), "<MaxMessageLengthBytes>2097152<") {
		t.Errorf("%d %s, %v", res.StatusCode, got, err)
	}
}
