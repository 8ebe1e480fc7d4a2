package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"twinbucket/fault"
	"twinbucket/identity"
)

func TestSTS(t *testing.T) {
	t.Parallel()
	c := serve(
		t,
		exchange{
			request: "POST /", body: "Action=GetCallerIdentity&Version=2011-06-15", header: map[string]string{"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
			answer: `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>arn:aws:iam::111122223333:root</Arn><UserId>111122223333</UserId><Account>111122223333</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`,
		},
		exchange{
			request: "POST /", body: "Action=AssumeRole&DurationSeconds=900&ExternalId=x&Policy=%7B%7D&RoleArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fr&RoleSessionName=s&Version=2011-06-15",
			answer: `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>k</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2024-01-02T03:04:05Z</Expiration></Credentials><AssumedRoleUser><AssumedRoleId>AROA:s</AssumedRoleId><Arn>arn:s</Arn></AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>`,
		},
		exchange{request: "POST /", body: "*", status: 403, answer: `<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message><Hint>trust</Hint></Error></ErrorResponse>`},
	)
	who, err := c.GetCallerIdentity(t.Context())
	if want := (Identity{"111122223333", "arn:aws:iam::111122223333:root", "111122223333"}); who != want || err != nil {
		t.Errorf("%+v, %v", who, err)
	}
	in := AssumeRole{RoleARN: "arn:aws:iam::111122223333:role/r", Session: "s", Duration: 15 * time.Minute, Policy: "{}", ExternalID: "x"}
	got, err := c.AssumeRole(t.Context(), in)
	want := &Session{Credentials{"ASIA", "k", "t"}, time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC), "arn:s", "AROA:s"}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	_, err = c.AssumeRole(t.Context(), in)
	var e *fault.Error
	if !errors.As(err, &e) || e.Op != "sts.AssumeRole" || e.Thing != in.RoleARN || e.Kind != fault.Denied || e.Hint != "trust" {
		t.Errorf("%+v", e)
	}
}

