// Package wake wakes whoever waits: for something new, or for a while.
package wake

import (
	"context"
	"sync"
	"time"
)

// Signal wakes whoever waits for something new. The zero Signal is ready for use,
// by many goroutines.
type Signal struct {
	mu     sync.Mutex
	ch     chan struct{}
	closed bool
}

// Wait returns a channel that is closed by the next Notify, and by Close.
func (s *Signal) Wait() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ch == nil {
		s.ch = make(chan struct{})
		if s.closed {
			close(s.ch)
		}
	}
	return s.ch
}

// Notify wakes all who wait.
func (s *Signal) Notify() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ch != nil && !s.closed {
		close(s.ch)
		s.ch = nil
	}
}

// Close wakes all who wait, and who will.
func (s *Signal) Close() {
	s.Notify()
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
}

// Pause waits for d; or until wake is closed, if it is not nil; or until ctx is
// done.
func Pause(ctx context.Context, d time.Duration, wake <-chan struct{}) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-wake:
	case <-ctx.Done():
	}
}

// Sleep waits for d, if there is something to wait for, or until ctx is done. It
// returns the context's error.
func Sleep(ctx context.Context, d time.Duration) error {
	if d > 0 {
		Pause(ctx, d, nil)
	}
	return ctx.Err()
}
