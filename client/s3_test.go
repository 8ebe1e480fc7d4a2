package client

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/object"
)

func version(bucket, key string) object.Version { return object.Version{Bucket: bucket, Key: key} }

const s3ns = ` xmlns="http://s3.amazonaws.com/doc/2006-03-01/"`

func TestBuckets(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := serve(
		t,
		exchange{request: "PUT /b", body: ""},
		exchange{request: "HEAD /b"},
		exchange{request: "GET /", answer: "<ListAllMyBucketsResult" + s3ns + "><Buckets><Bucket><Name>a</Name><CreationDate>2024-01-02T03:04:05.000Z</CreationDate></Bucket></Buckets><ContinuationToken>t</ContinuationToken></ListAllMyBucketsResult>"},
		exchange{request: "GET /?continuation-token=t", answer: "<ListAllMyBucketsResult><Buckets><Bucket><Name>b</Name><BucketRegion>eu-west-1</BucketRegion></Bucket></Buckets></ListAllMyBucketsResult>"},
		exchange{request: "PUT /b?versioning=", body: "<VersioningConfiguration" + s3ns + "><Status>Enabled</Status></VersioningConfiguration>"},
		exchange{request: "GET /b?versioning=", answer: "<VersioningConfiguration" + s3ns + "><Status>Enabled</Status></VersioningConfiguration>"},
		exchange{request: "PUT /b?policy=", body: "{}", header: map[string]string{"Content-Md5": "mZFLkyvTelC5g8XnyQrpOw=="}, status: 204},
		exchange{request: "GET /b?policy=", answer: "{\"Version\":\"x\"}\n"},
		exchange{request: "DELETE /b?policy=", status: 204},
		exchange{request: "PUT /b?replication=", body: "<R/>"},
		exchange{request: "GET /b?replication=", answer: "<R/>"},
		exchange{request: "DELETE /b?replication=", status: 204},
		exchange{request: "DELETE /b", status: 204},
	)
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	check(c.CreateBucket(ctx, "b"))
	check(c.HeadBucket(ctx, "b"))
	buckets, err := c.ListBuckets(ctx)
	check(err)
	want := []bucket.Bucket{{Name: "a", Created: time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)}, {Name: "b", Region: "eu-west-1"}}
	if diff := cmp.Diff(want, buckets); diff != "" {
		t.Error(diff)
	}
	check(c.PutBucketVersioning(ctx, "b", bucket.Enabled))
	state, err := c.GetBucketVersioning(ctx, "b")
	check(err)
	if state != bucket.Enabled {
		t.Errorf("versioning %q", state)
	}
	check(c.PutBucketPolicy(ctx, "b", []byte("{}")))
	policy, err := c.GetBucketPolicy(ctx, "b")
	check(err)
	if string(policy) != `{"Version":"x"}` {
		t.Errorf("policy %q", policy)
	}
	check(c.DeleteBucketPolicy(ctx, "b"))
	check(c.PutBucketReplication(ctx, "b", []byte("<R/>")))
	if set, err := c.GetBucketReplication(ctx, "b"); err != nil || string(set) != "<R/>" {
		t.Errorf("replication %q, %v", set, err)
	}
	check(c.DeleteBucketReplication(ctx, "b"))
	check(c.DeleteBucket(ctx, "b"))
}

// TestBucketRegion learns the region of a bucket that may be another's or
// elsewhere.
func TestBucketRegion(t *testing.T) {
	t.Parallel()
	there := map[string]string{"X-Amz-Bucket-Region": "eu-west-1"}
	c := serve(
		t,
		exchange{request: "HEAD /b", extra: there},
		exchange{request: "HEAD /b", extra: there, status: 403},
		exchange{request: "HEAD /b", extra: there, status: 301},
		exchange{request: "HEAD /b", status: 404},
		exchange{request: "HEAD /b"},
	)
	for range 3 {
		if region, err := c.BucketRegion(t.Context(), "b"); region != "eu-west-1" || err != nil {
			t.Errorf("%q, %v", region, err)
		}
	}
	if _, err := c.BucketRegion(t.Context(), "b"); !errors.Is(err, fault.NotFound) {
		t.Errorf("no such bucket: %v", err)
	}
	if region, err := c.BucketRegion(t.Context(), "b"); region != c.Region() || err != nil {
		t.Errorf("a server that does not say: %q, %v", region, err)
	}
	if r := c.In("eu-west-1").Region(); r != "eu-west-1" {
		t.Errorf("elsewhere: %q", r)
	}
}

