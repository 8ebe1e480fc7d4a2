package sim

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"twinbucket/internal/queue"
	"twinbucket/internal/replicate"
)

// heldMost is how many tasks a queue holds back at most.
const heldMost = 1024

// held is a queue that holds its tasks back until the history lets them go, in
// whatever order, twice or not at all.
type held struct {
	queue.Queue[replicate.Task] // what was let go
	free                        bool

	mu    sync.Mutex
	tasks []replicate.Task
	taken chan struct{} // closed when tasks are taken out
	most  int           // that there ever were
	lost  bool
}

func hold(free bool) *held {
	return &held{Queue: queue.Memory[replicate.Task](1 << 20), free: free, taken: make(chan struct{})}
}

func (h *held) Publish(ctx context.Context, t replicate.Task) error {
	if h.free {
		return h.Queue.Publish(ctx, t)
	}
	for {
		h.mu.Lock()
		if len(h.tasks) < heldMost {
			h.tasks = append(h.tasks, t)
			h.most = max(h.most, len(h.tasks))
			h.mu.Unlock()
			return nil
		}
		taken := h.taken
		h.mu.Unlock()
		select {
		case <-taken:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// take takes a task out; which one r says. It reports whether there is one.
func (h *held) take(r uint64) (t replicate.Task, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.tasks) == 0 {
		return t, false
	}
	// Lanes come in no order.
	slices.SortFunc(h.tasks, func(a, b replicate.Task) int { return cmp.Or(a.Lane.Compare(b.Lane), cmp.Compare(a.After, b.After)) })
	i := int(r % uint64(len(h.tasks)))
	t = h.tasks[i]
	h.tasks = slices.Delete(h.tasks, i, i+1)
	close(h.taken)
	h.taken = make(chan struct{})
	return t, true
}

// release lets a task go, times over; none is lost.
func (h *held) release(ctx context.Context, r uint64, times int) (bool, error) {
	t, ok := h.take(r)
	if !ok {
		return false, nil
	}
	if times == 0 {
		h.lost = true
	}
	for range times {
		if err := h.Queue.Publish(ctx, t); err != nil {
			return false, err
		}
	}
	return true, nil
}
