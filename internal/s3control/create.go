package s3control

import (
	"encoding/xml"
	"strconv"
	"strings"
	"time"

	"twinbucket/fault"
	"twinbucket/internal/wire"
	"twinbucket/job"
	"twinbucket/manifest"
)

// create is CreateJob.
func (c *call) create() (*wire.Document, error) {
	var in createRequest
	if err := wire.Decode(c.body, "CreateJobRequest", &in); err != nil {
		return nil, err
	}
	spec, err := in.spec()
	if err != nil {
		return nil, err
	}
	facts := map[string][]string{
		requestOperation: {spec.Operation}, requestPriority: {strconv.Itoa(spec.Priority)},
	}
	tagsAsked(facts, spec.Tags)
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

// The request as it comes. Rest catches elements that are not known, so that
// none is passed over.
type (
	createRequest struct {
		ConfirmationRequired bool
		Operation            struct {
			Names []element `xml:",any"`
		}
		Report             *reportElement
		ClientRequestToken string
		Manifest           *manifestElement
		Description        *string
		Priority           *int64
		RoleArn            string
		Tags               tagSet
		ManifestGenerator  *struct {
			S3JobManifestGenerator *generatorElement
			Rest                   []element `xml:",any"`
		}
		Rest []element `xml:",any"`
	}
	reportElement struct {
		Enabled                                          *bool
		Bucket, Format, ReportScope, ExpectedBucketOwner string
		Prefix                                           *string
		Rest                                             []element `xml:",any"`
	}
	manifestElement struct {
		Spec struct {
			Format string
			Fields members
			Rest   []element `xml:",any"`
		}
		Location struct {
			ObjectArn, ObjectVersionId, ETag string
			Rest                             []element `xml:",any"`
		}
		Rest []element `xml:",any"`
	}
	generatorElement struct {
		SourceBucket, ExpectedBucketOwner string
		EnableManifestOutput              *bool
		ManifestOutputLocation            *outputElement
		Filter                            *filterElement
		Rest                              []element `xml:",any"`
	}
	outputElement struct {
		Bucket, ManifestFormat, ExpectedManifestBucketOwner string
		ManifestPrefix                                      *string
		ManifestEncryption                                  *struct {
			S3  *struct{} `xml:"SSE-S3"`
			KMS *struct {
				KeyID string `xml:"KeyId"`
			} `xml:"SSE-KMS"`
			Rest []element `xml:",any"`
		}
		Rest []element `xml:",any"`
	}
	filterElement struct {
		EligibleForReplication    *bool
		CreatedAfter              string
		CreatedBefore             string
		ObjectReplicationStatuses members
		KeyNameConstraint         struct {
			MatchAnyPrefix, MatchAnySuffix, MatchAnySubstring members
			Rest                                              []element `xml:",any"`
		}
		ObjectSizeGreaterThanBytes *int64
		ObjectSizeLessThanBytes    *int64
		MatchAnyStorageClass       members
		Encryption                 *struct {
			Kinds []struct {
				Names []element `xml:",any"`
			} `xml:"ObjectEncryption"`
			Rest []element `xml:",any"`
		} `xml:"MatchAnyObjectEncryption"`
		Rest []element `xml:",any"`
	}
	members struct {
		Members []string  `xml:"member"`
		Rest    []element `xml:",any"`
	}
	element struct {
		XMLName xml.Name
		Inner   []element `xml:",any"`
	}
)

// known returns a MalformedXML error if one of the lists holds an element.
func known(lists ...[]element) error {
	for _, list := range lists {
		for _, e := range list {
			return wire.Malformed("the element " + e.XMLName.Local + " is not known where it stands")
		}
	}
	return nil
}

// spec returns the job that the request asks for.
func (in *createRequest) spec() (*job.Spec, error) {
	if err := known(in.Rest, in.Tags.Rest); err != nil {
		return nil, err
	}
	s := &job.Spec{
		Token: in.ClientRequestToken, ConfirmationRequired: in.ConfirmationRequired, RoleARN: strings.TrimSpace(in.RoleArn),
	}
	if len(in.Operation.Names) > 1 {
		return nil, bad("Exactly one operation must be specified.")
	}
	for _, e := range in.Operation.Names {
		s.Operation = e.XMLName.Local
		if s.Operation == job.ReplicateObject {
			if err := known(e.Inner); err != nil {
				return nil, err
			}
		}
	}
	if in.Priority == nil {
		return nil, bad("Priority must be specified.")
	}
	s.Priority = int(*in.Priority)
	if in.Description != nil {
		if s.Description = *in.Description; s.Description == "" {
			return nil, bad("Description must have at least one character.")
		}
	}
	var err error
	if s.Tags, err = in.Tags.tags(); err != nil {
		return nil, err
	}
	if err := in.Report.into(s); err != nil {
		return nil, err
	}
	if err := in.Manifest.into(s); err != nil {
		return nil, err
	}
	if g := in.ManifestGenerator; g != nil {
		if err := known(g.Rest); err != nil {
			return nil, err
		}
		if g.S3JobManifestGenerator == nil {
			return nil, bad("ManifestGenerator must hold an S3JobManifestGenerator.")
		}
		return s, g.S3JobManifestGenerator.into(s)
	}
	return s, nil
}

func (r *reportElement) into(s *job.Spec) error {
	if r == nil || r.Enabled == nil {
		return bad("Report must be specified, with Enabled.")
	}
	s.Report = job.Report{
		Enabled: *r.Enabled, Bucket: r.Bucket, Format: r.Format, Scope: r.ReportScope, ExpectedBucketOwner: r.ExpectedBucketOwner,
	}
	if r.Prefix != nil {
		if s.Report.Prefix = *r.Prefix; s.Report.Prefix == "" {
			return bad("The report's Prefix must have at least one character.")
		}
	}
	return known(r.Rest)
}

func (m *manifestElement) into(s *job.Spec) error {
	if m == nil {
		return nil
	}
	s.Manifest = &job.Manifest{
		Format: manifest.Format(m.Spec.Format),
		Location: job.Location{
			ObjectARN: m.Location.ObjectArn, VersionID: m.Location.ObjectVersionId, ETag: strings.Trim(m.Location.ETag, `"`),
		},
	}
	for _, f := range m.Spec.Fields.Members {
		s.Manifest.Fields = append(s.Manifest.Fields, manifest.Field(f))
	}
	return known(m.Rest, m.Spec.Rest, m.Spec.Fields.Rest, m.Location.Rest)
}

func (g *generatorElement) into(s *job.Spec) error {
	if g.EnableManifestOutput == nil {
		return bad("EnableManifestOutput must be specified.")
	}
	s.Generator = &job.Generator{
		SourceBucket: g.SourceBucket, ExpectedBucketOwner: g.ExpectedBucketOwner, EnableOutput: *g.EnableManifestOutput,
	}
	if o := g.ManifestOutputLocation; o != nil {
		out, err := o.output()
		if err != nil {
			return err
		}
		s.Generator.Output = out
	}
	if g.Filter != nil {
		filter, err := g.Filter.filter()
		if err != nil {
			return err
		}
		s.Generator.Filter = filter
	}
	return known(g.Rest)
}

func (o *outputElement) output() (*job.Output, error) {
	out := &job.Output{
		Bucket: o.Bucket, Format: manifest.Format(o.ManifestFormat), ExpectedOwner: o.ExpectedManifestBucketOwner,
	}
	if o.ManifestPrefix != nil {
		if out.Prefix = *o.ManifestPrefix; out.Prefix == "" {
			return nil, bad("ManifestPrefix must have at least one character.")
		}
	}
	if e := o.ManifestEncryption; e != nil {
		switch {
		case e.S3 != nil && e.KMS != nil:
			return nil, bad("ManifestEncryption holds SSE-S3 or SSE-KMS, but not both.")
		case e.S3 != nil:
			out.Encryption = "SSE-S3"
		case e.KMS != nil:
			out.Encryption, out.KeyID = "SSE-KMS", e.KMS.KeyID
		}
		if err := known(e.Rest); err != nil {
			return nil, err
		}
	}
	return out, known(o.Rest)
}

func (f *filterElement) filter() (*job.Filter, error) {
	k := &f.KeyNameConstraint
	out := &job.Filter{
		EligibleForReplication:    f.EligibleForReplication,
		ObjectReplicationStatuses: f.ObjectReplicationStatuses.Members,
		SizeGreaterThan:           f.ObjectSizeGreaterThanBytes,
		SizeLessThan:              f.ObjectSizeLessThanBytes,
		StorageClasses:            f.MatchAnyStorageClass.Members,
	}
	if len(k.MatchAnyPrefix.Members)+len(k.MatchAnySuffix.Members)+len(k.MatchAnySubstring.Members) > 0 {
		out.KeyName = &job.KeyNameConstraint{
			Prefixes: k.MatchAnyPrefix.Members, Suffixes: k.MatchAnySuffix.Members, Substrings: k.MatchAnySubstring.Members,
		}
	}
	var err error
	if out.CreatedAfter, err = moment("CreatedAfter", f.CreatedAfter); err != nil {
		return nil, err
	}
	if out.CreatedBefore, err = moment("CreatedBefore", f.CreatedBefore); err != nil {
		return nil, err
	}
	if e := f.Encryption; e != nil {
		for _, kind := range e.Kinds {
			for _, name := range kind.Names {
				out.ObjectEncryption = append(out.ObjectEncryption, name.XMLName.Local)
			}
		}
		if err := known(e.Rest); err != nil {
			return nil, err
		}
	}
	return out, known(f.Rest, f.ObjectReplicationStatuses.Rest, f.MatchAnyStorageClass.Rest,
		k.Rest, k.MatchAnyPrefix.Rest, k.MatchAnySuffix.Rest, k.MatchAnySubstring.Rest)
}

// moment reads an ISO 8601 time; "" is nil.
func moment(name, text string) (*time.Time, error) {
	if text = strings.TrimSpace(text); text == "" {
		return nil, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return nil, bad(name + " is not a time.").On(text).WithHint("write times as 2006-01-02T15:04:05Z")
	}
	t = t.UTC()
	return &t, nil
}

func bad(message string) *fault.Error {
	return fault.New(fault.Invalid, "BadRequestException", message)
}
