package lifecycle

import (
	"strings"
	"time"

	"twinbucket/markup"
	"twinbucket/object"
)

// Parse reads the XML document of PutBucketLifecycleConfiguration. Elements
// may come in any order and any namespace; an element the schema does not have
// is an error. Its errors have AWS's codes and texts.
func Parse(xml []byte) (*Set, error) {
	root, err := markup.Parse(xml, "LifecycleConfiguration", MaxSize)
	if err != nil {
		return nil, err
	}
	r := reader{markup.NewReader(&err)}.read(root, "Rule+")
	elements := r.All("Rule")
	if err == nil && len(elements) > MaxRules { // New says so; do not read on
		return New(make([]Rule, len(elements)))
	}
	rules := make([]Rule, 0, len(elements))
	for _, e := range elements {
		rules = append(rules, r.rule(e))
		if err != nil {
			return nil, err
		}
	}
	if err != nil {
		return nil, err
	}
	return New(rules)
}

// reader reads the elements of a configuration.
type reader struct{ *markup.Reader }

func (r reader) read(e *markup.Element, names ...string) reader { return reader{r.Read(e, names...)} }

func (r reader) rule(e *markup.Element) Rule {
	in := r.read(e, "ID", "Prefix", "Filter", "Status", "Expiration", "NoncurrentVersionExpiration",
		"AbortIncompleteMultipartUpload", "Transition+", "NoncurrentVersionTransition+")
	out := Rule{ID: in.Word("ID"), Prefix: in.Raw("Prefix")}
	in.Need("Status")
	switch status := in.Word("Status"); status {
	case "Enabled":
		out.Enabled = true
	case "Disabled":
	default:
		in.Fail("a Status is Enabled or Disabled and not %q", status)
	}
	if f := in.Child("Filter"); f != nil {
		out.Filter = in.filter(f)
	}
	if x := in.Child("Expiration"); x != nil {
		out.Expiration = in.expiration(x)
	}
	if n := in.Child("NoncurrentVersionExpiration"); n != nil {
		within := in.read(n, "NoncurrentDays", "NewerNoncurrentVersions")
		out.NoncurrentExpiration = &NoncurrentExpiration{
			Days:  within.days("NoncurrentDays", "NoncurrentVersionExpiration"),
			Newer: within.newer("NoncurrentVersionExpiration"),
		}
	}
	if a := in.Child("AbortIncompleteMultipartUpload"); a != nil {
		days := in.read(a, "DaysAfterInitiation").days("DaysAfterInitiation", "AbortIncompleteMultipartUpload")
		out.AbortAfter = &days
	}
	for _, t := range in.All("Transition") {
		out.Transitions = append(out.Transitions, in.transition(t))
	}
	for _, t := range in.All("NoncurrentVersionTransition") {
		out.NoncurrentTransitions = append(out.NoncurrentTransitions, in.noncurrentTransition(t))
	}
	return out
}

func (r reader) filter(e *markup.Element) *Filter {
	in := r.read(e, "Prefix", "Tag", "ObjectSizeGreaterThan", "ObjectSizeLessThan", "And")
	f := &Filter{Prefix: in.Raw("Prefix"), Greater: in.size("ObjectSizeGreaterThan"), Less: in.size("ObjectSizeLessThan")}
	if t := in.Child("Tag"); t != nil {
		tag := in.tag(t)
		f.Tag = &tag
	}
	if a := in.Child("And"); a != nil {
		and := in.read(a, "Prefix", "Tag+", "ObjectSizeGreaterThan", "ObjectSizeLessThan")
		f.And = &And{Prefix: and.Raw("Prefix"), Greater: and.size("ObjectSizeGreaterThan"), Less: and.size("ObjectSizeLessThan")}
		for _, t := range and.All("Tag") {
			f.And.Tags = append(f.And.Tags, and.tag(t))
		}
	}
	return f
}

func (r reader) size(name string) *int64 {
	n, ok := r.Int64(name)
	if !ok {
		return nil
	}
	return &n
}

func (r reader) tag(e *markup.Element) object.Tag {
	key, value := r.Tag(e)
	return object.Tag{Key: key, Value: value}
}

func (r reader) expiration(e *markup.Element) *Expiration {
	in := r.read(e, "Days", "Date", "ExpiredObjectDeleteMarker")
	if len(e.Kids) != 1 {
		in.Fail("an Expiration holds one of Days, Date and ExpiredObjectDeleteMarker")
	}
	x := new(Expiration)
	switch {
	case in.Child("Days") != nil:
		x.Days = in.days("Days", "Expiration")
	case in.Child("Date") != nil:
		x.Date = in.date()
	default:
		marker, _ := in.Bool("ExpiredObjectDeleteMarker")
		x.Marker = &marker
	}
	return x
}

// days returns a number of days that is needed, and at least 1.
func (r reader) days(name, action string) int {
	r.Need(name)
	n, ok := r.Int(name)
	if ok && n < 1 {
		r.Refuse(notPositive(name, action))
	}
	return n
}

// newer returns NewerNoncurrentVersions, 0 if it is absent.
func (r reader) newer(action string) int {
	n, ok := r.Int("NewerNoncurrentVersions")
	if ok && n < 1 {
		r.Refuse(notPositive("NewerNoncurrentVersions", action))
	}
	return n
}

func notPositive(name, action string) error {
	return invalidArgument("'" + name + "' for " + action + " action must be a positive integer")
}

// date returns the Date child. That it is at midnight is checked with the rule.
func (r reader) date() time.Time {
	t, err := ParseDate(r.Word("Date"))
	if err != nil {
		r.Refuse(err)
	}
	return t
}

// ParseDate reads a date in one of the forms of ISO 8601.
func ParseDate(s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02", "2006-01-02T15:04:05", "2006-01-02Z07:00"} {
		if t, err := time.Parse(layout, strings.TrimSpace(s)); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, markup.Malformed("a Date is written as 2030-01-31T00:00:00Z and not %q", s)
}

func (r reader) transition(e *markup.Element) Transition {
	in := r.read(e, "Days", "Date", "StorageClass")
	in.Need("StorageClass")
	t := Transition{Class: in.Word("StorageClass")}
	if n, ok := in.Int("Days"); ok {
		t.Days = &n
	}
	if in.Child("Date") != nil {
		t.Date = in.date()
		if t.Days != nil {
			in.Fail("a Transition holds Days or a Date and not both")
		}
	}
	return t
}

func (r reader) noncurrentTransition(e *markup.Element) NoncurrentTransition {
	in := r.read(e, "NoncurrentDays", "NewerNoncurrentVersions", "StorageClass")
	in.Need("StorageClass")
	in.Need("NoncurrentDays")
	n, _ := in.Int("NoncurrentDays")
	return NoncurrentTransition{Days: n, Newer: in.newer("NoncurrentVersionTransition"), Class: in.Word("StorageClass")}
}
