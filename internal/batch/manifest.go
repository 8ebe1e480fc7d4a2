package batch

import (
	"compress/gzip"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"twinbucket/acl"
	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/iam"
	"twinbucket/internal/store"
	"twinbucket/manifest"
	"twinbucket/object"
	"twinbucket/setting"
)

// readManifest reads the manifest that the user brought.
func (d *driver) readManifest(ctx context.Context, r *record, c *chunker) error {
	caller, err := d.e.assume(r)
	if err != nil {
		return unassumed(err)
	}
	m := r.Spec.Manifest
	bkt, key, err := m.Location.Object()
	if err != nil {
		return refuse("InvalidManifestContent", preparing+"The manifest's ARN is not valid.", err)
	}
	csv := m.Format == manifest.CSV
	o, err := d.findAs(ctx, caller, bkt, key, m.Location.VersionID, !csv)
	if err != nil {
		return err
	}
	want := strings.Trim(m.Location.ETag, `"`)
	if !etagForm.MatchString(want) {
		return &refusal{"InvalidManifestContent", "ETag format is invalid", []string{"create the job with the ETag of the manifest: " + o.ETag}}
	}
	if want != o.ETag {
		return &refusal{"InvalidManifestContent", "The manifest's ETag does not match.", []string{"the object's ETag is " + o.ETag + " and not " + want + ": it was changed since, or another version of it is meant", "create the job with the ETag of the manifest as it is now, or name its version: ObjectVersionId"}}
	}
	body, err := d.e.Store.Open(ctx, o, 0, -1)
	if err != nil {
		return err
	}
	defer body.Close()
	if csv {
		c.fields = m.Fields
		return d.readRows(ctx, body, c, "")
	}
	if o.Size > maxIndex {
		return &refusal{"InvalidManifestContent", "Manifest file is not properly formatted", []string{fmt.Sprintf("a manifest.json has at most %d bytes", maxIndex)}}
	}
	data, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	index, err := manifest.ParseIndex(data)
	if err != nil {
		return refuse("InvalidManifestContent", fault.MessageOf(err), err)
	}
	c.fields = index.Columns()
	for _, f := range index.Files {
		if err := d.readFile(ctx, caller, bkt, f, index.SourceBucket, c); err != nil {
			return err
		}
	}
	return nil
}

// etagForm is what ETags look like.
var etagForm = regexp.MustCompile(`^[0-9a-f]{32}(-[0-9]+)?$`)

// maxIndex is the largest manifest.json that is read, in bytes.
const maxIndex = 16 << 20

// readFile reads one file of an inventory, which has to be as its manifest.json
// says.
func (d *driver) readFile(ctx context.Context, caller *iam.Caller, bkt string, f manifest.File, source string, c *chunker) error {
	o, err := d.findAs(ctx, caller, bkt, f.Key, "", true)
	if err != nil {
		return err
	}
	body, err := d.e.Store.Open(ctx, o, 0, -1)
	if err != nil {
		return err
	}
	defer body.Close()
	sum := md5.New()
	stored := io.TeeReader(body, sum)
	rows := stored
	if strings.HasSuffix(f.Key, ".gz") {
		rows = &unzipped{from: stored}
	}
	if err := d.readRows(ctx, rows, c, source); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, stored); err != nil {
		return err
	}
	if is := hex.EncodeToString(sum.Sum(nil)); f.MD5Checksum != "" && !strings.EqualFold(f.MD5Checksum, is) {
		return &refusal{"InvalidManifestContent", "Invalid Manifest Content", []string{"the MD5 of " + f.Key + " is " + is + ", and manifest.json says " + f.MD5Checksum}}
	}
	return nil
}

// unzipped reads an archive. What is wrong with it is the manifest's fault.
type unzipped struct {
	from io.Reader
	z    *gzip.Reader
}

func (u *unzipped) Read(p []byte) (n int, err error) {
	if u.z == nil {
		u.z, err = gzip.NewReader(u.from)
	}
	if err == nil {
		n, err = u.z.Read(p)
		if errors.Is(err, io.EOF) {
			return n, err
		}
	}
	if stored := new(fault.Error); err != nil && !errors.As(err, &stored) {
		err = &fault.Error{Kind: fault.Invalid, Code: "InvalidManifestContent", Message: "Manifest file is not properly formatted", Hint: "the archive is broken: " + err.Error()}
	}
	return n, err
}

