package store

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/bodies"
	"twinbucket/internal/event"
	"twinbucket/internal/fields"
	"twinbucket/internal/journal"
	"twinbucket/internal/layout"
	"twinbucket/internal/ledger"
	"twinbucket/internal/scan"
	"twinbucket/object"
)

// Pending is a version that waits for its replication to one destination.
type Pending struct {
	Pos      uint64 // its place in the lane
	Object   *Object
	Delivery object.Delivery // the one that waits
}

// Pending returns versions that wait in a lane, in the order in which they
// came: those behind place after, up to place until (0: no limit), at most max.
// A version leaves the lane in the same step that makes its status there final,
// so what is in the lanes is exactly what is unfinished, also after a crash.
func (s *Store) Pending(ctx context.Context, l ledger.Lane, after, until uint64, max int) ([]Pending, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	it, err := s.pendingRows(l, after, until)
	if err != nil {
		return nil, err
	}
	var out []Pending
	for ok := it.First(); ok && err == nil && len(out) < max; ok = it.Next() {
		var o *Object
		pos := place(it.Key())
		v, closer, gerr := s.db.Get(it.Value())
		if errors.Is(gerr, pebble.ErrNotFound) {
			continue // deleted since the iterator was made
		}
		if err = gerr; err == nil {
			o, err = readObject(v)
			if err = errors.Join(err, closer.Close()); err != nil || uint64(o.pendingAt) != pos {
				continue
			}
			waits := func(d object.Delivery) bool { return d.Status == object.Pending && o.lane(&d) == l }
			if k := slices.IndexFunc(o.Deliveries, waits); k >= 0 {
				out = append(out, Pending{Pos: pos, Object: o, Delivery: o.Deliveries[k]})
			}
		}
	}
	return out, fault.Wrap("store.pending", s.dir, errors.Join(err, it.Error(), it.Close()))
}

// PendingRange counts the next versions in a lane behind place after, up to
// max, and returns the place of the last one.
func (s *Store) PendingRange(l ledger.Lane, after uint64, max int) (until uint64, count int, err error) {
	it, err := s.pendingRows(l, after, 0)
	if err != nil {
		return 0, 0, err
	}
	for ok := it.First(); ok && count < max; ok = it.Next() {
		until = place(it.Key())
		count++
	}
	return until, count, fault.Wrap("store.pending", s.dir, errors.Join(it.Error(), it.Close()))
}

// Changed returns a channel that is closed when something is added to the
// feed. Take it before looking at the feed.
func (s *Store) Changed() <-chan struct{} { return s.pending.Wait() }

// Delivery is the outcome of replicating one version to one destination.
type Delivery struct {
	Source *Object
	// Replica is the version to store at the destination, in Outcome.Bucket,
	// with the source's id, time and body; nil if none is to be stored. If
	// Outcome.Changed is set, the version is there and follows it in that.
	Replica *object.Version
	// Into is the destination as it was when the replica was allowed; one made
	// anew in its name does not get it. nil: whichever has the name does.
	Into *bucket.Bucket
	// By is the principal that brings the replica, for who is told of it; "" is
	// S3 itself.
	By string
	// Outcome is the source's new state at that destination.
	Outcome object.Delivery
}

// Deliver stores replicas and their sources' statuses, each pair in one step.
// After an error some may be stored; all may be delivered again.
// It returns the final outcomes: what the engine knew may have changed since,
// so a destination that is gone or no longer versioned makes the outcome
// Failed, and a source that changed since stays Pending.
func (s *Store) Deliver(ctx context.Context, ds []Delivery) ([]object.Delivery, error) {
	cs := make([]command, len(ds))
	for i, d := range ds {
		src := d.Source
		c := &deliverCommand{bucket: src.Bucket, key: src.Key, id: src.ID, modified: src.Modified, seen: src.Changes, outcome: d.Outcome}
		c.outcome.Time, c.outcome.Missed = s.opt.Now().UTC(), false
		c.origin = s.deliveryOrigin(ctx, &d)
		if d.Replica != nil {
			// It has the source's parts and body, wherever they are by then.
			var err error
			whole := d.Outcome.Changed == 0
			c.replica, c.likeSource, c.keepsLock = &Object{Version: *d.Replica}, whole, whole
			c.replica.Parts = nil
			if !whole {
				c.resend = s.onward(c)
			} else if c.seals, err = s.resealed(src, d.Replica.Encryption); err != nil {
				return nil, err
			}
			if d.Into != nil {
				c.into, c.intoOwner = d.Into.Created, d.Into.Owner
			}
		}
		cs[i] = c
	}
	errs, err := s.doAll(ctx, cs)
	if err != nil {
		return nil, err
	}
	out := make([]object.Delivery, len(ds))
	for i, c := range cs {
		if errs[i] != nil {
			return nil, errs[i]
		}
		out[i] = c.(*deliverCommand).outcome
	}
	return out, nil
}

