package iamapi

import (
	"strings"

	"twinbucket/fault"
	"twinbucket/internal/iam"
	"twinbucket/internal/wire"
	"twinbucket/role"
)

func (c *call) getCallerIdentity() error {
	c.out.Text("Arn", c.caller.ARN)
	c.out.Text("UserId", c.caller.UserID)
	c.out.Text("Account", c.caller.Account)
	return nil
}

func (c *call) assumeRole() error {
	in := iam.AssumeRole{
		ExternalID: c.form.Get("ExternalId"), SourceIdentity: c.form.Get("SourceIdentity"), MFA: c.mfa(),
		Transitive: members(c, "TransitiveTagKeys"),
	}
	var err error
	if in.RoleARN, err = c.need("RoleArn"); err != nil {
		return err
	}
	if in.Name, err = c.need("RoleSessionName"); err != nil {
		return err
	}
	if c.form.Has("SourceIdentity") && in.SourceIdentity == "" {
		return role.SourceIdentity.Check("")
	}
	if len(wire.Structs(c.form, "ProvidedContexts")) > 0 {
		return unsupported("ProvidedContexts")
	}
	if in.Duration, err = c.seconds("DurationSeconds"); err != nil {
		return err
	}
	if in.Tags, err = c.tags("Tags"); err != nil {
		return err
	}
	in.Policy, in.PolicyARNs = c.sessionPolicies()
	in.Facts = c.context()
	s, err := c.iam.AssumeRole(c.r.Context(), c.caller, in)
	if err != nil {
		return err
	}
	c.out.Open("AssumedRoleUser")
	c.out.Text("AssumedRoleId", s.UserID)
	c.out.Text("Arn", s.ARN)
	c.out.Close("AssumedRoleUser")
	c.writeCredentials(s)
	if s.Packed > 0 {
		c.out.Int("PackedPolicySize", int64(s.Packed))
	}
	if s.Source != "" {
		c.out.Text("SourceIdentity", s.Source)
	}
	return nil
}

// mfa returns what the request says of an MFA device.
func (c *call) mfa() iam.MFA {
	return iam.MFA{Serial: c.form.Get("SerialNumber"), Code: c.form.Get("TokenCode")}
}

// sessionPolicies returns the policies that are to limit a session.
func (c *call) sessionPolicies() (document []byte, arns []string) {
	if p := c.form.Get("Policy"); p != "" {
		document = []byte(p)
	}
	for _, p := range wire.Structs(c.form, "PolicyArns") {
		arns = append(arns, p["arn"])
	}
	return document, arns
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
	d, err := c.seconds("DurationSeconds")
	if err != nil {
		return err
	}
	s, err := c.iam.GetSessionToken(c.caller, d, c.mfa())
	if err == nil {
		c.writeCredentials(s)
	}
	return err
}

func (c *call) getFederationToken() error {
	in := iam.Federate{}
	var err error
	if in.Name, err = c.need("Name"); err != nil {
		return err
	}
	if in.Duration, err = c.seconds("DurationSeconds"); err != nil {
		return err
	}
	if in.Tags, err = c.tags("Tags"); err != nil {
		return err
	}
	in.Policy, in.PolicyARNs = c.sessionPolicies()
	in.Facts = c.context()
	s, err := c.iam.GetFederationToken(c.caller, in)
	if err != nil {
		return err
	}
	c.writeCredentials(s)
	c.out.Open("FederatedUser")
	c.out.Text("FederatedUserId", s.UserID)
	c.out.Text("Arn", s.ARN)
	c.out.Close("FederatedUser")
	c.out.Int("PackedPolicySize", int64(s.Packed))
	return nil
}

// allowSTS asks whether the caller may do an action of STS that has no
// resource. What GetSessionToken gave is good for AssumeRole and
// GetCallerIdentity alone.
func (c *call) allowSTS(name string) error {
	if c.caller.Temporary() {
		return fault.Newf(fault.Denied, "AccessDenied", "Cannot call %s with session credentials", name)
	}
	return c.iam.Authorize(c.caller, iam.Access{Action: "sts:" + name, Resource: "*", Context: c.context()})
}

// decodeAuthorizationMessage refuses every message: no service here encodes any.
func (c *call) decodeAuthorizationMessage() error {
	if _, err := c.need("EncodedMessage"); err != nil {
		return err
	}
	if err := c.allowSTS("DecodeAuthorizationMessage"); err != nil {
		return err
	}
	return fault.New(fault.Invalid, "InvalidAuthorizationMessageException", "Message is not valid").
		WithHint("no refusal of this server is encoded: its text and hint say all there is")
}

// getAccessKeyInfo tells the account that an access key is of.
func (c *call) getAccessKeyInfo() error {
	id, err := c.need("AccessKeyId")
	if err != nil {
		return err
	}
	switch {
	case len(id) < 16:
		return constraint("AccessKeyId", "Member must have length greater than or equal to 16")
	case len(id) > 128:
		return constraint("AccessKeyId", "Member must have length less than or equal to 128")
	}
	if err := c.allowSTS("GetAccessKeyInfo"); err != nil {
		return err
	}
	account, _, ok := c.iam.KeyOwner(id)
	switch {
	case ok:
	case id == c.caller.Verified.AccessKey:
		account = c.caller.Account
	case strings.HasPrefix(id, "ASIA"):
		return fault.New(fault.Unsupported, "NotImplemented", "GetAccessKeyInfo is not offered by this server for the keys of sessions.").
			WithHint("sessions are not kept here, so that nothing is known of %s", id)
	default:
		return fault.Newf(fault.Invalid, "ValidationError", "The access key ID %s does not exist.", id).On(id)
	}
	c.out.Text("Account", account)
	return nil
}
