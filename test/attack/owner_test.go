package attack

import (
	"crypto/md5"
	"encoding/base64"
	"strings"
	"testing"

	"twinbucket/bucket"
	"twinbucket/internal/sigv4"
	"twinbucket/internal/testenv"
)

const versioned = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"

// TestObjectsOfOthers: where objects belong to their writers, the bucket's
// owner reads what they let it read, by whatever way.
func TestObjectsOfOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, bucket.ObjectWriter)
	for _, name := range []string{"inbox", "mirror"} {
		w.must(w.s3(w.stray, "PUT", "/"+name, ""))
		w.must(w.s3(w.stray, "PUT", "/"+name+"?versioning", versioned))
	}
	w.must(w.s3(w.stray, "PUT", "/inbox?policy", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["`+victim+`","`+attacker+`"]},"Action":"s3:*","Resource":["arn:aws:s3:::inbox","arn:aws:s3:::inbox/*"]}]}`))
	w.role(w.stray, "s3", `{"Service":["s3.amazonaws.com","batchoperations.s3.amazonaws.com"]}`, allow("s3:*", "*"))
	w.must(w.s3(w.stray, "PUT", "/inbox?replication", "<ReplicationConfiguration><Role>"+roleARN(attacker, "s3")+"</Role><Rule><Status>Enabled</Status><Priority>1</Priority><Filter/><DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication><Destination><Bucket>arn:aws:s3:::mirror</Bucket></Destination></Rule></ReplicationConfiguration>"))
	const template = `{"Description":"secret","Resources":{"B":{"Type":"AWS::S3::Bucket"}}}`
	put := func(key, body string, headers ...string) string {
		return w.must(w.s3(w.victim, "PUT", "/inbox/"+key, body, headers...)).header.Get("X-Amz-Version-Id")
	}
	settled := func(key string) string {
		return testenv.Wait(t, func() (string, bool) {
			s := w.must(w.s3(w.victim, "HEAD", "/inbox/"+key, "")).header.Get("X-Amz-Replication-Status")
			return s, s != "PENDING"
		})
	}
	toOwner := `x-amz-grant-full-control: id="` + w.canonical(w.stray) + `"`
	put("private", template)
	put("granted", template, toOwner)
	put("unread", template, `x-amz-grant-read-acp: id="`+w.canonical(w.stray)+`"`)
	for key, want := range map[string]string{"private": "FAILED", "granted": "COMPLETED", "unread": "FAILED"} {
		if got := settled(key); got != want {
			t.Errorf("replication of %s: %s, want %s", key, got, want)
		}
	}
	describe := func(key string) func() answer {
		return func() answer {
			return w.cfn(w.stray, "ValidateTemplate", "TemplateURL=http://"+w.addr+"/inbox/"+key)
		}
	}
	w.granted("a template that is granted", describe("granted")())
	w.refused([]attempt{
		{"a read", func() answer { return w.s3(w.stray, "GET", "/inbox/private", "") }, "AccessDenied"},
		{"a copy", func() answer { return w.s3(w.stray, "PUT", "/mirror/copy", "", "x-amz-copy-source: /inbox/private") }, "AccessDenied"},
		{"a template", describe("private"), "ValidationError"},
		{"its replica", func() answer { return w.s3(w.stray, "GET", "/mirror/private", "") }, "NoSuchKey"},
		{"its ACL", func() answer { return w.s3(w.stray, "PUT", "/inbox/private?acl", "", "x-amz-acl: public-read") }, "AccessDenied"},
		{"its tags", func() answer { return w.s3(w.stray, "GET", "/inbox/private?tagging", "") }, "AccessDenied"},
	})

	// A manifest is read by a job's role, and its rows are told of.
	manifest := func(key string) func() answer {
		etag := w.must(w.s3(w.victim, "HEAD", "/inbox/"+key, "")).header.Get("Etag")
		return func() answer {
			a := w.must(w.control(w.stray, attacker, "POST", "", `<CreateJobRequest xmlns="http://awss3control.amazonaws.com/doc/2018-08-20/"><ConfirmationRequired>true</ConfirmationRequired><Operation><S3ReplicateObject/></Operation>`+
				`<Report><Enabled>false</Enabled></Report><ClientRequestToken>`+key+`</ClientRequestToken><Priority>1</Priority><RoleArn>`+roleARN(attacker, "s3")+`</RoleArn>`+
				`<Manifest><Spec><Format>S3BatchOperations_CSV_20180820</Format><Fields><member>Bucket</member><member>Key</member></Fields></Spec><Location><ObjectArn>arn:aws:s3:::inbox/`+key+`</ObjectArn><ETag>`+strings.Trim(etag, `"`)+`</ETag></Location></Manifest></CreateJobRequest>`))
			return testenv.Wait(t, func() (answer, bool) {
				d := w.must(w.control(w.stray, attacker, "GET", "/"+a.text("JobId"), ""))
				switch d.text("Status") {
				case "Failed":
					return answer{status: 403, body: "<Code>" + d.text("FailureCode") + "</Code>"}, true
				case "Suspended":
					return answer{status: 200}, true
				}
				return answer{}, false
			})
		}
	}
	put("rows", "inbox,granted\n")
	put("open-rows", "inbox,granted\n", toOwner)
	w.granted("a manifest that is granted", manifest("open-rows")())
	w.refused([]attempt{{"a manifest", manifest("rows"), "ManifestReadNotPermitted"}})
}

