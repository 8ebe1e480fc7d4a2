package replicate_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"twinbucket/bucket"
	"twinbucket/internal/store"
	"twinbucket/internal/testenv"
	"twinbucket/object"
)

// TestEncryptedObjects: a customer's object is replicated without its key, and
// read with it at the destination; one under a key of KMS is not selected, for
// no rule can ask for it.
func TestEncryptedObjects(t *testing.T) {
	t.Parallel()
	e := testenv.New(t)
	e.Scenario()
	e.Document(testenv.SrcBucket, bucket.Replication, testenv.Config)
	e.Start()
	key := bytes.Repeat([]byte{7}, 32)
	put := func(name string, how object.Encryption, key []byte) *store.Object {
		o, err := e.Store.Put(t.Context(), store.Put{
			Version: object.Version{Bucket: testenv.SrcBucket, Key: name, Owner: testenv.Source, Encryption: how},
			Body:    strings.NewReader("secret"), Size: 6, CustomerKey: key,
		})
		e.Must(err)
		return o
	}
	for _, how := range []object.Encryption{{Algorithm: object.AES256}, {Algorithm: object.AES256, CustomerKeyMD5: "md5"}} {
		o := e.Settled(put("k", how, key))
		if o.Status != object.Completed {
			t.Fatalf("%+v: %s %+v", how, o.Status, o.Deliveries)
		}
		r := e.Head(testenv.DstBucket, "k", o.ID)
		if r.Encryption != how {
			t.Errorf("the replica is under %+v", r.Encryption)
		}
		e.Must(e.Store.Unlock(r, key))
		body, err := e.Store.Open(t.Context(), r, 0, -1)
		e.Must(err)
		got, err := io.ReadAll(body)
		e.Must(err)
		e.Must(body.Close())
		if string(got) != "secret" {
			t.Errorf("%q", got)
		}
	}
	kms := object.Encryption{Algorithm: object.KMS, KeyARN: e.Store.Keys().ManagedKey(testenv.Source)}
	if o := put("kms", kms, nil); o.Status != object.None {
		t.Errorf("under KMS: %s", o.Status)
	}
}
