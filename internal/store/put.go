package store

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"time"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/bodies"
	"twinbucket/internal/event"
	"twinbucket/object"
)

// Put is a version to be stored. Of Version the caller gives Bucket, Key,
// Owner and what the client said of it, Encryption included (none is AES256);
// ID, time, size, ETag and replication status are the store's.
type Put struct {
	Version object.Version
	// Sent is the bucket as it was when somebody was allowed to write to it:
	// another that was made in its name gets nothing. Nil is the bucket of
	// Version as it is.
	Sent *bucket.Bucket
	Body io.Reader // nil is empty
	Size int64     // of Body, in bytes; -1 if unknown
	// Finish, if not nil, is called when the body has been read and its size
	// and ETag are known, before anything is stored. It may set Checksums; an
	// error from it ends the put.
	Finish func(*object.Version) error
	If     object.Condition
	// Once, if not "", is what the version is made for: asked again, for the same
	// key, the version that was made is returned, as long as it is there.
	Once string
	// CustomerKey is the key that encrypts the body, 32 bytes, if
	// Version.Encryption names its MD5.
	CustomerKey []byte
}

// Put stores a new version and makes it the current one. When it returns the
// version is durable.
func (s *Store) Put(ctx context.Context, p Put) (*Object, error) {
	b, err := s.receiver(&p)
	if err != nil {
		return nil, err
	}
	if err := object.CheckKey(p.Version.Key); err != nil {
		return nil, err
	}
	if err := s.precheck(ctx, p); err != nil {
		return nil, err
	}
	encrypted(&p.Version)
	in, err := s.ingest(ctx, p.Body, p.Size, p.Version.Encryption, p.CustomerKey)
	if err != nil {
		return nil, err
	}
	o := &Object{Version: p.Version, body: in.Body()}
	o.Size, o.ETag = in.Size(), in.ETag()
	if err := s.stamp(b, &o.Version, p.Finish); err != nil {
		s.bodies.Discard(in)
		return nil, err
	}
	c := &putCommand{o: o, cond: p.If, once: p.Once, origin: s.origin(ctx, b)}
	c.inline, c.crc, c.seal = in.Behind()
	if err := s.keep(ctx, c, in); err != nil {
		return s.unlessMade(ctx, p, err)
	}
	return o, nil
}

var errMade = fault.New(fault.Busy, "OperationAborted", "The version was made before.")

// unlessMade returns the version that was made before, if that ended a put.
func (s *Store) unlessMade(ctx context.Context, p Put, err error) (*Object, error) {
	if !errors.Is(err, errMade) {
		return nil, err
	}
	o, lost := s.Made(ctx, p.Version.Bucket, p.Version.Key, p.Once)
	if o == nil && lost == nil {
		lost = err // it is gone again
	}
	return o, lost
}

// receiver returns the bucket that a put is for.
func (s *Store) receiver(p *Put) (*bucket.Bucket, error) {
	if p.Sent == nil {
		return s.bucket(p.Version.Bucket)
	}
	return s.Again(p.Sent)
}

// ingest reads a body, unless the disk is full.
func (s *Store) ingest(ctx context.Context, body io.Reader, size int64, e object.Encryption, customer []byte) (*bodies.Ingested, error) {
	if err := s.reserve.Admit(); err != nil {
		return nil, err
	}
	return s.bodies.Ingest(ctx, body, size, e, customer)
}

// precheck refuses a conditional put before its body is read; the condition is
// decided again, for good, when the command is applied.
func (s *Store) precheck(ctx context.Context, p Put) error {
	if p.If == (object.Condition{}) {
		return nil
	}
	cur, err := s.head(ctx, p.Version.Bucket, p.Version.Key, "")
	if err != nil || cur.Marker {
		cur = nil
	}
	return p.If.Check(cur.version())
}

