package policy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"twinbucket/fault"
)

const replRole = "arn:aws:iam::111111111111:role/service-role/repl"

// repl is a session of the replication role of the tests.
var repl = Principal{
	Type: RoleSession, Account: "111111111111", Role: replRole,
	ARN: "arn:aws:sts::111111111111:assumed-role/repl/s3-replication", UserID: "AROAEXAMPLEEXAMPLE123:s3-replication",
}

func TestErr(t *testing.T) {
	t.Parallel()
	replicate := &Request{Principal: repl, Action: "s3:ReplicateObject", Resource: "arn:aws:s3:::dst/a", ResourceAccount: "222222222222"}
	identity := Source{Kind: IdentityPolicy, Name: "policy p of role repl", Account: "111111111111"}
	bucket := Source{Kind: ResourcePolicy, Name: "the bucket policy of dst", Account: "222222222222"}
	owner := Principal{Type: RootUser, Account: "222222222222", ARN: "arn:aws:iam::222222222222:root", UserID: "222222222222"}
	with := func(s Source, kind Kind, text string) Source {
		s.Document = mustParse(t, text, kind)
		return s
	}
	allow := with(identity, Identity, `{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}`)
	deny := with(bucket, Resource, `{"Statement": {"Sid": "no", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::dst/*"}}`)
	const who = "User: arn:aws:sts::111111111111:assumed-role/repl/s3-replication is not authorized to perform: "
	tests := []struct {
		name    string
		req     *Request
		sources []Source
		want    string
		hint    string
	}{
		{
			"nothing", replicate, nil,
			who + `s3:ReplicateObject on resource: "arn:aws:s3:::dst/a" because no identity-based policy allows the s3:ReplicateObject action`,
			`in account 111111111111, add to a policy of ` + replRole + `: {"Effect":"Allow","Action":"s3:ReplicateObject","Resource":"arn:aws:s3:::dst/*"}; ` +
				`in account 222222222222, add to the policy of arn:aws:s3:::dst/a: {"Effect":"Allow","Principal":{"AWS":"` + replRole + `"},"Action":"s3:ReplicateObject","Resource":"arn:aws:s3:::dst/*"}`,
		},
		{
			"no grant", replicate,
			[]Source{allow, bucket},
			who + `s3:ReplicateObject on resource: "arn:aws:s3:::dst/a" because no resource-based policy allows the s3:ReplicateObject action`,
			`in account 222222222222, add to the bucket policy of dst: {"Effect":"Allow","Principal":{"AWS":"` + replRole + `"},"Action":"s3:ReplicateObject","Resource":"arn:aws:s3:::dst/*"}`,
		},
		{
			"denied", replicate,
			[]Source{allow, deny},
			who + `s3:ReplicateObject on resource: "arn:aws:s3:::dst/a" with an explicit deny in a resource-based policy`,
			`in account 222222222222, the bucket policy of dst denies it: change statement 1 ("no"); ` +
				`in account 222222222222, add to the bucket policy of dst: {"Effect":"Allow","Principal":{"AWS":"` + replRole + `"},"Action":"s3:ReplicateObject","Resource":"arn:aws:s3:::dst/*"}`,
		},
		{
			"denied at home", &Request{Principal: owner, Action: "s3:GetObject", Resource: "arn:aws:s3:::dst/a", ResourceAccount: "222222222222"},
			[]Source{deny},
			`User: arn:aws:iam::222222222222:root is not authorized to perform: s3:GetObject on resource: "arn:aws:s3:::dst/a" with an explicit deny in a resource-based policy`,
			`in account 222222222222, the bucket policy of dst denies it: change {"Sid":"no","Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::dst/*"}`,
		},
		{
			// The statement would tell a stranger what to send.
			"anonymous denied", &Request{Action: "s3:GetObject", Resource: "arn:aws:s3:::dst/a", ResourceAccount: "222222222222"},
			[]Source{with(bucket, Resource, `{"Statement": [
				{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::dst/*"},
				{"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::dst/*",
				 "Condition": {"StringNotEquals": {"aws:Referer": "secret"}}}]}`)},
			"Access Denied",
			"the request is not signed, and what it asks for is not open to everybody: sign it with an access key",
		},
		{
			"assume", &Request{Principal: repl, Action: "sts:AssumeRole", Resource: "arn:aws:iam::222222222222:role/in", ResourceAccount: "222222222222"},
			[]Source{allow, {Kind: TrustPolicy, Name: "the trust policy of role in", Account: "222222222222"}},
			who + "sts:AssumeRole on resource: arn:aws:iam::222222222222:role/in",
			`in account 222222222222, add to the trust policy of role in: {"Effect":"Allow","Principal":{"AWS":"` + replRole + `"},"Action":"sts:AssumeRole"}`,
		},
		{
			"no resource", &Request{Principal: repl, Action: "iam:ListRoles", Resource: "*"}, nil,
			who + "iam:ListRoles on resource: * because no identity-based policy allows the iam:ListRoles action",
			`in account 111111111111, add to a policy of ` + replRole + `: {"Effect":"Allow","Action":"iam:ListRoles","Resource":"*"}`,
		},
		{
			"anonymous", &Request{Action: "s3:GetObject", Resource: "arn:aws:s3:::dst/a", ResourceAccount: "222222222222"},
			[]Source{bucket},
			"Access Denied",
			"the request is not signed, and what it asks for is not open to everybody: sign it with an access key",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := Decide(tt.req, tt.sources).Err(tt.req)
			if !errors.Is(err, fault.Denied) || fault.CodeOf(err) != "AccessDenied" {
				t.Fatalf("error %v, want AccessDenied", err)
			}
			if diff := cmp.Diff(tt.want, fault.MessageOf(err)); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.hint, fault.HintOf(err)); diff != "" {
				t.Errorf("hint (-want +got):\n%s", diff)
			}
		})
	}
	if err := (Decision{Allowed: true}).Err(replicate); err != nil {
		t.Errorf("an allowed request has error %v", err)
	}
}

