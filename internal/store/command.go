package store

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/journal"
	"twinbucket/object"
)

// A command is one change of the store: a journal record. Numbers are on disk
// and never change meaning.
type command interface {
	number() byte
	encode(*writer)
	decode(field) error
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

// cmdKeyring was added later.
const cmdKeyring = 35

func newCommand(number byte) command {
	switch number {
	case cmdPut:
		return new(putCommand)
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
func (s *Store) keep(ctx context.Context, c command, in *ingested) error {
	p := &pendingCommand{command: c}
	var inline []byte
	if in.extent.file == 0 {
		inline = in.inline
	}
	r := record(p, inline)
	err := s.append(ctx, false, r)
	if err == nil {
		err = p.err
	}
	if err != nil && !r.InDoubt {
		s.discard(in)
	}
	in.release()
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
	var w writer
	p.encode(&w)
	head := make([]byte, 0, len(w.b)+binary.MaxVarintLen32+1)
	head = append(head, p.number())
	head = binary.AppendUvarint(head, uint64(len(w.b)))
	return &journal.Record{Head: append(head, w.b...), Body: body, Owner: p}
}

// parseCommand reads a record back; body is the offset of its body.
func parseCommand(record []byte) (c command, body int, err error) {
	if len(record) == 0 {
		return nil, 0, errEncoding
	}
	n, w := binary.Uvarint(record[1:])
	if w <= 0 || n > uint64(len(record)-1-w) {
		return nil, 0, errEncoding
	}
	if c = newCommand(record[0]); c == nil {
		return nil, 0, &fault.Error{Op: "store.replay", Kind: fault.Unsupported, Message: "a record of a kind that this version does not know", Hint: "the data was written by a newer twinbucket; use that version or a later one"}
	}
	body = 1 + w + int(n)
	return c, body, fields(record[1+w:body], c.decode)
}

// Condition is what a caller requires of the current version of a key. ETags
// are given without quotes; "*" is any.
type Condition struct{ Match, NoneMatch string }

// check reports whether the condition holds for the current version; cur is
// nil if there is none or it is a delete marker.
func (c Condition) check(cur *Object) error {
	if c.Match != "" {
		if cur == nil {
			return fault.New(fault.NotFound, "NoSuchKey", "The specified key does not exist.")
		}
		if c.Match != "*" && c.Match != cur.ETag {
			return preconditionFailed()
		}
	}
	if c.NoneMatch != "" && cur != nil && (c.NoneMatch == "*" || c.NoneMatch == cur.ETag) {
		return preconditionFailed()
	}
	return nil
}

// checkDeletion is check for a delete of the version o, which is nil if there
// is none: a delete marker is there, but is no object that could match.
func (c Condition) checkDeletion(o *Object, id string) error {
	switch {
	case c.Match == "":
		return nil
	case o == nil && id != "" && id != object.NullID:
		return noSuchVersion(id)
	case o != nil && o.Marker:
		return preconditionFailed()
	}
	return c.check(o)
}

func preconditionFailed() error {
	return fault.New(fault.Precondition, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
}

// Fields of commands beside those of a version; from 100 on.
const (
	fVersion protowire.Number = iota + 100
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
	fLikeSource protowire.Number = 150
	fFewUploads protowire.Number = 151
)

// Fields of commands about ACLs and Object Lock; from 130 on.
const (
	fNow       protowire.Number = 130 // when it was asked for: what a lock is decided by
	fBypass    protowire.Number = 131
	fRetention protowire.Number = 132
	fHold      protowire.Number = 133
	fRelist    protowire.Number = 134
	fSetACL    protowire.Number = 135
)

// putCommand stores a version or delete marker; with upload set it completes
// that multipart upload.
type putCommand struct {
	o      *Object
	cond   Condition
	inline int64 // stored length of the body that stands behind the command; 0: none
	crc    uint32
	seal   *seal // of that body; nil: it stands there as it was sent
	shared bool  // the body is another version's or an upload's
	upload string
	parts  []Chosen
	sight  *sight // nil: no condition
}

func (c *putCommand) number() byte { return cmdPut }

func (c *putCommand) encode(w *writer) {
	w.msg(fVersion, func(w *writer) { w.object(c.o) })
	w.str(fMatch, c.cond.Match)
	w.str(fNoneMatch, c.cond.NoneMatch)
	w.uint(fInline, uint64(c.inline))
	w.uint(fInlineCRC, uint64(c.crc))
	w.seal(fInlineSeal, c.seal)
	w.bool(fShared, c.shared)
	w.str(fUploadID, c.upload)
	for _, p := range c.parts {
		w.msg(fChosen, func(w *writer) { w.uint(1, uint64(p.Number)); w.str(2, p.ETag) })
	}
	w.sight(c.sight)
}

func (c *putCommand) decode(f field) (err error) {
	switch f.n {
	case fVersion:
		c.o, err = readObject(f.b)
	case fMatch:
		c.cond.Match = f.str()
	case fNoneMatch:
		c.cond.NoneMatch = f.str()
	case fInline:
		c.inline = int64(f.u)
	case fInlineCRC:
		c.crc = uint32(f.u)
	case fInlineSeal:
		c.seal, err = readSeal(f.b)
	case fShared:
		c.shared = f.u == 1
	case fUploadID:
		c.upload = f.str()
	case fChosen:
		var p Chosen
		err = fields(f.b, func(f field) error {
			switch f.n {
			case 1:
				p.Number = int(f.u)
			case 2:
				p.ETag = f.str()
			}
			return nil
		})
		c.parts = append(c.parts, p)
	case fSight:
		c.sight, err = readSight(f.b)
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
}

func (c *deleteCommand) number() byte { return cmdDelete }

func (c *deleteCommand) encode(w *writer) {
	w.str(fBucket, c.bucket)
	w.str(fKey, c.key)
	w.str(fID, c.id)
	w.time(fNow, c.now)
	w.bool(fBypass, c.bypass)
	w.str(fMatch, c.match)
	w.sight(c.sight)
}

func (c *deleteCommand) decode(f field) (err error) {
	switch f.n {
	case fSight:
		c.sight, err = readSight(f.b)
	case fNow:
		c.now = f.time()
	case fBypass:
		c.bypass = f.u == 1
	case fMatch:
		c.match = f.str()
	case fBucket:
		c.bucket = f.str()
	case fKey:
		c.key = f.str()
	case fID:
		c.id = f.str()
	}
	return err
}

// bucketCommand makes or changes a bucket; revision 0 makes one.
type bucketCommand struct {
	b        *bucket.Bucket
	revision uint64
}

func (c *bucketCommand) number() byte { return cmdBucket }

func (c *bucketCommand) encode(w *writer) {
	// A bucket is strings, times and bytes: it always marshals.
	data, _ := json.Marshal(c.b)
	w.bytes(fBucketJSON, data)
	w.uint(fRevision, c.revision)
}

func (c *bucketCommand) decode(f field) error {
	switch f.n {
	case fBucketJSON:
		c.b = new(bucket.Bucket)
		return json.Unmarshal(f.b, c.b)
	case fRevision:
		c.revision = f.u
	}
	return nil
}

// deleteBucketCommand removes an empty bucket.
type deleteBucketCommand struct {
	name string
	few  bool // only if there are few uploads left; old records remove any number
}

func (c *deleteBucketCommand) number() byte { return cmdDeleteBucket }

func (c *deleteBucketCommand) encode(w *writer) {
	w.str(fName, c.name)
	w.bool(fFewUploads, c.few)
}

func (c *deleteBucketCommand) decode(f field) error {
	switch f.n {
	case fName:
		c.name = f.str()
	case fFewUploads:
		c.few = f.u == 1
	}
	return nil
}
