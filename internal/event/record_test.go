package event

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"twinbucket/object"
)

var update = flag.Bool("update", false, "write the goldens anew")

// TestMessages: what targets get, event by event.
func TestMessages(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	v := object.Version{Bucket: "photos", Key: "a b/ü&<1>.jpg", ID: "v1", Size: 9, ETag: "437b930db84b8079c2dd804a71936b5f"}
	marker := object.Version{Bucket: "photos", Key: "k", ID: "v2", Marker: true}
	expired := marker
	expired.ByLifecycle = true
	ann := Origin{Principal: "AWS:AIDAEXAMPLE", Address: "192.0.2.1", Request: "D4M2F8DTSQVJRX7C", Host: "HFot7T6f+/=", Time: at}
	itself := From(context.Background())
	itself.Time = at
	d := object.Delivery{Bucket: "copies", Rule: "all", Code: "AssumeRoleNotPermitted"}
	done := d
	done.Code = ""
	for _, tt := range []struct {
		e    Event
		from Origin
	}{
		{Of(Stored(&v, ByPut), &v), ann},
		{Of(Stored(&object.Version{}, ByPost), &object.Version{Bucket: "photos", Key: "empty", ETag: emptyETag}), ann},
		{Of(Stored(&v, ByCopy), &v), ann},
		{Of(Stored(&v, ByUpload), &v), ann},
		{Of(RemovedDelete, &v), ann},
		{Of(Stored(&marker, ByPut), &marker), ann},
		{Of(Stored(&expired, ByPut), &expired), itself},
		{Of(ExpiredDelete, &v), itself},
		{Of(TaggingPut, &v), ann},
		{Of(TaggingDelete, &v), ann},
		{Of(ACLPut, &v), ann},
		{OfDelivery(ReplicationFailed, &v, d, at.Add(-time.Minute)), itself},
		{OfDelivery(ReplicationMissed, &v, done, at.Add(-time.Hour)), itself},
		{OfDelivery(ReplicationLate, &v, done, at.Add(-time.Hour)), itself},
		{OfDelivery(ReplicationNotTracked, &v, done, at.Add(-time.Hour)), itself},
	} {
		e := tt.e
		e.Origin, e.Owner, e.Configuration, e.Place = tt.from, "111122223333", "tell-me", 0xabc
		read, err := Read(e.Encode())
		read.Place = e.Place
		if diff := cmp.Diff(e, read); diff != "" || err != nil {
			t.Errorf("%s, written and read: %s %v", e.Name, diff, err)
		}
		golden(t, strings.ReplaceAll(e.Name, ":", "-"), read.Message("us-east-1"))
	}
	golden(t, "TestEvent", Test("photos", ann))
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".json")
	got = append(got, '\n')
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s: %s", name, diff)
	}
}
