package attack

import (
	"crypto/md5"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"twinbucket/internal/testenv"
)

// TestCopiesAndLists: an operation on many things, or on one through another,
// asks for each of them.
func TestCopiesAndLists(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.must(w.s3(w.victim, "PUT", "/vault", ""))
	w.must(w.s3(w.victim, "PUT", "/vault?versioning", versioned))
	old := w.must(w.s3(w.victim, "PUT", "/vault/in/k", "old secret")).header.Get("X-Amz-Version-Id")
	w.must(w.s3(w.victim, "PUT", "/vault/in/k", "new"))
	w.must(w.s3(w.victim, "PUT", "/vault/in/tagged", "x", "x-amz-tagging: a=b"))
	w.must(w.s3(w.victim, "PUT", "/vault/out/k", "x"))
	pat := w.user("pat", allow("s3:GetObject,s3:PutObject,s3:PutObjectTagging,s3:DeleteObject", "arn:aws:s3:::vault/in/*"))
	s3 := func(method, path string, headers ...string) func() answer {
		return func() answer { return w.s3(pat, method, path, "", headers...) }
	}
	part := func(source string) func() answer {
		u := w.must(w.s3(pat, "POST", "/vault/in/up?uploads", "")).text("UploadId")
		return s3("PUT", "/vault/in/up?partNumber=1&uploadId="+u, "x-amz-copy-source: "+source)
	}
	w.granted("a copy", s3("PUT", "/vault/in/copy", "x-amz-copy-source: /vault/in/k")())
	w.granted("a copy without the tags", s3("PUT", "/vault/in/copy", "x-amz-copy-source: /vault/in/tagged", "x-amz-tagging-directive: REPLACE")())
	w.refused([]attempt{
		{"an old version", s3("GET", "/vault/in/k?versionId="+old), "AccessDenied"},
		{"a copy of it", s3("PUT", "/vault/in/copy", "x-amz-copy-source: /vault/in/k?versionId="+old), "AccessDenied"},
		{"a part of it", part("/vault/in/k?versionId=" + old), "AccessDenied"},
		{"a copy of what is out of reach", s3("PUT", "/vault/in/copy", "x-amz-copy-source: /vault/out/k"), "AccessDenied"},
		{"the same by a path", s3("PUT", "/vault/in/copy", "x-amz-copy-source: /vault/in/../out/k"), "AccessDenied NoSuchKey"},
		{"the same encoded", s3("PUT", "/vault/in/copy", "x-amz-copy-source: %2Fvault%2Fout%2Fk"), "AccessDenied"},
		{"a part of what is out of reach", part("vault/out/k"), "AccessDenied"},
		{"tags that may not be read", s3("PUT", "/vault/in/copy", "x-amz-copy-source: /vault/in/tagged"), "AccessDenied"},
		{"a copy out of reach", s3("PUT", "/vault/out/copy", "x-amz-copy-source: /vault/in/k"), "AccessDenied"},
		{"an ACL with a write", s3("PUT", "/vault/in/k", "x-amz-acl: public-read"), "AccessControlListNotSupported AccessDenied"},
		{"a lock with a write", s3("PUT", "/vault/in/k", "x-amz-object-lock-legal-hold: ON"), "InvalidRequest AccessDenied"},
		{"somebody else's upload", func() answer {
			u := w.must(w.s3(w.victim, "POST", "/vault/in/theirs?uploads", "")).text("UploadId")
			return w.s3(pat, "DELETE", "/vault/in/theirs?uploadId="+u, "")
		}, "AccessDenied"},
		{"its parts", func() answer {
			u := w.must(w.s3(w.victim, "POST", "/vault/in/theirs?uploads", "")).text("UploadId")
			return w.s3(pat, "GET", "/vault/in/theirs?uploadId="+u, "")
		}, "AccessDenied"},
		{"all buckets", s3("GET", "/"), "AccessDenied"},
		{"a version's end", s3("DELETE", "/vault/in/k?versionId="+old), "AccessDenied"},
	})
	body := "<Delete><Object><Key>in/copy</Key></Object><Object><Key>out/k</Key></Object><Object><Key>in/k</Key><VersionId>" + old + "</VersionId></Object></Delete>"
	sum := md5.Sum([]byte(body))
	a := w.must(w.s3(pat, "POST", "/vault?delete", body, "Content-MD5: "+base64.StdEncoding.EncodeToString(sum[:])))
	if strings.Count(a.body, "<Code>AccessDenied</Code>") != 2 || strings.Count(a.body, "<Deleted>") != 1 {
		t.Errorf("deleting many: %s", a.body)
	}
	w.granted("what was not to be deleted", w.s3(w.victim, "GET", "/vault/out/k", ""))
	w.granted("nor that version", w.s3(w.victim, "GET", "/vault/in/k?versionId="+old, ""))
}

