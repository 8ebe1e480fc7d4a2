package check

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/policy"
	"twinbucket/setting"
)

// question is one action that somebody has to be allowed.
type question struct {
	part     string
	action   string
	resource string // ARN, with * for what is not known yet
	on       *place // the bucket it is about; nil for other things
	account  string // without on: the account that the resource belongs to
	what     string // for people; "" is the action and the resource
	context  map[string][]string
	code     string // what AWS says when it is refused
	instead  string // another action that will do, unless a Deny refuses this one
	implied  bool   // comes with another action: only a Deny refuses it
	cover    string // what a fix is to be about, if that is more than the resource
	tagged   bool   // the context has the tags of the objects
}

// request is what who asks for. The * that stands for what is not known yet is
// two characters, lest a ? take it for one that it matches.
func (q *question) request(who *actor, now time.Time) *policy.Request {
	r := &policy.Request{
		Principal: who.Principal, Action: q.action, Resource: q.resource, ResourceAccount: q.account, Context: q.context, Time: now,
	}
	if q.on != nil {
		r.ResourceAccount = q.on.Owner
	}
	if q.whole() {
		r.Resource += "*"
	}
	return r
}

// whole reports whether the question is about all objects under a prefix.
func (q *question) whole() bool {
	return strings.HasSuffix(q.resource, "*") && q.resource != "*" && q.cover == ""
}

// ask decides a question and adds its line, and a line for each part of its
// objects that is refused besides.
func (c *checker) ask(who *actor, q question) {
	d := c.decide(who, q)
	if q.whole() {
		c.askNarrower(who, q, undenied(&d))
	}
}

// decide decides a question and adds its line.
func (c *checker) decide(who *actor, q question) policy.Decision {
	r := q.request(who, c.now)
	sources, targets := slices.Clone(who.sources), maps.Clone(who.targets)
	var shut error // why the bucket's part is not known
	if q.on != nil {
		var src policy.Source
		src, shut = q.on.policy(who)
		sources = append(sources, src)
		targets[src.Name] = target{account: q.on.Owner, kind: bucketDocument, name: q.on.Name, region: q.on.Region, text: string(q.on.Documents[bucket.Policy])}
	}
	d := policy.Decide(r, sources)
	if !d.Allowed && !d.Explicit && q.instead != "" {
		other := *r
		other.Action = q.instead
		if instead := policy.Decide(&other, sources); instead.Allowed {
			r, d = &other, instead
		}
	}
	l := Line{Part: q.part, What: r.Action + " on " + q.resource, Account: r.ResourceAccount, Code: q.code, Grounds: grounds(&d)}
	if q.what != "" {
		l.What = q.what
	} else if q.resource == "*" {
		l.What = r.Action
	}
	unread := who.unread
	if shut != nil {
		unread = append(slices.Clone(unread), shut)
	}
	missing := certain(&d, r, len(who.unread) == 0, shut == nil)
	switch {
	case d.Explicit:
		l.Status, l.Reason = Refused, reason(r, &d, nil)
		l.Fixes = fixes(who, r, q, &d, nil, targets)
		// An Allow may be missing as well.
		rest := policy.Decide(r, undenied(&d))
		if !q.implied {
			l.Fixes = append(l.Fixes, fixes(who, r, q, &rest, certain(&rest, r, len(who.unread) == 0, shut == nil), targets)...)
		}
	case len(missing) > 0 && !q.implied:
		l.Status, l.Reason = Refused, reason(r, &d, missing)
		if dead := q.on.dead(); dead != "" && slices.Contains(missing, policy.ResourcePolicy) {
			l.Reason += "; it names " + dead + ", who was deleted: made anew under the same name, a role or user is another principal"
		}
		l.Fixes = fixes(who, r, q, &d, missing, targets)
	case len(unread) > 0:
		l.Status, l.Reason = Unknown, "not everything that decides could be read: "+texts(unread)
	case d.Allowed:
		l.Status = OK
	default:
		l.Status, l.Reason = OK, "comes with s3:ReplicateObject; only a Deny would refuse it"
	}
	c.add(l)
	return d
}

// askNarrower asks again for each part of the objects that a Deny of some
// sources is about, and adds a line if that part is refused.
func (c *checker) askNarrower(who *actor, q question, sources []policy.Source) {
	seen, whole := map[string]bool{}, q.request(who, c.now)
	for _, src := range sources {
		if src.Document == nil {
			continue
		}
		for i := range src.Document.Len() {
			var s statement
			if json.Unmarshal(src.Document.Statement(i), &s) != nil || string(s.Effect) != `"Deny"` {
				continue
			}
			for _, part := range q.parts(&s, whole) {
				id := fmt.Sprint(part.resource, part.context)
				if r := part.request(who, c.now); !seen[id] && policy.Decide(r, sources).Explicit {
					c.decide(who, part)
				}
				seen[id] = true
			}
		}
	}
}

