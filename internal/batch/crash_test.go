package batch_test

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	"twinbucket/arn"
	"twinbucket/internal/batch"
	"twinbucket/internal/catalog"
	"twinbucket/internal/store"
	"twinbucket/internal/testenv"
	"twinbucket/job"
	"twinbucket/manifest"
)

var every = flag.Int64("every", 11, "of the operations on the disk, at which TestCrashAnywhere has a crash")

// story is a job, and what its user does about it.
type story struct {
	name   string
	n      int // entries
	change func(*testenv.Env, *job.Spec)
	// user asks for what a user would ask for now; again and again, for one who
	// got no answer repeats it.
	user func(e *testenv.Env, j job.Job)
	ends map[job.State]bool
}

func (s *story) spec(e *testenv.Env) job.Job {
	return spec(func(spec *job.Spec) {
		spec.Priority = 5
		s.change(e, spec)
	})
}

// withList has a job bring its manifest along.
func withList(e *testenv.Env, s *job.Spec) {
	o := e.Head(testenv.Reports, "list.csv", "")
	s.Generator = nil
	s.Manifest = &job.Manifest{
		Format: manifest.CSV, Fields: []manifest.Field{manifest.Bucket, manifest.Key},
		Location: job.Location{ObjectARN: arn.Object(testenv.Reports, "list.csv"), ETag: o.ETag},
	}
}

var stories = []story{
	{
		"generated and confirmed", 57,
		func(_ *testenv.Env, s *job.Spec) {
			s.ConfirmationRequired = true
			s.Generator.EnableOutput = true
			s.Generator.Output = &job.Output{Bucket: arn.Bucket(testenv.Reports), Format: manifest.Generated}
		},
		func(e *testenv.Env, j job.Job) {
			if j.State == job.Suspended {
				_, _ = e.Batch.SetStatus(e.T.Context(), testenv.Source, j.ID, job.Ready, "")
			}
		},
		map[job.State]bool{job.Complete: true},
	},
	{
		"brought and paused", 300,
		withList,
		func(e *testenv.Env, j job.Job) {
			if j.State == job.Active && j.Progress.Run() > 10 {
				urgent := spec(func(s *job.Spec) { s.Token, s.Priority = "urgent", 9 })
				_, _ = e.Batch.Create(e.T.Context(), urgent)
			}
		},
		map[job.State]bool{job.Complete: true},
	},
	{
		"cancelled", 57,
		func(_ *testenv.Env, _ *job.Spec) {},
		func(e *testenv.Env, j job.Job) {
			if j.Progress.Run() > 20 {
				_, _ = e.Batch.SetStatus(e.T.Context(), testenv.Source, j.ID, job.Cancelled, "")
			}
		},
		map[job.State]bool{job.Cancelled: true, job.Complete: true},
	},
	{
		"copies", 57,
		func(e *testenv.Env, s *job.Spec) {
			e.Bucket(copies, testenv.Source)
			may(e, everything...)
			s.Operation, s.Copy = job.PutObjectCopy, &job.Copy{Target: arn.Bucket(copies)}
		},
		func(*testenv.Env, job.Job) {},
		map[job.State]bool{job.Complete: true},
	},
	{
		"fails", 1203,
		withList, // most of its keys are not there
		func(*testenv.Env, job.Job) {},
		map[job.State]bool{job.Failed: true},
	},
}

// TestCrashAnywhere stops the process at each of the writes of a job, in every
// state: each job comes to its end all the same, and its report has one line
// for each entry that was run.
func TestCrashAnywhere(t *testing.T) {
	t.Parallel()
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			base := existing(t, min(s.n, 300))
			var rows string
			for i := range s.n {
				rows += fmt.Sprintf("%s,old/%05d\n", testenv.SrcBucket, i)
			}
			base.Put(testenv.Reports, "list.csv", rows)
			j := s.spec(base)
			states := map[job.State]int{}
			for k := int64(1); ; k += *every {
				if !s.crash(t, base, j, k, states) {
					t.Logf("crashes by state: %v", states)
					if k == 1 {
						t.Error("there was no crash")
					}
					return
				}
				if t.Failed() {
					t.Fatalf("k=%d", k)
				}
			}
		})
	}
}

