package e2e

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The names of the reference scenario: those of examples/cross-account, with
// parameters of our own.
const (
	srcBucket = "scenario-src"
	dstBucket = "scenario-dst"
	replRole  = "replication-role"
	batchRole = "batch-role"
)

// scenario is the two people of the reference scenario and what they deploy.
type scenario struct {
	t        *testing.T
	src, dst *user
}

// newScenario makes the world as it is before: two versioned buckets.
func newScenario(t *testing.T, c cli) *scenario {
	s := start(t)
	w := &scenario{t, &user{t, c, s, "source"}, &user{t, c, s, "destination"}}
	w.src.deploy("source-bucket", "examples/cross-account/0-source-bucket.yaml", "SourceBucket="+srcBucket)
	w.dst.deploy("destination-bucket", "examples/cross-account/2a-destination-bucket.yaml", "DestinationBucket="+dstBucket)
	return w
}

// steps takes steps 1 to 4.
func (w *scenario) steps() {
	const folder = "examples/cross-account/"
	w.src.deploy("replication-role", folder+"1-replication-role.yaml", "SourceBucket="+srcBucket, "DestinationBucket="+dstBucket)
	w.dst.deploy("destination-policy", folder+"2-destination-policy.yaml", "DestinationBucket="+dstBucket, "SourceAccount="+source)
	w.src.deploy("source-bucket", folder+"3-source-bucket-replicated.yaml", "SourceBucket="+srcBucket, "DestinationBucket="+dstBucket, "DestinationAccount="+destination)
	w.src.deploy("batch-role", folder+"4-batch-role.yaml", "SourceBucket="+srcBucket, "ReportBucket="+srcBucket)
}

// head is what head-object says.
type head struct {
	VersionID         string `json:"VersionId"`
	ReplicationStatus string
	ContentLength     int64
	LastModified      string
}

func (u *user) head(bucket, key string) (h head) {
	u.t.Helper()
	u.json(&h, "s3api", "head-object", "--bucket", bucket, "--key", key)
	return h
}

// job is what describe-job says.
type job struct {
	Job struct {
		Status          string
		ProgressSummary struct{ TotalNumberOfTasks, NumberOfTasksSucceeded, NumberOfTasksFailed int }
		FailureReasons  []struct{ FailureCode, FailureReason string }
	}
}

// createJob creates a job for a bucket's existing objects, to be confirmed.
func (u *user) createJob(bucket, role string) string {
	u.t.Helper()
	return strings.TrimSpace(u.aws("s3control", "create-job", "--account-id", source, "--operation", `{"S3ReplicateObject":{}}`,
		"--report", `{"Bucket":"arn:aws:s3:::`+bucket+`","Prefix":"reports","Format":"Report_CSV_20180820","Enabled":true,"ReportScope":"AllTasks"}`,
		"--manifest-generator", `{"S3JobManifestGenerator":{"ExpectedBucketOwner":"`+source+`","SourceBucket":"arn:aws:s3:::`+bucket+`","EnableManifestOutput":false,"Filter":{"EligibleForReplication":true,"ObjectReplicationStatuses":["NONE","FAILED"]}}}`,
		"--priority", "1", "--role-arn", "arn:aws:iam::"+source+":role/"+role, "--confirmation-required",
		"--query", "JobId", "--output", "text"))
}

// await describes a job until it is in one of the given states; any other
// final state fails the test. It returns the states seen on the way, too.
func (u *user) await(id string, states ...string) (j job, seen []string) {
	u.t.Helper()
	if err := poll(func() (bool, error) {
		j = job{}
		u.json(&j, "s3control", "describe-job", "--account-id", source, "--job-id", id)
		if now := j.Job.Status; len(seen) == 0 || seen[len(seen)-1] != now {
			seen = append(seen, now)
		}
		for _, s := range states {
			if j.Job.Status == s {
				return true, nil
			}
		}
		switch j.Job.Status {
		case "Complete", "Failed", "Cancelled":
			return false, fmt.Errorf("job %s is %s, not %v: %+v", id, j.Job.Status, states, j.Job)
		}
		return false, nil
	}); err != nil {
		u.t.Fatal(err)
	}
	return j, seen
}

// confirm says go.
func (u *user) confirm(id string) {
	u.t.Helper()
	var answer struct{ Status string }
	u.json(&answer, "s3control", "update-job-status", "--account-id", source, "--job-id", id, "--requested-job-status", "Ready")
	if answer.Status != "Ready" {
		u.t.Errorf("confirmed, the job is %s", answer.Status)
	}
}

// row is a line of a job's completion report.
type row struct{ bucket, key, version, status, code, message string }

// report reads a job's completion report.
func (u *user) report(bucket, id string) (rows []row) {
	u.t.Helper()
	dir := u.t.TempDir()
	get := func(key string) []byte {
		file := filepath.Join(dir, "got")
		u.aws("s3api", "get-object", "--bucket", bucket, "--key", key, file)
		data, err := os.ReadFile(file)
		if err != nil {
			u.t.Fatal(err)
		}
		return data
	}
	var summary struct {
		Results []struct{ TaskExecutionStatus, Key string }
	}
	if err := json.Unmarshal(get("reports/job-"+id+"/manifest.json"), &summary); err != nil {
		u.t.Fatal(err)
	}
	for _, r := range summary.Results {
		lines, err := csv.NewReader(strings.NewReader(string(get(r.Key)))).ReadAll()
		if err != nil {
			u.t.Fatal(err)
		}
		for _, l := range lines {
			if len(l) != 7 || l[3] != r.TaskExecutionStatus {
				u.t.Fatalf("%s has the line %q", r.Key, l)
			}
			rows = append(rows, row{l[0], l[1], l[2], l[3], l[5], l[6]})
		}
	}
	return rows
}

