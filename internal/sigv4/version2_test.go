package sigv4

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"twinbucket/fault"
)

// vectors2 are presigned URLs of Signature Version 2, all of the example key:
// AWS's published one, and some made by botocore 1.43.11 (boto3 with
// signature_version "s3", and aws s3 presign) that end at exampleTime.
var vectors2 = []struct {
	name   string
	method string
	link   string
	bucket string // in the host
	token  string
}{
	{"published", "GET", "http://johnsmith.s3.amazonaws.com/photos/puppy.jpg?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires=1175139620", "johnsmith", ""},
	{"get", "GET", "http://127.0.0.1:9000/photos/2024/puppy.jpg?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=obtqBhj6Xz2MOPHdX6gPT0qIGVM%3D&Expires=1369353600", "", ""},
	{"odd key", "GET", "http://127.0.0.1:9000/photos/a%20b/%C3%BC%2B%E4%BD%A0~%281%29%21%2A%27%26%3D%3F%23%25.txt?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=hunEyQk%2BeAq9IeCa3yEiL6%2BBl0k%3D&Expires=1369353600", "", ""},
	{"version and overrides", "GET", versionLink, "", ""},
	{"upload part", "PUT", partLink, "", ""},
	{"create upload", "POST", "http://127.0.0.1:9000/photos/big?uploads&AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=LlI4o8DSz7qNitEr8RwSDXeICU0%3D&Expires=1369353600", "", ""},
	{"delete version", "DELETE", "http://127.0.0.1:9000/photos/k?versionId=null&AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=nXzrMgV6XUxOet7qJ7p67s%2FHm1U%3D&Expires=1369353600", "", ""},
	{"head", "HEAD", "http://127.0.0.1:9000/photos/k?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=7buGpZ0L21ox1Em0bWmr7PxfZSo%3D&Expires=1369353600", "", ""},
	{"list", "GET", "http://127.0.0.1:9000/photos?list-type=2&prefix=a%2F&max-keys=5&encoding-type=url&AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=Qm6tG0FYr2OJeyBL7yytx5Nt2Z4%3D&Expires=1369353600", "", ""},
	{"list, virtual host", "GET", "http://photos.s3.example.com:9000/?list-type=2&prefix=x&encoding-type=url&AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=Qm6tG0FYr2OJeyBL7yytx5Nt2Z4%3D&Expires=1369353600", "photos", ""},
	{"list versions", "GET", "http://127.0.0.1:9000/photos?versions&encoding-type=url&AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=eVFyencLid9ArdEEPRgojfLolWA%3D&Expires=1369353600", "", ""},
	{"bucket acl", "GET", "http://127.0.0.1:9000/photos?acl&AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=RsVxuCRxGhlyMvI3qwSsIXvam8o%3D&Expires=1369353600", "", ""},
	{"object tags", "GET", "http://127.0.0.1:9000/photos/k?tagging&AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=rYSngLaziHCzseiEf9l%2F1bgGb14%3D&Expires=1369353600", "", ""},
	{"buckets", "GET", "http://127.0.0.1:9000/?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=Gb7tZvETu4wkAbcxSUUSvFLAmhk%3D&Expires=1369353600", "", ""},
	{"virtual host", "GET", "http://photos.s3.example.com:9000/a%20b/%C3%BC%2B%E4%BD%A0?versionId=nuQ7.ab_-123456789&AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=7u9dxygmrwXnSgWz%2BDZjtBR%2Bafs%3D&Expires=1369353600", "photos", ""},
	{"named host", "GET", "http://localhost:9000/photos/k?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=Km6TSWXm4FY0FpzFUfXAIC%2BHeKU%3D&Expires=1369353600", "", ""},
	{"path style at a domain", "GET", "https://s3.example.com/photos/k?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=Km6TSWXm4FY0FpzFUfXAIC%2BHeKU%3D&Expires=1369353600", "", ""},
	{"session", "GET", sessionLink, "", sessionToken},
	{"session, virtual host", "PUT", "http://photos.localhost:9000/k?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=CdypfVyxGf8b2youTMdWggwlWO8%3D&x-amz-security-token=FwoGZXIvYXdzEB%2F%2Btoken%3D%3D&Expires=1369353600", "photos", sessionToken},
	{"aws s3 presign", "GET", "http://localhost:9000/photos/a%20b/%C3%BC%2B.txt?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=2VIn6hy%2FsdLm0JMjwQHkPnXj5o0%3D&Expires=1795537255", "", ""},
}

