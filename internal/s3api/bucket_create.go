package s3api

import (
	"errors"
	"math"
	"net/http"
	"slices"
	"strings"

	"twinbucket/acl"
	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/wire"
	"twinbucket/object"
	"twinbucket/setting"
)

// creation is the document of CreateBucket.
type creation struct {
	LocationConstraint string
	Location           *extra
	Bucket             *extra
	Tags               struct{ Tag []object.Tag }
	Extra              []extra `xml:",any"`
}

// createBucket is CreateBucket.
func (c *call) createBucket() error {
	if err := c.signedIn(notAnonymous); err != nil {
		return err
	}
	if err := bucket.CheckName(c.name); err != nil {
		return err
	}
	if err := c.checkBucketHeaders(); err != nil {
		return err
	}
	doc, err := c.readCreation()
	if err != nil {
		return err
	}
	region, err := c.newRegion(doc)
	if err != nil {
		return err
	}
	if region != "us-east-1" {
		c.know("s3:locationconstraint", region)
	}
	c.knowAsked(object.RequestTag, "aws:tagkeys", doc.Tags.Tag)
	if err := c.allowService("s3:CreateBucket", arn.Bucket(c.name)); err != nil {
		return err
	}
	b := &bucket.Bucket{Name: c.name, Owner: c.caller.Account, Region: region, Created: c.now().UTC(), Documents: map[bucket.Document][]byte{}}
	if v := c.r.Header.Get("X-Amz-Object-Ownership"); v != "" {
		if err := c.allowService("s3:PutBucketOwnershipControls", arn.Bucket(c.name)); err != nil {
			return err
		}
		b.Documents[bucket.OwnershipControls] = setting.Ownership(bucket.Ownership(v))
	}
	setting.DefaultOwnership(b, c.ownership)
	if strings.EqualFold(c.r.Header.Get("X-Amz-Bucket-Object-Lock-Enabled"), "true") {
		for _, action := range []string{"s3:PutBucketObjectLockConfiguration", "s3:PutBucketVersioning"} {
			if err := c.allowService(action, arn.Bucket(c.name)); err != nil {
				return err
			}
		}
		b.Versioning, b.Documents[bucket.ObjectLock] = bucket.Enabled, setting.ObjectLock()
	}
	if err := c.newList(b); err != nil {
		return err
	}
	if err := c.tagNewBucket(b, doc); err != nil {
		return err
	}
	wire.Set(c.h, "Location", "/"+c.name)
	wire.Set(c.h, "x-amz-bucket-arn", b.ARN())
	if err := c.store.CreateBucket(c.r.Context(), b); err != nil {
		if !errors.Is(err, fault.Exists) {
			return err
		}
		return c.bucketExists(b)
	}
	return c.empty(http.StatusOK)
}

// resetList sets the list of a bucket that is there.
func (c *call) resetList(have *bucket.Bucket, list acl.List) error {
	if have.OwnerEnforced() {
		return nil
	}
	if list != nil {
		if err := c.allowOn(have, "s3:PutBucketAcl", have.ARN()); err != nil {
			return err
		}
	}
	if err := setting.CheckPublicList(have, list, c.caller.ARN, "s3:PutBucketAcl", have.ARN()); err != nil {
		return err
	}
	return c.store.ChangeBucket(c.r.Context(), have, func(b *bucket.Bucket) error {
		setting.SetList(b, list)
		return nil
	})
}

// newList gives a new bucket the list that the request's headers ask for.
func (c *call) newList(b *bucket.Bucket) error {
	list, given, err := c.grants(b.Owner, "").Headers(c.r.Header)
	if err != nil || !given {
		return err
	}
	if err := setting.CheckList(b, list); err != nil {
		return err
	}
	if list == nil {
		return nil
	}
	if err := c.allowService("s3:PutBucketAcl", b.ARN()); err != nil {
		return err
	}
	setting.SetList(b, list)
	return nil
}

// bucketExists answers CreateBucket of a bucket that is there. In us-east-1
// the owner is told that all is well, as on AWS, and the bucket's ACL becomes
// what the request says.
func (c *call) bucketExists(asked *bucket.Bucket) error {
	have, err := c.store.Bucket(c.name)
	switch {
	case err == nil && have.Owner == c.caller.Account && have.Region == "us-east-1":
		if err := c.resetList(have, setting.List(asked)); err != nil {
			return err
		}
		return c.empty(http.StatusOK)
	case err == nil && have.Owner == c.caller.Account:
		err = fault.New(fault.Exists, "BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded and you already own it.").On(c.name)
	default:
		err = fault.New(fault.Exists, "BucketAlreadyExists", "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.").On(c.name)
	}
	c.h.Del("Location")
	delete(c.h, "x-amz-bucket-arn")
	return err
}

// checkBucketHeaders refuses what a new bucket cannot have.
func (c *call) checkBucketHeaders() error {
	h := c.r.Header
	if v := h.Get("X-Amz-Object-Ownership"); v != "" && !bucket.Ownership(v).Valid() {
		return invalid("x-amz-object-ownership", "Invalid x-amz-object-ownership header: "+v)
	}
	return nil
}

