// Package cli is the command line: what is typed, what is printed, and how the
// program ends.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"twinbucket/fault"
)

// The exit codes of every command.
const (
	exitOK         = 0
	exitFailed     = 1 // something went wrong
	exitUsage      = 2 // the command line is wrong
	exitDifference = 3 // a comparison found a difference, or tasks of a job failed
	exitDamaged    = 4 // stored data is not as it was written
	exitRefused    = 5 // a check found something that is refused
	exitUnknown    = 6 // a check could not find out everything, or a job not be seen to its end
	exitEnded      = 7 // a job failed or was cancelled
	exitInterrupt  = 130
)

// errDifference ends a command with exitDifference; the difference has been
// reported already.
var errDifference = errors.New("the two sides differ")

// errDamaged ends a command with exitDamaged; the damage has been reported.
var errDamaged = errors.New("stored data is damaged")

// streams are where a command reads and writes.
type streams struct {
	out, err io.Writer
}

// terminal reports whether a writer is a terminal.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// commands is the grammar.
type commands struct {
	Serve   serveCommand   `cmd:"" help:"Serve the AWS APIs on one port."`
	Check   checkCommand   `cmd:"" help:"Say what a bucket's replication and its batch jobs need in both accounts, what is refused, and the fix."`
	Explain explainCommand `cmd:"" help:"Say why a version is where it is: which rules take it, what happened, what is refused, and the fix."`
	Verify  verifyCommand  `cmd:"" help:"Compare two buckets version by version: what is missing, what differs, what is on its way."`
	Status  statusCommand  `cmd:"" help:"Say how far the replication of a bucket is, rule by rule."`
	Retry   retryCommand   `cmd:"" help:"Have replications that FAILED tried again."`
	Job     jobCommand     `cmd:"" help:"Batch jobs, which replicate the objects that are there already: make, confirm, watch, report."`
	Demo    demoCommand    `cmd:"" help:"Replicate a bucket across two accounts, step by step, and compare every version."`
	Account accountCommand `cmd:"" help:"The accounts of a data directory, whether or not its server runs."`
	Store   storeCommand   `cmd:"" help:"Look after the data directory of a server that does not run."`
	Version versionCommand `cmd:"" help:"Print the version."`
}

const description = `S3 Replication and S3 Batch Replication that anyone can run.

Exit codes: 0 done, 1 failed, 2 wrong command line, 3 the compared sides differ or objects of a job failed, 4 stored data is damaged, 5 something is refused, 6 something is not known, 7 a job failed or was cancelled, 130 interrupted.`

// Run runs the command that args name and returns the exit code.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	code := -1
	var cmd commands
	parser, err := kong.New(&cmd, kong.Name("twinbucket"), kong.Description(description),
		kong.Writers(stdout, stderr), kong.Exit(func(c int) { code = c }), kong.DefaultEnvars("TWINBUCKET"),
		kong.UsageOnError(), kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	if err != nil {
		fmt.Fprintln(stderr, "twinbucket:", err)
		return exitFailed
	}
	parsed, err := parser.Parse(args)
	if code >= 0 {
		return code // --help
	}
	if err != nil {
		fmt.Fprintf(stderr, "twinbucket: %v\nhint: twinbucket --help lists the commands and their flags\n", err)
		return exitUsage
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	err = parsed.Run(streams{stdout, stderr})
	return finish(ctx, err, stderr)
}

// finish prints an error with its hint and returns the exit code.
func finish(ctx context.Context, err error, stderr io.Writer) int {
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errDifference), errors.Is(err, errTasks):
		return exitDifference
	case errors.Is(err, errEnded):
		return exitEnded
	case errors.Is(err, errDamaged):
		return exitDamaged
	case errors.Is(err, errRefused):
		return exitRefused
	case errors.Is(err, errUnknown):
		return exitUnknown
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintln(stderr, "twinbucket: interrupted")
		return exitInterrupt
	}
	fmt.Fprintf(stderr, "twinbucket: %v\n", err)
	if hint := fault.HintOf(err); hint != "" {
		fmt.Fprintf(stderr, "hint: %s\n", hint)
	}
	return exitFailed
}

// printJSON writes v as one JSON document.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// newLog returns a log of the wanted level, for people or as JSON.
func newLog(w io.Writer, level slog.Level, asJSON bool) *slog.Logger {
	o := &slog.HandlerOptions{Level: level}
	if asJSON {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

type versionCommand struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Run prints the version that the binary was built from.
func (c *versionCommand) Run(s streams) error {
	v := struct {
		Version string `json:"version"`
		Go      string `json:"go"`
	}{"(devel)", ""}
	if info, ok := debug.ReadBuildInfo(); ok {
		v.Go = info.GoVersion
		if info.Main.Version != "" {
			v.Version = info.Main.Version
		}
	}
	if c.JSON {
		return printJSON(s.out, v)
	}
	_, err := fmt.Fprintf(s.out, "twinbucket %s %s\n", v.Version, v.Go)
	return err
}
