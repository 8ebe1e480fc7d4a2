package kill

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"

	"twinbucket/bucket"
	"twinbucket/client"
	"twinbucket/internal/store"
	"twinbucket/internal/testenv"
	"twinbucket/internal/vfs"
	"twinbucket/object"
)

var (
	rounds = flag.Int("rounds", 6, "how often the server is killed")
	turns  = flag.Int("turns", 6, "how often the server of each topology is killed")
	seed   = flag.Uint64("seed", 1, "decides what the clients do")
)

// workers is how many clients there are at a time.
const workers = 4

// harness is a server's data and what it should be.
type harness struct {
	t    *testing.T
	dir  string
	keys []*key
}

// TestKill kills a server -rounds times. After each start everything that was
// acknowledged is there byte for byte, in order, and nothing that was not is
// there in part; in the end every version has its replica.
func TestKill(t *testing.T) {
	h := &harness{t: t, dir: t.TempDir()}
	s := h.serve()
	h.prepare(s.client)
	for w := range workers {
		for n := range 4 {
			h.keys = append(h.keys, &key{bucket: source, name: fmt.Sprintf("w%d/key %d", w, n)})
		}
		for n := range 2 {
			h.keys = append(h.keys, &key{bucket: plain, name: fmt.Sprintf("w%d/key %d", w, n)})
		}
	}
	for round := range *rounds {
		rng := rand.New(rand.NewPCG(*seed, uint64(round)))
		if err := h.round(s, rng, round); err != nil {
			t.Fatalf("round %d of seed %d: %v", round, *seed, err)
		}
		if rng.IntN(2) == 0 {
			h.inspect(round)
		}
		s = h.serve()
		if err := h.compare(s.client, round%50 == 49); err != nil {
			t.Fatalf("after round %d of seed %d: %v", round, *seed, err)
		}
	}
	h.settled(s)
}

func (h *harness) serve() *server {
	h.t.Helper()
	s, err := serve(h.dir)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		_ = s.kill()
		if h.t.Failed() && s.log.Len() > 0 {
			h.t.Logf("seed %d: a server's log: %s", *seed, s.log.String())
		}
	})
	return s
}

// must ends the test after an error.
func (h *harness) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// prepare makes the buckets and the replication of one to another.
func (h *harness) prepare(c *client.Client) {
	ctx := h.t.Context()
	for _, name := range []string{source, copies, plain} {
		h.must(c.CreateBucket(ctx, name))
		if name != plain {
			h.must(c.PutBucketVersioning(ctx, name, bucket.Enabled))
		}
	}
	_, err := c.CreateRole(ctx, client.Role{Name: "copier", Trust: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"sts:AssumeRole"}]}`})
	h.must(err)
	h.must(c.PutRolePolicy(ctx, "copier", "all", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`))
	h.must(c.PutBucketReplication(ctx, source, []byte(`<ReplicationConfiguration><Role>arn:aws:iam::`+account+`:role/copier</Role><Rule><ID>all</ID><Priority>1</Priority><Filter/>`+
		`<Status>Enabled</Status><DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication><Destination><Bucket>arn:aws:s3:::`+copies+`</Bucket></Destination></Rule></ReplicationConfiguration>`)))
}

// round has clients change keys until the server is killed.
func (h *harness) round(s *server, rng *rand.Rand, round int) error {
	ctx, cancel := context.WithCancel(h.t.Context())
	defer cancel()
	var once sync.Once
	f := &fuse{inBody: rng.IntN(5) == 0}
	f.blow = func() {
		once.Do(func() {
			f.blown.Store(true)
			_ = s.process.Process.Kill()
			cancel()
		})
	}
	f.left.Store(int64(1 + rng.IntN(60)))
	errs := make([]error, workers)
	var all sync.WaitGroup
	for i := range workers {
		n := len(h.keys) / workers
		w := &worker{rng: rand.New(rand.NewPCG(*seed<<32+uint64(round), uint64(i))), c: s.client, keys: h.keys[i*n : (i+1)*n], fuse: f}
		all.Go(func() {
			if errs[i] = w.run(ctx); errs[i] != nil {
				cancel()
			}
		})
	}
	all.Wait()
	return errors.Join(append(errs, s.kill())...)
}

