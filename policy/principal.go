package policy

import (
	"strings"
	"time"

	"twinbucket/acl"
	"twinbucket/arn"
)

// Type is the type of a principal.
type Type uint8

// The types of principals.
const (
	Anonymous        Type = iota // a request without a signature
	RootUser                     // the root user of an account
	User                         // an IAM user
	RoleSession                  // a role as assumed by somebody
	ServicePrincipal             // an AWS service acting for itself
	FederatedUser                // somebody to whom a user or root user lends a part of its rights
)

// key returns the type as the condition key aws:PrincipalType has it.
func (t Type) key() string {
	switch t {
	case Anonymous:
		return "Anonymous"
	case RootUser:
		return "Account"
	case User:
		return "User"
	case RoleSession:
		return "AssumedRole"
	case FederatedUser:
		return "FederatedUser"
	}
	return ""
}

// Principal is who makes a request.
type Principal struct {
	Type    Type
	Account string            // of the principal; "" for Anonymous and services
	ARN     string            // of the root user, the user, or the session (arn:aws:sts::A:assumed-role/R/S)
	Role    string            // RoleSession: ARN of the role, with its path; FederatedUser: of the user who lends
	Lender  string            // FederatedUser: id of the user who lends; "" for the root user
	UserID  string            // "AROA...:session", "AIDA...", "ACCOUNT:name" of a federated user, or the account id for root
	Service string            // ServicePrincipal: "s3.amazonaws.com"
	Tags    map[string]string // aws:PrincipalTag
	Issued  time.Time         // of the temporary credentials; zero: they are long-lived
	// SourceIdentity is who began the chain of role sessions, as it was said
	// then: aws:SourceIdentity.
	SourceIdentity string
	// Facts are condition keys, in lower case, of whatever the principal asks for,
	// where the request says nothing else.
	Facts map[string]string
}

// ServiceFacts are the facts of what a service of AWS asks for in a region,
// itself or in the session of a role (IAM User Guide, "AWS global condition
// context keys"): over TLS, and for nobody who called it.
func ServiceFacts(region string) map[string]string {
	return map[string]string{
		"aws:securetransport": "true",
		"aws:viaawsservice":   "false",
		"aws:requestedregion": region,
	}
}

// Identity returns the ARN that policies are written for: the role of a
// session, the user who lends to a federated one, else the principal's own.
func (p *Principal) Identity() string {
	if p.Type == RoleSession || p.Type == FederatedUser {
		return p.Role
	}
	return p.ARN
}

// UserName returns the name of an IAM user, "" for others.
func (p *Principal) UserName() string {
	if p.Type != User {
		return ""
	}
	return p.ARN[strings.LastIndexByte(p.ARN, '/')+1:]
}

// grade says how a statement names a principal, weakest first.
type grade uint8

const (
	nobody   grade = iota
	account        // by its account: that account's policies must allow as well
	role           // by the ARN or id of the role: what limits the role limits it
	everyone       // by "*"
	direct         // by its own ARN, or a service by its name
)

// entry is one principal of a Principal or NotPrincipal element.
type entry struct {
	form    string // as the document writes it: "AWS", "Service", ...; "" for a bare "*"
	id      string // as written
	match   grade  // everyone, account, role, direct; nobody: valid, and no one here
	account string // match is account: its id, unless id is the canonical one
	unique  bool   // id is a unique id (AROA..., AIDA...)
}

// compileEntry reads one principal. ok is false if it is none.
func compileEntry(form, id string) (e entry, ok bool) {
	e = entry{form: form, id: id}
	switch form {
	case "Service":
		e.match = direct
		return e, strings.Contains(id, ".amazonaws.com") && !strings.ContainsAny(id, "*? /:")
	case "CanonicalUser":
		e.match = account
		return e, id != "" && id != "*"
	case "Federated":
		return e, id != "" && id != "*"
	case "AWS":
	default:
		return e, false
	}
	switch {
	case id == "*":
		e.match = everyone
		return e, true
	case arn.ValidAccount(id):
		e.match, e.account = account, id
		return e, true
	case strings.HasPrefix(id, "AROA"), strings.HasPrefix(id, "AIDA"):
		e.match, e.unique = role, true
		if strings.HasPrefix(id, "AIDA") {
			e.match = direct
		}
		return e, len(id) > 16 && !strings.ContainsAny(id, "*?:/")
	case strings.ContainsAny(id, "*?"):
		return e, false
	}
	a, err := arn.Parse(id)
	if err != nil || !arn.ValidAccount(a.Account) || a.Region != "" || !strings.HasPrefix(a.Partition, "aws") {
		return e, false
	}
	kind, name, _ := strings.Cut(a.Resource, "/")
	switch {
	case a.Service == "iam" && a.Resource == "root":
		e.match, e.account = account, a.Account
	case a.Service == "iam" && kind == "role" && name != "":
		e.match = role
	case a.Service == "iam" && kind == "user" && name != "",
		a.Service == "sts" && (kind == "assumed-role" || kind == "federated-user") && name != "":
		e.match = direct
	default:
		return e, false
	}
	return e, true
}

// owns reports whether the entry, which is for an account, is for this one.
func (e *entry) owns(id string) bool {
	if e.form == "CanonicalUser" {
		return id != "" && acl.CanonicalID(id) == e.id
	}
	return id == e.account
}

// grade says how the entry names p.
func (e *entry) grade(p *Principal) grade {
	switch e.match {
	case everyone:
		return everyone
	case account:
		if !e.owns(p.Account) {
			return nobody
		}
		if p.Type == RootUser {
			return direct
		}
		return account
	case nobody:
		return nobody
	}
	switch {
	case p.Type == ServicePrincipal || e.form == "Service":
		if p.Type == ServicePrincipal && e.form == "Service" && p.Service == e.id {
			return direct
		}
	case p.Type == FederatedUser && (e.id == p.Role || e.id == p.Lender && e.unique):
		return role
	case e.unique:
		if id, _, _ := strings.Cut(p.UserID, ":"); id == e.id {
			return e.match
		}
	case e.match == role:
		if p.Type == RoleSession && p.Role == e.id {
			return role
		}
	case p.ARN == e.id && p.ARN != "":
		return direct
	}
	return nobody
}

// names says how a Principal element names p: the strongest of its entries.
func names(entries []entry, p *Principal) grade {
	best := nobody
	for i := range entries {
		best = max(best, entries[i].grade(p))
	}
	return best
}

// spares reports whether a NotPrincipal element exempts p. A session is
// exempt only if its account, its role and the session itself are all listed,
// a user only with its account (IAM User Guide, "NotPrincipal").
func spares(entries []entry, p *Principal) bool {
	listed := func(want grade) bool {
		for i := range entries {
			if g := entries[i].grade(p); g == want || g == everyone {
				return true
			}
		}
		return false
	}
	switch p.Type {
	case RoleSession:
		return listed(account) && listed(role) && listed(direct)
	case User, FederatedUser:
		return listed(account) && listed(direct)
	case Anonymous:
		return listed(everyone)
	}
	return listed(direct)
}
