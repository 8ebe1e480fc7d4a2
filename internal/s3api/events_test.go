package s3api_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"twinbucket/internal/notify"
	"twinbucket/internal/s3api"
)

// mailbox is a target that keeps what it gets.
type mailbox struct {
	err error

	mu  sync.Mutex
	got []string
}

func (m *mailbox) Send(_ context.Context, _ string, message []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.got = append(m.got, string(message))
	return m.err
}

func (m *mailbox) Close() {}

// take returns what came since it was last asked.
func (m *mailbox) take() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	defer func() { m.got = nil }()
	return m.got
}

const (
	queueARN = "arn:aws:sqs:us-east-1:111111111111:events"
	topicARN = "arn:aws:sns:us-east-1:111111111111:events"
)

func telling(w *[]notify.Config, targets map[string]notify.Target) func(*s3api.Config) {
	return func(c *s3api.Config) {
		n := notify.Config{Store: c.Store, Targets: targets, Region: c.Region, Log: slog.New(slog.DiscardHandler), Now: c.Now}
		*w, c.Events = append(*w, n), notify.New(n)
	}
}

func queueTells(arn, events string) string {
	return "<QueueConfiguration><Id>" + events + "</Id><Queue>" + arn + "</Queue><Event>s3:" + events + "</Event></QueueConfiguration>"
}

func notifications(parts ...string) string {
	return "<NotificationConfiguration>" + strings.Join(parts, "") + "</NotificationConfiguration>"
}

// TestDestinationsAreAsked: a destination has to be there, and a new one takes
// a test event before the configuration is stored.
func TestDestinationsAreAsked(t *testing.T) {
	t.Parallel()
	here, dead := &mailbox{}, &mailbox{err: errors.New("connection refused")}
	var made []notify.Config
	w := newWorld(t, telling(&made, map[string]notify.Target{queueARN: here, topicARN: dead}))
	w.call(200, "PUT", "/bkt", "")
	other := queueARN + "-2"
	topic := "<TopicConfiguration><Topic>" + topicARN + "</Topic><Event>s3:ObjectRemoved:*</Event></TopicConfiguration>"
	for _, tt := range []struct {
		name, doc, skip string
		status          int
		want            []string // parts of the answer
		tested          int      // test events that the queue gets
	}{
		{"no target", notifications(queueTells(other, "ObjectCreated:*")), "", 400, []string{"<Code>InvalidArgument</Code><Message>Unable to validate the following destination configurations</Message><ArgumentName1>" + other + "</ArgumentName1><ArgumentValue1>The destination queue does not exist</ArgumentValue1>", "--event-target"}, 0},
		{"one of three", notifications(queueTells(queueARN, "ObjectCreated:*"), queueTells(other, "ObjectTagging:*"), topic), "false", 400, []string{"<ArgumentName1>" + topicARN + "</ArgumentName1><ArgumentValue1>The destination could not be reached</ArgumentValue1>", "<ArgumentName2>" + other + "</ArgumentName2>"}, 1},
		{"not reached", notifications(topic), "", 400, []string{"<ArgumentName1>" + topicARN, "connection refused"}, 0},
		{"not asked", notifications(queueTells(other, "ObjectCreated:*"), topic), "true", 200, nil, 0},
		{"not asked, by an older client", notifications(queueTells(other, "ObjectRemoved:*")), "True", 200, nil, 0},
		{"no truth", notifications(topic), "maybe", 400, []string{"InvalidArgument"}, 0},
		{"bad all the same", notifications(queueTells("queue", "ObjectCreated:*")), "true", 400, []string{"The ARN could not be parsed"}, 0},
		{"new", notifications(queueTells(queueARN, "ObjectCreated:*"), queueTells(queueARN, "ObjectRemoved:*")), "", 200, nil, 1},
		{"known", notifications(queueTells(queueARN, "ObjectCreated:Put")), "", 200, nil, 0},
		{"none", notifications(), "", 200, nil, 0},
	} {
		headers := []string{}
		if tt.skip != "" {
			headers = append(headers, "x-amz-skip-destination-validation", tt.skip)
		}
		before := w.call(200, "GET", "/bkt?notification", "").body
		got := w.call(tt.status, "PUT", "/bkt?notification", tt.doc, headers...)
		for _, part := range tt.want {
			if !strings.Contains(got.body, part) {
				t.Errorf("%s: %s", tt.name, got.body)
			}
		}
		if tt.status != 200 && w.call(200, "GET", "/bkt?notification", "").body != before {
			t.Errorf("%s: it was stored all the same", tt.name)
		}
		tested := here.take()
		if len(tested) != tt.tested {
			t.Errorf("%s: tested %q", tt.name, tested)
		}
		for _, m := range tested {
			want := `{"Service":"Amazon S3","Event":"s3:TestEvent","Time":"2026-01-02T03:04:05.000Z","Bucket":"bkt","RequestId":"` + got.header.Get("x-amz-request-id") + `","HostId":"` + got.header.Get("x-amz-id-2") + `"}`
			if diff := cmp.Diff(want, m); diff != "" {
				t.Errorf("%s: %s", tt.name, diff)
			}
		}
	}
}

