// Package replapi is the door to what AWS has no API for: how far the replication
// of a bucket is, rule by rule, having what failed tried again, and what a batch
// job will do, did, and waits for. Requests are signed like those to AWS, for the
// service "twinbucket"; answers are JSON, but for the rows of a report, and
// errors have S3's shape.
//
//	GET  /_twinbucket/replication/BUCKET        {"bucket": ..., "rules": [...], "verified": [...]}
//	POST /_twinbucket/replication/BUCKET/retry  {"prefix", "ruleId", ...}: {"retried": ..., "next": ...}
//	GET  /_twinbucket/jobs                      {"jobs": [job.Job, ...], "next": ...}, after ?after=NEXT
//	POST /_twinbucket/jobs/plan                 job.Spec: job.Plan
//	GET  /_twinbucket/jobs/ID                   job.Details
//	GET  /_twinbucket/jobs/ID/report            CSV, with ?status=failed or ?status=succeeded a part of it
//	POST /_twinbucket/jobs/ID/report            job.Delivery
//
// The first needs s3:GetReplicationConfiguration on the bucket. The second is for
// the bucket's account; each version needs s3:InitiateReplication, as in a batch
// job. A retry does a bounded step and says where the next begins. Jobs are those
// of the caller's account, and jobs.go says what they need.
package replapi

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"strings"

	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/iam"
	"twinbucket/internal/prove"
	"twinbucket/internal/replicate"
	"twinbucket/internal/store"
	"twinbucket/internal/wire"
	"twinbucket/object"
)

// Service is what requests are signed for.
const Service = "twinbucket"

const (
	root     = "/_twinbucket/replication/"
	jobsRoot = "/_twinbucket/jobs"
	maxBody  = 64 << 10 // bytes of a request
)

// Engine is live replication; *replicate.Engine is one.
type Engine interface {
	Standings(ctx context.Context, source string) ([]replicate.Standing, error)
	Retry(ctx context.Context, src *bucket.Bucket, which replicate.Failures, after replicate.Place, dry bool, may func(*store.Object) error) (replicate.Retried, error)
}

// Proofs remember when the replicas of a bucket were last seen whole;
// *prove.Engine is one.
type Proofs interface {
	Last(bucket string) ([]prove.Verified, error)
}

// Config is what the door needs.
type Config struct {
	Engine Engine
	Jobs   Jobs
	Proofs Proofs
	Store  *store.Store
	IAM    *iam.Service
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

// ServeHTTP answers one request.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := wire.RequestID(w)
	answer, err := s.serve(w, r)
	if err != nil {
		if wire.Status(err) >= http.StatusInternalServerError && fault.KindOf(err) != fault.Unsupported {
			s.Log.ErrorContext(r.Context(), "request failed", "request", id, "method", r.Method, "path", r.URL.Path, "error", err)
		}
		wire.WriteError(w, r, wire.S3, "", err)
		return
	}
	if answer == nil {
		return // it was sent
	}
	w.Header().Set("Content-Type", "application/json")
	// An error of writing means that the client is gone.
	_ = json.NewEncoder(w).Encode(answer)
}

// serve returns the answer; nil if it was sent.
func (s *server) serve(w http.ResponseWriter, r *http.Request) (any, error) {
	caller, err := s.IAM.Authenticate(r, Service)
	if err != nil {
		return nil, err
	}
	if path, ok := strings.CutPrefix(r.URL.Path, jobsRoot); ok && (path == "" || path[0] == '/') {
		return (&jobsCall{server: s, w: w, r: r, caller: caller}).serve(strings.TrimPrefix(path, "/"))
	}
	path, ok := strings.CutPrefix(r.URL.Path, root)
	name, operation, _ := strings.Cut(path, "/")
	if !ok || name == "" || operation != "" && operation != "retry" {
		return nil, fault.New(fault.NotFound, "NotFound", "There is nothing here.").On(r.URL.Path).
			WithHint("GET %sBUCKET, POST %sBUCKET/retry and %s are what there is", root, root, jobsRoot)
	}
	if want := map[string]string{"": http.MethodGet, "retry": http.MethodPost}[operation]; r.Method != want {
		return nil, notAllowed(r, want)
	}
	b, err := s.Store.Bucket(name)
	if err != nil {
		return nil, err
	}
	c := &call{server: s, r: r, caller: caller, bucket: b}
	if operation == "" {
		return c.standings()
	}
	return c.retry()
}

