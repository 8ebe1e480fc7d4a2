package batch_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strings"
	"testing"

	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/internal/batch"
	"twinbucket/internal/store"
	"twinbucket/internal/testenv"
	"twinbucket/job"
	"twinbucket/manifest"
	"twinbucket/object"
	"twinbucket/report"
)

// What other tools for replication were found to get wrong.

// held takes part n of a job's manifest away, so that its chunk cannot be run,
// however many others are; back puts it there again.
func held(t *testing.T, e *testenv.Env, id string, n int) (back func(*testenv.Env)) {
	t.Helper()
	key := fmt.Sprintf("%s/manifest/%08d", id, n)
	part := readObject(t, e, ".batch", key)
	_, err := e.Store.Delete(t.Context(), ".batch", key, "", "")
	e.Must(err)
	return func(e *testenv.Env) {
		e.T.Helper()
		_, err := e.Store.Put(t.Context(), store.Put{
			Version: object.Version{Bucket: ".batch", Key: key}, Body: strings.NewReader(part), Size: int64(len(part)),
		})
		e.Must(err)
	}
}

// ran waits until so many tasks of a job have run.
func ran(t *testing.T, e *testenv.Env, id string, n int64) {
	t.Helper()
	testenv.Wait(t, func() (bool, bool) {
		j, err := e.Batch.Get(testenv.Source, id)
		e.Must(err)
		return true, j.Progress.Run() == n
	})
}

// TestSlowEarlyObject: the process dies when all objects but the first ones,
// which are slow, are done. No mark of how far it came skips these.
func TestSlowEarlyObject(t *testing.T) {
	t.Parallel()
	const n = 120
	e := existing(t, n)
	small := func(c *batch.Config) { c.ChunkSize = 10 }
	engine(e, small)
	e.Start()
	j := create(t, e, spec(func(s *job.Spec) { s.ConfirmationRequired = true }))
	reached(t, e, j.ID, job.Suspended)
	back := held(t, e, j.ID, 0)
	_, err := e.Batch.SetStatus(t.Context(), testenv.Source, j.ID, job.Ready, "")
	e.Must(err)
	ran(t, e, j.ID, n-10)
	for range 2 { // also one that was taken up again, and did not come further
		e.Crash()
		engine(e, small)
		e.Start()
		reached(t, e, j.ID, job.Active)
		ran(t, e, j.ID, n-10)
	}
	e.Crash()
	back(e)
	engine(e, small)
	e.Start()
	done := reached(t, e, j.ID, job.Complete)
	if got := lines(t, e, j.ID); len(got) != n || done.Progress.Succeeded != n {
		t.Errorf("%d lines, %+v", len(got), done.Progress)
	}
	for i := range n {
		e.Head(testenv.DstBucket, fmt.Sprintf("old/%05d", i), "") // is there
	}
}

// TestCheckpointRemoved: while the process is down, the objects at which a job
// stopped are removed, and so is a result that it had kept. It goes on all the
// same, skips nothing, and doubles nothing.
func TestCheckpointRemoved(t *testing.T) {
	t.Parallel()
	const n = 120
	e := existing(t, n)
	small := func(c *batch.Config) { c.ChunkSize = 10 }
	engine(e, small)
	e.Start()
	j := create(t, e, spec(func(s *job.Spec) { s.ConfirmationRequired = true }))
	reached(t, e, j.ID, job.Suspended)
	backs := []func(*testenv.Env){held(t, e, j.ID, 4), held(t, e, j.ID, 11)}
	_, err := e.Batch.SetStatus(t.Context(), testenv.Source, j.ID, job.Ready, "")
	e.Must(err)
	ran(t, e, j.ID, n-20)
	e.Crash()
	for _, back := range backs {
		back(e)
	}
	_, err = e.Store.Delete(t.Context(), ".batch", j.ID+"/result/00000007", "", "")
	e.Must(err)
	// The last that were done before each gap, and the first and last in it.
	gone := map[string]bool{}
	for _, i := range []int{39, 40, 49, 109, 110, 119} {
		o := e.Head(testenv.SrcBucket, fmt.Sprintf("old/%05d", i), "")
		_, err := e.Store.Delete(t.Context(), testenv.SrcBucket, o.Key, o.ID, testenv.Source)
		e.Must(err)
		if i/10 == 4 || i/10 == 11 {
			gone[o.Key] = true
		}
	}
	engine(e, small)
	e.Start()
	done := reached(t, e, j.ID, job.Complete)
	got := lines(t, e, j.ID)
	if len(got) != n || done.Progress.Succeeded != int64(n-len(gone)) || done.Progress.Failed != int64(len(gone)) {
		t.Errorf("%d lines, %+v", len(got), done.Progress)
	}
	for _, row := range got {
		if row.Succeeded == gone[row.Key] || gone[row.Key] && row.Code != "SrcKeyNotFound" {
			t.Errorf("%+v", row)
		}
	}
}

