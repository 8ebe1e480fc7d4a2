package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"twinbucket/fault"
	"twinbucket/internal/vfs"
)

// load opens the segments, replays what the owner has not applied and finds
// the end of what is durable.
func (j *Journal) load() error {
	starts, err := j.starts()
	if err == nil {
		starts, err = j.dropLeft(starts)
	}
	if err != nil {
		return fault.Wrap("journal.open", j.dir, err)
	}
	if len(starts) > 0 && starts[0] > j.opt.From {
		return damaged(j.dir, j.opt.From, "the segment that holds it is missing")
	}
	if err := j.settle(starts); err != nil {
		return fault.Wrap("journal.open", j.dir, err)
	}
	for i, start := range starts {
		last := i == len(starts)-1
		f, err := j.fs.Open(j.path(start))
		if err != nil {
			return fault.Wrap("journal.open", j.path(start), err)
		}
		format, err := formatOf(f, start)
		torn := false
		if err == nil && format == nil {
			torn, err = j.torn(f, start, last)
		}
		if err != nil || torn {
			f.Close()
		}
		if err != nil {
			return fault.Wrap("journal.open", j.path(start), err)
		}
		if torn {
			j.at = start
			break
		}
		j.segments = append(j.segments, newSegment(start, f))
		switch {
		case last:
			j.at, err = j.replay(f, format, start, 0)
		case starts[i+1] > j.opt.From:
			_, err = j.replay(f, format, start, starts[i+1])
		}
		if err != nil {
			return err
		}
	}
	if j.at < j.opt.From {
		return damaged(j.dir, j.at, fmt.Sprintf("it ends before position %d, which was applied already", j.opt.From))
	}
	return nil
}

// dropLeft removes what a crash left of dropped segments and returns the starts
// of the others.
func (j *Journal) dropLeft(starts []Position) ([]Position, error) {
	for _, span := range j.opt.Dropped {
		j.addGap(span)
	}
	var kept []Position
	for _, start := range starts {
		if !j.inGap(start) {
			kept = append(kept, start)
		} else if err := j.remove(start); err != nil {
			return nil, err
		}
	}
	return kept, nil
}

// settle makes durable what a program that died may have written and not
// synced: what is read now is built upon, and must not be lost any more.
func (j *Journal) settle(starts []Position) error {
	if len(starts) > 0 {
		f, err := j.fs.OpenReadWrite(j.path(starts[len(starts)-1]), vfs.Unspecified)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return errors.Join(vfs.SyncDir(j.fs, j.dir), vfs.SyncDir(j.fs, j.fs.PathDir(j.dir)))
}

// torn reports whether a segment that has no whole header is what a crash left
// while the segment was made: nothing in it was acknowledged. If it is not, that
// is an error.
func (j *Journal) torn(f io.ReaderAt, start Position, last bool) (bool, error) {
	full := !last
	for _, format := range formats {
		if full {
			break
		}
		var err error
		if full, err = format.within(f, start, headerSize); err != nil {
			return false, err
		}
	}
	if full {
		return false, damaged(j.path(start), start, "the segment's header is wrong")
	}
	return true, nil
}

func damaged(file string, at Position, what string) error {
	return &fault.Error{
		Op: "journal.open", Kind: fault.Damaged, Thing: file,
		Message: fmt.Sprintf("at position %d: %s", at, what),
		Hint:    "the disk has lost or changed data that was acknowledged; restore the data directory from a copy",
	}
}

// replay reads the segment's frames after From and returns where they end.
// until is the next segment's start, which the frames must reach; 0 for the
// last segment, whose torn end is cut off.
func (j *Journal) replay(f io.ReaderAt, format *format, start, until Position) (Position, error) {
	at := max(start+headerSize, j.opt.From)
	r := sectionReader(f, int64(at-start))
	var payload []byte
	for until == 0 || at < until {
		records, err := format.read(r, at, &payload)
		if err != nil {
			if !errors.Is(err, errBadFrame) {
				return 0, fault.Wrap("journal.open", j.path(start), err)
			}
			followed := until != 0
			if !followed {
				if followed, err = format.within(f, start, int64(at-start)+1); err != nil {
					return 0, fault.Wrap("journal.open", j.path(start), err)
				}
			}
			if followed {
				return 0, damaged(j.path(start), at, "a record fails its checksum and others follow it")
			}
			return at, nil
		}
		at += Position(format.frameSize())
		if err := j.each(records, at, payload); err != nil {
			return 0, err
		}
		at += Position(len(payload))
		if err := j.opt.Replayed(at); err != nil {
			return 0, fault.Wrap("journal.replay", j.path(start), err)
		}
	}
	return at, nil
}

// each hands the records of one frame to the owner.
func (j *Journal) each(records int, pos Position, payload []byte) error {
	for range records {
		n, w := binary.Uvarint(payload)
		if w <= 0 || n > uint64(len(payload)-w) {
			return damaged(j.dir, pos, "a record's length is wrong")
		}
		pos += Position(w)
		payload = payload[w:]
		if err := j.opt.Replay(pos, payload[:n:n]); err != nil {
			return fault.Wrap("journal.replay", fmt.Sprintf("position %d", pos), err)
		}
		pos += Position(n)
		payload = payload[n:]
	}
	return nil
}
