package identity

import (
	"fmt"
	"strings"
	"testing"

	"twinbucket/fault"
)

func TestAddTags(t *testing.T) {
	t.Parallel()
	r := Identity{Tags: map[string]string{"Team": "red", "env": "a"}}
	if err := r.AddTags(map[string]string{"team": "blue"}); err != nil || len(r.Tags) != 2 || r.Tags["team"] != "blue" {
		t.Errorf("%v, %v", r.Tags, err)
	}
	many := map[string]string{"env": "b"}
	for i := range maxTags - 2 {
		many[fmt.Sprint("k", i)] = ""
	}
	if err := r.AddTags(many); err != nil || len(r.Tags) != maxTags {
		t.Errorf("%d tags, %v", len(r.Tags), err)
	}
	if err := r.AddTags(map[string]string{"one": "more"}); fault.CodeOf(err) != "LimitExceeded" {
		t.Errorf("one too many: %v", err)
	}
}

func TestCheckPathPrefix(t *testing.T) {
	t.Parallel()
	for prefix, good := range map[string]bool{"/": true, "/a": true, "/a/b": true, "": false, "a/": false, "/a\n": false, "/" + strings.Repeat("a", 512): false} {
		if err := CheckPathPrefix(prefix); (err == nil) != good {
			t.Errorf("%q: %v", prefix, err)
		}
	}
}

func TestCheckTagKeys(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		keys []string
		want string
	}{
		{[]string{"a", "b"}, ""},
		{[]string{"a", ""}, "Member must have length greater than or equal to 1"},
		{[]string{strings.Repeat("k", 129)}, "Member must have length less than or equal to 128"},
		{make([]string, maxTags+1), "Member must have length less than or equal to 50"},
	} {
		if err := CheckTagKeys(c.keys); (err == nil) != (c.want == "") || !strings.Contains(fault.MessageOf(err), c.want) {
			t.Errorf("%q: %v, want %q", c.keys, err, c.want)
		}
	}
}
