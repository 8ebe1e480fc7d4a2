package s3api

import (
	"fmt"
	"net/http"
	"strings"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/wire"
	"twinbucket/object"
)

// getDocument answers with a settings document, or with the fault that AWS has
// for its absence.
func (c *call) getDocument(name bucket.Document, action, code, message string) error {
	if err := c.allow(action); err != nil {
		return err
	}
	doc := c.bucket.Documents[name]
	if doc == nil {
		return fault.New(fault.NotFound, code, message).On(c.name)
	}
	return c.stored("application/xml", doc)
}

// deleteDocument removes a settings document.
func (c *call) deleteDocument(name bucket.Document, action string) error {
	if err := c.allow(action); err != nil {
		return err
	}
	return c.setDocument(name, nil, http.StatusNoContent)
}

// render returns what write makes as a document to be stored.
func render(write func(*wire.Document)) []byte {
	x := wire.NewDocument()
	write(x)
	return append([]byte(nil), x.Bytes()...)
}

// getEncryption is GetBucketEncryption. Every bucket has the default that all
// buckets of AWS have.
func (c *call) getEncryption() error {
	if err := c.allow("s3:GetEncryptionConfiguration"); err != nil {
		return err
	}
	if doc := c.bucket.Documents[bucket.Encryption]; doc != nil {
		return c.stored("application/xml", doc)
	}
	return c.stored("application/xml", encryptionXML(&bucket.EncryptionRule{Algorithm: object.AES256}))
}

func encryptionXML(r *bucket.EncryptionRule) []byte {
	return render(func(x *wire.Document) {
		x.OpenNS("ServerSideEncryptionConfiguration", namespace)
		x.Open("Rule")
		x.Open("ApplyServerSideEncryptionByDefault")
		x.Text("SSEAlgorithm", r.Algorithm)
		x.Optional("KMSMasterKeyID", r.KeyID)
		x.Close("ApplyServerSideEncryptionByDefault")
		x.Bool("BucketKeyEnabled", r.BucketKey)
		if len(r.BlockedTypes) > 0 {
			x.Open("BlockedEncryptionTypes")
			for _, t := range r.BlockedTypes {
				x.Text("EncryptionType", t)
			}
			x.Close("BlockedEncryptionTypes")
		}
		x.Close("Rule")
		x.Close("ServerSideEncryptionConfiguration")
	})
}

// putEncryption is PutBucketEncryption. A rule that does not say what is blocked
// leaves that as it was. That a key is there is seen when it is used, as on AWS.
func (c *call) putEncryption() error {
	data, err := c.document(wire.MaxXML)
	if err != nil {
		return err
	}
	if err := c.allow("s3:PutEncryptionConfiguration"); err != nil {
		return err
	}
	var doc struct { // finds elements that nobody knows
		Rule []struct {
			ByDefault *struct {
				SSEAlgorithm   string
				KMSMasterKeyID string
			} `xml:"ApplyServerSideEncryptionByDefault"`
			BucketKeyEnabled       bool
			BlockedEncryptionTypes *struct{ EncryptionType []string }
		}
	}
	if err := wire.Decode(data, "ServerSideEncryptionConfiguration", &doc); err != nil {
		return err
	}
	rule, err := bucket.ParseEncryption(data)
	if err != nil {
		return err
	}
	if rule.BlockedTypes == nil {
		rule.BlockedTypes = c.bucket.EncryptionRule().BlockedTypes
	}
	return c.setDocument(bucket.Encryption, encryptionXML(rule), http.StatusOK)
}

// deleteEncryption is DeleteBucketEncryption.
func (c *call) deleteEncryption() error {
	return c.deleteDocument(bucket.Encryption, "s3:PutEncryptionConfiguration")
}

// validOwnership reports whether v is an object ownership setting.
func validOwnership(v string) bool {
	return v == "BucketOwnerEnforced" || v == "BucketOwnerPreferred" || v == "ObjectWriter"
}

func ownershipXML(v string) []byte {
	return render(func(x *wire.Document) {
		x.OpenNS("OwnershipControls", namespace)
		x.Open("Rule")
		x.Text("ObjectOwnership", v)
		x.Close("Rule")
		x.Close("OwnershipControls")
	})
}

// getOwnership is GetBucketOwnershipControls. A bucket that never had the
// setting behaves as new buckets of AWS do, and says so.
func (c *call) getOwnership() error {
	if err := c.signedIn(fmt.Sprintf(noAnonymousControl, "Get")); err != nil {
		return err
	}
	if err := c.allow("s3:GetBucketOwnershipControls"); err != nil {
		return err
	}
	set := c.bucket.Ownership()
	if set == bucket.Removed {
		return fault.New(fault.NotFound, "OwnershipControlsNotFoundError", "The bucket ownership controls were not found").On(c.name)
	}
	return c.stored("application/xml", ownershipXML(string(set)))
}

