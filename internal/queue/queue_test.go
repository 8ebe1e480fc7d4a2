package queue_test

import (
	"testing"

	"go.uber.org/goleak"

	"twinbucket/internal/queue"
	"twinbucket/internal/queue/queuetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemory(t *testing.T) {
	t.Parallel()
	queuetest.Run(t, func(_ *testing.T, size int) queue.Queue[int] { return queue.Memory[int](size) })
}
