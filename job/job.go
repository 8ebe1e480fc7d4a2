// Package job describes S3 Batch Operations jobs: what a job is asked to do,
// the states it goes through and how far it is (S3 User Guide, "Managing
// objects with Batch Operations"; S3 Control API Reference, "CreateJob").
//
// Every type here is a value that survives JSON.
package job

import (
	"time"

	"twinbucket/arn"
	"twinbucket/fault"
)

// Service is who assumes the role of a job.
const Service = "batchoperations.s3.amazonaws.com"

// AwaitingConfirmation is the SuspendedCause of a job that waits for its
// user.
const AwaitingConfirmation = "AWAITING_CONFIRMATION"

// Times after which a job is dropped.
const (
	ConfirmWithin = 30 * 24 * time.Hour // a Suspended job fails after this
	KeptFor       = 90 * 24 * time.Hour // a finished job is forgotten after this
)

// Job is a job as it stands.
type Job struct {
	ID      string            `json:"id"`      // lower-case UUID
	Account string            `json:"account"` // 12 digits
	Region  string            `json:"region"`
	Spec    Spec              `json:"spec"` // as it was asked for; only its Priority changes
	Tags    map[string]string `json:"tags,omitempty"`

	State        State     `json:"state"`
	StatusReason string    `json:"statusReason,omitempty"` // of the last UpdateJobStatus, or S3's own
	Progress     Progress  `json:"progress"`
	Failures     []Failure `json:"failures,omitempty"` // why the job itself failed

	Created        time.Time `json:"created"`
	Ended          time.Time `json:"ended,omitzero"` // when a terminal state was reached
	Suspended      time.Time `json:"suspended,omitzero"`
	SuspendedCause string    `json:"suspendedCause,omitempty"`

	// Generated is where the generated manifest was stored, if it was.
	Generated *Location `json:"generated,omitempty"`
}

// Failure is a reason for which a job failed.
type Failure struct {
	Code   string `json:"code"`   // at most 64 characters
	Reason string `json:"reason"` // at most 256 characters
}

// Progress counts a job's tasks. A task is one entry of the manifest.
type Progress struct {
	Total         int64 `json:"total"`
	Succeeded     int64 `json:"succeeded"`
	Failed        int64 `json:"failed"`
	ActiveSeconds int64 `json:"activeSeconds"` // time spent in Active
}

// Run returns how many tasks have been run.
func (p Progress) Run() int64 { return p.Succeeded + p.Failed }

// OverThreshold reports whether the job is to fail for its failed tasks: at
// least 1,000 have run and more than half of them failed.
func (p Progress) OverThreshold() bool { return p.Run() >= 1000 && 2*p.Failed > p.Run() }

// Summary returns what ListJobs tells of a job.
func (j *Job) Summary() Job {
	return Job{
		ID: j.ID, Account: j.Account, Region: j.Region, State: j.State, Progress: j.Progress, Created: j.Created, Ended: j.Ended,
		Spec: Spec{Description: j.Spec.Description, Operation: j.Spec.Operation, Priority: j.Spec.Priority},
	}
}

// ARN returns the job's ARN.
func (j *Job) ARN() string { return arn.Job(j.Region, j.Account, j.ID) }

// NoSuchJob is the error for an id that names no job.
func NoSuchJob(id string) *fault.Error {
	return fault.New(fault.NotFound, "NotFoundException", "The specified job does not exist").On(id).
		WithHint("jobs belong to one account and are forgotten 90 days after their end")
}
