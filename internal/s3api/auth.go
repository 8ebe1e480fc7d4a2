package s3api

import (
	"maps"

	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/iam"
	"twinbucket/internal/wire"
	"twinbucket/object"
	"twinbucket/policy"
)

// allow asks whether the caller may do action to the call's bucket; for
// actions on its object use allowObject.
func (c *call) allow(action string) error {
	return c.allowOn(c.bucket, action, c.bucket.ARN())
}

// allowObject asks whether the caller may do action to the call's object.
func (c *call) allowObject(action string) error { return c.allowVersion(action, c.version) }

// allowVersion is allowObject for a version of the object, which has an owner
// and a list of its own; nil if there is none.
func (c *call) allowVersion(action string, v *object.Version) error {
	return c.decide(c.bucket, action, arn.Object(c.bucket.Name, c.key), v)
}

// allowOn asks whether the caller may do action to resource, which is bucket b
// or a key in it.
func (c *call) allowOn(b *bucket.Bucket, action, resource string) error {
	return c.decide(b, action, resource, nil)
}

// decide asks whether the caller may do action to resource, which is bucket b
// or something in it: v, unless that is nil.
func (c *call) decide(b *bucket.Bucket, action, resource string, v *object.Version) error {
	err := c.ask(b, c.access(b, action, resource, v))
	if err != nil && v != nil && v.Owner != b.Owner {
		// Who is refused whatever there is, is not told what there is.
		if anyway := c.ask(b, c.access(b, action, resource, nil)); anyway != nil {
			return anyway
		}
	}
	return err
}

// access is what decide asks for.
func (c *call) access(b *bucket.Bucket, action, resource string, v *object.Version) iam.Access {
	a := iam.Access{
		Action: action, Resource: resource, ResourceAccount: b.Owner,
		Policy: b.Documents[bucket.Policy], Context: c.context(),
	}
	c.consult(&a, b, v)
	return a
}

// ask asks for an access to bucket b or something in it.
func (c *call) ask(b *bucket.Bucket, a iam.Access) error {
	pays := c.requesterPays(b)
	if pays {
		if err := c.payFor(b); err != nil {
			return err
		}
	}
	if c.caller.Account != b.Owner && c.restricted(b) {
		return fault.New(fault.Denied, "AccessDenied", "Access Denied").On(a.Resource).
			WithHint("the policy of bucket %s is public and its public access block has RestrictPublicBuckets: only account %s is let in", b.Name, b.Owner)
	}
	err := c.iam.Authorize(c.caller, a)
	switch {
	case err == nil && pays:
		wire.Set(c.h, "x-amz-request-charged", "requester")
	case fault.KindOf(err) == fault.Denied && c.caller.Account != b.Owner:
		// AWS gives reasons to the bucket's own account only.
		return fault.New(fault.Denied, "AccessDenied", "Access Denied").On(a.Resource).WithHint("%s", fault.HintOf(err))
	}
	return err
}

// allowService asks for an action that concerns no bucket.
func (c *call) allowService(action, resource string) error {
	return c.iam.Authorize(c.caller, iam.Access{
		Action: action, Resource: resource, ResourceAccount: c.caller.Account, Context: c.context(),
	})
}

// What AWS says to callers without a signature, whatever policies allow.
const (
	notAnonymous       = "Anonymous users cannot invoke this API.  Please authenticate."
	noAnonymousCopy    = "Anonymous users cannot copy objects.  Please authenticate."
	noAnonymousUpload  = "Anonymous users cannot initiate multipart uploads.  Please authenticate."
	noAnonymousControl = "s3:%sBucketOwnershipControls does not support Anonymous requests!"
)

// signedIn refuses callers without a signature, in AWS's words.
func (c *call) signedIn(message string) error {
	if c.caller.Type == policy.Anonymous {
		return fault.New(fault.Denied, "AccessDenied", message).
			WithHint("the request is not signed; this operation is for accounts only")
	}
	return nil
}

