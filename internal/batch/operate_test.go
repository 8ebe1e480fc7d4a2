package batch_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"twinbucket/acl"
	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/batch"
	"twinbucket/internal/iam"
	"twinbucket/internal/store"
	"twinbucket/internal/testenv"
	"twinbucket/job"
	"twinbucket/manifest"
	"twinbucket/object"
	"twinbucket/report"
)

const (
	copies   = "copies" // the bucket that copies go to
	lockOn   = `<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>`
	listsOn  = `<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>`
	farAway  = 100 * 24 * time.Hour
	allUsers = "http://acs.amazonaws.com/groups/global/AllUsers"
)

// operating makes the scenario with a bucket for copies, Object Lock and access
// control lists.
func operating(t *testing.T) *testenv.Env {
	t.Helper()
	e := testenv.New(t)
	e.Scenario()
	e.Bucket(copies, testenv.Source)
	for _, b := range []string{testenv.SrcBucket, copies} {
		e.Document(b, bucket.ObjectLock, lockOn)
		e.Document(b, bucket.OwnershipControls, listsOn)
	}
	return e
}

// may gives the job's role its manifests and reports, and what else it may do.
func may(e *testenv.Env, statements ...string) {
	e.Role("batch", job.Service, append([]string{
		"s3:PutInventoryConfiguration " + arn.Bucket(testenv.SrcBucket),
		"s3:GetObject,s3:GetObjectVersion,s3:PutObject " + arn.Object(testenv.Reports, "*"),
	}, statements...)...)
}

// operate runs a job of an operation over entries, which are KEY or KEY@VERSION,
// and returns the lines about them.
func operate(t *testing.T, e *testenv.Env, token, operation string, p job.Parameters, entries ...string) map[string]report.Row {
	t.Helper()
	columns := versionedColumns[:2]
	var rows strings.Builder
	for _, entry := range entries {
		key, id, versioned := strings.Cut(entry, "@")
		fmt.Fprintf(&rows, "%s,%s", testenv.SrcBucket, strings.ReplaceAll(url.QueryEscape(key), "%2F", "/"))
		if versioned {
			columns = versionedColumns
			fmt.Fprintf(&rows, ",%s", id)
		}
		rows.WriteString("\n")
	}
	o := e.Put(testenv.Reports, token+".csv", rows.String())
	j := create(t, e, brought(token, o, manifest.CSV, columns, func(s *job.Spec) { s.Operation, s.Parameters = operation, p }))
	reached(t, e, j.ID, job.Complete)
	return lines(t, e, j.ID)
}

// said is what a line says: its status and code.
func said(row report.Row) string { return strings.TrimSpace(fmt.Sprint(row.HTTPStatus, " ", row.Code)) }

func ptr[T any](v T) *T { return &v }

