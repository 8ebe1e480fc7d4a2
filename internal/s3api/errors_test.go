package s3api_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"twinbucket/internal/sigv4"
)

func TestErrors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.versioned("bkt")
	w.call(200, "PUT", "/plain", "")
	w.callAs(dest, 200, "PUT", "/other", "")
	w.call(200, "PUT", "/bkt/k", "0123456789")
	marker := w.call(204, "DELETE", "/bkt/gone", "").header.Get("x-amz-version-id")
	if marker == "" {
		t.Fatal("no marker")
	}
	big := strings.Repeat("x", 2<<20+1)
	tags := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "<Tag><Key>k%d</Key><Value>v</Value></Tag>", i)
		}
		return "<Tagging><TagSet>" + b.String() + "</TagSet></Tagging>"
	}
	h := func(kv ...string) map[string]string {
		m := map[string]string{}
		for i := 0; i < len(kv); i += 2 {
			m[kv[i]] = kv[i+1]
		}
		return m
	}
	for _, c := range []struct {
		request
		status int
		code   string
	}{
		{request{method: "GET", path: "/nobucket"}, 404, "NoSuchBucket"},
		{request{method: "HEAD", path: "/nobucket"}, 404, "NoSuchBucket"},
		{request{method: "GET", path: "/bkt/none"}, 404, "NoSuchKey"},
		{request{method: "GET", path: "/bkt/gone"}, 404, "NoSuchKey"},
		{request{method: "GET", path: "/bkt/gone", query: "versionId=" + marker}, 405, "MethodNotAllowed"},
		{request{method: "HEAD", path: "/bkt/gone", query: "versionId=" + marker}, 405, "MethodNotAllowed"},
		{request{method: "GET", path: "/bkt/k", query: "versionId=" + marker}, 404, "NoSuchVersion"},
		{request{method: "GET", path: "/bkt/k", query: "versionId=x"}, 400, "InvalidArgument"},
		{request{method: "GET", path: "/bkt/k", query: "versionId="}, 400, "InvalidArgument"},
		{request{method: "GET", path: "/bkt/k", query: "versionId=%00%01%02%03%04%05%06%07%08%09%0a%0b%0c%0d%0e%0f%10"}, 400, "InvalidArgument"},
		{request{method: "DELETE", path: "/bkt/k", query: "versionId=x"}, 400, "InvalidArgument"},
		{request{method: "GET", path: "/bkt/k", query: "partNumber=0"}, 400, "InvalidArgument"},
		{request{method: "GET", path: "/bkt/k", query: "partNumber=x"}, 400, "InvalidArgument"},
		{request{method: "GET", path: "/bkt/k", query: "partNumber=2"}, 416, "InvalidPartNumber"},
		{request{method: "GET", path: "/bkt/k", query: "partNumber=1", header: h("Range", "bytes=0-1")}, 400, "InvalidRequest"},
		{request{method: "GET", path: "/bkt/k", header: h("Range", "bytes=10-")}, 416, "InvalidRange"},
		{request{method: "GET", path: "/bkt/k", header: h("Range", "bytes=-0")}, 416, "InvalidRange"},
		{request{method: "GET", path: "/bkt/k", header: h("If-Match", `"x"`)}, 412, "PreconditionFailed"},
		{request{method: "GET", path: "/bkt/k", header: h("If-Unmodified-Since", "Thu, 01 Jan 2015 00:00:00 GMT")}, 412, "PreconditionFailed"},
		{request{method: "GET", path: "/bkt/k", query: "%zz"}, 400, "InvalidURI"},
		{request{method: "GET", path: "/bkt/k", query: "torrent"}, 501, "NotImplemented"},
		{request{method: "POST", path: "/bkt/k", query: "restore"}, 501, "NotImplemented"},
		{request{method: "POST", path: "/bkt/k", query: "select&select-type=2"}, 501, "NotImplemented"},
		{request{method: "PUT", path: "/bkt/k", query: "newthing"}, 501, "NotImplemented"},
		{request{method: "PUT", path: "/bkt/k", query: "renameObject"}, 501, "NotImplemented"},
		{request{method: "PUT", path: "/bkt", query: "inventory&id=x"}, 400, "MissingRequestBodyError"},
		{request{method: "PUT", path: "/bkt", query: "lifecycle", body: "<LifecycleConfiguration/>"}, 400, "MalformedXML"},
		{request{method: "PUT", path: "/bkt", query: "object-lock"}, 400, "MissingRequestBodyError"},
		{request{method: "POST", path: "/bkt"}, 412, "PreconditionFailed"},
		{request{method: "GET", path: "/bkt/.."}, 400, "400"},
		{request{method: "PUT", path: "/bkt/../x"}, 400, "400"},
		{request{method: "PUT", path: "/bkt/videos/../../video1.wmv"}, 400, "400"},
		{request{method: "PUT", path: "/bkt/k", header: h("x-amz-website-redirect-location", "ftp://x")}, 400, "InvalidRedirectLocation"},
		{request{method: "PUT", path: "/bkt/k", header: h("x-amz-website-redirect-location", "/"+strings.Repeat("x", 2048))}, 400, "InvalidRedirectLocation"},
		{request{method: "PUT", path: "/bkt/k", header: h("x-amz-checksum-md5", "x")}, 400, "InvalidRequest"},
		{request{method: "POST", path: "/bkt/k"}, 405, "MethodNotAllowed"},
		{request{method: "PATCH", path: "/bkt/k"}, 405, "MethodNotAllowed"},
		{request{method: "POST", path: "/"}, 405, "MethodNotAllowed"},
		{request{method: "GET", path: "/bkt", query: "acl&policy"}, 400, "InvalidArgument"},
		{request{method: "PUT", path: "/bkt", query: "abac"}, 501, "NotImplemented"},
		{request{method: "PUT", path: "/bkt", query: "metadataTable"}, 501, "NotImplemented"},
		{request{method: "PUT", path: "/bkt/k", header: h("x-amz-website-redirect-location", "elsewhere")}, 400, "InvalidRedirectLocation"},
		{request{as: nobody, method: "GET", path: "/"}, 403, "AccessDenied"},
		{request{as: nobody, method: "PUT", path: "/newbucket"}, 403, "AccessDenied"},
		{request{as: nobody, method: "GET", path: "/bkt/k"}, 403, "AccessDenied"},
		{request{as: dest, method: "GET", path: "/bkt/k"}, 403, "AccessDenied"},
		{request{as: dest, method: "GET", path: "/bkt/none"}, 403, "AccessDenied"},
		{request{as: dest, method: "DELETE", path: "/bkt"}, 403, "AccessDenied"},
		{request{as: dest, method: "GET", path: "/bkt", query: "policy"}, 403, "AccessDenied"},
		{request{method: "GET", path: "/bkt/k", header: h("x-amz-expected-bucket-owner", "222222222222")}, 403, "AccessDenied"},
		{request{method: "PUT", path: "/Bad_Name"}, 400, "InvalidBucketName"},
		{request{method: "PUT", path: "/other"}, 409, "BucketAlreadyExists"},
		{request{method: "PUT", path: "/aclme", header: h("x-amz-acl", "public-read")}, 400, "InvalidBucketAclWithObjectOwnership"},
		{request{method: "PUT", path: "/where", body: "<CreateBucketConfiguration><LocationConstraint>us-east-1</LocationConstraint></CreateBucketConfiguration>"}, 400, "InvalidLocationConstraint"},
		{request{method: "PUT", path: "/where", body: "<Create"}, 400, "MalformedXML"},
		{request{method: "PUT", path: "/where", body: "<CreateBucketConfiguration><Colour/></CreateBucketConfiguration>"}, 400, "MalformedXML"},
		{request{method: "PUT", path: "/where", body: "<CreateBucketConfiguration><Tags><Tag><Key>aws:a</Key><Value/></Tag></Tags></CreateBucketConfiguration>"}, 400, "InvalidTag"},
		{request{method: "PUT", path: "/bkt", query: "versioning", body: "<VersioningConfiguration><Status>Enabled</Status><Colour/></VersioningConfiguration>"}, 400, "MalformedXML"},
		{request{method: "PUT", path: "/bkt", query: "ownershipControls", body: "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule><Colour/></OwnershipControls>"}, 400, "MalformedXML"},
		{request{method: "PUT", path: "/bkt", query: "publicAccessBlock", body: "<PublicAccessBlockConfiguration><Colour/></PublicAccessBlockConfiguration>"}, 400, "MalformedXML"},
		{request{method: "DELETE", path: "/bkt"}, 409, "BucketNotEmpty"},
		{request{method: "PUT", path: "/bkt/" + strings.Repeat("k", 1025)}, 400, "KeyTooLongError"},
		{request{method: "PUT", path: "/bkt/k", header: h("Content-MD5", "x")}, 400, "InvalidDigest"},
		{request{method: "PUT", path: "/bkt/k", body: "a", header: h("Content-MD5", md5Of("b"))}, 400, "BadDigest"},
		{request{method: "PUT", path: "/bkt/k", body: "a", header: h("x-amz-checksum-crc32", "AAAAAA==")}, 400, "BadDigest"},
		{request{method: "PUT", path: "/bkt/k", body: "a", header: h("x-amz-checksum-crc32", "AAAA")}, 400, "InvalidRequest"},
		{request{method: "PUT", path: "/bkt/k", body: "a", header: h("x-amz-checksum-crc32", "AAAAAA==", "x-amz-checksum-crc32c", "AAAAAA==")}, 400, "InvalidRequest"},
		{request{method: "PUT", path: "/bkt/k", body: "a", header: h("x-amz-checksum-crc32", "bad", "x-amz-checksum-sha1", "bad")}, 400, "InvalidRequest"},
		{request{method: "PUT", path: "/bkt/k", body: "a", header: h("x-amz-checksum-crc9", "AAAAAA==")}, 400, "InvalidRequest"},
		{request{method: "PUT", path: "/bkt/k", body: "a", header: h("x-amz-sdk-checksum-algorithm", "CRC32")}, 400, "InvalidRequest"},
		{request{method: "POST", path: "/bkt/k", query: "uploads", header: h("x-amz-checksum-type", "HALF")}, 400, "InvalidRequest"},
		{request{method: "POST", path: "/bkt/k", query: "uploads", header: h("x-amz-checksum-type", "FULL_OBJECT", "x-amz-checksum-algorithm", "XXHASH3")}, 400, "InvalidRequest"},
		{request{method: "PUT", path: "/bkt/k", body: "a", header: h("x-amz-sdk-checksum-algorithm", "CRC99")}, 400, "InvalidRequest"},
		{request{method: "PUT", path: "/bkt/k", header: h("x-amz-meta-a", strings.Repeat("v", 2048))}, 400, "MetadataTooLarge"},
		{request{method: "PUT", path: "/bkt/k", header: h("x-amz-storage-class", "FAST")}, 400, "InvalidStorageClass"},
		{request{method: "PUT", path: "/bkt/k", header: h("x-amz-server-side-encryption", "aws:kms:dsse")}, 501, "NotImplemented"},
		{request{method: "PUT", path: "/bkt/k", header: h("x-amz-server-side-encryption", "rot13")}, 400, "InvalidArgument"},
		{request{method: "PUT", path: "/bkt/k", header: h("x-amz-server-side-encryption-customer-algorithm", "AES256")}, 400, "InvalidArgument"},
		{request{method: "GET", path: "/bkt/k", header: h("x-amz-server-side-encryption-customer-algorithm", "AES256")}, 400, "InvalidArgument"},
		{request{method: "PUT", path: "/bkt/k", header: h("x-amz-acl", "public-read")}, 400, "AccessControlListNotSupported"},
		{request{method: "PUT", path: "/bkt/k", header: h("x-amz-grant-read", "id=1")}, 400, "AccessControlListNotSupported"},
		{request{method: "PUT", path: "/bkt/k", header: h("x-amz-object-lock-mode", "GOVERNANCE")}, 400, "InvalidArgument"},
		{request{method: "PUT", path: "/bkt/k", header: h("x-amz-object-lock-legal-hold", "ON")}, 400, "InvalidRequest"},
		{request{method: "PUT", path: "/bkt/k", header: h("x-amz-tagging", "a=1&a=2")}, 400, "InvalidArgument"},
		{request{method: "PUT", path: "/bkt/k", header: h("x-amz-tagging", "aws:x=1")}, 400, "InvalidTag"},
		{request{method: "PUT", path: "/bkt/k", header: h("x-amz-tagging", "%zz=1")}, 400, "InvalidArgument"},
		{request{method: "PUT", path: "/bkt/k", header: h("x-amz-tagging", "a%2Cb=1")}, 400, "InvalidTag"},
		{request{method: "PUT", path: "/bkt/k", header: h("x-amz-tagging", "a=%3F")}, 400, "InvalidTag"},
		{request{method: "PUT", path: "/bkt", query: "tagging", body: strings.Replace(tags(1), ">k0<", ">k(0)<", 1)}, 400, "InvalidTag"},
		{request{method: "PUT", path: "/bkt/k", header: h("If-None-Match", "*")}, 412, "PreconditionFailed"},
		{request{method: "PUT", path: "/bkt/k", header: h("If-None-Match", `"x"`, "If-Match", `"x"`)}, 501, "NotImplemented"},
		{request{method: "PUT", path: "/bkt/k", header: h("If-Match", `"x"`)}, 412, "PreconditionFailed"},
		{request{method: "PUT", path: "/bkt/none", header: h("If-Match", `"x"`)}, 404, "NoSuchKey"},
		{request{method: "DELETE", path: "/bkt/k", header: h("If-Match", `"x"`)}, 412, "PreconditionFailed"},
		{request{method: "PUT", path: "/bkt/k", query: "versionId=null"}, 400, "InvalidArgument"},
		{request{method: "PUT", path: "/bkt/k", query: "tagging", body: tags(11)}, 400, "BadRequest"},
		{request{method: "PUT", path: "/bkt/k", query: "tagging", body: "<Tagging/>"}, 400, "MalformedXML"},
		{request{method: "PUT", path: "/bkt/k", query: "tagging", body: "<Tagging><TagSet><Tag><Key>k</Key></Tag></TagSet></Tagging>"}, 400, "MalformedXML"},
		{request{method: "PUT", path: "/bkt/k", query: "tagging", body: strings.ReplaceAll(tags(2), "k1", "k0")}, 400, "InvalidTag"},
		{request{method: "PUT", path: "/bkt/none", query: "tagging", body: tags(1)}, 404, "NoSuchKey"},
		{request{method: "PUT", path: "/bkt", query: "tagging", body: tags(51)}, 400, "BadRequest"},
		{request{method: "PUT", path: "/bkt", query: "tagging", body: big}, 400, "MaxMessageLengthExceeded"},
		{request{method: "GET", path: "/bkt", query: "tagging"}, 404, "NoSuchTagSet"},
		{request{method: "GET", path: "/bkt", query: "policy"}, 404, "NoSuchBucketPolicy"},
		{request{method: "GET", path: "/bkt", query: "policyStatus"}, 404, "NoSuchBucketPolicy"},
		{request{method: "GET", path: "/bkt", query: "replication"}, 404, "ReplicationConfigurationNotFoundError"},
		{request{method: "GET", path: "/bkt", query: "lifecycle"}, 404, "NoSuchLifecycleConfiguration"},
		{request{method: "GET", path: "/bkt", query: "cors"}, 404, "NoSuchCORSConfiguration"},
		{request{method: "GET", path: "/bkt", query: "website"}, 404, "NoSuchWebsiteConfiguration"},
		{request{method: "GET", path: "/bkt", query: "publicAccessBlock"}, 404, "NoSuchPublicAccessBlockConfiguration"},
		{request{method: "GET", path: "/bkt", query: "object-lock"}, 404, "ObjectLockConfigurationNotFoundError"},
		{request{method: "GET", path: "/bkt/k", query: "retention"}, 400, "InvalidRequest"},
		{request{method: "GET", path: "/bkt/k", query: "legal-hold"}, 400, "InvalidRequest"},
		{request{method: "PUT", path: "/bkt", query: "versioning", body: "<VersioningConfiguration><Status>On</Status></VersioningConfiguration>"}, 400, "MalformedXML"},
		{request{method: "PUT", path: "/bkt", query: "versioning", body: "<VersioningConfiguration/>"}, 400, "IllegalVersioningConfigurationException"},
		{request{method: "PUT", path: "/bkt", query: "versioning", body: "<VersioningConfiguration><Status>Enabled</Status><MfaDelete>Enabled</MfaDelete></VersioningConfiguration>"}, 501, "NotImplemented"},
		{request{method: "PUT", path: "/bkt", query: "acl", header: h("x-amz-acl", "public-read")}, 400, "AccessControlListNotSupported"},
		{request{method: "PUT", path: "/bkt", query: "acl"}, 400, "MissingSecurityHeader"},
		{request{method: "PUT", path: "/bkt", query: "encryption", body: "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms:dsse</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>"}, 501, "NotImplemented"},
		{request{method: "PUT", path: "/bkt", query: "ownershipControls", body: "<OwnershipControls><Rule><ObjectOwnership>Mine</ObjectOwnership></Rule></OwnershipControls>"}, 400, "MalformedXML"},
		{request{method: "PUT", path: "/bkt", query: "publicAccessBlock", body: "<PublicAccessBlockConfiguration><BlockPublicAcls>maybe</BlockPublicAcls></PublicAccessBlockConfiguration>"}, 400, "MalformedXML"},
		{request{method: "GET", path: "/bkt", query: "list-type=3"}, 400, "InvalidArgument"},
		{request{method: "GET", path: "/bkt", query: "max-keys=-1"}, 400, "InvalidArgument"},
		{request{method: "GET", path: "/bkt", query: "max-keys=x"}, 400, "InvalidArgument"},
		{request{method: "GET", path: "/bkt", query: "max-keys=99999999999"}, 400, "InvalidArgument"},
		{request{method: "GET", path: "/bkt", query: "encoding-type=base64"}, 400, "InvalidArgument"},
		{request{method: "GET", path: "/bkt", query: "list-type=2&continuation-token=x"}, 400, "InvalidArgument"},
		{request{method: "GET", path: "/bkt", query: "versions&version-id-marker=null"}, 400, "InvalidArgument"},
		{request{method: "GET", path: "/bkt", query: "versions&key-marker=a&version-id-marker=x"}, 400, "InvalidArgument"},
		{request{method: "GET", path: "/bkt/k", query: "attributes"}, 400, "InvalidRequest"},
		{request{method: "GET", path: "/bkt/k", query: "attributes", header: h("x-amz-object-attributes", " ,")}, 400, "InvalidRequest"},
		{request{method: "GET", path: "/bkt/k", query: "uploads"}, 400, "InvalidRequest"},
		{request{method: "GET", path: "/bkt/k", query: "versions"}, 400, "InvalidRequest"},
		{request{method: "PUT", path: "/bkt/k", query: "partNumber=1"}, 400, "InvalidArgument"},
		{request{method: "POST", path: "/bkt/k", query: "uploads", header: h("x-amz-copy-source", "bkt/k")}, 400, "InvalidArgument"},
		{request{method: "GET", path: "/bkt", header: h("x-amz-copy-source", "bkt/k")}, 400, "InvalidArgument"},
		{request{method: "DELETE", path: "/bkt/k", query: "uploadId=nope", header: h("x-amz-if-match-initiated-time", "Mon, 05 Jan 2026 00:00:00 GMT")}, 501, "NotImplemented"},
		{request{method: "GET", path: "/bkt", query: "versions&max-keys=-1"}, 400, "InvalidArgument"},
		{request{method: "GET", path: "/bkt", query: "uploads&key-marker=k&upload-id-marker=" + strings.Repeat("a", 32)}, 400, "InvalidArgument"},
		{request{method: "GET", path: "/bkt", header: h("x-colour", strings.Repeat("x", 8<<10))}, 400, "RequestHeaderSectionTooLarge"},
		{request{as: nobody, method: "PUT", path: "/bkt/k", header: h("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")}, 400, "InvalidRequest"},
		{request{as: nobody, method: "PUT", path: "/nobucket/k", header: h("x-amz-content-sha256", strings.Repeat("0", 64))}, 400, "XAmzContentSHA256Mismatch"},
		{request{method: "GET", path: "/", query: "max-buckets=0"}, 400, "InvalidArgument"},
		{request{method: "GET", path: "/", query: "max-buckets=10001"}, 400, "InvalidArgument"},
		{request{method: "GET", path: "/bkt/none", query: "partNumber=-3"}, 400, "InvalidArgument"},
		{request{method: "GET", path: "/bkt/k", query: "versionId=invalid_version_id"}, 400, "InvalidArgument"},
		{request{method: "GET", path: "/bkt", query: "uploads&key-marker=k&upload-id-marker=none"}, 400, "InvalidArgument"},
		{request{method: "PUT", path: "/bkt/k", header: h("x-amz-copy-source", "bkt/%zz")}, 400, "InvalidArgument"},
		{request{method: "PUT", path: "/bkt/k", header: h("x-amz-copy-source", "192.168.1.1/k")}, 400, "InvalidArgument"},
		{request{method: "PUT", path: "/bkt/k", header: h("x-amz-copy-source", "bkt/none", "x-amz-checksum-algorithm", "CRC9")}, 400, "InvalidRequest"},
		{request{method: "PUT", path: "/bkt/k", header: h("x-amz-tagging", "=")}, 400, "InvalidArgument"},
		{request{method: "GET", path: "/bkt/k", query: "attributes", header: h("x-amz-object-attributes", "Colour")}, 400, "InvalidArgument"},
		{request{method: "POST", path: "/bkt", query: "delete", body: "<Delete/>"}, 400, "InvalidRequest"},
		{request{method: "POST", path: "/bkt", query: "delete", body: "<Delete/>", header: h("Content-MD5", md5Of("<Delete/>"))}, 400, "MalformedXML"},
		{request{method: "POST", path: "/bkt", query: "delete", body: "", header: h("Content-MD5", md5Of(""))}, 400, "MalformedXML"},
		{request{method: "PUT", path: "/bkt/k", query: "uploadId=nope&partNumber=1"}, 404, "NoSuchUpload"},
		{request{method: "PUT", path: "/bkt/k", query: "uploadId=nope&partNumber=10001"}, 400, "InvalidArgument"},
		{request{method: "PUT", path: "/bkt/k", query: "uploadId=nope"}, 405, "MethodNotAllowed"},
		{request{method: "DELETE", path: "/bkt/k", query: "uploadId=nope"}, 404, "NoSuchUpload"},
		{request{method: "GET", path: "/bkt/k", query: "uploadId=nope"}, 404, "NoSuchUpload"},
		{request{method: "POST", path: "/bkt/k", query: "uploadId=nope", body: "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>"}, 404, "NoSuchUpload"},
		{request{method: "POST", path: "/bkt/k", query: "uploadId=nope", body: "<CompleteMultipartUpload/>"}, 400, "MalformedXML"},
		{request{method: "POST", path: "/bkt/k", query: "uploads", header: h("x-amz-checksum-algorithm", "SHA256", "x-amz-checksum-type", "FULL_OBJECT")}, 400, "InvalidRequest"},
		{request{method: "POST", path: "/bkt/k", query: "uploads", header: h("x-amz-checksum-type", "FULL_OBJECT")}, 400, "InvalidRequest"},
		{request{method: "PUT", path: "/bkt/c", header: h("x-amz-copy-source", "bkt")}, 400, "InvalidArgument"},
		{request{method: "PUT", path: "/bkt/c", header: h("x-amz-copy-source", "/bkt/k?version=1")}, 400, "InvalidArgument"},
		{request{method: "PUT", path: "/bkt/c", header: h("x-amz-copy-source", "/bkt/k?versionId=1")}, 400, "InvalidArgument"},
		{request{method: "PUT", path: "/bkt/c", header: h("x-amz-copy-source", "arn:aws:s3:us-east-1:111111111111:accesspoint/a/object/k")}, 501, "NotImplemented"},
		{request{method: "PUT", path: "/bkt/c", header: h("x-amz-copy-source", "/bkt/none")}, 404, "NoSuchKey"},
		{request{method: "PUT", path: "/bkt/c", header: h("x-amz-copy-source", "/bkt/gone")}, 404, "NoSuchKey"},
		{request{method: "PUT", path: "/bkt/c", header: h("x-amz-copy-source", "/bkt/gone?versionId="+marker)}, 400, "InvalidRequest"},
		{request{method: "PUT", path: "/bkt/c", header: h("x-amz-copy-source", "/nobucket/k")}, 404, "NoSuchBucket"},
		{request{method: "PUT", path: "/bkt/k", header: h("x-amz-copy-source", "/bkt/k")}, 400, "InvalidRequest"},
		{request{method: "PUT", path: "/bkt/c", header: h("x-amz-copy-source", "/bkt/k", "x-amz-metadata-directive", "MERGE")}, 400, "InvalidArgument"},
		{request{method: "PUT", path: "/bkt/c", header: h("x-amz-copy-source", "/bkt/k", "x-amz-tagging-directive", "MERGE")}, 400, "InvalidArgument"},
		{request{method: "PUT", path: "/bkt/c", header: h("x-amz-copy-source", "/bkt/k", "x-amz-copy-source-if-match", `"x"`)}, 412, "PreconditionFailed"},
		{request{method: "PUT", path: "/bkt/c", header: h("x-amz-copy-source", "/bkt/k", "x-amz-copy-source-if-none-match", `*`)}, 412, "PreconditionFailed"},
		{request{method: "PUT", path: "/bkt/c", header: h("x-amz-copy-source", "/bkt/k", "x-amz-source-expected-bucket-owner", "222222222222")}, 403, "AccessDenied"},
		{request{as: dest, method: "PUT", path: "/other/c", header: h("x-amz-copy-source", "/bkt/k")}, 403, "AccessDenied"},
		{request{method: "PUT", path: "/other/c", header: h("x-amz-copy-source", "/bkt/k")}, 403, "AccessDenied"},
	} {
		got := w.do(c.request)
		if got.code == "BadDigest" && c.header["Content-MD5"] != "" && !strings.Contains(got.body, "<ExpectedDigest>92eb5ffee6ae2fec3ad71c777531578f</ExpectedDigest><CalculatedDigest>"+md5Of(c.body)+"</CalculatedDigest>") {
			t.Errorf("BadDigest without both digests: %s", got.body)
		}
		if got.status != c.status || got.code != c.code {
			t.Errorf("%s %s?%s %v: %d %s, want %d %s\n%s", c.method, c.path[:min(len(c.path), 40)], c.query, c.header, got.status, got.code, c.status, c.code, got.body)
		}
		if c.method == "HEAD" && got.body != "" {
			t.Errorf("HEAD %s has a body", c.path)
		}
		if got.status == 405 && c.query == "" && (got.header.Get("Allow") == "" || !strings.Contains(got.body, "<Method>"+c.method+"</Method><ResourceType>")) {
			t.Errorf("%s %s: Allow %q, %s", c.method, c.path, got.header.Get("Allow"), got.body)
		}
		if got.status == 501 && got.header.Get("X-Twinbucket-Hint") == "" {
			t.Errorf("%s %s?%s: not implemented, and no hint", c.method, c.path, c.query)
		}
		if got.header.Get("x-amz-request-id") == "" || got.header.Get("x-amz-id-2") == "" {
			t.Errorf("%s %s: no request id", c.method, c.path)
		}
	}
}