// canonical returns the canonical user id of a root user's account.
func (w *world) canonical(root sigv4.Credentials) string {
	w.Helper()
	return w.must(w.s3(root, "GET", "/", "")).text("ID")
}

// TestDeniedByTag: what a policy says of an object's tags holds whoever reads
// it for whom.
func TestDeniedByTag(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	for _, name := range []string{"vault", "mirror"} {
		w.must(w.s3(w.victim, "PUT", "/"+name, ""))
		w.must(w.s3(w.victim, "PUT", "/"+name+"?versioning", versioned))
	}
	const template = `{"Resources":{"B":{"Type":"AWS::S3::Bucket"}}}`
	w.must(w.s3(w.victim, "PUT", "/vault/open", template))
	w.must(w.s3(w.victim, "PUT", "/vault/secret", template, "x-amz-tagging: class=secret"))
	untagged := deny("s3:GetObject,s3:GetObjectVersion", "*", `{"StringEquals":{"s3:ExistingObjectTag/class":"secret"}}`)
	pat := w.user("pat", allow("s3:*,cloudformation:*", "*"), untagged)
	describe := func(key string) func() answer {
		return func() answer {
			return w.cfn(pat, "ValidateTemplate", "TemplateURL=http://"+w.addr+"/vault/"+key)
		}
	}
	w.granted("a template", describe("open")())
	w.refused([]attempt{
		{"a read", func() answer { return w.s3(pat, "GET", "/vault/secret", "") }, "AccessDenied"},
		{"a copy", func() answer { return w.s3(pat, "PUT", "/vault/copy", "", "x-amz-copy-source: /vault/secret") }, "AccessDenied"},
		{"a template", describe("secret"), "ValidationError"},
	})
	// Nor is a key of KMS used for whom it is not for, or a customer's for who has it not.
	w.must(w.s3(w.victim, "PUT", "/vault/sealed", template, "x-amz-server-side-encryption: aws:kms", "x-amz-server-side-encryption-aws-kms-key-id: "+kmsKey))
	customer := strings.Repeat("k", 32)
	sum := md5.Sum([]byte(customer))
	w.must(w.s3(w.victim, "PUT", "/vault/customer", template, "x-amz-server-side-encryption-customer-algorithm: AES256",
		"x-amz-server-side-encryption-customer-key: "+base64.StdEncoding.EncodeToString([]byte(customer)),
		"x-amz-server-side-encryption-customer-key-MD5: "+base64.StdEncoding.EncodeToString(sum[:])))
	w.granted("a sealed template, for who may open it", w.cfn(w.victim, "ValidateTemplate", "TemplateURL=http://"+w.addr+"/vault/sealed"))
	w.refused([]attempt{
		{"a sealed object", func() answer { return w.s3(pat, "GET", "/vault/sealed", "") }, "AccessDenied"},
		{"a sealed template", describe("sealed"), "ValidationError"},
		{"a customer's template", describe("customer"), "ValidationError AccessDenied InvalidRequest"},
		{"a customer's template, for the root user", func() answer {
			return w.cfn(w.victim, "ValidateTemplate", "TemplateURL=http://"+w.addr+"/vault/customer")
		}, "ValidationError AccessDenied InvalidRequest"},
	})
	w.role(w.victim, "s3", `{"Service":"s3.amazonaws.com"}`, allow("s3:*", "*"),
		deny("s3:GetObjectVersionTagging", "*", `{"StringEquals":{"s3:ExistingObjectTag/class":"secret"}}`))
	w.must(w.s3(w.victim, "PUT", "/vault?replication", "<ReplicationConfiguration><Role>"+roleARN(victim, "s3")+"</Role><Rule><Status>Enabled</Status><Priority>1</Priority><Filter/><DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication><Destination><Bucket>arn:aws:s3:::mirror</Bucket></Destination></Rule></ReplicationConfiguration>"))
	for tags, want := range map[string]string{"class=open": "COMPLETED", "class=secret": "FAILED"} {
		w.must(w.s3(w.victim, "PUT", "/vault/"+tags, "x", "x-amz-tagging: "+tags))
		got := testenv.Wait(t, func() (string, bool) {
			s := w.must(w.s3(w.victim, "HEAD", "/vault/"+tags, "")).header.Get("X-Amz-Replication-Status")
			return s, s != "PENDING"
		})
		if got != want {
			t.Errorf("replication of %s: %s, want %s", tags, got, want)
		}
	}
}
