package batch

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"twinbucket/arn"
	"twinbucket/internal/wire"
	"twinbucket/job"
	"twinbucket/manifest"
	"twinbucket/object"
)

// namespace is that of S3's documents.
const namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

// request is what each task of a job asks of S3, but for the object.
type request struct {
	method string
	sub    string // the sub-resource; "" for a copy
	header http.Header
	body   []byte
	copy   *job.Copy // nil unless the operation is one
	target string    // the bucket of copies; "" unless the operation is one
}

// requestOf returns what the operation of a job asks.
func requestOf(s *job.Spec) *request {
	q := &request{method: http.MethodPut, header: make(http.Header)}
	switch s.Operation {
	case job.PutObjectCopy:
		q.copy, q.header = s.Copy, copyHeaders(s.Copy)
		q.target, _ = arn.BucketName(s.Copy.Target) // Validate has seen it
	case job.PutObjectTagging:
		q.sub, q.body = "tagging", taggingDocument(s.Tagging)
	case job.DeleteObjectTagging:
		q.sub, q.method = "tagging", http.MethodDelete
	case job.PutObjectACL:
		q.sub = "acl"
		if s.ACL.Canned != "" {
			q.header.Set("X-Amz-Acl", s.ACL.Canned)
		} else {
			q.body = aclDocument(s.ACL)
		}
	case job.PutObjectLegalHold:
		q.sub, q.body = "legal-hold", legalHoldDocument(s.LegalHold)
	case job.PutObjectRetention:
		q.sub, q.body = "retention", retentionDocument(s.Retention)
		if s.Retention.Bypass != nil && *s.Retention.Bypass {
			q.header.Set("X-Amz-Bypass-Governance-Retention", "true")
		}
	}
	if q.body != nil {
		sum := md5.Sum(q.body)
		q.header.Set("Content-Md5", base64.StdEncoding.EncodeToString(sum[:]))
	}
	return q
}

// of returns the request for one object; id names a version, "" the current one.
func (q *request) of(ctx context.Context, entry *manifest.Entry, id string) *http.Request {
	to, query := url.URL{Path: "/" + entry.Bucket + "/" + entry.Key}, q.sub
	header := q.header.Clone()
	version := ""
	if id != "" {
		version = "versionId=" + url.QueryEscape(id)
	}
	switch {
	case q.copy != nil:
		source := to.EscapedPath()
		if version != "" {
			source += "?" + version
		}
		header.Set("X-Amz-Copy-Source", source)
		to.Path = "/" + q.target + "/" + q.copy.Key(entry.Key)
	case version != "":
		query += "&" + version
	}
	to.RawQuery = query
	r := &http.Request{
		Method: q.method, URL: &to, Host: "localhost", Header: header, Body: http.NoBody,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	header.Set("Content-Length", "0")
	if q.body != nil {
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(q.body)), int64(len(q.body))
		header.Del("Content-Length")
	}
	return r.WithContext(ctx)
}

