package batch_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/batch"
	"twinbucket/internal/store"
	"twinbucket/internal/testenv"
	"twinbucket/internal/vfs"
	"twinbucket/job"
	"twinbucket/manifest"
	"twinbucket/object"
	"twinbucket/role"
)

// TestOneTokenMakesOneJob: a client that times out sends its request again
// while the first one is still being worked on.
func TestOneTokenMakesOneJob(t *testing.T) {
	t.Parallel()
	e := existing(t, 1)
	for round := range 20 {
		var wg sync.WaitGroup
		var ids [8]string
		for i := range ids {
			wg.Go(func() {
				j, err := e.Batch.Create(t.Context(), spec(func(s *job.Spec) { s.Token = fmt.Sprint(round) }))
				if err != nil {
					t.Errorf("round %d: %v", round, err)
				}
				ids[i] = j.ID
			})
		}
		wg.Wait()
		for _, id := range ids {
			if id != ids[0] {
				t.Fatalf("round %d: %v", round, ids)
			}
		}
	}
}

// retries is a log that tells when a step is to be tried again, and how long
// that will take.
type retries struct {
	slog.Handler
	after chan time.Duration
	told  chan string // if not nil, every message
}

func (r *retries) Enabled(context.Context, slog.Level) bool { return true }

func (r *retries) Handle(_ context.Context, rec slog.Record) error {
	if r.told != nil {
		r.told <- rec.Message
	}
	rec.Attrs(func(a slog.Attr) bool {
		if a.Key == "after" {
			r.after <- a.Value.Duration()
		}
		return true
	})
	return nil
}

// TestAStepThatFails shows how far it came, and its job can be cancelled while
// it waits to be tried again.
func TestAStepThatFails(t *testing.T) {
	t.Parallel()
	e := existing(t, 2500)
	log := &retries{after: make(chan time.Duration, 100)}
	engine := batch.New(batch.Config{Store: e.Store, Catalog: e.Catalog, IAM: e.IAM, Replicate: e.Replicate, Log: slog.New(log)})
	e.Batch = engine
	e.Start()
	j := create(t, e, spec(func(s *job.Spec) { s.ConfirmationRequired = true }))
	reached(t, e, j.ID, job.Suspended)
	_, err := e.Store.Delete(t.Context(), ".batch", j.ID+"/manifest/00000002", "", "")
	e.Must(err)
	_, err = e.Batch.SetStatus(t.Context(), testenv.Source, j.ID, job.Ready, "")
	e.Must(err)
	for delay := range log.after {
		got, err := e.Batch.Get(testenv.Source, j.ID)
		e.Must(err)
		if got.Progress.Succeeded > 0 && got.Progress.Succeeded != 2000 {
			t.Errorf("%+v", got.Progress)
		}
		if delay > time.Second {
			if got.Progress.Succeeded != 2000 {
				t.Errorf("%+v", got.Progress)
			}
			break
		}
	}
	start := time.Now()
	_, err = e.Batch.SetStatus(t.Context(), testenv.Source, j.ID, job.Cancelled, "")
	e.Must(err)
	done := reached(t, e, j.ID, job.Cancelled)
	if took := time.Since(start); took > time.Second {
		t.Errorf("it was cancelled after %v", took)
	}
	if got := lines(t, e, j.ID); len(got) != 2000 || done.Progress.Succeeded != 2000 {
		t.Errorf("%d lines, %+v", len(got), done.Progress)
	}
}

