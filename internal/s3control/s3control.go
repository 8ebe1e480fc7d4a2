// Package s3control is the door for S3 Control's batch jobs: CreateJob,
// DescribeJob, ListJobs, UpdateJobPriority, UpdateJobStatus and the three
// operations on a job's tags (S3 Control API Reference, version 2018-08-20).
//
// Clients put the account id before the host (111111111111.HOST) and into the
// header x-amz-account-id; both must name the caller's own account. A job
// whose CreateJob leaves ConfirmationRequired out runs without confirmation:
// AWS's own texts disagree on that default, and this is what its API
// reference says.
//
// Everything else of S3 Control answers NotImplemented.
package s3control

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"twinbucket/arn"
	"twinbucket/fault"
	"twinbucket/internal/checksum"
	"twinbucket/internal/iam"
	"twinbucket/internal/wire"
	"twinbucket/job"
)

const (
	namespace = "http://awss3control.amazonaws.com/doc/2018-08-20/"
	root      = "/v20180820/"

	maxBody = 1 << 20 // bytes of a request's XML
)

// Engine runs the jobs. Unknown ids are job.NoSuchJob.
type Engine interface {
	// Create stores a job of which Account, Region, Spec and Tags are given
	// and returns it with its ID, in the state New. The same Spec.Token gives
	// the same job again, and an IdempotencyException for another Spec.
	Create(ctx context.Context, j job.Job) (job.Job, error)
	Get(account, id string) (job.Job, error)
	// List returns at most limit jobs, newest first, that are in one of
	// states (all, if there are none) and follow the token after; and the
	// token to go on with, "" at the end. A token that is none is an
	// InvalidNextTokenException.
	List(account string, states []job.State, after string, limit int) ([]job.Job, string, error)
	// SetStatus asks for Ready or Cancelled; it may fail with a
	// JobStatusException.
	SetStatus(ctx context.Context, account, id string, want job.State, reason string) (job.Job, error)
	SetPriority(ctx context.Context, account, id string, priority int) (job.Job, error)
	SetTags(ctx context.Context, account, id string, tags map[string]string) error
}

// Identities tells who calls and what they may do; *iam.Service does.
type Identities interface {
	Authenticate(r *http.Request, service string) (*iam.Caller, error)
	Authorize(c *iam.Caller, a iam.Access) error
	PassRole(c *iam.Caller, roleARN, service string, facts map[string][]string) error
}

// Config is what the door needs.
type Config struct {
	Engine Engine
	IAM    Identities
	Region string       // of this endpoint, such as "us-east-1"
	Log    *slog.Logger // nil: slog.Default()
}

type server struct{ Config }

// New returns the door.
func New(c Config) http.Handler {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return &server{c}
}

// call is one request on its way through the door.
type call struct {
	*server
	w       http.ResponseWriter
	r       *http.Request
	caller  *iam.Caller
	account string
	id      string // of the job, "" where the path names none
	query   url.Values
	body    []byte
}

// ServeHTTP answers one request.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{server: s, w: w, r: r}
	id := wire.RequestID(w)
	wire.Set(w.Header(), "Server", "Twinbucket")
	answer, err := c.serve()
	if err != nil {
		if wire.Status(err) >= http.StatusInternalServerError && fault.KindOf(err) != fault.Unsupported {
			s.Log.ErrorContext(r.Context(), "request failed", "request", id, "method", r.Method, "path", r.URL.Path, "error", err)
		}
		wire.WriteError(w, r, wire.Control, "", err)
		return
	}
	if answer == nil {
		wire.Set(w.Header(), "Content-Length", "0")
		w.WriteHeader(http.StatusOK)
		return
	}
	// An error of writing means that the client is gone.
	_ = answer.Send(w, http.StatusOK)
}

// serve returns the answer's document, nil for an empty one.
func (c *call) serve() (*wire.Document, error) {
	var err error
	if c.caller, err = c.IAM.Authenticate(c.r, "s3"); err != nil {
		return nil, err
	}
	if v := c.caller.Verified; v != nil && v.Version == 2 {
		return nil, fault.New(fault.Invalid, "InvalidRequest", "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.")
	}
	operation, err := c.route()
	if err != nil {
		return nil, err
	}
	if err := c.checkAccount(); err != nil {
		return nil, err
	}
	if err := c.readQuery(operation); err != nil {
		return nil, err
	}
	if err := c.readBody(); err != nil {
		return nil, err
	}
	return operation.run(c)
}

// route finds the operation by path and method and sets c.id.
func (c *call) route() (*operation, error) {
	path, ok := strings.CutPrefix(c.r.URL.Path, root+"jobs")
	if !ok || path != "" && path[0] != '/' {
		return nil, fault.New(fault.Unsupported, "NotImplemented",
			"A header or query you provided implies functionality that is not implemented.").On(c.r.URL.Path).
			WithHint("of S3 Control, the batch job operations are offered (%sjobs)", root)
	}
	operations := collection
	if path != "" {
		var sub string
		c.id, sub, _ = strings.Cut(path[1:], "/")
		operations = onJob[sub]
	}
	if operations == nil || path != "" && !validID(c.id) {
		return nil, job.NoSuchJob(strings.TrimPrefix(path, "/"))
	}
	operation := operations[c.r.Method]
	if operation == nil {
		return nil, fault.New(fault.Invalid, "MethodNotAllowed",
			"The specified method is not allowed against this resource.").On(c.r.Method + " " + c.r.URL.Path)
	}
	return operation, nil
}

