// Package role describes IAM roles: who may assume them, what they may do, and
// the limits that AWS sets them (IAM API Reference; IAM User Guide, "IAM and
// AWS STS quotas").
package role

import (
	"strings"
	"time"

	"twinbucket/arn"
	"twinbucket/fault"
	"twinbucket/identity"
	"twinbucket/policy"
)

// Limits of roles and their sessions.
const (
	DefaultSession = time.Hour        // MaxSession of a role that does not say
	LongestSession = 12 * time.Hour   // the most MaxSession can be
	MinSession     = 15 * time.Minute // the shortest a session can be asked for

	maxTrust = 2048 // characters of a trust policy, white space aside
)

// Role is an IAM role. It is a value: to change one, change a clone.
type Role struct {
	identity.Identity
	Description string        `json:"description,omitempty"`
	MaxSession  time.Duration `json:"maxSession"` // one to twelve hours
	Trust       []byte        `json:"trust"`      // JSON: who may assume the role
}

// ARN returns the role's ARN.
func (r *Role) ARN() string { return arn.Role(r.Account, r.Path, r.Name) }

// Session returns a session of the role as a principal. Its tags are the
// role's; tags of the session itself come on top of them.
func (r *Role) Session(name string) policy.Principal {
	return policy.Principal{
		Type:    policy.RoleSession,
		Account: r.Account,
		ARN:     arn.Session(r.Account, r.Name, name),
		Role:    r.ARN(),
		UserID:  r.ID + ":" + name,
		Tags:    r.Tags,
	}
}

// Clone returns a copy that shares no map or list with r.
func (r *Role) Clone() *Role {
	c := *r
	c.Identity = r.Identity.Clone()
	return &c
}

// Validate reports the first thing that is wrong with the role: ValidationError,
// InvalidInput, MalformedPolicyDocument (fault.Invalid) or LimitExceeded
// (fault.TooLarge). Whether principals and policies exist is not looked at.
func (r *Role) Validate() error {
	if err := identity.RoleKind.CheckName(r.Name); err != nil {
		return err
	}
	if err := identity.CheckPath(r.Path); err != nil {
		return err
	}
	if err := r.checkText(); err != nil {
		return err
	}
	if err := identity.CheckTags(r.Tags); err != nil {
		return err
	}
	if _, err := policy.Parse(r.Trust, policy.Trust); err != nil {
		return err
	}
	if identity.Size(r.Trust) > maxTrust {
		return fault.New(fault.TooLarge, "LimitExceeded", "Cannot exceed quota for ACLSizePerRole: 2048").
			WithHint("a trust policy has at most %d characters, white space aside; this one has %d", maxTrust, identity.Size(r.Trust))
	}
	return r.CheckPolicies(identity.RoleKind)
}

func (r *Role) checkText() error {
	seconds := int64(r.MaxSession / time.Second)
	switch {
	case r.MaxSession < DefaultSession:
		return identity.Constraint("maxSessionDuration", "Member must have value greater than or equal to 3600").
			WithHint("it is %d seconds", seconds)
	case r.MaxSession > LongestSession:
		return identity.Constraint("maxSessionDuration", "Member must have value less than or equal to 43200").
			WithHint("it is %d seconds", seconds)
	case len(r.Description) > 1000:
		return identity.Constraint("description", "Member must have length less than or equal to 1000")
	case strings.ContainsFunc(r.Description, outsideLatin):
		return identity.Constraint("description",
			`Member must satisfy regular expression pattern: [\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF]*`)
	}
	return nil
}

func outsideLatin(c rune) bool {
	return c != '\t' && c != '\n' && c != '\r' && (c < 0x20 || c > 0x7e) && (c < 0xa1 || c > 0xff)
}

// The words that come with a request for a session.
var (
	SessionName    = identity.Word{Parameter: "roleSessionName", Min: 2, Max: 64, Pattern: `[\w+=,.@-]*`}
	SourceIdentity = identity.Word{Parameter: "sourceIdentity", Min: 2, Max: 64, Pattern: `[\w+=,.@-]*`}
	ExternalID     = identity.Word{Parameter: "externalId", Min: 2, Max: 1224, More: ":/", Pattern: `[\w+=,.@:\/-]*`}
)

// CheckDuration reports whether a session of any role may last for d.
func CheckDuration(d time.Duration) error {
	seconds := int64(d / time.Second)
	switch {
	case d < MinSession:
		return identity.Constraint("durationSeconds", "Member must have value greater than or equal to 900").
			WithHint("it is %d seconds", seconds)
	case d > LongestSession:
		return identity.Constraint("durationSeconds", "Member must have value less than or equal to 43200").
			WithHint("it is %d seconds", seconds)
	}
	return nil
}

// CheckDuration reports whether a session of the role may last for d.
// chained says that the caller is itself a session of a role: then an hour is
// the limit (IAM User Guide, "Role chaining").
func (r *Role) CheckDuration(d time.Duration, chained bool) error {
	if err := CheckDuration(d); err != nil {
		return err
	}
	switch {
	case d > r.MaxSession:
		return fault.New(fault.Invalid, "ValidationError",
			"The requested DurationSeconds exceeds the MaxSessionDuration set for this role.").
			WithHint("role %s allows %d seconds; update its MaxSessionDuration or ask for less", r.Name, int64(r.MaxSession/time.Second))
	case chained && d > time.Hour:
		return fault.New(fault.Invalid, "ValidationError",
			"The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.").
			WithHint("ask for 3600 seconds or less, or assume the role with a root key")
	}
	return nil
}
