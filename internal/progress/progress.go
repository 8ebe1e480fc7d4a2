// Package progress shows how far long work is, with its rate and the time
// left: a bar on a terminal, now and then a line elsewhere.
package progress

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
)

// Bar shows the progress of one piece of work. Its methods may be called from
// any goroutine.
type Bar struct {
	w     io.Writer
	what  string
	unit  string
	total int64
	start time.Time

	mu   sync.Mutex
	done int64
	last time.Time // when a line was written
	bar  *progressbar.ProgressBar
}

// every is how often a line is written where there is no terminal.
const every = 2 * time.Second

// New returns a bar for total items of a unit, "objects" or the like, written to
// w; terminal says whether w is one. A total of 0 is not known.
func New(w io.Writer, terminal bool, what, unit string, total int64) *Bar {
	b := &Bar{w: w, what: what, unit: unit, total: total, start: time.Now(), last: time.Now()}
	if terminal {
		length := total
		if total == 0 {
			length = -1 // a spinner
		}
		b.bar = progressbar.NewOptions64(length,
			progressbar.OptionSetWriter(w), progressbar.OptionSetDescription("  "+what),
			progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString(unit),
			progressbar.OptionSetWidth(24), progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionSetPredictTime(true), progressbar.OptionClearOnFinish())
	}
	return b
}

// Add adds n items that are done.
func (b *Bar) Add(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.set(b.done + n)
}

// Set says that done items are done.
func (b *Bar) Set(done int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.set(done)
}

func (b *Bar) set(done int64) {
	b.done = done
	if b.bar != nil {
		if b.total > 0 {
			done = min(done, b.total)
		}
		_ = b.bar.Set64(done) // a bar that cannot be drawn is no failure
		return
	}
	if now := time.Now(); now.Sub(b.last) >= every {
		b.last = now
		fmt.Fprintf(b.w, "  %s\n", Line(b.what, b.unit, b.done, b.total, now.Sub(b.start)))
	}
}

// Finish ends the bar and writes what was done, how long it took and the rate.
func (b *Bar) Finish() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bar != nil {
		_ = b.bar.Finish()
	}
	took := time.Since(b.start)
	fmt.Fprintf(b.w, "  %s: %d in %s, %s\n", b.what, b.done, took.Round(10*time.Millisecond), rate(b.unit, b.done, took))
}

// Line describes the state of work: how many of total items of a unit are done after
// took, at what rate, and how long the rest will take at that rate.
func Line(what, unit string, done, total int64, took time.Duration) string {
	if total <= 0 {
		return fmt.Sprintf("%s: %d, %s", what, done, rate(unit, done, took))
	}
	if done <= 0 {
		return fmt.Sprintf("%s: %d of %d", what, done, total)
	}
	left := time.Duration(float64(took) / float64(done) * float64(total-done))
	return fmt.Sprintf("%s: %d of %d (%d %%), %s, %s left", what, done, total, done*100/total, rate(unit, done, took), left.Round(time.Second))
}

func rate(unit string, done int64, took time.Duration) string {
	if took <= 0 {
		return "0 " + unit + "/s"
	}
	return fmt.Sprintf("%.0f %s/s", float64(done)/took.Seconds(), unit)
}
