package progress

import (
	"bytes"
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
	var out bytes.Buffer
	b := New(&out, true, "copy", "objects", 2)
	b.Set(2)
	b.Finish()
	if !strings.Contains(out.String(), "copy: 2 in") {
		t.Errorf("%q", out.String())
	}
}
