package iam

import (
	"strings"
	"testing"
	"time"

	"twinbucket/fault"
	"twinbucket/identity"
	"twinbucket/policy"
)

const mayFederate = `{"Version":"2012-10-17","Statement":[
	{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::src/*"},
	{"Effect":"Allow","Action":"sts:GetFederationToken","Resource":"arn:aws:sts::111111111111:federated-user/b*"},
	{"Effect":"Allow","Action":"sts:TagSession","Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/team":"red"}}}]}`

// A federated user may do what is lent, as long as whoever lends may do it.
func TestFederationToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.ann("/")
	if err := w.PutInline(w.ctx, identity.UserKind, src, "ann", "p", []byte(mayFederate)); err != nil {
		t.Fatal(err)
	}
	root, _ := w.root(src)
	begin := func(c *Caller, in Federate) *Caller {
		t.Helper()
		s, err := w.GetFederationToken(c, in)
		if err != nil {
			t.Fatalf("%v (%s)", err, fault.HintOf(err))
		}
		if s.ARN != "arn:aws:sts::111111111111:federated-user/"+in.Name || s.UserID != "111111111111:"+in.Name {
			t.Errorf("session %+v", s)
		}
		w.restart() // all of it is in the token
		got, err := w.login(credentials(s))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	bucketPolicy := []byte(`{"Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:sts::111111111111:federated-user/bob"},"Action":"s3:DeleteObject","Resource":"arn:aws:s3:::src/*"}}`)
	may := func(c *Caller, action string) bool {
		return w.Authorize(c, Access{Action: action, Resource: "arn:aws:s3:::src/a", ResourceAccount: src, Policy: bucketPolicy}) == nil
	}
	lent := []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["s3:GetObject","s3:ListBucket"],"Resource":"*"}}`)
	all := []string{"arn:aws:iam::aws:policy/AmazonS3FullAccess"}
	for _, c := range []struct {
		name string
		who  *Caller
		in   Federate
		may  string // of what is tried
	}{
		{"lent", ann, Federate{Name: "bob", Policy: lent}, "s3:GetObject s3:DeleteObject"},
		{"nothing lent", ann, Federate{Name: "bob"}, "s3:DeleteObject"},
		{"nothing lent, not named", ann, Federate{Name: "bea"}, ""},
		{"everything lent", ann, Federate{Name: "bea", PolicyARNs: all}, "s3:GetObject s3:PutObject"},
		{"by the root user", root, Federate{Name: "bea", Policy: lent}, "s3:GetObject s3:ListBucket"},
		{"by the root user, nothing lent", root, Federate{Name: "bea"}, ""},
	} {
		session := begin(c.who, c.in)
		var got []string
		for _, action := range []string{"s3:GetObject", "s3:PutObject", "s3:ListBucket", "s3:DeleteObject"} {
			if may(session, action) {
				got = append(got, action)
			}
		}
		if strings.Join(got, " ") != c.may {
			t.Errorf("%s: may %v, want %s", c.name, got, c.may)
		}
	}

	// It is for S3: neither IAM nor STS take it.
	bob := begin(ann, Federate{Name: "bob", PolicyARNs: []string{"arn:aws:iam::aws:policy/AdministratorAccess"}})
	if !bob.Temporary() || bob.Issued.IsZero() || bob.UserName() != "" {
		t.Errorf("%+v", bob)
	}
	r := w.role("any", trustSrc)
	_, err := w.AssumeRole(w.ctx, bob, AssumeRole{RoleARN: r.ARN(), Name: "xx"})
	wantError(t, err, fault.Denied, "AccessDenied", "Cannot call AssumeRole with federated user credentials")
	_, err = w.GetSessionToken(bob, 0, MFA{})
	wantError(t, err, fault.Denied, "AccessDenied", "Cannot call GetSessionToken with session credentials")

	// What is taken from the user is taken from the federated one, at once.
	bea := begin(ann, Federate{Name: "bea", PolicyARNs: all})
	if err := w.DeleteInline(w.ctx, identity.UserKind, src, "ann", "p"); err != nil {
		t.Fatal(err)
	}
	if may(bea, "s3:GetObject") {
		t.Error("a federated user may do what the user who lends may not any more")
	}
	if err := w.DeleteUser(w.ctx, src, "ann"); err != nil {
		t.Fatal(err)
	}
	err = w.Authorize(bob, Access{Action: "s3:DeleteObject", Resource: "arn:aws:s3:::src/a", ResourceAccount: src, Policy: bucketPolicy})
	wantError(t, err, fault.Denied, "AccessDenied", "with an explicit deny")
}

func TestFederationTokenRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.ann("/")
	if err := w.PutInline(w.ctx, identity.UserKind, src, "ann", "p", []byte(mayFederate)); err != nil {
		t.Fatal(err)
	}
	root, _ := w.root(src)
	role := &Caller{Principal: w.role("ops", trustSrc, mayFederate).Session("s")}
	for _, c := range []struct {
		name          string
		who           *Caller
		in            Federate
		code, message string
	}{
		{"good", ann, Federate{Name: "bob"}, "", ""},
		{"good tag", ann, Federate{Name: "bob", Tags: map[string]string{"team": "red"}}, "", ""},
		{"36 hours", ann, Federate{Name: "bob", Duration: 36 * time.Hour}, "", ""},
		{"not this name", ann, Federate{Name: "eve"}, "AccessDenied", "User: arn:aws:iam::111111111111:user/ann is not authorized to perform: sts:GetFederationToken on resource: arn:aws:sts::111111111111:federated-user/eve"},
		{"not this tag", ann, Federate{Name: "bob", Tags: map[string]string{"team": "blue"}}, "AccessDenied", "is not authorized to perform: sts:TagSession on resource: arn:aws:sts::111111111111:federated-user/bob"},
		{"session of a role", role, Federate{Name: "bob"}, "AccessDenied", "Cannot call GetFederationToken with session credentials"},
		{"short name", root, Federate{Name: "b"}, "ValidationError", "'name'"},
		{"long name", root, Federate{Name: strings.Repeat("b", 33)}, "ValidationError", "'name'"},
		{"short session", root, Federate{Name: "bob", Duration: time.Minute}, "ValidationError", "greater than or equal to 900"},
		{"long session", root, Federate{Name: "bob", Duration: 37 * time.Hour}, "ValidationError", "less than or equal to 129600"},
		{"policy", root, Federate{Name: "bob", Policy: []byte("{")}, "MalformedPolicyDocument", "Syntax errors in policy."},
		{"managed policy", root, Federate{Name: "bob", PolicyARNs: []string{"arn:aws:iam::aws:policy/None"}}, "NoSuchEntity", "was not found"},
	} {
		_, err := w.GetFederationToken(c.who, c.in)
		if fault.CodeOf(err) != c.code || !strings.Contains(fault.MessageOf(err), c.message) {
			t.Errorf("%s: %v, want %s %q", c.name, err, c.code, c.message)
		}
	}
	// That of the root user ends after an hour.
	s, err := w.GetFederationToken(root, Federate{Name: "bob"})
	if err != nil || s.Expiration.Sub(w.clock.Now()) > time.Hour {
		t.Errorf("until %v, %v", s.Expiration, err)
	}
	if s, err = w.GetFederationToken(ann, Federate{Name: "bob"}); err != nil || s.Expiration.Sub(w.clock.Now()) < 11*time.Hour {
		t.Errorf("until %v, %v", s.Expiration, err)
	}
}

// A session's tags are on top of those of the user who lends.
func TestFederatedTags(t *testing.T) {
	t.Parallel()
	ann := policy.Principal{Type: policy.User, Account: src, ARN: "arn:aws:iam::111111111111:user/ann", UserID: "AIDA", Tags: map[string]string{"Team": "blue", "cost": "1"}}
	p := federated(ann, "bob", map[string]string{"team": "red"})
	if len(p.Tags) != 2 || p.Tags["team"] != "red" || p.Tags["cost"] != "1" || p.Lender != "AIDA" {
		t.Errorf("%+v", p)
	}
}
