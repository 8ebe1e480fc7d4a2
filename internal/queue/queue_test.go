package queue_test

import (
	"testing"

	"twinbucket/internal/queue"
	"twinbucket/internal/queue/queuetest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	queuetest.Run(t, func(_ *testing.T, size int) queue.Queue[int] { return queue.Memory[int](size) })
}
