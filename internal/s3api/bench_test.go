package s3api_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"testing"

	"twinbucket/internal/s3api"
	"twinbucket/internal/sigv4"
)

// discard is an answer that nobody reads.
type discard struct {
	h      http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.h }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }

// BenchmarkSmall is the door's own cost of 4 KiB objects: signature, decision,
// store in memory; without net/http's reading and writing.
func BenchmarkSmall(b *testing.B) {
	w := newWorld(b)
	w.versioned("bkt")
	door := s3api.New(s3api.Config{Store: w.store, IAM: w.iam, Region: "us-east-1", Log: slog.New(slog.DiscardHandler), Now: w.now})
	body := bytes.Repeat([]byte("x"), 4096)
	for i := range 100 {
		w.call(200, "PUT", fmt.Sprintf("/bkt/k%d", i), string(body))
	}
	for _, method := range []string{"PUT", "GET", "HEAD"} {
		b.Run(method, func(b *testing.B) {
			b.ReportAllocs()
			for i := range b.N {
				b.StopTimer()
				r, err := http.NewRequest(method, fmt.Sprintf("%s/bkt/k%d", w.url, i%100), nil)
				if err != nil {
					b.Fatal(err)
				}
				r.Host, r.RemoteAddr = r.URL.Host, "127.0.0.1:1"
				r.Body = http.NoBody
				if method == "PUT" {
					r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
				}
				sigv4.Sign(r, w.keys[source], "us-east-1", "s3", sigv4.UnsignedPayload, start)
				d := &discard{h: http.Header{}}
				b.StartTimer()
				door.ServeHTTP(d, r)
				if d.status != 200 {
					b.Fatal(d.status)
				}
			}
		})
	}
}

// BenchmarkList is a page of a thousand keys.
func BenchmarkList(b *testing.B) {
	w := newWorld(b)
	w.versioned("bkt")
	for i := range 1000 {
		w.call(200, "PUT", fmt.Sprintf("/bkt/some/prefix/key-%06d", i), "")
	}
	door := s3api.New(s3api.Config{Store: w.store, IAM: w.iam, Region: "us-east-1", Now: w.now})
	r := w.build(request{method: "GET", path: "/bkt", query: "list-type=2"})
	w.sign(r, source)
	b.ReportAllocs()
	for b.Loop() {
		d := &discard{h: http.Header{}}
		door.ServeHTTP(d, r)
		if d.status != 200 {
			b.Fatal(d.status)
		}
	}
}
