package iamapi

import (
	"regexp"
	"strings"
	"testing"
)

var results = regexp.MustCompile(`<EvalActionName>([^<]*)</EvalActionName><EvalResourceName>([^<]*)</EvalResourceName><EvalDecision>([^<]*)</EvalDecision><MatchedStatements>(.*?)</MatchedStatements><MissingContextValues>(.*?)</MissingContextValues>(?:<PermissionsBoundaryDecisionDetail><AllowedByPermissionsBoundary>([^<]*)<)?`)

var ids = regexp.MustCompile(`<SourcePolicyId>([^<]*)</SourcePolicyId>`)

// simulated sends a request and returns its results, one a line: action,
// resource, decision, policies that matched, keys that are missing and what the
// boundary says.
func (w *world) simulated(action string, params ...string) string {
	w.t.Helper()
	var lines []string
	for _, m := range results.FindAllStringSubmatch(w.must(action, params...), -1) {
		var matched []string
		for _, id := range ids.FindAllStringSubmatch(m[4], -1) {
			matched = append(matched, id[1])
		}
		missing := strings.NewReplacer("<member>", "", "</member>", " ").Replace(m[5])
		lines = append(lines, strings.TrimSpace(strings.Join([]string{m[1], m[2], m[3], strings.Join(matched, ","), strings.TrimSpace(missing), m[6]}, " | ")))
	}
	return strings.Join(lines, "\n")
}

