// Package role describes IAM roles: who may assume them, what they may do, and
// the limits that AWS sets them (IAM API Reference; IAM User Guide, "IAM and
// AWS STS quotas").
package role

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"twinbucket/arn"
	"twinbucket/fault"
	"twinbucket/policy"
)

// Limits of roles and their sessions.
const (
	DefaultSession = time.Hour        // MaxSession of a role that does not say
	LongestSession = 12 * time.Hour   // the most MaxSession can be
	MinSession     = 15 * time.Minute // the shortest a session can be asked for

	maxTrust    = 2048  // characters of a trust policy, white space aside
	maxInline   = 10240 // characters of all inline policies, white space aside
	maxAttached = 10
	maxTags     = 50
)

// Role is an IAM role. It is a value: to change one, change a clone.
type Role struct {
	Account     string            `json:"account"` // 12 digits
	Path        string            `json:"path"`    // begins and ends with "/"
	Name        string            `json:"name"`
	ID          string            `json:"id"` // "AROA" and 17 more; another one when the role is made anew
	Description string            `json:"description,omitempty"`
	Created     time.Time         `json:"created"`
	MaxSession  time.Duration     `json:"maxSession"`         // one to twelve hours
	Trust       []byte            `json:"trust"`              // JSON: who may assume the role
	Inline      map[string][]byte `json:"inline,omitempty"`   // JSON of the inline policies, by name
	Attached    []string          `json:"attached,omitempty"` // ARNs of managed policies, in the order they were attached
	Boundary    string            `json:"boundary,omitempty"` // ARN of the managed policy that is the permissions boundary
	Tags        map[string]string `json:"tags,omitempty"`
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

// Clone returns a copy that shares no map or list with r; documents are
// shared, for they are never changed in place.
func (r *Role) Clone() *Role {
	c := *r
	c.Inline = maps.Clone(r.Inline)
	c.Attached = slices.Clone(r.Attached)
	c.Tags = maps.Clone(r.Tags)
	return &c
}

// Policies returns the names of the inline policies, sorted.
func (r *Role) Policies() []string { return slices.Sorted(maps.Keys(r.Inline)) }

// Validate reports the first thing that is wrong with the role: ValidationError,
// InvalidInput, MalformedPolicyDocument (fault.Invalid) or LimitExceeded
// (fault.TooLarge). Whether principals and policies exist is not looked at.
func (r *Role) Validate() error {
	if err := CheckName("roleName", r.Name, 64); err != nil {
		return err
	}
	if err := CheckPath(r.Path); err != nil {
		return err
	}
	if err := r.checkText(); err != nil {
		return err
	}
	if err := CheckTags(r.Tags); err != nil {
		return err
	}
	if _, err := policy.Parse(r.Trust, policy.Trust); err != nil {
		return err
	}
	if Size(r.Trust) > maxTrust {
		return over("Cannot exceed quota for ACLSizePerRole: 2048").
			WithHint("a trust policy has at most %d characters, white space aside; this one has %d", maxTrust, Size(r.Trust))
	}
	return r.checkPolicies()
}

func (r *Role) checkText() error {
	seconds := int64(r.MaxSession / time.Second)
	switch {
	case r.MaxSession < DefaultSession:
		return constraint("maxSessionDuration", "Member must have value greater than or equal to 3600").
			WithHint("it is %d seconds", seconds)
	case r.MaxSession > LongestSession:
		return constraint("maxSessionDuration", "Member must have value less than or equal to 43200").
			WithHint("it is %d seconds", seconds)
	case len(r.Description) > 1000:
		return constraint("description", "Member must have length less than or equal to 1000")
	case strings.ContainsFunc(r.Description, outsideLatin):
		return constraint("description",
			`Member must satisfy regular expression pattern: [\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF]*`)
	}
	return nil
}

func outsideLatin(c rune) bool {
	return c != '\t' && c != '\n' && c != '\r' && (c < 0x20 || c > 0x7e) && (c < 0xa1 || c > 0xff)
}

func (r *Role) checkPolicies() error {
	total := 0
	for name, document := range r.Inline {
		if err := CheckName("policyName", name, 128); err != nil {
			return err
		}
		if _, err := policy.Parse(document, policy.Identity); err != nil {
			return err
		}
		total += Size(document)
	}
	if total > maxInline {
		return over("Maximum policy size of 10240 bytes exceeded for role "+r.Name).
			WithHint("all inline policies of a role together have %d characters, white space aside", total)
	}
	if len(r.Attached) > maxAttached {
		return over("Cannot exceed quota for PoliciesPerRole: 10").
			WithHint("detach a policy, or join several into one")
	}
	return nil
}

// Size returns the number of characters in a policy that count against
// quotas: all but white space.
func Size(document []byte) int {
	return len(bytes.Join(bytes.Fields(document), nil))
}

func over(message string) *fault.Error { return fault.New(fault.TooLarge, "LimitExceeded", message) }

// constraint is how AWS's front end says that a parameter is wrong.
func constraint(parameter, message string) *fault.Error {
	return fault.Newf(fault.Invalid, "ValidationError",
		"1 validation error detected: Value at '%s' failed to satisfy constraint: %s", parameter, message)
}

// CheckName reports what is wrong with the name of a role or policy, in
// AWS's words for the given parameter: ValidationError.
func CheckName(parameter, name string, longest int) error {
	switch {
	case name == "":
		return constraint(parameter, "Member must have length greater than or equal to 1")
	case len(name) > longest:
		return fault.Newf(fault.Invalid, "ValidationError",
			"1 validation error detected: Value at '%s' failed to satisfy constraint: Member must have length less than or equal to %d", parameter, longest)
	case strings.ContainsFunc(name, notInName):
		return fault.Newf(fault.Invalid, "ValidationError",
			"The specified value for %s is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-", parameter)
	}
	return nil
}

func notInName(c rune) bool {
	return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("+=,.@_-", c)
}

// CheckPath reports what is wrong with the path of a role or policy.
func CheckPath(path string) error {
	if len(path) > 512 {
		return constraint("path", "Member must have length less than or equal to 512")
	}
	bad := !strings.HasPrefix(path, "/") || !strings.HasSuffix(path, "/") || strings.Contains(path, "//") ||
		strings.ContainsFunc(path, notInPath)
	if !bad {
		return nil
	}
	return fault.New(fault.Invalid, "ValidationError",
		"The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.").
		WithHint(`it is %q; paths look like "/" and "/service-role/"`, path)
}

func notInPath(c rune) bool { return c < '!' || c > '~' || c == '*' || c == '?' || c == ':' }

// CheckPathPrefix reports what is wrong with the prefix of the paths to list.
func CheckPathPrefix(prefix string) error {
	if len(prefix) <= 512 && strings.HasPrefix(prefix, "/") && !strings.ContainsFunc(prefix, notInPath) {
		return nil
	}
	return fault.New(fault.Invalid, "ValidationError",
		"The specified value for pathPrefix is invalid. It must begin with the / character and contain only alphanumeric characters and/or / characters.").
		WithHint("it is %q", prefix)
}

// CheckTags reports what is wrong with the tags of a role or session.
func CheckTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return constraint("tags", "Member must have length less than or equal to 50")
	}
	seen := map[string]bool{}
	for key, value := range tags {
		if err := CheckTag("tags.member", key, value); err != nil {
			return err
		}
		if seen[strings.ToLower(key)] {
			return fault.New(fault.Invalid, "InvalidInput",
				"Duplicate tag keys found. Please note that Tag keys are case insensitive.").On(key)
		}
		seen[strings.ToLower(key)] = true
	}
	return nil
}

