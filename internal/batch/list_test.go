package batch_test

import (
	"encoding/base64"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"twinbucket/fault"
	"twinbucket/internal/batch"
	"twinbucket/internal/testenv"
	"twinbucket/job"
)

// idle makes an environment whose engine runs no job, with a clock that is set
// by hand.
func idle(t *testing.T) (*testenv.Env, *time.Time) {
	t.Helper()
	e := testenv.New(t)
	e.Scenario()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	e.Batch = batch.New(batch.Config{Store: e.Store, Catalog: e.Catalog, IAM: e.IAM, Replicate: e.Replicate, Now: func() time.Time { return now }})
	return e, &now
}

// token asks for a job of its own.
func token(n any) func(*job.Spec) { return func(s *job.Spec) { s.Token = fmt.Sprint(n) } }

// pages reads a list page by page, and calls between after each.
func pages(t *testing.T, e *testenv.Env, limit int, between func(), states ...job.State) []string {
	t.Helper()
	var ids []string
	for after := ""; ; {
		page, next, err := e.Batch.List(testenv.Source, states, after, limit)
		e.Must(err)
		for _, j := range page {
			ids = append(ids, j.ID)
		}
		if len(page) > limit || next != "" && len(page) < limit {
			t.Fatalf("%d jobs in a page of %d, and then %q", len(page), limit, next)
		}
		if after = next; after == "" {
			return ids
		}
		between()
	}
}

// TestListIsAsTheJobsWereMade: newest first, also where several were made at
// one time, and the same after a restart.
func TestListIsAsTheJobsWereMade(t *testing.T) {
	t.Parallel()
	e, now := idle(t)
	at := map[string]time.Time{}
	for i := range 30 {
		*now = now.Add(time.Duration(i%3) * time.Second)
		at[create(t, e, spec(token(i))).ID] = *now
	}
	all := pages(t, e, 1000, nil)
	if len(all) != 30 {
		t.Fatalf("%d jobs", len(all))
	}
	for i := range all[1:] {
		if at[all[i]].Before(at[all[i+1]]) {
			t.Errorf("%s is before %s", all[i], all[i+1])
		}
	}
	for limit := 1; limit < 31; limit++ {
		if got := pages(t, e, limit, func() {}); fmt.Sprint(got) != fmt.Sprint(all) {
			t.Errorf("in pages of %d: %v, want %v", limit, got, all)
		}
	}
	e.Crash()
	if got := pages(t, e, 7, func() {}); fmt.Sprint(got) != fmt.Sprint(all) {
		t.Errorf("after a restart: %v, want %v", got, all)
	}
}

// TestListWhileJobsChange: jobs that are made, that end and that are forgotten
// between two pages neither double nor hide others.
func TestListWhileJobsChange(t *testing.T) {
	t.Parallel()
	e, now := idle(t)
	var want []string
	for i := range 40 {
		*now = now.Add(time.Second)
		id := create(t, e, spec(token(i))).ID
		if i%2 == 0 {
			_, err := e.Batch.SetStatus(t.Context(), testenv.Source, id, job.Cancelled, "")
			e.Must(err)
		} else {
			want = append([]string{id}, want...)
		}
	}
	made := 40
	got := pages(t, e, 3, func() {
		*now = now.Add(time.Second)
		create(t, e, spec(token(made)))
		made++
	}, job.New)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
	// The one that the token was made at ends, and then the one behind it.
	page, next, err := e.Batch.List(testenv.Source, []job.State{job.New}, "", 2)
	e.Must(err)
	rest := pages(t, e, 100, nil, job.New)[2:]
	for _, id := range []string{page[1].ID, rest[0]} {
		_, err := e.Batch.SetStatus(t.Context(), testenv.Source, id, job.Cancelled, "")
		e.Must(err)
	}
	page, _, err = e.Batch.List(testenv.Source, []job.State{job.New}, next, 1)
	if err != nil || len(page) != 1 || page[0].ID != rest[1] {
		t.Errorf("%v, %v; want %s", page, err, rest[1])
	}
}

