// Package manifest reads and writes the lists of object versions that a batch
// job works through: the CSV files a user brings, and the inventory-style
// manifests that name such files (S3 User Guide, "Specifying a manifest" and
// "Amazon S3 Inventory list").
//
// Rows are streamed: memory does not grow with their number. Keys are
// URL-encoded. Writers encode every byte but letters, digits, "-_.~" and "/"
// as %XX, a space as %20; readers also take "+" for a space, as the form
// encoding of AWS's inventories has it, so that any key survives byte by
// byte.
package manifest

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"twinbucket/fault"
	"twinbucket/object"
)

// Format names a manifest's format.
type Format string

// The formats. CSV and Inventory can be given to a job; Generated is what a
// job's manifest generator writes.
const (
	CSV       Format = "S3BatchOperations_CSV_20180820"
	Inventory Format = "S3InventoryReport_CSV_20161130"
	Generated Format = "S3InventoryReport_CSV_20211130"
)

// Field names a column.
type Field string

// The fields. Columns under Ignore are not looked at.
const (
	Bucket    Field = "Bucket"
	Key       Field = "Key"
	VersionID Field = "VersionId"
	Ignore    Field = "Ignore"
)

// Entry is one row: one version to work on.
type Entry struct {
	Bucket    string
	Key       string
	VersionID string // "" if the manifest has no such column: the current version
	Row       int64  // number of its line in the file, from 1
	// Problem is why the entry cannot be worked on although its manifest is
	// sound, or nil. Its task fails with it.
	Problem *fault.Error
}

// maxFields is how many columns a manifest has at most; an inventory has some
// twenty.
const maxFields = 100

// CheckFields reports whether columns can be a manifest's: Bucket and Key
// once each, VersionId at most once, a hundred in all.
func CheckFields(columns []Field) error {
	if len(columns) > maxFields {
		return invalid("Invalid Manifest Content: too many fields").WithHint("a manifest has at most %d columns", maxFields)
	}
	count := map[Field]int{}
	for _, c := range columns {
		switch c {
		case Bucket, Key, VersionID:
			if count[c]++; count[c] > 1 {
				return invalid("Invalid Manifest Content: the field " + string(c) + " is given twice")
			}
		case Ignore:
		default:
			return invalid("Invalid Manifest Content: unknown field " + string(c)).
				WithHint("fields are Bucket, Key, VersionId and Ignore")
		}
	}
	var missing []string
	for _, c := range []Field{Bucket, Key} {
		if count[c] == 0 {
			missing = append(missing, string(c))
		}
	}
	if len(missing) > 0 {
		return invalid("Required fields are missing in the schema: " + strings.Join(missing, ", "))
	}
	return nil
}

// Has reports whether columns hold a field.
func Has(columns []Field, f Field) bool {
	for _, c := range columns {
		if c == f {
			return true
		}
	}
	return false
}

// EncodeKey returns a key as manifests hold it.
func EncodeKey(key string) string {
	return keyForm.Replace(url.QueryEscape(key))
}

var keyForm = strings.NewReplacer("+", "%20", "%2F", "/")

// DecodeKey returns the key that a manifest's field holds.
func DecodeKey(field string) (string, error) {
	key := field
	if strings.ContainsAny(field, "%+") {
		var err error
		if key, err = url.QueryUnescape(field); err != nil {
			return "", invalid("Invalid object key format").WithHint("%q is not URL-encoded", field)
		}
	}
	if key == "" || len(key) > object.MaxKey || !utf8.ValidString(key) {
		return "", invalid("Invalid object key format").WithHint("a key is UTF-8 text of 1 to 1,024 bytes")
	}
	return key, nil
}

// MissingVersion is the Problem of an entry whose version id is empty
// although its manifest has the column.
func MissingVersion() *fault.Error {
	return fault.New(fault.Invalid, "InvalidRequest", "Task failed due to missing VersionId").
		WithHint("write the literal null for a version that was put without versioning")
}

// invalid returns an error of the manifest itself, for which the job fails.
func invalid(message string) *fault.Error {
	return fault.New(fault.Invalid, "InvalidManifestContent", message)
}
