package job_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"twinbucket/fault"
	"twinbucket/job"
	"twinbucket/manifest"
	"twinbucket/object"
)

func ptr[T any](v T) *T { return &v }

func generated() *job.Spec {
	return &job.Spec{
		Token: "t", Operation: job.ReplicateObject, Priority: 1, RoleARN: "arn:aws:iam::111122223333:role/batch",
		ConfirmationRequired: true, Description: "d", Tags: map[string]string{"a": "b"},
		Report: job.Report{
			Enabled: true, Bucket: "arn:aws:s3:::reports", Format: "Report_CSV_20180820", Prefix: "p",
			Scope: job.AllTasks, ExpectedBucketOwner: "111122223333",
		},
		Generator: &job.Generator{
			SourceBucket: "arn:aws:s3:::src", EnableOutput: true, ExpectedBucketOwner: "111122223333",
			Output: &job.Output{Bucket: "arn:aws:s3:::mf", Prefix: "m", Format: manifest.Generated, Encryption: "SSE-S3"},
			Filter: &job.Filter{
				EligibleForReplication: ptr(true), CreatedAfter: ptr(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)),
				CreatedBefore:             ptr(time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)),
				ObjectReplicationStatuses: []string{"NONE", "FAILED"}, SizeGreaterThan: ptr(int64(0)),
				SizeLessThan: ptr(int64(9)), StorageClasses: []string{"STANDARD"},
				KeyName: &job.KeyNameConstraint{Prefixes: []string{"a"}, Suffixes: []string{"b"}, Substrings: []string{"c"}},
			},
		},
	}
}

func listed() *job.Spec {
	s := generated()
	s.Generator = nil
	s.Manifest = &job.Manifest{
		Format: manifest.CSV, Fields: []manifest.Field{manifest.Bucket, manifest.Key, manifest.VersionID},
		Location: job.Location{ObjectARN: "arn:aws:s3:::mf/dir/list.csv", ETag: "60e4"},
	}
	return s
}

func encryption(kind, key string) []job.EncryptionFilter {
	return []job.EncryptionFilter{{Kind: kind, KeyARN: key}}
}

func fiftyOneTags() map[string]string {
	tags := map[string]string{}
	for i := range 51 {
		tags[fmt.Sprint(i)] = ""
	}
	return tags
}

