package batch_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/internal/batch"
	"twinbucket/internal/store"
	"twinbucket/internal/testenv"
	"twinbucket/job"
	"twinbucket/manifest"
	"twinbucket/object"
)

// planned returns what a job would do.
func planned(t *testing.T, e *testenv.Env, j job.Job) *job.Plan {
	t.Helper()
	p, err := e.Batch.Plan(t.Context(), j.Account, j.Region, &j.Spec)
	e.Must(err)
	return p
}

func TestPlan(t *testing.T) {
	t.Parallel()
	e := existing(t, 4) // of one byte
	o := e.Head(testenv.SrcBucket, "old/00003", "")
	_, err := e.Store.Delete(t.Context(), testenv.SrcBucket, o.Key, o.ID, testenv.Source)
	e.Must(err)
	e.Start()
	// One is there already, and one is excluded by each of two filters.
	reached(t, e, create(t, e, spec(func(s *job.Spec) {
		s.Token = "first"
		s.Generator.Filter.KeyName = &job.KeyNameConstraint{Suffixes: []string{"0"}}
	})).ID, job.Complete)
	e.Document(testenv.SrcBucket, bucket.Replication, "")
	e.Put(testenv.SrcBucket, "new", "12345")
	e.Document(testenv.SrcBucket, bucket.Replication, strings.Replace(testenv.Config, "<Filter/>", "<Filter><Prefix>old/</Prefix></Filter>", 1))
	ask := spec(func(s *job.Spec) {
		s.Generator.Filter.ObjectReplicationStatuses = nil
		s.Generator.Filter.KeyName = &job.KeyNameConstraint{Suffixes: []string{"0", "1", "w"}}
	})
	want := &job.Plan{
		Source: testenv.SrcBucket, Seen: job.Amount{Versions: 4, Bytes: 8},
		Tasks: 2, Objects: job.Amount{Versions: 2, Bytes: 2}, Asked: 2,
		Excluded: []job.Exclusion{
			{Filter: "EligibleForReplication", Why: `rule all: the key does not begin with "old/"`, Amount: job.Amount{Versions: 1, Bytes: 5}, Key: "new"},
			{Filter: "MatchAnySuffix", Amount: job.Amount{Versions: 1, Bytes: 1}, Key: "old/00002"},
		},
		Foreseen: job.Outcome{Succeeded: 2, Destinations: []job.Destination{{
			Bucket: testenv.DstBucket, Rule: "all", Carried: job.Amount{Versions: 1, Bytes: 1}, There: job.Amount{Versions: 1, Bytes: 1},
		}}},
		Requests: job.Requests{Tasks: 2, Puts: 1},
	}
	before, _, err := e.Batch.List(testenv.Source, nil, "", 10)
	e.Must(err)
	got := planned(t, e, ask)
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(job.Plan{}, "Made", "Estimate")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got.Made.IsZero() {
		t.Error("it was not made at any time")
	}
	after, _, err := e.Batch.List(testenv.Source, nil, "", 10)
	e.Must(err)
	page, err := e.Store.List(t.Context(), ".batch", store.ListOptions{Max: 100})
	e.Must(err)
	for _, o := range page.Objects {
		if !strings.HasPrefix(o.Key, before[0].ID) {
			t.Errorf("a plan left %s", o.Key)
		}
	}
	if len(after) != len(before) {
		t.Errorf("%d jobs, before %d", len(after), len(before))
	}
}

