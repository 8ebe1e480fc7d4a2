package policy

import (
	"slices"
	"strings"
	"testing"

	"twinbucket/fault"
)

// seeds are documents that use all of the language.
var seeds = []string{
	`{"Version":"2012-10-17","Statement":[{"Sid":"a","Effect":"Allow","Action":["s3:Get*"],"Resource":"arn:aws:s3:::b/${aws:username, 'x'}/*"}]}`,
	`{"Statement":{"Effect":"Deny","NotPrincipal":{"AWS":"111111111111"},"NotAction":"s3:GetObject","NotResource":"arn:aws:s3:::b"}}`,
	`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":["s3.amazonaws.com"],"AWS":"*"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:SourceAccount":"1"},"Null":{"aws:username":true}}}}`,
	`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/${*}","Condition":{"ForAllValues:NumericLessThanIfExists":{"s3:max-keys":[5,"6"]},"IpAddress":{"aws:SourceIp":"::1/64"},"DateEquals":{"aws:CurrentTime":"2026-01-01"},"BinaryEquals":{"s3:x":"YQ=="},"ArnLike":{"aws:SourceArn":"arn:*"}}}}`,
	`{"Id":"\ud800","Statement":[{}]}`, `[`, `"`, "",
}

// FuzzParse: no panic; what parses prints, and the print parses to the same
// and is as public; complaints have a code and a hint.
func FuzzParse(f *testing.F) {
	for _, s := range seeds {
		for kind := range Trust + 1 {
			f.Add(s, uint8(kind))
		}
	}
	f.Fuzz(func(t *testing.T, text string, kind uint8) {
		k := Kind(kind) % (Trust + 1)
		d, err := Parse([]byte(text), k)
		if err != nil {
			if !strings.HasPrefix(fault.CodeOf(err), "MalformedPolicy") || fault.HintOf(err) == "" || fault.MessageOf(err) == "" {
				t.Fatalf("complaint %v, hint %q", err, fault.HintOf(err))
			}
			return
		}
		once := string(d.JSON())
		again, err := Parse([]byte(once), k)
		if err != nil {
			if k == Resource && len(once) > MaxBucketPolicy {
				return // canonical, but longer
			}
			t.Fatalf("%s\nprinted as %s\ndoes not parse: %v", text, once, err)
		}
		if twice := string(again.JSON()); twice != once {
			t.Fatalf("printed once %s\nprinted twice %s", once, twice)
		}
		if d.Public() != again.Public() {
			t.Fatalf("%s\nis public: %t, but printed as %s it is not", text, d.Public(), once)
		}
	})
}

// FuzzDecide: no panic on any document and request; documents decide as their
// prints do; and a Deny of everything denies.
func FuzzDecide(f *testing.F) {
	for _, s := range seeds {
		f.Add(s, "s3:GetObject", "arn:aws:s3:::b/k", "aws:sourceip", "1.2.3.4", uint8(RoleSession))
	}
	all, err := Parse([]byte(`{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}`), Identity)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text, action, resource, key, value string, caller uint8) {
		req := &Request{Principal: repl, Action: action, Resource: resource, ResourceAccount: "222222222222", Context: map[string][]string{key: {value}}}
		req.Principal.Type = Type(caller) % (ServicePrincipal + 1)
		sources := readAs(text)
		d := Decide(req, sources)
		if d.Allowed != (d.Err(req) == nil) {
			t.Fatalf("allowed %v and error %v", d.Allowed, d.Err(req))
		}
		printed := slices.Clone(sources)
		for i, s := range sources {
			again, err := Parse(s.Document.JSON(), s.Document.Kind())
			if err != nil {
				return // canonical, but too long: see FuzzParse
			}
			printed[i].Document = again
		}
		if p := Decide(req, printed); p.Allowed != d.Allowed || p.Explicit != d.Explicit || len(p.Matched) != len(d.Matched) {
			t.Fatalf("%s\nleads to %+v, its print to %+v", text, d, p)
		}
		d = Decide(req, append(sources, Source{Kind: SessionPolicy, Document: all}))
		if d.Allowed || !d.Explicit {
			t.Fatalf("a Deny of everything came to %+v", d)
		}
	})
}

// FuzzDeny: what a document denies beside others never turns a refusal into
// permission.
func FuzzDeny(f *testing.F) {
	for _, s := range seeds {
		for _, more := range seeds {
			f.Add(s, more, "s3:GetObject", "arn:aws:s3:::b/k", uint8(RoleSession))
		}
	}
	f.Fuzz(func(t *testing.T, text, more, action, resource string, caller uint8) {
		req := &Request{Principal: repl, Action: action, Resource: resource, ResourceAccount: "111111111111"}
		req.Principal.Type = Type(caller) % (ServicePrincipal + 1)
		sources := readAs(text)
		before := Decide(req, sources)
		for _, s := range readAs(more) {
			s.DenyOnly = true
			if s.Kind != TrustPolicy && Decide(req, append(slices.Clone(sources), s)).Allowed && !before.Allowed {
				t.Fatalf("%s\nis denied, and no more with the Deny of %s as %s", text, more, s.Kind)
			}
		}
	})
}

// readAs returns text as a source of each kind it can be.
func readAs(text string) []Source {
	var out []Source
	for kind := range TrustPolicy + 1 {
		if d, err := Parse([]byte(text), kindOf(kind)); err == nil {
			out = append(out, Source{Kind: kind, Document: d})
		}
	}
	return out
}

// FuzzWildcard compares the matcher with the plain definition.
func FuzzWildcard(f *testing.F) {
	f.Add("a*b?c", "aXXbYc")
	f.Add("**", "")
	f.Add("?", "é")
	f.Add("*??", "芊")
	f.Add("*??*", "芊")
	f.Fuzz(func(t *testing.T, text, s string) {
		if len(text) > 12 || len(s) > 40 || strings.Count(text, "*") > 4 {
			return // the plain definition takes exponential time
		}
		p, _ := compile(strings.ToValidUTF8(text, ""), true, false)
		s = strings.ToValidUTF8(s, "")
		if got, want := p.match(s, nil), plainMatch([]rune(strings.ToValidUTF8(text, "")), []rune(s)); got != want {
			t.Fatalf("%q matches %q: %v, want %v", text, s, got, want)
		}
	})
}

// plainMatch is the definition of wildcards, character by character.
func plainMatch(p, s []rune) bool {
	switch {
	case len(p) == 0:
		return len(s) == 0
	case p[0] == '*':
		return plainMatch(p[1:], s) || len(s) > 0 && plainMatch(p, s[1:])
	}
	return len(s) > 0 && (p[0] == '?' || p[0] == s[0]) && plainMatch(p[1:], s[1:])
}
