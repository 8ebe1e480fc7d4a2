package stack

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"twinbucket/acl"
	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/lifecycle"
	"twinbucket/object"
	"twinbucket/rule"
	"twinbucket/setting"
)

// bucketKind is AWS::S3::Bucket.
var bucketKind = kind{
	replace:    []string{"BucketName", "ObjectLockEnabled"},
	tagged:     true,
	attributes: []string{"Arn", "DomainName", "DualStackDomainName", "RegionalDomainName", "WebsiteURL"},
	name:       nameBucket,
	create:     createBucket,
	update:     updateBucket,
	delete:     deleteBucket,
}

// foreignBucketProperties are those that AWS has and Twinbucket has not.
var foreignBucketProperties = []string{
	"AbacStatus", "BucketNamePrefix", "BucketNamespace", "MetadataConfiguration", "MetadataTableConfiguration",
}

// documentActions are the actions that changing a document needs, beside
// those of its content.
var documentActions = map[bucket.Document]string{
	bucket.Replication:       "s3:PutReplicationConfiguration",
	bucket.Tagging:           "s3:PutBucketTagging",
	bucket.Encryption:        "s3:PutEncryptionConfiguration",
	bucket.OwnershipControls: "s3:PutBucketOwnershipControls",
	bucket.PublicAccessBlock: "s3:PutBucketPublicAccessBlock",
	bucket.Lifecycle:         "s3:PutLifecycleConfiguration",
	bucket.TransitionSize:    "s3:PutLifecycleConfiguration",
	bucket.ObjectLock:        "s3:PutBucketObjectLockConfiguration",
	bucket.ACL:               "s3:PutBucketAcl",

	bucket.CORS:               "s3:PutBucketCORS",
	bucket.Logging:            "s3:PutBucketLogging",
	bucket.Notification:       "s3:PutBucketNotification",
	bucket.Website:            "s3:PutBucketWebsite",
	bucket.Accelerate:         "s3:PutAccelerateConfiguration",
	bucket.Inventory:          "s3:PutInventoryConfiguration",
	bucket.Metrics:            "s3:PutMetricsConfiguration",
	bucket.Analytics:          "s3:PutAnalyticsConfiguration",
	bucket.IntelligentTiering: "s3:PutIntelligentTieringConfiguration",
}

// wanted is what a template wants of a bucket.
type wanted struct {
	physical   string
	versioning bucket.Versioning
	tags       []Tag // the bucket's own and the stack's
	documents  map[bucket.Document][]byte
	role       string // of the replication configuration
	smallest   string // object that lifecycle rules transition
}

// cannedLists are the values of AccessControl, as S3 calls them. The last two
// mean nothing for a bucket.
var cannedLists = map[string]string{
	"Private":                "private",
	"PublicRead":             "public-read",
	"PublicReadWrite":        "public-read-write",
	"AuthenticatedRead":      "authenticated-read",
	"AwsExecRead":            "aws-exec-read",
	"LogDeliveryWrite":       "log-delivery-write",
	"BucketOwnerRead":        "bucket-owner-read",
	"BucketOwnerFullControl": "bucket-owner-full-control",
}

// wantBucket reads the properties of a bucket.
func wantBucket(a *action, props map[string]any, stackTags []Tag) (*wanted, error) {
	p := read(a.typ, props)
	w := &wanted{physical: a.physical, documents: map[bucket.Document][]byte{}}
	_ = p.text("BucketName") // the physical id says it
	if v := p.object("VersioningConfiguration"); v != nil {
		w.versioning = bucket.Versioning(v.need("Status"))
		if w.versioning != bucket.Enabled && w.versioning != bucket.Suspended {
			v.fail("Value of property Status must be one of Enabled, Suspended")
		}
		_ = v.done() // kept
	}
	if err := w.settings(p); err != nil {
		return nil, err
	}
	if p.truth("ObjectLockEnabled") {
		if w.documents[bucket.ObjectLock] == nil {
			w.documents[bucket.ObjectLock] = setting.ObjectLock()
		}
		if w.versioning == bucket.Unversioned {
			w.versioning = bucket.Enabled
		}
	}
	w.list(a, p)
	own := p.tags("Tags")
	if err := p.done(foreignBucketProperties...); err != nil {
		return nil, err
	}
	if err := object.CheckTags(objectTags(own), object.MaxBucketTags); err != nil {
		return nil, err
	}
	w.tag(a, own, stackTags)
	size, err := lifecycle.ParseMinimumSize(w.smallest)
	if err != nil {
		return nil, err
	}
	if size != lifecycle.AllClasses {
		w.documents[bucket.TransitionSize] = []byte(size)
	}
	return w, nil
}

