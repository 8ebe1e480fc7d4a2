package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestAWS types the scripts of testdata/aws with every version of the aws
// command line, each script at a server of its own.
func TestAWS(t *testing.T) {
	for _, program := range []string{"curl", "cmp"} {
		need(t, program)
	}
	eachCLI(t, func(t *testing.T, c cli) { scripts(t, "testdata/aws", &c) })
}

// TestTemplates deploys the templates of testdata/template, written in the
// manners that people have.
func TestTemplates(t *testing.T) { scripts(t, "testdata/template", &clis(t)[0]) }

// TestRclone types the scripts of testdata/rclone.
func TestRclone(t *testing.T) {
	need(t, "rclone")
	scripts(t, "testdata/rclone", nil)
}

// TestS3cmd types the scripts of testdata/s3cmd.
func TestS3cmd(t *testing.T) {
	need(t, "s3cmd")
	scripts(t, "testdata/s3cmd", nil)
}

// TestMC types the scripts of testdata/mc with MinIO's client, in the version
// that the module mc says.
func TestMC(t *testing.T) {
	need(t, "curl")
	program := filepath.Join(t.TempDir(), "mc")
	build := exec.CommandContext(t.Context(), "go", "build", "-C", "mc", "-o", program, "github.com/minio/mc")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building mc: %v\n%s", err, out)
	}
	scripts(t, "testdata/mc", nil, "MC="+program)
}

// scripts runs the scripts of a folder, with more variables than those of the
// server.
func scripts(t *testing.T, folder string, c *cli, more ...string) {
	if found, err := filepath.Glob(filepath.Join(folder, "*.txtar")); err != nil || len(found) == 0 {
		t.Fatalf("%s holds no scripts: %v", folder, err)
	}
	examples, err := filepath.Abs(filepath.Join(root, "examples"))
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 folder,
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			s, err := serve(filepath.Join(e.WorkDir, "server", "data"), "127.0.0.1:0")
			if err != nil {
				return err
			}
			e.Defer(func() {
				if err := s.stop(); err != nil {
					t.Errorf("stopping: %v; the log: %s", err, s.words())
				}
			})
			e.Vars = append(e.Vars, s.environ("source")...)
			e.Setenv("EXAMPLES", examples)
			e.Setenv("ADDRESS", s.listen())
			e.Setenv("HOME", e.WorkDir)
			keys, err := s.keyVariables()
			e.Vars = append(append(e.Vars, keys...), more...)
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"aws":       func(ts *testscript.TestScript, neg bool, args []string) { execute(ts, neg, c, args) },
			"until":     func(ts *testscript.TestScript, neg bool, args []string) { until(ts, neg, c, args) },
			"capture":   capture,
			"json":      validJSON,
			"megabytes": megabytes,
		},
	})
}

// execute is "aws ARG...": exec, with the endpoint as this version wants it.
func execute(ts *testscript.TestScript, neg bool, c *cli, args []string) {
	err := attempt(ts, c, args)
	switch {
	case neg && err == nil:
		ts.Fatalf("aws succeeded")
	case !neg && err != nil:
		ts.Fatalf("aws: %v", err)
	}
}

func attempt(ts *testscript.TestScript, c *cli, args []string) error {
	with, env := c.args(ts.Getenv("ENDPOINT"), args)
	if len(env) > 0 {
		// The variables hold for this command alone.
		return ts.Exec("env", append(append(env, c.path), with...)...)
	}
	return ts.Exec(c.path, with...)
}

// until is "until TEXT ARG...": an aws command, again and again until it
// prints TEXT.
func until(ts *testscript.TestScript, neg bool, c *cli, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until TEXT ARG...")
	}
	ts.Check(poll(func() (bool, error) {
		err := attempt(ts, c, args[1:])
		return strings.Contains(ts.ReadFile("stdout"), args[0]), err
	}))
}

// capture is "capture NAME": what the last command printed becomes a variable.
func capture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: capture NAME")
	}
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile("stdout")))
}

// validJSON is "json FILE": the file holds one JSON document.
func validJSON(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: json FILE")
	}
	if text := ts.ReadFile(args[0]); json.Valid([]byte(text)) == neg {
		ts.Fatalf("%s: JSON is expected: %v: %s", args[0], !neg, text)
	}
}

// megabytes is "megabytes FILE N": a file of N MiB, no two lines of it alike.
func megabytes(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: megabytes FILE N")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	var b bytes.Buffer
	for i := range n << 20 / 16 {
		fmt.Fprintf(&b, "%015d\n", i)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b.Bytes(), 0o600))
}