// operations are jobs, the actions they need for the current version of an
// object that has a tag, and for one that is named, and what becomes of it.
var operations = map[string]struct {
	operation       string
	p               job.Parameters
	needs, versions string // actions on objects of the source
	writes          string // on copies
	marker          string // what the line of a delete marker, named by its version, says
	done            func(e *testenv.Env, was, now *store.Object) bool
}{
	job.PutObjectCopy: {
		job.PutObjectCopy,
		job.Parameters{Copy: &job.Copy{Target: arn.Bucket(copies), KeyPrefix: "to"}},
		"s3:GetObject,s3:GetObjectTagging", "s3:GetObjectVersion,s3:GetObjectVersionTagging", "s3:PutObject,s3:PutObjectTagging", "400 InvalidRequest",
		func(e *testenv.Env, was, _ *store.Object) bool {
			c := e.Head(copies, "to/"+was.Key, "")
			return c.ETag == was.ETag && len(c.Tags) == 1 && c.Headers == was.Headers && c.Owner == testenv.Source
		},
	},
	job.PutObjectTagging: {
		job.PutObjectTagging,
		job.Parameters{Tagging: []object.Tag{{Key: "a", Value: "b"}, {Key: "c"}}},
		"s3:PutObjectTagging", "s3:PutObjectVersionTagging", "", "405 MethodNotAllowed",
		func(_ *testenv.Env, _, now *store.Object) bool {
			return fmt.Sprint(now.Tags) == "[{a b} {c }]"
		},
	},
	job.DeleteObjectTagging: {
		job.DeleteObjectTagging,
		job.Parameters{},
		"s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging", "", "405 MethodNotAllowed",
		func(_ *testenv.Env, _, now *store.Object) bool { return len(now.Tags) == 0 },
	},
	"canned " + job.PutObjectACL: {
		job.PutObjectACL,
		job.Parameters{ACL: &job.ACL{Canned: "public-read"}},
		"s3:PutObjectAcl", "s3:PutObjectVersionAcl", "", "405 MethodNotAllowed",
		func(_ *testenv.Env, _, now *store.Object) bool {
			return len(now.ACL) == 2 && now.ACL[1] == acl.Grant{Group: allUsers, Permission: acl.Read}
		},
	},
	job.PutObjectACL: {
		job.PutObjectACL,
		job.Parameters{ACL: &job.ACL{Owner: acl.CanonicalID(testenv.Source), Grants: []job.Grant{
			{Type: "id", Identifier: acl.CanonicalID(testenv.Destination), Permission: "READ"},
			{Type: "uri", Identifier: allUsers, Permission: "READ_ACP"},
		}}},
		"s3:PutObjectAcl", "s3:PutObjectVersionAcl", "", "405 MethodNotAllowed",
		func(_ *testenv.Env, _, now *store.Object) bool {
			return len(now.ACL) == 2 && now.ACL[0] == acl.Grant{ID: acl.CanonicalID(testenv.Destination), Permission: acl.Read} &&
				now.ACL[1] == acl.Grant{Group: allUsers, Permission: acl.ReadACP}
		},
	},
	job.PutObjectLegalHold: {
		job.PutObjectLegalHold,
		job.Parameters{LegalHold: "ON"},
		"s3:PutObjectLegalHold", "s3:PutObjectLegalHold", "", "405 MethodNotAllowed",
		func(_ *testenv.Env, _, now *store.Object) bool { return now.Lock == object.Lock{Hold: true} },
	},
	job.PutObjectRetention: {
		job.PutObjectRetention,
		job.Parameters{Retention: &job.Retention{Mode: object.Governance, Until: ptr(time.Now().Add(farAway).UTC().Truncate(time.Second))}},
		"s3:PutObjectRetention", "s3:PutObjectRetention", "", "405 MethodNotAllowed",
		func(_ *testenv.Env, _, now *store.Object) bool {
			return now.Lock.Mode == object.Governance && now.Lock.Until.Sub(now.Modified) > farAway-time.Hour
		},
	},
}

// grants are the statements for actions on the source and on copies.
func grants(source, written string) (statements []string) {
	for _, g := range [][2]string{{source, testenv.SrcBucket}, {written, copies}} {
		if g[0] != "" {
			statements = append(statements, g[0]+" "+arn.Object(g[1], "*"))
		}
	}
	return append(statements, "s3:ListBucket "+arn.Bucket(testenv.SrcBucket))
}

// TestOperations: what is listed is done, with the current version where none is
// named, and nothing else; each entry has its line, with what S3 would answer.
func TestOperations(t *testing.T) {
	t.Parallel()
	for name, c := range operations {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := operating(t)
			may(e, grants(c.needs+","+c.versions, c.writes)...)
			tag := object.Tag{Key: "x", Value: "1"}
			const odd = "b b/ü?+%&.txt"
			first, second := e.Put(testenv.SrcBucket, "a", "one", tag), e.Put(testenv.SrcBucket, "a", "second", tag)
			b, other := e.Put(testenv.SrcBucket, odd, "b", tag), e.Put(testenv.SrcBucket, "other", "o", tag)
			e.Put(testenv.SrcBucket, "gone", "g")
			marker, err := e.Store.Delete(t.Context(), testenv.SrcBucket, "gone", "", testenv.Source)
			e.Must(err)
			e.Start()

			got := operate(t, e, "current", c.operation, c.p, "a", odd, "gone", "absent")
			want := map[string]string{"a": "200", odd: "200", "gone": "404 NoSuchKey", "absent": "404 NoSuchKey"}
			for key, want := range want {
				if row := got[key]; said(row) != want || row.Succeeded != (want == "200") || row.Message == "" {
					t.Errorf("%s: %+v, want %s", key, row, want)
				}
			}
			if len(got) != len(want) {
				t.Errorf("%d lines, want %d", len(got), len(want))
			}
			changed := func(o *store.Object, want bool) {
				t.Helper()
				now := e.Head(o.Bucket, o.Key, o.ID)
				if c.operation == job.PutObjectCopy && !want {
					return // what is not copied is nowhere to be seen
				}
				if got := c.done(e, o, now); got != want {
					t.Errorf("%s %s: done is %t, want %t: %+v", o.Key, o.ID, got, want, now.Version)
				}
				if now.ETag != o.ETag || !now.Modified.Equal(o.Modified) {
					t.Errorf("%s %s is another version: %+v", o.Key, o.ID, now.Version)
				}
			}
			changed(second, true)
			changed(b, true)
			changed(first, false)
			changed(other, false)

			none := strings.Repeat("v", 32)
			got = operate(t, e, "named", c.operation, c.p, "a@"+first.ID, "gone@"+marker.ID, "a@"+none)
			for id, want := range map[string]string{"a" + first.ID: "200", "gone" + marker.ID: c.marker, "a" + none: "404 NoSuchVersion"} {
				if row := got[id]; said(row) != want {
					t.Errorf("%s: %+v, want %s", id, row, want)
				}
			}
			changed(first, true)
			changed(other, false)
		})
	}
}

