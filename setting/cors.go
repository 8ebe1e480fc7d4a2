package setting

import (
	"slices"
	"strings"

	"twinbucket/bucket"
	"twinbucket/markup"
)

const (
	maxCORSSize  = 64 << 10
	maxCORSRules = 100
	maxCORSID    = 255 // characters
)

var corsKind = kind{
	root: group("CORSConfiguration",
		needed(repeated(group("CORSRule",
			text("ID"),
			needed(repeated(text("AllowedMethod"))),
			needed(repeated(text("AllowedOrigin"))),
			repeated(text("AllowedHeader")),
			repeated(text("ExposeHeader")),
			formed("MaxAgeSeconds", integer),
		))),
	),
	limit: maxCORSSize,
	check: checkCORS,
}

// corsMethods are the methods that a rule can allow.
var corsMethods = []string{"GET", "PUT", "HEAD", "POST", "DELETE"}

func checkCORS(root *node) error {
	rules := root.all("CORSRule")
	if len(rules) > maxCORSRules {
		return invalidRequest("The number of CORS rules should not exceed allowed limit of %d rules.", maxCORSRules)
	}
	for _, r := range rules {
		if id := r.value("ID"); len([]rune(id)) > maxCORSID {
			return markup.Malformed("the ID of a CORSRule has at most %d characters", maxCORSID)
		}
		for _, m := range r.values("AllowedMethod") {
			if !slices.Contains(corsMethods, m) {
				return invalidRequest("Found unsupported HTTP method in CORS config. Unsupported method is %s", m)
			}
		}
		for _, o := range r.values("AllowedOrigin") {
			if strings.Count(o, "*") > 1 {
				return invalidRequest(`AllowedOrigin "%s" can not have more than one wildcard.`, o)
			}
		}
		for _, h := range r.values("AllowedHeader") {
			switch {
			case strings.Count(h, "*") > 1:
				return invalidRequest(`AllowedHeader "%s" can not have more than one wildcard.`, h)
			case !HeaderName(strings.Replace(h, "*", "x", 1)):
				return invalidRequest(`AllowedHeader "%s" contains invalid character.`, h)
			}
		}
		for _, h := range r.values("ExposeHeader") {
			switch {
			case strings.Contains(h, "*"):
				return invalidRequest(`ExposeHeader "%s" contains wildcard. We currently do not support wildcard for ExposeHeader.`, h)
			case !HeaderName(h):
				return invalidRequest(`ExposeHeader "%s" contains invalid character.`, h)
			}
		}
	}
	return nil
}

// CORSMethod reports whether a rule can allow a method; the case counts.
func CORSMethod(method string) bool { return slices.Contains(corsMethods, method) }

// HeaderName reports whether s can be the name of a header (a token, RFC 9110,
// 5.6.2).
func HeaderName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

// CORS are the rules of a CORS configuration, in their order.
type CORS []CORSRule

// CORSRule says what pages of some origins may do.
type CORSRule struct {
	Origins, Methods []string
	Headers          []string // lower case, with at most one * each
	Expose           []string
	MaxAge           string // seconds; "" if not given
}

// ParseCORS reads a CORS configuration into its rules.
func ParseCORS(data []byte) (CORS, error) {
	d, err := Parse(bucket.CORS, data)
	if err != nil {
		return nil, err
	}
	var rules CORS
	for _, r := range d.root.all("CORSRule") {
		rule := CORSRule{
			Origins: r.values("AllowedOrigin"), Methods: r.values("AllowedMethod"),
			Headers: r.values("AllowedHeader"), Expose: r.values("ExposeHeader"), MaxAge: r.value("MaxAgeSeconds"),
		}
		for i, h := range rule.Headers {
			rule.Headers[i] = strings.ToLower(h)
		}
		rules = append(rules, rule)
	}
	return rules, nil
}

// Match returns the first rule that lets a page of an origin send a request
// with the given method and headers (lower case); nil if there is none.
func (rules CORS) Match(origin, method string, headers []string) *CORSRule {
	for i := range rules {
		r := &rules[i]
		if slices.Contains(r.Methods, method) && anyMatches(r.Origins, origin) &&
			!slices.ContainsFunc(headers, func(h string) bool { return !anyMatches(r.Headers, h) }) {
			return r
		}
	}
	return nil
}

// AnyOrigin reports whether the rule is for all origins: then none is named in
// the answer, and no credentials are let through.
func (r *CORSRule) AnyOrigin() bool { return slices.Contains(r.Origins, "*") }

// anyMatches reports whether one of the patterns, with at most one * each,
// matches s as a whole.
func anyMatches(patterns []string, s string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		before, behind, wild := strings.Cut(p, "*")
		if !wild {
			return p == s
		}
		return len(s) >= len(before)+len(behind) && strings.HasPrefix(s, before) && strings.HasSuffix(s, behind)
	})
}