const (
	versionLink  = "http://127.0.0.1:9000/photos/k%20k?versionId=nuQ7.ab_-123456789&response-content-type=text%2Fplain%3B%20charset%3Dutf-8&response-content-disposition=attachment%3B%20filename%3D%22a%20%2B%20b%20%C3%A9.txt%22&AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=FDTNt3Fy6HUkWe8dZNyNnnjXgMk%3D&Expires=1369353600"
	partLink     = "http://127.0.0.1:9000/photos/big?partNumber=2&uploadId=abc123&AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=Y8NnBSGSHGdlY6l0GdgxSQw9Jyg%3D&Expires=1369353600"
	putLink      = "http://127.0.0.1:9000/photos/k?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=e20sKwJpigf0l8Jd%2BpVB64ILm9Q%3D&content-type=text%2Fplain&x-amz-meta-colour=dark%20blue&x-amz-acl=private&Expires=1369353600"
	sessionLink  = "http://127.0.0.1:9000/photos/k?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=%2B6M0bCf3bdndXqL3PnbwTx6ww7c%3D&x-amz-security-token=FwoGZXIvYXdzEB%2F%2Btoken%3D%3D&Expires=1369353600"
	sessionToken = "FwoGZXIvYXdzEB/+token=="
)

// link2 returns a URL with a signature of Version 2 over the given x-amz-
// headers and resource, valid until exampleTime.
func link2(target, amz, resource string) string {
	m := message2{method: "GET", expires: "1369353600", amz: amz, path: resource}
	join := "?"
	if strings.Contains(target, "?") {
		join = "&"
	}
	return target + join + "AWSAccessKeyId=" + exampleKey + "&Expires=1369353600&Signature=" + url.QueryEscape(m.sign(exampleSecret))
}

// verify2 verifies a presigned request in the form in which a server gets it.
func verify2(t testing.TB, method, link, bucket string, header http.Header, now time.Time) (*http.Request, *Verified, error) {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	r := WithHostBucket(read(t, method+" "+u.RequestURI()+" HTTP/1.1\nHost: "+u.Host), bucket)
	for name, values := range header {
		r.Header[name] = values
	}
	v, err := verify(r, exampleSecret, now)
	return r, v, err
}

func TestVersion2(t *testing.T) {
	t.Parallel()
	for _, c := range vectors2 {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			end := exampleTime
			if c.name == "published" {
				end = time.Unix(1175139620, 0)
			}
			_, v, err := verify2(t, c.method, c.link, c.bucket, nil, end)
			if err != nil {
				t.Fatalf("%v\nhint %s", err, fault.HintOf(err))
			}
			if v.Version != 2 || v.AccessKey != exampleKey || v.Token != c.token || v.Scope != (Scope{Service: "s3"}) || !v.Presigned || v.Payload != Unsigned || v.Size(7) != 7 {
				t.Errorf("%+v", v)
			}
			if _, _, err := verify2(t, "PATCH", c.link, c.bucket, nil, end); fault.CodeOf(err) != "SignatureDoesNotMatch" {
				t.Errorf("with another method: %v", err)
			}
			u, err := url.Parse(c.link)
			if err != nil {
				t.Fatal(err)
			}
			flip(t, c.method+" "+u.RequestURI(), c.bucket)
		})
	}
}

