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
		no := r.refuses(v, winners[r.Destination.BucketName()])
		if v.IsReplica() && (no.Cause == 0 || no.Cause >= Archived) {
			no.Cause = ItIsAReplica
		}
		out[i] = Verdict{Rule: r, Selected: no.Cause == 0, Why: no.String(), Decides: r == winners[r.Destination.BucketName()]}
	}
	if v.IsReplica() {
		for _, c := range s.SelectChanges(v) {
			i := slices.IndexFunc(out, func(x Verdict) bool { return x.Rule == c.Rule })
			out[i].Changes = true
		}
	}
	return out
}

// Cause is what keeps a rule from taking a version.
type Cause int

// The causes: the later one comes, the nearer the rule is to taking the version.
const (
	RuleDisabled Cause = iota + 1
	OtherPrefix
	OtherTags
	WouldIfEnabled // all else of a Disabled rule fits
	HigherPriority
	NoDeleteMarkers
	NoKMS
	Archived
	ByLifecycle
	ItIsAReplica
)

// Obstacle is what keeps a rule from taking a version; without a Cause nothing
// does.
type Obstacle struct {
	Cause Cause
	Rule  *Rule
	tag   object.Tag // the first that is missing
	by    *Rule      // of a higher priority
	class string
}

// String says it in words; "" if nothing is in the way.
func (o Obstacle) String() string {
	switch o.Cause {
	case RuleDisabled, WouldIfEnabled:
		return "the rule is Disabled"
	case OtherPrefix:
		return fmt.Sprintf("the key does not begin with %q", o.Rule.KeyPrefix())
	case OtherTags:
		return fmt.Sprintf("the object has no tag %s=%s", o.tag.Key, o.tag.Value)
	case HigherPriority:
		return fmt.Sprintf("rule %q, of a higher priority, decides for the same destination", o.by.ID)
	case NoDeleteMarkers:
		return "it is a delete marker, and DeleteMarkerReplication is Disabled"
	case NoKMS:
		return "it is encrypted under a key of KMS, and SseKmsEncryptedObjects is not Enabled"
	case Archived:
		return "its storage class is " + o.class + ": archived objects are not read"
	case ByLifecycle:
		return "a lifecycle rule made the delete marker: each bucket has lifecycle rules of its own"
	case ItIsAReplica:
		if o.Rule.ReplicaModifications == Enabled {
			return "it is a replica itself: only changes of its tags, ACL and Object Lock go there, by ReplicaModifications"
		}
		return "it is a replica itself: those are not replicated again, but by a Batch Replication job"
	}
	return ""
}

// Obstacle returns what keeps SelectExisting from taking v, for the rule that
// is nearest to it; one without a Cause if a rule takes v.
func (s *Set) Obstacle(v *object.Version) Obstacle {
	var nearest Obstacle
	note := func(o Obstacle) {
		if o.Cause > nearest.Cause {
			nearest = o
		}
	}
	for i := range s.groups {
		if best := s.groups[i].best(v); best != nil {
			no := best.rule.refuses(v, best.rule)
			if no.Cause == 0 {
				return no
			}
			note(no)
		}
	}
	for i := range s.Rules {
		r := &s.Rules[i]
		no := r.matches(v)
		switch {
		case r.Status == Enabled:
		case no.Cause == 0:
			no.Cause = WouldIfEnabled
		default:
			no.Cause = RuleDisabled
		}
		note(no)
	}
	return nearest
}

// refuses says why a job does not take v under the rule; the winner is the
// matching rule of the highest priority for its destination, nil if none matches.
func (r *Rule) refuses(v *object.Version, winner *Rule) Obstacle {
	if r.Status != Enabled {
		return Obstacle{Cause: RuleDisabled, Rule: r}
	}
	if no := r.matches(v); no.Cause != 0 {
		return no
	}
	no := Obstacle{Rule: r}
	switch {
	case r != winner:
		no.Cause, no.by = HigherPriority, winner
	case v.Marker && !r.TakesMarkers():
		no.Cause = NoDeleteMarkers
	case v.Encryption.Algorithm == object.KMS && r.SseKmsEncryptedObjects != Enabled:
		no.Cause = NoKMS
	case v.Class == "GLACIER" || v.Class == "DEEP_ARCHIVE":
		no.Cause, no.class = Archived, v.Class
	case v.ByLifecycle:
		no.Cause = ByLifecycle
	}
	return no
}

// matches says why the rule's filter does not take v.
func (r *Rule) matches(v *object.Version) Obstacle {
	if !strings.HasPrefix(v.Key, r.KeyPrefix()) {
		return Obstacle{Cause: OtherPrefix, Rule: r}
	}
	for _, t := range r.Tags() {
		if !hasTags(v.Tags, []object.Tag{t}) {
			return Obstacle{Cause: OtherTags, Rule: r, tag: t}
		}
	}
	return Obstacle{Rule: r}
}
