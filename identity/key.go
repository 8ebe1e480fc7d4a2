package identity

import (
	"slices"
	"time"

	"twinbucket/fault"
)

// Key is an access key of a user.
type Key struct {
	AccessKey string    `json:"accessKey"`
	Secret    string    `json:"secret"`
	Created   time.Time `json:"created"`
	Inactive  bool      `json:"inactive,omitempty"`
}

// Status is how AWS calls it whether a key works: Active or Inactive.
func (k *Key) Status() string {
	if k.Inactive {
		return "Inactive"
	}
	return "Active"
}

// Keys are the access keys of one user, in the order they were made.
type Keys []Key

// Find returns where in the list a key is: NoSuchEntity if it is not there.
func (k Keys) Find(accessKey string) (int, error) {
	i := slices.IndexFunc(k, func(k Key) bool { return k.AccessKey == accessKey })
	if i < 0 {
		return 0, fault.Newf(fault.NotFound, "NoSuchEntity", "The Access Key with id %s cannot be found.", accessKey).On(accessKey)
	}
	return i, nil
}

// Working returns the first key that is active; nil if none is.
func (k Keys) Working() *Key {
	for i := range k {
		if !k[i].Inactive {
			return &k[i]
		}
	}
	return nil
}

// Validate reports whether there are too many: LimitExceeded.
func (k Keys) Validate() error {
	if len(k) > MaxKeys {
		return over("Cannot exceed quota for AccessKeysPerUser: %d", MaxKeys).WithHint("delete a key that is no longer used")
	}
	return nil
}
