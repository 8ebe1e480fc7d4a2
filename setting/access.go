package setting

import (
	"strconv"
	"strings"

	"twinbucket/acl"
	"twinbucket/bucket"
)

var ownershipKind = kind{
	root: group("OwnershipControls", needed(group("Rule", needed(word("ObjectOwnership",
		string(bucket.BucketOwnerEnforced), string(bucket.BucketOwnerPreferred), string(bucket.ObjectWriter)))))),
	limit: 64 << 10,
}

// Ownership returns the OwnershipControls document of a setting; of
// bucket.Removed it is the one without a rule.
func Ownership(o bucket.Ownership) []byte {
	root := &node{}
	if o != bucket.Removed {
		root.kids = []*node{{name: "Rule", kids: []*node{{name: "ObjectOwnership", text: string(o)}}}}
	}
	return ownershipKind.root.document(root)
}

// DefaultOwnership gives a new bucket that names no ownership setting the
// setting o. BucketOwnerEnforced and "" need no document.
func DefaultOwnership(b *bucket.Bucket, o bucket.Ownership) {
	if _, named := b.Documents[bucket.OwnershipControls]; !named && o.Valid() && o != bucket.BucketOwnerEnforced {
		b.Documents[bucket.OwnershipControls] = Ownership(o)
	}
}

// accessBlockSettings are the settings of a public access block in AWS's order.
var accessBlockSettings = []string{"BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"}

var accessBlockKind = kind{
	root: group("PublicAccessBlockConfiguration", formed("BlockPublicAcls", truth), formed("IgnorePublicAcls", truth),
		formed("BlockPublicPolicy", truth), formed("RestrictPublicBuckets", truth)),
	limit: 64 << 10,
	check: checkAccessBlock,
}

// truth reports whether s is a truth value; none is false.
func truth(s string) bool {
	return s == "" || strings.EqualFold(s, "true") || strings.EqualFold(s, "false")
}

// checkAccessBlock gives the settings that are not there, as AWS does.
func checkAccessBlock(root *node) error {
	for _, name := range accessBlockSettings {
		root.set(name, strconv.FormatBool(strings.EqualFold(root.value(name), "true")))
	}
	return nil
}

// Blocks reports whether a setting of a bucket's public access block is on,
// such as "BlockPublicAcls".
func Blocks(b *bucket.Bucket, setting string) bool {
	data := b.Documents[bucket.PublicAccessBlock]
	if data == nil {
		return false
	}
	d, err := Parse(bucket.PublicAccessBlock, data)
	return err == nil && d.root.value(setting) == "true"
}

// LetsRead reports whether the owner of an object in b lets an account read it,
// by having it or by the object's list; p is acl.Read or acl.ReadACP. What the
// bucket's policy says of the object is another question.
func LetsRead(b *bucket.Bucket, owner string, list acl.List, account string, p acl.Permission) bool {
	if b.OwnerEnforced() || owner == account {
		return true
	}
	_, ok := list.Find(acl.Caller{
		ID: acl.CanonicalID(account), Signed: true, Strict: list.Public() && Blocks(b, "IgnorePublicAcls"),
	}, p)
	return ok
}
