package store

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"twinbucket/acl"
	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/outbox"
	"twinbucket/internal/vfs"
	"twinbucket/object"
)

// history is a store to which random things are done. What the store refuses
// is as good as what it does: both have to be the same when it is replayed.
type history struct {
	rt      *rapid.T
	t       testing.TB
	s       *Store
	seen    []*Object // versions as they were once, also of what is gone
	uploads map[string]string
}

var historyBuckets = []string{"src", "dst", "plain"}

// pick draws a version that was seen once, an old picture of it perhaps.
func (h *history) pick() *Object {
	if len(h.seen) == 0 {
		return &Object{Version: object.Version{Bucket: "src", Key: "none", ID: object.NullID}}
	}
	return rapid.SampledFrom(h.seen).Draw(h.rt, "version")
}

// done notes what was made. Refusals are fine, failures are not.
func (h *history) done(o *Object, err error) {
	if err == nil && o != nil {
		h.seen = append(h.seen, o)
	}
	if k := fault.KindOf(err); err != nil && (k == fault.Other || k == fault.Damaged) {
		h.t.Error(err)
	}
}

func (h *history) version() object.Version {
	v := object.Version{
		Bucket: rapid.SampledFrom(historyBuckets).Draw(h.rt, "bucket"),
		Key:    rapid.SampledFrom([]string{"a", "b", "c\x00d"}).Draw(h.rt, "key"),
		Owner:  owner,
	}
	if rapid.Bool().Draw(h.rt, "rich") {
		v.Metadata = map[string]string{"a": "1", "b": "", "c": "3", "d": "4", "": "5"}
		v.Tags = []object.Tag{{Key: "z", Value: "1"}, {Key: "a"}}
		v.Headers.ContentType = "text/plain"
		v.Checksums = []object.Checksum{{Algorithm: "SHA256", Value: "x"}}
		v.Lock.Mode = ""
		v.Encryption = underKMS
	}
	return v
}

func (h *history) body() string {
	return strings.Repeat("x", rapid.SampledFrom([]int{0, 1, 5000, fewInline + 1}).Draw(h.rt, "size"))
}

func (h *history) condition() object.Condition {
	return rapid.SampledFrom([]object.Condition{{}, {}, {NoneMatch: "*"}, {Match: "*"}}).Draw(h.rt, "condition")
}

func (h *history) upload() (bkt, key, id string) {
	v := h.version()
	id = h.uploads[v.Bucket+v.Key]
	if id == "" {
		id, _ = h.s.CreateUpload(h.t.Context(), v, "") // the bucket may be gone
		h.uploads[v.Bucket+v.Key] = id
	}
	return v.Bucket, v.Key, id
}

// step does one thing.
func (h *history) step() {
	ctx, s := h.t.Context(), h.s
	switch rapid.IntRange(0, 17).Draw(h.rt, "step") {
	case 0, 1, 2:
		h.done(s.Put(ctx, Put{Version: h.version(), Body: strings.NewReader(h.body()), Size: -1, If: h.condition()}))
	case 3:
		if o := h.pick(); o.ETag != "" {
			h.done(s.Copy(ctx, o, Put{Version: h.version(), If: h.condition()}))
		}
	case 4:
		v := h.version()
		_, err := s.Delete(ctx, v.Bucket, v.Key, "", owner)
		h.done(nil, err)
	case 5:
		o := h.pick()
		_, err := s.DeleteWith(ctx, Deletion{Bucket: o.Bucket, Key: o.Key, ID: o.ID, Owner: owner, Bypass: rapid.Bool().Draw(h.rt, "bypass")})
		h.done(nil, err)
	case 6:
		o := h.pick()
		h.done(s.SetTags(ctx, o.Bucket, o.Key, o.ID, []object.Tag{{Key: "t", Value: o.ID}}))
		h.done(s.SetACL(ctx, o.Bucket, o.Key, o.ID, rapid.SampledFrom([]acl.List{nil, {}, {{ID: "x", Permission: acl.Read}}}).Draw(h.rt, "acl")))
	case 7:
		o := h.pick()
		h.done(s.SetRetention(ctx, o.Bucket, o.Key, o.ID, Retention{
			Mode:   rapid.SampledFrom([]string{"", object.Governance, object.Compliance}).Draw(h.rt, "mode"),
			Until:  time.Now().Add(time.Duration(rapid.IntRange(-1, 3).Draw(h.rt, "until")) * time.Minute),
			Bypass: rapid.Bool().Draw(h.rt, "bypass"),
		}))
		h.done(s.SetLegalHold(ctx, o.Bucket, o.Key, o.ID, rapid.Bool().Draw(h.rt, "hold")))
	case 8, 9, 10:
		h.deliver()
	case 11:
		bkt, key, id := h.upload()
		_, err := s.PutPart(ctx, bkt, key, id, rapid.IntRange(1, 2).Draw(h.rt, "part"), strings.NewReader(h.body()), -1, nil)
		h.done(nil, err)
	case 12:
		bkt, key, id := h.upload()
		if o := h.pick(); o.Size > 0 {
			_, err := s.CopyPart(ctx, PartPut{Bucket: bkt, Key: key, Upload: id, Number: 1}, o, o.Size/2, -1)
			if !errors.Is(err, fault.NotFound) {
				h.done(nil, err)
			}
		}
	case 13:
		bkt, key, id := h.upload()
		_, parts, _, err := s.Parts(ctx, bkt, key, id, 0, 1)
		if err == nil && len(parts) > 0 {
			h.done(s.CompleteUpload(ctx, bkt, key, id, []Chosen{{parts[0].Number, parts[0].ETag}}, nil, h.condition()))
		} else if err == nil {
			h.done(nil, s.AbortUpload(ctx, bkt, key, id))
		}
		delete(h.uploads, bkt+key)
	case 14:
		h.settings()
	case 15:
		name := rapid.SampledFrom([]string{"x", "y"}).Draw(h.rt, "record")
		if rapid.Bool().Draw(h.rt, "rename") {
			h.done(nil, s.ChangeRecords(ctx, []RecordChange{
				{Kind: "kind", Name: name, Remove: true, Revision: AnyRevision},
				{Kind: "kind", Name: "z" + name, Value: []byte(name), Revision: rapid.SampledFrom([]uint64{0, AnyRevision}).Draw(h.rt, "of the new")},
			}))
			return
		}
		if rapid.Bool().Draw(h.rt, "remove") {
			h.done(nil, s.DeleteRecord(ctx, "kind", name, AnyRevision))
			return
		}
		_, err := s.PutRecord(ctx, "kind", name, []byte(name), rapid.SampledFrom([]uint64{0, 1, AnyRevision}).Draw(h.rt, "revision"))
		h.done(nil, err)
	case 16:
		_, err := s.Compact(ctx)
		h.done(nil, err)
	case 17:
		h.told()
	}
}