// TestDamageEndsTheJob: what the disk has changed does not come back by itself.
func TestDamageEndsTheJob(t *testing.T) {
	t.Parallel()
	e := existing(t, 3)
	e.Start()
	j := create(t, e, spec(func(s *job.Spec) { s.ConfirmationRequired = true }))
	reached(t, e, j.ID, job.Suspended)
	const segment = "/data/journal/00000000000000000000.seg"
	data, err := vfs.ReadFile(e.FS, segment)
	e.Must(err)
	// The body of the chunk stands behind what the journal says of it.
	page, err := e.Store.List(t.Context(), ".batch", store.ListOptions{Max: 1})
	e.Must(err)
	at := bytes.LastIndex(data, []byte(page.Objects[0].ETag))
	for i := at; i < min(at+500, len(data)); i++ {
		data[i]++
	}
	f, err := e.FS.OpenReadWrite(segment, vfs.Unspecified)
	e.Must(err)
	_, err = f.WriteAt(data[at:min(at+500, len(data))], int64(at))
	e.Must(err)
	e.Must(f.Close())
	_, err = e.Batch.SetStatus(t.Context(), testenv.Source, j.ID, job.Ready, "")
	e.Must(err)
	j = reached(t, e, j.ID, job.Failed)
	if !strings.Contains(fmt.Sprint(j.Failures), "checksum") {
		t.Errorf("%+v", j.Failures)
	}
}

// TestAnInventoryCutShort: its file is a broken archive.
func TestAnInventoryCutShort(t *testing.T) {
	t.Parallel()
	e := existing(t, 1)
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, err := fmt.Fprintf(z, "%q,%q,%q\n", testenv.SrcBucket, "old/00000", e.Head(testenv.SrcBucket, "old/00000", "").ID)
	e.Must(err)
	e.Must(z.Close())
	e.Start()
	for name, body := range map[string]string{
		"short": zipped.String()[:zipped.Len()-6], "wrong": zipped.String()[:zipped.Len()-8] + "12345678", "none": "xx",
	} {
		file := e.Put(testenv.Reports, name+".csv.gz", body)
		index := manifest.NewIndex(testenv.SrcBucket, testenv.Reports, time.Now(), []manifest.File{{Key: file.Key, Size: file.Size, MD5Checksum: file.ETag}})
		m := e.Put(testenv.Reports, name+".json", string(index.JSON()))
		j := reached(t, e, create(t, e, spec(func(s *job.Spec) {
			s.Token, s.Generator = name, nil
			s.Manifest = &job.Manifest{
				Format:   manifest.Inventory,
				Location: job.Location{ObjectARN: arn.Object(testenv.Reports, m.Key), ETag: m.ETag},
			}
		})).ID, job.Failed)
		if len(j.Failures) == 0 || j.Failures[0].Code != "InvalidManifestContent" {
			t.Errorf("%s: %+v", name, j.Failures)
		}
	}
}

// TestTagsAndPriorityInterruptNothing: a job that is tagged again and again
// still gets on.
func TestTagsAndPriorityInterruptNothing(t *testing.T) {
	t.Parallel()
	e := existing(t, 2500)
	e.Document(testenv.SrcBucket, bucket.Tagging, "x")
	e.Start()
	j := create(t, e, spec())
	tagging, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; tagging.Err() == nil; i++ {
			if err := e.Batch.SetTags(t.Context(), testenv.Source, j.ID, map[string]string{"k": fmt.Sprint(i)}); err != nil {
				t.Error(err)
				return
			}
		}
	})
	done := reached(t, e, j.ID, job.Complete)
	stop()
	wg.Wait()
	if done.Progress.Succeeded != 2500 {
		t.Errorf("%+v", done.Progress)
	}
}