func TestCreateBucketElsewhere(t *testing.T) {
	t.Parallel()
	c := serve(t, exchange{request: "PUT /b", body: "<CreateBucketConfiguration" + s3ns + "><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>"})
	c.region = "eu-west-1"
	if err := c.CreateBucket(t.Context(), "b"); err != nil {
		t.Error(err)
	}
}

// full is a version with everything that headers can say.
var full = object.Version{
	Bucket: "b", Key: "a key", ID: "v1", ETag: "5d41402abc4b2a76b9719d911017c592", Size: 5,
	Modified:  time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC),
	Checksums: []object.Checksum{{Algorithm: "CRC64NVME", Value: "M3eFcAZSQlc="}},
	Headers: object.Headers{
		ContentType: "text/plain", CacheControl: "no-cache", ContentDisposition: "inline", ContentEncoding: "gzip",
		ContentLanguage: "de", Expires: "never", RedirectLocation: "/x",
	},
	Metadata: map[string]string{"name": "value", "two words": "ü"}, Class: "STANDARD_IA",
	Lock: object.Lock{Mode: "GOVERNANCE", Until: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC), Hold: true},
}

func TestPutObject(t *testing.T) {
	t.Parallel()
	put := full
	put.ID, put.ETag, put.Checksums, put.Metadata = "", "", nil, map[string]string{"name": "value"}
	put.Tags = []object.Tag{{Key: "a b", Value: "c&d"}, {Key: "e", Value: ""}}
	put.Lock.Until = put.Lock.Until.Add(123 * time.Nanosecond)
	c := serve(t, exchange{
		request: "PUT /b/a%20key", body: "hello",
		header: map[string]string{
			"X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD", "X-Amz-Checksum-Crc64nvme": "M3eFcAZSQlc=",
			"Content-Type": "text/plain", "Cache-Control": "no-cache", "Content-Disposition": "inline", "Content-Encoding": "gzip",
			"Content-Language": "de", "Expires": "never", "X-Amz-Website-Redirect-Location": "/x",
			"X-Amz-Meta-Name": "value", "X-Amz-Tagging": "a%20b=c%26d&e=", "X-Amz-Storage-Class": "STANDARD_IA",
			"X-Amz-Object-Lock-Mode": "GOVERNANCE", "X-Amz-Object-Lock-Retain-Until-Date": "2030-01-01T00:00:00.000000123Z",
			"X-Amz-Object-Lock-Legal-Hold": "ON", "If-None-Match": "*", "Content-Length": "5",
		},
		extra: map[string]string{"X-Amz-Version-Id": "v1", "ETag": `"5d41402abc4b2a76b9719d911017c592"`, "X-Amz-Checksum-Crc64nvme": "M3eFcAZSQlc=", "X-Amz-Checksum-Type": "FULL_OBJECT"},
	})
	v, err := c.PutObject(t.Context(), Put{Version: put, Body: strings.NewReader("hello"), IfNoneMatch: "*"})
	if err != nil {
		t.Fatal(err)
	}
	if v.ID != "v1" || v.ETag != full.ETag || v.Size != 5 || !cmp.Equal(v.Checksums, full.Checksums) {
		t.Errorf("%+v", v)
	}
}

// TestPutObjectHashed: over an open network the body is part of the
// signature.
func TestPutObjectHashed(t *testing.T) {
	t.Parallel()
	c := newClient(t, "http://10.0.0.1", &http.Client{Transport: local(func(r *http.Request) (*http.Response, error) {
		if r.Header.Get("X-Amz-Content-Sha256") != "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" || verified(t, r) != "hello" {
			t.Errorf("%v", r.Header)
		}
		return &http.Response{StatusCode: 200}, nil
	})})
	if v, err := c.PutObject(t.Context(), Put{Version: version("b", "k"), Body: strings.NewReader("hello")}); err != nil || v.ID != object.NullID {
		t.Errorf("%+v, %v", v, err)
	}
	if _, err := c.UploadPart(t.Context(), Upload{"b", "k", "u"}, 1, strings.NewReader("hello")); err != nil {
		t.Error(err)
	}
}

