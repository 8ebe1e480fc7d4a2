package sigv4

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"time"

	"twinbucket/fault"
)

// Source of all here: Amazon S3 Developer Guide, "Authenticating requests in
// browser-based uploads using POST (AWS signature version 4)" and "HTML forms
// (AWS signature version 2)". The texts of errors are those that S3 is known to
// send. A form signs its policy, as the base64 text that it is sent as, and
// nothing else: what the other fields say is the policy's to allow.

// formFields are the fields that a signature of Version 4 needs, and formFields2
// those of Version 2: as they are looked up, and as errors name them.
var (
	formFields = []struct{ field, name string }{
		{"x-amz-algorithm", "X-Amz-Algorithm"},
		{"x-amz-credential", "X-Amz-Credential"},
		{"x-amz-date", "X-Amz-Date"},
		{"x-amz-signature", "X-Amz-Signature"},
	}
	formFields2 = []struct{ field, name string }{
		{"awsaccesskeyid", "AWSAccessKeyId"},
		{"signature", "Signature"},
	}
)

// MissingField is the fault of an HTML form without a field that it needs.
func MissingField(name string) *fault.Error {
	return formError(name, "", "Bucket POST must contain a field named '"+name+
		"'.  If it is specified, please check the order of the fields.")
}

// formError is an InvalidArgument fault about a field of a form.
func formError(name, value, message string) *fault.Error {
	return fault.New(fault.Invalid, "InvalidArgument", message).On(name).
		With("ArgumentName", name).With("ArgumentValue", value)
}

// ParseForm reads the signature of an HTML form's policy. field looks a field
// up by its name in lower case. A form without any part of a signature is
// anonymous: nil and no error. Errors: InvalidArgument for a part that is
// missing or malformed, and for signatures of both versions at once.
func ParseForm(field func(name string) (value string, ok bool)) (*Claim, error) {
	missing4, any4 := lacks(field, formFields)
	missing2, any2 := lacks(field, formFields2)
	policy, signed := field("policy")
	c := &Claim{form: true, presigned: true, policy: policy}
	c.token, _ = field("x-amz-security-token")
	switch {
	case !any4 && !any2:
		return nil, nil
	case any4 && any2:
		return nil, manyMechanisms()
	case any4 && missing4 != "":
		return nil, MissingField(missing4)
	case any2 && missing2 != "":
		return nil, MissingField(missing2)
	case !signed:
		return nil, MissingField("policy")
	case any2:
		c.version, c.scope = 2, Scope{Service: "s3"}
		c.accessKey, _ = field("awsaccesskeyid")
		c.signature, _ = field("signature")
		return c, nil
	}
	c.version = 4
	return c, c.readForm(field)
}

// lacks returns the first of the fields that is not there, and whether any is.
func lacks(field func(string) (string, bool), names []struct{ field, name string }) (missing string, some bool) {
	for _, n := range names {
		if _, ok := field(n.field); ok {
			some = true
		} else if missing == "" {
			missing = n.name
		}
	}
	return missing, some
}

// readForm reads the fields of Version 4.
func (c *Claim) readForm(field func(string) (string, bool)) error {
	algorithm, _ := field("x-amz-algorithm")
	credential, _ := field("x-amz-credential")
	c.timeText, _ = field("x-amz-date")
	c.signature, _ = field("x-amz-signature")
	if algorithm != Algorithm {
		return formError("X-Amz-Algorithm", shorten(algorithm), "X-Amz-Algorithm only supports \""+Algorithm+"\"")
	}
	if err := c.setCredential(credential); err != nil {
		return err
	}
	var err error
	if c.time, err = time.Parse(timeLayout, c.timeText); err != nil {
		return formError("X-Amz-Date", shorten(c.timeText), "X-Amz-Date must be formated via ISO8601 Long format")
	}
	if c.timeText[:8] != c.scope.Date {
		return c.Refuse("Invalid credential date \"" + c.scope.Date + "\". This date is not the same as X-Amz-Date: \"" + c.timeText[:8] + "\".")
	}
	return nil
}

// verifyForm is Verify for the signature of a form's policy.
func (c *Claim) verifyForm(secret string, now time.Time) (*Verified, error) {
	if !c.signsPolicy(secret) {
		return nil, c.tellSigned(mismatch(), c.policy, "").WithHint("the signature is not that of the field policy, as it was sent, by the secret of access key %s", shorten(c.accessKey))
	}
	// The signing key of Version 4 is one of its day, and lives for a week.
	if c.version == 4 && now.Sub(c.time) > MaxExpires {
		return nil, expired(c.time.Add(MaxExpires), now)
	}
	return &Verified{
		Version: c.version, AccessKey: c.accessKey, Token: c.token, Scope: c.scope, Presigned: true, Form: true, Time: c.time,
		Payload: Unsigned, Decoded: -1, Digest: UnsignedPayload,
	}, nil
}

// signsPolicy reports whether the signature is right, in constant time.
func (c *Claim) signsPolicy(secret string) bool {
	var want string
	if c.version == 2 {
		h := hmac.New(sha1.New, []byte(secret))
		h.Write([]byte(c.policy))
		want = base64.StdEncoding.EncodeToString(h.Sum(nil))
	} else {
		id := keyID{secret, c.scope}
		key, cached := ring.get(id)
		sum := mac(key[:], c.policy)
		if want = hex.EncodeToString(sum[:]); !cached && want == c.signature {
			ring.put(id, key)
		}
	}
	return subtle.ConstantTimeCompare([]byte(want), []byte(c.signature)) == 1
}
