package stack

import (
	"encoding/json"

	"twinbucket/fault"
	"twinbucket/internal/iam"
	"twinbucket/policy"
)

// actor is the caller of an operation as recorded, so that a later process can
// go on in the caller's name.
type actor struct {
	Principal policy.Principal `json:"principal"`
	Session   []sessionPolicy  `json:"session,omitempty"`
	Temporary bool             `json:"temporary,omitempty"` // with what GetSessionToken gave
}

// sessionPolicy is one of the policies that limit the caller's session.
type sessionPolicy struct {
	Kind     policy.SourceKind `json:"kind"`
	Name     string            `json:"name"`
	Account  string            `json:"account"`
	Document json.RawMessage   `json:"document,omitempty"`
}

// actor returns in whose name an operation of c on a stack is done: c itself,
// or the role given for CloudFormation, which c must be allowed to pass.
func (e *Engine) actor(c *iam.Caller, s *Stack, role string) (actor, error) {
	if role == "" {
		return actorOf(c), nil
	}
	const service = "cloudformation.amazonaws.com"
	if err := e.IAM.PassRole(c, role, service, map[string][]string{"aws:requestedregion": {e.Region}}); err != nil {
		return actor{}, err
	}
	session, err := e.IAM.AssumeForService(role, service, "AWSCloudFormation", map[string][]string{
		"aws:sourceaccount": {s.Account}, "aws:sourcearn": {s.ID},
	})
	if err != nil {
		return actor{}, invalid("Role %s is invalid or cannot be assumed", role).
			WithHint("the role has to exist and its trust policy to let cloudformation.amazonaws.com in: %s", fault.MessageOf(err))
	}
	return actorOf(session), nil
}

// actorOf records a caller.
func actorOf(c *iam.Caller) actor {
	a := actor{Principal: c.Principal, Temporary: c.Temporary()}
	for _, s := range c.Session {
		p := sessionPolicy{Kind: s.Kind, Name: s.Name, Account: s.Account}
		if s.Document != nil {
			p.Document = s.Document.JSON()
		}
		a.Session = append(a.Session, p)
	}
	return a
}

// caller returns the recorded caller. A session policy that cannot be read any
// more allows nothing.
func (a actor) caller() *iam.Caller {
	c := &iam.Caller{Principal: a.Principal}
	for _, p := range a.Session {
		s := policy.Source{Kind: p.Kind, Name: p.Name, Account: p.Account}
		if d, err := policy.Parse(p.Document, policy.Identity); err == nil {
			s.Document = d
		}
		c.Session = append(c.Session, s)
	}
	return c
}
