package batch_test

import (
	"fmt"
	"strings"
	"testing"

	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/internal/store"
	"twinbucket/internal/testenv"
	"twinbucket/job"
	"twinbucket/manifest"
	"twinbucket/object"
)

// denied is a bucket policy that denies an action on all objects of Reports.
func denied(action string) string {
	return `{"Statement":[{"Sid":"no","Effect":"Deny","Principal":"*","Action":"` + action + `","Resource":"arn:aws:s3:::reports/*"}]}`
}

// listed has the job take a manifest that names the first object.
func listed(e *testenv.Env, s *job.Spec) {
	o := e.Head(testenv.SrcBucket, "old/00000", "")
	m := e.Put(testenv.Reports, "list.csv", "src-bucket,old/00000,"+o.ID)
	s.Generator, s.Manifest = nil, &job.Manifest{
		Format: manifest.CSV, Fields: []manifest.Field{manifest.Bucket, manifest.Key, manifest.VersionID},
		Location: job.Location{ObjectARN: arn.Object(testenv.Reports, "list.csv"), ETag: m.ETag},
	}
}

// underKey stores an object of Reports under a key of KMS.
func underKey(e *testenv.Env, key, body string) *store.Object {
	o, err := e.Store.Put(e.T.Context(), store.Put{
		Version: object.Version{Bucket: testenv.Reports, Key: key, Owner: testenv.Source, Encryption: object.Encryption{Algorithm: object.KMS, KeyARN: testenv.SrcKey}},
		Body:    strings.NewReader(body), Size: int64(len(body)),
	})
	e.Must(err)
	return o
}

// saved has the job save its manifest.
func saved(s *job.Spec) {
	s.Generator.EnableOutput = true
	s.Generator.Output = &job.Output{Bucket: arn.Bucket(testenv.Reports), Format: manifest.Generated}
}

