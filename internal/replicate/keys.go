package replicate

import (
	"twinbucket/arn"
	"twinbucket/internal/iam"
	"twinbucket/object"
	"twinbucket/rule"
)

// keys are the keys of KMS.
type keys interface {
	Resolve(account, name string) (arn string, err error)
	Usable(arn string) error
	Policy(arn, guest string) []byte
}

// findKeys finds the key of a replica under KMS, which is named as one of the
// role's account, and looks whether it and the one of its source can be used.
func (e *Engine) findKeys(c *iam.Caller, v, replica *object.Version) error {
	if v.Encryption.Algorithm != object.KMS {
		return nil
	}
	if err := e.roles.keys.Usable(v.Encryption.KeyARN); err != nil {
		return recode("SrcKmsKeyInvalidState", err)
	}
	key, err := e.roles.keys.Resolve(c.Account, replica.Encryption.KeyARN)
	if err != nil {
		return recode("DstKmsKeyNotFound", err)
	}
	replica.Encryption.KeyARN = key
	if err := e.roles.keys.Usable(key); err != nil {
		return recode("DstKmsKeyInvalidState", err)
	}
	return nil
}

// onKey is the use of a key that replication needs. Who lets a role write
// replicas into its bucket lets it encrypt them under its own key as well, for
// the policies of keys cannot be set here; the role's account has to allow it
// all the same.
func (s *sessions) onKey(c *iam.Caller, n rule.Need) (iam.Access, error) {
	guest := ""
	if a, err := arn.Parse(n.Resource); err == nil && n.Action == "kms:Encrypt" && a.Account == n.Bucket.Owner {
		guest = c.Account
	}
	return iam.OnKey(c, n.Action, n.Resource, s.keys.Policy(n.Resource, guest), n.KeyFacts)
}
