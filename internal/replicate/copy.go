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
	c := r.Replica(&o.Version, src, dst)
	if err := e.findKeys(caller, &o.Version, c); err != nil {
		return failed(o, d, err)
	}
	var facts map[string][]string // of the version, for what is asked at the source
	if len(o.Tags) > 0 {
		facts = object.TagFacts(object.ExistingTag, o.Tags)
	}
	for _, n := range r.Needs(src, dst, &o.Version, c.Encryption) {
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
	return store.Delivery{Source: o, Replica: c, Into: dst, Outcome: d}
}
