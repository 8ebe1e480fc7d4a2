// Package e2e holds the whole server against programs that others wrote: the
// aws command line in both its versions, boto3, the SDKs for Go and JavaScript,
// rclone, s3cmd, mc, promtool and curl. It builds the binary, starts it, and knows nothing of what is inside.
// A program that is missing fails the test that needs it.
package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// root is the product's module.
const root = "../.."

// binary is the product's program, built by TestMain.
var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "twinbucket-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if binary = os.Getenv("TWINBUCKET_E2E_BINARY"); binary == "" {
		binary = filepath.Join(dir, "twinbucket")
		build := exec.Command("go", "build", "-o", binary, "./cmd/twinbucket")
		build.Dir, build.Stdout, build.Stderr = root, os.Stderr, os.Stderr
		if err := build.Run(); err != nil {
			fmt.Fprintln(os.Stderr, "building twinbucket:", err)
			return 1
		}
	}
	return m.Run()
}

// need fails the test if a program is not there, and returns its path.
func need(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatalf("%s is needed: %v", program, err)
	}
	return path
}
