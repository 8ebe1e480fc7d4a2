package client

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"twinbucket/fault"
)

// Response headers of Twinbucket's errors.
const (
	headerHint = "X-Twinbucket-Hint"
	headerCode = "X-Twinbucket-Code" // on answers without a body
)

const codeSkewed = "RequestTimeTooSkewed"

// throttled holds the codes of requests that were not carried out because
// there were too many.
var throttled = map[string]bool{
	"SlowDown": true, "Throttling": true, "ThrottlingException": true, "TooManyRequestsException": true,
	"RequestLimitExceeded": true, "TooManyRequests": true,
}

// kinds holds the codes whose kind their HTTP status does not tell.
var kinds = map[string]fault.Kind{
	"AlreadyExistsException":  fault.Exists,
	"BucketAlreadyExists":     fault.Exists,
	"BucketAlreadyOwnedByYou": fault.Exists,
	"EntityAlreadyExists":     fault.Exists,
	"ExpiredToken":            fault.Unknown,
	"ExpiredTokenException":   fault.Unknown,
	"InvalidAccessKeyId":      fault.Unknown,
	"InvalidClientTokenId":    fault.Unknown,
	"InvalidToken":            fault.Unknown,
	"SignatureDoesNotMatch":   fault.Unknown,
	"AccessDenied":            fault.Denied,
	"EntityTooLarge":          fault.TooLarge,
	"KeyTooLongError":         fault.TooLarge,
	"NoSuchEntity":            fault.NotFound,
	"NotFoundException":       fault.NotFound,
	"JobStatusException":      fault.Conflict,
	"InvalidChangeSetStatus":  fault.Conflict,
	"RequestTimeout":          fault.Busy,
	"InternalError":           fault.Busy,
	"InternalFailure":         fault.Busy,
	"ServiceUnavailable":      fault.Busy,
}

// kindOf returns the kind of an error that a server answered.
func kindOf(status int, code, message string) fault.Kind {
	if k, ok := kinds[code]; ok {
		return k
	}
	if throttled[code] {
		return fault.Busy
	}
	if code == "ValidationError" && strings.HasSuffix(message, "does not exist") {
		return fault.NotFound // how CloudFormation says it
	}
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return fault.Denied
	case http.StatusNotFound, http.StatusGone:
		return fault.NotFound
	case http.StatusConflict:
		return fault.Conflict
	case http.StatusPreconditionFailed, http.StatusNotModified:
		return fault.Precondition
	case http.StatusRequestEntityTooLarge:
		return fault.TooLarge
	case http.StatusNotImplemented:
		return fault.Unsupported
	case http.StatusInsufficientStorage:
		return fault.NoSpace
	case http.StatusTooManyRequests:
		return fault.Busy
	}
	if status >= 500 {
		return fault.Busy
	}
	return fault.Invalid
}

// document is an error as XML, in any of its shapes.
type document struct {
	XMLName xml.Name
	Code    string
	Message string
	Hint    string
	Inner   struct {
		Code, Message, Hint string
	} `xml:"Error"`
}

// read returns what the document says, "" for the code if it is no error.
func (d *document) read() (code, message, hint string) {
	switch {
	case d.XMLName.Local == "Error":
		return d.Code, d.Message, d.Hint
	case d.XMLName.Local == "ErrorResponse":
		return d.Inner.Code, d.Inner.Message, d.Inner.Hint
	}
	return "", "", ""
}

// refused reads the error that resp answers.
func (c *Client) refused(k *call, resp *http.Response) error {
	// A body that breaks off says no less than none.
	data, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	var d document
	_ = xml.Unmarshal(data, &d)
	code, message, hint := d.read()
	if code == "" {
		code = resp.Header.Get(headerCode)
	}
	if code == "" {
		code = codeOf(k, resp.StatusCode)
	}
	if hint == "" {
		hint = resp.Header.Get(headerHint)
	}
	if message == "" {
		message = "HTTP " + strconv.Itoa(resp.StatusCode) + " " + http.StatusText(resp.StatusCode)
		if text := strings.TrimSpace(string(data)); text != "" {
			hint = fmt.Sprintf("the answer is not one of AWS's APIs: %.200q", text)
		}
	}
	if region := resp.Header.Get("X-Amz-Bucket-Region"); hint == "" && region != "" && region != c.region {
		hint = "the bucket is in the region " + region
	}
	e := fault.New(kindOf(resp.StatusCode, code, message), code, message)
	e.Hint, e.RetryAfter = hint, retryAfter(resp.Header.Get("Retry-After"))
	if code == codeSkewed && c.learnTime(resp.Header.Get("Date")) {
		e.Kind = fault.Busy
	}
	return e
}

