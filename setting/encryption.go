package setting

import (
	"strconv"

	"twinbucket/bucket"
)

var encryptionElement = group("ServerSideEncryptionConfiguration", needed(group("Rule",
	group("ApplyServerSideEncryptionByDefault", needed(text("SSEAlgorithm")), text("KMSMasterKeyID")),
	formed("BucketKeyEnabled", truth),
	group("BlockedEncryptionTypes", repeated(text("EncryptionType"))),
)))

var encryptionKind = kind{root: encryptionElement, limit: 64 << 10, check: checkEncryption}

// checkEncryption has bucket.ParseEncryption look at what the words mean.
func checkEncryption(root *node) error {
	_, err := bucket.ParseEncryption(encryptionElement.document(root))
	return err
}

// Encryption returns the Encryption document of a rule.
func Encryption(r *bucket.EncryptionRule) []byte {
	byDefault := &node{name: "ApplyServerSideEncryptionByDefault"}
	byDefault.set("SSEAlgorithm", r.Algorithm)
	if r.KeyID != "" {
		byDefault.set("KMSMasterKeyID", r.KeyID)
	}
	rule := &node{name: "Rule", kids: []*node{byDefault}}
	rule.set("BucketKeyEnabled", strconv.FormatBool(r.BucketKey))
	if len(r.BlockedTypes) > 0 {
		blocked := &node{name: "BlockedEncryptionTypes"}
		for _, t := range r.BlockedTypes {
			blocked.kids = append(blocked.kids, &node{name: "EncryptionType", text: t})
		}
		rule.kids = append(rule.kids, blocked)
	}
	return encryptionElement.document(&node{kids: []*node{rule}})
}
