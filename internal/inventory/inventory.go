// Package inventory delivers the inventories that buckets are configured to
// have: lists of their objects, in files of CSV, with the manifest.json that
// batch jobs take.
//
// An inventory is due soon after its configuration is put, and then at each
// midnight in UTC, or at that before each Sunday. It is written by S3 itself,
// which the policy of the destination bucket has to allow. What refuses it is
// logged and counted; it is tried again when the destination's settings change,
// or at its next time.
//
// Files of rows come first. What is cut short there leaves nothing that looks
// delivered; it is begun anew, under the same names. Once all files are there
// the engine notes so, and tells of them: manifest.json, manifest.checksum last.
// What is cut short there is told again, of the same files, under the same date,
// unless the configuration was changed; also then what manifest.json lists stays.
// Between pages an inventory rests as long as the page took.
package inventory

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"time"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/catalog"
	"twinbucket/internal/iam"
	"twinbucket/internal/store"
	"twinbucket/internal/wake"
	"twinbucket/setting"
)

// Config is what an engine is made of.
type Config struct {
	Store   *store.Store
	Catalog *catalog.Catalog
	IAM     *iam.Service
	// Yield, if not nil, is called between pages, which wait for it.
	Yield func(context.Context) error
	Log   *slog.Logger     // slog.Default if nil
	Now   func() time.Time // time.Now if nil
	// Wait returns after d, or when wake is closed or ctx done; a timer if nil.
	Wait func(ctx context.Context, d time.Duration, wake <-chan struct{})
}

const (
	// pageSize is how many versions are read between two rests.
	pageSize = 500
	// fileRows is how many rows a file has.
	fileRows = 1_000_000
	// longest is how long the engine looks away from the clock, which may be
	// set, and how long it waits after trouble.
	longest = time.Minute
	// together is how long changes of settings are waited for that belong to
	// one another: a configuration and the policy of its destination.
	together = time.Second
	day      = 24 * time.Hour
)

// Engine delivers the inventories of one store. Make it with New.
type Engine struct {
	Config
	table      *catalog.Table[state]
	page, rows int
}

// Standing is how a configuration has fared.
type Standing struct {
	Bucket, Configuration string
	Delivered             int64     // inventories
	Refused               int64     // inventories that the destination refused
	Last                  time.Time // when the last one that was delivered began; zero if none was
	Why                   string    // why the last one was refused; "" if it was delivered
}

// state is what is kept of a configuration.
type state struct {
	Standing
	Created     time.Time `json:"created"`               // when its bucket was made
	Sum         string    `json:"sum"`                   // of the configuration
	Tried       time.Time `json:"tried"`                 // when the last inventory began; zero before the first
	Run         string    `json:"run,omitempty"`         // names the files of the one that is under way
	Written     *written  `json:"written,omitempty"`     // the one under way, once all its files are there
	Destination string    `json:"destination,omitempty"` // sum of the settings that refused the last one
}

// New returns an engine; Run has it work.
func New(c Config) *Engine {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Wait == nil {
		c.Wait = wake.Pause
	}
	return &Engine{Config: c, table: catalog.Of[state](c.Catalog, "inventory"), page: pageSize, rows: fileRows}
}

// Standings returns how all configurations that had an inventory due have fared.
func (e *Engine) Standings() ([]Standing, error) {
	var out []Standing
	err := e.each(func(r catalog.Record[state]) error {
		out = append(out, r.Value.Standing)
		return nil
	})
	return out, err
}

// each calls do with what is kept of each configuration.
func (e *Engine) each(do func(catalog.Record[state]) error) error {
	for after := ""; ; {
		list, more, err := e.table.List("", after, 1000)
		if err != nil {
			return err
		}
		for _, r := range list {
			after = r.Name
			if err := do(r); err != nil {
				return err
			}
		}
		if !more {
			return nil
		}
	}
}

// Run delivers what is due until soft is done. What is under way then is cut
// short.
func (e *Engine) Run(soft, _ context.Context) error {
	for soft.Err() == nil {
		changed := e.Store.BucketsChanged()
		next, err := e.round(soft)
		if err != nil && soft.Err() == nil {
			e.Log.Warn("inventories could not be made and will be tried again", "cause", err, "hint", fault.HintOf(err))
		}
		e.Wait(soft, min(longest, max(0, next.Sub(e.Now()))), changed)
		select {
		case <-changed:
			e.Wait(soft, together, nil)
		default:
		}
	}
	return nil
}

