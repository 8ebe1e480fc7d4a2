package batch

import (
	"cmp"
	"context"
	"slices"
	"sync"
)

// slots lets a number of jobs be Active at a time, those of higher priority
// first. A job that waits has one of lower priority give its slot up.
type slots struct {
	mu      sync.Mutex
	free    int
	held    []*slot   // in the order in which they were taken
	waiting []*waiter // in the order of arrival
}

// slot is held by a job that is Active.
type slot struct {
	name     string
	priority int
	asked    bool
	wanted   chan struct{} // closed when a job of higher priority waits for the slot
}

type waiter struct {
	*slot
	ready chan struct{} // closed when the slot is the waiter's
}

// try returns the slot that a job has, or a free one, or nil.
func (s *slots) try(name string, priority int) *slot {
	s.mu.Lock()
	defer s.mu.Unlock()
	if have := s.of(name); have != nil {
		return have
	}
	if s.free == 0 {
		return nil
	}
	n := newSlot(name, priority)
	s.free--
	s.held = append(s.held, n)
	return n
}

// take waits for a slot. A job that has one keeps it; one that was begun comes
// before others of its priority.
func (s *slots) take(ctx context.Context, name string, priority int, begun bool) (*slot, error) {
	s.mu.Lock()
	if have := s.of(name); have != nil {
		s.mu.Unlock()
		return have, nil
	}
	w := &waiter{slot: newSlot(name, priority), ready: make(chan struct{})}
	if begun {
		s.waiting = slices.Insert(s.waiting, 0, w)
	} else {
		s.waiting = append(s.waiting, w)
	}
	s.hand()
	s.mu.Unlock()
	select {
	case <-w.ready:
		return w.slot, nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.waiting, w); i >= 0 {
		s.waiting = slices.Delete(s.waiting, i, i+1)
	} else {
		s.release(name) // it was handed over at the last moment
	}
	return nil, ctx.Err()
}

func newSlot(name string, priority int) *slot {
	return &slot{name: name, priority: priority, wanted: make(chan struct{})}
}

// give gives a job's slot back, if it has one.
func (s *slots) give(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.release(name)
}

func (s *slots) release(name string) {
	if i := slices.IndexFunc(s.held, func(h *slot) bool { return h.name == name }); i >= 0 {
		s.held = slices.Delete(s.held, i, i+1)
		s.free++
		s.hand()
	}
}

// prefer changes the priority of a job that waits or has a slot; false: it does
// neither.
func (s *slots) prefer(name string, priority int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	which := s.of(name)
	for _, w := range s.waiting {
		if w.name == name {
			which = w.slot
		}
	}
	if which != nil {
		which.priority = priority
		s.hand()
	}
	return which != nil
}

// of returns the slot that a job has, or nil.
func (s *slots) of(name string) *slot {
	for _, h := range s.held {
		if h.name == name {
			return h
		}
	}
	return nil
}

// hand gives free slots to those who wait, and asks for others to be given up.
// mu is held.
func (s *slots) hand() {
	slices.SortStableFunc(s.waiting, func(a, b *waiter) int { return cmp.Compare(b.priority, a.priority) })
	for s.free > 0 && len(s.waiting) > 0 {
		w := s.waiting[0]
		s.waiting = s.waiting[1:]
		s.free--
		s.held = append(s.held, w.slot)
		close(w.ready)
	}
	coming := 0 // slots that were asked for already
	for _, h := range s.held {
		if h.asked {
			coming++
		}
	}
	for _, w := range s.waiting[min(coming, len(s.waiting)):] {
		last := s.last()
		if last == nil || last.priority >= w.priority {
			return
		}
		last.asked = true
		close(last.wanted)
	}
}

// last returns the slot of the lowest priority that is not asked for, of those
// the one that was taken last, or nil.
func (s *slots) last() *slot {
	var last *slot
	for _, h := range s.held {
		if !h.asked && (last == nil || h.priority <= last.priority) {
			last = h
		}
	}
	return last
}
