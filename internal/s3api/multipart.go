package s3api

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/checksum"
	"twinbucket/internal/iam"
	"twinbucket/internal/store"
	"twinbucket/internal/wire"
	"twinbucket/object"
)

// createUpload is CreateMultipartUpload.
func (c *call) createUpload() error {
	if err := c.signedIn(noAnonymousUpload); err != nil {
		return err
	}
	v, err := c.newVersion()
	if err != nil {
		return err
	}
	if err := c.allowPut(&v, false); err != nil {
		return err
	}
	// What the checksum of the object will be is kept as one without a value.
	sum, err := checksum.ForUpload(c.r.Header)
	if err != nil {
		return err
	}
	if sum.Algorithm != "" {
		v.Checksums = []object.Checksum{sum}
	}
	if _, err := c.newEncryption(&v); err != nil {
		return err
	}
	id, err := c.store.CreateUpload(c.r.Context(), v, c.caller.ARN)
	if err != nil {
		return err
	}
	if sum.Algorithm != "" {
		wire.Set(c.h, "x-amz-checksum-algorithm", sum.Algorithm)
		wire.Set(c.h, "x-amz-checksum-type", checksum.Type(&sum))
	}
	if started, ok := object.IDTime(id); ok {
		c.showAbort(c.key, started)
	}
	c.showEncryption(&v.Encryption)
	x := wire.NewDocument()
	x.OpenNS("InitiateMultipartUploadResult", namespace)
	x.Text("Bucket", c.name)
	x.Text("Key", c.key)
	x.Text("UploadId", id)
	x.Close("InitiateMultipartUploadResult")
	return c.send(x)
}

// writeUploadChecksum writes which checksum an upload's object is to have.
func writeUploadChecksum(x *wire.Document, v *object.Version) {
	if len(v.Checksums) > 0 {
		x.Text("ChecksumAlgorithm", v.Checksums[0].Algorithm)
		x.Text("ChecksumType", checksum.Type(&v.Checksums[0]))
	}
}

// partNumber reads the number of a part.
func partNumber(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > store.MaxParts {
		return 0, invalid("partNumber", "Part number must be an integer between 1 and 10000, inclusive")
	}
	return n, nil
}

// upload returns the upload that the request names.
func (c *call) upload() (*store.Upload, error) {
	u, _, _, err := c.store.Parts(c.r.Context(), c.name, c.key, c.query.Get("uploadId"), store.MaxParts, 0)
	return u, err
}

// uploadPart is UploadPart and UploadPartCopy.
func (c *call) uploadPart() error {
	number, err := partNumber(c.query.Get("partNumber"))
	if err != nil {
		return err
	}
	if len(c.r.Header["X-Amz-Copy-Source"]) > 0 {
		return c.copyPart(number)
	}
	if err := c.allowWrite(false); err != nil {
		return err
	}
	size, err := c.needLength()
	if err != nil {
		return err
	}
	d, err := c.digests()
	if err != nil {
		return err
	}
	u, err := c.upload()
	if err != nil {
		return err
	}
	if err := d.Expect(u.Checksums); err != nil {
		return err
	}
	if err := c.refuseSSE(); err != nil {
		return err
	}
	p := store.PartPut{Bucket: c.name, Key: c.key, Upload: u.ID, Number: number, Body: d.Reader(c.body), Size: size}
	if p.CustomerKey, err = c.partKey(u); err != nil {
		return err
	}
	p.Finish = func(p *object.Part) (err error) {
		p.Checksums, err = d.Sum(p.ETag)
		return err
	}
	part, err := c.store.StorePart(c.r.Context(), p)
	if err != nil {
		return err
	}
	c.showEncryption(&u.Encryption)
	wire.Set(c.h, "ETag", `"`+part.ETag+`"`)
	for _, s := range part.Checksums {
		wire.Set(c.h, checksum.Find(s.Algorithm).Header, s.Value)
	}
	return c.empty(http.StatusOK)
}

// copyPart is UploadPartCopy.
func (c *call) copyPart(number int) error {
	src, err := c.copySource()
	if err != nil {
		return err
	}
	if err := c.allowWrite(false); err != nil {
		return err
	}
	what, err := copyRange(c.r.Header["X-Amz-Copy-Source-Range"], src.object.Size)
	if err != nil {
		return err
	}
	u, err := c.upload()
	if err != nil {
		return err
	}
	if err := c.unlockBody(src.object, ofSource); err != nil {
		return err
	}
	part, err := c.copyInto(u, number, src.object, what)
	if err != nil {
		return err
	}
	c.showEncryption(&u.Encryption)
	if src.bucket.Versioning != bucket.Unversioned {
		wire.Set(c.h, "x-amz-copy-source-version-id", src.object.ID)
	}
	x := wire.NewDocument()
	x.OpenNS("CopyPartResult", namespace)
	x.Time("LastModified", part.Modified)
	x.Quoted("ETag", part.ETag)
	writeChecksums(x, part.Checksums)
	x.Close("CopyPartResult")
	return c.send(x)
}

