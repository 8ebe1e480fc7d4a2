package replicate_test

import (
	"strings"
	"testing"
	"time"

	"twinbucket/acl"
	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/internal/store"
	"twinbucket/internal/testenv"
	"twinbucket/object"
)

// changing has a source and a destination of one account, with Object Lock and
// ACLs, and a version that was delivered.
func changing(t *testing.T) (*testenv.Env, *store.Object) {
	t.Helper()
	e := testenv.New(t)
	ways(e, []string{"aaa", "bbb"}, way{"aaa", "bbb", false})
	o := e.Put("aaa", "k", "x")
	_, err := e.Store.Deliver(t.Context(), e.Replicate.Plan(o))
	e.Must(err)
	return e, e.Head("aaa", "k", o.ID)
}

// set changes one aspect of a version.
func set(e *testenv.Env, o *store.Object, what object.Aspects) *store.Object {
	e.T.Helper()
	ctx := e.T.Context()
	var err error
	switch what {
	case object.AspectTags:
		o, err = e.Store.SetTags(ctx, o.Bucket, o.Key, o.ID, []object.Tag{{Key: "k", Value: "new"}})
	case object.AspectACL:
		o, err = e.Store.SetACL(ctx, o.Bucket, o.Key, o.ID, acl.List{{Group: acl.AllUsers, Permission: acl.Read}})
	case object.AspectRetention:
		o, err = e.Store.SetRetention(ctx, o.Bucket, o.Key, o.ID, store.Retention{Mode: object.Governance, Until: time.Now().UTC().Add(time.Hour)})
	case object.AspectHold:
		o, err = e.Store.SetLegalHold(ctx, o.Bucket, o.Key, o.ID, true)
	}
	e.Must(err)
	return o
}

// carry makes the deliveries of a version that wait.
func carry(e *testenv.Env, o *store.Object) *store.Object {
	e.T.Helper()
	_, err := e.Store.Deliver(e.T.Context(), e.Replicate.Plan(o))
	e.Must(err)
	return e.Head(o.Bucket, o.Key, o.ID)
}

// TestRightsOfChanges takes from each change the rights that it needs, one
// after the other, and leaves it those that it does not need.
func TestRightsOfChanges(t *testing.T) {
	t.Parallel()
	from, to := arn.Object("aaa", "*"), arn.Object("bbb", "*")
	const configuration = "s3:GetReplicationConfiguration arn:aws:s3:::aaa"
	for _, tt := range []struct {
		what             object.Aspects
		read, write      string
		unread, unwriten string
	}{
		{object.AspectTags, "s3:GetObjectVersionTagging", "s3:ReplicateTags", "SrcGetTaggingNotPermitted", "DstPutTaggingNotPermitted"},
		{object.AspectACL, "s3:GetObjectVersionAcl", "s3:ReplicateObject", "SrcGetAclNotPermitted", "DstPutAclNotPermitted"},
		{object.AspectRetention, "s3:GetObjectRetention", "s3:PutObjectRetention", "SrcGetRetentionNotPermitted", "DstPutRetentionNotPermitted"},
		{object.AspectHold, "s3:GetObjectLegalHold", "s3:PutObjectLegalHold", "SrcGetLegalHoldNotPermitted", "DstPutLegalHoldNotPermitted"},
	} {
		t.Run(tt.what.String(), func(t *testing.T) {
			t.Parallel()
			read, write := tt.read+" "+from, "s3:ReplicateObject "+to
			for _, c := range []struct {
				grants []string
				code   string
			}{
				{[]string{configuration, read, write}, ""},
				{[]string{read, write}, "SrcBucketReplicationConfigMissing"},
				{[]string{configuration, write}, tt.unread},
				{[]string{configuration, read}, tt.unwriten},
				{[]string{configuration, read, write, "!" + tt.write + " " + to}, tt.unwriten},
				{[]string{configuration, read, write, "!s3:GetObjectVersionForReplication,s3:GetObjectVersion *"}, ""},
			} {
				e, o := changing(t)
				e.Role("repl", "s3.amazonaws.com", c.grants...)
				if o = set(e, o, tt.what); o.Status != object.Pending {
					t.Errorf("when it is changed: %s", o.Status)
				}
				o = carry(e, o)
				if d := o.Deliveries[0]; d.Code != c.code || (o.Status == object.Completed) != (c.code == "") {
					t.Errorf("%v: %s, %+v; want %q", c.grants, o.Status, d, c.code)
				}
				if r := e.Head("bbb", "k", o.ID); r.Status != object.Replica || (r.Changes > 0) != (c.code == "") {
					t.Errorf("%v: the replica: %+v", c.grants, r.Version)
				}
			}
		})
	}
}

