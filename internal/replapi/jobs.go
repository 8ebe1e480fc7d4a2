package replapi

import (
	"bufio"
	"cmp"
	"context"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/iam"
	"twinbucket/internal/wire"
	"twinbucket/job"
	"twinbucket/report"
)

// Jobs runs batch jobs; *batch.Engine does. Unknown ids are job.NoSuchJob.
type Jobs interface {
	List(account string, states []job.State, after string, limit int) ([]job.Job, string, error)
	Details(ctx context.Context, account, id string) (*job.Details, error)
	Plan(ctx context.Context, account, region string, spec *job.Spec) (*job.Plan, error)
	// WriteRows writes report lines of a status, all if it is "".
	WriteRows(ctx context.Context, account, id, status string, w io.Writer) error
	Deliver(ctx context.Context, account, id string) (*job.Delivery, error)
}

// pageSize is how many jobs are listed at a time.
const pageSize = 1000

// jobsCall is a request about the jobs of the caller's account.
type jobsCall struct {
	*server
	w      http.ResponseWriter
	r      *http.Request
	caller *iam.Caller
}

// jobRoutes are the operations by what follows the root of the jobs in the path,
// and by method.
var jobRoutes = map[string]map[string]func(*jobsCall, string) (any, error){
	"":          {http.MethodGet: (*jobsCall).list},
	"plan":      {http.MethodPost: (*jobsCall).plan},
	"ID":        {http.MethodGet: (*jobsCall).details},
	"ID/report": {http.MethodGet: (*jobsCall).rows, http.MethodPost: (*jobsCall).deliver},
}

func (c *jobsCall) serve(path string) (any, error) {
	id, rest, deeper := strings.Cut(path, "/")
	route := path
	switch {
	case id == "" || id == "plan":
	case deeper:
		route = "ID/" + rest
	default:
		route = "ID"
	}
	methods := jobRoutes[route]
	if methods == nil {
		return nil, fault.New(fault.NotFound, "NotFound", "There is nothing here.").On(c.r.URL.Path).
			WithHint("%s, %s/plan, %s/ID and %s/ID/report are what there is", jobsRoot, jobsRoot, jobsRoot, jobsRoot)
	}
	do := methods[c.r.Method]
	if do == nil {
		return nil, notAllowed(c.r, strings.Join(slices.Sorted(maps.Keys(methods)), " or "))
	}
	if c.caller.Account == "" {
		return nil, fault.New(fault.Denied, "AccessDenied", "Access Denied").
			WithHint("the request is not signed; jobs are for the users and roles of an account")
	}
	return do(c, id)
}

// allow asks whether the caller may do action to a resource of its account.
func (c *jobsCall) allow(action, resource string, facts map[string][]string) error {
	all := wire.Facts(c.r, c.Region)
	c.caller.AddS3Facts(all, c.r)
	maps.Copy(all, facts)
	return c.IAM.Authorize(c.caller, iam.Access{Action: action, Resource: resource, ResourceAccount: c.caller.Account, Context: all})
}

// find returns a job, once the caller is allowed to do action to it.
func (c *jobsCall) find(action, id string) (*job.Details, error) {
	d, missing := c.Jobs.Details(c.r.Context(), c.caller.Account, id)
	var facts map[string][]string
	if missing == nil {
		facts = d.Facts()
	}
	if err := c.allow(action, arn.Job(c.Region, c.caller.Account, id), facts); err != nil {
		return nil, err
	}
	return d, missing
}

func (c *jobsCall) list(string) (any, error) {
	if err := c.allow("s3:ListJobs", "*", nil); err != nil {
		return nil, err
	}
	list, next, err := c.Jobs.List(c.caller.Account, nil, c.r.URL.Query().Get("after"), pageSize)
	if err != nil {
		return nil, err
	}
	for i := range list {
		j := &list[i]
		describe, err := c.may("s3:DescribeJob", j)
		if err != nil {
			return nil, err
		}
		if !describe {
			*j = j.Summary()
		} else if err := c.discreet(j); err != nil {
			return nil, err
		}
	}
	return struct {
		Jobs []job.Job `json:"jobs"`
		Next string    `json:"next,omitempty"`
	}{append([]job.Job{}, list...), next}, nil
}

