package cli

import (
	"context"

	"twinbucket/internal/demo"
)

type demoCommand struct {
	Objects string `placeholder:"DIR" help:"Folder of files to replicate; without it, the sources of Go's standard library."`
	Data    string `placeholder:"DIR" help:"Directory of the store, kept afterwards; a run that was cut short goes on from there. Without it, a temporary one."`
	Listen  string `placeholder:"HOST:PORT" help:"Where to listen; without it, 127.0.0.1:9000, or any port if that is taken."`
	Keep    bool   `help:"Keep serving afterwards, and say how to reach the server."`
	JSON    bool   `name:"json" help:"Print the summary as JSON on standard output, and the narration on standard error."`
}

// Run plays the demo.
func (c *demoCommand) Run(ctx context.Context, s streams) error {
	out := s.out
	if c.JSON {
		out = s.err
	}
	summary, err := demo.Run(ctx, demo.Config{
		Objects: c.Objects, Data: c.Data, Listen: c.Listen, Keep: c.Keep, Out: out, Terminal: terminal(out),
	})
	if err != nil {
		return err
	}
	if c.JSON {
		if err := printJSON(s.out, summary); err != nil {
			return err
		}
	}
	if !summary.Equal() {
		return errDifference
	}
	return nil
}
