package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"twinbucket/job"
)

func TestWritePlan(t *testing.T) {
	t.Parallel()
	p := &job.Plan{
		Source: "src", Seen: job.Amount{Versions: 12000, Bytes: 3 << 30}, Tasks: 11500, Objects: job.Amount{Versions: 11480, Bytes: 5 << 29}, DeleteMarkers: 20,
		Excluded: []job.Exclusion{{Filter: "EligibleForReplication", Why: "the key begins with no rule's prefix", Amount: job.Amount{Versions: 500}, Key: "tmp/a"}},
		Foreseen: job.Outcome{
			Succeeded: 11497, Failed: 3,
			Destinations: []job.Destination{
				{Bucket: "dst", Rule: "all", Carried: job.Amount{Versions: 11000, Bytes: 2 << 30}, There: job.Amount{Versions: 497}, Failed: job.Amount{Versions: 3}},
			},
			Failures: []job.Cause{{Code: "DstPutObjectNotPermitted", Count: 3, Key: "k", VersionID: "v", Reason: "add a statement"}},
		},
		Asked: 1105, Requests: job.Requests{Tasks: 11500, Puts: 11000},
		Estimate: &job.Estimate{Seconds: 3, TasksPerSecond: 3819, Jobs: 2},
	}
	const want = `objects         11,480 of 12,000 versions in src, 2.5 GiB
delete markers  20
to dst          rule all: 11,000 to be carried, 2.0 GiB; 497 there already; 3 would fail
calls           11,500 objects worked on, 11,000 written at destinations
time            about 3s, at 3819 objects/s as in the latest 2 jobs
  500 of the 12,000 versions in src are excluded by EligibleForReplication: the key begins with no rule's prefix (for example tmp/a)
  3 would fail with DstPutObjectNotPermitted, such as k (version v)
    add a statement
Permissions were asked for 1,105 of the 11,500 objects; the others are taken as permitted.
`
	written := func(operation string, p *job.Plan) string {
		var out bytes.Buffer
		if err := writePlan(&out, operation, p); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	if diff := cmp.Diff(want, written(job.ReplicateObject, p)); diff != "" {
		t.Error(diff)
	}
	hidden := strings.NewReplacer(" (for example tmp/a)", "", ", such as k (version v)\n    add a statement", "").Replace(want)
	if diff := cmp.Diff(hidden, written(job.ReplicateObject, p.WithoutKeys())); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want, written(job.ReplicateObject, p)); diff != "" {
		t.Errorf("the plan itself has changed: %s", diff)
	}
	const tagged = `objects  2 of 2 versions in src, 9 bytes
calls    2 objects worked on
time     not known: this server has worked on no job that lasted
Permissions are not asked for S3PutObjectTagging: every object is taken as permitted.
`
	p = &job.Plan{Source: "src", Seen: job.Amount{Versions: 2, Bytes: 9}, Objects: job.Amount{Versions: 2, Bytes: 9}, Tasks: 2, Requests: job.Requests{Tasks: 2}}
	if diff := cmp.Diff(tagged, written(job.PutObjectTagging, p)); diff != "" {
		t.Error(diff)
	}
	p.Asked = 2
	if got := written(job.ReplicateObject, p); strings.Contains(got, "Permissions") {
		t.Error(got)
	}
	const fails = `The job would fail:
  AssumeRoleNotPermitted: Failed to assume role.
    add to the trust policy
`
	p = &job.Plan{Source: "src", Failures: []job.Failure{{Code: "AssumeRoleNotPermitted", Reason: "Failed to assume role."}, {Code: "AssumeRoleNotPermitted", Reason: "add to the trust policy"}}}
	if diff := cmp.Diff(fails, written(job.ReplicateObject, p)); diff != "" {
		t.Error(diff)
	}
}

func TestTimeText(t *testing.T) {
	t.Parallel()
	for want, e := range map[string]*job.Estimate{
		"about 1s, at 14296 objects/s as in the latest job":       {TasksPerSecond: 14296, Jobs: 1},
		"about 1m30s, at 0 objects/s as in the latest 3 jobs":     {Seconds: 90, Jobs: 3},
		"not known: this server has worked on no job that lasted": nil,
	} {
		if got := timeText(&job.Plan{Estimate: e}); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestBytesText(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0 bytes", 1023: "1023 bytes", 1024: "1.0 KiB", 1536: "1.5 KiB", 1 << 20: "1.0 MiB", 5 << 40: "5.0 TiB", 1<<63 - 1: "8192.0 PiB"} {
		if got := bytesText(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}
