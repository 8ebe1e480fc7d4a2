package store

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/bodies"
	"twinbucket/internal/journal"
	"twinbucket/internal/layout"
	"twinbucket/internal/scan"
	"twinbucket/object"
)

const (
	// replayBatch bounds the index batch of a replay, in bytes.
	replayBatch = 4 << 20
	// flushEvery is how many bytes may be journaled before the index is
	// flushed: what a start after a crash has to replay.
	flushEvery = 256 << 20
)

// applier makes the changes of commands in an index batch and remembers what
// must follow once the batch is in.
type applier struct {
	s        *Store
	b        *pebble.Batch
	buckets  map[string]*bucket.Bucket // changed ones; nil: deleted
	dropped  []uint64                  // files that no body uses any more
	released int64                     // bytes of inline bodies that lost a reference
	latest   int64                     // the latest time of a version, in nanoseconds
	pending  bool                      // something was added to the pending rows
	told     told                      // events of the command that is being applied
	broken   error                     // the index failed: nothing more may be applied
}

// apply is the journal's Apply: it makes a synced group visible.
func (s *Store) apply(group []*journal.Record, end journal.Position) error {
	a := &applier{s: s, b: s.db.NewIndexedBatch()}
	for _, r := range group {
		p := r.Owner.(*pendingCommand)
		p.err = p.apply(a, r.Pos, r.Pos+journal.Position(len(r.Head)))
		s.sinceSync += int64(len(r.Head) + len(r.Body))
		s.sinceCompact += int64(len(r.Head) + len(r.Body))
	}
	if err := a.flush(end); err != nil {
		return err
	}
	s.bodies.Remove(a.dropped)
	if s.sinceCompact += a.released; s.sinceCompact >= s.compactAt.Load() {
		s.sinceCompact = 0
		s.wakeCompaction()
	}
	if a.pending {
		s.pending.Notify()
	}
	if a.told.any {
		s.told.Notify()
	}
	if s.sinceSync >= flushEvery {
		s.sinceSync = 0
		if _, err := s.db.AsyncFlush(); err != nil {
			return err
		}
	}
	return nil
}

// replay is the journal's Replay.
func (a *applier) replay(at journal.Position, record []byte) error {
	c, body, err := parseCommand(record)
	if err != nil {
		return err
	}
	// What the command's caller was told has been said; the outcome is the same.
	_ = c.apply(a, at, at+journal.Position(body))
	return a.broken
}

// replayed is the journal's Replayed.
func (a *applier) replayed(end journal.Position) error {
	if a.b.Len() < replayBatch {
		return a.broken
	}
	if err := a.flush(end); err != nil {
		return err
	}
	// Files that were dropped are found as orphans at the end.
	a.b, a.dropped = a.s.db.NewIndexedBatch(), nil
	return nil
}

// flush puts the batch into the index, which is then up to end.
func (a *applier) flush(end journal.Position) error {
	// A file may have found a new user since it was dropped.
	a.dropped = slices.DeleteFunc(a.dropped, func(id uint64) bool { return a.has(layout.File(id)) })
	if a.broken != nil {
		return errors.Join(a.broken, a.b.Close())
	}
	if err := a.b.Set(layout.Applied, binary.AppendUvarint(nil, uint64(end)), nil); err != nil {
		return err
	}
	if a.latest > a.s.latest {
		a.s.latest = a.latest
		a.s.advance(a.latest)
		if err := a.b.Set(layout.Latest, binary.AppendUvarint(nil, uint64(a.latest)), nil); err != nil {
			return err
		}
	}
	if a.s.ledger.Rows(a.set, a.del); a.broken != nil {
		return errors.Join(a.broken, a.b.Close())
	}
	if err := a.b.Commit(pebble.NoSync); err != nil {
		return err
	}
	a.s.ledger.Enter()
	if len(a.buckets) > 0 {
		next := maps.Clone(*a.s.buckets.Load())
		for name, b := range a.buckets {
			if b == nil {
				delete(next, name)
			} else {
				next[name] = b
			}
		}
		a.s.buckets.Store(&next)
		a.buckets = nil
		a.s.settings.Notify()
	}
	return nil
}

// fail records a failure of the index itself.
func (a *applier) fail(err error) error {
	if err != nil && a.broken == nil {
		a.broken = err
	}
	return err
}

