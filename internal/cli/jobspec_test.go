package cli

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"

	"twinbucket/client"
	"twinbucket/fault"
	"twinbucket/job"
	"twinbucket/manifest"
	"twinbucket/report"
)

// typed returns the job that a command line asks for, of account 111122223333.
func typed(t *testing.T, line string) (*job.Spec, error) {
	t.Helper()
	var cmd commands
	parser, err := kong.New(&cmd, kong.Exit(func(int) {}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(append([]string{"job", "create"}, strings.Fields(line)...)); err != nil {
		return nil, err
	}
	return cmd.Job.Create.spec("111122223333")
}

func ptr[T any](v T) *T { return &v }

// of returns a job that replicates what a filter takes.
func of(f job.Filter, change func(*job.Spec)) *job.Spec {
	s := &job.Spec{
		Token: "t", Description: "d", Operation: job.ReplicateObject, Priority: 10, RoleARN: "arn:aws:iam::111122223333:role/batch",
		Generator: &job.Generator{SourceBucket: "arn:aws:s3:::src", ExpectedBucketOwner: "111122223333", Filter: &f},
	}
	if change != nil {
		change(s)
	}
	return s
}

func TestJobSpec(t *testing.T) {
	t.Parallel()
	eligible := ptr(true)
	day := time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)
	const common = " --role batch --token t --description d"
	for line, want := range map[string]*job.Spec{
		"s3://src":       of(job.Filter{EligibleForReplication: eligible}, nil),
		"s3://src --all": of(job.Filter{}, nil),
		"s3://src/logs/": of(job.Filter{EligibleForReplication: eligible, KeyName: &job.KeyNameConstraint{Prefixes: []string{"logs/"}}}, nil),
		"s3://src --prefix a,b --suffix .txt --contains x": of(job.Filter{
			EligibleForReplication: eligible,
			KeyName:                &job.KeyNameConstraint{Prefixes: []string{"a,b"}, Suffixes: []string{".txt"}, Substrings: []string{"x"}},
		}, nil),
		"s3://src --status none,FAILED --class standard_ia --encryption sse-s3": of(job.Filter{
			EligibleForReplication: eligible, ObjectReplicationStatuses: []string{"NONE", "FAILED"}, StorageClasses: []string{"STANDARD_IA"},
			ObjectEncryption: []job.EncryptionFilter{{Kind: "SSE-S3"}},
		}, nil),
		"s3://src --created-after 2026-01-31 --created-before 2026-01-31T02:00:00+01:00": of(job.Filter{
			EligibleForReplication: eligible, CreatedAfter: &day, CreatedBefore: ptr(day.Add(time.Hour)),
		}, nil),
		"s3://src --larger-than 0 --smaller-than 5G": of(job.Filter{
			EligibleForReplication: eligible, SizeGreaterThan: ptr(int64(0)), SizeLessThan: ptr(int64(5 << 30)),
		}, nil),
		"s3://src --report s3://reports/p/ --save-manifest s3://lists --confirm --priority 3 --tag a=b --tag c=d=e": of(job.Filter{EligibleForReplication: eligible}, func(s *job.Spec) {
			s.Report = job.Report{Enabled: true, Bucket: "arn:aws:s3:::reports", Prefix: "p", Format: report.Format, Scope: job.AllTasks}
			s.Generator.EnableOutput, s.Generator.Output = true, &job.Output{Bucket: "arn:aws:s3:::lists", Format: manifest.Generated}
			s.ConfirmationRequired, s.Priority, s.Tags = true, 3, map[string]string{"a": "b", "c": "d=e"}
		}),
		"s3://src --report s3://reports --failed-only": of(job.Filter{EligibleForReplication: eligible}, func(s *job.Spec) {
			s.Report = job.Report{Enabled: true, Bucket: "arn:aws:s3:::reports", Format: report.Format, Scope: job.FailedTasksOnly}
		}),
		`s3://src --operation {"S3PutObjectLegalHold":{"LegalHold":{"Status":"ON"}}}`: of(job.Filter{}, func(s *job.Spec) {
			s.Operation, s.LegalHold = job.PutObjectLegalHold, "ON"
		}),
		"s3://src --operation S3DeleteObjectTagging": of(job.Filter{}, func(s *job.Spec) { s.Operation = job.DeleteObjectTagging }),
		"--manifest s3://lists/dir/list.csv --fields Bucket,Key": of(job.Filter{}, func(s *job.Spec) {
			s.Generator = nil
			s.Manifest = &job.Manifest{Format: manifest.CSV, Fields: []manifest.Field{manifest.Bucket, manifest.Key}, Location: job.Location{ObjectARN: "arn:aws:s3:::lists/dir/list.csv"}}
		}),
		"--manifest s3://lists/list.csv": of(job.Filter{}, func(s *job.Spec) {
			s.Generator = nil
			s.Manifest = &job.Manifest{Format: manifest.CSV, Fields: []manifest.Field{manifest.Bucket, manifest.Key, manifest.VersionID}, Location: job.Location{ObjectARN: "arn:aws:s3:::lists/list.csv"}}
		}),
		"--manifest s3://lists/dir/manifest.json": of(job.Filter{}, func(s *job.Spec) {
			s.Generator = nil
			s.Manifest = &job.Manifest{Format: manifest.Inventory, Location: job.Location{ObjectARN: "arn:aws:s3:::lists/dir/manifest.json"}}
		}),
	} {
		got, err := typed(t, line+common)
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s\n%s", line, diff)
		}
		if got.Manifest != nil {
			got.Manifest.Location.ETag = "e"
		}
		if err := got.Validate(); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// TestJobSpecDefaults: a token for each job, a description that says what it is
// about, and no role's name where there is an ARN.
func TestJobSpecDefaults(t *testing.T) {
	t.Parallel()
	const line = "s3://src --role arn:aws:iam::444455556666:role/path/batch"
	one, err := typed(t, line)
	if err != nil {
		t.Fatal(err)
	}
	other, err := typed(t, line)
	if err != nil || one.Token == other.Token || len(one.Token) < 20 {
		t.Errorf("tokens %q and %q, %v", one.Token, other.Token, err)
	}
	if one.Description != "s3://src: eligible for replication" || one.RoleARN != "arn:aws:iam::444455556666:role/path/batch" {
		t.Errorf("%+v", one)
	}
	long, err := typed(t, line+" --prefix "+strings.Repeat("é", 300))
	if err != nil || long.Validate() != nil {
		t.Errorf("%v, %v", err, long.Validate())
	}
}

func TestJobSpecRefused(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"--role r":                            "name a bucket, s3://BUCKET, or a list of objects",
		"src --role r":                        "write s3://BUCKET",
		"s3://src/a --prefix b --role r":      "a job takes one prefix",
		"s3://src --operation S3Fly --role r": "an operation is written as for aws s3control create-job",
		"s3://src --operation S3DeleteObjectTagging --all --role r":         "leave --all out",
		"s3://src --failed-only --role r":                                   "add --report",
		"s3://src --report reports --role r":                                "write s3://BUCKET",
		"s3://src --save-manifest lists --role r":                           "write s3://BUCKET",
		"s3://src --manifest s3://lists/l.csv --role r":                     "leave s3://src out",
		"--manifest s3://lists --role r":                                    "--manifest names an object",
		"--manifest s3://lists/l.csv --all --role r":                        "leave out what chooses objects",
		"--manifest s3://lists/l.csv --save-manifest s3://lists/x --role r": "leave out --save-manifest or --manifest",
	} {
		if _, err := typed(t, line); !strings.Contains(fault.HintOf(err), want) {
			t.Errorf("%s: %v, hint %q", line, err, fault.HintOf(err))
		}
	}
	for _, line := range []string{
		"s3://src", "s3://src --role r --larger-than 1X", "s3://src --role r --larger-than -1", "s3://src --role r --created-after yesterday",
	} {
		if s, err := typed(t, line); err == nil {
			t.Errorf("%s: %+v", line, s)
		}
	}
}

func TestJobSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"0": 0, "512": 512, "512B": 512, "1K": 1 << 10, "1k": 1 << 10, "10M": 10 << 20, "10MB": 10 << 20, "10MiB": 10 << 20, "3G": 3 << 30, "2T": 2 << 40,
		"": -1, "K": -1, "-1": -1, "1.5G": -1, "1KM": -1, "1i": -1, "9000000T": -1, "9223372036854775808": -1, "1 K": -1, "0x10": -1,
	} {
		var n jobSize
		err := n.UnmarshalText([]byte(text))
		if (err != nil) != (want < 0) || err == nil && int64(n) != want {
			t.Errorf("%q: %d, %v; want %d", text, n, err, want)
		}
	}
}

// TestAskInTheRegion: a manifest is looked up where its bucket is, and the job
// is made there.
func TestAskInTheRegion(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Amz-Bucket-Region", "eu-west-1")
		if r.URL.Path == "/lists/list.csv" && !strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/s3/") {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("ETag", `"abc"`)
	}))
	defer server.Close()
	c, err := client.New(client.Config{Endpoint: server.URL, Region: "us-east-1", Credentials: client.Credentials{AccessKey: "a", Secret: "s"}})
	if err != nil {
		t.Fatal(err)
	}
	a := &jobs{Client: c, account: "111122223333", flags: &jobFlags{}}
	spec, err := a.ask(t.Context(), &jobSpecFlags{Manifest: "s3://lists/list.csv", Fields: []string{"Bucket", "Key"}, Operation: job.ReplicateObject, Role: "batch", Priority: 10})
	if err != nil {
		t.Fatal(err)
	}
	if spec.Manifest.Location.ETag != "abc" || a.Region() != "eu-west-1" || a.flags.Region != "eu-west-1" {
		t.Errorf("ETag %q in %s", spec.Manifest.Location.ETag, a.Region())
	}
}
