package sigv4

import (
	"time"

	"twinbucket/fault"
)

const mismatchMessage = "The request signature we calculated does not match the signature you provided. " +
	"Check your key and signing method."

func malformed(detail string) *fault.Error {
	return fault.New(fault.Invalid, "AuthorizationHeaderMalformed", "The authorization header is malformed; "+detail)
}

func badParameter(message string) *fault.Error {
	return fault.New(fault.Invalid, "AuthorizationQueryParametersError", message)
}

func unsupportedAlgorithm() *fault.Error {
	return fault.New(fault.Invalid, "InvalidRequest",
		"The authorization mechanism you have provided is not supported. Please use "+Algorithm+".").
		WithHint("sign with Signature Version 4; Version 2 is accepted in presigned URLs only")
}

func badPayload(s string) *fault.Error {
	return fault.Newf(fault.Invalid, "InvalidArgument", "x-amz-content-sha256 must be %s, %s, %s, %s or a valid sha256 value.",
		UnsignedPayload, streamingUnsignedTrailer, streamingPayload, streamingTrailer).
		WithHint("it is %q", shorten(s))
}

// shorten cuts text that a client sent down to what a message can hold.
func shorten(s string) string { return s[:min(len(s), 100)] }

func mismatch() *fault.Error {
	return fault.New(fault.Denied, "SignatureDoesNotMatch", mismatchMessage)
}

func skewed(signed, now time.Time) *fault.Error {
	return fault.New(fault.Denied, "RequestTimeTooSkewed",
		"The difference between the request time and the current time is too large.").
		WithHint("the request was signed at %s and it is %s here, more than %v apart: set the client's clock",
			signed.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339), MaxSkew)
}

func expired(end, now time.Time) *fault.Error {
	return fault.New(fault.Denied, "AccessDenied", "Request has expired").
		WithHint("the URL was valid until %s and it is %s here: make a new one",
			end.UTC().Format(timeLayout), now.UTC().Format(timeLayout))
}

func digestMismatch() *fault.Error {
	return fault.New(fault.Invalid, "XAmzContentSHA256Mismatch",
		"The provided 'x-amz-content-sha256' header does not match what was computed.").
		WithHint("the body that arrived is not the body that was signed")
}

func incomplete(hint string) *fault.Error {
	return fault.New(fault.Invalid, "IncompleteBody", "The request body terminated unexpectedly").WithHint("%s", hint)
}

func badTrailer(hint string) *fault.Error {
	return fault.New(fault.Invalid, "MalformedTrailerError",
		"The request contained trailing data that was not well-formed or did not conform to our published schema.").
		WithHint("%s", hint)
}

func badURI(hint string) *fault.Error {
	return fault.New(fault.Invalid, "InvalidURI", "Couldn't parse the specified URI.").WithHint("%s", hint)
}
