package iam

import (
	"strings"

	"twinbucket/fault"
	"twinbucket/identity"
)

// MFA is what a request says of a device for multi-factor authentication. The
// zero MFA says nothing.
type MFA struct {
	Serial string // number of the device, or its ARN
	Code   string // six digits
}

var (
	serialNumber = identity.Word{Parameter: "serialNumber", Min: 9, Max: 256, More: "/:", Pattern: `[\w+=/:,.@-]*`}
	tokenCode    = identity.Word{Parameter: "tokenCode", Min: 6, Max: 6, Pattern: `[\d]*`}
)

// check reports whether the device says who calls. Nobody here has one, so all
// but the zero MFA are refused: ValidationError, AccessDenied.
func (m MFA) check() error {
	switch {
	case m == MFA{}:
		return nil
	case m.Serial != "" && serialNumber.Check(m.Serial) != nil:
		return serialNumber.Check(m.Serial)
	case m.Code != "" && tokenCode.Check(m.Code) != nil:
		return tokenCode.Check(m.Code)
	case strings.ContainsFunc(m.Code, func(c rune) bool { return c < '0' || c > '9' }):
		return identity.Constraint(tokenCode.Parameter, "Member must satisfy regular expression pattern: "+tokenCode.Pattern)
	case m.Serial == "" || m.Code == "":
		return noDevice("MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.")
	}
	return noDevice("MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid and associated with this user.")
}

func noDevice(text string) error {
	return fault.New(fault.Denied, "AccessDenied", text).
		WithHint("no user here has an MFA device: leave SerialNumber and TokenCode out")
}
