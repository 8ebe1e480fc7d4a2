package job

import (
	"slices"
	"strings"
	"time"

	"twinbucket/object"
)

// StatusNone is how a filter calls the replication status of a version that
// no rule ever selected.
const StatusNone = "NONE"

// Filter chooses versions for a generated manifest. Its fields are all to
// hold; one that is nil or empty always does.
type Filter struct {
	// EligibleForReplication, if true, keeps only what the bucket's rules
	// select. The rules are not known here: Match leaves it to the caller.
	EligibleForReplication    *bool              `json:"eligibleForReplication,omitempty"`
	CreatedAfter              *time.Time         `json:"createdAfter,omitempty"`
	CreatedBefore             *time.Time         `json:"createdBefore,omitempty"`
	ObjectReplicationStatuses []string           `json:"objectReplicationStatuses,omitempty"` // NONE, COMPLETED, FAILED, REPLICA
	KeyName                   *KeyNameConstraint `json:"keyName,omitempty"`
	SizeGreaterThan           *int64             `json:"sizeGreaterThan,omitempty"` // bytes
	SizeLessThan              *int64             `json:"sizeLessThan,omitempty"`    // bytes
	StorageClasses            []string           `json:"storageClasses,omitempty"`
	// ObjectEncryption takes what is encrypted so; AWS allows for one.
	ObjectEncryption []EncryptionFilter `json:"objectEncryption,omitempty"`
}

// EncryptionFilter takes versions that are encrypted in a way.
type EncryptionFilter struct {
	Kind      string `json:"kind"`                // SSE-S3, SSE-KMS, DSSE-KMS, SSE-C or NOT-SSE
	KeyARN    string `json:"keyArn,omitempty"`    // of SSE-KMS and DSSE-KMS: "" for any key
	BucketKey *bool  `json:"bucketKey,omitempty"` // of SSE-KMS: whether a bucket key is used; nil for both
}

// KeyNameConstraint chooses keys: one of the prefixes, and one of the
// suffixes, and one of the substrings. A list that is empty takes every key.
type KeyNameConstraint struct {
	Prefixes   []string `json:"prefixes,omitempty"`
	Suffixes   []string `json:"suffixes,omitempty"`
	Substrings []string `json:"substrings,omitempty"`
}

// Match reports whether the filter takes v. Times and sizes are compared
// strictly. A delete marker has neither size nor storage class, so a filter
// that names either does not take it, and neither does one of encryption. A nil
// Filter takes everything.
func (f *Filter) Match(v *object.Version) bool {
	no, _ := f.Refuses(v)
	return no == ""
}

// aMarker is what delete markers are for filters of what only objects have.
const aMarker = "a delete marker"

// Refuses names the first filter that does not take v, as CreateJob does, and
// what v is instead, where the filter does not say it all; "" if all take it.
func (f *Filter) Refuses(v *object.Version) (filter, instead string) {
	if f == nil {
		return "", ""
	}
	if f.CreatedAfter != nil && !v.Modified.After(*f.CreatedAfter) {
		return "CreatedAfter", ""
	}
	if f.CreatedBefore != nil && !v.Modified.Before(*f.CreatedBefore) {
		return "CreatedBefore", ""
	}
	if len(f.ObjectReplicationStatuses) > 0 && !slices.Contains(f.ObjectReplicationStatuses, statusName(v.Status)) {
		return "ObjectReplicationStatuses", statusName(v.Status)
	}
	if no := f.KeyName.refuses(v.Key); no != "" {
		return no, ""
	}
	if f.SizeGreaterThan != nil && (v.Marker || v.Size <= *f.SizeGreaterThan) {
		return "ObjectSizeGreaterThanBytes", markerOr(v, "")
	}
	if f.SizeLessThan != nil && (v.Marker || v.Size >= *f.SizeLessThan) {
		return "ObjectSizeLessThanBytes", markerOr(v, "")
	}
	if len(f.StorageClasses) > 0 && (v.Marker || !slices.Contains(f.StorageClasses, v.ClassOf())) {
		return "MatchAnyStorageClass", markerOr(v, v.ClassOf())
	}
	if len(f.ObjectEncryption) > 0 && !slices.ContainsFunc(f.ObjectEncryption, func(e EncryptionFilter) bool { return e.match(v) }) {
		return "MatchAnyObjectEncryption", markerOr(v, v.Encryption.Kind())
	}
	return "", ""
}

// markerOr returns value, or what a delete marker has instead.
func markerOr(v *object.Version, value string) string {
	if v.Marker {
		return aMarker
	}
	return value
}

// String returns the filter for people.
func (f *EncryptionFilter) String() string {
	text := f.Kind
	if f.KeyARN != "" {
		text += " under " + f.KeyARN
	}
	switch {
	case f.BucketKey == nil:
	case *f.BucketKey:
		text += " with a bucket key"
	default:
		text += " without a bucket key"
	}
	return text
}

func (f *EncryptionFilter) match(v *object.Version) bool {
	e := &v.Encryption
	return !v.Marker && e.Kind() == f.Kind && (f.KeyARN == "" || f.KeyARN == e.KeyARN) && (f.BucketKey == nil || *f.BucketKey == e.BucketKey)
}

func statusName(s object.Status) string {
	if s == object.None {
		return StatusNone
	}
	return string(s)
}

// refuses names the first constraint that does not take the key; "" if all do.
func (k *KeyNameConstraint) refuses(key string) string {
	switch {
	case k == nil:
	case !anyOf(k.Prefixes, key, strings.HasPrefix):
		return "MatchAnyPrefix"
	case !anyOf(k.Suffixes, key, strings.HasSuffix):
		return "MatchAnySuffix"
	case !anyOf(k.Substrings, key, strings.Contains):
		return "MatchAnySubstring"
	}
	return ""
}

// anyOf reports whether holds is true of key and one of the words, or there are
// no words.
func anyOf(words []string, key string, holds func(key, word string) bool) bool {
	for _, w := range words {
		if holds(key, w) {
			return true
		}
	}
	return len(words) == 0
}
