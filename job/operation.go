package job

import (
	"slices"
	"strings"
	"time"
	"unicode"

	"twinbucket/fault"
	"twinbucket/object"
)

// The operations that are offered (S3 User Guide, "Operations supported by S3
// Batch Operations").
const (
	ReplicateObject     = "S3ReplicateObject" // of Batch Replication
	PutObjectCopy       = "S3PutObjectCopy"
	PutObjectTagging    = "S3PutObjectTagging"
	DeleteObjectTagging = "S3DeleteObjectTagging"
	PutObjectACL        = "S3PutObjectAcl"
	PutObjectLegalHold  = "S3PutObjectLegalHold"
	PutObjectRetention  = "S3PutObjectRetention"
)

// notOffered are the other operations of AWS, with what to do instead.
var notOffered = map[string]string{
	"LambdaInvoke":             "there are no functions here to invoke; work through the manifest with a program of your own",
	"S3InitiateRestoreObject":  "objects of every storage class can be read at once here: nothing has to be restored",
	"S3ComputeObjectChecksum":  "a copy of the objects with a ChecksumAlgorithm gives them a checksum: " + PutObjectCopy,
	"S3UpdateObjectEncryption": "a copy of the objects onto themselves encrypts them anew: " + PutObjectCopy,
}

// KnownOperation reports whether AWS has an operation of that name.
func KnownOperation(name string) bool {
	return slices.Contains(offered, name) || notOffered[name] != ""
}

var offered = []string{
	ReplicateObject, PutObjectCopy, PutObjectTagging, DeleteObjectTagging, PutObjectACL, PutObjectLegalHold, PutObjectRetention,
}

// Parameters are what an operation is given: of the fields, the one that is the
// operation's. Replication and the removal of tags take nothing.
type Parameters struct {
	Copy      *Copy        `json:"copy,omitempty"`
	Tagging   []object.Tag `json:"tagging,omitzero"`
	ACL       *ACL         `json:"acl,omitempty"`
	LegalHold string       `json:"legalHold,omitempty"` // ON or OFF
	Retention *Retention   `json:"retention,omitempty"`
}

// Copy is what PutObjectCopy makes of each object.
type Copy struct {
	Target            string       `json:"target"`              // the bucket's ARN
	KeyPrefix         string       `json:"keyPrefix,omitempty"` // the folder of the copies
	StorageClass      string       `json:"storageClass,omitempty"`
	MetadataDirective string       `json:"metadataDirective,omitempty"` // COPY or REPLACE
	Metadata          *Metadata    `json:"metadata,omitempty"`
	Tagging           []object.Tag `json:"tagging,omitzero"` // nil: those of the object
	CannedACL         string       `json:"cannedAcl,omitempty"`
	Grants            []Grant      `json:"grants,omitempty"`
	ModifiedSince     *time.Time   `json:"modifiedSince,omitempty"`   // copies nothing older
	UnmodifiedSince   *time.Time   `json:"unmodifiedSince,omitempty"` // copies nothing newer
	KMSKeyID          string       `json:"kmsKeyId,omitempty"`
	BucketKeyEnabled  *bool        `json:"bucketKeyEnabled,omitempty"`
	ChecksumAlgorithm string       `json:"checksumAlgorithm,omitempty"`
	LegalHold         string       `json:"legalHold,omitempty"` // ON or OFF
	LockMode          string       `json:"lockMode,omitempty"`
	RetainUntil       *time.Time   `json:"retainUntil,omitempty"`
	RedirectLocation  string       `json:"redirectLocation,omitempty"`
	RequesterPays     *bool        `json:"requesterPays,omitempty"`
}

// Metadata is what copies have instead of the metadata of their objects.
type Metadata struct {
	CacheControl       string            `json:"cacheControl,omitempty"`
	ContentDisposition string            `json:"contentDisposition,omitempty"`
	ContentEncoding    string            `json:"contentEncoding,omitempty"`
	ContentLanguage    string            `json:"contentLanguage,omitempty"`
	ContentType        string            `json:"contentType,omitempty"`
	Expires            *time.Time        `json:"expires,omitempty"`
	User               map[string]string `json:"user,omitempty"`
	SSEAlgorithm       string            `json:"sseAlgorithm,omitempty"` // AES256 or KMS; encryption is no metadata
}

// Replaces reports whether copies get m instead of their objects' metadata.
func (c *Copy) Replaces() bool {
	return c.MetadataDirective == "REPLACE" || c.MetadataDirective == "" && c.Metadata.says()
}

