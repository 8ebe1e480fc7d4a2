package script

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"twinbucket/internal/cli"
)

// root is the repository.
const root = "../.."

// typed returns the twinbucket commands in a document's blocks of shell lines.
func typed(document string) (out [][]string) {
	shell := false
	for line := range strings.Lines(strings.ReplaceAll(document, "\\\n", " ")) {
		line = strings.TrimSpace(line)
		if block, fence := strings.CutPrefix(line, "```"); fence {
			shell = block == "sh" || block == "console"
			continue
		}
		words := strings.Fields(strings.TrimPrefix(line, "$ "))
		switch {
		case !shell || len(words) == 0:
		case words[0] == "twinbucket":
			out = append(out, words[1:])
		case strings.HasPrefix(line, "go run ./cmd/twinbucket "):
			out = append(out, words[3:])
		}
	}
	return out
}

// TestDocuments: what the documents have people type is a command line that
// there is. With --help at its end it is read in full and not carried out.
func TestDocuments(t *testing.T) {
	t.Parallel()
	found := map[string]int{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "test"):
			return filepath.SkipDir
		case filepath.Ext(path) != ".md":
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, args := range typed(string(text)) {
			found[filepath.Base(path)]++
			var stdout, stderr bytes.Buffer
			if code := cli.Run(t.Context(), append(args, "--help"), &stdout, &stderr); code != 0 || !strings.HasPrefix(stdout.String(), "Usage: twinbucket ") {
				t.Errorf("%s: twinbucket %s: exit code %d: %s", path, strings.Join(args, " "), code, &stderr)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found["README.md"] < 2 {
		t.Errorf("README.md has %d commands", found["README.md"])
	}
}
