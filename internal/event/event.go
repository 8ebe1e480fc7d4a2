// Package event describes what happened to an object, as the notification
// configuration of its bucket asks to be told of it: how it is written in the
// store's outbox, and the record that a target gets (record.go).
package event

import (
	"time"

	"twinbucket/internal/fields"
	"twinbucket/object"
)

// The names of events, as records have them: configurations have "s3:" before
// them.
const (
	CreatedPut      = "ObjectCreated:Put"
	CreatedPost     = "ObjectCreated:Post"
	CreatedCopy     = "ObjectCreated:Copy"
	CreatedComplete = "ObjectCreated:CompleteMultipartUpload"
	RemovedDelete   = "ObjectRemoved:Delete"
	RemovedMarker   = "ObjectRemoved:DeleteMarkerCreated"
	ExpiredDelete   = "LifecycleExpiration:Delete"
	ExpiredMarker   = "LifecycleExpiration:DeleteMarkerCreated"
	TaggingPut      = "ObjectTagging:Put"
	TaggingDelete   = "ObjectTagging:Delete"
	ACLPut          = "ObjectAcl:Put"

	ReplicationFailed     = "Replication:OperationFailedReplication"
	ReplicationMissed     = "Replication:OperationMissedThreshold"
	ReplicationLate       = "Replication:OperationReplicatedAfterThreshold"
	ReplicationNotTracked = "Replication:OperationNotTracked"
)

// Threshold is how long an operation may wait under Replication Time Control.
const Threshold = 15 * time.Minute

// Event is something that happened to a version.
type Event struct {
	Name   string
	Origin Origin

	Bucket string
	Owner  string // of the bucket: account id
	Key    string
	ID     string // of the version; "" in a bucket that was never versioned
	Size   int64
	ETag   string

	Replication *Replication // of an event of replication

	// Who is to be told: the target's ARN and the id of the configuration that
	// names it.
	Target        string
	Configuration string

	// Place is where the event stands in the outbox. Of two events of one key
	// the later one has the greater place.
	Place uint64
}

// Replication is what an event of replication says of the operation.
type Replication struct {
	Rule        string    // id
	Destination string    // bucket
	Requested   time.Time // when it began to wait
	Reason      string    // AWS's code of a failure
}

// Of returns the event that befell a version.
func Of(name string, v *object.Version) Event {
	e := Event{Name: name, Bucket: v.Bucket, Key: v.Key, ID: v.ID, Size: v.Size, ETag: v.ETag}
	if v.Marker {
		e.ETag = emptyETag
	}
	return e
}

// emptyETag is that of no bytes, which AWS gives delete markers.
const emptyETag = "d41d8cd98f00b204e9800998ecf8427e"

// OfDelivery returns the event of replication that befell a version on its way
// to one destination.
func OfDelivery(name string, v *object.Version, d object.Delivery, requested time.Time) Event {
	e := Of(name, v)
	e.Replication = &Replication{Rule: d.Rule, Destination: d.Bucket, Requested: requested, Reason: d.Code}
	return e
}

// Stored names the event of a version that was stored.
func Stored(v *object.Version, how How) string {
	switch {
	case v.Marker && v.ByLifecycle:
		return ExpiredMarker
	case v.Marker:
		return RemovedMarker
	}
	return map[How]string{ByPut: CreatedPut, ByPost: CreatedPost, ByCopy: CreatedCopy, ByUpload: CreatedComplete}[how]
}

// Deleted returns the events of a version that was removed for good, by a
// lifecycle rule if it expired.
func Deleted(v *object.Version, expired bool) []Event {
	name := RemovedDelete
	if expired {
		name = ExpiredDelete
	}
	all := []Event{Of(name, v)}
	for _, d := range v.Deliveries {
		if d.Status == object.Pending {
			all = append(all, OfDelivery(ReplicationNotTracked, v, d, d.Time))
		}
	}
	return all
}

// Tagged returns the event of a version that has other tags now.
func Tagged(v *object.Version) Event {
	if len(v.Tags) == 0 {
		return Of(TaggingDelete, v)
	}
	return Of(TaggingPut, v)
}

// Replicated returns the event of a replica at its destination.
func Replicated(v *object.Version) Event {
	if len(v.Parts) > 0 {
		return Of(Stored(v, ByUpload), v)
	}
	return Of(Stored(v, ByPut), v)
}

// Delivered returns the event of the end of a delivery at its source, whose
// Deliveries are those before it; false if nobody is to be told of it.
func Delivered(v *object.Version, outcome object.Delivery) (Event, bool) {
	requested := outcome.Time // of what did not wait: a job brings it
	for _, d := range v.Deliveries {
		if d.Bucket == outcome.Bucket && d.Status == object.Pending {
			requested = d.Time
		}
	}
	switch {
	case outcome.Status == object.Failed:
		return OfDelivery(ReplicationFailed, v, outcome, requested), true
	case outcome.Status == object.Completed && outcome.Time.Sub(requested) > Threshold:
		return OfDelivery(ReplicationLate, v, outcome, requested), true
	}
	return Event{}, false
}

// Fields of an event in its row.
const (
	fName fields.Number = iota + 1
	fOrigin
	fBucket
	fOwner
	fKey
	fID
	fSize
	fETag
	fConfiguration
	fRule
	fDestination
	fRequested
	fReason
)

// Encode returns the event as its row has it: without target and place, which
// are the row's name.
func (e *Event) Encode() []byte {
	w := fields.Sized(256)
	w.Text(fName, e.Name)
	e.Origin.Encode(&w, fOrigin)
	w.Text(fBucket, e.Bucket)
	w.Text(fOwner, e.Owner)
	w.Text(fKey, e.Key)
	w.Text(fID, e.ID)
	w.Uint(fSize, uint64(e.Size))
	w.Text(fETag, e.ETag)
	w.Text(fConfiguration, e.Configuration)
	if r := e.Replication; r != nil {
		w.Text(fRule, r.Rule)
		w.Text(fDestination, r.Destination)
		w.Time(fRequested, r.Requested)
		w.Text(fReason, r.Reason)
	}
	return w.Encoded()
}

// Read reads what Encode wrote.
func Read(b []byte) (e Event, err error) {
	var r Replication
	err = fields.Each(b, func(f fields.Field) (err error) {
		switch f.Number {
		case fName:
			e.Name = f.Text()
		case fOrigin:
			var o *Origin
			o, err = ReadOrigin(f.Bytes)
			e.Origin = *o
		case fBucket:
			e.Bucket = f.Text()
		case fOwner:
			e.Owner = f.Text()
		case fKey:
			e.Key = f.Text()
		case fID:
			e.ID = f.Text()
		case fSize:
			e.Size = int64(f.Uint)
		case fETag:
			e.ETag = f.Text()
		case fConfiguration:
			e.Configuration = f.Text()
		case fRule:
			r.Rule = f.Text()
		case fDestination:
			r.Destination = f.Text()
		case fRequested:
			r.Requested = f.Time()
		case fReason:
			r.Reason = f.Text()
		}
		return err
	})
	if r != (Replication{}) {
		e.Replication = &r
	}
	return e, err
}
