package s3api_test

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/xml"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"twinbucket/bucket"
	"twinbucket/internal/catalog"
	"twinbucket/internal/iam"
	"twinbucket/internal/keyring"
	"twinbucket/internal/notify"
	"twinbucket/internal/s3api"
	"twinbucket/internal/sigv4"
	"twinbucket/internal/store"
	"twinbucket/internal/vfs"
	"twinbucket/object"
	"twinbucket/rule"
)

var update = flag.Bool("update", false, "write the golden files")

// start is when the tests' world begins; its clock does not move, but the
// store gives every version a later time.
var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// world is a door over a store in memory with two accounts.
type world struct {
	t       testing.TB
	url     string
	client  *http.Transport
	store   *store.Store
	iam     *iam.Service
	now     func() time.Time
	account [2]iam.Account // 111111111111 and 222222222222
	keys    [3]sigv4.Credentials
}

// The callers of requests.
const (
	source = iota
	dest
	worker // a session of a role of account source, once hire was called
	nobody
)

// newWorld returns a world whose door is made with what set says.
func newWorld(t testing.TB, set ...func(*s3api.Config)) *world {
	t.Helper()
	clock := func() time.Time { return start }
	st, err := store.Open(vfs.Memory(), "data", store.Options{Now: clock, Select: selectRules, Tell: new(notify.Teller).Tell, Keys: []keyring.Key{{Account: "111111111111", ID: "my-key", Alias: "mine"}, {ID: "off", Disabled: true}}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	svc, err := iam.New(catalog.New(st), clock)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, store: st, iam: svc, now: clock}
	for i, a := range [][2]string{{"source", "111111111111"}, {"dest", "222222222222"}} {
		if w.account[i], err = svc.EnsureAccount(context.Background(), a[0], a[1]); err != nil {
			t.Fatal(err)
		}
		w.keys[i] = sigv4.Credentials{AccessKey: w.account[i].AccessKey, Secret: w.account[i].Secret}
	}
	conf := s3api.Config{
		Store: st, IAM: svc, Region: "us-east-1", Domains: []string{"s3.example.com"},
		Log: slog.New(slog.DiscardHandler), Now: clock,
	}
	for _, f := range set {
		f(&conf)
	}
	srv := httptest.NewServer(s3api.New(conf))
	w.url, w.client = srv.URL, &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 8}
	t.Cleanup(func() {
		w.client.CloseIdleConnections()
		srv.Close()
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// selectRules is what the server gives the store.
func selectRules(b *bucket.Bucket, v *object.Version) []object.Delivery {
	set, err := rule.Parse(b.Documents[bucket.Replication])
	if err != nil {
		return nil
	}
	var out []object.Delivery
	for _, c := range set.Select(v) {
		out = append(out, object.Delivery{Bucket: c.Destination, Rule: c.Rule.ID, Status: object.Pending})
	}
	return out
}

// reply is an answer, read whole.
type reply struct {
	status int
	header http.Header
	body   string
	code   string // of an error
}

// request is what to send; zero fields are left out.
type request struct {
	as     int
	method string
	path   string // decoded, with its leading slash
	query  string
	header map[string]string
	body   string
	host   string
}

func (w *world) build(q request) *http.Request {
	w.t.Helper()
	u := w.url + sigv4.EncodePath(q.path)
	if q.query != "" {
		u += "?" + q.query
	}
	r, err := http.NewRequest(q.method, u, strings.NewReader(q.body))
	if err != nil {
		w.t.Fatal(err)
	}
	if q.body == "" {
		r.Body = http.NoBody
	}
	if q.host != "" {
		r.Host = q.host
	}
	for k, v := range q.header {
		r.Header.Set(k, v)
	}
	return r
}

func (w *world) sign(r *http.Request, as int) {
	if as != nobody {
		sigv4.Sign(r, w.keys[as], "us-east-1", "s3", sigv4.UnsignedPayload, w.now())
	}
}

func (w *world) send(r *http.Request) reply {
	w.t.Helper()
	resp, err := w.client.RoundTrip(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	out := reply{status: resp.StatusCode, header: resp.Header, body: string(b)}
	var e struct{ Code string }
	if out.status >= 300 && len(b) > 0 && xml.Unmarshal(b, &e) == nil {
		out.code = e.Code
	}
	if out.code == "" {
		out.code = resp.Header.Get("X-Twinbucket-Code")
	}
	return out
}

// do sends a request.
func (w *world) do(q request) reply {
	w.t.Helper()
	r := w.build(q)
	w.sign(r, q.as)
	return w.send(r)
}

// call sends a request of account source and expects a status.
func (w *world) call(want int, method, target, body string, headers ...string) reply {
	w.t.Helper()
	return w.callAs(source, want, method, target, body, headers...)
}

func (w *world) callAs(as, want int, method, target, body string, headers ...string) reply {
	w.t.Helper()
	q := request{as: as, method: method, body: body, header: map[string]string{}}
	q.path, q.query, _ = strings.Cut(target, "?")
	for i := 0; i < len(headers); i += 2 {
		q.header[headers[i]] = headers[i+1]
	}
	got := w.do(q)
	if got.status != want {
		w.t.Fatalf("%s %s: status %d, want %d\n%s", method, target, got.status, want, got.body)
	}
	return got
}

const enabled = `<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>`

// bucket makes a bucket with versioning.
func (w *world) versioned(name string) {
	w.t.Helper()
	w.call(200, "PUT", "/"+name, "")
	w.call(200, "PUT", "/"+name+"?versioning", enabled)
}

// md5Of returns a Content-MD5.
func md5Of(s string) string {
	sum := md5.Sum([]byte(s))
	return base64.StdEncoding.EncodeToString(sum[:])
}

var variable = regexp.MustCompile(`<(RequestId|HostId|UploadId|VersionId|NextVersionIdMarker|DeleteMarkerVersionId)>[^<]{16,}</`)

// golden compares an answer's body with testdata/NAME.xml.
func golden(t *testing.T, name, got string) {
	t.Helper()
	got = variable.ReplaceAllString(got, "<$1>...</")
	got = strings.ReplaceAll(got, "><", ">\n<") + "\n"
	file := filepath.Join("testdata", name+".xml")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// oddKeys are keys that have broken other servers and clients.
var oddKeys = []string{
	"a", "a//b", "/a", "//", "a/", "/", ".", "a/..", "./x", "a/./../y", "a/../b", "..b/", "a/b/../../c", "a+b", "a%2Fb", "a%b", "a b", " ", "é", "日本",
	"\u00e9", "e\u0301", "\ufffe", "\U0001f600", "a&b<c>\"'", "\x01\x02", "tab\tnl\n\r", "?versionId=1", "#h", "~", "\\", "*", "a;b=c&d",
	"soap", "\x7f", "a=b", ":", "@", "[1]", "{}", "|", "^", "`", strings.Repeat("k", 1024), strings.Repeat("é", 512),
}

func TestOddKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.versioned("odd")
	w.versioned("copies")
	for _, k := range oddKeys {
		if got := w.do(request{method: "PUT", path: "/odd/" + k, body: "body of " + k}); got.status != 200 {
			t.Errorf("PUT %q: %d %s", k, got.status, got.body)
		}
		if got := w.do(request{method: "GET", path: "/odd/" + k}); got.status != 200 || got.body != "body of "+k {
			t.Errorf("GET %q: %d %q", k, got.status, got.body)
		}
		host := "odd.localhost"
		if got := w.do(request{method: "HEAD", path: "/" + k, host: host}); got.status != 200 {
			t.Errorf("HEAD %q virtual-hosted: %d", k, got.status)
		}
		if got := w.do(request{method: "PUT", path: "/copy", host: "copies.s3.example.com", header: map[string]string{"x-amz-copy-source": "/odd/" + sigv4.EncodePath(k)}}); got.status != 200 {
			t.Errorf("copy of %q: %d %s", k, got.status, got.body)
		}
	}
	if diff := cmp.Diff(sorted(oddKeys), w.listAll("odd", "list-type=2&encoding-type=url&max-keys=5", "Contents")); diff != "" {
		t.Errorf("ListObjectsV2: %s", diff)
	}
	if diff := cmp.Diff(sorted(oddKeys), w.listAll("odd", "encoding-type=url&max-keys=7", "Contents")); diff != "" {
		t.Errorf("ListObjects: %s", diff)
	}
	for _, k := range oddKeys {
		if got := w.do(request{method: "DELETE", path: "/odd/" + k}); got.status != 204 {
			t.Errorf("DELETE %q: %d", k, got.status)
		}
		if got := w.do(request{method: "GET", path: "/odd/" + k}); got.status != 404 {
			t.Errorf("GET %q after its end: %d", k, got.status)
		}
	}
	if diff := cmp.Diff(sorted(oddKeys), w.listAll("odd", "versions&encoding-type=url&max-keys=3&prefix=", "DeleteMarker")); diff != "" {
		t.Errorf("ListObjectVersions: %s", diff)
	}
}

// TestAnyKey: whatever a key consists of, it is written, found, listed, copied
// and deleted as it is.
func TestAnyKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call(200, "PUT", "/any", "")
	w.call(200, "PUT", "/copies", "")
	rapid.Check(t, func(rt *rapid.T) {
		key := rapid.StringOfN(rapid.Rune(), 1, 1024, object.MaxKey).
			Filter(func(key string) bool { return !strings.Contains(key, "..") }).Draw(rt, "key") // may lead out of the bucket
		if got := w.do(request{method: "PUT", path: "/any/" + key, body: key}); got.status != 200 {
			rt.Fatalf("PUT: %d %s", got.status, got.body)
		}
		if got := w.do(request{method: "GET", path: "/any/" + key}); got.body != key {
			rt.Fatalf("GET: %d %q", got.status, got.body)
		}
		source := map[string]string{"x-amz-copy-source": "any/" + sigv4.EncodePath(key)}
		if got := w.do(request{method: "PUT", path: "/copies/" + key, header: source}); got.status != 200 {
			rt.Fatalf("copy: %d %s", got.status, got.body)
		}
		for _, query := range []string{"list-type=2", "max-keys=9", "versions"} {
			got := w.listAll("any", query+"&encoding-type=url&prefix="+url.QueryEscape(key), map[bool]string{true: "Version", false: "Contents"}[query == "versions"])
			if !slices.Equal(got, []string{key}) {
				rt.Fatalf("%s: %q", query, got)
			}
		}
		if got := w.do(request{method: "DELETE", path: "/any/" + key}); got.status != 204 {
			rt.Fatalf("DELETE: %d %s", got.status, got.body)
		}
		if got := w.do(request{method: "HEAD", path: "/any/" + key}); got.status != 404 {
			rt.Fatalf("HEAD of what was deleted: %d", got.status)
		}
	})
}

func sorted(keys []string) []string {
	seen := map[string]bool{}
	var out []string
	for _, k := range keys {
		if !seen[k] {
			seen[k] = true
			out = append(out, k)
		}
	}
	for i := range out {
		for j := i + 1; j < len(out); j++ {
			if out[j] < out[i] {
				out[i], out[j] = out[j], out[i]
			}
		}
	}
	return out
}

// FuzzRequest sends signed requests of all kinds: the door must answer each,
// whatever it says.
func FuzzRequest(f *testing.F) {
	w := newWorld(f)
	w.versioned("bkt")
	w.call(200, "PUT", "/bkt/k", "body")
	door := s3api.New(s3api.Config{Store: w.store, IAM: w.iam, Region: "us-east-1", Log: slog.New(slog.DiscardHandler), Now: w.now})
	f.Add("GET", "/bkt/k", "versionId=null", "Range", "bytes=0-1", "")
	f.Add("PUT", "/bkt/k", "partNumber=1&uploadId=x", "X-Amz-Copy-Source", "/bkt/k", "")
	f.Add("POST", "/bkt", "delete", "Content-Md5", md5Of("<Delete/>"), "<Delete/>")
	f.Add("PUT", "/bkt", "replication", "X-Amz-Checksum-Crc32", "AAAAAA==", "<x/>")
	f.Add("GET", "/bkt", "versions&key-marker=a&max-keys=2", "X-Amz-Expected-Bucket-Owner", "1", "")
	f.Add("DELETE", "/bkt/k", "tagging", "If-Match", "*", "")
	f.Add("OPTIONS", "/bkt/k", "", "Origin", "http://a", "")
	f.Add("GET", "/bkt", "metrics&continuation-token=MWE", "Origin", "http://a", "")
	f.Add("PUT", "/bkt", "metrics&id=a", "X-Amz-Request-Payer", "requester", "<MetricsConfiguration><Id>a</Id></MetricsConfiguration>")
	f.Add("PUT", "/bkt", "cors", "Content-Md5", md5Of(corsRules), corsRules)
	f.Add("PUT", "/bkt", "logging", "X-Amz-Expected-Bucket-Owner", "1", "<BucketLoggingStatus/>")
	f.Add("GET", "/bkt/k", "attributes", "X-Amz-Object-Attributes", "ETag,ObjectParts", "")
	f.Fuzz(func(t *testing.T, method, path, query, name, value, body string) {
		r, err := http.NewRequest(method, "http://localhost/", strings.NewReader(body))
		if err != nil || !strings.HasPrefix(path, "/") {
			return
		}
		r.URL.Path, r.URL.RawQuery, r.RemoteAddr = path, query, "127.0.0.1:1"
		r.Header.Set(name, value)
		r.Header.Set("Content-Length", strconv.Itoa(len(body)))
		w.sign(r, source)
		d := &discard{h: http.Header{}}
		door.ServeHTTP(d, r)
		if d.status < 200 || d.status > 599 || d.status == 500 {
			t.Errorf("%s %q ?%q %q: %q: status %d", method, path, query, name, value, d.status)
		}
	})
}
