package check

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"twinbucket/bucket"
	"twinbucket/template"
)

// Plan is everything to change in one account.
type Plan struct {
	Account string `json:"account"`
	// Template is a CloudFormation template to deploy as a new stack, YAML; ""
	// if there is nothing that a new stack could make.
	Template string `json:"template,omitempty"`
	Region   string `json:"region,omitempty"` // for the template; "" if any will do
	// Updates are the templates of stacks that have what is to change.
	Updates []Update       `json:"updates,omitempty"`
	Changes []Modification `json:"changes"`
}

// Modification is all that has to change in one document or setting.
type Modification struct {
	Document string `json:"document"`        // what changes, for people
	New      bool   `json:"new"`             // it is not there, so that a new stack can make it
	Stack    string `json:"stack,omitempty"` // that has it, and is updated
	// CloudFormation is what a template that has it should say, YAML.
	CloudFormation string `json:"cloudformation"`
	// Command makes the change with the AWS CLI, in a shell.
	Command string `json:"command"`
}

// Commands returns the commands for what no template changes: it is there
// already, and in no stack.
func (p *Plan) Commands() []string {
	var out []string
	for _, c := range p.Changes {
		if !c.New && c.Stack == "" {
			out = append(out, c.Command)
		}
	}
	return out
}

// plans gathers the fixes of all lines by account. An account with a role to
// make comes first: other accounts' policies can only name roles that exist.
func (c *checker) plans(ctx context.Context) ([]Plan, error) {
	var order []string
	byAccount := map[string][]Fix{}
	for i := range c.report.Lines {
		for _, f := range c.report.Lines[i].Fixes {
			if byAccount[f.Account] == nil {
				order = append(order, f.Account)
			}
			byAccount[f.Account] = append(byAccount[f.Account], f)
		}
	}
	makes := func(account string) int {
		if slices.ContainsFunc(byAccount[account], func(f Fix) bool { return f.target.kind == wholeRole }) {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(order, func(a, b string) int { return makes(a) - makes(b) })
	var out []Plan
	for _, account := range order {
		p := Plan{Account: account}
		if err := c.plan(ctx, &p, byTarget(byAccount[account])); err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// plan makes the plan of one account.
func (c *checker) plan(ctx context.Context, p *Plan, groups [][]Fix) error {
	slices.SortStableFunc(groups, func(a, b []Fix) int { return a[0].target.turn() - b[0].target.turn() })
	var fresh, there [][]Fix
	for _, g := range groups {
		if g[0].target.fresh() {
			fresh = append(fresh, g)
			p.Region = max(p.Region, g[0].target.region)
		} else {
			there = append(there, g)
		}
	}
	if len(fresh) > 0 {
		p.Template = render(mapping(
			"AWSTemplateFormatVersion", text(template.FormatVersion),
			"Description", text("What replication lacks in account "+p.Account),
			"Resources", resources(fresh),
		))
	}
	stacks, err := c.update(ctx, p, there)
	if err != nil {
		return err
	}
	for _, g := range groups {
		t := &g[0].target
		p.Changes = append(p.Changes, Modification{
			Document: t.document(), New: t.fresh(), Stack: stacks[t.key()], CloudFormation: fragment(g), Command: command(g),
		})
	}
	return nil
}

// fresh reports whether a new stack can make the target.
func (t *target) fresh() bool {
	return t.kind == newInline || t.kind == wholeRole || t.kind == wholeBucket || t.kind == bucketDocument && t.text == ""
}

// turn is when to change the target: what is new first, a replication
// configuration when all that it names is there.
func (t *target) turn() int {
	switch {
	case t.fresh():
		return 0
	case t.kind == bucketSetting && t.policy == string(bucket.Replication):
		return 2
	}
	return 1
}

// key is equal for fixes that go into one resource.
func (t *target) key() string {
	name := t.policy
	if t.kind == newInline || t.kind == wholeRole {
		name = ""
	}
	return fmt.Sprintf("%s %d %d %s %s", t.account, t.kind, t.identity, t.name, name)
}

// byTarget groups fixes by what they change, in their order.
func byTarget(fixes []Fix) [][]Fix {
	var out [][]Fix
	at := map[string]int{}
	for _, f := range fixes {
		k := f.target.key()
		n, ok := at[k]
		if !ok {
			n = len(out)
			at[k] = n
			out = append(out, nil)
		}
		out[n] = append(out[n], f)
	}
	return out
}

// document is a policy document in the usual order of its elements.
type document struct {
	Version   string            `json:"Version,omitempty"`
	ID        string            `json:"Id,omitempty"`
	Statement []json.RawMessage `json:"Statement"`
}

// policyVersion is that of the policy language in documents that we make.
const policyVersion = "2012-10-17"

// merged returns the document of a group of fixes as it should be; without a
// statement if nothing is left of it.
func merged(g []Fix) document {
	d := document{Version: policyVersion}
	if t := g[0].target.text; t != "" {
		d = readDocument(t)
	}
	var gone []int
	for _, f := range g {
		switch f.Do {
		case Change:
			d.Statement[f.index] = merge(d.Statement[f.index], f)
		case Remove:
			gone = append(gone, f.index)
		case Add:
			d.add(f.Statement)
		}
	}
	for i, text := range d.Statement {
		if living, ok := living(text); ok {
			d.Statement[i] = living
		} else {
			gone = append(gone, i)
		}
	}
	slices.Sort(gone)
	for _, i := range slices.Backward(slices.Compact(gone)) {
		d.Statement = slices.Delete(d.Statement, i, i+1)
	}
	return d
}

// living returns a statement without the principals that were deleted, which
// stand in it by their unique ids and are refused when the document is put
// again; false if it has no others.
func living(text json.RawMessage) (json.RawMessage, bool) {
	var s statement
	var principal map[string]json.RawMessage
	if json.Unmarshal(text, &s) != nil || json.Unmarshal(s.Principal, &principal) != nil {
		return text, true
	}
	ids := values(principal["AWS"])
	rest := slices.DeleteFunc(slices.Clone(ids), deleted)
	if len(rest) == len(ids) {
		return text, true
	}
	delete(principal, "AWS")
	if len(rest) > 0 {
		principal["AWS"] = encode(one(rest))
	}
	return change(text, func(s *statement) { s.Principal = encode(principal) }), len(principal) > 0
}

// merge changes a statement that another fix may have changed already.
func merge(now json.RawMessage, f Fix) json.RawMessage {
	for _, principal := range spared(f.Statement) {
		if !slices.Contains(spared(now), principal) {
			now = spare(now, principal)
		}
	}
	return now
}

// readDocument reads a document that was put, whose Statement may be a single
// one.
func readDocument(text string) document {
	var whole struct {
		Version   string
		ID        string `json:"Id"`
		Statement json.RawMessage
	}
	if json.Unmarshal([]byte(text), &whole) != nil {
		return document{Version: policyVersion}
	}
	d := document{Version: whole.Version, ID: whole.ID}
	if json.Unmarshal(whole.Statement, &d.Statement) != nil {
		d.Statement = []json.RawMessage{whole.Statement}
	}
	return d
}

// add adds a statement, into one that differs in its actions only if there is
// such a one.
func (d *document) add(text json.RawMessage) {
	rest := func(t json.RawMessage) string {
		return string(change(t, func(s *statement) { s.Action = nil }))
	}
	for i, have := range d.Statement {
		if rest(have) != rest(text) {
			continue
		}
		var a, b statement
		if json.Unmarshal(have, &a) != nil || json.Unmarshal(text, &b) != nil || a.Action == nil || b.Action == nil {
			continue
		}
		actions := values(a.Action)
		for _, action := range values(b.Action) {
			if !slices.Contains(actions, action) {
				actions = append(actions, action)
			}
		}
		d.Statement[i] = change(have, func(s *statement) { s.Action = encode(one(actions)) })
		return
	}
	d.Statement = append(d.Statement, text)
}

// resources is the Resources section that makes groups of fixes.
func resources(groups [][]Fix) *yaml.Node {
	out := mapping()
	buckets := map[string]string{} // the logical ids of new ones
	for _, g := range groups {
		t := &g[0].target
		id := logicalID(t)
		for n := 2; slices.ContainsFunc(out.Content, func(c *yaml.Node) bool { return c.Value == id }); n++ {
			id = fmt.Sprintf("%s%d", logicalID(t), n)
		}
		made := resource(g)
		switch {
		case t.kind == wholeBucket:
			buckets[t.name] = id
		case t.kind == bucketDocument && buckets[t.name] != "":
			made.Content = append(made.Content, text("DependsOn"), text(buckets[t.name]))
		}
		out.Content = append(out.Content, text(id), made)
	}
	return out
}

// fragment is the Resources section of one group of fixes, YAML.
func fragment(g []Fix) string { return render(resources([][]Fix{g})) }

// resource is the resource of a group of fixes: what a template that has it
// should say.
func resource(g []Fix) *yaml.Node {
	t := &g[0].target
	switch t.kind {
	case newInline, inlineDocument:
		return mapping("Type", text("AWS::IAM::Policy"), "Properties", mapping(
			"PolicyName", text(t.inlineName(g)),
			t.identity.Word()+"s", list(text(t.name)),
			"PolicyDocument", fromJSON(encode(merged(g)))))
	case managedDocument:
		return mapping("Type", text("AWS::IAM::ManagedPolicy"), "Properties", mapping("PolicyDocument", fromJSON(encode(merged(g)))))
	case trustDocument:
		return mapping("Type", text("AWS::IAM::Role"), "Properties", mapping(
			"RoleName", text(t.name), "AssumeRolePolicyDocument", fromJSON(encode(merged(g)))))
	case bucketDocument:
		return mapping("Type", text("AWS::S3::BucketPolicy"), "Properties", mapping(
			"Bucket", text(t.name), "PolicyDocument", fromJSON(encode(merged(g)))))
	case wholeRole:
		return newRole(g)
	case wholeBucket:
		return mapping("Type", text("AWS::S3::Bucket"), "DeletionPolicy", text("Retain"), "UpdateReplacePolicy", text("Retain"),
			"Properties", mapping("BucketName", text(t.name), "VersioningConfiguration", mapping("Status", text("Enabled"))))
	}
	set := settings[bucket.Document(t.policy)]
	return mapping("Type", text("AWS::S3::Bucket"), "Properties", mapping("BucketName", text(t.name), set.property, fromJSON([]byte(set.value(t)))))
}

// newRole is a role that is not there, with what it needs.
func newRole(g []Fix) *yaml.Node {
	t := &g[0].target
	properties := mapping("RoleName", text(t.name))
	if t.path != "/" {
		properties.Content = append(properties.Content, text("Path"), text(t.path))
	}
	trust, grants := roleDocuments(g)
	if trust != nil {
		properties.Content = append(properties.Content, text("AssumeRolePolicyDocument"), fromJSON(trust))
	}
	if grants != nil {
		properties.Content = append(properties.Content, text("Policies"), list(mapping(
			"PolicyName", text(t.inlineName(g)), "PolicyDocument", fromJSON(grants))))
	}
	return mapping("Type", text("AWS::IAM::Role"), "Properties", properties)
}

// roleDocuments returns the trust policy and the inline policy of a role that
// is not there, as far as the fixes say; nil for none.
func roleDocuments(g []Fix) (trust, inline json.RawMessage) {
	var grants []Fix
	for _, f := range g {
		if f.Do == Create {
			trust = encode(document{Version: policyVersion, Statement: []json.RawMessage{f.Statement}})
		} else {
			grants = append(grants, f)
		}
	}
	if grants != nil {
		inline = encode(merged(grants))
	}
	return trust, inline
}

// inlineName is the name of the inline policy that a group of fixes makes or
// changes.
func (t *target) inlineName(g []Fix) string {
	if t.kind == inlineDocument {
		return t.policy
	}
	name := t.policy
	if len(g) > 1 {
		name = "replication-needs"
	}
	for base, n := name, 2; slices.Contains(t.taken, name); n++ {
		name = fmt.Sprintf("%s-%d", base, n)
	}
	return name
}

// logicalID is the name of a target's resource in a template.
func logicalID(t *target) string {
	kind := map[targetKind]string{
		newInline: "PolicyOf", inlineDocument: "PolicyOf", managedDocument: "ManagedPolicy", trustDocument: "Role",
		bucketDocument: "PolicyOfBucket", wholeRole: "Role", wholeBucket: "Bucket", bucketSetting: "Bucket",
	}[t.kind]
	name := t.name
	if t.kind == managedDocument {
		name = t.policy[strings.LastIndexByte(t.policy, '/')+1:]
	}
	var b strings.Builder
	up := true
	for _, c := range name {
		switch {
		case c >= 'a' && c <= 'z' && up:
			b.WriteRune(c - 'a' + 'A')
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
			b.WriteRune(c)
		default:
			up = true
			continue
		}
		up = false
	}
	return kind + b.String()
}

// The parts of a YAML document.

func text(s string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
}

func list(items ...*yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.SequenceNode, Content: items}
}

// mapping returns a mapping of keys, strings, and values, nodes, in turn.
func mapping(pairs ...any) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for _, p := range pairs {
		if s, ok := p.(string); ok {
			n.Content = append(n.Content, text(s))
		} else {
			n.Content = append(n.Content, p.(*yaml.Node))
		}
	}
	return n
}

// fromJSON is JSON as YAML for people: each value on its line.
func fromJSON(data []byte) *yaml.Node {
	var n yaml.Node
	if err := yaml.Unmarshal(data, &n); err != nil || len(n.Content) != 1 {
		return text(string(data))
	}
	plain(&n)
	return n.Content[0]
}

func plain(n *yaml.Node) {
	n.Style, n.Line, n.Column = 0, 0, 0
	for _, c := range n.Content {
		plain(c)
	}
}

func render(n *yaml.Node) string {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(n); err != nil {
		panic("check: " + err.Error()) // it is made of plain strings
	}
	return b.String()
}
