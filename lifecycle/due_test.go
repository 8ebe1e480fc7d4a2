package lifecycle_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"twinbucket/lifecycle"
	"twinbucket/object"
)

func at(t testing.TB, s string) time.Time {
	t.Helper()
	x, err := time.Parse("2006-01-02 15:04:05", s)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// TestDue has the examples of the S3 User Guide and what follows from them.
func TestDue(t *testing.T) {
	t.Parallel()
	s := parse(t, document(
		"<ID>days</ID><Filter><Prefix>d/</Prefix></Filter>"+on+"<Expiration><Days>3</Days></Expiration>",
		"<ID>date</ID><Filter><Prefix>x/</Prefix></Filter>"+on+"<Expiration><Date>2030-01-01</Date></Expiration>",
		"<ID>later</ID><Filter><Prefix>d/</Prefix></Filter>"+on+"<Expiration><Days>4</Days></Expiration>",
		"<ID>same</ID><Filter><Prefix>d</Prefix></Filter>"+on+"<Expiration><Days>3</Days></Expiration>",
		"<ID>off</ID><Filter/><Status>Disabled</Status><Expiration><Days>1</Days></Expiration>",
		"<ID>tag</ID><Filter><And><Tag><Key>k</Key><Value>v</Value></Tag><Tag><Key>l</Key><Value></Value></Tag></And></Filter>"+on+"<Expiration><Days>1</Days></Expiration>",
		"<ID>size</ID><Filter><And><ObjectSizeGreaterThan>10</ObjectSizeGreaterThan><ObjectSizeLessThan>12</ObjectSizeLessThan></And></Filter>"+on+"<Expiration><Days>1</Days></Expiration>",
		"<ID>marker</ID><Filter><Prefix>m/</Prefix></Filter>"+on+"<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>",
		"<ID>nomarker</ID><Filter><Prefix>n/</Prefix></Filter>"+on+"<Expiration><ExpiredObjectDeleteMarker>false</ExpiredObjectDeleteMarker></Expiration>",
		"<ID>forever</ID><Filter><Prefix>f/</Prefix></Filter>"+on+"<Expiration><Days>2147483647</Days></Expiration>",
	))
	for _, tt := range []struct {
		v     object.Version
		made  string
		alone bool
		want  string
	}{
		{object.Version{Key: "d/1"}, "2014-01-15 10:30:00", false, "days 2014-01-19 00:00:00"},
		{object.Version{Key: "d/1"}, "2014-01-15 00:00:00", false, "days 2014-01-18 00:00:00"},
		{object.Version{Key: "d/1"}, "2014-01-15 00:00:01", false, "days 2014-01-19 00:00:00"},
		{object.Version{Key: "do"}, "2014-01-15 23:59:59", false, "same 2014-01-19 00:00:00"},
		{object.Version{Key: "other"}, "2014-01-15 10:30:00", false, ""},
		{object.Version{Key: "x/1"}, "2040-01-15 10:30:00", false, "date 2030-01-01 00:00:00"},
		{object.Version{Key: "t", Tags: []object.Tag{{Key: "k", Value: "v"}}}, "2014-01-15 10:30:00", false, ""},
		{object.Version{Key: "t", Tags: []object.Tag{{Key: "l"}, {Key: "m"}, {Key: "k", Value: "v"}}}, "2014-01-15 10:30:00", false, "tag 2014-01-17 00:00:00"},
		{object.Version{Key: "s", Size: 10}, "2014-01-15 10:30:00", false, ""},
		{object.Version{Key: "s", Size: 11}, "2014-01-15 10:30:00", false, "size 2014-01-17 00:00:00"},
		{object.Version{Key: "s", Size: 12}, "2014-01-15 10:30:00", false, ""},
		{object.Version{Key: "d/1", Marker: true}, "2014-01-15 10:30:00", false, ""},
		{object.Version{Key: "d/1", Marker: true}, "2014-01-15 10:30:00", true, "days 2014-01-19 00:00:00"},
		{object.Version{Key: "m/1", Marker: true}, "2014-01-15 10:30:00", false, ""},
		{object.Version{Key: "m/1", Marker: true}, "2014-01-15 10:30:00", true, "marker 2014-01-15 10:30:00"},
		{object.Version{Key: "m/1"}, "2014-01-15 10:30:00", true, ""},
		{object.Version{Key: "n/1", Marker: true}, "2014-01-15 10:30:00", true, ""},
		{object.Version{Key: "f/1"}, "2014-01-15 10:30:00", true, "forever 5881624-07-26 00:00:00"},
	} {
		tt.v.Modified = at(t, tt.made)
		if got := said(s.Current(&tt.v, tt.alone, lifecycle.Day)); got != tt.want {
			t.Errorf("%s marker=%v alone=%v made %s: %q, want %q", tt.v.Key, tt.v.Marker, tt.alone, tt.made, got, tt.want)
		}
	}
}

func said(d lifecycle.Due) string {
	if d.Rule == nil {
		return ""
	}
	return d.Rule.ID + " " + d.At.Format("2006-01-02 15:04:05")
}

func TestNoncurrentDue(t *testing.T) {
	t.Parallel()
	s := parse(t, document(
		"<ID>keep</ID><Filter><Prefix>k/</Prefix></Filter>"+on+"<NoncurrentVersionExpiration><NoncurrentDays>3</NoncurrentDays><NewerNoncurrentVersions>2</NewerNoncurrentVersions></NoncurrentVersionExpiration>",
		"<ID>all</ID><Filter><Prefix>k/a</Prefix></Filter>"+on+"<NoncurrentVersionExpiration><NoncurrentDays>30</NoncurrentDays></NoncurrentVersionExpiration>",
	))
	since := at(t, "2014-01-15 10:30:00")
	for _, tt := range []struct {
		key   string
		newer int
		want  string
	}{
		{"k/1", 0, ""},
		{"k/1", 1, ""},
		{"k/1", 2, "keep 2014-01-19 00:00:00"},
		{"k/a", 1, "all 2014-02-15 00:00:00"},
		{"k/a", 2, "keep 2014-01-19 00:00:00"},
		{"o", 9, ""},
	} {
		v := object.Version{Key: tt.key, Modified: since.Add(-time.Hour)}
		if got := said(s.Noncurrent(&v, since, tt.newer, lifecycle.Day)); got != tt.want {
			t.Errorf("%s with %d newer: %q, want %q", tt.key, tt.newer, got, tt.want)
		}
	}
}

func TestUploadDue(t *testing.T) {
	t.Parallel()
	s := parse(t, document(
		"<ID>slow</ID><Prefix>a/</Prefix>"+on+"<AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload>",
		"<ID>fast</ID><Prefix>b/</Prefix>"+on+"<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>",
	))
	began := at(t, "2014-01-15 10:30:00")
	for key, want := range map[string]string{"a/x": "slow 2014-01-23 00:00:00", "b/": "fast 2014-01-17 00:00:00", "c": ""} {
		if got := said(s.Upload(key, began, lifecycle.Day)); got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
	if got := said(s.Upload("b/", began, 10*time.Second)); got != "fast 2014-01-15 10:30:10" {
		t.Errorf("with days of ten seconds: %q", got)
	}
}

func TestPrefixes(t *testing.T) {
	t.Parallel()
	s := parse(t, document(
		"<Filter><Prefix>b/</Prefix></Filter>"+on+expires,
		"<Filter><Prefix>a/x</Prefix></Filter>"+on+expires,
		"<Filter><Prefix>a/</Prefix></Filter>"+on+"<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>",
		"<Filter><Prefix>c</Prefix></Filter>"+on+"<AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload>",
		"<Filter/>"+on+toIA,
		"<Filter/><Status>Disabled</Status>"+expires,
	))
	if diff := cmp.Diff([]string{"a/", "b/"}, s.Versions()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"c"}, s.Uploads()); diff != "" {
		t.Error(diff)
	}
	if none := parse(t, document(all+toIA)); none.Versions() != nil || none.Uploads() != nil {
		t.Error("a rule that ends nothing has prefixes to look at")
	}
}

func TestHeld(t *testing.T) {
	t.Parallel()
	now := at(t, "2014-01-15 10:30:00")
	for _, tt := range []struct {
		v               object.Version
		marked, forGood bool
	}{
		{object.Version{}, false, false},
		{object.Version{Status: object.Completed}, false, false},
		{object.Version{Status: object.Pending}, true, true},
		{object.Version{Status: object.Replica, Deliveries: []object.Delivery{{Status: object.Pending}}}, true, true},
		{object.Version{Status: object.Failed}, false, false},
		{object.Version{Lock: object.Lock{Hold: true}}, false, true},
		{object.Version{Lock: object.Lock{Mode: "GOVERNANCE", Until: now.Add(1)}}, false, true},
		{object.Version{Lock: object.Lock{Mode: "COMPLIANCE", Until: now}}, false, false},
	} {
		if got := lifecycle.Held(&tt.v, false, now); got != tt.marked {
			t.Errorf("%+v: held from a marker: %v", tt.v, got)
		}
		if got := lifecycle.Held(&tt.v, true, now); got != tt.forGood {
			t.Errorf("%+v: held from its end: %v", tt.v, got)
		}
	}
}

// ruleGen draws V2 rules that end something.
func ruleGen(t *rapid.T, i int) lifecycle.Rule {
	r := lifecycle.Rule{ID: fmt.Sprint("r", i), Enabled: rapid.IntRange(0, 4).Draw(t, "enabled") > 0, Filter: &lifecycle.Filter{}}
	prefix := rapid.SampledFrom([]string{"", "a", "a/", "a/b", "b"}).Draw(t, "prefix")
	days := rapid.IntRange(1, 5)
	size := int64(rapid.IntRange(1, 6).Draw(t, "size"))
	simple := false
	switch rapid.IntRange(0, 4).Draw(t, "filter") {
	case 0:
		r.Filter.Prefix, simple = &prefix, true
	case 1:
		r.Filter.Tag = &object.Tag{Key: "k", Value: "v"}
	case 2:
		r.Filter.Less = &size
	case 3:
		r.Filter.And = &lifecycle.And{Prefix: &prefix, Greater: &size, Tags: []object.Tag{{Key: "k", Value: "w"}}}
	default:
		simple = true
	}
	switch rapid.IntRange(0, 4).Draw(t, "action") {
	case 0:
		r.Expiration = &lifecycle.Expiration{Days: days.Draw(t, "days")}
	case 1:
		r.Expiration = &lifecycle.Expiration{Date: time.Date(2026, 1, rapid.IntRange(1, 9).Draw(t, "date"), 0, 0, 0, 0, time.UTC)}
	case 2:
		if yes := true; simple {
			r.Expiration = &lifecycle.Expiration{Marker: &yes}
			break
		}
		fallthrough
	default:
		r.NoncurrentExpiration = &lifecycle.NoncurrentExpiration{Days: days.Draw(t, "days"), Newer: rapid.IntRange(0, 3).Draw(t, "newer")}
	}
	return r
}

// selects is what a filter says, said plainly.
func selects(f *lifecycle.Filter, v *object.Version) bool {
	ok := true
	if f.Prefix != nil {
		ok = ok && strings.HasPrefix(v.Key, *f.Prefix)
	}
	if f.Tag != nil {
		ok = ok && slices.Contains(v.Tags, *f.Tag)
	}
	if f.Less != nil {
		ok = ok && v.Size < *f.Less
	}
	if a := f.And; a != nil {
		ok = ok && strings.HasPrefix(v.Key, *a.Prefix) && v.Size > *a.Greater && slices.Contains(v.Tags, a.Tags[0])
	}
	return ok
}

// TestDueAgainstOracle compares with a reading of the rules that goes through
// the hours until one acts.
func TestDueAgainstOracle(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		var rules []lifecycle.Rule
		for i := range rapid.IntRange(1, 5).Draw(t, "rules") {
			rules = append(rules, ruleGen(t, i))
		}
		s, err := lifecycle.New(rules)
		if err != nil {
			t.Fatal(err)
		}
		hour := func(name string) time.Time {
			return begin.Add(time.Duration(rapid.IntRange(0, 72).Draw(t, name)) * time.Hour)
		}
		v := object.Version{
			Key:      rapid.SampledFrom([]string{"a", "a/b", "a/bc", "b", "c"}).Draw(t, "key"),
			Marker:   rapid.Bool().Draw(t, "marker"),
			Modified: hour("made"),
		}
		if !v.Marker {
			v.Size = int64(rapid.IntRange(0, 8).Draw(t, "bytes"))
			v.Tags = []object.Tag{{Key: "k", Value: rapid.SampledFrom([]string{"v", "w"}).Draw(t, "value")}}
		}
		alone, since, newer := rapid.Bool().Draw(t, "alone"), hour("since"), rapid.IntRange(0, 4).Draw(t, "newer")

		// passed reports whether n whole days have passed and a midnight has come.
		passed := func(now, from time.Time, n int) bool {
			for d := now; !d.Before(from.Add(time.Duration(n) * 24 * time.Hour)); d = d.Add(-time.Hour) {
				if d.Hour() == 0 {
					return true
				}
			}
			return false
		}
		for now := begin; now.Before(begin.AddDate(0, 0, 12)); now = now.Add(time.Hour) {
			current, noncurrent := false, false
			for _, r := range rules {
				if !r.Enabled || !selects(r.Filter, &v) {
					continue
				}
				if x := r.Expiration; x != nil && (!v.Marker || alone) {
					current = current || x.Days > 0 && passed(now, v.Modified, x.Days) ||
						!x.Date.IsZero() && !now.Before(x.Date) || x.Marker != nil && v.Marker && !now.Before(v.Modified)
				}
				if x := r.NoncurrentExpiration; x != nil && newer >= x.Newer {
					noncurrent = noncurrent || passed(now, since, x.Days)
				}
			}
			if got := s.Current(&v, alone, lifecycle.Day).By(now); got != current {
				t.Fatalf("at %v the current version %+v (alone %v) is due: %v, want %v", now, v, alone, got, current)
			}
			if got := s.Noncurrent(&v, since, newer, lifecycle.Day).By(now); got != noncurrent {
				t.Fatalf("at %v the noncurrent version %+v since %v with %d newer is due: %v, want %v", now, v, since, newer, got, noncurrent)
			}
			// What is due has a prefix that is looked at.
			if (current || noncurrent) && !slices.ContainsFunc(s.Versions(), func(p string) bool { return strings.HasPrefix(v.Key, p) }) {
				t.Fatalf("%s is under none of the prefixes %q", v.Key, s.Versions())
			}
		}
	})
}