// TestIdentities reads what identities have, over several pages.
func TestIdentities(t *testing.T) {
	t.Parallel()
	const v = "&Version=2010-05-08"
	c := serve(
		t,
		exchange{request: "POST /", body: "Action=ListRolePolicies&RoleName=r" + v, answer: "<ListRolePoliciesResponse><ListRolePoliciesResult><PolicyNames><member>a</member></PolicyNames><IsTruncated>true</IsTruncated><Marker>m</Marker></ListRolePoliciesResult><ResponseMetadata/></ListRolePoliciesResponse>"},
		exchange{request: "POST /", body: "Action=ListRolePolicies&Marker=m&RoleName=r" + v, answer: "<ListRolePoliciesResponse><ListRolePoliciesResult><PolicyNames><member>b</member></PolicyNames><IsTruncated>false</IsTruncated></ListRolePoliciesResult></ListRolePoliciesResponse>"},
		exchange{request: "POST /", body: "Action=ListAttachedGroupPolicies&GroupName=g" + v, answer: "<ListAttachedGroupPoliciesResponse><ListAttachedGroupPoliciesResult><AttachedPolicies><member><PolicyName>p</PolicyName><PolicyArn>arn:p</PolicyArn></member></AttachedPolicies></ListAttachedGroupPoliciesResult></ListAttachedGroupPoliciesResponse>"},
		exchange{request: "POST /", body: "Action=ListGroupsForUser&UserName=u" + v, answer: "<ListGroupsForUserResponse><ListGroupsForUserResult><Groups><member><GroupName>g</GroupName></member></Groups></ListGroupsForUserResult></ListGroupsForUserResponse>"},
		exchange{request: "POST /", body: "Action=GetUserPolicy&PolicyName=p&UserName=u" + v, answer: "<GetUserPolicyResponse><GetUserPolicyResult><UserName>u</UserName><PolicyDocument>%7B%22a%22%3A%22b+c%22%7D</PolicyDocument></GetUserPolicyResult></GetUserPolicyResponse>"},
		exchange{request: "POST /", body: "Action=GetUserPolicy&PolicyName=p&UserName=u" + v, answer: "<GetUserPolicyResponse/>"},
		exchange{request: "POST /", body: "Action=GetPolicy&PolicyArn=arn%3Ap" + v, answer: "<GetPolicyResponse><GetPolicyResult><Policy><DefaultVersionId>v3</DefaultVersionId></Policy></GetPolicyResult></GetPolicyResponse>"},
		exchange{request: "POST /", body: "Action=GetPolicyVersion&PolicyArn=arn%3Ap" + v + "&VersionId=v3", answer: "<GetPolicyVersionResponse><GetPolicyVersionResult><PolicyVersion><Document>%7B%7D</Document></PolicyVersion></GetPolicyVersionResult></GetPolicyVersionResponse>"},
		exchange{request: "POST /", body: "Action=GetUser&UserName=u" + v, answer: "<GetUserResponse><GetUserResult><User><Path>/</Path><UserName>u</UserName><UserId>AIDA</UserId><Arn>arn:u</Arn><PermissionsBoundary><PermissionsBoundaryArn>arn:b</PermissionsBoundaryArn></PermissionsBoundary><Tags><member><Key>k</Key><Value>v</Value></member></Tags></User></GetUserResult></GetUserResponse>"},
	)
	ctx := t.Context()
	names, err := c.InlinePolicies(ctx, identity.RoleKind, "r")
	if diff := cmp.Diff([]string{"a", "b"}, names); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	attached, err := c.AttachedPolicies(ctx, identity.GroupKind, "g")
	if diff := cmp.Diff([]Attached{{"p", "arn:p"}}, attached); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	groups, err := c.ListGroupsForUser(ctx, "u")
	if diff := cmp.Diff([]string{"g"}, groups); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	if text, err := c.InlinePolicy(ctx, identity.UserKind, "u", "p"); err != nil || text != `{"a":"b+c"}` {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := c.InlinePolicy(ctx, identity.UserKind, "u", "p"); !errors.Is(err, fault.Damaged) {
		t.Errorf("an answer without a policy: %v", err)
	}
	if text, err := c.ManagedPolicy(ctx, "arn:p"); err != nil || text != "{}" {
		t.Errorf("%q, %v", text, err)
	}
	u, err := c.GetUser(ctx, "u")
	if diff := cmp.Diff(&User{"u", "/", "arn:u", "AIDA", "arn:b", map[string]string{"k": "v"}}, u); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
}

func TestIAM(t *testing.T) {
	t.Parallel()
	const document = `<Role><Path>/p/</Path><RoleName>r</RoleName><RoleId>AROA</RoleId><Arn>arn:r</Arn><CreateDate>2024-01-02T03:04:05Z</CreateDate><AssumeRolePolicyDocument>%7B%22a%22%3A%22b+c%22%7D</AssumeRolePolicyDocument><MaxSessionDuration>7200</MaxSessionDuration></Role>`
	c := serve(
		t,
		exchange{request: "POST /", body: "Action=CreateRole&AssumeRolePolicyDocument=%7B%7D&MaxSessionDuration=7200&Path=%2Fp%2F&RoleName=r&Version=2010-05-08", answer: "<CreateRoleResponse><CreateRoleResult>" + document + "</CreateRoleResult></CreateRoleResponse>"},
		exchange{request: "POST /", body: "Action=GetRole&RoleName=r&Version=2010-05-08", answer: "<GetRoleResponse><GetRoleResult>" + document + "</GetRoleResult></GetRoleResponse>"},
		exchange{request: "POST /", body: "Action=GetRole&RoleName=r&Version=2010-05-08", answer: "<GetRoleResponse><GetRoleResult><Role><AssumeRolePolicyDocument>%zz</AssumeRolePolicyDocument></Role></GetRoleResult></GetRoleResponse>"},
		exchange{request: "POST /", body: "Action=PutRolePolicy&PolicyDocument=%7B%7D&PolicyName=p&RoleName=r&Version=2010-05-08", answer: "<PutRolePolicyResponse/>"},
		exchange{request: "POST /", body: "Action=DeleteRolePolicy&PolicyName=p&RoleName=r&Version=2010-05-08", answer: "<DeleteRolePolicyResponse/>"},
		exchange{request: "POST /", body: "Action=DeleteRole&RoleName=r&Version=2010-05-08", answer: "<DeleteRoleResponse/>"},
		exchange{request: "POST /", body: "Action=DeleteRole&RoleName=r&Version=2010-05-08", status: 409, answer: "<ErrorResponse><Error><Code>DeleteConflict</Code><Message>m</Message></Error></ErrorResponse>"},
	)
	want := &Role{Name: "r", Path: "/p/", Trust: `{"a":"b+c"}`, MaxSession: 2 * time.Hour, ARN: "arn:r", ID: "AROA", Created: time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)}
	got, err := c.CreateRole(t.Context(), Role{Name: "r", Path: "/p/", Trust: "{}", MaxSession: 2 * time.Hour})
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	got, err = c.GetRole(t.Context(), "r")
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	if _, err := c.GetRole(t.Context(), "r"); !errors.Is(err, fault.Damaged) {
		t.Errorf("a broken policy: %v", err)
	}
	for _, err := range []error{c.PutRolePolicy(t.Context(), "r", "p", "{}"), c.DeleteRolePolicy(t.Context(), "r", "p"), c.DeleteRole(t.Context(), "r")} {
		if err != nil {
			t.Error(err)
		}
	}
	if err := c.DeleteRole(t.Context(), "r"); !errors.Is(err, fault.Conflict) {
		t.Error(err)
	}
}

