package s3api

import (
	"net/http"
	"strings"
	"time"

	"twinbucket/fault"
	"twinbucket/internal/store"
	"twinbucket/object"
)

// preconditionFailed is the fault of a condition that does not hold.
func preconditionFailed(condition string) error {
	return fault.New(fault.Precondition, "PreconditionFailed",
		"At least one of the pre-conditions you specified did not hold").On(condition).
		WithHint("the condition is %s", condition)
}

// notModified is not an error to the client: it has the object already.
func notModified() error { return fault.New(fault.Precondition, "NotModified", "Not Modified") }

// checkConditions applies If-Match, If-Unmodified-Since, If-None-Match and
// If-Modified-Since, in this order of precedence (RFC 9110, 13.2.2), to an
// object that is there.
func checkConditions(h http.Header, v *object.Version) error {
	modified := v.Modified.Truncate(time.Second)
	if match := h["If-Match"]; len(match) > 0 {
		if !matches(match[0], v.ETag) {
			return preconditionFailed("If-Match")
		}
	} else if t, ok := httpTime(h, "If-Unmodified-Since"); ok && modified.After(t) {
		return preconditionFailed("If-Unmodified-Since")
	}
	if none := h["If-None-Match"]; len(none) > 0 {
		if matches(none[0], v.ETag) {
			return notModified()
		}
	} else if t, ok := httpTime(h, "If-Modified-Since"); ok && !modified.After(t) {
		return notModified()
	}
	return nil
}

// checkCopyConditions applies the x-amz-copy-source-if-* headers to the source
// of a copy. Where one holds, those of less precedence do not count.
func checkCopyConditions(h http.Header, v *object.Version) error {
	const prefix = "X-Amz-Copy-Source-"
	modified := v.Modified.Truncate(time.Second)
	if match := h[prefix+"If-Match"]; len(match) > 0 {
		if !matches(match[0], v.ETag) {
			return preconditionFailed("x-amz-copy-source-If-Match")
		}
	} else if t, ok := httpTime(h, prefix+"If-Unmodified-Since"); ok && modified.After(t) {
		return preconditionFailed("x-amz-copy-source-If-Unmodified-Since")
	}
	if none := h[prefix+"If-None-Match"]; len(none) > 0 {
		if matches(none[0], v.ETag) {
			return preconditionFailed("x-amz-copy-source-If-None-Match")
		}
	} else if t, ok := httpTime(h, prefix+"If-Modified-Since"); ok && !modified.After(t) {
		return preconditionFailed("x-amz-copy-source-If-Modified-Since")
	}
	return nil
}

// matches reports whether an entity tag is in a list of them, or the list is
// "*".
func matches(list, etag string) bool {
	for tag := range strings.SplitSeq(list, ",") {
		tag = strings.TrimSpace(tag)
		if tag == "*" || unquote(tag) == etag {
			return true
		}
	}
	return false
}

// unquote takes the quotes off an entity tag.
func unquote(tag string) string {
	return strings.Trim(strings.TrimPrefix(tag, "W/"), `"`)
}

// httpTime returns the time in a header; one that cannot be read does not
// count.
func httpTime(h http.Header, name string) (time.Time, bool) {
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

// writeCondition returns the condition on which a write depends.
func (c *call) writeCondition() (store.Condition, error) {
	match, none := c.r.Header["If-Match"], c.r.Header["If-None-Match"]
	switch {
	case len(match) > 0 && len(none) > 0:
		return store.Condition{}, fault.New(fault.Unsupported, "NotImplemented", "A header you provided implies functionality that is not implemented").
			With("Header", "If-None-Match").WithHint("a write has If-Match or If-None-Match, not both")
	case len(match) > 0:
		return matchCondition(match[0])
	case len(none) > 0:
		cond, err := matchCondition(none[0])
		return store.Condition{NoneMatch: cond.Match}, err
	}
	return store.Condition{}, nil
}

// matchCondition returns the condition that an object has one ETag, or is
// there at all if the value is "*".
func matchCondition(value string) (store.Condition, error) {
	etag := unquote(strings.TrimSpace(value))
	if etag == "" || strings.Contains(etag, ",") {
		return store.Condition{}, unsupported("the condition of a write is one ETag or *")
	}
	return store.Condition{Match: etag}, nil
}

// span is a part of a body.
type span struct{ off, n int64 }
