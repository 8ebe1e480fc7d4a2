package e2e

import (
	"net/http"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestPrometheus has promtool read what is shipped for Prometheus, raise each
// alert, and lint what a server answers.
func TestPrometheus(t *testing.T) {
	promtool := need(t, "promtool")
	monitoring := filepath.Join(root, "examples", "monitoring")
	for _, arguments := range [][]string{
		{"check", "config", filepath.Join(monitoring, "prometheus.yml")},
		{"test", "rules", "testdata/prometheus/alerts.yml"},
	} {
		if out, err := exec.CommandContext(t.Context(), promtool, arguments...).CombinedOutput(); err != nil {
			t.Errorf("promtool %q: %v\n%s", arguments, err, out)
		}
	}
	res, err := http.Get(start(t).endpoint + "/_twinbucket/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lint := exec.CommandContext(t.Context(), promtool, "check", "metrics")
	lint.Stdin = res.Body
	if out, err := lint.CombinedOutput(); err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("%d: %v\n%s", res.StatusCode, err, out)
	}
}
