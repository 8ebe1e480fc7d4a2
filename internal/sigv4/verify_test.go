package sigv4

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"twinbucket/fault"
)

var example = Credentials{AccessKey: exampleKey, Secret: exampleSecret}

// send gives a client's request the form in which a server gets it.
func send(t testing.TB, r *http.Request) *http.Request {
	t.Helper()
	var b strings.Builder
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	return read(t, strings.ReplaceAll(b.String(), "\r\n", "\n"))
}

// signed returns a signed request as a server gets it.
func signed(t testing.TB, method, target, body string) *http.Request {
	t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.RequestURI = ""
	Sign(r, example, "us-east-1", "s3", hexDigest([]byte(body)), exampleTime)
	return send(t, r)
}

// verify parses and verifies r.
func verify(r *http.Request, secret string, now time.Time) (*Verified, error) {
	c, err := Parse(r)
	if err != nil || c == nil {
		return nil, err
	}
	return c.Verify(r, secret, now)
}

// TestLifeOfOtherServices: only S3 needs to be told how long a URL lives.
func TestLifeOfOtherServices(t *testing.T) {
	t.Parallel()
	const query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA%2F20130524%2Fus-east-1%2Fsts%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-SignedHeaders=host&X-Amz-Signature=" + chunkedSeed
	for text, want := range map[string]time.Duration{query: MaxSkew, query + "&X-Amz-Expires=60": time.Minute} {
		c, err := Parse(httptest.NewRequest("GET", "http://h/?"+text, nil))
		if err != nil || c.expires != want {
			t.Errorf("%s: %v, %v, want %v", text, c, err, want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	const (
		credential = "Credential=" + exampleKey + "/20130524/us-east-1/s3/aws4_request"
		names      = "SignedHeaders=host;x-amz-date"
		sig        = "Signature=" + chunkedSeed
		query      = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=" + chunkedSeed
	)
	header := func(parts ...string) string { return Algorithm + " " + strings.Join(parts, ", ") }
	for _, c := range []struct {
		name, auth, date, query, code string
	}{
		{"good", header(credential, names, sig), "20130524T000000Z", "", ""},
		{"good, any order", header(sig, names, credential), "20130524T000000Z", "", ""},
		{"good query", "", "", query, ""},
		{"version 2", "AWS AKIA:c2ln", "20130524T000000Z", "", ""},
		{"version 2, no signature", "AWS AKIA", "20130524T000000Z", "", "InvalidArgument"},
		{"version 2, no date", "AWS AKIA:c2ln", "", "", "AccessDenied"},
		{"version 2, empty date", "AWS AKIA:c2ln", " ", "", "AccessDenied"},
		{"version 2, date before all", "AWS AKIA:c2ln", "Tue, 07 Jul 1950 21:53:04 GMT", "", "AccessDenied"},
		{"version 2, bad date", "AWS AKIA:c2ln", "yesterday", "", "AccessDenied"},
		{"no components", header("x"), "20130524T000000Z", "", "AuthorizationHeaderMalformed"},
		{"slash in the access key", header("Credential=A/B/20130524/us-east-1/s3/aws4_request", names, sig), "20130524T000000Z", "", "AuthorizationHeaderMalformed"},
		{"no space", "Basic", "20130524T000000Z", "", "InvalidArgument"},
		{"basic", "Basic YTpi", "20130524T000000Z", "", "InvalidArgument"},
		{"asymmetric", "AWS4-ECDSA-P256-SHA256 " + credential, "20130524T000000Z", "", "InvalidRequest"},
		{"empty", "", "20130524T000000Z", "X-Amz-Signature=1", "AuthorizationQueryParametersError"},
		{"no credential", header(names, sig), "20130524T000000Z", "", "AuthorizationHeaderMalformed"},
		{"short credential", header("Credential=AKIA/20130524/s3/aws4_request", names, sig), "20130524T000000Z", "", "AuthorizationHeaderMalformed"},
		{"no access key", header("Credential=/20130524/us-east-1/s3/aws4_request", names, sig), "20130524T000000Z", "", "AuthorizationHeaderMalformed"},
		{"wrong terminator", header("Credential=AKIA/20130524/us-east-1/s3/aws5_request", names, sig), "20130524T000000Z", "", "AuthorizationHeaderMalformed"},
		{"no signed headers", header(credential, sig), "20130524T000000Z", "", "AuthorizationHeaderMalformed"},
		{"host not signed", header(credential, "SignedHeaders=x-amz-date", sig), "20130524T000000Z", "", "AuthorizationHeaderMalformed"},
		{"no signature", header(credential, names), "20130524T000000Z", "", "AuthorizationHeaderMalformed"},
		{"short signature", header(credential, names, "Signature=abc"), "20130524T000000Z", "", "AuthorizationHeaderMalformed"},
		{"too long", header(credential, names, sig, strings.Repeat("x", maxAuthorization)), "20130524T000000Z", "", "AuthorizationHeaderMalformed"},
		{"no date", header(credential, names, sig), "", "", "AccessDenied"},
		{"bad date", header(credential, names, sig), "yesterday", "", "AccessDenied"},
		{"another day", header(credential, names, sig), "20130525T000000Z", "", "AuthorizationHeaderMalformed"},
		{"header and query", header(credential, names, sig), "20130524T000000Z", query, "InvalidArgument"},
		{"query version 2", "", "", "AWSAccessKeyId=AKIA&Signature=x&Expires=1", ""},
		{"query version 2, no key", "", "", "Signature=x&Expires=1", "AccessDenied"},
		{"query version 2, no signature", "", "", "AWSAccessKeyId=AKIA&Expires=1", "AccessDenied"},
		{"query version 2, no end", "", "", "AWSAccessKeyId=AKIA&Signature=x", "AccessDenied"},
		{"query version 2, empty", "", "", "AWSAccessKeyId=&Signature=&Expires=", "AccessDenied"},
		{"query version 2, end twice", "", "", "AWSAccessKeyId=AKIA&Signature=x&Expires=1&Expires=2", "AccessDenied"},
		{"query version 2, end in words", "", "", "AWSAccessKeyId=AKIA&Signature=x&Expires=tomorrow", "AccessDenied"},
		{"query version 2, end too late", "", "", "AWSAccessKeyId=AKIA&Signature=x&Expires=253402300800", "AccessDenied"},
		{"query version 2, escapes", "", "", "AWSAccessKeyId=AKIA&Signature=x&Expires=1&a=%zz", "InvalidURI"},
		{"query version 2, too long", "", "", "AWSAccessKeyId=AKIA&Signature=x&Expires=1" + strings.Repeat("&", maxQuery), "InvalidURI"},
		{"query version 2 and header", header(credential, names, sig), "20130524T000000Z", "AWSAccessKeyId=AKIA&Signature=x&Expires=1", "InvalidArgument"},
		{"query versions 2 and 4", "", "", query + "&AWSAccessKeyId=AKIA&Signature=x&Expires=1", "InvalidArgument"},
		{"query twice", "", "", query + "&X-Amz-Date=20130524T000000Z", "AuthorizationQueryParametersError"},
		{"query algorithm", "", "", strings.Replace(query, "HMAC", "HMOC", 1), "AuthorizationQueryParametersError"},
		{"query asymmetric", "", "", strings.Replace(query, "HMAC-SHA256", "ECDSA-P256-SHA256", 1), "AuthorizationQueryParametersError"},
		{"query credential", "", "", strings.Replace(query, "AKIA%2F", "", 1), "AuthorizationQueryParametersError"},
		{"query signed headers", "", "", strings.Replace(query, "Headers=host", "Headers=date", 1), "AuthorizationQueryParametersError"},
		{"query signature", "", "", query + "0", "AuthorizationQueryParametersError"},
		{"query date", "", "", strings.Replace(query, "T000000Z", "", 1), "AuthorizationQueryParametersError"},
		{"query another day", "", "", strings.Replace(query, "Date=20130524", "Date=20130525", 1), "AuthorizationQueryParametersError"},
		{"query without its life", "", "", strings.Replace(query, "&X-Amz-Expires=60", "", 1), "AuthorizationQueryParametersError"},
		{"query expires", "", "", strings.Replace(query, "Expires=60", "Expires=x", 1), "AuthorizationQueryParametersError"},
		{"query expires negative", "", "", strings.Replace(query, "Expires=60", "Expires=-1", 1), "AuthorizationQueryParametersError"},
		{"query expires too late", "", "", strings.Replace(query, "Expires=60", "Expires=604801", 1), "AuthorizationQueryParametersError"},
		{"query escapes", "", "", query + "&a=%zz", "InvalidURI"},
		{"query too long", "", "", query + strings.Repeat("&", maxQuery), "InvalidURI"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest("GET", "/b/k?"+c.query, nil)
			if c.auth != "" {
				r.Header.Set("Authorization", c.auth)
			}
			if c.date != "" {
				r.Header.Set("X-Amz-Date", c.date)
			}
			claim, err := Parse(r)
			if fault.CodeOf(err) != c.code || (err == nil) != (c.code == "") {
				t.Errorf("Parse = %v, want code %q", err, c.code)
			}
			if err == nil && (claim.AccessKey() == "" || claim.Scope().Service != "s3") {
				t.Errorf("claim %+v", claim)
			}
		})
	}
	for _, query := range []string{"", "prefix=my-X-Amz-Algorithm=", "prefix=AWSAccessKeyId", "prefix=Signature", "my-Signature=1"} {
		if c, err := Parse(httptest.NewRequest("GET", "/b?"+query, nil)); c != nil || err != nil {
			t.Errorf("%q: %+v, %v; want an anonymous request", query, c, err)
		}
	}
}

func TestServiceOf(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		authorization, query string
		service              string
		signed               bool
	}{
		{},
		{query: "list-type=2"},
		{"AWS4-HMAC-SHA256 Credential=AKID/20261124/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=x", "", "iam", true},
		{"AWS4-HMAC-SHA256 Signature=x,SignedHeaders=host,Credential=AKID/20261124/us-east-1/s3/aws4_request", "", "s3", true},
		{"AWS4-HMAC-SHA256 Credential=AKID/20261124, SignedHeaders=host, Signature=x", "", "", true},
		{"AWS AKID:signature", "", "", true},
		{"", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%2F20261124%2Fus-east-1%2Fsts%2Faws4_request&X-Amz-Date=x", "sts", true},
		{"", "a=b&X-Amz-Credential=AKID/20261124/us-east-1/s3/aws4_request", "s3", true},
		{"", "X-Amz-Credential=%zz", "", true},
		{"", "AWSAccessKeyId=AKID&Signature=x&Expires=1", "", true},
	} {
		r := httptest.NewRequest(http.MethodGet, "/?"+tt.query, nil)
		if tt.authorization != "" {
			r.Header.Set("Authorization", tt.authorization)
		}
		if service, signed := ServiceOf(r); service != tt.service || signed != tt.signed {
			t.Errorf("%q ?%s: %q, %t; want %q, %t", tt.authorization, tt.query, service, signed, tt.service, tt.signed)
		}
	}
}

// TestDate checks that a Date header takes the place of X-Amz-Date.
func TestDate(t *testing.T) {
	t.Parallel()
	for _, date := range []string{"Fri, 24 May 2013 00:00:00 GMT", "Fri, 24 May 2013 00:00:00 -0000", "20130524T000000Z"} {
		r := httptest.NewRequest("GET", "http://h/b/k", nil)
		r.Header.Set("Date", date)
		r.Header.Set("X-Amz-Content-Sha256", UnsignedPayload)
		m := outgoing(r, exampleScope, "20130524T000000Z")
		m.payload = UnsignedPayload
		r.Header.Set("Authorization", Algorithm+" Credential="+exampleKey+"/"+exampleScope.String()+
			",SignedHeaders="+m.names+",Signature="+signature(&m, exampleSecret))
		if v, err := verify(r, exampleSecret, exampleTime); err != nil || !v.Time.Equal(exampleTime) {
			t.Errorf("%s: %+v, %v", date, v, err)
		}
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	link := Presign(httptest.NewRequest("GET", "http://h/b/k", nil), example, "us-east-1", "s3", time.Hour, exampleTime)
	for _, c := range []struct {
		name    string
		r       *http.Request
		at      time.Duration
		code    string
		message string
	}{
		{"in time", signed(t, "GET", "http://h/b/k", ""), MaxSkew, "", ""},
		{"clock ahead", signed(t, "GET", "http://h/b/k", ""), -MaxSkew - time.Second, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large."},
		{"clock behind", signed(t, "GET", "http://h/b/k", ""), MaxSkew + time.Second, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large."},
		{"link in time", httptest.NewRequest("GET", link, nil), time.Hour, "", ""},
		{"link expired", httptest.NewRequest("GET", link, nil), time.Hour + time.Second, "AccessDenied", "Request has expired"},
		{"link too early", httptest.NewRequest("GET", link, nil), -MaxSkew - time.Second, "AccessDenied", "Request is not yet valid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := verify(c.r, exampleSecret, exampleTime.Add(c.at))
			if fault.CodeOf(err) != c.code || fault.MessageOf(err) != c.message || (err == nil) != (fault.HintOf(err) == "") {
				t.Errorf("%v (hint %q), want %q %q", err, fault.HintOf(err), c.code, c.message)
			}
		})
	}
}

// TestRefused changes a signed request and expects a refusal with a hint.
func TestRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		secret string
		change func(r *http.Request)
		code   string
		hint   string
	}{
		{"secret", "other", func(*http.Request) {}, "SignatureDoesNotMatch", "most likely the secret does not belong to access key " + exampleKey},
		{"method", "", func(r *http.Request) { r.Method = "DELETE" }, "SignatureDoesNotMatch", "most likely"},
		{"path", "", func(r *http.Request) { r.URL.Path, r.URL.RawPath = "/b/other", "" }, "SignatureDoesNotMatch", "most likely"},
		{"query", "", func(r *http.Request) { r.URL.RawQuery += "&acl" }, "SignatureDoesNotMatch", "most likely"},
		{"query escape", "", func(r *http.Request) { r.URL.RawQuery += "&a=%4" }, "InvalidURI", "hexadecimal"},
		{"query size", "", func(r *http.Request) { r.URL.RawQuery += strings.Repeat("&", maxQuery) }, "InvalidURI", "65,536"},
		{"proxy keeps the host", "", func(r *http.Request) { r.Host = "10.0.0.1"; r.Header.Set("X-Forwarded-Host", "h:9000") }, "SignatureDoesNotMatch", `the host is wrong: the client signed for "h:9000" and the request came for "10.0.0.1"`},
		{"proxy drops the port", "", func(r *http.Request) { r.Host = "h"; r.Header.Set("X-Forwarded-Port", "9000") }, "SignatureDoesNotMatch", "the host is wrong"},
		{"account prefix", "", func(r *http.Request) { r.Host = "111122223333.h:9000" }, "SignatureDoesNotMatch", "the host is wrong"},
		{"header lost", "", func(r *http.Request) { r.Header.Del("X-Amz-Meta-A") }, "SignatureDoesNotMatch", "signed headers did not arrive: x-amz-meta-a"},
		{"header changed", "", func(r *http.Request) { r.Header.Set("X-Amz-Meta-A", "2") }, "SignatureDoesNotMatch", "most likely"},
		{"header added", "", func(r *http.Request) { r.Header.Set("X-Amz-Acl", "public-read") }, "AccessDenied", "sign x-amz-acl too"},
		{"header twice", "", func(r *http.Request) { r.Header.Add("X-Amz-Meta-A", "2") }, "SignatureDoesNotMatch", "most likely"},
		{"user agent added", "", func(r *http.Request) { r.Header.Set("X-Amz-User-Agent", "js") }, "", ""},
		{"hash lost", "", func(r *http.Request) { r.Header.Del("X-Amz-Content-Sha256") }, "MissingSecurityHeader", "x-amz-content-sha256"},
		{"hash changed", "", func(r *http.Request) { r.Header.Set("X-Amz-Content-Sha256", UnsignedPayload) }, "SignatureDoesNotMatch", "the payload is wrong: the client signed " + EmptyPayload},
		{"path encoded twice", "", func(r *http.Request) { r.URL.Path, r.URL.RawPath = "/b/k k", "/b/k%20k"; resign(r, "/b/k%2520k") }, "SignatureDoesNotMatch", "the path is wrong"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest("GET", "http://h:9000/b/k?versionId=1", nil)
			r.RequestURI = ""
			r.Header.Set("X-Amz-Meta-A", "1")
			Sign(r, example, "us-east-1", "s3", "", exampleTime)
			r = send(t, r)
			c.change(r)
			secret := c.secret
			if secret == "" {
				secret = exampleSecret
			}
			_, err := verify(r, secret, exampleTime)
			if fault.CodeOf(err) != c.code || !strings.Contains(fault.HintOf(err), c.hint) || (err == nil) != (c.code == "") {
				t.Errorf("%v\nhint %q, want %q", err, fault.HintOf(err), c.hint)
			}
			if c.code == "SignatureDoesNotMatch" && fault.MessageOf(err) != "The request signature we calculated does not match the signature you provided. Check your key and signing method." {
				t.Errorf("message %q", fault.MessageOf(err))
			}
		})
	}
}

// resign signs r over another path than it has.
func resign(r *http.Request, path string) {
	c, _ := Parse(r)
	m := c.message(r, EmptyPayload)
	m.path = path
	auth := r.Header.Get("Authorization")
	r.Header.Set("Authorization", auth[:len(auth)-64]+signature(&m, exampleSecret))
}

// TestPathForms: AWS accepts the canonical path however the client wrote it.
func TestPathForms(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/b/a(1)!", "/b/a%281%29%21", "/b/a%2b+c", "/b//x/./y", "/b/%e4%bd%a0"} {
		r := read(t, "GET "+path+" HTTP/1.1\nHost: h\nX-Amz-Date: 20130524T000000Z\nX-Amz-Content-Sha256: "+EmptyPayload)
		m := outgoing(r, exampleScope, "20130524T000000Z")
		m.payload = EmptyPayload
		r.Header.Set("Authorization", Algorithm+" Credential="+exampleKey+"/"+exampleScope.String()+
			",SignedHeaders="+m.names+",Signature="+signature(&m, exampleSecret))
		if _, err := verify(r, exampleSecret, exampleTime); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestHeaderInParts: a signed header that was cut at a comma on the way is read
// as it was signed.
func TestHeaderInParts(t *testing.T) {
	t.Parallel()
	const source = "/bucket/key,with,commas"
	r := httptest.NewRequest(http.MethodPut, "http://localhost/bucket/copy", nil)
	r.RequestURI = ""
	r.Header.Set("X-Amz-Copy-Source", source)
	Sign(r, example, "us-east-1", "s3", EmptyPayload, exampleTime)
	r = send(t, r)
	r.Header["X-Amz-Copy-Source"] = strings.Split(source, ",")
	if _, err := verify(r, exampleSecret, exampleTime); err != nil {
		t.Fatal(err)
	}
	if got := r.Header["X-Amz-Copy-Source"]; len(got) != 1 || got[0] != source {
		t.Errorf("%q", got)
	}
}

// TestPresignedHeaders: what SDKs put into a presigned URL in place of headers
// is read as headers.
func TestPresignedHeaders(t *testing.T) {
	t.Parallel()
	verified := func(query string, h http.Header) (http.Header, error) {
		r := httptest.NewRequest(http.MethodPut, "http://h/b/k?"+query, nil)
		r.Header = h.Clone()
		u := Presign(r, example, "us-east-1", "s3", time.Hour, exampleTime)
		r = httptest.NewRequest(http.MethodPut, u, nil)
		r.Header = h.Clone()
		_, err := verify(r, exampleSecret, exampleTime)
		return r.Header, err
	}
	got, err := verified("X-Amz-Acl=private&x-amz-meta-a=1+2&x-amz-meta-b=header&x-id=PutObject&x-amz-tagging=a%3Db"+
		"&x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-sdk-checksum-algorithm=CRC32&X-Amz-Content-Sha256="+UnsignedPayload,
		http.Header{"X-Amz-Meta-B": {"signed"}})
	want := http.Header{"X-Amz-Acl": {"private"}, "X-Amz-Meta-A": {"1 2"}, "X-Amz-Meta-B": {"signed"}, "X-Amz-Tagging": {"a=b"}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	if got, err = verified("x-amz-meta-a=1%0d%0aX-Evil:1", http.Header{}); fault.CodeOf(err) != "InvalidURI" || len(got) > 0 {
		t.Errorf("a line end: %v, %v", got, err)
	}
}

func TestPayloads(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		hash, decoded, trailer string
		want                   Payload
		code                   string
	}{
		{EmptyPayload, "", "", Hashed, ""},
		{UnsignedPayload, "", "", Unsigned, ""},
		{streamingPayload, "5", "", Chunked, ""},
		{streamingTrailer, "5", "X-Amz-Checksum-Crc32", ChunkedTrailer, ""},
		{streamingUnsignedTrailer, "0", "x-amz-checksum-crc32", UnsignedChunkedTrailer, ""},
		{streamingPayload, "", "", 0, "MissingContentLength"},
		{streamingPayload, "-5", "", 0, "MissingContentLength"},
		{streamingTrailer, "5", strings.Repeat("a,", 99), 0, "MalformedTrailerError"},
		{"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "5", "", 0, "InvalidRequest"},
		{"x" + EmptyPayload[1:], "", "", 0, "InvalidArgument"},
		{strings.Repeat("x", 500), "", "", 0, "InvalidArgument"},
	} {
		r := httptest.NewRequest("PUT", "http://h/b/k", nil)
		if c.decoded != "" {
			r.Header.Set("X-Amz-Decoded-Content-Length", c.decoded)
		}
		if c.trailer != "" {
			r.Header.Set("X-Amz-Trailer", c.trailer)
		}
		Sign(r, example, "us-east-1", "s3", c.hash, exampleTime)
		v, err := verify(r, exampleSecret, exampleTime)
		if fault.CodeOf(err) != c.code || (err == nil && v.Payload != c.want) {
			t.Errorf("%s: %v, want %v, code %q", c.hash, err, c.want, c.code)
		}
		r.Header.Del("Authorization")
		v, err = Anonymous(r)
		want := c.code
		if p, _ := payloadOf(c.hash); p.signed() {
			want = "InvalidRequest"
		}
		if fault.CodeOf(err) != want || (err == nil && v.Payload != c.want) {
			t.Errorf("anonymous %s: %v, want code %q", c.hash, err, want)
		}
	}
	if v, err := Anonymous(httptest.NewRequest("GET", "/", nil)); err != nil || v.Payload != Unsigned || v.Size(7) != 7 {
		t.Errorf("anonymous: %+v, %v", v, err)
	}
}

// TestOtherServices: IAM and its like sign the body and say nothing about it.
func TestOtherServices(t *testing.T) {
	t.Parallel()
	const body = "Action=GetUser&Version=2010-05-08"
	request := func() *http.Request {
		r := httptest.NewRequest("POST", "http://h/", strings.NewReader(body))
		Sign(r, example, "us-east-1", "iam", hexDigest([]byte(body)), exampleTime)
		return r
	}
	r := request()
	if v, err := verify(r, exampleSecret, exampleTime); err != nil || v.Payload != Hashed || v.Scope.Service != "iam" {
		t.Fatalf("%+v, %v", v, err)
	}
	if got, err := io.ReadAll(r.Body); err != nil || string(got) != body {
		t.Errorf("the body read %q, %v afterwards", got, err)
	}
	r = request()
	r.Body = io.NopCloser(strings.NewReader(strings.Replace(body, "Get", "Put", 1)))
	if _, err := verify(r, exampleSecret, exampleTime); fault.CodeOf(err) != "SignatureDoesNotMatch" {
		t.Errorf("changed body: %v", err)
	}
	r = request()
	r.Body = io.NopCloser(strings.NewReader(strings.Repeat("x", maxBuffered+1)))
	if _, err := verify(r, exampleSecret, exampleTime); fault.CodeOf(err) != "MaxMessageLengthExceeded" {
		t.Errorf("huge body: %v", err)
	}
	link := Presign(httptest.NewRequest("GET", "http://h/?Action=GetCallerIdentity&Version=2011-06-15", nil), example, "us-east-1", "sts", time.Minute, exampleTime)
	if _, err := verify(httptest.NewRequest("GET", link, nil), exampleSecret, exampleTime); err != nil {
		t.Errorf("presigned STS: %v", err)
	}
}

func TestKeyringIsBounded(t *testing.T) {
	t.Parallel()
	var k keyring
	for i := range 3 * maxKeys {
		k.put(keyID{secret: fmt.Sprint(i)}, [32]byte{})
	}
	if len(k.keys) > maxKeys || len(k.keys) == 0 {
		t.Errorf("%d keys", len(k.keys))
	}
}

// TestRoundTrip: whatever is signed, in a header or a URL, is verified after
// it went over the wire.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.StringOfN(rapid.RuneFrom([]rune("aZ09 +%/&=?#;:~!'()*.-_\"\\<>é你\t")), 0, 20, -1)
		path := "/b/" + text.Draw(rt, "key")
		u := &url.URL{Scheme: "http", Host: "h:9000", Path: path, RawPath: EncodePath(path)}
		for i := range rapid.IntRange(0, 4).Draw(rt, "parameters") {
			if i > 0 {
				u.RawQuery += "&"
			}
			u.RawQuery += EncodeQuery("p"+text.Draw(rt, "name")) + "=" + EncodeQuery(text.Draw(rt, "value"))
		}
		r := &http.Request{Method: "GET", URL: u, Header: http.Header{}}
		if rapid.Bool().Draw(rt, "metadata") {
			r.Header["X-Amz-Meta-A"] = []string{" a  b\t" + rapid.StringMatching(`[ -~]*`).Draw(rt, "meta"), "c"}
		}
		cred := example
		if rapid.Bool().Draw(rt, "session") {
			cred.Token = "token/+="
		}
		service := rapid.SampledFrom([]string{"s3", "execute-api"}).Draw(rt, "service")
		if rapid.Bool().Draw(rt, "presigned") {
			link := Presign(r, cred, "eu-west-1", service, time.Hour, exampleTime)
			parsed, err := url.Parse(link)
			if err != nil {
				rt.Fatal(err)
			}
			r.URL = parsed
		} else {
			Sign(r, cred, "eu-west-1", service, "", exampleTime)
		}
		got := send(t, r)
		v, err := verify(got, exampleSecret, exampleTime)
		if err != nil {
			rt.Fatalf("%v\nhint %s", err, fault.HintOf(err))
		}
		if v.Token != cred.Token || v.AccessKey != exampleKey || v.Scope.Region != "eu-west-1" {
			rt.Fatalf("%+v", v)
		}
		if got.URL.Path != path {
			rt.Fatalf("path %q, want %q", got.URL.Path, path)
		}
	})
}

