package store

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"testing"

	"twinbucket/bucket"
	"twinbucket/internal/bodies"
	"twinbucket/internal/vfs"
	"twinbucket/object"
)

func benchStore(b *testing.B) *Store {
	b.Helper()
	s, err := Open(vfs.OS(), b.TempDir(), Options{Log: quiet})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { closeStore(b, s) })
	makeBucket(b, s, "bkt", bucket.Enabled)
	makeBucket(b, s, "dst", bucket.Enabled)
	return s
}

// fill puts n objects of 4 KiB.
func fill(b *testing.B, s *Store, n int) []*Object {
	b.Helper()
	body := make([]byte, 4096)
	out := make([]*Object, n)
	var next atomic.Int64
	b.SetParallelism(32)
	done := make(chan error, 64)
	for range 64 {
		go func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					done <- nil
					return
				}
				o, err := s.Put(context.Background(), Put{Version: object.Version{Bucket: "bkt", Key: fmt.Sprintf("dir/%09d", i), Owner: owner}, Body: bytes.NewReader(body), Size: 4096})
				if err != nil {
					done <- err
					return
				}
				out[i] = o
			}
		}()
	}
	for range 64 {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	return out
}

func BenchmarkPut4K(b *testing.B) {
	s := benchStore(b)
	b.ResetTimer()
	fill(b, s, b.N)
}

func BenchmarkGet4K(b *testing.B) {
	s := benchStore(b)
	fill(b, s, 10000)
	b.ResetTimer()
	for i := range b.N {
		o, err := s.Head(context.Background(), "bkt", fmt.Sprintf("dir/%09d", i*7919%10000), "")
		if err != nil {
			b.Fatal(err)
		}
		r, err := s.Open(context.Background(), o, 0, -1)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			b.Fatal(err)
		}
		if err := r.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBody is the cost of putting a body and of reading it.
func BenchmarkBody(b *testing.B) {
	for _, size := range []int{4 << 10, 1 << 20, 16 << 20} {
		s := benchStore(b)
		body := make([]byte, size)
		put := func() *Object {
			o, err := s.Put(context.Background(), Put{Version: object.Version{Bucket: "bkt", Key: "k", Owner: owner}, Body: bytes.NewReader(body), Size: int64(size)})
			if err != nil {
				b.Fatal(err)
			}
			return o
		}
		b.Run(fmt.Sprintf("ingest-%dk", size>>10), func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				in := ingestBody(b, s, bytes.NewReader(body), int64(size))
				s.bodies.Discard(in)
			}
		})
		o := put()
		b.Run(fmt.Sprintf("get-%dk", size>>10), func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				r, err := s.Open(context.Background(), o, 0, -1)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, r); err != nil {
					b.Fatal(err)
				}
				if err := r.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// ingestBody is what a put does with a body before it is journaled.
func ingestBody(b *testing.B, s *Store, body io.Reader, size int64) *bodies.Ingested {
	in, err := s.ingest(context.Background(), body, size, object.Encryption{}, nil)
	if err != nil {
		b.Fatal(err)
	}
	return in
}

// BenchmarkListKey is the cost of one key of a listing.
func BenchmarkListKey(b *testing.B) {
	s := benchStore(b)
	fill(b, s, 20000)
	b.ResetTimer()
	for n := 0; n < b.N; {
		after := ""
		for n < b.N {
			p, err := s.List(context.Background(), "bkt", ListOptions{After: after, Max: 1000})
			if err != nil {
				b.Fatal(err)
			}
			n += len(p.Objects)
			if after = p.Next; !p.Truncated {
				break
			}
		}
	}
}

// BenchmarkReplica is the cost of one replica in the same store: its version,
// its source's status, and its share of a disk sync.
func BenchmarkReplica(b *testing.B) {
	s := benchStore(b)
	objects := fill(b, s, b.N)
	b.ResetTimer()
	for len(objects) > 0 {
		n := min(len(objects), 256)
		ds := make([]Delivery, n)
		for i, o := range objects[:n] {
			r := o.Version
			r.Bucket = "dst"
			ds[i] = Delivery{Source: o, Replica: &r, Outcome: object.Delivery{Bucket: "dst", Rule: "r", Status: object.Completed}}
		}
		if _, err := s.Deliver(context.Background(), ds); err != nil {
			b.Fatal(err)
		}
		objects = objects[n:]
	}
}
