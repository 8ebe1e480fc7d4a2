package kill

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"twinbucket/bucket"
	"twinbucket/client"
	"twinbucket/fault"
	"twinbucket/internal/ledger"
	"twinbucket/internal/store"
	"twinbucket/internal/testenv"
	"twinbucket/internal/vfs"
	"twinbucket/object"
)

// edge is a rule from a bucket to another.
type edge struct {
	from, to string
	prefix   string
	tag      string // "" or the value of the tag team
	both     bool   // ReplicaModifications
}

// takes reports whether the rule's filter takes a version.
func (e *edge) takes(v *object.Version) bool {
	return strings.HasPrefix(v.Key, e.prefix) && (e.tag == "" || slices.Contains(v.Tags, object.Tag{Key: "team", Value: e.tag}))
}

func (e *edge) rule(priority int) string {
	filter, modifications := "<Prefix>"+e.prefix+"</Prefix>", ""
	if e.tag != "" {
		filter = "<Tag><Key>team</Key><Value>" + e.tag + "</Value></Tag>"
	}
	if e.both {
		modifications = "<SourceSelectionCriteria><ReplicaModifications><Status>Enabled</Status></ReplicaModifications></SourceSelectionCriteria>"
	}
	return fmt.Sprintf("<Rule><ID>%s</ID><Priority>%d</Priority><Filter>%s</Filter><Status>Enabled</Status>%s<DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication><Destination><Bucket>arn:aws:s3:::%s</Bucket></Destination></Rule>", e.to, priority, filter, modifications, e.to)
}

// topology is buckets that replicate to each other.
type topology struct {
	buckets map[string]string // by name: the account
	edges   []edge
	busy    []string // buckets that clients change
}

// second is an account beside the first.
const second = "222222222222"

var topologies = map[string]topology{
	"two ways": {
		buckets: map[string]string{"kill-a": account, "kill-b": account}, busy: []string{"kill-a", "kill-b"},
		edges: []edge{{from: "kill-a", to: "kill-b", both: true}, {from: "kill-b", to: "kill-a", both: true}},
	},
	"chain": {
		buckets: map[string]string{"kill-a": account, "kill-b": account, "kill-c": account}, busy: []string{"kill-a", "kill-b"},
		edges: []edge{{from: "kill-a", to: "kill-b"}, {from: "kill-b", to: "kill-c"}},
	},
	"fan-out": {
		buckets: map[string]string{"kill-a": account, "kill-b": account, "kill-c": account, "kill-d": second}, busy: []string{"kill-a"},
		edges: []edge{{from: "kill-a", to: "kill-b"}, {from: "kill-a", to: "kill-c", tag: "c"}, {from: "kill-a", to: "kill-d", prefix: "d/"}},
	},
}

// TestTopologies kills servers whose buckets replicate in several ways, while
// clients change versions in them. In the end every version stands where it
// should, with what its source has, and nothing goes on.
func TestTopologies(t *testing.T) {
	for name, top := range topologies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &harness{t: t, dir: t.TempDir()}
			top.prepare(h)
			for round := range *turns {
				if err := top.round(h, rand.New(rand.NewPCG(*seed, uint64(round)))); err != nil {
					t.Fatalf("round %d of seed %d: %v", round, *seed, err)
				}
			}
			first, lanes := top.rest(h)
			top.check(h, first)
			again, later := top.rest(h)
			if !reflect.DeepEqual(first, again) || !reflect.DeepEqual(lanes, later) {
				t.Errorf("seed %d: it goes on: %+v, and then %+v", *seed, lanes, later)
			}
		})
	}
}

