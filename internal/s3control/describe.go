package s3control

import (
	"strings"
	"unicode/utf8"

	"twinbucket/internal/wire"
	"twinbucket/job"
)

// describe is DescribeJob.
func (c *call) describe() (*wire.Document, error) {
	j, err := c.job("s3:DescribeJob", nil)
	if err != nil {
		return nil, err
	}
	d := wire.NewDocument()
	d.OpenNS("DescribeJobResult", namespace)
	d.Open("Job")
	writeJob(d, &j)
	d.Close("Job")
	d.Close("DescribeJobResult")
	return d, nil
}

func writeJob(d *wire.Document, j *job.Job) {
	s := &j.Spec
	d.Text("JobId", j.ID)
	d.Bool("ConfirmationRequired", s.ConfirmationRequired)
	d.Optional("Description", s.Description)
	d.Text("JobArn", j.ARN())
	d.Text("Status", string(j.State))
	if s.Manifest != nil {
		writeManifest(d, s.Manifest)
	}
	writeOperation(d, s)
	d.Int("Priority", int64(s.Priority))
	writeProgress(d, j.Progress)
	d.Optional("StatusUpdateReason", j.StatusReason)
	if len(j.Failures) > 0 {
		d.Open("FailureReasons")
		for _, f := range j.Failures {
			d.Open("member")
			d.Text("FailureCode", f.Code)
			d.Text("FailureReason", legible(f.Reason))
			d.Close("member")
		}
		d.Close("FailureReasons")
	}
	writeReport(d, &s.Report)
	d.Time("CreationTime", j.Created)
	if !j.Ended.IsZero() {
		d.Time("TerminationDate", j.Ended)
	}
	d.Text("RoleArn", s.RoleARN)
	if !j.Suspended.IsZero() {
		d.Time("SuspendedDate", j.Suspended)
	}
	d.Optional("SuspendedCause", j.SuspendedCause)
	if s.Generator != nil {
		writeGenerator(d, s.Generator)
	}
	if j.Generated != nil {
		d.Open("GeneratedManifestDescriptor")
		d.Text("Format", "S3InventoryReport_CSV_20211130")
		writeLocation(d, j.Generated)
		d.Close("GeneratedManifestDescriptor")
	}
}

// legible returns text with U+FFFD in place of what XML cannot carry: a reason
// may name a key that has such characters, and clients could not read the job.
func legible(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == '\ufffe' || r == '\uffff' {
			return utf8.RuneError
		}
		return r
	}, text)
}

func writeManifest(d *wire.Document, m *job.Manifest) {
	d.Open("Manifest")
	d.Open("Spec")
	d.Text("Format", string(m.Format))
	if len(m.Fields) > 0 {
		d.Open("Fields")
		for _, f := range m.Fields {
			d.Text("member", string(f))
		}
		d.Close("Fields")
	}
	d.Close("Spec")
	writeLocation(d, &m.Location)
	d.Close("Manifest")
}

func writeLocation(d *wire.Document, l *job.Location) {
	d.Open("Location")
	d.Text("ObjectArn", l.ObjectARN)
	d.Optional("ObjectVersionId", l.VersionID)
	d.Text("ETag", l.ETag)
	d.Close("Location")
}

func writeProgress(d *wire.Document, p job.Progress) {
	d.Open("ProgressSummary")
	d.Int("TotalNumberOfTasks", p.Total)
	d.Int("NumberOfTasksSucceeded", p.Succeeded)
	d.Int("NumberOfTasksFailed", p.Failed)
	d.Open("Timers")
	d.Int("ElapsedTimeInActiveSeconds", p.ActiveSeconds)
	d.Close("Timers")
	d.Close("ProgressSummary")
}

func writeReport(d *wire.Document, r *job.Report) {
	d.Open("Report")
	d.Optional("Bucket", r.Bucket)
	d.Optional("Format", r.Format)
	d.Bool("Enabled", r.Enabled)
	d.Optional("Prefix", r.Prefix)
	d.Optional("ReportScope", r.Scope)
	d.Optional("ExpectedBucketOwner", r.ExpectedBucketOwner)
	d.Close("Report")
}

func writeGenerator(d *wire.Document, g *job.Generator) {
	d.Open("ManifestGenerator")
	d.Open("S3JobManifestGenerator")
	d.Optional("ExpectedBucketOwner", g.ExpectedBucketOwner)
	d.Text("SourceBucket", g.SourceBucket)
	if o := g.Output; o != nil {
		d.Open("ManifestOutputLocation")
		d.Optional("ExpectedManifestBucketOwner", o.ExpectedOwner)
		d.Text("Bucket", o.Bucket)
		d.Optional("ManifestPrefix", o.Prefix)
		if o.Encryption != "" {
			d.Open("ManifestEncryption")
			d.Open(o.Encryption)
			d.Optional("KeyId", o.KeyID)
			d.Close(o.Encryption)
			d.Close("ManifestEncryption")
		}
		d.Text("ManifestFormat", string(o.Format))
		d.Close("ManifestOutputLocation")
	}
	if g.Filter != nil {
		d.Open("Filter")
		writeFilter(d, g.Filter)
		d.Close("Filter")
	}
	d.Bool("EnableManifestOutput", g.EnableOutput)
	d.Close("S3JobManifestGenerator")
	d.Close("ManifestGenerator")
}

func writeFilter(d *wire.Document, f *job.Filter) {
	if f.EligibleForReplication != nil {
		d.Bool("EligibleForReplication", *f.EligibleForReplication)
	}
	writeTime(d, "CreatedAfter", f.CreatedAfter)
	writeTime(d, "CreatedBefore", f.CreatedBefore)
	writeMembers(d, "ObjectReplicationStatuses", f.ObjectReplicationStatuses)
	if k := f.KeyName; k != nil {
		d.Open("KeyNameConstraint")
		writeMembers(d, "MatchAnyPrefix", k.Prefixes)
		writeMembers(d, "MatchAnySuffix", k.Suffixes)
		writeMembers(d, "MatchAnySubstring", k.Substrings)
		d.Close("KeyNameConstraint")
	}
	if f.SizeGreaterThan != nil {
		d.Int("ObjectSizeGreaterThanBytes", *f.SizeGreaterThan)
	}
	if f.SizeLessThan != nil {
		d.Int("ObjectSizeLessThanBytes", *f.SizeLessThan)
	}
	writeMembers(d, "MatchAnyStorageClass", f.StorageClasses)
	if len(f.ObjectEncryption) > 0 {
		d.Open("MatchAnyObjectEncryption")
		for _, e := range f.ObjectEncryption {
			d.Open("ObjectEncryption")
			d.Open(e.Kind)
			d.Optional("KmsKeyArn", e.KeyARN)
			if e.BucketKey != nil {
				d.Bool("BucketKeyEnabled", *e.BucketKey)
			}
			d.Close(e.Kind)
			d.Close("ObjectEncryption")
		}
		d.Close("MatchAnyObjectEncryption")
	}
}

// writeMembers writes a list, nothing if it is empty.
func writeMembers(d *wire.Document, name string, values []string) {
	if len(values) == 0 {
		return
	}
	d.Open(name)
	for _, v := range values {
		d.Text("member", v)
	}
	d.Close(name)
}
