package iamapi

import (
	"strings"
	"testing"

	"twinbucket/internal/iam"
	"twinbucket/internal/sigv4"
)

// TestConditionKeys checks what the door tells policies of a request, for each
// action that has a key (Service Authorization Reference, "AWS Identity and
// Access Management"). "with" is what the condition asks for, and "without" what
// it does not.
func TestConditionKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const (
		bound    = "arn:aws:iam::aws:policy/IAMFullAccess"
		other    = "arn:aws:iam::aws:policy/AdministratorAccess"
		attached = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
	)
	w.must("CreateRole", "RoleName=ops", "AssumeRolePolicyDocument="+trustRoot)
	root, err := w.iam.Authenticate(signed(w, w.root[src]), "sts")
	if err != nil {
		t.Fatal(err)
	}
	s, err := w.iam.AssumeRole(t.Context(), root, iam.AssumeRole{RoleARN: "arn:aws:iam::111111111111:role/ops", Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	session := sigv4.Credentials{AccessKey: s.AccessKey, Secret: s.Secret, Token: s.Token}
	for name, boundary := range map[string]string{"with": bound, "without": other} {
		w.must("CreateRole", "RoleName="+name, "AssumeRolePolicyDocument="+trustS3, "PermissionsBoundary="+boundary, "Tags.member.1.Key=Team", "Tags.member.1.Value="+name)
		w.must("CreateUser", "UserName="+name, "PermissionsBoundary="+boundary, "Tags.member.1.Key=Team", "Tags.member.1.Value="+name)
		w.must("CreatePolicy", "PolicyName="+name, "PolicyDocument="+readAll, "Tags.member.1.Key=Team", "Tags.member.1.Value="+name)
	}
	const (
		boundary  = `"ArnEquals":{"iam:PermissionsBoundary":"` + bound + `"}`
		policy    = `"ArnLike":{"iam:PolicyARN":"arn:aws:iam::aws:policy/AmazonS3*"}`
		resource  = `"StringEquals":{"aws:ResourceTag/team":"with","iam:ResourceTag/Team":"with"}`
		asked     = `"StringEquals":{"aws:RequestTag/cost":"with"},"ForAllValues:StringEquals":{"aws:TagKeys":"Cost"}`
		untagging = `"ForAnyValue:StringEquals":{"aws:TagKeys":"Cost-with"}`
		tags      = "Tags.member.1.Key=Cost Tags.member.1.Value=NAME"
	)
	for _, tt := range []struct{ condition, action, params string }{
		{boundary, "AttachRolePolicy", "RoleName=NAME PolicyArn=" + attached},
		{boundary, "DetachRolePolicy", "RoleName=NAME PolicyArn=" + attached},
		{boundary, "PutRolePolicy", "RoleName=NAME PolicyName=p PolicyDocument=" + readAll},
		{boundary, "DeleteRolePolicy", "RoleName=NAME PolicyName=p"},
		{boundary, "UpdateAssumeRolePolicy", "RoleName=NAME PolicyDocument=" + trustS3},
		{boundary, "UpdateRole", "RoleName=NAME"},
		{boundary, "UpdateRoleDescription", "RoleName=NAME Description=x"},
		{boundary, "GetRole", "RoleName=NAME"},
		{boundary, "CreateRole", "RoleName=new AssumeRolePolicyDocument=" + trustS3 + " PermissionsBoundary=BOUND"},
		{boundary, "AttachUserPolicy", "UserName=NAME PolicyArn=" + attached},
		{boundary, "DetachUserPolicy", "UserName=NAME PolicyArn=" + attached},
		{boundary, "PutUserPolicy", "UserName=NAME PolicyName=p PolicyDocument=" + readAll},
		{boundary, "DeleteUserPolicy", "UserName=NAME PolicyName=p"},
		{boundary, "CreateUser", "UserName=new PermissionsBoundary=BOUND"},
		// What is asked for counts, not what was there.
		{boundary, "PutRolePermissionsBoundary", "RoleName=new PermissionsBoundary=BOUND"},
		{boundary, "PutUserPermissionsBoundary", "UserName=new PermissionsBoundary=BOUND"},
		{policy, "AttachRolePolicy", "RoleName=new PolicyArn=ATTACHED"},
		{policy, "DetachRolePolicy", "RoleName=new PolicyArn=ATTACHED"},
		{policy, "AttachUserPolicy", "UserName=new PolicyArn=ATTACHED"},
		{policy, "DetachUserPolicy", "UserName=new PolicyArn=ATTACHED"},
		{resource, "GetRole", "RoleName=NAME"},
		{resource, "GetUser", "UserName=NAME"},
		{resource, "GetPolicy", "PolicyArn=arn:aws:iam::111111111111:policy/NAME"},
		{asked, "TagRole", "RoleName=new " + tags},
		{asked, "TagUser", "UserName=new " + tags},
		{asked, "CreateRole", "RoleName=tagged AssumeRolePolicyDocument=" + trustS3 + " " + tags},
		{asked, "CreateUser", "UserName=tagged " + tags},
		{asked, "CreatePolicy", "PolicyName=tagged PolicyDocument=" + readAll + " " + tags},
		{untagging, "UntagRole", "RoleName=new TagKeys.member.1=Cost-NAME"},
		{untagging, "UntagUser", "UserName=new TagKeys.member.1=Cost-NAME"},
		{boundary, "DeleteUserPermissionsBoundary", "UserName=NAME"},
		{boundary, "DeleteRolePermissionsBoundary", "RoleName=NAME"},
	} {
		w.must("PutRolePolicy", "RoleName=ops", "PolicyName=p",
			`PolicyDocument={"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:*","Resource":"*","Condition":{`+tt.condition+`}}}`)
		for _, c := range []struct {
			name, bound, attached string
			want                  int
		}{{"without", other, other, 403}, {"with", bound, attached, 200}} {
			params := strings.Fields(strings.NewReplacer("NAME", c.name, "BOUND", c.bound, "ATTACHED", c.attached).Replace(tt.params))
			if rec := w.send(session, "iam", form("iam", tt.action, params...)); rec.Code != c.want {
				t.Errorf("%s %s %s: %d, want %d: %s", tt.condition, tt.action, params, rec.Code, c.want, rec.Body)
			}
		}
	}
}
