package role

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"twinbucket/fault"
	"twinbucket/identity"
	"twinbucket/policy"
)

const (
	trust    = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"sts:AssumeRole"}}`
	document = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}`
)

// good returns a role with nothing wrong.
func good() *Role {
	return &Role{
		Identity:   identity.Identity{Account: "111111111111", Path: "/service-role/", Name: "repl", ID: "AROAEXAMPLEEXAMPLE123", Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Inline: map[string][]byte{"b": []byte(document), "a": []byte(document)}, Tags: map[string]string{"team": "storage"}},
		MaxSession: time.Hour,
		Trust:      []byte(trust),
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	if err := good().Validate(); err != nil {
		t.Fatalf("a good role: %v", err)
	}
	many := func(n int) map[string]string {
		m := map[string]string{}
		for i := range n {
			m[fmt.Sprint("k", i)] = ""
		}
		return m
	}
	tests := []struct {
		name   string
		change func(*Role)
		code   string
		want   string // part of the message
	}{
		{"no name", func(r *Role) { r.Name = "" }, "ValidationError", "'roleName' failed to satisfy constraint: Member must have length greater"},
		{"long name", func(r *Role) { r.Name = strings.Repeat("a", 65) }, "ValidationError", "length less than or equal to 64"},
		{"name with slash", func(r *Role) { r.Name = "a/b" }, "ValidationError", "The specified value for roleName is invalid."},
		{"path", func(r *Role) { r.Path = "service-role/" }, "ValidationError", "The specified value for path is invalid."},
		{"path of two slashes", func(r *Role) { r.Path = "//" }, "ValidationError", "path is invalid"},
		{"short session", func(r *Role) { r.MaxSession = time.Minute }, "ValidationError", "greater than or equal to 3600"},
		{"long session", func(r *Role) { r.MaxSession = 13 * time.Hour }, "ValidationError", "less than or equal to 43200"},
		{"long description", func(r *Role) { r.Description = strings.Repeat("x", 1001) }, "ValidationError", "less than or equal to 1000"},
		{"description", func(r *Role) { r.Description = "\u2603" }, "ValidationError", "'description'"},
		{"many tags", func(r *Role) { r.Tags = many(51) }, "ValidationError", "less than or equal to 50"},
		{"tag key", func(r *Role) { r.Tags = map[string]string{"a*": ""} }, "ValidationError", "tags.member.key"},
		{"empty tag key", func(r *Role) { r.Tags = map[string]string{"": ""} }, "ValidationError", "'tags.member.key' failed to satisfy constraint: Member must have length greater"},
		{"long tag key", func(r *Role) { r.Tags = map[string]string{strings.Repeat("k", 129): ""} }, "ValidationError", "length less than or equal to 128"},
		{"long tag value", func(r *Role) { r.Tags = map[string]string{"a": strings.Repeat("v", 257)} }, "ValidationError", "length less than or equal to 256"},
		{"long path", func(r *Role) { r.Path = "/" + strings.Repeat("p", 512) + "/" }, "ValidationError", "'path' failed to satisfy constraint"},
		{"tag value", func(r *Role) { r.Tags = map[string]string{"a": "?"} }, "ValidationError", "tags.member.value"},
		{"tag of aws", func(r *Role) { r.Tags = map[string]string{"AWS:a": ""} }, "InvalidInput", "reserved for system use"},
		{"tag twice", func(r *Role) { r.Tags = map[string]string{"a": "", "A": ""} }, "InvalidInput", "Duplicate tag keys"},
		{"no trust", func(r *Role) { r.Trust = nil }, "MalformedPolicyDocument", "invalid Json"},
		{"long trust", func(r *Role) {
			r.Trust = []byte(strings.Replace(trust, `"Effect"`, `"Sid":"`+strings.Repeat("x", 2048)+`","Effect"`, 1))
		}, "LimitExceeded", "Cannot exceed quota for ACLSizePerRole: 2048"},
		{"policy name", func(r *Role) { r.Inline["a b"] = []byte(document) }, "ValidationError", "policyName"},
		{"policy", func(r *Role) { r.Inline["c"] = []byte(trust) }, "MalformedPolicyDocument", "should not specify a principal"},
		{"long policies", func(r *Role) {
			r.Inline["c"] = []byte(strings.Replace(document, `"*"`, `"arn:aws:s3:::`+strings.Repeat("x", 10240)+`"`, 1))
		}, "LimitExceeded", "Maximum policy size of 10240 bytes exceeded for role repl"},
		{"many policies", func(r *Role) { r.Attached = make([]string, 11) }, "LimitExceeded", "PoliciesPerRole: 10"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := good()
			tt.change(r)
			err := r.Validate()
			if fault.CodeOf(err) != tt.code || !strings.Contains(fault.MessageOf(err), tt.want) {
				t.Errorf("got %v\nwant %s with %q", err, tt.code, tt.want)
			}
		})
	}
}

