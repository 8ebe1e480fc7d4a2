package s3api

import (
	"net/http"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/wire"
	"twinbucket/policy"
	"twinbucket/setting"
)

// allowPolicy asks whether the caller may do action to the bucket's policy.
// Only the owning account may, whatever the policy itself says; its root user
// always, so that nobody is locked out of the own bucket for good.
func (c *call) allowPolicy(action string) error {
	if c.caller.Type == policy.RootUser && c.caller.Account == c.bucket.Owner {
		return nil
	}
	if err := c.allow(action); err != nil {
		return err
	}
	if c.caller.Account != c.bucket.Owner {
		return fault.New(fault.Unsupported, "MethodNotAllowed", "The specified method is not allowed against this resource.").On(c.name).
			WithHint("only account %s, the owner of %s, may use its policy; the caller is of account %s", c.bucket.Owner, c.name, c.caller.Account)
	}
	return nil
}

// getPolicy is GetBucketPolicy.
func (c *call) getPolicy() error {
	if err := c.allowPolicy("s3:GetBucketPolicy"); err != nil {
		return err
	}
	doc := c.bucket.Documents[bucket.Policy]
	if doc == nil {
		return noSuchPolicy(c.name)
	}
	return c.stored("application/json", c.iam.Unbind(doc))
}

func noSuchPolicy(name string) error {
	return fault.New(fault.NotFound, "NoSuchBucketPolicy", "The bucket policy does not exist").On(name)
}

// putPolicy is PutBucketPolicy.
func (c *call) putPolicy() error {
	if err := c.allowPolicy("s3:PutBucketPolicy"); err != nil {
		return err
	}
	// Read beyond the limit of a policy, so that a larger one is told apart
	// from a broken request.
	data, err := c.document(wire.MaxXML)
	if err != nil {
		return err
	}
	if len(data) == 0 {
		return fault.New(fault.Invalid, "MissingRequestBodyError", "Request body is empty.")
	}
	doc, err := policy.Parse(data, policy.Resource)
	if err != nil {
		return err
	}
	if err := doc.CheckBucket(c.name); err != nil {
		return err
	}
	if err := c.iam.CheckPrincipals(doc, c.caller.Account); err != nil {
		return err
	}
	if doc.Public() && setting.Blocks(c.bucket, "BlockPublicPolicy") {
		return fault.Newf(fault.Denied, "AccessDenied",
			"User: %s is not authorized to perform: s3:PutBucketPolicy on resource: %q because public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access.",
			c.caller.ARN, c.bucket.ARN()).
			WithHint("name accounts or roles in Principal, or take BlockPublicPolicy out of the bucket's public access block")
	}
	return c.setDocument(bucket.Policy, c.iam.Bind(data), http.StatusNoContent)
}

// deletePolicy is DeleteBucketPolicy.
func (c *call) deletePolicy() error {
	if err := c.allowPolicy("s3:DeleteBucketPolicy"); err != nil {
		return err
	}
	return c.setDocument(bucket.Policy, nil, http.StatusNoContent)
}

// getPolicyStatus is GetBucketPolicyStatus.
func (c *call) getPolicyStatus() error {
	if err := c.allow("s3:GetBucketPolicyStatus"); err != nil {
		return err
	}
	doc := c.bucket.Documents[bucket.Policy]
	if doc == nil {
		return noSuchPolicy(c.name)
	}
	x := wire.NewDocument()
	x.OpenNS("PolicyStatus", namespace)
	x.Bool("IsPublic", public(doc))
	x.Close("PolicyStatus")
	return c.send(x)
}

// setDocument stores a settings document, or removes it if data is nil, and
// answers with status.
func (c *call) setDocument(name bucket.Document, data []byte, status int) error {
	if data == nil && c.bucket.Documents[name] == nil {
		return c.empty(status)
	}
	err := c.store.ChangeBucket(c.r.Context(), c.bucket, func(b *bucket.Bucket) error {
		if data == nil {
			delete(b.Documents, name)
		} else {
			b.Documents[name] = data
		}
		return nil
	})
	if err != nil {
		return err
	}
	return c.empty(status)
}