// readCreation reads the document of the request; none is an empty one.
func (c *call) readCreation() (*creation, error) {
	data, err := c.document(wire.MaxXML)
	if err != nil {
		return nil, err
	}
	doc := new(creation)
	if len(data) > 0 {
		if err := wire.Decode(data, "CreateBucketConfiguration", doc); err != nil {
			return nil, err
		}
	}
	if err := noExtra("CreateBucketConfiguration", doc.Extra); err != nil {
		return nil, err
	}
	if doc.Location != nil || doc.Bucket != nil {
		return nil, unsupported("directory buckets are not offered")
	}
	return doc, nil
}

// tagNewBucket gives a new bucket the tags of the document.
func (c *call) tagNewBucket(b *bucket.Bucket, doc *creation) error {
	if len(doc.Tags.Tag) == 0 {
		return nil
	}
	if err := c.allowService("s3:TagResource", arn.Bucket(c.name)); err != nil {
		return err
	}
	if err := object.CheckTags(doc.Tags.Tag, object.MaxBucketTags); err != nil {
		return err
	}
	b.Documents[bucket.Tagging] = slices.Clone(writeTags(doc.Tags.Tag).Bytes())
	return nil
}

// newRegion returns the region of a new bucket.
func (c *call) newRegion(doc *creation) (string, error) {
	region, signed := doc.LocationConstraint, c.region
	if v := c.caller.Verified; v != nil && v.Scope.Region != "" {
		signed = v.Scope.Region
	}
	incompatible := func(what string) error {
		return fault.Newf(fault.Invalid, "IllegalLocationConstraintException",
			"The %s location constraint is incompatible for the region specific endpoint this request was sent to.", what).
			WithHint("the request is signed for %s: name that region in LocationConstraint (none for us-east-1)", signed)
	}
	switch {
	case region == "EU":
		region = "eu-west-1"
	case region == "us-east-1" || strings.ContainsFunc(region, notRegion):
		return "", fault.New(fault.Invalid, "InvalidLocationConstraint", "The specified location-constraint is not valid").On(region).
			WithHint("for us-east-1 leave LocationConstraint out")
	}
	switch {
	case region == "" && signed != "us-east-1":
		return "", incompatible("unspecified")
	case region == "":
		return c.region, nil
	case signed != "us-east-1" && signed != region:
		return "", incompatible(region)
	}
	return region, nil
}

// notRegion reports whether r is no character of a region's name.
func notRegion(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-'
}

// headBucket is HeadBucket. Who may not see the bucket is still told its
// region, as on AWS.
func (c *call) headBucket() error {
	wire.Set(c.h, wire.RegionHeader, c.bucket.Region)
	if err := c.allow("s3:ListBucket"); err != nil {
		return err
	}
	wire.Set(c.h, "x-amz-access-point-alias", "false")
	wire.Set(c.h, "x-amz-bucket-arn", c.bucket.ARN())
	wire.Set(c.h, "Content-Type", "application/xml")
	c.w.WriteHeader(http.StatusOK)
	return nil
}

// deleteBucket is DeleteBucket.
func (c *call) deleteBucket() error {
	if err := c.allow("s3:DeleteBucket"); err != nil {
		return err
	}
	if err := c.store.DeleteBucket(c.r.Context(), c.name); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}

// listBuckets is ListBuckets: the buckets of the caller's account.
func (c *call) listBuckets() error {
	if err := c.signedIn("Access Denied"); err != nil {
		return err
	}
	most, err := c.query.Number("max-buckets", 10000, math.MaxInt32)
	if err != nil || most < 1 || most > 10000 {
		return invalid("max-buckets", "Argument max-buckets must be an integer between 1 and 10000")
	}
	after := ""
	if v, ok := c.query.Lookup("continuation-token"); ok {
		if after, err = wire.ReadToken(v); err != nil {
			return err
		}
	}
	if err := c.allowService("s3:ListAllMyBuckets", "*"); err != nil {
		return err
	}
	prefix, region := c.query.Get("prefix"), c.query.Get("bucket-region")
	l := &listing{Document: wire.NewDocument(), called: c.iam.AccountName}
	l.OpenNS("ListAllMyBucketsResult", namespace)
	l.Open("Buckets")
	last, next, n := "", "", 0
	for _, b := range c.store.Buckets() {
		if b.Owner != c.caller.Account || b.Name <= after || !strings.HasPrefix(b.Name, prefix) || region != "" && b.Region != region {
			continue
		}
		if n == most {
			next = wire.Token(last)
			break
		}
		l.Open("Bucket")
		l.Text("Name", b.Name)
		l.Time("CreationDate", b.Created)
		if c.query.Has("max-buckets") || region != "" || c.query.Has("prefix") {
			l.Text("BucketRegion", b.Region)
		}
		l.Text("BucketArn", b.ARN())
		l.Close("Bucket")
		last, n = b.Name, n+1
	}
	l.Close("Buckets")
	l.owner("Owner", c.caller.Account)
	l.Optional("ContinuationToken", next)
	l.Optional("Prefix", prefix)
	l.Close("ListAllMyBucketsResult")
	return c.send(l.Document)
}

// getLocation is GetBucketLocation; us-east-1 is the empty constraint.
func (c *call) getLocation() error {
	if err := c.allow("s3:GetBucketLocation"); err != nil {
		return err
	}
	region := c.bucket.Region
	if region == "us-east-1" {
		region = ""
	}
	x := wire.NewDocument()
	x.OpenNS("LocationConstraint", namespace)
	x.Escape(region)
	x.Close("LocationConstraint")
	return c.send(x)
}
