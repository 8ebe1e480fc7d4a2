package verify

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Document writes findings and their summary as one JSON document, a finding as
// soon as it is found, each in a line of its own.
type Document struct {
	W     io.Writer
	begun bool
}

// Add writes a finding.
func (d *Document) Add(f Finding) error {
	before := ",\n"
	if !d.begun {
		before = "{\"findings\": [\n"
	}
	d.begun = true
	data, err := encode(f)
	if err == nil {
		_, err = io.WriteString(d.W, before+string(data))
	}
	return err
}

// End ends the document.
func (d *Document) End(s *Summary) error {
	before := "\n],\n"
	if !d.begun {
		before = "{\"findings\": [],\n"
	}
	data, err := encode(s)
	if err == nil {
		_, err = io.WriteString(d.W, before+"\"summary\": "+string(data)+"}\n")
	}
	return err
}

// encode is json.Marshal that leaves <, > and & as they are.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

// Write writes a finding in words.
func (f *Finding) Write(w io.Writer) error {
	what := f.Reason
	if f.Code != "" {
		what = f.Code + ": " + what
	}
	for _, d := range f.Differences {
		if what != "" {
			what += "; "
		}
		what += fmt.Sprintf("%s: %s, at the destination %s", d.Aspect, cmp.Or(d.Source, "none"), cmp.Or(d.Destination, "none"))
	}
	_, err := fmt.Fprintf(w, "  %-12s %s  %s  %s\n", f.Class, shown(f.Key), f.VersionID, what)
	return err
}

// shown is a key as a terminal can show it.
func shown(key string) string {
	if strconv.Quote(key) != `"`+key+`"` || strings.Contains(key, " ") {
		return strconv.Quote(key)
	}
	return key
}

// Write writes the summary in words.
func (s *Summary) Write(w io.Writer) error {
	var b strings.Builder
	line := func(name string, n int64, more string) {
		if n > 0 || name == "equal" {
			b.WriteString(strings.TrimRight(fmt.Sprintf("  %-24s %12s  %s", name, Thousands(n), more), " ") + "\n")
		}
	}
	rules := "no rule takes versions there, or none can be read: every version is expected"
	if len(s.Rules) > 0 {
		rules = "under " + plural(int64(len(s.Rules)), "rule") + " " + strings.Join(s.Rules, ", ")
	}
	fmt.Fprintf(&b, "%s against %s, %s, %s\n", s.Source, s.Destination, s.Depth, rules)
	line("versions", s.Versions, fmt.Sprintf("%s delete markers, %s bytes", Thousands(s.Markers), Thousands(s.Bytes)))
	line("equal", s.Classes[Equal], "")
	var by []string
	for _, a := range slices.Sorted(maps.Keys(s.Differences)) {
		by = append(by, fmt.Sprintf("%s %s", a, Thousands(s.Differences[a])))
	}
	line("differ", s.Classes[Differs], strings.Join(by, ", "))
	line("missing", s.Classes[Missing], "")
	line("removed there", s.Classes[Removed], "replicated, and deleted at the destination by their ids")
	line("failed", s.Classes[Failed], tallies(s.Failures))
	line("from before the rule", s.Classes[BeforeRule], "a Batch Replication job carries them")
	line("on their way", s.Classes[Lagging], "")
	line("not selected", s.Classes[NotSelected], tallies(s.NotSelected))
	line("replicas without source", s.Classes[Orphan], "their source versions were deleted by their ids")
	line("the destination's own", s.Classes[Own], "")
	line("unknown", s.Classes[Unknown], "")
	line("under customers' keys", s.Classes[CustomerKey], "")
	for _, t := range s.Unknown {
		fmt.Fprintf(&b, "  ? %s\n", t.words())
	}
	fmt.Fprintln(&b, s.conclusion())
	_, err := io.WriteString(w, b.String())
	return err
}

// words says what may not be known, and what would help.
func (t *Tally) words() string {
	text := t.Reason
	if t.Action != "" {
		text = "allow " + t.Action + " on " + t.Bucket
	}
	if t.Example != "" {
		text += fmt.Sprintf(" (%s, such as %s)", plural(t.Count, "version"), shown(t.Example))
	}
	return text
}

func tallies(list []Tally) string {
	var out []string
	for _, t := range list {
		out = append(out, cmp.Or(t.Code, t.Reason)+" "+Thousands(t.Count))
	}
	return strings.Join(out, ", ")
}

// conclusion says in a sentence what the comparison comes to.
func (s *Summary) conclusion() string {
	took := s.Finished.Sub(s.Began).Round(10 * time.Millisecond)
	switch {
	case s.Verdict == Different:
		return fmt.Sprintf("The buckets differ in %s. It took %v.", plural(s.Different(), "version"), took)
	case !s.Complete:
		return fmt.Sprintf("The comparison did not come to its end. It took %v.", took)
	case s.Verdict == NotAllSeen:
		return fmt.Sprintf("No difference was found, and not everything could be found out. It took %v.", took)
	}
	text := fmt.Sprintf("Whatever has to be at the destination is there: %s agree", plural(s.Classes[Equal], "version"))
	if n := s.Classes[Lagging]; n > 0 {
		text += ", and " + Thousands(n) + " on the way"
	}
	return fmt.Sprintf("%s. It took %v.", text, took)
}

func plural(n int64, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return Thousands(n) + " " + of + "s"
}

// Thousands writes a number with commas.
func Thousands(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
