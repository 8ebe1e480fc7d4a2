package check

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/identity"
	"twinbucket/policy"
)

// Fix is one change without which a line stays refused.
type Fix struct {
	Account  string `json:"account"`  // in which to make it
	Document string `json:"document"` // what to change, for people
	Do       Do     `json:"do"`
	// Statement is the one to add, or as it should be; Was is the one in the
	// way.
	Statement json.RawMessage `json:"statement,omitempty"`
	Was       json.RawMessage `json:"was,omitempty"`
	// CloudFormation is the fix as a fragment of a template's Resources, YAML.
	CloudFormation string `json:"cloudformation,omitempty"`

	target target
	index  int // of the statement in the way
}

// Do is what a fix does.
type Do string

// What a fix does.
const (
	Add    Do = "add"    // a statement to a document
	Change Do = "change" // a statement of a document
	Remove Do = "remove" // a statement of a document
	Create Do = "create" // a role, a bucket
	Set    Do = "set"    // a setting of a bucket
)

// targetKind is what a fix changes.
type targetKind int

const (
	newInline       targetKind = iota // a new inline policy of a role or user
	inlineDocument                    // an inline policy
	managedDocument                   // a managed policy
	trustDocument                     // the trust policy of a role
	bucketDocument                    // a bucket policy
	wholeRole                         // a role that is not there
	wholeBucket                       // a bucket that is not there
	bucketSetting                     // a setting of a bucket
)

// target is what a fix changes, as it is.
type target struct {
	account  string
	kind     targetKind
	identity identity.Kind // inline policies: whose
	name     string        // of the role, user or bucket
	path     string        // of a role that is not there
	policy   string        // name of the inline policy, ARN of the managed one, name of the setting
	region   string        // of a bucket
	text     string        // the document as it is, JSON; "" if there is none
	boundary bool          // the managed policy is a permissions boundary
	taken    []string      // new inline policies: names of those that are there
}

// document names the target for people.
func (t *target) document() string {
	switch t.kind {
	case newInline:
		return fmt.Sprintf("a new inline policy of %s %s", t.identity, t.name)
	case inlineDocument:
		return fmt.Sprintf("inline policy %q of %s %s", t.policy, t.identity, t.name)
	case managedDocument:
		return "managed policy " + t.policy
	case trustDocument:
		return "the trust policy of role " + t.name
	case bucketDocument:
		return policyOf(t.name)
	case wholeRole:
		return "role " + t.name
	case wholeBucket:
		return "bucket " + t.name
	}
	return t.policy + " of bucket " + t.name
}

// fixes returns what would allow a request that was refused: every Deny out of
// the way, and an Allow where it is missing for sure.
func fixes(who *actor, r *policy.Request, q question, d *policy.Decision, missing []policy.SourceKind, targets map[string]target) []Fix {
	var out []Fix
	for _, m := range d.Matched {
		if m.Effect == policy.Deny {
			out = append(out, excuse(who, m, targets[m.Source.Name]))
		}
	}
	resource := q.resource
	if q.cover != "" {
		resource = q.cover
	}
	for _, f := range d.Fixes(r) {
		if f.Remove || !slices.Contains(missing, f.Kind) {
			continue
		}
		fix := Fix{Account: f.Account, Document: f.Document, Do: Add, Statement: narrow(f.Statement, resource), target: targets[f.Document]}
		switch f.Kind {
		case policy.SessionPolicy:
			continue // nothing of an account holds it
		case policy.IdentityPolicy:
			fix.target = who.own(r)
			fix.Document = fix.target.document()
		case policy.ResourcePolicy:
			if q.on.restricted(who) {
				fix.Do, fix.Statement, fix.target = Set, nil, q.on.setting(bucket.PublicAccessBlock)
				fix.Document = fix.target.document()
			}
		}
		out = append(out, fix)
	}
	for i := range out {
		out[i].CloudFormation = fragment(out[i : i+1])
	}
	return out
}

// own is the new policy in which an identity gets what it lacks.
func (who *actor) own(r *policy.Request) target {
	t := who.whole()
	if !who.gone {
		t.kind = newInline
	}
	_, action, _ := strings.Cut(r.Action, ":")
	t.policy = "allow-" + action
	if a, err := arn.Parse(r.Resource); err == nil {
		name, _, _ := strings.Cut(a.Resource, "/")
		t.policy += "-" + name
	}
	return t
}

