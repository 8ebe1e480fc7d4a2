// Package queue carries tasks from those who find work to those who do it.
//
// It is transport and never truth: a queue may lose everything, and whoever
// fills it can fill it again. A task is delivered at least once; one that is
// not acknowledged comes back.
package queue

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"twinbucket/fault"
)

// Queue carries tasks of one type. Its methods may be called from any goroutine.
type Queue[T any] interface {
	// Publish adds a task; it waits while the queue is full.
	Publish(ctx context.Context, task T) error
	// Receive waits for a task.
	Receive(ctx context.Context) (*Delivery[T], error)
	// Close ends the queue; those who wait get fault.Closed.
	Close() error
}

// Delivery is a task in the hands of a worker, who must end it with one of
// Ack and Retry.
type Delivery[T any] struct {
	Task    T
	Attempt int // 1 at first
	end     func(again bool, delay time.Duration)
}

// Ack says that the task is done.
func (d *Delivery[T]) Ack() { d.end(false, 0) }

// Retry gives the task back, to be delivered again after delay.
func (d *Delivery[T]) Retry(delay time.Duration) { d.end(true, delay) }

// memory is the queue within one process.
type memory[T any] struct {
	mu      sync.Mutex
	size    int
	ready   []*item[T]
	delayed byTime[T]
	out     int // delivered and not ended
	closed  bool
	changed chan struct{} // closed at each change
}

type item[T any] struct {
	task    T
	attempt int
	due     time.Time
}

// Memory returns a queue within this process that holds up to size tasks,
// those that are being worked on included.
func Memory[T any](size int) Queue[T] {
	return &memory[T]{size: size, changed: make(chan struct{})}
}

var errClosed = &fault.Error{Op: "queue", Kind: fault.Closed}

// change wakes those who wait; mu is held.
func (q *memory[T]) change() {
	close(q.changed)
	q.changed = make(chan struct{})
}

func (q *memory[T]) Publish(ctx context.Context, task T) error {
	for {
		q.mu.Lock()
		if q.closed {
			q.mu.Unlock()
			return errClosed
		}
		if len(q.ready)+len(q.delayed)+q.out < q.size {
			q.ready = append(q.ready, &item[T]{task: task})
			q.change()
			q.mu.Unlock()
			return nil
		}
		changed := q.changed
		q.mu.Unlock()
		if err := await(ctx, changed, 0); err != nil {
			return err
		}
	}
}

func (q *memory[T]) Receive(ctx context.Context) (*Delivery[T], error) {
	for {
		q.mu.Lock()
		if q.closed {
			q.mu.Unlock()
			return nil, errClosed
		}
		it, wait := q.take(time.Now())
		changed := q.changed
		q.mu.Unlock()
		if it != nil {
			return q.deliver(it), nil
		}
		if err := await(ctx, changed, wait); err != nil {
			return nil, err
		}
	}
}

// await waits for a change, for delay if it is not 0, and for ctx.
func await(ctx context.Context, changed <-chan struct{}, delay time.Duration) error {
	var due <-chan time.Time
	if delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-changed:
	case <-due:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// take removes the next task that is due; if there is none it returns how long
// until one is, 0 if none waits. mu is held.
func (q *memory[T]) take(now time.Time) (*item[T], time.Duration) {
	var it *item[T]
	switch {
	case len(q.delayed) > 0 && !q.delayed[0].due.After(now):
		it = heap.Pop(&q.delayed).(*item[T])
	case len(q.ready) > 0:
		it, q.ready = q.ready[0], q.ready[1:]
	case len(q.delayed) > 0:
		return nil, q.delayed[0].due.Sub(now)
	default:
		return nil, 0
	}
	q.out++
	it.attempt++
	return it, 0
}

func (q *memory[T]) deliver(it *item[T]) *Delivery[T] {
	var once sync.Once
	return &Delivery[T]{Task: it.task, Attempt: it.attempt, end: func(again bool, delay time.Duration) {
		once.Do(func() {
			q.mu.Lock()
			defer q.mu.Unlock()
			q.out--
			if again {
				it.due = time.Now().Add(delay)
				heap.Push(&q.delayed, it)
			}
			q.change()
		})
	}}
}

func (q *memory[T]) Close() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.closed = true
		q.change()
	}
	return nil
}

// byTime is a heap of tasks by when they are due.
type byTime[T any] []*item[T]

func (b byTime[T]) Len() int           { return len(b) }
func (b byTime[T]) Less(i, j int) bool { return b[i].due.Before(b[j].due) }
func (b byTime[T]) Swap(i, j int)      { b[i], b[j] = b[j], b[i] }
func (b *byTime[T]) Push(x any)        { *b = append(*b, x.(*item[T])) }
func (b *byTime[T]) Pop() any {
	last := (*b)[len(*b)-1]
	*b = (*b)[:len(*b)-1]
	return last
}
