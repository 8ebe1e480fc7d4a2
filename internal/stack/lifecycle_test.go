package stack

import (
	"strings"
	"testing"

	"twinbucket/bucket"
	"twinbucket/setting"
)

// bucketWith is a template with the bucket bkt and some more of its properties.
func bucketWith(properties string) string {
	return "Resources: {B: {Type: AWS::S3::Bucket, Properties: {BucketName: bkt" + properties + "}}}\n"
}

// TestLifecycleRules: what each form of a rule in a template becomes.
func TestLifecycleRules(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ rule, want string }{
		{"ExpirationInDays: 3", "<Filter><Prefix></Prefix></Filter><Status>Enabled</Status><Expiration><Days>3</Days></Expiration>"},
		{"Prefix: a/, ExpirationDate: 2030-01-31T00:00:00Z", "<Filter><Prefix>a/</Prefix></Filter><Status>Enabled</Status><Expiration><Date>2030-01-31T00:00:00.000Z</Date></Expiration>"},
		{"ExpiredObjectDeleteMarker: true", "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"},
		{"TagFilters: [{Key: k, Value: v}], ExpirationInDays: 3", "<Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter>"},
		{"ObjectSizeGreaterThan: \"500\", ExpirationInDays: 3", "<Filter><ObjectSizeGreaterThan>500</ObjectSizeGreaterThan></Filter>"},
		{
			"Prefix: a/, TagFilters: [{Key: k, Value: v}], ObjectSizeGreaterThan: \"5\", ObjectSizeLessThan: \"9\", ExpirationInDays: 3",
			"<Filter><And><Prefix>a/</Prefix><Tag><Key>k</Key><Value>v</Value></Tag><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan><ObjectSizeLessThan>9</ObjectSizeLessThan></And></Filter>",
		},
		{"NoncurrentVersionExpirationInDays: 4", "<NoncurrentVersionExpiration><NoncurrentDays>4</NoncurrentDays></NoncurrentVersionExpiration>"},
		{
			"NoncurrentVersionExpiration: {NoncurrentDays: 4, NewerNoncurrentVersions: 2}",
			"<NoncurrentVersionExpiration><NewerNoncurrentVersions>2</NewerNoncurrentVersions><NoncurrentDays>4</NoncurrentDays></NoncurrentVersionExpiration>",
		},
		{"AbortIncompleteMultipartUpload: {DaysAfterInitiation: 7}", "<AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload>"},
		{"Transition: {StorageClass: GLACIER, TransitionInDays: 1}", "<Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition>"},
		{"Transition: {StorageClass: GLACIER, TransitionDate: 2030-01-31}", "<Transition><Date>2030-01-31T00:00:00.000Z</Date><StorageClass>GLACIER</StorageClass></Transition>"},
		{
			"Transitions: [{StorageClass: STANDARD_IA, TransitionInDays: 30}, {StorageClass: GLACIER, TransitionInDays: 60}]",
			"<Transition><Days>30</Days><StorageClass>STANDARD_IA</StorageClass></Transition><Transition><Days>60</Days><StorageClass>GLACIER</StorageClass></Transition>",
		},
		{
			"NoncurrentVersionTransition: {StorageClass: GLACIER, TransitionInDays: 5}",
			"<NoncurrentVersionTransition><NoncurrentDays>5</NoncurrentDays><StorageClass>GLACIER</StorageClass></NoncurrentVersionTransition>",
		},
		{
			"NoncurrentVersionTransitions: [{StorageClass: GLACIER, TransitionInDays: 5, NewerNoncurrentVersions: 3}]",
			"<NoncurrentVersionTransition><NewerNoncurrentVersions>3</NewerNoncurrentVersions><NoncurrentDays>5</NoncurrentDays><StorageClass>GLACIER</StorageClass></NoncurrentVersionTransition>",
		},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			s := e.create(source, "s", bucketWith(", LifecycleConfiguration: {Rules: [{Id: one, Status: Enabled, "+c.rule+"}]}"))
			e.want(s, CreateComplete, "")
			if got := string(e.bucket("bkt").Documents[bucket.Lifecycle]); !strings.Contains(got, "<ID>one</ID>") || !strings.Contains(got, c.want) {
				t.Errorf("got %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestLifecycleComesAndGoes(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.want(e.create(source, "s", bucketWith("")), CreateComplete, "")
	const rules = "Rules: [{Status: Disabled, ExpirationInDays: 3}]"
	e.want(e.update(source, "s", bucketWith(", LifecycleConfiguration: {TransitionDefaultMinimumObjectSize: varies_by_storage_class, "+rules+"}")), UpdateComplete, "")
	b := e.bucket("bkt")
	if got := string(b.Documents[bucket.Lifecycle]); !strings.Contains(got, "<Status>Disabled</Status>") {
		t.Errorf("%s", got)
	}
	if got := string(b.Documents[bucket.TransitionSize]); got != "varies_by_storage_class" {
		t.Errorf("smallest object %q", got)
	}
	e.want(e.update(source, "s", bucketWith(", LifecycleConfiguration: {"+rules+"}")), UpdateComplete, "")
	if _, set := e.bucket("bkt").Documents[bucket.TransitionSize]; set {
		t.Error("the smallest object is still set")
	}
	e.want(e.update(source, "s", bucketWith("")), UpdateComplete, "")
	if _, set := e.bucket("bkt").Documents[bucket.Lifecycle]; set {
		t.Error("the lifecycle configuration is still there")
	}
}

// TestObjectLock: a bucket with Object Lock is versioned, its default retention
// comes and goes with the template, and Object Lock itself stays.
func TestObjectLock(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	const retained = ", ObjectLockConfiguration: {ObjectLockEnabled: Enabled, Rule: {DefaultRetention: {Mode: GOVERNANCE, Days: 5}}}"
	e.want(e.create(source, "s", bucketWith(", ObjectLockEnabled: true"+retained)), CreateComplete, "")
	b := e.bucket("bkt")
	if b.Versioning != bucket.Enabled || b.DefaultRetention() != (bucket.Retention{Mode: "GOVERNANCE", Days: 5}) {
		t.Errorf("%q, %+v", b.Versioning, b.DefaultRetention())
	}
	e.want(e.update(source, "s", bucketWith(", ObjectLockEnabled: true")), UpdateComplete, "")
	if b = e.bucket("bkt"); !b.Locked() || b.DefaultRetention() != (bucket.Retention{}) {
		t.Errorf("locked %v, %+v", b.Locked(), b.DefaultRetention())
	}
	// Without Object Lock it would be another bucket, which has another name.
	s := e.update(source, "s", bucketWith(""))
	e.want(s, UpdateRollbackComplete, "")
	if story := e.story(s); !strings.Contains(story, "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename bkt") {
		t.Error(story)
	}

	// A versioned bucket gets it, and keeps it.
	versioned := func(more string) string {
		return strings.ReplaceAll(bucketWith(", VersioningConfiguration: {Status: Enabled}"+more), "bkt", "old")
	}
	e.want(e.create(source, "t", versioned("")), CreateComplete, "")
	e.want(e.update(source, "t", versioned(retained)), UpdateComplete, "")
	if b = e.bucket("old"); b.DefaultRetention().Days != 5 {
		t.Errorf("%+v", b.DefaultRetention())
	}
	e.want(e.update(source, "t", versioned("")), UpdateComplete, "")
	if b = e.bucket("old"); !b.Locked() || b.DefaultRetention() != (bucket.Retention{}) {
		t.Errorf("locked %v, %+v", b.Locked(), b.DefaultRetention())
	}
}

func TestAccessControl(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	const writers = ", OwnershipControls: {Rules: [{ObjectOwnership: ObjectWriter}]}"
	e.want(e.create(source, "s", bucketWith(", AccessControl: PublicRead"+writers)), CreateComplete, "")
	if list := setting.List(e.bucket("bkt")); !list.Public() {
		t.Errorf("%+v", list)
	}
	e.want(e.update(source, "s", bucketWith(", AccessControl: LogDeliveryWrite"+writers)), UpdateComplete, "")
	if list := setting.List(e.bucket("bkt")); list.Public() || len(list) != 3 {
		t.Errorf("%+v", list)
	}
	e.want(e.update(source, "s", bucketWith(writers)), UpdateComplete, "")
	if list := setting.List(e.bucket("bkt")); list != nil {
		t.Errorf("%+v", list)
	}
}
