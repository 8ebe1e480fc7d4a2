package wire

import (
	"encoding/base64"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"twinbucket/fault"
)

// Params holds the parameters of a URL in their order. Requests have few of
// them, so a list is smaller and faster than a map.
type Params []Param

// Param is one of them.
type Param struct{ Name, Value string }

// ParseParams reads a raw query. Where url.ParseQuery refuses a semicolon it is
// a plain character here.
func ParseParams(raw string) (Params, error) {
	var q Params
	for raw != "" {
		var part string
		part, raw, _ = strings.Cut(raw, "&")
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		n, err := unescape(name)
		if err != nil {
			return nil, err
		}
		v, err := unescape(value)
		if err != nil {
			return nil, err
		}
		q = append(q, Param{n, v})
	}
	return q, nil
}

func unescape(s string) (string, error) {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		if utf8.ValidString(s) {
			return s, nil
		}
	} else if v, err := url.QueryUnescape(s); err == nil && utf8.ValidString(v) {
		return v, nil
	}
	return "", fault.New(fault.Invalid, "InvalidURI", "Couldn't parse the specified URI.").On(s).
		WithHint("query parameters are percent-encoded UTF-8")
}

// Get returns the first value of a parameter, "" if it is not there.
func (q Params) Get(name string) string {
	v, _ := q.Lookup(name)
	return v
}

// Has reports whether a parameter is there, with or without a value.
func (q Params) Has(name string) bool {
	_, ok := q.Lookup(name)
	return ok
}

// Lookup returns the first value of a parameter, and whether it is there.
func (q Params) Lookup(name string) (string, bool) {
	for i := range q {
		if q[i].Name == name {
			return q[i].Value, true
		}
	}
	return "", false
}

// Number returns a parameter that counts, at most most, and other if it is not
// there.
func (q Params) Number(name string, other, most int) (int, error) {
	s, ok := q.Lookup(name)
	if !ok || s == "" {
		return other, nil
	}
	n, err := strconv.ParseInt(s, 10, 32)
	switch {
	case err != nil:
		return 0, invalidArgument(name, "Provided "+name+" not an integer or within integer range")
	case n < 0:
		return 0, invalidArgument(name, "Argument "+name+" must be an integer between 0 and 2147483647")
	}
	return min(int(n), most), nil
}

func invalidArgument(name, message string) error {
	return fault.New(fault.Invalid, "InvalidArgument", message).On(name).With("ArgumentName", name)
}

// EncodeKey writes s as encoding-type=url asks: a slash stays.
func EncodeKey(s string) string {
	const hex = "0123456789ABCDEF"
	var b []byte
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
			c == '-' || c == '_' || c == '.' || c == '*' || c == '/':
			if b != nil {
				b = append(b, c)
			}
			continue
		}
		if b == nil {
			b = append(make([]byte, 0, len(s)+16), s[:i]...)
		}
		b = append(b, '%', hex[c>>4], hex[c&15])
	}
	if b == nil {
		return s
	}
	return string(b)
}

// Token returns the continuation token for what follows key.
func Token(key string) string {
	return base64.RawURLEncoding.EncodeToString([]byte("1" + key))
}

// ReadToken returns the key that a continuation token stands for.
func ReadToken(token string) (string, error) {
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(b) < 2 || b[0] != '1' || !utf8.Valid(b) {
		return "", invalidArgument("continuation-token", "The continuation token provided is incorrect")
	}
	return string(b[1:]), nil
}