// prepare makes the buckets, with Object Lock, and their rules.
func (top *topology) prepare(h *harness) {
	h.t.Helper()
	ctx := h.t.Context()
	s := h.serve()
	_, err := s.client.CreateRole(ctx, client.Role{Name: "copier", Trust: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"sts:AssumeRole"}]}`})
	h.must(err)
	h.must(s.client.PutRolePolicy(ctx, "copier", "all", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`))
	h.must(s.stop())
	rules := map[string]string{}
	for i, e := range top.edges {
		rules[e.from] += e.rule(i)
	}
	st, err := store.Open(vfs.OS(), h.dir, store.Options{Log: slog.New(slog.DiscardHandler)})
	h.must(err)
	for name, owner := range top.buckets {
		b := &bucket.Bucket{Name: name, Owner: owner, Region: "us-east-1", Versioning: bucket.Enabled, Documents: map[bucket.Document][]byte{
			bucket.ObjectLock: []byte("<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>"),
			bucket.Policy:     []byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + account + `"},"Action":"s3:*","Resource":"arn:aws:s3:::` + name + `/*"}]}`),
		}}
		if rules[name] != "" {
			b.Documents[bucket.Replication] = []byte("<ReplicationConfiguration><Role>arn:aws:iam::" + account + ":role/copier</Role>" + rules[name] + "</ReplicationConfiguration>")
		}
		h.must(st.CreateBucket(ctx, b))
	}
	h.must(st.Close())
}

// round has clients change versions until the server is killed.
func (top *topology) round(h *harness, rng *rand.Rand) error {
	s := h.serve()
	ctx, cancel := context.WithCancel(h.t.Context())
	defer cancel()
	var left atomic.Int64
	left.Store(int64(20 + rng.IntN(120)))
	errs := make([]error, workers)
	var all sync.WaitGroup
	for i := range workers {
		m := &mover{rng: rand.New(rand.NewPCG(rng.Uint64(), uint64(i))), c: s.client, busy: top.busy}
		all.Go(func() {
			for ctx.Err() == nil {
				err := m.step(ctx)
				if left.Add(-1) == 0 {
					cancel()
					_ = s.process.Process.Kill()
				}
				if err != nil && ctx.Err() == nil && left.Load() > 0 {
					errs[i] = err
					cancel()
				}
			}
		})
	}
	all.Wait()
	return errors.Join(append(errs, s.kill())...)
}

// mover is a client that changes whatever versions there are.
type mover struct {
	rng  *rand.Rand
	c    *client.Client
	busy []string
}

func (m *mover) step(ctx context.Context) error {
	name := m.busy[m.rng.IntN(len(m.busy))]
	choice := m.rng.IntN(10)
	if choice < 3 {
		v := object.Version{
			Bucket: name, Key: fmt.Sprintf("%c/%d", 'a'+m.rng.IntN(4), m.rng.IntN(3)), Tags: m.tags(),
			Metadata: map[string]string{"made-in": name},
		}
		data := body{seed: m.rng.Uint64(), size: m.rng.IntN(400)}.bytes()
		if m.rng.IntN(20) == 0 {
			data = make([]byte, 1<<20+7)
		}
		_, err := m.c.PutObject(ctx, client.Put{Version: v, Body: bytes.NewReader(data)})
		return err
	}
	page, err := m.c.ListObjectVersions(ctx, name, client.ListVersions{Prefix: fmt.Sprintf("%c/", 'a'+m.rng.IntN(4))})
	if err != nil || len(page.Versions) == 0 {
		return err
	}
	v := page.Versions[m.rng.IntN(len(page.Versions))]
	switch {
	case choice == 3:
		_, err = m.c.DeleteObject(ctx, name, v.Key, "")
	case choice == 4:
		_, err = m.c.DeleteObject(ctx, name, v.Key, v.ID)
	case v.Marker:
	case choice == 5:
		err = m.c.PutObjectLegalHold(ctx, name, v.Key, v.ID, m.rng.IntN(3) == 0)
	default:
		err = m.c.PutObjectTagging(ctx, name, v.Key, v.ID, m.tags())
	}
	// Others delete versions, and hold them.
	if errors.Is(err, fault.NotFound) || errors.Is(err, fault.Denied) {
		return nil
	}
	return err
}

