package server

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"twinbucket/arn"
	"twinbucket/fault"
	"twinbucket/internal/replapi"
	"twinbucket/internal/sigv4"
)

// dispatcher gives each request to the door whose protocol it speaks. The
// protocol shows in the service that the request is signed for; S3 Control is
// signed for S3, and is told by its path and host.
type dispatcher struct {
	s3, control, iam, stacks http.Handler
	replication              http.Handler
	broken                   func() error  // why the server cannot go on; nil: it can
	patience                 time.Duration // with clients that stall; 0: without end
}

// healthPath answers 200 when the server is ready, 503 when it cannot go on.
const healthPath = "/_twinbucket/health"

// controlPath begins the paths of S3 Control.
const controlPath = "/v20180820/"

func (d *dispatcher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if d.patience > 0 {
		e, watched := watch(w, r, d.patience)
		defer e.end()
		w, r = e, watched
	}
	// botocore waits for a 100 before an empty body too, for which net/http
	// sends none. Without one it misreads the next answer on the connection,
	// and waits for its end in vain.
	if r.ContentLength == 0 && r.ProtoAtLeast(1, 1) && strings.EqualFold(r.Header.Get("Expect"), "100-continue") {
		w.WriteHeader(http.StatusContinue)
	}
	d.door(r).ServeHTTP(w, r)
}

func (d *dispatcher) door(r *http.Request) http.Handler {
	service, signed := sigv4.ServiceOf(r)
	switch {
	case service == "iam" || service == "sts":
		return d.iam
	case service == "cloudformation":
		return d.stacks
	case service == replapi.Service:
		return d.replication
	case r.URL.Path == healthPath && !signed:
		return http.HandlerFunc(d.health) // signed, it is an object of a bucket that the host names
	}
	if strings.HasPrefix(r.URL.Path, controlPath) && (hasAccountPrefix(r.Host) || r.Header.Get("X-Amz-Account-Id") != "") {
		return d.control
	}
	return d.s3
}

// hasAccountPrefix reports whether a host begins with an account id, as S3
// Control's clients write it: 111111111111.HOST.
func hasAccountPrefix(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	first, _, more := strings.Cut(host, ".")
	return more && arn.ValidAccount(first)
}

func (d *dispatcher) health(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	if err := d.broken(); err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = fmt.Fprintf(w, "%v\nhint: %s\n", err, fault.HintOf(err))
		return
	}
	_, _ = w.Write([]byte("ok\n")) // an error means that the client is gone
}
