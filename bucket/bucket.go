// Package bucket describes a bucket: its name, its owner and its settings.
package bucket

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"time"

	"twinbucket/arn"
	"twinbucket/fault"
)

// Versioning is a bucket's versioning state.
type Versioning string

// The versioning states. A bucket that was never versioned has the empty one;
// once Enabled it can be Suspended and never goes back to empty.
const (
	Unversioned Versioning = ""
	Enabled     Versioning = "Enabled"
	Suspended   Versioning = "Suspended"
)

// Document names one settings document of a bucket, kept as it was put.
type Document string

// The settings documents. Each is the XML (Policy: JSON) of the S3 API's
// sub-resource of the same name.
const (
	Policy            Document = "policy"
	Replication       Document = "replication"
	Tagging           Document = "tagging"
	Encryption        Document = "encryption"
	OwnershipControls Document = "ownershipControls"
	PublicAccessBlock Document = "publicAccessBlock"
	Lifecycle         Document = "lifecycle"
	TransitionSize    Document = "transition-default-minimum-object-size" // text: a header of Lifecycle's
	CORS              Document = "cors"
	Notification      Document = "notification"
	Logging           Document = "logging"
	ObjectLock        Document = "object-lock"
	ACL               Document = "acl" // JSON of an acl.List; none: the owner has full control
	RequestPayment    Document = "requestPayment"
	Accelerate        Document = "accelerate"
	Website           Document = "website"

	// Of these a bucket has many, each under its id: see WithID.
	Inventory          Document = "inventory"
	Analytics          Document = "analytics"
	Metrics            Document = "metrics"
	IntelligentTiering Document = "intelligent-tiering"
)

// WithID returns the name of the document of kind d with an id, such as
// "inventory/weekly".
func (d Document) WithID(id string) Document { return d + "/" + Document(id) }

// IDs returns the ids of the documents of kind d, sorted.
func (b *Bucket) IDs(d Document) []string {
	var ids []string
	for name := range b.Documents {
		if id, ok := strings.CutPrefix(string(name), string(d)+"/"); ok {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// Bucket is a bucket and its settings. It is a value: to change one, change a
// copy and store it.
type Bucket struct {
	Name       string              `json:"name"`
	Owner      string              `json:"owner"`  // account id, 12 digits
	Region     string              `json:"region"` // "us-east-1"
	Created    time.Time           `json:"created"`
	Versioning Versioning          `json:"versioning,omitempty"`
	Documents  map[Document][]byte `json:"documents,omitempty"`
	// Revision grows with every change of any bucket; whoever caches
	// something derived from a bucket keys it by this.
	Revision uint64 `json:"-"`
}

// ARN returns the bucket's ARN.
func (b *Bucket) ARN() string { return arn.Bucket(b.Name) }

// Same reports whether b and other are one bucket, seen at two times. One that
// was made anew in the name of a deleted one is another.
func (b *Bucket) Same(other *Bucket) bool {
	return b.Created.Equal(other.Created) && b.Owner == other.Owner
}

// Clone returns a copy that shares no map with b. The documents' bytes are
// shared: they are never changed in place.
func (b *Bucket) Clone() *Bucket {
	c := *b
	c.Documents = make(map[Document][]byte, len(b.Documents)+1)
	for k, v := range b.Documents {
		c.Documents[k] = v
	}
	return &c
}

// Ownership says who owns what others write to a bucket.
type Ownership string

// The ownership settings. Removed is that of a bucket whose setting was taken
// away: it acts as ObjectWriter.
const (
	BucketOwnerEnforced  Ownership = "BucketOwnerEnforced"  // the bucket's owner; ACLs are off
	BucketOwnerPreferred Ownership = "BucketOwnerPreferred" // the bucket's owner, if the writer gives it full control
	ObjectWriter         Ownership = "ObjectWriter"         // the writer
	Removed              Ownership = ""
)

// Valid reports whether o is one of the settings that a bucket can be given.
func (o Ownership) Valid() bool {
	return o == BucketOwnerEnforced || o == BucketOwnerPreferred || o == ObjectWriter
}

// Ownership returns the bucket's setting, BucketOwnerEnforced if there never
// was one, as in new buckets of AWS.
func (b *Bucket) Ownership() Ownership {
	doc, set := b.Documents[OwnershipControls]
	if !set {
		return BucketOwnerEnforced
	}
	for _, o := range []Ownership{BucketOwnerEnforced, BucketOwnerPreferred, ObjectWriter} {
		if bytes.Contains(doc, []byte(o)) {
			return o
		}
	}
	return Removed
}

// OwnerEnforced reports whether the bucket's owner owns every object in it and
// ACLs are off.
func (b *Bucket) OwnerEnforced() bool { return b.Ownership() == BucketOwnerEnforced }

// RequesterPays reports whether other accounts pay for what they ask of the bucket.
func (b *Bucket) RequesterPays() bool {
	return bytes.Contains(b.Documents[RequestPayment], []byte("<Payer>Requester<"))
}

// CheckName reports what is wrong with a bucket's name under the rules of the
// S3 User Guide, "Bucket naming rules"; nil if nothing is.
func CheckName(name string) error {
	bad := func(hint string) error {
		return fault.New(fault.Invalid, "InvalidBucketName", "The specified bucket is not valid.").On(name).WithHint("%s", hint)
	}
	if len(name) < 3 || len(name) > 63 {
		return bad("a bucket's name has 3 to 63 characters")
	}
	for i := range len(name) {
		c := name[i]
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '.') {
			return bad("a bucket's name has lower-case letters, digits, hyphens and dots only")
		}
	}
	first, last := name[0], name[len(name)-1]
	if first == '-' || first == '.' || last == '-' || last == '.' {
		return bad("a bucket's name begins and ends with a letter or digit")
	}
	for _, pair := range []string{"..", ".-", "-."} {
		if strings.Contains(name, pair) {
			return bad("a bucket's name has a letter or digit on both sides of a dot")
		}
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return bad("a bucket's name does not look like an IP address")
	}
	// AWS also reserves amzn-s3-demo- for its own documentation; here it is
	// allowed, so that the documentation's examples run as written.
	for _, p := range []string{"xn--", "sthree-"} {
		if strings.HasPrefix(name, p) {
			return bad("a bucket's name does not begin with " + p)
		}
	}
	for _, s := range []string{"-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"} {
		if strings.HasSuffix(name, s) {
			return bad("a bucket's name does not end with " + s)
		}
	}
	return nil
}