func (c *jobsCall) details(id string) (any, error) {
	d, err := c.find("s3:DescribeJob", id)
	if err != nil {
		return nil, err
	}
	if err := c.discreet(&d.Job); err != nil {
		return nil, err
	}
	keys, err := granted(c.mayList(d.Plan))
	if !keys {
		if d.Plan != nil {
			d.Plan = d.Plan.WithoutKeys()
		}
		d.Outcome = d.Outcome.WithoutKeys()
	}
	return d, err
}

// discreet takes out of a job what DescribeJob does not tell: the token, and the
// tags, unless the caller may do GetJobTagging.
func (c *jobsCall) discreet(j *job.Job) error {
	j.Spec.Token = ""
	tags, err := c.may("s3:GetJobTagging", j)
	if !tags {
		j.Tags, j.Spec.Tags = nil, nil
	}
	return err
}

// may reports whether the caller may do action to a job.
func (c *jobsCall) may(action string, j *job.Job) (bool, error) {
	return granted(c.allow(action, j.ARN(), j.Facts()))
}

// granted reports whether err, of asking for a permission, does not deny it.
func granted(err error) (bool, error) {
	if fault.KindOf(err) == fault.Denied {
		return false, nil
	}
	return err == nil, err
}

// plan needs what CreateJob needs: it tells what the job's role may do.
func (c *jobsCall) plan(string) (any, error) {
	var spec job.Spec
	if err := read(c.r, c.caller, &spec); err != nil {
		return nil, err
	}
	if err := c.allow("s3:CreateJob", "*", spec.Facts()); err != nil {
		return nil, err
	}
	spec.Token = cmp.Or(spec.Token, "plan") // which only making it needs
	if err := spec.Validate(); err != nil {
		return nil, err
	}
	if err := spec.Unsupported(); err != nil {
		return nil, err
	}
	if err := c.IAM.PassRole(c.caller, spec.RoleARN, "", wire.Facts(c.r, c.Region)); err != nil {
		return nil, err
	}
	p, err := c.Jobs.Plan(c.r.Context(), c.caller.Account, c.Region, &spec)
	if err != nil {
		return nil, err
	}
	keys, err := granted(c.mayList(p))
	if !keys {
		p = p.WithoutKeys()
	}
	return p, err
}

// rows sends report lines. They name the keys of the source bucket, so that who
// reads them has to be allowed to list its versions.
func (c *jobsCall) rows(id string) (any, error) {
	status := c.r.URL.Query().Get("status")
	if status != "" && status != report.Succeeded && status != report.Failed {
		return nil, fault.New(fault.Invalid, "InvalidRequest", "The status is not one of a task.").On(status).
			WithHint("use %s or %s, or leave it out for both", report.Succeeded, report.Failed)
	}
	d, err := c.find("s3:DescribeJob", id)
	if err != nil {
		return nil, err
	}
	if err := c.mayList(d.Plan); err != nil {
		return nil, err
	}
	c.w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	sent := &begun{w: c.w}
	out := bufio.NewWriterSize(sent, 64<<10)
	if err = c.Jobs.WriteRows(c.r.Context(), c.caller.Account, id, status, out); err == nil {
		err = out.Flush()
	}
	if err != nil && sent.begun {
		c.Log.WarnContext(c.r.Context(), "the rows of a job were cut short", "job", id, "cause", err)
		panic(http.ErrAbortHandler) // so that net/http lets the client see that there would be more
	}
	return nil, err
}

// mayList asks for the right to list the versions of the bucket that a job is
// about: of any bucket, if it is not known.
func (c *jobsCall) mayList(p *job.Plan) error {
	about, resource := &call{server: c.server, r: c.r, caller: c.caller, bucket: &bucket.Bucket{Owner: c.caller.Account}}, "arn:aws:s3:::*"
	if p != nil && p.Source != "" {
		resource = arn.Bucket(p.Source)
		if b, err := c.Store.Bucket(p.Source); err == nil {
			about.bucket = b
		}
	}
	return about.allow("s3:ListBucketVersions", resource, wire.Facts(c.r, c.Region))
}

// begun remembers whether something was written.
type begun struct {
	w     io.Writer
	begun bool
}

func (b *begun) Write(p []byte) (int, error) {
	b.begun = true
	return b.w.Write(p)
}

// deliver has the report written once more, which its role has to be allowed to.
// Of AWS's actions that change a job UpdateJobStatus is the one that fits.
func (c *jobsCall) deliver(id string) (any, error) {
	if _, err := c.find("s3:UpdateJobStatus", id); err != nil {
		return nil, err
	}
	return c.Jobs.Deliver(c.r.Context(), c.caller.Account, id)
}
