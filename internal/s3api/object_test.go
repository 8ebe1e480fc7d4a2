package s3api_test

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/minio/crc64nvme"

	"twinbucket/internal/sigv4"
)

func TestObject(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.versioned("bkt")
	put := w.call(200, "PUT", "/bkt/k", "0123456789", "Content-Type", "text/x", "Cache-Control", "no-store",
		"Content-Encoding", "aws-chunked, gzip", "Content-Disposition", "inline", "Content-Language", "de",
		"Expires", "Thu, 01 Jan 2015 00:00:00 GMT", "X-Amz-Meta-Colour", "blue", "x-amz-meta-name", "Grün",
		"x-amz-tagging", "a=1&b=x+y%2Fz", "x-amz-storage-class", "STANDARD_IA",
		"x-amz-website-redirect-location", "/there", "x-amz-server-side-encryption", "AES256")
	id := put.header.Get("x-amz-version-id")
	if len(id) != 32 || put.header.Get("ETag") != `"781e5e245d69b566979b86e28d23f2c7"` {
		t.Errorf("put: %v", put.header)
	}
	if put.header.Get("x-amz-server-side-encryption") != "AES256" {
		t.Error("the answer does not say that the object is encrypted")
	}
	want := map[string]string{
		"Content-Type": "text/x", "Cache-Control": "no-store", "Content-Encoding": "gzip", "Content-Disposition": "inline",
		"Content-Language": "de", "Expires": "Thu, 01 Jan 2015 00:00:00 GMT", "X-Amz-Meta-Colour": "blue",
		"X-Amz-Meta-Name": "=?UTF-8?q?Gr=C3=BCn?=", "X-Amz-Tagging-Count": "2", "X-Amz-Storage-Class": "STANDARD_IA",
		"X-Amz-Website-Redirect-Location": "/there", "X-Amz-Version-Id": id, "Accept-Ranges": "bytes",
		"Last-Modified": start.Format(http.TimeFormat), "Content-Length": "10", "Etag": put.header.Get("ETag"),
		"X-Amz-Checksum-Crc64nvme": "", "X-Amz-Replication-Status": "",
		"X-Amz-Server-Side-Encryption": "AES256",
	}
	for _, method := range []string{"GET", "HEAD"} {
		got := w.call(200, method, "/bkt/k", "")
		for k, v := range want {
			if got.header.Get(k) != v {
				t.Errorf("%s: %s is %q, want %q", method, k, got.header.Get(k), v)
			}
		}
		if body := map[string]string{"GET": "0123456789", "HEAD": ""}[method]; got.body != body {
			t.Errorf("%s: body %q", method, got.body)
		}
	}
	sum := w.call(200, "HEAD", "/bkt/k?versionId="+id, "", "x-amz-checksum-mode", "ENABLED").header
	if sum.Get("x-amz-checksum-crc64nvme") != crc64("0123456789") || sum.Get("x-amz-checksum-type") != "FULL_OBJECT" {
		t.Errorf("checksum %v", sum)
	}
	over := w.call(200, "GET", "/bkt/k?response-content-type=a/b&response-expires=x&response-cache-control=y&response-content-disposition=z&response-content-language=l&response-content-encoding=identity", "").header
	for k, v := range map[string]string{"Content-Type": "a/b", "Expires": "x", "Cache-Control": "y", "Content-Disposition": "z", "Content-Language": "l", "Content-Encoding": "identity"} {
		if over.Get(k) != v {
			t.Errorf("override: %s is %q, want %q", k, over.Get(k), v)
		}
	}
	odd := w.call(200, "GET", "/bkt/k?response-content-disposition=%C3%A9%0D%0AX-Evil:1%00%7F", "").header
	if got := odd.Get("Content-Disposition"); got != "\xe9  X-Evil:1" || odd.Get("X-Evil") != "" {
		t.Errorf("override with odd characters: %q", got)
	}
	refused := w.call(400, "GET", "/bkt/k?response-content-disposition=%E5%9B%BE", "", "Range", "bytes=0-1")
	if refused.code != "InvalidArgument" || !strings.Contains(refused.body, "Header value cannot be represented using ISO-8859-1.") || refused.header.Get("Content-Range") != "" {
		t.Errorf("override beyond ISO-8859-1: %v %s", refused.header, refused.body)
	}
}

