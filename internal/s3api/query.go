package s3api

import (
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"twinbucket/fault"
)

// query holds the parameters of a URL in their order. Requests have few of
// them, so a list is smaller and faster than a map.
type query []param

type param struct{ name, value string }

// parseQuery reads a raw query. Where url.ParseQuery refuses a semicolon it is
// a plain character here.
func parseQuery(raw string) (query, error) {
	var q query
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
		q = append(q, param{n, v})
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

// get returns the first value of a parameter, "" if it is not there.
func (q query) get(name string) string {
	v, _ := q.lookup(name)
	return v
}

// has reports whether a parameter is there, with or without a value.
func (q query) has(name string) bool {
	_, ok := q.lookup(name)
	return ok
}

func (q query) lookup(name string) (string, bool) {
	for i := range q {
		if q[i].name == name {
			return q[i].value, true
		}
	}
	return "", false
}

// number returns a parameter that counts, at most most, and other if it is not
// there.
func (q query) number(name string, other, most int) (int, error) {
	s, ok := q.lookup(name)
	if !ok || s == "" {
		return other, nil
	}
	n, err := strconv.ParseInt(s, 10, 32)
	switch {
	case err != nil:
		return 0, invalid(name, "Provided "+name+" not an integer or within integer range")
	case n < 0:
		return 0, invalid(name, "Argument "+name+" must be an integer between 0 and 2147483647")
	}
	return min(int(n), most), nil
}

// versionID returns the version that the request names, "" for the current
// one.
func (q query) versionID() (string, error) {
	id, ok := q.lookup("versionId")
	if !ok {
		return "", nil
	}
	return id, checkVersionID(id)
}

// checkVersionID tells ids that no system makes from ids that may merely not
// exist here. Versions that came from other systems keep ids of other forms
// than ours, so the form is wide.
func checkVersionID(id string) error {
	if id == "" {
		return invalid("versionId", "Version id cannot be the empty string")
	}
	ok := id == "null" || len(id) >= 24 && len(id) <= 1024
	for i := 0; i < len(id) && ok; i++ {
		c := id[i]
		ok = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-'
	}
	if !ok {
		return invalid("versionId", "Invalid version id specified")
	}
	return nil
}

// encode writes s as encoding-type=url asks: a slash stays.
func encode(s string) string {
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