// TestRequestsMakeEvents: what requests make happen, who asked, and from where.
func TestRequestsMakeEvents(t *testing.T) {
	t.Parallel()
	box := &mailbox{}
	var made []notify.Config
	w := newWorld(t, telling(&made, map[string]notify.Target{queueARN: box}))
	w.versioned("bkt")
	w.call(200, "PUT", "/bkt?ownershipControls", "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>")
	w.call(200, "PUT", "/quiet", "")
	w.call(200, "PUT", "/quiet/k", "x")
	w.call(200, "PUT", "/bkt?notification", notifications(queueTells(queueARN, "ObjectCreated:*"), queueTells(queueARN, "ObjectRemoved:*"), queueTells(queueARN, "ObjectTagging:*"), queueTells(queueARN, "ObjectAcl:Put")))
	box.take()
	soft, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error)
	go func() { done <- notify.New(made[0]).Run(soft, context.WithoutCancel(soft)) }()
	put := w.call(200, "PUT", "/bkt/a b", "x")
	w.call(200, "PUT", "/bkt/copy", "", "x-amz-copy-source", "/quiet/k")
	id := w.begin("parts")
	part := w.call(200, "PUT", "/bkt/parts?partNumber=1&uploadId="+id, "x")
	w.call(200, "POST", "/bkt/parts?uploadId="+id, "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"+part.header.Get("ETag")+"</ETag></Part></CompleteMultipartUpload>")
	tags := "<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>"
	w.call(200, "PUT", "/bkt/copy?tagging", tags, "Content-MD5", md5Of(tags))
	w.call(204, "DELETE", "/bkt/copy?tagging", "")
	w.call(200, "PUT", "/bkt/copy?acl", "", "x-amz-acl", "public-read")
	w.call(204, "DELETE", "/bkt/copy", "")
	w.call(204, "DELETE", "/bkt/a b?versionId="+put.header.Get("x-amz-version-id"), "")
	many := "<Delete><Object><Key>parts</Key></Object></Delete>"
	w.call(200, "POST", "/bkt?delete", many, "Content-MD5", md5Of(many))
	want := []string{
		"ObjectCreated:Put a+b", "ObjectCreated:Copy copy", "ObjectCreated:CompleteMultipartUpload parts", "ObjectTagging:Put copy", "ObjectTagging:Delete copy",
		"ObjectAcl:Put copy", "ObjectRemoved:DeleteMarkerCreated copy", "ObjectRemoved:Delete a+b", "ObjectRemoved:DeleteMarkerCreated parts",
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	var messages []string
	for until := time.Now().Add(time.Minute); len(messages) < len(want) && time.Now().Before(until); <-tick.C {
		messages = append(messages, box.take()...)
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, m := range messages {
		var doc struct {
			Records []struct {
				EventName, AwsRegion string
				UserIdentity         struct{ PrincipalID string }
				RequestParameters    struct{ SourceIPAddress string }
				ResponseElements     map[string]string
				S3                   struct {
					Object struct{ Key, VersionID string }
				}
			}
		}
		if err := json.Unmarshal([]byte(m), &doc); err != nil || len(doc.Records) != 1 {
			t.Fatal(m, err)
		}
		r := doc.Records[0]
		got[r.EventName+" "+r.S3.Object.Key] = true
		if r.UserIdentity.PrincipalID != "111111111111" || r.RequestParameters.SourceIPAddress != "127.0.0.1" || r.AwsRegion != "us-east-1" || len(r.S3.Object.VersionID) != 32 {
			t.Errorf("%s", m)
		}
		if r.EventName == "ObjectCreated:Put" && (r.ResponseElements["x-amz-request-id"] != put.header.Get("x-amz-request-id") || r.ResponseElements["x-amz-id-2"] != put.header.Get("x-amz-id-2")) {
			t.Errorf("%s, of %v", m, put.header)
		}
	}
	for _, name := range want {
		if !got[name] {
			t.Errorf("no %s among %v", name, got)
		}
	}
	if len(messages) != len(want) {
		t.Errorf("%d events, want %d", len(messages), len(want))
	}
}
