package iam

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"twinbucket/arn"
	"twinbucket/fault"
	"twinbucket/identity"
	"twinbucket/policy"
	"twinbucket/role"
)

// maxSessionPolicy is the longest session policy, in characters.
const maxSessionPolicy = 2048

// AssumeRole is a request for a session of a role.
type AssumeRole struct {
	RoleARN    string
	Name       string              // of the session, 2 to 64 characters
	Duration   time.Duration       // 0 means an hour
	Policy     []byte              // JSON that limits the session; nil: no limit
	PolicyARNs []string            // managed policies that limit the session
	ExternalID string              // what the trust policy may ask a third party for
	Tags       map[string]string   // of the session
	Facts      map[string][]string // condition keys of the request
}

// Session is a session with its credentials.
type Session struct {
	AccessKey  string
	Secret     string
	Token      string
	Expiration time.Time
	ARN        string // arn:aws:sts::ACCOUNT:assumed-role/ROLE/NAME
	RoleID     string // "AROA...:NAME"
	Packed     int    // per cent of what policies and tags of a session may take
}

// AssumeRole begins a session of a role for c. Errors: ValidationError,
// MalformedPolicyDocument, and AccessDenied, also for a role that does not
// exist, as on AWS; the hint tells callers of its account apart which it is.
func (s *Service) AssumeRole(_ context.Context, c *Caller, in AssumeRole) (Session, error) {
	if err := role.CheckSessionName(in.Name); err != nil {
		return Session{}, err
	}
	if in.Duration == 0 {
		in.Duration = time.Hour
	}
	account, _, _, err := arn.RoleParts(in.RoleARN)
	if err != nil {
		return Session{}, fault.Newf(fault.Invalid, "ValidationError", "%s is invalid", in.RoleARN).
			WithHint("%s", fault.HintOf(err))
	}
	k := s.roleByARN(in.RoleARN)
	if err := s.mayAssume(c, k, account, &in); err != nil {
		return Session{}, err
	}
	if err := k.role.CheckDuration(in.Duration, c.Type == policy.RoleSession); err != nil {
		return Session{}, err
	}
	t := sealed{
		Account: account, Role: k.role.Name, RoleID: k.role.ID, Name: in.Name,
		Policy: in.Policy, PolicyARNs: in.PolicyARNs, Tags: in.Tags,
	}
	if err := s.checkLimits(&t); err != nil {
		return Session{}, err
	}
	out, err := s.begin(&t, in.Duration)
	out.ARN, out.RoleID = arn.Session(account, k.role.Name, in.Name), k.role.ID+":"+in.Name
	return out, err
}

// mayAssume decides sts:AssumeRole, and sts:TagSession if tags are given. k is
// nil if there is no such role.
func (s *Service) mayAssume(c *Caller, k *knownRole, account string, in *AssumeRole) error {
	name := in.RoleARN[strings.LastIndexByte(in.RoleARN, '/')+1:]
	trust := policy.Source{Kind: policy.TrustPolicy, Name: "the trust policy of role " + name, Account: account}
	if k != nil {
		trust = k.trust
	}
	req := &policy.Request{
		Principal: c.Principal, Action: "sts:AssumeRole", Resource: in.RoleARN, ResourceAccount: account,
		Context: map[string][]string{"sts:rolesessionname": {in.Name}}, Time: s.now(),
	}
	maps.Copy(req.Context, in.Facts)
	if in.ExternalID != "" {
		req.Context["sts:externalid"] = []string{in.ExternalID}
	}
	if k != nil {
		maps.Copy(req.Context, identity.TagFacts(k.role.Tags))
	}
	for key, value := range in.Tags {
		req.Context["aws:requesttag/"+strings.ToLower(key)] = []string{value}
	}
	if len(in.Tags) > 0 {
		req.Context["aws:tagkeys"] = slices.Sorted(maps.Keys(in.Tags))
	}
	sources := append(s.identity(c, 1), trust)
	err := policy.Decide(req, sources).Err(req)
	if err == nil && len(in.Tags) > 0 {
		req.Action = "sts:TagSession"
		err = policy.Decide(req, sources).Err(req)
	}
	// Other accounts are told no more than of a role that does not trust them.
	if err != nil && k == nil && account == c.Account {
		return fault.New(fault.Denied, "AccessDenied", fault.MessageOf(err)).On(in.RoleARN).
			WithHint("there is no role %s (the path is part of the ARN)", in.RoleARN)
	}
	return err
}

