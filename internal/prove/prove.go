// Package prove looks, slowly and again and again, whether replicas are where
// replication has brought them, and equal to their sources. It repairs nothing:
// it reports, and remembers when each bucket was last seen whole at each of its
// destinations.
//
// A pass goes through the versions of a bucket that has a replication
// configuration, page by page at a bounded rate, and looks at each delivery that
// is COMPLETED. How far it is is kept with what it has found, so a pass outlives
// the process. That bodies can be read is not its matter: package scrub reads them.
package prove

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/catalog"
	"twinbucket/internal/compare"
	"twinbucket/internal/store"
	"twinbucket/internal/wake"
)

const (
	// Rate is how many versions per second a pass looks at.
	Rate = 2000
	// Kept is how many findings of a pass are kept for each destination.
	Kept = 20
	// pageSize is how many versions are read at a time.
	pageSize = 500
	// savedAfter is how many pages may have to be looked at again after a crash.
	savedAfter = 20
	// longest is how long the engine looks away from clock and buckets.
	longest = time.Minute
)

// Config is what the engine needs.
type Config struct {
	Store   *store.Store
	Catalog *catalog.Catalog
	// Every is how long after one pass over a bucket the next begins; there is
	// none if it is 0.
	Every time.Duration
	// Yield, if not nil, is called between the pages of a pass, which wait for it.
	Yield func(context.Context) error
	Log   *slog.Logger     // nil: slog.Default()
	Now   func() time.Time // nil: time.Now
}

// Kind is what is wrong with a replica.
type Kind string

// The kinds.
const (
	Differs Kind = "differs" // it is not as its source and the rule have it
	Removed Kind = "removed" // it was deleted at the destination by its id: by its owner, or by lifecycle rules there
	Missing Kind = "missing" // it is not there, and nobody is known to have deleted it
)

// Finding is a replica that is not as it has to be.
type Finding struct {
	Kind        Kind                 `json:"kind"`
	Key         string               `json:"key"`
	VersionID   string               `json:"versionId"`
	Rule        string               `json:"rule"`
	Differences []compare.Difference `json:"differences,omitempty"`
}

// Verified is what a pass has seen of a bucket's replicas at one destination.
type Verified struct {
	Destination string    `json:"destination"`
	Began       time.Time `json:"began"`
	Finished    time.Time `json:"finished"`
	Replicas    int64     `json:"replicas"` // that had to be there
	Differ      int64     `json:"differ"`
	Removed     int64     `json:"removed"`
	Missing     int64     `json:"missing"`
	Findings    []Finding `json:"findings,omitempty"` // the first ones
}

// state is what is kept of a bucket.
type state struct {
	Created time.Time  `json:"created"` // of the bucket: another one of its name begins anew
	Last    []Verified `json:"last"`    // of the last pass that came to its end
	Ended   time.Time  `json:"ended"`
	Pass    *pass      `json:"pass,omitempty"` // that is under way
}

// pass is one that is under way.
type pass struct {
	Began    time.Time  `json:"began"`
	AfterKey string     `json:"afterKey"`
	AfterID  string     `json:"afterId"`
	Seen     []Verified `json:"seen"`
}

// at returns what was seen at a destination.
func (p *pass) at(destination string) *Verified {
	i := slices.IndexFunc(p.Seen, func(v Verified) bool { return v.Destination == destination })
	if i < 0 {
		i = len(p.Seen)
		p.Seen = append(p.Seen, Verified{Destination: destination, Began: p.Began})
	}
	return &p.Seen[i]
}

// Engine proves replicas. Make it with New.
type Engine struct {
	Config
	table *catalog.Table[state]
	first map[string]time.Time // when buckets that no pass has seen were noticed
	page  int                  // how many versions are read at a time
	pace  func(ctx context.Context, versions int) error
}

// New returns an engine; Run has it work.
func New(c Config) *Engine {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Engine{Config: c, table: catalog.Of[state](c.Catalog, "proof"), first: map[string]time.Time{}, page: pageSize, pace: func(ctx context.Context, versions int) error {
		return wake.Sleep(ctx, time.Duration(versions)*time.Second/Rate)
	}}
}

// Last returns what the last pass over a bucket has seen, by destination; nil if
// there was none.
func (e *Engine) Last(name string) ([]Verified, error) {
	b, err := e.Store.Bucket(name)
	if err != nil {
		return nil, err
	}
	s, err := e.state(b)
	return s.Last, err
}

// state returns what is kept of a bucket.
func (e *Engine) state(b *bucket.Bucket) (state, error) {
	s, _, err := e.table.Get(b.Name)
	if errors.Is(err, fault.NotFound) || err == nil && !s.Created.Equal(b.Created) {
		return state{Created: b.Created}, nil
	}
	return s, err
}

