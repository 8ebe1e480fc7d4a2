// Package config holds what a server is told: where its data is, where it
// listens, which accounts it has.
package config

import (
	"strings"
	"time"

	"twinbucket/arn"
	"twinbucket/fault"
)

// The defaults of a server.
const (
	DefaultData   = "./twinbucket-data"
	DefaultListen = "127.0.0.1:9000"
	DefaultRegion = "us-east-1"
)

// Server is what a server is told.
type Server struct {
	Data     string    // directory of the store
	Listen   string    // HOST:PORT
	Region   string    // of every bucket and endpoint
	Accounts []Account // that must be there; the store may have more
	Domains  []string  // hosts below which a bucket's name may stand, as in BUCKET.DOMAIN
	// ScrubEvery is how long after one reading of everything stored the next
	// begins; never if it is 0.
	ScrubEvery time.Duration
	// LifecycleInterval is the longest time between two passes of lifecycle
	// rules; a day if 0.
	LifecycleInterval time.Duration
	// LifecycleDay is how long a day of lifecycle rules lasts; 24 hours if 0.
	LifecycleDay time.Duration
}

// Account names an account; clients use the name as their profile.
type Account struct {
	Name string
	ID   string // 12 digits
}

// DefaultAccount is the account of a new server that was told none: its
// profile is the one that clients use when they are told none.
var DefaultAccount = Account{Name: "default", ID: "000000000000"}

// ParseAccount reads NAME=ID.
func ParseAccount(s string) (Account, error) {
	name, id, ok := strings.Cut(s, "=")
	if !ok || !arn.ValidAccount(id) || !validProfile(name) {
		return Account{}, fault.Newf(fault.Invalid, "", "%q is not an account", s).
			WithHint("an account is NAME=ID: a name of letters, digits, hyphens and dots, and 12 digits, such as source=111111111111")
	}
	return Account{name, id}, nil
}

// validProfile reports whether name can be a profile in a credentials file.
func validProfile(name string) bool {
	return name != "" && len(name) <= 64 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") == ""
}
