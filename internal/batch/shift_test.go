package batch_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"twinbucket/fault"
	"twinbucket/internal/batch"
	"twinbucket/internal/store"
	"twinbucket/internal/testenv"
	"twinbucket/job"
	"twinbucket/role"
)

// engine replaces the engine of e by one with other settings.
func engine(e *testenv.Env, change func(*batch.Config)) {
	c := batch.Config{Store: e.Store, Catalog: e.Catalog, IAM: e.IAM, Replicate: e.Replicate, S3: e.S3, Log: slog.New(slog.DiscardHandler)}
	change(&c)
	e.Batch = batch.New(c)
}

// TestPriorities has jobs of higher priority come while another one has the only
// slot, which pauses it: one that is new, and one whose priority is raised.
func TestPriorities(t *testing.T) {
	t.Parallel()
	const n = 600
	e := existing(t, n)
	log := &retries{after: make(chan time.Duration, 1), told: make(chan string, 100)}
	engine(e, func(c *batch.Config) { c.Slots, c.ChunkSize, c.Log = 1, 1, slog.New(log) })
	e.Start()
	made := func(token string, priority int) string {
		j := create(t, e, spec(func(s *job.Spec) {
			s.Token, s.Priority, s.ConfirmationRequired = token, priority, true
			s.Generator.Filter.ObjectReplicationStatuses = nil
		}))
		reached(t, e, j.ID, job.Suspended)
		return j.ID
	}
	confirm := func(id string) {
		_, err := e.Batch.SetStatus(t.Context(), testenv.Source, id, job.Ready, "")
		e.Must(err)
	}
	paused := func(id string) {
		t.Helper()
		testenv.Wait(t, func() (job.State, bool) {
			select {
			case told := <-log.told:
				return "", strings.HasPrefix(told, "a job is paused")
			default:
			}
			j, err := e.Batch.Get(testenv.Source, id)
			e.Must(err)
			if j.State.Terminal() {
				t.Fatalf("it was not paused before it was %s", j.State)
			}
			return j.State, false
		})
	}
	low, equal, high := made("low", 1), made("equal", 1), made("high", 2)
	confirm(low)
	reached(t, e, low, job.Active)
	confirm(equal)
	confirm(high)
	paused(low)
	reached(t, e, high, job.Active)
	_, err := e.Batch.SetPriority(t.Context(), testenv.Source, equal, 3)
	e.Must(err)
	paused(high)
	var before time.Time
	for _, id := range []string{equal, high, low} {
		done := reached(t, e, id, job.Complete)
		if got := lines(t, e, id); len(got) != n || done.Progress.Succeeded != n {
			t.Errorf("%d lines, %+v", len(got), done.Progress)
		}
		if !done.Ended.After(before) {
			t.Errorf("ended at %v, the one before at %v", done.Ended, before)
		}
		before = done.Ended
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

// TestJobsExpire lets time pass: a job that nobody confirms is in the log every
// day and fails after 30; 90 days later nothing is left of it.
func TestJobsExpire(t *testing.T) {
	t.Parallel()
	e := existing(t, 3)
	log := &retries{after: make(chan time.Duration, 1), told: make(chan string, 10)}
	var now time.Time
	restart := func(day int) {
		if day > 0 {
			e.Crash()
		}
		now = time.Unix(0, 0).AddDate(0, 0, day)
		engine(e, func(c *batch.Config) { c.Log, c.Now = slog.New(log), func() time.Time { return now } })
		e.Start()
	}
	restart(0)
	j := create(t, e, spec(func(s *job.Spec) { s.ConfirmationRequired = true }))
	reached(t, e, j.ID, job.Suspended)
	for _, day := range []int{0, 1, 30} {
		if day > 0 {
			restart(day)
		}
		if told := <-log.told; !strings.Contains(told, "awaits the confirmation") {
			t.Errorf("day %d: %s", day, told)
		}
	}
	restart(31)
	expired := reached(t, e, j.ID, job.Failed)
	if len(expired.Failures) != 1 || expired.Failures[0].Code != "JobExpired" {
		t.Errorf("%+v", expired.Failures)
	}
	restart(31 + 90)
	if j := create(t, e, spec(func(s *job.Spec) { s.Token = "other" })); j.State != job.New {
		t.Error(j.State)
	}
	if _, err := e.Batch.Get(testenv.Source, j.ID); err != nil {
		t.Errorf("after 90 days: %v", err)
	}
	restart(31 + 91)
	testenv.Wait(t, func() (error, bool) {
		_, err := e.Batch.Get(testenv.Source, j.ID)
		return err, errors.Is(err, fault.NotFound)
	})
	left, err := e.Store.List(t.Context(), ".batch", store.ListOptions{Prefix: j.ID, Max: 1})
	if err != nil || len(left.Objects) > 0 {
		t.Errorf("%+v is left, %v", left.Objects, err)
	}
	if again := create(t, e, spec(func(s *job.Spec) { s.ConfirmationRequired = true })); again.ID == j.ID {
		t.Error("its token gives the forgotten job")
	}
}

// TestOutlivesSessions runs a job for years of its clock: between any two chunks
// as much time passes as a session of a role can last, and again and again
// somebody revokes all sessions that there are, or restarts the server.
func TestOutlivesSessions(t *testing.T) {
	t.Parallel()
	const n = 2000
	e := existing(t, n)
	var looks atomic.Int64
	begun := time.Now()
	e.Now = func() time.Time { return begun.Add(time.Duration(looks.Add(1)) * 12 * time.Hour) }
	restart := func() {
		e.Crash()
		engine(e, func(c *batch.Config) { c.ChunkSize, c.Now = 1, e.Now })
		e.Start()
	}
	restart()
	j := create(t, e, spec())
	revoke := func(name string) {
		e.Must(e.IAM.UpdateRole(t.Context(), testenv.Source, name, func(r *role.Role) error {
			r.Inline["AWSRevokeOlderSessions"] = fmt.Appendf(nil, `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*",`+
				`"Condition":{"DateLessThan":{"aws:TokenIssueTime":%q}}}]}`, e.Now().UTC().Format(time.RFC3339))
			return nil
		}))
	}
	for i := range 10 {
		testenv.Wait(t, func() (job.Job, bool) {
			j, err := e.Batch.Get(testenv.Source, j.ID)
			e.Must(err)
			return j, j.Progress.Run() > int64(i*n/10)
		})
		revoke("batch")
		revoke("repl")
		if i%5 == 1 {
			restart()
		}
	}
	done := reached(t, e, j.ID, job.Complete)
	if done.Progress.Succeeded != n {
		for _, row := range lines(t, e, j.ID) {
			if !row.Succeeded {
				t.Fatalf("%+v", row)
			}
		}
	}
	t.Logf("%.0f years", done.Ended.Sub(done.Created).Hours()/24/365)
}
