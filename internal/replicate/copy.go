package replicate

import (
	"twinbucket/acl"
	"twinbucket/bucket"
	"twinbucket/internal/iam"
	"twinbucket/internal/store"
	"twinbucket/object"
	"twinbucket/rule"
)

// carrier plans a delivery: copy and change are.
type carrier func(src *bucket.Bucket, role string, r *rule.Rule, o *store.Object, d object.Delivery) store.Delivery

// afresh has a delivery planned; once more if it was refused while identities
// changed, for its session may be one of those that were revoked.
func (e *Engine) afresh(carry carrier, src *bucket.Bucket, role string, r *rule.Rule, o *store.Object, d object.Delivery) store.Delivery {
	before := e.roles.iam.Revision()
	plan := carry(src, role, r, o, d)
	if plan.Outcome.Status == object.Failed && e.roles.iam.Revision() != before {
		return carry(src, role, r, o, d)
	}
	return plan
}

// copy plans the delivery of a version to one destination of the same store:
// the replica shares the source's body. Whatever forbids it makes the plan a
// failure with its code and reason.
func (e *Engine) copy(src *bucket.Bucket, role string, r *rule.Rule, o *store.Object, d object.Delivery) store.Delivery {
	caller, dst, err := e.ends(src, role, r)
	if err != nil {
		return failed(o, d, err)
	}
	c := r.Replica(&o.Version, src, dst)
	if err := e.findKeys(caller, &o.Version, c); err != nil {
		return failed(o, d, err)
	}
	if err := e.permit(caller, src, r.Needs(src, dst, &o.Version, c.Encryption), o, c.Encryption.WriteFacts()); err != nil {
		return failed(o, d, err)
	}
	if err := lent(src, caller.Account, &o.Version, acl.Read, acl.ReadACP); err != nil {
		return failed(o, d, err)
	}
	d.Status, d.Code, d.Reason = object.Completed, "", ""
	return store.Delivery{Source: o, Replica: c, Into: dst, By: "AWS:" + caller.UserID, Outcome: d}
}

// change plans the delivery of changes of a version to a destination that has
// it already: of its tags, its ACL, its lock, and of nothing else.
func (e *Engine) change(src *bucket.Bucket, role string, r *rule.Rule, o *store.Object, d object.Delivery) store.Delivery {
	caller, dst, err := e.ends(src, role, r)
	if err != nil {
		return failed(o, d, err)
	}
	carried := r.Carried(src, dst, d.Changed)
	if err := e.permit(caller, src, r.ChangeNeeds(src, dst, &o.Version, carried), o, nil); err != nil {
		return failed(o, d, err)
	}
	if carried&object.AspectACL != 0 {
		if err := lent(src, caller.Account, &o.Version, acl.ReadACP); err != nil {
			return failed(o, d, err)
		}
	}
	d.Status, d.Code, d.Reason = object.Completed, "", ""
	out := store.Delivery{Source: o, Into: dst, Outcome: d}
	if carried != 0 {
		out.Replica = o.Change(carried, dst.Name)
	}
	return out
}

// ends returns a session of the role and the destination, which takes replicas.
func (e *Engine) ends(src *bucket.Bucket, role string, r *rule.Rule) (*iam.Caller, *bucket.Bucket, error) {
	caller, err := e.roles.of(role, src)
	if err != nil {
		return nil, nil, recode("AssumeRoleNotPermitted", err)
	}
	dst, err := e.store.Bucket(r.Destination.BucketName())
	if err != nil {
		dst = nil
	}
	return caller, dst, r.Fits(src, dst)
}

// permit reports whether a session may do all that carrying o needs; writing are
// the condition keys of what is asked at the destination.
func (e *Engine) permit(c *iam.Caller, src *bucket.Bucket, needs []rule.Need, o *store.Object, writing map[string][]string) error {
	var facts map[string][]string // of the version, for what is asked at the source
	if len(o.Tags) > 0 {
		facts = object.TagFacts(object.ExistingTag, o.Tags)
	}
	for _, n := range needs {
		known := facts
		if n.Bucket != src {
			known = writing
		}
		if err := e.roles.permit(c, n, known); err != nil {
			return err
		}
	}
	return nil
}
