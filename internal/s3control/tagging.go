package s3control

import (
	"maps"
	"slices"

	"twinbucket/internal/wire"
	"twinbucket/job"
)

// tagSet is a list of tags as it comes.
type tagSet struct {
	Members []struct {
		Key   *string
		Value *string
		Rest  []element `xml:",any"`
	} `xml:"member"`
	Rest []element `xml:",any"`
}

// tags returns the tags by key, nil if there are none.
func (t *tagSet) tags() (map[string]string, error) {
	if len(t.Members) == 0 {
		return nil, nil
	}
	tags := make(map[string]string, len(t.Members))
	for _, m := range t.Members {
		if err := known(m.Rest); err != nil {
			return nil, err
		}
		if m.Key == nil || m.Value == nil {
			return nil, bad("A tag has a Key and a Value.")
		}
		if _, twice := tags[*m.Key]; twice {
			return nil, bad("Cannot provide multiple tags with the same key.").On(*m.Key)
		}
		tags[*m.Key] = *m.Value
	}
	return tags, nil
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
	var in struct {
		Tags *tagSet
		Rest []element `xml:",any"`
	}
	if err := wire.Decode(c.body, "PutJobTaggingRequest", &in); err != nil {
		return nil, err
	}
	if err := known(in.Rest); err != nil {
		return nil, err
	}
	if in.Tags == nil {
		return nil, wire.Malformed("PutJobTaggingRequest lacks Tags")
	}
	if err := known(in.Tags.Rest); err != nil {
		return nil, err
	}
	tags, err := in.Tags.tags()
	if err != nil {
		return nil, err
	}
	facts := map[string][]string{}
	tagsAsked(facts, tags)
	if _, err := c.job("s3:PutJobTagging", facts); err != nil {
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
