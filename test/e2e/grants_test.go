package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// permission is a step that the replication role has to be allowed, and where.
type permission struct{ action, resource string }

// The grants of a role or policy that lacks nothing.
var (
	roleGrants = []permission{
		{"s3:GetReplicationConfiguration", "SRC"},
		{"s3:ListBucket", "SRC"},
		{"s3:GetObjectVersionForReplication", "SRC/*"},
		{"s3:GetObjectVersionAcl", "SRC/*"},
		{"s3:GetObjectVersionTagging", "SRC/*"},
		{"s3:ReplicateObject", "DST/*"},
		{"s3:ReplicateDelete", "DST/*"},
		{"s3:ReplicateTags", "DST/*"},
	}
	policyGrants = []permission{{"s3:ReplicateObject", "DST/*"}, {"s3:ReplicateDelete", "DST/*"}, {"s3:ReplicateTags", "DST/*"}}
	batchGrants  = []permission{
		{"s3:InitiateReplication", "SRC/*"},
		{"s3:GetReplicationConfiguration", "SRC"},
		{"s3:PutInventoryConfiguration", "SRC"},
		{"s3:PutObject", "SRC/*"},
	}
)

// mistake is one thing that is wrong; everything else is right.
type mistake struct {
	name   string
	lacks  string            // an action that the replication role is not granted
	policy string            // one that the destination's policy does not grant
	denies string            // one that the destination's policy denies
	batch  string            // one that the batch role is not granted
	trust  string            // who the replication role trusts, in place of S3
	after  func(w *mistaken) // what happens when the rule is there
	code   string            // in the job's report
	live   string            // the status that a new object gets at the source
}

var mistakes = []mistake{
	{name: "role may not read versions", lacks: "s3:GetObjectVersionForReplication", code: "SrcGetObjectNotPermitted", live: "FAILED"},
	{name: "role may not read ACLs", lacks: "s3:GetObjectVersionAcl", code: "SrcGetAclNotPermitted", live: "FAILED"},
	{name: "role may not read tags", lacks: "s3:GetObjectVersionTagging", code: "SrcGetTaggingNotPermitted", live: "FAILED"},
	{name: "role may not write replicas", lacks: "s3:ReplicateObject", code: "DstPutObjectNotPermitted", live: "FAILED"},
	{name: "policy does not let replicas in", policy: "s3:ReplicateObject", code: "DstPutObjectNotPermitted", live: "FAILED"},
	{name: "policy denies", denies: "s3:ReplicateObject", code: "DstPutObjectNotPermitted", live: "FAILED"},
	{name: "policy denies tags", denies: "s3:ReplicateTags", code: "DstPutTaggingNotPermitted", live: "FAILED"},
	{name: "role trusts another service", trust: "ec2.amazonaws.com", code: "AssumeRoleNotPermitted", live: "FAILED"},
	{name: "destination is suspended", after: func(w *mistaken) {
		w.dst.aws("s3api", "put-bucket-versioning", "--bucket", w.to, "--versioning-configuration", "Status=Suspended")
	}, code: "DstBucketUnversioned", live: "FAILED"},
	{name: "destination is gone", after: func(w *mistaken) { w.dst.aws("s3", "rb", "s3://"+w.to) }, code: "DstBucketNotFound", live: "FAILED"},
	{name: "a boundary does not allow", after: func(w *mistaken) {
		w.limit("put-role-permissions-boundary", "--permissions-boundary", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["s3:Get*","s3:List*"],"Resource":"*"}}`)
	}, code: "DstPutObjectNotPermitted", live: "FAILED"},
	{name: "a managed policy denies", after: func(w *mistaken) {
		w.limit("attach-role-policy", "--policy-arn", `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"s3:GetObjectVersionAcl","Resource":"*"},{"Effect":"Allow","Action":"s3:ListAllMyBuckets","Resource":"*"}]}`)
	}, code: "SrcGetAclNotPermitted", live: "FAILED"},
	{name: "a public policy is kept from other accounts", after: func(w *mistaken) {
		w.dst.aws("s3api", "put-bucket-policy", "--bucket", w.to, "--policy", w.document(policyGrants, "", "", "*"))
		w.dst.aws("s3api", "put-public-access-block", "--bucket", w.to, "--public-access-block-configuration", "BlockPublicAcls=true,RestrictPublicBuckets=true")
	}, code: "DstPutObjectNotPermitted", live: "FAILED"},
	{name: "only the source has Object Lock", after: func(w *mistaken) {
		w.src.aws("s3api", "put-object-lock-configuration", "--bucket", w.from, "--object-lock-configuration", "ObjectLockEnabled=Enabled")
	}, code: "DstBucketObjectLockConfigMissing", live: "FAILED"},
	{name: "batch role may not start", batch: "s3:InitiateReplication", code: "InitiateReplicationNotPermitted", live: "COMPLETED"},
	{name: "nothing is wrong", code: "", live: "COMPLETED"},
}

// TestMissingGrants makes each mistake: a new object FAILED at the source, and
// a job's report says AWS's code for it.
func TestMissingGrants(t *testing.T) {
	c, s := clis(t)[0], start(t)
	for n, m := range mistakes {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			w := &mistaken{
				mistake: m, src: &user{t, c, s, "source"}, dst: &user{t, c, s, "destination"},
				from: fmt.Sprintf("grants-%d-src", n), to: fmt.Sprintf("grants-%d-dst", n),
			}
			w.build()
			w.check(t)
			w.mend(t, n%2 == 0)
		})
	}
}

// mistaken is a pair of buckets with one mistake.
type mistaken struct {
	mistake
	src, dst *user
	from, to string
}

// document returns a policy document; without a principal it is a role's.
func (w *mistaken) document(grants []permission, without, deny, principal string) string {
	var out []string
	add := func(effect string, p permission) {
		who := ""
		if principal != "" {
			who = fmt.Sprintf(`"Principal":{"AWS":%q},`, principal)
		}
		arn := strings.NewReplacer("SRC", "arn:aws:s3:::"+w.from, "DST", "arn:aws:s3:::"+w.to).Replace(p.resource)
		out = append(out, fmt.Sprintf(`{"Effect":%q,%s"Action":%q,"Resource":%q}`, effect, who, p.action, arn))
	}
	for _, p := range grants {
		if p.action != without {
			add("Allow", p)
		}
	}
	if deny != "" {
		add("Deny", permission{deny, "DST/*"})
	}
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(out, ",") + `]}`
}

// role creates a role with one inline policy and returns its ARN.
func (w *mistaken) role(name, service, grants string) string {
	w.src.aws("iam", "create-role", "--role-name", name, "--assume-role-policy-document",
		fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":%q},"Action":"sts:AssumeRole"}]}`, service))
	w.src.aws("iam", "put-role-policy", "--role-name", name, "--policy-name", "p", "--policy-document", grants)
	return "arn:aws:iam::" + source + ":role/" + name
}

