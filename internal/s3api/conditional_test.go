package s3api_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestConditionalWrites goes through the conditions on the object that a write
// or delete would replace, in the order given: each sees what the former left.
func TestConditionalWrites(t *testing.T) {
	t.Parallel()
	for _, versioned := range []bool{false, true} {
		w := newWorld(t)
		w.call(200, "PUT", "/bkt", "")
		if versioned {
			w.versioned("bkt")
		}
		w.call(200, "PUT", "/bkt/src", "source")
		etag := w.call(200, "PUT", "/bkt/k", "first").header.Get("ETag")
		afterDelete := 404
		if versioned {
			afterDelete = 412 // a delete marker is there
		}
		for i, c := range []struct {
			method, path, body string
			headers            []string
			want               int
		}{
			{"PUT", "/bkt/k", "x", []string{"If-None-Match", "*"}, 412},
			{"PUT", "/bkt/k", "x", []string{"If-None-Match", etag}, 412},
			{"PUT", "/bkt/k", "x", []string{"If-Match", `"other"`}, 412},
			{"PUT", "/bkt/k", "x", []string{"If-Match", etag, "If-None-Match", "*"}, 501},
			{"PUT", "/bkt/k", "x", []string{"If-Match", etag + `, "other"`}, 501},
			{"PUT", "/bkt/none", "x", []string{"If-Match", "*"}, 404},
			{"PUT", "/bkt/none", "x", []string{"If-Match", etag}, 404},
			{"PUT", "/bkt/k", "", []string{"x-amz-copy-source", "bkt/src", "If-None-Match", "*"}, 412},
			{"PUT", "/bkt/k", "", []string{"x-amz-copy-source", "bkt/src", "If-Match", `"other"`}, 412},
			{"PUT", "/bkt/none", "", []string{"x-amz-copy-source", "bkt/src", "If-Match", "*"}, 404},
			{"DELETE", "/bkt/k", "", []string{"If-Match", `"other"`}, 412},
			{"DELETE", "/bkt/none", "", []string{"If-Match", "*"}, 404},
			{"DELETE", "/bkt/none", "", []string{"If-Match", etag}, 404},
			{"PUT", "/bkt/k", "first", []string{"If-None-Match", `"other"`}, 200},
			{"PUT", "/bkt/k", "first", []string{"If-Match", "*"}, 200},
			{"PUT", "/bkt/copy", "", []string{"x-amz-copy-source", "bkt/src", "If-None-Match", "*"}, 200},
			{"PUT", "/bkt/copy", "", []string{"x-amz-copy-source", "bkt/k", "If-Match", "*"}, 200},
			{"DELETE", "/bkt/k", "", []string{"If-Match", etag}, 204},
			{"DELETE", "/bkt/k", "", []string{"If-Match", etag}, afterDelete},
			{"DELETE", "/bkt/k", "", []string{"If-Match", "*"}, afterDelete},
			{"PUT", "/bkt/k", "x", []string{"If-Match", "*"}, 404},
			{"PUT", "/bkt/k", "x", []string{"If-None-Match", "*"}, 200},
			{"DELETE", "/bkt/k", "", []string{"If-Match", "*"}, 204},
		} {
			q := request{method: c.method, path: c.path, body: c.body, header: pairs(c.headers)}
			if got := w.do(q); got.status != c.want {
				t.Errorf("versioned %v, step %d, %s %v: %d %s, want %d", versioned, i, c.path, c.headers, got.status, got.code, c.want)
			}
		}
	}
}

// TestConditionalDeleteOfVersion: with a version id the condition is one on
// that version.
func TestConditionalDeleteOfVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.versioned("bkt")
	old := w.call(200, "PUT", "/bkt/k", "old").header
	w.call(200, "PUT", "/bkt/k", "new")
	target := "/bkt/k?versionId=" + old.Get("x-amz-version-id")
	w.call(412, "DELETE", target, "", "If-Match", `"other"`)
	w.call(204, "DELETE", target, "", "If-Match", old.Get("ETag"))
	w.call(404, "DELETE", target, "", "If-Match", old.Get("ETag"))
	if got := w.call(200, "GET", "/bkt/k", "").body; got != "new" {
		t.Errorf("the current version is %q", got)
	}
}

// TestConditionalDeleteObjects: each entry has its own condition.
func TestConditionalDeleteObjects(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call(200, "PUT", "/bkt", "")
	etag := w.call(200, "PUT", "/bkt/a", "a").header.Get("ETag")
	w.call(200, "PUT", "/bkt/b", "b")
	entry := func(key, etag string) string {
		return fmt.Sprintf("<Object><Key>%s</Key><ETag>%s</ETag></Object>", key, strings.ReplaceAll(etag, `"`, "&quot;"))
	}
	doc := "<Delete>" + entry("a", etag) + entry("b", etag) + entry("none", "*") + "</Delete>"
	body := w.call(200, "POST", "/bkt?delete", doc, "Content-MD5", md5Of(doc)).body
	for _, want := range []string{
		"<Deleted><Key>a</Key></Deleted>",
		"<Error><Key>b</Key><Code>PreconditionFailed</Code>",
		"<Error><Key>none</Key><Code>NoSuchKey</Code>",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("%s is not in %s", want, body)
		}
	}
	w.call(404, "GET", "/bkt/a", "")
	w.call(200, "GET", "/bkt/b", "")
	doc = "<Delete><Object><Key>b</Key><Size>1</Size></Object></Delete>"
	if got := w.call(200, "POST", "/bkt?delete", doc, "Content-MD5", md5Of(doc)).body; !strings.Contains(got, "NotImplemented") {
		t.Error(got)
	}
}

// TestConditionalDeleteNeedsGetObject: comparing an ETag is reading it.
func TestConditionalDeleteNeedsGetObject(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call(200, "PUT", "/bkt", "")
	etag := w.call(200, "PUT", "/bkt/k", "k").header.Get("ETag")
	w.call(204, "PUT", "/bkt?policy", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"222222222222"},"Action":"s3:DeleteObject","Resource":"arn:aws:s3:::bkt/*"}]}`)
	w.callAs(dest, 403, "DELETE", "/bkt/k", "", "If-Match", etag)
	w.callAs(dest, 204, "DELETE", "/bkt/k", "", "If-Match", "*")
}
