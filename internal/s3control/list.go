package s3control

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"

	"twinbucket/fault"
	"twinbucket/internal/wire"
	"twinbucket/job"
)

const maxResults = 1000

// list is ListJobs.
func (c *call) list() (*wire.Document, error) {
	if err := c.allow("s3:ListJobs", "*", nil); err != nil {
		return nil, err
	}
	states, limit, err := listOptions(c.query)
	if err != nil {
		return nil, err
	}
	token := c.query.Get("nextToken")
	if c.query.Has("nextToken") && (token == "" || len(token) > 1024) {
		return nil, fault.New(fault.Invalid, "InvalidNextTokenException", "nextToken must have 1 to 1024 characters.")
	}
	jobs, next, err := c.Engine.List(c.account, states, token, limit)
	if err != nil {
		return nil, err
	}
	d := wire.NewDocument()
	d.OpenNS("ListJobsResult", namespace)
	d.Optional("NextToken", next)
	d.Open("Jobs")
	for i := range jobs {
		writeListed(d, &jobs[i])
	}
	d.Close("Jobs")
	d.Close("ListJobsResult")
	return d, nil
}

// listOptions reads jobStatuses and maxResults.
func listOptions(query url.Values) ([]job.State, int, error) {
	var states []job.State
	for _, s := range query["jobStatuses"] {
		if !slices.Contains(job.States(), job.State(s)) {
			return nil, 0, badList("Invalid job status in jobStatuses.").On(s).WithHint("job statuses are %v", job.States())
		}
		states = append(states, job.State(s))
	}
	if !query.Has("maxResults") {
		return states, maxResults, nil
	}
	n, err := strconv.Atoi(query.Get("maxResults"))
	if err != nil || n < 0 || n > maxResults {
		return nil, 0, badList("maxResults must be between 0 and 1000.").On(query.Get("maxResults"))
	}
	return states, cmp.Or(n, maxResults), nil // AWS's model has 0 and does not say what it means
}

func writeListed(d *wire.Document, j *job.Job) {
	d.Open("member")
	d.Text("JobId", j.ID)
	d.Optional("Description", j.Spec.Description)
	d.Text("Operation", j.Spec.Operation)
	d.Int("Priority", int64(j.Spec.Priority))
	d.Text("Status", string(j.State))
	d.Time("CreationTime", j.Created)
	if !j.Ended.IsZero() {
		d.Time("TerminationDate", j.Ended)
	}
	writeProgress(d, j.Progress)
	d.Close("member")
}

func badList(message string) *fault.Error { return fault.New(fault.Invalid, invalidRequest, message) }
