package s3api_test

import (
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
)

const (
	sse      = "x-amz-server-side-encryption"
	ofSource = "x-amz-copy-source-server-side-encryption"
	myKey    = "arn:aws:kms:us-east-1:111111111111:key/my-key"
)

// customer returns the three headers of a customer's key.
func customer(prefix string, fill byte) []string {
	key := []byte(strings.Repeat(string(rune(fill)), 32))
	sum := md5.Sum(key)
	return []string{
		prefix + "-customer-algorithm", "AES256",
		prefix + "-customer-key", base64.StdEncoding.EncodeToString(key),
		prefix + "-customer-key-md5", base64.StdEncoding.EncodeToString(sum[:]),
	}
}

func (w *world) fails(status int, code, method, target string, headers ...string) {
	w.t.Helper()
	body := ""
	if method == "PUT" {
		body = "body"
	}
	if got := w.call(status, method, target, body, headers...); got.code != code && method != "HEAD" {
		w.t.Errorf("%s %s %v: %s, want %s\n%s", method, target, headers, got.code, code, got.body)
	}
}

func TestCustomerKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call(200, "PUT", "/bkt", "")
	mine, other := customer(sse, 'a'), customer(sse, 'b')
	put := w.call(200, "PUT", "/bkt/k", "secret", mine...)
	for _, got := range []reply{put, w.call(200, "GET", "/bkt/k", "", mine...), w.call(200, "HEAD", "/bkt/k", "", mine...)} {
		if got.header.Get(sse+"-customer-algorithm") != "AES256" || got.header.Get(sse+"-customer-key-md5") != mine[5] || got.header.Get(sse) != "" {
			t.Errorf("%v", got.header)
		}
	}
	if got := w.call(206, "GET", "/bkt/k", "", append([]string{"Range", "bytes=2-4"}, mine...)...); got.body != "cre" {
		t.Errorf("range: %q", got.body)
	}
	attributes := []string{"x-amz-object-attributes", "ObjectSize"}
	w.call(200, "GET", "/bkt/k?attributes", "", append(attributes, mine...)...)
	w.fails(400, "InvalidRequest", "GET", "/bkt/k?attributes", attributes...)
	w.fails(400, "InvalidRequest", "GET", "/bkt/k")
	w.fails(400, "", "HEAD", "/bkt/k")
	w.fails(403, "AccessDenied", "GET", "/bkt/k", other...)
	w.call(200, "PUT", "/bkt/plain", "plain")
	w.fails(400, "InvalidRequest", "GET", "/bkt/plain", mine...)
	w.fails(400, "InvalidArgument", "GET", "/bkt/plain", sse, "AES256")
	w.fails(400, "InvalidArgument", "HEAD", "/bkt/plain", sse, "AES256")

	w.fails(400, "InvalidArgument", "PUT", "/bkt/x", mine[:2]...)
	w.fails(400, "InvalidArgument", "PUT", "/bkt/x", mine[:4]...)
	w.fails(400, "InvalidArgument", "PUT", "/bkt/x", mine[2:]...)
	w.fails(400, "InvalidArgument", "PUT", "/bkt/x", append(mine[:4:4], other[4:]...)...)
	w.fails(400, "InvalidArgument", "PUT", "/bkt/x", append([]string{sse, "AES256"}, mine...)...)
	w.fails(400, "InvalidEncryptionAlgorithmError", "PUT", "/bkt/x", append([]string{mine[0], "AES192"}, mine[2:]...)...)
	short := md5.Sum([]byte("short"))
	w.fails(400, "InvalidArgument", "PUT", "/bkt/x", mine[0], mine[1], mine[2], base64.StdEncoding.EncodeToString([]byte("short")), mine[4], base64.StdEncoding.EncodeToString(short[:]))

	// Copies: between keys, out of one and into one.
	from := []string{"x-amz-copy-source", "/bkt/k"}
	w.fails(400, "InvalidRequest", "PUT", "/bkt/copy", from...)
	w.fails(403, "AccessDenied", "PUT", "/bkt/copy", append(from, customer(ofSource, 'b')...)...)
	w.call(200, "PUT", "/bkt/copy", "", append(append(from, customer(ofSource, 'a')...), other...)...)
	if got := w.call(200, "GET", "/bkt/copy", "", other...); got.body != "secret" {
		t.Errorf("copy under another key: %q", got.body)
	}
	if got := w.call(200, "PUT", "/bkt/copy", "", append(from, customer(ofSource, 'a')...)...); got.header.Get(sse) != "AES256" {
		t.Errorf("copy: %v", got.header)
	}
	if got := w.call(200, "GET", "/bkt/copy", ""); got.body != "secret" {
		t.Errorf("copy without a key: %q", got.body)
	}

	w.call(200, "PUT", "/bkt?encryption", encryption("AES256", "", "SSE-C"))
	w.fails(403, "AccessDenied", "PUT", "/bkt/x", mine...)
	w.call(200, "GET", "/bkt/k", "", mine...)
}

