package setting

import (
	"bytes"
	"strings"

	"twinbucket/bucket"
)

var paymentKind = kind{
	root:  group("RequestPaymentConfiguration", needed(word("Payer", "BucketOwner", "Requester"))),
	limit: 64 << 10,
}

var accelerateKind = kind{
	root:  group("AccelerateConfiguration", needed(word("Status", "Enabled", "Suspended"))),
	limit: 64 << 10,
}

// RequesterPays reports whether those who ask have to say that they pay.
func RequesterPays(b *bucket.Bucket) bool {
	return bytes.Contains(b.Documents[bucket.RequestPayment], []byte("<Payer>Requester<"))
}

func checkAccelerated(b *bucket.Bucket) error {
	if strings.Contains(b.Name, ".") {
		return invalidRequest("S3 Transfer Acceleration is not supported for buckets with periods (.) in their names").On(b.Name)
	}
	return nil
}
