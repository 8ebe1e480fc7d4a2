package setting

import (
	"twinbucket/arn"
	"twinbucket/fault"
	"twinbucket/markup"
)

var inventoryKind = kind{
	root: group("InventoryConfiguration",
		needed(text("Id")),
		needed(word("IsEnabled", "true", "false")),
		needed(group("Destination", needed(group("S3BucketDestination",
			needed(word("Format", "CSV", "ORC", "Parquet")),
			formed("AccountId", arn.ValidAccount),
			needed(text("Bucket")),
			text("Prefix"),
			group("Encryption", group("SSE-S3"), group("SSE-KMS", needed(text("KeyId")))),
		)))),
		group("Filter", needed(text("Prefix"))),
		needed(group("Schedule", needed(word("Frequency", "Daily", "Weekly")))),
		needed(word("IncludedObjectVersions", "All", "Current")),
		group("OptionalFields", repeated(word("Field",
			"Size", "LastModifiedDate", "StorageClass", "ETag", "IsMultipartUploaded", "ReplicationStatus",
			"EncryptionStatus", "ObjectLockRetainUntilDate", "ObjectLockMode", "ObjectLockLegalHoldStatus",
			"IntelligentTieringAccessTier", "BucketKeyStatus", "ChecksumAlgorithm", "ObjectAccessControlList",
			"ObjectOwner", "LifecycleExpirationDate"))),
	),
	limit: configurationLimit,
	check: checkInventory,
}

// OptionalFields returns the fields that an inventory is to have beside those
// that each has; nil for other documents.
func (d *Document) OptionalFields() []string {
	if fields := d.root.child("OptionalFields"); fields != nil && d.kind == &inventoryKind {
		return fields.values("Field")
	}
	return nil
}

func checkInventory(root *node) error {
	to := root.at("Destination", "S3BucketDestination")
	if e := to.child("Encryption"); e != nil && len(e.kids) != 1 {
		return markup.Malformed("Encryption holds SSE-S3 or SSE-KMS")
	}
	return checkDestinationBucket(to)
}

// checkDestinationBucket checks the ARN of the bucket to which reports go.
func checkDestinationBucket(to *node) error {
	name := to.value("Bucket")
	if _, err := arn.BucketName(name); err != nil {
		return fault.New(fault.Invalid, "InvalidS3DestinationBucket", "Invalid bucket ARN.").On(name).
			WithHint("the Bucket of a destination is an ARN such as arn:aws:s3:::reports")
	}
	return nil
}
