package store

import (
	"context"
	"encoding/binary"
	"errors"
	"io/fs"

	"twinbucket/fault"
	"twinbucket/internal/layout"
	"twinbucket/internal/scan"
	"twinbucket/object"
)

// Stats are the sizes of a store.
type Stats struct {
	Buckets  int64 `json:"buckets"`
	Versions int64 `json:"versions"` // that have a body
	Markers  int64 `json:"deleteMarkers"`
	Bytes    int64 `json:"bytes"` // sizes of the versions, shared bodies counted each time

	Pending  int64 `json:"pending"`  // versions that wait for replication
	Replicas int64 `json:"replicas"` // versions that are replicas
	Failed   int64 `json:"failed"`   // versions of which a replication failed
	Uploads  int64 `json:"uploads"`  // unfinished
	Records  int64 `json:"records"`  // roles, jobs, stacks and the like

	Journal struct {
		Segments int   `json:"segments"`
		Bytes    int64 `json:"bytes"`
		Used     int64 `json:"used"` // bodies in it that a version has
	} `json:"journal"`
	Bodies struct {
		Files int64 `json:"files"`
		Bytes int64 `json:"bytes"`
	} `json:"bodies"`
	Index struct {
		Bytes  int64 `json:"bytes"`
		Rows   int64 `json:"rows"`
		Format int   `json:"format"`
	} `json:"index"`
	Checkpoint struct {
		Bytes    int64  `json:"bytes"`
		Position uint64 `json:"position"` // 0: there is none
	} `json:"checkpoint"`
}

// Usage is what a store takes, as far as it is known without going through it.
type Usage struct {
	Buckets int
	Written uint64 // bytes that were ever appended to the journal
	Journal int64  // bytes of its segments
	Index   int64  // bytes on disk
	Full    bool   // the disk is full, and the reserve is given up
}

// Usage returns what the store takes now.
func (s *Store) Usage() Usage {
	u := Usage{Buckets: len(s.Buckets()), Written: uint64(s.journal.End()), Index: s.indexBytes(), Full: s.reserve.Short()}
	for _, seg := range s.journal.Segments() {
		u.Journal += seg.Size()
	}
	return u
}

func (s *Store) indexBytes() int64 { return int64(s.db.Metrics().DiskSpaceUsage()) }

// Stats goes through the index and counts.
func (s *Store) Stats(ctx context.Context) (*Stats, error) {
	st := new(Stats)
	c := &compaction{s: s, snap: s.db.NewSnapshot()}
	defer func() { _ = c.snap.Close() }() // of memory
	err := scan.Each(ctx, c.snap, nil, st.row)
	if err == nil {
		err = st.disk(ctx, c)
	}
	return st, fault.Wrap("store.stats", s.dir, err)
}

func (st *Stats) row(row, value []byte) error {
	st.Index.Rows++
	switch row[0] {
	case layout.KindBucket:
		st.Buckets++
	case layout.KindUpload:
		st.Uploads++
	case layout.KindRecord:
		st.Records++
	case layout.KindFile:
		st.Bodies.Files++
	case layout.KindVersion:
		o, err := readObject(value)
		if err != nil {
			return err
		}
		if o.Marker {
			st.Markers++
		} else {
			st.Versions++
		}
		st.Bytes += o.Size
		if object.Sum(o.Deliveries) == object.Pending {
			st.Pending++
		}
		switch o.Status {
		case object.Replica:
			st.Replicas++
		case object.Failed:
			st.Failed++
		}
	}
	return nil
}

// disk looks at what the files take.
func (st *Stats) disk(ctx context.Context, c *compaction) error {
	s := c.s
	segments := s.journal.Segments()
	used, err := c.measure(ctx, segments)
	if err != nil {
		return err
	}
	st.Journal.Segments = len(segments)
	for i, seg := range segments {
		st.Journal.Bytes += seg.Size()
		st.Journal.Used += used[i]
	}
	st.Index.Format = indexFormat
	st.Index.Bytes = s.indexBytes()
	all, err := s.copies.All()
	if err != nil {
		return err
	}
	if len(all) > 0 {
		st.Checkpoint.Position = uint64(all[0])
		info, err := s.fs.Stat(s.copies.File(all[0]))
		if err != nil {
			return err
		}
		st.Checkpoint.Bytes = info.Size()
	}
	return scan.Each(ctx, c.snap, []byte{layout.KindFile}, func(row, _ []byte) error {
		info, err := s.fs.Stat(s.bodies.Path(binary.BigEndian.Uint64(row[1:])))
		if errors.Is(err, fs.ErrNotExist) {
			return nil // deleted meanwhile
		}
		if err == nil {
			st.Bodies.Bytes += info.Size()
		}
		return err
	})
}