// whole is a role that is to be made.
func (who *actor) whole() target {
	_, path, _, _ := arn.RoleParts(who.Role)
	return target{account: who.Account, kind: wholeRole, identity: who.kind, name: who.name, path: path, taken: who.inline}
}

// excuse is the fix for a Deny. One of a resource that is there for others as
// well is made to spare the principal; any other is removed.
func excuse(who *actor, m policy.Match, t target) Fix {
	was := m.Source.Document.Statement(m.Statement)
	f := Fix{Account: t.account, Document: m.Source.Name, Do: Remove, Was: was, target: t, index: m.Statement}
	if t.kind == bucketDocument && who.Type != policy.ServicePrincipal && !concernsOnly(was, who.Identity()) {
		f.Do, f.Statement = Change, spare(was, who.Identity())
	}
	return f
}

// concernsOnly reports whether a statement is about one principal alone.
func concernsOnly(text json.RawMessage, principal string) bool {
	var s statement
	var named map[string]json.RawMessage
	if json.Unmarshal(text, &s) != nil || json.Unmarshal(s.Principal, &named) != nil {
		return false // "*"
	}
	return len(named) == 1 && slices.Equal(values(named["AWS"]), []string{principal})
}

// statement is a statement in the usual order of its elements.
type statement struct {
	Sid          json.RawMessage `json:"Sid,omitempty"`
	Effect       json.RawMessage `json:"Effect,omitempty"`
	Principal    json.RawMessage `json:"Principal,omitempty"`
	NotPrincipal json.RawMessage `json:"NotPrincipal,omitempty"`
	Action       json.RawMessage `json:"Action,omitempty"`
	NotAction    json.RawMessage `json:"NotAction,omitempty"`
	Resource     json.RawMessage `json:"Resource,omitempty"`
	NotResource  json.RawMessage `json:"NotResource,omitempty"`
	Condition    json.RawMessage `json:"Condition,omitempty"`
}

// change returns a statement with something changed.
func change(text json.RawMessage, how func(*statement)) json.RawMessage {
	var s statement
	if json.Unmarshal(text, &s) != nil {
		return text // package policy made it
	}
	how(&s)
	return encode(s)
}

// encode writes JSON as policies have it, without HTML's escapes.
func encode(v any) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("check: " + err.Error()) // all of it was read as JSON
	}
	return bytes.TrimSpace(b.Bytes())
}

// narrow gives a statement that is to be added the resource that was asked
// for, instead of the whole bucket.
func narrow(text, resource string) json.RawMessage {
	return change(json.RawMessage(text), func(s *statement) {
		if s.Resource != nil {
			s.Resource = encode(resource)
		}
	})
}

// exempt is the condition under which a Deny leaves a principal alone.
const (
	exemptOperator = "ArnNotEquals"
	exemptKey      = "aws:PrincipalArn"
)

// spare returns a Deny that leaves a principal alone and is what it was for
// everybody else.
func spare(text json.RawMessage, principal string) json.RawMessage {
	return change(text, func(s *statement) {
		conditions, key := s.exemptions()
		if conditions[exemptOperator] == nil {
			conditions[exemptOperator] = map[string]json.RawMessage{}
		}
		conditions[exemptOperator][key] = encode(one(append(values(conditions[exemptOperator][key]), principal)))
		s.Condition = encode(conditions)
	})
}

// spared returns the principals that a Deny leaves alone in that way.
func spared(text json.RawMessage) []string {
	var s statement
	if json.Unmarshal(text, &s) != nil {
		return nil
	}
	conditions, key := s.exemptions()
	return values(conditions[exemptOperator][key])
}

// exemptions returns the conditions of a statement, and the key that exempts
// as it is written there.
func (s *statement) exemptions() (conditions map[string]map[string]json.RawMessage, key string) {
	conditions, key = map[string]map[string]json.RawMessage{}, exemptKey
	if s.Condition != nil && json.Unmarshal(s.Condition, &conditions) != nil {
		return map[string]map[string]json.RawMessage{}, key // package policy read it
	}
	for k := range conditions[exemptOperator] {
		if strings.EqualFold(k, key) {
			key = k
		}
	}
	return conditions, key
}

// values reads what is one string or a list of them.
func values(text json.RawMessage) []string {
	var list []string
	if json.Unmarshal(text, &list) == nil {
		return list
	}
	var single string
	if json.Unmarshal(text, &single) == nil {
		return []string{single}
	}
	return nil
}

// one is a list, or its only member, as policies are written.
func one(list []string) any {
	if len(list) == 1 {
		return list[0]
	}
	return list
}
