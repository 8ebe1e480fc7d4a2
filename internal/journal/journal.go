// Package journal is the truth of a store: an append-only log of records in
// segment files.
//
// One committer gathers the records that wait, writes them as one frame,
// syncs once, hands them to the owner to apply, and only then answers: what
// Append acknowledged is on disk. A frame is checksummed as a whole, so of a
// frame either every record is read back or none is.
//
// Layout. Positions are byte offsets in one endless log; segment files cut it
// into pieces, each named by the position it starts at:
//
//	segment: header (32 bytes) frame...
//	header:  "TWBJRNL2" start(8) reserved(12) crc32c(4)
//	frame:   "TWBF" length(4) position(8) records(4) crc64nvme(8) payload
//	payload: (length(uvarint) record)...
//
// The frames of segments that begin with "TWBJRNL1" have a crc32c(4) instead.
//
// The next frame is written only after the one before it was synced, so a
// frame that fails its checksum is the torn end of a crash if nothing follows
// it, and damage if a frame does.
package journal

import (
	"context"
	"encoding/binary"
	"fmt"
	"sort"
	"strings"
	"sync"

	"twinbucket/fault"
	"twinbucket/internal/vfs"
)

const (
	suffix = ".seg"

	// maxGroup bounds what one frame gathers, in bytes; one larger record
	// makes a frame of its own.
	maxGroup = 8 << 20
	// maxAppend is the largest append: a group of small records, each with its
	// length, may stand before it in a frame.
	maxAppend = maxFrame - 2*maxGroup
)

// Position is a byte offset in the log. 0 is before everything.
type Position uint64

// Record is one record to append. Its bytes are Head followed by Body; the two
// are apart so that a large body need not be copied behind its head first.
type Record struct {
	Head, Body []byte
	// Pos is set by the committer: where Head begins. Body begins at
	// Pos+len(Head).
	Pos Position
	// InDoubt is set by the committer when an Append fails: the log may hold the
	// record all the same, and then the next Open replays it.
	InDoubt bool
	// Owner is the owner's own; the journal does not look at it.
	Owner any

	next *Record
	done chan error
}

// Options are what Open needs to know. The functions are required.
type Options struct {
	// From is the position up to which the owner has applied records already.
	From Position
	// Replay is called at Open for each record after From, in order. The
	// record's bytes are valid until it returns.
	Replay func(pos Position, record []byte) error
	// Replayed is called at Open after the last record of each frame; end is
	// a position that From may be.
	Replayed func(end Position) error
	// Apply is called by the committer with each group, after it was synced
	// and before it is acknowledged. end is the position after the group. An
	// error closes the journal: memory and disk would no longer agree.
	Apply func(group []*Record, end Position) error
	// Dropped are spans that were dropped: what a crash left of them is removed.
	Dropped []Segment
	// SegmentSize is the size in bytes at which a new segment is begun;
	// 256 MiB if 0.
	SegmentSize int64
}

// Journal is an open log. Its methods may be called from any goroutine.
type Journal struct {
	fs  vfs.FS
	dir string
	opt Options

	waits sync.Pool // of channels on which appends wait; not shared, as a test's own bubble of time keeps its channels

	mu    sync.Mutex // guards what follows, up to the blank line
	wake  *sync.Cond // first, closed
	first *Record    // records that wait, in order
	last  *Record
	state error // why no more records are taken; nil while open
	done  chan struct{}

	// Owned by the committer.
	out  vfs.File // the segment being written; nil: begin a new one
	at   Position // the end of what is durable
	base Position // start of the segment being written
	buf  []byte

	segMu    sync.RWMutex // guards segments and gaps
	segments []*segment   // by start
	gaps     []Segment    // that were dropped, by start
}

