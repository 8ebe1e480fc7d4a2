package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"twinbucket/fault"
	"twinbucket/internal/compare"
	"twinbucket/object"
	"twinbucket/rule"
)

// plainlyEqual reports whether the listings alone say that a pair is equal.
func (r *run) plainlyEqual(p compare.Pair) bool {
	if p.Source == nil || p.Destination == nil || p.Source.Marker != p.Destination.Marker {
		return false
	}
	if r.Depth != List && !p.Source.Marker {
		return false
	}
	if r.src.tagged() && slices.ContainsFunc(r.src.rules.Rules, func(r rule.Rule) bool { return r.Destination.StorageClass != "" }) {
		return false // which rule decides is not in the listings
	}
	e := r.expect(p.Source, r.src, r.dst)
	for a := range r.skip {
		e.skip[a] = true
	}
	for _, a := range shallow {
		e.skip[a] = true
	}
	diffs, proven := compare.Replica(e.want, p.Destination, e.skip)
	return len(diffs) == 0 && proven
}

// expected is what a version has to be at the other side.
type expected struct {
	want *object.Version
	rule *rule.Rule // nil: none takes it
	skip map[compare.Aspect]bool
}

// expect says what a version of from has to be in to.
func (r *run) expect(v *object.Version, from, to *place) expected {
	e := expected{skip: map[compare.Aspect]bool{}}
	plain := new(rule.Rule)
	if from.rules != nil {
		for _, c := range from.rules.SelectExisting(v) {
			if c.Destination == to.Name {
				e.rule = c.Rule
			}
		}
	}
	e.want = cmp.Or(e.rule, plain).Replica(v, &from.Bucket, &to.Bucket)
	e.want.Lock = v.Lock
	switch {
	case e.rule == nil:
		// Whoever brought it there may have decided otherwise.
		for _, a := range []compare.Aspect{compare.Owner, compare.ACL, compare.Encryption, compare.Status} {
			e.skip[a] = true
		}
		e.skip[compare.Class] = from.rules != nil || from.hidden
	case !from.owned || !to.owned:
		e.skip[compare.Owner], e.skip[compare.ACL] = true, true
	}
	return e
}

// judge says what has become of a version.
func (r *run) judge(ctx context.Context, p compare.Pair) (Finding, error) {
	switch {
	case p.Source == nil:
		return r.extra(ctx, p.Destination)
	case p.Destination == nil:
		return r.absent(ctx, p.Source)
	}
	f, err := r.both(ctx, p)
	if err == nil && f.Class == Differs {
		// It may have changed while it was looked at.
		f, err = r.both(ctx, p)
	}
	return f, err
}

// both compares a version that is at both sides.
func (r *run) both(ctx context.Context, p compare.Pair) (Finding, error) {
	owned := r.src.owned && r.dst.owned && r.src.rules != nil
	src, err := r.look(ctx, r.src, p.Source, owned)
	if err != nil || src == nil {
		return Finding{}, err
	}
	dst, err := r.look(ctx, r.dst, p.Destination, owned)
	if err != nil {
		return Finding{}, err
	}
	if dst == nil {
		return r.fate(src), nil
	}
	diffs, by, err := r.differences(ctx, src, dst)
	if err != nil {
		return Finding{}, err
	}
	f := found(src, Equal)
	f.Rule, f.Differences, f.gaps = by, diffs, append(f.gaps, dst.gaps...)
	var code, reason string
	f.Status, code, reason = statusAt(&src.Version, r.dst.Name)
	switch {
	case len(diffs) > 0 && (r.underWay(src, &f) || dst.Status == object.Pending):
		f.Class = Lagging
	case len(diffs) > 0 && f.Status == object.Failed:
		f.Class, f.Code, f.Reason = Failed, code, cmp.Or(reason, untold)
	case len(diffs) > 0 && dst.Returning:
		_, code, reason = statusAt(&dst.Version, r.src.Name)
		f.Class, f.Code, f.Reason = Failed, code, cmp.Or(reason, untold)
	case len(diffs) > 0:
		f.Class = Differs
	case len(f.gaps) > 0:
		f.Class = f.gaps[0].class
		f.Reason = cmp.Or(f.gaps[0].reason, f.gaps[0].action+" is refused on "+f.gaps[0].bucket)
	}
	return f, nil
}

// untold is the reason of a failure of which the server tells none.
const untold = "S3 does not tell why; twinbucket explain looks for the cause"

// found is a finding about a version of the source.
func found(src *facts, c Class) Finding {
	return Finding{Class: c, Key: src.Key, VersionID: src.ID, Marker: src.Marker, gaps: slices.Clone(src.gaps)}
}

// differences compares what is known of a version at both sides. The one of which
// the other is a replica says what the other has to be.
func (r *run) differences(ctx context.Context, src, dst *facts) (diffs []compare.Difference, by string, err error) {
	from, to, a, b := r.src, r.dst, src, dst
	back := src.IsReplica() && dst.headed && !dst.IsReplica()
	if back {
		from, to, a, b = to, from, b, a
	}
	e := r.expect(&a.Version, from, to)
	if e.rule != nil && !back {
		by = e.rule.ID
	}
	for _, known := range []map[compare.Aspect]bool{r.skip, src.skip, dst.skip} {
		for aspect, skipped := range known {
			e.skip[aspect] = e.skip[aspect] || skipped
		}
	}
	diffs, proven := compare.Replica(e.want, &b.Version, e.skip)
	if !src.Marker && !dst.Marker && src.Size == dst.Size {
		diffs, proven, err = r.contents(ctx, src, dst, diffs, proven)
		if err != nil {
			return nil, "", err
		}
	}
	if !proven && len(src.gaps)+len(dst.gaps) == 0 {
		src.miss(gap{class: Unknown, bucket: r.src.Name, reason: "under keys of KMS an ETag does not follow from the bytes, and both sides have no checksum in common: --depth bytes reads them"})
	}
	if back {
		for i, d := range diffs {
			diffs[i].Source, diffs[i].Destination = d.Destination, d.Source
		}
	}
	return diffs, by, nil
}

