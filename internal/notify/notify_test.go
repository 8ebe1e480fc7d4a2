package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"twinbucket/bucket"
	"twinbucket/internal/event"
	"twinbucket/internal/outbox"
	"twinbucket/internal/store"
	"twinbucket/internal/vfs"
	"twinbucket/internal/wake"
	"twinbucket/object"
	"twinbucket/rule"
)

func TestMain(m *testing.M) {
	const pebble = "github.com/cockroachdb/pebble/v2"
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(pebble+".(*ConcurrencyLimitScheduler).periodicGranter"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"))
}

const (
	goodARN = "arn:aws:sqs:us-east-1:111111111111:good"
	badARN  = "arn:aws:sns:us-east-1:111111111111:bad"
)

// tells is a notification document that tells of all there is.
func tells(target string) string {
	kind, element := "Queue", "QueueConfiguration"
	if strings.Contains(target, ":sns:") {
		kind, element = "Topic", "TopicConfiguration"
	}
	events := ""
	for _, e := range []string{"ObjectCreated:*", "ObjectRemoved:*", "Replication:*", "LifecycleExpiration:*", "ObjectTagging:*", "ObjectAcl:Put"} {
		events += "<Event>s3:" + e + "</Event>"
	}
	return "<NotificationConfiguration><" + element + "><Id>all</Id><" + kind + ">" + target + "</" + kind + ">" + events + "</" + element + "></NotificationConfiguration>"
}

// world is a store with buckets that tell targets.
type world struct {
	t   *testing.T
	fs  vfs.Mem
	s   *store.Store
	mu  sync.Mutex
	now time.Time
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, fs: vfs.Memory(), now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	w.open()
	t.Cleanup(func() { w.must(w.s.Close()) })
	return w
}

func (w *world) open() {
	var err error
	w.s, err = store.Open(w.fs, "/data", store.Options{Tell: new(Teller).Tell, Select: wants, Now: w.clock, Log: slog.New(slog.DiscardHandler), CacheSize: 1 << 20})
	w.must(err)
}

// wants sends what is put into src to dst.
func wants(b *bucket.Bucket, v *object.Version) []object.Delivery {
	if b.Name != "src" {
		return nil
	}
	return []object.Delivery{{Bucket: "dst", Rule: "r", Status: object.Pending, Time: v.Modified}}
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) bucket(name, doc string) {
	w.t.Helper()
	w.must(w.s.CreateBucket(w.t.Context(), &bucket.Bucket{
		Name: name, Owner: "111111111111", Region: "us-east-1", Versioning: bucket.Enabled,
		Documents: map[bucket.Document][]byte{bucket.Notification: []byte(doc)},
	}))
}

func (w *world) put(name, key string) *store.Object {
	w.t.Helper()
	o, err := w.s.Put(w.t.Context(), store.Put{Version: object.Version{Bucket: name, Key: key}})
	w.must(err)
	return o
}

// run runs an engine until stop is called.
func (w *world) run(c Config) (e *Engine, stop func()) {
	c.Store, c.Now, c.Log = w.s, w.clock, slog.New(slog.DiscardHandler)
	if c.Wait == nil {
		c.Wait = func(ctx context.Context, _ time.Duration, until <-chan struct{}) {
			wake.Pause(ctx, time.Millisecond, until)
		}
	}
	e = New(c)
	soft, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	done := make(chan error)
	go func() { done <- e.Run(soft, context.WithoutCancel(soft)) }()
	return e, func() {
		cancel()
		w.must(<-done)
	}
}

// told waits until a target was told of so many events, or they were dropped.
func (w *world) box(target string, done func(outbox.Box) bool) outbox.Box {
	w.t.Helper()
	until := time.Now().Add(time.Minute)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		boxes, err := w.s.Outboxes()
		w.must(err)
		for _, x := range boxes {
			if x.Target == target && done(x) {
				return x
			}
		}
		if time.Now().After(until) {
			w.t.Fatalf("%+v", boxes)
		}
		<-tick.C
	}
}

func empty(x outbox.Box) bool { return x.Waiting == 0 }

// fake is a target that keeps what it gets, unless it refuses.
type fake struct {
	refuse func(n int) error // the n-th message

	mu     sync.Mutex
	n      int
	keys   []string
	ids    map[string]bool
	closed bool
}

func (f *fake) Send(ctx context.Context, id string, message []byte) error {
	f.mu.Lock()
	f.n++
	n := f.n
	f.mu.Unlock()
	if f.refuse != nil {
		if err := f.refuse(n); err != nil {
			return err
		}
	}
	var m struct {
		Records []struct {
			S3 struct {
				Object struct{ Key, Sequencer string }
			}
		}
	}
	if err := json.Unmarshal(message, &m); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ids == nil {
		f.ids = map[string]bool{}
	}
	if f.ids[id] {
		return nil // it came twice, which it may
	}
	f.ids[id] = true
	f.keys = append(f.keys, m.Records[0].S3.Object.Key+" "+m.Records[0].S3.Object.Sequencer)
	return nil
}

func (f *fake) Close() { f.closed = true }

