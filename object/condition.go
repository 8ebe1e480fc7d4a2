package object

import "twinbucket/fault"

// Condition is what a caller requires of the current version of a key. ETags
// are given without quotes; "*" is any.
type Condition struct{ Match, NoneMatch string }

// Check reports whether the condition holds for the current version; cur is nil
// if there is none or it is a delete marker.
func (c Condition) Check(cur *Version) error {
	if c.Match != "" {
		if cur == nil {
			return fault.New(fault.NotFound, "NoSuchKey", "The specified key does not exist.")
		}
		if c.Match != "*" && c.Match != cur.ETag {
			return preconditionFailed()
		}
	}
	if c.NoneMatch != "" && cur != nil && (c.NoneMatch == "*" || c.NoneMatch == cur.ETag) {
		return preconditionFailed()
	}
	return nil
}

// CheckDeletion is Check for a delete of the version v, which is nil if there
// is none: a delete marker is there, but is no object that could match.
func (c Condition) CheckDeletion(v *Version, id string) error {
	switch {
	case c.Match == "":
		return nil
	case v == nil && id != "" && id != NullID:
		return NoSuchVersion(id)
	case v != nil && v.Marker:
		return preconditionFailed()
	}
	return c.Check(v)
}

func preconditionFailed() error {
	return fault.New(fault.Precondition, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
}

// NoSuchVersion is AWS's answer for a version that is not there.
func NoSuchVersion(id string) error {
	return fault.New(fault.NotFound, "NoSuchVersion", "The specified version does not exist.").On(id)
}
