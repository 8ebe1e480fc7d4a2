package object

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"time"

	"twinbucket/fault"
)

// NullID is the version id of an object put while its bucket had no
// versioning, or had it suspended.
const NullID = "null"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// NewID returns a version id of 32 URL-safe characters. It holds the
// version's time, so that the version is found by its id without a second
// index, twelve random bytes, and a check by which our ids are told from
// other systems'.
func NewID(t time.Time, random [12]byte) string {
	var b [24]byte
	binary.BigEndian.PutUint64(b[:8], uint64(t.UnixNano()))
	copy(b[8:20], random[:])
	binary.BigEndian.PutUint32(b[20:], crc32.Checksum(b[:20], castagnoli))
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// IDTime returns the time held in a version id that NewID made.
func IDTime(id string) (time.Time, bool) {
	var b [24]byte
	if len(id) != 32 {
		return time.Time{}, false
	}
	if n, err := base64.RawURLEncoding.Decode(b[:], []byte(id)); err != nil || n != len(b) {
		return time.Time{}, false
	}
	if binary.BigEndian.Uint32(b[20:]) != crc32.Checksum(b[:20], castagnoli) {
		return time.Time{}, false
	}
	return time.Unix(0, int64(binary.BigEndian.Uint64(b[:8]))).UTC(), true
}

// CheckID tells version ids that no system makes from ids that may merely not
// exist here. Versions that came from other systems keep ids of other forms
// than ours, so the form is wide.
func CheckID(id string) error {
	if id == "" {
		return badID("Version id cannot be the empty string")
	}
	ok := id == NullID || len(id) >= 24 && len(id) <= 1024
	for i := 0; i < len(id) && ok; i++ {
		c := id[i]
		ok = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-'
	}
	if !ok {
		return badID("Invalid version id specified")
	}
	return nil
}

func badID(message string) error {
	return fault.New(fault.Invalid, "InvalidArgument", message).On("versionId").With("ArgumentName", "versionId")
}