// Run makes a pass over each bucket whenever one is due. One that a stop cuts
// short is gone on with at the next start.
func (e *Engine) Run(soft, hard context.Context) error {
	if e.Every <= 0 {
		<-soft.Done()
		return nil
	}
	for {
		if err := e.round(soft, hard); err != nil && soft.Err() == nil {
			e.Log.Warn("looking at replicas failed and will be tried again", "cause", err, "hint", fault.HintOf(err))
		}
		if wake.Sleep(soft, min(e.Every, longest)) != nil {
			return nil
		}
	}
}

// round makes the passes that are due, and forgets buckets that are gone.
func (e *Engine) round(soft, hard context.Context) error {
	var errs []error
	names := map[string]bool{}
	for _, b := range e.Store.Buckets() {
		if b.Documents[bucket.Replication] == nil {
			continue
		}
		names[b.Name] = true
		s, err := e.state(b)
		if err == nil && (s.Pass != nil || e.due(b.Name, &s)) {
			err = e.prove(soft, hard, b, &s)
		}
		switch {
		case soft.Err() != nil:
			return errors.Join(err, soft.Err())
		case !errors.Is(err, fault.NotFound): // then the bucket went meanwhile
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, e.forget(soft, names))...)
}

// due reports whether a pass is to begin. The first begins only after a while:
// where a rule is new there is little to see.
func (e *Engine) due(name string, s *state) bool {
	since, after := s.Ended, e.Every
	if since.IsZero() {
		after = min(after, time.Hour)
		if since = e.first[name]; since.IsZero() {
			since = e.Now()
			e.first[name] = since
		}
	}
	return !e.Now().Before(since.Add(after))
}

// forget removes what is kept of buckets that are gone or do not replicate.
func (e *Engine) forget(ctx context.Context, names map[string]bool) error {
	for after := ""; ; {
		list, more, err := e.table.List("", after, 1000)
		if err != nil {
			return err
		}
		for _, r := range list {
			after = r.Name
			if !names[r.Name] {
				if err := e.table.Delete(ctx, r.Name, r.Revision); err != nil && !errors.Is(err, fault.NotFound) {
					return err
				}
			}
		}
		if !more {
			return nil
		}
	}
}

// prove makes a pass over a bucket, or goes on with one.
func (e *Engine) prove(soft, hard context.Context, b *bucket.Bucket, s *state) error {
	if s.Pass == nil {
		s.Pass = &pass{Began: e.Now().UTC()}
	}
	for pages := 1; ; pages++ {
		p, err := e.Store.ListVersions(soft, b.Name, store.VersionsOptions{AfterKey: s.Pass.AfterKey, AfterID: s.Pass.AfterID, Max: e.page})
		if err != nil {
			return e.pause(soft, hard, b, s, err)
		}
		if err := e.replicas(soft, b, p.Versions, s.Pass); err != nil {
			return e.pause(soft, hard, b, s, err)
		}
		if !p.Truncated {
			break
		}
		s.Pass.AfterKey, s.Pass.AfterID = p.NextKey, p.NextID
		if pages%savedAfter == 0 {
			if err := e.save(soft, b, s); err != nil {
				return err
			}
		}
		if err := e.pace(soft, len(p.Versions)); err != nil {
			return e.pause(soft, hard, b, s, err)
		}
		if e.Yield != nil {
			if err := e.Yield(soft); err != nil {
				return e.pause(soft, hard, b, s, err)
			}
		}
	}
	done := s.Pass
	s.Last, s.Ended, s.Pass = done.Seen, e.Now().UTC(), nil
	slices.SortFunc(s.Last, func(a, b Verified) int { return strings.Compare(a.Destination, b.Destination) })
	for i := range s.Last {
		v := &s.Last[i]
		v.Finished = s.Ended
		level := slog.LevelInfo
		if v.Differ+v.Missing+v.Removed > 0 {
			level = slog.LevelWarn
		}
		e.Log.Log(soft, level, "replicas were looked at", "bucket", b.Name, "destination", v.Destination, "replicas", v.Replicas,
			"differ", v.Differ, "missing", v.Missing, "removed", v.Removed, "took", v.Finished.Sub(v.Began))
	}
	return e.save(soft, b, s)
}

// pause keeps how far a pass is when the server stops.
func (e *Engine) pause(soft, hard context.Context, b *bucket.Bucket, s *state, err error) error {
	if soft.Err() == nil {
		return err
	}
	return e.save(hard, b, s)
}

func (e *Engine) save(ctx context.Context, b *bucket.Bucket, s *state) error {
	_, err := e.table.Put(ctx, b.Name, *s, catalog.Any)
	return err
}
