package bucket

import (
	"encoding/xml"
	"slices"

	"twinbucket/fault"
)

// EncryptionRule is what the Encryption document of a bucket says of objects
// that are put into it.
type EncryptionRule struct {
	Algorithm    string   // "AES256" or "aws:kms"
	KeyID        string   // under aws:kms: the key as it was named; "" is the account's alias/aws/s3
	BucketKey    bool     // under aws:kms
	BlockedTypes []string // "SSE-C", or "NONE" alone; nil if the document does not say
}

// encryptionDocument is the XML of an EncryptionRule.
type encryptionDocument struct {
	XMLName xml.Name `xml:"ServerSideEncryptionConfiguration"`
	Rule    []struct {
		Default *struct {
			SSEAlgorithm   string
			KMSMasterKeyID string
		} `xml:"ApplyServerSideEncryptionByDefault"`
		BucketKeyEnabled bool
		Blocked          *struct{ EncryptionType []string } `xml:"BlockedEncryptionTypes"`
	}
}

// ParseEncryption reads and checks an Encryption document; a rule without a
// default has AES256. Errors are AWS's.
func ParseEncryption(data []byte) (*EncryptionRule, error) {
	malformed := func(hint string) error {
		return fault.New(fault.Invalid, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema").WithHint("%s", hint)
	}
	var doc encryptionDocument
	if err := xml.Unmarshal(data, &doc); err != nil {
		return nil, malformed(err.Error())
	}
	if len(doc.Rule) != 1 {
		return nil, malformed("ServerSideEncryptionConfiguration holds one Rule")
	}
	r := &EncryptionRule{Algorithm: "AES256", BucketKey: doc.Rule[0].BucketKeyEnabled}
	if d := doc.Rule[0].Default; d != nil {
		r.Algorithm, r.KeyID = d.SSEAlgorithm, d.KMSMasterKeyID
	}
	switch {
	case r.Algorithm == "aws:kms:dsse":
		return nil, fault.New(fault.Unsupported, "NotImplemented", "A header or query you provided implies functionality that is not implemented.").
			WithHint("encryption in two layers is not offered; SSEAlgorithm can be aws:kms or AES256")
	case r.Algorithm != "AES256" && r.Algorithm != "aws:kms":
		return nil, malformed("SSEAlgorithm is AES256 or aws:kms")
	case r.Algorithm == "AES256" && r.KeyID != "":
		return nil, fault.New(fault.Invalid, "InvalidArgument", "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse").
			With("ArgumentName", "ApplyServerSideEncryptionByDefault")
	}
	if b := doc.Rule[0].Blocked; b != nil {
		r.BlockedTypes = b.EncryptionType
		if len(b.EncryptionType) != 1 || b.EncryptionType[0] != "SSE-C" && b.EncryptionType[0] != "NONE" {
			return nil, malformed("BlockedEncryptionTypes holds one EncryptionType: SSE-C or NONE")
		}
	}
	return r, nil
}

// Blocks reports whether writes of a kind of encryption are refused.
func (r *EncryptionRule) Blocks(kind string) bool { return slices.Contains(r.BlockedTypes, kind) }

// EncryptionRule returns how objects that are put into the bucket are encrypted
// unless they ask for something else.
func (b *Bucket) EncryptionRule() *EncryptionRule {
	if doc, ok := b.Documents[Encryption]; ok {
		if r, err := ParseEncryption(doc); err == nil {
			return r
		}
	}
	return &EncryptionRule{Algorithm: "AES256"}
}
