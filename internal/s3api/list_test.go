package s3api_test

import (
	"encoding/xml"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// page is a page of any listing.
type page struct {
	IsTruncated  bool
	NextMarker   string
	NextToken    string `xml:"NextContinuationToken"`
	NextKey      string `xml:"NextKeyMarker"`
	NextID       string `xml:"NextVersionIdMarker"`
	NextUploadID string `xml:"NextUploadIdMarker"`
	Contents     []listed
	Version      []listed
	DeleteMarker []listed
	Upload       []listed
	Prefixes     []string `xml:"CommonPrefixes>Prefix"`
}

type listed struct {
	Key      string
	ID       string `xml:"VersionId"`
	IsLatest bool
}

// listAll walks a listing page by page and returns the decoded keys of one
// kind of element, each key once.
func (w *world) listAll(bucket, query, element string) []string {
	w.t.Helper()
	var keys []string
	next := ""
	for range 1000 {
		got := w.call(200, "GET", "/"+bucket+"?"+query+next, "")
		var p page
		if err := xml.Unmarshal([]byte(got.body), &p); err != nil {
			w.t.Fatalf("%v\n%s", err, got.body)
		}
		items := map[string][]listed{"Contents": p.Contents, "Version": p.Version, "DeleteMarker": p.DeleteMarker, "Upload": p.Upload}[element]
		for _, c := range items {
			k, err := url.QueryUnescape(c.Key)
			if err != nil {
				w.t.Fatal(err)
			}
			if len(keys) == 0 || keys[len(keys)-1] != k {
				keys = append(keys, k)
			}
		}
		if !p.IsTruncated {
			return keys
		}
		switch {
		case p.NextToken != "":
			next = "&continuation-token=" + p.NextToken
		case p.NextKey != "":
			next = "&key-marker=" + p.NextKey
			if p.NextID != "" {
				next += "&version-id-marker=" + p.NextID
			}
			if p.NextUploadID != "" {
				next += "&upload-id-marker=" + p.NextUploadID
			}
		case p.NextMarker != "":
			next = "&marker=" + p.NextMarker
		default:
			next = "&marker=" + p.Contents[len(p.Contents)-1].Key
		}
	}
	w.t.Fatal("a listing without end")
	return nil
}

func TestListGolden(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call(200, "PUT", "/list", "")
	for _, k := range []string{"a", "d/1", "d/2", "e f/<1>", "z"} {
		w.call(200, "PUT", "/list/"+k, k)
	}
	w.call(200, "PUT", "/list?versioning", enabled)
	w.call(200, "PUT", "/list/a", "again", "x-amz-storage-class", "STANDARD_IA")
	w.call(204, "DELETE", "/list/z", "")
	for _, c := range []struct{ name, query string }{
		{"list_v1", ""},
		{"list_v1_delimiter", "?delimiter=/&max-keys=2"},
		{"list_v1_marker", "?marker=d/1&prefix=d/"},
		{"list_v1_url", "?delimiter=/&prefix=e%20f/&encoding-type=url&marker=a%2Bb"},
		{"list_v2", "?list-type=2"},
		{"list_v2_owner", "?list-type=2&fetch-owner=true&max-keys=1"},
		{"list_v2_start", "?list-type=2&start-after=d%2F1&delimiter=%2F"},
		{"list_v2_none", "?list-type=2&max-keys=0"},
		{"list_v2_empty_token", "?list-type=2&max-keys=0&continuation-token="},
		{"list_versions", "?versions"},
		{"list_versions_delimiter", "?versions&delimiter=/&max-keys=3"},
		{"list_uploads", "?uploads"},
		{"list_versions_empty", "?versions&prefix=nothing"},
	} {
		golden(t, c.name, w.call(200, "GET", "/list"+c.query, "").body)
	}
	golden(t, "list_buckets", w.call(200, "GET", "/", "").body)
	golden(t, "list_buckets_none", w.callAs(dest, 200, "GET", "/?prefix=x&max-buckets=5", "").body)
}

func TestListPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.versioned("pages")
	var want []string
	for i := range 12 {
		k := fmt.Sprintf("k%02d/%d", i/2, i)
		want = append(want, k)
		for range 1 + i%3 {
			w.call(200, "PUT", "/pages/"+k, "")
		}
	}
	for _, max := range []int{1, 2, 5, 1000, 5000} {
		for _, q := range []struct{ query, element string }{{"list-type=2", "Contents"}, {"delimiter=zz", "Contents"}, {"versions", "Version"}} {
			got := w.listAll("pages", fmt.Sprintf("%s&max-keys=%d", q.query, max), q.element)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s by %d: %s", q.query, max, diff)
			}
		}
	}
	var p page
	if err := xml.Unmarshal([]byte(w.call(200, "GET", "/pages?list-type=2&delimiter=/&prefix=k0", "").body), &p); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(p.Prefixes, " "); got != "k00/ k01/ k02/ k03/ k04/ k05/" {
		t.Errorf("prefixes %s", got)
	}
}

func TestListUploads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call(200, "PUT", "/ups", "")
	var want []string
	for _, k := range []string{"a", "b/1", "b/2", "b/2", "c"} {
		w.call(200, "POST", "/ups/"+k+"?uploads", "")
		if len(want) == 0 || want[len(want)-1] != k {
			want = append(want, k)
		}
	}
	if got := w.call(200, "GET", "/ups?uploads&delimiter=/&max-uploads=2", "").body; !strings.Contains(got, "<NextKeyMarker>b/</NextKeyMarker>") || strings.Contains(got, "NextUploadIdMarker") {
		t.Errorf("after a common prefix: %s", got)
	}
	for _, max := range []int{1, 2, 3, 100} {
		if diff := cmp.Diff(want, w.listAll("ups", fmt.Sprintf("uploads&max-uploads=%d", max), "Upload")); diff != "" {
			t.Errorf("by %d: %s", max, diff)
		}
		if diff := cmp.Diff([]string{"a", "c"}, w.listAll("ups", fmt.Sprintf("uploads&delimiter=/&max-uploads=%d", max), "Upload")); diff != "" {
			t.Errorf("by %d with delimiter: %s", max, diff)
		}
	}
}
