package store

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"twinbucket/fault"
	"twinbucket/internal/bodies"
	"twinbucket/internal/fields"
	"twinbucket/internal/journal"
	"twinbucket/internal/layout"
	"twinbucket/internal/scan"
	"twinbucket/object"
)

const (
	// MaxParts is how many parts an upload may have.
	MaxParts = 10000
	// minPart is the least size of a part that is not the last, in bytes.
	minPart = 5 << 20
)

// Upload is a multipart upload that is not complete.
type Upload struct {
	ID        string
	Started   time.Time
	Initiator string // ARN of who began it; "" if that was not kept
	object.Version
}

// Chosen names a part in the list that completes an upload.
type Chosen struct {
	Number int
	ETag   string // without quotes
}

func noSuchUpload(id string) error {
	return fault.New(fault.NotFound, "NoSuchUpload", "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.").On(id)
}

func invalidPart() error {
	return fault.New(fault.Invalid, "InvalidPart", "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.")
}

// uploadCommand begins a multipart upload.
type uploadCommand struct {
	id        string
	started   time.Time
	initiator string
	o         *Object
}

func (c *uploadCommand) number() byte { return cmdUpload }

func (c *uploadCommand) encode(w *fields.Writer) {
	w.Text(fUploadID, c.id)
	w.Time(fTime, c.started)
	w.Text(fInitiator, c.initiator)
	w.Message(fVersion, c.o.encode)
}

func (c *uploadCommand) decode(f fields.Field) (err error) {
	switch f.Number {
	case fUploadID:
		c.id = f.Text()
	case fTime:
		c.started = f.Time()
	case fInitiator:
		c.initiator = f.Text()
	case fVersion:
		c.o, err = readObject(f.Bytes)
	}
	return err
}

func (c *uploadCommand) apply(a *applier, _, _ journal.Position) error {
	if a.bucket(c.o.Bucket) == nil {
		return noSuchBucket(c.o.Bucket)
	}
	var w fields.Writer
	c.encode(&w)
	a.set(layout.Upload(c.o.Bucket, c.o.Key, c.id), w.Encoded())
	return a.broken
}

func (c *uploadCommand) upload() *Upload {
	return &Upload{ID: c.id, Started: c.started, Initiator: c.initiator, Version: c.o.Version}
}

// partCommand stores a part of an upload.
type partCommand struct {
	bucket, key, id string
	part            object.Part
	body            bodies.Body
	inline          int64
	crc             uint32
	seal            *bodies.Seal // of the inline body
	shared          bool         // body is another version's
}

func (c *partCommand) number() byte { return cmdPutPart }

func (c *partCommand) encode(w *fields.Writer) {
	w.Text(fields.Bucket, c.bucket)
	w.Text(fields.Key, c.key)
	w.Text(fUploadID, c.id)
	w.Part(fPartMsg, c.part)
	for _, e := range c.body {
		e.Encode(w, fExtent)
	}
	w.Uint(fInline, uint64(c.inline))
	w.Uint(fInlineCRC, uint64(c.crc))
	c.seal.Encode(w, fInlineSeal)
	w.Bool(fShared, c.shared)
}

func (c *partCommand) decode(f fields.Field) (err error) {
	switch f.Number {
	case fields.Bucket:
		c.bucket = f.Text()
	case fields.Key:
		c.key = f.Text()
	case fUploadID:
		c.id = f.Text()
	case fPartMsg:
		c.part, err = fields.ReadPart(f.Bytes)
	case fExtent:
		var e bodies.Extent
		e, err = bodies.ReadExtent(f.Bytes)
		c.body = append(c.body, e)
	case fInline:
		c.inline = int64(f.Uint)
	case fInlineCRC:
		c.crc = uint32(f.Uint)
	case fInlineSeal:
		c.seal, err = bodies.ReadSeal(f.Bytes)
	case fShared:
		c.shared = f.Bool()
	}
	return err
}