// TestRawRequests sends what net/http would not.
func TestRawRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call(200, "PUT", "/raw", "")
	host := strings.TrimPrefix(w.url, "http://")
	for _, c := range []struct {
		name, line, header, body string
		sign                     bool
		status                   int
		code                     string
	}{
		{"no length", "PUT /raw/k", "", "", true, 411, "MissingContentLength"},
		{"chunked", "PUT /raw/k", "Transfer-Encoding: chunked\r\n", "1\r\na\r\n0\r\n\r\n", true, 501, "NotImplemented"},
		{"too large", "PUT /raw/k", "Content-Length: 5368709121\r\n", "", true, 400, "EntityTooLarge"},
		{"invalid utf-8", "GET /raw/%ff%fe", "", "", true, 400, "InvalidURI"},
		{"invalid utf-8 in a query", "GET /raw?prefix=%ff", "", "", true, 400, "InvalidURI"},
		{"no bucket", "GET //k", "", "", true, 400, "InvalidBucketName"},
		{"absolute form", "GET http://raw.localhost/k", "", "", false, 403, "AccessDenied"},
		{"empty object", "PUT /raw/empty", "Content-Length: 0\r\n", "", true, 200, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, err := net.DialTimeout("tcp", host, 5*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			auth := ""
			if c.sign {
				auth = w.authorization(c.line, host)
			}
			fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: %s\r\n%s%s\r\n%s", c.line, host, auth, c.header, c.body)
			resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: strings.Fields(c.line)[0]})
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body := make([]byte, 4096)
			n, _ := resp.Body.Read(body)
			if resp.StatusCode != c.status || !strings.Contains(string(body[:n]), "<Code>"+c.code+"<") && c.code != "" {
				t.Errorf("%d %s", resp.StatusCode, body[:n])
			}
		})
	}
}

// authorization returns the signature headers for a raw request.
func (w *world) authorization(line, host string) string {
	method, target, _ := strings.Cut(line, " ")
	r, err := http.NewRequest(method, "http://"+host+target, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	w.sign(r, source)
	return "X-Amz-Date: " + r.Header.Get("X-Amz-Date") + "\r\nX-Amz-Content-Sha256: " + sigv4.UnsignedPayload +
		"\r\nAuthorization: " + r.Header.Get("Authorization") + "\r\n"
}

func TestErrorGolden(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call(200, "PUT", "/bkt", "")
	golden(t, "error_key", w.call(404, "GET", "/bkt/none", "").body)
	golden(t, "error_bucket", w.call(404, "GET", "/nobucket/none", "").body)
	golden(t, "error_unsupported", w.call(501, "PUT", "/bkt?metadataTable", "<x/>").body)
}
