package s3api

import (
	"encoding/xml"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"twinbucket/fault"
	"twinbucket/internal/wire"
	"twinbucket/object"
)

// Limits of tags.
const (
	maxObjectTags = 10
	maxBucketTags = 50
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

// headerTags reads x-amz-tagging: tags in the form of a URL's query.
func headerTags(text string) ([]object.Tag, error) {
	bad := func(hint string) error {
		return fault.New(fault.Invalid, "InvalidArgument",
			"The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.").
			On("x-amz-tagging").WithHint("%s", hint)
	}
	var tags []object.Tag
	seen := map[string]bool{}
	for part := range strings.SplitSeq(text, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		k, err := url.QueryUnescape(name)
		if err != nil {
			return nil, bad(err.Error())
		}
		v, err := url.QueryUnescape(value)
		if err != nil {
			return nil, bad(err.Error())
		}
		if k == "" {
			return nil, bad("a tag has a name")
		}
		if seen[k] {
			return nil, bad("the tag " + k + " is there twice")
		}
		seen[k] = true
		tags = append(tags, object.Tag{Key: k, Value: v})
	}
	return tags, checkTags(tags, maxObjectTags)
}

// checkTags applies the limits of the S3 User Guide, "Categorizing your
// storage using tags".
func checkTags(tags []object.Tag, most int) error {
	if len(tags) > most {
		if most == maxObjectTags {
			return fault.New(fault.Invalid, "BadRequest", "Object tags cannot be greater than 10")
		}
		return fault.Newf(fault.Invalid, "BadRequest", "Bucket tag count cannot be greater than %d", most)
	}
	seen := make(map[string]bool, len(tags))
	for _, t := range tags {
		switch {
		case t.Key == "" || utf8.RuneCountInString(t.Key) > 128 || !plainTag(t.Key):
			return badTag("The TagKey you have provided is invalid", t)
		case utf8.RuneCountInString(t.Value) > 256 || !plainTag(t.Value):
			return badTag("The TagValue you have provided is invalid", t)
		case systemTag(t):
			return notYours(t)
		case seen[t.Key]:
			return twice(t)
		}
		seen[t.Key] = true
	}
	return nil
}

func badTag(message string, t object.Tag) error {
	return fault.New(fault.Invalid, "InvalidTag", message).On(t.Key)
}

func notYours(t object.Tag) error {
	return badTag("System tags cannot be added/updated by requester", t)
}

func twice(t object.Tag) error { return badTag("Cannot provide multiple Tags with the same key", t) }

// systemTag reports whether only AWS may set a tag: CloudFormation marks with
// such ones what it made.
func systemTag(t object.Tag) bool { return strings.HasPrefix(strings.ToLower(t.Key), "aws:") }

// plainTag reports whether s is made of what tags may have: letters, digits and
// spaces of any script and + - = . _ : / @.
func plainTag(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.In(r, unicode.Z) && !strings.ContainsRune("+-=._:/@", r)
	}) < 0
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
	if err := checkTags(tags, maxObjectTags); err != nil {
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
