package lifecycle

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"twinbucket/fault"
	"twinbucket/markup"
	"twinbucket/object"
)

// maxObject is the largest size that a filter may name, in bytes.
const maxObject = 1099511627776000

// classes are the storage classes that objects can go to, warmer ones first:
// no rule takes an object back up.
var classes = []string{"STANDARD_IA", "INTELLIGENT_TIERING", "ONEZONE_IA", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"}

// checkVersion finds out the schema version and checks that rules of the two
// are not mixed.
func (s *Set) checkVersion() error {
	s.legacy = s.Rules[0].Filter == nil
	for i := range s.Rules {
		r := &s.Rules[i]
		thing := "rule " + r.ID
		switch {
		case r.Filter == nil && r.Prefix == nil:
			return markup.Malformed("a rule has a Filter; <Filter/> selects every object").On(thing)
		case s.legacy && r.Filter != nil:
			return invalidRequest("Filter element can only be used in Lifecycle V2.").On(thing).
				WithHint("the first rule has a Prefix: put all prefixes into Filters")
		case !s.legacy && r.Prefix != nil:
			return invalidRequest("Base level prefix cannot be used in Lifecycle V2, prefixes are only supported in the Filter.").On(thing).
				WithHint("put the prefix into the rule's Filter")
		case s.legacy && r.usesNewer():
			return invalidRequest("NewerNoncurrentVersions element can only be used in Lifecycle V2.").On(thing).
				WithHint("put the rule's Prefix into a Filter")
		}
	}
	return nil
}

func (r *Rule) usesNewer() bool {
	return r.NoncurrentExpiration != nil && r.NoncurrentExpiration.Newer > 0 ||
		slices.ContainsFunc(r.NoncurrentTransitions, func(t NoncurrentTransition) bool { return t.Newer > 0 })
}

// checkRule checks one rule by itself.
func checkRule(r *Rule) error {
	if utf8.RuneCountInString(r.ID) > 255 {
		return invalidArgument("ID length should not exceed allowed limit of 255")
	}
	if r.Expiration == nil && r.NoncurrentExpiration == nil && r.AbortAfter == nil && len(r.Transitions)+len(r.NoncurrentTransitions) == 0 {
		return invalidRequest("At least one action needs to be specified in a rule").On("rule " + r.ID).
			WithHint("add an Expiration, a NoncurrentVersionExpiration or another action")
	}
	for _, check := range []func(*Rule) error{checkFilter, checkExpirations, checkTransitions, checkNoncurrentTransitions} {
		if err := check(r); err != nil {
			return err
		}
	}
	return nil
}

func checkFilter(r *Rule) error {
	c := r.conditions()
	if f := r.Filter; f != nil {
		direct := count(f.Prefix != nil, f.Tag != nil, f.Greater != nil, f.Less != nil, f.And != nil)
		if direct > 1 {
			return markup.Malformed("a Filter holds one condition; put several into And").On("rule " + r.ID)
		}
		if f.And != nil && count(c.Prefix != nil, c.Greater != nil, c.Less != nil)+len(c.Tags) < 2 {
			return markup.Malformed("And combines two conditions or more; a single one goes into the Filter").On("rule " + r.ID)
		}
	}
	switch {
	case len(r.prefix()) > object.MaxKey:
		return invalidRequest("The maximum size of a prefix is 1024.").On("rule " + r.ID)
	case c.Greater != nil && (*c.Greater < 0 || *c.Greater > maxObject):
		return invalidRequest(fmt.Sprintf("'ObjectSizeGreaterThan' should be between 0 and %d.", int64(maxObject)))
	case c.Less != nil && (*c.Less < 1 || *c.Less > maxObject):
		return invalidRequest(fmt.Sprintf("'ObjectSizeLessThan' should be between 1 and %d.", int64(maxObject)))
	case c.Greater != nil && c.Less != nil && *c.Less <= *c.Greater:
		return invalidRequest("'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'.")
	}
	seen := map[string]bool{}
	for _, t := range c.Tags {
		switch {
		case seen[t.Key]:
			return invalidRequest("Duplicate Tag Keys are not allowed.").On(t.Key)
		case t.Key == "" || utf8.RuneCountInString(t.Key) > 128:
			return fault.New(fault.Invalid, "InvalidTag", "The TagKey you have provided is invalid").On(t.Key)
		case utf8.RuneCountInString(t.Value) > 256:
			return fault.New(fault.Invalid, "InvalidTag", "The TagValue you have provided is invalid").On(t.Key)
		}
		seen[t.Key] = true
	}
	return nil
}

func count(conditions ...bool) (n int) {
	for _, c := range conditions {
		if c {
			n++
		}
	}
	return n
}

// checkExpirations checks the actions that end something.
func checkExpirations(r *Rule) error {
	c := r.conditions()
	refuse := func(action string) error {
		switch {
		case len(c.Tags) > 0:
			return invalidRequest(action + " cannot be specified with Tags.").On("rule " + r.ID).
				WithHint("give the action a rule of its own, filtered by prefix only")
		case c.Greater != nil || c.Less != nil:
			return invalidRequest(action + " cannot be specified with Object Size.").On("rule " + r.ID).
				WithHint("give the action a rule of its own, filtered by prefix only")
		}
		return nil
	}
	if x := r.Expiration; x != nil {
		if count(x.Days != 0, !x.Date.IsZero(), x.Marker != nil) != 1 {
			return markup.Malformed("an Expiration holds one of Days, Date and ExpiredObjectDeleteMarker").On("rule " + r.ID)
		}
		if x.Days < 0 {
			return notPositive("Days", "Expiration")
		}
		if err := checkDate(x.Date); err != nil {
			return err
		}
		if x.Marker != nil {
			if err := refuse("ExpiredObjectDeleteMarker"); err != nil {
				return err
			}
		}
	}
	if n := r.NoncurrentExpiration; n != nil {
		if n.Days < 1 {
			return notPositive("NoncurrentDays", "NoncurrentVersionExpiration")
		}
		if n.Newer < 0 {
			return notPositive("NewerNoncurrentVersions", "NoncurrentVersionExpiration")
		}
	}
	if r.AbortAfter != nil {
		if *r.AbortAfter < 1 {
			return notPositive("DaysAfterInitiation", "AbortIncompleteMultipartUpload")
		}
		return refuse("AbortIncompleteMultipartUpload")
	}
	return nil
}

func checkDate(t time.Time) error {
	if !t.Equal(t.Truncate(24 * time.Hour)) {
		return invalidArgument("'Date' must be at midnight GMT").On(t.Format(time.RFC3339))
	}
	return nil
}

// step is a transition in the form in which the two kinds of it are compared.
type step struct {
	class string
	days  int
	date  time.Time
}

func checkTransitions(r *Rule) error {
	steps := make([]step, 0, len(r.Transitions))
	days, dates := false, false
	for _, t := range r.Transitions {
		s := step{class: t.Class, date: t.Date}
		switch {
		case t.Days == nil && t.Date.IsZero() || t.Days != nil && !t.Date.IsZero():
			return markup.Malformed("a Transition holds Days or a Date").On("rule " + r.ID)
		case t.Days != nil:
			days, s.days = true, *t.Days
		default:
			dates = true
			if err := checkDate(t.Date); err != nil {
				return err
			}
		}
		steps = append(steps, s)
	}
	where := r.where()
	x := r.Expiration
	switch {
	case days && dates:
		return invalidRequest("Found mixed 'Date' and 'Days' based Transition actions in lifecycle rule for " + where)
	case x != nil && (x.Days > 0 && dates || !x.Date.IsZero() && days):
		return invalidRequest("Found mixed 'Date' and 'Days' based Expiration and Transition actions in lifecycle rule for " + where)
	}
	if err := checkSteps(r, "Transition", "Days", steps); err != nil {
		return err
	}
	for _, s := range steps {
		switch {
		case x == nil:
		case x.Days > 0 && s.days >= x.Days:
			return invalidArgument("'Days' in the Expiration action for " + where + " must be greater than 'Days' in the Transition action")
		case !x.Date.IsZero() && !s.date.Before(x.Date):
			return invalidArgument("'Date' in the Expiration action for " + where + " must be later than 'Date' in the Transition action")
		}
	}
	return nil
}

func checkNoncurrentTransitions(r *Rule) error {
	steps := make([]step, 0, len(r.NoncurrentTransitions))
	for _, t := range r.NoncurrentTransitions {
		if t.Newer < 0 {
			return notPositive("NewerNoncurrentVersions", "NoncurrentVersionTransition")
		}
		steps = append(steps, step{class: t.Class, days: t.Days})
	}
	if err := checkSteps(r, "NoncurrentVersionTransition", "NoncurrentDays", steps); err != nil {
		return err
	}
	for _, s := range steps {
		if x := r.NoncurrentExpiration; x != nil && s.days >= x.Days {
			return invalidArgument("'NoncurrentDays' in the NoncurrentVersionExpiration action for " + r.where() +
				" must be greater than 'NoncurrentDays' in the NoncurrentVersionTransition action")
		}
	}
	return nil
}

// checkSteps checks the transitions of one action: each class once, and colder
// ones later.
func checkSteps(r *Rule, action, unit string, steps []step) error {
	for i, s := range steps {
		switch {
		case !slices.Contains(classes, s.class):
			return markup.Malformed("%q is not a storage class that objects can go to", s.class).On("rule " + r.ID)
		case s.days < 0:
			return invalidArgument("'" + unit + "' in " + action + " action must be nonnegative")
		case s.date.IsZero() && s.days < 30 && (s.class == "STANDARD_IA" || s.class == "ONEZONE_IA"):
			return invalidArgument("'" + unit + "' in " + action + " action must be greater than or equal to 30 for storageClass '" + s.class + "'")
		case slices.ContainsFunc(steps[:i], func(o step) bool { return o.class == s.class }):
			return invalidRequest("'StorageClass' must be different for '" + action + "' actions in same 'Rule' with " + r.where())
		}
	}
	slices.SortFunc(steps, func(a, b step) int { return slices.Index(classes, a.class) - slices.Index(classes, b.class) })
	for i := 1; i < len(steps); i++ {
		warm, cold := steps[i-1], steps[i]
		by := unit
		if !cold.date.IsZero() {
			by = "Date"
		}
		if cold.days < warm.days || cold.days == warm.days && !cold.date.After(warm.date) {
			return invalidArgument(fmt.Sprintf("'%[1]s' in the %[2]s action for StorageClass '%[3]s' for %[4]s must be greater than '%[1]s' in the %[2]s action for StorageClass '%[5]s' for %[4]s",
				by, action, cold.class, r.where(), warm.class))
		}
	}
	return nil
}

// where names a rule's filter as AWS's texts do.
func (r *Rule) where() string {
	if r.Filter == nil {
		return "prefix '" + r.prefix() + "'"
	}
	c := r.conditions()
	var parts []string
	if c.Prefix != nil {
		parts = append(parts, "prefix="+*c.Prefix)
	}
	for _, t := range c.Tags {
		parts = append(parts, "tag={key="+t.Key+", value="+t.Value+"}")
	}
	if c.Greater != nil {
		parts = append(parts, fmt.Sprintf("objectsizegreaterthan=%d", *c.Greater))
	}
	if c.Less != nil {
		parts = append(parts, fmt.Sprintf("objectsizelessthan=%d", *c.Less))
	}
	if len(parts) == 0 {
		parts = []string{"prefix="}
	}
	return "filter '(" + strings.Join(parts, " and ") + ")'"
}

// checkTogether checks the rules against each other.
func (s *Set) checkTogether() error {
	ids := map[string]bool{}
	for i := range s.Rules {
		id := s.Rules[i].ID
		if id != "" && ids[id] {
			return invalidArgument("Rule ID must be unique. Found same ID for more than one rule").On(id)
		}
		ids[id] = true
	}
	if !s.legacy {
		return nil
	}
	for _, a := range []struct {
		name string
		has  func(*Rule) bool
	}{
		{"Expiration", func(r *Rule) bool { return r.Expiration != nil }},
		{"Transition", func(r *Rule) bool { return len(r.Transitions) > 0 }},
		{"NoncurrentVersionExpiration", func(r *Rule) bool { return r.NoncurrentExpiration != nil }},
		{"NoncurrentVersionTransition", func(r *Rule) bool { return len(r.NoncurrentTransitions) > 0 }},
		{"AbortIncompleteMultipartUpload", func(r *Rule) bool { return r.AbortAfter != nil }},
	} {
		var prefixes []string
		for i := range s.Rules {
			if r := &s.Rules[i]; a.has(r) {
				prefixes = append(prefixes, r.prefix())
			}
		}
		slices.Sort(prefixes)
		// If any two overlap, so do two neighbours.
		for i := 1; i < len(prefixes); i++ {
			if strings.HasPrefix(prefixes[i], prefixes[i-1]) {
				return invalidRequest(fmt.Sprintf("Found overlapping prefixes '%s' and '%s' for same action type '%s'", prefixes[i-1], prefixes[i], a.name)).
					WithHint("one key, one rule: or put the prefixes into Filters, which may overlap")
			}
		}
	}
	return nil
}

// nameRules gives an ID to every rule that has none.
func (s *Set) nameRules() {
	ids := make([]*string, len(s.Rules))
	for i := range s.Rules {
		ids[i] = &s.Rules[i].ID
	}
	markup.NameRules(ids, func(b *strings.Builder, i int) { writeRule(b, &s.Rules[i]) })
}
