package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestJavaScript runs the suite of testdata/js with the AWS SDK for JavaScript
// in the versions of its package-lock.json.
func TestJavaScript(t *testing.T) {
	node, npm := need(t, "node"), need(t, "npm")
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/js")); err != nil {
		t.Fatal(err)
	}
	install := exec.CommandContext(t.Context(), npm, "ci", "--prefer-offline")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	s := start(t)
	keys, err := s.keyVariables()
	if err != nil {
		t.Fatal(err)
	}
	suite := exec.CommandContext(t.Context(), node, "--test", filepath.Join(dir, "suite.mjs"))
	suite.Dir = dir
	suite.Env = append(append(inherited(), s.environ("source")...), keys...)
	if out, err := suite.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
