package batch_test

import (
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/internal/store"
	"twinbucket/internal/testenv"
	"twinbucket/job"
	"twinbucket/manifest"
	"twinbucket/object"
	"twinbucket/report"
)

var versionedColumns = []manifest.Field{manifest.Bucket, manifest.Key, manifest.VersionID}

// brought asks for a job over an object in the bucket of reports.
func brought(token string, o *store.Object, f manifest.Format, columns []manifest.Field, change ...func(*job.Spec)) job.Job {
	return spec(append([]func(*job.Spec){func(s *job.Spec) {
		s.Token, s.Generator = token, nil
		s.Manifest = &job.Manifest{Format: f, Fields: columns, Location: job.Location{ObjectARN: arn.Object(testenv.Reports, o.Key), ETag: o.ETag}}
	}}, change...)...)
}

// inventory stores an inventory of the source bucket in the bucket of reports.
func inventory(e *testenv.Env, name, schema, rows string, change ...func(*manifest.Index)) *store.Object {
	e.T.Helper()
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, err := io.WriteString(z, rows)
	e.Must(err)
	e.Must(z.Close())
	f := e.Put(testenv.Reports, name+"/data/1.csv.gz", zipped.String())
	x := manifest.NewIndex(testenv.SrcBucket, testenv.Reports, time.Now(), []manifest.File{{Key: f.Key, Size: f.Size, MD5Checksum: f.ETag}})
	x.Version, x.FileSchema = "2016-11-30", schema
	for _, c := range change {
		c(x)
	}
	return e.Put(testenv.Reports, name+"/manifest.json", string(x.JSON()))
}

