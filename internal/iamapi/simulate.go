package iamapi

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"twinbucket/arn"
	"twinbucket/fault"
	"twinbucket/internal/wire"
	"twinbucket/policy"
)

// simulation is a number of requests to decide without doing anything.
type simulation struct {
	principal policy.Principal
	sources   []policy.Source
	actions   []string
	resources []string
	context   map[string][]string
	owner     string // account of the resources
}

func (c *call) simulatePrincipalPolicy() error {
	name, err := c.need("PolicySourceArn")
	if err != nil {
		return err
	}
	if err := c.allow("SimulatePrincipalPolicy", name); err != nil {
		return err
	}
	var s simulation
	if s.principal, s.sources, err = c.iam.Source(c.caller.Account, name); err != nil {
		return err
	}
	return c.simulate(&s)
}

func (c *call) simulateCustomPolicy() error {
	if err := c.allow("SimulateCustomPolicy", "*"); err != nil {
		return err
	}
	if len(members(c, "PolicyInputList")) == 0 {
		return constraint("PolicyInputList", "Member must not be null")
	}
	account := c.caller.Account
	return c.simulate(&simulation{principal: policy.Principal{Type: policy.User, Account: account}})
}

// simulate decides what the request asks and writes the results, a page of
// them.
func (c *call) simulate(s *simulation) error {
	if err := c.readSimulation(s); err != nil {
		return err
	}
	p, err := c.page()
	if err != nil {
		return err
	}
	from, err := strconv.Atoi(cmp.Or(p.after, "0")) // how many results were written before
	if err != nil || from < 0 {
		return invalidMarker()
	}
	n := 0
	c.out.Open("EvaluationResults")
	for _, action := range s.actions {
		for _, resource := range s.resources {
			if n++; n > from && n <= from+p.max {
				c.writeResult(s, action, resource)
			}
		}
	}
	c.out.Close("EvaluationResults")
	c.truncated(n > from+p.max, strconv.Itoa(from+p.max))
	return nil
}

func (c *call) readSimulation(s *simulation) error {
	if s.actions = members(c, "ActionNames"); len(s.actions) == 0 {
		return constraint("ActionNames", "Member must not be null")
	}
	for _, action := range s.actions {
		if vendor, name, ok := strings.Cut(action, ":"); !ok || vendor == "" || name == "" || strings.ContainsAny(action, "*?") {
			return fault.Newf(fault.Invalid, "InvalidInput", "%s is not a valid action name.", action).On(action).WithHint("actions look like s3:GetObject")
		}
	}
	if s.resources = members(c, "ResourceArns"); len(s.resources) == 0 {
		s.resources = []string{"*"}
	}
	s.owner = c.caller.Account
	if owner := c.form.Get("ResourceOwner"); owner != "" {
		if a, err := arn.Parse(owner); err == nil {
			owner = a.Account
		}
		if !arn.ValidAccount(owner) {
			return fault.Newf(fault.Invalid, "InvalidInput", "Invalid ResourceOwner: %s", owner).WithHint("name an account, as 111111111111 or by the ARN of its root")
		}
		s.owner = owner
	}
	s.context = map[string][]string{}
	for n := 1; c.form.Has(fmt.Sprintf("ContextEntries.member.%d.ContextKeyName", n)); n++ {
		entry := fmt.Sprintf("ContextEntries.member.%d.", n)
		s.context[strings.ToLower(c.form.Get(entry+"ContextKeyName"))] = wire.Members(c.form, entry+"ContextKeyValues")
	}
	if who := c.form.Get("CallerArn"); who != "" {
		a, err := arn.Parse(who)
		if err != nil || a.Service != "iam" || !strings.HasPrefix(a.Resource, "user/") {
			return fault.Newf(fault.Invalid, "InvalidInput", "Invalid CallerArn: %s", who).WithHint("the caller of a simulation is a user, such as arn:aws:iam::111111111111:user/ann")
		}
		s.principal = policy.Principal{Type: policy.User, Account: a.Account, ARN: who, Tags: s.principal.Tags}
	}
	return c.readSources(s)
}

