package client

import (
	"context"
	"encoding/xml"
	"io"
	"net/http"
	"strconv"

	"twinbucket/internal/sigv4"
	"twinbucket/object"
)

// Upload is a multipart upload that was begun.
type Upload struct{ Bucket, Key, ID string }

// CreateMultipartUpload begins a multipart upload of v: Bucket, Key, Headers,
// Metadata, Tags, Class and Lock.
func (c *Client) CreateMultipartUpload(ctx context.Context, v *object.Version) (Upload, error) {
	k := onObject("CreateMultipartUpload", http.MethodPost, v.Bucket, v.Key, "")
	k.query = append(k.query, "uploads=")
	k.describe(v)
	k.once = true
	var answer struct {
		UploadID string `xml:"UploadId"`
	}
	err := c.fetch(ctx, k, &answer)
	return Upload{v.Bucket, v.Key, answer.UploadID}, err
}

func (u Upload) call(op, method string) *call {
	k := onObject(op, method, u.Bucket, u.Key, "")
	k.param("uploadId", u.ID)
	return k
}

// UploadPart sends a part, guarded by its MD5. Numbers are 1 to 10,000.
func (c *Client) UploadPart(ctx context.Context, u Upload, number int, body io.ReadSeeker) (object.Part, error) {
	k := u.call("UploadPart", http.MethodPut)
	k.param("partNumber", strconv.Itoa(number))
	part := object.Part{Number: number}
	k.err = unreadable(c.guard(k, &part, body))
	err := c.do(ctx, k, func(resp *http.Response) error {
		part.ETag, part.Checksums = unquote(resp.Header.Get("Etag")), checksums(resp.Header)
		return discard(resp)
	})
	return part, err
}

// guard sets a part's body. An additional checksum would have to be the
// upload's own, so a part has its MD5.
func (c *Client) guard(k *call, part *object.Part, body io.ReadSeeker) error {
	var err error
	if part.Size, err = sizeOf(body); err != nil {
		return err
	}
	k.body, k.size, k.hash = body, part.Size, sigv4.UnsignedPayload
	u, _ := c.endpoint(k.service, k.account)
	if !private(&u) && c.cred.AccessKey != "" {
		k.hash, err = sha256Of(body)
		return err
	}
	digest, err := md5Of(body)
	k.set("Content-Md5", digest)
	return err
}

// CompleteMultipartUpload makes the object of the parts, in their order. It
// returns the new version: Bucket, Key, ID, ETag and Checksums. The call is
// not repeated when its outcome is unknown.
func (c *Client) CompleteMultipartUpload(ctx context.Context, u Upload, parts []object.Part) (*object.Version, error) {
	type part struct {
		PartNumber int
		ETag       string
	}
	list := make([]part, 0, len(parts))
	for _, p := range parts {
		list = append(list, part{p.Number, quote(p.ETag)})
	}
	k := u.call("CompleteMultipartUpload", http.MethodPost)
	k.once = true
	k.document(struct {
		XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ CompleteMultipartUpload"`
		Part    []part
	}{Part: list})
	v := &object.Version{Bucket: u.Bucket, Key: u.Key}
	var answer struct{ ETag string }
	err := c.do(ctx, k, func(resp *http.Response) error {
		v.ID, v.Checksums = versionID(resp.Header), checksums(resp.Header)
		return decodeInto(resp, &answer)
	})
	if err != nil {
		return nil, err
	}
	v.ETag = unquote(answer.ETag)
	return v, nil
}

// AbortMultipartUpload drops an upload and its parts.
func (c *Client) AbortMultipartUpload(ctx context.Context, u Upload) error {
	return c.empty(ctx, u.call("AbortMultipartUpload", http.MethodDelete))
}
