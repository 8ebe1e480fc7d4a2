package client

import (
	"encoding/xml"
	"maps"
	"slices"
	"time"

	"twinbucket/job"
	"twinbucket/manifest"
	"twinbucket/object"
)

// jobRequest is CreateJobRequest.
type jobRequest struct {
	XMLName              xml.Name `xml:"http://awss3control.amazonaws.com/doc/2018-08-20/ CreateJobRequest"`
	ConfirmationRequired bool
	Operation            jobOperation
	Report               jobReport
	ClientRequestToken   string
	Manifest             *jobManifest
	Description          string `xml:",omitempty"`
	Priority             int
	RoleArn              string
	Tags                 *jobTags
	ManifestGenerator    *jobGenerator
}

// named is an empty element that says something by its name.
type named struct{ XMLName xml.Name }

func element(name string) []named { return []named{{xml.Name{Local: name}}} }

func nameOf(list []named) string {
	if len(list) == 0 {
		return ""
	}
	return list[0].XMLName.Local
}

type jobTags struct {
	Member []object.Tag `xml:"member"`
}

func jobTagsOf(tags map[string]string) (out jobTags) {
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out.Member = append(out.Member, object.Tag{Key: k, Value: tags[k]})
	}
	return out
}

type jobReport struct {
	Bucket              string `xml:",omitempty"`
	Format              string `xml:",omitempty"`
	Enabled             bool
	Prefix              string `xml:",omitempty"`
	ReportScope         string `xml:",omitempty"`
	ExpectedBucketOwner string `xml:",omitempty"`
}

type jobManifest struct {
	Spec struct {
		Format manifest.Format
		Fields *jobFields
	}
	Location jobLocation
}

type jobFields struct {
	Member []manifest.Field `xml:"member"`
}

type jobLocation struct {
	ObjectArn       string
	ObjectVersionID string `xml:"ObjectVersionId,omitempty"`
	ETag            string
}

func (l *jobLocation) noun() *job.Location {
	if l == nil {
		return nil
	}
	return &job.Location{ObjectARN: l.ObjectArn, VersionID: l.ObjectVersionID, ETag: l.ETag}
}

type jobGenerator struct {
	S3JobManifestGenerator struct {
		ExpectedBucketOwner    string `xml:",omitempty"`
		SourceBucket           string
		ManifestOutputLocation *jobOutput
		Filter                 *jobFilter
		EnableManifestOutput   bool
	}
}

type jobOutput struct {
	ExpectedManifestBucketOwner string `xml:",omitempty"`
	Bucket                      string
	ManifestPrefix              string `xml:",omitempty"`
	ManifestEncryption          *jobEncryption
	ManifestFormat              manifest.Format
}

type jobEncryption struct {
	S3  *struct{} `xml:"SSE-S3"`
	KMS *struct {
		KeyID string `xml:"KeyId"`
	} `xml:"SSE-KMS"`
}

type jobFilter struct {
	EligibleForReplication     *bool
	CreatedAfter               *time.Time
	CreatedBefore              *time.Time
	ObjectReplicationStatuses  *members
	KeyNameConstraint          *jobKeys
	ObjectSizeGreaterThanBytes *int64
	ObjectSizeLessThanBytes    *int64
	MatchAnyStorageClass       *members
	MatchAnyObjectEncryption   *jobEncryptionFilters
}

type jobEncryptionFilters struct {
	ObjectEncryption []struct {
		Kind []jobEncryptionFilter `xml:",any"`
	}
}

// jobEncryptionFilter is named as its kind of encryption.
type jobEncryptionFilter struct {
	XMLName          xml.Name
	KmsKeyArn        string `xml:",omitempty"`
	BucketKeyEnabled *bool
}

type members struct {
	Member []string `xml:"member"`
}

func membersOf(list []string) *members {
	if len(list) == 0 {
		return nil
	}
	return &members{list}
}

func (m *members) list() []string {
	if m == nil {
		return nil
	}
	return m.Member
}