// statusAt returns how far the replication of a version to a bucket is. S3 has one
// status for all destinations; Twinbucket tells its owner that of each.
func statusAt(v *object.Version, destination string) (status object.Status, code, reason string) {
	for _, d := range v.Deliveries {
		if d.Bucket == destination {
			return d.Status, d.Code, d.Reason
		}
	}
	switch {
	case v.IsReplica():
		return object.Replica, "", ""
	case len(v.Deliveries) > 0:
		return object.None, "", ""
	}
	return v.Status, "", ""
}

// underWay reports whether a version may still arrive: its status says so, or
// says nothing and it is young. It gives f the reason.
func (r *run) underWay(src *facts, f *Finding) bool {
	switch {
	case f.Status == object.Pending:
		f.Reason = "its status is PENDING"
	case f.Status == object.None && r.statusless(src) && time.Since(src.Modified) < r.Lag:
		f.Reason = fmt.Sprintf("it is younger than %v", r.Lag)
	default:
		return false
	}
	return true
}

// statusless reports whether a version without a status may be on its way all the
// same: S3 tells no status of delete markers, and where other means than rules
// bring versions there is none.
func (r *run) statusless(src *facts) bool {
	return src.Marker || !src.headed || r.src.rules == nil
}

// absent says what has become of a version that the destination does not list.
func (r *run) absent(ctx context.Context, listed *object.Version) (Finding, error) {
	src, err := r.look(ctx, r.src, listed, false)
	if err != nil || src == nil {
		return Finding{}, err
	}
	// It may have come since the page of the listing was made.
	there, err := r.dst.client.HeadObject(ctx, r.dst.Name, listed.Key, listed.ID)
	switch {
	case ctx.Err() != nil:
		return Finding{}, ctx.Err()
	case err == nil:
		return r.judge(ctx, compare.Pair{Source: listed, Destination: there})
	case !errors.Is(err, fault.NotFound) && !errors.Is(err, fault.Denied):
		src.miss(gapOf(r.dst.Name, "s3:GetObjectVersion", err))
	}
	return r.fate(src), nil
}

// fate says why the destination does not have a version.
func (r *run) fate(src *facts) Finding {
	f := found(src, Missing)
	why := ""
	if r.src.rules != nil {
		for _, v := range r.src.rules.Explain(&src.Version) {
			switch {
			case v.Rule.Destination.BucketName() != r.dst.Name:
			case v.Selected:
				f.Rule = v.Rule.ID
			case why == "" || v.Decides:
				why = v.Why
			}
		}
	}
	var code, reason string
	f.Status, code, reason = statusAt(&src.Version, r.dst.Name)
	only := f.Rule != "" || len(src.Deliveries) > 0 // the status is about this destination
	switch {
	case f.Status == object.Replica:
		f.Class, f.Reason = NotSelected, cmp.Or(why, "it is a replica itself")
	case only && f.Status == object.Failed:
		f.Class, f.Code, f.Reason = Failed, code, cmp.Or(reason, untold)
	case only && f.Status == object.Completed:
		f.Class, f.Reason = Removed, "it was replicated, and was deleted at the destination by its id"
	case f.Rule == "" && r.src.rules != nil:
		f.Class, f.Reason = NotSelected, why
	case r.underWay(src, &f):
		f.Class = Lagging
	case f.Rule == "":
		f.Reason = "no rule that can be read names the destination: every version is expected there"
	case src.Marker:
		f.Reason = "it was made before the rule, or was not delivered: S3 tells no status of delete markers"
	case f.Status == object.None && src.headed:
		f.Class, f.Reason = BeforeRule, "it was there before the rule; a Batch Replication job carries it"
	}
	return f
}

// extra says what a version is that only the destination has.
func (r *run) extra(ctx context.Context, listed *object.Version) (Finding, error) {
	f := Finding{Class: Own, Key: listed.Key, VersionID: listed.ID, Marker: listed.Marker}
	// It may have come since the page of the listing was made.
	if there, err := r.src.client.HeadObject(ctx, r.src.Name, listed.Key, listed.ID); err == nil {
		return r.judge(ctx, compare.Pair{Source: there, Destination: listed})
	}
	v, err := r.dst.client.HeadObject(ctx, r.dst.Name, listed.Key, listed.ID)
	switch {
	case ctx.Err() != nil:
		return f, ctx.Err()
	case errors.Is(err, fault.NotFound):
		f.Class = gone
	case err == nil && v.IsReplica():
		f.Class, f.Reason = Orphan, "its source version was deleted by its id, which does not replicate"
	case err != nil:
		f.Reason = "its status may not be read, or it is encrypted under a customer's key"
	case v.Marker:
		f.Reason = "S3 does not tell whether a delete marker is a replica"
	}
	return f, nil
}
