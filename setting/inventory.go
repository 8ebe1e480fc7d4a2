package setting

import (
	"slices"

	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/markup"
)

// inventoryFields are the optional fields of an inventory, in the order of its
// columns.
var inventoryFields = []string{
	"Size", "LastModifiedDate", "ETag", "StorageClass", "IsMultipartUploaded", "ReplicationStatus", "EncryptionStatus",
	"ObjectLockRetainUntilDate", "ObjectLockMode", "ObjectLockLegalHoldStatus", "IntelligentTieringAccessTier", "BucketKeyStatus",
	"ChecksumAlgorithm", "ObjectAccessControlList", "ObjectOwner", "LifecycleExpirationDate",
}

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
		group("OptionalFields", repeated(word("Field", inventoryFields...))),
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

// Inventory is what an inventory configuration asks for.
type Inventory struct {
	ID         string
	Enabled    bool
	Bucket     string   // name of the bucket that inventories go to
	Account    string   // that has to own it; "" for any
	Prefix     string   // of what is delivered
	Format     string   // CSV, ORC or Parquet
	Encryption string   // of what is delivered: "SSE-S3", "SSE-KMS", or "" for the bucket's default
	KeyID      string   // of SSE-KMS
	Filter     string   // prefix of the keys that are listed
	Weekly     bool     // on Sundays, else daily
	All        bool     // all versions, else the current ones
	Fields     []string // the optional ones, in the order of their columns
}

// ParseInventory reads a stored inventory configuration.
func ParseInventory(data []byte) (*Inventory, error) {
	d, err := Parse(bucket.Inventory, data)
	if err != nil {
		return nil, err
	}
	to := d.root.at("Destination", "S3BucketDestination")
	v := &Inventory{
		ID: d.ID(), Enabled: d.root.value("IsEnabled") == "true", Account: to.value("AccountId"), Prefix: to.value("Prefix"),
		Format: to.value("Format"), Weekly: d.root.child("Schedule").value("Frequency") == "Weekly",
		All: d.root.value("IncludedObjectVersions") == "All",
	}
	if v.Bucket, err = arn.BucketName(to.value("Bucket")); err != nil {
		return nil, err
	}
	if e := to.child("Encryption"); e != nil {
		v.Encryption, v.KeyID = e.kids[0].name, e.kids[0].value("KeyId")
	}
	if f := d.root.child("Filter"); f != nil {
		v.Filter = f.value("Prefix")
	}
	asked := d.OptionalFields()
	for _, f := range inventoryFields {
		if slices.Contains(asked, f) {
			v.Fields = append(v.Fields, f)
		}
	}
	return v, nil
}

// Unsupported returns a fault.Unsupported error for a document that is right
// and asks for what is not offered here.
func (d *Document) Unsupported() error {
	if d.kind != &inventoryKind {
		return nil
	}
	return checkFormat(d.root.at("Destination", "S3BucketDestination").value("Format"))
}

// Unsupported is Document.Unsupported for a configuration that was stored.
func (v *Inventory) Unsupported() error { return checkFormat(v.Format) }

func checkFormat(format string) error {
	if format == "CSV" {
		return nil
	}
	return fault.New(fault.Unsupported, "NotImplemented", "Inventories in "+format+" format are not implemented.").
		WithHint("ask for CSV, which batch jobs take as their manifest")
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
