package client

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"hash"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/minio/crc64nvme"

	"twinbucket/fault"
	"twinbucket/internal/sigv4"
	"twinbucket/object"
)

const metaPrefix = "X-Amz-Meta-"

// algorithms are the additional checksums' names.
var algorithms = []string{"CRC32", "CRC32C", "CRC64NVME", "MD5", "SHA1", "SHA256", "SHA512", "XXHASH128", "XXHASH3", "XXHASH64"}

func checksumHeader(algorithm string) string {
	return http.CanonicalHeaderKey("X-Amz-Checksum-" + algorithm)
}

// describe sets the headers that say what an object is to carry.
func (k *call) describe(v *object.Version) {
	h := v.Headers
	k.set("Content-Type", h.ContentType)
	k.set("Cache-Control", h.CacheControl)
	k.set("Content-Disposition", h.ContentDisposition)
	k.set("Content-Encoding", h.ContentEncoding)
	k.set("Content-Language", h.ContentLanguage)
	k.set("Expires", h.Expires)
	k.set("X-Amz-Website-Redirect-Location", h.RedirectLocation)
	k.set("X-Amz-Storage-Class", v.Class)
	if v.Lock.Mode != "" {
		k.set("X-Amz-Object-Lock-Mode", v.Lock.Mode)
		k.set("X-Amz-Object-Lock-Retain-Until-Date", v.Lock.Until.UTC().Format(time.RFC3339Nano))
	}
	if v.Lock.Hold {
		k.set("X-Amz-Object-Lock-Legal-Hold", "ON")
	}
	for name, value := range v.Metadata {
		if k.header == nil {
			k.header = http.Header{}
		}
		k.header[http.CanonicalHeaderKey(metaPrefix+name)] = []string{value}
	}
	tags := make([]string, 0, len(v.Tags))
	for _, t := range v.Tags {
		tags = append(tags, sigv4.EncodeQuery(t.Key)+"="+sigv4.EncodeQuery(t.Value))
	}
	k.set("X-Amz-Tagging", strings.Join(tags, "&"))
}

// versionOf reads what an answer to GET or HEAD says about a version.
func versionOf(bucket, key string, resp *http.Response) object.Version {
	h := resp.Header
	v := object.Version{
		Bucket: bucket, Key: key, ID: versionID(h), ETag: unquote(h.Get("Etag")), Size: resp.ContentLength,
		Checksums: checksums(h), Class: h.Get("X-Amz-Storage-Class"), Status: status(h.Get("X-Amz-Replication-Status")),
		Headers: object.Headers{
			ContentType: h.Get("Content-Type"), CacheControl: h.Get("Cache-Control"),
			ContentDisposition: h.Get("Content-Disposition"), ContentEncoding: h.Get("Content-Encoding"),
			ContentLanguage: h.Get("Content-Language"), Expires: h.Get("Expires"),
			RedirectLocation: h.Get("X-Amz-Website-Redirect-Location"),
		},
		Lock: hold(h.Get("X-Amz-Object-Lock-Legal-Hold")),
		Encryption: object.Encryption{
			Algorithm: h.Get("X-Amz-Server-Side-Encryption"), KeyARN: h.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"),
			BucketKey:      h.Get("X-Amz-Server-Side-Encryption-Bucket-Key-Enabled") == "true",
			CustomerKeyMD5: h.Get("X-Amz-Server-Side-Encryption-Customer-Key-Md5"),
		},
	}
	v.Lock.Mode = h.Get("X-Amz-Object-Lock-Mode")
	// A time that cannot be read stays zero.
	v.Modified = modified(h)
	v.Deliveries, v.Returning = deliveries(h), h.Get("X-Twinbucket-Returning") == "true"
	v.Lock.Until, _ = time.Parse(time.RFC3339, h.Get("X-Amz-Object-Lock-Retain-Until-Date"))
	for name, values := range h {
		if rest, ok := strings.CutPrefix(name, metaPrefix); ok {
			if v.Metadata == nil {
				v.Metadata = map[string]string{}
			}
			v.Metadata[strings.ToLower(rest)] = strings.Join(values, ",")
		}
	}
	if _, size, ok := strings.Cut(h.Get("Content-Range"), "/"); ok {
		if n, err := strconv.ParseInt(size, 10, 64); err == nil {
			v.Size = n
		}
	}
	return v
}

