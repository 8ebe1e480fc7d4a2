package verify

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"twinbucket/acl"
	"twinbucket/bucket"
	"twinbucket/client"
	"twinbucket/fault"
	"twinbucket/internal/compare"
	"twinbucket/object"
	"twinbucket/rule"
)

// place is a bucket as far as it can be read. Its owner is a canonical user id.
type place struct {
	bucket.Bucket
	client *client.Client // in the bucket's region
	owned  bool           // who owns it and whether ACLs are on is known
	rules  *rule.Set      // nil: none of its rules names the other bucket
	hidden bool           // its rules may not be read
}

// gap is something that may not be known.
type gap struct {
	action string // that would have to be allowed; "" if it is no matter of rights
	bucket string
	reason string // without an action: why
	class  Class  // Unknown or CustomerKey
}

// gapOf says what is missing when an action failed.
func gapOf(bucket, action string, err error) gap {
	g := gap{bucket: bucket, class: Unknown}
	if code := fault.CodeOf(err); errors.Is(err, fault.Denied) && code != "InvalidObjectState" {
		g.action = action
	} else {
		g.reason = action + " failed: " + cmp.Or(code, "the endpoint does not answer")
	}
	return g
}

// buckets reads what matters of both buckets.
func (r *run) buckets(ctx context.Context) error {
	var err error
	if r.src, err = r.place(ctx, r.Source, r.Destination.Bucket); err != nil {
		return err
	}
	if r.dst, err = r.place(ctx, r.Destination, r.Source.Bucket); err != nil {
		return err
	}
	if set := r.src.rules; set != nil {
		for i := range set.Rules {
			if set.Rules[i].Status == rule.Enabled && set.Rules[i].Destination.BucketName() == r.dst.Name {
				r.sum.Rules = append(r.sum.Rules, set.Rules[i].ID)
			}
		}
	}
	if !r.src.Locked() {
		r.skip[compare.Lock] = true // replicas are locked if their sources are, or as the destination likes
	}
	if r.src.hidden {
		r.sum.Unknown = add(r.sum.Unknown, Tally{Action: "s3:GetReplicationConfiguration", Bucket: r.src.Name})
	}
	for _, p := range []*place{r.src, r.dst} {
		if !p.owned && r.src.rules != nil && !r.skip[compare.Owner] {
			r.sum.Unknown = add(r.sum.Unknown, Tally{Action: "s3:GetBucketAcl, s3:GetBucketOwnershipControls", Bucket: p.Name})
		}
	}
	return nil
}

// place reads a bucket, and its rules for the other one.
func (r *run) place(ctx context.Context, s Side, other string) (*place, error) {
	region, err := s.Client.BucketRegion(ctx, s.Bucket)
	if err != nil {
		return nil, err
	}
	p := &place{Bucket: bucket.Bucket{Name: s.Bucket, Region: region, Documents: map[bucket.Document][]byte{}}, client: s.Client.In(region)}
	// Of old, buckets have no setting of ownership, and ACLs are on.
	p.Documents[bucket.OwnershipControls] = nil
	var unknown error
	p.Owner, _, unknown = p.client.GetBucketACL(ctx, p.Name)
	for _, d := range []bucket.Document{bucket.OwnershipControls, bucket.ObjectLock, bucket.Replication} {
		data, err := p.client.GetBucketDocument(ctx, p.Name, d)
		switch {
		case err == nil:
			p.Documents[d] = data
		case errors.Is(err, fault.NotFound):
		case d == bucket.OwnershipControls:
			unknown = cmp.Or(unknown, err)
		case d == bucket.Replication:
			p.hidden = true
		default:
			// Then every version is asked for its lock.
			p.Documents[d] = []byte{}
		}
	}
	p.owned = unknown == nil
	if data := p.Documents[bucket.Replication]; data != nil {
		set, err := rule.Parse(data)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(set.Rules, func(r rule.Rule) bool { return r.Destination.BucketName() == other }) {
			p.rules = set
		}
	}
	return p, ctx.Err()
}

// facts is a version as far as it can be read.
type facts struct {
	object.Version
	skip   map[compare.Aspect]bool // what of it is not known
	headed bool                    // HEAD told of it: its status is known
	gaps   []gap
}

func (f *facts) miss(g gap, of ...compare.Aspect) {
	f.gaps = append(f.gaps, g)
	for _, a := range of {
		f.skip[a] = true
	}
}

