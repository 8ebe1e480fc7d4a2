package attack

import (
	"net/http"
	"strings"
	"testing"

	"twinbucket/internal/sigv4"
	"twinbucket/internal/testenv"
)

// plain makes a request without a signature.
func (w *world) plain(in request) *http.Request {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), in.method, "http://"+w.addr+in.path, strings.NewReader(in.body))
	if err != nil {
		w.Fatal(err)
	}
	return r
}

// replicated waits until an object is no longer PENDING and returns its
// replication status.
func (w *world) replicated(cred sigv4.Credentials, path string) string {
	w.Helper()
	return testenv.Wait(w.T, func() (string, bool) {
		s := w.must(w.s3(cred, "HEAD", path, "")).header.Get("X-Amz-Replication-Status")
		return s, s != "PENDING"
	})
}

// ended waits until a job has failed, or waits for its user, and returns its
// failure as a refusal.
func (w *world) ended(cred sigv4.Credentials, account, id string) answer {
	w.Helper()
	return testenv.Wait(w.T, func() (answer, bool) {
		d := w.must(w.control(cred, account, "GET", "/"+id, ""))
		switch d.text("Status") {
		case "Failed":
			return answer{status: http.StatusForbidden, body: "<Code>" + d.text("FailureCode") + "</Code>"}, true
		case "Suspended", "Complete":
			return answer{status: http.StatusOK}, true
		}
		return answer{}, false
	})
}

// replication is a configuration with one rule; account is the destination's,
// or "".
func replication(role, destination, account string) string {
	if account != "" {
		account = "<Account>" + account + "</Account>"
	}
	return "<ReplicationConfiguration><Role>" + role + "</Role><Rule><Status>Enabled</Status><Priority>1</Priority><Filter/>" +
		"<DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication><Destination><Bucket>arn:aws:s3:::" + destination + "</Bucket>" + account + "</Destination></Rule></ReplicationConfiguration>"
}