func TestStacks(t *testing.T) {
	t.Parallel()
	c := serve(
		t,
		exchange{request: "POST /", body: "Action=CreateStack&Capabilities.member.1=CAPABILITY_IAM&Parameters.member.1.ParameterKey=A&Parameters.member.1.ParameterValue=1&Parameters.member.2.ParameterKey=B&Parameters.member.2.ParameterValue=2&StackName=s&TemplateBody=T&Version=2010-05-15", answer: "<CreateStackResponse><CreateStackResult><StackId>id</StackId></CreateStackResult></CreateStackResponse>"},
		exchange{request: "POST /", body: "Action=UpdateStack&Parameters.member.1.ParameterKey=A&Parameters.member.1.UsePreviousValue=true&StackName=s&TemplateBody=T&Version=2010-05-15", answer: "<UpdateStackResponse><UpdateStackResult><StackId>id</StackId></UpdateStackResult></UpdateStackResponse>"},
		exchange{request: "POST /", body: "Action=DeleteStack&StackName=s&Version=2010-05-15", answer: "<DeleteStackResponse/>"},
		exchange{request: "POST /", body: "Action=ValidateTemplate&TemplateBody=T&Version=2010-05-15", answer: "<R><ValidateTemplateResult><Description>d</Description><Parameters><member><ParameterKey>A</ParameterKey></member></Parameters><Capabilities><member>CAPABILITY_IAM</member></Capabilities></ValidateTemplateResult></R>"},
		exchange{request: "POST /", body: "Action=DescribeStacks&Version=2010-05-15", answer: "<R><DescribeStacksResult><NextToken>t</NextToken><Stacks><member><StackName>s</StackName><StackId>id</StackId><StackStatus>CREATE_COMPLETE</StackStatus><CreationTime>2024-01-02T03:04:05Z</CreationTime><Outputs><member><OutputKey>O</OutputKey><OutputValue>1</OutputValue></member></Outputs></member></Stacks></DescribeStacksResult></R>"},
		exchange{request: "POST /", body: "Action=DescribeStacks&NextToken=t&Version=2010-05-15", answer: "<R><DescribeStacksResult><Stacks><member><StackName>s2</StackName><StackStatus>UPDATE_IN_PROGRESS</StackStatus></member></Stacks></DescribeStacksResult></R>"},
		exchange{request: "POST /", body: "Action=DescribeChangeSet&ChangeSetName=c&StackName=s&Version=2010-05-15", answer: "<R><DescribeChangeSetResult><ChangeSetName>c</ChangeSetName><ChangeSetId>cid</ChangeSetId><StackId>id</StackId><Status>CREATE_COMPLETE</Status><Changes><member><Type>Resource</Type><ResourceChange><Action>Modify</Action><LogicalResourceId>B</LogicalResourceId><PhysicalResourceId>b</PhysicalResourceId><ResourceType>AWS::S3::Bucket</ResourceType><Replacement>False</Replacement></ResourceChange></member></Changes></DescribeChangeSetResult></R>"},
	)
	ctx := t.Context()
	if id, err := c.CreateStack(ctx, "s", Template{Body: "T", Parameters: map[string]string{"B": "2", "A": "1"}, Capabilities: []string{"CAPABILITY_IAM"}}); id != "id" || err != nil {
		t.Errorf("%q, %v", id, err)
	}
	if id, err := c.UpdateStack(ctx, "s", Template{Body: "T", Previous: []string{"A"}}); id != "id" || err != nil {
		t.Errorf("%q, %v", id, err)
	}
	if err := c.DeleteStack(ctx, "s"); err != nil {
		t.Error(err)
	}
	v, err := c.ValidateTemplate(ctx, "T")
	if diff := cmp.Diff(&Validation{"d", []string{"A"}, []string{"CAPABILITY_IAM"}}, v); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	stacks, err := c.DescribeStacks(ctx, "")
	if err != nil || len(stacks) != 2 || stacks[0].Outputs["O"] != "1" || stacks[0].InProgress() || !stacks[1].InProgress() {
		t.Errorf("%+v, %v", stacks, err)
	}
	set, err := c.DescribeChangeSet(ctx, "s", "c")
	want := &ChangeSet{Name: "c", ID: "cid", StackID: "id", Status: "CREATE_COMPLETE", Changes: []Change{{"Modify", "B", "b", "AWS::S3::Bucket", "False"}}}
	if diff := cmp.Diff(want, set); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
}

