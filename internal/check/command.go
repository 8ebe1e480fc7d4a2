package check

import (
	"strings"

	"twinbucket/arn"
	"twinbucket/bucket"
)

// command is what changes the target of a group of fixes, for the AWS CLI in a
// shell.
func command(g []Fix) string {
	t := &g[0].target
	switch t.kind {
	case bucketDocument:
		doc := merged(g)
		if len(doc.Statement) == 0 {
			return "aws s3api delete-bucket-policy --bucket " + t.name
		}
		return "aws s3api put-bucket-policy --bucket " + t.name + " --policy " + quote(encode(doc))
	case wholeBucket:
		return "aws s3 mb s3://" + t.name + " && aws s3api put-bucket-versioning --bucket " + t.name + " --versioning-configuration Status=Enabled"
	case trustDocument:
		return "aws iam update-assume-role-policy --role-name " + t.name + " --policy-document " + quote(encode(merged(g)))
	case managedDocument:
		return managedCommand(g)
	case newInline, inlineDocument:
		return inlineCommand(g)
	case wholeRole:
		return roleCommand(g)
	}
	set := settings[bucket.Document(t.policy)]
	return "aws s3api " + set.command + " --bucket " + t.name + " " + set.flag + " " + quote([]byte(set.argument(t)))
}

// of is the option that names an identity to a command.
func (t *target) of() string { return " --" + t.word() + "-name " + t.name }

// word is the kind of an identity as commands have it.
func (t *target) word() string { return strings.ToLower(t.identity.Word()) }

func inlineCommand(g []Fix) string {
	t := &g[0].target
	doc := merged(g)
	if len(doc.Statement) == 0 {
		return "aws iam delete-" + t.word() + "-policy" + t.of() + " --policy-name " + t.policy
	}
	return "aws iam put-" + t.word() + "-policy" + t.of() + " --policy-name " + t.inlineName(g) + " --policy-document " + quote(encode(doc))
}

func roleCommand(g []Fix) string {
	t := &g[0].target
	trust, inline := roleDocuments(g)
	made := "aws iam create-role" + t.of() + " --path " + t.path + " --assume-role-policy-document " + quote(trust)
	if inline == nil {
		return made
	}
	return made + " && aws iam put-role-policy" + t.of() + " --policy-name " + t.inlineName(g) + " --policy-document " + quote(inline)
}

// managedCommand changes a managed policy; one of AWS's, which nobody can
// change, is replaced.
func managedCommand(g []Fix) string {
	t := &g[0].target
	doc := quote(encode(merged(g)))
	a, err := arn.Parse(t.policy)
	if err == nil && a.Account == t.account {
		return "aws iam create-policy-version --set-as-default --policy-arn " + t.policy + " --policy-document " + doc
	}
	if !t.boundary {
		return "aws iam detach-" + t.word() + "-policy" + t.of() + " --policy-arn " + t.policy
	}
	name := t.name + "-boundary"
	return "aws iam create-policy --policy-name " + name + " --policy-document " + doc +
		" && aws iam put-" + t.word() + "-permissions-boundary" + t.of() + " --permissions-boundary " + arn.Policy(t.account, "/", name)
}

// quote makes one word of the shell.
func quote(s []byte) string { return "'" + strings.ReplaceAll(string(s), "'", `'\''`) + "'" }
