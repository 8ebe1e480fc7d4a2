package policy

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"twinbucket/fault"
)

// mustParse parses a document that is known to be good.
func mustParse(t testing.TB, text string, kind Kind) *Document {
	t.Helper()
	d, err := Parse([]byte(text), kind)
	if err != nil {
		t.Fatalf("%s: %v (%s)", text, err, fault.HintOf(err))
	}
	return d
}

func TestParseComplaints(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		kind Kind
		text string
		want string
		hint string // part of it
	}{
		{"no object", Identity, `[]`, "Syntax errors in policy.", "JSON object"},
		{"twice", Identity, `{"Statement": [], "Statement": []}`, "Syntax errors in policy.", `"Statement" is there twice`},
		{"after the end", Trust, `{} {}`, "This policy contains invalid Json", "after the end"},
		{"deep", Identity, strings.Repeat("[", 50) + strings.Repeat("]", 50), "Syntax errors in policy.", "nested too deeply"},
		{"version", Resource, `{"Version": "2012", "Statement": {}}`, "The policy must contain a valid version string", "2012-10-17"},
		{"unknown member", Trust, `{"Statements": []}`, "Unknown field Statements", "Statement"},
		{"id", Identity, `{"Id": 1, "Statement": {}}`, "Syntax errors in policy.", "Id is a string"},
		{"no statement", Trust, `{}`, "Missing required field Statement", "add Statement"},
		{"empty list", Resource, `{"Statement": []}`, "Could not parse the policy: Statement is empty!", "add a statement"},
		{"list of texts", Identity, `{"Statement": ["a"]}`, "Syntax errors in policy.", "statement 1: a statement is an object"},
		{"text", Identity, `{"Statement": "a"}`, "Syntax errors in policy.", "a list of objects"},
		{"unknown element", Resource, `{"Statement": {"Efect": "Allow"}}`, "Unknown field Efect", `"Efect" is not an element`},
		{"effect", Resource, `{"Statement": {"Effect": "ALLOW"}}`, "Invalid effect: ALLOW", `"Allow" or "Deny"`},
		{"no effect", Resource, `{"Statement": {"Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::b"}}`, "Missing required field Effect", "add Effect"},
		{"both", Resource, `{"Statement": {"Action": "s3:*", "NotAction": "s3:*"}}`, "Statement/policy already has instance of Action", "exclude each other"},
		{"no action", Trust, `{"Statement": {"Effect": "Allow", "Principal": "*"}}`, "Missing required field Action", "add Action"},
		{"sid", Identity, `{"Statement": {"Sid": "a b"}}`, "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*", `"a b"`},
		{"empty principal", Resource, `{"Statement": {"Principal": {}}}`, "Missing required field Principal cannot be empty!", "name a principal"},
		{"principal as text", Resource, `{"Statement": {"Principal": "111111111111"}}`, "Invalid principal in policy", `{"AWS": "111111111111"}`},
		{"principal form", Trust, `{"Statement": {"Principal": {"User": "ann"}}}`, `Invalid principal in policy: "USER":"ann"`, "of type User"},
		{"service with wildcard", Trust, `{"Statement": {"Principal": {"Service": "*"}}}`, `Invalid principal in policy: "SERVICE":"*"`, "of type Service"},
		{"not principal", Trust, `{"Statement": {"NotPrincipal": {"AWS": "111111111111"}, "Effect": "Deny", "Action": "sts:AssumeRole"}}`, "Has prohibited field NotPrincipal", "Principal"},
		{"not resource", Trust, `{"Statement": {"NotResource": "*"}}`, "AssumeRole policy must not contain resources.", "remove NotResource"},
		{"action", Identity, `{"Statement": {"Action": "GetObject"}}`, "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.", "s3:GetObject"},
		{"vendor of action", Identity, `{"Statement": {"Action": "s3 :*"}}`, "Vendor s3  is not valid", "s3:GetObject"},
		{"no vendor", Identity, `{"Statement": {"NotAction": ":Get"}}`, "Vendor  is not valid", "s3:GetObject"},
		{"colons of action", Identity, `{"Statement": {"Action": "s3:Get:Object"}}`, "Actions/Condition can contain only one colon.", "s3:GetObject"},
		{"other scheme", Identity, `{"Statement": {"Resource": "urn:aws:s3:::b"}}`, `Resource urn:aws:s3:::b must be in ARN format or "*".`, "not a resource"},
		{"partition", Identity, `{"Statement": {"Resource": "aws:s3:::b"}}`, `Partition "s3" is not valid for resource "arn:s3:::b:*".`, "not a resource"},
		{"vendor", Identity, `{"Statement": {"Resource": "arn:aws:*:*:*:*"}}`, "Resource vendor must be fully qualified and cannot contain regexes.", "not a resource"},
		{"empty part", Identity, `{"Statement": {"NotResource": "arn:aws:s3::b"}}`, "The policy failed legacy parsing", "not a resource"},
		{"region of IAM", Identity, `{"Statement": {"Resource": "arn:aws:iam:us-east-1::user/a"}}`, "IAM resource arn:aws:iam:us-east-1::user/a cannot contain region information.", "not a resource"},
		{"region of bucket", Identity, `{"Statement": {"Resource": "arn:aws:s3:us-east-1::b"}}`, "Resource arn:aws:s3:us-east-1::b can not contain region information.", "not a resource"},
		{"action of others", Resource, `{"Statement": {"Action": "iam:*"}}`, "Policy has invalid action", "not an action of S3"},
		{"variable", Identity, `{"Version": "2012-10-17", "Statement": {"Resource": "arn:aws:s3:::b/${x"}}`, "Syntax errors in policy.", "no closing brace"},
		{"variable without key", Identity, `{"Version": "2012-10-17", "Statement": {"Resource": "arn:aws:s3:::b/${x}"}}`, "Syntax errors in policy.", "no key"},
		{"variable with default", Identity, `{"Version": "2012-10-17", "Statement": {"Resource": "arn:aws:s3:::b/${aws:username, x}"}}`, "Syntax errors in policy.", "single quotes"},
		{"condition", Identity, `{"Statement": {"Condition": []}}`, "Syntax errors in policy.", "object of operators"},
		{"condition keys", Identity, `{"Statement": {"Condition": {"Bool": "x"}}}`, "Syntax errors in policy.", "object of condition keys"},
		{"operator", Trust, `{"Statement": {"Condition": {"StringIs": {"aws:userid": "x"}}}}`, "Invalid Condition type : StringIs", "not a condition operator"},
		{"null for any", Trust, `{"Statement": {"Condition": {"ForAnyValue:Null": {"aws:userid": "true"}}}}`, "Invalid Condition type : ForAnyValue:Null", "not a condition operator"},
		{"key", Trust, `{"Statement": {"Condition": {"Bool": {"x": "true"}}}}`, "Policy has an invalid condition key", "aws:SourceArn"},
		{"no values", Trust, `{"Statement": {"Condition": {"Bool": {"aws:x": []}}}}`, "Invalid policy syntax.", "a list of values"},
		{"bool", Identity, `{"Statement": {"Condition": {"Bool": {"aws:x": "yes"}}}}`, "Syntax errors in policy.", `"yes" is neither`},
		{"number", Identity, `{"Statement": {"Condition": {"NumericEquals": {"aws:x": "0x10"}}}}`, "Syntax errors in policy.", "not a number"},
		{"date", Identity, `{"Statement": {"Condition": {"DateEquals": {"aws:x": "soon"}}}}`, "The policy failed legacy parsing", "not a date"},
		{"binary", Identity, `{"Statement": {"Condition": {"BinaryEquals": {"aws:x": "%"}}}}`, "Syntax errors in policy.", "not base64"},
		{"address", Identity, `{"Statement": {"Condition": {"IpAddress": {"aws:x": "1.2.3"}}}}`, "Syntax errors in policy.", "not an IP address"},
		{"too large", Resource, `{"Id": "` + strings.Repeat("x", MaxBucketPolicy) + `"}`, "Policy exceeds the maximum allowed document size.", "20480 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse([]byte(tt.text), tt.kind)
			if !errors.Is(err, fault.Invalid) {
				t.Fatalf("error %v, want an Invalid one", err)
			}
			want := "MalformedPolicyDocument"
			if tt.kind == Resource {
				want = "MalformedPolicy"
			}
			if got := fault.CodeOf(err); got != want {
				t.Errorf("code %s, want %s", got, want)
			}
			if got := fault.MessageOf(err); got != tt.want {
				t.Errorf("message %q, want %q", got, tt.want)
			}
			if got := fault.HintOf(err); !strings.Contains(got, tt.hint) {
				t.Errorf("hint %q does not say %q", got, tt.hint)
			}
		})
	}
}

