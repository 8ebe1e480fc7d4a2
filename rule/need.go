package rule

import (
	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/object"
)

// Need is one action that replication needs in the session of its role.
type Need struct {
	Action   string
	Bucket   *bucket.Bucket // that the action is about; of a key: whose object is under it
	Resource string         // ARN of the bucket, of an object in it, or of a key of KMS
	Code     string         // AWS's failure code if it is refused
	// Instead is another action that will do, unless a Deny refuses this one.
	Instead string
	// Implied is an action that comes with another: only a Deny refuses it.
	Implied bool
	// KeyFacts are the condition keys of using a key of KMS; nil for other things.
	KeyFacts map[string][]string
}

// Needs returns the actions needed to carry v from src to dst, where it is to be
// encrypted as under says, in the order in which AWS asks for them (S3 User
// Guide, "Setting up permissions for live replication").
func (r *Rule) Needs(src, dst *bucket.Bucket, v *object.Version, under object.Encryption) []Need {
	from, to := arn.Object(src.Name, v.Key), arn.Object(dst.Name, v.Key)
	out := append(make([]Need, 0, 10),
		Need{Action: "s3:GetReplicationConfiguration", Bucket: src, Resource: src.ARN(), Code: "SrcBucketReplicationConfigMissing"})
	if v.Marker {
		return append(out,
			Need{Action: "s3:ListBucket", Bucket: src, Resource: src.ARN(), Code: "SrcHeadObjectNotPermitted"},
			Need{Action: "s3:ReplicateDelete", Bucket: dst, Resource: to, Code: "DstDelObjNotPermitted"})
	}
	read := Need{Action: "s3:GetObjectVersionForReplication", Bucket: src, Resource: from, Code: "SrcGetObjectNotPermitted"}
	if v.Encryption.Algorithm != object.KMS && !v.Encryption.Customer() {
		read.Instead = "s3:GetObjectVersion"
	}
	out = append(out, read)
	if v.Encryption.Algorithm == object.KMS {
		out = append(out, Need{Action: "kms:Decrypt", Bucket: src, Resource: v.Encryption.KeyARN, Code: "SrcGetObjectNotPermitted", KeyFacts: v.Encryption.KeyFacts(src.Name, v.Key)})
	}
	out = append(out,
		Need{Action: "s3:GetObjectVersionAcl", Bucket: src, Resource: from, Code: "SrcGetAclNotPermitted"},
		Need{Action: "s3:GetObjectVersionTagging", Bucket: src, Resource: from, Code: "SrcGetTaggingNotPermitted"})
	if src.Locked() {
		out = append(out,
			Need{Action: "s3:GetObjectRetention", Bucket: src, Resource: from, Code: "SrcGetRetentionNotPermitted"},
			Need{Action: "s3:GetObjectLegalHold", Bucket: src, Resource: from, Code: "SrcGetLegalHoldNotPermitted"})
	}
	write := Need{Action: "s3:ReplicateObject", Bucket: dst, Resource: to, Code: "DstPutObjectNotPermitted"}
	if v.Multipart() { // AWS writes it in parts again
		write.Code = "DstMultipartInitNotPermitted"
	}
	out = append(out, write)
	if r.Destination.OwnerOverride && !dst.OwnerEnforced() {
		out = append(out, Need{Action: "s3:ObjectOwnerOverrideToBucketOwner", Bucket: dst, Resource: to, Code: "DstPutObjectNotPermitted"})
	}
	if under.Algorithm == object.KMS {
		out = append(out, Need{Action: "kms:Encrypt", Bucket: dst, Resource: under.KeyARN, Code: "DstPutObjectNotPermitted", Instead: "kms:GenerateDataKey", KeyFacts: under.KeyFacts(dst.Name, v.Key)})
	}
	// The right to write the replica writes its tags and its lock.
	if len(v.Tags) > 0 {
		out = append(out, Need{Action: "s3:ReplicateTags", Bucket: dst, Resource: to, Code: "DstPutTaggingNotPermitted", Implied: true})
	}
	if v.Lock.Mode != "" {
		out = append(out, Need{Action: "s3:PutObjectRetention", Bucket: dst, Resource: to, Code: "DstPutRetentionNotPermitted", Implied: true})
	}
	if v.Lock.Hold {
		out = append(out, Need{Action: "s3:PutObjectLegalHold", Bucket: dst, Resource: to, Code: "DstPutLegalHoldNotPermitted", Implied: true})
	}
	return out
}

