package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"twinbucket/client"
	"twinbucket/fault"
	"twinbucket/internal/check"
	"twinbucket/internal/profile"
	"twinbucket/internal/progress"
	"twinbucket/internal/verify"
)

type verifyCommand struct {
	Source      string        `arg:"" name:"s3://source[/prefix]" help:"The source bucket; with a prefix, the keys that begin with it."`
	Destination string        `arg:"" name:"s3://destination[/prefix]" help:"The destination bucket."`
	Profile     string        `env:"AWS_PROFILE" placeholder:"NAME" help:"AWS profile that reads the source."`
	DestProfile string        `aliases:"destination-profile" placeholder:"NAME" help:"AWS profile that reads the destination; without it, that of the source."`
	Endpoint    string        `name:"endpoint-url" env:"AWS_ENDPOINT_URL" placeholder:"URL" help:"Where the APIs are, such as http://127.0.0.1:9000; without it, the profile's endpoint_url, or AWS."`
	DestAt      string        `name:"dest-endpoint-url" aliases:"destination-endpoint-url" placeholder:"URL" help:"Where the destination's APIs are, if that is elsewhere."`
	Region      string        `env:"AWS_REGION" placeholder:"REGION" help:"Region to ask first; without it, the profile's."`
	Depth       verify.Depth  `default:"metadata" enum:"list,metadata,bytes" placeholder:"DEPTH" help:"How much is compared: ${enum} (${default})."`
	Lag         time.Duration `default:"15m" placeholder:"TIME" help:"How old a version has to be to be missed, where its status does not say whether it is on its way (${default})."`
	Wait        time.Duration `placeholder:"TIME" help:"Look again at what is on its way, for at most this long."`
	Exact       bool          `help:"What only the destination has is a difference too."`
	Ignore      []string      `placeholder:"NAME,..." help:"Classes and aspects that make no difference, such as before-rule or class."`
	Parallel    int           `default:"32" placeholder:"N" help:"How many versions to look at at a time (${default})."`
	Show        int64         `default:"20" placeholder:"N" help:"How many findings to print (${default})."`
	JSON        bool          `name:"json" help:"Print all findings and the summary as one JSON document."`
}

// Run compares two buckets.
func (c *verifyCommand) Run(ctx context.Context, s streams) error {
	o, err := c.options(ctx)
	if err != nil {
		return err
	}
	var doc *verify.Document
	told := int64(0)
	if c.JSON {
		doc = &verify.Document{W: s.out}
		o.Found = doc.Add
	} else {
		o.Found = func(f verify.Finding) error {
			if told++; told > c.Show {
				return nil
			}
			return f.Write(s.out)
		}
	}
	bar, err := c.bar(ctx, &o, s.err)
	if err != nil {
		return err
	}
	o.Compared = bar.Add
	sum, err := verify.Run(ctx, o)
	if sum == nil {
		return err
	}
	if err == nil {
		bar.Finish()
	}
	if perr := c.print(sum, doc, told, s.out); err == nil {
		err = perr
	}
	switch {
	case err != nil:
		return err
	case sum.Verdict == verify.Different:
		return errDifference
	case sum.Verdict == verify.NotAllSeen:
		return errUnknown
	}
	return nil
}

func (c *verifyCommand) print(sum *verify.Summary, doc *verify.Document, told int64, w io.Writer) error {
	if doc != nil {
		return doc.End(sum)
	}
	if told > c.Show {
		fmt.Fprintf(w, "  ... and %s more: --json prints them all\n", verify.Thousands(told-c.Show))
	}
	if told > 0 {
		fmt.Fprintln(w)
	}
	return sum.Write(w)
}

// bar shows the progress. How much there is to do is counted first, unless to
// list is all there is to do.
func (c *verifyCommand) bar(ctx context.Context, o *verify.Options, w io.Writer) (*progress.Bar, error) {
	var total int64
	if c.Depth != verify.List {
		var err error
		total, err = verify.Count(ctx, o.Source, o.Prefix)
		if err != nil && !errors.Is(err, fault.Denied) { // which the comparison will report
			return nil, err
		}
	}
	return progress.New(w, terminal(w), "compared", "versions", total), nil
}

func (c *verifyCommand) options(ctx context.Context) (verify.Options, error) {
	o := verify.Options{Depth: c.Depth, Lag: c.Lag, Wait: c.Wait, Exact: c.Exact, Ignore: c.Ignore, Parallel: c.Parallel}
	var there string
	var err error
	if o.Source.Bucket, o.Prefix, err = check.ParseURL(c.Source); err != nil {
		return o, err
	}
	if o.Destination.Bucket, there, err = check.ParseURL(c.Destination); err != nil {
		return o, err
	}
	switch {
	case o.Prefix == "" || there != "" && strings.HasPrefix(there, o.Prefix):
		o.Prefix = there // the narrower of the two
	case there != "" && !strings.HasPrefix(o.Prefix, there):
		return o, fault.Newf(fault.Invalid, "", "the prefixes %q and %q have no key in common", o.Prefix, there).
			WithHint("a replica has the key of its source: name a prefix once")
	}
	if c.Lag < 0 || c.Wait < 0 || c.Parallel < 1 || c.Show < 0 {
		return o, fault.Newf(fault.Invalid, "", "--lag, --wait, --parallel and --show are no less than nothing").WithHint("name a time such as 15m, and at least 1 version at a time")
	}
	if o.Source.Client, err = profile.Client(ctx, profile.Options{Name: c.Profile, Endpoint: c.Endpoint, Region: c.Region}); err != nil {
		return o, err
	}
	o.Destination.Client, err = c.reader(ctx, o.Source.Client)
	return o, err
}

// reader returns the client that reads the destination.
func (c *verifyCommand) reader(ctx context.Context, source *client.Client) (*client.Client, error) {
	if c.DestProfile == "" && c.DestAt == "" {
		return source, nil
	}
	o := profile.Options{Name: c.DestProfile, Endpoint: c.DestAt, Region: c.Region}
	if o.Name == "" {
		o.Name = c.Profile
	}
	if o.Endpoint == "" {
		o.Endpoint = c.Endpoint
	}
	return profile.Client(ctx, o)
}
