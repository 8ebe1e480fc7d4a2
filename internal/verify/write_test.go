package verify

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"twinbucket/client"
	"twinbucket/internal/compare"
	"twinbucket/object"
)

// told is a comparison that found something of everything.
func told() (*Summary, []Finding) {
	o := &Options{Source: Side{Bucket: "src"}, Destination: Side{Bucket: "dst"}, Prefix: "p/", Depth: Metadata}
	s := newSummary(o, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	s.Rules = []string{"all"}
	s.Versions, s.Markers, s.Bytes = 1234, 5, 1234567
	for _, c := range Classes {
		s.Classes[c] = 1
	}
	s.Differences[compare.Tags], s.Differences[compare.Lock] = 1, 1
	s.NotSelected = add(s.NotSelected, Tally{Reason: "no rule"})
	s.Failures = add(add(s.Failures, Tally{Code: "DstPutObjectNotPermitted", Reason: "a"}), Tally{Code: "DstPutObjectNotPermitted", Reason: "b"})
	s.Unknown = add(s.Unknown, Tally{Action: "s3:GetObjectVersionTagging", Bucket: "dst", Example: "a b"})
	s.finish(true, s.Began.Add(1500*time.Millisecond))
	return s, []Finding{
		{Class: Differs, Key: "p/<k>", VersionID: "v", Differences: []compare.Difference{{Aspect: compare.Tags, Source: `a="1"`}, {Aspect: compare.Lock, Source: "x", Destination: "y"}}},
		{Class: Failed, Key: "p/a b", VersionID: "w", Status: object.Failed, Code: "DstPutObjectNotPermitted", Reason: "no policy allows it"},
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	s, findings := told()
	var out bytes.Buffer
	for i := range findings {
		if err := findings[i].Write(&out); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Write(&out); err != nil {
		t.Fatal(err)
	}
	const want = `  differs      p/<k>  v  tags: a="1", at the destination none; lock: x, at the destination y
  failed       "p/a b"  w  DstPutObjectNotPermitted: no policy allows it
s3://src/p/ against s3://dst/p/, metadata, under 1 rule all
  versions                        1,234  5 delete markers, 1,234,567 bytes
  equal                               1
  differ                              1  lock 1, tags 1
  missing                             1
  removed there                       1  replicated, and deleted at the destination by their ids
  failed                              1  DstPutObjectNotPermitted 2
  from before the rule                1  a Batch Replication job carries them
  on their way                        1
  not selected                        1  no rule 1
  replicas without source             1  their source versions were deleted by their ids
  the destination's own               1
  unknown                             1
  under customers' keys               1
  ? allow s3:GetObjectVersionTagging on dst (1 version, such as "a b")
The buckets differ in 5 versions. It took 1.5s.
`
	if out.String() != want {
		t.Errorf("%s\nwant\n%s", out.String(), want)
	}
}

// TestVerdicts: what a comparison comes to, and in which words.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		set      func(*Summary)
		complete bool
		want     Verdict
		words    string
	}{
		{"equal", func(*Summary) {}, true, Same, "Whatever has to be at the destination is there: 2 versions agree. "},
		{"lagging", func(s *Summary) { s.Classes[Lagging] = 3 }, true, Same, "2 versions agree, and 3 on the way. "},
		{"not settled", func(s *Summary) { s.Classes[Lagging], s.Unsettled = 3, 3 }, true, NotAllSeen, "not everything could be found out"},
		{"not seen", func(s *Summary) { s.Unknown = add(nil, Tally{Reason: "r"}) }, true, NotAllSeen, "not everything could be found out"},
		{"cut short", func(*Summary) {}, false, NotAllSeen, "did not come to its end"},
		{"cut short and different", func(s *Summary) { s.Classes[Missing] = 1 }, false, Different, "differ in 1 version."},
		{"orphans", func(s *Summary) { s.Classes[Orphan] = 1 }, true, Same, ""},
		{"orphans, exactly", func(s *Summary) { s.Classes[Orphan], s.exact = 1, true }, true, Different, ""},
		{"missing, ignored", func(s *Summary) { s.Classes[Missing], s.ignored[Missing] = 1, true }, true, Same, ""},
	} {
		s := newSummary(&Options{}, time.Time{})
		s.Classes[Equal] = 2
		tt.set(s)
		s.finish(tt.complete, time.Time{})
		if s.Verdict != tt.want || !strings.Contains(s.conclusion(), tt.words) {
			t.Errorf("%s: %s, %s", tt.name, s.Verdict, s.conclusion())
		}
	}
}

// TestDocument: one document, a finding in each line.
func TestDocument(t *testing.T) {
	t.Parallel()
	s, findings := told()
	for _, n := range []int{0, 1, 2} {
		var out bytes.Buffer
		d := Document{W: &out}
		for _, f := range findings[:n] {
			if err := d.Add(f); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.End(s); err != nil {
			t.Fatal(err)
		}
		var got struct {
			Findings []map[string]any
			Summary  map[string]any
		}
		if err := json.Unmarshal(out.Bytes(), &got); err != nil || len(got.Findings) != n || got.Summary["verdict"] != "different" {
			t.Errorf("%v: %s", err, &out)
		}
		if lines := strings.Count(out.String(), "\n"); n > 0 && (lines != n+3 || !strings.Contains(out.String(), `"p/<k>"`)) {
			t.Errorf("%d lines: %s", lines, &out)
		}
	}
}

func TestLayout(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a    client.Attributes
		want string
	}{
		{client.Attributes{PartsCount: 3}, "3 parts"},
		{client.Attributes{PartsCount: 3, Parts: []object.Part{{Number: 1, Size: 5}, {Number: 2, Size: 5}, {Number: 3, Size: 1}}}, "3 parts, from part 1 on 5 bytes each, from part 3 on 1 bytes each"},
	} {
		if got := layout(&tt.a); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

func TestFirstDifference(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 100_000)
	for _, tt := range []struct {
		a, b string
		want int64
	}{
		{"", "", -1}, {"a", "a", -1}, {"a", "b", 0}, {"a", "ab", 1}, {long, long, -1}, {long + "a", long + "b", 100_000}, {long, long + "b", 100_000},
	} {
		if got, err := firstDifference(strings.NewReader(tt.a), strings.NewReader(tt.b)); got != tt.want || err != nil {
			t.Errorf("%d and %d bytes: %d, %v", len(tt.a), len(tt.b), got, err)
		}
	}
}

func TestThousands(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000"} {
		if got := Thousands(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