// TestChangesAlone: what else may be between a change and its destination.
func TestChangesAlone(t *testing.T) {
	t.Parallel()
	const tagged = `<Filter><Tag><Key>k</Key><Value>new</Value></Tag></Filter>`
	for _, tt := range []struct {
		name   string
		what   object.Aspects
		before func(*testenv.Env, *store.Object) // the change
		after  func(*testenv.Env, *store.Object)
		status object.Status
		code   string
		taken  bool // the replica has the change
	}{
		{name: "nothing", what: object.AspectTags, status: object.Completed, taken: true},
		{name: "the replica is gone", what: object.AspectTags, before: func(e *testenv.Env, o *store.Object) {
			_, err := e.Store.Delete(e.T.Context(), "bbb", "k", o.ID, testenv.Source)
			e.Must(err)
		}, status: object.Failed, code: "DstVersionNotFound"},
		{name: "the destination is gone", what: object.AspectTags, before: func(e *testenv.Env, o *store.Object) {
			_, err := e.Store.Delete(e.T.Context(), "bbb", "k", o.ID, testenv.Source)
			e.Must(err)
			e.Must(e.Store.DeleteBucket(e.T.Context(), "bbb"))
		}, status: object.Failed, code: "DstBucketNotFound"},
		{name: "the destination was made anew", what: object.AspectTags, before: func(e *testenv.Env, o *store.Object) {
			_, err := e.Store.Delete(e.T.Context(), "bbb", "k", o.ID, testenv.Source)
			e.Must(err)
			e.Must(e.Store.DeleteBucket(e.T.Context(), "bbb"))
			e.Bucket("bbb", testenv.Source)
			locking(e, "bbb", "")
		}, status: object.Failed, code: "DstVersionNotFound"},
		{name: "the rule is gone", what: object.AspectTags, before: func(e *testenv.Env, _ *store.Object) {
			e.Document("aaa", bucket.Replication, "")
		}, status: object.Completed},
		{name: "the rule goes meanwhile", what: object.AspectTags, after: func(e *testenv.Env, _ *store.Object) {
			e.Document("aaa", bucket.Replication, "")
		}, status: object.Failed, code: "SrcBucketReplicationConfigMissing"},
		{name: "the rule takes other tags", what: object.AspectHold, before: func(e *testenv.Env, _ *store.Object) {
			reconfigure(e, "<Filter/>", tagged)
		}, status: object.Completed},
		{name: "an ACL, and the destination owns all", what: object.AspectACL, before: func(e *testenv.Env, _ *store.Object) {
			e.Document("bbb", bucket.OwnershipControls, "<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></OwnershipControls>")
		}, status: object.Completed},
		{name: "an ACL, and the rule changes the owner", what: object.AspectACL, before: func(e *testenv.Env, _ *store.Object) {
			reconfigure(e, "</Destination>", "<Account>"+testenv.Source+"</Account><AccessControlTranslation><Owner>Destination</Owner></AccessControlTranslation></Destination>")
		}, status: object.Completed},
		{name: "tags, and the rule names another class", what: object.AspectTags, before: func(e *testenv.Env, _ *store.Object) {
			reconfigure(e, "</Destination>", "<StorageClass>STANDARD_IA</StorageClass></Destination>")
		}, status: object.Completed, taken: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e, o := changing(t)
			was := e.Head("bbb", "k", o.ID)
			if tt.before != nil {
				tt.before(e, o)
			}
			o = set(e, o, tt.what)
			if tt.after != nil {
				tt.after(e, o)
			}
			o = carry(e, o)
			if d := o.Deliveries[0]; o.Status != tt.status || d.Code != tt.code || d.Code != "" && d.Reason == "" {
				t.Errorf("%s, %+v", o.Status, d)
			}
			r, err := e.Store.Head(t.Context(), "bbb", "k", o.ID)
			if err != nil {
				if tt.status != object.Failed {
					t.Error(err)
				}
				return
			}
			if (r.Changes > 0) != tt.taken || r.Class != was.Class || r.Owner != was.Owner || r.Status != object.Replica {
				t.Errorf("the replica: %+v", r.Version)
			}
		})
	}
}