// Open opens the log in dir, creating it if there is none, and replays what
// the owner has not applied. A torn end is cut off; damage before the end is
// an error of kind fault.Damaged.
func Open(fs vfs.FS, dir string, opt Options) (*Journal, error) {
	if opt.SegmentSize == 0 {
		opt.SegmentSize = 256 << 20
	}
	j := &Journal{fs: fs, dir: dir, opt: opt, done: make(chan struct{})}
	j.wake = sync.NewCond(&j.mu)
	j.waits.New = func() any { return make(chan error, 1) }
	if err := vfs.MkdirSynced(fs, dir); err != nil {
		return nil, fault.Wrap("journal.open", dir, err)
	}
	if err := j.load(); err != nil {
		j.closeFiles()
		return nil, err
	}
	go j.commit()
	return j, nil
}

// End returns the position after the last durable record.
func (j *Journal) End() Position {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.at
}

// Append makes records durable, all of them in one frame, has them applied,
// and returns. Once begun it is not interrupted: ctx is only looked at before.
// Without records there is nothing to do.
func (j *Journal) Append(ctx context.Context, records ...*Record) error {
	if err := ctx.Err(); err != nil || len(records) == 0 {
		return err
	}
	size := 0
	for i, r := range records {
		size += len(r.Head) + len(r.Body) + binary.MaxVarintLen64
		r.next = nil
		if i+1 < len(records) {
			r.next = records[i+1]
		}
	}
	if size > maxAppend {
		return &fault.Error{Op: "journal.append", Kind: fault.TooLarge, Message: fmt.Sprintf("%d bytes at a time, of at most %d", size, maxAppend)}
	}
	first, last := records[0], records[len(records)-1]
	// The group's end is marked by the record that carries the channel.
	last.done = j.waits.Get().(chan error)
	j.mu.Lock()
	if j.state != nil {
		err := j.state
		j.mu.Unlock()
		j.waits.Put(last.done)
		return err
	}
	if j.last == nil {
		j.first = first
		j.wake.Signal()
	} else {
		j.last.next = first
	}
	j.last = last
	j.mu.Unlock()
	err := <-last.done
	j.waits.Put(last.done)
	last.done = nil
	return err
}

// Close waits for what was appended, then closes the files. Appends that come
// later fail with fault.Closed.
func (j *Journal) Close() error {
	j.stop(&fault.Error{Op: "journal.append", Kind: fault.Closed})
	<-j.done
	return j.closeFiles()
}

func (j *Journal) stop(why error) {
	j.mu.Lock()
	if j.state == nil {
		j.state = why
	}
	j.wake.Broadcast()
	j.mu.Unlock()
}

func (j *Journal) closeFiles() error {
	j.segMu.Lock()
	defer j.segMu.Unlock()
	var first error
	if j.out != nil {
		first = j.out.Close()
		j.out = nil
	}
	for _, s := range j.segments {
		if err := s.leave(); err != nil && first == nil {
			first = err
		}
	}
	j.segments = nil
	return first
}

// commit is the committer: the only writer of the log.
func (j *Journal) commit() {
	defer close(j.done)
	var group []*Record
	var broken error // what the owner could not apply: nothing may be applied behind it
	for {
		group = j.gather(group[:0])
		if len(group) == 0 {
			return
		}
		err := broken
		if err == nil {
			err = j.write(group)
		}
		if err == nil {
			if err = fault.Wrap("journal.apply", j.dir, j.opt.Apply(group, j.at)); err != nil {
				broken = err
				doubt(group)
				j.stop(err)
			}
		}
		for i, r := range group {
			group[i] = nil
			if r.done != nil {
				r.done <- err
			}
		}
	}
}

// gather takes the records that wait, whole appends only, up to maxGroup
// bytes. It blocks until there is one; it returns none when the journal is
// closed and empty.
func (j *Journal) gather(group []*Record) []*Record {
	j.mu.Lock()
	defer j.mu.Unlock()
	for j.first == nil {
		if j.state != nil {
			return group
		}
		j.wake.Wait()
	}
	size := 0
	for j.first != nil {
		r := j.first
		j.first = r.next
		group = append(group, r)
		size += len(r.Head) + len(r.Body)
		if size >= maxGroup && r.done != nil {
			break
		}
	}
	if j.first == nil {
		j.last = nil
	}
	return group
}