// TestPlanSaysWhichRule is in the way of what is not eligible, and how.
func TestPlanSaysWhichRule(t *testing.T) {
	t.Parallel()
	e := testenv.New(t)
	e.Scenario()
	put := func(key string, change func(*object.Version)) {
		v := object.Version{Bucket: testenv.SrcBucket, Key: key, Owner: testenv.Source}
		if change != nil {
			change(&v)
		}
		_, err := e.Store.Put(t.Context(), store.Put{Version: v, Body: strings.NewReader("x"), Size: 1})
		e.Must(err)
	}
	put("other", nil)
	put("logs/untagged", nil)
	put("off/a", nil)
	put("a/archived", func(v *object.Version) { v.Class = "DEEP_ARCHIVE" })
	put("a/kms", func(v *object.Version) {
		v.Encryption = object.Encryption{Algorithm: object.KMS, KeyARN: testenv.SrcKey}
	})
	put("a/taken", nil)
	_, err := e.Store.Delete(t.Context(), testenv.SrcBucket, "a/marker", "", testenv.Source)
	e.Must(err)
	one := func(id, status, filter string) string {
		return "<Rule><ID>" + id + "</ID><Priority>" + id[1:] + "</Priority><Status>" + status + "</Status><Filter>" + filter +
			"</Filter><DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication><Destination><Bucket>arn:aws:s3:::" + testenv.DstBucket + "</Bucket></Destination></Rule>"
	}
	e.Document(testenv.SrcBucket, bucket.Replication, `<ReplicationConfiguration><Role>`+testenv.ReplRole+`</Role>`+
		one("r1", "Enabled", "<Prefix>a/</Prefix>")+one("r2", "Disabled", "<Prefix>off/</Prefix>")+
		one("r3", "Enabled", "<And><Prefix>logs/</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And>")+`</ReplicationConfiguration>`)
	got := map[string]string{}
	for _, x := range planned(t, e, spec(func(s *job.Spec) { s.Generator.Filter.ObjectReplicationStatuses = nil })).Excluded {
		if x.Filter != "EligibleForReplication" || x.Versions != 1 {
			t.Errorf("%+v", x)
		}
		got[x.Key] = x.Why
	}
	want := map[string]string{
		"other":         "the key begins with no rule's prefix",
		"logs/untagged": "rule r3: the object has no tag k=v",
		"off/a":         "rule r2: the rule is Disabled",
		"a/archived":    "rule r1: its storage class is DEEP_ARCHIVE: archived objects are not read",
		"a/kms":         "rule r1: it is encrypted under a key of KMS, and SseKmsEncryptedObjects is not Enabled",
		"a/marker":      "rule r1: it is a delete marker, and DeleteMarkerReplication is Disabled",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestPlanOfAManifest that was brought along: what it names is looked up.
func TestPlanOfAManifest(t *testing.T) {
	t.Parallel()
	e := existing(t, 2)
	o := e.Head(testenv.SrcBucket, "old/00000", "")
	m := e.Put(testenv.Reports, "list.csv", fmt.Sprintf("src-bucket,old/00000,%s\nsrc-bucket,none,%s\n", o.ID, o.ID))
	got := planned(t, e, spec(func(s *job.Spec) {
		s.Generator = nil
		s.Manifest = &job.Manifest{
			Format: manifest.CSV, Fields: []manifest.Field{manifest.Bucket, manifest.Key, manifest.VersionID},
			Location: job.Location{ObjectARN: arn.Object(testenv.Reports, "list.csv"), ETag: m.ETag},
		}
	}))
	if got.Tasks != 2 || got.Objects != (job.Amount{Versions: 1, Bytes: 1}) || got.Seen.Versions != 2 {
		t.Errorf("%+v", got)
	}
	if f := got.Foreseen; f.Succeeded != 1 || f.Failed != 1 || f.Failures[0].Code != "SrcKeyNotFound" || f.Failures[0].Key != "none" {
		t.Errorf("%+v", f)
	}
}

// TestPlanForesees what will refuse the tasks, and what the job as a whole, and
// that comes so.
func TestPlanForesees(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*testenv.Env, *job.Spec)
		code   string // of the tasks
		fails  string // code of the job
		says   string
	}{
		"nothing": {func(*testenv.Env, *job.Spec) {}, "", "", ""},
		"may not initiate": {func(e *testenv.Env, _ *job.Spec) {
			e.Role("batch", "batchoperations.s3.amazonaws.com", testenv.BatchGrants[1:]...)
		}, "InitiateReplicationNotPermitted", "", "s3:InitiateReplication"},
		"replication role is not trusted": {func(e *testenv.Env, _ *job.Spec) {
			e.Role("repl", "ec2.amazonaws.com", testenv.ReplGrants...)
		}, "AssumeRoleNotPermitted", "", "s3.amazonaws.com"},
		"destination refuses": {func(e *testenv.Env, _ *job.Spec) {
			e.Document(testenv.DstBucket, bucket.Policy, "")
		}, "DstPutObjectNotPermitted", "", "s3:ReplicateObject"},
		"deleted there": {func(e *testenv.Env, _ *job.Spec) {
			src, err := e.Store.Bucket(testenv.SrcBucket)
			e.Must(err)
			o := e.Head(testenv.SrcBucket, "old/00000", "")
			_, err = e.Replicate.Replicate(e.T.Context(), src, []*store.Object{o})
			e.Must(err)
			_, err = e.Store.Delete(e.T.Context(), testenv.DstBucket, o.Key, o.ID, testenv.Destination)
			e.Must(err)
		}, "DstObjectHardDeleted", "", "copy the source object onto itself"},
		"batch role is not trusted": {func(_ *testenv.Env, s *job.Spec) { s.RoleARN = testenv.ReplRole }, "", "AssumeRoleNotPermitted", "batchoperations"},
		"may not write the report": {func(e *testenv.Env, _ *job.Spec) {
			e.Role("batch", "batchoperations.s3.amazonaws.com", testenv.BatchGrants[:2]...)
		}, "", "ReportWriteNotPermitted", "s3:PutObject"},
		"may not write the manifest": {func(e *testenv.Env, s *job.Spec) {
			e.Role("batch", "batchoperations.s3.amazonaws.com", testenv.BatchGrants[:2]...)
			s.Generator.EnableOutput = true
			s.Generator.Output = &job.Output{Bucket: arn.Bucket(testenv.Reports), Format: manifest.Generated}
		}, "", "ManifestWriteNotPermitted", "s3:PutObject"},
		"nothing to do": {func(_ *testenv.Env, s *job.Spec) {
			s.Generator.Filter.KeyName = &job.KeyNameConstraint{Prefixes: []string{"x"}}
		}, "", "NoKeysFound", "1 of the 1 versions in src-bucket is excluded by MatchAnyPrefix (for example old/00000)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := existing(t, 1)
			j := spec(func(s *job.Spec) { s.Generator.Filter.ObjectReplicationStatuses = nil })
			c.change(e, &j.Spec)
			got := planned(t, e, j)
			var code, fails string
			if f := got.Foreseen.Failures; len(f) > 0 {
				code = f[0].Code
			}
			if len(got.Failures) > 0 {
				fails = got.Failures[0].Code
			}
			if said := fmt.Sprint(got.Foreseen.Failures, got.Failures); code != c.code || fails != c.fails || !strings.Contains(said, c.says) {
				t.Errorf("%+v", got)
			}
			e.Start()
			want := job.Complete
			if c.fails != "" {
				want = job.Failed
			}
			done := reached(t, e, create(t, e, j).ID, want)
			if len(got.Failures) > 0 && (done.Failures[0] != got.Failures[0] || len(done.Failures) < len(got.Failures)) {
				t.Errorf("foreseen %+v, and it came %+v", got.Failures, done.Failures)
			}
			if want != job.Complete {
				return
			}
			for _, row := range lines(t, e, done.ID) {
				if row.Code != c.code || row.Code != "" && row.Message != got.Foreseen.Failures[0].Reason {
					t.Errorf("%+v, foreseen %+v", row, got.Foreseen)
				}
			}
		})
	}
}

