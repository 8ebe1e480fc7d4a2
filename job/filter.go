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
	if f == nil {
		return true
	}
	if f.CreatedAfter != nil && !v.Modified.After(*f.CreatedAfter) ||
		f.CreatedBefore != nil && !v.Modified.Before(*f.CreatedBefore) {
		return false
	}
	if len(f.ObjectReplicationStatuses) > 0 && !slices.Contains(f.ObjectReplicationStatuses, statusName(v.Status)) {
		return false
	}
	if v.Marker && (f.SizeGreaterThan != nil || f.SizeLessThan != nil || len(f.StorageClasses) > 0) {
		return false
	}
	if f.SizeGreaterThan != nil && v.Size <= *f.SizeGreaterThan || f.SizeLessThan != nil && v.Size >= *f.SizeLessThan {
		return false
	}
	if len(f.StorageClasses) > 0 && !slices.Contains(f.StorageClasses, v.ClassOf()) {
		return false
	}
	if len(f.ObjectEncryption) > 0 && !slices.ContainsFunc(f.ObjectEncryption, func(e EncryptionFilter) bool { return e.match(v) }) {
		return false
	}
	return f.KeyName.match(v.Key)
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

func (k *KeyNameConstraint) match(key string) bool {
	return k == nil || anyOf(k.Prefixes, key, strings.HasPrefix) &&
		anyOf(k.Suffixes, key, strings.HasSuffix) && anyOf(k.Substrings, key, strings.Contains)
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
