package sweep

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"twinbucket/bucket"
	"twinbucket/internal/store"
	"twinbucket/internal/testenv"
	"twinbucket/internal/vfs"
	"twinbucket/lifecycle"
	"twinbucket/object"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const owner = "111111111111"

var begin = time.Date(2026, 1, 1, 10, 30, 0, 0, time.UTC)

// world is a store whose clock is now.
type world struct {
	t     testing.TB
	store *store.Store
	now   time.Time
	e     *Engine
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, now: begin}
	clock := func() time.Time { return w.now }
	log := slog.New(slog.DiscardHandler)
	var err error
	if w.store, err = store.Open(vfs.Memory(), "/data", store.Options{Log: log, CacheSize: 1 << 20, Now: clock}); err != nil {
		t.Fatal(err)
	}
	w.e = New(Config{Store: w.store, Log: log, Now: clock})
	return w
}

func (w *world) close() { w.must(w.store.Close()) }

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) bucket(name string, v bucket.Versioning, rules ...string) {
	w.t.Helper()
	b := &bucket.Bucket{Name: name, Owner: owner, Region: "us-east-1", Versioning: v, Documents: map[bucket.Document][]byte{}}
	if len(rules) > 0 {
		b.Documents[bucket.Lifecycle] = document(rules...)
	}
	w.must(w.store.CreateBucket(context.Background(), b))
}

func (w *world) rules(name string, rules ...string) {
	w.t.Helper()
	w.must(w.store.UpdateBucket(context.Background(), name, func(b *bucket.Bucket) error {
		b.Documents[bucket.Lifecycle] = document(rules...)
		return nil
	}))
}

// document returns a configuration; each rule is without its Rule and Status.
func document(rules ...string) []byte {
	var b strings.Builder
	b.WriteString("<LifecycleConfiguration>")
	for _, r := range rules {
		b.WriteString("<Rule><Status>Enabled</Status>" + r + "</Rule>")
	}
	return []byte(b.String() + "</LifecycleConfiguration>")
}

func (w *world) put(name, key string, tags ...object.Tag) *store.Object {
	w.t.Helper()
	o, err := w.store.Put(context.Background(), store.Put{
		Version: object.Version{Bucket: name, Key: key, Owner: owner, Tags: tags}, Body: strings.NewReader(key), Size: int64(len(key)),
	})
	w.must(err)
	return o
}

func (w *world) delete(name, key, id string) {
	w.t.Helper()
	_, err := w.store.Delete(context.Background(), name, key, id, owner)
	w.must(err)
}

// pass makes a full pass at a day after the beginning.
func (w *world) pass(day int) {
	w.t.Helper()
	w.now = begin.Truncate(lifecycle.Day).AddDate(0, 0, day)
	w.must(w.e.pass(context.Background(), true))
}

// list returns the versions of a bucket: markers with a "-" before their key.
func (w *world) list(name string) (out []string) {
	w.t.Helper()
	for _, v := range w.listed(name) {
		mark := ""
		if v.Marker {
			mark = "-"
		}
		out = append(out, mark+v.Key)
	}
	return out
}

func (w *world) listed(name string) []store.Listed {
	w.t.Helper()
	p, err := w.store.ListVersions(context.Background(), name, store.VersionsOptions{Max: 10000})
	w.must(err)
	return p.Versions
}

func (w *world) want(name string, want ...string) {
	w.t.Helper()
	if diff := cmp.Diff(want, w.list(name)); diff != "" {
		w.t.Errorf("%s at %v (-want +got)\n%s", name, w.now, diff)
	}
}

const (
	days1      = "<Filter/><Expiration><Days>1</Days></Expiration>"
	noncurrent = "<Filter/><NoncurrentVersionExpiration><NoncurrentDays>2</NoncurrentDays></NoncurrentVersionExpiration>"
	marker     = "<Filter/><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"
	abort      = "<Filter><Prefix>a</Prefix></Filter><AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>"
)