// ordered reports whether the events of each key came in their order.
func (f *fake) ordered() error {
	last := map[string]string{}
	for _, k := range f.keys {
		key, sequencer, _ := strings.Cut(k, " ")
		if sequencer <= last[key] {
			return fmt.Errorf("%s after %s of %s", sequencer, last[key], key)
		}
		last[key] = sequencer
	}
	return nil
}

// TestTargetsThatFail: whatever a target does, it is told everything in the
// end, of each key in order, and a good one is told meanwhile.
func TestTargetsThatFail(t *testing.T) {
	t.Parallel()
	const events = 3 * page / 2
	broken := errors.New("broken")
	for name, refuse := range map[string]func(n int) error{
		"refuses at first":    func(n int) error { return when(n < 20, broken) },
		"refuses each third":  func(n int) error { return when(n%3 == 0, broken) },
		"fails after a while": func(n int) error { return when(n > 100 && n < 300, broken) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.bucket("one", tells(goodARN))
			w.bucket("two", tells(badARN))
			good, bad := &fake{}, &fake{refuse: refuse}
			e, stop := w.run(Config{Targets: map[string]Target{goodARN: good, badARN: bad}})
			for i := range events {
				w.put("one", fmt.Sprint(i%7))
				w.put("two", fmt.Sprint(i%7))
			}
			w.box(goodARN, empty)
			x := w.box(badARN, empty)
			stop()
			if x.Told != events || x.Dropped != 0 || len(bad.ids) != events || len(good.ids) != events {
				t.Errorf("%+v, %d and %d came", x, len(bad.ids), len(good.ids))
			}
			if err := errors.Join(good.ordered(), bad.ordered()); err != nil {
				t.Error(err)
			}
			if len(e.Troubles()) != 0 || !good.closed || !bad.closed {
				t.Errorf("%+v", e.Troubles())
			}
		})
	}
}

func when(yes bool, err error) error {
	if yes {
		return err
	}
	return nil
}

// TestADeadTargetDelaysNobody: a target that hangs, and one that answers 500,
// keep no other waiting; who looks sees why they are not told.
func TestADeadTargetDelaysNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dead, _ := answering(t, http.StatusInternalServerError)
	targets := map[string]Target{goodARN: &fake{}, badARN: dial(t, dead.URL)}
	w.bucket("one", tells(goodARN))
	w.bucket("two", tells(badARN))
	for i := range 10 {
		w.put("two", fmt.Sprint(i))
	}
	e, stop := w.run(Config{Targets: targets})
	w.put("one", "k")
	w.box(goodARN, empty)
	for e.Troubles()[badARN].Cause == "" {
		w.pass(time.Nanosecond)
	}
	stop()
	if tr := e.Troubles()[badARN]; !strings.Contains(tr.Cause, "500") || tr.Since.IsZero() || len(e.Troubles()) != 1 {
		t.Errorf("%+v", e.Troubles())
	}
	if x := w.box(badARN, func(outbox.Box) bool { return true }); x.Waiting != 10 {
		t.Errorf("%+v", x)
	}
}

// TestToldAtTheEnd: a target that is told while the engine stops is in no trouble
// any more.
func TestToldAtTheEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bucket("one", tells(goodARN))
	w.put("one", "k")
	soft, stop := context.WithCancel(t.Context())
	e := New(Config{
		Store: w.s, Now: w.clock, Log: slog.New(slog.DiscardHandler), Wait: func(context.Context, time.Duration, <-chan struct{}) {},
		Targets: map[string]Target{goodARN: &fake{refuse: func(n int) error {
			if n == 1 {
				return errors.New("broken")
			}
			stop()
			return nil
		}}},
	})
	w.must(e.Run(soft, t.Context()))
	w.box(goodARN, empty)
	if len(e.Troubles()) != 0 {
		t.Errorf("%+v", e.Troubles())
	}
}

// hanging is a target that takes nothing, and says when it was asked to.
type hanging struct{ asked chan struct{} }

func (h hanging) Send(ctx context.Context, _ string, _ []byte) error {
	h.asked <- struct{}{}
	<-ctx.Done()
	return ctx.Err()
}

func (hanging) Close() {}

// TestKilledWhileTelling: what was on its way when the power failed is told by
// the next process.
func TestKilledWhileTelling(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bucket("one", tells(goodARN))
	for i := range 20 {
		w.put("one", fmt.Sprint(i%3))
	}
	h := hanging{make(chan struct{}, 100)}
	e := New(Config{Store: w.s, Targets: map[string]Target{goodARN: h}, Now: w.clock, Log: slog.New(slog.DiscardHandler)})
	killed, kill := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- e.Run(killed, killed) }()
	<-h.asked
	after := w.fs.Crash(0, nil)
	kill()
	w.must(<-done)
	w.must(w.s.Close())
	w.fs = after
	w.open()
	good := &fake{}
	_, stop := w.run(Config{Targets: map[string]Target{goodARN: good}})
	w.box(goodARN, empty)
	stop()
	if err := good.ordered(); err != nil || len(good.ids) != 20 {
		t.Errorf("%d came, %v", len(good.ids), err)
	}
}

