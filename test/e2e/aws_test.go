package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// cli is one version of the aws command line.
type cli struct {
	path    string
	version string // such as 2.9.19
	// flag says that the endpoint has to be given as a flag, because this
	// version does not know AWS_ENDPOINT_URL yet.
	flag bool
}

// clis returns every aws in PATH, and Debian's; each version once.
func clis(t *testing.T) []cli {
	t.Helper()
	var out []cli
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/bin") {
		path := filepath.Join(dir, "aws")
		if _, err := exec.LookPath(path); err != nil {
			continue
		}
		said, err := exec.Command(path, "--version").CombinedOutput()
		if err != nil {
			t.Fatalf("%s --version: %v: %s", path, err, said)
		}
		m := regexp.MustCompile(`^aws-cli/((\d+)\.(\d+)\.\d+)`).FindStringSubmatch(string(said))
		if m == nil {
			t.Fatalf("%s --version says %s", path, said)
		}
		major, _ := strconv.Atoi(m[2])
		minor, _ := strconv.Atoi(m[3])
		c := cli{path: path, version: m[1], flag: major == 1 && minor < 29 || major == 2 && minor < 13}
		if !slices.ContainsFunc(out, func(o cli) bool { return o.version == c.version }) {
			out = append(out, c)
		}
	}
	if len(out) == 0 {
		t.Fatal("aws is needed: there is none in PATH")
	}
	return out
}

// args returns a command's arguments with the endpoint among them where it
// belongs, and further variables. S3 Control's clients put the account before
// the host, so they go through the server as their proxy.
func (c *cli) args(endpoint string, args []string) (with, env []string) {
	switch {
	case len(args) > 0 && args[0] == "s3control":
		return append([]string{"--endpoint-url", "http://twinbucket"}, args...), []string{"HTTP_PROXY=" + endpoint, "http_proxy=" + endpoint}
	case c.flag:
		return append([]string{"--endpoint-url", endpoint}, args...), nil
	}
	return args, nil
}

// user is a person with an account who types aws commands.
type user struct {
	t       *testing.T
	cli     cli
	server  *server
	profile string
}

// try runs an aws command.
func (u *user) try(args ...string) (stdout, stderr string, err error) {
	with, env := u.cli.args(u.server.endpoint, args)
	cmd := exec.CommandContext(u.t.Context(), u.cli.path, with...)
	cmd.Env = append(append(inherited(), u.server.environ(u.profile)...), env...)
	cmd.Dir = u.t.TempDir()
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	err = cmd.Run()
	return o.String(), e.String(), err
}

// aws runs an aws command, which must succeed, and returns what it printed.
func (u *user) aws(args ...string) string {
	u.t.Helper()
	stdout, stderr, err := u.try(args...)
	if err != nil {
		u.t.Fatalf("aws %s as %s: %v: %s%s", strings.Join(args, " "), u.profile, err, stdout, stderr)
	}
	return stdout
}

// json runs an aws command and decodes its answer.
func (u *user) json(into any, args ...string) {
	u.t.Helper()
	out := u.aws(append(args, "--output", "json")...)
	if err := json.Unmarshal([]byte(out), into); err != nil {
		u.t.Fatalf("aws %s printed %s: %v", strings.Join(args, " "), out, err)
	}
}

// deploy deploys a template from a folder of the repository.
func (u *user) deploy(stack, file string, params ...string) string {
	u.t.Helper()
	path, err := filepath.Abs(filepath.Join(root, file))
	if err != nil {
		u.t.Fatal(err)
	}
	args := []string{"cloudformation", "deploy", "--stack-name", stack, "--template-file", path, "--capabilities", "CAPABILITY_NAMED_IAM"}
	if len(params) > 0 {
		args = append(append(args, "--parameter-overrides"), params...)
	}
	return u.aws(args...)
}

// eachCLI runs a test once for every version of the aws command line.
func eachCLI(t *testing.T, f func(t *testing.T, c cli)) {
	t.Helper()
	for _, c := range clis(t) {
		t.Run(fmt.Sprintf("aws-%s", c.version), func(t *testing.T) {
			t.Parallel()
			f(t, c)
		})
	}
}
