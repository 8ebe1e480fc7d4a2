package replicate_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/internal/store"
	"twinbucket/internal/testenv"
	"twinbucket/object"
	"twinbucket/role"
)

// TestEncryptedObjects: a customer's object is replicated without its key, and
// read with it at the destination; one under a key of KMS is not selected where
// no rule asks for it.
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

// kmsConfig is testenv.Config with a rule that takes objects under KMS keys.
func kmsConfig(key string) string {
	return strings.NewReplacer(
		"<Destination>", "<SourceSelectionCriteria><SseKmsEncryptedObjects><Status>Enabled</Status></SseKmsEncryptedObjects></SourceSelectionCriteria><Destination>",
		"</Account>", "</Account><EncryptionConfiguration><ReplicaKmsKeyID>"+key+"</ReplicaKmsKeyID></EncryptionConfiguration>",
	).Replace(testenv.Config)
}

// kmsGrants are what replicating what is under testenv.SrcKey to testenv.DstKey
// needs beside testenv.ReplGrants.
var kmsGrants = []string{"kms:Decrypt " + testenv.SrcKey, "kms:Encrypt " + testenv.DstKey}

// kmsScenario is testenv's with a rule that takes objects under KMS keys.
func kmsScenario(t *testing.T, key string, grants ...string) *testenv.Env {
	e := testenv.New(t)
	e.Scenario()
	e.Document(testenv.SrcBucket, bucket.Replication, kmsConfig(key))
	e.Role("repl", "s3.amazonaws.com", append(grants, testenv.ReplGrants...)...)
	return e
}

// putUnder stores an object that is encrypted in some way.
func putUnder(e *testenv.Env, key, body string, how object.Encryption) *store.Object {
	e.T.Helper()
	o, err := e.Store.Put(e.T.Context(), store.Put{
		Version: object.Version{Bucket: testenv.SrcBucket, Key: key, Owner: testenv.Source, Encryption: how},
		Body:    strings.NewReader(body), Size: int64(len(body)),
	})
	e.Must(err)
	return o
}

func read(e *testenv.Env, o *store.Object) (string, error) {
	body, err := e.Store.Open(e.T.Context(), o, 0, -1)
	if err != nil {
		return "", err
	}
	got, err := io.ReadAll(body)
	e.Must(body.Close())
	return string(got), err
}

// TestReplicasUnderKMS: a replica says that it is under the rule's key, and is,
// also after a crash; what is not under KMS stays as it is.
func TestReplicasUnderKMS(t *testing.T) {
	t.Parallel()
	under := object.Encryption{Algorithm: object.KMS, KeyARN: testenv.SrcKey, Context: "eyJhIjoiYiJ9"}
	for _, tt := range []struct{ name, key, defaults string }{
		{"by its ARN", testenv.DstKey, ""},
		{"by the ARN of an alias", "arn:aws:kms:us-east-1:222222222222:alias/replicas", ""},
		{"with a bucket key", testenv.DstKey, "<ServerSideEncryptionConfiguration><Rule><BucketKeyEnabled>true</BucketKeyEnabled></Rule></ServerSideEncryptionConfiguration>"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := kmsScenario(t, tt.key, kmsGrants...)
			e.Document(testenv.DstBucket, bucket.Encryption, tt.defaults)
			e.Start()
			large := strings.Repeat("large ", 1<<18)
			want := object.Encryption{Algorithm: object.KMS, KeyARN: testenv.DstKey, Context: under.Context, BucketKey: tt.defaults != ""}
			small, file, plain := putUnder(e, "small", "secret", under), putUnder(e, "file", large, under), putUnder(e, "plain", "x", object.Encryption{})
			for _, o := range []*store.Object{small, file, plain} {
				if now := e.Settled(o); now.Status != object.Completed {
					t.Fatalf("%s: %s %+v", o.Key, now.Status, now.Deliveries)
				}
			}
			e.Crash()
			// Each is wrapped under its own key: without the source's only the
			// replicas can be read.
			e.Forget(testenv.SrcKey)
			for _, o := range []*store.Object{small, file} {
				r := e.Head(testenv.DstBucket, o.Key, o.ID)
				if r.Encryption != want || r.ETag != o.ETag {
					t.Errorf("%s: %+v", o.Key, r.Encryption)
				}
				if _, err := read(e, r); err != nil {
					t.Errorf("%s: the replica: %v", o.Key, err)
				}
				if _, err := read(e, e.Head(testenv.SrcBucket, o.Key, o.ID)); err == nil {
					t.Errorf("%s: the source can be read without its key", o.Key)
				}
			}
			if r := e.Head(testenv.DstBucket, "plain", plain.ID); r.Encryption != plain.Encryption {
				t.Errorf("plain: %+v", r.Encryption)
			}
		})
	}
}

