package replicate

import (
	"twinbucket/bucket"
	"twinbucket/internal/store"
	"twinbucket/object"
	"twinbucket/rule"
)

// copy plans the delivery of a version to one destination of the same store:
// the replica shares the source's body. Whatever forbids it makes the plan a
// failure with its code and reason.
func (e *Engine) copy(src *bucket.Bucket, role string, r *rule.Rule, o *store.Object, d object.Delivery) store.Delivery {
	caller, err := e.roles.of(role, src)
	if err != nil {
		return failed(o, d, recode("AssumeRoleNotPermitted", err))
	}
	dst, err := e.store.Bucket(d.Bucket)
	if err != nil {
		dst = nil
	}
	if err := r.Fits(src, dst); err != nil {
		return failed(o, d, err)
	}
	var facts map[string][]string // of the version, for what is asked at the source
	if len(o.Tags) > 0 {
		facts = object.TagFacts(object.ExistingTag, o.Tags)
	}
	for _, n := range r.Needs(src, dst, &o.Version) {
		known := facts
		if n.Bucket != src {
			known = nil
		}
		if err := e.roles.permit(caller, n, known); err != nil {
			return failed(o, d, err)
		}
	}
	if err := lent(src, caller.Account, &o.Version); err != nil {
		return failed(o, d, err)
	}
	d.Status, d.Code, d.Reason = object.Completed, "", ""
	return store.Delivery{Source: o, Replica: replica(&o.Version, src, dst, r), Into: dst, Outcome: d}
}

// replica is the version as the destination is to hold it: the source's, with
// its id and time, but for what the rule and the destination decide.
func replica(v *object.Version, src, dst *bucket.Bucket, r *rule.Rule) *object.Version {
	c := *v
	c.Bucket = dst.Name
	c.Status, c.Deliveries, c.Changes = object.Replica, nil, 0
	if src.OwnerEnforced() {
		c.Owner, c.ACL = src.Owner, nil // whatever was so before
	}
	if dst.OwnerEnforced() || r.Destination.OwnerOverride {
		c.Owner, c.ACL = dst.Owner, nil
	}
	if r := dst.DefaultRetention(); r.Mode != "" && c.Lock.Mode == "" && !v.Marker {
		c.Lock.Mode, c.Lock.Until = r.Mode, r.Until(v.Modified)
	}
	if class := r.Destination.StorageClass; class != "" {
		c.Class = class
	}
	return &c
}
