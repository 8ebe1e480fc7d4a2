package iam

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"twinbucket/fault"
	"twinbucket/identity"
	"twinbucket/internal/catalog"
	"twinbucket/role"
)

// mayDo is a policy that allows one action of S3.
func mayDo(action string) string {
	return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:` + action + `","Resource":"arn:aws:s3:::src/*"}}`
}

// may tells which of two actions a caller may do.
func (w *world) may(c *Caller) string {
	var out []string
	for _, action := range []string{"GetObject", "PutObject"} {
		if w.Authorize(c, Access{Action: "s3:" + action, Resource: "arn:aws:s3:::src/a", ResourceAccount: src}) == nil {
			out = append(out, action)
		}
	}
	return strings.Join(out, " ")
}

// versions lists a policy's versions, the default one with a star.
func (w *world) versions(policyARN string) string {
	w.t.Helper()
	p, err := w.GetPolicy(src, policyARN)
	if err != nil {
		w.t.Fatal(err)
	}
	var out []string
	for _, v := range p.Versions {
		if v.ID == p.Default {
			v.ID += "*"
			if string(v.Document) != string(p.Document) {
				w.t.Errorf("the default version is %s, the policy %s", v.Document, p.Document)
			}
		}
		out = append(out, v.ID)
	}
	return strings.Join(out, " ")
}

func (w *world) policy(name, document string) *Policy {
	w.t.Helper()
	p, err := w.CreatePolicy(w.ctx, Policy{Account: src, Name: name, Document: []byte(document)})
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

func TestPolicyVersions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.policy("p", mayDo("GetObject"))
	name := p.ARN()
	want := func(versions string) {
		t.Helper()
		if got := w.versions(name); got != versions {
			t.Fatalf("versions %s, want %s", got, versions)
		}
	}
	create := func(setAsDefault bool) error {
		w.clock.advance(time.Minute)
		v, err := w.CreatePolicyVersion(w.ctx, src, name, []byte(mayDo("PutObject")), setAsDefault)
		if err == nil && !v.Created.Equal(w.clock.Now()) {
			t.Errorf("made %+v at %v", v, w.clock.Now())
		}
		return err
	}
	want("v1*")
	for i, setAsDefault := range []bool{false, true, false, false} {
		if err := create(setAsDefault); err != nil {
			t.Fatal(i, err)
		}
	}
	want("v1 v2 v3* v4 v5")
	wantError(t, create(true), fault.TooLarge, "LimitExceeded",
		"A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.")
	wantError(t, w.DeletePolicyVersion(w.ctx, src, name, "v3"), fault.Conflict, "DeleteConflict", "Cannot delete the default version of a policy.")
	wantError(t, w.DeletePolicy(w.ctx, src, name), fault.Conflict, "DeleteConflict",
		"This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.")
	for _, err := range []error{
		w.DeletePolicyVersion(w.ctx, src, name, "v6"), w.SetDefaultPolicyVersion(w.ctx, src, name, "v6"),
	} {
		wantError(t, err, fault.NotFound, "NoSuchEntity", "Policy "+name+" version v6 does not exist or is not attachable.")
	}
	// Ids are not given twice, not even that of the newest version.
	if err := w.DeletePolicyVersion(w.ctx, src, name, "v5"); err != nil {
		t.Fatal(err)
	}
	w.restart()
	want("v1 v2 v3* v4")
	if err := create(false); err != nil {
		t.Fatal(err)
	}
	if err := w.SetDefaultPolicyVersion(w.ctx, src, name, "v1"); err != nil {
		t.Fatal(err)
	}
	want("v1* v2 v3 v4 v6")
	before, err := w.GetPolicy(src, name)
	if err != nil || !before.Updated().Equal(w.clock.Now()) || !before.Created.Equal(p.Created) {
		t.Errorf("%+v, %v", before, err)
	}
	w.restart()
	after, err := w.GetPolicy(src, name)
	if diff := cmp.Diff(before, after); err != nil || diff != "" {
		t.Fatalf("after a restart, %v:\n%s", err, diff)
	}
	for _, id := range []string{"v2", "v3", "v4", "v6"} {
		if v, err := after.Version(id); err != nil || string(v.Document) != mayDo("PutObject") {
			t.Errorf("%s: %+v, %v", id, v, err)
		}
		if err := w.DeletePolicyVersion(w.ctx, src, name, id); err != nil {
			t.Fatal(err)
		}
	}
	want("v1*")
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("a policy that was got changed:\n%s", diff)
	}
	if err := w.DeletePolicy(w.ctx, src, name); err != nil {
		t.Fatal(err)
	}
}

// Whoever has the policy is decided by another version at once: roles, by
// permission and by boundary, and sessions that it limits.
func TestDefaultVersionDecides(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.SetRegion("us-east-1")
	p := w.policy("p", mayDo("GetObject"))
	all := w.policy("all", mayDo("*"))
	trust := []byte(trustSrc)
	made := map[string]*Caller{}
	for _, r := range []role.Role{
		{Identity: identity.Identity{Name: "attached", Attached: []string{p.ARN()}}},
		{Identity: identity.Identity{Name: "bounded", Attached: []string{all.ARN()}, Boundary: p.ARN()}},
		{Identity: identity.Identity{Name: "other", Attached: []string{all.ARN()}}},
	} {
		r.Account, r.Trust = src, trust
		got, err := w.CreateRole(w.ctx, r)
		if err != nil {
			t.Fatal(err)
		}
		made[r.Name] = &Caller{Principal: got.Session("x")}
	}
	session := w.assume(AssumeRole{RoleARN: "arn:aws:iam::111111111111:role/other", PolicyARNs: []string{p.ARN()}})
	want := func(actions string) {
		t.Helper()
		limited, err := w.login(session)
		if err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]*Caller{"attached": made["attached"], "bounded": made["bounded"], "a limited session": limited} {
			if got := w.may(c); got != actions {
				t.Errorf("%s may %s, want %s", name, got, actions)
			}
		}
		if got := w.may(made["other"]); got != "GetObject PutObject" {
			t.Errorf("another role may %s", got)
		}
	}
	step := func(change func() error) {
		t.Helper()
		before := w.Revision()
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if w.Revision() == before {
			t.Error("the revision did not grow")
		}
	}
	want("GetObject")
	step(func() error {
		_, err := w.CreatePolicyVersion(w.ctx, src, p.ARN(), []byte(mayDo("PutObject")), false)
		return err
	})
	want("GetObject")
	step(func() error { return w.SetDefaultPolicyVersion(w.ctx, src, p.ARN(), "v2") })
	want("PutObject")
	step(func() error {
		_, err := w.CreatePolicyVersion(w.ctx, src, p.ARN(), []byte(mayDo("*")), true)
		return err
	})
	want("GetObject PutObject")
	step(func() error { return w.SetDefaultPolicyVersion(w.ctx, src, p.ARN(), "v1") })
	want("GetObject")
	w.restart()
	want("GetObject")
}

func TestPolicyVersionRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.policy("p", mayDo("GetObject"))
	const admin = "arn:aws:iam::aws:policy/AdministratorAccess"
	good := mayDo("PutObject")
	for i, tt := range []struct {
		account, arn, document string
		kind                   fault.Kind
		code, message          string
	}{
		{src, p.ARN(), "{", fault.Invalid, "MalformedPolicyDocument", "Syntax errors in policy."},
		{src, p.ARN(), strings.Replace(good, "2012", "2008", 1), fault.Invalid, "MalformedPolicyDocument", "Policy document must be version 2012-10-17 or greater."},
		{src, p.ARN(), strings.Replace(good, "src/*", strings.Repeat("x", 6144), 1), fault.TooLarge, "LimitExceeded", "Cannot exceed quota for PolicySize: 6144"},
		{src, p.ARN() + "x", good, fault.NotFound, "NoSuchEntity", "was not found"},
		{dst, p.ARN(), good, fault.NotFound, "NoSuchEntity", "was not found"},
		{src, admin, good, fault.Denied, "AccessDenied", "Policies that AWS manages cannot be changed."},
	} {
		_, err := w.CreatePolicyVersion(w.ctx, tt.account, tt.arn, []byte(tt.document), true)
		t.Run(fmt.Sprint(i), func(t *testing.T) { wantError(t, err, tt.kind, tt.code, tt.message) })
	}
	wantError(t, w.SetDefaultPolicyVersion(w.ctx, src, admin, "v1"), fault.Denied, "AccessDenied", "cannot be changed")
	wantError(t, w.DeletePolicyVersion(w.ctx, dst, p.ARN(), "v1"), fault.NotFound, "NoSuchEntity", "was not found")
	if got := w.versions(p.ARN()); got != "v1*" {
		t.Errorf("versions %s", got)
	}
}

// A record of before there were versions is a policy with one version.
func TestPolicyWithoutVersions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	created := time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)
	_, err := catalog.Of[map[string]any](catalog.New(w.store), policyKind).Put(w.ctx, nameKey(src, "Old"), map[string]any{
		"account": src, "path": "/", "name": "Old", "id": "ANPAEXAMPLEEXAMPLE123", "created": created, "document": []byte(mayDo("GetObject")),
	}, 0)
	if err != nil {
		t.Fatal(err)
	}
	w.restart()
	const name = "arn:aws:iam::111111111111:policy/Old"
	if got := w.versions(name); got != "v1*" {
		t.Errorf("versions %s", got)
	}
	p, err := w.GetPolicy(src, name)
	if err != nil || !p.Versions[0].Created.Equal(created) || !p.Updated().Equal(created) {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := w.CreatePolicyVersion(w.ctx, src, name, []byte(mayDo("PutObject")), true); err != nil {
		t.Fatal(err)
	}
	w.restart()
	if got := w.versions(name); got != "v1 v2*" {
		t.Errorf("versions %s", got)
	}
}
