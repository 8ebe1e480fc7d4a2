package kill

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"

	"twinbucket/client"
	"twinbucket/object"
)

// Buckets: one with versioning, which is replicated to another, and one
// without.
const (
	source = "kill-source"
	copies = "kill-copies"
	plain  = "kill-plain"
)

// body is a body that is made when it is needed.
type body struct {
	seed uint64
	size int
}

func (b body) bytes() []byte {
	data := make([]byte, b.size)
	rng := rand.New(rand.NewPCG(b.seed, uint64(b.size)))
	for i := 0; i < len(data); i += 8 {
		v := rng.Uint64()
		for k := i; k < min(i+8, len(data)); k++ {
			data[k], v = byte(v), v>>8
		}
	}
	return data
}

// version is a version or delete marker as it should be.
type version struct {
	id     string // "": not known, the server was killed before it said it
	marker bool
	body   body
	tag    string
}

// key is a key and what it should hold, the newest first. One client changes
// it, one step after the other.
type key struct {
	bucket, name string
	have         []version
	// maybe is what it holds if the step that is under way took effect; it has
	// not been acknowledged.
	maybe   []version
	doing   string
	touched bool // since it was compared
}

func (k *key) versioned() bool { return k.bucket == source }

// put returns what the key holds after a put of v.
func (k *key) put(v version) []version {
	if !k.versioned() {
		v.id = object.NullID
		return []version{v}
	}
	return append([]version{v}, k.have...)
}

// without returns what the key holds after version i was deleted.
func (k *key) without(i int) []version {
	return slices.Delete(slices.Clone(k.have), i, i+1)
}

// tagged returns what the key holds when version i has another tag.
func (k *key) tagged(i int, tag string) []version {
	next := slices.Clone(k.have)
	next[i].tag = tag
	return next
}

// begin notes a step that is under way.
func (k *key) begin(doing string, next []version) {
	k.doing, k.maybe, k.touched = doing, next, true
}

// done notes that it was acknowledged; id is that of a version that it made.
func (k *key) done(id string) {
	k.have, k.maybe = k.maybe, nil
	if len(k.have) > 0 && k.have[0].id == "" {
		k.have[0].id = id
	}
}

// settle holds what a key has after a start against what it may have.
func (k *key) settle(got []version) error {
	if ids, ok := match(k.have, got); ok {
		k.have = ids
	} else if ids, ok := match(k.maybe, got); ok && k.doing != "" && k.touched {
		k.have = ids
	} else {
		return fmt.Errorf("%s/%s: it has %+v, acknowledged was %+v; under way was %q, %+v", k.bucket, k.name, got, k.have, k.doing, k.maybe)
	}
	k.maybe, k.doing = nil, ""
	return nil
}

// match reports whether the listed versions are those wanted, and returns them
// with their ids.
func match(want, got []version) ([]version, bool) {
	if len(want) != len(got) {
		return nil, false
	}
	out := slices.Clone(want)
	for i := range out {
		g := got[i]
		if out[i].id == "" {
			out[i].id = g.id
		}
		if out[i].id != g.id || out[i].marker != g.marker || out[i].body.size != g.body.size {
			return nil, false
		}
	}
	return out, true
}

// compare reads every version of a key. Tags are changed without a new
// version, so here they tell whether a step took effect.
func (k *key) compare(ctx context.Context, c *client.Client, wasUnderWay string) error {
	for i := range k.have {
		v := &k.have[i]
		if v.marker {
			continue
		}
		if err := same(ctx, c, k.bucket, k.name, v.id, v.body); err != nil {
			return err
		}
		tags, err := c.GetObjectTagging(ctx, k.bucket, k.name, v.id)
		if err != nil {
			return fmt.Errorf("%s/%s %s: %w", k.bucket, k.name, v.id, err)
		}
		got := ""
		if len(tags) == 1 {
			got = tags[0].Value
		}
		if got != v.tag {
			if got != wasUnderWay || got == "" {
				return fmt.Errorf("%s/%s %s: it is tagged %v, not %q; under way was %q", k.bucket, k.name, v.id, tags, v.tag, wasUnderWay)
			}
			v.tag = got
		}
	}
	k.touched = false
	return nil
}

// same reads a version and compares it with its body.
func same(ctx context.Context, c *client.Client, bucket, name, id string, want body) error {
	o, err := c.GetObject(ctx, bucket, name, client.Get{VersionID: id})
	if err != nil {
		return fmt.Errorf("%s/%s %s: %w", bucket, name, id, err)
	}
	data, err := io.ReadAll(o.Body)
	_ = o.Body.Close()
	if err != nil || !bytes.Equal(data, want.bytes()) {
		return fmt.Errorf("%s/%s %s: %d bytes that are not those that were put, %w", bucket, name, id, len(data), err)
	}
	return nil
}