func TestTokensOfLists(t *testing.T) {
	t.Parallel()
	e, _ := idle(t)
	for i := range 3 {
		create(t, e, spec(token(i)))
	}
	_, next, err := e.Batch.List(testenv.Source, nil, "", 1)
	e.Must(err)
	text, err := base64.RawURLEncoding.DecodeString(next)
	e.Must(err)
	for _, bad := range []string{
		"x", next + "x", next[1:], strings.ToUpper(next), pages(t, e, 3, nil)[0],
		base64.RawURLEncoding.EncodeToString([]byte(testenv.Source + " yesterday x")),
		base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(text), testenv.Source, testenv.Destination, 1))),
	} {
		if _, _, err := e.Batch.List(testenv.Source, nil, bad, 1); fault.CodeOf(err) != "InvalidNextTokenException" || fault.HintOf(err) == "" {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, _, err := e.Batch.List(testenv.Destination, nil, next, 1); fault.CodeOf(err) != "InvalidNextTokenException" {
		t.Errorf("another account's token: %v", err)
	}
}

// TestCensusIsExact: however many change jobs at a time, and after a restart.
func TestCensusIsExact(t *testing.T) {
	t.Parallel()
	e := existing(t, 3)
	e.Start()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for k := range 10 {
				j, err := e.Batch.Create(t.Context(), spec(token(fmt.Sprint(i, k)), func(s *job.Spec) { s.ConfirmationRequired = k%3 == 0 }))
				if err != nil {
					t.Error(err)
					return
				}
				if k%2 == 0 {
					continue
				}
				if _, err := e.Batch.SetStatus(t.Context(), testenv.Source, j.ID, job.Cancelled, ""); err != nil && fault.CodeOf(err) != "JobStatusException" {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	settled := func() (map[job.State]int, bool) {
		census, err := e.Batch.Census()
		e.Must(err)
		n := 0
		for _, s := range []job.State{job.Suspended, job.Complete, job.Failed, job.Cancelled} {
			n += census[s]
		}
		return census, n == 80
	}
	census := testenv.Wait(t, settled)
	listed := map[job.State]int{}
	for _, s := range job.States() {
		if n := len(pages(t, e, 7, func() {}, s)); n > 0 {
			listed[s] = n
		}
	}
	maps.DeleteFunc(census, func(_ job.State, n int) bool { return n == 0 })
	if !maps.Equal(census, listed) {
		t.Errorf("%v are counted, %v listed", census, listed)
	}
	e.Crash()
	again, err := e.Batch.Census()
	if err != nil || !maps.Equal(again, census) {
		t.Errorf("after a restart %v, %v; before it %v", again, err, census)
	}
}

// TestPagesDoNotReadAllJobs: what a page and a count cost does not grow with
// the number of jobs.
func TestPagesDoNotReadAllJobs(t *testing.T) { // alone: it counts allocations
	e, now := idle(t)
	cost := func(jobs int) (page, census float64) {
		for i := range jobs {
			*now = now.Add(time.Second)
			create(t, e, spec(token(fmt.Sprint(jobs, i))))
		}
		page = testing.AllocsPerRun(5, func() {
			got, _, err := e.Batch.List(testenv.Source, []job.State{job.New}, "", 10)
			if err != nil || len(got) != 10 {
				t.Error(len(got), err)
			}
		})
		census = testing.AllocsPerRun(5, func() {
			_, err := e.Batch.Census()
			e.Must(err)
		})
		return page, census
	}
	page, census := cost(20)
	many, counted := cost(2000)
	if many > 2*page || counted > 2*census+2 {
		t.Errorf("a page of 10 allocates %v times among 20 jobs and %v among 2,020; a count %v and %v", page, many, census, counted)
	}
}
