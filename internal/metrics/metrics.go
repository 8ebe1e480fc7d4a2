// Package metrics shows Prometheus what the server does: what replication has
// to do and has done, with the meanings of Amazon S3's replication metrics, and
// how the server itself fares.
package metrics

import (
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"twinbucket/internal/batch"
	"twinbucket/internal/inventory"
	"twinbucket/internal/prove"
	"twinbucket/internal/replicate"
	"twinbucket/internal/scrub"
	"twinbucket/internal/store"
)

// Config is what there are metrics of.
type Config struct {
	Store       *store.Store
	Replication *replicate.Engine
	Jobs        *batch.Engine
	Scrubs      scrub.Passes
	Proofs      *prove.Engine
	Inventories *inventory.Engine
	Log         *slog.Logger // nil: slog.Default()
}

// Metrics answers with the metrics as they are at that moment.
type Metrics struct {
	registry  *prometheus.Registry
	handler   http.Handler
	requests  *prometheus.CounterVec
	durations *prometheus.HistogramVec
}

// scrapes is how many clients are answered at a time.
const scrapes = 4

// New returns the metrics of a server.
func New(c Config) *Metrics {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "twinbucket_http_requests_total",
			Help: "Requests that were answered, by API, HTTP method and class of the status.",
		}, []string{"api", "method", "code"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "twinbucket_http_request_duration_seconds",
			Help:    "Time from a request's headers to the end of its answer, bodies included.",
			Buckets: []float64{.001, .0025, .01, .025, .1, .25, 1, 2.5, 10, 60},
		}, []string{"api", "method"}),
	}
	m.registry.MustRegister(
		m.requests, m.durations, &collector{c},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	m.handler = promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(c.Log.Handler(), slog.LevelError),
		MaxRequestsInFlight: scrapes,
	})
	return m
}

// ServeHTTP answers GET and HEAD in Prometheus's text format.
func (m *Metrics) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	m.handler.ServeHTTP(w, r)
}

// Answered counts a request to an API.
func (m *Metrics) Answered(api, method string, status int, took time.Duration) {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPost, http.MethodDelete, http.MethodOptions:
	default:
		method = "other" // anybody can think up more
	}
	m.requests.WithLabelValues(api, method, fmt.Sprintf("%dxx", status/100)).Inc()
	m.durations.WithLabelValues(api, method).Observe(took.Seconds())
}
