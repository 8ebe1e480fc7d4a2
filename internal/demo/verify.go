package demo

import (
	"context"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"twinbucket/client"
	"twinbucket/fault"
	"twinbucket/internal/compare"
	"twinbucket/internal/progress"
	"twinbucket/object"
)

// Summary is the outcome of the demo.
type Summary struct {
	Versions    int64            `json:"versions"`      // at the source, delete markers included
	Markers     int64            `json:"deleteMarkers"` // have an id and a time, and nothing else that a client can read
	Bytes       int64            `json:"bytes"`
	Missing     int64            `json:"missing"`     // versions without a replica
	Surplus     int64            `json:"surplus"`     // versions at the destination without a source
	Differences map[string]int64 `json:"differences"` // by aspect; 0 where all agree
	Examples    []string         `json:"examples"`    // the first few differences, in words
	Seconds     float64          `json:"seconds"`
}

// aspects are what of a version is compared with its replica.
var aspects = []string{"bytes", "version id", "time", "headers", "metadata", "tags", "parts", "source status", "replica status"}

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
	fmt.Fprintf(w, "  %-16s %10s\n", "versions", thousands(s.Versions))
	fmt.Fprintf(w, "  %-16s %10s\n", "delete markers", thousands(s.Markers))
	fmt.Fprintf(w, "  %-16s %10s\n\n", "bytes", thousands(s.Bytes))
	fmt.Fprintf(w, "  %-16s %10s %10s\n", "", "agree", "differ")
	for _, a := range aspects {
		compared := s.Versions - s.Missing
		if a != "version id" && a != "time" {
			compared -= s.Markers
		}
		fmt.Fprintf(w, "  %-16s %10s %10s\n", a, thousands(compared-s.Differences[a]), thousands(s.Differences[a]))
	}
	fmt.Fprintf(w, "\n  missing at the destination %d, only at the destination %d\n", s.Missing, s.Surplus)
	for _, e := range s.Examples {
		fmt.Fprintf(w, "  ! %s\n", e)
	}
	if s.Equal() {
		fmt.Fprintf(w, "\nAll %s versions agree. It took %.1f s.\n", thousands(s.Versions), s.Seconds)
	} else {
		fmt.Fprintf(w, "\nThe buckets do NOT agree.\n")
	}
}