// AddTags adds tags to those of a role; a key in other letters is the same key.
func (r *Role) AddTags(tags map[string]string) error {
	maps.DeleteFunc(r.Tags, func(have, _ string) bool {
		for key := range tags {
			if strings.EqualFold(key, have) {
				return true
			}
		}
		return false
	})
	if len(r.Tags)+len(tags) > maxTags {
		return over("The number of tags has reached the maximum limit.")
	}
	if r.Tags == nil {
		r.Tags = map[string]string{}
	}
	maps.Copy(r.Tags, tags)
	return nil
}

// CheckTag reports what is wrong with a tag, which stands at where in the
// request.
func CheckTag(where, key, value string) error {
	switch {
	case key == "":
		return constraint(where+".key", "Member must have length greater than or equal to 1")
	case len([]rune(key)) > 128:
		return constraint(where+".key", "Member must have length less than or equal to 128")
	case strings.ContainsFunc(key, notInTag):
		return constraint(where+".key", `Member must satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]+`).
			WithHint("it is %q", key)
	case len([]rune(value)) > 256:
		return constraint(where+".value", "Member must have length less than or equal to 256").
			WithHint("it is the value of the tag %q", key)
	case strings.ContainsFunc(value, notInTag):
		return constraint(where+".value", `Member must satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]*`).
			WithHint("that of %q is %q", key, value)
	case strings.HasPrefix(strings.ToLower(key), "aws:"):
		return fault.New(fault.Invalid, "InvalidInput", "Tag keys starting with 'aws:' are reserved for system use").On(key)
	}
	return nil
}

// CheckTagKeys reports what is wrong with the keys of tags to be taken away.
func CheckTagKeys(keys []string) error {
	if len(keys) > maxTags {
		return constraint("tagKeys", "Member must have length less than or equal to 50")
	}
	for _, key := range keys {
		if key == "" || len([]rune(key)) > 128 || strings.ContainsFunc(key, notInTag) {
			return constraint("tagKeys", "Member must satisfy constraint: [Member must have length less than or equal to 128, "+
				"Member must have length greater than or equal to 1, "+
				`Member must satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]+, Member must not be null]`).
				WithHint("it is %q", key)
		}
	}
	return nil
}

func notInTag(c rune) bool {
	return !unicode.In(c, unicode.L, unicode.Z, unicode.N) && !strings.ContainsRune("_.:/=+-@", c)
}

// CheckSessionName reports what is wrong with the name of a role session.
func CheckSessionName(name string) error {
	switch {
	case len(name) < 2:
		return constraint("roleSessionName", "Member must have length greater than or equal to 2")
	case len(name) > 64:
		return constraint("roleSessionName", "Member must have length less than or equal to 64")
	case strings.ContainsFunc(name, notInName):
		return constraint("roleSessionName", `Member must satisfy regular expression pattern: [\w+=,.@-]*`)
	}
	return nil
}

// CheckDuration reports whether a session of the role may last for d.
// chained says that the caller is itself a session of a role: then an hour is
// the limit (IAM User Guide, "Role chaining").
func (r *Role) CheckDuration(d time.Duration, chained bool) error {
	seconds := int64(d / time.Second)
	switch {
	case d < MinSession:
		return constraint("durationSeconds", "Member must have value greater than or equal to 900").
			WithHint("it is %d seconds", seconds)
	case d > LongestSession:
		return constraint("durationSeconds", "Member must have value less than or equal to 43200").
			WithHint("it is %d seconds", seconds)
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
