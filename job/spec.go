package job

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"twinbucket/arn"
	"twinbucket/fault"
	"twinbucket/manifest"
	"twinbucket/object"
	"twinbucket/report"
)

// Spec is what a job is asked to do: the fields of CreateJob.
type Spec struct {
	// Token makes creating a job safe to repeat; 1 to 64 characters.
	Token string `json:"token,omitempty"`
	// ConfirmationRequired holds the job after Preparing until its user
	// confirms it. AWS's texts disagree on what leaving it out means; at API
	// level here it means false.
	ConfirmationRequired bool              `json:"confirmationRequired,omitempty"`
	Description          string            `json:"description,omitempty"` // at most 256 characters
	Operation            string            `json:"operation"`             // ReplicateObject, PutObjectCopy, ...
	Parameters                             // of the operation
	Priority             int               `json:"priority"`       // 0 to 2147483647, higher first
	RoleARN              string            `json:"roleArn"`        // the batch role
	Tags                 map[string]string `json:"tags,omitempty"` // at most 50
	Report               Report            `json:"report"`
	Manifest             *Manifest         `json:"manifest,omitempty"` // this or Generator
	Generator            *Generator        `json:"generator,omitempty"`
}

// Report says whether and where the completion report goes.
type Report struct {
	Enabled             bool   `json:"enabled"`
	Bucket              string `json:"bucket,omitempty"` // ARN
	Format              string `json:"format,omitempty"` // report.Format
	Prefix              string `json:"prefix,omitempty"`
	Scope               string `json:"scope,omitempty"` // AllTasks or FailedTasksOnly
	ExpectedBucketOwner string `json:"expectedBucketOwner,omitempty"`
}

// The scopes of a report.
const (
	AllTasks        = "AllTasks"
	FailedTasksOnly = "FailedTasksOnly"
)

// Manifest is a manifest that the user brings.
type Manifest struct {
	Format   manifest.Format  `json:"format"`
	Fields   []manifest.Field `json:"fields,omitempty"` // of a CSV manifest
	Location Location         `json:"location"`
}

// Location is where a manifest is stored.
type Location struct {
	ObjectARN string `json:"objectArn"`           // arn:aws:s3:::bucket/key
	VersionID string `json:"versionId,omitempty"` // "" for the current version
	ETag      string `json:"etag"`                // without quotes
}

// Object returns the bucket and key that the location names.
func (l *Location) Object() (bucket, key string, err error) {
	a, err := arn.Parse(l.ObjectARN)
	if err == nil {
		var found bool
		if bucket, key, found = strings.Cut(a.Resource, "/"); found && a.Service == "s3" && bucket != "" && key != "" {
			return bucket, key, nil
		}
	}
	return "", "", bad("Invalid manifest object ARN.").On(l.ObjectARN).WithHint("an object's ARN is arn:aws:s3:::BUCKET/KEY")
}

// Generator has the manifest made from the source bucket's versions.
type Generator struct {
	SourceBucket        string  `json:"sourceBucket"` // ARN
	ExpectedBucketOwner string  `json:"expectedBucketOwner,omitempty"`
	EnableOutput        bool    `json:"enableOutput"` // store the manifest
	Output              *Output `json:"output,omitempty"`
	Filter              *Filter `json:"filter,omitempty"`
}

// Output says where a generated manifest is stored.
type Output struct {
	Bucket        string          `json:"bucket"` // ARN
	Prefix        string          `json:"prefix,omitempty"`
	Format        manifest.Format `json:"format"` // manifest.Generated
	ExpectedOwner string          `json:"expectedOwner,omitempty"`
	Encryption    string          `json:"encryption,omitempty"` // "", object.SSES3 or object.SSEKMS
	KeyID         string          `json:"keyId,omitempty"`      // of SSE-KMS
}

const (
	maxPriority = 1<<31 - 1
	maxTags     = 50
)

// Validate reports what is wrong with the request in itself; nil if nothing
// is. Its errors are Invalid with the code BadRequestException, or
// TooManyTagsException.
func (s *Spec) Validate() error {
	if s.Token == "" || longer(s.Token, 64) {
		return bad("ClientRequestToken must have 1 to 64 characters.")
	}
	if err := s.validateOperation(); err != nil {
		return err
	}
	if longer(s.Description, 256) {
		return bad("Description must have at most 256 characters.")
	}
	if err := CheckPriority(s.Priority); err != nil {
		return err
	}
	if _, _, _, err := arn.RoleParts(s.RoleARN); err != nil || longer(s.RoleARN, 2048) {
		return bad("Invalid role ARN.").On(s.RoleARN).WithHint("a role's ARN is arn:aws:iam::ACCOUNT:role/NAME")
	}
	if err := CheckTags(s.Tags); err != nil {
		return err
	}
	if err := s.Report.validate(); err != nil {
		return err
	}
	switch {
	case s.Manifest != nil && s.Generator != nil:
		return bad("A job has a Manifest or a ManifestGenerator, but not both.")
	case s.Manifest != nil:
		return s.Manifest.validate()
	case s.Generator != nil:
		return s.Generator.validate()
	}
	return bad("A job needs a Manifest or a ManifestGenerator.")
}