func notAllowed(r *http.Request, want string) error {
	return fault.New(fault.Conflict, "MethodNotAllowed", "The specified method is not allowed against this resource.").On(r.URL.Path).
		WithHint("use %s", want)
}

// read reads a request's JSON into v; what v does not have is refused.
func read(r *http.Request, caller *iam.Caller, v any) error {
	r.Body = io.NopCloser(caller.Verified.Body(r.Body, r.ContentLength))
	data, err := wire.Body(r, maxBody)
	if err != nil {
		return err
	}
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fault.New(fault.Invalid, "InvalidRequest", "The request is not the JSON that it has to be.").WithHint("%v", err)
	}
	return nil
}

// call is one request about a bucket.
type call struct {
	*server
	r      *http.Request
	caller *iam.Caller
	bucket *bucket.Bucket
}

// allow asks whether the caller may do action to resource, given the condition
// keys in facts beside those that every action of S3 has.
func (c *call) allow(action, resource string, facts map[string][]string) error {
	facts = maps.Clone(facts)
	c.caller.AddS3Facts(facts, c.r)
	err := c.IAM.Authorize(c.caller, iam.Access{
		Action: action, Resource: resource, ResourceAccount: c.bucket.Owner, Context: facts,
		Policy: c.bucket.Documents[bucket.Policy], Block: c.bucket.Documents[bucket.PublicAccessBlock],
	})
	if fault.KindOf(err) == fault.Denied && c.caller.Account != c.bucket.Owner {
		// As at the door to S3: reasons are for the bucket's own account.
		return fault.New(fault.Denied, "AccessDenied", "Access Denied").On(resource)
	}
	return err
}

// status is the answer about a bucket.
type status struct {
	Bucket string `json:"bucket"`
	Rules  []lane `json:"rules"`
	// Verified is what was seen of the replicas when they were last looked at.
	Verified []prove.Verified `json:"verified"`
}

// lane is where one rule's way to its destination stands.
type lane struct {
	replicate.Standing
	Latency float64 `json:"latencySeconds"`
}

func (c *call) standings() (any, error) {
	if err := c.allow("s3:GetReplicationConfiguration", c.bucket.ARN(), wire.Facts(c.r, c.Region)); err != nil {
		return nil, err
	}
	all, err := c.Engine.Standings(c.r.Context(), c.bucket.Name)
	if err != nil {
		return nil, err
	}
	last, err := c.Proofs.Last(c.bucket.Name)
	if err != nil {
		return nil, err
	}
	out := status{Bucket: c.bucket.Name, Rules: make([]lane, len(all)), Verified: append([]prove.Verified{}, last...)}
	for i, s := range all {
		out.Rules[i] = lane{s, s.Latency.Seconds()}
	}
	return out, nil
}

// request is what a retry is asked for.
type request struct {
	replicate.Failures
	After  replicate.Place `json:"after"`
	DryRun bool            `json:"dryRun"`
}

func (c *call) retry() (any, error) {
	if c.caller.Account != c.bucket.Owner {
		return nil, fault.New(fault.Denied, "AccessDenied", "Access Denied").On(c.bucket.Name).
			WithHint("only account %s, which owns the bucket, has its objects tried again", c.bucket.Owner)
	}
	var ask request
	if err := read(c.r, c.caller, &ask); err != nil {
		return nil, err
	}
	facts := wire.Facts(c.r, c.Region)
	return c.Engine.Retry(c.r.Context(), c.bucket, ask.Failures, ask.After, ask.DryRun, func(o *store.Object) error {
		known := facts
		if len(o.Tags) > 0 {
			known = object.TagFacts(object.ExistingTag, o.Tags)
			for key, values := range facts {
				known[key] = values
			}
		}
		return c.allow("s3:InitiateReplication", arn.Object(c.bucket.Name, o.Key), known)
	})
}
