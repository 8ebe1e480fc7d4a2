package server

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"twinbucket/fault"
	"twinbucket/internal/config"
)

// TestTheStoreOutlivesTheRequests: a request that does not end in time is cut
// off, and still finds the store open until it has ended.
func TestTheStoreOutlivesTheRequests(t *testing.T) {
	s, err := Open(t.Context(), config.Server{Data: t.TempDir(), Listen: "127.0.0.1:0"}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	s.parts.Grace = time.Millisecond
	entered, ended, left := make(chan bool), make(chan bool), make(chan any, 1)
	s.public.handling.next = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		defer func() { left <- recover() }()
		close(entered)
		<-r.Context().Done()
		select {
		case <-ended: // without waiting for this
		case <-time.After(200 * time.Millisecond):
		}
		if _, err := s.store.Record("kind", "name"); !errors.Is(err, fault.NotFound) {
			panic(err)
		}
	})
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() {
		served <- s.Run(ctx)
		close(ended)
	}()
	go func() {
		if res, err := http.Get("http://" + s.Addr()); err == nil {
			res.Body.Close()
		}
		http.DefaultClient.CloseIdleConnections()
	}()
	<-entered
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if what := <-left; what != nil {
		t.Errorf("the request ended with %v", what)
	}
}

func TestALostListenerEndsTheServer(t *testing.T) {
	s, err := Open(t.Context(), config.Server{Data: t.TempDir(), Listen: "127.0.0.1:0"}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.public.listener.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context()); err == nil {
		t.Error("it went on")
	}
}
