package s3api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// corsOf returns the headers of CORS in an answer.
func corsOf(h http.Header) map[string]string {
	m := map[string]string{}
	for name := range h {
		if short, ok := strings.CutPrefix(name, "Access-Control-"); ok || name == "Vary" {
			m[short] = h.Get(name)
		}
	}
	return m
}

const vary = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"

const corsRules = `<CORSConfiguration>
<CORSRule><AllowedOrigin>*suffix</AllowedOrigin><AllowedOrigin>start*end</AllowedOrigin><AllowedMethod>GET</AllowedMethod><AllowedMethod>HEAD</AllowedMethod></CORSRule>
<CORSRule><AllowedOrigin>https://app.example.com</AllowedOrigin><AllowedMethod>PUT</AllowedMethod><AllowedHeader>X-Amz-*</AllowedHeader><AllowedHeader>content-type</AllowedHeader><ExposeHeader>ETag</ExposeHeader><ExposeHeader>x-amz-request-id</ExposeHeader><MaxAgeSeconds>3000</MaxAgeSeconds></CORSRule>
<CORSRule><ID>all</ID><AllowedOrigin>*</AllowedOrigin><AllowedMethod>POST</AllowedMethod></CORSRule>
</CORSConfiguration>`

func (w *world) putCORS(name, rules string) {
	w.t.Helper()
	w.call(200, "PUT", "/"+name+"?cors", rules, "Content-MD5", md5Of(rules))
}

func TestPreflight(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.versioned("bkt")
	w.putCORS("bkt", corsRules)
	w.call(200, "PUT", "/plain", "")
	headersOf := func(origin, method, headers string) map[string]string {
		m := map[string]string{}
		for name, v := range map[string]string{"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers} {
			if v != "" {
				m[name] = v
			}
		}
		return m
	}
	allowed := map[string]string{
		"Allow-Origin": "https://app.example.com", "Allow-Methods": "PUT", "Allow-Credentials": "true", "Expose-Headers": "ETag, x-amz-request-id",
		"Max-Age": "3000", "Vary": vary, "Allow-Headers": "x-amz-meta-a, content-type",
	}
	for _, c := range []struct {
		origin, method, headers string
		want                    map[string]string
	}{
		{"foo.suffix", "GET", "", map[string]string{"Allow-Origin": "foo.suffix", "Allow-Methods": "GET, HEAD", "Allow-Credentials": "true", "Vary": vary}},
		{"startend", "HEAD", "", map[string]string{"Allow-Origin": "startend", "Allow-Methods": "GET, HEAD", "Allow-Credentials": "true", "Vary": vary}},
		{"https://app.example.com", "PUT", "X-Amz-Meta-A,Content-Type", allowed},
		{"https://app.example.com", "PUT", "X-Amz-Meta-A, Content-Type", allowed},
		{"https://anybody", "POST", "", map[string]string{"Allow-Origin": "*", "Allow-Methods": "POST", "Vary": vary}},
	} {
		got := w.do(request{as: nobody, method: "OPTIONS", path: "/bkt/some/key", header: headersOf(c.origin, c.method, c.headers)})
		if diff := cmp.Diff(c.want, corsOf(got.header)); got.status != 200 || got.body != "" || diff != "" {
			t.Errorf("%s %s: %d %s\n%s", c.origin, c.method, got.status, got.body, diff)
		}
	}
	for _, c := range []struct {
		path, origin, method, headers string
		status                        int
		want                          string // in the body
	}{
		{"/bkt/k", "", "", "", 400, "<Code>BadRequest</Code><Message>Insufficient information. Origin request header needed.</Message>"},
		{"/plain", "", "", "", 400, "<Code>BadRequest</Code>"},
		{"/nobucket/k", "", "", "", 400, "<Code>BadRequest</Code>"},
		{"/nobucket/k", "http://a", "", "", 403, "<Code>AccessForbidden</Code><Message>CORSResponse: Bucket not found</Message><Method>OPTIONS</Method><ResourceType>BUCKET</ResourceType>"},
		{"/plain/k", "http://a", "PUT", "", 403, "<Message>CORSResponse: CORS is not enabled for this bucket.</Message><Method>PUT</Method><ResourceType>BUCKET</ResourceType>"},
		{"/plain/k", "http://a", "", "", 403, "<Message>CORSResponse: CORS is not enabled for this bucket.</Message><Method>OPTIONS</Method><ResourceType>BUCKET</ResourceType>"},
		{"/bkt/k", "foo.suffix", "", "", 400, "<Code>BadRequest</Code><Message>Invalid Access-Control-Request-Method: null</Message>"},
		{"/bkt/k", "foo.suffix", "get", "", 400, "<Message>Invalid Access-Control-Request-Method: get</Message>"},
		{"/bkt/k", "foo.suffix", "GET", "a b", 400, `Access-Control-Request-Headers "a b" contains invalid character.`},
		{"/bkt/k", "foo.suffix.x", "GET", "", 403, "evalution of Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.</Message><Method>GET</Method><ResourceType>OBJECT</ResourceType>"},
		{"/bkt", "foo.suffix", "DELETE", "", 403, "<Method>DELETE</Method><ResourceType>BUCKET</ResourceType>"},
		{"/bkt/k", "foo.suffix", "GET", "x-amz-date", 403, "AccessForbidden"},
		{"/bkt/k", "https://app.example.com", "PUT", "x-amz-date,authorization", 403, "AccessForbidden"},
		{"/bkt/k", "https://app.example.com", "PUT", "x-amz", 403, "AccessForbidden"},
		{"/bkt/k", "https://app.example.com/", "PUT", "", 403, "AccessForbidden"},
	} {
		got := w.do(request{as: nobody, method: "OPTIONS", path: c.path, header: headersOf(c.origin, c.method, c.headers)})
		if got.status != c.status || !strings.Contains(got.body, c.want) || len(corsOf(got.header)) > 0 {
			t.Errorf("%s %s %s: %d %v %s", c.path, c.origin, c.method, got.status, corsOf(got.header), got.body)
		}
	}
}

func TestCrossOriginAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.versioned("bkt")
	w.call(200, "PUT", "/bkt/k", "body")
	if got := w.call(200, "GET", "/bkt/k", "", "Origin", "foo.suffix"); len(corsOf(got.header)) > 0 {
		t.Errorf("without rules: %v", got.header)
	}
	w.putCORS("bkt", corsRules)
	get := map[string]string{"Allow-Origin": "foo.suffix", "Allow-Methods": "GET, HEAD", "Allow-Credentials": "true", "Vary": vary}
	for _, c := range []struct {
		as             int
		method, target string
		status         int
		headers        []string
		want           map[string]string
	}{
		{source, "GET", "/bkt/k", 200, []string{"Origin", "foo.suffix"}, get},
		{source, "HEAD", "/bkt/k", 200, []string{"Origin", "foo.suffix"}, get},
		{source, "GET", "/bkt?list-type=2", 200, []string{"Origin", "foo.suffix"}, get},
		{source, "GET", "/bkt/none", 404, []string{"Origin", "foo.suffix"}, get},
		{nobody, "GET", "/bkt/k", 403, []string{"Origin", "foo.suffix"}, get},
		{nobody, "PUT", "/bkt/k", 403, []string{"Origin", "foo.suffix", "Access-Control-Request-Method", "GET"}, get},
		{source, "GET", "/bkt/k", 200, []string{"Origin", "foo.suffix", "Access-Control-Request-Method", "PUT"}, map[string]string{}},
		{source, "GET", "/bkt/k", 200, []string{"Origin", "foo.suffix", "Access-Control-Request-Headers", "x-amz-date"}, map[string]string{}},
		{source, "GET", "/bkt/k", 200, []string{"Origin", "elsewhere"}, map[string]string{}},
		{source, "GET", "/bkt/k", 200, nil, map[string]string{}},
		{source, "PUT", "/bkt/k", 200, []string{"Origin", "foo.suffix"}, map[string]string{}},
		{source, "POST", "/bkt/k?uploads", 200, []string{"Origin", "http://me"}, map[string]string{"Allow-Origin": "*", "Allow-Methods": "POST", "Vary": vary}},
	} {
		got := w.callAs(c.as, c.status, c.method, c.target, "", c.headers...)
		if diff := cmp.Diff(c.want, corsOf(got.header)); diff != "" {
			t.Errorf("%s %s %v: %s", c.method, c.target, c.headers, diff)
		}
	}
	w.call(204, "DELETE", "/bkt?cors", "")
	if got := w.call(200, "GET", "/bkt/k", "", "Origin", "foo.suffix"); len(corsOf(got.header)) > 0 {
		t.Errorf("after DELETE: %v", got.header)
	}
}

func TestCORSNeedsADigest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call(200, "PUT", "/bkt", "")
	if got := w.call(400, "PUT", "/bkt?cors", corsRules); got.code != "InvalidRequest" || !strings.Contains(got.body, "Missing required header for this request: Content-MD5") {
		t.Errorf("%s", got.body)
	}
	big := corsRules + strings.Repeat(" ", 64<<10)
	if got := w.call(400, "PUT", "/bkt?cors", big, "Content-MD5", md5Of(big)); got.code != "MaxMessageLengthExceeded" {
		t.Errorf("%s", got.body)
	}
	if got := w.call(400, "PUT", "/bkt?cors", corsRules, "Content-MD5", md5Of("x")); got.code != "BadDigest" {
		t.Errorf("%s", got.body)
	}
}