// TestLifeOfAnObject follows objects from their puts to the end of the last
// delete marker.
func TestLifeOfAnObject(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	defer w.close()
	for name, v := range map[string]bucket.Versioning{"plain": bucket.Unversioned, "versioned": bucket.Enabled, "suspended": bucket.Suspended} {
		w.bucket(name, v, days1, noncurrent, marker)
		w.put(name, "a")
		w.put(name, "a")
		w.put(name, "b")
	}
	w.bucket("none", bucket.Enabled)
	w.put("none", "a")

	w.pass(1)
	w.want("plain", "a", "b")
	w.want("versioned", "a", "a", "b")
	w.pass(2)
	w.want("plain")
	w.want("versioned", "-a", "a", "a", "-b", "b")
	w.want("suspended", "-a", "-b")
	w.pass(3) // the older a was noncurrent since the first day, and ends; the markers are alone
	w.want("versioned", "-a", "a", "-b", "b")
	w.want("suspended")
	w.pass(5) // the others are noncurrent since the second, just after midnight
	w.want("versioned", "-a", "-b")
	w.pass(6)
	w.want("versioned")
	w.want("none", "a")
}

func TestUploadsAreAborted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	defer w.close()
	w.e.page = 3
	w.bucket("bkt", bucket.Enabled, abort)
	ctx := t.Context()
	for i := range 20 {
		for _, key := range []string{"a", fmt.Sprint("a", i), "b"} {
			id, err := w.store.CreateUpload(ctx, object.Version{Bucket: "bkt", Key: key}, "")
			w.must(err)
			_, err = w.store.PutPart(ctx, "bkt", key, id, 1, strings.NewReader("part"), 4, nil)
			w.must(err)
		}
	}
	count := func() int {
		us, _, err := w.store.Uploads(ctx, "bkt", "", "", "", 1000)
		w.must(err)
		return len(us)
	}
	w.pass(1)
	if n := count(); n != 60 {
		t.Errorf("%d uploads are left after a day that was not whole", n)
	}
	w.pass(2)
	if n := count(); n != 20 {
		t.Errorf("%d uploads are left, want those of the other prefix", n)
	}
}

func TestHeldVersionsStay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	defer w.close()
	w.bucket("bkt", bucket.Enabled, noncurrent)
	o := w.put("bkt", "held")
	w.put("bkt", "held")
	_, err := w.store.SetLegalHold(t.Context(), "bkt", "held", o.ID, true)
	w.must(err)
	w.pass(9)
	w.want("bkt", "held", "held")
	_, err = w.store.SetLegalHold(t.Context(), "bkt", "held", o.ID, false)
	w.must(err)
	w.pass(9)
	w.want("bkt", "held")
}

// TestReplication: what waits for replication is held, and delete markers of
// rules do not replicate.
func TestReplication(t *testing.T) {
	t.Parallel()
	env := testenv.New(t)
	env.Scenario()
	env.Document(testenv.SrcBucket, bucket.Replication, testenv.Config)
	env.Document(testenv.SrcBucket, bucket.Lifecycle, string(document("<Filter/><Expiration><Date>2020-01-01</Date></Expiration>")))
	e := New(Config{Store: env.Store, Log: slog.New(slog.DiscardHandler), Wait: func(context.Context, time.Duration, <-chan struct{}) {}})
	o := env.Put(testenv.SrcBucket, "k", "body")
	env.Must(e.pass(t.Context(), true))
	if now := env.Head(testenv.SrcBucket, "k", ""); now.Marker {
		t.Fatal("a version expired that waits for its replication")
	}
	env.Start()
	env.Settled(o)
	env.Must(e.pass(t.Context(), true))
	m := env.Head(testenv.SrcBucket, "k", "")
	if !m.Marker || m.Status != object.None || len(m.Deliveries) != 0 {
		t.Fatalf("%+v: want a delete marker that does not replicate", m.Version)
	}
	// A marker that a user makes does, so the rule would have taken it.
	if _, err := env.Store.Delete(t.Context(), testenv.SrcBucket, "k", m.ID, owner); err != nil {
		t.Fatal(err)
	}
	d, err := env.Store.Delete(t.Context(), testenv.SrcBucket, "k", "", owner)
	env.Must(err)
	if u := env.Head(testenv.SrcBucket, "k", d.ID); u.Status == object.None {
		t.Errorf("%+v: want a delete marker that replicates", u.Version)
	}
}

