package s3api_test

import (
	"fmt"
	"strings"
	"testing"
)

const (
	allUsers = "http://acs.amazonaws.com/groups/global/AllUsers"
	signers  = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
	loggers  = "http://acs.amazonaws.com/groups/s3/LogDelivery"
)

// listed makes a bucket of account source whose ACLs are on.
func (w *world) listed(name, ownership string, headers ...string) {
	w.t.Helper()
	w.call(200, "PUT", "/"+name, "", append(headers, "x-amz-object-ownership", ownership)...)
}

// canonical returns the canonical user id of a caller's account.
func (w *world) canonical(as int) string {
	w.t.Helper()
	return between(w.callAs(as, 200, "GET", "/", "").body, "<Owner><ID>", "</ID>")
}

// grantsOf returns the grants of an ACL, one word each: who=permission.
func (w *world) grantsOf(as int, target string) string {
	w.t.Helper()
	body := w.callAs(as, 200, "GET", target, "").body
	var out []string
	for _, g := range strings.Split(body, "<Grant>")[1:] {
		who := between(g, "<URI>", "</URI>")
		if who == "" {
			who = between(g, "<DisplayName>", "</DisplayName>")
		}
		out = append(out, who[strings.LastIndexByte(who, '/')+1:]+"="+between(g, "<Permission>", "</Permission>"))
	}
	return strings.Join(out, " ")
}

// aclDoc is an AccessControlPolicy.
func aclDoc(owner string, grants ...string) string {
	return `<AccessControlPolicy xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Owner><ID>` + owner + `</ID></Owner><AccessControlList>` +
		strings.Join(grants, "") + `</AccessControlList></AccessControlPolicy>`
}

func grantTo(kind, element, who, permission string) string {
	return `<Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="` + kind + `"><` + element + `>` + who + `</` + element +
		`></Grantee><Permission>` + permission + `</Permission></Grant>`
}

func TestCannedACLs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.listed("bkt", "ObjectWriter", "x-amz-acl", "public-read-write")
	w.callAs(dest, 200, "PUT", "/bkt/k", "")
	if got := w.grantsOf(source, "/bkt?acl"); got != "source=FULL_CONTROL AllUsers=READ AllUsers=WRITE" {
		t.Error(got)
	}
	for canned, want := range map[string][2]string{
		"private":                   {"source=FULL_CONTROL", "dest=FULL_CONTROL"},
		"public-read":               {"source=FULL_CONTROL AllUsers=READ", "dest=FULL_CONTROL AllUsers=READ"},
		"public-read-write":         {"source=FULL_CONTROL AllUsers=READ AllUsers=WRITE", "dest=FULL_CONTROL AllUsers=READ AllUsers=WRITE"},
		"authenticated-read":        {"source=FULL_CONTROL AuthenticatedUsers=READ", "dest=FULL_CONTROL AuthenticatedUsers=READ"},
		"aws-exec-read":             {"source=FULL_CONTROL za-team=READ", "dest=FULL_CONTROL za-team=READ"},
		"log-delivery-write":        {"source=FULL_CONTROL LogDelivery=WRITE LogDelivery=READ_ACP", "dest=FULL_CONTROL"},
		"bucket-owner-read":         {"source=FULL_CONTROL", "dest=FULL_CONTROL source=READ"},
		"bucket-owner-full-control": {"source=FULL_CONTROL", "dest=FULL_CONTROL source=FULL_CONTROL"},
	} {
		w.callAs(dest, 200, "PUT", "/bkt/k?acl", "", "x-amz-acl", canned)
		if got := w.grantsOf(dest, "/bkt/k?acl"); got != want[1] {
			t.Errorf("%s of an object: %s", canned, got)
		}
		w.call(200, "PUT", "/bkt/own", "", "x-amz-acl", canned)
		if got, want := w.grantsOf(source, "/bkt/own?acl"), strings.ReplaceAll(want[1], "dest=", "source="); !strings.HasPrefix(want, got) {
			t.Errorf("%s with a write: %s", canned, got)
		}
		w.call(200, "PUT", "/bkt?acl", "", "x-amz-acl", canned)
		if got := w.grantsOf(source, "/bkt?acl"); got != want[0] {
			t.Errorf("%s of a bucket: %s", canned, got)
		}
	}
}