// copyInto copies a part without moving a byte. It has the checksum that the
// upload asks for, or the one that objects have by default.
func (c *call) copyInto(u *store.Upload, number int, src *store.Object, what span) (*object.Part, error) {
	if err := c.sameSSE(&u.Encryption); err != nil {
		return nil, err
	}
	key, err := c.partKey(u)
	if err != nil {
		return nil, err
	}
	alg := checksum.Default
	if len(u.Checksums) > 0 {
		alg = checksum.Find(u.Checksums[0].Algorithm)
	}
	d := checksum.By(alg)
	return c.store.CopyPart(c.r.Context(), store.PartPut{
		Bucket: c.name, Key: c.key, Upload: u.ID, Number: number, CustomerKey: key, Through: d.Reader,
		Finish: func(p *object.Part) (err error) {
			p.Checksums, err = d.Sum(p.ETag)
			return err
		},
	}, src, what.off, what.n)
}

// copyRange reads x-amz-copy-source-range, which must lie inside the source.
func copyRange(header []string, size int64) (span, error) {
	if len(header) == 0 {
		if size > maxPut {
			return span{}, fault.New(fault.Invalid, "InvalidRequest",
				"The specified copy source is larger than the maximum allowable size for a copy source: 5368709120").
				WithHint("copy a range of at most 5 GiB with each part")
		}
		return span{0, size}, nil
	}
	bad := func(message string) error { return invalid("x-amz-copy-source-range", message) }
	first, last, ok := strings.Cut(strings.TrimPrefix(header[0], "bytes="), "-")
	from, have1, ok1 := wire.BytePosition(first)
	to, have2, ok2 := wire.BytePosition(last)
	if !ok || !ok1 || !ok2 || !have1 || !have2 || from > to || !strings.HasPrefix(header[0], "bytes=") {
		return span{}, bad("The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy")
	}
	if to >= size {
		return span{}, bad("Range specified is not valid for source object of size: " + strconv.FormatInt(size, 10))
	}
	if to-from+1 > maxPut {
		return span{}, fault.New(fault.TooLarge, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
	}
	return span{from, to - from + 1}, nil
}

// listParts is ListParts.
func (c *call) listParts() error {
	most, err := c.query.Number("max-parts", maxListed, maxListed)
	if err != nil {
		return err
	}
	after, err := c.query.Number("part-number-marker", 0, store.MaxParts)
	if err != nil {
		return err
	}
	u, parts, more, err := c.store.Parts(c.r.Context(), c.name, c.key, c.query.Get("uploadId"), after, most)
	if denied := c.allowUpload("s3:ListMultipartUploadParts", u); denied != nil {
		return denied
	}
	if err != nil {
		return err
	}
	c.showAbort(u.Key, u.Started)
	l := &listing{Document: wire.NewDocument(), called: c.iam.AccountName, encoded: c.query.Get("encoding-type") == "url"}
	l.OpenNS("ListPartsResult", namespace)
	l.Text("Bucket", c.name)
	l.name("Key", c.key)
	l.Text("UploadId", u.ID)
	l.initiator(u)
	l.owner("Owner", u.Owner)
	l.Text("StorageClass", u.ClassOf())
	writeUploadChecksum(l.Document, &u.Version)
	l.Int("PartNumberMarker", int64(after))
	if len(parts) > 0 {
		l.Int("NextPartNumberMarker", int64(parts[len(parts)-1].Number))
	}
	l.Int("MaxParts", int64(most))
	l.Bool("IsTruncated", more && most > 0)
	for i := range parts {
		l.Open("Part")
		l.Int("PartNumber", int64(parts[i].Number))
		l.Time("LastModified", partTime(u, &parts[i]))
		l.Quoted("ETag", parts[i].ETag)
		l.Int("Size", parts[i].Size)
		writeChecksums(l.Document, parts[i].Checksums)
		l.Close("Part")
	}
	l.Close("ListPartsResult")
	return c.send(l.Document)
}

// partTime returns when a part was uploaded: of those that were before times
// were kept, when their upload began.
func partTime(u *store.Upload, p *object.Part) time.Time {
	if p.Modified.IsZero() {
		return u.Started
	}
	return p.Modified
}

// allowUpload asks whether the caller may do action to an upload, nil if there
// is none: who began it may, and so may the root user of that account, unless
// a policy says otherwise.
func (c *call) allowUpload(action string, u *store.Upload) error {
	a := c.access(c.bucket, action, arn.Object(c.name, c.key), nil)
	if u != nil {
		who, err := arn.Parse(u.Initiator)
		if err == nil && (c.caller.ARN == u.Initiator || c.caller.ARN == arn.Root(who.Account)) {
			a.Granted = iam.Grant{To: c.caller.ARN, By: "the upload, which " + u.Initiator + " began"}
		}
	}
	return c.ask(c.bucket, a)
}

// abortUpload is AbortMultipartUpload.
func (c *call) abortUpload() error {
	u, err := c.upload()
	if denied := c.allowUpload("s3:AbortMultipartUpload", u); denied != nil {
		return denied
	}
	if err != nil {
		return err
	}
	if err := c.store.AbortUpload(c.r.Context(), c.name, c.key, c.query.Get("uploadId")); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}
