package iam

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"twinbucket/acl"
	"twinbucket/fault"
	"twinbucket/identity"
	"twinbucket/internal/sigv4"
	"twinbucket/policy"
	"twinbucket/role"
)

func credentials(s Session) sigv4.Credentials {
	return sigv4.Credentials{AccessKey: s.AccessKey, Secret: s.Secret, Token: s.Token}
}

func TestRoleLife(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.Revision()
	made, err := w.CreateRole(w.ctx, role.Role{
		Identity:    identity.Identity{Account: src, Path: "/service-role/", Name: "Repl", Tags: map[string]string{"a": "b"}},
		Description: "copies",
		Trust:       []byte(trustS3),
	})
	if err != nil {
		t.Fatal(err)
	}
	if w.Revision() <= before {
		t.Error("the revision did not grow")
	}
	_, err = w.CreateRole(w.ctx, role.Role{Identity: identity.Identity{Account: src, Name: "repl"}, Trust: []byte(trustS3)})
	wantError(t, err, fault.Exists, "EntityAlreadyExists", "Role with name repl already exists.")
	if _, err := w.CreateRole(w.ctx, role.Role{Identity: identity.Identity{Account: dst, Name: "repl"}, Trust: []byte(trustS3)}); err != nil {
		t.Errorf("the same name in another account: %v", err)
	}

	steps := []error{
		w.PutInline(w.ctx, identity.RoleKind, src, "Repl", "p", []byte(readSrc)),
		w.Attach(w.ctx, identity.RoleKind, src, "Repl", "arn:aws:iam::aws:policy/AmazonS3FullAccess"),
		w.Attach(w.ctx, identity.RoleKind, src, "Repl", "arn:aws:iam::aws:policy/AmazonS3FullAccess"),
		w.UpdateRole(w.ctx, src, "Repl", func(r *role.Role) error { r.Description = "copies more"; return nil }),
	}
	for i, err := range steps {
		if err != nil {
			t.Errorf("step %d: %v", i, err)
		}
	}
	w.restart()
	want := made.Clone()
	want.Description = "copies more"
	want.Inline = map[string][]byte{"p": []byte(readSrc)}
	want.Attached = []string{"arn:aws:iam::aws:policy/AmazonS3FullAccess"}
	got, err := w.GetRole(src, "repl")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("after a restart (-want +got):\n%s", diff)
	}

	wantError(t, w.DeleteRole(w.ctx, src, "Repl"), fault.Conflict, "DeleteConflict", "Cannot delete entity, must detach all policies first.")
	if err := w.Detach(w.ctx, identity.RoleKind, src, "Repl", "arn:aws:iam::aws:policy/AmazonS3FullAccess"); err != nil {
		t.Error(err)
	}
	wantError(t, w.Detach(w.ctx, identity.RoleKind, src, "Repl", "arn:aws:iam::aws:policy/AmazonS3FullAccess"), fault.NotFound, "NoSuchEntity", "was not found")
	wantError(t, w.DeleteRole(w.ctx, src, "Repl"), fault.Conflict, "DeleteConflict", "Cannot delete entity, must delete policies first.")
	wantError(t, w.DeleteInline(w.ctx, identity.RoleKind, src, "Repl", "q"), fault.NotFound, "NoSuchEntity", "The role policy with name q cannot be found.")
	if err := w.DeleteInline(w.ctx, identity.RoleKind, src, "Repl", "p"); err != nil {
		t.Error(err)
	}
	if err := w.DeleteRole(w.ctx, src, "Repl"); err != nil {
		t.Error(err)
	}
	w.restart()
	_, err = w.GetRole(src, "Repl")
	wantError(t, err, fault.NotFound, "NoSuchEntity", "The role with name Repl cannot be found.")
	wantError(t, w.DeleteRole(w.ctx, src, "Repl"), fault.NotFound, "NoSuchEntity", "The role with name Repl cannot be found.")
}

func TestRefusedRoleChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.role("repl", trustS3, readSrc)
	before := w.Revision()
	bad := []error{
		w.PutInline(w.ctx, identity.RoleKind, src, "repl", "p", []byte("{}")),
		w.UpdateRole(w.ctx, src, "repl", func(r *role.Role) error { r.Trust = []byte(readSrc); return nil }),
		w.Attach(w.ctx, identity.RoleKind, src, "repl", "arn:aws:iam::aws:policy/Nothing"),
		w.UpdateRole(w.ctx, src, "repl", func(r *role.Role) error { r.Boundary = "arn:aws:iam::111111111111:policy/none"; return nil }),
	}
	for i, code := range []string{"MalformedPolicyDocument", "MalformedPolicyDocument", "NoSuchEntity", "NoSuchEntity"} {
		if fault.CodeOf(bad[i]) != code {
			t.Errorf("change %d: %v, want %s", i, bad[i], code)
		}
	}
	if w.Revision() != before {
		t.Error("the revision grew")
	}
	w.restart()
	got, err := w.GetRole(src, "repl")
	if diff := cmp.Diff(r, got); err != nil || diff != "" {
		t.Errorf("changed: %v\n%s", err, diff)
	}
}

