package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// TestEventsReachAWebhook: boto3 sets notifications up and does what they are
// about, and a webhook is told.
func TestEventsReachAWebhook(t *testing.T) {
	const queue = "arn:aws:sqs:us-east-1:111111111111:events"
	var mu sync.Mutex
	got := map[string]string{} // message by event and key
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		var m struct {
			Event   string
			Records []struct {
				EventName string
				S3        struct{ Object struct{ Key string } }
			}
		}
		if err := json.Unmarshal(body, &m); err != nil {
			t.Errorf("%s: %v", body, err)
		}
		mu.Lock()
		defer mu.Unlock()
		if m.Event != "" {
			got[m.Event] = string(body)
		}
		for _, rec := range m.Records {
			got[rec.EventName+" "+rec.S3.Object.Key] = string(body)
		}
	}))
	defer hook.Close()
	start(t, "--event-target", queue+"="+hook.URL+"/hook").boto3(t, "events.py", "QUEUE="+queue)
	for _, want := range []struct{ event, part string }{
		{"s3:TestEvent", `"Bucket":"told"`},
		{"ObjectCreated:Put a+b/%C3%BC", `"size":3,"eTag":"202cb962ac59075b964b07152d234b70"`},
		{"ObjectCreated:Copy copy", `"configurationId":"all"`},
		{"ObjectCreated:CompleteMultipartUpload parts", `-1"`},
		{"ObjectTagging:Put copy", `"eventVersion":"2.3"`},
		{"ObjectTagging:Delete copy", `"eventVersion":"2.3"`},
		{"ObjectRemoved:DeleteMarkerCreated copy", `"sequencer"`},
		{"ObjectRemoved:Delete copy", `"versionId"`},
		{"Replication:OperationFailedReplication stays", `"replicationRuleId":"measured","destinationBucket":"arn:aws:s3:::copies","s3Operation":"OBJECT_PUT"`},
	} {
		err := poll(func() (bool, error) {
			mu.Lock()
			defer mu.Unlock()
			return got[want.event] != "", nil
		})
		mu.Lock()
		if err != nil || !strings.Contains(got[want.event], want.part) {
			t.Errorf("%s: %q, %v", want.event, got[want.event], err)
		}
		mu.Unlock()
	}
}
