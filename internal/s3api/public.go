package s3api

import (
	"bytes"
	"encoding/json"
	"strings"
	"sync"

	"twinbucket/bucket"
)

// public reports whether a bucket policy, which is a valid one, is public as
// the S3 User Guide has it ("The meaning of public"): a statement lets
// everybody in, and no condition narrows that down to known places.
func public(doc []byte) bool {
	var p struct{ Statement json.RawMessage }
	if json.Unmarshal(doc, &p) != nil {
		return false
	}
	for _, s := range statementsOf(p.Statement) {
		if s.Effect == "Allow" && (everybody(s.Principal) || len(s.NotPrincipal) > 0) && !narrow(s.Condition) {
			return true
		}
	}
	return false
}

type publicStatement struct {
	Effect       string
	Principal    any
	NotPrincipal json.RawMessage
	Condition    map[string]map[string]any
}

// statementsOf returns the statements of a policy: one, or a list.
func statementsOf(raw json.RawMessage) []publicStatement {
	var list []publicStatement
	if json.Unmarshal(raw, &list) == nil {
		return list
	}
	var one publicStatement
	if json.Unmarshal(raw, &one) == nil {
		return []publicStatement{one}
	}
	return nil
}

// everybody reports whether a Principal element holds "*".
func everybody(principal any) bool {
	switch v := principal.(type) {
	case string:
		return v == "*"
	case []any:
		for _, e := range v {
			if everybody(e) {
				return true
			}
		}
	case map[string]any:
		return everybody(v["AWS"])
	}
	return false
}

// narrowing are the condition keys that make a statement not public, if their
// values are fixed.
var narrowing = map[string]bool{
	"aws:principalorgid": true, "aws:sourceaccount": true, "aws:sourcearn": true, "aws:sourceip": true,
	"aws:sourcevpc": true, "aws:sourcevpce": true, "aws:sourceowner": true, "aws:userid": true,
	"aws:principalarn": true, "aws:principalaccount": true, "aws:principalorgpaths": true,
	"s3:dataaccesspointaccount": true, "s3:dataaccesspointarn": true, "s3:x-amz-server-side-encryption-aws-kms-key-id": true,
}

// narrow reports whether a condition admits known places only.
func narrow(condition map[string]map[string]any) bool {
	for operator, keys := range condition {
		op := strings.ToLower(operator)
		if strings.Contains(op, "not") || strings.HasSuffix(op, "ifexists") || strings.HasPrefix(op, "forallvalues:") || op == "null" {
			continue
		}
		for key, value := range keys {
			if narrowing[strings.ToLower(key)] && fixed(value) {
				return true
			}
		}
	}
	return false
}

// fixed reports whether none of the values is a wildcard, a variable or the
// whole address space.
func fixed(value any) bool {
	switch v := value.(type) {
	case string:
		return !strings.ContainsAny(v, "*?$") && !strings.HasSuffix(v, "/0")
	case []any:
		for _, e := range v {
			if !fixed(e) {
				return false
			}
		}
		return len(v) > 0
	}
	return false
}

// blocks reports whether a setting of the bucket's public access block is on.
// The document is one that putPublicAccessBlock wrote, or a stack.
func blocks(b *bucket.Bucket, setting string) bool {
	doc := b.Documents[bucket.PublicAccessBlock]
	if doc == nil {
		return false
	}
	block, err := parseAccessBlock(doc)
	return err == nil && block.on(setting)
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
	r := restriction{b.Revision, blocks(b, "RestrictPublicBuckets") && public(b.Documents[bucket.Policy])}
	p.m.Store(b.Name, r)
	return r.on
}
