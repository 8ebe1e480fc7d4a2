package batch_test

import (
	"testing"
	"time"

	"twinbucket/internal/batch"
	"twinbucket/internal/testenv"
	"twinbucket/job"
)

// engine replaces the engine of e by one with other settings.
func engine(e *testenv.Env, change func(*batch.Config)) {
	c := batch.Config{Store: e.Store, Catalog: e.Catalog, IAM: e.IAM, Replicate: e.Replicate}
	change(&c)
	e.Batch = batch.New(c)
}

// TestPriorities has a job of higher priority come while another one has the
// only slot, which pauses it; so does raising the priority of one that waits.
func TestPriorities(t *testing.T) {
	t.Parallel()
	const n = 4000
	e := existing(t, n)
	small := func(c *batch.Config) { c.Slots, c.ChunkSize = 1, 10 }
	engine(e, small)
	e.Start()
	made := func(token string, priority int) string {
		id := create(t, e, spec(func(s *job.Spec) {
			s.Token, s.Priority, s.ConfirmationRequired = token, priority, true
			s.Generator.Filter.ObjectReplicationStatuses = nil
		})).ID
		reached(t, e, id, job.Suspended)
		return id
	}
	low, equal, high := made("low", 1), made("equal", 1), made("high", 2)
	for _, id := range []string{low, equal, high} {
		_, err := e.Batch.SetStatus(t.Context(), testenv.Source, id, job.Ready, "")
		e.Must(err)
		if id == low {
			reached(t, e, low, job.Active)
		}
	}
	reached(t, e, high, job.Active)
	// Paused is what the other one waits for.
	paused := reached(t, e, low, job.Paused)
	if paused.Progress.Run() == n || paused.Progress.Total != n {
		t.Errorf("%+v", paused.Progress)
	}
	reached(t, e, equal, job.Ready)
	e.Crash()
	engine(e, small)
	if now, err := e.Batch.Get(testenv.Source, low); err != nil || now.State != job.Paused || now.Progress.Run() < paused.Progress.Run() {
		t.Errorf("after a crash: %+v, %v", now, err)
	}
	e.Start()
	reached(t, e, high, job.Active)
	_, err := e.Batch.SetPriority(t.Context(), testenv.Source, equal, 3)
	e.Must(err)
	reached(t, e, equal, job.Active)
	reached(t, e, high, job.Paused)
	for _, id := range []string{equal, high, low} { // in this order: each has the slot to its end
		if done := reached(t, e, id, job.Complete); done.Progress.Succeeded != n {
			t.Errorf("%+v", done.Progress)
		}
		if got := lines(t, e, id); len(got) != n {
			t.Errorf("%d lines", len(got))
		}
	}
	var ended [3]time.Time
	for i, id := range []string{equal, high, low} {
		j, err := e.Batch.Get(testenv.Source, id)
		e.Must(err)
		ended[i] = j.Ended
	}
	if !ended[0].Before(ended[1]) || !ended[1].Before(ended[2]) {
		t.Errorf("ended at %v", ended)
	}
}

// TestTimeInActive counts the time that a job was Active, not that in which it
// waited, through pauses and crashes.
func TestTimeInActive(t *testing.T) {
	t.Parallel()
	e := existing(t, 30)
	hours := make(chan time.Duration, 1)
	hours <- 0
	small := func(c *batch.Config) {
		c.ChunkSize, c.Workers = 10, 1
		c.Now = func() time.Time { // an hour passes between two looks at the clock
			now := <-hours + time.Hour
			hours <- now
			return time.Unix(0, 0).Add(now)
		}
	}
	engine(e, small)
	e.Start()
	j := create(t, e, spec(func(s *job.Spec) { s.ConfirmationRequired = true }))
	reached(t, e, j.ID, job.Suspended)
	e.Crash()
	<-hours
	hours <- 1000 * time.Hour
	engine(e, small)
	e.Start()
	_, err := e.Batch.SetStatus(t.Context(), testenv.Source, j.ID, job.Ready, "")
	e.Must(err)
	done := reached(t, e, j.ID, job.Complete)
	// One look for each chunk, and some for those who asked meanwhile.
	if s := done.Progress.ActiveSeconds; s < 3*3600 || s > 900*3600 {
		t.Errorf("%d hours in Active", s/3600)
	}
	if took := done.Ended.Sub(done.Created); took < 1000*time.Hour {
		t.Errorf("%v from creation to end", took)
	}
}