// round delivers what is due, and forgets configurations that are gone. It
// returns when the next one is due at the latest.
func (e *Engine) round(ctx context.Context) (next time.Time, err error) {
	next = e.Now().Add(day)
	var errs []error
	there := map[string]bool{}
	for _, b := range e.Store.Buckets() {
		for _, id := range b.IDs(bucket.Inventory) {
			there[nameOf(b, id)] = true
			at, err := e.look(ctx, b, id)
			if ctx.Err() != nil {
				return next, ctx.Err()
			}
			if err != nil {
				errs = append(errs, err)
				at = e.Now().Add(longest)
			}
			if !at.IsZero() && at.Before(next) {
				next = at
			}
		}
	}
	return next, errors.Join(append(errs, e.forget(ctx, there))...)
}

func nameOf(b *bucket.Bucket, id string) string { return b.Name + "/" + id }

// look delivers the inventory of a configuration if it is due, and returns when
// the next one is; zero if none is.
func (e *Engine) look(ctx context.Context, b *bucket.Bucket, id string) (time.Time, error) {
	doc := b.Documents[bucket.Inventory.WithID(id)]
	c, err := setting.ParseInventory(doc)
	if err != nil || !c.Enabled {
		return time.Time{}, err
	}
	s, err := e.state(b, id, sumOf(doc))
	if err != nil {
		return time.Time{}, err
	}
	if at := e.due(c, &s); at.After(e.Now()) {
		return at, nil
	}
	began := e.Now().UTC()
	if s.Run == "" {
		s.Run = newRun()
		if err := e.save(ctx, b, id, &s); err != nil {
			return time.Time{}, err
		}
	}
	settings := e.settings(c.Bucket)
	err = e.deliver(ctx, b, c, &s, began)
	var no *refusal
	switch {
	case errors.As(err, &no):
		e.Log.Warn("an inventory was refused", "bucket", b.Name, "configuration", id, "destination", c.Bucket, "cause", fault.MessageOf(no.cause), "hint", fault.HintOf(no.cause))
		s.Refused++
		s.Tried, s.Why, s.Destination = began, fault.MessageOf(no.cause), settings
	case errors.Is(err, errLost):
		s.Run, s.Written = "", nil
		return time.Time{}, cmp.Or(e.save(ctx, b, id, &s), err)
	case errors.Is(err, errReplaced), errors.Is(err, fault.NotFound): // its configuration or bucket, as the next round sees
		return e.Now(), nil
	case err != nil:
		return time.Time{}, err
	default:
		s.Delivered++
		s.Last, s.Why, s.Destination = s.Written.Began, "", ""
		s.Tried, s.Run, s.Written = s.Last, "", nil
	}
	return e.due(c, &s), e.save(ctx, b, id, &s)
}

// due returns when the next inventory is to be begun.
func (e *Engine) due(c *setting.Inventory, s *state) time.Time {
	if s.Tried.IsZero() || s.Why != "" && s.Destination != e.settings(c.Bucket) {
		return e.Now()
	}
	at := s.Tried.UTC().Truncate(day).Add(day)
	for c.Weekly && at.Weekday() != time.Sunday {
		at = at.Add(day)
	}
	return at
}

// settings returns a sum of what can refuse an inventory at its destination.
func (e *Engine) settings(name string) string {
	b, err := e.Store.Bucket(name)
	if err != nil {
		return "none"
	}
	return b.Owner + " " + sumOf(b.Documents[bucket.Policy]) + " " + sumOf(b.Documents[bucket.Encryption])
}

func sumOf(doc []byte) string {
	sum := sha256.Sum256(doc)
	return hex.EncodeToString(sum[:])
}

func newRun() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, says its documentation
	return hex.EncodeToString(b[:])
}

// state returns what is kept of a configuration. One that was changed, or whose
// bucket was made anew, has had no inventory yet.
func (e *Engine) state(b *bucket.Bucket, id, sum string) (state, error) {
	s, _, err := e.table.Get(nameOf(b, id))
	switch {
	case errors.Is(err, fault.NotFound), err == nil && !s.Created.Equal(b.Created):
		return state{Standing: Standing{Bucket: b.Name, Configuration: id}, Created: b.Created, Sum: sum}, nil
	case err == nil && s.Sum != sum:
		return state{Standing: s.Standing, Created: b.Created, Sum: sum}, nil
	}
	return s, err
}

func (e *Engine) save(ctx context.Context, b *bucket.Bucket, id string, s *state) error {
	_, err := e.table.Put(ctx, nameOf(b, id), *s, catalog.Any)
	return err
}

// forget removes what is kept of configurations that are gone.
func (e *Engine) forget(ctx context.Context, there map[string]bool) error {
	return e.each(func(r catalog.Record[state]) error {
		if there[r.Name] {
			return nil
		}
		if err := e.table.Delete(ctx, r.Name, r.Revision); err != nil && !errors.Is(err, fault.NotFound) {
			return err
		}
		return nil
	})
}
