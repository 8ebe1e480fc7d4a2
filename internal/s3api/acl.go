package s3api

import (
	"net/http"

	"twinbucket/acl"
	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/grants"
	"twinbucket/internal/iam"
	"twinbucket/internal/wire"
	"twinbucket/object"
	"twinbucket/policy"
	"twinbucket/setting"
)

// aclRefused is AWS's answer for a list in a bucket whose ACLs are off.
func aclRefused() error {
	return fault.New(fault.Invalid, "AccessControlListNotSupported", "The bucket does not allow ACLs").
		WithHint("give access by the bucket's policy, or turn ACLs on: PutBucketOwnershipControls with BucketOwnerPreferred or ObjectWriter")
}

// getBucketACL is GetBucketAcl.
func (c *call) getBucketACL() error {
	if err := c.allow("s3:GetBucketAcl"); err != nil {
		return err
	}
	return c.sendACL(c.bucket.Owner, c.listOf(c.bucket))
}

// getObjectACL is GetObjectAcl.
func (c *call) getObjectACL() error {
	o, err := c.find("s3:GetObjectAcl", "s3:GetObjectVersionAcl")
	if err != nil {
		return err
	}
	c.showID(o.ID)
	if c.bucket.OwnerEnforced() {
		o.ACL = nil
	}
	return c.sendACL(c.objectOwner(&o.Version), o.ACL)
}

// sendACL answers with a list.
func (c *call) sendACL(owner string, list acl.List) error {
	id := acl.CanonicalID(owner)
	x := wire.NewDocument()
	x.OpenNS("AccessControlPolicy", namespace)
	writeOwner(x, "Owner", id, c.iam.AccountName(owner))
	x.Open("AccessControlList")
	for _, g := range list.Or(id) {
		x.Open("Grant")
		if g.Group != "" {
			x.OpenTyped("Grantee", "Group")
			x.Text("URI", g.Group)
		} else {
			x.OpenTyped("Grantee", "CanonicalUser")
			x.Text("ID", g.ID)
			x.Optional("DisplayName", c.nameOf(g.ID))
		}
		x.Close("Grantee")
		x.Text("Permission", string(g.Permission))
		x.Close("Grant")
	}
	x.Close("AccessControlList")
	x.Close("AccessControlPolicy")
	return c.send(x)
}

// grants reads lists of what owner has; bucketOwner is "" for a bucket's list.
func (c *call) grants(owner, bucketOwner string) grants.Reader {
	return grants.Reader{Owner: owner, BucketOwner: bucketOwner, Known: func(id string) bool { return c.nameOf(id) != "" }}
}

// sentACL returns the list that a request to set one gives.
func (c *call) sentACL(owner, bucketOwner string) (acl.List, error) {
	body, err := c.document(wire.MaxXML)
	if err != nil {
		return nil, err
	}
	return c.grants(owner, bucketOwner).Request(c.r.Header, body)
}

// nameOf returns the name of the account that a canonical user id is of; "" if
// there is none.
func (c *call) nameOf(id string) string {
	for _, a := range c.iam.Accounts() {
		if acl.CanonicalID(a.ID) == id {
			return a.Name
		}
	}
	if id == acl.BundleReader {
		return "za-team"
	}
	return ""
}

// putBucketACL is PutBucketAcl.
func (c *call) putBucketACL() error {
	if err := c.signedIn(notAnonymous); err != nil {
		return err
	}
	if err := c.allow("s3:PutBucketAcl"); err != nil {
		return err
	}
	list, err := c.sentACL(c.bucket.Owner, "")
	if done, err := c.checkACL(list, err); done || err != nil {
		return err
	}
	err = c.store.ChangeBucket(c.r.Context(), c.bucket, func(b *bucket.Bucket) error {
		if b.OwnerEnforced() {
			return aclRefused()
		}
		setting.SetList(b, list)
		return nil
	})
	if err != nil {
		return err
	}
	return c.empty(http.StatusOK)
}

