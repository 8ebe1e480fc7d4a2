package object

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"twinbucket/fault"
)

// Aspects is a set of what can change of a version once it is stored.
type Aspects uint8

// The aspects.
const (
	AspectTags Aspects = 1 << iota
	AspectACL
	AspectRetention
	AspectHold // the legal hold

	AllAspects = AspectTags | AspectACL | AspectRetention | AspectHold
)

var aspectNames = []string{"tags", "acl", "retention", "legal-hold"}

// Each returns the aspects of the set, one by one.
func (a Aspects) Each() (out []Aspects) {
	for i := range aspectNames {
		if one := Aspects(1 << i); a&one != 0 {
			out = append(out, one)
		}
	}
	return out
}

// String returns names with commas between them, such as "tags,acl".
func (a Aspects) String() string {
	var names []string
	for i, name := range aspectNames {
		if a&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ",")
}

// MarshalText writes a set as String does.
func (a Aspects) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (a *Aspects) UnmarshalText(text []byte) error {
	*a = 0
	for name := range strings.SplitSeq(string(text), ",") {
		if name == "" {
			continue
		}
		i := slices.Index(aspectNames, name)
		if i < 0 {
			return fault.Newf(fault.Invalid, "", "%q is nothing that changes of a version", name)
		}
		*a |= 1 << i
	}
	return nil
}

// Edit says when an aspect of a version was last changed by somebody, and in
// which bucket: replication carries it along.
type Edit struct {
	Aspect Aspects // one
	Time   time.Time
	Bucket string
}

// before reports whether the other edit came later. Of two at the same time
// the name of the bucket decides, so that everybody decides alike.
func (e Edit) before(other Edit) bool {
	if e.Time.Equal(other.Time) {
		return e.Bucket < other.Bucket
	}
	return e.Time.Before(other.Time)
}

// Edited returns the last edit of an aspect; its Time is zero if there was none.
func (v *Version) Edited(one Aspects) Edit {
	for _, e := range v.Edits {
		if e.Aspect == one {
			return e
		}
	}
	return Edit{Aspect: one}
}

// Edit notes that somebody changed these aspects in the version's bucket now.
// An edit comes after those that it replaces, whatever the clock says.
func (v *Version) Edit(what Aspects, now time.Time) {
	v.Changes++
	for _, one := range what.Each() {
		e := Edit{one, now, v.Bucket}
		if last := v.Edited(one); !last.Time.Before(now) {
			e.Time = last.Time.Add(1)
		}
		v.setEdit(e)
	}
}

// setEdit leaves the slice as it is: copies of the version share it.
func (v *Version) setEdit(e Edit) {
	v.Edits = slices.DeleteFunc(slices.Clone(v.Edits), func(have Edit) bool { return have.Aspect == e.Aspect })
	if !e.Time.IsZero() {
		v.Edits = append(v.Edits, e)
	}
	slices.SortFunc(v.Edits, func(a, b Edit) int { return cmp.Compare(a.Aspect, b.Aspect) })
}

// EditedSince returns the aspects whose last edit is not among those of then.
func (v *Version) EditedSince(then *Version) (what Aspects) {
	for _, e := range v.Edits {
		if !slices.Contains(then.Edits, e) {
			what |= e.Aspect
		}
	}
	return what
}

// Follow takes over those of the aspects that were edited later in other,
// which is the same version in another bucket, and returns which they are.
// However often and in whatever order copies follow each other, they end up
// with the same. The ACL stays where the two belong to different owners.
func (v *Version) Follow(other *Version, what Aspects) (taken Aspects) {
	for _, one := range what.Each() {
		if one == AspectACL && v.Owner != other.Owner || !v.yields(other, one) {
			continue
		}
		v.take(other, one)
		v.setEdit(other.Edited(one))
		taken |= one
	}
	if taken != 0 {
		v.Changes++
	}
	return taken
}

func (v *Version) take(other *Version, one Aspects) {
	switch one {
	case AspectTags:
		v.Tags = other.Tags
	case AspectACL:
		v.ACL = other.ACL
	case AspectRetention:
		v.Lock.Mode, v.Lock.Until = other.Lock.Mode, other.Lock.Until
	case AspectHold:
		v.Lock.Hold, v.Lock.Released = other.Lock.Hold, other.Lock.Released
	}
}

// Change returns what the same version in another bucket is to follow in these
// aspects, without the rest. Without the ACL it has no owner, so that none follows
// its ACL.
func (v *Version) Change(what Aspects, bucket string) *Version {
	c := &Version{Bucket: bucket, Key: v.Key, ID: v.ID, Modified: v.Modified, Edits: v.Edits}
	if what&AspectACL != 0 {
		c.Owner = v.Owner
	}
	for _, one := range what.Each() {
		c.take(v, one)
	}
	return c
}

// yields reports whether other's value of an aspect prevails: the later edit
// does, but for a retention in compliance mode, which no edit made during it
// may weaken.
func (v *Version) yields(other *Version, one Aspects) bool {
	ours, theirs := v.Edited(one), other.Edited(one)
	switch {
	case ours.before(theirs):
		return one != AspectRetention || v.Lock.Admits(other.Lock, theirs.Time, true)
	case theirs.before(ours):
		return one == AspectRetention && !other.Lock.Admits(v.Lock, ours.Time, true)
	}
	return false
}

// Over prepares v, a replica that comes as a whole, for taking the place of the
// same one, old. It takes over what was changed there and has not come to the
// source yet, and of the lock what the source may not change, unless it was
// changed there later: the retention is not taken away, and it is not weakened
// in compliance mode or where the source, whose lock is src, has none; a legal
// hold is taken off only if it was at the source. keeps is false in records of
// the store that did not know of locks of which the source has none.
func (v *Version) Over(old *Version, src *Lock, keeps bool, now time.Time) {
	next := *old
	later := next.Follow(v, AspectRetention|AspectHold)
	if old.Returning {
		v.Follow(old, AllAspects)
	}
	firm := old.Lock.Mode == Compliance || keeps && src.Mode == ""
	if later&AspectRetention == 0 && (v.Lock.Mode == "" || firm && !old.Lock.Admits(v.Lock, now, false)) {
		v.take(old, AspectRetention)
		v.setEdit(old.Edited(AspectRetention))
	}
	if later&AspectHold == 0 && keeps && !src.Hold && !src.Released {
		v.take(old, AspectHold)
		v.setEdit(old.Edited(AspectHold))
	}
}
