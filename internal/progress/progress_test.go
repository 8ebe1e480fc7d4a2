package progress

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestLine(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		done, total int64
		took        time.Duration
		want        string
	}{
		{0, 100, time.Second, "copy: 0 of 100"},
		{25, 100, 5 * time.Second, "copy: 25 of 100 (25 %), 5 objects/s, 15s left"},
		{100, 100, 10 * time.Second, "copy: 100 of 100 (100 %), 10 objects/s, 0s left"},
		{7, 0, time.Second, "copy: 7, 7 objects/s"},
		{5, 10, 0, "copy: 5 of 10 (50 %), 0 objects/s, 0s left"},
	} {
		if got := Line("copy", "objects", tt.done, tt.total, tt.took); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

func TestLinesComeNowAndThen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		b := New(&out, false, "copy", "objects", 100)
		for range 100 {
			<-time.After(50 * time.Millisecond)
			b.Add(1)
		}
		b.Finish()
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != 3 || !strings.HasPrefix(strings.TrimSpace(lines[2]), "copy: 100 in 5s, 20 objects/s") {
			t.Errorf("%q", lines)
		}
	})
}

func TestTerminal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		b := New(&out, true, "copy", "objects", 200)
		b.Skip(100)
		for range 100 {
			<-time.After(50 * time.Millisecond)
			b.Add(1)
		}
		b.Say("halt")
		b.Hide()
		b.Finish()
		const erase = "\r\x1b[K"
		frames := strings.Split(out.String(), erase)
		if want := "  copy: 150 of 200 (75 %), 20 objects/s, 3s left [=====================       ]"; len(frames) != 52 || !slices.Contains(frames, want) {
			t.Errorf("%d frames: %q", len(frames), frames)
		}
		if last := frames[len(frames)-1]; last != "halt\n  copy: 100 in 5s, 20 objects/s\n" {
			t.Errorf("%q", last)
		}
	})
}

func TestBar(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		done, total int64
		columns     int
		want        string
	}{
		{1, 2, 20, "a line [=====     ]"},
		{2, 2, 18, "a line [========]"},
		{3, 2, 18, "a line [========]"},
		{1, 2, 17, "a line"},
		{1, 0, 80, "a line"},
		{1, 2, 7, "a line"},
		{1, 2, 5, "a li"},
		{1, 2, 0, ""},
		{0, 2, 200, "a line [" + strings.Repeat(" ", 40) + "]"},
	} {
		if got := bar("a line", tt.done, tt.total, tt.columns); got != tt.want {
			t.Errorf("%d columns: %q, want %q", tt.columns, got, tt.want)
		}
	}
}
