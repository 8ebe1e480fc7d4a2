package sigv4

import (
	"fmt"
	"strconv"
	"time"

	"twinbucket/fault"
)

const mismatchMessage = "The request signature we calculated does not match the signature you provided. " +
	"Check your key and signing method."

func malformed(detail string) *fault.Error {
	return fault.New(fault.Invalid, "AuthorizationHeaderMalformed", "The authorization header is malformed; "+detail)
}

// Refuse returns the fault of a credential that the server does not take, in
// the words of the place that it stands in: the Authorization header, a
// presigned URL, an HTML form.
func (c *Claim) Refuse(detail string) *fault.Error {
	switch {
	case c.form:
		return formError("X-Amz-Credential", shorten(c.credential), detail)
	case c.presigned:
		return badParameter("Error parsing the X-Amz-Credential parameter; " + detail)
	}
	return malformed(detail)
}

func manyMechanisms() *fault.Error {
	return fault.New(fault.Invalid, "InvalidArgument",
		"Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, "+
			"Signature query string parameter or the Authorization header should be specified")
}

func badParameter(message string) *fault.Error {
	return fault.New(fault.Invalid, "AuthorizationQueryParametersError", message)
}

func unsupportedAlgorithm() *fault.Error {
	return fault.New(fault.Invalid, "InvalidRequest",
		"The authorization mechanism you have provided is not supported. Please use "+Algorithm+".").
		WithHint("asymmetric signatures are not offered")
}

// badAuthorization is the fault of an Authorization header that is none of
// Version 4 or 2.
func badAuthorization(header, message string) *fault.Error {
	return fault.New(fault.Invalid, "InvalidArgument", message).WithHint("sign with %s", Algorithm).
		With("ArgumentName", "Authorization").With("ArgumentValue", shorten(header))
}

func noDate() *fault.Error {
	return fault.New(fault.Denied, "AccessDenied", "AWS authentication requires a valid Date or x-amz-date header")
}

func badPayload(s string) *fault.Error {
	return fault.Newf(fault.Invalid, "InvalidArgument", "x-amz-content-sha256 must be %s, %s, %s, %s, "+
		"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER or a valid sha256 value.",
		UnsignedPayload, streamingUnsignedTrailer, streamingPayload, streamingTrailer).
		With("ArgumentName", "x-amz-content-sha256").With("ArgumentValue", shorten(s))
}

// shorten cuts text that a client sent down to what a message can hold.
func shorten(s string) string { return s[:min(len(s), 100)] }

func mismatch() *fault.Error {
	return fault.New(fault.Denied, "SignatureDoesNotMatch", mismatchMessage)
}

// tellSigned adds to a mismatch what the server took as signed, by which a
// client finds where it signs otherwise.
func (c *Claim) tellSigned(e *fault.Error, toSign, canonical string) *fault.Error {
	e.With("AWSAccessKeyId", c.accessKey).With("StringToSign", toSign).
		With("SignatureProvided", c.signature).With("StringToSignBytes", fmt.Sprintf("% x", toSign))
	if canonical != "" {
		e.With("CanonicalRequest", canonical).With("CanonicalRequestBytes", fmt.Sprintf("% x", canonical))
	}
	return e
}

func skewed(signed, now time.Time) *fault.Error {
	return fault.New(fault.Denied, "RequestTimeTooSkewed",
		"The difference between the request time and the current time is too large.").
		WithHint("the request was signed at %s and it is %s here, more than %v apart: set the client's clock",
			signed.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339), MaxSkew).
		With("RequestTime", signed.UTC().Format(timeLayout)).With("ServerTime", now.UTC().Format(time.RFC3339)).
		With("MaxAllowedSkewMilliseconds", strconv.FormatInt(MaxSkew.Milliseconds(), 10))
}

func expired(end, now time.Time) *fault.Error {
	return fault.New(fault.Denied, "AccessDenied", "Request has expired").
		WithHint("the URL was valid until %s and it is %s here: make a new one",
			end.UTC().Format(timeLayout), now.UTC().Format(timeLayout)).
		With("Expires", end.UTC().Format(time.RFC3339)).With("ServerTime", now.UTC().Format(time.RFC3339))
}

func digestMismatch(want, got string) *fault.Error {
	return fault.New(fault.Invalid, "XAmzContentSHA256Mismatch",
		"The provided 'x-amz-content-sha256' header does not match what was computed.").
		WithHint("the body that arrived is not the body that was signed").
		With("ClientComputedContentSHA256", want).With("S3ComputedContentSHA256", got)
}

func incomplete(hint string) *fault.Error {
	return fault.New(fault.Invalid, "IncompleteBody", "The request body terminated unexpectedly").WithHint("%s", hint)
}

// wrongLength is the fault of a body whose length is not the one that was said.
func wrongLength(hint string) *fault.Error {
	return fault.New(fault.Invalid, "IncompleteBody",
		"You did not provide the number of bytes specified by the Content-Length HTTP header").WithHint("%s", hint)
}

func badTrailer(hint string) *fault.Error {
	return fault.New(fault.Invalid, "MalformedTrailerError",
		"The request contained trailing data that was not well-formed or did not conform to our published schema.").
		WithHint("%s", hint)
}

func badURI(hint string) *fault.Error {
	return fault.New(fault.Invalid, "InvalidURI", "Couldn't parse the specified URI.").WithHint("%s", hint)
}