// TestManifestsThatFailTheJob: each with AWS's text, once, and what is wrong.
func TestManifestsThatFailTheJob(t *testing.T) {
	t.Parallel()
	e := existing(t, 1)
	id := e.Head(testenv.SrcBucket, "old/00000", "").ID
	row := "src-bucket,old/00000," + id + "\n"
	e.Start()
	type made struct {
		o       *store.Object
		format  manifest.Format
		columns []manifest.Field
	}
	csv := func(body string) func() made {
		return func() made { return made{e.Put(testenv.Reports, "list.csv", body), manifest.CSV, versionedColumns} }
	}
	index := func(schema, rows string, change ...func(*manifest.Index)) func() made {
		return func() made { return made{inventory(e, "inv", schema, rows, change...), manifest.Inventory, nil} }
	}
	kms := func(format manifest.Format, columns []manifest.Field, with object.Encryption) func() made {
		return func() made {
			o, err := e.Store.Put(t.Context(), store.Put{
				Version: object.Version{Bucket: testenv.Reports, Key: "kms.csv", Owner: testenv.Source, Encryption: with},
				Body:    strings.NewReader(row), Size: int64(len(row)), CustomerKey: make([]byte, 32),
			})
			e.Must(err)
			return made{o, format, columns}
		}
	}
	for name, c := range map[string]struct {
		made         func() made
		code, reason string
		hint         string
	}{
		"other bucket":    {csv(row + "other," + "k," + id + "\n"), "InvalidManifestContent", "Invalid Manifest Content", "row 2"},
		"header":          {csv("Bucket,Key,VersionId\n" + row), "InvalidManifestContent", "Invalid Manifest Content", "no header"},
		"byte order mark": {csv("\ufeff" + row), "InvalidManifestContent", "Manifest file is not properly formatted", "byte order mark"},
		"compressed":      {csv("\x1f\x8b\x08" + row), "InvalidManifestContent", "Manifest file is not properly formatted", "compressed"},
		"columns":         {csv("src-bucket,old/00000\n"), "InvalidManifestContent", "Manifest file is not properly formatted", "2 columns"},
		"key":             {csv("src-bucket,%zz," + id), "InvalidManifestContent", "Invalid object key format", "row 1"},
		"version":         {csv("src-bucket,k,a b"), "InvalidManifestContent", "Invalid version ID format", "row 1"},
		"KMS":             {kms(manifest.CSV, versionedColumns, object.Encryption{Algorithm: object.KMS, KeyARN: testenv.SrcKey}), "ManifestReadNotPermitted", "Reading the manifest is forbidden: AccessDenied", "key of KMS"},
		"SSE-C":           {kms(manifest.CSV, versionedColumns, object.Encryption{Algorithm: object.AES256, CustomerKeyMD5: "cLx3nQ4pWoJ8Q8Y7eCzZyQ=="}), "ManifestReadNotPermitted", "Reading the manifest is forbidden: AccessDenied", "SSE-C"},
		"MD5 of a file":   {index("Bucket, Key, VersionId", row, func(x *manifest.Index) { x.Files[0].MD5Checksum = strings.Repeat("0", 32) }), "InvalidManifestContent", "Invalid Manifest Content", "MD5"},
		"no such file":    {index("Bucket, Key, VersionId", row, func(x *manifest.Index) { x.Files[0].Key = "none" }), "ManifestNotFound", "The manifest object does not exist.", "none"},
		"ORC":             {index("Bucket, Key, VersionId", row, func(x *manifest.Index) { x.FileFormat = "ORC" }), "InvalidManifestContent", "Inventories in ORC format are not implemented.", "CSV"},
		"Parquet":         {index("Bucket, Key, VersionId", row, func(x *manifest.Index) { x.FileFormat = "Parquet" }), "InvalidManifestContent", "Inventories in Parquet format are not implemented.", "CSV"},
		"schema":          {index("Bucket, VersionId", row), "InvalidManifestContent", "Required fields are missing in the schema: Key", ""},
		"source":          {index("Bucket, Key, VersionId", row, func(x *manifest.Index) { x.SourceBucket = "other" }), "InvalidManifestContent", "Invalid Manifest Content", "row 1"},
		"damaged JSON": {func() made {
			return made{e.Put(testenv.Reports, "m.json", `{"sourceBucket":`), manifest.Inventory, nil}
		}, "InvalidManifestContent", "Manifest file is not properly formatted", "manifest.json"},
		"endless JSON": {func() made {
			return made{e.Put(testenv.Reports, "m.json", strings.Repeat(" ", 17<<20)), manifest.Inventory, nil}
		}, "InvalidManifestContent", "Manifest file is not properly formatted", "at most"},
		"CSV as inventory": {func() made { return made{e.Put(testenv.Reports, "m.json", row), manifest.Inventory, nil} }, "InvalidManifestContent", "Manifest file is not properly formatted", "manifest.json"},
	} {
		m := c.made()
		j := reached(t, e, create(t, e, brought(name, m.o, m.format, m.columns)).ID, job.Failed)
		if len(j.Failures) == 0 || j.Failures[0].Code != c.code || j.Failures[0].Reason != c.reason {
			t.Errorf("%s: %+v", name, j.Failures)
			continue
		}
		all := fmt.Sprint(j.Failures[1:])
		if !strings.Contains(all, c.hint) || strings.Contains(all, c.reason) {
			t.Errorf("%s: %q is not explained by %q", name, c.reason, all)
		}
	}
}

// rowsOf reads the lines of one kind of a job's report.
func rowsOf(t *testing.T, e *testenv.Env, prefix, id string, succeeded bool) (out []report.Row) {
	t.Helper()
	r := report.NewReader(strings.NewReader(readObject(t, e, testenv.Reports, report.ResultKey(prefix, id, succeeded))))
	for {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		e.Must(err)
		out = append(out, row)
	}
}

