package scrub

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"twinbucket/fault"
	"twinbucket/internal/catalog"
	"twinbucket/internal/store"
	"twinbucket/internal/vfs"
)

// disk takes a hundred seconds to be read; the second time something on it is
// wrong, and then it fails.
type disk struct{ began []time.Time }

func (d *disk) Check(ctx context.Context, o store.CheckOptions) (store.Checked, error) {
	d.began = append(d.began, time.Now())
	if len(d.began) == 4 {
		return store.Checked{}, errors.New("no disk")
	}
	done := store.Checked{}
	for range 100 {
		done.Bytes += Rate
		if err := o.Pace(ctx, Rate); err != nil {
			return done, err
		}
	}
	if len(d.began) == 3 {
		done.Problems = 1
		o.Found(store.Problem{What: "spoiled", Where: "a file"})
	}
	return done, nil
}

type memory struct{ *Pass }

func (m *memory) Last() (Pass, error) {
	if m.Pass == nil {
		return Pass{}, fault.NotFound
	}
	return *m.Pass, nil
}

func (m *memory) Note(_ context.Context, p Pass) error {
	m.Pass = &p
	return nil
}

// TestPassesInTheirTime: at the rate, a day apart, also over a restart; one that
// is cut short does not count.
func TestPassesInTheirTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		d, passes := new(disk), new(memory)
		run := func(ctx context.Context) error {
			return New(Config{Store: d, Passes: passes, Every: 24 * time.Hour, Log: slog.New(slog.NewTextHandler(&log, nil))}).Run(ctx, ctx)
		}
		start := time.Now()
		cut, cancel := context.WithTimeout(t.Context(), time.Hour+99*time.Second)
		defer cancel()
		if err := run(cut); err != nil || passes.Pass != nil {
			t.Errorf("%v, %+v", err, passes.Pass)
		}
		once, cancel := context.WithTimeout(t.Context(), 2*time.Hour)
		defer cancel()
		if err := run(once); err != nil || passes.Pass == nil {
			t.Fatalf("%v, %+v", err, passes.Pass)
		}
		finished := passes.Finished
		if took := finished.Sub(passes.Began); took != 100*time.Second || passes.Checked.Bytes != 100*Rate {
			t.Errorf("%+v", passes.Pass)
		}
		if strings.Contains(log.String(), "damaged") {
			t.Error(log.String())
		}
		if err := run(t.Context()); err == nil || err.Error() != "no disk" {
			t.Error(err)
		}
		second := finished.Add(24 * time.Hour)
		want := []time.Time{start.Add(time.Hour), start.Add(2*time.Hour + 99*time.Second), second, second.Add(24*time.Hour + 100*time.Second)}
		if diff := cmp.Diff(want, d.began); diff != "" {
			t.Error(diff)
		}
		if passes.Checked.Problems != 1 || !strings.Contains(log.String(), `problem="a file: spoiled"`) {
			t.Errorf("%+v: %s", passes.Pass, log.String())
		}
	})
}

// TestNoPasses if there are to be none.
func TestNoPasses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 1000*time.Hour)
		defer cancel()
		d := new(disk)
		if err := New(Config{Store: d, Passes: new(memory)}).Run(ctx, ctx); err != nil || len(d.began) > 0 {
			t.Error(err, d.began)
		}
	})
}

func TestNoted(t *testing.T) {
	t.Parallel()
	s, err := store.Open(vfs.Memory(), "/data", store.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	passes := Noted(catalog.New(s))
	if _, err := passes.Last(); !errors.Is(err, fault.NotFound) {
		t.Error(err)
	}
	want := Pass{Began: time.Unix(1, 0).UTC(), Finished: time.Unix(2, 0).UTC(), Checked: store.Checked{Bytes: 3}}
	if err := passes.Note(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	if got, err := passes.Last(); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
