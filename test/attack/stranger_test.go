package attack

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"twinbucket/bucket"
	"twinbucket/internal/sigv4"
)

// ids are what differs between any two answers.
var ids = regexp.MustCompile(`<(RequestId|HostId)>[^<]*</(RequestId|HostId)>|x-amz-(request-id|id-2)`)

// alike tells whether two refusals teach the same: a name apart, they do not
// tell whether the thing is there.
func (w *world) alike(name string, there, notThere func(thing string) answer, things [2]string) {
	w.Helper()
	see := func(a answer, thing string) string {
		text := fmt.Sprint(a.status) + ids.ReplaceAllString(a.body, "") + a.header.Get("X-Twinbucket-Hint")
		return strings.ReplaceAll(text, thing, "THING")
	}
	a, b := there(things[0]), notThere(things[1])
	if a.status < 300 || b.status < 300 {
		w.Errorf("%s: %d and %d, want refusals", name, a.status, b.status)
	}
	if x, y := see(a, things[0]), see(b, things[1]); x != y {
		w.Errorf("%s tells whether it is there:\n%s\n%s", name, brief(x), brief(y))
	}
}

// TestStrangers: what belongs to another account is out of reach, and it is
// not told whether it exists.
func TestStrangers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	for _, name := range []string{"src", "dst"} {
		w.must(w.s3(w.victim, "PUT", "/"+name+"-vault", ""))
		w.must(w.s3(w.victim, "PUT", "/"+name+"-vault?versioning", versioned))
	}
	w.must(w.s3(w.victim, "PUT", "/src-vault/real", "secret", "x-amz-tagging: a=b"))
	w.role(w.victim, "real", `{"Service":["s3.amazonaws.com","batchoperations.s3.amazonaws.com"]}`, allow("s3:*", "*"))
	w.must(w.iam(w.victim, "CreateUser", "UserName=real"))
	key := w.key(w.victim, "real")
	w.must(w.iam(w.victim, "CreatePolicy", "PolicyName=real", "PolicyDocument="+document(allow("*", "*"))))
	id := w.must(w.control(w.victim, victim, "POST", "", createJob("src-vault", roleARN(victim, "real"), "t"))).text("JobId")
	stack := w.must(w.cfn(w.victim, "CreateStack", "StackName=real", "TemplateBody=Resources: {B: {Type: AWS::S3::Bucket, Properties: {BucketName: of-a-stack}}}")).text("StackId")
	set := w.must(w.cfn(w.victim, "CreateChangeSet", "StackName=real", "ChangeSetName=real", "TemplateBody=Resources: {B: {Type: AWS::S3::Bucket, Properties: {BucketName: of-a-stack, VersioningConfiguration: {Status: Enabled}}}}")).text("Id")
	open := func(action string, params ...string) func() answer {
		return func() answer { return w.cfn(w.stray, action, params...) }
	}
	object := func(method, path string, headers ...string) func() answer {
		return func() answer { return w.s3(w.stray, method, path, "", headers...) }
	}
	job := func(account, method, path string) func() answer {
		return func() answer { return w.control(w.stray, account, method, path, "") }
	}
	w.refused([]attempt{
		{"an object", object("GET", "/src-vault/real"), "AccessDenied"},
		{"its head", object("HEAD", "/src-vault/real"), "AccessDenied"},
		{"a listing", object("GET", "/src-vault"), "AccessDenied"},
		{"its policy", object("GET", "/src-vault?policy"), "AccessDenied"},
		{"its ACL", object("GET", "/src-vault?acl"), "AccessDenied"},
		{"its location", object("GET", "/src-vault?location"), "AccessDenied"},
		{"its end", object("DELETE", "/src-vault"), "AccessDenied"},
		{"its name", object("PUT", "/src-vault"), "BucketAlreadyExists"},
		{"a copy of it", func() answer {
			w.must(w.s3(w.stray, "PUT", "/loot", ""))
			return w.s3(w.stray, "PUT", "/loot/k", "", "x-amz-copy-source: /src-vault/real")
		}, "AccessDenied"},
		{"a part of it", func() answer {
			u := w.must(w.s3(w.stray, "POST", "/loot/k?uploads", "")).text("UploadId")
			return w.s3(w.stray, "PUT", "/loot/k?partNumber=1&uploadId="+u, "", "x-amz-copy-source: /src-vault/real")
		}, "AccessDenied"},
		{"a replication into it", func() answer {
			w.must(w.s3(w.stray, "PUT", "/loot?versioning", versioned))
			w.role(w.stray, "s3", `{"Service":"s3.amazonaws.com"}`, allow("s3:*", "*"))
			w.must(w.s3(w.stray, "PUT", "/loot?replication", "<ReplicationConfiguration><Role>"+roleARN(attacker, "s3")+"</Role><Rule><Status>Enabled</Status><Priority>1</Priority><Filter/><DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication><Destination><Bucket>arn:aws:s3:::dst-vault</Bucket></Destination></Rule></ReplicationConfiguration>"))
			w.must(w.s3(w.stray, "PUT", "/loot/evil", "evil"))
			if got := w.replicated(w.stray, "/loot/evil"); got != "FAILED" {
				t.Errorf("replication into another account's bucket: %s", got)
			}
			return w.s3(w.victim, "GET", "/dst-vault/evil", "")
		}, "NoSuchKey"},
		{"a job of another account", job(victim, "GET", "/"+id), "AccessDenied"},
		{"the same as one's own", job(attacker, "GET", "/"+id), "NotFoundException"},
		{"its status", job(attacker, "POST", "/"+id+"/status?requestedJobStatus=Cancelled"), "NotFoundException"},
		{"its tags", job(attacker, "DELETE", "/"+id+"/tagging"), "NotFoundException"},
		{"a path in its id", job(attacker, "GET", "/..%2F"+victim+"%2F"+id), "NotFoundException"},
		{"a job over another account's bucket", func() answer {
			w.role(w.stray, "jobs", `{"Service":"batchoperations.s3.amazonaws.com"}`, allow("s3:*", "*"))
			a := w.must(w.control(w.stray, attacker, "POST", "", createJob("src-vault", roleARN(attacker, "jobs"), "u")))
			return w.ended(w.stray, attacker, a.text("JobId"))
		}, "SrcBucketNotFound"},
		{"a stack", open("DescribeStacks", "StackName="+stack), "ValidationError"},
		{"a stack by name", open("DescribeStacks", "StackName=real"), "ValidationError"},
		{"its template", open("GetTemplate", "StackName="+stack), "ValidationError"},
		{"its events", open("DescribeStackEvents", "StackName="+stack), "ValidationError"},
		{"its update", open("UpdateStack", "StackName="+stack, "TemplateBody=Resources: {}"), "ValidationError"},
		{"its protection", open("UpdateTerminationProtection", "StackName="+stack, "EnableTerminationProtection=true"), "ValidationError"},
		{"its ARN with one's own account", open("DescribeStacks", "StackName="+strings.Replace(stack, victim, attacker, 1)), "ValidationError"},
		{"a change set", open("DescribeChangeSet", "ChangeSetName="+set), "ChangeSetNotFound"},
		{"a change set's execution", open("ExecuteChangeSet", "ChangeSetName="+set), "ChangeSetNotFound"},
		{"a change set in one's own stack", func() answer {
			w.must(w.cfn(w.stray, "CreateStack", "StackName=real", "TemplateBody=Resources: {B: {Type: AWS::S3::Bucket}}"))
			return w.cfn(w.stray, "ExecuteChangeSet", "StackName=real", "ChangeSetName="+set)
		}, "ChangeSetNotFound"},
		{"the stack of a resource", open("DescribeStackResources", "PhysicalResourceId=of-a-stack"), "ValidationError"},
		{"a policy of another account", func() answer {
			return w.iam(w.stray, "GetPolicy", "PolicyArn=arn:aws:iam::"+victim+":policy/real")
		}, "NoSuchEntity AccessDenied"},
		{"a version of it", func() answer {
			return w.iam(w.stray, "CreatePolicyVersion", "PolicyArn=arn:aws:iam::"+victim+":policy/real", "PolicyDocument="+document(allow("*", "*")))
		}, "NoSuchEntity AccessDenied"},
		{"its attachment", func() answer {
			w.must(w.iam(w.stray, "CreateUser", "UserName=u"))
			return w.iam(w.stray, "AttachUserPolicy", "UserName=u", "PolicyArn=arn:aws:iam::"+victim+":policy/real")
		}, "NoSuchEntity"},
		{"whose key it is", func() answer { return w.iam(w.stray, "GetAccessKeyLastUsed", "AccessKeyId="+key.AccessKey) }, "AccessDenied"},
		{"a role of another account", func() answer { return w.iam(w.stray, "GetRole", "RoleName=real") }, "NoSuchEntity"},
		{"a role that trusts services only", func() answer {
			return w.sts(w.stray, "AssumeRole", "RoleArn="+roleARN(victim, "real"), "RoleSessionName=s1")
		}, "AccessDenied"},
	})
	w.must(w.cfn(w.stray, "DeleteStack", "StackName="+stack)) // as if it were deleted already
	if a := w.must(w.cfn(w.victim, "DescribeStacks", "StackName=real")); a.text("StackStatus") != "CREATE_COMPLETE" {
		t.Errorf("the victim's stack: %s", a.body)
	}
	if a := w.must(w.s3(w.stray, "GET", "/", "")); strings.Contains(a.body, "vault") {
		t.Errorf("the victim's buckets are listed: %s", a.body)
	}

	pat := w.userOf(w.stray, "pat", allow("*", "*"))
	for _, who := range []struct {
		name string
		cred sigv4.Credentials
	}{{"root", w.stray}, {"a user", pat}, {"nobody", sigv4.Credentials{}}} {
		s3 := func(method, query string, headers ...string) func(string) answer {
			return func(k string) answer { return w.s3(who.cred, method, "/src-vault/"+k+query, "", headers...) }
		}
		for _, try := range []func(string) answer{
			s3("GET", ""), s3("HEAD", ""), s3("DELETE", ""), s3("GET", "?acl"), s3("GET", "?tagging"), s3("GET", "?attributes", "x-amz-object-attributes: ETag"),
			s3("PUT", ""), s3("GET", "", "If-None-Match: *"), s3("GET", "?partNumber=1"), s3("GET", "", "Range: bytes=0-1"),
		} {
			w.alike(who.name+": an object", try, try, [2]string{"real", "none"})
		}
		source := func(k string) answer {
			return w.s3(who.cred, "PUT", "/loot/k", "", "x-amz-copy-source: /src-vault/"+k)
		}
		w.alike(who.name+": a copy's source", source, source, [2]string{"real", "none"})
	}
	assume := func(name string) answer {
		return w.sts(pat, "AssumeRole", "RoleArn="+roleARN(victim, name), "RoleSessionName=s1")
	}
	w.alike("a role", assume, assume, [2]string{"real", "none"})
	lastUsed := func(k string) answer { return w.iam(pat, "GetAccessKeyLastUsed", "AccessKeyId="+k) }
	w.alike("a key", lastUsed, lastUsed, [2]string{key.AccessKey, "AKIAAAAAAAAAAAAAAAAA"})
	describe := func(account string) answer { return w.control(pat, account, "GET", "/"+id, "") }
	w.alike("an account", describe, describe, [2]string{victim, "333333333333"})
	of := func(id string) answer { return w.control(pat, victim, "GET", "/"+id, "") }
	w.alike("a job", of, of, [2]string{id, "00000000-0000-4000-8000-000000000000"})
}

