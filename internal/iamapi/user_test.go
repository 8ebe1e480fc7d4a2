package iamapi

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"twinbucket/internal/iam"
	"twinbucket/internal/sigv4"
	"twinbucket/policy"
)

func TestGoldenUsers(t *testing.T) {
	t.Parallel()
	const user, all, admin = "UserName=ann", "PolicyDocument=" + readAll, "PolicyArn=arn:aws:iam::aws:policy/AdministratorAccess"
	golden(t, "users.golden", newWorld(t).transcript("iam", [][]string{
		{
			"CreateUser", user, "Path=/team/", "PermissionsBoundary=arn:aws:iam::aws:policy/AmazonS3FullAccess",
			"Tags.member.1.Key=team", "Tags.member.1.Value=storage",
		},
		{"CreateUser", "UserName=ANN"},
		{"CreateUser", "UserName=a/b"},
		{"CreateUser", "UserName=bob", "PermissionsBoundary=arn:aws:iam::aws:policy/None"},
		{"GetUser"},
		{"GetUser", user},
		{"GetUser", "UserName=none"},
		{"PutUserPolicy", user, "PolicyName=p", all},
		{"GetUserPolicy", user, "PolicyName=p"},
		{"GetUserPolicy", user, "PolicyName=q"},
		{"ListUserPolicies", user},
		{"AttachUserPolicy", user, admin},
		{"ListAttachedUserPolicies", user},
		{"ListEntitiesForPolicy", admin},
		{"ListEntitiesForPolicy", "PolicyArn=arn:aws:iam::aws:policy/AmazonS3FullAccess", "PolicyUsageFilter=PermissionsBoundary"},
		{"TagUser", user, "Tags.member.1.Key=env", "Tags.member.1.Value="},
		{"ListUserTags", user},
		{"UntagUser", user, "TagKeys.member.1=env"},
		{"CreateGroup", "GroupName=devs"},
		{"CreateGroup", "GroupName=Devs"},
		{"AddUserToGroup", "GroupName=devs", user},
		{"AddUserToGroup", "GroupName=devs", "UserName=none"},
		{"AddUserToGroup", "GroupName=none", user},
		{"PutGroupPolicy", "GroupName=devs", "PolicyName=p", all},
		{"AttachGroupPolicy", "GroupName=devs", admin},
		{"GetGroup", "GroupName=devs"},
		{"ListGroups"},
		{"ListGroupsForUser", user},
		{"UpdateGroup", "GroupName=devs", "NewGroupName=ops", "NewPath=/x/"},
		{"ListGroupsForUser", user},
		{"DeleteGroup", "GroupName=ops"},
		{"CreateAccessKey", user},
		{"CreateAccessKey", user},
		{"CreateAccessKey", user},
		{"ListAccessKeys", user},
		{"UpdateAccessKey", user, "AccessKeyId=none", "Status=Active"},
		{"UpdateAccessKey", user, "AccessKeyId=none", "Status=On"},
		{"UpdateUser", user, "NewUserName=anna", "NewPath=/"},
		{"ListUsers"},
		{"ListUsers", "PathPrefix=/team/"},
		{"DeleteUser", "UserName=anna"},
		{"DeleteUserPermissionsBoundary", "UserName=anna"},
		{"DeleteUserPermissionsBoundary", "UserName=anna"},
		{"DetachUserPolicy", "UserName=anna", admin},
		{"DeleteUser", "UserName=anna"},
		{"DeleteUserPolicy", "UserName=anna", "PolicyName=p"},
		{"DeleteUser", "UserName=anna"},
		{"RemoveUserFromGroup", "GroupName=ops", "UserName=anna"},
		{"DeleteUser", "UserName=anna"},
		{"DetachGroupPolicy", "GroupName=ops", admin},
		{"DeleteGroupPolicy", "GroupName=ops", "PolicyName=p"},
		{"DeleteGroup", "GroupName=ops"},
		{"DeleteGroup", "GroupName=ops"},
	}))
}

// user makes a user with an access key.
func (w *world) user(name string) sigv4.Credentials {
	w.t.Helper()
	w.must("CreateUser", "UserName="+name)
	made := w.must("CreateAccessKey", "UserName="+name)
	return sigv4.Credentials{AccessKey: between(made, "<AccessKeyId>", "<"), Secret: between(made, "<SecretAccessKey>", "<")}
}

func TestUsersOwnKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.user("ann")
	as := func(want int, service, action string, params ...string) string {
		t.Helper()
		rec := w.send(ann, service, form(service, action, params...))
		if rec.Code != want {
			t.Errorf("%s %v: %d %s", action, params, rec.Code, rec.Body)
		}
		return rec.Body.String()
	}
	if who := as(200, "sts", "GetCallerIdentity"); !strings.Contains(who, "<Arn>arn:aws:iam::111111111111:user/ann</Arn>") {
		t.Error(who)
	}
	as(403, "iam", "GetUser")
	as(403, "iam", "ListAccessKeys")
	w.must("PutUserPolicy", "UserName=ann", "PolicyName=self", `PolicyDocument={"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["iam:GetUser","iam:*AccessKey*"],"Resource":"arn:aws:iam::*:user/${aws:username}"}}`)
	if got := as(200, "iam", "GetUser"); !strings.Contains(got, "<UserName>ann</UserName>") {
		t.Error(got)
	}
	second := between(as(200, "iam", "CreateAccessKey"), "<AccessKeyId>", "<")
	as(409, "iam", "CreateAccessKey")
	if got := as(200, "iam", "GetAccessKeyLastUsed", "AccessKeyId="+second); !strings.Contains(got, "<UserName>ann</UserName>") {
		t.Error(got)
	}
	as(403, "iam", "GetAccessKeyLastUsed", "AccessKeyId="+w.root[dst].AccessKey)
	as(200, "iam", "UpdateAccessKey", "AccessKeyId="+ann.AccessKey, "Status=Inactive")
	as(403, "sts", "GetCallerIdentity")
	w.must("UpdateAccessKey", "UserName=ann", "AccessKeyId="+ann.AccessKey, "Status=Active")
	as(200, "sts", "GetCallerIdentity")
	as(200, "iam", "DeleteAccessKey", "AccessKeyId="+second)

	token := as(200, "sts", "GetSessionToken")
	session := sigv4.Credentials{
		AccessKey: between(token, "<AccessKeyId>", "<"), Secret: between(token, "<SecretAccessKey>", "<"), Token: between(token, "<SessionToken>", "<"),
	}
	if rec := w.send(session, "sts", form("sts", "GetCallerIdentity")); !strings.Contains(rec.Body.String(), ":user/ann</Arn>") {
		t.Error(rec.Body)
	}
	if rec := w.send(session, "sts", form("sts", "GetSessionToken")); rec.Code != http.StatusForbidden {
		t.Error(rec.Body)
	}
	as(200, "iam", "DeleteAccessKey", "AccessKeyId="+ann.AccessKey)
	as(403, "sts", "GetCallerIdentity")
	w.must("DeleteUserPolicy", "UserName=ann", "PolicyName=self")
	w.must("DeleteUser", "UserName=ann")
	if rec := w.send(session, "sts", form("sts", "GetCallerIdentity")); rec.Code != http.StatusForbidden {
		t.Error(rec.Body)
	}
}

func TestEntitiesForPolicy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const name = "arn:aws:iam::aws:policy/AmazonS3FullAccess"
	w.must("CreateUser", "UserName=both", "PermissionsBoundary="+name)
	w.must("AttachUserPolicy", "UserName=both", "PolicyArn="+name)
	w.must("CreateUser", "UserName=bounded", "PermissionsBoundary="+name, "Path=/team/")
	w.must("CreateGroup", "GroupName=devs")
	w.must("AttachGroupPolicy", "GroupName=devs", "PolicyArn="+name)
	w.must("CreateRole", "RoleName=copies", "AssumeRolePolicyDocument="+trustS3)
	w.must("AttachRolePolicy", "RoleName=copies", "PolicyArn="+name)
	listed := func(body string) string {
		var out []string
		for _, m := range regexp.MustCompile(`<(?:User|Group|Role)Name>([^<]*)<`).FindAllStringSubmatch(body, -1) {
			out = append(out, m[1])
		}
		return strings.Join(out, " ")
	}
	for _, tt := range []struct{ params, want string }{
		{"", "devs both bounded copies"},
		{"PolicyUsageFilter=PermissionsPolicy", "devs both copies"},
		{"PolicyUsageFilter=PermissionsBoundary", "both bounded"},
		{"EntityFilter=User", "both bounded"},
		{"EntityFilter=Group PolicyUsageFilter=PermissionsBoundary", ""},
		{"EntityFilter=AWSManagedPolicy", ""},
		{"PathPrefix=/team/", "bounded"},
	} {
		params := append(strings.Fields(tt.params), "PolicyArn="+name)
		if got := listed(w.must("ListEntitiesForPolicy", params...)); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.params, got, tt.want)
		}
	}
	var pages []string
	for marker := ""; ; {
		body := w.must("ListEntitiesForPolicy", "PolicyArn="+name, "MaxItems=2", "Marker="+marker)
		pages = append(pages, listed(body))
		if marker = between(body, "<Marker>", "<"); marker == "" {
			break
		}
	}
	if got := strings.Join(pages, ", "); got != "devs copies, both bounded" {
		t.Errorf("by pages: %s", got)
	}
	for param, want := range map[string]string{
		"EntityFilter=Robot":     "Value at 'entityFilter' failed to satisfy constraint: Member must satisfy enum value set: [User, Role, Group, LocalManagedPolicy, AWSManagedPolicy]",
		"EntityFilter=user":      "Value at 'entityFilter' failed",
		"PolicyUsageFilter=Some": "Value at 'policyUsageFilter' failed to satisfy constraint: Member must satisfy enum value set: [PermissionsPolicy, PermissionsBoundary]",
		"MaxItems=0":             "Value at 'maxItems' failed",
		"PathPrefix=team":        "The specified value for pathPrefix is invalid",
	} {
		if code, body := w.iamCall("ListEntitiesForPolicy", "PolicyArn="+name, param); code != http.StatusBadRequest || !strings.Contains(body, "<Code>ValidationError</Code>") || !strings.Contains(strings.ReplaceAll(body, "&#39;", "'"), want) {
			t.Errorf("%s: %d %s", param, code, body)
		}
	}
}

func TestGoldenRootKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.root[src]
	summary := func(want string) {
		t.Helper()
		if got := between(w.must("GetAccountSummary"), "<key>AccountAccessKeysPresent</key><value>", "<"); got != want {
			t.Errorf("AccountAccessKeysPresent is %s, want %s", got, want)
		}
	}
	summary("1")
	golden(t, "root-keys.golden", w.transcript("iam", [][]string{
		{"ListAccessKeys"},
		{"CreateAccessKey"},
		{"CreateAccessKey"},
		{"ListAccessKeys"},
		{"UpdateAccessKey", "AccessKeyId=AKIANONE", "Status=Inactive"},
		{"DeleteAccessKey", "AccessKeyId=AKIANONE"},
		{"ListAccessKeys", "UserName="},
		{"ListAccessKeys", "UserName=root"},
	}))
	keys, err := w.iam.Keys(src, "")
	if err != nil {
		t.Fatal(err)
	}
	second := sigv4.Credentials{AccessKey: keys[1].AccessKey, Secret: keys[1].Secret}
	page := w.must("ListAccessKeys", "MaxItems=1")
	rest := w.must("ListAccessKeys", "Marker="+between(page, "<Marker>", "<"))
	if between(page, "<AccessKeyId>", "<") != first.AccessKey || between(rest, "<AccessKeyId>", "<") != second.AccessKey || !strings.Contains(rest, "<IsTruncated>false<") {
		t.Errorf("by pages: %s %s", page, rest)
	}
	as := func(cred sigv4.Credentials, want int, params ...string) {
		t.Helper()
		if rec := w.send(cred, "iam", form("iam", params[0], params[1:]...)); rec.Code != want {
			t.Errorf("%v: %d %s", params, rec.Code, rec.Body)
		}
	}
	// The second key turns the first one off, and then deletes it and itself.
	as(second, 200, "UpdateAccessKey", "AccessKeyId="+first.AccessKey, "Status=Inactive")
	as(first, 403, "ListAccessKeys")
	as(second, 200, "UpdateAccessKey", "AccessKeyId="+first.AccessKey, "Status=Active")
	as(first, 200, "ListAccessKeys")
	as(second, 200, "DeleteAccessKey", "AccessKeyId="+first.AccessKey)
	as(first, 403, "ListAccessKeys")
	w.root[src] = second
	summary("1")
	ann := w.user("ann")
	w.must("AttachUserPolicy", "UserName=ann", "PolicyArn=arn:aws:iam::aws:policy/AdministratorAccess")

	// An administrator may ask about the key, and cannot touch it. What
	// GetSessionToken gives the root user is nothing to IAM.
	if got := w.send(ann, "iam", form("iam", "GetAccessKeyLastUsed", "AccessKeyId="+second.AccessKey)).Body.String(); !strings.Contains(got, "<GetAccessKeyLastUsedResult><AccessKeyLastUsed>") {
		t.Error(got)
	}
	as(ann, 404, "DeleteAccessKey", "AccessKeyId="+second.AccessKey)
	session, err := w.iam.GetSessionToken(&iam.Caller{Principal: policy.Principal{Type: policy.RootUser, Account: src}}, 0, iam.MFA{})
	if err != nil {
		t.Fatal(err)
	}
	as(sigv4.Credentials{AccessKey: session.AccessKey, Secret: session.Secret, Token: session.Token}, 403, "CreateAccessKey")

	as(second, 200, "DeleteAccessKey", "AccessKeyId="+second.AccessKey)
	as(second, 403, "ListAccessKeys")
	w.root[src] = ann
	summary("0")
}
