package iam

import (
	"maps"
	"time"

	"twinbucket/arn"
	"twinbucket/fault"
	"twinbucket/identity"
	"twinbucket/policy"
	"twinbucket/role"
)

// Federate is a request for a session of a federated user.
type Federate struct {
	Name       string              // of the federated user
	Duration   time.Duration       // 0 means twelve hours
	Policy     []byte              // JSON of what is lent; nil: what the PolicyARNs say
	PolicyARNs []string            // managed policies of what is lent
	Tags       map[string]string   // of the session
	Facts      map[string][]string // condition keys of the request
}

var federatedName = identity.Word{Parameter: "name", Min: 2, Max: 32, Pattern: `[\w+=,.@-]*`}

// GetFederationToken begins a session of somebody to whom c, a user or root
// user, lends what it may do itself, as far as the policies given allow; without
// any that is nothing. Errors: ValidationError, MalformedPolicyDocument,
// PackedPolicyTooLarge, AccessDenied.
func (s *Service) GetFederationToken(c *Caller, in Federate) (Session, error) {
	if err := federatedName.Check(in.Name); err != nil {
		return Session{}, err
	}
	d, err := c.lasting(in.Duration)
	if err != nil {
		return Session{}, err
	}
	name := arn.FederatedUser(c.Account, in.Name)
	acts := []string{"sts:GetFederationToken"}
	if len(in.Tags) > 0 {
		acts = append(acts, "sts:TagSession")
	}
	facts := identity.RequestFacts(in.Tags)
	maps.Copy(facts, in.Facts)
	for _, act := range acts {
		if err := s.Authorize(c, Access{Action: act, Resource: name, Context: facts}); err != nil {
			return Session{}, err
		}
	}
	if err := c.ownKey("GetFederationToken"); err != nil {
		return Session{}, err
	}
	t := sealed{
		Account: c.Account, Name: in.Name, Federated: true,
		Policy: in.Policy, PolicyARNs: in.PolicyARNs, Tags: in.Tags,
	}
	if c.Type == policy.User {
		t.User, t.UserID = c.UserName(), c.UserID
	}
	if err := s.checkLimits(&t); err != nil {
		return Session{}, err
	}
	out, err := s.begin(&t, d)
	out.ARN, out.UserID = name, c.Account+":"+in.Name
	return out, err
}

// ownKey reports whether c is a user or root user with its own access key,
// which action of STS needs: AccessDenied if not.
func (c *Caller) ownKey(action string) error {
	if c.Type != policy.RootUser && c.Type != policy.User || c.Temporary() {
		return fault.Newf(fault.Denied, "AccessDenied", "Cannot call %s with session credentials", action)
	}
	return nil
}

// lasting returns how long a session that c begins of its own lasts if d is
// asked for: at least fifteen minutes and at most 36 hours; 0 means twelve
// hours. That of a root user ends after an hour whatever it asks for.
func (c *Caller) lasting(d time.Duration) (time.Duration, error) {
	switch {
	case d == 0:
		d = 12 * time.Hour
	case d < role.MinSession:
		return 0, identity.Constraint("durationSeconds", "Member must have value greater than or equal to 900")
	case d > 36*time.Hour:
		return 0, identity.Constraint("durationSeconds", "Member must have value less than or equal to 129600")
	}
	if c.Type == policy.RootUser {
		d = min(d, time.Hour)
	}
	return d, nil
}
