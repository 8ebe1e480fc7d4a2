package sigv4

import (
	"fmt"
	"net"
	"net/http"
	"strings"
)

// explain says what is likely wrong with a request whose signature does not
// match, by trying what proxies and clients commonly get wrong.
func (c *Claim) explain(r *http.Request, m message, key []byte) string {
	for _, host := range otherHosts(r) {
		n := m
		n.host = host
		if ok, _ := c.matches(&n, key); ok {
			return fmt.Sprintf("the host is wrong: the client signed for %q and the request came for %q; "+
				"let the proxy pass the Host header on unchanged", host, r.Host)
		}
	}
	for _, payload := range []string{EmptyPayload, UnsignedPayload} {
		n := m
		n.payload = payload
		wrong, _ := c.matches(&n, key)
		n.header = r.Header.Clone()
		n.header.Set("X-Amz-Content-Sha256", payload)
		changed, _ := c.matches(&n, key)
		if wrong || changed {
			return fmt.Sprintf("the payload is wrong: the client signed %s and sent %s", payload, m.payload)
		}
	}
	twice := m
	twice.path = EncodePath(r.URL.EscapedPath())
	if !c.scope.s3() {
		twice.path = r.URL.EscapedPath()
	}
	if ok, _ := c.matches(&twice, key); ok {
		return fmt.Sprintf("the path is wrong: the client signed %q; S3 encodes a path once, other services encode it twice", twice.path)
	}
	if lost := c.lostHeaders(r); lost != "" {
		return "signed headers did not arrive: " + lost + "; a proxy may have removed them"
	}
	var fragile []string
	for _, name := range []string{"accept", "accept-encoding", "connection", "content-length", "expect", "user-agent", "via"} {
		if c.signs(name) {
			fragile = append(fragile, name)
		}
	}
	hint := fmt.Sprintf("host %q, time %s and payload hash were taken as signed: most likely the secret does not belong to access key %s", r.Host, m.time, c.accessKey)
	if fragile != nil {
		hint += ", or a proxy changed one of the signed headers " + strings.Join(fragile, ", ")
	}
	return hint
}

// otherHosts returns hosts that the client may have signed for.
func otherHosts(r *http.Request) []string {
	var hosts []string
	add := func(h string) {
		if h != "" && h != r.Host && len(h) < 256 {
			hosts = append(hosts, h)
		}
	}
	add(r.Header.Get("X-Forwarded-Host"))
	add(r.Header.Get("X-Original-Host"))
	add(r.URL.Host)
	if host, _, err := net.SplitHostPort(r.Host); err == nil {
		add(host)
	} else if port := r.Header.Get("X-Forwarded-Port"); port != "" {
		add(net.JoinHostPort(r.Host, port))
	}
	if first, rest, ok := strings.Cut(r.Host, "."); ok && len(first) == 12 {
		add(rest)
	}
	return hosts
}

// lostHeaders lists the signed headers that the request does not have.
func (c *Claim) lostHeaders(r *http.Request) string {
	var lost []string
	for _, name := range c.signed {
		switch name {
		case "host", "content-length", "expect":
			continue
		}
		if headerValues(r.Header, name) == nil && len(lost) < 10 {
			lost = append(lost, name)
		}
	}
	return strings.Join(lost, ", ")
}