func (c *partCommand) apply(a *applier, _, body journal.Position) error {
	if !a.has(layout.Upload(c.bucket, c.key, c.id)) {
		return noSuchUpload(c.id)
	}
	row := layout.Part(c.id, c.part.Number)
	if c.shared {
		var err error
		if c.body, err = a.adopt(row, c.body); err != nil {
			return err
		}
	}
	if old := a.part(row); old != nil {
		a.countAll(old.body, -1)
	}
	if c.inline > 0 {
		c.body = append(c.body, bodies.Inline(body, c.inline, c.crc, c.seal))
		c.inline, c.seal, c.shared = 0, nil, false
	}
	a.countAll(c.body, 1)
	var w fields.Writer
	c.encode(&w)
	a.set(row, w.Encoded())
	return a.broken
}

func (a *applier) countAll(body bodies.Body, by int) {
	for _, e := range body {
		a.count(e.File, by)
		if e.File == 0 && by < 0 {
			a.released += e.Whole
		}
	}
}

// part reads a part's row; nil if there is none.
func (a *applier) part(row []byte) *partCommand {
	v, closer, err := a.b.Get(row)
	if err != nil {
		if !errors.Is(err, pebble.ErrNotFound) {
			_ = a.fail(err)
		}
		return nil
	}
	c := new(partCommand)
	_ = a.fail(errors.Join(fields.Each(v, c.decode), closer.Close()))
	return c
}

// abortCommand forgets an upload.
type abortCommand struct{ bucket, key, id string }

func (c *abortCommand) number() byte { return cmdAbort }

func (c *abortCommand) encode(w *fields.Writer) {
	w.Text(fields.Bucket, c.bucket)
	w.Text(fields.Key, c.key)
	w.Text(fUploadID, c.id)
}

func (c *abortCommand) decode(f fields.Field) error {
	switch f.Number {
	case fields.Bucket:
		c.bucket = f.Text()
	case fields.Key:
		c.key = f.Text()
	case fUploadID:
		c.id = f.Text()
	}
	return nil
}

func (c *abortCommand) apply(a *applier, _, _ journal.Position) error {
	if !a.has(layout.Upload(c.bucket, c.key, c.id)) {
		return noSuchUpload(c.id)
	}
	a.removeUpload(&Upload{ID: c.id, Version: object.Version{Bucket: c.bucket, Key: c.key}})
	return a.broken
}

func (a *applier) removeUpload(u *Upload) {
	a.del(layout.Upload(u.Bucket, u.Key, u.ID))
	parts, err := readParts(a.b, u.ID, 0, MaxParts)
	_ = a.fail(err)
	for _, p := range parts {
		a.countAll(p.body, -1)
		a.del(layout.Part(u.ID, p.part.Number))
	}
}

// complete makes the chosen parts, as they are now, the body of the put: one
// that was sent again meanwhile has the same bytes in another place.
func (a *applier) complete(c *putCommand) error {
	if !a.has(layout.Upload(c.o.Bucket, c.o.Key, c.upload)) {
		return noSuchUpload(c.upload)
	}
	c.o.body, c.o.upload = nil, c.upload
	for _, p := range c.parts {
		have := a.part(layout.Part(c.upload, p.Number))
		if have == nil || have.part.ETag != p.ETag {
			return invalidPart()
		}
		c.o.body = append(c.o.body, have.body...)
	}
	return nil
}

// CreateUpload begins a multipart upload of a version: what is given is what
// Put is given, and the ARN of who begins it.
func (s *Store) CreateUpload(ctx context.Context, v object.Version, initiator string) (string, error) {
	if _, err := s.bucket(v.Bucket); err != nil {
		return "", err
	}
	if err := object.CheckKey(v.Key); err != nil {
		return "", err
	}
	encrypted(&v)
	now := s.tick()
	c := &uploadCommand{id: newVersionID(now), started: now, initiator: initiator, o: &Object{Version: v}}
	return c.id, s.do(ctx, c, nil)
}

