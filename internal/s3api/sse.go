package s3api

import "twinbucket/object"

// showEncryption sets the headers that say how a version is encrypted. What
// was stored before bodies were encrypted has none.
func (c *call) showEncryption(e *object.Encryption) {
	setIf(c.h, "x-amz-server-side-encryption", e.Algorithm)
}
