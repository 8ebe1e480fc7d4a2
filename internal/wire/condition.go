package wire

import (
	"net/http"
	"strings"
	"time"
)

// FailedCondition applies If-Match, If-Unmodified-Since, If-None-Match and
// If-Modified-Since, in this order of precedence (RFC 9110, 13.2.2), to what has
// an ETag and was modified at a time, and returns the first that does not hold,
// "" if all do. Where one holds, those of less precedence do not count. The
// names of the headers begin with prefix.
func FailedCondition(h http.Header, prefix, etag string, modified time.Time) string {
	modified = modified.Truncate(time.Second)
	if match := h[prefix+"If-Match"]; len(match) > 0 {
		if !matches(match[0], etag) {
			return "If-Match"
		}
	} else if t, ok := headerTime(h, prefix+"If-Unmodified-Since"); ok && modified.After(t) {
		return "If-Unmodified-Since"
	}
	if none := h[prefix+"If-None-Match"]; len(none) > 0 {
		if matches(none[0], etag) {
			return "If-None-Match"
		}
	} else if t, ok := headerTime(h, prefix+"If-Modified-Since"); ok && !modified.After(t) {
		return "If-Modified-Since"
	}
	return ""
}

// matches reports whether an entity tag is in a list of them, or the list is
// "*".
func matches(list, etag string) bool {
	for tag := range strings.SplitSeq(list, ",") {
		tag = strings.TrimSpace(tag)
		if tag == "*" || Unquote(tag) == etag {
			return true
		}
	}
	return false
}

// Unquote takes the quotes off an entity tag.
func Unquote(tag string) string {
	return strings.Trim(strings.TrimPrefix(tag, "W/"), `"`)
}

// headerTime returns the time in a header; one that cannot be read does not
// count.
func headerTime(h http.Header, name string) (time.Time, bool) {
	v := h[name]
	if len(v) == 0 {
		return time.Time{}, false
	}
	t, err := http.ParseTime(v[0])
	if err != nil {
		t, err = time.Parse(time.RFC3339, v[0])
	}
	return t, err == nil
}
