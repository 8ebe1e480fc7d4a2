package checksum

import (
	"hash"
	"hash/crc32"
	"testing"

	"github.com/minio/crc64nvme"
	"pgregory.net/rapid"
)

func TestCombinedCRC(t *testing.T) {
	t.Parallel()
	sum := func(h hash.Hash, s []byte) uint64 {
		h.Write(s)
		return number(h.Sum(nil))
	}
	kinds := []struct {
		a     *Algorithm
		fresh func() hash.Hash
	}{
		{Find("crc32"), func() hash.Hash { return crc32.NewIEEE() }},
		{Find("crc32c"), func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) }},
		{Find("crc64nvme"), func() hash.Hash { return crc64nvme.New() }},
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.SliceOf(rapid.Byte()).Draw(t, "a"), rapid.SliceOf(rapid.Byte()).Draw(t, "b")
		for _, k := range kinds {
			got := k.a.crc.combine(sum(k.fresh(), a), sum(k.fresh(), b), int64(len(b)))
			if want := sum(k.fresh(), append(append([]byte(nil), a...), b...)); got != want {
				t.Fatalf("%s: %x, want %x", k.a.Name, got, want)
			}
		}
	})
}
