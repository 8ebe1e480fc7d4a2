package prove

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"twinbucket/bucket"
	"twinbucket/internal/compare"
	"twinbucket/internal/store"
	"twinbucket/internal/testenv"
	"twinbucket/object"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a store whose rules are on and whose engine of replication runs.
func world(t *testing.T, configuration string) *testenv.Env {
	t.Helper()
	w := testenv.New(t)
	w.Scenario()
	w.Document(testenv.SrcBucket, bucket.Replication, configuration)
	w.Start()
	return w
}

// engine is an engine without patience, a day between passes, and the clock now.
func engine(w *testenv.Env, now *time.Time) *Engine {
	e := New(Config{Store: w.Store, Catalog: w.Catalog, Every: 24 * time.Hour, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return *now }})
	e.pace = func(ctx context.Context, _ int) error { return ctx.Err() }
	return e
}

// seen makes a pass over the source bucket and returns what it has seen.
func seen(w *testenv.Env) []Verified {
	w.T.Helper()
	now := time.Now()
	e := engine(w, &now)
	w.Must(e.round(w.T.Context(), w.T.Context())) // it notices the bucket
	now = now.Add(time.Hour)
	w.Must(e.round(w.T.Context(), w.T.Context()))
	out, err := e.Last(testenv.SrcBucket)
	w.Must(err)
	return out
}

func ruleFor(id, prefix, more string) string {
	return `<Rule><ID>` + id + `</ID><Priority>1</Priority><Filter><Prefix>` + prefix + `</Prefix></Filter><Status>Enabled</Status>` +
		`<DeleteMarkerReplication><Status>Enabled</Status></DeleteMarkerReplication><Destination><Bucket>arn:aws:s3:::` + testenv.DstBucket + `</Bucket>` + more + `</Destination></Rule>`
}

func config(rules string) string {
	return `<ReplicationConfiguration><Role>` + testenv.ReplRole + `</Role>` + rules + `</ReplicationConfiguration>`
}

const infrequent = "<StorageClass>STANDARD_IA</StorageClass>"

