package s3api

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"strings"

	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/checksum"
	"twinbucket/internal/store"
	"twinbucket/internal/wire"
	"twinbucket/object"
)

// source is what a copy reads.
type source struct {
	bucket *bucket.Bucket
	key    string
	id     string // version named in the request; "" for the current one
	object *store.Object
}

// copySource finds what x-amz-copy-source names, for a caller who may read it.
func (c *call) copySource() (*source, error) {
	name, key, id, err := parseCopySource(c.r.Header.Get("X-Amz-Copy-Source"))
	if err != nil {
		return nil, err
	}
	s := &source{key: key, id: id}
	if s.bucket, err = c.lookup(name, "X-Amz-Source-Expected-Bucket-Owner"); err != nil {
		return nil, err
	}
	o, err := c.store.Head(c.r.Context(), name, key, id)
	if err == nil {
		c.knowTags(o.Tags)
		defer c.forgetTags(o.Tags)
	} else if fault.KindOf(err) != fault.NotFound {
		return nil, err
	}
	action := "s3:GetObject"
	if id != "" {
		action = "s3:GetObjectVersion"
		c.know("s3:versionid", id)
		defer delete(c.facts, "s3:versionid")
	}
	if err == nil {
		s.object = o
	}
	if denied := c.allowSource(s, action); denied != nil {
		return nil, denied
	}
	switch {
	case err != nil:
		return nil, c.missing(s.bucket, s.key, err)
	case o.Marker && id == "":
		return nil, c.missing(s.bucket, s.key, noSuchKey(s.key))
	case o.Marker:
		return nil, fault.New(fault.Invalid, "InvalidRequest",
			"The source of a copy request may not specifically refer to a delete marker by version id.").On(key)
	}
	return s, checkCopyConditions(c.r.Header, &o.Version)
}