// TestOperationsAreAuthorized: a task without one of the actions that it needs
// fails, and does nothing.
func TestOperationsAreAuthorized(t *testing.T) {
	t.Parallel()
	for name, c := range operations {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := operating(t)
			o := e.Put(testenv.SrcBucket, "a", "one", object.Tag{Key: "x", Value: "1"})
			e.Start()
			n := 0
			for _, needs := range []struct{ actions, entry, line string }{{c.needs, "a", "a"}, {c.versions, "a@" + o.ID, "a" + o.ID}} {
				all := strings.Split(strings.TrimSuffix(needs.actions+","+c.writes, ","), ",")
				for _, without := range all {
					deny := []string{"!" + without + " " + arn.Object(testenv.SrcBucket, "*"), "!" + without + " " + arn.Object(copies, "*")}
					if needs.actions == c.versions { // the plain actions are of no use
						deny = append(deny, "s3:GetObject,s3:GetObjectTagging,s3:PutObjectTagging,s3:DeleteObjectTagging,s3:PutObjectAcl "+arn.Object(testenv.SrcBucket, "*"))
					}
					may(e, append(grants(needs.actions, c.writes), deny...)...)
					n++
					row := operate(t, e, fmt.Sprint("n", n), c.operation, c.p, needs.entry)[needs.line]
					if said(row) != "403 AccessDenied" || !strings.Contains(row.Message, without) {
						t.Errorf("without %s: %+v", without, row)
					}
				}
			}
			may(e, grants(c.needs, c.writes)...)
			if now := e.Head(o.Bucket, o.Key, o.ID); len(now.Tags) != 1 || now.Lock != (object.Lock{}) || len(now.ACL) > 0 {
				t.Errorf("what was refused was done: %+v", now.Version)
			}
			if page, err := e.Store.List(t.Context(), copies, store.ListOptions{Max: 1}); err != nil || len(page.Objects) > 0 {
				t.Errorf("a copy was made: %+v, %v", page.Objects, err)
			}
			if row := operate(t, e, "all", c.operation, c.p, "a")["a"]; !row.Succeeded {
				t.Errorf("with all: %+v", row)
			}
		})
	}
}

