package store

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"slices"
	"time"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/bodies"
	"twinbucket/internal/event"
	"twinbucket/internal/fields"
	"twinbucket/internal/journal"
	"twinbucket/object"
)

// A command is one change of the store: a journal record. Numbers are on disk
// and never change meaning.
type command interface {
	number() byte
	encode(*fields.Writer)
	decode(fields.Field) error
	// apply checks and then makes the change in the index. body is where the
	// record's body begins. An error of the applier itself is sticky there;
	// what is returned is for the caller and leaves the index as it was.
	apply(a *applier, at, body journal.Position) error
}

const (
	cmdPut = iota + 1
	cmdDelete
	cmdPatch
	cmdDeliver
	cmdBucket
	cmdDeleteBucket
	cmdRecord
	cmdUpload
	cmdPutPart
	cmdAbort
)

// Of compaction.
const (
	cmdStage = 20
	cmdMove  = 21
)

// These were added later.
const (
	cmdKeyring = 35
	cmdRecords = 40
	cmdTold    = 50
	cmdMissed  = 51
	cmdRetry   = 45
)

func newCommand(number byte) command {
	switch number {
	case cmdPut:
		return &putCommand{late: true}
	case cmdDelete:
		return new(deleteCommand)
	case cmdPatch:
		return new(patchCommand)
	case cmdDeliver:
		return new(deliverCommand)
	case cmdBucket:
		return new(bucketCommand)
	case cmdDeleteBucket:
		return new(deleteBucketCommand)
	case cmdRecord:
		return new(recordCommand)
	case cmdUpload:
		return new(uploadCommand)
	case cmdPutPart:
		return new(partCommand)
	case cmdAbort:
		return new(abortCommand)
	case cmdStage:
		return new(stageCommand)
	case cmdMove:
		return new(moveCommand)
	case cmdKeyring:
		return new(keyringCommand)
	case cmdRecords:
		return new(recordsCommand)
	case cmdTold:
		return new(toldCommand)
	case cmdMissed:
		return new(missedCommand)
	case cmdRetry:
		return new(retryCommand)
	}
	return nil
}

// pendingCommand is a command on its way through the journal.
type pendingCommand struct {
	command
	err error
}

// do journals and applies one command; body is its inline body.
func (s *Store) do(ctx context.Context, c command, body []byte) error {
	p := &pendingCommand{command: c}
	if err := s.append(ctx, frees(c), record(p, body)); err != nil {
		return err
	}
	return p.err
}

// keep journals and applies a command whose body was read, and lets go of it.
// If there is a file of it and the command failed for good, the file goes too;
// if the journal may hold the command all the same, the next start decides.
func (s *Store) keep(ctx context.Context, c command, in *bodies.Ingested) error {
	p := &pendingCommand{command: c}
	r := record(p, in.Inline())
	err := s.append(ctx, false, r)
	if err == nil {
		err = p.err
	}
	if err != nil && !r.InDoubt {
		s.bodies.Discard(in)
	}
	in.Release()
	return err
}

// together is how many bytes of commands are journaled at a time.
const together = 4 << 20

// doAll journals and applies commands, as many in one frame as go together. It
// returns one error for each, and one if they could not all be journaled.
func (s *Store) doAll(ctx context.Context, cs []command) ([]error, error) {
	pending := make([]pendingCommand, len(cs))
	records := make([]*journal.Record, 0, len(cs))
	size := 0
	free := !slices.ContainsFunc(cs, func(c command) bool { return !frees(c) })
	for i, c := range cs {
		pending[i].command = c
		r := record(&pending[i], nil)
		records = append(records, r)
		if size += len(r.Head); size < together && i < len(cs)-1 {
			continue
		}
		if err := s.append(ctx, free, records...); err != nil {
			return nil, err
		}
		records, size = records[:0], 0
	}
	errs := make([]error, len(cs))
	for i := range pending {
		errs[i] = pending[i].err
	}
	return errs, nil
}

