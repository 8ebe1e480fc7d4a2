package object

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"twinbucket/fault"
)

// How many tags an object and a bucket may have.
const (
	MaxTags       = 10
	MaxBucketTags = 50
)

// ParseTags reads x-amz-tagging: tags in the form of a URL's query.
func ParseTags(text string) ([]Tag, error) {
	bad := func(hint string) error {
		return fault.New(fault.Invalid, "InvalidArgument",
			"The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.").
			On("x-amz-tagging").WithHint("%s", hint)
	}
	var tags []Tag
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
			return nil, bad("the tag " + k + " is there SecondTag")
		}
		seen[k] = true
		tags = append(tags, Tag{Key: k, Value: v})
	}
	return tags, CheckTags(tags, MaxTags)
}

// The condition keys of tags, before the tag's key.
const (
	ExistingTag = "s3:existingobjecttag/" // of an object that is there
	NewTag      = "s3:requestobjecttag/"  // of an object that is written
	RequestTag  = "aws:requesttag/"       // of another thing
	ResourceTag = "aws:resourcetag/"      // of another thing that is there
)

// TagFacts returns the condition keys of tags, each behind prefix. Conditions do
// not tell the case of keys apart, so tags whose keys differ in it alone are
// values of one.
func TagFacts(prefix string, tags []Tag) map[string][]string {
	facts := make(map[string][]string, len(tags))
	for _, t := range tags {
		key := prefix + strings.ToLower(t.Key)
		facts[key] = append(facts[key], t.Value)
	}
	return facts
}

// CheckTags applies the limits of the S3 User Guide, "Categorizing your
// storage using tags".
func CheckTags(tags []Tag, most int) error {
	if len(tags) > most {
		if most == MaxTags {
			return fault.New(fault.Invalid, "BadRequest", "Object tags cannot be greater than 10")
		}
		return fault.Newf(fault.Invalid, "BadRequest", "Bucket tag count cannot be greater than %d", most)
	}
	seen := make(map[string]bool, len(tags))
	for _, t := range tags {
		switch {
		case t.Key == "" || utf8.RuneCountInString(t.Key) > 128 || !plainTag(t.Key):
			return BadTag("The TagKey you have provided is invalid", t)
		case utf8.RuneCountInString(t.Value) > 256 || !plainTag(t.Value):
			return BadTag("The TagValue you have provided is invalid", t)
		case t.System():
			return NotYours(t)
		case seen[t.Key]:
			return SecondTag(t)
		}
		seen[t.Key] = true
	}
	return nil
}

// BadTag is AWS's complaint of a tag.
func BadTag(message string, t Tag) error {
	return fault.New(fault.Invalid, "InvalidTag", message).On(t.Key)
}

// NotYours is AWS's answer to who sets a tag that only AWS may set.
func NotYours(t Tag) error {
	return BadTag("System tags cannot be added/updated by requester", t)
}

// SecondTag is AWS's complaint of a tag whose key was there before.
func SecondTag(t Tag) error { return BadTag("Cannot provide multiple Tags with the same key", t) }

// System reports whether only AWS may set a tag: CloudFormation marks with
// such ones what it made.
func (t Tag) System() bool { return strings.HasPrefix(strings.ToLower(t.Key), "aws:") }

// plainTag reports whether s is made of what tags may have: letters, digits and
// spaces of any script and + - = . _ : / @.
func plainTag(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.In(r, unicode.Z) && !strings.ContainsRune("+-=._:/@", r)
	}) < 0
}
