package object

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"twinbucket/acl"
)

// TestCopiesConverge edits three copies of a version and has them follow each
// other, or what they were once, in any order: when each has followed the
// others, they are the same.
func TestCopiesConverge(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		copies := []*Version{{Bucket: "a"}, {Bucket: "b"}, {Bucket: "c"}}
		var sent []Version // as they were at some time
		for step := range rapid.IntRange(1, 20).Draw(t, "steps") {
			v := copies[rapid.IntRange(0, 2).Draw(t, "copy")]
			// Clocks are not to be relied on.
			now := start.Add(time.Duration(rapid.IntRange(0, 6).Draw(t, "hour")) * time.Hour)
			switch rapid.IntRange(0, 6).Draw(t, "what") {
			case 0:
				v.Tags = []Tag{{Key: fmt.Sprint(step)}}
				v.Edit(AspectTags, now)
			case 1:
				v.ACL = acl.List{{ID: fmt.Sprint(step)}}
				v.Edit(AspectACL, now)
			case 2:
				v.Lock.Hold = rapid.Bool().Draw(t, "hold")
				v.Lock.Released = !v.Lock.Hold
				v.Edit(AspectHold, now)
			case 3, 4:
				next := Lock{Mode: rapid.SampledFrom([]string{"", Governance, Compliance}).Draw(t, "mode")}
				if next.Mode != "" {
					next.Until = start.Add(time.Duration(rapid.IntRange(0, 6).Draw(t, "until")) * time.Hour)
				}
				if v.Lock.Admits(next, now, true) {
					v.Lock.Mode, v.Lock.Until = next.Mode, next.Until
					v.Edit(AspectRetention, now)
				}
			case 5:
				sent = append(sent, *v)
			case 6:
				if len(sent) > 0 {
					v.Follow(&sent[rapid.IntRange(0, len(sent)-1).Draw(t, "sent")], AllAspects)
				}
			}
		}
		for range 2 {
			for _, v := range rapid.Permutation(copies).Draw(t, "order") {
				for _, other := range copies {
					v.Follow(other.Change(AllAspects, v.Bucket), AllAspects)
				}
			}
		}
		for _, v := range copies[1:] {
			if diff := cmp.Diff(copies[0], v, cmpopts.IgnoreFields(Version{}, "Bucket", "Changes")); diff != "" {
				t.Fatalf("%s", diff)
			}
		}
	})
}

func TestFollow(t *testing.T) {
	t.Parallel()
	first := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	then := first.Add(time.Hour)
	edited := func(v Version, what Aspects, at time.Time, where string) *Version {
		v.Bucket = where
		v.Edit(what, at)
		return &v
	}
	retained := func(mode string, hours time.Duration) Version {
		return Version{Lock: Lock{Mode: mode, Until: first.Add(hours * time.Hour)}}
	}
	for _, tt := range []struct {
		name         string
		have, other  *Version
		asked, taken Aspects
	}{
		{"what was never changed", &Version{}, &Version{Tags: []Tag{{Key: "k"}}}, AllAspects, 0},
		{"the first change", &Version{}, edited(Version{}, AspectTags|AspectHold, first, "b"), AllAspects, AspectTags | AspectHold},
		{"what is not asked for", &Version{}, edited(Version{}, AspectTags|AspectHold, first, "b"), AspectHold, AspectHold},
		{"an earlier one", edited(Version{}, AspectTags, then, "a"), edited(Version{}, AspectTags, first, "b"), AllAspects, 0},
		{"one at the same time, of a later name", edited(Version{}, AspectTags, then, "a"), edited(Version{}, AspectTags, then, "b"), AllAspects, AspectTags},
		{"one at the same time, of an earlier name", edited(Version{}, AspectTags, then, "b"), edited(Version{}, AspectTags, then, "a"), AllAspects, 0},
		{"itself", edited(Version{}, AspectTags, then, "b"), edited(Version{}, AspectTags, then, "b"), AllAspects, 0},
		{"the ACL of another owner", &Version{Owner: "1"}, edited(Version{Owner: "2"}, AspectACL|AspectTags, first, "b"), AllAspects, AspectTags},
		{"less compliance, later", edited(retained(Compliance, 3), AspectRetention, first, "a"), edited(retained(Compliance, 2), AspectRetention, then, "b"), AllAspects, 0},
		{"less compliance, after its end", edited(retained(Compliance, 1), AspectRetention, first, "a"), edited(Version{}, AspectRetention, then, "b"), AllAspects, AspectRetention},
		{"more compliance, though earlier", edited(retained(Compliance, 2), AspectRetention, then, "a"), edited(retained(Compliance, 3), AspectRetention, first, "b"), AllAspects, AspectRetention},
		{"governance, later", edited(retained(Governance, 3), AspectRetention, first, "a"), edited(Version{}, AspectRetention, then, "b"), AllAspects, AspectRetention},
		{"the bucket's compliance", func() *Version { v := retained(Compliance, 3); return &v }(), edited(retained(Governance, 4), AspectRetention, then, "b"), AllAspects, 0},
	} {
		was := *tt.have
		if got := tt.have.Follow(tt.other, tt.asked); got != tt.taken {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.taken)
		}
		if changed := tt.have.Changes != was.Changes; changed != (tt.taken != 0) {
			t.Errorf("%s: it counts as a change: %v", tt.name, changed)
		}
	}
}

