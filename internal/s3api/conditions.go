package s3api

import (
	"net/http"
	"strings"

	"twinbucket/fault"
	"twinbucket/internal/wire"
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

// checkConditions applies the conditions of a read to an object that is there.
func checkConditions(h http.Header, v *object.Version) error {
	switch failed := wire.FailedCondition(h, "", v.ETag, v.Modified); failed {
	case "":
		return nil
	case "If-None-Match", "If-Modified-Since":
		return notModified()
	default:
		return preconditionFailed(failed)
	}
}

// checkCopyConditions applies the x-amz-copy-source-if-* headers to the source
// of a copy.
func checkCopyConditions(h http.Header, v *object.Version) error {
	if failed := wire.FailedCondition(h, "X-Amz-Copy-Source-", v.ETag, v.Modified); failed != "" {
		return preconditionFailed("x-amz-copy-source-" + failed)
	}
	return nil
}

// writeCondition returns the condition on which a write depends.
func (c *call) writeCondition() (object.Condition, error) {
	match, none := c.r.Header["If-Match"], c.r.Header["If-None-Match"]
	switch {
	case len(match) > 0 && len(none) > 0:
		return object.Condition{}, fault.New(fault.Unsupported, "NotImplemented", "A header you provided implies functionality that is not implemented").
			With("Header", "If-None-Match").WithHint("a write has If-Match or If-None-Match, not both")
	case len(match) > 0:
		return matchCondition(match[0])
	case len(none) > 0:
		cond, err := matchCondition(none[0])
		return object.Condition{NoneMatch: cond.Match}, err
	}
	return object.Condition{}, nil
}

// matchCondition returns the condition that an object has one ETag, or is
// there at all if the value is "*".
func matchCondition(value string) (object.Condition, error) {
	etag := wire.Unquote(strings.TrimSpace(value))
	if etag == "" || strings.Contains(etag, ",") {
		return object.Condition{}, unsupported("the condition of a write is one ETag or *")
	}
	return object.Condition{Match: etag}, nil
}

// span is a part of a body.
type span struct{ off, n int64 }
