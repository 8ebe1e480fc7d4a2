package s3api_test

import (
	"strings"
	"testing"
)

const expiring = `<LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">` +
	`<Rule><ID>a week</ID><Filter><Prefix>logs/</Prefix></Filter><Status>Enabled</Status><Expiration><Days>7</Days></Expiration></Rule>` +
	`<Rule><ID>étiquette "x"</ID><Filter><Tag><Key>end</Key><Value>soon</Value></Tag></Filter><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule>` +
	`<Rule><ID>uploads</ID><Filter><Prefix>logs/</Prefix></Filter><Status>Enabled</Status><AbortIncompleteMultipartUpload><DaysAfterInitiation>3</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>` +
	`</LifecycleConfiguration>`

func TestLifecycle(t *testing.T) {
	t.Parallel()
	const size = "x-amz-transition-default-minimum-object-size"
	w := newWorld(t)
	w.versioned("bkt")
	if got := w.call(404, "GET", "/bkt?lifecycle", ""); got.code != "NoSuchLifecycleConfiguration" {
		t.Error(got)
	}
	if got := w.call(200, "PUT", "/bkt?lifecycle", expiring).header.Get(size); got != "all_storage_classes_128K" {
		t.Errorf("PUT says %q", got)
	}
	got := w.call(200, "GET", "/bkt?lifecycle", "")
	if !strings.HasSuffix(got.body, strings.ReplaceAll(expiring, `"x"`, "&#34;x&#34;")) || got.header.Get(size) != "all_storage_classes_128K" {
		t.Errorf("%v\n%s", got.header, got.body)
	}
	w.call(200, "PUT", "/bkt?lifecycle", expiring, size, "varies_by_storage_class")
	if got := w.call(200, "GET", "/bkt?lifecycle", "").header.Get(size); got != "varies_by_storage_class" {
		t.Errorf("GET says %q", got)
	}
	if got := w.call(400, "PUT", "/bkt?lifecycle", expiring, size, "none"); got.code != "InvalidRequest" {
		t.Error(got)
	}
	if got := w.call(400, "PUT", "/bkt?lifecycle", strings.Replace(expiring, ">7<", ">0<", 1)); got.code != "InvalidArgument" {
		t.Error(got)
	}
	if got := w.call(400, "PUT", "/bkt?lifecycle", expiring, "Content-MD5", md5Of("other")); got.code != "BadDigest" {
		t.Error(got)
	}
	w.call(204, "DELETE", "/bkt?lifecycle", "")
	w.call(404, "GET", "/bkt?lifecycle", "")
	w.call(204, "DELETE", "/bkt?lifecycle", "")
	w.call(200, "PUT", "/bkt?lifecycle", expiring)
	if got := w.call(200, "GET", "/bkt?lifecycle", "").header.Get(size); got != "all_storage_classes_128K" {
		t.Errorf("after DELETE and PUT, GET says %q", got)
	}
}

// TestExpirationHeaders: the world's time is 2026-01-02 03:04:05.
func TestExpirationHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.versioned("bkt")
	before := w.call(200, "PUT", "/bkt/logs/0", "body").header
	if before.Get("x-amz-expiration") != "" {
		t.Errorf("without rules: %v", before)
	}
	w.call(200, "PUT", "/bkt?lifecycle", expiring)
	const week = `expiry-date="Sat, 10 Jan 2026 00:00:00 GMT", rule-id="a week"`
	const soon = `expiry-date="Sun, 04 Jan 2026 00:00:00 GMT", rule-id="%C3%A9tiquette %22x%22"`
	check := func(what string, got reply, want string) {
		t.Helper()
		if x := got.header.Get("x-amz-expiration"); x != want {
			t.Errorf("%s: %s, want %s", what, x, want)
		}
	}
	put := w.call(200, "PUT", "/bkt/logs/1", "body")
	check("PUT", put, week)
	check("PUT of others", w.call(200, "PUT", "/bkt/other", "body"), "")
	check("PUT with tags", w.call(200, "PUT", "/bkt/tagged", "body", "x-amz-tagging", "end=soon"), soon)
	check("PUT with two rules", w.call(200, "PUT", "/bkt/logs/tagged", "body", "x-amz-tagging", "end=soon"), soon)
	check("GET", w.call(200, "GET", "/bkt/logs/1", ""), week)
	check("HEAD", w.call(200, "HEAD", "/bkt/logs/1", ""), week)
	check("HEAD of what was there before", w.call(200, "HEAD", "/bkt/logs/0", ""), week)
	check("HEAD of a version", w.call(200, "HEAD", "/bkt/logs/1?versionId="+put.header.Get("x-amz-version-id"), ""), "")
	check("copy", w.call(200, "PUT", "/bkt/logs/2", "", "x-amz-copy-source", "bkt/other"), week)

	const date, id = "X-Amz-Abort-Date", "X-Amz-Abort-Rule-Id"
	none := w.call(200, "POST", "/bkt/other?uploads", "")
	if none.header.Get(date) != "" {
		t.Errorf("%v", none.header)
	}
	begun := w.call(200, "POST", "/bkt/logs/mp?uploads", "")
	_, rest, _ := strings.Cut(begun.body, "<UploadId>")
	upload, _, _ := strings.Cut(rest, "<")
	part := w.call(200, "PUT", "/bkt/logs/mp?partNumber=1&uploadId="+upload, "part").header.Get("ETag")
	for _, got := range []reply{begun, w.call(200, "GET", "/bkt/logs/mp?uploadId="+upload, "")} {
		if got.header.Get(date) != "Tue, 06 Jan 2026 00:00:00 GMT" || got.header.Get(id) != "uploads" {
			t.Errorf("%v", got.header)
		}
	}
	check("complete", w.call(200, "POST", "/bkt/logs/mp?uploadId="+upload,
		"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"+part+"</ETag></Part></CompleteMultipartUpload>"), week)
}