func TestListRoles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 5 {
		r := role.Role{Identity: identity.Identity{Account: src, Name: fmt.Sprint("r", i)}, Trust: []byte(trustS3)}
		if i%2 == 1 {
			r.Path = "/odd/"
		}
		if _, err := w.CreateRole(w.ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	names := func(roles []*role.Role, more bool) string {
		var out []string
		for _, r := range roles {
			out = append(out, r.Name)
		}
		return fmt.Sprint(out, more)
	}
	for _, tt := range []struct{ got, want string }{
		{names(w.ListRoles(src, "/", "", 3)), "[r0 r1 r2] true"},
		{names(w.ListRoles(src, "/", "r2", 3)), "[r3 r4] false"},
		{names(w.ListRoles(src, "/odd/", "", 3)), "[r1 r3] false"},
		{names(w.ListRoles(dst, "/", "", 3)), "[] false"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %s, want %s", tt.got, tt.want)
		}
	}
}

func TestManagedPolicies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.role("repl", trustS3)
	made, err := w.CreatePolicy(w.ctx, Policy{Account: src, Name: "reader", Document: []byte(readSrc)})
	if err != nil {
		t.Fatal(err)
	}
	if made.ARN() != "arn:aws:iam::111111111111:policy/reader" || !strings.HasPrefix(made.ID, "ANPA") {
		t.Errorf("made %+v", made)
	}
	_, err = w.CreatePolicy(w.ctx, Policy{Account: src, Name: "Reader", Document: []byte(readSrc)})
	wantError(t, err, fault.Exists, "EntityAlreadyExists", "A policy called Reader already exists. Duplicate names are not allowed.")
	_, err = w.CreatePolicy(w.ctx, Policy{Account: src, Name: "old", Document: []byte(strings.Replace(readSrc, "2012", "2008", 1))})
	wantError(t, err, fault.Invalid, "MalformedPolicyDocument", "Policy document must be version 2012-10-17 or greater.")
	_, err = w.CreatePolicy(w.ctx, Policy{Account: src, Name: "long", Document: []byte(strings.Replace(readSrc, "src/*", strings.Repeat("x", 6144), 1))})
	wantError(t, err, fault.TooLarge, "LimitExceeded", "Cannot exceed quota for PolicySize: 6144")

	if err := w.Attach(w.ctx, identity.RoleKind, src, "repl", made.ARN()); err != nil {
		t.Fatal(err)
	}
	w.restart()
	c, err := w.AssumeForService("arn:aws:iam::111111111111:role/repl", "s3.amazonaws.com", "x", nil)
	if err != nil {
		t.Fatal(err)
	}
	get := Access{Action: "s3:GetObject", Resource: "arn:aws:s3:::src/a", ResourceAccount: src}
	if err := w.Authorize(c, get); err != nil {
		t.Error(err)
	}
	wantError(t, w.DeletePolicy(w.ctx, src, made.ARN()), fault.Conflict, "DeleteConflict", "Cannot delete a policy attached to entities.")
	wantError(t, w.DeletePolicy(w.ctx, dst, made.ARN()), fault.NotFound, "NoSuchEntity", "was not found")
	wantError(t, w.DeletePolicy(w.ctx, src, "arn:aws:iam::aws:policy/AdministratorAccess"), fault.Denied, "AccessDenied", "cannot be deleted")
	if err := w.Detach(w.ctx, identity.RoleKind, src, "repl", made.ARN()); err != nil {
		t.Fatal(err)
	}
	if w.Authorize(c, get) == nil {
		t.Error("a detached policy still allows")
	}
	if err := w.DeletePolicy(w.ctx, src, made.ARN()); err != nil {
		t.Error(err)
	}
	w.restart()
	if ps, more := w.ListPolicies(src, "/", "", 10); len(ps) != 0 || more {
		t.Errorf("policies %v", ps)
	}
	if ps, _ := w.ListPolicies("aws", "/", "", 10); len(ps) != len(awsManaged) {
		t.Errorf("policies of AWS: %v", ps)
	}
}

