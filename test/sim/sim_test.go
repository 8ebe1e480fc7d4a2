package sim

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

var (
	seeds = flag.Int("seeds", 0, "how many seeds, from -seed; 0: a few, and one by chance")
	seed  = flag.Uint64("seed", 1, "the first seed")
	steps = flag.Int("steps", 60, "how many steps a history has")
	some  = flag.String("only", "", "the numbers of the steps that are taken, as in 3,7,12; all if empty")
)

// choose are the seeds that the flags ask for: without them a few, and one by
// chance.
func choose(few int) []uint64 {
	var out []uint64
	switch {
	case *some != "":
		return []uint64{*seed}
	case *seeds > 0:
		few = *seeds
	default:
		out = append(out, uint64(time.Now().UnixNano()%1e9))
	}
	for n := range few {
		out = append(out, *seed+uint64(n))
	}
	return out
}

// in plays a history in a bubble of time of its own.
func in(t *testing.T, h history, workers int) (end string, trace []string, err error) {
	synctest.Test(t, func(*testing.T) { end, trace, err = play(h, workers) })
	return end, trace, err
}

// chosen returns the history of a seed, or of it the steps asked for.
func chosen(t *testing.T, seed uint64, free bool) history {
	h := newHistory(seed, *steps, free)
	if *some == "" {
		return h
	}
	numbers := map[int]bool{}
	for n := range strings.SplitSeq(*some, ",") {
		var i int
		if _, err := fmt.Sscan(n, &i); err != nil {
			t.Fatal(err)
		}
		numbers[i] = true
	}
	return h.only(numbers)
}

// TestHistories plays histories step by step.
func TestHistories(t *testing.T) {
	t.Parallel()
	for _, s := range choose(8) {
		t.Run(fmt.Sprint(s), func(t *testing.T) {
			t.Parallel()
			h := chosen(t, s, false)
			rng := rand.New(rand.NewPCG(s, 2))
			if _, trace, err := in(t, h, []int{1, 4, 32}[rng.IntN(3)]); err != nil {
				report(t, "TestHistories", h, trace, err)
			}
		})
	}
}

// TestWorkers plays histories with 1, 4 and 32 workers: they end the same. All
// that waits is done before each step, and the disk has no trouble: what a step
// does depends on what is there, and which operation fails on how many there were.
func TestWorkers(t *testing.T) {
	t.Parallel()
	for _, s := range choose(3) {
		t.Run(fmt.Sprint(s), func(t *testing.T) {
			t.Parallel()
			h := chosen(t, s, false).settled()
			var want string
			for _, workers := range []int{1, 4, 32} {
				end, trace, err := in(t, h, workers)
				switch {
				case err != nil:
					report(t, "TestWorkers", h, trace, err)
				case want == "":
					want = end
				case end != want:
					t.Errorf("%s\n1 worker leaves something else than %d (-1 +%d):\n%s", again("TestWorkers", h), workers, workers, gocmp.Diff(want, end))
				}
			}
		})
	}
}

// TestFree plays histories beside an engine that works when it likes. A seed
// decides what happens, and not when the engine takes it up.
func TestFree(t *testing.T) {
	t.Parallel()
	for _, s := range choose(4) {
		t.Run(fmt.Sprint(s), func(t *testing.T) {
			t.Parallel()
			h := chosen(t, s, true)
			if _, trace, err := in(t, h, 4); err != nil {
				t.Errorf("%s\n%s\n%v", again("TestFree", h), strings.Join(trace, "\n"), err)
			}
		})
	}
}

// again is the command that plays a history again.
func again(test string, h history) string {
	numbers := make([]string, len(h.steps))
	for i, st := range h.steps {
		numbers[i] = fmt.Sprint(st.n)
	}
	return fmt.Sprintf("go test ./test/sim -run '%s$' -count 1 -seed %d -steps %d -only %s", test, h.seed, *steps, strings.Join(numbers, ","))
}

// report fails the test with the shortest part of a history that fails too.
func report(t *testing.T, test string, h history, trace []string, err error) {
	t.Helper()
	numbers := map[int]bool{}
	for _, st := range h.steps {
		numbers[st.n] = true
	}
	// Leave out as many steps as can be, in smaller and smaller pieces.
	for size := len(h.steps) / 2; size > 0; size /= 2 {
		order := slices.Sorted(maps.Keys(numbers))
		for piece := range slices.Chunk(order, size) {
			fewer := maps.Clone(numbers)
			for _, n := range piece {
				delete(fewer, n)
			}
			if _, tr, e := in(t, h.only(fewer), 1); e != nil {
				numbers, trace, err = fewer, tr, e
			}
		}
	}
	h = h.only(numbers)
	t.Errorf("%s\n%s\n%v", again(test, h), strings.Join(trace, "\n"), err)
}