// formation is a CloudFormation that answers each action from a list, the
// last answer for ever.
type formation struct {
	t       *testing.T
	answers map[string][]string
	calls   []url.Values
}

func (f *formation) client() *Client {
	return newClient(f.t, "http://127.0.0.1", &http.Client{Transport: local(func(r *http.Request) (*http.Response, error) {
		form, err := url.ParseQuery(verified(f.t, r))
		if err != nil {
			f.t.Error(err)
		}
		f.calls = append(f.calls, form)
		action := form.Get("Action")
		list := f.answers[action]
		if len(list) == 0 {
			f.t.Errorf("unexpected %s", action)
			return &http.Response{StatusCode: 400}, nil
		}
		if len(list) > 1 {
			f.answers[action] = list[1:]
		}
		status := 200
		if strings.HasPrefix(list[0], "<ErrorResponse>") {
			status = 400
		}
		return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(list[0]))}, nil
	})})
}

// call returns the last call of an action.
func (f *formation) call(action string) url.Values {
	for i := len(f.calls) - 1; i >= 0; i-- {
		if f.calls[i].Get("Action") == action {
			return f.calls[i]
		}
	}
	return nil
}

const (
	noStack   = "<ErrorResponse><Error><Code>ValidationError</Code><Message>Stack with id s does not exist</Message></Error></ErrorResponse>"
	changeSet = "<R><CreateChangeSetResult><Id>cid</Id></CreateChangeSetResult></R>"
	executed  = "<R/>"
)

func stackXML(status, more string) string {
	return "<R><DescribeStacksResult><Stacks><member><StackName>s</StackName><StackId>id</StackId><StackStatus>" + status + "</StackStatus>" + more + "</member></Stacks></DescribeStacksResult></R>"
}

func setXML(status, reason string) string {
	return "<R><DescribeChangeSetResult><Status>" + status + "</Status><StatusReason>" + reason + "</StatusReason></DescribeChangeSetResult></R>"
}