// stamp finishes a new version, as Put.Finish does, and gives it its id, time and
// replication status, under the settings that its bucket has now: its body may
// have taken hours. sent is the bucket that it was sent to, which is another if
// it was made anew since.
func (s *Store) stamp(sent *bucket.Bucket, v *object.Version, finish func(*object.Version) error) error {
	if finish != nil {
		if err := finish(v); err != nil {
			return err
		}
	}
	b, err := s.Again(sent)
	if err != nil {
		return err
	}
	v.Modified = s.tick()
	v.ID = object.NullID
	if b.Versioning == bucket.Enabled {
		v.ID = newVersionID(v.Modified)
	}
	if r := b.DefaultRetention(); r.Mode != "" && v.Lock.Mode == "" && !v.Marker {
		v.Lock.Mode, v.Lock.Until = r.Mode, r.Until(v.Modified)
	}
	v.Status, v.Deliveries = object.None, nil
	if s.opt.Select != nil {
		v.Deliveries = s.opt.Select(b, v)
		v.Status = object.Sum(v.Deliveries)
	}
	return nil
}

func newVersionID(t time.Time) string {
	var r [12]byte
	_, _ = rand.Read(r[:]) // never fails, says its documentation
	return object.NewID(t, r)
}

// Copy stores a new version with the body of src, of which no byte is moved,
// unless it has to be encrypted first. p.Version is as for Put, p.Body is not
// used. Size, ETag, checksums and parts are those of src unless p.Finish
// changes them.
func (s *Store) Copy(ctx context.Context, src *Object, p Put) (*Object, error) {
	b, err := s.receiver(&p)
	if err != nil {
		return nil, err
	}
	if err := object.CheckKey(p.Version.Key); err != nil {
		return nil, err
	}
	encrypted(&p.Version)
	if src, err = s.whole(src); err != nil {
		return nil, err
	}
	if !src.body.Sealed() {
		return s.copyAnew(ctx, src, p)
	}
	var o *Object
	err = s.sharing(src, func(src *Object) error {
		body, err := s.bodies.Reseal(src.body, p.Version.Encryption, p.CustomerKey)
		if err != nil {
			return err
		}
		o = &Object{Version: p.Version, body: body}
		o.Size, o.ETag, o.Checksums, o.Parts = src.Size, src.ETag, src.Checksums, src.Parts
		if err := s.stamp(b, &o.Version, p.Finish); err != nil {
			return err
		}
		return s.do(ctx, &putCommand{o: o, cond: p.If, shared: true, once: p.Once, origin: s.origin(ctx, b)}, nil)
	})
	if err != nil {
		return s.unlessMade(ctx, p, err)
	}
	return o, nil
}

// sharing calls do with src, whole, to make something that shares its body, and
// calls it again with what src is now if compaction moved the body meanwhile.
func (s *Store) sharing(src *Object, do func(src *Object) error) error {
	src, err := s.whole(src)
	if err != nil {
		return err
	}
	err = do(src)
	for try := 0; errors.Is(err, errMoved) && try < 3; try++ {
		now, gone := s.again(src)
		if gone != nil {
			return gone
		}
		err = do(now)
	}
	return err
}

// again looks a version up that was looked up before. What was unlocked then is
// unlocked again.
func (s *Store) again(o *Object) (*Object, error) {
	now, err := find(s.db, o.Bucket, o.Key, o.ID)
	if err == nil && !now.Modified.Equal(o.Modified) {
		err = errReplaced(o.Key)
	}
	if err == nil {
		now.body.UnlockLike(o.body)
	}
	return now, err
}

// copyAnew is Copy of a body that is not encrypted.
func (s *Store) copyAnew(ctx context.Context, src *Object, p Put) (*Object, error) {
	r, err := s.Open(ctx, src, 0, -1)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	finish := p.Finish
	from := event.From(ctx)
	from.How = event.ByCopy
	ctx = event.With(ctx, from)
	p.Body, p.Size = r, src.Size
	p.Finish = func(v *object.Version) error {
		v.ETag, v.Checksums, v.Parts = src.ETag, src.Checksums, src.Parts
		if finish != nil {
			return finish(v)
		}
		return nil
	}
	return s.Put(ctx, p)
}
