package bench

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"twinbucket/bucket"
	"twinbucket/internal/store"
	"twinbucket/internal/vfs"
	"twinbucket/object"
)

// versions is how many versions TestManyVersions fills a store with:
//
//	go test ./test/bench -run TestManyVersions -versions 10000000 -timeout 0 -v
var versions = flag.Int("versions", 20_000, "versions in the store of TestManyVersions")

// childEnv makes this test a process that fills or opens a store.
const childEnv = "TWINBUCKET_TEST_BENCH"

func TestMain(m *testing.M) {
	what := os.Getenv(childEnv)
	if what == "" {
		os.Exit(m.Run())
	}
	err := fmt.Errorf("unknown: %s", what)
	switch n := 0; what {
	case "fill":
		if _, err = fmt.Sscan(os.Args[2], &n); err == nil {
			err = fillStore(context.Background(), os.Args[1], n)
		}
	case "open":
		err = openStore(os.Args[1])
	case "floor":
		err = serveFloor(os.Args[1])
	}
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}

func openQuietly(dir string) (*store.Store, error) {
	return store.Open(vfs.OS(), dir, store.Options{Log: slog.New(slog.DiscardHandler)})
}

// fillStore puts n versions with small bodies, four of each key, and waits to
// be killed.
func fillStore(ctx context.Context, dir string, n int) error {
	s, err := openQuietly(dir)
	if err != nil {
		return err
	}
	if err := s.CreateBucket(ctx, &bucket.Bucket{Name: "many", Owner: "111111111111", Versioning: bucket.Enabled}); err != nil {
		return err
	}
	begun := time.Now()
	var next atomic.Int64
	var first atomic.Pointer[error]
	var all sync.WaitGroup
	for range 512 {
		all.Go(func() {
			for i := next.Add(1); i <= int64(n) && first.Load() == nil; i = next.Add(1) {
				v := object.Version{Bucket: "many", Key: fmt.Sprintf("folder %03d/object %09d", i%1000, i/4), Owner: "111111111111"}
				if _, err := s.Put(ctx, store.Put{Version: v, Body: strings.NewReader("body"), Size: 4}); err != nil {
					first.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	all.Wait()
	if err := first.Load(); err != nil {
		return *err
	}
	fmt.Printf("filled in %.1fs %s\n", time.Since(begun).Seconds(), memory())
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// openStore opens a store and closes it.
func openStore(dir string) error {
	begun := time.Now()
	s, err := openQuietly(dir)
	if err != nil {
		return err
	}
	opened := time.Since(begun).Seconds()
	if _, err := s.ListVersions(context.Background(), "many", store.VersionsOptions{Max: 1000}); err != nil {
		return err
	}
	used := memory()
	begun = time.Now()
	err = s.Close()
	fmt.Printf("opened in %.1fs %s closed in %.1fs\n", opened, used, time.Since(begun).Seconds())
	return err
}

// memory says how much memory this process has and had at most.
func memory() string {
	text, _ := os.ReadFile("/proc/self/status")
	var out []string
	for line := range strings.Lines(string(text)) {
		if name, value, _ := strings.Cut(line, ":"); name == "VmRSS" || name == "VmHWM" {
			out = append(out, name+" "+strings.TrimSpace(value))
		}
	}
	return strings.Join(out, " ")
}

// child starts this test as another process and returns its first line.
func child(t *testing.T, what string, args ...string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), childEnv+"="+what)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		_, err = cmd.StdinPipe()
	}
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || strings.HasPrefix(line, "failed") {
		t.Fatalf("%s: %q, %v", what, line, err)
	}
	return cmd, strings.TrimSpace(line)
}

// TestManyVersions measures how a store with very many versions starts, and
// what memory it takes: within a minute after it was killed, within ten seconds
// after it was closed.
func TestManyVersions(t *testing.T) {
	dir := t.TempDir()
	cmd, line := child(t, "fill", dir, fmt.Sprint(*versions))
	t.Logf("%d versions: %s", *versions, line)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it says that it was killed
	for _, tt := range []struct {
		after string
		most  float64
	}{{"kill -9", 60}, {"a clean stop", 10}} {
		cmd, line := child(t, "open", dir)
		if err := cmd.Wait(); err != nil {
			t.Fatal(err)
		}
		t.Logf("after %s: %s", tt.after, line)
		var took float64
		if _, err := fmt.Sscanf(line, "opened in %fs", &took); err != nil || took > tt.most {
			t.Errorf("after %s: it took %.1f s, %v", tt.after, took, err)
		}
	}
}
