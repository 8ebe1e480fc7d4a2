package s3api

import (
	"net/http"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/wire"
)

// getVersioning is GetBucketVersioning.
func (c *call) getVersioning() error {
	if err := c.allow("s3:GetBucketVersioning"); err != nil {
		return err
	}
	x := wire.NewDocument()
	x.OpenNS("VersioningConfiguration", namespace)
	x.Optional("Status", string(c.bucket.Versioning))
	x.Close("VersioningConfiguration")
	return c.send(x)
}

// putVersioning is PutBucketVersioning.
func (c *call) putVersioning() error {
	var doc struct {
		Status    string
		MFADelete string  `xml:"MfaDelete"`
		Extra     []extra `xml:",any"`
	}
	if err := c.xml("VersioningConfiguration", &doc); err != nil {
		return err
	}
	if err := c.allow("s3:PutBucketVersioning"); err != nil {
		return err
	}
	if err := noExtra("VersioningConfiguration", doc.Extra); err != nil {
		return err
	}
	status := bucket.Versioning(doc.Status)
	switch {
	case doc.MFADelete == "Enabled":
		return unsupported("MFA delete is not offered; leave MfaDelete out or set it to Disabled")
	case doc.MFADelete != "" && doc.MFADelete != "Disabled":
		return wire.Malformed("MfaDelete is Enabled or Disabled")
	case doc.Status == "":
		return fault.New(fault.Invalid, "IllegalVersioningConfigurationException",
			"The Versioning element must be specified")
	case status != bucket.Enabled && status != bucket.Suspended:
		return wire.Malformed("Status is Enabled or Suspended")
	}
	err := c.store.ChangeBucket(c.r.Context(), c.bucket, func(b *bucket.Bucket) error {
		if status == bucket.Suspended && b.Documents[bucket.Replication] != nil {
			return fault.New(fault.Conflict, "InvalidBucketState",
				"A replication configuration is present on this bucket, so you cannot change the versioning state. To change the versioning state, first delete the replication configuration.").On(b.Name)
		}
		b.Versioning = status
		return nil
	})
	if err != nil {
		return err
	}
	return c.empty(http.StatusOK)
}
