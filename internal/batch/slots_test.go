package batch

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
)

func TestSlotsGoToTheHighestPriority(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := slots{free: 1}
		first, err := s.take(t.Context(), "first", 9, false)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := s.take(t.Context(), "first", 9, false); err != nil || again != first {
			t.Fatal("a job that has a slot keeps it")
		}
		var order []string
		ctx, cancel := context.WithCancel(t.Context())
		for name, priority := range map[string]int{"low": 1, "high": 3, "raised": 0, "leaves": 9} {
			use := t.Context()
			if name == "leaves" {
				use = ctx
			}
			go func() {
				if _, err := s.take(use, name, priority, false); err != nil {
					if name != "leaves" || !errors.Is(err, context.Canceled) {
						t.Error(name, err)
					}
					return
				}
				order = append(order, name)
				s.give(name)
			}()
		}
		synctest.Wait()
		s.prefer("raised", 5)
		cancel()
		synctest.Wait()
		s.give("first")
		synctest.Wait()
		if len(order) != 3 || order[0] != "raised" || order[1] != "high" || order[2] != "low" {
			t.Error(order)
		}
		s.give("first") // has none: nothing happens
		if s.free != 1 {
			t.Errorf("%d slots are free", s.free)
		}
	})
}

// TestSlotsAreAskedFor has jobs of higher priority come while all slots are held.
func TestSlotsAreAskedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := slots{free: 3}
		held := map[string]*slot{}
		for _, have := range []struct {
			name     string
			priority int
		}{{"a", 5}, {"b", 2}, {"c", 2}} {
			if held[have.name] = s.try(have.name, have.priority); held[have.name] == nil {
				t.Fatal("no slot is free")
			}
		}
		if s.try("d", 9) != nil {
			t.Fatal("a fourth slot")
		}
		asked := func(want ...string) {
			t.Helper()
			synctest.Wait()
			var got []string
			for name, h := range held {
				select {
				case <-h.wanted:
					got = append(got, name)
				default:
				}
			}
			if slices.Sort(got); !slices.Equal(got, want) {
				t.Errorf("asked for the slots of %v, want %v", got, want)
			}
		}
		wait := func(name string, priority int) {
			go func() {
				if _, err := s.take(t.Context(), name, priority, name == "begun"); err != nil {
					t.Error(name, err)
				}
			}()
			synctest.Wait()
		}
		wait("equal", 2)
		wait("begun", 2)
		asked()
		if s.waiting[0].name != "begun" {
			t.Error("a job that was begun does not come first")
		}
		wait("first", 4)
		asked("c") // of two the one that came last
		wait("second", 3)
		asked("b", "c")
		wait("third", 3)
		asked("b", "c") // "a" is more urgent
		if s.prefer("stranger", 9) || !s.prefer("third", 6) {
			t.Error("it does not know who waits")
		}
		asked("b", "c") // whose slots are for "third" and "first" now
		s.prefer("first", 8)
		s.prefer("second", 7)
		asked("a", "b", "c")
		for name := range held {
			s.give(name)
		}
		synctest.Wait()
		var have []string
		for _, h := range s.held {
			have = append(have, h.name)
		}
		if slices.Sort(have); !slices.Equal(have, []string{"first", "second", "third"}) {
			t.Errorf("%v have the slots", have)
		}
		s.prefer("third", 1) // who has a slot can lose it for its own priority, too
		third := s.of("third")
		select {
		case <-third.wanted:
		default:
			t.Error("a slot of lowered priority was not asked for")
		}
		s.give("third")
		synctest.Wait()
		s.give("first")
		s.give("second")
		s.give("equal")
		s.give("begun")
	})
}
