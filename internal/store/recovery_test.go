package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/bodies"
	"twinbucket/internal/vfs"
	"twinbucket/object"
)

// TestMain looks for what goes on after the tests. A store that was closed on a
// full disk leaves its index waiting.
func TestMain(m *testing.M) {
	const pebble = "github.com/cockroachdb/pebble/v2"
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction(pebble+".(*cleanupManager).mainLoop"),
		goleak.IgnoreAnyFunction(pebble+"/record.(*LogWriter).flushLoop"),
		goleak.IgnoreAnyFunction(pebble+"/internal/genericcache.(*shard[...]).releaseLoop"),
		goleak.IgnoreAnyFunction(pebble+".(*ConcurrencyLimitScheduler).periodicGranter"))
}

func setVersioning(t testing.TB, s *Store, name string, v bucket.Versioning) {
	t.Helper()
	if err := s.UpdateBucket(t.Context(), name, func(b *bucket.Bucket) error { b.Versioning = v; return nil }); err != nil {
		t.Fatal(err)
	}
}

// TestAFailedSyncMayHaveWritten: a put that failed because the journal could
// not be synced may be there after a restart, but then with its body.
func TestAFailedSyncMayHaveWritten(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("x", bodies.InlineMax+1)
	for k := int64(1); k <= 4; k++ {
		mem := vfs.Memory()
		faults := &vfs.Faults{Under: "/journal"}
		s := open(t, faults.Wrap(mem))
		makeBucket(t, s, "bkt", bucket.Enabled)
		id, err := s.CreateUpload(t.Context(), object.Version{Bucket: "bkt", Key: "parts"}, "")
		if err != nil {
			t.Fatal(err)
		}
		faults.FailFrom(k)
		_, err = s.Put(t.Context(), Put{Version: object.Version{Bucket: "bkt", Key: "put"}, Body: strings.NewReader(body), Size: -1})
		if err == nil {
			_, err = s.PutPart(t.Context(), "bkt", "parts", id, 1, strings.NewReader(body), -1, nil)
		}
		if err == nil {
			t.Fatalf("k=%d: nothing failed", k)
		}
		closeStore(t, s)
		s = open(t, mem)
		check(t, s, mem)
		closeStore(t, s)
	}
}

