package s3api_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"twinbucket/bucket"
)

// late is a body that something happens before: who sends it waits for the
// server to ask for it (Expect: 100-continue).
type late struct {
	before func()
	io.Reader
}

func (l *late) Read(p []byte) (int, error) {
	if l.before != nil {
		l.before()
		l.before = nil
	}
	return l.Reader.Read(p)
}

// TestBucketsMadeAnew: what a bucket's owner begins to send is not for a bucket
// that another makes in its name before it has arrived.
func TestBucketsMadeAnew(t *testing.T) {
	t.Parallel()
	const tags = `<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>`
	for _, c := range []struct{ method, path, query, body string }{
		{"PUT", "/anew", "policy", `{"Statement":{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"s3:*","Resource":["arn:aws:s3:::anew","arn:aws:s3:::anew/*"]}}`},
		{"PUT", "/anew", "tagging", tags},
		{"PUT", "/anew", "versioning", `<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>`},
		{"PUT", "/anew", "requestPayment", `<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>`},
		{"POST", "/anew", "delete", `<Delete><Object><Key>k</Key></Object></Delete>`},
		{"PUT", "/anew/k", "tagging", tags},
	} {
		t.Run(c.method+" "+c.path+"?"+c.query, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.call(200, "PUT", "/anew", "")
			q := request{method: c.method, path: c.path, query: c.query, body: c.body, header: map[string]string{"Expect": "100-continue", "Content-Md5": md5Of(c.body)}}
			r := w.build(q)
			r.Body = io.NopCloser(&late{func() {
				w.call(204, "DELETE", "/anew", "")
				w.callAs(dest, 200, "PUT", "/anew", "")
				w.callAs(dest, 200, "PUT", "/anew/k", "theirs")
			}, strings.NewReader(c.body)})
			w.sign(r, source)
			w.client.ExpectContinueTimeout = time.Hour
			if got := w.send(r); got.status != http.StatusNotFound || got.code != "NoSuchBucket" {
				t.Errorf("%d %s", got.status, got.body)
			}
			b, err := w.store.Bucket("anew")
			if err != nil || b.Owner != "222222222222" || len(b.Documents) != 0 || b.Versioning != bucket.Unversioned {
				t.Errorf("%+v, %v", b, err)
			}
			if o, err := w.store.Head(context.Background(), "anew", "k", ""); err != nil || len(o.Tags) != 0 {
				t.Errorf("%+v, %v", o, err)
			}
		})
	}
}

// TestPolicyTakenAway: what may be done is decided when all has arrived that
// says what it is.
func TestPolicyTakenAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call(200, "PUT", "/bkt", "")
	w.call(200, "PUT", "/bkt/k", "ours")
	w.call(204, "PUT", "/bkt?policy", `{"Statement":{"Effect":"Allow","Principal":{"AWS":"222222222222"},"Action":"s3:DeleteObject","Resource":"arn:aws:s3:::bkt/*"}}`)
	body := `<Delete><Object><Key>k</Key></Object></Delete>`
	r := w.build(request{method: "POST", path: "/bkt", query: "delete", body: body, header: map[string]string{"Expect": "100-continue", "Content-Md5": md5Of(body)}})
	r.Body = io.NopCloser(&late{func() { w.call(204, "DELETE", "/bkt?policy", "") }, strings.NewReader(body)})
	w.sign(r, dest)
	w.client.ExpectContinueTimeout = time.Hour
	if got := w.send(r); !strings.Contains(got.body, "<Code>AccessDenied</Code>") {
		t.Errorf("%d %s", got.status, got.body)
	}
}
