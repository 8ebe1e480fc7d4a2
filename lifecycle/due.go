package lifecycle

import (
	"math"
	"slices"
	"strings"
	"time"

	"twinbucket/object"
)

// Day is how long a day lasts. Tests of others' clients make it shorter, for
// they cannot wait.
const Day = 24 * time.Hour

// Due says which rule ends something, and when. The zero Due is never.
type Due struct {
	Rule *Rule
	At   time.Time
}

// By reports whether it has come to that.
func (d Due) By(now time.Time) bool { return d.Rule != nil && !d.At.After(now) }

// earlier returns the earlier of two, d if they are the same.
func (d Due) earlier(o Due) Due {
	if d.Rule == nil || o.Rule != nil && o.At.Before(d.At) {
		return o
	}
	return d
}

// compiled is an enabled rule as it is asked.
type compiled struct {
	prefix        string
	tags          []object.Tag
	greater, less int64
	rule          *Rule
}

func (s *Set) compile() {
	for i := range s.Rules {
		r := &s.Rules[i]
		if !r.Enabled {
			continue
		}
		c := r.conditions()
		k := compiled{prefix: r.prefix(), tags: c.Tags, greater: -1, less: math.MaxInt64, rule: r}
		if c.Greater != nil {
			k.greater = *c.Greater
		}
		if c.Less != nil {
			k.less = *c.Less
		}
		s.rules = append(s.rules, k)
	}
}

// selects reports whether the rule's filter selects v.
func (c *compiled) selects(v *object.Version) bool {
	if !strings.HasPrefix(v.Key, c.prefix) || v.Size <= c.greater || v.Size >= c.less {
		return false
	}
	for _, t := range c.tags {
		if !slices.Contains(v.Tags, t) {
			return false
		}
	}
	return true
}

// after returns when something that began at t has lasted n days: AWS rounds
// up to the next midnight. A day of another length is for tests that cannot
// wait for midnight either.
func after(t time.Time, n int, day time.Duration) time.Time {
	if day != Day {
		const most = 1 << 62
		return t.Add(time.Duration(min(int64(n), most/int64(day))) * day)
	}
	end := t.UTC().AddDate(0, 0, n)
	if midnight := end.Truncate(Day); !midnight.Equal(end) {
		end = midnight.Add(Day)
	}
	return end
}

// Current returns when the current version v expires. alone says that v is the
// only version of its key: a delete marker expires only then, and then the
// same rules end it, and those with an ExpiredObjectDeleteMarker at once. What
// expiring means is told by the bucket: a delete marker over the version where
// there is versioning, its end where there is none, and always a delete
// marker's end. The earliest rule wins.
func (s *Set) Current(v *object.Version, alone bool, day time.Duration) (first Due) {
	if v.Marker && !alone {
		return Due{}
	}
	for i := range s.rules {
		c := &s.rules[i]
		x := c.rule.Expiration
		if x == nil || !c.selects(v) {
			continue
		}
		switch {
		case x.Days > 0:
			first = first.earlier(Due{c.rule, after(v.Modified, x.Days, day)})
		case !x.Date.IsZero():
			first = first.earlier(Due{c.rule, x.Date})
		case v.Marker && *x.Marker:
			first = first.earlier(Due{c.rule, v.Modified})
		}
	}
	return first
}

// Noncurrent returns when the noncurrent version v, which may be a delete
// marker, ends for good. since is when it became noncurrent, which is when its
// successor was made; newer is how many newer noncurrent versions of the key
// there are, delete markers aside.
func (s *Set) Noncurrent(v *object.Version, since time.Time, newer int, day time.Duration) (first Due) {
	for i := range s.rules {
		c := &s.rules[i]
		if x := c.rule.NoncurrentExpiration; x != nil && newer >= x.Newer && c.selects(v) {
			first = first.earlier(Due{c.rule, after(since, x.Days, day)})
		}
	}
	return first
}

// Upload returns when an unfinished multipart upload is aborted.
func (s *Set) Upload(key string, started time.Time, day time.Duration) (first Due) {
	for i := range s.rules {
		c := &s.rules[i]
		if n := c.rule.AbortAfter; n != nil && strings.HasPrefix(key, c.prefix) {
			first = first.earlier(Due{c.rule, after(started, *n, day)})
		}
	}
	return first
}

// Held reports whether v must not be ended although a rule says so: it waits
// for its replication or, where it would be gone for good, it is locked.
func Held(v *object.Version, forGood bool, now time.Time) bool {
	if v.Status == object.Pending || object.Sum(v.Deliveries) == object.Pending {
		return true
	}
	return forGood && (v.Lock.Hold || v.Lock.Mode != "" && now.Before(v.Lock.Until))
}

// Versions returns the prefixes of the keys whose versions the rules may end,
// none of them a prefix of another.
func (s *Set) Versions() []string {
	return s.prefixes(func(r *Rule) bool { return r.Expiration != nil || r.NoncurrentExpiration != nil })
}

// Uploads returns the prefixes of the keys whose uploads the rules may abort,
// none of them a prefix of another.
func (s *Set) Uploads() []string {
	return s.prefixes(func(r *Rule) bool { return r.AbortAfter != nil })
}

func (s *Set) prefixes(acts func(*Rule) bool) []string {
	var all []string
	for i := range s.rules {
		if acts(s.rules[i].rule) {
			all = append(all, s.rules[i].prefix)
		}
	}
	slices.Sort(all)
	var out []string
	for _, p := range all {
		if len(out) == 0 || !strings.HasPrefix(p, out[len(out)-1]) {
			out = append(out, p)
		}
	}
	return out
}
