package bench

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"twinbucket/client"
)

// peer is the program of versitygw to compare with:
//
//	go install github.com/versity/versitygw/cmd/versitygw@latest
//	go test ./test/bench -run xxx -bench 4K -versitygw $(go env GOPATH)/bin/versitygw
var peer = flag.String("versitygw", "", "versitygw's program, to compare with")

// server is a running server process. Twinbucket's has two accounts, others one.
type server struct {
	b        *testing.B
	cmd      *exec.Cmd
	src, dst *client.Client
}

// compare runs op as a benchmark of its own against each server there is.
func compare(b *testing.B, floor bool, op func(*server)) {
	b.Run("twinbucket", func(b *testing.B) { op(start(b)) })
	if floor {
		b.Run("floor", func(b *testing.B) { op(startFloor(b)) })
	}
	if *peer != "" {
		b.Run("versitygw", func(b *testing.B) { op(startPeer(b)) })
	}
}

// build builds the program once.
var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "twinbucket-bench-")
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "twinbucket")
	out, err := exec.Command("go", "build", "-o", bin, "twinbucket/cmd/twinbucket").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return bin, nil
})

// start starts Twinbucket.
func start(b *testing.B) *server {
	b.Helper()
	bin, err := build()
	check(b, err)
	data := b.TempDir()
	s := &server{b: b, cmd: exec.Command(bin, "serve", "--data", data, "--listen", "127.0.0.1:0",
		"--account", "source=111111111111", "--account", "destination=222222222222")}
	addr := s.launch()
	keys := credentials(b, filepath.Join(data, "credentials"))
	s.src, s.dst = connect(b, addr, keys["source"]), connect(b, addr, keys["destination"])
	return s
}

// startFloor starts the floor, see serveFloor.
func startFloor(b *testing.B) *server {
	b.Helper()
	s := &server{b: b, cmd: exec.Command(os.Args[0], b.TempDir())}
	s.cmd.Env = append(os.Environ(), childEnv+"=floor")
	s.src = connect(b, s.launch(), client.Credentials{AccessKey: "floor", Secret: "floor"})
	return s
}

// startPeer starts versitygw over a directory, with versions. It does not sync
// what it writes.
func startPeer(b *testing.B) *server {
	b.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	check(b, err)
	addr := free.Addr().String()
	check(b, free.Close())
	s := &server{b: b, cmd: exec.Command(*peer, "--port", addr, "--access", "peer", "--secret", "secret", "--quiet", "--keep-alive",
		"posix", "--versioning-dir", b.TempDir(), b.TempDir())}
	check(b, s.cmd.Start())
	b.Cleanup(s.stop)
	s.src = connect(b, addr, client.Credentials{AccessKey: "peer", Secret: "secret"})
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range 500 {
		if _, err = s.src.ListBuckets(context.Background()); err == nil {
			return s
		}
		<-tick.C
	}
	b.Fatal("versitygw does not answer: ", err)
	return nil
}

// launch starts a server that prints http://HOST:PORT in its first line, and
// returns its address.
func (s *server) launch() string {
	s.b.Helper()
	s.cmd.Stderr = os.Stderr
	out, err := s.cmd.StdoutPipe()
	check(s.b, err)
	check(s.b, s.cmd.Start())
	s.b.Cleanup(s.stop)
	lines := bufio.NewScanner(out)
	lines.Scan()
	_, addr, found := strings.Cut(lines.Text(), "http://")
	if !found {
		s.b.Fatalf("the server says %q, %v", lines.Text(), lines.Err())
	}
	go func() { // lest it blocks
		for lines.Scan() {
		}
	}()
	return addr
}

func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	_ = s.cmd.Wait()
}

func connect(b *testing.B, addr string, cred client.Credentials) *client.Client {
	b.Helper()
	c, err := client.New(client.Config{
		Endpoint: "http://" + addr, Region: "us-east-1", Credentials: cred,
		HTTP: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients, DisableCompression: true}},
	})
	check(b, err)
	return c
}

// credentials reads a shared credentials file.
func credentials(b *testing.B, name string) map[string]client.Credentials {
	b.Helper()
	text, err := os.ReadFile(name)
	check(b, err)
	out := map[string]client.Credentials{}
	profile := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			profile = strings.Trim(line, "[]")
			continue
		}
		k, v, _ := strings.Cut(line, " = ")
		c := out[profile]
		switch k {
		case "aws_access_key_id":
			c.AccessKey = v
		case "aws_secret_access_key":
			c.Secret = v
		}
		out[profile] = c
	}
	return out
}
