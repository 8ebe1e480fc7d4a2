package store

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
//	p POSITION          a version that waits for replication: the version's row
//	d VERSION-ID        a replica that was deleted by its version id
//	u BUCKET KEY ID     multipart upload
//	q ID NUMBER         part of an upload
//	w BUCKET KEY ID     a completed upload: the version that it became, while that is there
//	e FILE              how many bodies a file of bodies/ carries
//	c KIND NAME         catalog record
//	r POSITION          where an inline body was moved to, while compaction goes on
//
// VERSION is BUCKET 0 key 0 1 ^time(8) id, a zero byte within the key being
// written 0 255: rows sort as keys do, bytewise, and then newest first.
const (
	rowMeta    = 'm'
	rowBucket  = 'b'
	rowVersion = 'v'
	rowDetail  = 'x'
	rowID      = 'n'
	rowPending = 'p'
	rowDeleted = 'd'
	rowUpload  = 'u'
	rowPart    = 'q'
	rowDone    = 'w'
	rowFile    = 'e'
	rowRecord  = 'c'
	rowMoved   = 'r'
)

var (
	appliedRow = []byte{rowMeta, 'a'}
	formatRow  = []byte{rowMeta, 'f'}
	latestRow  = []byte{rowMeta, 'l'}
	spansRow   = []byte{rowMeta, 's'}
	keyringRow = []byte{rowMeta, 'k'}
)

const timeSize = 8

func bucketRow(name string) []byte { return append([]byte{rowBucket}, name...) }

// appendKey appends a key in its escaped form, without an end.
func appendKey(dst []byte, key string) []byte {
	for i := range len(key) {
		if dst = append(dst, key[i]); key[i] == 0 {
			dst = append(dst, 0xff)
		}
	}
	return dst
}

// keyPrefix is what all rows of one key in one bucket begin with.
func keyPrefix(dst []byte, kind byte, bucket, key string) []byte {
	dst = append(dst, kind)
	dst = append(dst, bucket...)
	dst = append(dst, 0)
	dst = appendKey(dst, key)
	return append(dst, 0, 1)
}

// versionRow is the row of one version; nanos is its time.
func versionRow(bucket, key, id string, nanos int64) []byte {
	row := make([]byte, 0, len(bucket)+len(key)+len(id)+timeSize+8)
	row = keyPrefix(row, rowVersion, bucket, key)
	row = binary.BigEndian.AppendUint64(row, ^uint64(nanos))
	return append(row, id...)
}

// row is the row of the version.
func (o *Object) row() []byte {
	return versionRow(o.Bucket, o.Key, o.ID, o.Modified.UnixNano())
}

// detailRow is the row of a version's parts and extents.
func detailRow(o *Object) []byte {
	row := o.row()
	row[0] = rowDetail
	return row
}

// idRow is the row that leads from a version's id to its time.
func idRow(bucket, key, id string) []byte {
	return append(keyPrefix(nil, rowID, bucket, key), id...)
}

// scanPrefix is what the rows of the keys that begin with prefix begin with.
func scanPrefix(kind byte, bucket, prefix string) []byte {
	row := append([]byte{kind}, bucket...)
	return appendKey(append(row, 0), prefix)
}

// splitKey returns the key in a version's or upload's row and where the row's
// time or id begins.
func splitKey(row []byte, bucket string) (key string, rest int) {
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

// after returns the first row behind all that begin with prefix; prefix does
// not consist of 255s only.
func after(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

func pendingRow(pos journal.Position) []byte {
	return binary.BigEndian.AppendUint64([]byte{rowPending}, uint64(pos))
}

func movedRow(pos journal.Position) []byte {
	return binary.BigEndian.AppendUint64([]byte{rowMoved}, uint64(pos))
}

func deletedRow(bucket, key, id string) []byte {
	return append(keyPrefix(nil, rowDeleted, bucket, key), id...)
}

func uploadRow(bucket, key, id string) []byte {
	return append(keyPrefix(nil, rowUpload, bucket, key), id...)
}

func doneRow(bucket, key, id string) []byte {
	return append(keyPrefix(nil, rowDone, bucket, key), id...)
}

func partRow(id string, number int) []byte {
	row := append([]byte{rowPart}, id...)
	return binary.BigEndian.AppendUint32(append(row, 0), uint32(number))
}

func fileRow(id uint64) []byte { return binary.BigEndian.AppendUint64([]byte{rowFile}, id) }

func recordRow(kind, name string) []byte {
	row := append([]byte{rowRecord}, kind...)
	return append(append(row, 0), name...)
}
