package attack

import (
	"strings"
	"testing"
)

// boundaryOf is the ARN of the managed policy that bounds what delegates make.
const boundaryOf = "arn:aws:iam::" + victim + ":policy/bound"

// TestEscalation: rights over IAM that are given on conditions give no more.
func TestEscalation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	admin := "PolicyDocument=" + document(allow("*", "*"))
	w.must(w.iam(w.victim, "CreatePolicy", "PolicyName=bound", "PolicyDocument="+document(allow("s3:*", "*"))))
	w.must(w.iam(w.victim, "CreatePolicy", "PolicyName=guarded", "PolicyDocument="+document(allow("s3:*", "*")), "Tags.member.1.Key=guard", "Tags.member.1.Value=on"))
	w.must(w.iam(w.victim, "CreateUser", "UserName=bounded", "PermissionsBoundary="+boundaryOf))
	w.must(w.iam(w.victim, "CreateUser", "UserName=free"))
	w.must(w.iam(w.victim, "CreateUser", "UserName=marked", "Tags.member.1.Key=protected", "Tags.member.1.Value="))
	w.role(w.victim, "strong", `{"AWS":"`+victim+`"}`, allow("*", "*"))
	w.must(w.iam(w.victim, "CreateGroup", "GroupName=admins"))
	w.must(w.iam(w.victim, "PutGroupPolicy", "GroupName=admins", "PolicyName=p", admin))

	// The delegate of the IAM User Guide, "Delegating responsibility to others
	// using permissions boundaries".
	within := `{"StringEquals":{"iam:PermissionsBoundary":"` + boundaryOf + `"}}`
	delegate := w.user("delegate",
		allow("iam:CreateUser,iam:PutUserPolicy,iam:DeleteUserPolicy,iam:AttachUserPolicy,iam:DetachUserPolicy,iam:PutUserPermissionsBoundary", "*", within),
		allow("iam:CreateAccessKey", "arn:aws:iam::"+victim+":user/bounded"))
	w.granted("a policy for a bounded user", w.iam(delegate, "PutUserPolicy", "UserName=bounded", "PolicyName=p", admin))
	w.granted("its removal", w.iam(delegate, "DeleteUserPolicy", "UserName=bounded", "PolicyName=p"))
	w.granted("a managed policy for it", w.iam(delegate, "AttachUserPolicy", "UserName=bounded", "PolicyArn="+boundaryOf))
	w.granted("and off it", w.iam(delegate, "DetachUserPolicy", "UserName=bounded", "PolicyArn="+boundaryOf))
	w.refused([]attempt{
		{"a policy for oneself", func() answer { return w.iam(delegate, "PutUserPolicy", "UserName=delegate", "PolicyName=x", admin) }, "AccessDenied"},
		{"a policy for a user without boundary", func() answer { return w.iam(delegate, "PutUserPolicy", "UserName=free", "PolicyName=x", admin) }, "AccessDenied"},
		{"a managed policy for a user without boundary", func() answer {
			return w.iam(delegate, "AttachUserPolicy", "UserName=free", "PolicyArn=arn:aws:iam::aws:policy/AdministratorAccess")
		}, "AccessDenied"},
		{"the boundary in a parameter that the action does not have", func() answer {
			return w.iam(delegate, "PutUserPolicy", "UserName=free", "PolicyName=x", admin, "PermissionsBoundary="+boundaryOf)
		}, "AccessDenied"},
		{"a user without boundary", func() answer { return w.iam(delegate, "CreateUser", "UserName=new") }, "AccessDenied"},
		{"a user with another boundary", func() answer {
			return w.iam(delegate, "CreateUser", "UserName=new", "PermissionsBoundary=arn:aws:iam::aws:policy/AdministratorAccess")
		}, "AccessDenied"},
		{"two boundaries", func() answer {
			return w.iam(delegate, "CreateUser", "UserName=new", "PermissionsBoundary=arn:aws:iam::aws:policy/AdministratorAccess", "PermissionsBoundary="+boundaryOf)
		}, "AccessDenied"},
		{"another boundary for a bounded user", func() answer {
			return w.iam(delegate, "PutUserPermissionsBoundary", "UserName=bounded", "PermissionsBoundary=arn:aws:iam::aws:policy/AdministratorAccess")
		}, "AccessDenied"},
		{"the boundary taken off", func() answer { return w.iam(delegate, "DeleteUserPermissionsBoundary", "UserName=bounded") }, "AccessDenied"},
		{"a key of another user", func() answer { return w.iam(delegate, "CreateAccessKey", "UserName=free") }, "AccessDenied"},
		{"a key of the root user", func() answer { return w.iam(delegate, "CreateAccessKey", "UserName=root") }, "AccessDenied"},
		{"the document of the boundary", func() answer {
			return w.iam(delegate, "CreatePolicyVersion", "PolicyArn="+boundaryOf, admin, "SetAsDefault=true")
		}, "AccessDenied"},
		{"a group of administrators", func() answer { return w.iam(delegate, "AddUserToGroup", "GroupName=admins", "UserName=delegate") }, "AccessDenied"},
		{"who may assume a strong role", func() answer {
			return w.iam(delegate, "UpdateAssumeRolePolicy", "RoleName=strong", "PolicyDocument="+document(`{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}`))
		}, "AccessDenied"},
		{"a strong role, without the right", func() answer {
			return w.sts(delegate, "AssumeRole", "RoleArn="+roleARN(victim, "strong"), "RoleSessionName=s1")
		}, "AccessDenied"},
	})

	// The same guarded from the other side: everything, but for what a Deny names.
	manager := w.user("manager", allow("iam:*", "*"),
		deny("iam:*", "*", `{"StringEquals":{"iam:PermissionsBoundary":"`+boundaryOf+`"}}`),
		deny("iam:*", "*", `{"Null":{"aws:ResourceTag/protected":"false"}}`),
		deny("iam:*", "*", `{"StringEquals":{"aws:ResourceTag/guard":"on"}}`),
		deny("iam:*", "*", `{"ArnLike":{"iam:PolicyARN":"arn:aws:iam::aws:policy/Admin*"}}`),
		deny("iam:*", "*", `{"ForAnyValue:StringEquals":{"aws:TagKeys":["team"]}}`),
		deny("iam:*", "arn:aws:iam::"+victim+":user/delegate"))
	w.granted("a user that no Deny is about", w.iam(manager, "TagUser", "UserName=free", "Tags.member.1.Key=a", "Tags.member.1.Value=b"))
	w.refused([]attempt{
		{"a bounded user's policy", func() answer { return w.iam(manager, "PutUserPolicy", "UserName=bounded", "PolicyName=x", admin) }, "AccessDenied"},
		{"a bounded user's boundary", func() answer { return w.iam(manager, "DeleteUserPermissionsBoundary", "UserName=bounded") }, "AccessDenied"},
		{"a user whose tag is empty", func() answer { return w.iam(manager, "CreateAccessKey", "UserName=marked") }, "AccessDenied"},
		{"the same in other case", func() answer { return w.iam(manager, "CreateAccessKey", "UserName=MARKED") }, "AccessDenied"},
		{"a tagged policy's document", func() answer {
			return w.iam(manager, "CreatePolicyVersion", "PolicyArn=arn:aws:iam::"+victim+":policy/guarded", admin, "SetAsDefault=true")
		}, "AccessDenied"},
		{"a tagged policy's default version", func() answer {
			return w.iam(manager, "SetDefaultPolicyVersion", "PolicyArn=arn:aws:iam::"+victim+":policy/guarded", "VersionId=v1")
		}, "AccessDenied"},
		{"a tagged policy", func() answer {
			return w.iam(manager, "DeletePolicy", "PolicyArn=arn:aws:iam::"+victim+":policy/guarded")
		}, "AccessDenied"},
		{"a managed policy that is withheld", func() answer {
			return w.iam(manager, "AttachUserPolicy", "UserName=free", "PolicyArn=arn:aws:iam::aws:policy/AdministratorAccess")
		}, "AccessDenied"},
		{"the same by an ARN in other case", func() answer {
			return w.iam(manager, "AttachUserPolicy", "UserName=free", "PolicyArn=arn:aws:iam::aws:policy/ADMINISTRATORACCESS")
		}, "AccessDenied NoSuchEntity"},
		{"the same with a second ARN", func() answer {
			return w.iam(manager, "AttachUserPolicy", "UserName=free", "PolicyArn=arn:aws:iam::aws:policy/AdministratorAccess", "PolicyArn=arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
		}, "AccessDenied"},
		{"a tag key that is withheld", func() answer {
			return w.iam(manager, "TagUser", "UserName=free", "Tags.member.1.Key=a", "Tags.member.1.Value=b", "Tags.member.2.Key=team", "Tags.member.2.Value=x")
		}, "AccessDenied"},
		{"the same written as another list", func() answer {
			return w.iam(manager, "TagUser", "UserName=free", "Tags.member.1.Key=a", "Tags.member.1.Value=b", "Tags.2.Key=team", "Tags.2.Value=x")
		}, "AccessDenied"},
		{"a user that is withheld, in other case", func() answer { return w.iam(manager, "CreateAccessKey", "UserName=DELEGATE") }, "AccessDenied"},
		{"one's own name for it", func() answer { return w.iam(manager, "UpdateUser", "UserName=free", "NewUserName=delegate") }, "AccessDenied"},
		{"it, renamed", func() answer { return w.iam(manager, "UpdateUser", "UserName=delegate", "NewUserName=other") }, "AccessDenied"},
	})

	// Names in policies are literal, and so is what stands for a variable.
	star := w.user("me", allow("iam:CreateAccessKey,iam:GetUser", "arn:aws:iam::"+victim+":user/${aws:username}"),
		allow("iam:TagUser", "arn:aws:iam::"+victim+":user/me"), allow("s3:GetObject", "arn:aws:s3:::home/${aws:username}/*"))
	w.granted("one's own", w.iam(star, "GetUser"))
	w.refused([]attempt{
		{"a user called *", func() answer { return w.iam(w.victim, "CreateUser", "UserName=*") }, "ValidationError"},
		{"a user called ${aws:username}", func() answer { return w.iam(w.victim, "CreateUser", "UserName=${aws:username}") }, "ValidationError"},
		{"a session called *", func() answer {
			return w.sts(w.victim, "AssumeRole", "RoleArn="+roleARN(victim, "strong"), "RoleSessionName=**")
		}, "ValidationError"},
		{"somebody else's key", func() answer { return w.iam(star, "CreateAccessKey", "UserName=free") }, "AccessDenied"},
		{"a star for a name", func() answer { return w.iam(star, "CreateAccessKey", "UserName=*") }, "ValidationError AccessDenied"},
		{"a path in the name", func() answer { return w.iam(star, "CreateAccessKey", "UserName=me/../free") }, "ValidationError AccessDenied"},
		{"a tag with a wildcard", func() answer {
			return w.iam(star, "TagUser", "UserName=me", "Tags.member.1.Key=home", "Tags.member.1.Value=*")
		}, "ValidationError"},
	})
	// Actions count in any case, in the request as in the policy.
	lower := w.user("lower", allow("iam:*", "*"), deny("IAM:createACCESSkey", "*"))
	w.refused([]attempt{
		{"an action denied in other case", func() answer { return w.iam(lower, "CreateAccessKey", "UserName=lower") }, "AccessDenied"},
		{"asked for in other case", func() answer { return w.iam(lower, "createaccesskey", "UserName=lower") }, "InvalidAction"},
		{"two actions", func() answer {
			return w.do(queryRequest(lower, "iam", "CreateAccessKey", "Action=GetUser", "UserName=lower"))
		}, "AccessDenied"},
		{"one in the URL, another in the body", func() answer {
			r := queryRequest(lower, "iam", "CreateAccessKey", "UserName=lower")
			r.path = "/?Action=GetUser&Version=2010-05-08&UserName=lower"
			return w.do(r)
		}, "AccessDenied"},
	})
}