func crc64(s string) string {
	h := crc64nvme.New()
	_, _ = io.WriteString(h, s)
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

func crc32c(s string) string {
	h := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	_, _ = io.WriteString(h, s)
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

func TestRange(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call(200, "PUT", "/bkt", "")
	w.call(200, "PUT", "/bkt/k", "0123456789")
	w.call(200, "PUT", "/bkt/empty", "")
	for _, c := range []struct{ header, body, content string }{
		{"bytes=0-0", "0", "bytes 0-0/10"},
		{"bytes=3-5", "345", "bytes 3-5/10"},
		{"bytes=8-", "89", "bytes 8-9/10"},
		{"bytes=8-100", "89", "bytes 8-9/10"},
		{"bytes=8-99999999999999999999", "89", "bytes 8-9/10"},
		{"bytes=-3", "789", "bytes 7-9/10"},
		{"bytes=-30", "0123456789", "bytes 0-9/10"},
		{"bytes=5-3", "0123456789", ""},
		{"bytes=0-1,3-4", "0123456789", ""},
		{"bytes=x-", "0123456789", ""},
		{"bytes=-", "0123456789", ""},
		{"lines=1-2", "0123456789", ""},
	} {
		status := 206
		if c.content == "" {
			status = 200
		}
		got := w.call(status, "GET", "/bkt/k", "", "Range", c.header, "x-amz-checksum-mode", "ENABLED")
		if got.body != c.body || got.header.Get("Content-Range") != c.content {
			t.Errorf("%s: %q %q", c.header, got.body, got.header.Get("Content-Range"))
		}
		if whole := got.header.Get("x-amz-checksum-crc64nvme") != ""; whole != (status == 200) {
			t.Errorf("%s: checksum of the whole: %t", c.header, whole)
		}
	}
	if got := w.call(416, "GET", "/bkt/k", "", "Range", "bytes=10-"); got.header.Get("Content-Range") != "bytes */10" || got.header.Get("ETag") != "" {
		t.Errorf("unsatisfiable: %v", got.header)
	}
	w.call(416, "GET", "/bkt/empty", "", "Range", "bytes=0-")
	w.call(200, "GET", "/bkt/empty", "")
	if got := w.call(206, "GET", "/bkt/k?partNumber=1", ""); got.body != "0123456789" || got.header.Get("x-amz-mp-parts-count") != "" {
		t.Errorf("part 1 of a plain object: %v", got)
	}
}

func TestConditions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call(200, "PUT", "/bkt", "")
	etag := w.call(200, "PUT", "/bkt/k", "body", "Content-Encoding", "gzip").header.Get("ETag")
	before, at, after := start.Add(-time.Hour).Format(http.TimeFormat), start.Format(http.TimeFormat), start.Add(time.Hour).Format(http.TimeFormat)
	for _, c := range []struct {
		headers []string
		status  int
	}{
		{[]string{"If-Match", etag}, 200},
		{[]string{"If-Match", strings.Trim(etag, `"`)}, 200},
		{[]string{"If-Match", "*"}, 200},
		{[]string{"If-Match", `"a", ` + etag}, 200},
		{[]string{"If-Match", `"a"`}, 412},
		{[]string{"If-None-Match", etag}, 304},
		{[]string{"If-None-Match", "W/" + etag}, 304},
		{[]string{"If-None-Match", `"a"`}, 200},
		{[]string{"If-Modified-Since", before}, 200},
		{[]string{"If-Modified-Since", at}, 304},
		{[]string{"If-Modified-Since", "yesterday"}, 200},
		{[]string{"If-Unmodified-Since", at}, 200},
		{[]string{"If-Unmodified-Since", before}, 412},
		{[]string{"If-Match", etag, "If-Unmodified-Since", before}, 200},
		{[]string{"If-None-Match", `"a"`, "If-Modified-Since", after}, 200},
		{[]string{"If-None-Match", etag, "If-Modified-Since", before}, 304},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			got := w.call(c.status, method, "/bkt/k", "", c.headers...)
			if c.status == 304 && (got.header.Get("ETag") != etag || got.body != "") {
				t.Errorf("%s %v: %v %q", method, c.headers, got.header, got.body)
			}
			if c.status != 200 && got.header.Get("Content-Encoding") != "" {
				t.Errorf("%s %v: an error with the object's headers", method, c.headers)
			}
		}
		// The same on the source of a copy, where nothing is 304.
		var copied []string
		for i, h := range c.headers {
			if i%2 == 0 {
				h = "x-amz-copy-source-" + h
			}
			copied = append(copied, h)
		}
		status := c.status
		if status == 304 {
			status = 412
		}
		w.call(status, "PUT", "/bkt/copy", "", append(copied, "x-amz-copy-source", "bkt/k")...)
	}
	w.call(412, "PUT", "/bkt/k", "new", "If-None-Match", "*")
	w.call(200, "PUT", "/bkt/new", "new", "If-None-Match", "*")
	w.call(200, "PUT", "/bkt/k", "newer", "If-Match", etag)
	w.call(412, "PUT", "/bkt/k", "newest", "If-Match", etag)
}

