package server

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"twinbucket/bucket"
	"twinbucket/internal/config"
)

// public serves with a bucket that anybody may write to and read.
func public(t *testing.T) *Server {
	t.Helper()
	s := start(t, config.Server{Data: t.TempDir()})
	err := s.store.CreateBucket(t.Context(), &bucket.Bucket{
		Name: "bkt", Owner: s.Accounts()[0].ID, Region: "us-east-1",
		Documents: map[bucket.Document][]byte{bucket.Policy: []byte(
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::bkt","arn:aws:s3:::bkt/*"]}]}`)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// exchangeRaw sends text and returns the answers up to the end of the
// connection. It closes it for writing behind a body, and else leaves that to
// the server: a client that is half gone may not be answered.
func exchangeRaw(t *testing.T, s *Server, text string) string {
	t.Helper()
	c := talk(t, s.Addr(), "")
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	go func() {
		_, _ = io.WriteString(c, text)
		if strings.Contains(text, "Content-Length: ") {
			_ = c.(*net.TCPConn).CloseWrite()
		}
	}()
	answer, _ := io.ReadAll(c) // a reset after the answer is no matter
	return string(answer)
}

// TestHostileRequests: each is answered in words, or cut off, and leaves
// nothing behind.
func TestHostileRequests(t *testing.T) {
	s := public(t)
	const h = "Host: localhost\r\nConnection: close\r\n"
	put := func(more string) string { return "PUT /bkt/k HTTP/1.1\r\n" + h + more }
	for _, c := range []struct{ name, text, want string }{
		{"trace", "TRACE /bkt/k HTTP/1.1\r\n" + h + "\r\n", "HTTP/1.1 405 "},
		{"connect", "CONNECT bkt:80 HTTP/1.1\r\n" + h + "\r\n", "HTTP/1.1 "},
		{"odd method", "BREW /bkt/k HTTP/1.1\r\n" + h + "\r\n", "HTTP/1.1 405 "},
		{"star", "OPTIONS * HTTP/1.1\r\n" + h + "\r\n", "HTTP/1.1 "},
		{"no host", "GET /bkt/k HTTP/1.1\r\nConnection: close\r\n\r\n", "HTTP/1.1 400 "},
		{"two hosts", "GET /bkt/k HTTP/1.1\r\n" + h + h + "\r\n", "HTTP/1.1 400 "},
		{"http 1.0", "GET /bkt/k HTTP/1.0\r\n\r\n", "HTTP/1.0 404 "},
		{"http 3", "GET /bkt/k HTTP/3.0\r\n\r\n", "HTTP/1.1 505 "},
		{"no http", "hello\r\n\r\n", "HTTP/1.1 400 "},
		{"tls", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "HTTP/1.1 400 "},
		{"great header", "GET /bkt/k HTTP/1.1\r\n" + h + "X: " + strings.Repeat("x", 200<<10) + "\r\n\r\n", "HTTP/1.1 431 "},
		{"great request line", "GET /" + strings.Repeat("x", 200<<10) + " HTTP/1.1\r\n" + h + "\r\n", "HTTP/1.1 431 "},
		{"header injection", "GET /bkt/k HTTP/1.1\r\n" + h + "X-Amz-Meta-A: a\rX-Evil: 1\r\n\r\n", "HTTP/1.1 400 "},
		{"nul in a header", "GET /bkt/k HTTP/1.1\r\n" + h + "X-Amz-Meta-A: a\x00b\r\n\r\n", "HTTP/1.1 400 "},
		{"space before the colon", "GET /bkt/k HTTP/1.1\r\n" + h + "X-Amz-Meta-A : a\r\n\r\n", "HTTP/1.1 400 "},
		{"line end in the answer", "GET /bkt?location&x=%0d%0aX-Evil:1 HTTP/1.1\r\n" + h + "\r\n", "HTTP/1.1 "},
		{"broken escape", "GET /bkt/%zz HTTP/1.1\r\n" + h + "\r\n", "HTTP/1.1 400 "},
		{"metadata", put("X-Amz-Meta-A: " + strings.Repeat("x", 2100) + "\r\nContent-Length: 1\r\n\r\na"), "MetadataTooLarge"},
		{"two lengths", put("Content-Length: 1\r\nContent-Length: 2\r\n\r\na"), "HTTP/1.1 400 "},
		{"negative length", put("Content-Length: -1\r\n\r\na"), "HTTP/1.1 400 "},
		{"length in words", put("Content-Length: +5\r\n\r\nabcde"), "HTTP/1.1 400 "},
		{"length and chunks", put("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), "HTTP/1.1 "},
		{"another coding", put("Transfer-Encoding: gzip\r\n\r\na"), "HTTP/1.1 501 "},
		{"chunks alone", put("Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"), "HTTP/1.1 501 "},
		{"half a body", put("Content-Length: 10\r\n\r\nabc"), "IncompleteBody"},
		{"half a large body", put("Content-Length: 9000000\r\n\r\n" + strings.Repeat("x", 3<<20)), "IncompleteBody"},
		{"half a chunk", put("x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\r\nx-amz-decoded-content-length: 5\r\nContent-Length: 100\r\n\r\n5\r\nab"), "IncompleteBody"},
		{"a great chunk header", put("x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\r\nx-amz-decoded-content-length: 5\r\nContent-Length: 20000\r\n\r\n" + strings.Repeat("5", 20000)), "IncompleteBody"},
		{"another expectation", put("Expect: 200-ok\r\nContent-Length: 1\r\n\r\na"), "HTTP/1.1 417 "},
		{"entities", "PUT /bkt?tagging HTTP/1.1\r\n" + h + "Content-Length: 81\r\n\r\n" + `<!DOCTYPE t [<!ENTITY a "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa">]><Tagging>&a;</T>`[:81], "MalformedXML"},
		{"metrics, posted", "POST /_twinbucket/metrics HTTP/1.1\r\n" + h + "Content-Length: 0\r\n\r\n", "HTTP/1.1 405 "},
		{"health, posted", "POST /_twinbucket/health HTTP/1.1\r\n" + h + "Content-Length: 0\r\n\r\n", "HTTP/1.1 405 "},
	} {
		answer := exchangeRaw(t, s, c.text)
		if !strings.Contains(answer, c.want) || strings.Contains(answer, "HTTP/1.1 500 ") || strings.Contains(answer, "\r\nX-Evil") {
			t.Errorf("%s: %.300q, want %s", c.name, answer, c.want)
		}
		if c.name == "another expectation" {
			continue
		}
		if after := exchangeRaw(t, s, "GET /bkt/k HTTP/1.1\r\n"+h+"\r\n"); !strings.HasPrefix(after, "HTTP/1.1 404 ") {
			t.Fatalf("%s left an object: %.200q", c.name, after)
		}
	}
}

// TestPipelined: answers come in the order of the requests, and junk behind
// them ends the connection.
func TestPipelined(t *testing.T) {
	s := public(t)
	const h = " HTTP/1.1\r\nHost: localhost\r\n"
	answer := exchangeRaw(t, s, "PUT /bkt/a"+h+"content-length: 3\r\n\r\nabc"+"GET /bkt/a"+h+"\r\n"+"GET /bkt/none"+h+"\r\n"+"junk\r\n\r\n"+"PUT /bkt/b"+h+"content-length: 0\r\n\r\n")
	r := bufio.NewReader(strings.NewReader(answer))
	for i, want := range []int{200, 200, 404, 400} {
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("answer %d: %v\n%s", i, err, answer)
		}
		body, _ := io.ReadAll(res.Body)
		if res.StatusCode != want || i == 1 && string(body) != "abc" {
			t.Errorf("answer %d: %d %s", i, res.StatusCode, body)
		}
	}
	if after := exchangeRaw(t, s, "GET /bkt/b"+h+"Connection: close\r\n\r\n"); !strings.HasPrefix(after, "HTTP/1.1 404 ") {
		t.Errorf("what came behind the junk was taken: %s", after)
	}
}

// TestRefusedBodies: a connection goes on after a refused request if its body
// was small enough to be passed over, and says so if it does not.
func TestRefusedBodies(t *testing.T) {
	s := public(t)
	for _, c := range []struct {
		size  int
		close bool
	}{{100, false}, {10 << 20, true}} {
		conn := talk(t, s.Addr(), "")
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		go func() {
			_, _ = fmt.Fprintf(conn, "PUT /nobucket/k HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", c.size, strings.Repeat("x", c.size))
		}()
		r := bufio.NewReader(conn)
		res, err := http.ReadResponse(r, nil)
		if err != nil || res.StatusCode != 404 || res.Close != c.close || res.Header.Get("X-Amz-Request-Id") == "" || res.Header.Get("X-Amz-Id-2") == "" {
			t.Errorf("%d bytes: %+v, %v", c.size, res, err)
			continue
		}
		if c.close {
			continue
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_, _ = io.WriteString(conn, "HEAD /bkt/none HTTP/1.1\r\nHost: localhost\r\n\r\nGET /bkt/none HTTP/1.1\r\nHost: localhost\r\n\r\n")
		for _, method := range []string{"HEAD", "GET"} {
			res, err = http.ReadResponse(r, &http.Request{Method: method})
			if err != nil || res.StatusCode != 404 {
				t.Fatalf("%s after it: %+v, %v", method, res, err)
			}
			if body, _ := io.ReadAll(res.Body); (len(body) == 0) != (method == "HEAD") {
				t.Errorf("%s: %q", method, body)
			}
		}
	}
}

// TestHalfBodiesTakeLittle: many clients that announce a megabyte, or send a
// form, and stall.
func TestHalfBodiesTakeLittle(t *testing.T) {
	s := public(t)
	const clients = 400
	memory := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapInuse + m.StackInuse)
	}
	before := memory()
	for i := range clients {
		text := "PUT /bkt/half HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1048576\r\n\r\n" + strings.Repeat("x", 100)
		if i%2 == 1 {
			text = "POST /bkt HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1048576\r\nContent-Type: multipart/form-data; boundary=b\r\n\r\n" +
				"--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nhalf\r\n--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n" + strings.Repeat("x", 100)
		}
		talk(t, s.Addr(), text)
	}
	// The last one has been taken up when another is answered behind it.
	for range 3 {
		exchangeRaw(t, s, "GET /bkt/half HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	}
	if each := (memory() - before) / clients; each > 64<<10 {
		t.Errorf("each client takes %d KiB", each>>10)
	}
}

// FuzzRequestLine: whatever net/http takes for a request has a well-formed
// answer.
func FuzzRequestLine(f *testing.F) {
	s, err := Open(f.Context(), config.Server{Data: f.TempDir(), Listen: "127.0.0.1:0"}, quiet)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = s.Close() })
	for _, line := range []string{
		"GET / HTTP/1.1", "PUT /bkt//k?acl&x=%20+ HTTP/1.1", "GET http://bkt.s3.amazonaws.com/../k HTTP/1.1", "CONNECT a:1 HTTP/1.1", "OPTIONS * HTTP/1.1",
		"POST /v20180820/jobs HTTP/1.1", "GET /%ff%00/.. HTTP/1.0", "HEAD //?X-Amz-Signature=1 HTTP/1.1", "GET /?AWSAccessKeyId=1 HTTP/1.1", "POST /?Action=X HTTP/1.1",
	} {
		f.Add(line, "localhost", "")
	}
	f.Add("GET / HTTP/1.1", "111111111111.localhost", "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature="+strings.Repeat("0", 64))
	f.Fuzz(func(t *testing.T, line, host, authorization string) {
		text := line + "\r\nHost: " + host + "\r\n"
		if authorization != "" {
			text += "Authorization: " + authorization + "\r\n"
		}
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text + "\r\n")))
		if err != nil {
			return
		}
		r.RemoteAddr = "127.0.0.1:1"
		w := httptest.NewRecorder()
		s.public.http.Handler.ServeHTTP(w, r)
		if w.Code < 200 || w.Code > 599 || w.Code == 500 {
			t.Errorf("%q: %d %s", text, w.Code, w.Body)
		}
		if w.Code >= 400 && r.Method != "HEAD" && w.Header().Get("Content-Type") == "application/xml" {
			if err := xml.Unmarshal(w.Body.Bytes(), new(struct{ Code string })); err != nil {
				t.Errorf("%q: %v: %s", text, err, w.Body)
			}
		}
	})
}
