package client

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"twinbucket/fault"
	"twinbucket/job"
)

// PlanJob returns what a job would do if it were created now: Twinbucket's own
// API, as are all that follow. Its Token may be "". Error on AWS: Unsupported.
func (c *Client) PlanJob(ctx context.Context, spec *job.Spec) (*job.Plan, error) {
	data, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	k, err := c.ownJob("PlanJob", http.MethodPost, "plan", "")
	if err != nil {
		return nil, err
	}
	k.payload(data)
	answer := new(job.Plan)
	return answer, c.json(ctx, k, answer)
}

// JobRecords returns the jobs of the caller's account, newest first. Those that
// the caller may describe have all that they were asked for and why they failed,
// which ListJobs leaves out. Error on AWS: Unsupported.
func (c *Client) JobRecords(ctx context.Context) ([]job.Job, error) {
	var all []job.Job
	for after := ""; ; {
		k, err := c.ownJob("JobRecords", http.MethodGet, "", "")
		if err != nil {
			return nil, err
		}
		k.param("after", after)
		var page struct {
			Jobs []job.Job `json:"jobs"`
			Next string    `json:"next"`
		}
		if err := c.json(ctx, k, &page); err != nil {
			return nil, err
		}
		if all = append(all, page.Jobs...); page.Next == "" {
			return all, nil
		}
		if page.Next == after {
			return nil, c.fault(k, stuck())
		}
		after = page.Next
	}
}

// JobDetails returns all that is known of a job of the caller's account: its
// plan, what came of it, and what it waits for. Error on AWS: Unsupported.
func (c *Client) JobDetails(ctx context.Context, id string) (*job.Details, error) {
	k, err := c.ownJob("JobDetails", http.MethodGet, id, "")
	if err != nil {
		return nil, err
	}
	answer := new(job.Details)
	return answer, c.json(ctx, k, answer)
}

// JobRows returns the report lines of the tasks of a job that have run, as CSV:
// those of a status, report.Succeeded or report.Failed, or all if it is "". The
// job may be running, and need not have a report. The caller closes them. Error
// on AWS: Unsupported.
func (c *Client) JobRows(ctx context.Context, id, status string) (io.ReadCloser, error) {
	k, err := c.ownJob("JobRows", http.MethodGet, id, "/report")
	if err != nil {
		return nil, err
	}
	k.param("status", status)
	var body io.ReadCloser
	err = c.do(ctx, k, func(resp *http.Response) error {
		body = resp.Body
		return nil
	})
	return body, err
}

// DeliverReport has the report of a job that has ended written to its bucket
// once more, as after its policy was mended. Error on AWS: Unsupported.
func (c *Client) DeliverReport(ctx context.Context, id string) (*job.Delivery, error) {
	k, err := c.ownJob("DeliverReport", http.MethodPost, id, "/report")
	if err != nil {
		return nil, err
	}
	answer := new(job.Delivery)
	return answer, c.json(ctx, k, answer)
}

// ownJob makes a call of Twinbucket's own API about a job.
func (c *Client) ownJob(op, method, id, rest string) (*call, error) {
	if c.aws {
		return nil, fault.New(fault.Unsupported, "NotImplemented", "AWS has no API for this.").On(id).
			WithHint("name a Twinbucket server with --endpoint-url; AWS has DescribeJob, and the report in its bucket")
	}
	return &call{op: "twinbucket." + op, thing: id, service: serviceTwinbucket, method: method, path: strings.TrimSuffix("/_twinbucket/jobs/"+id, "/") + rest}, nil
}
