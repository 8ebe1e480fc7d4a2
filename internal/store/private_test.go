package store

import (
	"os"
	"path/filepath"
	"testing"

	"twinbucket/internal/vfs"
)

// TestOthersCannotLook: the records hold secrets, so only who runs the server
// can read them, also where a program before this one let others.
func TestOthersCannotLook(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	private := []string{"journal", "index"}
	check := func() {
		t.Helper()
		for _, name := range private {
			info, err := os.Stat(filepath.Join(dir, name))
			if err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("%s: %v, %v", name, info.Mode(), err)
			}
		}
	}
	open := func() {
		t.Helper()
		s, err := Open(vfs.OS(), dir, Options{CacheSize: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		check()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	open()
	private = append(private, ".")
	check()
	private = []string{"journal", "index", "checkpoint", "bodies"}
	for _, name := range private {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	open()
}
