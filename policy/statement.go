package policy

import (
	"fmt"
	"slices"
	"strings"

	"twinbucket/arn"
	"twinbucket/fault"
)

// statement is one compiled statement.
type statement struct {
	sid        string
	effect     Effect
	principals []entry
	bare       bool // Principal is the string "*", not {"AWS": ...}
	spare      bool // the element is NotPrincipal

	actionTexts   []string
	actions       []pattern
	notAction     bool
	resourceTexts []string
	resources     []arnPattern
	notResource   bool

	conditions []condition
}

// parser reads one document.
type parser struct {
	kind    Kind
	version string
	number  int // of the statement being read, from 0; for complaints
	inside  bool
	sids    map[string]bool
}

// bad is Kind.bad with the statement named in the hint.
func (p *parser) bad(identity, other, hint string, args ...any) *fault.Error {
	if p.inside {
		hint = fmt.Sprintf("statement %d: ", p.number+1) + hint
	}
	return p.kind.bad(identity, other, hint, args...)
}

// syntax complains of a form that the grammar does not have.
func (p *parser) syntax(hint string, args ...any) *fault.Error {
	return p.bad("Syntax errors in policy.", "Invalid policy syntax.", hint, args...)
}

func (p *parser) missing(field string) *fault.Error {
	return p.bad("Syntax errors in policy.", "Missing required field "+field, "add %s", field)
}

func (p *parser) variables() bool { return p.version == version2012 }

// document reads the outermost object.
func (p *parser) document(root node) (*Document, error) {
	if root.kind != objectNode {
		return nil, p.syntax("a policy is a JSON object")
	}
	d := &Document{kind: p.kind}
	var list node
	for i, name := range root.names {
		value := root.items[i]
		switch name {
		case "Version":
			d.version = value.text
			if value.kind != stringNode || d.version != version2008 && d.version != version2012 {
				return nil, p.bad("Syntax errors in policy.", "The policy must contain a valid version string",
					"Version is %q", version2012)
			}
		case "Id":
			d.id = value.text
			if value.kind != stringNode {
				return nil, p.syntax("Id is a string")
			}
		case "Statement":
			list = value
		default:
			return nil, p.bad("Syntax errors in policy.", "Unknown field "+name,
				"a policy has Version, Id and Statement; %q is none of them", name)
		}
	}
	p.version = d.version
	switch list.kind {
	case nullNode:
		return nil, p.missing("Statement")
	case objectNode:
		d.single = true
		list = node{kind: arrayNode, items: []node{list}}
	case arrayNode:
		if len(list.items) == 0 {
			return nil, p.bad("Syntax errors in policy.", "Could not parse the policy: Statement is empty!", "add a statement")
		}
	default:
		return nil, p.syntax("Statement is an object or a list of objects")
	}
	p.sids, p.inside = map[string]bool{}, true
	for i, item := range list.items {
		p.number = i
		s, err := p.statement(item)
		if err != nil {
			return nil, err
		}
		d.statements = append(d.statements, s)
	}
	return d, nil
}

// statement reads one statement.
func (p *parser) statement(n node) (statement, error) {
	var s statement
	if n.kind != objectNode {
		return s, p.syntax("a statement is an object")
	}
	has := func(field string) bool { return slices.Contains(n.names, field) }
	for _, field := range []string{"Principal", "Action", "Resource"} {
		if has(field) && has("Not"+field) {
			return s, p.bad("Syntax errors in policy.", "Statement/policy already has instance of "+field,
				"%s and Not%s exclude each other", field, field)
		}
	}
	for i, name := range n.names {
		if err := p.element(&s, name, n.items[i]); err != nil {
			return s, err
		}
	}
	switch {
	case !has("Effect"):
		return s, p.missing("Effect")
	case len(s.actions) == 0 && p.kind == Resource && (has("Action") || has("NotAction")):
		return s, p.bad("", "Policy has invalid action", "name an action such as s3:GetObject")
	case len(s.resources) == 0 && p.kind == Resource && (has("Resource") || has("NotResource")):
		return s, p.bad("", "Policy has invalid resource", "name a resource such as arn:aws:s3:::BUCKET/*")
	case len(s.actions) == 0:
		return s, p.bad("Policy statement must contain actions.", "Missing required field Action", "add Action")
	case p.kind != Trust && len(s.resources) == 0:
		return s, p.bad("Policy statement must contain resources.", "Missing required field Resource", "add Resource")
	case p.kind != Identity && !has("Principal") && !has("NotPrincipal"):
		return s, p.bad("", "Missing required field Principal", "add Principal: who the statement is about")
	case s.spare && s.effect == Allow:
		return s, p.bad("", "Allow with NotPrincipal is not allowed.", "name whom to allow in Principal")
	case s.spare && p.kind == Trust:
		return s, p.bad("", "Has prohibited field NotPrincipal", "name whom to deny in Principal")
	case p.kind == Resource && !s.conditioned():
		return s, p.bad("", "Conditions do not apply to combination of actions and resources in statement",
			"a condition key such as s3:prefix goes with the actions of listings only: split the statement")
	case p.kind == Resource && !s.applies():
		return s, p.bad("", "Action does not apply to any resource(s) in statement",
			"actions on objects need a resource such as arn:aws:s3:::BUCKET/*, actions on buckets arn:aws:s3:::BUCKET")
	}
	return s, nil
}

