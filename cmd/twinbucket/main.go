// Command twinbucket is S3 Replication and S3 Batch Replication that anyone
// can run: a server of the AWS APIs, and the tools around it.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"twinbucket/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second interrupt ends the program at once.
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