// TestKMSFailures takes from replication under KMS what it needs, one thing
// after the other.
func TestKMSFailures(t *testing.T) {
	t.Parallel()
	const decrypt, encrypt = "kms:Decrypt " + testenv.SrcKey, "kms:Encrypt " + testenv.DstKey
	under := object.Encryption{Algorithm: object.KMS, KeyARN: testenv.SrcKey}
	for _, tt := range []struct {
		name, key    string // of replicas
		grants       []string
		broken       func(*testenv.Env)
		how          object.Encryption
		code, reason string
	}{
		{"all there is", testenv.DstKey, kmsGrants, nil, under, "", ""},
		{"no right to decrypt", testenv.DstKey, []string{encrypt}, nil, under, "SrcGetObjectNotPermitted", "kms:Decrypt on resource: " + testenv.SrcKey},
		{"no right to encrypt", testenv.DstKey, []string{decrypt}, nil, under, "DstPutObjectNotPermitted", "kms:Encrypt on resource: " + testenv.DstKey},
		{"the right to make data keys will do", testenv.DstKey, []string{decrypt, "kms:GenerateDataKey " + testenv.DstKey}, nil, under, "", ""},
		{"denied to encrypt", testenv.DstKey, []string{decrypt, "kms:GenerateDataKey " + testenv.DstKey, "!kms:Encrypt *"}, nil, under, "DstPutObjectNotPermitted", "explicit deny"},
		{"the right to read versions will not do", testenv.DstKey, append([]string{"s3:GetObjectVersion " + arn.Object(testenv.SrcBucket, "*"), "!s3:GetObjectVersionForReplication *"}, kmsGrants...), nil, under, "SrcGetObjectNotPermitted", "s3:GetObjectVersionForReplication"},
		{"no such key", testenv.DstKey + "s", kmsGrants, nil, under, "DstKmsKeyNotFound", "does not exist"},
		{"no such alias", "alias/replicas", kmsGrants, nil, under, "DstKmsKeyNotFound", "alias/replicas is not found"}, // of the role's account
		{"a key of another region", strings.Replace(testenv.DstKey, "us-east-1", "eu-west-1", 1), kmsGrants, nil, under, "DstKmsKeyNotFound", "eu-west-1"},
		{"a disabled key", testenv.DisabledKey, kmsGrants, nil, under, "DstKmsKeyInvalidState", "is disabled"},
		{"the source's key is gone", testenv.DstKey, kmsGrants, func(e *testenv.Env) { e.Forget(testenv.SrcKey) }, under, "SrcKmsKeyInvalidState", "--kms-key"},
		{"a source under another account's key", testenv.DstKey, append([]string{"kms:* *"}, kmsGrants...), nil, object.Encryption{Algorithm: object.KMS, KeyARN: testenv.DstKey}, "SrcGetObjectNotPermitted", "belongs to account 222222222222"},
		{"the key that AWS manages needs no right", testenv.DstKey, []string{encrypt}, nil, object.Encryption{Algorithm: object.KMS}, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := kmsScenario(t, tt.key, tt.grants...)
			if tt.how.KeyARN == "" {
				tt.how.KeyARN = e.Store.Keys().ManagedKey(testenv.Source)
			}
			o := putUnder(e, "k", "x", tt.how)
			if tt.broken != nil {
				tt.broken(e)
			}
			e.Start()
			now := e.Settled(o)
			if tt.code == "" {
				if now.Status != object.Completed {
					t.Fatalf("%+v", now.Deliveries)
				}
				return
			}
			if len(now.Deliveries) != 1 || now.Status != object.Failed || now.Deliveries[0].Code != tt.code {
				t.Fatalf("%s: %+v, want %s", now.Status, now.Deliveries, tt.code)
			}
			if r := now.Deliveries[0].Reason; !strings.Contains(r, tt.reason) {
				t.Errorf("reason %q does not mention %q", r, tt.reason)
			}
		})
	}
}

// TestKeyConditions: the conditions of policies know which service uses the
// key, and for which object or bucket.
func TestKeyConditions(t *testing.T) {
	t.Parallel()
	const policy = `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["s3:*"],"Resource":"*"},
		{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*","Condition":{"StringLike":{"kms:ViaService":"s3.us-east-1.amazonaws.com","kms:EncryptionContext:aws:s3:arn":"%s"}}},
		{"Effect":"Allow","Action":"kms:Encrypt","Resource":"*","Condition":{"StringEquals":{"kms:EncryptionContext:aws:s3:arn":"%s"}}}]}`
	for _, tt := range []struct {
		source, replica string
		bucketKey       bool
		code            string
	}{
		{"arn:aws:s3:::src-bucket/*", "arn:aws:s3:::dst-bucket/k", false, ""},
		{"arn:aws:s3:::src-bucket", "arn:aws:s3:::dst-bucket", true, ""},
		{"arn:aws:s3:::src-bucket", "arn:aws:s3:::dst-bucket/k", false, "SrcGetObjectNotPermitted"},
		{"arn:aws:s3:::src-bucket/*", "arn:aws:s3:::dst-bucket", false, "DstPutObjectNotPermitted"},
		{"arn:aws:s3:::src-bucket", "arn:aws:s3:::dst-bucket/k", true, "DstPutObjectNotPermitted"},
	} {
		e := kmsScenario(t, testenv.DstKey)
		e.Must(e.IAM.UpdateRole(t.Context(), testenv.Source, "repl", func(r *role.Role) error {
			r.Inline = map[string][]byte{"p": fmt.Appendf(nil, policy, tt.source, tt.replica)}
			return nil
		}))
		if tt.bucketKey {
			e.Document(testenv.DstBucket, bucket.Encryption, "<ServerSideEncryptionConfiguration><Rule><BucketKeyEnabled>true</BucketKeyEnabled></Rule></ServerSideEncryptionConfiguration>")
		}
		e.Start()
		o := e.Settled(putUnder(e, "k", "x", object.Encryption{Algorithm: object.KMS, KeyARN: testenv.SrcKey, BucketKey: tt.bucketKey}))
		if got := o.Deliveries[0].Code; got != tt.code {
			t.Errorf("%+v: %s, %s", tt, got, o.Deliveries[0].Reason)
		}
	}
}
