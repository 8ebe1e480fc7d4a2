package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"twinbucket/client"
	"twinbucket/fault"
	"twinbucket/internal/check"
	"twinbucket/internal/profile"
)

// errRefused ends a command with exitRefused, errUnknown with exitUnknown; what
// was found has been reported.
var (
	errRefused = errors.New("something is refused")
	errUnknown = errors.New("something is not known")
)

// profiles are flags of commands that read through AWS's APIs.
type profiles struct {
	Profile     string   `env:"AWS_PROFILE" placeholder:"NAME" help:"AWS profile of the account that owns the bucket."`
	DestProfile []string `placeholder:"NAME" help:"AWS profile of the account that owns a destination; may be repeated."`
	Endpoint    string   `name:"endpoint-url" env:"AWS_ENDPOINT_URL" placeholder:"URL" help:"Where the APIs are, such as http://127.0.0.1:9000; without it, the profile's endpoint_url, or AWS."`
	Region      string   `env:"AWS_REGION" placeholder:"REGION" help:"The bucket's region; without it, the profile's."`
}

// clients returns a client for each account.
func (p *profiles) clients(ctx context.Context) (source *client.Client, others []*client.Client, err error) {
	for _, name := range append([]string{p.Profile}, p.DestProfile...) {
		c, err := profile.Client(ctx, profile.Options{Name: name, Endpoint: p.Endpoint, Region: p.Region})
		if err != nil {
			return nil, nil, err
		}
		others = append(others, c)
	}
	return others[0], others[1:], nil
}

type checkCommand struct {
	URL string `arg:"" name:"s3://bucket" help:"The source bucket."`
	profiles
	Role        string `placeholder:"ARN" help:"Replication role; without it, that of the bucket's configuration."`
	Destination string `placeholder:"s3://BUCKET" help:"With --role: the destination to plan for, if the bucket has no configuration yet."`
	JobRole     string `placeholder:"ARN" help:"Role of batch jobs, to be checked as well."`
	Report      string `placeholder:"s3://BUCKET/PREFIX" help:"With --job-role: where jobs write their reports."`
	Manifest    string `placeholder:"s3://BUCKET/PREFIX" help:"With --job-role: where jobs save their manifests."`
	Fix         bool   `help:"Print CloudFormation templates for each account that has to change, instead of the findings: one for what is new, and those of the stacks that have what is there."`
	Out         string `placeholder:"DIR" help:"With --fix: write the templates to DIR/ACCOUNT.yaml and DIR/ACCOUNT-STACK.yaml instead."`
	JSON        bool   `name:"json" help:"Print the findings as JSON."`
}

// Run checks a bucket.
func (c *checkCommand) Run(ctx context.Context, s streams) error {
	o, err := c.options(ctx)
	if err != nil {
		return err
	}
	report, err := check.Run(ctx, o)
	if err != nil {
		return err
	}
	if err := c.print(report, s); err != nil {
		return err
	}
	return verdict(report.Count(check.Refused), report.Count(check.Unknown))
}

// verdict ends a command by what it found.
func verdict(refused, unknown int) error {
	switch {
	case refused > 0:
		return errRefused
	case unknown > 0:
		return errUnknown
	}
	return nil
}

func (c *checkCommand) options(ctx context.Context) (check.Options, error) {
	o := check.Options{Role: c.Role, JobRole: c.JobRole, Report: c.Report, Manifest: c.Manifest}
	var key string
	var err error
	if o.Bucket, key, err = check.ParseURL(c.URL); err != nil {
		return o, err
	}
	if key != "" {
		return o, fault.Newf(fault.Invalid, "", "%s is an object", c.URL).WithHint("check looks at buckets; twinbucket explain looks at objects")
	}
	if c.Destination != "" {
		if o.Destination, _, err = check.ParseURL(c.Destination); err != nil {
			return o, err
		}
	}
	for _, need := range []struct {
		flag, of     string
		given, there bool
	}{
		{"--out", "--fix", c.Out != "", c.Fix},
		{"--destination", "--role", c.Destination != "", c.Role != ""},
		{"--report", "--job-role", c.Report != "", c.JobRole != ""},
		{"--manifest", "--job-role", c.Manifest != "", c.JobRole != ""},
	} {
		if need.given && !need.there {
			return o, fault.Newf(fault.Invalid, "", "%s is for %s", need.flag, need.of).WithHint("add %s, or leave %s out", need.of, need.flag)
		}
	}
	o.Source, o.Others, err = c.clients(ctx)
	return o, err
}

func (c *checkCommand) print(report *check.Report, s streams) error {
	switch {
	case c.JSON:
		return printJSON(s.out, report)
	case c.Out != "":
		if err := os.MkdirAll(c.Out, 0o777); err != nil {
			return err
		}
		for i := range report.Plans {
			for _, d := range report.Plans[i].Documents() {
				name := filepath.Join(c.Out, d.Name+".yaml")
				if err := os.WriteFile(name, []byte(d.Text), 0o666); err != nil {
					return err
				}
				fmt.Fprintln(s.out, name)
			}
		}
		return nil
	case c.Fix:
		return report.WriteTemplates(s.out)
	}
	return report.Write(s.out)
}

type explainCommand struct {
	URL string `arg:"" name:"s3://bucket/key[?versionId=v]" help:"The version to explain; without an id, the newest."`
	profiles
	JSON bool `name:"json" help:"Print the explanation as JSON."`
}

// Run explains a version.
func (c *explainCommand) Run(ctx context.Context, s streams) error {
	url, id, _ := cutLast(c.URL, "?versionId=")
	name, key, err := check.ParseURL(url)
	if err != nil {
		return err
	}
	if key == "" {
		return fault.Newf(fault.Invalid, "", "%s is a bucket", c.URL).WithHint("explain looks at objects; twinbucket check looks at buckets")
	}
	o := check.ObjectOptions{Bucket: name, Key: key, VersionID: id}
	if o.Source, o.Others, err = c.clients(ctx); err != nil {
		return err
	}
	x, err := check.Explain(ctx, o)
	if err != nil {
		return err
	}
	if c.JSON {
		err = printJSON(s.out, x)
	} else {
		err = x.Write(s.out)
	}
	if err != nil {
		return err
	}
	return verdict(x.Refused())
}

// cutLast is strings.Cut at the last sep.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
