package wire_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"twinbucket/fault"
	"twinbucket/internal/wire"
)

func TestForm(t *testing.T) {
	t.Parallel()
	post := func(ct, query, body string) *http.Request {
		r := httptest.NewRequest("POST", "/?"+query, strings.NewReader(body))
		r.Header.Set("Content-Type", ct)
		return r
	}
	const ct = "application/x-www-form-urlencoded; charset=utf-8"
	got, err := wire.Form(post(ct, "Version=1&Action=A", "Action=B&X=a%20b+c"), 100)
	if diff := cmp.Diff(url.Values{"Version": {"1"}, "Action": {"B"}, "X": {"a b c"}}, got); diff != "" || err != nil {
		t.Errorf("Form: %v %s", err, diff)
	}
	for _, c := range []struct {
		r    *http.Request
		code string
	}{
		{post("text/plain", "", "a=b"), "UnsupportedMediaType"},
		{post(ct, "", "a=%zz"), "MalformedQueryString"},
		{post(ct, "a=%zz", ""), "MalformedQueryString"},
		{post(ct, "", strings.Repeat("a", 101)), "MaxMessageLengthExceeded"},
	} {
		if _, err := wire.Form(c.r, 100); fault.CodeOf(err) != c.code {
			t.Errorf("Form = %v, want %s", err, c.code)
		}
	}
}

func TestStructs(t *testing.T) {
	t.Parallel()
	form, err := url.ParseQuery("T.member.2.Key=k2&T.member.2.L.member.1=in&T.member.1.Key=k&T.member.1.Value=v" +
		"&T.member.-1.Key=no&T.member.x.Key=no&TT.member.1.Key=no&Empty=")
	if err != nil {
		t.Fatal(err)
	}
	want := []map[string]string{{"Key": "k", "Value": "v"}, {"Key": "k2", "L.member.1": "in"}}
	if diff := cmp.Diff(want, wire.Structs(form, "T")); diff != "" {
		t.Error(diff)
	}
	if got := wire.Members(form, "Empty"); len(got) != 0 {
		t.Errorf("members of an empty list: %q", got)
	}
}

func FuzzMembers(f *testing.F) {
	f.Add("A.member.1=a&A.member.2.K=b", "A")
	f.Add("A.=1&A.member.=2&A..=3&A.member.99999999999999999999=4", "A")
	f.Fuzz(func(t *testing.T, query, name string) {
		form, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		if n := len(wire.Members(form, name)); n > len(form) {
			t.Errorf("%d members out of %d parameters", n, len(form))
		}
	})
}
