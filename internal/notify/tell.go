package notify

import (
	"twinbucket/bucket"
	"twinbucket/internal/event"
	"twinbucket/rule"
	"twinbucket/setting"
)

// Teller says who is to be told of what, by the settings of buckets. The zero
// Teller is ready for use.
type Teller struct{ known bucket.Derived[told] }

// told is what a bucket's documents say.
type told struct {
	notices []setting.Notice
	rules   *rule.Set // nil: the bucket does not replicate
}

func read(b *bucket.Bucket) (t told) {
	if d, err := setting.Parse(bucket.Notification, b.Documents[bucket.Notification]); err == nil {
		t.notices, _ = d.Notices() // a document that was stored was checked
	}
	if doc, ok := b.Documents[bucket.Replication]; ok {
		t.rules, _ = rule.Parse(doc)
	}
	return t
}

// Tell is the store's Options.Tell.
func (t *Teller) Tell(b *bucket.Bucket, e *event.Event) bool {
	if b.Documents[bucket.Notification] == nil {
		return false
	}
	known := t.known.Of(b, read)
	if e.Replication != nil && !known.tracks(e) {
		return false
	}
	for i := range known.notices {
		if n := &known.notices[i]; n.Takes(e.Name, e.Key) {
			e.Target, e.Configuration = n.ARN, n.ID
			return true
		}
	}
	return false
}

// tracks reports whether the rule of an event of replication asks for it: a
// failure needs the rule's metrics, a threshold its Replication Time Control.
// What fails because its rule is gone is no longer tracked.
func (t *told) tracks(e *event.Event) bool {
	var r *rule.Rule
	if t.rules != nil {
		r = t.rules.ByID(e.Replication.Rule)
	}
	if r == nil {
		if e.Name == event.ReplicationFailed {
			e.Name, e.Replication.Reason = event.ReplicationNotTracked, ""
		}
		return e.Name == event.ReplicationNotTracked
	}
	needs := r.Destination.Metrics
	if e.Name == event.ReplicationMissed || e.Name == event.ReplicationLate {
		needs = r.Destination.ReplicationTime
	}
	return needs != nil && needs.Status == rule.Enabled
}
