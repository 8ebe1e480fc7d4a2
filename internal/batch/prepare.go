package batch

import (
	"context"
	"errors"
	"fmt"

	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/iam"
	"twinbucket/internal/store"
	"twinbucket/job"
	"twinbucket/manifest"
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

func (r *refusal) failures() []job.Failure {
	var out []job.Failure
	for _, text := range append([]string{r.reason}, r.more...) {
		if text != "" {
			out = append(out, job.Failure{Code: r.code, Reason: clip(text)})
		}
	}
	return out
}

// prepare makes the job's chunks from its manifest or generator. Cut short, it
// is begun anew: chunks are stored under the same names again.
func (d *driver) prepare(ctx context.Context, r *record) error {
	c := &chunker{e: d.e, id: r.ID, fields: manifest.GeneratedColumns()}
	var generated *job.Location
	var err error
	if r.Spec.Generator != nil {
		generated, err = d.generate(ctx, r, c)
	} else {
		err = d.readManifest(ctx, r, c)
	}
	var no *refusal
	if errors.As(err, &no) {
		return d.fail(ctx, no)
	}
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
		r.Generated = generated
	})
}

// assume returns a session of the job's role.
func (e *Engine) assume(r *record) (*iam.Caller, error) {
	return e.IAM.AssumeForService(r.Spec.RoleARN, job.Service, "s3-batch-operations", map[string][]string{
		"aws:sourcearn": {r.ARN()}, "aws:sourceaccount": {r.Account},
	})
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
		return nil, refuse("AssumeRoleNotPermitted", preparing+"Failed to assume role.", err)
	}
	src, err := d.source(r, g)
	if err != nil {
		return nil, err
	}
	for _, action := range []string{"s3:GetReplicationConfiguration", "s3:PutInventoryConfiguration"} {
		if err := d.e.allowed(caller, action, src.ARN(), src); err != nil {
			return nil, refuse("ManifestGenerationNotPermitted", preparing+"Access denied: "+action+".", err)
		}
	}
	if has, err := d.e.Replicate.HasRules(src); err != nil {
		return nil, err
	} else if !has {
		return nil, &refusal{
			"SrcBucketReplicationConfigMissing", preparing + "The source bucket has no replication configuration.",
			[]string{"put a replication configuration on " + src.Name + " before creating the job"},
		}
	}
	if err := d.list(ctx, src, g, c); err != nil {
		return nil, err
	}
	if c.rows == 0 {
		return nil, &refusal{
			"NoKeysFound", "Manifest generation found no keys matching the filter criteria.",
			[]string{"no version in " + src.Name + " passes the job's filter and is selected by an enabled rule; look at the filter's statuses and times, and at the rules' prefixes and tags"},
		}
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
		return nil, refuse("SrcBucketNotFound", preparing+"The source bucket does not exist.", err)
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

// list adds the versions that the filter takes, in the order of their keys,
// the newest of each key first.
func (d *driver) list(ctx context.Context, src *bucket.Bucket, g *job.Generator, c *chunker) error {
	eligible := g.Filter != nil && g.Filter.EligibleForReplication != nil && *g.Filter.EligibleForReplication
	o := store.VersionsOptions{Max: 1000}
	for {
		page, err := d.e.Store.ListVersions(ctx, src.Name, o)
		if err != nil {
			return err
		}
		for _, v := range page.Versions {
			if !g.Filter.Match(&v.Version) || eligible && !d.e.Replicate.Eligible(src, v.Object) {
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
	}
}
