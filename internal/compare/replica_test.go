package compare

import (
	"fmt"
	"testing"
	"time"

	"twinbucket/acl"
	"twinbucket/object"
)

// TestReplica changes a replica in each aspect, and sees that alone reported.
func TestReplica(t *testing.T) {
	t.Parallel()
	made := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	until := made.AddDate(1, 0, 0).Truncate(time.Second)
	source := func() *object.Version {
		return &object.Version{
			Modified: made, Owner: "a", Size: 3, ETag: "e", Class: "", Status: object.Replica,
			Checksums: []object.Checksum{{Algorithm: "CRC32", Value: "c"}}, Metadata: map[string]string{"m": "1"},
			Tags: []object.Tag{{Key: "a", Value: "1"}, {Key: "b", Value: "2"}},
			ACL:  acl.List{{ID: "x", Permission: acl.Read}, {Group: "g", Permission: acl.Read}},
			Lock: object.Lock{Mode: object.Governance, Until: until, Hold: true},
		}
	}
	type version = object.Version
	none := func(*version) {}
	kms := func(v *version) { v.Encryption.Algorithm = object.KMS }
	for _, tt := range []struct {
		name       string
		source     func(*version) // what both are like
		replica    func(*version) // and what is the replica's alone
		sourceOnly bool           // source is about the source alone
		out        string
		unproven   bool
	}{
		{"nothing", none, none, false, "", false},
		{"an object for a marker", none, func(v *version) { v.Marker = true }, false, "kind", false},
		{"a marker of another time", func(v *version) { v.Marker = true }, func(v *version) { v.Marker, v.Modified = true, made.Add(time.Second) }, false, "time", false},
		{"a marker has nothing else", func(v *version) { v.Marker = true }, func(v *version) { v.Marker, v.Tags, v.ETag = true, nil, "" }, false, "", false},
		{"time", none, func(v *version) { v.Modified = made.Add(time.Millisecond) }, false, "time", false},
		{"time told in seconds", none, func(v *version) { v.Modified = made.Truncate(time.Second) }, false, "", false},
		{"size", none, func(v *version) { v.Size = 4 }, false, "size", false},
		{"checksum", none, func(v *version) { v.Checksums = []object.Checksum{{Algorithm: "CRC32", Value: "d"}} }, false, "bytes", false},
		{"no checksum", none, func(v *version) { v.Checksums = nil }, false, "checksums", false},
		{"one checksum more", none, func(v *version) {
			v.Checksums = append(v.Checksums, object.Checksum{Algorithm: "CRC64NVME", Value: "n"})
		}, false, "", false},
		{"ETag", func(v *version) { v.Checksums = nil }, func(v *version) { v.ETag = "f" }, false, "bytes", true},
		{"part count, the same checksum", func(v *version) { v.ETag = "e-2" }, func(v *version) { v.ETag = "e-3" }, false, "parts", false},
		{"part count, no checksum", func(v *version) { v.ETag, v.Checksums = "e-2", nil }, func(v *version) { v.ETag = "e-3" }, false, "parts", true},
		{"sizes of parts", func(v *version) { v.ETag = "e-2" }, func(v *version) { v.ETag = "f-2" }, false, "parts", false},
		{"sizes of parts or bytes", func(v *version) { v.ETag, v.Checksums = "e-2", nil }, func(v *version) { v.ETag = "f-2" }, false, "etag", true},
		{"under KMS an ETag says nothing", kms, func(v *version) { kms(v); v.ETag = "f" }, false, "", false},
		{"under KMS and without checksums nothing is proven", func(v *version) { kms(v); v.Checksums = nil }, func(v *version) { kms(v); v.ETag = "f" }, false, "", true},
		{"under KMS the same ETag is the same body", func(v *version) { kms(v); v.Checksums = nil }, kms, false, "", false},
		{"not under KMS", kms, none, true, "encryption", false},
		{"not under the customer's key", func(v *version) { v.Encryption.CustomerKeyMD5 = "k" }, none, true, "encryption", false},
		{"encrypted by the destination", none, kms, false, "", false},
		{"class", none, func(v *version) { v.Class = "STANDARD_IA" }, false, "class", false},
		{"class named or not", none, func(v *version) { v.Class = "STANDARD" }, false, "", false},
		{"header", none, func(v *version) { v.Headers.ContentLanguage = "ja" }, false, "headers", false},
		{"metadata", none, func(v *version) { v.Metadata = map[string]string{"m": "2"} }, false, "metadata", false},
		{"no metadata", none, func(v *version) { v.Metadata = nil }, false, "metadata", false},
		{"other metadata", func(v *version) { v.Metadata = nil }, none, true, "metadata", false},
		{"tags", none, func(v *version) { v.Tags = v.Tags[:1] }, false, "tags", false},
		{"tags in another order", none, func(v *version) { v.Tags = []object.Tag{v.Tags[1], v.Tags[0]} }, false, "", false},
		{"owner", none, func(v *version) { v.Owner = "b" }, false, "owner", false},
		{"grants", none, func(v *version) { v.ACL = v.ACL[:1] }, false, "acl", false},
		{"grants in another order", none, func(v *version) { v.ACL = acl.List{v.ACL[1], v.ACL[0]} }, false, "", false},
		{"no retention", none, func(v *version) { v.Lock = object.Lock{Hold: true} }, false, "lock", false},
		{"shorter retention", none, func(v *version) { v.Lock.Until = until.Add(-time.Second) }, false, "lock", false},
		{"longer retention in compliance mode", none, func(v *version) { v.Lock.Mode, v.Lock.Until = object.Compliance, until.Add(time.Second) }, false, "", false},
		{"no hold", none, func(v *version) { v.Lock.Hold = false }, false, "lock", false},
		{"a hold that was taken off", func(v *version) { v.Lock.Hold, v.Lock.Released = false, true }, none, true, "lock", false},
		{"locked by the destination", func(v *version) { v.Lock = object.Lock{} }, none, true, "", false},
		{"no replica", none, func(v *version) { v.Status = object.None }, false, "status", false},
		{"a replica with a status of its own", none, func(v *version) { v.Status = object.Pending }, false, "", false},
	} {
		want, got := source(), source()
		tt.source(want)
		if !tt.sourceOnly {
			tt.source(got)
		}
		tt.replica(got)
		diffs, proven := Replica(want, got, nil)
		out := ""
		for _, d := range diffs {
			out += string(d.Aspect)
		}
		if out != tt.out || proven == tt.unproven {
			t.Errorf("%s: %v, proven %v; want %q, %v", tt.name, diffs, proven, tt.out, !tt.unproven)
		}
		skip := map[Aspect]bool{}
		for _, a := range Aspects {
			skip[a] = true
		}
		if diffs, _ := Replica(want, got, skip); len(diffs) > 0 {
			t.Errorf("%s: with every aspect left out: %v", tt.name, fmt.Sprint(diffs))
		}
	}
}