// flip flips every bit of a presigned request: it is refused, or it still
// means the same.
func flip(t *testing.T, line, bucket string) {
	t.Helper()
	text := line + " HTTP/1.1\r\nHost: h\r\n\r\n"
	want := read(t, line+" HTTP/1.1\nHost: h")
	passed := 0
	for i := range 8 * len(line) {
		b := []byte(text)
		b[i/8] ^= 1 << (i % 8)
		r, err := http.ReadRequest(readerOf(string(b)))
		if err != nil {
			continue
		}
		v, err := verify(WithHostBucket(r, bucket), exampleSecret, time.Unix(0, 0))
		if err != nil || v == nil {
			continue
		}
		passed++
		if r.Method != want.Method || r.URL.Path != want.URL.Path || signedQuery(r.URL) != signedQuery(want.URL) {
			t.Errorf("a changed request passed: %s", b)
		}
	}
	if passed == 0 {
		t.Error("not even another access key with the same secret passed")
	}
}

// signedQuery returns what of a URL's parameters Version 2 signs; the access
// key says which secret signs. Headers have names in any case.
func signedQuery(u *url.URL) string {
	q := url.Values{}
	for name, values := range u.Query() {
		if strings.EqualFold(name, "x-amz-security-token") {
			name = "x-amz-security-token"
		}
		q[name] = values
	}
	for _, name := range []string{"AWSAccessKeyId", "encoding-type", "list-type", "max-keys", "prefix"} {
		q.Del(name)
	}
	return q.Encode()
}

func TestVersion2Times(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		at            time.Duration
		code, message string
	}{
		{0, "", ""},
		{-100 * 365 * 24 * time.Hour, "", ""},
		{time.Millisecond, "AccessDenied", "Request has expired"},
		{time.Hour, "AccessDenied", "Request has expired"},
	} {
		_, _, err := verify2(t, "GET", versionLink, "", nil, exampleTime.Add(c.at))
		if fault.CodeOf(err) != c.code || fault.MessageOf(err) != c.message || (err == nil) != (fault.HintOf(err) == "") {
			t.Errorf("%v: %v (hint %q), want %q %q", c.at, err, fault.HintOf(err), c.code, c.message)
		}
	}
	r := httptest.NewRequest("GET", "/b?AWSAccessKeyId=AKIA&Signature=x&Expires=1.5", nil)
	if _, err := Parse(r); fault.MessageOf(err) != "Invalid date (should be seconds since epoch): 1.5" {
		t.Errorf("a broken end: %v", err)
	}
}

