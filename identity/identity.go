// Package identity describes the identities of IAM: what users, groups and
// roles have in common, users with their access keys, and groups. Roles, which
// are assumed, have a package of their own.
package identity

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Kind is a kind of identity.
type Kind uint8

// The kinds.
const (
	UserKind Kind = iota
	GroupKind
	RoleKind
)

// String returns the kind as messages have it: "user".
func (k Kind) String() string { return [...]string{"user", "group", "role"}[k] }

// Word returns the kind as names of actions have it: "User".
func (k Kind) Word() string { return [...]string{"User", "Group", "Role"}[k] }

// Identity is what users, groups and roles have in common. It is a value: to
// change one, change a clone.
type Identity struct {
	Account  string            `json:"account"` // 12 digits
	Path     string            `json:"path"`    // begins and ends with "/"
	Name     string            `json:"name"`
	ID       string            `json:"id"` // unique: another one when the identity is made anew
	Created  time.Time         `json:"created"`
	Inline   map[string][]byte `json:"inline,omitempty"`   // JSON of the inline policies, by name
	Attached []string          `json:"attached,omitempty"` // ARNs of managed policies, in the order they were attached
	Boundary string            `json:"boundary,omitempty"` // ARN of the managed policy that is the permissions boundary; groups have none
	Tags     map[string]string `json:"tags,omitempty"`     // groups have none
}

// Clone returns a copy that shares no map or list with i; documents are
// shared, for they are never changed in place.
func (i Identity) Clone() Identity {
	i.Inline, i.Attached, i.Tags = maps.Clone(i.Inline), slices.Clone(i.Attached), maps.Clone(i.Tags)
	return i
}

// Policies returns the names of the inline policies, sorted.
func (i *Identity) Policies() []string { return slices.Sorted(maps.Keys(i.Inline)) }

// ARN returns the ARN of an identity of a kind.
func (i *Identity) ARN(k Kind) string {
	return "arn:aws:iam::" + i.Account + ":" + k.String() + i.Path + i.Name
}

// TagFacts returns the condition keys of the tags that an identity or a managed
// policy has.
func TagFacts(tags map[string]string) map[string][]string {
	facts := make(map[string][]string, 2*len(tags))
	for key, value := range tags {
		for _, vendor := range []string{"aws", "iam"} {
			facts[vendor+":resourcetag/"+strings.ToLower(key)] = []string{value}
		}
	}
	return facts
}

// RequestFacts returns the condition keys of the tags that a request gives.
func RequestFacts(tags map[string]string) map[string][]string {
	facts := make(map[string][]string, len(tags)+1)
	for key, value := range tags {
		facts["aws:requesttag/"+strings.ToLower(key)] = []string{value}
	}
	if len(tags) > 0 {
		facts["aws:tagkeys"] = slices.Sorted(maps.Keys(tags))
	}
	return facts
}

// CompareNames orders names as IAM lists them: whatever their case.
func CompareNames(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) }
