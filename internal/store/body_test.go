package store

import (
	"io"
	"testing"

	"twinbucket/bucket"
	"twinbucket/internal/vfs"
	"twinbucket/object"
)

// miser is a body that sees how much room there is for it.
type miser struct {
	t          testing.TB
	sent, left int
}

func (m *miser) Read(p []byte) (int, error) {
	if len(p) > 8<<10+8*m.sent {
		m.t.Errorf("after %d bytes there is room for %d more", m.sent, len(p))
	}
	if m.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), m.left, 5000)
	m.sent += n
	m.left -= n
	return n, nil
}

// A body takes memory as it arrives, not as it is announced: a client that
// says a megabyte and sends nothing costs little.
func TestRoomIsMadeAsBytesArrive(t *testing.T) {
	t.Parallel()
	s := open(t, vfs.Memory())
	defer closeStore(t, s)
	makeBucket(t, s, "bkt", bucket.Enabled)
	for _, announced := range []int64{-1, 0} {
		for _, n := range []int{0, 1, roomSizes[0], roomSizes[0] + 1, roomSizes[1], roomSizes[2] + 1, inlineMax, inlineMax + 1, 3 * inlineMax} {
			size := announced
			if size == 0 {
				size = int64(n)
			}
			o, err := s.Put(t.Context(), Put{
				Version: object.Version{Bucket: "bkt", Key: "k", Owner: owner},
				Body:    &miser{t: t, left: n}, Size: size,
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := read(t, s, o); len(got) != n {
				t.Errorf("%d bytes came back as %d", n, len(got))
			}
		}
	}
}
