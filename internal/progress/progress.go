// Package progress shows how far long work is, with its rate and the time
// left: a bar on a terminal, now and then a line elsewhere.
package progress

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
)

// Bar shows the progress of one piece of work. Its methods may be called from
// any goroutine.
type Bar struct {
	w        io.Writer
	terminal bool
	what     string
	unit     string
	total    int64
	start    time.Time

	mu      sync.Mutex
	skipped int64 // what was done before the work began
	done    int64
	last    time.Time // when a line was written
	drawn   bool      // a bar stands on the terminal's last line
}

// How often a bar is drawn, and a line written where there is no terminal.
const (
	everyFrame = 100 * time.Millisecond
	every      = 2 * time.Second
)

// New returns a bar for total items of a unit, "objects" or the like, written to
// w; terminal says whether w is one. A total of 0 is not known.
func New(w io.Writer, terminal bool, what, unit string, total int64) *Bar {
	return &Bar{w: w, terminal: terminal, what: what, unit: unit, total: total, start: time.Now(), last: time.Now()}
}

// Skip says that n items were done before the work began: they count as done,
// and not for the rate.
func (b *Bar) Skip(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.skipped, b.done = n, n
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
	now, wait := time.Now(), every
	if b.terminal {
		wait = everyFrame
	}
	if now.Sub(b.last) < wait {
		return
	}
	b.last = now
	line := "  " + line(b.what, b.unit, b.done, b.total, b.done-b.skipped, now.Sub(b.start))
	if !b.terminal {
		fmt.Fprintln(b.w, line)
		return
	}
	// A bar that cannot be drawn is no failure.
	fmt.Fprint(b.w, "\r\x1b[K", bar(line, b.done, b.total, Width(b.w)))
	b.drawn = true
}

// Say writes a line of its own, above the bar.
func (b *Bar) Say(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hide()
	fmt.Fprintln(b.w, text)
}

// Hide takes the bar off the terminal, until more is done.
func (b *Bar) Hide() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hide()
}

func (b *Bar) hide() {
	if b.drawn {
		fmt.Fprint(b.w, "\r\x1b[K")
		b.drawn = false
	}
}

// Finish ends the bar and writes what was done, how long it took and the rate.
func (b *Bar) Finish() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hide()
	took := time.Since(b.start)
	fmt.Fprintf(b.w, "  %s: %d in %s, %s\n", b.what, b.done-b.skipped, took.Round(10*time.Millisecond), rate(b.unit, b.done-b.skipped, took))
}

// Line describes the state of work: how many of total items of a unit are done after
// took, at what rate, and how long the rest will take at that rate.
func Line(what, unit string, done, total int64, took time.Duration) string {
	return line(what, unit, done, total, done, took)
}

// line is Line where only recent of the done items were done in the time.
func line(what, unit string, done, total, recent int64, took time.Duration) string {
	if total <= 0 {
		return fmt.Sprintf("%s: %d, %s", what, done, rate(unit, recent, took))
	}
	text := fmt.Sprintf("%s: %d of %d", what, done, total)
	if done > 0 {
		text += fmt.Sprintf(" (%d %%)", done*100/total)
	}
	if recent <= 0 {
		return text
	}
	left := time.Duration(float64(took) / float64(recent) * float64(max(total-done, 0)))
	return fmt.Sprintf("%s, %s, %s left", text, rate(unit, recent, took), left.Round(time.Second))
}

func rate(unit string, done int64, took time.Duration) string {
	if took <= 0 {
		return "0 " + unit + "/s"
	}
	return fmt.Sprintf("%.0f %s/s", float64(done)/took.Seconds(), unit)
}

// Width returns the columns of the terminal w, 80 if it does not say.
func Width(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 0 {
			return n
		}
	}
	return 80
}

// Fit cuts off what of a line does not fit into so many columns.
func Fit(line string, columns int) string {
	if utf8.RuneCountInString(line) <= columns {
		return line
	}
	return string([]rune(line)[:max(columns, 0)])
}

// The cells of a bar: as many as fit beside its line, within these.
const minCells, maxCells = 8, 40

// bar puts a bar behind a line, if there is room for one, and cuts what does
// not fit into the columns.
func bar(line string, done, total int64, columns int) string {
	room := columns - 1 - utf8.RuneCountInString(line) // the last column would wrap
	cells := int64(min(room-len(" []"), maxCells))
	if total <= 0 || cells < minCells {
		return Fit(line, columns-1)
	}
	full := int(cells * min(done, total) / total)
	return line + " [" + strings.Repeat("=", full) + strings.Repeat(" ", int(cells)-full) + "]"
}
