package replicate

import (
	"twinbucket/acl"
	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/object"
	"twinbucket/setting"
)

// unlent are the codes of what the owner of a version does not grant.
var unlent = map[acl.Permission]string{acl.Read: "SrcGetObjectNotPermitted", acl.ReadACP: "SrcGetAclNotPermitted"}

// lent reports whether the account of the role may read what is needed of a
// version that belongs to another: for all of it the owner has to grant READ and
// READ_ACP (S3 User Guide, "Setting up replication", requirements).
func lent(src *bucket.Bucket, account string, v *object.Version, needs ...acl.Permission) error {
	if v.Marker {
		return nil
	}
	for _, need := range needs {
		if !setting.LetsRead(src, v.Owner, v.ACL, account, need) {
			return fault.Newf(fault.Denied, unlent[need], "the object belongs to account %s, and its ACL does not grant %s to account %s", v.Owner, need, account).
				WithHint("have account %s put it with x-amz-acl: bucket-owner-full-control, or give all objects to the owner of %s: PutBucketOwnershipControls with BucketOwnerEnforced", v.Owner, src.Name)
		}
	}
	return nil
}
