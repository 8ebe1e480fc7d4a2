package verify

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"twinbucket/internal/compare"
	"twinbucket/object"
)

// Class is what became of a version.
type Class string

// The classes. Those of the first group are differences.
const (
	Differs    Class = "differs"     // it is at both sides, and not the same
	Missing    Class = "missing"     // the destination has to have it
	Removed    Class = "removed"     // it was replicated, and was deleted at the destination by its id
	Failed     Class = "failed"      // its replication failed
	BeforeRule Class = "before-rule" // a rule takes versions like it, and it was there before the rule

	Orphan Class = "orphan" // a replica whose source version is gone; a difference if the comparison is exact
	Own    Class = "own"    // the destination's own version; a difference if the comparison is exact

	Equal       Class = "equal"
	Lagging     Class = "lagging"      // it is on its way
	NotSelected Class = "not-selected" // no rule takes it
	Unknown     Class = "unknown"      // something that tells may not be read
	CustomerKey Class = "customer-key" // as unknown: it is encrypted under a customer's key (SSE-C)

	gone Class = "" // it was deleted while it was looked at
)

// Classes are the classes that there are.
var Classes = []Class{Differs, Missing, Removed, Failed, BeforeRule, Orphan, Own, Equal, Lagging, NotSelected, Unknown, CustomerKey}

// Finding is what is to be said of one version.
type Finding struct {
	Class       Class                `json:"class"`
	Key         string               `json:"key"`
	VersionID   string               `json:"versionId"`
	Marker      bool                 `json:"deleteMarker,omitempty"`
	Rule        string               `json:"rule,omitempty"` // that takes it to the destination
	Status      object.Status        `json:"status,omitempty"`
	Code        string               `json:"code,omitempty"`   // failed: AWS's failure code, if the server tells
	Reason      string               `json:"reason,omitempty"` // in words
	Differences []compare.Difference `json:"differences,omitempty"`

	gaps []gap
}

// Verdict is what a comparison comes to.
type Verdict string

// The verdicts.
const (
	Same       Verdict = "equal"
	Different  Verdict = "different"
	NotAllSeen Verdict = "unknown" // no difference was found, and not everything was seen
)

// Summary is the outcome of a comparison.
type Summary struct {
	Source      string `json:"source"` // s3://BUCKET/PREFIX
	Destination string `json:"destination"`
	Depth       Depth  `json:"depth"`
	// Rules are the ids of the rules that take versions to the destination; with
	// none, every version is expected there.
	Rules []string `json:"rules"`

	Versions int64 `json:"versions"` // at the source, delete markers included
	Markers  int64 `json:"deleteMarkers"`
	Bytes    int64 `json:"bytes"`

	Classes     map[Class]int64          `json:"classes"`     // all classes, 0 where there is none
	Differences map[compare.Aspect]int64 `json:"differences"` // versions that differ, by aspect
	Statuses    map[object.Status]int64  `json:"statuses"`    // of source versions, as far as they were looked at
	NotSelected []Tally                  `json:"notSelected,omitempty"`
	Failures    []Tally                  `json:"failures,omitempty"`
	Unknown     []Tally                  `json:"unknown,omitempty"`
	Unsettled   int64                    `json:"unsettled"` // were on their way when the time to wait was over

	Began    time.Time `json:"began"`
	Finished time.Time `json:"finished"`
	Complete bool      `json:"complete"` // the comparison came to its end
	Verdict  Verdict   `json:"verdict"`

	exact   bool
	ignored map[Class]bool
}

// Tally counts versions of which the same is to be said.
type Tally struct {
	Code    string `json:"code,omitempty"`   // of a failure
	Action  string `json:"action,omitempty"` // that has to be allowed
	Bucket  string `json:"bucket,omitempty"` // on whose objects, or which
	Reason  string `json:"reason,omitempty"`
	Count   int64  `json:"count"`
	Example string `json:"example,omitempty"` // a key
}