// onward finds out where the rules take a change once it arrived.
func (s *Store) onward(c *deliverCommand) []object.Delivery {
	r := c.replica
	b, err := s.bucket(r.Bucket)
	if err != nil {
		return nil
	}
	o, err := lookup(s.db, r.Bucket, r.Key, r.ID)
	if err != nil {
		return nil
	}
	var tags *[]object.Tag
	if c.outcome.Changed&object.AspectTags != 0 {
		tags = &r.Tags
	}
	// Where it comes from it is known.
	return slices.DeleteFunc(s.resend(b, o.Version, tags), func(d object.Delivery) bool { return d.Bucket == c.bucket })
}

// HardDeletedCode is the failure code of a delivery that would make a replica
// that is HardDeleted.
const HardDeletedCode = "DstObjectHardDeleted"

// HardDeletedReason says why such a delivery fails.
func HardDeletedReason(bucket string) string {
	return "this version was deleted by its version id from destination bucket " + bucket + "; " + copyAnew
}

// HardDeleted reports whether a replica was deleted from a bucket by its
// version id; it is not to be made again.
func (s *Store) HardDeleted(bucket, key, id string) (bool, error) {
	_, gone, err := scan.Value(s.db, layout.Deleted(bucket, key, id))
	return gone, fault.Wrap("store.find", key, err)
}

// deliverCommand stores a replica and its source's status.
type deliverCommand struct {
	bucket, key, id string    // the source version
	modified        time.Time // its time; zero in old records, which did not have it
	seen            uint64    // its Changes when the replica was made from it
	replica         *Object
	likeSource      bool           // the replica has the source's parts and body, which are not in the command
	seals           []*bodies.Seal // of the replica's body, if they are not the source's
	keepsLock       bool           // a replica keeps a lock of which its source says nothing; false in old records
	into            time.Time      // when the destination was made, and whose it is; zero in old records
	intoOwner       string
	outcome         object.Delivery
	resend          []object.Delivery // where rules take a change that arrives
	origin          *event.Origin
}

func (c *deliverCommand) number() byte { return cmdDeliver }

func (c *deliverCommand) encode(w *fields.Writer) {
	w.Text(fields.Bucket, c.bucket)
	w.Text(fields.Key, c.key)
	w.Text(fields.ID, c.id)
	w.Time(fTime, c.modified)
	w.Uint(fSeen, c.seen)
	if c.replica != nil {
		w.Message(fReplica, c.replica.encode)
	}
	w.Bool(fLikeSource, c.likeSource)
	for _, seal := range c.seals {
		seal.Encode(w, fSeal)
	}
	w.Bool(fKeepsLock, c.keepsLock)
	if !c.into.IsZero() {
		w.Time(fInto, c.into)
		w.Text(fIntoOwner, c.intoOwner)
	}
	w.Delivery(fields.Delivery, c.outcome)
	c.origin.Encode(w, fOrigin)
	for _, d := range c.resend {
		w.Delivery(fResend, d)
	}
}

func (c *deliverCommand) decode(f fields.Field) (err error) {
	switch f.Number {
	case fields.Bucket:
		c.bucket = f.Text()
	case fields.Key:
		c.key = f.Text()
	case fields.ID:
		c.id = f.Text()
	case fTime:
		c.modified = f.Time()
	case fSeen:
		c.seen = f.Uint
	case fReplica:
		c.replica, err = readObject(f.Bytes)
	case fLikeSource:
		c.likeSource = f.Bool()
	case fSeal:
		seal, err := bodies.ReadSeal(f.Bytes)
		c.seals = append(c.seals, seal)
		return err
	case fKeepsLock:
		c.keepsLock = f.Bool()
	case fInto:
		c.into = f.Time()
	case fIntoOwner:
		c.intoOwner = f.Text()
	case fields.Delivery:
		c.outcome, err = fields.ReadDelivery(f.Bytes)
	case fOrigin:
		c.origin, err = event.ReadOrigin(f.Bytes)
	case fResend:
		var d object.Delivery
		d, err = fields.ReadDelivery(f.Bytes)
		c.resend = append(c.resend, d)
	}
	return err
}