// TestReports: a job writes where its role may, and nowhere else.
func TestReports(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.must(w.s3(w.victim, "PUT", "/vault", ""))
	for _, name := range []string{"loot", "mirror"} {
		w.must(w.s3(w.stray, "PUT", "/"+name, ""))
		w.must(w.s3(w.stray, "PUT", "/"+name+"?versioning", versioned))
	}
	w.role(w.stray, "both", `{"Service":["s3.amazonaws.com","batchoperations.s3.amazonaws.com"]}`, allow("s3:*", "*"))
	w.must(w.s3(w.stray, "PUT", "/loot/k", "x"))
	w.must(w.s3(w.stray, "PUT", "/loot?replication", replication(roleARN(attacker, "both"), "mirror", "")))
	run := func(token, bucket, owner string) func() answer {
		return func() answer {
			report := "<Report><Bucket>arn:aws:s3:::" + bucket + "</Bucket><Enabled>true</Enabled><Format>Report_CSV_20180820</Format><ReportScope>AllTasks</ReportScope>" + owner + "</Report>"
			body := strings.Replace(createJob("loot", roleARN(attacker, "both"), token), "<Report><Enabled>false</Enabled></Report>", report, 1)
			body = strings.Replace(body, "<ConfirmationRequired>true<", "<ConfirmationRequired>false<", 1)
			a := w.must(w.control(w.stray, attacker, "POST", "", body))
			return testenv.Wait(t, func() (answer, bool) {
				d := w.must(w.control(w.stray, attacker, "GET", "/"+a.text("JobId"), ""))
				switch d.text("Status") {
				case "Failed":
					return answer{status: http.StatusForbidden, body: "<Code>" + d.text("FailureCode") + "</Code>"}, true
				case "Complete":
					return answer{status: http.StatusOK}, true
				}
				return answer{}, false
			})
		}
	}
	w.granted("one's own bucket", run("own", "loot", "")())
	w.refused([]attempt{
		{"another account's bucket", run("other", "vault", ""), "ReportWriteNotPermitted"},
		{"a bucket of another account than expected", run("expected", "loot", "<ExpectedBucketOwner>"+victim+"</ExpectedBucketOwner>"), "ReportWriteNotPermitted BadRequestException"},
	})
	if a := w.must(w.s3(w.victim, "GET", "/vault?list-type=2", "")); !strings.Contains(a.body, "<KeyCount>0</KeyCount>") {
		t.Errorf("the victim's bucket: %s", a.body)
	}
}

// TestStacksByAnyName: what a policy denies of a stack is denied however the
// stack is named.
func TestStacksByAnyName(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	const template = "Resources: {B: {Type: AWS::S3::Bucket, Properties: {BucketName: of-secret}}}"
	id := w.must(w.cfn(w.victim, "CreateStack", "StackName=secret", "TemplateBody="+template)).text("StackId")
	set := w.must(w.cfn(w.victim, "CreateChangeSet", "StackName=secret", "ChangeSetName=set", "TemplateBody="+strings.Replace(template, "of-secret", "of-another", 1))).text("Id")
	pat := w.user("pat", allow("cloudformation:*,s3:*", "*"), deny("cloudformation:*", "arn:aws:cloudformation:"+region+":"+victim+":stack/secret/*"))
	cfn := func(action string, params ...string) func() answer {
		return func() answer { return w.cfn(pat, action, params...) }
	}
	w.granted("another stack", w.cfn(pat, "CreateStack", "StackName=open", "TemplateBody="+strings.Replace(template, "of-secret", "of-open", 1)))
	w.refused([]attempt{
		{"by name", cfn("DescribeStacks", "StackName=secret"), "AccessDenied"},
		{"by ARN", cfn("DescribeStacks", "StackName="+id), "AccessDenied"},
		{"by a changed ARN", cfn("DescribeStacks", "StackName="+strings.Replace(id, "secret", "secre%74", 1)), "AccessDenied ValidationError"},
		{"by an ARN in other case", cfn("GetTemplate", "StackName="+strings.Replace(id, "arn:aws", "arn:AWS", 1)), "AccessDenied ValidationError"},
		{"by a prefix of its key", cfn("GetTemplate", "StackName=secret/"+id[strings.LastIndexByte(id, '/')+1:]), "AccessDenied ValidationError"},
		{"by its resource", cfn("DescribeStackResources", "PhysicalResourceId=of-secret"), "AccessDenied"},
		{"by a change set", cfn("DescribeChangeSet", "ChangeSetName="+set), "AccessDenied"},
		{"a change set under another stack", cfn("ExecuteChangeSet", "ChangeSetName="+set, "StackName=open"), "ChangeSetNotFound"},
		{"a change set's execution", cfn("ExecuteChangeSet", "ChangeSetName="+set), "AccessDenied"},
		{"a template of a change set", cfn("GetTemplate", "ChangeSetName="+set), "AccessDenied"},
		{"a new one of that name", cfn("CreateStack", "StackName=secret", "TemplateBody="+template), "AccessDenied"},
		{"its end", cfn("DeleteStack", "StackName=secret"), "AccessDenied"},
		{"its update with two names", cfn("UpdateStack", "StackName=secret", "StackName=open", "TemplateBody="+template), "AccessDenied"},
	})
}
