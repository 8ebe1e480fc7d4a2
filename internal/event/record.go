package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"twinbucket/arn"
)

// Source: Amazon S3 User Guide, "Event message structure". Versions of the
// structure: 2.1, but 2.2 for replication and 2.3 for lifecycle, tags and ACLs.

// message is what a target gets.
type message struct{ Records []record }

type record struct {
	EventVersion      string            `json:"eventVersion"`
	EventSource       string            `json:"eventSource"`
	Region            string            `json:"awsRegion"`
	Time              string            `json:"eventTime"`
	Name              string            `json:"eventName"`
	UserIdentity      identity          `json:"userIdentity"`
	RequestParameters map[string]string `json:"requestParameters"`
	ResponseElements  responseElements  `json:"responseElements"`
	S3                entity            `json:"s3"`
	Replication       *replicationData  `json:"replicationEventData,omitempty"`
}

type identity struct {
	Principal string `json:"principalId"`
}

type responseElements struct {
	Request string `json:"x-amz-request-id"`
	Host    string `json:"x-amz-id-2"`
}

type entity struct {
	SchemaVersion string `json:"s3SchemaVersion"`
	Configuration string `json:"configurationId"`
	Bucket        struct {
		Name  string   `json:"name"`
		Owner identity `json:"ownerIdentity"`
		ARN   string   `json:"arn"`
	} `json:"bucket"`
	Object struct {
		Key       string `json:"key"`
		Size      *int64 `json:"size,omitempty"`
		ETag      string `json:"eTag,omitempty"`
		Version   string `json:"versionId,omitempty"`
		Sequencer string `json:"sequencer,omitempty"`
	} `json:"object"`
}

type replicationData struct {
	Rule        string `json:"replicationRuleId"`
	Destination string `json:"destinationBucket"`
	Operation   string `json:"s3Operation"`
	Requested   string `json:"requestTime"`
	Reason      string `json:"failureReason,omitempty"`
}

// Message returns the JSON that a target gets of an event in a bucket of
// region.
func (e *Event) Message(region string) []byte {
	r := record{
		EventVersion: e.version(), EventSource: "aws:s3", Region: region, Time: stamp(e.Origin.Time), Name: e.Name,
		UserIdentity:      identity{e.Origin.Principal},
		RequestParameters: map[string]string{"sourceIPAddress": e.Origin.Address},
		ResponseElements:  responseElements{e.Origin.Request, e.Origin.Host},
	}
	if r.ResponseElements.Request == "" {
		r.ResponseElements.Request = e.sequencer()
	}
	s := &r.S3
	s.SchemaVersion, s.Configuration = "1.0", e.Configuration
	s.Bucket.Name, s.Bucket.Owner.Principal, s.Bucket.ARN = e.Bucket, e.Owner, arn.Bucket(e.Bucket)
	s.Object.Key, s.Object.Version = encodeKey(e.Key), e.ID
	switch kind, _, _ := strings.Cut(e.Name, ":"); kind {
	case "ObjectCreated", "Replication":
		s.Object.Size, s.Object.ETag, s.Object.Sequencer = &e.Size, e.ETag, e.sequencer()
	case "ObjectTagging", "ObjectAcl":
		s.Object.ETag = e.ETag
	default:
		s.Object.Sequencer = e.sequencer()
		if e.Name == RemovedMarker || e.Name == ExpiredMarker {
			s.Object.ETag = e.ETag
		}
	}
	if d := e.Replication; d != nil {
		r.Replication = &replicationData{d.Rule, arn.Bucket(d.Destination), "OBJECT_PUT", stamp(d.Requested), d.Reason}
	}
	return marshal(message{[]record{r}})
}

func (e *Event) version() string {
	switch kind, _, _ := strings.Cut(e.Name, ":"); kind {
	case "Replication":
		return "2.2"
	case "LifecycleExpiration", "ObjectTagging", "ObjectAcl":
		return "2.3"
	}
	return "2.1"
}

// sequencer is greater, as text, for what happened later.
func (e *Event) sequencer() string { return fmt.Sprintf("%016X", e.Place) }

// encodeKey writes a key as records have it: as a form has values, with its
// slashes as they are.
func encodeKey(key string) string { return strings.ReplaceAll(url.QueryEscape(key), "%2F", "/") }

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// marshal writes v as JSON that is not meant for a page of HTML.
func marshal(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // of strings and numbers: it always can
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// Test returns the message that a new target gets, to see whether it is there.
func Test(bucket string, o Origin) []byte {
	return marshal(struct{ Service, Event, Time, Bucket, RequestId, HostId string }{
		"Amazon S3", "s3:TestEvent", stamp(o.Time), bucket, o.Request, o.Host,
	})
}