func (c *deliverCommand) apply(a *applier, at, _ journal.Position) error {
	src := a.find(c.bucket, c.key, c.id)
	// A null version may be another one by now.
	if src == nil || !c.modified.IsZero() && !src.Modified.Equal(c.modified) {
		c.fail("SrcVersionNotFound", "the source version was deleted before it could be replicated")
		return a.broken
	}
	switch {
	case c.replica == nil || !c.admitted(a):
	case c.outcome.Changed != 0:
		c.update(a, at)
	case c.replaces(a):
		r := c.replica
		if c.likeSource {
			full := *src
			a.load(&full)
			r.Parts, r.body = full.Parts, full.body
		}
		if ok := true; c.seals != nil {
			if r.body, ok = r.body.Under(c.seals); !ok {
				return object.NoSuchVersion(c.id)
			}
		}
		var err error
		if r.body, err = a.adopt(r.row(), r.body); err != nil {
			return err
		}
		if c.storeReplica(a, &src.Lock) {
			a.tell(at, c.origin, event.Replicated(&c.replica.Version))
		}
	}
	to := at
	if !c.again(src) {
		to = 0 // what else waits keeps its place
	}
	before := slices.Clone(src.Deliveries)
	a.tellDelivered(at, c, src)
	src.settle(c.outcome)
	a.restate(src, before, to)
	a.s.ledger.Add(src.lane(&c.outcome), c.carried(src, before))
	a.write(src)
	return a.broken
}

// carried is what the outcome of a delivery counts as for good. One that is made
// a second time counts once.
func (c *deliverCommand) carried(src *Object, before []object.Delivery) (n ledger.Counts) {
	done := func(d object.Delivery) bool { return d.Bucket == c.outcome.Bucket && d.Status == object.Completed }
	switch {
	case c.outcome.Status == object.Failed:
		n.Failures = 1
	case c.outcome.Status == object.Completed && !slices.ContainsFunc(before, done):
		n.Completed = 1
		if c.replica != nil && c.outcome.Changed == 0 {
			n.CompletedBytes = src.Size
		}
	}
	return n
}

// copyAnew is the way out of what stands in the way of one version.
const copyAnew = "copy the source object onto itself, which makes a version with another id"

// fail makes the outcome a failure.
func (c *deliverCommand) fail(code, reason string) {
	c.outcome.Status, c.outcome.Code, c.outcome.Reason = object.Failed, code, reason
}

// again has what changed since it was carried be carried again; it reports
// whether it is to be.
func (c *deliverCommand) again(src *Object) bool {
	// What came here by replication is sent on by a job, which sends it whole.
	var left object.Aspects // of what waits: a delivery that came late may have undone it
	for _, d := range src.Deliveries {
		if d.Bucket == c.outcome.Bucket {
			left = d.Changed &^ c.outcome.Changed
		}
	}
	switch whole := c.outcome.Changed == 0; {
	case src.Changes == c.seen && (whole || left == 0 || c.outcome.Status != object.Completed):
		return false
	case whole && c.outcome.Status != object.Completed:
		return false
	case whole && c.replica != nil && !src.IsReplica():
		c.outcome.Changed = src.EditedSince(&c.replica.Version)
	}
	c.outcome.Status, c.outcome.Code, c.outcome.Reason = object.Pending, "", ""
	return true
}

// update has the version that is at the destination follow its source. What
// it takes over it passes on, unless it came there by replication itself.
func (c *deliverCommand) update(a *applier, at journal.Position) {
	r := c.replica
	have := a.find(r.Bucket, r.Key, r.ID)
	if have == nil || !have.Modified.Equal(r.Modified) {
		c.fail("DstVersionNotFound", "the version is not in destination bucket "+r.Bucket+" any more: a change does not make it again; "+copyAnew)
		return
	}
	taken := have.Follow(&r.Version, c.outcome.Changed)
	if taken == 0 {
		return
	}
	before := slices.Clone(have.Deliveries)
	if !have.IsReplica() && have.Resend(taken, c.bucket, c.resend, c.outcome.Time) {
		a.restate(have, before, at)
	}
	a.write(have)
}