// reconfigure replaces a part of the source's configuration.
func reconfigure(e *testenv.Env, old, now string) {
	e.T.Helper()
	b, err := e.Store.Bucket("aaa")
	e.Must(err)
	e.Document("aaa", bucket.Replication, strings.Replace(string(b.Documents[bucket.Replication]), old, now, 1))
}

// TestChangesOfWhatIsUnfinished: with a version that is on its way its changes
// go; one that failed stays failed; and one destination does not wait for another.
func TestChangesOfWhatIsUnfinished(t *testing.T) {
	t.Parallel()
	e := testenv.New(t)
	ways(e, []string{"aaa", "bbb", "ccc"}, way{"aaa", "bbb", false}, way{"aaa", "ccc", false})
	o := e.Put("aaa", "k", "x")
	set(e, o, object.AspectTags)
	e.Role("repl", "s3.amazonaws.com", "!s3:ReplicateObject "+arn.Object("ccc", "*"), "s3:* *")
	o = carry(e, e.Head("aaa", "k", o.ID))
	if o.Status != object.Failed || len(e.Head("bbb", "k", o.ID).Tags) != 1 {
		t.Fatalf("%+v", o.Version)
	}
	if o = set(e, o, object.AspectHold); o.Status != object.Pending || o.Deliveries[0].Status != object.Pending || o.Deliveries[1].Code != "DstPutObjectNotPermitted" {
		t.Fatalf("%+v", o.Version)
	}
	if o = carry(e, o); o.Status != object.Failed || o.Deliveries[0].Status != object.Completed || !e.Head("bbb", "k", o.ID).Lock.Hold {
		t.Errorf("%+v", o.Version)
	}
	// What was put before it matched is not picked up when it does.
	reconfigure(e, "<Filter/>", "<Filter><Tag><Key>k</Key><Value>new</Value></Tag></Filter>")
	late := set(e, carry(e, e.Put("aaa", "late", "x")), object.AspectTags)
	if len(late.Deliveries) != 1 || late.Deliveries[0].Bucket != "ccc" {
		t.Errorf("%+v", late.Version)
	}
	late = carry(e, late)
	// A source that is deleted meanwhile takes its change along.
	gone := e.Head("bbb", "k", o.ID)
	planned := e.Replicate.Plan(set(e, o, object.AspectTags))
	_, err := e.Store.SetLegalHold(t.Context(), "aaa", "k", o.ID, false)
	e.Must(err)
	_, err = e.Store.Delete(t.Context(), "aaa", "k", o.ID, testenv.Source)
	e.Must(err)
	out, err := e.Store.Deliver(t.Context(), planned)
	e.Must(err)
	if out[0].Code != "SrcVersionNotFound" || late.Status != object.Failed || e.Head("bbb", "k", o.ID).Changes != gone.Changes || !idle(e) {
		t.Errorf("%+v", out)
	}
}
