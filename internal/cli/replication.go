package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"twinbucket/client"
	"twinbucket/fault"
	"twinbucket/internal/check"
	"twinbucket/internal/profile"
)

// serverProfile are flags of commands that need a Twinbucket server.
type serverProfile struct {
	Profile  string `env:"AWS_PROFILE" placeholder:"NAME" help:"AWS profile of the account that owns the bucket."`
	Endpoint string `name:"endpoint-url" env:"AWS_ENDPOINT_URL" placeholder:"URL" help:"The server, such as http://127.0.0.1:9000; without it, the profile's endpoint_url."`
	Region   string `env:"AWS_REGION" placeholder:"REGION" help:"The server's region; without it, the profile's."`
}

func (p *serverProfile) client(ctx context.Context) (*client.Client, error) {
	return profile.Client(ctx, profile.Options{Name: p.Profile, Endpoint: p.Endpoint, Region: p.Region})
}

type statusCommand struct {
	URL string `arg:"" name:"s3://bucket" help:"The source bucket."`
	serverProfile
	JSON bool `name:"json" help:"Print JSON."`
}

// Run prints where each rule of a bucket stands.
func (c *statusCommand) Run(ctx context.Context, s streams) error {
	name, key, err := check.ParseURL(c.URL)
	if err == nil && key != "" {
		err = fault.Newf(fault.Invalid, "", "%s is an object", c.URL).WithHint("status is about buckets; twinbucket explain is about objects")
	}
	if err != nil {
		return err
	}
	server, err := c.client(ctx)
	if err != nil {
		return err
	}
	state, err := server.Replication(ctx, name)
	if err != nil {
		return err
	}
	all := &jobs{Client: server, flags: &jobFlags{Profile: c.Profile, Endpoint: c.Endpoint, Region: c.Region}}
	waiting, err := all.waiting(ctx, name)
	switch {
	case err != nil:
		return err
	case c.JSON:
		return printJSON(s.out, struct {
			Bucket string `json:"bucket"`
			*client.Replication
			Waiting []string `json:"jobsAwaitingConfirmation"`
		}{name, state, waiting})
	case len(state.Rules) == 0:
		_, err = fmt.Fprintf(s.out, "%s has no replication configuration\n", name)
		return err
	}
	if err := writeLanes(s.out, state); err != nil {
		return err
	}
	for _, id := range waiting {
		if err := all.remind(s.out, id); err != nil {
			return err
		}
	}
	return nil
}

// writeLanes writes where the rules of a bucket stand.
func writeLanes(out io.Writer, state *client.Replication) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RULE\tDESTINATION\tPENDING\tBYTES\tBEHIND\tFAILED\tDONE")
	for _, l := range state.Rules {
		behind := time.Duration(l.Latency * float64(time.Second)).Round(time.Millisecond)
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%v\t%d\t%d\n", l.Rule, l.Destination, l.Pending, l.Bytes, behind, l.Failed, l.Completed)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, v := range state.Verified {
		fmt.Fprintf(out, "last verified at %s: %s, %d replicas: %d differ, %d missing, %d removed there\n",
			v.Destination, v.Finished.Local().Format(time.DateTime), v.Replicas, v.Differ, v.Missing, v.Removed)
	}
	return nil
}

type retryCommand struct {
	URL string `arg:"" name:"s3://bucket/prefix" help:"The source bucket, or the keys in it that begin with a prefix."`
	serverProfile
	Rule        string `placeholder:"ID" help:"Only what failed under this rule."`
	Destination string `placeholder:"BUCKET" help:"Only what failed on the way to this bucket."`
	Code        string `placeholder:"CODE" help:"Only what failed with this code, such as DstPutObjectNotPermitted."`
	DryRun      bool   `help:"Only say what would be tried again, and why it failed."`
	JSON        bool   `name:"json" help:"Print JSON."`
}

// Run has what failed tried again, and says what that is.
func (c *retryCommand) Run(ctx context.Context, s streams) error {
	name, prefix, err := check.ParseURL(c.URL)
	if err != nil {
		return err
	}
	server, err := c.client(ctx)
	if err != nil {
		return err
	}
	var sum client.Retried
	ask := client.Retry{Prefix: prefix, Destination: c.Destination, Rule: c.Rule, Code: c.Code, DryRun: c.DryRun}
	if err := server.RetryReplication(ctx, name, ask, func(step client.Retried) { add(&sum, step) }); err != nil {
		return err
	}
	if c.JSON {
		err = printJSON(s.out, sum)
	} else {
		err = c.print(s, &sum)
	}
	if err == nil && sum.Refused > 0 {
		return errRefused
	}
	return err
}

// add adds a step to what came of those before it.
func add(sum *client.Retried, step client.Retried) {
	sum.Scanned += step.Scanned
	sum.Failed += step.Failed
	sum.Retried += step.Retried
	sum.Refused += step.Refused
	for _, one := range step.Causes {
		i := slices.IndexFunc(sum.Causes, func(have client.Cause) bool {
			return have.Rule == one.Rule && have.Destination == one.Destination && have.Code == one.Code
		})
		if i < 0 {
			sum.Causes = append(sum.Causes, one)
			continue
		}
		sum.Causes[i].Count += one.Count
	}
	slices.SortStableFunc(sum.Causes, func(a, b client.Cause) int { return cmp.Compare(b.Count, a.Count) })
}

func (c *retryCommand) print(s streams, sum *client.Retried) error {
	for _, one := range sum.Causes {
		fmt.Fprintf(s.out, "%d %s, rule %s to %s, first %s (version %s)\n  %s\n", one.Count, one.Code, one.Rule, one.Destination, one.Key, one.VersionID, one.Reason)
	}
	if sum.Refused > 0 {
		fmt.Fprintf(s.out, "%d are refused: s3:InitiateReplication is missing\n", sum.Refused)
	}
	var err error
	if c.DryRun {
		_, err = fmt.Fprintf(s.out, "%d of %d versions would be tried again\n", sum.Failed-sum.Refused, sum.Scanned)
	} else {
		_, err = fmt.Fprintf(s.out, "%d of %d versions are tried again\n", sum.Retried, sum.Scanned)
	}
	return err
}
