package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"

	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/policy"
)

// bucketPolicyKind is AWS::S3::BucketPolicy; its physical id is the bucket's name.
var bucketPolicyKind = kind{
	replace: []string{"Bucket"},
	name: func(a *action) (string, error) {
		p := read(a.typ, a.props)
		return p.need("Bucket"), *p.err
	},
	create: createBucketPolicy,
	update: putBucketPolicy,
	delete: deleteBucketPolicy,
}

// wantPolicy reads and checks the properties of a bucket policy.
func wantPolicy(a *action) ([]byte, error) {
	p := read(a.typ, a.props)
	p.need("Bucket")
	data := p.document("PolicyDocument")
	if data == nil {
		p.fail("Property PolicyDocument cannot be empty.")
	}
	if err := p.done(); err != nil {
		return nil, err
	}
	doc, err := policy.Parse(data, policy.Resource)
	if err != nil {
		return nil, err
	}
	if err := doc.CheckBucket(a.physical); err != nil {
		return nil, err
	}
	return data, a.IAM.CheckPrincipals(doc)
}

// allowPolicy asks whether the caller may do something to a bucket's policy.
// Nobody but the owner's account may, and its root user always may.
func (a *action) allowPolicy(b *bucket.Bucket, act string) error {
	if b.Owner != a.stack.Account {
		return fault.New(fault.Unsupported, "MethodNotAllowed", "The specified method is not allowed against this resource.").On(b.Name).
			WithHint("only account %s, the owner of %s, may use its policy; the stack is of account %s", b.Owner, b.Name, a.stack.Account)
	}
	if a.caller.ARN == arn.Root(b.Owner) {
		return nil
	}
	return a.allowBucket(b, act)
}

func createBucketPolicy(ctx context.Context, a *action) (map[string]string, error) {
	b, err := a.Store.Bucket(a.physical)
	if err != nil {
		return nil, err
	}
	if have := b.Documents[bucket.Policy]; have != nil {
		data, err := wantPolicy(a)
		if err != nil {
			return nil, err
		}
		if a.resumed && bytes.Equal(have, data) {
			return nil, nil
		}
		return nil, fault.Newf(fault.Exists, "AlreadyExists", "The bucket policy already exists on bucket %s.", b.Name).On(b.Name).
			WithHint("delete it with aws s3api delete-bucket-policy, or keep it out of the template")
	}
	return putBucketPolicy(ctx, a)
}

func putBucketPolicy(ctx context.Context, a *action) (map[string]string, error) {
	data, err := wantPolicy(a)
	if err != nil {
		return nil, err
	}
	return nil, a.Store.UpdateBucket(ctx, a.physical, func(b *bucket.Bucket) error {
		if err := a.allowPolicy(b, "s3:PutBucketPolicy"); err != nil {
			return err
		}
		block := b.Documents[bucket.PublicAccessBlock]
		if bytes.Contains(block, []byte("<BlockPublicPolicy>true<")) && public(data) {
			return fault.Newf(fault.Denied, "AccessDenied",
				"User: %s is not authorized to perform: s3:PutBucketPolicy on resource: %q because public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access.", a.caller.ARN, b.ARN()).
				WithHint("name accounts or roles in Principal, or take BlockPublicPolicy out of the bucket's public access block")
		}
		b.Documents[bucket.Policy] = data
		return nil
	})
}

func deleteBucketPolicy(ctx context.Context, a *action) error {
	err := a.Store.UpdateBucket(ctx, a.physical, func(b *bucket.Bucket) error {
		if b.Documents[bucket.Policy] == nil {
			return nil
		}
		if err := a.allowPolicy(b, "s3:DeleteBucketPolicy"); err != nil {
			return err
		}
		delete(b.Documents, bucket.Policy)
		return nil
	})
	if isNotFound(err) {
		return nil
	}
	return err
}

// public reports whether a bucket policy is public as the S3 User Guide has it
// ("The meaning of public"): a statement lets everybody in, and no condition
// narrows that down to known places.
func public(data []byte) bool {
	var doc struct{ Statement json.RawMessage }
	type statement struct {
		Effect       string
		Principal    any
		NotPrincipal any
		Condition    map[string]map[string]any
	}
	if json.Unmarshal(data, &doc) != nil {
		return false
	}
	var list []statement
	if json.Unmarshal(doc.Statement, &list) != nil {
		list = make([]statement, 1)
		if json.Unmarshal(doc.Statement, &list[0]) != nil {
			return false
		}
	}
	return slices.ContainsFunc(list, func(s statement) bool {
		return s.Effect == "Allow" && (everybody(s.Principal) || s.NotPrincipal != nil) && !narrow(s.Condition)
	})
}

// everybody reports whether a Principal element holds "*".
func everybody(principal any) bool {
	switch v := principal.(type) {
	case string:
		return v == "*"
	case []any:
		return slices.ContainsFunc(v, everybody)
	case map[string]any:
		return everybody(v["AWS"])
	}
	return false
}

// narrowing are the condition keys that make a statement not public, if their
// values are fixed.
var narrowing = []string{
	"aws:principalaccount", "aws:principalarn", "aws:principalorgid", "aws:principalorgpaths",
	"aws:sourceaccount", "aws:sourcearn", "aws:sourceip", "aws:sourceowner", "aws:sourcevpc",
	"aws:sourcevpce", "aws:userid", "s3:dataaccesspointaccount", "s3:dataaccesspointarn",
	"s3:x-amz-server-side-encryption-aws-kms-key-id",
}

// narrow reports whether a condition admits known places only.
func narrow(condition map[string]map[string]any) bool {
	for operator, keys := range condition {
		op := strings.ToLower(operator)
		if strings.Contains(op, "not") || strings.HasSuffix(op, "ifexists") || strings.HasPrefix(op, "forallvalues:") || op == "null" {
			continue
		}
		for key, value := range keys {
			if slices.Contains(narrowing, strings.ToLower(key)) && fixed(value) {
				return true
			}
		}
	}
	return false
}

// fixed reports whether no value is a wildcard, a variable or every address.
func fixed(value any) bool {
	switch v := value.(type) {
	case string:
		return !strings.ContainsAny(v, "*?$") && !strings.HasSuffix(v, "/0")
	case []any:
		return len(v) > 0 && !slices.ContainsFunc(v, func(e any) bool { return !fixed(e) })
	}
	return false
}