// TestHistories makes random histories in buckets with random rules and
// compares what a pass leaves with what a plain reading of the rules says.
func TestHistories(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		defer w.close()
		w.e.page = rapid.IntRange(1, 7).Draw(rt, "page")
		w.e.batch = rapid.IntRange(1, 4).Draw(rt, "batch")
		v := rapid.SampledFrom([]bucket.Versioning{bucket.Unversioned, bucket.Enabled, bucket.Suspended}).Draw(rt, "versioning")
		w.bucket("bkt", v)
		key := rapid.SampledFrom([]string{"a", "a/b", "a\x00", "b", "c"})
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			k := key.Draw(rt, "key")
			switch rapid.IntRange(0, 6).Draw(rt, "op") {
			case 0, 1, 2:
				w.put("bkt", k, object.Tag{Key: "t", Value: rapid.SampledFrom([]string{"0", "1"}).Draw(rt, "tag")})
			case 3:
				w.delete("bkt", k, "")
			case 4:
				if all := w.listed("bkt"); len(all) > 0 {
					d := rapid.SampledFrom(all).Draw(rt, "version")
					w.delete("bkt", d.Key, d.ID)
				}
			case 5:
				w.now = w.now.Add(time.Duration(rapid.IntRange(1, 30).Draw(rt, "hours")) * time.Hour)
			case 6:
				w.must(w.store.UpdateBucket(context.Background(), "bkt", func(b *bucket.Bucket) error {
					if b.Versioning == bucket.Unversioned {
						return nil
					}
					b.Versioning = rapid.SampledFrom([]bucket.Versioning{bucket.Enabled, bucket.Suspended}).Draw(rt, "next")
					return nil
				}))
			}
		}
		var rules []string
		for range rapid.IntRange(1, 3).Draw(rt, "rules") {
			filter := rapid.SampledFrom([]string{"<Filter/>", "<Filter><Prefix>a</Prefix></Filter>", "<Filter><Prefix>b</Prefix></Filter>", "<Filter><Tag><Key>t</Key><Value>1</Value></Tag></Filter>"}).Draw(rt, "filter")
			n := rapid.IntRange(1, 4).Draw(rt, "days")
			rules = append(rules, filter+rapid.SampledFrom([]string{
				fmt.Sprintf("<Expiration><Days>%d</Days></Expiration>", n),
				fmt.Sprintf("<NoncurrentVersionExpiration><NoncurrentDays>%d</NoncurrentDays><NewerNoncurrentVersions>%d</NewerNoncurrentVersions></NoncurrentVersionExpiration>", n, n),
				fmt.Sprintf("<NoncurrentVersionExpiration><NoncurrentDays>%d</NoncurrentDays></NoncurrentVersionExpiration>", n),
			}).Draw(rt, "action"))
		}
		if rapid.Bool().Draw(rt, "markers") {
			rules = append(rules, marker)
		}
		w.rules("bkt", rules...)
		w.now = w.now.Add(time.Duration(rapid.IntRange(0, 72).Draw(rt, "wait")) * time.Hour)
		want := oracle(w)
		w.must(w.e.pass(context.Background(), true))
		if diff := cmp.Diff(want, w.list("bkt")); diff != "" {
			rt.Fatalf("at %v under %q (-want +got)\n%s", w.now, rules, diff)
		}
	})
}

// oracle says what a pass leaves: for each key by itself, all versions at once.
func oracle(w *world) (out []string) {
	b, err := w.store.Bucket("bkt")
	w.must(err)
	set, err := lifecycle.Parse(b.Documents[bucket.Lifecycle])
	w.must(err)
	all := w.listed("bkt")
	for len(all) > 0 {
		n := slices.IndexFunc(all, func(v store.Listed) bool { return v.Key != all[0].Key })
		if n < 0 {
			n = len(all)
		}
		key := all[:n]
		all = all[n:]
		var left []string
		replaced := false // a null marker takes the place of a null version
		for i, v := range key {
			name := map[bool]string{true: "-" + v.Key, false: v.Key}[v.Marker]
			if i > 0 {
				newer := 0
				for _, o := range key[1:i] {
					if !o.Marker {
						newer++
					}
				}
				if !(replaced && v.ID == object.NullID) && !set.Noncurrent(&v.Version, key[i-1].Modified, newer, lifecycle.Day).By(w.now) {
					left = append(left, name)
				}
				continue
			}
			switch ends := set.Current(&v.Version, len(key) == 1, lifecycle.Day).By(w.now); {
			case !ends:
				left = append(left, name)
			case v.Marker || b.Versioning == bucket.Unversioned:
			case b.Versioning == bucket.Suspended && v.ID == object.NullID:
				left = append(left, "-"+v.Key)
			case b.Versioning == bucket.Suspended:
				left, replaced = append(left, "-"+v.Key, name), true
			default:
				left = append(left, "-"+v.Key, name)
			}
		}
		out = append(out, left...)
	}
	return out
}

// steps is a Wait that the test lets go on.
type steps struct {
	asked chan time.Duration
	goOn  chan struct{}
}