// TestGeneratedForOperations: a manifest lists the current versions and no delete
// markers, with and without rules of replication.
func TestGeneratedForOperations(t *testing.T) {
	t.Parallel()
	for _, versioning := range []bucket.Versioning{bucket.Enabled, bucket.Unversioned} {
		t.Run(string(versioning)+"versioning", func(t *testing.T) {
			t.Parallel()
			e := testenv.New(t)
			e.Scenario()
			e.Versioning(testenv.SrcBucket, versioning)
			needs := "s3:PutObjectVersionTagging"
			if versioning == bucket.Unversioned {
				needs = "s3:PutObjectTagging"
			}
			may(e, needs+" "+arn.Object(testenv.SrcBucket, "*"))
			old, a, b := e.Put(testenv.SrcBucket, "a", "old"), e.Put(testenv.SrcBucket, "a", "new"), e.Put(testenv.SrcBucket, "b", "b")
			e.Put(testenv.SrcBucket, "gone", "g")
			_, err := e.Store.Delete(t.Context(), testenv.SrcBucket, "gone", "", testenv.Source)
			e.Must(err)
			e.Start()
			tagged := func(token string, filter *job.Filter) map[string]report.Row {
				j := create(t, e, spec(func(s *job.Spec) {
					s.Token, s.Operation, s.Tagging, s.Generator.Filter = token, job.PutObjectTagging, []object.Tag{{Key: token}}, filter
				}))
				reached(t, e, j.ID, job.Complete)
				return lines(t, e, j.ID)
			}
			got := tagged("all", nil)
			for _, o := range []*store.Object{a, b} {
				if row := got[o.Key+o.ID]; !row.Succeeded || len(e.Head(o.Bucket, o.Key, o.ID).Tags) != 1 {
					t.Errorf("%s: %+v", o.Key, row)
				}
			}
			if len(got) != 2 {
				t.Errorf("%+v", got)
			}
			if versioning == bucket.Enabled && len(e.Head(old.Bucket, old.Key, old.ID).Tags) > 0 {
				t.Error("a version that is not the current one was tagged")
			}
			if got := tagged("filtered", &job.Filter{KeyName: &job.KeyNameConstraint{Prefixes: []string{"b"}}}); len(got) != 1 {
				t.Errorf("filtered: %+v", got)
			}
			if got := tagged("never", &job.Filter{ObjectReplicationStatuses: []string{"NONE"}}); len(got) != 2 {
				t.Errorf("never replicated: %+v", got)
			}
			j := create(t, e, spec(func(s *job.Spec) {
				s.Token, s.Operation, s.Generator.Filter = "eligible", job.DeleteObjectTagging, &job.Filter{EligibleForReplication: ptr(true)}
			}))
			if j = reached(t, e, j.ID, job.Failed); j.Failures[0].Code != "NoKeysFound" {
				t.Errorf("eligible without rules: %+v", j.Failures)
			}
			plan, err := e.Batch.Plan(t.Context(), testenv.Source, testenv.Region, ptr(spec(func(s *job.Spec) {
				s.Operation, s.Tagging, s.Generator.Filter = job.PutObjectTagging, []object.Tag{}, nil
			}).Spec))
			e.Must(err)
			if plan.Tasks != 2 || plan.Foreseen.Succeeded != 2 || plan.Objects != (job.Amount{Versions: 2, Bytes: a.Size + b.Size}) || len(plan.Failures) > 0 ||
				versioning == bucket.Enabled && (len(plan.Excluded) != 2 || plan.Excluded[0].Filter != job.PutObjectTagging) {
				t.Errorf("%+v", plan)
			}
		})
	}
}

