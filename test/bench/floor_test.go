package bench

import (
	"crypto/md5"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
)

// floor is the least that an S3 server on net/http has to do for a PUT or GET:
// the exchange, one MD5, one copy to or from a file. It checks no signature,
// decides nothing, encrypts nothing, keeps no index and does not sync.
type floor struct {
	file *os.File
	end  atomic.Int64
	keys sync.Map // of spans, by path
}

type span struct{ off, n int64 }

// serveFloor serves a floor with its file in dir until it is killed.
func serveFloor(dir string) error {
	file, err := os.Create(filepath.Join(dir, "bodies"))
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("http://%s\n", l.Addr())
	return http.Serve(l, &floor{file: file})
}

var buffers = sync.Pool{New: func() any { b := make([]byte, 64<<10); return &b }}

func (f *floor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	switch {
	case r.Method == http.MethodGet:
		v, ok := f.keys.Load(r.URL.Path)
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		s := v.(span)
		w.Header().Set("Content-Length", strconv.FormatInt(s.n, 10))
		w.Header().Set("Content-Type", "binary/octet-stream")
		for s.n > 0 {
			n, err := f.file.ReadAt((*buf)[:min(s.n, int64(len(*buf)))], s.off)
			if n == 0 {
				panic(err)
			}
			if _, err := w.Write((*buf)[:n]); err != nil {
				return
			}
			s.off, s.n = s.off+int64(n), s.n-int64(n)
		}
	case r.ContentLength > 0 && r.URL.RawQuery == "":
		s := span{f.end.Add(r.ContentLength) - r.ContentLength, r.ContentLength}
		sum := md5.New()
		for off := s.off; ; {
			n, err := r.Body.Read(*buf)
			sum.Write((*buf)[:n])
			if _, err := f.file.WriteAt((*buf)[:n], off); err != nil {
				panic(err)
			}
			off += int64(n)
			if err == io.EOF {
				break
			}
			if err != nil {
				return
			}
		}
		f.keys.Store(r.URL.Path, s)
		w.Header().Set("ETag", fmt.Sprintf("\"%x\"", sum.Sum(nil)))
	}
}
