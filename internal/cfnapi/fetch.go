package cfnapi

import (
	"context"
	"io"
	"maps"
	"net/netip"
	"net/url"
	"regexp"
	"strings"

	"twinbucket/acl"
	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/iam"
	"twinbucket/internal/store"
	"twinbucket/object"
	"twinbucket/setting"
	"twinbucket/template"
)

// fetch reads a template from a bucket of this server, as the caller.
func (c *call) fetch(ctx context.Context, address string) (string, error) {
	bad := invalid("TemplateURL must reference a valid S3 object to which you have access.").On(address)
	if c.Store == nil {
		return "", fault.New(fault.Unsupported, "NotImplemented", "The parameter TemplateURL is not supported.").
			WithHint("send the template itself, as TemplateBody")
	}
	name, key, ok := c.location(address)
	if !ok {
		return "", bad.WithHint("a template is read from a bucket of this server: http://%s/BUCKET/KEY or https://s3.%s.amazonaws.com/BUCKET/KEY", c.r.Host, c.Region)
	}
	b, err := c.Store.Bucket(name)
	if err != nil {
		return "", bad.WithHint("there is no bucket %s here", name)
	}
	o, err := c.Store.Head(ctx, name, key, "")
	if denied := c.mayRead(b, key, o); denied != nil {
		return "", fault.Newf(fault.Invalid, "ValidationError", "S3 error: Access Denied").On(address).WithHint("%s", fault.MessageOf(denied))
	}
	if err != nil || o.Marker {
		return "", bad.WithHint("bucket %s has no object %s", name, key)
	}
	if o.Size > template.MaxSize {
		return "", invalid("Template may not exceed %d bytes in size.", template.MaxSize)
	}
	body, err := c.Store.Open(ctx, o, 0, -1)
	if err != nil {
		return "", err
	}
	data, err := io.ReadAll(body)
	if cerr := body.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return "", fault.Wrap("cfnapi.template", address, err)
	}
	return string(data), nil
}

// mayRead asks whether the caller may read an object; o is nil if there is none.
func (c *call) mayRead(b *bucket.Bucket, key string, o *store.Object) error {
	facts := c.context()
	if o != nil {
		facts = object.TagFacts(object.ExistingTag, o.Tags)
		maps.Copy(facts, c.context())
	}
	err := c.IAM.Authorize(c.caller, iam.Access{
		Action: "s3:GetObject", Resource: arn.Object(b.Name, key), ResourceAccount: b.Owner,
		Policy: b.Documents[bucket.Policy], Block: b.Documents[bucket.PublicAccessBlock], Context: facts,
	})
	if err == nil && o != nil && !setting.LetsRead(b, o.Owner, o.ACL, c.caller.Account, acl.Read) {
		err = fault.New(fault.Denied, "AccessDenied", "the object belongs to another account, whose ACL does not grant READ")
	}
	if err == nil && o != nil && o.Encryption.Algorithm == object.KMS {
		onKey := o.Encryption.KeyFacts(b.Name, key)
		maps.Copy(onKey, c.context())
		err = c.IAM.AllowKey(c.caller, "kms:Decrypt", o.Encryption.KeyARN, c.Store.Keys().Policy(o.Encryption.KeyARN, ""), onKey)
	}
	return err
}

// location returns the bucket and key that a URL of this server or of S3
// names, with the bucket in the path or before the host.
func (c *call) location(address string) (name, key string, ok bool) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.Query().Has("versionId") {
		return "", "", false
	}
	name, ok = c.hostBucket(strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")))
	key = strings.TrimPrefix(u.Path, "/")
	if name == "" {
		name, key, _ = strings.Cut(key, "/")
	}
	return name, key, ok && key != "" && bucket.CheckName(name) == nil
}

// endpoint are S3's names: s3, s3.REGION, s3-REGION, s3.dualstack.REGION, and
// the bucket before it.
var endpoint = regexp.MustCompile(`^(?:(.+)\.)?s3(?:[.-]dualstack)?(?:[.-][a-z0-9-]+)?\.(?:amazonaws\.com|amazonaws\.com\.cn|localhost)$`)

// hostBucket returns the bucket before a host, "" if there is none; ok is
// false for a host that is neither this server nor S3.
func (c *call) hostBucket(host string) (name string, ok bool) {
	if m := endpoint.FindStringSubmatch(host); m != nil {
		return m[1], true
	}
	own := url.URL{Host: c.r.Host}
	if a, err := netip.ParseAddr(host); strings.EqualFold(host, own.Hostname()) || err == nil && a.IsLoopback() {
		return "", true
	}
	for _, d := range append([]string{"localhost"}, c.Domains...) {
		d = strings.ToLower(strings.TrimSuffix(d, "."))
		if host == d {
			return "", true
		}
		if name, ok := strings.CutSuffix(host, "."+d); ok {
			return name, true
		}
	}
	return "", false
}
