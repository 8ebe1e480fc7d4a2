// Package queuetest is what every driver of internal/queue must pass.
package queuetest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"twinbucket/fault"
	"twinbucket/internal/queue"
)

// Run tests a driver; make returns an empty queue that holds size tasks.
func Run(t *testing.T, open func(t *testing.T, size int) queue.Queue[int]) {
	t.Run("EachTaskOnce", func(t *testing.T) { eachTaskOnce(t, open(t, 10)) })
	t.Run("RetryComesBackLater", func(t *testing.T) { retryComesBack(t, open(t, 10)) })
	t.Run("FullQueueWaits", func(t *testing.T) { fullQueueWaits(t, open(t, 2)) })
	t.Run("CloseWakesAll", func(t *testing.T) { closeWakesAll(t, open(t, 1)) })
}

func publish(t *testing.T, q queue.Queue[int], task int) {
	t.Helper()
	if err := q.Publish(t.Context(), task); err != nil {
		t.Fatal(err)
	}
}

func receive(t *testing.T, q queue.Queue[int]) *queue.Delivery[int] {
	t.Helper()
	d, err := q.Receive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func eachTaskOnce(t *testing.T, q queue.Queue[int]) {
	const n = 1000
	var mu sync.Mutex
	seen := map[int]int{}
	ctx, done := context.WithCancel(t.Context())
	defer done()
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for {
				d, err := q.Receive(ctx)
				if err != nil {
					return
				}
				mu.Lock()
				seen[d.Task]++
				last := len(seen) == n
				mu.Unlock()
				d.Ack()
				if last {
					done()
				}
			}
		})
	}
	for i := range n {
		publish(t, q, i)
	}
	workers.Wait()
	for i, times := range seen {
		if times != 1 {
			t.Errorf("task %d was delivered %d times", i, times)
		}
	}
}

func retryComesBack(t *testing.T, q queue.Queue[int]) {
	publish(t, q, 1)
	start := time.Now()
	d := receive(t, q)
	if d.Attempt != 1 {
		t.Fatalf("attempt %d", d.Attempt)
	}
	d.Retry(20 * time.Millisecond)
	d.Ack() // the first word counts
	publish(t, q, 2)
	if d := receive(t, q); d.Task != 2 {
		t.Fatalf("task %d came before its time", d.Task)
	}
	d = receive(t, q)
	if d.Task != 1 || d.Attempt != 2 || time.Since(start) < 20*time.Millisecond {
		t.Fatalf("task %d, attempt %d after %v", d.Task, d.Attempt, time.Since(start))
	}
	d.Ack()
}

func fullQueueWaits(t *testing.T, q queue.Queue[int]) {
	publish(t, q, 1)
	publish(t, q, 2)
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := q.Publish(short, 3); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("%v", err)
	}
	d := receive(t, q)
	published := make(chan error)
	go func() { published <- q.Publish(t.Context(), 3) }()
	d.Ack()
	if err := <-published; err != nil {
		t.Fatal(err)
	}
}

func closeWakesAll(t *testing.T, q queue.Queue[int]) {
	publish(t, q, 1)
	receive(t, q)
	errs := make(chan error)
	go func() { _, err := q.Receive(t.Context()); errs <- err }()
	go func() { errs <- q.Publish(t.Context(), 2) }()
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := <-errs; !errors.Is(err, fault.Closed) {
			t.Errorf("%v", err)
		}
	}
}
