package identity

import (
	"slices"
	"strings"

	"twinbucket/policy"
)

const (
	// MaxKeys is how many access keys a user can have, a root user too.
	MaxKeys = 2
	// MaxGroups is how many groups a user can be in.
	MaxGroups = 10
)

// User is an IAM user.
type User struct {
	Identity
	Keys   Keys     `json:"keys,omitempty"`
	Groups []string `json:"groups,omitempty"` // names, in the order they were joined
}

// Group is an IAM group: what its users may do beside their own policies.
type Group struct{ Identity }

// ARN returns the user's ARN.
func (u *User) ARN() string { return u.Identity.ARN(UserKind) }

// ARN returns the group's ARN.
func (g *Group) ARN() string { return g.Identity.ARN(GroupKind) }

// Principal returns the user as a principal.
func (u *User) Principal() policy.Principal {
	return policy.Principal{Type: policy.User, Account: u.Account, ARN: u.ARN(), UserID: u.ID, Tags: u.Tags}
}

// In reports whether the user is in a group.
func (u *User) In(group string) bool {
	return slices.ContainsFunc(u.Groups, func(name string) bool { return strings.EqualFold(name, group) })
}

// Clone returns a copy that shares no map or list with u.
func (u *User) Clone() *User {
	return &User{u.Identity.Clone(), slices.Clone(u.Keys), slices.Clone(u.Groups)}
}

// Clone returns a copy that shares no map or list with g.
func (g *Group) Clone() *Group { return &Group{g.Identity.Clone()} }

// Validate reports the first thing that is wrong with the user:
// ValidationError, InvalidInput, MalformedPolicyDocument or LimitExceeded.
// Whether policies and groups exist is not looked at.
func (u *User) Validate() error {
	if err := check(UserKind, &u.Identity); err != nil {
		return err
	}
	if len(u.Groups) > MaxGroups {
		return over("Cannot exceed quota for GroupsPerUser: %d", MaxGroups)
	}
	return u.Keys.Validate()
}

// Validate reports the first thing that is wrong with the group, as that of a
// user does.
func (g *Group) Validate() error { return check(GroupKind, &g.Identity) }

func check(k Kind, i *Identity) error {
	if err := k.CheckName(i.Name); err != nil {
		return err
	}
	if err := CheckPath(i.Path); err != nil {
		return err
	}
	if err := CheckTags(i.Tags); err != nil {
		return err
	}
	return i.CheckPolicies(k)
}
