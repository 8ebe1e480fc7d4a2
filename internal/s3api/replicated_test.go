package s3api_test

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/xml"
	"fmt"
	"hash/crc32"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"twinbucket/bucket"
	"twinbucket/internal/s3api"
	"twinbucket/internal/sigv4"
	"twinbucket/internal/testenv"
)

// replicating is a world over a store with engines, which do not run yet, where
// src-bucket of account source sends what is under in/ to dst-bucket of account
// dest.
func replicating(t *testing.T) (*world, *testenv.Env) {
	t.Helper()
	e := testenv.New(t)
	e.Scenario()
	e.Document(testenv.SrcBucket, bucket.Replication, strings.Replace(testenv.Config, "<Filter/>", "<Filter><Prefix>in/</Prefix></Filter>", 1))
	w := &world{t: t, store: e.Store, iam: e.IAM, now: time.Now, client: &http.Transport{}}
	for _, a := range e.IAM.Accounts() {
		as := source
		if a.ID == testenv.Destination {
			as = dest
		}
		w.account[as], w.keys[as] = a, sigv4.Credentials{AccessKey: a.AccessKey, Secret: a.Secret}
	}
	srv := httptest.NewServer(s3api.New(s3api.Config{Store: e.Store, IAM: e.IAM, Region: testenv.Region, Log: slog.New(slog.DiscardHandler)}))
	w.url = srv.URL
	t.Cleanup(func() {
		w.client.CloseIdleConnections()
		srv.Close()
	})
	return w, e
}

// TestReplicationStatus: GET and HEAD tell it, of what a rule took and of replicas.
func TestReplicationStatus(t *testing.T) {
	t.Parallel()
	w, e := replicating(t)
	tells := func(as int, name, key, want string) {
		t.Helper()
		for _, method := range []string{"GET", "HEAD"} {
			h := w.callAs(as, 200, method, "/"+name+"/"+key, "").header
			if got := strings.Join(h.Values("x-amz-replication-status"), ","); got != want {
				t.Errorf("%s %s/%s: %q, want %q", method, name, key, got, want)
			}
		}
	}
	w.call(200, "PUT", "/src-bucket/out", "x")
	w.call(200, "PUT", "/src-bucket/in/k", "x")
	tells(source, "src-bucket", "out", "")
	tells(source, "src-bucket", "in/k", "PENDING")
	e.Start()
	e.Settled(e.Head(testenv.SrcBucket, "in/k", ""))
	tells(source, "src-bucket", "in/k", "COMPLETED")
	tells(dest, "dst-bucket", "in/k", "REPLICA")
	e.Document(testenv.DstBucket, bucket.Policy, "")
	w.call(200, "PUT", "/src-bucket/in/refused", "x")
	e.Settled(e.Head(testenv.SrcBucket, "in/refused", ""))
	tells(source, "src-bucket", "in/refused", "FAILED")
	tells(source, "src-bucket", "out", "")
	w.callAs(dest, 404, "HEAD", "/dst-bucket/out", "")
}

// TestReplicasAnswerAlike: what was uploaded in parts has the same parts at its
// replica, whatever is asked about them.
func TestReplicasAnswerAlike(t *testing.T) {
	t.Parallel()
	w, e := replicating(t)
	e.Start()
	const key = "in/k"
	pieces := []string{strings.Repeat("a", 5<<20), strings.Repeat("b", 5<<20+1), "end"}
	for _, typ := range []string{"COMPOSITE", "FULL_OBJECT"} {
		var begun struct {
			UploadID string `xml:"UploadId"`
		}
		got := w.call(200, "POST", "/src-bucket/"+key+"?uploads", "", "x-amz-checksum-algorithm", "CRC32", "x-amz-checksum-type", typ,
			"Content-Type", "text/x", "Cache-Control", "no-store", "x-amz-meta-a", "1", "x-amz-tagging", "t=1&u=2")
		e.Must(xml.Unmarshal([]byte(got.body), &begun))
		var done []part
		for i, p := range pieces {
			sum := base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(p))))
			h := w.call(200, "PUT", fmt.Sprintf("/src-bucket/%s?uploadId=%s&partNumber=%d", key, begun.UploadID, i+1), p, "x-amz-checksum-crc32", sum).header
			done = append(done, part{h.Get("ETag"), sum})
		}
		w.call(200, "POST", "/src-bucket/"+key+"?uploadId="+begun.UploadID, parts("ChecksumCRC32", done))
		o := e.Settled(e.Head(testenv.SrcBucket, key, ""))
		version := "versionId=" + o.ID
		for _, ask := range []struct {
			status          int
			method, query   string
			headers         []string
			answer, answers string // a header that there has to be
		}{
			{status: 200, method: "HEAD", query: version, answer: "x-amz-checksum-type", answers: typ},
			{status: 200, method: "GET", query: version, answer: "x-amz-tagging-count", answers: "2"},
			{status: 206, method: "GET", query: version + "&partNumber=1", answer: "x-amz-mp-parts-count", answers: "3"},
			{status: 206, method: "HEAD", query: version + "&partNumber=2", answer: "x-amz-checksum-crc32", answers: done[1].sum},
			{status: 206, method: "GET", query: version + "&partNumber=3", answer: "Content-Length", answers: "3"},
			{status: 416, method: "GET", query: version + "&partNumber=4"},
			{status: 206, method: "GET", query: version, headers: []string{"Range", "bytes=5242878-5242883"}, answer: "Content-Length", answers: "6"},
			{status: 200, method: "GET", query: version + "&attributes", headers: []string{"x-amz-object-attributes", "ETag,Checksum,ObjectParts,StorageClass,ObjectSize"}},
			{status: 200, method: "GET", query: version + "&attributes", headers: []string{"x-amz-object-attributes", "ObjectParts", "x-amz-max-parts", "1", "x-amz-part-number-marker", "1"}},
			{status: 200, method: "GET", query: version + "&tagging"},
		} {
			var told [2]reply
			for as, name := range []string{source: testenv.SrcBucket, dest: testenv.DstBucket} {
				r := w.callAs(as, ask.status, ask.method, "/"+name+"/"+key+"?"+ask.query, "", append(ask.headers, "x-amz-checksum-mode", "ENABLED")...)
				for _, own := range []string{"Date", "X-Amz-Request-Id", "X-Amz-Id-2", "X-Amz-Replication-Status"} {
					r.header.Del(own)
				}
				r.body = variable.ReplaceAllString(strings.ReplaceAll(r.body, name, "BUCKET"), "")
				told[as] = r
			}
			what := fmt.Sprint(typ, " ", ask.method, " ", ask.query, ask.headers)
			if diff := cmp.Diff(told[source].header, told[dest].header); diff != "" {
				t.Errorf("%s: %s", what, diff)
			}
			if told[source].body != told[dest].body {
				t.Errorf("%s: the bodies differ", what)
			}
			if got := told[dest].header.Get(ask.answer); got != ask.answers {
				t.Errorf("%s: %s is %q, want %q", what, ask.answer, got, ask.answers)
			}
		}
	}
}
