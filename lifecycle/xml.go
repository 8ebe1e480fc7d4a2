package lifecycle

import (
	"encoding/xml"
	"strconv"
	"strings"
	"time"

	"twinbucket/markup"
	"twinbucket/object"
)

// XML returns the configuration as GetBucketLifecycleConfiguration answers it:
// as it was put, with the IDs that were generated.
func (s *Set) XML() []byte {
	var b strings.Builder
	b.WriteString(xml.Header)
	b.WriteString(`<LifecycleConfiguration xmlns="` + markup.Namespace + `">`)
	for i := range s.Rules {
		writeRule(&b, &s.Rules[i])
	}
	b.WriteString("</LifecycleConfiguration>")
	return []byte(b.String())
}

func writeRule(b *strings.Builder, r *Rule) {
	markup.Wrap(b, "Rule", func() {
		markup.LeafIf(b, "ID", r.ID)
		markup.LeafPtr(b, "Prefix", r.Prefix)
		if r.Filter != nil {
			writeFilter(b, r.Filter)
		}
		status := "Disabled"
		if r.Enabled {
			status = "Enabled"
		}
		markup.Leaf(b, "Status", status)
		for _, t := range r.Transitions {
			markup.Wrap(b, "Transition", func() {
				if t.Days != nil {
					markup.Leaf(b, "Days", strconv.Itoa(*t.Days))
				}
				writeDate(b, t.Date)
				markup.Leaf(b, "StorageClass", t.Class)
			})
		}
		if x := r.Expiration; x != nil {
			markup.Wrap(b, "Expiration", func() {
				writeNumber(b, "Days", x.Days)
				writeDate(b, x.Date)
				if x.Marker != nil {
					markup.Leaf(b, "ExpiredObjectDeleteMarker", strconv.FormatBool(*x.Marker))
				}
			})
		}
		for _, t := range r.NoncurrentTransitions {
			markup.Wrap(b, "NoncurrentVersionTransition", func() {
				writeNumber(b, "NewerNoncurrentVersions", t.Newer)
				markup.Leaf(b, "NoncurrentDays", strconv.Itoa(t.Days))
				markup.Leaf(b, "StorageClass", t.Class)
			})
		}
		if n := r.NoncurrentExpiration; n != nil {
			markup.Wrap(b, "NoncurrentVersionExpiration", func() {
				writeNumber(b, "NewerNoncurrentVersions", n.Newer)
				markup.Leaf(b, "NoncurrentDays", strconv.Itoa(n.Days))
			})
		}
		if r.AbortAfter != nil {
			markup.Wrap(b, "AbortIncompleteMultipartUpload", func() {
				markup.Leaf(b, "DaysAfterInitiation", strconv.Itoa(*r.AbortAfter))
			})
		}
	})
}

func writeFilter(b *strings.Builder, f *Filter) {
	if *f == (Filter{}) {
		b.WriteString("<Filter/>")
		return
	}
	markup.Wrap(b, "Filter", func() {
		c := And{Prefix: f.Prefix, Greater: f.Greater, Less: f.Less}
		if f.Tag != nil {
			c.Tags = []object.Tag{*f.Tag}
		}
		writeConditions(b, c)
		if f.And != nil {
			markup.Wrap(b, "And", func() { writeConditions(b, *f.And) })
		}
	})
}

func writeConditions(b *strings.Builder, c And) {
	markup.LeafPtr(b, "Prefix", c.Prefix)
	for _, t := range c.Tags {
		markup.WriteTag(b, t.Key, t.Value)
	}
	for _, s := range []struct {
		name string
		size *int64
	}{{"ObjectSizeGreaterThan", c.Greater}, {"ObjectSizeLessThan", c.Less}} {
		if s.size != nil {
			markup.Leaf(b, s.name, strconv.FormatInt(*s.size, 10))
		}
	}
}

// writeNumber writes a number unless it is 0.
func writeNumber(b *strings.Builder, name string, n int) {
	if n != 0 {
		markup.Leaf(b, name, strconv.Itoa(n))
	}
}

func writeDate(b *strings.Builder, t time.Time) {
	if !t.IsZero() {
		markup.Leaf(b, "Date", t.Format("2006-01-02T15:04:05.000Z"))
	}
}
