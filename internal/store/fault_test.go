package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/vfs"
	"twinbucket/object"
)

// trial is a workload on a disk that fails, and what it may have left: of each
// key the bodies that its current version can have, "" if there can be none.
type trial struct {
	t    *testing.T
	s    *Store
	may  map[[2]string][]string
	gone map[string]bool // buckets that were deleted, or may have been
}

// ended notes the outcome of a step that gives a key a body, or "" for none.
// It reports whether the step succeeded.
func (tr *trial) ended(bkt, key, body string, err error) bool {
	tr.t.Helper()
	k := [2]string{bkt, key}
	if _, known := tr.may[k]; !known {
		tr.may[k] = []string{""}
	}
	switch {
	case err == nil:
		tr.may[k] = []string{body}
	case errors.Is(err, vfs.ErrInjected):
		tr.may[k] = append(tr.may[k], body)
	default:
		tr.t.Fatalf("%s/%s: %v", bkt, key, err)
	}
	return err == nil
}

// run puts, copies, overwrites, uploads in parts, delivers and deletes objects
// with bodies in files, and deletes a bucket with an upload in it.
func (tr *trial) run() {
	ctx, s := context.WithoutCancel(tr.t.Context()), tr.s
	big := func(c string) string { return strings.Repeat(c, fewInline+int(c[0])) }
	put := func(bkt, key, body string) *Object {
		o, err := s.Put(ctx, Put{Version: object.Version{Bucket: bkt, Key: key, Owner: owner}, Body: strings.NewReader(body), Size: -1})
		tr.ended(bkt, key, body, err)
		return o
	}
	a, b := put("src", "a", big("a")), put("src", "b", "b")
	if a != nil {
		_, err := s.Copy(ctx, a, Put{Version: object.Version{Bucket: "plain", Key: "copy"}})
		tr.ended("plain", "copy", big("a"), err)
	}
	put("plain", "copy", big("c"))
	tr.parts(ctx, big("d"), big("e"))
	for _, o := range []*Object{a, b} {
		if o == nil {
			continue
		}
		r := o.Version
		r.Bucket = "dst"
		_, err := s.Deliver(ctx, []Delivery{{Source: o, Replica: &r, Outcome: object.Delivery{Bucket: "dst", Rule: "r", Status: object.Completed}}})
		body := map[string]string{"a": big("a"), "b": "b"}[o.Key]
		if tr.ended("dst", o.Key, body, err) {
			_, err = s.Delete(ctx, "dst", o.Key, o.ID, owner)
			tr.ended("dst", o.Key, "", err)
		}
	}
	if a != nil {
		_, err := s.Delete(ctx, "src", "a", a.ID, owner)
		tr.ended("src", "a", "", err)
	}
	if id, err := s.CreateUpload(ctx, object.Version{Bucket: "gone", Key: "k"}, ""); err == nil {
		_, err = s.PutPart(ctx, "gone", "k", id, 1, strings.NewReader(big("f")), -1, nil)
		tr.ended("gone", "k", "", err)
	}
	err := s.DeleteBucket(ctx, "gone")
	tr.gone["gone"] = err == nil
	tr.ended("gone", "", "", err)
	for n := range 4 {
		put("plain", fmt.Sprint("stays", n), strings.Repeat("s", 10+n))
		put("plain", "replaced", strings.Repeat("x", 3000+n))
	}
	if _, err := s.Compact(ctx); err != nil && !errors.Is(err, vfs.ErrInjected) {
		tr.t.Fatal(err)
	}
	put("plain", "last", "last")
}