// list adds the access control list that AccessControl names.
func (w *wanted) list(a *action, p *properties) {
	name := p.text("AccessControl")
	if name == "" {
		return
	}
	canned, ok := cannedLists[name]
	if !ok {
		p.fail("Value of property AccessControl must be one of %s", strings.Join(slices.Sorted(maps.Keys(cannedLists)), ", "))
		return
	}
	list, _ := acl.Canned(canned, acl.CanonicalID(a.stack.Account), "")
	setting.SetList(&bucket.Bucket{Documents: w.documents}, list)
}

func objectTags(tags []Tag) []object.Tag {
	out := make([]object.Tag, len(tags))
	for i, t := range tags {
		out[i] = object.Tag{Key: t.Key, Value: t.Value}
	}
	return out
}

// tag adds the tags: the bucket's own, the stack's, and those of AWS.
func (w *wanted) tag(a *action, own, stackTags []Tag) {
	w.tags = append(w.tags, own...)
	for _, t := range stackTags {
		if !slices.ContainsFunc(own, func(x Tag) bool { return x.Key == t.Key }) {
			w.tags = append(w.tags, t)
		}
	}
	var list []any
	for _, t := range a.allTags(own, stackTags) {
		list = append(list, tree{"Key": t.Key, "Value": t.Value})
	}
	w.documents[bucket.Tagging] = document("Tagging", tree{"TagSet": tree{"Tag": list}})
}

func nameBucket(a *action) (string, error) {
	if name := read(a.typ, a.props).text("BucketName"); name != "" {
		return name, bucket.CheckName(name)
	}
	return a.generated(63, true), nil
}

// bucketAttributes returns what Fn::GetAtt gives for a bucket.
func (a *action) bucketAttributes() map[string]string {
	n := a.physical
	return map[string]string{
		"Arn":                 "arn:aws:s3:::" + n,
		"DomainName":          n + ".s3.amazonaws.com",
		"DualStackDomainName": n + ".s3.dualstack." + a.Region + ".amazonaws.com",
		"RegionalDomainName":  n + ".s3." + a.Region + ".amazonaws.com",
		"WebsiteURL":          "http://" + n + ".s3-website-" + a.Region + ".amazonaws.com",
	}
}

func createBucket(ctx context.Context, a *action) (map[string]string, error) {
	w, err := wantBucket(a, a.props, a.tags)
	if err != nil {
		return nil, err
	}
	b := &bucket.Bucket{
		Name: a.physical, Owner: a.stack.Account, Region: a.Region, Created: a.Now().UTC(),
		Versioning: w.versioning, Documents: w.documents,
	}
	if err := a.allowBucket(b, "s3:CreateBucket"); err != nil {
		return nil, err
	}
	if err := a.allowChange(b, &wanted{}, w); err != nil {
		return nil, err
	}
	setting.DefaultOwnership(b, a.Ownership)
	if err := a.checkReplication(b); err != nil {
		return nil, err
	}
	if err := a.checkSettings(b, changedDocuments(&wanted{}, w)); err != nil {
		return nil, err
	}
	err = a.Store.CreateBucket(ctx, b)
	if errors.Is(err, fault.Exists) {
		if a.resumed && a.madeHere(b.Name) {
			return a.bucketAttributes(), nil
		}
		return nil, alreadyExists(b.Name)
	}
	return a.bucketAttributes(), err
}

// madeHere reports whether a bucket was made by the stack as this resource.
func (a *action) madeHere(name string) bool {
	b, err := a.Store.Bucket(name)
	return err == nil && b.Owner == a.stack.Account &&
		bytes.Contains(b.Documents[bucket.Tagging], []byte("<Key>"+stackIDTag+"</Key><Value>"+a.stack.ID+"</Value>")) &&
		bytes.Contains(b.Documents[bucket.Tagging], []byte("<Key>"+logicalIDTag+"</Key><Value>"+a.name+"</Value>"))
}