// TestOperationsOnLocks: what Object Lock protects stays, and who may bypass
// governance does so only if the job asks for it.
func TestOperationsOnLocks(t *testing.T) {
	t.Parallel()
	e := operating(t)
	in := func(days int) *time.Time {
		return ptr(time.Now().AddDate(0, 0, days).UTC().Truncate(time.Second))
	}
	const set, bypass = "s3:PutObjectRetention", "s3:PutObjectRetention,s3:BypassGovernanceRetention"
	e.Start()
	for name, c := range map[string]struct {
		had  object.Lock
		asks job.Retention
		may  string
		want string
	}{
		"none before":              {object.Lock{}, job.Retention{Mode: object.Compliance, Until: in(5)}, set, "200"},
		"longer compliance":        {object.Lock{Mode: object.Compliance, Until: *in(5)}, job.Retention{Mode: object.Compliance, Until: in(9)}, set, "200"},
		"shorter compliance":       {object.Lock{Mode: object.Compliance, Until: *in(5)}, job.Retention{Mode: object.Compliance, Until: in(2), Bypass: ptr(true)}, bypass, "403 AccessDenied"},
		"no more compliance":       {object.Lock{Mode: object.Compliance, Until: *in(5)}, job.Retention{Bypass: ptr(true)}, bypass, "403 AccessDenied"},
		"shorter governance":       {object.Lock{Mode: object.Governance, Until: *in(5)}, job.Retention{Mode: object.Governance, Until: in(2)}, bypass, "403 AccessDenied"},
		"bypassed":                 {object.Lock{Mode: object.Governance, Until: *in(5)}, job.Retention{Mode: object.Governance, Until: in(2), Bypass: ptr(true)}, bypass, "200"},
		"bypassed without a right": {object.Lock{Mode: object.Governance, Until: *in(5)}, job.Retention{Mode: object.Governance, Until: in(2), Bypass: ptr(true)}, set, "403 AccessDenied"},
		"taken away":               {object.Lock{Mode: object.Governance, Until: *in(5)}, job.Retention{Bypass: ptr(true)}, bypass, "200"},
		"in the past":              {object.Lock{}, job.Retention{Mode: object.Governance, Until: in(-1)}, set, "400 InvalidArgument"},
	} {
		may(e, c.may+" "+arn.Object(testenv.SrcBucket, "*"))
		o, err := e.Store.Put(t.Context(), store.Put{Version: object.Version{Bucket: testenv.SrcBucket, Key: name, Owner: testenv.Source, Lock: c.had}})
		e.Must(err)
		row := operate(t, e, name, job.PutObjectRetention, job.Parameters{Retention: &c.asks}, name)[name]
		want := object.Lock{Mode: c.asks.Mode}
		if c.asks.Until != nil {
			want.Until = *c.asks.Until
		}
		if c.want != "200" {
			want = c.had
		}
		if got := e.Head(o.Bucket, o.Key, o.ID).Lock; said(row) != c.want || got.Mode != want.Mode || !got.Until.Equal(want.Until) {
			t.Errorf("%s: %+v, want %s; %+v", name, row, c.want, got)
		}
	}

	may(e, "s3:PutObjectLegalHold,s3:PutObjectTagging "+arn.Object(testenv.SrcBucket, "*"))
	e.Put(testenv.SrcBucket, "held", "h")
	for _, status := range []string{"ON", "OFF"} {
		row := operate(t, e, "hold "+status, job.PutObjectLegalHold, job.Parameters{LegalHold: status}, "held")["held"]
		if got := e.Head(testenv.SrcBucket, "held", "").Lock; !row.Succeeded || got.Hold != (status == "ON") {
			t.Errorf("%s: %+v, %+v", status, row, got)
		}
	}
	e.Bucket("plain", testenv.Source)
	may(e, "s3:PutObjectLegalHold,s3:GetObject "+arn.Object("plain", "*"))
	e.Put("plain", "a", "a")
	m := e.Put(testenv.Reports, "plain.csv", "plain,a\n")
	j := create(t, e, brought("plain", m, manifest.CSV, versionedColumns[:2], func(s *job.Spec) { s.Operation, s.LegalHold = job.PutObjectLegalHold, "ON" }))
	reached(t, e, j.ID, job.Complete)
	if row := lines(t, e, j.ID)["a"]; said(row) != "400 InvalidRequest" || !strings.Contains(row.Message, "ObjectLockConfiguration") && !strings.Contains(row.Message, "Object Lock Configuration") {
		t.Errorf("no Object Lock: %+v", row)
	}
}

