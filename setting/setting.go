// Package setting reads the settings documents of a bucket that no other room
// is about: CORS, event notifications, access logs, request payment,
// acceleration, website, Object Lock, ownership, public access, encryption, and
// the configurations with ids (inventory, analytics,
// metrics, intelligent tiering).
//
// Parse holds a document against its schema and the rules of the S3 API
// Reference, with AWS's errors; XML gives it back in AWS's order; Check looks
// at what lies outside the document. What a document does is not here, but for
// CORS.Match, which says what a page of another origin may do.
package setting

import (
	"bytes"
	"strconv"

	"twinbucket/bucket"
	"twinbucket/fault"
)

// kind is what is known of one kind of document.
type kind struct {
	root  element
	limit int // bytes
	check func(*node) error
}

// kinds are the documents that this package reads.
var kinds = map[bucket.Document]*kind{
	bucket.CORS:               &corsKind,
	bucket.Notification:       &notificationKind,
	bucket.Logging:            &loggingKind,
	bucket.RequestPayment:     &paymentKind,
	bucket.Accelerate:         &accelerateKind,
	bucket.Website:            &websiteKind,
	bucket.ObjectLock:         &lockKind,
	bucket.OwnershipControls:  &ownershipKind,
	bucket.PublicAccessBlock:  &accessBlockKind,
	bucket.Encryption:         &encryptionKind,
	bucket.Inventory:          &inventoryKind,
	bucket.Analytics:          &analyticsKind,
	bucket.Metrics:            &metricsKind,
	bucket.IntelligentTiering: &tieringKind,
}

// Document is a settings document that was parsed and is valid by itself.
type Document struct {
	name bucket.Document
	kind *kind
	root *node
}

// Limit returns the most bytes that a document of a kind may have; 0 if there
// is no such kind here.
func Limit(name bucket.Document) int {
	if k := kinds[name]; k != nil {
		return k.limit
	}
	return 0
}

// Parse reads a document of the kind that name says; for a configuration with
// an id, that is the kind alone ("inventory"). Errors are fault.Invalid with
// AWS's code and text, most often MalformedXML, and fault.Unsupported for what
// is not offered.
func Parse(name bucket.Document, data []byte) (*Document, error) {
	k := kinds[name]
	if k == nil {
		return nil, fault.Newf(fault.Unsupported, "NotImplemented", "There is no settings document %s here.", name)
	}
	if len(data) > k.limit {
		return nil, fault.New(fault.TooLarge, "MaxMessageLengthExceeded", "Your request was too big.").
			With("MaxMessageLengthBytes", strconv.Itoa(k.limit)).WithHint("a document of this kind has at most %d bytes", k.limit)
	}
	root, err := parse(data, k.root.name, k.limit)
	if err != nil {
		return nil, err
	}
	if err := k.root.accept(root); err != nil {
		return nil, err
	}
	if k.check != nil {
		if err := k.check(root); err != nil {
			return nil, err
		}
	}
	return &Document{name, k, root}, nil
}

// XML returns the document as AWS gives it back: in AWS's order, with the
// ids that were generated, in AWS's namespace.
func (d *Document) XML() []byte { return d.kind.root.document(d.root) }

// Element returns the document's element alone, as it stands in a listing.
func (d *Document) Element() []byte {
	var b bytes.Buffer
	d.kind.root.write(&b, d.root, "")
	return b.Bytes()
}

// ID returns the id of a configuration that has one, else "".
func (d *Document) ID() string { return d.root.value("Id") }

// Empty reports whether the document holds nothing, which turns the setting
// off.
func (d *Document) Empty() bool { return len(d.root.kids) == 0 }

// Check holds the document against its bucket, and against the other buckets
// that it names and lookup finds.
func (d *Document) Check(b *bucket.Bucket, lookup func(name string) (*bucket.Bucket, bool)) error {
	switch d.name {
	case bucket.Notification:
		return checkDestinations(d.root, b)
	case bucket.Logging:
		return checkLogBucket(d.root, b, lookup)
	case bucket.Accelerate:
		return checkAccelerated(b)
	case bucket.ObjectLock:
		return checkVersioned(b)
	}
	return nil
}

func invalidArgument(argument, format string, args ...any) *fault.Error {
	return fault.Newf(fault.Invalid, "InvalidArgument", format, args...).On(argument).With("ArgumentName", argument)
}

func invalidRequest(format string, args ...any) *fault.Error {
	return fault.Newf(fault.Invalid, "InvalidRequest", format, args...)
}
