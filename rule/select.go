package rule

import (
	"slices"
	"strings"

	"twinbucket/object"
)

// Choice says that a version goes to a destination under a rule.
type Choice struct {
	Rule        *Rule
	Destination string // bucket name
}

// group holds the enabled rules of one destination, the one that wins first.
type group struct {
	destination string
	rules       []compiled
}

// compiled is a rule as Select needs it.
type compiled struct {
	prefix  string
	tags    []object.Tag
	markers bool
	kms     bool
	rule    *Rule
}

// compile fills s.groups from s.Rules, destinations in the document's order.
func (s *Set) compile() {
	at := map[string]int{}
	for i := range s.Rules {
		r := &s.Rules[i]
		if r.Status != Enabled {
			continue
		}
		name := r.Destination.BucketName()
		n, ok := at[name]
		if !ok {
			n = len(s.groups)
			at[name] = n
			s.groups = append(s.groups, group{destination: name})
		}
		s.groups[n].rules = append(s.groups[n].rules,
			compiled{prefix: r.KeyPrefix(), tags: r.Tags(), markers: r.TakesMarkers(), kms: r.SseKmsEncryptedObjects == Enabled, rule: r})
	}
	for _, g := range s.groups {
		slices.SortStableFunc(g.rules, func(a, b compiled) int { return b.rule.rank() - a.rule.rank() })
	}
}

// rank returns the priority; V1 rules, which never compete, have none.
func (r *Rule) rank() int {
	if r.Priority == nil {
		return 0
	}
	return *r.Priority
}

// Select returns where live replication takes v: for each destination bucket
// the matching enabled rule of the highest priority, which alone decides also
// whether a delete marker goes there. It returns nil for replicas, for the
// classes GLACIER and DEEP_ARCHIVE, for delete markers that lifecycle rules
// made, for objects under keys of KMS unless the rule takes them, and where no
// rule matches; it allocates only if there is something to return.
func (s *Set) Select(v *object.Version) []Choice {
	if v.IsReplica() {
		return nil
	}
	return s.SelectExisting(v)
}

// SelectExisting is Select for batch jobs: replicas are taken too.
func (s *Set) SelectExisting(v *object.Version) []Choice {
	if v.Class == "GLACIER" || v.Class == "DEEP_ARCHIVE" || v.ByLifecycle {
		return nil
	}
	return s.choose(v)
}

// SelectChanges returns where live replication takes a change of v's tags, ACL
// or lock: where Select takes a version like it, and if it is a replica, where
// the rule has ReplicaModifications Enabled. Its class does not matter: no data
// is read.
func (s *Set) SelectChanges(v *object.Version) []Choice {
	chosen := s.choose(v)
	if v.IsReplica() {
		chosen = slices.DeleteFunc(chosen, func(c Choice) bool { return c.Rule.ReplicaModifications != Enabled })
	}
	return chosen
}

// choose returns the rule that wins for each destination.
func (s *Set) choose(v *object.Version) []Choice {
	var chosen []Choice
	for i := range s.groups {
		g := &s.groups[i]
		r := g.best(v)
		if r == nil || v.Marker && !r.markers || v.Encryption.Algorithm == object.KMS && !r.kms {
			continue
		}
		if chosen == nil {
			chosen = make([]Choice, 0, len(s.groups)-i)
		}
		chosen = append(chosen, Choice{Rule: r.rule, Destination: g.destination})
	}
	return chosen
}

// best returns the group's first rule that matches v, or nil.
func (g *group) best(v *object.Version) *compiled {
	for i := range g.rules {
		r := &g.rules[i]
		if strings.HasPrefix(v.Key, r.prefix) && (len(r.tags) == 0 || hasTags(v.Tags, r.tags)) {
			return r
		}
	}
	return nil
}

// hasTags reports whether every tag of want is in have.
func hasTags(have, want []object.Tag) bool {
	for _, t := range want {
		if !slices.Contains(have, t) {
			return false
		}
	}
	return true
}

// prefixes is a set of prefixes that knows which of them overlap another.
type prefixes struct{ sorted []string }

func newPrefixes(size int) *prefixes { return &prefixes{sorted: make([]string, 0, size)} }

// overlap returns a member of which p is a prefix, or that is a prefix of p.
// Among members that do not overlap, only p's neighbours in order can be.
func (ps *prefixes) overlap(p string) (string, bool) {
	i, _ := slices.BinarySearch(ps.sorted, p)
	if i < len(ps.sorted) && strings.HasPrefix(ps.sorted[i], p) {
		return ps.sorted[i], true
	}
	if i > 0 && strings.HasPrefix(p, ps.sorted[i-1]) {
		return ps.sorted[i-1], true
	}
	return "", false
}

func (ps *prefixes) add(p string) {
	i, _ := slices.BinarySearch(ps.sorted, p)
	ps.sorted = slices.Insert(ps.sorted, i, p)
}
