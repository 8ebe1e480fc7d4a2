package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"twinbucket/fault"
	"twinbucket/internal/sigv4"
)

var testCredentials = Credentials{AccessKey: "AKIATEST", Secret: "secret", Token: "token"}

// exchange is a request that a test expects and the answer to it.
type exchange struct {
	request string            // "PUT /b/k?versionId=1"
	header  map[string]string // headers that must be there
	body    string            // "" for no body; "*" for any
	status  int               // 0 for 200
	answer  string
	extra   map[string]string // headers of the answer
}

// serve starts a server that expects exactly the exchanges, checks every
// request's signature, and returns a client of it.
func serve(t *testing.T, steps ...exchange) *Client {
	t.Helper()
	var mu sync.Mutex
	n := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if n >= len(steps) {
			t.Errorf("a request too many: %s %s", r.Method, r.RequestURI)
			w.WriteHeader(http.StatusTeapot)
			return
		}
		step := steps[n]
		n++
		body := verified(t, r)
		if got := r.Method + " " + r.RequestURI; got != step.request {
			t.Errorf("request %d: %s\nwant %s", n, got, step.request)
		}
		if step.body != "*" && body != step.body {
			t.Errorf("request %d: body %s\nwant %s", n, body, step.body)
		}
		for name, value := range step.header {
			if got := r.Header.Get(name); got != value {
				t.Errorf("request %d: %s: %q, want %q", n, name, got, value)
			}
		}
		for name, value := range step.extra {
			w.Header().Set(name, value)
		}
		w.WriteHeader(max(step.status, http.StatusOK))
		_, _ = io.WriteString(w, step.answer)
	}))
	t.Cleanup(func() {
		s.Close()
		if n != len(steps) {
			t.Errorf("%d requests, want %d", n, len(steps))
		}
	})
	return newClient(t, s.URL, nil)
}

// verified checks a request's signature and returns its body.
func verified(t *testing.T, r *http.Request) string {
	t.Helper()
	claim, err := sigv4.Parse(r)
	if err != nil || claim == nil {
		t.Errorf("%s %s: signature %v, %v", r.Method, r.RequestURI, claim, err)
		return ""
	}
	v, err := claim.Verify(r, testCredentials.Secret, time.Now())
	if err != nil {
		t.Errorf("%s %s: %v (%s)", r.Method, r.RequestURI, err, fault.HintOf(err))
		return ""
	}
	if v.Token != testCredentials.Token {
		t.Errorf("token %q", v.Token)
	}
	data, err := io.ReadAll(v.Body(r.Body, r.ContentLength))
	if err != nil {
		t.Errorf("%s %s: body: %v", r.Method, r.RequestURI, err)
	}
	return string(data)
}