// readSources adds the documents of the request to those of the principal.
func (c *call) readSources(s *simulation) error {
	add := func(kind policy.SourceKind, of policy.Kind, id, text string) error {
		d, err := policy.Parse([]byte(text), of)
		if err == nil {
			s.sources = append(s.sources, policy.Source{Kind: kind, ID: id, Name: id, Account: c.caller.Account, Document: d})
		}
		return err
	}
	for i, text := range members(c, "PolicyInputList") {
		if err := add(policy.IdentityPolicy, policy.Identity, fmt.Sprintf("PolicyInputList.%d", i+1), text); err != nil {
			return err
		}
	}
	boundaries := members(c, "PermissionsBoundaryPolicyInputList")
	if len(boundaries) > 0 { // instead of the principal's own
		s.sources = slices.DeleteFunc(s.sources, func(src policy.Source) bool { return src.Kind == policy.Boundary })
	}
	for i, text := range boundaries {
		if err := add(policy.Boundary, policy.Identity, fmt.Sprintf("PermissionsBoundaryPolicyInputList.%d", i+1), text); err != nil {
			return err
		}
	}
	if text := c.form.Get("ResourcePolicy"); text != "" {
		if s.principal.UserName() == "" {
			return fault.New(fault.Invalid, "InvalidInput", "CallerArn is required when ResourcePolicy is specified.")
		}
		return add(policy.ResourcePolicy, policy.Resource, "ResourcePolicy", text)
	}
	return nil
}

// writeResult decides one request and writes the outcome.
func (c *call) writeResult(s *simulation, action, resource string) {
	req := &policy.Request{
		Principal: s.principal, Action: action, Resource: resource, ResourceAccount: s.owner, Context: s.context, Asserted: true,
	}
	d := policy.Decide(req, s.sources)
	decision := "implicitDeny"
	switch {
	case d.Explicit:
		decision = "explicitDeny"
	case d.Allowed:
		decision = "allowed"
	}
	c.out.Open("member")
	c.out.Text("EvalActionName", action)
	c.out.Text("EvalResourceName", resource)
	c.out.Text("EvalDecision", decision)
	c.out.Open("MatchedStatements")
	for _, m := range d.Matched {
		if m.Source.Kind == policy.Boundary || d.Explicit && m.Effect == policy.Allow {
			continue
		}
		c.out.Open("member")
		c.out.Text("SourcePolicyId", m.Source.ID)
		c.out.Text("SourcePolicyType", sourceType(m.Source))
		c.out.Close("member")
	}
	c.out.Close("MatchedStatements")
	c.out.Open("MissingContextValues")
	for _, name := range policy.Keys(documentsOf(s.sources)...) {
		if !req.Given(name) {
			c.out.Text("member", name)
		}
	}
	c.out.Close("MissingContextValues")
	if slices.ContainsFunc(s.sources, func(src policy.Source) bool { return src.Kind == policy.Boundary }) {
		allows := !slices.Contains(d.Missing, policy.Boundary) &&
			!slices.ContainsFunc(d.Matched, func(m policy.Match) bool { return m.Source.Kind == policy.Boundary && m.Effect == policy.Deny })
		c.out.Open("PermissionsBoundaryDecisionDetail")
		c.out.Bool("AllowedByPermissionsBoundary", allows)
		c.out.Close("PermissionsBoundaryDecisionDetail")
	}
	c.out.Close("member")
}

func sourceType(src *policy.Source) string {
	if src.Kind == policy.ResourcePolicy {
		return "Resource Policy"
	}
	return "IAM Policy"
}

func documentsOf(sources []policy.Source) []*policy.Document {
	var out []*policy.Document
	for _, src := range sources {
		if src.Document != nil {
			out = append(out, src.Document)
		}
	}
	return out
}

// getContextKeys lists the condition keys that policies ask for.
func (c *call) getContextKeys(of []policy.Source) error {
	s := simulation{sources: of}
	if err := c.readSources(&s); err != nil {
		return err
	}
	c.out.Open("ContextKeyNames")
	for _, name := range policy.Keys(documentsOf(s.sources)...) {
		c.out.Text("member", name)
	}
	c.out.Close("ContextKeyNames")
	return nil
}

func (c *call) getContextKeysForPrincipalPolicy() error {
	name, err := c.need("PolicySourceArn")
	if err != nil {
		return err
	}
	if err := c.allow("GetContextKeysForPrincipalPolicy", name); err != nil {
		return err
	}
	_, sources, err := c.iam.Source(c.caller.Account, name)
	if err != nil {
		return err
	}
	return c.getContextKeys(sources)
}

func (c *call) getContextKeysForCustomPolicy() error {
	if err := c.allow("GetContextKeysForCustomPolicy", "*"); err != nil {
		return err
	}
	if len(members(c, "PolicyInputList")) == 0 {
		return constraint("PolicyInputList", "Member must not be null")
	}
	return c.getContextKeys(nil)
}
