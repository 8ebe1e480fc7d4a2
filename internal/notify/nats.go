package notify

import (
	"context"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// subject gets each message on a subject of NATS. It is connected when
// something is to be sent, and anew after a failure.
type subject struct {
	url  string
	name string

	mu   sync.Mutex
	conn *nats.Conn
}

func newSubject(u *url.URL) (Target, error) {
	name := strings.ReplaceAll(strings.Trim(u.Path, "/"), "/", ".")
	if name == "" || strings.ContainsAny(name, " *>\t\r\n") || u.RawQuery != "" {
		return nil, badTarget(u.String(), "a subject of NATS stands behind the host, without wildcards: nats://HOST:PORT/SUBJECT")
	}
	server := *u
	server.Path = ""
	return &subject{url: server.String(), name: name}, nil
}

// connected returns the connection, made anew if there is none.
func (s *subject) connected(ctx context.Context) (*nats.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil && s.conn.IsConnected() {
		return s.conn, nil
	}
	if s.conn != nil {
		s.conn.Close()
	}
	options := []nats.Option{nats.Name("twinbucket"), nats.NoReconnect()}
	if deadline, ok := ctx.Deadline(); ok {
		options = append(options, nats.Timeout(time.Until(deadline)))
	}
	conn, err := nats.Connect(s.url, options...)
	if err != nil {
		return nil, err
	}
	s.conn = conn
	return conn, nil
}

// Send publishes a message, and returns once the server has it.
func (s *subject) Send(ctx context.Context, id string, message []byte) error {
	conn, err := s.connected(ctx)
	if err != nil {
		return err
	}
	m := nats.NewMsg(s.name)
	m.Data = message
	m.Header.Set(nats.MsgIdHdr, id) // a stream of JetStream drops what it has
	if err := conn.PublishMsg(m); err != nil {
		return err
	}
	return conn.FlushWithContext(ctx)
}

func (s *subject) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		s.conn.Close()
	}
}