func TestGrants(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	src, dst := w.canonical(source), w.canonical(dest)
	w.listed("bkt", "BucketOwnerPreferred", "x-amz-grant-write", `id="`+dst+`"`, "x-amz-grant-read", "uri="+loggers+`, id=`+src)
	if got := w.grantsOf(source, "/bkt?acl"); got != "LogDelivery=READ source=READ dest=WRITE" {
		t.Error(got)
	}
	w.call(200, "PUT", "/bkt/k", "", "x-amz-grant-full-control", "id="+dst)
	doc := aclDoc(src, grantTo("CanonicalUser", "ID", dst, "READ_ACP"), grantTo("Group", "URI", allUsers, "READ"))
	w.callAs(dest, 200, "PUT", "/bkt/k?acl", doc)
	if got := w.grantsOf(dest, "/bkt/k?acl"); got != "dest=READ_ACP AllUsers=READ" {
		t.Error(got)
	}
	// The owner can do without a grant.
	w.call(200, "PUT", "/bkt?acl", aclDoc(src))
	if got := w.grantsOf(source, "/bkt?acl"); got != "" {
		t.Error(got)
	}
	many := strings.Repeat(grantTo("CanonicalUser", "ID", dst, "READ"), 100)
	w.call(200, "PUT", "/bkt?acl", aclDoc(src, many))
	for _, c := range []struct{ code, message, body, header, value string }{
		{"MissingSecurityHeader", "Your request was missing a required header", "", "", ""},
		{"InvalidArgument", "", "", "x-amz-acl", "public"},
		{"UnexpectedContent", "This request does not support content", doc, "x-amz-acl", "private"},
		{"UnexpectedContent", "", doc, "x-amz-grant-read", "id=" + src},
		{"InvalidArgument", "Argument format not recognized", "", "x-amz-grant-read", src},
		{"InvalidArgument", "Argument format not recognized", "", "x-amz-grant-read", "name=x"},
		{"InvalidArgument", "Invalid id", "", "x-amz-grant-read", "id=111111111111"},
		{"InvalidArgument", "Invalid group uri", "", "x-amz-grant-read", "uri=http://x"},
		{"UnresolvableGrantByEmailAddress", "The e-mail address you provided does not match any account on record.", "", "x-amz-grant-read", "emailAddress=a@example.com"},
		{"UnresolvableGrantByEmailAddress", "", aclDoc(src, grantTo("AmazonCustomerByEmail", "EmailAddress", "a@example.com", "READ")), "", ""},
		{"MalformedACLError", "The XML you provided was not well-formed or did not validate against our published schema", "<x/>", "", ""},
		{"MalformedACLError", "", aclDoc(""), "", ""},
		{"MalformedACLError", "", "<AccessControlPolicy><Owner><ID>" + src + "</ID></Owner></AccessControlPolicy>", "", ""},
		{"MalformedACLError", "", aclDoc(src, grantTo("CanonicalUser", "ID", dst, "ALL")), "", ""},
		{"MalformedACLError", "", aclDoc(src, grantTo("CanonicalUser", "ID", "", "READ")), "", ""},
		{"MalformedACLError", "", aclDoc(src, grantTo("Somebody", "ID", dst, "READ")), "", ""},
		{"MalformedACLError", "", aclDoc(src, "<Grant><Permission>READ</Permission></Grant>"), "", ""},
		{"MalformedACLError", "", aclDoc(src, many, grantTo("CanonicalUser", "ID", dst, "READ")), "", ""},
		{"InvalidArgument", "Invalid id", aclDoc("nobody"), "", ""},
		{"InvalidArgument", "Invalid id", aclDoc(src, grantTo("CanonicalUser", "ID", "nobody", "READ")), "", ""},
		{"InvalidArgument", "Invalid group uri", aclDoc(src, grantTo("Group", "URI", "nobody", "READ")), "", ""},
	} {
		for _, target := range []string{"/bkt?acl", "/bkt/k?acl"} {
			var headers []string
			if c.header != "" {
				headers = []string{c.header, c.value}
			}
			if got := w.call(400, "PUT", target, c.body, headers...); got.code != c.code || !strings.Contains(got.body, c.message) {
				t.Errorf("%s %s %s: %s", target, c.body, c.value, got.body)
			}
		}
	}
	if got := w.call(403, "PUT", "/bkt?acl", aclDoc(dst)); got.code != "AccessDenied" {
		t.Error(got.body)
	}
	if got := w.call(400, "PUT", "/bkt/n", "", "x-amz-acl", "private", "x-amz-grant-read", "id="+src); got.code != "InvalidRequest" ||
		!strings.Contains(got.body, "Specifying both Canned ACLs and Header Grants is not allowed") {
		t.Error(got.body)
	}
}

