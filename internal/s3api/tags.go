package s3api

import (
	"encoding/xml"
	"net/http"
	"slices"
	"strings"

	"twinbucket/internal/wire"
	"twinbucket/object"
)

// tagging is the document of the tagging sub-resources.
type tagging struct {
	TagSet *struct {
		Tag []struct {
			Key   *string
			Value *string
		}
	}
	Extra []extra `xml:",any"`
}

// extra catches elements that a document should not have.
type extra struct{ XMLName xml.Name }

// noExtra is the fault of a document with elements that it should not have.
func noExtra(root string, found []extra) error {
	if len(found) == 0 {
		return nil
	}
	return wire.Malformed(root + " cannot hold an element " + found[0].XMLName.Local)
}

// bodyTags reads the request's tagging document. Its tags are not checked.
func (c *call) bodyTags() ([]object.Tag, error) {
	var doc tagging
	if err := c.xml("Tagging", &doc); err != nil {
		return nil, err
	}
	return doc.tags()
}

// tags returns the document's tags.
func (doc *tagging) tags() ([]object.Tag, error) {
	if doc.TagSet == nil || len(doc.Extra) > 0 {
		return nil, wire.Malformed("Tagging holds one TagSet")
	}
	tags := make([]object.Tag, 0, len(doc.TagSet.Tag))
	for _, t := range doc.TagSet.Tag {
		if t.Key == nil || t.Value == nil {
			return nil, wire.Malformed("each Tag holds a Key and a Value")
		}
		tags = append(tags, object.Tag{Key: *t.Key, Value: *t.Value})
	}
	return tags, nil
}

// writeTags writes a tagging document.
func writeTags(tags []object.Tag) *wire.Document {
	x := wire.NewDocument()
	x.OpenNS("Tagging", namespace)
	x.Open("TagSet")
	for _, t := range tags {
		x.Open("Tag")
		x.Text("Key", t.Key)
		x.Text("Value", t.Value)
		x.Close("Tag")
	}
	x.Close("TagSet")
	x.Close("Tagging")
	return x
}

// getTags is GetObjectTagging.
func (c *call) getTags() error {
	o, err := c.find("s3:GetObjectTagging", "s3:GetObjectVersionTagging")
	if err != nil {
		return err
	}
	c.showID(o.ID)
	// In the order of their keys, whatever order they came in.
	tags := slices.SortedFunc(slices.Values(o.Tags), func(a, b object.Tag) int { return strings.Compare(a.Key, b.Key) })
	return c.send(writeTags(tags))
}

// putTags is PutObjectTagging.
func (c *call) putTags() error {
	tags, err := c.bodyTags()
	if err != nil {
		return err
	}
	if err := object.CheckTags(tags, object.MaxTags); err != nil {
		return err
	}
	c.knowNewTags(tags)
	return c.setTags(tags, "s3:PutObjectTagging", "s3:PutObjectVersionTagging", http.StatusOK)
}

// deleteTags is DeleteObjectTagging.
func (c *call) deleteTags() error {
	return c.setTags(nil, "s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging", http.StatusNoContent)
}

func (c *call) setTags(tags []object.Tag, plain, version string, status int) error {
	o, err := c.find(plain, version)
	if err != nil {
		return err
	}
	if o, err = c.store.SetTags(c.r.Context(), o.Bucket, o.Key, o.ID, tags); err != nil {
		return err
	}
	c.showID(o.ID)
	return c.empty(status)
}
