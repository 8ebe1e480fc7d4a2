package sigv4

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// buffers holds space for canonical requests.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 2048); return &b }}

// message is what a signature covers.
type message struct {
	method  string
	path    string // canonical
	query   string // as received
	host    string
	length  int64 // Content-Length, -1 if unknown
	header  http.Header
	signed  []string // names of the signed headers, lower case, sorted
	names   string   // the same, joined with semicolons
	payload string   // hash of the body or what stands for it
	time    string   // yyyymmddThhmmssZ
	scope   Scope
}

// sign returns the message's signature in hexadecimal.
func (m *message) sign(key []byte) (sig [2 * sha256.Size]byte, err error) {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	b, err := m.appendRequest((*buf)[:0])
	if err != nil {
		return sig, err
	}
	sum := sha256.Sum256(b)
	b = append(b[:0], Algorithm...)
	b = append(append(b, '\n'), m.time...)
	b = appendScope(append(b, '\n'), m.scope)
	b = hex.AppendEncode(append(b, '\n'), sum[:])
	sum = mac(key, b)
	hex.Encode(sig[:], sum[:])
	if cap(b) <= maxQuery {
		*buf = b
	}
	return sig, nil
}

// texts returns the string to sign and the canonical request, for people.
func (m *message) texts() (toSign, canonical string) {
	b, err := m.appendRequest(nil)
	if err != nil {
		return "", ""
	}
	return Algorithm + "\n" + m.time + "\n" + m.scope.String() + "\n" + hexDigest(b), string(b)
}

func appendScope(b []byte, s Scope) []byte {
	b = append(append(b, s.Date...), '/')
	b = append(append(b, s.Region...), '/')
	b = append(append(b, s.Service...), '/')
	return append(b, terminator...)
}

// appendRequest appends the canonical request.
func (m *message) appendRequest(b []byte) ([]byte, error) {
	b = append(append(b, m.method...), '\n')
	b = append(append(b, m.path...), '\n')
	b, err := appendQuery(b, m.query)
	if err != nil {
		return b, err
	}
	b = append(b, '\n')
	for _, name := range m.signed {
		b = append(append(b, name...), ':')
		b = append(m.appendHeader(b, name), '\n')
	}
	b = append(b, '\n')
	b = append(append(b, m.names...), '\n')
	return append(b, m.payload...), nil
}

// appendHeader appends the value of a header, given its name in lower case.
// Several values are joined with commas.
func (m *message) appendHeader(b []byte, name string) []byte {
	values := headerValues(m.header, name)
	switch {
	case name == "host":
		return appendTrimmed(b, m.host)
	case values != nil:
	case name == "content-length" && m.length >= 0:
		return strconv.AppendInt(b, m.length, 10)
	case name == "expect": // net/http may take it out
		return append(b, "100-continue"...)
	}
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendTrimmed(b, v)
	}
	return b
}

// headerValues returns h's values of a header, given its name in lower case,
// without allocating.
func headerValues(h http.Header, name string) []string {
	var space [64]byte
	key := append(space[:0], name...)
	upper := true
	for i, c := range key {
		if upper && 'a' <= c && c <= 'z' {
			key[i] = c - 'a' + 'A'
		}
		upper = c == '-'
	}
	return h[string(key)]
}

// appendTrimmed appends s without white space at its ends and with single
// spaces inside.
func appendTrimmed(b []byte, s string) []byte {
	gap, start := false, len(b)
	for i := range len(s) {
		switch c := s[i]; c {
		case ' ', '\t', '\n', '\v', '\f', '\r':
			gap = true
		default:
			if gap && len(b) > start {
				b = append(b, ' ')
			}
			gap = false
			b = append(b, c)
		}
	}
	return b
}

// appendQuery appends the canonical query string: names and values encoded
// AWS's way and sorted, without X-Amz-Signature.
func appendQuery(b []byte, raw string) ([]byte, error) {
	if raw == "" {
		return b, nil
	}
	if len(raw) > maxQuery {
		return b, badURI("the query string has more than 65,536 bytes")
	}
	type pair struct{ name, value string }
	var space [16]pair
	pairs := space[:0]
	for raw != "" {
		var p string
		p, raw, _ = strings.Cut(raw, "&")
		if p == "" {
			continue
		}
		name, value, _ := strings.Cut(p, "=")
		name, ok1 := normalize(name)
		value, ok2 := normalize(value)
		if !ok1 || !ok2 {
			return b, badURI("the query string holds a % without two hexadecimal digits after it")
		}
		if name != "X-Amz-Signature" {
			pairs = append(pairs, pair{name, value})
		}
	}
	slices.SortFunc(pairs, func(x, y pair) int {
		if c := strings.Compare(x.name, y.name); c != 0 {
			return c
		}
		return strings.Compare(x.value, y.value)
	})
	for i, p := range pairs {
		if i > 0 {
			b = append(b, '&')
		}
		b = append(append(b, p.name...), '=')
		b = append(b, p.value...)
	}
	return b, nil
}

// unreserved reports whether c is never encoded.
func unreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '~'
}

const upperHex = "0123456789ABCDEF"

// normalize re-encodes a query component as AWS does: everything but
// unreserved characters as %XX, and "+", which stands for a space, as %20.
// ok is false if s holds a broken escape.
func normalize(s string) (_ string, ok bool) {
	clean := true
	for i := 0; i < len(s) && clean; i++ {
		if s[i] != '%' {
			clean = unreserved(s[i])
			continue
		}
		c, ok := unhex(s, i)
		if !ok {
			return "", false
		}
		clean = !unreserved(c) && s[i+1] <= 'F' && s[i+2] <= 'F'
		i += 2
	}
	if clean {
		return s, true
	}
	b := make([]byte, 0, len(s)+16)
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch c {
		case '+':
			c = ' '
		case '%':
			if c, ok = unhex(s, i); !ok {
				return "", false
			}
			i += 2
		}
		b = appendEncoded(b, c)
	}
	return string(b), true
}

// unhex returns the byte encoded as %XX at s[i:].
func unhex(s string, i int) (byte, bool) {
	if i+2 >= len(s) {
		return 0, false
	}
	var b [1]byte
	_, err := hex.Decode(b[:], []byte(s[i+1:i+3]))
	return b[0], err == nil
}

func appendEncoded(b []byte, c byte) []byte {
	if unreserved(c) {
		return append(b, c)
	}
	return append(b, '%', upperHex[c>>4], upperHex[c&15])
}

// EncodePath encodes a path as AWS does: every byte but unreserved characters
// and slashes as %XX. Set as URL.RawPath it is what goes over the wire.
func EncodePath(path string) string {
	plain := true
	for i := 0; i < len(path) && plain; i++ {
		plain = path[i] == '/' || unreserved(path[i])
	}
	if plain {
		return path
	}
	b := make([]byte, 0, len(path)+16)
	for i := range len(path) {
		if path[i] == '/' {
			b = append(b, '/')
		} else {
			b = appendEncoded(b, path[i])
		}
	}
	return string(b)
}

// EncodeQuery encodes a name or a value of a query string as AWS does.
func EncodeQuery(s string) string {
	b := make([]byte, 0, len(s)+16)
	for i := range len(s) {
		b = appendEncoded(b, s[i])
	}
	return string(b)
}
