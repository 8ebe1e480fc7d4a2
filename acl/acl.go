// Package acl is access control lists: what the owner of a bucket or object
// grants to whom, as the Amazon S3 User Guide has it under "Access control
// list (ACL) overview".
package acl

import (
	"crypto/sha256"
	"encoding/hex"
)

// CanonicalID returns the canonical user id of an account: 64 hex digits that
// follow from its number.
func CanonicalID(account string) string {
	sum := sha256.Sum256([]byte("twinbucket canonical user " + account))
	return hex.EncodeToString(sum[:])
}

// Permission is what a grant lets its grantee do.
type Permission string

// The permissions.
const (
	Read        Permission = "READ"      // list a bucket, read an object
	Write       Permission = "WRITE"     // write and delete the objects of a bucket
	ReadACP     Permission = "READ_ACP"  // read the list
	WriteACP    Permission = "WRITE_ACP" // write the list
	FullControl Permission = "FULL_CONTROL"
)

// Valid reports whether p is one of the permissions.
func (p Permission) Valid() bool {
	switch p {
	case Read, Write, ReadACP, WriteACP, FullControl:
		return true
	}
	return false
}

// The groups that a grant may name.
const (
	AllUsers           = "http://acs.amazonaws.com/groups/global/AllUsers"           // anybody
	AuthenticatedUsers = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers" // who signs, of any account
	LogDelivery        = "http://acs.amazonaws.com/groups/s3/LogDelivery"            // who writes access logs
)

// ValidGroup reports whether uri is one of the groups.
func ValidGroup(uri string) bool {
	return uri == AllUsers || uri == AuthenticatedUsers || uri == LogDelivery
}

// BundleReader is the canonical user id that the canned list aws-exec-read
// grants to: Amazon EC2, which reads machine images.
const BundleReader = "6aa5a366c34c1cbe25dc49211496e913e0351eb0e8c37aa3477e40942ec6b97c"

// MaxGrants is how many grants a list may have.
const MaxGrants = 100

// Grant gives one grantee one permission.
type Grant struct {
	ID         string     `json:"id,omitempty"`    // canonical user id of an account, or
	Group      string     `json:"group,omitempty"` // URI of a group
	Permission Permission `json:"permission"`
}

// public reports whether the grant is to people of any account.
func (g *Grant) public() bool { return g.Group == AllUsers || g.Group == AuthenticatedUsers }

// List is a list, without its owner. Nil is the list of what was put without
// one: the owner has full control. One that is empty grants nothing.
type List []Grant

// Private returns the list by which the owner has full control.
func Private(owner string) List { return List{{ID: owner, Permission: FullControl}} }

// Or returns the list, or Private if it is nil.
func (l List) Or(owner string) List {
	if l == nil {
		return Private(owner)
	}
	return l
}

// Public reports whether the list grants anything to people of any account.
func (l List) Public() bool {
	for i := range l {
		if l[i].public() {
			return true
		}
	}
	return false
}

// Beyond reports whether the list grants anything to others than the owner.
func (l List) Beyond(owner string) bool {
	for i := range l {
		if l[i].ID != owner {
			return true
		}
	}
	return false
}

// Caller is who wants to make use of a list.
type Caller struct {
	ID     string // canonical user id; "" for the anonymous
	Signed bool   // the request is signed: its caller is an authenticated user
	// Strict leaves what is granted to people of any account out, as a public
	// access block with IgnorePublicAcls does.
	Strict bool
}

// Find returns a grant of p to a caller; one to everybody before one to the
// account.
func (l List) Find(c Caller, p Permission) (Grant, bool) {
	var own Grant
	found := false
	for _, g := range l {
		if g.Permission != p && g.Permission != FullControl {
			continue
		}
		switch {
		case !c.Strict && (g.Group == AllUsers || g.Group == AuthenticatedUsers && c.Signed):
			return g, true
		case c.ID != "" && g.ID == c.ID:
			own, found = g, true
		}
	}
	return own, found
}

// Canned returns the list that x-amz-acl names: nil for the owner's full
// control alone. owner owns what the list is for, bucketOwner the bucket that
// it is in; for a bucket's own list bucketOwner is "".
func Canned(name, owner, bucketOwner string) (l List, ok bool) {
	full := Grant{ID: owner, Permission: FullControl}
	switch name {
	case "private":
		return nil, true
	case "public-read":
		return List{full, {Group: AllUsers, Permission: Read}}, true
	case "public-read-write":
		return List{full, {Group: AllUsers, Permission: Read}, {Group: AllUsers, Permission: Write}}, true
	case "authenticated-read":
		return List{full, {Group: AuthenticatedUsers, Permission: Read}}, true
	case "aws-exec-read":
		return List{full, {ID: BundleReader, Permission: Read}}, true
	case "log-delivery-write":
		if bucketOwner == "" {
			return List{full, {Group: LogDelivery, Permission: Write}, {Group: LogDelivery, Permission: ReadACP}}, true
		}
		return nil, true
	case "bucket-owner-read", "bucket-owner-full-control":
		if bucketOwner == "" || bucketOwner == owner {
			return nil, true
		}
		p := Read
		if name == "bucket-owner-full-control" {
			p = FullControl
		}
		return List{full, {ID: bucketOwner, Permission: p}}, true
	}
	return nil, false
}