// TestWhatIsGivenUp: events wait for a target for so long, and so many do;
// also those for which no target stands. They are counted.
func TestWhatIsGivenUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bucket("one", tells(goodARN))
	w.bucket("two", tells(badARN))
	for i := range 10 {
		w.put("one", fmt.Sprint(i))
		w.put("two", fmt.Sprint(i))
	}
	refusing := &fake{refuse: func(int) error { return errors.New("no") }}
	_, stop := w.run(Config{Targets: map[string]Target{goodARN: refusing}, Most: 8})
	w.box(goodARN, func(x outbox.Box) bool { return x.Waiting == 8 && x.Dropped == 2 })
	w.box(badARN, func(x outbox.Box) bool { return x.Waiting == 8 && x.Dropped == 2 })
	left, err := w.s.Events(badARN, 1)
	if err != nil || left[0].Key != "2" { // the oldest are given up
		t.Errorf("%+v, %v", left, err)
	}
	w.pass(24 * time.Hour)
	w.put("one", "young")
	w.put("two", "young")
	w.pass(time.Second)
	w.box(goodARN, func(x outbox.Box) bool { return x.Waiting == 1 && x.Dropped == 10 })
	w.box(badARN, func(x outbox.Box) bool { return x.Waiting == 1 && x.Dropped == 10 })
	stop()
}

const timed = `<ReplicationConfiguration><Role>arn:aws:iam::111111111111:role/r</Role><Rule><ID>r</ID><Status>Enabled</Status><Priority>1</Priority><Filter/><DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication><Destination><Bucket>arn:aws:s3:::dst</Bucket>` +
	`<ReplicationTime><Status>Enabled</Status><Time><Minutes>15</Minutes></Time></ReplicationTime><Metrics><Status>Enabled</Status><EventThreshold><Minutes>15</Minutes></EventThreshold></Metrics></Destination></Rule></ReplicationConfiguration>`

// TestMissedThreshold: an operation that waits for too long is told once, also
// if the engine starts anew.
func TestMissedThreshold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bucket("src", tells(goodARN))
	w.must(w.s.UpdateBucket(t.Context(), "src", func(b *bucket.Bucket) error { b.Documents[bucket.Replication] = []byte(timed); return nil }))
	w.put("src", "old")
	w.pass(event.Threshold - time.Second)
	w.put("src", "young")
	w.pass(2 * time.Second)
	for range 2 {
		e := New(Config{Store: w.s, Now: w.clock, Log: slog.New(slog.DiscardHandler)})
		for range 2 {
			w.must(e.late(t.Context()))
		}
	}
	es, err := w.s.Events(goodARN, 100)
	w.must(err)
	var got []string
	for _, e := range es {
		got = append(got, e.Name+" "+e.Key)
	}
	if diff := cmp.Diff([]string{"ObjectCreated:Put old", "ObjectCreated:Put young", "Replication:OperationMissedThreshold old"}, got); diff != "" {
		t.Error(diff)
	}
}

// TestTeller: which events of replication the rules ask for.
func TestTeller(t *testing.T) {
	t.Parallel()
	without := func(names ...string) string {
		doc := timed
		for _, n := range names {
			a, b := strings.Index(doc, "<"+n+">"), strings.Index(doc, "</"+n+">")+len(n)+3
			doc = doc[:a] + doc[b:]
		}
		return doc
	}
	metrics := strings.Replace(without("ReplicationTime", "Metrics"), "</Destination>", "<Metrics><Status>Enabled</Status></Metrics></Destination>", 1)
	for name, tt := range map[string]struct {
		rules string
		want  string // of failed, missed, late and not tracked
	}{
		"time control": {timed, "failed missed late untracked"},
		"metrics":      {metrics, "failed untracked"},
		"neither":      {without("ReplicationTime", "Metrics"), ""},
		"another rule": {strings.Replace(timed, "<ID>r<", "<ID>s<", 1), "untracked untracked"},
		"none":         {"", "untracked untracked"},
	} {
		b := &bucket.Bucket{Name: "src", Documents: map[bucket.Document][]byte{bucket.Notification: []byte(tells(goodARN))}}
		if tt.rules != "" {
			if _, err := rule.Parse([]byte(tt.rules)); err != nil {
				t.Fatal(err)
			}
			b.Documents[bucket.Replication] = []byte(tt.rules)
		}
		short := map[string]string{event.ReplicationFailed: "failed", event.ReplicationMissed: "missed", event.ReplicationLate: "late", event.ReplicationNotTracked: "untracked"}
		var got []string
		for _, n := range []string{event.ReplicationFailed, event.ReplicationMissed, event.ReplicationLate, event.ReplicationNotTracked} {
			e := event.OfDelivery(n, &object.Version{Bucket: "src", Key: "k"}, object.Delivery{Rule: "r", Code: "X"}, time.Time{})
			if new(Teller).Tell(b, &e) {
				got = append(got, short[e.Name])
				if e.Target != goodARN || e.Configuration != "all" || e.Name != n && e.Replication.Reason != "" {
					t.Errorf("%s: %+v", name, e)
				}
			}
		}
		if diff := cmp.Diff(tt.want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
