package setting

import (
	"encoding/json"

	"twinbucket/acl"
	"twinbucket/bucket"
	"twinbucket/fault"
)

// List returns a bucket's own access control list; nil if its owner has full
// control and nobody else is in it. One that cannot be read grants nothing.
func List(b *bucket.Bucket) acl.List {
	data := b.Documents[bucket.ACL]
	if data == nil {
		return nil
	}
	list := acl.List{}
	if json.Unmarshal(data, &list) != nil {
		return acl.List{}
	}
	return list
}

// SetList sets a bucket's own list.
func SetList(b *bucket.Bucket, list acl.List) {
	if list == nil {
		delete(b.Documents, bucket.ACL)
		return
	}
	// A list is of strings: it always marshals.
	b.Documents[bucket.ACL], _ = json.Marshal(list)
}

// CheckList refuses a list that grants something together with the ownership
// setting that has none.
func CheckList(b *bucket.Bucket, list acl.List) error {
	if !b.OwnerEnforced() || !list.Beyond(acl.CanonicalID(b.Owner)) {
		return nil
	}
	return fault.New(fault.Invalid, "InvalidBucketAclWithObjectOwnership", "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting").
		WithHint("give access by the bucket's policy, or ask for another setting: x-amz-object-ownership: BucketOwnerPreferred or ObjectWriter")
}

// CheckPublicList refuses a public list where BlockPublicAcls is on, in the
// words for a user who wanted to do action to a resource.
func CheckPublicList(b *bucket.Bucket, list acl.List, user, action, resource string) error {
	if !list.Public() || !Blocks(b, "BlockPublicAcls") {
		return nil
	}
	return fault.Newf(fault.Denied, "AccessDenied",
		"User: %s is not authorized to perform: %s on resource: %q because public access control lists (ACLs) are prevented by the BlockPublicAcls setting in S3 Block Public Access.",
		user, action, resource).
		WithHint("grant to accounts and not to groups, or take BlockPublicAcls out of the bucket's public access block")
}
