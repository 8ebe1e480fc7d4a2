package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"twinbucket/acl"
	"twinbucket/bucket"
	"twinbucket/internal/event"
	"twinbucket/internal/keyring"
	"twinbucket/internal/outbox"
	"twinbucket/internal/vfs"
	"twinbucket/object"
)

// notify has a target told of all that happens in a bucket.
func notify(t testing.TB, s *Store, name, target string) {
	t.Helper()
	err := s.UpdateBucket(t.Context(), name, func(b *bucket.Bucket) error {
		b.Documents[bucket.Notification] = []byte(target)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func events(t testing.TB, s *Store, target string) []event.Event {
	t.Helper()
	es, err := s.Events(target, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return es
}

// openAt opens a store with a clock that the test turns.
func openAt(t testing.TB, fs vfs.FS, now *time.Time) *Store {
	t.Helper()
	s, err := Open(fs, "/data", Options{
		Log: quiet, CacheSize: 1 << 20, Select: selectAll, SelectChanges: selectAll, Tell: tellAll, Keys: []keyring.Key{{ID: "key"}},
		Now: func() time.Time { return *now },
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestEvents: what happens makes the events that AWS names for it, in order.
func TestEvents(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	late := func() { now = now.Add(event.Threshold + time.Second) }
	for _, tt := range []struct {
		name string
		do   func(t *testing.T, s *Store)
		want string // names, and the bucket where it is not src
	}{
		{"put", func(t *testing.T, s *Store) { put(t, s, "src", "k", "x") }, "ObjectCreated:Put"},
		{"post", func(t *testing.T, s *Store) {
			ctx := event.With(t.Context(), event.Origin{How: event.ByPost})
			if _, err := s.Put(ctx, Put{Version: object.Version{Bucket: "src", Key: "k"}}); err != nil {
				t.Error(err)
			}
		}, "ObjectCreated:Post"},
		{"copy", func(t *testing.T, s *Store) {
			if _, err := s.Copy(t.Context(), put(t, s, "quiet", "k", "x"), Put{Version: object.Version{Bucket: "src", Key: "k"}}); err != nil {
				t.Error(err)
			}
		}, "ObjectCreated:Copy"},
		{"multipart", func(t *testing.T, s *Store) { multipart(t, s, "src") }, "ObjectCreated:CompleteMultipartUpload"},
		{"a refused put", func(t *testing.T, s *Store) {
			_, err := s.Put(t.Context(), Put{Version: object.Version{Bucket: "src", Key: "k"}, If: object.Condition{Match: "x"}})
			wantCode(t, err, "NoSuchKey")
		}, ""},
		{"delete marker, and its end", func(t *testing.T, s *Store) {
			d, err := s.Delete(t.Context(), "src", "k", "", owner)
			if err == nil {
				_, err = s.Delete(t.Context(), "src", "k", d.ID, owner)
			}
			if err != nil {
				t.Error(err)
			}
		}, "ObjectRemoved:DeleteMarkerCreated ObjectRemoved:Delete"},
		{"delete of nothing", func(t *testing.T, s *Store) {
			if _, err := s.Delete(t.Context(), "plain", "k", "", owner); err != nil {
				t.Error(err)
			}
		}, ""},
		{"delete of what waits for replication", func(t *testing.T, s *Store) {
			if _, err := s.Delete(t.Context(), "src", "k", put(t, s, "src", "k", "x").ID, owner); err != nil {
				t.Error(err)
			}
		}, "ObjectCreated:Put ObjectRemoved:Delete Replication:OperationNotTracked"},
		{"lifecycle", func(t *testing.T, s *Store) {
			put(t, s, "src", "k", "x")
			b, err := s.Bucket("src")
			if err != nil {
				t.Fatal(err)
			}
			old := listed(t, s, "src", "k")[0]
			if _, err := s.Expire(t.Context(), b, []Expiry{old}); err != nil {
				t.Error(err)
			}
			if _, err := s.Expire(t.Context(), b, []Expiry{{Object: listed(t, s, "src", "k")[1].Object}}); err != nil {
				t.Error(err)
			}
		}, "ObjectCreated:Put LifecycleExpiration:DeleteMarkerCreated LifecycleExpiration:Delete Replication:OperationNotTracked"},
		{"tags and ACLs", func(t *testing.T, s *Store) {
			put(t, s, "src", "k", "x")
			for _, tags := range [][]object.Tag{{{Key: "a", Value: "1"}}, nil} {
				if _, err := s.SetTags(t.Context(), "src", "k", "", tags); err != nil {
					t.Error(err)
				}
			}
			list := acl.List{{ID: "x", Permission: acl.Read}}
			for range 2 { // the second changes nothing
				if _, err := s.SetACL(t.Context(), "src", "k", "", list); err != nil {
					t.Error(err)
				}
			}
			if _, err := s.SetLegalHold(t.Context(), "src", "k", "", false); err != nil {
				t.Error(err)
			}
		}, "ObjectCreated:Put ObjectTagging:Put ObjectTagging:Delete ObjectAcl:Put"},
		{"replicated", func(t *testing.T, s *Store) {
			o := put(t, s, "src", "k", "x")
			deliver(t, s, o, object.Completed)
			deliver(t, s, o, object.Completed) // a job does it again
		}, "ObjectCreated:Put dst/ObjectCreated:Put"},
		{
			"replicated in parts", func(t *testing.T, s *Store) { deliver(t, s, multipart(t, s, "src"), object.Completed) },
			"ObjectCreated:CompleteMultipartUpload dst/ObjectCreated:CompleteMultipartUpload",
		},
		{"replicated late", func(t *testing.T, s *Store) {
			o := put(t, s, "src", "k", "x")
			late()
			deliver(t, s, o, object.Completed)
			late()
			deliver(t, s, o, object.Completed)
		}, "ObjectCreated:Put dst/ObjectCreated:Put Replication:OperationReplicatedAfterThreshold"},
		{
			"failed", func(t *testing.T, s *Store) { deliver(t, s, put(t, s, "src", "k", "x"), object.Failed) },
			"ObjectCreated:Put Replication:OperationFailedReplication",
		},
		{"failed where it was to be stored", func(t *testing.T, s *Store) {
			setVersioning(t, s, "dst", bucket.Suspended)
			deliver(t, s, put(t, s, "src", "k", "x"), object.Completed)
		}, "ObjectCreated:Put Replication:OperationFailedReplication"},
		{"missed", func(t *testing.T, s *Store) {
			o := put(t, s, "src", "k", "x")
			for range 3 { // not yet, now, once
				if err := s.Missed(t.Context(), o, "dst"); err != nil {
					t.Error(err)
				}
				late()
			}
			deliver(t, s, o, object.Failed)
			if err := s.Missed(t.Context(), o, "dst"); err != nil {
				t.Error(err)
			}
		}, "ObjectCreated:Put Replication:OperationMissedThreshold Replication:OperationFailedReplication"},
		{"missed again, when it changed", func(t *testing.T, s *Store) {
			o := put(t, s, "src", "k", "x")
			late()
			deliver(t, s, o, object.Completed)
			o, err := s.SetTags(t.Context(), "src", "k", "", []object.Tag{{Key: "a"}})
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // not yet, now
				if err := s.Missed(t.Context(), o, "dst"); err != nil {
					t.Error(err)
				}
				late()
			}
		}, "ObjectCreated:Put dst/ObjectCreated:Put Replication:OperationReplicatedAfterThreshold ObjectTagging:Put Replication:OperationMissedThreshold"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fs := vfs.Memory()
			s := replicate(t, openAt(t, fs, &now))
			makeBucket(t, s, "quiet", bucket.Enabled)
			makeBucket(t, s, "plain", bucket.Unversioned)
			for _, name := range []string{"src", "dst", "plain"} {
				notify(t, s, name, "arn")
			}
			tt.do(t, s)
			var got []string
			place := uint64(0)
			for _, e := range events(t, s, "arn") {
				name := e.Name
				if e.Bucket != "src" {
					name = e.Bucket + "/" + name
				}
				got = append(got, name)
				if e.Place <= place || e.Owner != owner || e.Configuration != "all" || !e.Origin.Time.Equal(now) && !strings.Contains(tt.name, "late") && !strings.Contains(tt.name, "missed") {
					t.Errorf("%+v", e)
				}
				place = e.Place
			}
			if diff := cmp.Diff(tt.want, strings.Join(got, " ")); diff != "" {
				t.Error(diff)
			}
			check(t, s, fs)
			want := rows(t, s)
			closeStore(t, s)
			if err := fs.RemoveAll("/data/index"); err != nil {
				t.Fatal(err)
			}
			s = openAt(t, fs, &now)
			if diff := cmp.Diff(readable(want), readable(rows(t, s))); diff != "" {
				t.Errorf("live, and replayed: %s", diff)
			}
			closeStore(t, s)
		})
	}
}

func multipart(t *testing.T, s *Store, name string) *Object {
	t.Helper()
	id, err := s.CreateUpload(t.Context(), object.Version{Bucket: name, Key: "parts"}, "")
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.PutPart(t.Context(), name, "parts", id, 1, strings.NewReader("x"), -1, nil)
	if err != nil {
		t.Fatal(err)
	}
	o, err := s.CompleteUpload(t.Context(), name, "parts", id, []Chosen{{1, p.ETag}}, nil, object.Condition{})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// TestOriginOfEvents: an event says who asked, and S3 itself where it acts for
// nobody; nothing of it is journaled for a bucket that tells nobody.
func TestOriginOfEvents(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC()
	s := replicate(t, openAt(t, vfs.Memory(), &now))
	defer closeStore(t, s)
	ann := event.Origin{Principal: "AWS:AIDA", Address: "192.0.2.1", Request: "R", Host: "H"}
	write := func() int64 {
		before := s.journal.End()
		if _, err := s.Put(event.With(t.Context(), ann), Put{Version: object.Version{Bucket: "src", Key: "k"}}); err != nil {
			t.Fatal(err)
		}
		return int64(s.journal.End() - before)
	}
	silent := write()
	notify(t, s, "src", "arn")
	if loud := write(); loud <= silent {
		t.Errorf("%d bytes journaled, %d where nobody is told", loud, silent)
	}
	o, err := s.Head(t.Context(), "src", "k", "")
	if err != nil {
		t.Fatal(err)
	}
	notify(t, s, "dst", "arn")
	r := o.Version
	r.Bucket = "dst"
	if _, err := s.Deliver(t.Context(), []Delivery{{Source: o, Replica: &r, By: "AWS:AROA:s3-replication", Outcome: object.Delivery{Bucket: "dst", Rule: "r", Status: object.Completed}}}); err != nil {
		t.Fatal(err)
	}
	deliver(t, s, o, object.Failed)
	ann.Time = now
	var got []event.Origin
	for _, e := range events(t, s, "arn") {
		got = append(got, e.Origin)
	}
	want := []event.Origin{ann, {Principal: "AWS:AROA:s3-replication", Address: event.Service, Time: now}, {Principal: event.Service, Address: event.Service, Time: now}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestEventsAreTakenOut: what was told goes, of its target alone, and is
// counted.
func TestEventsAreTakenOut(t *testing.T) {
	t.Parallel()
	fs := vfs.Memory()
	s := open(t, fs)
	for _, name := range []string{"one", "two"} {
		makeBucket(t, s, name, bucket.Enabled)
		notify(t, s, name, name)
		for i := range 5 {
			put(t, s, name, fmt.Sprint(i), "x")
		}
	}
	es := events(t, s, "one")
	for _, told := range []outbox.Told{
		{Target: "one", First: es[0].Place, Last: es[1].Place},
		{Target: "one", First: es[0].Place, Last: es[1].Place}, // they are gone
		{Target: "one", First: es[2].Place, Last: es[2].Place, Dropped: true},
	} {
		if err := s.Told(t.Context(), told); err != nil {
			t.Fatal(err)
		}
	}
	compact(t, s)
	closeStore(t, s)
	s = open(t, fs)
	defer closeStore(t, s)
	out, err := s.Outboxes()
	if diff := cmp.Diff([]outbox.Box{{Target: "one", Waiting: 2, Told: 2, Dropped: 1}, {Target: "two", Waiting: 5}}, out); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if left := events(t, s, "one"); len(left) != 2 || left[0].Key != "3" {
		t.Errorf("%+v", left)
	}
	if first, err := s.Events("two", 1); err != nil || len(first) != 1 || first[0].Key != "0" {
		t.Errorf("%+v, %v", first, err)
	}
	check(t, s, fs)
}

// TestEventsSurvive makes the k-th operation of the disk fail, with all that
// follow, for every k; then the power fails, what was not synced is lost or
// kept, and sometimes the index is lost. An event is there exactly if what made
// it happen is, unless it was taken out.
func TestEventsSurvive(t *testing.T) {
	t.Parallel()
	for k := int64(1); ; k++ {
		mem := vfs.Memory()
		faults := &vfs.Faults{Under: "/journal"}
		s := open(t, faults.Wrap(mem))
		makeBucket(t, s, "bkt", bucket.Enabled)
		notify(t, s, "bkt", "arn")
		faults.FailFrom(k)
		told := map[string]bool{} // keys: true if that was acknowledged
		for i := range 8 {
			_, err := s.Put(t.Context(), Put{Version: object.Version{Bucket: "bkt", Key: fmt.Sprint(i)}})
			if err != nil && !errors.Is(err, vfs.ErrInjected) {
				t.Fatal(err)
			}
			if es := events(t, s, "arn"); i%3 == 2 && len(es) > 0 {
				told[es[0].Key] = s.Told(t.Context(), outbox.Told{Target: "arn", First: es[0].Place, Last: es[0].Place}) == nil
			}
		}
		failed := s.Told(t.Context(), outbox.Told{Target: "none"}) != nil
		lost, kept := mem.Crash(0, nil), mem.Crash(100, rand.New(rand.NewPCG(uint64(k), 1)))
		closeStore(t, s)
		if k%2 == 0 {
			if err := kept.RemoveAll("/data/index"); err != nil {
				t.Fatal(err)
			}
		}
		for how, fs := range map[string]vfs.Mem{"lost": lost, "kept": kept, "restart": mem} {
			s := open(t, fs)
			check(t, s, fs)
			have := map[string]bool{}
			for _, e := range events(t, s, "arn") {
				have[e.Key] = true
			}
			for i := range 8 {
				key := fmt.Sprint(i)
				_, err := s.Head(t.Context(), "bkt", key, "")
				gone, tried := told[key]
				if there := err == nil; have[key] && (!there || gone) || !have[key] && there && !tried {
					t.Errorf("k=%d, %s: key %s there %v, its event %v, taken out %v", k, how, key, there, have[key], gone)
				}
			}
			closeStore(t, s)
		}
		if t.Failed() || !failed {
			break
		}
	}
}
