package s3api

import (
	"bytes"

	"twinbucket/bucket"
	"twinbucket/policy"
	"twinbucket/setting"
)

// public reports whether a stored bucket policy is public. One that cannot be
// read any more is not: it denies everything.
func public(data []byte) bool {
	doc, err := policy.Parse(data, policy.Resource)
	return err == nil && doc.Public()
}

// restricted reports whether b has a public policy and RestrictPublicBuckets:
// then only its owner's account is let in.
func (s *server) restricted(b *bucket.Bucket) bool {
	doc := b.Documents[bucket.PublicAccessBlock]
	if doc == nil || !bytes.Contains(doc, []byte("RestrictPublicBuckets")) {
		return false
	}
	return s.publics.Of(b, func(b *bucket.Bucket) bool {
		return setting.Blocks(b, "RestrictPublicBuckets") && public(b.Documents[bucket.Policy])
	})
}