// TestVersion2Refused changes requests in ways that would change what they
// mean, and expects a refusal with a hint.
func TestVersion2Refused(t *testing.T) {
	t.Parallel()
	swap := strings.Replace
	const list = "http://127.0.0.1:9000/photos?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=Qm6tG0FYr2OJeyBL7yytx5Nt2Z4%3D&Expires=1369353600"
	plain := link2("http://127.0.0.1:9000/photos/k", "", "/photos/k")
	for _, c := range []struct {
		name, link, bucket string
		header             http.Header
		code, hint         string
	}{
		{"untouched", plain, "", nil, "", ""},
		{"own parameter", plain + "&x-source=mail", "", nil, "", ""},
		{"version dropped", swap(versionLink, "versionId=nuQ7.ab_-123456789&", "", 1), "", nil, "SignatureDoesNotMatch", "most likely the secret"},
		{"version added", plain + "&versionId=1", "", nil, "SignatureDoesNotMatch", "does not cover the parameters versionId=1"},
		{"version added, escaped", plain + "&version%49d=1", "", nil, "SignatureDoesNotMatch", "does not cover"},
		{"sub-resource added", plain + "&acl", "", nil, "SignatureDoesNotMatch", "does not cover"},
		{"newer sub-resource added", list + "&encryption", "", nil, "SignatureDoesNotMatch", "does not cover the parameters encryption"},
		{"override added", plain + "&response-content-type=text%2Fhtml", "", nil, "SignatureDoesNotMatch", "does not cover"},
		{"parameters swapped", swap(swap(partLink, "=2", "=abc123", 1), "=abc123&AWS", "=2&AWS", 1), "", nil, "SignatureDoesNotMatch", "most likely"},
		{"two parameters as one", swap(partLink, "=2&uploadId=", "=2%26uploadId%3D", 1), "", nil, "SignatureDoesNotMatch", `"partNumber" unambiguously`},
		{"value in the name", swap(partLink, "uploadId=", "uploadId%3D", 1), "", nil, "SignatureDoesNotMatch", "unambiguously"},
		{"order of two values", swap(link2("http://127.0.0.1:9000/b/k?versionId=1&versionId=2", "", "/b/k?versionId=1&versionId=2"), "versionId=1&versionId=2", "versionId=2&versionId=1", 1), "", nil, "SignatureDoesNotMatch", "most likely"},
		{"ampersand in a file name", link2("http://127.0.0.1:9000/b/k?response-content-disposition=filename%3D%22R%26D%22", "", `/b/k?response-content-disposition=filename="R&D"`), "", nil, "", ""},
		{"host bucket", plain, "other", nil, "SignatureDoesNotMatch", `resource "/other/photos/k"`},
		{"bucket from the host into the path", swap(plain, "photos/k", "k", 1), "photos", nil, "", ""},
		{"token dropped", swap(sessionLink, "&x-amz-security-token=FwoGZXIvYXdzEB%2F%2Btoken%3D%3D", "", 1), "", nil, "SignatureDoesNotMatch", "most likely"},
		{"token changed", swap(sessionLink, "token%3D", "tokem%3D", 1), "", nil, "SignatureDoesNotMatch", "most likely"},
		{"token added", plain + "&x-amz-security-token=abc", "", nil, "SignatureDoesNotMatch", "most likely"},
		{"token moved to a header", swap(sessionLink, "&x-amz-security-token=FwoGZXIvYXdzEB%2F%2Btoken%3D%3D", "", 1), "", http.Header{"X-Amz-Security-Token": {sessionToken}}, "", ""},
		{"header added", plain, "", http.Header{"X-Amz-Acl": {"public-read"}}, "SignatureDoesNotMatch", "most likely"},
		{"date header", plain, "", http.Header{"X-Amz-Date": {"20130524T000000Z"}}, "", ""},
		{"header against the query", link2("http://127.0.0.1:9000/b/k?x-amz-acl=private", "x-amz-acl:private\n", "/b/k"), "", http.Header{"X-Amz-Acl": {"public-read"}}, "SignatureDoesNotMatch", "most likely"},
		{"headers as one", link2("http://127.0.0.1:9000/b/k?x-amz-acl=a%0Ax-amz-meta-b:c", "x-amz-acl:a\nx-amz-meta-b:c\n", "/b/k"), "", nil, "InvalidURI", "x-amz-acl cannot be a header"},
		{"header's value in its name", link2("http://127.0.0.1:9000/b/k?x-amz-acl:a=b", "x-amz-acl:a:b\n", "/b/k"), "", nil, "InvalidURI", "cannot be a header"},
		{"too many headers", plain + manyHeaders("&x-amz-meta-", "=1"), "", nil, "InvalidURI", "too many"},
		{"too many values", plain + manyHeaders("&x-amz-meta-a=", ""), "", nil, "InvalidURI", "too many"},
		{"content type added", plain, "", http.Header{"Content-Type": {"text/html"}}, "SignatureDoesNotMatch", "without the header Content-Type"},
		{"digest added", plain, "", http.Header{"Content-Md5": {"1B2M2Y8AsgTpgAmY7PhCfg=="}}, "SignatureDoesNotMatch", "most likely"},
		{"chunks", link2("http://127.0.0.1:9000/b/k?x-amz-content-sha256="+streamingUnsignedTrailer, "x-amz-content-sha256:"+streamingUnsignedTrailer+"\n", "/b/k"), "", nil, "InvalidArgument", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			method := "GET"
			if strings.Contains(c.link, "partNumber") {
				method = "PUT"
			}
			_, _, err := verify2(t, method, c.link, c.bucket, c.header, exampleTime)
			if fault.CodeOf(err) != c.code || !strings.Contains(fault.HintOf(err), c.hint) || (err == nil) != (c.code == "") {
				t.Errorf("%v\nhint %q, want %q %q", err, fault.HintOf(err), c.code, c.hint)
			}
		})
	}
	r := httptest.NewRequest("GET", plain, nil)
	if _, err := verify(r, "other", exampleTime); fault.CodeOf(err) != "SignatureDoesNotMatch" {
		t.Errorf("another secret: %v", err)
	}
}

