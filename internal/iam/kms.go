package iam

import (
	"maps"
	"slices"

	"twinbucket/arn"
	"twinbucket/fault"
	"twinbucket/policy"
)

// OnKey returns the use of a key of KMS, by its ARN, through S3 as what c wants
// to do. keyPolicy is the key's policy, facts are condition keys of the request.
func OnKey(c *Caller, action, key string, keyPolicy []byte, facts map[string][]string) (Access, error) {
	a, err := arn.Parse(key)
	if err != nil {
		return Access{}, err
	}
	context := map[string][]string{}
	maps.Copy(context, facts)
	context["aws:viaawsservice"] = []string{"true"}
	context["kms:viaservice"] = []string{"s3." + a.Region + ".amazonaws.com"}
	context["kms:calleraccount"] = []string{c.Account}
	return Access{Action: action, Resource: key, ResourceAccount: a.Account, Policy: keyPolicy, Context: context}, nil
}

// AllowKey is Authorize for the use of a key of KMS.
func (s *Service) AllowKey(c *Caller, action, key string, keyPolicy []byte, facts map[string][]string) error {
	a, err := OnKey(c, action, key, keyPolicy, facts)
	if err != nil {
		return err
	}
	d, req := s.Decide(c, a)
	return KeyError(d, req)
}

// KeyError is Decision.Err for the use of a key. The policies of keys cannot be
// changed here, so it does not advise to.
func KeyError(d policy.Decision, r *policy.Request) error {
	err := d.Err(r)
	if err != nil && !d.Explicit && slices.Contains(d.Missing, policy.ResourcePolicy) {
		return &fault.Error{
			Kind: fault.Denied, Code: fault.CodeOf(err), Thing: r.Resource, Message: fault.MessageOf(err), Err: err,
			Hint: "the key belongs to account " + r.ResourceAccount + ", and its policy is the one that KMS gives it: other accounts cannot use it; use a key of account " + r.Principal.Account,
		}
	}
	return err
}
