package replicate_test

import (
	"bytes"
	"strings"
	"testing"

	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/internal/store"
	"twinbucket/internal/testenv"
	"twinbucket/object"
)

// TestEncryptionInConditions: a destination's policy may ask how the replica is
// encrypted.
func TestEncryptionInConditions(t *testing.T) {
	t.Parallel()
	const algorithm, key = "s3:x-amz-server-side-encryption", "s3:x-amz-server-side-encryption-aws-kms-key-id"
	customer := object.Encryption{Algorithm: object.AES256, CustomerKeyMD5: "md5"}
	managed := object.Encryption{Algorithm: object.AES256}
	kms := object.Encryption{Algorithm: object.KMS, KeyARN: testenv.SrcKey}
	for _, tt := range []struct {
		condition string
		under     object.Encryption
		want      object.Status
	}{
		{`"StringEquals":{"` + algorithm + `":"AES256"}`, managed, object.Completed},
		{`"StringEquals":{"` + algorithm + `":"AES256"}`, kms, object.Failed},
		{`"StringEquals":{"` + algorithm + `":"AES256"}`, customer, object.Failed},
		{`"StringEquals":{"` + algorithm + `":"aws:kms","` + key + `":"` + testenv.DstKey + `"}`, kms, object.Completed},
		{`"StringEquals":{"` + key + `":"` + testenv.SrcKey + `"}`, kms, object.Failed},
		{`"StringLikeIfExists":{"` + algorithm + `":["aws:kms","AES256"],"` + key + `":"` + testenv.DstKey + `"}`, managed, object.Completed},
		{`"Null":{"` + algorithm + `-customer-algorithm":"false"}`, customer, object.Completed},
		{`"Bool":{"aws:SecureTransport":"true"}`, managed, object.Completed},
	} {
		t.Run(tt.condition, func(t *testing.T) {
			t.Parallel()
			e := kmsScenario(t, testenv.DstKey, kmsGrants...)
			e.Document(testenv.DstBucket, bucket.Policy, `{"Statement":{"Effect":"Allow","Principal":{"AWS":"`+testenv.ReplRole+`"},"Action":"s3:Replicate*",`+
				`"Resource":"`+arn.Object(testenv.DstBucket, "*")+`","Condition":{`+tt.condition+`}}}`)
			e.Start()
			o, err := e.Store.Put(t.Context(), store.Put{
				Version: object.Version{Bucket: testenv.SrcBucket, Key: "k", Owner: testenv.Source, Encryption: tt.under},
				Body:    strings.NewReader("x"), Size: 1, CustomerKey: bytes.Repeat([]byte{7}, 32),
			})
			e.Must(err)
			if o = e.Settled(o); o.Status != tt.want {
				t.Errorf("under %+v: %s %+v", tt.under, o.Status, o.Deliveries)
			}
		})
	}
}
