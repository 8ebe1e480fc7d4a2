package client

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"twinbucket/acl"
	"twinbucket/fault"
	"twinbucket/object"
)

const grantedXML = `<AccessControlPolicy` + s3ns + `><Owner><ID>o</ID><DisplayName>n</DisplayName></Owner><AccessControlList>` +
	`<Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"><ID>o</ID></Grantee><Permission>FULL_CONTROL</Permission></Grant>` +
	`<Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="Group"><URI>` + acl.AllUsers + `</URI></Grantee><Permission>READ</Permission></Grant>` +
	`</AccessControlList></AccessControlPolicy>`

func TestAccessLists(t *testing.T) {
	t.Parallel()
	list := acl.List{{ID: "o", Permission: acl.FullControl}, {Group: acl.AllUsers, Permission: acl.Read}}
	c := serve(
		t,
		exchange{request: "GET /b?acl=", answer: grantedXML},
		exchange{request: "GET /b/k?versionId=v&acl=", answer: grantedXML},
		exchange{request: "GET /b/k?acl=", status: 403, answer: "<Error><Code>AccessDenied</Code><Message>m</Message></Error>"},
		exchange{request: "PUT /b/k?versionId=v&acl=", body: `<AccessControlPolicy` + s3ns + `><Owner><ID>o</ID></Owner><AccessControlList>` +
			`<Grant><Grantee xmlns:_XMLSchema-instance="http://www.w3.org/2001/XMLSchema-instance" _XMLSchema-instance:type="CanonicalUser"><ID>o</ID></Grantee><Permission>FULL_CONTROL</Permission></Grant>` +
			`<Grant><Grantee xmlns:_XMLSchema-instance="http://www.w3.org/2001/XMLSchema-instance" _XMLSchema-instance:type="Group"><URI>` + acl.AllUsers + `</URI></Grantee><Permission>READ</Permission></Grant>` +
			`</AccessControlList></AccessControlPolicy>`},
	)
	owner, got, err := c.GetBucketACL(t.Context(), "b")
	if owner != "o" || cmp.Diff(list, got) != "" || err != nil {
		t.Error(owner, got, err)
	}
	owner, got, err = c.GetObjectACL(t.Context(), "b", "k", "v")
	if owner != "o" || cmp.Diff(list, got) != "" || err != nil {
		t.Error(owner, got, err)
	}
	if _, _, err = c.GetObjectACL(t.Context(), "b", "k", ""); fault.KindOf(err) != fault.Denied {
		t.Error(err)
	}
	if err := c.PutObjectACL(t.Context(), "b", "k", "v", "o", list); err != nil {
		t.Error(err)
	}
}

func TestLocks(t *testing.T) {
	t.Parallel()
	const none = "<Error><Code>NoSuchObjectLockConfiguration</Code><Message>m</Message></Error>"
	c := serve(
		t,
		exchange{request: "GET /b/k?versionId=v&retention=", answer: "<Retention" + s3ns + "><Mode>GOVERNANCE</Mode><RetainUntilDate>2030-01-02T03:04:05.000Z</RetainUntilDate></Retention>"},
		exchange{request: "GET /b/k?versionId=v&retention=", status: 404, answer: none},
		exchange{request: "GET /b/k?versionId=v&retention=", status: 404, answer: "<Error><Code>NoSuchVersion</Code><Message>m</Message></Error>"},
		exchange{request: "GET /b/k?versionId=v&legal-hold=", answer: "<LegalHold" + s3ns + "><Status>ON</Status></LegalHold>"},
		exchange{request: "GET /b/k?versionId=v&legal-hold=", answer: "<LegalHold><Status>OFF</Status></LegalHold>"},
		exchange{request: "GET /b/k?versionId=v&legal-hold=", status: 404, answer: none},
		exchange{request: "PUT /b/k?versionId=v&legal-hold=", body: "<LegalHold><Status>ON</Status></LegalHold>"},
		exchange{request: "PUT /b/k?versionId=v&legal-hold=", body: "<LegalHold><Status>OFF</Status></LegalHold>"},
	)
	ctx := t.Context()
	want := object.Lock{Mode: object.Governance, Until: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)}
	for _, w := range []object.Lock{want, {}} {
		if got, err := c.GetObjectRetention(ctx, "b", "k", "v"); got != w || err != nil {
			t.Error(got, err)
		}
	}
	if _, err := c.GetObjectRetention(ctx, "b", "k", "v"); fault.CodeOf(err) != "NoSuchVersion" {
		t.Error(err)
	}
	for _, w := range []object.Lock{{Hold: true}, {Released: true}, {}} {
		if got, err := c.GetObjectLegalHold(ctx, "b", "k", "v"); got != w || err != nil {
			t.Error(got, err)
		}
	}
	for _, on := range []bool{true, false} {
		if err := c.PutObjectLegalHold(ctx, "b", "k", "v", on); err != nil {
			t.Error(err)
		}
	}
}

func TestAttributes(t *testing.T) {
	t.Parallel()
	page := func(more, next, parts string) string {
		return "<GetObjectAttributesResponse" + s3ns + "><ObjectParts><PartsCount>2</PartsCount><IsTruncated>" + more + "</IsTruncated><NextPartNumberMarker>" + next + "</NextPartNumberMarker>" + parts + "</ObjectParts></GetObjectAttributesResponse>"
	}
	asked := func(after string) map[string]string {
		return map[string]string{"X-Amz-Object-Attributes": "ObjectParts", "X-Amz-Part-Number-Marker": after}
	}
	c := serve(
		t,
		exchange{request: "GET /b/k?versionId=v&attributes=", header: asked("0"), answer: page("true", "1", "<Part><PartNumber>1</PartNumber><Size>5</Size></Part>")},
		exchange{request: "GET /b/k?versionId=v&attributes=", header: asked("1"), answer: page("false", "2", "<Part><PartNumber>2</PartNumber><Size>1</Size></Part>")},
		exchange{request: "GET /b/k?versionId=v&attributes=", header: asked("0"), answer: page("true", "0", "")},
	)
	got, err := c.GetObjectAttributes(t.Context(), "b", "k", "v")
	if err != nil || cmp.Diff(&Attributes{2, []object.Part{{Number: 1, Size: 5}, {Number: 2, Size: 1}}}, got) != "" {
		t.Error(got, err)
	}
	if _, err := c.GetObjectAttributes(t.Context(), "b", "k", "v"); fault.KindOf(err) != fault.Damaged {
		t.Errorf("a listing that does not go on: %v", err)
	}
}

func TestEncryptionIsTold(t *testing.T) {
	t.Parallel()
	c := serve(t, exchange{request: "HEAD /b/k?versionId=v", extra: map[string]string{
		"X-Amz-Server-Side-Encryption": "aws:kms", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": "arn", "X-Amz-Server-Side-Encryption-Bucket-Key-Enabled": "true",
		"X-Amz-Object-Lock-Legal-Hold": "OFF",
	}})
	v, err := c.HeadObject(t.Context(), "b", "k", "v")
	if err != nil || v.Encryption != (object.Encryption{Algorithm: object.KMS, KeyARN: "arn", BucketKey: true}) || !v.Lock.Released {
		t.Errorf("%+v, %v", v, err)
	}
}
