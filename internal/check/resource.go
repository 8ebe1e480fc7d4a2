package check

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"twinbucket/bucket"
)

// resources is the Resources section that makes groups of fixes.
func resources(groups [][]Fix) *yaml.Node {
	out := mapping()
	buckets := map[string]string{} // the logical ids of new ones
	for _, g := range groups {
		t := &g[0].target
		id := logicalID(t)
		for n := 2; slices.ContainsFunc(out.Content, func(c *yaml.Node) bool { return c.Value == id }); n++ {
			id = fmt.Sprintf("%s%d", logicalID(t), n)
		}
		made := resource(g)
		switch {
		case t.kind == wholeBucket:
			buckets[t.name] = id
		case t.kind == bucketDocument && buckets[t.name] != "":
			made.Content = append(made.Content, text("DependsOn"), text(buckets[t.name]))
		}
		out.Content = append(out.Content, text(id), made)
	}
	return out
}

// fragment is the Resources section of one group of fixes, YAML.
func fragment(g []Fix) string { return render(resources([][]Fix{g})) }

// resource is the resource of a group of fixes: what a template that has it
// should say.
func resource(g []Fix) *yaml.Node {
	t := &g[0].target
	switch t.kind {
	case newInline, inlineDocument:
		return mapping("Type", text("AWS::IAM::Policy"), "Properties", mapping(
			"PolicyName", text(t.inlineName(g)),
			t.identity.Word()+"s", list(text(t.name)),
			"PolicyDocument", fromJSON(encode(merged(g)))))
	case managedDocument:
		return mapping("Type", text("AWS::IAM::ManagedPolicy"), "Properties", mapping("PolicyDocument", fromJSON(encode(merged(g)))))
	case trustDocument:
		return mapping("Type", text("AWS::IAM::Role"), "Properties", mapping(
			"RoleName", text(t.name), "AssumeRolePolicyDocument", fromJSON(encode(merged(g)))))
	case bucketDocument:
		return mapping("Type", text("AWS::S3::BucketPolicy"), "Properties", mapping(
			"Bucket", text(t.name), "PolicyDocument", fromJSON(encode(merged(g)))))
	case wholeRole:
		return newRole(g)
	case wholeBucket:
		return mapping("Type", text("AWS::S3::Bucket"), "DeletionPolicy", text("Retain"), "UpdateReplacePolicy", text("Retain"),
			"Properties", mapping("BucketName", text(t.name), "VersioningConfiguration", mapping("Status", text("Enabled"))))
	}
	set := settings[bucket.Document(t.policy)]
	return mapping("Type", text("AWS::S3::Bucket"), "Properties", mapping("BucketName", text(t.name), set.property, fromJSON([]byte(set.value(t)))))
}

// newRole is a role that is not there, with what it needs.
func newRole(g []Fix) *yaml.Node {
	t := &g[0].target
	properties := mapping("RoleName", text(t.name))
	if t.path != "/" {
		properties.Content = append(properties.Content, text("Path"), text(t.path))
	}
	trust, grants := roleDocuments(g)
	if trust != nil {
		properties.Content = append(properties.Content, text("AssumeRolePolicyDocument"), fromJSON(trust))
	}
	if grants != nil {
		properties.Content = append(properties.Content, text("Policies"), list(mapping(
			"PolicyName", text(t.inlineName(g)), "PolicyDocument", fromJSON(grants))))
	}
	return mapping("Type", text("AWS::IAM::Role"), "Properties", properties)
}

// roleDocuments returns the trust policy and the inline policy of a role that
// is not there, as far as the fixes say; nil for none.
func roleDocuments(g []Fix) (trust, inline json.RawMessage) {
	var grants []Fix
	for _, f := range g {
		if f.Do == Create {
			trust = encode(document{Version: policyVersion, Statement: []json.RawMessage{f.Statement}})
		} else {
			grants = append(grants, f)
		}
	}
	if grants != nil {
		inline = encode(merged(grants))
	}
	return trust, inline
}

// inlineName is the name of the inline policy that a group of fixes makes or
// changes.
func (t *target) inlineName(g []Fix) string {
	if t.kind == inlineDocument {
		return t.policy
	}
	name := t.policy
	if len(g) > 1 {
		name = "replication-needs"
	}
	for base, n := name, 2; slices.Contains(t.taken, name); n++ {
		name = fmt.Sprintf("%s-%d", base, n)
	}
	return name
}

// logicalID is the name of a target's resource in a template.
func logicalID(t *target) string {
	kind := map[targetKind]string{
		newInline: "PolicyOf", inlineDocument: "PolicyOf", managedDocument: "ManagedPolicy", trustDocument: "Role",
		bucketDocument: "PolicyOfBucket", wholeRole: "Role", wholeBucket: "Bucket", bucketSetting: "Bucket",
	}[t.kind]
	name := t.name
	if t.kind == managedDocument {
		name = t.policy[strings.LastIndexByte(t.policy, '/')+1:]
	}
	var b strings.Builder
	up := true
	for _, c := range name {
		switch {
		case c >= 'a' && c <= 'z' && up:
			b.WriteRune(c - 'a' + 'A')
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
			b.WriteRune(c)
		default:
			up = true
			continue
		}
		up = false
	}
	return kind + b.String()
}
