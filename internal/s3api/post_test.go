package s3api_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"twinbucket/internal/sigv4"
)

// upload is an HTML form to be sent: fields are name, value, name, value. It
// is signed by as; conditions are those of its policy, beside one for each
// field that covered has.
type upload struct {
	as         int
	version2   bool
	bucket     string // "bkt"
	fields     []string
	conditions []any    // nil: one for each field
	expires    string   // "2026-01-02T04:04:05Z"
	policy     string   // instead of a document made of the above
	skip       []string // fields that are not sent
	file       string
	filename   string // "-": none
	after      []string
	header     map[string]string
	host       string
}

const boundary = "9431149156168"

// send sends the form.
func (u upload) send(w *world) reply {
	w.t.Helper()
	if u.bucket == "" {
		u.bucket = "bkt"
	}
	fields := slices.Clone(u.fields)
	if u.as != nobody {
		fields = u.sign(w, fields)
	}
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	check := func(err error) {
		if err != nil {
			w.t.Fatal(err)
		}
	}
	check(m.SetBoundary(boundary))
	write := func(fields []string) {
		for i := 0; i < len(fields); i += 2 {
			if !slices.Contains(u.skip, fields[i]) {
				check(m.WriteField(fields[i], fields[i+1]))
			}
		}
	}
	write(fields)
	if u.filename != "-" && !slices.Contains(u.skip, "file") {
		part, err := m.CreateFormFile("file", u.filename)
		check(err)
		_, err = io.WriteString(part, u.file)
		check(err)
	} else if u.filename == "-" {
		check(m.WriteField("file", u.file))
	}
	write(u.after)
	check(m.Close())
	return u.post(w, b.String())
}

// post sends a body.
func (u upload) post(w *world, body string) reply {
	w.t.Helper()
	q := request{method: "POST", path: "/" + u.bucket, body: body, header: map[string]string{"Content-Type": "multipart/form-data; boundary=" + boundary}, host: u.host}
	if u.host != "" {
		q.path = "/"
	}
	for k, v := range u.header {
		q.header[k] = v
	}
	return w.send(w.build(q))
}

// sign adds the fields of a signed policy.
func (u upload) sign(w *world, fields []string) []string {
	w.t.Helper()
	cred := w.keys[u.as]
	scope := start.Format("20060102") + "/us-east-1/s3/aws4_request"
	if !u.version2 {
		fields = append(fields, "x-amz-algorithm", "AWS4-HMAC-SHA256", "x-amz-credential", cred.AccessKey+"/"+scope, "x-amz-date", start.Format("20060102T150405Z"))
	}
	if cred.Token != "" {
		fields = append(fields, "x-amz-security-token", cred.Token)
	}
	conditions := append([]any{map[string]string{"bucket": u.bucket}}, u.conditions...)
	for i := 0; i < len(fields); i += 2 {
		if u.conditions == nil || strings.HasPrefix(fields[i], "x-amz-a") || strings.HasPrefix(fields[i], "x-amz-c") || strings.HasPrefix(fields[i], "x-amz-date") || strings.HasPrefix(fields[i], "x-amz-sec") {
			conditions = append(conditions, []string{"starts-with", "$" + fields[i], ""})
		}
	}
	if u.expires == "" {
		u.expires = "2026-01-02T04:04:05Z"
	}
	doc, err := json.Marshal(map[string]any{"expiration": u.expires, "conditions": conditions})
	if err != nil {
		w.t.Fatal(err)
	}
	if u.policy != "" {
		doc = []byte(u.policy)
	}
	policy := base64.StdEncoding.EncodeToString(doc)
	fields = append(fields, "policy", policy)
	if u.version2 {
		h := hmac.New(sha1.New, []byte(cred.Secret))
		h.Write([]byte(policy))
		return append(fields, "AWSAccessKeyId", cred.AccessKey, "signature", base64.StdEncoding.EncodeToString(h.Sum(nil)))
	}
	key := []byte("AWS4" + cred.Secret)
	for _, s := range append(strings.Split(scope, "/"), policy) {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(s))
		key = h.Sum(nil)
	}
	return append(fields, "x-amz-signature", hex.EncodeToString(key))
}

