package batch_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"twinbucket/acl"
	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/internal/store"
	"twinbucket/internal/testenv"
	"twinbucket/job"
	"twinbucket/object"
)

var everything = []string{
	"s3:GetObject,s3:GetObjectVersion,s3:GetObjectTagging,s3:GetObjectVersionTagging " + arn.Object(testenv.SrcBucket, "*"),
	"s3:ListBucket " + arn.Bucket(testenv.SrcBucket),
	"s3:PutObject,s3:PutObjectTagging,s3:PutObjectAcl,s3:PutObjectRetention,s3:PutObjectLegalHold " + arn.Object(copies, "*"),
	"kms:GenerateDataKey,kms:Decrypt " + testenv.SrcKey,
}

// TestCopiesAreAsAsked: every parameter has its part in the copy.
func TestCopiesAreAsAsked(t *testing.T) {
	t.Parallel()
	e := operating(t)
	may(e, everything...)
	o, err := e.Store.Put(t.Context(), store.Put{
		Version: object.Version{
			Bucket: testenv.SrcBucket, Key: "a", Owner: testenv.Source, Metadata: map[string]string{"mine": "1"},
			Headers: object.Headers{ContentType: "text/plain", CacheControl: "no-store", RedirectLocation: "/here"}, Tags: []object.Tag{{Key: "x", Value: "1"}},
		},
		Body: strings.NewReader("body"), Size: 4,
	})
	e.Must(err)
	e.Start()
	until, expires := time.Now().Add(farAway).UTC().Truncate(time.Second), time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC)
	plain := object.Headers{ContentType: "text/plain", CacheControl: "no-store"}
	for name, c := range map[string]struct {
		copy job.Copy
		want func(v *object.Version)
	}{
		"nothing":  {job.Copy{}, func(*object.Version) {}},
		"a folder": {job.Copy{KeyPrefix: "p/"}, func(v *object.Version) { v.Key = "p/a" }},
		"class":    {job.Copy{StorageClass: "STANDARD_IA"}, func(v *object.Version) { v.Class = "STANDARD_IA" }},
		"COPY":     {job.Copy{MetadataDirective: "COPY"}, func(*object.Version) {}},
		"REPLACE": {job.Copy{MetadataDirective: "REPLACE"}, func(v *object.Version) {
			v.Headers, v.Metadata = object.Headers{ContentType: "binary/octet-stream"}, nil
		}},
		"encrypted": {job.Copy{Metadata: &job.Metadata{SSEAlgorithm: "AES256"}}, func(*object.Version) {}},
		"metadata": {job.Copy{Metadata: &job.Metadata{
			CacheControl: "a", ContentDisposition: "b", ContentEncoding: "c", ContentLanguage: "d", ContentType: "e",
			Expires: &expires, User: map[string]string{"Of-Users": "ü & v", "none": ""},
		}}, func(v *object.Version) {
			v.Headers = object.Headers{
				CacheControl: "a", ContentDisposition: "b", ContentEncoding: "c", ContentLanguage: "d", ContentType: "e",
				Expires: "Wed, 01 Jan 2031 00:00:00 GMT",
			}
			v.Metadata = map[string]string{"of-users": "ü & v", "none": ""}
		}},
		"tags":    {job.Copy{Tagging: []object.Tag{{Key: "a b", Value: "c=d+ü"}, {Key: "e"}}}, func(v *object.Version) { v.Tags = []object.Tag{{Key: "a b", Value: "c=d+ü"}, {Key: "e"}} }},
		"no tags": {job.Copy{Tagging: []object.Tag{}}, func(v *object.Version) { v.Tags = nil }},
		"canned": {job.Copy{CannedACL: "public-read"}, func(v *object.Version) {
			v.ACL = acl.List{acl.Private(acl.CanonicalID(testenv.Source))[0], {Group: allUsers, Permission: acl.Read}}
		}},
		"redirect": {job.Copy{RedirectLocation: "/there"}, func(v *object.Version) { v.Headers.RedirectLocation = "/there" }},
		"grants": {job.Copy{Grants: []job.Grant{
			{Type: "uri", Identifier: allUsers, Permission: "READ"},
			{Type: "id", Identifier: acl.CanonicalID(testenv.Destination), Permission: "READ_ACP"},
			{Type: "id", Identifier: acl.CanonicalID(testenv.Source), Permission: "READ"},
		}}, func(v *object.Version) {
			v.ACL = acl.List{{Group: allUsers, Permission: acl.Read}, {ID: acl.CanonicalID(testenv.Source), Permission: acl.Read}, {ID: acl.CanonicalID(testenv.Destination), Permission: acl.ReadACP}}
		}},
		"retention": {job.Copy{LockMode: object.Compliance, RetainUntil: &until}, func(v *object.Version) { v.Lock = object.Lock{Mode: object.Compliance, Until: until} }},
		"hold":      {job.Copy{LegalHold: "ON"}, func(v *object.Version) { v.Lock = object.Lock{Hold: true} }},
		"a key": {job.Copy{KMSKeyID: testenv.SrcKey, BucketKeyEnabled: ptr(true)}, func(v *object.Version) {
			v.Encryption = object.Encryption{Algorithm: object.KMS, KeyARN: testenv.SrcKey, BucketKey: true}
		}},
		"a key, said twice": {job.Copy{KMSKeyID: "source", Metadata: &job.Metadata{SSEAlgorithm: "KMS"}}, func(v *object.Version) {
			v.Encryption = object.Encryption{Algorithm: object.KMS, KeyARN: testenv.SrcKey}
		}},
		"newer than a day ago":  {job.Copy{ModifiedSince: ptr(time.Now().Add(-24 * time.Hour))}, func(*object.Version) {}},
		"older than tomorrow":   {job.Copy{UnmodifiedSince: ptr(time.Now().Add(24 * time.Hour))}, func(*object.Version) {}},
		"requester pays":        {job.Copy{RequesterPays: ptr(true)}, func(*object.Version) {}},
		"with another checksum": {job.Copy{ChecksumAlgorithm: "SHA256"}, func(v *object.Version) { v.Checksums = []object.Checksum{{Algorithm: "SHA256"}} }},
	} {
		t.Run(name, func(t *testing.T) {
			c.copy.Target = arn.Bucket(copies)
			want := object.Version{
				Bucket: copies, Key: "a", Owner: testenv.Source, Size: o.Size, ETag: o.ETag, Headers: plain,
				Metadata: o.Metadata, Tags: o.Tags, Encryption: object.Encryption{Algorithm: object.AES256},
			}
			c.want(&want)
			if row := operate(t, e, name, job.PutObjectCopy, job.Parameters{Copy: &c.copy}, "a")["a"]; !row.Succeeded {
				t.Fatalf("%+v", row)
			}
			got := e.Head(copies, want.Key, "").Version
			if len(want.Checksums) == 0 {
				got.Checksums = nil
			}
			for i := range got.Checksums {
				got.Checksums[i].Value = ""
			}
			got.ID, got.Modified, got.Edits = "", time.Time{}, nil
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestCopiesRefused: what CopyObject refuses is the task's failure.
func TestCopiesRefused(t *testing.T) {
	t.Parallel()
	e := operating(t)
	may(e, append(everything, "s3:PutObject "+arn.Object(testenv.SrcBucket, "*"), "s3:PutObject "+arn.Object("nowhere", "*"))...)
	e.Bucket("plain", testenv.Source)
	e.Put(testenv.SrcBucket, "a", "body")
	_, err := e.Store.Put(t.Context(), store.Put{
		Version: object.Version{Bucket: testenv.SrcBucket, Key: "sse-c", Owner: testenv.Source, Encryption: object.Encryption{Algorithm: object.AES256, CustomerKeyMD5: "x"}},
		Body:    strings.NewReader("body"), Size: 4, CustomerKey: make([]byte, 32),
	})
	e.Must(err)
	e.Start()
	until := time.Now().Add(farAway)
	for name, c := range map[string]struct {
		copy job.Copy
		key  string
		want string
		says string // in the message
	}{
		"no such bucket":       {job.Copy{Target: arn.Bucket("nowhere")}, "a", "404 NoSuchBucket", ""},
		"another's bucket":     {job.Copy{Target: arn.Bucket(testenv.DstBucket)}, "a", "403 AccessDenied", "s3:PutObject"},
		"onto itself":          {job.Copy{Target: arn.Bucket(testenv.SrcBucket)}, "a", "400 InvalidRequest", "REPLACE"},
		"under a client's key": {job.Copy{}, "sse-c", "400 InvalidRequest", "Server Side Encryption"},
		"too old":              {job.Copy{ModifiedSince: ptr(time.Now().Add(24 * time.Hour))}, "a", "412 PreconditionFailed", ""},
		"too new":              {job.Copy{UnmodifiedSince: ptr(time.Now().Add(-24 * time.Hour))}, "a", "412 PreconditionFailed", ""},
		"no Object Lock":       {job.Copy{Target: arn.Bucket("plain"), LockMode: object.Governance, RetainUntil: &until}, "a", "400 InvalidRequest", "ObjectLockConfiguration"},
		"lists are off":        {job.Copy{Target: arn.Bucket("plain"), CannedACL: "public-read"}, "a", "400 AccessControlListNotSupported", ""},
		"a key that is not":    {job.Copy{KMSKeyID: "other"}, "a", "400 KMS.NotFoundException", ""},
		"a key too far":        {job.Copy{KMSKeyID: testenv.DstKey}, "a", "403 AccessDenied", "kms:GenerateDataKey"},
		"a key that is too long": {
			job.Copy{KeyPrefix: strings.Repeat("p", 1024)}, "a", "400 KeyTooLongError", "1,024",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if c.copy.Target == "" {
				c.copy.Target = arn.Bucket(copies)
			}
			row := operate(t, e, name, job.PutObjectCopy, job.Parameters{Copy: &c.copy}, c.key)[c.key]
			if said(row) != c.want || !strings.Contains(row.Message, c.says) {
				t.Errorf("%+v, want %s", row, c.want)
			}
		})
	}
}

// TestCopiesAreReplicated: a copy is a put like any other.
func TestCopiesAreReplicated(t *testing.T) {
	t.Parallel()
	e := testenv.New(t)
	e.Scenario()
	e.Document(testenv.SrcBucket, bucket.Replication, testenv.Config)
	e.Bucket(copies, testenv.Source)
	may(e, "s3:GetObject "+arn.Object(testenv.SrcBucket, "*"), "s3:PutObject "+arn.Object(testenv.SrcBucket, "*"))
	e.Put(testenv.SrcBucket, "a", "body")
	e.Start()
	if row := operate(t, e, "t", job.PutObjectCopy, job.Parameters{Copy: &job.Copy{Target: arn.Bucket(testenv.SrcBucket), KeyPrefix: "to"}}, "a")["a"]; !row.Succeeded {
		t.Fatalf("%+v", row)
	}
	o := e.Settled(e.Head(testenv.SrcBucket, "to/a", ""))
	if r := e.Head(testenv.DstBucket, "to/a", o.ID); o.Status != object.Completed || r.Status != object.Replica {
		t.Errorf("%+v, %+v", o.Version, r.Version)
	}
}

// TestCopiesAreMadeOnce: a chunk that was cut short is run again, and copies
// nothing twice.
func TestCopiesAreMadeOnce(t *testing.T) {
	t.Parallel()
	const n = 2500
	e := testenv.New(t)
	e.Scenario()
	e.Bucket(copies, testenv.Source)
	may(e, everything...)
	for i := range n {
		e.Put(testenv.SrcBucket, fmt.Sprintf("k%05d", i), fmt.Sprint(i))
	}
	j := create(t, e, spec(func(s *job.Spec) {
		s.Operation, s.Copy, s.Generator.Filter = job.PutObjectCopy, &job.Copy{Target: arn.Bucket(copies)}, nil
	}))
	e.Start()
	crashes := 0
	for at := 100; at < n; at += 330 {
		copied := testenv.Wait(t, func() (int, bool) {
			page, err := e.Store.ListVersions(t.Context(), copies, store.VersionsOptions{Max: n})
			e.Must(err)
			now, err := e.Batch.Get(testenv.Source, j.ID)
			e.Must(err)
			return len(page.Versions), len(page.Versions) >= at || now.State.Terminal()
		})
		if copied == n {
			break
		}
		crashes++
		e.Crash()
		e.Start()
	}
	done := reached(t, e, j.ID, job.Complete)
	page, err := e.Store.ListVersions(t.Context(), copies, store.VersionsOptions{Max: 2 * n})
	e.Must(err)
	if done.Progress.Succeeded != n || len(page.Versions) != n || crashes < 3 {
		t.Errorf("%+v, %d versions after %d crashes", done.Progress, len(page.Versions), crashes)
	}
	if got := lines(t, e, j.ID); len(got) != n {
		t.Errorf("%d lines", len(got))
	}
}
