package e2e

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3control"
	"github.com/aws/aws-sdk-go-v2/service/s3control/types"
)

// entries is how many objects the job of TestKill works through.
const entries = 20_000

// killing is a scenario whose server is killed now and then.
type killing struct {
	*scenario
	t       *testing.T
	s3, dst *s3.Client
	control *s3control.Client
	mu      sync.Mutex
	acked   map[string]bool // KEY VERSION of every acknowledged put
}

// connect makes the SDK's clients anew.
func (k *killing) connect() {
	k.s3, k.control = k.src.server.sdk(k.t, "source")
	k.dst, _ = k.src.server.sdk(k.t, "destination")
}

// restart kills the server and serves the same data at the same address.
func (k *killing) restart() {
	k.t.Helper()
	old := k.src.server
	if err := old.kill(); err != nil {
		k.t.Fatal(err)
	}
	s, err := serve(old.data, old.listen())
	if err != nil {
		k.t.Fatalf("serving again: %v", err)
	}
	*old = *s // the cleanup of the first start stops it
	k.connect()
}

// put puts an object and notes that it was acknowledged.
func (k *killing) put(ctx context.Context, c *s3.Client, key string) error {
	id, err := put(ctx, c, srcBucket, key)
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.acked[key+" "+id] = true
	return nil
}

// fill puts the objects that the job is for.
func (k *killing) fill() {
	k.t.Helper()
	next, failed := make(chan int), make(chan error, 1)
	var workers sync.WaitGroup
	for range 24 {
		workers.Go(func() {
			for n := range next {
				if err := k.put(k.t.Context(), k.s3, fmt.Sprintf("old/%05d", n)); err != nil {
					select {
					case failed <- err:
					default: // one is enough
					}
				}
			}
		})
	}
	for n := range entries {
		next <- n
	}
	close(next)
	workers.Wait()
	select {
	case err := <-failed:
		k.t.Fatal(err)
	default:
	}
}

// putWhileKilled puts objects until the server is gone.
func (k *killing) putWhileKilled(name string) (wait func()) {
	ctx, stop := context.WithCancel(k.t.Context())
	client := k.s3
	var workers sync.WaitGroup
	for w := range 4 {
		workers.Go(func() {
			for n := 0; k.put(ctx, client, fmt.Sprintf("live/%s/%d/%05d", name, w, n)) == nil; n++ {
			}
		})
	}
	return func() { stop(); workers.Wait() }
}

// describe returns the job.
func (k *killing) describe(id string) *types.JobDescriptor {
	k.t.Helper()
	account := source
	out, err := k.control.DescribeJob(k.t.Context(), &s3control.DescribeJobInput{AccountId: &account, JobId: &id})
	if err != nil {
		k.t.Fatal(err)
	}
	return out.Job
}

// until describes the job until it is as wanted.
func (k *killing) until(id string, done func(*types.JobDescriptor) bool) *types.JobDescriptor {
	k.t.Helper()
	var j *types.JobDescriptor
	if err := poll(func() (bool, error) {
		j = k.describe(id)
		if j.Status == types.JobStatusFailed || j.Status == types.JobStatusCancelled {
			return false, fmt.Errorf("the job is %s: %+v", j.Status, j.FailureReasons)
		}
		return done(j), nil
	}); err != nil {
		k.t.Fatalf("%v; the job is %s, %+v; the log: %s", err, j.Status, j.ProgressSummary, k.src.server.words())
	}
	return j
}

func status(want types.JobStatus) func(*types.JobDescriptor) bool {
	return func(j *types.JobDescriptor) bool { return j.Status == want }
}