func (a *applier) set(row, value []byte) { _ = a.fail(a.b.Set(row, value, nil)) }
func (a *applier) del(row []byte)        { _ = a.fail(a.b.Delete(row, nil)) }

func (a *applier) has(row []byte) bool {
	_, closer, err := a.b.Get(row)
	if errors.Is(err, pebble.ErrNotFound) {
		return false
	}
	if a.fail(err) != nil {
		return false
	}
	_ = a.fail(closer.Close())
	return true
}

// bucket returns the bucket as of now, within the batch.
func (a *applier) bucket(name string) *bucket.Bucket {
	if b, changed := a.buckets[name]; changed {
		return b
	}
	return (*a.s.buckets.Load())[name]
}

// find returns a version as of now, without its detail; nil if there is none.
func (a *applier) find(bucket, key, id string) *Object {
	o, err := lookup(a.b, bucket, key, id)
	if err != nil && !errors.Is(err, fault.NotFound) {
		_ = a.fail(err)
	}
	return o
}

// put writes the rows of a version that is whole and counts its bodies.
func (a *applier) put(o *Object) {
	a.countAll(o.body, 1)
	a.write(o)
	if _, ours := object.IDTime(o.ID); !ours {
		a.set(layout.ID(o.Bucket, o.Key, o.ID), binary.AppendUvarint(nil, uint64(o.Modified.UnixNano())))
	}
	a.latest = max(a.latest, o.Modified.UnixNano())
}

// write writes a version's row, and its detail if that was read or is new.
func (a *applier) write(o *Object) {
	row, detail := o.rows(a.s.opt.few)
	a.set(o.row(), row)
	if detail != nil {
		a.set(detailRow(o), detail)
	}
}

// remove takes a version out of the index.
func (a *applier) remove(o *Object) {
	a.del(o.row())
	if o.apart != (apart{}) {
		a.load(o)
		a.del(detailRow(o))
	}
	if _, ours := object.IDTime(o.ID); !ours {
		a.del(layout.ID(o.Bucket, o.Key, o.ID))
	}
	gone := *o
	gone.Deliveries = nil
	a.refile(&gone, o.Deliveries, 0)
	if o.upload != "" {
		a.del(layout.Done(o.Bucket, o.Key, o.upload))
	}
	a.countAll(o.body, -1)
}

// count changes how many bodies use a file and drops the file at none.
func (a *applier) count(file uint64, by int) {
	if file == 0 {
		return
	}
	n := 0
	v, closer, err := a.b.Get(layout.File(file))
	switch {
	case err == nil:
		u, _ := binary.Uvarint(v)
		n = int(u)
		_ = a.fail(closer.Close())
	case !errors.Is(err, pebble.ErrNotFound):
		_ = a.fail(err)
		return
	}
	if n += by; n > 0 {
		a.set(layout.File(file), binary.AppendUvarint(nil, uint64(n)))
		return
	}
	a.del(layout.File(file))
	a.dropped = append(a.dropped, file)
}

func (c *putCommand) apply(a *applier, at, body journal.Position) error {
	o := c.o
	if a.bucket(o.Bucket) == nil {
		return noSuchBucket(o.Bucket)
	}
	if c.sight != nil && !a.sees(o.Bucket, o.Key, c.sight) {
		return changedMeanwhile(o.Key)
	}
	if c.once != "" {
		if a.has(layout.Done(o.Bucket, o.Key, c.once)) {
			return errMade
		}
		o.upload = c.once
	}
	if c.cond != (object.Condition{}) {
		if err := a.check(c); err != nil {
			return err
		}
	}
	if c.upload != "" {
		if err := a.complete(c); err != nil {
			return err
		}
	}
	if c.shared || c.upload != "" {
		var err error
		if o.body, err = a.adopt(o.row(), o.body); err != nil {
			return err
		}
	}
	if c.inline > 0 {
		o.body = append(o.body, bodies.Inline(body, c.inline, c.crc, c.seal))
	}
	if o.ID == object.NullID {
		if old := a.find(o.Bucket, o.Key, object.NullID); old != nil {
			if old.Lock.Protects(o.Modified, false) {
				return locked(o.Key)
			}
			a.remove(old)
		}
	}
	a.refile(o, nil, at)
	a.put(o)
	if c.upload != "" {
		a.removeUpload(&Upload{ID: c.upload, Version: o.Version})
	}
	if o.upload != "" {
		a.set(layout.Done(o.Bucket, o.Key, o.upload), []byte(o.ID))
	}
	a.tellStored(at, c)
	return a.broken
}

