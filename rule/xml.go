package rule

import (
	"encoding/xml"
	"strconv"
	"strings"

	"twinbucket/object"
)

const namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

// XML returns the configuration as GetBucketReplication answers it: as it was
// put, with the IDs that were generated.
func (s *Set) XML() []byte {
	var b strings.Builder
	b.WriteString(xml.Header)
	b.WriteString(`<ReplicationConfiguration xmlns="` + namespace + `">`)
	leaf(&b, "Role", s.Role)
	for i := range s.Rules {
		writeRule(&b, &s.Rules[i])
	}
	b.WriteString("</ReplicationConfiguration>")
	return []byte(b.String())
}

func writeRule(b *strings.Builder, r *Rule) {
	wrap(b, "Rule", func() {
		leafIf(b, "ID", r.ID)
		if r.Priority != nil {
			leaf(b, "Priority", strconv.Itoa(*r.Priority))
		}
		leafPtr(b, "Prefix", r.Prefix)
		if r.Filter != nil {
			wrap(b, "Filter", func() { writeFilter(b, r.Filter) })
		}
		leaf(b, "Status", string(r.Status))
		if r.SseKmsEncryptedObjects != "" || r.ReplicaModifications != "" {
			wrap(b, "SourceSelectionCriteria", func() {
				writeStatus(b, "SseKmsEncryptedObjects", r.SseKmsEncryptedObjects)
				writeStatus(b, "ReplicaModifications", r.ReplicaModifications)
			})
		}
		writeStatus(b, "ExistingObjectReplication", r.ExistingObjectReplication)
		wrap(b, "Destination", func() { writeDestination(b, &r.Destination) })
		writeStatus(b, "DeleteMarkerReplication", r.DeleteMarkerReplication)
	})
}

func writeFilter(b *strings.Builder, f *Filter) {
	leafPtr(b, "Prefix", f.Prefix)
	if f.Tag != nil {
		writeTag(b, *f.Tag)
	}
	if f.And != nil {
		wrap(b, "And", func() {
			leafPtr(b, "Prefix", f.And.Prefix)
			for _, t := range f.And.Tags {
				writeTag(b, t)
			}
		})
	}
}

func writeTag(b *strings.Builder, t object.Tag) {
	wrap(b, "Tag", func() {
		leaf(b, "Key", t.Key)
		leaf(b, "Value", t.Value)
	})
}

func writeDestination(b *strings.Builder, d *Destination) {
	leaf(b, "Bucket", d.Bucket)
	leafIf(b, "Account", d.Account)
	leafIf(b, "StorageClass", d.StorageClass)
	if d.OwnerOverride {
		wrap(b, "AccessControlTranslation", func() { leaf(b, "Owner", "Destination") })
	}
	if d.ReplicaKmsKeyID != "" {
		wrap(b, "EncryptionConfiguration", func() { leaf(b, "ReplicaKmsKeyID", d.ReplicaKmsKeyID) })
	}
	writeTiming(b, "ReplicationTime", "Time", d.ReplicationTime)
	writeTiming(b, "Metrics", "EventThreshold", d.Metrics)
}

func writeTiming(b *strings.Builder, name, span string, t *Timing) {
	if t == nil {
		return
	}
	wrap(b, name, func() {
		leaf(b, "Status", string(t.Status))
		if t.Minutes != 0 {
			wrap(b, span, func() { leaf(b, "Minutes", strconv.Itoa(t.Minutes)) })
		}
	})
}

func writeStatus(b *strings.Builder, name string, s Status) {
	if s != "" {
		wrap(b, name, func() { leaf(b, "Status", string(s)) })
	}
}

// wrap writes an element around what inner writes.
func wrap(b *strings.Builder, name string, inner func()) {
	b.WriteString("<" + name + ">")
	inner()
	b.WriteString("</" + name + ">")
}

// leaf writes an element that holds text.
func leaf(b *strings.Builder, name, text string) {
	b.WriteString("<" + name + ">")
	// A strings.Builder never fails, so neither does EscapeText.
	_ = xml.EscapeText(b, []byte(text))
	b.WriteString("</" + name + ">")
}

func leafIf(b *strings.Builder, name, text string) {
	if text != "" {
		leaf(b, name, text)
	}
}

func leafPtr(b *strings.Builder, name string, text *string) {
	if text != nil {
		leaf(b, name, *text)
	}
}
