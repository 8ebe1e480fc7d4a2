package s3api

import (
	"net/url"
	"strconv"
	"strings"

	"twinbucket/fault"
	"twinbucket/internal/store"
	"twinbucket/internal/wire"
	"twinbucket/object"
)

// maxCompletion bounds the document that completes an upload: ten thousand
// parts with their checksums.
const maxCompletion = 4 << 20

// completion is the document of CompleteMultipartUpload.
type completion struct {
	Part []completedPart
}

type completedPart struct {
	PartNumber        *int
	ETag              *string
	ChecksumCRC32     string
	ChecksumCRC32C    string
	ChecksumCRC64NVME string
	ChecksumMD5       string
	ChecksumSHA1      string
	ChecksumSHA256    string
	ChecksumSHA512    string
	ChecksumXXHASH128 string
	ChecksumXXHASH3   string
	ChecksumXXHASH64  string
}

// checksum returns the part's checksum and by which algorithm it is; nil if
// none is given.
func (p *completedPart) checksum() (found *algorithm, value string, err error) {
	text := ""
	for i, v := range [...]string{
		p.ChecksumCRC32, p.ChecksumCRC32C, p.ChecksumCRC64NVME, p.ChecksumMD5, p.ChecksumSHA1, p.ChecksumSHA256,
		p.ChecksumSHA512, p.ChecksumXXHASH128, p.ChecksumXXHASH3, p.ChecksumXXHASH64,
	} { // in the order of algorithms
		if v == "" {
			continue
		}
		text += algorithms[i].name + ":" + v + ";"
		if found != nil {
			return nil, "", badPartChecksum(text)
		}
		found, value = algorithms[i], v
	}
	if found != nil {
		if _, err := found.decode(value); err != nil {
			return nil, "", badPartChecksum(value)
		}
	}
	return found, value, nil
}

func badPartChecksum(value string) error {
	return invalid("Checksum", "Invalid Base64 or multiple checksums present in request").
		WithHint("each Part has one checksum; got %s", value)
}

// completeUpload is CompleteMultipartUpload.
func (c *call) completeUpload() error {
	if err := c.allowObject("s3:PutObject"); err != nil {
		return err
	}
	if err := c.refuseSSE(); err != nil {
		return err
	}
	cond, err := c.writeCondition()
	if err != nil {
		return err
	}
	want, wantSum, err := c.wholeChecksum()
	if err != nil {
		return err
	}
	doc, chosen, err := c.completion()
	if err != nil {
		return err
	}
	done, err := c.finishUpload(doc, chosen, cond, wanted{want, wantSum})
	if fault.CodeOf(err) == "NoSuchUpload" {
		// It may be complete, and the client did not hear of it.
		if again, gone := c.store.Completed(c.r.Context(), c.name, c.key, c.query.get("uploadId"), chosen); gone == nil {
			done, err = again, nil
		}
	}
	if err != nil {
		return err
	}
	c.showID(done.ID)
	c.showExpiration(&done.Version)
	c.showEncryption(&done.Encryption)
	x := wire.NewDocument()
	x.OpenNS("CompleteMultipartUploadResult", namespace)
	x.Text("Location", c.location())
	x.Text("Bucket", c.name)
	x.Text("Key", c.key)
	x.Quoted("ETag", done.ETag)
	writeChecksums(x, done.Checksums)
	for i := range done.Checksums {
		x.Text("ChecksumType", sumType(&done.Checksums[i]))
	}
	x.Close("CompleteMultipartUploadResult")
	return c.send(x)
}

// wanted is the checksum that a client says the object has.
type wanted struct {
	alg   *algorithm // nil: it says nothing
	value string
}

// finishUpload makes the chosen parts an object.
func (c *call) finishUpload(doc *completion, chosen []store.Chosen, cond store.Condition, want wanted) (*store.Object, error) {
	u, err := c.upload()
	if err != nil {
		return nil, err
	}
	return c.store.CompleteUpload(c.r.Context(), c.name, c.key, u.ID, chosen, func(v *object.Version) (err error) {
		if err := c.checkUploadSize(v.Size); err != nil {
			return err
		}
		if v.Checksums, err = c.finishChecksum(u.Checksums, doc, v.Parts); err != nil {
			return err
		}
		if want.alg == nil {
			return nil
		}
		for _, s := range v.Checksums {
			if s.Algorithm == want.alg.name && s.Value == want.value {
				return nil
			}
		}
		return fault.Newf(fault.Invalid, "BadDigest", "The %s you specified did not match the calculated checksum.", want.alg.name)
	}, cond)
}

// location returns the object's URL.
func (c *call) location() string {
	scheme := "http"
	if c.r.TLS != nil {
		scheme = "https"
	}
	u := url.URL{Scheme: scheme, Host: c.r.Host, Path: c.r.URL.Path}
	return u.String()
}

