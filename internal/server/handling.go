package server

import (
	"net/http"
	"sync"
)

// handling knows whether requests are being handled. http.Server's Close does
// not wait for them, and what they use is closed next.
type handling struct {
	next   http.Handler
	mu     sync.RWMutex // held, for reading, by each request
	closed bool
}

func (h *handling) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.closed {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	h.next.ServeHTTP(w, r)
}

// close waits for the requests that are being handled; none is after it.
func (h *handling) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
}
