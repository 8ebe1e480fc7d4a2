package journal

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"

	"github.com/minio/crc64nvme"
)

const (
	headerSize = 32
	frameMagic = "TWBF"
	// maxFrame is the largest payload that replay accepts.
	maxFrame = 1 << 30
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// format is how a segment is written. Its header tells which: a program that
// does not know it refuses the segment, rather than take it for torn.
type format struct {
	magic string // of the segment
	sum   int    // size of a frame's checksum
	// checksum returns that of a frame whose header, up to the checksum, is head.
	checksum func(head, payload []byte) []byte
}

// The formats, newest first. Only the newest is written.
var formats = []*format{
	{magic: "TWBJRNL2", sum: 8, checksum: func(head, payload []byte) []byte {
		return binary.BigEndian.AppendUint64(nil, crc64nvme.Update(crc64nvme.Checksum(head), payload))
	}},
	// A checksum that a processor is ten times slower at.
	{magic: "TWBJRNL1", sum: 4, checksum: func(head, payload []byte) []byte {
		return binary.BigEndian.AppendUint32(nil, crc32.Update(crc32.Checksum(head, castagnoli), castagnoli, payload))
	}},
}

// frameHead is the size of a frame's header up to its checksum.
const frameHead = 20

// frameSize returns the size of a frame's header.
func (f *format) frameSize() int { return frameHead + f.sum }

// header returns the header of the segment at start.
func (f *format) header(start Position) []byte {
	h := make([]byte, headerSize)
	copy(h, f.magic)
	binary.BigEndian.PutUint64(h[8:], uint64(start))
	binary.BigEndian.PutUint32(h[28:], crc32.Checksum(h[:28], castagnoli))
	return h
}

// formatOf returns the format of the segment at start; nil if r has no whole
// header of one.
func formatOf(r io.ReaderAt, start Position) (*format, error) {
	var h [headerSize]byte
	if _, err := r.ReadAt(h[:], 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	for _, f := range formats {
		if bytes.Equal(h[:], f.header(start)) {
			return f, nil
		}
	}
	return nil, nil
}

// seal fills the header of a frame whose payload stands in buf behind it.
func (f *format) seal(buf []byte, at Position, records int) {
	payload := buf[f.frameSize():]
	copy(buf, frameMagic)
	binary.BigEndian.PutUint32(buf[4:], uint32(len(payload)))
	binary.BigEndian.PutUint64(buf[8:], uint64(at))
	binary.BigEndian.PutUint32(buf[16:], uint32(records))
	copy(buf[frameHead:], f.checksum(buf[:frameHead], payload))
}

var errBadFrame = errors.New("bad frame")

// read reads the frame at position at into *payload and returns its number of
// records. errBadFrame means that no whole frame is there.
func (f *format) read(r io.Reader, at Position, payload *[]byte) (int, error) {
	h := make([]byte, f.frameSize())
	if _, err := io.ReadFull(r, h); err != nil {
		return 0, ended(err)
	}
	n := binary.BigEndian.Uint32(h[4:])
	if string(h[:4]) != frameMagic || Position(binary.BigEndian.Uint64(h[8:])) != at || n > maxFrame {
		return 0, errBadFrame
	}
	if cap(*payload) < int(n) {
		*payload = make([]byte, n)
	}
	*payload = (*payload)[:n]
	if _, err := io.ReadFull(r, *payload); err != nil {
		return 0, ended(err)
	}
	if !bytes.Equal(f.checksum(h[:frameHead], *payload), h[frameHead:]) {
		return 0, errBadFrame
	}
	return int(binary.BigEndian.Uint32(h[16:])), nil
}

func ended(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errBadFrame
	}
	return err
}

// within reports whether a whole frame stands anywhere in a segment's file
// from offset off on. What cannot be read may be one.
func (f *format) within(r io.ReaderAt, start Position, off int64) (bool, error) {
	const window = 1 << 20
	buf := make([]byte, window)
	var payload []byte
	for {
		n, err := r.ReadAt(buf, off)
		if err != nil && !errors.Is(err, io.EOF) {
			return false, err
		}
		chunk := buf[:n]
		for i := 0; ; i++ {
			k := bytes.Index(chunk[i:], []byte(frameMagic))
			if k < 0 {
				break
			}
			i += k
			at := off + int64(i)
			if _, err := f.read(io.NewSectionReader(r, at, 1<<62), start+Position(at), &payload); !errors.Is(err, errBadFrame) {
				return err == nil, err
			}
		}
		if n < window {
			return false, nil
		}
		off += window - int64(len(frameMagic)-1)
	}
}

// sectionReader reads a segment's file from offset off on.
func sectionReader(f io.ReaderAt, off int64) io.Reader {
	return bufio.NewReaderSize(io.NewSectionReader(f, off, 1<<62), 1<<20)
}
