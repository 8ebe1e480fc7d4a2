package batch_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"twinbucket/fault"
	"twinbucket/internal/batch"
	"twinbucket/internal/catalog"
	"twinbucket/internal/store"
	"twinbucket/internal/testenv"
	"twinbucket/job"
)

// TestUpdatesInEveryState: what UpdateJobStatus, UpdateJobPriority and the
// operations on tags do to a job in each of its states.
func TestUpdatesInEveryState(t *testing.T) {
	t.Parallel()
	const no = job.State("")
	want := map[job.State]struct {
		ready, cancelled job.State
		priority         bool
	}{
		job.New:        {no, job.Cancelling, true},
		job.Preparing:  {no, job.Cancelling, true},
		job.Suspended:  {job.Ready, job.Cancelled, true},
		job.Ready:      {no, job.Cancelling, true},
		job.Active:     {no, job.Cancelling, true},
		job.Pausing:    {no, job.Cancelling, true},
		job.Paused:     {no, job.Cancelling, true},
		job.Completing: {no, job.Cancelling, true},
		job.Cancelling: {no, job.Cancelling, true},
		job.Failing:    {no, no, true},
		job.Complete:   {},
		job.Cancelled:  {},
		job.Failed:     {},
	}
	e, _ := idle(t)
	records := catalog.Of[job.Job](e.Catalog, "job")
	for _, state := range job.States() {
		for _, asked := range []job.State{job.Ready, job.Cancelled} {
			was := spec()
			was.ID, was.State = string(state)+"-"+string(asked), state
			if state == job.Suspended {
				was.SuspendedCause = job.AwaitingConfirmation
			}
			_, err := records.Put(t.Context(), testenv.Source+"/"+was.ID, was, 0)
			e.Must(err)
		}
	}
	e.Batch = batch.New(batch.Config{Store: e.Store, Catalog: e.Catalog, IAM: e.IAM, Replicate: e.Replicate})
	for state, w := range want {
		for asked, to := range map[job.State]job.State{job.Ready: w.ready, job.Cancelled: w.cancelled} {
			id := string(state) + "-" + string(asked)
			_, err := e.Batch.SetPriority(t.Context(), testenv.Source, id, 7)
			if w.priority != (err == nil) || err != nil && (fault.CodeOf(err) != "BadRequestException" || fault.HintOf(err) == "") {
				t.Errorf("%s, priority: %v", state, err)
			}
			if err := e.Batch.SetTags(t.Context(), testenv.Source, id, map[string]string{"k": "v"}); err != nil {
				t.Errorf("%s, tags: %v", state, err)
			}
			got, err := e.Batch.SetStatus(t.Context(), testenv.Source, id, asked, "because")
			if to == no {
				if fault.CodeOf(err) != "JobStatusException" || fault.HintOf(err) == "" {
					t.Errorf("%s, %s: %v", state, asked, err)
				}
			} else if err != nil || got.State != to || got.StatusReason != "because" {
				t.Errorf("%s, %s: %s %q, %v; want %s", state, asked, got.State, got.StatusReason, err, to)
			}
			now, err := e.Batch.Get(testenv.Source, id)
			e.Must(err)
			switch {
			case to == no && (now.State != state || now.StatusReason != ""):
				t.Errorf("%s, %s was refused: %+v", state, asked, now)
			case to != no && now.State.Terminal() == now.Ended.IsZero():
				t.Errorf("%s, %s: ended %v", state, asked, now.Ended)
			case state == job.Suspended && now.SuspendedCause != "" && to == job.Ready:
				t.Errorf("%s, %s: cause %q", state, asked, now.SuspendedCause)
			case now.Tags["k"] != "v" || w.priority && now.Spec.Priority != 7:
				t.Errorf("%s, %s: %+v", state, asked, now)
			}
		}
	}
}

// TestTime: a job that nobody confirms fails after 30 days, one that has ended
// is forgotten 90 days later, with its token and what was kept for it.
func TestTime(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	e := existing(t, 3)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	restart := func(later time.Duration) {
		now = now.Add(later)
		e.Crash()
		at := now
		e.Batch = batch.New(batch.Config{Store: e.Store, Catalog: e.Catalog, IAM: e.IAM, Replicate: e.Replicate, Now: func() time.Time { return at }})
		e.Start()
	}
	restart(0)
	done := reached(t, e, create(t, e, spec()).ID, job.Complete)
	waits := create(t, e, spec(token("waits"), func(s *job.Spec) { s.ConfirmationRequired, s.Generator.Filter = true, nil }))
	reached(t, e, waits.ID, job.Suspended)

	restart(30 * day)
	fresh := create(t, e, spec(token("fresh"), func(s *job.Spec) { s.ConfirmationRequired, s.Generator.Filter = true, nil }))
	reached(t, e, fresh.ID, job.Suspended) // by now the engine looked at the others
	if j, err := e.Batch.Get(testenv.Source, waits.ID); err != nil || j.State != job.Suspended {
		t.Fatalf("after 30 days: %s, %v", j.State, err)
	}
	restart(time.Second)
	j := reached(t, e, waits.ID, job.Failed)
	if len(j.Failures) != 1 || j.Failures[0].Code != "JobExpired" || !strings.Contains(j.Failures[0].Reason, "30 days") || !j.Ended.Equal(now) {
		t.Errorf("%+v", j)
	}
	if _, err := e.Batch.SetStatus(t.Context(), testenv.Source, waits.ID, job.Ready, ""); fault.CodeOf(err) != "JobStatusException" {
		t.Errorf("%v", err)
	}

	// The same request is the same job as long as that is known.
	restart(60*day - time.Second)
	if again := create(t, e, spec()); again.ID != done.ID || again.State != job.Complete {
		t.Errorf("%+v", again)
	}
	restart(time.Second)
	testenv.Wait(t, func() (bool, bool) {
		_, err := e.Batch.Get(testenv.Source, done.ID)
		return true, errors.Is(err, fault.NotFound)
	})
	if ids := pages(t, e, 10, nil); slices.Contains(ids, done.ID) || len(ids) != 2 {
		t.Errorf("%v", ids)
	}
	page, err := e.Store.List(t.Context(), ".batch", store.ListOptions{Prefix: done.ID, Max: 1})
	if err != nil || len(page.Objects) != 0 {
		t.Errorf("%v is kept, %v", page, err)
	}
	for what, err := range map[string]error{
		"status": second(e.Batch.SetStatus(t.Context(), testenv.Source, done.ID, job.Cancelled, "")),
		"tags":   e.Batch.SetTags(t.Context(), testenv.Source, done.ID, nil),
	} {
		if fault.CodeOf(err) != "NotFoundException" {
			t.Errorf("%s: %v", what, err)
		}
	}
	if again := create(t, e, spec(func(s *job.Spec) { s.Description = "other" })); again.ID == done.ID {
		t.Error("the token outlived its job")
	}
}

func second[T any](_ T, err error) error { return err }