// TestEachEntryIsATask: what is listed twice, is gone, has an empty version id
// or is a delete marker has its own line all the same.
func TestEachEntryIsATask(t *testing.T) {
	t.Parallel()
	e := existing(t, 3)
	var ids []string
	for i := range 3 {
		ids = append(ids, e.Head(testenv.SrcBucket, fmt.Sprintf("old/%05d", i), "").ID)
	}
	odd := e.Put(testenv.SrcBucket, "odd key+%/ä\n\"", "x")
	marker, err := e.Store.Delete(t.Context(), testenv.SrcBucket, "old/00002", "", testenv.Source)
	e.Must(err)
	e.Start()
	e.Settled(odd)
	const schema = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size"
	line := func(key, id string) string {
		return fmt.Sprintf("\"src-bucket\",\"%s\",\"%s\",\"true\",\"false\",\"1\"\r\n", manifest.EncodeKey(key), id)
	}
	rows := line("old/00000", ids[0]) + line("old/00000", ids[0]) + line("old/00001", "") + line("old/00001", "null") +
		line(odd.Key, odd.ID) + line("gone", ids[1]) + line("old/00002", marker.ID)
	j := reached(t, e, create(t, e, brought("inv", inventory(e, "inv", schema, rows), manifest.Inventory, nil, func(s *job.Spec) {
		s.Report.Prefix = "each"
	})).ID, job.Complete)
	got := map[string]int{}
	for _, kind := range []bool{true, false} {
		for _, row := range rowsOf(t, e, "each", j.ID, kind) {
			got[row.Key+" "+row.Code]++
		}
	}
	want := map[string]int{
		"old/00000 ": 2, "old/00001 InvalidRequest": 1, "old/00001 SrcObjectNotFound": 1, odd.Key + " ": 1, "gone SrcKeyNotFound": 1, "old/00002 ": 1,
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || j.Progress.Total != 7 || j.Progress.Succeeded != 4 {
		t.Errorf("%v, want %v; %+v", got, want, j.Progress)
	}

	// Without versions a row is about the current one.
	j = reached(t, e, create(t, e, brought("current", inventory(e, "cur", "Bucket, Key, Size", `"src-bucket","old/00001","1"`), manifest.Inventory, nil)).ID, job.Complete)
	if row := lines(t, e, j.ID)["old/00001"+ids[1]]; !row.Succeeded {
		t.Errorf("%+v", lines(t, e, j.ID))
	}

	// In a bucket that never had versioning an empty version id is that of all objects.
	e.Must(e.Store.CreateBucket(t.Context(), &bucket.Bucket{Name: "plain", Owner: testenv.Source, Region: testenv.Region}))
	e.Put("plain", "k", "x")
	o := e.Put(testenv.Reports, "plain.csv", "plain,k,\n")
	j = reached(t, e, create(t, e, brought("plain", o, manifest.CSV, versionedColumns)).ID, job.Complete)
	for _, row := range lines(t, e, j.ID) {
		if row.Code == "InvalidRequest" || row.VersionID != object.NullID {
			t.Errorf("%+v", row)
		}
	}
}

// TestPinnedManifest: of a manifest that was written again the version that the
// job names is read, with its ETag.
func TestPinnedManifest(t *testing.T) {
	t.Parallel()
	e := existing(t, 2)
	first := e.Put(testenv.Reports, "list.csv", "x,src-bucket,old/00000\n")
	e.Put(testenv.Reports, "list.csv", "no manifest")
	e.Start()
	columns := []manifest.Field{manifest.Ignore, manifest.Bucket, manifest.Key}
	pin := func(s *job.Spec) { s.Manifest.Location.VersionID = first.ID }
	j := reached(t, e, create(t, e, brought("pinned", first, manifest.CSV, columns, pin)).ID, job.Complete)
	if j.Progress.Total != 1 || j.Progress.Succeeded != 1 {
		t.Errorf("%+v", j.Progress)
	}
	for token, c := range map[string]struct{ etag, reason string }{
		"current": {first.ETag, "The manifest's ETag does not match."},
		"format":  {"W/" + first.ETag, "ETag format is invalid"},
	} {
		j = reached(t, e, create(t, e, brought(token, first, manifest.CSV, columns, func(s *job.Spec) { s.Manifest.Location.ETag = c.etag })).ID, job.Failed)
		if j.Failures[0].Reason != c.reason {
			t.Errorf("%s: %+v", token, j.Failures)
		}
	}
	e.Role("batch", "batchoperations.s3.amazonaws.com", append([]string{"!s3:GetObjectVersion " + arn.Object(testenv.Reports, "list.csv")}, testenv.BatchGrants...)...)
	j = reached(t, e, create(t, e, brought("denied", first, manifest.CSV, columns, pin)).ID, job.Failed)
	if j.Failures[0].Reason != "Reading the manifest is forbidden: AccessDenied" {
		t.Errorf("%+v", j.Failures)
	}
}

// TestGeneratedManifestAgain: what a job has generated is another's manifest, in
// the format that DescribeJob names, or as an inventory.
func TestGeneratedManifestAgain(t *testing.T) {
	t.Parallel()
	e := existing(t, 3)
	e.Put(testenv.SrcBucket, "odd key+%/ä", "x")
	e.Start()
	j := reached(t, e, create(t, e, spec(func(s *job.Spec) {
		s.Generator.EnableOutput, s.Generator.Filter = true, nil
		s.Generator.Output = &job.Output{Bucket: arn.Bucket(testenv.Reports), Prefix: "mf", Format: manifest.Generated}
	})).ID, job.Complete)
	for _, format := range []manifest.Format{manifest.Generated, manifest.Inventory} {
		again := reached(t, e, create(t, e, spec(func(s *job.Spec) {
			s.Token, s.Generator = string(format), nil
			s.Manifest = &job.Manifest{Format: format, Location: *j.Generated}
		})).ID, job.Complete)
		if again.Progress.Succeeded != 4 || again.Progress.Total != 4 {
			t.Errorf("%s: %+v", format, again.Progress)
		}
	}
}

// TestSavedManifestIsRead: as on AWS the role of a job that saves its manifest
// reads it, too.
func TestSavedManifestIsRead(t *testing.T) {
	t.Parallel()
	e := existing(t, 1)
	e.Start()
	for _, action := range []string{"s3:GetObject", "s3:GetObjectVersion"} {
		e.Role("batch", "batchoperations.s3.amazonaws.com", append([]string{"!" + action + " " + arn.Object(testenv.Reports, "*")}, testenv.BatchGrants...)...)
		j := reached(t, e, create(t, e, spec(func(s *job.Spec) {
			s.Token, s.Generator.EnableOutput = action, true
			s.Generator.Output = &job.Output{Bucket: arn.Bucket(testenv.Reports), Prefix: "mf", Format: manifest.Generated}
		})).ID, job.Failed)
		if j.Failures[0].Reason != "Reading the manifest is forbidden: AccessDenied" || !strings.Contains(fmt.Sprint(j.Failures), action) {
			t.Errorf("%s: %+v", action, j.Failures)
		}
	}
}

// repeated is n times a row, made as it is read.
type repeated struct {
	row  string
	n    int
	rest string
}

func (r *repeated) Read(p []byte) (int, error) {
	if r.rest == "" {
		if r.n == 0 {
			return 0, io.EOF
		}
		r.rest, r.n = r.row, r.n-1
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// TestLongInventory: memory does not grow with the rows of an inventory. What
// other tests allocate would count too, so it is not parallel to them.
func TestLongInventory(t *testing.T) {
	const n = 200_000
	e := existing(t, 1)
	row := fmt.Sprintf("\"src-bucket\",\"old/00000\",\"%s\"\n", e.Head(testenv.SrcBucket, "old/00000", "").ID)
	r, w := io.Pipe()
	sum := md5.New()
	go func() {
		z := gzip.NewWriter(io.MultiWriter(w, sum))
		_, err := io.Copy(z, &repeated{row: row, n: n})
		if err == nil {
			err = z.Close()
		}
		w.CloseWithError(err)
	}()
	f, err := e.Store.Put(t.Context(), store.Put{Version: object.Version{Bucket: testenv.Reports, Key: "long.csv.gz", Owner: testenv.Source}, Body: r, Size: -1})
	e.Must(err)
	x := manifest.NewIndex(testenv.SrcBucket, testenv.Reports, time.Now(), []manifest.File{{Key: f.Key, Size: f.Size, MD5Checksum: hex.EncodeToString(sum.Sum(nil))}})
	m := e.Put(testenv.Reports, "long.json", string(x.JSON()))
	var before, after runtime.MemStats
	long := brought("long", m, manifest.Inventory, nil)
	runtime.ReadMemStats(&before)
	p := planned(t, e, long) // which reads it as a job does
	runtime.ReadMemStats(&after)
	if p.Tasks != n {
		t.Errorf("%+v", p)
	}
	// What is allocated for a row is what its chunk takes, whatever lives at a time:
	// 3 KiB, and twice that under the race detector.
	if each := (after.TotalAlloc - before.TotalAlloc) / n; each > 7<<10 {
		t.Errorf("%d bytes are allocated for a row", each)
	}
}

// TestManifestUnderAKey: a generated manifest is encrypted as its output says,
// else by the bucket's default, by whoever has the right to.
func TestManifestUnderAKey(t *testing.T) {
	t.Parallel()
	const use = "kms:GenerateDataKey,kms:Decrypt " + testenv.SrcKey
	byDefault := func(e *testenv.Env) {
		e.Document(testenv.Reports, bucket.Encryption, `<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>`+testenv.SrcKey+`</KMSMasterKeyID></ApplyServerSideEncryptionByDefault><BucketKeyEnabled>true</BucketKeyEnabled></Rule></ServerSideEncryptionConfiguration>`)
	}
	for name, c := range map[string]struct {
		grant  string
		change func(*testenv.Env)
		kind   string // asked for
		reason string
		want   object.Encryption
	}{
		"asked for":         {use, nil, object.SSEKMS, "", object.Encryption{Algorithm: object.KMS, KeyARN: testenv.SrcKey}},
		"by default":        {use, byDefault, "", "", object.Encryption{Algorithm: object.KMS, KeyARN: testenv.SrcKey, BucketKey: true}},
		"not, by default":   {use, byDefault, object.SSES3, "", object.Encryption{Algorithm: object.AES256}},
		"no right to write": {"kms:Decrypt " + testenv.SrcKey, nil, object.SSEKMS, "Error occurred when preparing manifest: Failed to write manifest", object.Encryption{}},
		"no right to read":  {"kms:GenerateDataKey " + testenv.SrcKey, nil, object.SSEKMS, "Reading the manifest is forbidden: AccessDenied", object.Encryption{}},
	} {
		e := existing(t, 1)
		e.Role("batch", "batchoperations.s3.amazonaws.com", append([]string{c.grant}, testenv.BatchGrants...)...)
		if c.change != nil {
			c.change(e)
		}
		e.Start()
		end := job.Complete
		if c.reason != "" {
			end = job.Failed
		}
		j := reached(t, e, create(t, e, spec(func(s *job.Spec) {
			s.Generator.EnableOutput = true
			s.Generator.Output = &job.Output{Bucket: arn.Bucket(testenv.Reports), Format: manifest.Generated, Encryption: c.kind}
			if c.kind == object.SSEKMS {
				s.Generator.Output.KeyID = testenv.SrcKey
			}
		})).ID, end)
		if c.reason != "" {
			if j.Failures[0].Reason != c.reason || !strings.Contains(fmt.Sprint(j.Failures), "kms:") {
				t.Errorf("%s: %+v", name, j.Failures)
			}
			continue
		}
		_, key, err := j.Generated.Object()
		e.Must(err)
		for _, key := range []string{key, manifest.FileKey("", j.ID, 0)} {
			if got := e.Head(testenv.Reports, key, "").Encryption; got != c.want {
				t.Errorf("%s: %s has %+v", name, key, got)
			}
		}
	}
}
