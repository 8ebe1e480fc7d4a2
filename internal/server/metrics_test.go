package server

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"twinbucket/fault"
	"twinbucket/internal/config"
	"twinbucket/internal/sigv4"
)

// fetch returns the status and the body of a GET.
func fetch(t *testing.T, url string) (int, string) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// TestMetricsCountRequests: what was answered counts, by API, method and status.
func TestMetricsCountRequests(t *testing.T) {
	s := start(t, config.Server{Data: t.TempDir()})
	url := "http://" + s.Addr()
	ask(t, s, http.MethodPut, "/counted", "s3", "")
	ask(t, s, http.MethodGet, "/uncounted/key", "s3", "")
	ask(t, s, http.MethodPost, "/", "iam", "Action=ListUsers&Version=2010-05-08")
	fetch(t, url+healthPath)
	status, text := fetch(t, url+metricsPath)
	if status != http.StatusOK {
		t.Fatal(status, text)
	}
	for _, want := range []string{
		`twinbucket_buckets 1`,
		`twinbucket_http_requests_total{api="s3",code="2xx",method="PUT"} 1`,
		`twinbucket_http_requests_total{api="s3",code="4xx",method="GET"} 1`,
		`twinbucket_http_requests_total{api="iam",code="2xx",method="POST"} 1`,
		`twinbucket_http_requests_total{api="server",code="2xx",method="GET"} 1`,
		`twinbucket_http_request_duration_seconds_count{api="s3",method="PUT"} 1`,
	} {
		if !strings.Contains(text, "\n"+want+"\n") {
			t.Errorf("no %s in %s", want, text)
		}
	}
	// Signed, it is an object of the bucket that the host names.
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+metricsPath, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "counted.localhost"
	a := s.Accounts()[0]
	sigv4.Sign(r, sigv4.Credentials{AccessKey: a.AccessKey, Secret: a.Secret}, "us-east-1", "s3", "UNSIGNED-PAYLOAD", time.Now())
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err != nil || !strings.Contains(string(body), "NoSuchKey") {
		t.Errorf("signed: %s, %v", body, err)
	}
}

// TestWhereMetricsAre: they are answered on this machine, and elsewhere only if
// who runs the server says so.
func TestWhereMetricsAre(t *testing.T) {
	for _, tt := range []struct {
		name, listen, metrics string
		public, own           bool
	}{
		{"this machine", "127.0.0.1:0", "", true, false},
		{"all machines", "0.0.0.0:0", "", false, false},
		{"all machines, knowingly", "0.0.0.0:0", "0.0.0.0:0", true, false},
		{"an address of their own", "127.0.0.1:0", "127.0.0.2:0", false, true},
	} {
		s, err := Open(t.Context(), config.Server{Data: t.TempDir(), Listen: tt.listen, MetricsListen: tt.metrics}, quiet)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- s.Run(ctx) }()
		status, text := fetch(t, "http://"+s.Addr()+metricsPath)
		if public := status == http.StatusOK && strings.Contains(text, "twinbucket_buckets 0\n"); public != tt.public {
			t.Errorf("%s: %d %s", tt.name, status, text)
		}
		if !tt.public && (status != http.StatusForbidden || !strings.Contains(text, "--metrics-listen")) {
			t.Errorf("%s: %d %s", tt.name, status, text)
		}
		if own := s.metrics.listener != nil; own != tt.own {
			t.Errorf("%s: an address of their own: %t", tt.name, own)
		}
		if tt.own {
			for path, want := range map[string]int{metricsPath: 200, "/metrics": 200, "/": 404, healthPath: 404} {
				if status, text := fetch(t, "http://"+s.metrics.listener.Addr().String()+path); status != want {
					t.Errorf("%s: %s: %d %s", tt.name, path, status, text)
				}
			}
		}
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
		http.DefaultClient.CloseIdleConnections()
	}
	taken := start(t, config.Server{Data: t.TempDir()})
	_, err := Open(t.Context(), config.Server{Data: t.TempDir(), Listen: "127.0.0.1:0", MetricsListen: taken.Addr()}, quiet)
	if err == nil || !strings.Contains(fault.HintOf(err), "--metrics-listen") {
		t.Errorf("an address that is taken: %v, hint %q", err, fault.HintOf(err))
	}
}

// TestAnswersKeepTheirStatus: the last status counts.
func TestAnswersKeepTheirStatus(t *testing.T) {
	for _, tt := range []struct {
		want int
		door http.HandlerFunc
	}{
		{200, func(http.ResponseWriter, *http.Request) {}},
		{200, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "x") }},
		{404, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusNotFound)
		}},
		{200, func(w http.ResponseWriter, _ *http.Request) { _ = http.NewResponseController(w).Flush() }},
	} {
		got := 0
		w := httptest.NewRecorder()
		d := &dispatcher{s3: tt.door, answered: func(api, method string, status int, _ time.Duration) {
			if api != "s3" || method != http.MethodPut {
				t.Errorf("%s %s", api, method)
			}
			got = status
		}}
		d.ServeHTTP(w, httptest.NewRequest(http.MethodPut, "/b", strings.NewReader("x")))
		if got != tt.want {
			t.Errorf("%d, want %d", got, tt.want)
		}
	}
}
