package client

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"twinbucket/job"
)

// onJob begins an S3 Control call. S3 Control is signed as S3.
func onJob(op, method, account, id, rest string) *call {
	k := &call{op: "s3control." + op, thing: id, service: serviceS3, account: account, method: method, path: "/v20180820/jobs"}
	if id != "" {
		k.path += "/" + id + rest
	}
	return k
}

// CreateJob creates a batch job in an account and returns its id. Repeated
// with the same spec.Token it returns the same job.
func (c *Client) CreateJob(ctx context.Context, account string, spec *job.Spec) (id string, err error) {
	k := onJob("CreateJob", http.MethodPost, account, "", "")
	k.document(jobRequestOf(spec))
	var answer struct {
		JobID string `xml:"JobId"`
	}
	err = c.fetch(ctx, k, &answer)
	return answer.JobID, err
}

// DescribeJob returns a job as it stands.
func (c *Client) DescribeJob(ctx context.Context, account, id string) (*job.Job, error) {
	var answer struct{ Job jobDocument }
	if err := c.fetch(ctx, onJob("DescribeJob", http.MethodGet, account, id, ""), &answer); err != nil {
		return nil, err
	}
	return answer.Job.job(account, c.region), nil
}

// ListJobs returns the account's jobs in the given states, all if none is
// given. A listed job has ID, State, Progress, times, and of its Spec the
// Description, Operation and Priority.
func (c *Client) ListJobs(ctx context.Context, account string, states ...job.State) ([]job.Job, error) {
	var list []job.Job
	for token := ""; ; {
		k := onJob("ListJobs", http.MethodGet, account, "", "")
		for _, s := range states {
			k.param("jobStatuses", string(s))
		}
		k.param("maxResults", "1000")
		k.param("nextToken", token)
		var answer struct {
			NextToken string
			Jobs      []jobSummary `xml:"Jobs>member"`
		}
		if err := c.fetch(ctx, k, &answer); err != nil {
			return nil, err
		}
		for i := range answer.Jobs {
			list = append(list, answer.Jobs[i].job(account, c.region))
		}
		if answer.NextToken == "" {
			return list, nil
		}
		if answer.NextToken == token {
			return nil, c.fault(k, stuck())
		}
		token = answer.NextToken
	}
}

// UpdateJobStatus asks for job.Ready, which confirms a Suspended job, or
// job.Cancelled. It returns the job's state after that.
func (c *Client) UpdateJobStatus(ctx context.Context, account, id string, want job.State, reason string) (job.State, error) {
	k := onJob("UpdateJobStatus", http.MethodPost, account, id, "/status")
	k.param("requestedJobStatus", string(want))
	k.param("statusUpdateReason", reason)
	k.once = true
	var answer struct{ Status job.State }
	err := c.fetch(ctx, k, &answer)
	return answer.Status, err
}

// UpdateJobPriority sets a job's priority: higher runs first.
func (c *Client) UpdateJobPriority(ctx context.Context, account, id string, priority int) error {
	k := onJob("UpdateJobPriority", http.MethodPost, account, id, "/priority")
	k.param("priority", strconv.Itoa(priority))
	return c.empty(ctx, k)
}

type progress struct {
	TotalNumberOfTasks     int64
	NumberOfTasksSucceeded int64
	NumberOfTasksFailed    int64
	Elapsed                int64 `xml:"Timers>ElapsedTimeInActiveSeconds"`
}

func (p *progress) noun() job.Progress {
	return job.Progress{Total: p.TotalNumberOfTasks, Succeeded: p.NumberOfTasksSucceeded, Failed: p.NumberOfTasksFailed, ActiveSeconds: p.Elapsed}
}

type jobSummary struct {
	JobID           string `xml:"JobId"`
	Description     string
	Operation       string
	Priority        int
	Status          job.State
	CreationTime    time.Time
	TerminationDate *time.Time
	ProgressSummary progress
}

func (s *jobSummary) job(account, region string) job.Job {
	return job.Job{
		ID: s.JobID, Account: account, Region: region, State: s.Status, Progress: s.ProgressSummary.noun(),
		Created: s.CreationTime, Ended: timeOf(s.TerminationDate),
		Spec: job.Spec{Description: s.Description, Operation: s.Operation, Priority: s.Priority},
	}
}

func timeOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}