func newSummary(o *Options, began time.Time) *Summary {
	s := &Summary{
		Source: "s3://" + o.Source.Bucket + "/" + o.Prefix, Destination: "s3://" + o.Destination.Bucket + "/" + o.Prefix, Depth: o.Depth,
		Rules: []string{}, Classes: map[Class]int64{}, Differences: map[compare.Aspect]int64{}, Statuses: map[object.Status]int64{},
		Began: began.UTC(), exact: o.Exact, ignored: map[Class]bool{},
	}
	for _, c := range Classes {
		s.Classes[c] = 0
	}
	for _, name := range o.Ignore {
		s.ignored[Class(name)] = true
	}
	return s
}

// differences returns the classes that are differences.
func (s *Summary) differences() []Class {
	list := []Class{Differs, Missing, Removed, Failed, BeforeRule}
	if s.exact {
		list = append(list, Orphan, Own)
	}
	return slices.DeleteFunc(list, func(c Class) bool { return s.ignored[c] })
}

// Different returns how many versions make a difference.
func (s *Summary) Different() (n int64) {
	for _, c := range s.differences() {
		n += s.Classes[c]
	}
	return n
}

func (s *Summary) finish(complete bool, now time.Time) {
	s.Complete, s.Finished, s.Verdict = complete, now.UTC(), Same
	switch {
	case s.Different() > 0:
		s.Verdict = Different
	case !complete || len(s.Unknown) > 0 || s.Unsettled > 0:
		s.Verdict = NotAllSeen
	}
	for _, list := range [][]Tally{s.NotSelected, s.Failures, s.Unknown} {
		slices.SortFunc(list, func(a, b Tally) int {
			return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Code+a.Action+a.Bucket+a.Reason, b.Code+b.Action+b.Bucket+b.Reason))
		})
	}
}

// add counts t in the list; what it is about is all but its count and example.
func add(list []Tally, t Tally) []Tally {
	i := slices.IndexFunc(list, func(o Tally) bool {
		return o.Code == t.Code && o.Action == t.Action && o.Bucket == t.Bucket && (t.Code != "" || o.Reason == t.Reason)
	})
	if i < 0 {
		t.Count = 1
		return append(list, t)
	}
	list[i].Count++
	return list
}

// count counts a version of the source.
func (r *run) count(v *object.Version) {
	if v == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sum.Versions++
	r.sum.Bytes += v.Size
	if v.Marker {
		r.sum.Markers++
	}
}

// tell counts a finding, and tells of it what is worth telling. What is on its
// way is kept for later, if there is time to wait.
func (r *run) tell(src *object.Version, f Finding) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if src != nil {
		f.Key, f.VersionID, f.Marker = src.Key, src.ID, src.Marker
		if f.Class == Lagging && r.Wait > 0 {
			if len(r.late) < maxLate {
				r.late = append(r.late, src)
				return nil
			}
			r.sum.Unsettled++
		}
		if r.Compared != nil {
			r.Compared(1)
		}
	}
	if f.Class == gone {
		return nil
	}
	s := r.sum
	s.Classes[f.Class]++
	if f.Status != object.None {
		s.Statuses[f.Status]++
	}
	switch f.Class {
	case NotSelected:
		s.NotSelected = add(s.NotSelected, Tally{Reason: f.Reason, Example: f.Key})
	case Failed:
		s.Failures = add(s.Failures, Tally{Code: f.Code, Reason: f.Reason, Example: f.Key})
	}
	for _, a := range slices.Sorted(maps.Keys(aspects(f.Differences))) {
		s.Differences[a]++
	}
	for _, g := range f.gaps {
		s.Unknown = add(s.Unknown, Tally{Action: g.action, Bucket: g.bucket, Reason: g.reason, Example: f.Key})
	}
	if r.Found == nil || !r.worth(f.Class) {
		return nil
	}
	return r.Found(f)
}

// worth reports whether versions of a class are told one by one.
func (r *run) worth(c Class) bool {
	if r.sum.ignored[c] {
		return false
	}
	return c == Lagging || c == Unknown || c == CustomerKey || slices.Contains(r.sum.differences(), c)
}

func aspects(list []compare.Difference) map[compare.Aspect]bool {
	out := map[compare.Aspect]bool{}
	for _, d := range list {
		out[d.Aspect] = true
	}
	return out
}