// element reads one member of a statement.
func (p *parser) element(s *statement, name string, n node) error {
	switch name {
	case "Sid":
		return p.sid(s, n)
	case "Effect":
		s.effect = Allow
		if n.text == "Deny" {
			s.effect = Deny
		}
		if n.kind != stringNode || n.text != s.effect.String() {
			complaint := "Syntax errors in policy."
			if strings.EqualFold(n.text, "Allow") || strings.EqualFold(n.text, "Deny") {
				complaint = legacy
			}
			return p.bad(complaint, "Invalid effect: "+n.text, `Effect is "Allow" or "Deny"`)
		}
		return nil
	case "Principal", "NotPrincipal":
		return p.principal(s, name, n)
	case "Action", "NotAction":
		s.notAction = name == "NotAction"
		return p.actions(s, name, n)
	case "Resource", "NotResource":
		s.notResource = name == "NotResource"
		return p.resources(s, name, n)
	case "Condition":
		conditions, err := p.conditions(n)
		s.conditions = conditions
		return err
	}
	return p.bad("Syntax errors in policy.", "Unknown field "+name, "%q is not an element of a statement", name)
}

func (p *parser) sid(s *statement, n node) error {
	s.sid = n.text
	if n.kind != stringNode {
		return p.syntax("Sid is a string")
	}
	if p.kind == Identity && (strings.ContainsFunc(strings.ToLower(s.sid), notInName) || strings.Contains(s.sid, "-")) {
		return p.bad("Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*",
			"", "%q has other characters", s.sid)
	}
	if p.kind != Resource && s.sid != "" && p.sids[s.sid] {
		return p.bad("Statement IDs (SID) in a single policy must be unique.", "", "%q is there twice", s.sid)
	}
	p.sids[s.sid] = true
	return nil
}

// principal reads a Principal or NotPrincipal element.
func (p *parser) principal(s *statement, name string, n node) error {
	if p.kind == Identity {
		return p.bad("Policy document should not specify a principal.", "",
			"a policy of a role or user is about that role or user; remove %s", name)
	}
	s.spare = name == "NotPrincipal"
	if n.kind == stringNode && n.text == "*" {
		s.bare = true
		s.principals = []entry{{form: "AWS", id: "*", match: everyone}}
		return nil
	}
	if n.kind != objectNode {
		return p.invalidPrincipal("AWS", n.text)
	}
	for i, form := range n.names {
		ids, ok := n.items[i].strings(false)
		if !ok {
			return p.syntax("%s.%s is a string or a list of strings", name, form)
		}
		for _, id := range ids {
			e, ok := compileEntry(form, id)
			if !ok {
				return p.invalidPrincipal(form, id)
			}
			s.principals = append(s.principals, e)
		}
	}
	if len(s.principals) == 0 {
		return p.bad("", "Missing required field Principal cannot be empty!", "name a principal in %s", name)
	}
	return nil
}

func (p *parser) invalidPrincipal(form, id string) *fault.Error {
	return p.kind.InvalidPrincipal(Named{form, id}).
		WithHint("statement %d: %q is not a principal of type %s; principals look like "+
			`{"AWS": "arn:aws:iam::111111111111:role/NAME"}, {"AWS": "111111111111"}, {"Service": "s3.amazonaws.com"} or "*"`,
			p.number+1, id, form)
}

// InvalidPrincipal is AWS's refusal of a document that names a principal which
// does not exist.
func (k Kind) InvalidPrincipal(n Named) *fault.Error {
	if k == Resource {
		return fault.New(fault.Invalid, "MalformedPolicy", "Invalid principal in policy").On(n.ID)
	}
	return fault.Newf(fault.Invalid, "MalformedPolicyDocument", "Invalid principal in policy: %q:%q",
		strings.ToUpper(n.Form), n.ID).On(n.ID)
}

