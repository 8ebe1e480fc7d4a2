package iam

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"twinbucket/fault"
	"twinbucket/identity"
	"twinbucket/policy"
	"twinbucket/role"
)

func sigv4hash(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}

func TestSessionLife(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.role("reader", trustSrc, readSrc)
	cred := w.assume(AssumeRole{RoleARN: r.ARN(), Name: "nightly", Duration: 15 * time.Minute})
	check := func(when string) *Caller {
		t.Helper()
		c, err := w.login(cred)
		if err != nil {
			t.Fatalf("%s: %v (%s)", when, err, fault.HintOf(err))
		}
		if c.Type != policy.RoleSession || c.Role != r.ARN() || c.UserID != r.ID+":nightly" || c.ARN != "arn:aws:sts::111111111111:assumed-role/reader/nightly" {
			t.Errorf("%s: %+v", when, c.Principal)
		}
		return c
	}
	c := check("at first")
	if err := w.Authorize(c, Access{Action: "s3:GetObject", Resource: "arn:aws:s3:::src/a", ResourceAccount: src}); err != nil {
		t.Error(err)
	}
	err := w.Authorize(c, Access{Action: "s3:PutObject", Resource: "arn:aws:s3:::src/a", ResourceAccount: src})
	wantError(t, err, fault.Denied, "AccessDenied", "because no identity-based policy allows the s3:PutObject action")

	w.restart()
	check("after a restart")
	w.clock.advance(14 * time.Minute)
	check("near the end")
	w.clock.advance(time.Minute)
	_, err = w.login(cred)
	wantError(t, err, fault.Unknown, "ExpiredToken", "The provided token has expired.")
	_, err = w.Authenticate(w.request(cred, "us-east-1", "sts"), "sts")
	wantError(t, err, fault.Unknown, "ExpiredToken", "The security token included in the request is expired")
}

func TestTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.role("reader", trustSrc, readSrc)
	good := w.assume(AssumeRole{RoleARN: r.ARN()})
	other := w.assume(AssumeRole{RoleARN: r.ARN()})
	if _, err := w.login(good); err != nil {
		t.Fatal(err)
	}

	stripped := good
	stripped.Token = ""
	_, err := w.login(stripped)
	wantError(t, err, fault.Unknown, "InvalidAccessKeyId", "does not exist in our records")
	if !strings.Contains(fault.HintOf(err), "session token") {
		t.Errorf("hint %q", fault.HintOf(err))
	}

	swapped := good
	swapped.Token = other.Token
	_, err = w.login(swapped)
	wantError(t, err, fault.Unknown, "InvalidToken", "The provided token is malformed or otherwise invalid.")

	for i := 0; i < len(good.Token); i += 7 {
		forged := good
		c := byte('A')
		if good.Token[i] == c {
			c = 'B'
		}
		forged.Token = good.Token[:i] + string(c) + good.Token[i+1:]
		if _, err := w.login(forged); fault.CodeOf(err) != "InvalidToken" {
			t.Errorf("token changed at %d: %v", i, err)
		}
	}

	foreign := newWorld(t) // another server's key
	foreign.role("reader", trustSrc, readSrc)
	_, err = foreign.login(good)
	wantError(t, err, fault.Unknown, "InvalidToken", "malformed or otherwise invalid")
}

// TestRoleMadeAnew: a session ends with its role, and a role of the same name
// is another one.
func TestRoleMadeAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.role("reader", trustSrc)
	cred := w.assume(AssumeRole{RoleARN: r.ARN()})
	c, err := w.login(cred)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.DeleteRole(w.ctx, src, "reader"); err != nil {
		t.Fatal(err)
	}
	_, err = w.login(cred)
	wantError(t, err, fault.Unknown, "InvalidToken", "malformed or otherwise invalid")

	again := w.role("reader", trustSrc, readSrc)
	if again.ID == r.ID || !strings.HasPrefix(again.ID, "AROA") || len(again.ID) != 21 {
		t.Errorf("ids %s and %s", r.ID, again.ID)
	}
	_, err = w.login(cred)
	wantError(t, err, fault.Unknown, "InvalidToken", "malformed or otherwise invalid")
	err = w.Authorize(c, Access{Action: "s3:GetObject", Resource: "arn:aws:s3:::src/a", ResourceAccount: src})
	wantError(t, err, fault.Denied, "AccessDenied", "with an explicit deny in an identity-based policy")
	if !strings.Contains(fault.HintOf(err), "was deleted") {
		t.Errorf("hint %q", fault.HintOf(err))
	}
}

