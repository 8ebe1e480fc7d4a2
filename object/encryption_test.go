package object

import (
	"encoding/base64"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestKeyFacts(t *testing.T) {
	t.Parallel()
	const keys = "kms:encryptioncontextkeys"
	subject := func(name string) map[string][]string {
		return map[string][]string{"kms:encryptioncontext:aws:s3:arn": {name}, keys: {"aws:s3:arn"}}
	}
	given := subject("arn:aws:s3:::b/a/k")
	given["kms:encryptioncontext:team"], given[keys] = []string{"Red"}, []string{"Team", "aws:s3:arn"}
	for name, tt := range map[string]struct {
		e    Encryption
		want map[string][]string
	}{
		"an object":       {Encryption{}, subject("arn:aws:s3:::b/a/k")},
		"by a bucket key": {Encryption{BucketKey: true}, subject("arn:aws:s3:::b")},
		"a context of the caller's": {
			Encryption{Context: base64.StdEncoding.EncodeToString([]byte(`{"Team":"Red","aws:s3:arn":"forged"}`))}, given,
		},
	} {
		got := tt.e.KeyFacts("b", "a/k")
		slices.Sort(got[keys])
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