// TestTimeGoesOnWhenTheClockGoesBack: what is put later is the current version,
// also when the system's clock was set back before a restart.
func TestTimeGoesOnWhenTheClockGoesBack(t *testing.T) {
	t.Parallel()
	fs := vfs.Memory()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	start := func() *Store {
		s, err := Open(fs, "/data", Options{Log: quiet, Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := start()
	makeBucket(t, s, "bkt", bucket.Enabled)
	put(t, s, "bkt", "k", "old")
	put(t, s, "bkt", "other", "x")
	closeStore(t, s)
	now = now.Add(-time.Hour)
	s = start()
	defer closeStore(t, s)
	newer := put(t, s, "bkt", "k", "new")
	if cur, err := s.Head(t.Context(), "bkt", "k", ""); err != nil || cur.ID != newer.ID {
		t.Fatalf("%+v, %v", cur, err)
	}
}

// during is a body in the middle of which something happens.
func during(happens func()) io.Reader {
	return io.MultiReader(strings.NewReader("one "), readerFunc(func([]byte) (int, error) {
		happens()
		return 0, io.EOF
	}), strings.NewReader("two"))
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// TestSettingsCountWhenTheBodyIsThere: a body may take hours; what was set in
// the meantime holds for it.
func TestSettingsCountWhenTheBodyIsThere(t *testing.T) {
	t.Parallel()
	s := open(t, vfs.Memory())
	defer closeStore(t, s)
	makeBucket(t, s, "bkt", bucket.Unversioned)
	old := put(t, s, "bkt", "k", "old")
	slow := func(happens func()) (*Object, error) {
		return s.Put(t.Context(), Put{Version: object.Version{Bucket: "bkt", Key: "k"}, Size: -1, Body: during(happens)})
	}
	if _, err := slow(func() { setVersioning(t, s, "bkt", bucket.Enabled) }); err != nil {
		t.Fatal(err)
	}
	if now, err := s.Head(t.Context(), "bkt", "k", old.ID); err != nil || now.ETag != old.ETag {
		t.Errorf("what was there when versioning was enabled: %+v, %v", now, err)
	}
	for _, o := range []string{"null", ""} {
		v, err := s.Head(t.Context(), "bkt", "k", o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Delete(t.Context(), "bkt", "k", v.ID, owner); err != nil {
			t.Fatal(err)
		}
	}
	_, err := slow(func() {
		if err := s.DeleteBucket(t.Context(), "bkt"); err != nil {
			t.Error(err)
		}
		if err := s.CreateBucket(t.Context(), &bucket.Bucket{Name: "bkt", Owner: "222222222222"}); err != nil {
			t.Error(err)
		}
	})
	wantCode(t, err, "NoSuchBucket") // the one it was sent to is gone
}

// TestNullReplicas: there is one null version of a key. A replica replaces the
// replica before it, and never what the destination has of its own.
func TestNullReplicas(t *testing.T) {
	t.Parallel()
	fs := vfs.Memory()
	s := open(t, fs)
	makeBucket(t, s, "src", bucket.Unversioned)
	makeBucket(t, s, "dst", bucket.Unversioned)
	theirs := put(t, s, "dst", "k", strings.Repeat("t", bodies.InlineMax+1))
	ours := put(t, s, "src", "k", strings.Repeat("o", bodies.InlineMax+1))
	first := put(t, s, "src", "free", strings.Repeat("1", bodies.InlineMax+1))
	setVersioning(t, s, "dst", bucket.Enabled)
	if d := deliver(t, s, ours, object.Completed); d.Code != "DstPutObjectNotPermitted" || d.Reason == "" {
		t.Fatalf("%+v", d)
	}
	if d := deliver(t, s, first, object.Completed); d.Status != object.Completed {
		t.Fatalf("%+v", d)
	}
	second := put(t, s, "src", "free", strings.Repeat("2", bodies.InlineMax+1))
	if d := deliver(t, s, second, object.Completed); d.Status != object.Completed {
		t.Fatalf("%+v", d)
	}
	p, err := s.ListVersions(t.Context(), "dst", VersionsOptions{Max: 10})
	if err != nil || len(p.Versions) != 2 || p.Versions[0].ETag != second.ETag || p.Versions[1].ETag != theirs.ETag {
		t.Errorf("%+v, %v", p, err)
	}
	check(t, s, fs)
	closeStore(t, s)
}

// TestASourceThatWasReplacedIsNotDelivered: a null version may be another one
// by the time its replica is stored.
func TestASourceThatWasReplacedIsNotDelivered(t *testing.T) {
	t.Parallel()
	fs := vfs.Memory()
	s := open(t, fs)
	makeBucket(t, s, "src", bucket.Unversioned)
	makeBucket(t, s, "dst", bucket.Enabled)
	seen := put(t, s, "src", "k", strings.Repeat("1", bodies.InlineMax+1))
	now := put(t, s, "src", "k", strings.Repeat("2", bodies.InlineMax+1))
	if d := deliver(t, s, seen, object.Completed); d.Code != "SrcVersionNotFound" {
		t.Errorf("%+v", d)
	}
	if got := status(t, s, now); got != object.None {
		t.Errorf("the version that replaced it has status %q", got)
	}
	if _, err := s.Head(t.Context(), "dst", "k", ""); !errors.Is(err, fault.NotFound) {
		t.Errorf("%v", err)
	}
	check(t, s, fs)
	closeStore(t, s)
}

// TestReadingWhatWasReplaced: who has looked a version up and is then too late
// to open its file is to try again.
func TestReadingWhatWasReplaced(t *testing.T) {
	t.Parallel()
	s := open(t, vfs.Memory())
	defer closeStore(t, s)
	makeBucket(t, s, "bkt", bucket.Unversioned)
	old := put(t, s, "bkt", "k", strings.Repeat("1", bodies.InlineMax+1))
	put(t, s, "bkt", "k", "2")
	s.bodies.Wait()
	if _, err := s.Open(t.Context(), old, 0, -1); !errors.Is(err, fault.Busy) {
		t.Errorf("%v", err)
	}
	if _, err := s.Delete(t.Context(), "bkt", "k", "", owner); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(t.Context(), old, 0, -1); !errors.Is(err, fault.NotFound) {
		t.Errorf("%v", err)
	}
}

// TestAPartSentAgainIsTheSamePart: a client whose request timed out sends a
// part again, and both arrive.
func TestAPartSentAgainIsTheSamePart(t *testing.T) {
	t.Parallel()
	fs := vfs.Memory()
	s := open(t, fs)
	makeBucket(t, s, "bkt", bucket.Enabled)
	body := strings.Repeat("x", bodies.InlineMax+1)
	id, err := s.CreateUpload(t.Context(), object.Version{Bucket: "bkt", Key: "k"}, "")
	if err != nil {
		t.Fatal(err)
	}
	send := func() *object.Part {
		p, err := s.PutPart(t.Context(), "bkt", "k", id, 1, strings.NewReader(body), -1, nil)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	o, err := s.CompleteUpload(t.Context(), "bkt", "k", id, []Chosen{{1, send().ETag}}, func(*object.Version) error { send(); return nil }, object.Condition{})
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, s, o); got != body {
		t.Errorf("%d bytes", len(got))
	}
	check(t, s, fs)
	closeStore(t, s)
}

// TestListingGoesOnWhereItStood: a client that empties a bucket deletes each
// page of versions before it asks for the next.
func TestListingGoesOnWhereItStood(t *testing.T) {
	t.Parallel()
	s := open(t, vfs.Memory())
	defer closeStore(t, s)
	makeBucket(t, s, "bkt", bucket.Unversioned)
	put(t, s, "bkt", "k", "null")
	setVersioning(t, s, "bkt", bucket.Enabled)
	for i := range 9 {
		put(t, s, "bkt", "k", fmt.Sprint(i))
	}
	setVersioning(t, s, "bkt", bucket.Suspended)
	put(t, s, "bkt", "k", "null")
	setVersioning(t, s, "bkt", bucket.Enabled)
	put(t, s, "bkt", "k", "last")
	o := VersionsOptions{Max: 2}
	for first := true; ; first = false {
		p, err := s.ListVersions(t.Context(), "bkt", o)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range p.Versions {
			if v.Latest != (i == 0) {
				t.Errorf("first %v, %s is the latest: %v", first, v.ID, v.Latest)
			}
		}
		for _, v := range p.Versions {
			if _, err := s.Delete(t.Context(), "bkt", v.Key, v.ID, owner); err != nil {
				t.Fatal(err)
			}
		}
		if !p.Truncated {
			break
		}
		o.AfterKey, o.AfterID = p.NextKey, p.NextID
	}
	if err := s.DeleteBucket(t.Context(), "bkt"); err != nil {
		t.Fatal(err)
	}
}

// TestManyDeliveriesAreManyFrames: what is journaled at a time is bounded,
// however much there is of it.
func TestManyDeliveriesAreManyFrames(t *testing.T) {
	t.Parallel()
	fs := vfs.Memory()
	s := replicated(t, fs)
	var ds []Delivery
	for i := range 12 {
		o := put(t, s, "src", fmt.Sprint("k", i), "x")
		r := o.Version
		r.Bucket, r.Metadata = "dst", map[string]string{"large": strings.Repeat("x", 1<<20)}
		ds = append(ds, Delivery{Source: o, Replica: &r, Outcome: object.Delivery{Bucket: "dst", Status: object.Completed}})
	}
	before := s.journal.End()
	out, err := s.Deliver(t.Context(), ds)
	if err != nil || len(out) != len(ds) {
		t.Fatalf("%+v, %v", out, err)
	}
	frames := 0 // each is larger than a segment here
	for _, seg := range s.journal.Segments() {
		if seg.End > before {
			frames++
		}
	}
	if frames < 3 {
		t.Errorf("%d frames", frames)
	}
	if out, err := s.Deliver(context.Background(), nil); len(out) != 0 || err != nil {
		t.Errorf("%+v, %v", out, err)
	}
	closeStore(t, s)
}

// TestAVersionThatComesBackStaysAsItIs: of two buckets that replicate to each
// other a job sends the replicas back.
func TestAVersionThatComesBackStaysAsItIs(t *testing.T) {
	t.Parallel()
	fs := vfs.Memory()
	s := replicated(t, fs)
	a := put(t, s, "src", "k", strings.Repeat("x", bodies.InlineMax+1))
	deliver(t, s, a, object.Completed)
	replica, err := s.Head(t.Context(), "dst", "k", a.ID)
	if err != nil {
		t.Fatal(err)
	}
	back := replica.Version
	back.Bucket, back.Tags = "src", []object.Tag{{Key: "from", Value: "afar"}}
	out, err := s.Deliver(t.Context(), []Delivery{{Source: replica, Replica: &back, Outcome: object.Delivery{Bucket: "src", Status: object.Completed}}})
	if err != nil || out[0].Status != object.Completed {
		t.Fatalf("%+v, %v", out, err)
	}
	now, err := s.Head(t.Context(), "src", "k", a.ID)
	if err != nil || now.Status != object.Completed || len(now.Tags) != 0 {
		t.Errorf("%+v, %v", now, err)
	}
	check(t, s, fs)
	closeStore(t, s)
}

// TestTheIndexStaysUntilItCanBeMadeAnew: an index that cannot be opened is not
// thrown away for a checkpoint or a journal that is damaged. It may be opened
// again once the trouble is over, and nothing else has what is in it.
func TestTheIndexStaysUntilItCanBeMadeAnew(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"checkpoint", "journal"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			mem := vfs.Memory()
			s := openInline(t, mem, fewInline)
			makeBucket(t, s, "bkt", bucket.Unversioned)
			first := churn(t, s, "bkt")[0]
			name := fmt.Sprintf("/data/journal/%020d.seg", uint64(s.journal.Segments()[1].Start))
			if what == "checkpoint" {
				compact(t, s)
				all, err := s.copies.All()
				if err != nil || len(all) != 1 {
					t.Fatal(all, err)
				}
				name = s.copies.File(all[0])
			}
			want := rows(t, s)
			closeStore(t, s)
			data, err := vfs.ReadFile(mem, name)
			if err != nil {
				t.Fatal(err)
			}
			data[len(data)/2] ^= 1
			writeFile(t, mem, name, data)
			faults := &vfs.Faults{Under: "/index/", Reads: true}
			faults.FailFrom(1)
			if _, err := Open(faults.Wrap(mem), "/data", Options{Log: quiet, CacheSize: 1 << 20}); !errors.Is(err, fault.Damaged) || fault.HintOf(err) == "" {
				t.Errorf("%v", err)
			}
			s = openInline(t, mem, fewInline)
			if diff := cmp.Diff(want, rows(t, s)); diff != "" {
				t.Error(diff)
			}
			if o, err := s.Head(t.Context(), "bkt", first.Key, ""); err != nil || o.ETag != first.ETag {
				t.Errorf("%+v, %v", o, err)
			}
			closeStore(t, s)
		})
	}
}
