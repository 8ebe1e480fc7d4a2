package wire

import (
	"net/http"
	"testing"
	"time"
)

func TestFailedCondition(t *testing.T) {
	t.Parallel()
	modified := time.Date(2026, 3, 1, 12, 0, 0, 500, time.UTC)
	const same, before, after = "Sun, 01 Mar 2026 12:00:00 GMT", "Sun, 01 Mar 2026 11:59:59 GMT", "2026-03-01T12:00:01Z"
	for _, c := range []struct {
		headers []string
		want    string
	}{
		{nil, ""},
		{[]string{"If-Match", `"e"`}, ""},
		{[]string{"If-Match", "e"}, ""},
		{[]string{"If-Match", `"x", W/"e"`}, ""},
		{[]string{"If-Match", "*"}, ""},
		{[]string{"If-Match", `"x"`}, "If-Match"},
		{[]string{"If-Match", `"e"`, "If-Unmodified-Since", before}, ""},
		{[]string{"If-Unmodified-Since", same}, ""},
		{[]string{"If-Unmodified-Since", before}, "If-Unmodified-Since"},
		{[]string{"If-Unmodified-Since", "yesterday"}, ""},
		{[]string{"If-None-Match", `"x"`}, ""},
		{[]string{"If-None-Match", `"e"`}, "If-None-Match"},
		{[]string{"If-None-Match", "*"}, "If-None-Match"},
		{[]string{"If-None-Match", `"x"`, "If-Modified-Since", same}, ""},
		{[]string{"If-Modified-Since", same}, "If-Modified-Since"},
		{[]string{"If-Modified-Since", before}, ""},
		{[]string{"If-Modified-Since", after}, "If-Modified-Since"},
		{[]string{"If-Match", `"x"`, "If-None-Match", `"e"`}, "If-Match"},
	} {
		for _, prefix := range []string{"", "X-Amz-Copy-Source-"} {
			h := http.Header{}
			for i := 0; i < len(c.headers); i += 2 {
				h.Set(prefix+c.headers[i], c.headers[i+1])
			}
			if got := FailedCondition(h, prefix, "e", modified); got != c.want {
				t.Errorf("%s%q: %q, want %q", prefix, c.headers, got, c.want)
			}
		}
	}
}