// TestACLAccess checks what the lists let the other account, somebody who
// signs, and anybody do.
func TestACLAccess(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	src, dst := w.canonical(source), w.canonical(dest)
	w.listed("bkt", "ObjectWriter")
	w.call(200, "PUT", "/bkt/k", "x")
	for _, c := range []struct {
		header, value string // of the bucket's list
		onKey         bool   // of the object's
		can           string // what dest can do, and behind the slash what anybody can
	}{
		{"x-amz-acl", "private", false, "/"},
		{"x-amz-acl", "public-read", false, "list/list"},
		{"x-amz-acl", "public-read-write", false, "list put/list put"},
		{"x-amz-acl", "authenticated-read", false, "list/"},
		{"x-amz-grant-read", "id=" + dst, false, "list/"},
		{"x-amz-grant-write", "id=" + dst, false, "put/"},
		{"x-amz-grant-read-acp", "id=" + dst, false, "getacl/"},
		{"x-amz-grant-write-acp", "id=" + dst, false, "putacl/"},
		{"x-amz-grant-full-control", "id=" + dst, false, "list put getacl putacl/"},
		{"x-amz-grant-read", "uri=" + loggers, false, "/"},
		{"x-amz-acl", "private", true, "/"},
		{"x-amz-acl", "public-read", true, "get/get"},
		{"x-amz-acl", "public-read-write", true, "get/get"},
		{"x-amz-acl", "authenticated-read", true, "get/"},
		{"x-amz-grant-read", "id=" + dst, true, "get/"},
		{"x-amz-grant-write", "id=" + dst, true, "/"},
		{"x-amz-grant-read-acp", "id=" + dst, true, "getoacl/"},
		{"x-amz-grant-write-acp", "id=" + dst, true, "putoacl/"},
		{"x-amz-grant-full-control", "id=" + dst, true, "get getoacl putoacl/"},
	} {
		target, other := "/bkt?acl", "/bkt/k?acl"
		if c.onKey {
			target, other = other, target
		}
		w.call(200, "PUT", other, "", "x-amz-acl", "private")
		can := func(as int) string {
			var out []string
			for _, try := range []struct {
				name string
				request
			}{
				{"list", request{method: "GET", path: "/bkt", query: "list-type=2"}},
				{"put", request{method: "PUT", path: "/bkt/new", body: "x"}},
				{"getacl", request{method: "GET", path: "/bkt", query: "acl"}},
				{"putacl", request{method: "PUT", path: "/bkt", query: "acl", body: aclDoc(src, grantTo("CanonicalUser", "ID", dst, "FULL_CONTROL"))}},
				{"get", request{method: "GET", path: "/bkt/k"}},
				{"getoacl", request{method: "GET", path: "/bkt/k", query: "acl"}},
				{"putoacl", request{method: "PUT", path: "/bkt/k", query: "acl", body: aclDoc(src, grantTo("CanonicalUser", "ID", dst, "FULL_CONTROL"))}},
			} {
				w.call(200, "PUT", target, "", c.header, c.value)
				try.as = as
				switch got := w.do(try.request); {
				case got.status < 300:
					out = append(out, try.name)
				case got.code != "AccessDenied":
					t.Errorf("%s %s, %s: %s", c.header, c.value, try.name, got.body)
				}
			}
			return strings.Join(out, " ")
		}
		if got := can(dest) + "/" + can(nobody); got != c.can {
			t.Errorf("%s: %s of %s: %q, want %q", c.header, c.value, target, got, c.can)
		}
	}
	// A Deny wins, and where ACLs are off none counts.
	w.call(200, "PUT", "/bkt/k?acl", "", "x-amz-acl", "public-read")
	w.callAs(nobody, 200, "GET", "/bkt/k", "")
	w.call(204, "PUT", "/bkt?policy", `{"Statement":{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::bkt/*"}}`)
	w.callAs(nobody, 403, "GET", "/bkt/k", "")
	w.call(204, "DELETE", "/bkt?policy", "")
	w.call(200, "PUT", "/bkt?acl", "", "x-amz-acl", "private")
	w.call(200, "PUT", "/bkt?ownershipControls", "<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></OwnershipControls>")
	w.callAs(nobody, 403, "GET", "/bkt/k", "")
	if got := w.grantsOf(source, "/bkt/k?acl"); got != "source=FULL_CONTROL" {
		t.Error(got)
	}
}