func (s *steps) wait(ctx context.Context, d time.Duration, wake <-chan struct{}) {
	select {
	case s.asked <- d:
	case <-ctx.Done():
		return
	}
	select {
	case <-s.goOn:
	case <-wake:
	case <-ctx.Done():
	}
}

// TestRun follows the engine's waits: it makes a pass at the start, at
// midnight, and when a configuration changes.
func TestRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	defer w.close()
	var mu sync.Mutex
	now := begin
	set := func(x time.Time) {
		mu.Lock()
		now = x
		mu.Unlock()
	}
	s := &steps{asked: make(chan time.Duration), goOn: make(chan struct{})}
	e := New(Config{Store: w.store, Log: slog.New(slog.DiscardHandler), Wait: s.wait, Now: func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}})
	past := "<Filter/><Expiration><Date>2020-01-01</Date></Expiration>"
	w.bucket("bkt", bucket.Unversioned, past)
	w.bucket("more", bucket.Unversioned)
	w.put("bkt", "a")
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- e.Run(ctx, ctx) }()

	if d := <-s.asked; d != longest {
		t.Errorf("it waits %v", d)
	}
	w.want("bkt") // from the pass at the start
	w.put("bkt", "b")
	w.put("more", "c")
	set(begin.Add(longest))
	s.goOn <- struct{}{}
	<-s.asked
	w.want("bkt", "b") // nothing is new, and it is not midnight

	w.rules("more", past)
	if d := <-s.asked; d != time.Minute {
		t.Errorf("after a change it waits %v", d)
	}
	s.goOn <- struct{}{}
	<-s.asked
	w.want("more") // from the pass after the change
	w.want("bkt", "b")

	set(time.Date(2026, 1, 1, 23, 59, 0, 0, time.UTC))
	s.goOn <- struct{}{}
	if d := <-s.asked; d != time.Minute {
		t.Errorf("a minute before midnight it waits %v", d)
	}
	set(time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC))
	s.goOn <- struct{}{}
	<-s.asked
	w.want("bkt") // from the pass at midnight
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestNext(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 1, 10, 30, 0, 0, time.UTC)
	for _, tt := range []struct {
		interval, day time.Duration
		want          time.Time
	}{
		{0, 0, time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)},
		{time.Hour, 0, at.Add(time.Hour)},
		{20 * time.Hour, 0, time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)},
		{0, 10 * time.Second, at.Add(2 * time.Second)},
		{time.Second, 10 * time.Second, at.Add(time.Second)},
	} {
		if got := New(Config{Interval: tt.interval, Day: tt.day}).next(at); !got.Equal(tt.want) {
			t.Errorf("interval %v, day %v: %v, want %v", tt.interval, tt.day, got, tt.want)
		}
	}
}

// TestRulesThatAreTakenBackStopAtOnce takes the rules away in the middle.
func TestRulesThatAreTakenBackStopAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	defer w.close()
	w.bucket("bkt", bucket.Unversioned, "<Filter/><Expiration><Date>2020-01-01</Date></Expiration>")
	for i := range 10 {
		w.put("bkt", fmt.Sprint(i))
	}
	w.e.page = 2
	clock := w.now
	w.e.Now = func() time.Time { clock = clock.Add(time.Second); return clock }
	rests := 0
	w.e.Wait = func(context.Context, time.Duration, <-chan struct{}) {
		if rests++; rests == 2 {
			w.must(w.store.UpdateBucket(context.Background(), "bkt", func(b *bucket.Bucket) error {
				delete(b.Documents, bucket.Lifecycle)
				return nil
			}))
		}
	}
	w.must(w.e.pass(t.Context(), true))
	w.want("bkt", "4", "5", "6", "7", "8", "9")
}

func TestStopInTheMiddle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	defer w.close()
	w.bucket("bkt", bucket.Unversioned, "<Filter/><Expiration><Date>2020-01-01</Date></Expiration>")
	for i := range 6 {
		w.put("bkt", fmt.Sprint(i))
	}
	ctx, stop := context.WithCancel(t.Context())
	w.e.page = 2
	clock := w.now
	w.e.Now = func() time.Time { clock = clock.Add(time.Second); return clock }
	w.e.Wait = func(context.Context, time.Duration, <-chan struct{}) { stop() }
	if err := w.e.pass(ctx, true); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	w.want("bkt", "2", "3", "4", "5")
	w.e.Wait = func(context.Context, time.Duration, <-chan struct{}) {}
	w.must(w.e.pass(t.Context(), true)) // begins again
	w.want("bkt")
}