// build makes the buckets, the roles, the policy and the rule.
func (w *mistaken) build() {
	for u, b := range map[*user]string{w.src: w.from, w.dst: w.to} {
		u.aws("s3api", "create-bucket", "--bucket", b)
		u.aws("s3api", "put-bucket-versioning", "--bucket", b, "--versioning-configuration", "Status=Enabled")
	}
	w.src.aws("s3api", "put-object", "--bucket", w.from, "--key", "old", "--tagging", "a=b")
	trust := w.trust
	if trust == "" {
		trust = "s3.amazonaws.com"
	}
	repl := w.role(w.from+"-repl", trust, w.document(roleGrants, w.lacks, "", ""))
	w.role(w.from+"-batch", "batchoperations.s3.amazonaws.com", w.document(batchGrants, w.batch, "", ""))
	w.dst.aws("s3api", "put-bucket-policy", "--bucket", w.to, "--policy", w.document(policyGrants, w.policy, w.denies, repl))
	w.src.aws("s3api", "put-bucket-replication", "--bucket", w.from, "--replication-configuration", fmt.Sprintf(
		`{"Role":%q,"Rules":[{"ID":"all","Status":"Enabled","Priority":1,"Filter":{"Prefix":""},"DeleteMarkerReplication":{"Status":"Disabled"},"Destination":{"Bucket":"arn:aws:s3:::%s","Account":%q}}]}`, repl, w.to, destination))
	if w.after != nil {
		w.after(w)
	}
}

// limit makes a managed policy and gives it to the replication role.
func (w *mistaken) limit(command, flag, document string) {
	arn := strings.TrimSpace(w.src.aws("iam", "create-policy", "--policy-name", w.from, "--policy-document", document, "--query", "Policy.Arn", "--output", "text"))
	w.src.aws("iam", command, "--role-name", w.from+"-repl", flag, arn)
}