func record(p *pendingCommand, body []byte) *journal.Record {
	w := fields.Sized(rowSize)
	p.encode(&w)
	head := make([]byte, 0, len(w.Encoded())+binary.MaxVarintLen32+1)
	head = append(head, p.number())
	head = binary.AppendUvarint(head, uint64(len(w.Encoded())))
	return &journal.Record{Head: append(head, w.Encoded()...), Body: body, Owner: p}
}

// parseCommand reads a record back; body is the offset of its body.
func parseCommand(record []byte) (c command, body int, err error) {
	if len(record) == 0 {
		return nil, 0, fields.ErrEncoding
	}
	n, w := binary.Uvarint(record[1:])
	if w <= 0 || n > uint64(len(record)-1-w) {
		return nil, 0, fields.ErrEncoding
	}
	if c = newCommand(record[0]); c == nil {
		return nil, 0, &fault.Error{Op: "store.replay", Kind: fault.Unsupported, Message: "a record of a kind that this version does not know", Hint: "the data was written by a newer twinbucket; use that version or a later one"}
	}
	body = 1 + w + int(n)
	return c, body, fields.Each(record[1+w:body], c.decode)
}

// Fields of commands beside those of a version; from 100 on.
const (
	fVersion fields.Number = iota + 100
	fMatch
	fNoneMatch
	fInline
	fInlineCRC
	fUploadID
	fChosen
	fTime
	fSetTags
	fSetLock
	fBucketJSON
	fName
	fRevision
	fKind
	fValue
	fRemove
	fPartMsg
	fDestination
	fSeen
	fReplica
	fShared
)

// Fields of commands that were added later.
const (
	fInlineSeal fields.Number = 140
	fLikeSource fields.Number = 150
	fFewUploads fields.Number = 151
	fKeepsLock  fields.Number = 152
	fInOrder    fields.Number = 153
	fInitiator  fields.Number = 152 // who began an upload
	fChange     fields.Number = 154 // of a record, among others
	fInto       fields.Number = 155 // when the destination was made
	fIntoOwner  fields.Number = 156
	fSeal       fields.Number = 157 // of a replica's body
	fOnce       fields.Number = 166 // what a version is made for
	fResend     fields.Number = 165 // a delivery that is to carry a change
)

// Fields of commands about ACLs and Object Lock; from 130 on.
const (
	fNow       fields.Number = 130 // when it was asked for: what a lock is decided by
	fBypass    fields.Number = 131
	fRetention fields.Number = 132
	fHold      fields.Number = 133
	fRelist    fields.Number = 134
	fSetACL    fields.Number = 135
)

// putCommand stores a version or delete marker; with upload set it completes
// that multipart upload.
type putCommand struct {
	o      *Object
	cond   object.Condition
	late   bool  // the condition may hold for what does not become the current version: in old records
	inline int64 // stored length of the body that stands behind the command; 0: none
	crc    uint32
	seal   *bodies.Seal // of that body; nil: it stands there as it was sent
	shared bool         // the body is another version's or an upload's
	upload string
	parts  []Chosen
	once   string        // what it is made for, and not more than once; "": nothing
	sight  *sight        // nil: no condition
	origin *event.Origin // nil: nobody is to be told
}

func (c *putCommand) number() byte { return cmdPut }

func (c *putCommand) encode(w *fields.Writer) {
	w.Message(fVersion, c.o.encode)
	w.Text(fMatch, c.cond.Match)
	w.Text(fNoneMatch, c.cond.NoneMatch)
	w.Bool(fInOrder, c.cond != object.Condition{} && !c.late)
	w.Uint(fInline, uint64(c.inline))
	w.Uint(fInlineCRC, uint64(c.crc))
	c.seal.Encode(w, fInlineSeal)
	w.Bool(fShared, c.shared)
	w.Text(fUploadID, c.upload)
	w.Text(fOnce, c.once)
	for _, p := range c.parts {
		w.Message(fChosen, func(w *fields.Writer) { w.Uint(1, uint64(p.Number)); w.Text(2, p.ETag) })
	}
	c.sight.encode(w)
	c.origin.Encode(w, fOrigin)
}

