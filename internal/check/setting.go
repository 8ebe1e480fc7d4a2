package check

import (
	"encoding/json"
	"strings"

	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/rule"
	"twinbucket/setting"
)

// settings are the settings of buckets that fixes set: as a property of
// AWS::S3::Bucket, JSON, and as a command of the AWS CLI.
var settings = map[bucket.Document]struct {
	property string
	value    func(*target) string

	command, flag string
	argument      func(*target) string
}{
	versioning: {
		"VersioningConfiguration", constant(`{"Status":"Enabled"}`),
		"put-bucket-versioning", "--versioning-configuration", constant(`{"Status":"Enabled"}`),
	},
	bucket.ObjectLock: {
		"ObjectLockEnabled", constant("true"),
		"put-object-lock-configuration", "--object-lock-configuration", constant(`{"ObjectLockEnabled":"Enabled"}`),
	},
	bucket.PublicAccessBlock: {
		"PublicAccessBlockConfiguration", asItIs,
		"put-public-access-block", "--public-access-block-configuration", asItIs,
	},
	bucket.Replication: {
		"ReplicationConfiguration", func(t *target) string { return strings.Replace(t.text, `"ID":`, `"Id":`, 1) },
		"put-bucket-replication", "--replication-configuration", asItIs,
	},
}

func constant(s string) func(*target) string { return func(*target) string { return s } }

func asItIs(t *target) string { return t.text }

// setting is a setting of the bucket as it should be.
func (p *place) setting(d bucket.Document) target {
	t := target{account: p.Owner, kind: bucketSetting, name: p.Name, region: p.Region, policy: string(d)}
	if d == bucket.PublicAccessBlock {
		block := map[string]bool{"RestrictPublicBuckets": false}
		for _, name := range []string{"BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy"} {
			block[name] = setting.Blocks(&p.Bucket, name)
		}
		t.text = string(encode(block))
	}
	return t
}

// configuration is the setting of a replication configuration of one rule.
func (p *place) configuration(role string, r *rule.Rule) target {
	type destination struct {
		Bucket  string
		Account string `json:",omitempty"`
	}
	type status struct{ Status rule.Status }
	type ruleJSON struct {
		ID                      string
		Priority                int
		Status                  rule.Status
		Filter                  struct{ Prefix string }
		DeleteMarkerReplication status
		Destination             destination
	}
	t := target{account: p.Owner, kind: bucketSetting, name: p.Name, region: p.Region, policy: string(bucket.Replication)}
	t.text = string(encode(struct {
		Role  string
		Rules []ruleJSON
	}{role, []ruleJSON{{
		ID: r.ID, Priority: *r.Priority, Status: r.Status, DeleteMarkerReplication: status{r.DeleteMarkerReplication},
		Destination: destination{r.Destination.Bucket, r.Destination.Account},
	}}}))
	return t
}

// planned is the rule for a destination that no configuration names yet.
func planned(dst *place) *rule.Rule {
	return &rule.Rule{
		ID: "everything", Priority: new(1), Status: rule.Enabled, Filter: &rule.Filter{}, DeleteMarkerReplication: rule.Disabled,
		Destination: rule.Destination{Bucket: arn.Bucket(dst.Name), Account: dst.Owner},
	}
}

// set is the fix that sets a setting of the bucket.
func (t target) set(do Do) []Fix {
	f := Fix{Account: t.account, Document: t.document(), Do: do, target: t}
	if t.text != "" && t.kind == bucketSetting {
		f.Statement = json.RawMessage(t.text)
	}
	f.CloudFormation = fragment([]Fix{f})
	return []Fix{f}
}
