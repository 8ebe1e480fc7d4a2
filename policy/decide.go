package policy

import (
	"slices"
	"time"
)

// SourceKind says how a document bears on a request.
type SourceKind uint8

// The kinds of sources.
const (
	IdentityPolicy SourceKind = iota // inline or managed policy of the caller's role or user
	ResourcePolicy                   // policy of the bucket
	Boundary                         // permissions boundary of the caller
	SessionPolicy                    // policy given when the session began
	TrustPolicy                      // who may assume the role that the request is about
)

// String returns the kind as AWS's messages name it.
func (k SourceKind) String() string {
	switch k {
	case IdentityPolicy:
		return "identity-based policy"
	case ResourcePolicy:
		return "resource-based policy"
	case Boundary:
		return "permissions boundary"
	case SessionPolicy:
		return "session policy"
	}
	return "role trust policy"
}

// Source is a document and where it is from.
type Source struct {
	Kind     SourceKind
	Name     string    // for people: "bucket policy of dst"
	ID       string    // for programs: the policy's name; "" where there is no need
	Account  string    // whose document it is: 12 digits
	Document *Document // nil: the place is empty. An empty Boundary or SessionPolicy allows nothing
	DenyOnly bool      // its Allow statements do not count: the resource is not theirs to give
}

// Request is what somebody wants to do.
type Request struct {
	Principal       Principal
	Action          string              // "s3:GetObject"
	Resource        string              // ARN; "*" for actions that have none
	ResourceAccount string              // owner of the resource; "" means the principal's account
	Context         map[string][]string // condition keys, names in lower case, beyond those that follow from the other fields
	Time            time.Time           // of the request, for aws:CurrentTime and aws:EpochTime; zero: unknown
	Asserted        bool                // the request is made up: Context has the last word on every key
}

// sameAccount reports whether the resource belongs to the principal's account.
func (r *Request) sameAccount() bool {
	return r.ResourceAccount == "" || r.ResourceAccount == r.Principal.Account
}

// Match is a statement that matches a request.
type Match struct {
	Source    *Source
	Statement int // from 0
	Sid       string
	Effect    Effect
}

// Decision is the outcome of Decide with its reasons.
type Decision struct {
	Allowed  bool
	Explicit bool         // denied by a Deny statement
	Matched  []Match      // every statement that matches, in the order of the sources
	Missing  []SourceKind // if denied without a Deny: where an Allow is missing

	sources []Source
	lacking []SourceKind // where an Allow is missing, whether a Deny denies or not
}

// tally is what the matching statements say together.
type tally struct {
	denied   bool
	identity bool  // an identity policy allows
	resource grade // how the resource policy names the principal in an Allow
	trust    grade // the same of the trust policy
	boundary limit
	session  limit
	trusts   bool // there is a trust policy: the request is to assume a role
}

// limit is a kind of policy that only restricts.
type limit struct{ present, allows bool }

func (l limit) blocks() bool { return l.present && !l.allows }

// Decide decides r with the documents that apply to it. It looks at all of
// them, so that Matched is complete. The rules are those of the IAM User
// Guide, "Policy evaluation logic" and "Cross-account policy evaluation
// logic":
//
//   - A matching Deny anywhere denies.
//   - In one account an Allow in an identity policy or in the resource policy
//     is enough; across accounts both are needed. A resource policy that names
//     only the account delegates to that account's identity policies.
//   - A boundary and session policies must allow as well, unless the resource
//     policy of the same account names the session or user itself, or "*".
//   - A role is assumed only if its trust policy allows, and across accounts
//     or when trusted by account, an identity policy too.
//   - A federated user has the identity policies of the user who lends, and is
//     always limited by session policies: without any it may do nothing.
//   - The root user needs no identity policy, nor does who borrows from it. A service needs the resource or
//     trust policy alone; a trust policy must name it.
func Decide(r *Request, sources []Source) Decision {
	d := Decision{sources: sources}
	var t tally
	bounded := slices.ContainsFunc(sources, func(s Source) bool { return s.Kind == Boundary })
	for i := range sources {
		src := &sources[i]
		switch src.Kind {
		case Boundary:
			t.boundary.present = true
		case SessionPolicy:
			t.session.present = true
		case TrustPolicy:
			t.trusts = true
		}
		if src.Document == nil {
			continue
		}
		for j := range src.Document.statements {
			s := &src.Document.statements[j]
			g, ok := s.concerns(&r.Principal, src.Kind, bounded)
			if !ok || src.DenyOnly && s.effect == Allow || !s.matches(r) {
				continue
			}
			if d.Matched == nil {
				d.Matched = make([]Match, 0, 4)
			}
			d.Matched = append(d.Matched, Match{Source: src, Statement: j, Sid: s.sid, Effect: s.effect})
			t.add(src.Kind, s.effect, g)
		}
	}
	d.lacking = t.missing(r)
	if t.denied {
		d.Explicit = true
		return d
	}
	d.Missing = d.lacking
	d.Allowed = len(d.Missing) == 0
	return d
}

