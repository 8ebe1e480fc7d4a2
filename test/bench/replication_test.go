package bench

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"twinbucket/bucket"
	"twinbucket/identity"
	"twinbucket/internal/catalog"
	"twinbucket/internal/iam"
	"twinbucket/internal/ledger"
	"twinbucket/internal/replicate"
	"twinbucket/internal/store"
	"twinbucket/internal/testenv"
	"twinbucket/internal/vfs"
	"twinbucket/object"
	"twinbucket/role"
)

// pending is how many objects wait when TestDrain begins:
//
//	go test ./test/bench -run TestDrain -pending 1000000 -timeout 0 -v
var pending = flag.Int("pending", 20_000, "objects that wait in TestDrain")

// replication is a store on the disk that replicates between two accounts, in
// this process and without a door.
type replication struct {
	t       testing.TB
	store   *store.Store
	dir     string
	catalog *catalog.Catalog
	iam     *iam.Service
	engine  *replicate.Engine
}

func replicating(t testing.TB) *replication {
	t.Helper()
	ballast := make([]byte, 64<<20) // as the server has it, for the garbage collector
	t.Cleanup(func() { runtime.KeepAlive(ballast) })
	ctx := t.Context()
	rules := new(replicate.Rules)
	log := slog.New(slog.DiscardHandler)
	dir := t.TempDir()
	s, err := store.Open(vfs.OS(), dir, store.Options{Select: rules.Select, Log: log})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	records := catalog.New(s)
	identities, err := iam.New(records, time.Now)
	must(t, err)
	for name, id := range map[string]string{"source": testenv.Source, "destination": testenv.Destination} {
		_, err := identities.EnsureAccount(ctx, name, id)
		must(t, err)
	}
	_, err = identities.CreateRole(ctx, role.Role{
		Identity: identity.Identity{Account: testenv.Source, Name: "repl", Inline: map[string][]byte{"p": []byte(testenv.Policy("", testenv.ReplGrants...))}},
		Trust:    []byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"sts:AssumeRole"}]}`),
	})
	must(t, err)
	must(t, s.CreateBucket(ctx, &bucket.Bucket{
		Name: testenv.SrcBucket, Owner: testenv.Source, Region: testenv.Region, Versioning: bucket.Enabled,
		Documents: map[bucket.Document][]byte{bucket.Replication: []byte(testenv.Config)},
	}))
	must(t, s.CreateBucket(ctx, &bucket.Bucket{
		Name: testenv.DstBucket, Owner: testenv.Destination, Region: testenv.Region, Versioning: bucket.Enabled,
		Documents: map[bucket.Document][]byte{bucket.Policy: []byte(testenv.Policy(testenv.ReplRole, testenv.DstGrants...))},
	}))
	return &replication{t, s, dir, records, identities, replicate.New(replicate.Config{Store: s, IAM: identities, Rules: rules, Log: log})}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// run has an engine work until the test ends.
func (r *replication) run(engine func(soft, hard context.Context) error) {
	ctx, stop := context.WithCancel(context.WithoutCancel(r.t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- engine(ctx, ctx) }()
	r.t.Cleanup(func() {
		stop()
		if err := <-ended; ctx.Err() == nil {
			r.t.Error(err)
		}
	})
}

// put stores n objects of 100 bytes below a prefix, from many clients at a time. With every it
// begins one each time that much has passed.
func (r *replication) put(prefix string, n int, every time.Duration) {
	r.t.Helper()
	body := strings.Repeat("x", 100)
	var next atomic.Int64
	var all sync.WaitGroup
	begun := time.Now()
	for range 256 {
		all.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				if wait := time.Until(begun.Add(time.Duration(i) * every)); every > 0 && wait > 0 {
					<-time.After(wait)
				}
				v := object.Version{Bucket: testenv.SrcBucket, Key: fmt.Sprintf("%s %03d/object %09d", prefix, i%1000, i), Owner: testenv.Source}
				if _, err := r.store.Put(context.Background(), store.Put{Version: v, Body: strings.NewReader(body), Size: int64(len(body))}); err != nil {
					r.t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

// counts are those of the only lane.
func (r *replication) counts() ledger.Counts {
	r.t.Helper()
	lanes := r.store.Lanes("")
	if len(lanes) != 1 || lanes[0].Failures > 0 {
		r.t.Fatalf("%+v", lanes)
	}
	return lanes[0].Counts
}

// drained waits until n operations are completed.
func (r *replication) drained(n int, each func()) {
	r.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for r.counts().Completed < int64(n) {
		<-tick.C
		if each != nil {
			each()
		}
	}
}

// spent is the processor time of this process.
func spent(t testing.TB) time.Duration {
	var u syscall.Rusage
	must(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestDrain has very many objects wait, and follows how they are replicated: at
// a flat rate, in a memory that does not grow with them.
func TestDrain(t *testing.T) {
	r := replicating(t)
	r.put("folder", *pending, 0)
	if c := r.counts(); c.Pending != int64(*pending) {
		t.Fatalf("%+v", c)
	}
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	base, most := m.HeapInuse, uint64(0)
	begun, before := time.Now(), spent(t)
	r.run(r.engine.Run)
	var quarters []float64 // µs of processor time for one object
	for i := range 4 {
		begun, before := time.Now(), spent(t)
		from := r.counts().Completed
		r.drained((i+1)**pending/4, func() {
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapInuse)
		})
		n := float64(r.counts().Completed - from)
		quarters = append(quarters, float64((spent(t)-before).Microseconds())/n)
		t.Logf("quarter %d: %.0f objects/s, %.1f µs of processor time each", i+1, n/time.Since(begun).Seconds(), quarters[i])
	}
	t.Logf("%d objects: %.0f a second, %.1f µs of processor time each; heap %d MiB before, %d MiB at most",
		*pending, float64(*pending)/time.Since(begun).Seconds(), float64((spent(t)-before).Microseconds())/float64(*pending), base>>20, most>>20)
	if most > base+128<<20 {
		t.Errorf("the heap grew from %d to %d MiB", base>>20, most>>20)
	}
	if *pending >= 100_000 && quarters[3] > 2*quarters[0] {
		t.Errorf("the last quarter costs %.1f µs an object, the first %.1f", quarters[3], quarters[0])
	}
}

// BenchmarkReplicate is all that live replication spends on an object in the same
// store: feed, rules, decisions, replica, status, and its share of a disk sync.
func BenchmarkReplicate(b *testing.B) {
	r := replicating(b)
	r.put("folder", b.N, 0)
	before := spent(b)
	b.ResetTimer()
	r.run(r.engine.Run)
	r.drained(b.N, nil)
	b.StopTimer()
	b.ReportMetric(float64((spent(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
}

// BenchmarkLatency is how long an object takes from its PUT to COMPLETED, at half
// the rate that store and engine can keep up with.
func BenchmarkLatency(b *testing.B) {
	r := replicating(b)
	r.run(r.engine.Run)
	const trial = 5000
	begun := time.Now()
	r.put("trial", trial, 0)
	r.drained(trial, nil)
	rate := trial / time.Since(begun).Seconds()
	b.ResetTimer()
	r.put("measured", b.N, time.Duration(float64(time.Second)/(rate/2)))
	r.drained(trial+b.N, nil)
	b.StopTimer()
	var took []time.Duration
	for o := (store.VersionsOptions{Prefix: "measured", Max: 1000}); ; {
		p, err := r.store.ListVersions(b.Context(), testenv.SrcBucket, o)
		must(b, err)
		for _, v := range p.Versions {
			took = append(took, v.Deliveries[0].Time.Sub(v.Modified))
		}
		if o.AfterKey, o.AfterID = p.NextKey, p.NextID; !p.Truncated {
			break
		}
	}
	slices.SortFunc(took, func(a, b time.Duration) int { return int(a - b) })
	for name, part := range map[string]int{"p50-ms": 50, "p99-ms": 99} {
		b.ReportMetric(float64(took[len(took)*part/100].Microseconds())/1000, name)
	}
	b.ReportMetric(rate/2, "puts/s")
}
