package demo

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"twinbucket/internal/compare"
	"twinbucket/internal/progress"
	"twinbucket/internal/verify"
	"twinbucket/object"
)

// Summary is the outcome of the demo.
type Summary struct {
	Versions    int64            `json:"versions"`      // at the source, delete markers included
	Markers     int64            `json:"deleteMarkers"` // have an id and a time, and nothing else that a client can read
	Bytes       int64            `json:"bytes"`
	Missing     int64            `json:"missing"`     // versions without a replica
	Surplus     int64            `json:"surplus"`     // versions at the destination without a source
	Differences map[string]int64 `json:"differences"` // by row of the table; 0 where all agree
	Examples    []string         `json:"examples"`    // the first few differences, in words
	Seconds     float64          `json:"seconds"`
}

// rows are what the table at the end says of the versions, and the aspects that
// each of them gathers.
var rows = []struct {
	name    string
	aspects []compare.Aspect
}{
	{"bytes", []compare.Aspect{compare.Kind, compare.Size, compare.Bytes, compare.ETag}},
	{"version id", nil}, // by which versions are paired
	{"time", []compare.Aspect{compare.Time}},
	{"headers", []compare.Aspect{compare.Headers, compare.Class, compare.Encryption}},
	{"metadata", []compare.Aspect{compare.Metadata}},
	{"tags", []compare.Aspect{compare.Tags}},
	{"parts", []compare.Aspect{compare.Parts, compare.Checksums}},
	{"owner and lock", []compare.Aspect{compare.Owner, compare.ACL, compare.Lock}},
	{"source status", nil},
	{"replica status", []compare.Aspect{compare.Status}},
}

// Equal reports whether every version has its replica and all agree.
func (s *Summary) Equal() bool {
	for _, n := range s.Differences {
		if n > 0 {
			return false
		}
	}
	return s.Missing == 0 && s.Surplus == 0 && s.Versions > 0
}

func (s *Summary) print(w io.Writer) {
	fmt.Fprintf(w, "\nEvery version of %s against its replica in %s:\n\n", sourceBucket, destinationBucket)
	fmt.Fprintf(w, "  %-16s %10s\n", "versions", verify.Thousands(s.Versions))
	fmt.Fprintf(w, "  %-16s %10s\n", "delete markers", verify.Thousands(s.Markers))
	fmt.Fprintf(w, "  %-16s %10s\n\n", "bytes", verify.Thousands(s.Bytes))
	fmt.Fprintf(w, "  %-16s %10s %10s\n", "", "agree", "differ")
	for _, row := range rows {
		compared := s.Versions - s.Missing
		if row.name != "version id" && row.name != "time" {
			compared -= s.Markers
		}
		fmt.Fprintf(w, "  %-16s %10s %10s\n", row.name, verify.Thousands(compared-s.Differences[row.name]), verify.Thousands(s.Differences[row.name]))
	}
	fmt.Fprintf(w, "\n  missing at the destination %d, only at the destination %d\n", s.Missing, s.Surplus)
	for _, e := range s.Examples {
		fmt.Fprintf(w, "  ! %s\n", e)
	}
	if s.Equal() {
		fmt.Fprintf(w, "\nAll %s versions agree. It took %.1f s.\n", verify.Thousands(s.Versions), s.Seconds)
	} else {
		fmt.Fprintf(w, "\nThe buckets do NOT agree.\n")
	}
}

// maxExamples is how many differences are told in words.
const maxExamples = 10

// verify reads every version at both sides and compares all there is.
func (d *demo) verify(ctx context.Context) (*Summary, error) {
	d.say("")
	source := verify.Side{Client: d.src, Bucket: sourceBucket}
	total, err := verify.Count(ctx, source, "")
	if err != nil {
		return nil, err
	}
	bar := progress.New(d.Out, d.Terminal, "compared", "objects", total)
	s := &Summary{Differences: make(map[string]int64)}
	v, err := verify.Run(ctx, verify.Options{
		Source: source, Destination: verify.Side{Client: d.dst, Bucket: destinationBucket},
		Depth: verify.Bytes, Exact: true, Parallel: uploads, Compared: bar.Add,
		Found: func(f verify.Finding) error {
			var text bytes.Buffer
			if len(s.Examples) < maxExamples && f.Write(&text) == nil {
				s.Examples = append(s.Examples, strings.TrimSpace(text.String()))
			}
			return nil
		},
	})
	if err != nil {
		return nil, err
	}
	bar.Finish()
	s.Versions, s.Markers, s.Bytes = v.Versions, v.Markers, v.Bytes
	for _, c := range []verify.Class{verify.Missing, verify.Removed, verify.Failed, verify.BeforeRule, verify.NotSelected, verify.Lagging} {
		s.Missing += v.Classes[c]
	}
	s.Surplus = v.Classes[verify.Orphan] + v.Classes[verify.Own]
	for _, row := range rows {
		s.Differences[row.name] = 0
		for _, a := range row.aspects {
			s.Differences[row.name] += v.Differences[a]
		}
	}
	for status, n := range v.Statuses {
		if status != object.Completed {
			s.Differences["source status"] += n
		}
	}
	return s, nil
}
