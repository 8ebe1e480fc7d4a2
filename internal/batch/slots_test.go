package batch

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

func TestSlotsGoToTheHighestPriority(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := slots{free: 1}
		if err := s.take(t.Context(), "first", 0); err != nil {
			t.Fatal(err)
		}
		if err := s.take(t.Context(), "first", 0); err != nil {
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
				if err := s.take(use, name, priority); err != nil {
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
