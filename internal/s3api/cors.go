package s3api

import (
	"net/http"
	"strings"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/wire"
	"twinbucket/setting"
)

// corsOf returns the rules of a bucket, nil if it has none.
func (s *server) corsOf(b *bucket.Bucket) setting.CORS {
	if b.Documents[bucket.CORS] == nil {
		return nil
	}
	return s.cors.Of(b, parseCORS)
}

func parseCORS(b *bucket.Bucket) setting.CORS {
	rules, err := setting.ParseCORS(b.Documents[bucket.CORS])
	if err != nil {
		return nil // a document that cannot be read any more lets nobody in
	}
	return rules
}

// preflight answers OPTIONS: whether a page of another origin may send a
// request. Nobody needs to have signed it; it says nothing about objects.
func (c *call) preflight() error {
	origin := c.r.Header.Get("Origin")
	if origin == "" {
		return fault.New(fault.Invalid, "BadRequest", "Insufficient information. Origin request header needed.")
	}
	asked, method := c.r.Header["Access-Control-Request-Method"], http.MethodOptions
	if len(asked) > 0 {
		if method = asked[0]; !setting.CORSMethod(method) {
			return badPreflight("Invalid Access-Control-Request-Method: " + method)
		}
	}
	headers, err := c.requestedHeaders()
	if err != nil {
		return err
	}
	b, err := c.store.Bucket(c.name)
	if err != nil {
		return forbidden("CORSResponse: Bucket not found", method, "BUCKET")
	}
	rules := c.corsOf(b)
	if rules == nil {
		return forbidden("CORSResponse: CORS is not enabled for this bucket.", method, "BUCKET").
			WithHint("PutBucketCors gives bucket %s rules", c.name)
	}
	if len(asked) == 0 {
		return badPreflight("Invalid Access-Control-Request-Method: null")
	}
	rule := rules.Match(origin, method, headers)
	if rule == nil {
		kind := "OBJECT"
		if c.key == "" {
			kind = "BUCKET"
		}
		return forbidden("CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.", method, kind).
			WithHint("no rule of bucket %s lets %s in with %s and the headers asked for", c.name, origin, method)
	}
	c.showCORS(rule, origin, headers)
	return c.empty(http.StatusOK)
}

func badPreflight(message string) error { return fault.New(fault.Invalid, "BadRequest", message) }

// forbidden is the fault of a preflight request that is not let in.
func forbidden(message, method, kind string) *fault.Error {
	return fault.New(fault.Denied, "AccessForbidden", message).With("Method", method).With("ResourceType", kind)
}

// requestedHeaders returns the headers that a page wants to send, in lower
// case.
func (c *call) requestedHeaders() ([]string, error) {
	var list []string
	for _, line := range c.r.Header["Access-Control-Request-Headers"] {
		for name := range strings.SplitSeq(line, ",") {
			trimmed := strings.TrimSpace(name)
			if trimmed == "" {
				continue
			}
			if !setting.HeaderName(trimmed) {
				return nil, badPreflight(`Access-Control-Request-Headers "` + name + `" contains invalid character.`)
			}
			list = append(list, strings.ToLower(trimmed))
		}
	}
	return list, nil
}

// allowOrigin sets the headers by which a browser lets a page of another
// origin read the answer, be it an error. Where no rule matches, none is set:
// the request is served all the same.
func (c *call) allowOrigin() {
	origin := c.r.Header["Origin"]
	if len(origin) == 0 || c.name == "" {
		return
	}
	b, err := c.store.Bucket(c.name)
	if err != nil || b.Documents[bucket.CORS] == nil {
		return
	}
	method := c.r.Method
	if asked := c.r.Header.Get("Access-Control-Request-Method"); asked != "" {
		method = asked // as AWS does, though no browser sends it here
	}
	headers, err := c.requestedHeaders()
	if err != nil {
		return
	}
	if rule := c.corsOf(b).Match(origin[0], method, headers); rule != nil {
		c.showCORS(rule, origin[0], headers)
	}
}

// showCORS sets the headers of a rule that matched.
func (c *call) showCORS(rule *setting.CORSRule, origin string, headers []string) {
	if rule.AnyOrigin() {
		wire.Set(c.h, "Access-Control-Allow-Origin", "*")
	} else {
		wire.Set(c.h, "Access-Control-Allow-Origin", origin)
		wire.Set(c.h, "Access-Control-Allow-Credentials", "true")
	}
	wire.Set(c.h, "Access-Control-Allow-Methods", strings.Join(rule.Methods, ", "))
	if len(headers) > 0 {
		wire.Set(c.h, "Access-Control-Allow-Headers", strings.Join(headers, ", "))
	}
	if len(rule.Expose) > 0 {
		wire.Set(c.h, "Access-Control-Expose-Headers", strings.Join(rule.Expose, ", "))
	}
	setIf(c.h, "Access-Control-Max-Age", rule.MaxAge)
	wire.Set(c.h, "Vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method")
}
