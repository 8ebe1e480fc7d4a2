package iam

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"twinbucket/fault"
	"twinbucket/policy"
	"twinbucket/role"
)

// chain makes roles first, second and third, each of which trusts the account
// with actions, and may do everything; it returns a function that assumes one
// of them, of which nothing is kept but the token.
func chain(w *world, actions string) func(c *Caller, in AssumeRole) (*Caller, Session, error) {
	w.t.Helper()
	trust := strings.Replace(trustSrc, `["sts:AssumeRole","sts:TagSession"]`, actions, 1)
	for _, name := range []string{"first", "second", "third"} {
		w.role(name, trust, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`)
	}
	return func(c *Caller, in AssumeRole) (*Caller, Session, error) {
		w.t.Helper()
		in.RoleARN, in.Name = "arn:aws:iam::111111111111:role/"+in.RoleARN, "test"
		s, err := w.AssumeRole(w.ctx, c, in)
		if err != nil {
			return nil, s, err
		}
		cred := credentials(s)
		w.restart()
		session, err := w.login(cred)
		return session, s, err
	}
}

func TestSourceIdentity(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	assume := chain(w, `["sts:AssumeRole","sts:SetSourceIdentity"]`)
	root, _ := w.root(src)
	first, s, err := assume(root, AssumeRole{RoleARN: "first", SourceIdentity: "ann"})
	if err != nil || s.Source != "ann" || first.SourceIdentity != "ann" {
		t.Fatalf("%+v, %+v, %v", first, s, err)
	}
	// It stays through the chain, whether it is said again or not.
	second, s, err := assume(first, AssumeRole{RoleARN: "second"})
	if err != nil || s.Source != "ann" || second.SourceIdentity != "ann" {
		t.Fatalf("%+v, %+v, %v", second, s, err)
	}
	third, s, err := assume(second, AssumeRole{RoleARN: "third", SourceIdentity: "ann"})
	if err != nil || s.Source != "ann" || third.SourceIdentity != "ann" {
		t.Fatalf("%+v, %+v, %v", third, s, err)
	}
	_, _, err = assume(second, AssumeRole{RoleARN: "third", SourceIdentity: "bob"})
	wantError(t, err, fault.Invalid, "ValidationError", "The source identity is already set for this assume role session")
	_, _, err = assume(root, AssumeRole{RoleARN: "third", SourceIdentity: "x y"})
	wantError(t, err, fault.Invalid, "ValidationError", "sourceIdentity")
	if plain, s, err := assume(root, AssumeRole{RoleARN: "first"}); err != nil || s.Source != "" || plain.SourceIdentity != "" {
		t.Errorf("%+v, %+v, %v", plain, s, err)
	}
	// Policies of what the session does see it.
	guarded := strings.Replace(readSrc, `"Effect"`, `"Condition":{"StringEquals":{"aws:SourceIdentity":"ann"}},"Effect"`, 1)
	w.role("guarded", trustSrc, guarded)
	for name, want := range map[string]bool{"ann": true, "bob": false, "": false} {
		c := &Caller{Principal: w.session("guarded", name)}
		err := w.Authorize(c, Access{Action: "s3:GetObject", Resource: "arn:aws:s3:::src/a", ResourceAccount: src})
		if (err == nil) != want {
			t.Errorf("as %q: %v", name, err)
		}
	}
}

// session returns a session of a role of src with a source identity.
func (w *world) session(name, source string) policy.Principal {
	w.t.Helper()
	r, err := w.GetRole(src, name)
	if err != nil {
		w.t.Fatal(err)
	}
	p := r.Session("s")
	p.SourceIdentity = source
	return p
}

// A role that does not trust with sts:SetSourceIdentity is not assumed with
// one, also with one that is taken over; conditions decide on its value.
func TestSourceIdentityNeedsTrust(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	assume := chain(w, `["sts:AssumeRole","sts:SetSourceIdentity"]`)
	root, _ := w.root(src)
	ann, _, err := assume(root, AssumeRole{RoleARN: "first", SourceIdentity: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	const set = `"sts:SetSourceIdentity"`
	for _, c := range []struct {
		name, trust string
		caller      *Caller
		source      string
		want        bool
	}{
		{"without", `"sts:AssumeRole"`, root, "", true},
		{"with, not trusted", `"sts:AssumeRole"`, root, "ann", false},
		{"taken over, not trusted", `"sts:AssumeRole"`, ann, "", false},
		{"taken over, trusted", `["sts:AssumeRole",` + set + `]`, ann, "", true},
		{"the right one", `["sts:AssumeRole",` + set + `],"Condition":{"StringLike":{"sts:SourceIdentity":"a*"}}`, root, "ann", true},
		{"another one", `["sts:AssumeRole",` + set + `],"Condition":{"StringLike":{"sts:SourceIdentity":"a*"}}`, root, "bob", false},
		{"required", `["sts:AssumeRole",` + set + `],"Condition":{"StringLike":{"sts:SourceIdentity":"*"}}`, root, "", false},
		{"of the session", `["sts:AssumeRole",` + set + `],"Condition":{"StringEquals":{"aws:SourceIdentity":"ann"}}`, ann, "", true},
		{"not yet of the session", `["sts:AssumeRole",` + set + `],"Condition":{"StringEquals":{"aws:SourceIdentity":"ann"}}`, root, "ann", false},
	} {
		trust := strings.Replace(trustSrc, `["sts:AssumeRole","sts:TagSession"]`, c.trust, 1)
		if err := w.UpdateRole(w.ctx, src, "second", func(r *role.Role) error { r.Trust = []byte(trust); return nil }); err != nil {
			t.Fatal(err)
		}
		_, _, err := assume(c.caller, AssumeRole{RoleARN: "second", SourceIdentity: c.source})
		if (err == nil) != c.want || err != nil && fault.CodeOf(err) != "AccessDenied" {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestTransitiveTags(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	assume := chain(w, `["sts:AssumeRole","sts:TagSession"]`)
	root, _ := w.root(src)
	tags := map[string]string{"Team": "red", "cost": "1"}
	first, _, err := assume(root, AssumeRole{RoleARN: "first", Tags: tags, Transitive: []string{"team"}})
	if err != nil || !maps.Equal(first.Tags, tags) || !maps.Equal(first.Transitive, map[string]string{"Team": "red"}) {
		t.Fatalf("%+v, %v", first, err)
	}
	// What is not transitive ends with the session; what is goes on and on.
	second, _, err := assume(first, AssumeRole{RoleARN: "second", Tags: map[string]string{"level": "2"}, Transitive: []string{"level"}})
	if err != nil || !maps.Equal(second.Tags, map[string]string{"Team": "red", "level": "2"}) {
		t.Fatalf("%+v, %v", second, err)
	}
	third, _, err := assume(second, AssumeRole{RoleARN: "third"})
	if err != nil || !maps.Equal(third.Tags, map[string]string{"Team": "red", "level": "2"}) {
		t.Fatalf("%+v, %v", third, err)
	}
	_, _, err = assume(second, AssumeRole{RoleARN: "third", Tags: map[string]string{"TEAM": "blue"}})
	wantError(t, err, fault.Invalid, "InvalidParameterValue", "conflicts with a transitive tag key from the calling session.")
	_, _, err = assume(root, AssumeRole{RoleARN: "first", Tags: tags, Transitive: []string{"other"}})
	wantError(t, err, fault.Invalid, "InvalidParameterValue", "The specified transitive tag key must be included in the requested tags.")

	for _, c := range []struct {
		name, trust string
		in          AssumeRole
		want        bool
	}{
		{"taken over without sts:TagSession", `"sts:AssumeRole"`, AssumeRole{}, false},
		{"taken over, other keys are refused", `["sts:AssumeRole","sts:TagSession"],"Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":"team"}}`, AssumeRole{}, true},
		{"another key", `["sts:AssumeRole","sts:TagSession"],"Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":"team"}}`, AssumeRole{Tags: map[string]string{"x": "y"}}, false},
		{"tag of the session", `["sts:AssumeRole","sts:TagSession"],"Condition":{"StringEquals":{"aws:PrincipalTag/team":"red"}}`, AssumeRole{}, true},
		{"tag of the request", `["sts:AssumeRole","sts:TagSession"],"Condition":{"StringEquals":{"aws:RequestTag/x":"y"}}`, AssumeRole{Tags: map[string]string{"X": "y"}}, true},
		{"transitive key", `["sts:AssumeRole","sts:TagSession"],"Condition":{"ForAnyValue:StringEquals":{"sts:TransitiveTagKeys":"x"}}`, AssumeRole{Tags: map[string]string{"x": "y"}, Transitive: []string{"x"}}, true},
		{"no transitive key", `["sts:AssumeRole","sts:TagSession"],"Condition":{"ForAnyValue:StringEquals":{"sts:TransitiveTagKeys":"x"}}`, AssumeRole{Tags: map[string]string{"x": "y"}}, false},
	} {
		trust := strings.Replace(trustSrc, `["sts:AssumeRole","sts:TagSession"]`, c.trust, 1)
		if err := w.UpdateRole(w.ctx, src, "third", func(r *role.Role) error { r.Trust = []byte(trust); return nil }); err != nil {
			t.Fatal(err)
		}
		c.in.RoleARN = "third"
		_, _, err := assume(second, c.in)
		if (err == nil) != c.want || err != nil && fault.CodeOf(err) != "AccessDenied" {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// Tokens of before there were source identities and transitive tags are read as
// what they were.
func TestTokensOfBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.role("reader", trustSrc, readSrc)
	s, err := w.begin(&sealed{Account: src, Role: r.Name, RoleID: r.ID, Name: "old", Tags: map[string]string{"k": "v"}}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	c, err := w.login(credentials(s))
	if err != nil || c.SourceIdentity != "" || c.Transitive != nil || c.Tags["k"] != "v" {
		t.Errorf("%+v, %v", c, err)
	}
}

// What the policies and tags of a session take is bounded together.
func TestPackedPolicies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root, _ := w.root(src)
	r := w.role("reader", trustSrc, readSrc)
	tags := func(n int) map[string]string {
		out := map[string]string{}
		for i := range n {
			out[fmt.Sprintf("key-%02d", i)] = strings.Repeat("v", 250)
		}
		return out
	}
	for _, c := range []struct {
		in      AssumeRole
		packed  int
		message string
	}{
		{AssumeRole{}, 0, ""},
		{AssumeRole{Tags: tags(4)}, 50, ""},
		{AssumeRole{Tags: tags(8)}, 100, ""},
		{AssumeRole{Tags: tags(9)}, 0, "Packed size of session tags consumes 113% of allotted space."},
		{AssumeRole{Tags: tags(8), Policy: []byte(readSrc)}, 0, "Packed policy consumes 106% of allotted space, please use smaller policy."},
		{AssumeRole{Tags: tags(8), PolicyARNs: []string{"arn:aws:iam::aws:policy/AmazonS3FullAccess"}}, 0, "Packed policy consumes 103% of allotted space, please use smaller policy."},
	} {
		c.in.RoleARN, c.in.Name = r.ARN(), "xx"
		s, err := w.AssumeRole(w.ctx, root, c.in)
		if c.message == "" && (err != nil || s.Packed != c.packed) || c.message != "" && (fault.CodeOf(err) != "PackedPolicyTooLarge" || fault.MessageOf(err) != c.message) {
			t.Errorf("%d tags: %d%%, %v, want %d%% %q", len(c.in.Tags), s.Packed, err, c.packed, c.message)
		}
	}
}

// Nobody has a device, so no code is right.
func TestMFA(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root, _ := w.root(src)
	r := w.role("reader", trustSrc, readSrc)
	const device = "arn:aws:iam::111111111111:mfa/ann"
	for _, c := range []struct {
		mfa           MFA
		code, message string
	}{
		{MFA{}, "", ""},
		{MFA{device, "123456"}, "AccessDenied", "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid and associated with this user."},
		{MFA{device, ""}, "AccessDenied", "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code."},
		{MFA{"", "123456"}, "AccessDenied", "must provide both"},
		{MFA{"short", "123456"}, "ValidationError", "'serialNumber'"},
		{MFA{"no*device*here", "123456"}, "ValidationError", "'serialNumber'"},
		{MFA{device, "12345"}, "ValidationError", "'tokenCode'"},
		{MFA{device, "12345x"}, "ValidationError", "'tokenCode'"},
	} {
		_, err := w.AssumeRole(w.ctx, root, AssumeRole{RoleARN: r.ARN(), Name: "xx", MFA: c.mfa})
		if fault.CodeOf(err) != c.code || !strings.Contains(fault.MessageOf(err), c.message) {
			t.Errorf("AssumeRole with %+v: %v", c.mfa, err)
		}
		_, err = w.GetSessionToken(root, 0, c.mfa)
		if fault.CodeOf(err) != c.code || !strings.Contains(fault.MessageOf(err), c.message) {
			t.Errorf("GetSessionToken with %+v: %v", c.mfa, err)
		}
	}
}

// Temporary credentials say that they were made without MFA, and when;
// long-lived ones say neither.
func TestKeysOfTemporaryCredentials(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root, lasting := w.root(src)
	r := w.role("reader", trustSrc, readSrc)
	s, err := w.GetSessionToken(root, 0, MFA{})
	if err != nil {
		t.Fatal(err)
	}
	issued := w.clock.Now()
	session := w.assume(AssumeRole{RoleARN: r.ARN()})
	w.clock.advance(time.Minute)
	const read = `{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::dst/*"}}`
	deny := func(condition string) []byte {
		return []byte(`{"Statement":[` + strings.TrimSuffix(strings.TrimPrefix(read, `{"Statement":`), "}") +
			`,{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::dst/*","Condition":` + condition + `}]}`)
	}
	for _, c := range []struct {
		condition                string
		lasting, temporary, role bool // whether the Deny spares them
	}{
		{`{"Bool":{"aws:MultiFactorAuthPresent":"false"}}`, true, false, false},
		{`{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}`, false, false, false},
		{`{"Bool":{"aws:MultiFactorAuthPresent":"true"}}`, true, true, true},
		{`{"Null":{"aws:MultiFactorAuthAge":"true"}}`, false, false, false},
		{`{"Null":{"aws:TokenIssueTime":"true"}}`, false, true, true},
		{`{"DateLessThan":{"aws:TokenIssueTime":"` + issued.Add(time.Second).UTC().Format(time.RFC3339) + `"}}`, true, false, false},
		{`{"DateLessThan":{"aws:TokenIssueTime":"` + issued.UTC().Format(time.RFC3339) + `"}}`, true, true, true},
	} {
		for name, want := range map[string]bool{"lasting": c.lasting, "temporary": c.temporary, "role": c.role} {
			cred := lasting
			switch name {
			case "temporary":
				cred = credentials(s)
			case "role":
				cred = session
			}
			caller, err := w.login(cred)
			if err != nil {
				t.Fatal(err)
			}
			err = w.Authorize(caller, Access{Action: "s3:GetObject", Resource: "arn:aws:s3:::dst/a", ResourceAccount: src, Policy: deny(c.condition)})
			if (err == nil) != want {
				t.Errorf("%s, %s: %v", c.condition, name, err)
			}
		}
	}
}
