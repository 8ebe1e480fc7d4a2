package object

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"twinbucket/fault"
)

func TestCheckKey(t *testing.T) {
	t.Parallel()
	for key, code := range map[string]string{
		"a": "", "/": "", ".": "", "a\x00b": "", "日本語": "", strings.Repeat("x", MaxKey): "",
		"": "InvalidArgument", strings.Repeat("x", MaxKey+1): "KeyTooLongError", "\xff": "InvalidURI",
	} {
		if got := fault.CodeOf(CheckKey(key)); got != code {
			t.Errorf("%.20q: %q, want %q", key, got, code)
		}
	}
}

func TestSum(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   []Status
		want Status
	}{
		{nil, None},
		{[]Status{Completed}, Completed},
		{[]Status{Completed, Completed}, Completed},
		{[]Status{Completed, Failed}, Failed},
		{[]Status{Failed, Completed}, Failed},
		{[]Status{Failed, Pending}, Pending},
		{[]Status{Completed, Pending, Failed}, Pending},
	} {
		var ds []Delivery
		for _, s := range tt.in {
			ds = append(ds, Delivery{Status: s})
		}
		if got := Sum(ds); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.in, got, tt.want)
		}
	}
}

func TestClassOf(t *testing.T) {
	t.Parallel()
	if c := (&Version{}).ClassOf(); c != "STANDARD" {
		t.Error(c)
	}
	if c := (&Version{Class: "GLACIER_IR"}).ClassOf(); c != "GLACIER_IR" {
		t.Error(c)
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(0, rapid.Int64Min(0).Draw(t, "nanos")).UTC()
		var r [12]byte
		copy(r[:], rapid.SliceOfN(rapid.Byte(), 12, 12).Draw(t, "random"))
		id := NewID(at, r)
		got, ok := IDTime(id)
		if !ok || !got.Equal(at) || len(id) != 32 {
			t.Fatalf("%s: %v, %v, want %v", id, got, ok, at)
		}
		// Another system's id is not taken for one of ours.
		i := rapid.IntRange(0, 31).Draw(t, "place")
		c := byte('A')
		if id[i] == c {
			c = 'B'
		}
		if other, ok := IDTime(id[:i] + string(c) + id[i+1:]); ok {
			t.Fatalf("a changed id is ours, of %v", other)
		}
	})
	for _, foreign := range []string{"", NullID, "PZ9ibn9D5lP6p298B7S9_ceqx1n5EJ0p", strings.Repeat("!", 32)} {
		if _, ok := IDTime(foreign); ok {
			t.Errorf("%q is ours", foreign)
		}
	}
}