// PartPut is a part to be stored in an upload.
type PartPut struct {
	Bucket, Key, Upload string
	Number              int
	Body                io.Reader // nil is empty
	Size                int64     // of Body, in bytes; -1 if unknown
	// CustomerKey is the key that encrypts the part, 32 bytes, if the upload was
	// begun with a customer's key.
	CustomerKey []byte
	// Through, if not nil, wraps the bytes that CopyPart reads.
	Through func(io.Reader) io.Reader
	// Finish, if not nil, is called with the part's size and ETag before it is
	// stored, and may set its checksums; an error from it ends the put.
	Finish func(*object.Part) error
}

// PutPart stores a part; one of the same number is replaced. It is StorePart
// for an upload without a customer's key.
func (s *Store) PutPart(ctx context.Context, bucket, key, id string, number int, body io.Reader, size int64, finish func(*object.Part) error) (*object.Part, error) {
	return s.StorePart(ctx, PartPut{Bucket: bucket, Key: key, Upload: id, Number: number, Body: body, Size: size, Finish: finish})
}

// StorePart stores a part; one of the same number is replaced.
func (s *Store) StorePart(ctx context.Context, p PartPut) (*object.Part, error) {
	u, err := s.upload(ctx, p.Bucket, p.Key, p.Upload)
	if err != nil {
		return nil, err
	}
	if p.Number < 1 || p.Number > MaxParts {
		return nil, fault.New(fault.Invalid, "InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive")
	}
	in, err := s.ingest(ctx, p.Body, p.Size, u.Encryption, p.CustomerKey)
	if err != nil {
		return nil, err
	}
	c := &partCommand{
		bucket: p.Bucket, key: p.Key, id: p.Upload, body: in.Body(),
		part: object.Part{Number: p.Number, Size: in.Size(), ETag: in.ETag(), Modified: s.opt.Now().UTC()},
	}
	if p.Finish != nil {
		if err := p.Finish(&c.part); err != nil {
			s.bodies.Discard(in)
			return nil, err
		}
	}
	part := c.part
	c.inline, c.crc, c.seal = in.Behind()
	if err := s.keep(ctx, c, in); err != nil {
		return nil, err
	}
	return &part, nil
}

// CopyPart stores n bytes of src from off on as a part; n -1 is all that
// follow. Of p the Body and Size are not used. The bytes are read once for the
// part's ETag; they are written only if src is not encrypted.
func (s *Store) CopyPart(ctx context.Context, p PartPut, src *Object, off, n int64) (*object.Part, error) {
	u, err := s.upload(ctx, p.Bucket, p.Key, p.Upload)
	if err != nil {
		return nil, err
	}
	src, err = s.whole(src)
	if err != nil {
		return nil, err
	}
	if n < 0 {
		n = src.Size - off
	}
	stored, err := s.Open(ctx, src, off, n)
	if err != nil {
		return nil, err
	}
	defer stored.Close()
	r := io.Reader(stored)
	if p.Through != nil {
		r = p.Through(r)
	}
	if !src.body.Cut(off, n).Sealed() {
		p.Body, p.Size = r, n
		return s.StorePart(ctx, p)
	}
	h := md5.New()
	if _, err := io.Copy(h, r); err != nil {
		return nil, fault.Wrap("store.copypart", src.Key, err)
	}
	part := object.Part{Number: p.Number, Size: n, ETag: hex.EncodeToString(h.Sum(nil)), Modified: s.opt.Now().UTC()}
	if p.Finish != nil {
		if err := p.Finish(&part); err != nil {
			return nil, err
		}
	}
	err = s.sharing(src, func(src *Object) error {
		body, err := s.bodies.Reseal(src.body.Cut(off, n), u.Encryption, p.CustomerKey)
		if err != nil {
			return err
		}
		return s.do(ctx, &partCommand{bucket: p.Bucket, key: p.Key, id: p.Upload, part: part, body: body, shared: true}, nil)
	})
	return &part, err
}

