package sim

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"twinbucket/internal/ledger"
	"twinbucket/object"
)

// model is what a store should hold.
type model struct {
	*settings
	versions map[ident]*version
	// hard are the replicas that were deleted by their version ids, which
	// replication does not bring back.
	hard map[ident]bool
	now  time.Time
	// loose says that the engine may have worked at any time since the model
	// last knew all.
	loose bool
}

// ident names a version.
type ident struct{ bucket, key, id string }

func identOf(v *object.Version) ident { return ident{v.Bucket, v.Key, v.ID} }

// version is a version as it should be, statuses included. It is changed by
// changing a copy.
type version struct {
	object.Version
	label   string // the step that made it: what it is called in every run
	body    body
	replica bool // it came by replication, whatever its status says
	// edits say of each aspect when and where it was last changed.
	edits map[object.Aspects]edit
	// past is what else it was while the model was loose.
	past []*version
}

// edit is when and where an aspect was changed. Of two the later prevails.
type edit struct {
	time   time.Time
	bucket string
}

func (e edit) before(other edit) bool {
	return cmp.Or(e.time.Compare(other.time), cmp.Compare(e.bucket, other.bucket)) < 0
}

// moment is a time at which the engine may have worked, and the settings then.
type moment struct {
	step int
	*settings
}

func (m *model) clone() *model {
	return &model{settings: m.settings.clone(), versions: maps.Clone(m.versions), hard: maps.Clone(m.hard), now: m.now, loose: m.loose}
}

// change replaces a version by a changed copy.
func (m *model) change(id ident, do func(*version)) {
	c := m.versions[id].clone()
	do(c)
	m.versions[id] = c
}

func (v *version) clone() *version {
	c := *v
	c.Deliveries, c.edits = slices.Clone(v.Deliveries), maps.Clone(v.edits)
	return &c
}

// sorted returns the versions in an order that is the same in every run.
func (m *model) sorted() []*version {
	return slices.SortedFunc(maps.Values(m.versions), func(a, b *version) int {
		return cmp.Or(cmp.Compare(a.Bucket, b.Bucket), cmp.Compare(a.Key, b.Key), b.Modified.Compare(a.Modified))
	})
}

// put notes a new version with the deliveries that the rules give it.
func (m *model) put(v *version) {
	if v.ID == object.NullID {
		delete(m.versions, identOf(&v.Version))
	}
	v.Status, v.Deliveries = object.None, nil
	b := m.buckets[v.Bucket]
	targets := b.targets(v, false)
	for _, to := range slices.Sorted(maps.Keys(targets)) {
		v.Deliveries = append(v.Deliveries, object.Delivery{Bucket: to, Rule: targets[to], Status: object.Pending})
	}
	v.Status = object.Sum(v.Deliveries)
	m.versions[identOf(&v.Version)] = v
}

// patch notes a change of an aspect of a version.
func (m *model) patch(id ident, what object.Aspects, do func(*object.Version)) {
	m.change(id, func(v *version) {
		if m.loose {
			v.past = append(slices.Clone(v.past), m.versions[id])
		}
		do(&v.Version)
		if v.edits == nil {
			v.edits = map[object.Aspects]edit{}
		}
		v.edits[what] = edit{m.now, v.Bucket}
		v.resend(what, "", m.buckets[v.Bucket].targets(v, true))
	})
}

// resend has a change wait for where rules take it: where the version was
// delivered or, of a replica, wherever they say. Where the version itself is
// still to go, or failed to, the change goes with it; and where no rule takes the
// change, it goes with the next that one takes. Where it came from has it.
func (v *version) resend(what object.Aspects, from string, targets map[string]string) {
	for i := range v.Deliveries {
		if d := &v.Deliveries[i]; !v.replica && d.Bucket != from && (d.Status == object.Completed || d.Changed != 0) {
			d.Changed |= what
		}
	}
	for _, to := range slices.Sorted(maps.Keys(targets)) {
		i := slices.IndexFunc(v.Deliveries, func(d object.Delivery) bool { return d.Bucket == to })
		if i < 0 && v.replica {
			i = len(v.Deliveries)
			v.Deliveries = append(v.Deliveries, object.Delivery{Bucket: to, Status: object.Completed})
		}
		if i >= 0 && (v.Deliveries[i].Status == object.Completed || v.Deliveries[i].Changed != 0) {
			v.Deliveries[i] = object.Delivery{Bucket: to, Rule: targets[to], Status: object.Pending, Changed: v.Deliveries[i].Changed | what}
		}
	}
	v.sumUp()
}

