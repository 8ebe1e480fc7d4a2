package replicate

import (
	"twinbucket/acl"
	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/object"
	"twinbucket/setting"
)

// lent reports whether the account of the role may read a version that belongs
// to another: its owner has to grant READ and READ_ACP (S3 User Guide, "Setting
// up replication", requirements).
func lent(src *bucket.Bucket, account string, v *object.Version) error {
	if v.Marker {
		return nil
	}
	for _, need := range []struct {
		permission acl.Permission
		code       string
	}{{acl.Read, "SrcGetObjectNotPermitted"}, {acl.ReadACP, "SrcGetAclNotPermitted"}} {
		if !setting.LetsRead(src, v.Owner, v.ACL, account, need.permission) {
			return fault.Newf(fault.Denied, need.code, "the object belongs to account %s, and its ACL does not grant %s to account %s", v.Owner, need.permission, account).
				WithHint("have account %s put it with x-amz-acl: bucket-owner-full-control, or give all objects to the owner of %s: PutBucketOwnershipControls with BucketOwnerEnforced", v.Owner, src.Name)
		}
	}
	return nil
}
