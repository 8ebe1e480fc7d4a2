package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/bodies"
	"twinbucket/internal/vfs"
	"twinbucket/object"
)

// model is what a store should hold: of each bucket and key the versions,
// newest first.
type model map[string]map[string][]*modelVersion

type modelVersion struct {
	id     string
	marker bool
	body   string
	tags   string
}

func (m model) put(bkt, key string, v *modelVersion) {
	keep := slices.DeleteFunc(m[bkt][key], func(o *modelVersion) bool { return v.id == object.NullID && o.id == v.id })
	m[bkt][key] = append([]*modelVersion{v}, keep...)
}

func (m model) remove(bkt, key, id string) {
	vs := slices.DeleteFunc(m[bkt][key], func(o *modelVersion) bool { return o.id == id })
	if m[bkt][key] = vs; len(vs) == 0 {
		delete(m[bkt], key)
	}
}

// dump writes all versions as listed, one line each.
func (m model) dump(bkt string) (out []string) {
	keys := make([]string, 0, len(m[bkt]))
	for k := range m[bkt] {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		for i, v := range m[bkt][k] {
			out = append(out, fmt.Sprintf("%q %s marker=%v latest=%v %d %s", k, v.id, v.marker, i == 0, len(v.body), v.tags))
		}
	}
	return out
}

// list is what List should answer, without paging.
func (m model) list(bkt, prefix, delimiter string) (out []string) {
	for k, vs := range m[bkt] {
		if !strings.HasPrefix(k, prefix) || vs[0].marker {
			continue
		}
		if i := strings.Index(k[len(prefix):], delimiter); delimiter != "" && i >= 0 {
			k = k[:len(prefix)+i+len(delimiter)]
		}
		out = append(out, k)
	}
	sort.Strings(out)
	return slices.Compact(out)
}

func dump(t testing.TB, s *Store, bkt string, page int) (out []string) {
	t.Helper()
	o := VersionsOptions{Max: page}
	for {
		p, err := s.ListVersions(t.Context(), bkt, o)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range p.Versions {
			tags := ""
			for _, tag := range v.Tags {
				tags += tag.Key
			}
			out = append(out, fmt.Sprintf("%q %s marker=%v latest=%v %d %s", v.Key, v.ID, v.Marker, v.Latest, v.Size, tags))
		}
		if !p.Truncated {
			return out
		}
		o.AfterKey, o.AfterID = p.NextKey, p.NextID
	}
}

func list(t testing.TB, s *Store, bkt, prefix, delimiter string, page int) (out []string) {
	t.Helper()
	o := ListOptions{Prefix: prefix, Delimiter: delimiter, Max: page}
	for {
		p, err := s.List(t.Context(), bkt, o)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range p.Objects {
			out = append(out, v.Key)
		}
		out = append(out, p.Prefixes...)
		if !p.Truncated {
			sort.Strings(out)
			return out
		}
		if p.Next == o.After {
			t.Fatalf("listing stands still at %q", p.Next)
		}
		o.After = p.Next
	}
}

var oddKeys = []string{"a", "ab", "a/b", "a//b", "/a", "a/", ".", "..", "a\x00b", "a\x00", "a\x01", "a\xef\xbf\xbe", "a+b", "a%2Fb", "b/c/d", "b/c/e", "é"}

