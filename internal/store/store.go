// Package store keeps buckets, the versions of their objects and small named
// records, durably, on one disk.
//
// The journal is the truth: every change is a command in it, acknowledged when
// it is synced and applied. Applying is deterministic, so the index (Pebble,
// without a log of its own) can always be rebuilt by replaying the journal,
// and conditions are decided where commands are applied, one after the other:
// no lock is held across a disk write.
//
// Bodies up to bodies.InlineMax bytes stand in the journal beside their command;
// larger ones in files under bodies/, synced before the command that names
// them. Bodies never change and are shared: a copy or a replica within the
// store moves no byte. They are encrypted, each under a key of its own that is
// wrapped with one of the key ring's or of a customer (internal/bodies).
package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/bodies"
	"twinbucket/internal/checkpoint"
	"twinbucket/internal/event"
	"twinbucket/internal/journal"
	"twinbucket/internal/keyring"
	"twinbucket/internal/layout"
	"twinbucket/internal/ledger"
	"twinbucket/internal/reserve"
	"twinbucket/internal/scan"
	"twinbucket/internal/span"
	"twinbucket/internal/vfs"
	"twinbucket/internal/wake"
	"twinbucket/object"
)

// indexFormat is the version of the index's layout; an index of another one is
// rebuilt from the journal. Add new versions here, with what they changed.
//
//	1: the first
//	2: rows of details and of ids
//	3: what waits for replication stands in lanes, which are counted
const indexFormat = 3

// Options are what a store needs to know; all may be zero.
type Options struct {
	// Select says where a new version is to be replicated: one delivery, with
	// status Pending, for each destination. It is called for each put.
	Select func(*bucket.Bucket, *object.Version) []object.Delivery
	// SelectChanges is Select for a change of a version's tags, ACL or lock.
	SelectChanges func(*bucket.Bucket, *object.Version) []object.Delivery
	// Tell says whether the bucket's settings ask for somebody to be told of an
	// event, and sets whom: its Target and Configuration. It is called as events
	// happen and when they are replayed, and must answer by its arguments alone.
	Tell func(*bucket.Bucket, *event.Event) bool
	// Now is the clock; time.Now if nil.
	Now func() time.Time
	// Log takes what an operator should know; slog.Default if nil.
	Log *slog.Logger
	// CacheSize bounds the memory that the index caches in, in bytes; 64 MiB if 0.
	CacheSize int64
	// SegmentSize is passed to the journal.
	SegmentSize int64
	// Region is that of the ARNs of keys; "us-east-1" if "".
	Region string
	// Keys stand for keys of KMS.
	Keys []keyring.Key

	compactEvery int64 // compactEvery if 0
	inline       int   // the largest body in the journal, in bytes; bodies.InlineMax if 0 or more than that
	passed       int   // deleted keys that a page passes over; mostPassed if 0
	few          int   // parts or extents in a version's own row; rowParts if 0, none if less
}

// Store is an open store. Its methods may be called from any goroutine.
type Store struct {
	fs  vfs.FS
	dir string
	opt Options

	db      *pebble.DB
	journal *journal.Journal
	keys    *keyring.Ring
	bodies  *bodies.Disk
	copies  checkpoint.Dir
	lock    interface{ Close() error }

	clock   atomic.Int64 // the last time given out, in nanoseconds
	buckets atomic.Pointer[map[string]*bucket.Bucket]

	ledger    *ledger.Ledger
	pending   wake.Signal
	told      wake.Signal
	settings  wake.Signal // of the buckets
	sinceSync int64       // bytes journaled since the index was last flushed; the committer's

	spans        atomic.Pointer[span.Set]
	late         lateRows
	sinceCompact int64 // bytes journaled or no longer used since compaction last looked; the committer's
	compactAt    atomic.Int64
	compactWake  chan struct{}
	compactMu    sync.Mutex // one compaction at a time
	stop         context.CancelFunc
	background   sync.WaitGroup

	latest int64 // what layout.Latest says; the committer's

	closing atomic.Bool
	full    atomic.Bool   // the disk has no room for the index
	failed  chan struct{} // holds something if the index failed in the background

	reserve  reserve.Reserve
	down     chan struct{} // closed when the index has failed
	downOnce sync.Once
	why      error // of down
}

