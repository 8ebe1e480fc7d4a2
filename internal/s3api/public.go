package s3api

import (
	"bytes"
	"sync"

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

// publics remembers for which buckets strangers are kept out.
type publics struct{ m sync.Map } // name → restriction

type restriction struct {
	revision uint64
	on       bool
}

// restricted reports whether b has a public policy and RestrictPublicBuckets:
// then only its owner's account is let in.
func (p *publics) restricted(b *bucket.Bucket) bool {
	doc := b.Documents[bucket.PublicAccessBlock]
	if doc == nil || !bytes.Contains(doc, []byte("RestrictPublicBuckets")) {
		return false
	}
	if v, ok := p.m.Load(b.Name); ok && v.(restriction).revision == b.Revision {
		return v.(restriction).on
	}
	r := restriction{b.Revision, setting.Blocks(b, "RestrictPublicBuckets") && public(b.Documents[bucket.Policy])}
	p.m.Store(b.Name, r)
	return r.on
}