func TestNamed(t *testing.T) {
	t.Parallel()
	d := mustParse(t, `{"Statement": [
		{"Effect": "Allow", "Principal": {"AWS": ["111111111111", "arn:aws:iam::111111111111:role/a"], "Service": "s3.amazonaws.com"}, "Action": "s3:*", "Resource": "arn:aws:s3:::b"},
		{"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::b"},
		{"Effect": "Deny", "NotPrincipal": {"AWS": ["111111111111", "*"], "CanonicalUser": "79a5"}, "Action": "s3:*", "Resource": "arn:aws:s3:::b"}
	]}`, Resource)
	want := []Named{
		{"AWS", "111111111111"},
		{"AWS", "arn:aws:iam::111111111111:role/a"},
		{"Service", "s3.amazonaws.com"},
		{"CanonicalUser", "79a5"},
	}
	if diff := cmp.Diff(want, d.Named()); diff != "" {
		t.Errorf("named (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"111111111111", "arn:aws:iam::111111111111:role/a"}, d.Principals()); diff != "" {
		t.Errorf("principals (-want +got):\n%s", diff)
	}
}

func TestCheckBucket(t *testing.T) {
	t.Parallel()
	d := mustParse(t, `{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "s3:*",
		"Resource": ["arn:aws:s3:::dst", "arn:aws:s3:::dst/*", "arn:aws:s3:::d?t/a"]}}`, Resource)
	if err := d.CheckBucket("dst"); err != nil {
		t.Errorf("own bucket: %v", err)
	}
	err := d.CheckBucket("src")
	if fault.CodeOf(err) != "MalformedPolicy" || fault.MessageOf(err) != "Policy has invalid resource" {
		t.Errorf("another bucket: %v", err)
	}
}

func TestPrint(t *testing.T) {
	t.Parallel()
	text := `{"Version":"2012-10-17","Id":"x","Statement":[` +
		`{"Sid":"a <b>","Effect":"Deny","NotPrincipal":{"AWS":["111111111111","222222222222"],"Service":"s3.amazonaws.com"},` +
		`"NotAction":["s3:GetObject","s3:ListBucket"],"NotResource":"arn:aws:s3:::b/${aws:username}/*",` +
		`"Condition":{"StringLike":{"s3:prefix":["a","b"],"aws:userid":"x*"},"Bool":{"aws:SecureTransport":"true"}}},` +
		`{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}]}`
	d := mustParse(t, text, Resource)
	if diff := cmp.Diff(text, string(d.JSON())); diff != "" {
		t.Errorf("printed (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(`{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}`, string(d.Statement(1))); diff != "" {
		t.Errorf("statement (-want +got):\n%s", diff)
	}
	if d.Len() != 2 || d.Version() != "2012-10-17" || d.Kind() != Resource {
		t.Errorf("%d statements, version %q, kind %d", d.Len(), d.Version(), d.Kind())
	}
}

// TestExpand puts the values of variables into texts, and leaves wildcards.
func TestExpand(t *testing.T) {
	t.Parallel()
	r := Request{Principal: Principal{Type: User, Account: "111111111111", ARN: "arn:aws:iam::111111111111:user/ann"}}
	for text, want := range map[string]string{
		"a*b?":                              "a*b?",
		"${aws:username}/*":                 "ann/*",
		"${aws:PrincipalTag/team, 'none'}?": "none?",
		"${aws:PrincipalTag/team}":          "",
		"${aws:username":                    "",
	} {
		if got, ok := r.Expand(text); ok != (want != "") || ok && got != want {
			t.Errorf("%s: %q, %t, want %q", text, got, ok, want)
		}
	}
}