func TestWhiteSpaceDoesNotCount(t *testing.T) {
	t.Parallel()
	r := good()
	r.Trust = []byte(strings.ReplaceAll(trust, ",", ","+strings.Repeat(" \n\t", 400)))
	if err := r.Validate(); err != nil {
		t.Errorf("a trust policy with %d bytes, mostly space: %v", len(r.Trust), err)
	}
}

func TestSession(t *testing.T) {
	t.Parallel()
	want := policy.Principal{
		Type: policy.RoleSession, Account: "111111111111",
		ARN:  "arn:aws:sts::111111111111:assumed-role/repl/nightly",
		Role: "arn:aws:iam::111111111111:role/service-role/repl", UserID: "AROAEXAMPLEEXAMPLE123:nightly",
		Tags: map[string]string{"team": "storage"},
	}
	if diff := cmp.Diff(want, good().Session("nightly")); diff != "" {
		t.Errorf("session (-want +got):\n%s", diff)
	}
	for name, ok := range map[string]bool{
		"ab": true, "a": false, "": false, "a b": false, "a/b": false,
		"A_z0+=,.@-": true, strings.Repeat("x", 64): true, strings.Repeat("x", 65): false,
	} {
		if err := SessionName.Check(name); (err == nil) != ok {
			t.Errorf("session name %q: %v", name, err)
		}
	}
	if err := ExternalID.Check("arn:aws:x/y"); err != nil {
		t.Error(err)
	}
	if err := SourceIdentity.Check("aws:ann"); fault.MessageOf(err) != `1 validation error detected: Value at 'sourceIdentity' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]*` {
		t.Error(err)
	}
}

func TestCheckDuration(t *testing.T) {
	t.Parallel()
	r := good()
	r.MaxSession = 2 * time.Hour
	tests := []struct {
		d       time.Duration
		chained bool
		want    string
	}{
		{time.Hour, false, ""},
		{time.Hour, true, ""},
		{2 * time.Hour, false, ""},
		{2 * time.Hour, true, "1 hour session limit for roles assumed by role chaining."},
		{3 * time.Hour, false, "exceeds the MaxSessionDuration set for this role."},
		{14 * time.Minute, false, "greater than or equal to 900"},
		{13 * time.Hour, false, "less than or equal to 43200"},
	}
	for _, tt := range tests {
		err := r.CheckDuration(tt.d, tt.chained)
		if tt.want == "" && err != nil || tt.want != "" && (!errors.Is(err, fault.Invalid) || !strings.Contains(fault.MessageOf(err), tt.want)) {
			t.Errorf("%v, chained %v: %v, want %q", tt.d, tt.chained, err, tt.want)
		}
	}
}

func TestCloneAndJSON(t *testing.T) {
	t.Parallel()
	r := good()
	c := r.Clone()
	c.Tags["team"] = "x"
	c.Inline["new"] = nil
	c.Attached = append(c.Attached, "x")
	if diff := cmp.Diff(good(), r); diff != "" {
		t.Errorf("changing the clone changed the role:\n%s", diff)
	}
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back Role
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, &back); diff != "" {
		t.Errorf("through JSON:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a", "b"}, r.Policies()); diff != "" {
		t.Errorf("policies:\n%s", diff)
	}
}
