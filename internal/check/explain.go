package check

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"twinbucket/bucket"
	"twinbucket/client"
	"twinbucket/fault"
	"twinbucket/object"
	"twinbucket/rule"
)

// ObjectOptions says which version to explain, and as whom to look.
type ObjectOptions struct {
	Bucket, Key string
	VersionID   string         // "" is the newest, which may be a delete marker
	Source      *client.Client // of the account that owns the bucket
	Others      []*client.Client
}

// Explanation says why a version is where it is.
type Explanation struct {
	Bucket    string        `json:"bucket"`
	Account   string        `json:"account"`
	Key       string        `json:"key"`
	VersionID string        `json:"versionId"`
	Marker    bool          `json:"deleteMarker"`
	Status    object.Status `json:"status"` // "" if the version has none, or the API does not tell
	Replica   bool          `json:"replica"`
	History   []Event       `json:"history"`
	Rules     []RuleVerdict `json:"rules"`
	Copies    []Copy        `json:"copies"`
	// Lines are what live replication of this version needs now.
	Lines []Line `json:"checks"`
	Plans []Plan `json:"plans,omitempty"`
	// Conclusions say it in sentences, the most important first.
	Conclusions []string `json:"conclusions"`
}

// Event is something that happened to the version.
type Event struct {
	Time time.Time `json:"time"`
	What string    `json:"what"`
}

// RuleVerdict says whether a rule takes the version.
type RuleVerdict struct {
	ID          string `json:"id"`
	Destination string `json:"destination"`
	Selected    bool   `json:"selected"`
	Why         string `json:"why,omitempty"` // it is not selected
}

// Presence is whether a destination has the version.
type Presence string

// What is known of a copy.
const (
	There   Presence = "there"
	Absent  Presence = "absent"
	Differs Presence = "differs" // there is a version of that id with another body
	Unseen  Presence = "unknown"
)

// Copy is the version at one destination.
type Copy struct {
	Bucket   string   `json:"bucket"`
	Account  string   `json:"account,omitempty"`
	Rule     string   `json:"rule,omitempty"`
	Presence Presence `json:"presence"`
	// What Twinbucket recorded; "" from others.
	Status object.Status `json:"status,omitempty"`
	Code   string        `json:"code,omitempty"`
	Reason string        `json:"reason,omitempty"`
	Time   *time.Time    `json:"time,omitempty"`
	// Changes are what waits to be carried there, or failed to be, of a version
	// that is there already.
	Changes object.Aspects `json:"changes,omitempty"`
}

// Refused returns how many lines are refused, and how many are unknown.
func (x *Explanation) Refused() (refused, unknown int) {
	r := Report{Lines: x.Lines}
	return r.Count(Refused), r.Count(Unknown)
}

// Explain finds out why a version is where it is.
func Explain(ctx context.Context, o ObjectOptions) (*Explanation, error) {
	c, src, err := begin(ctx, o.Bucket, o.Source, o.Others)
	if err != nil {
		return nil, err
	}
	v, err := version(ctx, src.reader, o)
	if err != nil {
		return nil, err
	}
	x := &Explanation{Bucket: src.Name, Account: src.Owner, Key: v.Key, VersionID: v.ID, Marker: v.Marker, Status: v.Status, Replica: v.IsReplica()}
	if v.Marker { // HEAD does not tell a marker's
		x.Status = object.Sum(v.Deliveries)
	}
	set, err := c.configuration(src)
	if err != nil {
		return nil, err
	}
	if err := c.follow(ctx, x, src, set, v); err != nil {
		return nil, err
	}
	x.Lines = c.report.Lines
	if x.Plans, err = c.plans(ctx); err != nil {
		return nil, err
	}
	x.tell(v)
	x.conclude(src, set)
	return x, nil
}

// version reads the version to explain, with its tags.
func version(ctx context.Context, a *client.Client, o ObjectOptions) (*object.Version, error) {
	if o.VersionID == "" {
		// The newest may be a delete marker, which HEAD does not show.
		for l, err := range a.Versions(ctx, o.Bucket, client.ListVersions{Prefix: o.Key}) {
			if err != nil {
				return nil, err
			}
			if l.Key == o.Key {
				o.VersionID = l.ID
			}
			break // in the order of keys, the newest first
		}
		if o.VersionID == "" {
			return nil, fault.New(fault.NotFound, "NoSuchKey", "The specified key does not exist.").On(o.Key).
				WithHint("no version of it is in %s", o.Bucket)
		}
	}
	v, err := a.HeadObject(ctx, o.Bucket, o.Key, o.VersionID)
	switch {
	case errors.Is(err, fault.NotFound), errors.Is(err, fault.Invalid):
		return nil, fault.New(fault.NotFound, "NoSuchVersion", "The specified version does not exist.").On(o.Key).
			WithHint("no version %s of it is in %s", o.VersionID, o.Bucket)
	case err != nil:
		return nil, err
	}
	if v.ID == "" {
		v.ID = o.VersionID
	}
	if !v.Marker {
		v.Tags, err = a.GetObjectTagging(ctx, o.Bucket, o.Key, o.VersionID)
	}
	return v, err
}

