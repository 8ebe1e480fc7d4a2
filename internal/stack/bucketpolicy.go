package stack

import (
	"bytes"
	"context"

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

// wantPolicy reads and checks the properties of a bucket policy, and returns
// it as written and compiled.
func wantPolicy(a *action) ([]byte, *policy.Document, error) {
	p := read(a.typ, a.props)
	p.need("Bucket")
	data := p.document("PolicyDocument")
	if data == nil {
		p.fail("Property PolicyDocument cannot be empty.")
	}
	if err := p.done(); err != nil {
		return nil, nil, err
	}
	doc, err := policy.Parse(data, policy.Resource)
	if err != nil {
		return nil, nil, err
	}
	if err := doc.CheckBucket(a.physical); err != nil {
		return nil, nil, err
	}
	return data, doc, a.IAM.CheckPrincipals(doc, a.stack.Account)
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
	// Before anything is told of a policy that is there.
	if err := a.allowPolicy(b, "s3:PutBucketPolicy"); err != nil {
		return nil, err
	}
	if have := b.Documents[bucket.Policy]; have != nil {
		data, _, err := wantPolicy(a)
		if err != nil {
			return nil, err
		}
		if a.resumed && bytes.Equal(have, a.IAM.Bind(data)) {
			return nil, nil
		}
		return nil, fault.Newf(fault.Exists, "AlreadyExists", "The bucket policy already exists on bucket %s.", b.Name).On(b.Name).
			WithHint("delete it with aws s3api delete-bucket-policy, or keep it out of the template")
	}
	return putBucketPolicy(ctx, a)
}

func putBucketPolicy(ctx context.Context, a *action) (map[string]string, error) {
	data, doc, err := wantPolicy(a)
	if err != nil {
		return nil, err
	}
	return nil, a.Store.UpdateBucket(ctx, a.physical, func(b *bucket.Bucket) error {
		if err := a.allowPolicy(b, "s3:PutBucketPolicy"); err != nil {
			return err
		}
		block := b.Documents[bucket.PublicAccessBlock]
		if bytes.Contains(block, []byte("<BlockPublicPolicy>true<")) && doc.Public() {
			return fault.Newf(fault.Denied, "AccessDenied",
				"User: %s is not authorized to perform: s3:PutBucketPolicy on resource: %q because public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access.", a.caller.ARN, b.ARN()).
				WithHint("name accounts or roles in Principal, or take BlockPublicPolicy out of the bucket's public access block")
		}
		b.Documents[bucket.Policy] = a.IAM.Bind(data)
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