// Unsupported returns a fault.Unsupported error for a request that is right
// and not offered here.
func (s *Spec) Unsupported() error {
	refuse := func(what, hint string) error {
		return fault.New(fault.Unsupported, "NotImplemented", what+" is not implemented.").WithHint("%s", hint)
	}
	if hint := notOffered[s.Operation]; hint != "" {
		return refuse("The operation "+s.Operation, hint)
	}
	return nil
}

// CheckPriority reports whether n can be a job's priority.
func CheckPriority(n int) error {
	if n < 0 || n > maxPriority {
		return bad("Priority must be between 0 and 2147483647.")
	}
	return nil
}

// CheckTags reports whether tags can be a job's.
func CheckTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return fault.New(fault.Invalid, "TooManyTagsException", "A job can have at most 50 tags.")
	}
	var list []object.Tag
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		list = append(list, object.Tag{Key: key, Value: tags[key]})
	}
	if err := object.CheckTags(list, maxTags); err != nil {
		why := fault.New(fault.Invalid, "BadRequestException", fault.MessageOf(err))
		return why.WithHint("a tag's key has 1 to 128 characters and its value at most 256: letters, digits, spaces and _.:/=+-@")
	}
	return nil
}

// validate checks what is given, and whether a report that is enabled has what
// it needs.
func (r *Report) validate() error {
	switch {
	case r.Format != report.Format && (r.Enabled || r.Format != ""):
		return bad("Report format must be " + report.Format + ".").On(r.Format)
	case r.Scope != AllTasks && r.Scope != FailedTasksOnly && (r.Enabled || r.Scope != ""):
		return bad("ReportScope must be AllTasks or FailedTasksOnly.").On(r.Scope)
	case r.Enabled || r.Bucket != "":
		return checkBucket("report", r.Bucket, r.ExpectedBucketOwner, r.Prefix)
	}
	return checkPlace("report", r.ExpectedBucketOwner, r.Prefix)
}

func (m *Manifest) validate() error {
	switch l := &m.Location; {
	case l.ETag == "":
		return bad("The manifest's ETag must be specified.")
	case longer(l.ETag, 1024):
		return bad("The manifest's ETag must have at most 1024 characters.")
	case longer(l.VersionID, 2000):
		return bad("The manifest's ObjectVersionId must have at most 2000 characters.")
	case longer(l.ObjectARN, 2000):
		return bad("The manifest's ObjectArn must have at most 2000 characters.")
	}
	if _, _, err := m.Location.Object(); err != nil {
		return err
	}
	switch m.Format {
	case manifest.CSV:
		if err := manifest.CheckFields(m.Fields); err != nil {
			return bad(fault.MessageOf(err)).WithHint("Fields names the columns of the file: Bucket, Key and, for single versions, VersionId")
		}
	case manifest.Inventory, manifest.Generated:
		if len(m.Fields) > 0 {
			return bad("Fields cannot be specified for an inventory manifest.").WithHint("its manifest.json names the columns")
		}
	default:
		return bad("Invalid manifest format.").On(string(m.Format)).
			WithHint("use %s or %s", manifest.CSV, manifest.Inventory)
	}
	return nil
}

func (g *Generator) validate() error {
	if err := checkBucket("source", g.SourceBucket, g.ExpectedBucketOwner, ""); err != nil {
		return err
	}
	if g.EnableOutput && g.Output == nil {
		return bad("ManifestOutputLocation must be specified when EnableManifestOutput is true.")
	}
	if o := g.Output; o != nil {
		if o.Format != manifest.Generated {
			return bad("ManifestFormat must be " + string(manifest.Generated) + ".").On(string(o.Format))
		}
		if o.Encryption == object.SSEKMS && (o.KeyID == "" || longer(o.KeyID, 2000)) {
			return bad("The KeyId of SSE-KMS must have 1 to 2000 characters.").WithHint("KeyId is the ARN of a key of KMS")
		}
		if err := checkBucket("manifest output", o.Bucket, o.ExpectedOwner, o.Prefix); err != nil {
			return err
		}
	}
	if g.Filter != nil {
		return g.Filter.validate()
	}
	return nil
}

