package s3api

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/json"
	"maps"

	"twinbucket/arn"
	"twinbucket/fault"
	"twinbucket/internal/keyring"
	"twinbucket/internal/store"
	"twinbucket/internal/wire"
	"twinbucket/object"
)

// Headers of server-side encryption; those of a customer's key have a prefix.
const (
	sseHeader        = "X-Amz-Server-Side-Encryption"
	sseKeyHeader     = sseHeader + "-Aws-Kms-Key-Id"
	sseContextHeader = sseHeader + "-Context"
	sseBucketKey     = sseHeader + "-Bucket-Key-Enabled"
	ofObject         = sseHeader + "-Customer-"
	ofSource         = "X-Amz-Copy-Source-Server-Side-Encryption-Customer-"
)

// invalidSSE is AWS's answer for encryption that is asked for in a wrong way;
// it names the header whatever the matter is.
func invalidSSE(value, message string) *fault.Error {
	return invalid("x-amz-server-side-encryption", message).With("ArgumentValue", value)
}

// customerKey reads the three headers of a customer's key (SSE-C); nil if
// there are none.
func (c *call) customerKey(prefix string) ([]byte, error) {
	h := c.r.Header
	algorithm, key, sum := h[prefix+"Algorithm"], h[prefix+"Key"], h[prefix+"Key-Md5"]
	switch {
	case len(algorithm) == 0 && len(key) == 0 && len(sum) == 0:
		return nil, nil
	case len(algorithm) == 0:
		return nil, invalidSSE("null", "Requests specifying Server Side Encryption with Customer provided keys must provide a valid encryption algorithm.")
	case algorithm[0] != object.AES256:
		return nil, fault.New(fault.Invalid, "InvalidEncryptionAlgorithmError", "The Encryption request you specified is not valid. Supported value: AES256.").
			With("ArgumentName", "x-amz-server-side-encryption").With("ArgumentValue", algorithm[0])
	case len(key) == 0 || key[0] == "":
		return nil, invalidSSE("null", "Requests specifying Server Side Encryption with Customer provided keys must provide an appropriate secret key.")
	}
	raw, err := base64.StdEncoding.DecodeString(key[0])
	if err != nil {
		return nil, invalidSSE("null", "The secret key was invalid for the specified algorithm.")
	}
	if len(sum) == 0 {
		return nil, invalidSSE("null", "Requests specifying Server Side Encryption with Customer provided keys must provide the client calculated MD5 of the secret key.")
	}
	if keyMD5(raw) != sum[0] {
		return nil, invalidSSE("null", "The calculated MD5 hash of the key did not match the hash that was provided.")
	}
	if len(raw) != len(keyring.DataKey{}) {
		return nil, invalidSSE("null", "The secret key was invalid for the specified algorithm.").WithHint("the key has 32 bytes, in base64")
	}
	return raw, nil
}

