package attack

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"twinbucket/bucket"
	"twinbucket/internal/config"
	"twinbucket/internal/server"
	"twinbucket/internal/sigv4"
)

// The accounts: the victim's, whose things are attacked, and the attacker's.
const (
	victim   = "111111111111"
	attacker = "222222222222"
	region   = "us-east-1"
	kmsKey   = "11111111-2222-3333-4444-555555555555" // of the victim
)

// world is a server with both accounts.
type world struct {
	*testing.T
	addr          string
	victim, stray sigv4.Credentials // of the root users
}

// newWorld serves until the test ends. Ownership is that of new buckets, ""
// for the default.
func newWorld(t *testing.T, ownership bucket.Ownership) *world {
	t.Helper()
	s, err := server.Open(t.Context(), config.Server{
		Data: t.TempDir(), Listen: "127.0.0.1:0", Region: region, Ownership: ownership, Domains: []string{"tb.example.com"},
		Keys:     []config.Key{{Account: victim, ID: kmsKey}},
		Accounts: []config.Account{{Name: "victim", ID: victim}, {Name: "attacker", ID: attacker}},
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	served := make(chan error)
	go func() { served <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	w := &world{T: t, addr: s.Addr()}
	for _, a := range s.Accounts() {
		cred := sigv4.Credentials{AccessKey: a.AccessKey, Secret: a.Secret}
		if a.ID == victim {
			w.victim = cred
		} else {
			w.stray = cred
		}
	}
	return w
}

// request is a request before it is signed, and how.
type request struct {
	method, path string // path with its query, as it goes over the wire
	host         string // the server's address if empty
	header       map[string]string
	body         string

	cred    sigv4.Credentials // none: the request is anonymous
	service string            // signed for; "s3" if empty
	region  string
	at      time.Time // of the signature; now if zero
	presign bool

	// after changes what was signed.
	after func(*http.Request)
}

// answer is what the server says.
type answer struct {
	status int
	header http.Header
	body   string
}

// code is AWS's error code, "" for success.
func (a answer) code() string {
	if a.status < 300 {
		return ""
	}
	if c := a.header.Get("X-Twinbucket-Code"); c != "" {
		return c
	}
	if c := a.text("Code"); c != "" {
		return c
	}
	return fmt.Sprint(a.status)
}

// text returns the text of the first element of that name.
func (a answer) text(element string) string {
	d := xml.NewDecoder(strings.NewReader(a.body))
	for {
		tok, err := d.Token()
		if err != nil {
			return ""
		}
		if s, ok := tok.(xml.StartElement); ok && s.Name.Local == element {
			var text string
			if d.DecodeElement(&text, &s) != nil {
				return ""
			}
			return text
		}
	}
}

// do sends a request.
func (w *world) do(in request) answer {
	w.Helper()
	u := "http://" + w.addr + in.path
	r, err := http.NewRequestWithContext(w.Context(), in.method, u, strings.NewReader(in.body))
	if err != nil {
		w.Fatal(err)
	}
	r.Host = in.host
	if r.Host == "" {
		r.Host = w.addr
	}
	for name, v := range in.header {
		r.Header.Set(name, v)
	}
	service, reg, at := in.service, in.region, in.at
	if service == "" {
		service = "s3"
	}
	if reg == "" {
		reg = region
	}
	if at.IsZero() {
		at = time.Now()
	}
	switch {
	case in.cred.AccessKey == "":
	case in.presign:
		if r.URL, err = url.Parse(sigv4.Presign(r, in.cred, reg, service, time.Hour, at)); err != nil {
			w.Fatal(err)
		}
	default:
		sum := sha256.Sum256([]byte(in.body))
		sigv4.Sign(r, in.cred, reg, service, hex.EncodeToString(sum[:]), at)
	}
	if in.after != nil {
		in.after(r)
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		w.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		w.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(body)}
}

// must ends the test if a request is refused.
func (w *world) must(a answer) answer {
	w.Helper()
	if a.status >= 300 {
		w.Fatalf("%d %s", a.status, a.body)
	}
	return a
}

// s3 is a request to S3, with headers as "Name: value". Documents come with a
// digest, without which some are refused.
func (w *world) s3(cred sigv4.Credentials, method, path, body string, headers ...string) answer {
	w.Helper()
	header := pairs(headers)
	if strings.Contains(path, "?") && body != "" && header["Content-MD5"] == "" {
		sum := md5.Sum([]byte(body))
		header["Content-MD5"] = base64.StdEncoding.EncodeToString(sum[:])
	}
	return w.do(request{method: method, path: path, body: body, cred: cred, header: header})
}

// control is a request to S3 Control about an account's jobs.
func (w *world) control(cred sigv4.Credentials, account, method, path, body string) answer {
	w.Helper()
	return w.do(request{
		method: method, path: "/v20180820/jobs" + path, body: body, cred: cred,
		header: map[string]string{"x-amz-account-id": account},
	})
}

// query is a request of the Query protocol: an action and its parameters, each
// "Name=value".
func (w *world) query(cred sigv4.Credentials, service, action string, params ...string) answer {
	w.Helper()
	return w.do(queryRequest(cred, service, action, params...))
}

func queryRequest(cred sigv4.Credentials, service, action string, params ...string) request {
	versions := map[string]string{"iam": "2010-05-08", "sts": "2011-06-15", "cloudformation": "2010-05-15"}
	form := url.Values{"Action": {action}, "Version": {versions[service]}}
	for _, p := range params {
		name, value, _ := strings.Cut(p, "=")
		form.Add(name, value)
	}
	return request{
		method: http.MethodPost, path: "/", body: form.Encode(), cred: cred, service: service,
		header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
	}
}

func (w *world) iam(cred sigv4.Credentials, action string, params ...string) answer {
	w.Helper()
	return w.query(cred, "iam", action, params...)
}

func (w *world) sts(cred sigv4.Credentials, action string, params ...string) answer {
	w.Helper()
	return w.query(cred, "sts", action, params...)
}

func (w *world) cfn(cred sigv4.Credentials, action string, params ...string) answer {
	w.Helper()
	return w.query(cred, "cloudformation", action, params...)
}

func pairs(headers []string) map[string]string {
	m := map[string]string{}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		m[name] = value
	}
	return m
}

// user makes a user of the victim's account with a key; each policy is a list
// of statements in JSON.
func (w *world) user(name string, statements ...string) sigv4.Credentials {
	w.Helper()
	return w.userOf(w.victim, name, statements...)
}

// userOf is user for the account of a root user.
func (w *world) userOf(root sigv4.Credentials, name string, statements ...string) sigv4.Credentials {
	w.Helper()
	w.must(w.iam(root, "CreateUser", "UserName="+name))
	if len(statements) > 0 {
		w.must(w.iam(root, "PutUserPolicy", "UserName="+name, "PolicyName=p", "PolicyDocument="+document(statements...)))
	}
	return w.key(root, name)
}

// key makes an access key of a user.
func (w *world) key(root sigv4.Credentials, name string) sigv4.Credentials {
	w.Helper()
	a := w.must(w.iam(root, "CreateAccessKey", "UserName="+name))
	return sigv4.Credentials{AccessKey: a.text("AccessKeyId"), Secret: a.text("SecretAccessKey")}
}

// role makes a role of a root user's account. trust is a principal in JSON.
func (w *world) role(root sigv4.Credentials, name, trust string, statements ...string) {
	w.Helper()
	w.must(w.iam(root, "CreateRole", "RoleName="+name, "AssumeRolePolicyDocument="+document(`{"Effect":"Allow","Principal":`+trust+`,"Action":["sts:AssumeRole","sts:TagSession"]}`)))
	if len(statements) > 0 {
		w.must(w.iam(root, "PutRolePolicy", "RoleName="+name, "PolicyName=p", "PolicyDocument="+document(statements...)))
	}
}

// assume begins a session of a role.
func (w *world) assume(cred sigv4.Credentials, roleARN string, params ...string) sigv4.Credentials {
	w.Helper()
	return session(w.must(w.sts(cred, "AssumeRole", append([]string{"RoleArn=" + roleARN, "RoleSessionName=s1"}, params...)...)))
}

// session reads the credentials in an answer of STS.
func session(a answer) sigv4.Credentials {
	return sigv4.Credentials{AccessKey: a.text("AccessKeyId"), Secret: a.text("SecretAccessKey"), Token: a.text("SessionToken")}
}

func roleARN(account, name string) string { return "arn:aws:iam::" + account + ":role/" + name }

// document writes a policy.
func document(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

// allow is a statement of an identity policy; condition is JSON or "".
func allow(actions, resource string, condition ...string) string {
	return statement("Allow", actions, resource, condition)
}

func deny(actions, resource string, condition ...string) string {
	return statement("Deny", actions, resource, condition)
}

func statement(effect, actions, resource string, condition []string) string {
	list, _ := json.Marshal(strings.Split(actions, ","))
	s := fmt.Sprintf(`{"Effect":%q,"Action":%s,"Resource":%q`, effect, list, resource)
	if len(condition) > 0 {
		s += `,"Condition":` + condition[0]
	}
	return s + "}"
}

// attempt is one row: try is refused with want, an error code, or several with
// spaces between them of which one has to come.
type attempt struct {
	name string
	try  func() answer
	want string
}

// refused tries attempts one after the other.
func (w *world) refused(attempts []attempt) {
	w.Helper()
	for _, a := range attempts {
		got := a.try()
		if want := strings.Fields(a.want); !slices.Contains(want, got.code()) {
			w.Errorf("%s: %d %s, want %s", a.name, got.status, brief(got.body), a.want)
		}
	}
}

// granted is the counterpart: try is let through.
func (w *world) granted(name string, got answer) {
	w.Helper()
	if got.status >= 300 {
		w.Errorf("%s: %d %s, want it let through", name, got.status, brief(got.body))
	}
}

func brief(body string) string {
	return string(bytes.ToValidUTF8([]byte(body[:min(len(body), 600)]), []byte("?")))
}
