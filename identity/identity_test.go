package identity

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"twinbucket/fault"
)

const document = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}`

func TestValidateUsers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*User)
		code   string
	}{
		{"good", func(*User) {}, ""},
		{"longest name", func(u *User) { u.Name = strings.Repeat("a", 64) }, ""},
		{"longer name", func(u *User) { u.Name = strings.Repeat("a", 65) }, "ValidationError"},
		{"name with a slash", func(u *User) { u.Name = "a/b" }, "ValidationError"},
		{"path", func(u *User) { u.Path = "a" }, "ValidationError"},
		{"tag", func(u *User) { u.Tags = map[string]string{"aws:x": ""} }, "InvalidInput"},
		{"policy", func(u *User) { u.Inline = map[string][]byte{"p": []byte("{")} }, "MalformedPolicyDocument"},
		{"large policies", func(u *User) {
			u.Inline = map[string][]byte{"p": []byte(strings.Replace(document, "s3:*", "s3:"+strings.Repeat("a", 2048), 1))}
		}, "LimitExceeded"},
		{"policies attached", func(u *User) { u.Attached = make([]string, 11) }, "LimitExceeded"},
		{"keys", func(u *User) { u.Keys = make([]Key, 3) }, "LimitExceeded"},
		{"groups", func(u *User) { u.Groups = make([]string, 11) }, "LimitExceeded"},
	} {
		u := &User{Identity: Identity{Account: "111111111111", Path: "/", Name: "ann"}}
		if tt.change(u); fault.CodeOf(u.Validate()) != tt.code {
			t.Errorf("%s: %v, want %q", tt.name, u.Validate(), tt.code)
		}
	}
	g := &Group{Identity{Account: "111111111111", Path: "/", Name: strings.Repeat("a", 128)}}
	if err := g.Validate(); err != nil {
		t.Error(err)
	}
	if g.Name += "a"; g.Validate() == nil {
		t.Error("a group with a name of 129 characters")
	}
}

func TestClonesShareNothing(t *testing.T) {
	t.Parallel()
	u := &User{Identity: Identity{
		Inline: map[string][]byte{"p": nil}, Attached: []string{"a"}, Tags: map[string]string{"k": "v"},
	}, Keys: []Key{{AccessKey: "1"}}, Groups: []string{"g"}}
	before := fmt.Sprintf("%+v", *u)
	c := u.Clone()
	c.Inline["q"], c.Attached[0], c.Tags["k"], c.Keys[0].AccessKey, c.Groups[0] = nil, "b", "w", "2", "h"
	if got := fmt.Sprintf("%+v", *u); got != before {
		t.Errorf("a change of the clone made %s of %s", got, before)
	}
}

func TestNamesAreListedWhateverTheirCase(t *testing.T) {
	t.Parallel()
	names := []string{"b", "Ad", "ac", "Ab", "aa"}
	slices.SortFunc(names, CompareNames)
	if got := strings.Join(names, " "); got != "aa Ab ac Ad b" {
		t.Error(got)
	}
}
