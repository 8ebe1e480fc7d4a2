// Package corpus runs decisions that are kept as text, for people to review:
// documents, requests, and what AWS's documentation says about them. Each file
// names the page it follows.
package corpus

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"twinbucket/arn"
	"twinbucket/fault"
	"twinbucket/policy"
)

// sections maps the section names of a case, up to the first dot, to the kind
// of the document in it.
var sections = map[string]struct {
	source policy.SourceKind
	kind   policy.Kind
}{
	"identity": {policy.IdentityPolicy, policy.Identity},
	"resource": {policy.ResourcePolicy, policy.Resource},
	"boundary": {policy.Boundary, policy.Identity},
	"session":  {policy.SessionPolicy, policy.Identity},
	"trust":    {policy.TrustPolicy, policy.Trust},
}

// short names the kinds of sources as cases write them.
func short(k policy.SourceKind) string {
	for name, s := range sections {
		if s.source == k {
			return name
		}
	}
	return "?"
}

// TestPolicy runs policy/*.txtar. See policy/README.md for the format.
func TestPolicy(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("policy/*.txtar")
	if err != nil || len(files) < 200 {
		t.Fatalf("%d cases, error %v; want at least 200", len(files), err)
	}
	decided := 0
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range a.Files {
			if strings.HasPrefix(f.Name, "requests") {
				decided += strings.Count(string(f.Data), " => ")
			}
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			runCase(t, a)
		})
	}
	if decided < 500 {
		t.Errorf("%d requests are decided, want at least 500", decided)
	}
}

func runCase(t *testing.T, a *txtar.Archive) {
	rule, page, _ := strings.Cut(string(a.Comment), "\n")
	if !strings.HasPrefix(rule, "# ") || !strings.HasPrefix(page, "# https://docs.aws.amazon.com/") {
		t.Error("the case does not begin with the rule it shows and with its page")
	}
	var sources []policy.Source
	ran := false
	for _, f := range a.Files {
		word, rest, _ := strings.Cut(f.Name, ".")
		switch s, ok := sections[word]; {
		case ok:
			doc, err := policy.Parse(f.Data, s.kind)
			if err != nil {
				t.Fatalf("%s: %v (%s)", f.Name, err, fault.HintOf(err))
			}
			sources = append(sources, policy.Source{Kind: s.source, Name: f.Name, Document: doc})
		case word == "invalid":
			ran = true
			runInvalid(t, rest, f.Data)
		case word == "requests":
			ran = true
			runRequests(t, sources, string(f.Data))
		default:
			t.Fatalf("section %q is unknown", f.Name)
		}
	}
	if !ran {
		t.Error("the case decides nothing")
	}
}

// runInvalid runs a section whose first line is the complaint about the
// document in the rest.
func runInvalid(t *testing.T, kind string, data []byte) {
	want, doc, _ := strings.Cut(string(data), "\n")
	_, err := policy.Parse([]byte(doc), sections[kind].kind)
	if got := fault.CodeOf(err) + ": " + fault.MessageOf(err); got != want {
		t.Errorf("invalid.%s:\n got %s\nwant %s", kind, got, want)
	}
	if fault.HintOf(err) == "" {
		t.Error("the complaint has no hint")
	}
}

// runRequests runs the lines of a requests section.
func runRequests(t *testing.T, sources []policy.Source, text string) {
	req := policy.Request{Context: map[string][]string{}}
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		ask, want, isRequest := strings.Cut(line, "=>")
		if !isRequest {
			if err := set(&req, line); err != nil {
				t.Fatalf("line %d: %v", i+1, err)
			}
			continue
		}
		req.Action, req.Resource, _ = strings.Cut(strings.TrimSpace(ask), " ")
		req.Resource = strings.TrimSpace(req.Resource)
		decision := policy.Decide(&req, sources)
		checkFixes(t, &req, decision, sources)
		got := outcome(decision)
		if diff := cmp.Diff(strings.Fields(want), strings.Fields(got)); diff != "" {
			t.Errorf("line %d: %s\n got %s", i+1, line, got)
		}
	}
}

// checkFixes applies what a decision says would allow a request: all of it
// does, and nothing of it can be left out.
func checkFixes(t *testing.T, req *policy.Request, d policy.Decision, sources []policy.Source) {
	fixes := d.Fixes(req)
	if again := policy.Decide(req, fixed(t, sources, fixes)); !again.Allowed {
		t.Errorf("%s %s: still denied after %v: %v", req.Action, req.Resource, fixes, fault.HintOf(again.Err(req)))
	}
	for i := range fixes {
		if policy.Decide(req, fixed(t, sources, slices.Delete(slices.Clone(fixes), i, i+1))).Allowed {
			t.Errorf("%s %s: allowed without %s", req.Action, req.Resource, fixes[i])
		}
	}
}

