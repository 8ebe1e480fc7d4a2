package rule

import (
	"fmt"
	"slices"
	"strings"

	"twinbucket/object"
)

// Verdict says whether live replication takes a version under a rule.
type Verdict struct {
	Rule     *Rule
	Selected bool
	Why      string // it is not selected; "" if it is
	// Decides says that the rule, of those that match the version, is the one
	// that counts for its destination.
	Decides bool
	// Changes says that live replication carries changes of the tags, the ACL
	// and the lock of v, which is a replica, under the rule.
	Changes bool
}

// Explain returns what Select decides about v, with the reason for every rule
// in the document's order.
func (s *Set) Explain(v *object.Version) []Verdict {
	out := make([]Verdict, len(s.Rules))
	winners := map[string]*Rule{}
	for i := range s.groups {
		if best := s.groups[i].best(v); best != nil {
			winners[s.groups[i].destination] = best.rule
		}
	}
	for i := range s.Rules {
		r := &s.Rules[i]
		why := r.passes(v)
		if why == "" {
			why = r.yields(v, winners[r.Destination.BucketName()])
		}
		if why == "" {
			why = ineligible(v, r)
		}
		out[i] = Verdict{Rule: r, Selected: why == "", Why: why, Decides: r == winners[r.Destination.BucketName()]}
	}
	if v.IsReplica() {
		for _, c := range s.SelectChanges(v) {
			i := slices.IndexFunc(out, func(x Verdict) bool { return x.Rule == c.Rule })
			out[i].Changes = true
		}
	}
	return out
}

// passes says why the rule does not match v; "" if it does.
func (r *Rule) passes(v *object.Version) string {
	if r.Status != Enabled {
		return "the rule is Disabled"
	}
	if p := r.KeyPrefix(); !strings.HasPrefix(v.Key, p) {
		return fmt.Sprintf("the key does not begin with %q", p)
	}
	for _, t := range r.Tags() {
		if !hasTags(v.Tags, []object.Tag{t}) {
			return fmt.Sprintf("the object has no tag %s=%s", t.Key, t.Value)
		}
	}
	return ""
}

// yields says why a rule that matches v does not take it all the same; "" if
// it does. The winner is the matching rule of the highest priority.
func (r *Rule) yields(v *object.Version, winner *Rule) string {
	switch {
	case r != winner:
		return fmt.Sprintf("rule %q, of a higher priority, decides for the same destination", winner.ID)
	case v.Marker && !r.TakesMarkers():
		return "it is a delete marker, and DeleteMarkerReplication is Disabled"
	case v.Encryption.Algorithm == object.KMS && r.SseKmsEncryptedObjects != Enabled:
		return "it is encrypted under a key of KMS, and SseKmsEncryptedObjects is not Enabled"
	}
	return ""
}

// ineligible says why no rule takes v, what it may match; "" if one may.
func ineligible(v *object.Version, r *Rule) string {
	switch {
	case v.IsReplica() && r.ReplicaModifications == Enabled:
		return "it is a replica itself: only changes of its tags, ACL and Object Lock go there, by ReplicaModifications"
	case v.IsReplica():
		return "it is a replica itself: those are not replicated again, but by a Batch Replication job"
	case v.Class == "GLACIER" || v.Class == "DEEP_ARCHIVE":
		return "its storage class is " + v.Class + ": archived objects are not read"
	case v.ByLifecycle:
		return "a lifecycle rule made the delete marker: each bucket has lifecycle rules of its own"
	}
	return ""
}
