package bucket

import (
	"encoding/xml"
	"time"
)

// Retention is how long the new objects of a bucket are retained, unless they
// say otherwise.
type Retention struct {
	Mode        string // "GOVERNANCE" or "COMPLIANCE"; "" if there is no default
	Days, Years int    // one of them, the other is 0
}

// Until returns when the retention of what was made at t ends.
func (r Retention) Until(t time.Time) time.Time { return t.AddDate(r.Years, 0, r.Days) }

// Locked reports whether Object Lock is on; it cannot be turned off.
func (b *Bucket) Locked() bool { return b.Documents[ObjectLock] != nil }

// DefaultRetention returns the default of the Object Lock configuration.
func (b *Bucket) DefaultRetention() Retention {
	doc := b.Documents[ObjectLock]
	if doc == nil {
		return Retention{}
	}
	var c struct {
		Rule struct{ DefaultRetention Retention }
	}
	if xml.Unmarshal(doc, &c) != nil {
		return Retention{} // only checked documents are stored
	}
	return c.Rule.DefaultRetention
}
