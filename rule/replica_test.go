package rule_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"twinbucket/acl"
	"twinbucket/bucket"
	"twinbucket/object"
	"twinbucket/rule"
)

func TestReplica(t *testing.T) {
	t.Parallel()
	const on = "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>"
	const year = "<ObjectLockConfiguration><Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Years>1</Years></DefaultRetention></Rule></ObjectLockConfiguration>"
	made := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	granted := acl.List{{Group: acl.AllUsers, Permission: acl.Read}}
	base := object.Version{
		Bucket: "src", Key: "k", ID: "v", Modified: made, Owner: "writer", ACL: granted, Changes: 3,
		Status: object.Pending, Deliveries: []object.Delivery{{Bucket: "dst"}},
	}
	for _, tt := range []struct {
		name              string
		to                rule.Destination
		srcACLs, dstACLs  bool
		retention, marker bool
		want              func(*object.Version)
	}{
		{"everything is its source's", rule.Destination{}, true, true, false, false, func(*object.Version) {}},
		{"the source's owner owns all", rule.Destination{}, false, true, false, false, func(v *object.Version) { v.Owner, v.ACL = "source", nil }},
		{"the destination's owner owns all", rule.Destination{}, true, false, false, false, func(v *object.Version) { v.Owner, v.ACL = "destination", nil }},
		{"the rule changes the owner", rule.Destination{OwnerOverride: true}, true, true, false, false, func(v *object.Version) { v.Owner, v.ACL = "destination", nil }},
		{"the rule names a class", rule.Destination{StorageClass: "STANDARD_IA"}, true, true, false, false, func(v *object.Version) { v.Class = "STANDARD_IA" }},
		{"the destination retains", rule.Destination{}, true, true, true, false, func(v *object.Version) {
			v.Lock = object.Lock{Mode: object.Governance, Until: made.AddDate(1, 0, 0)}
		}},
		{"what is encrypted otherwise stays so", rule.Destination{ReplicaKmsKeyID: "alias/new"}, true, true, false, false, func(*object.Version) {}},
		{"markers are not retained", rule.Destination{}, true, true, true, true, func(v *object.Version) { v.Marker = true }},
	} {
		src := &bucket.Bucket{Name: "src", Owner: "source", Documents: map[bucket.Document][]byte{}}
		dst := &bucket.Bucket{Name: "dst", Owner: "destination", Documents: map[bucket.Document][]byte{}}
		for b, acls := range map[*bucket.Bucket]bool{src: tt.srcACLs, dst: tt.dstACLs} {
			if acls {
				b.Documents[bucket.OwnershipControls] = []byte(on)
			}
		}
		if tt.retention {
			dst.Documents[bucket.ObjectLock] = []byte(year)
		}
		v := base
		v.Marker = tt.marker
		want := base
		want.Bucket, want.Status, want.Deliveries, want.Changes = "dst", object.Replica, nil, 0
		tt.want(&want)
		if got := (&rule.Rule{Destination: tt.to}).Replica(&v, src, dst); cmp.Diff(&want, got) != "" {
			t.Errorf("%s: %s", tt.name, cmp.Diff(&want, got))
		}
	}
}

func TestReplicaUnderKMS(t *testing.T) {
	t.Parallel()
	src := &bucket.Bucket{Name: "src", Owner: "source"}
	r := &rule.Rule{Destination: rule.Destination{ReplicaKmsKeyID: "alias/new"}}
	v := &object.Version{Encryption: object.Encryption{Algorithm: object.KMS, KeyARN: "old", Context: "c", BucketKey: true}}
	for _, bucketKey := range []string{"true", "false"} {
		dst := &bucket.Bucket{Name: "dst", Owner: "destination", Documents: map[bucket.Document][]byte{
			bucket.Encryption: []byte("<ServerSideEncryptionConfiguration><Rule><BucketKeyEnabled>" + bucketKey + "</BucketKeyEnabled></Rule></ServerSideEncryptionConfiguration>"),
		}}
		want := object.Encryption{Algorithm: object.KMS, KeyARN: "alias/new", Context: "c", BucketKey: bucketKey == "true"}
		if got := r.Replica(v, src, dst).Encryption; got != want {
			t.Errorf("bucket keys %s: %+v", bucketKey, got)
		}
	}
}
