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