// policy returns the bucket's policy as a source of a decision about who, or
// why it is not known.
func (p *place) policy(who *actor) (policy.Source, error) {
	src := policy.Source{Kind: policy.ResourcePolicy, Name: policyOf(p.Name), Account: p.Owner}
	for _, d := range []bucket.Document{owner, bucket.Policy, bucket.PublicAccessBlock} {
		if err := p.unread[d]; err != nil {
			return src, err
		}
	}
	if !p.restricted(who) {
		src.Document = p.compiled
	}
	return src, nil
}

// dead returns a principal that the bucket's policy names and that was deleted;
// "" if there is none.
func (p *place) dead() string {
	if p == nil || p.compiled == nil {
		return ""
	}
	for _, id := range p.compiled.Principals() {
		if deleted(id) {
			return id
		}
	}
	return ""
}

// deleted reports whether a principal in a policy as it was read was deleted:
// then it stands there by its unique id.
func deleted(principal string) bool {
	return strings.HasPrefix(principal, "AROA") || strings.HasPrefix(principal, "AIDA")
}

// restricted reports whether RestrictPublicBuckets keeps other accounts out,
// because the policy is public.
func (p *place) restricted(who *actor) bool {
	return who.Account != p.Owner && p.compiled != nil && setting.Blocks(&p.Bucket, "RestrictPublicBuckets") && p.compiled.Public()
}

// grounds returns the statements that a decision rests on: those that deny, or
// else those that allow.
func grounds(d *policy.Decision) []Ground {
	effect := policy.Allow
	if d.Explicit {
		effect = policy.Deny
	}
	var out []Ground
	for _, m := range d.Matched {
		if m.Effect == effect {
			out = append(out, Ground{
				Account: m.Source.Account, Document: m.Source.Name, Number: m.Statement + 1, Sid: m.Sid,
				Effect: m.Effect.String(), Statement: m.Source.Document.Statement(m.Statement),
			})
		}
	}
	return out
}

// undenied returns the sources of a decision without the statements that deny.
func undenied(d *policy.Decision) []policy.Source {
	denies := map[string][]int{}
	for _, m := range d.Matched {
		if m.Effect == policy.Deny {
			denies[m.Source.Name] = append(denies[m.Source.Name], m.Statement)
		}
	}
	var out []policy.Source
	for _, src := range d.Sources() {
		s := *src
		if gone := denies[s.Name]; gone != nil {
			s.Document = without(s.Document, gone)
		}
		out = append(out, s)
	}
	return out
}

// without returns a document without some of its statements; nil if it had no
// others.
func without(doc *policy.Document, gone []int) *policy.Document {
	var rest []json.RawMessage
	for i := range doc.Len() {
		if !slices.Contains(gone, i) {
			rest = append(rest, doc.Statement(i))
		}
	}
	if rest == nil {
		return nil
	}
	out, err := policy.Parse(encode(document{Version: doc.Version(), Statement: rest}), doc.Kind())
	if err != nil {
		return nil // all of it was read once
	}
	return out
}

// certain returns the kinds of documents in which an Allow is missing for
// sure, when those of the principal or of the resource may not all be known.
func certain(d *policy.Decision, r *policy.Request, own, resource bool) []policy.SourceKind {
	var out []policy.SourceKind
	for _, k := range d.Missing {
		known := own
		switch {
		case k == policy.ResourcePolicy:
			known = resource
		case k == policy.IdentityPolicy && r.Principal.Account == r.ResourceAccount:
			known = own && resource // either would do
		}
		if known {
			out = append(out, k)
		}
	}
	return out
}

// reason says why a request is refused.
func reason(r *policy.Request, d *policy.Decision, missing []policy.SourceKind) string {
	for _, m := range d.Matched {
		if d.Explicit && m.Effect == policy.Deny {
			return fmt.Sprintf("%s denies it, statement %d, in account %s", m.Source.Name, m.Statement+1, m.Source.Account)
		}
	}
	out := make([]string, len(missing))
	for i, k := range missing {
		out[i] = "no " + k.String() + " allows it"
		if k == policy.ResourcePolicy {
			out[i] += " in account " + r.ResourceAccount
		} else if r.Principal.Account != "" {
			out[i] += " in account " + r.Principal.Account
		}
	}
	return strings.Join(out, ", and ")
}

// texts joins what errors say.
func texts(errs []error) string {
	out := make([]string, 0, len(errs))
	for _, err := range errs {
		text := err.Error()
		if hint := fault.HintOf(err); hint != "" {
			text += " (" + hint + ")"
		}
		if !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return strings.Join(out, "; ")
}
