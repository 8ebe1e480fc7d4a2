package compare

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"twinbucket/acl"
	"twinbucket/object"
)

// Aspect is something of a version in which its replica may differ.
type Aspect string

// The aspects.
const (
	Kind       Aspect = "kind" // an object, or a delete marker
	Size       Aspect = "size"
	Bytes      Aspect = "bytes"
	ETag       Aspect = "etag" // the bytes, or the sizes of the parts
	Parts      Aspect = "parts"
	Checksums  Aspect = "checksums"
	Time       Aspect = "time"
	Class      Aspect = "class"
	Headers    Aspect = "headers"
	Metadata   Aspect = "metadata"
	Tags       Aspect = "tags"
	Lock       Aspect = "lock"
	Owner      Aspect = "owner"
	ACL        Aspect = "acl"
	Encryption Aspect = "encryption"
	Status     Aspect = "status"
)

// Aspects are all aspects, in the order in which they are compared.
var Aspects = []Aspect{Kind, Size, Bytes, ETag, Parts, Checksums, Time, Class, Headers, Metadata, Tags, Lock, Owner, ACL, Encryption, Status}

// Difference is an aspect in which a replica is not as it has to be.
type Difference struct {
	Aspect      Aspect `json:"aspect"`
	Source      string `json:"source"`      // what it has to be
	Destination string `json:"destination"` // what it is
}

// Replica compares a replica with what it has to be, which rule.Rule.Replica
// says, but for the lock: want has that of the source. Aspects that are not
// known at both sides are to be left out by skip. An access control list that is
// nil is the owner's full control.
//
// proven is false if nothing says that the bytes are equal: under KMS and
// customers' keys the ETag is not that of the bytes, and there may be no
// checksum that both sides have.
func Replica(want, got *object.Version, skip map[Aspect]bool) (out []Difference, proven bool) {
	add := func(a Aspect, want, got string) {
		if !skip[a] && want != got {
			out = append(out, Difference{a, want, got})
		}
	}
	if want.Marker != got.Marker {
		add(Kind, kind(want), kind(got))
		return out, true
	}
	add(Time, instant(want, got), instant(got, want))
	if want.Marker {
		return out, true
	}
	body, proven := bodies(want, got)
	for _, d := range body {
		add(d.Aspect, d.Source, d.Destination)
	}
	add(Class, want.ClassOf(), got.ClassOf())
	headers(add, &want.Headers, &got.Headers)
	for _, k := range slices.Sorted(maps.Keys(joined(want.Metadata, got.Metadata))) {
		add(Metadata, field(want.Metadata, k), field(got.Metadata, k))
	}
	add(Tags, tags(want.Tags), tags(got.Tags))
	for _, p := range lock(&want.Lock, &got.Lock) {
		add(Lock, p[0], p[1])
	}
	add(Owner, want.Owner, got.Owner)
	add(ACL, grants(want.ACL), grants(got.ACL))
	if want.Encryption.Algorithm == object.KMS || want.Encryption.Customer() {
		add(Encryption, encryption(&want.Encryption), encryption(&got.Encryption))
	}
	if got.Status == object.None {
		add(Status, string(want.Status), "NONE")
	}
	return out, proven
}

func kind(v *object.Version) string {
	if v.Marker {
		return "delete marker"
	}
	return "object"
}

// instant is the time of v, in seconds if the other's was told no finer.
func instant(v, other *object.Version) string {
	t := v.Modified.UTC()
	if other.Modified.Nanosecond() == 0 {
		t = t.Truncate(time.Second)
	}
	return t.Format(time.RFC3339Nano)
}