// TestTemporaryKeysStayTemporary: a session that GetSessionToken gave cannot
// make itself lasting keys.
func TestTemporaryKeysStayTemporary(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	alice := w.user("alice", allow("iam:*", "*"), allow("sts:*", "*"))
	w.role(w.victim, "r", `{"AWS":"`+victim+`"}`)
	s := session(w.must(w.sts(alice, "GetSessionToken")))
	root := session(w.must(w.sts(w.victim, "GetSessionToken")))
	w.granted("who it is", w.sts(s, "GetCallerIdentity"))
	w.granted("a role", w.sts(s, "AssumeRole", "RoleArn="+roleARN(victim, "r"), "RoleSessionName=s1"))
	w.refused([]attempt{
		{"a key", func() answer { return w.iam(s, "CreateAccessKey", "UserName=alice") }, "InvalidClientTokenId"},
		{"a look", func() answer { return w.iam(s, "ListUsers") }, "InvalidClientTokenId"},
		{"the root user's", func() answer { return w.iam(root, "CreateAccessKey", "UserName=alice") }, "InvalidClientTokenId"},
		{"another session", func() answer { return w.sts(s, "GetSessionToken") }, "AccessDenied"},
	})
}

// TestPassingRoles: a role is handed to a service by who may pass it to that
// service, and nobody hands on another account's.
func TestPassingRoles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	for _, name := range []string{"src", "dst"} {
		w.must(w.s3(w.victim, "PUT", "/"+name+"-vault", ""))
		w.must(w.s3(w.victim, "PUT", "/"+name+"-vault?versioning", "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"))
	}
	services := `{"Service":["s3.amazonaws.com","batchoperations.s3.amazonaws.com","cloudformation.amazonaws.com"]}`
	w.role(w.victim, "plain", services)
	w.role(w.victim, "strong", services, allow("*", "*"))
	w.must(w.iam(w.victim, "TagRole", "RoleName=strong", "Tags.member.1.Key=strong", "Tags.member.1.Value=yes"))
	w.role(w.stray, "foreign", services, allow("*", "*"))
	const all = "s3:*,cloudformation:*"
	as := func(name string, condition ...string) (replication, job, stack func(role string) func() answer) {
		cred := w.user(name, allow(all, "*"), allow("iam:PassRole", "*", condition...))
		if len(condition) > 0 && strings.Contains(condition[0], "!") {
			t.Fatal("a condition that is none")
		}
		replication = func(role string) func() answer {
			return func() answer {
				return w.s3(cred, "PUT", "/src-vault?replication", "<ReplicationConfiguration><Role>"+role+"</Role><Rule><Status>Enabled</Status><Priority>1</Priority><Filter/><DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication><Destination><Bucket>arn:aws:s3:::dst-vault</Bucket></Destination></Rule></ReplicationConfiguration>")
			}
		}
		job = func(role string) func() answer {
			return func() answer { return w.control(cred, victim, "POST", "", createJob("src-vault", role, name+role)) }
		}
		stack = func(role string) func() answer {
			return func() answer {
				return w.cfn(cred, "CreateStack", "StackName="+name, "RoleARN="+role, "TemplateBody=Resources: {R: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: "+document(`{"Effect":"Allow","Principal":{"AWS":"`+victim+`"},"Action":"sts:AssumeRole"}`)+"}}}", "Capabilities.member.1=CAPABILITY_IAM")
			}
		}
		return replication, job, stack
	}
	plain, strong, foreign := roleARN(victim, "plain"), roleARN(victim, "strong"), roleARN(attacker, "foreign")

	replication, job, stack := as("anything")
	w.granted("a replication's role", replication(plain)())
	w.granted("a job's role", job(plain)())
	w.granted("a stack's role", stack(strong)())
	w.refused([]attempt{
		{"another account's role for replication", replication(foreign), "AccessDenied"},
		{"another account's role for a job", job(foreign), "AccessDenied"},
		{"another account's role for a stack", stack(foreign), "AccessDenied AlreadyExistsException"},
	})
	replication, job, stack = as("to-replication", `{"StringEquals":{"iam:PassedToService":"s3.amazonaws.com"}}`)
	w.granted("to S3", replication(plain)())
	w.refused([]attempt{
		{"to S3 only: a job's role", job(plain), "AccessDenied"},
		{"to S3 only: a stack's role", stack(plain), "AccessDenied"},
	})
	replication, job, stack = as("to-jobs", `{"StringEquals":{"iam:PassedToService":"batchoperations.s3.amazonaws.com"}}`)
	w.refused([]attempt{
		{"to jobs only: a job's role, of whose service AWS does not tell", job(plain), "AccessDenied"},
		{"to jobs only: a replication's role", replication(plain), "AccessDenied"},
		{"to jobs only: a stack's role", stack(plain), "AccessDenied"},
	})
	replication, job, stack = as("to-stacks", `{"StringLike":{"iam:PassedToService":"cloudformation.*"}}`)
	w.granted("to stacks", stack(plain)())
	w.refused([]attempt{
		{"to stacks only: a replication's role", replication(plain), "AccessDenied"},
		{"to stacks only: a job's role", job(plain), "AccessDenied"},
	})
	replication, job, stack = as("no-strong", `{"Null":{"iam:ResourceTag/strong":"true"}}`)
	w.granted("a role without the tag", replication(plain)())
	w.refused([]attempt{
		{"a tagged role for replication", replication(strong), "AccessDenied"},
		{"a tagged role for a job", job(strong), "AccessDenied"},
		{"a tagged role for a stack", stack(strong), "AccessDenied"},
	})
	nothing := w.user("nothing", allow(all, "*"))
	w.refused([]attempt{
		{"a job without PassRole", func() answer { return w.control(nothing, victim, "POST", "", createJob("src-vault", plain, "nothing")) }, "AccessDenied"},
		{"a template's replication without PassRole", func() answer {
			w.must(w.cfn(nothing, "CreateStack", "StackName=bucket", `TemplateBody={"Resources":{"B":{"Type":"AWS::S3::Bucket","Properties":{"VersioningConfiguration":{"Status":"Enabled"},"ReplicationConfiguration":{"Role":"`+strong+`","Rules":[{"Status":"Enabled","Prefix":"","Destination":{"Bucket":"arn:aws:s3:::dst-vault"}}]}}}}}`))
			a := w.cfn(nothing, "DescribeStackEvents", "StackName=bucket")
			if strings.Contains(a.body, "is not authorized to perform: iam:PassRole") {
				return answer{status: 403, body: "<Code>AccessDenied</Code>"}
			}
			return a
		}, "AccessDenied"},
	})
}

// createJob is the body of CreateJob.
func createJob(source, role, token string) string {
	return `<CreateJobRequest xmlns="http://awss3control.amazonaws.com/doc/2018-08-20/"><ConfirmationRequired>true</ConfirmationRequired><Operation><S3ReplicateObject/></Operation>` +
		`<Report><Enabled>false</Enabled></Report><ClientRequestToken>` + strings.NewReplacer(":", "-", "/", "-").Replace(token) + `</ClientRequestToken><Priority>1</Priority><RoleArn>` + role + `</RoleArn>` +
		`<ManifestGenerator><S3JobManifestGenerator><SourceBucket>arn:aws:s3:::` + source + `</SourceBucket><EnableManifestOutput>false</EnableManifestOutput><Filter><EligibleForReplication>true</EligibleForReplication></Filter></S3JobManifestGenerator></ManifestGenerator></CreateJobRequest>`
}
