package prove

import (
	"context"
	"errors"
	"maps"
	"slices"

	"twinbucket/acl"
	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/compare"
	"twinbucket/internal/store"
	"twinbucket/object"
	"twinbucket/rule"
)

// replicas looks at the replicas of a page of versions, which is counted as a whole
// or, if the pass is cut short, not at all.
func (e *Engine) replicas(ctx context.Context, listed *bucket.Bucket, versions []store.Listed, p *pass) error {
	b, err := e.Store.Again(listed) // with its settings of now
	if err != nil {
		return err
	}
	var set *rule.Set
	if doc := b.Documents[bucket.Replication]; doc != nil {
		if set, err = rule.Parse(doc); err != nil {
			return err
		}
	}
	seen := pass{Began: p.Began, Seen: slices.Clone(p.Seen)}
	for _, v := range versions {
		for _, d := range v.Deliveries {
			if d.Status != object.Completed {
				continue
			}
			f, err := e.look(ctx, b, set, v.Object, d)
			if err != nil {
				return err
			}
			seen.at(d.Bucket).add(f)
			if f != nil && len(seen.at(d.Bucket).Findings) < Kept {
				f.Key, f.VersionID, f.Rule = v.Key, v.ID, d.Rule
				at := seen.at(d.Bucket)
				at.Findings = append(slices.Clip(at.Findings), *f)
				e.Log.Warn("a replica is not as it has to be", "kind", f.Kind, "bucket", b.Name, "destination", d.Bucket, "key", v.Key, "version", v.ID, "differences", f.Differences)
			}
		}
	}
	p.Seen = seen.Seen
	return nil
}

// add counts a replica.
func (v *Verified) add(f *Finding) {
	v.Replicas++
	switch {
	case f == nil:
	case f.Kind == Differs:
		v.Differ++
	case f.Kind == Removed:
		v.Removed++
	case f.Kind == Missing:
		v.Missing++
	}
}

// look returns what is wrong with a replica; nil if nothing is.
func (e *Engine) look(ctx context.Context, b *bucket.Bucket, set *rule.Set, listed *store.Object, d object.Delivery) (*Finding, error) {
	// Each time the source is read first: what was COMPLETED then is there.
	f, err := e.compare(ctx, b, set, &listed.Version, d)
	if f == nil || err != nil {
		return nil, err
	}
	now, err := e.Store.Head(ctx, b.Name, listed.Key, listed.ID)
	switch {
	case errors.Is(err, fault.NotFound):
		return nil, nil // it was deleted meanwhile
	case err != nil:
		return nil, err
	}
	i := slices.IndexFunc(now.Deliveries, func(o object.Delivery) bool { return o.Bucket == d.Bucket })
	if i < 0 || now.Deliveries[i].Status != object.Completed {
		return nil, nil // it is replicated again
	}
	return e.compare(ctx, b, set, &now.Version, now.Deliveries[i])
}

// compare compares a version with its replica.
func (e *Engine) compare(ctx context.Context, b *bucket.Bucket, set *rule.Set, v *object.Version, d object.Delivery) (*Finding, error) {
	dst, err := e.Store.Bucket(d.Bucket)
	if errors.Is(err, fault.NotFound) {
		return &Finding{Kind: Missing}, nil
	}
	if err != nil {
		return nil, err
	}
	there, err := e.Store.Head(ctx, dst.Name, v.Key, v.ID)
	if errors.Is(err, fault.NotFound) {
		return e.gone(dst.Name, v)
	}
	if err != nil {
		return nil, err
	}
	skip := map[compare.Aspect]bool{}
	by := new(rule.Rule)
	if set != nil && set.ByID(d.Rule) != nil {
		by = set.ByID(d.Rule)
	} else {
		maps.Copy(skip, map[compare.Aspect]bool{compare.Class: true, compare.Owner: true, compare.ACL: true, compare.Encryption: true})
	}
	want, got := by.Replica(v, b, dst), there.Version
	want.Lock = v.Lock
	if dst.OwnerEnforced() {
		got.Owner, got.ACL = dst.Owner, nil // whatever was so before
	}
	settle(want, &got, v, dst, skip)
	if diffs, _ := compare.Replica(want, &got, skip); len(diffs) > 0 {
		return &Finding{Kind: Differs, Differences: diffs}, nil
	}
	return nil, nil
}

// settle leaves out what a rule or a setting may have decided otherwise when the
// replica was made: changes of them are for what comes after.
func settle(want, got, source *object.Version, dst *bucket.Bucket, skip map[compare.Aspect]bool) {
	for _, v := range []*object.Version{want, got} {
		if slices.Equal(v.ACL, acl.Private(acl.CanonicalID(v.Owner))) {
			v.ACL = nil
		}
	}
	if got.Owner != want.Owner && (got.Owner == dst.Owner || got.Owner == source.Owner) {
		skip[compare.Owner], skip[compare.ACL] = true, true
	}
	if got.ClassOf() == source.ClassOf() {
		skip[compare.Class] = true
	}
	if source.Status == object.Replica && got.Status != object.Replica {
		// It came from there, and has come back.
		for _, a := range []compare.Aspect{compare.Class, compare.Owner, compare.ACL, compare.Encryption, compare.Status, compare.Lock} {
			skip[a] = true
		}
	}
}

// gone says why a replica is not there.
func (e *Engine) gone(destination string, v *object.Version) (*Finding, error) {
	removed, err := e.Store.HardDeleted(destination, v.Key, v.ID)
	if err != nil {
		return nil, err
	}
	if removed {
		return &Finding{Kind: Removed}, nil
	}
	return &Finding{Kind: Missing}, nil
}
