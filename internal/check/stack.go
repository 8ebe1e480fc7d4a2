package check

import (
	"context"
	"encoding/json"
	"slices"

	"go.yaml.in/yaml/v3"

	"twinbucket/bucket"
	"twinbucket/client"
)

// Update is the template of a stack that is there, with the fixes of what
// belongs to it.
type Update struct {
	Stack    string `json:"stack"`
	Template string `json:"template"` // YAML
}

// update puts groups of fixes into the templates of the stacks that their
// targets belong to, as far as these can be found and changed, and returns the
// stacks' names by the targets' keys.
func (c *checker) update(ctx context.Context, p *Plan, groups [][]Fix) (map[string]string, error) {
	a, stacks := c.account(p.Account), map[string]string{}
	if a == nil {
		return stacks, nil
	}
	templates := map[string]*yaml.Node{}
	for _, g := range groups {
		r, err := a.stackOf(ctx, &g[0].target)
		if err != nil {
			return nil, err
		}
		if r == nil {
			continue
		}
		body, ok := templates[r.Stack]
		if !ok {
			if body, err = a.template(ctx, r.Stack); err != nil {
				return nil, err
			}
			templates[r.Stack] = body
		}
		if body == nil || !amend(body, r.LogicalID, g) {
			continue
		}
		stacks[g[0].target.key()] = r.Stack
		if i := slices.IndexFunc(p.Updates, func(u Update) bool { return u.Stack == r.Stack }); i >= 0 {
			p.Updates[i].Template = render(body)
		} else {
			p.Updates = append(p.Updates, Update{r.Stack, render(body)})
		}
	}
	return stacks, nil
}

// resourceType returns the type of the resource whose properties a target is
// part of, and its physical id; "" if it can be in several.
func (t *target) resourceType() (kind, physical string) {
	switch t.kind {
	case bucketDocument:
		return "AWS::S3::BucketPolicy", t.name
	case trustDocument:
		return "AWS::IAM::Role", t.name
	case inlineDocument:
		return "AWS::IAM::" + t.identity.Word(), t.name
	case managedDocument:
		return "AWS::IAM::ManagedPolicy", t.policy
	case bucketSetting:
		return "AWS::S3::Bucket", t.name
	}
	return "", ""
}

// stackOf finds the stack's resource that a target is part of; nil if there is
// none, or none that may be looked at.
func (a *account) stackOf(ctx context.Context, t *target) (*client.StackResource, error) {
	kind, physical := t.resourceType()
	if kind == "" {
		return nil, nil
	}
	find := func(stack, physicalID string) *client.StackResource {
		list, err := a.DescribeStackResources(ctx, stack, physicalID)
		if err != nil {
			return nil
		}
		i := slices.IndexFunc(list, func(r client.StackResource) bool { return r.Type == kind && r.PhysicalID == physical })
		if i < 0 {
			return nil
		}
		return &list[i]
	}
	if r := find("", physical); r != nil {
		return r, ctx.Err()
	}
	// A bucket and its policy have one physical id, and may be in two stacks.
	stacks, err := a.DescribeStacks(ctx, "")
	if err != nil {
		return nil, ctx.Err()
	}
	for i := range stacks {
		if r := find(stacks[i].Name, ""); r != nil {
			return r, ctx.Err()
		}
	}
	return nil, ctx.Err()
}

// template reads the template of a stack; nil if it may not be read.
func (a *account) template(ctx context.Context, stack string) (*yaml.Node, error) {
	text, err := a.GetTemplate(ctx, stack)
	if err != nil {
		return nil, ctx.Err()
	}
	var n yaml.Node
	if yaml.Unmarshal([]byte(text), &n) != nil {
		return nil, ctx.Err()
	}
	return &n, ctx.Err()
}

// amend puts a group of fixes into the resource of a template. It changes
// nothing and returns false if the template does not say plainly what is there.
func amend(body *yaml.Node, logicalID string, g []Fix) bool {
	if len(body.Content) != 1 {
		return false
	}
	properties := at(body.Content[0], "Resources", logicalID, "Properties")
	if properties == nil {
		return false
	}
	t := &g[0].target
	switch t.kind {
	case bucketDocument, managedDocument:
		return amendDocument(at(properties, "PolicyDocument"), g)
	case trustDocument:
		return amendDocument(at(properties, "AssumeRolePolicyDocument"), g)
	case inlineDocument:
		for _, p := range items(at(properties, "Policies")) {
			if name := at(p, "PolicyName"); name != nil && name.Value == t.policy && name.Tag == "!!str" {
				return amendDocument(at(p, "PolicyDocument"), g)
			}
		}
		return false
	}
	set := settings[bucket.Document(t.policy)]
	put(properties, set.property, fromJSON([]byte(set.value(t))))
	return true
}

// amendDocument changes a policy document in a template as merged changes the
// one that was read; the two have to have the same statements.
func amendDocument(doc *yaml.Node, g []Fix) bool {
	statements := at(doc, "Statement")
	if statements == nil {
		return false
	}
	if statements.Kind == yaml.MappingNode {
		single := *statements
		*statements = yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{&single}}
	}
	if statements.Kind != yaml.SequenceNode || statements.Tag != "" && statements.Tag != "!!seq" ||
		len(statements.Content) != len(readDocument(g[0].target.text).Statement) {
		return false
	}
	var added document
	gone := map[*yaml.Node]bool{}
	for _, f := range g {
		switch f.Do {
		case Change:
			var s statement
			if json.Unmarshal(merge(readDocument(f.target.text).Statement[f.index], f), &s) != nil {
				return false
			}
			put(statements.Content[f.index], "Condition", fromJSON(s.Condition))
		case Remove:
			gone[statements.Content[f.index]] = true
		case Add:
			added.add(f.Statement)
		}
	}
	statements.Content = slices.DeleteFunc(statements.Content, func(n *yaml.Node) bool { return gone[n] })
	for _, s := range added.Statement {
		statements.Content = append(statements.Content, fromJSON(s))
	}
	statements.Style = 0
	return len(statements.Content) > 0
}

// at returns the value under a path of keys; nil if there is none.
func at(n *yaml.Node, path ...string) *yaml.Node {
	for _, key := range path {
		if n == nil || n.Kind != yaml.MappingNode {
			return nil
		}
		i := 0
		for i < len(n.Content) && n.Content[i].Value != key {
			i += 2
		}
		if i >= len(n.Content) {
			return nil
		}
		n = n.Content[i+1]
	}
	return n
}

// items returns the items of a list; nil if it is none.
func items(n *yaml.Node) []*yaml.Node {
	if n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	return n.Content
}

// put sets a key of a mapping.
func put(n *yaml.Node, key string, value *yaml.Node) {
	if old := at(n, key); old != nil {
		*old = *value
		return
	}
	n.Content = append(n.Content, text(key), value)
}