func newClient(t *testing.T, endpoint string, h *http.Client) *Client {
	t.Helper()
	c, err := New(Config{Endpoint: endpoint, Credentials: testCredentials, HTTP: h})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// local is a transport without a network: it calls a function.
type local func(r *http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (l local) RoundTrip(r *http.Request) (*http.Response, error) {
	defer r.Body.Close()
	resp, err := l(r)
	if resp != nil && resp.Body == nil {
		resp.Body = http.NoBody
	}
	if resp != nil && resp.Header == nil {
		resp.Header = http.Header{}
	}
	return resp, err
}

func TestNew(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"127.0.0.1:9000", "ftp://x", "http://", "::"} {
		if _, err := New(Config{Endpoint: bad}); !errors.Is(err, fault.Invalid) || fault.HintOf(err) == "" {
			t.Errorf("%q: %v", bad, err)
		}
	}
	c, err := New(Config{Endpoint: "http://h:1/base/"})
	if err != nil || c.Region() != "us-east-1" || c.base.Path != "/base" {
		t.Errorf("%+v, %v", c, err)
	}
	other := c.As(Credentials{AccessKey: "B"})
	if c.cred.AccessKey != "" || other.cred.AccessKey != "B" || other.http != c.http {
		t.Error("As changed the client or did not copy it")
	}
}

func TestEndpoints(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		endpoint, service, account string
		want, region               string
	}{
		{"", serviceS3, "", "https://s3.eu-west-1.amazonaws.com", "eu-west-1"},
		{"", serviceS3, "111122223333", "https://111122223333.s3-control.eu-west-1.amazonaws.com", "eu-west-1"},
		{"", serviceIAM, "", "https://iam.amazonaws.com", "us-east-1"},
		{"", serviceSTS, "", "https://sts.eu-west-1.amazonaws.com", "eu-west-1"},
		{"", serviceCloudFormation, "", "https://cloudformation.eu-west-1.amazonaws.com", "eu-west-1"},
		{"https://s3.dualstack.eu-west-1.amazonaws.com", serviceS3, "", "https://s3.dualstack.eu-west-1.amazonaws.com", "eu-west-1"},
		{"https://s3.eu-west-1.amazonaws.com", serviceS3, "111122223333", "https://111122223333.s3-control.eu-west-1.amazonaws.com", "eu-west-1"},
		{"http://127.0.0.1:9000", serviceS3, "111122223333", "http://127.0.0.1:9000", "eu-west-1"},
		{"http://localhost:9000/x", serviceIAM, "", "http://localhost:9000/x", "eu-west-1"},
	} {
		cl, err := New(Config{Endpoint: c.endpoint, Region: "eu-west-1"})
		if err != nil {
			t.Fatal(err)
		}
		u, region := cl.endpoint(c.service, c.account)
		if u.String() != c.want || region != c.region {
			t.Errorf("%q, %s: %s %s, want %s %s", c.endpoint, c.service, &u, region, c.want, c.region)
		}
	}
	for host, want := range map[string]bool{"http://127.0.0.1:1": true, "http://[::1]:1": true, "http://localhost": true, "https://x": true, "http://10.0.0.1": false, "http://x": false} {
		u, err := url.Parse(host)
		if err != nil || private(u) != want {
			t.Errorf("private(%s) = %t", host, !want)
		}
	}
}

