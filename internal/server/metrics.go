package server

import (
	"io"
	"net"
	"net/http"
)

// showMetrics answers metrics at their own address, if there is one, and there
// also where Prometheus looks by default.
func (s *Server) showMetrics(all http.Handler) {
	if s.metrics.listener == nil {
		return
	}
	mux := http.NewServeMux()
	mux.Handle(metricsPath, all)
	mux.Handle("/metrics", all)
	s.metrics.answer(mux, s.log)
	s.parts.Add("metrics", s.metrics.serve)
}

// publicMetrics is what answers at metricsPath of the server's address. Metrics
// name buckets, and nobody is asked who he is: unless who runs the server wants
// it so, they are for this machine.
func (s *Server) publicMetrics(all http.Handler) http.Handler {
	if s.config.MetricsListen == s.config.Listen || s.config.MetricsListen == "" && isLoopback(s.public.listener.Addr()) {
		return all
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "metrics name buckets, and are not answered at this address\nhint: ask at the address of serve --metrics-listen HOST:PORT\n")
	})
}

func isLoopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}