type badSeeker struct{ io.ReadSeeker }

func (badSeeker) Seek(int64, int) (int64, error) { return 0, errors.New("no seeking") }

func TestPutObjectUnreadable(t *testing.T) {
	t.Parallel()
	c := serve(t)
	_, err := c.PutObject(t.Context(), Put{Version: version("b", "k"), Body: badSeeker{}})
	if fault.MessageOf(err) != "The body to send cannot be read." {
		t.Error(err)
	}
}

// answerHeaders are the headers that describe full.
var answerHeaders = map[string]string{
	"ETag": `"5d41402abc4b2a76b9719d911017c592"`, "X-Amz-Version-Id": "v1", "Last-Modified": "Tue, 02 Jan 2024 03:04:05 GMT",
	"Content-Type": "text/plain", "Cache-Control": "no-cache", "Content-Disposition": "inline", "Content-Encoding": "gzip",
	"Content-Language": "de", "Expires": "never", "X-Amz-Website-Redirect-Location": "/x",
	"X-Amz-Meta-Name": "value", "X-Amz-Storage-Class": "STANDARD_IA", "X-Amz-Replication-Status": "COMPLETE",
	"X-Amz-Object-Lock-Mode": "GOVERNANCE", "X-Amz-Object-Lock-Retain-Until-Date": "2030-01-01T00:00:00.000Z",
	"X-Amz-Object-Lock-Legal-Hold": "ON", "X-Amz-Checksum-Crc64nvme": "M3eFcAZSQlc=", "Content-Length": "5",
}

func TestHeadObject(t *testing.T) {
	t.Parallel()
	want := full
	want.Metadata, want.Status = map[string]string{"name": "value"}, object.Completed
	c := serve(
		t,
		exchange{request: "HEAD /b/a%20key?versionId=v1", header: map[string]string{"X-Amz-Checksum-Mode": "ENABLED"}, extra: answerHeaders},
		exchange{request: "HEAD /b/k", status: 404, extra: map[string]string{"X-Amz-Delete-Marker": "true", "X-Amz-Version-Id": "m"}},
		exchange{request: "HEAD /b/k?versionId=m", status: 405, extra: map[string]string{"X-Amz-Delete-Marker": "true", "Allow": "DELETE"}},
		exchange{request: "HEAD /b/k?versionId=n", status: 404, extra: map[string]string{"X-Twinbucket-Code": "NoSuchVersion", "X-Twinbucket-Hint": "list them"}},
	)
	got, err := c.HeadObject(t.Context(), "b", "a key", "v1")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := c.HeadObject(t.Context(), "b", "k", ""); !errors.Is(err, fault.NotFound) || fault.CodeOf(err) != "NoSuchKey" {
		t.Errorf("deleted: %v", err)
	}
	marker, err := c.HeadObject(t.Context(), "b", "k", "m")
	if diff := cmp.Diff(&object.Version{Bucket: "b", Key: "k", ID: "m", Marker: true}, marker); diff != "" || err != nil {
		t.Errorf("marker: %v %s", err, diff)
	}
	if _, err := c.HeadObject(t.Context(), "b", "k", "n"); fault.CodeOf(err) != "NoSuchVersion" || fault.HintOf(err) != "list them" {
		t.Errorf("no version: %v", err)
	}
}