func TestAssumeRoleTrust(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rootSrc, _ := w.root(src)
	rootDst, _ := w.root(dst)
	ops := w.role("ops", trustSrc)
	named := w.role("named", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"`+ops.ARN()+`"},"Action":"sts:AssumeRole"}}`)
	w.role("account", trustSrc)
	w.role("service", trustS3)
	in := role.Role{Identity: identity.Identity{Account: dst, Name: "in"}, Trust: []byte(trustSrc)}
	if _, err := w.CreateRole(w.ctx, in); err != nil {
		t.Fatal(err)
	}
	session := &Caller{Principal: ops.Session("s")}
	tests := []struct {
		name   string
		caller *Caller
		role   string
		ok     bool
		hint   string
	}{
		{"root of the trusted account", rootSrc, "arn:aws:iam::111111111111:role/account", true, ""},
		{"root of another account", rootDst, "arn:aws:iam::111111111111:role/account", false, "the trust policy of role account"},
		{"root of a trusted other account", rootSrc, "arn:aws:iam::222222222222:role/in", true, ""},
		{"role that only a service may assume", rootSrc, "arn:aws:iam::111111111111:role/service", false, "the trust policy of role service"},
		{"session named in the trust policy", session, named.ARN(), true, ""},
		{"session trusted by account, without identity policy", session, "arn:aws:iam::111111111111:role/account", false, "a policy of arn:aws:iam::111111111111:role/ops"},
		{"session of another account, without identity policy", session, "arn:aws:iam::222222222222:role/in", false, "a policy of arn:aws:iam::111111111111:role/ops"},
		{"no such role", rootSrc, "arn:aws:iam::111111111111:role/none", false, "there is no role"},
		{"no such role, for all that strangers know", rootDst, "arn:aws:iam::111111111111:role/none", false, "in account 111111111111, add to the trust policy of role none:"},
	}
	try := func(t *testing.T, c *Caller, arn string) error {
		_, err := w.AssumeRole(w.ctx, c, AssumeRole{RoleARN: arn, Name: "xx"})
		return err
	}
	for _, tt := range tests {
		err := try(t, tt.caller, tt.role)
		if tt.ok {
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		want := "User: " + tt.caller.ARN + " is not authorized to perform: sts:AssumeRole on resource: " + tt.role
		if fault.CodeOf(err) != "AccessDenied" || fault.MessageOf(err) != want || !strings.Contains(fault.HintOf(err), tt.hint) {
			t.Errorf("%s: %v\nhint %s\nwant %s\nand %s", tt.name, err, fault.HintOf(err), want, tt.hint)
		}
	}
	allow := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}}`
	if err := w.PutInline(w.ctx, identity.RoleKind, src, "ops", "p", []byte(allow)); err != nil {
		t.Fatal(err)
	}
	for _, arn := range []string{"arn:aws:iam::111111111111:role/account", "arn:aws:iam::222222222222:role/in"} {
		if err := try(t, session, arn); err != nil {
			t.Errorf("with an identity policy: %v", err)
		}
	}
}

func TestAssumeRoleLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root, _ := w.root(src)
	r := w.role("reader", trustSrc, readSrc)
	chained := &Caller{Principal: w.role("ops", trustSrc, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:*","Resource":"*"}}`).Session("s")}
	if err := w.UpdateRole(w.ctx, src, "reader", func(r *role.Role) error { r.MaxSession = 2 * time.Hour; return nil }); err != nil {
		t.Fatal(err)
	}
	good := AssumeRole{RoleARN: r.ARN(), Name: "ok"}
	tests := []struct {
		name    string
		caller  *Caller
		change  func(*AssumeRole)
		code    string
		message string
	}{
		{"good", root, func(*AssumeRole) {}, "", ""},
		{"two hours", root, func(in *AssumeRole) { in.Duration = 2 * time.Hour }, "", ""},
		{"three hours", root, func(in *AssumeRole) { in.Duration = 3 * time.Hour }, "ValidationError", "exceeds the MaxSessionDuration set for this role."},
		{"chained", chained, func(in *AssumeRole) { in.Duration = 2 * time.Hour }, "ValidationError", "exceeds the 1 hour session limit for roles assumed by role chaining."},
		{"no name", root, func(in *AssumeRole) { in.Name = "" }, "ValidationError", "roleSessionName"},
		{"no ARN", root, func(in *AssumeRole) { in.RoleARN = "reader" }, "ValidationError", "reader is invalid"},
		{"policy", root, func(in *AssumeRole) { in.Policy = []byte("{") }, "MalformedPolicyDocument", "Syntax errors in policy."},
		{"long policy", root, func(in *AssumeRole) { in.Policy = make([]byte, 2049) }, "ValidationError", "2048"},
		{"managed policy", root, func(in *AssumeRole) { in.PolicyARNs = []string{"arn:aws:iam::aws:policy/None"} }, "NoSuchEntity", "was not found"},
		{"tags", root, func(in *AssumeRole) { in.Tags = map[string]string{"*": ""} }, "ValidationError", "tags.member.key"},
	}
	for _, tt := range tests {
		in := good
		tt.change(&in)
		_, err := w.AssumeRole(w.ctx, tt.caller, in)
		if fault.CodeOf(err) != tt.code || !strings.Contains(fault.MessageOf(err), tt.message) {
			t.Errorf("%s: %v, want %s %q", tt.name, err, tt.code, tt.message)
		}
	}
}

func TestSessionPoliciesAndTags(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.role("all", trustSrc, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::src/${aws:PrincipalTag/team}/*"}}`)
	login := func(in AssumeRole) *Caller {
		t.Helper()
		in.RoleARN = r.ARN()
		cred := w.assume(in)
		w.restart() // all of it is in the token
		c, err := w.login(cred)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	may := func(c *Caller, action, key string) bool {
		return w.Authorize(c, Access{Action: action, Resource: "arn:aws:s3:::src/" + key, ResourceAccount: src}) == nil
	}
	tags := map[string]string{"team": "red"}
	for _, tt := range []struct {
		name        string
		in          AssumeRole
		action, key string
		want        bool
	}{
		{"own team", AssumeRole{Tags: tags}, "s3:PutObject", "red/a", true},
		{"another team", AssumeRole{Tags: tags}, "s3:PutObject", "blue/a", false},
		{"no tag", AssumeRole{}, "s3:PutObject", "red/a", false},
		{"read only", AssumeRole{Tags: tags, PolicyARNs: []string{"arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"}}, "s3:GetObject", "red/a", true},
		{"read only, writing", AssumeRole{Tags: tags, PolicyARNs: []string{"arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"}}, "s3:PutObject", "red/a", false},
		{"session policy", AssumeRole{Tags: tags, Policy: []byte(strings.Replace(readSrc, "src/*", "src/red/x", 1))}, "s3:GetObject", "red/x", true},
		{"session policy, other key", AssumeRole{Tags: tags, Policy: []byte(strings.Replace(readSrc, "src/*", "src/red/x", 1))}, "s3:GetObject", "red/y", false},
	} {
		if got := may(login(tt.in), tt.action, tt.key); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
	// Tags of a session need sts:TagSession.
	root, _ := w.root(src)
	w.role("untagged", strings.Replace(trustSrc, `,"sts:TagSession"`, "", 1))
	_, err := w.AssumeRole(w.ctx, root, AssumeRole{RoleARN: "arn:aws:iam::111111111111:role/untagged", Name: "xx", Tags: tags})
	wantError(t, err, fault.Denied, "AccessDenied", "is not authorized to perform: sts:TagSession on resource")
}

// TestSessionTagWins: a tag of the session takes the place of the role's,
// whatever the case of their keys.
func TestSessionTagWins(t *testing.T) {
	t.Parallel()
	r := &role.Role{Identity: identity.Identity{Account: src, Name: "r", Tags: map[string]string{"Team": "blue", "team2": "green"}}}
	p := withTags(r, "s", map[string]string{"team": "red"})
	if len(p.Tags) != 2 || p.Tags["team"] != "red" || p.Tags["team2"] != "green" {
		t.Errorf("%v", p.Tags)
	}
}

func TestGetSessionToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root, _ := w.root(src)
	out, err := w.GetSessionToken(root, 0, MFA{})
	if err != nil {
		t.Fatal(err)
	}
	cred := credentials(out)
	w.restart()
	c, err := w.login(cred)
	if err != nil || c.Type != policy.RootUser || c.Account != src {
		t.Fatalf("%+v, %v", c, err)
	}
	_, err = w.GetSessionToken(c, 0, MFA{})
	wantError(t, err, fault.Denied, "AccessDenied", "Cannot call GetSessionToken with session credentials")
	_, err = w.GetSessionToken(root, time.Minute, MFA{})
	wantError(t, err, fault.Invalid, "ValidationError", "durationSeconds")
}

func TestAssumeForService(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.role("repl", trustS3, readSrc)
	c, err := w.AssumeForService(r.ARN(), "s3.amazonaws.com", "s3-replication", nil)
	if err != nil || c.ARN != "arn:aws:sts::111111111111:assumed-role/repl/s3-replication" {
		t.Fatalf("%+v, %v", c, err)
	}
	if err := w.Authorize(c, Access{Action: "s3:GetObject", Resource: "arn:aws:s3:::src/a", ResourceAccount: src}); err != nil {
		t.Error(err)
	}
	// The error everybody makes: the replication role for the batch job.
	_, err = w.AssumeForService(r.ARN(), "batchoperations.s3.amazonaws.com", "job", nil)
	wantError(t, err, fault.Denied, "AccessDenied", "User: batchoperations.s3.amazonaws.com is not authorized to perform: sts:AssumeRole on resource: "+r.ARN())
	want := `in account 111111111111, add to the trust policy of role repl: {"Effect":"Allow","Principal":{"Service":"batchoperations.s3.amazonaws.com"},"Action":"sts:AssumeRole"}`
	if got := fault.HintOf(err); got != want {
		t.Errorf("hint %s\nwant %s", got, want)
	}
	_, err = w.AssumeForService("arn:aws:iam::111111111111:role/none", "s3.amazonaws.com", "x", nil)
	wantError(t, err, fault.NotFound, "NoSuchEntity", "The role with name none cannot be found.")
	w.role("guarded", strings.Replace(trustS3, `"Action"`, `"Condition":{"StringEquals":{"aws:SourceAccount":"111111111111"}},"Action"`, 1))
	guarded := "arn:aws:iam::111111111111:role/guarded"
	if _, err := w.AssumeForService(guarded, "s3.amazonaws.com", "x", map[string][]string{"aws:sourceaccount": {src}}); err != nil {
		t.Error(err)
	}
	if _, err := w.AssumeForService(guarded, "s3.amazonaws.com", "x", map[string][]string{"aws:sourceaccount": {dst}}); err == nil {
		t.Error("a role that asks for its own account was assumed for another")
	}
}

// TestServicesAskOverTLS: the conditions that hold for what a service asks for,
// when it assumes a role and in its session.
func TestServicesAskOverTLS(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.SetRegion("eu-west-1")
	r := w.role("repl", trustS3)
	for condition, want := range map[string]bool{
		`"Bool":{"aws:SecureTransport":"true"}`:              true,
		`"Bool":{"aws:ViaAWSService":"false"}`:               true,
		`"StringEquals":{"aws:RequestedRegion":"eu-west-1"}`: true,
		`"StringEquals":{"aws:RequestedRegion":"us-east-1"}`: false,
		`"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}`:           false,
	} {
		trusting := w.role("trusting", strings.Replace(trustS3, `"Action"`, `"Condition":{`+condition+`},"Action"`, 1))
		if _, err := w.AssumeForService(trusting.ARN(), "s3.amazonaws.com", "x", nil); (err == nil) != want {
			t.Errorf("%s to assume the role: %v", condition, err)
		}
		c, err := w.AssumeForService(r.ARN(), "s3.amazonaws.com", "x", nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, facts := range map[string]map[string][]string{"without facts": nil, "with facts": {"s3:prefix": {"a"}}} {
			err := w.Authorize(c, Access{
				Action: "s3:GetObject", Resource: "arn:aws:s3:::src/a", ResourceAccount: src, Context: facts,
				Policy: []byte(`{"Statement":{"Effect":"Allow","Principal":{"AWS":"` + r.ARN() + `"},"Action":"s3:*","Resource":"arn:aws:s3:::src/*","Condition":{` + condition + `}}}`),
			})
			if (err == nil) != want {
				t.Errorf("%s in the session, %s: %v", condition, name, err)
			}
		}
		if err := w.DeleteRole(t.Context(), src, "trusting"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPassRole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root, _ := w.root(src)
	stranger, _ := w.root(dst)
	r := w.role("repl", trustS3)
	ops := w.role("ops", trustSrc)
	session := &Caller{Principal: ops.Session("s")}
	if err := w.PassRole(root, r.ARN(), "s3.amazonaws.com", nil); err != nil {
		t.Error(err)
	}
	wantError(t, w.PassRole(stranger, r.ARN(), "s3.amazonaws.com", nil), fault.Denied, "AccessDenied", "Cross-account pass role is not allowed.")
	wantError(t, w.PassRole(session, r.ARN(), "s3.amazonaws.com", nil), fault.Denied, "AccessDenied",
		"User: arn:aws:sts::111111111111:assumed-role/ops/s is not authorized to perform: iam:PassRole on resource: "+r.ARN())
	wantError(t, w.PassRole(root, "repl", "s3.amazonaws.com", nil), fault.Invalid, "InvalidArgument", "Invalid role ARN.")
	allow := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:PassRole","Resource":"` + r.ARN() + `"}}`
	if err := w.PutInline(w.ctx, identity.RoleKind, src, "ops", "pass", []byte(allow)); err != nil {
		t.Fatal(err)
	}
	if err := w.PassRole(session, r.ARN(), "s3.amazonaws.com", nil); err != nil {
		t.Error(err)
	}
	if err := w.UpdateRole(w.ctx, src, "repl", func(r *role.Role) error { r.Tags = map[string]string{"Team": ""}; return nil }); err != nil {
		t.Fatal(err)
	}
	for condition, want := range map[string]bool{
		`"StringEquals":{"iam:PassedToService":"s3.amazonaws.com"}`:             true,
		`"StringEquals":{"iam:PassedToService":"cloudformation.amazonaws.com"}`: false,
		`"Null":{"aws:ResourceTag/team":"true"}`:                                false,
		`"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}`:                           true,
	} {
		guarded := strings.Replace(allow, `"Effect"`, `"Condition":{`+condition+`},"Effect"`, 1)
		if err := w.PutInline(w.ctx, identity.RoleKind, src, "ops", "pass", []byte(guarded)); err != nil {
			t.Fatal(err)
		}
		err := w.PassRole(session, r.ARN(), "s3.amazonaws.com", map[string][]string{"aws:sourceip": {"192.0.2.1"}})
		if (err == nil) != want {
			t.Errorf("%s: %v", condition, err)
		}
	}
}
