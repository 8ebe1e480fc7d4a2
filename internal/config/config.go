// Package config holds what a server is told: where its data is, where it
// listens, which accounts it has.
package config

import (
	"strings"
	"time"

	"twinbucket/arn"
	"twinbucket/bucket"
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
	Data   string // directory of the store
	Listen string // HOST:PORT
	// MetricsListen is the HOST:PORT at which metrics are answered. If it is
	// empty they are answered at Listen, provided that it is a loopback address:
	// they name buckets, and ask for no credentials.
	MetricsListen string
	Region        string    // of every bucket and endpoint
	Accounts      []Account // that must be there; the store may have more
	Keys          []Key     // that stand for keys of KMS
	Domains       []string  // hosts below which a bucket's name may stand, as in BUCKET.DOMAIN
	// Ownership is the Object Ownership of new buckets that name none;
	// BucketOwnerEnforced if empty.
	Ownership bucket.Ownership
	// ScrubEvery is how long after one reading of everything stored the next
	// begins; never if it is 0.
	ScrubEvery time.Duration
	// ProveEvery is how long after one look at a bucket's replicas the next
	// begins; never if it is 0.
	ProveEvery time.Duration
	// RetryFailed has failed replications tried again once their cause is gone.
	RetryFailed bool
	// LifecycleInterval is the longest time between two passes of lifecycle
	// rules; a day if 0.
	LifecycleInterval time.Duration
	// LifecycleDay is how long a day of lifecycle rules lasts; 24 hours if 0.
	LifecycleDay time.Duration
	// EventTargets are who can be told of events.
	EventTargets []EventTarget
}

// EventTarget stands for a queue, topic or function of AWS that notification
// configurations name.
type EventTarget struct{ ARN, URL string }

// ParseEventTarget reads ARN=URL.
func ParseEventTarget(s string) (EventTarget, error) {
	name, target, ok := strings.Cut(s, "=")
	if !ok || !strings.HasPrefix(name, "arn:") || target == "" {
		return EventTarget{}, fault.New(fault.Invalid, "", "this is not an event target").
			WithHint("an event target is ARN=URL, such as arn:aws:sqs:us-east-1:111111111111:events=http://127.0.0.1:8080/events")
	}
	return EventTarget{name, target}, nil
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

// Key stands for a key of KMS.
type Key struct {
	Account string // 12 digits; "" gives every account a key of its own by that id
	ID      string
	Alias   string // without "alias/"; "" if it has none
	// Disabled keys are there, and nothing can be done with them.
	Disabled bool
}

// ParseKey reads [ACCOUNT/]KEY-ID[=ALIAS].
func ParseKey(s string) (Key, error) {
	var k Key
	rest, alias, named := strings.Cut(s, "=")
	k.Alias = strings.TrimPrefix(alias, "alias/")
	account, id, of := strings.Cut(rest, "/")
	if of {
		k.Account, k.ID = account, id
	} else {
		k.ID = rest
	}
	if of && !arn.ValidAccount(account) || !validKey(k.ID, "") || named && !validKey(k.Alias, "/_") || strings.HasPrefix(k.Alias, "aws/") {
		return Key{}, fault.Newf(fault.Invalid, "", "%q is not a key", s).
			WithHint("a key is [ACCOUNT/]KEY-ID[=ALIAS]: letters, digits and hyphens, such as 111111111111/1234abcd-12ab-34cd-56ef-1234567890ab=backups")
	}
	return k, nil
}

// DisableKey disables the one of keys that [ACCOUNT/]KEY-ID names.
func DisableKey(keys []Key, name string) error {
	account, id, of := strings.Cut(name, "/")
	if !of {
		account, id = "", name
	}
	for i := range keys {
		if k := &keys[i]; k.Account == account && k.ID == id {
			k.Disabled = true
			return nil
		}
	}
	return fault.Newf(fault.Invalid, "", "there is no key %q to disable", name).
		WithHint("name it as --kms-key does, without its alias")
}

// validKey reports whether name can be a key's id, or its alias with more
// characters allowed.
func validKey(name, more string) bool {
	return name != "" && len(name) <= 250 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-"+more) == ""
}

// validProfile reports whether name can be a profile in a credentials file.
func validProfile(name string) bool {
	return name != "" && len(name) <= 64 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") == ""
}
