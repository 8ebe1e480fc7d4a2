package s3api_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"twinbucket/internal/store"
)

// locking makes a bucket with Object Lock.
func (w *world) locking(name string) {
	w.t.Helper()
	w.call(200, "PUT", "/"+name, "", "x-amz-bucket-object-lock-enabled", "true")
}

// seal sends a document with its digest.
func (w *world) seal(want int, code, target, body string, headers ...string) reply {
	w.t.Helper()
	got := w.call(want, "PUT", target, body, append(headers, "Content-MD5", md5Of(body))...)
	if got.code != code {
		w.t.Errorf("PUT %s %s: %s, want %s", target, body, got.code, code)
	}
	return got
}

// retention is the document of PutObjectRetention.
func retention(mode string, until time.Time) string {
	return "<Retention><Mode>" + mode + "</Mode><RetainUntilDate>" + until.Format(time.RFC3339) + "</RetainUntilDate></Retention>"
}

func lockConfig(rule string) string {
	return "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>" + rule + "</ObjectLockConfiguration>"
}

func defaultRetention(fields string) string {
	return lockConfig("<Rule><DefaultRetention>" + fields + "</DefaultRetention></Rule>")
}

func TestObjectLockConfiguration(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.locking("new")
	if got := w.call(200, "GET", "/new?versioning", ""); !strings.Contains(got.body, "<Status>Enabled</Status>") {
		t.Error(got.body)
	}
	if got := w.call(200, "GET", "/new?object-lock", ""); !strings.Contains(got.body, "<ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLock") {
		t.Error(got.body)
	}
	if got := w.call(409, "PUT", "/new?versioning", strings.Replace(enabled, "Enabled", "Suspended", 1)); got.code != "InvalidBucketState" ||
		!strings.Contains(got.body, "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.") {
		t.Error(got.body)
	}
	w.call(200, "PUT", "/new?versioning", enabled)
	w.call(200, "PUT", "/old", "")
	day := defaultRetention("<Mode>GOVERNANCE</Mode><Days>1</Days>")
	w.seal(409, "InvalidBucketState", "/old?object-lock", day)
	w.call(200, "PUT", "/old?versioning", enabled)
	w.seal(200, "", "/old?object-lock", day)
	if got := w.call(200, "GET", "/old?object-lock", ""); !strings.Contains(got.body, "<Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule>") {
		t.Error(got.body)
	}
	for _, c := range []struct{ body, code, message string }{
		{defaultRetention("<Mode>GOVERNANCE</Mode><Days>1</Days><Years>1</Years>"), "MalformedXML", ""},
		{defaultRetention("<Mode>GOVERNANCE</Mode>"), "MalformedXML", ""},
		{defaultRetention("<Mode>governance</Mode><Days>1</Days>"), "MalformedXML", ""},
		{defaultRetention("<Mode>GOVERNANCE</Mode><Days>x</Days>"), "MalformedXML", ""},
		{lockConfig("<Rule/>"), "MalformedXML", ""},
		{lockConfig("<Token/>"), "MalformedXML", ""},
		{"<ObjectLockConfiguration><ObjectLockEnabled>Disabled</ObjectLockEnabled></ObjectLockConfiguration>", "MalformedXML", ""},
		{"<ObjectLockConfiguration/>", "MalformedXML", ""},
		{"", "MissingRequestBodyError", "Request Body is empty"},
		{defaultRetention("<Mode>GOVERNANCE</Mode><Days>0</Days>"), "InvalidArgument", "Default retention period must be a positive integer value."},
		{defaultRetention("<Mode>COMPLIANCE</Mode><Years>-1</Years>"), "InvalidArgument", "Default retention period must be a positive integer value."},
		{defaultRetention("<Mode>GOVERNANCE</Mode><Days>36501</Days>"), "InvalidArgument", "Default retention period too large."},
		{defaultRetention("<Mode>GOVERNANCE</Mode><Years>101</Years>"), "InvalidArgument", "Default retention period too large."},
	} {
		if got := w.seal(400, c.code, "/new?object-lock", c.body); !strings.Contains(got.body, c.message) {
			t.Errorf("%s: %s", c.body, got.body)
		}
	}
	if got := w.call(400, "PUT", "/new?object-lock", day); got.code != "InvalidRequest" {
		t.Errorf("without a digest: %s", got.body)
	}
}

func TestLockHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.locking("bkt")
	w.call(200, "PUT", "/plain", "")
	const mode, until, hold = "x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date", "x-amz-object-lock-legal-hold"
	const later = "2026-02-01T00:00:00Z"
	for _, c := range []struct {
		path, code, message string
		headers             []string
	}{
		{"/plain/k", "InvalidRequest", "Bucket is missing ObjectLockConfiguration", []string{hold, "ON"}},
		{"/bkt/k", "InvalidArgument", "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied", []string{mode, "GOVERNANCE"}},
		{"/bkt/k", "InvalidArgument", "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied", []string{until, later}},
		{"/bkt/k", "InvalidArgument", "Unknown wormMode directive.", []string{mode, "governance", until, later}},
		{"/bkt/k", "InvalidArgument", "Legal Hold must be either of 'ON' or 'OFF'", []string{hold, "on"}},
		{"/bkt/k", "InvalidArgument", "The retain until date must be provided in ISO 8601 format", []string{mode, "GOVERNANCE", until, "tomorrow"}},
		{"/bkt/k", "InvalidArgument", "The retain until date must be in the future!", []string{mode, "GOVERNANCE", until, "2026-01-02T03:04:05Z"}},
	} {
		if got := w.call(400, "PUT", c.path, "x", append(c.headers, "Content-MD5", md5Of("x"))...); got.code != c.code || !strings.Contains(got.body, c.message) {
			t.Errorf("%v: %s", c.headers, got.body)
		}
	}
	lock := []string{mode, "COMPLIANCE", until, later, hold, "ON"}
	if got := w.call(400, "PUT", "/bkt/k", "x", lock...); !strings.Contains(got.body, "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters") {
		t.Errorf("without a digest: %s", got.body)
	}
	w.call(200, "PUT", "/bkt/put", "x", append(lock, "Content-MD5", md5Of("x"))...)
	w.call(200, "PUT", "/bkt/copy", "", append(lock, "x-amz-copy-source", "/bkt/put")...)
	var begun struct{ UploadID string }
	got := w.call(200, "POST", "/bkt/mp?uploads", "", lock...)
	begun.UploadID = between(got.body, "<UploadId>", "</UploadId>")
	tag := w.call(200, "PUT", "/bkt/mp?partNumber=1&uploadId="+begun.UploadID, "x").header.Get("ETag")
	w.call(200, "POST", "/bkt/mp?uploadId="+begun.UploadID, "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"+tag+"</ETag></Part></CompleteMultipartUpload>")
	for _, key := range []string{"put", "copy", "mp"} {
		h := w.call(200, "HEAD", "/bkt/"+key, "").header
		if h.Get(mode) != "COMPLIANCE" || h.Get(until) != "2026-02-01T00:00:00.000Z" || h.Get(hold) != "ON" {
			t.Errorf("%s: %v", key, h)
		}
	}
	// A copy's lock is its own, and the default of the bucket comes in where a
	// write says nothing.
	w.call(200, "PUT", "/bkt/free", "", "x-amz-copy-source", "/bkt/put")
	if h := w.call(200, "GET", "/bkt/free", "").header; h.Get(mode) != "" || h.Get(hold) != "" {
		t.Errorf("%v", h)
	}
	w.seal(200, "", "/bkt?object-lock", defaultRetention("<Mode>GOVERNANCE</Mode><Years>1</Years>"))
	if got := w.call(400, "PUT", "/bkt/default", "x"); got.code != "InvalidRequest" {
		t.Error(got.body)
	}
	w.call(200, "PUT", "/bkt/default", "x", "Content-MD5", md5Of("x"))
	if h := w.call(200, "GET", "/bkt/default", "").header; h.Get(mode) != "GOVERNANCE" || !strings.HasPrefix(h.Get(until), "2027-01-02T03:04:05") {
		t.Errorf("%v", h)
	}
}

func between(s, from, to string) string {
	_, s, _ = strings.Cut(s, from)
	s, _, _ = strings.Cut(s, to)
	return s
}

