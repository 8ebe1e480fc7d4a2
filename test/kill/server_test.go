package kill

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"twinbucket/client"
	"twinbucket/internal/cli"
)

// childEnv makes this test the program twinbucket.
const childEnv = "TWINBUCKET_TEST_KILL"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) == "" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(cli.Run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

const account = "111111111111"

// server is a server in a process of its own.
type server struct {
	process *exec.Cmd
	client  *client.Client
	log     strings.Builder
}

// serve starts a server on the data in dir.
func serve(dir string) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &server{process: exec.Command(self, "serve", "--data", dir, "--listen", "127.0.0.1:0", "--account", "one="+account, "--account", "two="+second, "--log-level", "warn")}
	s.process.Env = append(os.Environ(), childEnv+"=1")
	s.process.Stderr = &s.log
	out, err := s.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.process.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	_, addr, found := strings.Cut(strings.TrimSpace(line), "http://")
	if err != nil || !found {
		_ = s.process.Process.Kill()
		return nil, fmt.Errorf("the server did not start: %q, %w, %w: %s", line, err, s.process.Wait(), s.log.String())
	}
	go func() { _, _ = io.Copy(io.Discard, out) }() // until the process ends
	keys, err := credentials(filepath.Join(dir, "credentials"))
	if err != nil {
		return nil, err
	}
	s.client, err = client.New(client.Config{Endpoint: "http://" + addr, Credentials: keys})
	return s, err
}

// kill kills the server; it may be dead already.
func (s *server) kill() error {
	if err := s.process.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	_ = s.process.Wait() // it says that it was killed
	return nil
}

// stop ends the server as a supervisor does.
func (s *server) stop() error {
	if err := s.process.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	if err := s.process.Wait(); err != nil {
		return fmt.Errorf("%w: %s", err, s.log.String())
	}
	return nil
}

// credentials reads the first profile of a credentials file.
func credentials(name string) (c client.Credentials, err error) {
	data, err := os.ReadFile(name)
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "[") && c.Secret != "" {
			break
		}
		key, value, _ := strings.Cut(strings.TrimSpace(line), " = ")
		switch key {
		case "aws_access_key_id":
			c.AccessKey = value
		case "aws_secret_access_key":
			c.Secret = value
		}
	}
	return c, err
}
