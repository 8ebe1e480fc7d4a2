package s3control

import (
	"strings"
	"time"

	"twinbucket/fault"
	"twinbucket/internal/wire"
	"twinbucket/job"
	"twinbucket/manifest"
	"twinbucket/markup"
	"twinbucket/object"
)

// create is CreateJob.
func (c *call) create() (*wire.Document, error) {
	spec, err := readJob(c.body)
	if err != nil {
		return nil, err
	}
	facts := spec.Facts()
	if err := c.allow("s3:CreateJob", "*", facts); err != nil {
		return nil, err
	}
	if err := spec.Validate(); err != nil {
		return nil, err
	}
	if err := spec.Unsupported(); err != nil {
		return nil, err
	}
	if len(spec.Tags) > 0 {
		if err := c.allow("s3:PutJobTagging", "arn:aws:s3:"+c.Region+":"+c.account+":job/*", facts); err != nil {
			return nil, err
		}
	}
	// S3 does not tell policies to which service the role of a job is passed.
	if err := c.IAM.PassRole(c.caller, spec.RoleARN, "", wire.Facts(c.r, c.Region)); err != nil {
		return nil, err
	}
	j, err := c.Engine.Create(c.r.Context(), job.Job{Account: c.account, Region: c.Region, Spec: *spec, Tags: spec.Tags})
	if err != nil {
		return nil, err
	}
	d := wire.NewDocument()
	d.OpenNS("CreateJobResult", namespace)
	d.Text("JobId", j.ID)
	d.Close("CreateJobResult")
	return d, nil
}

// readJob reads the job that a CreateJobRequest asks for. What the schema of
// the request does not have is MalformedXML; what is left out or empty although
// it is needed, a BadRequestException.
func readJob(body []byte) (*job.Spec, error) {
	root, err := markup.Parse(body, "CreateJobRequest", maxBody)
	if err != nil {
		return nil, err
	}
	r := reader{markup.NewReader(&err).Read(root, "ConfirmationRequired", "Operation", "Report", "ClientRequestToken",
		"Manifest", "Description", "Priority", "RoleArn", "Tags", "ManifestGenerator")}
	s := &job.Spec{Token: r.text("ClientRequestToken"), Description: r.text("Description"), RoleARN: r.Word("RoleArn")}
	s.ConfirmationRequired, _ = r.Bool("ConfirmationRequired")
	priority, ok := r.Int64("Priority")
	if !ok {
		r.Refuse(bad("Priority must be specified."))
	}
	s.Priority = int(priority)
	r.operation(r.Child("Operation"), s)
	r.report(r.Child("Report"), s)
	s.Tags = r.tags(r.Child("Tags"))
	r.manifest(r.Child("Manifest"), s)
	r.generator(r.Child("ManifestGenerator"), s)
	return s, err
}

// reader reads elements into a job.
type reader struct{ *markup.Reader }

// read begins reading e.
func (r reader) read(e *markup.Element, names ...string) reader { return reader{r.Read(e, names...)} }

// text returns a child's text as it stands, "" if there is no such child; one
// that is there has at least one character.
func (r reader) text(name string) string {
	p := r.Raw(name)
	if p == nil {
		return ""
	}
	if *p == "" {
		r.Refuse(bad(name + " must have at least one character."))
	}
	return *p
}

// needed returns a truth that must be there.
func (r reader) needed(name string) bool {
	is, ok := r.Bool(name)
	if !ok {
		r.Refuse(bad(name + " must be specified."))
	}
	return is
}

// members returns the texts of a child's members.
func (r reader) members(name string) []string {
	var texts []string
	for _, m := range r.Read(r.Child(name), "member+").All("member") {
		if len(m.Kids) > 0 {
			r.Fail("a member of %s holds text and no elements", name)
		}
		texts = append(texts, string(m.Text))
	}
	return texts
}

// moment returns a child's ISO 8601 time, nil if there is no such child.
func (r reader) moment(name string) *time.Time {
	if r.Child(name) == nil {
		return nil
	}
	text := r.Word(name)
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		r.Refuse(bad(name + " is not a time.").On(text).WithHint("write times as 2006-01-02T15:04:05Z"))
	}
	t = t.UTC()
	return &t
}

func (r reader) report(e *markup.Element, s *job.Spec) {
	if e == nil {
		r.Refuse(bad("Report must be specified, with Enabled."))
	}
	r = r.read(e, "Bucket", "Format", "Enabled", "Prefix", "ReportScope", "ExpectedBucketOwner")
	s.Report = job.Report{
		Enabled: r.needed("Enabled"), Bucket: r.text("Bucket"), Format: r.text("Format"), Prefix: r.text("Prefix"),
		Scope: r.text("ReportScope"), ExpectedBucketOwner: r.text("ExpectedBucketOwner"),
	}
}

func (r reader) manifest(e *markup.Element, s *job.Spec) {
	if e == nil {
		return
	}
	r = r.read(e, "Spec", "Location")
	list := r.read(r.Child("Spec"), "Format", "Fields")
	at := r.read(r.Child("Location"), "ObjectArn", "ObjectVersionId", "ETag")
	s.Manifest = &job.Manifest{
		Format: manifest.Format(list.text("Format")),
		Location: job.Location{
			ObjectARN: at.text("ObjectArn"), VersionID: at.text("ObjectVersionId"), ETag: strings.Trim(at.text("ETag"), `"`),
		},
	}
	for _, f := range list.members("Fields") {
		s.Manifest.Fields = append(s.Manifest.Fields, manifest.Field(f))
	}
}