// TestObjectsOfOthers: what an object's writer owns is not the bucket owner's
// to give or to read, but to deny and to delete.
func TestObjectsOfOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hire()
	w.listed("bkt", "ObjectWriter", "x-amz-acl", "public-read-write")
	w.callAs(dest, 200, "PUT", "/bkt/k", "x")
	w.call(403, "GET", "/bkt/k", "")
	w.call(403, "GET", "/bkt/k?acl", "")
	w.call(403, "PUT", "/bkt/c", "", "x-amz-copy-source", "/bkt/k")
	w.callAs(dest, 200, "GET", "/bkt/k", "")
	w.callAs(dest, 200, "PUT", "/bkt/c", "", "x-amz-copy-source", "/bkt/k")
	w.call(204, "PUT", "/bkt?policy", `{"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::bkt/*"},
		{"Effect":"Deny","Principal":{"AWS":"222222222222"},"Action":"s3:GetObjectTagging","Resource":"arn:aws:s3:::bkt/*"}]}`)
	w.call(403, "GET", "/bkt/k", "")
	w.callAs(nobody, 403, "GET", "/bkt/k", "")
	w.callAs(dest, 403, "GET", "/bkt/k?tagging", "")
	w.callAs(dest, 200, "PUT", "/bkt/k", "x", "x-amz-acl", "bucket-owner-full-control")
	w.call(200, "GET", "/bkt/k", "")
	w.call(200, "PUT", "/bkt/k?acl", "", "x-amz-acl", "bucket-owner-full-control")
	// An account is granted to; what its roles may is for its policies to say.
	w.grant(allowing("s3:ListBucket"))
	w.callAs(worker, 403, "GET", "/bkt/k", "")
	w.grant(allowing("s3:GetObject"))
	w.callAs(worker, 200, "GET", "/bkt/k", "")
	// To write with a list of its own takes the right to write lists.
	w.grant(allowing("s3:PutObject"))
	w.callAs(worker, 200, "PUT", "/bkt/w", "x")
	w.callAs(worker, 403, "PUT", "/bkt/w", "x", "x-amz-acl", "private")
	w.grant(allowing("s3:PutObject", "s3:PutObjectAcl"))
	w.callAs(worker, 200, "PUT", "/bkt/w", "x", "x-amz-acl", "private")
	w.call(204, "DELETE", "/bkt/k", "")
	// Who may list is told what is not there.
	if got := w.callAs(nobody, 404, "GET", "/bkt/k", ""); got.code != "NoSuchKey" {
		t.Error(got.body)
	}
	w.callAs(dest, 200, "PUT", "/bkt/k", "x")
	w.call(200, "PUT", "/bkt?acl", "", "x-amz-acl", "private")
	w.call(200, "PUT", "/bkt?ownershipControls", "<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></OwnershipControls>")
	w.call(200, "GET", "/bkt/k", "")
	if got := w.call(200, "GET", "/bkt?fetch-owner=true&list-type=2", "").body; !strings.Contains(got, "<DisplayName>source</DisplayName>") || strings.Contains(got, "<DisplayName>dest") {
		t.Error(got)
	}
}

