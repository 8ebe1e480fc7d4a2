package sweep

import (
	"bytes"
	"context"
	"errors"
	"time"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/store"
	"twinbucket/lifecycle"
)

// errReplaced says that a bucket's configuration is another than the one that
// is carried out.
var errReplaced = &fault.Error{Op: "sweep", Kind: fault.Conflict, Message: "the lifecycle configuration was changed"}

// walk is a sweep over one bucket.
type walk struct {
	*Engine
	b   *bucket.Bucket // as it was when the page was read
	set *lifecycle.Set
	n   *counts
	now time.Time
	due []store.Expiry

	// Of the key whose versions are looked at:
	key    string
	after  time.Time     // when the version before was made: since then this one is noncurrent
	newer  int           // noncurrent versions so far, delete markers aside
	marker *store.Object // the current version is a delete marker, and the only version so far
}

// sweep carries out the configuration of one bucket.
func (e *Engine) sweep(ctx context.Context, b *bucket.Bucket, n *counts) error {
	set, err := lifecycle.Parse(b.Documents[bucket.Lifecycle])
	if err != nil {
		return fault.Wrap("sweep", b.Name, err)
	}
	w := &walk{Engine: e, b: b, set: set, n: n, now: e.Now()}
	for _, prefix := range set.Versions() {
		if err := w.versions(ctx, prefix); err != nil {
			return err
		}
	}
	for _, prefix := range set.Uploads() {
		if err := w.uploads(ctx, prefix); err != nil {
			return err
		}
	}
	return nil
}

// refresh reads the bucket again: its rules must still be these.
func (w *walk) refresh(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b, err := w.Store.Bucket(w.b.Name)
	if err != nil {
		return err
	}
	if !b.Same(w.b) || !bytes.Equal(b.Documents[bucket.Lifecycle], w.b.Documents[bucket.Lifecycle]) {
		return errReplaced
	}
	w.b = b
	return nil
}

// versions goes through the versions of the keys that begin with prefix.
func (w *walk) versions(ctx context.Context, prefix string) error {
	o := store.VersionsOptions{Prefix: prefix, Max: w.page}
	for {
		if err := w.refresh(ctx); err != nil {
			return err
		}
		began := w.Now()
		p, err := w.Store.ListVersions(ctx, w.b.Name, o)
		if err != nil {
			return err
		}
		w.n.versions += len(p.Versions)
		for _, v := range p.Versions {
			if err := w.look(ctx, v); err != nil {
				return err
			}
		}
		if !p.Truncated {
			err = w.turn(ctx, "")
		}
		if err := errors.Join(err, w.flush(ctx)); err != nil {
			return err
		}
		w.rest(ctx, began)
		if !p.Truncated {
			return nil
		}
		o.AfterKey, o.AfterID = p.NextKey, p.NextID
	}
}

// look looks at the next version.
func (w *walk) look(ctx context.Context, v store.Listed) error {
	switch {
	case v.Key != w.key:
		if err := w.turn(ctx, v.Key); err != nil {
			return err
		}
	case !v.Modified.Before(w.after):
		return nil // a page begins with its key again if a null version ended
	}
	var err error
	switch {
	case !v.Latest:
		w.marker = nil
		err = w.add(ctx, v.Object, w.set.Noncurrent(&v.Version, w.after, w.newer, w.Day), false, false)
		if !v.Marker {
			w.newer++
		}
	case v.Marker:
		w.marker = v.Object // whether it is alone shows with the next version
	default:
		err = w.add(ctx, v.Object, w.set.Current(&v.Version, false, w.Day), true, false)
	}
	w.after = v.Modified
	return err
}

// turn goes on to another key.
func (w *walk) turn(ctx context.Context, key string) error {
	m := w.marker
	w.key, w.after, w.newer, w.marker = key, time.Time{}, 0, nil
	if m == nil {
		return nil
	}
	return w.add(ctx, m, w.set.Current(&m.Version, true, w.Day), true, true)
}

// add notes a version if it is due.
func (w *walk) add(ctx context.Context, o *store.Object, d lifecycle.Due, latest, alone bool) error {
	if !d.By(w.now) {
		return nil
	}
	if lifecycle.Held(&o.Version, !w.marks(o, latest), w.now) {
		w.n.held++
		return nil
	}
	w.due = append(w.due, store.Expiry{Object: o, Latest: latest, Alone: alone})
	if len(w.due) < w.batch {
		return nil
	}
	return w.flush(ctx)
}

// marks reports whether ending a version means a delete marker over it.
func (w *walk) marks(o *store.Object, latest bool) bool {
	return latest && !o.Marker && w.b.Versioning != bucket.Unversioned
}

// flush ends the versions that were noted.
func (w *walk) flush(ctx context.Context) error {
	if len(w.due) == 0 {
		return nil
	}
	errs, err := w.Store.Expire(ctx, w.b, w.due)
	if err != nil {
		return err
	}
	for i, err := range errs {
		switch {
		case err == nil && w.marks(w.due[i].Object, w.due[i].Latest):
			w.n.expired++
		case err == nil:
			w.n.removed++
		case errors.Is(err, fault.Denied):
			w.n.held++
		case errors.Is(err, fault.Conflict), errors.Is(err, fault.NotFound):
			w.n.changed++
		default:
			return err
		}
	}
	w.due = w.due[:0]
	return nil
}

// uploads aborts the uploads of the keys that begin with prefix.
func (w *walk) uploads(ctx context.Context, prefix string) error {
	key, id := "", ""
	for {
		if err := w.refresh(ctx); err != nil {
			return err
		}
		began := w.Now()
		us, more, err := w.Store.Uploads(ctx, w.b.Name, prefix, key, id, w.page)
		if err != nil {
			return err
		}
		var due []*store.Upload
		for _, u := range us {
			key, id = u.Key, u.ID
			if w.set.Upload(u.Key, u.Started, w.Day).By(w.now) {
				due = append(due, u)
			}
		}
		if err := w.abort(ctx, due); err != nil {
			return err
		}
		w.rest(ctx, began)
		if !more {
			return nil
		}
	}
}

// aborted is how many uploads end in one step; each may have 10,000 parts.
const aborted = 8

func (w *walk) abort(ctx context.Context, due []*store.Upload) error {
	for len(due) > 0 {
		some := due[:min(aborted, len(due))]
		due = due[len(some):]
		errs, err := w.Store.AbortUploads(ctx, some)
		if err != nil {
			return err
		}
		for _, err := range errs {
			switch {
			case err == nil:
				w.n.aborted++
			case errors.Is(err, fault.NotFound):
				w.n.changed++
			default:
				return err
			}
		}
	}
	return nil
}
