package s3api

import (
	"net/http"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/wire"
	"twinbucket/rule"
)

// getReplication is GetBucketReplication.
func (c *call) getReplication() error {
	if err := c.allow("s3:GetReplicationConfiguration"); err != nil {
		return err
	}
	doc := c.bucket.Documents[bucket.Replication]
	if doc == nil {
		return fault.New(fault.NotFound, "ReplicationConfigurationNotFoundError", "The replication configuration was not found").On(c.name)
	}
	return c.stored("application/xml", doc)
}

// putReplication is PutBucketReplication. Like AWS it checks the document and
// the buckets, and that the caller may pass the role; whether the role can do
// its work shows when it does it.
func (c *call) putReplication() error {
	d, err := c.digests()
	if err != nil {
		return err
	}
	if !d.Given() {
		return missingDigest()
	}
	data, err := c.read(wire.MaxXML, d)
	if err != nil {
		return err
	}
	if err := c.allow("s3:PutReplicationConfiguration"); err != nil {
		return err
	}
	set, err := rule.Parse(data)
	if err != nil {
		return err
	}
	if err := set.Unsupported(); err != nil {
		return err
	}
	c.know("iam:associatedresourcearn", c.bucket.ARN())
	if err := c.iam.PassRole(c.caller, set.Role, rule.Service, c.context()); err != nil {
		return err
	}
	// The buckets are checked where the document is stored, so that
	// versioning is not suspended in between.
	err = c.store.ChangeBucket(c.r.Context(), c.bucket, func(b *bucket.Bucket) error {
		if err := set.Check(b, c.destination); err != nil {
			return err
		}
		b.Documents[bucket.Replication] = set.XML()
		return nil
	})
	if err != nil {
		return err
	}
	return c.empty(http.StatusOK)
}

// destination looks up a bucket for rule.Check.
func (c *call) destination(name string) (*bucket.Bucket, bool) {
	b, err := c.store.Bucket(name)
	return b, err == nil
}

// deleteReplication is DeleteBucketReplication.
func (c *call) deleteReplication() error {
	if err := c.allow("s3:PutReplicationConfiguration"); err != nil {
		return err
	}
	return c.setDocument(bucket.Replication, nil, http.StatusNoContent)
}
