package checksum

import (
	"net/http"
	"strconv"
	"strings"

	"twinbucket/fault"
	"twinbucket/object"
)

// ForUpload reads which checksum the object of an upload is to have.
func ForUpload(h http.Header) (object.Checksum, error) {
	var sum object.Checksum
	kind := strings.ToUpper(h.Get("X-Amz-Checksum-Type"))
	name := h.Get("X-Amz-Checksum-Algorithm")
	if kind != "" && kind != "COMPOSITE" && kind != "FULL_OBJECT" {
		return sum, badType(kind)
	}
	if name == "" {
		if kind != "" {
			return sum, fault.New(fault.Invalid, "InvalidRequest",
				"The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.")
		}
		return sum, nil
	}
	a := Find(name)
	if a == nil {
		return sum, Unsupported(name)
	}
	sum.Algorithm = a.Name
	switch {
	case kind == "":
		sum.Composite = !a.only
	case kind == "COMPOSITE" && !a.only:
		sum.Composite = true
	case kind == "FULL_OBJECT" && a.crc != nil:
	default:
		return sum, fault.Newf(fault.Invalid, "InvalidRequest",
			"The %s checksum type cannot be used with the %s checksum algorithm.", kind, strings.ToLower(a.Name))
	}
	return sum, nil
}

func badType(kind string) error {
	return fault.New(fault.Invalid, "InvalidRequest", "Value for x-amz-checksum-type header is invalid.").On(kind)
}

// GivenWhole is Given for the checksum of an object that is uploaded in parts,
// which may be a composite.
func GivenWhole(h http.Header) (*Algorithm, string, error) {
	found, value, err := Given(h)
	if found == nil || err != nil {
		return nil, "", err
	}
	plain, count, composite := strings.Cut(value, "-")
	if _, err := found.Decode(plain); err != nil {
		return nil, "", err
	}
	if n, err := strconv.ParseUint(count, 10, 31); composite && (err != nil || n == 0) {
		return nil, "", found.Invalid()
	}
	return found, value, nil
}

// Promised returns which checksum an upload's object is to have: upload is what
// it was created with, none is Default. The headers of who completes it have to
// agree.
func Promised(upload []object.Checksum, h http.Header) (object.Checksum, error) {
	sum := object.Checksum{Algorithm: Default.Name}
	if len(upload) > 0 {
		sum = upload[0]
	}
	kind := h.Get("X-Amz-Checksum-Type")
	switch {
	case kind != "" && kind != "COMPOSITE" && kind != "FULL_OBJECT":
		return sum, badType(kind)
	case kind != "" && kind != Type(&sum):
		return sum, fault.Newf(fault.Invalid, "InvalidRequest",
			"The upload was created using the %s checksum mode. The complete request must use the same checksum mode.", Type(&sum))
	}
	return sum, nil
}

// Complete returns the checksum of the object that parts make up; none if one
// of them has none, as one that was copied.
func Complete(upload []object.Checksum, parts []object.Part) []object.Checksum {
	sum, ok := object.Checksum{}, false
	switch {
	case len(upload) == 0:
		sum, ok = wholeOfAny(parts)
	case upload[0].Composite:
		sum, ok = Find(upload[0].Algorithm).composite(parts)
	default:
		sum, ok = Find(upload[0].Algorithm).whole(parts)
	}
	if !ok {
		return nil
	}
	return []object.Checksum{sum}
}

// wholeOfAny returns the checksum of the object by whichever algorithm all
// parts have a checksum of.
func wholeOfAny(parts []object.Part) (object.Checksum, bool) {
	for _, s := range parts[0].Checksums {
		if a := Find(s.Algorithm); a != nil && a.crc != nil {
			return a.whole(parts)
		}
	}
	return object.Checksum{}, false
}

// Compare compares the checksum that a client lists for a part with what was
// received; given is nil if it lists none. a is the algorithm of the upload,
// which has to be given if needed.
func (a *Algorithm) Compare(given *Algorithm, value string, p *object.Part, needed bool) error {
	switch {
	case given == nil && needed:
		return fault.Newf(fault.Invalid, "InvalidRequest",
			"The upload was created using a %s checksum. The complete request must include the checksum for each part. It was missing for part %d in the request.",
			strings.ToLower(a.Name), p.Number)
	case given == nil:
		return nil
	case given != a:
		return fault.Newf(fault.Invalid, "BadDigest", "The %s you specified for part %d did not match what we received.", strings.ToLower(given.Name), p.Number)
	}
	have, _ := a.partValue(p)
	if want, _ := a.Decode(value); string(want) != string(have) {
		return fault.New(fault.Invalid, "InvalidPart",
			"One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.").
			WithHint("the %s of part %d is another one", a.Name, p.Number)
	}
	return nil
}
