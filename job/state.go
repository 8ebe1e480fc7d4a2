package job

import "twinbucket/fault"

// State is a job's state, in AWS's words.
type State string

// The states. Complete, Failed and Cancelled are terminal.
const (
	New        State = "New"
	Preparing  State = "Preparing" // its manifest is read or made
	Suspended  State = "Suspended" // waits for its user's confirmation
	Ready      State = "Ready"     // waits for a slot
	Active     State = "Active"
	Pausing    State = "Pausing" // a job of higher priority needs the slot
	Paused     State = "Paused"
	Completing State = "Completing" // every task has run; the report is written
	Complete   State = "Complete"   // which says nothing about the tasks' success
	Cancelling State = "Cancelling"
	Cancelled  State = "Cancelled"
	Failing    State = "Failing"
	Failed     State = "Failed"
)

// States returns every state.
func States() []State {
	return []State{
		New, Preparing, Suspended, Ready, Active, Pausing, Paused,
		Completing, Complete, Cancelling, Cancelled, Failing, Failed,
	}
}

// Terminal reports whether no event changes the state any more.
func (s State) Terminal() bool { return s == Complete || s == Cancelled || s == Failed }

// Event is what moves a job from one state to another.
type Event string

// The events.
const (
	Prepare Event = "prepare" // the engine takes up the job
	Suspend Event = "suspend" // the manifest is there and the user must confirm
	Queue   Event = "queue"   // the manifest is there and the job may run
	Confirm Event = "confirm" // the user asks for Ready
	Start   Event = "start"   // there is a slot
	Preempt Event = "preempt" // the slot is needed
	Yield   Event = "yield"   // the slot is given up
	Finish  Event = "finish"  // every task has run
	Cancel  Event = "cancel"  // the user asks for Cancelled
	Fail    Event = "fail"    // the job cannot go on
	Expire  Event = "expire"  // nobody confirmed in time
	Settle  Event = "settle"  // what was under way has come to its end
)

// Events returns every event.
func Events() []Event {
	return []Event{Prepare, Suspend, Queue, Confirm, Start, Preempt, Yield, Finish, Cancel, Fail, Expire, Settle}
}

// next holds every transition there is (S3 User Guide, "Tracking job status
// and completion reports").
var next = map[State]map[Event]State{
	New:        {Prepare: Preparing, Cancel: Cancelling, Fail: Failing},
	Preparing:  {Suspend: Suspended, Queue: Ready, Cancel: Cancelling, Fail: Failing},
	Suspended:  {Confirm: Ready, Cancel: Cancelled, Fail: Failing, Expire: Failed},
	Ready:      {Start: Active, Cancel: Cancelling, Fail: Failing},
	Active:     {Preempt: Pausing, Finish: Completing, Cancel: Cancelling, Fail: Failing},
	Pausing:    {Yield: Paused, Finish: Completing, Cancel: Cancelling, Fail: Failing},
	Paused:     {Start: Active, Cancel: Cancelling, Fail: Failing},
	Completing: {Settle: Complete, Cancel: Cancelling, Fail: Failing},
	Cancelling: {Settle: Cancelled, Cancel: Cancelling},
	Failing:    {Settle: Failed},
}

// Next returns the state after event e in state s. If e cannot happen in s
// the error is a fault.Conflict with the code JobStatusException.
func Next(s State, e Event) (State, error) {
	if to, ok := next[s][e]; ok {
		return to, nil
	}
	return s, fault.Newf(fault.Conflict, "JobStatusException",
		"The job is in the state %s and cannot be asked to %s.", s, e).
		WithHint("%s", advice(s, e))
}

func advice(s State, e Event) string {
	switch {
	case s.Terminal():
		return "the job has ended; create a new one"
	case e == Confirm && (s == New || s == Preparing):
		return "wait until the job is Suspended"
	case e == Confirm:
		return "only a Suspended job waits for confirmation"
	}
	return "describe the job to see what it is doing"
}

// Requested returns the event by which a user asks for state want, which can
// be Ready or Cancelled (UpdateJobStatus).
func Requested(want State) (Event, error) {
	switch want {
	case Ready:
		return Confirm, nil
	case Cancelled:
		return Cancel, nil
	}
	return "", bad("requestedJobStatus must be Ready or Cancelled.").On(string(want))
}
