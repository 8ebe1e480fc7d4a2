// Package ledger counts what replication has to do and has done: for each
// source bucket, destination and rule what waits, what failed, and what was
// carried. The store keeps it with its index, so the counts are exact across
// restarts.
package ledger

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"twinbucket/fault"
	"twinbucket/internal/layout"
)

// Lane is the way from a bucket to a destination under a rule. What goes one
// way waits for nothing that goes another.
type Lane struct {
	Source      string `json:"sourceBucket"`
	Destination string `json:"destinationBucket"`
	Rule        string `json:"ruleId"`
}

// Compare orders lanes.
func (l Lane) Compare(other Lane) int {
	return cmp.Or(strings.Compare(l.Source, other.Source), strings.Compare(l.Destination, other.Destination), strings.Compare(l.Rule, other.Rule))
}

// Counts are the numbers of a lane. An operation is a version, a delete marker
// or a change of a version's tags, ACL or lock, on its way to one destination.
type Counts struct {
	Pending      int64 `json:"operationsPending"` // that wait now
	PendingBytes int64 `json:"bytesPending"`      // of objects that wait now; changes without data count as none
	Failed       int64 `json:"failed"`            // versions that are FAILED now

	Completed      int64 `json:"operationsCompleted"` // since the lane began
	CompletedBytes int64 `json:"bytesCompleted"`
	Failures       int64 `json:"operationsFailed"` // since the lane began
	// Last is the place in the feed of what came last.
	Last int64 `json:"-"`
}

func (c *Counts) fields() []*int64 {
	return []*int64{&c.Pending, &c.PendingBytes, &c.Failed, &c.Completed, &c.CompletedBytes, &c.Failures, &c.Last}
}

// Add adds other to c.
func (c *Counts) Add(other Counts) {
	c.Pending += other.Pending
	c.PendingBytes += other.PendingBytes
	c.Failed += other.Failed
	c.Completed += other.Completed
	c.CompletedBytes += other.CompletedBytes
	c.Failures += other.Failures
	c.Last = max(c.Last, other.Last)
}

// Entry is a lane with its counts.
type Entry struct {
	Lane
	Counts
}

// Ledger holds the counts of all lanes. One goroutine changes it; all may read.
type Ledger struct {
	staged map[Lane]Counts // changes that are not entered yet

	mu   sync.Mutex
	all  map[Lane]Counts
	gone []string // buckets whose lanes are to be forgotten, until entered
}

// New returns an empty ledger.
func New() *Ledger {
	return &Ledger{staged: make(map[Lane]Counts), all: make(map[Lane]Counts)}
}

// Add stages a change of a lane.
func (l *Ledger) Add(lane Lane, change Counts) {
	have := l.staged[lane]
	have.Add(change)
	l.staged[lane] = have
}

// Forget stages that the lanes of a source bucket are no more.
func (l *Ledger) Forget(source string) {
	l.gone = append(l.gone, source)
	maps.DeleteFunc(l.staged, func(lane Lane, _ Counts) bool { return lane.Source == source })
}

// Rows gives the rows that the staged changes make to set, and those of lanes
// that are no more to del.
func (l *Ledger) Rows(set func(row, value []byte), del func(row []byte)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.gone) > 0 {
		for lane := range l.all {
			if slices.Contains(l.gone, lane.Source) {
				del(layout.Lane(lane.Source, lane.Destination, lane.Rule))
			}
		}
	}
	for lane, change := range l.staged {
		have := l.all[lane]
		if slices.Contains(l.gone, lane.Source) {
			have = Counts{}
		}
		have.Add(change)
		set(layout.Lane(lane.Source, lane.Destination, lane.Rule), have.encode())
	}
}

// Enter makes the staged changes count, once their rows are in the index.
func (l *Ledger) Enter() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.gone) > 0 {
		maps.DeleteFunc(l.all, func(lane Lane, _ Counts) bool { return slices.Contains(l.gone, lane.Source) })
		l.gone = nil
	}
	for lane, change := range l.staged {
		have := l.all[lane]
		have.Add(change)
		l.all[lane] = have
	}
	clear(l.staged)
}

// Load takes a row that Enter gave.
func (l *Ledger) Load(row, value []byte) error {
	parts := bytes.SplitN(row[1:], []byte{0}, 3)
	if len(parts) < 3 {
		return damaged(row)
	}
	var c Counts
	for _, n := range c.fields() {
		v, size := binary.Varint(value)
		if size <= 0 {
			return damaged(row)
		}
		*n, value = v, value[size:]
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all[Lane{string(parts[0]), string(parts[1]), string(parts[2])}] = c
	return nil
}

func damaged(row []byte) error {
	return &fault.Error{Op: "ledger.load", Kind: fault.Damaged, Thing: fmt.Sprintf("%q", row)}
}

func (c Counts) encode() (b []byte) {
	for _, n := range c.fields() {
		b = binary.AppendVarint(b, *n)
	}
	return b
}

// Each calls each for every lane, in no order.
func (l *Ledger) Each(each func(Lane, Counts)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for lane, c := range l.all {
		each(lane, c)
	}
}

// Entries returns all lanes, or those of one source bucket if it is not "", in order.
func (l *Ledger) Entries(source string) []Entry {
	var out []Entry
	l.Each(func(lane Lane, c Counts) {
		if source == "" || lane.Source == source {
			out = append(out, Entry{lane, c})
		}
	})
	slices.SortFunc(out, func(a, b Entry) int { return a.Compare(b.Lane) })
	return out
}