// versionID returns the version id of an answer; a bucket without versioning
// sends none.
func versionID(h http.Header) string {
	if id := h.Get("X-Amz-Version-Id"); id != "" {
		return id
	}
	return object.NullID
}

// status reads a replication status. AWS writes COMPLETE in places.
func status(s string) object.Status {
	if s == "COMPLETE" {
		return object.Completed
	}
	return object.Status(s)
}

func checksums(h http.Header) []object.Checksum {
	var list []object.Checksum
	composite := h.Get("X-Amz-Checksum-Type") == "COMPOSITE"
	for _, a := range algorithms {
		if s := h.Get(checksumHeader(a)); s != "" {
			list = append(list, object.Checksum{Algorithm: a, Value: s, Composite: composite || strings.Contains(s, "-")})
		}
	}
	return list
}

// modified returns the time of an answer's version; zero if it does not say.
func modified(h http.Header) time.Time {
	t, err := http.ParseTime(h.Get("Last-Modified"))
	if err != nil {
		return time.Time{}
	}
	return t
}

// headerDeliveries asks Twinbucket for the deliveries of a version, and carries
// them: JSON in base64.
const headerDeliveries = "X-Twinbucket-Deliveries"

// deliveries returns where an answer's version goes; nil if it does not say.
func deliveries(h http.Header) (ds []object.Delivery) {
	data, err := base64.StdEncoding.DecodeString(h.Get(headerDeliveries))
	if err != nil || json.Unmarshal(data, &ds) != nil {
		return nil
	}
	return ds
}

func unquote(etag string) string { return strings.Trim(etag, `"`) }

func quote(etag string) string {
	if etag == "" || etag == "*" {
		return etag
	}
	return `"` + etag + `"`
}

func sizeOf(body io.ReadSeeker) (int64, error) {
	if body == nil {
		return 0, nil
	}
	return body.Seek(0, io.SeekEnd)
}

// sum reads all of body through h.
func sum(body io.ReadSeeker, h hash.Hash) ([]byte, error) {
	if body == nil {
		return h.Sum(nil), nil
	}
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	_, err := io.Copy(h, body)
	return h.Sum(nil), err
}

func sha256Of(body io.ReadSeeker) (string, error) {
	b, err := sum(body, sha256.New())
	return hex.EncodeToString(b), err
}

func crc64Of(body io.ReadSeeker) (string, error) {
	b, err := sum(body, crc64nvme.New())
	return base64.StdEncoding.EncodeToString(b), err
}

func md5Of(body io.ReadSeeker) (string, error) {
	b, err := sum(body, md5.New())
	return base64.StdEncoding.EncodeToString(b), err
}

// reading is the body of an object, checked at its end.
type reading struct {
	io.ReadCloser
	c    *Client
	k    *call
	hash hash.Hash // nil: nothing to check
	want string
}

// checked returns the body of an answer to GetObject.
func (c *Client) checked(k *call, resp *http.Response, o *Object, whole bool) io.ReadCloser {
	b := &reading{ReadCloser: resp.Body, c: c, k: k}
	i := slices.IndexFunc(o.Checksums, func(s object.Checksum) bool { return s.Algorithm == "CRC64NVME" && !s.Composite })
	if whole && i >= 0 {
		b.hash, b.want = crc64nvme.New(), o.Checksums[i].Value
	}
	return b
}

// Read implements io.Reader.
func (b *reading) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.hash != nil {
		b.hash.Write(p[:n])
	}
	switch {
	case err == nil:
		return n, nil
	case err != io.EOF:
		return n, b.c.fault(b.k, err)
	case b.hash != nil && base64.StdEncoding.EncodeToString(b.hash.Sum(nil)) != b.want:
		e := fault.New(fault.Damaged, "BadDigest", "The CRC64NVME of what arrived is not the one that the server told.")
		return n, b.c.fault(b.k, e)
	}
	return n, io.EOF
}