func FuzzVerify(f *testing.F) {
	for _, v := range vectors {
		f.Add(v.request, v.secret)
	}
	for _, v := range vectors2 {
		f.Add(v.method+" "+v.link+" HTTP/1.1\r\nHost: h\r\nX-Amz-Acl: a\r\n\r\n", exampleSecret)
	}
	f.Fuzz(func(t *testing.T, text, secret string) {
		r, err := http.ReadRequest(readerOf(text))
		if err != nil {
			return
		}
		c, err := Parse(r)
		if c == nil {
			return
		}
		if err != nil {
			if fault.CodeOf(err) == "" {
				t.Errorf("error without a code: %v", err)
			}
			return
		}
		v, err := c.Verify(r, secret, c.time)
		switch {
		case err != nil && fault.CodeOf(err) == "":
			t.Errorf("error without a code: %v", err)
		case err == nil && v.AccessKey != c.AccessKey():
			t.Errorf("verified %q, claimed %q", v.AccessKey, c.AccessKey())
		}
	})
}

// FuzzFlip flips a bit of a signed request: it is refused, or it still means
// the same.
func FuzzFlip(f *testing.F) {
	f.Add(uint16(5), uint8(1))
	f.Add(uint16(300), uint8(5))
	f.Fuzz(func(t *testing.T, at uint16, bit uint8) {
		const target = "http://h:9000/b/k%20k?versionId=abc&acl"
		var b strings.Builder
		r := httptest.NewRequest("GET", target, nil)
		r.Header = http.Header{"X-Amz-Meta-A": {"one"}}
		Sign(r, example, "us-east-1", "s3", "", exampleTime)
		if err := r.Write(&b); err != nil {
			t.Fatal(err)
		}
		flipped := []byte(b.String())
		flipped[int(at)%len(flipped)] ^= 1 << (bit % 8)
		got, err := http.ReadRequest(readerOf(string(flipped)))
		if err != nil {
			return
		}
		v, err := verify(got, exampleSecret, exampleTime)
		if err != nil || v == nil {
			return
		}
		same := got.Method == r.Method && got.Host == "h:9000" && got.URL.Path == "/b/k k" &&
			got.URL.Query().Encode() == r.URL.Query().Encode() && got.Header.Get("X-Amz-Meta-A") == "one"
		if !same {
			t.Errorf("a changed request passed: %s %s %v", got.Method, got.URL, got.Header)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	r := signed(b, "PUT", "http://127.0.0.1:9000/bucket/some/key/of/usual/length.txt?x-id=PutObject", "hello")
	r.Header.Set("User-Agent", "bench")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := verify(r, exampleSecret, exampleTime); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	r := httptest.NewRequest("PUT", "http://127.0.0.1:9000/bucket/some/key/of/usual/length.txt", nil)
	b.ReportAllocs()
	for b.Loop() {
		Sign(r, example, "us-east-1", "s3", UnsignedPayload, exampleTime)
	}
}

func BenchmarkChunkedBody(b *testing.B) {
	body := chunkedBody()
	b.SetBytes(66560)
	b.ReportAllocs()
	for b.Loop() {
		v := verified(Chunked, chunkedSeed, 66560)
		if _, err := io.Copy(io.Discard, v.Body(strings.NewReader(body), -1)); err != nil {
			b.Fatal(err)
		}
	}
}

func TestJoin(t *testing.T) {
	t.Parallel()
	h := http.Header{"X-Amz-Acl": {"private", "public-read"}, "X-Amz-Meta-A": {"b"}, "If-Match": {"a", "b"}}
	Join(h)
	want := http.Header{"X-Amz-Acl": {"private,public-read"}, "X-Amz-Meta-A": {"b"}, "If-Match": {"a", "b"}}
	if !reflect.DeepEqual(h, want) {
		t.Errorf("%v", h)
	}
}