// Object is a version and where its body is.
type Object struct {
	object.Version
	body      bodies.Body
	apart     apart            // what was left out: Parts and body then are nil
	pendingAt journal.Position // where it stands among the pending; 0: it does not
	upload    string           // the multipart upload that was completed to make it, or Put.Once
}

// version is the version without where its body is; nil if o is nil.
func (o *Object) version() *object.Version {
	if o == nil {
		return nil
	}
	return &o.Version
}

// Open opens the store in dir, making one if there is none.
func Open(fs vfs.FS, dir string, opt Options) (*Store, error) {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	if opt.CacheSize == 0 {
		opt.CacheSize = 64 << 20
	}
	if opt.compactEvery == 0 {
		opt.compactEvery = compactEvery
	}
	if opt.Region == "" {
		opt.Region = "us-east-1"
	}
	if opt.inline == 0 {
		opt.inline = bodies.InlineMax
	}
	if opt.passed == 0 {
		opt.passed = mostPassed
	}
	if opt.few == 0 {
		opt.few = rowParts
	}
	opt.few = max(opt.few, 0)
	s := &Store{fs: fs, dir: dir, opt: opt, ledger: ledger.New(), failed: make(chan struct{}, 1), compactWake: make(chan struct{}, 1), down: make(chan struct{})}
	s.copies = checkpoint.Dir{FS: fs, Path: s.path("checkpoint"), Format: indexFormat, Older: older}
	s.reserve = reserve.Reserve{FS: fs, Dir: dir, Now: opt.Now, Log: opt.Log}
	s.buckets.Store(&map[string]*bucket.Bucket{})
	if err := vfs.MkdirSynced(fs, dir); err != nil {
		return nil, s.unusable(err)
	}
	if err := s.open(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) open() (err error) {
	s.lock, err = s.fs.Lock(s.path("LOCK"))
	if no := new(fs.PathError); errors.As(err, &no) || vfs.IsFull(err) {
		return s.unusable(err)
	}
	if err != nil {
		return &fault.Error{Op: "store.open", Kind: fault.Conflict, Thing: s.dir, Err: err, Hint: "another twinbucket uses this data directory; stop it or choose another --data"}
	}
	s.keepPrivate()
	if err := s.reserve.Room(); vfs.IsFull(err) && s.giveReserve() {
		err = s.reserve.Room()
		if err != nil {
			return s.unusable(err)
		}
	} else if err != nil {
		return s.unusable(err)
	}
	if err := s.openIndex(); err != nil {
		return err
	}
	applied, err := s.applied()
	if err != nil {
		return err
	}
	latest, err := scan.Uint(s.db, layout.Latest)
	if err != nil {
		return fault.Wrap("store.open", s.dir, err)
	}
	s.latest = int64(latest)
	if err := s.loadBuckets(); err != nil {
		return err
	}
	if err := errors.Join(s.loadSpans(), s.loadLanes()); err != nil {
		return err
	}
	replay := &applier{s: s, b: s.db.NewIndexedBatch()}
	s.journal, err = journal.Open(s.fs, s.path("journal"), journal.Options{
		From: applied, Replay: replay.replay, Replayed: replay.replayed, Apply: s.applyOrGiveUp,
		SegmentSize: s.opt.SegmentSize, Dropped: s.spans.Load().Dropped,
	})
	if err != nil {
		return errors.Join(err, replay.b.Close())
	}
	if err := replay.flush(s.journal.End()); err != nil {
		return err
	}
	s.advance(max(s.opt.Now().UnixNano(), s.latest))
	made, err := s.openKeys()
	if err != nil {
		return err
	}
	// Replay may have met the end of a compaction.
	for _, span := range s.spans.Load().Dropped {
		if err := s.journal.Drop(span); err != nil {
			return err
		}
	}
	if err := s.openBodies(); err != nil {
		return err
	}
	s.reserve.Open()
	s.startCompaction()
	if made {
		return s.do(context.Background(), &keyringCommand{id: s.keys.ID()}, nil)
	}
	return nil
}

// unusable is the failure of a data directory that cannot be written to.
func (s *Store) unusable(err error) error {
	hint := "the data directory has to be one that can be written to; choose another with --data"
	if vfs.IsFull(err) {
		hint = vfs.FullHint
	}
	return &fault.Error{Op: "store.open", Thing: s.dir, Err: err, Hint: hint}
}

// keepPrivate keeps others on the machine from reading what is stored: the
// records hold secret access keys. A program before this one did not.
func (s *Store) keepPrivate() {
	for _, name := range []string{"journal", "index", "checkpoint", "bodies"} {
		if err := vfs.PrivateDir(s.fs, s.path(name)); err != nil {
			s.opt.Log.Warn("others may be able to read what is stored", "dir", s.path(name), "cause", err)
		}
	}
}

// openIndex opens the index; one of another format, one that cannot be read or
// one that is older than its checkpoint is thrown away: the checkpoint and the
// journal have everything that is in it.
func (s *Store) openIndex() error {
	dir := s.path("index")
	for attempt := 0; ; attempt++ {
		if err := s.fs.MkdirAll(dir, 0o700); err != nil {
			return s.unusable(err)
		}
		db, err := pebble.Open(dir, s.pebbleOptions())
		if err == nil && attempt == 0 {
			if err = s.usable(db); err != nil {
				err = errors.Join(err, db.Close())
			}
		}
		if err == nil {
			s.db = db
			if attempt > 0 {
				err = s.restore()
			}
			return errors.Join(err, db.Set(layout.Format, binary.AppendUvarint(nil, indexFormat), pebble.NoSync))
		}
		if attempt > 0 || vfs.IsFull(err) {
			return fault.Wrap("store.open", dir, err)
		}
		s.opt.Log.Warn("rebuilding the index from the journal", "dir", dir, "cause", err)
		// Where they are damaged nothing but the index has all that is in it.
		if bad := s.readSources(); bad != nil {
			return errors.Join(bad, fault.Wrap("store.open", dir, err))
		}
		if err := s.fs.RemoveAll(dir); err != nil {
			return fault.Wrap("store.open", dir, err)
		}
	}
}

// readSources reads what an index is made from, the checkpoint and the journal
// behind it.
func (s *Store) readSources() error {
	if _, err := s.copies.Newest(func(_, _ []byte) error { return nil }); err != nil {
		return err
	}
	all, err := s.copies.All()
	if err != nil {
		return err
	}
	o := journal.Options{
		Replay:   func(journal.Position, []byte) error { return nil },
		Replayed: func(journal.Position) error { return nil },
		Apply:    func([]*journal.Record, journal.Position) error { return nil },
	}
	if len(all) > 0 {
		o.From = all[0]
	}
	j, err := journal.Open(s.fs, s.path("journal"), o)
	if err != nil {
		return err
	}
	return j.Close()
}

// usable says why an index cannot be gone on with; nil if it can.
func (s *Store) usable(db *pebble.DB) error {
	format, err := scan.Uint(db, layout.Format)
	if err != nil || format != indexFormat && format != 0 {
		return errors.Join(err, fmt.Errorf("index format %d, want %d", format, indexFormat))
	}
	applied, err := scan.Uint(db, layout.Applied)
	if err != nil {
		return err
	}
	all, err := s.copies.All()
	if err == nil && len(all) > 0 && applied < uint64(all[0]) {
		err = fmt.Errorf("the index is up to position %d, its checkpoint up to %d", applied, all[0])
	}
	return err
}

// memTable is the size of the index's memtables, in bytes.
const memTable = 32 << 20

func (s *Store) pebbleOptions() *pebble.Options {
	o := &pebble.Options{
		FS: vfs.WhenFull(s.fs, s.diskFull), Logger: indexLog{s.opt.Log},
		EventListener: s.indexEvents(),
		DisableWAL:    true, // the journal is the log
		// Larger memtables than Pebble's: fewer flushes, and fewer compactions.
		MemTableSize: memTable, MemTableStopWritesThreshold: 4,
		// Pebble takes its memtables out of the cache: without room for them, the
		// one that is written to and the one before, nothing would be cached.
		CacheSize:          s.opt.CacheSize + 2*memTable,
		FormatMajorVersion: pebble.FormatNewest,
	}
	// What is looked up often is not there, such as the replica that is to be
	// made. An index in one block is read once; the other levels follow the first.
	o.Levels[0] = pebble.LevelOptions{FilterPolicy: bloom.FilterPolicy(10), IndexBlockSize: 256 << 10}
	return o
}

// indexLog passes on what the index complains of and drops its chatter.
type indexLog struct{ log *slog.Logger }

func (l indexLog) Infof(string, ...any) {}
func (l indexLog) Errorf(format string, args ...any) {
	l.log.Error("index: " + fmt.Sprintf(format, args...))
}

// Fatalf is called when the index can no longer keep its own files in order.
// Going on would answer from wrong data; the journal heals it at the next start.
func (l indexLog) Fatalf(format string, args ...any) {
	panic("index: " + fmt.Sprintf(format, args...))
}

func (s *Store) applied() (journal.Position, error) {
	v, err := scan.Uint(s.db, layout.Applied)
	return journal.Position(v), fault.Wrap("store.open", s.dir, err)
}

// Close waits for what was begun and closes the files. After a clean Close
// nothing needs to be replayed, unless the disk has no room for the index.
func (s *Store) Close() error {
	var errs []error
	s.closing.Store(true)
	if s.stop != nil {
		s.stop()
		s.background.Wait()
	}
	if s.journal != nil {
		errs = append(errs, s.journal.Close())
	}
	if s.bodies != nil {
		s.bodies.Wait()
	}
	if s.db != nil {
		errs = append(errs, s.closeIndex())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	s.pending.Close()
	s.told.Close()
	s.settings.Close()
	return fault.Wrap("store.close", s.dir, errors.Join(errs...))
}

// openBodies opens the bodies, and has the files go that no version has.
func (s *Store) openBodies() error {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{layout.KindFile}, UpperBound: []byte{layout.KindFile + 1}})
	if err != nil {
		return fault.Wrap("store.open", s.dir, err)
	}
	newest := uint64(s.clock.Load())
	if it.Last() {
		newest = max(newest, binary.BigEndian.Uint64(it.Key()[1:]))
	}
	if err := errors.Join(it.Error(), it.Close()); err != nil {
		return fault.Wrap("store.open", s.dir, err)
	}
	s.bodies = bodies.New(bodies.Options{
		FS: s.fs, Dir: s.dir, Journal: s.journal, Keys: s.keys, Inline: s.opt.inline, Newest: newest, Log: s.opt.Log,
	})
	s.bodies.Sweep(func(file uint64) (bool, error) {
		if s.closing.Load() {
			return false, fault.New(fault.Closed, "", "the store is closed")
		}
		users, err := scan.Uint(s.db, layout.File(file))
		return users > 0, err
	})
	return nil
}

func (s *Store) path(elem ...string) string {
	return s.fs.PathJoin(append([]string{s.dir}, elem...)...)
}

// tick returns the current time, later than all that were given out or seen.
func (s *Store) tick() time.Time {
	for {
		last := s.clock.Load()
		now := max(s.opt.Now().UnixNano(), last+1)
		if s.clock.CompareAndSwap(last, now) {
			return time.Unix(0, now).UTC()
		}
	}
}

// advance moves the clock past nanos.
func (s *Store) advance(nanos int64) {
	for last := s.clock.Load(); nanos > last; last = s.clock.Load() {
		if s.clock.CompareAndSwap(last, nanos) {
			return
		}
	}
}
