// Package verify compares two buckets version by version: whether the
// destination has what replication was to bring there, and as it was to be.
//
// It reads through AWS's APIs alone, as client has them, so it works against AWS
// as against Twinbucket. Both buckets are listed in lock step, and memory does not
// grow with them. What is on its way is told from what differs, and what may not
// be read it says it does not know.
package verify

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"twinbucket/client"
	"twinbucket/fault"
	"twinbucket/internal/compare"
	"twinbucket/object"
)

// Depth is how much of each version is compared.
type Depth string

// The depths.
const (
	List     Depth = "list"     // what the listings say: ids, sizes, ETags, times, classes, delete markers
	Metadata Depth = "metadata" // and all that is told without reading the bytes
	Bytes    Depth = "bytes"    // and the bytes
)

// Side is a bucket, and a client that may read it.
type Side struct {
	Client *client.Client
	Bucket string
}

// Options say what to compare, and how.
type Options struct {
	Source, Destination Side
	Prefix              string // of the keys to compare
	Depth               Depth  // "" is Metadata
	// Lag is how old a version has to be to be missed, where its status does not
	// say whether it is on its way.
	Lag time.Duration
	// Wait is how long to look again at what is on its way; 0 is not to.
	Wait time.Duration
	// Exact makes what only the destination has a difference.
	Exact bool
	// Ignore are names of classes and aspects that make no difference.
	Ignore   []string
	Parallel int // versions that are looked at at a time; 0 is 32
	// Found is told of each version that has a finding, by one goroutine at a
	// time and in no order; its error ends the run. Nil keeps counts only.
	Found func(Finding) error
	// Compared is told how many versions of the source were compared; may be nil.
	Compared func(n int64)
}

// run is one comparison.
type run struct {
	Options
	src, dst *place
	skip     map[compare.Aspect]bool // aspects that are not compared

	mu   sync.Mutex // guards what follows
	sum  *Summary
	late []*object.Version // sources to look at again
}

// maxLate is how many versions are looked at again.
const maxLate = 100_000

// shallow are the aspects that no listing tells.
var shallow = []compare.Aspect{
	compare.Checksums, compare.Headers, compare.Metadata, compare.Tags, compare.Lock, compare.Owner, compare.ACL, compare.Encryption, compare.Status,
}

// Run compares. An error means that the comparison did not come to its end; the
// summary holds what was found until then, and is nil if it did not begin.
func Run(ctx context.Context, o Options) (*Summary, error) {
	began := time.Now()
	r := &run{Options: o, skip: map[compare.Aspect]bool{}}
	if err := r.prepare(); err != nil {
		return nil, err
	}
	r.sum = newSummary(&r.Options, began)
	if err := r.buckets(ctx); err != nil {
		return nil, err
	}
	err := r.all(ctx)
	if err == nil {
		err = r.settle(ctx)
	}
	r.sum.finish(err == nil, time.Now())
	return r.sum, r.unlisted(err)
}

// unlisted makes what may not be listed one of the things that are not known,
// and no error.
func (r *run) unlisted(err error) error {
	var e *fault.Error
	if !errors.As(err, &e) || e.Kind != fault.Denied {
		return err
	}
	r.sum.Unknown = add(r.sum.Unknown, Tally{Action: "s3:ListBucketVersions", Bucket: e.Thing})
	return nil
}

// prepare checks the options and fills in what they leave open.
func (r *run) prepare() error {
	if r.Depth == "" {
		r.Depth = Metadata
	}
	if r.Parallel <= 0 {
		r.Parallel = 32
	}
	if r.Depth == List {
		for _, a := range shallow {
			r.skip[a] = true
		}
	}
	for _, name := range r.Ignore {
		switch {
		case slices.Contains(compare.Aspects, compare.Aspect(name)):
			r.skip[compare.Aspect(name)] = true
		case !slices.Contains(Classes, Class(name)):
			return fault.Newf(fault.Invalid, "", "%q is nothing that could be ignored", name).
				WithHint("aspects are %s; classes are %s", names(compare.Aspects), names(Classes))
		}
	}
	return nil
}

func names[S ~string](list []S) string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(list), "[]"), " ", ", ")
}

// all walks both listings and looks at each version.
func (r *run) all(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(r.Parallel)
	for pair, err := range compare.Versions(r.src.versions(gctx, r.Prefix), r.dst.versions(gctx, r.Prefix)) {
		if err != nil {
			return cause(err, g.Wait())
		}
		r.count(pair.Source)
		if r.plainlyEqual(pair) {
			if err := r.tell(pair.Source, Finding{Class: Equal}); err != nil {
				return cause(err, g.Wait())
			}
			continue
		}
		g.Go(func() error {
			f, err := r.judge(gctx, pair)
			if err != nil {
				return err
			}
			return r.tell(pair.Source, f)
		})
	}
	return g.Wait()
}

// cause returns the error that ended the walk: that of a version cancels the
// listings.
func cause(walk, version error) error {
	if version != nil && errors.Is(walk, context.Canceled) {
		return version
	}
	return walk
}

// versions lists the versions of keys that begin with prefix.
func (p *place) versions(ctx context.Context, prefix string) iter.Seq2[*object.Version, error] {
	return func(yield func(*object.Version, error) bool) {
		for v, err := range p.client.Versions(ctx, p.Name, client.ListVersions{Prefix: prefix}) {
			if err != nil {
				yield(nil, err)
				return
			}
			v.Version.Owner = "" // of those who have leave to list, only some are told
			if !yield(&v.Version, nil) {
				return
			}
		}
	}
}

// Count counts a bucket's versions of keys that begin with prefix.
func Count(ctx context.Context, s Side, prefix string) (n int64, err error) {
	for _, err := range s.Client.Versions(ctx, s.Bucket, client.ListVersions{Prefix: prefix}) {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

// settle looks again and again at what is on its way, until it has come or the
// time is over.
func (r *run) settle(ctx context.Context) error {
	deadline, pause := time.Now().Add(r.Wait), 250*time.Millisecond
	for len(r.late) > 0 {
		left := time.Until(deadline)
		if left <= 0 {
			break
		}
		if err := wait(ctx, min(pause, left)); err != nil {
			return err
		}
		pause = min(2*pause, 15*time.Second)
		again := r.late
		r.late = nil
		g, gctx := errgroup.WithContext(ctx)
		g.SetLimit(r.Parallel)
		for _, v := range again {
			g.Go(func() error {
				f, err := r.judge(gctx, compare.Pair{Source: v})
				if err != nil {
					return err
				}
				return r.tell(v, f)
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
	}
	again := r.late
	r.late, r.Wait = nil, 0
	for _, v := range again {
		r.sum.Unsettled++
		if err := r.tell(v, Finding{Class: Lagging, Reason: "it was not there when the time to wait was over"}); err != nil {
			return err
		}
	}
	return nil
}

// wait waits for d, or until ctx is done.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