// look reads a version of which a listing or HEAD told; nil if it is gone.
func (r *run) look(ctx context.Context, p *place, listed *object.Version, owned bool) (*facts, error) {
	f := &facts{Version: *listed, skip: map[compare.Aspect]bool{compare.Owner: !owned, compare.ACL: !owned}}
	var err error
	if !listed.Marker {
		// The status last: it says whether what was read before is final.
		err = r.details(ctx, p, f, owned)
	}
	if err == nil {
		err = r.head(ctx, p, f)
	}
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, nil
	case r.lockUnknown(p, f):
		return f, r.lock(ctx, p, f)
	}
	return f, nil
}

// details reads what HEAD does not tell. The error is NotFound if the version is
// gone.
func (r *run) details(ctx context.Context, p *place, f *facts, owned bool) (err error) {
	if !r.skip[compare.Tags] || p.tagged() {
		f.Tags, err = p.client.GetObjectTagging(ctx, p.Name, f.Key, f.ID)
		if errors.Is(err, fault.NotFound) {
			return err
		}
		if err != nil {
			f.miss(gapOf(p.Name, "s3:GetObjectVersionTagging", err), compare.Tags)
		}
	}
	if owned && !(r.skip[compare.Owner] && r.skip[compare.ACL]) {
		f.Owner, f.ACL, err = p.client.GetObjectACL(ctx, p.Name, f.Key, f.ID)
		switch {
		case errors.Is(err, fault.NotFound):
			return err
		case err != nil:
			f.miss(gapOf(p.Name, "s3:GetObjectVersionAcl", err), compare.Owner, compare.ACL)
		case slices.Equal(f.ACL, acl.Private(f.Owner)):
			f.ACL = nil
		}
	}
	return nil
}

// tagged reports whether tags decide which of the place's rules takes a version.
func (p *place) tagged() bool {
	return p.rules != nil && slices.ContainsFunc(p.rules.Rules, func(r rule.Rule) bool { return len(r.Tags()) > 0 })
}

// head reads what HEAD tells.
func (r *run) head(ctx context.Context, p *place, f *facts) error {
	v, err := p.client.HeadObject(ctx, p.Name, f.Key, f.ID)
	switch {
	case errors.Is(err, fault.NotFound):
		return err
	case errors.Is(err, fault.Invalid) && !f.Marker:
		f.skipUnheaded()
		if !r.sum.ignored[CustomerKey] && r.Depth != List {
			f.miss(gap{class: CustomerKey, bucket: p.Name, reason: "headers, metadata, checksums and bytes of what a customer's key encrypts (SSE-C) are told to who has the key"})
		}
		f.Encryption.CustomerKeyMD5 = "untold"
		return nil
	case err != nil:
		f.skipUnheaded()
		f.miss(gapOf(p.Name, "s3:GetObjectVersion", err))
		return nil
	}
	tags, owner, list := f.Tags, f.Owner, f.ACL
	if !f.Modified.IsZero() { // the listing's, which is finer
		v.Modified = f.Modified
	}
	f.Version, f.headed = *v, true
	f.Tags, f.Owner, f.ACL = tags, owner, list
	return nil
}

// skipUnheaded leaves out what only HEAD tells.
func (f *facts) skipUnheaded() {
	for _, a := range []compare.Aspect{compare.Checksums, compare.Headers, compare.Metadata, compare.Lock, compare.Encryption, compare.Status} {
		f.skip[a] = true
	}
}

// lockUnknown reports whether HEAD left open whether the version is locked: it
// tells locks to those alone who have leave to read them.
func (r *run) lockUnknown(p *place, f *facts) bool {
	return p.Locked() && !f.Marker && !r.skip[compare.Lock] && (f.Lock.Mode == "" || !f.Lock.Hold && !f.Lock.Released)
}

// lock reads the lock of a version. A bucket of which it is not known whether it
// has locks refuses the question if it has none.
func (r *run) lock(ctx context.Context, p *place, f *facts) error {
	delete(f.skip, compare.Lock)
	retention, err := p.client.GetObjectRetention(ctx, p.Name, f.Key, f.ID)
	switch {
	case errors.Is(err, fault.Invalid):
		f.Lock = object.Lock{}
		return nil
	case err != nil:
		f.miss(gapOf(p.Name, "s3:GetObjectRetention", err), compare.Lock)
		return ctx.Err()
	}
	hold, err := p.client.GetObjectLegalHold(ctx, p.Name, f.Key, f.ID)
	if err != nil {
		f.miss(gapOf(p.Name, "s3:GetObjectLegalHold", err), compare.Lock)
		return ctx.Err()
	}
	hold.Mode, hold.Until = retention.Mode, retention.Until
	f.Lock = hold
	return nil
}