// actions reads an Action or NotAction element.
func (p *parser) actions(s *statement, name string, n node) error {
	texts, ok := n.strings(false)
	if !ok {
		return p.syntax("%s is a string or a list of strings", name)
	}
	for _, text := range texts {
		vendor, rest, ok := strings.Cut(strings.ToLower(text), ":")
		ok = ok && vendor != "" && rest != "" && !strings.ContainsFunc(vendor, notInName) &&
			!strings.ContainsFunc(strings.NewReplacer("*", "", "?", "").Replace(rest), notInName)
		switch p.kind {
		case Identity:
			if complaint := actionComplaint(text); complaint != "" {
				return p.bad(complaint, "", "%q is not an action; actions look like s3:GetObject", text)
			}
		case Trust:
			if !ok || vendor != "sts" {
				return p.bad("", "AssumeRole policy may only specify STS AssumeRole actions.",
					"a trust policy speaks of sts:AssumeRole; %q belongs in a policy of the role", text)
			}
		case Resource:
			if text != "*" && (!ok || vendor != "s3" || !knownAction(rest)) {
				return p.bad("", "Policy has invalid action", "%q is not an action of S3", text)
			}
		}
		a, _ := compile(strings.ToLower(text), true, false)
		s.actions = append(s.actions, a)
	}
	s.actionTexts = texts
	return nil
}

// notInName reports whether c does not belong in the name, in lower case, of a
// service or an action.
func notInName(c rune) bool { return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' }

// resources reads a Resource or NotResource element.
func (p *parser) resources(s *statement, name string, n node) error {
	if p.kind == Trust {
		text := "Has prohibited field Resource"
		if s.notResource {
			text = "AssumeRole policy must not contain resources."
		}
		return p.bad("", text, "a trust policy is about the role it belongs to; remove %s", name)
	}
	texts, ok := n.strings(false)
	if !ok {
		return p.syntax("%s is a string or a list of strings", name)
	}
	for _, text := range texts {
		if p.kind == Resource {
			if _, ok := bucketPart(text); !ok {
				return p.bad("", "Policy has invalid resource",
					"%q is not a bucket or its objects; resources look like arn:aws:s3:::BUCKET and arn:aws:s3:::BUCKET/*", text)
			}
		} else if complaint := resourceComplaint(text); complaint != "" {
			return p.bad(complaint, "", "%q is not a resource; resources look like arn:aws:s3:::BUCKET/*", text)
		}
		a, complaint := compileARN(text, p.variables(), false)
		if complaint != "" {
			return p.syntax("%s: %s", name, complaint)
		}
		s.resources = append(s.resources, a)
	}
	s.resourceTexts = texts
	return nil
}

// bucketPart returns what follows arn:aws:s3::: in the ARN of a bucket or
// object.
func bucketPart(text string) (string, bool) {
	a, err := arn.Parse(text)
	return a.Resource, err == nil && strings.HasPrefix(a.Partition, "aws") && a.Service == "s3" && a.Region == "" && a.Account == ""
}

// matches reports whether the statement is about r, its principal aside.
func (s *statement) matches(r *Request) bool {
	return s.matchesAction(r) && s.matchesResource(r) && s.matchesConditions(r)
}

func (s *statement) matchesAction(r *Request) bool {
	for i := range s.actions {
		if s.actions[i].matchFold(r.Action) {
			return !s.notAction
		}
	}
	return s.notAction
}

// target returns the ARN that the statement's resources are held against. Who
// lists buckets wants all of them, which documents write as "arn:aws:s3:::*" as
// well as "*"; after NotAction it takes "*" (IAM User Guide, "NotAction").
func (s *statement) target(r *Request) string {
	if r.Resource == "*" && !s.notAction && strings.EqualFold(r.Action, "s3:ListAllMyBuckets") {
		return "arn:aws:s3:::*"
	}
	return r.Resource
}

func (s *statement) matchesResource(r *Request) bool {
	if len(s.resources) == 0 {
		return true // a trust policy: the role it belongs to
	}
	target := s.target(r)
	for i := range s.resources {
		if s.resources[i].match(target, r) {
			return !s.notResource
		}
	}
	return s.notResource
}

func (s *statement) matchesConditions(r *Request) bool {
	for i := range s.conditions {
		if !s.conditions[i].holds(r) {
			return false
		}
	}
	return true
}