// sumUp sets the status as AWS shows it. A replica's is of its own changes.
func (v *version) sumUp() {
	if !v.replica {
		v.Status = object.Sum(v.Deliveries)
		return
	}
	own := slices.DeleteFunc(slices.Clone(v.Deliveries), func(d object.Delivery) bool { return d.Changed == 0 })
	if v.Status = object.Sum(own); v.Status != object.Pending && v.Status != object.Failed {
		v.Status = object.Replica
	}
}

// follow takes over those of the aspects that were changed later in another
// bucket, and returns which they are. A retention in compliance mode gives way
// to nothing weaker that was set during it.
func (v *version) follow(other *version, what object.Aspects) (taken object.Aspects) {
	stays := func(have, next object.Lock, at time.Time) bool {
		return have.Mode == object.Compliance && at.Before(have.Until) && (next.Mode != have.Mode || next.Until.Before(have.Until))
	}
	for _, one := range []object.Aspects{object.AspectTags, object.AspectACL, object.AspectRetention, object.AspectHold} {
		if what&one == 0 || one == object.AspectACL && v.Owner != other.Owner {
			continue
		}
		ours, theirs := v.edits[one], other.edits[one]
		prevails := ours.before(theirs)
		if one == object.AspectRetention && prevails {
			prevails = !stays(v.Lock, other.Lock, theirs.time)
		} else if one == object.AspectRetention && theirs.before(ours) {
			prevails = stays(other.Lock, v.Lock, ours.time)
		}
		if prevails {
			v.take(other, one)
			taken |= one
		}
	}
	return taken
}

// take takes over an aspect of the same version in another bucket.
func (v *version) take(other *version, one object.Aspects) {
	switch one {
	case object.AspectTags:
		v.Tags = other.Tags
	case object.AspectACL:
		v.ACL = other.ACL
	case object.AspectRetention:
		v.Lock.Mode, v.Lock.Until = other.Lock.Mode, other.Lock.Until
	case object.AspectHold:
		v.Lock.Hold, v.Lock.Released = other.Lock.Hold, other.Lock.Released
	}
	v.edits = maps.Clone(v.edits)
	if v.edits == nil {
		v.edits = map[object.Aspects]edit{}
	}
	v.edits[one] = other.edits[one]
}

// retry has what failed wait again.
func (m *model) retry(id ident) {
	m.change(id, func(v *version) {
		for i := range v.Deliveries {
			if d := &v.Deliveries[i]; d.Status == object.Failed {
				d.Status, d.Code = object.Pending, ""
			}
		}
		v.sumUp()
	})
}

// remove notes that a version was deleted by its id.
func (m *model) remove(id ident) {
	if m.versions[id].replica {
		m.hard[id] = true
	}
	delete(m.versions, id)
}

// pending reports whether something is to be delivered.
func (v *version) pending() bool { return object.Sum(v.Deliveries) == object.Pending }

// found is what a store holds.
type found struct {
	versions map[ident]*object.Version
	feed     map[waits]int // how often it has something
	lanes    []ledger.Entry
	buckets  map[string]foundBucket
	roles    map[string][2]string // policy and trust
}

// waits is a version that waits in a lane.
type waits struct {
	ident
	ledger.Lane
}

type foundBucket struct {
	owner, versioning string
	documents         map[string]string
}

// match makes the model what the store is found to hold, where that may be so:
// deliveries may have ended, as the settings of the moments at which the engine
// worked have it. What differs otherwise is an error.
func (m *model) match(f *found, when []moment) error {
	if err := m.matchSettings(f); err != nil {
		return err
	}
	// What arrives somewhere may go on from there.
	for more := true; more; {
		more = false
		for _, v := range m.sorted() {
			id := identOf(&v.Version)
			if v = m.versions[id]; f.versions[id] == nil || !v.pending() {
				continue // v is as what came before left it
			}
			ended, err := m.adopt(v, f, when)
			if err != nil {
				return fmt.Errorf("%s: %w", v.name(), err)
			}
			more = more || ended
		}
	}
	var errs []error
	for id, got := range f.versions {
		if m.versions[id] == nil {
			errs = append(errs, fmt.Errorf("%v is there, of status %q, and should not be", id, got.Status))
		}
	}
	for _, v := range m.sorted() {
		if got := f.versions[identOf(&v.Version)]; got == nil {
			errs = append(errs, fmt.Errorf("%s is gone", v.name()))
		} else if diff := v.diff(got); diff != "" {
			errs = append(errs, fmt.Errorf("%s is not what it should be (-should +is):\n%s", v.name(), diff))
		}
	}
	feed, lanes := m.feed()
	if diff := gocmp.Diff(feed, f.feed); diff != "" {
		errs = append(errs, fmt.Errorf("the feed is not what waits (-should +is):\n%s", diff))
	}
	for _, l := range f.lanes {
		if diff := gocmp.Diff(lanes[l.Lane], counts(l.Counts)); diff != "" {
			errs = append(errs, fmt.Errorf("the counts of %+v are not what is there (-should +is):\n%s", l.Lane, diff))
		}
		delete(lanes, l.Lane)
	}
	for l := range lanes {
		errs = append(errs, fmt.Errorf("%+v is not counted", l))
	}
	return errors.Join(errs...)
}

