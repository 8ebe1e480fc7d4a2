package stack

import (
	"maps"
	"slices"
	"strings"

	"twinbucket/fault"
	"twinbucket/identity"
)

// nameIdentity returns how identities of a kind are named: by the template, or
// with a name made up.
func nameIdentity(k identity.Kind) func(*action) (string, error) {
	return func(a *action) (string, error) {
		if name := read(a.typ, a.props).text(k.Word() + "Name"); name != "" {
			return name, k.CheckName(name)
		}
		return a.generated(64, false), nil
	}
}

// wantIdentity reads the properties that identities of every kind have. Tags
// come from the stack, too, but for those that begin with aws:, which
// identities cannot have.
func wantIdentity(a *action, k identity.Kind, p *properties, stackTags []Tag) identity.Identity {
	_ = p.text(k.Word() + "Name") // the physical id says it
	i := identity.Identity{
		Account: a.stack.Account, Name: a.physical, Path: p.text("Path"), Attached: p.texts("ManagedPolicyArns"),
		Inline: map[string][]byte{}, Tags: map[string]string{},
	}
	if i.Path == "" {
		i.Path = "/"
	}
	for _, o := range p.objects("Policies") {
		name := o.need("PolicyName")
		if _, twice := i.Inline[name]; twice {
			o.fail("The policy name %s is given twice", name)
		}
		i.Inline[name] = o.needDocument("PolicyDocument")
		_ = o.done() // kept
	}
	if k == identity.GroupKind {
		return i
	}
	i.Boundary = p.text("PermissionsBoundary")
	for _, t := range slices.Concat(stackTags, p.tags("Tags")) {
		i.Tags[t.Key] = t.Value
	}
	return i
}

// allowIdentity asks whether the caller may change an identity from one state
// to another, beside the actions in acts.
func (a *action) allowIdentity(k identity.Kind, from, to *identity.Identity, acts ...string) error {
	add := func(differs bool, act string) {
		if differs && !slices.Contains(acts, act) {
			acts = append(acts, act)
		}
	}
	word := k.Word()
	for name, document := range to.Inline {
		add(string(from.Inline[name]) != string(document), "iam:Put"+word+"Policy")
	}
	for name := range from.Inline {
		_, keep := to.Inline[name]
		add(!keep, "iam:Delete"+word+"Policy")
	}
	// One that is made comes with its boundary.
	made := slices.Contains(acts, "iam:Create"+word)
	add(from.Boundary != to.Boundary && to.Boundary != "" && !made, "iam:Put"+word+"PermissionsBoundary")
	add(from.Boundary != to.Boundary && to.Boundary == "", "iam:Delete"+word+"PermissionsBoundary")
	add(!subset(to.Tags, from.Tags), "iam:Tag"+word)
	for key := range from.Tags {
		_, keep := to.Tags[key]
		add(!keep, "iam:Untag"+word)
	}
	for _, act := range acts {
		if err := a.allowOn(k, to, act, tagFacts(strings.TrimSuffix(act, word), from.Tags, to.Tags)); err != nil {
			return err
		}
	}
	for _, policy := range without(to.Attached, from.Attached) {
		if err := a.allowAttach(k, to, "Attach", policy); err != nil {
			return err
		}
	}
	for _, policy := range without(from.Attached, to.Attached) {
		if err := a.allowAttach(k, to, "Detach", policy); err != nil {
			return err
		}
	}
	return nil
}

// tagFacts returns the condition keys of the tags that an action gives or
// takes away; verb is the action without the kind.
func tagFacts(verb string, from, to map[string]string) map[string][]string {
	tags := map[string]string{}
	switch verb {
	case "iam:Create", "iam:Tag":
		maps.Copy(tags, to)
		maps.DeleteFunc(tags, func(key, value string) bool { old, ok := from[key]; return ok && old == value })
		return identity.RequestFacts(tags)
	case "iam:Untag":
		maps.Copy(tags, from)
		maps.DeleteFunc(tags, func(key, _ string) bool { _, keep := to[key]; return keep })
		if len(tags) > 0 {
			return map[string][]string{"aws:tagkeys": slices.Sorted(maps.Keys(tags))}
		}
	}
	return nil
}

// allowOn asks whether the caller may do something to an identity, which may
// not be there yet. more are condition keys beside those of the identity.
func (a *action) allowOn(k identity.Kind, i *identity.Identity, act string, more map[string][]string) error {
	facts := a.via(more)
	boundary := i.Boundary
	if have, err := a.IAM.Identity(k, i.Account, i.Name); err == nil {
		maps.Copy(facts, identity.TagFacts(have.Tags))
		if boundary == "" {
			boundary = have.Boundary
		}
	}
	if boundary != "" {
		facts["iam:permissionsboundary"] = []string{boundary}
	}
	return a.ask(act, i.ARN(k), facts)
}

// allowAttach asks whether the caller may attach or detach a managed policy.
func (a *action) allowAttach(k identity.Kind, i *identity.Identity, verb, policy string) error {
	return a.allowOn(k, i, "iam:"+verb+k.Word()+"Policy", map[string][]string{"iam:policyarn": {policy}})
}

// subset reports whether b has everything in a.
func subset(a, b map[string]string) bool {
	for k, v := range a {
		if w, ok := b[k]; !ok || v != w {
			return false
		}
	}
	return true
}

// change gives an identity what the template changed and leaves alone what
// others added: inline policies of other resources, policies attached by hand.
func change(i, from, to *identity.Identity) {
	i.Path, i.Boundary = to.Path, to.Boundary
	i.Inline = merged(i.Inline, from.Inline, to.Inline)
	i.Tags = merged(i.Tags, from.Tags, to.Tags)
	i.Attached = relisted(i.Attached, from.Attached, to.Attached)
}

// merged returns have without what is in from and with what is in to.
func merged[V any](have, from, to map[string]V) map[string]V {
	out := map[string]V{}
	maps.Copy(out, have)
	maps.DeleteFunc(out, func(k string, _ V) bool { _, ok := from[k]; return ok })
	maps.Copy(out, to)
	return out
}

// relisted is merged of lists.
func relisted(have, from, to []string) []string {
	out := without(have, from)
	return append(out, without(to, out)...)
}

// without returns those of list that are not in others.
func without[T comparable](list, others []T) []T {
	return slices.DeleteFunc(slices.Clone(list), func(x T) bool { return slices.Contains(others, x) })
}

// allowDelete asks whether the caller may delete an identity with the policies
// that the stack gave it, and refuses if others gave it more: that has to stop
// the deletion before ours are taken away.
func (a *action) allowDelete(k identity.Kind, have, want *identity.Identity) error {
	bare := &identity.Identity{Account: have.Account, Path: have.Path, Name: have.Name, Boundary: want.Boundary, Tags: want.Tags}
	if err := a.allowIdentity(k, want, bare, "iam:Delete"+k.Word()); err != nil {
		return err
	}
	for name := range have.Inline {
		if _, ours := want.Inline[name]; !ours {
			return inUse(k, have, "Cannot delete entity, must delete policies first.", "the policy "+name)
		}
	}
	if others := without(have.Attached, want.Attached); len(others) > 0 {
		return inUse(k, have, "Cannot delete entity, must detach all policies first.", "the policy "+others[0])
	}
	return nil
}

func inUse(k identity.Kind, i *identity.Identity, message, what string) error {
	return fault.New(fault.Conflict, "DeleteConflict", message).On(i.ARN(k)).
		WithHint("the stack did not give %s to the %s %s: take it away first", what, k, i.Name)
}