// readRows adds the rows of a file to the chunks. In a bucket that never had
// versioning an empty version id is no mistake: inventories write it so.
func (d *driver) readRows(ctx context.Context, r io.Reader, c *chunker, source string) error {
	m, err := manifest.NewReader(r, c.fields, source)
	if err != nil {
		return refuse("InvalidManifestContent", fault.MessageOf(err), err)
	}
	for {
		entry, err := m.Next()
		if errors.Is(err, io.EOF) {
			return c.flush(ctx)
		}
		if fault.CodeOf(err) == "InvalidManifestContent" {
			return refuse("InvalidManifestContent", fault.MessageOf(err), err)
		}
		if err != nil {
			return err
		}
		if entry.Problem != nil {
			if b, err := d.e.Store.Bucket(entry.Bucket); err == nil && b.Versioning == bucket.Unversioned {
				entry.VersionID, entry.Problem = object.NullID, nil
			}
		}
		if err := c.add(ctx, &entry); err != nil {
			return err
		}
	}
}

// forbidden is AWS's reason for a manifest that the job's role may not read.
const forbidden = "Reading the manifest is forbidden: AccessDenied"

// findAs looks up an object that the job's role is to read; kms says whether it
// may be encrypted with a key of KMS.
func (d *driver) findAs(ctx context.Context, caller *iam.Caller, bkt, key, id string, kms bool) (*store.Object, error) {
	b, err := d.e.Store.Bucket(bkt)
	if err != nil {
		return nil, &refusal{"ManifestNotFound", "The manifest's bucket does not exist.", []string{"there is no bucket " + bkt + ": create the job with the ARN of where the manifest is"}}
	}
	o, err := d.e.Store.Head(ctx, bkt, key, id)
	if denied := d.e.mayRead(caller, b, key, id, o); denied != nil {
		return nil, refuse("ManifestReadNotPermitted", forbidden, denied)
	}
	if errors.Is(err, fault.NotFound) || err == nil && o.Marker {
		return nil, &refusal{"ManifestNotFound", "The manifest object does not exist.", []string{"there is no " + key + " in bucket " + bkt + ": put it there again, or create the job with the ARN of where it is"}}
	}
	if err != nil {
		return nil, err
	}
	switch enc := &o.Encryption; {
	case enc.Customer():
		return nil, &refusal{"ManifestReadNotPermitted", forbidden, []string{key + " is encrypted with a customer's key (SSE-C), which a job does not have"}}
	case enc.Algorithm == object.KMS && !kms:
		return nil, &refusal{"ManifestReadNotPermitted", forbidden, []string{"a CSV manifest cannot be encrypted with a key of KMS: store it with SSE-S3, or use an inventory"}}
	case enc.Algorithm == object.KMS:
		if denied := d.e.IAM.AllowKey(caller, "kms:Decrypt", enc.KeyARN, d.e.Store.Keys().Policy(enc.KeyARN, ""), enc.KeyFacts(bkt, key)); denied != nil {
			return nil, refuse("ManifestReadNotPermitted", forbidden, denied)
		}
	}
	return o, nil
}

// mayRead reports whether the job's role may read an object, or the version of
// it with an id; o is nil if there is none.
func (e *Engine) mayRead(c *iam.Caller, b *bucket.Bucket, key, id string, o *store.Object) error {
	action, facts := "s3:GetObject", map[string][]string{}
	if o != nil {
		facts = object.TagFacts(object.ExistingTag, o.Tags)
	}
	if id != "" {
		action, facts["s3:versionid"] = "s3:GetObjectVersion", []string{id}
	}
	if err := e.allowedWith(c, action, arn.Object(b.Name, key), b, facts); err != nil || o == nil {
		return err
	}
	if !setting.LetsRead(b, o.Owner, o.ACL, c.Account, acl.Read) {
		return fault.New(fault.Denied, "AccessDenied", "The manifest belongs to another account, whose ACL does not grant READ.").
			WithHint("let account %s put the manifest, or grant it READ", c.Account)
	}
	return nil
}
