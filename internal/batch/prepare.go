package batch

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/iam"
	"twinbucket/internal/store"
	"twinbucket/job"
	"twinbucket/manifest"
	"twinbucket/rule"
)

// preparing begins AWS's reasons for a job that fails while it is Preparing.
const preparing = "Error occurred when preparing manifest: "

// refusal is why a job fails: AWS's code and text, and then what AWS does not
// say: what refused, and what would mend it.
type refusal struct {
	code, reason string
	more         []string
}

func (r *refusal) Error() string { return r.reason }

func refuse(code, reason string, cause error) *refusal {
	r := &refusal{code, reason, []string{fault.MessageOf(cause), fault.HintOf(cause)}}
	if r.more[0] == reason {
		r.more = r.more[1:]
	}
	return r
}

// unassumed is the refusal of a role that cannot be assumed.
func unassumed(err error) *refusal {
	no := refuse("AssumeRoleNotPermitted", preparing+"Failed to assume role.", err)
	if errors.Is(err, fault.NotFound) {
		no.more = append(no.more, "create it with a trust policy that lets "+job.Service+" assume it, or name another role")
	}
	return no
}

func (r *refusal) failures() []job.Failure {
	var out []job.Failure
	for _, text := range append([]string{r.reason}, r.more...) {
		for text != "" {
			var line string
			line, text = cut(text)
			out = append(out, job.Failure{Code: r.code, Reason: line})
		}
	}
	return out
}

// cut cuts a text where a reason ends that the API can carry, at a space if one
// is near.
func cut(text string) (line, rest string) {
	const most = 256
	if len(text) <= most {
		return text, ""
	}
	at := strings.LastIndexByte(text[:most+1], ' ')
	if at > most/2 {
		return text[:at], text[at+1:]
	}
	for at = most; !utf8.RuneStart(text[at]); at-- {
	}
	return text[:at], text[at:]
}

// prepare makes the job's chunks from its manifest or generator. Cut short, it
// goes on from the last mark: chunks behind it are stored under the same names
// again.
func (d *driver) prepare(ctx context.Context, r *record) error {
	c := d.e.chunker(r)
	generated, err := d.manifest(ctx, r, c)
	if no := refusalOf(err); no != nil {
		return d.fail(ctx, no)
	}
	if err != nil {
		return err
	}
	plan, err := d.e.planned(c)
	if err != nil {
		return err
	}
	event := job.Queue
	if r.Spec.ConfirmationRequired {
		event = job.Suspend
	}
	return d.move(ctx, event, func(r *record) {
		r.Chunks, r.Fields = c.chunks, c.fields
		r.Progress.Total = c.rows
		r.Generated, r.Plan, r.Mark = generated, plan, nil
	})
}

// manifest adds the entries of the job's manifest, which it makes or reads, and
// returns where one that was made is stored.
func (d *driver) manifest(ctx context.Context, r *record, c *chunker) (*job.Location, error) {
	if r.Spec.Generator != nil {
		return d.generate(ctx, r, c)
	}
	return nil, d.readManifest(ctx, r, c)
}

// refusalOf returns the refusal that an error is, or nil.
func refusalOf(err error) *refusal {
	no := new(refusal)
	if errors.As(err, &no) {
		return no
	}
	return nil
}

// assume returns a session of the job's role.
func (e *Engine) assume(r *record) (*iam.Caller, error) {
	return e.IAM.AssumeForService(r.Spec.RoleARN, job.Service, "s3-batch-operations", map[string][]string{
		"aws:sourcearn": {r.ARN()}, "aws:sourceaccount": {r.Account},
	})
}

// session is a session of a job's role for many entries.
type session struct {
	e        *Engine
	r        *record
	caller   *iam.Caller
	err      error // why there is none
	revision uint64
}

func (e *Engine) session(r *record) *session {
	s := &session{e: e, r: r}
	s.begin()
	return s
}

func (s *session) begin() {
	s.revision = s.e.IAM.Revision()
	s.caller, s.err = s.e.assume(s.r)
}

// allowed is Engine.allowed. What is refused while identities change is asked
// for in a new session: the old one may have been revoked.
func (s *session) allowed(action, resource string, b *bucket.Bucket) error {
	err := s.e.allowed(s.caller, action, resource, b)
	if err == nil || s.e.IAM.Revision() == s.revision {
		return err
	}
	if s.begin(); s.err != nil {
		return err
	}
	return s.e.allowed(s.caller, action, resource, b)
}

// allowed reports whether the job's role may do something.
func (e *Engine) allowed(c *iam.Caller, action, resource string, b *bucket.Bucket) error {
	return e.allowedWith(c, action, resource, b, nil)
}

