// Package script types the commands of the command line and looks at what they
// print, how they end, and what they advise.
package script

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"twinbucket/client"
	"twinbucket/internal/cli"
	"twinbucket/object"
)

// TestMain makes this test the program twinbucket for its scripts.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"twinbucket": func() {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		os.Exit(cli.Run(ctx, os.Args[1:], os.Stdout, os.Stderr))
	}})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Values[serving{}] = make(map[string]*server)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve":  serve,
			"health": health,
			"stop":   stop,
			"kill":   kill,
			"exits":  exits,
			"json":   fields,
			"flip":   flip,
			"put":    put,
			"match":  match,
		},
	})
}

// patience is how long anything that takes moments may take.
const patience = 30 * time.Second

// serving is the key of a script's servers.
type serving struct{}

// server is a twinbucket that goes on in the background.
type server struct {
	process *exec.Cmd
	addr    string
	printed chan string // all that it printed, when it has ended
	log     strings.Builder
}

// serve is "serve NAME ARG...": twinbucket ARG... in the background. When it
// has printed its address, that is in the variable NAME.
func serve(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: serve NAME ARG...")
	}
	path, err := exec.LookPath("twinbucket")
	ts.Check(err)
	s := &server{process: exec.Command(path, args[1:]...), printed: make(chan string, 1)}
	s.process.Dir = ts.MkAbs(".")
	s.process.Env = os.Environ()
	if region := ts.Getenv("TWINBUCKET_REGION"); region != "" {
		s.process.Env = append(s.process.Env, "TWINBUCKET_REGION="+region)
	}
	s.process.Stderr = &s.log
	out, err := s.process.StdoutPipe()
	ts.Check(err)
	ts.Check(s.process.Start())
	lines := bufio.NewReader(out)
	first, err := lines.ReadString('\n')
	if err != nil {
		ts.Fatalf("it printed %q and ended: %v, %v: %s", first, err, s.process.Wait(), &s.log)
	}
	go func() {
		rest, err := io.ReadAll(lines)
		s.printed <- fmt.Sprint(first, string(rest), err)
	}()
	var found bool
	if _, s.addr, found = strings.Cut(strings.TrimSpace(first), "twinbucket serves on http://"); !found {
		ts.Fatalf("the first line is %q", first)
	}
	ts.Setenv(args[0], s.addr)
	all := ts.Value(serving{}).(map[string]*server)
	all[args[0]] = s
	ts.Defer(func() {
		if all[args[0]] == s {
			ts.Check(s.process.Process.Kill())
			ts.Check(ignoreKilled(s.process.Wait()))
		}
	})
}

// ignoreKilled returns an error unless it says that a process was killed.
func ignoreKilled(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) && !exit.Exited() {
		return nil
	}
	return err
}

// health is "health NAME": waits until that server says that it is ready.
func health(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: health NAME")
	}
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		res, err := http.Get("http://" + ts.Getenv(args[0]) + "/_twinbucket/health")
		if err == nil {
			ts.Check(res.Body.Close())
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			ts.Fatalf("%s did not become ready: %v", args[0], err)
		}
	}
}

// stop is "stop NAME": ends that server as Ctrl-C does; it must exit with 0.
// What it printed is in the files NAME.stdout and NAME.stderr.
func stop(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: stop NAME")
	}
	all := ts.Value(serving{}).(map[string]*server)
	s := all[args[0]]
	if s == nil {
		ts.Fatalf("%s does not serve", args[0])
	}
	delete(all, args[0])
	ts.Check(s.process.Process.Signal(os.Interrupt))
	printed := <-s.printed
	if err := s.process.Wait(); err != nil {
		ts.Fatalf("%s ended with %v: %s", args[0], err, &s.log)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".stdout"), []byte(printed), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".stderr"), []byte(s.log.String()), 0o600))
}

// kill is "kill NAME": ends that server as a crash does.
func kill(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: kill NAME")
	}
	all := ts.Value(serving{}).(map[string]*server)
	s := all[args[0]]
	if s == nil {
		ts.Fatalf("%s does not serve", args[0])
	}
	delete(all, args[0])
	ts.Check(s.process.Process.Kill())
	ts.Check(ignoreKilled(s.process.Wait()))
}

// exits is "exits CODE ARG...": twinbucket ARG... ends with that exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: exits CODE ARG...")
	}
	err := ts.Exec("twinbucket", args[1:]...)
	code := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		code = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if fmt.Sprint(code) != args[0] {
		ts.Fatalf("the exit code is %d, not %s", code, args[0])
	}
}

// flip is "flip FILE OFFSET": changes a bit of that byte, as a bad disk may.
func flip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: flip FILE OFFSET")
	}
	at, err := strconv.Atoi(args[1])
	ts.Check(err)
	data := []byte(ts.ReadFile(args[0]))
	data[at] ^= 1
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o600))
}

// put is "put FILE BUCKET KEY PROFILE": puts the file into a bucket of the server
// that AWS_ENDPOINT_URL names.
func put(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: put FILE BUCKET KEY PROFILE")
	}
	keys := regexp.MustCompile(`(?s)\[` + args[3] + `\]\s+aws_access_key_id = (\S+)\s+aws_secret_access_key = (\S+)`).
		FindStringSubmatch(ts.ReadFile(ts.Getenv("AWS_SHARED_CREDENTIALS_FILE")))
	if keys == nil {
		ts.Fatalf("no profile %s", args[3])
	}
	c, err := client.New(client.Config{Endpoint: ts.Getenv("AWS_ENDPOINT_URL"), Credentials: client.Credentials{AccessKey: keys[1], Secret: keys[2]}})
	ts.Check(err)
	data := ts.ReadFile(args[0])
	_, err = c.PutObject(context.Background(), client.Put{
		Version: object.Version{Bucket: args[1], Key: args[2], Size: int64(len(data))}, Body: strings.NewReader(data),
	})
	ts.Check(err)
}

// match is "match NAME FILE PATTERN": sets the variable to what the pattern's
// group matches in the file.
func match(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: match NAME FILE PATTERN")
	}
	found := regexp.MustCompile("(?m)" + args[2]).FindStringSubmatch(ts.ReadFile(args[1]))
	if len(found) != 2 {
		ts.Fatalf("%s: no match for %s", args[1], args[2])
	}
	ts.Setenv(args[0], found[1])
}

// fields is "json FILE KEY...": the file holds one JSON object, and it has
// the keys.
func fields(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: json FILE KEY...")
	}
	var object map[string]any
	if err := json.Unmarshal([]byte(ts.ReadFile(args[0])), &object); err != nil {
		ts.Fatalf("%s: %v", args[0], err)
	}
	for _, key := range args[1:] {
		if _, ok := object[key]; !ok {
			ts.Fatalf("%s has no %q: %v", args[0], key, object)
		}
	}
}
