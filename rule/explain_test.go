package rule_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"twinbucket/object"
	"twinbucket/rule"
)

// TestExplainAgreesWithSelect draws rules and versions: what Explain calls
// selected is what Select selects, and all else has a reason.
func TestExplainAgreesWithSelect(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		texts := make([]string, rapid.IntRange(1, 5).Draw(t, "rules"))
		for i := range texts {
			pick := func(name string, from ...string) string { return rapid.SampledFrom(from).Draw(t, name) }
			filter := pick("filter", "<Prefix></Prefix>", "<Prefix>a</Prefix>", "<Prefix>ab</Prefix>", "<Tag><Key>k</Key><Value>v</Value></Tag>", "<And><Prefix>a</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And>")
			markers := "Disabled"
			if !strings.Contains(filter, "Tag") {
				markers = pick("markers", "Enabled", "Disabled")
			}
			texts[i] = "<Rule><Priority>" + string(rune('1'+i)) + "</Priority><Status>" + pick("status", "Enabled", "Enabled", "Disabled") + "</Status><SourceSelectionCriteria><ReplicaModifications><Status>" + pick("modifications", "Enabled", "Disabled") + "</Status></ReplicaModifications></SourceSelectionCriteria><Filter>" + filter + "</Filter><DeleteMarkerReplication><Status>" + markers + "</Status></DeleteMarkerReplication><Destination><Bucket>arn:aws:s3:::" + pick("destination", "dst-one", "dst-two") + "</Bucket></Destination></Rule>"
		}
		set, err := rule.Parse([]byte(document(texts...)))
		if err != nil {
			t.Fatal(err)
		}
		v := &object.Version{
			Key: rapid.SampledFrom([]string{"a", "abc", "b"}).Draw(t, "key"), Marker: rapid.Bool().Draw(t, "marker"),
			Status: rapid.SampledFrom([]object.Status{object.None, object.Replica}).Draw(t, "state"),
			Class:  rapid.SampledFrom([]string{"", "GLACIER"}).Draw(t, "class"),
		}
		if rapid.Bool().Draw(t, "tagged") {
			v.Tags = []object.Tag{{Key: "k", Value: "v"}}
		}
		if rapid.Bool().Draw(t, "kms") {
			v.Encryption.Algorithm = object.KMS
		}
		v.ByLifecycle = v.Marker && rapid.Bool().Draw(t, "lifecycle")
		want, changes := map[*rule.Rule]bool{}, map[*rule.Rule]bool{}
		for _, c := range set.Select(v) {
			want[c.Rule] = true
		}
		for _, c := range set.SelectChanges(v) {
			changes[c.Rule] = v.IsReplica()
		}
		if no := set.Obstacle(v); (no.Cause == 0) != (len(set.SelectExisting(v)) > 0) || (no.Cause == 0) != (no.String() == "") {
			t.Errorf("obstacle %+v, selected %v", no, set.SelectExisting(v))
		}
		for _, got := range set.Explain(v) {
			if got.Selected != want[got.Rule] || got.Selected != (got.Why == "") {
				t.Errorf("%s: %+v, selected is %t", got.Rule.ID, got, want[got.Rule])
			}
			if got.Changes != changes[got.Rule] || got.Changes && !strings.Contains(got.Why, "ReplicaModifications") {
				t.Errorf("%s: %+v, carries changes: %t", got.Rule.ID, got, changes[got.Rule])
			}
		}
	})
}

// TestObstacle: of several rules the one that is nearest to taking the version
// says what is in its way.
func TestObstacle(t *testing.T) {
	t.Parallel()
	made := func(priority, status, filter, markers, destination string) string {
		return "<Rule><ID>r" + priority + "</ID><Priority>" + priority + "</Priority><Status>" + status + "</Status><Filter>" + filter + "</Filter><DeleteMarkerReplication><Status>" + markers + "</Status></DeleteMarkerReplication><Destination><Bucket>arn:aws:s3:::" + destination + "</Bucket></Destination></Rule>"
	}
	const tagged = "<And><Prefix>logs/</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And>"
	set, err := rule.Parse([]byte(document(
		made("1", "Enabled", "<Prefix>a/</Prefix>", "Disabled", "dst-one"),
		made("2", "Enabled", tagged, "Disabled", "dst-one"),
		made("3", "Disabled", "<Prefix>off/</Prefix>", "Disabled", "dst-two"),
	)))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		v     object.Version
		cause rule.Cause
		rule  string
		why   string
	}{
		"taken":     {object.Version{Key: "a/x"}, 0, "", ""},
		"replica":   {object.Version{Key: "a/x", Status: object.Replica}, 0, "", ""},
		"prefix":    {object.Version{Key: "b"}, rule.OtherPrefix, "r1", `the key does not begin with "a/"`},
		"tag":       {object.Version{Key: "logs/x"}, rule.OtherTags, "r2", "the object has no tag k=v"},
		"disabled":  {object.Version{Key: "off/x"}, rule.WouldIfEnabled, "r3", "the rule is Disabled"},
		"marker":    {object.Version{Key: "a/x", Marker: true}, rule.NoDeleteMarkers, "r1", "it is a delete marker, and DeleteMarkerReplication is Disabled"},
		"kms":       {object.Version{Key: "a/x", Encryption: object.Encryption{Algorithm: object.KMS}}, rule.NoKMS, "r1", "it is encrypted under a key of KMS, and SseKmsEncryptedObjects is not Enabled"},
		"archived":  {object.Version{Key: "a/x", Class: "GLACIER"}, rule.Archived, "r1", "its storage class is GLACIER: archived objects are not read"},
		"not there": {object.Version{Key: "b", Class: "GLACIER"}, rule.OtherPrefix, "r1", `the key does not begin with "a/"`},
	} {
		no := set.Obstacle(&c.v)
		if no.Cause != c.cause || no.String() != c.why || c.rule != "" && no.Rule.ID != c.rule {
			t.Errorf("%s: %d of %+v: %s", name, no.Cause, no.Rule, no)
		}
	}
}
