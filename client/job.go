package client

import (
	"context"
	"encoding/xml"
	"iter"
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

// Jobs goes through the account's jobs in the given states, all if none is
// given, page by page. A listed job has ID, State, Progress, times, and of its
// Spec the Description, Operation and Priority. An error is the last there is.
func (c *Client) Jobs(ctx context.Context, account string, states ...job.State) iter.Seq2[*job.Job, error] {
	return func(yield func(*job.Job, error) bool) {
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
				yield(nil, err)
				return
			}
			for i := range answer.Jobs {
				if j := answer.Jobs[i].job(account, c.region); !yield(&j, nil) {
					return
				}
			}
			if answer.NextToken == "" {
				return
			}
			if answer.NextToken == token {
				yield(nil, c.fault(k, stuck()))
				return
			}
			token = answer.NextToken
		}
	}
}

// ListJobs returns what Jobs goes through.
func (c *Client) ListJobs(ctx context.Context, account string, states ...job.State) ([]job.Job, error) {
	var list []job.Job
	for j, err := range c.Jobs(ctx, account, states...) {
		if err != nil {
			return nil, err
		}
		list = append(list, *j)
	}
	return list, nil
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

// GetJobTagging returns a job's tags by key.
func (c *Client) GetJobTagging(ctx context.Context, account, id string) (map[string]string, error) {
	var answer struct{ Tags jobTags }
	if err := c.fetch(ctx, onJob("GetJobTagging", http.MethodGet, account, id, "/tagging"), &answer); err != nil {
		return nil, err
	}
	tags := make(map[string]string, len(answer.Tags.Member))
	for _, t := range answer.Tags.Member {
		tags[t.Key] = t.Value
	}
	return tags, nil
}

// PutJobTagging gives a job these tags in place of all that it has.
func (c *Client) PutJobTagging(ctx context.Context, account, id string, tags map[string]string) error {
	k := onJob("PutJobTagging", http.MethodPut, account, id, "/tagging")
	k.document(struct {
		XMLName xml.Name `xml:"http://awss3control.amazonaws.com/doc/2018-08-20/ PutJobTaggingRequest"`
		Tags    jobTags
	}{Tags: jobTagsOf(tags)})
	return c.empty(ctx, k)
}

// DeleteJobTagging takes all tags off a job.
func (c *Client) DeleteJobTagging(ctx context.Context, account, id string) error {
	return c.empty(ctx, onJob("DeleteJobTagging", http.MethodDelete, account, id, "/tagging"))
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
