package ledger

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// rows is an index that has the ledger's rows only.
type rows map[string]string

func (r rows) set(row, value []byte) { r[string(row)] = string(value) }
func (r rows) del(row []byte)        { delete(r, string(row)) }

func (r rows) load(t *testing.T) *Ledger {
	t.Helper()
	l := New()
	for row, value := range r {
		if err := l.Load([]byte(row), []byte(value)); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

func TestLedgerComesBackFromItsRows(t *testing.T) {
	t.Parallel()
	a, b, c := Lane{"src", "dst", "r"}, Lane{"src", "dst2", "a rule\x01"}, Lane{"src2", "dst", ""}
	l, index := New(), rows{}
	step := func() {
		t.Helper()
		l.Rows(index.set, index.del)
		l.Enter()
		if diff := cmp.Diff(l.Entries(""), index.load(t).Entries("")); diff != "" {
			t.Fatal(diff)
		}
	}
	step()
	l.Add(a, Counts{Pending: 2, PendingBytes: 10, Last: 7})
	l.Add(a, Counts{Pending: -1, PendingBytes: -4, Completed: 1, CompletedBytes: 4})
	l.Add(b, Counts{Failed: 1, Failures: 1, Last: 9})
	l.Add(c, Counts{Pending: 1})
	if got := l.Entries(""); len(got) != 0 {
		t.Fatalf("counted before they were entered: %v", got)
	}
	step()
	want := []Entry{
		{a, Counts{Pending: 1, PendingBytes: 6, Completed: 1, CompletedBytes: 4, Last: 7}},
		{b, Counts{Failed: 1, Failures: 1, Last: 9}},
	}
	if diff := cmp.Diff(want, l.Entries("src")); diff != "" {
		t.Fatal(diff)
	}
	// A bucket of that name that is made anew begins at nothing.
	l.Add(a, Counts{Completed: 1})
	l.Forget("src")
	l.Add(a, Counts{Pending: 1, Last: 20})
	step()
	want = []Entry{{a, Counts{Pending: 1, Last: 20}}, {c, Counts{Pending: 1}}}
	if diff := cmp.Diff(want, l.Entries("")); diff != "" {
		t.Fatal(diff)
	}
	each := map[Lane]Counts{}
	l.Each(func(lane Lane, c Counts) { each[lane] = c })
	if got := slices.SortedFunc(maps.Keys(each), Lane.Compare); !slices.Equal(got, []Lane{a, c}) {
		t.Fatal(got)
	}
}

func TestDamagedRows(t *testing.T) {
	t.Parallel()
	good := rows{}
	l := New()
	l.Add(Lane{"src", "dst", "r"}, Counts{Pending: 1})
	l.Rows(good.set, good.del)
	for row, value := range good {
		for _, bad := range [][2]string{{"lsrc", value}, {row, value[:len(value)-1]}, {row, ""}} {
			if err := New().Load([]byte(bad[0]), []byte(bad[1])); err == nil {
				t.Errorf("%q was taken", bad)
			}
		}
	}
}