// TestReplicas brings replicas into every state.
func TestReplicas(t *testing.T) {
	t.Parallel()
	// spoil stores a replica anew with something changed, as no client could.
	spoil := func(w *testenv.Env, o *store.Object, change func(*object.Version)) {
		v := w.Head(testenv.DstBucket, o.Key, o.ID).Version
		change(&v)
		d := store.Delivery{Source: o, Replica: &v, Outcome: w.Head(o.Bucket, o.Key, o.ID).Deliveries[0]}
		if out, err := w.Store.Deliver(w.T.Context(), []store.Delivery{d}); err != nil || out[0].Status != object.Completed {
			w.T.Fatal(out, err)
		}
	}
	put := func(w *testenv.Env) *store.Object { return w.Settled(w.Put(testenv.SrcBucket, "k", "x")) }
	for _, tt := range []struct {
		name   string
		config string // "" is the scenario's
		do     func(w *testenv.Env)
		want   Verified
		kind   Kind
		aspect compare.Aspect
	}{
		{"equal", "", func(w *testenv.Env) { put(w) }, Verified{Replicas: 1}, "", ""},
		{"a delete marker", "", func(w *testenv.Env) {
			put(w)
			d, err := w.Store.Delete(w.T.Context(), testenv.SrcBucket, "k", "", testenv.Source)
			w.Must(err)
			testenv.Wait(w.T, func() (any, bool) {
				o := w.Head(testenv.SrcBucket, "k", d.ID)
				return o, object.Sum(o.Deliveries) == object.Completed
			})
		}, Verified{Replicas: 2}, "", ""},
		{"tags that were changed there", "", func(w *testenv.Env) {
			o := put(w)
			_, err := w.Store.SetTags(w.T.Context(), testenv.DstBucket, "k", o.ID, []object.Tag{{Key: "a", Value: "b"}})
			w.Must(err)
		}, Verified{Replicas: 1, Differ: 1}, Differs, compare.Tags},
		{"metadata", "", func(w *testenv.Env) {
			spoil(w, put(w), func(v *object.Version) { v.Metadata = map[string]string{"a": "b"} })
		}, Verified{Replicas: 1, Differ: 1}, Differs, compare.Metadata},
		{"another body", "", func(w *testenv.Env) {
			spoil(w, put(w), func(v *object.Version) { v.ETag = strings.Repeat("0", 32) })
		}, Verified{Replicas: 1, Differ: 1}, Differs, compare.Bytes},
		{"an owner that nobody made", "", func(w *testenv.Env) {
			w.Document(testenv.DstBucket, bucket.OwnershipControls, "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>")
			spoil(w, put(w), func(v *object.Version) { v.Owner = "333333333333" })
		}, Verified{Replicas: 1, Differ: 1}, Differs, compare.Owner},
		{"a class that nobody made", "", func(w *testenv.Env) {
			spoil(w, put(w), func(v *object.Version) { v.Class = "STANDARD_IA" })
		}, Verified{Replicas: 1, Differ: 1}, Differs, compare.Class},
		{"deleted there", "", func(w *testenv.Env) {
			_, err := w.Store.Delete(w.T.Context(), testenv.DstBucket, "k", put(w).ID, testenv.Destination)
			w.Must(err)
		}, Verified{Replicas: 1, Removed: 1}, Removed, ""},
		{"a destination that is gone", "", func(w *testenv.Env) {
			o := put(w)
			_, err := w.Store.Delete(w.T.Context(), testenv.DstBucket, "k", o.ID, testenv.Destination)
			w.Must(err)
			w.Must(w.Store.DeleteBucket(w.T.Context(), testenv.DstBucket))
		}, Verified{Replicas: 1, Missing: 1}, Missing, ""},
		{"a class of the rule", config(ruleFor("all", "", infrequent)), func(w *testenv.Env) { put(w) }, Verified{Replicas: 1}, "", ""},
		{"a class of a rule that was changed since", "", func(w *testenv.Env) {
			put(w)
			w.Document(testenv.SrcBucket, bucket.Replication, config(ruleFor("all", "", infrequent)))
		}, Verified{Replicas: 1}, "", ""},
		{"a class of a rule that was removed since", config(ruleFor("all", "", infrequent)), func(w *testenv.Env) {
			put(w)
			w.Document(testenv.SrcBucket, bucket.Replication, config(ruleFor("other", "other/", "")))
		}, Verified{Replicas: 1}, "", ""},
		{"owners that were settled otherwise since", "", func(w *testenv.Env) {
			put(w)
			for _, b := range []string{testenv.SrcBucket, testenv.DstBucket} {
				w.Document(b, bucket.OwnershipControls, "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>")
			}
		}, Verified{Replicas: 1}, "", ""},
		{"what is not COMPLETED", "", func(w *testenv.Env) {
			w.Document(testenv.DstBucket, bucket.Policy, "")
			put(w)
		}, Verified{}, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.config == "" {
				tt.config = testenv.Config
			}
			w := world(t, tt.config)
			tt.do(w)
			var want []Verified
			if tt.want.Destination = testenv.DstBucket; tt.want.Replicas > 0 {
				want = []Verified{tt.want}
			}
			got := seen(w)
			if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Verified{}, "Began", "Finished", "Findings"), cmpopts.EquateEmpty()); diff != "" {
				t.Fatal(diff, got)
			}
			if tt.kind == "" {
				if len(got) > 0 && len(got[0].Findings) > 0 {
					t.Error(got)
				}
				return
			}
			f := got[0].Findings[0]
			if f.Kind != tt.kind || f.Key != "k" || f.VersionID == "" || f.Rule != "all" || tt.aspect != "" && (len(f.Differences) != 1 || f.Differences[0].Aspect != tt.aspect) {
				t.Errorf("%+v", f)
			}
		})
	}
}

// TestChangedMeanwhile: a version that changed since it was listed is no finding.
func TestChangedMeanwhile(t *testing.T) {
	t.Parallel()
	w := world(t, testenv.Config)
	now := time.Now()
	e := engine(w, &now)
	b, err := w.Store.Bucket(testenv.SrcBucket)
	w.Must(err)
	for name, change := range map[string]func(o *store.Object){
		"changed": func(o *store.Object) {
			changed, err := w.Store.SetTags(t.Context(), testenv.SrcBucket, o.Key, o.ID, []object.Tag{{Key: "a", Value: "b"}})
			w.Must(err)
			w.Settled(changed)
		},
		"deleted": func(o *store.Object) {
			_, err := w.Store.Delete(t.Context(), testenv.SrcBucket, o.Key, o.ID, testenv.Source)
			w.Must(err)
			_, err = w.Store.Delete(t.Context(), testenv.DstBucket, o.Key, o.ID, testenv.Destination)
			w.Must(err)
		},
		"refused": func(o *store.Object) {
			_, err := w.Store.Delete(t.Context(), testenv.DstBucket, o.Key, o.ID, testenv.Destination)
			w.Must(err)
			changed, err := w.Store.SetTags(t.Context(), testenv.SrcBucket, o.Key, o.ID, []object.Tag{{Key: "a", Value: "b"}})
			w.Must(err)
			w.Settled(changed)
		},
	} {
		listed := w.Settled(w.Put(testenv.SrcBucket, name, "x"))
		change(listed)
		p := new(pass)
		w.Must(e.replicas(t.Context(), b, []store.Listed{{Object: listed}}, p))
		if want := []Verified{{Destination: testenv.DstBucket, Replicas: 1}}; cmp.Diff(want, p.Seen) != "" {
			t.Errorf("%s: %+v", name, p.Seen)
		}
	}
}

