package iam

import (
	"crypto/tls"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"twinbucket/internal/sigv4"
	"twinbucket/role"
)

func TestAddS3Facts(t *testing.T) {
	t.Parallel()
	signed := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, tt := range []struct {
		name     string
		verified *sigv4.Verified
		tls      uint16
		digest   string
		want     map[string][]string
	}{
		{"anonymous", nil, 0, "", map[string][]string{}},
		{"anonymous over TLS", nil, tls.VersionTLS12, "UNSIGNED-PAYLOAD", map[string][]string{
			"s3:tlsversion": {"1.2"}, "s3:x-amz-content-sha256": {"UNSIGNED-PAYLOAD"},
		}},
		{"header", &sigv4.Verified{Version: 4, Time: signed, At: signed.Add(time.Second)}, tls.VersionTLS13, "e3b0", map[string][]string{
			"s3:tlsversion": {"1.3"}, "s3:x-amz-content-sha256": {"e3b0"},
			"s3:signatureversion": {"AWS4-HMAC-SHA256"}, "s3:authtype": {"REST-HEADER"},
		}},
		{"presigned", &sigv4.Verified{Version: 4, Presigned: true, Time: signed, At: signed.Add(time.Second), Digest: sigv4.UnsignedPayload}, 0, "e3b0", map[string][]string{
			"s3:signatureversion": {"AWS4-HMAC-SHA256"}, "s3:authtype": {"REST-QUERY-STRING"},
			"s3:signatureage": {"1000"}, "s3:x-amz-content-sha256": {"UNSIGNED-PAYLOAD"},
		}},
		{"presigned with a digest", &sigv4.Verified{Version: 4, Presigned: true, Time: signed, At: signed, Digest: "e3b0"}, 0, "", map[string][]string{
			"s3:signatureversion": {"AWS4-HMAC-SHA256"}, "s3:authtype": {"REST-QUERY-STRING"},
			"s3:signatureage": {"0"}, "s3:x-amz-content-sha256": {"e3b0"},
		}},
		{"presigned with Version 2", &sigv4.Verified{Version: 2, Presigned: true}, 0, "", map[string][]string{
			"s3:signatureversion": {"AWS"}, "s3:authtype": {"REST-QUERY-STRING"},
		}},
		{"form", &sigv4.Verified{Version: 4, Presigned: true, Form: true, Time: signed}, 0, "", map[string][]string{
			"s3:signatureversion": {"AWS4-HMAC-SHA256"}, "s3:authtype": {"POST"},
		}},
	} {
		r := &http.Request{Header: http.Header{}}
		if tt.tls != 0 {
			r.TLS = &tls.ConnectionState{Version: tt.tls}
		}
		if tt.digest != "" {
			r.Header.Set("X-Amz-Content-Sha256", tt.digest)
		}
		got := map[string][]string{}
		(&Caller{Verified: tt.verified}).AddS3Facts(got, r)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// TestTemporary: sessions, and no one else, know since when and that there was
// no second factor.
func TestTemporary(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.role("reader", trustSrc)
	root, rootKey := w.root(src)
	user := w.ann("/")
	own, err := w.GetSessionToken(user, 0, MFA{})
	if err != nil {
		t.Fatal(err)
	}
	ofRoot, err := w.GetSessionToken(root, 0, MFA{})
	if err != nil {
		t.Fatal(err)
	}
	hand, err := w.AssumeForService(w.role("hand", trustS3).ARN(), "s3.amazonaws.com", "s", nil)
	if err != nil {
		t.Fatal(err)
	}
	login := func(cred sigv4.Credentials) *Caller {
		t.Helper()
		c, err := w.login(cred)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	issued := w.clock.now.UTC().Truncate(time.Second)
	for name, tt := range map[string]struct {
		caller *Caller
		want   time.Time
	}{
		"role":    {login(w.assume(AssumeRole{RoleARN: r.ARN()})), issued},
		"service": {hand, w.clock.now},
		"user's":  {login(sigv4.Credentials{AccessKey: own.AccessKey, Secret: own.Secret, Token: own.Token}), issued},
		"root's":  {login(sigv4.Credentials{AccessKey: ofRoot.AccessKey, Secret: ofRoot.Secret, Token: ofRoot.Token}), issued},
		"root":    {login(rootKey), time.Time{}},
		"user":    {user, time.Time{}},
	} {
		if got := tt.caller.Issued; !got.Equal(tt.want) {
			t.Errorf("%s: issued %v, want %v", name, got, tt.want)
		}
	}
}

// TestAssumeFacts: trust policies know the request and the role's tags.
func TestAssumeFacts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root, _ := w.root(src)
	r := w.role("guarded", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"sts:AssumeRole",`+
		`"Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"},"Null":{"iam:ResourceTag/team":"false","aws:ResourceTag/team":"false"}}}}`)
	if err := w.UpdateRole(w.ctx, src, "guarded", func(r *role.Role) error { r.Tags = map[string]string{"Team": "red"}; return nil }); err != nil {
		t.Fatal(err)
	}
	for ip, want := range map[string]bool{"192.0.2.7": true, "198.51.100.7": false} {
		_, err := w.AssumeRole(w.ctx, root, AssumeRole{RoleARN: r.ARN(), Name: "test", Facts: map[string][]string{"aws:sourceip": {ip}}})
		if (err == nil) != want {
			t.Errorf("%s: %v", ip, err)
		}
	}
}
