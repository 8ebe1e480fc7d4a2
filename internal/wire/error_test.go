package wire_test

//lint:file-ignore SA1008 request ids are sent in AWS's spelling

import (
	"encoding/xml"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"twinbucket/fault"
	"twinbucket/internal/wire"
)

// TestErrorBodies compares whole bodies, ids left out.
func TestErrorBodies(t *testing.T) {
	t.Parallel()
	denied := fault.New(fault.Denied, "AccessDenied", "Access <Denied>").WithHint("line one\nzwölf")
	noBucket := fault.New(fault.NotFound, "NoSuchBucket", "The specified bucket does not exist").On("gone")
	busy := &fault.Error{Kind: fault.Busy, RetryAfter: 1500 * time.Millisecond}
	const internal = "We encountered an internal error. Please try again."
	for _, c := range []struct {
		name      string
		shape     wire.Shape
		namespace string
		err       error
		status    int
		hint      string
		body      string
	}{
		{"s3", wire.S3, "", denied, 403, "line one zw?lf", "<Error><Code>AccessDenied</Code><Message>Access &lt;Denied&gt;</Message><Resource>/b/k</Resource><Hint>line one&#xA;zwölf</Hint><RequestId>ID</RequestId><HostId>ID2</HostId></Error>"},
		{"s3 bucket", wire.S3, "", fault.Wrap("store.head", "", noBucket), 404, "", "<Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message><BucketName>gone</BucketName><Resource>/b/k</Resource><RequestId>ID</RequestId><HostId>ID2</HostId></Error>"},
		{"s3 no configuration", wire.S3, "", fault.New(fault.NotFound, "ReplicationConfigurationNotFoundError", "none").On("b"), 404, "", "<Error><Code>ReplicationConfigurationNotFoundError</Code><Message>none</Message><BucketName>b</BucketName><Resource>/b/k</Resource><RequestId>ID</RequestId><HostId>ID2</HostId></Error>"},
		{"s3 internal", wire.S3, "", errors.New("a secret path"), 500, "", "<Error><Code>InternalError</Code><Message>" + internal + "</Message><Resource>/b/k</Resource><RequestId>ID</RequestId><HostId>ID2</HostId></Error>"},
		{"s3 damaged", wire.S3, "", fault.New(fault.Damaged, "", "block 7"), 500, "", "<Error><Code>InternalError</Code><Message>" + internal + "</Message><Resource>/b/k</Resource><RequestId>ID</RequestId><HostId>ID2</HostId></Error>"},
		{"control", wire.Control, "", denied, 403, "line one zw?lf", "<ErrorResponse><Error><Code>AccessDenied</Code><Message>Access &lt;Denied&gt;</Message><Hint>line one&#xA;zwölf</Hint></Error><RequestId>ID</RequestId><HostId>ID2</HostId></ErrorResponse>"},
		{"control internal", wire.Control, "", errors.New("a secret path"), 500, "", "<ErrorResponse><Error><Code>InternalServiceException</Code><Message>" + internal + "</Message></Error><RequestId>ID</RequestId><HostId>ID2</HostId></ErrorResponse>"},
		{"query", wire.Query, "urn:n", fault.New(fault.NotFound, "", "no role"), 404, "", `<ErrorResponse xmlns="urn:n"><Error><Type>Sender</Type><Code>NoSuchEntity</Code><Message>no role</Message></Error><RequestId>ID</RequestId></ErrorResponse>`},
		{"query busy", wire.Query, "urn:n", busy, 503, "", `<ErrorResponse xmlns="urn:n"><Error><Type>Receiver</Type><Code>ServiceUnavailable</Code><Message>The request failed: temporarily unavailable.</Message></Error><RequestId>ID</RequestId></ErrorResponse>`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			wire.WriteError(w, httptest.NewRequest("GET", "/b/k", nil), c.shape, c.namespace, c.err)
			body := strings.NewReplacer(xml.Header, "", wire.RequestID(w), "ID", w.Header()["x-amz-id-2"][0], "ID2").Replace(w.Body.String())
			if diff := cmp.Diff(c.body, body); diff != "" || w.Code != c.status {
				t.Errorf("status %d, want %d\n%s", w.Code, c.status, diff)
			}
			if got := w.Header().Get(wire.HintHeader); got != c.hint {
				t.Errorf("hint header %q, want %q", got, c.hint)
			}
			if got := w.Header().Get("Retry-After"); (c.status == 503) != (got == "2") {
				t.Errorf("Retry-After %q", got)
			}
		})
	}
}

// TestDetails: what AWS tells beside the message stands in elements of its own,
// in its order.
func TestDetails(t *testing.T) {
	t.Parallel()
	err := fault.Wrap("op", "x", fault.New(fault.Invalid, "AuthorizationHeaderMalformed", "m").
		With("Region", "eu-west-1").With("Token-0", "a<b\x01"))
	w := httptest.NewRecorder()
	wire.WriteError(w, httptest.NewRequest("GET", "/b/k", nil), wire.S3, "", err)
	if want := "<Message>m</Message><Region>eu-west-1</Region><Token-0>a&lt;b\uFFFD</Token-0><Resource>"; !strings.Contains(w.Body.String(), want) {
		t.Errorf("%s\nwant %s", w.Body, want)
	}
}

// TestNotModified: 304 has no body, and a long hint is cut.
func TestNotModified(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	err := fault.New(fault.Precondition, "NotModified", "m").WithHint("%s", strings.Repeat("x", 5000))
	wire.WriteError(w, httptest.NewRequest("GET", "/b/k", nil), wire.S3, "", err)
	if w.Code != 304 || w.Body.Len() != 0 || w.Header().Get(wire.CodeHeader) != "NotModified" || len(w.Header().Get(wire.HintHeader)) != 1024 {
		t.Errorf("%d %q %v", w.Code, w.Body, w.Header())
	}
}

// TestDefaults: an error without a code gets one, whatever its kind.
func TestDefaults(t *testing.T) {
	t.Parallel()
	for kind := fault.Kind(0); !strings.HasPrefix(kind.String(), "kind "); kind++ {
		for _, shape := range []wire.Shape{wire.S3, wire.Control, wire.Query} {
			w := httptest.NewRecorder()
			wire.WriteError(w, httptest.NewRequest("GET", "/b/k", nil), shape, "", &fault.Error{Kind: kind})
			if w.Code < 400 || strings.Contains(w.Body.String(), "<Code></Code>") || strings.Contains(w.Body.String(), "<Message></Message>") {
				t.Errorf("%v: %d %s", kind, w.Code, w.Body)
			}
		}
	}
}
