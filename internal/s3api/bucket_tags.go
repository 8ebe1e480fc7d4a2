package s3api

import (
	"net/http"
	"slices"

	"twinbucket/bucket"
	"twinbucket/internal/wire"
	"twinbucket/object"
)

// getBucketTags is GetBucketTagging.
func (c *call) getBucketTags() error {
	return c.getDocument(bucket.Tagging, "s3:GetBucketTagging", "NoSuchTagSet", "The TagSet does not exist")
}

// putBucketTags is PutBucketTagging. It replaces the user's tags; system tags
// are to be sent as they are.
func (c *call) putBucketTags() error {
	tags, err := c.bodyTags()
	if err != nil {
		return err
	}
	system, own := splitTags(tags)
	if err := object.CheckTags(own, object.MaxBucketTags); err != nil {
		return err
	}
	if err := c.allow("s3:PutBucketTagging"); err != nil {
		return err
	}
	return c.setBucketTags(own, system)
}

// deleteBucketTags is DeleteBucketTagging: of the user's tags.
func (c *call) deleteBucketTags() error {
	if err := c.allow("s3:PutBucketTagging"); err != nil {
		return err
	}
	if c.bucket.Documents[bucket.Tagging] == nil {
		return c.empty(http.StatusNoContent)
	}
	return c.setBucketTags(nil, nil)
}

// setBucketTags replaces the user's tags of the bucket. The system tags that
// the request has must be the bucket's. An empty set of the user's is kept as
// one only if it was put, that is, if own is not nil.
func (c *call) setBucketTags(own, system []object.Tag) error {
	err := c.store.ChangeBucket(c.r.Context(), c.bucket, func(b *bucket.Bucket) error {
		have, err := systemTagsOf(b)
		if err != nil {
			return err
		}
		for i, t := range system {
			switch {
			case !slices.Contains(have, t):
				return object.NotYours(t)
			case slices.Contains(system[:i], t):
				return object.SecondTag(t)
			}
		}
		for _, t := range have {
			if own != nil && !slices.Contains(system, t) {
				return object.BadTag("System tags cannot be removed by requester", t)
			}
		}
		if own == nil && have == nil {
			delete(b.Documents, bucket.Tagging)
			return nil
		}
		all := writeTags(append(slices.Clone(own), have...))
		b.Documents[bucket.Tagging] = slices.Clone(all.Bytes())
		return nil
	})
	if err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}

// splitTags parts system tags from the user's. The latter is not nil.
func splitTags(tags []object.Tag) (system, own []object.Tag) {
	own = make([]object.Tag, 0, len(tags))
	for _, t := range tags {
		if t.System() {
			system = append(system, t)
		} else {
			own = append(own, t)
		}
	}
	return system, own
}

// systemTagsOf returns the system tags of a bucket, nil if there are none.
func systemTagsOf(b *bucket.Bucket) ([]object.Tag, error) {
	data := b.Documents[bucket.Tagging]
	if data == nil {
		return nil, nil
	}
	var doc tagging
	if err := wire.Decode(data, "Tagging", &doc); err != nil {
		return nil, err
	}
	tags, err := doc.tags()
	if err != nil {
		return nil, err
	}
	system, _ := splitTags(tags)
	return system, nil
}
