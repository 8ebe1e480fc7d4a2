package s3api

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"twinbucket/internal/wire"
	"twinbucket/object"
)

func TestParseCopySource(t *testing.T) {
	t.Parallel()
	id := strings.Repeat("v", 32)
	for _, c := range []struct{ in, name, key, id string }{
		{"bkt/k", "bkt", "k", ""},
		{"/bkt/a/b", "bkt", "a/b", ""},
		{"/bkt//k", "bkt", "/k", ""},
		{"bkt/a%2Fb%20c%3F", "bkt", "a/b c?", ""},
		{"bkt%2Fk", "bkt", "k", ""},
		{"bkt/a+b", "bkt", "a+b", ""},
		{"bkt/50%25", "bkt", "50%", ""},
		{"bkt/k?versionId=" + id, "bkt", "k", id},
		{"bkt/k?versionId=null", "bkt", "k", "null"},
	} {
		name, key, version, err := parseCopySource(c.in)
		if err != nil || name != c.name || key != c.key || version != c.id {
			t.Errorf("%q: %q %q %q %v", c.in, name, key, version, err)
		}
	}
}

func FuzzTarget(f *testing.F) {
	f.Add("bkt.localhost:9000", "/k")
	f.Add("127.0.0.1", "//x/../y")
	f.Add("[::1]:80", "/b/k")
	f.Add("s3.amazonaws.com", "/b")
	s := &server{domains: []string{"s3.example.com"}}
	f.Fuzz(func(t *testing.T, host, path string) {
		name, key, err := s.target(&http.Request{Host: host, URL: &url.URL{Path: path}})
		if err != nil {
			return
		}
		if name == "" && key != "" {
			t.Errorf("%q %q: a key without a bucket", host, path)
		}
		if key != "" && (object.CheckKey(key) != nil || !strings.HasSuffix(path, key)) {
			t.Errorf("%q %q: key %q", host, path, key)
		}
	})
}

func FuzzCopyRange(f *testing.F) {
	f.Add("bytes=0-1", int64(10))
	f.Add("bytes=-5", int64(0))
	f.Add("bytes=9223372036854775807-", int64(1)<<40)
	f.Fuzz(func(t *testing.T, s string, size int64) {
		if size < 0 {
			return
		}
		if r, err := copyRange([]string{s}, size); err == nil && (r.off < 0 || r.n <= 0 || r.off+r.n > size) {
			t.Errorf("copy %q of %d: %+v", s, size, r)
		}
	})
}

func FuzzHeaders(f *testing.F) {
	f.Add("/bkt/k?versionId=null", "a=1&b", "MWE")
	f.Fuzz(func(t *testing.T, source, tags, token string) {
		if name, key, _, err := parseCopySource(source); err == nil && (name == "" || object.CheckKey(key) != nil) {
			t.Errorf("source %q: %q %q", source, name, key)
		}
		if list, err := object.ParseTags(tags); err == nil && object.CheckTags(list, object.MaxTags) != nil {
			t.Errorf("tags %q: %v", tags, list)
		}
		if key, err := wire.ReadToken(token); err == nil {
			if again, err := wire.ReadToken(wire.Token(key)); err != nil || again != key {
				t.Errorf("token %q: %q", token, again)
			}
		}
	})
}

func FuzzDocuments(f *testing.F) {
	f.Add("Delete", "<Delete><Object><Key>a</Key></Object></Delete>")
	f.Add("CompleteMultipartUpload", "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>")
	f.Add("Tagging", "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>")
	f.Fuzz(func(t *testing.T, root, text string) {
		for _, v := range []any{new(deletion), new(completion), new(tagging), new(creation)} {
			_ = wire.Decode([]byte(text), root, v)
		}
	})
}

// TestTarget: the styles of addressing, as AWS's SDKs and proxies write them.
func TestTarget(t *testing.T) {
	t.Parallel()
	s := &server{domains: []string{"s3.example.com"}}
	for _, c := range []struct{ host, path, name, key string }{
		{"localhost:9000", "/", "", ""},
		{"localhost:9000", "/bkt", "bkt", ""},
		{"localhost:9000", "/bkt/", "bkt", ""},
		{"localhost:9000", "/bkt/k/", "bkt", "k/"},
		{"localhost:9000", "/bkt//k", "bkt", "/k"},
		{"localhost:9000", "/bkt/./a/../k", "bkt", "./a/../k"},
		{"localhost:9000", "/bkt/a+b", "bkt", "a+b"},
		{"bkt.localhost:9000", "/", "bkt", ""},
		{"bkt.localhost:9000", "/k", "bkt", "k"},
		{"bkt.localhost:9000", "//k", "bkt", "/k"},
		{"BKT.LocalHost", "/K", "bkt", "K"},
		{"my.bkt.with.dots.localhost", "/k", "my.bkt.with.dots", "k"},
		{"s3.example.com", "/bkt/k", "bkt", "k"},
		{"my.bkt.s3.example.com:443", "/k", "my.bkt", "k"},
		{"bkt.s3.example.com.", "/k", "bkt", "k"},
		{"other.example.com", "/bkt/k", "bkt", "k"},
		{"127.0.0.1:9000", "/bkt/k", "bkt", "k"},
		{"[::1]:9000", "/bkt/k", "bkt", "k"},
		{"[::1]", "/bkt/k", "bkt", "k"},
		{"", "/bkt/k", "bkt", "k"},
		{"s3.amazonaws.com", "/bkt/k", "bkt", "k"},
		{"s3.eu-west-1.amazonaws.com", "/bkt/k", "bkt", "k"},
		{"s3-eu-west-1.amazonaws.com", "/bkt/k", "bkt", "k"},
		{"s3.dualstack.eu-west-1.amazonaws.com", "/bkt/k", "bkt", "k"},
		{"s3-fips.us-east-1.amazonaws.com", "/bkt/k", "bkt", "k"},
		{"s3.cn-north-1.amazonaws.com.cn", "/bkt/k", "bkt", "k"},
		{"bkt.s3.amazonaws.com", "/k", "bkt", "k"},
		{"my.bkt.s3.eu-west-1.amazonaws.com", "/k", "my.bkt", "k"},
		{"bkt.s3-eu-west-1.amazonaws.com", "/k", "bkt", "k"},
		{"bkt.s3.dualstack.eu-west-1.amazonaws.com", "/k", "bkt", "k"},
		{"bkt.s3-fips.us-east-1.amazonaws.com", "/k", "bkt", "k"},
		{"bkt.s3-fips.dualstack.us-east-1.amazonaws.com", "/k", "bkt", "k"},
		{"bkt.s3-accelerate.amazonaws.com", "/k", "bkt", "k"},
		{"bkt.s3-accelerate.dualstack.amazonaws.com", "/k", "bkt", "k"},
		{"my.s3.logs.s3.amazonaws.com", "/k", "my.s3.logs", "k"},
	} {
		name, key, err := s.target(&http.Request{Host: c.host, URL: &url.URL{Path: c.path}})
		if err != nil || name != c.name || key != c.key {
			t.Errorf("%s %s: %q %q %v, want %q %q", c.host, c.path, name, key, err, c.name, c.key)
		}
	}
}