// encryption is a document of PutBucketEncryption.
func encryption(algorithm, key, blocked string) string {
	s := "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>" + algorithm + "</SSEAlgorithm>"
	if key != "" {
		s += "<KMSMasterKeyID>" + key + "</KMSMasterKeyID>"
	}
	s += "</ApplyServerSideEncryptionByDefault><BucketKeyEnabled>true</BucketKeyEnabled>"
	if blocked != "" {
		s += "<BlockedEncryptionTypes><EncryptionType>" + blocked + "</EncryptionType></BlockedEncryptionTypes>"
	}
	return s + "</Rule></ServerSideEncryptionConfiguration>"
}

func TestKeysOfKMS(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call(200, "PUT", "/bkt", "")
	for _, name := range []string{"my-key", "alias/mine", myKey} {
		put := w.call(200, "PUT", "/bkt/k", "secret", sse, "aws:kms", sse+"-aws-kms-key-id", name, sse+"-context", "eyJhIjoiYiJ9")
		get := w.call(200, "GET", "/bkt/k", "")
		for _, got := range []reply{put, get, w.call(200, "HEAD", "/bkt/k", "")} {
			if got.header.Get(sse) != "aws:kms" || got.header.Get(sse+"-aws-kms-key-id") != myKey {
				t.Errorf("%s: %v", name, got.header)
			}
		}
		if get.body != "secret" {
			t.Errorf("%q", get.body)
		}
	}
	managed := w.call(200, "PUT", "/bkt/k", "", sse, "aws:kms").header.Get(sse + "-aws-kms-key-id")
	if !strings.HasPrefix(managed, "arn:aws:kms:us-east-1:111111111111:key/") {
		t.Error(managed)
	}
	w.fails(400, "KMS.NotFoundException", "PUT", "/bkt/x", sse, "aws:kms", sse+"-aws-kms-key-id", "no-key")
	w.fails(400, "KMS.DisabledException", "PUT", "/bkt/x", sse, "aws:kms", sse+"-aws-kms-key-id", "off")
	w.fails(400, "InvalidArgument", "PUT", "/bkt/x", sse+"-aws-kms-key-id", "my-key")
	w.fails(400, "InvalidArgument", "PUT", "/bkt/x", sse, "AES256", sse+"-aws-kms-key-id", "my-key")
	w.fails(400, "InvalidArgument", "PUT", "/bkt/x", sse, "aws:kms", sse+"-context", "nonsense")
	w.fails(400, "InvalidArgument", "PUT", "/bkt/x", sse, "aws:kms", sse+"-bucket-key-enabled", "maybe")
	w.fails(501, "NotImplemented", "PUT", "/bkt/x", sse, "aws:kms:dsse")

	// The bucket's default.
	w.call(200, "PUT", "/bkt?encryption", encryption("aws:kms", "alias/mine", ""))
	if got := w.call(200, "GET", "/bkt?encryption", ""); !strings.Contains(got.body, "<KMSMasterKeyID>alias/mine</KMSMasterKeyID>") {
		t.Error(got.body)
	}
	put := w.call(200, "PUT", "/bkt/d", "by default")
	if put.header.Get(sse+"-aws-kms-key-id") != myKey || put.header.Get(sse+"-bucket-key-enabled") != "true" {
		t.Errorf("%v", put.header)
	}
	if got := w.call(200, "PUT", "/bkt/s", "", sse, "AES256"); got.header.Get(sse) != "AES256" || got.header.Get(sse+"-aws-kms-key-id") != "" {
		t.Errorf("%v", got.header)
	}
	copied := w.call(200, "PUT", "/bkt/c", "", "x-amz-copy-source", "/bkt/s")
	if copied.header.Get(sse) != "aws:kms" {
		t.Errorf("a copy is not encrypted by the bucket's default: %v", copied.header)
	}
	w.call(200, "PUT", "/bkt?encryption", encryption("aws:kms", "gone", ""))
	w.fails(400, "KMS.NotFoundException", "PUT", "/bkt/x")

	// A policy can tell for which object a key is used, or with a bucket key
	// for which bucket.
	w.hire()
	for context, status := range map[string]int{"arn:aws:s3:::bkt/k": 200, "arn:aws:s3:::bkt": 403} {
		w.grant(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"},{"Effect":"Allow","Action":"kms:*","Resource":"*",` +
			`"Condition":{"StringEquals":{"kms:EncryptionContext:aws:s3:arn":"` + context + `"}}}]}`)
		w.callAs(worker, status, "PUT", "/bkt/k", "x", sse, "aws:kms", sse+"-aws-kms-key-id", "my-key", sse+"-bucket-key-enabled", "false")
		w.callAs(worker, 603-status, "PUT", "/bkt/k", "x", sse, "aws:kms", sse+"-aws-kms-key-id", "my-key", sse+"-bucket-key-enabled", "true")
	}

	// Who may read the object may not use the key for that.
	w.call(204, "PUT", "/bkt?policy", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"222222222222"},"Action":"s3:*","Resource":["arn:aws:s3:::bkt","arn:aws:s3:::bkt/*"]}]}`)
	if got := w.callAs(dest, 403, "GET", "/bkt/d", ""); !strings.Contains(got.body, "kms:Decrypt") {
		t.Error(got.body)
	}
	w.callAs(dest, 200, "GET", "/bkt/s", "")
	w.callAs(dest, 403, "PUT", "/bkt/x", "x", sse, "aws:kms", sse+"-aws-kms-key-id", myKey)
	w.call(204, "PUT", "/bkt?policy", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::bkt/*"}]}`)
	w.callAs(nobody, 400, "GET", "/bkt/d", "")
	w.callAs(nobody, 200, "GET", "/bkt/s", "")
}

func TestUploadsUnderKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call(200, "PUT", "/bkt", "")
	w.call(200, "PUT", "/bkt/src", "0123456789", customer(sse, 'b')...)
	mine, other := customer(sse, 'a'), customer(sse, 'b')
	for name, headers := range map[string][]string{"s3": nil, "kms": {sse, "aws:kms", sse + "-aws-kms-key-id", "my-key"}, "customer": mine} {
		begun := w.call(200, "POST", "/bkt/"+name+"?uploads", "", headers...)
		_, rest, _ := strings.Cut(begun.body, "<UploadId>")
		id, _, _ := strings.Cut(rest, "<")
		part := fmt.Sprintf("/bkt/%s?uploadId=%s&partNumber=", name, id)
		with := func(h ...string) []string {
			if name == "customer" {
				return append(h, mine...)
			}
			return h
		}
		sent := w.call(200, "PUT", part+"1", strings.Repeat("x", 5<<20), with()...)
		w.fails(400, "InvalidArgument", "PUT", part+"2", with(sse, "AES256")...)
		if name == "customer" {
			w.fails(400, "InvalidRequest", "PUT", part+"2")
		}
		w.fails(400, "InvalidRequest", "PUT", part+"2", other...)
		copied := w.call(200, "PUT", part+"2", "", with(append([]string{"x-amz-copy-source", "/bkt/src", "x-amz-copy-source-range", "bytes=2-5"}, customer(ofSource, 'b')...)...)...)
		_, rest, _ = strings.Cut(copied.body, "<ETag>")
		etag, _, _ := strings.Cut(rest, "<")
		if name == "s3" { // MinIO's clients say again what the upload has
			w.call(200, "PUT", part+"2", "", append([]string{sse, "AES256", "x-amz-copy-source", "/bkt/src", "x-amz-copy-source-range", "bytes=2-5"}, customer(ofSource, 'b')...)...)
		}
		w.fails(400, "InvalidArgument", "PUT", part+"2", with(append([]string{sse, "other", "x-amz-copy-source", "/bkt/src"}, customer(ofSource, 'b')...)...)...)
		doc := "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>" + sent.header.Get("ETag") + "</ETag></Part><Part><PartNumber>2</PartNumber><ETag>" + etag + "</ETag></Part></CompleteMultipartUpload>"
		w.call(400, "POST", fmt.Sprintf("/bkt/%s?uploadId=%s", name, id), doc, sse, "other")
		said := map[string][]string{"s3": {sse, "AES256"}, "kms": headers}[name]
		done := w.call(200, "POST", fmt.Sprintf("/bkt/%s?uploadId=%s", name, id), doc, said...)
		got := w.call(200, "GET", "/bkt/"+name, "", with()...)
		if !strings.HasSuffix(got.body, "x2345") || len(got.body) != 5<<20+4 {
			t.Errorf("%s: %d bytes", name, len(got.body))
		}
		for _, r := range []reply{begun, sent, copied, done, got} {
			if name == "customer" && r.header.Get(sse+"-customer-key-md5") != mine[5] || name == "kms" && r.header.Get(sse+"-aws-kms-key-id") != myKey || name == "s3" && r.header.Get(sse) != "AES256" {
				t.Errorf("%s: %v", name, r.header)
			}
		}
	}
}

// TestCompletionKey: an upload with a checksum algorithm is completed with the
// key of its parts only; without one the key may be left out.
func TestCompletionKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call(200, "PUT", "/bkt", "")
	mine, other := customer(sse, 'a'), customer(sse, 'b')
	for _, c := range []struct {
		algorithm string
		key       []string
		status    int
	}{
		{"", nil, 200},
		{"", mine, 200},
		{"", other, 400},
		{"CRC32", nil, 400},
		{"CRC32", other, 400},
		{"CRC32", mine, 200},
	} {
		begin := mine
		if c.algorithm != "" {
			begin = append([]string{"x-amz-checksum-algorithm", c.algorithm, "x-amz-checksum-type", "FULL_OBJECT"}, mine...)
		}
		target := "/bkt/k?uploadId=" + w.begin("k", begin...)
		p := w.call(200, "PUT", target+"&partNumber=1", "x", mine...)
		if got := w.call(c.status, "POST", target, parts("", []part{{etag: p.header.Get("ETag")}}), c.key...); c.status == 400 && got.code != "InvalidRequest" {
			t.Errorf("%+v: %s", c, got.body)
		}
	}
	plain := "/bkt/p?uploadId=" + w.begin("p")
	p := w.call(200, "PUT", plain+"&partNumber=1", "x")
	w.call(400, "POST", plain, parts("", []part{{etag: p.header.Get("ETag")}}), mine...)
}