// TestDeputies: services do nothing for one account that only another may
// have done.
func TestDeputies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	make := func(root sigv4.Credentials, name string) {
		w.must(w.s3(root, "PUT", "/"+name, ""))
		w.must(w.s3(root, "PUT", "/"+name+"?versioning", versioned))
	}
	make(w.victim, "src-vault")
	make(w.victim, "dst-vault")
	trust := func(name, service, condition string) {
		w.must(w.iam(w.victim, "CreateRole", "RoleName="+name, "AssumeRolePolicyDocument="+document(`{"Effect":"Allow","Principal":{"Service":"`+service+`"},"Action":"sts:AssumeRole","Condition":`+condition+`}`)))
		w.must(w.iam(w.victim, "PutRolePolicy", "RoleName="+name, "PolicyName=p", "PolicyDocument="+document(allow("s3:*", "*"))))
	}
	// Trust policies ask for whom a service comes.
	trust("jobs-mine", "batchoperations.s3.amazonaws.com", `{"StringEquals":{"aws:SourceAccount":"`+victim+`"},"ArnLike":{"aws:SourceArn":"arn:aws:s3:`+region+`:`+victim+`:job/*"}}`)
	trust("jobs-theirs", "batchoperations.s3.amazonaws.com", `{"StringEquals":{"aws:SourceAccount":"`+attacker+`"}}`)
	trust("repl-mine", "s3.amazonaws.com", `{"StringEquals":{"aws:SourceAccount":"`+victim+`"},"ArnEquals":{"aws:SourceArn":"arn:aws:s3:::src-vault"}}`)
	trust("repl-theirs", "s3.amazonaws.com", `{"ArnEquals":{"aws:SourceArn":"arn:aws:s3:::dst-vault"}}`)
	trust("stacks-theirs", "cloudformation.amazonaws.com", `{"StringEquals":{"aws:SourceAccount":"`+attacker+`"}}`)
	for role, want := range map[string]string{"repl-mine": "COMPLETED", "repl-theirs": "FAILED", "jobs-mine": "FAILED"} {
		w.must(w.s3(w.victim, "PUT", "/src-vault?replication", replication(roleARN(victim, role), "dst-vault", "")))
		w.must(w.s3(w.victim, "PUT", "/src-vault/"+role, "x"))
		if got := w.replicated(w.victim, "/src-vault/"+role); got != want {
			t.Errorf("replication by role %s: %s, want %s", role, got, want)
		}
	}
	w.must(w.s3(w.victim, "PUT", "/src-vault?replication", replication(roleARN(victim, "repl-mine"), "dst-vault", "")))
	job := func(role string) func() answer {
		return func() answer {
			a := w.must(w.control(w.victim, victim, "POST", "", createJob("src-vault", roleARN(victim, role), role)))
			return w.ended(w.victim, victim, a.text("JobId"))
		}
	}
	w.granted("a job by its role", job("jobs-mine")())
	w.refused([]attempt{
		{"a job by a role for another account's", job("jobs-theirs"), "AssumeRoleNotPermitted"},
		{"a job by a role for replication", job("repl-mine"), "AssumeRoleNotPermitted"},
		{"a stack by a role for another account's", func() answer {
			return w.cfn(w.victim, "CreateStack", "StackName=s", "RoleARN="+roleARN(victim, "stacks-theirs"), "TemplateBody=Resources: {B: {Type: AWS::S3::Bucket}}")
		}, "ValidationError"},
	})

	// Another account that may set up replication gets no role of the bucket's,
	// and its own role is asked as it would be itself.
	w.must(w.s3(w.victim, "PUT", "/src-vault?policy", document(`{"Effect":"Allow","Principal":{"AWS":"`+attacker+`"},"Action":"s3:PutReplicationConfiguration","Resource":"arn:aws:s3:::src-vault"}`)))
	make(w.stray, "loot")
	w.role(w.stray, "repl", `{"Service":"s3.amazonaws.com"}`, allow("s3:*", "*"))
	w.refused([]attempt{
		{"the victim's role", func() answer {
			return w.s3(w.stray, "PUT", "/src-vault?replication", replication(roleARN(victim, "repl-mine"), "loot", ""))
		}, "AccessDenied"},
		{"the attacker's role carries nothing", func() answer {
			if a := w.s3(w.stray, "PUT", "/src-vault?replication", replication(roleARN(attacker, "repl"), "loot", "")); a.status >= 300 {
				return a
			}
			w.must(w.s3(w.victim, "PUT", "/src-vault/taken", "x"))
			if got := w.replicated(w.victim, "/src-vault/taken"); got != "FAILED" {
				t.Errorf("replication by the attacker's role: %s", got)
			}
			return w.s3(w.stray, "GET", "/loot/taken", "")
		}, "NoSuchKey AccessDenied"},
	})

	// The destination falls into other hands, which would take everything.
	for _, named := range []string{victim, ""} {
		make(w.victim, "gone")
		w.must(w.s3(w.victim, "PUT", "/src-vault?replication", replication(roleARN(victim, "repl-mine"), "gone", named)))
		w.must(w.s3(w.victim, "DELETE", "/gone", ""))
		make(w.stray, "gone")
		open := document(`{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::gone","arn:aws:s3:::gone/*"]}`)
		if named == "" { // without an account in the rule the bucket's policy decides, as on AWS
			open = document(`{"Effect":"Allow","Principal":{"AWS":"` + attacker + `"},"Action":"s3:*","Resource":["arn:aws:s3:::gone","arn:aws:s3:::gone/*"]}`)
		}
		w.must(w.s3(w.stray, "PUT", "/gone?policy", open))
		w.must(w.s3(w.victim, "PUT", "/src-vault/for-"+named, "x"))
		if got := w.replicated(w.victim, "/src-vault/for-"+named); got != "FAILED" {
			t.Errorf("replication to a bucket in other hands, account %q: %s", named, got)
		}
		w.must(w.s3(w.stray, "DELETE", "/gone", ""))
	}

	// A role made anew by somebody weaker has what that one gave it.
	make(w.victim, "plain")
	w.role(w.victim, "swapped", `{"Service":"s3.amazonaws.com"}`, allow("s3:*", "*"))
	w.must(w.s3(w.victim, "PUT", "/plain?replication", replication(roleARN(victim, "swapped"), "dst-vault", "")))
	w.must(w.iam(w.victim, "DeleteRolePolicy", "RoleName=swapped", "PolicyName=p"))
	w.must(w.iam(w.victim, "DeleteRole", "RoleName=swapped"))
	w.role(w.victim, "swapped", `{"Service":"s3.amazonaws.com"}`, allow("s3:GetObject", "*"))
	w.must(w.s3(w.victim, "PUT", "/plain/k", "x"))
	if got := w.replicated(w.victim, "/plain/k"); got != "FAILED" {
		t.Errorf("replication by a role made anew: %s", got)
	}
}