// allowedWith is allowed with condition keys.
func (e *Engine) allowedWith(c *iam.Caller, action, resource string, b *bucket.Bucket, facts map[string][]string) error {
	return e.IAM.Authorize(c, iam.Access{
		Action: action, Resource: resource, ResourceAccount: b.Owner,
		Policy: b.Documents[bucket.Policy], Block: b.Documents[bucket.PublicAccessBlock], Context: facts,
	})
}

// generate lists the source bucket's versions that the generator's filter takes.
func (d *driver) generate(ctx context.Context, r *record, c *chunker) (*job.Location, error) {
	g := r.Spec.Generator
	caller, err := d.e.assume(r)
	if err != nil {
		return nil, unassumed(err)
	}
	src, err := d.source(r, g)
	if err != nil {
		return nil, err
	}
	for _, action := range generating(r) {
		if err := d.e.allowed(caller, action, src.ARN(), src); err != nil {
			return nil, refuse("ManifestGenerationNotPermitted", preparing+"Access denied: "+action+".", err)
		}
	}
	set, err := d.e.Replicate.RulesOf(src)
	if err != nil {
		return nil, err
	}
	if set == nil && r.replicates() {
		return nil, &refusal{
			"SrcBucketReplicationConfigMissing", preparing + "The source bucket has no replication configuration.",
			[]string{"put a replication configuration on " + src.Name + " before creating the job"},
		}
	}
	if err := d.list(ctx, src, set, g.Filter, c); err != nil {
		return nil, err
	}
	if c.rows == 0 {
		return nil, noKeys(src.Name, &c.plan)
	}
	if !g.EnableOutput {
		return nil, nil
	}
	return d.writeManifest(ctx, r, caller, src, c)
}

// source returns the bucket that a generator names.
func (d *driver) source(r *record, g *job.Generator) (*bucket.Bucket, error) {
	name, err := arn.BucketName(g.SourceBucket)
	if err != nil {
		return nil, refuse("InvalidManifestContent", preparing+"The source bucket's ARN is not valid.", err)
	}
	src, err := d.e.Store.Bucket(name)
	if err != nil {
		return nil, &refusal{
			"SrcBucketNotFound", preparing + "The source bucket does not exist.",
			[]string{"there is no bucket " + name + ": create the job with the ARN of the bucket whose objects it is about"},
		}
	}
	for _, want := range []string{g.ExpectedBucketOwner, r.Account} {
		if want != "" && want != src.Owner {
			return nil, &refusal{
				"SrcBucketNotFound", preparing + "The source bucket does not belong to the expected account.",
				[]string{fmt.Sprintf("%s does not belong to account %s; its owner creates the job, and ExpectedBucketOwner names it", name, want)},
			}
		}
	}
	return src, nil
}

// mostTold is how many exclusions are told of a job that has no tasks, and how
// many codes of one whose tasks failed.
const mostTold = 10

// noKeys is the refusal of a job whose filter takes nothing. The plan has
// counted which filter refused what.
func noKeys(src string, p *job.Plan) *refusal {
	p.Finish(0, 0)
	no := &refusal{code: "NoKeysFound", reason: "Manifest generation found no keys matching the filter criteria."}
	if p.Seen.Versions == 0 {
		no.more = []string{"there is no version in " + src}
	}
	for i := range p.Excluded[:min(len(p.Excluded), mostTold)] {
		no.more = append(no.more, p.Excluded[i].Of(p.Seen.Versions, src))
	}
	return no
}

// list adds the versions that the filter takes, in the order of their keys,
// the newest of each key first.
func (d *driver) list(ctx context.Context, src *bucket.Bucket, set *rule.Set, f *job.Filter, c *chunker) error {
	c.plan.Source = src.Name
	o := store.VersionsOptions{Max: 1000}
	if m := c.r.Mark; m != nil {
		o.AfterKey, o.AfterID = m.AfterKey, m.AfterID
	}
	for {
		page, err := d.e.Store.ListVersions(ctx, src.Name, o)
		if err != nil {
			return err
		}
		for _, v := range page.Versions {
			c.plan.See(&v.Version)
			if why := c.r.passes(&v); why != "" {
				c.plan.Exclude(c.r.Spec.Operation, why, &v.Version)
				continue
			}
			if filter, why := exclusion(f, set, &v.Version); filter != "" {
				c.plan.Exclude(filter, why, &v.Version)
				continue
			}
			if err := c.add(ctx, &manifest.Entry{Bucket: v.Bucket, Key: v.Key, VersionID: v.ID}); err != nil {
				return err
			}
		}
		if !page.Truncated {
			return c.flush(ctx)
		}
		o.AfterKey, o.AfterID = page.NextKey, page.NextID
		if err := c.mark(ctx, c.plan.Seen.Versions, o.AfterKey, o.AfterID); err != nil {
			return err
		}
	}
}