func (r reader) generator(e *markup.Element, s *job.Spec) {
	if e == nil {
		return
	}
	if len(e.Kids) == 0 {
		r.Refuse(bad("ManifestGenerator must hold an S3JobManifestGenerator."))
	}
	r = r.read(e, "S3JobManifestGenerator")
	r = r.read(r.Child("S3JobManifestGenerator"), "ExpectedBucketOwner", "SourceBucket", "ManifestOutputLocation", "Filter", "EnableManifestOutput")
	s.Generator = &job.Generator{
		SourceBucket: r.text("SourceBucket"), ExpectedBucketOwner: r.text("ExpectedBucketOwner"), EnableOutput: r.needed("EnableManifestOutput"),
		Output: r.output(r.Child("ManifestOutputLocation")), Filter: r.filter(r.Child("Filter")),
	}
}

func (r reader) output(e *markup.Element) *job.Output {
	if e == nil {
		return nil
	}
	r = r.read(e, "ExpectedManifestBucketOwner", "Bucket", "ManifestPrefix", "ManifestEncryption", "ManifestFormat")
	out := &job.Output{
		Bucket: r.text("Bucket"), Prefix: r.text("ManifestPrefix"), Format: manifest.Format(r.text("ManifestFormat")),
		ExpectedOwner: r.text("ExpectedManifestBucketOwner"),
	}
	if e := r.Child("ManifestEncryption"); e != nil {
		kinds := r.read(e, object.SSES3, object.SSEKMS)
		if len(e.Kids) != 1 {
			r.Refuse(bad("ManifestEncryption must hold SSE-S3 or SSE-KMS."))
			return out
		}
		out.Encryption = e.Kids[0].Name
		r.Read(kinds.Child(object.SSES3))
		out.KeyID = r.read(kinds.Child(object.SSEKMS), "KeyId").text("KeyId")
	}
	return out
}

func (r reader) filter(e *markup.Element) *job.Filter {
	if e == nil {
		return nil
	}
	r = r.read(e, "EligibleForReplication", "CreatedAfter", "CreatedBefore", "ObjectReplicationStatuses", "KeyNameConstraint",
		"ObjectSizeGreaterThanBytes", "ObjectSizeLessThanBytes", "MatchAnyStorageClass", "MatchAnyObjectEncryption")
	f := &job.Filter{
		EligibleForReplication: r.flag("EligibleForReplication"),
		CreatedAfter:           r.moment("CreatedAfter"), CreatedBefore: r.moment("CreatedBefore"),
		ObjectReplicationStatuses: r.members("ObjectReplicationStatuses"), StorageClasses: r.members("MatchAnyStorageClass"),
	}
	if size, ok := r.Int64("ObjectSizeGreaterThanBytes"); ok {
		f.SizeGreaterThan = &size
	}
	if size, ok := r.Int64("ObjectSizeLessThanBytes"); ok {
		f.SizeLessThan = &size
	}
	if e := r.Child("KeyNameConstraint"); e != nil {
		k := r.read(e, "MatchAnyPrefix", "MatchAnySuffix", "MatchAnySubstring")
		f.KeyName = &job.KeyNameConstraint{
			Prefixes: k.members("MatchAnyPrefix"), Suffixes: k.members("MatchAnySuffix"), Substrings: k.members("MatchAnySubstring"),
		}
	}
	if e := r.Child("MatchAnyObjectEncryption"); e != nil {
		list := r.Read(e, "ObjectEncryption+").All("ObjectEncryption")
		if len(list) == 0 {
			r.Refuse(bad("MatchAnyObjectEncryption must hold one ObjectEncryption."))
		}
		for _, e := range list {
			f.ObjectEncryption = append(f.ObjectEncryption, r.encryption(e))
		}
	}
	return f
}

// encryption reads the one kind of encryption that a filter takes.
func (r reader) encryption(e *markup.Element) job.EncryptionFilter {
	if len(e.Kids) != 1 {
		r.Refuse(bad("An ObjectEncryption must hold one kind of encryption."))
		return job.EncryptionFilter{}
	}
	var holds []string
	switch e.Kids[0].Name {
	case object.SSEKMS:
		holds = []string{"KmsKeyArn", "BucketKeyEnabled"}
	case object.DSSEKMS:
		holds = []string{"KmsKeyArn"}
	}
	f := job.EncryptionFilter{Kind: e.Kids[0].Name}
	r = r.read(e, object.SSES3, object.SSEKMS, object.DSSEKMS, object.SSEC, object.NotSSE).read(e.Kids[0], holds...)
	f.KeyARN = r.text("KmsKeyArn")
	if is, ok := r.Bool("BucketKeyEnabled"); ok {
		f.BucketKey = &is
	}
	return f
}

func bad(message string) *fault.Error { return fault.New(fault.Invalid, badRequest, message) }
