package check

import (
	"context"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"twinbucket/bucket"
	"twinbucket/client"
)

// Update is the template of a stack that is there, with the fixes of what
// belongs to it.
type Update struct {
	Stack    string `json:"stack"`
	Region   string `json:"region"`
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
	type home struct{ region, stack string }
	templates := map[home]*yaml.Node{}
	for _, g := range groups {
		t := &g[0].target
		in := a
		if t.region != "" {
			in = a.in(t.region)
		}
		r, err := in.stackOf(ctx, t)
		if err != nil {
			return nil, err
		}
		if r == nil {
			continue
		}
		where := home{in.Region(), r.Stack}
		body, ok := templates[where]
		if !ok {
			if body, err = in.template(ctx, r.Stack); err != nil {
				return nil, err
			}
			templates[where] = body
		}
		if body == nil || !amend(body, r.LogicalID, g) {
			continue
		}
		stacks[t.key()] = r.Stack
		if i := slices.IndexFunc(p.Updates, func(u Update) bool { return home{u.Region, u.Stack} == where }); i >= 0 {
			p.Updates[i].Template = render(body)
		} else {
			p.Updates = append(p.Updates, Update{r.Stack, where.region, render(body)})
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
	find := func(list []client.StackResource) *client.StackResource {
		i := slices.IndexFunc(list, func(r client.StackResource) bool { return r.Type == kind && r.PhysicalID == physical })
		if i < 0 {
			return nil
		}
		return &list[i]
	}
	list, err := a.DescribeStackResources(ctx, "", physical)
	if r := find(list); err == nil && r != nil {
		return r, nil
	}
	// A bucket and its policy have one physical id, and may be in two stacks.
	return find(a.resources(ctx)), ctx.Err()
}

// resources returns the resources of all stacks that may be looked at.
func (a *account) resources(ctx context.Context) []client.StackResource {
	if !a.listed {
		a.listed = true
		stacks, err := a.DescribeStacks(ctx, "")
		if err != nil {
			return nil
		}
		for i := range stacks {
			if list, err := a.DescribeStackResources(ctx, stacks[i].Name, ""); err == nil {
				a.all = append(a.all, list...)
			}
		}
	}
	return a.all
}

// in returns the account in a region.
func (a *account) in(region string) *account {
	if region == a.Region() {
		return a
	}
	if a.elsewhere[region] == nil {
		if a.elsewhere == nil {
			a.elsewhere = map[string]*account{}
		}
		a.elsewhere[region] = &account{Client: a.In(region), id: a.id}
	}
	return a.elsewhere[region]
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
	if at(doc, "Statement") == nil {
		return false
	}
	amended := clone(doc)
	statements := at(amended, "Statement")
	if statements.Kind == yaml.MappingNode {
		single := *statements
		*statements = yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{&single}}
	}
	if !isList(statements) || len(statements.Content) != len(readDocument(g[0].target.text).Statement) {
		return false
	}
	for _, f := range g {
		if f.Do != Add && at(statements.Content[f.index], "Effect") == nil { // it is a function
			return false
		}
	}
	var added document
	gone := map[*yaml.Node]bool{}
	for _, f := range g {
		switch f.Do {
		case Change:
			if !amendDeny(statements.Content[f.index], f) {
				return false
			}
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
	if len(statements.Content) == 0 {
		return false
	}
	statements.Style = 0
	*doc = *amended
	return true
}

// amendDeny makes a Deny in a template leave alone whom f spares, beside the
// conditions that it has. It returns false if these are functions.
func amendDeny(deny *yaml.Node, f Fix) bool {
	conditions := child(deny, "Condition")
	if !isPlain(conditions) {
		return false
	}
	operator := child(conditions, exemptOperator)
	if !isPlain(operator) {
		return false
	}
	i := 0
	for i < len(operator.Content) && !strings.EqualFold(operator.Content[i].Value, exemptKey) {
		i += 2
	}
	if i == len(operator.Content) {
		operator.Content = append(operator.Content, text(exemptKey), list())
	}
	principals := operator.Content[i+1]
	if principals.Kind == yaml.ScalarNode {
		single := *principals
		*principals = *list(&single)
	}
	if !isList(principals) || slices.ContainsFunc(principals.Content, func(n *yaml.Node) bool { return n.Tag != "!!str" }) {
		return false
	}
	for _, principal := range spared(f.Statement) {
		if !slices.ContainsFunc(principals.Content, func(n *yaml.Node) bool { return n.Value == principal }) {
			principals.Content = append(principals.Content, text(principal))
		}
	}
	if len(principals.Content) == 1 {
		*principals = *principals.Content[0]
	}
	return true
}