var (
	statuses = map[string]bool{StatusNone: true, "COMPLETED": true, "FAILED": true, "REPLICA": true}
	classes  = map[string]bool{
		"STANDARD": true, "STANDARD_IA": true, "ONEZONE_IA": true, "GLACIER": true,
		"INTELLIGENT_TIERING": true, "DEEP_ARCHIVE": true, "GLACIER_IR": true,
	}
)

func (f *Filter) validate() error {
	for _, s := range f.ObjectReplicationStatuses {
		if !statuses[s] {
			return bad("ObjectReplicationStatuses are NONE, COMPLETED, FAILED and REPLICA.").On(s)
		}
	}
	for _, c := range f.StorageClasses {
		if !classes[c] {
			return bad("Invalid storage class in MatchAnyStorageClass.").On(c)
		}
	}
	if f.CreatedAfter != nil && f.CreatedBefore != nil && !f.CreatedAfter.Before(*f.CreatedBefore) {
		return bad("CreatedAfter must be before CreatedBefore.")
	}
	if f.SizeGreaterThan != nil && f.SizeLessThan != nil && *f.SizeGreaterThan >= *f.SizeLessThan {
		return bad("ObjectSizeGreaterThanBytes must be less than ObjectSizeLessThanBytes.")
	}
	if len(f.ObjectEncryption) > 1 {
		return bad("MatchAnyObjectEncryption must hold one ObjectEncryption.")
	}
	for i := range f.ObjectEncryption {
		if err := f.ObjectEncryption[i].validate(); err != nil {
			return err
		}
	}
	if k := f.KeyName; k != nil {
		for _, words := range [][]string{k.Prefixes, k.Suffixes, k.Substrings} {
			if len(words) > 1 {
				return bad("Each constraint of a KeyNameConstraint holds one string.").
					WithHint("create a job for each, or bring a manifest")
			}
			for _, w := range words {
				if w == "" || longer(w, 1024) {
					return bad("A KeyNameConstraint has 1 to 1024 characters.")
				}
			}
		}
	}
	return nil
}

func (f *EncryptionFilter) validate() error {
	switch f.Kind {
	case object.SSES3, object.SSEKMS, object.DSSEKMS, object.SSEC, object.NotSSE:
	default:
		return bad("An ObjectEncryption is SSE-S3, SSE-KMS, DSSE-KMS, SSE-C or NOT-SSE.").On(f.Kind)
	}
	if f.KeyARN == "" {
		return nil
	}
	if a, err := arn.Parse(f.KeyARN); err != nil || longer(f.KeyARN, 2048) || a.Service != "kms" || !arn.ValidAccount(a.Account) || !strings.HasPrefix(a.Resource, "key/") {
		return bad("Invalid KmsKeyArn in MatchAnyObjectEncryption.").On(f.KeyARN).WithHint("the ARN of a key is arn:aws:kms:REGION:ACCOUNT:key/ID; aliases are not taken")
	}
	return nil
}

// checkBucket checks the ARN of a bucket, its owner, if one is expected, and
// the prefix of what is written there.
func checkBucket(what, bucketARN, owner, prefix string) error {
	if _, err := arn.BucketName(bucketARN); err != nil || longer(bucketARN, 128) {
		return bad("Invalid " + what + " bucket ARN.").On(bucketARN).WithHint("a bucket's ARN is arn:aws:s3:::BUCKET")
	}
	return checkPlace(what, owner, prefix)
}

// maxPrefix is how many bytes a prefix may have, so that the keys that begin
// with it are none too long; it has at most 512 characters.
const maxPrefix = object.MaxKey - 124

func checkPlace(what, owner, prefix string) error {
	if owner != "" && !arn.ValidAccount(owner) {
		return bad("Invalid expected owner of the " + what + " bucket.").On(owner).WithHint("an account id has 12 digits")
	}
	if longer(prefix, 512) || len(prefix) > maxPrefix {
		return bad("The "+what+"'s Prefix must have at most 512 characters.").
			WithHint("and at most %d bytes, for keys with more behind it have 1,024", maxPrefix)
	}
	return nil
}

// longer reports whether s has more than most characters.
func longer(s string, most int) bool { return utf8.RuneCountInString(s) > most }

func bad(message string) *fault.Error {
	return fault.New(fault.Invalid, "BadRequestException", message)
}