// configuration returns a bucket's replication configuration; nil if there is
// none.
func (c *checker) configuration(src *place) (*rule.Set, error) {
	if err := src.unread[bucket.Replication]; err != nil {
		return nil, err
	}
	data, ok := src.Documents[bucket.Replication]
	if !ok {
		return nil, nil
	}
	return rule.Parse(data)
}

// follow follows the version to every destination that a rule or the version
// itself names, and asks for what its way there needs.
func (c *checker) follow(ctx context.Context, x *Explanation, src *place, set *rule.Set, v *object.Version) error {
	rules := map[string]*rule.Rule{} // by destination
	if set != nil {
		for _, verdict := range set.Explain(v) {
			name := verdict.Rule.Destination.BucketName()
			x.Rules = append(x.Rules, RuleVerdict{verdict.Rule.ID, name, verdict.Selected, verdict.Why})
			switch {
			case verdict.Selected:
				rules[name] = verdict.Rule
				x.Copies = append(x.Copies, Copy{Bucket: name, Rule: verdict.Rule.ID})
			case verdict.Changes && slices.ContainsFunc(v.Deliveries, func(d object.Delivery) bool { return d.Bucket == name && unfinished(d) != 0 }):
				rules[name] = verdict.Rule
			}
		}
	}
	for _, d := range v.Deliveries {
		i := slices.IndexFunc(x.Copies, func(p Copy) bool { return p.Bucket == d.Bucket })
		if i < 0 {
			i = len(x.Copies)
			x.Copies = append(x.Copies, Copy{Bucket: d.Bucket, Rule: d.Rule})
		}
		p := &x.Copies[i]
		p.Status, p.Code, p.Reason, p.Time, p.Changes = d.Status, d.Code, d.Reason, &d.Time, unfinished(d)
	}
	for i := range x.Copies {
		if err := c.present(ctx, &x.Copies[i], v); err != nil {
			return err
		}
	}
	if len(rules) == 0 {
		return nil
	}
	who, err := c.replicationRole(ctx, src, set.Role)
	if err != nil {
		return err
	}
	for _, p := range x.Copies {
		if r := rules[p.Bucket]; r != nil {
			if err := c.rule(ctx, who, src, r, v, p.Changes); err != nil {
				return err
			}
		}
	}
	return nil
}

// unfinished returns the changes that a delivery is still to carry, or failed to.
func unfinished(d object.Delivery) object.Aspects {
	if d.Status == object.Completed {
		return 0
	}
	return d.Changed
}

// present looks whether a destination has the version.
func (c *checker) present(ctx context.Context, p *Copy, v *object.Version) error {
	p.Presence = Unseen
	dst, err := c.bucket(ctx, p.Bucket)
	if err != nil {
		return err
	}
	p.Account = dst.Owner
	switch {
	case dst.gone:
		p.Presence = Absent
		return nil
	case dst.reader == nil:
		return nil
	}
	there, err := dst.reader.HeadObject(ctx, p.Bucket, v.Key, v.ID)
	switch {
	case errors.Is(err, fault.NotFound):
		p.Presence = Absent
	case err == nil && there.ETag == v.ETag && there.Marker == v.Marker:
		p.Presence = There
	case err == nil && v.Encryption.Algorithm == there.Encryption.Algorithm && v.Encryption.Algorithm != object.KMS:
		p.Presence = Differs
	case err == nil:
		p.Presence = There // under KMS an ETag is not that of the bytes
	}
	return ctx.Err()
}

