package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"twinbucket/object"
)

// history is what happens, step by step, to buckets that chance puts together.
// Each step is chosen by the seed and its number alone, so steps can be left
// out and the others stay what they are.
type history struct {
	seed  uint64
	steps []step
	free  bool // the engine works beside the steps
}

// step is one change, and what happens meanwhile. What exactly it changes is
// chosen by r among what there is.
type step struct {
	n     int
	doing string
	r     [6]uint64
	// pump is how many tasks the queue lets go afterwards: 0 none, all if
	// negative.
	pump    int
	trouble *trouble
	crash   *crash
}

// trouble is what the disk has during a step: its operation number at fails,
// with all that follow if it is lasting.
type trouble struct {
	kind    int // of troubles
	at      int64
	lasting bool
}

// crash is the end of the process behind a step.
type crash struct {
	keep  int  // percent of what was not synced; 100 is a process that dies, less a power failure
	index bool // is lost with it
	seed  uint64
}

func (c crash) chance() *rand.Rand { return rand.New(rand.NewPCG(c.seed, 1)) }

// kinds are the steps, and how often each is to come.
var kinds = []struct {
	doing  string
	weight int
	calm   bool // also in histories in which the engine is free
}{
	{"put", 36, true},
	{"upload", 4, true},
	{"copy", 4, true},
	{"delete", 10, true},
	{"delete version", 8, false},
	{"tag", 10, true},
	{"retain", 4, true},
	{"hold", 4, true},
	{"acl", 4, true},
	{"retry", 5, true},
	{"forget", 2, false},
	{"rules", 8, true},
	{"no rules", 2, true},
	{"role", 5, true},
	{"policy", 5, true},
	{"mend", 12, true},
	{"versioning", 4, true},
	{"anew", 2, false},
	{"lock", 2, true},
	{"wait", 4, true},
	{"later", 3, true},
	{"lose", 2, false},
	{"double", 3, false},
	{"engine", 3, true},
	{"compact", 1, true},
}

// newHistory makes the history of a seed.
func newHistory(seed uint64, steps int, free bool) history {
	h := history{seed: seed, free: free}
	total := 0
	for _, k := range kinds {
		if k.calm || !free {
			total += k.weight
		}
	}
	for n := range steps {
		rng := rand.New(rand.NewPCG(seed, uint64(n)+1))
		st := step{n: n}
		w := rng.IntN(total)
		for _, k := range kinds {
			if free && !k.calm {
				continue
			}
			if w -= k.weight; w < 0 {
				st.doing = k.doing
				break
			}
		}
		for i := range st.r {
			st.r[i] = rng.Uint64()
		}
		switch rng.IntN(6) {
		case 0, 1, 2:
			st.pump = -1
		case 3, 4:
			st.pump = 1 + rng.IntN(4)
		}
		if rng.IntN(20) == 0 && !free {
			st.trouble = &trouble{rng.IntN(len(troubles)), 1 + rng.Int64N(12), rng.IntN(2) == 0}
		}
		if rng.IntN(15) == 0 {
			st.crash = &crash{[]int{0, 60, 100}[rng.IntN(3)], rng.IntN(4) == 0, rng.Uint64()}
		}
		h.steps = append(h.steps, st)
	}
	return h
}

// settled returns the history with everything done after each step, on a sound
// disk.
func (h history) settled() history {
	c := h
	c.steps = slices.Clone(h.steps)
	for i := range c.steps {
		c.steps[i].pump, c.steps[i].trouble = -1, nil
	}
	return c
}

// only returns the history with the steps of these numbers.
func (h history) only(numbers map[int]bool) history {
	c := h
	c.steps = nil
	for _, st := range h.steps {
		if numbers[st.n] {
			c.steps = append(c.steps, st)
		}
	}
	return c
}

// shape is how buckets replicate: which to which, and the numbers of their
// accounts.
type shape struct {
	name  string
	edges map[string][]string
	of    map[string]int
}

var shapes = []shape{
	{"one way", map[string][]string{"src": {"dst"}}, map[string]int{"src": 0, "dst": 1}},
	{"fan-out", map[string][]string{"src": {"dst-a", "dst-b", "dst-c"}}, map[string]int{"src": 0, "dst-a": 1, "dst-b": 2, "dst-c": 0}},
	{"chain", map[string][]string{"first": {"second"}, "second": {"third"}}, map[string]int{"first": 0, "second": 1, "third": 2}},
	{"two-way", map[string][]string{"here": {"there"}, "there": {"here"}}, map[string]int{"here": 0, "there": 1}},
	{"any", map[string][]string{"bk-a": {"bk-b", "bk-c"}, "bk-b": {"bk-c", "bk-a"}, "bk-c": {"bk-a"}, "bk-d": {"bk-a", "bk-b"}}, map[string]int{"bk-a": 0, "bk-b": 1, "bk-c": 2, "bk-d": 0}},
}

// settings are those of new buckets, of which all replicates.
func (sh *shape) settings(locked, acls bool) *settings {
	s := &settings{buckets: map[string]*bucketSettings{}, roles: map[string]*access{}}
	for _, a := range accounts {
		s.roles[a] = new(access)
	}
	for name, n := range sh.of {
		s.buckets[name] = &bucketSettings{name: name, owner: accounts[n], locked: locked, acls: acls}
	}
	for name, to := range sh.edges {
		b := s.buckets[name]
		for i, t := range to {
			b.rules = append(b.rules, ruleSettings{id: fmt.Sprint("all-", i), priority: i, on: true, markers: true, to: t, mods: true})
		}
	}
	s.all = s.names()
	return s
}

// world returns the settings that a history begins with, and what replicates
// where.
func (h history) world() (*settings, map[string][]string) {
	rng := rand.New(rand.NewPCG(h.seed, 0))
	sh := shapes[rng.IntN(len(shapes))]
	return sh.settings(rng.IntN(3) == 0, rng.IntN(3) == 0), sh.edges
}

var (
	keys     = []string{"a/1", "a/2", "b/1", "c"}
	prefixes = []string{"", "", "a/", "b/"}
	tag      = object.Tag{Key: "class", Value: "open"}
	tagSets  = [][]object.Tag{nil, nil, {tag}, {{Key: "class", Value: "secret"}}, {tag, {Key: "other", Value: "x"}}}
	classes  = []string{"", "", "", "STANDARD_IA", "GLACIER"}
)