// validations spoil generated() and say what Validate must find.
var validations = map[string]struct {
	spoil func(*job.Spec)
	want  string // part of the message; "" for none
	code  string // BadRequestException if empty
}{
	"as it is":             {spoil: func(*job.Spec) {}},
	"no token":             {spoil: func(s *job.Spec) { s.Token = "" }, want: "ClientRequestToken"},
	"long token":           {spoil: func(s *job.Spec) { s.Token = strings.Repeat("x", 65) }, want: "ClientRequestToken"},
	"no operation":         {spoil: func(s *job.Spec) { s.Operation = "" }, want: "one operation"},
	"long description":     {spoil: func(s *job.Spec) { s.Description = strings.Repeat("ü", 257) }, want: "Description"},
	"description":          {spoil: func(s *job.Spec) { s.Description = strings.Repeat("ü", 256) }},
	"negative priority":    {spoil: func(s *job.Spec) { s.Priority = -1 }, want: "Priority"},
	"huge priority":        {spoil: func(s *job.Spec) { s.Priority = 1 << 31 }, want: "Priority"},
	"highest priority":     {spoil: func(s *job.Spec) { s.Priority = 1<<31 - 1 }},
	"role":                 {spoil: func(s *job.Spec) { s.RoleARN = "batch" }, want: "role ARN"},
	"user as role":         {spoil: func(s *job.Spec) { s.RoleARN = "arn:aws:iam::111122223333:user/u" }, want: "role ARN"},
	"too many tags":        {spoil: func(s *job.Spec) { s.Tags = fiftyOneTags() }, want: "50 tags", code: "TooManyTagsException"},
	"long tag":             {spoil: func(s *job.Spec) { s.Tags = map[string]string{"k": strings.Repeat("x", 257)} }, want: "TagValue"},
	"reserved tag":         {spoil: func(s *job.Spec) { s.Tags = map[string]string{"AWS:x": ""} }, want: "System tags"},
	"report bucket":        {spoil: func(s *job.Spec) { s.Report.Bucket = "reports" }, want: "report bucket ARN"},
	"report format":        {spoil: func(s *job.Spec) { s.Report.Format = "" }, want: "Report format"},
	"report scope":         {spoil: func(s *job.Spec) { s.Report.Scope = "Some" }, want: "ReportScope"},
	"report prefix":        {spoil: func(s *job.Spec) { s.Report.Prefix = strings.Repeat("x", 513) }, want: "report's Prefix"},
	"prefix of characters": {spoil: func(s *job.Spec) { s.Report.Prefix = strings.Repeat("é", 450) }},
	"prefix and no room":   {spoil: func(s *job.Spec) { s.Report.Prefix = strings.Repeat("é", 451) }, want: "report's Prefix"},
	"report's long bucket": {spoil: func(s *job.Spec) { s.Report.Bucket = "arn:aws:s3:::" + strings.Repeat("b", 116) }, want: "report bucket ARN"},
	"not enabled, format":  {spoil: func(s *job.Spec) { s.Report = job.Report{Format: "x"} }, want: "Report format"},
	"not enabled, scope":   {spoil: func(s *job.Spec) { s.Report = job.Report{Scope: "x"} }, want: "ReportScope"},
	"not enabled, bucket":  {spoil: func(s *job.Spec) { s.Report = job.Report{Bucket: "x"} }, want: "report bucket ARN"},
	"not enabled, prefix":  {spoil: func(s *job.Spec) { s.Report = job.Report{Prefix: strings.Repeat("x", 513)} }, want: "report's Prefix"},
	"not enabled, owner":   {spoil: func(s *job.Spec) { s.Report = job.Report{ExpectedBucketOwner: "x"} }, want: "owner of the report"},
	"characters":           {spoil: func(s *job.Spec) { s.Token, s.Description = strings.Repeat("é", 64), strings.Repeat("é", 256) }},
	"tag's characters":     {spoil: func(s *job.Spec) { s.Tags = map[string]string{"é _.:/=+-@": "日本"} }},
	"odd tag key":          {spoil: func(s *job.Spec) { s.Tags = map[string]string{"a!": ""} }, want: "TagKey"},
	"odd tag value":        {spoil: func(s *job.Spec) { s.Tags = map[string]string{"a": "b*"} }, want: "TagValue"},
	"many prefixes":        {spoil: func(s *job.Spec) { s.Generator.Filter.KeyName.Prefixes = []string{"a", "b"} }, want: "one string"},
	"long key name":        {spoil: func(s *job.Spec) { s.Generator.Filter.KeyName.Suffixes = []string{strings.Repeat("é", 1025)} }, want: "KeyNameConstraint"},
	"report owner":         {spoil: func(s *job.Spec) { s.Report.ExpectedBucketOwner = "me" }, want: "expected owner"},
	"no report":            {spoil: func(s *job.Spec) { s.Report = job.Report{} }},
	"both":                 {spoil: func(s *job.Spec) { s.Manifest = listed().Manifest }, want: "not both"},
	"neither":              {spoil: func(s *job.Spec) { s.Generator = nil }, want: "needs a Manifest"},
	"source":               {spoil: func(s *job.Spec) { s.Generator.SourceBucket = "arn:aws:s3:::src/key" }, want: "source bucket ARN"},
	"no output":            {spoil: func(s *job.Spec) { s.Generator.Output = nil }, want: "ManifestOutputLocation"},
	"output not wanted":    {spoil: func(s *job.Spec) { s.Generator.Output, s.Generator.EnableOutput = nil, false }},
	"output format":        {spoil: func(s *job.Spec) { s.Generator.Output.Format = manifest.CSV }, want: "ManifestFormat"},
	"output bucket":        {spoil: func(s *job.Spec) { s.Generator.Output.Bucket = "" }, want: "manifest output bucket"},
	"output prefix":        {spoil: func(s *job.Spec) { s.Generator.Output.Prefix = strings.Repeat("x", 513) }, want: "manifest output's Prefix"},
	"status":               {spoil: func(s *job.Spec) { s.Generator.Filter.ObjectReplicationStatuses = []string{"PENDING"} }, want: "ObjectReplicationStatuses"},
	"class":                {spoil: func(s *job.Spec) { s.Generator.Filter.StorageClasses = []string{"COLD"} }, want: "storage class"},
	"times":                {spoil: func(s *job.Spec) { s.Generator.Filter.CreatedAfter = s.Generator.Filter.CreatedBefore }, want: "CreatedAfter"},
	"sizes":                {spoil: func(s *job.Spec) { s.Generator.Filter.SizeGreaterThan = ptr(int64(9)) }, want: "ObjectSizeGreaterThanBytes"},
	"key name":             {spoil: func(s *job.Spec) { s.Generator.Filter.KeyName.Suffixes = []string{""} }, want: "KeyNameConstraint"},
	"encryption": {spoil: func(s *job.Spec) {
		s.Generator.Filter.ObjectEncryption = encryption("SSE-KMS", "arn:aws:kms:us-east-1:111122223333:key/k")
	}},
	"two encryptions": {spoil: func(s *job.Spec) {
		s.Generator.Filter.ObjectEncryption = append(encryption("SSE-C", ""), encryption("SSE-S3", "")...)
	}, want: "one ObjectEncryption"},
	"kind of encryption": {spoil: func(s *job.Spec) { s.Generator.Filter.ObjectEncryption = encryption("AES256", "") }, want: "NOT-SSE"},
	"encryption's key": {spoil: func(s *job.Spec) {
		s.Generator.Filter.ObjectEncryption = encryption("SSE-KMS", "arn:aws:kms:us-east-1:111122223333:alias/k")
	}, want: "KmsKeyArn"},
	"output's key":         {spoil: func(s *job.Spec) { s.Generator.Output.Encryption, s.Generator.Output.KeyID = "SSE-KMS", "k" }},
	"no output's key":      {spoil: func(s *job.Spec) { s.Generator.Output.Encryption = "SSE-KMS" }, want: "KeyId"},
	"no filter":            {spoil: func(s *job.Spec) { s.Generator.Filter = nil }},
	"listed":               {spoil: func(s *job.Spec) { *s = *listed() }},
	"listed, long etag":    {spoil: func(s *job.Spec) { *s = *listed(); s.Manifest.Location.ETag = strings.Repeat("e", 1025) }, want: "ETag"},
	"listed, long version": {spoil: func(s *job.Spec) { *s = *listed(); s.Manifest.Location.VersionID = strings.Repeat("e", 2001) }, want: "ObjectVersionId"},
	"listed, long object":  {spoil: func(s *job.Spec) { *s = *listed(); s.Manifest.Location.ObjectARN += strings.Repeat("e", 2001) }, want: "ObjectArn"},
	"listed, no etag":      {spoil: func(s *job.Spec) { *s = *listed(); s.Manifest.Location.ETag = "" }, want: "ETag"},
	"listed, bucket":       {spoil: func(s *job.Spec) { *s = *listed(); s.Manifest.Location.ObjectARN = "arn:aws:s3:::mf" }, want: "manifest object ARN"},
	"listed, no fields":    {spoil: func(s *job.Spec) { *s = *listed(); s.Manifest.Fields = nil }, want: "Required fields are missing in the schema: Bucket, Key"},
	"listed, format":       {spoil: func(s *job.Spec) { *s = *listed(); s.Manifest.Format = "CSV" }, want: "manifest format"},
	"generated":            {spoil: func(s *job.Spec) { *s = *listed(); s.Manifest.Format, s.Manifest.Fields = manifest.Generated, nil }},
	"inventory":            {spoil: func(s *job.Spec) { *s = *listed(); s.Manifest.Format, s.Manifest.Fields = manifest.Inventory, nil }},
	"inventory's fields":   {spoil: func(s *job.Spec) { *s = *listed(); s.Manifest.Format = manifest.Inventory }, want: "Fields cannot"},
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for name, c := range validations {
		s := generated()
		c.spoil(s)
		err := s.Validate()
		if (err == nil) != (c.want == "") || !strings.Contains(fault.MessageOf(err), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if code := max(c.code, "BadRequestException"); err != nil && fault.CodeOf(err) != code {
			t.Errorf("%s: code %s, want %s", name, fault.CodeOf(err), code)
		}
	}
}

func TestUnsupported(t *testing.T) {
	t.Parallel()
	if err := generated().Unsupported(); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*job.Spec){
		"operation": func(s *job.Spec) { s.Operation = "LambdaInvoke" },
	} {
		s := generated()
		spoil(s)
		err := s.Unsupported()
		if fault.KindOf(err) != fault.Unsupported || fault.CodeOf(err) != "NotImplemented" || fault.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestJSONRoundTrip(t *testing.T) {
	t.Parallel()
	now := time.Date(2025, 2, 3, 4, 5, 6, 7000, time.UTC)
	for _, spec := range []*job.Spec{generated(), listed()} {
		want := job.Job{
			ID: "5a1c", Account: "111122223333", Region: "us-east-1", Spec: *spec, Tags: spec.Tags,
			State: job.Suspended, StatusReason: "r", Progress: job.Progress{Total: 3, Succeeded: 1, Failed: 2, ActiveSeconds: 4},
			Failures: []job.Failure{{Code: "c", Reason: "r"}}, Created: now, Suspended: now,
			SuspendedCause: job.AwaitingConfirmation, Generated: &job.Location{ObjectARN: "arn:aws:s3:::mf/m", ETag: "e"},
		}
		data, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got job.Job
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		if got.ARN() != "arn:aws:s3:us-east-1:111122223333:job/5a1c" {
			t.Errorf("ARN %s", got.ARN())
		}
	}
}

func TestLocationObject(t *testing.T) {
	t.Parallel()
	l := job.Location{ObjectARN: "arn:aws:s3:::mf/dir/a:b c.csv"}
	if b, k, err := l.Object(); b != "mf" || k != "dir/a:b c.csv" || err != nil {
		t.Errorf("%q %q %v", b, k, err)
	}
}

func TestEncryptionFilterString(t *testing.T) {
	t.Parallel()
	for want, f := range map[string]job.EncryptionFilter{
		"SSE-C":                               {Kind: "SSE-C"},
		"SSE-KMS under key with a bucket key": {Kind: "SSE-KMS", KeyARN: "key", BucketKey: ptr(true)},
		"SSE-KMS without a bucket key":        {Kind: "SSE-KMS", BucketKey: ptr(false)},
	} {
		if got := f.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestFilterMatch(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 6, 1, 0, 0, 0, 0, time.UTC)
	v := object.Version{Key: "logs/2024/a.txt", Modified: at, Size: 10, Status: object.Failed, Class: "STANDARD_IA"}
	marker := object.Version{Key: "logs/2024/a.txt", Modified: at, Marker: true}
	v.Encryption = object.Encryption{Algorithm: object.KMS, KeyARN: "arn:aws:kms:us-east-1:111122223333:key/k", BucketKey: true}
	names := func(p, s, sub string) *job.KeyNameConstraint {
		k := &job.KeyNameConstraint{}
		if p != "" {
			k.Prefixes = strings.Fields(p)
		}
		if s != "" {
			k.Suffixes = strings.Fields(s)
		}
		if sub != "" {
			k.Substrings = strings.Fields(sub)
		}
		return k
	}
	for name, c := range map[string]struct {
		filter       *job.Filter
		want, marker bool
	}{
		"none":             {nil, true, true},
		"empty":            {&job.Filter{}, true, true},
		"eligible":         {&job.Filter{EligibleForReplication: ptr(true)}, true, true},
		"after":            {&job.Filter{CreatedAfter: ptr(at.Add(-1))}, true, true},
		"after is strict":  {&job.Filter{CreatedAfter: ptr(at)}, false, false},
		"before":           {&job.Filter{CreatedBefore: ptr(at.Add(1))}, true, true},
		"before is strict": {&job.Filter{CreatedBefore: ptr(at)}, false, false},
		"status":           {&job.Filter{ObjectReplicationStatuses: []string{"NONE", "FAILED"}}, true, true},
		"none is a status": {&job.Filter{ObjectReplicationStatuses: []string{"NONE"}}, false, true},
		"greater":          {&job.Filter{SizeGreaterThan: ptr(int64(9))}, true, false},
		"greater strict":   {&job.Filter{SizeGreaterThan: ptr(int64(10))}, false, false},
		"less":             {&job.Filter{SizeLessThan: ptr(int64(11))}, true, false},
		"less strict":      {&job.Filter{SizeLessThan: ptr(int64(10))}, false, false},
		"class":            {&job.Filter{StorageClasses: []string{"STANDARD", "STANDARD_IA"}}, true, false},
		"other class":      {&job.Filter{StorageClasses: []string{"STANDARD"}}, false, false},
		"prefix":           {&job.Filter{KeyName: names("x logs/", "", "")}, true, true},
		"suffix":           {&job.Filter{KeyName: names("", ".txt", "")}, true, true},
		"substring":        {&job.Filter{KeyName: names("", "", "2024")}, true, true},
		"all three":        {&job.Filter{KeyName: names("logs", "txt", "a.")}, true, true},
		"encryption":       {&job.Filter{ObjectEncryption: encryption("SSE-KMS", "")}, true, false},
		"its key":          {&job.Filter{ObjectEncryption: encryption("SSE-KMS", v.Encryption.KeyARN)}, true, false},
		"another key":      {&job.Filter{ObjectEncryption: encryption("SSE-KMS", v.Encryption.KeyARN+"x")}, false, false},
		"its bucket key":   {&job.Filter{ObjectEncryption: []job.EncryptionFilter{{Kind: "SSE-KMS", BucketKey: ptr(true)}}}, true, false},
		"no bucket key":    {&job.Filter{ObjectEncryption: []job.EncryptionFilter{{Kind: "SSE-KMS", BucketKey: ptr(false)}}}, false, false},
		"two layers":       {&job.Filter{ObjectEncryption: encryption("DSSE-KMS", "")}, false, false},
		"not encrypted":    {&job.Filter{ObjectEncryption: encryption("NOT-SSE", "")}, false, false},
		"one is wrong":     {&job.Filter{KeyName: names("logs", "csv", "a.")}, false, false},
	} {
		if got := c.filter.Match(&v); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
		if got := c.filter.Match(&marker); got != c.marker {
			t.Errorf("%s: marker %t", name, got)
		}
	}
}