// checkLimits checks the policies and tags of a session.
func (s *Service) checkLimits(t *sealed) error {
	if len(t.Policy) > maxSessionPolicy {
		return fault.New(fault.Invalid, "ValidationError",
			"1 validation error detected: Value at 'policy' failed to satisfy constraint: Member must have length less than or equal to 2048")
	}
	if len(t.PolicyARNs) > 10 {
		return fault.New(fault.Invalid, "ValidationError",
			"1 validation error detected: Value at 'policyArns' failed to satisfy constraint: Member must have length less than or equal to 10")
	}
	for _, name := range t.PolicyARNs {
		if s.policyByARN(name, t.Account) == nil {
			return noPolicy(name).WithHint("%s", attachable(t.Account))
		}
	}
	if err := identity.CheckTags(t.Tags); err != nil {
		return err
	}
	_, err := t.parse()
	return err
}

// begin gives a session its credentials.
func (s *Service) begin(t *sealed, d time.Duration) (Session, error) {
	t.AccessKey, t.Secret = newID(temporaryPrefix, 16), newSecret()
	t.Issued = s.now().UTC().Truncate(time.Second)
	t.Expires = t.Issued.Add(d)
	token, err := s.close(t)
	packed := len(t.Policy)
	for key, value := range t.Tags {
		packed += len(key) + len(value)
	}
	return Session{
		AccessKey: t.AccessKey, Secret: t.Secret, Token: token, Expiration: t.Expires,
		Packed: (packed*100 + maxSessionPolicy - 1) / maxSessionPolicy,
	}, err
}

// GetSessionToken begins a session of c itself, a user or root user, for d: at
// least fifteen minutes and at most 36 hours; 0 means twelve hours. That of a
// root user ends after an hour whatever it asks for.
func (s *Service) GetSessionToken(c *Caller, d time.Duration) (Session, error) {
	if c.Type != policy.RootUser && c.Type != policy.User || c.Temporary() {
		return Session{}, fault.New(fault.Denied, "AccessDenied", "Cannot call GetSessionToken with session credentials")
	}
	switch {
	case d == 0:
		d = 12 * time.Hour
	case d < role.MinSession:
		return Session{}, identity.Constraint("durationSeconds", "Member must have value greater than or equal to 900")
	case d > 36*time.Hour:
		return Session{}, identity.Constraint("durationSeconds", "Member must have value less than or equal to 129600")
	}
	if c.Type == policy.RootUser {
		return s.begin(&sealed{Account: c.Account}, min(d, time.Hour))
	}
	return s.begin(&sealed{Account: c.Account, UserID: c.UserID, User: c.UserName()}, d)
}

// AssumeForService begins a session of a role for a service of this server,
// such as "s3.amazonaws.com". Its trust policy has to let the service in;
// context holds the condition keys it may ask for (aws:sourceaccount,
// aws:sourcearn). The session is good until Revision changes; then assume the
// role again. Errors: fault.NotFound NoSuchEntity, fault.Denied AccessDenied.
func (s *Service) AssumeForService(roleARN, service, sessionName string, context map[string][]string) (*Caller, error) {
	account, _, name, err := arn.RoleParts(roleARN)
	if err != nil {
		return nil, err
	}
	k := s.roleByARN(roleARN)
	if k == nil {
		return nil, noRole(name).WithHint("there is no role %s (the path is part of the ARN)", roleARN)
	}
	req := &policy.Request{
		Principal: policy.Principal{Type: policy.ServicePrincipal, Service: service},
		Action:    "sts:AssumeRole", Resource: roleARN, ResourceAccount: account, Context: context, Time: s.now(),
	}
	if err := policy.Decide(req, []policy.Source{k.trust}).Err(req); err != nil {
		return nil, err
	}
	p := k.role.Session(sessionName)
	p.Issued = s.now()
	return &Caller{Principal: p}, nil
}
