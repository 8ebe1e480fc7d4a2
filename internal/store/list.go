package store

import (
	"bytes"
	"context"
	"errors"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"twinbucket/fault"
	"twinbucket/internal/layout"
)

// ListOptions choose what List returns.
type ListOptions struct {
	Prefix    string
	Delimiter string
	After     string // keys and common prefixes up to this one, it included, are left out
	Max       int    // objects and common prefixes together; 0: none
}

// Page is one page of current objects, in the order of their keys.
type Page struct {
	Objects   []*Object
	Prefixes  []string // common prefixes
	Truncated bool
	Next      string // After for the next page
}

// mostPassed is how many deleted keys are passed over for one page.
const mostPassed = 100_000

// List returns the current objects of a bucket; keys whose current version is
// a delete marker are left out. Where very many of those were passed over, the
// page is truncated before it is full, and may be empty.
func (s *Store) List(ctx context.Context, bucket string, o ListOptions) (*Page, error) {
	w, err := s.walk(ctx, bucket, o.Prefix, o.Delimiter)
	if err != nil {
		return nil, err
	}
	p := new(Page)
	passed := 0
	for ok := w.start(o.After, ""); ok; {
		key := w.key()
		if prefix, rolled := w.common(key); rolled {
			if prefix <= o.After {
				ok = w.skipPrefix(prefix)
				continue
			}
			// A prefix is common only to keys that are there.
			live, more, err := w.anyLive(ctx, prefix)
			if err != nil {
				return nil, w.close(err)
			}
			if ok = more; !live {
				continue
			}
			if len(p.Objects)+len(p.Prefixes) == o.Max {
				p.Truncated = true
				break
			}
			p.Prefixes = append(p.Prefixes, prefix)
			p.Next = prefix
			ok = w.skipPrefix(prefix)
			continue
		}
		obj, err := readObject(w.it.Value())
		if err != nil {
			return nil, w.close(err)
		}
		if !obj.Marker {
			if len(p.Objects)+len(p.Prefixes) == o.Max {
				p.Truncated = true
				break
			}
			p.Objects = append(p.Objects, obj)
			p.Next = key
		} else if passed++; passed == s.opt.passed {
			p.Truncated, p.Next = true, key
			break
		}
		ok = w.nextKey(key)
	}
	return p, w.close(nil)
}

// VersionsOptions choose what ListVersions returns.
type VersionsOptions struct {
	Prefix    string
	Delimiter string
	AfterKey  string // start after this key or, with AfterID, after that version of it
	AfterID   string
	Max       int // versions and common prefixes together; 0: none
}

// Listed is a version in a listing.
type Listed struct {
	*Object
	Latest bool // it is the current version of its key
}

// VersionsPage is one page of versions and delete markers: keys in order, of
// each key the newest first.
type VersionsPage struct {
	Versions        []Listed
	Prefixes        []string // common prefixes
	Truncated       bool
	NextKey, NextID string // AfterKey and AfterID for the next page
}

// ListVersions returns all versions and delete markers of a bucket.
func (s *Store) ListVersions(ctx context.Context, bucket string, o VersionsOptions) (*VersionsPage, error) {
	w, err := s.walk(ctx, bucket, o.Prefix, o.Delimiter)
	if err != nil {
		return nil, err
	}
	p := new(VersionsPage)
	ok := w.start(o.AfterKey, o.AfterID)
	last := "" // the key whose latest version was passed already
	if w.passed {
		last = o.AfterKey
	}
	for ok {
		key := w.key()
		prefix, rolled := w.common(key)
		if rolled && prefix <= o.AfterKey {
			ok = w.skipPrefix(prefix)
			continue
		}
		if len(p.Versions)+len(p.Prefixes) == o.Max {
			p.Truncated = true
			break
		}
		if rolled {
			p.Prefixes = append(p.Prefixes, prefix)
			p.NextKey, p.NextID = prefix, ""
			ok = w.skipPrefix(prefix)
			continue
		}
		obj, err := readObject(w.it.Value())
		if err != nil {
			return nil, w.close(err)
		}
		p.Versions = append(p.Versions, Listed{Object: obj, Latest: key != last})
		p.NextKey, p.NextID, last = key, obj.ID, key
		ok = w.it.Next()
	}
	return p, w.close(nil)
}