type jobKeys struct {
	MatchAnyPrefix    *members
	MatchAnySuffix    *members
	MatchAnySubstring *members
}

func jobRequestOf(s *job.Spec) *jobRequest {
	r := &jobRequest{
		ConfirmationRequired: s.ConfirmationRequired, Operation: operationOf(s), ClientRequestToken: s.Token,
		Description: s.Description, Priority: s.Priority, RoleArn: s.RoleARN,
		Report: jobReport{s.Report.Bucket, s.Report.Format, s.Report.Enabled, s.Report.Prefix, s.Report.Scope, s.Report.ExpectedBucketOwner},
	}
	if len(s.Tags) > 0 {
		tags := jobTagsOf(s.Tags)
		r.Tags = &tags
	}
	if m := s.Manifest; m != nil {
		r.Manifest = &jobManifest{Location: jobLocation{m.Location.ObjectARN, m.Location.VersionID, m.Location.ETag}}
		r.Manifest.Spec.Format = m.Format
		if len(m.Fields) > 0 {
			r.Manifest.Spec.Fields = &jobFields{m.Fields}
		}
	}
	if g := s.Generator; g != nil {
		r.ManifestGenerator = generatorOf(g)
	}
	return r
}

func generatorOf(g *job.Generator) *jobGenerator {
	var out jobGenerator
	d := &out.S3JobManifestGenerator
	d.ExpectedBucketOwner, d.SourceBucket, d.EnableManifestOutput = g.ExpectedBucketOwner, g.SourceBucket, g.EnableOutput
	if o := g.Output; o != nil {
		d.ManifestOutputLocation = &jobOutput{
			ExpectedManifestBucketOwner: o.ExpectedOwner, Bucket: o.Bucket, ManifestPrefix: o.Prefix, ManifestFormat: o.Format,
		}
		switch o.Encryption {
		case object.SSES3:
			d.ManifestOutputLocation.ManifestEncryption = &jobEncryption{S3: &struct{}{}}
		case object.SSEKMS:
			e := &jobEncryption{KMS: &struct {
				KeyID string `xml:"KeyId"`
			}{o.KeyID}}
			d.ManifestOutputLocation.ManifestEncryption = e
		}
	}
	if f := g.Filter; f != nil {
		d.Filter = &jobFilter{
			EligibleForReplication: f.EligibleForReplication, CreatedAfter: f.CreatedAfter, CreatedBefore: f.CreatedBefore,
			ObjectReplicationStatuses:  membersOf(f.ObjectReplicationStatuses),
			ObjectSizeGreaterThanBytes: f.SizeGreaterThan, ObjectSizeLessThanBytes: f.SizeLessThan,
			MatchAnyStorageClass: membersOf(f.StorageClasses),
		}
		if n := f.KeyName; n != nil {
			d.Filter.KeyNameConstraint = &jobKeys{membersOf(n.Prefixes), membersOf(n.Suffixes), membersOf(n.Substrings)}
		}
		if len(f.ObjectEncryption) > 0 {
			d.Filter.MatchAnyObjectEncryption = encryptionFiltersOf(f.ObjectEncryption)
		}
	}
	return &out
}

func encryptionFiltersOf(list []job.EncryptionFilter) *jobEncryptionFilters {
	var out jobEncryptionFilters
	out.ObjectEncryption = make([]struct {
		Kind []jobEncryptionFilter `xml:",any"`
	}, len(list))
	for i, f := range list {
		out.ObjectEncryption[i].Kind = []jobEncryptionFilter{{xml.Name{Local: f.Kind}, f.KeyARN, f.BucketKey}}
	}
	return &out
}

func (e *jobEncryptionFilters) noun() (out []job.EncryptionFilter) {
	if e == nil {
		return nil
	}
	for _, f := range e.ObjectEncryption {
		for _, k := range f.Kind {
			out = append(out, job.EncryptionFilter{Kind: k.XMLName.Local, KeyARN: k.KmsKeyArn, BucketKey: k.BucketKeyEnabled})
		}
	}
	return out
}

