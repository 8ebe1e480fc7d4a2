package server

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"twinbucket/fault"
)

// impatient serves the S3 door given, with little patience.
func impatient(t *testing.T, door http.HandlerFunc) string {
	t.Helper()
	srv := httptest.NewServer(&dispatcher{s3: door, patience: 50 * time.Millisecond})
	t.Cleanup(srv.Close)
	return srv.Listener.Addr().String()
}

// talk opens a connection and sends text over it.
func talk(t *testing.T, addr, text string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	return c
}

const halfBody = "PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nabc"

// A client that stops in the middle of a body is cut off, whether or not the
// door reads that body.
func TestHalfBody(t *testing.T) {
	for name, door := range map[string]http.HandlerFunc{
		"read": func(w http.ResponseWriter, r *http.Request) {
			_, err := io.ReadAll(r.Body)
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, fault.CodeOf(err))
		},
		"not read": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, "RequestTimeout")
		},
	} {
		answer, err := io.ReadAll(talk(t, impatient(t, door), halfBody))
		if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") || !strings.HasSuffix(string(answer), "RequestTimeout") {
			t.Errorf("%s: %q, %v", name, answer, err)
		}
	}
}

// A client that waits with its body is told at once that it is not wanted.
func TestRefusedBeforeTheBody(t *testing.T) {
	for name, door := range map[string]http.HandlerFunc{
		"short": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) },
		"long": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write(make([]byte, 64<<10))
		},
		"nothing": func(http.ResponseWriter, *http.Request) {},
	} {
		srv := httptest.NewServer(&dispatcher{s3: door, patience: time.Hour})
		c := talk(t, srv.Listener.Addr().String(), "PUT /b/k HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n\r\n")
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		answer, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || !answer.Close {
			t.Errorf("%s: %+v, %v", name, answer, err)
		}
		c.Close() // else the server would wait for the body after all
		srv.Close()
	}
}

// The deadlines of a request do not outlive it: a connection may be idle for
// longer than the server is patient.
func TestDeadlinesAreTakenBack(t *testing.T) {
	d := &deadlines{ResponseRecorder: httptest.NewRecorder(), read: time.Now(), write: time.Now()}
	r := httptest.NewRequest(http.MethodPut, "/b/k", strings.NewReader("abc"))
	e, r := watch(d, r, time.Minute)
	if time.Until(d.read) < 50*time.Second || !d.write.IsZero() {
		t.Errorf("at first: read until %v, write until %v", d.read, d.write)
	}
	if _, err := io.Copy(e, r.Body); err != nil || !d.read.IsZero() || time.Until(d.write) < 50*time.Second {
		t.Errorf("with everything read: %v, read until %v, write until %v", err, d.read, d.write)
	}
	if e.end(); time.Until(d.write) < 110*time.Second {
		t.Errorf("at the end: write until %v", d.write)
	}
	d.read = time.Time{}
	if _, _ = watch(d, httptest.NewRequest(http.MethodGet, "/b/k", nil), time.Minute); !d.read.IsZero() || !d.write.IsZero() {
		t.Errorf("the next request: read until %v, write until %v", d.read, d.write)
	}
}

// A client that does not take the answer does not hold the door for ever.
func TestAnswerNotTaken(t *testing.T) {
	ended := make(chan error, 1)
	addr := impatient(t, func(w http.ResponseWriter, _ *http.Request) {
		buf := make([]byte, 4<<10)
		for {
			if _, err := w.Write(buf); err != nil {
				ended <- err
				return
			}
		}
	})
	talk(t, addr, "GET /b/k HTTP/1.1\r\nHost: h\r\n\r\n")
	if err := <-ended; err == nil {
		t.Error("no error")
	}
}

// A client that sends a byte now and then must send enough on the whole.
func TestTrickle(t *testing.T) {
	limits := &deadlines{ResponseRecorder: httptest.NewRecorder()}
	r := httptest.NewRequest(http.MethodPut, "/b/k", strings.NewReader(strings.Repeat("x", quantum+1)))
	e, r := watch(limits, r, time.Minute)
	e.begun = time.Now().Add(-time.Hour)
	if _, err := r.Body.Read(make([]byte, quantum)); err != nil {
		t.Fatal(err)
	}
	if left := time.Until(limits.read); left > -58*time.Minute {
		t.Errorf("after an hour without a byte it has %v", left)
	}
	if _, err := r.Body.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if left := time.Until(limits.read); left > -57*time.Minute || left < -59*time.Minute {
		t.Errorf("after %d bytes in an hour it has %v", quantum, left)
	}
}

// deadlines notes the deadlines that are set.
type deadlines struct {
	*httptest.ResponseRecorder
	read, write time.Time
}

func (d *deadlines) SetWriteDeadline(t time.Time) error {
	d.write = t
	return nil
}

func (d *deadlines) SetReadDeadline(t time.Time) error {
	d.read = t
	return nil
}

func TestTooManyConnections(t *testing.T) {
	var f fresh
	open := func() net.Conn {
		c, other := net.Pipe()
		t.Cleanup(func() { c.Close(); other.Close() })
		f.note(c, http.StateNew)
		return other
	}
	first := open()
	f.open = maxConnections
	if _, err := open().Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("one too many: %v", err)
	}
	f.note(first, http.StateClosed)
	f.note(first, http.StateClosed)
	last := open()
	_ = last.SetReadDeadline(time.Now())
	if _, err := last.Read(make([]byte, 1)); err == io.EOF {
		t.Error("closed although there is room again")
	}
}
