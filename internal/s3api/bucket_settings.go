package s3api

import (
	"fmt"
	"net/http"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/wire"
	"twinbucket/object"
	"twinbucket/setting"
)

// getDocument answers with a settings document, or with the fault that AWS has
// for its absence.
func (c *call) getDocument(name bucket.Document, action, code, message string) error {
	if err := c.allow(action); err != nil {
		return err
	}
	doc := c.bucket.Documents[name]
	if doc == nil {
		return fault.New(fault.NotFound, code, message).On(c.name)
	}
	return c.stored("application/xml", doc)
}

// deleteDocument removes a settings document.
func (c *call) deleteDocument(name bucket.Document, action string) error {
	if err := c.allow(action); err != nil {
		return err
	}
	return c.setDocument(name, nil, http.StatusNoContent)
}

// getEncryption is GetBucketEncryption. Every bucket has the default that all
// buckets of AWS have.
func (c *call) getEncryption() error {
	if err := c.allow("s3:GetEncryptionConfiguration"); err != nil {
		return err
	}
	if doc := c.bucket.Documents[bucket.Encryption]; doc != nil {
		return c.stored("application/xml", doc)
	}
	return c.stored("application/xml", setting.Encryption(&bucket.EncryptionRule{Algorithm: object.AES256}))
}

// putEncryption is PutBucketEncryption. A rule that does not say what is blocked
// leaves that as it was. That a key is there is seen when it is used, as on AWS.
func (c *call) putEncryption() error {
	data, err := c.document(wire.MaxXML)
	if err != nil {
		return err
	}
	if err := c.allow("s3:PutEncryptionConfiguration"); err != nil {
		return err
	}
	d, err := setting.Parse(bucket.Encryption, data)
	if err != nil {
		return err
	}
	rule, err := bucket.ParseEncryption(d.XML())
	if err != nil {
		return err
	}
	if rule.BlockedTypes == nil {
		rule.BlockedTypes = c.bucket.EncryptionRule().BlockedTypes
	}
	return c.setDocument(bucket.Encryption, setting.Encryption(rule), http.StatusOK)
}

// deleteEncryption is DeleteBucketEncryption.
func (c *call) deleteEncryption() error {
	return c.deleteDocument(bucket.Encryption, "s3:PutEncryptionConfiguration")
}

// getOwnership is GetBucketOwnershipControls. A bucket that never had the
// setting behaves as new buckets of AWS do, and says so.
func (c *call) getOwnership() error {
	if err := c.signedIn(fmt.Sprintf(noAnonymousControl, "Get")); err != nil {
		return err
	}
	if err := c.allow("s3:GetBucketOwnershipControls"); err != nil {
		return err
	}
	set := c.bucket.Ownership()
	if set == bucket.Removed {
		return fault.New(fault.NotFound, "OwnershipControlsNotFoundError", "The bucket ownership controls were not found").On(c.name)
	}
	return c.stored("application/xml", setting.Ownership(set))
}

// putOwnership is PutBucketOwnershipControls.
func (c *call) putOwnership() error {
	if err := c.signedIn(fmt.Sprintf(noAnonymousControl, "Put")); err != nil {
		return err
	}
	data, err := c.document(wire.MaxXML)
	if err != nil {
		return err
	}
	if err := c.allow("s3:PutBucketOwnershipControls"); err != nil {
		return err
	}
	d, err := setting.Parse(bucket.OwnershipControls, data)
	if err != nil {
		return err
	}
	err = c.store.ChangeBucket(c.r.Context(), c.bucket, func(b *bucket.Bucket) error {
		list := c.listOf(b)
		b.Documents[bucket.OwnershipControls] = d.XML()
		return setting.CheckList(b, list)
	})
	if err != nil {
		return err
	}
	return c.empty(http.StatusOK)
}

// deleteOwnership is DeleteBucketOwnershipControls: the bucket has none from
// now on, which is not the setting of new buckets.
func (c *call) deleteOwnership() error {
	if err := c.signedIn(fmt.Sprintf(noAnonymousControl, "Put")); err != nil {
		return err
	}
	if err := c.allow("s3:PutBucketOwnershipControls"); err != nil {
		return err
	}
	return c.setDocument(bucket.OwnershipControls, setting.Ownership(bucket.Removed), http.StatusNoContent)
}

// getPublicAccessBlock is GetPublicAccessBlock.
func (c *call) getPublicAccessBlock() error {
	return c.getDocument(bucket.PublicAccessBlock, "s3:GetBucketPublicAccessBlock",
		"NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found")
}

// putPublicAccessBlock is PutPublicAccessBlock. BlockPublicPolicy and
// RestrictPublicBuckets act on policies, the others on ACLs.
func (c *call) putPublicAccessBlock() error {
	data, err := c.document(wire.MaxXML)
	if err != nil {
		return err
	}
	if err := c.allow("s3:PutBucketPublicAccessBlock"); err != nil {
		return err
	}
	d, err := setting.Parse(bucket.PublicAccessBlock, data)
	if err != nil {
		return err
	}
	return c.setDocument(bucket.PublicAccessBlock, d.XML(), http.StatusOK)
}

// deletePublicAccessBlock is DeletePublicAccessBlock.
func (c *call) deletePublicAccessBlock() error {
	return c.deleteDocument(bucket.PublicAccessBlock, "s3:PutBucketPublicAccessBlock")
}
