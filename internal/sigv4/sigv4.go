// Package sigv4 signs HTTP requests with AWS Signature Version 4 and verifies
// such signatures: in the Authorization header, in a presigned URL, and over
// bodies sent in signed chunks with trailers. Of Signature Version 2 it
// verifies presigned URLs, which older clients still make.
//
// A server calls Parse, looks up the secret of the claimed access key, calls
// Claim.Verify, and reads the body only through Verified.Body:
//
//	claim, err := sigv4.Parse(r)            // nil, nil: the request is anonymous
//	v, err := claim.Verify(r, secret, now)  // the headers are the key owner's
//	body := v.Body(r.Body, r.ContentLength) // the bytes are, too, when Read says io.EOF
//
// The signature is checked over the Host and the path as received; any region
// in the scope is accepted. S3 (service "s3") encodes the path once and
// announces the body's hash in x-amz-content-sha256; other services encode it
// twice and sign the hash of the body, which Verify therefore reads.
//
// Source: Amazon S3 API Reference, "Authenticating Requests (AWS Signature
// Version 4)"; for Version 2 see version2.go. Errors are *fault.Error with S3's codes and texts.
package sigv4

import (
	"strings"
	"time"
)

// Algorithm is the only signing algorithm offered here.
const Algorithm = "AWS4-HMAC-SHA256"

// What x-amz-content-sha256 may say instead of a digest, and the digest of
// an empty body.
const (
	UnsignedPayload = "UNSIGNED-PAYLOAD"
	EmptyPayload    = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

	streamingPayload         = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	streamingTrailer         = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	streamingUnsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

// Limits and tolerances.
const (
	// MaxSkew is how far a request's time may be from the server's.
	MaxSkew = 15 * time.Minute
	// MaxExpires is the longest life of a presigned URL.
	MaxExpires = 7 * 24 * time.Hour

	maxAuthorization = 16 << 10 // bytes of an Authorization header
	maxQuery         = 64 << 10 // bytes of a query string
	maxAmz           = 256      // x-amz- headers, and values of one, under Version 2
	maxBuffered      = 4 << 20  // bytes of a body that Verify reads, other services than S3
)

const (
	timeLayout = "20060102T150405Z"
	dateLayout = "20060102"
	terminator = "aws4_request"
)

// Credentials are what a client signs with. Token is that of a session, ""
// for a long-lived key.
type Credentials struct{ AccessKey, Secret, Token string }

// Scope is a credential scope: where a signature is valid.
type Scope struct {
	Date    string // yyyymmdd
	Region  string // "us-east-1"
	Service string // "s3", "iam", "sts", "cloudformation"
}

// String returns the scope as it is signed.
func (s Scope) String() string {
	return s.Date + "/" + s.Region + "/" + s.Service + "/" + terminator
}

// s3 reports whether S3's rules hold: the path is encoded once and the body
// is announced in a header.
func (s Scope) s3() bool { return s.Service == "s3" }

// Payload says what a signature covers of the body.
type Payload uint8

// The payloads.
const (
	Hashed                 Payload = iota // its SHA-256
	Unsigned                              // nothing
	Chunked                               // signed chunks
	ChunkedTrailer                        // signed chunks and a signed trailer
	UnsignedChunkedTrailer                // unsigned chunks and an unsigned trailer
)

var payloadNames = [...]string{
	Hashed: "SHA256", Unsigned: UnsignedPayload, Chunked: streamingPayload,
	ChunkedTrailer: streamingTrailer, UnsignedChunkedTrailer: streamingUnsignedTrailer,
}

// String returns the payload as x-amz-content-sha256 names it; Hashed as
// "SHA256".
func (p Payload) String() string { return payloadNames[p] }

// Streaming reports whether the body is in the aws-chunked encoding.
func (p Payload) Streaming() bool { return p >= Chunked }

// signed reports whether each chunk carries a signature.
func (p Payload) signed() bool { return p == Chunked || p == ChunkedTrailer }

// trailer reports whether a trailer follows the chunks.
func (p Payload) trailer() bool { return p >= ChunkedTrailer }

// payloadOf reads x-amz-content-sha256.
func payloadOf(s string) (Payload, error) {
	switch s {
	case UnsignedPayload:
		return Unsigned, nil
	case streamingPayload:
		return Chunked, nil
	case streamingTrailer:
		return ChunkedTrailer, nil
	case streamingUnsignedTrailer:
		return UnsignedChunkedTrailer, nil
	}
	if isDigest(s) {
		return Hashed, nil
	}
	if strings.HasPrefix(s, "STREAMING-AWS4-ECDSA-") {
		return 0, unsupportedAlgorithm()
	}
	return 0, badPayload(s)
}

// isDigest reports whether s is a SHA-256 in lower-case hexadecimal.
func isDigest(s string) bool {
	if len(s) != 64 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f') {
			return false
		}
	}
	return true
}