// TestScenario goes the whole way with aws alone.
func TestScenario(t *testing.T) {
	eachCLI(t, func(t *testing.T, c cli) {
		w := newScenario(t, c)
		old := w.putOld()
		w.steps()
		w.liveObject()
		for _, key := range old {
			if h := w.src.head(srcBucket, key); h.ReplicationStatus != "" {
				t.Errorf("%s was there before the rule and is %s", key, h.ReplicationStatus)
			}
		}
		w.wrongRole()
		w.rightRole(old)
	})
}

// putOld puts a few objects before there is a rule.
func (w *scenario) putOld() []string {
	w.t.Helper()
	dir := w.t.TempDir()
	keys := []string{"old/1.txt", "old/2 +ü.txt", "old/sub/3.txt"}
	for _, k := range keys {
		file := filepath.Join(dir, filepath.FromSlash(k))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			w.t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(k), 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
	w.src.aws("s3", "sync", dir, "s3://"+srcBucket)
	return keys
}

// liveObject puts an object under the rule: within a second it is COMPLETED
// here and a REPLICA there, as the same version. Both sides are asked by
// presigned addresses, which is quicker than aws.
func (w *scenario) liveObject() {
	w.t.Helper()
	const key = "live.txt"
	here := strings.TrimSpace(w.src.aws("s3", "presign", "s3://"+srcBucket+"/"+key))
	there := strings.TrimSpace(w.dst.aws("s3", "presign", "s3://"+dstBucket+"/"+key))
	file := filepath.Join(w.t.TempDir(), key)
	if err := os.WriteFile(file, []byte("hello"), 0o600); err != nil {
		w.t.Fatal(err)
	}
	var put head
	w.src.json(&put, "s3api", "put-object", "--bucket", srcBucket, "--key", key, "--body", file)
	begun := time.Now()
	for _, side := range []struct{ url, status string }{{here, "COMPLETED"}, {there, "REPLICA"}} {
		if err := poll(func() (bool, error) {
			res, err := http.Get(side.url)
			if err != nil {
				return false, err
			}
			if err := res.Body.Close(); err != nil {
				return false, err
			}
			status, id := res.Header.Get("x-amz-replication-status"), res.Header.Get("x-amz-version-id")
			switch {
			case status == "FAILED":
				return false, fmt.Errorf("%s is FAILED", side.url)
			case status == side.status && id != put.VersionID:
				return false, fmt.Errorf("version %s, not %s", id, put.VersionID)
			}
			return status == side.status, nil
		}); err != nil {
			w.t.Fatalf("waiting for %s: %v", side.status, err)
		}
	}
	if took := time.Since(begun); took > time.Second {
		w.t.Errorf("it took %v", took)
	}
	a, b := w.src.head(srcBucket, key), w.dst.head(dstBucket, key)
	if a.ReplicationStatus != "COMPLETED" || b.ReplicationStatus != "REPLICA" || a.VersionID != b.VersionID || a.LastModified != b.LastModified {
		w.t.Errorf("source %+v, destination %+v", a, b)
	}
}

// wrongRole is the job with the replication role: AWS's text, exactly.
func (w *scenario) wrongRole() {
	w.t.Helper()
	j, _ := w.src.await(w.src.createJob(srcBucket, replRole), "Failed")
	if r := j.Job.FailureReasons; len(r) == 0 || r[0].FailureReason != "Error occurred when preparing manifest: Failed to assume role." {
		w.t.Errorf("the failure's reasons are %+v", r)
	}
	if p := j.Job.ProgressSummary; p.NumberOfTasksSucceeded+p.NumberOfTasksFailed != 0 {
		w.t.Errorf("tasks have run: %+v", p)
	}
}

// rightRole is the job as it should be: suspended, confirmed, complete, and
// one line in its report for every entry.
func (w *scenario) rightRole(keys []string) {
	w.t.Helper()
	id := w.src.createJob(srcBucket, batchRole)
	j, seen := w.src.await(id, "Suspended")
	for _, s := range seen {
		if s != "New" && s != "Preparing" && s != "Suspended" {
			w.t.Errorf("before its confirmation the job was %s", s)
		}
	}
	if n := j.Job.ProgressSummary.TotalNumberOfTasks; n != len(keys) {
		w.t.Errorf("%d tasks for %d objects", n, len(keys))
	}
	w.src.confirm(id)
	j, _ = w.src.await(id, "Complete")
	if p := j.Job.ProgressSummary; p.NumberOfTasksSucceeded != len(keys) || p.NumberOfTasksFailed != 0 {
		w.t.Errorf("progress %+v", p)
	}
	rows := w.src.report(srcBucket, id)
	if len(rows) != len(keys) {
		w.t.Errorf("%d lines in the report for %d entries: %+v", len(rows), len(keys), rows)
	}
	for _, r := range rows {
		if r.bucket != srcBucket || r.status != "succeeded" {
			w.t.Errorf("the report says %+v", r)
		}
	}
	for _, k := range keys {
		a, b := w.src.head(srcBucket, k), w.dst.head(dstBucket, k)
		if a.ReplicationStatus != "COMPLETED" || b.ReplicationStatus != "REPLICA" || a.VersionID != b.VersionID || a.LastModified != b.LastModified {
			w.t.Errorf("%s: source %+v, destination %+v", k, a, b)
		}
	}
}
