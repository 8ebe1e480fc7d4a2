package policy

import (
	"strings"
	"testing"
)

func TestRenamePrincipals(t *testing.T) {
	t.Parallel()
	upper := func(s string) string { return strings.ToUpper(s) }
	for text, want := range map[string]string{
		`{"Statement":{"Principal":{"AWS":"a"},"Action":"a","Resource":"a"}}`:                                            `{"Statement":{"Principal":{"AWS":"A"},"Action":"a","Resource":"a"}}`,
		"{ \"Statement\" : [ {\"NotPrincipal\" :\n{\"AWS\": [ \"a\" , \"b\" ] , \"Service\":\"s\"} } ] }":                "{ \"Statement\" : [ {\"NotPrincipal\" :\n{\"AWS\": [ \"A\" , \"B\" ] , \"Service\":\"s\"} } ] }",
		`{"Id":"AWS","Statement":[{"Principal":"*","Condition":{"StringEquals":{"AWS":"a","aws:PrincipalArn":["a"]}}}]}`: `{"Id":"AWS","Statement":[{"Principal":"*","Condition":{"StringEquals":{"AWS":"a","aws:PrincipalArn":["a"]}}}]}`,
		`{"Statement":[{"Principal":{"Service":["a"],"AWS":["a"]},"Sid":"x"},{"Principal":{"AWS":"b"}}]}`:                `{"Statement":[{"Principal":{"Service":["a"],"AWS":["A"]},"Sid":"x"},{"Principal":{"AWS":"B"}}]}`,
		`{"Statement":{"Principal":{"AWS":"\u0061"}}}`:                                                                   `{"Statement":{"Principal":{"AWS":"A"}}}`,
		`{"Statement":{"Principal":{"AWS":1}}}`:                                                                          `{"Statement":{"Principal":{"AWS":1}}}`,
		``:                                                                                                               ``,
		`{"a":"b`:                                                                                                        `{"a":"b`,
		`"text"`:                                                                                                         `"text"`,
		`[1,true]`:                                                                                                       `[1,true]`,
	} {
		if got := string(RenamePrincipals([]byte(text), upper)); got != want {
			t.Errorf("%s\n gave %s\n want %s", text, got, want)
		}
	}
}

func FuzzRenamePrincipals(f *testing.F) {
	f.Add([]byte(`{"Statement":{"Principal":{"AWS":["a","b"]}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if got := RenamePrincipals(text, func(s string) string { return s }); string(got) != string(text) {
			t.Errorf("%q became %q", text, got)
		}
		back := RenamePrincipals(RenamePrincipals(text, func(s string) string { return "x" + s }), func(s string) string { return s[1:] })
		if _, err := Parse(text, Resource); err == nil {
			if _, err := Parse(back, Resource); err != nil {
				t.Errorf("%q became %q: %v", text, back, err)
			}
		}
	})
}
