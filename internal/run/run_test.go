package run

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestPartsStopInReverse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := Group{Grace: time.Minute}
		var order []string
		for _, name := range []string{"a", "b", "c"} {
			g.Add(name, func(soft, _ context.Context) error {
				<-soft.Done()
				order = append(order, name)
				return soft.Err()
			})
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := g.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(order, []string{"c", "b", "a"}) {
			t.Fatal(order)
		}
	})
}

func TestAFailingPartEndsTheGroup(t *testing.T) {
	t.Parallel()
	g := Group{Grace: time.Minute}
	broken := errors.New("broken")
	g.Add("waits", func(soft, _ context.Context) error { <-soft.Done(); return nil })
	g.Add("fails", func(_, _ context.Context) error { return broken })
	if err := g.Run(t.Context()); !errors.Is(err, broken) {
		t.Fatal(err)
	}
}

func TestASlowPartIsKilled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := Group{Grace: time.Minute}
		g.Add("slow", func(_, hard context.Context) error { <-hard.Done(); return nil })
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		start := time.Now()
		if err := g.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d != time.Minute {
			t.Fatal(d)
		}
	})
}