// TestCancelAtAnyTime cancels jobs in whatever state they are: each ends, its
// report has a line for each task that was run, and its slot, the only one, is
// there for the next.
func TestCancelAtAnyTime(t *testing.T) {
	t.Parallel()
	e := existing(t, 1200)
	e.Batch = batch.New(batch.Config{Store: e.Store, Catalog: e.Catalog, IAM: e.IAM, Replicate: e.Replicate, Slots: 1, ChunkSize: 50})
	e.Start()
	states := map[job.State]int{}
	moments := []func(job.Job) bool{
		func(job.Job) bool { return true },
		func(j job.Job) bool { return j.State != job.New },
		func(j job.Job) bool { return j.State == job.Active },
		func(j job.Job) bool { return j.Progress.Run() >= 200 },
		func(j job.Job) bool { return j.Progress.Run() >= 1150 },
	}
	for round := range 20 {
		made := func(other string) job.Job {
			return create(t, e, spec(func(s *job.Spec) {
				s.Token = fmt.Sprint(round, other)
				s.Generator.Filter.ObjectReplicationStatuses = nil
			}))
		}
		j, waits := made("a"), made("b")
		testenv.Wait(t, func() (job.Job, bool) {
			j, err := e.Batch.Get(testenv.Source, j.ID)
			e.Must(err)
			return j, j.State.Terminal() || moments[round%len(moments)](j)
		})
		for _, j := range []job.Job{j, waits} {
			now, err := e.Batch.Get(testenv.Source, j.ID)
			e.Must(err)
			states[now.State]++
			_, err = e.Batch.SetStatus(t.Context(), testenv.Source, j.ID, job.Cancelled, "")
			if err != nil && fault.CodeOf(err) != "JobStatusException" {
				t.Fatal(err)
			}
		}
		for _, j := range []job.Job{j, waits} {
			done := testenv.Wait(t, func() (job.Job, bool) {
				j, err := e.Batch.Get(testenv.Source, j.ID)
				e.Must(err)
				return j, j.State.Terminal()
			})
			if done.State == job.Failed {
				t.Fatalf("%+v", done)
			}
			if n := int(done.Progress.Run()); n > 0 && len(lines(t, e, j.ID)) != n {
				t.Errorf("%s: %d lines, %+v", done.State, len(lines(t, e, j.ID)), done.Progress)
			}
		}
	}
	t.Log(states)
	reached(t, e, create(t, e, spec(func(s *job.Spec) { s.Token, s.Generator.Filter = "last", nil })).ID, job.Complete)
}

// TestWhatIsLostMeanwhile confirms jobs of which something is not there any more.
func TestWhatIsLostMeanwhile(t *testing.T) {
	t.Parallel()
	e := existing(t, 3)
	e.Start()
	confirmed := func(operation string, lose func(job.Job)) string {
		j := create(t, e, spec(func(s *job.Spec) { s.Token, s.Operation, s.ConfirmationRequired = operation, operation, true }))
		lose(reached(t, e, j.ID, job.Suspended))
		_, err := e.Batch.SetStatus(t.Context(), testenv.Source, j.ID, job.Ready, "")
		e.Must(err)
		return j.ID
	}
	unreadable := confirmed(job.ReplicateObject, func(j job.Job) {
		_, err := e.Store.Put(t.Context(), store.Put{
			Version: object.Version{Bucket: ".batch", Key: j.ID + "/manifest/00000000"}, Body: strings.NewReader("?,k,v\n"), Size: 6,
		})
		e.Must(err)
	})
	if j := reached(t, e, unreadable, job.Failed); j.Failures[0].Code != "InternalError" {
		t.Errorf("%+v", j.Failures)
	}
	// The report needs the role, too.
	roleless := confirmed("S3DeleteObjectTagging", func(job.Job) {
		e.Must(e.IAM.UpdateRole(t.Context(), testenv.Source, "batch", func(r *role.Role) error { r.Inline = nil; return nil }))
		e.Must(e.IAM.DeleteRole(t.Context(), testenv.Source, "batch"))
	})
	reached(t, e, roleless, job.Failed)
	var rows strings.Builder
	e.Must(e.Batch.WriteRows(t.Context(), testenv.Source, roleless, "", &rows))
	if got := strings.Count(rows.String(), ",failed,403,AccessDenied,"); got != 3 {
		t.Errorf("%s", rows.String())
	}
}

// TestCancelAgainAndAgain does not keep a job from ending.
func TestCancelAgainAndAgain(t *testing.T) {
	t.Parallel()
	e := existing(t, 500)
	engine(e, func(c *batch.Config) { c.ChunkSize = 10 })
	e.Start()
	j := create(t, e, spec())
	for {
		now, err := e.Batch.Get(testenv.Source, j.ID)
		e.Must(err)
		if now.State.Terminal() {
			return
		}
		if now.Progress.Run() == 0 {
			continue
		}
		if _, err := e.Batch.SetStatus(t.Context(), testenv.Source, j.ID, job.Cancelled, ""); err != nil && fault.CodeOf(err) != "JobStatusException" {
			t.Fatal(err)
		}
	}
}