func TestChecksums(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call(200, "PUT", "/bkt", "")
	sum, one := sha256.Sum256([]byte("body")), sha1.Sum([]byte("body"))
	ieee := crc32.NewIEEE()
	_, _ = io.WriteString(ieee, "body")
	for _, c := range []struct{ header, value string }{
		{"x-amz-checksum-crc32", base64.StdEncoding.EncodeToString(ieee.Sum(nil))},
		{"x-amz-checksum-crc32c", crc32c("body")},
		{"x-amz-checksum-crc64nvme", crc64("body")},
		{"x-amz-checksum-sha1", base64.StdEncoding.EncodeToString(one[:])},
		{"x-amz-checksum-sha256", base64.StdEncoding.EncodeToString(sum[:])},
	} {
		if got := w.checksumByCopy(c.header); got != c.value {
			t.Errorf("%s by copying: %q, want %q", c.header, got, c.value)
		}
		put := w.call(200, "PUT", "/bkt/k", "body", c.header, c.value)
		got := w.call(200, "GET", "/bkt/k", "", "x-amz-checksum-mode", "ENABLED")
		for _, h := range []http.Header{put.header, got.header} {
			if h.Get(c.header) != c.value || h.Get("x-amz-checksum-type") != "FULL_OBJECT" {
				t.Errorf("%s: %v", c.header, h)
			}
		}
		w.call(400, "PUT", "/bkt/k", "bodY", c.header, c.value)
		for _, v := range []string{c.value, "AAAA", ""} {
			r := w.build(request{method: "PUT", path: "/bkt/trailer", body: trailer("body", c.header, v)})
			r.Header.Set("x-amz-trailer", c.header)
			r.Header.Set("x-amz-decoded-content-length", "4")
			r.Header.Set("Content-Encoding", "aws-chunked")
			sigv4.Sign(r, w.keys[source], "us-east-1", "s3", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", start)
			got := w.send(r)
			if want := map[bool]int{true: 200, false: 400}[v == c.value]; got.status != want {
				t.Errorf("%s %q in the trailer: %d %s", c.header, v, got.status, got.body)
			}
		}
		if got := w.call(200, "GET", "/bkt/trailer", "", "x-amz-checksum-mode", "ENABLED"); got.body != "body" || got.header.Get(c.header) != c.value || got.header.Get("Content-Encoding") != "" {
			t.Errorf("by trailer: %q %v", got.body, got.header)
		}
	}
}

// checksumByCopy lets the server compute a checksum.
func (w *world) checksumByCopy(header string) string {
	w.t.Helper()
	name := strings.ToUpper(strings.TrimPrefix(header, "x-amz-checksum-"))
	w.call(200, "PUT", "/bkt/plain", "body")
	w.call(200, "PUT", "/bkt/summed", "", "x-amz-copy-source", "bkt/plain", "x-amz-checksum-algorithm", name)
	return w.call(200, "HEAD", "/bkt/summed", "", "x-amz-checksum-mode", "ENABLED").header.Get(header)
}

// trailer is body in unsigned chunks with a trailing header.
func trailer(body, name, value string) string {
	return fmt.Sprintf("%x\r\n%s\r\n0\r\n%s:%s\r\n\r\n", len(body), body, name, value)
}

func TestSHA256OfPayload(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call(200, "PUT", "/bkt", "")
	sum := sha256.Sum256([]byte("body"))
	for _, c := range []struct {
		body   string
		status int
	}{{"body", 200}, {"BODY", 400}} {
		r := w.build(request{method: "PUT", path: "/bkt/k", body: c.body})
		sigv4.Sign(r, w.keys[source], "us-east-1", "s3", hex.EncodeToString(sum[:]), start)
		if got := w.send(r); got.status != c.status {
			t.Errorf("%s: %d %s", c.body, got.status, got.body)
		}
	}
}

func TestPresigned(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call(200, "PUT", "/bkt", "")
	cred := w.keys[source]
	for _, c := range []struct{ method, body, want string }{{"PUT", "hello", ""}, {"GET", "", "hello"}} {
		r := w.build(request{method: c.method, path: "/bkt/a b+c", query: "x-id=1", body: c.body})
		signed, err := http.NewRequest(c.method, sigv4.Presign(r, cred, "us-east-1", "s3", time.Minute, start), strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		if got := w.send(signed); got.status != 200 || got.body != c.want {
			t.Errorf("%s: %d %s", c.method, got.status, got.body)
		}
	}
	r := w.build(request{method: "GET", path: "/bkt/a b+c"})
	signed, err := http.NewRequest("GET", sigv4.Presign(r, cred, "us-east-1", "s3", time.Minute, start.Add(-time.Hour)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := w.send(signed); got.status != 403 || got.code != "AccessDenied" {
		t.Errorf("expired: %d %s", got.status, got.code)
	}
}

// TestPresignedHeaders: a presigned URL does all that it was signed for, though
// who uses it sends no header.
func TestPresignedHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call(200, "PUT", "/bkt", "", "x-amz-bucket-object-lock-enabled", "true")
	w.call(200, "PUT", "/bkt/src", "source")
	w.call(204, "PUT", "/bkt?policy", `{"Statement":{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::bkt/*","Condition":{"StringEquals":{"s3:x-amz-storage-class":"GLACIER"}}}}`)
	for _, c := range []struct {
		method, key, query string
		status             int
		header, value      string // of HEAD afterwards
	}{
		{"PUT", "meta", "x-amz-meta-colour=blue", 200, "X-Amz-Meta-Colour", "blue"},
		{"PUT", "copy", "x-amz-copy-source=%2Fbkt%2Fsrc", 200, "ETag", `"36cd38f49b9afa08222c0dc9ebfe35eb"`},
		{"PUT", "held", "x-amz-object-lock-legal-hold=ON&x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-sdk-checksum-algorithm=CRC32", 400, "", ""},
		{"PUT", "cold", "x-amz-storage-class=GLACIER", 403, "", ""},
		{"GET", "src", "x-amz-expected-bucket-owner=222222222222", 403, "", ""},
	} {
		body := "sent"
		if c.key == "copy" {
			body = ""
		}
		r := w.build(request{method: c.method, path: "/bkt/" + c.key, query: c.query})
		signed, err := http.NewRequest(c.method, sigv4.Presign(r, w.keys[source], "us-east-1", "s3", time.Minute, start), strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if got := w.send(signed); got.status != c.status {
			t.Errorf("%s: %d %s", c.query, got.status, got.body)
		}
		if c.header == "" {
			continue
		}
		if got := w.call(200, "HEAD", "/bkt/"+c.key, "").header.Get(c.header); got != c.value {
			t.Errorf("%s: %s is %q", c.query, c.header, got)
		}
	}
}

func TestVersions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call(200, "PUT", "/bkt", "")
	if got := w.call(200, "PUT", "/bkt/k", "null"); got.header.Get("x-amz-version-id") != "" {
		t.Error("a version id in a bucket that never had versioning")
	}
	w.call(200, "PUT", "/bkt?versioning", enabled)
	if got := w.call(200, "GET", "/bkt/k", ""); got.header.Get("x-amz-version-id") != "null" {
		t.Errorf("version id %q, want null", got.header.Get("x-amz-version-id"))
	}
	id := w.call(200, "PUT", "/bkt/k", "one").header.Get("x-amz-version-id")
	del := w.call(204, "DELETE", "/bkt/k", "")
	marker := del.header.Get("x-amz-version-id")
	if del.header.Get("x-amz-delete-marker") != "true" || marker == "" {
		t.Errorf("delete: %v", del.header)
	}
	if got := w.call(404, "GET", "/bkt/k", ""); got.header.Get("x-amz-delete-marker") != "true" || got.header.Get("x-amz-version-id") != marker {
		t.Errorf("get of a marker: %v", got.header)
	}
	w.call(204, "PUT", "/bkt?policy", `{"Statement":{"Effect":"Allow","Principal":{"AWS":"222222222222"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::bkt/*"}}`)
	if got := w.callAs(dest, 403, "GET", "/bkt/k", ""); got.header.Get("x-amz-delete-marker") != "" || got.header.Get("x-amz-version-id") != "" {
		t.Errorf("a marker is shown to who may not list: %v", got.header)
	}
	if got := w.call(405, "GET", "/bkt/k?versionId="+marker, ""); got.header.Get("x-amz-delete-marker") != "true" || got.header.Get("Allow") != "DELETE" || got.header.Get("Last-Modified") == "" {
		t.Errorf("get of a marker by id: %v", got.header)
	}
	for v, body := range map[string]string{id: "one", "null": "null"} {
		if got := w.call(200, "GET", "/bkt/k?versionId="+v, ""); got.body != body {
			t.Errorf("version %s is %q", v, got.body)
		}
	}
	gone := w.call(204, "DELETE", "/bkt/k?versionId="+marker, "")
	if gone.header.Get("x-amz-delete-marker") != "true" || gone.header.Get("x-amz-version-id") != marker {
		t.Errorf("delete of a marker: %v", gone.header)
	}
	if got := w.call(200, "GET", "/bkt/k", ""); got.body != "one" {
		t.Errorf("after the marker: %q", got.body)
	}
	w.call(204, "DELETE", "/bkt/k?versionId="+id, "")
	w.call(204, "DELETE", "/bkt/k?versionId="+id, "")
	w.call(404, "GET", "/bkt/k?versionId="+id, "")
	w.call(200, "PUT", "/bkt?versioning", strings.ReplaceAll(enabled, "Enabled", "Suspended"))
	if got := w.call(200, "PUT", "/bkt/k", "two"); got.header.Get("x-amz-version-id") != "null" {
		t.Errorf("suspended: %v", got.header)
	}
	if got := w.call(200, "GET", "/bkt?versioning", ""); !strings.Contains(got.body, "<Status>Suspended</Status>") {
		t.Errorf("versioning %s", got.body)
	}
}

func TestTags(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.versioned("bkt")
	id := w.call(200, "PUT", "/bkt/k", "").header.Get("x-amz-version-id")
	doc := `<Tagging xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><TagSet><Tag><Key>a+b</Key><Value></Value></Tag><Tag><Key>é</Key><Value>x y</Value></Tag></TagSet></Tagging>`
	put := w.call(200, "PUT", "/bkt/k?tagging", doc)
	got := w.call(200, "GET", "/bkt/k?tagging&versionId="+id, "")
	if put.header.Get("x-amz-version-id") != id || got.header.Get("x-amz-version-id") != id || !strings.HasSuffix(got.body, doc) {
		t.Errorf("tags %v %s", put.header, got.body)
	}
	w.call(204, "DELETE", "/bkt/k?tagging", "")
	if got := w.call(200, "GET", "/bkt/k?tagging", ""); !strings.Contains(got.body, "<TagSet></TagSet>") {
		t.Errorf("after delete: %s", got.body)
	}
	w.call(204, "PUT", "/bkt?tagging", doc)
	if got := w.call(200, "GET", "/bkt?tagging", ""); !strings.HasSuffix(got.body, doc) {
		t.Errorf("bucket tags %s", got.body)
	}
	w.call(204, "DELETE", "/bkt?tagging", "")
	w.call(404, "GET", "/bkt?tagging", "")
}

func TestCopy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.versioned("bkt")
	w.call(200, "PUT", "/dst", "")
	first := w.call(200, "PUT", "/bkt/k", "one", "x-amz-meta-a", "1", "x-amz-tagging", "t=1", "Content-Type", "text/x", "x-amz-storage-class", "STANDARD_IA").header.Get("x-amz-version-id")
	w.call(200, "PUT", "/bkt/k", "two")
	got := w.call(200, "PUT", "/dst/k", "", "x-amz-copy-source", "/bkt/k?versionId="+first)
	if got.header.Get("x-amz-copy-source-version-id") != first || got.header.Get("x-amz-version-id") != "" {
		t.Errorf("copy: %v", got.header)
	}
	h := w.call(200, "GET", "/dst/k", "")
	if h.body != "one" || h.header.Get("x-amz-meta-a") != "1" || h.header.Get("x-amz-tagging-count") != "1" ||
		h.header.Get("Content-Type") != "text/x" || h.header.Get("x-amz-storage-class") != "" {
		t.Errorf("copied: %q %v", h.body, h.header)
	}
	w.call(200, "PUT", "/dst/k", "", "x-amz-copy-source", "/bkt/k?versionId="+first, "x-amz-metadata-directive", "REPLACE", "x-amz-meta-b", "2",
		"x-amz-tagging-directive", "REPLACE", "x-amz-tagging", "x=1&y=2", "x-amz-storage-class", "GLACIER_IR")
	h = w.call(200, "GET", "/dst/k", "")
	if h.header.Get("x-amz-meta-a") != "" || h.header.Get("x-amz-meta-b") != "2" || h.header.Get("x-amz-tagging-count") != "2" ||
		h.header.Get("Content-Type") != "binary/octet-stream" || h.header.Get("x-amz-storage-class") != "GLACIER_IR" {
		t.Errorf("replaced: %v", h.header)
	}
	// In place: by an older version, by changed metadata, by another class.
	w.call(200, "PUT", "/bkt/k", "", "x-amz-copy-source", "/bkt/k?versionId="+first)
	w.call(200, "PUT", "/bkt/k", "", "x-amz-copy-source", "/bkt/k", "x-amz-metadata-directive", "REPLACE", "x-amz-meta-c", "3")
	w.call(200, "PUT", "/bkt/k", "", "x-amz-copy-source", "/bkt/k", "x-amz-storage-class", "GLACIER_IR")
	golden(t, "copy_result", w.call(200, "PUT", "/dst/x", "", "x-amz-copy-source", "bkt/k").body)
}

func TestAttributes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call(200, "PUT", "/bkt", "")
	w.call(200, "PUT", "/bkt/k", "body")
	golden(t, "attributes", w.call(200, "GET", "/bkt/k?attributes", "", "x-amz-object-attributes", "ETag,Checksum,ObjectParts,StorageClass, ObjectSize").body)
	golden(t, "attributes_size", w.call(200, "GET", "/bkt/k?attributes", "", "x-amz-object-attributes", "ObjectSize").body)
}

func TestDeleteObjects(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.versioned("bkt")
	id := w.call(200, "PUT", "/bkt/a", "").header.Get("x-amz-version-id")
	w.call(200, "PUT", "/bkt/b", "")
	send := func(doc string) string {
		return w.call(200, "POST", "/bkt?delete", doc, "Content-MD5", md5Of(doc)).body
	}
	golden(t, "delete_result", send(`<Delete><Object><Key>a</Key><VersionId>`+id+`</VersionId></Object><Object><Key>none</Key></Object>`+
		`<Object><Key>b</Key><VersionId>?</VersionId></Object><Object><Key>c</Key><ETag>x</ETag></Object></Delete>`))
	if got := send(`<Delete><Quiet>true</Quiet><Object><Key>b</Key></Object></Delete>`); strings.Contains(got, "Deleted>") {
		t.Errorf("quiet: %s", got)
	}
	w.call(404, "GET", "/bkt/b", "")
	w.call(404, "GET", "/bkt/a", "")
	var many strings.Builder
	for i := range 1001 {
		fmt.Fprintf(&many, "<Object><Key>k%d</Key></Object>", i)
	}
	doc := "<Delete>" + many.String() + "</Delete>"
	w.call(400, "POST", "/bkt?delete", doc, "Content-MD5", md5Of(doc))
	doc = strings.Replace(doc, "<Object><Key>k0</Key></Object>", "", 1)
	if got := w.call(200, "POST", "/bkt?delete", doc, "Content-MD5", md5Of(doc)).body; strings.Count(got, "<Deleted>") != 1000 {
		t.Errorf("%d deleted", strings.Count(got, "<Deleted>"))
	}
	w.callAs(dest, 200, "POST", "/bkt?delete", "<Delete><Object><Key>x</Key></Object></Delete>", "x-amz-checksum-crc32c", crc32c("<Delete><Object><Key>x</Key></Object></Delete>"))
}

func TestVirtualHosts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call(200, "PUT", "/bkt", "")
	w.call(200, "PUT", "/bkt.dots", "")
	w.call(200, "PUT", "/bkt/k", "body")
	w.call(200, "PUT", "/bkt.dots/k", "dots")
	for _, c := range []struct{ host, path, want string }{
		{"bkt.localhost", "/k", "body"},
		{"bkt.localhost:9000", "/k", "body"},
		{"BKT.localhost", "/k", "body"},
		{"bkt.s3.localhost", "/k", "body"},
		{"bkt.s3.us-east-1.localhost", "/k", "body"},
		{"bkt.s3.amazonaws.com", "/k", "body"},
		{"bkt.s3.us-east-1.amazonaws.com", "/k", "body"},
		{"bkt.s3-eu-west-1.amazonaws.com", "/k", "body"},
		{"bkt.s3.dualstack.us-east-1.amazonaws.com", "/k", "body"},
		{"bkt.s3.example.com", "/k", "body"},
		{"bkt.dots.s3.example.com:80", "/k", "dots"},
		{"bkt.dots.localhost", "/k", "dots"},
		{"localhost", "/bkt/k", "body"},
		{"localhost:1", "/bkt/k", "body"},
		{"127.0.0.1", "/bkt/k", "body"},
		{"[::1]:9000", "/bkt/k", "body"},
		{"s3.amazonaws.com", "/bkt/k", "body"},
		{"s3.eu-west-1.amazonaws.com", "/bkt/k", "body"},
		{"s3.example.com", "/bkt/k", "body"},
		{"elsewhere.example.org", "/bkt/k", "body"},
	} {
		if got := w.do(request{method: "GET", host: c.host, path: c.path}); got.body != c.want {
			t.Errorf("%s%s: %d %s", c.host, c.path, got.status, got.body)
		}
	}
	if got := w.do(request{method: "GET", host: "bkt.localhost", path: "/", query: "location"}); got.status != 200 {
		t.Errorf("bucket by host: %d %s", got.status, got.body)
	}
}

