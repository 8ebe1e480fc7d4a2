package cli

import (
	"time"

	"twinbucket/job"
)

// listedJob is a job as job list --json prints it (docs/jobs.md).
type listedJob struct {
	ID          string       `json:"id"`
	ARN         string       `json:"arn"`
	State       job.State    `json:"state"`
	Operation   string       `json:"operation"`
	Description string       `json:"description"`
	Priority    int          `json:"priority"`
	Progress    job.Progress `json:"progress"`
	Created     time.Time    `json:"created"`
	Ended       time.Time    `json:"ended,omitzero"`
}

// jobDocument is a job as the other commands print it.
type jobDocument struct {
	listedJob
	job.Parameters
	Account              string            `json:"account"`
	Region               string            `json:"region"`
	RoleARN              string            `json:"roleArn"`
	ConfirmationRequired bool              `json:"confirmationRequired"`
	Suspended            time.Time         `json:"suspended,omitzero"`
	SuspendedCause       string            `json:"suspendedCause,omitempty"`
	StatusReason         string            `json:"statusReason,omitempty"`
	Failures             []job.Failure     `json:"failures"`
	Tags                 map[string]string `json:"tags,omitempty"`
	Report               job.Report        `json:"report"`
	Manifest             *job.Manifest     `json:"manifest,omitempty"`
	Generator            *job.Generator    `json:"generator,omitempty"`
	Generated            *job.Location     `json:"generatedManifest,omitempty"`

	// What only a Twinbucket server tells.
	Plan     *job.Plan     `json:"plan,omitempty"`
	Outcome  *job.Outcome  `json:"outcome,omitempty"`
	Delivery *job.Delivery `json:"delivery,omitempty"`
	Waits    string        `json:"waits,omitempty"`
}

func listing(j *job.Job) listedJob {
	return listedJob{
		ID: j.ID, ARN: j.ARN(), State: j.State, Operation: j.Spec.Operation, Description: j.Spec.Description, Priority: j.Spec.Priority,
		Progress: j.Progress, Created: j.Created, Ended: j.Ended,
	}
}

func listed(list []job.Job) []listedJob {
	out := make([]listedJob, len(list))
	for i := range list {
		out[i] = listing(&list[i])
	}
	return out
}

func document(of *job.Details) jobDocument {
	j, s := &of.Job, &of.Spec
	d := jobDocument{
		listedJob: listing(j), Parameters: s.Parameters, Account: j.Account, Region: j.Region, RoleARN: s.RoleARN, ConfirmationRequired: s.ConfirmationRequired,
		Suspended: j.Suspended, SuspendedCause: j.SuspendedCause, StatusReason: j.StatusReason, Failures: j.Failures, Tags: j.Tags,
		Report: s.Report, Manifest: s.Manifest, Generator: s.Generator, Generated: j.Generated,
		Plan: of.Plan, Waits: of.Waits,
	}
	if of.Report.State != "" {
		d.Outcome, d.Delivery = &of.Outcome, &of.Report
	}
	if d.Failures == nil {
		d.Failures = []job.Failure{}
	}
	return d
}
