package arn

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]ARN{
		"arn:aws:s3:::bucket/key:with:colons":         {"aws", "s3", "", "", "bucket/key:with:colons"},
		"arn:aws:iam::111111111111:role/path/name":    {"aws", "iam", "", "111111111111", "role/path/name"},
		"arn:aws-cn:s3:cn-north-1:111111111111:job/x": {"aws-cn", "s3", "cn-north-1", "111111111111", "job/x"},
	} {
		got, err := Parse(s)
		if err != nil || got != want || got.String() != s {
			t.Errorf("%s: %+v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "arn", "arn:aws:s3", "arn:aws:s3:::", "urn:aws:s3:::b", "arn::s3:::b", "arn:aws::::b"} {
		if got, err := Parse(s); err == nil {
			t.Errorf("%q: %+v", s, got)
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for got, want := range map[string]string{
		Bucket("b"):                           "arn:aws:s3:::b",
		Object("b", "k/l"):                    "arn:aws:s3:::b/k/l",
		Role("111111111111", "", "r"):         "arn:aws:iam::111111111111:role/r",
		Role("111111111111", "/a/b/", "r"):    "arn:aws:iam::111111111111:role/a/b/r",
		Policy("111111111111", "", "p"):       "arn:aws:iam::111111111111:policy/p",
		Root("111111111111"):                  "arn:aws:iam::111111111111:root",
		Session("111111111111", "r", "s"):     "arn:aws:sts::111111111111:assumed-role/r/s",
		Job("us-east-1", "111111111111", "j"): "arn:aws:s3:us-east-1:111111111111:job/j",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if n, err := BucketName("arn:aws:s3:::b"); n != "b" || err != nil {
		t.Error(n, err)
	}
	for _, bad := range []string{"b", "arn:aws:s3:::b/k", "arn:aws:sqs:::b", "arn:aws:s3:us-east-1::b", "arn:aws:s3::111111111111:b"} {
		if n, err := BucketName(bad); err == nil {
			t.Error(bad, n)
		}
	}
	account, path, name, err := RoleParts("arn:aws:iam::111111111111:role/service-role/r")
	if account != "111111111111" || path != "/service-role/" || name != "r" || err != nil {
		t.Error(account, path, name, err)
	}
	for _, bad := range []string{"r", "arn:aws:iam::1:role/r", "arn:aws:iam::111111111111:user/r", "arn:aws:iam::111111111111:role/", "arn:aws:iam::111111111111:role/a/"} {
		if _, _, n, err := RoleParts(bad); err == nil {
			t.Error(bad, n)
		}
	}
	for id, want := range map[string]bool{"111111111111": true, "11111111111": false, "1111111111111": false, "11111111111a": false} {
		if ValidAccount(id) != want {
			t.Error(id)
		}
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		pattern, s string
		want       bool
	}{
		{"*", "anything", true},
		{"arn:aws:s3:::b/*", "arn:aws:s3:::b/a/b:c", true},
		{"arn:aws:s3:::b", "arn:aws:s3:::b/x", false},
		{"arn:aws:s3:::b/?", "arn:aws:s3:::b/x", true},
		{"arn:aws:s3:::b/?", "arn:aws:s3:::b/xy", false},
		{"arn:aws:*:::b", "arn:aws:s3:::b", true},
		{"arn:aws:*:b", "arn:aws:s3:::b", false}, // a wildcard stays within its part
		{"arn:aws:s3:::b", "arn:aws:s3", false},
		{"arn:aws:iam::*:role/r", "arn:aws:iam::111111111111:role/r", true},
	} {
		if got := Match(tt.pattern, tt.s); got != tt.want {
			t.Errorf("%s and %s: %v", tt.pattern, tt.s, got)
		}
	}
}

// TestWildcard compares with the same pattern as a regular expression.
func TestWildcard(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringMatching(`[ab*?]{0,8}`).Draw(t, "pattern")
		s := rapid.StringMatching(`[ab]{0,10}`).Draw(t, "s")
		re := regexp.MustCompile("^" + strings.NewReplacer("*", ".*", "?", ".").Replace(pattern) + "$")
		if got := Wildcard(pattern, s); got != re.MatchString(s) {
			t.Fatalf("%q and %q: %v", pattern, s, got)
		}
	})
}