// crash runs the job until the process dies at the k-th write, and after a
// restart to its end. It reports whether it came to that.
func (s *story) crash(t *testing.T, base *testenv.Env, asked job.Job, k int64, states map[job.State]int) bool {
	t.Helper()
	e := base.Copy()
	size := 10
	if s.n > 1000 {
		size = 100
	}
	small := func(c *batch.Config) { c.Slots, c.Workers, c.ChunkSize = 1, 2, size }
	dead := e.DieAt(k)
	engine(e, small)
	e.Start()
	id := ""
	testenv.Wait(t, func() (job.State, bool) {
		j, err := e.Batch.Create(t.Context(), asked)
		if err == nil {
			id = j.ID
			s.user(e, j)
		}
		return j.State, dead() || j.State.Terminal()
	})
	crashed := dead()
	if now, err := e.Batch.Get(testenv.Source, id); crashed && err == nil {
		states[now.State]++
	}
	e.Crash()
	engine(e, small)
	e.Start()
	var told job.Progress
	j := testenv.Wait(t, func() (job.Job, bool) {
		j, err := e.Batch.Create(t.Context(), asked)
		e.Must(err)
		s.user(e, j)
		if j.Progress.Run() < told.Run() {
			t.Errorf("%+v after %+v", j.Progress, told)
		}
		told = j.Progress
		return j, j.State.Terminal()
	})
	p := j.Progress
	switch {
	case !s.ends[j.State]:
		t.Errorf("the job ended %s: %+v", j.State, j.Failures)
	case p.Total != int64(s.n) && p.Total > 0 || j.State == job.Complete && p.Succeeded != int64(s.n):
		t.Errorf("%s: %+v", j.State, p)
	case p.Run() > 0:
		got, succeeded := lines(t, e, j.ID), int64(0)
		for _, row := range got {
			if row.Succeeded {
				succeeded++
			}
		}
		if int64(len(got)) != p.Run() || succeeded != p.Succeeded {
			t.Errorf("%d lines, %d of success, %+v", len(got), succeeded, p)
		}
	}
	if asked.Spec.Operation == job.PutObjectCopy {
		page, err := e.Store.ListVersions(t.Context(), copies, store.VersionsOptions{Max: 10 * s.n})
		e.Must(err)
		if int64(len(page.Versions)) != p.Succeeded {
			t.Errorf("%d versions of %d copies", len(page.Versions), p.Succeeded)
		}
	}
	e.Close()
	return crashed
}

// TestPreparingGoesOn stops the process while a long manifest is made, or read:
// what was in chunks at the last mark is not put there again, and the manifest
// has every entry once.
func TestPreparingGoesOn(t *testing.T) {
	t.Parallel()
	const n = 3500
	base := existing(t, n)
	var rows strings.Builder
	for i := range n {
		fmt.Fprintf(&rows, "%s,old/%05d\n", testenv.SrcBucket, i)
	}
	list := base.Put(testenv.Reports, "list.csv", rows.String())
	small := func(c *batch.Config) { c.ChunkSize, c.Workers = 7, 8 } // 100 chunks between marks
	for name, change := range map[string]func(*job.Spec){
		"generated": func(*job.Spec) {},
		"brought": func(s *job.Spec) {
			s.Generator = nil
			s.Manifest = &job.Manifest{
				Format: manifest.CSV, Fields: []manifest.Field{manifest.Bucket, manifest.Key},
				Location: job.Location{ObjectARN: arn.Object(testenv.Reports, "list.csv"), ETag: list.ETag},
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := base.Copy()
			defer e.Close()
			dead := e.DieAt(1200)
			engine(e, small)
			e.Start()
			j := create(t, e, spec(change))
			testenv.Wait(t, func() (job.State, bool) {
				j, err := e.Batch.Get(testenv.Source, j.ID)
				e.Must(err)
				return j.State, dead()
			})
			e.Crash()
			first := e.Head(".batch", j.ID+"/manifest/00000000", "")
			engine(e, small)
			e.Start()
			done := reached(t, e, j.ID, job.Complete)
			if got := lines(t, e, j.ID); len(got) != n || done.Progress.Succeeded != n {
				t.Errorf("%d lines, %+v", len(got), done.Progress)
			}
			kept, _, err := catalog.Of[struct{ Plan job.Plan }](e.Catalog, "job").Get(testenv.Source + "/" + j.ID)
			e.Must(err)
			if p := kept.Plan; p.Tasks != n || p.Objects.Versions != n || p.Seen.Versions != n || p.Foreseen.Succeeded != n {
				t.Errorf("planned %+v", p)
			}
			if now := e.Head(".batch", first.Key, ""); !now.Modified.Equal(first.Modified) {
				t.Error("the first chunk was made again")
			}
		})
	}
}