func TestGetObject(t *testing.T) {
	t.Parallel()
	ranged := map[string]string{"Content-Range": "bytes 1-3/5", "X-Amz-Checksum-Crc64nvme": "M3eFcAZSQlc="}
	wrong := map[string]string{"X-Amz-Checksum-Crc64nvme": "AAAAAAAAAAA="}
	c := serve(
		t,
		exchange{request: "GET /b/a%20key?versionId=v1", answer: "hello", extra: answerHeaders},
		exchange{request: "GET /b/k", header: map[string]string{"Range": "bytes=1-3"}, status: 206, answer: "ell", extra: ranged},
		exchange{request: "GET /b/k", header: map[string]string{"Range": "bytes=2-"}, status: 206, answer: "llo"},
		exchange{request: "GET /b/k", header: map[string]string{"Range": "bytes=-2"}, status: 206, answer: "lo"},
		exchange{request: "GET /b/k", header: map[string]string{"Range": "bytes=1-1"}, answer: "hello"},
		exchange{request: "GET /b/k", answer: "hello", extra: wrong},
		exchange{request: "GET /b/k", header: map[string]string{"Range": "bytes=9-"}, status: 416, answer: "<Error><Code>InvalidRange</Code><Message>m</Message></Error>"},
	)
	for _, g := range []struct {
		key    string
		get    Get
		want   string
		size   int64
		begin  string
		ending fault.Kind
	}{
		{"a key", Get{VersionID: "v1"}, "hello", 5, "", 0},
		{"k", Get{Offset: 1, Length: 3}, "ell", 5, "", 0},
		{"k", Get{Offset: 2}, "llo", 3, "", 0},
		{"k", Get{Offset: -2}, "lo", 2, "", 0},
		{"k", Get{Offset: 1, Length: 1}, "", 0, "NotImplemented", 0},
		{"k", Get{}, "hello", 5, "", fault.Damaged},
		{"k", Get{Offset: 9}, "", 0, "InvalidRange", 0},
	} {
		o, err := c.GetObject(t.Context(), "b", g.key, g.get)
		if fault.CodeOf(err) != g.begin || (err == nil) != (g.begin == "") {
			t.Errorf("%+v: %v", g.get, err)
		}
		if err != nil {
			continue
		}
		data, err := io.ReadAll(o.Body)
		if string(data) != g.want || o.Size != g.size || o.Length != int64(len(g.want)) || fault.KindOf(err) != g.ending {
			t.Errorf("%+v: %q of %d, %v", g.get, data, o.Size, err)
		}
		if err := o.Body.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestGetObjectCut: a body that breaks off is an error, not an end.
func TestGetObjectCut(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "10")
		_, _ = io.WriteString(w, "hello")
	}))
	defer s.Close()
	o, err := newClient(t, s.URL, nil).GetObject(t.Context(), "b", "k", Get{})
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(o.Body)
	if string(data) != "hello" || !errors.Is(err, fault.Busy) || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%q, %v", data, err)
	}
	if err := o.Body.Close(); err != nil {
		t.Error(err)
	}
}

