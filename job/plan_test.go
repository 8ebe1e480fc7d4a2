package job_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"twinbucket/job"
	"twinbucket/object"
)

// TestFilterRefuses has each filter refuse, and say what the version is.
func TestFilterRefuses(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 6, 1, 0, 0, 0, 0, time.UTC)
	v := object.Version{Key: "logs/a.txt", Modified: at, Size: 10, Status: object.Failed, Class: "STANDARD_IA"}
	marker := object.Version{Key: "logs/a.txt", Modified: at, Marker: true}
	for name, c := range map[string]struct {
		filter *job.Filter
		v      object.Version
		want   string
		is     string
	}{
		"nothing":           {nil, v, "", ""},
		"after":             {&job.Filter{CreatedAfter: &at}, v, "CreatedAfter", ""},
		"before":            {&job.Filter{CreatedBefore: &at}, v, "CreatedBefore", ""},
		"status":            {&job.Filter{ObjectReplicationStatuses: []string{"NONE"}}, v, "ObjectReplicationStatuses", "FAILED"},
		"no status":         {&job.Filter{ObjectReplicationStatuses: []string{"FAILED"}}, marker, "ObjectReplicationStatuses", "NONE"},
		"prefix":            {&job.Filter{KeyName: &job.KeyNameConstraint{Prefixes: []string{"x"}}}, v, "MatchAnyPrefix", ""},
		"suffix":            {&job.Filter{KeyName: &job.KeyNameConstraint{Suffixes: []string{"x"}}}, v, "MatchAnySuffix", ""},
		"substring":         {&job.Filter{KeyName: &job.KeyNameConstraint{Substrings: []string{"xx"}}}, v, "MatchAnySubstring", ""},
		"greater":           {&job.Filter{SizeGreaterThan: ptr(int64(10))}, v, "ObjectSizeGreaterThanBytes", ""},
		"less":              {&job.Filter{SizeLessThan: ptr(int64(10))}, v, "ObjectSizeLessThanBytes", ""},
		"size of a marker":  {&job.Filter{SizeLessThan: ptr(int64(10))}, marker, "ObjectSizeLessThanBytes", "a delete marker"},
		"class":             {&job.Filter{StorageClasses: []string{"STANDARD"}}, v, "MatchAnyStorageClass", "STANDARD_IA"},
		"class of a marker": {&job.Filter{StorageClasses: []string{"STANDARD"}}, marker, "MatchAnyStorageClass", "a delete marker"},
		"encryption":        {&job.Filter{ObjectEncryption: []job.EncryptionFilter{{Kind: "SSE-S3"}}}, v, "MatchAnyObjectEncryption", "NOT-SSE"},
		"the first of two":  {&job.Filter{CreatedAfter: &at, StorageClasses: []string{"STANDARD"}}, v, "CreatedAfter", ""},
	} {
		if got, is := c.filter.Refuses(&c.v); got != c.want || is != c.is {
			t.Errorf("%s: %q %q", name, got, is)
		}
	}
}

func TestPlanCounts(t *testing.T) {
	t.Parallel()
	var p job.Plan
	for _, c := range []struct {
		v              object.Version
		filter, reason string
	}{
		{object.Version{Key: "a", Size: 1}, "CreatedAfter", ""},
		{object.Version{Key: "b", Size: 2}, "ObjectReplicationStatuses", "COMPLETED"},
		{object.Version{Key: "c", Size: 4}, "ObjectReplicationStatuses", "COMPLETED"},
		{object.Version{Key: "d", Size: 8}, "", ""},
		{object.Version{Key: "e", Marker: true}, "", ""},
	} {
		p.See(&c.v)
		if c.filter != "" {
			p.Exclude(c.filter, c.reason, &c.v)
			continue
		}
		p.Tasks++
		p.Target(&c.v)
	}
	p.Foreseen.Copy("one", "r", 8, false, false)
	p.Foreseen.Copy("one", "r", 0, true, false)
	p.Foreseen.Copy("two", "r", 8, false, true)
	p.Foreseen.Task(job.Cause{Code: "X", Key: "d", Reason: "why"})
	p.Foreseen.Task(job.Cause{})
	p.Finish(0.5, 3)
	want := job.Plan{
		Seen: job.Amount{Versions: 5, Bytes: 15}, Tasks: 2, Objects: job.Amount{Versions: 1, Bytes: 8}, DeleteMarkers: 1,
		Excluded: []job.Exclusion{
			{Filter: "ObjectReplicationStatuses", Why: "COMPLETED", Amount: job.Amount{Versions: 2, Bytes: 6}, Key: "b"},
			{Filter: "CreatedAfter", Amount: job.Amount{Versions: 1, Bytes: 1}, Key: "a"},
		},
		Foreseen: job.Outcome{
			Succeeded: 1, Failed: 1, Failures: []job.Cause{{Code: "X", Count: 1, Key: "d", Reason: "why"}},
			Destinations: []job.Destination{
				{Bucket: "one", Rule: "r", Carried: job.Amount{Versions: 1, Bytes: 8}, There: job.Amount{Versions: 1}},
				{Bucket: "two", Rule: "r", Failed: job.Amount{Versions: 1, Bytes: 8}},
			},
		},
		Requests: job.Requests{Tasks: 2, Puts: 1},
		Estimate: &job.Estimate{Seconds: 4, TasksPerSecond: 0.5, Jobs: 3},
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	const line = "1,234,567 of the 1,234,568 versions in src are excluded by ObjectReplicationStatuses: COMPLETED (for example b)"
	p.Excluded[0].Versions = 1234567
	if got := p.Excluded[0].Of(1234568, "src"); got != line {
		t.Errorf("%s", got)
	}
	if carried, there := p.Foreseen.Carried(); carried.Bytes != 8 || there.Versions != 1 {
		t.Errorf("%+v, %+v", carried, there)
	}
}

// TestExclusionsAreBounded: what is too various is counted all the same.
func TestExclusionsAreBounded(t *testing.T) {
	t.Parallel()
	var p job.Plan
	for i := range 5000 {
		p.Exclude("MatchAnyStorageClass", string(rune('a'+i)), &object.Version{Key: "k"})
	}
	sum := int64(0)
	for _, x := range p.Excluded {
		sum += x.Versions
	}
	if len(p.Excluded) != 101 || sum != 5000 {
		t.Errorf("%d exclusions of %d", len(p.Excluded), sum)
	}
}

// TestOutcomesAdd: whatever the order of the parts, the counts are the same.
func TestOutcomesAdd(t *testing.T) {
	t.Parallel()
	part := func(code string) *job.Outcome {
		o := new(job.Outcome)
		o.Copy("one", "r", 3, code == "", code == "B")
		o.Task(job.Cause{Code: code, Key: code})
		return o
	}
	var sum job.Outcome
	for _, code := range []string{"A", "", "B", "A"} {
		sum.Add(part(code))
	}
	want := job.Outcome{
		Succeeded: 1, Failed: 3,
		Destinations: []job.Destination{{Bucket: "one", Rule: "r", Carried: job.Amount{Versions: 2, Bytes: 6}, There: job.Amount{Versions: 1, Bytes: 3}, Failed: job.Amount{Versions: 1, Bytes: 3}}},
		Failures:     []job.Cause{{Code: "A", Count: 2, Key: "A"}, {Code: "B", Count: 1, Key: "B"}},
	}
	if diff := cmp.Diff(want, sum); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