func eventXML(resource, kind, status, reason string) string {
	return "<member><LogicalResourceId>" + resource + "</LogicalResourceId><ResourceType>" + kind + "</ResourceType><ResourceStatus>" + status + "</ResourceStatus><ResourceStatusReason>" + reason + "</ResourceStatusReason></member>"
}

func eventsXML(next string, events ...string) string {
	return "<R><DescribeStackEventsResult><NextToken>" + next + "</NextToken><StackEvents>" + strings.Join(events, "") + "</StackEvents></DescribeStackEventsResult></R>"
}

func TestDeployCreates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &formation{t: t, answers: map[string][]string{
			"DescribeStacks":    {noStack, stackXML("REVIEW_IN_PROGRESS", ""), stackXML("CREATE_IN_PROGRESS", ""), stackXML("CREATE_COMPLETE", "<Outputs><member><OutputKey>O</OutputKey><OutputValue>1</OutputValue></member></Outputs>")},
			"CreateChangeSet":   {changeSet},
			"DescribeChangeSet": {setXML("CREATE_IN_PROGRESS", ""), setXML("CREATE_COMPLETE", "")},
			"ExecuteChangeSet":  {executed},
		}}
		s, err := f.client().Deploy(t.Context(), "s", "T", map[string]string{"A": "1"}, []string{"CAPABILITY_NAMED_IAM"})
		if err != nil || s.Status != "CREATE_COMPLETE" || s.Outputs["O"] != "1" {
			t.Errorf("%+v, %v", s, err)
		}
		if call := f.call("CreateChangeSet"); call.Get("ChangeSetType") != "CREATE" || call.Get("Parameters.member.1.ParameterValue") != "1" || call.Get("Capabilities.member.1") != "CAPABILITY_NAMED_IAM" {
			t.Errorf("%v", call)
		}
		if call := f.call("ExecuteChangeSet"); call.Get("ChangeSetName") != "cid" || call.Get("StackName") != "s" {
			t.Errorf("%v", call)
		}
	})
}

func TestDeployUpdates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		old := stackXML("CREATE_COMPLETE", "<Parameters><member><ParameterKey>A</ParameterKey><ParameterValue>1</ParameterValue></member><member><ParameterKey>B</ParameterKey></member><member><ParameterKey>Gone</ParameterKey></member></Parameters>")
		f := &formation{t: t, answers: map[string][]string{
			"DescribeStacks":    {old, stackXML("UPDATE_COMPLETE", "")},
			"ValidateTemplate":  {"<R><ValidateTemplateResult><Parameters><member><ParameterKey>New</ParameterKey></member><member><ParameterKey>B</ParameterKey></member><member><ParameterKey>A</ParameterKey></member></Parameters></ValidateTemplateResult></R>"},
			"CreateChangeSet":   {changeSet},
			"DescribeChangeSet": {setXML("CREATE_COMPLETE", "")},
			"ExecuteChangeSet":  {executed},
		}}
		s, err := f.client().Deploy(t.Context(), "s", "T", map[string]string{"A": "2"}, nil)
		if err != nil || s.Status != "UPDATE_COMPLETE" {
			t.Errorf("%+v, %v", s, err)
		}
		call := f.call("CreateChangeSet")
		if call.Get("ChangeSetType") != "UPDATE" || call.Get("Parameters.member.1.ParameterValue") != "2" ||
			call.Get("Parameters.member.2.ParameterKey") != "B" || call.Get("Parameters.member.2.UsePreviousValue") != "true" || call.Has("Parameters.member.3.ParameterKey") {
			t.Errorf("%v", call)
		}
	})
}

func TestDeployNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &formation{t: t, answers: map[string][]string{
			"DescribeStacks":    {stackXML("UPDATE_COMPLETE", "")},
			"ValidateTemplate":  {"<R><ValidateTemplateResult/></R>"},
			"CreateChangeSet":   {changeSet},
			"DescribeChangeSet": {setXML("FAILED", "The submitted information didn't contain changes. Submit different information to create a change set.")},
		}}
		if s, err := f.client().Deploy(t.Context(), "s", "T", nil, nil); err != nil || s.Status != "UPDATE_COMPLETE" {
			t.Errorf("%+v, %v", s, err)
		}
	})
}

