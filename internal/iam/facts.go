package iam

import (
	"crypto/tls"
	"net/http"
	"strconv"
)

// AddS3Facts adds the condition keys, in lower case, that every action of S3 has
// beside those of the other services: how the request was signed and sent
// (Service Authorization Reference, "Condition keys for Amazon S3").
func (c *Caller) AddS3Facts(facts map[string][]string, r *http.Request) {
	if r.TLS != nil {
		// TLS 1.0 is 0x301, and 1.3 0x304.
		facts["s3:tlsversion"] = []string{"1." + strconv.Itoa(int(r.TLS.Version)-tls.VersionTLS10)}
	}
	if sum := r.Header.Get("X-Amz-Content-Sha256"); sum != "" {
		facts["s3:x-amz-content-sha256"] = []string{sum}
	}
	v := c.Verified
	if v == nil || v.Version == 0 { // not signed
		return
	}
	facts["s3:signatureversion"] = []string{"AWS4-HMAC-SHA256"}
	if v.Version == 2 {
		facts["s3:signatureversion"] = []string{"AWS"}
	}
	switch {
	case v.Form:
		facts["s3:authtype"] = []string{"POST"}
	case v.Presigned:
		facts["s3:authtype"] = []string{"REST-QUERY-STRING"}
		if v.Version == 4 { // Version 2 does not say when it was signed
			facts["s3:signatureage"] = []string{strconv.FormatInt(v.At.Sub(v.Time).Milliseconds(), 10)}
			// The header is not signed here, and says nothing of what was.
			facts["s3:x-amz-content-sha256"] = []string{v.Digest}
		}
	default:
		facts["s3:authtype"] = []string{"REST-HEADER"}
	}
}