func TestRetentionAndLegalHold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.locking("bkt")
	w.call(200, "PUT", "/plain", "")
	w.call(200, "PUT", "/plain/k", "x")
	id := w.call(200, "PUT", "/bkt/k", "x").header.Get("x-amz-version-id")
	hour, day := start.Add(time.Hour), start.AddDate(0, 0, 1)
	for _, target := range []string{"retention", "legal-hold"} {
		if got := w.call(404, "GET", "/bkt/k?"+target, ""); got.code != "NoSuchObjectLockConfiguration" ||
			!strings.Contains(got.body, "The specified object does not have a ObjectLock configuration") {
			t.Error(got.body)
		}
		if got := w.call(400, "GET", "/plain/k?"+target, ""); got.code != "InvalidRequest" || !strings.Contains(got.body, "Bucket is missing Object Lock Configuration") {
			t.Error(got.body)
		}
	}
	w.seal(400, "InvalidRequest", "/plain/k?retention", retention("GOVERNANCE", hour))
	w.seal(400, "InvalidRequest", "/plain/k?legal-hold", "<LegalHold><Status>ON</Status></LegalHold>")
	w.seal(404, "NoSuchKey", "/bkt/none?retention", retention("GOVERNANCE", hour))
	w.seal(400, "MalformedXML", "/bkt/k?retention", retention("governance", hour))
	w.seal(400, "MalformedXML", "/bkt/k?retention", "<Retention><Mode>GOVERNANCE</Mode></Retention>")
	w.seal(400, "InvalidArgument", "/bkt/none?retention", retention("GOVERNANCE", start))
	w.seal(400, "MalformedXML", "/bkt/k?legal-hold", "<LegalHold><Status>on</Status></LegalHold>")
	if got := w.call(400, "PUT", "/bkt/k?retention", retention("GOVERNANCE", hour)); got.code != "InvalidRequest" {
		t.Errorf("without a digest: %s", got.body)
	}
	const bypass = "x-amz-bypass-governance-retention"
	w.seal(200, "", "/bkt/k?retention", retention("GOVERNANCE", day))
	if got := w.call(200, "GET", "/bkt/k?retention&versionId="+id, ""); !strings.Contains(got.body, "<Mode>GOVERNANCE</Mode><RetainUntilDate>2026-01-03T03:04:05.000Z</RetainUntilDate>") {
		t.Error(got.body)
	}
	got := w.seal(403, "AccessDenied", "/bkt/k?retention", retention("GOVERNANCE", hour))
	if !strings.Contains(got.body, "Access Denied because object protected by object lock.") {
		t.Error(got.body)
	}
	w.seal(403, "AccessDenied", "/bkt/k?retention", "<Retention/>")
	w.seal(200, "", "/bkt/k?retention", "<Retention/>", bypass, "true")
	w.seal(200, "", "/bkt/k?legal-hold", "<LegalHold><Status>ON</Status></LegalHold>")
	for status, next := range map[string]string{"ON": "OFF"} {
		if got := w.call(200, "GET", "/bkt/k?legal-hold", ""); !strings.Contains(got.body, "<Status>"+status+"</Status>") {
			t.Error(got.body)
		}
		got := w.call(403, "DELETE", "/bkt/k?versionId="+id, "", bypass, "true")
		if !strings.Contains(got.body, "Access Denied because object protected by object lock.") {
			t.Error(got.body)
		}
		w.seal(200, "", "/bkt/k?legal-hold", "<LegalHold><Status>"+next+"</Status></LegalHold>")
	}
	if h := w.call(200, "HEAD", "/bkt/k", "").header; h.Get("x-amz-object-lock-legal-hold") != "OFF" {
		t.Errorf("%v", h)
	}
	// DeleteObjects decides for each key.
	w.seal(200, "", "/bkt/k?retention", retention("GOVERNANCE", day))
	free := w.call(200, "PUT", "/bkt/free", "x").header.Get("x-amz-version-id")
	doc := fmt.Sprintf("<Delete><Object><Key>k</Key><VersionId>%s</VersionId></Object><Object><Key>free</Key><VersionId>%s</VersionId></Object></Delete>", id, free)
	answer := w.call(200, "POST", "/bkt?delete", doc, "Content-MD5", md5Of(doc)).body
	if !strings.Contains(answer, "<Error><Key>k</Key><VersionId>"+id+"</VersionId><Code>AccessDenied</Code><Message>Access Denied because object protected by object lock.</Message>") ||
		!strings.Contains(answer, "<Deleted><Key>free</Key>") {
		t.Error(answer)
	}
	w.call(204, "DELETE", "/bkt/k", "") // a marker
	answer = w.call(200, "POST", "/bkt?delete", doc, "Content-MD5", md5Of(doc), bypass, "true").body
	if strings.Contains(answer, "<Error>") {
		t.Error(answer)
	}
}

