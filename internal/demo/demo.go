// Package demo plays the reference scenario of cross-account replication on a
// server of its own, over the real APIs and with real files, and proves the
// outcome version by version.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"twinbucket/client"
	"twinbucket/examples"
	"twinbucket/fault"
	"twinbucket/internal/config"
	"twinbucket/internal/server"
)

// Config says what the demo is to do.
type Config struct {
	Objects  string    // folder of files to replicate; "" for the sources of Go's standard library
	Data     string    // directory of the store; "" for a temporary one
	Listen   string    // HOST:PORT; "" for config.DefaultListen, or any port if that is taken
	Keep     bool      // keep serving afterwards, until the context is done
	Out      io.Writer // takes the narration
	Terminal bool      // Out is a terminal
}

// The accounts and names of the scenario.
const (
	sourceAccount      = "111111111111"
	destinationAccount = "222222222222"
	sourceBucket       = "demo-source"
	destinationBucket  = "demo-destination"
	reportBucket       = "demo-reports"
	replicationRole    = "replication-role"
	batchRole          = "batch-role"
)

// demo is one run.
type demo struct {
	Config
	server *server.Server
	src    *client.Client // as the source account's root
	dst    *client.Client // as the destination account's root
	files  []file
	// resumed says that a former run had come as far as the rule already.
	resumed bool
}

// Run plays the scenario. It returns an error if a step fails, and a Summary
// whose Differences say what is not equal.
func Run(ctx context.Context, c Config) (*Summary, error) {
	d := &demo{Config: c}
	temporary := d.Data == ""
	if temporary {
		dir, err := os.MkdirTemp("", "twinbucket-demo-")
		if err != nil {
			return nil, fault.Wrap("demo", "", err)
		}
		d.Data = dir
		if !c.Keep {
			defer os.RemoveAll(dir)
		}
	}
	if err := d.open(ctx); err != nil {
		return nil, err
	}
	serving, stop := context.WithCancel(ctx)
	defer stop()
	served := make(chan error, 1)
	go func() { served <- d.server.Run(serving) }()
	summary, err := d.play(ctx)
	if err == nil && c.Keep {
		d.explainKeep(summary)
		select {
		case <-ctx.Done():
		case err := <-served: // by itself: it failed
			served <- err
		}
	}
	stop()
	if stopped := <-served; err == nil && stopped != nil {
		err = stopped
	}
	return summary, err
}

// open starts the server.
func (d *demo) open(ctx context.Context) (err error) {
	c := config.Server{
		Data: d.Data, Listen: d.Listen, Region: config.DefaultRegion,
		Accounts: []config.Account{{Name: "source", ID: sourceAccount}, {Name: "destination", ID: destinationAccount}},
	}
	if c.Listen == "" {
		c.Listen = config.DefaultListen
	}
	log := slog.New(slog.NewTextHandler(d.Out, &slog.HandlerOptions{Level: slog.LevelWarn}))
	d.server, err = server.Open(ctx, c, log)
	if err != nil && d.Listen == "" && fault.KindOf(err) == fault.Other {
		c.Listen = "127.0.0.1:0" // the usual port is taken
		d.server, err = server.Open(ctx, c, log)
	}
	if err != nil {
		return err
	}
	for _, a := range d.server.Accounts() {
		cl, err := client.New(client.Config{
			Endpoint: "http://" + d.server.Addr(), Region: config.DefaultRegion,
			Credentials: client.Credentials{AccessKey: a.AccessKey, Secret: a.Secret},
		})
		if err != nil {
			return errors.Join(err, d.server.Close())
		}
		switch a.ID {
		case sourceAccount:
			d.src = cl
		case destinationAccount:
			d.dst = cl
		}
	}
	return nil
}

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.Out, format+"\n", args...) }

// step announces a step of the scenario.
func (d *demo) step(n int, account, what string) {
	d.say("\n%d. %-12s %s", n, account, what)
}

// play goes through the scenario.
func (d *demo) play(ctx context.Context) (*Summary, error) {
	start := time.Now()
	d.say("Twinbucket serves on http://%s, data in %s", d.server.Addr(), d.Data)
	d.say("  account source       %s   bucket %s", sourceAccount, sourceBucket)
	d.say("  account destination  %s   bucket %s", destinationAccount, destinationBucket)
	for _, part := range []func(context.Context) error{
		d.before, d.deployRoleAndPolicies, d.wrongRole, d.runJob, d.settle,
	} {
		if err := part(ctx); err != nil {
			return nil, err
		}
	}
	summary, err := d.verify(ctx)
	if err != nil {
		return nil, err
	}
	summary.Seconds = time.Since(start).Seconds()
	summary.print(d.Out)
	return summary, nil
}