func quotedMD5(s string) string {
	sum := md5.Sum([]byte(s))
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

func newPostWorld(t *testing.T) *world {
	w := newWorld(t)
	w.versioned("bkt")
	w.call(200, "PUT", "/open", "")
	w.call(204, "PUT", "/open?policy", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":["s3:PutObject","s3:PutObjectTagging"],"Resource":"arn:aws:s3:::open/*"}]}`)
	return w
}

// TestPost stores objects from forms and looks at what was stored and answered.
func TestPost(t *testing.T) {
	t.Parallel()
	w := newPostWorld(t)
	w.hire()
	w.grant(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::bkt/*"}]}`)
	big := strings.Repeat("0123456789abcdef", 100_000)
	const tags = `<Tagging><TagSet><Tag><Key>a+b</Key><Value>1 2</Value></Tag><Tag><Key>c</Key><Value></Value></Tag></TagSet></Tagging>`
	for _, c := range []struct {
		name   string
		u      upload
		status int
		key    string            // of the object
		header map[string]string // of the answer
		object map[string]string // headers of the object
	}{
		{"plain", upload{fields: []string{"key", "k"}, file: "body"}, 204, "k", map[string]string{
			"Etag": quotedMD5("body"), "Location": w.url + "/bkt/k", "X-Amz-Checksum-Type": "FULL_OBJECT", "Content-Type": "", "Content-Length": "",
		}, map[string]string{"Content-Type": "binary/octet-stream"}},
		{"version 2", upload{version2: true, fields: []string{"key", "k2"}, file: "body"}, 204, "k2", nil, nil},
		{"a session's", upload{as: worker, fields: []string{"key", "session"}, file: "body"}, 204, "session", nil, nil},
		{"anonymous", upload{as: nobody, bucket: "open", fields: []string{"key", "k", "button", "of the page"}, file: "body"}, 204, "k", map[string]string{"X-Amz-Version-Id": ""}, nil},
		{"empty", upload{fields: []string{"key", "empty"}}, 204, "empty", nil, nil},
		{"large", upload{fields: []string{"key", "large"}, file: big}, 204, "large", nil, nil},
		{"dashes", upload{fields: []string{"key", "dashes"}, file: "\r\n--" + boundary[:8] + "\r\n--\r\n"}, 204, "dashes", nil, nil},
		{"everything", upload{fields: []string{
			"KEY", "all/of it", "Content-Type", "text/x", "cache-control", "no-cache", "Content-Disposition", "inline", "Content-Encoding", "x",
			"Expires", "Wed, 21 Oct 2037 07:28:00 GMT", "x-amz-meta-A", "1", "x-amz-meta-b", "ö", "X-Amz-Storage-Class", "STANDARD_IA",
			"x-amz-website-redirect-location", "/other", "Content-MD5", md5Of("body"), "x-amz-checksum-sha1", "Agg/RXngimEkJcDBoX7ket14O5Q=",
			"tagging", tags, "acl", "private", "x-amz-expected-bucket-owner", "111111111111",
		}, file: "body"}, 204, "all/of it", map[string]string{
			"Location": w.url + "/bkt/all%2Fof%20it", "X-Amz-Checksum-Sha1": "Agg/RXngimEkJcDBoX7ket14O5Q=",
		}, map[string]string{
			"Content-Type": "text/x", "Cache-Control": "no-cache", "Content-Disposition": "inline", "Content-Encoding": "x",
			"Expires": "Wed, 21 Oct 2037 07:28:00 GMT", "X-Amz-Meta-A": "1", "X-Amz-Meta-B": "=?UTF-8?q?=C3=B6?=", "X-Amz-Storage-Class": "STANDARD_IA",
			"X-Amz-Website-Redirect-Location": "/other", "X-Amz-Tagging-Count": "2",
		}},
		{"status 200", upload{fields: []string{"key", "s", "success_action_status", "200"}, file: "x"}, 200, "s", map[string]string{"Content-Length": "0"}, nil},
		{"status 201", upload{fields: []string{"key", "s/1", "success_action_status", "201"}, file: "x"}, 201, "s/1", map[string]string{"Content-Type": "application/xml"}, nil},
		{"status 404", upload{fields: []string{"key", "s", "success_action_status", "404"}, file: "x"}, 204, "s", nil, nil},
		{"redirect", upload{fields: []string{"key", "a/b c", "success_action_redirect", "http://example.com/done"}, file: "x"}, 303, "a/b c", map[string]string{
			"Location": "http://example.com/done?bucket=bkt&key=a%2Fb+c&etag=" + "%22" + strings.Trim(quotedMD5("x"), `"`) + "%22",
		}, nil},
		{"redirect with a query", upload{fields: []string{"key", "s", "redirect", "https://example.com/?a=b c", "success_action_status", "201"}, file: "x"}, 303, "s", map[string]string{
			"Location": "https://example.com/?a=b%20c&bucket=bkt&key=s&etag=" + "%22" + strings.Trim(quotedMD5("x"), `"`) + "%22",
		}, nil},
		{"relative redirect", upload{fields: []string{"key", "s", "success_action_redirect", "/done"}, file: "x"}, 204, "s", nil, nil},
		{"line end in a redirect", upload{fields: []string{"key", "s", "success_action_redirect", "http://a/\r\nX-Evil: 1"}, file: "x"}, 204, "s", map[string]string{"X-Evil": ""}, nil},
		{"filename", upload{fields: []string{"key", "in/${filename}", "x-amz-meta-n", "${filename},${filename}"}, file: "x", filename: `C:\dir\a/file.txt`}, 204, "in/file.txt", nil, map[string]string{"X-Amz-Meta-N": "file.txt,file.txt"}},
		{"no filename", upload{fields: []string{"key", "in/${filename}"}, file: "x", filename: "-"}, 204, "in/${filename}", nil, nil},
		{"empty filename", upload{fields: []string{"key", "in/${filename}"}, file: "x"}, 204, "in/", nil, nil},
		{"after the file", upload{fields: []string{"key", "k"}, file: "x", after: []string{"key", "other", "acl", "nonsense"}}, 204, "k", nil, nil},
		{"virtual-hosted", upload{fields: []string{"key", "a/ö"}, file: "x", host: "bkt.localhost:9000"}, 204, "a/ö", map[string]string{"Location": "http://bkt.localhost:9000/a%2F%C3%B6"}, nil},
		{"values of one name", upload{fields: []string{"key", "twice", "x-amz-meta-t", "Ninja", "x-amz-meta-t", "Stallman"}, conditions: []any{
			[]string{"eq", "$key", "twice"}, map[string]string{"x-amz-meta-t": "Ninja,Stallman"},
		}, file: "x"}, 204, "twice", nil, map[string]string{"X-Amz-Meta-T": "Ninja,Stallman"}},
		{"line ends in metadata", upload{fields: []string{"key", "lines", "x-amz-meta-t", "a\r\nX-Evil: 1"}, file: "x"}, 204, "lines", nil, map[string]string{"X-Evil": "", "X-Amz-Meta-T": "=?UTF-8?q?a=0D=0AX-Evil:_1?="}},
	} {
		got := c.u.send(w)
		if got.status != c.status {
			t.Errorf("%s: %d %s", c.name, got.status, got.body)
			continue
		}
		for k, v := range c.header {
			if got.header.Get(k) != v {
				t.Errorf("%s: %s is %q, want %q", c.name, k, got.header.Get(k), v)
			}
		}
		if c.status != 201 && got.body != "" {
			t.Errorf("%s: answered %s", c.name, got.body)
		}
		name := c.u.bucket
		if name == "" {
			name = "bkt"
		}
		o := w.do(request{method: "GET", path: "/" + name + "/" + c.key})
		if o.status != 200 || o.body != c.u.file || o.header.Get("ETag") != quotedMD5(c.u.file) {
			t.Errorf("%s: the object: %d, %d bytes, %s", c.name, o.status, len(o.body), o.header.Get("ETag"))
		}
		for k, v := range c.object {
			if o.header.Get(k) != v {
				t.Errorf("%s: %s of the object is %q, want %q", c.name, k, o.header.Get(k), v)
			}
		}
	}
	golden(t, "post_response", strings.Replace(upload{fields: []string{"key", "a/b", "success_action_status", "201"}, file: "x"}.send(w).body, w.url, "http://HOST", 1))
	golden(t, "post_tags", w.call(200, "GET", "/bkt/all/of it?tagging", "").body)
}

// TestPostRefused: nothing is stored, and AWS's error tells why.
func TestPostRefused(t *testing.T) {
	t.Parallel()
	w := newPostWorld(t)
	k := []string{"key", "k"}
	field := func(nv ...string) []string { return append([]string{"key", "k"}, nv...) }
	cond := func(list ...any) []any { return append([]any{[]string{"starts-with", "$key", ""}}, list...) }
	doc := func(conditions string) string {
		return `{"expiration": "2030-01-01T00:00:00.000Z", "conditions": ` + conditions + `}`
	}
	const (
		denied    = "Invalid according to Policy: "
		badPolicy = "Invalid Policy: "
	)
	for _, c := range []struct {
		name          string
		u             upload
		status        int
		code, message string
	}{
		{"no file", upload{fields: k, skip: []string{"file"}}, 400, "InvalidArgument", "POST requires exactly one file upload per request."},
		{"two files", upload{fields: k, after: []string{"File", "x"}}, 400, "InvalidArgument", "POST requires exactly one file upload per request."},
		{"no key", upload{}, 400, "InvalidArgument", "Bucket POST must contain a field named 'key'.  If it is specified, please check the order of the fields."},
		{"empty key", upload{fields: []string{"key", ""}}, 400, "InvalidArgument", "User key must have a length greater than 0."},
		{"long key", upload{fields: []string{"key", strings.Repeat("k", 1025)}}, 400, "KeyTooLongError", "Your key is too long"},
		{"key out of the bucket", upload{fields: []string{"key", "../k"}}, 400, "400", ""},
		{"no bucket", upload{bucket: "nowhere", fields: k}, 404, "NoSuchBucket", "The specified bucket does not exist"},
		{"another content type", upload{fields: k, header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}, 412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold"},
		{"no boundary", upload{fields: k, header: map[string]string{"Content-Type": "multipart/form-data"}}, 400, "MalformedPOSTRequest", "The body of your POST request is not well-formed multipart/form-data."},
		{"another boundary", upload{fields: k, header: map[string]string{"Content-Type": "multipart/form-data; boundary=x"}}, 400, "MalformedPOSTRequest", ""},
		{"large fields", upload{fields: field("x-amz-meta-a", strings.Repeat("x", 20<<10))}, 400, "MaxPostPreDataLengthExceeded", "Your POST request fields preceeding the upload file was too large."},
		{"very large fields", upload{fields: field("x-amz-meta-a", strings.Repeat("x", 2<<20))}, 400, "MaxPostPreDataLengthExceeded", ""},
		{"no UTF-8", upload{fields: field("x-amz-meta-a", "\xff")}, 400, "MalformedPOSTRequest", ""},
		{"anonymous", upload{as: nobody, fields: k}, 403, "AccessDenied", ""},
		{"unsigned policy", upload{fields: k, skip: []string{"x-amz-signature", "x-amz-credential", "x-amz-algorithm", "x-amz-date"}}, 403, "AccessDenied", ""},
		{"another account", upload{as: dest, fields: k}, 403, "AccessDenied", ""},
		{"no signature", upload{fields: k, skip: []string{"x-amz-signature"}}, 400, "InvalidArgument", "Bucket POST must contain a field named 'X-Amz-Signature'.  If it is specified, please check the order of the fields."},
		{"signed in the header too", upload{fields: k, header: map[string]string{"Authorization": "x y"}}, 400, "InvalidArgument", "Unsupported Authorization Type"},
		{"unsigned header", upload{fields: k, header: map[string]string{"X-Amz-Meta-A": "1"}}, 403, "AccessDenied", "There were headers present in the request which were not signed"},
		{"conflicting header", upload{fields: field("acl", "private"), header: map[string]string{"X-Amz-Acl": "bucket-owner-full-control"}}, 400, "InvalidRequest", "Conflicting values provided in HTTP headers and POST form fields."},
		{"another owner", upload{fields: field("x-amz-expected-bucket-owner", "222222222222")}, 403, "AccessDenied", ""},
		{"copy", upload{fields: field("x-amz-copy-source", "/bkt/a")}, 501, "NotImplemented", ""},
		{"line end in a header", upload{fields: field("Content-Type", "text/plain\nX: 1")}, 400, "InvalidArgument", ""},
		{"space in a name", upload{fields: field("x-amz-meta-a b", "1")}, 400, "InvalidArgument", ""},
		{"checksum", upload{fields: field("x-amz-checksum-sha256", "sailorjerry")}, 400, "InvalidRequest", "Value for x-amz-checksum-sha256 header is invalid."},
		{"other checksum", upload{fields: field("x-amz-checksum-crc32", "AAAAAQ==")}, 400, "BadDigest", ""},
		{"algorithm without checksum", upload{fields: field("x-amz-checksum-algorithm", "CRC32")}, 400, "InvalidRequest", ""},
		{"MD5", upload{fields: field("content-md5", md5Of("other"))}, 400, "BadDigest", ""},
		{"storage class", upload{fields: field("x-amz-storage-class", "COLD")}, 400, "InvalidStorageClass", ""},
		{"tags", upload{fields: field("tagging", "a=1")}, 400, "MalformedXML", ""},
		{"metadata", upload{fields: field("x-amz-meta-a", strings.Repeat("x", 2048))}, 400, "MetadataTooLarge", ""},

		{"expired", upload{fields: k, expires: "2026-01-02T03:04:05Z"}, 403, "AccessDenied", denied + "Policy expired."},
		{"eq", upload{fields: k, conditions: []any{[]string{"eq", "$Key", `a"b\`}}}, 403, "AccessDenied", denied + `Policy Condition failed: ["eq", "$Key", "a\"b\\"]`},
		{"eq in an object", upload{fields: k, conditions: []any{map[string]string{"key": "K"}}}, 403, "AccessDenied", denied + `Policy Condition failed: ["eq", "$key", "K"]`},
		{"eq without a dollar", upload{fields: k, conditions: []any{[]string{"eq", "key", "k"}}}, 403, "AccessDenied", denied + `Policy Condition failed: ["eq", "key", "k"]`},
		{"starts-with", upload{fields: k, conditions: []any{[]string{"starts-with", "$key", "a"}}}, 403, "AccessDenied", denied + `Policy Condition failed: ["starts-with", "$key", "a"]`},
		{"no such field", upload{fields: k, conditions: cond([]string{"starts-with", "$acl", ""})}, 403, "AccessDenied", denied + `Policy Condition failed: ["starts-with", "$acl", ""]`},
		{"another bucket", upload{fields: field("bucket", "other"), conditions: cond(map[string]string{"bucket": "other"})}, 403, "AccessDenied", denied + `Policy Condition failed: ["eq", "$bucket", "other"]`},
		{"content types", upload{fields: field("Content-Type", "image/png,text/html"), conditions: cond([]string{"starts-with", "$Content-Type", "image/"})}, 403, "AccessDenied", denied + `Policy Condition failed: ["starts-with", "$Content-Type", "image/"]`},
		{"extra fields", upload{fields: field("Custom", "1", "acl", "private"), conditions: cond()}, 403, "AccessDenied", denied + "Extra input fields: Custom, acl"},
		{"no bucket condition", upload{version2: true, fields: k, policy: doc(`[{"key":"k"}]`)}, 403, "AccessDenied", denied + "Extra input fields: bucket"},
		{"too large", upload{fields: k, file: "12345678901", conditions: cond([]any{"content-length-range", 5, 10})}, 400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size"},
		{"too small", upload{fields: k, file: "1234", conditions: cond([]any{"content-length-range", "5", "10"})}, 400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size"},
		{"range in words", upload{fields: k, conditions: cond([]any{"content-length-range", "test", "10"})}, 403, "AccessDenied", denied + `Policy Condition failed: ["content-length-range", "test", "10"]`},

		{"no JSON", upload{fields: k, policy: "{]"}, 400, "InvalidPolicyDocument", badPolicy + "Invalid JSON."},
		{"two documents", upload{fields: k, policy: doc("[]") + "{}"}, 400, "InvalidPolicyDocument", badPolicy + "Invalid JSON."},
		{"null", upload{fields: k, policy: "null"}, 400, "InvalidPolicyDocument", badPolicy + "Invalid JSON."},
		{"another member", upload{fields: k, policy: `{"Statement":[]}`}, 400, "InvalidPolicyDocument", badPolicy + "Unexpected: 'statement'"},
		{"no expiration", upload{fields: k, policy: `{"conditions":[]}`}, 400, "InvalidPolicyDocument", badPolicy + "Policy missing expiration."},
		{"no conditions", upload{fields: k, policy: `{"expiration":"2030-01-01T00:00:00Z"}`}, 400, "InvalidPolicyDocument", badPolicy + "Policy missing conditions."},
		{"another time", upload{fields: k, expires: "2030-01-01T00:00:00+02:00"}, 400, "InvalidPolicyDocument", badPolicy + "Invalid 'expiration' value: '2030-01-01T00:00:00+02:00'"},
		{"conditions no list", upload{fields: k, policy: doc(`{}`)}, 400, "InvalidPolicyDocument", badPolicy + "Invalid 'conditions' value: must be a List."},
		{"empty object", upload{fields: k, policy: doc(`[{}]`)}, 400, "InvalidPolicyDocument", badPolicy + "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified."},
		{"two in an object", upload{fields: k, policy: doc(`[{"a":"b","c":"d"}]`)}, 400, "InvalidPolicyDocument", badPolicy + "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified."},
		{"number in an object", upload{fields: k, policy: doc(`[{"a":1}]`)}, 400, "InvalidPolicyDocument", badPolicy + "Invalid Simple-Condition: value must be a string."},
		{"empty list", upload{fields: k, policy: doc(`[[]]`)}, 400, "InvalidPolicyDocument", badPolicy + "Invalid Condition: missing operation identifier."},
		{"unknown operation", upload{fields: k, policy: doc(`[["ends-with","$key","x"]]`)}, 400, "InvalidPolicyDocument", badPolicy + "Invalid Condition: unknown operation 'ends-with'."},
		{"short list", upload{fields: k, policy: doc(`[["content-length-range",0]]`)}, 400, "InvalidPolicyDocument", badPolicy + "Invalid content-length-range: wrong number of arguments."},
		{"negative range", upload{fields: k, policy: doc(`[["content-length-range",-1,0]]`)}, 400, "InvalidPolicyDocument", badPolicy + "Invalid JSON."},
		{"fraction", upload{fields: k, policy: doc(`[["content-length-range",0,1.5]]`)}, 400, "InvalidPolicyDocument", badPolicy + "Invalid JSON."},
		{"text", upload{fields: k, policy: doc(`["key"]`)}, 400, "InvalidPolicyDocument", badPolicy + "Invalid condition test: must be a List or Object."},
		{"number in a list", upload{fields: k, policy: doc(`[["eq","$key",1]]`)}, 400, "InvalidPolicyDocument", badPolicy + "Invalid JSON."},
	} {
		got := c.u.send(w)
		if got.status != c.status || got.code != c.code || !strings.Contains(got.body, "<Message>"+xmlText(c.message)) {
			t.Errorf("%s: %d %s, want %d %s %q", c.name, got.status, got.body, c.status, c.code, c.message)
		}
	}
	for _, name := range []string{"bkt", "open"} {
		if got := w.listAll(name, "list-type=2", "Contents"); len(got) != 0 {
			t.Errorf("%s holds %q", name, got)
		}
	}
	if got := (upload{fields: k, file: "123456789012", conditions: cond([]any{"content-length-range", 5, 10})}).send(w); !strings.Contains(got.body, "<ProposedSize>12</ProposedSize><MaxSizeAllowed>10</MaxSizeAllowed>") {
		t.Error(got.body)
	}
}

// xmlText escapes text as errors do.
func xmlText(s string) string { return strings.ReplaceAll(s, "&", "&amp;") }

// TestPostAsPolicySees: a bucket policy sees the form as the headers of a PUT,
// and how it was signed.
func TestPostAsPolicySees(t *testing.T) {
	t.Parallel()
	w := newPostWorld(t)
	w.call(204, "PUT", "/bkt?policy", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"222222222222"},"Action":"s3:PutObject","Resource":"arn:aws:s3:::bkt/form/*",
		"Condition":{"StringEquals":{"s3:authType":"POST","s3:x-amz-storage-class":"STANDARD_IA","s3:signatureversion":"AWS4-HMAC-SHA256"}}}]}`)
	class := []string{"key", "form/k", "x-amz-storage-class", "STANDARD_IA"}
	for _, c := range []struct {
		name   string
		u      upload
		status int
	}{
		{"as it allows", upload{as: dest, fields: class, file: "x"}, 204},
		{"another class", upload{as: dest, fields: []string{"key", "form/k"}, file: "x"}, 403},
		{"another key", upload{as: dest, fields: []string{"key", "k", "x-amz-storage-class", "STANDARD_IA"}, file: "x"}, 403},
		{"version 2", upload{as: dest, version2: true, fields: class, file: "x"}, 403},
	} {
		if got := c.u.send(w); got.status != c.status {
			t.Errorf("%s: %d %s", c.name, got.status, got.body)
		}
	}
	if got := w.do(request{as: dest, method: "PUT", path: "/bkt/form/k", header: map[string]string{"x-amz-storage-class": "STANDARD_IA"}}); got.status != 403 {
		t.Errorf("PUT: %d", got.status)
	}
}

// TestPostBodies sends forms that no program makes, signed in the header, where
// all of the body counts.
func TestPostBodies(t *testing.T) {
	t.Parallel()
	w := newPostWorld(t)
	part := func(name, value string) string {
		return "--" + boundary + "\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n"
	}
	whole := part("key", "k") + part("file", "body") + "--" + boundary + "--\r\n"
	for _, c := range []struct {
		name, body string
		status     int
		code       string
	}{
		{"whole", whole, 204, ""},
		{"preamble and epilogue", "hello\r\n" + whole + "good bye", 204, ""},
		{"no end of line", strings.TrimSuffix(whole, "\r\n"), 204, ""},
		{"no end", part("key", "k") + part("file", "body"), 400, "MalformedPOSTRequest"},
		{"cut in the file", part("key", "k") + strings.TrimSuffix(part("file", "body"), "dy\r\n"), 400, "MalformedPOSTRequest"},
		{"cut in a field", part("key", "k")[:60], 400, "MalformedPOSTRequest"},
		{"cut after the file", part("key", "k") + part("file", "body") + part("x", "y"), 400, "MalformedPOSTRequest"},
		{"nothing", "", 400, "MalformedPOSTRequest"},
		{"a file without a name", part("key", "k") + strings.Replace(part("file", strings.Repeat("x", 30<<10)), `name="file"`, `name=""`, 1), 400, "MalformedPOSTRequest"},
		{"the end alone", "--" + boundary + "--\r\n", 400, "InvalidArgument"},
		{"another disposition", strings.Replace(whole, "form-data; name=\"file\"", "file; name=\"file\"", 1), 400, "InvalidArgument"},
		{"no disposition", strings.Replace(whole, "Content-Disposition: form-data; name=\"key\"", "X: y", 1), 400, "InvalidArgument"},
		{"a great header", part("key", "k") + "--" + boundary + "\r\nX: " + strings.Repeat("x", 100<<10) + "\r\n\r\n" + whole, 400, "MaxPostPreDataLengthExceeded"},
		{"a great header behind", part("key", "k") + part("file", "body") + "--" + boundary + "\r\nX: " + strings.Repeat("x", 3<<20) + "\r\n\r\n--" + boundary + "--\r\n", 400, "MalformedPOSTRequest"},
	} {
		r := w.build(request{method: "POST", path: "/bkt", body: c.body, header: map[string]string{"Content-Type": "multipart/form-data; boundary=\"" + boundary + "\""}})
		sum := sha256.Sum256([]byte(c.body))
		sigv4.Sign(r, w.keys[source], "us-east-1", "s3", hex.EncodeToString(sum[:]), start)
		got := w.send(r)
		if got.status != c.status || got.code != c.code {
			t.Errorf("%s: %d %s", c.name, got.status, got.body)
		}
		want := 404
		if c.status == 204 {
			want = 200
		}
		if o := w.do(request{method: "GET", path: "/bkt/k"}); o.status != want || want == 200 && o.body != "body" {
			t.Errorf("%s: the object: %d %q", c.name, o.status, o.body)
		}
		w.call(204, "DELETE", "/bkt/k", "")
	}
	// The signature covers what follows the form.
	r := w.build(request{method: "POST", path: "/bkt", body: whole + "more", header: map[string]string{"Content-Type": "multipart/form-data; boundary=" + boundary}})
	sum := sha256.Sum256([]byte(whole + "less"))
	sigv4.Sign(r, w.keys[source], "us-east-1", "s3", hex.EncodeToString(sum[:]), start)
	if got := w.send(r); got.code != "XAmzContentSHA256Mismatch" {
		t.Errorf("another end: %d %s", got.status, got.body)
	}
	if got := w.do(request{method: "GET", path: "/bkt/k"}); got.status != 404 {
		t.Errorf("another end: it was stored")
	}
	// A presigned URL is none for a form.
	r = w.build(request{method: "POST", path: "/bkt", body: whole, header: map[string]string{"Content-Type": "multipart/form-data; boundary=" + boundary}})
	u, err := http.NewRequest("POST", sigv4.Presign(r, w.keys[source], "us-east-1", "s3", 60e9, start), strings.NewReader(whole))
	if err != nil {
		t.Fatal(err)
	}
	u.Header = r.Header
	if got := w.send(u); got.code != "InvalidRequest" || !strings.Contains(got.body, "Query string authentication is not supported for POST.") {
		t.Errorf("presigned: %d %s", got.status, got.body)
	}
}

// FuzzPost: whatever a form says, the answer is one of AWS's, and what is
// stored is the file.
func FuzzPost(f *testing.F) {
	first := newWorld(f)
	first.call(200, "PUT", "/bkt", "")
	f.Add("multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nk\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\nbody\r\n--b--\r\n")
	f.Add("multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"policy\"\r\n\r\ne30=\r\n--b\r\nContent-Disposition: form-data; name=\"signature\"\r\n\r\nx\r\n--b--")
	f.Fuzz(func(t *testing.T, contentType, body string) {
		w := *first
		w.t = t
		if strings.ContainsFunc(contentType, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return
		}
		r := w.build(request{method: "POST", path: "/bkt", body: body})
		r.Header["Content-Type"] = []string{contentType}
		w.sign(r, source)
		got := w.send(r)
		if got.status >= 500 && got.status != 501 {
			t.Errorf("%d %s", got.status, got.body)
		}
	})
}

// FuzzFormPolicy signs policies of all kinds.
func FuzzFormPolicy(f *testing.F) {
	first := newWorld(f)
	first.call(200, "PUT", "/bkt", "")
	f.Add(`{"expiration":"2030-01-01T00:00:00Z","conditions":[{"bucket":"bkt"},["starts-with","$key",""],["content-length-range",0,10]]}`)
	f.Fuzz(func(t *testing.T, policy string) {
		if policy == "" {
			return
		}
		w := *first
		w.t = t
		got := upload{version2: true, fields: []string{"key", "k"}, file: "x", policy: policy}.send(&w)
		if got.status != 204 && got.status != 400 && got.status != 403 {
			t.Errorf("%d %s", got.status, got.body)
		}
	})
}

func TestPostOfUnknownLength(t *testing.T) {
	t.Parallel()
	w := newPostWorld(t)
	r := w.build(request{method: "POST", path: "/bkt", body: "x", header: map[string]string{"Content-Type": "multipart/form-data; boundary=b"}})
	r.ContentLength = -1
	if diff := cmp.Diff("411 MissingContentLength", func() string { got := w.send(r); return fmt.Sprint(got.status, " ", got.code) }()); diff != "" {
		t.Error(diff)
	}
}