func TestLockPermissions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hire()
	w.locking("bkt")
	const bypass = "x-amz-bypass-governance-retention"
	id := w.call(200, "PUT", "/bkt/k", "x").header.Get("x-amz-version-id")
	w.seal(200, "", "/bkt/k?retention", retention("GOVERNANCE", start.Add(time.Hour)))
	w.seal(200, "", "/bkt/k?legal-hold", "<LegalHold><Status>OFF</Status></LegalHold>")
	shown := func(want string) {
		t.Helper()
		h := w.callAs(worker, 200, "GET", "/bkt/k", "").header
		if got := h.Get("x-amz-object-lock-mode") + " " + h.Get("x-amz-object-lock-legal-hold"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	w.grant(allowing("s3:GetObject"))
	shown(" ")
	w.grant(allowing("s3:GetObject", "s3:GetObjectRetention"))
	shown("GOVERNANCE ")
	w.grant(allowing("s3:GetObject", "s3:GetObjectLegalHold"))
	shown(" OFF")
	// The header alone bypasses nothing.
	w.grant(allowing("s3:DeleteObjectVersion"))
	w.callAs(worker, 403, "DELETE", "/bkt/k?versionId="+id, "", bypass, "true")
	w.grant(allowing("s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"))
	w.callAs(worker, 403, "DELETE", "/bkt/k?versionId="+id, "")
	w.callAs(worker, 204, "DELETE", "/bkt/k?versionId="+id, "", bypass, "true")

	lock := []string{
		"Content-MD5", md5Of("x"), "x-amz-object-lock-mode", "GOVERNANCE",
		"x-amz-object-lock-retain-until-date", start.AddDate(0, 0, 10).Format(time.RFC3339), "x-amz-object-lock-legal-hold", "ON",
	}
	w.grant(allowing("s3:PutObject", "s3:PutObjectRetention"))
	w.callAs(worker, 403, "PUT", "/bkt/n", "x", lock...)
	w.grant(allowing("s3:PutObject", "s3:PutObjectLegalHold"))
	w.callAs(worker, 403, "PUT", "/bkt/n", "x", lock...)
	all := []string{"s3:PutObject", "s3:PutObjectRetention", "s3:PutObjectLegalHold"}
	for _, c := range []struct{ condition, fail string }{
		{`"StringEquals":{"s3:object-lock-mode":"GOVERNANCE"}`, `"StringEquals":{"s3:object-lock-mode":"COMPLIANCE"}`},
		{`"NumericLessThanEquals":{"s3:object-lock-remaining-retention-days":"10"}`, `"NumericLessThan":{"s3:object-lock-remaining-retention-days":"10"}`},
		{`"DateLessThan":{"s3:object-lock-retain-until-date":"2026-02-01T00:00:00Z"}`, `"DateLessThan":{"s3:object-lock-retain-until-date":"2026-01-03T00:00:00Z"}`},
		{`"StringEquals":{"s3:object-lock-legal-hold":"ON"}`, `"StringEquals":{"s3:object-lock-legal-hold":"OFF"}`},
	} {
		with := func(condition string) string {
			return strings.Replace(allowing(all...), `"Resource":"*"`, `"Resource":"*","Condition":{`+condition+`}`, 1)
		}
		w.grant(with(c.condition))
		w.callAs(worker, 200, "PUT", "/bkt/n", "x", lock...)
		w.grant(with(c.fail))
		w.callAs(worker, 403, "PUT", "/bkt/n", "x", lock...)
	}
	// Without the door nothing is bypassed either.
	o, err := w.store.Head(t.Context(), "bkt", "n", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.DeleteWith(t.Context(), store.Deletion{Bucket: "bkt", Key: "n", ID: o.ID, Bypass: true}); err == nil {
		t.Error("a legal hold was bypassed")
	}
}
