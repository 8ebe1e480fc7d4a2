package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The accounts of every server here; the profiles have their names.
const (
	source      = "111111111111"
	destination = "222222222222"
	region      = "us-east-1"
)

// server is a running twinbucket serve.
type server struct {
	data     string // its data directory
	endpoint string // http://127.0.0.1:PORT
	process  *exec.Cmd
	ended    chan error
	log      *os.File
}

// patience is how long anything that should take moments may take.
const patience = 60 * time.Second

// serve starts a server over a data directory, at listen, and returns when it
// is healthy, with more flags. The server is not stopped by itself.
func serve(data, listen string, more ...string) (*server, error) {
	if err := os.MkdirAll(data, 0o755); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(filepath.Join(data, "..", filepath.Base(data)+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	s := &server{data: data, ended: make(chan error, 1), log: log}
	s.process = exec.Command(binary, append([]string{
		"serve", "--data", data, "--listen", listen, "--region", region,
		"--account", "source=" + source, "--account", "destination=" + destination,
	}, more...)...)
	s.process.Stderr = log
	out, err := s.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.process.Start(); err != nil {
		return nil, err
	}
	first, err := bufio.NewReader(out).ReadString('\n')
	go func() {
		_, copied := io.Copy(io.Discard, out)
		s.ended <- errors.Join(s.process.Wait(), copied, log.Close())
	}()
	var found bool
	if _, s.endpoint, found = strings.Cut(strings.TrimSpace(first), "twinbucket serves on "); !found || err != nil {
		return nil, fmt.Errorf("serve said %q (%w); its log: %s", first, err, s.words())
	}
	return s, s.healthy()
}

// words returns the server's log.
func (s *server) words() string {
	text, err := os.ReadFile(s.log.Name())
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// healthy waits until the server says that it is ready.
func (s *server) healthy() error {
	return poll(func() (bool, error) {
		res, err := http.Get(s.endpoint + "/_twinbucket/health")
		if err != nil {
			return false, nil // not listening yet
		}
		return res.StatusCode == http.StatusOK, res.Body.Close()
	})
}

// stop ends the server as an interrupt does; it must exit with 0.
func (s *server) stop() error {
	if err := s.process.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case err := <-s.ended:
		return err
	case <-time.After(patience):
		return errors.Join(errors.New("the server did not stop"), s.process.Process.Kill())
	}
}

// kill ends the server as a power cut does.
func (s *server) kill() error {
	if err := s.process.Process.Kill(); err != nil {
		return err
	}
	<-s.ended // says that it was killed
	return nil
}

// listen returns the address that the server listens on.
func (s *server) listen() string { return strings.TrimPrefix(s.endpoint, "http://") }

// start serves a new data directory until the test ends.
func start(t *testing.T, more ...string) *server {
	t.Helper()
	s, err := serve(filepath.Join(t.TempDir(), "data"), "127.0.0.1:0", more...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Errorf("stopping: %v; the log: %s", err, s.words())
		}
	})
	return s
}

// environ returns the variables that clients of AWS look at, for a profile.
func (s *server) environ(profile string) []string {
	return []string{
		"AWS_SHARED_CREDENTIALS_FILE=" + filepath.Join(s.data, "credentials"),
		"AWS_CONFIG_FILE=" + filepath.Join(s.data, "..", "no-config"),
		"AWS_PROFILE=" + profile,
		"AWS_ENDPOINT_URL=" + s.endpoint,
		"AWS_REGION=" + region, "AWS_DEFAULT_REGION=" + region,
		"AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=", "AWS_CLI_AUTO_PROMPT=off", "AWS_MAX_ATTEMPTS=1",
		"ENDPOINT=" + s.endpoint, "SOURCE=" + source, "DESTINATION=" + destination, "PYTHONDONTWRITEBYTECODE=1",
	}
}

// keyVariables returns variables with the accounts' keys, for programs that do
// not read the file of credentials.
func (s *server) keyVariables() ([]string, error) {
	var vars []string
	for _, profile := range []string{"source", "destination"} {
		keys, err := s.keys(profile)
		if err != nil {
			return nil, err
		}
		name := strings.ToUpper(profile)
		vars = append(vars, name+"_KEY="+keys.AccessKeyID, name+"_SECRET="+keys.SecretAccessKey)
	}
	return vars, nil
}

// inherited returns this process's variables without those that would lead
// a client of AWS elsewhere.
func inherited() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(strings.ToUpper(v), "=")
		return strings.HasPrefix(name, "AWS_") || strings.HasSuffix(name, "_PROXY")
	})
}

// poll asks again and again until it is true, and gives up in the end.
func poll(done func() (bool, error)) error {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			return fmt.Errorf("it did not come about within %v", patience)
		}
	}
}
