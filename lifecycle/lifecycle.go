// Package lifecycle reads, checks and applies lifecycle configurations: the
// document of PutBucketLifecycleConfiguration, and the question when which of
// its rules ends a version of an object, a delete marker or an upload.
//
// The document, the errors and their texts follow the S3 API Reference,
// "PutBucketLifecycleConfiguration", and the S3 User Guide, "Lifecycle
// configuration elements" and "Expiring objects". A configuration is of
// version 1 (V1) if its rules have a Prefix, and of version 2 if they have a
// Filter.
//
// Where AWS does not say, this package decides:
//   - V1 rules of the same action must not select the same key, also when one
//     is disabled.
//   - NewerNoncurrentVersions counts versions of the object only: delete
//     markers in between keep nothing from being retained.
//   - A delete marker has no tags and a size of 0.
//   - The ID of a rule that was put without one is derived from the rule, so
//     that putting the same document twice gives the same IDs.
//
// Transitions are read, checked and kept. When they are due is not asked:
// storage classes are labels here.
package lifecycle

import (
	"time"

	"twinbucket/fault"
	"twinbucket/markup"
	"twinbucket/object"
)

// MaxSize is the largest configuration, in bytes of XML.
const MaxSize = 2 << 20

// MaxRules is the most rules a configuration may have.
const MaxRules = 1000

// Set is one bucket's lifecycle configuration. It is made by Parse or New and
// is not changed afterwards; it is safe for use by many goroutines.
type Set struct {
	Rules []Rule // in the document's order; every one has an ID

	legacy bool // V1
	rules  []compiled
}

// Rule is one rule of a configuration. Every part but the ID may be absent.
type Rule struct {
	ID      string // at most 255 characters, unique in the Set
	Enabled bool
	Prefix  *string // V1's filter; nil if the document has none
	Filter  *Filter // V2's filter; nil if the document has none

	Expiration            *Expiration
	NoncurrentExpiration  *NoncurrentExpiration
	AbortAfter            *int // days from the beginning of an upload
	Transitions           []Transition
	NoncurrentTransitions []NoncurrentTransition
}

// Filter says which objects a V2 rule selects. At most one field is set; an
// empty Filter selects every object.
type Filter struct {
	Prefix  *string
	Tag     *object.Tag
	Greater *int64 // ObjectSizeGreaterThan, in bytes
	Less    *int64 // ObjectSizeLessThan, in bytes
	And     *And
}

// And selects objects that fulfil all conditions; there are at least two.
type And struct {
	Prefix  *string
	Tags    []object.Tag
	Greater *int64
	Less    *int64
}

// Expiration says when current versions end. One field is set.
type Expiration struct {
	Days   int       // after the version was made; 0 if not given
	Date   time.Time // a midnight in UTC; zero if not given
	Marker *bool     // ExpiredObjectDeleteMarker; nil if not given
}

// NoncurrentExpiration says when noncurrent versions end.
type NoncurrentExpiration struct {
	Days  int // after the version became noncurrent
	Newer int // newer noncurrent versions that there have to be; 0: none
}

// Transition says when current versions change their storage class: after
// Days, or at Date if Days is nil.
type Transition struct {
	Days  *int
	Date  time.Time
	Class string
}

// NoncurrentTransition says when noncurrent versions change their class.
type NoncurrentTransition struct {
	Days  int
	Newer int // 0: not given
	Class string
}

// MinimumSize says below which size objects are not transitioned: the header
// x-amz-transition-default-minimum-object-size.
type MinimumSize string

// The sizes; AllClasses is the default.
const (
	AllClasses MinimumSize = "all_storage_classes_128K"
	ByClass    MinimumSize = "varies_by_storage_class"
)

// ParseMinimumSize reads the header's value; "" is the default.
func ParseMinimumSize(s string) (MinimumSize, error) {
	switch m := MinimumSize(s); m {
	case "":
		return AllClasses, nil
	case AllClasses, ByClass:
		return m, nil
	}
	return "", fault.Newf(fault.Invalid, "InvalidRequest", "Invalid TransitionDefaultMinimumObjectSize found: %s", s).
		WithHint("the value is %s or %s", AllClasses, ByClass)
}

// New returns the configuration of rules, checked as Parse checks it, with IDs
// for the rules that have none. It keeps and changes rules.
func New(rules []Rule) (*Set, error) {
	s := &Set{Rules: rules}
	if len(rules) == 0 || len(rules) > MaxRules {
		return nil, markup.Malformed("a configuration has 1 to %d rules; this one has %d", MaxRules, len(rules))
	}
	if err := s.checkVersion(); err != nil {
		return nil, err
	}
	for i := range rules {
		if err := checkRule(&rules[i]); err != nil {
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

// conditions returns what the rule's filter asks for, in one form.
func (r *Rule) conditions() And {
	switch f := r.Filter; {
	case f == nil:
		return And{Prefix: r.Prefix}
	case f.And != nil:
		return *f.And
	case f.Tag != nil:
		return And{Tags: []object.Tag{*f.Tag}}
	default:
		return And{Prefix: f.Prefix, Greater: f.Greater, Less: f.Less}
	}
}

// prefix returns the prefix a key must have.
func (r *Rule) prefix() string {
	if p := r.conditions().Prefix; p != nil {
		return *p
	}
	return ""
}

func invalidArgument(message string) *fault.Error {
	return fault.New(fault.Invalid, "InvalidArgument", message)
}

func invalidRequest(message string) *fault.Error {
	return fault.New(fault.Invalid, "InvalidRequest", message)
}