// jobDocument is DescribeJobResult's Job.
type jobDocument struct {
	JobID                string `xml:"JobId"`
	ConfirmationRequired bool
	Description          string
	Status               job.State
	Manifest             *jobManifest
	Operation            jobOperation
	Priority             int
	ProgressSummary      progress
	StatusUpdateReason   string
	FailureReasons       []struct {
		FailureCode, FailureReason string
	} `xml:"FailureReasons>member"`
	Report                      jobReport
	CreationTime                time.Time
	TerminationDate             *time.Time
	RoleArn                     string
	SuspendedDate               *time.Time
	SuspendedCause              string
	ManifestGenerator           *jobGenerator
	GeneratedManifestDescriptor *struct{ Location jobLocation }
}

func (d *jobDocument) job(account, region string) *job.Job {
	r := d.Report
	j := &job.Job{
		ID: d.JobID, Account: account, Region: region, State: d.Status, StatusReason: d.StatusUpdateReason,
		Progress: d.ProgressSummary.noun(), Created: d.CreationTime, Ended: timeOf(d.TerminationDate),
		Suspended: timeOf(d.SuspendedDate), SuspendedCause: d.SuspendedCause,
		Spec: job.Spec{
			ConfirmationRequired: d.ConfirmationRequired, Description: d.Description,
			Priority: d.Priority, RoleARN: d.RoleArn,
			Report: job.Report{Enabled: r.Enabled, Bucket: r.Bucket, Format: r.Format, Prefix: r.Prefix, Scope: r.ReportScope, ExpectedBucketOwner: r.ExpectedBucketOwner},
		},
	}
	d.Operation.into(&j.Spec)
	for _, f := range d.FailureReasons {
		j.Failures = append(j.Failures, job.Failure{Code: f.FailureCode, Reason: f.FailureReason})
	}
	if g := d.GeneratedManifestDescriptor; g != nil {
		j.Generated = g.Location.noun()
	}
	if m := d.Manifest; m != nil {
		j.Spec.Manifest = &job.Manifest{Format: m.Spec.Format, Location: *m.Location.noun()}
		if m.Spec.Fields != nil {
			j.Spec.Manifest.Fields = m.Spec.Fields.Member
		}
	}
	if d.ManifestGenerator != nil {
		j.Spec.Generator = d.ManifestGenerator.noun()
	}
	return j
}

func (g *jobGenerator) noun() *job.Generator {
	d := &g.S3JobManifestGenerator
	out := &job.Generator{SourceBucket: d.SourceBucket, ExpectedBucketOwner: d.ExpectedBucketOwner, EnableOutput: d.EnableManifestOutput}
	if o := d.ManifestOutputLocation; o != nil {
		out.Output = &job.Output{Bucket: o.Bucket, Prefix: o.ManifestPrefix, Format: o.ManifestFormat, ExpectedOwner: o.ExpectedManifestBucketOwner}
		switch e := o.ManifestEncryption; {
		case e != nil && e.KMS != nil:
			out.Output.Encryption, out.Output.KeyID = object.SSEKMS, e.KMS.KeyID
		case e != nil && e.S3 != nil:
			out.Output.Encryption = object.SSES3
		}
	}
	if f := d.Filter; f != nil {
		out.Filter = &job.Filter{
			EligibleForReplication: f.EligibleForReplication, CreatedAfter: f.CreatedAfter, CreatedBefore: f.CreatedBefore,
			ObjectReplicationStatuses: f.ObjectReplicationStatuses.list(), SizeGreaterThan: f.ObjectSizeGreaterThanBytes,
			SizeLessThan: f.ObjectSizeLessThanBytes, StorageClasses: f.MatchAnyStorageClass.list(), ObjectEncryption: f.MatchAnyObjectEncryption.noun(),
		}
		if n := f.KeyNameConstraint; n != nil {
			out.Filter.KeyName = &job.KeyNameConstraint{Prefixes: n.MatchAnyPrefix.list(), Suffixes: n.MatchAnySuffix.list(), Substrings: n.MatchAnySubstring.list()}
		}
	}
	return out
}
