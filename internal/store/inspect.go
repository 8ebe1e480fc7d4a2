package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"

	"github.com/cockroachdb/pebble/v2"

	"twinbucket/fault"
	"twinbucket/internal/bodies"
	"twinbucket/internal/fields"
	"twinbucket/internal/journal"
	"twinbucket/internal/layout"
	"twinbucket/internal/ledger"
	"twinbucket/internal/scan"
	"twinbucket/internal/span"
	"twinbucket/object"
)

// Problem is something on the disk that is not as it should be.
type Problem struct {
	What  string `json:"what"`
	Where string `json:"where"` // a file, or a place in one
	// The version that it hits, if it is one's body; ID is an upload's for a part.
	Bucket string `json:"bucket,omitempty"`
	Key    string `json:"key,omitempty"`
	ID     string `json:"versionId,omitempty"`
}

// String returns the problem as one line.
func (p Problem) String() string {
	if p.Bucket == "" {
		return p.Where + ": " + p.What
	}
	return fmt.Sprintf("s3://%s/%s (version %s): %s: %s", p.Bucket, p.Key, p.ID, p.Where, p.What)
}

// CheckOptions say how Check goes about it.
type CheckOptions struct {
	// Pace, if not nil, is called with the number of bytes that were read; what
	// it waits slows the check down, and its error ends it.
	Pace func(ctx context.Context, bytes int) error
	// Found, if not nil, is called with each problem.
	Found func(Problem)
	// Alone says that nothing else uses the store: a file that no version has is
	// then a problem too, and not an upload under way.
	Alone bool
}

// Checked says what a check went through.
type Checked struct {
	Versions int64 `json:"versions"` // and delete markers
	Parts    int64 `json:"parts"`    // of unfinished uploads
	Files    int64 `json:"files"`
	Bytes    int64 `json:"bytes"` // read and compared with their checksums
	Problems int64 `json:"problems"`
}

// Check reads everything that is stored and compares it with its checksums:
// the journal with the small bodies in it, the checkpoint, the files of large
// bodies; and the index with all of them. Clients are served meanwhile.
func (s *Store) Check(ctx context.Context, o CheckOptions) (Checked, error) {
	c := &checker{s: s, o: o, files: make(map[uint64]*checkedFile), lanes: ledger.New()}
	c.snap = s.db.NewSnapshot()
	defer func() { _ = c.snap.Close() }() // of memory
	err := c.run(ctx)
	return c.done, fault.Wrap("store.check", s.dir, err)
}

type checker struct {
	s    *Store
	o    CheckOptions
	snap *pebble.Snapshot
	done Checked

	stopped error // why the check ends early

	whole []journal.Segment // segments whose every frame is as it was written
	files map[uint64]*checkedFile
	lanes *ledger.Ledger // counted from the versions
}

type checkedFile struct {
	uses int
	what string // is wrong with it; "" if nothing
}

func (c *checker) run(ctx context.Context) error {
	for _, step := range []func(context.Context) error{c.checkpoints, c.journal, c.rows, c.feed, c.ledger, c.counts, c.strays} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) found(p Problem) {
	c.done.Problems++
	if c.o.Found != nil {
		c.o.Found(p)
	}
}

// read notes that n bytes were compared.
func (c *checker) read(ctx context.Context, n int) error {
	c.done.Bytes += int64(n)
	if c.o.Pace == nil {
		c.stopped = ctx.Err()
	} else {
		c.stopped = c.o.Pace(ctx, n)
	}
	return c.stopped
}

func (c *checker) checkpoints(ctx context.Context) error {
	all, err := c.s.copies.All()
	if err != nil {
		return err
	}
	for _, at := range all {
		name := c.s.copies.File(at)
		_, err := c.s.copies.Read(ctx, name, at, func(key, value []byte) error { return c.read(ctx, len(key)+len(value)) })
		switch {
		case err == nil:
		case errors.Is(err, fs.ErrNotExist): // a newer one took its place
		case errors.Is(err, fault.Damaged), errors.Is(err, fault.Unsupported):
			c.found(Problem{What: "the copy of the index fails its checksum; the index itself is not affected", Where: name})
		case c.stopped != nil, ctx.Err() != nil:
			return err
		default:
			c.found(Problem{What: "the copy of the index cannot be read: " + err.Error(), Where: name})
		}
	}
	return nil
}