// TestErrors reads errors of all shapes.
func TestErrors(t *testing.T) {
	t.Parallel()
	hint := map[string]string{"X-Twinbucket-Hint": "from the header"}
	for _, c := range []struct {
		name string
		step exchange
		want fault.Error
	}{
		{"s3", exchange{status: 404, answer: "<?xml version=\"1.0\"?>\n<Error><Code>NoSuchBucketPolicy</Code><Message>The bucket policy does not exist</Message><Hint>put one</Hint></Error>", extra: hint}, fault.Error{Kind: fault.NotFound, Code: "NoSuchBucketPolicy", Message: "The bucket policy does not exist", Hint: "put one"}},
		{"hint in the header", exchange{status: 403, answer: "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>", extra: hint}, fault.Error{Kind: fault.Denied, Code: "AccessDenied", Message: "Access Denied", Hint: "from the header"}},
		{"wrapped", exchange{status: 400, answer: "<ErrorResponse xmlns=\"x\"><Error><Type>Sender</Type><Code>Bad</Code><Message>m</Message><Hint>h</Hint></Error></ErrorResponse>"}, fault.Error{Kind: fault.Invalid, Code: "Bad", Message: "m", Hint: "h"}},
		{"no such key", exchange{status: 403, answer: "<Error><Code>InvalidAccessKeyId</Code><Message>m</Message></Error>"}, fault.Error{Kind: fault.Unknown, Code: "InvalidAccessKeyId", Message: "m"}},
		{"conflict", exchange{status: 409, answer: "<Error><Code>BucketNotEmpty</Code><Message>m</Message></Error>"}, fault.Error{Kind: fault.Conflict, Code: "BucketNotEmpty", Message: "m"}},
		{"not implemented", exchange{status: 501, answer: "<Error><Code>NotImplemented</Code><Message>m</Message></Error>"}, fault.Error{Kind: fault.Unsupported, Code: "NotImplemented", Message: "m"}},
		{"no body", exchange{status: 403}, fault.Error{Kind: fault.Denied, Code: "AccessDenied", Message: "HTTP 403 Forbidden"}},
		{"other region", exchange{status: 301, extra: map[string]string{"X-Amz-Bucket-Region": "eu-west-1", "Location": "http://elsewhere/"}}, fault.Error{Kind: fault.Invalid, Code: "PermanentRedirect", Message: "HTTP 301 Moved Permanently", Hint: "the bucket is in the region eu-west-1"}},
		{"a web server", exchange{status: 404, answer: "<html><body>nothing"}, fault.Error{Kind: fault.NotFound, Code: "NoSuchBucket", Message: "HTTP 404 Not Found", Hint: `the answer is not one of AWS's APIs: "<html><body>nothing"`}},
		{"no space", exchange{status: 507, answer: "<Error><Code>X</Code><Message>m</Message></Error>"}, fault.Error{Kind: fault.NoSpace, Code: "X", Message: "m"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.step.request = "GET /b?policy="
			_, err := serve(t, c.step).GetBucketPolicy(t.Context(), "b")
			c.want.Op, c.want.Thing = "s3.GetBucketPolicy", "b"
			var e *fault.Error
			if !errors.As(err, &e) {
				t.Fatalf("%v is no fault", err)
			}
			if diff := cmp.Diff(&c.want, e); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestBrokenAnswers: answers that begin well and are not.
func TestBrokenAnswers(t *testing.T) {
	t.Parallel()
	const get = "GET /b?versioning="
	for _, c := range []struct {
		name, answer string
		kind         fault.Kind
		code         string
	}{
		{"empty", "", fault.Damaged, ""},
		{"not XML", "hello", fault.Damaged, ""},
		{"cut XML", "<VersioningConfiguration><Status>Ena", fault.Damaged, ""},
		{"wrong end", "<VersioningConfiguration></Other>", fault.Damaged, ""},
		{"error in 200", "\n\n <Error><Code>AccessDenied</Code><Message>m</Message></Error>", fault.Denied, "AccessDenied"},
		{"cut error in 200", "<Error><Code>Acc", fault.Damaged, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := serve(t, exchange{request: get, answer: c.answer}).GetBucketVersioning(t.Context(), "b")
			if fault.KindOf(err) != c.kind || fault.CodeOf(err) != c.code {
				t.Errorf("%v: kind %v, want %v %q", err, fault.KindOf(err), c.kind, c.code)
			}
		})
	}
}

// TestTruncated cuts every answer in the middle: the call is repeated and
// then fails.
func TestTruncated(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		c := newClient(t, "http://h", &http.Client{Transport: local(func(*http.Request) (*http.Response, error) {
			calls++
			body := io.MultiReader(strings.NewReader("<VersioningConfig"), &brokenReader{})
			return &http.Response{StatusCode: 200, ContentLength: 100, Body: io.NopCloser(body)}, nil
		})})
		_, err := c.GetBucketVersioning(t.Context(), "b")
		if !errors.Is(err, fault.Busy) || !errors.Is(err, io.ErrUnexpectedEOF) || calls != maxAttempts {
			t.Errorf("%v after %d calls", err, calls)
		}
	})
}

type brokenReader struct{}

func (*brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestRetries counts attempts and measures waits.
func TestRetries(t *testing.T) {
	t.Parallel()
	reset := &net.OpError{Op: "read", Err: errors.New("connection reset")}
	put := func(ctx context.Context, c *Client) error {
		_, err := c.PutObject(ctx, Put{Version: version("b", "k"), Body: strings.NewReader("data")})
		return err
	}
	conditional := func(ctx context.Context, c *Client) error {
		_, err := c.PutObject(ctx, Put{Version: version("b", "k"), Body: strings.NewReader("data"), IfNoneMatch: "*"})
		return err
	}
	stack := func(ctx context.Context, c *Client) error { return c.DeleteStack(ctx, "s") }
	for _, c := range []struct {
		name     string
		call     func(context.Context, *Client) error
		status   int
		code     string
		after    string
		err      error
		failures int
		calls    int
		min, max time.Duration
	}{
		{"busy twice", put, 503, "SlowDown", "", nil, 2, 3, 100 * time.Millisecond, 400 * time.Millisecond},
		{"busy for ever", put, 503, "SlowDown", "", nil, 99, maxAttempts, 300 * time.Millisecond, time.Second},
		{"internal error", put, 500, "InternalError", "", nil, 1, 2, 50 * time.Millisecond, 100 * time.Millisecond},
		{"asked to wait", put, 429, "TooManyRequests", "7", nil, 1, 2, 7 * time.Second, 7 * time.Second},
		{"asked to wait too long", put, 503, "SlowDown", "86400", nil, 1, 2, maxRetryAfter, maxRetryAfter},
		{"connection reset", put, 0, "", "", reset, 1, 2, 50 * time.Millisecond, 100 * time.Millisecond},
		{"denied", put, 403, "AccessDenied", "", nil, 99, 1, 0, 0},
		{"not implemented", put, 501, "NotImplemented", "", nil, 99, 1, 0, 0},
		{"conditional, reset", conditional, 0, "", "", reset, 99, 1, 0, 0},
		{"not to be repeated, reset", stack, 0, "", "", reset, 99, 1, 0, 0},
		{"not to be repeated, internal error", stack, 500, "InternalFailure", "", nil, 99, 1, 0, 0},
		{"not to be repeated, throttled", stack, 400, "Throttling", "", nil, 1, 2, 50 * time.Millisecond, 100 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				cl := newClient(t, "http://127.0.0.1", &http.Client{Transport: local(func(r *http.Request) (*http.Response, error) {
					calls++
					body := verified(t, r)
					if r.Method == http.MethodPut && body != "data" {
						t.Errorf("attempt %d sent %q", calls, body)
					}
					if calls > c.failures {
						return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader("<A></A>"))}, nil
					}
					if c.err != nil {
						return nil, c.err
					}
					answer := "<Error><Code>" + c.code + "</Code><Message>m</Message></Error>"
					return &http.Response{StatusCode: c.status, Header: http.Header{"Retry-After": {c.after}}, Body: io.NopCloser(strings.NewReader(answer))}, nil
				})})
				start := time.Now()
				err := c.call(t.Context(), cl)
				if calls != c.calls || (err == nil) != (c.failures < c.calls) {
					t.Errorf("%d calls, want %d; %v", calls, c.calls, err)
				}
				if took := time.Since(start); took < c.min || took > c.max {
					t.Errorf("took %v, want %v to %v", took, c.min, c.max)
				}
			})
		})
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		calls := 0
		c := newClient(t, "http://h", &http.Client{Transport: local(func(r *http.Request) (*http.Response, error) {
			calls++
			if err := r.Context().Err(); err != nil {
				return nil, err
			}
			return &http.Response{StatusCode: 503}, nil
		})})
		start := time.Now()
		err := c.HeadBucket(ctx, "b")
		if err == nil || calls != 1 || time.Since(start) != 20*time.Millisecond {
			t.Errorf("%v after %d calls and %v", err, calls, time.Since(start))
		}
		if err := c.HeadBucket(ctx, "b"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with a dead context: %v", err)
		}
	})
}

