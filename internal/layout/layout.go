// Package layout names the rows of the store's index: which there are, and how
// each is written so that rows sort as they are read.
package layout

import (
	"bytes"
	"encoding/binary"

	"twinbucket/internal/journal"
)

// The index is one ordered space of rows; the first byte says what a row is.
//
//	m applied           position up to which the index is
//	m format            version of this layout
//	m latest            the latest time of a version: the clock goes on from it
//	m spans             what compaction of the journal is about, and has done
//	m keyring           the id of the key ring that bodies are encrypted with
//	b BUCKET            bucket
//	v VERSION           version, newest first within its key
//	x VERSION           its parts and extents, if there are many
//	n BUCKET KEY ID     the time of a version whose id does not hold it: null, mostly
//	p LANE 0 POSITION   a version that waits for replication: the version's row
//	l LANE              what of a lane waits, failed and was carried
//	d VERSION-ID        a replica that was deleted by its version id
//	u BUCKET KEY ID     multipart upload
//	q ID NUMBER         part of an upload
//	w BUCKET KEY ID     a completed upload: the version that it became, while that is there
//	e FILE              how many bodies a file of bodies/ carries
//	c KIND NAME         catalog record
//	r POSITION          where an inline body was moved to, while compaction goes on
//	o TARGET PLACE      an event that its target was not told yet
//	y TARGET            how many of these there are, and what became of the others
//
// VERSION is BUCKET 0 key 0 1 ^time(8) id, a zero byte within the key being
// written 0 255: rows sort as keys do, bytewise, and then newest first. LANE is
// SOURCE 0 DESTINATION 0 RULE.
const (
	KindMeta    = 'm'
	KindBucket  = 'b'
	KindVersion = 'v'
	KindDetail  = 'x'
	KindID      = 'n'
	KindPending = 'p'
	KindLane    = 'l'
	KindDeleted = 'd'
	KindUpload  = 'u'
	KindPart    = 'q'
	KindDone    = 'w'
	KindFile    = 'e'
	KindRecord  = 'c'
	KindMoved   = 'r'
	KindEvent   = 'o'
	KindOutbox  = 'y'
)

// The rows of the index as a whole.
var (
	Applied = []byte{KindMeta, 'a'}
	Format  = []byte{KindMeta, 'f'}
	Latest  = []byte{KindMeta, 'l'}
	Spans   = []byte{KindMeta, 's'}
	Keyring = []byte{KindMeta, 'k'}
)

// TimeSize is how many bytes a version's row has for its time.
const TimeSize = 8

// Bucket is the row of a bucket.
func Bucket(name string) []byte { return append([]byte{KindBucket}, name...) }

// appendKey appends a key in its escaped form, without an end.
func appendKey(dst []byte, key string) []byte {
	for i := range len(key) {
		if dst = append(dst, key[i]); key[i] == 0 {
			dst = append(dst, 0xff)
		}
	}
	return dst
}

// Key is what all rows of one key in one bucket begin with.
func Key(dst []byte, kind byte, bucket, key string) []byte {
	dst = append(dst, kind)
	dst = append(dst, bucket...)
	dst = append(dst, 0)
	dst = appendKey(dst, key)
	return append(dst, 0, 1)
}

// Version is the row of one version; nanos is its time.
func Version(bucket, key, id string, nanos int64) []byte {
	row := make([]byte, 0, len(bucket)+len(key)+len(id)+TimeSize+8)
	row = Key(row, KindVersion, bucket, key)
	row = binary.BigEndian.AppendUint64(row, ^uint64(nanos))
	return append(row, id...)
}

// ID is the row that leads from a version's id to its time.
func ID(bucket, key, id string) []byte {
	return append(Key(nil, KindID, bucket, key), id...)
}

// Prefix is what the rows of the keys that begin with prefix begin with.
func Prefix(kind byte, bucket, prefix string) []byte {
	row := append([]byte{kind}, bucket...)
	return appendKey(append(row, 0), prefix)
}

// SplitKey returns the key in a version's or upload's row and where the row's
// time or id begins.
func SplitKey(row []byte, bucket string) (key string, rest int) {
	start := 1 + len(bucket) + 1
	i := start
	escaped := false
	for {
		k := bytes.IndexByte(row[i:], 0)
		i += k
		if row[i+1] != 0xff {
			break
		}
		escaped = true
		i += 2
	}
	k := row[start:i]
	if escaped {
		k = bytes.ReplaceAll(k, []byte{0, 0xff}, []byte{0})
	}
	return string(k), i + 2
}

// After returns the first row behind all that begin with prefix; prefix does
// not consist of 255s only.
func After(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// Lane is the row of what goes from a bucket to another under a rule.
func Lane(source, destination, rule string) []byte {
	return appendLane(KindLane, source, destination, rule)
}

func appendLane(kind byte, source, destination, rule string) []byte {
	row := make([]byte, 0, len(source)+len(destination)+len(rule)+4+TimeSize)
	row = append(append(row, kind), source...)
	row = append(append(row, 0), destination...)
	return append(append(row, 0), rule...)
}

// Pending is the row of what waits in a lane at a place of the feed.
func Pending(source, destination, rule string, pos journal.Position) []byte {
	return binary.BigEndian.AppendUint64(append(appendLane(KindPending, source, destination, rule), 0), uint64(pos))
}

// Moved is the row of an inline body that stood at pos.
func Moved(pos journal.Position) []byte {
	return binary.BigEndian.AppendUint64([]byte{KindMoved}, uint64(pos))
}

// Deleted is the row of a replica that was deleted by its version id.
func Deleted(bucket, key, id string) []byte {
	return append(Key(nil, KindDeleted, bucket, key), id...)
}

// Upload is the row of a multipart upload.
func Upload(bucket, key, id string) []byte {
	return append(Key(nil, KindUpload, bucket, key), id...)
}

// Done is the row of an upload that was completed, or of another thing for which
// a version is made once.
func Done(bucket, key, id string) []byte {
	return append(Key(nil, KindDone, bucket, key), id...)
}

// Part is the row of one part of an upload.
func Part(id string, number int) []byte {
	row := append([]byte{KindPart}, id...)
	return binary.BigEndian.AppendUint32(append(row, 0), uint32(number))
}

// Event is the row of an event at a place of a target's outbox.
func Event(target string, place uint64) []byte {
	return binary.BigEndian.AppendUint64(Events(target), place)
}

// Events is what the rows of a target's events begin with.
func Events(target string) []byte {
	return append(append([]byte{KindEvent}, target...), 0)
}

// Outbox is the row about a target's outbox.
func Outbox(target string) []byte { return append([]byte{KindOutbox}, target...) }

// File is the row of how many bodies a file carries.
func File(id uint64) []byte { return binary.BigEndian.AppendUint64([]byte{KindFile}, id) }

// Record is the row of a catalog record.
func Record(kind, name string) []byte {
	row := append([]byte{KindRecord}, kind...)
	return append(append(row, 0), name...)
}
