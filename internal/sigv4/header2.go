package sigv4

import (
	"net/http"
	"strings"

	"twinbucket/fault"
)

// Source of all here: Amazon S3 API Reference, "Signing and authenticating
// REST requests (AWS signature version 2)", the Authorization header.

const scheme2 = "AWS "

// inHeader2 reports whether a request is signed by Version 2 in its header.
func inHeader2(r *http.Request) bool {
	h := r.Header["Authorization"]
	return len(h) == 1 && strings.HasPrefix(h[0], scheme2)
}

// parseHeader2 reads "AWS KEY:SIGNATURE".
func parseHeader2(r *http.Request, s string) (*Claim, error) {
	key, signature, ok := strings.Cut(strings.TrimPrefix(s, scheme2), ":")
	if !ok || key == "" || signature == "" {
		return nil, fault.New(fault.Invalid, "InvalidArgument", "AWS authorization header is invalid.  Expected AwsAccessKeyId:signature").
			With("ArgumentName", "Authorization").With("ArgumentValue", shorten(s))
	}
	c := &Claim{
		version: 2, scope: Scope{Service: "s3"}, accessKey: key, signature: signature,
		token: r.Header.Get("X-Amz-Security-Token"), timeText: r.Header.Get("Date"),
	}
	date := c.timeText
	if amz := r.Header["X-Amz-Date"]; len(amz) > 0 {
		date, c.timeText = amz[0], "" // it is signed among the x-amz- headers
	}
	if c.time, ok = parseDate(date); !ok {
		return nil, noDate()
	}
	return c, nil
}

// signedHeaders2 returns the x-amz- headers as Version 2 signs them in a header.
func signedHeaders2(h http.Header) amzList {
	all, _ := amzHeaders(h, nil) // of headers alone nothing is refused
	if date := h["X-Amz-Date"]; len(date) > 0 {
		all = append(all, amzHeader{name: "x-amz-date", values: []string{strings.TrimSpace(date[0])}})
		all.sort()
	}
	return all
}