// feed is what waits in which lane, and what the lanes count.
func (m *model) feed() (map[waits]int, map[ledger.Lane]ledger.Counts) {
	feed, lanes := map[waits]int{}, map[ledger.Lane]ledger.Counts{}
	for id, v := range m.versions {
		for _, d := range v.Deliveries {
			l := ledger.Lane{Source: v.Bucket, Destination: d.Bucket, Rule: d.Rule}
			n := lanes[l]
			switch d.Status {
			case object.Pending:
				feed[waits{id, l}]++
				if n.Pending++; d.Changed == 0 {
					n.PendingBytes += v.Size
				}
			case object.Failed:
				n.Failed++
			}
			lanes[l] = n
		}
	}
	return feed, lanes
}

// counts are those of what is there, and not of what was.
func counts(c ledger.Counts) ledger.Counts {
	return ledger.Counts{Pending: c.Pending, PendingBytes: c.PendingBytes, Failed: c.Failed}
}

func (v *version) name() string { return fmt.Sprintf("%s/%s of step %s", v.Bucket, v.Key, v.label) }

// diff compares a version with what is there; times and texts of deliveries
// aside.
func (v *version) diff(got *object.Version) string {
	want, is := plain(v.Version), plain(*got)
	if reflect.DeepEqual(want, is) {
		return ""
	}
	return gocmp.Diff(want, is)
}

// alike reports whether what is there is the version, wherever it is to go
// from there.
func (v *version) alike(got *object.Version) bool {
	want, is := plain(v.Version), plain(*got)
	want.Status, want.Deliveries, is.Status, is.Deliveries = "", nil, "", nil
	return reflect.DeepEqual(want, is)
}

// plain returns a version without what the model does not know, and with nil
// for what is empty.
func plain(v object.Version) object.Version {
	v.Changes, v.Edits, v.Returning = 0, nil, false
	v.Deliveries = slices.Clone(v.Deliveries)
	for i := range v.Deliveries {
		v.Deliveries[i].Time, v.Deliveries[i].Reason = time.Time{}, ""
	}
	slices.SortFunc(v.Deliveries, func(a, b object.Delivery) int { return cmp.Compare(a.Bucket, b.Bucket) })
	if len(v.Deliveries) == 0 {
		v.Deliveries = nil
	}
	if len(v.Tags) == 0 {
		v.Tags = nil
	}
	if len(v.ACL) == 0 {
		v.ACL = nil
	}
	if len(v.Metadata) == 0 {
		v.Metadata = nil
	}
	return v
}

func (m *model) matchSettings(f *found) error {
	for name, b := range m.buckets {
		want := foundBucket{owner: b.owner, versioning: "Enabled", documents: map[string]string{}}
		if b.suspended {
			want.versioning = "Suspended"
		}
		for d, doc := range b.documents() {
			want.documents[string(d)] = string(doc)
		}
		if diff := gocmp.Diff(want, f.buckets[name], gocmp.AllowUnexported(foundBucket{})); diff != "" {
			return fmt.Errorf("bucket %s is not as it was set (-should +is):\n%s", name, diff)
		}
	}
	for name := range f.buckets {
		if m.buckets[name] == nil {
			return fmt.Errorf("bucket %s is there and should not be", name)
		}
	}
	for account := range m.roles {
		want := [2]string{string(m.policy(account)), string(m.trust(account))}
		if diff := gocmp.Diff(want, f.roles[account]); diff != "" {
			return fmt.Errorf("the role of %s is not as it was set (-should +is):\n%s", account, diff)
		}
	}
	return nil
}

// adopt takes over the deliveries of a version that have ended, and reports
// whether there was one.
func (m *model) adopt(v *version, f *found, when []moment) (ended bool, err error) {
	got := f.versions[identOf(&v.Version)]
	next := v.clone()
	for i := range next.Deliveries {
		d := &next.Deliveries[i]
		k := slices.IndexFunc(got.Deliveries, func(g object.Delivery) bool { return g.Bucket == d.Bucket })
		if d.Status != object.Pending || k < 0 || !m.loose && got.Deliveries[k].Status == object.Pending {
			continue
		}
		end := got.Deliveries[k]
		made, err := m.judge(v, *d, end, when)
		if err != nil {
			return false, fmt.Errorf("the delivery to %s ended %s %s (%s): %w", d.Bucket, end.Status, end.Code, end.Reason, err)
		}
		ended = ended || end.Status != object.Pending
		changed := d.Changed
		d.Status, d.Code, d.Rule = end.Status, end.Code, end.Rule
		if m.loose {
			d.Changed = end.Changed // some of it may have been carried before
		}
		if end.Status == object.Completed {
			d.Changed = 0
		}
		m.deliver(v, end, changed, made, f)
	}
	next.sumUp()
	m.versions[identOf(&v.Version)] = next
	return ended, nil
}

