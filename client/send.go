package client

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"twinbucket/fault"
	"twinbucket/internal/sigv4"
)

// How calls are repeated.
const (
	maxAttempts   = 4
	firstWait     = 100 * time.Millisecond
	maxWait       = 5 * time.Second
	maxRetryAfter = 30 * time.Second
)

// maxAnswer is the longest XML answer that is read, in bytes.
const maxAnswer = 32 << 20

// call is one API call.
type call struct {
	op      string // for errors: "s3.PutObject"
	thing   string // for errors: the bucket, the object, the role
	service string
	account string // of an S3 Control call
	method  string
	path    string // not encoded, begins with a slash
	query   []string
	header  http.Header

	body io.ReadSeeker // nil: none
	size int64         // of body
	hash string        // x-amz-content-sha256; "" is that of no body
	// once is a call that must not be repeated when nobody knows whether it
	// was carried out.
	once bool
	// seen is told the headers of an answer, whatever its status; may be nil.
	seen func(http.Header)
	err  error // of making the call
}

// set adds a header unless the value is empty.
func (k *call) set(name, value string) {
	if value == "" {
		return
	}
	if k.header == nil {
		k.header = http.Header{}
	}
	k.header.Set(name, value)
}

// param adds a query parameter unless the value is empty.
func (k *call) param(name, value string) {
	if value != "" {
		k.query = append(k.query, sigv4.EncodeQuery(name)+"="+sigv4.EncodeQuery(value))
	}
}

// payload sets a body that is in memory, with its MD5 as S3 wants it for
// settings.
func (k *call) payload(data []byte) {
	sum := sha256.Sum256(data)
	k.body, k.size, k.hash = bytes.NewReader(data), int64(len(data)), hex.EncodeToString(sum[:])
	if k.service == serviceS3 {
		digest := md5.Sum(data)
		k.set("Content-Md5", base64.StdEncoding.EncodeToString(digest[:]))
	}
}

// document sets an XML body.
func (k *call) document(v any) {
	data, err := xml.Marshal(v)
	if err != nil {
		k.err = fault.New(fault.Invalid, "MalformedXML", err.Error())
		return
	}
	k.set("Content-Type", "application/xml")
	k.payload(data)
}

// unreadable is the error for a body that fails to be read or sought.
func unreadable(err error) error {
	if err == nil {
		return nil
	}
	return &fault.Error{Message: "The body to send cannot be read.", Err: err}
}

// do makes the call and gives a good answer to use, which closes its body.
// Both are repeated while that is safe and promising.
func (c *Client) do(ctx context.Context, k *call, use func(*http.Response) error) error {
	if k.err != nil {
		return c.fault(k, k.err)
	}
	for attempt := 1; ; attempt++ {
		resp, sent, err := c.send(ctx, k)
		if err == nil {
			err = use(resp)
		}
		// The transport may read the body for a while after it has answered.
		select {
		case <-sent:
		case <-ctx.Done():
		}
		if err == nil {
			return nil
		}
		e := c.fault(k, err)
		if attempt >= maxAttempts || !k.repeatable(e) || ctx.Err() != nil {
			return e
		}
		timer := time.NewTimer(backoff(attempt, e.RetryAfter))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return e
		}
	}
}

// repeatable reports whether a call that failed with e may be made again.
func (k *call) repeatable(e *fault.Error) bool {
	if e.Code == codeSkewed {
		return e.Kind == fault.Busy
	}
	return e.Kind == fault.Busy && (!k.once || throttled[e.Code])
}

// backoff returns how long to wait after an attempt.
func backoff(attempt int, asked time.Duration) time.Duration {
	wait := min(firstWait<<(attempt-1), maxWait)
	wait = wait/2 + rand.N(wait/2+1)
	return max(wait, min(asked, maxRetryAfter))
}

