package wire

import (
	"crypto/tls"
	"net/http/httptest"
	"reflect"
	"testing"
)

func TestFacts(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest("POST", "/", nil)
	r.Header.Set("User-Agent", "aws-cli")
	r.RemoteAddr = "192.0.2.1:1234"
	want := map[string][]string{
		"aws:securetransport": {"false"}, "aws:requestedregion": {"us-east-1"}, "aws:useragent": {"aws-cli"}, "aws:sourceip": {"192.0.2.1"},
		"aws:viaawsservice": {"false"},
	}
	if got := Facts(r, "us-east-1"); !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
	r.TLS, r.RemoteAddr = new(tls.ConnectionState), ""
	r.Header.Del("User-Agent")
	if got := Facts(r, "x"); got["aws:securetransport"][0] != "true" || got["aws:sourceip"] != nil || got["aws:useragent"] != nil {
		t.Errorf("%v", got)
	}
}
