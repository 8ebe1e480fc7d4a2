package cli

import (
	"context"
	"crypto/rand"
	"strconv"
	"strings"
	"time"

	"twinbucket/arn"
	"twinbucket/client"
	"twinbucket/fault"
	"twinbucket/internal/check"
	"twinbucket/job"
	"twinbucket/manifest"
	"twinbucket/report"
)

// jobSpecFlags say what a job is to do.
type jobSpecFlags struct {
	URL           string            `arg:"" optional:"" name:"s3://bucket[/prefix]" help:"The source bucket; with a prefix, the keys that begin with it. Left out if there is a --manifest."`
	Role          string            `placeholder:"ARN" required:"" help:"Role of the job, as ARN, or as the name of a role of the account."`
	Operation     string            `default:"S3ReplicateObject" placeholder:"OPERATION" help:"What is done to each object: the name of an operation, or, with what it takes, the JSON of aws s3control create-job (${default})."`
	All           bool              `help:"Also objects that no rule replicates: each of them will fail, and have its line in the report."`
	Status        []string          `placeholder:"STATUS" help:"Only objects with these replication statuses: NONE (never tried), FAILED, COMPLETED, REPLICA."`
	CreatedAfter  jobTime           `placeholder:"TIME" help:"Only objects created after this, such as 2026-01-31 or 2026-01-31T12:00:00Z."`
	CreatedBefore jobTime           `placeholder:"TIME" help:"Only objects created before this."`
	Prefix        string            `placeholder:"TEXT" help:"Only keys that begin with this, as s3://BUCKET/TEXT says too."`
	Suffix        string            `placeholder:"TEXT" help:"Only keys that end with this."`
	Contains      string            `placeholder:"TEXT" help:"Only keys that contain this."`
	LargerThan    *jobSize          `placeholder:"SIZE" help:"Only objects larger than this, such as 512, 64K, 10M or 1G (of 1024)."`
	SmallerThan   *jobSize          `placeholder:"SIZE" help:"Only objects smaller than this."`
	Class         []string          `placeholder:"CLASS" help:"Only objects of these storage classes, such as STANDARD."`
	Encryption    string            `placeholder:"KIND" help:"Only objects encrypted so: SSE-S3, SSE-KMS, DSSE-KMS, SSE-C, NOT-SSE."`
	SaveManifest  string            `placeholder:"s3://BUCKET/PREFIX" help:"Keep the list of the job's objects there."`
	Manifest      string            `placeholder:"s3://BUCKET/KEY" help:"The objects are those listed there: in a CSV file, or by an inventory's manifest.json."`
	Fields        []string          `default:"Bucket,Key,VersionId" placeholder:"FIELD" help:"Columns of the CSV file: Bucket, Key, VersionId and Ignore (${default})."`
	Report        string            `placeholder:"s3://BUCKET/PREFIX" help:"Write a completion report there, with a line for each object."`
	FailedOnly    bool              `help:"With --report: only lines of objects that failed."`
	Priority      int               `default:"10" placeholder:"N" help:"Jobs of higher priority run first (${default})."`
	Description   string            `placeholder:"TEXT" help:"For those who look at the job; without it, what it is about."`
	Tag           map[string]string `mapsep:"none" placeholder:"KEY=VALUE" help:"Tag of the job; may be repeated."`
	Confirm       bool              `help:"Once the job's objects are known, wait for 'twinbucket job run'."`
	Token         string            `placeholder:"TOKEN" help:"Make the same job only once, however often this is repeated; without it, each time another."`
}

// jobTime is a time as it is typed: a day or a moment, in UTC unless it says
// otherwise.
type jobTime struct{ time.Time }

// UnmarshalText implements encoding.TextUnmarshaler.
func (t *jobTime) UnmarshalText(text []byte) (err error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", time.DateOnly} {
		if t.Time, err = time.Parse(layout, string(text)); err == nil {
			t.Time = t.UTC()
			return nil
		}
	}
	return fault.Newf(fault.Invalid, "", "%q is not a time such as 2026-01-31 or 2026-01-31T12:00:00Z", text)
}

// pointer returns the time, nil if none was given.
func (t *jobTime) pointer() *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t.Time
}

// jobSize is a size in bytes as it is typed.
type jobSize int64

