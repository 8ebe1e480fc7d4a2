package notify

import (
	"context"
	"net/url"
	"strings"

	"twinbucket/arn"
	"twinbucket/fault"
)

// Target is somebody who can be told of events.
type Target interface {
	// Send has the target take a message. An error means that it may not have
	// it. id is the same if the message is sent again.
	Send(ctx context.Context, id string, message []byte) error
	Close()
}

// Dial returns the target that stands for an ARN, by its URL; nothing is
// connected before something is sent. The URL is one of:
//
//	http://HOST/PATH, https://HOST/PATH           a webhook; :SECRET@ before HOST signs what is sent
//	nats://HOST:PORT/SUBJECT, tls://…             a subject of NATS; USER:PASSWORD@ or TOKEN@ before HOST
//	sqs+http://HOST/QUEUE/PATH, sqs+https://…     a queue with the API of SQS; KEY:SECRET@ before HOST
func Dial(name, target string) (Target, error) {
	a, err := arn.Parse(name)
	if err != nil || a.Service != "sqs" && a.Service != "sns" && a.Service != "lambda" {
		return nil, badTarget(name, "an event target stands for the ARN of a queue, a topic or a function, such as arn:aws:sqs:us-east-1:111111111111:events")
	}
	u, err := url.Parse(target)
	if err != nil || u.Host == "" || u.Fragment != "" {
		return nil, badTarget(target, "an event target is http(s)://HOST/PATH, nats://HOST:PORT/SUBJECT or sqs+http(s)://HOST/QUEUE/PATH")
	}
	user := u.User
	switch u.Scheme {
	case "http", "https":
		return newWebhook(u)
	case "nats", "tls":
		return newSubject(u)
	case "sqs+http", "sqs+https":
		u.Scheme, u.User = strings.TrimPrefix(u.Scheme, "sqs+"), nil
		return newQueue(u, user, a.Region)
	}
	return nil, badTarget(target, "the URL of an event target begins with http://, https://, nats://, tls://, sqs+http:// or sqs+https://")
}

func badTarget(what, hint string) error {
	if u, err := url.Parse(what); err == nil {
		what = u.Redacted()
	}
	return fault.Newf(fault.Invalid, "", "%q is not an event target", what).WithHint("%s", hint)
}