// upload looks an upload up.
func (s *Store) upload(ctx context.Context, bucket, key, id string) (*Upload, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if _, err := s.bucket(bucket); err != nil {
		return nil, err
	}
	v, closer, err := s.db.Get(layout.Upload(bucket, key, id))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, noSuchUpload(id)
	}
	if err != nil {
		return nil, fault.Wrap("store.upload", id, err)
	}
	c := new(uploadCommand)
	if err := errors.Join(fields.Each(v, c.decode), closer.Close()); err != nil {
		return nil, err
	}
	return c.upload(), nil
}

// Parts returns the parts of an upload with numbers above after, at most max
// of them, and whether there are more.
func (s *Store) Parts(ctx context.Context, bucket, key, id string, after, max int) (*Upload, []object.Part, bool, error) {
	u, err := s.upload(ctx, bucket, key, id)
	if err != nil {
		return nil, nil, false, err
	}
	have, err := readParts(s.db, id, after, max+1)
	if err != nil {
		return nil, nil, false, err
	}
	parts := make([]object.Part, 0, len(have))
	for _, p := range have {
		parts = append(parts, p.part)
	}
	if len(parts) > max {
		return u, parts[:max], true, nil
	}
	return u, parts, false, nil
}

func readParts(r pebble.Reader, id string, above, max int) ([]*partCommand, error) {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: layout.Part(id, above+1), UpperBound: layout.Part(id, MaxParts+1)})
	if err != nil {
		return nil, fault.Wrap("store.parts", id, err)
	}
	var parts []*partCommand
	for ok := it.First(); ok && err == nil && len(parts) < max; ok = it.Next() {
		c := new(partCommand)
		err = fields.Each(it.Value(), c.decode)
		parts = append(parts, c)
	}
	return parts, fault.Wrap("store.parts", id, errors.Join(err, it.Error(), it.Close()))
}

// Uploads returns the uploads of a bucket whose keys begin with prefix, in
// order of key and id, behind (afterKey, afterID), and whether there are more.
func (s *Store) Uploads(ctx context.Context, bucket, prefix, afterKey, afterID string, max int) ([]*Upload, bool, error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	if _, err := s.bucket(bucket); err != nil {
		return nil, false, err
	}
	return readUploads(s.db, bucket, prefix, afterKey, afterID, max)
}

func readUploads(r pebble.Reader, bucket, prefix, afterKey, afterID string, max int) ([]*Upload, bool, error) {
	lower := layout.Prefix(layout.KindUpload, bucket, prefix)
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: layout.After(lower)})
	if err != nil {
		return nil, false, fault.Wrap("store.uploads", bucket, err)
	}
	ok := false
	switch {
	case afterKey == "":
		ok = it.First()
	case afterID == "":
		ok = it.SeekGE(layout.After(layout.Key(nil, layout.KindUpload, bucket, afterKey)))
	default:
		ok = it.SeekGE(append(layout.Upload(bucket, afterKey, afterID), 0))
	}
	var ups []*Upload
	for ; ok && err == nil && len(ups) <= max; ok = it.Next() {
		c := new(uploadCommand)
		err = fields.Each(it.Value(), c.decode)
		ups = append(ups, c.upload())
	}
	if err := errors.Join(err, it.Error(), it.Close()); err != nil {
		return nil, false, fault.Wrap("store.uploads", bucket, err)
	}
	if len(ups) > max {
		return ups[:max], true, nil
	}
	return ups, false, nil
}

