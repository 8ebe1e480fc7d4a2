package sigv4

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"twinbucket/fault"
)

// Source of all here: Amazon S3 API Reference, "Signing and authenticating
// REST requests (AWS signature version 2)", query string authentication.

// lastExpires is the latest end of a link's life, in the year 9999.
const lastExpires = 253402300799

// hostBucketKey is the key of a context's host bucket.
type hostBucketKey struct{}

// WithHostBucket says which bucket the server reads from the host of r, ""
// for none (path style), and returns the request to Verify. Version 2 signs
// the bucket and not the host: were the server and Verify to read the host in
// two ways, a link to one bucket would open another. Without it Verify accepts
// Version 2 only for hosts that cannot name a bucket: IP addresses and names
// without a dot. A request without a signature of Version 2 is returned as it
// is.
func WithHostBucket(r *http.Request, bucket string) *http.Request {
	if !hasVersion2(r.URL.RawQuery) && !inHeader2(r) {
		return r
	}
	return r.WithContext(context.WithValue(r.Context(), hostBucketKey{}, bucket))
}

// hostBucket returns the bucket in the host of r; ok is false if that cannot
// be known.
func hostBucket(r *http.Request) (bucket string, ok bool) {
	if bucket, ok = r.Context().Value(hostBucketKey{}).(string); ok {
		return bucket, true
	}
	host := r.Host
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return "", true
	}
	return "", !strings.Contains(host, ".")
}

// hasVersion2 reports whether a query string holds a signature of Version 2.
func hasVersion2(raw string) bool {
	return hasParameter(raw, "&AWSAccessKeyId=") || hasParameter(raw, "&Signature=")
}

// parseVersion2 reads the parameters AWSAccessKeyId, Signature and Expires.
func parseVersion2(r *http.Request) (*Claim, error) {
	q, err := parameters(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	c := &Claim{version: 2, presigned: true, scope: Scope{Service: "s3"}, token: r.Header.Get("X-Amz-Security-Token")}
	count := 0
	for _, p := range q {
		switch {
		case p.name == "AWSAccessKeyId":
			c.accessKey = p.value
		case p.name == "Signature":
			c.signature = p.value
		case p.name == "Expires":
			c.timeText = p.value
		case strings.EqualFold(p.name, "X-Amz-Security-Token"):
			c.token = p.value
			continue
		default:
			continue
		}
		count++
	}
	if count != 3 || c.accessKey == "" || c.signature == "" || c.timeText == "" {
		return nil, fault.New(fault.Denied, "AccessDenied",
			"Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters").
			WithHint("give each of them once, with a value")
	}
	n, err := strconv.ParseInt(c.timeText, 10, 64)
	if err != nil || n > lastExpires {
		return nil, fault.New(fault.Denied, "AccessDenied", "Invalid date (should be seconds since epoch): "+shorten(c.timeText))
	}
	c.end = time.Unix(n, 0)
	return c, nil
}

// verifyVersion2 is Verify for a claim of Version 2. What the x-amz-
// parameters of the URL say is in the headers afterwards, for which they
// stand.
func (c *Claim) verifyVersion2(r *http.Request, secret string, now time.Time) (*Verified, error) {
	q, err := parameters(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	amz := signedHeaders2(r.Header)
	if c.presigned {
		if now.After(c.end) {
			return nil, expired(c.end, now)
		}
		if amz, err = amzHeaders(r.Header, q); err != nil {
			return nil, err
		}
	} else if err := c.checkTime(now); err != nil {
		return nil, err
	}
	resource, err := subResources(q)
	if err != nil {
		return nil, err
	}
	bucket, ok := hostBucket(r)
	if !ok {
		return nil, mismatch().WithHint("signatures of Version 2 do not cover the host and are not accepted for %q: "+
			"sign with Signature Version 4, or use the server's IP address", r.Host)
	}
	m := message2{
		method: r.Method, md5: r.Header.Get("Content-Md5"), contentType: r.Header.Get("Content-Type"),
		expires: c.timeText, amz: amz.String(), path: r.URL.EscapedPath(), sub: resource,
	}
	if m.path == "" {
		m.path = "/"
	}
	if bucket != "" {
		m.path = "/" + bucket + m.path
	}
	if !c.matches2(&m, secret) {
		return nil, c.tellSigned(mismatch(), m.text(), "").WithHint("%s", c.explain2(m, q, secret))
	}
	amz.move(r.Header)
	v := &Verified{
		Version: 2, AccessKey: c.accessKey, Token: c.token, Scope: c.scope, Presigned: c.presigned, Time: c.time,
		Decoded: -1, Digest: UnsignedPayload,
	}
	if s := r.Header.Get("X-Amz-Content-Sha256"); s != "" {
		v.Digest = s
	}
	if err := v.setPayload(v.Digest, r.Header); err != nil {
		return nil, err
	}
	if v.Payload.signed() {
		return nil, badPayload(v.Digest) // there is no signature that chunks could go on from
	}
	return v, nil
}

// message2 is what a signature of Version 2 covers.
type message2 struct {
	method, md5, contentType string
	expires                  string // or the header Date, as received
	amz                      string // the x-amz- headers, one a line
	path                     string // encoded as received, the bucket first
	sub                      string // the signed parameters, with their question mark
}

// sign returns the message's signature in base64.
func (m *message2) sign(secret string) string {
	h := hmac.New(sha1.New, []byte(secret))
	h.Write([]byte(m.text()))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// text returns the string to sign.
func (m *message2) text() string {
	return strings.Join([]string{m.method, m.md5, m.contentType, m.expires, m.amz + m.path + m.sub}, "\n")
}

// matches2 reports whether c's signature is that of m, in constant time. For
// a bucket in the path botocore signs a slash behind it that it does not send.
func (c *Claim) matches2(m *message2, secret string) bool {
	ok := subtle.ConstantTimeCompare([]byte(m.sign(secret)), []byte(c.signature)) == 1
	if !ok && len(m.path) > 1 && strings.LastIndexByte(m.path, '/') == 0 {
		n := *m
		n.path += "/"
		ok = subtle.ConstantTimeCompare([]byte(n.sign(secret)), []byte(c.signature)) == 1
	}
	return ok
}

// explain2 says what is likely wrong with a request whose signature of
// Version 2 does not match.
func (c *Claim) explain2(m message2, q []parameter, secret string) string {
	for _, p := range q {
		if n := m; strings.EqualFold(p.name, "Content-Type") && p.value != m.contentType {
			if n.contentType = p.value; c.matches2(&n, secret) {
				return "the Content-Type is wrong: the link is made for " + strconv.Quote(p.value) + "; send it in a header"
			}
		}
	}
	if n := m; m.contentType != "" {
		if n.contentType = ""; c.matches2(&n, secret) {
			return "the link is made for a request without the header Content-Type: leave it out"
		}
	}
	if n := m; m.sub != "" {
		if n.sub = ""; c.matches2(&n, secret) {
			return "the signature does not cover the parameters " + shorten(m.sub[1:]) + ": sign with Signature Version 4, which covers all"
		}
	}
	return "method " + m.method + " and resource " + strconv.Quote(shorten(m.path+m.sub)) +
		" were taken as signed: most likely the secret does not belong to access key " + shorten(c.accessKey)
}