// bodies compares what is told about the bytes.
func bodies(want, got *object.Version) (out []Difference, proven bool) {
	if want.Size != got.Size {
		return []Difference{{Size, fmt.Sprint(want.Size), fmt.Sprint(got.Size)}}, true
	}
	same, lacks := false, []string(nil)
	for _, a := range want.Checksums {
		i := slices.IndexFunc(got.Checksums, func(b object.Checksum) bool { return b.Algorithm == a.Algorithm && b.Composite == a.Composite })
		switch {
		case i < 0:
			lacks = append(lacks, a.Algorithm)
		case got.Checksums[i].Value == a.Value:
			same = true
		case !a.Composite:
			return []Difference{{Bytes, a.Algorithm + " " + a.Value, a.Algorithm + " " + got.Checksums[i].Value}}, true
		}
	}
	if lacks != nil {
		out = append(out, Difference{Checksums, strings.Join(lacks, ", "), "none of these"})
	}
	if want.ETag == got.ETag {
		return out, true
	}
	_, wantParts, _ := strings.Cut(want.ETag, "-")
	_, gotParts, _ := strings.Cut(got.ETag, "-")
	switch {
	case opaque(&want.Encryption) || opaque(&got.Encryption):
		return out, same
	case wantParts == "" && gotParts == "":
		out = append(out, Difference{Bytes, "MD5 " + want.ETag, "MD5 " + got.ETag})
	case same || wantParts != gotParts:
		out = append(out, Difference{Parts, want.ETag, got.ETag})
	default:
		out = append(out, Difference{ETag, want.ETag, got.ETag})
	}
	return out, same
}

// opaque reports whether an ETag does not follow from the bytes.
func opaque(e *object.Encryption) bool { return e.Algorithm == object.KMS || e.Customer() }

func headers(add func(Aspect, string, string), want, got *object.Headers) {
	for _, h := range []struct{ name, want, got string }{
		{"Content-Type", want.ContentType, got.ContentType},
		{"Cache-Control", want.CacheControl, got.CacheControl},
		{"Content-Disposition", want.ContentDisposition, got.ContentDisposition},
		{"Content-Encoding", want.ContentEncoding, got.ContentEncoding},
		{"Content-Language", want.ContentLanguage, got.ContentLanguage},
		{"Expires", want.Expires, got.Expires},
		{"x-amz-website-redirect-location", want.RedirectLocation, got.RedirectLocation},
	} {
		add(Headers, h.name+": "+h.want, h.name+": "+h.got)
	}
}

func joined(a, b map[string]string) map[string]string {
	out := maps.Clone(a)
	if out == nil {
		out = map[string]string{}
	}
	maps.Copy(out, b)
	return out
}

func field(m map[string]string, k string) string {
	if v, ok := m[k]; ok {
		return fmt.Sprintf("%s=%q", k, v)
	}
	return "no " + k
}

func tags(list []object.Tag) string {
	list = slices.Clone(list)
	slices.SortFunc(list, func(x, y object.Tag) int { return cmp.Compare(x.Key, y.Key) })
	var b strings.Builder
	for _, t := range list {
		fmt.Fprintf(&b, "%s=%q ", t.Key, t.Value)
	}
	return strings.TrimSpace(b.String())
}

// lock returns what has to be locked and what is. A source that says nothing of
// locks leaves them to the destination's owner, who may also have lengthened a
// retention in compliance mode.
func lock(want, got *object.Lock) (out [][2]string) {
	longer := got.Mode == object.Compliance && !got.Until.Before(want.Until)
	if want.Mode != "" && !longer {
		out = append(out, [2]string{retention(want), retention(got)})
	}
	if want.Hold || want.Released {
		out = append(out, [2]string{held(want), held(got)})
	}
	return out
}

func retention(l *object.Lock) string {
	if l.Mode == "" {
		return "no retention"
	}
	return l.Mode + " until " + l.Until.UTC().Format(time.RFC3339)
}

func held(l *object.Lock) string {
	if l.Hold {
		return "legal hold"
	}
	return "no legal hold"
}

func grants(l acl.List) string {
	if l == nil {
		return "the owner's full control"
	}
	out := make([]string, len(l))
	for i, g := range l {
		out[i] = cmp.Or(g.ID, g.Group) + " " + string(g.Permission)
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func encryption(e *object.Encryption) string {
	if e.Customer() {
		return "a customer's key"
	}
	return cmp.Or(e.Algorithm, "none")
}
