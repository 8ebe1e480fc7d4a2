package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"

	"twinbucket/fault"
)

// endpoint answers the requests that come to a listener.
type endpoint struct {
	listener net.Listener // nil: there is none
	http     http.Server
	fresh    fresh
	handling handling
}

// listen binds an address that a flag names; example shows how.
func listen(ctx context.Context, address, example string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err == nil {
		return l, nil
	}
	hint := "listen on an address of this machine, as in " + example
	if errors.Is(err, syscall.EADDRINUSE) {
		flag, _, _ := strings.Cut(example, " ")
		hint = "another program uses the port; choose another with " + flag + " HOST:PORT"
	}
	return nil, &fault.Error{Op: "server.listen", Thing: address, Err: err, Hint: hint}
}

// answer has h answer the requests.
func (e *endpoint) answer(h http.Handler, log *slog.Logger) {
	e.handling.next = h
	e.http = http.Server{
		Handler: &e.handling,
		// A client that sends no headers is cut off, and so is one that stalls in
		// a body; one that sends or takes a large body slowly is not.
		ReadHeaderTimeout: 30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ConnState:         e.fresh.note,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// serve is the part that answers requests.
func (e *endpoint) serve(soft, hard context.Context) error {
	defer e.handling.close()
	served := make(chan error, 1)
	go func() { served <- e.http.Serve(e.listener) }()
	select {
	case err := <-served: // there is nothing to listen on any more
		return errors.Join(err, e.http.Close())
	case <-soft.Done():
	}
	e.fresh.close()
	err := e.http.Shutdown(hard)
	if err != nil {
		err = e.http.Close()
	}
	<-served
	return err
}

// close closes the listener, if it is still open.
func (e *endpoint) close() error {
	if e.listener == nil {
		return nil
	}
	if err := e.listener.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// maxConnections is how many connections there are at a time; more are closed.
// The store needs files to be opened, too: without them it cannot go on.
const maxConnections = 8192

// fresh knows the connections that have not sent anything yet. Clients open
// some in advance, and a shutdown would wait seconds for their first request.
// It also counts all connections.
type fresh struct {
	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	open   int
	closed bool
}

// note is the HTTP server's ConnState.
func (f *fresh) note(c net.Conn, state http.ConnState) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch state {
	case http.StateNew:
		f.open++
	case http.StateClosed, http.StateHijacked:
		f.open--
	}
	switch {
	case state != http.StateNew:
		delete(f.conns, c)
	case f.closed || f.open > maxConnections:
		c.Close()
	default:
		if f.conns == nil {
			f.conns = make(map[net.Conn]struct{})
		}
		f.conns[c] = struct{}{}
	}
}

// close closes those connections, and those that are still to come.
func (f *fresh) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for c := range f.conns {
		c.Close()
	}
}