// check decides the condition of a put.
func (a *applier) check(c *putCommand) error {
	cur := a.find(c.o.Bucket, c.o.Key, "")
	err := c.decide(cur)
	if err == nil && !c.late && cur != nil && cur.ID != c.o.ID && cur.Modified.After(c.o.Modified) {
		return overtaken(c.o.Key)
	}
	return err
}

// decide decides the condition against the current version.
func (c *putCommand) decide(cur *Object) error {
	if c.o.Marker {
		return c.cond.CheckDeletion(cur.version(), "")
	}
	if cur != nil && cur.Marker {
		cur = nil
	}
	return c.cond.Check(cur.version())
}

// overtaken refuses a conditional put that came behind a later version of its
// key: it would be stored beneath that one, and its condition is about the
// current version.
func overtaken(key string) error {
	return fault.New(fault.Conflict, "ConditionalRequestConflict", "The conditional request cannot succeed due to a conflicting operation against this resource.").On(key).
		WithHint("another request changed this key at the same time; send the request again")
}

func (c *deleteCommand) apply(a *applier, at, _ journal.Position) error {
	if a.bucket(c.bucket) == nil {
		return noSuchBucket(c.bucket)
	}
	if c.sight != nil && !a.sees(c.bucket, c.key, c.sight) {
		return changedMeanwhile(c.key)
	}
	o := a.find(c.bucket, c.key, c.id)
	if err := (object.Condition{Match: c.match}).CheckDeletion(o.version(), c.id); err != nil {
		return err
	}
	if o == nil {
		return a.broken
	}
	if !c.now.IsZero() && o.Lock.Protects(c.now, c.bypass) {
		return locked(c.key)
	}
	if o.IsReplica() {
		// A replica deleted by its id is not to be made again by a job.
		a.set(layout.Deleted(o.Bucket, o.Key, o.ID), nil)
	}
	a.remove(o)
	c.found = o
	a.tellDeleted(at, c)
	return a.broken
}

func (c *bucketCommand) apply(a *applier, at, _ journal.Position) error {
	have := a.bucket(c.b.Name)
	switch {
	case c.revision == 0 && have != nil:
		return fault.New(fault.Exists, "BucketAlreadyExists", "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.").On(c.b.Name)
	case c.revision != 0 && have == nil:
		return noSuchBucket(c.b.Name)
	case c.revision != 0 && have.Revision != c.revision:
		return errRevision
	case have != nil && have.Locked() && (!c.b.Locked() || c.b.Versioning != bucket.Enabled):
		return fault.New(fault.Conflict, "InvalidBucketState", "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.").On(c.b.Name).
			WithHint("Object Lock cannot be turned off, and needs versioning")
	}
	b := c.b.Clone()
	b.Revision = uint64(at)
	data, err := json.Marshal(b)
	if err != nil {
		return a.fail(err)
	}
	a.set(layout.Bucket(b.Name), append(binary.AppendUvarint(nil, b.Revision), data...))
	a.changeBucket(b.Name, b)
	return a.broken
}

func (a *applier) changeBucket(name string, b *bucket.Bucket) {
	if a.buckets == nil {
		a.buckets = make(map[string]*bucket.Bucket)
	}
	a.buckets[name] = b
}

func (c *deleteBucketCommand) apply(a *applier, _, _ journal.Position) error {
	b := a.bucket(c.name)
	if b == nil {
		return noSuchBucket(c.name)
	}
	filled, err := scan.Any(a.b, layout.Prefix(layout.KindVersion, c.name, ""))
	if a.fail(err) == nil && filled {
		return notEmpty(b)
	}
	most := fewUploads
	if !c.few {
		most = math.MaxInt - 1
	}
	left, more, err := readUploads(a.b, c.name, "", "", "", most)
	if a.fail(err) == nil && more {
		return errUploads
	}
	for _, u := range left {
		a.removeUpload(u)
	}
	start := layout.Prefix(layout.KindDeleted, c.name, "")
	_ = a.fail(a.b.DeleteRange(start, layout.After(start), nil))
	a.del(layout.Bucket(c.name))
	a.s.ledger.Forget(c.name)
	a.changeBucket(c.name, nil)
	return a.broken
}
