package replicate

import (
	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/store"
	"twinbucket/object"
	"twinbucket/rule"
)

// copy plans the delivery of a version to one destination of the same store:
// the replica shares the source's body. Whatever forbids it makes the plan a
// failure with its code and reason.
func (e *Engine) copy(src *bucket.Bucket, role string, r *rule.Rule, o *store.Object, d object.Delivery) store.Delivery {
	caller, err := e.roles.of(role)
	if err != nil {
		return failed(o, d, recode("AssumeRoleNotPermitted", err))
	}
	dst, err := e.store.Bucket(d.Bucket)
	if err != nil {
		return failed(o, d, fault.Newf(fault.NotFound, "DstBucketNotFound", "the destination bucket %s does not exist", d.Bucket).
			WithHint("create %s with versioning enabled, or name another destination in rule %s of %s", d.Bucket, r.ID, src.Name))
	}
	if account := r.Destination.Account; account != "" && account != dst.Owner {
		return failed(o, d, fault.Newf(fault.Denied, "DstPutObjectNotPermitted", "the rule names account %s, and the destination bucket %s does not belong to it", account, d.Bucket).
			WithHint("set Destination.Account of rule %s to the account that owns %s", r.ID, d.Bucket))
	}
	if dst.Versioning != bucket.Enabled {
		return failed(o, d, fault.Newf(fault.Conflict, "DstBucketUnversioned", "versioning is not enabled on the destination bucket %s", d.Bucket).
			WithHint("enable versioning on %s", d.Bucket))
	}
	if src.Locked() && !dst.Locked() {
		return failed(o, d, fault.Newf(fault.Conflict, "DstBucketObjectLockConfigMissing", "Object Lock is enabled on the source bucket %s, and not on the destination bucket %s", src.Name, d.Bucket).
			WithHint("enable Object Lock on %s: PutObjectLockConfiguration", d.Bucket))
	}
	for _, st := range steps(src, dst, r, &o.Version) {
		if err := e.roles.permit(caller, st, &o.Version); err != nil {
			return failed(o, d, err)
		}
	}
	if err := lent(src, caller.Account, &o.Version); err != nil {
		return failed(o, d, err)
	}
	d.Status, d.Code, d.Reason = object.Completed, "", ""
	return store.Delivery{Source: o, Replica: replica(&o.Version, src, dst, r), Outcome: d}
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
