package stack

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"twinbucket/identity"
	"twinbucket/internal/iam"
	"twinbucket/internal/vfs"
)

const sharedARN = "arn:aws:iam::111111111111:policy/shared"

// shared is a template with a managed policy that allows one action to the
// roles given by logical id, R or S.
func shared(action, roles string) string {
	return `
Resources:
  R: {Type: AWS::IAM::Role, Properties: {RoleName: rrr, AssumeRolePolicyDocument: {Statement: [{Effect: Allow, Principal: {Service: s3.amazonaws.com}, Action: "sts:AssumeRole"}]}}}
  S: {Type: AWS::IAM::Role, Properties: {RoleName: sss, AssumeRolePolicyDocument: {Statement: [{Effect: Allow, Principal: {Service: s3.amazonaws.com}, Action: "sts:AssumeRole"}]}}}
  M:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      ManagedPolicyName: shared
      Roles: [!Ref ` + roles + `]
      PolicyDocument: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: "s3:` + action + `", Resource: "*"}]}
`
}

// versions lists the versions of the managed policy with their actions, the
// default one with a star.
func (e *env) versions() string {
	e.t.Helper()
	p, err := e.IAM.GetPolicy(source, sharedARN)
	if err != nil {
		e.t.Fatal(err)
	}
	var out []string
	for _, v := range p.Versions {
		_, action, _ := strings.Cut(string(v.Document), `"Action":"s3:`)
		action, _, _ = strings.Cut(action, `"`)
		if v.ID == p.Default {
			action += "*"
		}
		out = append(out, v.ID+" "+action)
	}
	return strings.Join(out, ", ")
}

// addVersion adds a version past the stack, which is not the default.
func (e *env) addVersion(action string) {
	e.t.Helper()
	document := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:%s","Resource":"*"}]}`, action)
	if _, err := e.IAM.CreatePolicyVersion(e.t.Context(), source, sharedARN, []byte(document), false); err != nil {
		e.t.Fatal(err)
	}
}

// attached returns the roles that have the managed policy.
func (e *env) attached() string {
	var out []string
	roles, _ := e.IAM.ListRoles(source, "", "", 100)
	for _, r := range roles {
		if slices.Contains(r.Attached, sharedARN) {
			out = append(out, r.Name)
		}
	}
	return strings.Join(out, " ")
}

// may reports whether sessions of a role may do an action of S3.
func (e *env) may(name, action string) bool {
	e.t.Helper()
	r, err := e.IAM.GetRole(source, name)
	if err != nil {
		e.t.Fatal(err)
	}
	return e.IAM.Authorize(&iam.Caller{Principal: r.Session("x")}, iam.Access{
		Action: "s3:" + action, Resource: "arn:aws:s3:::b/k", ResourceAccount: source,
	}) == nil
}

// Another document is another version of the same policy, and the oldest one
// gives way for the sixth.
func TestManagedPolicyVersions(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	s := e.create(source, "s", shared("GetObject", "R"))
	e.want(s, CreateComplete, "")
	id := s.Resource("M").Attributes["PolicyId"]
	s = e.update(source, "s", shared("PutObject", "R"))
	e.want(s, UpdateComplete, "")
	if m := s.Resource("M"); m.Physical != sharedARN || m.Attributes["PolicyId"] != id || id == "" {
		t.Errorf("the policy was replaced: %+v", m)
	}
	if got := e.versions(); got != "v1 GetObject, v2 PutObject*" {
		t.Errorf("versions %s", got)
	}
	if e.may("rrr", "GetObject") || !e.may("rrr", "PutObject") {
		t.Error("the new version does not decide")
	}
	// Other roles are no other version.
	e.want(e.update(source, "s", shared("PutObject", "S")), UpdateComplete, "")
	if got := e.versions() + " " + e.attached(); got != "v1 GetObject, v2 PutObject* sss" {
		t.Errorf("versions and roles %s", got)
	}
	// The default version stays, even if it is the oldest.
	if err := e.IAM.SetDefaultPolicyVersion(t.Context(), source, sharedARN, "v1"); err != nil {
		t.Fatal(err)
	}
	for _, action := range []string{"a", "b", "c"} {
		e.addVersion(action)
	}
	e.want(e.update(source, "s", shared("DeleteObject", "S")), UpdateComplete, "")
	if got := e.versions(); got != "v1 GetObject, v3 a, v4 b, v5 c, v6 DeleteObject*" {
		t.Errorf("versions %s", got)
	}
	e.want(e.remove(source, "s"), DeleteComplete, "")
	if p, err := e.IAM.GetPolicy(source, sharedARN); err == nil {
		t.Errorf("the policy is left: %+v", p)
	}
}