// deliver settles up to three deliveries, of what is pending or of anything.
func (h *history) deliver() {
	var ds []Delivery
	for range rapid.IntRange(1, 3).Draw(h.rt, "deliveries") {
		o := h.pick()
		if ps, err := h.s.Pending(h.t.Context(), lane, 0, 0, 1); err != nil {
			h.rt.Fatal(err)
		} else if len(ps) > 0 && rapid.Bool().Draw(h.rt, "pending") {
			o = ps[0].Object
		}
		d := Delivery{Source: o, Outcome: object.Delivery{Bucket: "dst", Rule: "r", Status: object.Failed, Code: "X"}}
		if rapid.Bool().Draw(h.rt, "completed") {
			r := o.Version
			r.Bucket = "dst"
			d.Replica, d.Outcome.Status, d.Outcome.Code = &r, object.Completed, ""
		}
		ds = append(ds, d)
	}
	_, err := h.s.Deliver(h.t.Context(), ds)
	h.done(nil, err)
}

// told takes some events out of the outbox.
func (h *history) told() {
	target := rapid.SampledFrom(historyBuckets).Draw(h.rt, "target")
	es, err := h.s.Events(target, rapid.IntRange(1, 4).Draw(h.rt, "events"))
	if err != nil {
		h.rt.Fatal(err)
	}
	if len(es) > 0 {
		h.done(nil, h.s.Told(h.t.Context(), outbox.Told{
			Target: target, First: es[0].Place, Last: es[len(es)-1].Place, Dropped: rapid.Bool().Draw(h.rt, "dropped"),
		}))
	}
}

// settings changes, removes or makes a bucket.
func (h *history) settings() {
	name := rapid.SampledFrom(historyBuckets).Draw(h.rt, "bucket")
	v := rapid.SampledFrom([]bucket.Versioning{bucket.Enabled, bucket.Suspended}).Draw(h.rt, "versioning")
	switch rapid.IntRange(0, 3).Draw(h.rt, "setting") {
	case 0:
		h.done(nil, h.s.UpdateBucket(h.t.Context(), name, func(b *bucket.Bucket) error {
			b.Versioning = v
			b.Documents[bucket.Policy] = []byte(v)
			b.Documents[bucket.Tagging] = nil
			b.Documents[bucket.Notification] = []byte(name)
			return nil
		}))
	case 1:
		h.done(nil, h.s.DeleteBucket(h.t.Context(), name))
	case 3:
		h.done(nil, h.s.UpdateBucket(h.t.Context(), name, lockWith("COMPLIANCE")))
	case 2:
		h.done(nil, h.s.CreateBucket(h.t.Context(), &bucket.Bucket{Name: name, Versioning: v}))
	}
}

// TestReplayMakesTheSameIndex does random things, some with a restart in
// between, then throws the index away and compares every row of the one that
// is rebuilt with what it was.
func TestReplayMakesTheSameIndex(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		fs := vfs.Memory()
		h := &history{rt: rt, t: t, s: replicate(t, openInline(t, fs, fewInline)), uploads: map[string]string{}}
		defer func() { closeStore(t, h.s) }()
		makeBucket(t, h.s, "plain", bucket.Unversioned)
		for n := range rapid.IntRange(1, 40).Draw(rt, "steps") {
			h.step()
			if n%15 == 14 {
				closeStore(t, h.s)
				h.s = openInline(t, fs, fewInline)
			}
		}
		check(t, h.s, fs)
		want := rows(t, h.s)
		closeStore(t, h.s)
		if err := fs.RemoveAll("/data/index"); err != nil {
			rt.Fatal(err)
		}
		h.s = openInline(t, fs, fewInline)
		if diff := cmp.Diff(readable(want), readable(rows(t, h.s))); diff != "" {
			rt.Fatalf("live, and replayed: %s", diff)
		}
		check(t, h.s, fs)
	})
}

func readable(rows map[string]string) map[string]string {
	out := make(map[string]string, len(rows))
	for k, v := range rows {
		out[fmt.Sprintf("%q", k)] = fmt.Sprintf("%q", v)
	}
	return out
}