func TestDeleteAndTag(t *testing.T) {
	t.Parallel()
	const set = "<Tagging><TagSet><Tag><Key>a</Key><Value>1 &amp; 2</Value></Tag></TagSet></Tagging>"
	c := serve(
		t,
		exchange{request: "DELETE /b/k", status: 204, extra: map[string]string{"X-Amz-Delete-Marker": "true", "X-Amz-Version-Id": "m"}},
		exchange{request: "DELETE /b/k?versionId=a%2Fb%2B", status: 204, extra: map[string]string{"X-Amz-Version-Id": "a/b+"}},
		exchange{request: "PUT /b/k?versionId=v&tagging=", body: set},
		exchange{request: "GET /b/k?tagging=", answer: set},
		exchange{request: "PUT /b/k?tagging=", body: "<Tagging><TagSet></TagSet></Tagging>"},
	)
	d, err := c.DeleteObject(t.Context(), "b", "k", "")
	if err != nil || d != (Deleted{"m", true}) {
		t.Errorf("%+v, %v", d, err)
	}
	d, err = c.DeleteObject(t.Context(), "b", "k", "a/b+")
	if err != nil || d != (Deleted{"a/b+", false}) {
		t.Errorf("%+v, %v", d, err)
	}
	tags := []object.Tag{{Key: "a", Value: "1 & 2"}}
	if err := c.PutObjectTagging(t.Context(), "b", "k", "v", tags); err != nil {
		t.Error(err)
	}
	got, err := c.GetObjectTagging(t.Context(), "b", "k", "")
	if diff := cmp.Diff(tags, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	if err := c.PutObjectTagging(t.Context(), "b", "k", "", nil); err != nil {
		t.Error(err)
	}
}

func TestCopyObject(t *testing.T) {
	t.Parallel()
	to := version("b", "k")
	replaced := to
	replaced.Headers.ContentType, replaced.Tags = "text/plain", []object.Tag{{Key: "a", Value: "b"}}
	c := serve(
		t,
		exchange{
			request: "PUT /b/k", header: map[string]string{"X-Amz-Copy-Source": "/src/a%20key/%2B?versionId=v%2F1", "X-Amz-Metadata-Directive": ""},
			answer: "\n<CopyObjectResult><ETag>\"e\"</ETag><LastModified>2024-01-02T03:04:05.000Z</LastModified></CopyObjectResult>", extra: map[string]string{"X-Amz-Version-Id": "n"},
		},
		exchange{
			request: "PUT /b/k", header: map[string]string{"X-Amz-Copy-Source": "/src/k", "X-Amz-Metadata-Directive": "REPLACE", "X-Amz-Tagging-Directive": "REPLACE", "Content-Type": "text/plain", "X-Amz-Tagging": "a=b"},
			answer: "<Error><Code>AccessDenied</Code><Message>m</Message></Error>", extra: map[string]string{"X-Twinbucket-Hint": "ask"},
		},
	)
	v, err := c.CopyObject(t.Context(), Copy{Bucket: "src", Key: "a key/+", VersionID: "v/1", To: to})
	if err != nil || v.ID != "n" || v.ETag != "e" || v.Modified.IsZero() {
		t.Errorf("%+v, %v", v, err)
	}
	if v, err = c.CopyObject(t.Context(), Copy{Bucket: "src", Key: "k", To: replaced, Replace: true}); v != nil || !errors.Is(err, fault.Denied) || fault.HintOf(err) != "ask" {
		t.Errorf("an error in a 200: %+v, %v", v, err)
	}
}

func TestMultipart(t *testing.T) {
	t.Parallel()
	const complete = "<CompleteMultipartUpload" + s3ns + "><Part><PartNumber>1</PartNumber><ETag>&#34;e1&#34;</ETag></Part></CompleteMultipartUpload>"
	v := version("b", "k")
	v.Metadata = map[string]string{"a": "b"}
	c := serve(
		t,
		exchange{request: "POST /b/k?uploads=", header: map[string]string{"X-Amz-Meta-A": "b"}, answer: "<InitiateMultipartUploadResult><UploadId>u+1</UploadId></InitiateMultipartUploadResult>"},
		exchange{request: "PUT /b/k?uploadId=u%2B1&partNumber=1", body: "hello", header: map[string]string{"Content-Md5": "XUFAKrxLKna5cZ2REBfFkg=="}, extra: map[string]string{"ETag": `"e1"`}},
		exchange{request: "POST /b/k?uploadId=u%2B1", body: complete, answer: "  <Error><Code>InternalError</Code><Message>m</Message></Error>"},
		exchange{request: "POST /b/k?uploadId=u%2B1", body: complete, answer: "  <CompleteMultipartUploadResult><ETag>\"e-1\"</ETag></CompleteMultipartUploadResult>", extra: map[string]string{"X-Amz-Version-Id": "v"}},
		exchange{request: "DELETE /b/k?uploadId=u%2B1", status: 204},
	)
	u, err := c.CreateMultipartUpload(t.Context(), &v)
	if err != nil || u != (Upload{"b", "k", "u+1"}) {
		t.Fatalf("%+v, %v", u, err)
	}
	part, err := c.UploadPart(t.Context(), u, 1, strings.NewReader("hello"))
	if err != nil || part.ETag != "e1" || part.Size != 5 || part.Number != 1 {
		t.Fatalf("%+v, %v", part, err)
	}
	if _, err := c.CompleteMultipartUpload(t.Context(), u, []object.Part{part}); fault.CodeOf(err) != "InternalError" {
		t.Errorf("an error in a 200: %v", err)
	}
	done, err := c.CompleteMultipartUpload(t.Context(), u, []object.Part{part})
	if err != nil || done.ID != "v" || done.ETag != "e-1" {
		t.Errorf("%+v, %v", done, err)
	}
	if err := c.AbortMultipartUpload(t.Context(), u); err != nil {
		t.Error(err)
	}
}

func TestListObjects(t *testing.T) {
	t.Parallel()
	c := serve(
		t,
		exchange{
			request: "GET /b?list-type=2&encoding-type=url&prefix=a%20&delimiter=%2F&start-after=a&max-keys=2",
			answer: "<ListBucketResult" + s3ns + "><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><NextContinuationToken>t=</NextContinuationToken>" +
				"<Contents><Key>a+%2B%25</Key><LastModified>2024-01-02T03:04:05.000Z</LastModified><ETag>&quot;e&quot;</ETag><Size>7</Size><StorageClass>STANDARD</StorageClass></Contents>" +
				"<CommonPrefixes><Prefix>a+b%2F</Prefix></CommonPrefixes></ListBucketResult>",
		},
		exchange{
			request: "GET /b?list-type=2&encoding-type=url&prefix=a%20&delimiter=%2F&start-after=a&continuation-token=t%3D&max-keys=2",
			answer:  "<ListBucketResult><Contents><Key>a+c</Key></Contents></ListBucketResult>", // a server that does not encode
		},
	)
	l := List{Prefix: "a ", Delimiter: "/", StartAfter: "a", Max: 2}
	p, err := c.ListObjectsV2(t.Context(), "b", l)
	if err != nil {
		t.Fatal(err)
	}
	want := &Page{
		Objects:  []object.Version{{Bucket: "b", Key: "a +%", Modified: time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC), ETag: "e", Size: 7, Class: "STANDARD"}},
		Prefixes: []string{"a b/"}, Next: "t=",
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Error(diff)
	}
	l.Token = p.Next
	p, err = c.ListObjectsV2(t.Context(), "b", l)
	if err != nil || p.Objects[0].Key != "a+c" || p.Next != "" {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestListVersions(t *testing.T) {
	t.Parallel()
	c := serve(
		t,
		exchange{
			request: "GET /b?versions=&encoding-type=url&prefix=p",
			answer: "<ListVersionsResult><Name>b</Name><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><NextKeyMarker>p%2F1</NextKeyMarker><NextVersionIdMarker>i2</NextVersionIdMarker>" +
				"<DeleteMarker><Key>p%2F1</Key><VersionId>i1</VersionId><IsLatest>true</IsLatest><Owner><ID>o</ID></Owner></DeleteMarker>" +
				"<Version><Key>p%2F1</Key><VersionId>i2</VersionId><Size>3</Size><ETag>\"e\"</ETag></Version></ListVersionsResult>",
		},
		exchange{
			request: "GET /b?versions=&encoding-type=url&prefix=p&key-marker=p%2F1&version-id-marker=i2",
			answer:  "<ListVersionsResult><EncodingType>url</EncodingType><Version><Key>p%2F2</Key><VersionId>null</VersionId><IsLatest>true</IsLatest></Version></ListVersionsResult>",
		},
	)
	var got []Listed
	for v, err := range c.Versions(t.Context(), "b", ListVersions{Prefix: "p"}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, *v)
	}
	want := []Listed{
		{object.Version{Bucket: "b", Key: "p/1", ID: "i1", Marker: true, Owner: "o"}, true},
		{object.Version{Bucket: "b", Key: "p/1", ID: "i2", Size: 3, ETag: "e"}, false},
		{object.Version{Bucket: "b", Key: "p/2", ID: "null"}, true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestHostileListings: listings that lie end with an error, and soon.
func TestHostileListings(t *testing.T) {
	t.Parallel()
	const list = "GET /b?list-type=2&encoding-type=url"
	for _, answer := range []string{
		"<A><IsTruncated>true</IsTruncated></A>",
		"<A><EncodingType>url</EncodingType><Contents><Key>%zz</Key></Contents></A>",
		"<A><EncodingType>url</EncodingType><CommonPrefixes><Prefix>%</Prefix></CommonPrefixes></A>",
	} {
		for _, err := range serve(t, exchange{request: list, answer: answer}).Objects(t.Context(), "b", List{}) {
			if !errors.Is(err, fault.Damaged) {
				t.Errorf("%s: %v", answer, err)
			}
		}
	}
	same := exchange{request: list + "&continuation-token=t", answer: "<A><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken></A>"}
	if _, err := serve(t, same).ListObjectsV2(t.Context(), "b", List{Token: "t"}); !errors.Is(err, fault.Damaged) {
		t.Errorf("the same page again: %v", err)
	}
	stuck := exchange{
		request: "GET /b?versions=&encoding-type=url&key-marker=k&version-id-marker=i",
		answer:  "<A><IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker><NextVersionIdMarker>i</NextVersionIdMarker></A>",
	}
	if _, err := serve(t, stuck).ListObjectVersions(t.Context(), "b", ListVersions{KeyMarker: "k", IDMarker: "i"}); !errors.Is(err, fault.Damaged) {
		t.Errorf("the same page again: %v", err)
	}
}