// CompleteUpload makes the chosen parts, in their order, the body of a new
// version. finish is as Put's; the version has its Parts and ETag by then.
func (s *Store) CompleteUpload(ctx context.Context, bucket, key, id string, chosen []Chosen, finish func(*object.Version) error, cond object.Condition) (*Object, error) {
	u, err := s.upload(ctx, bucket, key, id)
	if err != nil {
		return nil, err
	}
	b, err := s.bucket(bucket)
	if err != nil {
		return nil, err
	}
	o, err := s.assemble(u, chosen)
	if err != nil {
		return nil, err
	}
	if err := s.stamp(b, &o.Version, finish); err != nil {
		return nil, err
	}
	c := &putCommand{o: o, cond: cond, upload: id, parts: chosen, origin: s.origin(ctx, b)}
	if err := s.do(ctx, c, nil); err != nil {
		return nil, err
	}
	return o, nil
}

// Completed returns the version that an upload became when it was completed
// with the chosen parts, as long as that version is there: who did not hear the
// answer asks again. fault.NotFound NoSuchUpload if there is none.
func (s *Store) Completed(ctx context.Context, bucket, key, id string, chosen []Chosen) (*Object, error) {
	o, err := s.Made(ctx, bucket, key, id)
	if err != nil {
		return nil, err
	}
	if o == nil || !slices.EqualFunc(o.Parts, chosen, func(p object.Part, c Chosen) bool {
		return p.Number == c.Number && p.ETag == c.ETag
	}) {
		return nil, noSuchUpload(id)
	}
	return o, nil
}

// Made returns the version that a put with Once made, or an upload with that id,
// as long as it is there; nil if there is none.
func (s *Store) Made(ctx context.Context, bucket, key, once string) (*Object, error) {
	if err := s.lookAt(ctx, bucket); err != nil {
		return nil, err
	}
	version, there, err := scan.Value(s.db, layout.Done(bucket, key, once))
	if err != nil || !there {
		return nil, fault.Wrap("store.made", once, err)
	}
	o, err := find(s.db, bucket, key, string(version))
	if errors.Is(err, fault.NotFound) || err == nil && o.upload != once {
		return nil, nil
	}
	return o, err
}

// assemble puts the chosen parts of an upload together.
func (s *Store) assemble(u *Upload, chosen []Chosen) (*Object, error) {
	if len(chosen) == 0 {
		return nil, fault.New(fault.Invalid, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
	}
	for i := range chosen[1:] {
		if chosen[i+1].Number <= chosen[i].Number {
			return nil, fault.New(fault.Invalid, "InvalidPartOrder", "The list of parts was not in ascending order. Parts must be ordered by part number.")
		}
	}
	have, err := readParts(s.db, u.ID, 0, MaxParts)
	if err != nil {
		return nil, err
	}
	byNumber := make(map[int]*partCommand, len(have))
	for _, p := range have {
		byNumber[p.part.Number] = p
	}
	o := &Object{Version: u.Version}
	sum := md5.New()
	for i, c := range chosen {
		p := byNumber[c.Number]
		if p == nil || p.part.ETag != c.ETag {
			return nil, invalidPart()
		}
		if i < len(chosen)-1 && p.part.Size < minPart {
			return nil, fault.New(fault.Invalid, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size").
				WithHint("part %d has %d bytes; every part but the last needs at least 5 MiB", c.Number, p.part.Size)
		}
		digest, err := hex.DecodeString(p.part.ETag)
		if err != nil {
			return nil, fields.ErrEncoding
		}
		sum.Write(digest)
		o.Size += p.part.Size
		part := p.part
		part.Modified = time.Time{}
		o.Parts = append(o.Parts, part)
		o.body = append(o.body, p.body...)
	}
	o.ETag = fmt.Sprintf("%s-%s", hex.EncodeToString(sum.Sum(nil)), strconv.Itoa(len(chosen)))
	return o, nil
}

// AbortUpload forgets an upload and its parts.
func (s *Store) AbortUpload(ctx context.Context, bucket, key, id string) error {
	if _, err := s.bucket(bucket); err != nil {
		return err
	}
	return s.do(ctx, &abortCommand{bucket: bucket, key: key, id: id}, nil)
}
