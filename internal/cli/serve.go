package cli

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/config"
	"twinbucket/internal/server"
)

type serveCommand struct {
	Data              string        `default:"./twinbucket-data" placeholder:"DIR" help:"Directory of the store; made if it is not there (${default})."`
	Listen            string        `default:"127.0.0.1:9000" placeholder:"HOST:PORT" help:"Where to listen (${default})."`
	MetricsListen     string        `placeholder:"HOST:PORT" help:"Where to answer metrics, which name buckets, without credentials; may be what --listen is. By default that is where they are, if it is a loopback address."`
	Region            string        `default:"us-east-1" help:"Region of every bucket and endpoint (${default})."`
	Account           []string      `placeholder:"NAME=ID" help:"An account that must be there; may be repeated. Without one, a new store gets the account default=000000000000."`
	Domain            []string      `placeholder:"HOST" help:"A host below which a bucket's name may stand, as in BUCKET.HOST; may be repeated."`
	Scrub             time.Duration `name:"scrub-interval" default:"720h" placeholder:"DURATION" help:"How long after one reading of everything stored, to find damage, the next begins; 0 is never (${default})."`
	Prove             time.Duration `name:"prove-interval" default:"24h" placeholder:"DURATION" help:"How long after one look at all replicas of a bucket, whether they are there and equal, the next begins; 0 is never (${default})."`
	RetryFailed       bool          `help:"Have replications that FAILED tried again once their cause is gone; as on AWS, without it they stay FAILED until twinbucket retry or a batch job."`
	LifecycleInterval time.Duration `default:"24h" placeholder:"TIME" help:"The longest time between two passes of lifecycle rules, which also come at midnight UTC (${default})."`
	LifecycleDay      time.Duration `default:"24h" hidden:"" placeholder:"TIME" help:"How long a day of lifecycle rules lasts. For tests of clients that cannot wait."`
	KMSKey            []string      `name:"kms-key" placeholder:"[ACCOUNT/]ID[=ALIAS]" help:"A key that stands for one of KMS, in one account or in each; may be repeated. Every account has alias/aws/s3."`
	DisableKey        []string      `name:"disable-kms-key" placeholder:"[ACCOUNT/]ID" help:"One of these keys that is disabled, as KMS says: what is under it cannot be read; may be repeated."`
	EventTarget       []string      `name:"event-target" sep:"none" placeholder:"ARN=URL" help:"Who stands for a queue, topic or function that event notifications name: a webhook (http://, https://), a subject of NATS (nats://), a queue with the API of SQS (sqs+http://, sqs+https://); may be repeated."`
	Ownership         string        `name:"object-ownership" default:"BucketOwnerEnforced" enum:"BucketOwnerEnforced,BucketOwnerPreferred,ObjectWriter" placeholder:"SETTING" help:"Object Ownership of new buckets that name none: ${enum} (${default})."`
	LogLevel          slog.Level    `default:"info" placeholder:"LEVEL" help:"debug, info, warn or error (${default})."`
	LogJSON           bool          `name:"log-json" help:"Log as JSON."`
}

// Run serves until ctx is done.
func (c *serveCommand) Run(ctx context.Context, s streams) error {
	conf := config.Server{
		Data: c.Data, Listen: c.Listen, MetricsListen: c.MetricsListen, Region: c.Region, Domains: c.Domain, ScrubEvery: c.Scrub, ProveEvery: c.Prove, RetryFailed: c.RetryFailed,
		LifecycleInterval: c.LifecycleInterval, LifecycleDay: c.LifecycleDay, Ownership: bucket.Ownership(c.Ownership),
	}
	if conf.Data == "" {
		return fault.New(fault.Invalid, "", "--data is empty").WithHint("name a directory, or leave it out")
	}
	if conf.Region == "" { // as with TWINBUCKET_REGION set to nothing
		return fault.New(fault.Invalid, "", "--region is empty").WithHint("name a region such as us-east-1, or leave it out")
	}
	if err := c.checkTimes(); err != nil {
		return err
	}
	for _, a := range c.Account {
		account, err := config.ParseAccount(a)
		if err != nil {
			return err
		}
		conf.Accounts = append(conf.Accounts, account)
	}
	for _, k := range c.KMSKey {
		key, err := config.ParseKey(k)
		if err != nil {
			return err
		}
		conf.Keys = append(conf.Keys, key)
	}
	for _, name := range c.DisableKey {
		if err := config.DisableKey(conf.Keys, name); err != nil {
			return err
		}
	}
	for _, text := range c.EventTarget {
		target, err := config.ParseEventTarget(text)
		if err != nil {
			return err
		}
		conf.EventTargets = append(conf.EventTargets, target)
	}
	srv, err := server.Open(ctx, conf, newLog(s.err, c.LogLevel, c.LogJSON))
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "twinbucket serves on http://%s\n", srv.Addr())
	fmt.Fprintf(s.out, "  credentials  %s\n", server.CredentialsFile(c.Data))
	for _, a := range srv.Accounts() {
		fmt.Fprintf(s.out, "  account      %s  %s\n", a.ID, a.Name)
	}
	defer runtime.KeepAlive(make([]byte, ballast))
	return srv.Run(ctx)
}

// ballast counts as memory in use for the garbage collector, which otherwise
// runs for every 4 MiB of garbage that a server with little memory makes. It
// is never touched, and so takes none itself.
const ballast = 64 << 20

// checkTimes refuses times that would keep the engine busy with itself.
func (c *serveCommand) checkTimes() error {
	for _, f := range []struct {
		name string
		time time.Duration
	}{{"--lifecycle-interval", c.LifecycleInterval}, {"--lifecycle-day", c.LifecycleDay}} {
		if f.time < time.Second {
			return fault.Newf(fault.Invalid, "", "%s is %v", f.name, f.time).WithHint("name a second or more, such as 6h")
		}
	}
	return nil
}
