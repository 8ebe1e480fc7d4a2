package s3api

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"twinbucket/fault"
	"twinbucket/internal/checksum"
	"twinbucket/internal/store"
	"twinbucket/internal/wire"
	"twinbucket/object"
)

// getObject is GetObject and HeadObject.
func (c *call) getObject() error {
	if number, ok := c.query.Lookup("partNumber"); ok {
		if _, err := partNumber(number); err != nil {
			return err
		}
	}
	o, err := c.find("s3:GetObject", "s3:GetObjectVersion")
	if err != nil {
		return err
	}
	if err := c.refuseSSE(); err != nil {
		return err
	}
	if c.r.Method == http.MethodHead && !c.wantsChecksums() {
		err = c.unlock(o, ofObject)
	} else {
		err = c.unlockBody(o, ofObject)
	}
	if err != nil {
		return err
	}
	if err := checkConditions(c.r.Header, &o.Version); err != nil {
		if fault.CodeOf(err) == "NotModified" {
			c.showValidators(&o.Version)
		}
		return err
	}
	if err := c.checkOverrides(); err != nil {
		return err
	}
	what, status, err := c.portion(&o.Version)
	if err != nil {
		return err
	}
	if c.r.Method == http.MethodHead {
		c.showObject(o, what, status)
		return nil
	}
	// The body is opened before the headers are set: they are not those of
	// an error.
	body, err := c.store.Open(c.r.Context(), o, what.off, what.n)
	if err != nil {
		c.h.Del("Content-Range")
		return err
	}
	defer body.Close()
	c.showObject(o, what, status)
	// What goes wrong now can no longer be told: the server sees that fewer
	// bytes were written than announced, and cuts the connection.
	if _, err := io.Copy(c.w, body); errors.As(err, new(*fault.Error)) {
		c.log.ErrorContext(c.r.Context(), "reading a body failed", "bucket", o.Bucket, "key", o.Key, "version", o.ID, "error", err)
	}
	return nil
}

// showObject writes the answer's headers.
func (c *call) showObject(o *store.Object, what span, status int) {
	c.showVersion(&o.Version)
	c.showDeliveries(&o.Version)
	c.showLock(o.Lock)
	if !c.query.Has("versionId") {
		c.showExpiration(&o.Version)
	}
	c.override()
	if len(o.Tags) > 0 && c.allowObject(versioned(c.query, "s3:GetObjectTagging", "s3:GetObjectVersionTagging")) == nil {
		wire.Set(c.h, "x-amz-tagging-count", strconv.Itoa(len(o.Tags)))
	}
	if status == http.StatusOK && c.wantsChecksums() {
		showChecksums(c.h, o.Checksums)
	}
	wire.Set(c.h, "Content-Length", strconv.FormatInt(what.n, 10))
	c.w.WriteHeader(status)
}

// wantsChecksums reports whether the client asks for the checksums.
func (c *call) wantsChecksums() bool {
	v := c.r.Header["X-Amz-Checksum-Mode"]
	return len(v) > 0 && strings.EqualFold(v[0], "ENABLED")
}

// versioned returns the action for a version if the query names one, else the
// plain action.
func versioned(q wire.Params, plain, version string) string {
	if q.Has("versionId") {
		return version
	}
	return plain
}

// find returns the version that the request names, after asking whether the
// caller may do plain, or version if one is named, to it. Delete markers and
// what does not exist are faults.
func (c *call) find(plain, version string) (*store.Object, error) {
	id, err := versionID(c.query)
	if err != nil {
		return nil, err
	}
	o, err := c.store.Head(c.r.Context(), c.bucket.Name, c.key, id)
	if err == nil {
		c.knowTags(o.Tags)
		c.version = &o.Version
	} else if fault.KindOf(err) != fault.NotFound {
		return nil, err
	}
	if denied := c.allowObject(versioned(c.query, plain, version)); denied != nil {
		if err != nil && c.missing(c.bucket, c.key, err) == err {
			return nil, err // who may list sees that anyway
		}
		return nil, denied
	}
	if err != nil {
		return nil, c.missing(c.bucket, c.key, err)
	}
	if !o.Marker {
		return o, nil
	}
	gone := noSuchKey(c.key)
	if id == "" {
		if denied := c.missing(c.bucket, c.key, gone); denied != gone {
			return nil, denied // to whom the key might as well never have been
		}
	}
	wire.Set(c.h, "x-amz-delete-marker", "true")
	c.showID(o.ID)
	if id == "" {
		return nil, gone
	}
	c.showModified(&o.Version)
	c.showDeliveries(&o.Version)
	wire.Set(c.h, "Allow", "DELETE")
	return nil, fault.New(fault.Unsupported, "MethodNotAllowed", "The specified method is not allowed against this resource.").
		On(c.key).WithHint("version %s is a delete marker", id)
}

func noSuchKey(key string) error {
	return fault.New(fault.NotFound, "NoSuchKey", "The specified key does not exist.").On(key)
}

// portion returns which bytes the request asks for, by Range or partNumber,
// and the status of the answer; it sets Content-Range and
// x-amz-mp-parts-count.
func (c *call) portion(v *object.Version) (span, int, error) {
	rng := c.r.Header["Range"]
	if number, ok := c.query.Lookup("partNumber"); ok {
		if len(rng) > 0 {
			return span{}, 0, fault.New(fault.Invalid, "InvalidRequest", "Cannot specify both Range header and partNumber query parameter")
		}
		return c.part(v, number)
	}
	if len(rng) > 0 {
		off, n, ok, err := wire.Range(rng[0], v.Size)
		if err != nil {
			wire.Set(c.h, "Content-Range", "bytes */"+strconv.FormatInt(v.Size, 10))
			return span{}, 0, err
		}
		if ok {
			r := span{off, n}
			c.showRange(r, v.Size)
			return r, http.StatusPartialContent, nil
		}
	}
	return span{0, v.Size}, http.StatusOK, nil
}

func (c *call) showRange(r span, size int64) {
	wire.Set(c.h, "Content-Range", "bytes "+strconv.FormatInt(r.off, 10)+"-"+
		strconv.FormatInt(r.off+r.n-1, 10)+"/"+strconv.FormatInt(size, 10))
}

// part returns where part number of v is. An object put at once is its own
// part 1.
func (c *call) part(v *object.Version, number string) (span, int, error) {
	n, err := partNumber(number)
	if err != nil {
		return span{}, 0, err
	}
	r := span{0, v.Size}
	if n > max(1, len(v.Parts)) {
		return span{}, 0, fault.New(fault.Invalid, "InvalidPartNumber", "The requested partnumber is not satisfiable").
			WithHint("the object has %d parts", max(1, len(v.Parts)))
	}
	if len(v.Parts) > 0 {
		wire.Set(c.h, "x-amz-mp-parts-count", strconv.Itoa(len(v.Parts)))
		for i := range n - 1 {
			r.off += v.Parts[i].Size
		}
		r.n = v.Parts[n-1].Size
		if c.wantsChecksums() {
			showChecksums(c.h, v.Parts[n-1].Checksums)
			if len(v.Checksums) > 0 { // the type is that of the object's
				wire.Set(c.h, "x-amz-checksum-type", checksum.Type(&v.Checksums[0]))
			}
		}
	}
	if v.Size == 0 {
		return r, http.StatusOK, nil
	}
	c.showRange(r, v.Size)
	return r, http.StatusPartialContent, nil
}
