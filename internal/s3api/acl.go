package s3api

import (
	"net/http"
	"strings"

	"twinbucket/fault"
	"twinbucket/internal/wire"
)

// Access control lists are off, as in new buckets of AWS (BucketOwnerEnforced):
// the owner has everything, and all else is the policies' business.

// checkACL refuses the headers that would give somebody access by a list.
func checkACL(h http.Header) error {
	switch h.Get("X-Amz-Acl") {
	case "", "private", "bucket-owner-full-control":
	default:
		return aclRefused()
	}
	for name := range h {
		if strings.HasPrefix(name, "X-Amz-Grant-") {
			return aclRefused()
		}
	}
	return nil
}

func aclRefused() error {
	return fault.New(fault.Invalid, "AccessControlListNotSupported", "The bucket does not allow ACLs").
		WithHint("access is given by bucket policies here; leave x-amz-acl and x-amz-grant-* out")
}

// getBucketACL is GetBucketAcl.
func (c *call) getBucketACL() error {
	if err := c.allow("s3:GetBucketAcl"); err != nil {
		return err
	}
	return c.sendACL(c.bucket.Owner)
}

// getObjectACL is GetObjectAcl.
func (c *call) getObjectACL() error {
	o, err := c.find("s3:GetObjectAcl", "s3:GetObjectVersionAcl")
	if err != nil {
		return err
	}
	c.showID(o.ID)
	return c.sendACL(o.Owner)
}

// sendACL answers with the list by which the owner has full control.
func (c *call) sendACL(owner string) error {
	id := canonicalID(owner)
	x := wire.NewDocument()
	x.OpenNS("AccessControlPolicy", namespace)
	writeOwner(x, "Owner", id, owner)
	x.Open("AccessControlList")
	x.Open("Grant")
	x.OpenTyped("Grantee", "CanonicalUser")
	x.Text("ID", id)
	x.Text("DisplayName", owner)
	x.Close("Grantee")
	x.Text("Permission", "FULL_CONTROL")
	x.Close("Grant")
	x.Close("AccessControlList")
	x.Close("AccessControlPolicy")
	return c.send(x)
}

// putBucketACL is PutBucketAcl.
func (c *call) putBucketACL() error {
	if err := c.allow("s3:PutBucketAcl"); err != nil {
		return err
	}
	return c.putACL(c.bucket.Owner)
}

// putObjectACL is PutObjectAcl.
func (c *call) putObjectACL() error {
	o, err := c.find("s3:PutObjectAcl", "s3:PutObjectVersionAcl")
	if err != nil {
		return err
	}
	c.showID(o.ID)
	return c.putACL(o.Owner)
}

// putACL accepts a list that changes nothing: the owner with full control.
func (c *call) putACL(owner string) error {
	if err := checkACL(c.r.Header); err != nil {
		return err
	}
	if c.r.Header.Get("X-Amz-Acl") != "" {
		return c.empty(http.StatusOK)
	}
	data, err := c.document(wire.MaxXML)
	if err != nil {
		return err
	}
	if len(data) == 0 {
		return fault.New(fault.Invalid, "MissingSecurityHeader", "Your request was missing a required header").
			WithHint("x-amz-acl or an AccessControlPolicy document says what the list is to be")
	}
	var doc struct {
		Grant []struct {
			ID         string `xml:"Grantee>ID"`
			Permission string
		} `xml:"AccessControlList>Grant"`
	}
	if err := wire.Decode(data, "AccessControlPolicy", &doc); err != nil {
		return err
	}
	if len(doc.Grant) != 1 || doc.Grant[0].ID != canonicalID(owner) || doc.Grant[0].Permission != "FULL_CONTROL" {
		return aclRefused()
	}
	return c.empty(http.StatusOK)
}