// tell tells what is known to have happened, in the order of time.
func (x *Explanation) tell(v *object.Version) {
	what := "the version was put"
	switch {
	case v.Marker:
		what = "the delete marker was made"
	case x.Replica:
		what = "the version was put at its source, of which it is a replica"
	}
	if !v.Modified.IsZero() {
		x.History = append(x.History, Event{v.Modified, what})
	}
	for _, p := range x.Copies {
		if p.Time == nil {
			continue
		}
		what := fmt.Sprintf("%s: %s", p.Bucket, p.Status)
		if p.Status == object.Pending {
			taken := "it"
			if p.Changes != 0 {
				taken = "its change of " + named(p.Changes)
			}
			what = fmt.Sprintf("rule %q took %s for %s: PENDING", p.Rule, taken, p.Bucket)
		}
		if p.Code != "" {
			what += " " + p.Code
		}
		x.History = append(x.History, Event{*p.Time, what})
	}
	slices.SortStableFunc(x.History, func(a, b Event) int { return a.Time.Compare(b.Time) })
}

// conclude says in sentences where the version is, and what to do.
func (x *Explanation) conclude(src *place, set *rule.Set) {
	say := func(format string, args ...any) { x.Conclusions = append(x.Conclusions, fmt.Sprintf(format, args...)) }
	told := false
	for _, p := range x.Copies {
		if p.Status == object.Failed && p.Reason != "" {
			told = true
			say("%s failed with %s: %s", p.Bucket, p.Code, p.Reason)
		}
	}
	refused, unknown := x.Refused()
	state, again := x.state(src, set, refused)
	if !told || refused == 0 || x.Replica {
		say("%s", state)
	}
	switch {
	case refused > 0 && x.Status == object.Completed:
		say("what it would need again is refused now, in %d of %d points", refused, len(x.Lines))
	case refused > 0:
		say("what it needs is refused now, in %d of %d points: mend that", refused, len(x.Lines))
	}
	if unknown > 0 {
		say("of what it needs %d of %d points are not known: see below", unknown, len(x.Lines))
	}
	const job = "a Batch Replication job (aws s3control create-job) carries what is FAILED or has no status"
	switch {
	case again && refused > 0:
		say("then try again: %s", job)
	case again:
		say("%s", job)
	}
}

// state says where the version stands, and whether a job has to carry it.
func (x *Explanation) state(src *place, set *rule.Set, refused int) (text string, again bool) {
	missing := slices.ContainsFunc(x.Copies, func(p Copy) bool { return p.Presence != There })
	switch {
	case x.Replica && x.Status != object.Replica:
		return x.returning()
	case x.Replica:
		return "it is a replica: it came here by replication, and live replication does not carry it on", false
	case set == nil:
		return src.Name + " has no replication configuration: nothing takes it anywhere", false
	case x.Status == object.Completed && missing:
		return "it was replicated, and a destination does not have it now, or does not show it", false
	case x.Status == object.Completed:
		return "it was replicated", false
	case !slices.ContainsFunc(x.Rules, func(r RuleVerdict) bool { return r.Selected }):
		return "no rule takes it", false
	case x.Status == object.Pending && refused == 0:
		return "it waits for its turn", false
	case x.Status == object.Pending:
		return "it waits for its turn, and will fail", false
	case slices.ContainsFunc(x.Copies, func(p Copy) bool { return p.Code == "DstObjectHardDeleted" || p.Code == "DstVersionNotFound" }):
		return "no job brings back what was deleted by its id: put the object again, as a new version", false
	case x.Status == object.Failed && refused == 0:
		return "it failed, and nothing that is known refuses it now", true
	case x.Status == object.Failed:
		return "it failed", true
	case x.Marker && missing:
		return "a rule takes delete markers like it; whether it was tried is not told", true
	case missing:
		return "a rule takes versions like it, and it has no status: it was there before the rule, which takes what comes after it", true
	}
	return "it is at every destination", false
}

// returning is the state of a replica whose own changes are not where they go.
func (x *Explanation) returning() (text string, again bool) {
	var changes object.Aspects
	var to []string
	gone := false
	for _, p := range x.Copies {
		if p.Changes != 0 && p.Status == x.Status {
			changes |= p.Changes
			to = append(to, p.Bucket)
			gone = gone || p.Code == "DstVersionNotFound"
		}
	}
	text = "it is a replica whose change of " + named(changes)
	where := strings.Join(to, ", ")
	switch {
	case x.Status == object.Pending:
		return text + " is on its way back to " + where, false
	case gone:
		return text + " failed to go back to " + where + ": the version was deleted there, and no change brings it back", false
	}
	return text + " failed to go back to " + where, true
}

// named lists aspects for people.
func named(a object.Aspects) string { return strings.ReplaceAll(a.String(), ",", ", ") }