// codeOf returns the code of an answer that names none, such as one to HEAD.
func codeOf(k *call, status int) string {
	switch status {
	case http.StatusNotFound:
		if strings.Count(k.path, "/") > 1 {
			return "NoSuchKey"
		}
		return "NoSuchBucket"
	case http.StatusForbidden, http.StatusUnauthorized:
		return "AccessDenied"
	case http.StatusNotModified:
		return "NotModified"
	case http.StatusPreconditionFailed:
		return "PreconditionFailed"
	case http.StatusMethodNotAllowed:
		return "MethodNotAllowed"
	case http.StatusMovedPermanently:
		return "PermanentRedirect"
	case http.StatusRequestedRangeNotSatisfiable:
		return "InvalidRange"
	}
	return strings.ReplaceAll(http.StatusText(status), " ", "")
}

func retryAfter(s string) time.Duration {
	if n, err := strconv.Atoi(s); err == nil && n > 0 {
		return time.Duration(n) * time.Second
	}
	if t, err := http.ParseTime(s); err == nil {
		return max(time.Until(t), 0)
	}
	return 0
}

// learnTime sets the clock's offset by a server's Date and reports whether
// that made a difference.
func (c *Client) learnTime(date string) bool {
	t, err := http.ParseTime(date)
	if err != nil {
		return false
	}
	offset := time.Until(t)
	before := time.Duration(c.offset.Swap(int64(offset)))
	return (offset - before).Abs() > time.Minute
}

// errorInside returns the error of an answer that began with 200 and ended
// badly, as CopyObject's and CompleteMultipartUpload's may.
func errorInside(resp *http.Response, data []byte) error {
	if root := rootOf(data); root != "Error" && root != "ErrorResponse" {
		return nil
	}
	var d document
	if err := xml.Unmarshal(data, &d); err != nil {
		return badAnswer(resp, data, err)
	}
	code, message, hint := d.read()
	e := fault.New(kindOf(http.StatusBadRequest, code, message), code, message)
	if hint == "" {
		hint = resp.Header.Get(headerHint)
	}
	e.Hint = hint
	return e
}

// rootOf returns the name of a document's outer element, "" if it has none.
func rootOf(data []byte) string {
	d := xml.NewDecoder(bytes.NewReader(data))
	for {
		t, err := d.RawToken()
		if err != nil {
			return ""
		}
		if e, ok := t.(xml.StartElement); ok {
			return e.Name.Local
		}
	}
}

// badAnswer is the error for an answer that cannot be read.
func badAnswer(resp *http.Response, data []byte, cause error) error {
	e := fault.Newf(fault.Damaged, "", "The server answered HTTP %d with something that cannot be read.", resp.StatusCode)
	e.Err = cause
	return e.WithHint("is this an endpoint of AWS's APIs? it answered %.200q", data)
}

// fault makes an Error of whatever went wrong with a call.
func (c *Client) fault(k *call, err error) *fault.Error {
	var e *fault.Error
	if !errors.As(err, &e) {
		e = c.broken(k, err)
	}
	e.Op, e.Thing = k.op, k.thing
	return e
}

// broken is the error for a call that got no answer, or half of one.
func (c *Client) broken(k *call, err error) *fault.Error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return &fault.Error{Message: "The request was given up.", Err: err}
	}
	u, _ := c.endpoint(k.service, k.account)
	e := &fault.Error{Kind: fault.Busy, Message: "The connection broke.", Err: err}
	var op *net.OpError
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		e.Message, e.Hint = "The endpoint's name cannot be resolved.", "check the endpoint "+u.Scheme+"://"+u.Host
	case errors.As(err, &op) && op.Op == "dial":
		e.Message, e.Hint = "Nothing answers at the endpoint.", "is the server running at "+u.Scheme+"://"+u.Host+"?"
	}
	return e
}