// send makes one attempt. Sent is closed when the body is read no more.
func (c *Client) send(ctx context.Context, k *call) (_ *http.Response, sent <-chan struct{}, err error) {
	base, region := c.endpoint(k.service, k.account)
	u := base
	u.Path = base.Path + k.path
	u.RawPath = sigv4.EncodePath(u.Path)
	u.RawQuery = strings.Join(k.query, "&")
	body := &outgoing{done: make(chan struct{})}
	r := (&http.Request{
		Method: k.method, URL: &u, Host: u.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: k.header.Clone(), ContentLength: k.size, Body: http.NoBody,
	}).WithContext(ctx)
	if r.Header == nil {
		r.Header = http.Header{}
	}
	if k.size > 0 {
		if _, err := k.body.Seek(0, io.SeekStart); err != nil {
			_ = body.Close()
			return nil, body.done, unreadable(err)
		}
		body.r, r.Body = k.body, body
	} else {
		_ = body.Close()
	}
	// Nothing is to be unpacked behind our back.
	r.Header.Set("Accept-Encoding", "identity")
	r.Header.Set("User-Agent", "twinbucket")
	if k.account != "" {
		r.Header.Set("X-Amz-Account-Id", k.account)
	}
	if c.cred.AccessKey != "" {
		now := time.Now().Add(time.Duration(c.offset.Load()))
		sigv4.Sign(r, sigv4.Credentials(c.cred), region, k.service, k.hash, now)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, body.done, err
	}
	if k.seen != nil {
		k.seen(resp.Header)
	}
	if resp.StatusCode >= 300 {
		defer resp.Body.Close()
		return nil, body.done, c.refused(k, resp)
	}
	return resp, body.done, nil
}

// outgoing is a request body that says when the transport is done with it.
type outgoing struct {
	r    io.Reader
	done chan struct{}
	once sync.Once
}

// Read implements io.Reader.
func (b *outgoing) Read(p []byte) (int, error) { return b.r.Read(p) }

// Close implements io.Closer; it does not close what is read.
func (b *outgoing) Close() error {
	b.once.Do(func() { close(b.done) })
	return nil
}

// empty makes a call whose answer says nothing.
func (c *Client) empty(ctx context.Context, k *call) error {
	return c.do(ctx, k, discard)
}

// discard reads what little an answer holds, so that its connection can be
// used again.
func discard(resp *http.Response) error {
	defer resp.Body.Close()
	_, err := io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	return err
}

// fetch makes a call and reads its XML answer into v.
func (c *Client) fetch(ctx context.Context, k *call, v any) error {
	return c.do(ctx, k, func(resp *http.Response) error { return decodeInto(resp, v) })
}

// decodeInto reads an XML answer that may turn out to be an error.
func decodeInto(resp *http.Response, v any) error {
	data, err := readAnswer(resp)
	if err != nil {
		return err
	}
	if err := errorInside(resp, data); err != nil {
		return err
	}
	if err := xml.Unmarshal(data, v); err != nil {
		return badAnswer(resp, data, err)
	}
	return nil
}

// readAnswer reads and closes an answer's body.
func readAnswer(resp *http.Response) ([]byte, error) {
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err == nil && len(data) > maxAnswer {
		err = fault.New(fault.TooLarge, "", "The server's answer is too long.")
	}
	return data, err
}

// onBucket begins a call on a bucket's sub-resource, "" for the bucket.
func onBucket(op, method, bucket, resource string) *call {
	k := &call{op: "s3." + op, thing: bucket, service: serviceS3, method: method, path: "/" + bucket}
	if resource != "" {
		k.query = []string{resource + "="}
	}
	return k
}

// onObject begins a call on an object or one version of it.
func onObject(op, method, bucket, key, version string) *call {
	k := &call{op: "s3." + op, thing: bucket + "/" + key, service: serviceS3, method: method, path: "/" + bucket + "/" + key}
	k.param("versionId", version)
	return k
}

// decode undoes encoding-type=url.
func decode(encoding string, fields ...*string) error {
	if encoding != "url" {
		return nil
	}
	for _, f := range fields {
		s, err := url.QueryUnescape(*f)
		if err != nil {
			return fault.New(fault.Damaged, "", "The server's listing holds a key that is not encoded right.").On(*f)
		}
		*f = s
	}
	return nil
}
