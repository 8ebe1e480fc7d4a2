package batch

import (
	"context"
	"sync"
)

// slots lets a number of jobs work at a time, those of higher priority first.
type slots struct {
	mu      sync.Mutex
	free    int
	held    map[string]bool
	waiting []*waiter // in order of arrival
}

type waiter struct {
	name     string
	priority int
	ready    chan struct{} // closed when the slot is the waiter's
}

// take waits for a slot. A job that has one keeps it.
func (s *slots) take(ctx context.Context, name string, priority int) error {
	s.mu.Lock()
	if s.held == nil {
		s.held = make(map[string]bool)
	}
	if s.held[name] {
		s.mu.Unlock()
		return nil
	}
	w := &waiter{name: name, priority: priority, ready: make(chan struct{})}
	s.waiting = append(s.waiting, w)
	s.hand()
	s.mu.Unlock()
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, have := range s.waiting {
		if have == w {
			s.waiting = append(s.waiting[:i], s.waiting[i+1:]...)
			return ctx.Err()
		}
	}
	s.release(name) // it was handed over at the last moment
	return ctx.Err()
}

// give gives a job's slot back.
func (s *slots) give(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.release(name)
}

func (s *slots) release(name string) {
	if s.held[name] {
		delete(s.held, name)
		s.free++
		s.hand()
	}
}

// prefer changes the priority of a job that waits.
func (s *slots) prefer(name string, priority int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.waiting {
		if w.name == name {
			w.priority = priority
		}
	}
}

// hand gives free slots to those who wait. mu is held.
func (s *slots) hand() {
	for s.free > 0 && len(s.waiting) > 0 {
		best := 0
		for i, w := range s.waiting {
			if w.priority > s.waiting[best].priority {
				best = i
			}
		}
		w := s.waiting[best]
		s.waiting = append(s.waiting[:best], s.waiting[best+1:]...)
		s.free--
		s.held[w.name] = true
		close(w.ready)
	}
}
