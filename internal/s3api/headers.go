package s3api

import (
	"mime"
	"net/http"
	"strings"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/wire"
	"twinbucket/object"
	"twinbucket/policy"
	"twinbucket/setting"
)

// maxPut is the most bytes of an object put in one request, of a part, of a
// copy: a limit of the S3 User Guide.
const maxPut = 5 << 30

// newVersion returns the version that the request's headers describe.
func (c *call) newVersion() (object.Version, error) {
	v := object.Version{Bucket: c.bucket.Name, Key: c.key}
	if err := c.newACL(&v); err != nil {
		return v, err
	}
	v.Headers = contentHeaders(c.r.Header)
	if to := v.Headers.RedirectLocation; to != "" {
		if err := setting.CheckRedirect(to); err != nil {
			return v, err
		}
	}
	var err error
	if v.Lock, err = c.newLock(); err != nil {
		return v, err
	}
	if v.Metadata, err = wire.Metadata(c.r.Header); err != nil {
		return v, err
	}
	if v.Class, err = object.CheckClass(c.r.Header.Get("X-Amz-Storage-Class")); err != nil {
		return v, err
	}
	if text := c.r.Header.Get("X-Amz-Tagging"); text != "" {
		v.Tags, err = object.ParseTags(text)
	}
	return v, err
}

// contentHeaders returns the headers that an object keeps. The transfer coding
// of the request is not one of the object's encodings.
func contentHeaders(h http.Header) object.Headers {
	first := func(name string) string {
		if v := h[name]; len(v) > 0 {
			return v[0]
		}
		return ""
	}
	o := object.Headers{
		ContentType:        first("Content-Type"),
		CacheControl:       first("Cache-Control"),
		ContentDisposition: first("Content-Disposition"),
		ContentEncoding:    first("Content-Encoding"),
		ContentLanguage:    first("Content-Language"),
		Expires:            first("Expires"),
		RedirectLocation:   first("X-Amz-Website-Redirect-Location"),
	}
	if strings.Contains(o.ContentEncoding, "aws-chunked") {
		var keep []string
		for e := range strings.SplitSeq(o.ContentEncoding, ",") {
			if e = strings.TrimSpace(e); e != "" && e != "aws-chunked" {
				keep = append(keep, e)
			}
		}
		o.ContentEncoding = strings.Join(keep, ",")
	}
	if o.ContentType == "" {
		o.ContentType = "binary/octet-stream"
	}
	return o
}

// showVersion sets the headers that GET and HEAD of a version have in common.
func (c *call) showVersion(v *object.Version) {
	h := c.h
	c.showValidators(v)
	wire.Set(h, "Accept-Ranges", "bytes")
	setIf(h, "Content-Type", v.Headers.ContentType)
	setIf(h, "Content-Disposition", v.Headers.ContentDisposition)
	setIf(h, "Content-Encoding", v.Headers.ContentEncoding)
	setIf(h, "Content-Language", v.Headers.ContentLanguage)
	setIf(h, "x-amz-website-redirect-location", v.Headers.RedirectLocation)
	setIf(h, "x-amz-storage-class", v.Class)
	setIf(h, "x-amz-replication-status", string(v.Status))
	c.showEncryption(&v.Encryption)
	for name, value := range v.Metadata {
		wire.Set(h, "x-amz-meta-"+name, headerValue(value))
	}
}

// showValidators sets the headers that a cache lives by; the answer 304 has no
// others.
func (c *call) showValidators(v *object.Version) {
	wire.Set(c.h, "ETag", `"`+v.ETag+`"`)
	c.showModified(v)
	c.showID(v.ID)
	setIf(c.h, "Cache-Control", v.Headers.CacheControl)
	setIf(c.h, "Expires", v.Headers.Expires)
}

// showModified sets Last-Modified.
func (c *call) showModified(v *object.Version) {
	wire.Set(c.h, "Last-Modified", v.Modified.UTC().Format(http.TimeFormat))
}

// showID sets x-amz-version-id, which buckets that never had versioning do not
// send.
func (c *call) showID(id string) {
	if c.bucket.Versioning != bucket.Unversioned && id != "" {
		wire.Set(c.h, "x-amz-version-id", id)
	}
}

func setIf(h http.Header, name, value string) {
	if value != "" {
		wire.Set(h, name, value)
	}
}

// headerValue returns a metadata value as S3 sends it: what is not printable
// ASCII is encoded as RFC 2047 says.
func headerValue(s string) string {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			return mime.QEncoding.Encode("UTF-8", s)
		}
	}
	return s
}

// overrides are the query parameters that replace headers of the answer.
var overrides = []struct{ param, header string }{
	{"response-content-type", "Content-Type"},
	{"response-content-language", "Content-Language"},
	{"response-expires", "Expires"},
	{"response-cache-control", "Cache-Control"},
	{"response-content-disposition", "Content-Disposition"},
	{"response-content-encoding", "Content-Encoding"},
}

// checkOverrides refuses the response-* parameters of unsigned requests, and
// what no header can hold.
func (c *call) checkOverrides() error {
	for _, p := range c.query {
		switch {
		case !strings.HasPrefix(p.Name, "response-"):
		case c.caller.Type == policy.Anonymous:
			return fault.New(fault.Invalid, "InvalidRequest", "Request specific response headers cannot be used for anonymous GET requests.").On(p.Name)
		case strings.ContainsFunc(p.Value, func(r rune) bool { return r > 0xff }):
			return invalid(p.Name, "Header value cannot be represented using ISO-8859-1.").With("ArgumentValue", p.Value)
		}
	}
	return nil
}

// override applies the response-* parameters.
func (c *call) override() {
	for _, p := range c.query {
		for _, o := range overrides {
			if o.param == p.Name {
				wire.Set(c.h, o.header, wire.Latin1(p.Value))
			}
		}
	}
}

// needLength returns the payload's length, which a write must declare.
func (c *call) needLength() (int64, error) {
	switch {
	case c.form != nil:
		return -1, nil // the file ends where its boundary stands
	case c.length < 0 && len(c.r.TransferEncoding) > 0:
		return 0, fault.New(fault.Unsupported, "NotImplemented", "A header you provided implies functionality that is not implemented").
			With("Header", "Transfer-Encoding").WithHint("a body in chunks of HTTP says its length with Content-Length or x-amz-decoded-content-length")
	case c.length < 0:
		return 0, fault.New(fault.Invalid, "MissingContentLength", "You must provide the Content-Length HTTP header.")
	case c.length > maxPut:
		return 0, fault.New(fault.TooLarge, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size").
			WithHint("one request carries at most 5 GiB; larger objects need a multipart upload")
	}
	return c.length, nil
}