// making is how a replica may have been made or changed: from what, by which
// rule, under which settings.
type making struct {
	of   *version
	by   *ruleSettings
	with *settings
}

// deliver notes the replica that was made of a version, or changed. Of one that
// was delivered it is the last way to make it that there was; if the model is
// loose it is whichever is found.
func (m *model) deliver(v *version, end object.Delivery, changed object.Aspects, ways []making, f *found) {
	to := ident{end.Bucket, v.Key, v.ID}
	if !m.loose && end.Status != object.Completed {
		return
	}
	for _, w := range slices.Backward(ways) {
		for _, whole := range []bool{changed == 0, changed != 0} {
			c := m.carry(w, whole, changed)
			if got := f.versions[to]; c != nil && (!m.loose || got != nil && c.alike(got)) {
				m.versions[to] = c
				return
			}
			if !m.loose {
				break
			}
		}
	}
}

// carry returns what a bucket holds after a delivery; nil if that is what it
// held before.
func (m *model) carry(w making, whole bool, changed object.Aspects) *version {
	have := m.versions[ident{w.by.to, w.of.Key, w.of.ID}]
	switch {
	case whole && have != nil && !have.replica:
		return nil // where it all began
	case whole:
		return w.with.replica(w.of, have, w.by, m.now)
	case have == nil:
		return nil
	}
	if changed == 0 {
		changed = object.AllAspects
	}
	src, dst := w.with.buckets[w.of.Bucket], w.with.buckets[w.by.to]
	c := have.clone()
	if taken := c.follow(w.of, w.by.carried(src, dst, changed)); taken != 0 && !c.replica {
		onward := dst.targets(c, true)
		delete(onward, w.of.Bucket)
		c.resend(taken, w.of.Bucket, onward)
	}
	return c
}

// judge says whether a delivery may have ended so, and the ways in which a
// replica may have been made.
func (m *model) judge(v *version, d, end object.Delivery, when []moment) (ways []making, err error) {
	// What is in the way at every moment keeps it from being delivered, what is
	// there at one can make it fail.
	var always map[string]bool
	sometimes := map[string]string{}
	for _, at := range when {
		if at.buckets[v.Bucket] == nil {
			continue
		}
		for _, seen := range append(slices.Clone(v.past), v) {
			for _, changed := range []object.Aspects{d.Changed, end.Changed} {
				r, obstacles := at.obstacles(seen, end.Bucket, changed)
				to := ident{end.Bucket, v.Key, v.ID}
				if changed == 0 && m.hard[to] {
					obstacles = append(obstacles, obstacle{"deleted by its id", []string{"DstObjectHardDeleted"}})
				}
				if changed != 0 && m.versions[to] == nil && r != nil && r.carried(at.buckets[v.Bucket], &bucketSettings{acls: true}, changed) != 0 {
					obstacles = append(obstacles, obstacle{"is not there", []string{"DstVersionNotFound"}})
				}
				here := map[string]bool{}
				for _, o := range obstacles {
					here[o.what] = true
					for _, code := range o.codes {
						sometimes[code] = o.what
					}
				}
				if always == nil {
					always = maps.Clone(here)
				}
				maps.DeleteFunc(always, func(what string, _ bool) bool { return !here[what] })
				if r != nil && at.buckets[r.to] != nil && (r.id == end.Rule || end.Status != object.Completed) {
					ways = append(ways, making{seen, r, at.settings})
				}
				if !m.loose {
					break // a delivery that ended says what it could not carry
				}
			}
		}
	}
	switch {
	case end.Status == object.Pending:
		return ways, nil
	case always == nil:
		return nil, errors.New("the engine did not work meanwhile")
	case end.Status == object.Failed && sometimes[end.Code] == "":
		return nil, fmt.Errorf("nothing is in the way that has this code, but %v", slices.Sorted(maps.Keys(sometimes)))
	case end.Status == object.Failed && end.Reason == "":
		return nil, errors.New("there is no reason")
	case end.Status == object.Completed && len(always) > 0:
		return nil, fmt.Errorf("there was in the way: %v", slices.Sorted(maps.Keys(always)))
	case end.Status == object.Completed && len(ways) == 0:
		return nil, fmt.Errorf("no rule %q takes it there", end.Rule)
	}
	return ways, nil
}
