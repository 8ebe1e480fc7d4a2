// Package check says what keeps a bucket's replication and its batch jobs from
// working, before anything is copied, and why a version is where it is, after.
//
// It reads through AWS's APIs alone, as client has them, and decides with
// package policy; so it works against AWS as against Twinbucket. What it may
// not read it says it does not know. Service control policies, resource control
// policies, VPC endpoint policies and the policies of KMS keys are not read.
package check

import (
	"context"
	"encoding/json"

	"twinbucket/arn"
	"twinbucket/client"
	"twinbucket/fault"
)

// Options says what to check, and as whom.
type Options struct {
	Bucket string
	// Source has credentials of the account that owns the bucket, Others of
	// other accounts, such as those of destinations.
	Source *client.Client
	Others []*client.Client

	Role        string // ARN of the replication role; "" is that of the configuration
	Destination string // bucket to plan a configuration for, if there is none
	JobRole     string // ARN of a job's role; "" leaves jobs out
	Report      string // s3://BUCKET/PREFIX of a job's report; "" for none
	Manifest    string // s3://BUCKET/PREFIX of a job's manifest; "" for none
}

// Status is what is known of one thing that has to be so.
type Status string

// The statuses.
const (
	OK      Status = "ok"
	Refused Status = "refused"
	Unknown Status = "unknown" // something needed to tell could not be read
)

// Ground is a statement that a decision rests on.
type Ground struct {
	Account   string          `json:"account"`
	Document  string          `json:"document"` // for people: "the bucket policy of dst"
	Number    int             `json:"number"`   // of the statement, from 1
	Sid       string          `json:"sid,omitempty"`
	Effect    string          `json:"effect"`
	Statement json.RawMessage `json:"statement"`
}

// Line is one thing that has to be so.
type Line struct {
	Part    string   `json:"part"`    // what it belongs to: "replication role ..."
	What    string   `json:"what"`    // "s3:ReplicateObject on arn:aws:s3:::dst/*"
	Account string   `json:"account"` // in which it is decided
	Status  Status   `json:"status"`
	Code    string   `json:"code,omitempty"` // what AWS says in the object's failure or the job's when it is not so
	Reason  string   `json:"reason,omitempty"`
	Grounds []Ground `json:"grounds,omitempty"`
	Fixes   []Fix    `json:"fixes,omitempty"`
}

// Report is what a check found.
type Report struct {
	Bucket  string `json:"bucket"`
	Account string `json:"account"` // of the bucket
	Lines   []Line `json:"checks"`
	// Plans hold all fixes, by account, in the order to apply them.
	Plans []Plan `json:"plans,omitempty"`
}

// Count returns how many lines have a status.
func (r *Report) Count(s Status) int {
	n := 0
	for i := range r.Lines {
		if r.Lines[i].Status == s {
			n++
		}
	}
	return n
}

// Run checks everything that replication of the bucket needs, and its batch
// jobs if a role for them is given. An error means that nothing could be
// checked: no credentials, no such bucket.
func Run(ctx context.Context, o Options) (*Report, error) {
	c, src, err := begin(ctx, o.Bucket, o.Source, o.Others)
	if err != nil {
		return nil, err
	}
	c.report.Bucket, c.report.Account = src.Name, src.Owner
	if err := c.live(ctx, src, o); err != nil {
		return nil, err
	}
	if o.JobRole != "" {
		if err := c.job(ctx, src, o); err != nil {
			return nil, err
		}
	}
	if c.report.Plans, err = c.plans(ctx); err != nil {
		return nil, err
	}
	return &c.report, nil
}

// source reads the bucket that is checked, which has to be there and to belong
// to the account of the source's credentials.
func (c *checker) source(ctx context.Context, name string) (*place, error) {
	src, err := c.bucket(ctx, name)
	if err != nil {
		return nil, err
	}
	switch {
	case src.gone:
		return nil, fault.New(fault.NotFound, "NoSuchBucket", "The specified bucket does not exist").On(name).
			WithHint("name a bucket of account %s", c.accounts[0].id.Account)
	case src.unread[owner] != nil:
		return nil, fault.Newf(fault.Denied, "", "%s may not look at the bucket", c.accounts[0].id.ARN).On(name).
			WithHint("allow it s3:ListBucket and to read the bucket's settings (s3:Get*), or use credentials of the account that owns the bucket (--profile)")
	case src.Owner != c.accounts[0].id.Account:
		return nil, fault.Newf(fault.Denied, "", "the bucket does not belong to account %s, whose credentials are used", c.accounts[0].id.Account).On(name).
			WithHint("use credentials of the account that owns the bucket (--profile)")
	}
	return src, nil
}

// add adds a line to the report.
func (c *checker) add(l Line) { c.report.Lines = append(c.report.Lines, l) }

// roleParts reads the ARN of a role given by a user.
func roleParts(roleARN string) (account, name string, err error) {
	account, _, name, err = arn.RoleParts(roleARN)
	if err != nil {
		return "", "", fault.Newf(fault.Invalid, "", "%q is not the ARN of a role", roleARN).
			WithHint("a role's ARN is arn:aws:iam::111111111111:role/NAME, with its path if it has one")
	}
	return account, name, nil
}
