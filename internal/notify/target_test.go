package notify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"twinbucket/fault"
)

const testARN = "arn:aws:sqs:us-east-1:111111111111:events"

func dial(t *testing.T, url string) Target {
	t.Helper()
	target, err := Dial(testARN, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(target.Close)
	return target
}

// got is a request that a server got.
type got struct {
	path, body string
	header     http.Header
}

// answering returns a server that gives the answer, and what it got.
func answering(t *testing.T, status int) (*httptest.Server, <-chan got) {
	t.Helper()
	all := make(chan got, 100)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		all <- got{r.URL.RequestURI(), string(body), r.Header}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
	}))
	t.Cleanup(s.Close)
	return s, all
}

func TestWebhook(t *testing.T) {
	t.Parallel()
	s, all := answering(t, 204)
	secret := strings.Replace(s.URL, "http://", "http://:hush@", 1)
	for _, url := range []string{s.URL + "/hook?a=b", secret + "/hook?a=b"} {
		if err := dial(t, url).Send(t.Context(), "id", []byte(`{"Records":[]}`)); err != nil {
			t.Fatal(err)
		}
		g := <-all
		if g.path != "/hook?a=b" || g.body != `{"Records":[]}` || g.header.Get("Content-Type") != "application/json" || g.header.Get(IDHeader) != "id" || g.header.Get("Authorization") != "" {
			t.Errorf("%+v", g)
		}
		want := ""
		if strings.Contains(url, "hush") {
			mac := hmac.New(sha256.New, []byte("hush"))
			mac.Write([]byte(g.body))
			want = "sha256=" + hex.EncodeToString(mac.Sum(nil))
		}
		if sig := g.header.Get(SignatureHeader); sig != want {
			t.Errorf("signature %q, want %q", sig, want)
		}
	}
}

// TestRefusals: only a success is one; a redirect is not followed.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 307, 400, 403, 500, 503} {
		s, all := answering(t, status)
		for _, url := range []string{s.URL + "/hook", "sqs+" + s.URL + "/1/q"} {
			if err := dial(t, url).Send(t.Context(), "id", nil); err == nil || strings.Contains(err.Error(), s.URL) {
				t.Errorf("%d: %v", status, err)
			}
			<-all
			if len(all) > 0 {
				t.Errorf("%d was followed", status)
			}
		}
	}
	s, _ := answering(t, 200)
	s.Close()
	if err := dial(t, s.URL+"/hook").Send(t.Context(), "id", nil); err == nil || strings.Contains(err.Error(), "/hook") {
		t.Errorf("%v", err)
	}
}

func TestQueue(t *testing.T) {
	t.Parallel()
	s, all := answering(t, 200)
	for url, signed := range map[string]bool{"sqs+" + s.URL + "/111111111111/q": false, strings.Replace("sqs+"+s.URL, "//", "//AKIA:secret@", 1) + "/111111111111/q": true} {
		if err := dial(t, url).Send(t.Context(), "id", []byte(`{"a":1}`)); err != nil {
			t.Fatal(err)
		}
		g := <-all
		var body map[string]string
		if err := json.Unmarshal([]byte(g.body), &body); err != nil || len(body) != 2 || body["MessageBody"] != `{"a":1}` || body["QueueUrl"] != s.URL+"/111111111111/q" {
			t.Errorf("%s, %v", g.body, err)
		}
		if g.path != "/" || g.header.Get("X-Amz-Target") != "AmazonSQS.SendMessage" || g.header.Get("Content-Type") != "application/x-amz-json-1.0" {
			t.Errorf("%+v", g)
		}
		if auth := g.header.Get("Authorization"); strings.Contains(auth, "Credential=AKIA/") != signed || strings.Contains(auth, "/us-east-1/sqs/aws4_request") != signed {
			t.Errorf("%q", auth)
		}
	}
}

// startNATS starts a server of NATS on a port, any if 0.
func startNATS(t *testing.T, port int) *server.Server {
	t.Helper()
	if port == 0 {
		port = server.RANDOM_PORT
	}
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	go s.Start()
	if !s.ReadyForConnections(time.Minute) {
		t.Fatal("the server of NATS does not start")
	}
	return s
}

func stopNATS(s *server.Server) { s.Shutdown(); s.WaitForShutdown() }

// TestSubject: messages arrive, and again after the server was restarted.
func TestSubject(t *testing.T) {
	t.Parallel()
	s := startNATS(t, 0)
	url := s.ClientURL()
	target := dial(t, url+"/events/photos")
	for round := range 2 {
		if round > 0 {
			port := s.Addr().String()[strings.LastIndex(s.Addr().String(), ":")+1:]
			stopNATS(s)
			if err := target.Send(t.Context(), "id", nil); err == nil {
				t.Error("sent to a server that is gone")
			}
			var n int
			if err := json.Unmarshal([]byte(port), &n); err != nil {
				t.Fatal(err)
			}
			s = startNATS(t, n)
		}
		conn, err := nats.Connect(url)
		if err != nil {
			t.Fatal(err)
		}
		sub, err := conn.SubscribeSync("events.photos")
		if err == nil {
			err = conn.Flush()
		}
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		if err := target.Send(ctx, "id", []byte("message")); err != nil {
			t.Fatal(err)
		}
		m, err := sub.NextMsg(time.Minute)
		if err != nil || string(m.Data) != "message" || m.Header.Get("Nats-Msg-Id") != "id" {
			t.Errorf("%+v, %v", m, err)
		}
		cancel()
		conn.Close()
	}
	stopNATS(s)
}

func TestDialRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range [][2]string{
		{"arn:aws:s3:::bucket", "http://host/"},
		{"queue", "http://host/"},
		{testARN, ""},
		{testARN, "host/path"},
		{testARN, "ftp://host/path"},
		{testARN, "http://"},
		{testARN, "http://user@host/"},
		{testARN, "http://user:secret@host/"},
		{testARN, "nats://host"},
		{testARN, "nats://host/a.*"},
		{testARN, "sqs+http://host"},
		{testARN, "sqs+http://key@host/q"},
	} {
		_, err := Dial(tt[0], tt[1])
		if fault.KindOf(err) != fault.Invalid || fault.HintOf(err) == "" || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v: %v", tt, err)
		}
	}
}
