package sigv4

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"twinbucket/fault"
)

// Verified is a request whose signature is right. Its body still has to be
// read through Body. It belongs to one request and is not for concurrent use.
type Verified struct {
	Version   int // of the signature: 4, or 2 in a presigned URL; 0 without one
	AccessKey string
	Token     string // session token, "" if none
	Scope     Scope
	Presigned bool      // in a URL, or in an HTML form
	Form      bool      // of an HTML form's policy: the fields are what it allows, the headers nobody's
	Time      time.Time // when the request was signed; zero in Version 2, which does not say
	At        time.Time // when Version 4 was checked
	Payload   Payload   // what the signature says about the body
	// Decoded is the body's length without its aws-chunked encoding
	// (x-amz-decoded-content-length); -1 if the body is not encoded so.
	Decoded int64

	// Digest is x-amz-content-sha256 as it was signed: the body's SHA-256 when
	// Hashed, else what stands for it.
	Digest string

	seed     string // signature that the chunks' chain starts from
	key      [sha256.Size]byte
	timeText string
	declared []string // names in x-amz-trailer, lower case, sorted
	trailers http.Header
}

// Size returns the length of the body that Body delivers, given the length
// that came over the wire; -1 if unknown.
func (v *Verified) Size(contentLength int64) int64 {
	if v.Payload.Streaming() {
		return v.Decoded
	}
	return contentLength
}

// Trailers returns the trailing headers of a chunked body, after Body's
// reader has returned io.EOF; nil before, or if there are none.
func (v *Verified) Trailers() http.Header { return v.trailers }

// Verify checks the claim against the secret of its access key. For services
// other than S3 it reads the body and puts one in its place that can be read
// again. Signed headers that came in several lines are joined to one, and the
// x-amz- parameters of a presigned URL are put among r's headers, for which they
// stand. A signature of Version 2 needs WithHostBucket. For the claim of a form
// r may be nil.
// Errors: SignatureDoesNotMatch with a hint at what is likely wrong,
// RequestTimeTooSkewed, AccessDenied (expired, not yet valid, or x-amz-
// headers that are not signed), MissingSecurityHeader,
// XAmzContentSHA256Mismatch, InvalidArgument, MissingContentLength, and
// InvalidURI.
func (c *Claim) Verify(r *http.Request, secret string, now time.Time) (*Verified, error) {
	switch {
	case c.form:
		return c.verifyForm(secret, now)
	case c.version == 2:
		return c.verifyVersion2(r, secret, now)
	}
	if err := c.checkTime(now); err != nil {
		return nil, err
	}
	if err := c.checkSigned(r.Header); err != nil {
		return nil, err
	}
	payload, err := c.payloadText(r)
	if err != nil {
		return nil, err
	}
	if c.scope.s3() {
		if _, err := payloadOf(payload); err != nil {
			return nil, err
		}
	}
	id := keyID{secret, c.scope}
	key, cached := ring.get(id)
	m := c.message(r, payload)
	ok, err := c.matches(&m, key[:])
	if !ok && err == nil && c.scope.s3() {
		// AWS decodes and encodes the path itself, so a client may send "(" and sign "%28".
		if path := EncodePath(r.URL.Path); path != m.path {
			m.path = path
			ok, err = c.matches(&m, key[:])
		}
	}
	if err != nil {
		return nil, err
	}
	if !ok {
		toSign, canonical := m.texts()
		return nil, c.tellSigned(mismatch(), toSign, canonical).WithHint("%s", c.explain(r, m, key[:]))
	}
	if !cached {
		ring.put(id, key)
	}
	c.join(r.Header)
	if c.presigned && c.scope.s3() {
		if err := unfold(r); err != nil {
			return nil, err
		}
	}
	v := &Verified{
		Version: 4, AccessKey: c.accessKey, Token: c.token, Scope: c.scope, Presigned: c.presigned, Time: c.time, At: now,
		Decoded: -1, Digest: payload, seed: c.signature, key: key, timeText: c.timeText,
	}
	return v, v.setPayload(payload, r.Header)
}

// join gives each signed header the one value that was signed: of a value cut
// in two at a comma the signature is the same, and the first part alone means
// something else.
func (c *Claim) join(h http.Header) {
	for _, name := range c.signed {
		if values := headerValues(h, name); len(values) > 1 {
			h[http.CanonicalHeaderKey(name)] = []string{strings.Join(values, ",")}
		}
	}
}

