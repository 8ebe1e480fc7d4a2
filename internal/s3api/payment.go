package s3api

import (
	"strings"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/policy"
)

// requesterPays reports whether the caller has to pay for using a bucket.
func (c *call) requesterPays(b *bucket.Bucket) bool {
	return c.caller.Account != b.Owner && b.RequesterPays()
}

// payFor refuses those who have to pay for a bucket and do not say that they
// do.
func (c *call) payFor(b *bucket.Bucket) error {
	payer := c.r.Header.Get("X-Amz-Request-Payer")
	if payer == "" {
		payer = c.query.Get("x-amz-request-payer")
	}
	switch {
	case c.caller.Type == policy.Anonymous:
		return fault.New(fault.Denied, "AccessDenied", "Access Denied").On(b.Name).
			WithHint("requesters pay for bucket %s, so requests have to be signed", b.Name)
	case !strings.EqualFold(payer, "requester"):
		return fault.New(fault.Denied, "AccessDenied", "Access Denied").On(b.Name).
			WithHint("requesters pay for bucket %s: say so with x-amz-request-payer: requester", b.Name)
	}
	return nil
}
