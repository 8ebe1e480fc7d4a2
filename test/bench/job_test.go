package bench

import (
	"errors"
	"flag"
	"io/fs"
	"log/slog"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/identity"
	"twinbucket/internal/batch"
	"twinbucket/internal/store"
	"twinbucket/internal/testenv"
	"twinbucket/job"
	"twinbucket/report"
	"twinbucket/role"
)

// objects is how many objects the job of TestJob replicates:
//
//	go test ./test/bench -run TestJob -objects 1000000 -timeout 0 -v
var objects = flag.Int("objects", 10_000, "objects of the job in TestJob")

// TestJob runs a job over very many objects, with a report: it says what each
// of its phases costs, and that the memory does not grow with the objects.
func TestJob(t *testing.T) {
	n := *objects
	r := replicating(t)
	configure := func(config string) {
		must(t, r.store.UpdateBucket(t.Context(), testenv.SrcBucket, func(b *bucket.Bucket) error {
			delete(b.Documents, bucket.Replication)
			if config != "" {
				b.Documents[bucket.Replication] = []byte(config)
			}
			return nil
		}))
	}
	disk := r.disk()
	grown := func(what string) {
		now := r.disk()
		t.Logf("%s: %.0f bytes an object on the disk", what, float64(now-disk)/float64(n))
		disk = now
	}
	configure("")
	r.put("folder", n, 0)
	grown("objects of 100 bytes")
	configure(testenv.Config)
	must(t, r.store.CreateBucket(t.Context(), &bucket.Bucket{Name: testenv.Reports, Owner: testenv.Source, Region: testenv.Region}))
	_, err := r.iam.CreateRole(t.Context(), role.Role{
		Identity: identity.Identity{Account: testenv.Source, Name: "batch", Inline: map[string][]byte{"p": []byte(testenv.Policy("", testenv.BatchGrants...))}},
		Trust:    []byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"` + job.Service + `"},"Action":"sts:AssumeRole"}]}`),
	})
	must(t, err)
	engine := batch.New(batch.Config{Store: r.store, Catalog: r.catalog, IAM: r.iam, Replicate: r.engine, Log: slog.New(slog.DiscardHandler)})
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	base, most := m.HeapInuse, uint64(0)
	r.run(engine.Run)
	yes := true
	j, err := engine.Create(t.Context(), job.Job{Account: testenv.Source, Region: testenv.Region, Spec: job.Spec{
		Token: "t", Operation: job.ReplicateObject, Priority: 1, RoleARN: testenv.BatchRole, ConfirmationRequired: true,
		Report:    job.Report{Enabled: true, Bucket: arn.Bucket(testenv.Reports), Format: report.Format, Prefix: "p", Scope: job.AllTasks},
		Generator: &job.Generator{SourceBucket: arn.Bucket(testenv.SrcBucket), Filter: &job.Filter{EligibleForReplication: &yes}},
	}})
	must(t, err)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	// phase waits until the job is as it has to be, and says what that took.
	phase := func(what string, tasks int, is func(*job.Job) bool) float64 {
		begun, before := time.Now(), spent(t)
		for {
			<-tick.C
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapInuse)
			now, err := engine.Get(testenv.Source, j.ID)
			must(t, err)
			if is(&now) {
				break
			}
			if now.State == job.Failed {
				t.Fatalf("%+v", now.Failures)
			}
		}
		each := float64((spent(t) - before).Microseconds()) / float64(tasks)
		t.Logf("%-14s %7.0f objects/s, %5.1f µs of processor time each", what, float64(tasks)/time.Since(begun).Seconds(), each)
		return each
	}
	in := func(s job.State) func(*job.Job) bool { return func(j *job.Job) bool { return j.State == s } }
	begun, before := time.Now(), spent(t)
	phase("preparing", n, in(job.Suspended))
	grown("manifest")
	_, err = engine.SetStatus(t.Context(), testenv.Source, j.ID, job.Ready, "")
	must(t, err)
	var quarters [4]float64
	for i, name := range []string{"first quarter", "second quarter", "third quarter", "last quarter"} {
		quarters[i] = phase(name, n/4, func(j *job.Job) bool { return j.Progress.Run() >= int64((i+1)*n/4) })
	}
	grown("replicas, statuses and results")
	phase("report", n, in(job.Complete))
	grown("report")
	for _, part := range []string{"manifest", "result"} {
		t.Logf("%s: %.0f bytes an entry", part, float64(r.stored(".batch", j.ID+"/"+part+"/"))/float64(n))
	}
	t.Logf("report: %.0f bytes a line", float64(r.stored(testenv.Reports, "p/"))/float64(n))
	done, err := engine.Get(testenv.Source, j.ID)
	must(t, err)
	if done.Progress.Succeeded != int64(n) {
		t.Errorf("%+v", done.Progress)
	}
	t.Logf("%d objects: %.0f a second, %.1f µs of processor time each; heap %d MiB before, %d MiB at most",
		n, float64(n)/time.Since(begun).Seconds(), float64((spent(t)-before).Microseconds())/float64(n), base>>20, most>>20)
	if most > base+128<<20 {
		t.Errorf("the heap grew from %d to %d MiB", base>>20, most>>20)
	}
	if n >= 100_000 && quarters[3] > 2*quarters[0] {
		t.Errorf("the last quarter costs %.1f µs an object, the first %.1f", quarters[3], quarters[0])
	}
}

// disk is how many bytes the store takes up on the disk.
func (r *replication) disk() (size int64) {
	r.t.Helper()
	must(r.t, filepath.WalkDir(r.dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return ignoreGone(err)
		}
		info, err := entry.Info()
		if err == nil {
			size += info.Size()
		}
		return ignoreGone(err)
	}))
	return size
}

// ignoreGone passes over files that were removed meanwhile.
func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// stored is how many bytes the objects have that stand below a prefix.
func (r *replication) stored(bucket, prefix string) (size int64) {
	r.t.Helper()
	for o := (store.ListOptions{Prefix: prefix, Max: 1000}); ; {
		page, err := r.store.List(r.t.Context(), bucket, o)
		must(r.t, err)
		for _, object := range page.Objects {
			size += object.Size
		}
		if !page.Truncated {
			return size
		}
		o.After = page.Next
	}
}