// message gathers what c's signature has to cover.
func (c *Claim) message(r *http.Request, payload string) message {
	m := message{
		method: r.Method, path: r.URL.EscapedPath(), query: r.URL.RawQuery, host: r.Host, length: r.ContentLength,
		header: r.Header, signed: c.signed, names: c.names, payload: payload, time: c.timeText, scope: c.scope,
	}
	if m.path == "" {
		m.path = "/"
	}
	if !c.scope.s3() {
		m.path = EncodePath(m.path)
	}
	return m
}

// matches reports whether c's signature is that of m, in constant time.
func (c *Claim) matches(m *message, key []byte) (bool, error) {
	sig, err := m.sign(key)
	return subtle.ConstantTimeCompare(sig[:], []byte(c.signature)) == 1, err
}

// checkTime checks the time of the claim against the server's.
func (c *Claim) checkTime(now time.Time) error {
	age := now.Sub(c.time)
	if !c.presigned {
		if age > MaxSkew || age < -MaxSkew {
			return skewed(c.time, now)
		}
		return nil
	}
	if age < -MaxSkew {
		return fault.New(fault.Denied, "AccessDenied", "Request is not yet valid").
			WithHint("the URL is valid from %s and it is %s here", c.timeText, now.UTC().Format(timeLayout))
	}
	if age > c.expires {
		e := expired(c.time.Add(c.expires), now)
		e.Details = append([]fault.Detail{{Name: "X-Amz-Expires", Value: strconv.FormatInt(int64(c.expires/time.Second), 10)}}, e.Details...)
		return e
	}
	return nil
}

// checkSigned checks that every x-amz- header is signed: whoever can add one
// to a signed request could change its meaning.
func (c *Claim) checkSigned(h http.Header) error {
	var names []string
	for name := range h {
		if strings.HasPrefix(name, "X-Amz-") && !c.signs(name) &&
			name != "X-Amz-User-Agent" && !(c.presigned && name == "X-Amz-Content-Sha256") {
			names = append(names, strings.ToLower(name))
		}
	}
	if names == nil {
		return nil
	}
	slices.Sort(names)
	list := strings.Join(names, ", ")
	return fault.New(fault.Denied, "AccessDenied", "There were headers present in the request which were not signed").
		WithHint("sign %s too, or do not send it", shorten(list)).With("HeadersNotSigned", list)
}

// payloadText returns the last line of the canonical request.
func (c *Claim) payloadText(r *http.Request) (string, error) {
	if !c.scope.s3() {
		return bufferBody(r)
	}
	if c.presigned {
		if c.payload != "" {
			return c.payload, nil
		}
		if !c.signs("x-amz-content-sha256") {
			return UnsignedPayload, nil
		}
	}
	s := r.Header.Get("X-Amz-Content-Sha256")
	if s == "" {
		return "", fault.New(fault.Invalid, "MissingSecurityHeader", "Your request was missing a required header").
			WithHint("send x-amz-content-sha256 with the SHA-256 of the body or %s, and sign it", UnsignedPayload)
	}
	return s, nil
}

// bufferBody reads the whole body, puts it back, and returns its digest.
func bufferBody(r *http.Request) (string, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return EmptyPayload, nil
	}
	data, err := io.ReadAll(io.LimitReader(r.Body, maxBuffered+1))
	if err != nil {
		e := incomplete("the body broke off")
		e.Err = err
		return "", e
	}
	if len(data) > maxBuffered {
		return "", fault.New(fault.TooLarge, "MaxMessageLengthExceeded", "Your request was too big.").
			WithHint("a request of this service has at most %d bytes", maxBuffered)
	}
	r.Body = io.NopCloser(bytes.NewReader(data))
	return hexDigest(data), nil
}

// setPayload reads what the signed headers say about the body.
func (v *Verified) setPayload(payload string, h http.Header) error {
	var err error
	if v.Payload, err = payloadOf(payload); err != nil || !v.Payload.Streaming() {
		return err
	}
	if v.Presigned {
		return badPayload(payload)
	}
	v.Decoded, err = strconv.ParseInt(h.Get("X-Amz-Decoded-Content-Length"), 10, 64)
	if err != nil || v.Decoded < 0 {
		return fault.New(fault.Invalid, "MissingContentLength", "You must provide the Content-Length HTTP header.").
			WithHint("send the body's length without chunk headers in x-amz-decoded-content-length")
	}
	if !v.Payload.trailer() {
		return nil
	}
	for _, list := range h["X-Amz-Trailer"] {
		for name := range strings.SplitSeq(list, ",") {
			if name = strings.ToLower(strings.TrimSpace(name)); name != "" {
				v.declared = append(v.declared, name)
			}
		}
	}
	if len(v.declared) > maxTrailers {
		return badTrailer("x-amz-trailer names too many headers")
	}
	slices.Sort(v.declared)
	return nil
}
