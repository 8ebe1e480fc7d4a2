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
	metrics                  http.Handler
	broken                   func() error  // why the server cannot go on; nil: it can
	patience                 time.Duration // with clients that stall; 0: without end
	// answered is told of each request: the API, the method, the status and how
	// long it took. nil: nobody is.
	answered func(api, method string, status int, took time.Duration)
}

// healthPath answers 200 when the server is ready, 503 when it cannot go on.
const healthPath = "/_twinbucket/health"

// metricsPath answers what Prometheus asks for.
const metricsPath = "/_twinbucket/metrics"

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
	api, door := d.door(r)
	if d.answered == nil {
		door.ServeHTTP(w, r)
		return
	}
	begun := time.Now()
	a := &answer{ResponseWriter: w, status: http.StatusOK}
	door.ServeHTTP(a, r)
	d.answered(api, r.Method, a.status, time.Since(begun))
}

// answer remembers its status.
type answer struct {
	http.ResponseWriter
	status int
}

// WriteHeader sends the status.
func (a *answer) WriteHeader(status int) {
	if status >= http.StatusOK { // those before are not the last
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController through.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// door returns the name of the API that a request is for, and its door.
func (d *dispatcher) door(r *http.Request) (string, http.Handler) {
	service, signed := sigv4.ServiceOf(r)
	switch {
	case service == "iam" || service == "sts":
		return "iam", d.iam
	case service == "cloudformation":
		return "cloudformation", d.stacks
	case service == replapi.Service:
		return "twinbucket", d.replication
	case signed: // what is the server's own otherwise is an object of a bucket that the host names
	case r.URL.Path == healthPath:
		return "server", http.HandlerFunc(d.health)
	case r.URL.Path == metricsPath:
		return "server", d.metrics
	}
	if strings.HasPrefix(r.URL.Path, controlPath) && (hasAccountPrefix(r.Host) || r.Header.Get("X-Amz-Account-Id") != "") {
		return "s3control", d.control
	}
	return "s3", d.s3
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