// operation is one that the door offers.
type operation struct {
	run func(*call) (*wire.Document, error)
	// parameters are those of its query, each once; one with a trailing "+"
	// may come several times.
	parameters []string
	code       string // of what is wrong with them
}

type operations map[string]*operation

// The operations by method: on the jobs, and on one job by what follows its
// id in the path.
var (
	collection = operations{
		http.MethodPost: {(*call).create, nil, badRequest},
		http.MethodGet:  {(*call).list, []string{"jobStatuses+", "maxResults", "nextToken"}, invalidRequest},
	}
	onJob = map[string]operations{
		"":         {http.MethodGet: {(*call).describe, nil, badRequest}},
		"priority": {http.MethodPost: {(*call).updatePriority, []string{"priority"}, badRequest}},
		"status":   {http.MethodPost: {(*call).updateStatus, []string{"requestedJobStatus", "statusUpdateReason"}, badRequest}},
		"tagging": {
			http.MethodGet: {(*call).getTagging, nil, badRequest}, http.MethodPut: {(*call).putTagging, nil, badRequest},
			http.MethodDelete: {(*call).deleteTagging, nil, badRequest},
		},
	}
)

// The codes of requests that are wrong: ListJobs has one of its own.
const (
	badRequest     = "BadRequestException"
	invalidRequest = "InvalidRequestException"
)

// validID reports whether id has the form of job ids.
func validID(id string) bool {
	if len(id) < 5 || len(id) > 36 {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}

// checkAccount sets c.account, which must be the caller's, in the header and
// in the host.
func (c *call) checkAccount() error {
	c.account = c.r.Header.Get("X-Amz-Account-Id")
	denied := fault.New(fault.Denied, "AccessDenied", "Access Denied")
	host := c.r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	first, _, _ := strings.Cut(host, ".")
	switch {
	case c.account == "":
		return fault.New(fault.Invalid, "InvalidRequest", "The header x-amz-account-id is missing.").
			WithHint("every request of S3 Control names the account it is about")
	case !arn.ValidAccount(c.account):
		return fault.New(fault.Invalid, "InvalidRequest", "The header x-amz-account-id is not an account id.").
			On(c.account).WithHint("an account id has 12 digits")
	case c.caller.Account == "":
		return denied.WithHint("the request is not signed; jobs are for the users and roles of an account")
	case c.account != c.caller.Account:
		return denied.On(c.account).WithHint("the caller belongs to account %s; jobs of other accounts are out of reach", c.caller.Account)
	case arn.ValidAccount(first) && first != c.account && host != first:
		return denied.On(host).WithHint("the host names account %s and x-amz-account-id another one", first)
	}
	return nil
}

// readBody reads and verifies the request's body.
func (c *call) readBody() error {
	if c.r.Body == nil {
		return nil
	}
	verified := c.caller.Verified
	digests, err := checksum.Read(c.r.Header, verified)
	if err != nil {
		return err
	}
	c.r.Body = io.NopCloser(digests.Reader(verified.Body(c.r.Body, c.r.ContentLength)))
	if c.body, err = wire.Body(c.r, maxBody); err != nil {
		return err
	}
	return digests.CheckDocument(c.body)
}

// readQuery reads the query, all of which the operation must know.
func (c *call) readQuery(o *operation) (err error) {
	if c.query, err = url.ParseQuery(c.r.URL.RawQuery); err != nil {
		return fault.New(fault.Invalid, o.code, "The query string contains a syntax error.")
	}
	for name, v := range c.query {
		switch {
		case strings.HasPrefix(name, "X-Amz-") || slices.Contains(o.parameters, name+"+"): // the signature's; or many
		case !slices.Contains(o.parameters, name):
			return fault.New(fault.Invalid, o.code, "The query parameter is not known.").On(name).
				WithHint("this operation knows %q", o.parameters)
		case len(v) > 1:
			return fault.New(fault.Invalid, o.code, "The query parameter comes more than once.").On(name)
		}
	}
	return nil
}

// allow asks whether the caller may do action to resource, given the
// condition keys in facts.
func (c *call) allow(action, resource string, facts map[string][]string) error {
	context := wire.Facts(c.r, c.Region)
	c.caller.AddS3Facts(context, c.r)
	maps.Copy(context, facts)
	return c.IAM.Authorize(c.caller, iam.Access{Action: action, Resource: resource, ResourceAccount: c.account, Context: context})
}

// job returns the job that the path names, once the caller is allowed to do
// action to it. More are condition keys beside those of the job.
func (c *call) job(action string, more map[string][]string) (job.Job, error) {
	j, missing := c.Engine.Get(c.account, c.id)
	facts := map[string][]string{}
	if missing == nil {
		facts = j.Facts()
	}
	for k, v := range more {
		facts[k] = v
	}
	if err := c.allow(action, arn.Job(c.Region, c.account, c.id), facts); err != nil {
		return job.Job{}, err
	}
	return j, missing
}
