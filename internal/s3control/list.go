package s3control

import (
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
	query, err := url.ParseQuery(c.r.URL.RawQuery)
	if err != nil {
		return nil, invalidRequest("The query string contains a syntax error.")
	}
	states, limit, err := listOptions(query)
	if err != nil {
		return nil, err
	}
	token := query.Get("nextToken")
	if query.Has("nextToken") && (token == "" || len(token) > 1024) {
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
			return nil, 0, invalidRequest("Invalid job status in jobStatuses.").On(s).WithHint("job statuses are %v", job.States())
		}
		states = append(states, job.State(s))
	}
	if !query.Has("maxResults") {
		return states, maxResults, nil
	}
	n, err := strconv.Atoi(query.Get("maxResults"))
	if err != nil || n < 1 || n > maxResults {
		return nil, 0, invalidRequest("maxResults must be between 1 and 1000.").On(query.Get("maxResults"))
	}
	return states, n, nil
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

func invalidRequest(message string) *fault.Error {
	return fault.New(fault.Invalid, "InvalidRequestException", message)
}