// The generators draw from few names, so that statements often meet requests.
var (
	someEffect    = rapid.SampledFrom([]string{"Allow", "Allow", "Deny"})
	someAction    = rapid.SampledFrom([]string{"s3:GetObject", "s3:Get*", "s3:PutObject", "s3:*", "*"})
	someResource  = rapid.SampledFrom([]string{"arn:aws:s3:::dst/*", "arn:aws:s3:::dst/a", "arn:aws:s3:::d*", "arn:aws:s3:::dst/${aws:username}"})
	somePrincipal = rapid.SampledFrom([]string{
		`"*"`, `{"AWS":"111111111111"}`, `{"AWS":"222222222222"}`, `{"AWS":"` + replRole + `"}`,
		`{"AWS":"arn:aws:sts::111111111111:assumed-role/repl/s3-replication"}`,
		`{"AWS":"arn:aws:iam::111111111111:user/a"}`, `{"Service":"s3.amazonaws.com"}`,
	})
	someCondition = rapid.SampledFrom([]string{
		"", "", `,"Condition":{"Bool":{"aws:SecureTransport":"true"}}`,
		`,"Condition":{"ForAnyValue:StringNotLike":{"aws:TagKeys":"a*"}}`,
		`,"Condition":{"StringNotEqualsIfExists":{"aws:username":"a"}}`,
	})
	someCaller = rapid.SampledFrom([]Principal{
		repl,
		{},
		{Type: RootUser, Account: "111111111111", ARN: "arn:aws:iam::111111111111:root", UserID: "111111111111"},
		{Type: User, Account: "111111111111", ARN: "arn:aws:iam::111111111111:user/a", UserID: "AIDAEXAMPLE"},
		{Type: ServicePrincipal, Service: "s3.amazonaws.com"},
	})
	someContext = rapid.SampledFrom([]map[string][]string{
		nil, {"aws:securetransport": {"true"}}, {"aws:securetransport": {"false"}, "aws:tagkeys": {"a1", "b"}},
	})
)

// drawStatement draws a statement for a source of kind; effect "" for any.
func drawStatement(t *rapid.T, kind SourceKind, effect string) string {
	if effect == "" {
		effect = someEffect.Draw(t, "effect")
	}
	principal := ""
	if kind == ResourcePolicy {
		principal = `,"Principal":` + somePrincipal.Draw(t, "principal")
	}
	return fmt.Sprintf(`{"Effect":%q%s,"Action":%q,"Resource":%q%s}`, effect, principal,
		someAction.Draw(t, "action"), someResource.Draw(t, "resource"), someCondition.Draw(t, "condition"))
}

// texts are the statements of a set of sources.
type texts map[SourceKind][]string

func drawTexts(t *rapid.T) texts {
	m := texts{}
	for _, kind := range []SourceKind{IdentityPolicy, ResourcePolicy, Boundary, SessionPolicy} {
		for range rapid.IntRange(0, 2).Draw(t, "statements") {
			m[kind] = append(m[kind], drawStatement(t, kind, ""))
		}
	}
	return m
}

// sources compiles the statements. A document without any is an empty place.
func (m texts) sources(t testing.TB) []Source {
	var out []Source
	for kind := range TrustPolicy + 1 {
		list, ok := m[kind]
		if !ok {
			continue
		}
		src := Source{Kind: kind, Name: kind.String()}
		if len(list) > 0 {
			src.Document = mustParse(t, `{"Version":"2012-10-17","Statement":[`+strings.Join(list, ",")+`]}`, kindOf(kind))
		}
		out = append(out, src)
	}
	return out
}

