package check

import (
	"encoding/json"
	"os/exec"
	"testing"

	"twinbucket/policy"
)

// TestSpare changes a Deny so that it leaves one principal alone, whatever
// conditions it has.
func TestSpare(t *testing.T) {
	t.Parallel()
	const role = "arn:aws:iam::111111111111:role/r"
	for text, want := range map[string]string{
		`{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::b/*"}`:                                                                           `{"ArnNotEquals":{"aws:PrincipalArn":"arn:aws:iam::111111111111:role/r"}}`,
		`{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::b/*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}`:                      `{"ArnNotEquals":{"aws:PrincipalArn":"arn:aws:iam::111111111111:role/r"},"Bool":{"aws:SecureTransport":"false"}}`,
		`{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::b/*","Condition":{"ArnNotEquals":{"aws:principalarn":"arn:aws:iam::1:role/x"}}}`: `{"ArnNotEquals":{"aws:principalarn":["arn:aws:iam::1:role/x","arn:aws:iam::111111111111:role/r"]}}`,
	} {
		var s statement
		out := spare(json.RawMessage(text), role)
		if err := json.Unmarshal(out, &s); err != nil || string(s.Condition) != want {
			t.Errorf("%s became %s, %v", text, out, err)
		}
		if got := spared(out); got[len(got)-1] != role {
			t.Errorf("%s spares %q", out, got)
		}
		doc := `{"Version":"2012-10-17","Statement":[` + string(out) + `]}`
		if _, err := policy.Parse([]byte(doc), policy.Resource); err != nil {
			t.Errorf("%s: %v", doc, err)
		}
	}
}

// TestLiving takes principals that were deleted out of statements.
func TestLiving(t *testing.T) {
	t.Parallel()
	for principal, want := range map[string]string{
		`"*"`:                                `"*"`,
		`{"AWS":"AROAEXAMPLE"}`:              "",
		`{"AWS":["AROAEXAMPLE","1"]}`:        `{"AWS":"1"}`,
		`{"AWS":["AIDAEXAMPLE","1","2"]}`:    `{"AWS":["1","2"]}`,
		`{"AWS":"AROA1","Service":"s3.aws"}`: `{"Service":"s3.aws"}`,
		`{"Service":"AROA"}`:                 `{"Service":"AROA"}`,
	} {
		out, ok := living(json.RawMessage(`{"Effect":"Allow","Principal":` + principal + `,"Action":"s3:*"}`))
		var s statement
		if err := json.Unmarshal(out, &s); err != nil || ok != (want != "") || ok && string(s.Principal) != want {
			t.Errorf("%s became %s, %t, %v", principal, out, ok, err)
		}
	}
}

// TestMerged puts several fixes into one document.
func TestMerged(t *testing.T) {
	t.Parallel()
	at := target{kind: bucketDocument, text: `{"Id":"x","Version":"2008-10-17","Statement":{"Effect":"Deny","Action":"a:b"}}`}
	got := string(encode(merged([]Fix{
		{Do: Remove, index: 0, target: at},
		{Do: Remove, index: 0, target: at},
		{Do: Add, Statement: json.RawMessage(`{"Effect":"Allow","Action":"s3:A","Resource":"r"}`)},
		{Do: Add, Statement: json.RawMessage(`{"Effect":"Allow","Action":"s3:B","Resource":"r"}`)},
		{Do: Add, Statement: json.RawMessage(`{"Effect":"Allow","Action":"s3:A","Resource":"r"}`)},
		{Do: Add, Statement: json.RawMessage(`{"Effect":"Allow","Action":"s3:A","Resource":"q"}`)},
	})))
	const want = `{"Version":"2008-10-17","Id":"x","Statement":[{"Effect":"Allow","Action":["s3:A","s3:B"],"Resource":"r"},{"Effect":"Allow","Action":"s3:A","Resource":"q"}]}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestQuote(t *testing.T) {
	t.Parallel()
	const word = `it's "$HOME" \ and more`
	out, err := exec.CommandContext(t.Context(), "sh", "-c", "printf %s "+quote([]byte(word))).Output()
	if err != nil || string(out) != word {
		t.Errorf("%q, %v", out, err)
	}
}

// TestConcernsOnly tells a Deny that is there for one principal from one that
// others need.
func TestConcernsOnly(t *testing.T) {
	t.Parallel()
	for principal, want := range map[string]bool{
		`"*"`:                       false,
		`{"AWS":"*"}`:               false,
		`{"AWS":"arn:r"}`:           true,
		`{"AWS":["arn:r"]}`:         true,
		`{"AWS":["arn:r","arn:s"]}`: false,
		`{"AWS":"arn:r","Service":"s3.amazonaws.com"}`: false,
	} {
		if got := concernsOnly(json.RawMessage(`{"Effect":"Deny","Principal":`+principal+`}`), "arn:r"); got != want {
			t.Errorf("%s: %t", principal, got)
		}
	}
}
