package job

import (
	"slices"
	"time"
)

// Details is all that is known of a job: more than AWS tells.
type Details struct {
	Job
	Plan    *Plan    `json:"plan,omitempty"` // nil until it is prepared
	Outcome Outcome  `json:"outcome"`        // of the tasks that have run
	Pace    *Pace    `json:"pace,omitempty"` // of a job that is Active
	Waits   string   `json:"waits,omitempty"`
	Report  Delivery `json:"delivery"`
}

// WithoutKeys returns a plan that names no version.
func (p *Plan) WithoutKeys() *Plan {
	c := *p
	c.Excluded, c.Foreseen = slices.Clone(p.Excluded), p.Foreseen.WithoutKeys()
	for i := range c.Excluded {
		c.Excluded[i].Key = ""
	}
	return &c
}

// WithoutKeys returns an outcome that names no version. Reasons do, as resources.
func (o *Outcome) WithoutKeys() Outcome {
	c := o.Clone()
	for i := range c.Failures {
		f := &c.Failures[i]
		f.Key, f.VersionID, f.Reason = "", "", ""
	}
	return c
}

// Pace is how fast a job works.
type Pace struct {
	TasksPerSecond float64 `json:"tasksPerSecond"`
	SecondsLeft    int64   `json:"secondsLeft"`
}

// NewPace returns the pace of a job that is this far; nil if it cannot be told yet.
func NewPace(p Progress) *Pace {
	if p.ActiveSeconds == 0 || p.Run() == 0 {
		return nil
	}
	rate := float64(p.Run()) / float64(p.ActiveSeconds)
	return &Pace{TasksPerSecond: rate, SecondsLeft: int64(float64(p.Total-p.Run()) / rate)}
}

// Delivery says where a job's report is. Its rows are kept beside the job in any
// case, from the first on.
type Delivery struct {
	State   string    `json:"state"`
	Bucket  string    `json:"bucket,omitempty"`  // name
	Key     string    `json:"key,omitempty"`     // of its manifest.json
	Time    time.Time `json:"time,omitzero"`     // of the last attempt
	Reasons []Failure `json:"reasons,omitempty"` // why it is Refused
	// KeptUntil is when the rows are forgotten; zero while the job has not ended.
	KeptUntil time.Time `json:"keptUntil,omitzero"`
}

// The states of a report.
const (
	ReportUnasked   = "Unasked"   // the job was not asked for one
	ReportAwaited   = "Awaited"   // the job has not ended
	ReportEmpty     = "Empty"     // no task was run
	ReportDelivered = "Delivered" // it is in its bucket
	ReportRefused   = "Refused"   // it could not be written
	// ReportUnrecorded is that of a job that ended before this was kept.
	ReportUnrecorded = "Unrecorded"
)

// DeliveryOf returns what the job itself says of its report, which is not whether
// one was delivered.
func DeliveryOf(j *Job) Delivery {
	var d Delivery
	if j.State.Terminal() {
		d.KeptUntil = j.Ended.Add(KeptFor)
	}
	switch {
	case !j.Spec.Report.Enabled:
		d.State = ReportUnasked
	case !j.State.Terminal():
		d.State = ReportAwaited
	case j.Progress.Run() == 0:
		d.State = ReportEmpty
	default:
		d.State = ReportUnrecorded
	}
	return d
}
