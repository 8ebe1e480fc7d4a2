package job

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"twinbucket/object"
)

// Plan is what a job will do, as far as it can be known before it runs.
type Plan struct {
	Made    time.Time `json:"made"`
	Source  string    `json:"sourceBucket,omitempty"`
	Seen    Amount    `json:"seen"`    // the bucket's versions, or the manifest's entries, that were looked at
	Tasks   int64     `json:"tasks"`   // entries of the manifest
	Objects Amount    `json:"objects"` // of the tasks
	// DeleteMarkers are the tasks that are about one.
	DeleteMarkers int64 `json:"deleteMarkers"`
	// Excluded says why versions that were seen are no tasks.
	Excluded []Exclusion `json:"excluded,omitempty"`
	// Foreseen is what becomes of the tasks, if nothing changes until then.
	// What the roles may do was asked for the number of them in Asked: for all
	// of few, for a sample of many.
	Foreseen Outcome `json:"foreseen"`
	Asked    int64   `json:"asked"`
	// Failures are what would fail the job as a whole.
	Failures []Failure `json:"failures,omitempty"`
	Requests Requests  `json:"requests"`
	Estimate *Estimate `json:"estimate,omitempty"` // nil if no job was measured yet
}

// Amount is a number of versions and the bytes of them.
type Amount struct {
	Versions int64 `json:"versions"`
	Bytes    int64 `json:"bytes"`
}

func (a *Amount) add(b Amount) {
	a.Versions += b.Versions
	a.Bytes += b.Bytes
}

// Exclusion is why versions are no tasks of a job.
type Exclusion struct {
	Filter string `json:"filter"`        // as CreateJob names it
	Why    string `json:"why,omitempty"` // what the versions are instead
	Amount
	Key string `json:"key"` // of one of them
}

// Of says in one line how many of all the versions of a bucket it is about.
func (x *Exclusion) Of(all int64, bucket string) string {
	why, are, example := "", "are", ""
	if x.Key != "" {
		example = " (for example " + x.Key + ")"
	}
	if x.Why != "" {
		why = ": " + x.Why
	}
	if x.Versions == 1 {
		are = "is"
	}
	return fmt.Sprintf("%s of the %s versions in %s %s excluded by %s%s%s", number(x.Versions), number(all), bucket, are, x.Filter, why, example)
}

// Requests are what AWS bills a job for, beside the job itself.
type Requests struct {
	Tasks int64 `json:"tasks"` // objects that the job works on
	Puts  int64 `json:"puts"`  // of replicas and delete markers at the destinations
}

// Estimate is how long a job will be Active.
type Estimate struct {
	Seconds        int64   `json:"seconds"`
	TasksPerSecond float64 `json:"tasksPerSecond"`
	Jobs           int     `json:"jobs"` // of the account, from which the rate is
}

// Outcome is what becomes of tasks.
type Outcome struct {
	Succeeded    int64         `json:"succeeded"`
	Failed       int64         `json:"failed"`
	Destinations []Destination `json:"destinations,omitempty"`
	Failures     []Cause       `json:"failures,omitempty"`
}

// Destination is what becomes of versions at one destination of one rule.
type Destination struct {
	Bucket  string `json:"destinationBucket"`
	Rule    string `json:"ruleId"`
	Carried Amount `json:"carried"` // in a plan: to be carried
	There   Amount `json:"there"`   // that were there already
	Failed  Amount `json:"failed"`
}

// Cause counts the tasks that failed with one code.
type Cause struct {
	Code      string `json:"code"`
	Count     int64  `json:"count"`
	Key       string `json:"key"` // of one of them
	VersionID string `json:"versionId,omitempty"`
	Reason    string `json:"reason"` // of that one
}

// Of says in one line how many of all the tasks failed so, and why one did.
func (c *Cause) Of(all int64) string {
	return fmt.Sprintf("%s of the %s tasks that ran failed with %s (for example %s: %s)", number(c.Count), number(all), c.Code, c.Key, c.Reason)
}

// maxExclusions bounds the exclusions of a plan; what comes after is counted
// without a Why.
const maxExclusions = 100

// See counts a version that was looked at.
func (p *Plan) See(v *object.Version) { p.Seen.add(Amount{1, v.Size}) }