// TestReportRefused: what a job did is not lost when its report may not be
// written: it is counted, kept, and at the destination.
func TestReportRefused(t *testing.T) {
	t.Parallel()
	for name, refuse := range map[string]func(*testenv.Env){
		"denied": func(e *testenv.Env) {
			e.Role("batch", job.Service, testenv.BatchGrants[:2]...)
		},
		"retained": func(e *testenv.Env) {
			e.Document(testenv.Reports, bucket.ObjectLock, `<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>`)
		},
		"gone": func(e *testenv.Env) {
			e.Must(e.Store.DeleteBucket(context.Background(), testenv.Reports))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const n = 25
			e := existing(t, n)
			engine(e, func(c *batch.Config) { c.ChunkSize = 10 })
			refuse(e)
			e.Start()
			j := reached(t, e, create(t, e, spec()).ID, job.Failed)
			if j.Progress.Succeeded != n || j.Progress.Failed != 0 || len(j.Failures) == 0 || !strings.Contains(j.Failures[0].Reason, "report bucket") {
				t.Errorf("%+v, %+v", j.Progress, j.Failures)
			}
			kept := map[string]bool{}
			page, err := e.Store.List(t.Context(), ".batch", store.ListOptions{Prefix: j.ID + "/result/", Max: 100})
			e.Must(err)
			for _, o := range page.Objects {
				rows := report.NewReader(strings.NewReader(readObject(t, e, ".batch", o.Key)))
				for row, err := rows.Next(); err != io.EOF; row, err = rows.Next() {
					e.Must(err)
					kept[row.Key] = row.Succeeded
				}
			}
			for i := range n {
				if o := e.Head(testenv.DstBucket, fmt.Sprintf("old/%05d", i), ""); !kept[o.Key] {
					t.Errorf("nothing is kept about %s", o.Key)
				}
			}
		})
	}
}

var failing = flag.Int("failing", 10_000, "how many tasks of TestManyThatFail fail")

// TestManyThatFail: a job of whose tasks half fail, as many as may, leaves
// another one of healthy objects its share of the work.
func TestManyThatFail(t *testing.T) {
	t.Parallel()
	const healthy = 2000
	e := existing(t, healthy)
	refused := e.Put(testenv.SrcBucket, "refused", "x")
	e.Document(testenv.DstBucket, bucket.Policy, testenv.Policy(testenv.ReplRole,
		append([]string{"!s3:ReplicateObject " + arn.Object(testenv.DstBucket, refused.Key)}, testenv.DstGrants...)...))
	var rows strings.Builder
	for i := range *failing {
		fmt.Fprintf(&rows, "%s,old/%05d\n", testenv.SrcBucket, i%healthy)
		if i%20 == 0 {
			fmt.Fprintf(&rows, "%s,%s\n", testenv.SrcBucket, refused.Key)
		} else {
			fmt.Fprintf(&rows, "%s,gone/%d\n", testenv.SrcBucket, i)
		}
	}
	list := e.Put(testenv.Reports, "list.csv", rows.String())
	e.Start()
	confirm := func(s *job.Spec) { s.ConfirmationRequired = true }
	ill := create(t, e, brought("ill", list, manifest.CSV, []manifest.Field{manifest.Bucket, manifest.Key}, confirm)).ID
	well := create(t, e, spec(token("well"), confirm)).ID
	for _, id := range []string{ill, well} {
		reached(t, e, id, job.Suspended)
	}
	for _, id := range []string{ill, well} {
		_, err := e.Batch.SetStatus(t.Context(), testenv.Source, id, job.Ready, "")
		e.Must(err)
	}
	reached(t, e, well, job.Complete)
	during, err := e.Batch.Get(testenv.Source, ill)
	e.Must(err)
	if during.Progress.Run() > 8*healthy {
		t.Errorf("while %d healthy objects were replicated, %d others were tried", healthy, during.Progress.Run())
	}
	done := reached(t, e, ill, job.Complete)
	if half := int64(*failing); done.Progress.Succeeded != half || done.Progress.Failed != half {
		t.Errorf("%+v", done.Progress)
	}
}