// parts completes one upload, a part of which is sent twice and another is
// left out, and aborts another.
func (tr *trial) parts(ctx context.Context, one, two string) {
	for _, key := range []string{"completed", "aborted"} {
		id, err := tr.s.CreateUpload(ctx, object.Version{Bucket: "plain", Key: key}, "")
		if !tr.ended("plain", key, "", err) {
			continue
		}
		var last *object.Part
		bodies := []string{one, two, "small"}
		if key == "aborted" {
			bodies = []string{"small", one}
		}
		for n, body := range bodies {
			number := 1 + n/2
			p, err := tr.s.PutPart(ctx, "plain", key, id, number, strings.NewReader(body), -1, nil)
			if tr.ended("plain", key, "", err) && number == 1 {
				last = p
			}
		}
		if key == "aborted" {
			tr.ended("plain", key, "", tr.s.AbortUpload(ctx, "plain", key, id))
			continue
		}
		if last == nil {
			continue
		}
		_, err = tr.s.CompleteUpload(ctx, "plain", key, id, []Chosen{{1, last.ETag}}, nil, object.Condition{})
		body := two
		if last.Size == int64(len(one)) {
			body = one
		}
		tr.ended("plain", key, body, err)
	}
}

// verify opens what the trial left on fs.
func (tr *trial) verify(how string, fs vfs.FS) {
	t := tr.t
	t.Helper()
	s := openInline(t, fs, fewInline)
	check(t, s, fs)
	for k, may := range tr.may {
		if k[1] == "" || k[0] == "gone" {
			continue
		}
		o, err := s.Head(t.Context(), k[0], k[1], "")
		if err != nil && !errors.Is(err, fault.NotFound) {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(may, func(body string) bool { return isBody(o, body) }) {
			t.Errorf("%s: %v is %+v", how, k, o)
		}
	}
	_, err := s.Bucket("gone")
	if tr.gone["gone"] && err == nil {
		t.Errorf("%s: a bucket whose deletion was acknowledged is there", how)
	}
	put(t, s, "src", "after", "it goes on")
	compact(t, s)
	check(t, s, fs)
	closeStore(t, s)
}

// isBody reports whether a version, nil for none, has the given body; check has
// compared what is stored with its ETag.
func isBody(o *Object, body string) bool {
	if o == nil || body == "" {
		return o == nil && body == ""
	}
	return o.Size == int64(len(body)) // each has a size of its own
}

// TestWorkloadOnAFailingDisk makes the k-th operation on the journal, its
// checkpoint or the bodies fail, once or with all that follow, for every k. Then the program is
// started again, or the power fails, with what was not synced lost or kept, and sometimes the index lost:
// what was acknowledged is there, what failed is there as a whole or not at
// all, and no file is lost or left.
func TestWorkloadOnAFailingDisk(t *testing.T) {
	t.Parallel()
	for _, under := range []string{"/journal", "/bodies", "/checkpoint"} {
		for _, forGood := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s for good %v", under[1:], forGood), func(t *testing.T) {
				t.Parallel()
				for k := int64(1); ; k++ {
					mem := vfs.Memory()
					faults := &vfs.Faults{Under: under}
					tr := &trial{t: t, s: replicate(t, openInline(t, faults.Wrap(mem), fewInline)), may: map[[2]string][]string{}, gone: map[string]bool{}}
					makeBucket(t, tr.s, "plain", bucket.Unversioned)
					makeBucket(t, tr.s, "gone", bucket.Unversioned)
					before := faults.Count()
					if faults.FailOnce(k); forGood {
						faults.FailFrom(k)
					}
					tr.run()
					seen := faults.Count() - before
					tr.s.bodies.Wait()
					lost, kept := mem.Crash(0, nil), mem.Crash(100, rand.New(rand.NewPCG(uint64(k), 1)))
					closeStore(t, tr.s)
					if k%2 == 1 {
						if err := kept.RemoveAll("/data/index"); err != nil {
							t.Fatal(err)
						}
					}
					tr.verify("power failure", lost)
					tr.verify("power failure, all kept", kept)
					tr.verify("restart", mem)
					if t.Failed() {
						t.Fatalf("at k=%d", k)
					}
					if seen < k {
						if k < 5 {
							t.Fatalf("only %d operations were seen", seen)
						}
						break
					}
				}
			})
		}
	}
}
