package e2e

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestBoto3 runs the suite of testdata/boto3 with Debian's Python and boto3.
func TestBoto3(t *testing.T) {
	const python = "/usr/bin/python3"
	need(t, python)
	suite, err := filepath.Abs("testdata/boto3/suite.py")
	if err != nil {
		t.Fatal(err)
	}
	s := start(t)
	cmd := exec.CommandContext(t.Context(), python, suite)
	cmd.Dir = t.TempDir()
	cmd.Env = append(inherited(), s.environ("source")...)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "\nOK\n") {
		t.Fatalf("%v\n%s", err, out)
	}
}