// TestKill kills the server (SIGKILL) while a job waits for its confirmation,
// and again and again while it runs and other objects are put. In the end the
// job is Complete with one line for each entry in its report, no acknowledged
// put is lost, and every version has its replica.
func TestKill(t *testing.T) {
	k := &killing{scenario: newScenario(t, clis(t)[0]), t: t, acked: make(map[string]bool)}
	k.connect()
	k.fill()
	k.steps()
	id := k.src.createJob(srcBucket, batchRole)

	k.until(id, status(types.JobStatusSuspended))
	k.restart()
	j := k.describe(id)
	if j.Status != types.JobStatusSuspended || *j.ProgressSummary.TotalNumberOfTasks != entries {
		t.Fatalf("after a kill the suspended job is %s, %d tasks", j.Status, *j.ProgressSummary.TotalNumberOfTasks)
	}
	k.src.confirm(id)
	begun := int64(0) // tasks that have succeeded before a kill
	for n := range 3 {
		wait := k.putWhileKilled(fmt.Sprint(n))
		j := k.until(id, func(j *types.JobDescriptor) bool {
			return *j.ProgressSummary.NumberOfTasksSucceeded > begun || j.Status == types.JobStatusComplete
		})
		if n == 0 && j.Status != types.JobStatusActive {
			t.Errorf("the job was %s before it could be killed at its work", j.Status)
		}
		begun = *j.ProgressSummary.NumberOfTasksSucceeded
		k.restart()
		wait()
	}
	j = k.until(id, status(types.JobStatusComplete))
	if p := j.ProgressSummary; *p.TotalNumberOfTasks != entries || *p.NumberOfTasksSucceeded != entries || *p.NumberOfTasksFailed != 0 {
		t.Errorf("of %d tasks %d succeeded, %d failed", *p.TotalNumberOfTasks, *p.NumberOfTasksSucceeded, *p.NumberOfTasksFailed)
	}
	if len(k.acked) <= entries {
		t.Errorf("nothing was put while the job ran: %d puts", len(k.acked))
	}
	k.checkReport(id)
	k.checkVersions()
}

// checkReport holds the report against the entries: each once.
func (k *killing) checkReport(id string) {
	k.t.Helper()
	lines := make(map[string]int)
	for _, r := range k.src.report(srcBucket, id) {
		if r.status != "succeeded" {
			k.t.Errorf("the report says %+v", r)
		}
		lines[r.key]++
	}
	for n := range entries {
		if key := fmt.Sprintf("old/%05d", n); lines[key] != 1 {
			k.t.Errorf("%d lines for %s", lines[key], key)
		}
	}
	if len(lines) != entries {
		k.t.Errorf("%d keys in the report, not %d", len(lines), entries)
	}
}

// checkVersions looks for every acknowledged put at both sides.
func (k *killing) checkVersions() {
	k.t.Helper()
	here, err := versions(k.t.Context(), k.s3, srcBucket)
	if err != nil {
		k.t.Fatal(err)
	}
	for v := range k.acked {
		if !here[v] {
			k.t.Errorf("acknowledged and lost: %s", v)
		}
	}
	var missing []string
	if err := poll(func() (bool, error) {
		there, err := versions(k.t.Context(), k.dst, dstBucket)
		missing = missing[:0]
		for v := range k.acked {
			if !there[v] {
				missing = append(missing, v)
			}
		}
		return len(missing) == 0, err
	}); err != nil {
		k.t.Errorf("%v: %d versions have no replica, such as %s", err, len(missing), missing[:min(3, len(missing))])
	}
}

// TestKillWhilePutting kills a server under puts alone, several times.
func TestKillWhilePutting(t *testing.T) {
	k := &killing{scenario: newScenario(t, clis(t)[0]), t: t, acked: make(map[string]bool)}
	k.connect()
	k.steps()
	for n := range 5 {
		wait := k.putWhileKilled(fmt.Sprint(n))
		if err := poll(func() (bool, error) {
			k.mu.Lock()
			defer k.mu.Unlock()
			return len(k.acked) >= 500*(n+1), nil
		}); err != nil {
			t.Fatal(err)
		}
		k.restart()
		wait()
	}
	k.checkVersions()
}
