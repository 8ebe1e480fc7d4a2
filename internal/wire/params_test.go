package wire

import (
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzParams(f *testing.F) {
	f.Add("list-type=2&prefix=a%20b+c&&x;y=1&=&acl")
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := ParseParams(raw)
		if err != nil {
			return
		}
		for _, p := range q {
			if !utf8.ValidString(p.Name) || !utf8.ValidString(p.Value) || !q.Has(p.Name) {
				t.Errorf("%q: %+v", raw, p)
			}
		}
		if want, err := url.ParseQuery(raw); err == nil {
			for name := range want {
				if q.Get(name) != want.Get(name) {
					t.Errorf("%q: %s is %q, want %q", raw, name, q.Get(name), want.Get(name))
				}
			}
		}
	})
}

func FuzzEncodeKey(f *testing.F) {
	f.Add("a b+c/%é\x00")
	f.Fuzz(func(t *testing.T, s string) {
		e := EncodeKey(s)
		got, err := url.QueryUnescape(e)
		if err != nil || got != s {
			t.Errorf("%q is %q is %q: %v", s, e, got, err)
		}
		if strings.ContainsFunc(e, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			t.Errorf("%q is %q", s, e)
		}
	})
}
