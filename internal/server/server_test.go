package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/config"
	"twinbucket/internal/iam"
	"twinbucket/internal/run"
	"twinbucket/internal/sigv4"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.DiscardHandler)

// start serves a new server until the test ends.
func start(t *testing.T, c config.Server) *Server {
	t.Helper()
	c.Listen, c.Region = "127.0.0.1:0", "us-east-1"
	s, err := Open(t.Context(), c, quiet)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	served := make(chan error)
	go func() { served <- s.Run(ctx) }()
	t.Cleanup(func() {
		begun := time.Now()
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
		if took := time.Since(begun); took > 3*time.Second {
			t.Errorf("stopping took %v", took)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return s
}

func TestHealthCredentialsAndStop(t *testing.T) {
	data := t.TempDir()
	s := start(t, config.Server{Data: data, Accounts: []config.Account{{Name: "source", ID: "111111111111"}}})
	res, err := http.Get("http://" + s.Addr() + healthPath)
	if err != nil || res.StatusCode != 200 {
		t.Fatalf("%v, %v", res, err)
	}
	res.Body.Close()
	info, err := os.Stat(CredentialsFile(data))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	text, err := os.ReadFile(CredentialsFile(data))
	if err != nil || !strings.HasPrefix(string(text), "[source]\naws_access_key_id = AKIA") {
		t.Errorf("%s, %v", text, err)
	}
	// A connection that says nothing does not hold the stop up.
	c, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
}

func TestDefaultAccount(t *testing.T) {
	s := start(t, config.Server{Data: t.TempDir()})
	if a := s.Accounts(); len(a) != 1 || a[0].Name != "default" || a[0].ID != "000000000000" {
		t.Errorf("%+v", a)
	}
}

func TestOpenFailures(t *testing.T) {
	data := t.TempDir()
	s := start(t, config.Server{Data: data})
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for hint, c := range map[string]config.Server{
		"another twinbucket uses": {Data: data, Listen: "127.0.0.1:0"},
		"another program uses":    {Data: t.TempDir(), Listen: s.Addr()},
		"listen on an address":    {Data: t.TempDir(), Listen: "nonsense"},
		"can be written to":       {Data: file, Listen: "127.0.0.1:0"},
	} {
		if s, err := Open(t.Context(), c, quiet); err == nil || !strings.Contains(fault.HintOf(err), hint) {
			t.Errorf("%s: %v, %v, hint %q", hint, s, err, fault.HintOf(err))
		}
	}
	if s, err := Open(t.Context(), config.Server{Data: filepath.Join(file, "x"), Listen: "127.0.0.1:0"}, quiet); err == nil {
		t.Errorf("data below a file: %v", s)
	}
	if _, err := os.Stat(filepath.Join(data, "credentials.new")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a temporary file was left: %v", err)
	}
}

func TestContinueBeforeEmptyBody(t *testing.T) {
	s := start(t, config.Server{Data: t.TempDir()})
	for header, want := range map[string]string{
		"Expect: 100-continue\r\n": "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\n",
		"":                         "HTTP/1.1 404 Not Found\r\n",
	} {
		c, err := net.Dial("tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, "PUT /bucket/key HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n"+header+"\r\n"); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(c)
		if err != nil || !strings.HasPrefix(string(answer), want) {
			t.Errorf("%q: %q, %v", header, answer, err)
		}
	}
}

// ask sends a request signed by the first account's root user.
func ask(t *testing.T, s *Server, method, path, service, body string) (int, string) {
	t.Helper()
	return askAs(t, s, s.Accounts()[0], method, path, service, body)
}

// askAs is ask by the root user of an account.
func askAs(t *testing.T, s *Server, a iam.Account, method, path, service, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(method, "http://"+s.Addr()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	sum := sha256.Sum256([]byte(body))
	sigv4.Sign(r, sigv4.Credentials{AccessKey: a.AccessKey, Secret: a.Secret}, "us-east-1", service, hex.EncodeToString(sum[:]), time.Now())
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(answer)
}

// The credentials file holds a key that works, whatever root users do to theirs.
func TestCredentialsFollowTheKeys(t *testing.T) {
	data := t.TempDir()
	s := start(t, config.Server{Data: data, Accounts: []config.Account{{Name: "source", ID: "111111111111"}}})
	file := func() string {
		t.Helper()
		text, err := os.ReadFile(CredentialsFile(data))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	form := func(action, more string) string {
		t.Helper()
		status, answer := ask(t, s, http.MethodPost, "/", "iam", "Version=2010-05-08&Action="+action+more)
		if status != 200 {
			t.Fatal(status, answer)
		}
		return answer
	}
	first := s.Accounts()[0].AccessKey
	_, rest, _ := strings.Cut(form("CreateAccessKey", ""), "<AccessKeyId>")
	second, _, _ := strings.Cut(rest, "<")
	if text := file(); !strings.Contains(text, first) || strings.Contains(text, second) {
		t.Errorf("with two keys: %s", text)
	}
	form("DeleteAccessKey", "&AccessKeyId="+first)
	if text := file(); !strings.HasPrefix(text, "[source]\naws_access_key_id = "+second+"\n") || strings.Contains(text, first) {
		t.Errorf("with the second key: %s", text)
	}
	form("UpdateAccessKey", "&Status=Inactive&AccessKeyId="+second)
	if text := file(); !strings.HasPrefix(text, "# source (111111111111): no root access key that works") || strings.Contains(text, "[source]") {
		t.Errorf("with none: %s", text)
	}
	if info, err := os.Stat(CredentialsFile(data)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

// A template is read from a bucket of the server, by its own address, and from
// nowhere else.
func TestTemplateURL(t *testing.T) {
	s := start(t, config.Server{Data: t.TempDir(), Domains: []string{"tb.example.com"}})
	for _, put := range []struct{ path, body string }{
		{"/templates", ""}, {"/templates/a/t.yaml", "Description: mine\nResources: {B: {Type: AWS::S3::Bucket}}\n"},
	} {
		if status, answer := ask(t, s, http.MethodPut, put.path, "s3", put.body); status != 200 {
			t.Fatal(status, answer)
		}
	}
	for address, want := range map[string]string{
		"http://" + s.Addr() + "/templates/a/t.yaml":            "<Description>mine</Description>",
		"https://templates.tb.example.com/a/t.yaml":             "<Description>mine</Description>",
		"https://s3.us-east-1.amazonaws.com/templates/a/t.yaml": "<Description>mine</Description>",
		"https://example.com/templates/a/t.yaml":                "<Message>TemplateURL must reference a valid S3 object to which you have access.</Message>",
	} {
		form := url.Values{"Action": {"ValidateTemplate"}, "Version": {"2010-05-15"}, "TemplateURL": {address}}
		if status, answer := ask(t, s, http.MethodPost, "/", "cloudformation", form.Encode()); !strings.Contains(answer, want) {
			t.Errorf("%s: %d %s", address, status, answer)
		}
	}
}

// Buckets have the ownership setting of the server whichever door makes them.
func TestObjectOwnership(t *testing.T) {
	s := start(t, config.Server{Data: t.TempDir(), Ownership: bucket.ObjectWriter})
	stack := url.Values{"Action": {"CreateStack"}, "Version": {"2010-05-15"}, "StackName": {"s"}, "TemplateBody": {"Resources: {B: {Type: AWS::S3::Bucket, Properties: {BucketName: of-a-stack}}}"}}
	if status, answer := ask(t, s, http.MethodPost, "/", "cloudformation", stack.Encode()); status != 200 {
		t.Fatal(status, answer)
	}
	if status, answer := ask(t, s, http.MethodPut, "/of-s3", "s3", ""); status != 200 {
		t.Fatal(status, answer)
	}
	for _, name := range []string{"of-a-stack", "of-s3"} {
		if status, answer := ask(t, s, http.MethodGet, "/"+name+"?ownershipControls", "s3", ""); !strings.Contains(answer, "<ObjectOwnership>ObjectWriter<") {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
}

func TestDispatch(t *testing.T) {
	door := func(name string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Door", name) })
	}
	d := &dispatcher{s3: door("s3"), control: door("s3control"), iam: door("iam"), stacks: door("cloudformation"), metrics: door("metrics"), broken: func() error { return nil }}
	for _, tt := range []struct{ method, url, host, service, header, want string }{
		{"GET", "/", "localhost:9000", "s3", "", "s3"},
		{"GET", "/", "localhost:9000", "", "", "s3"},
		{"POST", "/", "localhost:9000", "iam", "", "iam"},
		{"POST", "/", "localhost:9000", "sts", "", "iam"},
		{"POST", "/", "localhost:9000", "cloudformation", "", "cloudformation"},
		{"POST", "/", "localhost:9000", "ec2", "", "s3"},
		{"POST", "/v20180820/jobs", "111111111111.localhost:9000", "s3", "", "s3control"},
		{"POST", "/v20180820/jobs", "localhost:9000", "s3", "111111111111", "s3control"},
		{"PUT", "/v20180820/jobs", "localhost:9000", "s3", "", "s3"}, // a bucket of that name
		{"GET", "/key", "111111111111.localhost:9000", "s3", "", "s3"},
		{"GET", "/_twinbucket/health", "localhost:9000", "", "", ""},
		{"GET", "/_twinbucket/metrics", "localhost:9000", "", "", "metrics"},
		{"GET", "/_twinbucket/metrics", "bucket.localhost:9000", "s3", "", "s3"},
		{"PUT", "/_twinbucket/health", "bucket.localhost:9000", "s3", "", "s3"},
		{"GET", "http://111111111111.any/v20180820/jobs", "", "s3", "", "s3control"},
	} {
		r := httptest.NewRequest(tt.method, tt.url, nil)
		if tt.host != "" {
			r.Host = tt.host
		}
		if tt.header != "" {
			r.Header.Set("X-Amz-Account-Id", tt.header)
		}
		if tt.service != "" {
			sigv4.Sign(r, sigv4.Credentials{AccessKey: "AKIDEXAMPLE", Secret: "x"}, "us-east-1", tt.service, "UNSIGNED-PAYLOAD", time.Now())
		}
		w := httptest.NewRecorder()
		d.ServeHTTP(w, r)
		if got := w.Header().Get("Door"); got != tt.want {
			t.Errorf("%s %s %s %s: %s, want %s", tt.method, tt.host, tt.url, tt.service, got, tt.want)
		}
	}
}

// TestABrokenStoreEndsTheServer: the health says why, and the group ends.
func TestABrokenStoreEndsTheServer(t *testing.T) {
	why := fault.New(fault.Other, "", "the index could not be written").WithHint("start the server again")
	d := &dispatcher{broken: func() error { return nil }}
	for _, want := range []string{"200 ok", "503 the index could not be written\nhint: start the server again"} {
		w := httptest.NewRecorder()
		d.ServeHTTP(w, httptest.NewRequest(http.MethodGet, healthPath, nil))
		if got := fmt.Sprint(w.Code, " ", strings.TrimSpace(w.Body.String())); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		d.broken = func() error { return why }
	}
	broken := make(chan struct{})
	var parts run.Group
	parts.Add("store", until(broken, d.broken))
	parts.Add("http", func(soft, _ context.Context) error { <-soft.Done(); return nil })
	close(broken)
	if err := parts.Run(t.Context()); !errors.Is(err, why) {
		t.Errorf("%v", err)
	}
}
