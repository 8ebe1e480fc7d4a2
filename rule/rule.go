// Package rule reads, checks and applies replication configurations: the
// document of PutBucketReplication, and the question which of its rules take
// a version of an object where.
//
// The document, its two schema versions, the errors and their texts follow
// the S3 API Reference, "PutBucketReplication" and "Error responses", and the
// S3 User Guide, "Replication configuration file elements". A configuration
// is of version 1 (V1) as soon as one of its rules has neither a Filter nor a
// ReplicationTime; V1 knows no priorities and one destination only.
//
// Where AWS does not say, this package decides:
//   - A rule with neither Filter nor Prefix is a V1 rule for the whole bucket.
//   - Two rules of a V1 configuration must not select the same key, and two
//     rules of a V2 configuration with one destination must differ in
//     priority, also when one is disabled.
//   - The ID of a rule that was put without one is derived from the rule, so
//     that putting the same document twice gives the same IDs.
package rule

import (
	"strings"

	"twinbucket/arn"
	"twinbucket/fault"
	"twinbucket/markup"
	"twinbucket/object"
)

// Service is who assumes the replication role.
const Service = "s3.amazonaws.com"

// MaxSize is the largest configuration, in bytes of XML.
const MaxSize = 2 << 20

// MaxRules is the most rules a configuration may have.
const MaxRules = 1000

// MaxDestinations is the most destination buckets of a V2 configuration.
const MaxDestinations = 28

// Status switches a rule or a part of it. The empty Status means that the
// document does not mention the thing.
type Status string

// The statuses.
const (
	Enabled  Status = "Enabled"
	Disabled Status = "Disabled"
)

func (s Status) valid() bool { return s == Enabled || s == Disabled }

// Set is one bucket's replication configuration. It is made by Parse or New
// and is not changed afterwards; it is safe for use by many goroutines.
type Set struct {
	Role  string // ARN of the replication role
	Rules []Rule // in the document's order; every one has an ID

	legacy bool // V1
	groups []group
}

// Rule is one rule of a configuration.
type Rule struct {
	ID          string // at most 255 characters, unique in the Set
	Priority    *int   // nil in V1
	Status      Status
	Prefix      *string // V1's filter; nil if the document has none
	Filter      *Filter // V2's filter; nil if the document has none
	Destination Destination

	DeleteMarkerReplication   Status // always set in V2, never in V1
	SseKmsEncryptedObjects    Status
	ReplicaModifications      Status
	ExistingObjectReplication Status
}

// Filter says which keys and tags a V2 rule selects. At most one field is
// set; an empty Filter selects every object.
type Filter struct {
	Prefix *string
	Tag    *object.Tag
	And    *And
}

// And selects objects that have the prefix, if there is one, and every tag.
type And struct {
	Prefix *string
	Tags   []object.Tag
}

// Destination says where a rule's replicas go and what becomes of them.
type Destination struct {
	Bucket          string // ARN
	Account         string // 12 digits, or "" if not given
	StorageClass    string // "" keeps the source's class
	OwnerOverride   bool   // AccessControlTranslation: Account owns the replicas
	ReplicaKmsKeyID string
	ReplicationTime *Timing
	Metrics         *Timing
}

// Timing is a ReplicationTime or a Metrics element. Minutes is 15, or 0 if
// the element names no time.
type Timing struct {
	Status  Status
	Minutes int
}

// BucketName returns the destination bucket's name.
func (d *Destination) BucketName() string {
	return d.Bucket[strings.LastIndexByte(d.Bucket, ':')+1:]
}

// New returns the configuration of role and rules, checked as Parse checks
// it, with IDs for the rules that have none. It keeps and changes rules.
func New(role string, rules []Rule) (*Set, error) {
	s := &Set{Role: role, Rules: rules}
	if _, _, _, err := arn.RoleParts(role); err != nil {
		return nil, invalidArgument("Invalid Role specified in replication configuration").On(role).
			WithHint("a role's ARN is arn:aws:iam::ACCOUNT:role/NAME")
	}
	if len(rules) == 0 {
		return nil, markup.Malformed("a configuration has at least one Rule")
	}
	if len(rules) > MaxRules {
		return nil, invalidRequest("The number of replication rules must not exceed the allowed limit of 1000 rules.").
			WithHint("this configuration has %d rules; combine some by their prefixes or tags", len(rules))
	}
	for i := range rules {
		if !rules[i].v2() {
			s.legacy = true
		}
	}
	for i := range rules {
		if err := s.checkRule(&rules[i]); err != nil {
			return nil, err
		}
	}
	if err := s.checkTogether(); err != nil {
		return nil, err
	}
	s.nameRules()
	s.compile()
	return s, nil
}

// V1 reports whether the configuration is of schema version 1.
func (s *Set) V1() bool { return s.legacy }

// ByID returns the rule with that ID, or nil.
func (s *Set) ByID(id string) *Rule {
	for i := range s.Rules {
		if s.Rules[i].ID == id {
			return &s.Rules[i]
		}
	}
	return nil
}

// v2 reports whether the rule by itself asks for schema version 2.
func (r *Rule) v2() bool { return r.Filter != nil || r.Destination.ReplicationTime != nil }

// KeyPrefix returns the prefix a key must have.
func (r *Rule) KeyPrefix() string {
	p := r.Prefix
	if f := r.Filter; f != nil {
		p = f.Prefix
		if f.And != nil {
			p = f.And.Prefix
		}
	}
	if p == nil {
		return ""
	}
	return *p
}

// Tags returns the tags an object must have.
func (r *Rule) Tags() []object.Tag {
	switch f := r.Filter; {
	case f == nil:
		return nil
	case f.Tag != nil:
		return []object.Tag{*f.Tag}
	case f.And != nil:
		return f.And.Tags
	}
	return nil
}

// TakesMarkers reports whether delete markers follow the rule.
func (r *Rule) TakesMarkers() bool {
	return !r.v2() || r.DeleteMarkerReplication == Enabled
}

func invalidArgument(message string) *fault.Error {
	return fault.New(fault.Invalid, "InvalidArgument", message)
}

func invalidRequest(message string) *fault.Error {
	return fault.New(fault.Invalid, "InvalidRequest", message)
}