// allowChange asks whether the caller may change b from one state to another.
func (a *action) allowChange(b *bucket.Bucket, from, to *wanted) error {
	var acts []string
	if from.versioning != to.versioning {
		acts = append(acts, "s3:PutBucketVersioning")
	}
	for _, d := range changedDocuments(from, to) {
		if d != bucket.Tagging {
			acts = append(acts, actionOf(d))
		}
	}
	if !slices.Equal(from.tags, to.tags) {
		acts = append(acts, documentActions[bucket.Tagging])
	}
	slices.Sort(acts)
	if err := a.allowBucket(b, slices.Compact(acts)...); err != nil {
		return err
	}
	if d := to.documents[bucket.Replication]; d == nil || bytes.Equal(d, from.documents[bucket.Replication]) {
		return nil
	}
	return a.IAM.PassRole(a.caller, to.role, rule.Service, a.via(map[string][]string{"iam:associatedresourcearn": {b.ARN()}}))
}

func changedDocuments(from, to *wanted) []bucket.Document {
	var out []bucket.Document
	for d, data := range to.documents {
		if !bytes.Equal(data, from.documents[d]) {
			out = append(out, d)
		}
	}
	for d := range from.documents {
		if _, ok := to.documents[d]; !ok {
			out = append(out, d)
		}
	}
	return out
}

// checkReplication checks a bucket's replication configuration against the
// buckets it names.
func (a *action) checkReplication(b *bucket.Bucket) error {
	d := b.Documents[bucket.Replication]
	if d == nil {
		return nil
	}
	set, err := rule.Parse(d)
	if err != nil {
		return err
	}
	return set.Check(b, func(name string) (*bucket.Bucket, bool) {
		x, err := a.Store.Bucket(name)
		return x, err == nil
	})
}

func updateBucket(ctx context.Context, a *action) (map[string]string, error) {
	to, err := wantBucket(a, a.props, a.tags)
	if err != nil {
		return nil, err
	}
	from, err := wantBucket(a, a.old, a.oldTags)
	if err != nil {
		return nil, err
	}
	if from.versioning == bucket.Enabled && to.versioning == bucket.Unversioned {
		to.versioning = bucket.Suspended // a bucket never goes back to unversioned
	}
	if from.documents[bucket.ObjectLock] != nil && to.documents[bucket.ObjectLock] == nil {
		to.documents[bucket.ObjectLock] = setting.ObjectLock() // nor does it lose Object Lock
	}
	changed := changedDocuments(from, to)
	err = a.Store.UpdateBucket(ctx, a.physical, func(b *bucket.Bucket) error {
		if err := a.allowChange(b, from, to); err != nil {
			return err
		}
		for _, d := range changed {
			if data, ok := to.documents[d]; ok {
				b.Documents[d] = data
			} else {
				delete(b.Documents, d)
			}
		}
		if from.versioning != to.versioning {
			b.Versioning = to.versioning
		}
		if err := a.checkSettings(b, changed); err != nil {
			return err
		}
		if slices.Contains(changed, bucket.Replication) {
			return a.checkReplication(b)
		}
		return checkSuspended(b)
	})
	return a.bucketAttributes(), err
}

// checkSuspended refuses to suspend versioning under a replication rule.
func checkSuspended(b *bucket.Bucket) error {
	if b.Versioning == bucket.Suspended && b.Documents[bucket.Replication] != nil {
		return fault.New(fault.Conflict, "InvalidBucketState", "A replication configuration is present on this bucket, so you cannot change the versioning state. To change the versioning state, first delete the replication configuration.").On(b.Name)
	}
	return nil
}

func deleteBucket(ctx context.Context, a *action) error {
	b, err := a.Store.Bucket(a.physical)
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := a.allowBucket(b, "s3:DeleteBucket"); err != nil {
		return err
	}
	err = a.Store.DeleteBucket(ctx, a.physical)
	if isNotFound(err) {
		return nil
	}
	if errors.Is(err, fault.Conflict) {
		return fault.New(fault.Conflict, "BucketNotEmpty", "The bucket you tried to delete is not empty").On(a.physical).
			WithHint("delete every version and delete marker first, or give the resource the DeletionPolicy Retain")
	}
	return err
}