// units are by how many bits a size's unit shifts it.
var units = map[string]uint{
	"": 0, "B": 0, "K": 10, "KB": 10, "KIB": 10, "M": 20, "MB": 20, "MIB": 20,
	"G": 30, "GB": 30, "GIB": 30, "T": 40, "TB": 40, "TIB": 40,
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (n *jobSize) UnmarshalText(text []byte) error {
	digits := strings.TrimRight(string(text), "KMGTIBkmgtib")
	bits, known := units[strings.ToUpper(string(text[len(digits):]))]
	value, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || !known || value < 0 || value > (1<<63-1)>>bits {
		return fault.Newf(fault.Invalid, "", "%q is not a size such as 512, 64K, 10M or 1G", text)
	}
	*n = jobSize(value << bits)
	return nil
}

// spec returns what is asked for, of a job of the account. The ETag of a
// manifest is not known yet.
func (f *jobSpecFlags) spec(account string) (*job.Spec, error) {
	s := &job.Spec{
		Token: f.Token, Description: f.Description, Priority: f.Priority, RoleARN: f.Role, ConfirmationRequired: f.Confirm, Tags: f.Tag,
	}
	if err := f.operation(s); err != nil {
		return nil, err
	}
	if s.Token == "" {
		s.Token = rand.Text()
	}
	if !strings.Contains(f.Role, ":") {
		s.RoleARN = arn.Role(account, "/", strings.TrimPrefix(f.Role, "/"))
	}
	if err := f.report(s); err != nil {
		return nil, err
	}
	var err error
	if f.Manifest != "" {
		s.Manifest, err = f.manifest()
	} else {
		s.Generator, err = f.generator(account, s.Operation == job.ReplicateObject && !f.All)
	}
	if err != nil {
		return nil, err
	}
	if s.Description == "" {
		s.Description = cut(selection(s), 256)
	}
	return s, nil
}

// operation sets what is done to each object.
func (f *jobSpecFlags) operation(s *job.Spec) error {
	if job.KnownOperation(f.Operation) { // with nothing to say about it
		s.Operation = f.Operation
	} else if err := client.ParseOperation([]byte(f.Operation), s); err != nil {
		return err
	}
	if f.All && s.Operation != job.ReplicateObject {
		return fault.Newf(fault.Invalid, "", "--all is for %s", job.ReplicateObject).WithHint("%s takes objects whether a rule replicates them or not: leave --all out", s.Operation)
	}
	return nil
}

// cut returns the first n characters of a text.
func cut(text string, n int) string {
	if r := []rune(text); len(r) > n {
		return string(r[:n])
	}
	return text
}

func (f *jobSpecFlags) report(s *job.Spec) error {
	if f.Report == "" {
		if f.FailedOnly {
			return fault.New(fault.Invalid, "", "--failed-only is for --report").WithHint("add --report s3://BUCKET/PREFIX, or leave --failed-only out")
		}
		return nil
	}
	name, prefix, err := check.ParseURL(f.Report)
	if err != nil {
		return err
	}
	s.Report = job.Report{Enabled: true, Bucket: arn.Bucket(name), Prefix: strings.TrimSuffix(prefix, "/"), Format: report.Format, Scope: job.AllTasks}
	if f.FailedOnly {
		s.Report.Scope = job.FailedTasksOnly
	}
	return nil
}

// manifest returns the manifest that the user brings.
func (f *jobSpecFlags) manifest() (*job.Manifest, error) {
	name, key, err := check.ParseURL(f.Manifest)
	switch {
	case err != nil:
		return nil, err
	case key == "":
		return nil, fault.Newf(fault.Invalid, "", "%s is a bucket", f.Manifest).WithHint("--manifest names an object: a CSV file or a manifest.json")
	case f.URL != "":
		return nil, fault.Newf(fault.Invalid, "", "the objects are given twice: %s and --manifest", f.URL).WithHint("a manifest names the bucket in its rows: leave %s out", f.URL)
	case f.filters():
		return nil, fault.New(fault.Invalid, "", "a manifest is taken as it is").WithHint("leave out what chooses objects, such as --status, or leave out --manifest")
	case f.SaveManifest != "":
		return nil, fault.New(fault.Invalid, "", "--save-manifest is for manifests that the job makes").WithHint("leave out --save-manifest or --manifest")
	}
	m := &job.Manifest{Format: manifest.CSV, Location: job.Location{ObjectARN: arn.Object(name, key)}}
	if strings.HasSuffix(key, "manifest.json") {
		m.Format = manifest.Inventory
		return m, nil
	}
	for _, field := range f.Fields {
		m.Fields = append(m.Fields, manifest.Field(field))
	}
	return m, nil
}

// filters reports whether a flag chooses objects.
func (f *jobSpecFlags) filters() bool {
	return f.All || f.Prefix+f.Suffix+f.Contains+f.Encryption != "" || len(f.Status)+len(f.Class) > 0 ||
		!f.CreatedAfter.IsZero() || !f.CreatedBefore.IsZero() || f.LargerThan != nil || f.SmallerThan != nil
}

// generator returns what the job's manifest is to be made from; eligible leaves
// out what no rule replicates.
func (f *jobSpecFlags) generator(account string, eligible bool) (*job.Generator, error) {
	if f.URL == "" {
		return nil, fault.New(fault.Invalid, "", "no objects are named").WithHint("name a bucket, s3://BUCKET, or a list of objects, --manifest s3://BUCKET/KEY")
	}
	name, prefix, err := check.ParseURL(f.URL)
	if err != nil {
		return nil, err
	}
	if prefix != "" && f.Prefix != "" {
		return nil, fault.Newf(fault.Invalid, "", "a prefix is given twice: %s and --prefix", f.URL).WithHint("a job takes one prefix: leave --prefix out, or write s3://%s", name)
	}
	filter := &job.Filter{
		CreatedAfter: f.CreatedAfter.pointer(), CreatedBefore: f.CreatedBefore.pointer(),
		ObjectReplicationStatuses: upper(f.Status), StorageClasses: upper(f.Class),
		SizeGreaterThan: (*int64)(f.LargerThan), SizeLessThan: (*int64)(f.SmallerThan),
	}
	if eligible {
		filter.EligibleForReplication = &eligible
	}
	if f.Encryption != "" {
		filter.ObjectEncryption = []job.EncryptionFilter{{Kind: strings.ToUpper(f.Encryption)}}
	}
	if prefix+f.Prefix+f.Suffix+f.Contains != "" {
		filter.KeyName = &job.KeyNameConstraint{Prefixes: given(prefix + f.Prefix), Suffixes: given(f.Suffix), Substrings: given(f.Contains)}
	}
	g := &job.Generator{SourceBucket: arn.Bucket(name), ExpectedBucketOwner: account, Filter: filter}
	if f.SaveManifest != "" {
		to, prefix, err := check.ParseURL(f.SaveManifest)
		if err != nil {
			return nil, err
		}
		g.EnableOutput = true
		g.Output = &job.Output{Bucket: arn.Bucket(to), Prefix: strings.TrimSuffix(prefix, "/"), Format: manifest.Generated}
	}
	return g, nil
}

// given returns a list of the word, nil if it is "".
func given(word string) []string {
	if word == "" {
		return nil
	}
	return []string{word}
}

func upper(words []string) []string {
	var out []string
	for _, w := range words {
		out = append(out, strings.ToUpper(w))
	}
	return out
}

// ask returns what the flags ask for, complete and valid, and moves to the
// region of the bucket, where the job has to be.
func (a *jobs) ask(ctx context.Context, f *jobSpecFlags) (*job.Spec, error) {
	s, err := f.spec(a.account)
	if err != nil {
		return nil, err
	}
	where, key := "", ""
	if s.Manifest != nil {
		where, key, err = s.Manifest.Location.Object()
	} else {
		where, err = arn.BucketName(s.Generator.SourceBucket)
	}
	if err != nil {
		return nil, err
	}
	region, err := a.BucketRegion(ctx, where)
	if err != nil && fault.KindOf(err) != fault.Denied { // who makes jobs need not list buckets
		return nil, err
	}
	if region != "" && region != a.Region() {
		a.Client, a.flags.Region = a.In(region), region
	}
	if m := s.Manifest; m != nil {
		v, err := a.HeadObject(ctx, where, key, "")
		if err != nil {
			return nil, err
		}
		m.Location.ETag = v.ETag
	}
	return s, s.Validate()
}