// know sets a condition key for the decisions that follow.
func (c *call) know(key string, values ...string) { c.context()[key] = values }

// knowTags sets the condition keys for the tags that an object has.
func (c *call) knowTags(tags []object.Tag) {
	maps.Copy(c.context(), object.TagFacts(object.ExistingTag, tags))
}

// forgetTags takes back what knowTags set.
func (c *call) forgetTags(tags []object.Tag) {
	for key := range object.TagFacts(object.ExistingTag, tags) {
		delete(c.facts, key)
	}
}

// knowNewTags sets the condition keys for the tags of an object in the request.
func (c *call) knowNewTags(tags []object.Tag) {
	c.knowAsked(object.NewTag, "s3:requestobjecttagkeys", tags)
}

// knowAsked sets the condition keys for tags in the request, one for each and
// one for all their keys.
func (c *call) knowAsked(each, all string, tags []object.Tag) {
	if len(tags) == 0 {
		return
	}
	keys := make([]string, len(tags))
	for i, t := range tags {
		keys[i] = t.Key
	}
	maps.Copy(c.context(), object.TagFacts(each, tags))
	c.know(all, keys...)
}

// requestKeys are the headers that are condition keys as they stand.
var requestKeys = []struct{ header, key string }{
	{"X-Amz-Acl", "s3:x-amz-acl"},
	{"X-Amz-Metadata-Directive", "s3:x-amz-metadata-directive"},
	{sseHeader, "s3:x-amz-server-side-encryption"},
	{sseKeyHeader, "s3:x-amz-server-side-encryption-aws-kms-key-id"},
	{ofObject + "Algorithm", "s3:x-amz-server-side-encryption-customer-algorithm"},
	{"X-Amz-Storage-Class", "s3:x-amz-storage-class"},
	{"X-Amz-Object-Ownership", "s3:x-amz-object-ownership"},
	{"X-Amz-Website-Redirect-Location", "s3:x-amz-website-redirect-location"},
	{"X-Amz-Grant-Full-Control", "s3:x-amz-grant-full-control"},
	{"X-Amz-Grant-Read", "s3:x-amz-grant-read"},
	{"X-Amz-Grant-Read-Acp", "s3:x-amz-grant-read-acp"},
	{"X-Amz-Grant-Write", "s3:x-amz-grant-write"},
	{"X-Amz-Grant-Write-Acp", "s3:x-amz-grant-write-acp"},
	{"If-Match", "s3:if-match"},
	{"If-None-Match", "s3:if-none-match"},
	{"Referer", "aws:referer"},
}

// context returns the condition keys that the request itself gives.
func (c *call) context() map[string][]string {
	if c.facts != nil {
		return c.facts
	}
	c.facts = wire.Facts(c.r, c.region)
	c.caller.AddS3Facts(c.facts, c.r)
	for _, k := range requestKeys {
		if v := c.r.Header[k.header]; len(v) > 0 {
			c.facts[k.key] = v[:1]
		}
	}
	if source := c.r.Header.Get("X-Amz-Copy-Source"); source != "" {
		c.facts["s3:x-amz-copy-source"] = []string{plainSource(source)}
	}
	if id := c.query.Get("versionId"); id != "" {
		c.facts["s3:versionid"] = []string{id}
	}
	return c.facts
}

// plainSource returns the source of a copy as policies write it, BUCKET/KEY,
// however the client has encoded it; what names no source stays as it is.
func plainSource(text string) string {
	name, key, id, err := parseCopySource(text)
	switch {
	case err != nil:
		return text
	case id != "":
		return name + "/" + key + "?versionId=" + id
	}
	return name + "/" + key
}

// missing answers for an object that is not there: only who may list the
// bucket, with the key as prefix, is told so.
func (c *call) missing(b *bucket.Bucket, key string, err error) error {
	c.know("s3:prefix", key)
	defer delete(c.facts, "s3:prefix")
	if denied := c.allowOn(b, "s3:ListBucket", b.ARN()); denied != nil {
		return denied
	}
	return err
}
