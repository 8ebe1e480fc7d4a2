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
	Name       string            // of the session, 2 to 64 characters
	Duration   time.Duration     // 0 means an hour
	Policy     []byte            // JSON that limits the session; nil: no limit
	PolicyARNs []string          // managed policies that limit the session
	ExternalID string            // what the trust policy may ask a third party for
	Tags       map[string]string // of the session
	Transitive []string          // keys of the Tags that sessions begun with this one take over
	// SourceIdentity is who begins a chain of sessions; "": as the caller's
	// session has it, or none.
	SourceIdentity string
	MFA            MFA
	Facts          map[string][]string // condition keys of the request
}

// Session is a session with its credentials.
type Session struct {
	AccessKey  string
	Secret     string
	Token      string
	Expiration time.Time
	ARN        string // arn:aws:sts::ACCOUNT:assumed-role/ROLE/NAME or :federated-user/NAME
	UserID     string // "AROA...:NAME" or "ACCOUNT:NAME"
	Packed     int    // per cent of what policies and tags of a session may take
	Source     string // the source identity; "" if there is none
}

// AssumeRole begins a session of a role for c. Errors: ValidationError,
// InvalidParameterValue, MalformedPolicyDocument, PackedPolicyTooLarge, and
// AccessDenied, also for a role that does not exist, as on AWS; the hint tells
// callers of its account apart which it is.
func (s *Service) AssumeRole(_ context.Context, c *Caller, in AssumeRole) (Session, error) {
	if in.Duration == 0 {
		in.Duration = time.Hour
	}
	account, err := in.check()
	if err != nil {
		return Session{}, err
	}
	if c.Type == policy.FederatedUser {
		return Session{}, fault.New(fault.Denied, "AccessDenied", "Cannot call AssumeRole with federated user credentials")
	}
	if err := in.MFA.check(); err != nil {
		return Session{}, err
	}
	if err := in.inherit(c); err != nil {
		return Session{}, err
	}
	k := s.roleByARN(in.RoleARN)
	if err := s.mayAssume(c, k, account, &in); err != nil {
		return Session{}, err
	}
	if err := k.role.CheckDuration(in.Duration, c.Type == policy.RoleSession); err != nil {
		return Session{}, err
	}
	t := sealed{
		Account: account, Role: k.role.Name, RoleID: k.role.ID, Name: in.Name, Source: in.SourceIdentity,
		Policy: in.Policy, PolicyARNs: in.PolicyARNs, Tags: maps.Clone(in.Tags), Transitive: slices.Clone(in.Transitive),
	}
	for key, value := range c.Transitive {
		if t.Tags == nil {
			t.Tags = map[string]string{}
		}
		t.Tags[key] = value
		t.Transitive = append(t.Transitive, key)
	}
	if err := s.checkLimits(&t); err != nil {
		return Session{}, err
	}
	out, err := s.begin(&t, in.Duration)
	out.ARN, out.UserID = arn.Session(account, k.role.Name, in.Name), k.role.ID+":"+in.Name
	return out, err
}

// check checks what can be checked without the role and the caller, and returns
// the role's account.
func (in *AssumeRole) check() (account string, err error) {
	if err := role.SessionName.Check(in.Name); err != nil {
		return "", err
	}
	if err := role.CheckDuration(in.Duration); err != nil {
		return "", err
	}
	if in.SourceIdentity != "" {
		if err := role.SourceIdentity.Check(in.SourceIdentity); err != nil {
			return "", err
		}
	}
	if in.ExternalID != "" {
		if err := role.ExternalID.Check(in.ExternalID); err != nil {
			return "", err
		}
	}
	if account, _, _, err = arn.RoleParts(in.RoleARN); err != nil {
		return "", fault.Newf(fault.Invalid, "ValidationError", "%s is invalid", in.RoleARN).
			WithHint("%s", fault.HintOf(err))
	}
	for _, key := range in.Transitive {
		if !hasFold(in.Tags, key) {
			return "", fault.New(fault.Invalid, "InvalidParameterValue", "The specified transitive tag key must be included in the requested tags.").
				WithHint("there is no tag %q in Tags", key)
		}
	}
	return account, nil
}

// inherit takes over what the caller's session hands on, and refuses to change
// it (IAM User Guide, "Chaining roles with session tags" and "Monitor and
// control actions taken with assumed roles").
func (in *AssumeRole) inherit(c *Caller) error {
	for key := range c.Transitive {
		if hasFold(in.Tags, key) {
			return fault.New(fault.Invalid, "InvalidParameterValue",
				"One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.").
				WithHint("the calling session hands on its tag %q: leave it out of Tags", key)
		}
	}
	switch {
	case c.SourceIdentity == "":
	case in.SourceIdentity == "" || in.SourceIdentity == c.SourceIdentity:
		in.SourceIdentity = c.SourceIdentity
	default:
		return fault.New(fault.Invalid, "ValidationError", "The source identity is already set for this assume role session").
			WithHint("it is %q: leave SourceIdentity out", c.SourceIdentity)
	}
	return nil
}