// says reports whether there is metadata in m.
func (m *Metadata) says() bool {
	return m != nil && (m.CacheControl != "" || m.ContentDisposition != "" || m.ContentEncoding != "" ||
		m.ContentLanguage != "" || m.ContentType != "" || m.Expires != nil || len(m.User) > 0)
}

// Key returns the key of the copy of an object. The prefix is a folder: a slash
// follows it.
func (c *Copy) Key(of string) string {
	if c.KeyPrefix == "" || strings.HasSuffix(c.KeyPrefix, "/") {
		return c.KeyPrefix + of
	}
	return c.KeyPrefix + "/" + of
}

// Grant gives a permission to somebody.
type Grant struct {
	Type        string `json:"type"`       // id, emailAddress or uri
	Identifier  string `json:"identifier"` // what Type says
	DisplayName string `json:"displayName,omitempty"`
	Permission  string `json:"permission"`
}

// ACL is the access control list that objects get: a canned one, or an owner
// and grants.
type ACL struct {
	Canned    string  `json:"canned,omitempty"`
	Owner     string  `json:"owner,omitempty"` // canonical user id
	OwnerName string  `json:"ownerName,omitempty"`
	Grants    []Grant `json:"grants,omitzero"`
}

// Retention is how objects are retained. Without Mode and Until their retention
// is taken away.
type Retention struct {
	Mode   string     `json:"mode,omitempty"`
	Until  *time.Time `json:"until,omitempty"`
	Bypass *bool      `json:"bypass,omitempty"` // of governance
}

// validateOperation reports what is wrong with the operation and its parameters.
func (s *Spec) validateOperation() error {
	switch s.Operation {
	case "":
		return bad("Exactly one operation must be specified.")
	case PutObjectCopy:
		return s.Copy.validate()
	case PutObjectTagging:
		return checkObjectTags(s.Tagging)
	case PutObjectACL:
		return s.ACL.validate()
	case PutObjectLegalHold:
		return oneOf("LegalHold Status", s.LegalHold, "ON", "OFF")
	case PutObjectRetention:
		return s.Retention.validate()
	}
	if !KnownOperation(s.Operation) {
		return bad("There is no such operation.").On(s.Operation)
	}
	return nil
}

// The words of AWS's model.
var (
	cannedACLs  = []string{"private", "public-read", "public-read-write", "aws-exec-read", "authenticated-read", "bucket-owner-read", "bucket-owner-full-control"}
	permissions = []string{"FULL_CONTROL", "READ", "WRITE", "READ_ACP", "WRITE_ACP"}
	lockModes   = []string{object.Compliance, object.Governance}
	checksums   = []string{"CRC32", "CRC32C", "SHA1", "SHA256", "CRC64NVME", "SHA512", "MD5", "XXHASH64", "XXHASH3", "XXHASH128"}
)

// oneOf reports whether value is one of words.
func oneOf(what, value string, words ...string) error {
	if slices.Contains(words, value) {
		return nil
	}
	return bad(what + " must be one of " + strings.Join(words, ", ") + ".").On(value)
}

// maybe is oneOf for a value that may be left out.
func maybe(what, value string, words ...string) error {
	if value == "" {
		return nil
	}
	return oneOf(what, value, words...)
}

func checkObjectTags(tags []object.Tag) error {
	if err := object.CheckTags(tags, object.MaxTags); err != nil {
		return bad(fault.MessageOf(err)).WithHint("%s", fault.HintOf(err))
	}
	return nil
}

func (c *Copy) validate() error {
	if c == nil {
		return bad("S3PutObjectCopy must have a TargetResource.")
	}
	if strings.HasPrefix(c.Target, "arn:aws:s3express:") {
		return fault.New(fault.Unsupported, "NotImplemented", "A directory bucket as the TargetResource is not implemented.").
			WithHint("copy to a general purpose bucket")
	}
	if err := checkBucket("target", c.Target, "", ""); err != nil {
		return err
	}
	if longer(c.KMSKeyID, 2000) {
		return bad("SSEAwsKmsKeyId must have at most 2000 characters.")
	}
	if longer(c.KeyPrefix, 1024) {
		return bad("TargetKeyPrefix must have at most 1024 characters.")
	}
	if longer(c.RedirectLocation, 2048) || strings.ContainsFunc(c.RedirectLocation, unicode.IsControl) {
		return bad("RedirectLocation must have at most 2048 characters, and no line break.").On(c.RedirectLocation)
	}
	if c.StorageClass != "" && !classes[c.StorageClass] {
		return bad("Invalid StorageClass.").On(c.StorageClass)
	}
	for _, err := range []error{
		maybe("MetadataDirective", c.MetadataDirective, "COPY", "REPLACE"),
		maybe("ChecksumAlgorithm", c.ChecksumAlgorithm, checksums...),
		maybe("CannedAccessControlList", c.CannedACL, cannedACLs...),
		maybe("ObjectLockLegalHoldStatus", c.LegalHold, "ON", "OFF"),
		checkLock(c.LockMode, c.RetainUntil),
		checkGrants(c.Grants),
		checkObjectTags(c.Tagging),
		c.validateMetadata(),
	} {
		if err != nil {
			return err
		}
	}
	if c.CannedACL != "" && len(c.Grants) > 0 {
		return bad("A copy has a CannedAccessControlList or AccessControlGrants, but not both.")
	}
	return nil
}