// admitted reports whether the destination takes something at all; if not, the
// outcome says why.
func (c *deliverCommand) admitted(a *applier) bool {
	r := c.replica
	dst := a.bucket(r.Bucket)
	switch {
	case dst == nil, !c.into.IsZero() && !dst.Same(&bucket.Bucket{Created: c.into, Owner: c.intoOwner}):
		c.fail("DstBucketNotFound", "destination bucket "+r.Bucket+" does not exist; create it with versioning enabled, or name another one in the rule")
	case dst.Versioning != bucket.Enabled:
		c.fail("DstBucketUnversioned", "versioning is not enabled on destination bucket "+r.Bucket+"; enable it")
	case r.Lock != (object.Lock{}) && !dst.Locked():
		c.fail("DstBucketObjectLockConfigMissing", "Object Lock is not enabled on destination bucket "+r.Bucket+"; enable it: PutObjectLockConfiguration")
	default:
		return true
	}
	return false
}

// replaces reports whether the replica may be stored beside or in place of what
// the destination has; if not, the outcome says why.
func (c *deliverCommand) replaces(a *applier) bool {
	switch r := c.replica; {
	case a.has(layout.Deleted(r.Bucket, r.Key, r.ID)):
		c.fail(HardDeletedCode, HardDeletedReason(r.Bucket))
	case r.ID == object.NullID && a.hasOwn(r):
		c.fail("DstPutObjectNotPermitted", "destination bucket "+r.Bucket+" has a null version of its own under this key, which the replica would replace; "+copyAnew)
	case r.ID == object.NullID && a.holds(r, c.outcome.Time):
		c.fail("DstPutObjectNotPermitted", "object lock protects the null version of this key in destination bucket "+r.Bucket+", which the replica would replace; "+copyAnew)
	default:
		return true
	}
	return false
}

// hasOwn reports whether the bucket of a null replica has another null version
// of the key, one that is nobody's replica.
func (a *applier) hasOwn(r *Object) bool {
	old := a.find(r.Bucket, r.Key, r.ID)
	return old != nil && !old.IsReplica() && !old.Modified.Equal(r.Modified)
}

// holds reports whether Object Lock protects another null version of the key.
func (a *applier) holds(r *Object, now time.Time) bool {
	old := a.find(r.Bucket, r.Key, r.ID)
	return old != nil && !old.Modified.Equal(r.Modified) && old.Lock.Protects(now, false)
}

// storeReplica writes a replica and reports whether it is a new one. One that is there already keeps what became
// of it since, as a source of its own, and takes the new metadata. The replica
// of a null version that was replaced at its source is replaced too. The version
// that it all began with, which comes back where buckets replicate to each other,
// stays as it is.
func (c *deliverCommand) storeReplica(a *applier, src *object.Lock) bool {
	r, is := c.replica, true
	r.Status, r.Deliveries = object.Replica, nil
	switch old := a.find(r.Bucket, r.Key, r.ID); {
	case old == nil:
	case !old.Modified.Equal(r.Modified):
		a.remove(old)
	case !old.IsReplica():
		return false
	default:
		is = false
		r.Over(&old.Version, src, c.keepsLock, c.outcome.Time)
		r.Status, r.Returning = old.Status, old.Returning
		r.Deliveries, r.Changes, r.pendingAt = old.Deliveries, old.Changes+1, old.pendingAt
		a.countAll(a.load(old).body, -1)
	}
	a.put(r)
	return is
}

// settle sets the state at one destination.
func (o *Object) settle(d object.Delivery) {
	for i := range o.Deliveries {
		if have := &o.Deliveries[i]; have.Bucket == d.Bucket {
			switch {
			case d.Status == object.Completed:
				d.Changed = 0
			case have.Changed != 0:
				d.Changed |= have.Changed // what changed meanwhile, and what a job could not mend
			}
			*have = d
			return
		}
	}
	o.Deliveries = append(o.Deliveries, d)
}
