package check

import (
	"context"
	"fmt"
	"slices"

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