// putOwnership is PutBucketOwnershipControls.
func (c *call) putOwnership() error {
	if err := c.signedIn(fmt.Sprintf(noAnonymousControl, "Put")); err != nil {
		return err
	}
	var doc struct {
		Rule  []struct{ ObjectOwnership string }
		Extra []extra `xml:",any"`
	}
	if err := c.xml("OwnershipControls", &doc); err != nil {
		return err
	}
	if err := c.allow("s3:PutBucketOwnershipControls"); err != nil {
		return err
	}
	if err := noExtra("OwnershipControls", doc.Extra); err != nil {
		return err
	}
	if len(doc.Rule) != 1 || !validOwnership(doc.Rule[0].ObjectOwnership) {
		return wire.Malformed("OwnershipControls holds one Rule with BucketOwnerEnforced, BucketOwnerPreferred or ObjectWriter")
	}
	set := doc.Rule[0].ObjectOwnership
	err := c.store.UpdateBucket(c.r.Context(), c.name, func(b *bucket.Bucket) error {
		if bucket.Ownership(set) == bucket.BucketOwnerEnforced && c.listOf(b).Beyond(canonicalID(b.Owner)) {
			return aclWithEnforced()
		}
		b.Documents[bucket.OwnershipControls] = ownershipXML(set)
		return nil
	})
	if err != nil {
		return err
	}
	return c.empty(http.StatusOK)
}

// deleteOwnership is DeleteBucketOwnershipControls: the bucket has none from
// now on, which is not the setting of new buckets.
func (c *call) deleteOwnership() error {
	if err := c.signedIn(fmt.Sprintf(noAnonymousControl, "Put")); err != nil {
		return err
	}
	if err := c.allow("s3:PutBucketOwnershipControls"); err != nil {
		return err
	}
	none := render(func(x *wire.Document) { x.OpenNS("OwnershipControls", namespace); x.Close("OwnershipControls") })
	return c.setDocument(bucket.OwnershipControls, none, http.StatusNoContent)
}

// accessBlock is a bucket's public access block.
type accessBlock struct {
	BlockPublicAcls       string
	IgnorePublicAcls      string
	BlockPublicPolicy     string
	RestrictPublicBuckets string
	Extra                 []extra `xml:",any"`
}

// accessBlockSettings are its settings in AWS's order.
var accessBlockSettings = []string{"BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"}

func parseAccessBlock(data []byte) (*accessBlock, error) {
	var a accessBlock
	if err := wire.Decode(data, "PublicAccessBlockConfiguration", &a); err != nil {
		return nil, err
	}
	if err := noExtra("PublicAccessBlockConfiguration", a.Extra); err != nil {
		return nil, err
	}
	for _, s := range accessBlockSettings {
		if v := strings.ToLower(a.value(s)); v != "" && v != "true" && v != "false" {
			return nil, wire.Malformed(s + " is true or false")
		}
	}
	return &a, nil
}

func (a *accessBlock) value(setting string) string {
	switch setting {
	case "BlockPublicAcls":
		return a.BlockPublicAcls
	case "IgnorePublicAcls":
		return a.IgnorePublicAcls
	case "BlockPublicPolicy":
		return a.BlockPublicPolicy
	}
	return a.RestrictPublicBuckets
}

func (a *accessBlock) on(setting string) bool { return strings.EqualFold(a.value(setting), "true") }

// getPublicAccessBlock is GetPublicAccessBlock.
func (c *call) getPublicAccessBlock() error {
	return c.getDocument(bucket.PublicAccessBlock, "s3:GetBucketPublicAccessBlock",
		"NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found")
}

// putPublicAccessBlock is PutPublicAccessBlock. BlockPublicPolicy and
// RestrictPublicBuckets act on policies, the others on ACLs.
func (c *call) putPublicAccessBlock() error {
	data, err := c.document(wire.MaxXML)
	if err != nil {
		return err
	}
	if err := c.allow("s3:PutBucketPublicAccessBlock"); err != nil {
		return err
	}
	block, err := parseAccessBlock(data)
	if err != nil {
		return err
	}
	doc := render(func(x *wire.Document) {
		x.OpenNS("PublicAccessBlockConfiguration", namespace)
		for _, s := range accessBlockSettings {
			x.Bool(s, block.on(s))
		}
		x.Close("PublicAccessBlockConfiguration")
	})
	return c.setDocument(bucket.PublicAccessBlock, doc, http.StatusOK)
}

// deletePublicAccessBlock is DeletePublicAccessBlock.
func (c *call) deletePublicAccessBlock() error {
	return c.deleteDocument(bucket.PublicAccessBlock, "s3:PutBucketPublicAccessBlock")
}
