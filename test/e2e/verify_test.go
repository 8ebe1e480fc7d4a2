package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestVerify compares buckets that aws made and filled: first there is nothing to
// say but of what was there before the rule, then the replicas are spoilt.
func TestVerify(t *testing.T) {
	c := clis(t)[0]
	w := newScenario(t, c)
	old := w.putOld()
	w.steps()
	w.liveObject()
	file := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(file, bytes.Repeat([]byte("0123456789"), 2<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	w.src.aws("s3", "cp", file, "s3://"+srcBucket+"/large", "--metadata", "a=b", "--storage-class", "STANDARD_IA")
	w.src.aws("s3", "cp", file, "s3://"+srcBucket+"/spoilt")
	w.src.aws("s3", "cp", file, "s3://"+srcBucket+"/removed")
	w.src.aws("s3api", "put-object-tagging", "--bucket", srcBucket, "--key", "large", "--tagging", "TagSet=[{Key=k,Value=v}]")
	before := len(old)
	if code, classes := w.verify("--depth", "bytes", "--wait", "1m"); code != 3 || !maps.Equal(classes, map[string]int{"before-rule": before, "equal": 4}) {
		t.Errorf("exit code %d: %v", code, classes)
	}
	if code, classes := w.verify("--ignore", "before-rule"); code != 0 {
		t.Errorf("exit code %d: %v", code, classes)
	}
	w.dst.aws("s3api", "put-object-tagging", "--bucket", dstBucket, "--key", "spoilt", "--tagging", "TagSet=[{Key=k,Value=w}]")
	w.dst.aws("s3api", "delete-object", "--bucket", dstBucket, "--key", "removed", "--version-id", w.dst.head(dstBucket, "removed").VersionID)
	w.dst.aws("s3", "cp", file, "s3://"+dstBucket+"/own")
	w.src.aws("s3api", "delete-object", "--bucket", srcBucket, "--key", "live.txt", "--version-id", w.src.head(srcBucket, "live.txt").VersionID)
	want := map[string]int{"before-rule": before, "equal": 1, "differs": 1, "removed": 1, "own": 1, "orphan": 1}
	if code, classes := w.verify("--ignore", "before-rule"); code != 3 || !maps.Equal(classes, want) {
		t.Errorf("exit code %d: %v", code, classes)
	}
}

// verify runs twinbucket verify and returns its exit code, and the classes of which
// there is one at least.
func (w *scenario) verify(flags ...string) (int, map[string]int) {
	w.t.Helper()
	args := append([]string{"verify", "s3://" + srcBucket, "s3://" + dstBucket, "--dest-profile", "destination", "--json"}, flags...)
	cmd := exec.CommandContext(w.t.Context(), binary, args...)
	cmd.Env = append(inherited(), w.src.server.environ("source")...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		w.t.Fatalf("twinbucket verify: %v: %s", err, &stderr)
	}
	var answer struct {
		Summary struct{ Classes map[string]int }
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		w.t.Fatalf("twinbucket verify printed %s: %v: %s", out, err, &stderr)
	}
	classes := answer.Summary.Classes
	maps.DeleteFunc(classes, func(_ string, n int) bool { return n == 0 })
	return cmd.ProcessState.ExitCode(), classes
}