func TestSimulation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must("CreateUser", "UserName=ann")
	w.must("CreateGroup", "GroupName=devs")
	w.must("AddUserToGroup", "UserName=ann", "GroupName=devs")
	w.must("PutGroupPolicy", "GroupName=devs", "PolicyName=read", `PolicyDocument={"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:Get*","Resource":"arn:aws:s3:::b/${aws:username}/*"}}`)
	w.must("PutUserPolicy", "UserName=ann", "PolicyName=no", `PolicyDocument={"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/ann/secret","Condition":{"StringNotEquals":{"aws:PrincipalTag/team":"x"},"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}}`)
	w.must("CreateRole", "RoleName=r", "AssumeRolePolicyDocument="+trustS3, "PermissionsBoundary=arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
	w.must("AttachRolePolicy", "RoleName=r", "PolicyArn=arn:aws:iam::aws:policy/AdministratorAccess")
	const ann, role = "PolicySourceArn=arn:aws:iam::111111111111:user/ann", "PolicySourceArn=arn:aws:iam::111111111111:role/r"
	const homes = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/${aws:username}/*","Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::111111111111:user/*"}}}}`
	const missing = "aws:PrincipalTag/team aws:SourceIp"
	for _, tt := range []struct {
		action string
		params []string
		want   string
	}{
		{"SimulatePrincipalPolicy", []string{
			ann, "ActionNames.member.1=s3:GetObject", "ActionNames.member.2=s3:PutObject",
			"ResourceArns.member.1=arn:aws:s3:::b/ann/k", "ResourceArns.member.2=arn:aws:s3:::b/bob/k",
		}, "s3:GetObject | arn:aws:s3:::b/ann/k | allowed | read | " + missing + " |\n" +
			"s3:GetObject | arn:aws:s3:::b/bob/k | implicitDeny |  | " + missing + " |\n" +
			"s3:PutObject | arn:aws:s3:::b/ann/k | implicitDeny |  | " + missing + " |\n" +
			"s3:PutObject | arn:aws:s3:::b/bob/k | implicitDeny |  | " + missing + " |"},
		{"SimulatePrincipalPolicy", []string{
			ann, "ActionNames.member.1=s3:GetObject", "ResourceArns.member.1=arn:aws:s3:::b/ann/secret",
			"ContextEntries.member.1.ContextKeyName=aws:sourceIp", "ContextEntries.member.1.ContextKeyType=ip",
			"ContextEntries.member.1.ContextKeyValues.member.1=10.1.1.1",
		}, "s3:GetObject | arn:aws:s3:::b/ann/secret | explicitDeny | no | aws:PrincipalTag/team |"},
		{"SimulatePrincipalPolicy", []string{role, "ActionNames.member.1=s3:PutObject"}, "s3:PutObject | * | implicitDeny | AdministratorAccess |  | false"},
		{"SimulatePrincipalPolicy", []string{role, "ActionNames.member.1=s3:GetObject"}, "s3:GetObject | * | allowed | AdministratorAccess |  | true"},
		{"SimulateCustomPolicy", []string{
			"ActionNames.member.1=s3:GetObject", "PolicyInputList.member.1=" + readAll, "ResourceArns.member.1=arn:aws:s3:::b/k",
		}, "s3:GetObject | arn:aws:s3:::b/k | allowed | PolicyInputList.1 |  |"},
		{"SimulateCustomPolicy", []string{
			"ActionNames.member.1=s3:PutObject", "PolicyInputList.member.1=" + readAll, "ResourceArns.member.1=arn:aws:s3:::b/k",
			"CallerArn=arn:aws:iam::111111111111:user/bob", `ResourcePolicy={"Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:user/bob"},"Action":"s3:PutObject","Resource":"arn:aws:s3:::b/*"}}`,
		}, "s3:PutObject | arn:aws:s3:::b/k | allowed | ResourcePolicy |  |"},
		// What follows from the caller is missing where none is named, and what the request asserts goes before it.
		{"SimulateCustomPolicy", []string{
			"ActionNames.member.1=s3:GetObject", "PolicyInputList.member.1=" + homes, "ResourceArns.member.1=arn:aws:s3:::b/bob/k",
		}, "s3:GetObject | arn:aws:s3:::b/bob/k | implicitDeny |  | aws:PrincipalArn aws:username |"},
		{"SimulateCustomPolicy", []string{
			"ActionNames.member.1=s3:GetObject", "PolicyInputList.member.1=" + homes, "ResourceArns.member.1=arn:aws:s3:::b/bob/k",
			"ContextEntries.member.1.ContextKeyName=aws:username", "ContextEntries.member.1.ContextKeyType=string", "ContextEntries.member.1.ContextKeyValues.member.1=bob",
			"ContextEntries.member.2.ContextKeyName=aws:PrincipalArn", "ContextEntries.member.2.ContextKeyType=string", "ContextEntries.member.2.ContextKeyValues.member.1=arn:aws:iam::111111111111:user/bob",
		}, "s3:GetObject | arn:aws:s3:::b/bob/k | allowed | PolicyInputList.1 |  |"},
		{"SimulateCustomPolicy", []string{
			"ActionNames.member.1=s3:GetObject", "PolicyInputList.member.1=" + homes, "ResourceArns.member.1=arn:aws:s3:::b/bob/k", "CallerArn=arn:aws:iam::111111111111:user/bob",
		}, "s3:GetObject | arn:aws:s3:::b/bob/k | allowed | PolicyInputList.1 |  |"},
		{"SimulatePrincipalPolicy", []string{
			"PolicySourceArn=arn:aws:iam::111111111111:group/devs", "ActionNames.member.1=s3:GetObject", "ResourceArns.member.1=arn:aws:s3:::b/devs/k",
		}, "s3:GetObject | arn:aws:s3:::b/devs/k | implicitDeny |  | aws:username |"},
		{"SimulatePrincipalPolicy", []string{
			ann, "ActionNames.member.1=s3:GetObject", "ResourceArns.member.1=arn:aws:s3:::b/bob/k",
			"ContextEntries.member.1.ContextKeyName=aws:username", "ContextEntries.member.1.ContextKeyType=string", "ContextEntries.member.1.ContextKeyValues.member.1=bob",
		}, "s3:GetObject | arn:aws:s3:::b/bob/k | allowed | read | " + missing + " |"},
	} {
		if got := w.simulated(tt.action, tt.params...); got != tt.want {
			t.Errorf("%s %q:\n%s\nwant\n%s", tt.action, tt.params, got, tt.want)
		}
	}
	first := w.must("SimulatePrincipalPolicy", ann, "ActionNames.member.1=s3:GetObject", "ActionNames.member.2=s3:PutObject", "MaxItems=1")
	second := w.must("SimulatePrincipalPolicy", ann, "ActionNames.member.1=s3:GetObject", "ActionNames.member.2=s3:PutObject", "MaxItems=1", "Marker="+between(first, "<Marker>", "<"))
	if strings.Contains(first, "PutObject") || !strings.Contains(second, "PutObject") || strings.Contains(second, "GetObject<") || !strings.Contains(second, "<IsTruncated>false<") {
		t.Errorf("pages: %s\n%s", first, second)
	}
	if got := w.must("GetContextKeysForPrincipalPolicy", ann); !strings.Contains(got, "<member>aws:PrincipalTag/team</member><member>aws:SourceIp</member><member>aws:username</member>") {
		t.Error(got)
	}
	for _, params := range [][]string{
		{"SimulatePrincipalPolicy", "PolicySourceArn=arn:aws:iam::111111111111:user/none", "ActionNames.member.1=s3:GetObject"},
		{"SimulatePrincipalPolicy", "PolicySourceArn=arn:aws:iam::222222222222:user/ann", "ActionNames.member.1=s3:GetObject"},
		{"SimulatePrincipalPolicy", ann},
		{"SimulatePrincipalPolicy", ann, "ActionNames.member.1=s3:Get*"},
		{"SimulateCustomPolicy", "ActionNames.member.1=s3:GetObject"},
		{"SimulateCustomPolicy", "ActionNames.member.1=s3:GetObject", "PolicyInputList.member.1={"},
		{"SimulateCustomPolicy", "ActionNames.member.1=s3:GetObject", "PolicyInputList.member.1=" + readAll, "CallerArn=arn:aws:iam::111111111111:role/r"},
		{"SimulatePrincipalPolicy", role, "ActionNames.member.1=s3:GetObject", `ResourcePolicy={"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::b/*"}}`},
		{"SimulateCustomPolicy", "ActionNames.member.1=s3:GetObject", "PolicyInputList.member.1=" + readAll, `ResourcePolicy={"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::b/*"}}`},
		{"GetContextKeysForCustomPolicy"},
	} {
		if code, body := w.iamCall(params[0], params[1:]...); code != 400 && code != 404 {
			t.Errorf("%q: %d %s", params, code, body)
		}
	}
}
