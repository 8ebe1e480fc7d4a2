package s3api

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"twinbucket/fault"
	"twinbucket/internal/event"
	"twinbucket/internal/form"
	"twinbucket/internal/sigv4"
	"twinbucket/internal/wire"
)

// Source of all here: Amazon S3 Developer Guide, "POST Object" and
// "Browser-Based Uploads Using POST"; where the guide is silent, what S3 is
// known to answer.

// postObject is POST of a bucket: an upload from an HTML form. Its fields stand
// for the headers of a PUT, which it becomes once the caller is known and the
// policy allows them.
func (c *call) postObject() error {
	if v := c.caller.Verified; v != nil && v.Presigned {
		return fault.New(fault.Invalid, "InvalidRequest", "Query string authentication is not supported for POST.").
			WithHint("sign the policy of the form, or PUT the object with this kind of URL")
	}
	if c.length < 0 {
		return fault.New(fault.Invalid, "MissingContentLength", "You must provide the Content-Length HTTP header.")
	}
	f, err := form.Read(c.body, c.r.Header.Get("Content-Type"), c.length)
	if err != nil {
		return err
	}
	if err := c.identifyForm(f); err != nil {
		return err
	}
	if c.bucket, err = c.store.Bucket(c.name); err != nil {
		return err
	}
	if v := c.caller.Verified; v != nil && v.Form {
		if err := f.Check(c.name, c.now()); err != nil {
			return err
		}
	}
	if c.key, err = f.Key(); err != nil {
		return err
	}
	if err := checkKey(c.key); err != nil {
		return err
	}
	header, err := c.formHeaders(f)
	if err != nil {
		return err
	}
	c.r = c.r.WithContext(c.r.Context())
	c.r.Header, c.facts = header, nil
	if c.bucket, err = c.lookup(c.name, "X-Amz-Expected-Bucket-Owner"); err != nil {
		return err
	}
	if err := c.refuseHeaders(); err != nil {
		return err
	}
	c.originate(event.ByPost)
	c.form, c.body, c.length = f, f.File(), -1
	return c.putObject()
}

// identifyForm finds out who sent a form: who signed its policy, else who
// signed the request.
func (c *call) identifyForm(f *form.Form) error {
	caller, err := c.iam.AuthenticateForm(f.Field)
	if err != nil {
		return err
	}
	if caller.Verified == nil {
		return nil
	}
	if c.caller.Verified != nil {
		return fault.New(fault.Invalid, "InvalidArgument", "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, "+
			"Signature query string parameter or the Authorization header should be specified").
			WithHint("the form has a signature, and the request another in its header Authorization")
	}
	c.caller = caller
	return nil
}

// besideForm are the headers of the request that have the same meaning beside a form.
var besideForm = []string{"If-Match", "If-None-Match", "Origin", "Referer", "User-Agent"}

// formHeaders returns the headers of the PUT that the form stands for.
func (c *call) formHeaders(f *form.Form) (http.Header, error) {
	h, err := f.Headers()
	if err != nil {
		return nil, err
	}
	for _, name := range besideForm {
		if v := c.r.Header[name]; len(v) > 0 {
			h[name] = v
		}
	}
	if text, ok := f.Field("tagging"); ok {
		if err := setTagging(h, text); err != nil {
			return nil, err
		}
	}
	return h, c.mergeHeaders(h)
}

// setTagging sets x-amz-tagging to the tags of a document.
func setTagging(h http.Header, text string) error {
	var doc tagging
	if err := wire.Decode([]byte(text), "Tagging", &doc); err != nil {
		return err
	}
	tags, err := doc.tags()
	if err != nil {
		return err
	}
	pairs := make([]string, len(tags))
	for i, t := range tags {
		pairs[i] = url.QueryEscape(t.Key) + "=" + url.QueryEscape(t.Value)
	}
	h.Set("X-Amz-Tagging", strings.Join(pairs, "&"))
	return nil
}

// mergeHeaders adds the x-amz- headers of the POST itself. A signed policy does
// not cover them, so they may say nothing that the form does not.
func (c *call) mergeHeaders(h http.Header) error {
	v := c.caller.Verified
	signed := v != nil && v.Form
	for name, values := range c.r.Header {
		if !strings.HasPrefix(name, "X-Amz-") || slices.Contains(requestOnly, name) {
			continue
		}
		have, ok := h[name]
		switch {
		case ok && !slices.Equal(have, values):
			return fault.New(fault.Invalid, "InvalidRequest", "Conflicting values provided in HTTP headers and POST form fields.").On(name)
		case !ok && signed:
			return fault.New(fault.Denied, "AccessDenied", "There were headers present in the request which were not signed").
				WithHint("make %s a field of the form that its policy allows", strings.ToLower(name)).
				With("HeadersNotSigned", strings.ToLower(name))
		}
		h[name] = values
	}
	return nil
}

// requestOnly are headers about the POST, not about the object.
var requestOnly = []string{
	"X-Amz-Content-Sha256", "X-Amz-Date", "X-Amz-Security-Token", "X-Amz-User-Agent", "X-Amz-Decoded-Content-Length", "X-Amz-Trailer",
}

// answerForm answers an upload that is stored as its form asks. etag is in its
// quotes; the headers of a PUT's answer are set.
func (c *call) answerForm(etag string) error {
	location := c.objectURL()
	if to := redirect(c.form); to != "" {
		sep := "?"
		if strings.Contains(to, "?") {
			sep = "&"
		}
		wire.Set(c.h, "Location", to+sep+"bucket="+url.QueryEscape(c.name)+"&key="+url.QueryEscape(c.key)+"&etag="+url.QueryEscape(etag))
		return c.empty(http.StatusSeeOther)
	}
	wire.Set(c.h, "Location", location)
	switch status, _ := c.form.Field("success_action_status"); status {
	case "200":
		return c.empty(http.StatusOK)
	case "201":
		x := wire.NewDocument()
		x.Open("PostResponse")
		x.Text("Location", location)
		x.Text("Bucket", c.name)
		x.Text("Key", c.key)
		x.Text("ETag", etag)
		x.Close("PostResponse")
		_ = x.Send(c.w, http.StatusCreated)
		return nil
	}
	return c.empty(http.StatusNoContent)
}

// objectURL returns the URL of the object, its key encoded with its slashes.
func (c *call) objectURL() string {
	u := "http://"
	if c.r.TLS != nil {
		u = "https://"
	}
	u += c.r.Host + "/"
	if c.hostBucket(c.r.Host) == "" {
		u += c.name + "/"
	}
	return u + sigv4.EncodeQuery(c.key)
}

// redirect returns where the browser is to go, "" for nowhere: what is no URL
// is passed over, as AWS does. A line end in it would be one in a header.
func redirect(f *form.Form) string {
	to, ok := f.Field("success_action_redirect")
	if !ok {
		to, _ = f.Field("redirect")
	}
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return ""
	}
	return headerURL(to)
}

// headerURL encodes what a header cannot hold.
func headerURL(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			b.WriteString(sigv4.EncodeQuery(s[i : i+1]))
		} else {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}