// Carried returns which of the aspects the rule carries from src to dst: no ACL
// where the destination owns the replicas, or where the source has none.
func (r *Rule) Carried(src, dst *bucket.Bucket, what object.Aspects) object.Aspects {
	if r.Destination.OwnerOverride || dst.OwnerEnforced() || src.OwnerEnforced() {
		what &^= object.AspectACL
	}
	return what
}

// ChangeNeeds returns the actions needed to carry these changes of v from src to
// dst, where the version is already: of each what reads it and what writes it.
func (r *Rule) ChangeNeeds(src, dst *bucket.Bucket, v *object.Version, what object.Aspects) []Need {
	from, to := arn.Object(src.Name, v.Key), arn.Object(dst.Name, v.Key)
	out := []Need{{Action: "s3:GetReplicationConfiguration", Bucket: src, Resource: src.ARN(), Code: "SrcBucketReplicationConfigMissing"}}
	for _, one := range what.Each() {
		n := changing[one]
		out = append(out,
			Need{Action: n.read, Bucket: src, Resource: from, Code: n.unread},
			Need{Action: "s3:ReplicateObject", Bucket: dst, Resource: to, Code: n.unwritten})
		if n.write != "" {
			out = append(out, Need{Action: n.write, Bucket: dst, Resource: to, Code: n.unwritten, Implied: true})
		}
	}
	return out
}

// changing says what carrying an aspect needs: the actions that read it and,
// beside s3:ReplicateObject, write it, and the codes if they are refused.
var changing = map[object.Aspects]struct{ read, unread, write, unwritten string }{
	object.AspectTags:      {"s3:GetObjectVersionTagging", "SrcGetTaggingNotPermitted", "s3:ReplicateTags", "DstPutTaggingNotPermitted"},
	object.AspectACL:       {"s3:GetObjectVersionAcl", "SrcGetAclNotPermitted", "", "DstPutAclNotPermitted"},
	object.AspectRetention: {"s3:GetObjectRetention", "SrcGetRetentionNotPermitted", "s3:PutObjectRetention", "DstPutRetentionNotPermitted"},
	object.AspectHold:      {"s3:GetObjectLegalHold", "SrcGetLegalHoldNotPermitted", "s3:PutObjectLegalHold", "DstPutLegalHoldNotPermitted"},
}

// Fits reports what keeps dst, which is nil if it does not exist, from taking
// replicas of src under the rule, whatever the policies say; the error has
// AWS's failure code.
func (r *Rule) Fits(src, dst *bucket.Bucket) error {
	name := r.Destination.BucketName()
	if dst == nil {
		return fault.Newf(fault.NotFound, "DstBucketNotFound", "the destination bucket %s does not exist", name).
			WithHint("create %s with versioning enabled, or name another destination in rule %s of %s", name, r.ID, src.Name)
	}
	if account := r.Destination.Account; account != "" && account != dst.Owner {
		return fault.Newf(fault.Denied, "DstPutObjectNotPermitted", "the rule names account %s, and the destination bucket %s does not belong to it", account, name).
			WithHint("set Destination.Account of rule %s to the account that owns %s", r.ID, name)
	}
	if dst.Owner != src.Owner && dst.RequesterPays() {
		return fault.Newf(fault.Denied, "DstPutObjectNotPermitted", "requesters pay for the destination bucket %s, which belongs to another account", name).
			WithHint("have its owner pay for %s: PutBucketRequestPayment with BucketOwner", name)
	}
	if dst.Versioning != bucket.Enabled {
		return fault.Newf(fault.Conflict, "DstBucketUnversioned", "versioning is not enabled on the destination bucket %s", name).
			WithHint("enable versioning on %s", name)
	}
	if src.Locked() && !dst.Locked() {
		return fault.Newf(fault.Conflict, "DstBucketObjectLockConfigMissing", "Object Lock is enabled on the source bucket %s, and not on the destination bucket %s", src.Name, name).
			WithHint("enable Object Lock on %s: PutObjectLockConfiguration", name)
	}
	return nil
}
