package bucket

import (
	"testing"

	"twinbucket/fault"
)

func TestParseEncryption(t *testing.T) {
	t.Parallel()
	doc := func(rule string) []byte {
		return []byte(`<ServerSideEncryptionConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">` + rule + `</ServerSideEncryptionConfiguration>`)
	}
	by := func(inner string) string {
		return "<Rule><ApplyServerSideEncryptionByDefault>" + inner + "</ApplyServerSideEncryptionByDefault></Rule>"
	}
	for _, tt := range []struct{ rule, algorithm, key, code string }{
		{by("<SSEAlgorithm>AES256</SSEAlgorithm>"), "AES256", "", ""},
		{by("<SSEAlgorithm>aws:kms</SSEAlgorithm>"), "aws:kms", "", ""},
		{by("<SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>k</KMSMasterKeyID>"), "aws:kms", "k", ""},
		{"<Rule><BlockedEncryptionTypes><EncryptionType>NONE</EncryptionType></BlockedEncryptionTypes></Rule>", "AES256", "", ""},
		{by("<SSEAlgorithm>AES256</SSEAlgorithm><KMSMasterKeyID>k</KMSMasterKeyID>"), "", "", "InvalidArgument"},
		{by("<SSEAlgorithm>aws:kms:dsse</SSEAlgorithm>"), "", "", "NotImplemented"},
		{by("<SSEAlgorithm>rot13</SSEAlgorithm>"), "", "", "MalformedXML"},
		{"<Rule><BlockedEncryptionTypes><EncryptionType>SSE-S3</EncryptionType></BlockedEncryptionTypes></Rule>", "", "", "MalformedXML"},
		{"", "", "", "MalformedXML"},
		{"<Rule>", "", "", "MalformedXML"},
	} {
		r, err := ParseEncryption(doc(tt.rule))
		if fault.CodeOf(err) != tt.code || err == nil && (r.Algorithm != tt.algorithm || r.KeyID != tt.key) {
			t.Errorf("%s: %+v, %v", tt.rule, r, err)
		}
	}
	b := &Bucket{Documents: map[Document][]byte{}}
	if r := b.EncryptionRule(); r.Algorithm != "AES256" || r.Blocks("SSE-C") {
		t.Errorf("without a document: %+v", r)
	}
	b.Documents[Encryption] = doc("<Rule><BlockedEncryptionTypes><EncryptionType>SSE-C</EncryptionType></BlockedEncryptionTypes></Rule>")
	if r := b.EncryptionRule(); !r.Blocks("SSE-C") {
		t.Errorf("%+v", r)
	}
}