func drawRequest(t *rapid.T) *Request {
	return &Request{
		Principal:       someCaller.Draw(t, "caller"),
		Action:          rapid.SampledFrom([]string{"s3:GetObject", "s3:PutObject", "s3:DeleteObject"}).Draw(t, "action"),
		Resource:        rapid.SampledFrom([]string{"arn:aws:s3:::dst/a", "arn:aws:s3:::dst/b/c"}).Draw(t, "resource"),
		ResourceAccount: rapid.SampledFrom([]string{"111111111111", "222222222222"}).Draw(t, "owner"),
		Context:         someContext.Draw(t, "context"),
	}
}

// TestDenyNeverAllows: adding a Deny never turns a refusal into permission.
func TestDenyNeverAllows(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		m, req := drawTexts(rt), drawRequest(rt)
		before := Decide(req, m.sources(t))
		kind := rapid.SampledFrom([]SourceKind{IdentityPolicy, ResourcePolicy, Boundary, SessionPolicy}).Draw(rt, "where")
		m[kind] = append(m[kind], drawStatement(rt, kind, "Deny"))
		after := Decide(req, m.sources(t))
		if after.Allowed && !before.Allowed {
			rt.Fatalf("%v\nwas denied before", m)
		}
	})
}

// TestOrderDoesNotMatter: the order of documents has no influence.
func TestOrderDoesNotMatter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		m, req := drawTexts(rt), drawRequest(rt)
		forth := m.sources(t)
		back := slices.Clone(forth)
		slices.Reverse(back)
		a, b := Decide(req, forth), Decide(req, back)
		if a.Allowed != b.Allowed || a.Explicit != b.Explicit || !slices.Equal(a.Missing, b.Missing) || len(a.Matched) != len(b.Matched) {
			rt.Fatalf("forth %+v\nback %+v", a, b)
		}
	})
}

// TestFixesFix: doing what the hint says allows the request, and doing less
// does not.
func TestFixesFix(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		m, req := drawTexts(rt), drawRequest(rt)
		fixes := Decide(req, m.sources(t)).Fixes(req)
		if d := Decide(req, m.fixed(t, fixes).sources(t)); !d.Allowed {
			rt.Fatalf("still denied: %v\n%v", d.Err(req), m)
		}
		for i := range fixes {
			if Decide(req, m.fixed(t, slices.Delete(slices.Clone(fixes), i, i+1)).sources(t)).Allowed {
				rt.Fatalf("allowed without %s\n%v", fixes[i], m)
			}
		}
	})
}

// fixed returns the statements as fixes change them.
func (m texts) fixed(t testing.TB, fixes []Fix) texts {
	m = maps.Clone(m)
	for _, f := range fixes {
		list := slices.Clone(m[f.Kind])
		if f.Remove { // one of those that say so
			at := slices.IndexFunc(list, func(s string) bool {
				return string(mustParse(t, `{"Version":"2012-10-17","Statement":`+s+`}`, kindOf(f.Kind)).Statement(0)) == f.Statement
			})
			list = slices.Delete(list, at, at+1)
		} else {
			list = append(list, f.Statement)
		}
		m[f.Kind] = list
	}
	return m
}

// kindOf returns what the documents of a source are parsed as.
func kindOf(k SourceKind) Kind {
	switch k {
	case ResourcePolicy:
		return Resource
	case TrustPolicy:
		return Trust
	}
	return Identity
}

// TestSlowPatterns: a policy made to be slow takes little time all the same.
// The owner of one bucket must not hold up the others'.
func TestSlowPatterns(t *testing.T) {
	t.Parallel()
	for name, part := range map[string]string{
		"one piece": strings.Repeat("a", 480) + "b",
		"stars":     strings.Repeat("a*", 240) + "b",
	} {
		resource := `"arn:aws:s3:::dst/*` + part + `*"`
		text := `{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": [` +
			strings.Repeat(resource+",", 37) + resource + `]}}`
		sources := []Source{{Kind: ResourcePolicy, Document: mustParse(t, text, Resource)}}
		req := &Request{Action: "s3:GetObject", Resource: "arn:aws:s3:::dst/" + strings.Repeat("a", 1024)}
		begun := time.Now()
		for range 100 {
			if Decide(req, sources).Allowed {
				t.Fatalf("%s: allowed", name)
			}
		}
		if took := time.Since(begun); took > 3*time.Second { // else it is nine
			t.Errorf("%s: a hundred decisions took %v", name, took)
		}
	}
}