// keyMD5 returns the MD5 of a customer's key as headers have it.
func keyMD5(key []byte) string {
	sum := md5.Sum(key)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// newEncryption says how what the request writes is to be encrypted: as its
// headers ask, or by the bucket's default. It returns the customer's key, if
// there is one. The caller has been allowed to write.
func (c *call) newEncryption(v *object.Version) (customer []byte, err error) {
	h := c.r.Header
	sse, given := h[sseHeader], len(h[ofObject+"Algorithm"]) > 0 || len(h[ofObject+"Key"]) > 0 || len(h[ofObject+"Key-Md5"]) > 0
	if given && len(sse) > 0 {
		return nil, invalidSSE(sse[0], "Server Side Encryption with Customer provided key is incompatible with the encryption method specified")
	}
	rule := c.bucket.EncryptionRule()
	if given {
		if customer, err = c.customerKey(ofObject); err != nil {
			return nil, err
		}
		if rule.Blocks("SSE-C") {
			return nil, fault.Newf(fault.Denied, "AccessDenied", "User: %s is not authorized to perform: s3:PutObject on resource: %q because this bucket has blocked upload requests that specify Server Side Encryption with Customer provided keys (SSE-C). Please specify a different server-side encryption type", c.caller.ARN, arn.Object(c.name, c.key))
		}
		v.Encryption = object.Encryption{Algorithm: object.AES256, CustomerKeyMD5: keyMD5(customer)}
		return customer, nil
	}
	e := object.Encryption{Algorithm: rule.Algorithm, BucketKey: rule.BucketKey}
	key := rule.KeyID
	if len(sse) > 0 {
		e.Algorithm, key = sse[0], h.Get(sseKeyHeader)
	}
	switch {
	case e.Algorithm == "aws:kms:dsse":
		return nil, unsupported("encryption in two layers (aws:kms:dsse) is not offered; use aws:kms")
	case e.Algorithm != object.AES256 && e.Algorithm != object.KMS:
		return nil, invalidSSE(e.Algorithm, "The encryption method specified is not supported")
	case (len(sse) == 0 || e.Algorithm != object.KMS) && (h.Get(sseKeyHeader) != "" || h.Get(sseContextHeader) != ""):
		return nil, invalidSSE("null", "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms")
	case e.Algorithm == object.AES256:
		v.Encryption = object.Encryption{Algorithm: object.AES256}
		return nil, nil
	}
	switch text := h.Get(sseBucketKey); text {
	case "":
	case "true", "false":
		e.BucketKey = text == "true"
	default:
		return nil, invalid("x-amz-server-side-encryption-bucket-key-enabled", "The value of the header is true or false.").With("ArgumentValue", text)
	}
	if e.Context, err = encryptionContext(h.Get(sseContextHeader)); err != nil {
		return nil, err
	}
	if err := c.needV4(); err != nil {
		return nil, err
	}
	if e.KeyARN, err = c.store.Keys().Resolve(c.caller.Account, key); err != nil {
		return nil, err
	}
	v.Encryption = e
	return nil, c.allowKey("kms:GenerateDataKey", &e, c.name, c.key)
}

// encryptionContext checks the context of a key of KMS.
func encryptionContext(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	data, err := base64.StdEncoding.DecodeString(text)
	var pairs map[string]string
	if err != nil || json.Unmarshal(data, &pairs) != nil {
		return "", invalid("x-amz-server-side-encryption-context",
			"The header 'x-amz-server-side-encryption-context' shall be Base64-encoded UTF-8 string holding JSON which represents a string-string map")
	}
	return text, nil
}

// needV4 refuses what keys of KMS are not for: requests that are not signed,
// or in the old way.
func (c *call) needV4() error {
	if v := c.caller.Verified; v != nil && v.Version != 2 {
		return nil
	}
	return invalid("Authorization", "Requests specifying Server Side Encryption with AWS KMS managed keys require AWS Signature Version 4.").With("ArgumentValue", "null")
}

// allowKey asks whether the caller may use the key of KMS that encrypts, or is
// to encrypt, an object.
func (c *call) allowKey(action string, e *object.Encryption, bucket, key string) error {
	facts := e.KeyFacts(bucket, key)
	maps.Copy(facts, c.context())
	return c.iam.AllowKey(c.caller, action, e.KeyARN, c.store.Keys().Policy(e.KeyARN, ""), facts)
}

// refuseSSE refuses the header of a write in other operations.
func (c *call) refuseSSE() error {
	if v := c.r.Header[sseHeader]; len(v) > 0 {
		return invalidSSE(v[0], "x-amz-server-side-encryption header is not supported for this operation.")
	}
	return nil
}

// sameSSE is refuseSSE for the requests of an upload, unless they say how it is
// encrypted anyhow: MinIO's clients send the headers of its beginning with each.
func (c *call) sameSSE(e *object.Encryption) error {
	if v := c.r.Header[sseHeader]; e.Customer() || len(v) == 0 || v[0] != e.Algorithm {
		return c.refuseSSE()
	}
	id := c.r.Header.Get(sseKeyHeader)
	if id == "" {
		return nil
	}
	if key, err := c.store.Keys().Resolve(c.caller.Account, id); err != nil || key != e.KeyARN {
		return c.refuseSSE()
	}
	return nil
}

// unlock makes an object that is to be read readable, with the customer's key
// in the headers with a prefix if that encrypts it.
func (c *call) unlock(o *store.Object, prefix string) error {
	key, err := c.customerKey(prefix)
	if err != nil {
		return err
	}
	e := &o.Encryption
	switch {
	case e.Customer() && key == nil:
		return fault.New(fault.Invalid, "InvalidRequest", "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object.").
			WithHint("send the x-amz-server-side-encryption-customer-* headers that it was stored with")
	case e.Customer() && keyMD5(key) != e.CustomerKeyMD5:
		return store.ErrWrongKey
	case e.Customer():
		return c.store.Unlock(o, key)
	case key != nil:
		return fault.New(fault.Invalid, "InvalidRequest", "The encryption parameters are not applicable to this object.")
	}
	return nil
}

// unlockBody is unlock for who reads the body too, which needs the right to
// use its key.
func (c *call) unlockBody(o *store.Object, prefix string) error {
	if err := c.unlock(o, prefix); err != nil || o.Encryption.Algorithm != object.KMS {
		return err
	}
	if err := c.needV4(); err != nil {
		return err
	}
	return c.allowKey("kms:Decrypt", &o.Encryption, o.Bucket, o.Key)
}

// partKey returns the customer's key of a part, which has to be the upload's,
// and asks whether the caller may use the upload's key of KMS.
func (c *call) partKey(u *store.Upload) ([]byte, error) {
	key, err := c.uploadKey(u)
	if err == nil && u.Encryption.Algorithm == object.KMS {
		err = c.allowKey("kms:GenerateDataKey", &u.Encryption, u.Bucket, u.Key)
	}
	return key, err
}

// checkCompletionKey looks at the customer's key of a request that completes
// an upload. Only an upload with a checksum algorithm needs one.
func (c *call) checkCompletionKey(u *store.Upload) error {
	if len(u.Checksums) == 0 && len(c.r.Header[ofObject+"Algorithm"]) == 0 {
		return nil
	}
	_, err := c.uploadKey(u)
	return err
}

// uploadKey returns the customer's key in the headers, which has to be the
// upload's.
func (c *call) uploadKey(u *store.Upload) ([]byte, error) {
	key, err := c.customerKey(ofObject)
	if err != nil {
		return nil, err
	}
	switch e := &u.Encryption; {
	case (key != nil) != e.Customer():
		return nil, fault.New(fault.Invalid, "InvalidRequest", "The multipart upload initiate requested encryption. Subsequent part requests must include the appropriate encryption parameters.")
	case key != nil && keyMD5(key) != e.CustomerKeyMD5:
		return nil, fault.New(fault.Invalid, "InvalidRequest", "The provided encryption parameters did not match the ones used originally.")
	}
	return key, nil
}

// showEncryption sets the headers that say how a version is encrypted. What
// was stored before bodies were encrypted has none.
func (c *call) showEncryption(e *object.Encryption) {
	if e.Customer() {
		wire.Set(c.h, "x-amz-server-side-encryption-customer-algorithm", e.Algorithm)
		wire.Set(c.h, "x-amz-server-side-encryption-customer-key-MD5", e.CustomerKeyMD5)
		return
	}
	setIf(c.h, "x-amz-server-side-encryption", e.Algorithm)
	setIf(c.h, "x-amz-server-side-encryption-aws-kms-key-id", e.KeyARN)
	if e.BucketKey {
		wire.Set(c.h, "x-amz-server-side-encryption-bucket-key-enabled", "true")
	}
}
