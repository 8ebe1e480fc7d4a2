package iam

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"testing"
	"time"

	"twinbucket/fault"
	"twinbucket/internal/sigv4"
)

// link returns a request for a bucket by a presigned URL of Signature Version
// 2, valid until the given time.
func link(cred sigv4.Credentials, end time.Time) *http.Request {
	q := url.Values{"AWSAccessKeyId": {cred.AccessKey}, "Expires": {strconv.FormatInt(end.Unix(), 10)}}
	token := ""
	if cred.Token != "" {
		q.Set("x-amz-security-token", cred.Token)
		token = "x-amz-security-token:" + cred.Token + "\n"
	}
	h := hmac.New(sha1.New, []byte(cred.Secret))
	h.Write([]byte("GET\n\n\n" + q.Get("Expires") + "\n" + token + "/photos/"))
	q.Set("Signature", base64.StdEncoding.EncodeToString(h.Sum(nil)))
	return httptest.NewRequest(http.MethodGet, "http://localhost:9000/photos/?"+q.Encode(), nil)
}

// TestAuthenticateVersion2: S3, whose region such a signature does not say,
// and nobody else accepts it.
func TestAuthenticateVersion2(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.SetRegion("eu-west-1")
	_, root := w.root(src)
	session := w.assume(AssumeRole{RoleARN: w.role("reader", trustSrc).ARN()})
	bare := session
	bare.Token = ""
	later := w.clock.Now().Add(time.Minute)
	for _, c := range []struct {
		name    string
		cred    sigv4.Credentials
		service string
		end     time.Time
		code    string
	}{
		{"root user", root, "s3", later, ""},
		{"session", session, "s3", later, ""},
		{"session without its token", bare, "s3", later, "InvalidAccessKeyId"},
		{"another's secret", sigv4.Credentials{AccessKey: root.AccessKey, Secret: session.Secret}, "s3", later, "SignatureDoesNotMatch"},
		{"unknown key", sigv4.Credentials{AccessKey: "AKIAIOSFODNN7EXAMPLE", Secret: "x"}, "s3", later, "InvalidAccessKeyId"},
		{"expired", root, "s3", w.clock.Now().Add(-time.Second), "AccessDenied"},
		{"another service", root, "iam", later, "SignatureDoesNotMatch"},
	} {
		caller, err := w.Authenticate(link(c.cred, c.end), c.service)
		if fault.CodeOf(err) != c.code || (err == nil) != (c.code == "") {
			t.Errorf("%s: %v (%s), want code %q", c.name, err, fault.HintOf(err), c.code)
		}
		if err == nil && (caller.Account != src || caller.Verified.Version != 2) {
			t.Errorf("%s: %+v", c.name, caller)
		}
	}
}