// fixed returns the sources as fixes change them.
func fixed(t *testing.T, sources []policy.Source, fixes []policy.Fix) []policy.Source {
	var out []policy.Source
	for _, src := range sources {
		var statements []json.RawMessage
		for i := range src.Document.Len() {
			gone := slices.ContainsFunc(fixes, func(f policy.Fix) bool {
				var n int
				_, _ = fmt.Sscanf(f.Which, "statement %d", &n)
				return f.Remove && f.Document == src.Name && n == i+1
			})
			if !gone {
				statements = append(statements, src.Document.Statement(i))
			}
		}
		src.Document = document(t, src.Document.Kind(), src.Document.Version(), statements)
		out = append(out, src)
	}
	for _, f := range fixes {
		if !f.Remove {
			src := policy.Source{Kind: f.Kind, Name: "the fix of " + f.Document}
			src.Document = document(t, kindOf(f.Kind), "2012-10-17", []json.RawMessage{json.RawMessage(f.Statement)})
			out = append(out, src)
		}
	}
	return out
}

// document returns the document of some statements; nil if there are none.
func document(t *testing.T, kind policy.Kind, version string, statements []json.RawMessage) *policy.Document {
	if len(statements) == 0 {
		return nil
	}
	text, err := json.Marshal(struct {
		Version   string `json:",omitempty"`
		Statement []json.RawMessage
	}{version, statements})
	if err != nil {
		t.Fatal(err)
	}
	d, err := policy.Parse(text, kind)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return d
}

// kindOf returns what the documents of a source are parsed as.
func kindOf(k policy.SourceKind) policy.Kind { return sections[short(k)].kind }

// set changes the request by a line such as "owner 222222222222".
func set(req *policy.Request, line string) error {
	word, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	name, value, _ := strings.Cut(rest, "=")
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	switch word {
	case "caller":
		return setCaller(&req.Principal, strings.Fields(rest))
	case "owner":
		req.ResourceAccount = rest
	case "tag":
		if req.Principal.Tags == nil {
			req.Principal.Tags = map[string]string{}
		}
		req.Principal.Tags[name] = value
	case "with":
		req.Context[strings.ToLower(name)] = strings.Split(value, " | ")
	case "without":
		delete(req.Context, strings.ToLower(rest))
	case "time":
		var err error
		req.Time, err = time.Parse(time.RFC3339, rest)
		return err
	default:
		return fmt.Errorf("%q is not a setting", line)
	}
	return nil
}

func setCaller(p *policy.Principal, words []string) error {
	*p = policy.Principal{}
	switch words[0] {
	case "anonymous":
	case "root":
		*p = policy.Principal{Type: policy.RootUser, Account: words[1], ARN: arn.Root(words[1]), UserID: words[1]}
	case "service":
		*p = policy.Principal{Type: policy.ServicePrincipal, Service: words[1]}
	case "user":
		a, err := arn.Parse(words[1])
		*p = policy.Principal{Type: policy.User, Account: a.Account, ARN: words[1], UserID: "AIDAEXAMPLEEXAMPLE123"}
		return err
	case "federated":
		a, err := arn.Parse(words[2])
		*p = policy.Principal{
			Type: policy.FederatedUser, Account: a.Account, ARN: arn.FederatedUser(a.Account, words[1]),
			Role: words[2], UserID: a.Account + ":" + words[1],
		}
		if a.Resource != "root" {
			p.Lender = "AIDAEXAMPLEEXAMPLE123"
		}
		return err
	case "role":
		account, _, name, err := arn.RoleParts(words[1])
		*p = policy.Principal{
			Type: policy.RoleSession, Account: account, Role: words[1],
			ARN: arn.Session(account, name, words[2]), UserID: "AROAEXAMPLEEXAMPLE123:" + words[2],
		}
		return err
	default:
		return fmt.Errorf("%q is not a caller", words)
	}
	return nil
}

// outcome writes a decision as the cases do.
func outcome(d policy.Decision) string {
	word := "deny"
	if d.Allowed {
		word = "allow"
	}
	var by []string
	for _, m := range d.Matched {
		if !d.Explicit || m.Effect == policy.Deny {
			by = append(by, fmt.Sprintf("%s:%d", m.Source.Name, m.Statement+1))
		}
	}
	switch {
	case d.Explicit:
		word += " explicit"
	case !d.Allowed:
		var missing []string
		for _, k := range d.Missing {
			missing = append(missing, short(k))
		}
		word += " missing " + strings.Join(missing, ",")
	}
	return word + " " + strings.Join(by, " ")
}