func TestACLSettings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	enforced := "<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></OwnershipControls>"
	for _, headers := range [][]string{{}, {"x-amz-object-ownership", "BucketOwnerEnforced"}} {
		if got := w.call(400, "PUT", "/nope", "", append(headers, "x-amz-acl", "public-read")...); got.code != "InvalidBucketAclWithObjectOwnership" {
			t.Error(got.body)
		}
		w.call(200, "PUT", "/yes", "", append(headers, "x-amz-acl", "private")...)
	}
	for _, target := range []string{"/yes/k", "/yes/k?acl", "/yes?acl"} { // nobody said that there are none
		w.call(200, "PUT", target, "", "x-amz-acl", "private")
		w.call(400, "PUT", target, "", "x-amz-acl", "public-read")
	}
	w.listed("bkt", "ObjectWriter", "x-amz-acl", "public-read")
	w.call(200, "PUT", "/bkt", "") // of one's own bucket: its list begins anew
	if got := w.grantsOf(source, "/bkt?acl"); got != "source=FULL_CONTROL" {
		t.Error(got)
	}
	w.listed("bkt", "ObjectWriter", "x-amz-acl", "public-read")
	if got := w.call(400, "PUT", "/bkt?ownershipControls", enforced); got.code != "InvalidBucketAclWithObjectOwnership" {
		t.Error(got.body)
	}
	block := func(setting string) {
		t.Helper()
		w.call(200, "PUT", "/bkt?publicAccessBlock", fmt.Sprintf("<PublicAccessBlockConfiguration><%s>true</%s></PublicAccessBlockConfiguration>", setting, setting))
	}
	w.call(200, "PUT", "/bkt/k", "x", "x-amz-acl", "authenticated-read")
	w.callAs(dest, 200, "GET", "/bkt/k", "")
	w.callAs(nobody, 200, "GET", "/bkt", "")
	block("IgnorePublicAcls")
	w.callAs(dest, 403, "GET", "/bkt/k", "")
	w.callAs(nobody, 403, "GET", "/bkt", "")
	w.call(200, "PUT", "/bkt?acl", "", "x-amz-acl", "public-read")
	block("BlockPublicAcls")
	w.callAs(dest, 200, "GET", "/bkt/k", "")
	for _, canned := range []string{"public-read", "public-read-write", "authenticated-read"} {
		for _, target := range []string{"/bkt?acl", "/bkt/k?acl", "/bkt/n"} {
			if got := w.call(403, "PUT", target, "", "x-amz-acl", canned); !strings.Contains(got.body, "BlockPublicAcls") {
				t.Errorf("%s: %s", target, got.body)
			}
		}
	}
	w.call(403, "PUT", "/bkt/k?acl", "", "x-amz-grant-read", "uri="+signers)
	w.call(200, "PUT", "/bkt/k?acl", "", "x-amz-grant-read", "uri="+loggers)
	w.call(200, "PUT", "/bkt?acl", "", "x-amz-acl", "private")
	w.call(200, "PUT", "/bkt?ownershipControls", enforced)
	for _, target := range []string{"/bkt?acl", "/bkt/k?acl", "/bkt/n"} {
		if got := w.call(400, "PUT", target, "", "x-amz-acl", "private"); got.code != "AccessControlListNotSupported" {
			t.Errorf("%s: %s", target, got.body)
		}
		w.call(200, "PUT", target, "", "x-amz-acl", "bucket-owner-full-control")
	}
	w.call(200, "PUT", "/bkt/n", "", "x-amz-grant-full-control", "id="+w.canonical(source))
}

// TestAnonymousWriters: who is let in by a list that is open to all may give
// what is written a list of its own, unless a policy denies it.
func TestAnonymousWriters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.listed("bkt", "ObjectWriter", "x-amz-acl", "public-read-write")
	w.callAs(nobody, 200, "PUT", "/bkt/k", "x", "x-amz-acl", "public-read")
	if got := w.grantsOf(source, "/bkt/k?acl"); got != "source=FULL_CONTROL AllUsers=READ" {
		t.Error(got)
	}
	w.call(204, "PUT", "/bkt?policy", `{"Statement":{"Effect":"Deny","Principal":"*","Action":"s3:PutObjectAcl","Resource":"arn:aws:s3:::bkt/*"}}`)
	w.callAs(nobody, 200, "PUT", "/bkt/k", "x")
	w.callAs(nobody, 403, "PUT", "/bkt/k", "x", "x-amz-acl", "public-read")
	w.call(204, "DELETE", "/bkt?policy", "")
	w.call(200, "PUT", "/bkt?acl", "", "x-amz-acl", "public-read")
	w.callAs(nobody, 403, "PUT", "/bkt/k", "x", "x-amz-acl", "public-read")
}

// TestMadeAgain: making a bucket that is there sets its ACL, for who may do that
// to this bucket, and within its public access block.
func TestMadeAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call(200, "PUT", "/bkt", "", "x-amz-object-ownership", "ObjectWriter")
	made := func(status int, canned string) {
		t.Helper()
		w.call(status, "PUT", "/bkt", "", "x-amz-acl", canned, "x-amz-object-ownership", "ObjectWriter")
	}
	made(200, "public-read")
	if got := w.call(200, "GET", "/bkt?acl", "").body; !strings.Contains(got, "AllUsers") {
		t.Error(got)
	}
	made(200, "private")
	w.call(200, "PUT", "/bkt?publicAccessBlock", `<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls></PublicAccessBlockConfiguration>`)
	made(403, "public-read")
	made(200, "log-delivery-write")
	made(200, "private")
	w.call(204, "DELETE", "/bkt?publicAccessBlock", "")
	w.call(204, "PUT", "/bkt?policy", `{"Statement":{"Effect":"Deny","Principal":"*","Action":"s3:PutBucketAcl","Resource":"arn:aws:s3:::bkt"}}`)
	made(403, "public-read")
	made(200, "private")
	if got := w.call(200, "GET", "/bkt?acl", "").body; strings.Contains(got, "AllUsers") {
		t.Error(got)
	}
}
