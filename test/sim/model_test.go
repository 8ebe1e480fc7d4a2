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
	label string // the step that made it: what it is called in every run
	body  body
	// past is what else it was while the model was loose.
	past []object.Version
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
	c := *m.versions[id]
	c.Deliveries = slices.Clone(c.Deliveries)
	do(&c)
	m.versions[id] = &c
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
	targets := b.targets(&v.Version)
	for _, to := range slices.Sorted(maps.Keys(targets)) {
		v.Deliveries = append(v.Deliveries, object.Delivery{Bucket: to, Rule: targets[to], Status: object.Pending})
	}
	v.Status = object.Sum(v.Deliveries)
	m.versions[identOf(&v.Version)] = v
}

// patch notes a change of what can be changed of a version: where it was
// delivered and a rule still takes it there, it is to be delivered again.
func (m *model) patch(id ident, what object.Aspects, do func(*object.Version)) {
	m.change(id, func(v *version) {
		if m.loose {
			v.past = append(slices.Clone(v.past), v.Version)
		}
		do(&v.Version)
		v.Edit(what, m.now)
		targets := m.buckets[v.Bucket].targets(&v.Version)
		for i := range v.Deliveries {
			// What failed to arrive itself waits for who tries it again.
			if d := &v.Deliveries[i]; targets[d.Bucket] != "" && (d.Status == object.Completed || d.Changed != 0) {
				d.Status, d.Code, d.Rule = object.Pending, "", targets[d.Bucket]
				d.Changed |= what
			}
		}
		v.restate()
	})
}

func (v *version) restate() {
	if v.Status != object.Replica {
		v.Status = object.Sum(v.Deliveries)
	}
}

// remove notes that a version was deleted by its id.
func (m *model) remove(id ident) {
	if m.versions[id].Status == object.Replica {
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
	for _, v := range m.sorted() {
		if f.versions[identOf(&v.Version)] != nil && v.pending() {
			if err := m.adopt(v, f, when); err != nil {
				return fmt.Errorf("%s: %w", v.name(), err)
			}
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

// plain returns a version without what the model does not know, and with nil
// for what is empty.
func plain(v object.Version) object.Version {
	v.Changes, v.Edits = 0, nil
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

// adopt takes over the deliveries of a version that have ended.
func (m *model) adopt(v *version, f *found, when []moment) error {
	got := f.versions[identOf(&v.Version)]
	next := *v
	next.Deliveries = slices.Clone(v.Deliveries)
	for i := range next.Deliveries {
		d := &next.Deliveries[i]
		k := slices.IndexFunc(got.Deliveries, func(g object.Delivery) bool { return g.Bucket == d.Bucket })
		if d.Status != object.Pending || k < 0 {
			continue
		}
		end := got.Deliveries[k]
		made, err := m.judge(v, *d, end, when)
		if err != nil {
			return fmt.Errorf("the delivery to %s ended %s %s (%s): %w", d.Bucket, end.Status, end.Code, end.Reason, err)
		}
		m.deliver(v, *d, end, made, f)
		d.Status, d.Code, d.Rule, d.Changed = end.Status, end.Code, end.Rule, end.Changed
	}
	next.restate()
	m.versions[identOf(&v.Version)] = &next
	return nil
}

// making is how a replica may have been made: from what, by which rule, under
// which settings.
type making struct {
	of   *object.Version
	by   *ruleSettings
	with *settings
}

// deliver notes the replica that was made of a version. Of one that was
// delivered it is the last way to make it that there was; if the model is loose
// it is whichever is found.
func (m *model) deliver(v *version, was, end object.Delivery, ways []making, f *found) {
	to := ident{end.Bucket, v.Key, v.ID}
	have := m.versions[to]
	if have != nil && have.Status != object.Replica || have == nil && was.Changed != 0 {
		return // where it all began, or a change of what is not there
	}
	if !m.loose && end.Status != object.Completed {
		return
	}
	for _, w := range slices.Backward(ways) {
		c := &version{label: v.label, body: v.body}
		var old *object.Version
		if have != nil {
			old = &have.Version
		}
		if was.Changed != 0 {
			c.Version = *old
			c.Follow(w.of, w.with.carried(w.of, w.by, was.Changed))
		} else if c.Version = w.with.replica(w.of, old, w.by, m.now); old != nil {
			c.Deliveries = old.Deliveries
		}
		if got := f.versions[to]; !m.loose || got != nil && c.diff(got) == "" {
			m.versions[to] = c
			return
		}
	}
}

// judge says whether a delivery may have ended so, and the ways in which a
// replica may have been made.
func (m *model) judge(v *version, was, end object.Delivery, when []moment) (ways []making, err error) {
	// What is in the way at every moment keeps it from being delivered, what is
	// there at one can make it fail.
	var always map[string]bool
	sometimes := map[string]string{}
	for _, at := range when {
		if at.buckets[v.Bucket] == nil {
			continue
		}
		for _, seen := range append(slices.Clone(v.past), v.Version) {
			r, obstacles := at.obstacles(&seen, end.Bucket, was.Changed)
			to := ident{end.Bucket, v.Key, v.ID}
			switch {
			case was.Changed == 0 && m.hard[to]:
				obstacles = append(obstacles, obstacle{"deleted by its id", []string{"DstObjectHardDeleted", "DstVersionNotFound"}})
			case was.Changed != 0 && m.versions[to] == nil && r != nil && at.buckets[r.to] != nil && at.carried(&seen, r, was.Changed) != 0:
				obstacles = append(obstacles, obstacle{"not there any more", []string{"DstVersionNotFound"}})
			}
			if end.Changed != was.Changed { // it changed once it was there
				_, later := at.obstacles(&seen, end.Bucket, end.Changed)
				for _, o := range later {
					for _, code := range o.codes {
						sometimes[code] = o.what
					}
				}
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
				ways = append(ways, making{&seen, r, at.settings})
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
