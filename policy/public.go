package policy

import (
	"slices"
	"strings"

	"twinbucket/arn"
)

// Public reports whether the document of a bucket is public as the Amazon S3
// User Guide has it, "Blocking public access", "The meaning of public": some
// statement allows everybody, or everybody whom some provider of identities
// knows, and no condition of it narrows that down to fixed values of the keys that say who or from where. A fixed value has no
// wildcard and no policy variable, and an address range is none if it is wider
// than a /8, or a /32 of IPv6. Deny statements do not count: a policy with a
// public statement is public whatever else it says.
func (d *Document) Public() bool {
	for i := range d.statements {
		if d.statements[i].public() {
			return true
		}
	}
	return false
}

func (s *statement) public() bool {
	return s.effect == Allow &&
		slices.ContainsFunc(s.principals, func(e entry) bool { return e.match == everyone || e.form == "Federated" }) &&
		!slices.ContainsFunc(s.conditions, func(c condition) bool { return c.narrows() })
}

const (
	sourceIP        = "aws:sourceip"
	accessPointARN  = "s3:dataaccesspointarn"
	widestRange     = 8  // bits of the widest range of IPv4 that narrows
	widestIPv6Range = 32 // and of IPv6
)

// narrowingKeys are the condition keys that keep a statement from being
// public, if their values are fixed.
var narrowingKeys = []string{
	"aws:principalaccount", "aws:principalarn", "aws:principalorgid", "aws:principalorgpaths",
	"aws:sourceaccount", "aws:sourcearn", sourceIP, "aws:sourceowner", "aws:sourcevpc", "aws:sourcevpce", "aws:userid",
	accessPointARN, "s3:dataaccesspointaccount", "s3:x-amz-server-side-encryption-aws-kms-key-id",
}

// narrowingOperators are the operators that demand one of the values.
var narrowingOperators = []string{"ArnEquals", "ArnLike", "IpAddress", "StringEquals", "StringEqualsIgnoreCase", "StringLike"}

// narrows reports whether the condition admits fixed callers or places only.
func (c *condition) narrows() bool {
	return slices.Contains(narrowingOperators, strings.TrimPrefix(c.operator, "ForAnyValue:")) &&
		slices.Contains(narrowingKeys, c.key.name) &&
		!slices.ContainsFunc(c.texts, func(text string) bool { return !fixed(c.key.name, text) })
}

// fixed reports whether text is a fixed value of a key.
func fixed(key, text string) bool {
	switch key {
	case sourceIP:
		if p, ok := parseNetwork(text); ok {
			return p.Bits() >= widestIPv6Range || p.Addr().Is4() && p.Bits() >= widestRange
		}
	case accessPointARN:
		// The access point may be any, as long as its account is fixed.
		if i := strings.LastIndexByte(text, ':'); i >= 0 {
			head := text[:i]
			return literal(head) && arn.ValidAccount(head[strings.LastIndexByte(head, ':')+1:])
		}
	}
	return literal(text)
}

// literal reports whether text has neither wildcards nor policy variables.
func literal(text string) bool {
	return !strings.ContainsAny(text, "*?") && !strings.Contains(text, "${")
}