// walker goes through the rows of versions of one bucket.
type walker struct {
	r                 pebble.Reader
	it                *pebble.Iterator
	bucket            string
	prefix, delimiter string
	passed            bool // start has passed versions of the key it was given
}

func (s *Store) walk(ctx context.Context, bucket, prefix, delimiter string) (*walker, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if _, err := s.bucket(bucket); err != nil {
		return nil, err
	}
	lower := layout.Prefix(layout.KindVersion, bucket, prefix)
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: layout.After(lower)})
	if err != nil {
		return nil, fault.Wrap("store.list", bucket, err)
	}
	return &walker{r: s.db, it: it, bucket: bucket, prefix: prefix, delimiter: delimiter}, nil
}

func (w *walker) close(err error) error {
	return fault.Wrap("store.list", w.bucket, errors.Join(err, w.it.Error(), w.it.Close()))
}

// start goes to the first row behind the given key, or behind one version of
// it, which may be gone: whoever empties a bucket deletes what was listed
// before it lists on.
func (w *walker) start(key, id string) bool {
	if key == "" {
		return w.it.First()
	}
	prefix := layout.Key(nil, layout.KindVersion, w.bucket, key)
	if id == "" {
		return w.it.SeekGE(layout.After(prefix))
	}
	if !w.it.SeekGE(prefix) {
		return false
	}
	if nanos, err := timeOf(w.r, w.bucket, key, id); err == nil {
		row := append(layout.Version(w.bucket, key, id, nanos), 0)
		w.passed = bytes.HasPrefix(w.it.Key(), prefix) && bytes.Compare(w.it.Key(), row) < 0
		return w.it.SeekGE(row)
	}
	// A null version that is gone may have stood anywhere.
	return w.it.SeekGE(prefix)
}

func (w *walker) key() string {
	key, _ := layout.SplitKey(w.it.Key(), w.bucket)
	return key
}

// nextKey goes to the first version of the next key.
func (w *walker) nextKey(key string) bool {
	prefix := layout.Key(nil, layout.KindVersion, w.bucket, key)
	// Most keys have few versions, which are passed faster than sought over.
	for range 4 {
		if !w.it.Next() {
			return false
		}
		if !strings.HasPrefix(string(w.it.Key()), string(prefix)) {
			return true
		}
	}
	return w.it.SeekGE(layout.After(prefix))
}

// common returns the common prefix that key is rolled up into, if it is.
func (w *walker) common(key string) (string, bool) {
	if w.delimiter == "" {
		return "", false
	}
	i := strings.Index(key[len(w.prefix):], w.delimiter)
	if i < 0 {
		return "", false
	}
	return key[:len(w.prefix)+i+len(w.delimiter)], true
}

// lookEvery is after how many keys it is looked whether anybody still waits.
const lookEvery = 1024

// skipPrefix goes behind all keys that begin with prefix.
func (w *walker) skipPrefix(prefix string) bool {
	end := layout.After(layout.Prefix(layout.KindVersion, w.bucket, prefix))
	return w.it.SeekGE(end)
}

// anyLive goes through the keys that begin with prefix until it meets one
// whose current version is not a delete marker. If there is none it stands
// behind them; more says whether there is a row there.
func (w *walker) anyLive(ctx context.Context, prefix string) (live, more bool, err error) {
	for n := 1; ; n++ {
		if n%lookEvery == 0 && ctx.Err() != nil {
			return false, false, ctx.Err()
		}
		key := w.key()
		if !strings.HasPrefix(key, prefix) {
			return false, true, nil
		}
		o, err := readObject(w.it.Value())
		if err != nil || !o.Marker {
			return err == nil, true, err
		}
		if !w.nextKey(key) {
			return false, false, nil
		}
	}
}
