package sim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"syscall"
	"time"

	"twinbucket/internal/catalog"
	"twinbucket/internal/iam"
	"twinbucket/internal/queue"
	"twinbucket/internal/replicate"
	"twinbucket/internal/store"
	"twinbucket/internal/vfs"
	"twinbucket/object"
)

const (
	dir    = "/data"
	region = "us-east-1"
)

// server is a store with its identities and its engine on one disk.
type server struct {
	disk    vfs.Mem
	faults  []*vfs.Faults // of the disk, as in troubles
	now     func() time.Time
	workers int
	free    bool

	store  *store.Store
	iam    *iam.Service
	rules  *replicate.Rules
	engine *replicate.Engine
	queue  *held

	stop  context.CancelFunc // of the engine; nil while it is off
	ended sync.WaitGroup
	err   error // the engine's
}

// troubles are what disks may have.
var troubles = []struct {
	under string
	err   error
}{{"/journal", syscall.EIO}, {"/journal", syscall.ENOSPC}, {"/bodies", syscall.EIO}, {"/bodies", syscall.ENOSPC}}

// heal ends all trouble of the disk.
func (s *server) heal() {
	for _, f := range s.faults {
		f.Heal()
	}
}

var silent = slog.New(slog.DiscardHandler)

// open opens what is on the disk; the engine is off.
func (s *server) open() (err error) {
	s.rules, s.faults = new(replicate.Rules), nil
	var fs vfs.FS = s.disk
	for _, t := range troubles {
		f := &vfs.Faults{Under: t.under, Err: t.err}
		s.faults = append(s.faults, f)
		fs = f.Wrap(fs)
	}
	s.store, err = store.Open(fs, dir, store.Options{
		Select: s.rules.Select, SelectChanges: s.rules.SelectChanges, Now: s.now, Log: silent, CacheSize: 1 << 20, Region: region,
	})
	if err != nil {
		return err
	}
	s.iam, err = iam.New(catalog.New(s.store), s.now)
	return err
}

// start has the engine work, with an empty queue.
func (s *server) start(ctx context.Context) {
	if s.stop != nil {
		return
	}
	s.queue = hold(s.free)
	s.startWith(ctx, s.queue)
}

// startWith has the engine work with a queue.
func (s *server) startWith(ctx context.Context, q queue.Queue[replicate.Task]) {
	s.err = nil
	s.engine = replicate.New(replicate.Config{
		Store: s.store, IAM: s.iam, Rules: s.rules, Log: silent, Now: s.now, Workers: s.workers, Queue: q,
	})
	running, cancel := context.WithCancel(ctx)
	s.stop = cancel
	s.ended.Go(func() {
		if err := s.engine.Run(running, running); err != nil && running.Err() == nil {
			s.err = err
		}
	})
}

// halt stops the engine in the middle of what it does; its queue is lost.
func (s *server) halt() {
	if s.stop != nil {
		s.stop()
		s.ended.Wait()
		s.stop = nil
	}
}

// crash ends the process. Of what was not synced keep percent are left on the
// disk, as chance has it; without its index the store makes it anew.
func (s *server) crash(ctx context.Context, c crash) error {
	after := s.disk.Crash(c.keep, c.chance())
	running := s.stop != nil
	s.heal()
	s.halt()
	_ = s.store.Close() // it writes to the disk that is left behind
	s.disk = after
	if c.index {
		if err := s.disk.RemoveAll(dir + "/index"); err != nil {
			return err
		}
	}
	if err := s.open(); err != nil {
		return fmt.Errorf("it does not open again: %w", err)
	}
	if running {
		s.start(ctx)
	}
	return nil
}

// close ends the process in good order.
func (s *server) close() error {
	s.halt()
	return s.store.Close()
}

// look reads all that clients and operators can see.
func (s *server) look(ctx context.Context) (*found, error) {
	f := &found{versions: map[ident]*object.Version{}, feed: map[waits]int{}, buckets: map[string]foundBucket{}, roles: map[string][2]string{}}
	for _, b := range s.store.Buckets() {
		fb := foundBucket{owner: b.Owner, versioning: string(b.Versioning), documents: map[string]string{}}
		for d, doc := range b.Documents {
			fb.documents[string(d)] = string(doc)
		}
		f.buckets[b.Name] = fb
		if err := s.list(ctx, b.Name, f); err != nil {
			return nil, err
		}
	}
	f.lanes = s.store.Lanes("")
	for _, l := range f.lanes {
		waiting, err := s.store.Pending(ctx, l.Lane, 0, 0, 1<<30)
		if err != nil {
			return nil, err
		}
		for _, p := range waiting {
			f.feed[waits{identOf(&p.Object.Version), l.Lane}]++
		}
	}
	for _, account := range accounts {
		if r, err := s.iam.GetRole(account, "copier"); err == nil {
			f.roles[account] = [2]string{string(r.Inline["p"]), string(r.Trust)}
		}
	}
	return f, nil
}

func (s *server) list(ctx context.Context, name string, f *found) error {
	for o := (store.VersionsOptions{Max: 1000}); ; {
		page, err := s.store.ListVersions(ctx, name, o)
		if err != nil {
			return err
		}
		var before *object.Version
		for _, v := range page.Versions {
			if before != nil && before.Key == v.Key && !before.Modified.After(v.Modified) {
				return fmt.Errorf("%s/%s is listed in the wrong order", name, v.Key)
			}
			if v.Latest != (before == nil || before.Key != v.Key) {
				return fmt.Errorf("%s/%s: which one is the latest", name, v.Key)
			}
			before = &v.Version
			f.versions[identOf(before)] = before
		}
		if !page.Truncated {
			return nil
		}
		o.AfterKey, o.AfterID = page.NextKey, page.NextID
	}
}

// read compares the bytes of a version.
func (s *server) read(ctx context.Context, v *version) error {
	o, err := s.store.Head(ctx, v.Bucket, v.Key, v.ID)
	if err != nil || v.Marker {
		return err
	}
	r, err := s.store.Open(ctx, o, 0, -1)
	if err != nil {
		return err
	}
	data, err := io.ReadAll(r)
	if err == nil && string(data) != string(v.body.bytes()) {
		err = errors.New("the bytes are others")
	}
	return errors.Join(err, r.Close())
}

// check has the store look for what is wrong with it.
func (s *server) check(ctx context.Context) error {
	var errs []error
	_, err := s.store.Check(ctx, store.CheckOptions{Alone: true, Found: func(p store.Problem) {
		errs = append(errs, errors.New(p.String()))
	}})
	return errors.Join(append(errs, err)...)
}
