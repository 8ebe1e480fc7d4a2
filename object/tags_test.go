package object

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"twinbucket/fault"
)

func TestTags(t *testing.T) {
	t.Parallel()
	many := make([]string, MaxTags)
	for i := range many {
		many[i] = fmt.Sprintf("k%d=v", i)
	}
	for _, c := range []struct {
		text string
		n    int
		code string
	}{
		{"", 0, ""},
		{"a=1&b", 2, ""},
		{"a%20b=%C3%A9&c=+", 2, ""},
		{strings.Join(many, "&"), MaxTags, ""},
		{strings.Join(many, "&") + "&more=1", 0, "BadRequest"},
		{"a=1&a=2", 0, "InvalidArgument"},
		{"=1", 0, "InvalidArgument"},
		{"a=%", 0, "InvalidArgument"},
		{"a*=1", 0, "InvalidTag"},
		{"a=1*", 0, "InvalidTag"},
		{"aws:a=1", 0, "InvalidTag"},
		{strings.Repeat("k", 129), 0, "InvalidTag"},
		{"k=" + strings.Repeat("v", 257), 0, "InvalidTag"},
	} {
		tags, err := ParseTags(c.text)
		if fault.CodeOf(err) != c.code || err == nil && len(tags) != c.n {
			t.Errorf("%q: %+v, %v", c.text, tags, err)
		}
	}
	if err := CheckTags(make([]Tag, MaxBucketTags+1), MaxBucketTags); fault.CodeOf(err) != "BadRequest" {
		t.Errorf("many tags of a bucket: %v", err)
	}
	if !(Tag{Key: "AWS:x"}).System() || (Tag{Key: "awsx"}).System() {
		t.Error("which tags are AWS's")
	}
}

func TestTagFacts(t *testing.T) {
	t.Parallel()
	got := TagFacts(ExistingTag, []Tag{{"Class", "open"}, {"class", "secret"}, {"empty", ""}})
	want := map[string][]string{"s3:existingobjecttag/class": {"open", "secret"}, "s3:existingobjecttag/empty": {""}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