func (m *mover) tags() []object.Tag {
	return []object.Tag{{Key: "team", Value: string(rune('b' + m.rng.IntN(2)))}, {Key: "n", Value: fmt.Sprint(m.rng.Uint32())}}
}

// place is where a version is.
type place struct{ bucket, key, id string }

// rest has a server work until nothing waits, and returns what there is then
// and what was carried.
func (top *topology) rest(h *harness) (map[place]*store.Object, []ledger.Entry) {
	h.t.Helper()
	ctx := h.t.Context()
	s := h.serve()
	for name := range top.buckets {
		if top.buckets[name] != account {
			continue
		}
		testenv.Wait(h.t, func() ([]client.Lane, bool) {
			r, err := s.client.Replication(ctx, name)
			h.must(err)
			return r.Rules, !slices.ContainsFunc(r.Rules, func(l client.Lane) bool { return l.Pending > 0 })
		})
	}
	h.must(s.stop())
	st, err := store.Open(vfs.OS(), h.dir, store.Options{Log: slog.New(slog.DiscardHandler)})
	h.must(err)
	defer func() { h.must(st.Close()) }()
	all := map[place]*store.Object{}
	for name := range top.buckets {
		for o := (store.VersionsOptions{Max: 1000}); ; {
			p, err := st.ListVersions(ctx, name, o)
			h.must(err)
			for _, v := range p.Versions {
				at := place{name, v.Key, v.ID}
				if all[at] != nil {
					h.t.Errorf("%v is there twice", at)
				}
				all[at] = v.Object
			}
			if o.AfterKey, o.AfterID = p.NextKey, p.NextID; !p.Truncated {
				break
			}
		}
	}
	return all, st.Lanes("")
}

// check holds what there is against what should be.
func (top *topology) check(h *harness, all map[place]*store.Object) {
	h.t.Helper()
	completed := 0
	for at, o := range all {
		if o.Marker {
			continue
		}
		home := o.Metadata["made-in"]
		way := top.edge(home, at.bucket)
		switch {
		case home == at.bucket && o.IsReplica(), home != at.bucket && (way == nil || !o.IsReplica()):
			h.t.Errorf("%v was made in %s and is here with status %s", at, home, o.Status)
		case object.Sum(o.Deliveries) == object.Pending:
			h.t.Errorf("%v is pending: %+v", at, o.Deliveries)
		}
		for _, d := range o.Deliveries {
			to := all[place{d.Bucket, at.key, at.id}]
			way := top.edge(at.bucket, d.Bucket)
			switch {
			case d.Status == object.Completed && to != nil:
				completed++
				if to.ETag != o.ETag || !to.Modified.Equal(o.Modified) {
					h.t.Errorf("%v is another in %s", at, d.Bucket)
				}
				if way.takes(&o.Version) && (way.both || !slices.Contains(top.busy, d.Bucket)) && (!reflect.DeepEqual(to.Tags, o.Tags) || to.Lock != o.Lock) {
					h.t.Errorf("%v has %v %+v, and in %s %v %+v", at, o.Tags, o.Lock, d.Bucket, to.Tags, to.Lock)
				}
			case d.Status == object.Failed && to == nil && (d.Code == "DstVersionNotFound" || d.Code == "DstObjectHardDeleted"):
				// somebody deleted it there
			case d.Status == object.Failed && way.tag != "" && d.Code == "SrcObjectNotEligible":
				// its tags changed before it was carried
			case d.Status == object.Completed && len(top.busy) > 1 && slices.Contains(top.busy, d.Bucket):
				// deleted there, and not changed since
			default:
				h.t.Errorf("%v: in %s it is %v: %+v", at, d.Bucket, to != nil, d)
			}
		}
	}
	if completed == 0 {
		h.t.Error("nothing was replicated")
	}
}

func (top *topology) edge(from, to string) *edge {
	i := slices.IndexFunc(top.edges, func(e edge) bool { return e.from == from && e.to == to })
	if i < 0 {
		return nil
	}
	return &top.edges[i]
}