func (c *putCommand) decode(f fields.Field) (err error) {
	switch f.Number {
	case fVersion:
		c.o, err = readObject(f.Bytes)
	case fMatch:
		c.cond.Match = f.Text()
	case fNoneMatch:
		c.cond.NoneMatch = f.Text()
	case fInOrder:
		c.late = !f.Bool()
	case fInline:
		c.inline = int64(f.Uint)
	case fInlineCRC:
		c.crc = uint32(f.Uint)
	case fInlineSeal:
		c.seal, err = bodies.ReadSeal(f.Bytes)
	case fShared:
		c.shared = f.Bool()
	case fUploadID:
		c.upload = f.Text()
	case fOnce:
		c.once = f.Text()
	case fChosen:
		var p Chosen
		err = fields.Each(f.Bytes, func(f fields.Field) error {
			switch f.Number {
			case 1:
				p.Number = int(f.Uint)
			case 2:
				p.ETag = f.Text()
			}
			return nil
		})
		c.parts = append(c.parts, p)
	case fSight:
		c.sight, err = readSight(f.Bytes)
	case fOrigin:
		c.origin, err = event.ReadOrigin(f.Bytes)
	}
	return err
}

// deleteCommand removes one version for good.
type deleteCommand struct {
	bucket, key, id string
	now             time.Time // zero in old records, whose locks were looked at before
	bypass          bool      // of governance
	match           string    // the ETag that the version has to have; "": any
	sight           *sight    // nil: no condition
	found           *Object   // what was removed; nil: there was nothing
	origin          *event.Origin
}

func (c *deleteCommand) number() byte { return cmdDelete }

func (c *deleteCommand) encode(w *fields.Writer) {
	w.Text(fields.Bucket, c.bucket)
	w.Text(fields.Key, c.key)
	w.Text(fields.ID, c.id)
	w.Time(fNow, c.now)
	w.Bool(fBypass, c.bypass)
	w.Text(fMatch, c.match)
	c.sight.encode(w)
	c.origin.Encode(w, fOrigin)
}

func (c *deleteCommand) decode(f fields.Field) (err error) {
	switch f.Number {
	case fSight:
		c.sight, err = readSight(f.Bytes)
	case fOrigin:
		c.origin, err = event.ReadOrigin(f.Bytes)
	case fNow:
		c.now = f.Time()
	case fBypass:
		c.bypass = f.Bool()
	case fMatch:
		c.match = f.Text()
	case fields.Bucket:
		c.bucket = f.Text()
	case fields.Key:
		c.key = f.Text()
	case fields.ID:
		c.id = f.Text()
	}
	return err
}

// bucketCommand makes or changes a bucket; revision 0 makes one.
type bucketCommand struct {
	b        *bucket.Bucket
	revision uint64
}

func (c *bucketCommand) number() byte { return cmdBucket }

func (c *bucketCommand) encode(w *fields.Writer) {
	// A bucket is strings, times and bytes: it always marshals.
	data, _ := json.Marshal(c.b)
	w.Bytes(fBucketJSON, data)
	w.Uint(fRevision, c.revision)
}

func (c *bucketCommand) decode(f fields.Field) error {
	switch f.Number {
	case fBucketJSON:
		c.b = new(bucket.Bucket)
		return json.Unmarshal(f.Bytes, c.b)
	case fRevision:
		c.revision = f.Uint
	}
	return nil
}

// deleteBucketCommand removes an empty bucket.
type deleteBucketCommand struct {
	name string
	few  bool // only if there are few uploads left; old records remove any number
}

func (c *deleteBucketCommand) number() byte { return cmdDeleteBucket }

func (c *deleteBucketCommand) encode(w *fields.Writer) {
	w.Text(fName, c.name)
	w.Bool(fFewUploads, c.few)
}

func (c *deleteBucketCommand) decode(f fields.Field) error {
	switch f.Number {
	case fName:
		c.name = f.Text()
	case fFewUploads:
		c.few = f.Bool()
	}
	return nil
}
