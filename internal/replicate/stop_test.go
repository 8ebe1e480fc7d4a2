package replicate

import (
	"context"
	"runtime"
	"strings"
	"testing"

	"twinbucket/bucket"
	"twinbucket/internal/catalog"
	"twinbucket/internal/iam"
	"twinbucket/internal/queue"
	"twinbucket/internal/store"
	"twinbucket/internal/vfs"
	"twinbucket/object"
)

// stopping is a queue that has the engine stopped when it hands a task out.
type stopping struct {
	queue.Queue[Task]
	stop func()
}

func (q *stopping) Receive(ctx context.Context) (*queue.Delivery[Task], error) {
	d, err := q.Queue.Receive(ctx)
	if err == nil {
		q.stop()
		for range 1000 {
			runtime.Gosched() // the others end
		}
	}
	return d, err
}

// TestWhatWasBegunIsEnded: a soft stop takes no new task and ends those that
// are being worked on.
func TestWhatWasBegunIsEnded(t *testing.T) {
	t.Parallel()
	rules := new(Rules)
	s, err := store.Open(vfs.Memory(), "/data", store.Options{
		Select: func(*bucket.Bucket, *object.Version) []object.Delivery {
			return []object.Delivery{{Bucket: "none", Status: object.Pending}}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	identities, err := iam.New(catalog.New(s), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CreateBucket(t.Context(), &bucket.Bucket{Name: "src", Versioning: bucket.Enabled}); err != nil {
		t.Fatal(err)
	}
	o, err := s.Put(t.Context(), store.Put{Version: object.Version{Bucket: "src", Key: "k"}, Body: strings.NewReader("x"), Size: 1})
	if err != nil {
		t.Fatal(err)
	}
	e := New(Config{Store: s, IAM: identities, Rules: rules, Workers: 4})
	soft, stop := context.WithCancel(t.Context())
	e.queue = &stopping{e.queue, stop}
	if err := e.Run(soft, context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	if o, err = s.Head(t.Context(), "src", "k", o.ID); err != nil || o.Status != object.Failed {
		t.Errorf("%+v, %v", o, err)
	}
}