// TestStoreAgainstModel runs random histories, with crashes, restarts and
// listings in between, and compares with a map.
func TestStoreAgainstModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		fs := vfs.Memory()
		s := openInline(t, fs, fewInline)
		m := model{}
		buckets := map[string]bucket.Versioning{"bk0": bucket.Unversioned, "bk1": bucket.Enabled, "bk2": bucket.Suspended}
		for n, v := range buckets {
			makeBucket(t, s, n, v)
			m[n] = map[string][]*modelVersion{}
		}
		bkt := rapid.SampledFrom([]string{"bk0", "bk1", "bk2"})
		key := rapid.SampledFrom(oddKeys)
		steps := rapid.IntRange(1, 40).Draw(rt, "steps")
		for range steps {
			b, k := bkt.Draw(rt, "bucket"), key.Draw(rt, "key")
			switch rapid.IntRange(0, 8).Draw(rt, "op") {
			case 0, 1, 2:
				body := strings.Repeat("x", rapid.SampledFrom([]int{0, 1, 5000, fewInline + 1}).Draw(rt, "size"))
				o := put(t, s, b, k, body)
				m.put(b, k, &modelVersion{id: o.ID, body: body})
			case 3:
				d, err := s.Delete(t.Context(), b, k, "", owner)
				if err != nil {
					rt.Fatal(err)
				}
				if buckets[b] == bucket.Unversioned {
					m.remove(b, k, object.NullID)
				} else {
					m.put(b, k, &modelVersion{id: d.ID, marker: true})
				}
			case 4:
				if vs := m[b][k]; len(vs) > 0 {
					v := vs[rapid.IntRange(0, len(vs)-1).Draw(rt, "version")]
					if _, err := s.Delete(t.Context(), b, k, v.id, owner); err != nil {
						rt.Fatal(err)
					}
					m.remove(b, k, v.id)
				}
			case 5:
				if vs := m[b][k]; len(vs) > 0 && !vs[0].marker {
					vs[0].tags = rapid.SampledFrom([]string{"t", "u", ""}).Draw(rt, "tag")
					var tags []object.Tag
					if vs[0].tags != "" {
						tags = []object.Tag{{Key: vs[0].tags}}
					}
					if _, err := s.SetTags(t.Context(), b, k, "", tags); err != nil {
						rt.Fatal(err)
					}
				}
			case 6: // power failure
				crashed := fs.Crash(rapid.SampledFrom([]int{0, 60}).Draw(rt, "keep"), rand.New(rand.NewPCG(uint64(steps), 1)))
				closeStore(t, s)
				fs = crashed
				s = openInline(t, fs, fewInline)
			case 7:
				compact(t, s)
			case 8:
				p, d := rapid.SampledFrom([]string{"", "a", "b/", "a/"}).Draw(rt, "prefix"), rapid.SampledFrom([]string{"", "/", "a"}).Draw(rt, "delimiter")
				got := list(t, s, b, p, d, rapid.IntRange(1, 5).Draw(rt, "page"))
				if diff := cmp.Diff(m.list(b, p, d), got); diff != "" {
					rt.Fatalf("list %s %q %q: %s", b, p, d, diff)
				}
			}
		}
		for b := range buckets {
			if diff := cmp.Diff(m.dump(b), dump(t, s, b, 3)); diff != "" {
				rt.Fatalf("%s: %s", b, diff)
			}
			for k, vs := range m[b] {
				for _, v := range vs {
					o, err := s.Head(t.Context(), b, k, v.id)
					if err != nil {
						rt.Fatal(err)
					}
					if !v.marker && read(t, s, o) != v.body {
						rt.Fatalf("%s %q %s: wrong body", b, k, v.id)
					}
				}
			}
		}
		closeStore(t, s)
	})
}

// TestFaultAtEveryOperation runs a fixed history over and over and makes its
// k-th operation on the journal or a body's file fail, for every k: an
// acknowledged change is there after a power failure, one that failed is there
// as a whole or not at all, and the store goes on when the disk does.
func TestFaultAtEveryOperation(t *testing.T) {
	t.Parallel()
	for _, under := range []string{"/journal/", "/bodies/"} {
		for k := int64(1); ; k++ {
			mem := vfs.Memory()
			faults := &vfs.Faults{Under: under, Err: syscall.ENOSPC}
			s := openInline(t, faults.Wrap(mem), fewInline)
			makeBucket(t, s, "bkt", bucket.Enabled)
			faults.FailOnce(k)
			sure, maybe := map[string]string{}, map[string]string{}
			failures := 0
			for i := range 8 {
				key, body := fmt.Sprintf("k%d", i), strings.Repeat(fmt.Sprint(i), 1+i%2*fewInline+i)
				_, err := s.Put(t.Context(), Put{Version: object.Version{Bucket: "bkt", Key: key}, Body: strings.NewReader(body), Size: -1})
				switch {
				case err == nil:
					sure[key] = body
				case errors.Is(err, fault.NoSpace):
					maybe[key] = body
					failures++
				default:
					t.Fatalf("k=%d: %v", k, err)
				}
			}
			crashed := mem.Crash(0, nil)
			closeStore(t, s)
			s = openInline(t, crashed, fewInline)
			p, err := s.List(t.Context(), "bkt", ListOptions{Max: 100})
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range p.Objects {
				want, ok := sure[o.Key]
				if !ok {
					want, ok = maybe[o.Key]
				}
				if got := read(t, s, o); !ok || got != want {
					t.Fatalf("%s, k=%d: %s has %d bytes, want %d", under, k, o.Key, len(got), len(want))
				}
				delete(sure, o.Key)
			}
			if len(sure) > 0 {
				t.Fatalf("%s, k=%d: acknowledged and lost: %v", under, k, len(sure))
			}
			closeStore(t, s)
			if failures == 0 {
				if k < 8 {
					t.Fatalf("%s: only %d operations were seen", under, k)
				}
				break
			}
		}
	}
}

// TestIndexIsRebuiltFromTheJournal throws the index away.
func TestIndexIsRebuiltFromTheJournal(t *testing.T) {
	t.Parallel()
	fs := vfs.Memory()
	s := open(t, fs)
	makeBucket(t, s, "bkt", bucket.Enabled)
	for i := range 50 {
		put(t, s, "bkt", fmt.Sprintf("k%d", i%10), strings.Repeat("x", i*100))
	}
	big := put(t, s, "bkt", "big", strings.Repeat("y", bodies.InlineMax+1))
	want := dump(t, s, "bkt", 1000)
	closeStore(t, s)
	if err := fs.RemoveAll("/data/index"); err != nil {
		t.Fatal(err)
	}
	s = open(t, fs)
	if diff := cmp.Diff(want, dump(t, s, "bkt", 1000)); diff != "" {
		t.Fatal(diff)
	}
	if got := read(t, s, big); len(got) != bodies.InlineMax+1 {
		t.Fatalf("%d bytes", len(got))
	}
	closeStore(t, s)
}
