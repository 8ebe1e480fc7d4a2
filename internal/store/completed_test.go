package store

import (
	"strings"
	"testing"

	"twinbucket/bucket"
	"twinbucket/internal/layout"
	"twinbucket/internal/scan"
	"twinbucket/internal/vfs"
	"twinbucket/object"
)

// TestCompletedUploadIsRemembered: whoever asks again gets the version that was
// made, as long as it is there.
func TestCompletedUploadIsRemembered(t *testing.T) {
	t.Parallel()
	fs := vfs.Memory()
	s := open(t, fs)
	makeBucket(t, s, "bkt", bucket.Enabled)
	makeBucket(t, s, "plain", bucket.Unversioned)
	upload := func(name string) (id string, list []Chosen, o *Object) {
		id, err := s.CreateUpload(t.Context(), object.Version{Bucket: name, Key: "k"}, "")
		if err != nil {
			t.Fatal(err)
		}
		p, err := s.PutPart(t.Context(), name, "k", id, 7, strings.NewReader("body"), 4, nil)
		if err != nil {
			t.Fatal(err)
		}
		if p.Modified.IsZero() {
			t.Error("a part without a time")
		}
		list = []Chosen{{7, p.ETag}}
		if o, err = s.CompleteUpload(t.Context(), name, "k", id, list, nil, object.Condition{}); err != nil {
			t.Fatal(err)
		}
		return id, list, o
	}
	again := func(name, id string, list []Chosen, want *Object) {
		t.Helper()
		o, err := s.Completed(t.Context(), name, "k", id, list)
		if want == nil {
			wantCode(t, err, "NoSuchUpload")
			return
		}
		if err != nil || o.ID != want.ID || o.ETag != want.ETag || !o.Parts[0].Modified.IsZero() {
			t.Fatalf("%+v %v, want %s", o, err, want.ID)
		}
	}
	id, list, o := upload("bkt")
	plainID, plainList, p := upload("plain")
	put(t, s, "bkt", "k", "newer")
	closeStore(t, s)
	s = open(t, fs)
	again("bkt", id, list, o)
	again("plain", plainID, plainList, p)
	again("bkt", "none", list, nil)
	again("bkt", id, []Chosen{{7, "other"}}, nil)
	again("bkt", id, append(list, Chosen{8, "more"}), nil)

	if _, err := s.Delete(t.Context(), "bkt", "k", o.ID, owner); err != nil {
		t.Fatal(err)
	}
	again("bkt", id, list, nil)
	put(t, s, "plain", "k", "replaced")
	again("plain", plainID, plainList, nil)
	for _, name := range []string{"bkt", "plain"} {
		err := scan.Each(t.Context(), s.db, layout.Prefix(layout.KindDone, name, ""), func(row, _ []byte) error {
			t.Errorf("%q is remembered without its version", row)
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	closeStore(t, s)
}