// write makes one frame of the group durable. After a failure the segment's
// tail is unknown, so the next frame begins a new segment at the same
// position; what may stand behind it in the old one is then out of reach.
func (j *Journal) write(group []*Record) error {
	if j.out == nil || int64(j.at-j.base) >= j.opt.SegmentSize {
		if err := j.begin(); err != nil {
			return j.failed(err)
		}
	}
	format := formats[0]
	buf := append(j.buf[:0], make([]byte, format.frameSize())...)
	for _, r := range group {
		buf = binary.AppendUvarint(buf, uint64(len(r.Head)+len(r.Body)))
		r.Pos = j.at + Position(len(buf))
		buf = append(buf, r.Head...)
		buf = append(buf, r.Body...)
	}
	format.seal(buf, j.at, len(group))
	if cap(buf) <= 2*maxGroup {
		j.buf = buf
	}
	if _, err := j.out.Write(buf); err != nil {
		return j.failed(err)
	}
	if err := j.out.SyncData(); err != nil {
		doubt(group)
		return j.failed(err)
	}
	j.mu.Lock()
	j.at += Position(len(buf))
	j.mu.Unlock()
	return nil
}

func doubt(group []*Record) {
	for _, r := range group {
		r.InDoubt = true
	}
}

func (j *Journal) failed(err error) error {
	if j.out != nil {
		j.out.Close() // its content is in doubt already
		j.out = nil
		if j.at == j.base+headerSize {
			j.unbegin()
		}
	}
	kind, hint := fault.Other, "the write was not acknowledged; see the server's log for the disk's error"
	if vfs.IsFull(err) {
		kind, hint = fault.NoSpace, vfs.FullHint
	}
	return &fault.Error{Op: "journal.append", Kind: kind, Thing: j.dir, Hint: hint, Err: err}
}

// begin starts a new segment at the end of what is durable.
func (j *Journal) begin() error {
	if j.out != nil {
		err := j.out.Close()
		j.out = nil
		if err != nil {
			return err
		}
	}
	name := j.path(j.at)
	f, err := vfs.Create(j.fs, name)
	if err != nil {
		return err
	}
	if _, err = f.Write(formats[0].header(j.at)); err == nil {
		if err = f.Sync(); err == nil {
			err = vfs.SyncDir(j.fs, j.dir)
		}
	}
	if err != nil {
		f.Close()
		return err
	}
	r, err := j.fs.Open(name)
	if err != nil {
		f.Close()
		return err
	}
	j.segMu.Lock()
	j.segments = append(j.segments, newSegment(j.at, r))
	j.segMu.Unlock()
	j.out, j.base = f, j.at
	j.mu.Lock()
	j.at += headerSize
	j.mu.Unlock()
	return nil
}

// unbegin takes back a segment that holds nothing yet: the next one takes its
// place and its name. Where nothing can be written for long, each try would
// leave a file and a descriptor.
func (j *Journal) unbegin() {
	j.segMu.Lock()
	n := len(j.segments) - 1
	s := j.segments[n]
	j.segments = j.segments[:n]
	j.segMu.Unlock()
	_ = s.leave() // it was opened to be read, and never was
	j.mu.Lock()
	j.at = j.base
	j.mu.Unlock()
}

func (j *Journal) path(start Position) string {
	return j.fs.PathJoin(j.dir, fmt.Sprintf("%020d%s", uint64(start), suffix))
}

// starts lists the segments' starts in order.
func (j *Journal) starts() ([]Position, error) {
	names, err := j.fs.List(j.dir)
	if err != nil {
		return nil, err
	}
	var starts []Position
	for _, n := range names {
		var start uint64
		digits, ok := strings.CutSuffix(n, suffix)
		if !ok || len(digits) != 20 {
			continue
		}
		if _, err := fmt.Sscanf(digits, "%d", &start); err != nil {
			continue
		}
		starts = append(starts, Position(start))
	}
	sort.Slice(starts, func(a, b int) bool { return starts[a] < starts[b] })
	return starts, nil
}