// Exclude counts a version that a filter refuses.
func (p *Plan) Exclude(filter, why string, v *object.Version) {
	find := func() int {
		return slices.IndexFunc(p.Excluded, func(x Exclusion) bool { return x.Filter == filter && x.Why == why })
	}
	i := find()
	if i < 0 && len(p.Excluded) >= maxExclusions {
		why = ""
		i = find()
	}
	if i < 0 {
		i = len(p.Excluded)
		p.Excluded = append(p.Excluded, Exclusion{Filter: filter, Why: why, Key: v.Key})
	}
	p.Excluded[i].add(Amount{1, v.Size})
}

// Target counts a version that a task is about.
func (p *Plan) Target(v *object.Version) {
	if v.Marker {
		p.DeleteMarkers++
		return
	}
	p.Objects.add(Amount{1, v.Size})
}

// Copy counts what becomes of a version at a destination.
func (o *Outcome) Copy(bucket, rule string, bytes int64, there, failed bool) {
	d := o.destination(bucket, rule)
	which := &d.Carried
	switch {
	case failed:
		which = &d.Failed
	case there:
		which = &d.There
	}
	which.add(Amount{1, bytes})
}

func (o *Outcome) destination(bucket, rule string) *Destination {
	i := slices.IndexFunc(o.Destinations, func(d Destination) bool { return d.Bucket == bucket && d.Rule == rule })
	if i < 0 {
		i = len(o.Destinations)
		o.Destinations = append(o.Destinations, Destination{Bucket: bucket, Rule: rule})
	}
	return &o.Destinations[i]
}

// Task counts a task that has run: as Succeeded if failure has no Code, and
// else as one more of its kind. The failure's own Count is passed over.
func (o *Outcome) Task(failure Cause) {
	if failure.Code == "" {
		o.Succeeded++
		return
	}
	o.Failed++
	failure.Count = 1
	o.fail(failure)
}

func (o *Outcome) fail(c Cause) {
	i := slices.IndexFunc(o.Failures, func(have Cause) bool { return have.Code == c.Code })
	if i < 0 {
		o.Failures = append(o.Failures, c)
		return
	}
	o.Failures[i].Count += c.Count
}

// Add adds what became of other tasks.
func (o *Outcome) Add(other *Outcome) {
	o.Succeeded += other.Succeeded
	o.Failed += other.Failed
	for _, d := range other.Destinations {
		to := o.destination(d.Bucket, d.Rule)
		to.Carried.add(d.Carried)
		to.There.add(d.There)
		to.Failed.add(d.Failed)
	}
	for _, c := range other.Failures {
		o.fail(c)
	}
}

// Sort orders the failures: what is most comes first.
func (o *Outcome) Sort() {
	slices.SortStableFunc(o.Failures, func(a, b Cause) int { return cmp.Compare(b.Count, a.Count) })
}

// OverThreshold reports whether a job would fail for what became of its tasks.
func (o *Outcome) OverThreshold() bool {
	return Progress{Succeeded: o.Succeeded, Failed: o.Failed}.OverThreshold()
}

// Clone returns a copy that shares nothing.
func (o *Outcome) Clone() Outcome {
	c := *o
	c.Destinations, c.Failures = slices.Clone(o.Destinations), slices.Clone(o.Failures)
	return c
}

// Carried returns what was carried, and what was there already, at all
// destinations together.
func (o *Outcome) Carried() (carried, there Amount) {
	for _, d := range o.Destinations {
		carried.add(d.Carried)
		there.add(d.There)
	}
	return carried, there
}

// Finish sets what follows from the rest, and orders what was counted: what is
// most comes first. The rate is in tasks a second, of so many jobs; 0 if none
// was measured.
func (p *Plan) Finish(rate float64, jobs int) {
	slices.SortStableFunc(p.Excluded, func(a, b Exclusion) int { return cmp.Compare(b.Versions, a.Versions) })
	p.Foreseen.Sort()
	carried, _ := p.Foreseen.Carried()
	p.Requests = Requests{Tasks: p.Tasks, Puts: carried.Versions}
	if rate > 0 {
		p.Estimate = &Estimate{Seconds: int64(float64(p.Tasks) / rate), TasksPerSecond: rate, Jobs: jobs}
	}
}

// number writes n with commas.
func number(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