// TestEditsAreInOrder: of two edits in a bucket the one made later is later,
// though a clock goes back.
func TestEditsAreInOrder(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	v := &Version{Bucket: "b"}
	v.Edit(AspectTags|AspectACL, now)
	then := *v
	v.Edit(AspectTags, now.Add(-time.Hour))
	if !then.Edited(AspectTags).before(v.Edited(AspectTags)) || v.EditedSince(&then) != AspectTags || then.EditedSince(&then) != 0 {
		t.Errorf("%+v, then %+v", v.Edits, then.Edits)
	}
}

func TestAspectsAsText(t *testing.T) {
	t.Parallel()
	for a := range AllAspects + 1 {
		var got Aspects
		text, err := a.MarshalText()
		if err != nil || got.UnmarshalText(text) != nil || got != a {
			t.Errorf("%d: %q, %d, %v", a, text, got, err)
		}
	}
	if err := new(Aspects).UnmarshalText([]byte("tags,name")); err == nil {
		t.Error("an unknown aspect is read")
	}
}

// TestStatusOfReplicas: a replica's status is about its own changes only.
func TestStatusOfReplicas(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		ds        []Delivery
		want      Status
		returning bool
	}{
		{nil, Replica, false},
		{[]Delivery{{Status: Pending}, {Status: Failed}}, Replica, false}, // a job's
		{[]Delivery{{Status: Completed, Changed: AspectTags}}, Replica, false},
		{[]Delivery{{Status: Failed, Changed: AspectTags}, {Status: Pending}}, Failed, true},
		{[]Delivery{{Status: Failed, Changed: AspectTags}, {Status: Pending, Changed: AspectACL}}, Pending, true},
		{[]Delivery{{Status: Pending, Changed: AspectTags}, {Status: Failed, Changed: AspectACL}}, Pending, true},
	} {
		for _, was := range []Version{{Status: Replica}, {Status: Pending, Returning: true}, {Status: Failed, Returning: true}} {
			v := was
			v.Deliveries = tt.ds
			if v.SumUp(); v.Status != tt.want || v.Returning != tt.returning || !v.IsReplica() {
				t.Errorf("%+v: %s, %v; want %s", tt.ds, v.Status, v.Returning, tt.want)
			}
		}
	}
}

func TestResend(t *testing.T) {
	t.Parallel()
	to := []Delivery{{Bucket: "b", Rule: "r"}}
	for _, tt := range []struct {
		name string
		v    Version
		want *Delivery // to b; nil if none
	}{
		{"never taken there", Version{}, nil},
		{"a replica", Version{Status: Replica}, &Delivery{Bucket: "b", Rule: "r", Status: Pending, Changed: AspectTags}},
		{"delivered", Version{Deliveries: []Delivery{{Bucket: "b", Status: Completed}}}, &Delivery{Bucket: "b", Rule: "r", Status: Pending, Changed: AspectTags}},
		{"on its way", Version{Deliveries: []Delivery{{Bucket: "b", Status: Pending}}}, &Delivery{Bucket: "b", Status: Pending}},
		{"failed", Version{Deliveries: []Delivery{{Bucket: "b", Status: Failed, Code: "c"}}}, &Delivery{Bucket: "b", Status: Failed, Code: "c"}},
		{"another change on its way", Version{Deliveries: []Delivery{{Bucket: "b", Status: Pending, Changed: AspectACL}}}, &Delivery{Bucket: "b", Rule: "r", Status: Pending, Changed: AspectACL | AspectTags}},
		{"another change failed", Version{Deliveries: []Delivery{{Bucket: "b", Status: Failed, Code: "c", Changed: AspectACL}}}, &Delivery{Bucket: "b", Rule: "r", Status: Pending, Changed: AspectACL | AspectTags}},
		{"delivered elsewhere", Version{Deliveries: []Delivery{{Bucket: "c", Status: Completed}}}, nil},
	} {
		waits := tt.v.Resend(AspectTags, "", to, time.Time{})
		var got *Delivery
		for i := range tt.v.Deliveries {
			if d := &tt.v.Deliveries[i]; d.Bucket == "b" {
				got = d
			} else if d.Status != Completed || d.Changed != AspectTags {
				t.Errorf("%s: %+v", tt.name, d)
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" || waits != (got != nil && got.Changed != 0) {
			t.Errorf("%s: waits %v, %s", tt.name, waits, diff)
		}
	}
}