// TestOperationsKnowTheirConditions: policies see of a task what they would see of a request.
func TestOperationsKnowTheirConditions(t *testing.T) {
	t.Parallel()
	e := operating(t)
	may(e, everything...)
	e.Put(testenv.SrcBucket, "a", "body", object.Tag{Key: "x", Value: "1"})
	e.Start()
	tagging := job.Parameters{Tagging: []object.Tag{{Key: "team", Value: "red"}}}
	copied := job.Parameters{Copy: &job.Copy{Target: arn.Bucket(copies), StorageClass: "STANDARD_IA", CannedACL: "bucket-owner-read"}}
	for i, c := range []struct {
		bucket, action, condition string
		operation                 string
		p                         job.Parameters
	}{
		{testenv.SrcBucket, "s3:PutObjectTagging", `"StringEquals":{"s3:RequestObjectTag/team":"red"}`, job.PutObjectTagging, tagging},
		{testenv.SrcBucket, "s3:PutObjectTagging", `"StringEquals":{"s3:ExistingObjectTag/x":"1"}`, job.PutObjectTagging, tagging},
		{testenv.SrcBucket, "s3:PutObjectTagging", `"Bool":{"aws:SecureTransport":"true"}`, job.PutObjectTagging, tagging},
		{copies, "s3:PutObject", `"StringEquals":{"s3:x-amz-copy-source":"src-bucket/a"}`, job.PutObjectCopy, copied},
		{copies, "s3:PutObject", `"StringEquals":{"s3:x-amz-storage-class":"STANDARD_IA"}`, job.PutObjectCopy, copied},
		{copies, "s3:PutObject", `"StringEquals":{"s3:x-amz-acl":"bucket-owner-read"}`, job.PutObjectCopy, copied},
		{copies, "s3:PutObject", `"StringEquals":{"s3:signatureversion":"AWS4-HMAC-SHA256"}`, job.PutObjectCopy, copied},
	} {
		may(e, append(everything, "s3:PutObjectTagging "+arn.Object(testenv.SrcBucket, "*"))...)
		e.Document(c.bucket, bucket.Policy, fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":%q,"Resource":"arn:aws:s3:::%s/*","Condition":{%s}}]}`, c.action, c.bucket, c.condition))
		if row := operate(t, e, fmt.Sprint("denied", i), c.operation, c.p, "a")["a"]; said(row) != "403 AccessDenied" || !strings.Contains(row.Message, "resource-based") {
			t.Errorf("%s: %+v", c.condition, row)
		}
		e.Document(c.bucket, bucket.Policy, "")
		if row := operate(t, e, fmt.Sprint("allowed", i), c.operation, c.p, "a")["a"]; !row.Succeeded {
			t.Errorf("%s, no policy: %+v", c.condition, row)
		}
		_, err := e.Store.SetTags(t.Context(), testenv.SrcBucket, "a", e.Head(testenv.SrcBucket, "a", "").ID, []object.Tag{{Key: "x", Value: "1"}})
		e.Must(err)
	}
}

// troubled is an S3 that answers each key with its errors, one after the other,
// and then well.
type troubled struct {
	mu     sync.Mutex
	errors map[string][]error
	asked  map[string]int
}

func (s *troubled) Do(r *http.Request, _ *iam.Caller, _ string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, key, _ := strings.Cut(r.URL.Path[1:], "/")
	n := s.asked[key]
	s.asked[key]++
	if n < len(s.errors[key]) {
		return s.errors[key][n]
	}
	return nil
}

// TestTroubleOfTheMachine is no failure of a task: it is tried again.
func TestTroubleOfTheMachine(t *testing.T) {
	t.Parallel()
	e := operating(t)
	may(e)
	s3 := &troubled{asked: map[string]int{}, errors: map[string][]error{
		"full": {fault.New(fault.NoSpace, "", "the disk is full"), fault.New(fault.Busy, "SlowDown", "Please reduce your request rate.")},
		"odd":  {errors.New("input/output error")},
		// What is damaged stays so.
		"damaged": slices.Repeat([]error{fault.New(fault.Damaged, "", "the checksum is another")}, 10),
	}}
	e.Batch = batch.New(batch.Config{Store: e.Store, Catalog: e.Catalog, IAM: e.IAM, Replicate: e.Replicate, S3: s3, Log: slog.New(slog.DiscardHandler)})
	e.Start()
	got := operate(t, e, "t", job.DeleteObjectTagging, job.Parameters{}, "full", "odd", "damaged", "well")
	for key, want := range map[string]string{"full": "200", "odd": "200", "damaged": "500 InternalError", "well": "200"} {
		if row := got[key]; said(row) != want || len(got) != 4 {
			t.Errorf("%s: %+v, want %s", key, row, want)
		}
	}
	if s3.asked["full"] < 3 || s3.asked["odd"] < 2 {
		t.Errorf("asked %v", s3.asked)
	}
}

// TestBucketThatIsNone: its tasks fail.
func TestBucketThatIsNone(t *testing.T) {
	t.Parallel()
	e := operating(t)
	may(e)
	e.Start()
	m := e.Put(testenv.Reports, "list.csv", "nowhere,a\n")
	j := create(t, e, brought("t", m, manifest.CSV, versionedColumns[:2], func(s *job.Spec) { s.Operation = job.DeleteObjectTagging }))
	reached(t, e, j.ID, job.Complete)
	if row := lines(t, e, j.ID)["a"]; said(row) != "404 NoSuchBucket" {
		t.Errorf("%+v", row)
	}
}