func TestBoundary(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bound, err := w.CreatePolicy(w.ctx, Policy{Account: src, Name: "bound", Document: []byte(readSrc)})
	if err != nil {
		t.Fatal(err)
	}
	r, err := w.CreateRole(w.ctx, role.Role{
		Identity: identity.Identity{Account: src, Name: "r", Boundary: bound.ARN(), Attached: []string{"arn:aws:iam::aws:policy/AmazonS3FullAccess"}},
		Trust:    []byte(trustS3),
	})
	if err != nil {
		t.Fatal(err)
	}
	c := &Caller{Principal: r.Session("x")}
	if err := w.Authorize(c, Access{Action: "s3:GetObject", Resource: "arn:aws:s3:::src/a", ResourceAccount: src}); err != nil {
		t.Error(err)
	}
	err = w.Authorize(c, Access{Action: "s3:PutObject", Resource: "arn:aws:s3:::src/a", ResourceAccount: src})
	wantError(t, err, fault.Denied, "AccessDenied", "because no permissions boundary allows the s3:PutObject action")
	wantError(t, w.DeletePolicy(w.ctx, src, bound.ARN()), fault.Conflict, "DeleteConflict", "")
}

func TestCheckPrincipals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.role("plain", trustS3)
	if _, err := w.CreateRole(w.ctx, role.Role{Identity: identity.Identity{Account: src, Path: "/service-role/", Name: "repl"}, Trust: []byte(trustS3)}); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ principal, hint string }{
		{`{"AWS":"111111111111"}`, ""},
		{`{"AWS":"arn:aws:iam::222222222222:root"}`, ""},
		{`{"AWS":"arn:aws:iam::111111111111:role/plain"}`, ""},
		{`{"AWS":"arn:aws:iam::111111111111:role/service-role/repl"}`, ""},
		{`{"AWS":"arn:aws:sts::111111111111:assumed-role/repl/x"}`, ""},
		{`{"AWS":"` + r.ID + `"}`, ""},
		{`{"Service":"logging.s3.amazonaws.com"}`, ""},
		{`"*"`, ""},
		{`{"AWS":"333333333333"}`, "account 333333333333 does not exist here"},
		{`{"AWS":"arn:aws:iam::111111111111:role/repl"}`, "do you mean arn:aws:iam::111111111111:role/service-role/repl?"},
		{`{"AWS":"arn:aws:iam::111111111111:role/none"}`, "account 111111111111 has no role none: create the role first"},
		{`{"AWS":"arn:aws:sts::111111111111:assumed-role/none/x"}`, "has no role none"},
		{`{"AWS":"arn:aws:iam::111111111111:user/ann"}`, "has no user ann"},
		{`{"AWS":"AROAEXAMPLEEXAMPLE123"}`, "was deleted"},
		{`{"CanonicalUser":"` + acl.CanonicalID(dst) + `"}`, ""},
		{`{"CanonicalUser":"79a59df900b949e5"}`, "no account here has the canonical user id 79a59df900b949e5"},
		{`{"Federated":"graph.facebook.com"}`, "Federated principals are not offered here"},
	}
	for _, tt := range tests {
		doc, err := policy.Parse([]byte(`{"Statement":{"Effect":"Allow","Principal":`+tt.principal+`,"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}}`), policy.Resource)
		if err != nil {
			t.Fatal(err)
		}
		err = w.CheckPrincipals(doc, src)
		if tt.hint == "" {
			if err != nil {
				t.Errorf("%s: %v", tt.principal, err)
			}
			continue
		}
		wantError(t, err, fault.Invalid, "MalformedPolicy", "Invalid principal in policy")
		if !strings.Contains(fault.HintOf(err), tt.hint) {
			t.Errorf("%s: hint %q", tt.principal, fault.HintOf(err))
		}
	}
	_, err := w.CreateRole(w.ctx, role.Role{Identity: identity.Identity{Account: dst, Name: "x"}, Trust: []byte(strings.Replace(trustSrc, "111111111111", "333333333333", 1))})
	wantError(t, err, fault.Invalid, "MalformedPolicyDocument", `Invalid principal in policy: "AWS":"333333333333"`)
	_, err = w.CreateRole(w.ctx, role.Role{Identity: identity.Identity{Account: dst, Name: "x"}, Trust: []byte(strings.Replace(trustSrc, `"AWS":"111111111111"`, `"CanonicalUser":"`+acl.CanonicalID(src)+`"`, 1))})
	wantError(t, err, fault.Invalid, "MalformedPolicyDocument", `Invalid principal in policy: "CANONICALUSER":"`)
}
