package iamapi

import (
	"twinbucket/fault"
	"twinbucket/internal/iam"
	"twinbucket/internal/wire"
)

func (c *call) getCallerIdentity() error {
	c.out.Text("Arn", c.caller.ARN)
	c.out.Text("UserId", c.caller.UserID)
	c.out.Text("Account", c.caller.Account)
	return nil
}

// notOffered are the parameters of AssumeRole that change what a session may
// do in ways this server does not have.
var notOffered = []string{"SerialNumber", "TokenCode", "SourceIdentity"}

func (c *call) assumeRole() error {
	var in iam.AssumeRole
	var err error
	if in.RoleARN, err = c.need("RoleArn"); err != nil {
		return err
	}
	if in.Name, err = c.need("RoleSessionName"); err != nil {
		return err
	}
	for _, name := range notOffered {
		if c.form.Has(name) {
			return unsupported(name)
		}
	}
	for _, name := range []string{"TransitiveTagKeys", "ProvidedContexts"} {
		if len(wire.Structs(c.form, name)) > 0 {
			return unsupported(name)
		}
	}
	if in.Duration, err = c.seconds("DurationSeconds"); err != nil {
		return err
	}
	if in.Tags, err = c.tags("Tags"); err != nil {
		return err
	}
	in.ExternalID, in.Facts = c.form.Get("ExternalId"), c.context()
	if p := c.form.Get("Policy"); p != "" {
		in.Policy = []byte(p)
	}
	for _, p := range wire.Structs(c.form, "PolicyArns") {
		in.PolicyARNs = append(in.PolicyARNs, p["arn"])
	}
	s, err := c.iam.AssumeRole(c.r.Context(), c.caller, in)
	if err != nil {
		return err
	}
	c.out.Open("AssumedRoleUser")
	c.out.Text("AssumedRoleId", s.RoleID)
	c.out.Text("Arn", s.ARN)
	c.out.Close("AssumedRoleUser")
	c.writeCredentials(s)
	if s.Packed > 0 {
		c.out.Int("PackedPolicySize", int64(s.Packed))
	}
	return nil
}

func unsupported(parameter string) error {
	return fault.Newf(fault.Unsupported, "NotImplemented", "The parameter %s is not offered by this server.", parameter).
		WithHint("leave it out")
}

func (c *call) writeCredentials(s iam.Session) {
	c.out.Open("Credentials")
	c.out.Text("AccessKeyId", s.AccessKey)
	c.out.Text("SecretAccessKey", s.Secret)
	c.out.Text("SessionToken", s.Token)
	c.time("Expiration", s.Expiration)
	c.out.Close("Credentials")
}

func (c *call) getSessionToken() error {
	for _, name := range notOffered {
		if c.form.Has(name) {
			return unsupported(name)
		}
	}
	d, err := c.seconds("DurationSeconds")
	if err != nil {
		return err
	}
	s, err := c.iam.GetSessionToken(c.caller, d)
	if err == nil {
		c.writeCredentials(s)
	}
	return err
}
