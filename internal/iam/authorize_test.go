package iam

import (
	"strings"
	"sync"
	"testing"

	"twinbucket/fault"
	"twinbucket/identity"
	"twinbucket/policy"
	"twinbucket/role"
)

// replication returns a world with a replication role and the destination's
// bucket policy.
func replication(t testing.TB) (*world, *Caller, Access) {
	w := newWorld(t)
	r := w.role("repl", trustS3, `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["s3:GetReplicationConfiguration","s3:ListBucket"],"Resource":"arn:aws:s3:::src"},
		{"Effect":"Allow","Action":["s3:GetObjectVersionForReplication","s3:GetObjectVersionAcl","s3:GetObjectVersionTagging"],"Resource":"arn:aws:s3:::src/*"},
		{"Effect":"Allow","Action":["s3:ReplicateObject","s3:ReplicateDelete","s3:ReplicateTags"],"Resource":"arn:aws:s3:::dst/*"}]}`)
	c, err := w.AssumeForService(r.ARN(), "s3.amazonaws.com", "s3-replication", nil)
	if err != nil {
		t.Fatal(err)
	}
	return w, c, Access{
		Action: "s3:ReplicateObject", Resource: "arn:aws:s3:::dst/photos/one.jpg", ResourceAccount: dst,
		Policy: []byte(`{"Version":"2012-10-17","Statement":[
			{"Effect":"Allow","Principal":{"AWS":"` + r.ARN() + `"},"Action":["s3:ReplicateObject","s3:ReplicateDelete"],"Resource":"arn:aws:s3:::dst/*"},
			{"Effect":"Allow","Principal":{"AWS":"` + r.ARN() + `"},"Action":["s3:List*","s3:GetBucketVersioning"],"Resource":"arn:aws:s3:::dst"}]}`),
	}
}

func TestAuthorizeCrossAccount(t *testing.T) {
	t.Parallel()
	w, c, a := replication(t)
	if err := w.Authorize(c, a); err != nil {
		t.Fatal(err)
	}
	tags := a
	tags.Action = "s3:ReplicateTags"
	err := w.Authorize(c, tags)
	wantError(t, err, fault.Denied, "AccessDenied", "because no resource-based policy allows the s3:ReplicateTags action")
	want := `in account 222222222222, add to the bucket policy of dst: {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:role/repl"},"Action":"s3:ReplicateTags","Resource":"arn:aws:s3:::dst/*"}`
	if got := fault.HintOf(err); got != want {
		t.Errorf("hint %s\nwant %s", got, want)
	}
	none := a
	none.Policy = nil
	d, req := w.Decide(c, none)
	if d.Allowed || len(d.Missing) != 1 || d.Missing[0] != policy.ResourcePolicy || len(d.Matched) != 1 || d.Matched[0].Statement != 2 {
		t.Errorf("without a bucket policy: %+v", d)
	}
	if fixes := d.Fixes(req); len(fixes) != 1 || fixes[0].Document != "the bucket policy of dst" || fixes[0].Account != dst {
		t.Errorf("fixes %+v", fixes)
	}
	// A change of the role counts at once.
	if err := w.DeleteInline(w.ctx, identity.RoleKind, src, "repl", "p"); err != nil {
		t.Fatal(err)
	}
	wantError(t, w.Authorize(c, a), fault.Denied, "AccessDenied", "because no identity-based policy allows")
}

func TestAuthorizeRoot(t *testing.T) {
	t.Parallel()
	w, _, a := replication(t)
	owner, _ := w.root(dst)
	stranger, _ := w.root(src)
	a.Action = "s3:PutObject"
	if err := w.Authorize(owner, a); err != nil {
		t.Error(err)
	}
	wantError(t, w.Authorize(stranger, a), fault.Denied, "AccessDenied", "because no resource-based policy allows the s3:PutObject action")
	a.Policy = []byte(`{"Statement":{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::dst/*"}}`)
	wantError(t, w.Authorize(owner, a), fault.Denied, "AccessDenied", "with an explicit deny in a resource-based policy")
	if err := w.Authorize(owner, Access{Action: "iam:CreateRole", Resource: "arn:aws:iam::222222222222:role/x"}); err != nil {
		t.Error(err)
	}
}

func TestDamagedBucketPolicyDenies(t *testing.T) {
	t.Parallel()
	w, c, a := replication(t)
	a.Policy = a.Policy[:len(a.Policy)-1]
	wantError(t, w.Authorize(c, a), fault.Denied, "AccessDenied", "explicit deny in a resource-based policy")
}

// TestRestrictPublicBuckets: under that setting a policy that lets everybody in
// lets in the owner's account only, and one that names whom it lets in counts.
func TestRestrictPublicBuckets(t *testing.T) {
	t.Parallel()
	w, c, a := replication(t)
	a.Block = []byte("<PublicAccessBlockConfiguration><RestrictPublicBuckets>true</RestrictPublicBuckets></PublicAccessBlockConfiguration>")
	if err := w.Authorize(c, a); err != nil {
		t.Errorf("a policy that names the role: %v", err)
	}
	a.Policy = []byte(`{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::dst/*"}}`)
	for hint, stranger := range map[string]*Caller{"RestrictPublicBuckets": c, "not signed": {}} {
		err := w.Authorize(stranger, a)
		if fault.CodeOf(err) != "AccessDenied" || !strings.Contains(fault.HintOf(err), hint) {
			t.Errorf("%v (%s), want %s", err, fault.HintOf(err), hint)
		}
	}
	owner, _ := w.root(dst)
	if err := w.Authorize(owner, a); err != nil {
		t.Error(err)
	}
	service := &Caller{Principal: policy.Principal{Type: policy.ServicePrincipal, Service: "logging.s3.amazonaws.com"}}
	if err := w.Authorize(service, a); err != nil {
		t.Errorf("a service: %v", err)
	}
	a.Block = nil
	if err := w.Authorize(c, a); err != nil {
		t.Errorf("without the setting: %v", err)
	}
}

func TestAuthorizeTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.role("r", trustS3, strings.Replace(readSrc, `"Action"`, `"Condition":{"DateLessThan":{"aws:CurrentTime":"2026-06-01T13:00:00Z"}},"Action"`, 1))
	c := &Caller{Principal: r.Session("xx")}
	a := Access{Action: "s3:GetObject", Resource: "arn:aws:s3:::src/a", ResourceAccount: src}
	if err := w.Authorize(c, a); err != nil {
		t.Error(err)
	}
	w.clock.advance(2 * 3600 * 1e9)
	if w.Authorize(c, a) == nil {
		t.Error("allowed after the time in the policy")
	}
}

// TestConcurrently runs decisions, logins and changes at once, for the race
// detector.
func TestConcurrently(t *testing.T) {
	t.Parallel()
	w, c, a := replication(t)
	r := w.role("reader", trustSrc, readSrc)
	cred := w.assume(AssumeRole{RoleARN: r.ARN()})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				if err := w.Authorize(c, a); err != nil {
					t.Error(err)
					return
				}
				if _, err := w.login(cred); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Go(func() {
		for range 10 {
			err := w.UpdateRole(w.ctx, src, "reader", func(r *role.Role) error { r.Description += "x"; return nil })
			if err != nil {
				t.Error(err)
			}
			w.ListRoles(src, "/", "", 10)
			w.Accounts()
		}
	})
	wg.Wait()
}

func TestAuthorizeAllocations(t *testing.T) {
	w, c, a := replication(t)
	if n := testing.AllocsPerRun(100, func() { _ = w.Authorize(c, a) }); n > 4 {
		t.Errorf("%v allocations an authorization, want at most 4", n)
	}
}

func BenchmarkAuthorize(b *testing.B) {
	w, c, a := replication(b)
	b.ReportAllocs()
	for b.Loop() {
		if err := w.Authorize(c, a); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAuthenticateSession(b *testing.B) {
	w := newWorld(b)
	r := w.role("reader", trustSrc, readSrc)
	cred := w.assume(AssumeRole{RoleARN: r.ARN()})
	req := w.request(cred, "us-east-1", "s3")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.Authenticate(req, "s3"); err != nil {
			b.Fatal(err)
		}
	}
}

// TestGranted: a list allows as a bucket policy does, and a policy of another
// account than the object's only denies.
func TestGranted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	owner, _ := w.root(dst)
	stranger, _ := w.root(src)
	nobody := &Caller{Principal: policy.Principal{Type: policy.Anonymous}}
	r := w.role("reader", trustS3, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:PutObject","Resource":"*"}}`)
	hand, err := w.AssumeForService(r.ARN(), "s3.amazonaws.com", "s", nil)
	if err != nil {
		t.Fatal(err)
	}
	read := Access{Action: "s3:GetObject", Resource: "arn:aws:s3:::b/k", ResourceAccount: dst}
	account, all := Grant{To: src, By: "the ACL"}, Grant{To: "*", By: "the ACL"}
	allow := []byte(`{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::b/*"}}`)
	deny := []byte(`{"Statement":{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}}`)
	for _, tt := range []struct {
		name   string
		caller *Caller
		action string
		change func(*Access)
		ok     bool
	}{
		{"nothing", stranger, "", func(*Access) {}, false},
		{"to the account", stranger, "", func(a *Access) { a.Granted = account }, true},
		{"to everybody", stranger, "", func(a *Access) { a.Granted = all }, true},
		{"anonymous", nobody, "", func(a *Access) { a.Granted = all }, true},
		{"anonymous, to an account", nobody, "", func(a *Access) { a.Granted = account }, false},
		{"a role that its account lets", hand, "s3:PutObject", func(a *Access) { a.Granted = account }, true},
		{"a role that its account does not let", hand, "", func(a *Access) { a.Granted = account }, false},
		{"denied all the same", stranger, "", func(a *Access) { a.Granted, a.Policy = all, deny }, false},
		{"policy of another account", stranger, "", func(a *Access) { a.Policy, a.DenyOnly = allow, true }, false},
		{"policy of the account", stranger, "", func(a *Access) { a.Policy = allow }, true},
		{"policy of another account denies", owner, "", func(a *Access) { a.Policy, a.DenyOnly = deny, true }, false},
		{"the object's account", owner, "", func(a *Access) { a.Policy, a.DenyOnly = allow, true }, true},
	} {
		a := read
		if tt.action != "" {
			a.Action = tt.action
		}
		tt.change(&a)
		err := w.Authorize(tt.caller, a)
		if (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
		if a.DenyOnly && err != nil && a.Policy != nil && !strings.Contains(fault.HintOf(err), "the object's ACL") {
			t.Errorf("%s: hint %q", tt.name, fault.HintOf(err))
		}
		if d, _ := w.Decide(tt.caller, a); tt.ok && a.Granted.By != "" && d.Matched[len(d.Matched)-1].Source.Name != a.Granted.By {
			t.Errorf("%s: the list is not the reason: %+v", tt.name, d.Matched)
		}
	}
}