// deploy deploys one of the example templates.
func (d *demo) deploy(ctx context.Context, as *client.Client, stack, file string, params map[string]string) error {
	text, err := examples.Template(file)
	if err != nil {
		return err
	}
	done, err := as.Deploy(ctx, stack, text, params, []string{"CAPABILITY_NAMED_IAM"})
	if err != nil {
		return err
	}
	d.say("     stack %-18s %-16s %s", stack, done.Status, file)
	return nil
}

// before makes the world as it is before anyone thinks of replication: two
// buckets, and many objects in the source.
func (d *demo) before(ctx context.Context) error {
	_, err := d.src.GetBucketReplication(ctx, sourceBucket)
	d.resumed = err == nil
	if d.resumed {
		d.say("\nThis data directory holds a run of the demo already; it goes on from there.")
		return nil
	}
	if d.files, err = findFiles(ctx, d.Objects); err != nil {
		return err
	}
	d.step(0, "both", "The buckets as they are, with versioning, and the objects that are there already")
	if err := d.deploy(ctx, d.src, "source-bucket", "0-source-bucket.yaml", map[string]string{"SourceBucket": sourceBucket}); err != nil {
		return err
	}
	if err := d.deploy(ctx, d.dst, "destination-bucket", "2a-destination-bucket.yaml", map[string]string{"DestinationBucket": destinationBucket}); err != nil {
		return err
	}
	if err := d.src.CreateBucket(ctx, reportBucket); err != nil && fault.CodeOf(err) != "BucketAlreadyOwnedByYou" {
		return err
	}
	return d.upload(ctx)
}

// deployRoleAndPolicies takes steps 1 to 4: from then on new objects replicate.
func (d *demo) deployRoleAndPolicies(ctx context.Context) error {
	d.step(1, "source", "The replication role: S3 may assume it, read versions here and write replicas there")
	if err := d.deploy(ctx, d.src, "replication-role", "1-replication-role.yaml", map[string]string{
		"SourceBucket": sourceBucket, "DestinationBucket": destinationBucket, "RoleName": replicationRole,
	}); err != nil {
		return err
	}
	d.step(2, "destination", "The bucket policy that lets that role in")
	if err := d.deploy(ctx, d.dst, "destination-policy", "2-destination-policy.yaml", map[string]string{
		"DestinationBucket": destinationBucket, "SourceAccount": sourceAccount, "ReplicationRole": replicationRole,
	}); err != nil {
		return err
	}
	d.step(3, "source", "The existing bucket's stack, updated with a replication rule")
	if err := d.deploy(ctx, d.src, "source-bucket", "3-source-bucket-replicated.yaml", map[string]string{
		"SourceBucket": sourceBucket, "DestinationBucket": destinationBucket, "DestinationAccount": destinationAccount,
		"ReplicationRole": replicationRole, "DeleteMarkers": "Enabled",
	}); err != nil {
		return err
	}
	if err := d.firstReplica(ctx); err != nil {
		return err
	}
	d.step(4, "source", "The batch role: S3 Batch Operations may assume it and start replication")
	return d.deploy(ctx, d.src, "batch-role", "4-batch-role.yaml", map[string]string{
		"SourceBucket": sourceBucket, "ReportBucket": reportBucket, "RoleName": batchRole,
	})
}

// explainKeep says how to reach the server that goes on.
func (d *demo) explainKeep(*Summary) {
	credentials := server.CredentialsFile(d.Data)
	if abs, err := filepath.Abs(credentials); err == nil {
		credentials = abs
	}
	endpoint := "http://" + d.server.Addr()
	d.say("\nThe server goes on until it is interrupted (Ctrl-C). In another terminal:")
	d.say("  export AWS_SHARED_CREDENTIALS_FILE=%s AWS_ENDPOINT_URL=%s AWS_PROFILE=source", credentials, endpoint)
	d.say("  aws s3 ls s3://%s/", sourceBucket)
	d.say("  aws s3api get-bucket-replication --bucket %s", sourceBucket)
	d.say("  aws s3api list-object-versions --bucket %s --prefix live/ --profile destination", destinationBucket)
	d.say("  HTTP_PROXY=%s aws s3control list-jobs --account-id %s --endpoint-url http://twinbucket", endpoint, sourceAccount)
	d.say("Later, to serve the same data again:")
	d.say("  twinbucket serve --data %s", d.Data)
}
