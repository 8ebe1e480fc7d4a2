package check

import (
	"context"
	"fmt"
	"strings"

	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/job"
)

// job checks what a batch job that replicates src needs (S3 User Guide,
// "Configuring an IAM role for S3 Batch Replication").
func (c *checker) job(ctx context.Context, src *place, o Options) error {
	part := "job role " + o.JobRole
	who, err := c.assumable(ctx, part, o.JobRole, job.Service, "Failed to assume role.",
		comingFor(arn.Job(c.accounts[0].Region(), c.accounts[0].id.Account, "*"), c.accounts[0].id.Account))
	if err != nil {
		return err
	}
	for _, n := range []struct{ action, resource, code string }{
		{"s3:InitiateReplication", arn.Object(src.Name, "*"), "InitiateReplicationNotPermitted"},
		{"s3:GetReplicationConfiguration", src.ARN(), "Access denied: s3:GetReplicationConfiguration."},
		{"s3:PutInventoryConfiguration", src.ARN(), "Access denied: s3:PutInventoryConfiguration."},
	} {
		c.ask(who, question{part: part, action: n.action, resource: n.resource, on: src, code: n.code})
	}
	if o.Manifest != "" {
		if err := c.files(ctx, who, "manifest", o.Manifest, "s3:PutObject", "s3:GetObject", "s3:GetObjectVersion"); err != nil {
			return err
		}
	}
	if o.Report != "" {
		if err := c.files(ctx, who, "report", o.Report, "s3:PutObject"); err != nil {
			return err
		}
	}
	// S3 does not say to whom the role of a job is passed.
	return c.operator(ctx, "s3:CreateJob", "*", nil, o.JobRole, nil)
}

// files checks that a job's role can do what it has to with files of its own
// under a URL.
func (c *checker) files(ctx context.Context, who *actor, what, url string, actions ...string) error {
	name, prefix, err := ParseURL(url)
	if err != nil {
		return err
	}
	p, err := c.bucket(ctx, name)
	if err != nil {
		return err
	}
	part := p.part(what + " bucket")
	code := "The job report could not be written to your report bucket. Please check your permissions."
	if what == "manifest" {
		code = "Error occurred when preparing manifest: Failed to write manifest"
	}
	if p.gone {
		t := target{account: c.accounts[0].id.Account, kind: wholeBucket, name: name}
		c.add(Line{Part: part, What: "the bucket exists", Account: t.account, Status: Refused, Code: code, Reason: "there is no bucket " + name, Fixes: t.set(Create)})
		p.Owner = t.account
	}
	if r := p.DefaultRetention(); r.Mode != "" && what == "report" {
		c.add(Line{
			Part: part, What: "new objects are not retained", Account: p.Owner, Status: Refused, Code: code,
			Reason: fmt.Sprintf("Object Lock retains new objects in %s mode, and S3 cannot write a job's report to such a bucket: name another one", r.Mode),
		})
	}
	if prefix != "" && !strings.HasSuffix(prefix, "/") {
		prefix += "/"
	}
	for _, action := range actions {
		if action == "s3:GetObjectVersion" && p.neverVersioned() {
			continue
		}
		if action != "s3:PutObject" {
			code = "Reading the manifest is forbidden: AccessDenied"
		}
		c.ask(who, question{part: part, action: action, resource: arn.Object(name, prefix+"*"), on: p, code: code})
	}
	return nil
}

// ParseURL reads s3://BUCKET or s3://BUCKET/KEY.
func ParseURL(url string) (name, key string, err error) {
	rest, ok := strings.CutPrefix(url, "s3://")
	name, key, _ = strings.Cut(rest, "/")
	if !ok || bucket.CheckName(name) != nil {
		return "", "", fault.Newf(fault.Invalid, "", "%q is not the URL of a bucket or object", url).WithHint("write s3://BUCKET or s3://BUCKET/KEY")
	}
	return name, key, nil
}