// check puts an object, and runs a job for the one from before the rule.
func (w *mistaken) check(t *testing.T) {
	w.replicates(t, "new", w.live)
	id := w.src.createJob(w.from, w.from+"-batch")
	w.src.await(id, "Suspended")
	w.src.confirm(id)
	w.src.await(id, "Complete")
	rows := w.src.report(w.from, id)
	i := slices.IndexFunc(rows, func(r row) bool { return r.key == "old" })
	if i < 0 {
		t.Fatalf("the report has no line of the old object: %+v", rows)
	}
	want := "succeeded"
	if w.code != "" {
		want = "failed"
	}
	if r := rows[i]; r.status != want || r.code != w.code {
		t.Errorf("the report says %+v, not %s %s", r, want, w.code)
	}
}

// replicates puts an object that has to end in a status.
func (w *mistaken) replicates(t *testing.T, key, status string) {
	w.src.aws("s3api", "put-object", "--bucket", w.from, "--key", key, "--tagging", "a=b")
	var h head
	if err := poll(func() (bool, error) {
		h = w.src.head(w.from, key)
		return h.ReplicationStatus != "PENDING", nil
	}); err != nil || h.ReplicationStatus != status {
		t.Errorf("the object %s is %s, not %s (%v)", key, h.ReplicationStatus, status, err)
	}
}

// found is what twinbucket check finds.
type found struct {
	Checks []struct{ What, Status, Code string }
	Plans  []struct {
		Account, Template string
		Updates           []struct{ Stack, Template string }
		Changes           []struct {
			New            bool
			Stack, Command string
		}
	}
}

// mend lets twinbucket check find the mistake, and does what it says: by its
// templates and, for what they leave out, its commands, or by commands alone. Then
// nothing is refused any more, and objects are replicated.
func (w *mistaken) mend(t *testing.T, templates bool) {
	before, code := w.find(t)
	if w.code == "" {
		if code != 0 {
			t.Errorf("check ended with %d: %+v", code, before)
		}
		return
	}
	if code != 5 || !slices.ContainsFunc(before.Checks, func(l struct{ What, Status, Code string }) bool {
		return l.Status == "refused" && l.Code == w.code
	}) {
		t.Fatalf("check ended with %d and did not find %s: %+v", code, w.code, before)
	}
	for _, p := range before.Plans {
		u := w.src
		if p.Account == destination {
			u = w.dst
		}
		deploy := func(stack, body string) {
			file := filepath.Join(t.TempDir(), "fix.yaml")
			if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
				t.Fatal(err)
			}
			u.aws("cloudformation", "deploy", "--stack-name", stack, "--template-file", file, "--capabilities", "CAPABILITY_NAMED_IAM")
		}
		if templates && p.Template != "" {
			deploy(w.from+"-fix", p.Template)
		}
		for _, update := range p.Updates {
			if templates {
				deploy(update.Stack, update.Template)
			}
		}
		for _, c := range p.Changes {
			if !templates || !c.New && c.Stack == "" {
				u.shell(t, c.Command)
			}
		}
	}
	if after, code := w.find(t); code != 0 {
		t.Errorf("after what it said was done, check ends with %d: %+v", code, after)
	}
	w.replicates(t, "mended", "COMPLETED")
}

// find runs twinbucket check and returns its exit code.
func (w *mistaken) find(t *testing.T) (f found, code int) {
	cmd := exec.CommandContext(t.Context(), binary, "check", "s3://"+w.from, "--dest-profile", "destination", "--json",
		"--job-role", "arn:aws:iam::"+source+":role/"+w.from+"-batch", "--report", "s3://"+w.from)
	cmd.Env = append(inherited(), w.src.server.environ("source")...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if code = cmd.ProcessState.ExitCode(); code == 1 || code == 2 {
		t.Fatalf("twinbucket check: %v: %s", err, &stderr)
	}
	if err := json.Unmarshal(out, &f); err != nil {
		t.Fatalf("twinbucket check printed %s: %v", out, err)
	}
	return f, code
}

// shell runs a command as a person types it.
func (u *user) shell(t *testing.T, command string) {
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `aws() { "$CLI" --endpoint-url "$ENDPOINT" "$@"; }
`+command)
	cmd.Env = append(append(inherited(), u.server.environ(u.profile)...), "CLI="+u.cli.path)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", command, err, out)
	}
}
