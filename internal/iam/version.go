package iam

import (
	"context"
	"slices"
	"strconv"
	"time"

	"twinbucket/fault"
)

// MaxVersions is how many versions a managed policy can have.
const MaxVersions = 5

// Version is one version of a managed policy. It does not change.
type Version struct {
	ID       string    `json:"id"`       // "v1", "v2", ...; never given twice
	Document []byte    `json:"document"` // JSON
	Created  time.Time `json:"created"`
}

// complete gives a policy that has no versions its first one.
func (p *Policy) complete() {
	if len(p.Versions) == 0 {
		p.Versions, p.Default, p.Last = []Version{{"v1", p.Document, p.Created}}, "v1", 1
	}
}

// Updated returns when the newest version was made.
func (p *Policy) Updated() time.Time { return p.Versions[len(p.Versions)-1].Created }

// version returns where in the list a version is.
func (p *Policy) version(id string) (int, error) {
	i := slices.IndexFunc(p.Versions, func(v Version) bool { return v.ID == id })
	if i < 0 {
		return 0, fault.Newf(fault.NotFound, "NoSuchEntity", "Policy %s version %s does not exist or is not attachable.", p.ARN(), id).On(id)
	}
	return i, nil
}

// Version returns one version, which the caller must not change; NoSuchEntity
// if there is none.
func (p *Policy) Version(id string) (*Version, error) {
	i, err := p.version(id)
	if err != nil {
		return nil, err
	}
	return &p.Versions[i], nil
}

// CreatePolicyVersion adds a version to a managed policy of account, which
// decides from now on if it is to be the default. Errors:
// MalformedPolicyDocument, LimitExceeded, NoSuchEntity, AccessDenied for
// AWS's.
func (s *Service) CreatePolicyVersion(ctx context.Context, account, policyARN string, document []byte, setAsDefault bool) (*Version, error) {
	if err := CheckDocument(document); err != nil {
		return nil, err
	}
	var made Version
	err := s.changeVersions(ctx, account, policyARN, func(p *Policy) error {
		if len(p.Versions) >= MaxVersions {
			return fault.New(fault.TooLarge, "LimitExceeded",
				"A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.").
				On(policyARN).WithHint("the oldest version that is not the default is %s", p.Spare())
		}
		p.Last++
		made = Version{"v" + strconv.Itoa(p.Last), document, s.now().UTC()}
		p.Versions = append(p.Versions, made)
		if setAsDefault {
			p.Default, p.Document = made.ID, made.Document
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &made, nil
}

// Spare returns the oldest version that is not the default, "" if there is
// none.
func (p *Policy) Spare() string {
	for i := range p.Versions {
		if p.Versions[i].ID != p.Default {
			return p.Versions[i].ID
		}
	}
	return ""
}

// SetDefaultPolicyVersion makes a version of a managed policy of account the
// one that decides, from now on. Errors: NoSuchEntity, AccessDenied for AWS's.
func (s *Service) SetDefaultPolicyVersion(ctx context.Context, account, policyARN, id string) error {
	return s.changeVersions(ctx, account, policyARN, func(p *Policy) error {
		i, err := p.version(id)
		if err != nil {
			return err
		}
		p.Default, p.Document = id, p.Versions[i].Document
		return nil
	})
}

// DeletePolicyVersion removes a version of a managed policy of account;
// DeleteConflict for the default one, NoSuchEntity if there is none,
// AccessDenied for AWS's.
func (s *Service) DeletePolicyVersion(ctx context.Context, account, policyARN, id string) error {
	return s.changeVersions(ctx, account, policyARN, func(p *Policy) error {
		i, err := p.version(id)
		if err != nil {
			return err
		}
		if id == p.Default {
			return fault.New(fault.Conflict, "DeleteConflict", "Cannot delete the default version of a policy.").On(policyARN).
				WithHint("make another version the default first, with SetDefaultPolicyVersion, or delete the policy")
		}
		p.Versions = slices.Delete(p.Versions, i, i+1)
		return nil
	})
}

// changeVersions changes the versions of a managed policy of account, on disk
// and in memory. change gets a copy with a list of its own.
func (s *Service) changeVersions(ctx context.Context, account, policyARN string, change func(*Policy) error) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	have, err := s.ownPolicy(account, policyARN, "changed")
	if err != nil {
		return err
	}
	p := *have
	p.Versions = slices.Clone(have.Versions)
	if err := change(&p); err != nil {
		return err
	}
	if _, err := s.policies.Put(ctx, nameKey(account, p.Name), p, anyRevision); err != nil {
		return fault.Wrap("iam.policy", policyARN, err)
	}
	s.knowPolicy(&p)
	return nil
}
