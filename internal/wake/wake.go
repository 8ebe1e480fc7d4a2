// Package wake wakes whoever waits for something new.
package wake

import "sync"

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
