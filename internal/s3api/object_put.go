package s3api

import (
	"net/http"
	"strconv"

	"twinbucket/internal/checksum"
	"twinbucket/internal/store"
	"twinbucket/internal/wire"
	"twinbucket/object"
)

// putOrCopyObject is PUT of an object: a copy if it names a source.
func (c *call) putOrCopyObject() error {
	if c.query.Has("versionId") {
		return invalid("versionId", "This operation does not accept a version-id.")
	}
	if len(c.r.Header["X-Amz-Copy-Source"]) > 0 {
		return c.copyObject()
	}
	return c.putObject()
}

// putObject is PutObject.
func (c *call) putObject() error {
	v, err := c.newVersion()
	if err != nil {
		return err
	}
	if err := c.allowPut(&v, true); err != nil {
		return err
	}
	p := store.Put{Version: v, Sent: c.bucket}
	if p.CustomerKey, err = c.newEncryption(&p.Version); err != nil {
		return err
	}
	if p.Size, err = c.needLength(); err != nil {
		return err
	}
	if p.If, err = c.writeCondition(); err != nil {
		return err
	}
	d, err := c.digests()
	if err != nil {
		return err
	}
	if err := c.needDigest(d, v.Lock); err != nil {
		return err
	}
	d.Or(checksum.Default)
	p.Body = d.Reader(c.body)
	p.Finish = func(v *object.Version) (err error) {
		v.Checksums, err = d.Sum(v.ETag)
		return err
	}
	o, err := c.store.Put(c.r.Context(), p)
	if err != nil {
		return err
	}
	c.showWritten(&o.Version)
	c.showExpiration(&o.Version)
	showChecksums(c.h, o.Checksums)
	if c.form != nil {
		return c.answerForm(`"` + o.ETag + `"`)
	}
	return c.empty(http.StatusOK)
}

// allowWrite asks for s3:PutObject, for what creates an object or for a step on
// the way to one.
func (c *call) allowWrite(creates bool) error {
	c.know("s3:objectcreationoperation", strconv.FormatBool(creates))
	return c.allowObject("s3:PutObject")
}

// allowPut asks for what writing a version needs.
func (c *call) allowPut(v *object.Version, creates bool) error {
	c.knowNewTags(v.Tags)
	c.knowLock(v.Lock)
	if err := c.allowWrite(creates); err != nil {
		return err
	}
	if len(v.Tags) > 0 {
		if err := c.allowObject("s3:PutObjectTagging"); err != nil {
			return err
		}
	}
	if err := c.allowACL(); err != nil {
		return err
	}
	return c.allowLock(v.Lock)
}

// showWritten sets the headers of the answer to a write.
func (c *call) showWritten(v *object.Version) {
	wire.Set(c.h, "ETag", `"`+v.ETag+`"`)
	c.showID(v.ID)
	c.showEncryption(&v.Encryption)
}
