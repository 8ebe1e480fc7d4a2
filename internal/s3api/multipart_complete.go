package s3api

import (
	"net/url"
	"strconv"
	"strings"

	"twinbucket/fault"
	"twinbucket/internal/checksum"
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
func (p *completedPart) checksum() (found *checksum.Algorithm, value string, err error) {
	text := ""
	for _, e := range [...]struct{ algorithm, value string }{
		{"CRC32", p.ChecksumCRC32},
		{"CRC32C", p.ChecksumCRC32C},
		{"CRC64NVME", p.ChecksumCRC64NVME},
		{"MD5", p.ChecksumMD5},
		{"SHA1", p.ChecksumSHA1},
		{"SHA256", p.ChecksumSHA256},
		{"SHA512", p.ChecksumSHA512},
		{"XXHASH128", p.ChecksumXXHASH128},
		{"XXHASH3", p.ChecksumXXHASH3},
		{"XXHASH64", p.ChecksumXXHASH64},
	} {
		if e.value == "" {
			continue
		}
		text += e.algorithm + ":" + e.value + ";"
		if found != nil {
			return nil, "", badPartChecksum(text)
		}
		found, value = checksum.Find(e.algorithm), e.value
	}
	if found != nil {
		if _, err := found.Decode(value); err != nil {
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
	if err := c.allowWrite(true); err != nil {
		return err
	}
	cond, err := c.writeCondition()
	if err != nil {
		return err
	}
	want, wantSum, err := checksum.GivenWhole(c.r.Header)
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
		if again, gone := c.store.Completed(c.r.Context(), c.name, c.key, c.query.Get("uploadId"), chosen); gone == nil {
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
		x.Text("ChecksumType", checksum.Type(&done.Checksums[i]))
	}
	x.Close("CompleteMultipartUploadResult")
	return c.send(x)
}

// wanted is the checksum that a client says the object has.
type wanted struct {
	alg   *checksum.Algorithm // nil: it says nothing
	value string
}

// finishUpload makes the chosen parts an object.
func (c *call) finishUpload(doc *completion, chosen []store.Chosen, cond object.Condition, want wanted) (*store.Object, error) {
	u, err := c.upload()
	if err != nil {
		return nil, err
	}
	if err := c.sameSSE(&u.Encryption); err != nil {
		return nil, err
	}
	if err := c.checkCompletionKey(u); err != nil {
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
			// MinIO's clients send a composite checksum without its number of parts.
			plain, _, _ := strings.Cut(s.Value, "-")
			if s.Algorithm == want.alg.Name && (s.Value == want.value || plain == want.value) {
				return nil
			}
		}
		return fault.Newf(fault.Invalid, "BadDigest", "The %s you specified did not match the calculated checksum.", want.alg.Name)
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
	d, err := checksum.ReadMD5(c.r.Header)
	if err != nil {
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
		chosen[i] = store.Chosen{Number: *p.PartNumber, ETag: wire.Unquote(*p.ETag)}
	}
	return &doc, chosen, nil
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
	sum, err := checksum.Promised(upload, c.r.Header)
	if err != nil {
		return nil, err
	}
	a := checksum.Find(sum.Algorithm)
	for i := range doc.Part {
		given, value, err := doc.Part[i].checksum()
		if err == nil {
			err = a.Compare(given, value, &parts[i], sum.Composite)
		}
		if err != nil {
			return nil, err
		}
	}
	return checksum.Complete(upload, parts), nil
}
