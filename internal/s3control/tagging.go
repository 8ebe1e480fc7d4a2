package s3control

import (
	"maps"
	"slices"

	"twinbucket/internal/wire"
	"twinbucket/job"
	"twinbucket/markup"
	"twinbucket/object"
)

// tags reads a list of tags; nil if there are none.
func (r reader) tags(e *markup.Element) map[string]string {
	list := r.tagSet(e)
	if len(list) == 0 {
		return nil
	}
	tags := make(map[string]string, len(list))
	for _, t := range list {
		if _, twice := tags[t.Key]; twice {
			r.Refuse(bad("Cannot provide multiple tags with the same key.").On(t.Key))
		}
		tags[t.Key] = t.Value
	}
	return tags
}

// tagSet reads tags in their order. The set is never nil.
func (r reader) tagSet(e *markup.Element) []object.Tag {
	tags := []object.Tag{}
	for _, m := range r.Read(e, "member+").All("member") {
		m := r.Read(m, "Key", "Value")
		key, value := m.Raw("Key"), m.Raw("Value")
		if key == nil || value == nil {
			r.Refuse(bad("A tag has a Key and a Value."))
			break
		}
		tags = append(tags, object.Tag{Key: *key, Value: *value})
	}
	return tags
}

// getTagging is GetJobTagging.
func (c *call) getTagging() (*wire.Document, error) {
	j, err := c.job("s3:GetJobTagging", nil)
	if err != nil {
		return nil, err
	}
	d := wire.NewDocument()
	d.OpenNS("GetJobTaggingResult", namespace)
	d.Open("Tags")
	for _, k := range slices.Sorted(maps.Keys(j.Tags)) {
		d.Open("member")
		d.Text("Key", k)
		d.Text("Value", j.Tags[k])
		d.Close("member")
	}
	d.Close("Tags")
	d.Close("GetJobTaggingResult")
	return d, nil
}

// putTagging is PutJobTagging, which replaces all tags.
func (c *call) putTagging() (*wire.Document, error) {
	root, err := markup.Parse(c.body, "PutJobTaggingRequest", maxBody)
	if err != nil {
		return nil, err
	}
	r := reader{markup.NewReader(&err).Read(root, "Tags")}
	tags := r.tags(r.Need("Tags"))
	if err != nil {
		return nil, err
	}
	if _, err := c.job("s3:PutJobTagging", job.TagFacts(tags)); err != nil {
		return nil, err
	}
	if err := job.CheckTags(tags); err != nil {
		return nil, err
	}
	return nil, c.Engine.SetTags(c.r.Context(), c.account, c.id, tags)
}

// deleteTagging is DeleteJobTagging.
func (c *call) deleteTagging() (*wire.Document, error) {
	if _, err := c.job("s3:DeleteJobTagging", nil); err != nil {
		return nil, err
	}
	return nil, c.Engine.SetTags(c.r.Context(), c.account, c.id, nil)
}
