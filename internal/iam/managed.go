package iam

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"twinbucket/arn"
	"twinbucket/fault"
	"twinbucket/identity"
	"twinbucket/internal/catalog"
	"twinbucket/policy"
)

const anyRevision = catalog.Any

// maxManaged is the longest managed policy in characters, white space aside.
const maxManaged = 6144

// awsAccount stands in ARNs for the policies that AWS manages.
const awsAccount = "aws"

// Policy is a managed policy. It has up to five versions, of which the default
// one counts.
type Policy struct {
	Account     string            `json:"account"` // 12 digits, or "aws"
	Path        string            `json:"path"`
	Name        string            `json:"name"`
	ID          string            `json:"id"` // "ANPA" and 17 more
	Description string            `json:"description,omitempty"`
	Created     time.Time         `json:"created"`
	Document    []byte            `json:"document"` // JSON, of the default version
	Tags        map[string]string `json:"tags,omitempty"`

	// The service keeps these; records of before there were versions have none.
	Versions []Version `json:"versions,omitempty"` // oldest first, the default one among them
	Default  string    `json:"default,omitempty"`  // id of the default version
	Last     int       `json:"last,omitempty"`     // number of the version made last
}

// ARN returns the policy's ARN.
func (p *Policy) ARN() string { return arn.Policy(p.Account, p.Path, p.Name) }

// awsManaged are the policies of AWS that make sense here.
var awsManaged = []Policy{
	awsPolicy("AdministratorAccess", "ANPAIWMBCKSKIEE64ZLYK", `{"Effect":"Allow","Action":"*","Resource":"*"}`),
	awsPolicy("IAMFullAccess", "ANPAI7XKCFMBPM3QQRRVQ",
		`{"Effect":"Allow","Action":["iam:*","organizations:DescribeAccount","organizations:DescribeOrganization","organizations:DescribeOrganizationalUnit","organizations:DescribePolicy","organizations:ListChildren","organizations:ListParents","organizations:ListPoliciesForTarget","organizations:ListRoots","organizations:ListPolicies","organizations:ListTargetsForPolicy"],"Resource":"*"}`),
	awsPolicy("IAMReadOnlyAccess", "ANPAJKSO7NDY4T57MWDSQ",
		`{"Effect":"Allow","Action":["iam:GenerateCredentialReport","iam:GenerateServiceLastAccessedDetails","iam:Get*","iam:List*","iam:SimulateCustomPolicy","iam:SimulatePrincipalPolicy"],"Resource":"*"}`),
	awsPolicy("AmazonS3FullAccess", "ANPAIFIR6V6BVTRAHWINE", `{"Effect":"Allow","Action":["s3:*","s3-object-lambda:*"],"Resource":"*"}`),
	awsPolicy("AmazonS3ReadOnlyAccess", "ANPAIZTJ4DXE7G6AGAE6M",
		`{"Effect":"Allow","Action":["s3:Get*","s3:List*","s3:Describe*","s3-object-lambda:Get*","s3-object-lambda:List*"],"Resource":"*"}`),
}

func awsPolicy(name, id, statement string) Policy {
	return Policy{
		Account: awsAccount, Path: "/", Name: name, ID: id,
		Created:  time.Date(2015, 2, 6, 18, 40, 0, 0, time.UTC),
		Document: []byte(`{"Version":"2012-10-17","Statement":[` + statement + `]}`),
	}
}

func noPolicy(name string) *fault.Error {
	return fault.Newf(fault.NotFound, "NoSuchEntity", "Policy %s was not found.", name).On(name)
}