// TestSlowReader: a transport may go on reading the body after it failed, and
// the next attempt must wait for it.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var reading atomic.Int32
		var wg sync.WaitGroup
		calls := 0
		c := newClient(t, "http://127.0.0.1", &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			calls++
			if reading.Add(1) != 1 {
				t.Error("two attempts read the body at once")
			}
			wg.Go(func() {
				timer := time.NewTimer(time.Minute)
				<-timer.C
				_, _ = io.Copy(io.Discard, r.Body)
				reading.Add(-1)
				_ = r.Body.Close()
			})
			if calls == 1 {
				return nil, errors.New("broken")
			}
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody}, nil
		})})
		_, err := c.PutObject(t.Context(), Put{Version: version("b", "k"), Body: strings.NewReader("data")})
		wg.Wait()
		if err != nil || calls != 2 {
			t.Errorf("%v after %d calls", err, calls)
		}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestClock: a client whose clock is wrong learns the time from the server.
func TestClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		c := newClient(t, "http://h", &http.Client{Transport: local(func(r *http.Request) (*http.Response, error) {
			calls++
			now := time.Now().Add(3 * time.Hour)
			claim, err := sigv4.Parse(r)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := claim.Verify(r, testCredentials.Secret, now); err != nil {
				answer := "<Error><Code>" + fault.CodeOf(err) + "</Code><Message>m</Message></Error>"
				return &http.Response{StatusCode: 403, Header: http.Header{"Date": {now.UTC().Format(http.TimeFormat)}}, Body: io.NopCloser(strings.NewReader(answer))}, nil
			}
			return &http.Response{StatusCode: 200}, nil
		})})
		if err := unrepeatable(t.Context(), c); err != nil || calls != 2 {
			t.Errorf("%v after %d calls", err, calls)
		}
		if err := c.HeadBucket(t.Context(), "b"); err != nil || calls != 3 {
			t.Errorf("%v after %d calls", err, calls)
		}
	})
}

