package server

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"twinbucket/fault"
)

// quantum is how many bytes a client has to send or take while the server is
// patient once: with a minute's patience about a KiB a second.
const quantum = 64 << 10

// exchange is a request being answered, to a client that must not stall.
type exchange struct {
	http.ResponseWriter
	conn     *http.ResponseController
	patience time.Duration

	body  io.ReadCloser
	begun time.Time // when the body was first read
	got   int64     // bytes of it
	limit time.Time // the connection's deadline for reading
}

// watch returns the writer and the request to go on with. The deadlines that
// it sets are those of the connection; end has to be called when the request
// has been answered.
//
// The request is a copy: the server has to find its own body in its own
// request, by which it sees that a client waits to be told to send it (Expect:
// 100-continue), and does not wait for that body before it answers.
func watch(w http.ResponseWriter, r *http.Request, patience time.Duration) (*exchange, *http.Request) {
	e := &exchange{ResponseWriter: w, conn: http.NewResponseController(w), patience: patience}
	_ = e.conn.SetWriteDeadline(time.Time{}) // the one before it was for the request before
	if r.ContentLength != 0 {
		// Also if nobody reads the body: the server skips the rest of it.
		e.readBy(time.Now().Add(patience))
		e.body = r.Body
		r = r.WithContext(r.Context())
		r.Body = &received{e}
	}
	return e, r
}

// readBy sets the connection's deadline for reading.
func (e *exchange) readBy(limit time.Time) {
	e.limit = limit
	_ = e.conn.SetReadDeadline(limit)
}

// end leaves time for what is still in the server's buffers, which may have to
// wait until patience with an unread body is at its end.
func (e *exchange) end() { _ = e.conn.SetWriteDeadline(time.Now().Add(2 * e.patience)) }

// Unwrap lets http.ResponseController through.
func (e *exchange) Unwrap() http.ResponseWriter { return e.ResponseWriter }

// Write writes p to a client that takes it.
func (e *exchange) Write(p []byte) (int, error) {
	_ = e.conn.SetWriteDeadline(time.Now().Add(e.patience * time.Duration(1+len(p)/quantum)))
	return e.ResponseWriter.Write(p)
}

// received is the body of an exchange's request.
type received struct{ *exchange }

// Read reads from a client that sends something again and again, and enough on
// the whole: else its error is a fault with AWS's code RequestTimeout.
func (b *received) Read(p []byte) (int, error) {
	now := time.Now()
	if b.begun.IsZero() {
		b.begun = now
	}
	limit := now.Add(b.patience)
	if enough := b.begun.Add(b.patience * time.Duration(1+b.got/quantum)); enough.Before(limit) {
		limit = enough
	}
	if d := limit.Sub(b.limit); d < 0 || d > b.patience/8 { // it costs as much as a small read
		b.readBy(limit)
	}
	n, err := b.body.Read(p)
	b.got += int64(n)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = fault.New(fault.Invalid, "RequestTimeout",
			"Your socket connection to the server was not read from or written to within the timeout period. Idle connections will be closed.").
			WithHint("the client stopped sending the body, or sends it too slowly")
	case err != nil:
		b.readBy(time.Time{}) // the server goes on reading
	}
	return n, err
}

// Close closes the body.
func (b *received) Close() error { return b.body.Close() }
