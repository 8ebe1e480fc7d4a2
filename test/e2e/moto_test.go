//go:build moto

// The checks against another implementation of AWS's APIs: moto's server, which
// pip installs (moto[server]). It is not in Debian, so that this is run by hand:
//
//	go test -tags moto -run TestMoto .
package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMoto plans a replication between two accounts of moto, does what the
// plan says with the AWS CLI, and finds nothing refused then. Moto's account
// has no user whose policies could be read, so that two points stay unknown.
func TestMoto(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	moto := exec.Command("moto_server", "-p", fmt.Sprint(port))
	if err := moto.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = moto.Process.Kill(); _ = moto.Wait() })
	endpoint := fmt.Sprintf("http://127.0.0.1:%d", port)
	if err := poll(func() (bool, error) {
		res, err := http.Get(endpoint + "/moto-api/data.json")
		if err != nil {
			return false, nil // not listening yet
		}
		return res.StatusCode == http.StatusOK, res.Body.Close()
	}); err != nil {
		t.Fatal(err)
	}
	const account = "123456789012" // moto's own
	data := t.TempDir()
	credentials := filepath.Join(data, "credentials")
	keep := func(text string) {
		if err := os.WriteFile(credentials, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	first := "[source]\naws_access_key_id = test\naws_secret_access_key = test\n"
	keep(first)
	s := &server{data: data, endpoint: endpoint}
	c := clis(t)[0]
	src, dst := &user{t, c, s, "source"}, &user{t, c, s, "destination"}
	words := strings.Fields(src.aws("sts", "assume-role", "--role-arn", "arn:aws:iam::"+destination+":role/admin", "--role-session-name", "test",
		"--query", "Credentials.[AccessKeyId,SecretAccessKey,SessionToken]", "--output", "text"))
	keep(first + fmt.Sprintf("[destination]\naws_access_key_id = %s\naws_secret_access_key = %s\naws_session_token = %s\n", words[0], words[1], words[2]))
	for u, b := range map[*user]string{src: "src", dst: "dst"} {
		u.aws("s3api", "create-bucket", "--bucket", b)
		u.aws("s3api", "put-bucket-versioning", "--bucket", b, "--versioning-configuration", "Status=Enabled")
	}
	find := func(want int) (f found) {
		cmd := exec.CommandContext(t.Context(), binary, "check", "s3://src", "--dest-profile", "destination", "--json",
			"--role", "arn:aws:iam::"+account+":role/repl", "--destination", "s3://dst")
		cmd.Env = append(inherited(), s.environ("source")...)
		out, err := cmd.Output()
		if code := cmd.ProcessState.ExitCode(); code != want {
			t.Fatalf("check ended with %d, not %d: %v: %s", code, want, err, out)
		}
		if err := json.Unmarshal(out, &f); err != nil {
			t.Fatal(err)
		}
		return f
	}
	for _, p := range find(5).Plans {
		u := src
		if p.Account == destination {
			u = dst
		}
		for _, c := range p.Changes {
			u.shell(t, c.Command)
		}
	}
	unknown := 0
	for _, l := range find(6).Checks {
		if l.Status != "ok" {
			unknown++
		}
	}
	if unknown != 2 {
		t.Errorf("%d points are not ok", unknown)
	}
}