// thousands writes a number with commas.
func thousands(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// maxExamples is how many differences are told in words.
const maxExamples = 10

// verifier compares versions with their replicas.
type verifier struct {
	d  *demo
	mu sync.Mutex // guards s
	s  Summary
}

// verify reads every version at both sides and compares all there is.
func (d *demo) verify(ctx context.Context) (*Summary, error) {
	d.say("")
	v := &verifier{d: d, s: Summary{Differences: make(map[string]int64)}}
	for _, a := range aspects {
		v.s.Differences[a] = 0
	}
	total, err := count(ctx, d.src, sourceBucket, "")
	if err != nil {
		return nil, err
	}
	bar := progress.New(d.Out, d.Terminal, "compared", "objects", total)
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(uploads)
	for pair, err := range compare.Versions(versions(ctx, d.src, sourceBucket), versions(ctx, d.dst, destinationBucket)) {
		if err != nil {
			return nil, errors.Join(err, g.Wait())
		}
		g.Go(func() error {
			defer bar.Add(1)
			return v.compare(gctx, pair)
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	bar.Finish()
	return &v.s, nil
}

// count counts a bucket's versions of keys that begin with prefix.
func count(ctx context.Context, c *client.Client, bucket, prefix string) (n int64, err error) {
	for _, err := range c.Versions(ctx, bucket, client.ListVersions{Prefix: prefix}) {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

// versions lists a bucket's versions.
func versions(ctx context.Context, c *client.Client, bucket string) iter.Seq2[*object.Version, error] {
	return func(yield func(*object.Version, error) bool) {
		for v, err := range c.Versions(ctx, bucket, client.ListVersions{}) {
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(&v.Version, nil) {
				return
			}
		}
	}
}

// compare compares one version with its replica.
func (v *verifier) compare(ctx context.Context, p compare.Pair) error {
	if p.Source == nil {
		v.count(func(s *Summary) { s.Surplus++ }, "only at the destination: "+p.Destination.Key)
		return nil
	}
	v.count(func(s *Summary) {
		s.Versions++
		s.Bytes += p.Source.Size
		if p.Source.Marker {
			s.Markers++
		}
	}, "")
	if p.Destination == nil {
		v.count(func(s *Summary) { s.Missing++ }, "missing at the destination: "+p.Source.Key+" "+p.Source.ID)
		return nil
	}
	if !p.Source.Modified.Equal(p.Destination.Modified) {
		v.differ("time", p.Source, p.Source.Modified.Format(time.RFC3339Nano), p.Destination.Modified.Format(time.RFC3339Nano))
	}
	if p.Source.Marker || p.Destination.Marker {
		if p.Source.Marker != p.Destination.Marker {
			v.differ("bytes", p.Source, "delete marker", "object")
		}
		return nil
	}
	a, aSum, err := read(ctx, v.d.src, sourceBucket, p.Source)
	if err != nil {
		return err
	}
	b, bSum, err := read(ctx, v.d.dst, destinationBucket, p.Source)
	if err != nil {
		return err
	}
	v.contents(p.Source, a, b, aSum, bSum)
	return v.tags(ctx, p.Source)
}

// contents compares what a GET of each gave.
func (v *verifier) contents(of, a, b *object.Version, aSum, bSum string) {
	for _, c := range []struct{ aspect, a, b string }{
		{"bytes", aSum + " " + a.ETag, bSum + " " + b.ETag},
		{"version id", a.ID, b.ID},
		{"time", a.Modified.String(), b.Modified.String()},
		{"headers", fmt.Sprint(a.Headers, a.Class), fmt.Sprint(b.Headers, b.Class)},
		{"metadata", sorted(a.Metadata), sorted(b.Metadata)},
		{"parts", fmt.Sprint(a.Checksums, partCount(a.ETag)), fmt.Sprint(b.Checksums, partCount(b.ETag))},
		{"source status", string(object.Completed), string(a.Status)},
		{"replica status", string(object.Replica), string(b.Status)},
	} {
		if c.a != c.b {
			v.differ(c.aspect, of, c.a, c.b)
		}
	}
}

func partCount(etag string) string {
	_, n, _ := strings.Cut(etag, "-")
	return n
}

func sorted(m map[string]string) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(m)) {
		fmt.Fprintf(&b, "%s=%q ", k, m[k])
	}
	return b.String()
}

// tags compares the tags at both sides.
func (v *verifier) tags(ctx context.Context, of *object.Version) error {
	a, err := v.d.src.GetObjectTagging(ctx, sourceBucket, of.Key, of.ID)
	if err != nil {
		return err
	}
	b, err := v.d.dst.GetObjectTagging(ctx, destinationBucket, of.Key, of.ID)
	if err != nil {
		return err
	}
	for _, ts := range [][]object.Tag{a, b} {
		slices.SortFunc(ts, func(x, y object.Tag) int { return strings.Compare(x.Key, y.Key) })
	}
	if fmt.Sprint(a) != fmt.Sprint(b) {
		v.differ("tags", of, fmt.Sprint(a), fmt.Sprint(b))
	}
	return nil
}

var crcTable = crc64.MakeTable(crc64.ECMA)

// read reads a version and sums its bytes.
func read(ctx context.Context, c *client.Client, bucket string, v *object.Version) (*object.Version, string, error) {
	o, err := c.GetObject(ctx, bucket, v.Key, client.Get{VersionID: v.ID})
	if err != nil {
		return nil, "", err
	}
	h := crc64.New(crcTable)
	n, err := io.Copy(h, o.Body)
	if err := errors.Join(err, o.Body.Close()); err != nil {
		return nil, "", fault.Wrap("demo.verify", v.Key, err)
	}
	return &o.Version, fmt.Sprintf("%d bytes, crc %016x", n, h.Sum64()), nil
}

func (v *verifier) differ(aspect string, of *object.Version, a, b string) {
	v.count(func(s *Summary) { s.Differences[aspect]++ }, fmt.Sprintf("%s of %s %s: %s, not %s", aspect, of.Key, of.ID, b, a))
}

// count changes the summary and keeps an example of what differs.
func (v *verifier) count(change func(*Summary), example string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	change(&v.s)
	if example != "" && len(v.s.Examples) < maxExamples {
		v.s.Examples = append(v.s.Examples, example)
	}
}
