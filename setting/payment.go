package setting

import (
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

func checkAccelerated(b *bucket.Bucket) error {
	if strings.Contains(b.Name, ".") {
		return invalidRequest("S3 Transfer Acceleration is not supported for buckets with periods (.) in their names").On(b.Name)
	}
	return nil
}
