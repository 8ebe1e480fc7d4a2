package s3api

import (
	"twinbucket/acl"
	"twinbucket/bucket"
	"twinbucket/internal/iam"
	"twinbucket/object"
	"twinbucket/policy"
	"twinbucket/setting"
)

// The actions that a permission in a list grants, as the S3 User Guide maps
// them: "Mapping of ACL permissions and access policy permissions".
var (
	bucketGrants = map[string]acl.Permission{
		"s3:ListBucket":                 acl.Read,
		"s3:ListBucketVersions":         acl.Read,
		"s3:ListBucketMultipartUploads": acl.Read,
		"s3:PutObject":                  acl.Write,
		"s3:DeleteObject":               acl.Write,
		"s3:GetBucketAcl":               acl.ReadACP,
		"s3:PutBucketAcl":               acl.WriteACP,
	}
	objectGrants = map[string]acl.Permission{
		"s3:GetObject":           acl.Read,
		"s3:GetObjectVersion":    acl.Read,
		"s3:GetObjectAcl":        acl.ReadACP,
		"s3:GetObjectVersionAcl": acl.ReadACP,
		"s3:PutObjectAcl":        acl.WriteACP,
		"s3:PutObjectVersionAcl": acl.WriteACP,
	}
)

// listOf returns a bucket's own list; nil if only its owner is in it.
func (s *server) listOf(b *bucket.Bucket) acl.List {
	if b.Documents[bucket.ACL] == nil || b.OwnerEnforced() {
		return nil
	}
	return s.lists.Of(b, setting.List)
}

// consult adds to a what the lists have to say: who owns the version that the
// action is about, and whether the bucket's list or the version's grants it. v
// is nil for actions on the bucket or on what is not there.
func (c *call) consult(a *iam.Access, b *bucket.Bucket, v *object.Version) {
	if b.OwnerEnforced() {
		return
	}
	var list acl.List
	need, what := bucketGrants[a.Action], "bucket "+b.Name
	if need != "" {
		list = c.listOf(b)
	} else if v != nil {
		a.ResourceAccount, a.DenyOnly = v.Owner, v.Owner != b.Owner
		need, what, list = objectGrants[a.Action], "the object", v.ACL
	}
	if need == "" || len(list) == 0 {
		return
	}
	caller := acl.Caller{Signed: c.caller.Type != policy.Anonymous}
	if c.caller.Account != "" {
		caller.ID = acl.CanonicalID(c.caller.Account)
	}
	if list.Public() {
		caller.Strict = setting.Blocks(b, "IgnorePublicAcls")
	}
	g, ok := list.Find(caller, need)
	if !ok {
		return
	}
	a.Granted = iam.Grant{To: c.caller.Account, By: "the ACL of " + what + ", which grants " + string(g.Permission)}
	if g.Group != "" {
		a.Granted.To = "*"
		a.Granted.By += " to " + g.Group
	}
}