// An update that fails leaves the document and the roles as they were: none of
// it if the policy itself cannot be changed, a version like the first if
// something else fails later.
func TestManagedPolicyRollsBack(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.want(e.create(source, "s", shared("GetObject", "R")), CreateComplete, "")
	fails := func(who *iam.Caller, body, reason string) {
		t.Helper()
		if _, err := e.Update(t.Context(), who, Input{Name: "s", Template: body, Capabilities: all}); err != nil {
			t.Fatal(err)
		}
		s := e.end(source, "s")
		e.want(s, UpdateRollbackComplete, "")
		if !strings.Contains(e.story(s), "UPDATE_FAILED: "+reason) && !strings.Contains(e.story(s), "CREATE_FAILED: "+reason) {
			t.Errorf("events:\n%s", e.story(s))
		}
	}
	unchanged := func(versions string) {
		t.Helper()
		if got := e.versions(); got != versions {
			t.Errorf("versions %s, want %s", got, versions)
		}
		if got := e.attached(); got != "rrr" {
			t.Errorf("attached to %s", got)
		}
	}
	fails(root(source), strings.Replace(shared("PutObject", "S"), `"*"`, "nowhere", 1), "Resource nowhere must be in ARN format")
	unchanged("v1 GetObject*")
	denied := func(action string) string {
		return "User: arn:aws:sts::111111111111:assumed-role/" + strings.ToLower(action) + "/test is not authorized to perform: iam:" + action
	}
	weak := e.session(source, "createpolicyversion", "iam:AttachRolePolicy", "iam:DetachRolePolicy")
	fails(weak, shared("PutObject", "S"), denied("CreatePolicyVersion"))
	unchanged("v1 GetObject*")
	fails(root(source), shared("PutObject", "R")+"  Bad: {Type: AWS::S3::Bucket, DependsOn: M, Properties: {BucketName: BAD}}\n", "The specified bucket is not valid")
	unchanged("v1 GetObject, v2 PutObject, v3 GetObject*")
	for range 2 {
		e.addVersion("x")
	}
	weak = e.session(source, "deletepolicyversion", "iam:AttachRolePolicy", "iam:DetachRolePolicy", "iam:CreatePolicyVersion")
	fails(weak, shared("PutObject", "S"), denied("DeletePolicyVersion"))
	unchanged("v1 GetObject, v2 PutObject, v3 GetObject*, v4 x, v5 x")
}

// Whenever the process ends in an update, no version is made twice and none
// but the oldest is lost.
func TestManagedPolicyCrash(t *testing.T) {
	t.Parallel()
	base := vfs.Memory()
	e := open(t, base)
	e.want(e.create(source, "s", shared("a", "R")), CreateComplete, "")
	for _, action := range []string{"b", "c", "d", "e"} {
		e.want(e.update(source, "s", shared(action, "R")), UpdateComplete, "")
	}
	if got := e.versions(); got != "v1 a, v2 b, v3 c, v4 d, v5 e*" {
		t.Fatalf("versions %s", got)
	}
	e.close()
	update := func(e *env) error {
		_, err := e.Update(e.t.Context(), root(source), Input{Name: "s", Template: shared("f", "R"), Capabilities: all})
		return err
	}
	seen := map[string]bool{}
	for k := int64(1); ; k++ {
		fs, failed := crashAt(t, base, k, "s", update)
		r := open(t, fs)
		if err := r.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		s := r.end(source, "s")
		want := "v1 a, v2 b, v3 c, v4 d, v5 e*"
		if strings.Contains(s.Template, "s3:f") { // the update was begun, and so is finished
			want = "v2 b, v3 c, v4 d, v5 e, v6 f*"
		}
		if got := r.versions(); got != want || r.attached() != "rrr" {
			t.Errorf("k=%d: stack %s, versions %s, want %s; attached to %s\n%s", k, s.Status, got, want, r.attached(), r.story(s))
		}
		seen[want] = true
		r.close()
		if !failed {
			break
		}
	}
	if len(seen) != 2 {
		t.Errorf("ends: %v", seen)
	}
}

// A policy that something else uses is not deleted.
func TestManagedPolicyInUse(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.want(e.create(source, "s", shared("GetObject", "R")), CreateComplete, "")
	e.session(source, "other", "s3:GetObject")
	if err := e.IAM.Attach(t.Context(), identity.RoleKind, source, "other", sharedARN); err != nil {
		t.Fatal(err)
	}
	s := e.remove(source, "s")
	e.want(s, DeleteFailed, "[M]")
	if !strings.Contains(e.story(s), "M DELETE_FAILED: Cannot delete a policy attached to entities") {
		t.Errorf("events:\n%s", e.story(s))
	}
	if err := e.IAM.Detach(t.Context(), identity.RoleKind, source, "other", sharedARN); err != nil {
		t.Fatal(err)
	}
	e.want(e.remove(source, "s"), DeleteComplete, "")
}