func (c *Copy) validateMetadata() error {
	m := c.Metadata
	if m == nil {
		return nil
	}
	if c.MetadataDirective == "COPY" && m.says() {
		return bad("NewObjectMetadata cannot be specified when MetadataDirective is COPY.").
			WithHint("REPLACE gives the copies the new metadata, and nothing else; SSEAlgorithm alone may stand beside COPY")
	}
	for _, text := range []string{m.CacheControl, m.ContentDisposition, m.ContentEncoding, m.ContentLanguage, m.ContentType} {
		if !headerValue(text) {
			return bad("Invalid value in NewObjectMetadata.").On(text).WithHint("a value has at most 1024 characters and no line break")
		}
	}
	for name, value := range m.User {
		if !headerName(name) || !headerValue(value) {
			return bad("Invalid entry in UserMetadata.").On(name).
				WithHint("a name has 1 to 1024 characters that can stand in a header, a value at most 1024 and no line break")
		}
	}
	if err := maybe("SSEAlgorithm", m.SSEAlgorithm, object.AES256, "KMS"); err != nil {
		return err
	}
	if m.SSEAlgorithm == object.AES256 && c.KMSKeyID != "" {
		return bad("SSEAwsKmsKeyId cannot be specified when SSEAlgorithm is AES256.").WithHint("name the key with the SSEAlgorithm KMS")
	}
	return nil
}

// headerName reports whether name can be part of a header's (RFC 9110, token).
func headerName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return name != "" && len(name) <= 1024
}

// headerValue reports whether a header can have the value.
func headerValue(text string) bool {
	return !longer(text, 1024) && !strings.ContainsFunc(text, unicode.IsControl)
}

// checkLock checks a retention, of which both or nothing is given.
func checkLock(mode string, until *time.Time) error {
	if (mode == "") != (until == nil) {
		return bad("The mode of a retention and the date until which it lasts must be specified together.")
	}
	return maybe("The mode of a retention", mode, lockModes...)
}

func checkGrants(grants []Grant) error {
	for _, g := range grants {
		if err := oneOf("TypeIdentifier of a Grantee", g.Type, "id", "emailAddress", "uri"); err != nil {
			return err
		}
		if g.Identifier == "" || longer(g.Identifier, 1024) || strings.ContainsAny(g.Identifier, "\",\r\n") {
			return bad("The Identifier of a Grantee must have 1 to 1024 characters.").On(g.Identifier)
		}
		if longer(g.DisplayName, 1024) {
			return bad("The DisplayName of a Grantee must have at most 1024 characters.").On(g.DisplayName)
		}
		if err := oneOf("Permission", g.Permission, permissions...); err != nil {
			return err
		}
	}
	return nil
}

func (a *ACL) validate() error {
	switch {
	case a == nil || a.Canned == "" && a.Owner == "" && a.Grants == nil:
		return bad("AccessControlPolicy must hold an AccessControlList or a CannedAccessControlList.")
	case a.Canned != "" && (a.Owner != "" || a.Grants != nil):
		return bad("AccessControlPolicy holds an AccessControlList or a CannedAccessControlList, but not both.")
	case a.Canned != "":
		return oneOf("CannedAccessControlList", a.Canned, cannedACLs...)
	case a.Owner == "":
		return bad("AccessControlList must have an Owner with its ID.").WithHint("the ID is the canonical user id of who owns the objects")
	}
	return checkGrants(a.Grants)
}

func (r *Retention) validate() error {
	if r == nil {
		return bad("S3PutObjectRetention must have a Retention.")
	}
	return checkLock(r.Mode, r.Until)
}
