package object

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
