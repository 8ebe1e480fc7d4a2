package job_test

import (
	"errors"
	"testing"

	"twinbucket/fault"
	"twinbucket/job"
)

// transitions is the whole table of the User Guide: whatever is not here must
// be refused.
var transitions = map[job.State]map[job.Event]job.State{
	"New":        {"prepare": "Preparing", "cancel": "Cancelling", "fail": "Failing"},
	"Preparing":  {"suspend": "Suspended", "queue": "Ready", "cancel": "Cancelling", "fail": "Failing"},
	"Suspended":  {"confirm": "Ready", "cancel": "Cancelled", "fail": "Failing", "expire": "Failed"},
	"Ready":      {"start": "Active", "cancel": "Cancelling", "fail": "Failing"},
	"Active":     {"preempt": "Pausing", "finish": "Completing", "cancel": "Cancelling", "fail": "Failing"},
	"Pausing":    {"yield": "Paused", "finish": "Completing", "cancel": "Cancelling", "fail": "Failing"},
	"Paused":     {"start": "Active", "cancel": "Cancelling", "fail": "Failing"},
	"Completing": {"settle": "Complete", "cancel": "Cancelling", "fail": "Failing"},
	"Cancelling": {"settle": "Cancelled", "cancel": "Cancelling"},
	"Failing":    {"settle": "Failed"},
	"Complete":   {},
	"Cancelled":  {},
	"Failed":     {},
}

func TestNextEveryStateAndEvent(t *testing.T) {
	t.Parallel()
	if len(job.States()) != len(transitions) {
		t.Fatalf("%d states, want %d", len(job.States()), len(transitions))
	}
	for _, s := range job.States() {
		for _, e := range job.Events() {
			want, allowed := transitions[s][e]
			got, err := job.Next(s, e)
			switch {
			case allowed && (err != nil || got != want):
				t.Errorf("%s, %s: %s, %v; want %s", s, e, got, err, want)
			case !allowed && (fault.CodeOf(err) != "JobStatusException" || !errors.Is(err, fault.Conflict) || got != s):
				t.Errorf("%s, %s: %s, %v; want a JobStatusException", s, e, got, err)
			case !allowed && fault.HintOf(err) == "":
				t.Errorf("%s, %s: no hint", s, e)
			}
		}
	}
}

func TestTerminal(t *testing.T) {
	t.Parallel()
	for s, events := range transitions {
		if got, want := s.Terminal(), len(events) == 0; got != want {
			t.Errorf("%s: terminal %t", s, got)
		}
	}
}

// TestEveryStateEnds walks the table: from every state a terminal one can be
// reached, and every state can be reached from New.
func TestEveryStateEnds(t *testing.T) {
	t.Parallel()
	reach := func(from job.State) map[job.State]bool {
		seen := map[job.State]bool{}
		var walk func(job.State)
		walk = func(s job.State) {
			if seen[s] {
				return
			}
			seen[s] = true
			for _, e := range job.Events() {
				if to, err := job.Next(s, e); err == nil {
					walk(to)
				}
			}
		}
		walk(from)
		return seen
	}
	for _, s := range job.States() {
		if to := reach(s); !to[job.Complete] && !to[job.Failed] && !to[job.Cancelled] {
			t.Errorf("%s never ends", s)
		}
		if !reach(job.New)[s] {
			t.Errorf("%s is never reached", s)
		}
	}
}

func TestRequested(t *testing.T) {
	t.Parallel()
	for _, s := range job.States() {
		e, err := job.Requested(s)
		switch s {
		case job.Ready:
			if e != job.Confirm || err != nil {
				t.Errorf("%s: %s, %v", s, e, err)
			}
		case job.Cancelled:
			if e != job.Cancel || err != nil {
				t.Errorf("%s: %s, %v", s, e, err)
			}
		default:
			if fault.CodeOf(err) != "BadRequestException" {
				t.Errorf("%s: %v", s, err)
			}
		}
	}
}

func TestOverThreshold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ok, failed int64
		want       bool
	}{
		{0, 0, false},
		{0, 999, false},
		{0, 1000, true},
		{500, 500, false},
		{499, 501, true},
		{499, 500, false},
		{10_000_000_000, 10_000_000_001, true},
		{1, 0, false},
	} {
		if got := (job.Progress{Succeeded: c.ok, Failed: c.failed}).OverThreshold(); got != c.want {
			t.Errorf("%d succeeded, %d failed: %t", c.ok, c.failed, got)
		}
	}
}
