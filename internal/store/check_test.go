package store

import (
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"twinbucket/internal/fields"
	"twinbucket/internal/layout"
	"twinbucket/internal/ledger"
	"twinbucket/internal/vfs"
	"twinbucket/object"
)

// rows returns all rows of the index.
func rows(t testing.TB, s *Store) map[string]string {
	t.Helper()
	it, err := s.db.NewIter(nil)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for ok := it.First(); ok; ok = it.Next() {
		out[string(it.Key())] = string(it.Value())
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	return out
}

// check goes through the index and the files and reports what does not agree:
// bodies that cannot be read, files that nobody uses or that are counted
// wrongly, a feed that is not exactly what is pending.
func check(t testing.TB, s *Store, fs vfs.FS) {
	t.Helper()
	s.bodies.Wait()
	s.compactMu.Lock() // what it moves is not where a row said a moment ago
	defer s.compactMu.Unlock()
	uses, counted := map[uint64]int{}, map[uint64]int{}
	feed, pending := map[string]bool{}, map[string]bool{}
	nulls := map[string]int{}
	details, haveDetails := map[string]bool{}, map[string]bool{}
	standing := map[ledger.Lane]ledger.Counts{}
	ids, haveIDs := map[string]int64{}, map[string]int64{}
	events, boxes := map[string]uint64{}, map[string]uint64{}
	for row, value := range rows(t, s) {
		switch row[0] {
		case layout.KindVersion:
			o, err := readObject([]byte(value))
			if err != nil {
				t.Fatal(err)
			}
			if o.apart != (apart{}) {
				details["x"+row[1:]] = true
				counts := o.apart
				if err := load(s.db, o); err != nil || counts != (apart{len(o.Parts), len(o.body)}) {
					t.Errorf("%s %s: %d parts, %d extents, %v, want %+v", o.Key, o.ID, len(o.Parts), len(o.body), err, counts)
				}
			}
			if _, ours := object.IDTime(o.ID); !ours {
				ids[string(layout.ID(o.Bucket, o.Key, o.ID))] = o.Modified.UnixNano()
			}
			checkBody(t, s, o)
			for _, e := range o.body {
				uses[e.File]++
			}
			for i := range o.Deliveries {
				l := o.lane(&o.Deliveries[i])
				count := standing[l]
				count.Add(o.standing(&o.Deliveries[i]))
				standing[l] = count
				if d := &o.Deliveries[i]; d.Status == object.Pending {
					pending[fmt.Sprintf("%q %x", o.pendingRow(d), row)] = true
				}
			}
			if waits := object.Sum(o.Deliveries) == object.Pending; waits != (o.pendingAt != 0) {
				t.Errorf("%s %s: pending %v, in the feed at %d", o.Key, o.ID, waits, o.pendingAt)
			}
			if o.ID == object.NullID {
				nulls[o.Bucket+"/"+o.Key]++
			}
		case layout.KindDetail:
			haveDetails[row] = true
		case layout.KindID:
			nanos, _ := binary.Uvarint([]byte(value))
			haveIDs[row] = int64(nanos)
		case layout.KindPart:
			c := new(partCommand)
			if err := fields.Each([]byte(value), c.decode); err != nil {
				t.Fatal(err)
			}
			checkBody(t, s, &Object{Version: object.Version{Key: "part", Size: c.part.Size, ETag: c.part.ETag}, body: c.body})
			for _, e := range c.body {
				uses[e.File]++
			}
		case layout.KindPending:
			feed[fmt.Sprintf("%q %x", row, value)] = true
		case layout.KindEvent:
			events[row[1:len(row)-9]]++
		case layout.KindFile:
			n, _ := binary.Uvarint([]byte(value))
			counted[binary.BigEndian.Uint64([]byte(row[1:]))] = int(n)
		}
	}
	delete(uses, 0) // the journal
	for _, l := range s.Lanes("") {
		want := standing[l.Lane]
		if l.Pending != want.Pending || l.PendingBytes != want.PendingBytes || l.Failed != want.Failed {
			t.Errorf("the ledger has %+v, the versions say %+v", l, want)
		}
		delete(standing, l.Lane)
	}
	if len(standing) > 0 {
		t.Errorf("the ledger lacks %+v", standing)
	}
	for key, n := range nulls {
		if n > 1 {
			t.Errorf("%s has %d null versions", key, n)
		}
	}
	out, err := s.Outboxes()
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range out {
		if x.Waiting > 0 {
			boxes[x.Target] = x.Waiting
		}
	}
	if diff := cmp.Diff(events, boxes); diff != "" {
		t.Errorf("events that wait, and what is counted: %s", diff)
	}
	if diff := cmp.Diff(uses, counted); diff != "" {
		t.Errorf("uses of files, and what is counted: %s", diff)
	}
	if diff := cmp.Diff(details, haveDetails); diff != "" {
		t.Errorf("versions with details, and details: %s", diff)
	}
	if diff := cmp.Diff(ids, haveIDs); diff != "" {
		t.Errorf("versions without a time in their ids, and the rows of ids: %s", diff)
	}
	if diff := cmp.Diff(pending, feed); diff != "" {
		t.Errorf("what is pending, and the feed: %s", diff)
	}
	var want []string
	for id := range uses {
		want = append(want, s.bodies.Path(id))
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, bodyFiles(t, fs)); diff != "" {
		t.Errorf("files used, and files there: %s", diff)
	}
}

func checkBody(t testing.TB, s *Store, o *Object) {
	t.Helper()
	if o.Marker {
		return
	}
	r := &reader{s: s, of: o}
	if err := r.Reader.Open(s.bodies, present{r}, o.body, 0, o.Size); err != nil {
		t.Fatalf("%s %s: %v", o.Key, o.ID, err)
	}
	data, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatalf("%s %s: %v", o.Key, o.ID, err)
	}
	body := string(data)
	sum := md5.Sum([]byte(body))
	if int64(len(body)) != o.Size || !strings.Contains(o.ETag, "-") && hex.EncodeToString(sum[:]) != o.ETag {
		t.Errorf("%s %s: %d bytes, not the body of %s", o.Key, o.ID, len(body), o.ETag)
	}
}

// present is the reader of a body that is known to be there: also of a part,
// which no version has.
type present struct{ *reader }

func (present) Still() error { return nil }

// bodyFiles lists the files of bodies, sorted.
func bodyFiles(t testing.TB, fs vfs.FS) (out []string) {
	t.Helper()
	dirs, err := fs.List("/data/bodies")
	if err != nil {
		return nil
	}
	for _, d := range dirs {
		names, err := fs.List("/data/bodies/" + d)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range names {
			out = append(out, "/data/bodies/"+d+"/"+n)
		}
	}
	slices.Sort(out)
	return out
}