// TestStacksActAsTheirCaller: a stack does nothing that its caller may not.
func TestStacksActAsTheirCaller(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.must(w.s3(w.victim, "PUT", "/vault", ""))
	pat := w.user("pat", allow("cloudformation:*", "*"), allow("s3:CreateBucket,s3:DeleteBucket", "*"))
	events := func(name, template string) func() answer {
		return func() answer {
			if a := w.cfn(pat, "CreateStack", "StackName="+name, "Capabilities.member.1=CAPABILITY_NAMED_IAM", "TemplateBody="+template); a.status >= 300 {
				return a
			}
			s := testenv.Wait(t, func() (string, bool) {
				s := w.must(w.cfn(w.victim, "DescribeStacks", "StackName="+name)).text("StackStatus")
				return s, !strings.HasSuffix(s, "_IN_PROGRESS")
			})
			if s == "CREATE_COMPLETE" {
				return answer{status: http.StatusOK}
			}
			return answer{status: http.StatusForbidden, body: "<Code>" + s + "</Code>"}
		}
	}
	w.granted("a bucket", events("plain", "Resources: {B: {Type: AWS::S3::Bucket, Properties: {BucketName: of-pat}}}")())
	role := `Resources: {R: {Type: AWS::IAM::Role, Properties: {RoleName: evil, AssumeRolePolicyDocument: ` + document(`{"Effect":"Allow","Principal":{"AWS":"`+attacker+`"},"Action":"sts:AssumeRole"}`) + `}}}`
	policy := `Resources: {P: {Type: AWS::S3::BucketPolicy, Properties: {Bucket: vault, PolicyDocument: ` + document(`{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::vault/*"}`) + `}}}`
	w.refused([]attempt{
		{"a role", events("role", role), "ROLLBACK_COMPLETE"},
		{"a bucket's policy", events("policy", policy), "ROLLBACK_COMPLETE"},
		{"a public access block", events("block", `Resources: {B: {Type: AWS::S3::Bucket, Properties: {BucketName: open, PublicAccessBlockConfiguration: {BlockPublicAcls: false}}}}`), "ROLLBACK_COMPLETE"},
		{"a user with a key", events("user", `Resources: {U: {Type: AWS::IAM::User, Properties: {UserName: evil}}, K: {Type: AWS::IAM::AccessKey, Properties: {UserName: !Ref U}}}`), "ROLLBACK_COMPLETE"},
		{"a policy for oneself", events("own", `Resources: {P: {Type: AWS::IAM::Policy, Properties: {PolicyName: evil, Users: [pat], PolicyDocument: `+document(allow("*", "*"))+`}}}`), "ROLLBACK_COMPLETE"},
		{"no role was made", func() answer { return w.iam(w.victim, "GetRole", "RoleName=evil") }, "NoSuchEntity"},
		{"no user was made", func() answer { return w.iam(w.victim, "GetUser", "UserName=evil") }, "NoSuchEntity"},
		{"no policy was put", func() answer { return w.s3(w.victim, "GET", "/vault?policy", "") }, "NoSuchBucketPolicy"},
	})

	// A change set is executed with the rights of who executes it.
	w.must(w.cfn(w.victim, "CreateChangeSet", "StackName=set", "ChangeSetName=set", "ChangeSetType=CREATE", "Capabilities.member.1=CAPABILITY_NAMED_IAM", "TemplateBody="+role))
	w.must(w.cfn(pat, "ExecuteChangeSet", "StackName=set", "ChangeSetName=set"))
	if s := testenv.Wait(t, func() (string, bool) {
		s := w.must(w.cfn(w.victim, "DescribeStacks", "StackName=set")).text("StackStatus")
		return s, !strings.HasSuffix(s, "_IN_PROGRESS")
	}); s != "ROLLBACK_COMPLETE" {
		t.Errorf("a change set executed by who may not make a role: %s", s)
	}

	// A bucket with a public policy that lets its own account in only is closed
	// for the stacks of others, too: one of them holds the name of a bucket that
	// is another's by now.
	stray := w.must(w.cfn(w.stray, "CreateStack", "StackName=s", "TemplateBody=Resources: {B: {Type: AWS::S3::Bucket, Properties: {BucketName: moved}}}")).text("StackId")
	w.must(w.s3(w.stray, "DELETE", "/moved", ""))
	w.must(w.s3(w.victim, "PUT", "/moved", ""))
	w.must(w.s3(w.victim, "PUT", "/moved?policy", document(`{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::moved","arn:aws:s3:::moved/*"]}`)))
	w.must(w.s3(w.victim, "PUT", "/moved?publicAccessBlock", "<PublicAccessBlockConfiguration><RestrictPublicBuckets>true</RestrictPublicBuckets></PublicAccessBlockConfiguration>"))
	w.must(w.cfn(w.stray, "UpdateStack", "StackName="+stray, "TemplateBody=Resources: {B: {Type: AWS::S3::Bucket, Properties: {BucketName: moved, VersioningConfiguration: {Status: Enabled}}}}"))
	w.must(w.cfn(w.stray, "DeleteStack", "StackName="+stray))
	if a := w.s3(w.victim, "HEAD", "/moved", ""); a.status != http.StatusOK {
		t.Errorf("a stack deleted another account's bucket: %d", a.status)
	}
	if a := w.must(w.s3(w.victim, "GET", "/moved?versioning", "")); strings.Contains(a.body, "Enabled") {
		t.Errorf("a stack changed another account's bucket: %s", a.body)
	}
}