// copyHeaders are the headers of CopyObject that all copies of a job have.
func copyHeaders(c *job.Copy) http.Header {
	h := make(http.Header)
	set := func(name, value string) {
		if value != "" {
			h.Set(name, value)
		}
	}
	moment := func(name string, t *time.Time, layout string) {
		if t != nil {
			h.Set(name, t.UTC().Format(layout))
		}
	}
	set("X-Amz-Storage-Class", c.StorageClass)
	set("X-Amz-Acl", c.CannedACL)
	for _, g := range c.Grants {
		name := "X-Amz-Grant-" + strings.ReplaceAll(g.Permission, "_", "-")
		grant := g.Type + `="` + g.Identifier + `"`
		if have := h.Get(name); have != "" {
			grant = have + ", " + grant
		}
		h.Set(name, grant)
	}
	moment("X-Amz-Copy-Source-If-Modified-Since", c.ModifiedSince, http.TimeFormat)
	moment("X-Amz-Copy-Source-If-Unmodified-Since", c.UnmodifiedSince, http.TimeFormat)
	set("X-Amz-Checksum-Algorithm", c.ChecksumAlgorithm)
	set("X-Amz-Object-Lock-Legal-Hold", c.LegalHold)
	set("X-Amz-Object-Lock-Mode", c.LockMode)
	moment("X-Amz-Object-Lock-Retain-Until-Date", c.RetainUntil, time.RFC3339Nano)
	set("X-Amz-Website-Redirect-Location", c.RedirectLocation)
	if c.RequesterPays != nil && *c.RequesterPays {
		h.Set("X-Amz-Request-Payer", "requester")
	}
	if c.Tagging != nil {
		h.Set("X-Amz-Tagging-Directive", "REPLACE")
		var pairs []string
		for _, t := range c.Tagging {
			pairs = append(pairs, url.QueryEscape(t.Key)+"="+url.QueryEscape(t.Value))
		}
		set("X-Amz-Tagging", strings.Join(pairs, "&"))
	}
	set("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id", c.KMSKeyID)
	if c.KMSKeyID != "" {
		h.Set("X-Amz-Server-Side-Encryption", object.KMS)
	}
	if c.BucketKeyEnabled != nil {
		h.Set("X-Amz-Server-Side-Encryption-Bucket-Key-Enabled", strconv.FormatBool(*c.BucketKeyEnabled))
	}
	if c.Replaces() {
		h.Set("X-Amz-Metadata-Directive", "REPLACE")
	}
	m := c.Metadata
	if m == nil {
		return h
	}
	switch m.SSEAlgorithm {
	case "KMS":
		h.Set("X-Amz-Server-Side-Encryption", object.KMS)
	case object.AES256:
		h.Set("X-Amz-Server-Side-Encryption", object.AES256)
	}
	set("Cache-Control", m.CacheControl)
	set("Content-Disposition", m.ContentDisposition)
	set("Content-Encoding", m.ContentEncoding)
	set("Content-Language", m.ContentLanguage)
	set("Content-Type", m.ContentType)
	moment("Expires", m.Expires, http.TimeFormat)
	for name, value := range m.User {
		h.Set("X-Amz-Meta-"+name, value)
	}
	return h
}

func taggingDocument(tags []object.Tag) []byte {
	x := wire.NewDocument()
	x.OpenNS("Tagging", namespace)
	x.Open("TagSet")
	for _, t := range tags {
		x.Open("Tag")
		x.Text("Key", t.Key)
		x.Text("Value", t.Value)
		x.Close("Tag")
	}
	x.Close("TagSet")
	x.Close("Tagging")
	return x.Bytes()
}

// grantees are the types of grantees in the documents of S3, and the element
// that identifies them, by their types in those of S3 Control.
var grantees = map[string][2]string{
	"id":           {"CanonicalUser", "ID"},
	"uri":          {"Group", "URI"},
	"emailAddress": {"AmazonCustomerByEmail", "EmailAddress"},
}

func aclDocument(a *job.ACL) []byte {
	x := wire.NewDocument()
	x.OpenNS("AccessControlPolicy", namespace)
	x.Open("Owner")
	x.Text("ID", a.Owner)
	x.Close("Owner")
	x.Open("AccessControlList")
	for _, g := range a.Grants {
		is := grantees[g.Type]
		x.Open("Grant")
		x.OpenTyped("Grantee", is[0])
		x.Text(is[1], g.Identifier)
		x.Close("Grantee")
		x.Text("Permission", g.Permission)
		x.Close("Grant")
	}
	x.Close("AccessControlList")
	x.Close("AccessControlPolicy")
	return x.Bytes()
}

func legalHoldDocument(status string) []byte {
	x := wire.NewDocument()
	x.OpenNS("LegalHold", namespace)
	x.Text("Status", status)
	x.Close("LegalHold")
	return x.Bytes()
}

func retentionDocument(r *job.Retention) []byte {
	x := wire.NewDocument()
	x.OpenNS("Retention", namespace)
	if r.Mode != "" {
		x.Text("Mode", r.Mode)
		x.Time("RetainUntilDate", *r.Until)
	}
	x.Close("Retention")
	return x.Bytes()
}
