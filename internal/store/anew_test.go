package store

import (
	"strings"
	"testing"

	"twinbucket/bucket"
	"twinbucket/internal/vfs"
	"twinbucket/object"
)

// TestBucketsMadeAnew: what was sent to a bucket that is gone is not for another
// of its name.
func TestBucketsMadeAnew(t *testing.T) {
	t.Parallel()
	s := open(t, vfs.Memory())
	makeBucket(t, s, "src", bucket.Unversioned)
	src := put(t, s, "src", "k", "body")
	for name, write := range map[string]func(Put) error{
		"put": func(p Put) error {
			p.Body, p.Size = strings.NewReader("body"), 4
			_, err := s.Put(t.Context(), p)
			return err
		},
		"copy": func(p Put) error {
			_, err := s.Copy(t.Context(), src, p)
			return err
		},
		"change": func(p Put) error {
			return s.ChangeBucket(t.Context(), p.Sent, func(b *bucket.Bucket) error {
				b.Versioning = bucket.Enabled
				return nil
			})
		},
	} {
		makeBucket(t, s, name, bucket.Unversioned)
		sent, err := s.Bucket(name)
		if err != nil {
			t.Fatal(err)
		}
		p := Put{Version: object.Version{Bucket: name, Key: "k", Owner: owner}, Sent: sent}
		if err := s.DeleteBucket(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		wantCode(t, write(p), "NoSuchBucket")
		makeBucket(t, s, name, bucket.Unversioned)
		wantCode(t, write(p), "NoSuchBucket")
		if p.Sent, err = s.Bucket(name); err != nil {
			t.Fatal(err)
		}
		if err := write(p); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	closeStore(t, s)
}
