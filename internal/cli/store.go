package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"text/tabwriter"

	"twinbucket/fault"
	"twinbucket/internal/progress"
	"twinbucket/internal/store"
	"twinbucket/internal/vfs"
)

type storeCommand struct {
	Check storeCheckCommand `cmd:"" help:"Compare everything that is stored with its checksums; exits with 4 if something is wrong."`
	Stats storeStatsCommand `cmd:"" help:"Say what is stored and what it takes on the disk."`
}

// openStore opens the store of a data directory, which has to be there.
func openStore(data string, s streams) (*store.Store, error) {
	if _, err := vfs.OS().Stat(vfs.OS().PathJoin(data, "journal")); err != nil {
		return nil, &fault.Error{Op: "store.open", Kind: fault.NotFound, Thing: data, Hint: "name the data directory of a server with --data", Err: err}
	}
	return store.Open(vfs.OS(), data, store.Options{Log: newLog(s.err, slog.LevelWarn, false)})
}

type storeCheckCommand struct {
	Data string `default:"./twinbucket-data" placeholder:"DIR" help:"Data directory of a server that does not run (${default})."`
	JSON bool   `name:"json" help:"Print the result as JSON on standard output."`
}

// Run checks a store.
func (c *storeCheckCommand) Run(ctx context.Context, s streams) error {
	st, err := openStore(c.Data, s)
	if err != nil {
		return err
	}
	result, err := c.check(ctx, st, s)
	if err := errors.Join(err, st.Close()); err != nil {
		return err
	}
	if result.Problems > 0 {
		return errDamaged
	}
	return nil
}

func (c *storeCheckCommand) check(ctx context.Context, st *store.Store, s streams) (*store.Checked, error) {
	sizes, err := st.Stats(ctx)
	if err != nil {
		return nil, err
	}
	out := s.out
	if c.JSON {
		out = s.err
	}
	total := sizes.Journal.Bytes + sizes.Bodies.Bytes + sizes.Checkpoint.Bytes
	bar, read := progress.New(out, terminal(out), "checked", "MiB", total>>20), int64(0)
	var problems []store.Problem
	result, err := st.Check(ctx, store.CheckOptions{
		Alone: true,
		Pace: func(ctx context.Context, bytes int) error {
			read += int64(bytes)
			bar.Set(read >> 20)
			return ctx.Err()
		},
		Found: func(p store.Problem) {
			fmt.Fprintln(out, p)
			if c.JSON {
				problems = append(problems, p)
			}
		},
	})
	bar.Finish()
	if err != nil {
		return nil, err
	}
	if c.JSON {
		return &result, printJSON(s.out, struct {
			store.Checked
			Found []store.Problem `json:"found"`
		}{result, problems})
	}
	fmt.Fprintf(out, "%d versions, %d parts of uploads and %d files, %d bytes: ", result.Versions, result.Parts, result.Files, result.Bytes)
	if result.Problems == 0 {
		fmt.Fprintln(out, "all as they were written")
	} else {
		fmt.Fprintf(out, "%d problems\n", result.Problems)
	}
	return &result, nil
}

type storeStatsCommand struct {
	Data string `default:"./twinbucket-data" placeholder:"DIR" help:"Data directory of a server that does not run (${default})."`
	JSON bool   `name:"json" help:"Print JSON."`
}

// Run prints the sizes of a store.
func (c *storeStatsCommand) Run(ctx context.Context, s streams) error {
	st, err := openStore(c.Data, s)
	if err != nil {
		return err
	}
	sizes, err := st.Stats(ctx)
	if err := errors.Join(err, st.Close()); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(s.out, sizes)
	}
	return writeStats(s.out, sizes)
}

func writeStats(out io.Writer, st *store.Stats) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "buckets\t%d\n", st.Buckets)
	fmt.Fprintf(w, "versions\t%d\t%d bytes\n", st.Versions, st.Bytes)
	fmt.Fprintf(w, "delete markers\t%d\n", st.Markers)
	fmt.Fprintf(w, "replicas\t%d\n", st.Replicas)
	fmt.Fprintf(w, "waiting for replication\t%d\n", st.Pending)
	fmt.Fprintf(w, "failed to replicate\t%d\n", st.Failed)
	fmt.Fprintf(w, "unfinished uploads\t%d\n", st.Uploads)
	fmt.Fprintf(w, "records\t%d\n", st.Records)
	fmt.Fprintf(w, "journal\t%d segments\t%d bytes, %d of them bodies in use\n", st.Journal.Segments, st.Journal.Bytes, st.Journal.Used)
	fmt.Fprintf(w, "bodies\t%d files\t%d bytes\n", st.Bodies.Files, st.Bodies.Bytes)
	fmt.Fprintf(w, "index\t%d rows\t%d bytes, format %d\n", st.Index.Rows, st.Index.Bytes, st.Index.Format)
	fmt.Fprintf(w, "checkpoint\tposition %d\t%d bytes\n", st.Checkpoint.Position, st.Checkpoint.Bytes)
	return w.Flush()
}