// manyHeaders returns more parameters than a URL may hold in headers' place.
func manyHeaders(before, after string) string {
	var b strings.Builder
	for i := range maxAmz + 2 {
		b.WriteString(before + strings.Repeat("a", i%16+1) + strings.Repeat("b", i/16+1) + after)
	}
	return b.String()
}

// TestVersion2Headers: parameters of the URL stand for x-amz- headers, but the
// client sends the Content-Type itself.
func TestVersion2Headers(t *testing.T) {
	t.Parallel()
	r, v, err := verify2(t, "PUT", putLink, "", http.Header{"Content-Type": {"text/plain"}}, exampleTime)
	if err != nil {
		t.Fatalf("%v (%s)", err, fault.HintOf(err))
	}
	if r.Header.Get("X-Amz-Acl") != "private" || r.Header.Get("X-Amz-Meta-Colour") != "dark blue" || v.Payload != Unsigned {
		t.Errorf("headers %v", r.Header)
	}
	if _, _, err = verify2(t, "PUT", putLink, "", http.Header{"Content-Type": {"text/plain"}, "X-Amz-Acl": {"private"}}, exampleTime); err != nil {
		t.Errorf("with a header that the URL holds too: %v", err)
	}
	r, _, err = verify2(t, "PUT", putLink, "", nil, exampleTime)
	if want := `the link is made for "text/plain"; send it in a header`; fault.CodeOf(err) != "SignatureDoesNotMatch" || !strings.Contains(fault.HintOf(err), want) {
		t.Errorf("without the Content-Type: %v (%s)", err, fault.HintOf(err))
	}
	if r.Header.Get("X-Amz-Acl") != "" {
		t.Error("a refused request was given headers")
	}
	parts := link2("http://h/b/k?x-amz-copy-source=c", "x-amz-copy-source:/a,b,c\n", "/b/k")
	if r, _, err = verify2(t, "GET", parts, "", http.Header{"X-Amz-Copy-Source": {"/a", "b"}}, exampleTime); err != nil {
		t.Error(err)
	}
	if got := r.Header["X-Amz-Copy-Source"]; len(got) != 1 || got[0] != "/a,b,c" {
		t.Errorf("a header in parts: %q", got)
	}
	link := link2("http://h/b/k?x-amz-content-sha256="+EmptyPayload, "x-amz-content-sha256:"+EmptyPayload+"\n", "/b/k")
	if _, v, err = verify2(t, "GET", link, "", nil, exampleTime); err != nil || v.Payload != Hashed {
		t.Errorf("with a digest: %+v, %v", v, err)
	}
}

// TestVersion2Host: without knowing how the server reads a host, only hosts
// that read in one way are accepted.
func TestVersion2Host(t *testing.T) {
	t.Parallel()
	link := link2("/photos/k", "", "/photos/k")
	for host, ok := range map[string]bool{
		"127.0.0.1": true, "127.0.0.1:9000": true, "[::1]": true, "[::1]:9000": true, "localhost": true, "server:9000": true, "": true,
		"photos.localhost": false, "s3.example.com": false, "photos.s3.amazonaws.com:443": false, "other.127.0.0.1": false, "server.": false,
	} {
		r := httptest.NewRequest("GET", link, nil)
		r.Host = host
		if _, err := verify(r, exampleSecret, exampleTime); (err == nil) != ok || !ok && !strings.Contains(fault.HintOf(err), "do not cover the host") {
			t.Errorf("host %q: %v (%s)", host, err, fault.HintOf(err))
		}
		if _, err := verify(WithHostBucket(r, ""), exampleSecret, exampleTime); err != nil {
			t.Errorf("host %q, known to be no bucket's: %v", host, err)
		}
		if _, err := verify(WithHostBucket(r, "other"), exampleSecret, exampleTime); fault.CodeOf(err) != "SignatureDoesNotMatch" {
			t.Errorf("host %q, known to be another bucket's: %v", host, err)
		}
	}
	r := signed(t, "GET", "http://h/b/k", "")
	if WithHostBucket(r, "b") != r {
		t.Error("a request of Version 4 was copied")
	}
}
