package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"twinbucket/internal/sigv4"
)

// SignatureHeader holds "sha256=" and the hexadecimal HMAC-SHA256 of a
// webhook's body under its secret.
const SignatureHeader = "X-Twinbucket-Signature"

// IDHeader holds the id of a webhook's message: one that comes twice has the
// same both times.
const IDHeader = "X-Twinbucket-Event-Id"

// newClient returns a client that follows no redirect: who answers with one has
// not taken the message.
func newClient() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: width, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// post sends a request, and fails unless the answer is a success.
func post(client *http.Client, r *http.Request) error {
	r.Header.Set("User-Agent", "Twinbucket")
	answer, err := client.Do(r)
	if about := new(url.Error); errors.As(err, &about) {
		return about.Err // without the URL, which is nobody's business but the operator's
	}
	defer answer.Body.Close()
	// What is left unread costs the connection, and no more.
	_, _ = io.CopyN(io.Discard, answer.Body, 64<<10)
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("it answered %s", answer.Status)
	}
	return nil
}

// webhook gets each message as the body of a POST.
type webhook struct {
	client *http.Client
	url    string
	secret []byte // none: it is not signed
}

func newWebhook(u *url.URL) (Target, error) {
	w := &webhook{client: newClient()}
	if u.User != nil {
		secret, ok := u.User.Password()
		if !ok || secret == "" || u.User.Username() != "" {
			return nil, badTarget(u.String(), "a webhook's secret stands behind a colon and before the host: https://:SECRET@HOST/PATH")
		}
		w.secret = []byte(secret)
		u.User = nil
	}
	w.url = u.String()
	return w, nil
}

func (w *webhook) Send(ctx context.Context, id string, message []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(message))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(IDHeader, id)
	if len(w.secret) > 0 {
		mac := hmac.New(sha256.New, w.secret)
		mac.Write(message)
		r.Header.Set(SignatureHeader, "sha256="+hex.EncodeToString(mac.Sum(nil)))
	}
	return post(w.client, r)
}

func (w *webhook) Close() { w.client.CloseIdleConnections() }

// queue gets each message by SendMessage of the API of SQS.
type queue struct {
	client   *http.Client
	endpoint string
	url      string // of the queue
	keys     sigv4.Credentials
	region   string
	now      func() time.Time
}

func newQueue(u *url.URL, user *url.Userinfo, region string) (Target, error) {
	if len(strings.Trim(u.Path, "/")) == 0 {
		return nil, badTarget("sqs+"+u.String(), "a queue's URL has a path, such as sqs+https://sqs.us-east-1.amazonaws.com/111111111111/events")
	}
	q := &queue{client: newClient(), endpoint: u.Scheme + "://" + u.Host + "/", url: u.String(), region: region, now: time.Now}
	if user != nil {
		q.keys.AccessKey = user.Username()
		q.keys.Secret, _ = user.Password()
	}
	if user != nil && (q.keys.AccessKey == "" || q.keys.Secret == "") {
		return nil, badTarget("sqs+"+u.String(), "the credentials of a queue are an access key and a secret key: sqs+https://KEY:SECRET@HOST/QUEUE/PATH")
	}
	return q, nil
}

func (q *queue) Send(ctx context.Context, _ string, message []byte) error {
	// Two strings always marshal.
	body, _ := json.Marshal(struct{ QueueUrl, MessageBody string }{q.url, string(message)})
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, q.endpoint, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("X-Amz-Target", "AmazonSQS.SendMessage")
	if q.keys.AccessKey != "" {
		sum := sha256.Sum256(body)
		sigv4.Sign(r, q.keys, q.region, "sqs", hex.EncodeToString(sum[:]), q.now())
	}
	return post(q.client, r)
}

func (q *queue) Close() { q.client.CloseIdleConnections() }
