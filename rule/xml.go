package rule

import (
	"encoding/xml"
	"strconv"
	"strings"

	"twinbucket/markup"
)

// XML returns the configuration as GetBucketReplication answers it: as it was
// put, with the IDs that were generated.
func (s *Set) XML() []byte {
	var b strings.Builder
	b.WriteString(xml.Header)
	b.WriteString(`<ReplicationConfiguration xmlns="` + markup.Namespace + `">`)
	markup.Leaf(&b, "Role", s.Role)
	for i := range s.Rules {
		writeRule(&b, &s.Rules[i])
	}
	b.WriteString("</ReplicationConfiguration>")
	return []byte(b.String())
}

func writeRule(b *strings.Builder, r *Rule) {
	markup.Wrap(b, "Rule", func() {
		markup.LeafIf(b, "ID", r.ID)
		if r.Priority != nil {
			markup.Leaf(b, "Priority", strconv.Itoa(*r.Priority))
		}
		markup.LeafPtr(b, "Prefix", r.Prefix)
		if r.Filter != nil {
			markup.Wrap(b, "Filter", func() { writeFilter(b, r.Filter) })
		}
		markup.Leaf(b, "Status", string(r.Status))
		if r.SseKmsEncryptedObjects != "" || r.ReplicaModifications != "" {
			markup.Wrap(b, "SourceSelectionCriteria", func() {
				writeStatus(b, "SseKmsEncryptedObjects", r.SseKmsEncryptedObjects)
				writeStatus(b, "ReplicaModifications", r.ReplicaModifications)
			})
		}
		writeStatus(b, "ExistingObjectReplication", r.ExistingObjectReplication)
		markup.Wrap(b, "Destination", func() { writeDestination(b, &r.Destination) })
		writeStatus(b, "DeleteMarkerReplication", r.DeleteMarkerReplication)
	})
}

func writeFilter(b *strings.Builder, f *Filter) {
	markup.LeafPtr(b, "Prefix", f.Prefix)
	if f.Tag != nil {
		markup.WriteTag(b, f.Tag.Key, f.Tag.Value)
	}
	if f.And != nil {
		markup.Wrap(b, "And", func() {
			markup.LeafPtr(b, "Prefix", f.And.Prefix)
			for _, t := range f.And.Tags {
				markup.WriteTag(b, t.Key, t.Value)
			}
		})
	}
}

func writeDestination(b *strings.Builder, d *Destination) {
	markup.Leaf(b, "Bucket", d.Bucket)
	markup.LeafIf(b, "Account", d.Account)
	markup.LeafIf(b, "StorageClass", d.StorageClass)
	if d.OwnerOverride {
		markup.Wrap(b, "AccessControlTranslation", func() { markup.Leaf(b, "Owner", "Destination") })
	}
	if d.ReplicaKmsKeyID != "" {
		markup.Wrap(b, "EncryptionConfiguration", func() { markup.Leaf(b, "ReplicaKmsKeyID", d.ReplicaKmsKeyID) })
	}
	writeTiming(b, "ReplicationTime", "Time", d.ReplicationTime)
	writeTiming(b, "Metrics", "EventThreshold", d.Metrics)
}

func writeTiming(b *strings.Builder, name, span string, t *Timing) {
	if t == nil {
		return
	}
	markup.Wrap(b, name, func() {
		markup.Leaf(b, "Status", string(t.Status))
		if t.Minutes != 0 {
			markup.Wrap(b, span, func() { markup.Leaf(b, "Minutes", strconv.Itoa(t.Minutes)) })
		}
	})
}

func writeStatus(b *strings.Builder, name string, s Status) {
	if s != "" {
		markup.Wrap(b, name, func() { markup.Leaf(b, "Status", string(s)) })
	}
}