// unrepeatable makes a call that must not be repeated blindly.
func unrepeatable(ctx context.Context, c *Client) error {
	k := onBucket("Once", http.MethodPost, "b", "")
	k.once = true
	return c.empty(ctx, k)
}

func TestNoServer(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	endpoint := "http://" + l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	err = unrepeatable(t.Context(), newClient(t, endpoint, nil))
	if !errors.Is(err, fault.Busy) || fault.HintOf(err) != "is the server running at "+endpoint+"?" {
		t.Errorf("%v, hint %q", err, fault.HintOf(err))
	}
}

func TestAnonymous(t *testing.T) {
	t.Parallel()
	c := newClient(t, "http://h", &http.Client{Transport: local(func(r *http.Request) (*http.Response, error) {
		if r.Header.Get("Authorization") != "" {
			t.Error("an anonymous request is signed")
		}
		return &http.Response{StatusCode: 200}, nil
	})}).As(Credentials{})
	if err := c.HeadBucket(t.Context(), "b"); err != nil {
		t.Error(err)
	}
}

// TestKeys sends keys that are hard to send and lists them back.
func TestKeys(t *testing.T) {
	t.Parallel()
	keys := map[string]string{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		verified(t, r)
		if r.Method == http.MethodPut {
			keys[strings.TrimPrefix(r.URL.Path, "/b/")] = r.URL.EscapedPath()
			return
		}
		fmt.Fprint(w, "<ListBucketResult><EncodingType>url</EncodingType>")
		for _, k := range slices.Sorted(maps.Keys(keys)) {
			fmt.Fprintf(w, "<Contents><Key>%s</Key></Contents>", url.QueryEscape(k))
		}
		fmt.Fprint(w, "</ListBucketResult>")
	}))
	defer s.Close()
	c := newClient(t, s.URL, nil)
	want := []string{"%41", "%zz", "+", " ", "a b+c", "..", "../x", "./x", "/", "//a", "a//b", "a/", "?x=1", "a#b", "a&b=c", "\"<>'\\", "ünï/你好", "\x01\x7f", "\xff\xfe", "~-_.!*'()", "a;b", ":@,$"}
	for _, key := range want {
		if _, err := c.PutObject(t.Context(), Put{Version: version("b", key), Body: bytes.NewReader(nil)}); err != nil {
			t.Errorf("%q: %v", key, err)
		}
		if _, ok := keys[key]; !ok {
			t.Errorf("%q arrived as something else: %q", key, keys)
		}
	}
	var got []string
	for v, err := range c.Objects(t.Context(), "b", List{}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, v.Key)
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