// parseCopySource reads x-amz-copy-source: /BUCKET/KEY?versionId=ID, of which
// the part before the question mark is percent-encoded.
func parseCopySource(text string) (name, key, id string, err error) {
	if strings.HasPrefix(text, "arn:") {
		return "", "", "", unsupported("access points are not offered; the source of a copy is /BUCKET/KEY")
	}
	bad := invalid("x-amz-copy-source", "Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
	path, query, versioned := strings.Cut(text, "?")
	if versioned {
		var ok bool
		if id, ok = strings.CutPrefix(query, "versionId="); !ok {
			return "", "", "", bad
		}
		id, err = url.PathUnescape(id)
		if err != nil || object.CheckID(id) != nil {
			return "", "", "", invalid("x-amz-copy-source", "Invalid version id specified")
		}
	}
	path, err = url.PathUnescape(path)
	if err != nil {
		return "", "", "", invalid("x-amz-copy-source", "Invalid copy source encoding").
			WithHint("the source of a copy is percent-encoded; a percent sign in a key is %%25")
	}
	name, key, _ = strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch {
	case bucket.CheckName(name) != nil:
		return "", "", "", invalid("x-amz-copy-source", "Invalid copy source bucket name")
	case key == "":
		return "", "", "", invalid("x-amz-copy-source", "Invalid copy source object key")
	}
	return name, key, id, object.CheckKey(key)
}

// directive returns whether REPLACE, and not COPY, is asked for.
func directive(h http.Header, name, message string) (replace bool, err error) {
	switch v := h.Get(name); v {
	case "", "COPY":
		return false, nil
	case "REPLACE":
		return true, nil
	default:
		return false, invalid(strings.ToLower(name), message).With("ArgumentValue", v).On(v)
	}
}

// copyObject is CopyObject.
func (c *call) copyObject() error {
	if err := c.signedIn(noAnonymousCopy); err != nil {
		return err
	}
	if name := c.r.Header.Get("X-Amz-Checksum-Algorithm"); name != "" && checksum.Find(name) == nil {
		return checksum.Unsupported(name)
	}
	src, err := c.copySource()
	if err != nil {
		return err
	}
	p := store.Put{Size: src.object.Size, Sent: c.bucket, Once: c.once}
	if p.Version, err = c.copiedVersion(src); err != nil {
		return err
	}
	if p.CustomerKey, err = c.newEncryption(&p.Version); err != nil {
		return err
	}
	if err := c.unlockBody(src.object, ofSource); err != nil {
		return err
	}
	if src.object.Size > maxPut {
		return fault.New(fault.Invalid, "InvalidRequest",
			"The specified copy source is larger than the maximum allowable size for a copy source: 5368709120").
			WithHint("copy it in parts: UploadPartCopy")
	}
	if p.If, err = c.writeCondition(); err != nil {
		return err
	}
	o, err := c.copyBody(src.object, p)
	if err != nil {
		return err
	}
	c.showID(o.ID)
	c.showExpiration(&o.Version)
	c.showEncryption(&o.Encryption)
	if src.bucket.Versioning != bucket.Unversioned {
		wire.Set(c.h, "x-amz-copy-source-version-id", src.object.ID)
	}
	x := wire.NewDocument()
	x.OpenNS("CopyObjectResult", namespace)
	x.Quoted("ETag", o.ETag)
	x.Time("LastModified", o.Modified)
	for i := range o.Checksums {
		x.Text("ChecksumType", checksum.Type(&o.Checksums[i]))
	}
	writeChecksums(x, o.Checksums)
	x.Close("CopyObjectResult")
	return c.send(x)
}

// copiedVersion returns the version that a copy makes, after asking whether
// the caller may make it.
func (c *call) copiedVersion(src *source) (object.Version, error) {
	replace, err := directive(c.r.Header, "X-Amz-Metadata-Directive", "Unknown metadata directive.")
	if err != nil {
		return object.Version{}, err
	}
	retag, err := directive(c.r.Header, "X-Amz-Tagging-Directive", "Unknown tagging directive.")
	if err != nil {
		return object.Version{}, err
	}
	v, err := c.newVersion()
	if err != nil {
		return v, err
	}
	if !replace && !retag && v.Class == src.object.Class && c.r.Header.Get("X-Amz-Website-Redirect-Location") == "" &&
		c.r.Header.Get(sseHeader) == "" && c.r.Header.Get(ofObject+"Algorithm") == "" && c.r.Header.Get("X-Amz-Checksum-Algorithm") == "" &&
		src.bucket.Name == c.bucket.Name && src.key == c.key && src.id == "" {
		return v, fault.New(fault.Invalid, "InvalidRequest", "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.").
			WithHint("x-amz-metadata-directive: REPLACE writes the object anew")
	}
	if !replace {
		redirect := v.Headers.RedirectLocation // is never copied
		v.Headers, v.Metadata = src.object.Headers, src.object.Metadata
		v.Headers.RedirectLocation = redirect
	}
	if !retag {
		if v.Tags = src.object.Tags; len(v.Tags) > 0 {
			if err := c.allowCopyTags(src); err != nil {
				return v, err
			}
		}
	}
	return v, c.allowPut(&v, true)
}

// allowCopyTags asks whether the caller may read the tags of a copy's source.
func (c *call) allowCopyTags(src *source) error {
	c.knowTags(src.object.Tags)
	defer c.forgetTags(src.object.Tags)
	action := "s3:GetObjectTagging"
	if src.id != "" {
		action = "s3:GetObjectVersionTagging"
	}
	return c.allowSource(src, action)
}

// allowSource asks whether the caller may do action to a copy's source.
func (c *call) allowSource(src *source, action string) error {
	var v *object.Version
	if src.object != nil {
		v = &src.object.Version
	}
	return c.decide(src.bucket, action, arn.Object(src.bucket.Name, src.key), v)
}

// copyBody makes the copy without moving a byte. An object that was uploaded in
// parts becomes one put at once, with the ETag of its bytes: they are read once
// for it, and if a checksum is asked for that the source does not have.
func (c *call) copyBody(src *store.Object, p store.Put) (*store.Object, error) {
	alg := checksum.Default
	if name := c.r.Header.Get("X-Amz-Checksum-Algorithm"); name != "" {
		alg = checksum.Find(name)
	} else if len(src.Checksums) > 0 {
		alg = checksum.Find(src.Checksums[0].Algorithm)
	}
	if len(src.Parts) == 0 && hasChecksum(src.Checksums, alg.Name) {
		return c.store.Copy(c.r.Context(), src, p)
	}
	etag, sum, err := c.digest(src, alg)
	if err != nil {
		return nil, err
	}
	p.Finish = func(v *object.Version) error {
		v.ETag, v.Checksums, v.Parts = etag, []object.Checksum{sum}, nil
		return nil
	}
	return c.store.Copy(c.r.Context(), src, p)
}

// digest reads an object's body and returns the MD5 of it, in hex, and its
// checksum.
func (c *call) digest(src *store.Object, alg *checksum.Algorithm) (etag string, sum object.Checksum, err error) {
	body, err := c.store.Open(c.r.Context(), src, 0, -1)
	if err != nil {
		return "", sum, err
	}
	defer body.Close()
	m, h := md5.New(), alg.New()
	defer alg.Free(h)
	if _, err := io.Copy(io.MultiWriter(m, h), body); err != nil {
		return "", sum, err
	}
	return hex.EncodeToString(m.Sum(nil)), object.Checksum{
		Algorithm: alg.Name, Value: base64.StdEncoding.EncodeToString(h.Sum(nil)),
	}, nil
}

// hasChecksum reports whether one of sums is a full object checksum by name.
func hasChecksum(sums []object.Checksum, name string) bool {
	for i := range sums {
		if strings.EqualFold(sums[i].Algorithm, name) && !sums[i].Composite {
			return true
		}
	}
	return false
}