func TestDeployFails(t *testing.T) {
	t.Parallel()
	const stack = "AWS::CloudFormation::Stack"
	events := []string{
		eventsXML(
			"t",
			eventXML("s", stack, "ROLLBACK_COMPLETE", ""),
			eventXML("B", "AWS::S3::Bucket", "CREATE_FAILED", "Resource creation cancelled"),
			eventXML("C", "AWS::S3::BucketPolicy", "CREATE_FAILED", "a later failure"),
		),
		eventsXML(
			"t2",
			eventXML("A", "AWS::IAM::Role", "CREATE_FAILED", "Invalid principal in policy"),
			eventXML("s", stack, "CREATE_IN_PROGRESS", "User Initiated"),
			eventXML("A", "AWS::IAM::Role", "CREATE_FAILED", "of an older operation"),
		),
	}
	for _, c := range []struct {
		name    string
		answers map[string][]string
		code    string
		message string
	}{
		{"a resource", map[string][]string{"DescribeStacks": {noStack, stackXML("ROLLBACK_COMPLETE", "")}, "DescribeStackEvents": events}, "ROLLBACK_COMPLETE", "A (AWS::IAM::Role) is CREATE_FAILED: Invalid principal in policy"},
		{"no events", map[string][]string{"DescribeStacks": {noStack, stackXML("ROLLBACK_FAILED", "<StackStatusReason>because</StackStatusReason>")}, "DescribeStackEvents": {eventsXML("")}}, "ROLLBACK_FAILED", "because"},
		{"events for ever", map[string][]string{"DescribeStacks": {noStack, stackXML("ROLLBACK_FAILED", "")}, "DescribeStackEvents": {eventsXML("t")}}, "ROLLBACK_FAILED", "The stack failed."},
		{"no events allowed", map[string][]string{"DescribeStacks": {noStack, stackXML("ROLLBACK_FAILED", "")}, "DescribeStackEvents": {"<ErrorResponse><Error><Code>AccessDenied</Code><Message>m</Message></Error></ErrorResponse>"}}, "ROLLBACK_FAILED", "The stack failed."},
		{"the change set", map[string][]string{"DescribeStacks": {noStack}, "DescribeChangeSet": {setXML("FAILED", "Requires capabilities")}}, "FAILED", "The change set could not be made: Requires capabilities"},
		{"the template", map[string][]string{"DescribeStacks": {noStack}, "CreateChangeSet": {"<ErrorResponse><Error><Code>InsufficientCapabilitiesException</Code><Message>m</Message></Error></ErrorResponse>"}}, "InsufficientCapabilitiesException", "m"},
		{"the caller", map[string][]string{"DescribeStacks": {"<ErrorResponse><Error><Code>AccessDenied</Code><Message>m</Message></Error></ErrorResponse>"}}, "AccessDenied", "m"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &formation{t: t, answers: map[string][]string{
					"CreateChangeSet": {changeSet}, "DescribeChangeSet": {setXML("CREATE_COMPLETE", "")}, "ExecuteChangeSet": {executed},
				}}
				for action, list := range c.answers {
					f.answers[action] = append([]string{}, list...)
				}
				_, err := f.client().Deploy(t.Context(), "s", "T", nil, nil)
				var e *fault.Error
				if !errors.As(err, &e) || e.Code != c.code || e.Message != c.message {
					t.Errorf("%v; want %s: %s", err, c.code, c.message)
				}
			})
		})
	}
}

func TestDeployGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		f := &formation{t: t, answers: map[string][]string{
			"DescribeStacks":  {noStack, stackXML("CREATE_IN_PROGRESS", "")},
			"CreateChangeSet": {changeSet}, "DescribeChangeSet": {setXML("CREATE_COMPLETE", "")}, "ExecuteChangeSet": {executed},
		}}
		if _, err := f.client().Deploy(ctx, "s", "T", nil, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}
