package wire

//lint:file-ignore SA1008 the headers are kept in AWS's spelling, see Set

import (
	"encoding/xml"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"twinbucket/fault"
)

// Shape is the form in which an API writes its errors.
type Shape uint8

// The shapes. Clients insist on them: the Go SDK takes a bare <Error> from S3
// Control for an unknown error.
const (
	S3      Shape = iota // <Error><Code/>...<RequestId/></Error>
	Control              // <ErrorResponse><Error><Code/>...</Error><RequestId/></ErrorResponse>
	Query                // the same with <Type>Sender</Type> in <Error>; IAM, STS, CloudFormation
)

// Response headers of errors: the hint, and on answers without a body the
// code.
const (
	HintHeader = "X-Twinbucket-Hint"
	CodeHeader = "X-Twinbucket-Code"

	// RegionHeader names a bucket's region, as AWS writes it; after a signature
	// for another one, the region to sign for.
	RegionHeader = "x-amz-bucket-region"
)

// maxHint is the longest hint in a header, in bytes.
const maxHint = 1024

const internalMessage = "We encountered an internal error. Please try again."

// The XML of the shapes. Hint is ours; clients ignore elements they do not
// know.
type s3Error struct {
	XMLName    xml.Name `xml:"Error"`
	Code       string
	Message    string
	Details    []xmlDetail
	BucketName string `xml:",omitempty"`
	Key        string `xml:",omitempty"`
	Resource   string `xml:",omitempty"`
	Hint       string `xml:",omitempty"`
	RequestID  string `xml:"RequestId"`
	HostID     string `xml:"HostId"`
}

// xmlDetail is a fault.Detail; its element is called as the detail is.
type xmlDetail struct {
	XMLName xml.Name
	Value   string `xml:",chardata"`
}

type wrappedError struct {
	XMLName   xml.Name
	Type      string `xml:"Error>Type,omitempty"`
	Code      string `xml:"Error>Code"`
	Message   string `xml:"Error>Message"`
	Hint      string `xml:"Error>Hint,omitempty"`
	RequestID string `xml:"RequestId"`
	HostID    string `xml:"HostId,omitempty"`
}

// WriteError answers r with err in the given shape. Namespace is that of the
// outer element of the Control and Query shapes, "" for none. The answer to
// HEAD, and one with status 304, has headers only. What went wrong inside
// (kinds Other and Damaged) is not told to the client; log it before.
func WriteError(w http.ResponseWriter, r *http.Request, shape Shape, namespace string, err error) {
	id := RequestID(w)
	status := Status(err)
	code, message, hint := describe(shape, err)
	h := w.Header()
	if hint != "" {
		h.Set(HintHeader, headerText(hint))
	}
	if wait := fault.RetryAfter(err); wait > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10))
	}
	if r.Method == http.MethodHead || status == http.StatusNotModified {
		// HEAD has no body, so the code goes where our client finds it.
		h.Set(CodeHeader, code)
		h.Del("Content-Length")
		w.WriteHeader(status)
		return
	}
	if shape == S3 {
		e := s3Error{Code: code, Message: message, Hint: hint, RequestID: id, HostID: HostID(h), Resource: r.URL.Path}
		switch thing := thingOf(err); code {
		case "NoSuchBucket", "BucketNotEmpty", "BucketAlreadyExists", "BucketAlreadyOwnedByYou", "InvalidBucketName",
			"ReplicationConfigurationNotFoundError", "NoSuchBucketPolicy", "NoSuchTagSet", "NoSuchPublicAccessBlockConfiguration",
			"NoSuchLifecycleConfiguration", "NoSuchCORSConfiguration", "NoSuchWebsiteConfiguration", "ObjectLockConfigurationNotFoundError":
			e.BucketName = thing
		case "NoSuchKey", "NoSuchVersion":
			e.Key = thing
		}
		for _, d := range fault.DetailsOf(err) {
			e.Details = append(e.Details, xmlDetail{xml.Name{Local: d.Name}, d.Value})
		}
		WriteXML(w, status, e)
		return
	}
	e := wrappedError{
		XMLName: xml.Name{Space: namespace, Local: "ErrorResponse"},
		Code:    code, Message: message, Hint: hint, RequestID: id,
	}
	if shape == Control {
		e.HostID = HostID(h)
	} else if e.Type = "Sender"; status >= http.StatusInternalServerError {
		e.Type = "Receiver"
	}
	WriteXML(w, status, e)
}

// describe returns the code, message and hint of err for a client.
func describe(shape Shape, err error) (code, message, hint string) {
	kind := fault.KindOf(err)
	code, message, hint = fault.CodeOf(err), fault.MessageOf(err), fault.HintOf(err)
	if code == "" {
		code = defaultCode(shape, kind)
	}
	switch {
	case kind == fault.Damaged || (kind == fault.Other && message == ""):
		message = internalMessage
	case message == "":
		message = "The request failed: " + kind.String() + "."
	}
	return code, message, hint
}

// defaultCode is the code of an error for which AWS has no better name.
func defaultCode(shape Shape, kind fault.Kind) string {
	if shape == Query {
		switch kind {
		case fault.Invalid, fault.TooLarge, fault.Precondition:
			return "ValidationError"
		case fault.NotFound:
			return "NoSuchEntity"
		case fault.Exists:
			return "EntityAlreadyExists"
		case fault.Busy, fault.Closed:
			return "ServiceUnavailable"
		case fault.Other, fault.Damaged, fault.NoSpace:
			return "InternalFailure"
		}
	}
	switch kind {
	case fault.Invalid:
		return "InvalidRequest"
	case fault.NotFound:
		return "NotFound"
	case fault.Exists, fault.Conflict:
		return "OperationAborted"
	case fault.Denied, fault.Unknown:
		return "AccessDenied"
	case fault.Precondition:
		return "PreconditionFailed"
	case fault.TooLarge:
		return "EntityTooLarge"
	case fault.Unsupported:
		return "NotImplemented"
	case fault.Busy:
		return "SlowDown"
	case fault.Closed:
		return "ServiceUnavailable"
	}
	if shape == Control {
		return "InternalServiceException"
	}
	return "InternalError"
}

// headerText makes s fit for a header: printable ASCII, of bounded length.
func headerText(s string) string {
	if len(s) > maxHint {
		s = s[:maxHint]
	}
	return strings.Map(func(c rune) rune {
		switch {
		case c < ' ' || c == 0x7f:
			return ' '
		case c > 0x7f:
			return '?'
		}
		return c
	}, s)
}

// thingOf returns the innermost thing that err names.
func thingOf(err error) string {
	thing := ""
	var e *fault.Error
	for errors.As(err, &e) {
		if e.Thing != "" {
			thing = e.Thing
		}
		err = e.Err
	}
	return thing
}