// TestReasonsSayWhatMends has jobs fail for every reason there is: AWS's text
// comes first, and then what refused, down to the statement, and what mends it.
func TestReasonsSayWhatMends(t *testing.T) {
	t.Parallel()
	const (
		noRole   = "Error occurred when preparing manifest: Failed to assume role."
		noRead   = "Reading the manifest is forbidden: AccessDenied"
		noOutput = "Error occurred when preparing manifest: Failed to write manifest"
		noReport = "The job report could not be written to your report bucket. Please check your permissions."
		kept     = "once this is mended, POST /_twinbucket/jobs/"
	)
	batchRole := func(e *testenv.Env, grants ...string) { e.Role("batch", job.Service, grants...) }
	for name, c := range map[string]struct {
		change func(*testenv.Env, *job.Spec)
		code   string
		reason string
		say    []string // in the further reasons
	}{
		"role gone": {
			func(_ *testenv.Env, s *job.Spec) { s.RoleARN += "x" },
			"AssumeRoleNotPermitted", noRole,
			[]string{"role/batchx", "create it with a trust policy", job.Service},
		},
		"trust wrong": {
			func(_ *testenv.Env, s *job.Spec) { s.RoleARN = testenv.ReplRole },
			"AssumeRoleNotPermitted", noRole,
			[]string{"add to the trust policy of role repl", job.Service},
		},
		"role gone, manifest brought along": {
			func(e *testenv.Env, s *job.Spec) { listed(e, s); s.RoleARN += "x" },
			"AssumeRoleNotPermitted", noRole,
			[]string{"role/batchx", "create it with a trust policy"},
		},
		"manifest denied by the bucket policy": {
			func(e *testenv.Env, s *job.Spec) {
				listed(e, s)
				e.Document(testenv.Reports, bucket.Policy, denied("s3:GetObject"))
			},
			"ManifestReadNotPermitted", noRead,
			[]string{"the bucket policy of reports denies it: change", `"Sid":"no"`},
		},
		"manifest not granted": {
			func(e *testenv.Env, s *job.Spec) { listed(e, s); batchRole(e, testenv.BatchGrants[:2]...) },
			"ManifestReadNotPermitted", noRead,
			[]string{`add to inline policy "p" of role batch`, "s3:GetObject"},
		},
		"manifest under a key of KMS": {
			func(e *testenv.Env, s *job.Spec) {
				listed(e, s)
				s.Manifest.Location.ETag = underKey(e, "list.csv", "x").ETag
			},
			"ManifestReadNotPermitted", noRead,
			[]string{"cannot be encrypted with a key of KMS: store it with SSE-S3"},
		},
		"inventory under a key that is refused": {
			func(e *testenv.Env, s *job.Spec) {
				o := underKey(e, "manifest.json", "{}")
				s.Generator, s.Manifest = nil, &job.Manifest{Format: manifest.Inventory, Location: job.Location{ObjectARN: arn.Object(testenv.Reports, o.Key), ETag: o.ETag}}
			},
			"ManifestReadNotPermitted", noRead,
			[]string{"kms:Decrypt", testenv.SrcKey, "role batch"},
		},
		"manifest gone": {
			func(e *testenv.Env, s *job.Spec) { listed(e, s); s.Manifest.Location.ObjectARN += "x" },
			"ManifestNotFound", "The manifest object does not exist.",
			[]string{"no list.csvx in bucket reports", "put it there again"},
		},
		"manifest's bucket gone": {
			func(e *testenv.Env, s *job.Spec) { listed(e, s); s.Manifest.Location.ObjectARN = "arn:aws:s3:::gone/k" },
			"ManifestNotFound", "The manifest's bucket does not exist.",
			[]string{"no bucket gone", "create the job with"},
		},
		"manifest changed": {
			func(e *testenv.Env, s *job.Spec) { listed(e, s); s.Manifest.Location.ETag = strings.Repeat("0", 32) },
			"InvalidManifestContent", "The manifest's ETag does not match.",
			[]string{"and not 00000000", "create the job with the ETag"},
		},
		"no ETag": {
			func(e *testenv.Env, s *job.Spec) { listed(e, s); s.Manifest.Location.ETag = "other" },
			"InvalidManifestContent", "ETag format is invalid",
			[]string{"create the job with the ETag"},
		},
		"manifest output not granted": {
			func(e *testenv.Env, s *job.Spec) { saved(s); batchRole(e, testenv.BatchGrants[:2]...) },
			"ManifestWriteNotPermitted", noOutput,
			[]string{"no identity-based policy allows the s3:PutObject action", `add to inline policy "p" of role batch`},
		},
		"manifest output's bucket gone": {
			func(_ *testenv.Env, s *job.Spec) { saved(s); s.Generator.Output.Bucket += "x" },
			"ManifestWriteNotPermitted", noOutput,
			[]string{"arn:aws:s3:::reportsx", "create bucket reportsx"},
		},
		"configuration not to be read": {
			func(e *testenv.Env, _ *job.Spec) { batchRole(e, testenv.BatchGrants[0]) },
			"ManifestGenerationNotPermitted", "Error occurred when preparing manifest: Access denied: s3:GetReplicationConfiguration.",
			[]string{`add to inline policy "p" of role batch`},
		},
		"no configuration": {
			func(e *testenv.Env, _ *job.Spec) { e.Document(testenv.SrcBucket, bucket.Replication, "") },
			"SrcBucketReplicationConfigMissing", "Error occurred when preparing manifest: The source bucket has no replication configuration.",
			[]string{"put a replication configuration on src-bucket"},
		},
		"source bucket gone": {
			func(_ *testenv.Env, s *job.Spec) { s.Generator.SourceBucket += "x" },
			"SrcBucketNotFound", "Error occurred when preparing manifest: The source bucket does not exist.",
			[]string{"no bucket src-bucketx", "create the job with"},
		},
		"no keys": {
			func(_ *testenv.Env, s *job.Spec) { s.Generator.Filter.ObjectReplicationStatuses = []string{"REPLICA"} },
			"NoKeysFound", "Manifest generation found no keys matching the filter criteria.",
			[]string{"1,200 of the 1,200 versions in src-bucket are excluded by ObjectReplicationStatuses: NONE (for example old/00000)"},
		},
		"threshold": {
			func(e *testenv.Env, _ *job.Spec) { e.Document(testenv.DstBucket, bucket.Policy, "") },
			"FailureThresholdExceeded", "More than 50 percent of the job's tasks failed.",
			[]string{"tasks that ran failed with DstPutObjectNotPermitted (for example old/0", "add to the bucket policy of dst-bucket"},
		},
		"report not granted": {
			func(e *testenv.Env, _ *job.Spec) { batchRole(e, testenv.BatchGrants[:2]...) },
			"ReportWriteNotPermitted", noReport,
			[]string{`add to inline policy "p" of role batch`, "s3:PutObject", kept},
		},
		"report denied by the bucket policy": {
			func(e *testenv.Env, _ *job.Spec) { e.Document(testenv.Reports, bucket.Policy, denied("s3:PutObject")) },
			"ReportWriteNotPermitted", noReport,
			[]string{"the bucket policy of reports denies it: change", `"Sid":"no"`, kept},
		},
		"report denied for its encryption": {
			func(e *testenv.Env, _ *job.Spec) {
				e.Document(testenv.Reports, bucket.Policy, strings.Replace(denied("s3:PutObject"), `"Resource"`, `"Condition":{"StringNotEquals":{"s3:x-amz-server-side-encryption":"aws:kms"}},"Resource"`, 1))
			},
			"ReportWriteNotPermitted", noReport,
			[]string{"s3:x-amz-server-side-encryption", kept},
		},
		"report bucket gone": {
			func(_ *testenv.Env, s *job.Spec) { s.Report.Bucket += "x" },
			"ReportWriteNotPermitted", noReport,
			[]string{"arn:aws:s3:::reportsx", "create bucket reportsx", kept},
		},
		"report bucket of another account": {
			func(_ *testenv.Env, s *job.Spec) { s.Report.Bucket = arn.Bucket(testenv.DstBucket) },
			"ReportWriteNotPermitted", noReport,
			[]string{"in account 222222222222, add to the bucket policy of dst-bucket", kept},
		},
		"report bucket of an owner not expected": {
			func(_ *testenv.Env, s *job.Spec) { s.Report.ExpectedBucketOwner = testenv.Destination },
			"ReportWriteNotPermitted", noReport,
			[]string{"belongs to account 111111111111, not to 222222222222", "name account 111111111111", kept},
		},
		"report would be retained": {
			func(e *testenv.Env, _ *job.Spec) {
				e.Document(testenv.Reports, bucket.ObjectLock, `<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>`)
			},
			"ReportWriteNotPermitted", noReport,
			[]string{"COMPLIANCE mode: its ObjectLockConfiguration has a DefaultRetention", "PutObjectLockConfiguration without Rule", kept},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			objects := 1
			if c.code == "FailureThresholdExceeded" || c.code == "NoKeysFound" {
				objects = 1200
			}
			e := existing(t, objects)
			j := spec()
			c.change(e, &j.Spec)
			e.Start()
			j = reached(t, e, create(t, e, j).ID, job.Failed)
			if j.Failures[0] != (job.Failure{Code: c.code, Reason: c.reason}) {
				t.Errorf("%+v", j.Failures)
			}
			more := ""
			for _, f := range j.Failures[1:] {
				more += f.Reason + " "
				if len(f.Reason) > 256 || f.Code != c.code {
					t.Errorf("%+v", f)
				}
			}
			for _, want := range c.say {
				if !strings.Contains(more, want) {
					t.Errorf("%s does not say %s", more, want)
				}
			}
			d, err := e.Batch.Details(t.Context(), testenv.Source, j.ID)
			e.Must(err)
			if refused := c.code == "ReportWriteNotPermitted"; refused != (d.Report.State == job.ReportRefused) {
				t.Errorf("%+v", d.Report)
			} else if refused {
				var rows strings.Builder
				e.Must(e.Batch.WriteRows(t.Context(), testenv.Source, j.ID, "", &rows))
				if strings.Count(rows.String(), "\n") != objects || fmt.Sprint(d.Report.Reasons) != fmt.Sprint(j.Failures) {
					t.Errorf("%s, %+v", &rows, d.Report)
				}
			}
		})
	}
}
