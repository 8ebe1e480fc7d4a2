package rule

import (
	"twinbucket/bucket"
	"twinbucket/object"
)

// Replica returns v as dst is to hold it: with its id and time and all it has,
// but for what the rule and the two buckets decide. Under KMS it has the key of
// the rule, as it is named there, and a bucket key if dst has them; else it is
// encrypted as v is (S3 User Guide, "Replicating encrypted objects").
func (r *Rule) Replica(v *object.Version, src, dst *bucket.Bucket) *object.Version {
	c := *v
	c.Bucket = dst.Name
	c.Status, c.Returning, c.Deliveries, c.Changes = object.Replica, false, nil, 0
	if src.OwnerEnforced() {
		c.Owner, c.ACL = src.Owner, nil // whatever was so before
	}
	if dst.OwnerEnforced() || r.Destination.OwnerOverride {
		c.Owner, c.ACL = dst.Owner, nil
	}
	if r := dst.DefaultRetention(); r.Mode != "" && c.Lock.Mode == "" && !v.Marker {
		c.Lock.Mode, c.Lock.Until = r.Mode, r.Until(v.Modified)
	}
	if class := r.Destination.StorageClass; class != "" {
		c.Class = class
	}
	if c.Encryption.Algorithm == object.KMS {
		c.Encryption.KeyARN, c.Encryption.BucketKey = r.Destination.ReplicaKmsKeyID, dst.EncryptionRule().BucketKey
	}
	return &c
}
