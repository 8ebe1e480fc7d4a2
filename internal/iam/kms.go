package iam

import (
	"maps"

	"twinbucket/arn"
)

// AllowKey asks whether c may do action with key, a key of KMS, through S3.
// The one that AWS manages in an account is for everybody in it; others have the
// policy that KMS gives them, and are for those whom the account's policies let
// use them. facts are condition keys of the request.
func (s *Service) AllowKey(c *Caller, action, key string, managed bool, facts map[string][]string) error {
	a, err := arn.Parse(key)
	if err != nil {
		return err
	}
	if managed && c.Account == a.Account {
		return nil
	}
	context := map[string][]string{}
	maps.Copy(context, facts)
	context["aws:viaawsservice"] = []string{"true"}
	context["kms:viaservice"] = []string{"s3." + a.Region + ".amazonaws.com"}
	context["kms:calleraccount"] = []string{c.Account}
	return s.Authorize(c, Access{Action: action, Resource: key, ResourceAccount: a.Account, Context: context})
}
