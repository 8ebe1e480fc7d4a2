package inventory

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"twinbucket/acl"
	"twinbucket/bucket"
	"twinbucket/internal/store"
	"twinbucket/lifecycle"
	"twinbucket/manifest"
	"twinbucket/object"
	"twinbucket/setting"
)

// table writes the rows of one inventory.
type table struct {
	columns []string
	source  *bucket.Bucket
	rules   *lifecycle.Set // of source; nil if it has none, or none is asked for
}

// newTable returns the table that a configuration asks for (S3 User Guide,
// "Amazon S3 Inventory list").
func newTable(source *bucket.Bucket, c *setting.Inventory) (*table, error) {
	t := &table{columns: []string{"Bucket", "Key"}, source: source}
	if c.All {
		t.columns = append(t.columns, "VersionId", "IsLatest", "IsDeleteMarker")
	}
	t.columns = append(t.columns, c.Fields...)
	doc := source.Documents[bucket.Lifecycle]
	if doc == nil || t.columns[len(t.columns)-1] != "LifecycleExpirationDate" {
		return t, nil
	}
	var err error
	t.rules, err = lifecycle.Parse(doc)
	return t, err
}

// appendRow appends the row of a version, every field in double quotes.
func (t *table) appendRow(b []byte, v *store.Listed) []byte {
	for i, column := range t.columns {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = append(b, strings.ReplaceAll(t.field(column, v), `"`, `""`)...)
		b = append(b, '"')
	}
	return append(b, '\n')
}

// field returns a field. Of a delete marker there is none that says how a body
// is stored.
func (t *table) field(column string, v *store.Listed) string {
	switch column {
	case "Bucket":
		return v.Bucket
	case "Key":
		return manifest.EncodeKey(v.Key)
	case "VersionId":
		if v.ID == object.NullID {
			return ""
		}
		return v.ID
	case "IsLatest":
		return strconv.FormatBool(v.Latest)
	case "IsDeleteMarker":
		return strconv.FormatBool(v.Marker)
	case "LastModifiedDate":
		return moment(v.Modified)
	case "IsMultipartUploaded":
		return strconv.FormatBool(v.Multipart())
	case "ReplicationStatus":
		return string(v.Status)
	case "ObjectOwner":
		return acl.CanonicalID(t.owner(v))
	}
	if v.Marker {
		return ""
	}
	switch column {
	case "Size":
		return strconv.FormatInt(v.Size, 10)
	case "ETag":
		return v.ETag
	case "StorageClass":
		return v.ClassOf()
	case "EncryptionStatus":
		return v.Encryption.Kind()
	case "ObjectLockRetainUntilDate":
		if v.Lock.Mode != "" {
			return moment(v.Lock.Until)
		}
	case "ObjectLockMode":
		return v.Lock.Mode
	case "ObjectLockLegalHoldStatus":
		if v.Lock.Hold {
			return "On"
		}
		return "Off"
	case "IntelligentTieringAccessTier":
		if v.Class == "INTELLIGENT_TIERING" {
			return "FREQUENT"
		}
	case "BucketKeyStatus":
		if v.Encryption.BucketKey {
			return "ENABLED"
		}
		return "DISABLED"
	case "ChecksumAlgorithm":
		names := make([]string, len(v.Checksums))
		for i, c := range v.Checksums {
			names[i] = c.Algorithm
		}
		return strings.Join(names, ",")
	case "ObjectAccessControlList":
		return t.list(v)
	case "LifecycleExpirationDate":
		if t.rules != nil && v.Latest {
			if d := t.rules.Current(&v.Version, false, lifecycle.Day); d.Rule != nil {
				return moment(d.At)
			}
		}
	}
	return ""
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// owner returns the account that owns a version.
func (t *table) owner(v *store.Listed) string {
	if t.source.OwnerEnforced() {
		return t.source.Owner
	}
	return v.Owner
}

// list returns a version's access control list: JSON, in base64 (S3 User Guide,
// "Working with the Object ACL field").
func (t *table) list(v *store.Listed) string {
	type grant struct {
		CanonicalID string         `json:"canonicalId,omitempty"`
		URI         string         `json:"uri,omitempty"`
		Type        string         `json:"type"`
		Permission  acl.Permission `json:"permission"`
	}
	list := v.ACL
	if t.source.OwnerEnforced() {
		list = nil
	}
	grants := []grant{}
	for _, g := range list.Or(acl.CanonicalID(t.owner(v))) {
		kind := "CanonicalUser"
		if g.Group != "" {
			kind = "Group"
		}
		grants = append(grants, grant{g.ID, g.Group, kind, g.Permission})
	}
	data, err := json.Marshal(struct {
		Version string  `json:"version"`
		Status  string  `json:"status"`
		Grants  []grant `json:"grants"`
	}{"2022-11-10", "AVAILABLE", grants})
	if err != nil {
		panic("inventory: a list that is no JSON: " + err.Error())
	}
	return base64.StdEncoding.EncodeToString(data)
}