// journal goes through all segments, and looks whether one is missing.
func (c *checker) journal(ctx context.Context) error {
	have := c.s.spans.Load().Dropped
	for _, seg := range c.s.journal.Segments() {
		have = span.Join(have, seg)
		err := c.s.journal.Verify(ctx, seg, func(n int) error { return c.read(ctx, n) })
		switch {
		case err == nil:
			c.whole = append(c.whole, seg)
		case errors.Is(err, fault.Damaged):
			c.found(Problem{What: err.Error(), Where: c.s.path("journal")})
		case errors.Is(err, fs.ErrNotExist) && span.Within(c.s.spans.Load().Dropped, seg.Start): // meanwhile
		default:
			return err
		}
	}
	for i := 1; i < len(have); i++ {
		c.found(Problem{What: fmt.Sprintf("positions %d to %d are missing", have[i-1].End, have[i].Start), Where: c.s.path("journal")})
	}
	return nil
}

// rows goes through all versions and parts and their bodies.
func (c *checker) rows(ctx context.Context) error {
	return scan.Each(ctx, c.snap, nil, func(row, value []byte) error {
		var p Problem
		var body bodies.Body
		var err error
		switch row[0] {
		case layout.KindVersion:
			c.done.Versions++
			var o *Object
			if o, err = readObject(value); err == nil {
				p, body = problemOf(o), o.body
				if err := c.waits(row, o); err != nil {
					return err
				}
			}
		case layout.KindDetail:
			p = c.ownerOf(row)
			body, err = extentsOf(row, value)
		case layout.KindPart:
			c.done.Parts++
			m := new(partCommand)
			err = fields.Each(value, m.decode)
			p.Bucket, p.Key, p.ID, body = m.bucket, m.key, m.id, m.body
		default:
			return nil
		}
		if err != nil {
			p.What, p.Where = "a row cannot be read", c.s.path("index")
			c.found(p)
			return nil
		}
		for _, e := range body {
			if err := c.extent(ctx, p, e); err != nil {
				return err
			}
		}
		return nil
	})
}

// problemOf returns a problem of a version.
func problemOf(o *Object) Problem { return Problem{Bucket: o.Bucket, Key: o.Key, ID: o.ID} }

// ownerOf returns a problem of the version that a detail belongs to.
func (c *checker) ownerOf(detail []byte) Problem {
	v, closer, err := c.snap.Get(append([]byte{layout.KindVersion}, detail[1:]...))
	if err != nil {
		return Problem{}
	}
	defer func() { _ = closer.Close() }() // of memory
	o, err := readObject(v)
	if err != nil {
		return Problem{}
	}
	return problemOf(o)
}

// waits compares whether a version waits for replication with the feed.
func (c *checker) waits(row []byte, o *Object) error {
	agree := (o.pendingAt != 0) == (object.Sum(o.Deliveries) == object.Pending)
	for i := range o.Deliveries {
		d := &o.Deliveries[i]
		c.lanes.Add(o.lane(d), o.standing(d))
		if d.Status != object.Pending {
			continue
		}
		v, closer, err := c.snap.Get(o.pendingRow(d))
		switch {
		case err == nil:
			agree = agree && bytes.Equal(v, row)
			if err := closer.Close(); err != nil {
				return err
			}
		case errors.Is(err, pebble.ErrNotFound):
			agree = false
		default:
			return err
		}
	}
	if !agree {
		p := problemOf(o)
		p.What, p.Where = "whether this version waits for replication is not what the feed says", c.s.path("index")
		c.found(p)
	}
	return nil
}

// extent checks one body of a version.
func (c *checker) extent(ctx context.Context, p Problem, e bodies.Extent) error {
	if e.File == 0 {
		return c.inline(ctx, p, e)
	}
	f := c.files[e.File]
	if f == nil {
		f = new(checkedFile)
		c.files[e.File] = f
		c.done.Files++
		what, err := c.file(ctx, e)
		if err != nil {
			return err
		}
		f.what = what
	}
	if f.uses++; f.what != "" {
		p.What, p.Where = f.what, c.s.bodies.Path(e.File)
		c.found(p)
	}
	return nil
}

