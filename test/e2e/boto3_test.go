package e2e

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// boto3 runs a script of testdata/boto3 against a server, with more variables,
// with Debian's Python and boto3. It has to say OK, in a line of its own, which may
// be the only one.
func (s *server) boto3(t *testing.T, script string, more ...string) {
	t.Helper()
	const python = "/usr/bin/python3"
	need(t, python)
	path, err := filepath.Abs(filepath.Join("testdata/boto3", script))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, path)
	cmd.Dir = t.TempDir()
	cmd.Env = append(append(inherited(), s.environ("source")...), more...)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains("\n"+string(out), "\nOK\n") {
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestBoto3 runs the suite of what boto3 does.
func TestBoto3(t *testing.T) { start(t).boto3(t, "suite.py") }

// TestReports compares the reports of jobs with what is in the buckets.
func TestReports(t *testing.T) {
	start(t, "--kms-key", source+"/compared").boto3(t, "reports.py", "KEY=arn:aws:kms:"+region+":"+source+":key/compared")
}

// TestOperations runs jobs of the operations beside replication.
func TestOperations(t *testing.T) {
	start(t, "--kms-key", source+"/operated").boto3(t, "operations.py", "KEY=arn:aws:kms:"+region+":"+source+":key/operated")
}