// mayAssume decides sts:AssumeRole, and what the session gets besides:
// sts:TagSession for tags, also those taken over, and sts:SetSourceIdentity for
// a source identity. k is nil if there is no such role.
func (s *Service) mayAssume(c *Caller, k *knownRole, account string, in *AssumeRole) error {
	name := in.RoleARN[strings.LastIndexByte(in.RoleARN, '/')+1:]
	trust := policy.Source{Kind: policy.TrustPolicy, Name: "the trust policy of role " + name, Account: account}
	if k != nil {
		trust = k.trust
	}
	req := &policy.Request{
		Principal: c.Principal, Resource: in.RoleARN, ResourceAccount: account, Context: in.facts(), Time: s.now(),
	}
	if k != nil {
		maps.Copy(req.Context, identity.TagFacts(k.role.Tags))
	}
	acts := []string{"sts:AssumeRole"}
	if len(in.Tags)+len(c.Transitive) > 0 {
		acts = append(acts, "sts:TagSession")
	}
	if in.SourceIdentity != "" {
		acts = append(acts, "sts:SetSourceIdentity")
	}
	sources := append(s.identity(c, 1), trust)
	for _, req.Action = range acts {
		err := policy.Decide(req, sources).Err(req)
		// Other accounts are told no more than of a role that does not trust them.
		if err != nil && k == nil && account == c.Account {
			return fault.New(fault.Denied, "AccessDenied", fault.MessageOf(err)).On(in.RoleARN).
				WithHint("there is no role %s (the path is part of the ARN)", in.RoleARN)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// facts returns the condition keys of the request.
func (in *AssumeRole) facts() map[string][]string {
	facts := map[string][]string{"sts:rolesessionname": {in.Name}}
	maps.Copy(facts, in.Facts)
	if in.ExternalID != "" {
		facts["sts:externalid"] = []string{in.ExternalID}
	}
	if in.SourceIdentity != "" {
		facts["sts:sourceidentity"] = []string{in.SourceIdentity}
	}
	if len(in.Transitive) > 0 {
		facts["sts:transitivetagkeys"] = in.Transitive
	}
	maps.Copy(facts, identity.RequestFacts(in.Tags))
	return facts
}

// checkLimits checks the policies and tags of a session.
func (s *Service) checkLimits(t *sealed) error {
	if len(t.Policy) > maxSessionPolicy {
		return identity.Constraint("policy", "Member must have length less than or equal to 2048")
	}
	if len(t.PolicyARNs) > 10 {
		return identity.Constraint("policyArns", "Member must have length less than or equal to 10")
	}
	for _, name := range t.PolicyARNs {
		if s.policyByARN(name, t.Account) == nil {
			return noPolicy(name).WithHint("%s", attachable(t.Account))
		}
	}
	if err := identity.CheckTags(t.Tags); err != nil {
		return err
	}
	if _, err := t.parse(); err != nil {
		return err
	}
	if n := t.packed(); n > 100 {
		text := "Packed policy consumes %d%% of allotted space, please use smaller policy."
		if len(t.Policy)+len(t.PolicyARNs) == 0 {
			text = "Packed size of session tags consumes %d%% of allotted space."
		}
		return fault.Newf(fault.TooLarge, "PackedPolicyTooLarge", text, n).
			WithHint("policies, ARNs of policies and tags of a session have at most %d characters together", maxSessionPolicy)
	}
	return nil
}

// packed returns how much of what they may take the policies and tags of a
// session take, in per cent. AWS packs them before it measures, in a form that
// is not published; here every character counts.
func (t *sealed) packed() int {
	n := len(t.Policy)
	for _, name := range t.PolicyARNs {
		n += len(name)
	}
	for key, value := range t.Tags {
		n += len(key) + len(value)
	}
	return (n*100 + maxSessionPolicy - 1) / maxSessionPolicy
}

// begin gives a session its credentials.
func (s *Service) begin(t *sealed, d time.Duration) (Session, error) {
	t.AccessKey, t.Secret = newID(temporaryPrefix, 16), newSecret()
	t.Issued = s.now().UTC().Truncate(time.Second)
	t.Expires = t.Issued.Add(d)
	token, err := s.close(t)
	return Session{
		AccessKey: t.AccessKey, Secret: t.Secret, Token: token, Expiration: t.Expires, Packed: t.packed(), Source: t.Source,
	}, err
}

// GetSessionToken begins a session of c itself, a user or root user, for d as
// Caller.lasting has it.
func (s *Service) GetSessionToken(c *Caller, d time.Duration, mfa MFA) (Session, error) {
	if err := c.ownKey("GetSessionToken"); err != nil {
		return Session{}, err
	}
	d, err := c.lasting(d)
	if err != nil {
		return Session{}, err
	}
	if err := mfa.check(); err != nil {
		return Session{}, err
	}
	t := sealed{Account: c.Account}
	if c.Type == policy.User {
		t.User, t.UserID = c.UserName(), c.UserID
	}
	return s.begin(&t, d)
}

// AsService returns a service of this server, such as "s3.amazonaws.com", that
// acts for itself: what it may do is said by the policies of resources alone.
func (s *Service) AsService(service string) *Caller {
	return &Caller{Principal: policy.Principal{Type: policy.ServicePrincipal, Service: service, Facts: s.errands}}
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
		Principal: s.AsService(service).Principal,
		Action:    "sts:AssumeRole", Resource: roleARN, ResourceAccount: account, Context: context, Time: s.now(),
	}
	if err := policy.Decide(req, []policy.Source{k.trust}).Err(req); err != nil {
		return nil, err
	}
	p := k.role.Session(sessionName)
	p.Issued, p.Facts = s.now(), s.errands
	return &Caller{Principal: p}, nil
}
