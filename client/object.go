package client

import (
	"context"
	"encoding/xml"
	"io"
	"net/http"
	"strconv"
	"time"

	"twinbucket/fault"
	"twinbucket/internal/sigv4"
	"twinbucket/object"
)

// Put is an object to store.
type Put struct {
	// Version says where and what: Bucket, Key, Headers, Metadata, Tags,
	// Class, Lock, and Checksums that are known already.
	Version object.Version
	Body    io.ReadSeeker // read from its start; nil for an empty object
	// IfMatch and IfNoneMatch make the put conditional: an ETag without
	// quotes, or "*". A conditional put is never repeated.
	IfMatch, IfNoneMatch string
}

// PutObject stores an object and returns the version it became: ID, ETag,
// Size and Checksums besides what was given. Over TLS and on this machine the
// body is guarded by a CRC64NVME instead of the signature.
func (c *Client) PutObject(ctx context.Context, p Put) (*object.Version, error) {
	v := p.Version
	k := onObject("PutObject", http.MethodPut, v.Bucket, v.Key, "")
	k.err = unreadable(c.content(k, &v, p.Body))
	k.describe(&v)
	k.condition(p.IfMatch, p.IfNoneMatch)
	err := c.do(ctx, k, func(resp *http.Response) error {
		v.ID, v.ETag = versionID(resp.Header), unquote(resp.Header.Get("Etag"))
		v.Checksums = checksums(resp.Header)
		v.Modified, _ = http.ParseTime(resp.Header.Get("Date"))
		return discard(resp)
	})
	if err != nil {
		return nil, err
	}
	return &v, nil
}

// content sets a call's body and what guards it, and v.Size.
func (c *Client) content(k *call, v *object.Version, body io.ReadSeeker) error {
	var err error
	if v.Size, err = sizeOf(body); err != nil {
		return err
	}
	k.body, k.size, k.hash = body, v.Size, sigv4.UnsignedPayload
	for _, sum := range v.Checksums {
		k.set(checksumHeader(sum.Algorithm), sum.Value)
	}
	u, _ := c.endpoint(k.service, k.account)
	if !private(&u) && c.cred.AccessKey != "" {
		k.hash, err = sha256Of(body)
		return err
	}
	if len(v.Checksums) == 0 {
		var sum string
		sum, err = crc64Of(body)
		k.set(checksumHeader("CRC64NVME"), sum)
	}
	return err
}

// condition makes a call conditional on the object's ETag.
func (k *call) condition(match, noneMatch string) {
	k.once = match != "" || noneMatch != ""
	k.set("If-Match", quote(match))
	k.set("If-None-Match", quote(noneMatch))
}

// Get says what to read of an object. The zero Get is all of its current
// version.
type Get struct {
	VersionID string
	// Offset and Length choose a range of bytes: Length 0 is up to the end,
	// and a negative Offset is that many bytes from the end.
	Offset, Length int64
}

// Object is an object that is being read.
type Object struct {
	object.Version
	// Body must be closed. When all of the object is read and the server
	// knows its CRC64NVME, Read checks it: a fault of kind Damaged.
	Body io.ReadCloser
	// Length is how many bytes Body has: Size, or those of the range.
	Length int64
}