// TestHiddenObjects: neither is it told where objects have owners and ACLs.
func TestHiddenObjects(t *testing.T) {
	t.Parallel()
	w := newWorld(t, bucket.ObjectWriter)
	w.must(w.s3(w.victim, "PUT", "/vault", ""))
	w.must(w.s3(w.victim, "PUT", "/vault?policy", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"`+attacker+`"},"Action":["s3:PutObject"],"Resource":"arn:aws:s3:::vault/*"}]}`))
	w.must(w.s3(w.stray, "PUT", "/vault/real", "x"))
	w.must(w.s3(w.victim, "PUT", "/vault/kept", "x", "x-amz-tagging: a=b"))
	for name, cred := range map[string]sigv4.Credentials{"the other account": w.stray, "nobody": {}} {
		get := func(k string) answer { return w.s3(cred, "GET", "/vault/"+k, "") }
		w.alike(name+": an object of the bucket's owner", get, get, [2]string{"kept", "none"})
	}
	owner := w.user("owner", allow("s3:GetObject", "arn:aws:s3:::vault/other/*"))
	get := func(k string) answer { return w.s3(owner, "GET", "/vault/"+k, "") }
	w.alike("a user without the right: an object of another account", get, get, [2]string{"real", "none"})
}

// TestPublicAndGroups: what is for everybody is for no more than it says.
func TestPublicAndGroups(t *testing.T) {
	t.Parallel()
	w := newWorld(t, bucket.ObjectWriter)
	none := sigv4.Credentials{}
	w.must(w.s3(w.victim, "PUT", "/shared", ""))
	w.must(w.s3(w.victim, "PUT", "/shared/k", "x", "x-amz-acl: authenticated-read"))
	w.must(w.s3(w.victim, "PUT", "/shared/private", "x"))
	pat, bound := w.userOf(w.stray, "pat", allow("s3:GetObject", "*")), w.userOf(w.stray, "bound")
	w.granted("who is signed in, by the ACL", w.s3(pat, "GET", "/shared/k", ""))
	denied := w.userOf(w.stray, "denied", allow("s3:*", "*"), deny("s3:GetObject", "arn:aws:s3:::shared/*"))
	w.refused([]attempt{
		{"nobody, by the ACL for who is signed in", func() answer { return w.s3(none, "GET", "/shared/k", "") }, "AccessDenied"},
		{"a user whose account allows nothing", func() answer { return w.s3(bound, "GET", "/shared/k", "") }, "AccessDenied"},
		{"a user whose account denies it", func() answer { return w.s3(denied, "GET", "/shared/k", "") }, "AccessDenied"},
		{"an object that has no such ACL", func() answer { return w.s3(pat, "GET", "/shared/private", "") }, "AccessDenied"},
		{"a write, by a grant to read", func() answer { return w.s3(pat, "PUT", "/shared/k", "y") }, "AccessDenied"},
		{"the ACL, by a grant to read", func() answer { return w.s3(pat, "GET", "/shared/k?acl", "") }, "AccessDenied"},
	})
	w.must(w.s3(w.victim, "PUT", "/shared?publicAccessBlock", "<PublicAccessBlockConfiguration><IgnorePublicAcls>true</IgnorePublicAcls></PublicAccessBlockConfiguration>"))
	w.refused([]attempt{{"the ACL, once public ones are ignored", func() answer { return w.s3(pat, "GET", "/shared/k", "") }, "AccessDenied"}})

	w.must(w.s3(w.victim, "PUT", "/plain", ""))
	put := func(statements ...string) {
		w.must(w.s3(w.victim, "PUT", "/plain?policy", document(statements...)))
	}
	const res = `"Resource":["arn:aws:s3:::plain","arn:aws:s3:::plain/*"]`
	w.must(w.s3(w.victim, "PUT", "/plain/k", "x"))
	put(`{"Effect":"Allow","Principal":"*","Action":"s3:GetObject",`+res+`}`,
		`{"Effect":"Deny","NotPrincipal":{"AWS":"arn:aws:iam::`+victim+`:root"},"Action":"s3:GetObject",`+res+`}`)
	w.granted("who is spared", w.s3(w.victim, "GET", "/plain/k", ""))
	w.refused([]attempt{
		{"nobody, against NotPrincipal", func() answer { return w.s3(none, "GET", "/plain/k", "") }, "AccessDenied"},
		{"another account, against NotPrincipal", func() answer { return w.s3(w.stray, "GET", "/plain/k", "") }, "AccessDenied"},
	})
	put(`{"Effect":"Allow","Principal":"*","Action":"s3:PutObject",`+res+`}`,
		`{"Effect":"Deny","Principal":"*","Action":"s3:PutObject",`+res+`,"Condition":{"StringLike":{"s3:x-amz-grant-read":"*AllUsers*"}}}`,
		`{"Effect":"Deny","Principal":"*","Action":"S3:PUTOBJECT",`+res+`,"Condition":{"StringLike":{"S3:X-AMZ-STORAGE-CLASS":"GLACIER"}}}`)
	all, log := `uri="http://acs.amazonaws.com/groups/global/AllUsers"`, `uri="http://acs.amazonaws.com/groups/s3/LogDelivery"`
	w.granted("a grant that is not denied", w.s3(none, "PUT", "/plain/n", "x", "x-amz-grant-read: "+log))
	w.refused([]attempt{
		{"a grant that is denied", func() answer { return w.s3(none, "PUT", "/plain/n", "x", "x-amz-grant-read: "+all) }, "AccessDenied"},
		{"the same behind another", func() answer {
			return w.raw("PUT /plain/n HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 1\r\nx-amz-grant-read: " + log + "\r\nx-amz-grant-read: " + all + "\r\n\r\nx")
		}, "AccessDenied"},
		{"a key in other case", func() answer { return w.s3(none, "PUT", "/plain/n", "x", "x-amz-storage-class: GLACIER") }, "AccessDenied"},
	})
	// A URL whose body is not signed is not made a signed one by who has it.
	put(`{"Effect":"Deny","Principal":"*","Action":"s3:PutObject",` + res + `,"Condition":{"StringEquals":{"s3:x-amz-content-sha256":"UNSIGNED-PAYLOAD"}}}`)
	sum := sha256.Sum256([]byte("x"))
	w.refused([]attempt{
		{"an unsigned body", func() answer {
			return w.do(request{method: "PUT", path: "/plain/u", body: "x", cred: w.victim, presign: true})
		}, "AccessDenied"},
		{"an unsigned body that says it is signed", func() answer {
			return w.raw(w.presigned("PUT", "/plain/u") + "x-amz-content-sha256: " + hex.EncodeToString(sum[:]) + "\r\nContent-Length: 1\r\n\r\nx")
		}, "AccessDenied"},
	})
}

// presigned returns the beginning of a request with the victim's presigned URL.
func (w *world) presigned(method, path string) string {
	w.Helper()
	r := request{method: method, path: path}
	return method + " " + strings.TrimPrefix(sigv4.Presign(w.plain(r), w.victim, region, "s3", time.Hour, time.Now()), "http://"+w.addr) +
		" HTTP/1.1\r\nConnection: close\r\nHost: " + w.addr + "\r\n"
}

// TestExpectedOwners: who names an owner gets nothing of another's.
func TestExpectedOwners(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.must(w.s3(w.victim, "PUT", "/vault", ""))
	w.must(w.s3(w.victim, "PUT", "/vault/k", "x"))
	w.must(w.s3(w.stray, "PUT", "/loot", ""))
	w.must(w.s3(w.stray, "PUT", "/loot?policy", document(`{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::loot","arn:aws:s3:::loot/*"]}`)))
	w.must(w.s3(w.stray, "PUT", "/loot/k", "bait"))
	const mine, theirs = "x-amz-expected-bucket-owner: " + victim, "x-amz-source-expected-bucket-owner: " + victim
	w.granted("a bucket that is the expected", w.s3(w.victim, "GET", "/vault/k", "", mine))
	s3 := func(method, path string, headers ...string) func() answer {
		return func() answer { return w.s3(w.victim, method, path, "x", headers...) }
	}
	w.refused([]attempt{
		{"a read", s3("GET", "/loot/k", mine), "AccessDenied"},
		{"a write", s3("PUT", "/loot/secret", mine), "AccessDenied"},
		{"a listing", s3("GET", "/loot", mine), "AccessDenied"},
		{"a bucket's head", s3("HEAD", "/loot", mine), "AccessDenied"},
		{"a delete", s3("DELETE", "/loot/k", mine), "AccessDenied"},
		{"an upload", s3("POST", "/loot/k?uploads", mine), "AccessDenied"},
		{"a policy", s3("GET", "/loot?policy", mine), "AccessDenied"},
		{"a copy's source", s3("PUT", "/vault/copy", "x-amz-copy-source: /loot/k", theirs), "AccessDenied"},
		{"a copy's destination", s3("PUT", "/loot/copy", "x-amz-copy-source: /vault/k", mine), "AccessDenied"},
		{"in the parameters of a presigned URL", func() answer {
			return w.do(request{method: "PUT", path: "/loot/secret?x-amz-expected-bucket-owner=" + victim, cred: w.victim, presign: true, body: "x"})
		}, "AccessDenied"},
		{"two owners", func() answer {
			return w.raw("PUT /loot/secret HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 1\r\n" + mine + "\r\nx-amz-expected-bucket-owner: " + attacker + "\r\n\r\nx")
		}, "AccessDenied"},
		{"nothing was written", s3("GET", "/loot/secret"), "NoSuchKey"},
	})
	// A replication's Account is the same promise.
}

// TestForms: a form is worth what its policy says, in the bucket it is for.
func TestForms(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	for _, name := range []string{"drop", "other"} {
		w.must(w.s3(w.victim, "PUT", "/"+name, ""))
	}
	type form struct {
		bucket, policy string
		fields         [][2]string // beside those of the signature
		headers        []string
		after          func(fields [][2]string) [][2]string
	}
	const conditions = `{"bucket":"drop"},["starts-with","$key","up/"],{"acl":"private"},{"x-amz-meta-a":"b"},["content-length-range",1,10]`
	post := func(f form) func() answer {
		return func() answer {
			day, now := time.Now().UTC().Format("20060102"), time.Now().UTC().Format("20060102T150405Z")
			credential := w.victim.AccessKey + "/" + day + "/" + region + "/s3/aws4_request"
			if f.policy == "" {
				f.policy = conditions
			}
			text := base64.StdEncoding.EncodeToString([]byte(`{"expiration":"` + time.Now().UTC().Add(time.Hour).Format("2006-01-02T15:04:05.000Z") +
				`","conditions":[` + f.policy + `,{"x-amz-algorithm":"AWS4-HMAC-SHA256"},{"x-amz-credential":"` + credential + `"},{"x-amz-date":"` + now + `"}]}`))
			key := []byte("AWS4" + w.victim.Secret)
			for _, part := range []string{day, region, "s3", "aws4_request", text} {
				h := hmac.New(sha256.New, key)
				h.Write([]byte(part))
				key = h.Sum(nil)
			}
			fields := append([][2]string{
				{"policy", text}, {"x-amz-algorithm", "AWS4-HMAC-SHA256"}, {"x-amz-credential", credential}, {"x-amz-date", now}, {"x-amz-signature", hex.EncodeToString(key)},
			}, f.fields...)
			if f.after != nil {
				fields = f.after(fields)
			}
			var b strings.Builder
			for _, field := range fields {
				fmt.Fprintf(&b, "--b\r\nContent-Disposition: form-data; name=%q\r\n\r\n%s\r\n", field[0], field[1])
			}
			b.WriteString("--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\nx\r\n--b--\r\n")
			if f.bucket == "" {
				f.bucket = "drop"
			}
			return w.do(request{method: "POST", path: "/" + f.bucket, body: b.String(), header: pairs(append([]string{"Content-Type: multipart/form-data; boundary=b"}, f.headers...))})
		}
	}
	good := [][2]string{{"key", "up/k"}, {"acl", "private"}, {"x-amz-meta-a", "b"}}
	with := func(more ...[2]string) [][2]string { return append(append([][2]string{}, good...), more...) }
	w.granted("a form", post(form{fields: good})())
	w.granted("two keys, of which the first counts", post(form{fields: with([2]string{"key", "down/k"})})())
	w.granted("the second in other case", post(form{fields: with([2]string{"Key", "down/k"})})())
	w.refused([]attempt{
		{"in another bucket", post(form{bucket: "other", fields: good}), "AccessDenied"},
		{"a policy that names no bucket", post(form{bucket: "other", policy: strings.TrimPrefix(conditions, `{"bucket":"drop"},`), fields: good}), "AccessDenied"},
		{"a bucket in a field", post(form{bucket: "other", fields: with([2]string{"bucket", "drop"})}), "AccessDenied"},
		{"another key", post(form{fields: [][2]string{{"key", "down/k"}, {"acl", "private"}, {"x-amz-meta-a", "b"}}}), "AccessDenied"},
		{"a key that leads out of the prefix", post(form{fields: [][2]string{{"key", "up/../../k"}, {"acl", "private"}, {"x-amz-meta-a", "b"}}}), "AccessDenied 400"},
		{"two keys, the other first", post(form{fields: append([][2]string{{"key", "down/k"}}, good...)}), "AccessDenied InvalidArgument MalformedPOSTRequest"},
		{"another ACL", post(form{fields: [][2]string{{"key", "up/k"}, {"acl", "public-read"}, {"x-amz-meta-a", "b"}}}), "AccessDenied"},
		{"the ACL under its other name", post(form{fields: with([2]string{"x-amz-acl", "public-read"})}), "AccessDenied InvalidArgument"},
		{"a field more", post(form{fields: with([2]string{"x-amz-storage-class", "GLACIER"})}), "AccessDenied"},
		{"tags", post(form{fields: with([2]string{"tagging", "<Tagging><TagSet/></Tagging>"})}), "AccessDenied"},
		{"a copy", post(form{fields: with([2]string{"x-amz-copy-source", "/other/k"})}), "AccessDenied"},
		{"a field less", post(form{fields: [][2]string{{"key", "up/k"}, {"acl", "private"}}}), "AccessDenied"},
		{"another policy", post(form{fields: good, after: func(f [][2]string) [][2]string {
			f[0][1] = base64.StdEncoding.EncodeToString([]byte(`{"expiration":"2099-01-01T00:00:00Z","conditions":[]}`))
			return f
		}}), "SignatureDoesNotMatch"},
		{"two policies", post(form{fields: good, after: func(f [][2]string) [][2]string {
			return append(f, [2]string{"policy", base64.StdEncoding.EncodeToString([]byte(`{"expiration":"2099-01-01T00:00:00Z","conditions":[]}`))})
		}}), "AccessDenied SignatureDoesNotMatch InvalidArgument MalformedPOSTRequest"},
		{"another date", post(form{fields: good, after: func(f [][2]string) [][2]string { f[3][1] = "20200101T000000Z"; return f }}), "InvalidArgument SignatureDoesNotMatch AccessDenied"},
		{"no signature", post(form{fields: good, after: func(f [][2]string) [][2]string { return f[5:] }}), "AccessDenied"},
		{"a signature without a policy", post(form{fields: good, after: func(f [][2]string) [][2]string { return f[1:] }}), "InvalidArgument"},
		{"signatures of both versions", post(form{fields: with([2]string{"AWSAccessKeyId", w.victim.AccessKey}, [2]string{"signature", "x"})}), "InvalidArgument"},
		{"a header that the policy does not allow", func() answer {
			return post(form{fields: good, headers: []string{"x-amz-website-redirect-location: /evil"}})()
		}, "AccessDenied InvalidArgument"},
	})
	for _, path := range []string{"/other/up/k", "/drop/down/k", "/drop/k"} {
		w.refused([]attempt{{path, func() answer { return w.s3(w.victim, "GET", path, "") }, "NoSuchKey"}})
	}
}

// TestTagsInOtherCase: a tag that a policy denies is not hidden behind one whose
// key differs in case, and neither is one without a value.
func TestTagsInOtherCase(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.must(w.s3(w.victim, "PUT", "/vault", ""))
	w.role(w.victim, "jobs", `{"Service":"batchoperations.s3.amazonaws.com"}`)
	pat := w.user("pat", allow("s3:*,cloudformation:*,iam:PassRole", "*"),
		deny("s3:*", "*", `{"StringEquals":{"s3:RequestObjectTag/class":"secret"}}`),
		deny("s3:*", "*", `{"StringEquals":{"s3:ExistingObjectTag/class":"secret"}}`),
		deny("s3:*,cloudformation:*", "*", `{"StringEquals":{"aws:RequestTag/class":["secret",""]}}`))
	job := func(tags string) func() answer {
		return func() answer {
			return w.control(pat, victim, "POST", "", strings.Replace(createJob("vault", roleARN(victim, "jobs"), "t"), "<ManifestGenerator>", "<Tags>"+tags+"</Tags><ManifestGenerator>", 1))
		}
	}
	const secret, open = "<member><Key>class</Key><Value>secret</Value></member>", "<member><Key>CLASS</Key><Value>open</Value></member>"
	stack := func(params ...string) func() answer {
		return func() answer {
			return w.cfn(pat, "CreateStack", append([]string{"StackName=s", "TemplateBody=Resources: {B: {Type: AWS::S3::Bucket}}"}, params...)...)
		}
	}
	put := func(tags string) func() answer {
		return func() answer { return w.s3(pat, "PUT", "/vault/k", "x", "x-amz-tagging: "+tags) }
	}
	w.granted("a tag that is not denied", put("class=open")())
	w.must(w.s3(w.victim, "PUT", "/vault/mixed", "x", "x-amz-tagging: class=secret&CLASS=open"))
	w.refused([]attempt{
		{"an object", put("class=secret"), "AccessDenied"},
		{"with another behind it", put("class=secret&CLASS=open"), "AccessDenied"},
		{"with another before it", put("CLASS=open&class=secret"), "AccessDenied"},
		{"an object that has both", func() answer { return w.s3(pat, "GET", "/vault/mixed", "") }, "AccessDenied"},
		{"a stack", stack("Tags.member.1.Key=class", "Tags.member.1.Value=secret"), "AccessDenied"},
		{"a stack with both", stack("Tags.member.1.Key=class", "Tags.member.1.Value=secret", "Tags.member.2.Key=Class", "Tags.member.2.Value=open"), "AccessDenied"},
		{"a stack with an empty tag", stack("Tags.member.1.Key=class", "Tags.member.1.Value="), "AccessDenied"},
		{"a bucket with both", func() answer {
			return w.s3(pat, "PUT", "/pats", `<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Tags><Tag><Key>class</Key><Value>secret</Value></Tag><Tag><Key>Class</Key><Value>open</Value></Tag></Tags></CreateBucketConfiguration>`)
		}, "AccessDenied"},
	})
	for range 8 { // the order of a map must not decide
		w.refused([]attempt{{"a job with both", job(secret + open), "AccessDenied"}})
	}

	// What a policy names wrongly in another account is not put right.
	w.must(w.iam(w.victim, "CreateRole", "RoleName=hidden", "Path=/deep/", "AssumeRolePolicyDocument="+document(`{"Effect":"Allow","Principal":{"AWS":"`+victim+`"},"Action":"sts:AssumeRole"}`)))
	w.must(w.s3(w.stray, "PUT", "/loot", ""))
	name := func(role string) answer {
		return w.s3(w.stray, "PUT", "/loot?policy", document(`{"Effect":"Allow","Principal":{"AWS":"`+roleARN(victim, role)+`"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::loot/*"}`))
	}
	w.alike("a role's path", name, name, [2]string{"hidden", "none"})
}
