package object

import (
	"encoding/base64"
	"encoding/json"
	"strings"

	"twinbucket/arn"
)

// Encryption says how a version's body is encrypted. The zero Encryption is
// that of a body stored before bodies were encrypted, and of delete markers.
type Encryption struct {
	Algorithm      string // AES256 or KMS
	KeyARN         string // under KMS: the key
	Context        string // under KMS: base64 of the JSON of the encryption context, as it was given; may be ""
	BucketKey      bool   // under KMS: asked for with a bucket key
	CustomerKeyMD5 string // base64; "" unless a customer's key (SSE-C) encrypts it
}

// The algorithms of encryption.
const (
	AES256 = "AES256"
	KMS    = "aws:kms"
)

// Customer reports whether the body is encrypted under a customer's key (SSE-C).
func (e *Encryption) Customer() bool { return e.CustomerKeyMD5 != "" }

// The kinds of encryption, as inventories and filters of jobs name them. None
// is encrypted in two layers (DSSE-KMS).
const (
	SSES3   = "SSE-S3"
	SSEKMS  = "SSE-KMS"
	DSSEKMS = "DSSE-KMS"
	SSEC    = "SSE-C"
	NotSSE  = "NOT-SSE"
)

// Kind returns the kind of encryption of a version that is no delete marker.
func (e *Encryption) Kind() string {
	switch {
	case e.Customer():
		return SSEC
	case e.Algorithm == KMS:
		return SSEKMS
	case e.Algorithm == "":
		return NotSSE
	}
	return SSES3
}

// WriteFacts returns the condition keys of writing an object that is encrypted
// so (Service Authorization Reference, s3:ReplicateObject).
func (e *Encryption) WriteFacts() map[string][]string {
	facts := map[string][]string{}
	if e.Customer() {
		facts["s3:x-amz-server-side-encryption-customer-algorithm"] = []string{AES256}
		return facts
	}
	if e.Algorithm != "" {
		facts["s3:x-amz-server-side-encryption"] = []string{e.Algorithm}
	}
	if e.KeyARN != "" {
		facts["s3:x-amz-server-side-encryption-aws-kms-key-id"] = []string{e.KeyARN}
	}
	return facts
}

// KeyFacts returns the condition keys of using the key of KMS that encrypts an
// object: those of the encryption context, in which S3 names the object, or its
// bucket if a bucket key is used (S3 User Guide, "Using server-side encryption
// with AWS KMS keys", encryption context).
func (e *Encryption) KeyFacts(bucket, key string) map[string][]string {
	const prefix, subject = "kms:encryptioncontext:", "aws:s3:arn"
	names, facts := []string{subject}, map[string][]string{}
	facts[prefix+subject] = []string{arn.Object(bucket, key)}
	if e.BucketKey {
		facts[prefix+subject] = []string{arn.Bucket(bucket)}
	}
	var given map[string]string
	if data, err := base64.StdEncoding.DecodeString(e.Context); err == nil && json.Unmarshal(data, &given) == nil {
		for name, value := range given {
			if name != subject {
				names = append(names, name)
				facts[prefix+strings.ToLower(name)] = []string{value}
			}
		}
	}
	facts["kms:encryptioncontextkeys"] = names
	return facts
}
