package stack

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/identity"
	"twinbucket/internal/iam"
	"twinbucket/template"
)

// action is one thing done to one physical resource.
type action struct {
	*Engine
	caller   *iam.Caller
	stack    *Stack
	name     string // logical id
	typ      string
	physical string
	props    map[string]any // what it is to have; of a delete: what it has
	old      map[string]any // of an update: what it has
	tags     []Tag          // the stack's, to pass on
	oldTags  []Tag
	resumed  bool      // an earlier process may have done it, in part or in whole
	since    time.Time // when that was begun
}

// kind is a type of resource. Its functions do all or nothing, and doing
// something twice is doing it once.
type kind struct {
	// replace are the properties whose change needs a new resource.
	replace []string
	// tagged says that the stack's tags are passed on.
	tagged bool
	// attributes are what Fn::GetAtt knows.
	attributes []string
	// name returns the physical id of a resource to be made.
	name func(a *action) (string, error)
	// create makes the resource and returns its attributes.
	create func(ctx context.Context, a *action) (map[string]string, error)
	// update changes the resource and returns its attributes.
	update func(ctx context.Context, a *action) (map[string]string, error)
	// delete removes the resource; one that is gone is no error.
	delete func(ctx context.Context, a *action) error
}

// kindOf returns the kind of a type, false if there is none.
func kindOf(typ string) (kind, bool) {
	k, ok := kinds[typ]
	return k, ok
}

var kinds = map[string]kind{
	"AWS::IAM::AccessKey":           accessKeyKind,
	"AWS::IAM::Group":               groupKind,
	"AWS::IAM::GroupPolicy":         ownPolicyKind(identity.GroupKind),
	"AWS::IAM::ManagedPolicy":       managedPolicyKind,
	"AWS::IAM::Policy":              policyKind,
	"AWS::IAM::Role":                roleKind,
	"AWS::IAM::RolePolicy":          ownPolicyKind(identity.RoleKind),
	"AWS::IAM::User":                userKind,
	"AWS::IAM::UserPolicy":          ownPolicyKind(identity.UserKind),
	"AWS::IAM::UserToGroupAddition": additionKind,
	"AWS::S3::Bucket":               bucketKind,
	"AWS::S3::BucketPolicy":         bucketPolicyKind,
}

// checkTypes refuses a template that has resources of other types.
func checkTypes(t *template.Template) error {
	var strange []string
	for _, r := range t.Resources {
		if _, ok := kindOf(r.Type); !ok && !slices.Contains(strange, r.Type) {
			strange = append(strange, r.Type)
		}
	}
	if len(strange) == 0 {
		return nil
	}
	return fault.Newf(fault.Invalid, "ValidationError", "Template format error: Unrecognized resource types: [%s]", strings.Join(strange, ", ")).
		WithHint("the types known here are %s", strings.Join(slices.Sorted(maps.Keys(kinds)), ", "))
}

// service returns the name by which AWS's messages call the type's service.
func service(typ string) string {
	if strings.HasPrefix(typ, "AWS::S3::") {
		return "S3"
	}
	return "Iam"
}

// via are the condition keys of what CloudFormation does for a caller.
func (a *action) via(more map[string][]string) map[string][]string {
	m := map[string][]string{
		"aws:calledvia":       {"cloudformation.amazonaws.com"},
		"aws:calledviafirst":  {"cloudformation.amazonaws.com"},
		"aws:calledvialast":   {"cloudformation.amazonaws.com"},
		"aws:viaawsservice":   {"true"},
		"aws:requestedregion": {a.Region},
	}
	maps.Copy(m, more)
	return m
}

// allow asks whether the caller may do something in the stack's own account.
func (a *action) allow(act, resource string) error { return a.ask(act, resource, a.via(nil)) }

// ask asks whether the caller may do something of IAM in the stack's own
// account, with condition keys. IAM takes nothing of GetSessionToken and
// GetFederationToken: who has that cannot make a lasting key by way of a stack
// either.
func (a *action) ask(act, resource string, facts map[string][]string) error {
	if a.stack.Op.Actor.Temporary {
		return fault.New(fault.Unknown, "InvalidClientTokenId", "The security token included in the request is invalid").
			WithHint("IAM takes no sessions but those of roles: use a lasting access key, or assume a role")
	}
	return a.IAM.Authorize(a.caller, iam.Access{
		Action: act, Resource: resource, ResourceAccount: a.stack.Account, Context: facts,
	})
}

// allowBucket asks whether the caller may do something to a bucket.
func (a *action) allowBucket(b *bucket.Bucket, acts ...string) error {
	for _, act := range acts {
		err := a.IAM.Authorize(a.caller, iam.Access{
			Action: act, Resource: b.ARN(), ResourceAccount: b.Owner,
			Policy: b.Documents[bucket.Policy], Block: b.Documents[bucket.PublicAccessBlock], Context: a.via(nil),
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// generated returns a name made of the stack's, the logical id and random
// characters, at most most characters long.
func (a *action) generated(most int, lower bool) string {
	const random = 12
	room := (most - random - 2) / 2
	cut := func(s string) string { return strings.TrimRight(s[:min(len(s), room)], "-") }
	name := cut(a.stack.Name) + "-" + cut(a.name) + "-"
	if lower {
		return strings.ToLower(name) + a.suffix(random, false)
	}
	return name + a.suffix(random, true)
}

// The tags that CloudFormation puts on what it makes. They also tell, after a
// crash, whether a thing of the right name was made by the stack.
const (
	stackIDTag   = "aws:cloudformation:stack-id"
	stackNameTag = "aws:cloudformation:stack-name"
	logicalIDTag = "aws:cloudformation:logical-id"
)

// allTags returns the tags of a resource: its own, the stack's, and
// CloudFormation's.
func (a *action) allTags(own, stack []Tag) []Tag {
	tags := slices.Clone(own)
	add := func(t Tag) {
		if !slices.ContainsFunc(tags, func(x Tag) bool { return x.Key == t.Key }) {
			tags = append(tags, t)
		}
	}
	for _, t := range stack {
		add(t)
	}
	add(Tag{stackNameTag, a.stack.Name})
	add(Tag{stackIDTag, a.stack.ID})
	add(Tag{logicalIDTag, a.name})
	return tags
}

// alreadyExists is the failure of making what is there already.
func alreadyExists(thing string) error {
	return fault.Newf(fault.Exists, "AlreadyExists", "%s already exists", thing).On(thing).
		WithHint("choose another name, or delete the one that is there")
}

// lastPart returns what follows the last slash.
func lastPart(s string) string { return s[strings.LastIndexByte(s, '/')+1:] }
