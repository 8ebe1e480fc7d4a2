package iam

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"twinbucket/fault"
	"twinbucket/identity"
	"twinbucket/internal/catalog"
	"twinbucket/internal/sigv4"
	"twinbucket/internal/store"
	"twinbucket/internal/vfs"
	"twinbucket/policy"
	"twinbucket/role"
)

const (
	src = "111111111111"
	dst = "222222222222"

	trustS3  = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"sts:AssumeRole"}}`
	trustSrc = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":["sts:AssumeRole","sts:TagSession"]}}`
	readSrc  = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::src/*"}}`
)

// clock is a clock that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// world is a service on a disk that survives restarts.
type world struct {
	*Service
	t     testing.TB
	ctx   context.Context
	disk  vfs.FS
	store *store.Store
	clock *clock
}

// newWorld returns a service with the accounts src and dst.
func newWorld(t testing.TB) *world { return worldOn(t, vfs.Memory()) }

func worldOn(t testing.TB, disk vfs.FS) *world {
	w := &world{t: t, ctx: t.Context(), disk: disk, clock: &clock{now: time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)}}
	w.start()
	t.Cleanup(w.stop)
	for name, id := range map[string]string{"src": src, "dst": dst} {
		if _, err := w.EnsureAccount(w.ctx, name, id); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func (w *world) start() {
	w.t.Helper()
	var err error
	if w.store, err = store.Open(w.disk, "data", store.Options{}); err != nil {
		w.t.Fatal(err)
	}
	if w.Service, err = New(catalog.New(w.store), w.clock.Now); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) stop() {
	if err := w.store.Close(); err != nil {
		w.t.Error(err)
	}
}

func (w *world) restart() {
	w.stop()
	w.start()
}

// role makes a role of account src.
func (w *world) role(name, trust string, inline ...string) *role.Role {
	w.t.Helper()
	r := role.Role{Identity: identity.Identity{Account: src, Name: name}, Trust: []byte(trust)}
	if len(inline) > 0 {
		r.Inline = map[string][]byte{"p": []byte(inline[0])}
	}
	made, err := w.CreateRole(w.ctx, r)
	if err != nil {
		w.t.Fatalf("%v (%s)", err, fault.HintOf(err))
	}
	return made
}

// root returns the root user of an account, and its credentials.
func (w *world) root(id string) (*Caller, sigv4.Credentials) {
	for _, a := range w.Accounts() {
		if a.ID == id {
			return &Caller{Principal: a.root()}, sigv4.Credentials{AccessKey: a.AccessKey, Secret: a.Secret}
		}
	}
	w.t.Fatalf("no account %s", id)
	return nil, sigv4.Credentials{}
}

// assume begins a session of a role as the root user of src.
func (w *world) assume(in AssumeRole) sigv4.Credentials {
	w.t.Helper()
	c, _ := w.root(src)
	if in.Name == "" {
		in.Name = "test"
	}
	out, err := w.AssumeRole(w.ctx, c, in)
	if err != nil {
		w.t.Fatalf("%v (%s)", err, fault.HintOf(err))
	}
	return sigv4.Credentials{AccessKey: out.AccessKey, Secret: out.Secret, Token: out.Token}
}

// request returns a signed request to a service.
func (w *world) request(cred sigv4.Credentials, region, service string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "http://localhost:9000/", strings.NewReader(""))
	sigv4.Sign(r, cred, region, service, sigv4.EmptyPayload, w.clock.Now())
	return r
}

// login authenticates with credentials.
func (w *world) login(cred sigv4.Credentials) (*Caller, error) {
	return w.Authenticate(w.request(cred, "us-east-1", "s3"), "s3")
}

func wantError(t *testing.T, err error, kind fault.Kind, code, message string) {
	t.Helper()
	if fault.KindOf(err) != kind || fault.CodeOf(err) != code || !strings.Contains(fault.MessageOf(err), message) {
		t.Errorf("got %v, %s %q\nwant %v, %s with %q", fault.KindOf(err), fault.CodeOf(err), fault.MessageOf(err), kind, code, message)
	}
}

func TestAccounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.Accounts()
	w.restart()
	after := w.Accounts()
	if len(before) != 2 || !reflect.DeepEqual(before, after) {
		t.Errorf("accounts before a restart %v, after %v", before, after)
	}
	if a := after[0]; a.ID != src || a.Name != "src" || len(a.AccessKey) != 20 || !strings.HasPrefix(a.AccessKey, "AKIA") || len(a.Secret) != 40 {
		t.Errorf("account %+v", a)
	}
	again, err := w.EnsureAccount(w.ctx, "src", src)
	if err != nil || !reflect.DeepEqual(again, before[0]) {
		t.Errorf("ensured again: %+v, %v", again, err)
	}
	_, err = w.EnsureAccount(w.ctx, "other", src)
	wantError(t, err, fault.Exists, "", `account 111111111111 is called "src"`)
	_, err = w.EnsureAccount(w.ctx, "src", "333333333333")
	wantError(t, err, fault.Exists, "", `"src" is the name of account`)
	_, err = w.EnsureAccount(w.ctx, "x", "123")
	wantError(t, err, fault.Invalid, "", "not an account id")
	_, err = w.EnsureAccount(w.ctx, "a b", "333333333333")
	wantError(t, err, fault.Invalid, "", "not a name")
}

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.SetRegion("eu-west-1")
	_, cred := w.root(src)
	_, other := w.root(dst)
	other.AccessKey = cred.AccessKey
	unknown := sigv4.Credentials{AccessKey: "AKIAIOSFODNN7EXAMPLE", Secret: "x"}
	withToken := cred
	withToken.Token = "x"
	tests := []struct {
		name            string
		cred            sigv4.Credentials
		region, service string
		code, message   string
	}{
		{"good", cred, "eu-west-1", "s3", "", ""},
		{"good iam", cred, "us-east-1", "iam", "", ""},
		{"good sts", cred, "eu-west-1", "sts", "", ""},
		{"unknown key", unknown, "eu-west-1", "s3", "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."},
		{"unknown key iam", unknown, "eu-west-1", "iam", "InvalidClientTokenId", "The security token included in the request is invalid."},
		{"wrong secret", other, "eu-west-1", "s3", "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your key and signing method."},
		{"wrong secret sts", other, "eu-west-1", "sts", "SignatureDoesNotMatch", "Check your AWS Secret Access Key and signing method."},
		{"token with long-lived key", withToken, "eu-west-1", "s3", "InvalidToken", "The provided token is malformed or otherwise invalid."},
		{"wrong region", cred, "us-east-1", "s3", "AuthorizationHeaderMalformed", "the region 'us-east-1' is wrong; expecting 'eu-west-1'"},
		{"wrong region cloudformation", cred, "us-east-1", "cloudformation", "SignatureDoesNotMatch", "Credential should be scoped to a valid region."},
	}
	for _, tt := range tests {
		c, err := w.Authenticate(w.request(tt.cred, tt.region, tt.service), tt.service)
		if tt.code != "" {
			if fault.CodeOf(err) != tt.code || !strings.Contains(fault.MessageOf(err), tt.message) {
				t.Errorf("%s: %v, want %s %q", tt.name, err, tt.code, tt.message)
			}
			continue
		}
		if err != nil || c.Type != policy.RootUser || c.Account != src || c.Verified == nil || c.UserID != src {
			t.Errorf("%s: %+v, %v", tt.name, c, err)
		}
	}
}

func TestAuthenticateOtherService(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, cred := w.root(src)
	_, err := w.Authenticate(w.request(cred, "us-east-1", "iam"), "s3")
	wantError(t, err, fault.Invalid, "AuthorizationHeaderMalformed", `incorrect service "iam". This endpoint belongs to "s3".`)
	_, err = w.Authenticate(w.request(cred, "us-east-1", "s3"), "iam")
	wantError(t, err, fault.Unknown, "SignatureDoesNotMatch", "Credential should be scoped to correct service: 'iam'.")
}

func TestAuthenticateUnsigned(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	c, err := w.Authenticate(r, "s3")
	if err != nil || c.Type != policy.Anonymous || c.Account != "" || c.Verified != nil {
		t.Errorf("s3: %+v, %v", c, err)
	}
	_, err = w.Authenticate(r, "iam")
	wantError(t, err, fault.Unknown, "MissingAuthenticationToken", "Request is missing Authentication Token")
}

func TestAuthenticateSkew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, cred := w.root(src)
	s3, sts := w.request(cred, "us-east-1", "s3"), w.request(cred, "us-east-1", "sts")
	w.clock.advance(16 * time.Minute)
	_, err := w.Authenticate(s3, "s3")
	wantError(t, err, fault.Denied, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.")
	_, err = w.Authenticate(sts, "sts")
	wantError(t, err, fault.Denied, "SignatureDoesNotMatch", "Signature expired: 20260601T120000Z is now earlier than 20260601T120100Z (20260601T121600Z - 15 min.)")
	w.clock.advance(-32 * time.Minute)
	_, err = w.Authenticate(sts, "sts")
	wantError(t, err, fault.Denied, "SignatureDoesNotMatch", "Signature not yet current: 20260601T120000Z is still later than 20260601T115900Z (20260601T114400Z + 15 min.)")
}

// TestBodyStaysReadable: the signature of a query-protocol request covers its
// body, and the door still gets it.
func TestBodyStaysReadable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, cred := w.root(src)
	const body = "Action=GetCallerIdentity&Version=2011-06-15"
	sign := func(signed, sent string) *http.Request {
		r := httptest.NewRequest(http.MethodPost, "http://localhost:9000/", strings.NewReader(sent))
		sigv4.Sign(r, cred, "us-east-1", "sts", sigv4hash(signed), w.clock.Now())
		return r
	}
	r := sign(body, body)
	if _, err := w.Authenticate(r, "sts"); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r.Body); err != nil || string(got) != body {
		t.Errorf("body %q, %v", got, err)
	}
	_, err := w.Authenticate(sign(body, strings.Replace(body, "Get", "Set", 1)), "sts")
	wantError(t, err, fault.Denied, "SignatureDoesNotMatch", "Check your AWS Secret Access Key")
}