// CreatePolicy makes a managed policy. Account, Name and Document are needed;
// ID, Created and the first version are given by the service. Errors: ValidationError,
// InvalidInput, MalformedPolicyDocument, LimitExceeded, EntityAlreadyExists.
func (s *Service) CreatePolicy(ctx context.Context, p Policy) (*Policy, error) {
	p.ID, p.Created = newID("ANPA", 17), s.now().UTC()
	if p.Path == "" {
		p.Path = "/"
	}
	if err := checkPolicy(&p); err != nil {
		return nil, err
	}
	p.Versions = nil
	p.complete()
	s.writing.Lock()
	defer s.writing.Unlock()
	key := nameKey(p.Account, p.Name)
	_, _, err := s.policies.Get(key)
	if err == nil {
		return nil, fault.Newf(fault.Exists, "EntityAlreadyExists",
			"A policy called %s already exists. Duplicate names are not allowed.", p.Name).On(p.Name)
	}
	if !errors.Is(err, fault.NotFound) {
		return nil, fault.Wrap("iam.policy", p.ARN(), err)
	}
	if _, err := s.policies.Put(ctx, key, p, 0); err != nil {
		return nil, fault.Wrap("iam.policy", p.ARN(), err)
	}
	s.knowPolicy(&p)
	return &p, nil
}

func checkPolicy(p *Policy) error {
	if err := identity.CheckName("policyName", p.Name, 128); err != nil {
		return err
	}
	if err := identity.CheckPath(p.Path); err != nil {
		return err
	}
	if err := identity.CheckTags(p.Tags); err != nil {
		return err
	}
	if len(p.Description) > 1000 {
		return fault.New(fault.Invalid, "ValidationError",
			"1 validation error detected: Value at 'description' failed to satisfy constraint: Member must have length less than or equal to 1000")
	}
	return CheckDocument(p.Document)
}

// CheckDocument reports whether document can be the one of a managed policy.
// Errors: MalformedPolicyDocument, LimitExceeded.
func CheckDocument(document []byte) error {
	parsed, err := policy.Parse(document, policy.Identity)
	if err != nil {
		return err
	}
	if parsed.Version() != "2012-10-17" {
		return fault.New(fault.Invalid, "MalformedPolicyDocument", "Policy document must be version 2012-10-17 or greater.").
			WithHint(`add "Version": "2012-10-17"`)
	}
	if n := identity.Size(document); n > maxManaged {
		return fault.New(fault.TooLarge, "LimitExceeded", "Cannot exceed quota for PolicySize: 6144").
			WithHint("this policy has %d characters, white space aside", n)
	}
	return nil
}

// knowPolicy compiles a managed policy and puts it into memory, and into the
// identities that have it.
func (s *Service) knowPolicy(p *Policy) {
	p.complete()
	document := stored(p.Document, policy.Identity)
	s.mu.Lock()
	defer s.mu.Unlock()
	name := p.ARN()
	if old := s.managed[name]; old != nil {
		s.replace(name, old.document, document)
	}
	s.managed[name] = &knownPolicy{p, document}
	s.changed()
}

// replace puts the new document of a managed policy into the identities that
// have it. The caller holds s.mu.
func (s *Service) replace(name string, old, document *policy.Document) {
	has := func(i *identity.Identity) bool {
		attached, boundary := uses(i, name)
		return attached || boundary
	}
	for key, k := range s.byName {
		if has(&k.role.Identity) {
			fresh := *k
			fresh.documents = k.with(old, document)
			s.byName[key], s.byARN[k.arn] = &fresh, &fresh
		}
	}
	for _, k := range s.user {
		if has(&k.user.Identity) {
			fresh := *k
			fresh.documents = k.with(old, document)
			s.place(&fresh)
		}
	}
	for key, k := range s.group {
		if has(&k.group.Identity) {
			s.group[key] = &knownGroup{k.group, k.with(old, document)}
		}
	}
}

// policyByARN returns a managed policy that account can use: its own or one of
// AWS's; nil if there is none.
func (s *Service) policyByARN(name, account string) *knownPolicy {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p := s.managed[name]
	if p == nil || p.policy.Account != account && p.policy.Account != awsAccount {
		return nil
	}
	return p
}

// GetPolicy returns a managed policy that account can use; the caller must not
// change it. NoSuchEntity if there is none.
func (s *Service) GetPolicy(account, policyARN string) (*Policy, error) {
	if p := s.policyByARN(policyARN, account); p != nil {
		return p.policy, nil
	}
	return nil, noPolicy(policyARN)
}