// TestChecksumsOfNothing: the values that each algorithm's own documents give
// for no bytes at all.
func TestChecksumsOfNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call(200, "PUT", "/bkt", "")
	for name, want := range map[string]string{
		"crc32": "AAAAAA==", "crc32c": "AAAAAA==", "crc64nvme": "AAAAAAAAAAA=",
		"md5": "1B2M2Y8AsgTpgAmY7PhCfg==", "sha1": "2jmj7l5rSw0yVb/vlWAYkK/YBwk=",
		"sha256":    "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
		"sha512":    "z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==",
		"xxhash128": "maoG0wFHmNhgAcMkRo1Jfw==", "xxhash3": "LQaABTjTlMI=", "xxhash64": "70bbN1HY6Zk=",
	} {
		w.call(200, "PUT", "/bkt/"+name, "", "x-amz-checksum-"+name, want)
		if got := w.call(200, "HEAD", "/bkt/"+name, "", "x-amz-checksum-mode", "ENABLED").header.Get("x-amz-checksum-" + name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

func TestTagsInOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call(200, "PUT", "/bkt", "")
	w.call(200, "PUT", "/bkt/k", "", "x-amz-tagging", "foo=bar&bar&a=1")
	if got := w.call(200, "GET", "/bkt/k?tagging", "").body; !strings.Contains(got, "<Key>a</Key><Value>1</Value></Tag><Tag><Key>bar</Key><Value></Value></Tag><Tag><Key>foo</Key>") {
		t.Error(got)
	}
}
