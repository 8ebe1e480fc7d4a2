package replicate

import (
	"twinbucket/bucket"
	"twinbucket/object"
	"twinbucket/rule"
)

// Rules keeps the replication configurations of buckets, parsed. The zero
// Rules is ready for use.
type Rules struct{ sets bucket.Derived[known] }

// known is a configuration that was parsed.
type known struct {
	set *rule.Set // nil: the bucket has none
	err error
}

// Of returns a bucket's configuration; nil if it has none.
func (r *Rules) Of(b *bucket.Bucket) (*rule.Set, error) {
	k := r.sets.Of(b, parseRules)
	return k.set, k.err
}

func parseRules(b *bucket.Bucket) (k known) {
	if doc, ok := b.Documents[bucket.Replication]; ok {
		k.set, k.err = rule.Parse(doc)
	}
	return k
}

// Select says where a new version is to go: it is the store's Options.Select,
// so a version is Pending in the record that stores it.
func (r *Rules) Select(b *bucket.Bucket, v *object.Version) []object.Delivery {
	return r.choose(b, v, (*rule.Set).Select)
}

// SelectChanges says where a change of a version's tags, ACL or lock is to go:
// it is the store's Options.SelectChanges.
func (r *Rules) SelectChanges(b *bucket.Bucket, v *object.Version) []object.Delivery {
	return r.choose(b, v, (*rule.Set).SelectChanges)
}

func (r *Rules) choose(b *bucket.Bucket, v *object.Version, take func(*rule.Set, *object.Version) []rule.Choice) []object.Delivery {
	if _, ok := b.Documents[bucket.Replication]; !ok || b.Versioning != bucket.Enabled {
		return nil
	}
	set, err := r.Of(b)
	if err != nil || set == nil {
		return nil
	}
	choices := take(set, v)
	if len(choices) == 0 {
		return nil
	}
	ds := make([]object.Delivery, len(choices))
	for i, c := range choices {
		ds[i] = object.Delivery{Bucket: c.Destination, Rule: c.Rule.ID, Status: object.Pending, Time: v.Modified}
	}
	return ds
}