// inspect opens the killed server's store, and closes it as it should be
// closed: of the feed it holds exactly what is pending.
func (h *harness) inspect(round int) {
	h.t.Helper()
	ctx := h.t.Context()
	s, err := store.Open(vfs.OS(), h.dir, store.Options{Log: slog.New(slog.DiscardHandler)})
	h.must(err)
	defer func() { h.must(s.Close()) }()
	waits := map[string]bool{}
	for o := (store.VersionsOptions{Max: 1000}); ; {
		p, err := s.ListVersions(ctx, source, o)
		h.must(err)
		for _, v := range p.Versions {
			if v.Status == object.Pending {
				waits[v.Key+" "+v.ID] = true
			}
		}
		if o.AfterKey, o.AfterID = p.NextKey, p.NextID; !p.Truncated {
			break
		}
	}
	var pending []store.Pending
	for _, l := range s.Lanes("") {
		ps, err := s.Pending(ctx, l.Lane, 0, 0, 1<<30)
		h.must(err)
		if int64(len(ps)) != l.Pending {
			h.t.Errorf("round %d: %d wait, the ledger counts %d", round, len(ps), l.Pending)
		}
		pending = append(pending, ps...)
	}
	for _, p := range pending {
		if v := p.Object.Key + " " + p.Object.ID; !waits[v] {
			h.t.Errorf("round %d: %s is in the feed, with status %q", round, v, p.Object.Status)
		} else {
			delete(waits, v)
		}
	}
	if len(waits) > 0 {
		h.t.Errorf("round %d: pending and not in the feed: %v", round, waits)
	}
}

// compare holds what the server has against what it should have: of all keys
// the versions, of those that were touched, or of all, the bodies and tags.
func (h *harness) compare(c *client.Client, all bool) error {
	ctx := h.t.Context()
	got := map[string][]version{}
	for _, name := range []string{source, plain} {
		for v, err := range c.Versions(ctx, name, client.ListVersions{}) {
			if err != nil {
				return err
			}
			at := name + "/" + v.Key
			if v.Latest != (len(got[at]) == 0) {
				return fmt.Errorf("%s %s: it is the latest: %v", at, v.ID, v.Latest)
			}
			got[at] = append(got[at], version{id: v.ID, marker: v.Marker, body: body{size: int(v.Size)}})
		}
	}
	for _, k := range h.keys {
		at := k.bucket + "/" + k.name
		doing := k.doing
		if err := k.settle(got[at]); err != nil {
			return err
		}
		delete(got, at)
		if !k.touched && !all {
			continue
		}
		tag := ""
		_, _ = fmt.Sscanf(doing, "tag %s", &tag)
		if err := k.compare(ctx, c, tag); err != nil {
			return err
		}
	}
	if len(got) > 0 {
		return fmt.Errorf("there is what nobody put: %v", got)
	}
	return nil
}

// settled waits until nothing is pending, and looks for the replicas.
func (h *harness) settled(s *server) {
	h.t.Helper()
	ctx := h.t.Context()
	for _, k := range h.keys {
		for _, v := range k.have {
			if k.bucket != source || v.marker {
				continue
			}
			got := testenv.Wait(h.t, func() (*object.Version, bool) {
				now, err := s.client.HeadObject(ctx, source, k.name, v.id)
				h.must(err)
				return now, now.Status != object.Pending
			})
			if got.Status != object.Completed {
				h.t.Errorf("%s %s has status %q", k.name, v.id, got.Status)
			}
			h.must(same(ctx, s.client, copies, k.name, v.id, v.body))
		}
	}
	h.must(s.stop())
	h.inspect(-1)
}