// ListPolicies returns the managed policies of an account, or with account
// "aws" those of AWS, whose path begins with pathPrefix and whose name sorts
// behind after, at most max of them by name, and whether there are more.
func (s *Service) ListPolicies(account, pathPrefix, after string, max int) ([]*Policy, bool) {
	s.mu.RLock()
	var all []*Policy
	for _, k := range s.managed {
		if p := k.policy; p.Account == account && strings.HasPrefix(p.Path, pathPrefix) {
			all = append(all, p)
		}
	}
	s.mu.RUnlock()
	return firstByName(all, after, max, func(p *Policy) string { return p.Name })
}

// Attachments returns the identities of an account that have a managed policy
// of its or of AWS's, by name: those it is attached to, and those whose
// permissions boundary it is.
func (s *Service) Attachments(account, policyARN string) (attached, boundaries map[identity.Kind][]*identity.Identity) {
	attached, boundaries = map[identity.Kind][]*identity.Identity{}, map[identity.Kind][]*identity.Identity{}
	s.mu.RLock()
	defer s.mu.RUnlock()
	note := func(k identity.Kind, i *identity.Identity) {
		if i.Account != account {
			return
		}
		a, b := uses(i, policyARN)
		if a {
			attached[k] = append(attached[k], i)
		}
		if b {
			boundaries[k] = append(boundaries[k], i)
		}
	}
	for _, k := range s.user {
		note(identity.UserKind, &k.user.Identity)
	}
	for _, k := range s.group {
		note(identity.GroupKind, &k.group.Identity)
	}
	for _, k := range s.byName {
		note(identity.RoleKind, &k.role.Identity)
	}
	for _, found := range []map[identity.Kind][]*identity.Identity{attached, boundaries} {
		for _, list := range found {
			slices.SortFunc(list, func(a, b *identity.Identity) int { return identity.CompareNames(a.Name, b.Name) })
		}
	}
	return attached, boundaries
}

// Count returns how many identities Attachments found.
func Count(found map[identity.Kind][]*identity.Identity) int {
	n := 0
	for _, list := range found {
		n += len(list)
	}
	return n
}

// ownPolicy returns a managed policy of account, to be done to as verb says:
// NoSuchEntity if there is none, AccessDenied for AWS's.
func (s *Service) ownPolicy(account, policyARN, verb string) (*Policy, error) {
	p := s.policyByARN(policyARN, account)
	switch {
	case p == nil:
		return nil, noPolicy(policyARN)
	case p.policy.Account != account:
		return nil, fault.Newf(fault.Denied, "AccessDenied", "Policies that AWS manages cannot be %s.", verb).On(policyARN)
	}
	return p.policy, nil
}

// DeletePolicy removes a managed policy of account with its only version;
// DeleteConflict while an identity uses it or it has other versions, NoSuchEntity
// if there is none, AccessDenied for AWS's.
func (s *Service) DeletePolicy(ctx context.Context, account, policyARN string) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	p, err := s.ownPolicy(account, policyARN, "deleted")
	if err != nil {
		return err
	}
	if attached, boundaries := s.Attachments(account, policyARN); len(attached)+len(boundaries) > 0 {
		return fault.New(fault.Conflict, "DeleteConflict", "Cannot delete a policy attached to entities.").On(policyARN).
			WithHint("it is attached to %d users, groups and roles, and the boundary of %d", Count(attached), Count(boundaries))
	}
	if len(p.Versions) > 1 {
		return fault.New(fault.Conflict, "DeleteConflict", "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.").
			On(policyARN).WithHint("delete the versions other than %s with DeletePolicyVersion", p.Default)
	}
	if err := s.policies.Delete(ctx, nameKey(account, p.Name), anyRevision); err != nil {
		return fault.Wrap("iam.policy", policyARN, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.managed, policyARN)
	s.changed()
	return nil
}