// GetObject begins to read an object. Errors: NotFound with NoSuchKey or
// NoSuchVersion, also for a delete marker; Invalid with InvalidRange.
func (c *Client) GetObject(ctx context.Context, bucket, key string, g Get) (*Object, error) {
	k := onObject("GetObject", http.MethodGet, bucket, key, g.VersionID)
	k.set("X-Amz-Checksum-Mode", "ENABLED")
	whole := g.Offset == 0 && g.Length == 0
	switch {
	case g.Offset < 0:
		k.set("Range", "bytes="+strconv.FormatInt(g.Offset, 10))
	case g.Length > 0:
		k.set("Range", "bytes="+strconv.FormatInt(g.Offset, 10)+"-"+strconv.FormatInt(g.Offset+g.Length-1, 10))
	case g.Offset > 0:
		k.set("Range", "bytes="+strconv.FormatInt(g.Offset, 10)+"-")
	}
	o := &Object{}
	err := c.do(ctx, k, func(resp *http.Response) error {
		if !whole && resp.StatusCode != http.StatusPartialContent {
			_ = resp.Body.Close()
			return fault.New(fault.Unsupported, "NotImplemented", "The server ignored the range that was asked for.")
		}
		o.Version = versionOf(bucket, key, resp)
		o.Length = resp.ContentLength
		o.Body = c.checked(k, resp, o, whole)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return o, nil
}

// HeadObject describes a version, the current one if version is "". A
// version that is a delete marker is returned as one; if the current version
// is, the error is NotFound.
//
// From Twinbucket the owner of the bucket learns its Deliveries too, and whether
// it is a replica that is Returning.
func (c *Client) HeadObject(ctx context.Context, bucket, key, version string) (*object.Version, error) {
	k := onObject("HeadObject", http.MethodHead, bucket, key, version)
	k.set("X-Amz-Checksum-Mode", "ENABLED")
	k.set(headerDeliveries, "true")
	var h http.Header
	k.seen = func(got http.Header) { h = got }
	var v object.Version
	err := c.do(ctx, k, func(resp *http.Response) error {
		v = versionOf(bucket, key, resp)
		return discard(resp)
	})
	if err != nil {
		if version != "" && fault.CodeOf(err) == "MethodNotAllowed" {
			return &object.Version{Bucket: bucket, Key: key, ID: version, Marker: true, Modified: modified(h), Deliveries: deliveries(h)}, nil
		}
		return nil, err
	}
	return &v, nil
}

// Deleted is what DeleteObject did.
type Deleted struct {
	VersionID string // of the version removed or the delete marker made
	Marker    bool   // a delete marker was made or removed
}

// DeleteObject removes a version for good, or, if version is "", hides the
// object behind a delete marker where the bucket is versioned.
func (c *Client) DeleteObject(ctx context.Context, bucket, key, version string) (Deleted, error) {
	var d Deleted
	err := c.do(ctx, onObject("DeleteObject", http.MethodDelete, bucket, key, version), func(resp *http.Response) error {
		d = Deleted{resp.Header.Get("X-Amz-Version-Id"), resp.Header.Get("X-Amz-Delete-Marker") == "true"}
		return discard(resp)
	})
	return d, err
}

// Copy is a copy to make on the server.
type Copy struct {
	Bucket, Key, VersionID string // what to copy; VersionID "" is the current version
	// To says where: Bucket and Key. If Replace is set, its Headers, Metadata
	// and Tags take the place of the source's.
	To      object.Version
	Replace bool
}

// CopyObject copies a version of an object and returns the new version: ID,
// ETag and Modified besides what was given.
func (c *Client) CopyObject(ctx context.Context, p Copy) (*object.Version, error) {
	v := p.To
	k := onObject("CopyObject", http.MethodPut, v.Bucket, v.Key, "")
	source := sigv4.EncodePath("/" + p.Bucket + "/" + p.Key)
	if p.VersionID != "" {
		source += "?versionId=" + sigv4.EncodeQuery(p.VersionID)
	}
	k.set("X-Amz-Copy-Source", source)
	if p.Replace {
		k.describe(&v)
		k.set("X-Amz-Metadata-Directive", "REPLACE")
		k.set("X-Amz-Tagging-Directive", "REPLACE")
	} else {
		k.set("X-Amz-Storage-Class", v.Class)
	}
	var answer struct {
		ETag         string
		LastModified time.Time
	}
	err := c.do(ctx, k, func(resp *http.Response) error {
		v.ID = versionID(resp.Header)
		return decodeInto(resp, &answer)
	})
	if err != nil {
		return nil, err
	}
	v.ETag, v.Modified = unquote(answer.ETag), answer.LastModified
	return &v, nil
}

type tagging struct {
	XMLName xml.Name     `xml:"Tagging"`
	Tags    []object.Tag `xml:"TagSet>Tag"`
}

// GetObjectTagging returns the tags of a version.
func (c *Client) GetObjectTagging(ctx context.Context, bucket, key, version string) ([]object.Tag, error) {
	k := onObject("GetObjectTagging", http.MethodGet, bucket, key, version)
	k.query = append(k.query, "tagging=")
	var t tagging
	err := c.fetch(ctx, k, &t)
	return t.Tags, err
}

// PutObjectTagging sets the tags of a version to tags.
func (c *Client) PutObjectTagging(ctx context.Context, bucket, key, version string, tags []object.Tag) error {
	k := onObject("PutObjectTagging", http.MethodPut, bucket, key, version)
	k.query = append(k.query, "tagging=")
	k.document(tagging{Tags: tags})
	return c.empty(ctx, k)
}