// inline checks a body in the journal, unless its whole segment was found well.
func (c *checker) inline(ctx context.Context, p Problem, e bodies.Extent) error {
	if span.Within(c.whole, e.Pos) {
		return nil
	}
	data, err := c.s.bodies.Stored(e)
	if err == nil {
		return c.read(ctx, len(data))
	}
	if errors.Is(err, journal.ErrDropped) {
		return nil // and moved meanwhile, after its checksum was compared
	}
	if fault.KindOf(err) != fault.Damaged {
		return err
	}
	p.What, p.Where = "the stored bytes cannot be read or do not match their checksum", fmt.Sprintf("journal position %d", e.Pos)
	c.found(p)
	return nil
}

// file reads a file and says what is wrong with it.
func (c *checker) file(ctx context.Context, e bodies.Extent) (string, error) {
	what, err := c.s.bodies.Compare(ctx, e, func(n int) error { return c.read(ctx, n) })
	if errors.Is(err, fs.ErrNotExist) {
		if users, err := scan.Uint(c.s.db, layout.File(e.File)); err != nil || users == 0 {
			return "", err // deleted meanwhile
		}
		return "the file is missing", nil
	}
	return what, err
}

// feed looks whether what is in the feed is there and stands at one place.
func (c *checker) feed(ctx context.Context) error {
	where := c.s.path("index")
	return scan.Each(ctx, c.snap, []byte{layout.KindPending}, func(row, value []byte) error {
		pos := place(row)
		v, closer, err := c.snap.Get(value)
		if errors.Is(err, pebble.ErrNotFound) {
			c.found(Problem{What: fmt.Sprintf("the feed has a version at %d that is not there", pos), Where: where})
			return nil
		}
		if err != nil {
			return err
		}
		o, err := readObject(v)
		if err == nil && uint64(o.pendingAt) != pos {
			p := problemOf(o)
			p.What, p.Where = fmt.Sprintf("the feed has this version at %d and at %d", pos, o.pendingAt), where
			c.found(p)
		}
		return closer.Close()
	})
}

// ledger compares what is counted of lanes with what their versions say.
func (c *checker) ledger(ctx context.Context) error {
	kept := ledger.New()
	if err := scan.Each(ctx, c.snap, []byte{layout.KindLane}, kept.Load); err != nil {
		return err
	}
	c.lanes.Enter()
	for _, e := range c.lanes.Entries("") {
		kept.Add(e.Lane, ledger.Counts{Pending: -e.Pending, PendingBytes: -e.PendingBytes, Failed: -e.Failed})
	}
	kept.Enter()
	for _, e := range kept.Entries("") {
		if e.Pending != 0 || e.PendingBytes != 0 || e.Failed != 0 {
			c.found(Problem{What: fmt.Sprintf("of %s to %s under rule %q, the ledger has %+d waiting, %+d bytes waiting and %+d failed too many", e.Source, e.Destination, e.Rule, e.Pending, e.PendingBytes, e.Failed), Where: c.s.path("index")})
		}
	}
	return nil
}

// counts compares how often files are used with what the index counts.
func (c *checker) counts(ctx context.Context) error {
	counted := 0
	err := scan.Each(ctx, c.snap, []byte{layout.KindFile}, func(row, value []byte) error {
		id := binary.BigEndian.Uint64(row[1:])
		n, _ := binary.Uvarint(value)
		uses := 0
		if f := c.files[id]; f != nil {
			uses = f.uses
			counted++
		}
		if int(n) != uses {
			c.found(Problem{What: fmt.Sprintf("used %d times, the index counts %d", uses, n), Where: c.s.bodies.Path(id)})
		}
		return nil
	})
	if err == nil && counted < len(c.files) {
		c.found(Problem{What: fmt.Sprintf("%d files of bodies are not counted", len(c.files)-counted), Where: c.s.path("index")})
	}
	return err
}

// strays looks for files that no version has.
func (c *checker) strays(context.Context) error {
	if !c.o.Alone {
		return nil
	}
	c.s.bodies.Wait()
	return c.s.bodies.Each(func(id uint64) error {
		if c.files[id] == nil {
			c.found(Problem{What: "no version has this file", Where: c.s.bodies.Path(id)})
		}
		return nil
	})
}