// putObjectACL is PutObjectAcl.
func (c *call) putObjectACL() error {
	if err := c.signedIn(notAnonymous); err != nil {
		return err
	}
	o, err := c.find("s3:PutObjectAcl", "s3:PutObjectVersionAcl")
	if err != nil {
		return err
	}
	c.showID(o.ID)
	list, err := c.sentACL(c.objectOwner(&o.Version), c.bucket.Owner)
	if done, err := c.checkACL(list, err); done || err != nil {
		return err
	}
	if _, err = c.store.SetACL(c.r.Context(), o.Bucket, o.Key, o.ID, list); err != nil {
		return err
	}
	return c.empty(http.StatusOK)
}

// objectOwner returns the account that owns a version now.
func (c *call) objectOwner(v *object.Version) string {
	if c.bucket.OwnerEnforced() {
		return c.bucket.Owner
	}
	return v.Owner
}

// checkACL looks at a list that was read, or at the error that it was not.
// Where ACLs are off it answers itself, and is done, if the list says what is
// so anyway. A public list is refused where BlockPublicAcls is on.
func (c *call) checkACL(list acl.List, err error) (done bool, _ error) {
	if c.bucket.OwnerEnforced() {
		if fault.CodeOf(err) == "MissingSecurityHeader" {
			return false, err
		}
		if err != nil || !c.fullControl(list) {
			return false, aclRefused()
		}
		return true, c.empty(http.StatusOK)
	}
	if err != nil {
		return false, err
	}
	return false, c.checkPublicACL(list)
}

// fullControl reports whether a list gives the bucket's owner full control,
// and nothing else: the only one that may be named where ACLs are off. Some
// clients say "private" with every write, which is as much; it is let through
// unless the bucket was told to be without ACLs.
func (c *call) fullControl(list acl.List) bool {
	if canned := c.r.Header["X-Amz-Acl"]; len(canned) > 0 {
		told := c.bucket.Documents[bucket.OwnershipControls] != nil
		return canned[0] == "bucket-owner-full-control" || canned[0] == "private" && !told
	}
	return len(list) == 1 && list[0] == acl.Private(acl.CanonicalID(c.bucket.Owner))[0]
}

// checkPublicACL refuses a public list where BlockPublicAcls is on.
func (c *call) checkPublicACL(list acl.List) error {
	action, resource := "s3:PutBucketAcl", c.bucket.ARN()
	if c.key != "" {
		action, resource = "s3:PutObjectAcl", c.bucket.ARN()+"/"+c.key
	}
	return setting.CheckPublicList(c.bucket, list, c.caller.ARN, action, resource)
}

// newACL sets owner and list of a new version from the request's headers.
func (c *call) newACL(v *object.Version) error {
	v.Owner = c.ownerOf(c.bucket)
	list, given, err := c.grants(v.Owner, c.bucket.Owner).Headers(c.r.Header)
	switch {
	case !given:
		return nil
	case c.bucket.OwnerEnforced() && (err != nil || !c.fullControl(list)):
		return aclRefused()
	case c.bucket.OwnerEnforced() || err != nil:
		return err
	}
	v.ACL = list
	return c.checkPublicACL(list)
}

// ownerOf returns the account that owns what the caller writes to b.
func (c *call) ownerOf(b *bucket.Bucket) string {
	o := b.Ownership()
	if o == bucket.BucketOwnerEnforced || c.caller.Account == "" ||
		o == bucket.BucketOwnerPreferred && c.r.Header.Get("X-Amz-Acl") == "bucket-owner-full-control" {
		return b.Owner
	}
	return c.caller.Account
}

// allowACL asks for what writing an object with a list of its own needs. The
// writer's account decides that for what it will own, or could; for the
// anonymous nobody does, so that only a policy can deny it.
func (c *call) allowACL() error {
	if !grants.Given(c.r.Header) || c.bucket.OwnerEnforced() {
		return nil
	}
	a := c.access(c.bucket, "s3:PutObjectAcl", arn.Object(c.name, c.key), &object.Version{Owner: c.caller.Account})
	if c.caller.Type == policy.Anonymous {
		a.Granted = iam.Grant{To: "*", By: "the list that the request gives"}
	}
	return c.ask(c.bucket, a)
}