// concerns reports whether the statement of a source of kind is about p, and
// how it names p. NotPrincipal spares nobody who has a boundary (IAM User
// Guide, "NotPrincipal").
func (s *statement) concerns(p *Principal, kind SourceKind, bounded bool) (grade, bool) {
	if kind != ResourcePolicy && kind != TrustPolicy {
		// The policies of a caller. Services and strangers have none.
		return nobody, p.Type != Anonymous && p.Type != ServicePrincipal || s.effect == Deny
	}
	if s.spare {
		return everyone, bounded || !spares(s.principals, p)
	}
	g := names(s.principals, p)
	if g == everyone && kind == TrustPolicy && p.Type == ServicePrincipal && s.effect == Allow {
		return nobody, false // a service role names its service
	}
	return g, g != nobody
}

// add counts a matching statement.
func (t *tally) add(kind SourceKind, e Effect, g grade) {
	if e == Deny {
		t.denied = true
		return
	}
	switch kind {
	case IdentityPolicy:
		t.identity = true
	case ResourcePolicy:
		t.resource = max(t.resource, g)
	case TrustPolicy:
		t.trust = max(t.trust, g)
	case Boundary:
		t.boundary.allows = true
	case SessionPolicy:
		t.session.allows = true
	}
}

// missing returns where an Allow is missing; nil if the request is allowed.
func (t *tally) missing(r *Request) []SourceKind {
	var out []SourceKind
	named, place := t.resource, ResourcePolicy
	if t.trusts {
		named, place = t.trust, TrustPolicy
	}
	switch r.Principal.Type {
	case Anonymous, ServicePrincipal:
		if named == nobody {
			out = append(out, place)
		}
		return out
	case FederatedUser:
		if r.sameAccount() && named >= everyone {
			return nil // what names a federated user gives it more than was lent
		}
		if r.Principal.Lender != "" {
			break
		}
		fallthrough
	case RootUser:
		if named == nobody && (t.trusts || !r.sameAccount()) {
			out = append(out, place)
		}
		return append(out, t.limits()...)
	}
	if r.sameAccount() {
		switch {
		case named >= everyone:
			return nil
		case named == role: // no identity policy needed
		case t.trusts && named == nobody:
			out = append(out, TrustPolicy)
		case !t.identity:
			out = append(out, IdentityPolicy)
		}
		return append(out, t.limits()...)
	}
	if !t.identity {
		out = append(out, IdentityPolicy)
	}
	if named == nobody {
		out = append(out, place)
	}
	return append(out, t.limits()...)
}

func (t *tally) limits() []SourceKind {
	var out []SourceKind
	if t.boundary.blocks() {
		out = append(out, Boundary)
	}
	if t.session.blocks() {
		out = append(out, SessionPolicy)
	}
	return out
}

// Sources returns the sources that were decided with, as pointers into the
// list that Decide was given: names can still be set.
func (d *Decision) Sources() []*Source {
	out := make([]*Source, len(d.sources))
	for i := range d.sources {
		out[i] = &d.sources[i]
	}
	return out
}