// TestNoKeysFoundSaysWhy: what each filter excluded, and how many.
func TestNoKeysFoundSaysWhy(t *testing.T) {
	t.Parallel()
	e := testenv.New(t)
	e.Scenario()
	e.Document(testenv.SrcBucket, bucket.Replication, strings.Replace(testenv.Config, "<Filter/>", "<Filter><Prefix>a/</Prefix></Filter>", 1))
	e.Start()
	none := reached(t, e, create(t, e, spec(func(s *job.Spec) { s.Token = "empty" })).ID, job.Failed)
	if got := fmt.Sprint(none.Failures[1:]); got != "[{NoKeysFound there is no version in src-bucket}]" {
		t.Error(got)
	}
	for i := range 3 {
		e.Put(testenv.SrcBucket, fmt.Sprintf("logs/%d", i), "x")
	}
	e.Settled(e.Put(testenv.SrcBucket, "a/1", "x", object.Tag{Key: "k", Value: "v"}))
	j := reached(t, e, create(t, e, spec()).ID, job.Failed)
	want := []job.Failure{
		{Code: "NoKeysFound", Reason: "Manifest generation found no keys matching the filter criteria."},
		{Code: "NoKeysFound", Reason: `3 of the 4 versions in src-bucket are excluded by EligibleForReplication: rule all: the key does not begin with "a/" (for example logs/0)`},
		{Code: "NoKeysFound", Reason: "1 of the 4 versions in src-bucket is excluded by ObjectReplicationStatuses: COMPLETED (for example a/1)"},
	}
	if diff := cmp.Diff(want, j.Failures); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestPlanEstimates by how long the jobs before it were Active.
func TestPlanEstimates(t *testing.T) {
	t.Parallel()
	e := existing(t, 40)
	var looked atomic.Int64 // each look at the clock takes a second
	engine(e, func(c *batch.Config) {
		c.Now = func() time.Time { return time.Now().Add(time.Duration(looked.Add(1)) * time.Second) }
	})
	if got := planned(t, e, spec()); got.Estimate != nil {
		t.Errorf("nothing was measured: %+v", got.Estimate)
	}
	e.Start()
	done := reached(t, e, create(t, e, spec()).ID, job.Complete)
	got := planned(t, e, spec(func(s *job.Spec) { s.Generator.Filter.ObjectReplicationStatuses = nil })).Estimate
	if got == nil || got.Jobs != 1 || got.TasksPerSecond <= 0 || got.TasksPerSecond > 40 || got.Seconds < 1 {
		t.Errorf("%+v after %+v", got, done.Progress)
	}
}

// TestPlanAsksForASample: of many tasks what is permitted is asked for some, but
// for all once one is known to fail, and then the plan fails as the job would.
func TestPlanAsksForASample(t *testing.T) {
	t.Parallel()
	e := existing(t, 1500)
	if got := planned(t, e, spec()); got.Tasks != 1500 || got.Asked != 1005 || got.Foreseen.Succeeded != 1500 || got.Failures != nil {
		t.Errorf("%+v", got)
	}
	e.Document(testenv.DstBucket, bucket.Policy, testenv.Policy(testenv.ReplRole, append([]string{"!s3:ReplicateObject " + arn.Object(testenv.DstBucket, "old/000*")}, testenv.DstGrants...)...))
	if got := planned(t, e, spec()); got.Asked != 1500 || got.Foreseen.Failed != 100 || got.Failures != nil {
		t.Errorf("%+v", got)
	}
	e.Document(testenv.DstBucket, bucket.Policy, "")
	got := planned(t, e, spec())
	if f := got.Foreseen; got.Asked != 1500 || f.Failed != 1500 || f.Failures[0].Count != 1500 || f.Succeeded != 0 || len(got.Failures) == 0 || got.Failures[0].Code != "FailureThresholdExceeded" {
		t.Errorf("%+v", got)
	}
}

// TestPlansTellNothingOfOthers looks at nothing that another account has, not
// even whether it is there.
func TestPlansTellNothingOfOthers(t *testing.T) {
	t.Parallel()
	e := existing(t, 1)
	e.Put(testenv.DstBucket, "secret", "12345")
	list := e.Put(testenv.Reports, "list.csv", testenv.DstBucket+",secret\n"+testenv.DstBucket+",none\n")
	for _, operation := range []string{job.ReplicateObject, "S3DeleteObjectTagging"} {
		got := planned(t, e, spec(func(s *job.Spec) {
			withList(e, s)
			s.Operation = operation
		}))
		if got.Tasks != 2 || got.Objects != (job.Amount{}) || got.Foreseen.Succeeded != 0 {
			t.Errorf("%s: %+v, of %s", operation, got, list.ETag)
		}
		for _, f := range got.Foreseen.Failures {
			if f.Code != "SrcBucketNotFound" {
				t.Errorf("%s: %+v", operation, f)
			}
		}
	}
}
