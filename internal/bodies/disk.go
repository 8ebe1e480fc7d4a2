package bodies

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"

	"twinbucket/fault"
	"twinbucket/internal/journal"
	"twinbucket/internal/keyring"
	"twinbucket/internal/vfs"
)

// Options are what a Disk is made of.
type Options struct {
	FS  vfs.FS
	Dir string // the data directory, in which bodies/ is
	// Journal has the small bodies.
	Journal interface {
		ReadAt(p []byte, at journal.Position) error
	}
	Keys   *keyring.Ring
	Inline int    // the largest body that stays in memory for the journal, in bytes; at most InlineMax
	Newest uint64 // no file has a higher number
	Log    *slog.Logger
}

// Disk is where bodies are. Its methods may be called from any goroutine.
type Disk struct {
	opt    Options
	clock  atomic.Uint64 // the last number of a file
	pins   pins
	remove sync.WaitGroup // removals of unused files

	folderMu sync.Mutex
	folders  map[string]bool // whose names are durable
}

// New returns the bodies under a data directory.
func New(opt Options) *Disk {
	d := &Disk{opt: opt, folders: make(map[string]bool)}
	d.clock.Store(opt.Newest)
	return d
}

// Path returns the name of a file.
func (d *Disk) Path(file uint64) string {
	name := fmt.Sprintf("%016x", file)
	return d.opt.FS.PathJoin(d.opt.Dir, "bodies", name[14:], name)
}

func (d *Disk) root() string { return d.opt.FS.PathJoin(d.opt.Dir, "bodies") }

func (d *Disk) create(file uint64) (vfs.File, error) {
	name := d.Path(file)
	if err := d.ensureFolder(d.opt.FS.PathDir(name)); err != nil {
		return nil, err
	}
	return vfs.Create(d.opt.FS, name)
}

// ensureFolder makes a folder of bodies durable. One that is there may not be:
// it may be new, or a program that died may have left it.
func (d *Disk) ensureFolder(dir string) error {
	d.folderMu.Lock()
	defer d.folderMu.Unlock()
	if d.folders[dir] {
		return nil
	}
	if err := d.opt.FS.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := errors.Join(vfs.SyncDir(d.opt.FS, d.root()), vfs.SyncDir(d.opt.FS, d.opt.Dir)); err != nil {
		return err
	}
	d.folders[dir] = true
	return nil
}

// Remove removes files that no body uses, in the background; one that is being
// read goes later. What a crash leaves is for the next Sweep.
func (d *Disk) Remove(files []uint64) {
	if files = d.pins.removable(files); len(files) == 0 {
		return
	}
	d.remove.Go(func() {
		for _, file := range files {
			if err := d.opt.FS.Remove(d.Path(file)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				d.opt.Log.Warn("cannot remove an unused body", "file", d.Path(file), "cause", err)
			}
		}
	})
}

// Sweep removes, in the background, the files that are not used of those that
// were there when the disk was opened: their command was never journaled, or a
// reader had them when the program ended. An error from used ends it.
func (d *Disk) Sweep(used func(file uint64) (bool, error)) {
	d.remove.Go(func() {
		err := d.Each(func(file uint64) error {
			if file > d.opt.Newest {
				return nil
			}
			is, err := used(file)
			if err == nil && !is {
				d.Remove([]uint64{file})
			}
			return err
		})
		if err != nil && !errors.Is(err, fault.Closed) {
			d.opt.Log.Warn("cannot look for unused bodies; the next start does", "dir", d.root(), "cause", err)
		}
	})
}

// Wait waits for what goes on in the background.
func (d *Disk) Wait() { d.remove.Wait() }

// Each calls each for every file that is there.
func (d *Disk) Each(each func(file uint64) error) error {
	dirs, err := d.opt.FS.List(d.root())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		names, err := d.opt.FS.List(d.opt.FS.PathJoin(d.root(), dir))
		if err != nil {
			return err
		}
		for _, name := range names {
			file, err := strconv.ParseUint(name, 16, 64)
			if err != nil {
				continue
			}
			if err := each(file); err != nil {
				return err
			}
		}
	}
	return nil
}

// Stored returns the stored bytes of a body in the journal; fault.Damaged if
// they cannot be read or do not match their checksum.
func (d *Disk) Stored(e Extent) ([]byte, error) {
	data := make([]byte, e.Whole)
	if err := d.opt.Journal.ReadAt(data, e.Pos); err != nil {
		if fault.KindOf(err) == fault.Other {
			err = &fault.Error{Op: "store.read", Kind: fault.Damaged, Thing: d.place(e), Err: err}
		}
		return nil, err
	}
	if crc32.Checksum(data, castagnoli) != e.CRC {
		return nil, d.damaged(e)
	}
	return data, nil
}

// Compare reads the file of an extent and says what is wrong with it, "" if
// nothing is. read is called with the number of bytes that were compared; its
// error ends it. fs.ErrNotExist if there is no such file.
func (d *Disk) Compare(ctx context.Context, e Extent, read func(n int) error) (string, error) {
	f, err := d.opt.FS.Open(d.Path(e.File))
	if errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if err != nil {
		return unreadable(err), ctx.Err()
	}
	wrong, err := compare(ctx, f, e, read)
	return wrong, errors.Join(err, f.Close())
}

func compare(ctx context.Context, f vfs.File, e Extent, read func(n int) error) (string, error) {
	buf := pieces.Get().(*[]byte)
	defer pieces.Put(buf)
	size, crc := int64(0), uint32(0)
	for {
		n, err := f.Read(*buf)
		crc = crc32.Update(crc, castagnoli, (*buf)[:n])
		size += int64(n)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return unreadable(err), ctx.Err()
		}
		if err := read(n); err != nil {
			return "", err
		}
	}
	switch {
	case size != e.Whole:
		return fmt.Sprintf("the file has %d bytes, want %d", size, e.Whole), nil
	case crc != e.CRC:
		return "the stored bytes do not match their checksum", nil
	}
	return "", nil
}

func unreadable(err error) string { return "the file cannot be read: " + err.Error() }

// place says where an extent is.
func (d *Disk) place(e Extent) string {
	if e.File != 0 {
		return d.Path(e.File)
	}
	return fmt.Sprintf("journal position %d", e.Pos)
}

func (d *Disk) damaged(e Extent) error {
	return &fault.Error{
		Op: "store.read", Kind: fault.Damaged, Thing: d.place(e), Message: "stored bytes do not match their checksum",
		Hint: "the disk changed them; put the object again, or copy it back from a replica",
	}
}
