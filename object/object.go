// Package object describes the versions of objects: keys, version ids,
// checksums, tags and replication status.
package object

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"twinbucket/acl"
	"twinbucket/fault"
)

// MaxKey is the longest key, in bytes of UTF-8.
const MaxKey = 1024

// Version is one version of an object, or a delete marker. It says everything
// about the version but where its bytes are.
type Version struct {
	Bucket string
	Key    string
	ID     string // version id; NullID for an object put without versioning
	Marker bool   // a delete marker: no body, no metadata
	// ByLifecycle says that a lifecycle rule made the delete marker: it does
	// not replicate.
	ByLifecycle bool
	Modified    time.Time // creation time in UTC; also what orders the versions of a key
	Owner       string    // account id, 12 digits

	Size      int64
	ETag      string     // without quotes: hex md5, or hex md5 of md5s "-" parts
	Checksums []Checksum // additional checksums, if any were given
	Parts     []Part     // as uploaded, in order; nil unless multipart

	Headers  Headers
	Metadata map[string]string // x-amz-meta-*, names in lower case without that prefix
	Tags     []Tag
	Class    string // storage class; "" means STANDARD
	Lock     Lock
	ACL      acl.List // nil: the owner has full control
	// Encryption says how the body is encrypted on disk.
	Encryption Encryption

	Status     Status     // replication status as AWS shows it
	Deliveries []Delivery // one for each destination bucket that a rule selected
	// Returning says that this is a replica whose own changes are on their way
	// to other buckets, or failed to get there: Status says only that.
	Returning bool
	// Changes counts the changes of this version's tags, ACL and lock since
	// it was put: a copy made at an older count is out of date.
	Changes uint64
	Edits   []Edit // of these the last ones, one for each aspect at most
}

// Multipart reports whether the version was uploaded in parts.
func (v *Version) Multipart() bool { return strings.Contains(v.ETag, "-") }

// Headers are the HTTP headers that an object carries and gives back.
type Headers struct {
	ContentType        string
	CacheControl       string
	ContentDisposition string
	ContentEncoding    string
	ContentLanguage    string
	Expires            string
	RedirectLocation   string // x-amz-website-redirect-location
}

// Part is one part of a multipart object.
type Part struct {
	Number    int
	Size      int64
	ETag      string // hex md5 of the part
	Checksums []Checksum
	Modified  time.Time // when it was uploaded; zero once the upload is completed
}

// Tag is one object tag.
type Tag struct{ Key, Value string }

// Checksum is an additional checksum of a body.
type Checksum struct {
	Algorithm string // "CRC32", "CRC32C", "CRC64NVME", "MD5", "SHA1", "SHA256", "SHA512", "XXHASH128", "XXHASH3" or "XXHASH64"
	Value     string // base64; of a composite checksum with "-" parts
	Composite bool   // a checksum of the parts' checksums, not of the bytes
}

// Status is a version's replication status, AWS's x-amz-replication-status.
type Status string

// The statuses. A version that no rule ever selected has None.
const (
	None      Status = ""
	Pending   Status = "PENDING"
	Completed Status = "COMPLETED"
	Failed    Status = "FAILED"
	Replica   Status = "REPLICA"
)

// Delivery is the state of a version at one destination.
type Delivery struct {
	Bucket string    // destination bucket's name
	Rule   string    // ID of the rule that selected it
	Status Status    // Pending, Completed or Failed
	Code   string    // when Failed: AWS's failure code, such as "DstPutObjectNotPermitted"
	Reason string    // when Failed: which document, which statement, what would fix it
	Time   time.Time // when Status was reached
	// Changed is what is to be carried there, failed to be, or if Completed was
	// not taken by a rule, of a version that is there already; 0: the version itself.
	Changed Aspects
	// Missed says that who asked was told that it is Pending for too long.
	Missed bool `json:",omitempty"`
}

// Sum returns the status of a version with deliveries ds, as AWS sums them up:
// PENDING while one is pending, FAILED if one failed, else COMPLETED.
func Sum(ds []Delivery) Status {
	sum := None
	for _, d := range ds {
		switch {
		case d.Status == Pending:
			return Pending
		case d.Status == Failed:
			sum = Failed
		case sum == None:
			sum = Completed
		}
	}
	return sum
}

// IsReplica reports whether the version came by replication.
func (v *Version) IsReplica() bool { return v.Status == Replica || v.Returning }

// SumUp sets the status to what the deliveries make of it. Of a replica's only
// those of its own changes count: what a job sends on is not shown.
func (v *Version) SumUp() {
	if !v.IsReplica() {
		v.Status = Sum(v.Deliveries)
		return
	}
	v.Status = Replica
	for _, d := range v.Deliveries {
		if d.Changed != 0 && (d.Status == Pending || d.Status == Failed && v.Status == Replica) {
			v.Status = d.Status
		}
	}
	v.Returning = v.Status != Replica
}

// Resend makes the deliveries carry changed aspects to where the rules take
// them; it reports whether there is one that now waits. Where the version
// itself is still to go, or failed to, the change goes with it; a replica's
// changes go where the version is supposed to be. The bucket from, if not "",
// is where the change came from.
func (v *Version) Resend(what Aspects, from string, to []Delivery, now time.Time) (waits bool) {
	if !v.IsReplica() {
		// Where no rule takes it any more it goes with the next change that one takes.
		for i := range v.Deliveries {
			if d := &v.Deliveries[i]; d.Bucket != from && (d.Status == Completed || d.Changed != 0) {
				d.Changed |= what
			}
		}
	}
	for _, t := range to {
		i := slices.IndexFunc(v.Deliveries, func(d Delivery) bool { return d.Bucket == t.Bucket })
		if i < 0 && v.IsReplica() {
			i = len(v.Deliveries)
			v.Deliveries = append(v.Deliveries, Delivery{Bucket: t.Bucket, Status: Completed})
		}
		if i < 0 || v.Deliveries[i].Status != Completed && v.Deliveries[i].Changed == 0 {
			continue
		}
		waits = true
		v.Deliveries[i] = Delivery{Bucket: t.Bucket, Rule: t.Rule, Status: Pending, Time: now, Changed: v.Deliveries[i].Changed | what}
	}
	return waits
}

// ClassOf returns the version's storage class, STANDARD if none was given.
func (v *Version) ClassOf() string {
	if v.Class == "" {
		return "STANDARD"
	}
	return v.Class
}

// CheckKey reports what is wrong with a key; nil if nothing is.
func CheckKey(key string) error {
	switch {
	case key == "":
		return fault.New(fault.Invalid, "InvalidArgument", "A key must not be empty.")
	case len(key) > MaxKey:
		return fault.New(fault.TooLarge, "KeyTooLongError", "Your key is too long").
			WithHint("a key has at most 1,024 bytes of UTF-8; this one has %d", len(key))
	case !utf8.ValidString(key):
		return fault.New(fault.Invalid, "InvalidURI", "Couldn't parse the specified URI.").
			WithHint("a key is UTF-8 text")
	}
	return nil
}

// CheckClass checks a storage class; STANDARD is stored as none.
func CheckClass(class string) (string, error) {
	switch class {
	case "", "STANDARD":
		return "", nil
	case "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER", "DEEP_ARCHIVE", "GLACIER_IR":
		return class, nil
	}
	return "", fault.New(fault.Invalid, "InvalidStorageClass", "The storage class you specified is not valid").On(class)
}