// TestPassesOutliveTheProcess: a pass is gone on with where it was, after a stop
// and after a crash, and looks at nothing twice.
func TestPassesOutliveTheProcess(t *testing.T) {
	t.Parallel()
	w := world(t, testenv.Config)
	const versions = 7
	for i := range versions {
		o := w.Settled(w.Put(testenv.SrcBucket, fmt.Sprint("k", i), "x"))
		_, err := w.Store.Delete(t.Context(), testenv.DstBucket, o.Key, o.ID, testenv.Destination)
		w.Must(err)
	}
	now := time.Now()
	e := engine(w, &now)
	w.Must(e.round(t.Context(), t.Context()))
	now = now.Add(time.Hour)
	for stops := 0; ; stops++ {
		soft, stop := context.WithCancel(t.Context())
		pages := 0
		e.page, e.pace = 1, func(ctx context.Context, n int) error {
			if pages += n; pages == 2 {
				stop()
			}
			return ctx.Err()
		}
		err := e.round(soft, t.Context())
		stop()
		if err == nil {
			if stops != 3 {
				t.Errorf("it was stopped %d times", stops)
			}
			break
		}
		if last, err := e.Last(testenv.SrcBucket); err != nil || last != nil {
			t.Fatalf("half a pass: %+v, %v", last, err)
		}
		w.Crash()
		e = engine(w, &now)
	}
	last, err := e.Last(testenv.SrcBucket)
	w.Must(err)
	if len(last) != 1 || last[0].Replicas != versions || last[0].Removed != versions || len(last[0].Findings) != versions || !last[0].Finished.Equal(now) {
		t.Errorf("%+v", last)
	}
}

// TestWhenPassesBegin: an hour after a bucket is noticed, then a day after the last
// one; nothing is left of a bucket that is gone.
func TestWhenPassesBegin(t *testing.T) {
	t.Parallel()
	w := world(t, testenv.Config)
	w.Settled(w.Put(testenv.SrcBucket, "k", "x"))
	now := time.Now()
	e := engine(w, &now)
	for i, tt := range []struct {
		after time.Duration
		do    func()
		ended bool // a pass came to its end then
	}{
		{0, nil, false},
		{59 * time.Minute, nil, false},
		{time.Minute, nil, true},
		{23 * time.Hour, nil, false},
		{time.Hour, nil, true},
		{24 * time.Hour, func() { e = engine(w, &now) }, true}, // over a restart
		{24 * time.Hour, func() { w.Document(testenv.SrcBucket, bucket.Replication, "") }, false},
	} {
		now = now.Add(tt.after)
		if tt.do != nil {
			tt.do()
		}
		w.Must(e.round(t.Context(), t.Context()))
		last, err := e.Last(testenv.SrcBucket)
		w.Must(err)
		if ended := len(last) == 1 && last[0].Finished.Equal(now); ended != tt.ended {
			t.Errorf("step %d: %+v", i, last)
		}
	}
	if last, err := e.Last(testenv.SrcBucket); last != nil || err != nil {
		t.Errorf("without a configuration: %+v, %v", last, err)
	}
	if _, err := e.Last("nothing-here"); err == nil {
		t.Error("of a bucket that is not there")
	}
}

// TestFindingsAreBounded: all are counted, and the first ones kept.
func TestFindingsAreBounded(t *testing.T) {
	t.Parallel()
	w := world(t, testenv.Config)
	for i := range Kept + 5 {
		o := w.Settled(w.Put(testenv.SrcBucket, fmt.Sprintf("k%02d", i), "x"))
		_, err := w.Store.Delete(t.Context(), testenv.DstBucket, o.Key, o.ID, testenv.Destination)
		w.Must(err)
	}
	got := seen(w)
	if len(got) != 1 || got[0].Removed != Kept+5 || len(got[0].Findings) != Kept || got[0].Findings[Kept-1].Key != fmt.Sprintf("k%02d", Kept-1) {
		t.Errorf("%+v", got)
	}
}

// TestRun: passes come by themselves, and end with the server.
func TestRun(t *testing.T) {
	t.Parallel()
	w := world(t, testenv.Config)
	w.Settled(w.Put(testenv.SrcBucket, "k", "x"))
	for _, every := range []time.Duration{0, time.Millisecond} {
		e := New(Config{Store: w.Store, Catalog: w.Catalog, Every: every, Log: slog.New(slog.DiscardHandler)})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- e.Run(ctx, context.WithoutCancel(ctx)) }()
		if every > 0 {
			testenv.Wait(t, func() ([]Verified, bool) {
				last, err := e.Last(testenv.SrcBucket)
				return last, err == nil && len(last) == 1 && last[0].Replicas == 1
			})
		}
		stop()
		w.Must(<-ended)
	}
}