// completion reads the list of parts.
func (c *call) completion() (*completion, []store.Chosen, error) {
	// The checksum headers of this request are those of the object, not of
	// the document: only Content-MD5 is of the document.
	d := &digests{}
	if err := d.readMD5(c.r.Header); err != nil {
		return nil, nil, err
	}
	data, err := c.read(maxCompletion, d)
	if err != nil {
		return nil, nil, err
	}
	var doc completion
	if err := wire.Decode(data, "CompleteMultipartUpload", &doc); err != nil {
		return nil, nil, err
	}
	if len(doc.Part) == 0 || len(doc.Part) > store.MaxParts {
		return nil, nil, wire.Malformed("CompleteMultipartUpload lists 1 to 10000 parts")
	}
	chosen := make([]store.Chosen, len(doc.Part))
	for i, p := range doc.Part {
		if p.PartNumber == nil || p.ETag == nil {
			return nil, nil, wire.Malformed("each Part holds a PartNumber and an ETag")
		}
		if *p.PartNumber < 1 || *p.PartNumber > store.MaxParts {
			return nil, nil, invalid("PartNumber", "PartNumber must be >= 1").WithHint("the numbers of parts go from 1 to 10000")
		}
		chosen[i] = store.Chosen{Number: *p.PartNumber, ETag: unquote(*p.ETag)}
	}
	return &doc, chosen, nil
}

// wholeChecksum reads the checksum of the whole object, if the request gives
// one.
func (c *call) wholeChecksum() (*algorithm, string, error) {
	found, value, err := givenChecksum(c.r.Header)
	if found == nil || err != nil {
		return nil, "", err
	}
	plain, count, composite := strings.Cut(value, "-")
	if _, err := found.decode(plain); err != nil {
		return nil, "", err
	}
	if n, err := strconv.ParseUint(count, 10, 31); composite && (err != nil || n == 0) {
		return nil, "", found.invalidValue()
	}
	return found, value, nil
}

// checkUploadSize compares the object's size with x-amz-mp-object-size.
func (c *call) checkUploadSize(size int64) error {
	v := c.r.Header.Get("X-Amz-Mp-Object-Size")
	if v == "" {
		return nil
	}
	n, err := strconv.ParseInt(v, 10, 64)
	switch {
	case err != nil:
		return fault.Newf(fault.Invalid, "InvalidRequest", "Value for x-amz-mp-object-size header is invalid: '%s'", v)
	case n < 0:
		return fault.Newf(fault.Invalid, "InvalidRequest", "Value for x-amz-mp-object-size header is less than zero: '%s'", v)
	case n != size:
		return fault.Newf(fault.Invalid, "InvalidRequest",
			"The provided 'x-amz-mp-object-size' header value %s does not match what was computed: %d", v, size)
	}
	return nil
}

// finishChecksum returns the checksum of an upload's object, after comparing
// the parts' checksums with those that the client lists.
func (c *call) finishChecksum(upload []object.Checksum, doc *completion, parts []object.Part) ([]object.Checksum, error) {
	sum := object.Checksum{Algorithm: preferred.name}
	if len(upload) > 0 {
		sum = upload[0]
	}
	v := c.r.Header.Get("X-Amz-Checksum-Type")
	switch {
	case v != "" && v != "COMPOSITE" && v != "FULL_OBJECT":
		return nil, badChecksumType(v)
	case v != "" && v != sumType(&sum):
		return nil, fault.Newf(fault.Invalid, "InvalidRequest",
			"The upload was created using the %s checksum mode. The complete request must use the same checksum mode.", sumType(&sum))
	}
	a := algorithmOf(sum.Algorithm)
	for i := range doc.Part {
		if err := a.comparePart(&doc.Part[i], &parts[i], sum.Composite); err != nil {
			return nil, err
		}
	}
	whole, ok := object.Checksum{}, false
	switch {
	case sum.Composite:
		whole, ok = a.composite(parts)
	case len(upload) > 0:
		whole, ok = a.whole(parts)
	default:
		whole, ok = wholeOfAny(parts)
	}
	if !ok {
		return nil, nil // parts that were copied have no checksums
	}
	return []object.Checksum{whole}, nil
}

// wholeOfAny returns the checksum of the object by whichever algorithm all
// parts have a checksum of.
func wholeOfAny(parts []object.Part) (object.Checksum, bool) {
	for _, s := range parts[0].Checksums {
		if a := algorithmOf(s.Algorithm); a != nil && a.crc != nil {
			return a.whole(parts)
		}
	}
	return object.Checksum{}, false
}

// comparePart compares a part with what the client lists of it; a is the
// algorithm of the upload, which has to be given if needed.
func (a *algorithm) comparePart(listed *completedPart, p *object.Part, needed bool) error {
	given, value, err := listed.checksum()
	switch {
	case err != nil:
		return err
	case given == nil && needed:
		return fault.Newf(fault.Invalid, "InvalidRequest",
			"The upload was created using a %s checksum. The complete request must include the checksum for each part. It was missing for part %d in the request.",
			strings.ToLower(a.name), p.Number)
	case given == nil:
		return nil
	case given != a:
		return fault.Newf(fault.Invalid, "BadDigest", "The %s you specified for part %d did not match what we received.", strings.ToLower(given.name), p.Number)
	}
	have, _ := a.partValue(p)
	if want, _ := a.decode(value); string(want) != string(have) {
		return fault.New(fault.Invalid, "InvalidPart",
			"One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.").
			WithHint("the %s of part %d is another one", a.name, p.Number)
	}
	return nil
}
