package setting

import (
	"strconv"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/markup"
)

// The longest default retention.
const (
	maxRetentionDays  = 36500
	maxRetentionYears = 100
)

var lockKind = kind{
	root: group("ObjectLockConfiguration", needed(word("ObjectLockEnabled", "Enabled")),
		group("Rule", needed(group("DefaultRetention",
			needed(word("Mode", "GOVERNANCE", "COMPLIANCE")), formed("Days", integer), formed("Years", integer))))),
	limit: 64 << 10,
	check: checkLock,
}

func checkLock(root *node) error {
	r := root.at("Rule", "DefaultRetention")
	if r == nil {
		return nil
	}
	days, years := r.value("Days"), r.value("Years")
	switch {
	case (days == "") == (years == ""):
		return markup.Malformed("DefaultRetention holds either Days or Years")
	case days != "":
		return checkPeriod("Days", days, maxRetentionDays)
	}
	return checkPeriod("Years", years, maxRetentionYears)
}

func checkPeriod(unit, text string, most int) error {
	n, err := strconv.Atoi(text)
	switch {
	case err != nil || n <= 0:
		return invalidArgument(unit, "Default retention period must be a positive integer value.")
	case n > most:
		return invalidArgument(unit, "Default retention period too large.")
	}
	return nil
}

// checkVersioned refuses Object Lock where there are no versions to lock.
func checkVersioned(b *bucket.Bucket) error {
	if b.Versioning != bucket.Enabled {
		return fault.New(fault.Conflict, "InvalidBucketState", "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration").On(b.Name)
	}
	return nil
}

// ObjectLock returns the ObjectLock document without a default retention.
func ObjectLock() []byte {
	root := &node{}
	root.set("ObjectLockEnabled", "Enabled")
	return lockKind.root.document(root)
}
